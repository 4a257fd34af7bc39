//! Directory trees: listed in one order, copied without following anything out of bounds.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::error::{Error, Result};

/// What belongs to a working copy and not to a composition, by its name at the top of the project.
pub const SKIPPED: [&str; 8] =
    ["node_modules", ".git", ".cache", "output", "failures", "dist", ".next", ".turbo"];

/// Every regular file below `root`, as a path with `/` between its parts. Links are left out.
pub fn files(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    list_into(root, "", &mut found)?;
    found.sort();
    Ok(found)
}

fn list_into(dir: &Path, prefix: &str, found: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let entry = entry.map_err(Error::io("list", dir))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(Error::io("look at", &path))?;
        let name = format!("{prefix}{}", name_of(&path)?);
        if kind.is_dir() {
            list_into(&path, &format!("{name}/"), found)?;
        } else if kind.is_file() {
            found.push(name);
        }
    }
    Ok(())
}

/// A file name as text: names that are not Unicode cannot be asked for by URL, nor hashed the same everywhere.
fn name_of(path: &Path) -> Result<String> {
    let name = path.file_name().unwrap_or_default();
    name.to_str().map(str::to_owned).ok_or_else(|| Error::SpecialFile { path: path.to_owned() })
}

/// Copies a project: what a link points at is copied in its place, so that the copy holds plain files only.
pub fn copy_project(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(Error::io("make", to))?;
    let target = fs::canonicalize(to).map_err(Error::io("look at", to))?;
    copy_dir(from, to, &target, &SKIPPED, &mut Vec::new())
}

/// `target` is where the whole copy goes: a project that contains it is not copied into itself.
fn copy_dir(
    from: &Path,
    to: &Path,
    target: &Path,
    skipped: &[&str],
    above: &mut Vec<PathBuf>,
) -> Result<()> {
    let real = fs::canonicalize(from).map_err(Error::io("look at", from))?;
    if !above.is_empty() && target.starts_with(&real) {
        return Ok(());
    }
    if above.contains(&real) {
        // A link to a directory that contains it.
        return Err(Error::SpecialFile { path: from.to_owned() });
    }
    above.push(real);
    fs::create_dir_all(to).map_err(Error::io("make", to))?;
    for entry in fs::read_dir(from).map_err(Error::io("list", from))? {
        let path = entry.map_err(Error::io("list", from))?.path();
        let name = name_of(&path)?;
        if skipped.contains(&name.as_str()) {
            continue;
        }
        let copy = to.join(&name);
        let metadata = match fs::metadata(&path) {
            // A link to nothing: what asks for it misses it, and a page may never ask.
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_symlink() => continue,
            found => found.map_err(Error::io("look at", &path))?,
        };
        if metadata.is_dir() {
            copy_dir(&path, &copy, target, &[], above)?;
        } else if metadata.is_file() {
            fs::copy(&path, &copy).map_err(Error::io("copy", &path))?;
        } else {
            return Err(Error::SpecialFile { path });
        }
    }
    above.pop();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn write(root: &Path, path: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }

    #[test]
    fn a_copy_has_what_links_point_at_and_leaves_out_the_working_files() {
        let dir = tempfile::tempdir().unwrap();
        let (project, copy) = (dir.path().join("output/project"), dir.path().join("copy"));
        for path in ["index.html", "img/a.png", "node_modules/x.js", ".git/HEAD", "img/dist/b.png"]
        {
            write(&project, path);
        }
        write(dir.path(), "shared/logo.svg");
        symlink(dir.path().join("shared"), project.join("shared")).unwrap();
        copy_project(&project, &copy).unwrap();
        assert_eq!(
            files(&copy).unwrap(),
            ["img/a.png", "img/dist/b.png", "index.html", "shared/logo.svg"]
        );
    }

    #[test]
    fn a_link_to_nothing_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let (project, copy) = (dir.path().join("project"), dir.path().join("copy"));
        write(&project, "index.html");
        symlink("../nowhere", project.join("notes")).unwrap();
        symlink("notes", project.join("again")).unwrap();
        copy_project(&project, &copy).unwrap();
        assert_eq!(files(&copy).unwrap(), ["index.html"]);
    }

    #[test]
    fn a_project_that_contains_the_work_directory_is_not_copied_into_itself() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "index.html");
        write(dir.path(), "work/other/file.txt");
        let copy = dir.path().join("work/plan/compiled");
        copy_project(dir.path(), &copy).unwrap();
        assert_eq!(files(&copy).unwrap(), ["index.html"]);
    }

    #[test]
    fn a_link_to_a_directory_above_it_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().join("project");
        write(&project, "a/b/c.txt");
        symlink(&project, project.join("a/b/up")).unwrap();
        let result = copy_project(&project, &dir.path().join("copy"));
        assert!(matches!(result, Err(Error::SpecialFile { .. })), "{result:?}");
    }
}
