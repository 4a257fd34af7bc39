//! What a command line may say.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use render::ReadFault;
use render::config::CaptureMode;
use render::frame::Moment;

pub(crate) use crate::cli::config::{ConfigArgs, PageArgs};
use crate::cli::values::{self, Picture};

pub(crate) use crate::cli::renders_args::{ListArgs, MachineArgs, OneRenderArgs, StatusName};
pub(crate) use crate::cli::submit_args::{DeploymentArgs, SubmitArgs, WatchArgs};

/// Renders HyperFrames compositions to video, frame by frame: on this machine, or on a deployed stack.
#[derive(Debug, Parser)]
#[command(
    name = "framewright",
    bin_name = "framewright",
    version,
    max_term_width = 100,
    after_help = EXAMPLES
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) talk: TalkArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "Examples:
  framewright new my-composition
  framewright render my-composition -o video.mp4
  framewright render my-composition -o video.mp4 --fps 60 --quality high
  framewright render my-composition -o overlay.mov --poster 1.5s --preview 540p
  framewright render my-composition -o frames --format png-sequence --frames 30..60
  framewright still my-composition --at 1.5s -o frame.png
  framewright lint my-composition
  framewright preview my-composition
  framewright render my-composition -o video.mp4 --json --frame-hashes > summary.json
  framewright invoke event.json
  framewright submit my-composition -o video.mp4
  framewright watch arn:aws:states:us-east-1:123456789012:execution:framewright:render-1 -o video.mp4

Exit status: 0 done, 1 failed (the code is in the message), 2 wrong arguments, 130 stopped.";

const COMPLETIONS: &str = "Examples:
  framewright completions bash > ~/.local/share/bash-completion/completions/framewright
  framewright completions zsh > \"${fpath[1]}/_framewright\"
  framewright completions fish > ~/.config/fish/completions/framewright.fish";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a small composition that renders, to start from
    New {
        /// The directory to make
        dir: PathBuf,
    },
    /// Render a composition to a video: plan, every chunk, assemble
    Render(Box<RenderArgs>),
    /// Draw one frame of a composition, which is the fast way to see it
    Still(Box<StillArgs>),
    /// Show the frames of a composition in a browser, exactly as a render has them, and follow its files
    Preview(Box<PreviewArgs>),
    /// Name everything that is wrong with a composition, with file, line and column, without drawing it
    ///
    /// Exit status: 0 nothing is wrong, 1 something is, 2 wrong arguments.
    Lint(Box<LintArgs>),
    /// Render a composition on a deployed stack: upload it, start the render, watch it, fetch the video
    Submit(Box<SubmitArgs>),
    /// Watch a render of a deployed stack, also one that is over, and fetch its video
    Watch(WatchArgs),
    /// List the renders of a deployed stack, the newest first
    List(ListArgs),
    /// Say how far a render of a deployed stack is, and why it failed if it has
    Status(OneRenderArgs),
    /// Stop a render of a deployed stack, also the chunks that are being drawn
    Cancel(OneRenderArgs),
    /// Handle one plan, renderChunk, assemble or probe event and print its answer
    Invoke(InvokeArgs),
    /// Look at this machine: tools, cores, memory, fonts, how frames are captured, and what to fix
    ///
    /// Exit status: 0 it can render, 1 it cannot, 2 wrong arguments, or a tool is missing.
    Doctor(DoctorArgs),
    /// Draw a known frame and say whether this machine can render
    ///
    /// Prints a JSON verdict. Exit status: 0 it can, 1 it cannot (the verdict says why), 2 there was nothing to try:
    /// wrong arguments, or a tool is missing.
    Probe(ProbeArgs),
    /// Print what a shell needs to complete the commands and options
    #[command(after_help = COMPLETIONS)]
    Completions { shell: Shell },
    /// Write manual pages, one for each command, into a directory
    Man { dir: PathBuf },
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

/// How much is said on stderr, by every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Messages")]
pub(crate) struct TalkArgs {
    /// Print warnings and errors only: no progress, and no line about what was made
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Also print what the page writes to its console, and what the program does
    #[arg(short, long, global = true)]
    verbose: bool,
    /// The least important log lines that are printed [default: warn, with --verbose info]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(crate) log_level: Option<LogLevel>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl TalkArgs {
    pub(crate) fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        }
    }
}

impl LogLevel {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct RenderArgs {
    /// The project directory, or the HTML file in it to start from
    pub(crate) project: PathBuf,
    /// The video to make, or a directory for a png-sequence; it appears only when it is complete. - is stdout
    #[arg(short, long, value_name = "FILE", required_unless_present = "plan_only")]
    output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) extent: ExtentArgs,
    #[command(flatten)]
    pub(crate) overwrite: OverwriteArgs,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    #[command(flatten)]
    pub(crate) cache: CacheArgs,
    /// Browsers that draw at the same time [default: from cores and memory]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) workers: Option<u32>,
    /// Draw every frame, also those that are proven to be the one before
    #[arg(long)]
    pub(crate) no_reuse: bool,
    /// Put the sha256 of each frame's pixels into the summary
    #[arg(long, requires = "json")]
    pub(crate) frame_hashes: bool,
    /// Where frames are taken from: auto is Chrome's memory where that is possible, and screenshots otherwise
    #[arg(long, value_parser = values::capture(), default_value = "auto")]
    pub(crate) capture: CaptureMode,
    /// Put a fault into reading frames from memory, to see it noticed
    #[arg(long, hide = true, value_parser = values::capture_fault())]
    pub(crate) capture_fault: Option<ReadFault>,
    /// Print one JSON summary on stdout
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) host: HostArgs,
}

