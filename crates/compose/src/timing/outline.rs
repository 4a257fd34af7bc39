//! The timed elements of a composition as a tree of rows, each with when it is on: for people who look at a timeline.

use dom_query::NodeRef;
use serde::Serialize;

use crate::document::html::parse;
use crate::error::Result;
use crate::timing::resolve::{KnownDurations, Times, Window};

/// One timed element.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Compositions around it.
    pub depth: usize,
    /// `composition`, `video`, `audio`, `img`, or `element`.
    pub kind: &'static str,
    pub label: String,
    /// Seconds of the whole timeline.
    pub start: f64,
    pub end: f64,
}

/// More rows than this are not looked at by anybody.
const MAX_ROWS: usize = 500;

/// The timed elements of a document that lasts `seconds`, in their order in it. What no attribute ends lasts until the end of what
/// is around it.
pub fn outline(html: &str, seconds: f64) -> Result<Vec<Row>> {
    let document = parse(html);
    let known = KnownDurations::default();
    let times = Times::of(&document, &known, "index.html");
    let mut rows = Vec::new();
    for node in document.select("[data-composition-id], [data-start]").nodes().iter().take(MAX_ROWS)
    {
        let Window { start, end } = times.window(node, seconds)?;
        let is_above = |above: &NodeRef<'_>| above.has_attr("data-composition-id");
        rows.push(Row {
            depth: node.ancestors_it(None).filter(is_above).count(),
            kind: kind(node),
            label: label(node),
            start,
            end: end.max(start),
        });
    }
    Ok(rows)
}

fn kind(node: &NodeRef<'_>) -> &'static str {
    let named = ["video", "audio", "img"].into_iter().find(|name| node.has_name(name));
    let is_composition = node.has_attr("data-composition-id");
    named.unwrap_or(if is_composition { "composition" } else { "element" })
}

/// What the author calls it.
fn label(node: &NodeRef<'_>) -> String {
    let names = ["data-timeline-label", "data-label", "data-composition-id", "id", "src"];
    let said = names.iter().find_map(|name| node.attr(name)).filter(|text| !text.is_empty());
    let tag = || node.node_name().map_or_else(String::new, |name| name.to_string());
    said.map_or_else(tag, |text| text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_the_order_of_the_document_with_their_place_on_the_whole_timeline() {
        let html = "<div data-composition-id=main data-duration=9>\
            <div data-composition-id=scene data-start=2 data-duration=4><video id=clip data-start=1 data-duration=2></video></div>\
            <p data-start=8></p></div>";
        let rows = outline(html, 9.0).unwrap();
        let found: Vec<_> = rows
            .iter()
            .map(|row| (row.depth, row.kind, row.label.as_str(), row.start, row.end))
            .collect();
        assert_eq!(
            found,
            [
                (0, "composition", "main", 0.0, 9.0),
                (1, "composition", "scene", 2.0, 6.0),
                (2, "video", "clip", 3.0, 5.0),
                (1, "element", "p", 8.0, 9.0),
            ]
        );
    }
}
