//! The options of the commands for a deployed stack.

use std::path::PathBuf;

use clap::Args;
use render::config::CaptureMode;

use crate::cli::config::ConfigArgs;
use crate::cli::values;

#[derive(Debug, Args)]
#[command(after_help = LEFT_OUT)]
pub(crate) struct SubmitArgs {
    /// The project directory, or the HTML file in it to start from
    pub(crate) project: PathBuf,
    /// Where to put the video, which appears only when it is complete; without it, only its URI is printed
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) stack: DeploymentArgs,
    /// The bucket, instead of the deployment's
    #[arg(long)]
    pub(crate) bucket: Option<String>,
    /// The state machine, instead of the deployment's
    #[arg(long, value_name = "ARN")]
    pub(crate) state_machine: Option<String>,
    /// What the render is called [default: render-, the time and a random number]
    #[arg(long, value_name = "ID")]
    pub(crate) name: Option<String>,
    /// The same, and a render of that name with the same project and options is watched instead of being started twice
    #[arg(long, value_name = "ID", conflicts_with = "name")]
    pub(crate) idempotency_name: Option<String>,
    /// Chunks that are rendered at the same time, at most [default: the deployment's]
    #[arg(long, value_name = "CHUNKS", value_parser = clap::value_parser!(u32).range(1..=40))]
    pub(crate) max_concurrency: Option<u32>,
    /// Where frames are taken from: auto is Chrome's memory where that is possible, and screenshots otherwise
    #[arg(long, value_parser = values::capture())]
    pub(crate) capture: Option<CaptureMode>,
    /// Start the render and return
    #[arg(long)]
    pub(crate) detach: bool,
    /// Print one JSON summary on stdout
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

const LEFT_OUT: &str = "\
Not sent: .git, .env, .env.*, .DS_Store and .framewright* anywhere in the project; node_modules, .cache, output, failures, dist,
.next and .turbo at its top, which planning ignores as well; the output file. What links point at is sent in their place, by the
same rules; links that lead out of the project are refused.

AWS: credentials come from the environment or a profile (AWS_PROFILE), the region from the deployment.
AWS_ENDPOINT_URL_STATES, AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL name servers that are not Amazon's.";

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The render's execution, as submit prints it
    #[arg(value_name = "EXECUTION_ARN")]
    pub(crate) execution: String,
    /// Where to put the video; without it, only its URI is printed
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) stack: DeploymentArgs,
    /// Print one JSON summary on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DeploymentArgs {
    /// What scripts/deploy.sh wrote [default: .framewright/framewright.json]
    #[arg(long, value_name = "FILE")]
    pub(crate) deployment: Option<PathBuf>,
    /// The function's memory, for the cost, instead of the deployment's
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(128..=10_240))]
    pub(crate) memory: Option<u32>,
}
