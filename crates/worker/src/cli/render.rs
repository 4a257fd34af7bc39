//! `framewright render`: one video, one for each row of a file, or only what it would take.

use crate::cli::args::RenderArgs;
use crate::cli::batch;
use crate::cli::forecast::plan_only;
use crate::cli::host::print;
use crate::cli::terminal::Terminal;
use crate::cli::video::{Request, render_request};
use crate::error::Result;

/// Renders a project to a video, or to many.
pub(crate) async fn render(args: &RenderArgs, terminal: &Terminal) -> Result<()> {
    if args.extent.plan_only {
        return Box::pin(plan_only(args, terminal)).await;
    }
    if let Some(rows) = &args.extent.batch {
        return Box::pin(batch::render_all(args, rows, terminal)).await;
    }
    let request = Request::check(args, args.output(), None)?;
    request.target.confirm(&args.overwrite, terminal).await?;
    let summary = Box::pin(render_request(args, &request, terminal)).await?;
    if args.json { print(&summary) } else { Ok(()) }
}
