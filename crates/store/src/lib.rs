//! How files travel between invocations: single files and whole directory trees, by URI.
//!
//! A store may hand out what it has where it lies (a local directory) or bring it into a scratch directory first.

mod local;
mod uri;

use std::path::{Path, PathBuf};

pub use local::LocalStore;
pub use uri::Uri;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("\"{text}\" is not a URI this store reads: {reason}")]
    Uri { text: String, reason: &'static str },
    #[error("{uri} does not exist")]
    Missing { uri: Uri },
    #[error("cannot {action} {uri}")]
    Io { action: &'static str, uri: Uri, source: std::io::Error },
}

/// A file that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub path: PathBuf,
    /// What the writer said its content hashes to, if it said so.
    pub sha256: Option<String>,
}

/// Where files are between invocations. What is put becomes visible at once and whole.
pub trait Store: Send + Sync {
    /// What the name of a stored tree ends in.
    const TREE_SUFFIX: &'static str;

    /// Makes the file at `uri` readable, below `scratch` if it has to be brought from elsewhere.
    fn file(&self, uri: &Uri, scratch: &Path) -> impl Future<Output = Result<Fetched>> + Send;

    /// Makes the directory tree at `uri` readable, below `scratch` if it has to be brought from elsewhere.
    fn tree(&self, uri: &Uri, scratch: &Path) -> impl Future<Output = Result<PathBuf>> + Send;

    /// Stores a file, with the digest its readers may check it against.
    fn put_file(
        &self,
        from: &Path,
        uri: &Uri,
        sha256: Option<&str>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Stores a directory tree, which may be moved away.
    fn put_tree(&self, from: &Path, uri: &Uri) -> impl Future<Output = Result<()>> + Send;
}
