//! The processes of this sandbox, as far as `/proc` shows them.

use std::fs;

use render::OWNER;
use rustix::process::{Pid, Signal};

/// How many there are, and how many of those that this process may have left have ended and wait to be reaped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Processes {
    pub(crate) all: u32,
    pub(crate) zombies: u32,
}

/// The id of the init process.
const INIT: u32 = 1;

pub(crate) fn count() -> Processes {
    let me = std::process::id();
    // Where orphans are not adopted, they are the init process's, like those of others.
    let adopts = rustix::process::child_subreaper().is_ok_and(|reaper| reaper.is_some());
    let mut counted = Processes::default();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let is_process = entry.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok());
        if !is_process {
            continue;
        }
        // One that is gone by then does not count.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        counted.all += 1;
        let is_left = |parent| parent == me || (!adopts && parent == INIT);
        counted.zombies += u32::from(zombie(&stat).is_some_and(is_left));
    }
    counted
}

/// The parent of a process that has ended, as `/proc/ID/stat` says: its state and parent follow the program's name in brackets.
fn zombie(stat: &str) -> Option<u32> {
    let mut rest = stat.rsplit(')').next()?.split_whitespace();
    if rest.next()? == "Z" { rest.next()?.parse().ok() } else { None }
}

/// Kills every process group that process `owner`, which is gone, has started.
pub(crate) fn kill_children_of(owner: &str) {
    kill_groups(owner, |_parent| true);
}

/// Kills every process group that this process has started. It does not look at the environments of others, which takes long where
/// they are many and busy.
pub(crate) fn kill_own_children() {
    let me = std::process::id();
    kill_groups(&me.to_string(), |parent| parent == me);
}

/// Kills the groups of the processes that have `owner` in their environment and a parent that `may_be` one of them.
fn kill_groups(owner: &str, may_be: impl Fn(u32) -> bool) {
    let mark = format!("{OWNER}={owner}");
    let ids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_marked = |id: u32| {
        let environ = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    let group = |id: u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let (parent, group) = parent_and_group(&stat)?;
        (may_be(parent) && is_marked(id)).then(|| Pid::from_raw(group))?
    };
    let mut groups: Vec<_> = ids.filter_map(group).collect();
    groups.sort_unstable_by_key(|group| group.as_raw_nonzero());
    groups.dedup();
    for group in groups {
        let _gone = rustix::process::kill_process_group(group, Signal::KILL);
    }
}

/// What `/proc/ID/stat` says after the program's name in brackets and the state.
fn parent_and_group(stat: &str) -> Option<(u32, i32)> {
    let mut rest = stat.rsplit(')').next()?.split_whitespace().skip(1);
    Some((rest.next()?.parse().ok()?, rest.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn the_groups_of_marked_processes_are_killed_and_no_others() {
        let [mut mine, mut other] = ["test-7", "test-8"].map(|owner| {
            let mut command = Command::new("sleep");
            command.arg("60").env(OWNER, owner).process_group(0).spawn().unwrap()
        });
        assert_eq!(parent_and_group("12 (a) b) Z 7 11 10 0"), Some((7, 11)));
        kill_groups("test-7", |parent| parent != std::process::id());
        assert!(mine.try_wait().unwrap().is_none(), "its parent is this process");
        kill_children_of("test-7");
        assert!(!mine.wait().unwrap().success());
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn a_process_that_nobody_has_waited_for_is_a_zombie() {
        assert_eq!(
            (zombie("12 (a) b) Z 7 12 12 0"), zombie("12 (Z) S 7 12 12 0")),
            (Some(7), None)
        );
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let stat = format!("/proc/{}/stat", child.id());
        while zombie(&fs::read_to_string(&stat).unwrap()).is_none() {
            std::thread::yield_now();
        }
        let counted = count();
        assert!(counted.zombies >= 1 && counted.all > counted.zombies, "{counted:?}");
        child.wait().unwrap();
    }
}
