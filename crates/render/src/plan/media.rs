//! What of a composition's media is seen and heard when, from its files and, where those do not say it, from its page.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use compose::document::html::{parse, serialize};
use compose::js_number;
use compose::media::clip::{Clip, Repeat, Sound, Volume};
use compose::media::{Kind, Medium, clips, element, fade};
use compose::site::Site;
use compose::timing::resolve::{KnownDurations, TimeMapping, Times, in_point};
use dom_query::Document;
use dom_query::NodeRef;
use futures::StreamExt;
use futures::stream;
use serde_json::{Map, Value, json};

use crate::config::Settings;
use crate::error::{Error, Result};
use crate::ffmpeg::source::{Source, is_text, probe_source};
use crate::plan::ask::Point;
use crate::plan::layout;
use crate::plan::selection::FrameSelection;
use crate::tools::Tools;
use crate::video::{self, ExtractedVideo};
use crate::video_track::VideoTrack;

/// Files that are read at the same time.
const PROBES: usize = 4;

/// The media of a compiled document and what their files hold.
#[derive(Debug, Default)]
pub(super) struct Media {
    pub(super) list: Vec<Medium>,
    sources: BTreeMap<PathBuf, Source>,
    pub(super) known: KnownDurations,
    /// Volumes that the page changes, by render id.
    pub(super) volumes: BTreeMap<String, Vec<Point>>,
}

/// What is seen and heard.
#[derive(Debug, Default)]
pub(super) struct Played {
    pub(super) videos: Vec<Clip>,
    pub(super) sounds: Vec<Sound>,
}

/// A page with the times of its media, and what is still to be asked of it.
#[derive(Debug)]
pub(super) struct Timed {
    pub(super) html: String,
    /// Whether only the page can tell when its media are on.
    pub(super) needs_page: bool,
    /// The sounds whose volume a script may change, by render id.
    pub(super) heard: Vec<String>,
}

impl Media {
    /// Reads the files of `list`.
    pub(super) async fn read(tools: &Tools, list: Vec<Medium>) -> Result<Self> {
        let files: BTreeMap<_, _> =
            list.iter().rev().map(|medium| (medium.file.clone(), medium.clone())).collect();
        let probing = stream::iter(files.into_values()).map(|medium| probe(tools, medium));
        let mut sources = BTreeMap::new();
        for probed in probing.buffered(PROBES).collect::<Vec<_>>().await {
            let (file, source) = probed?;
            sources.insert(file, source);
        }
        let mut known = KnownDurations::default();
        for medium in &list {
            let source = &sources[&medium.file];
            check(medium, source)?;
            if let Some(seconds) = lasts(medium.kind, source) {
                known.sources.insert(medium.id.clone(), seconds);
            }
        }
        Ok(Self { list, sources, known, volumes: BTreeMap::new() })
    }

    /// Writes into `html` what the page cannot know or would find out otherwise: how long each element lasts whose author does
    /// not say it, since its file is not loaded, and when each one starts that refers to another.
    pub(super) fn write_times(&self, html: String, site: Site<'_>) -> Timed {
        let document = parse(&html);
        let has_references = self.write_starts(&document);
        let is_changed = self.write_durations(&document) || has_references;
        let needs_page = self.need_the_page(&document);
        let heard = self.changing_volumes(&document, site);
        let html = if is_changed { serialize(&document) } else { html };
        Timed { html, needs_page, heard }
    }

    /// Puts numbers in the place of references. The page's runtime would look for what they refer to by a rule of its own.
    fn write_starts(&self, document: &Document) -> bool {
        let times = Times::of(document, &self.known, "");
        let found: Vec<_> = references(document)
            .into_iter()
            .filter_map(|node| Some((node, times.settled_start(&node, 0)?)))
            .collect();
        for (node, start) in &found {
            node.set_attr("data-start", &start.to_string());
        }
        !found.is_empty()
    }

