//! What the page has asked for and not got yet: a frame is complete when nothing of it is on its way.

use std::collections::HashMap;

use chromiumoxide_cdp::cdp::browser_protocol::network::{
    EventLoadingFailed, EventLoadingFinished, EventRequestWillBeSent, RequestId, ResourceType,
};
use futures::{FutureExt, StreamExt};

use crate::browser::link::Link;
use crate::browser::pipe::Events;
use crate::page::frames;

/// The requests of one page. Chrome tells of each before it answers the command that caused it.
#[derive(Debug)]
pub(super) struct Requests {
    sent: Events<EventRequestWillBeSent>,
    finished: Events<EventLoadingFinished>,
    failed: Events<EventLoadingFailed>,
    /// Addresses by request.
    open: HashMap<RequestId, String>,
    /// Whether there are any that nobody has waited for.
    has_new: bool,
}

impl Requests {
    pub(super) fn watch(link: &Link) -> Self {
        Self {
            sent: link.page.events(),
            finished: link.page.events(),
            failed: link.page.events(),
            open: HashMap::new(),
            has_new: false,
        }
    }

    /// Whether the page has asked for anything since [`Requests::until_quiet`], as far as Chrome has told.
    pub(super) fn has_new(&mut self) -> bool {
        while let Some(Some(event)) = self.sent.next().now_or_never() {
            self.add(&event);
        }
        while let Some(Some(event)) = self.finished.next().now_or_never() {
            self.open.remove(&event.request_id);
        }
        while let Some(Some(event)) = self.failed.next().now_or_never() {
            self.open.remove(&event.request_id);
        }
        self.has_new
    }

    /// Waits until nothing is on its way. Who gives up learns from [`Requests::open`] what was.
    pub(super) async fn until_quiet(&mut self) {
        self.has_new();
        while !self.open.is_empty() {
            tokio::select! {
                Some(event) = self.sent.next() => self.add(&event),
                Some(event) = self.finished.next() => { self.open.remove(&event.request_id); }
                Some(event) = self.failed.next() => { self.open.remove(&event.request_id); }
                else => break,
            }
        }
        self.has_new = false;
    }

    /// Waits no longer for what is on its way: nothing is, but Chrome does not tell of each end.
    pub(super) fn forget(&mut self) {
        self.open.clear();
        self.has_new = false;
    }

    /// Addresses of what is on its way.
    pub(super) fn open(&self) -> impl Iterator<Item = &str> {
        self.open.values().map(String::as_str)
    }

    fn add(&mut self, event: &EventRequestWillBeSent) {
        if is_part_of_a_frame(&event.request.url, event.r#type.as_ref()) {
            self.open.insert(event.request_id.clone(), event.request.url.clone());
            self.has_new = true;
        }
    }
}

/// Whether a frame can lack what is asked for. Frames of videos are waited for by the page's own scripts, which show them by
/// `blob:` addresses; sounds are not heard, and streams do not end.
fn is_part_of_a_frame(url: &str, kind: Option<&ResourceType>) -> bool {
    let is_endless = matches!(
        kind,
        Some(
            ResourceType::Media
                | ResourceType::EventSource
                | ResourceType::WebSocket
                | ResourceType::Ping
                | ResourceType::Prefetch
                | ResourceType::Manifest
        )
    );
    !is_endless && !url.starts_with("blob:") && !url.contains(frames::PLACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_waits_for_what_it_may_show_and_for_nothing_that_never_ends() {
        let image = ResourceType::Image;
        for (url, kind, expected) in [
            ("http://127.0.0.1:1/a.png", Some(&image), true),
            ("data:image/png;base64,AA", Some(&image), true),
            ("http://127.0.0.1:1/a.json", Some(&ResourceType::Fetch), true),
            ("http://127.0.0.1:1/a.json", None, true),
            ("blob:http://127.0.0.1:1/1", Some(&image), false),
            ("http://127.0.0.1:1/__frames/0/12", Some(&ResourceType::Fetch), false),
            ("http://127.0.0.1:1/a.mp3", Some(&ResourceType::Media), false),
            ("http://127.0.0.1:1/events", Some(&ResourceType::EventSource), false),
        ] {
            assert_eq!(is_part_of_a_frame(url, kind), expected, "{url}");
        }
    }
}
