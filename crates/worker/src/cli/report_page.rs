//! `--report`: what a render took and what was verified, as one HTML file that needs nothing beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use render::chunk::ChunkReport;
use render::config::Settings;
use render::overview::{Grid, contact_sheet, peaks};
use render::tools::Tools;
use serde_json::{Value, json};
use store::{LocalStore, Uri};

use crate::actions::worker::Worker;
use crate::cli::estimate::Measured;
use crate::cli::sample;
use crate::cli::terminal::Terminal;
use crate::error::{Error, Result};
use crate::resources::cores;
use crate::time::millis;

const PAGE: &str = include_str!("report_page/page.html");

const GRID: Grid = Grid { columns: 6, rows: 4, width: 240 };
/// Bars of the picture of the sound.
const PEAKS: usize = 310;
/// Each seam takes the start of a browser to look at.
const MAX_SEAMS: usize = 8;

/// What a render leaves for its report.
#[derive(Debug)]
pub(super) struct Rendered<'a> {
    pub(super) name: String,
    pub(super) project: Uri,
    pub(super) settings: &'a Settings,
    /// The video, or the directory of its pictures.
    pub(super) output: PathBuf,
    pub(super) summary: &'a Value,
    pub(super) reports: &'a [ChunkReport],
    pub(super) fps: f64,
    pub(super) has_audio: bool,
    /// When the render, and each chunk of it, was started.
    pub(super) start: Instant,
    pub(super) chunk_starts: &'a [Instant],
    /// When the encoder had each frame.
    pub(super) arrivals: Vec<Instant>,
    pub(super) warnings: &'a [String],
}

/// Gathers what the page shows. The facts are also what `--json` prints.
pub(super) async fn facts(
    rendered: &Rendered<'_>,
    worker: &Worker<'_, LocalStore>,
    place: &Uri,
    terminal: &Terminal,
) -> Result<Value> {
    let tools = worker.toolbox.joining().await?;
    let frames = frame_count(rendered.reports);
    let sheet = sheet(&tools, rendered, frames, LocalStore::path(place)?).await?;
    let loudness = if rendered.has_audio && rendered.output.is_file() {
        peaks(&tools, &rendered.output, PEAKS).await?
    } else {
        Vec::new()
    };
    let hashes: Vec<&String> =
        rendered.reports.iter().flat_map(|report| &report.frame_hashes).collect();
    let seams = seams(rendered, worker, place, &hashes, terminal).await?;
    let held = held(&hashes);
    let sha256 = if rendered.output.is_file() {
        compose::hash::sha256_file(&rendered.output).map_err(render::Error::from)?
    } else {
        "a directory of pictures".to_owned()
    };
    Ok(json!({
        "name": rendered.name,
        "fps": rendered.fps,
        "summary": rendered.summary,
        "sheet": sheet,
        "sheetStep": frames.div_ceil(GRID.columns * GRID.rows).max(1),
        "timeline": timeline(rendered),
        "frameMs": frame_ms(rendered),
        "held": held,
        "peaks": loudness,
        "checks": checks(rendered, &seams),
        "seams": seams,
        "warnings": rendered.warnings,
        "versions": {
            "framewright": env!("CARGO_PKG_VERSION"),
            "ffmpeg": rendered.reports.first().map(|report| &report.ffmpeg_version),
        },
        "sha256": sha256,
        "cloud": cloud(rendered.reports, frames),
    }))
}

/// Writes the page beside its place first, so that a reader sees a whole one.
pub(super) fn write(facts: &Value, file: &Path) -> Result<()> {
    let failed = |source| Error::Io { action: "write", path: file.display().to_string(), source };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    let public = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    let beside = builder.prefix(".framewright-").permissions(public);
    let beside = beside.tempfile_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    fs::write(beside.path(), page(facts)).map_err(failed)?;
    beside.persist(file).map(drop).map_err(|error| failed(error.error))
}

