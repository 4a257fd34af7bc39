//! A project on its way into the cloud: which files go, whether the function would take them, and what the whole is called.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use render::plan::SKIPPED;
use sha2::{Digest, Sha256};
use store::{Limits, Member};

use crate::error::{Error, Result};

/// What never leaves this machine: what is secret, and what belongs to a working copy, by its name anywhere in the project.
const PRIVATE: [&str; 4] = [".git", ".env", ".DS_Store", ".framewright"];
/// `.env.local` and such.
const PRIVATE_PREFIX: &str = ".env.";

/// A block of an archive, of which a file takes one and as many as it fills; one with a long name takes three more.
const BLOCK: u64 = 512;
const LONGEST_SHORT_NAME: usize = 100;

/// The files of a project, in the order of their names.
#[derive(Debug)]
pub(super) struct Project {
    members: Vec<Member>,
}

/// A project as one file.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) file: PathBuf,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl Project {
    /// Lists what is below `root`, but for the file `output` that a render makes.
    pub(super) fn list(root: &Path, output: Option<&Path>) -> Result<Self> {
        let mut members = Vec::new();
        list_into(root, "", output, &mut Vec::new(), &mut members)?;
        members.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { members })
    }

    /// Refuses what planning would refuse before it reads a file.
    pub(super) fn check(&self, entry: &str, limits: Limits) -> Result<()> {
        if !self.members.iter().any(|member| member.name == entry) {
            return Err(render::Error::EntryMissing { entry: entry.to_owned() }.into());
        }
        let Limits { entries, bytes, ratio: _ } = limits;
        let too_large = |reason| {
            let archive = "the project".to_owned();
            Err(store::Error::Archive { archive, reason }.into())
        };
        let count = self.members.len() as u64;
        if count > entries {
            return too_large(format!("it has {count} files, and at most {entries} are taken"));
        }
        let mut unpacked = 0;
        for Member { name, path } in &self.members {
            let length = fs::metadata(path).map_err(io("look at", path))?.len();
            let headers = if name.len() > LONGEST_SHORT_NAME { 4 } else { 1 };
            unpacked += (headers + length.div_ceil(BLOCK)) * BLOCK;
        }
        if unpacked > bytes {
            return too_large(format!(
                "it has {unpacked} bytes as an archive, and at most {bytes} are taken"
            ));
        }
        Ok(())
    }

    /// Makes one file of it in `scratch`: the same files always make the same bytes.
    pub(super) async fn pack(&self, scratch: &Path) -> Result<Packed> {
        let file = scratch.join("project.tar.gz");
        store::pack_members(self.members.clone(), &file).await?;
        let hashed = file.clone();
        let hashing = tokio::task::spawn_blocking(move || {
            let mut sum = Sha256::new();
            let mut packed = File::open(&hashed)?;
            let (mut bytes, mut buffer) = (0, vec![0; 1 << 18]);
            loop {
                let length = packed.read(&mut buffer)?;
                if length == 0 {
                    return Ok((bytes, sum.finalize()));
                }
                bytes += length as u64;
                sum.update(&buffer[..length]);
            }
        });
        let hashed = hashing.await.expect("hashing does not panic");
        let (bytes, digest) = hashed.map_err(io("read", &file))?;
        let sha256 = hex(&digest);
        Ok(Packed { file, bytes, sha256 })
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}

