//! How the function starts itself once more: as a process whose memory and environment no other process of its user can read,
//! and with few pools of memory.
//!
//! A program that may be executed and not read makes a process that cannot be dumped. Its files in `/proc` then belong to root, and
//! nobody may attach to it. `prctl`, which does the same, is refused on Lambda.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{MemfdFlags, Mode, OFlags};

/// Set in the process that was started anew.
const RESTARTED: &str = "FRAMEWRIGHT_RESTARTED";

/// glibc's setting for how many pools of memory threads may open, and how many serve this program. Each pool keeps what its thread
/// no longer needs, and over many invocations that adds up. glibc reads the setting only when a program starts.
const ARENAS: (&str, &str) = ("MALLOC_ARENA_MAX", "2");

/// May be executed and not read, by its owner either.
const EXECUTE_ONLY: u32 = 0o111;

/// Starts this program anew, unless it has been. Where nothing works, it goes on as it is: [`is_shielded`] tells.
pub(crate) fn restart() {
    if std::env::var_os(RESTARTED).is_some() {
        return;
    }
    // A file that its user cannot read is shielded as it is.
    if !is_shielded() {
        for copy in [in_memory as fn(&Path) -> io::Result<OwnedFd>, in_scratch] {
            // It returns only if it fails.
            let _failed = copy(Path::new("/proc/self/exe"))
                .map(|program| start(Path::new(&format!("/proc/self/fd/{}", program.as_raw_fd()))));
        }
    }
    let _failed = start(Path::new("/proc/self/exe"));
}

/// Whether processes of the same user are kept from this one's memory and environment.
pub(crate) fn is_shielded() -> bool {
    let me = rustix::process::geteuid().as_raw();
    fs::metadata("/proc/self/environ").is_ok_and(|environ| environ.uid() != me)
}

fn start(program: &Path) -> io::Error {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| OsString::from("bootstrap"));
    let mut again = Command::new(program);
    again.arg0(name).args(arguments).env(RESTARTED, "1");
    if std::env::var_os(ARENAS.0).is_none() {
        again.env(ARENAS.0, ARENAS.1);
    }
    again.exec()
}

fn in_memory(program: &Path) -> io::Result<OwnedFd> {
    let file = rustix::fs::memfd_create("bootstrap", MemfdFlags::CLOEXEC)?;
    fill(File::from(file), program)
}

/// Where there are no files in memory: a file in the scratch directory, whose name is gone before it runs.
fn in_scratch(program: &Path) -> io::Result<OwnedFd> {
    fill(tempfile::tempfile()?, program)
}

/// Copies the program to where only execution is allowed. Nobody holds the copy open for writing when it is returned.
fn fill(mut copy: File, program: &Path) -> io::Result<OwnedFd> {
    io::copy(&mut File::open(program)?, &mut copy)?;
    copy.set_permissions(Permissions::from_mode(EXECUTE_ONLY))?;
    let path = format!("/proc/self/fd/{}", copy.as_raw_fd());
    Ok(rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}
