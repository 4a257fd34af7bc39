//! The plan action: a project becomes a plan.

use std::collections::BTreeMap;
use std::time::Instant;

use compose::net::Net;
use render::config::Settings;
use render::plan::{PRODUCER_VERSION, plan};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::{Metadata, Store, Uri};

use crate::actions::fields::{self, Fields};
use crate::actions::protocol::check_protocol;
use crate::actions::worker::{Facts, Worker, bounded};
use crate::error::Result;
use crate::time::millis_since;
use crate::workdir::WorkDir;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlanEvent {
    pub(crate) project: Uri,
    pub(crate) output_prefix: Uri,
    pub(crate) settings: Settings,
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
    #[serde(rename = "PlanS3Uri")]
    pub(crate) plan: Uri,
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
    pub(crate) facts: Facts,
    /// Seconds of the video.
    pub(crate) duration: f64,
}

impl PlanEvent {
    pub(super) fn read(fields: &Fields) -> Result<Self> {
        check_protocol(fields)?;
        let Wire { project, output_prefix, mut config, cfr } = fields.read()?;
        // Whoever asks for a constant frame rate at the end learns at once if there is none.
        if cfr {
            config.insert("cfr".to_owned(), true.into());
        }
        Ok(Self { project, output_prefix, settings: Settings::parse(&config)? })
    }

    pub(super) fn uris(&self) -> Vec<(String, &Uri)> {
        let Self { project, output_prefix, settings: _ } = self;
        vec![("ProjectS3Uri".to_owned(), project), ("PlanOutputS3Prefix".to_owned(), output_prefix)]
    }
}

/// The hosts that planning may reach: all public ones, unless the environment says that there is no way out.
pub(crate) fn net(env: &BTreeMap<String, String>) -> Net {
    match env.get("FRAMEWRIGHT_OFFLINE").map(String::as_str) {
        None | Some("" | "0") => Net::public(),
        Some(_) => Net::offline(),
    }
}

impl<S: Store> Worker<'_, S> {
    pub(crate) async fn plan(&self, event: &PlanEvent) -> Result<Planned> {
        let PlanEvent { project, output_prefix, settings } = event;
        let start = Instant::now();
        let work = WorkDir::make(self.scratch)?;
        let fetching = async { Ok(self.store.tree(project, work.path()).await?) };
        let (tools, project) = tokio::try_join!(self.toolbox.drawing(), fetching)?;
        let fetch = Some(millis_since(start));

        let working = Instant::now();
        let out = work.path().join("plan");
        let (net, timeouts) = (net(self.env), self.options.timeouts);
        let planned = plan(&tools, &net, &project, settings, self.env, timeouts, &out).await?;
        let spent = Some(millis_since(working));

        let storing = Instant::now();
        let uri = output_prefix.join(&format!("plan{}", S::TREE_SUFFIX));
        let audio = planned.audio.map(|name| output_prefix.join(name));
        if let Some((name, uri)) = planned.audio.zip(audio.as_ref()) {
            self.store.put_file(&out.join(name), uri, &Metadata::default()).await?;
        }
        self.store.put_tree(&out, &uri).await?;

        let facts = Facts {
            fetch,
            work: spent,
            store: Some(millis_since(storing)),
            frames: Some(planned.total_frames),
            chunks: u64::try_from(planned.chunks.len()).ok(),
            ..Facts::default()
        };
        let answer = PlanAnswer {
            plan: uri,
            plan_hash: planned.plan_hash,
            chunk_count: planned.chunks.len(),
            total_frames: planned.total_frames,
            fps: planned.fps.as_f64(),
            width: planned.width,
            height: planned.height,
            format: planned.format.name(),
            has_audio: audio.is_some(),
            audio,
            ffmpeg_version: planned.ffmpeg_version,
            producer_version: PRODUCER_VERSION,
            duration_ms: millis_since(start),
            warnings: planned.warnings,
        };
        Ok(Planned { answer, facts, duration: planned.duration })
    }
}
