//! The loopback server a page is loaded from, which is also the only way out that Chrome has: what is not here is refused
//! and remembered.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use compose::document::inject::{inject, insert_before_body_scripts};
use compose::site::decode_path;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::config::output::Alpha;
use crate::error::{Error, Result};
use crate::page::files::{JAVASCRIPT, Range, content_type, is_animated, parse_range, read_part};
use crate::page::{WORKER_CLOCK, frames};
use crate::video_track::VideoTrack;

/// Scripts that the HTML gets on its way to the page. They are put in by reference, so that an author's line numbers stay
/// what they are.
#[derive(Debug)]
pub(crate) struct Injection {
    /// Before everything else in every document, so also in frames.
    pub(crate) every_head_start: String,
    /// At the end of the composition's head.
    pub(crate) index_head_end: String,
    /// At the end of the composition's body.
    pub(crate) index_body_end: String,
    /// Before what else is at the end of the composition's head, if it has videos.
    pub(crate) video_frames: Option<String>,
    /// Kept: the composition's own backgrounds are not drawn.
    pub(crate) alpha: Alpha,
}

/// A request that was not answered with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unserved {
    /// A path that does not exist, and what the page wanted it for (`script`, `image`, … as browsers say it).
    Missing { path: String, wanted_as: String },
    /// Another host.
    Outside { url: String },
    /// It was answered, but what it shows moves by itself: an animated SVG as an image.
    Moving { path: String },
}

impl Unserved {
    /// Whether a page can be complete without it: what a script fetches may be there or not.
    pub(crate) fn is_optional(&self) -> bool {
        matches!(self, Self::Missing { wanted_as, .. } if wanted_as == "empty")
    }
}

/// A running server. Dropping it ends it and every connection.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    site: Arc<Site>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Site {
    root: PathBuf,
    injection: Injection,
    tracks: Vec<VideoTrack>,
    authority: String,
    unserved: Mutex<Vec<Unserved>>,
    blocked: AtomicU64,
    open_requests: AtomicUsize,
    /// How often each path was asked for.
    requests: Mutex<HashMap<String, u64>>,
    asked: Mutex<Asked>,
    registers_timelines: AtomicBool,
    has_history: AtomicBool,
}

/// What the page asked for, whether it is there or not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AskedFor {
    /// A file, by its path below the root.
    File(String),
    /// A frame of a video, by the names of its directory and of its file.
    VideoFrame(String, String),
}

#[derive(Debug, Default)]
struct Asked {
    files: BTreeSet<AskedFor>,
    /// Whether there were more than are remembered.
    is_cut: bool,
}

impl Asked {
    fn note(&mut self, file: AskedFor) {
        if self.files.len() < MAX_ASKED {
            self.files.insert(file);
        } else {
            self.is_cut |= !self.files.contains(&file);
        }
    }
}

/// So many files are remembered; a page can make up any number of names, and shows a frame of each of its videos at any moment.
const MAX_ASKED: usize = 100_000;

/// How many different requests without an answer are remembered; a page can make up any number.
const MAX_NAMED: usize = 200;
const MAX_NAME_BYTES: usize = 120;
/// Requests for so many different paths are counted.
const MAX_COUNTED: usize = 10_000;

/// After how long the script that waits for fonts looks again.
const FONTS_SCRIPT: &str = "/__framewright/fonts.js";
const FONTS_DELAY: Duration = Duration::from_millis(4);

/// Where those scripts are served; no project has a folder of this name.
const SCRIPTS: &str = "/__framewright/";
const VIDEO_FRAMES: &str = "<script src=\"/__framewright/video-frames.js\"></script>";
const HEAD_END: &str = "<script src=\"/__framewright/runtime.js\"></script>";
/// What a composition that is looked through may have behind itself.
const TRANSPARENT: &str = "<style>html,body,[data-composition-id],[data-hf-inner-root]{background:transparent!important}</style>";
const FONTS: &str = "<script src=\"/__framewright/fonts.js\"></script>";
const BODY_END: &str = "<script src=\"/__framewright/bridge.js\"></script>";

