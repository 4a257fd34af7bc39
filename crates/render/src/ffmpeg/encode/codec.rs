//! The arguments of each codec: how it is asked for a quality, for one closed GOP, and for the same bytes on every machine.

use crate::config::output::{Alpha, Codec, Output, PixelFormat, Quality, RateControl};
use crate::process::Cmd;

/// As many frames are encoded at once on every machine, because what encoders make depends on it.
const THREADS: u32 = 4;

/// Frames the encoder looks ahead, which are also what is left to do after the last frame was drawn.
const LOOKAHEAD: u32 = 10;

/// BT.709 in limited range, as streams and containers say it.
const TAGS: &str =
    "-colorspace:v bt709 -color_primaries:v bt709 -color_trc:v bt709 -color_range:v tv";

/// How a codec is asked for a quality, as it also stands in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Profile {
    /// What the plan calls the encoder.
    pub(crate) encoder: &'static str,
    pub(crate) preset: &'static str,
    pub(crate) crf: Option<u8>,
    pub(crate) pixel_format: &'static str,
}

pub(crate) fn profile(output: &Output) -> Profile {
    use Quality::{Draft, High, Standard};
    let Output { format: _, codec, alpha: _, quality, rate: _, plays: _, cfr: _ } = output;
    let (encoder, preset, crf) = match (codec, quality) {
        (Codec::H264, Draft) => ("libx264-software", "ultrafast", Some(28)),
        (Codec::H264, Standard) => ("libx264-software", "veryfast", Some(18)),
        (Codec::H264, High) => ("libx264-software", "slow", Some(15)),
        (Codec::H265, Draft) => ("libx265-software", "ultrafast", Some(28)),
        (Codec::H265, Standard) => ("libx265-software", "medium", Some(20)),
        (Codec::H265, High) => ("libx265-software", "slow", Some(15)),
        (Codec::Vp9, Draft) => ("libvpx-vp9-software", "realtime", Some(32)),
        (Codec::Vp9, Standard) => ("libvpx-vp9-software", "realtime", Some(18)),
        (Codec::Vp9, High) => ("libvpx-vp9-software", "good", Some(12)),
        (Codec::ProRes, Draft | Standard) => ("prores-software", "4444", None),
        (Codec::ProRes, High) => ("prores-software", "4444xq", None),
        (Codec::Png, _) => ("png-sequence", "copy", None),
        (Codec::Gif, Draft) => ("gif-palette", "bayer", None),
        (Codec::Gif, Standard | High) => ("gif-palette", "sierra2_4a", None),
    };
    let pixel_format = match (output.pixels(), output.alpha) {
        (PixelFormat::Yuv420, _) => "yuv420p",
        (PixelFormat::Yuva420, _) => "yuva420p",
        (PixelFormat::Yuv444p10, _) => "yuv444p10le",
        (PixelFormat::Yuva444p10, _) => "yuva444p10le",
        (PixelFormat::Png, Alpha::Kept) => "rgba",
        (PixelFormat::Png, Alpha::None) | (PixelFormat::Rgb, _) => "rgb24",
    };
    Profile { encoder, preset, crf, pixel_format }
}

/// Adds the encoding of a chunk of `frames` frames.
pub(crate) fn stream(cmd: Cmd, output: &Output, frames: u32) -> Cmd {
    let Profile { encoder: _, preset, crf, pixel_format } = profile(output);
    let gop = format!("-g {frames} -keyint_min {frames} -sc_threshold 0 -bf 0");
    let size = match (&output.rate, crf) {
        (RateControl::Crf(crf), _) => format!("-crf {crf}"),
        (RateControl::Preset, Some(crf)) => format!("-crf {crf}"),
        (RateControl::Preset, None) => String::new(),
        (RateControl::Bitrate(bitrate), _) => format!("-b:v {bitrate}"),
    };
    let colours = format!("{TAGS} -pix_fmt {pixel_format}");
    match output.codec {
        Codec::H264 => cmd
            .words(&format!("-c:v libx264 -preset {preset} -threads {THREADS} {size} {gop}"))
            .arg("-x264-params")
            .arg(x264(output.quality))
            .words(&format!("{colours} -chroma_sample_location center")),
        Codec::H265 => cmd
            .words(&format!("-c:v libx265 -preset {preset} {size} {gop} -x265-params"))
            .arg(x265(frames))
            .words(&format!("{colours} -chroma_sample_location center -tag:v hvc1")),
        Codec::Vp9 => {
            // Without a target of its own, a constant quality is one within limits.
            let size = if size.starts_with("-crf") { format!("{size} -b:v 0") } else { size };
            let speed = match output.quality {
                Quality::Draft => "-deadline realtime -cpu-used 8",
                Quality::Standard => "-deadline realtime -cpu-used 5",
                Quality::High => "-deadline good -cpu-used 2",
            };
            let alpha = match output.alpha {
                Alpha::Kept => "-metadata:s:v:0 alpha_mode=1",
                Alpha::None => "",
            };
            cmd.words(&format!("-c:v libvpx-vp9 {size} {speed} -threads {THREADS} -row-mt 1"))
                .words(&format!("-g {frames} -keyint_min {frames} -auto-alt-ref 0"))
                .words(&format!("-lag-in-frames {LOOKAHEAD} {colours} {alpha}"))
        }
        Codec::ProRes => {
            // Of FFmpeg's two, the one that is several times faster, as good, and keeps alpha to the last bit.
            let profile = if preset == "4444xq" { 5 } else { 4 };
            cmd.words(&format!("-c:v prores_aw -profile:v {profile} -vendor apl0"))
                .words(&format!("-threads {THREADS} {colours}"))
        }
        Codec::Png => cmd.words("-c:v copy"),
        Codec::Gif => cmd
            .words(&format!("-c:v libx264rgb -preset ultrafast -qp 0 -threads {THREADS} {gop}"))
            .words("-pix_fmt rgb24"),
    }
}

/// The encoding of the small video.
pub(super) fn small(frames: u32) -> String {
    format!(
        "-c:v libx264 -preset veryfast -threads {THREADS} -crf 23 -g {frames} -keyint_min {frames} -sc_threshold 0 -bf 0 \
         -x264-params repeat-headers=1:rc-lookahead={LOOKAHEAD} {TAGS} -pix_fmt yuv420p"
    )
}

fn x264(quality: Quality) -> String {
    let tuning = match quality {
        Quality::Draft => "aq-mode=3",
        Quality::Standard | Quality::High => "aq-mode=3:aq-strength=0.8:deblock=1,1",
    };
    format!(
        "{tuning}:colorprim=bt709:transfer=bt709:colormatrix=bt709:range=tv:chromaloc=1\
         :scenecut=0:open-gop=0:repeat-headers=1:rc-lookahead={LOOKAHEAD}"
    )
}

fn x265(frames: u32) -> String {
    format!(
        "log-level=error:info=0:pools={THREADS}:frame-threads=2:keyint={frames}:min-keyint={frames}\
         :scenecut=0:open-gop=0:bframes=0:repeat-headers=1:rc-lookahead={LOOKAHEAD}\
         :colorprim=bt709:transfer=bt709:colormatrix=bt709:range=limited:chromaloc=1"
    )
}
