//! What a process of the function's user can do to it, and what the function does where Lambda's refusals are in force.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::emulator::{RunsIn, Sandbox, Setup};
use crate::harness::{root, run, stage};
use crate::lambda::{Cloud, PAGE, chunk_of};
use crate::s3::S3;
use crate::sandbox::rootfs;

/// All that Lambda refuses.
const REFUSED: [&str; 6] =
    ["prctl", "memfd_create", "fallocate", "unshare", "ptrace", "process_vm_readv"];

/// A root and a bundle for sandboxes like Lambda's.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // The user of the sandbox must be able to walk there.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        stage(&dir.path().join("task"));
        rootfs(dir.path());
        Self { dir }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn task(&self) -> PathBuf {
        self.dir.path().join("task")
    }

    /// A cloud whose function gets EPERM for the calls in `refused`.
    fn cloud(&self, refused: &str, env: &[(&'static str, &str)]) -> Cloud {
        let mut env: Vec<_> =
            env.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        env.push(("FRAMEWRIGHT_SANDBOX_REFUSES", refused.to_owned()));
        let place = RunsIn::Sandbox { root: self.root(), task: self.task() };
        let s3 = S3::start();
        let sandbox = Sandbox::start(&s3, Setup { env, place, ..Setup::default() });
        Cloud { s3, sandbox }
    }

    /// The verdict of `bootstrap probe` there, and its exit status.
    fn probe(&self, refused: &str) -> (Option<i32>, Value) {
        let tmp = tempfile::tempdir().unwrap();
        let mut command = Command::new(root().join("scripts/sandbox.sh"));
        command.args([self.root(), self.task()]).arg(tmp.path());
        command.args(["2048", "/var/task/bootstrap", "probe"]);
        command.env("FRAMEWRIGHT_SANDBOX_REFUSES", refused).env_remove("FRAMEWRIGHT_TOOLS");
        let run = run(&mut command);
        let verdict = serde_json::from_str(&run.stdout)
            .unwrap_or_else(|error| panic!("{error}: {} {}", run.stdout, run.stderr));
        (run.status, verdict)
    }
}

/// Runs a script of Python as the sandbox's user, with the ids of processes, and returns what it has printed. Only root can become
/// another user.
fn attack(script: &str, ids: &[u32]) -> Value {
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=993",
        "--regid=990",
        "--clear-groups",
        "/usr/bin/python3",
        "-c",
        script,
    ]);
    command.args(ids.iter().map(u32::to_string));
    let run = run(&mut command);
    serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{} {}", run.stdout, run.stderr))
}

/// Says of each way to another process's secrets whether it is open.
const SPY: &str = r#"
import ctypes, json, os, sys
target = int(sys.argv[1])
def tries(action):
    try:
        return bool(action())
    except OSError:
        return False
def attach():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, target, 0, 0) != 0:
        return False
    os.waitpid(target, 0x40000000)
    libc.ptrace(17, target, 0, 0)
    return True
print(json.dumps({
    "environ": tries(lambda: b"AWS_SECRET_ACCESS_KEY=" in open(f"/proc/{target}/environ", "rb").read()),
    "mem": tries(lambda: open(f"/proc/{target}/mem", "rb")),
    "maps": tries(lambda: open(f"/proc/{target}/maps").read()),
    "fd": tries(lambda: os.listdir(f"/proc/{target}/fd")),
    "attach": tries(attach),
}))
"#;

/// Says whether a Chrome can be told what to do: by a port that one of its processes listens on, or by its pipe.
const DEBUGGER: &str = r#"
import json, os, sys
inodes, opened = set(), []
for target in sys.argv[1:]:
    for fd in os.listdir(f"/proc/{target}/fd"):
        path = f"/proc/{target}/fd/{fd}"
        try:
            link = os.readlink(path)
        except OSError:
            continue
        if link.startswith("socket:["):
            inodes.add(link[8:-1])
        if fd in ("3", "4"):
            try:
                os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
                opened.append(f"{link} of {target}")
            except OSError:
                pass
rows = [line.split() for name in ("tcp", "tcp6") for line in open(f"/proc/net/{name}").readlines()[1:]]
ports = [int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and row[9] in inodes]
print(json.dumps({"ports": ports, "pipes": [one for one in opened if "pipe" in one or "socket" in one]}))
"#;

