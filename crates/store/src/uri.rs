//! Where something is stored, parsed once.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::{Error, Result};

const FILE: &str = "file://";
const S3: &str = "s3://";

/// The longest key that S3 takes, in bytes.
const MAX_KEY_BYTES: usize = 1024;

/// The address of a file or a tree: in a local directory, `file:///path`, or in a bucket, `s3://bucket/key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uri {
    File(PathBuf),
    S3 { bucket: String, key: String },
}

impl Uri {
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |reason| Error::Uri { text: text.to_owned(), reason };
        if let Some(path) = text.strip_prefix(FILE) {
            if !path.starts_with('/') {
                return Err(invalid("its path must be absolute"));
            }
            return Ok(Self::File(PathBuf::from(path)));
        }
        let rest =
            text.strip_prefix(S3).ok_or_else(|| invalid("it must start with s3:// or file://"))?;
        let (bucket, key) =
            rest.split_once('/').ok_or_else(|| invalid("it must name a key after the bucket"))?;
        if !is_bucket(bucket) {
            return Err(invalid("its bucket is not a bucket's name"));
        }
        if key.trim_end_matches('/').is_empty() {
            return Err(invalid("it must name a key after the bucket"));
        }
        if key.len() > MAX_KEY_BYTES {
            return Err(invalid("its key has more than 1024 bytes"));
        }
        // Some servers keep objects as files; to all of them, these would be another key than the one that was checked.
        if key.split('/').any(|part| part == "." || part == "..") {
            return Err(invalid("its key has a part that is only dots"));
        }
        if key.chars().any(char::is_control) {
            return Err(invalid("its key has a control character"));
        }
        Ok(Self::S3 { bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// The URI of an absolute path, or `None` for a path that is not absolute or not Unicode.
    pub fn from_path(path: &Path) -> Option<Self> {
        (path.is_absolute() && path.to_str().is_some()).then(|| Self::File(path.to_owned()))
    }

    /// What is called `name` below this prefix, which may be written with or without a slash at its end.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        match self {
            Self::File(path) => Self::File(path.join(name)),
            Self::S3 { bucket, key } => {
                let prefix = key.strip_suffix('/').unwrap_or(key);
                Self::S3 { bucket: bucket.clone(), key: format!("{prefix}/{name}") }
            }
        }
    }

    /// What lies beside this, under the name that `rename` makes of its own.
    #[must_use]
    pub fn beside(&self, rename: impl FnOnce(&str) -> String) -> Self {
        match self {
            Self::File(path) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                Self::File(path.with_file_name(rename(&name)))
            }
            Self::S3 { bucket, key } => {
                let key = key.trim_end_matches('/');
                let key = match key.rsplit_once('/') {
                    Some((folder, name)) => format!("{folder}/{}", rename(name)),
                    None => rename(key),
                };
                Self::S3 { bucket: bucket.clone(), key }
            }
        }
    }
}

/// As the wire has it, in answers and summaries.
impl Serialize for Uri {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn is_bucket(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
        && !name.starts_with(['-', '.'])
        && !name.ends_with(['-', '.'])
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{FILE}{}", path.display()),
            Self::S3 { bucket, key } => write!(f, "{S3}{bucket}/{key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_read_back_as_it_was_written() {
        for text in
            ["file:///a/b c/d.mp4", "s3://my-bucket/renders/x/plan.tar.gz", "s3://my-bucket/a//b/"]
        {
            assert_eq!(Uri::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Uri::parse("file:///a").unwrap(), Uri::File("/a".into()));
    }

    #[test]
    fn what_lies_beside_a_uri_has_its_folder_and_another_name() {
        for (text, expected) in [
            ("s3://bucket/a/b.mp4", "s3://bucket/a/b.mp4.x"),
            ("s3://bucket/b", "s3://bucket/b.x"),
            ("s3://bucket/a/b/", "s3://bucket/a/b.x"),
            ("file:///a/b.mp4", "file:///a/b.mp4.x"),
        ] {
            let beside = Uri::parse(text).unwrap().beside(|name| format!("{name}.x"));
            assert_eq!(beside.to_string(), expected);
        }
    }

    #[test]
    fn one_slash_at_the_end_of_a_prefix_makes_no_difference() {
        for prefix in
            ["s3://bucket/a/b", "s3://bucket/a/b/", "file:///bucket/a/b", "file:///bucket/a/b/"]
        {
            let joined = Uri::parse(prefix).unwrap().join("plan.tar.gz").to_string();
            assert!(joined.ends_with("/bucket/a/b/plan.tar.gz"), "{joined}");
        }
    }

    #[test]
    fn what_names_no_object_is_refused_with_the_reason() {
        for (text, reason) in [
            ("https://bucket/key", "start with"),
            ("S3://bucket/key", "start with"),
            ("/a/b", "start with"),
            ("", "start with"),
            ("file://a/b", "absolute"),
            ("s3://bucket", "key after the bucket"),
            ("s3://bucket/", "key after the bucket"),
            ("s3:///key", "bucket's name"),
            ("s3://Bucket/key", "bucket's name"),
            ("s3://b@cket/key", "bucket's name"),
            ("s3://bucket/a/../b", "only dots"),
            ("s3://bucket/..", "only dots"),
            ("s3://bucket/a\n", "control character"),
        ] {
            let error = Uri::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(Uri::parse(&format!("s3://bucket/{}", "k".repeat(1025))).is_err());
    }
}
