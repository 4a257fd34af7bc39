//! A local directory as a store: reading hands out the files where they lie, writing is one rename.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::blocking::blocking;
use crate::hash::digest_of;
use crate::{Error, Expected, Fetched, Limits, Links, Metadata, Result, Store, Uri, archive};

const DIGEST: &str = "sha256";

#[derive(Debug, Clone, Copy, Default)]
pub struct LocalStore;

impl LocalStore {
    /// The path that `uri` names.
    pub fn path(uri: &Uri) -> Result<&Path> {
        match uri {
            Uri::File(path) => Ok(path),
            Uri::S3 { .. } => Err(Error::Elsewhere { uri: uri.clone(), store: "this machine" }),
        }
    }
}

impl Store for LocalStore {
    const TREE_SUFFIX: &'static str = "";

    async fn file(&self, uri: &Uri, _scratch: &Path) -> Result<Fetched> {
        match self.metadata(uri).await? {
            Some(Metadata { sha256, labels }) => {
                Ok(Fetched { path: Self::path(uri)?.to_owned(), unchecked_sha256: sha256, labels })
            }
            None => Err(Error::Missing { uri: uri.clone() }),
        }
    }

    async fn tree(&self, uri: &Uri, scratch: &Path) -> Result<PathBuf> {
        tree(uri, scratch, Links::Refused).await
    }

    async fn project(
        &self,
        uri: &Uri,
        scratch: &Path,
        left_out: &'static [&'static str],
    ) -> Result<PathBuf> {
        tree(uri, scratch, Links::Followed { left_out }).await
    }

    fn temporary(&self) -> Self {
        *self
    }

    async fn metadata(&self, uri: &Uri) -> Result<Option<Metadata>> {
        let path = Self::path(uri)?;
        if !path.is_file() {
            return Ok(None);
        }
        match fs::read_to_string(metadata_path(path)) {
            Ok(text) => Ok(Some(read_metadata(&text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Some(Metadata::default())),
            Err(source) => {
                Err(Error::Io { action: "read the metadata of", uri: uri.clone(), source })
            }
        }
    }

    async fn put_file(&self, from: &Path, uri: &Uri, metadata: &Metadata) -> Result<()> {
        let (from, to) = (from.to_owned(), Self::path(uri)?.to_owned());
        let metadata = metadata.clone();
        blocking(move |_| put_file(&from, &to, &metadata)).await.map_err(|source| Error::Io {
            action: "write",
            uri: uri.clone(),
            source,
        })
    }

    async fn copy(
        &self,
        from: &Uri,
        to: &Uri,
        expected: &Expected,
        labels: &BTreeMap<String, String>,
    ) -> Result<()> {
        let (source, target) = (Self::path(from)?.to_owned(), Self::path(to)?.to_owned());
        let sha256 = expected.sha256.clone();
        let metadata = Metadata { sha256: Some(sha256), labels: labels.clone() };
        let (uri, expected) = (from.clone(), expected.clone());
        blocking(move |_| {
            let failed = |source| Error::Io { action: "copy", uri: uri.clone(), source };
            let beside = copy_beside(&source, &target).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => Error::Missing { uri: uri.clone() },
                _ => failed(error),
            })?;
            check(&uri, &beside, &expected)?;
            persist(beside, &target, &metadata).map_err(failed)
        })
        .await
    }

    async fn put_tree(&self, from: &Path, uri: &Uri) -> Result<()> {
        let (from, to) = (from.to_owned(), Self::path(uri)?.to_owned());
        blocking(move |_| put_tree(&from, &to)).await.map_err(|source| Error::Io {
            action: "write",
            uri: uri.clone(),
            source,
        })
    }
}

/// A directory where it lies; an archive is unpacked into `scratch`, as in the cloud.
async fn tree(uri: &Uri, scratch: &Path, links: Links) -> Result<PathBuf> {
    let path = LocalStore::path(uri)?;
    if path.is_dir() {
        return Ok(path.to_owned());
    }
    if !path.is_file() {
        return Err(Error::Missing { uri: uri.clone() });
    }
    let unpacked = tempfile::Builder::new().prefix("tree-").tempdir_in(scratch);
    let unpacked = unpacked.map_err(|source| Error::Scratch {
        action: "make a directory in",
        path: scratch.to_owned(),
        source,
    })?;
    archive::unpack(path, &uri.to_string(), unpacked.path(), Limits::default(), links).await?;
    Ok(unpacked.keep())
}