/// In a script element, only `</script` and `<!--` mean something to HTML.
fn page(facts: &Value) -> String {
    PAGE.replacen("{{FACTS}}", &facts.to_string().replace('<', "\\u003c"), 1)
}

fn frame_count(reports: &[ChunkReport]) -> u32 {
    reports.iter().map(|report| report.frames_encoded).sum()
}

/// The contact sheet as a data URI.
async fn sheet(
    tools: &Tools,
    rendered: &Rendered<'_>,
    frames: u32,
    scratch: &Path,
) -> Result<String> {
    use base64::Engine;
    let file = scratch.join("sheet.jpg");
    contact_sheet(tools, &rendered.output, frames, GRID, &file).await?;
    let bytes = fs::read(&file).map_err(|source| Error::Io {
        action: "read",
        path: file.display().to_string(),
        source,
    })?;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    Ok(format!("data:image/jpeg;base64,{text}"))
}

/// The stages and chunks, with when each part of them began, in milliseconds.
fn timeline(rendered: &Rendered<'_>) -> Value {
    let stages = &rendered.summary["stages"];
    let ms = |name: &str| stages[name].as_u64().unwrap_or_default();
    let part = |kind: &str, name: &str, start: u64, ms: u64| json!({ "kind": kind, "name": name, "start": start, "ms": ms });
    let mut rows = vec![json!({
        "name": "planning", "parts": [part("checking", "planning", 0, ms("planMs"))],
    })];
    for (report, start) in rendered.reports.iter().zip(rendered.chunk_starts) {
        let mut at = millis(start.duration_since(rendered.start));
        let mut parts = Vec::new();
        for (kind, name, took) in [
            (
                "waiting",
                "reading the plan, starting browsers",
                report.plan_hash_ms + report.session_boot_ms,
            ),
            ("drawing", "drawing", report.capture_stage_ms),
            ("encoding", "the encoder finishes", report.encode_stage_ms),
            ("checking", "checking the file", report.verify_stage_ms),
        ] {
            parts.push(part(kind, name, at, took));
            at += took;
        }
        rows.push(json!({ "name": format!("chunk {}", report.chunk_index), "parts": parts }));
    }
    let joined = ms("assembleMs");
    let begun = ms("totalMs").saturating_sub(joined);
    rows.push(
        json!({ "name": "assembling", "parts": [part("checking", "assembling", begun, joined)] }),
    );
    rows.into()
}

/// Milliseconds between a frame and the one before it; nothing for the first of a chunk, which had to wait for its browser.
fn frame_ms(rendered: &Rendered<'_>) -> Vec<Option<f64>> {
    let mut all = Vec::new();
    let mut rest = rendered.arrivals.as_slice();
    for report in rendered.reports {
        let count = (report.frames_encoded as usize).min(rest.len());
        // Of a chunk that was drawn twice, the second time counts.
        let (chunk, later) = rest.split_at(count);
        rest = later;
        let steps = chunk
            .windows(2)
            .map(|pair| Some((pair[1].duration_since(pair[0]).as_secs_f64() * 1e4).round() / 10.0));
        all.extend(std::iter::once(None).chain(steps).take(count));
    }
    all
}

/// The stretches of frames that show the same picture, from a frame up to another.
fn held(hashes: &[&String]) -> Vec<(usize, usize)> {
    let mut stretches = Vec::new();
    let mut from = 0;
    for index in 1..=hashes.len() {
        if index == hashes.len() || hashes[index] != hashes[from] {
            if index - from > 1 {
                stretches.push((from, index));
            }
            from = index;
        }
    }
    stretches
}

