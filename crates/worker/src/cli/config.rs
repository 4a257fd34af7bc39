//! The options that make the config of a plan event: what a render is to be like, wherever it runs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use compose::document::decode::decode_document;
use render::config::Settings;
use render::config::output::{Codec, Format, Quality};
use render::frame::{Fps, Moment, Span};
use serde_json::{Map, Value};

use crate::cli::values;
use crate::error::{Code, Error, Result};

/// What is drawn.
#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// Frames per second, from 1 to 240: 30, 29.97, 30000/1001 [default: data-fps of the root, else 30]
    #[arg(long, value_parser = values::fps)]
    fps: Option<Fps>,
    /// The HTML file to start from, as a path in the project [default: index.html]
    #[arg(long, value_name = "PATH", value_parser = values::text("entryFile"))]
    entry: Option<String>,
    /// Draw the page with more pixels, such as 1080p or 4k: a whole multiple of its own size
    #[arg(long, value_name = "NAME", value_parser = values::text("outputResolution"))]
    output_resolution: Option<String>,
    #[command(flatten)]
    variables: VariableArgs,
    /// strict: a page that reports an error is not rendered; best-effort: it is [default: strict]
    #[arg(long, value_parser = values::text("strictness"))]
    strictness: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(flatten)]
    page: PageArgs,
    /// The kind of file [default: inferred from the output's extension]
    #[arg(long, value_parser = values::format())]
    format: Option<Format>,
    /// h264 or h265 in mp4; the others have one each: prores in mov, vp9 in webm [default: h264]
    #[arg(long, value_parser = values::codec())]
    codec: Option<Codec>,
    #[command(flatten)]
    background: Background,
    /// What the encoder spends; a png-sequence is lossless with each [default: standard]
    #[arg(long, value_parser = values::quality())]
    quality: Option<Quality>,
    /// Constant rate factor instead of the quality's own: 0 (best) to 51, and to 63 in webm
    #[arg(long, value_parser = values::whole_number::<u32>)]
    crf: Option<u32>,
    /// Bit rate of mp4 and webm, such as 8M or 2500k, instead of a constant quality
    #[arg(long, value_parser = values::text("bitrate"))]
    bitrate: Option<String>,
    /// Encode an mp4 once more as a whole, at an exactly constant frame rate
    #[arg(long)]
    cfr: bool,
    /// How often a gif is played; 0 is for ever [default: 0]
    #[arg(long = "loop", value_name = "TIMES", value_parser = values::number::<u32>("loop"))]
    plays: Option<u32>,
    /// Only these frames: 30..60 is 30 frames, from number 30 to number 59
    #[arg(long, value_name = "FROM..TO", value_parser = values::span)]
    frames: Option<Span>,
    /// Leave the sound out
    #[arg(long)]
    mute: bool,
    /// Keep one frame as a picture: VIDEO.poster.png beside VIDEO.mp4. A moment: 1.5s, 1500ms or 45f
    #[arg(long, value_name = "MOMENT", value_parser = values::moment)]
    poster: Option<Moment>,
    /// Make a small video, too: VIDEO.preview.mp4 beside VIDEO.mp4. Its shorter side: 540p
    #[arg(long, value_name = "SIDE", value_parser = values::text("preview"))]
    preview: Option<String>,
    /// auto or force-sdr; HDR cannot be joined from chunks [default: force-sdr]
    #[arg(long, value_parser = values::text("hdrMode"))]
    hdr_mode: Option<String>,
    /// Bytes that a mov, png-sequence or gif and its chunks may need, instead of the room there is
    #[arg(long, value_name = "BYTES", value_parser = values::number::<u64>("outputSizeLimitBytes"))]
    output_size_limit: Option<u64>,
    /// Frames in a chunk [default: 600, and 240 for submit]
    #[arg(long, value_name = "FRAMES", value_parser = values::number::<u32>("chunkSize"))]
    chunk_size: Option<u32>,
    /// The most chunks to cut the timeline into [default: 256]
    #[arg(long, value_name = "CHUNKS", value_parser = values::number::<u32>("maxParallelChunks"))]
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
struct VariableArgs {
    /// Values for the composition's variables, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = values::variables)]
    variables: Option<Map<String, Value>>,
    /// A file with such an object
    #[arg(long, value_name = "FILE", conflicts_with = "variables")]
    variables_file: Option<PathBuf>,
    /// Refuse values for variables that the composition does not declare, or of another type
    #[arg(long)]
    strict_variables: bool,
}

