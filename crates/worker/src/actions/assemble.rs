//! The assemble action: the chunks of a plan become one video.

use std::path::{Path, PathBuf};
use std::time::Instant;

use futures::{StreamExt, TryStreamExt, stream};
use render::SideOutput;
use render::assemble::{Assembled, AssemblySpec, ChunkFile, Parts, assemble, spec};
use render::config::output::Format;
use serde::{Deserialize, Serialize};
use store::{Fetched, Metadata, Store, Uri};

use crate::actions::fields::{self, Fields};
use crate::actions::protocol::PlanLocation;
use crate::actions::render_chunk::origin;
use crate::actions::side_outputs::{beside, beside_chunk};
use crate::actions::worker::{Facts, Worker, check_format};
use crate::cost::{self, Used};
use crate::error::{Error, Result};
use crate::output::check_replaceable;
use crate::time::millis_since;
use crate::workdir::WorkDir;

/// States of the machine that a render enters beside those of its chunks.
const STATES: u64 = 8;

/// Chunks that are fetched at the same time.
const FETCHES_AT_ONCE: usize = 8;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AssembleEvent {
    pub(crate) plan: PlanLocation,
    /// What the plan must be, where the event says it.
    pub(crate) plan_hash: Option<String>,
    pub(crate) chunks: Vec<Uri>,
    pub(crate) audio: Option<Uri>,
    pub(crate) output: Uri,
    /// The plan says it too, and decides.
    pub(crate) format: Format,
    pub(crate) cfr: bool,
    /// How long planning and each chunk took, in milliseconds, where the event says it.
    pub(crate) took: Option<Took>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Took {
    pub(crate) plan: u64,
    pub(crate) chunks: Vec<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    #[serde(default, deserialize_with = "fields::some_sha256")]
    plan_hash: Option<String>,
    #[serde(rename = "ChunkS3Uris", deserialize_with = "fields::uris")]
    chunks: Vec<Uri>,
    #[serde(rename = "AudioS3Uri", default, deserialize_with = "fields::some_uri")]
    audio: Option<Uri>,
    #[serde(rename = "OutputS3Uri", deserialize_with = "fields::uri")]
    output: Uri,
    #[serde(default = "fields::default_format", deserialize_with = "fields::format")]
    format: Format,
    #[serde(default, deserialize_with = "fields::boolean")]
    cfr: bool,
    #[serde(default)]
    plan_duration_ms: Option<u64>,
    #[serde(default)]
    durations_ms: Option<Vec<u64>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AssembleAnswer {
    #[serde(rename = "OutputS3Uri")]
    pub(crate) output: Uri,
    /// Beside it.
    #[serde(rename = "PosterS3Uri")]
    pub(crate) poster: Option<Uri>,
    #[serde(rename = "PreviewS3Uri")]
    pub(crate) preview: Option<Uri>,
    pub(crate) frames_encoded: u32,
    pub(crate) file_size: u64,
    /// Of the whole render, about, where the event says how long its parts took.
    pub(crate) cost_usd: Option<f64>,
    pub(crate) duration_ms: u64,
}

impl AssembleEvent {
    pub(super) fn read(fields: &Fields) -> Result<Self> {
        let plan = PlanLocation::read(fields)?;
        let Wire { plan_hash, chunks, audio, output, format, cfr, plan_duration_ms, durations_ms } =
            fields.read()?;
        let took = plan_duration_ms.zip(durations_ms).map(|(plan, chunks)| Took { plan, chunks });
        let event = Self { plan, plan_hash, chunks, audio, output, format, cfr, took };
        event.check_v2(fields)?;
        if event.cfr && event.format != Format::Mp4 {
            return Err(fields.wrong("Cfr", &format!("be false for {}", event.format.name())));
        }
        // What is stored beside a prefix would be stored outside of it.
        let is_prefix = |uri: &Uri| matches!(uri, Uri::S3 { key, .. } if key.ends_with('/'));
        if event.chunks.iter().any(is_prefix) {
            return Err(fields.wrong("ChunkS3Uris", "name objects, without a slash at the end"));
        }
        if is_prefix(&event.output) {
            return Err(fields.wrong("OutputS3Uri", "name an object, without a slash at the end"));
        }
        Ok(event)
    }

    /// In v2 the plan is named by its hash as well, and sound is found in the plan.
    fn check_v2(&self, fields: &Fields) -> Result<()> {
        let is_v2 = matches!(self.plan, PlanLocation::Manifest { .. });
        if is_v2 && self.plan_hash.is_none() {
            return Err(fields.wrong("PlanHash", "be there in an event of v2"));
        }
        if is_v2 && self.audio.is_some() {
            let what = "a v2 event with AudioS3Uri".to_owned();
            return Err(Error::Protocol { what });
        }
        Ok(())
    }

    pub(super) fn uris(&self) -> Vec<(String, &Uri)> {
        let Self { plan, plan_hash: _, chunks, audio, output, format: _, cfr: _, took: _ } = self;
        let mut uris = plan.uris();
        uris.push(("OutputS3Uri".to_owned(), output));
        uris.extend(audio.iter().map(|uri| ("AudioS3Uri".to_owned(), uri)));
        let chunks = chunks.iter().enumerate();
        uris.extend(chunks.map(|(i, uri)| (format!("ChunkS3Uris[{i}]"), uri)));
        uris
    }
}

/// The chunks of a plan as they were fetched, without their side outputs.
fn chunk_files(fetched: Vec<Fetched>, spec: &AssemblySpec) -> Vec<ChunkFile> {
    let file = |(index, fetched): (u32, Fetched)| {
        let Fetched { path, unchecked_sha256, labels } = fetched;
        let label = origin(&labels, &spec.plan_hash, index);
        ChunkFile { path, sha256: unchecked_sha256, label, preview: None }
    };
    (0..).zip(fetched).map(file).collect()
}

/// Refuses a plan that is another than the event names.
fn check_hash(expected: Option<&str>, spec: &AssemblySpec) -> Result<()> {
    match expected.filter(|hash| *hash != spec.plan_hash) {
        None => Ok(()),
        Some(expected) => {
            let (expected, actual) = (expected.to_owned(), spec.plan_hash.clone());
            Err(render::Error::PlanHash { expected, actual }.into())
        }
    }
}

impl<S: Store> Worker<'_, S> {
    pub(crate) async fn assemble(&self, event: &AssembleEvent) -> Result<(AssembleAnswer, Facts)> {
        let AssembleEvent { plan, plan_hash, chunks, audio, output, format, cfr, took } = event;
        let start = Instant::now();
        let dir = WorkDir::make(self.scratch)?;
        let work = dir.path();
        let fetching_audio = async {
            match audio {
                Some(uri) => Ok(Some(self.store.file(uri, work).await?.path)),
                None => Ok(None),
            }
        };
        let (joining, plan, fetched, audio) = tokio::try_join!(
            self.toolbox.joining(),
            self.fetch_plan(plan, work),
            self.fetch_chunks(work, chunks),
            fetching_audio
        )?;
        check_format(&plan, *format)?;
        let spec = spec(&plan)?;
        check_hash(plan_hash.as_deref(), &spec)?;
        let mut files = chunk_files(fetched, &spec);
        if let (true, Uri::File(directory)) = (format.is_directory(), output) {
            check_replaceable(directory)?;
        }
        let poster = self.fetch_side_outputs(work, chunks, &spec, &mut files).await?;
        let fetch = Some(millis_since(start));

        let working = Instant::now();
        // A directory of pictures and a file alike; it gets its name when it is stored.
        let out = work.join("output");
        let parts = Parts { chunks: files, audio, poster, cfr: *cfr };
        let assembled = assemble(&joining, &plan, &parts, &out).await?;
        let spent = Some(millis_since(working));

        let storing = Instant::now();
        let [poster, preview] = self.store_side_outputs(&assembled, &out, output).await?;
        if format.is_directory() {
            self.store_directory(&parts.chunks, &dir, &out, output).await?;
        } else {
            self.store.put_file(&out, output, &Metadata::default()).await?;
        }
        let facts = Facts {
            fetch,
            work: spent,
            store: Some(millis_since(storing)),
            frames: Some(assembled.frames),
            bytes: Some(assembled.bytes),
            chunks: u64::try_from(chunks.len()).ok(),
            dollars: took.as_ref().and_then(|took| self.dollars(took, millis_since(start))),
            ..Facts::default()
        };
        let answer = AssembleAnswer {
            output: output.clone(),
            poster,
            preview,
            frames_encoded: assembled.frames,
            file_size: assembled.bytes,
            cost_usd: facts.dollars,
            duration_ms: millis_since(start),
        };
        Ok((answer, facts))
    }

    /// What a render has cost by now, about, if the function's memory is known: tries that failed are not in it.
    fn dollars(&self, took: &Took, joining: u64) -> Option<f64> {
        let memory = self.env.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")?.parse().ok()?;
        let chunks = u64::try_from(took.chunks.len()).ok()?;
        let used = Used {
            ms: took.plan + took.chunks.iter().sum::<u64>() + joining,
            requests: chunks + 2,
            transitions: chunks + STATES,
        };
        Some((cost::dollars(used, memory) * 1e6).round() / 1e6)
    }

    /// Fetches the chunks, in their order.
    async fn fetch_chunks(&self, work: &Path, chunks: &[Uri]) -> Result<Vec<Fetched>> {
        let fetching = chunks.iter().enumerate().map(|(index, uri)| async move {
            match self.store.file(uri, work).await {
                Ok(file) => Ok(file),
                Err(store::Error::Digest { expected, actual, .. }) => {
                    Err(Error::from(render::Error::ChunkDigest { index, expected, actual }))
                }
                Err(error) => Err(error.into()),
            }
        });
        stream::iter(fetching).buffered(FETCHES_AT_ONCE).try_collect().await
    }

    /// Fetches the side outputs of the chunks: the small video of each, and the poster, which is returned.
    async fn fetch_side_outputs(
        &self,
        work: &Path,
        chunks: &[Uri],
        spec: &AssemblySpec,
        files: &mut [ChunkFile],
    ) -> Result<Option<PathBuf>> {
        let poster = spec.poster.and_then(|index| chunks.get(index));
        let poster = match poster.map(|uri| beside_chunk(uri, &spec.plan_hash, SideOutput::Poster))
        {
            Some(uri) => Some(self.store.file(&uri, work).await?.path),
            None => None,
        };
        if spec.has_previews {
            let uris = chunks.iter();
            let uris = uris.map(|uri| beside_chunk(uri, &spec.plan_hash, SideOutput::Preview));
            let fetching = uris.map(|uri| async move { self.store.file(&uri, work).await });
            let fetched: Vec<_> =
                stream::iter(fetching).buffered(FETCHES_AT_ONCE).try_collect().await?;
            for (file, preview) in files.iter_mut().zip(fetched) {
                file.preview = Some(preview.path);
            }
        }
        Ok(poster)
    }

    /// Stores the side outputs that were made, in the order of [`SideOutput::ALL`].
    async fn store_side_outputs(
        &self,
        assembled: &Assembled,
        made: &Path,
        output: &Uri,
    ) -> Result<[Option<Uri>; 2]> {
        let mut stored = [None, None];
        for (uri, kind) in stored.iter_mut().zip(SideOutput::ALL) {
            if assembled.side_outputs.contains(&kind) {
                let to = beside(output, kind);
                self.store.put_file(&kind.beside(made), &to, &Metadata::default()).await?;
                *uri = Some(to);
            }
        }
        Ok(stored)
    }

    /// Stores a directory of pictures. The chunks that were fetched make room for the archive that it may become.
    async fn store_directory(
        &self,
        chunks: &[ChunkFile],
        work: &WorkDir,
        made: &Path,
        output: &Uri,
    ) -> Result<()> {
        for chunk in chunks.iter().filter(|chunk| chunk.path.starts_with(work.path())) {
            let _removed_with_the_work_directory = std::fs::remove_file(&chunk.path);
        }
        if let Uri::File(directory) = output {
            check_replaceable(directory)?;
        }
        Ok(self.store.put_tree(made, output).await?)
    }
}
