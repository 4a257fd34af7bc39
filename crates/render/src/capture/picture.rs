//! From the PNG that Chrome sends to the planes that the encoder reads.

use std::io::Cursor;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use png::{BitDepth, ColorType};
use yuv::{
    BufferStoreMut, YuvConversionMode, YuvPlanarImageMut, YuvRange, YuvStandardMatrix,
    rgb_to_yuv420, rgba_to_yuv420,
};

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

/// Buffers that finished pictures leave behind for the next ones: fresh memory of this size costs more than what is put in it.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    free: Mutex<Vec<Vec<u8>>>,
}

impl Buffers {
    /// A buffer of `len` bytes with anything in it.
    fn take(&self, len: usize) -> Vec<u8> {
        let mut free = self.free.lock().expect("nothing panics while holding the buffers");
        let fitting = free.iter().position(|buffer| buffer.len() == len);
        fitting.map_or_else(|| vec![0; len], |i| free.swap_remove(i))
    }

    fn put_back(&self, buffer: Vec<u8>) {
        self.free.lock().expect("nothing panics while holding the buffers").push(buffer);
    }

    /// Takes a picture's planes back once nobody shows it any more.
    pub(crate) fn recycle(&self, picture: Arc<Picture>) {
        if let Some(picture) = Arc::into_inner(picture) {
            self.put_back(picture.planes);
        }
    }
}

/// Whether a picture's pixels are hashed on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameHashes {
    Compute,
    Skip,
}

/// Decodes frame `index` and converts it. The chroma of a pixel is the mean of its 2×2 block.
pub(crate) fn picture(
    png: &str,
    index: u32,
    viewport: Viewport,
    hashes: FrameHashes,
    buffers: &Buffers,
) -> Result<Picture> {
    let (width, height) = viewport.pixels();
    let bad = |reason: String| Error::BadFrame { frame: index, width, height, reason };
    let bytes = STANDARD.decode(png).map_err(|error| bad(error.to_string()))?;
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
    let rgb_sha256 = (hashes == FrameHashes::Compute).then(|| match info.color_type {
        ColorType::Rgba => {
            sha256_hex(&pixels.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect::<Vec<_>>())
        }
        _ => sha256_hex(&pixels),
    });
    let luma = width as usize * height as usize;
    let mut planes = buffers.take(luma + luma / 2);
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
    let (range, matrix, mode) =
        (YuvRange::Limited, YuvStandardMatrix::Bt709, YuvConversionMode::Balanced);
    match (info.color_type, info.bit_depth) {
        (ColorType::Rgb, BitDepth::Eight) => {
            rgb_to_yuv420(&mut image, &pixels, width * 3, range, matrix, mode)
        }
        (ColorType::Rgba, BitDepth::Eight) => {
            rgba_to_yuv420(&mut image, &pixels, width * 4, range, matrix, mode)
        }
        (colour, depth) => return Err(bad(format!("its pixels are {colour:?} of {depth:?} bits"))),
    }
    .map_err(|error| bad(error.to_string()))?;
    buffers.put_back(pixels);
    Ok(Picture { planes, rgb_sha256 })
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
        let viewport = Viewport { width: 2, height: 2, scale: 1 };
        picture(png, 7, viewport, FrameHashes::Skip, &Buffers::default())
    }

    #[test]
    fn what_is_not_the_frame_is_refused_with_the_frame_and_the_reason() {
        let red = [255, 0, 0].repeat(4);
        assert_eq!(converted(&png(2, 2, ColorType::Rgb, &red)).unwrap().planes.len(), 6);
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