/// Brings the tree beside the target, then swaps it in.
fn put_tree(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let beside = tempfile::Builder::new().prefix(".framewright-").tempdir_in(folder)?;
    let new = beside.path().join("new");
    match fs::rename(from, &new) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => copy_tree(from, &new)?,
        renamed => renamed?,
    }
    let old = beside.path().join("old");
    if to.exists() {
        fs::rename(to, &old)?;
    }
    fs::rename(&new, to).inspect_err(|_failed| {
        // What was there comes back, if it can; the error that is reported is the first one.
        let _still_beside = fs::rename(&old, to);
    })
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() { copy_tree(&path, &copy)? } else { fs::copy(&path, &copy).map(drop)? }
    }
    Ok(())
}

/// Copies beside the target, then renames: a reader sees the old file, or the whole new one.
fn put_file(from: &Path, to: &Path, metadata: &Metadata) -> io::Result<()> {
    persist(copy_beside(from, to)?, to, metadata)
}

/// Refuses a copy that is not as expected. The copy is read and not its source, which somebody may be writing.
fn check(uri: &Uri, copy: &NamedTempFile, expected: &Expected) -> Result<()> {
    let failed = |source| Error::Io { action: "read the copy of", uri: uri.clone(), source };
    let bytes = copy.as_file().metadata().map_err(failed)?.len();
    if bytes != expected.bytes {
        return Err(Error::Length { uri: uri.clone(), expected: expected.bytes, actual: bytes });
    }
    let actual = digest_of(&mut fs::File::open(copy.path()).map_err(failed)?).map_err(failed)?;
    if actual != expected.sha256 {
        let expected = expected.sha256.clone();
        return Err(Error::Digest { uri: uri.clone(), expected, actual });
    }
    Ok(())
}

fn copy_beside(from: &Path, to: &Path) -> io::Result<NamedTempFile> {
    let folder = to.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let mut beside = tempfile::Builder::new().prefix(".framewright-").tempfile_in(folder)?;
    let mut from = fs::File::open(from)?;
    io::copy(&mut from, beside.as_file_mut())?;
    // A temporary file is private to its owner; a result is as readable as any file its owner makes.
    beside.as_file().set_permissions(from.metadata()?.permissions())?;
    Ok(beside)
}

fn persist(beside: NamedTempFile, to: &Path, metadata: &Metadata) -> io::Result<()> {
    // A reader finds the new file with its metadata or with none, never with that of the file before.
    match fs::remove_file(metadata_path(to)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    beside.persist(to).map_err(|error| error.error)?;
    if *metadata == Metadata::default() {
        Ok(())
    } else {
        fs::write(metadata_path(to), write_metadata(metadata))
    }
}

/// Beside a file, so that it goes where the file goes.
fn metadata_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".metadata");
    name.into()
}

/// One `name=value` in each line; the digest is the one called `sha256`.
fn write_metadata(metadata: &Metadata) -> String {
    let digest = metadata.sha256.iter().map(|digest| format!("{DIGEST}={digest}\n"));
    digest.chain(metadata.labels.iter().map(|(name, value)| format!("{name}={value}\n"))).collect()
}

fn read_metadata(text: &str) -> Metadata {
    let mut labels: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Metadata { sha256: labels.remove(DIGEST), labels }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tree_may_be_an_archive() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, packed) = (dir.path().join("tree"), dir.path().join("tree.tar.gz"));
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("index.html"), "here").unwrap();
        archive::pack(&tree, &packed).await.unwrap();
        let uri = Uri::from_path(&packed).unwrap();
        let unpacked = LocalStore.project(&uri, dir.path(), &[]).await.unwrap();
        assert_eq!(fs::read_to_string(unpacked.join("index.html")).unwrap(), "here");
        let gone = Uri::from_path(&dir.path().join("gone")).unwrap();
        let error = LocalStore.tree(&gone, dir.path()).await.unwrap_err();
        assert!(matches!(error, Error::Missing { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_failed_write_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let uri = Uri::from_path(&dir.path().join("to")).unwrap();
        assert!(
            LocalStore
                .put_file(&dir.path().join("absent"), &uri, &Metadata::default())
                .await
                .is_err()
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_tree_replaces_the_one_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let uri = Uri::from_path(&dir.path().join("plans/plan")).unwrap();
        for content in ["first", "second"] {
            let from = dir.path().join(content);
            fs::create_dir(&from).unwrap();
            fs::write(from.join(content), content).unwrap();
            LocalStore.put_tree(&from, &uri).await.unwrap();
        }
        let names: Vec<_> = fs::read_dir(dir.path().join("plans/plan"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["second"]);
        assert_eq!(fs::read_dir(dir.path().join("plans")).unwrap().count(), 1);
    }

    #[test]
    fn a_tree_is_copied_where_it_cannot_be_moved() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        fs::create_dir_all(from.join("a/b")).unwrap();
        fs::write(from.join("a/b/c"), "x").unwrap();
        copy_tree(&from, &dir.path().join("to")).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("to/a/b/c")).unwrap(), "x");
    }
}
