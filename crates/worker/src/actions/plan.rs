//! The plan action: a project becomes a plan.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use compose::net::Net;
use render::config::Settings;
use render::frame::Fps;
use render::plan::{PRODUCER_VERSION, Planned as Made, SKIPPED, plan};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::{Metadata, Store, Uri};

use crate::actions::fields::{self, Fields};
use crate::actions::protocol::{Protocol, locators, manifest};
use crate::actions::render_chunk::RenderedChunk;
use crate::actions::worker::{Facts, Worker, bounded};
use crate::error::{Error, Result};
use crate::time::millis_since;
use crate::tools::pack::{size_of, unpacked_bytes};
use crate::workdir::WorkDir;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlanEvent {
    pub(crate) project: Uri,
    pub(crate) output_prefix: Uri,
    pub(crate) settings: Settings,
    pub(crate) protocol: Protocol,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    #[serde(rename = "ProjectS3Uri", deserialize_with = "fields::uri")]
    project: Uri,
    #[serde(rename = "PlanOutputS3Prefix", deserialize_with = "fields::uri")]
    output_prefix: Uri,
    #[serde(deserialize_with = "fields::object")]
    config: Map<String, Value>,
    #[serde(default, deserialize_with = "fields::boolean")]
    cfr: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PlanAnswer {
    /// As the event says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plan_protocol: Option<&'static str>,
    #[serde(rename = "PlanS3Uri", skip_serializing_if = "Option::is_none")]
    pub(crate) plan: Option<Uri>,
    #[serde(rename = "PlanV2ManifestS3Uri", skip_serializing_if = "Option::is_none")]
    pub(crate) manifest: Option<Uri>,
    #[serde(rename = "PlanV2ArtifactS3Prefix", skip_serializing_if = "Option::is_none")]
    pub(crate) artifacts: Option<Uri>,
    pub(crate) plan_hash: String,
    pub(crate) chunk_count: usize,
    pub(crate) total_frames: u32,
    pub(crate) fps: f64,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) format: &'static str,
    pub(crate) has_audio: bool,
    #[serde(rename = "AudioS3Uri")]
    pub(crate) audio: Option<Uri>,
    /// Chunks that are there already, if unchanged ones are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cached_chunks: Option<usize>,
    pub(crate) ffmpeg_version: String,
    pub(crate) producer_version: &'static str,
    pub(crate) duration_ms: u64,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "bounded")]
    pub(crate) warnings: Vec<String>,
}

/// A plan that was made and stored.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) answer: PlanAnswer,
    /// Where its files are.
    pub(crate) archive: Uri,
    pub(crate) facts: Facts,
    /// Seconds of the video.
    pub(crate) duration: f64,
    /// Which chunks are there already, in the order of all; empty without a cache.
    pub(crate) found: Vec<Option<RenderedChunk>>,
}

impl PlanEvent {
    pub(super) fn read(fields: &Fields) -> Result<Self> {
        let protocol = Protocol::read(fields)?;
        let Wire { project, output_prefix, mut config, cfr } = fields.read()?;
        // Whoever asks for a constant frame rate at the end learns at once if there is none.
        if cfr {
            config.insert("cfr".to_owned(), true.into());
        }
        Ok(Self { project, output_prefix, settings: Settings::parse(&config)?, protocol })
    }

    pub(super) fn uris(&self) -> Vec<(String, &Uri)> {
        let Self { project, output_prefix, settings: _, protocol: _ } = self;
        vec![("ProjectS3Uri".to_owned(), project), ("PlanOutputS3Prefix".to_owned(), output_prefix)]
    }
}

/// The hosts that planning may reach: all public ones but those in networks that the environment refuses, unless it says that there is
/// no way out.
pub(crate) fn net(env: &BTreeMap<String, String>) -> Result<Net> {
    let environment = "FRAMEWRIGHT_REFUSED_RANGES";
    let ranges = env.get(environment).map(String::as_str).unwrap_or_default().split(',');
    let ranges = ranges.map(str::trim).filter(|range| !range.is_empty()).map(str::parse);
    let refused = ranges
        .collect::<std::result::Result<_, _>>()
        .map_err(|reason| Error::Setting { environment, reason })?;
    let net = match env.get("FRAMEWRIGHT_OFFLINE").map(String::as_str) {
        None | Some("" | "0") => Net::public(),
        Some(_) => Net::offline(),
    };
    Ok(Net { refused, ..net })
}