/// A config in the making, without the fields that no option sets.
#[derive(Debug, Default)]
struct Config(Map<String, Value>);

impl Config {
    fn set(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
    }
}

impl PageArgs {
    /// The HTML file to start from.
    pub(crate) fn entry(&self) -> &str {
        self.entry.as_deref().unwrap_or("index.html")
    }

    /// The same options as words of a command line.
    pub(crate) fn words(&self) -> Vec<OsString> {
        let Self { fps, entry, output_resolution, variables, strictness } = self;
        let VariableArgs { variables, variables_file, strict_variables } = variables;
        let variables = variables.as_ref().map(|map| Value::from(map.clone()).to_string());
        let given: [(&str, Option<OsString>); 6] = [
            ("--fps", fps.map(|fps| fps.named().into())),
            ("--entry", entry.as_ref().map(Into::into)),
            ("--output-resolution", output_resolution.as_ref().map(Into::into)),
            ("--strictness", strictness.as_ref().map(Into::into)),
            ("--variables", variables.map(Into::into)),
            ("--variables-file", variables_file.as_ref().map(Into::into)),
        ];
        let mut words: Vec<OsString> = given
            .into_iter()
            .filter_map(|(name, value)| Some([name.into(), value?]))
            .flatten()
            .collect();
        words.extend(strict_variables.then(|| "--strict-variables".into()));
        words
    }

    /// The part of a config that these options stand for; `default_entry` is the entry file where none is named. A frame rate
    /// that they do not name is the one that the composition in `project` states.
    pub(crate) fn config(
        &self,
        project: &Path,
        default_entry: Option<&str>,
    ) -> Result<Map<String, Value>> {
        let Self { fps, entry, output_resolution, variables, strictness } = self;
        let mut config = Config::default();
        if let Some(entry) = entry.as_deref().filter(|entry| !project.join(entry).is_file()) {
            return Err(Error::Option {
                option: format!("--entry {entry}"),
                reason: "the project has no such file".to_owned(),
                code: Code::EntryMissing,
            });
        }
        let entry = entry.as_deref().or(default_entry);
        let stated = || stated_rate(project, entry.unwrap_or("index.html"));
        config.set("fps", fps.map(Fps::named).or_else(|| rate_to_ask_for(stated())));
        config.set("entryFile", entry);
        config.set("outputResolution", output_resolution.as_deref());
        config.set("strictness", strictness.as_deref());
        config.set("variables", variables.read()?);
        config.set("strictVariables", variables.strict_variables.then_some(true));
        Ok(config.0)
    }
}

impl ConfigArgs {
    /// The config that these options stand for, with an entry and a chunk size where they name none, and the format that
    /// `output` is called by. Whether its fields go together, [`render::config::Settings`] checks.
    pub(crate) fn config(
        &self,
        project: &Path,
        default_entry: Option<&str>,
        default_chunk_size: u32,
        output: Option<&Path>,
    ) -> Result<Map<String, Value>> {
        let Self {
            page,
            format,
            codec,
            background: Background { alpha, no_alpha },
            quality,
            crf,
            bitrate,
            cfr,
            plays,
            frames,
            mute,
            poster,
            preview,
            hdr_mode,
            output_size_limit,
            chunk_size,
            max_parallel_chunks,
        } = self;
        let mut config = Config(page.config(project, default_entry)?);
        config.set("format", format_of(*format, output)?.map(Format::name));
        config.set("codec", codec.map(Codec::name));
        config.set("alpha", alpha.then_some(true).or(no_alpha.then_some(false)));
        config.set("quality", quality.map(Quality::name));
        config.set("crf", *crf);
        config.set("bitrate", bitrate.as_deref());
        config.set("cfr", cfr.then_some(true));
        config.set("loop", *plays);
        config.set("frames", frames.map(|span| span.to_string()));
        config.set("mute", mute.then_some(true));
        config.set("poster", poster.map(|moment| moment.to_string()));
        config.set("preview", preview.as_deref());
        config.set("hdrMode", hdr_mode.as_deref());
        config.set("outputSizeLimitBytes", *output_size_limit);
        config.set("chunkSize", Some(chunk_size.unwrap_or(default_chunk_size)));
        config.set("maxParallelChunks", Some(max_parallel_chunks.unwrap_or(256)));
        Ok(config.0)
    }
}

