//! The DevTools protocol over a pair of descriptors that Chrome inherits: there is no port to which another process could connect.
//!
//! Messages are JSON, each ended by a zero byte. Chrome tells of events before it answers the command that caused them, and
//! listeners get them in that order.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use chromiumoxide_types::{CallId, Command, MethodCall, MethodType};
use futures::Stream;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};

use crate::browser::AbortOnDrop;

/// How long Chrome may take to answer one command.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// A screenshot arrives in pieces of this size.
const BUFFER: usize = 256 << 10;

/// What Chrome tells a session of a page whose process has died.
const CRASHED: &str = "Inspector.targetCrashed";

/// Why a command has no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// Chrome does not do it, and says why.
    Refused(String),
    /// Nothing came in time.
    Silent,
    /// Chrome or its page is gone.
    Closed(&'static str),
    /// It is not what the protocol promises.
    Unreadable(serde_json::Error),
}

/// The connection to one Chrome. Dropping it closes the pair, which asks Chrome to end.
#[derive(Debug)]
pub(super) struct Connection {
    shared: Arc<Shared>,
    _reader: AbortOnDrop,
    _writer: AbortOnDrop,
}

/// The way to one page, or to the whole browser.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    shared: Arc<Shared>,
    session: Option<String>,
}

#[derive(Debug)]
struct Shared {
    calls: mpsc::UnboundedSender<Vec<u8>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    calls: usize,
    waiting: HashMap<usize, oneshot::Sender<Answer>>,
    listeners: Vec<Listener>,
    /// Why nothing is answered any more.
    closed: Option<&'static str>,
}

type Answer = Result<Value, Unanswered>;

#[derive(Debug)]
struct Listener {
    method: String,
    session: Option<String>,
    events: mpsc::UnboundedSender<Value>,
}

#[derive(Debug, Deserialize)]
struct Message {
    id: Option<usize>,
    #[serde(rename = "sessionId")]
    session: Option<String>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
    #[serde(default)]
    result: Value,
    error: Option<chromiumoxide_types::Error>,
}

impl Connection {
    pub(super) fn open(stream: UnixStream) -> Self {
        let (from_chrome, to_chrome) = stream.into_split();
        let (calls, queue) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { calls, state: Mutex::default() });
        Self {
            _reader: AbortOnDrop(tokio::spawn(read(from_chrome, Arc::clone(&shared)))),
            _writer: AbortOnDrop(tokio::spawn(write(to_chrome, queue))),
            shared,
        }
    }

    /// The way to the browser itself.
    pub(super) fn browser(&self) -> Caller {
        Caller { shared: Arc::clone(&self.shared), session: None }
    }

    /// The way to what Chrome has opened as `session`.
    pub(super) fn session(&self, session: impl Into<String>) -> Caller {
        Caller { shared: Arc::clone(&self.shared), session: Some(session.into()) }
    }
}

impl Caller {
    /// Sends a command and waits for its answer.
    pub(super) async fn call<C: Command>(&self, command: C) -> Result<C::Response, Unanswered> {
        let (answer, answered) = oneshot::channel();
        let id = self.shared.expect_answer(answer)?;
        let call = MethodCall {
            id: CallId::new(id),
            method: command.identifier(),
            session_id: self.session.clone(),
            params: serde_json::to_value(command).map_err(Unanswered::Unreadable)?,
        };
        let mut message = serde_json::to_vec(&call).map_err(Unanswered::Unreadable)?;
        message.push(0);
        // Whoever cannot send any more has been told why by the reader.
        let _closed = self.shared.calls.send(message);
        let answer = tokio::time::timeout(ANSWER_LIMIT, answered).await;
        let Ok(answer) = answer else {
            self.shared.lock().waiting.remove(&id);
            return Err(Unanswered::Silent);
        };
        let value = answer.unwrap_or(Err(Unanswered::Closed("it has ended")))?;
        C::response_from_value(value).map_err(Unanswered::Unreadable)
    }