impl<S: Store> Worker<'_, S> {
    pub(crate) async fn plan(&self, event: &PlanEvent) -> Result<Planned> {
        let PlanEvent { project, output_prefix, settings, protocol } = event;
        let start = Instant::now();
        let work = WorkDir::make(self.scratch)?;
        if self.cache.is_some() {
            self.toolbox.identify_ahead();
        }
        let fetching = async { Ok(self.store.project(project, work.path(), &SKIPPED).await?) };
        let (tools, project) = tokio::try_join!(self.toolbox.drawing(), fetching)?;
        let fetch = Some(millis_since(start));

        let working = Instant::now();
        let out = work.path().join("plan");
        let net = Net { until: self.until, ..net(self.env)? };
        let timeouts = self.options.timeouts;
        let planned = plan(&tools, &net, &project, settings, self.env, timeouts, &out).await?;
        let spent = Some(millis_since(working));

        if !S::TREE_SUFFIX.is_empty() {
            check_room(&out, self.scratch)?;
        }

        let storing = Instant::now();
        let store = self.store.temporary();
        let found = self.find_chunks(&out, &planned, output_prefix, work.path()).await;
        let cached = self.cache.map(|_| found.iter().flatten().count());
        let audio = planned.audio.map(|name| output_prefix.join(name));
        if let Some((name, uri)) = planned.audio.zip(audio.as_ref()) {
            let file = out.join(name);
            store.put_file(&file, uri, &Metadata::default()).await?;
        }
        let locators = (*protocol != Protocol::V1).then(|| locators(output_prefix));
        if let Some((uri, _)) = &locators {
            self.store_manifest(work.path(), uri, &planned.plan_hash).await?;
        }
        let archive = output_prefix.join(&format!("plan{}", S::TREE_SUFFIX));
        store.put_tree(&out, &archive).await?;

        let facts = Facts {
            fetch,
            work: spent,
            store: Some(millis_since(storing)),
            frames: Some(planned.total_frames),
            chunks: u64::try_from(planned.chunks.len()).ok(),
            cached_chunks: cached.and_then(|count| u64::try_from(count).ok()),
            ..Facts::default()
        };
        let (duration, planned_fps) = (planned.duration, planned.fps);
        let places = Places { archive: archive.clone(), audio, locators, cached };
        let answer = answer(planned, *protocol, places, planned_fps, millis_since(start));
        Ok(Planned { answer, archive, facts, duration, found })
    }

    /// Stores what lies under the name of a manifest.
    async fn store_manifest(&self, work: &Path, uri: &Uri, plan_hash: &str) -> Result<()> {
        let file = work.join("manifest.json");
        std::fs::write(&file, manifest(plan_hash).to_string()).map_err(|source| Error::Io {
            action: "write",
            path: file.display().to_string(),
            source,
        })?;
        Ok(self.store.temporary().put_file(&file, uri, &Metadata::default()).await?)
    }
}

/// Refuses a plan that has no room where its chunks are rendered, in a scratch directory like this one: beside the tools, it lies there
/// once as it travels and once unpacked.
fn check_room(plan: &Path, scratch: &Path) -> Result<()> {
    let failed = |source| Error::Io { action: "measure", path: plan.display().to_string(), source };
    let bytes = size_of(plan).map_err(failed)?;
    let tools = unpacked_bytes(scratch).map_err(failed)?;
    let Ok(found) = rustix::fs::statvfs(scratch) else { return Ok(()) };
    room_for(bytes, tools, found.f_blocks.saturating_mul(found.f_frsize))
}

fn room_for(bytes: u64, tools: u64, room: u64) -> Result<()> {
    let limit = room.saturating_sub(tools) / 2;
    if bytes <= limit {
        return Ok(());
    }
    let parts = format!(
        "a chunk has {room} bytes of scratch for the tools ({tools} bytes), the plan, and the archive that it comes in"
    );
    Err(render::Error::PlanTooLarge { bytes, limit, parts }.into())
}

/// Where the parts of a plan were stored.
struct Places {
    archive: Uri,
    audio: Option<Uri>,
    /// The manifest and the artifacts' prefix, where v1 is not asked for.
    locators: Option<(Uri, Uri)>,
    /// How many chunks are there already.
    cached: Option<usize>,
}

/// The answer, which names the plan as the protocol has it: in v2, sound is found in the plan.
fn answer(
    made: Made,
    protocol: Protocol,
    places: Places,
    fps: Fps,
    duration_ms: u64,
) -> PlanAnswer {
    let Places { archive, audio, locators, cached } = places;
    let (manifest, artifacts) = locators.unzip();
    let is_v2 = protocol == Protocol::V2;
    PlanAnswer {
        plan_protocol: is_v2.then_some("v2"),
        plan: (!is_v2).then_some(archive),
        manifest,
        artifacts,
        plan_hash: made.plan_hash,
        chunk_count: made.chunks.len(),
        total_frames: made.total_frames,
        fps: fps.as_f64(),
        width: made.width,
        height: made.height,
        format: made.format.name(),
        has_audio: audio.is_some(),
        audio: audio.filter(|_| !is_v2),
        cached_chunks: cached,
        ffmpeg_version: made.ffmpeg_version,
        producer_version: PRODUCER_VERSION,
        duration_ms,
        warnings: made.warnings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_that_the_environment_refuses_are_read_or_named() {
        let net = |ranges: &str| {
            net(&[("FRAMEWRIGHT_REFUSED_RANGES".to_owned(), ranges.to_owned())].into())
        };
        assert_eq!(net("").unwrap(), Net::public());
        assert_eq!(net("2600:1f18::/56, 3.5.0.0/16").unwrap().refused.len(), 2);
        let error = net("here").unwrap_err();
        assert_eq!(error.code().name(), "CONFIG_INVALID");
        assert!(error.to_string().contains("FRAMEWRIGHT_REFUSED_RANGES"), "{error}");
    }

    #[test]
    fn a_plan_needs_its_size_twice_beside_the_tools() {
        room_for(300, 400, 1000).unwrap();
        for (bytes, tools, room) in [(301, 400, 1000), (1, 1000, 900)] {
            let error = room_for(bytes, tools, room).unwrap_err();
            assert_eq!(error.code().name(), "PLAN_TOO_LARGE");
            assert!(error.to_string().contains(&format!("{room} bytes of scratch")), "{error}");
        }
    }
}
