//! Ctrl-C while `bootstrap submit` watches: at a terminal, and where there is none.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::submit::{Stack, arn_of, for_ever};

/// Waits until `reader` has said `text`, and returns all that it said until then.
fn wait_for(reader: &mut impl BufRead, text: &str) -> String {
    let mut said = String::new();
    while !said.contains(text) {
        assert!(reader.read_line(&mut said).unwrap() > 0, "{text} is not in:\n{said}");
    }
    said
}

fn interrupt(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).unwrap();
}

#[test]
fn a_signal_where_nobody_can_be_asked_leaves_the_render_running() {
    let stack = Stack::new(for_ever());
    let mut child = stack
        .bootstrap(&["submit", "project", "-o", "my out.mp4", "--name", "left"])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    wait_for(&mut stderr, "rendering: ");
    interrupt(&child);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    let output = stack
        .path("my out.mp4")
        .canonicalize()
        .unwrap_or_else(|_absent| stack.dir.path().canonicalize().unwrap().join("my out.mp4"));
    let command = format!(
        "error: CANCELLED: left goes on; watch it with: framewright watch {} -o '{}'",
        arn_of("left"),
        output.display()
    );
    assert!(rest.contains(&command), "{rest}");
    assert!(stack.machine.requests("StopExecution").is_empty());
}

/// Waits until Step Functions has received `action`.
fn asked(stack: &Stack, action: &str) {
    let start = Instant::now();
    while stack.machine.requests(action).is_empty() {
        assert!(start.elapsed() < Duration::from_mins(1), "nobody asks for {action}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_signal_before_the_answer_to_the_start_names_the_render_that_may_run() {
    let stack = Stack::new(for_ever());
    stack.machine.hold("StartExecution");
    let child = stack
        .bootstrap(&["submit", "project", "--name", "maybe", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    asked(&stack, "StartExecution");
    interrupt(&child);
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{said}");
    let watch =
        format!("maybe may have started; watch it with: framewright watch {}", arn_of("maybe"));
    assert!(said.contains(&watch), "{said}");
    let answer: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(answer["executionArn"], arn_of("maybe"));
    assert_eq!(answer["error"]["code"], "CANCELLED");
}

#[test]
fn a_signal_ends_also_an_attempt_to_stop_the_render() {
    let stack = Stack::new(for_ever());
    stack.machine.hold("StopExecution");
    let (status, last) = at_a_terminal(&stack, Some(b"y\n"));
    assert_eq!(status, Some(130), "{last}");
    assert!(last.contains(" may still run; watch it with: framewright watch"), "{last}");
}

/// Runs `bootstrap` at a terminal, interrupts it while it renders, answers its question, and returns its status and the rest of its output.
fn at_a_terminal(stack: &Stack, answer: Option<&[u8]>) -> (Option<i32>, String) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let side = || fs::File::options().read(true).write(true).open(&name).unwrap();
    let mut child = stack
        .bootstrap(&["submit", "project", "-o", "out.mp4"])
        .env("TERM", "xterm")
        .env("NO_COLOR", "1")
        .stdin(side())
        .stderr(side())
        .spawn()
        .unwrap();
    let mut master = fs::File::from(master);
    let (mut said, start) = (String::new(), Instant::now());
    let mut read_until = |master: &mut fs::File, text: &str| {
        let mut buffer = [0; 4096];
        while !said.contains(text) {
            // Reading a pseudo-terminal fails once its other side is closed.
            let length = master.read(&mut buffer).unwrap_or(0);
            assert!(length > 0 && start.elapsed() < Duration::from_mins(1), "{text}: {said}");
            said.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        std::mem::take(&mut said)
    };
    read_until(&mut master, "30/60 frames");
    interrupt(&child);
    read_until(&mut master, "stop the render? [y] stop it, [n] leave it running");
    match answer {
        Some(answer) => master.write_all(answer).unwrap(),
        None => interrupt(&child),
    }
    if stack.machine.holds("StopExecution") {
        asked(stack, "StopExecution");
        interrupt(&child);
    }
    let last = read_until(&mut master, "error: CANCELLED: ");
    let (mut rest, status) = (Vec::new(), child.wait().unwrap());
    let _nobody_writes_any_more = master.read_to_end(&mut rest);
    (status.code(), last + &String::from_utf8_lossy(&rest))
}

#[test]
fn whoever_is_at_the_terminal_is_asked_whether_to_stop_the_render() {
    for (answer, stops) in [(Some(&b"y\n"[..]), true), (Some(b"what\nn\n"), false), (None, false)] {
        let stack = Stack::new(for_ever());
        let (status, last) = at_a_terminal(&stack, answer);
        assert_eq!(status, Some(130), "{last}");
        let stopped = stack.machine.requests("StopExecution").len();
        assert_eq!(stopped, usize::from(stops), "{last}");
        let word = if stops { " is stopped" } else { "watch it with: framewright watch" };
        assert!(last.contains(word), "{last}");
    }
}
