//! The commands that go to one page of a running Chrome, and what comes back.

use chromiumoxide_types::Command;

use crate::browser::pipe::{Caller, Unanswered};
use crate::error::{Error, Result};

/// The way to one page of a running Chrome.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) page: Caller,
}

impl Link {
    /// Sends a command and waits for its answer, or for the end of Chrome.
    pub(super) async fn send<C: Command>(&self, command: C, during: &str) -> Result<C::Response> {
        self.page.call(command).await.map_err(|unanswered| {
            let during = during.to_owned();
            match unanswered {
                Unanswered::Refused(message) => Error::Protocol { during, message },
                Unanswered::Silent => Error::BrowserSilent { during },
                Unanswered::Closed(reason) => {
                    Error::BrowserLost { during, reason: reason.to_owned() }
                }
                Unanswered::Unreadable(error) => {
                    Error::BrowserLost { during, reason: error.to_string() }
                }
            }
        })
    }
}

/// A thrown error's message with the first place in the author's own files, out of the stack that comes with it.
pub(super) fn without_foreign_lines(description: &str) -> String {
    let message = description.lines().next().unwrap_or_default();
    let authored = description
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once("//127.0.0.1:")?.1.split_once('/'))
        .map(|(_port, place)| place.trim_end_matches(')'))
        .find(|place| !place.starts_with("__framewright/"));
    authored.map_or_else(|| message.to_owned(), |place| format!("{message} (/{place})"))
}
