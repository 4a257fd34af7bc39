//! Step Functions on loopback, as far as a script goes: executions that get on with every look at them.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub(crate) const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:framewright";

/// Events in a page, to make many of them.
const PAGE: usize = 5;

/// When every execution starts, in seconds since 1970.
const START: i64 = 1_790_000_000;

/// How an execution goes on: what each look at it adds to its history, and how it ends after the last one.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) looks: Vec<Vec<Value>>,
    /// Status, error and cause; without them it never ends.
    pub(crate) end: Option<(&'static str, &'static str, String)>,
}

#[derive(Debug, Clone)]
struct Execution {
    arn: String,
    input: String,
    script: Script,
    looks: usize,
    is_stopped: bool,
}

#[derive(Debug, Default)]
struct State {
    script: Option<Script>,
    executions: Vec<Execution>,
    /// Every request: its action and body.
    requests: Vec<(String, Value)>,
    faults: Vec<Fault>,
    /// Requests for these never get an answer.
    held: Vec<&'static str>,
    /// The next request for these is done, and its answer lost.
    lost: Vec<&'static str>,
}

/// How often an action is refused, after how many requests for it, with which status and code.
#[derive(Debug)]
struct Fault {
    action: &'static str,
    after: u32,
    times: u32,
    status: u16,
    code: &'static str,
}

/// A running server. Dropping it ends it.
pub(crate) struct StepFunctions {
    pub(crate) endpoint: String,
    state: Arc<Mutex<State>>,
    _runtime: Runtime,
}

impl StepFunctions {
    /// A server whose executions go as `script` says.
    pub(crate) fn start(script: Script) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { script: Some(script), ..State::default() }));
        runtime.spawn(accept(listener, Arc::clone(&state)));
        Self { endpoint, state, _runtime: runtime }
    }

    pub(crate) fn fail(&self, action: &'static str, times: u32, status: u16, code: &'static str) {
        self.fail_later(0, action, times, status, code);
    }

    pub(crate) fn fail_later(
        &self,
        after: u32,
        action: &'static str,
        times: u32,
        status: u16,
        code: &'static str,
    ) {
        self.state.lock().unwrap().faults.push(Fault { action, after, times, status, code });
    }

    /// Never answers requests for `action`.
    pub(crate) fn hold(&self, action: &'static str) {
        self.state.lock().unwrap().held.push(action);
    }

    pub(crate) fn holds(&self, action: &str) -> bool {
        self.state.lock().unwrap().held.contains(&action)
    }

    /// Does what the next request for `action` asks for, and loses the answer.
    pub(crate) fn lose(&self, action: &'static str) {
        self.state.lock().unwrap().lost.push(action);
    }

    /// The bodies of the requests for `action` so far.
    pub(crate) fn requests(&self, action: &str) -> Vec<Value> {
        let state = self.state.lock().unwrap();
        let of_action = state.requests.iter().filter(|(found, _)| found == action);
        of_action.map(|(_, body)| body.clone()).collect()
    }

    pub(crate) fn all_requests(&self) -> usize {
        self.state.lock().unwrap().requests.len()
    }
}

