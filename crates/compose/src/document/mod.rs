//! The HTML of a composition: read, changed and written again.

pub mod html;
pub mod inject;
pub(crate) mod rebase;
pub(crate) mod root;
pub(crate) mod srcset;
pub(crate) mod variables;
