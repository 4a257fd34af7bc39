//! What a render is to be like, wherever it runs: the options that make the config of a plan event.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
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
    /// Frames in a chunk [default: 600, and 240 for submit]
    #[arg(long, value_name = "FRAMES")]
    chunk_size: Option<u32>,
    /// The most chunks to cut the timeline into [default: 256]
    #[arg(long, value_name = "CHUNKS")]
    max_parallel_chunks: Option<u32>,
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

impl ConfigArgs {
    /// The config of the plan event that these arguments stand for, with an entry and a chunk size where they name none. What
    /// is wrong with it, planning says.
    pub(crate) fn config(&self, entry: Option<&str>, chunk: u32) -> Result<Map<String, Value>> {
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
        set("chunkSize", Some(self.chunk_size.unwrap_or(chunk).into()));
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