/// `above` holds the directories that are being listed.
fn list_into(
    dir: &Path,
    prefix: &str,
    output: Option<&Path>,
    above: &mut Vec<PathBuf>,
    members: &mut Vec<Member>,
) -> Result<()> {
    let real = fs::canonicalize(dir).map_err(io("look at", dir))?;
    if above.contains(&real) {
        // A link to a directory that contains it.
        return Err(render::Error::SpecialFile { path: dir.to_owned() }.into());
    }
    above.push(real);
    for entry in fs::read_dir(dir).map_err(io("list", dir))? {
        let entry = entry.map_err(io("list", dir))?;
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            return Err(render::Error::SpecialFile { path }.into());
        };
        let stays = PRIVATE.contains(&name.as_str())
            || name.starts_with(PRIVATE_PREFIX)
            || (prefix.is_empty() && SKIPPED.contains(&name.as_str()))
            || output == Some(path.as_path());
        if stays {
            continue;
        }
        let name = format!("{prefix}{name}");
        let metadata = fs::metadata(&path).map_err(io("look at", &path))?;
        if metadata.is_dir() {
            list_into(&path, &format!("{name}/"), output, above, members)?;
        } else if metadata.is_file() {
            members.push(Member { name, path });
        } else {
            return Err(render::Error::SpecialFile { path }.into());
        }
    }
    above.pop();
    Ok(())
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.display().to_string();
    move |source| Error::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A project with these files, each holding its own name.
    fn project(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        dir
    }

    fn names(project: &Project) -> Vec<&str> {
        project.members.iter().map(|member| member.name.as_str()).collect()
    }

    #[test]
    fn secrets_and_working_files_stay_and_what_links_point_at_goes() {
        let shared = project(&["logo.svg"]);
        let dir = project(&[
            "index.html",
            ".git/HEAD",
            ".env",
            ".env.local",
            ".DS_Store",
            ".framewright/framewright.json",
            "node_modules/x.js",
            "dist/old.mp4",
            "out.mp4",
            "img/.DS_Store",
            "img/.git/HEAD",
            "img/dist/b.png",
            "img/out.mp4",
            ".environment",
        ]);
        symlink(shared.path(), dir.path().join("shared")).unwrap();
        let listed = Project::list(dir.path(), Some(&dir.path().join("out.mp4"))).unwrap();
        assert_eq!(
            names(&listed),
            [".environment", "img/dist/b.png", "img/out.mp4", "index.html", "shared/logo.svg"]
        );
    }

    #[test]
    fn a_project_that_planning_would_refuse_is_refused_here() {
        let dir = project(&["index.html", "a/b.html"]);
        let listed = Project::list(dir.path(), None).unwrap();
        listed.check("a/b.html", Limits::default()).unwrap();
        let check = |entry, limits| {
            let error = listed.check(entry, limits).unwrap_err();
            (error.code().name(), error.to_string())
        };
        let whole = Limits::default();
        let (code, message) = check("other.html", whole);
        assert_eq!((code, message.as_str()), ("ENTRY_MISSING", "the project has no other.html"));
        let (code, message) = check("index.html", Limits { entries: 1, ..whole });
        assert!(code == "ARCHIVE_INVALID" && message.contains("2 files"), "{code} {message}");
        let (code, message) = check("index.html", Limits { bytes: 2047, ..whole });
        assert!(code == "ARCHIVE_INVALID" && message.contains("2048 bytes"), "{code} {message}");
        listed.check("index.html", Limits { bytes: 2048, ..whole }).unwrap();

        symlink(dir.path(), dir.path().join("a/up")).unwrap();
        let error = Project::list(dir.path(), None).unwrap_err();
        assert_eq!(error.code().name(), "PROJECT_FILE_INVALID", "{error}");
    }

    #[tokio::test]
    async fn the_same_files_make_the_same_archive_wherever_they_are() {
        let mut digests = Vec::new();
        for extra in [".env", "more.css"] {
            let dir = project(&["index.html", "img/a.png", extra]);
            let scratch = tempfile::tempdir().unwrap();
            let packed = Project::list(dir.path(), None).unwrap().pack(scratch.path()).await;
            let Packed { file, bytes, sha256 } = packed.unwrap();
            assert_eq!(fs::metadata(file).unwrap().len(), bytes);
            digests.push(sha256);
        }
        let again = project(&["img/a.png", "index.html"]);
        let scratch = tempfile::tempdir().unwrap();
        let packed = Project::list(again.path(), None).unwrap().pack(scratch.path()).await.unwrap();
        assert_eq!(packed.sha256, digests[0]);
        assert_ne!(packed.sha256, digests[1]);
    }
}
