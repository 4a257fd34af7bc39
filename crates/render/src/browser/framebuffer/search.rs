//! Finds the frame in the memory of Chrome's GPU process, by patterns that are shown on an empty page.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::fs::FileExt;

use compose::geometry::{Size, Viewport};
use serde_json::json;

use crate::browser::Browser;
use crate::browser::framebuffer::{Framebuffer, PIXEL, ReadFault, Unreadable};
use crate::error::Result;

/// Rows of each pattern: one to be looked for, the others to tell the frame from a picture of another width.
const PATTERN_ROWS: usize = 4;

/// How many pixels wider than the page a pattern is, so that its own picture in memory has longer rows than the frame.
const OVERHANG: usize = 16;

/// What a page draws is shown one or two ticks later.
const TICKS_UNTIL_SHOWN: u32 = 10;
const TICKS_OF_CHANGE: u32 = 2;

/// Larger mappings are reserved address space; in a smaller one, the frame lies near the start.
const LARGEST_MAPPING: u64 = 1 << 30;
const SEARCHED_BEYOND_FRAME: u64 = 32 << 20;
const SEARCH_STEP: usize = 1 << 20;

const DRAW_PATTERNS: &str = include_str!("../../page/patterns.js");
const REMOVE_PATTERNS: &str = "window.__fwPatterns.forEach((canvas) => canvas.remove())";

impl Framebuffer {
    /// Shows patterns on the empty page of `browser` and looks for them.
    pub(in crate::browser) async fn find(
        browser: &mut Browser,
        viewport: Viewport,
        fault: Option<ReadFault>,
    ) -> Result<std::result::Result<Self, Unreadable>> {
        let mut search = match Search::of_browser(browser.process_id(), viewport) {
            Ok(search) => search,
            Err(unreadable) => return Ok(Err(unreadable)),
        };
        let patterns = Patterns::new(viewport);
        browser.evaluate::<bool>(&patterns.script(viewport)).await?;
        for _ in 0..TICKS_UNTIL_SHOWN {
            browser.tick_soon().await?;
            let (mut searched, patterns) = (search, patterns.clone());
            let look = move || {
                searched.result = searched.look_for(&patterns);
                searched
            };
            search = tokio::task::spawn_blocking(look).await.expect("searching does not panic");
            if search.result.is_err() || !search.hits.is_empty() {
                break;
            }
        }
        // Other places keep the pattern that was drawn first; the frame shows the second one, too.
        let patterns = Patterns::new(viewport);
        browser.evaluate::<bool>(&patterns.script(viewport)).await?;
        for _ in 0..TICKS_OF_CHANGE {
            browser.tick_soon().await?;
        }
        // What could not be read at first stays unreadable.
        let mut searched = search;
        let keep = move || {
            searched.keep(&patterns);
            searched
        };
        search = tokio::task::spawn_blocking(keep).await.expect("searching does not panic");
        browser.evaluate::<Option<()>>(REMOVE_PATTERNS).await?;
        browser.tick_soon().await?;
        Ok(search.found(fault))
    }
}

/// The rows at the top and at the bottom of a page that shows nothing else: noise that is in memory nowhere else.
#[derive(Debug, Clone)]
struct Patterns {
    seeds: [u32; 2],
    top: Vec<u8>,
    bottom: Vec<u8>,
}

impl Patterns {
    fn new(viewport: Viewport) -> Self {
        let random = RandomState::new();
        let seed = |of: u32| u32::try_from(random.hash_one(of) >> 33).unwrap_or(1).max(1);
        let seeds = [seed(0), seed(1)];
        let width = viewport.frame().width as usize;
        Self { seeds, top: pattern(seeds[0], width), bottom: pattern(seeds[1], width) }
    }

    /// Draws them in the page.
    fn script(&self, viewport: Viewport) -> String {
        let Size { width, height } = viewport.frame();
        let given = json!({
            "width": width as usize + OVERHANG,
            "height": height,
            "scale": viewport.scale,
            "rows": PATTERN_ROWS,
            "seeds": self.seeds,
        });
        format!("{}({given})", DRAW_PATTERNS.trim_end())
    }
}

/// The rows that the script draws from `seed`, as far as the page is wide.
fn pattern(seed: u32, width: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(width * PATTERN_ROWS * PIXEL);
    for _ in 0..PATTERN_ROWS {
        for x in 0..width + OVERHANG {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let [red, green, blue, _] = state.to_le_bytes();
            if x < width {
                bytes.extend([blue, green, red, u8::MAX]);
            }
        }
    }
    bytes
}

