//! What a chunk and whoever watches it tell each other while it is being drawn, by small objects beside it.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use render::chunk::Progress;
use serde_json::json;
use store::{Metadata, Store, Uri};

use crate::actions::worker::Worker;
use crate::error::{Error, Result};

/// Below a plan's prefix: written when its render is cancelled.
pub(crate) const CANCELLED: &str = "cancelled";

/// The label of that object that says when. A chunk that begins later does not mind it, so that a render can be taken up again.
pub(crate) const CANCELLED_AT: &str = "cancelled-at";

/// How often a chunk tells how far it is, and looks whether it is still wanted. Both cost a request.
const EVERY: Duration = Duration::from_secs(4);

/// Below a plan's prefix: how far chunk `index` is.
pub(crate) fn progress(index: u32) -> String {
    format!("progress/{index:04}.json")
}

/// Counts frames for others to see.
#[derive(Debug)]
pub(super) struct Counted<'a> {
    inner: &'a dyn Progress,
    done: AtomicU32,
}

impl<'a> Counted<'a> {
    pub(super) fn new(inner: &'a dyn Progress) -> Self {
        Self { inner, done: AtomicU32::new(0) }
    }
}

impl Progress for Counted<'_> {
    fn begin(&self, frames: u32) {
        self.inner.begin(frames);
    }

    fn frame_done(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.inner.frame_done();
    }
}

impl<S: Store> Worker<'_, S> {
    /// Tells how far chunk `index` is, now and then, and ends when its render is cancelled.
    pub(super) async fn until_cancelled(
        &self,
        prefix: &Uri,
        index: u32,
        counted: &Counted<'_>,
        work: &Path,
    ) -> Error {
        let before = self.cancelled_at(prefix).await;
        let mut told = 0;
        loop {
            tokio::time::sleep(EVERY).await;
            let at = self.cancelled_at(prefix).await;
            if at.is_some() && at != before {
                return Error::RenderCancelled;
            }
            let done = counted.done.load(Ordering::Relaxed);
            if done != told && self.tell(prefix, index, done, work).await.is_ok() {
                told = done;
            }
        }
    }

    /// When the render was cancelled, if it was. What cannot be read has not been written.
    async fn cancelled_at(&self, prefix: &Uri) -> Option<String> {
        let mut found = self.store.metadata(&prefix.join(CANCELLED)).await.ok()??;
        found.labels.remove(CANCELLED_AT)
    }

    async fn tell(&self, prefix: &Uri, index: u32, frames: u32, work: &Path) -> Result<()> {
        let file = work.join("progress.json");
        std::fs::write(&file, json!({ "frames": frames }).to_string()).map_err(|source| {
            Error::Io { action: "write", path: file.display().to_string(), source }
        })?;
        let to = prefix.join(&progress(index));
        Ok(self.store.temporary().put_file(&file, &to, &Metadata::default()).await?)
    }
}