    fn write_durations(&self, document: &Document) -> bool {
        let times = Times::of(document, &self.known, "");
        let mut is_changed = false;
        for medium in &self.list {
            let Some(node) = element(document, &medium.id) else { continue };
            let is_said = ["data-duration", "data-end"].iter().any(|name| node.has_attr(name));
            if is_said || medium.repeat == Repeat::Loop || medium.kind == Kind::Gif {
                continue;
            }
            if let Some(seconds) = times.duration(&node, 0.0) {
                node.set_attr("data-duration", &seconds.to_string());
                node.set_attr("data-hf-inferred-duration", "");
                is_changed = true;
            }
        }
        is_changed
    }

    /// The ids of the sounds whose volume a script may change: all of them if one speaks of volumes, else none.
    fn changing_volumes(&self, document: &Document, site: Site<'_>) -> Vec<String> {
        let scripts = document.select("script");
        let speaks = scripts.nodes().iter().any(|script| match script.attr("src") {
            None => script.text().contains("volume"),
            // What a script says that cannot be read here, it may say to the page.
            Some(src) => site
                .file(&src)
                .and_then(|file| std::fs::read(file).ok())
                .is_none_or(|text| text.windows(6).any(|word| word == b"volume")),
        });
        if !speaks {
            return Vec::new();
        }
        let has_sound =
            |medium: &&Medium| medium.audible && self.sources[&medium.file].sound.is_some();
        self.list.iter().filter(has_sound).map(|medium| medium.id.clone()).collect()
    }

    /// The videos for a page that is only asked something: it loads none of them, and has no frames to show.
    pub(super) fn unshown(&self) -> Vec<VideoTrack> {
        let unshown = |medium: &Medium| {
            let source = &self.sources[&medium.file];
            let picture = source.picture.as_ref().filter(|_| medium.kind != Kind::Audio)?;
            Some(VideoTrack {
                id: medium.id.clone(),
                src: medium.src.clone(),
                start: 0.0,
                end: 0.0,
                media_start: 0.0,
                rate: 1.0,
                cycle: None,
                frames: 0,
                dir: PathBuf::new(),
                extension: "",
                width: picture.width,
                height: picture.height,
                duration: lasts(medium.kind, source).unwrap_or_default(),
            })
        };
        self.list.iter().filter_map(unshown).collect()
    }

    /// Puts the frames of `clips` into the plan in `out`; the page's files are still in `page_dir`.
    pub(super) async fn extract(
        &self,
        tools: &Tools,
        clips: &[Clip],
        settings: &Settings,
        selection: &FrameSelection,
        page_dir: &Path,
        out: &Path,
    ) -> Result<Vec<ExtractedVideo>> {
        let request = video::Request {
            clips,
            sources: &self.sources,
            page_dir,
            fps: settings.fps,
            total_frames: selection.total_frames,
            frames: selection.frames,
            format: settings.frame_format,
            plan_limit: settings.plan_limit,
        };
        video::extract(tools, request, &out.join(layout::VIDEO_FRAMES)).await
    }

    /// Whether only the page can tell when its media are on: a composition has no duration of its own, or a start is the end
    /// of something.
    fn need_the_page(&self, document: &Document) -> bool {
        let times = Times::of(document, &self.known, "");
        let compositions = document.select("[data-composition-id]");
        let is_open = |host: &NodeRef<'_>| {
            times.is_nested(host) && !host.has_attr("data-duration") && !host.has_attr("data-end")
        };
        !self.list.is_empty()
            && (compositions.nodes().iter().any(is_open) || !references(document).is_empty())
    }

    /// Where each nested composition lies on the timeline, once it is known how long the timelines are.
    pub(super) fn places(&self, html: &str, timelines: &BTreeMap<String, f64>) -> Result<Value> {
        let document = parse(html);
        let known =
            KnownDurations { sources: self.known.sources.clone(), timelines: timelines.clone() };
        let times = Times::of(&document, &known, "");
        let mut places = Map::new();
        for host in document.select("[data-composition-id]").nodes() {
            if times.is_nested(host) {
                let id = host.attr("data-composition-id").unwrap_or_default().to_string();
                let TimeMapping { start, in_point, rate } = times.mapping_inside(host)?;
                let depth = host.ancestors_it(None).count();
                let place =
                    json!({ "depth": depth, "start": start, "inPoint": in_point, "rate": rate });
                places.insert(id, place);
            }
        }
        Ok(Value::Object(places))
    }

    /// What is on within the first `total` seconds.
    pub(super) fn play(&self, html: &str, file: &str, total: f64) -> Result<Played> {
        let document = parse(html);
        let times = Times::of(&document, &self.known, file);
        let mut played = Played::default();
        for (medium, clip) in clips(&document, &self.list, &times, total)? {
            let source = &self.sources[&medium.file];
            if medium.audible && source.sound.is_some() {
                let volume = match self.volumes.get(&medium.id) {
                    Some(points) => Volume::Curve(points.clone()),
                    None => Volume::Constant(medium.gain),
                };
                let fade = fade(&document, &medium, &times)?;
                played.sounds.push(Sound { clip: clip.clone(), volume, fade });
            }
            if matches!(medium.kind, Kind::Video | Kind::Gif) && source.picture.is_some() {
                refuse_in_point(&document, &medium, source)?;
                played.videos.push(clip);
            }
        }
        Ok(played)
    }
}

