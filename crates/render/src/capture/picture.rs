//! From the PNG that Chrome sends to what the encoder reads.

use std::io::Cursor;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use compose::geometry::{Size, Viewport};
use png::{BitDepth, ColorType};

use crate::capture::buffers::Buffers;
use crate::capture::planes::{Raster, Samples};
use crate::config::output::{Alpha, PixelFormat};
use crate::error::{Error, Result};

/// One frame.
#[derive(Debug)]
pub(crate) struct Picture {
    /// As the encoder reads it.
    pub(crate) data: Vec<u8>,
    /// As Chrome sent it, if it is wanted as a picture of its own.
    pub(crate) png: Option<Vec<u8>>,
    /// sha256 of the decoded red, green and blue bytes, and of alpha where that is kept, if asked for.
    pub(crate) sha256: Option<String>,
}

impl Picture {
    /// Gives its bytes back once nobody shows it any more.
    pub(crate) fn recycle(self: Arc<Self>, pixels: PixelFormat, buffers: &Buffers) {
        // A compressed picture has a length of its own, which no other one asks for.
        if pixels != PixelFormat::Png
            && let Some(picture) = Arc::into_inner(self)
        {
            buffers.put_back(picture.data);
        }
    }
}

/// What becomes of the frames of a chunk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameConversion {
    pub(crate) viewport: Viewport,
    pub(crate) pixels: PixelFormat,
    pub(crate) alpha: Alpha,
    pub(crate) hashes: FrameHashes,
    /// The frame that is kept as Chrome sent it.
    pub(crate) poster: Option<u32>,
}

/// Whether a picture's pixels are hashed on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameHashes {
    Compute,
    Skip,
}

/// Decodes frame `index` and converts it.
pub(crate) fn picture(
    png: &str,
    index: u32,
    conversion: FrameConversion,
    buffers: &Buffers,
) -> Result<Picture> {
    let FrameConversion { viewport, pixels: wanted, alpha, hashes, poster } = conversion;
    let bytes = decode_base64(png, index, viewport)?;
    let raster = decode(&bytes, index, viewport, buffers)?;
    let sha256 = (hashes == FrameHashes::Compute).then(|| raster.sha256(alpha));
    // The frame that is wanted may be one that is not drawn again.
    let is_kept = poster.is_some_and(|poster| index <= poster);
    if wanted == PixelFormat::Png {
        buffers.put_back(raster.pixels);
        return Ok(Picture { png: is_kept.then(|| bytes.clone()), data: bytes, sha256 });
    }
    let mut raster = raster;
    let data = raster.converted(wanted, buffers);
    let data = data.map_err(|error| bad(index, viewport, error.to_string()))?;
    buffers.put_back(raster.pixels);
    Ok(Picture { data, png: is_kept.then_some(bytes), sha256 })
}

fn bad(frame: u32, viewport: Viewport, reason: String) -> Error {
    let Size { width, height } = viewport.frame();
    Error::BadFrame { frame, width, height, reason }
}

/// The bytes of a PNG as Chrome sends it.
pub(crate) fn decode_base64(png: &str, index: u32, viewport: Viewport) -> Result<Vec<u8>> {
    STANDARD.decode(png).map_err(|error| bad(index, viewport, error.to_string()))
}

/// The pixels of a PNG that has the size of a frame.
pub(crate) fn decode(
    bytes: &[u8],
    index: u32,
    viewport: Viewport,
    buffers: &Buffers,
) -> Result<Raster> {
    let Size { width, height } = viewport.frame();
    let bad = |reason: String| bad(index, viewport, reason);
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    // The bytes come from a process on this machine; what could be wrong with them no checksum would show.
    decoder.ignore_checksums(true);
    let mut reader = decoder.read_info().map_err(|error| bad(error.to_string()))?;
    let mut pixels =
        buffers.take(reader.output_buffer_size().ok_or_else(|| bad("it is too large".into()))?);
    let info = reader.next_frame(&mut pixels).map_err(|error| bad(error.to_string()))?;
    if (info.width, info.height) != (width, height) {
        return Err(bad(format!("it has {}x{} pixels", info.width, info.height)));
    }
    let samples = match (info.color_type, info.bit_depth) {
        (ColorType::Rgb, BitDepth::Eight) => Samples::Rgb,
        (ColorType::Rgba, BitDepth::Eight) => Samples::Rgba,
        (colour, depth) => return Err(bad(format!("its pixels are {colour:?} of {depth:?} bits"))),
    };
    Ok(Raster { width, height, samples, pixels })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32, colour: ColorType, pixels: &[u8]) -> String {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(colour);
        encoder.write_header().unwrap().write_image_data(pixels).unwrap();
        STANDARD.encode(bytes)
    }

    fn converted(png: &str) -> Result<Picture> {
        let conversion = FrameConversion {
            viewport: Viewport { width: 2, height: 2, scale: 1 },
            pixels: PixelFormat::Yuv420,
            alpha: Alpha::None,
            hashes: FrameHashes::Skip,
            poster: None,
        };
        picture(png, 7, conversion, &Buffers::default())
    }

    #[test]
    fn what_is_not_the_frame_is_refused_with_the_frame_and_the_reason() {
        let red = [255, 0, 0].repeat(4);
        assert_eq!(converted(&png(2, 2, ColorType::Rgb, &red)).unwrap().data.len(), 6);
        for (sent, reason) in [
            ("not base64 !".to_owned(), "Invalid"),
            (STANDARD.encode("not a png"), "signature"),
            (png(2, 1, ColorType::Rgb, &red[..6]), "it has 2x1 pixels"),
            (png(2, 2, ColorType::Grayscale, &[0; 4]), "its pixels are Grayscale"),
        ] {
            let error = converted(&sent).unwrap_err();
            assert!(matches!(error, Error::BadFrame { frame: 7, .. }), "{error}");
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