/// An event as Step Functions writes it, so many seconds after the start.
pub(crate) fn event(id: i64, previous: i64, seconds: i64, kind: &str, details: Value) -> Value {
    let mut event = json!({
        "id": id, "previousEventId": previous, "timestamp": START + seconds, "type": kind,
    });
    let field = match kind {
        kind if kind.ends_with("StateEntered") => "stateEnteredEventDetails".to_owned(),
        kind if kind.ends_with("StateExited") => "stateExitedEventDetails".to_owned(),
        kind => format!("{}{}EventDetails", kind[..1].to_lowercase(), &kind[1..]),
    };
    if !details.is_null() {
        event[field] = details;
    }
    event
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let answer = service_fn(move |request: Request<Incoming>| {
                let state = Arc::clone(&state);
                async move { Ok::<_, Infallible>(respond(request, &state).await) }
            });
            let server = auto::Builder::new(TokioExecutor::new());
            let _closed = server.serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn respond(request: Request<Incoming>, state: &Mutex<State>) -> Response<Full<Bytes>> {
    let target = request.headers()["x-amz-target"].to_str().unwrap().to_owned();
    let action = target.strip_prefix("AWSStepFunctions.").unwrap().to_owned();
    assert_eq!(request.headers()["content-type"], "application/x-amz-json-1.0");
    assert!(request.headers().contains_key("authorization"), "{action} is not signed");
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let (is_held, (status, answer)) = {
        let mut state = state.lock().unwrap();
        (state.held.contains(&action.as_str()), state.answer(&action, &body))
    };
    if is_held {
        std::future::pending::<()>().await;
    }
    Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.0")
        .body(Full::new(Bytes::from(answer.to_string())))
        .unwrap()
}

fn refusal(code: &str) -> (u16, Value) {
    (400, json!({"__type": code, "message": "as the test asked"}))
}

impl State {
    fn answer(&mut self, action: &str, body: &Value) -> (u16, Value) {
        self.requests.push((action.to_owned(), body.clone()));
        let mut faults = self.faults.iter_mut();
        if let Some(fault) = faults.find(|fault| fault.action == action && fault.times > 0) {
            if fault.after == 0 {
                fault.times -= 1;
                return (fault.status, refusal(fault.code).1);
            }
            fault.after -= 1;
        }
        if let Some(lost) = self.lost.iter().position(|lost| *lost == action) {
            self.lost.remove(lost);
            self.answer(action, body);
            return (503, refusal("ServiceUnavailable").1);
        }
        if action == "StartExecution" {
            return self.start(body);
        }
        if action == "ListExecutions" {
            return self.list(body);
        }
        let arn = body["executionArn"].as_str().unwrap();
        let Some(execution) = self.executions.iter_mut().find(|known| known.arn == arn) else {
            return refusal("ExecutionDoesNotExist");
        };
        match action {
            "DescribeExecution" => (200, execution.describe()),
            "GetExecutionHistory" => execution.history(body),
            "StopExecution" => {
                execution.is_stopped = true;
                (200, json!({"stopDate": START}))
            }
            other => panic!("nobody should ask for {other}"),
        }
    }

    /// The newest first, two in a page.
    fn list(&self, body: &Value) -> (u16, Value) {
        assert_eq!(body["stateMachineArn"], MACHINE);
        let described = self.executions.iter().rev().map(|one| {
            let mut found = one.clone().describe();
            found.as_object_mut().unwrap().remove("input");
            if one.is_stopped {
                found["status"] = "ABORTED".into();
            }
            found
        });
        let of_status =
            |one: &Value| body["statusFilter"].is_null() || one["status"] == body["statusFilter"];
        let found: Vec<_> = described.filter(of_status).collect();
        let from = body["nextToken"].as_str().map_or(0, |token| token.parse::<usize>().unwrap());
        let end = found.len().min(from + 2);
        let mut answer = json!({"executions": found[from..end]});
        if end < found.len() {
            answer["nextToken"] = end.to_string().into();
        }
        (200, answer)
    }

    fn start(&mut self, body: &Value) -> (u16, Value) {
        assert_eq!(body["stateMachineArn"], MACHINE);
        let name = body["name"].as_str().unwrap();
        let arn = format!("{}:{name}", MACHINE.replace("stateMachine", "execution"));
        if self.executions.iter().any(|known| known.arn == arn) {
            return refusal("ExecutionAlreadyExists");
        }
        self.executions.push(Execution {
            arn: arn.clone(),
            input: body["input"].as_str().unwrap().to_owned(),
            script: self.script.clone().unwrap(),
            looks: 0,
            is_stopped: false,
        });
        (200, json!({"executionArn": arn, "startDate": START}))
    }
}

impl Execution {
    fn describe(&mut self) -> Value {
        self.looks += 1;
        let mut answer = json!({
            "executionArn": self.arn, "stateMachineArn": MACHINE, "name": self.arn.rsplit(':').next(),
            "status": "RUNNING", "startDate": START, "input": self.input,
        });
        let is_over = self.looks >= self.script.looks.len();
        if let Some((status, error, cause)) = self.script.end.as_ref().filter(|_| is_over) {
            let seconds = self.events().last().unwrap()["timestamp"].clone();
            answer["status"] = (*status).into();
            answer["stopDate"] = seconds;
            if *status != "SUCCEEDED" {
                answer["error"] = (*error).into();
                answer["cause"] = cause.clone().into();
            }
        }
        answer
    }

    fn events(&self) -> Vec<Value> {
        let seen = self.looks.min(self.script.looks.len());
        self.script.looks[..seen].concat()
    }

    fn history(&self, body: &Value) -> (u16, Value) {
        assert_eq!(body["includeExecutionData"], true);
        let page = match body["nextToken"].as_str() {
            None => 0,
            Some(token) => token.strip_prefix("page ").unwrap().parse().unwrap(),
        };
        let events = self.events();
        let end = events.len().min((page + 1) * PAGE);
        let mut answer = json!({"events": events[page * PAGE..end]});
        if end < events.len() {
            answer["nextToken"] = format!("page {}", page + 1).into();
        }
        (200, answer)
    }
}