/// What is made of the composition: one video, many, or none.
#[derive(Debug, Args)]
pub(crate) struct ExtentArgs {
    /// Render once for each row of this file, into the directory that --output names. A row is a JSON object with `output`, the
    /// name of its video, and `variables`. What is rendered already and has not changed is kept, unless --force is given
    #[arg(long, value_name = "JSONL", conflicts_with_all = ["plan_only", "variables", "variables_file", "report"])]
    pub(crate) batch: Option<PathBuf>,
    /// Draw only a few frames, and say how many frames and chunks there are, and what a render takes here and on Lambda
    #[arg(long)]
    pub(crate) plan_only: bool,
    /// Write a page about the render: its frames, where the time went, what was verified
    #[arg(long, value_name = "HTML", conflicts_with = "plan_only")]
    pub(crate) report: Option<PathBuf>,
}

impl RenderArgs {
    /// The output, which is only left out where nothing is made.
    pub(crate) fn output(&self) -> &Path {
        self.output.as_deref().unwrap_or(Path::new(""))
    }
}

/// Where chunks are kept, so that one that has not changed is not drawn again.
#[derive(Debug, Args)]
pub(crate) struct CacheArgs {
    /// Keep what is drawn in this directory, and draw only what has changed since
    #[arg(long, value_name = "DIR", env = "FRAMEWRIGHT_CACHE")]
    pub(crate) cache: Option<PathBuf>,
    /// Draw everything and keep nothing, also where the environment names a directory
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// MiB that may be kept; what was used last longest ago goes first
    #[arg(long, value_name = "MIB", default_value = "4096", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) cache_size: u32,
}

/// What to do about an output that is there already.
#[derive(Debug, Args)]
pub(crate) struct OverwriteArgs {
    /// Replace the output without a question
    #[arg(short, long, conflicts_with = "no_clobber")]
    pub(crate) force: bool,
    /// Refuse to replace an output
    #[arg(long)]
    pub(crate) no_clobber: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StillArgs {
    /// The project directory, or the HTML file in it to start from
    pub(crate) project: PathBuf,
    /// The moment: 1.5s, 1500ms or 45f for frame number 45
    #[arg(long, value_name = "MOMENT", default_value = "0s", value_parser = values::moment)]
    pub(crate) at: Moment,
    /// The picture to make: .png as it was drawn, or .jpg or .webp for less
    #[arg(short, long, value_name = "FILE", value_parser = values::picture)]
    pub(crate) output: Picture,
    #[command(flatten)]
    pub(crate) page: PageArgs,
    /// Leave the background out, and keep what is behind the page transparent
    #[arg(long)]
    pub(crate) alpha: bool,
    /// Print one JSON summary on stdout
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) host: HostArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PreviewArgs {
    /// The project directory, or the HTML file in it to start from
    pub(crate) project: PathBuf,
    /// The port on this machine's loopback address; 0 is any that is free
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    #[command(flatten)]
    pub(crate) page: PageArgs,
    #[command(flatten)]
    pub(crate) host: HostArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    /// The project directory, or the HTML file in it to start from
    pub(crate) project: PathBuf,
    #[command(flatten)]
    pub(crate) page: PageArgs,
    /// Print one JSON object on stdout: the findings, and how many are errors and warnings
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) host: HostArgs,
}

#[derive(Debug, Args)]
pub(crate) struct InvokeArgs {
    /// The event as a JSON file, with file:// or s3:// URIs
    pub(crate) event: PathBuf,
    /// Browsers that draw at the same time [default: from cores and memory]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) workers: Option<u32>,
    #[command(flatten)]
    pub(crate) host: HostArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ProbeArgs {
    #[command(flatten)]
    pub(crate) host: HostArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Print one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) host: HostArgs,
}

#[derive(Debug, Args)]
pub(crate) struct FloorArgs {
    /// A directory with an index.html
    pub(crate) page: PathBuf,
    #[arg(long)]
    pub(crate) frames: u32,
    #[arg(long)]
    pub(crate) workers: Option<u32>,
    /// Where frames are taken from
    #[arg(long, value_parser = values::capture(), default_value = "auto")]
    pub(crate) capture: CaptureMode,
    #[command(flatten)]
    pub(crate) host: HostArgs,
}

#[derive(Debug, Args)]
pub(crate) struct HostArgs {
    /// The pinned tools [default: tools beside this program, else .tools in a directory above it or above the current one]
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
