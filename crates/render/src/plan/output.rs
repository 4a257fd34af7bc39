//! What is to be made, as a plan says it: written into its files, and read back from them.

use compose::geometry::Size;

use crate::config::output::{Alpha, Codec, Format, MAX_PLAYS, Output, Quality, RateControl, bits};
use crate::error::{Error, Result};
use crate::ffmpeg::encode::{Profile, profile};
use crate::frame::FrameRange;
use crate::plan::layout::{self, EncoderPlan, Preview};

/// What is made besides the video, while its frames are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SideOutputs {
    /// The frame that is kept as a picture.
    pub(crate) poster: Option<u32>,
    /// The size of a small video.
    pub(crate) preview: Option<Size>,
}

/// The size of a preview whose shorter side is `side`, for frames of `size`.
pub(super) fn preview(side: u32, frame: Size) -> Result<Size> {
    let Size { width, height } = frame;
    let short = width.min(height);
    if side >= short {
        return Err(Error::Config {
            field: "preview".to_owned(),
            reason: format!("{side}p is not smaller than the video, which has {frame}"),
        });
    }
    // The nearest even number, as 4:2:0 needs it.
    let scaled = |length: u32| {
        let exact = f64::from(length) * f64::from(side) / f64::from(short);
        let halves = (1..=length / 2).min_by(|a, b| {
            let off = |half: &u32| (f64::from(*half) * 2.0 - exact).abs();
            off(a).total_cmp(&off(b))
        });
        halves.unwrap_or(1) * 2
    };
    Ok(Size { width: scaled(width), height: scaled(height) })
}

/// What the chunks of a plan are encoded to.
pub(super) fn read(format: &str, encoder: &EncoderPlan) -> Result<Output> {
    let unknown = |what: &str| Error::Unsupported {
        what: what.to_owned(),
        reason: "this version encodes mp4, mov, webm, png-sequence and gif",
    };
    let format = Format::from_name(format).ok_or_else(|| unknown(format))?;
    let quality = encoder.quality.as_deref().unwrap_or("standard");
    let quality = Quality::from_name(quality)
        .ok_or_else(|| invalid(format!("quality is \"{quality}\", which is none")))?;
    let alpha = match encoder.pixel_format.as_deref() {
        Some(pixels) if pixels.starts_with("yuva") || pixels == "rgba" => Alpha::Kept,
        _ => Alpha::None,
    };
    let with = |codec: &Codec| Output {
        format,
        codec: *codec,
        alpha,
        quality,
        rate: RateControl::Preset,
        plays: encoder.plays.unwrap_or(0),
        cfr: encoder.cfr.unwrap_or(false),
    };
    let named = encoder.encoder.as_deref();
    let is_named = |output: &Output| named.is_none_or(|name| profile(output).encoder == name);
    let output = format.codecs().iter().map(with).find(is_named);
    let output = output.ok_or_else(|| unknown(named.unwrap_or_default()))?;
    if output.plays > MAX_PLAYS {
        return Err(invalid(format!("loop is above {MAX_PLAYS}")));
    }
    Ok(Output { rate: rate_control(encoder, output.codec)?, ..output })
}

fn rate_control(encoder: &EncoderPlan, codec: Codec) -> Result<RateControl> {
    match (encoder.crf, encoder.bitrate.as_deref(), codec.largest_crf()) {
        (_, _, None) | (None, None, _) => Ok(RateControl::Preset),
        (_, Some(bitrate), _) => {
            let none = || invalid(format!("bitrate is \"{bitrate}\", which is none"));
            Ok(RateControl::Bitrate(bits(bitrate).ok_or_else(none)?))
        }
        (Some(crf), None, Some(largest)) if u32::from(crf) <= largest => Ok(RateControl::Crf(crf)),
        (Some(crf), None, Some(largest)) => Err(invalid(format!("crf is {crf}, above {largest}"))),
    }
}

/// What a plan of `chunks` with frames of `size` says of its side outputs; plans of other makers have none.
pub(super) fn side_outputs(
    encoder: &EncoderPlan,
    chunks: &[FrameRange],
    frame: Size,
) -> Result<SideOutputs> {
    let is_drawn =
        |frame: u32| chunks.iter().any(|range| (range.start..range.end).contains(&frame));
    if let Some(poster) = encoder.poster.filter(|frame| !is_drawn(*frame)) {
        return Err(invalid(format!("poster is {poster}, which no chunk draws")));
    }
    let fits = |side: u32, most: u32| (2..=most).contains(&side) && side.is_multiple_of(2);
    let preview = encoder.preview.map(|Preview { width, height }| Size { width, height });
    let fits_in = |size: &Size| fits(size.width, frame.width) && fits(size.height, frame.height);
    if let Some(size) = preview.filter(|size| !fits_in(size)) {
        return Err(invalid(format!("preview is {size}, which cannot be encoded")));
    }
    Ok(SideOutputs { poster: encoder.poster, preview })
}

