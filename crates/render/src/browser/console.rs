//! What a page writes to its `console`, for whoever waits for the render.

use chromiumoxide_cdp::cdp::js_protocol::runtime::{
    ConsoleApiCalledType, EnableParams, EventConsoleApiCalled, RemoteObject,
};
use futures::StreamExt;

use crate::browser::AbortOnDrop;
use crate::browser::link::Link;
use crate::told::CONSOLE;

/// Of one line; a page may write what it likes.
const MAX_CHARS: usize = 1000;

/// Tells the lines that the page writes from now on, if anybody listens.
pub(super) async fn listen(link: &Link) -> Option<AbortOnDrop> {
    if !tracing::enabled!(target: CONSOLE, tracing::Level::DEBUG) {
        return None;
    }
    let mut lines = link.page.events::<EventConsoleApiCalled>();
    link.send(EnableParams::default(), "while listening to its console").await.ok()?;
    Some(AbortOnDrop(tokio::spawn(async move {
        while let Some(line) = lines.next().await {
            let level = level(&line.r#type);
            let text = line.args.iter().map(shown).collect::<Vec<_>>().join(" ");
            let text: String = text.chars().take(MAX_CHARS).collect();
            tracing::debug!(target: CONSOLE, level, "{text}");
        }
    })))
}

fn level(kind: &ConsoleApiCalledType) -> &'static str {
    match kind {
        ConsoleApiCalledType::Error | ConsoleApiCalledType::Assert => "error",
        ConsoleApiCalledType::Warning => "warning",
        ConsoleApiCalledType::Debug => "debug",
        _ => "log",
    }
}

/// A value as text: strings and numbers as they are, objects by their description.
fn shown(value: &RemoteObject) -> String {
    match &value.value {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => {
            let named = value.unserializable_value.as_ref().map(|name| name.inner().clone());
            named.or_else(|| value.description.clone()).unwrap_or_else(|| "undefined".to_owned())
        }
    }
}
