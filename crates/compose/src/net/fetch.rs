//! A file fetched over HTTPS: every hop of the way is checked, and the connection goes to the address that was checked.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body, http};
use url::Url;

use crate::error::Error;
use crate::hash::hex;
use crate::net::guard::{Guarded, NotPublic};
use crate::net::{Authorities, Limits, Net, Reach};

const MAX_REDIRECTS: usize = 5;
/// Downloads that run at the same time.
const PARALLEL: usize = 6;
/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Servers of stylesheets answer by what the asker can read: to a desktop Chrome, with WOFF2.
const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/153.0.0.0 Safari/537.36";

/// A file that arrived in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Download {
    pub(crate) file: PathBuf,
    pub(crate) sha256: String,
    /// What the server calls it, without parameters.
    pub(crate) content_type: String,
    /// Where it came from in the end.
    pub(crate) url: Url,
}

/// Why a file did not arrive.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It will not come, however often it is asked for.
    Refused(String),
    /// It may come another time.
    Unavailable(String),
    /// This machine could not keep it.
    Local(Error),
}

/// What to fetch, and how many bytes at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) url: Url,
    pub(crate) most: u64,
}

/// Fetches within one plan's limits.
#[derive(Debug)]
pub(crate) struct Fetcher {
    agent: Agent,
    reach: Reach,
    limits: Limits,
    deadline: Instant,
    /// Where files go, under a number each.
    dir: PathBuf,
    next: AtomicUsize,
}

impl Fetcher {
    /// `dir` is made when the first file arrives; the time for the whole starts now.
    pub(crate) fn new(net: &Net, limits: Limits, dir: &Path) -> Self {
        let roots = match &net.authorities {
            Authorities::Public => RootCerts::WebPki,
            Authorities::Only(certificates) => {
                let owned = certificates.iter().map(|der| Certificate::from_der(der).to_owned());
                RootCerts::Specific(Arc::new(owned.collect()))
            }
        };
        let config = Agent::config_builder()
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A proxy of the environment would look up hosts itself, unguarded.
            .proxy(None)
            .user_agent(USER_AGENT)
            .accept_encoding("identity")
            .timeout_connect(Some(CONNECT))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .build();
        let guarded = Guarded::of(net);
        Self {
            agent: Agent::with_parts(config, DefaultConnector::default(), guarded),
            reach: net.reach,
            limits,
            deadline: net
                .until
                .into_iter()
                .chain([Instant::now() + limits.whole])
                .min()
                .expect("the limit is one"),
            dir: dir.to_owned(),
            next: AtomicUsize::new(0),
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Fetches several files at a time and answers in the order of asking.
    pub(crate) fn fetch_all(&self, wanted: &[Request]) -> Vec<Result<Download, Failure>> {
        let next = AtomicUsize::new(0);
        let results = Mutex::new(wanted.iter().map(|_| None).collect::<Vec<_>>());
        thread::scope(|scope| {
            for _ in 0..PARALLEL.min(wanted.len()) {
                scope.spawn(|| {
                    while let Some((index, one)) = {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        wanted.get(index).map(|one| (index, one))
                    } {
                        let result = self.fetch(one);
                        results.lock().expect("nothing panics while holding it")[index] =
                            Some(result);
                    }
                });
            }
        });
        let results = results.into_inner().expect("nothing panics while holding it");
        results.into_iter().map(|result| result.expect("each was fetched")).collect()
    }

    /// Fetches one file, again where that can help.
    pub(crate) fn fetch(&self, wanted: &Request) -> Result<Download, Failure> {
        if self.reach == Reach::Nothing {
            return refused("this worker has no network: put the file into the project");
        }
        let mut pause = self.limits.pause;
        for _ in 1..self.limits.tries {
            match self.attempt(wanted) {
                Err(Failure::Unavailable(reason)) => {
                    tracing::debug!(url = shown(&wanted.url), reason, "will be asked for again");
                }
                result => return result,
            }
            // There is no event to wait for: the other side is to get time.
            thread::sleep(pause.min(self.left()));
            pause *= 2;
        }
        self.attempt(wanted)
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn attempt(&self, wanted: &Request) -> Result<Download, Failure> {
        let started = Instant::now();
        let mut url = wanted.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            check(&url)?;
            let left = self.left().min(self.limits.request.saturating_sub(started.elapsed()));
            if left.is_zero() {
                return unavailable("there is no time left for it");
            }
            let request = self.agent.get(url.as_str()).config().timeout_global(Some(left)).build();
            let response = request.call().map_err(|error| failure(&error))?;
            match response.status().as_u16() {
                200 => return self.keep(response, url, wanted.most),
                301 | 302 | 303 | 307 | 308 => url = redirected(&url, &response)?,
                status @ (408 | 425 | 429 | 500..) => {
                    return unavailable(format!("its server answers with status {status}"));
                }
                status => return refused(format!("its server answers with status {status}")),
            }
        }
        refused(format!("it is redirected more than {MAX_REDIRECTS} times"))
    }

    fn keep(
        &self,
        response: http::Response<Body>,
        url: Url,
        most: u64,
    ) -> Result<Download, Failure> {
        let header =
            |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        if header("content-encoding").is_some_and(|coding| !coding.eq_ignore_ascii_case("identity"))
        {
            return refused("its server compresses it although it was asked not to");
        }
        let announced: Option<u64> = header("content-length").and_then(|text| text.parse().ok());
        let most = most.min(self.limits.bytes);
        let too_large = || refused(format!("it is larger than {most} bytes"));
        if announced.is_some_and(|bytes| bytes > most) {
            return too_large();
        }
        let content_type = header("content-type").unwrap_or_default();
        let content_type =
            content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();

        std::fs::create_dir_all(&self.dir).map_err(local("make", &self.dir))?;
        let path = self.dir.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        let mut file = File::create(&path).map_err(local("make", &path))?;
        let mut body = response.into_body().into_reader();
        let (mut hasher, mut arrived, mut buffer) = (Sha256::new(), 0_u64, vec![0; 1 << 16]);
        loop {
            let n = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) => return unavailable(format!("it was cut off: {error}")),
            };
            arrived += u64::try_from(n).expect("a buffer's length fits");
            if arrived > most {
                return too_large();
            }
            hasher.update(&buffer[..n]);
            file.write_all(&buffer[..n]).map_err(local("write", &path))?;
        }
        if announced.is_some_and(|bytes| bytes != arrived) {
            return unavailable(format!("it was cut off after {arrived} bytes"));
        }
        let sha256 = hex(hasher.finalize().as_ref());
        Ok(Download { file: path, sha256, content_type, url })
    }
}

