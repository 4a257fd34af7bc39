//! The probe action: whether this function can render, and what keeps strangers' pages from it.

use std::time::Instant;

use render::{PngReason, Proof};
use serde::Serialize;
use serde_json::Value;
use store::Store;

use crate::actions::protocol::capabilities;
use crate::actions::worker::{Facts, Worker};
use crate::error::Result;
use crate::processes;
use crate::resources::{Machine, machine};
use crate::restart::is_shielded;
use crate::time::millis_since;

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ProbeAnswer {
    pub(crate) chrome: String,
    pub(crate) web_gl: String,
    pub(crate) ffmpeg: String,
    pub(crate) ffprobe: String,
    /// Where frames come from: `framebuffer`, or `png` with the reason.
    pub(crate) frame_source: &'static str,
    pub(crate) frame_source_reason: Option<&'static str>,
    /// Of the frame that was drawn.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Whether other processes of the function's user are kept from its credentials.
    pub(crate) credentials_shielded: bool,
    pub(crate) cores: u32,
    #[serde(rename = "MemoryMiB")]
    pub(crate) memory_mib: Option<u64>,
    pub(crate) processes: u32,
    pub(crate) zombies: u32,
    pub(crate) capabilities: Value,
    pub(crate) duration_ms: u64,
}

impl<S: Store> Worker<'_, S> {
    /// Draws a frame whose pixels are known and runs every tool. What does not work is the error of the invocation.
    pub(crate) async fn probe(&self) -> Result<(ProbeAnswer, Facts)> {
        let start = Instant::now();
        let tools = self.toolbox.drawing().await?;
        let fetch = Some(millis_since(start));
        let drawing = render::probe(&tools, self.scratch, self.options.timeouts);
        let Proof { chrome, renderer, ffmpeg, ffprobe, size, png_bytes: _, png_reason } =
            drawing.await?;
        let (Machine { cores, memory_mib }, running) = (machine(), processes::count());
        let answer = ProbeAnswer {
            chrome,
            web_gl: renderer,
            ffmpeg,
            ffprobe,
            frame_source: if png_reason.is_some() { "png" } else { "framebuffer" },
            frame_source_reason: png_reason.map(PngReason::name),
            width: size.0,
            height: size.1,
            credentials_shielded: is_shielded(),
            cores,
            memory_mib,
            processes: running.all,
            zombies: running.zombies,
            capabilities: capabilities(),
            duration_ms: millis_since(start),
        };
        let facts =
            Facts { fetch, work: Some(answer.duration_ms), frames: Some(1), ..Facts::default() };
        Ok((answer, facts))
    }
}
