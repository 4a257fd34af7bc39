//! The options of the commands about renders that run or have run on a deployed stack.

use clap::{Args, ValueEnum};

use crate::cli::submit_args::DeploymentArgs;

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only renders of this status
    #[arg(long, value_enum)]
    pub(crate) status: Option<StatusName>,
    /// How many, the newest first
    #[arg(long, value_name = "COUNT", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    /// Print one JSON array on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct OneRenderArgs {
    /// The render's name, or its execution as submit prints it
    #[arg(value_name = "RENDER")]
    pub(crate) render: String,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MachineArgs {
    #[command(flatten)]
    pub(crate) stack: DeploymentArgs,
    /// The state machine, instead of the deployment's
    #[arg(long, value_name = "ARN")]
    pub(crate) state_machine: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusName {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}
