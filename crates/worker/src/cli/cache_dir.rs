//! The directory of `render --cache`: where it may be, and how large it may get.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::actions::cache::Cache;
use crate::cli::args::CacheArgs;
use crate::cli::host::uri;
use crate::error::{Error, Result};

/// Tells programs that make backups what this is.
const TAG: (&str, &str) = (
    "CACHEDIR.TAG",
    "Signature: 8a477f597d28d172789f06886806bc55\n# Chunks that framewright keeps, so that it need not draw them again.\n",
);

/// The only directory that anything is removed from, below the one that was named.
const FOLDER: &str = "framewright-chunks";

const MIB: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct CacheDir {
    cache: Cache,
    dir: PathBuf,
    limit: u64,
}

impl CacheDir {
    /// Makes the directory, if chunks are to be kept.
    pub(super) fn open(args: &CacheArgs, project: &Path) -> Result<Option<Self>> {
        let CacheArgs { cache, no_cache, cache_size } = args;
        let Some(named) = cache.as_deref().filter(|path| !no_cache && !path.as_os_str().is_empty())
        else {
            return Ok(None);
        };
        let argument = || format!("--cache {}", named.display());
        if named.to_str().is_some_and(|text| text.contains("://")) {
            let reason = "must be a directory".to_owned();
            return Err(Error::Argument { argument: argument(), reason });
        }
        let dir = std::path::absolute(named).unwrap_or_else(|_empty| named.to_owned());
        let dir = dir.join(FOLDER);
        let failed = |source| Error::Io { action: "make", path: dir.display().to_string(), source };
        fs::create_dir_all(&dir).map_err(failed)?;
        let dir = fs::canonicalize(&dir).map_err(failed)?;
        // What is in the project is copied into its plan.
        if let Ok(inside) = dir.strip_prefix(project)
            && !is_left_out(inside)
        {
            let _not_empty = fs::remove_dir(&dir);
            let reason = "must not be in the project".to_owned();
            return Err(Error::Argument { argument: argument(), reason });
        }
        fs::write(dir.join(TAG.0), TAG.1).map_err(failed)?;
        let cache = Cache::new(uri(&dir)?);
        Ok(Some(Self { cache, dir, limit: u64::from(*cache_size) * MIB }))
    }

    pub(super) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Removes what was used last longest ago, until the rest is small enough. A cache fails no render.
    pub(super) fn prune(&self) {
        if let Err(error) = prune(&self.dir, self.limit) {
            tracing::warn!(%error, dir = %self.dir.display(), "the cache is not pruned");
        }
    }
}

/// Whether a path in a project is left out of its plan.
fn is_left_out(inside: &Path) -> bool {
    let first = inside.iter().next().and_then(|name| name.to_str());
    first.is_some_and(|name| render::plan::SKIPPED.contains(&name))
}

/// Another render may remove the same files at the same time.
fn prune(dir: &Path, limit: u64) -> io::Result<()> {
    let mut files = Vec::new();
    list(dir, &mut files)?;
    files.sort();
    let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, bytes, path) in files {
        if total <= limit {
            break;
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => total -= bytes,
        }
    }
    Ok(())
}

/// Adds the files below `dir`: when each was used last, how large it is, and where it is.
fn list(dir: &Path, files: &mut Vec<(SystemTime, u64, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let found = match entry.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            found => found?,
        };
        if found.is_dir() {
            list(&entry.path(), files)?;
        } else if found.is_file() && entry.file_name() != TAG.0 {
            files.push((found.modified()?, found.len(), entry.path()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_used_last_longest_ago_is_removed_until_the_rest_fits() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("v1")).unwrap();
        let start = SystemTime::now() - Duration::from_hours(1);
        for (name, age) in [("b", 2), ("a", 3), ("c", 1), (TAG.0, 9)] {
            let path = dir.path().join(if name == TAG.0 { "" } else { "v1" }).join(name);
            fs::write(&path, [0; 100]).unwrap();
            let used = start - Duration::from_mins(age);
            fs::File::open(path).unwrap().set_modified(used).unwrap();
        }
        let left = || {
            let mut files = Vec::new();
            list(dir.path(), &mut files).unwrap();
            files.sort();
            let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
            files.into_iter().map(|(_, _, path)| name(path)).collect::<Vec<_>>()
        };
        for (limit, expected) in
            [(300, &["a", "b", "c"][..]), (299, &["b", "c"]), (100, &["c"]), (99, &[])]
        {
            prune(dir.path(), limit).unwrap();
            assert_eq!(left(), expected, "{limit}");
        }
        assert!(dir.path().join(TAG.0).exists());
    }

    #[test]
    fn a_directory_that_a_plan_leaves_out_may_be_in_the_project() {
        assert!(is_left_out(Path::new(".cache/framewright-chunks")));
        assert!(!is_left_out(Path::new("media/framewright-chunks")));
        assert!(!is_left_out(Path::new("framewright-chunks")));
    }
}
