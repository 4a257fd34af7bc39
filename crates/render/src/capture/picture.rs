//! From the PNG that Chrome sends to the planes that the encoder reads.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use yuv::{BufferStoreMut, YuvConversionMode, YuvPlanarImageMut, YuvRange, YuvStandardMatrix, rgb_to_yuv420, rgba_to_yuv420};
use zune_png::PngDecoder;
use zune_png::zune_core::bytestream::ZCursor;
use zune_png::zune_core::colorspace::ColorSpace;
use zune_png::zune_core::options::DecoderOptions;

use crate::browser::Viewport;
use crate::error::{Error, Result};
use crate::hash::sha256_hex;

/// One frame as 4:2:0 planes, BT.709, limited range: luma, then both chroma planes at half size.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) planes: Vec<u8>,
    /// sha256 of the decoded red, green and blue bytes, if asked for.
    pub(crate) rgb_sha256: Option<String>,
}

/// Whether a picture's pixels are hashed on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameHashes {
    Compute,
    Skip,
}

/// Decodes frame `index` and converts it. The chroma of a pixel is the mean of its 2×2 block.
pub(crate) fn picture(png: &str, index: u32, viewport: Viewport, hashes: FrameHashes) -> Result<Picture> {
    let Viewport { width, height } = viewport;
    let bad = |reason: String| Error::BadFrame { frame: index, width, height, reason };
    let bytes = STANDARD.decode(png).map_err(|error| bad(error.to_string()))?;
    let options = DecoderOptions::new_fast().set_max_width(1 << 14).set_max_height(1 << 14);
    let mut decoder = PngDecoder::new_with_options(ZCursor::new(bytes), options);
    let pixels = decoder.decode_raw().map_err(|error| bad(format!("{error:?}")))?;
    let (found_width, found_height) = decoder.dimensions().ok_or_else(|| bad("no size".into()))?;
    if (found_width, found_height) != (width as usize, height as usize) {
        return Err(bad(format!("it has {found_width}x{found_height} pixels")));
    }
    let colorspace = decoder.colorspace().ok_or_else(|| bad("no colour type".into()))?;
    let rgb_sha256 = (hashes == FrameHashes::Compute).then(|| match colorspace {
        ColorSpace::RGBA => sha256_hex(&pixels.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect::<Vec<_>>()),
        _ => sha256_hex(&pixels),
    });
    let luma = width as usize * height as usize;
    let mut planes = vec![0; luma + luma / 2];
    let (y_plane, chroma) = planes.split_at_mut(luma);
    let (u_plane, v_plane) = chroma.split_at_mut(luma / 4);
    let mut image = YuvPlanarImageMut {
        y_plane: BufferStoreMut::Borrowed(y_plane),
        y_stride: width,
        u_plane: BufferStoreMut::Borrowed(u_plane),
        u_stride: width / 2,
        v_plane: BufferStoreMut::Borrowed(v_plane),
        v_stride: width / 2,
        width,
        height,
    };
    let (range, matrix, mode) = (YuvRange::Limited, YuvStandardMatrix::Bt709, YuvConversionMode::Balanced);
    match colorspace {
        ColorSpace::RGB => rgb_to_yuv420(&mut image, &pixels, width * 3, range, matrix, mode),
        ColorSpace::RGBA => rgba_to_yuv420(&mut image, &pixels, width * 4, range, matrix, mode),
        other => return Err(bad(format!("its colour type is {other:?}"))),
    }
    .map_err(|error| bad(error.to_string()))?;
    Ok(Picture { planes, rgb_sha256 })
}
