//! Scripts in a document that no browser can read.

use crate::javascript::{ScriptKind, syntax_error};
use crate::lint::{Severity, Source};

pub(super) fn check(source: &Source<'_>, found: &mut Vec<(usize, Severity, String)>) {
    for tag in source.tags.iter().filter(|tag| tag.name == "script") {
        let Some((at, text)) = tag.text else { continue };
        let kind = match tag.attribute("type").unwrap_or_default().trim() {
            "" | "text/javascript" | "application/javascript" => ScriptKind::Classic,
            "module" => ScriptKind::Module,
            _ => continue,
        };
        if tag.attribute("src").is_some() {
            continue;
        }
        if let Some((within, message)) = syntax_error(text, kind) {
            let message = format!("<script>: {message}");
            found.push((at + within, Severity::Error, message));
        }
    }
}
