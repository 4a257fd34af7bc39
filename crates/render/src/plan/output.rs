//! What is to be made, as a plan says it: written into its files, and read back from them.

use serde_json::Value;

use crate::config::output::{Alpha, Format, MAX_PLAYS, Output, Quality, RateControl, bits};
use crate::error::{Error, Result};
use crate::ffmpeg::encode::{Profile, profile};
use crate::frame::FrameRange;
use crate::plan::layout;

/// What is made besides the video, while its frames are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SideOutputs {
    /// The frame that is kept as a picture.
    pub(crate) poster: Option<u32>,
    /// Width and height of a small video.
    pub(crate) preview: Option<(u32, u32)>,
}

/// The size of a preview whose shorter side is `side`, for frames of `size`.
pub(super) fn preview(side: u32, (width, height): (u32, u32)) -> Result<(u32, u32)> {
    let short = width.min(height);
    if side >= short {
        return Err(Error::Config {
            field: "preview".to_owned(),
            reason: format!("{side}p is not smaller than the video, which has {width}x{height}"),
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
    Ok((scaled(width), scaled(height)))
}

/// Reads what the chunks of a plan are encoded to. `encoder` is null where a plan came without it.
pub(super) fn read(format: &str, encoder: &Value) -> Result<Output> {
    let invalid = |reason: String| Error::PlanArtifactInvalid {
        artifact: layout::ENCODER_JSON.into(),
        reason,
    };
    let text = |name: &str| encoder[name].as_str();
    let unknown = |what: &str| Error::Unsupported {
        what: what.to_owned(),
        reason: "this version encodes mp4, mov, webm, png-sequence and gif",
    };
    let format = Format::from_name(format).ok_or_else(|| unknown(format))?;
    let quality = text("quality").unwrap_or("standard");
    let quality = Quality::from_name(quality)
        .ok_or_else(|| invalid(format!("quality is \"{quality}\", which is none")))?;
    let alpha = match text("pixelFormat") {
        Some(pixels) if pixels.starts_with("yuva") || pixels == "rgba" => Alpha::Kept,
        _ => Alpha::None,
    };
    let named =
        |output: &Output| text("encoder").is_none_or(|name| profile(output).encoder == name);
    let plain = |codec| Output {
        format,
        codec,
        alpha,
        quality,
        rate: RateControl::Preset,
        plays: 0,
        cfr: encoder["cfr"] == true,
    };
    let output = format.codecs().iter().map(|codec| plain(*codec)).find(named);
    let output = output.ok_or_else(|| unknown(text("encoder").unwrap_or_default()))?;
    let largest = output.codec.largest_crf();
    let rate = match (encoder["crf"].as_u64(), text("bitrate"), largest) {
        (_, _, None) | (None, None, _) => RateControl::Preset,
        (_, Some(bitrate), _) => {
            let none = || invalid(format!("bitrate is \"{bitrate}\", which is none"));
            RateControl::Bitrate(bits(bitrate).ok_or_else(none)?)
        }
        (Some(crf), None, Some(largest)) => match u8::try_from(crf) {
            Ok(crf) if u32::from(crf) <= largest => RateControl::Crf(crf),
            _ => return Err(invalid(format!("crf is {crf}, above {largest}"))),
        },
    };
    let plays = encoder["loop"].as_u64().unwrap_or(0);
    let plays = u32::try_from(plays).ok().filter(|plays| *plays <= MAX_PLAYS);
    let plays = plays.ok_or_else(|| invalid(format!("loop is above {MAX_PLAYS}")))?;
    Ok(Output { rate, plays, ..output })
}

/// What a plan of `chunks` with frames of `size` says of its side outputs; plans of other makers have none.
pub(super) fn side_outputs(
    encoder: &Value,
    chunks: &[FrameRange],
    (width, height): (u32, u32),
) -> Result<SideOutputs> {
    let invalid = |reason: String| Error::PlanArtifactInvalid {
        artifact: layout::ENCODER_JSON.into(),
        reason,
    };
    let number = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
    let poster = match &encoder["poster"] {
        Value::Null => None,
        poster => {
            let drawn = number(poster).filter(|frame| {
                chunks.iter().any(|range| (range.start..range.end).contains(frame))
            });
            Some(
                drawn
                    .ok_or_else(|| invalid(format!("poster is {poster}, which no chunk draws")))?,
            )
        }
    };
    let preview = match &encoder["preview"] {
        Value::Null => None,
        preview => {
            let side = |name: &str, most: u32| {
                number(&preview[name]).filter(|side| (2..=most).contains(side) && side % 2 == 0)
            };
            let found = side("width", width).zip(side("height", height));
            Some(found.ok_or_else(|| invalid(format!("preview is {preview}, which has no size")))?)
        }
    };
    Ok(SideOutputs { poster, preview })
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
    use serde_json::json;

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
            assert_eq!(preview(side, size).ok(), expected, "{side} of {size:?}");
        }
    }

    #[test]
    fn what_a_plan_of_another_maker_asks_for_is_understood_or_refused_by_its_name() {
        let webm = json!({
            "encoder": "libvpx-vp9-software", "quality": "high", "pixelFormat": "yuva420p", "crf": 60
        });
        let output = read("webm", &webm).unwrap();
        assert_eq!((output.alpha, output.rate), (Alpha::Kept, RateControl::Crf(60)));
        assert_eq!(read("mp4", &Value::Null).unwrap().codec.name(), "h264");
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
        ] {
            let error = read(format, &encoder).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn side_outputs_that_cannot_be_made_are_refused_before_anything_is_drawn() {
        let chunks = [FrameRange { start: 30, end: 60 }];
        let read = |plan: &Value| side_outputs(plan, &chunks, (640, 360));
        let made = read(&json!({"poster": 59, "preview": {"width": 320, "height": 180}})).unwrap();
        assert_eq!(made, SideOutputs { poster: Some(59), preview: Some((320, 180)) });
        assert_eq!(read(&json!({})).unwrap(), SideOutputs::default());
        for plan in [
            json!({"poster": 60}),
            json!({"poster": -1}),
            json!({"preview": {"width": 0, "height": 0}}),
            json!({"preview": {"width": 321, "height": 180}}),
            json!({"preview": {"width": 3200, "height": 1800}}),
            json!({"preview": "540p"}),
        ] {
            let error = read(&plan).unwrap_err();
            assert!(matches!(error, Error::PlanArtifactInvalid { .. }), "{plan}: {error}");
        }
    }
}