/// The rate that a composition states, or the default where it states none. One that is not a rate is refused when it is planned,
/// as the composition's.
fn rate_to_ask_for(stated: Option<String>) -> Option<String> {
    match stated {
        None => Some(Fps::DEFAULT.named()),
        Some(text) => text.parse::<Fps>().is_ok().then_some(text),
    }
}

/// The option that sets a field of the config.
const OPTIONS: [(&str, &str); 22] = [
    ("fps", "--fps"),
    ("entryFile", "--entry"),
    ("outputResolution", "--output-resolution"),
    ("strictness", "--strictness"),
    ("variables", "--variables"),
    ("strictVariables", "--strict-variables"),
    ("format", "--format"),
    ("codec", "--codec"),
    ("alpha", "--alpha"),
    ("quality", "--quality"),
    ("crf", "--crf"),
    ("bitrate", "--bitrate"),
    ("cfr", "--cfr"),
    ("loop", "--loop"),
    ("frames", "--frames"),
    ("mute", "--mute"),
    ("poster", "--poster"),
    ("preview", "--preview"),
    ("hdrMode", "--hdr-mode"),
    ("outputSizeLimitBytes", "--output-size-limit"),
    ("chunkSize", "--chunk-size"),
    ("maxParallelChunks", "--max-parallel-chunks"),
];

fn option_of(field: &str) -> Option<&'static str> {
    OPTIONS.iter().find(|(name, _)| *name == field).map(|(_, option)| *option)
}

/// Reads a config that options were made into; what is wrong with it is said of the option.
pub(crate) fn settings(config: &Map<String, Value>) -> Result<Settings> {
    Settings::parse(config).map_err(|error| of_options(error.into()))
}

/// An error of a config as one of the option that sets the field, where there is one.
pub(crate) fn of_options(error: Error) -> Error {
    let code = error.code();
    let (field, reason) = match &error {
        // The rate that planning refuses is the composition's own.
        Error::Render(render::Error::Config { field, reason }) => (field.as_str(), reason.clone()),
        Error::Render(render::Error::OutsideOfTimeline { field, asked, first, last }) => {
            let reason = format!("{asked} is not within frames {first} to {last}, which are there");
            (*field, reason)
        }
        Error::Render(render::Error::Unsupported { .. }) => ("hdrMode", error.to_string()),
        _ => return error,
    };
    match option_of(field) {
        Some(option) => Error::Option { option: option.to_owned(), reason, code },
        None => error,
    }
}

/// Frames a second as the root of the composition says it. A file that cannot be read is missed when it is planned.
fn stated_rate(project: &Path, entry: &str) -> Option<String> {
    let bytes = std::fs::read(project.join(entry)).ok()?;
    compose::frame_rate(&decode_document(&bytes, entry).text)
}

/// The format that was asked for, or that of the output's name. They must not contradict each other: a player goes by the name.
fn format_of(asked: Option<Format>, output: Option<&Path>) -> Result<Option<Format>> {
    let called = output.and_then(values::format_of_name);
    let argument = || format!("--output {}", output.unwrap_or(Path::new("")).display());
    let refused = |reason: String| Err(Error::Argument { argument: argument(), reason });
    match (asked, called) {
        (Some(asked), Some(called)) if asked != called => {
            refused(format!("is called like a {}, and --format is {}", called.name(), asked.name()))
        }
        (Some(format), _) | (None, Some(format)) => Ok(Some(format)),
        (None, None) => {
            let Some(output) = output.filter(|output| *output != Path::new("-")) else {
                return Ok(None);
            };
            let ending = output.extension().and_then(|ending| ending.to_str());
            match ending.map(str::to_ascii_lowercase).as_deref() {
                Some(ending @ ("png" | "jpg" | "jpeg" | "webp")) => refused(format!(
                    "is called like a picture; for one frame, use still, and for all, --format png-sequence with a directory (not .{ending})"
                )),
                Some(ending @ ("mkv" | "avi" | "m4v" | "ts" | "ogv" | "apng")) => refused(format!(
                    "is called like a {ending}, which cannot be made; mp4, mov, webm and gif can"
                )),
                Some(ending) => refused(format!(
                    "ends with .{ending}, which is no format; name it .mp4, .mov, .webm or .gif, or add --format"
                )),
                None => refused(
                    "has no extension; name it .mp4, .mov, .webm or .gif, or add --format"
                        .to_owned(),
                ),
            }
        }
    }
}

