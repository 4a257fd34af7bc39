//! A project that is uploaded: which files it has, whether the function would take them, and the archive they become.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use render::SideOutput;
use render::plan::SKIPPED;
use store::{Limits, Member};
use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// What never leaves this machine: what is secret, and what belongs to a working copy, by its name anywhere in the project.
const PRIVATE: [&str; 3] = [".git", ".env", ".DS_Store"];
/// `.env.local` and such, and the directories in which videos are made.
const PRIVATE_PREFIXES: [&str; 2] = [".env.", ".framewright"];

/// A block of an archive, of which a file takes one and as many as it fills; one with a long name takes three more.
const BLOCK: u64 = 512;
const MAX_SHORT_NAME_BYTES: usize = 100;

/// The files of a project, in the order of their names.
#[derive(Debug)]
pub(super) struct Project {
    members: Vec<Member>,
    /// As an archive, before it is compressed.
    unpacked: u64,
}

/// A project as one file.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) file: PathBuf,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl Project {
    /// Lists what is below `root`, but for `output` that a render makes and its side outputs. A disk may be slow, and a signal
    /// must end the command all the same: so this is done on a thread that is never joined.
    pub(super) async fn list(
        root: PathBuf,
        output: Option<PathBuf>,
        limits: Limits,
    ) -> Result<Self> {
        let (sender, listed) = oneshot::channel();
        std::thread::spawn(move || {
            let _receiver_is_gone = sender.send(Self::list_here(&root, output.as_deref(), limits));
        });
        listed.await.expect("listing does not panic")
    }

    fn list_here(root: &Path, output: Option<&Path>, limits: Limits) -> Result<Self> {
        let root = &fs::canonicalize(root).map_err(io("read", root))?;
        let (above, members) = (Vec::new(), Vec::new());
        let mut walk = Walk { root, output, limits, above, members, unpacked: 0 };
        walk.list(root, "")?;
        let Walk { mut members, unpacked, .. } = walk;
        members.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { members, unpacked })
    }

    /// Refuses what planning would refuse before it reads a file.
    pub(super) fn check(&self, entry: &str, limits: Limits) -> Result<()> {
        if !self.members.iter().any(|member| member.name == entry) {
            return Err(render::Error::EntryMissing { entry: entry.to_owned() }.into());
        }
        let (unpacked, most) = (self.unpacked, limits.bytes);
        if unpacked > most {
            return Err(too_large(format!(
                "it has {unpacked} bytes as an archive, and at most {most} are taken"
            )));
        }
        Ok(())
    }

    /// Makes one file of it in `scratch`: the same files always make the same bytes.
    pub(super) async fn pack(&self, scratch: &Path) -> Result<Packed> {
        let file = scratch.join("project.tar.gz");
        store::pack_members(self.members.clone(), &file).await?;
        let bytes = fs::metadata(&file).map_err(io("read", &file))?.len();
        let sha256 = store::sha256_file(&file).await?;
        Ok(Packed { file, bytes, sha256 })
    }
}

fn special_file(path: PathBuf) -> Error {
    render::Error::from(compose::Error::SpecialFile { path }).into()
}

fn too_large(reason: String) -> Error {
    store::Error::Archive { archive: "the project".to_owned(), reason }.into()
}

fn is_private(name: &str) -> bool {
    PRIVATE.contains(&name) || PRIVATE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// A project that is being listed.
struct Walk<'a> {
    root: &'a Path,
    output: Option<&'a Path>,
    limits: Limits,
    /// The directories that are being listed.
    above: Vec<PathBuf>,
    members: Vec<Member>,
    unpacked: u64,
}

