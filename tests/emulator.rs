//! Amazon's emulator of the Lambda runtime with our `bootstrap` in it: one sandbox, one event at a time.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{root, stage, tool};
use crate::s3::{BUCKET, S3};
use crate::sandbox::rootfs;

/// A sandbox. Dropping it ends everything that runs in it.
pub(crate) struct Sandbox {
    dir: TempDir,
    child: Child,
    port: u16,
    /// Whether it is like Lambda's, with a namespace of its own for processes.
    is_closed: bool,
}

/// How a sandbox differs from the usual one.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) seconds: u32,
    pub(crate) env: Vec<(&'static str, String)>,
    pub(crate) place: RunsIn,
}

/// Where the emulator and the function run.
#[derive(Debug, Clone)]
pub(crate) enum RunsIn {
    /// On this machine, with its own scratch.
    Here,
    /// Through a shell script in namespaces of its own, which gets the sandbox's directory as its first argument.
    Script(&'static str),
    /// As on Lambda, from the files of a bundle alone.
    Sandbox { root: PathBuf, task: PathBuf },
}

impl Default for Setup {
    fn default() -> Self {
        Self { seconds: 120, env: Vec::new(), place: usual_place() }
    }
}

/// Where functions run that no test has placed: here, or with `FRAMEWRIGHT_TEST_SANDBOX` in a sandbox like Lambda's, to see that all
/// tests of the function pass in it as well.
fn usual_place() -> RunsIn {
    static STAGED: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    if std::env::var_os("FRAMEWRIGHT_TEST_SANDBOX").is_none() {
        return RunsIn::Here;
    }
    let (root, task) = STAGED.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap().keep();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        stage(&dir.join("task"));
        (rootfs(&dir), dir.join("task"))
    });
    RunsIn::Sandbox { root: root.clone(), task: task.clone() }
}

/// Memory of a sandbox that is like Lambda's.
const SANDBOX_MIB: &str = "2048";

/// Two free ports of loopback. Another process could take one before it is used; then the start fails and says so.
pub(crate) fn free_ports() -> (u16, u16) {
    let bound = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [front, api] = bound.map(|listener| listener.local_addr().unwrap().port());
    (front, api)
}

impl Sandbox {
    pub(crate) fn start(s3: &S3, setup: Setup) -> Self {
        Self::connected(&s3.env(), setup)
    }

    /// A sandbox that reaches S3 by what is in `connection`.
    pub(crate) fn connected(connection: &[(&'static str, String)], setup: Setup) -> Self {
        let Setup { seconds, env, place } = setup;
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("tmp")).unwrap();
        let (port, api) = free_ports();
        let rie = tool("lambda/aws-lambda-rie");
        let log = File::create(dir.path().join("log")).unwrap();
        let tmp = dir.path().join("tmp");
        let (mut command, bootstrap) = match &place {
            RunsIn::Here => (Command::new(rie), env!("CARGO_BIN_EXE_bootstrap")),
            RunsIn::Script(script) => {
                let mut command = Command::new("unshare");
                command.args(["-rm", "sh", "-c", script, "sh"]).arg(dir.path()).arg(rie);
                (command, env!("CARGO_BIN_EXE_bootstrap"))
            }
            RunsIn::Sandbox { root: rootfs, task } => {
                let mut command = Command::new(root().join("scripts/sandbox.sh"));
                command.arg(rootfs).arg(task).arg(&tmp).args([SANDBOX_MIB, "/rie"]);
                (command, "/var/task/bootstrap")
            }
        };
        command
            .args(["--log-level", "warn"])
            .args(["--runtime-interface-emulator-address", &format!("127.0.0.1:{port}")])
            .args(["--runtime-api-address", &format!("127.0.0.1:{api}")])
            .arg(bootstrap)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("AWS_LAMBDA_FUNCTION_NAME", "render")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_TIMEOUT", seconds.to_string())
            .env("AWS_SESSION_TOKEN", "")
            .env("HYPERFRAMES_RENDER_BUCKET", BUCKET);
        if let RunsIn::Sandbox { .. } = place {
            command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", SANDBOX_MIB);
        } else {
            command
                .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "4096")
                .env("FRAMEWRIGHT_TOOLS", root().join(".tools"))
                .env("TMPDIR", tmp);
        }
        command
            .envs(connection.iter().cloned())
            .envs(env)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0);
        let child = command.spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        // The function, which the first event starts, gives up at once if its own side does not listen yet.
        while [port, api].iter().any(|port| TcpStream::connect(("127.0.0.1", *port)).is_err()) {
            assert!(Instant::now() < until, "the emulator does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        let is_closed = matches!(place, RunsIn::Sandbox { .. });
        Self { dir, child, port, is_closed }
    }

    /// The id of the emulator's process in a sandbox like Lambda's.
    pub(crate) fn emulator(&self) -> u32 {
        let port = format!("127.0.0.1:{}", self.port);
        let ids = fs::read_dir("/proc").unwrap().flatten();
        let mut ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        ids.find(|id| {
            let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            line.starts_with("/rie") && line.contains(&port)
        })
        .unwrap()
    }

    /// The id of the function's process, which may be in a sandbox like Lambda's.
    pub(crate) fn function(&self) -> u32 {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let found = self.processes().into_iter().find(|(_, name)| name == "bootstrap");
            if let Some((id, _)) = found {
                return id.unsigned_abs();
            }
            assert!(Instant::now() < until, "no function runs\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends one event and returns the answer: the function's, or `{errorType, errorMessage}`.
    pub(crate) fn invoke(&self, event: &Value) -> Value {
        let answer = self.invoke_text(&event.to_string());
        serde_json::from_str(&answer)
            .unwrap_or_else(|error| panic!("{error}: {answer}\n{}", self.log()))
    }

    pub(crate) fn invoke_text(&self, event: &str) -> String {
        let path = "/2015-03-31/functions/function/invocations";
        post(self.port, path, "", event).unwrap_or_else(|| panic!("no answer: {}", self.log()))
    }

    /// What the function and the emulator wrote so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    /// The function's own log lines and metrics.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.log()
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(Value::is_object)
            .collect()
    }

    /// The log lines about an event, such as `success`.
    pub(crate) fn events(&self, name: &str) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["event"] == name).collect()
    }

