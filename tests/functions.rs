//! Lambda's Invoke API over real sandboxes: as many as the function may run at once, each with the emulator and `bootstrap` in it.

use std::convert::Infallible;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::emulator::Sandbox;

/// A fault that is injected into an invocation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FaultKind {
    /// The function runs as often as it may already.
    Throttled,
    /// Its process is killed while it draws.
    Killed,
    /// Its process is stopped (SIGSTOP) while it draws, until the time limit.
    Frozen,
    /// It gets another event.
    Event(fn(&mut Value)),
    /// Its answer is changed.
    Answer(fn(&mut Value)),
}

#[derive(Debug)]
struct Fault {
    action: &'static str,
    chunk: Option<u64>,
    times: u32,
    kind: FaultKind,
}

/// One invocation that was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    pub(crate) render: String,
    pub(crate) action: String,
    pub(crate) chunk: Option<u64>,
    pub(crate) attempt: u64,
    /// `ok`, or the type of its error.
    pub(crate) outcome: String,
}

type Start = Box<dyn Fn() -> Sandbox + Send + Sync>;

struct State {
    start: Start,
    free: Mutex<Vec<Sandbox>>,
    most: usize,
    /// The most that ran at the same time.
    peak: Mutex<usize>,
    faults: Mutex<Vec<Fault>>,
    tried: Mutex<Vec<Invocation>>,
    /// What each invocation has answered, for executions that are taken up again.
    answered: Mutex<Vec<(Invocation, Value)>>,
}

/// What the name of an execution ends with that takes up another one.
pub(crate) const REDRIVEN: &str = "-redriven";

/// A function that may run `most` times at once. Dropping it ends it.
pub(crate) struct Function {
    pub(crate) endpoint: String,
    state: Arc<State>,
    _runtime: Runtime,
}

impl Function {
    pub(crate) fn start(most: usize, start: impl Fn() -> Sandbox + Send + Sync + 'static) -> Self {
        let free = (0..most).map(|_| start()).collect();
        let state = Arc::new(State {
            start: Box::new(start),
            free: Mutex::new(free),
            most,
            peak: Mutex::default(),
            faults: Mutex::default(),
            tried: Mutex::default(),
            answered: Mutex::default(),
        });
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::clone(&state);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                let service = service_fn(move |request| serve(Arc::clone(&state), request));
                tokio::spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let _hung_up = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { endpoint, state, _runtime: runtime }
    }

    /// Injects `kind` into the next `times` invocations of an action, or of one chunk.
    pub(crate) fn fail(
        &self,
        action: &'static str,
        chunk: Option<u64>,
        times: u32,
        kind: FaultKind,
    ) {
        self.state.faults.lock().unwrap().push(Fault { action, chunk, times, kind });
    }

    /// What a render asked for, in the order in which it ended.
    pub(crate) fn tried(&self, render: &str) -> Vec<Invocation> {
        let tried = self.state.tried.lock().unwrap();
        tried.iter().filter(|one| one.render == render).cloned().collect()
    }

