//! Every code: provoked at least once under the emulator, or where only the command line can.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::{Value, json};

use crate::emulator::Setup;
use crate::harness::{fixture, observed_codes, root, tool};
use crate::lambda::{Cloud, PAGE, chunk_of, packed, sample, upload};

/// Codes that nothing can provoke here: the first is asserted beside the code that decodes pictures, the second beside the code
/// that catches panics, the others, which need a network that fails, beside the list of codes.
const BY_UNIT_TESTS: [&str; 4] =
    ["FRAME_INVALID", "INTERNAL_ERROR", "REMOTE_ASSET_UNAVAILABLE", "FONT_FETCH_UNAVAILABLE"];

/// The codes of the table in docs/errors.md, which the worker's own list is compared with.
fn documented() -> BTreeSet<String> {
    let table = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let codes = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    codes.map(|(code, _)| code.to_owned()).collect()
}

/// Compares the table with the codes that `bootstrap` has printed or answered while the other tests ran.
#[test]
#[ignore = "reads what the other tests have observed: scripts/test.sh runs it after them"]
fn every_code_has_been_provoked() {
    let (documented, observed) = (documented(), observed_codes());
    assert!(documented.len() > 40, "{documented:?}");
    let unknown: Vec<_> = observed.difference(&documented).collect();
    assert!(unknown.is_empty(), "not in docs/errors.md: {unknown:?}");
    let missing: Vec<_> = documented.difference(&observed).collect();
    assert_eq!(missing, BTreeSet::from(BY_UNIT_TESTS).iter().collect::<Vec<_>>());
}

fn page(body: &str, duration: &str) -> String {
    format!(
        "<!doctype html><html><body><div data-composition-id=\"a\" data-width=\"320\" data-height=\"180\"{duration}></div>{body}</body></html>"
    )
}

#[test]
fn what_is_wrong_with_a_project_is_said_when_it_is_planned() {
    let env = vec![("FRAMEWRIGHT_READY_TIMEOUT", "5".to_owned())];
    let cloud = Cloud::new(Setup { env, ..Setup::default() });
    let lasting = " data-duration=\"2\"";
    let seek = "<script>window.__hf = { duration: 1, seek() {} };</script>";
    for (html, config, code) in [
        (PAGE.to_owned(), json!({"fps": 30, "fpss": 60}), "CONFIG_INVALID"),
        (
            PAGE.to_owned(),
            json!({"fps": 30, "hdrMode": "force-hdr"}),
            "FORMAT_NOT_SUPPORTED_IN_DISTRIBUTED",
        ),
        (PAGE.to_owned(), json!({"fps": 30, "entryFile": "other.html"}), "ENTRY_MISSING"),
        (PAGE.to_owned(), json!({"fps": 30, "planDirSizeLimitBytes": 100}), "PLAN_TOO_LARGE"),
        (
            PAGE.to_owned(),
            json!({"fps": 30, "workerTimeoutSeconds": 1}),
            "CHUNK_EXCEEDS_WORKER_TIMEOUT",
        ),
        ("<p>nothing</p>".to_owned(), json!({"fps": 30}), "COMPOSITION_INVALID"),
        (
            page(seek, " data-duration=\"90000\""),
            json!({"fps": 30}),
            "DISTRIBUTED_DURATION_OUT_OF_RANGE",
        ),
        (
            page("<script>window.__hf = { duration: NaN, seek() {} }</script>", ""),
            json!({"fps": 30}),
            "PAGE_NOT_READY",
        ),
        (
            page("<script>throw new Error('no')</script>", ""),
            json!({"fps": 30}),
            "PAGE_SCRIPT_ERROR",
        ),
        (
            page("<script src=\"js/absent.js\"></script>", ""),
            json!({"fps": 30}),
            "PAGE_ASSET_MISSING",
        ),
    ] {
        cloud.page(&html);
        cloud.fails(&Cloud::plan_event(&config), code);
    }
    // What scripts ask for in vain, however much, does not hide an element without its file.
    let many =
        "<script>for (let i = 0; i < 300; i += 1) fetch(`x${i}`);</script><img src=\"absent.png\">";
    cloud.page(&page(many, ""));
    let message = cloud.fails(&Cloud::plan_event(&json!({"fps": 30})), "PAGE_ASSET_MISSING");
    assert!(message.contains("absent.png"), "{message}");
    // With a duration the page is first opened by a chunk.
    cloud.page(&page("<script src=\"js/absent.js\"></script>", lasting));
    let plan = cloud.plan(&json!({"fps": 30}));
    let message = cloud.fails(&chunk_of(&plan, 0), "PAGE_ASSET_MISSING");
    assert!(message.contains("/js/absent.js"), "{message}");
    // A name that cannot be asked for by URL.
    let mut tar =
        tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, content) in [(&b"index.html"[..], PAGE.as_bytes()), (b"\xff.png", b"x")] {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.append(&header, content).unwrap();
    }
    cloud
        .s3
        .put("projects/title-card/project.tar.gz", &tar.into_inner().unwrap().finish().unwrap());
    cloud.fails(&sample("plan"), "PROJECT_FILE_INVALID");
}