/// Starts a chunk that takes some seconds and does `during` while Chrome draws it.
fn while_rendering<T>(cloud: &Cloud, during: impl FnOnce(&Sandbox) -> T) -> T {
    cloud.page(&PAGE.replace("\"2\"", "\"20\""));
    let plan = cloud.plan(&json!({"fps": 60, "chunkSize": 1200}));
    let event = chunk_of(&plan, 0);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| cloud.sandbox.invoke(&event));
        cloud.sandbox.wait_for("chromium");
        cloud.sandbox.wait_for("ffmpeg");
        let done = during(&cloud.sandbox);
        let answer = running.join().unwrap();
        assert_eq!(answer["FramesEncoded"], 1200, "{answer}");
        done
    })
}

#[test]
fn a_process_of_the_same_user_reads_no_credentials_and_commands_no_chrome() {
    let place = Place::new();
    for refused in ["prctl", "prctl,memfd_create"] {
        let cloud = place.cloud(refused, &[]);
        let (spied, chrome) = while_rendering(&cloud, |sandbox| {
            let chromes = sandbox.wait_for("chromium");
            let chromes: Vec<_> = chromes.into_iter().map(i32::unsigned_abs).collect();
            (attack(SPY, &[sandbox.function()]), attack(DEBUGGER, &chromes))
        });
        let closed =
            json!({"environ": false, "mem": false, "maps": false, "fd": false, "attach": false});
        assert_eq!(spied, closed, "with {refused} refused");
        assert_eq!(chrome, json!({"ports": [], "pipes": []}));
        let done = cloud.sandbox.events("success");
        assert_eq!(done.last().unwrap()["credentials_shielded"], true);
        // Frames still come from Chrome's memory.
        assert_eq!(done.last().unwrap()["frame_source"], "framebuffer");
        assert_eq!(cloud.sandbox.invoke(&json!({"Action": "probe"}))["CredentialsShielded"], true);
    }
}

#[test]
fn without_the_shield_the_same_process_reads_everything_and_the_log_says_so() {
    let place = Place::new();
    // What a process that has been started anew has in its environment: this one is not started anew.
    let cloud = place.cloud("", &[("FRAMEWRIGHT_RESTARTED", "1")]);
    let spied = while_rendering(&cloud, |sandbox| attack(SPY, &[sandbox.function()]));
    for way in ["environ", "mem", "maps", "fd"] {
        assert_eq!(spied[way], true, "{spied}");
    }
    assert_eq!(cloud.sandbox.events("success").last().unwrap()["credentials_shielded"], false);
    assert!(cloud.sandbox.log().contains("can read the function's credentials"));
    let metrics = cloud.sandbox.lines();
    assert!(metrics.iter().any(|line| line["CredentialsShielded"] == 0));
    assert_eq!(cloud.sandbox.invoke(&json!({"Action": "probe"}))["CredentialsShielded"], false);
}

#[test]
fn a_tool_that_was_changed_between_two_invocations_is_not_run() {
    let place = Place::new();
    let cloud = place.cloud(&REFUSED.join(","), &[]);
    cloud.page(PAGE);
    cloud.plan(&json!({"fps": 30, "chunkSize": 60}));
    let tool = |name: &str| {
        let mut packs =
            fs::read_dir(cloud.sandbox.tmp()).unwrap().map(|entry| entry.unwrap().path());
        let prefix = format!("{name}-pack-");
        packs.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&prefix)).unwrap()
    };
    for (pack, name) in [("ffmpeg", "ffmpeg"), ("chrome", "chromium")] {
        let file = tool(pack).join(name);
        let (before, length) = (fs::read(&file).unwrap(), fs::metadata(&file).unwrap().len());
        // The same size, and the time of the last change put back: all that its owner can do.
        let script = "import os, json, sys\nf = sys.argv[1]\ns = os.stat(f)\nh = open(f, 'r+b')\nh.seek(5000)\nh.write(b'tampered')\nh.close()\nos.utime(f, ns=(s.st_atime_ns, s.st_mtime_ns))\nprint(json.dumps(os.stat(f).st_size))";
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid=993",
            "--regid=990",
            "--clear-groups",
            "/usr/bin/python3",
            "-c",
            script,
        ]);
        let tampered = run(command.arg(&file));
        assert_eq!(tampered.stdout.trim(), length.to_string(), "{}", tampered.stderr);
        assert!(fs::read(&file).unwrap() != before);
        let plan = cloud.plan(&json!({"fps": 30, "chunkSize": 60}));
        assert!(fs::read(&file).unwrap() == before, "{name} is what it was");
        let _first = fs::remove_file(cloud.s3.object("work/demo/chunks/0000.mp4"));
        let chunk = cloud.sandbox.invoke(&chunk_of(&plan, 0));
        assert_eq!(chunk["FramesEncoded"], 60, "{chunk}");
    }
}

