//! A real S3 server on loopback, with signatures and checksums, that can be told to misbehave.

use std::convert::Infallible;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{FutureExt, StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub(crate) const BUCKET: &str = "render-bucket";
pub(crate) const KEY: &str = "AKIDTEST";
pub(crate) const SECRET: &str = "secret-of-the-test";

type Body = UnsyncBoxBody<Bytes, s3s::StdError>;

/// A fault that is injected into a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// An error as S3 writes it.
    Status(u16, &'static str),
    /// The body breaks off after so many bytes.
    CutAfter(usize),
    /// The body stops coming after so many bytes, and the connection stays open.
    StallAfter(usize),
    /// Another body of the same length.
    Garbled,
    /// Nothing of the request's body is taken for so long; then all goes as usual.
    TakenAfter(Duration),
}

#[derive(Debug, Clone)]
struct Fault {
    method: Method,
    part_of_key: String,
    times: u32,
    kind: FaultKind,
}

#[derive(Debug, Default)]
struct State {
    faults: Mutex<Vec<Fault>>,
    requests: Mutex<Vec<String>>,
    owners: Mutex<Vec<String>>,
    /// Paths of objects that came with a tag, and the tag.
    tagged: Mutex<Vec<(String, String)>>,
}

/// A running server. Dropping it ends it.
pub(crate) struct S3 {
    pub(crate) endpoint: String,
    dir: TempDir,
    state: Arc<State>,
    _runtime: Runtime,
}

impl S3 {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(dir.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = builder.build();
        let state = Arc::new(State::default());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(accept(listener, service, Arc::clone(&state)));
        Self { endpoint, dir, state, _runtime: runtime }
    }

    /// The file that holds an object.
    pub(crate) fn object(&self, key: &str) -> PathBuf {
        self.dir.path().join(BUCKET).join(key)
    }

    /// Puts a file under `key` without asking the server.
    pub(crate) fn put(&self, key: &str, content: &[u8]) {
        let path = self.object(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Makes the writer of every object have said this digest of it, or none.
    pub(crate) fn relabel(&self, sha256: Option<&str>) {
        for entry in fs::read_dir(self.dir.path()).unwrap() {
            let path = entry.unwrap().path();
            if !path.to_str().unwrap().ends_with(".metadata.json") {
                continue;
            }
            let mut said: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let labels = said["user_metadata"].as_object_mut().unwrap();
            labels.remove("sha256");
            labels.extend(sha256.map(|sha256| ("sha256".to_owned(), sha256.into())));
            fs::write(path, said.to_string()).unwrap();
        }
    }

    /// The keys of all objects.
    pub(crate) fn keys(&self) -> Vec<String> {
        let root = self.dir.path().join(BUCKET);
        let mut found = Vec::new();
        let mut todo = vec![root.clone()];
        while let Some(dir) = todo.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    todo.push(path);
                } else {
                    found.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        found
    }

    /// Makes the next `times` requests of `method` whose path contains `part_of_key` fail.
    pub(crate) fn fail(&self, method: Method, part_of_key: &str, times: u32, kind: FaultKind) {
        let part_of_key = part_of_key.to_owned();
        self.state.faults.lock().unwrap().push(Fault { method, part_of_key, times, kind });
    }

    pub(crate) fn stop_failing(&self) {
        self.state.faults.lock().unwrap().clear();
    }

    /// Every request so far, as `METHOD path?query`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.requests.lock().unwrap().clone()
    }

    /// The account that each request so far expects the bucket to belong to, where it says one.
    pub(crate) fn owners(&self) -> Vec<String> {
        self.state.owners.lock().unwrap().clone()
    }

    /// The paths of the objects that came with this tag.
    pub(crate) fn tagged(&self, tag: &str) -> Vec<String> {
        let tagged = self.state.tagged.lock().unwrap();
        tagged.iter().filter(|(_, found)| found == tag).map(|(path, _)| path.clone()).collect()
    }

    /// What connects to this server.
    pub(crate) fn env(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL_S3", self.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
        ]
    }
}

impl State {
    fn kind(&self, request: &Request<Incoming>) -> Option<FaultKind> {
        self.requests.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
        if let Some(tag) = request.headers().get("x-amz-tagging") {
            let (path, tag) = (request.uri().path().to_owned(), tag.to_str().unwrap().to_owned());
            self.tagged.lock().unwrap().push((path, tag));
        }
        if let Some(owner) = request.headers().get("x-amz-expected-bucket-owner") {
            self.owners.lock().unwrap().push(owner.to_str().unwrap().to_owned());
        }
        let mut faults = self.faults.lock().unwrap();
        let fault = faults.iter_mut().find(|fault| {
            fault.times > 0
                && fault.method == request.method()
                && request.uri().path().contains(&fault.part_of_key)
        })?;
        fault.times -= 1;
        Some(fault.kind)
    }
}

async fn accept(listener: TcpListener, service: S3Service, state: Arc<State>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let (service, state) = (service.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let (service, state) = (service.clone(), Arc::clone(&state));
                async move { Ok::<_, Infallible>(answer(request, service, state).await) }.boxed()
            });
            let server = auto::Builder::new(TokioExecutor::new());
            let _closed = server.serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    service: S3Service,
    state: Arc<State>,
) -> Response<Body> {
    let kind = state.kind(&request);
    if let Some(FaultKind::Status(status, code)) = kind {
        let xml = format!(
            "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as the test asked</Message></Error>"
        );
        let body = full(xml.into_bytes());
        return Response::builder()
            .status(status)
            .header("content-type", "application/xml")
            .body(body)
            .unwrap();
    }
    if let Some(FaultKind::TakenAfter(wait)) = kind {
        tokio::time::sleep(wait).await;
    }
    let response = service.call(request.map(s3s::Body::from)).await.unwrap();
    let (head, body) = response.into_parts();
    let body = match kind {
        None | Some(FaultKind::Status(..) | FaultKind::TakenAfter(_)) => body.boxed_unsync(),
        Some(FaultKind::CutAfter(bytes)) => {
            let broken = stream::iter([Err("cut".into())]);
            beginning(body, bytes, broken.boxed()).await
        }
        Some(FaultKind::StallAfter(bytes)) => {
            beginning(body, bytes, stream::pending().boxed()).await
        }
        Some(FaultKind::Garbled) => {
            let mut whole = BodyExt::collect(body).await.unwrap().to_bytes().to_vec();
            for byte in &mut whole {
                *byte ^= 0x55;
            }
            full(whole)
        }
    };
    Response::from_parts(head, body)
}

fn full(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync()
}

/// The first `bytes` bytes of `body`, then what `end` does.
async fn beginning(
    body: s3s::Body,
    bytes: usize,
    end: stream::BoxStream<'static, Result<Frame<Bytes>, s3s::StdError>>,
) -> Body {
    let whole = BodyExt::collect(body).await.unwrap().to_bytes();
    let start = whole.slice(..bytes.min(whole.len()));
    let first = stream::iter([Ok(Frame::data(start))]);
    // What was sent must be on its way before the connection breaks.
    let pause = stream::once(async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(Frame::data(Bytes::new()))
    });
    StreamBody::new(first.chain(pause).chain(end)).boxed_unsync()
}
