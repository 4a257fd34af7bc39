//! The files of a project, watched for changes. Their times and sizes are compared again and again: that works on every file system,
//! also on those of containers and networks, which tell of no changes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(300);

/// More files than this are not watched.
const MAX_FILES: usize = 20_000;

/// What files were like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot(BTreeMap<PathBuf, (u64, Option<SystemTime>)>);

impl Snapshot {
    pub(super) fn of(project: &Path) -> Self {
        let mut found = BTreeMap::new();
        look(project, true, &mut found);
        Self(found)
    }
}

fn look(dir: &Path, is_top: bool, found: &mut BTreeMap<PathBuf, (u64, Option<SystemTime>)>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let is_left_out = is_top && render::plan::SKIPPED.contains(&&*name);
        if is_left_out || name.starts_with(".framewright") || found.len() >= MAX_FILES {
            continue;
        }
        // A link counts as what it leads to.
        let Ok(about) = fs::metadata(&path) else { continue };
        if about.is_dir() {
            look(&path, false, found);
        } else {
            found.insert(path, (about.len(), about.modified().ok()));
        }
    }
}

/// Waits until `project` is not as it was at `before`, and no longer changes.
pub(super) async fn changed(project: &Path, before: &Snapshot) {
    let mut latest = before.clone();
    loop {
        tokio::time::sleep(INTERVAL).await;
        let now = Snapshot::of(project);
        let is_settled = now == latest;
        latest = now;
        if is_settled && latest != *before {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_planning_leaves_out_is_not_watched() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let file = dir.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, name).unwrap();
        };
        write("index.html");
        let before = Snapshot::of(dir.path());
        write("node_modules/x.js");
        write(".framewright-abc/y");
        assert_eq!(Snapshot::of(dir.path()), before);
        write("scenes/node_modules/x.js");
        assert_ne!(Snapshot::of(dir.path()), before);
        let before = Snapshot::of(dir.path());
        fs::write(dir.path().join("index.html"), "another length").unwrap();
        assert_ne!(Snapshot::of(dir.path()), before);
    }
}
