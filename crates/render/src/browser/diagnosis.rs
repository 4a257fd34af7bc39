//! Says in a sentence what keeps a page from its first frame.

use crate::error::Error;
use crate::page::Status;

/// A loaded page without anything to render.
pub(super) fn zero_duration(status: &Status) -> Error {
    let driver =
        if status.driver.as_deref() == Some("own") { "its own __hf" } else { "its timelines" };
    let hint = format!(
        "the page is loaded and {driver} last no time; register a timeline in window.__timelines or give the root \
         element a data-duration"
    );
    Error::Duration { seconds: 0.0, hint }
}

/// What a page that is not ready still lacks, in the order in which it would come.
pub(super) fn why_not_ready(status: &Status) -> String {
    let missing = || format!("no timeline in window.__timelines for {}", status.missing.join(", "));
    match status {
        Status { href, .. } if href.is_empty() => "it is not loaded".to_owned(),
        Status { driver: None, .. } => {
            "neither window.__hf nor the runtime's player can seek".to_owned()
        }
        Status { loaded: false, .. } => "it is still loading".to_owned(),
        Status { render_ready: false, .. } => "the runtime has not bound its timelines".to_owned(),
        Status { missing: ids, .. } if !ids.is_empty() => missing(),
        Status { duration, .. } => {
            format!("its duration is {}", duration.map_or("not a number".into(), |d| d.to_string()))
        }
    }
}

/// The same for who waits.
pub(super) fn waiting_for(status: &Status) -> String {
    match status {
        Status { href, .. } if href.is_empty() => "loading the page".to_owned(),
        Status { loaded: false, .. } => "waiting for the page's files".to_owned(),
        Status { driver: Some(_), render_ready: true, missing, .. } if !missing.is_empty() => {
            format!("waiting for timelines: {}", missing.join(", "))
        }
        _ => "waiting for timelines".to_owned(),
    }
}