/// A URL as it may be printed: without its query, which can hold secrets, and of a length that fits into a sentence.
pub(crate) fn shown(url: &Url) -> String {
    let text = format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path());
    let end = text.floor_char_boundary(160);
    if end < text.len() { format!("{}…", &text[..end]) } else { text }
}

/// What must hold of each URL on the way.
fn check(url: &Url) -> Result<(), Failure> {
    if url.scheme() != "https" {
        return refused(format!("{} is not HTTPS", shown(url)));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refused("its address has a user name in it");
    }
    Ok(())
}

fn redirected(from: &Url, response: &http::Response<Body>) -> Result<Url, Failure> {
    let location = response.headers().get("location").and_then(|value| value.to_str().ok());
    match location.map(|location| from.join(location)) {
        Some(Ok(url)) => Ok(url),
        _ => refused("it is redirected to nowhere"),
    }
}

/// Whether asking again can help.
fn failure(error: &ureq::Error) -> Failure {
    match error {
        ureq::Error::Other(inner) if inner.is::<NotPublic>() => Failure::Refused(inner.to_string()),
        // What TLS makes of a certificate that is not believed.
        ureq::Error::Rustls(inner) => Failure::Refused(inner.to_string()),
        ureq::Error::Io(inner) if inner.kind() == io::ErrorKind::InvalidData => {
            Failure::Refused(inner.to_string())
        }
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => Failure::Refused(error.to_string()),
        _ => Failure::Unavailable(error.to_string()),
    }
}

fn refused<T>(reason: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Refused(reason.into()))
}

fn unavailable<T>(reason: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Unavailable(reason.into()))
}

fn local(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let to_error = Error::io(action, path);
    |source| Failure::Local(to_error(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_printed_without_what_may_be_secret() {
        let url = Url::parse("https://user:pw@cdn.example:8443/a/b.js?token=1#x").unwrap();
        assert_eq!(shown(&url), "https://cdn.example/a/b.js");
        let long = Url::parse(&format!("https://cdn.example/{}", "é".repeat(300))).unwrap();
        assert!(shown(&long).ends_with('…') && shown(&long).len() < 170);
    }

    #[test]
    fn only_https_without_a_user_is_asked_for() {
        for (url, sentence) in [
            ("http://cdn.example/a.js", "is not HTTPS"),
            ("ftp://cdn.example/a.js", "is not HTTPS"),
            ("https://user@cdn.example/a.js", "user name"),
            ("https://:pw@cdn.example/a.js", "user name"),
        ] {
            match check(&Url::parse(url).unwrap()) {
                Err(Failure::Refused(reason)) => assert!(reason.contains(sentence), "{reason}"),
                other => panic!("{url}: {other:?}"),
            }
        }
        assert!(check(&Url::parse("https://cdn.example/a.js").unwrap()).is_ok());
    }

    #[test]
    fn without_a_network_nothing_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let net = Net::offline();
        let wanted = Request { url: Url::parse("https://cdn.example/a.js").unwrap(), most: 1 };
        let result = Fetcher::new(&net, net.assets, dir.path()).fetch(&wanted);
        assert!(matches!(result, Err(Failure::Refused(reason)) if reason.contains("no network")));
    }
}
