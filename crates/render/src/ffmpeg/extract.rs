//! From a source to picture files: one for each frame of the composition's rate, in the colours that Chrome shows.

use std::path::Path;

use crate::ffmpeg::source::Picture;
use crate::frame::Fps;
use crate::process::Cmd;

/// What extracted frames are kept as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Still {
    /// Small, and without transparency.
    Jpeg,
    Png,
}

impl Still {
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
        }
    }
}

/// Which pictures of a source are wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wanted {
    /// So many from a moment of the source on, the first being what is shown at that moment.
    Window { from: f64, frames: u32, fps: Fps },
    /// The last one of the source, which is somewhere behind a moment.
    Last { behind: f64 },
}

/// Writes the wanted pictures of `source`, of which `picture` is known, to `frame_00001` and so on in `dir`.
///
/// The demuxer goes to the key frame before the moment, and nothing between it and the moment is thrown away: the `fps`
/// filter needs the picture that is still shown when the window begins. It gives every slot the last picture whose time is not
/// after the slot's by more than a millisecond, as a player does, which is right for sources of any and of changing rate. The
/// clock of a source may be too coarse for a millisecond, so that pictures are first told in microseconds.
pub(crate) fn command(
    ffmpeg: &Path,
    source: &Path,
    picture: &Picture,
    wanted: Wanted,
    still: Still,
    dir: &Path,
) -> Cmd {
    let decoder = match picture.codec.as_str() {
        // FFmpeg's own decoders of these leave transparency out.
        "vp9" if picture.alpha_mode => "-c:v libvpx-vp9",
        "vp8" if picture.alpha_mode => "-c:v libvpx",
        _ => "",
    };
    let (from, pacing, count) = match wanted {
        Wanted::Window { from, frames, fps } => {
            let pacing = format!("settb=AVTB,setpts=PTS-1000,fps={fps}:start_time=0:round=up,");
            (from, pacing, format!("-frames:v {frames}"))
        }
        // Each picture takes the place of the one before.
        Wanted::Last { behind } => (behind, String::new(), "-update 1".to_owned()),
    };
    let encoder = match still {
        Still::Jpeg => "-c:v mjpeg -q:v 2",
        Still::Png => "-c:v png -compression_level 1",
    };
    // A per cent sign in the pattern's directory would be read as the place of the number.
    let pattern = format!(
        "{}/frame_%05d.{}",
        dir.display().to_string().replace('%', "%%"),
        still.extension()
    );
    Cmd::new(ffmpeg)
        .words("-v error -nostdin")
        .words(decoder)
        .words(&format!("-noaccurate_seek -ss {from:.6} -protocol_whitelist file -i"))
        .arg(source)
        .words("-map 0:V:0 -vf")
        .arg(format!("{pacing}{}{}", square_pixels(picture), colours(picture, still)))
        .words("-fps_mode passthrough")
        .words(&count)
        .words(encoder)
        .words("-threads 1 -flags:v +bitexact -fflags +bitexact -f image2 -y")
        .arg(pattern)
}

/// Whether the source has transparency.
pub(crate) fn has_alpha(picture: &Picture) -> bool {
    const WITH_ALPHA: [&str; 8] = ["yuva", "rgba", "argb", "bgra", "abgr", "gbrap", "ya", "ayuv"];
    picture.alpha_mode || WITH_ALPHA.iter().any(|prefix| picture.pixel_format.starts_with(prefix))
}

/// Stretches pixels that are not square the way browsers do: one side grows, none shrinks.
fn square_pixels(picture: &Picture) -> &'static str {
    match picture.sample_aspect.as_str() {
        "" | "1:1" | "0:1" | "N/A" => "",
        _ => "scale=w='iw*max(1,sar)':h='ih/min(1,sar)',setsar=1,",
    }
}

/// The colours that a source says it has, as zimg names them.
struct Colours {
    matrix: &'static str,
    primaries: &'static str,
    range: &'static str,
    /// Only where brightness goes beyond what the output can show.
    hdr: Option<&'static str>,
}

