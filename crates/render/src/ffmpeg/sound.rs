//! Sound in and out of FFmpeg: any source to plain samples, and the mix to the file of the plan.

use std::path::Path;

use crate::ffmpeg::source::{Sound, Source};
use crate::frame::SAMPLE_RATE;
use crate::process::Cmd;
use crate::tools::Tools;

/// A part of a source, at the speed it is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Part {
    /// The first sample of the source.
    pub(crate) from: u64,
    /// How many samples are wanted after the change of speed; the source may have fewer.
    pub(crate) samples: u64,
    /// Seconds of source a second of output.
    pub(crate) rate: f64,
}

/// Decodes a part of the first audio stream of `file` to 32-bit floating-point stereo at the rate of the mix.
///
/// It is read from its beginning, since seeking lands where the container guesses; so the cut is exact to the sample.
pub(crate) fn decode(tools: &Tools, file: &Path, source: &Source, part: Part, out: &Path) -> Cmd {
    let Part { from, samples, rate } = part;
    let start = format!("atrim=start_sample={from}");
    let mut filters = vec![to_stereo(source.sound.as_ref())];
    if rate.to_bits() == 1.0_f64.to_bits() {
        filters.push(format!("{start}:end_sample={}", from + samples));
    } else {
        filters.extend([start, "asetpts=PTS-STARTPTS".to_owned()]);
        filters.extend(tempo_steps(rate).iter().map(|step| format!("atempo={step}")));
        filters.push(format!("atrim=end_sample={samples}"));
    }
    input(Cmd::new(tools.ffmpeg()).words("-v error -nostdin"), file, source)
        .words("-map 0:a:0 -af")
        .arg(filters.join(","))
        .words("-f f32le -y")
        .arg(out)
}

/// Adds `file` as an input whose time is the one that a browser plays it by.
pub(crate) fn input(cmd: Cmd, file: &Path, source: &Source) -> Cmd {
    // FFmpeg moves what starts before 0 to 0, with all that comes after it. What is before 0 there is what the encoder put
    // in front of the sound, which nobody hears.
    let cmd =
        if source.start < 0.0 { cmd.arg("-itsoffset").arg(source.start.to_string()) } else { cmd };
    cmd.words("-protocol_whitelist file -i").arg(file)
}

/// The filters that make stereo at the rate of the mix of a stream, with silence for what its timestamps leave out.
pub(crate) fn to_stereo(sound: Option<&Sound>) -> String {
    // FFmpeg would take 3 dB from a mono sound. More than two channels are mixed so that they cannot be too loud together.
    let mono = match sound {
        Some(Sound { channels: 1, .. }) => "pan=stereo|c0=c0|c1=c0,",
        _ => "",
    };
    format!(
        "{mono}aresample={SAMPLE_RATE}:async=1:first_pts=0:rematrix_maxval=1,aformat=sample_fmts=flt:channel_layouts=stereo"
    )
}

/// Factors within what the tempo filter does well, which make `rate` together.
fn tempo_steps(rate: f64) -> Vec<f64> {
    let mut steps = 1;
    while !(0.5..=2.0).contains(&rate.powf(1.0 / f64::from(steps))) && steps < 8 {
        steps += 1;
    }
    (0..steps).map(|_| rate.powf(1.0 / f64::from(steps))).collect()
}

/// Packs the samples of `raw` from the one numbered `from` on, 32-bit integers of which 24 bits count, without loss.
pub(crate) fn flac(tools: &Tools, raw: &Path, from: u64, out: &Path) -> Cmd {
    let cmd = Cmd::new(tools.ffmpeg())
        .words(&format!(
            "-v error -nostdin -f s32le -ar {SAMPLE_RATE} -ac 2 -protocol_whitelist file -i"
        ))
        .arg(raw);
    let cmd = match from {
        0 => cmd,
        from => cmd.arg("-af").arg(format!("atrim=start_sample={from},asetpts=N/SR/TB")),
    };
    cmd.words("-map_metadata -1 -c:a flac -sample_fmt s32 -bits_per_raw_sample 24")
        .words("-compression_level 5 -fflags +bitexact -flags:a +bitexact -f flac -y")
        .arg(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(channels: u32, start: f64) -> Source {
        let codec = "opus".to_owned();
        let sound = Some(Sound { codec, channels, sample_rate: 48_000, duration: None });
        Source { duration: None, start, picture: None, sound }
    }

    fn check(source: &Source, from: u64, samples: u64, rate: f64, expected: &str) {
        let tools = Tools::untested(Path::new("/t"));
        let part = Part { from, samples, rate };
        let cmd = decode(&tools, Path::new("/in.mp4"), source, part, Path::new("/out"));
        assert_eq!(cmd.to_string(), expected);
    }

    #[test]
    fn a_source_is_decoded_from_its_beginning_and_cut_by_samples() {
        check(
            &source(2, 0.0),
            60_000,
            480,
            1.0,
            "ffmpeg -v error -nostdin -protocol_whitelist file -i /in.mp4 -map 0:a:0 -af \
             aresample=48000:async=1:first_pts=0:rematrix_maxval=1,aformat=sample_fmts=flt:channel_layouts=stereo,\
             atrim=start_sample=60000:end_sample=60480 -f f32le -y /out",
        );
        check(
            &source(1, -0.007),
            0,
            480,
            0.25,
            "ffmpeg -v error -nostdin -itsoffset -0.007 -protocol_whitelist file -i /in.mp4 -map 0:a:0 -af \
             pan=stereo|c0=c0|c1=c0,aresample=48000:async=1:first_pts=0:rematrix_maxval=1,\
             aformat=sample_fmts=flt:channel_layouts=stereo,atrim=start_sample=0,asetpts=PTS-STARTPTS,\
             atempo=0.5,atempo=0.5,atrim=end_sample=480 -f f32le -y /out",
        );
    }

    #[test]
    fn tempo_steps_are_within_what_the_filter_does_well() {
        for (rate, count) in
            [(0.5, 1), (1.37, 1), (2.0, 1), (0.25, 2), (2.01, 2), (4.0, 2), (0.1, 4), (10.0, 4)]
        {
            let steps = tempo_steps(rate);
            assert_eq!(steps.len(), count, "{rate}");
            assert!(steps.iter().all(|step| (0.5..=2.0).contains(step)), "{rate}: {steps:?}");
            assert!((steps.iter().product::<f64>() - rate).abs() < 1e-9, "{rate}: {steps:?}");
        }
    }

    #[test]
    fn the_mix_is_packed_without_loss() {
        let tools = Tools::untested(Path::new("/t"));
        assert_eq!(
            flac(&tools, Path::new("/raw"), 0, Path::new("/audio.flac")).to_string(),
            "ffmpeg -v error -nostdin -f s32le -ar 48000 -ac 2 -protocol_whitelist file -i /raw -map_metadata -1 -c:a flac -sample_fmt s32 \
             -bits_per_raw_sample 24 -compression_level 5 -fflags +bitexact -flags:a +bitexact -f flac -y /audio.flac"
        );
    }
}
