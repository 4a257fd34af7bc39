//! The page: what is injected into it, where it is served from, and the few questions it is asked.

mod files;
pub(crate) mod frames;
pub(crate) mod server;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::config::output::Alpha;
use crate::error::Result;
use crate::frame::Fps;
use crate::page::server::{Injection, Server};
use crate::video_track::{VideoFrameRef, VideoTrack};

/// Everything of a page that is the same for each of its browsers.
#[derive(Debug)]
pub(crate) struct PageSource<'a> {
    /// The directory with `index.html`.
    pub(crate) root: &'a Path,
    pub(crate) runtime: &'a str,
    pub(crate) fps: Fps,
    pub(crate) variables: Option<&'a Map<String, Value>>,
    /// The planner's settings for the page; the worker's own environment plays no part.
    pub(crate) env: &'a BTreeMap<String, String>,
    /// The videos whose frames are put into the page; it does not play them itself.
    pub(crate) tracks: &'a [VideoTrack],
    pub(crate) alpha: Alpha,
}

/// What runs first in every dedicated worker.
pub(crate) const WORKER_CLOCK: &str = include_str!("worker-clock.js");

/// Starts serving the page with our scripts in it.
pub(crate) async fn serve(source: &PageSource<'_>) -> Result<Server> {
    let PageSource { root, runtime, fps, variables, env, tracks, alpha } = source;
    let globals = json!({
        "__HF_EXPORT_RENDER_SEEK_CONFIG": seek_config(*fps, env),
        "__hfVariables": variables,
        "__HF_WORKER_PRELUDE": WORKER_CLOCK,
    });
    let assign = format!(
        "for (const [name, value] of Object.entries({globals})) if (value !== null) window[name] = value;\n"
    );
    let injection = Injection {
        every_head_start: assign + include_str!("virtual-time.js"),
        index_head_end: (*runtime).to_owned(),
        index_body_end: [include_str!("repaint.js"), include_str!("bridge.js")].concat(),
        video_frames: (!tracks.is_empty()).then(|| video_frames(tracks)),
        alpha: *alpha,
    };
    Server::start(root, injection, tracks.to_vec()).await
}

/// The script that shows frames instead of videos, with what it has to know of each.
fn video_frames(tracks: &[VideoTrack]) -> String {
    let clips: Vec<_> = tracks
        .iter()
        .map(|show| {
            let VideoTrack { id, src, media_start, width, height, duration, .. } = show;
            json!({ "id": id, "src": src, "mediaStart": media_start, "width": width, "height": height, "duration": duration })
        })
        .collect();
    format!("window.__fwClips = {};\n{}", json!(clips), include_str!("video-frames.js"))
}

/// What [`STATUS`] answers.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the page answers each question by itself")]
pub(crate) struct Status {
    pub(crate) href: String,
    pub(crate) loaded: bool,
    pub(crate) driver: Option<String>,
    pub(crate) render_ready: bool,
    pub(crate) duration: Option<f64>,
    pub(crate) infinite: bool,
    /// Whether Chrome compiles or decodes something for it.
    pub(crate) working: bool,
    /// Whether it may wait for something that its clock says nothing of, such as a worker.
    pub(crate) busy: bool,
    pub(crate) missing: Vec<String>,
    pub(crate) errors: Vec<String>,
    /// What no clock reaches.
    pub(crate) undriven: Vec<String>,
    pub(crate) startup_error: Option<String>,
}

/// Before the bridge is there, the errors so far are all there is to say.
pub(crate) const STATUS: &str = "window.__fw ? __fw.status() : window.__HF_VIRTUAL_TIME__ \
    ? { href: location.href, loaded: document.readyState === 'complete', driver: null, renderReady: false, duration: 0, \
        infinite: false, working: __HF_VIRTUAL_TIME__.isWorking(), busy: __HF_VIRTUAL_TIME__.isBusy(), missing: [], errors: __HF_VIRTUAL_TIME__.errors, undriven: __HF_VIRTUAL_TIME__.undriven, startupError: null } \
    : null";

/// Starts to wait for every pixel that has to be loaded, which may take longer than one command may.
pub(crate) const SETTLE: &str = "__fw.settled = false, __fw.settle().then(() => { __fw.settled = true; }, (e) => { __fw.settled = String(e); }), null";

/// Whether that is over; a text says why it failed.
pub(crate) const SETTLED: &str = "__fw.look()";

/// Lets what runs once a frame run before the page is ready.
pub(crate) const RELEASE: &str = "window.__fw && __fw.release(), null";

/// Whether animations have begun with the frame that was drawn.
pub(crate) const HAS_BEGUN: &str = "__fw.hasBegun()";

/// Waits until what has come is taken in.
pub(crate) const TAKE_IN: &str = "document.fonts.ready.then(() => true)";