/// The places in one process that may be the frame.
#[derive(Debug)]
struct Search {
    pid: u32,
    memory: File,
    stride: usize,
    height: usize,
    hits: Vec<u64>,
    result: io::Result<()>,
}

impl Search {
    /// In the process that composites for the Chrome whose main process is `root`.
    fn of_browser(root: u32, viewport: Viewport) -> std::result::Result<Self, Unreadable> {
        let pid = gpu_process(root).ok_or(Unreadable::GpuProcess)?;
        Self::in_process(pid, viewport).map_err(|error| {
            tracing::debug!(%error, "the GPU process's memory cannot be opened");
            Unreadable::Refused
        })
    }

    fn in_process(pid: u32, viewport: Viewport) -> io::Result<Self> {
        let memory = File::open(format!("/proc/{pid}/mem"))?;
        let Size { width, height } = viewport.frame();
        let (stride, height) = (width as usize * PIXEL, height as usize);
        Ok(Self { pid, memory, stride, height, hits: Vec::new(), result: Ok(()) })
    }

    /// Finds where the first row of the top pattern is.
    fn look_for(&mut self, patterns: &Patterns) -> io::Result<()> {
        let row = &patterns.top[..self.stride];
        let frame = (self.stride * self.height) as u64;
        for (start, end) in private_mappings(self.pid)? {
            let size = end - start;
            if (frame..=LARGEST_MAPPING).contains(&size) {
                let searched = size.min(frame + SEARCHED_BEYOND_FRAME);
                self.look_in(start, start + searched, row)?;
            }
        }
        Ok(())
    }

    fn look_in(&mut self, start: u64, end: u64, row: &[u8]) -> io::Result<()> {
        let mut buffer = vec![0; SEARCH_STEP + row.len()];
        let mut at = start;
        while at < end {
            let left = usize::try_from(end - at).unwrap_or(usize::MAX);
            let bytes = &mut buffer[..left.min(SEARCH_STEP + row.len())];
            match self.memory.read_exact_at(bytes, at) {
                Ok(()) => {}
                // A mapping may be gone since it was listed.
                Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Ok(()),
                Err(error) => return Err(error),
            }
            for offset in (0..bytes.len().min(SEARCH_STEP)).step_by(PIXEL) {
                // Most places differ in the first pixel, which is cheaper to compare alone.
                let place = &bytes[offset..];
                if place[..PIXEL] == row[..PIXEL] && place.starts_with(row) {
                    self.hits.push(at + offset as u64);
                }
            }
            at += SEARCH_STEP as u64;
        }
        Ok(())
    }

    /// Keeps the places that show both patterns where they must be in a frame.
    fn keep(&mut self, patterns: &Patterns) {
        let mut bytes = vec![0; self.stride * PATTERN_ROWS];
        let bottom = (self.stride * (self.height - PATTERN_ROWS)) as u64;
        let mut kept = Vec::new();
        for hit in &self.hits {
            let mut shows = |at, pattern: &[u8]| {
                self.memory.read_exact_at(&mut bytes, at).is_ok() && bytes == pattern
            };
            if shows(*hit, &patterns.top) && shows(hit + bottom, &patterns.bottom) {
                kept.push(*hit);
            }
        }
        self.hits = kept;
    }

    fn found(self, fault: Option<ReadFault>) -> std::result::Result<Framebuffer, Unreadable> {
        let Self { pid: _, memory, stride, height, hits, result } = self;
        if let Err(error) = result {
            tracing::debug!(%error, "the GPU process's memory cannot be read");
            return Err(Unreadable::Refused);
        }
        match hits[..] {
            [address] => {
                let aside = if fault == Some(ReadFault::Place) { stride * (height / 2) } else { 0 };
                let address = address + aside as u64;
                Ok(Framebuffer { memory, address, stride, height, fault })
            }
            [] => Err(Unreadable::NotFound),
            _ => Err(Unreadable::Ambiguous),
        }
    }
}

/// The one process below `root` that composites.
fn gpu_process(root: u32) -> Option<u32> {
    let parents = parents();
    let mut family = vec![root];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    let is_gpu = |pid: &u32| {
        // Chrome writes its children's arguments anew, with blanks between them.
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| [0, b' '].contains(byte)).any(|word| word == b"--type=gpu-process")
    };
    let mut found = family.into_iter().filter(is_gpu);
    found.next().filter(|_| found.next().is_none())
}

