//! Ends what this program has started when the program itself is killed: a second process that waits for the end of the first.
//!
//! A signal at a parent's death needs `prctl`, which Lambda refuses; a pipe that closes needs nothing.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use crate::processes;

/// The argument that makes this program a guard. Then follows the id of the process whose end it waits for.
pub(crate) const ARGUMENT: &str = "guard";

/// A running guard. It ends with this process, however that ends.
#[derive(Debug)]
pub(crate) struct Guard(Option<Child>);

impl Guard {
    /// Starts a guard for this process. Without one, only a kill leaves something behind.
    pub(crate) fn start() -> Self {
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("framewright-guard")
            .arg(ARGUMENT)
            .arg(std::process::id().to_string())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What ends this process's group does not end the guard.
            .process_group(0);
        Self(command.spawn().ok())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(mut guard) = self.0.take() {
            drop(guard.stdin.take());
            let _it_ends_by_itself = guard.wait();
        }
    }
}

/// Waits until process `owner`, which holds the other end of stdin, is gone, and kills every group that it has started.
pub(crate) fn run(owner: &str) {
    let _until_closed = io::stdin().read_to_end(&mut Vec::new());
    processes::kill_children_of(owner);
}
