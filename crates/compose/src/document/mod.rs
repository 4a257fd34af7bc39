//! The HTML of a composition: read, changed and written again.

pub(crate) mod base;
pub(crate) mod csp;
pub mod decode;
pub mod html;
pub mod inject;
pub(crate) mod link;
pub(crate) mod rebase;
pub(crate) mod root;
pub(crate) mod srcset;
pub(crate) mod variables;