/// Answered when the page has done what it does after a frame.
pub(crate) const AFTER_FRAME: &str = "true";

/// Lets workers draw the frame.
pub(crate) const WORKERS: &str = "__fw.workers()";

/// What [`begin`] says of a page that may hold an animated picture in one of its own addresses.
pub(crate) const MAY_MOVE: &str = "a picture that may be animated";

/// What [`begin`] answers.
#[derive(Debug, Deserialize)]
pub(crate) struct Begun {
    /// Why a frame may depend on the frames before it: an empty list for a page that can be put at any moment.
    pub(crate) history: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

/// Says that frame 0 is in `lead` milliseconds. Answers [`Begun`].
pub(crate) fn begin(lead: f64, can_leave_out: bool) -> String {
    format!("__fw.begin({}, {can_leave_out})", json!(lead))
}

/// Seconds of every registered timeline, by composition.
pub(crate) const TIMELINES: &str = "__fw.timelines()";

pub(crate) const ERRORS: &str = "__fw.errors()";

/// What a seek answers.
#[derive(Debug, Clone, Copy, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "answers to unrelated questions")]
pub(crate) struct SeekResult {
    /// How many errors the page has had so far.
    pub(crate) errors: usize,
    /// Whether the browser itself animates anything on the page.
    pub(crate) animated: bool,
    /// Whether the frame must be drawn twice, because something is drawn at another scale than before.
    pub(crate) twice: bool,
    /// Whether frames were left out although the page depends on them, as is known only now.
    pub(crate) jumped: bool,
    /// Whether workers draw along.
    pub(crate) workers: bool,
    /// Whether something is loaded only when it comes into view.
    pub(crate) lazy: bool,
}

/// Seeks to `seconds` with the frames that videos show then, and those that they will probably show next. Answers a
/// [`SeekResult`].
pub(crate) fn seek(seconds: f64, due: &[VideoFrameRef], next: &[VideoFrameRef]) -> String {
    match (due, next) {
        ([], []) => format!("__fw.seek({})", json!(seconds)),
        _ => format!("__fw.seek({}, {}, {})", json!(seconds), json!(due), json!(next)),
    }
}

/// Seeks to `seconds` of a frame that nobody sees.
pub(crate) fn seek_unseen(seconds: f64) -> String {
    format!("__fw.seek({}, null)", json!(seconds))
}

/// Reads the volumes of media at `count` moments, as the page's timelines set them.
pub(crate) fn volumes(ids: &[String], places: &Value, first: u32, count: u32, step: f64) -> String {
    format!("__fw.volumes({}, {places}, {first}, {count}, {})", json!(ids), json!(step))
}

/// Asks a fresh WebGL context who draws it.
pub(crate) const WEBGL_RENDERER: &str = include_str!("webgl-renderer.js");

/// How the page is to seek, from the planner's environment as it is in the plan; what is no valid value counts as absent.
fn seek_config(fps: Fps, env: &BTreeMap<String, String>) -> Value {
    let number = |name: &str, min: f64, max: f64, default: f64| {
        env.get(name)
            .and_then(|text| text.trim().parse::<f64>().ok())
            .filter(|value| value.is_finite())
            .map_or(default, |value| value.clamp(min, max))
    };
    let mode = env.get("PRODUCER_RUNTIME_RENDER_SEEK_MODE").map(String::as_str);
    json!({
        "fps": fps.as_f64(),
        "fpsSource": "render-options",
        "mode": if mode == Some("strict-boundary") { "strict-boundary" } else { "preview-phase" },
        "step": number("PRODUCER_RENDER_SEEK_STEP", 1.0 / 600.0, f64::MAX, 1.0 / 120.0),
        "offsetFraction": number("PRODUCER_RUNTIME_RENDER_SEEK_OFFSET_FRACTION", 0.0, 0.95, 0.5),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_seeks_as_the_planner_s_environment_said() {
        let fps = Fps { num: 30000, den: 1001 };
        let env = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
        };
        let default = seek_config(fps, &env(&[]));
        assert_eq!(
            (&default["mode"], &default["offsetFraction"]),
            (&json!("preview-phase"), &json!(0.5))
        );
        assert_eq!(default["fps"], json!(30000.0 / 1001.0));
        let set = seek_config(
            fps,
            &env(&[
                ("PRODUCER_RUNTIME_RENDER_SEEK_MODE", "strict-boundary"),
                ("PRODUCER_RENDER_SEEK_STEP", "0"),
                ("PRODUCER_RUNTIME_RENDER_SEEK_OFFSET_FRACTION", "7"),
            ]),
        );
        assert_eq!(
            (&set["mode"], &set["offsetFraction"]),
            (&json!("strict-boundary"), &json!(0.95))
        );
        assert_eq!(set["step"], json!(1.0 / 600.0));
    }
}