    /// The events of one kind, from now on.
    pub(super) fn events<E: MethodType>(&self) -> Events<E> {
        let (events, incoming) = mpsc::unbounded_channel();
        let (method, session) = (E::method_id().into_owned(), self.session.clone());
        let mut state = self.shared.lock();
        if state.closed.is_none() {
            state.listeners.push(Listener { method, session, events });
        }
        Events { incoming, of: PhantomData }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves nothing half done in here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect_answer(&self, answer: oneshot::Sender<Answer>) -> Result<usize, Unanswered> {
        let mut state = self.lock();
        if let Some(reason) = state.closed {
            return Err(Unanswered::Closed(reason));
        }
        state.calls += 1;
        let id = state.calls;
        state.waiting.insert(id, answer);
        Ok(id)
    }

    /// Tells everyone who waits that nothing will come.
    fn close(&self, reason: &'static str) {
        let mut state = self.lock();
        state.closed.get_or_insert(reason);
        state.listeners.clear();
        for (_, answer) in state.waiting.drain() {
            let _gone = answer.send(Err(Unanswered::Closed(reason)));
        }
    }

    fn take(&self, message: Message) {
        let Message { id, session, method, params, result, error } = message;
        if let Some(id) = id {
            let Some(answer) = self.lock().waiting.remove(&id) else { return };
            let refused = error.map(|error| Unanswered::Refused(error.message));
            let _gave_up = answer.send(refused.map_or(Ok(result), Err));
            return;
        }
        let Some(method) = method else { return };
        if method == CRASHED {
            self.close("its page has crashed");
            return;
        }
        let mut state = self.lock();
        let is_for = |listener: &Listener| listener.method == method && listener.session == session;
        state.listeners.retain(|listener| !listener.events.is_closed());
        for listener in state.listeners.iter().filter(|listener| is_for(listener)) {
            let _gone = listener.events.send(params.clone());
        }
    }
}

async fn read(from_chrome: OwnedReadHalf, shared: Arc<Shared>) {
    let mut from_chrome = BufReader::with_capacity(BUFFER, from_chrome);
    let mut message = Vec::new();
    while matches!(from_chrome.read_until(0, &mut message).await, Ok(1..)) {
        // A message that this version of the protocol does not know is no reason to hang up.
        match serde_json::from_slice(message.strip_suffix(&[0]).unwrap_or(&message)) {
            Ok(message) => shared.take(message),
            Err(error) => tracing::debug!(%error, "a message that is none"),
        }
        message.clear();
    }
    shared.close("it has ended");
}

async fn write(mut to_chrome: OwnedWriteHalf, mut calls: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(message) = calls.recv().await {
        if let Err(error) = to_chrome.write_all(&message).await {
            // The reader sees the end as well, and tells those who wait.
            tracing::debug!(%error, "Chrome takes no commands any more");
            return;
        }
    }
}

/// Events of one kind, in their order. It ends with Chrome.
#[derive(Debug)]
pub(super) struct Events<E> {
    incoming: mpsc::UnboundedReceiver<Value>,
    of: PhantomData<fn() -> E>,
}

impl<E: DeserializeOwned> Stream for Events<E> {
    type Item = E;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<E>> {
        loop {
            let Some(event) = ready!(self.incoming.poll_recv(cx)) else {
                return Poll::Ready(None);
            };
            match serde_json::from_value(event) {
                Ok(event) => return Poll::Ready(Some(event)),
                Err(error) => tracing::debug!(%error, "an event of another shape"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chromiumoxide_cdp::cdp::browser_protocol::browser::GetVersionParams;
    use chromiumoxide_cdp::cdp::browser_protocol::network::EventLoadingFinished;
    use futures::StreamExt;
    use tokio::io::AsyncReadExt;

    use super::*;

    /// A connection, and the other end of the pair.
    fn pair() -> (Connection, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Connection::open(ours), theirs)
    }

    async fn next_call(chrome: &mut UnixStream) -> Value {
        let mut message = Vec::new();
        loop {
            match chrome.read_u8().await.unwrap() {
                0 => return serde_json::from_slice(&message).unwrap(),
                byte => message.push(byte),
            }
        }
    }

    #[tokio::test]
    async fn a_command_gets_the_answer_with_its_number() {
        let (connection, mut chrome) = pair();
        let caller = connection.session("s1");
        let asked = tokio::spawn(async move { caller.call(GetVersionParams::default()).await });
        let call = next_call(&mut chrome).await;
        assert_eq!(
            (&call["method"], &call["sessionId"]),
            (&"Browser.getVersion".into(), &"s1".into())
        );
        let version = r#"{"protocolVersion":"1","product":"X/1","revision":"r","userAgent":"u","jsVersion":"j"}"#;
        // Another answer, an unknown message and no message at all are passed over.
        for message in [
            r#"{"id":99,"result":{}}"#.to_owned(),
            r#"{"method":"New.event","params":{"x":1}}"#.to_owned(),
            "garbage".to_owned(),
            format!(r#"{{"id":{},"result":{version}}}"#, call["id"]),
        ] {
            chrome.write_all(message.as_bytes()).await.unwrap();
            chrome.write_all(&[0]).await.unwrap();
        }
        assert_eq!(asked.await.unwrap().unwrap().product, "X/1");
    }

    #[tokio::test]
    async fn a_refusal_says_why() {
        let (connection, mut chrome) = pair();
        let caller = connection.browser();
        let asked = tokio::spawn(async move { caller.call(GetVersionParams::default()).await });
        let call = next_call(&mut chrome).await;
        let refusal =
            format!(r#"{{"id":{},"error":{{"code":-32000,"message":"no"}}}}"#, call["id"]);
        chrome.write_all(refusal.as_bytes()).await.unwrap();
        chrome.write_all(&[0]).await.unwrap();
        assert!(matches!(asked.await.unwrap(), Err(Unanswered::Refused(why)) if why == "no"));
    }

    #[tokio::test]
    async fn who_waits_learns_at_once_that_chrome_or_its_page_is_gone() {
        for crashes in [false, true] {
            let (connection, mut chrome) = pair();
            let caller = connection.session("s1");
            let mut events = caller.events::<EventLoadingFinished>();
            let other = caller.clone();
            let asked = tokio::spawn(async move { other.call(GetVersionParams::default()).await });
            next_call(&mut chrome).await;
            if crashes {
                let crash = b"{\"method\":\"Inspector.targetCrashed\",\"params\":{}}\0";
                chrome.write_all(crash).await.unwrap();
            } else {
                drop(chrome);
            }
            assert!(matches!(asked.await.unwrap(), Err(Unanswered::Closed(_))));
            assert!(events.next().await.is_none());
            let late = caller.call(GetVersionParams::default()).await;
            assert!(matches!(late, Err(Unanswered::Closed(_))));
        }
    }

    #[tokio::test]
    async fn events_come_in_their_order_and_to_their_session_alone() {
        let (connection, mut chrome) = pair();
        let mut mine = connection.session("s1").events::<EventLoadingFinished>();
        let mut others = connection.session("s2").events::<EventLoadingFinished>();
        for (session, id) in [("s1", "1"), ("s2", "2"), ("s1", "3")] {
            let event = format!(
                r#"{{"method":"Network.loadingFinished","sessionId":"{session}","params":{{"requestId":"{id}","timestamp":1,"encodedDataLength":2}}}}"#
            );
            chrome.write_all(event.as_bytes()).await.unwrap();
            chrome.write_all(&[0]).await.unwrap();
        }
        for expected in ["1", "3"] {
            assert_eq!(mine.next().await.unwrap().request_id.inner(), expected);
        }
        assert_eq!(others.next().await.unwrap().request_id.inner(), "2");
    }

    #[tokio::test]
    async fn the_end_of_the_connection_is_the_end_of_the_pair() {
        let (connection, mut chrome) = pair();
        let caller = connection.session("s1");
        drop(connection);
        let mut rest = Vec::new();
        chrome.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty());
        drop(caller);
    }
}
