//! What an invocation takes at its most: memory of this process and its children, and room in the scratch directory.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

const SAMPLE_EVERY: Duration = Duration::from_millis(200);

/// Samples until it is dropped.
#[derive(Debug)]
pub(crate) struct Observer {
    peaks: Arc<Peaks>,
    scratch: PathBuf,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Peaks {
    memory: AtomicU64,
    scratch: AtomicU64,
}

impl Observer {
    pub(crate) fn start(scratch: &Path) -> Self {
        let peaks = Arc::new(Peaks::default());
        let (sampled, dir) = (Arc::clone(&peaks), scratch.to_owned());
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(SAMPLE_EVERY);
            loop {
                ticks.tick().await;
                sampled.sample(&dir);
            }
        });
        Self { peaks, scratch: scratch.to_owned(), task }
    }

    /// Bytes of memory, in this process and all that it started, that nothing else shares.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.peaks.sample(&self.scratch);
        self.peaks.memory.load(Ordering::Relaxed)
    }

    /// Bytes in use in the file system of the scratch directory.
    pub(crate) fn peak_scratch(&self) -> u64 {
        self.peaks.scratch.load(Ordering::Relaxed)
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peaks {
    fn sample(&self, scratch: &Path) {
        self.memory.fetch_max(memory(std::process::id()), Ordering::Relaxed);
        self.scratch.fetch_max(used(scratch).unwrap_or(0), Ordering::Relaxed);
    }
}

/// Bytes in use in the file system of `dir`.
pub(crate) fn used(dir: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(dir).ok()?;
    Some(found.f_blocks.saturating_sub(found.f_bfree).saturating_mul(found.f_frsize))
}

/// Anonymous and shared memory of process `id` and of everything below it. What is mapped from files can be dropped again.
fn memory(id: u32) -> u64 {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        if let Some(parent) = parent(&stat) {
            children.entry(parent).or_default().push(id);
        }
    }
    let mut todo = vec![id];
    let mut bytes = 0;
    while let Some(id) = todo.pop() {
        todo.extend(children.remove(&id).unwrap_or_default());
        bytes += fs::read_to_string(format!("/proc/{id}/status")).map_or(0, |status| own(&status));
    }
    bytes
}

/// The parent in `/proc/ID/stat`, which follows the program's name in brackets and one letter.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}

fn own(status: &str) -> u64 {
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    (kib("RssAnon:").unwrap_or(0) + kib("RssShmem:").unwrap_or(0)) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_that_of_a_process_and_its_children() {
        assert_eq!(parent("12 (a) b) S 7 12 12 0"), Some(7));
        assert_eq!(
            own("Name:\tx\nRssAnon:\t  100 kB\nRssFile:\t 9 kB\nRssShmem:\t 4 kB\n"),
            104 * 1024
        );
        // A child of its own: other tests of this process take and give back memory meanwhile.
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sleep 60 & read -r stop; kill $!"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let alone = |id: u32| {
            fs::read_to_string(format!("/proc/{id}/status")).map_or(0, |status| own(&status))
        };
        let until = std::time::Instant::now() + Duration::from_secs(30);
        while memory(child.id()) <= alone(child.id()) {
            assert!(std::time::Instant::now() < until, "the child's child counts, too");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(memory(std::process::id()) > memory(child.id()), "so does this process");
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn a_peak_outlasts_what_made_it() {
        let observer = Observer::start(Path::new("/tmp"));
        let held = std::hint::black_box(vec![1_u8; 16 << 20]);
        let peak = observer.peak_memory();
        drop(held);
        assert!(peak >= 16 << 20 && observer.peak_memory() >= peak);
        assert!(observer.peak_scratch() > 0);
    }
}
