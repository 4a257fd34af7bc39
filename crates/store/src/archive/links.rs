//! Links of an archive: made when everything else is there, and only if what they lead to is in the archive, too.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use tar::EntryType;

use super::{Failure, Limits, Links, cannot_be_made, make_dirs, safe_path};

type Result<T> = std::result::Result<T, Failure>;

/// A link that an archive has.
#[derive(Debug)]
pub(super) struct Link {
    /// Its path below the directory that is unpacked into.
    name: PathBuf,
    /// The same, as the archive has it.
    shown: String,
    target: Target,
}

#[derive(Debug)]
enum Target {
    /// A path as seen from the link.
    Symbolic(PathBuf),
    /// A file that came before, which the archive does not repeat, as a path below the directory that is unpacked into.
    Same(PathBuf),
}

impl Links {
    /// What becomes of the link `name`, which the archive has as `shown`.
    pub(super) fn take(
        self,
        name: PathBuf,
        shown: String,
        kind: EntryType,
        target: Option<&Path>,
    ) -> Result<Option<Link>> {
        let Self::Followed { left_out } = self else {
            let reason = format!("{shown} is a link; only files and directories are taken");
            return Err(Failure::Bad(reason));
        };
        let top = name.components().next();
        let is_top = |skipped: &&str| top == Some(Component::Normal(skipped.as_ref()));
        if left_out.iter().any(is_top) {
            return Ok(None);
        }
        let Some(target) = target.filter(|target| target.is_relative()) else {
            return Err(leads_out(&shown));
        };
        let target = if kind == EntryType::Symlink {
            Target::Symbolic(target.to_owned())
        } else {
            Target::Same(safe_path(target, &shown).map_err(|_outside| leads_out(&shown))?)
        };
        Ok(Some(Link { name, shown, target }))
    }
}

fn leads_out(shown: &str) -> Failure {
    Failure::Bad(format!(
        "{shown} is a link that leads out of the archive; only links within it are taken"
    ))
}

/// Makes `links` below `into`, in which every file of the archive is. What is seen through all of them must be within `limits`, too.
pub(super) fn make(links: &[Link], into: &Path, limits: Limits) -> Result<()> {
    if links.is_empty() {
        return Ok(());
    }
    let root = fs::canonicalize(into).map_err(|error| Failure::Write(into.to_owned(), error))?;
    let names: BTreeSet<_> = links.iter().map(|link| &*link.name).collect();
    for Link { name, shown, target } in links {
        // Whatever is below a link would be made where that leads.
        if name.ancestors().skip(1).any(|above| names.contains(above)) {
            return Err(Failure::Bad(format!("{shown} is below a link")));
        }
        let path = into.join(name);
        let failed = |error| cannot_be_made(shown, &path, error);
        make_dirs(into, name.parent().unwrap_or(Path::new(""))).map_err(failed)?;
        match target {
            Target::Symbolic(target) => symlink(target, &path).map_err(failed)?,
            Target::Same(file) => {
                let file = fs::canonicalize(into.join(file)).map_err(|_gone| dangling(shown))?;
                if !file.starts_with(&root) || !file.is_file() {
                    return Err(dangling(shown));
                }
                fs::hard_link(&file, &path).map_err(failed)?;
            }
        }
    }
    // A link may lead through others, so that where it ends is known when all are there.
    for Link { shown, name, .. } in links {
        match fs::canonicalize(into.join(name)) {
            Ok(end) if end.starts_with(&root) => {}
            Ok(_) => return Err(leads_out(shown)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(dangling(shown)),
            Err(_circle) => {
                return Err(Failure::Bad(format!("{shown} is a link that leads nowhere")));
            }
        }
    }
    measure(into, &mut (0, 0), limits)
}

fn dangling(shown: &str) -> Failure {
    Failure::Bad(format!("{shown} is a link to something that is not in the archive"))
}

/// Adds up what a copy of `dir` would hold that has the targets of links in their place: a few links can stand for very much.
fn measure(dir: &Path, sum: &mut (u64, u64), limits: Limits) -> Result<()> {
    let Limits { entries, bytes, ratio: _ } = limits;
    // A path that leads through a circle ends where the system follows no more links.
    let circle = |_error| Failure::Bad("its links go in a circle".to_owned());
    for entry in fs::read_dir(dir).map_err(circle)? {
        let path = entry.map_err(circle)?.path();
        let found = fs::metadata(&path).map_err(circle)?;
        sum.0 += 1;
        if sum.0 > entries {
            return Err(Failure::Bad(format!("with its links it has more than {entries} entries")));
        }
        if found.is_dir() {
            measure(&path, sum, limits)?;
            continue;
        }
        sum.1 += found.len();
        if sum.1 > bytes {
            let reason = format!("with its links it unpacks to more than {bytes} bytes");
            return Err(Failure::Bad(reason));
        }
    }
    Ok(())
}
