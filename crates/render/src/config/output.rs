//! What a render makes: container, codec and transparency, and which of their combinations there are.

use compose::geometry::{Size, Viewport};

use crate::config::fields::Fields;
use crate::error::{Result, refuse_config as refuse};
use crate::frame::Fps;

/// The files a render can make, by the names they have in a config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Mp4,
    Mov,
    Webm,
    /// A directory of numbered pictures.
    PngSequence,
    Gif,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    H264,
    H265,
    /// Of Apple, the profile called 4444.
    ProRes,
    Vp9,
    Png,
    /// Frames without loss until all of them are there, since they share one palette.
    Gif,
}

/// Whether what is behind the page can be seen through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpha {
    Kept,
    /// The page stands on white, as in a browser.
    None,
}

/// How much care the encoder takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    Draft,
    Standard,
    High,
}

/// What decides the size of the encoded stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RateControl {
    /// The quality's own constant rate factor.
    Preset,
    Crf(u8),
    /// Bits a second.
    Bitrate(u32),
}

/// How often a GIF can be played, unless it is for ever.
pub(crate) const MAX_PLAYS: u32 = 65_535;

/// To hold one is to know that its parts go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub format: Format,
    pub codec: Codec,
    pub alpha: Alpha,
    pub quality: Quality,
    pub rate: RateControl,
    /// How often a GIF is played; 0 is for ever.
    pub plays: u32,
    /// Whether the joined stream is encoded once more, as one.
    pub cfr: bool,
}

/// How a frame is handed to its encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PixelFormat {
    Yuv420,
    Yuva420,
    /// Ten bits in the lower end of two bytes.
    Yuv444p10,
    Yuva444p10,
    Rgb,
    /// The picture as Chrome sends it.
    Png,
}

impl PixelFormat {
    /// Whether there must be an even number of pixels in each direction: two share their colour in 4:2:0, and `ProRes` takes
    /// no odd width.
    fn comes_in_pairs(self) -> bool {
        match self {
            Self::Yuv420 | Self::Yuva420 | Self::Yuv444p10 | Self::Yuva444p10 => true,
            Self::Rgb | Self::Png => false,
        }
    }
}

impl Quality {
    pub const ALL: [Self; 3] = [Self::Draft, Self::Standard, Self::High];

    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Standard => "standard",
            Self::High => "high",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|quality| quality.name() == name)
    }
}

impl Format {
    pub const ALL: [Self; 5] = [Self::Mp4, Self::Mov, Self::Webm, Self::PngSequence, Self::Gif];

    pub fn name(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Mov => "mov",
            Self::Webm => "webm",
            Self::PngSequence => "png-sequence",
            Self::Gif => "gif",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// What the name of such a file ends with; a directory has nothing there.
    pub fn extension(self) -> Option<&'static str> {
        (self != Self::PngSequence).then(|| self.name())
    }

    /// What the name of a chunk of it ends with.
    pub fn chunk_extension(self) -> &'static str {
        match self {
            Self::Mp4 | Self::Gif => "mp4",
            Self::Mov | Self::PngSequence => "mov",
            Self::Webm => "webm",
        }
    }

    /// Whether it is many files.
    pub fn is_directory(self) -> bool {
        self == Self::PngSequence
    }

    pub(crate) fn has_sound(self) -> bool {
        self != Self::Gif
    }

    /// The codecs it can hold, the usual one first.
    pub(crate) fn codecs(self) -> &'static [Codec] {
        match self {
            Self::Mp4 => &[Codec::H264, Codec::H265],
            Self::Mov => &[Codec::ProRes],
            Self::Webm => &[Codec::Vp9],
            Self::PngSequence => &[Codec::Png],
            Self::Gif => &[Codec::Gif],
        }
    }

    pub(crate) fn can_be_transparent(self) -> bool {
        matches!(self, Self::Mov | Self::Webm | Self::PngSequence)
    }
}

impl Codec {
    pub const ALL: [Self; 6] =
        [Self::H264, Self::H265, Self::ProRes, Self::Vp9, Self::Png, Self::Gif];