impl Injection {
    fn script(&self, name: &str) -> Option<&str> {
        match name {
            "runtime.js" => Some(&self.index_head_end),
            "bridge.js" => Some(&self.index_body_end),
            "fonts.js" => Some(include_str!("fonts.js")),
            "video-frames.js" => self.video_frames.as_deref(),
            _ => None,
        }
    }
}

impl Server {
    /// Serves the files below `root`, and the frames of `tracks`, on a free port of 127.0.0.1.
    pub(crate) async fn start(
        root: &Path,
        injection: Injection,
        tracks: Vec<VideoTrack>,
    ) -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Error::io("serve", root))?;
        let root = tokio::fs::canonicalize(root).await.map_err(Error::io("serve", root))?;
        let address = listener.local_addr().map_err(Error::io("serve", &root))?;
        let site = Arc::new(Site {
            root,
            injection,
            tracks,
            authority: address.to_string(),
            unserved: Mutex::default(),
            blocked: AtomicU64::new(0),
            open_requests: AtomicUsize::new(0),
            requests: Mutex::default(),
            asked: Mutex::default(),
            registers_timelines: AtomicBool::new(false),
            has_history: AtomicBool::new(false),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&site)));
        Ok(Self { address, site, task })
    }

    /// The script that runs first in every document.
    pub(crate) fn head_start(&self) -> &str {
        &self.site.injection.every_head_start
    }

    /// Whether the page is known to depend on the frames before: it was served a picture that moves, or showed it.
    pub(crate) fn has_history(&self) -> bool {
        self.site.has_history.load(Ordering::Relaxed)
    }

    /// Remembers for the browsers to come that no frame may be left out.
    pub(crate) fn note_history(&self) {
        self.site.has_history.store(true, Ordering::Relaxed);
    }

    pub(crate) fn alpha(&self) -> Alpha {
        self.site.injection.alpha
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn index_url(&self) -> String {
        format!("http://{}/index.html", self.address)
    }

    /// The videos whose frames are served.
    pub(crate) fn tracks(&self) -> &[VideoTrack] {
        &self.site.tracks
    }

    /// The requests so far that got no file.
    pub(crate) fn unserved(&self) -> Vec<Unserved> {
        self.site.unserved.lock().expect("nothing panics while holding the list").clone()
    }

    /// How many requests were to something else than this server.
    pub(crate) fn blocked_requests(&self) -> u64 {
        self.site.blocked.load(Ordering::Relaxed)
    }

    /// How often each path was asked for so far.
    pub(crate) fn requests(&self) -> HashMap<String, u64> {
        self.site.requests.lock().expect("nothing panics while counting").clone()
    }

    /// What the page asked for so far; `None` if that is too much to remember.
    pub(crate) fn asked(&self) -> Option<Vec<AskedFor>> {
        let asked = self.site.asked.lock().expect("nothing panics while holding the list");
        (!asked.is_cut).then(|| asked.files.iter().cloned().collect())
    }

    /// Whether every request has been answered.
    pub(crate) fn is_quiet(&self) -> bool {
        self.site.open_requests.load(Ordering::Relaxed) == 0
    }

    /// Whether any file served so far speaks of `__timelines`; if none does, none will be registered.
    pub(crate) fn may_register_timelines(&self) -> bool {
        self.site.registers_timelines.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, site: Arc<Site>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let site = Arc::clone(&site);
        connections.spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&site), request));
            // A connection that Chrome drops is no news.
            let _closed = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    site: Arc<Site>,
    request: Request<Incoming>,
) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    // The page itself waits for the frames it needs, and asks for the next ones ahead of their time.
    let is_ours = request.uri().authority().is_none_or(|to| to.as_str() == site.authority);
    if let Some(name) = request.uri().path().strip_prefix(frames::PLACE).filter(|_| is_ours) {
        if let Some((dir, file)) = frames::place(&site.tracks, name) {
            site.note_asked(AskedFor::VideoFrame(dir, file));
        }
        let answered = frames::answer(&site.tracks, name).await;
        return Ok(answered.unwrap_or_else(|| empty(StatusCode::NOT_FOUND)));
    }
    let _open = OpenRequest::of(&site);
    {
        let mut requests = site.requests.lock().expect("nothing panics while counting");
        let path = shortened(request.uri().path());
        // A page can make up any number of names.
        if requests.len() < MAX_COUNTED || requests.contains_key(&path) {
            *requests.entry(path).or_default() += 1;
        }
    }
    Ok(site.respond(&request).await)
}