fn authored(picture: &Picture) -> Colours {
    let format = picture.pixel_format.as_str();
    let is_rgb = ["rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8"];
    let is_rgb = is_rgb.iter().any(|prefix| format.starts_with(prefix));
    let matrix = match picture.matrix.as_str() {
        _ if is_rgb => "gbr",
        "bt709" => "709",
        "bt470bg" | "smpte170m" => "170m",
        "smpte240m" => "240m",
        "fcc" => "fcc",
        "bt2020nc" | "bt2020c" => "2020_ncl",
        // Nobody says: Chrome takes a small picture for standard definition.
        _ if picture.height < 720 => "170m",
        _ => "709",
    };
    let is_full = is_rgb || picture.range == "pc" || format.starts_with("yuvj");
    Colours {
        matrix,
        primaries: if picture.primaries == "bt2020" { "2020" } else { "709" },
        range: if is_full { "full" } else { "limited" },
        hdr: match picture.transfer.as_str() {
            "smpte2084" => Some("smpte2084"),
            "arib-std-b67" => Some("arib-std-b67"),
            _ => None,
        },
    }
}

/// The filters from what a source has to what a picture file means: a JPEG has the matrix of BT.601 and full range, always,
/// and a PNG has red, green and blue. Brightness beyond the diffuse white of 203 cd/m² is rolled off.
fn colours(picture: &Picture, still: Still) -> String {
    let Colours { matrix, primaries, range, hdr } = authored(picture);
    let (target, format) = match (still, has_alpha(picture)) {
        (Still::Jpeg, _) => ("170m", "yuvj420p"),
        (Still::Png, false) => ("gbr", "gbrp"),
        (Still::Png, true) => ("gbr", "gbrap"),
    };
    let input = format!("matrixin={matrix}:rangein={range}:primariesin={primaries}");
    let output = format!("primaries=709:transfer=709:matrix={target}:range=full,format={format}");
    // A PNG says which curve its values follow, and Chrome shows it by that; a video it shows as if it were the screen's own.
    let curve = match still {
        Still::Jpeg => "",
        Still::Png => ",setparams=color_trc=iec61966-2-1",
    };
    let output = format!("{output}{curve}");
    match hdr {
        None => format!("zscale={input}:transferin=709:{output}"),
        Some(transfer) => format!(
            "zscale={input}:transferin={transfer}:primaries={primaries}:transfer=linear:npl=203,format=gbrpf32le,\
             zscale=primaries=709,tonemap=tonemap=mobius:desat=0,zscale={output}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        Picture {
            codec: "h264".into(),
            width: 1920,
            height: 1080,
            pixel_format: "yuv420p".into(),
            sample_aspect: "1:1".into(),
            frame_rate: "30/1".into(),
            average_frame_rate: "30/1".into(),
            duration: Some(10.0),
            start: 0.0,
            transfer: String::new(),
            primaries: String::new(),
            matrix: String::new(),
            range: String::new(),
            alpha_mode: false,
        }
    }

    fn printed(picture: &Picture, wanted: Wanted, still: Still, dir: &str) -> String {
        let source = Path::new("/p/a b.mp4");
        command(Path::new("ffmpeg"), source, picture, wanted, still, Path::new(dir)).to_string()
    }

    #[test]
    fn a_window_is_a_fast_seek_and_a_count_of_frames() {
        let fps = Fps { num: 30000, den: 1001 };
        let window = Wanted::Window { from: 2.5, frames: 90, fps };
        assert_eq!(
            printed(&picture(), window, Still::Jpeg, "/f/50%"),
            "ffmpeg -v error -nostdin -noaccurate_seek -ss 2.500000 -protocol_whitelist file -i /p/a b.mp4 -map 0:V:0 \
             -vf settb=AVTB,setpts=PTS-1000,fps=30000/1001:start_time=0:round=up,zscale=matrixin=709:rangein=limited:primariesin=709:transferin=709:\
             primaries=709:transfer=709:matrix=170m:range=full,format=yuvj420p -fps_mode passthrough -frames:v 90 \
             -c:v mjpeg -q:v 2 -threads 1 -flags:v +bitexact -fflags +bitexact -f image2 -y /f/50%%/frame_%05d.jpg"
        );
        let transparent = Picture { codec: "vp9".into(), alpha_mode: true, ..picture() };
        assert_eq!(
            printed(&transparent, Wanted::Last { behind: 8.0 }, Still::Png, "/f"),
            "ffmpeg -v error -nostdin -c:v libvpx-vp9 -noaccurate_seek -ss 8.000000 -protocol_whitelist file -i /p/a b.mp4 -map 0:V:0 \
             -vf zscale=matrixin=709:rangein=limited:primariesin=709:transferin=709:\
             primaries=709:transfer=709:matrix=gbr:range=full,format=gbrap,setparams=color_trc=iec61966-2-1 -fps_mode passthrough -update 1 \
             -c:v png -compression_level 1 -threads 1 -flags:v +bitexact -fflags +bitexact -f image2 -y /f/frame_%05d.png"
        );
    }

    #[test]
    fn colours_are_what_the_source_says_and_otherwise_what_chrome_guesses() {
        for (height, format, matrix, range, expected) in [
            (1080, "yuv420p", "bt709", "tv", "matrixin=709:rangein=limited"),
            (1080, "yuv420p", "", "", "matrixin=709:rangein=limited"),
            (1080, "yuv420p", "unknown", "unknown", "matrixin=709:rangein=limited"),
            (719, "yuv420p", "", "", "matrixin=170m:rangein=limited"),
            (1080, "yuv420p", "smpte170m", "tv", "matrixin=170m:rangein=limited"),
            (1080, "yuv420p", "bt470bg", "pc", "matrixin=170m:rangein=full"),
            (360, "yuvj420p", "bt709", "", "matrixin=709:rangein=full"),
            (1080, "yuv420p10le", "bt2020nc", "tv", "matrixin=2020_ncl:rangein=limited"),
            (1080, "rgb24", "", "", "matrixin=gbr:rangein=full"),
            (1080, "gbrp", "gbr", "pc", "matrixin=gbr:rangein=full"),
        ] {
            let (pixel_format, matrix, range) = (format.into(), matrix.into(), range.into());
            let picture = Picture { height, pixel_format, matrix, range, ..picture() };
            let found = colours(&picture, Still::Jpeg);
            assert!(
                found.starts_with(&format!("zscale={expected}:")),
                "{format} {height}: {found}"
            );
        }
    }

    #[test]
    fn brightness_beyond_white_is_rolled_off() {
        let (matrix, primaries) = ("bt2020nc".into(), "bt2020".into());
        let hdr = Picture { transfer: "smpte2084".into(), matrix, primaries, ..picture() };
        assert_eq!(
            colours(&hdr, Still::Jpeg),
            "zscale=matrixin=2020_ncl:rangein=limited:primariesin=2020:transferin=smpte2084:primaries=2020:transfer=linear:\
             npl=203,format=gbrpf32le,zscale=primaries=709,tonemap=tonemap=mobius:desat=0,\
             zscale=primaries=709:transfer=709:matrix=170m:range=full,format=yuvj420p"
        );
        let sdr = Picture { transfer: "bt2020-10".into(), ..hdr };
        assert!(!colours(&sdr, Still::Jpeg).contains("tonemap"));
    }

    #[test]
    fn transparency_is_known_by_the_pixels_or_by_the_container() {
        for (format, alpha_mode, expected) in [
            ("yuva444p12le", false, true),
            ("rgba", false, true),
            ("argb", false, true),
            ("ya8", false, true),
            ("yuv420p", true, true),
            ("yuv420p", false, false),
            ("gbrp", false, false),
            ("gbrap", false, true),
        ] {
            let picture = Picture { pixel_format: format.into(), alpha_mode, ..picture() };
            assert_eq!(has_alpha(&picture), expected, "{format} {alpha_mode}");
        }
    }

    #[test]
    fn pixels_that_are_not_square_are_stretched() {
        for (aspect, expected) in [("1:1", false), ("", false), ("0:1", false), ("4:3", true)] {
            let picture = Picture { sample_aspect: aspect.into(), ..picture() };
            assert_eq!(!square_pixels(&picture).is_empty(), expected, "{aspect}");
        }
    }
}
