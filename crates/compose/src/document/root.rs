//! The element that is the whole composition.

use dom_query::{Document, NodeRef};

/// The element that is the composition: the first, unless one says that it is the root.
pub(crate) fn find_root(document: &Document) -> Option<NodeRef<'_>> {
    let marked = document.select_single("[data-composition-id][data-root=\"true\"]");
    let first = document.select_single("[data-composition-id]");
    marked.nodes().first().or(first.nodes().first()).copied()
}
