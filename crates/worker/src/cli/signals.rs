//! The signals that ask a command to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{Error, Result};

#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    hangup: Signal,
    terminate: Signal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Ctrl-C.
    Interrupt,
    Hangup,
    Terminate,
}

impl Stop {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Hangup => "SIGHUP",
            Self::Terminate => "SIGTERM",
        }
    }
}

impl Signals {
    pub(crate) fn install() -> Self {
        let install = |kind| signal(kind).expect("a handler for such a signal can be installed");
        Self {
            interrupt: install(SignalKind::interrupt()),
            hangup: install(SignalKind::hangup()),
            terminate: install(SignalKind::terminate()),
        }
    }

    pub(crate) async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.interrupt.recv() => Stop::Interrupt,
            _ = self.hangup.recv() => Stop::Hangup,
            _ = self.terminate.recv() => Stop::Terminate,
        }
    }

    /// Does `work` unless a signal comes first: then everything is dropped, and with it every child and file.
    pub(crate) async fn unless_stopped<T>(
        &mut self,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        tokio::select! {
            done = work => done,
            stop = self.next() => Err(Error::Cancelled { signal: stop.name() }),
        }
    }
}
