//! The frames of one browser as they are read from memory: what has changed is converted, and what has not is kept.

use std::sync::{Arc, Mutex};

use compose::geometry::Size;

use crate::browser::framebuffer::{Checked, PIXEL, Reading};
use crate::browser::session::Reuse;
use crate::capture::buffers::Buffers;
use crate::capture::picture::{FrameConversion, FrameHashes, Picture, decode, decode_base64};
use crate::capture::planes::{Raster, Samples, yuv420};
use crate::config::output::PixelFormat;
use crate::error::{Error, Result};

/// Rows that are read, compared and converted while they are in the processor's cache. Chroma needs pairs of them.
const STRIP: usize = 32;

/// What one browser showed last. Frames of one browser go through it in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Canvas(Arc<Mutex<Shown>>);

#[derive(Debug, Default)]
struct Shown {
    /// Empty before the first frame.
    pixels: Vec<u8>,
    /// The same for the encoder, if it wants planes of 4:2:0.
    planes: Vec<u8>,
}

impl Canvas {
    /// Reads frame `index` and converts it. Without a difference to the frame before there is no picture, if `reuse` allows it.
    pub(crate) fn picture(
        &self,
        reading: Reading,
        index: u32,
        reuse: Reuse,
        conversion: FrameConversion,
        buffers: &Buffers,
    ) -> Result<Option<Picture>> {
        let mut shown = self.0.lock().expect("nothing panics while holding a canvas");
        let mut reading = reading;
        let png = match &mut reading.checked {
            Some(checked) => Some(compare(checked, index, conversion, buffers)?),
            None => None,
        };
        let is_poster = conversion.poster == Some(index);
        let has_changed = shown.take(reading, conversion)?;
        if !has_changed && reuse == Reuse::Proven && !is_poster {
            return Ok(None);
        }
        shown.picture(index, png.filter(|_| is_poster), conversion, buffers).map(Some)
    }
}

/// The screenshot of a frame, if it is what was read from memory to the last bit.
pub(super) fn compare(
    checked: &Checked,
    index: u32,
    conversion: FrameConversion,
    buffers: &Buffers,
) -> Result<Vec<u8>> {
    let bytes = decode_base64(&checked.png, index, conversion.viewport)?;
    let shot = decode(&bytes, index, conversion.viewport, buffers)?;
    let is_same = shot
        .each()
        .zip(checked.pixels.chunks_exact(PIXEL))
        .all(|([red, green, blue, _], read)| read == [blue, green, red, u8::MAX]);
    buffers.put_back(shot.pixels);
    if is_same { Ok(bytes) } else { Err(Error::FramebufferMismatch { frame: index }) }
}

impl Shown {
    /// Takes a frame over. Returns whether it differs from the one before.
    fn take(&mut self, reading: Reading, conversion: FrameConversion) -> Result<bool> {
        let Size { width, height } = conversion.viewport.frame();
        let (columns, area) = (width as usize, width as usize * height as usize);
        let is_first = self.pixels.is_empty();
        if is_first {
            self.pixels = vec![0; area * PIXEL];
            if conversion.pixels == PixelFormat::Yuv420 {
                self.planes = vec![0; area + area / 2];
            }
        }
        let mut has_changed = is_first;
        reading.strips(STRIP, |first, strip| {
            let at = first * columns * PIXEL;
            let before = &mut self.pixels[at..at + strip.len()];
            if !is_first && before == strip {
                return;
            }
            has_changed = true;
            before.copy_from_slice(strip);
            if conversion.pixels == PixelFormat::Yuv420 {
                convert(strip, first, (columns, area), &mut self.planes);
            }
        })?;
        Ok(has_changed)
    }

    fn picture(
        &self,
        index: u32,
        png: Option<Vec<u8>>,
        conversion: FrameConversion,
        buffers: &Buffers,
    ) -> Result<Picture> {
        let FrameConversion { viewport, pixels: wanted, alpha, hashes, poster: _ } = conversion;
        let Size { width, height } = viewport.frame();
        let is_planar = wanted == PixelFormat::Yuv420;
        let mut raster = Raster { width, height, samples: Samples::Bgra, pixels: Vec::new() };
        if hashes == FrameHashes::Compute || !is_planar {
            raster.pixels.clone_from(&self.pixels);
        }
        let sha256 = (hashes == FrameHashes::Compute).then(|| raster.sha256(alpha));
        let data = if is_planar {
            let mut data = buffers.take(self.planes.len());
            data.copy_from_slice(&self.planes);
            data
        } else {
            let reason = |error: yuv::YuvError| error.to_string();
            raster.converted(wanted, buffers).map_err(|error| Error::BadFrame {
                frame: index,
                width,
                height,
                reason: reason(error),
            })?
        };
        Ok(Picture { data, png, sha256 })
    }
}

/// Converts the rows of `strip`, of which the first has the number `first`, into their places in `planes`.
fn convert(strip: &[u8], first: usize, (columns, area): (usize, usize), planes: &mut [u8]) {
    let rows = strip.len() / PIXEL / columns;
    let (luma, chroma) = planes.split_at_mut(area);
    let (blue, red) = chroma.split_at_mut(area / 4);
    let here = first * columns..(first + rows) * columns;
    let there = here.start / 4..here.end / 4;
    let size = [columns, rows].map(|side| u32::try_from(side).expect("a frame is small"));
    let planes = [&mut luma[here], &mut blue[there.clone()], &mut red[there]];
    yuv420(strip, Samples::Bgra, (size[0], size[1]), planes).expect("the planes have this size");
}