type Tamper<'a> = (&'static str, &'a dyn Fn(&Path));

#[test]
fn what_is_wrong_with_a_plan_is_said_before_a_browser_starts() {
    let cloud = Cloud::new(Setup::default());
    cloud.page(PAGE);
    let plan = cloud.plan(&json!({"fps": 30}));
    let whole = fs::read(cloud.s3.object("work/demo/plan.tar.gz")).unwrap();
    let edit = |dir: &Path, name: &str, from: &str, to: &str| {
        let path = dir.join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{name} has no {from}");
        fs::write(path, text.replace(from, to)).unwrap();
    };
    let tampers: [Tamper; 7] = [
        ("MISSING_PLAN_ARTIFACT", &|dir| fs::remove_file(dir.join("meta/chunks.json")).unwrap()),
        ("PLAN_ARTIFACT_INVALID", &|dir| fs::write(dir.join("meta/chunks.json"), "{").unwrap()),
        ("PLAN_HASH_MISMATCH", &|dir| edit(dir, "compiled/index.html", "#234", "#235")),
        ("INVALID_VIDEO_METADATA", &|dir| {
            fs::write(dir.join("meta/videos.json"), r#"{"videos": [1], "extracted": []}"#).unwrap();
        }),
        ("MISSING_RUNTIME_ENV_SNAPSHOT", &|dir| {
            edit(dir, "meta/encoder.json", "\"runtimeEnv\"", "\"x\"");
        }),
        ("FFMPEG_VERSION_MISMATCH", &|dir| {
            edit(dir, "plan.json", "ffmpeg version ", "ffmpeg version 0");
        }),
        ("PLAN_PROTOCOL_UNSUPPORTED", &|dir| edit(dir, "plan.json", "plan-dir-v1", "plan-dir-v9")),
    ];
    for (code, tamper) in tampers {
        let dir = tempfile::tempdir().unwrap();
        unpack(&whole, dir.path());
        tamper(dir.path());
        cloud.s3.put("renders/tampered/plan.tar.gz", &packed(dir.path()));
        let mut event = chunk_of(&plan, 0);
        event["PlanS3Uri"] = "s3://render-bucket/renders/tampered/plan.tar.gz".into();
        cloud.fails(&event, code);
    }
    cloud.fails(&chunk_of(&plan, 99), "CHUNK_INDEX_OUT_OF_RANGE");
    let mut another = chunk_of(&plan, 0);
    another["PlanHash"] = "f".repeat(64).into();
    cloud.fails(&another, "PLAN_HASH_MISMATCH");
    // What lies where the plan was stored is not what was stored.
    let dir = tempfile::tempdir().unwrap();
    unpack(&whole, dir.path());
    edit(dir.path(), "compiled/index.html", "#234", "#235");
    cloud.s3.put("work/demo/plan.tar.gz", &packed(dir.path()));
    cloud.fails(&chunk_of(&plan, 0), "PLAN_ARTIFACT_DIGEST_MISMATCH");
}

pub(crate) fn unpack(archive: &[u8], into: &Path) {
    tar::Archive::new(flate2::read::GzDecoder::new(archive)).unpack(into).unwrap();
}

/// A directory of tools like the real one, some of which are replaced.
fn tools(dir: &Path, replaced: &[(&str, &str)]) {
    tool("chrome/chromium");
    fs::create_dir_all(dir).unwrap();
    let parts = ["chrome", "ffmpeg", "ffprobe", "runtime", "fonts"];
    for part in parts {
        match replaced.iter().find(|(path, _)| path.starts_with(&format!("{part}/"))) {
            None => symlink(root().join(".tools").join(part), dir.join(part)).unwrap(),
            Some((path, script)) => {
                fs::create_dir(dir.join(part)).unwrap();
                for entry in fs::read_dir(root().join(".tools").join(part)).unwrap() {
                    let entry = entry.unwrap().path();
                    symlink(&entry, dir.join(part).join(entry.file_name().unwrap())).unwrap();
                }
                let path = dir.join(path);
                fs::remove_file(&path).unwrap_or_default();
                let real = root().join(".tools").join(path.strip_prefix(dir).unwrap());
                fs::write(&path, script.replace("REAL", real.to_str().unwrap())).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
    }
}

#[test]
fn what_is_wrong_with_the_tools_is_said_with_the_tool() {
    // FFmpeg as it is, but for what is said here.
    let no_join =
        "#!/bin/sh\ncase \"$*\" in *concat*) echo broken >&2; exit 9;; esac\nexec REAL \"$@\"\n";
    let short = "#!/bin/bash\nif [[ \"$*\" == *rawvideo* ]]; then exec REAL \"${@:1:$#-1}\" -bsf:v 'noise=drop=gt(n\\,2)' \"${@: -1}\"; fi\nexec REAL \"$@\"\n";
    let no_encoder = "#!/bin/sh\ncase \"$*\" in *rawvideo*) echo no such encoder >&2; exit 1;; esac\nexec REAL \"$@\"\n";
    let no_webgl = "#!/bin/sh\nexec REAL \"$@\" --disable-gpu --disable-3d-apis --disable-software-rasterizer\n";
    let dies = "#!/bin/sh\n(sleep 1.2; kill -9 $$) &\nexec REAL \"$@\"\n";
    for (replaced, chunk_code, assemble_code) in [
        (("runtime/hyperframe.runtime.iife.js", "// another"), Some("TOOL_DIGEST_MISMATCH"), None),
        (
            ("chrome/chromium", "#!/bin/sh\necho libfoo.so is missing >&2\nexit 127\n"),
            Some("BROWSER_LAUNCH_FAILED"),
            None,
        ),
        (("chrome/chromium", no_webgl), Some("BROWSER_GPU_NOT_SOFTWARE"), None),
        (("chrome/chromium", dies), Some("BROWSER_LOST"), None),
        (("ffmpeg/ffmpeg", no_encoder), Some("ENCODE_FAILED"), None),
        (("ffmpeg/ffmpeg", short), Some("VIDEO_VERIFICATION_FAILED"), None),
        (("ffmpeg/ffmpeg", no_join), None, Some("FFMPEG_FAILED")),
        (("chrome/chromium.zst", "not zstd"), Some("CHROME_UNPACK_FAILED"), None),
        (("ffmpeg/ffmpeg.zst", "not zstd"), Some("CHROME_UNPACK_FAILED"), None),
    ] {
        let good = Cloud::new(Setup::default());
        good.page(&PAGE.replace("\"2\"", "\"20\""));
        let plan = good.plan(&json!({"fps": 60, "chunkSize": 1200}));
        let dir = tempfile::tempdir().unwrap();
        tools(&dir.path().join("t"), &[replaced]);
        let env = vec![("FRAMEWRIGHT_TOOLS", dir.path().join("t").to_str().unwrap().to_owned())];
        let bad = Cloud {
            sandbox: crate::emulator::Sandbox::start(&good.s3, Setup { env, ..Setup::default() }),
            s3: good.s3,
        };
        if let Some(code) = chunk_code {
            bad.fails(&chunk_of(&plan, 0), code);
        }
        if let Some(code) = assemble_code {
            let assemble = bad.chunks(&plan, 1);
            bad.fails(&assemble, code);
        }
    }
    let env = vec![("FRAMEWRIGHT_TOOLS", "/nonexistent".to_owned())];
    let bare = Cloud::new(Setup { env, ..Setup::default() });
    bare.fails(&sample("plan"), "TOOL_MISSING");
    let env = vec![("HYPERFRAMES_LAMBDA_CHROME_SOURCE", "shell".to_owned())];
    let unset = Cloud::new(Setup { env, ..Setup::default() });
    unset.fails(&sample("plan"), "CONFIG_INVALID");
    let env = vec![("TMPDIR", "/nonexistent".to_owned())];
    let homeless = Cloud::new(Setup { env, ..Setup::default() });
    homeless.fails(&sample("plan"), "IO_FAILED");
}

#[test]
fn another_chrome_can_be_named() {
    let chrome = tool("chrome/chromium");
    let env = vec![
        ("HYPERFRAMES_LAMBDA_CHROME_SOURCE", "chrome-headless-shell".to_owned()),
        ("HYPERFRAMES_LAMBDA_CHROME_PATH", chrome.to_str().unwrap().to_owned()),
    ];
    let cloud = Cloud::new(Setup { env, ..Setup::default() });
    upload(&cloud.s3, &fixture("own-hf"));
    let plan = cloud.plan(&json!({"fps": 30, "chunkSize": 60}));
    let chunk: Value = cloud.sandbox.invoke(&chunk_of(&plan, 0));
    assert_eq!(chunk["FramesEncoded"], plan["TotalFrames"], "{chunk}");
}
