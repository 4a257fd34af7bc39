//! Pixels as Chrome draws them, turned into what each encoder reads: BT.709, limited range, said by nobody but us.

use compose::hash::sha256_hex;
use yuv::{
    BufferStoreMut, YuvConversionMode, YuvError, YuvPlanarImageMut, YuvRange, YuvStandardMatrix,
    bgra_to_yuv420, rgb_to_yuv420, rgba_to_yuv420,
};

use crate::capture::buffers::Buffers;
use crate::config::output::{Alpha, PixelFormat};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Samples {
    Rgb,
    Rgba,
    /// As the compositor has them; nothing can be seen through them.
    Bgra,
}

/// A decoded picture, row after row.
#[derive(Debug)]
pub(crate) struct Raster {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) samples: Samples,
    pub(crate) pixels: Vec<u8>,
}

impl Samples {
    fn count(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Rgba | Self::Bgra => 4,
        }
    }
}

impl Raster {
    /// These pixels as `wanted`; nothing for what is not made of pixels.
    pub(crate) fn converted(
        &mut self,
        wanted: PixelFormat,
        buffers: &Buffers,
    ) -> Result<Vec<u8>, YuvError> {
        match wanted {
            PixelFormat::Yuv420 => self.yuv420(0, buffers),
            PixelFormat::Yuva420 => {
                self.fill_transparent();
                let luma = self.area();
                let mut planes = self.yuv420(luma, buffers)?;
                for (to, pixel) in planes[luma + luma / 2..].iter_mut().zip(self.each()) {
                    *to = pixel[3];
                }
                Ok(planes)
            }
            PixelFormat::Yuv444p10 => Ok(self.ten_bits(3, buffers)),
            PixelFormat::Yuva444p10 => Ok(self.ten_bits(4, buffers)),
            PixelFormat::Rgb => {
                let mut bytes = buffers.take(self.area() * 3);
                for (to, pixel) in bytes.chunks_exact_mut(3).zip(self.each()) {
                    to.copy_from_slice(&pixel[..3]);
                }
                Ok(bytes)
            }
            PixelFormat::Png => Ok(Vec::new()),
        }
    }

    fn area(&self) -> usize {
        self.width as usize * self.height as usize
    }

    /// Every pixel with its alpha.
    pub(crate) fn each(&self) -> impl Iterator<Item = [u8; 4]> {
        let samples = self.samples;
        self.pixels.chunks_exact(samples.count()).map(move |pixel| match samples {
            Samples::Rgb => [pixel[0], pixel[1], pixel[2], u8::MAX],
            Samples::Rgba => [pixel[0], pixel[1], pixel[2], pixel[3]],
            Samples::Bgra => [pixel[2], pixel[1], pixel[0], u8::MAX],
        })
    }

    /// The digest of red, green and blue, and of alpha where that is kept.
    pub(crate) fn sha256(&self, alpha: Alpha) -> String {
        match (self.samples, alpha) {
            (Samples::Rgb, _) | (Samples::Rgba, Alpha::Kept) => sha256_hex(&self.pixels),
            (Samples::Rgba | Samples::Bgra, _) => sha256_hex(&self.rgb()),
        }
    }

    pub(crate) fn rgb(&self) -> Vec<u8> {
        self.each().flat_map(|[red, green, blue, _alpha]| [red, green, blue]).collect()
    }

    /// Luma, then both chroma planes at half size, and `more` bytes of anything. The chroma of a pixel is the mean of its
    /// 2×2 block.
    fn yuv420(&self, more: usize, buffers: &Buffers) -> Result<Vec<u8>, YuvError> {
        let luma = self.area();
        let mut planes = buffers.take(luma + luma / 2 + more);
        let (y_plane, chroma) = planes.split_at_mut(luma);
        let (u_plane, v_plane) = chroma[..luma / 2].split_at_mut(luma / 4);
        yuv420(&self.pixels, self.samples, (self.width, self.height), [y_plane, u_plane, v_plane])?;
        Ok(planes)
    }

    /// Gives pixels that cannot be seen the colour of those that can be in their 2×2 block: chroma is shared, and the black
    /// that a transparent pixel is drawn as would darken the edge of what is beside it.
    fn fill_transparent(&mut self) {
        if self.samples != Samples::Rgba {
            return;
        }
        let stride = self.width as usize * 4;
        for rows in self.pixels.chunks_exact_mut(stride * 2) {
            let (upper, lower) = rows.split_at_mut(stride);
            for (above, below) in upper.chunks_exact_mut(8).zip(lower.chunks_exact_mut(8)) {
                let (first, second) = above.split_at_mut(4);
                let (third, fourth) = below.split_at_mut(4);
                fill_block([first, second, third, fourth]);
            }
        }
    }

    /// Full planes of ten bits in two bytes each, the lower one first: luma, both chromas, and alpha if there are four.
    fn ten_bits(&self, planes: usize, buffers: &Buffers) -> Vec<u8> {
        let plane = self.area() * 2;
        let mut bytes = buffers.take(plane * planes);
        let mut parts = bytes.chunks_exact_mut(plane);
        let mut next = || parts.next().unwrap_or_default().chunks_exact_mut(2);
        let (luma, blue, red, alpha) = (next(), next(), next(), next());
        let mut alpha = alpha;
        for (((pixel, luma), blue), red) in self.each().zip(luma).zip(blue).zip(red) {
            let [y, u, v] = ten_bit(pixel);
            luma.copy_from_slice(&y.to_le_bytes());
            blue.copy_from_slice(&u.to_le_bytes());
            red.copy_from_slice(&v.to_le_bytes());
            if let Some(alpha) = alpha.next() {
                let opacity = (u32::from(pixel[3]) * 1023 + 127) / 255;
                alpha.copy_from_slice(&u16::try_from(opacity).unwrap_or(1023).to_le_bytes());
            }
        }
        bytes
    }
}

