//! Everything that can be wrong with a composition or with fetching what it needs, each as something a reader can act on.

use std::io;
use std::path::{Path, PathBuf};

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{file}: {element}: {reason}")]
    Composition { file: String, element: String, reason: String },
    #[error("{} in the project is neither a file nor a directory", path.display())]
    SpecialFile { path: PathBuf },
    /// A nested composition that cannot be put in its place; one line for each.
    #[error("{problems}")]
    Nested { problems: String },
    /// A source that is not there, cannot be read, or has nothing to show or to be heard where it is wanted.
    #[error("{element}: {reason}")]
    MediaUnusable { element: String, reason: String },
    /// What was downloaded, or lies in the project, is a web page or JSON under a media file's name.
    #[error("{element}: {reason}")]
    NotMedia { element: String, reason: String },
    /// A media file of another kind than its element plays.
    #[error("{element}: {reason}")]
    MediaKind { element: String, reason: String },
    /// A remote file that will not come, however often it is asked for.
    #[error("{what} cannot be fetched: {reason}")]
    RemoteRefused { what: String, reason: String },
    /// A remote file that may come the next time.
    #[error("{what} could not be fetched: {reason}")]
    RemoteUnavailable { what: String, reason: String },
    /// A font family that nobody offers.
    #[error("font family \"{family}\", wanted by {selector}: {reason}")]
    FontMissing { family: String, selector: String, reason: String },
    /// A font family that may be fetched the next time.
    #[error("font family \"{family}\", wanted by {selector}: {reason}")]
    FontUnavailable { family: String, selector: String, reason: String },
    /// Text that asks for whatever font a machine happens to have.
    #[error("{selector}: {reason}")]
    SystemFont { selector: String, reason: String },
    #[error("variable \"{name}\": {reason}")]
    Variable { name: String, reason: String },
}

impl Error {
    /// For `map_err`: an I/O error with what was being done to which path.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Whether no space was left, as the operating system said it.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull)
    }
}