#[test]
fn each_call_that_lambda_refuses_can_be_done_without_alone_and_with_all_others() {
    let place = Place::new();
    let all = REFUSED.join(",");
    for refused in REFUSED.into_iter().chain(["", all.as_str()]) {
        let (status, verdict) = place.probe(refused);
        assert_eq!((status, &verdict["passed"]), (Some(0), &json!(true)), "{refused}: {verdict}");
        assert_eq!(verdict["frameSource"], "framebuffer", "{refused}: {verdict}");
    }
}

#[test]
fn a_chrome_that_is_killed_at_its_start_is_noticed_at_once() {
    let place = Place::new();
    let start = Instant::now();
    let (status, verdict) = place.probe("kill:memfd_create");
    let took = start.elapsed();
    // Not every Chrome makes the call before it has a page.
    assert!(took < Duration::from_secs(30), "{took:?}: {verdict}");
    if status != Some(0) {
        let code = verdict["error"]["code"].as_str().unwrap();
        assert!(["BROWSER_LAUNCH_FAILED", "BROWSER_LOST"].contains(&code), "{verdict}");
    }
}

/// Invocations in a sandbox that refuses all that Lambda refuses and whose first process does not reap.
fn warm(rounds: u64) {
    let place = Place::new();
    let cloud = place.cloud(&REFUSED.join(","), &[]);
    cloud.page(PAGE);
    let plan = cloud.plan(&json!({"fps": 30, "chunkSize": 6, "maxParallelChunks": 10}));
    let mut seen = Vec::new();
    for round in 0..rounds {
        let index = round % 10;
        let _first = fs::remove_file(cloud.s3.object(&format!("work/demo/chunks/000{index}.mp4")));
        let chunk = cloud.sandbox.invoke(&chunk_of(&plan, index));
        assert_eq!(chunk["FramesEncoded"], 6, "{chunk}\n{}", cloud.sandbox.log());
        cloud.sandbox.assert_idle();
        let function = cloud.sandbox.function();
        let status = fs::read_to_string(format!("/proc/{function}/status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let resident: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
        let files = fs::read_dir(format!("/proc/{function}/fd")).unwrap().count();
        let zombies = cloud.sandbox.events("success").last().unwrap()["zombies"].as_u64().unwrap();
        let tmp = cloud.sandbox.events("success").last().unwrap()["tmp_bytes"].as_u64().unwrap();
        seen.push((zombies, files, resident, tmp, function));
    }
    let half = seen.len() / 2;
    let most = |range: &[(u64, usize, u64, u64, u32)],
                of: fn(&(u64, usize, u64, u64, u32)) -> u64| {
        range.iter().map(of).max().unwrap()
    };
    let (early, late) = seen.split_at(half);
    // Some are open for a moment; what is left open by each invocation would be more.
    assert!(most(late, |one| one.1 as u64) <= most(early, |one| one.1 as u64) + 4, "{seen:?}");
    assert!(most(late, |one| one.2) < most(early, |one| one.2) * 9 / 8, "{seen:?}");
    // A Chrome that is asked to end leaves a zombie or none; one that is killed leaves four.
    assert!(seen.iter().all(|one| one.0 <= 201), "{seen:?}");
    assert!(seen.last().unwrap().0 <= rounds * 3 / 2, "{seen:?}");
}

#[test]
fn twenty_warm_invocations_leave_a_refusing_sandbox_as_it_was() {
    warm(20);
}

#[test]
#[ignore = "takes many minutes"]
fn three_hundred_warm_invocations_leave_a_refusing_sandbox_as_it_was() {
    warm(300);
}

#[test]
fn what_a_killed_function_has_started_ends_with_it() {
    let place = Place::new();
    let cloud = place.cloud(&REFUSED.join(","), &[]);
    cloud.page(&PAGE.replace("\"2\"", "\"20\""));
    let plan = cloud.plan(&json!({"fps": 60, "chunkSize": 1200}));
    let event = chunk_of(&plan, 0);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| cloud.sandbox.invoke_text(&event.to_string()));
        cloud.sandbox.wait_for("chromium");
        cloud.sandbox.wait_for("ffmpeg");
        let function = cloud.sandbox.function().to_string();
        assert!(Command::new("kill").args(["-KILL", &function]).status().unwrap().success());
        std::thread::sleep(Duration::from_secs(1));
        let left: Vec<_> = cloud.sandbox.processes();
        let left: Vec<_> = left.iter().filter(|(_, name)| name != "bootstrap").collect();
        assert!(left.is_empty(), "{left:?}");
        let answer = running.join().unwrap();
        assert!(answer.contains("Runtime.ExitError") || answer.contains("signal"), "{answer}");
    });
    // Its scratch is gone when the next process has started.
    cloud.sandbox.invoke(&json!({"Action": "probe"}));
    cloud.sandbox.assert_idle();
}
