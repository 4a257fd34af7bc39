//! The only place a child process is started: arguments as a list, an environment built from nothing, its own process
//! group, stderr drained, and killed and waited for on every path.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Resource, Rlimit, Signal, WaitOptions};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{ChildStdin, Command};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};

/// How many of a child's last stderr lines are kept for its error message.
const TAIL_LINES: usize = 20;
const TAIL_LINE_BYTES: usize = 500;
const MAX_LINE_BYTES: u64 = 16 << 10;

/// In the environment of every child: the id of the process that has started it.
pub const OWNER: &str = "FRAMEWRIGHT_OWNER";

/// How long a browser that is asked to end may take for that. Most take a tenth of it.
const END_LIMIT: Duration = Duration::from_secs(1);

/// How long a killed child may take to be gone.
const KILL_LIMIT: Duration = Duration::from_secs(2);

/// A command line as a value: built by a pure function, printed in errors, run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cmd {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(&'static str, OsString)>,
}

impl Cmd {
    pub(crate) fn new(program: &Path) -> Self {
        Self { program: program.to_owned(), args: Vec::new(), env: Vec::new() }
    }

    #[must_use]
    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds several arguments, written as one string with blanks between them; none may hold a blank itself.
    #[must_use]
    pub(crate) fn words(mut self, words: &str) -> Self {
        self.args.extend(words.split_whitespace().map(OsString::from));
        self
    }

    #[must_use]
    pub(crate) fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }
}

impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.program.file_name().unwrap_or_default().to_string_lossy())?;
        self.args.iter().try_for_each(|arg| write!(f, " {}", arg.to_string_lossy()))
    }
}

/// A running child. Dropping it kills its whole process group and waits until that is gone.
#[derive(Debug)]
pub(crate) struct Child {
    inner: tokio::process::Child,
    group: Pid,
    /// Whether it has helpers of its own.
    has_helpers: bool,
    command: String,
    protocol: Option<UnixStream>,
    tail: Arc<Mutex<VecDeque<String>>>,
    drain: JoinHandle<()>,
}

/// What a child is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pipes {
    Stdin,
    Stdout,
    /// Descriptors 3 and 4 are one end of a pair, as Chrome's DevTools pipe wants them: it reads from the first and writes to the
    /// second. A pair of sockets, since whoever sees a process's pipes in /proc can open them.
    Protocol,
}

impl Child {
    pub(crate) fn start(cmd: &Cmd, pipes: Pipes) -> Result<Self> {
        let mut command = Command::new(&cmd.program);
        command
            .args(&cmd.args)
            .env_clear()
            .envs(cmd.env.iter().map(|(name, value)| (name, value)))
            .env(OWNER, std::process::id().to_string())
            .stdin(if pipes == Pipes::Stdin { Stdio::piped() } else { Stdio::null() })
            .stdout(if pipes == Pipes::Stdout { Stdio::piped() } else { Stdio::null() })
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let protocol = match pipes {
            Pipes::Protocol => {
                Some(connect(&mut command).map_err(Error::io("connect", &cmd.program))?)
            }
            Pipes::Stdin | Pipes::Stdout => None,
        };
        let mut inner = command.spawn().map_err(Error::io("start", &cmd.program))?;
        let group = inner
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw)
            .expect("a child that was just started and not waited for has an id");
        // A crashing browser must not fill the disk with its memory. Failing to say so is no reason not to render.
        let no_core = Rlimit { current: Some(0), maximum: Some(0) };
        if let Err(errno) = rustix::process::prlimit(Some(group), Resource::Core, no_core) {
            tracing::debug!(%errno, "core dumps stay on");
        }
        let stderr = inner.stderr.take().expect("stderr is piped");
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let drain = tokio::spawn(drain(stderr, Arc::clone(&tail)));
        let has_helpers = pipes == Pipes::Protocol;
        Ok(Self { inner, group, has_helpers, command: cmd.to_string(), protocol, tail, drain })
    }

    pub(crate) fn id(&self) -> u32 {
        self.group.as_raw_nonzero().get().unsigned_abs()
    }

    pub(crate) fn stdin(&mut self) -> Option<ChildStdin> {
        self.inner.stdin.take()
    }

    /// Our end of the pair.
    pub(crate) fn protocol(&mut self) -> Option<UnixStream> {
        self.protocol.take()
    }

    /// The last lines the child wrote to stderr, joined.
    pub(crate) fn stderr_tail(&self) -> String {
        let tail = self.tail.lock().expect("nothing panics while holding the tail");
        tail.iter().map(String::as_str).collect::<Vec<_>>().join("; ")
    }

    /// Waits for the end of the child and of its stderr.
    pub(crate) async fn wait(&mut self) -> Result<ExitStatus> {
        let status =
            self.inner.wait().await.map_err(Error::io("wait for", Path::new(&self.command)))?;
        // Every line is in once the pipe is closed; a grandchild that keeps it open must not hold us up.
        let _closed_in_time = tokio::time::timeout(Duration::from_secs(1), &mut self.drain).await;
        Ok(status)
    }
}

