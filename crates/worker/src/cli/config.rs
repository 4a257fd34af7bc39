//! What a render is to be like, wherever it runs: the options that make the config of a plan event.

use std::path::{Path, PathBuf};

use clap::Args;
use render::config::output::Format;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// What is drawn.
#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// Frames per second: 23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60 or 120; for pictures and gif also 10, 15 and 20
    #[arg(long, default_value = "30")]
    fps: String,
    /// The HTML file to start from, as a path in the project [default: index.html]
    #[arg(long, value_name = "PATH")]
    entry: Option<String>,
    /// Draw the page with more pixels, such as 1080p or 4k: a whole multiple of its own size
    #[arg(long, value_name = "NAME")]
    output_resolution: Option<String>,
    #[command(flatten)]
    given: Given,
    /// strict: a page that reports an error is not rendered; best-effort: it is [default: strict]
    #[arg(long)]
    strictness: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(flatten)]
    page: PageArgs,
    /// mp4, mov, webm, gif or png-sequence [default: as the output is called, else mp4]
    #[arg(long)]
    format: Option<String>,
    /// h264 or h265 in mp4; the others have one each: prores in mov, vp9 in webm [default: h264]
    #[arg(long)]
    codec: Option<String>,
    #[command(flatten)]
    background: Background,
    /// draft, standard or high; a png-sequence is lossless with each [default: standard]
    #[arg(long)]
    quality: Option<String>,
    /// Constant rate factor instead of the quality's own: 0 (best) to 51, and to 63 in webm
    #[arg(long)]
    crf: Option<u32>,
    /// Bit rate of mp4 and webm, such as 8M or 2500k, instead of a constant quality
    #[arg(long)]
    bitrate: Option<String>,
    /// Encode an mp4 once more as a whole, at an exactly constant frame rate
    #[arg(long)]
    cfr: bool,
    /// How often a gif is played; 0 is for ever [default: 0]
    #[arg(long = "loop", value_name = "TIMES")]
    plays: Option<u32>,
    /// Only these frames: 30..60 is 30 frames, from number 30 to number 59
    #[arg(long, value_name = "FROM..TO")]
    frames: Option<String>,
    /// Leave the sound out
    #[arg(long)]
    mute: bool,
    /// Keep one frame as a picture: VIDEO.poster.png beside VIDEO.mp4. A moment: 1.5s, 1500ms or 45f
    #[arg(long, value_name = "MOMENT")]
    poster: Option<String>,
    /// Make a small video, too: VIDEO.preview.mp4 beside VIDEO.mp4. Its shorter side: 540p
    #[arg(long, value_name = "SIDE")]
    preview: Option<String>,
    /// auto or force-sdr; HDR cannot be joined from chunks [default: force-sdr]
    #[arg(long)]
    hdr_mode: Option<String>,
    /// Bytes that a mov, png-sequence or gif and its chunks may need, instead of the room there is
    #[arg(long, value_name = "BYTES")]
    output_size_limit: Option<u64>,
    /// Frames in a chunk [default: 600, and 240 for submit]
    #[arg(long, value_name = "FRAMES")]
    chunk_size: Option<u32>,
    /// The most chunks to cut the timeline into [default: 256]
    #[arg(long, value_name = "CHUNKS")]
    max_parallel_chunks: Option<u32>,
}

/// What stands behind the page.
#[derive(Debug, Args)]
struct Background {
    /// Keep what is behind the page transparent [default for mov, webm and png-sequence]
    #[arg(long, conflicts_with = "no_alpha")]
    alpha: bool,
    /// Put the page on its own background, or on white
    #[arg(long)]
    no_alpha: bool,
}

/// What a render sets in a composition.
#[derive(Debug, Args)]
struct Given {
    /// Values for the composition's variables, as a JSON object
    #[arg(long, value_name = "JSON")]
    variables: Option<String>,
    /// A file with such an object
    #[arg(long, value_name = "FILE", conflicts_with = "variables")]
    variables_file: Option<PathBuf>,
    /// Refuse values for variables that the composition does not declare, or of another type
    #[arg(long)]
    strict_variables: bool,
}

/// A config that is being written, without what nobody has said.
#[derive(Debug, Default)]
struct Written(Map<String, Value>);

impl Written {
    fn set(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
    }
}

impl PageArgs {
    /// The part of the config of a plan event that these arguments stand for, with an entry where they name none.
    pub(crate) fn config(&self, named: Option<&str>) -> Result<Map<String, Value>> {
        let Self { fps, entry, output_resolution, given, strictness } = self;
        let mut config = Written::default();
        config.set("fps", Some(fps.clone()));
        config.set("entryFile", entry.clone().or_else(|| named.map(str::to_owned)));
        config.set("outputResolution", output_resolution.clone());
        config.set("strictness", strictness.clone());
        config.set("variables", given.variables()?);
        config.set("strictVariables", given.strict_variables.then_some(true));
        Ok(config.0)
    }
}

