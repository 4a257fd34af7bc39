//! The sound on its way: part of the plan and of its hash, and taken from other makers' plans as they have it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::audio::{assert_lasts, decode_audio, invoke, media, plan, project, streams, uri};
use crate::harness::{Bench, tool};

#[test]
fn the_mix_is_part_of_the_plan_and_of_its_hash() {
    let bench = Bench::new();
    let project = project(&bench, 1.0, "<audio src=sweep.mp3 data-start=0></audio>");
    let answer = plan(&bench, &project, &json!({"fps": 30}));
    let dir = bench.path("out/plan");
    assert!(!dir.join(".plan-work").exists());
    assert!(
        fs::read(dir.join("audio.flac")).unwrap()
            == fs::read(bench.path("out/audio.flac")).unwrap()
    );
    let read = |name: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(dir.join(name)).unwrap()).unwrap()
    };
    assert_eq!(read("plan.json")["hasAudio"], true);
    assert_eq!(read("meta/composition.json")["audioCount"], 1);
    let chunk = json!({"Action": "renderChunk", "PlanS3Uri": uri(&dir), "PlanHash": answer["PlanHash"],
        "ChunkIndex": 0, "ChunkOutputS3Prefix": uri(&bench.path("out"))});
    invoke(&bench, &chunk);
    let mut bytes = fs::read(dir.join("audio.flac")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(dir.join("audio.flac"), bytes).unwrap();
    fs::remove_dir_all(bench.path("out/chunks")).unwrap();
    assert_eq!(bench.invoke(&chunk).code(), "PLAN_HASH_MISMATCH");
}

#[test]
fn the_sound_of_another_maker_is_fitted_to_the_video() {
    let bench = Bench::new();
    let project = project(&bench, 1.5, "");
    let answer = plan(&bench, &project, &json!({"fps": 30, "chunkSize": 45}));
    assert_eq!((&answer["HasAudio"], &answer["AudioS3Uri"]), (&json!(false), &Value::Null));
    let dir = bench.path("out/plan");
    let chunk = invoke(
        &bench,
        &json!({"Action": "renderChunk", "PlanS3Uri": uri(&dir), "PlanHash": answer["PlanHash"],
        "ChunkIndex": 0, "ChunkOutputS3Prefix": uri(&bench.path("out"))}),
    );
    let out = bench.path("joined.mp4");
    let event = |audio: Option<&Path>| {
        json!({"Action": "assemble", "PlanS3Uri": uri(&dir), "ChunkS3Uris": [chunk["ChunkS3Uri"]],
            "AudioS3Uri": audio.map(uri), "OutputS3Uri": uri(&out)})
    };
    // Longer than the video, then shorter, in the formats in which plans have them; ADTS cannot say what to skip.
    let short = bench.path("short.m4a");
    let raw = bench.path("audio.aac");
    for (args, to) in [(["-t", "0.7"], &short), (["-t", "2.0"], &raw)] {
        let mut command = Command::new(tool("ffmpeg/ffmpeg"));
        command
            .args(["-v", "error", "-i"])
            .arg(media("sweep.wav"))
            .args(args)
            .args(["-c:a", "aac"]);
        assert!(command.arg(to).status().unwrap().success());
    }
    let reference = decode_audio(&media("sweep.wav"));
    for (file, late) in
        [(media("sweep.m4a"), 0), (media("sweep.mp3"), 0), (short.clone(), 0), (raw, 1024)]
    {
        invoke(&bench, &event(Some(&file)));
        assert_lasts(&out, 72_000);
        let heard = decode_audio(&out);
        let likeness = |late: usize| -> f64 {
            heard[4800 + late..28_800]
                .iter()
                .zip(&reference[4800..])
                .map(|(a, b)| a[0] * b[0])
                .sum()
        };
        let best = (0..1100).max_by(|a, b| likeness(*a).total_cmp(&likeness(*b))).unwrap();
        assert_eq!(best, late, "{}", file.display());
    }
    // The plan's own, which is missed if the plan says that it is there.
    invoke(&bench, &event(None));
    assert_eq!(streams(&out).len(), 1);
    let manifest = fs::read_to_string(dir.join("plan.json")).unwrap();
    fs::write(dir.join("plan.json"), manifest.replace("\"hasAudio\": false", "\"hasAudio\": true"))
        .unwrap();
    assert_eq!(bench.invoke(&event(None)).code(), "MISSING_PLAN_ARTIFACT");
    fs::copy(short, dir.join("audio.m4a")).unwrap();
    invoke(&bench, &event(None));
    assert_lasts(&out, 72_000);
    let text = bench.path("text.m4a");
    fs::write(&text, "no sound").unwrap();
    assert_eq!(bench.invoke(&event(Some(&text))).code(), "PLAN_ARTIFACT_INVALID");
}
