//! The server of the preview's page, on loopback only.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use render::player::FrameRequest;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::cli::preview::route::{Asked, Refused, Route, route};
use crate::cli::preview::state::{RenderJob, Shared, Stage};
use crate::error::Error;

const PAGE: &str = include_str!("page.html");

/// How long a page waits for news before it asks again.
const NEWS: Duration = Duration::from_secs(20);

/// What the page may do: its own script and style, pictures and sound that it has fetched, and nothing of another host.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src blob:; media-src blob:; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

type Answer = Response<Full<Bytes>>;

pub(super) struct Server {
    pub(super) listener: TcpListener,
    pub(super) address: SocketAddr,
    pub(super) token: String,
    pub(super) shared: Shared,
    pub(super) jobs: mpsc::Sender<RenderJob>,
}

/// What a connection needs.
#[derive(Debug, Clone)]
struct Site {
    address: SocketAddr,
    token: String,
    shared: Shared,
    jobs: mpsc::Sender<RenderJob>,
}

impl Server {
    /// Serves until this is dropped.
    pub(super) async fn run(self) {
        let Self { listener, address, token, shared, jobs } = self;
        let site = Site { address, token, shared, jobs };
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let Ok((stream, _peer)) = listener.accept().await else { continue };
            let site = site.clone();
            connections.spawn(async move {
                let service = service_fn(move |request| {
                    let site = site.clone();
                    async move { Ok::<_, Infallible>(site.answer(request).await) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                let _the_page_is_gone = http.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }
}

impl Site {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let asked = Asked {
            method: request.method(),
            path: request.uri().path(),
            host: header(HOST),
            origin: header(ORIGIN),
        };
        match route(asked, self.address, &self.token) {
            Err(Refused::Foreign) => text(StatusCode::FORBIDDEN, "not for this address"),
            Err(Refused::Unknown) => text(StatusCode::NOT_FOUND, "nothing here"),
            Ok(Route::Page) => answer("text/html; charset=utf-8", PAGE.as_bytes().to_vec()),
            Ok(Route::State { after }) => {
                let newer = tokio::time::timeout(NEWS, self.shared.after(after)).await;
                let state = newer.unwrap_or_else(|_nothing_new| self.shared.current());
                json_answer(StatusCode::OK, &self.shared.told(&state))
            }
            Ok(Route::Frame { version, index }) => self.frame(version, index).await,
            Ok(Route::Sound { version }) => self.sound(version).await,
            Ok(Route::Render) => self.render().await,
        }
    }

    async fn frame(&self, version: u64, index: u32) -> Answer {
        let state = self.shared.current();
        let Stage::Ready(ready) = &state.stage else { return outdated() };
        if state.version != version {
            return outdated();
        }
        if index >= ready.count {
            return text(StatusCode::NOT_FOUND, "no such frame");
        }
        let (sender, receiver) = oneshot::channel();
        let request = FrameRequest { index: ready.first + index, answer: sender };
        if ready.frames.send(request).await.is_err() {
            return outdated();
        }
        match receiver.await {
            Ok(Ok(png)) => answer("image/png", png),
            Ok(Err(error)) => {
                let error = Error::from(error);
                let told = json!({ "code": error.code().name(), "message": error.chain() });
                json_answer(StatusCode::UNPROCESSABLE_ENTITY, &told)
            }
            Err(_the_engine_goes_on) => outdated(),
        }
    }

    async fn sound(&self, version: u64) -> Answer {
        let state = self.shared.current();
        match &state.stage {
            Stage::Ready(ready) if state.version == version => match &ready.sound {
                Some(file) => match tokio::fs::read(file).await {
                    Ok(bytes) => answer("audio/flac", bytes),
                    Err(_it_is_gone) => outdated(),
                },
                None => text(StatusCode::NOT_FOUND, "no sound"),
            },
            _ => outdated(),
        }
    }

    async fn render(&self) -> Answer {
        let (sender, receiver) = oneshot::channel();
        if self.jobs.try_send(RenderJob { answer: sender }).is_err() {
            return json_answer(StatusCode::CONFLICT, &json!({ "message": "a render is waiting" }));
        }
        match receiver.await {
            Ok(Ok(output)) => json_answer(StatusCode::OK, &json!({ "output": output })),
            Ok(Err(message)) => {
                json_answer(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "message": message }))
            }
            Err(_gone) => outdated(),
        }
    }
}

fn answer(kind: &'static str, bytes: Vec<u8>) -> Answer {
    Response::builder()
        .header(CONTENT_TYPE, kind)
        .header(CACHE_CONTROL, "no-store")
        .header(CONTENT_SECURITY_POLICY, POLICY)
        .header("x-content-type-options", "nosniff")
        .header("referrer-policy", "no-referrer")
        .body(Full::new(Bytes::from(bytes)))
        .expect("the headers are well-formed")
}

fn json_answer(status: StatusCode, value: &Value) -> Answer {
    let mut made = answer("application/json", value.to_string().into_bytes());
    *made.status_mut() = status;
    made
}

fn text(status: StatusCode, text: &str) -> Answer {
    let mut made = answer("text/plain; charset=utf-8", text.as_bytes().to_vec());
    *made.status_mut() = status;
    made
}

/// The project is another one by now: the page hears of it.
fn outdated() -> Answer {
    text(StatusCode::GONE, "the project has changed")
}
