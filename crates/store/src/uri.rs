//! Where something is stored, parsed once.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

const SCHEME: &str = "file://";

/// A place in a local directory, written `file:///path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uri {
    path: PathBuf,
}

impl Uri {
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |reason| Error::Uri { text: text.to_owned(), reason };
        let path =
            text.strip_prefix(SCHEME).ok_or_else(|| invalid("it must start with file://"))?;
        if !path.starts_with('/') {
            return Err(invalid("its path must be absolute"));
        }
        Ok(Self { path: PathBuf::from(path) })
    }

    /// The URI of an absolute path, or `None` for a path that is not absolute or not Unicode.
    pub fn from_path(path: &Path) -> Option<Self> {
        (path.is_absolute() && path.to_str().is_some()).then(|| Self { path: path.to_owned() })
    }

    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        Self { path: self.path.join(name) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_read_back_as_it_was_written() {
        let uri = Uri::parse("file:///a/b c/d.mp4").unwrap();
        assert_eq!(uri.path(), Path::new("/a/b c/d.mp4"));
        assert_eq!(
            Uri::parse(&uri.join("e").to_string()).unwrap().path(),
            Path::new("/a/b c/d.mp4/e")
        );
    }

    #[test]
    fn another_scheme_and_a_relative_path_are_refused() {
        for text in ["s3://bucket/key", "/a/b", "file://a/b", ""] {
            assert!(matches!(Uri::parse(text), Err(Error::Uri { .. })), "{text}");
        }
    }
}
