//! How files travel between invocations: single files and whole directory trees, by URI.
//!
//! A store may hand out what it has where it lies (a local directory) or bring it into a scratch directory first (S3, where
//! a tree is one `tar.gz`). What is put becomes visible at once and whole, or not at all.

mod archive;
mod blocking;
mod hash;
mod local;
mod s3;
mod uri;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use aws_config::SdkConfig;

pub use archive::{Limits, Links, Member, pack, pack_members, unpack};
pub use hash::sha256_file;
pub use local::LocalStore;
pub use s3::{
    Addressing, RequestFailure, RetryProfile, S3Store, Sent, Stored, root_cause, sdk_config,
};
pub use uri::Uri;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("\"{text}\" is not a URI of a file or an object: {reason}")]
    Uri { text: String, reason: &'static str },
    #[error("{uri} is not in this store, which is {store}")]
    Elsewhere { uri: Uri, store: &'static str },
    #[error("{uri} does not exist")]
    Missing { uri: Uri },
    #[error("may not {action} {uri}: {reason}")]
    Denied { action: &'static str, uri: Uri, reason: String },
    /// Another try may succeed.
    #[error("cannot {action} {uri} for now: {reason}")]
    Unavailable { action: &'static str, uri: Uri, reason: String },
    #[error("cannot {action} {uri}: {reason}")]
    Refused { action: &'static str, uri: Uri, reason: String },
    #[error("{uri} has sha256 {actual}, its writer gave {expected}")]
    Digest { uri: Uri, expected: String, actual: String },
    #[error("{uri} has {actual} bytes instead of {expected}")]
    Length { uri: Uri, expected: u64, actual: u64 },
    #[error("{archive} cannot be unpacked: {reason}")]
    Archive { archive: String, reason: String },
    #[error("cannot {action} {uri}")]
    Io { action: &'static str, uri: Uri, source: std::io::Error },
    #[error("cannot {action} {}", path.display())]
    Scratch { action: &'static str, path: PathBuf, source: std::io::Error },
}

/// A file that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub path: PathBuf,
    /// The digest that its writer gave, unless it is compared already.
    pub unchecked_sha256: Option<String>,
    /// What else its writer has said of it.
    pub labels: BTreeMap<String, String>,
}

/// What a file must be that is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub sha256: String,
    pub bytes: u64,
}

/// What is kept beside a file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// sha256 of the content, in hexadecimal.
    pub sha256: Option<String>,
    /// Short texts under lower-case names.
    pub labels: BTreeMap<String, String>,
}

/// Where files are between invocations.
pub trait Store: Send + Sync + Sized {
    /// What the name of a stored tree ends in.
    const TREE_SUFFIX: &'static str;

    /// Makes the file at `uri` readable, below `scratch` if it has to be brought from elsewhere.
    fn file(&self, uri: &Uri, scratch: &Path) -> impl Future<Output = Result<Fetched>> + Send;

    /// Makes the directory tree at `uri` readable, below `scratch` if it has to be brought from elsewhere.
    fn tree(&self, uri: &Uri, scratch: &Path) -> impl Future<Output = Result<PathBuf>> + Send;

    /// The same for a project, whose archive may hold links: those that lead to something in it are followed, and those below the
    /// names at its top that are `left_out` anyway are skipped.
    fn project(
        &self,
        uri: &Uri,
        scratch: &Path,
        left_out: &'static [&'static str],
    ) -> impl Future<Output = Result<PathBuf>> + Send;

    /// The same store for what a render needs only until it has ended.
    #[must_use]
    fn temporary(&self) -> Self;

    /// The metadata of the file at `uri`, or `None` if there is no such file.
    fn metadata(&self, uri: &Uri) -> impl Future<Output = Result<Option<Metadata>>> + Send;

    /// Stores a file with its metadata.
    fn put_file(
        &self,
        from: &Path,
        uri: &Uri,
        metadata: &Metadata,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Stores a copy of the file at `from` under `to`, with these labels. What is not as `expected` is an error, and then whoever reads
    /// the metadata of `to` finds no digest.
    fn copy(
        &self,
        from: &Uri,
        to: &Uri,
        expected: &Expected,
        labels: &BTreeMap<String, String>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Stores a directory tree, which may be moved away.
    fn put_tree(&self, from: &Path, uri: &Uri) -> impl Future<Output = Result<()>> + Send;
}