    pub fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::H265 => "h265",
            Self::ProRes => "prores",
            Self::Vp9 => "vp9",
            Self::Png => "png",
            Self::Gif => "gif",
        }
    }

    /// The largest constant rate factor, for a codec that has one.
    pub(crate) fn largest_crf(self) -> Option<u32> {
        match self {
            Self::H264 | Self::H265 => Some(51),
            Self::Vp9 => Some(63),
            Self::ProRes | Self::Png | Self::Gif => None,
        }
    }
}

impl Output {
    pub(crate) fn pixels(&self) -> PixelFormat {
        match (self.codec, self.alpha) {
            (Codec::H264 | Codec::H265, _) | (Codec::Vp9, Alpha::None) => PixelFormat::Yuv420,
            (Codec::Vp9, Alpha::Kept) => PixelFormat::Yuva420,
            (Codec::ProRes, Alpha::None) => PixelFormat::Yuv444p10,
            (Codec::ProRes, Alpha::Kept) => PixelFormat::Yuva444p10,
            (Codec::Png, _) => PixelFormat::Png,
            (Codec::Gif, _) => PixelFormat::Rgb,
        }
    }

    /// Whether its frames can have this size.
    pub(crate) fn holds(&self, Size { width, height }: Size) -> bool {
        !self.pixels().comes_in_pairs() || (width.is_multiple_of(2) && height.is_multiple_of(2))
    }

    /// The page on which a composition of this size is drawn: where frames of an odd size cannot be encoded, one with a row or
    /// column more, which shows what is behind the composition.
    pub(crate) fn page(&self, viewport: Viewport) -> Viewport {
        if self.holds(viewport.frame()) {
            return viewport;
        }
        let even = |side: u32| side.next_multiple_of(2);
        Viewport { width: even(viewport.width), height: even(viewport.height), ..viewport }
    }

    /// Reads what is to be made, and refuses what does not go together, with what would.
    pub(super) fn read(fields: &mut Fields) -> Result<Self> {
        let format = fields.choice("format", &Format::ALL.map(Format::name))?;
        let format = format.and_then(|name| Format::from_name(&name)).unwrap_or(Format::Mp4);
        let codec = codec(fields, format)?;
        let alpha = match (fields.bool("alpha")?, format.can_be_transparent()) {
            (Some(true), false) => {
                let why = "holds no half-transparent pixels; mov, webm and png-sequence do";
                return refuse("alpha", format!("a {} {why}", format.name()));
            }
            (None | Some(true), true) => Alpha::Kept,
            (None | Some(false), _) => Alpha::None,
        };
        let quality = fields.choice("quality", &Quality::ALL.map(Quality::name))?;
        let quality =
            quality.and_then(|name| Quality::from_name(&name)).unwrap_or(Quality::Standard);
        let rate = rate(fields, format, codec)?;
        let plays = fields.int("loop", 0, MAX_PLAYS)?;
        if plays.is_some() && format != Format::Gif {
            return refuse("loop", format!("is for gif; a {} is played once", format.name()));
        }
        let cfr = fields.bool("cfr")?.unwrap_or(false);
        let output = Self { format, codec, alpha, quality, rate, plays: plays.unwrap_or(0), cfr };
        output.refuses_cfr().map_or(Ok(output), |reason| refuse("cfr", reason))
    }

    /// Why it cannot have this frame rate, if it cannot.
    pub(super) fn unfit(&self, fps: Fps) -> Option<String> {
        // A frame is shown for hundredths of a second, and browsers take less than two for ten.
        let is_unfit = self.format == Format::Gif && fps.as_f64() > 50.0;
        is_unfit.then(|| format!("a gif has at most 50 frames a second, not {}", fps.named()))
    }

    /// Why it cannot be encoded once more, if that is asked for.
    pub(crate) fn refuses_cfr(&self) -> Option<String> {
        let is_refused = self.cfr && self.format != Format::Mp4;
        is_refused.then(|| {
            let format = self.format.name();
            format!("is for mp4; the frames of a {format} are as exactly spaced without it")
        })
    }
}

