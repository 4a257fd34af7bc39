//! `framewright doctor`: what this machine has for rendering, as a person reads it, and what to do where something is missing.

use std::path::Path;

use render::tools::Tools;
use render::{PngReason, Proof};
use serde_json::{Value, json};

use crate::cli::args::DoctorArgs;
use crate::cli::host::{find_tools, open_toolbox, print, scratch, timeouts};
use crate::cli::status::bytes;
use crate::cli::terminal::Terminal;
use crate::error::Result;
use crate::resources::{available_memory, cores, default_workers};

/// Less memory than this is not enough for a browser and an encoder.
const LITTLE_MEMORY: u64 = 2 << 30;
/// Less room than this is soon filled by the frames of a video.
const LITTLE_ROOM: u64 = 2 << 30;

/// One thing that was looked at.
#[derive(Debug)]
struct Finding {
    state: State,
    name: &'static str,
    found: String,
    /// What to do, unless all is well.
    remedy: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    /// Rendering works, and less well than it could.
    Poor,
    Bad,
}

impl Finding {
    fn good(name: &'static str, found: String) -> Self {
        Self { state: State::Good, name, found, remedy: None }
    }

    fn poor(name: &'static str, found: String, remedy: &str) -> Self {
        Self { state: State::Poor, name, found, remedy: Some(remedy.to_owned()) }
    }

    fn bad(name: &'static str, found: String, remedy: &str) -> Self {
        Self { state: State::Bad, name, found, remedy: Some(remedy.to_owned()) }
    }
}

/// Looks at this machine. The first thing that keeps it from rendering is the error.
pub(crate) async fn doctor(args: &DoctorArgs, terminal: &Terminal) -> Result<()> {
    let scratch = scratch(&args.host);
    let mut findings = vec![machine(), memory(), room(&scratch), shared_memory()];
    let drawn = async {
        let tools = open_toolbox(&args.host, &scratch)?.drawing().await?;
        let proof = render::probe(&tools, &scratch, timeouts(&args.host)).await?;
        Ok((tools, proof))
    };
    let drawn: Result<_> = drawn.await;
    match &drawn {
        Ok((tools, proof)) => {
            let dir = find_tools(&args.host)?;
            findings.push(Finding::good("tools", dir.display().to_string()));
            findings.extend(programs(proof));
            findings.push(fonts(tools));
            findings.push(capture(proof.png_reason));
        }
        Err(error) => {
            let code = error.code();
            let remedy = format!("docs/errors.md says what to do about {code}");
            findings.push(Finding::bad("rendering", format!("{code}: {}", error.chain()), &remedy));
        }
    }
    if args.json {
        print(&as_json(&findings))?;
    } else {
        show(&findings, terminal);
    }
    drawn.map(drop)
}

fn show(findings: &[Finding], terminal: &Terminal) {
    for Finding { state, name, found, remedy } in findings {
        let mark = match state {
            State::Good => "ok  ",
            State::Poor => "poor",
            State::Bad => "bad ",
        };
        terminal.line(&format!("{mark}  {name:<14} {found}"));
        if let Some(remedy) = remedy {
            terminal.line(&format!("      {:<14} {remedy}", ""));
        }
    }
    let says = match findings.iter().map(|finding| finding.state).max_by_key(|state| *state as u8) {
        Some(State::Bad) => "this machine cannot render",
        Some(State::Poor) => "this machine renders; what is poor costs time, not correctness",
        _ => "this machine renders",
    };
    terminal.line(says);
}

fn as_json(findings: &[Finding]) -> Value {
    let all = findings.iter().map(|Finding { state, name, found, remedy }| {
        let state = match state {
            State::Good => "ok",
            State::Poor => "poor",
            State::Bad => "bad",
        };
        json!({ "name": name, "state": state, "found": found, "remedy": remedy })
    });
    json!({
        "passed": findings.iter().all(|finding| finding.state != State::Bad),
        "findings": all.collect::<Vec<_>>(),
    })
}

