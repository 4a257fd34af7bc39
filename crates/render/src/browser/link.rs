//! The commands that go to one page of a running Chrome, and what comes back.

use std::pin::pin;

use chromiumoxide::error::CdpError;
use chromiumoxide::{Command, Page};
use futures::future::{Either, select};

use crate::error::{Error, Result};
use crate::process::Life;

/// The way to one page of a running Chrome.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) page: Page,
    pub(super) life: Life,
}

impl Link {
    /// Sends a command and waits for its answer, or for the end of Chrome.
    pub(super) async fn send<C: Command>(&self, command: C, during: &str) -> Result<C::Response> {
        let during = during.to_owned();
        let ended = pin!(self.life.ended());
        let answer = match select(pin!(self.page.execute(command)), ended).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), _)) => {
                return Err(Error::BrowserLost { during, reason: "it has ended".to_owned() });
            }
        };
        match answer {
            Ok(answer) => Ok(answer.result),
            Err(CdpError::Chrome(refusal)) => {
                Err(Error::Protocol { during, message: refusal.message })
            }
            Err(CdpError::Timeout) => Err(Error::BrowserSilent { during }),
            Err(error) => Err(Error::BrowserLost { during, reason: error.to_string() }),
        }
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