/// Converts some rows of pixels, an even number of them, into as much of three planes.
pub(crate) fn yuv420(
    pixels: &[u8],
    samples: Samples,
    (width, height): (u32, u32),
    [y_plane, u_plane, v_plane]: [&mut [u8]; 3],
) -> Result<(), YuvError> {
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
    let range = YuvRange::Limited;
    let (standard, care) = (YuvStandardMatrix::Bt709, YuvConversionMode::Balanced);
    match samples {
        Samples::Rgb => rgb_to_yuv420(&mut image, pixels, width * 3, range, standard, care),
        Samples::Rgba => rgba_to_yuv420(&mut image, pixels, width * 4, range, standard, care),
        Samples::Bgra => bgra_to_yuv420(&mut image, pixels, width * 4, range, standard, care),
    }
}

fn fill_block(mut block: [&mut [u8]; 4]) {
    let alphas = block.each_ref().map(|pixel| u32::from(pixel[3]));
    let weight: u32 = alphas.iter().sum();
    if weight == 0 || !alphas.contains(&0) {
        return;
    }
    for channel in 0..3 {
        let colours = block.each_ref().map(|pixel| u32::from(pixel[channel]));
        let sum: u32 = colours.iter().zip(alphas).map(|(colour, alpha)| colour * alpha).sum();
        let mean = u8::try_from((sum + weight / 2) / weight).unwrap_or(u8::MAX);
        for (pixel, _) in block.iter_mut().zip(alphas).filter(|(_, alpha)| *alpha == 0) {
            pixel[channel] = mean;
        }
    }
}

/// Binary places of the coefficients below.
const PLACES: u32 = 20;

/// BT.709 for colours of 8 bits and limited range of 10: a row each for luma and both chromas, times 2^20. Luma spans 876
/// levels, chroma 896.
const MATRIX: [[i32; 3]; 3] = [
    [765_821, 2_576_270, 260_076],
    [-422_130, -1_420_074, 1_842_204],
    [1_842_204, -1_673_285, -168_919],
];
const ZERO: [i32; 3] = [64, 512, 512];

fn ten_bit([red, green, blue, _alpha]: [u8; 4]) -> [u16; 3] {
    let colours = [i32::from(red), i32::from(green), i32::from(blue)];
    std::array::from_fn(|row| {
        let sum: i32 =
            MATRIX[row].iter().zip(colours).map(|(factor, colour)| factor * colour).sum();
        let level = ((sum + (1 << (PLACES - 1))) >> PLACES) + ZERO[row];
        u16::try_from(level).unwrap_or(0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_bits_are_what_the_standard_says() {
        for r in (0..=255).step_by(5) {
            for g in (0..=255).step_by(5) {
                for b in (0..=255_u8).step_by(5) {
                    let [red, green, blue] = [r, g, b].map(|c| f64::from(c) / 255.0);
                    let y = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
                    let (u, v) = ((blue - y) / 1.8556, (red - y) / 1.5748);
                    let exact = [64.0 + 876.0 * y, 512.0 + 896.0 * u, 512.0 + 896.0 * v];
                    for (found, exact) in ten_bit([r, g, b, 0]).into_iter().zip(exact) {
                        assert!(
                            (f64::from(found) - exact).abs() < 0.501,
                            "{r} {g} {b}: {found}, {exact}"
                        );
                    }
                }
            }
        }
    }

    fn raster(pixels: &[[u8; 4]]) -> Raster {
        Raster { width: 2, height: 2, samples: Samples::Rgba, pixels: pixels.concat() }
    }

    #[test]
    fn what_cannot_be_seen_does_not_darken_what_is_beside_it() {
        let (red, none) = ([200, 40, 40, 255], [0, 0, 0, 0]);
        let buffers = Buffers::default();
        let whole = raster(&[red; 4]).converted(PixelFormat::Yuva420, &buffers).unwrap();
        let edge =
            raster(&[red, none, none, none]).converted(PixelFormat::Yuva420, &buffers).unwrap();
        assert_eq!(whole[..6], edge[..6], "luma and chroma");
        assert_eq!((&whole[6..], &edge[6..]), (&[255; 4][..], &[255, 0, 0, 0][..]));
        let nothing = raster(&[none; 4]).converted(PixelFormat::Yuva420, &buffers).unwrap();
        assert_eq!(nothing, [16, 16, 16, 16, 128, 128, 0, 0, 0, 0]);
    }

    #[test]
    fn alpha_has_as_many_levels_as_its_plane() {
        let pixels = [[0, 0, 0, 0], [0, 0, 0, 1], [255, 255, 255, 128], [255, 255, 255, 255]];
        let bytes =
            raster(&pixels).converted(PixelFormat::Yuva444p10, &Buffers::default()).unwrap();
        let words: Vec<_> =
            bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
        assert_eq!(words[..4], [64, 64, 940, 940]);
        assert_eq!(words[4..12], [512; 8]);
        assert_eq!(words[12..], [0, 4, 514, 1023]);
        let without =
            raster(&pixels).converted(PixelFormat::Yuv444p10, &Buffers::default()).unwrap();
        assert_eq!(without, bytes[..24]);
        let rgb = raster(&pixels).converted(PixelFormat::Rgb, &Buffers::default()).unwrap();
        assert_eq!(rgb, [0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255]);
    }
}