fn codec(fields: &mut Fields, format: Format) -> Result<Codec> {
    let held = format.codecs();
    let Some(name) = fields.choice("codec", &Codec::ALL.map(Codec::name))? else {
        return Ok(held[0]);
    };
    let named = held.iter().find(|codec| codec.name() == name);
    named.copied().map_or_else(
        || {
            let held: Vec<_> = held.iter().map(|codec| codec.name()).collect();
            let home = Format::ALL
                .iter()
                .find(|format| format.codecs().iter().any(|codec| codec.name() == name));
            let home = home.map_or("none", |format| format.name());
            let held = held.join(" or ");
            refuse("codec", format!("{name} goes into {home}; a {} holds {held}", format.name()))
        },
        Ok,
    )
}

fn rate(fields: &mut Fields, format: Format, codec: Codec) -> Result<RateControl> {
    let largest = codec.largest_crf();
    let crf = fields.int("crf", 0, largest.unwrap_or(u32::MAX))?;
    let bitrate = fields.text("bitrate")?;
    let fixed = |field| {
        let format = format.name();
        refuse(field, format!("is for mp4 and webm; how large a {format} is, its pictures decide"))
    };
    match (crf, bitrate) {
        (Some(_), _) if largest.is_none() => fixed("crf"),
        (None, Some(_)) if largest.is_none() => fixed("bitrate"),
        (None, None) => Ok(RateControl::Preset),
        (Some(crf), None) => Ok(RateControl::Crf(u8::try_from(crf).unwrap_or(u8::MAX))),
        (None, Some(text)) => bits(&text).map_or_else(
            || {
                let must = "must look like 8M, 2500k or 1.5M and be from 10k to 1000M";
                refuse("bitrate", format!("{must}, not \"{text}\""))
            },
            |bits| Ok(RateControl::Bitrate(bits)),
        ),
        (Some(_), Some(_)) => refuse("bitrate", "cannot be given together with crf"),
    }
}

/// The slowest and the fastest stream that makes sense, in bits a second.
const BITS: (f64, f64) = (1e4, 1e9);

/// Reads bits a second as people write them, whatever the case of the unit.
pub(crate) fn bits(text: &str) -> Option<u32> {
    let (number, unit) = match text.char_indices().next_back()? {
        (end, 'k' | 'K') => (&text[..end], 1e3),
        (end, 'm' | 'M') => (&text[..end], 1e6),
        _ => (text, 1.0),
    };
    let is_plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let bits = number.parse::<f64>().ok().filter(|_| is_plain)? * unit;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded, and between bounds that a u32 holds"
    )]
    (BITS.0..=BITS.1).contains(&bits).then_some(bits.round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_an_odd_size_is_padded_where_pixels_come_in_pairs() {
        let output = |format: Format, alpha| Output {
            format,
            codec: format.codecs()[0],
            alpha,
            quality: Quality::Draft,
            rate: RateControl::Preset,
            plays: 0,
            cfr: false,
        };
        let odd = |scale| Viewport { width: 1081, height: 607, scale };
        let padded = |scale| Viewport { width: 1082, height: 608, scale };
        for (format, alpha, page, expected) in [
            (Format::Mp4, Alpha::None, odd(1), padded(1)),
            (Format::Webm, Alpha::Kept, odd(3), padded(3)),
            (Format::Mp4, Alpha::None, odd(2), odd(2)),
            (Format::Mov, Alpha::Kept, odd(1), padded(1)),
            (Format::PngSequence, Alpha::None, odd(1), odd(1)),
            (Format::Gif, Alpha::None, odd(1), odd(1)),
        ] {
            assert_eq!(output(format, alpha).page(page), expected, "{format:?}");
        }
    }

    #[test]
    fn a_bit_rate_is_bits_a_second_in_whatever_unit() {
        for (text, expected) in [
            ("8M", Some(8_000_000)),
            ("8m", Some(8_000_000)),
            ("2500k", Some(2_500_000)),
            ("1.5M", Some(1_500_000)),
            ("64000", Some(64_000)),
            ("9k", None),
            ("0", None),
            ("0.0001k", None),
            ("1001M", None),
            ("99999999999M", None),
            ("-8M", None),
            ("1e6", None),
            ("M", None),
            ("", None),
            ("8 M", None),
            ("inf", None),
        ] {
            assert_eq!(bits(text), expected, "{text}");
        }
    }
}
