//! `framewright render --plan-only`: what a render would take, from its plan and a few of its frames.

use std::time::Instant;

use render::chunk::ChunkOptions;
use render::config::Settings;
use serde_json::{Value, json};
use store::LocalStore;

use crate::actions::plan::{PlanEvent, Planned};
use crate::actions::protocol::Protocol;
use crate::actions::worker::Worker;
use crate::cli::args::RenderArgs;
use crate::cli::config::{of_options, settings};
use crate::cli::estimate::{CONCURRENCY, MEMORY_MIB, Measured};
use crate::cli::host::{
    environment, open_toolbox, options, print, project_and_entry, scratch, uri,
};
use crate::cli::progress::Meter;
use crate::cli::sample;
use crate::cli::status::time;
use crate::cli::target::explain_failure;
use crate::cli::terminal::Terminal;
use crate::cli::video::CHUNK_SIZE;
use crate::error::Result;
use crate::resources::cores;
use crate::workdir::{self, WorkDir};

/// Frames that are drawn, from the middle of the video: enough for each browser of most machines to start.
const SAMPLE: u32 = 30;

/// Frames in a chunk of a submitted render.
const CLOUD_CHUNK: u32 = 240;

pub(super) async fn plan_only(args: &RenderArgs, terminal: &Terminal) -> Result<()> {
    let meter = if args.json { Meter::silent(terminal) } else { Meter::start(terminal) };
    let found = forecast(args, &meter, terminal).await.map_err(of_options);
    meter.finish();
    let found = found.inspect_err(|error| explain_failure(&args.project, None, error, terminal))?;
    if args.json {
        return print(&found);
    }
    for line in lines(&found) {
        terminal.line(&line);
    }
    Ok(())
}

async fn forecast(args: &RenderArgs, meter: &Meter, terminal: &Terminal) -> Result<Value> {
    let (project, entry) = project_and_entry(&args.project)?;
    let config = args.config.config(&project, entry.as_deref(), CHUNK_SIZE, None)?;
    let settings = settings(&config)?;
    let scratch = scratch(&args.host);
    let toolbox = open_toolbox(&args.host, &scratch)?;
    workdir::remove_stale(&scratch);
    let (bench, env) = (WorkDir::make(&scratch)?, environment());
    let options =
        ChunkOptions { capture: Some(args.capture), ..options(args.workers, &args.host, meter) };
    let worker = Worker {
        store: &LocalStore,
        toolbox: &toolbox,
        env: &env,
        scratch: bench.path(),
        options,
        until: None,
        cache: None,
    };
    let (project, place) = (uri(&project)?, uri(bench.path())?);
    let start = Instant::now();
    let event = PlanEvent {
        project: project.clone(),
        output_prefix: place.clone(),
        settings: settings.clone(),
        protocol: Protocol::V1,
    };
    let planned = worker.plan(&event).await?;
    let plan_seconds = start.elapsed().as_secs_f64();
    terminal.warnings(&planned.answer.warnings);
    meter.stage("measuring");
    let total = planned.answer.total_frames;
    let span = sample_span(&settings, total);
    let report = sample::draw(&worker, &project, &settings, span, &place, terminal).await?;
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let measured = Measured {
        boot_seconds: report.session_boot_ms as f64 / 1000.0,
        seconds_per_frame: report.capture_stage_ms as f64
            / 1000.0
            / f64::from(report.frames_encoded.max(1)),
        cores: cores() as f64,
    };
    Ok(answer(&planned, measured, (report.workers, report.frames_encoded), plan_seconds))
}

/// The frames that are drawn, counted as `--frames` counts them.
fn sample_span(settings: &Settings, total: u32) -> (u32, u32) {
    let first = settings.frames.map_or(0, render::frame::Span::start);
    let from = first + total.saturating_sub(SAMPLE) / 2;
    (from, from + SAMPLE.min(total))
}

fn answer(
    planned: &Planned,
    measured: Measured,
    (browsers, sampled): (u32, u32),
    plan_seconds: f64,
) -> Value {
    let plan = &planned.answer;
    let chunks = u32::try_from(plan.chunk_count).unwrap_or(u32::MAX);
    let cloud_chunks = plan.total_frames.div_ceil(CLOUD_CHUNK);
    let cloud = measured.in_cloud(plan.total_frames, cloud_chunks);
    json!({
        "frames": plan.total_frames,
        "duration": planned.duration,
        "fps": plan.fps,
        "width": plan.width,
        "height": plan.height,
        "format": plan.format,
        "hasAudio": plan.has_audio,
        "planHash": plan.plan_hash,
        "sampledFrames": sampled,
        "msPerFrame": measured.seconds_per_frame * 1000.0,
        "here": {
            "chunks": chunks,
            "browsers": browsers,
            "seconds": measured.here(plan.total_frames, chunks, plan_seconds),
        },
        "cloud": {
            "chunks": cloud_chunks,
            "maxConcurrency": CONCURRENCY,
            "memoryMiB": MEMORY_MIB,
            "seconds": cloud.seconds,
            "dollars": cloud.dollars,
        },
        "warnings": plan.warnings,
    })
}

fn lines(found: &Value) -> Vec<String> {
    let seconds = |value: &Value| {
        let seconds = value.as_f64().unwrap_or_default().ceil();
        time(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default())
    };
    let (here, cloud) = (&found["here"], &found["cloud"]);
    let count = |value: &Value, name: &str| match value.as_u64() {
        Some(1) => format!("1 {name}"),
        _ => format!("{value} {name}s"),
    };
    let sound = if found["hasAudio"] == true { ", with sound" } else { "" };
    vec![
        format!(
            "{} frames, {}x{}, {} s at {} a second, {}{sound}",
            found["frames"],
            found["width"],
            found["height"],
            found["duration"],
            found["fps"],
            found["format"].as_str().unwrap_or_default(),
        ),
        format!(
            "here       about {}: {}, {}, {:.0} ms a frame (measured on {} frames)",
            seconds(&here["seconds"]),
            count(&here["chunks"], "chunk"),
            count(&here["browsers"], "browser"),
            found["msPerFrame"].as_f64().unwrap_or_default(),
            found["sampledFrames"],
        ),
        format!(
            "on Lambda  about {}, ${:.4}: {}, at most {} at a time, {} MiB each",
            seconds(&cloud["seconds"]),
            cloud["dollars"].as_f64().unwrap_or_default(),
            count(&cloud["chunks"], "chunk"),
            cloud["maxConcurrency"],
            cloud["memoryMiB"],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frames_that_are_measured_are_in_the_middle_of_what_is_rendered() {
        let settings = |frames: Option<&str>| {
            let config = json!({ "fps": 30, "frames": frames });
            Settings::parse(config.as_object().unwrap()).unwrap()
        };
        assert_eq!(sample_span(&settings(None), 900), (435, 465));
        assert_eq!(sample_span(&settings(None), 10), (0, 10));
        assert_eq!(sample_span(&settings(Some("100..200")), 100), (135, 165));
    }
}
