//! The command line: its arguments, and what each command does on this machine.

pub(crate) mod args;
mod config;
pub(crate) mod floor;
pub(crate) mod host;
pub(crate) mod invoke;
pub(crate) mod lint;
pub(crate) mod probe;
pub(crate) mod progress;
pub(crate) mod render;
mod renders_args;
pub(crate) mod report;
pub(crate) mod signals;
pub(crate) mod still;
mod submit_args;
mod values;
