//! Where Chrome keeps the frame that it has composited: found once in the memory of its GPU process, then read after ticks.
//!
//! Chrome composites in software into one private mapping of its GPU process, as rows of blue, green, red and alpha without
//! padding. It answers a `BeginFrame` after that frame is complete, and draws nothing until the next one: what is read
//! between an answer and the next command is one whole frame.

mod search;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// Bytes of a pixel.
pub(crate) const PIXEL: usize = 4;

/// Why frames cannot be read from memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Not exactly one process of this Chrome composites.
    GpuProcess,
    /// The system does not let this process read that one's memory.
    Refused,
    /// No place in memory shows what the page shows.
    NotFound,
    /// Several places do.
    Ambiguous,
}

/// A fault that is put into reading, to show that the comparison with screenshots notices it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFault {
    /// Each row is the one below.
    Row,
    /// The frame is read before it is drawn.
    Stale,
    /// Red and blue are exchanged.
    Channels,
    /// The memory is that of another picture of the same size.
    Place,
}

impl ReadFault {
    pub const ALL: [Self; 4] = [Self::Row, Self::Stale, Self::Channels, Self::Place];

    pub fn name(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Stale => "stale",
            Self::Channels => "channels",
            Self::Place => "place",
        }
    }
}

/// The frame of one browser in memory.
#[derive(Debug)]
pub(crate) struct Framebuffer {
    memory: File,
    address: u64,
    /// Bytes of a row.
    stride: usize,
    height: usize,
    fault: Option<ReadFault>,
}

/// A frame that has been drawn. Until it is dropped or read, its browser draws no other.
#[derive(Debug)]
pub(crate) struct Reading {
    framebuffer: Arc<Framebuffer>,
    /// All of it, if it has been read already, and as a PNG in base64, to compare the two.
    pub(crate) checked: Option<Checked>,
    done: oneshot::Sender<Result<()>>,
}

#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) pixels: Vec<u8>,
    pub(crate) png: String,
}

impl Reading {
    /// The frame in `framebuffer`, and what its browser has to wait for before it draws again.
    pub(super) fn start(
        framebuffer: Arc<Framebuffer>,
        checked: Option<Checked>,
    ) -> (Self, oneshot::Receiver<Result<()>>) {
        let (done, read) = oneshot::channel();
        (Self { framebuffer, checked, done }, read)
    }

    /// Reads strips of `strip` rows, the last of which may have fewer, and hands each to `take` with its first row. The
    /// browser may draw again once all are read. A frame that cannot be read is a browser that is lost.
    pub(crate) fn strips(self, strip: usize, mut take: impl FnMut(usize, &[u8])) -> Result<()> {
        let Self { framebuffer, checked, done } = self;
        let mut read = || {
            let rows = strip * framebuffer.stride;
            if let Some(Checked { pixels, png: _ }) = &checked {
                pixels.chunks(rows).enumerate().for_each(|(i, bytes)| take(i * strip, bytes));
                return Ok(());
            }
            // One buffer that stays in the cache costs half of what the whole frame at once does.
            let mut buffer = vec![0; rows];
            for first in (0..framebuffer.height).step_by(strip) {
                let rows = strip.min(framebuffer.height - first);
                let bytes = &mut buffer[..rows * framebuffer.stride];
                framebuffer.read(first, bytes)?;
                take(first, bytes);
            }
            Ok(())
        };
        let result = read();
        let told = match &result {
            Ok(()) => Ok(()),
            Err(_) => Err(unreadable("the frame before could not be read")),
        };
        // A browser that is gone waits for nothing.
        let _gone = done.send(told);
        result
    }
}

fn unreadable(reason: &str) -> Error {
    Error::BrowserLost { during: "while a frame was read".to_owned(), reason: reason.to_owned() }
}

impl Framebuffer {
    /// The whole frame.
    pub(super) fn whole(&self) -> Result<Vec<u8>> {
        let mut pixels = vec![0; self.height * self.stride];
        self.read(0, &mut pixels)?;
        Ok(pixels)
    }

    pub(super) fn has_fault(&self, fault: ReadFault) -> bool {
        self.fault == Some(fault)
    }

    /// Reads the rows from `first` on that fill `rows`.
    fn read(&self, first: usize, rows: &mut [u8]) -> Result<()> {
        let first = if self.has_fault(ReadFault::Row) { first + 1 } else { first };
        let offset = u64::try_from(first * self.stride).expect("a frame is smaller than memory");
        // Of a process that has ended nothing is read, which is an error here.
        let read = self.memory.read_exact_at(rows, self.address + offset);
        read.map_err(|error| unreadable(&error.to_string()))?;
        if self.has_fault(ReadFault::Channels) {
            rows.chunks_exact_mut(PIXEL).for_each(|pixel| pixel.swap(0, 2));
        }
        Ok(())
    }
}
