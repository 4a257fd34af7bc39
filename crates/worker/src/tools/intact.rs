//! Whether an unpacked directory is still what was unpacked. Its files are run, and a page that breaks out of Chrome could write to
//! them: a later invocation must not run what it has left.
//!
//! What this process has unpacked or read in full is known by its inodes, sizes and times. Every write sets the time of change of an
//! inode, which nobody can set back. What another process left is compared with the digests that travel with the pack.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

use sha2::{Digest, Sha256};

/// In a pack: the sha256 and path of each file that it unpacks to.
pub(super) const DIGESTS: &str = ".digests";

/// What tells one state of a file or directory from every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    mode: u32,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The state of everything in a directory, and of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamps(BTreeMap<PathBuf, Stamp>);

impl Stamps {
    pub(super) fn of(dir: &Path) -> io::Result<Self> {
        let mut stamps = BTreeMap::new();
        let mut todo = vec![dir.to_owned()];
        while let Some(path) = todo.pop() {
            let found = fs::symlink_metadata(&path)?;
            if found.is_dir() {
                for entry in fs::read_dir(&path)? {
                    todo.push(entry?.path());
                }
            }
            let stamp = Stamp {
                inode: (found.dev(), found.ino()),
                mode: found.mode(),
                size: found.size(),
                modified: (found.mtime(), found.mtime_nsec()),
                changed: (found.ctime(), found.ctime_nsec()),
            };
            stamps.insert(path, stamp);
        }
        Ok(Self(stamps))
    }
}

/// The digests of `files` below `root`, as they are written into a pack.
pub(super) fn digests(root: &Path, files: &[PathBuf]) -> io::Result<String> {
    let mut text = String::new();
    for (path, digest) in hashed(root, files)? {
        writeln!(text, "{digest} {}", path.display()).expect("writing to a string does not fail");
    }
    Ok(text)
}

/// Whether `files`, which are all that is in `dir`, are those that `pack` has digests of. Without digests, nobody knows.
pub(super) fn matches(pack: &Path, dir: &Path, files: &[PathBuf]) -> bool {
    let Ok(expected) = fs::read_to_string(pack.join(DIGESTS)) else { return false };
    digests(dir, files).is_ok_and(|found| found == expected)
}

fn hashed(root: &Path, files: &[PathBuf]) -> io::Result<BTreeMap<PathBuf, String>> {
    let hash = |path: &PathBuf| {
        let mut hash = Sha256::new();
        io::copy(&mut File::open(root.join(path))?, &mut HashWriter(&mut hash))?;
        let digest = hash.finalize().iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string does not fail");
            text
        });
        Ok((path.clone(), digest))
    };
    thread::scope(|scope| {
        let threads: Vec<_> = files.iter().map(|path| scope.spawn(move || hash(path))).collect();
        threads.into_iter().map(|thread| thread.join().expect("hashing does not panic")).collect()
    })
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn every_change_in_a_directory_shows_also_one_that_keeps_size_and_time() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("tool");
        fs::create_dir_all(root.join("lib")).unwrap();
        fs::write(root.join("lib/a"), "library").unwrap();
        fs::write(root.join("program"), "program").unwrap();
        let program = root.join("program");
        let changes: [&dyn Fn(); 5] = [
            &|| {
                let before = fs::metadata(&program).unwrap().modified().unwrap();
                fs::write(&program, "PROGRAM").unwrap();
                File::options().write(true).open(&program).unwrap().set_modified(before).unwrap();
            },
            &|| fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap(),
            &|| fs::write(root.join("lib/b"), "").unwrap(),
            &|| fs::remove_file(root.join("lib/a")).unwrap(),
            &|| {
                fs::write(root.join("other"), "program").unwrap();
                fs::rename(root.join("other"), &program).unwrap();
            },
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let before = Stamps::of(&root).unwrap();
            assert_eq!(Stamps::of(&root).unwrap(), before);
            // The clock of the file system ticks every few milliseconds.
            std::thread::sleep(std::time::Duration::from_millis(20));
            change();
            assert_ne!(Stamps::of(&root).unwrap(), before, "change {number}");
        }
    }

    #[test]
    fn only_what_has_the_digests_of_its_pack_matches_it() {
        let dir = tempfile::tempdir().unwrap();
        let (pack, tool) = (dir.path().join("pack"), dir.path().join("tool"));
        fs::create_dir(&pack).unwrap();
        fs::create_dir(&tool).unwrap();
        fs::write(tool.join("program"), "program").unwrap();
        let files = [PathBuf::from("program")];
        assert!(!matches(&pack, &tool, &files), "a pack without digests proves nothing");
        fs::write(pack.join(DIGESTS), digests(&tool, &files).unwrap()).unwrap();
        assert!(matches(&pack, &tool, &files));
        assert!(!matches(&pack, &tool, &[]));
        fs::write(tool.join("program"), "PROGRAM").unwrap();
        assert!(!matches(&pack, &tool, &files));
    }
}
