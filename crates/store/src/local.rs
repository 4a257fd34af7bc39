//! A local directory as a store: reading hands out the files where they lie, writing is one rename.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Error, Fetched, Result, Store, Uri};

#[derive(Debug, Clone, Copy, Default)]
pub struct LocalStore;

impl Store for LocalStore {
    const TREE_SUFFIX: &'static str = "";

    async fn file(&self, uri: &Uri, _scratch: &Path) -> Result<Fetched> {
        if !uri.path().is_file() {
            return Err(Error::Missing { uri: uri.clone() });
        }
        let sha256 = match fs::read_to_string(digest_path(uri.path())) {
            Ok(text) => Some(text.trim().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => {
                return Err(Error::Io { action: "read the digest of", uri: uri.clone(), source });
            }
        };
        Ok(Fetched { path: uri.path().to_owned(), sha256 })
    }

    async fn tree(&self, uri: &Uri, _scratch: &Path) -> Result<PathBuf> {
        if uri.path().is_dir() {
            Ok(uri.path().to_owned())
        } else {
            Err(Error::Missing { uri: uri.clone() })
        }
    }

    async fn put_file(&self, from: &Path, uri: &Uri, sha256: Option<&str>) -> Result<()> {
        let (from, to) = (from.to_owned(), uri.path().to_owned());
        let digest = sha256.map(str::to_owned);
        let put = tokio::task::spawn_blocking(move || put_file(&from, &to, digest.as_deref()));
        put.await.expect("copying does not panic").map_err(|source| Error::Io {
            action: "write",
            uri: uri.clone(),
            source,
        })
    }

    async fn put_tree(&self, from: &Path, uri: &Uri) -> Result<()> {
        let (from, to) = (from.to_owned(), uri.path().to_owned());
        let put = tokio::task::spawn_blocking(move || put_tree(&from, &to));
        put.await.expect("copying does not panic").map_err(|source| Error::Io {
            action: "write",
            uri: uri.clone(),
            source,
        })
    }
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
    if to.exists() {
        fs::rename(to, beside.path().join("old"))?;
    }
    fs::rename(&new, to)
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
fn put_file(from: &Path, to: &Path, sha256: Option<&str>) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let mut beside = tempfile::Builder::new().prefix(".framewright-").tempfile_in(folder)?;
    io::copy(&mut fs::File::open(from)?, beside.as_file_mut())?;
    // A temporary file is private to its owner; a result is as readable as any file its owner makes.
    beside.as_file().set_permissions(fs::metadata(from)?.permissions())?;
    // A reader finds the new file with its digest or without one, never with that of the file before.
    match fs::remove_file(digest_path(to)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    beside.persist(to).map_err(|error| error.error)?;
    sha256.map_or(Ok(()), |digest| fs::write(digest_path(to), digest))
}

fn digest_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".sha256");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_comes_back_with_the_digest_it_was_put_with() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        fs::write(&from, "content").unwrap();
        let uri = Uri::from_path(&dir.path().join("a/b/to")).unwrap();
        LocalStore.put_file(&from, &uri, Some("d1")).await.unwrap();
        let fetched = LocalStore.file(&uri, dir.path()).await.unwrap();
        assert_eq!(fs::read_to_string(&fetched.path).unwrap(), "content");
        assert_eq!(fetched.sha256.as_deref(), Some("d1"));
    }

    #[tokio::test]
    async fn what_is_not_there_is_missing_by_name() {
        let uri = Uri::parse("file:///no/such").unwrap();
        let file = LocalStore.file(&uri, Path::new("/tmp")).await.unwrap_err().to_string();
        assert_eq!(file, "file:///no/such does not exist");
        assert!(matches!(
            LocalStore.tree(&uri, Path::new("/tmp")).await,
            Err(Error::Missing { .. })
        ));
    }

    #[tokio::test]
    async fn a_failed_write_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let uri = Uri::from_path(&dir.path().join("to")).unwrap();
        assert!(LocalStore.put_file(&dir.path().join("absent"), &uri, None).await.is_err());
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
        let names: Vec<_> =
            fs::read_dir(uri.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
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
