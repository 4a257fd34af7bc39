//! Which object a request is about.

use crate::Uri;

/// The metadata that holds an object's digest.
pub(super) const DIGEST: &str = "sha256";

/// The metadata of a copy that holds how many bytes it must have.
pub(super) const COPIED: &str = "copied-bytes";

/// A bucket and a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object<'a> {
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) uri: &'a Uri,
    /// The account that the bucket must belong to, for what is sent to it.
    pub(super) owner: Option<&'a str>,
}
