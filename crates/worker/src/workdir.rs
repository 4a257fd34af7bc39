//! The directory of one invocation: gone when the invocation is over, and what an earlier one left behind gone before.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use crate::error::{Error, Result};

/// Of no other directory: what has it and is not claimed is removed.
const PREFIX: &str = "framewright-work-";

/// Where no directory can be claimed, the last one is used without that.
const MAKE_TRIES: u32 = 3;

/// A thread that was told to stop may still add a file; it has this long to notice.
const REMOVE_LIMIT: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(crate) struct WorkDir {
    path: PathBuf,
    /// Says to other processes that the directory is in use; the kernel takes it back when this one dies.
    claim: Option<File>,
}

/// Claims a directory for this process, or `None` if another one has it.
pub(crate) fn claim(dir: &Path) -> Option<File> {
    let dir = File::open(dir).ok()?;
    flock(&dir, FlockOperation::NonBlockingLockExclusive).ok().map(|()| dir)
}

impl WorkDir {
    pub(crate) fn make(scratch: &Path) -> Result<Self> {
        let mut made = Self::try_make(scratch)?;
        for _ in 1..MAKE_TRIES {
            if made.claim.is_some() && made.path.is_dir() {
                break;
            }
            // Another process took it for one that was left, before it was claimed.
            made = Self::try_make(scratch)?;
        }
        Ok(made)
    }

    fn try_make(scratch: &Path) -> Result<Self> {
        let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(scratch);
        let made = made.map_err(|source| Error::Io {
            action: "make a work directory in",
            path: scratch.display().to_string(),
            source,
        })?;
        let path = made.keep();
        Ok(Self { claim: claim(&path), path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        let until = Instant::now() + REMOVE_LIMIT;
        while fs::remove_dir_all(&self.path).is_err() && self.path.exists() {
            if Instant::now() > until {
                tracing::warn!(path = %self.path.display(), "a work directory could not be removed");
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Removes the work directories of invocations that were cut off: those that no running process claims.
pub(crate) fn remove_stale(scratch: &Path) {
    let Ok(entries) = fs::read_dir(scratch) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let path = entry.path();
        if let Some(claim) = claim(&path) {
            tracing::warn!(path = %path.display(), "removing what an earlier invocation left");
            drop(WorkDir { path, claim: Some(claim) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_work_directory_is_gone_with_its_owner_even_while_it_is_written_to() {
        let scratch = tempfile::tempdir().unwrap();
        let work = WorkDir::make(scratch.path()).unwrap();
        let path = work.path().to_owned();
        let writer = std::thread::spawn(move || {
            let until = Instant::now() + Duration::from_millis(200);
            while Instant::now() < until {
                let _gone = fs::create_dir_all(path.join("a/b"));
                let _gone = fs::write(path.join("a/b/c"), "x");
            }
            path
        });
        std::thread::sleep(Duration::from_millis(50));
        drop(work);
        let path = writer.join().unwrap();
        // Whatever the writer made after the end is stale, and goes before the next invocation.
        remove_stale(scratch.path());
        assert!(!path.exists());
    }

    #[test]
    fn a_work_directory_in_use_is_not_stale() {
        let scratch = tempfile::tempdir().unwrap();
        let work = WorkDir::make(scratch.path()).unwrap();
        remove_stale(scratch.path());
        assert!(work.path().exists());
        let path = work.path().to_owned();
        std::mem::forget(work);
        remove_stale(scratch.path());
        assert!(path.exists(), "a claim lasts as long as the process");
    }

    #[test]
    fn only_work_directories_are_stale() {
        let scratch = tempfile::tempdir().unwrap();
        for name in ["framewright-work-abc/plan", "framewright-other", "chrome-pack-1/lib", "other"]
        {
            fs::create_dir_all(scratch.path().join(name)).unwrap();
        }
        remove_stale(scratch.path());
        let mut left: Vec<_> =
            fs::read_dir(scratch.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["chrome-pack-1", "framewright-other", "other"]);
    }
}