impl Child {
    /// Where this process adopts orphans, the helpers that a child leaves behind are its own to bury. Elsewhere there are none.
    fn reap_helpers(&self, until: Instant) {
        while Instant::now() < until {
            match rustix::process::waitpgid(self.group, WaitOptions::NOHANG) {
                Ok(Some(_buried)) => {}
                Ok(None) => std::thread::sleep(Duration::from_millis(1)),
                Err(_none_left) => return,
            }
        }
    }
}

impl Child {
    /// Asks a child to end by itself, so that it waits for its helpers. What is killed leaves them to the init process, and one that
    /// does not reap keeps each as a zombie. Not necessary where this process can adopt them, which `prctl` tells; Lambda refuses it.
    fn end_with_helpers(&mut self) {
        if !self.has_helpers || rustix::process::child_subreaper().is_ok() {
            return;
        }
        let _already_gone = rustix::process::kill_process(self.group, Signal::TERM);
        self.wait_until(Instant::now() + END_LIMIT);
    }

    fn wait_until(&mut self, until: Instant) {
        while Instant::now() < until && matches!(self.inner.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.drain.abort();
        self.end_with_helpers();
        let _already_gone = rustix::process::kill_process_group(self.group, Signal::KILL);
        // SIGKILL takes effect soon, not at once; what removes the child's files comes right after this.
        let until = Instant::now() + KILL_LIMIT;
        self.wait_until(until);
        self.reap_helpers(until);
    }
}

/// Gives the child one end of a pair and returns the other.
fn connect(command: &mut Command) -> io::Result<UnixStream> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let [read, write] = [OwnedFd::from(theirs.try_clone()?), OwnedFd::from(theirs)];
    let mappings = vec![
        FdMapping { parent_fd: read, child_fd: 3 },
        FdMapping { parent_fd: write, child_fd: 4 },
    ];
    command.fd_mappings(mappings).expect("each number is used once");
    UnixStream::from_std(ours)
}

async fn drain(stderr: tokio::process::ChildStderr, tail: Arc<Mutex<VecDeque<String>>>) {
    let mut stderr = BufReader::new(stderr);
    let mut bytes = Vec::new();
    // A line may hold anything and be of any length; what is too long for us goes on as another one.
    while matches!((&mut stderr).take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes).await, Ok(1..))
    {
        let mut line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        bytes.clear();
        tracing::trace!(line, "child stderr");
        line.truncate(line.floor_char_boundary(TAIL_LINE_BYTES));
        let mut tail = tail.lock().expect("nothing panics while holding the tail");
        if tail.len() == TAIL_LINES {
            tail.pop_front();
        }
        tail.push_back(line);
    }
}

/// Runs `cmd` to its end within `limit` and returns what it printed; a status other than 0 is an error.
pub(crate) async fn run(cmd: &Cmd, limit: Duration) -> Result<Vec<u8>> {
    let mut child = Child::start(cmd, Pipes::Stdout)?;
    let mut stdout = child.inner.stdout.take().expect("stdout is piped");
    let mut printed = Vec::new();
    let ended = tokio::time::timeout(limit, async {
        stdout.read_to_end(&mut printed).await.map_err(Error::io("read from", &cmd.program))?;
        child.wait().await
    });
    let status = match ended.await {
        Ok(status) => status?,
        Err(_elapsed) => {
            return Err(failed(&child, &format!("no end within {} s", limit.as_secs()), None));
        }
    };
    if !status.success() {
        return Err(failed(&child, &status.to_string(), status.code()));
    }
    Ok(printed)
}

fn failed(child: &Child, status: &str, exit_code: Option<i32>) -> Error {
    Error::Command {
        command: child.command.clone(),
        status: status.to_owned(),
        exit_code,
        stderr: child.stderr_tail(),
    }
}
