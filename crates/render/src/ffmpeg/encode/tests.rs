use std::path::Path;

use super::*;
use crate::config::output::{Alpha, Codec, Quality, RateControl};

fn encoded(output: Output, preview: Option<Size>) -> String {
    let encoding = Encoding {
        viewport: Viewport { width: 320, height: 180, scale: 2 },
        fps: Fps { num: 30_000, den: 1001 },
        frames: 7,
        output,
        preview,
        label: "plan x chunk 0".to_owned(),
    };
    let to = Targets { video: Path::new("/out"), preview: Path::new("/small") };
    command(&Tools::untested(Path::new("/t")), &encoding, to).to_string()
}

fn output(format: Format, codec: Codec, alpha: Alpha, rate: RateControl) -> Output {
    Output { format, codec, alpha, quality: Quality::Standard, rate, plays: 0, cfr: false }
}

/// Everything that every chunk but one of pictures has.
fn assert_closed(cmd: &str) {
    for part in
        ["-g 7 -keyint_min 7", "-colorspace:v bt709", "-color_range:v tv", "comment=plan x chunk 0"]
    {
        assert!(cmd.contains(part), "{part} is not in {cmd}");
    }
    assert!(cmd.contains("-fflags +bitexact -flags:v +bitexact"), "{cmd}");
}

#[test]
fn h264_is_one_closed_gop_of_the_exact_colours() {
    let cmd = encoded(output(Format::Mp4, Codec::H264, Alpha::None, RateControl::Preset), None);
    assert_closed(&cmd);
    assert!(cmd.starts_with(
        "ffmpeg -v error -nostdin -f rawvideo -pix_fmt yuv420p -color_range tv -colorspace bt709 -s 640x360 \
         -framerate 30000/1001 -protocol_whitelist pipe -i pipe:0 -map 0:v:0 -r 30000/1001 -c:v libx264 -preset veryfast -threads 4 -crf 18"
    ), "{cmd}");
    assert!(cmd.contains("-bf 0") && cmd.ends_with("-f mp4 -y /out"), "{cmd}");
}

#[test]
fn h265_says_what_players_of_apple_look_for_and_repeats_its_headers() {
    let rate = RateControl::Bitrate(8_000_000);
    let cmd = encoded(output(Format::Mp4, Codec::H265, Alpha::None, rate), None);
    assert_closed(&cmd);
    for part in [
        "-b:v 8000000",
        "-tag:v hvc1",
        "open-gop=0",
        "repeat-headers=1",
        "keyint=7:",
        "frame-threads=2",
    ] {
        assert!(cmd.contains(part), "{part} is not in {cmd}");
    }
    assert!(!cmd.contains("-crf"), "{cmd}");
}

#[test]
fn vp9_with_alpha_has_no_frame_that_is_not_shown() {
    let cmd = encoded(output(Format::Webm, Codec::Vp9, Alpha::Kept, RateControl::Crf(20)), None);
    assert_closed(&cmd);
    for part in
        ["-pix_fmt yuva420p", "-crf 20 -b:v 0", "-auto-alt-ref 0", "alpha_mode=1", "-f webm"]
    {
        assert!(cmd.contains(part), "{part} is not in {cmd}");
    }
    let opaque = encoded(output(Format::Webm, Codec::Vp9, Alpha::None, RateControl::Preset), None);
    assert!(!opaque.contains("alpha_mode") && !opaque.contains("yuva"), "{opaque}");
}

#[test]
fn prores_has_full_chroma_and_alpha_and_pictures_are_not_touched() {
    let cmd = encoded(output(Format::Mov, Codec::ProRes, Alpha::Kept, RateControl::Preset), None);
    assert!(cmd.contains("-c:v prores_aw -profile:v 4 -vendor apl0"), "{cmd}");
    assert!(cmd.contains("-pix_fmt yuva444p10le -color_range tv"), "{cmd}");
    let pictures =
        encoded(output(Format::PngSequence, Codec::Png, Alpha::Kept, RateControl::Preset), None);
    assert!(
        pictures.contains(
            "-f image2pipe -c:v png -framerate 30000/1001 -protocol_whitelist pipe -i pipe:0"
        ),
        "{pictures}"
    );
    assert!(pictures.contains("-c:v copy") && pictures.ends_with("-f mov -y /out"), "{pictures}");
}

#[test]
fn a_preview_is_made_of_the_same_pictures_in_the_same_run() {
    for (output, filter) in [
        (
            output(Format::Mp4, Codec::H264, Alpha::None, RateControl::Preset),
            "-vf scale=160:90:in_color_matrix=bt709",
        ),
        (
            output(Format::Webm, Codec::Vp9, Alpha::Kept, RateControl::Preset),
            "premultiply=inplace=1,scale=160:90:in_range=pc",
        ),
        (
            output(Format::PngSequence, Codec::Png, Alpha::Kept, RateControl::Preset),
            "-vf format=gbrap,premultiply=inplace=1",
        ),
    ] {
        let cmd = encoded(output, Some(Size { width: 160, height: 90 }));
        let (first, second) = cmd.split_once("/out").unwrap();
        assert!(first.contains("-map 0:v:0") && second.contains(filter), "{cmd}");
        assert!(second.contains("-c:v libx264") && second.ends_with("-f mp4 -y /small"), "{cmd}");
    }
}