    /// Where the function keeps its scratch.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.dir.path().join("tmp")
    }

    /// The processes that run in this sandbox, as ids and programs, without the emulator.
    pub(crate) fn processes(&self) -> Vec<(i32, String)> {
        let needle = self.dir.path().to_str().unwrap().to_owned();
        let namespace = |id: u32| fs::read_link(format!("/proc/{id}/ns/pid")).ok();
        let own = self.is_closed.then(|| namespace(self.emulator()).unwrap());
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
            let (line, env) = (read("cmdline"), read("environ"));
            let is_ours = match &own {
                Some(own) => fs::read_link(entry.path().join("ns/pid")).ok().as_ref() == Some(own),
                None => {
                    [&line, &env].iter().any(|text| String::from_utf8_lossy(text).contains(&needle))
                }
            };
            let line = String::from_utf8_lossy(&line).into_owned();
            let program = Path::new(line.split('\0').next().unwrap()).file_name();
            let program = program.map_or(String::new(), |name| name.to_string_lossy().into_owned());
            if is_ours
                && !program.is_empty()
                && !["aws-lambda-rie", "rie", "framewright-guard"].contains(&program.as_str())
                && program != "unshare"
            {
                found.push((id, program));
            }
        }
        found
    }

    /// The ids of running `program`s, waiting until there are some.
    pub(crate) fn wait_for(&self, program: &str) -> Vec<i32> {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let found = self.processes().into_iter().filter(|(_, name)| name == program);
            let ids: Vec<_> = found.map(|(id, _)| id).collect();
            if !ids.is_empty() {
                return ids;
            }
            assert!(Instant::now() < until, "{program} did not start\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asserts that an invocation has left nothing but the function itself.
    pub(crate) fn assert_idle(&self) {
        let running: Vec<_> =
            self.processes().into_iter().filter(|(_, name)| name != "bootstrap").collect();
        assert!(running.is_empty(), "still running: {running:?}");
        let left: Vec<_> = fs::read_dir(self.tmp())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.contains("-pack-"))
            .collect();
        assert!(left.is_empty(), "scratch is left: {left:?}");
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Its group, since in namespaces of its own the emulator is below what was started here.
        let group = format!("-{}", self.child.id());
        let _gone = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _gone = self.child.wait();
        // A namespace of processes ends with its first one.
        if self.is_closed {
            return;
        }
        // The emulator starts the function in a process group of its own.
        for (id, _) in self.processes() {
            let _gone = Command::new("kill")
                .args(["-KILL", &id.to_string()])
                .stderr(Stdio::null())
                .status();
        }
    }
}

/// Sends a request to a server on loopback and returns the body of the answer, unless there is none.
pub(crate) fn post(port: u16, path: &str, headers: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}",
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        Some(unchunked(body))
    } else {
        Some(body.to_owned())
    }
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        if size == 0 {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}