impl ConfigArgs {
    /// The config of the plan event that these arguments stand for, with an entry and a chunk size where they name none, and
    /// the format that `output` is called by. What is wrong with it, planning says.
    pub(crate) fn config(
        &self,
        named: Option<&str>,
        chunk: u32,
        output: Option<&Path>,
    ) -> Result<Map<String, Value>> {
        let Self { page, format, codec, quality, crf, bitrate, cfr, plays, frames, mute, .. } =
            self;
        let Self { poster, preview, hdr_mode, chunk_size, max_parallel_chunks, .. } = self;
        let Self { background: Background { alpha, no_alpha }, output_size_limit, .. } = self;
        let mut config = Written(page.config(named)?);
        config.set("format", format_of(format.as_deref(), output)?);
        config.set("codec", codec.clone());
        config.set("alpha", alpha.then_some(true).or(no_alpha.then_some(false)));
        config.set("outputSizeLimitBytes", *output_size_limit);
        config.set("quality", quality.clone());
        config.set("crf", *crf);
        config.set("bitrate", bitrate.clone());
        config.set("cfr", cfr.then_some(true));
        config.set("loop", *plays);
        config.set("frames", frames.clone());
        config.set("mute", mute.then_some(true));
        config.set("poster", poster.clone());
        config.set("preview", preview.clone());
        config.set("hdrMode", hdr_mode.clone());
        config.set("chunkSize", Some(chunk_size.unwrap_or(chunk)));
        config.set("maxParallelChunks", Some(max_parallel_chunks.unwrap_or(256)));
        Ok(config.0)
    }
}

/// The format by its name, or by that of the output. They must not contradict each other: a player goes by the name.
fn format_of(named: Option<&str>, output: Option<&Path>) -> Result<Option<String>> {
    let ending =
        output.and_then(Path::extension).map(|ending| ending.to_string_lossy().to_lowercase());
    let called = ending.as_deref().and_then(|ending| {
        Format::ALL.into_iter().find(|format| format.extension() == Some(ending))
    });
    let argument = || format!("--output {}", output.unwrap_or(Path::new("")).display());
    let refused = |reason: String| Err(Error::Argument { argument: argument(), reason });
    match (named, called) {
        (Some(named), Some(called)) if Format::from_name(named).is_some_and(|f| f != called) => {
            refused(format!("is called like a {}, and --format is {named}", called.name()))
        }
        (Some(named), _) => Ok(Some(named.to_owned())),
        (None, Some(called)) => Ok(Some(called.name().to_owned())),
        (None, None) => match ending.as_deref() {
            Some(ending @ ("png" | "jpg" | "jpeg" | "webp")) => refused(format!(
                "is called like a picture; for one frame, use still, and for all, --format png-sequence with a directory (not .{ending})"
            )),
            Some(ending @ ("mkv" | "avi" | "m4v" | "ts" | "ogv" | "apng")) => refused(format!(
                "is called like a {ending}, which cannot be made; mp4, mov, webm and gif can"
            )),
            _ => Ok(None),
        },
    }
}

impl Given {
    fn variables(&self) -> Result<Option<Value>> {
        match (&self.variables, &self.variables_file) {
            (Some(text), _) => json(text, "--variables").map(Some),
            (None, Some(file)) => {
                let argument = format!("--variables-file {}", file.display());
                let text = std::fs::read_to_string(file).map_err(|error| Error::Argument {
                    argument: argument.clone(),
                    reason: format!("cannot be read: {error}"),
                })?;
                json(&text, &argument).map(Some)
            }
            (None, None) => Ok(None),
        }
    }
}

fn json(text: &str, argument: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| Error::Argument {
        argument: argument.to_owned(),
        reason: format!("is not JSON: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_output_says_its_format_unless_it_is_said() {
        let of = |named, output: &str| format_of(named, Some(Path::new(output)));
        for (named, output, expected) in [
            (None, "a/video.webm", Some("webm")),
            (None, "video.MOV", Some("mov")),
            (None, "video", None),
            (None, "v1.2", None),
            (Some("gif"), "video", Some("gif")),
            (Some("png-sequence"), "frames.d", Some("png-sequence")),
            (Some("mov"), "x.mov", Some("mov")),
        ] {
            assert_eq!(of(named, output).unwrap().as_deref(), expected, "{output}");
        }
        for (named, output) in [
            (Some("mov"), "x.mp4"),
            (Some("png-sequence"), "x.mp4"),
            (None, "x.png"),
            (None, "x.mkv"),
        ] {
            let error = of(named, output).unwrap_err().to_string();
            assert!(error.contains(output), "{error}");
        }
    }
}
