//! The assemble event.

use std::path::{Path, PathBuf};
use std::time::Instant;

use futures::{StreamExt, TryStreamExt, stream};
use render::SideOutput;
use render::assemble::{AssemblySpec, ChunkFile, Parts, assemble, spec};
use render::config::output::Format;
use store::{Metadata, Store, Uri};

use crate::actions::event::Answer;
use crate::actions::{Facts, Worker, beside, beside_chunk, check_format, ms};
use crate::error::{Error, Result};
use crate::output::check_replaceable;

/// Chunks that are fetched at the same time.
const FETCHES_AT_ONCE: usize = 8;

/// What is joined, where it is stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pieces<'a> {
    pub(super) chunks: &'a [Uri],
    pub(super) audio: Option<&'a Uri>,
    pub(super) format: Format,
    pub(super) cfr: bool,
}

impl<S: Store> Worker<'_, S> {
    pub(super) async fn assemble(
        &self,
        work: &Path,
        plan: &Uri,
        Pieces { chunks, audio, format, cfr }: Pieces<'_>,
        output: &Uri,
    ) -> Result<(Answer, Facts)> {
        let start = Instant::now();
        let fetching_plan = async { Ok(self.store.tree(plan, work).await?) };
        let fetching_audio = async {
            match audio {
                Some(uri) => Ok(Some(self.store.file(uri, work).await?)),
                None => Ok(None),
            }
        };
        let (joining, plan, mut files, audio) = tokio::try_join!(
            self.toolbox.joining(),
            fetching_plan,
            self.fetch_chunks(work, chunks),
            fetching_audio
        )?;
        check_format(&plan, format)?;
        let spec = spec(&plan)?;
        if let (true, Uri::File(directory)) = (format.is_directory(), output) {
            check_replaceable(directory)?;
        }
        let poster = self.fetch_side_outputs(work, chunks, &spec, &mut files).await?;
        let fetch = Some(ms(start));
        let working = Instant::now();
        // A directory of pictures and a file alike; its place has a name of its own.
        let out = work.join("output");
        let audio = audio.map(|file| file.path);
        let parts = Parts { chunks: files, audio, poster, cfr };
        let assembled = assemble(&joining, &plan, &parts, &out).await?;
        let spent = Some(ms(working));
        let storing = Instant::now();
        let mut stored = [None, None];
        for (uri, kind) in stored.iter_mut().zip(SideOutput::ALL) {
            if assembled.side_outputs.contains(&kind) {
                let to = beside(output, kind);
                self.store.put_file(&kind.beside(&out), &to, &Metadata::default()).await?;
                *uri = Some(to.to_string());
            }
        }
        let [poster_uri, preview_uri] = stored;
        if format.is_directory() {
            // What was fetched makes room for the archive that it becomes.
            for chunk in parts.chunks.iter().filter(|chunk| chunk.path.starts_with(work)) {
                let _gone_later = std::fs::remove_file(&chunk.path);
            }
            if let Uri::File(directory) = output {
                check_replaceable(directory)?;
            }
            self.store.put_tree(&out, output).await?;
        } else {
            self.store.put_file(&out, output, &Metadata::default()).await?;
        }
        let facts = Facts {
            fetch,
            work: spent,
            store: Some(ms(storing)),
            frames: Some(assembled.frames),
            bytes: Some(assembled.bytes),
            chunks: u64::try_from(chunks.len()).ok(),
            was_there: false,
        };
        let answer = Answer::Assemble {
            output_uri: output.to_string(),
            poster_uri,
            preview_uri,
            frames_encoded: assembled.frames,
            file_size: assembled.bytes,
            duration_ms: ms(start),
        };
        Ok((answer, facts))
    }

    /// Fetches the chunks, in their order.
    async fn fetch_chunks(&self, work: &Path, chunks: &[Uri]) -> Result<Vec<ChunkFile>> {
        let fetching = chunks.iter().enumerate().map(|(index, uri)| async move {
            match self.store.file(uri, work).await {
                Ok(file) => {
                    let sha256 = file.unchecked_sha256;
                    Ok(ChunkFile { path: file.path, sha256, preview: None })
                }
                Err(store::Error::Digest { expected, actual, .. }) => {
                    Err(Error::from(render::Error::ChunkDigest { index, expected, actual }))
                }
                Err(error) => Err(error.into()),
            }
        });
        stream::iter(fetching).buffered(FETCHES_AT_ONCE).try_collect().await
    }

    /// Fetches what lies beside the chunks: the small video of each, and the poster, which is answered.
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
}
