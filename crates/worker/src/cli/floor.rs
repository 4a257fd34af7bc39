//! `bootstrap floor`: what Chrome alone takes per frame.

use serde_json::json;

use crate::cli::args::FloorArgs;
use crate::cli::host::{open_toolbox, print, scratch};
use crate::error::Result;
use crate::resources::default_workers;

pub(crate) async fn floor(args: &FloorArgs) -> Result<()> {
    let scratch = scratch(&args.host);
    let tools = open_toolbox(&args.host, &scratch)?.drawing().await?;
    let workers = args.workers.unwrap_or_else(default_workers);
    let took =
        render::floor(&tools, &args.page, &scratch, workers, args.frames, args.capture).await?;
    let ms_per_frame = took.as_secs_f64() * 1000.0 / f64::from(args.frames.max(1));
    print(&json!({ "workers": workers, "frames": args.frames, "msPerFrame": ms_per_frame }))
}