    /// Waits for invocations that an execution has left behind when it failed.
    pub(crate) fn wait_until_idle(&self) {
        for _ in 0..600 {
            if self.state.free.lock().unwrap().len() == self.state.most {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("the function is busy after a minute");
    }

    pub(crate) fn peak(&self) -> usize {
        *self.state.peak.lock().unwrap()
    }
}

async fn serve(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    assert!(request.uri().path().ends_with("/invocations"), "{}", request.uri());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let event: Value = serde_json::from_slice(&body).unwrap();
    let invoking = tokio::task::spawn_blocking(move || state.invoke(event));
    let (status, error, answer) = invoking.await.unwrap();
    let mut response = Response::builder().status(status).header("x-amzn-RequestId", "test");
    if status == 429 {
        response = response.header("x-amzn-ErrorType", "TooManyRequestsException");
    } else if error {
        response = response.header("X-Amz-Function-Error", "Unhandled");
    }
    Ok(response.body(Full::from(answer.to_string())).unwrap())
}

impl State {
    /// The status, whether the function failed, and its answer.
    fn invoke(&self, mut event: Value) -> (u16, bool, Value) {
        let action = event["Action"].as_str().unwrap().to_owned();
        let (chunk, attempt) = (event["ChunkIndex"].as_u64(), event["Attempt"].as_u64().unwrap());
        let mut render = event["RenderId"].as_str().unwrap().to_owned();
        if let Some(first) = render.strip_suffix(REDRIVEN).map(str::to_owned) {
            event["RenderId"] = first.as_str().into();
            render = first;
            // A redrive keeps what has succeeded: no invocation is made for it.
            let answered = self.answered.lock().unwrap();
            let is_this = |one: &Invocation| {
                (&one.render, &one.action, one.chunk) == (&render, &action, chunk)
            };
            if let Some((_, answer)) = answered.iter().find(|(one, _)| is_this(one)) {
                return (200, false, answer.clone());
            }
        }
        let tried = |outcome: &str| {
            let (render, action, outcome) = (render.clone(), action.clone(), outcome.to_owned());
            let one = Invocation { render, action, chunk, attempt, outcome };
            self.tried.lock().unwrap().push(one.clone());
            one
        };
        let kind = self.kind(&action, chunk);
        let sandbox = match kind {
            Some(FaultKind::Throttled) => None,
            _ => self.take(),
        };
        let Some(sandbox) = sandbox else {
            tried("Lambda.TooManyRequestsException");
            let answer = json!({"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "message": "Rate Exceeded."});
            return (429, false, answer);
        };
        if let Some(FaultKind::Event(change)) = kind {
            change(&mut event);
        }
        let answer = thread::scope(|scope| {
            let signal = match kind {
                Some(FaultKind::Killed) => Some("-KILL"),
                Some(FaultKind::Frozen) => Some("-STOP"),
                _ => None,
            };
            if let Some(signal) = signal {
                let sandbox = &sandbox;
                scope.spawn(move || {
                    sandbox.wait_for("chromium");
                    let id = sandbox.wait_for("bootstrap")[0].to_string();
                    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
                });
            }
            sandbox.invoke_text(&event.to_string())
        });
        let (is_error, mut answer) = as_lambda_says(&answer);
        if let Some(FaultKind::Answer(change)) = kind {
            change(&mut answer);
        }
        // What was killed or froze is no sandbox any more.
        let is_broken = matches!(kind, Some(FaultKind::Killed | FaultKind::Frozen));
        let sandbox = if is_broken {
            drop(sandbox);
            (self.start)()
        } else {
            sandbox
        };
        let one = tried(if is_error { answer["errorType"].as_str().unwrap() } else { "ok" });
        if !is_error {
            self.answered.lock().unwrap().push((one, answer.clone()));
        }
        self.free.lock().unwrap().push(sandbox);
        (200, is_error, answer)
    }

    fn kind(&self, action: &str, chunk: Option<u64>) -> Option<FaultKind> {
        let mut faults = self.faults.lock().unwrap();
        let hit = faults.iter_mut().find(|fault| {
            fault.times > 0
                && fault.action == action
                && (fault.chunk.is_none() || fault.chunk == chunk)
        })?;
        hit.times -= 1;
        Some(hit.kind)
    }

    fn take(&self) -> Option<Sandbox> {
        let mut free = self.free.lock().unwrap();
        let sandbox = free.pop()?;
        let mut peak = self.peak.lock().unwrap();
        *peak = (*peak).max(self.most - free.len());
        Some(sandbox)
    }
}

/// What the emulator answers, as Lambda would: it words a timeout differently and sends no header for an error.
fn as_lambda_says(answer: &str) -> (bool, Value) {
    if answer.starts_with("Task timed out after") {
        return (true, json!({"errorType": "Sandbox.Timedout", "errorMessage": answer}));
    }
    let answer = serde_json::from_str(answer)
        .unwrap_or_else(|_| json!({"errorType": "Runtime.ExitError", "errorMessage": answer}));
    (answer.get("errorType").is_some(), answer)
}