impl Walk<'_> {
    fn list(&mut self, dir: &Path, prefix: &str) -> Result<()> {
        let real = fs::canonicalize(dir).map_err(io("read", dir))?;
        if self.above.contains(&real) {
            // A link to a directory that contains it.
            return Err(special_file(dir.to_owned()));
        }
        self.above.push(real.clone());
        for entry in fs::read_dir(dir).map_err(io("list", dir))? {
            let entry = entry.map_err(io("list", dir))?;
            let path = entry.path();
            let Ok(name) = entry.file_name().into_string() else {
                return Err(special_file(path));
            };
            if is_private(&name) || (prefix.is_empty() && SKIPPED.contains(&name.as_str())) {
                continue;
            }
            let is_link = entry.file_type().map_err(io("read", &path))?.is_symlink();
            let target = if is_link { self.target(&path)? } else { Some(real.join(&name)) };
            if target.is_some_and(|target| !self.is_made(&target)) {
                self.take(path, format!("{prefix}{name}"))?;
            }
        }
        self.above.pop();
        Ok(())
    }

    /// Whether a render makes it, or has made it.
    fn is_made(&self, path: &Path) -> bool {
        self.output.is_some_and(|output| {
            output == path || SideOutput::ALL.iter().any(|kind| kind.beside(output) == path)
        })
    }

    /// What a link stands for, unless that is private. It must be in the project: whoever wrote the project may not have
    /// been allowed to read what is outside of it.
    fn target(&self, link: &Path) -> Result<Option<PathBuf>> {
        let target = fs::canonicalize(link).map_err(io("read", link))?;
        let Ok(inside) = target.strip_prefix(self.root) else {
            return Err(Error::LinkOutside { link: link.to_owned(), target });
        };
        let names_private = inside.iter().any(|name| name.to_str().is_some_and(is_private));
        Ok((!names_private).then_some(target))
    }

    fn take(&mut self, path: PathBuf, name: String) -> Result<()> {
        let metadata = fs::metadata(&path).map_err(io("read", &path))?;
        if metadata.is_dir() {
            return self.list(&path, &format!("{name}/"));
        }
        if !metadata.is_file() {
            return Err(special_file(path));
        }
        let most = self.limits.entries;
        if self.members.len() as u64 == most {
            return Err(too_large(format!("it has more than the {most} files that are taken")));
        }
        let headers = if name.len() > MAX_SHORT_NAME_BYTES { 4 } else { 1 };
        self.unpacked += (headers + metadata.len().div_ceil(BLOCK)) * BLOCK;
        self.members.push(Member { name, path });
        Ok(())
    }
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

    fn list(dir: &tempfile::TempDir) -> Result<Project> {
        Project::list_here(dir.path(), None, Limits::default())
    }

    #[test]
    fn secrets_and_working_files_stay_and_what_links_point_at_goes() {
        let dir = project(&[
            "index.html",
            ".git/HEAD",
            ".env",
            ".env.local",
            ".DS_Store",
            ".framewright/framewright.json",
            ".framewright-4xY1/out.mp4",
            "shared/logo.svg",
            "node_modules/x.js",
            "dist/old.mp4",
            "out.mp4",
            "img/.DS_Store",
            "img/.git/HEAD",
            "img/dist/b.png",
            "img/out.mp4",
            ".environment",
        ]);
        for (link, target) in [
            ("brand", "shared"),
            ("settings.txt", ".env"),
            ("history", "img/.git"),
            ("newest.mp4", "out.mp4"),
        ] {
            symlink(target, dir.path().join(link)).unwrap();
        }
        let output = dir.path().canonicalize().unwrap().join("out.mp4");
        let listed = Project::list_here(dir.path(), Some(&output), Limits::default()).unwrap();
        let expected = [
            ".environment",
            "brand/logo.svg",
            "img/dist/b.png",
            "img/out.mp4",
            "index.html",
            "shared/logo.svg",
        ];
        assert_eq!(names(&listed), expected);
    }

    #[test]
    fn a_link_that_leads_out_of_the_project_is_refused_by_its_name() {
        let (shared, dir) = (project(&["logo.svg"]), project(&["index.html", "a/b.html"]));
        let link = dir.path().join("a/logo.svg");
        for target in [shared.path().join("logo.svg"), shared.path().to_owned(), "/".into()] {
            symlink(&target, &link).unwrap();
            let error = list(&dir).unwrap_err();
            assert_eq!(error.code().name(), "PROJECT_FILE_INVALID", "{error}");
            let said = error.to_string();
            assert!(said.contains("a/logo.svg links to /") && said.contains("copy"), "{said}");
            fs::remove_file(&link).unwrap();
        }
    }

    #[test]
    fn a_project_that_planning_would_refuse_is_refused_here() {
        let dir = project(&["index.html", "a/b.html"]);
        let listed = list(&dir).unwrap();
        listed.check("a/b.html", Limits::default()).unwrap();
        let check = |entry, limits| {
            let error = listed.check(entry, limits).unwrap_err();
            (error.code().name(), error.to_string())
        };
        let whole = Limits::default();
        let (code, message) = check("other.html", whole);
        assert_eq!((code, message.as_str()), ("ENTRY_MISSING", "the project has no other.html"));
        let one = Limits { entries: 1, ..whole };
        let error = Project::list_here(dir.path(), None, one).unwrap_err();
        assert_eq!(error.code().name(), "ARCHIVE_INVALID");
        assert!(error.to_string().contains("more than the 1 files"), "{error}");
        Project::list_here(dir.path(), None, Limits { entries: 2, ..whole }).unwrap();
        let (code, message) = check("index.html", Limits { bytes: 2047, ..whole });
        assert!(code == "ARCHIVE_INVALID" && message.contains("2048 bytes"), "{code} {message}");
        listed.check("index.html", Limits { bytes: 2048, ..whole }).unwrap();

        symlink(dir.path(), dir.path().join("a/up")).unwrap();
        let error = list(&dir).unwrap_err();
        assert_eq!(error.code().name(), "PROJECT_FILE_INVALID", "{error}");
    }

    #[tokio::test]
    async fn the_same_files_make_the_same_archive_wherever_they_are() {
        let mut digests = Vec::new();
        for extra in [".env", "more.css"] {
            let dir = project(&["index.html", "img/a.png", extra]);
            let scratch = tempfile::tempdir().unwrap();
            let packed = list(&dir).unwrap().pack(scratch.path()).await;
            let Packed { file, bytes, sha256 } = packed.unwrap();
            assert_eq!(fs::metadata(file).unwrap().len(), bytes);
            digests.push(sha256);
        }
        let again = project(&["img/a.png", "index.html"]);
        let scratch = tempfile::tempdir().unwrap();
        let packed = list(&again).unwrap().pack(scratch.path()).await.unwrap();
        assert_eq!(packed.sha256, digests[0]);
        assert_ne!(packed.sha256, digests[1]);
    }
}