impl VariableArgs {
    fn read(&self) -> Result<Option<Map<String, Value>>> {
        let Some(file) = &self.variables_file else { return Ok(self.variables.clone()) };
        let bad = |reason: String| Error::Argument {
            argument: format!("--variables-file {}", file.display()),
            reason,
        };
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|error| bad(format!("cannot be read: {error}")))?;
        values::variables(&text).map(Some).map_err(bad)
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};
    use serde_json::json;

    use super::*;

    #[test]
    fn the_name_of_the_output_says_its_format_unless_it_is_said() {
        let of = |asked, output: &str| format_of(asked, Some(Path::new(output)));
        for (named, output, expected) in [
            (None, "a/video.webm", Some(Format::Webm)),
            (None, "video.MOV", Some(Format::Mov)),
            (None, "-", None),
            (Some(Format::Mp4), "v1.2", Some(Format::Mp4)),
            (Some(Format::Gif), "video", Some(Format::Gif)),
            (Some(Format::PngSequence), "frames.d", Some(Format::PngSequence)),
            (Some(Format::Mov), "x.mov", Some(Format::Mov)),
        ] {
            assert_eq!(of(named, output).unwrap(), expected, "{output}");
        }
        for (named, output) in [
            (Some(Format::Mov), "x.mp4"),
            (Some(Format::PngSequence), "x.mp4"),
            (None, "x.png"),
            (None, "x.mkv"),
            (None, "x.txt"),
            (None, "video"),
            (None, "v1.2"),
        ] {
            let error = of(named, output).unwrap_err().to_string();
            assert!(error.contains(output), "{error}");
        }
    }

    #[derive(Debug, Parser)]
    struct Options {
        #[command(flatten)]
        config: ConfigArgs,
    }

    fn options(args: &[&str]) -> std::result::Result<Options, clap::Error> {
        Options::try_parse_from(["render"].iter().chain(args))
    }

    #[test]
    fn a_value_that_an_option_cannot_have_is_refused_by_the_option() {
        let table = [
            ("--fps", "241", "must be a rate from 1 to 240"),
            ("--entry", "../index.html", "must be a path inside the project"),
            ("--output-resolution", "8k", "must be one of 1080p"),
            ("--strictness", "loose", "must be one of strict, best-effort"),
            ("--format", "avi", "mp4, mov, webm"),
            ("--codec", "av1", "h264, h265, prores"),
            ("--quality", "hgih", "draft, standard, high"),
            ("--crf", "good", "must be a whole number"),
            ("--bitrate", "fast", "from 10k to 1000M"),
            ("--loop", "65536", "from 0 to 65535"),
            ("--frames", "60..30", "30..60"),
            ("--poster", "later", "1.5s, 1500ms or 45f"),
            ("--preview", "10p", "from 64p to 2160p"),
            ("--hdr-mode", "hdr", "must be one of auto, force-sdr"),
            ("--output-size-limit", "0", "above 0"),
            ("--chunk-size", "3601", "from 1 to 3600"),
            ("--max-parallel-chunks", "0", "from 1 to 256"),
            ("--variables", "{oops", "is not JSON"),
            ("--variables", "[1]", "must be a JSON object"),
        ];
        // A file is refused when it is read.
        let untested = Options::command().get_arguments().find_map(|option| {
            let name = format!("--{}", option.get_long()?);
            let takes_values = option.get_action().takes_values() && name != "--variables-file";
            (takes_values && table.iter().all(|(option, ..)| *option != name)).then_some(name)
        });
        assert_eq!(untested, None, "an option whose value nothing refuses");
        for (option, value, says) in table {
            let error = options(&[option, value]).unwrap_err();
            let text = error.to_string();
            assert_eq!(error.exit_code(), 2, "{option} {value}");
            assert!(text.contains(option) && text.contains(says), "{option} {value}: {text}");
        }
    }

    #[test]
    fn every_field_that_an_option_sets_names_its_option() {
        let options: Vec<_> = Options::command()
            .get_arguments()
            .filter_map(|option| Some(format!("--{}", option.get_long()?)))
            .collect();
        for (field, option) in OPTIONS {
            assert!(options.iter().any(|name| name == option), "{field}: {option}");
        }
        let elsewhere = ["--no-alpha", "--variables-file"];
        for option in options.iter().filter(|name| !elsewhere.contains(&name.as_str())) {
            assert!(OPTIONS.iter().any(|(_, name)| name == option), "{option}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused_by_its_option_in_its_own_range() {
        for (args, option, says) in [
            (&["--crf", "99"][..], "--crf", "from 0 to 51, not 99"),
            (&["--crf", "64", "--format", "webm"], "--crf", "from 0 to 63, not 64"),
            (&["--crf", "20", "--format", "mov"], "--crf", "is for mp4 and webm"),
            (&["--crf", "20", "--bitrate", "8M"], "--bitrate", "cannot be given together with crf"),
            (&["--loop", "3"], "--loop", "is for gif"),
            (&["--codec", "vp9"], "--codec", "goes into webm"),
            (&["--alpha"], "--alpha", "holds no half-transparent"),
            (&["--fps", "60", "--format", "gif"], "--fps", "at most 50"),
            (&["--hdr-mode", "force-hdr"], "--hdr-mode", "only SDR"),
        ] {
            let config = options(args).unwrap().config;
            let config = config.config(Path::new(""), None, 600, None).unwrap();
            let error = settings(&config).unwrap_err();
            assert!(error.is_of_arguments(), "{args:?}");
            let text = error.to_string();
            assert!(text.starts_with(option) && text.contains(says), "{args:?}: {text}");
        }
    }

    #[test]
    fn every_option_reaches_the_field_of_the_config_that_it_is_for() {
        let args = "--fps 29.97 --entry a.html --output-resolution 4k --strictness best-effort --format webm \
            --codec vp9 --no-alpha --quality high --crf 60 --frames 30.. --mute --poster 1500ms --preview 540p \
            --hdr-mode auto --output-size-limit 5 --chunk-size 7 --max-parallel-chunks 3 --strict-variables";
        let mut args: Vec<_> = args.split_whitespace().collect();
        args.extend(["--variables", r#"{"a": 1}"#]);
        let project = tempfile::tempdir().unwrap();
        std::fs::write(project.path().join("a.html"), "").unwrap();
        let parsed = options(&args).unwrap();
        let config = parsed.config.config(project.path(), Some("b.html"), 600, None).unwrap();
        let expected = json!({
            "fps": "29.97", "entryFile": "a.html", "outputResolution": "4k", "strictness": "best-effort",
            "format": "webm", "codec": "vp9", "alpha": false, "quality": "high", "crf": 60, "frames": "30..",
            "mute": true, "poster": "1.5s", "preview": "540p", "hdrMode": "auto", "outputSizeLimitBytes": 5,
            "chunkSize": 7, "maxParallelChunks": 3, "strictVariables": true, "variables": {"a": 1},
        });
        assert_eq!(Value::from(config.clone()), expected);
        Settings::parse(&config).unwrap();
        for (args, expected) in [
            (&["--bitrate", "8M", "--cfr"][..], json!({"bitrate": "8M", "cfr": true})),
            (&["--format", "gif", "--loop", "3"], json!({"format": "gif", "loop": 3})),
        ] {
            let mut config =
                options(args).unwrap().config.config(Path::new(""), None, 600, None).unwrap();
            config.retain(|name, _| expected.get(name).is_some());
            assert_eq!(Value::from(config), expected);
        }
    }
}