/// The elements whose start refers to another element.
fn references(document: &Document) -> Vec<NodeRef<'_>> {
    let starts = document.select("[data-start]");
    let refers = |node: &&NodeRef<'_>| {
        node.attr("data-start").is_some_and(|start| js_number(&start).is_none())
    };
    starts.nodes().iter().filter(refers).copied().collect()
}

/// Refuses a video that begins behind the end of its source. One of which a scene shows only what comes later is held there.
fn refuse_in_point(document: &Document, medium: &Medium, source: &Source) -> Result<()> {
    let from = element(document, &medium.id).map_or(0.0, |node| in_point(&node));
    match lasts(Kind::Video, source).filter(|seconds| from >= *seconds) {
        None => Ok(()),
        Some(seconds) => Err(Error::media_unusable(
            &medium.element,
            format!("{} begins at {from} s of a source of {seconds} s", medium.src),
        )),
    }
}

async fn probe(tools: &Tools, medium: Medium) -> Result<(PathBuf, Source)> {
    match probe_source(tools, &medium.file).await {
        Ok(source) => Ok((medium.file, source)),
        Err(Error::Command { .. }) if is_text(&medium.file)? => Err(compose::Error::NotMedia {
            element: medium.element,
            reason: format!("{} is a web page or JSON", medium.src),
        }
        .into()),
        Err(Error::Command { stderr, .. }) => Err(Error::media_unusable(
            &medium.element,
            format!("its file cannot be read: {}", last_part(&stderr)),
        )),
        Err(error) => Err(error),
    }
}

/// What FFmpeg says without the path it says it about.
fn last_part(stderr: &str) -> &str {
    stderr.rsplit(": ").next().unwrap_or(stderr)
}

fn check(medium: &Medium, source: &Source) -> Result<()> {
    let Medium { kind, id: _, element, src: _, file: _, audible: _, gain: _, fades: _, repeat: _ } =
        medium;
    match (kind, &source.picture, &source.sound) {
        (Kind::Video | Kind::Gif, None, Some(_)) => Err(compose::Error::MediaKind {
            element: element.clone(),
            reason: "its file has sound only; use <audio> for it".to_owned(),
        }
        .into()),
        (_, None, None) => {
            Err(Error::media_unusable(element, "its file has neither pictures nor sound"))
        }
        (Kind::Audio, Some(_), None) => {
            Err(Error::media_unusable(element, "its file has no sound"))
        }
        (Kind::Video | Kind::Gif, Some(_), _) | (Kind::Audio, _, Some(_)) => Ok(()),
    }
}

/// Seconds that the stream which an element plays lasts.
fn lasts(kind: Kind, source: &Source) -> Option<f64> {
    let stream = match kind {
        Kind::Video | Kind::Gif => source.picture.as_ref().and_then(|picture| picture.duration),
        Kind::Audio => source.sound.as_ref().and_then(|sound| sound.duration),
    };
    stream.or(source.duration).filter(|seconds| *seconds > 0.0)
}
