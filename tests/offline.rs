//! A chunk needs its plan and nothing else: in a network with a loopback only, it draws what it draws anywhere.

use std::path::Path;
use std::process::Command;

use render::plan::Planned;
use serde_json::{Value, json};

use crate::harness::{Bench, fixture, run};
use crate::remote::cdn_script;
use crate::web::{TestProject, Web};

/// Fixtures whose plans hold something that is not in their HTML: scenes, frames of videos, fonts, a sound, pictures.
const GATHERED: [&str; 6] = [
    "nested-scenes",
    "video-trim-rate-loop-hold",
    "fonts-canonical",
    "audio-mix",
    "gif",
    "title-card",
];

/// Turns loopback on in a new network, shows what else is there, and becomes the given command.
const LOOPBACK: &str = "import fcntl, os, socket, struct, sys\n\
    fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh', b'lo', 1))\n\
    print('network:', *(name for _, name in socket.if_nameindex()), file=sys.stderr, flush=True)\n\
    os.execv(sys.argv[1], sys.argv[1:])";

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn answer(run: &crate::harness::Run) -> Value {
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    serde_json::from_str(&run.stdout).unwrap()
}

/// What `bootstrap` answers to an event in a network that has only loopback.
fn offline(bench: &Bench, event: &Value) -> Value {
    let file = bench.path("offline.json");
    std::fs::write(&file, event.to_string()).unwrap();
    let bootstrap = bench.bootstrap("invoke");
    let mut command = Command::new("unshare");
    command.args(["-rn", "python3", "-c", LOOPBACK]).arg(bootstrap.get_program());
    command.args(bootstrap.get_args()).arg(&file);
    let cut = run(&mut command);
    let found = answer(&cut);
    assert!(cut.stderr.contains("network: lo\n"), "{}", cut.stderr);
    found
}

/// Draws every chunk of a plan that was made with a network.
pub(crate) fn assert_drawn(project_dir: &TestProject, planned: &Planned) {
    let bench = Bench::new();
    for (index, range) in planned.chunks.iter().enumerate() {
        let found = offline(
            &bench,
            &json!({
                "Action": "renderChunk", "PlanS3Uri": uri(&project_dir.plan_dir()), "PlanHash": planned.plan_hash, "ChunkIndex": index,
                "ChunkOutputS3Prefix": uri(&bench.path("out")),
            }),
        );
        assert_eq!(found["FramesEncoded"], range.len());
    }
}

/// What was fetched while planning is all that the chunks need.
#[test]
fn a_script_of_another_host_is_not_asked_for_again() {
    let web = Web::start();
    let project_dir = cdn_script(&web);
    let planned = project_dir.plan(&web.net()).unwrap();
    drop(web);
    assert_drawn(&project_dir, &planned);
}

#[test]
fn every_chunk_is_drawn_without_a_network() {
    for name in GATHERED {
        let bench = Bench::new();
        let plan = answer(&bench.invoke(&json!({
            "Action": "plan", "ProjectS3Uri": uri(&fixture(name)), "PlanOutputS3Prefix": uri(&bench.path("plan")),
            "Config": { "fps": 30, "chunkSize": 60 },
        })));
        for index in 0..plan["ChunkCount"].as_u64().unwrap() {
            let event = |folder: &str| {
                json!({
                    "Action": "renderChunk", "PlanS3Uri": plan["PlanS3Uri"], "PlanHash": plan["PlanHash"], "ChunkIndex": index,
                    "ChunkOutputS3Prefix": uri(&bench.path(folder)),
                })
            };
            let here = answer(&bench.invoke(&event("here")));
            let found = offline(&bench, &event("offline"));
            assert_eq!(found["Sha256"], here["Sha256"], "{name}, chunk {index}");
        }
    }
}
