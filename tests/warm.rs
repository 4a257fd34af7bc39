//! One sandbox serves event after event and is afterwards as it was; what was cut off heals.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::emulator::{Sandbox, Setup};
use crate::harness::stage;
use crate::lambda::{Cloud, PAGE, chunk_of};

/// What must not grow.
#[derive(Debug, Clone, Copy)]
struct State {
    scratch_bytes: u64,
    processes: usize,
    open_files: usize,
    resident_kib: u64,
}

fn state(sandbox: &Sandbox) -> State {
    let processes = sandbox.processes();
    let function = processes.iter().find(|(_, name)| name == "bootstrap").unwrap().0;
    let status = fs::read_to_string(format!("/proc/{function}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    State {
        scratch_bytes: bytes(&sandbox.tmp()),
        processes: processes.len(),
        open_files: fs::read_dir(format!("/proc/{function}/fd")).unwrap().count(),
        resident_kib: resident.trim().trim_end_matches(" kB").parse().unwrap(),
    }
}

fn bytes(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| if path.is_dir() { bytes(&path) } else { fs::metadata(&path).unwrap().len() })
        .sum()
}

#[test]
fn fifty_events_leave_the_sandbox_as_it_was() {
    let cloud = Cloud::new(Setup::default());
    cloud.page(PAGE);
    let config = json!({"fps": 30, "chunkSize": 10, "maxParallelChunks": 8});
    let plan = cloud.plan(&config);
    let assemble = cloud.chunks(&plan, 6);
    let mut states: Vec<State> = Vec::new();
    for round in 0..50_u64 {
        match round % 5 {
            0 => drop(cloud.plan(&config)),
            4 => assert_eq!(cloud.sandbox.invoke(&assemble)["FramesEncoded"], 60),
            2 => {
                // A failure in the middle of the work.
                let mut wrong = chunk_of(&plan, 0);
                wrong["PlanHash"] = "0".repeat(64).into();
                cloud.fails(&wrong, "PLAN_HASH_MISMATCH");
            }
            _ => {
                let index = round % 6;
                fs::remove_file(cloud.s3.object(&format!("work/demo/chunks/000{index}.mp4")))
                    .unwrap();
                let chunk: Value = cloud.sandbox.invoke(&chunk_of(&plan, index));
                assert_eq!(chunk["FramesEncoded"], 10, "{chunk}");
            }
        }
        cloud.sandbox.assert_idle();
        states.push(state(&cloud.sandbox));
    }
    let (early, late) = (states[9], states[49]);
    assert_eq!((early.scratch_bytes, late.scratch_bytes), (0, 0));
    assert_eq!((early.processes, late.processes), (1, 1));
    let files = |range: &[State]| range.iter().map(|state| state.open_files).max().unwrap();
    assert!(files(&states[40..]) <= files(&states[..15]) + 1, "{states:?}");
    let resident = |range: &[State]| range.iter().map(|state| state.resident_kib).max().unwrap();
    let (first, last) = (resident(&states[5..15]), resident(&states[40..]));
    assert!(last < first + first / 8, "{first} KiB at first, {last} KiB at last: {states:?}");
    println!("early {early:?}, late {late:?}, peak {first} then {last} KiB");
}

#[test]
fn what_a_cut_off_invocation_left_is_gone_at_the_next_one() {
    let cloud = Cloud::new(Setup::default());
    let left = cloud.sandbox.tmp().join("framewright-work-left/plan");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("plan.json"), "{}").unwrap();
    cloud.assert_serves();
    assert!(!left.exists());
}

#[test]
fn an_unpacked_chrome_that_was_cut_off_is_unpacked_again() {
    let dir = tempfile::tempdir().unwrap();
    let task = dir.path().join("task");
    stage(&task);
    let tools = task.join("tools").to_str().unwrap().to_owned();
    let cloud = Cloud::new(Setup { env: vec![("FRAMEWRIGHT_TOOLS", tools)], ..Setup::default() });
    cloud.assert_serves();
    let unpacked = |tool: &str| {
        let mut dirs = fs::read_dir(cloud.sandbox.tmp()).unwrap();
        let name = |dir: &fs::DirEntry| dir.file_name().into_string().unwrap();
        dirs.find_map(|dir| dir.ok().filter(|dir| name(dir).starts_with(tool))).unwrap().path()
    };
    assert_eq!(fs::read_dir(cloud.sandbox.tmp()).unwrap().count(), 3, "Chrome and two of FFmpeg");
    assert!(unpacked("ffmpeg-pack-").join("ffmpeg").is_file());
    let chrome = unpacked("chrome-pack-");
    let chromium = chrome.join("chromium");
    let size = fs::metadata(&chromium).unwrap().len();
    fs::File::options().write(true).open(&chromium).unwrap().set_len(size / 2).unwrap();
    fs::remove_file(cloud.s3.object("work/demo/chunks/0000.mp4")).unwrap();
    cloud.assert_serves();
    assert_eq!(fs::metadata(&chromium).unwrap().len(), size);
    fs::remove_file(chrome.join(".complete")).unwrap();
    fs::remove_file(cloud.s3.object("work/demo/chunks/0000.mp4")).unwrap();
    cloud.assert_serves();
    assert!(chrome.join(".complete").is_file());
}
