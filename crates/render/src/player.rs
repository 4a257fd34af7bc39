//! A plan whose frames are drawn one by one, in any order, for a person who looks at them: the same frames that a chunk has.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use compose::timing::outline::{Row, outline};
use tokio::sync::{mpsc, oneshot};

use crate::blocking::blocking;
use crate::browser::session::{Capture, FrameSource, Reuse, Session, Timeouts, Want};
use crate::chunk::page_source;
use crate::error::{Error, Result};
use crate::ffmpeg;
use crate::page;
use crate::page::server::Server;
use crate::plan::layout;
use crate::plan::open::{PlannedChunk, open_chunk};
use crate::tools::Tools;

/// A frame that somebody wants to see.
#[derive(Debug)]
pub struct FrameRequest {
    pub index: u32,
    /// Gets the PNG.
    pub answer: oneshot::Sender<Result<Vec<u8>>>,
}

/// The file of the plan with the sound, if it has one.
pub fn sound(plan_dir: &Path) -> Option<PathBuf> {
    let file = plan_dir.join(layout::AUDIO);
    file.is_file().then_some(file)
}

/// The timed elements of the plan's page, of which `seconds` are rendered.
pub fn timeline(plan_dir: &Path, seconds: f64) -> Result<Vec<Row>> {
    let index = plan_dir.join(layout::COMPILED).join("index.html");
    let html = std::fs::read_to_string(&index).map_err(Error::io("read", &index))?;
    Ok(outline(&html, seconds)?)
}

/// Draws the frames that are asked for, until nobody asks any more. What goes wrong with a frame is its answer; what keeps the page
/// from being opened ends this.
pub async fn play(
    tools: &Tools,
    plan_dir: &Path,
    scratch: &Path,
    timeouts: Timeouts,
    mut requests: mpsc::Receiver<FrameRequest>,
) -> Result<()> {
    let ffmpeg_version = ffmpeg::version(tools).await?;
    let dir = plan_dir.to_owned();
    let chunk = blocking(move || open_chunk(&dir, 0, &ffmpeg_version)).await?;
    let server = page::serve(&page_source(tools, &chunk)).await?;
    let place = Place { tools, scratch, server: &server, chunk: &chunk, timeouts };
    let mut session = place.open().await?;
    let mut drawn = None;
    while let Some(FrameRequest { index, answer }) = requests.recv().await {
        if answer.is_closed() {
            continue;
        }
        // Such a page goes forward only.
        let is_behind = drawn.is_some_and(|drawn| index <= drawn);
        if session.has_history() && is_behind {
            session = place.open().await?;
        }
        let mut frame = draw(&mut session, index).await;
        if let Err(Error::BrowserLost { .. } | Error::BrowserSilent { .. }) = frame {
            session = place.open().await?;
            frame = draw(&mut session, index).await;
        }
        drawn = Some(index);
        let _nobody_waits = answer.send(frame);
    }
    Ok(())
}

/// Where a browser is opened.
#[derive(Clone, Copy)]
struct Place<'a> {
    tools: &'a Tools,
    scratch: &'a Path,
    server: &'a Server,
    chunk: &'a PlannedChunk,
    timeouts: Timeouts,
}

impl<'a> Place<'a> {
    async fn open(self) -> Result<Session<'a>> {
        let Self { tools, scratch, server, chunk, timeouts } = self;
        let limits = (timeouts, chunk.strictness);
        let (viewport, fps) = (chunk.summary.viewport(), chunk.summary.fps);
        let source = FrameSource::Png;
        let opening = Session::open(tools, scratch, server, viewport, fps, limits, source);
        Ok(opening.await?.0)
    }
}

async fn draw(session: &mut Session<'_>, index: u32) -> Result<Vec<u8>> {
    let want = Want { reuse: Reuse::Never, png: true };
    let Capture::Png(png) = session.frame(index, want).await? else {
        unreachable!("a screenshot is wanted")
    };
    STANDARD.decode(png).map_err(|error| Error::BrowserLost {
        during: format!("at frame {index}"),
        reason: format!("its picture is not base64: {error}"),
    })
}
