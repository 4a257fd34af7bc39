//! What the actions have in common: what they need, what their invocations took, and how answers are kept small.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use render::chunk::{ChunkOptions, ChunkReport};
use render::config::output::Format;
use render::plan::planned_format;
use serde::Serialize;
use store::Store;

use crate::actions::cache::Cache;
use crate::actions::protocol::PlanLocation;
use crate::error::{Error, Result};
use crate::tools::toolbox::Toolbox;

/// What every invocation of this process has in common.
#[derive(Debug)]
pub(crate) struct Worker<'a, S> {
    pub(crate) store: &'a S,
    pub(crate) toolbox: &'a Toolbox,
    pub(crate) env: &'a BTreeMap<String, String>,
    /// Where work directories are made.
    pub(crate) scratch: &'a Path,
    pub(crate) options: ChunkOptions<'a>,
    /// Where chunks are kept, if they are.
    pub(crate) cache: Option<&'a Cache>,
    /// When work must stop, if it must.
    pub(crate) until: Option<Instant>,
}

impl<S: Store> Worker<'_, S> {
    /// Brings a plan's files into `work`, if they are elsewhere.
    pub(super) async fn fetch_plan(&self, plan: &PlanLocation, work: &Path) -> Result<PathBuf> {
        self.store.tree(plan.archive(), work).await.map_err(|error| plan.explain(error))
    }
}

/// What an invocation took, for its log line. Times are milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) fetch: Option<u64>,
    pub(crate) work: Option<u64>,
    pub(crate) store: Option<u64>,
    pub(crate) frames: Option<u32>,
    /// Bytes of what was made.
    pub(crate) bytes: Option<u64>,
    pub(crate) chunks: Option<u64>,
    /// Those of them that were kept from another render, if there is a cache.
    pub(crate) cached_chunks: Option<u64>,
    /// What the whole render has cost, about.
    pub(crate) dollars: Option<f64>,
    /// Whether an earlier try had already made it.
    pub(crate) was_there: bool,
    /// Of a chunk that was rendered.
    pub(crate) report: Option<Box<ChunkReport>>,
}

/// Refuses an event that means files of another format than those of the plan in `plan_dir`.
pub(super) fn check_format(plan_dir: &Path, format: Format) -> Result<()> {
    let Some(planned) = planned_format(plan_dir).filter(|planned| *planned != format) else {
        return Ok(());
    };
    Err(Error::Event {
        field: "Format".to_owned(),
        reason: format!("must be {}, as the plan says, not {}", planned.name(), format.name()),
    })
}

/// The first warnings and how many more there are: all of them are in the log.
pub(super) fn bounded<S: serde::Serializer>(
    warnings: &[String],
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    first(warnings).serialize(serializer)
}

/// The same as a list.
pub(super) fn first(warnings: &[String]) -> Vec<String> {
    const MAX_WARNINGS: usize = 3;
    const MAX_WARNING_BYTES: usize = 100;
    let mut first: Vec<String> = warnings
        .iter()
        .take(MAX_WARNINGS)
        .map(|warning| warning[..warning.floor_char_boundary(MAX_WARNING_BYTES)].to_owned())
        .collect();
    if warnings.len() > MAX_WARNINGS {
        first.push(format!("and {} more", warnings.len() - MAX_WARNINGS));
    }
    first
}