fn machine() -> Finding {
    let (cores, workers) = (cores(), default_workers());
    let found = format!("{cores}; at most {workers} browsers draw at a time");
    if cores > 1 {
        Finding::good("cores", found)
    } else {
        Finding::poor(
            "cores",
            found,
            "drawing and encoding share one core; two are nearly twice as fast",
        )
    }
}

fn memory() -> Finding {
    match available_memory() {
        None => Finding::poor("memory", "unknown".to_owned(), "set --workers by hand"),
        Some(free) if free < LITTLE_MEMORY => Finding::poor(
            "memory",
            format!("{} free", bytes(free)),
            "a browser with a 1080p page needs about 1 GB, and the encoder as much; free some, or set --workers 1",
        ),
        Some(free) => Finding::good("memory", format!("{} free", bytes(free))),
    }
}

fn room(scratch: &Path) -> Finding {
    let place = scratch.display();
    match rustix::fs::statvfs(scratch) {
        Err(error) => Finding::bad(
            "scratch",
            format!("{place}: {error}"),
            "name a directory that exists with --scratch or TMPDIR",
        ),
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let text = format!("{place}, {} free", bytes(free));
            if free < LITTLE_ROOM {
                Finding::poor("scratch", text, "name a larger place with --scratch or TMPDIR")
            } else {
                Finding::good("scratch", text)
            }
        }
    }
}

/// Chrome is started so that it does without.
fn shared_memory() -> Finding {
    let found = match rustix::fs::statvfs("/dev/shm") {
        Ok(found) => format!("{} in /dev/shm; not used", bytes(found.f_blocks * found.f_frsize)),
        Err(_absent) => "no /dev/shm; not needed".to_owned(),
    };
    Finding::good("shared memory", found)
}

fn programs(proof: &Proof) -> Vec<Finding> {
    let Proof { chrome, renderer, ffmpeg, ffprobe: _, size, png_bytes: _, png_reason: _ } = proof;
    // What follows is who has built it.
    let version = |text: &str| text.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    let is_software = renderer.contains("SwiftShader");
    let renderer = if is_software { "SwiftShader, in software" } else { renderer };
    vec![
        Finding::good(
            "Chrome",
            format!("{chrome}; it drew {}x{} pixels as it must", size.0, size.1),
        ),
        Finding::good("WebGL", renderer.to_owned()),
        Finding::good("FFmpeg", version(ffmpeg)),
    ]
}

fn fonts(tools: &Tools) -> Finding {
    let families = std::fs::read_dir(tools.fonts())
        .map_or(0, |entries| entries.flatten().filter(|entry| entry.path().is_dir()).count());
    if families == 0 {
        let remedy = "run scripts/setup.sh; without them every family is fetched from Google Fonts";
        return Finding::poor("fonts", "no bundled families".to_owned(), remedy);
    }
    Finding::good("fonts", format!("{families} bundled families"))
}

fn capture(reason: Option<PngReason>) -> Finding {
    let Some(reason) = reason else {
        return Finding::good(
            "capture",
            "framebuffer: frames are read from Chrome's memory".to_owned(),
        );
    };
    let remedy = match reason {
        PngReason::Refused => {
            "the system refuses to read another process's memory; screenshots are slower. Allow it with \
             `sysctl kernel.yama.ptrace_scope=0`, or in a container with `--cap-add SYS_PTRACE`"
        }
        _ => "screenshots are slower and show the same; `--capture framebuffer` says more",
    };
    Finding::poor("capture", format!("png ({}): frames are screenshots", reason.name()), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_renders_slowly_passes_and_says_what_to_do() {
        let refused = capture(Some(PngReason::Refused));
        assert_eq!(refused.state, State::Poor);
        assert!(refused.remedy.as_ref().unwrap().contains("ptrace"), "{refused:?}");
        let good = capture(None);
        let told = as_json(&[good, refused]);
        assert_eq!(told["passed"], true);
        assert_eq!(told["findings"][1]["state"], "poor");
        let bad = room(Path::new("/no/such/place"));
        assert_eq!((bad.state, as_json(&[bad])["passed"].clone()), (State::Bad, false.into()));
    }
}