/// Counts a request until it is answered, or given up by Chrome.
struct OpenRequest<'a>(&'a Site);

impl<'a> OpenRequest<'a> {
    fn of(site: &'a Site) -> Self {
        site.open_requests.fetch_add(1, Ordering::Relaxed);
        Self(site)
    }
}

impl Drop for OpenRequest<'_> {
    fn drop(&mut self) {
        self.0.open_requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A worker's script with ours in front of its first line.
fn with_worker_clock(script: &[u8]) -> Vec<u8> {
    let is_strict = [&b"'use strict'"[..], b"\"use strict\""];
    let directive =
        is_strict.iter().find(|directive| script.trim_ascii_start().starts_with(directive));
    let clock = WORKER_CLOCK.replace('\n', " ");
    [*directive.unwrap_or(&&b""[..]), b";", clock.as_bytes(), script].concat()
}

/// A URL as it may be printed: without its query, which can hold anything, and of a length that fits into a line.
fn shortened(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let end = url.floor_char_boundary(MAX_NAME_BYTES);
    if end < url.len() { format!("{}…", &url[..end]) } else { url.to_owned() }
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

impl Site {
    async fn respond<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        // Chrome uses this server as its proxy too, so that requests to other hosts end here.
        let outside =
            request.uri().authority().filter(|authority| authority.as_str() != self.authority);
        if outside.is_some() || request.method() == Method::CONNECT {
            self.blocked.fetch_add(1, Ordering::Relaxed);
            self.note(Unserved::Outside { url: shortened(&request.uri().to_string()) });
            return empty(StatusCode::FORBIDDEN);
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        if request.uri().path().ends_with(FONTS_SCRIPT) && request.uri().query().is_some() {
            tokio::time::sleep(FONTS_DELAY).await;
        }
        if let Some(source) =
            request.uri().path().strip_prefix(SCRIPTS).and_then(|name| self.injection.script(name))
        {
            let mut response = Response::new(Full::new(Bytes::from(source.to_owned())));
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static(JAVASCRIPT));
            return response;
        }
        let path = decode_path(request.uri().path());
        if let Some(path) = &path {
            self.note_asked(AskedFor::File(path.clone()));
        }
        let file = path.map(|path| self.root.join(path));
        let answered = match &file {
            Some(file) => self.serve_file(file, request.uri().path(), request.headers()).await,
            None => None,
        };
        answered.unwrap_or_else(|| {
            let wanted_as = request
                .headers()
                .get("sec-fetch-dest")
                .and_then(|v| v.to_str().ok())
                .unwrap_or("empty");
            self.note(Unserved::Missing {
                path: shortened(request.uri().path()),
                wanted_as: shortened(wanted_as),
            });
            empty(StatusCode::NOT_FOUND)
        })
    }

    fn note_asked(&self, file: AskedFor) {
        self.asked.lock().expect("nothing panics while holding the list").note(file);
    }

    fn note(&self, unserved: Unserved) {
        tracing::debug!(?unserved, "request without an answer");
        let mut list = self.unserved.lock().expect("nothing panics while holding the list");
        // Each kind has its own room: what a script asks for in vain must not hide that an element is without its file.
        let alike = list.iter().filter(|noted| noted.is_optional() == unserved.is_optional());
        if alike.count() < MAX_NAMED && !list.contains(&unserved) {
            list.push(unserved);
        }
    }

    /// `None` where there is no such file.
    async fn serve_file(
        &self,
        file: &Path,
        path: &str,
        headers: &HeaderMap,
    ) -> Option<Response<Full<Bytes>>> {
        // A link would lead to files that the plan's hash does not cover.
        let real = tokio::fs::canonicalize(file).await.ok()?;
        if !real.starts_with(&self.root) {
            return None;
        }
        let metadata = tokio::fs::metadata(file).await.ok().filter(std::fs::Metadata::is_file)?;
        let content_type = content_type(file);
        let (status, body, range) = if content_type.starts_with("text/html") {
            (StatusCode::OK, self.html(file).await?, None)
        } else {
            let range = headers
                .get(header::RANGE)
                .and_then(|value| parse_range(value.to_str().ok()?, metadata.len()));
            match range {
                Some(Range::Unsatisfiable) => {
                    let mut response = empty(StatusCode::RANGE_NOT_SATISFIABLE);
                    let total =
                        HeaderValue::from_str(&format!("bytes */{}", metadata.len())).ok()?;
                    response.headers_mut().insert(header::CONTENT_RANGE, total);
                    return Some(response);
                }
                Some(Range::Bytes { start, end }) => (
                    StatusCode::PARTIAL_CONTENT,
                    read_part(file, start, end).await?,
                    Some((start, end)),
                ),
                None => (StatusCode::OK, tokio::fs::read(file).await.ok()?, None),
            }
        };
        self.look_for_timelines(content_type, &body);
        let wanted_as = headers.get("sec-fetch-dest");
        if wanted_as.is_some_and(|dest| dest == "image")
            && content_type == "image/svg+xml"
            && is_animated(content_type, &body)
        {
            self.note(Unserved::Moving { path: shortened(path) });
        }
        let is_worker = wanted_as.is_some_and(|dest| dest == "worker");
        let body = if is_worker && range.is_none() { with_worker_clock(&body) } else { body };
        if is_animated(content_type, &body) {
            self.has_history.store(true, Ordering::Relaxed);
        }
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        let answer = response.headers_mut();
        answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        answer.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if let Some((start, end)) = range {
            let value =
                HeaderValue::from_str(&format!("bytes {start}-{end}/{}", metadata.len())).ok()?;
            answer.insert(header::CONTENT_RANGE, value);
        }
        Some(response)
    }

    async fn html(&self, file: &Path) -> Option<Vec<u8>> {
        let bytes = tokio::fs::read(file).await.ok()?;
        let html = String::from_utf8_lossy(&bytes);
        self.look_for_timelines("text/html", &bytes);
        let is_index = file == self.root.join("index.html");
        let Injection { video_frames, alpha, .. } = &self.injection;
        let frames = if video_frames.is_some() { VIDEO_FRAMES } else { "" };
        let style = if *alpha == Alpha::Kept { TRANSPARENT } else { "" };
        let (head_end, body_end) = if is_index {
            (format!("{frames}{HEAD_END}{style}"), BODY_END)
        } else {
            (String::new(), "")
        };
        let html = inject(&html, "", &head_end, body_end);
        let html = if is_index { insert_before_body_scripts(&html, FONTS) } else { html };
        Some(html.into_bytes())
    }

    /// Looks at scripts as they are in the project; what we inject ourselves speaks of timelines too and does not count.
    fn look_for_timelines(&self, content_type: &str, body: &[u8]) {
        let needle = b"__timelines";
        let is_authored_text =
            content_type.starts_with("text/javascript") || content_type == "text/html";
        if is_authored_text && body.windows(needle.len()).any(|window| window == needle) {
            self.registers_timelines.store(true, Ordering::Relaxed);
        }
    }
}