/// Every process with its parent.
fn parents() -> Vec<(u32, u32)> {
    let parent = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // Its name, in parentheses, may hold anything.
        let (_name, rest) = stat.rsplit_once(')')?;
        rest.split_whitespace().nth(1)?.parse().ok()
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, parent(pid)?))).collect()
}

/// Start and end of each writable private mapping of a process.
fn private_mappings(pid: u32) -> io::Result<Vec<(u64, u64)>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    Ok(maps.lines().filter_map(private_mapping).collect())
}

fn private_mapping(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split_whitespace();
    let (span, rights) = (words.next()?, words.next()?);
    let (start, end) = span.split_once('-')?;
    let parse = |text| u64::from_str_radix(text, 16).ok();
    (rights == "rw-p").then_some(())?;
    Some((parse(start)?, parse(end)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    const VIEWPORT: Viewport = Viewport { width: 640, height: 480, scale: 1 };

    /// A frame of this test's own process that shows `patterns`.
    fn show(frame: &mut [u8], patterns: &Patterns) {
        let end = frame.len() - patterns.bottom.len();
        frame[..patterns.top.len()].copy_from_slice(&patterns.top);
        frame[end..].copy_from_slice(&patterns.bottom);
    }

    fn frame() -> Vec<u8> {
        vec![0; 640 * 480 * PIXEL]
    }

    /// A search in this process that has looked for `patterns` in `frames`: where other tests have theirs is not known.
    fn search(frames: &[&[u8]], patterns: &Patterns) -> Search {
        let mut search = Search::in_process(std::process::id(), VIEWPORT).unwrap();
        let row = &patterns.top[..search.stride];
        for frame in frames {
            let start = frame.as_ptr().addr() as u64;
            search.look_in(start, start + frame.len() as u64, row).unwrap();
        }
        search
    }

    #[test]
    fn the_frame_is_the_place_that_shows_the_second_patterns_too() {
        let (first, second) = (Patterns::new(VIEWPORT), Patterns::new(VIEWPORT));
        let (mut stale, mut live) = (frame(), frame());
        show(&mut stale, &first);
        show(&mut live, &first);
        let mut search = search(&[&stale, &live], &first);
        assert_eq!(search.hits, [&stale, &live].map(|frame| frame.as_ptr().addr() as u64));
        show(&mut live, &second);
        search.keep(&second);
        let found = search.found(None).unwrap();
        assert_eq!(found.address, live.as_ptr().addr() as u64);
        assert_eq!(found.whole().unwrap(), live);
        drop(stale);
    }

    #[test]
    fn two_places_that_show_the_same_are_none() {
        let (first, second) = (Patterns::new(VIEWPORT), Patterns::new(VIEWPORT));
        let mut frames = [frame(), frame()];
        for frame in &mut frames {
            show(frame, &first);
        }
        let mut search = search(&[&frames[0], &frames[1]], &first);
        for frame in &mut frames {
            show(frame, &second);
        }
        search.keep(&second);
        assert_eq!(search.found(None).unwrap_err(), Unreadable::Ambiguous);
        drop(frames);
    }

    #[test]
    fn a_pattern_that_is_nowhere_is_not_found() {
        let patterns = Patterns::new(VIEWPORT);
        let mut search = search(&[&frame()], &patterns);
        search.keep(&patterns);
        assert_eq!(search.found(None).unwrap_err(), Unreadable::NotFound);
    }

    #[test]
    fn only_private_memory_that_can_be_written_is_searched() {
        for (line, expected) in [
            ("7f00-7f10 rw-p 00000000 00:00 0", Some((0x7f00, 0x7f10))),
            ("7f00-7f10 rw-p 00000000 00:00 0   [heap]", Some((0x7f00, 0x7f10))),
            ("7f00-7f10 rw-s 00000000 00:01 9   /dev/shm/x", None),
            ("7f00-7f10 r--p 00000000 08:01 9   /lib/x.so", None),
            ("7f00-7f10 ---p 00000000 00:00 0", None),
        ] {
            assert_eq!(private_mapping(line), expected, "{line}");
        }
    }

    #[test]
    fn a_process_that_has_ended_is_a_lost_browser() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let search = Search::in_process(child.id(), VIEWPORT).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let found = Search { hits: vec![1 << 20], ..search }.found(None).unwrap();
        assert!(matches!(found.whole(), Err(Error::BrowserLost { .. })));
    }
}