pub(super) fn invalid(reason: String) -> Error {
    Error::PlanArtifactInvalid { artifact: layout::ENCODER_JSON.into(), reason }
}

/// The constant rate factor and the bit rate that stand in a plan.
pub(super) fn rate(output: &Output) -> (Option<u8>, Option<String>) {
    let Profile { crf, .. } = profile(output);
    match &output.rate {
        RateControl::Preset => (crf, None),
        RateControl::Crf(crf) => (Some(*crf), None),
        RateControl::Bitrate(bits) => (None, Some(bits.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_preview_has_the_shape_of_the_video_and_even_sides() {
        for (side, size, expected) in [
            (540, (1920, 1080), Some((960, 540))),
            (540, (1080, 1920), Some((540, 960))),
            (480, (1920, 1080), Some((854, 480))),
            (240, (1000, 1000), Some((240, 240))),
            (1080, (1920, 1080), None),
            (1082, (1920, 1080), None),
        ] {
            let of = |(width, height)| Size { width, height };
            assert_eq!(preview(side, of(size)).ok(), expected.map(of), "{side} of {size:?}");
        }
    }

    fn encoder_plan(value: &Value) -> std::result::Result<EncoderPlan, String> {
        serde_json::from_value(value.clone()).map_err(|error| error.to_string())
    }

    fn read(format: &str, encoder: &Value) -> std::result::Result<Output, String> {
        super::read(format, &encoder_plan(encoder)?).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_plan_of_another_maker_asks_for_is_understood_or_refused_by_its_name() {
        let webm = json!({
            "encoder": "libvpx-vp9-software", "quality": "high", "pixelFormat": "yuva420p", "crf": 60
        });
        let output = read("webm", &webm).unwrap();
        assert_eq!((output.alpha, output.rate), (Alpha::Kept, RateControl::Crf(60)));
        assert_eq!(super::read("mp4", &EncoderPlan::default()).unwrap().codec.name(), "h264");
        for (format, encoder, pixels, codec, alpha) in [
            ("mp4", "libx264-software", "yuv420p", "h264", Alpha::None),
            ("mp4", "libx265-software", "yuv420p", "h265", Alpha::None),
            ("mov", "prores-software", "yuva444p10le", "prores", Alpha::Kept),
            ("webm", "libvpx-vp9-software", "yuva420p", "vp9", Alpha::Kept),
            ("png-sequence", "png-sequence", "rgba", "png", Alpha::Kept),
        ] {
            let plan = json!({
                "encoder": encoder, "quality": "standard", "pixelFormat": pixels, "crf": 18, "preset": "medium",
                "captureMode": "screenshot", "forceScreenshot": true
            });
            let output = read(format, &plan).unwrap();
            assert_eq!((output.codec.name(), output.alpha), (codec, alpha), "{encoder}");
        }
        for (format, encoder, says) in [
            ("avi", json!({}), "avi"),
            ("mp4", json!({"encoder": "libaom"}), "libaom"),
            ("mp4", json!({"encoder": "libvpx-vp9-software"}), "libvpx-vp9-software"),
            ("mp4", json!({"crf": 60}), "crf is 60"),
            ("mp4", json!({"bitrate": "fast"}), "bitrate is \"fast\""),
            ("mp4", json!({"quality": "best"}), "quality is \"best\""),
            ("gif", json!({"loop": 4_000_000_000_u64}), "loop is above 65535"),
            ("mp4", json!({"crf": "18"}), "invalid type"),
        ] {
            let error = read(format, &encoder).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn side_outputs_that_cannot_be_made_are_refused_before_anything_is_drawn() {
        let chunks = [FrameRange { start: 30, end: 60 }];
        let read = |plan: &Value| {
            let made =
                side_outputs(&encoder_plan(plan)?, &chunks, Size { width: 640, height: 360 });
            made.map_err(|error| error.to_string())
        };
        let made = read(&json!({"poster": 59, "preview": {"width": 320, "height": 180}})).unwrap();
        assert_eq!(
            made,
            SideOutputs { poster: Some(59), preview: Some(Size { width: 320, height: 180 }) }
        );
        assert_eq!(read(&json!({})).unwrap(), SideOutputs::default());
        for plan in [
            json!({"poster": 60}),
            json!({"poster": -1}),
            json!({"preview": {"width": 0, "height": 0}}),
            json!({"preview": {"width": 321, "height": 180}}),
            json!({"preview": {"width": 3200, "height": 1800}}),
            json!({"preview": "540p"}),
        ] {
            read(&plan).unwrap_err();
        }
    }
}
