//! The renderChunk event.

use std::path::Path;
use std::time::Instant;

use render::chunk::render_chunk;
use render::config::output::Format;
use store::{Metadata, Store, Uri};

use crate::actions::event::Answer;
use crate::actions::{Facts, Worker, beside_chunk, check_format, ms};
use crate::error::Result;

/// What a stored chunk says of itself.
const PLAN_HASH: &str = "plan-hash";
const CHUNK_INDEX: &str = "chunk-index";
const FRAMES: &str = "frames";

/// Which chunk of which plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) index: u32,
    pub(super) plan_hash: &'a str,
    pub(super) format: Format,
}

impl<S: Store> Worker<'_, S> {
    pub(super) async fn render_chunk(
        &self,
        work: &Path,
        plan: &Uri,
        Wanted { index, plan_hash, format }: Wanted<'_>,
        prefix: &Uri,
    ) -> Result<(Answer, Facts)> {
        let start = Instant::now();
        let name = format!("{index:04}.{}", format.chunk_extension());
        let uri = prefix.join("chunks").join(&name);
        if let Some((sha256, frames)) = self.earlier_chunk(&uri, plan_hash, index).await {
            let facts = Facts { frames: Some(frames), was_there: true, ..Facts::default() };
            let answer = Answer::RenderChunk {
                chunk_uri: uri.to_string(),
                chunk_index: index,
                sha256,
                frames_encoded: frames,
                capture_mode: "beginframe",
                duration_ms: ms(start),
                warnings: Vec::new(),
                report: None,
            };
            return Ok((answer, facts));
        }
        let fetching = async { Ok(self.store.tree(plan, work).await?) };
        let (tools, plan) = tokio::try_join!(self.toolbox.drawing(), fetching)?;
        let fetch = Some(ms(start));
        let working = Instant::now();
        check_format(&plan, format)?;
        let out = work.join(name);
        let report = render_chunk(&tools, &plan, index, plan_hash, &out, self.options).await?;
        let spent = Some(ms(working));
        let storing = Instant::now();
        let labels = [
            (PLAN_HASH, plan_hash.to_owned()),
            (CHUNK_INDEX, index.to_string()),
            (FRAMES, report.frames_encoded.to_string()),
        ];
        let about = Metadata {
            sha256: Some(report.sha256.clone()),
            labels: labels.map(|(name, value)| (name.to_owned(), value)).into(),
        };
        // The chunk comes last: who finds it finds the rest.
        for side_output in &report.side_outputs {
            let to = beside_chunk(&uri, plan_hash, *side_output);
            self.store.put_file(&side_output.beside(&out), &to, &Metadata::default()).await?;
        }
        self.store.put_file(&out, &uri, &about).await?;
        let facts = Facts {
            fetch,
            work: spent,
            store: Some(ms(storing)),
            frames: Some(report.frames_encoded),
            bytes: std::fs::metadata(&out).ok().map(|file| file.len()),
            ..Facts::default()
        };
        let answer = Answer::RenderChunk {
            chunk_uri: uri.to_string(),
            chunk_index: index,
            sha256: report.sha256.clone(),
            frames_encoded: report.frames_encoded,
            capture_mode: report.capture_mode,
            duration_ms: ms(start),
            warnings: report.warnings.clone(),
            report: Some(Box::new(report)),
        };
        Ok((answer, facts))
    }

    /// The digest and frames of a chunk that an earlier try has stored: the same plan and index make the same bytes.
    async fn earlier_chunk(&self, uri: &Uri, plan_hash: &str, index: u32) -> Option<(String, u32)> {
        let about = match self.store.look(uri).await {
            Ok(about) => about?,
            Err(error) => {
                // Whoever may not look may still be allowed to write.
                tracing::debug!(%error, "no look at an earlier try's chunk");
                return None;
            }
        };
        let Metadata { sha256, labels } = about;
        let is_this = labels.get(PLAN_HASH).is_some_and(|hash| hash == plan_hash)
            && labels.get(CHUNK_INDEX).is_some_and(|found| *found == index.to_string());
        let frames = labels.get(FRAMES)?.parse().ok()?;
        sha256.filter(|_| is_this).map(|sha256| (sha256, frames))
    }
}
