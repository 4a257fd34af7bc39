//! The function with nothing but its bundle, glibc and libgcc: a read-only root, another user, no /dev/shm, 2 GB.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::emulator::{RunsIn, Sandbox, Setup};
use crate::harness::{Bench, fixture, root, run, stage, tool};
use crate::lambda::{Cloud, chunk_of, sample, upload};
use crate::s3::S3;

/// All that is in the root beside the emulator: what every Linux of Amazon has.
const LIBRARIES: [&str; 8] = [
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "libresolv.so.2",
    "libutil.so.1",
    "libgcc_s.so.1",
];

pub(crate) fn rootfs(dir: &Path) -> PathBuf {
    let rootfs = dir.join("root");
    for folder in ["dev", "proc", "tmp", "var/task", "lib64", "lib/x86_64-linux-gnu", "etc"] {
        fs::create_dir_all(rootfs.join(folder)).unwrap();
    }
    let host = ["/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64"].map(Path::new);
    for library in LIBRARIES {
        let from = host.iter().map(|folder| folder.join(library)).find(|path| path.exists());
        let from = from.unwrap_or_else(|| panic!("this machine has no {library}"));
        fs::copy(from, rootfs.join("lib/x86_64-linux-gnu").join(library)).unwrap();
    }
    fs::copy("/lib64/ld-linux-x86-64.so.2", rootfs.join("lib64/ld-linux-x86-64.so.2")).unwrap();
    fs::copy(tool("lambda/aws-lambda-rie"), rootfs.join("rie")).unwrap();
    // Amazon's Linux has the authorities of TLS; a build without optimisation insists on some.
    let authorities = Path::new("/etc/ssl/certs/ca-certificates.crt");
    if authorities.exists() {
        fs::create_dir_all(rootfs.join("etc/ssl/certs")).unwrap();
        fs::copy(authorities, rootfs.join("etc/ssl/certs/ca-certificates.crt")).unwrap();
    }
    rootfs
}

#[test]
fn a_bundle_renders_in_a_sandbox_that_has_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    // The user of the sandbox must be able to walk there.
    Command::new("chmod").arg("755").arg(dir.path()).status().unwrap();
    let task = dir.path().join("task");
    stage(&task);
    let place = RunsIn::Sandbox { root: rootfs(dir.path()), task };
    let s3 = S3::start();
    let sandbox = Sandbox::start(&s3, Setup { place, ..Setup::default() });
    let cloud = Cloud { s3, sandbox };
    // WebGL, web fonts and text that falls back to the bundle's own font.
    for project in ["three", "title-card"] {
        upload(&cloud.s3, &fixture(project));
        let plan = cloud.plan(&json!({"fps": 30, "chunkSize": 90}));
        let chunks = plan["ChunkCount"].as_u64().unwrap();
        let first = cloud.sandbox.invoke(&chunk_of(&plan, 0));
        assert!(first["Sha256"].is_string(), "{first}\n{}", cloud.sandbox.log());
        let assemble = cloud.chunks(&plan, chunks);
        let done = cloud.sandbox.invoke(&assemble);
        assert_eq!(done["FramesEncoded"], plan["TotalFrames"], "{done}");
        let bench = Bench::new();
        bench.render(&fixture(project), &["--chunk-size", "90"]);
        let made = fs::read(cloud.s3.object("outputs/demo/output.mp4")).unwrap();
        assert!(
            made == fs::read(bench.path("out.mp4")).unwrap(),
            "{project}: another video than here"
        );
    }
    cloud.sandbox.assert_idle();
    // A page that asks for a secure host must not take Chrome down, which has no library for that here.
    let page = crate::lambda::PAGE
        .replace("b.textContent", "fetch('https://example.org/').catch(() => {}); b.textContent");
    cloud.page(&page);
    let plan = cloud.plan(&json!({"fps": 30, "chunkSize": 60, "strictness": "best-effort"}));
    let chunk = cloud.sandbox.invoke(&chunk_of(&plan, 0));
    assert_eq!(chunk["FramesEncoded"], 60, "{chunk}\n{}", cloud.sandbox.log());
    assert_eq!(cloud.sandbox.events("success").last().unwrap()["relaunches"], 0);
    cloud.fails(&sample("broken"), "EVENT_INVALID");
    // The emulator is the init process there and reaps nothing: the function must have reaped its own children.
    let dead: Vec<_> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read_to_string(entry.unwrap().path().join("stat")).ok())
        .filter(|stat| {
            stat.contains("(chromium) Z")
                && stat.contains(&format!(" {} ", cloud.sandbox.emulator()))
        })
        .collect();
    assert!(dead.is_empty(), "{dead:?}");
}

#[test]
fn a_probe_says_that_a_sandbox_with_nothing_else_can_render_and_what_it_lacks_if_not() {
    let dir = tempfile::tempdir().unwrap();
    Command::new("chmod").arg("755").arg(dir.path()).status().unwrap();
    let (task, rootfs) = (dir.path().join("task"), rootfs(dir.path()));
    stage(&task);
    let probe = || {
        let tmp = tempfile::tempdir().unwrap();
        let mut command = Command::new(root().join("scripts/sandbox.sh"));
        command.args([&rootfs, &task]).arg(tmp.path()).args([
            "2048",
            "/var/task/bootstrap",
            "probe",
        ]);
        let run = run(command.env_remove("FRAMEWRIGHT_TOOLS"));
        let verdict: Value = serde_json::from_str(&run.stdout)
            .unwrap_or_else(|error| panic!("{error}: {} {}", run.stdout, run.stderr));
        (run.status, verdict)
    };
    let (status, verdict) = probe();
    assert_eq!((status, &verdict["passed"]), (Some(0), &json!(true)), "{verdict}");
    assert_eq!(verdict["screenshot"]["width"], 320);
    assert_eq!(verdict["frameSource"], "framebuffer", "{verdict}");
    assert!(verdict["webgl"].as_str().unwrap().contains("SwiftShader"), "{verdict}");
    fs::remove_file(rootfs.join("lib/x86_64-linux-gnu/libdl.so.2")).unwrap();
    let (status, verdict) = probe();
    assert_eq!((status, &verdict["passed"]), (Some(1), &json!(false)), "{verdict}");
    assert_eq!(verdict["error"]["code"], "BROWSER_LAUNCH_FAILED", "{verdict}");
    assert!(verdict["error"]["message"].as_str().unwrap().contains("libdl.so.2"), "{verdict}");
    fs::remove_dir_all(task.join("tools/chrome")).unwrap();
    let (status, verdict) = probe();
    assert_eq!((status, &verdict["error"]["code"]), (Some(2), &json!("TOOL_MISSING")), "{verdict}");
}
