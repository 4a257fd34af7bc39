//! The command line: its arguments, and what each command does on this machine.

pub(crate) mod args;
mod batch;
mod cache_dir;
pub(crate) mod config;
pub(crate) mod doctor;
#[cfg(test)]
mod documented;
mod estimate;
pub(crate) mod events;
pub(crate) mod floor;
mod forecast;
pub(crate) mod host;
pub(crate) mod invoke;
pub(crate) mod lint;
pub(crate) mod manual;
pub(crate) mod new;
pub(crate) mod preview;
pub(crate) mod probe;
pub(crate) mod progress;
pub(crate) mod render;
mod renders_args;
pub(crate) mod report;
mod report_page;
mod sample;
pub(crate) mod signals;
pub(crate) mod status;
pub(crate) mod still;
mod submit_args;
mod target;
pub(crate) mod terminal;
mod values;
mod video;
