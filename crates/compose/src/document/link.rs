//! What a `<link>` is there for.

use dom_query::NodeRef;

/// What a link is, in lower case.
pub(crate) fn rels(node: &NodeRef<'_>) -> Vec<String> {
    let rel = node.attr("rel").unwrap_or_default().to_ascii_lowercase();
    rel.split_whitespace().map(str::to_owned).collect()
}

/// Whether a link is a stylesheet, or becomes one by the usual trick once it is loaded.
pub(crate) fn is_stylesheet(node: &NodeRef<'_>) -> bool {
    let rels = rels(node);
    let has = |name: &str| rels.iter().any(|rel| rel == name);
    let becomes_one =
        || has("preload") && node.attr("onload").is_some_and(|code| code.contains("stylesheet"));
    (has("stylesheet") && !has("alternate")) || becomes_one()
}
