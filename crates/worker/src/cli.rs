//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Renders HyperFrames compositions to video, frame by frame, on this machine.
#[derive(Debug, Parser)]
#[command(name = "bootstrap", version, about, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "Examples:
  bootstrap render my-composition -o video.mp4
  bootstrap render my-composition -o video.mp4 --fps 60 --quality high
  bootstrap render my-composition -o video.mp4 --json --frame-hashes > summary.json
  bootstrap invoke event.json

Exit status: 0 done, 1 failed (the code is in the message), 2 wrong arguments, 130 stopped.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Render a composition to a video: plan, every chunk, assemble
    Render(Box<RenderArgs>),
    /// Handle one plan, renderChunk or assemble event and print its answer
    Invoke(InvokeArgs),
    /// Draw a known frame and say whether this place can render
    ///
    /// Prints a JSON verdict. Exit status: 0 it can, 1 it cannot (the verdict says why), 2 there was nothing to try:
    /// wrong arguments, or a tool is missing.
    Probe(ProbeArgs),
    /// Measure what Chrome alone takes per frame, for scripts/bench.sh
    #[command(hide = true)]
    Floor(FloorArgs),
    /// Compress an unpacked tool for a bundle, for scripts/stage.sh
    #[command(hide = true)]
    Pack {
        from: PathBuf,
        to: PathBuf,
        /// How hard to try: zstd's levels
        #[arg(long, default_value = "19", value_parser = clap::value_parser!(i32).range(1..=22))]
        level: i32,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RenderArgs {
    /// The project directory, or the HTML file in it to start from
    pub(crate) project: PathBuf,
    /// The video to make; it appears only when it is complete
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Frames per second: 23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60 or 120
    #[arg(long, default_value = "30")]
    fps: String,
    /// The HTML file to start from, as a path in the project [default: index.html]
    #[arg(long, value_name = "PATH")]
    entry: Option<String>,
    /// Draw the page with more pixels, such as 1080p or 4k: a whole multiple of its own size
    #[arg(long, value_name = "NAME")]
    output_resolution: Option<String>,
    /// mp4 is what this version makes
    #[arg(long)]
    format: Option<String>,
    /// h264 is what this version makes
    #[arg(long)]
    codec: Option<String>,
    /// draft, standard or high [default: standard]
    #[arg(long)]
    quality: Option<String>,
    /// Constant rate factor, 0 (lossless) to 51, instead of the quality's own
    #[arg(long)]
    crf: Option<u32>,
    /// Bit rate such as 8M or 2500k, instead of a constant quality
    #[arg(long)]
    bitrate: Option<String>,
    #[command(flatten)]
    given: Given,
    /// strict: a page that reports an error is not rendered; best-effort: it is [default: strict]
    #[arg(long)]
    strictness: Option<String>,
    /// Frames in a chunk [default: 600]
    #[arg(long, value_name = "FRAMES")]
    chunk_size: Option<u32>,
    /// The most chunks to cut the timeline into [default: 256]
    #[arg(long, value_name = "CHUNKS")]
    max_parallel_chunks: Option<u32>,
    /// Browsers that draw at the same time [default: from cores and memory]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) workers: Option<u32>,
    /// Draw every frame, also those that are proven to be the one before
    #[arg(long)]
    pub(crate) no_reuse: bool,
    /// Put the sha256 of each frame's pixels into the summary
    #[arg(long, requires = "json")]
    pub(crate) frame_hashes: bool,
    /// Print one JSON summary on stdout
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What a render sets in a composition.
#[derive(Debug, Args)]
pub(crate) struct Given {
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

#[derive(Debug, Args)]
pub(crate) struct InvokeArgs {
    /// The event as a JSON file, with file:// or s3:// URIs
    pub(crate) event: PathBuf,
    /// Browsers that draw at the same time [default: from cores and memory]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) workers: Option<u32>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct ProbeArgs {
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct FloorArgs {
    /// A directory with an index.html
    pub(crate) page: PathBuf,
    #[arg(long)]
    pub(crate) frames: u32,
    #[arg(long)]
    pub(crate) workers: Option<u32>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The pinned tools, as scripts/setup.sh leaves them [default: tools beside this program, or .tools here]
    #[arg(long, value_name = "DIR", env = "FRAMEWRIGHT_TOOLS")]
    pub(crate) tools: Option<PathBuf>,
    /// Where work directories are made [default: the system's temporary directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
    /// Seconds until the page must be ready for its first frame
    #[arg(long, value_name = "SECONDS", default_value = "45", value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) ready_timeout: u64,
    /// Seconds until one frame must be drawn
    #[arg(long, value_name = "SECONDS", default_value = "25", value_parser = clap::value_parser!(u64).range(1..=28))]
    pub(crate) frame_timeout: u64,
}

impl RenderArgs {
    /// The config of the plan event that these arguments stand for. What is wrong with it, planning says.
    pub(crate) fn config(&self, entry: Option<&str>) -> Result<Map<String, Value>> {
        let mut config = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                config.insert(name.to_owned(), value);
            }
        };
        let text = |text: &Option<String>| text.clone().map(Value::from);
        set("fps", Some(self.fps.clone().into()));
        set("entryFile", text(&self.entry).or_else(|| entry.map(Value::from)));
        set("outputResolution", text(&self.output_resolution));
        set("format", text(&self.format));
        set("codec", text(&self.codec));
        set("quality", text(&self.quality));
        set("crf", self.crf.map(Value::from));
        set("bitrate", text(&self.bitrate));
        set("strictness", text(&self.strictness));
        set("chunkSize", Some(self.chunk_size.unwrap_or(600).into()));
        set("maxParallelChunks", Some(self.max_parallel_chunks.unwrap_or(256).into()));
        set("variables", self.given.variables()?);
        set("strictVariables", self.given.strict_variables.then_some(Value::Bool(true)));
        Ok(config)
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
