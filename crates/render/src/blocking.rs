//! Work on large files and trees, where it may block.

use crate::error::Result;

/// Runs `work` on a thread of its own. If nobody waits any more, it ends when its directory is gone.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.expect("nothing that is run here panics")
}