/// Draws the frames on both sides of each seam once more, by one browser, and compares them with those of the video.
async fn seams(
    rendered: &Rendered<'_>,
    worker: &Worker<'_, LocalStore>,
    place: &Uri,
    hashes: &[&String],
    terminal: &Terminal,
) -> Result<Vec<Value>> {
    let mut compared = Vec::new();
    let first = rendered.reports.first().map_or(0, |report| report.start_frame);
    for report in rendered.reports.iter().skip(1).take(MAX_SEAMS) {
        let seam = report.start_frame;
        let span = (seam - 1, seam + 1);
        let drawn =
            sample::draw(worker, &rendered.project, rendered.settings, span, place, terminal);
        let drawn = Box::pin(drawn).await?.frame_hashes;
        let at = (seam - first) as usize;
        let same = hashes.get(at - 1..=at).is_some_and(|video| video.iter().copied().eq(&drawn));
        compared.push(json!({ "frame": seam, "same": same }));
    }
    Ok(compared)
}

/// What was verified before the video had its name, and what the report has compared.
fn checks(rendered: &Rendered<'_>, seams: &[Value]) -> Value {
    let summary = rendered.summary;
    let frames = frame_count(rendered.reports);
    let mut checks = vec![
        json!({ "name": "number of frames", "passed": summary["frames"] == frames,
            "detail": format!("{frames} planned and encoded") }),
        json!({ "name": "frame rate", "passed": true, "detail": format!("{} in every chunk and in the video", rendered.fps) }),
        json!({ "name": "size", "passed": true, "detail": format!("{}x{}", summary["width"], summary["height"]) }),
        json!({ "name": "plan and chunks", "passed": true, "detail": "each has the sha256 that its maker gave" }),
    ];
    let differ: Vec<String> = seams
        .iter()
        .filter(|seam| seam["same"] == false)
        .map(|seam| seam["frame"].to_string())
        .collect();
    let detail = match (seams.len(), differ.is_empty()) {
        (0, _) => "one chunk: there is none".to_owned(),
        (count, true) => {
            format!("{count}: both frames are equal to another browser's drawing of them")
        }
        (_, false) => format!("another browser draws these otherwise: {}", differ.join(", ")),
    };
    checks.push(
        json!({ "name": "seams between chunks", "passed": differ.is_empty(), "detail": detail }),
    );
    let blocked: u64 = rendered.reports.iter().map(|report| report.blocked_requests).sum();
    checks.push(json!({ "name": "requests to other hosts", "passed": blocked == 0, "detail": format!("{blocked}") }));
    checks.into()
}

/// What the same render takes on a stack as it is deployed by default.
fn cloud(reports: &[ChunkReport], frames: u32) -> String {
    const CLOUD_CHUNK: u32 = 240;
    let capture_ms: u64 = reports.iter().map(|report| report.capture_stage_ms).sum();
    let boot_ms = reports.iter().map(|report| report.session_boot_ms).max().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let measured = Measured {
        boot_seconds: boot_ms as f64 / 1000.0,
        seconds_per_frame: capture_ms as f64 / 1000.0 / f64::from(frames.max(1)),
        cores: cores() as f64,
    };
    let forecast = measured.in_cloud(frames, frames.div_ceil(CLOUD_CHUNK));
    format!(
        "about {:.0} s and ${:.4}, computed from this render for a stack as it is deployed by default",
        forecast.seconds, forecast.dollars
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_of_equal_frames_is_held() {
        let names = ["a", "a", "b", "c", "c", "c"].map(str::to_owned);
        let hashes: Vec<&String> = names.iter().collect();
        assert_eq!(held(&hashes), [(0, 2), (3, 6)]);
        assert_eq!(held(&hashes[..1]), []);
        assert_eq!(held(&[]), []);
    }

    #[test]
    fn no_text_of_a_page_ends_the_script_that_holds_it() {
        let page = page(&json!({ "warnings": ["</script><img src=x onerror=alert(1)><!--"] }));
        assert_eq!(page.matches("</script>").count(), PAGE.matches("</script>").count());
        assert!(page.contains("\\u003c/script>"));
    }
}
