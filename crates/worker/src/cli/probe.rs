//! `bootstrap probe`: whether this machine can render, as one JSON verdict.

use std::time::{Duration, Instant};

use render::{PngReason, Proof};
use serde_json::{Value, json};

use crate::actions::protocol::capabilities;
use crate::cli::args::ProbeArgs;
use crate::cli::host::{open_toolbox, print, scratch, timeouts};
use crate::error::{Code, Result};
use crate::resources::{Machine, machine};
use crate::restart::is_shielded;
use crate::time::millis;

pub(crate) async fn probe(args: &ProbeArgs) -> Result<()> {
    let start = Instant::now();
    let scratch = scratch(&args.host);
    let trying = async {
        let tools = open_toolbox(&args.host, &scratch)?.drawing().await?;
        Ok(render::probe(&tools, &scratch, timeouts(&args.host)).await?)
    };
    let tried = trying.await;
    let mut verdict = verdict(&tried, start.elapsed());
    let Machine { cores, memory_mib } = machine();
    verdict["cores"] = cores.into();
    verdict["memoryMiB"] = memory_mib.into();
    verdict["credentialsShielded"] = is_shielded().into();
    verdict["capabilities"] = capabilities();
    print(&verdict)?;
    tried.map(drop)
}

fn verdict(tried: &Result<Proof>, took: Duration) -> Value {
    let duration_ms = millis(took);
    match tried {
        Ok(Proof { chrome, renderer, ffmpeg, ffprobe, size, png_bytes, png_reason }) => json!({
            "passed": true,
            "durationMs": duration_ms,
            "chrome": chrome,
            "webgl": renderer,
            "ffmpeg": ffmpeg,
            "ffprobe": ffprobe,
            "frameSource": if png_reason.is_some() { "png" } else { "framebuffer" },
            "frameSourceReason": png_reason.map(PngReason::name),
            "screenshot": { "width": size.0, "height": size.1, "bytes": png_bytes },
        }),
        Err(error) => json!({
            "passed": false,
            "durationMs": duration_ms,
            "error": { "code": error.code().name(), "message": error.chain() },
        }),
    }
}

/// The exit status: 1 if rendering was tried and does not work, 2 if there was nothing to try.
pub(crate) fn status(code: Code) -> u8 {
    if matches!(code, Code::ToolMissing | Code::ToolDigestMismatch) { 2 } else { 1 }
}
