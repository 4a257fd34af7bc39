//! The media elements of a whole document: marked so that each can be told from the others, then read off it.

pub mod clip;
mod gif;
pub mod group;
mod playable;
mod unplayed;

use std::collections::BTreeMap;
use std::path::PathBuf;

use dom_query::{Document, NodeRef};

use crate::css::query;
use crate::document::html::describe;
use crate::error::{Error, Result};
use crate::geometry::Viewport;
use crate::media::clip::Volume;
use crate::media::clip::{Clip, Repeat};
use crate::media::gif::Animated;
use crate::media::group::Fades;
use crate::site::{Site, has_scheme};
use crate::timing::js_number;
use crate::timing::resolve::{Times, in_point, rate};

pub(crate) use unplayed::{has_source, refuse_unplayed, script_sounds};

/// The loudest gain: +12 dB.
const MAX_GAIN: f64 = 3.981_071_705_534_972_2;

/// A video or audio element with a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Medium {
    pub kind: Kind,
    pub id: String,
    pub element: String,
    pub src: String,
    pub file: PathBuf,
    /// Whether it may be heard, as far as its element says.
    pub audible: bool,
    pub gain: f64,
    pub fades: Fades,
    pub repeat: Repeat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Video,
    Audio,
    /// An animated picture, which the browser would play by its own clock.
    Gif,
}

/// Elements whose content changes with time.
const MEDIA: &str = "video, audio, img[src]";

/// Gives every media element what the page runtime and the renderer know it by, and takes from it what keeps it from loading.
pub fn mark(document: &Document) {
    let mut used: BTreeMap<String, u32> = BTreeMap::new();
    for node in document.select("video, audio, img[src]").nodes() {
        node.remove_attr("crossorigin");
        if node.has_name("img") {
            continue;
        }
        if node.attr("preload").is_some_and(|value| value.eq_ignore_ascii_case("none")) {
            node.remove_attr("preload");
        }
        if node.attr("data-start").is_none_or(|start| start.trim().is_empty()) {
            node.set_attr("data-start", &start_around(node));
            node.set_attr("data-hf-auto-start", "");
        }
        if node.has_name("video") && !node.has_attr("data-has-audio") {
            node.set_attr("data-has-audio", if node.has_attr("muted") { "false" } else { "true" });
        }
        if node.attr("id").is_none_or(|id| id.trim().is_empty()) {
            let kind = node.node_name().unwrap_or_default();
            let number = used.entry(format!("hf-{kind}")).or_default();
            let id = format!("hf-{kind}-{number}");
            *number += 1;
            node.set_attr("id", &id);
        }
    }
    let mut taken: BTreeMap<String, u32> = BTreeMap::new();
    for node in document.select("[data-hf-render-id]").nodes() {
        taken.insert(node.attr("data-hf-render-id").unwrap_or_default().to_string(), 1);
    }
    for node in document.select(MEDIA).nodes() {
        let is_still = node.has_name("img") && !names_gif(node);
        if is_still || node.has_attr("data-hf-render-id") {
            continue;
        }
        let id = node.attr("id").map_or_else(|| "hf-gif".to_owned(), |id| id.to_string());
        let count = taken.entry(id.clone()).or_default();
        *count += 1;
        let mut unique = if *count == 1 { id.clone() } else { format!("{id}__hf{count}") };
        while unique != id && taken.contains_key(&unique) {
            let count = taken.entry(id.clone()).or_default();
            *count += 1;
            unique = format!("{id}__hf{count}");
        }
        taken.entry(unique.clone()).or_insert(1);
        node.set_attr("data-hf-render-id", &unique);
    }
}

/// The start of an element that does not say its own: with the nearest element around it in its composition that does, else
/// with the composition.
fn start_around(node: &NodeRef<'_>) -> String {
    let own = node.ancestors_it(None).take_while(|above| !above.has_attr("data-composition-id"));
    let start = own.into_iter().find_map(|above| above.attr("data-start"));
    start.map_or_else(|| "0".to_owned(), |start| start.to_string())
}

/// Whether a picture may be an animated one.
fn names_gif(node: &NodeRef<'_>) -> bool {
    let src = node.attr("src").unwrap_or_default();
    let path = src.split(['?', '#']).next().unwrap_or_default();
    path.to_ascii_lowercase().ends_with(".gif")
}

/// The media of a document in `site` that can be seen or heard. Errors call the document `file`; `viewport` is what its
/// media queries are answered for.
pub fn list(
    document: &Document,
    site: Site<'_>,
    file: &str,
    viewport: Viewport,
) -> Result<Vec<Medium>> {
    let mut media = Vec::new();
    for node in document.select(MEDIA).nodes() {
        let Some(src) = source(node, site, viewport).filter(|_| node.has_attr("data-hf-render-id"))
        else {
            continue;
        };
        let kind = match node.node_name().as_deref() {
            Some("video") => Kind::Video,
            Some("audio") => Kind::Audio,
            _ => Kind::Gif,
        };
        if is_hidden(node) || (kind == Kind::Gif && src.starts_with("data:")) {
            continue;
        }
        let says_sound = node.attr("data-has-audio").is_none_or(|value| &*value != "false");
        let file_on_disk = match locate(site, &src, node, file) {
            // A picture that is not there is missed when the page asks for it.
            Err(_) if kind == Kind::Gif => continue,
            found => found?,
        };
        let gif = match kind {
            Kind::Gif => gif::animated(
                &std::fs::read(&file_on_disk).map_err(Error::io("read", &file_on_disk))?,
            ),
            Kind::Video | Kind::Audio => None,
        };
        if kind == Kind::Gif && gif.is_none() {
            continue;
        }
        let is_heard =
            !node.has_attr("muted") && (kind == Kind::Audio || (kind == Kind::Video && says_sound));
        let group = group::of(document, node).filter(|_| is_heard);
        let medium = Medium {
            kind,
            id: node.attr("data-hf-render-id").unwrap_or_default().to_string(),
            element: format!("{file}: {}", describe(node)),
            file: file_on_disk,
            src,
            audible: is_heard && !group.is_some_and(|group| group.has_attr("data-hidden")),
            gain: gain(node) * group.as_ref().map_or(1.0, gain),
            fades: Fades::of(node),
            repeat: repeat(node, gif),
        };
        group::refuse_effects(document, node, group, medium.audible, file)?;
        media.push(medium);
    }
    Ok(media)
}

/// Where each of `media` plays on the timeline of `total` seconds; those that are never on are left out.
pub fn clips<'a>(
    document: &'a Document,
    media: &[Medium],
    times: &Times<'a>,
    total: f64,
) -> Result<Vec<(Medium, Clip)>> {
    let mut clips = Vec::new();
    for medium in media {
        let Some(node) = element(document, &medium.id) else { continue };
        // A picture has no times of its own, but those of what it is in.
        let node = match medium.kind {
            Kind::Gif => timed(&node),
            Kind::Video | Kind::Audio => node,
        };
        let (placed, local) = (times.mapping(&node)?, times.start(&node)?);
        let window = times.window(&node, total)?;
        if window.end <= window.start {
            continue;
        }
        let repeat = medium.repeat;
        let rate = rate(&node) * placed.rate;
        let start = placed.absolute(local);
        let (start, media_start) = match repeat {
            // What a scene cuts off at the front is never shown; a loop keeps its phase.
            Repeat::Once if window.start > start => {
                (window.start, in_point(&node) + (window.start - start) * rate)
            }
            _ => (start, in_point(&node)),
        };
        let clip = Clip {
            id: medium.id.clone(),
            element: medium.element.clone(),
            src: medium.src.clone(),
            file: medium.file.clone(),
            start,
            from: window.start,
            end: window.end,
            media_start,
            rate,
            repeat,
        };
        clips.push((medium.clone(), clip));
    }
    Ok(clips)
}

/// How the sound of `medium` comes and goes, by its own slot on the timeline.
pub fn fade<'a>(document: &'a Document, medium: &Medium, times: &Times<'a>) -> Result<Volume> {
    let Some(node) = element(document, &medium.id) else { return Ok(Volume::Constant(1.0)) };
    let (placed, local) = (times.mapping(&node)?, times.start(&node)?);
    let start = placed.absolute(local);
    let lasts = times.duration(&node, local).map(|lasts| lasts / placed.rate);
    Ok(medium.fades.factors(start, lasts))
}

/// The media element with the render id `id`.
pub fn element<'a>(document: &'a Document, id: &str) -> Option<NodeRef<'a>> {
    let all = document.select(MEDIA);
    all.nodes().iter().copied().find(|node| node.attr("data-hf-render-id").as_deref() == Some(id))
}

/// The element itself or the nearest one around it that starts at a time.
fn timed<'a>(node: &NodeRef<'a>) -> NodeRef<'a> {
    let around = node.ancestors_it(None).find(|above| above.has_attr("data-start"));
    if node.has_attr("data-start") { *node } else { around.unwrap_or(*node) }
}

/// What follows the end of an element's source.
fn repeat(node: &NodeRef<'_>, gif: Option<Animated>) -> Repeat {
    let repeats = match gif {
        Some(Animated { repeats }) => match node.attr("data-loop").as_deref() {
            Some("false") => false,
            Some(_) => true,
            None => repeats,
        },
        None => node.has_attr("loop"),
    };
    if repeats { Repeat::Loop } else { Repeat::Once }
}

/// The address of an element's source, chosen as Chrome does: its own, or that of the first `source` whose type it plays, whose
/// media query holds and whose file is there. What it plays not, FFmpeg may: where none is left, the first is taken.
fn source(node: &NodeRef<'_>, site: Site<'_>, viewport: Viewport) -> Option<String> {
    let address = |node: &NodeRef<'_>| {
        let src = node.attr("src").map(|src| src.trim().to_owned());
        src.filter(|src| !src.is_empty())
    };
    if let Some(own) = address(node) {
        return Some(own);
    }
    let children = node.children();
    let offered: Vec<_> = children
        .iter()
        .filter(|child| child.has_name("source"))
        .filter_map(|child| Some((*child, address(child)?)))
        .collect();
    let is_chosen = |(child, src): &&(NodeRef<'_>, String)| {
        playable::is_playable(&child.attr("type").unwrap_or_default())
            && query::holds(&child.attr("media").unwrap_or_default(), viewport)
            && site.file(src).is_some_and(|file| file.is_file())
    };
    let chosen = offered.iter().find(is_chosen).or(offered.first());
    chosen.map(|(_, src)| src.clone())
}

/// The file that `src` names.
fn locate(site: Site<'_>, src: &str, node: &NodeRef<'_>, file: &str) -> Result<PathBuf> {
    let refuse = |reason: String| Error::MediaUnusable {
        element: format!("{file}: {}", describe(node)),
        reason,
    };
    if has_scheme(src) || src.starts_with("//") {
        let scheme = src.split(':').next().unwrap_or_default();
        return Err(refuse(format!(
            "a {scheme}: address cannot be rendered; put the file into the project"
        )));
    }
    let inside = site.resolve(src).unwrap_or_else(|| src.to_owned());
    site.file(src)
        .filter(|found| found.is_file())
        .ok_or_else(|| refuse(format!("{inside} is not in the project")))
}

fn is_hidden(node: &NodeRef<'_>) -> bool {
    node.has_attr("data-hidden")
        || node.ancestors_it(None).any(|above| above.has_attr("data-hidden"))
}

fn gain(node: &NodeRef<'_>) -> f64 {
    node.attr("data-volume")
        .and_then(|text| js_number(&text))
        .map_or(1.0, |gain| gain.clamp(0.0, MAX_GAIN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::html::parse;

    #[test]
    fn a_medium_without_a_start_starts_with_what_it_is_in() {
        let document = parse(
            "<div data-composition-id=r data-start=0><video src=a.mp4></video><div data-start='intro + 1'><p><audio src=b.mp3></audio></p></div>\
             <div data-start=3><div data-composition-id=s data-start=1><video src=c.mp4></video></div></div></div>",
        );
        mark(&document);
        let starts: Vec<_> = document
            .select("video, audio")
            .nodes()
            .iter()
            .map(|node| node.attr("data-start").unwrap_or_default().to_string())
            .collect();
        assert_eq!(starts, ["0", "intro + 1", "0"]);
    }

    #[test]
    fn the_source_of_an_element_is_the_one_that_chrome_plays() {
        let project = tempfile::tempdir().unwrap();
        for name in ["a.mov", "b.webm", "c.mp4"] {
            std::fs::write(project.path().join(name), "x").unwrap();
        }
        let site = Site { root: project.path(), folder: "" };
        let viewport = Viewport { width: 320, height: 180, scale: 1 };
        for (html, expected) in [
            ("<video src=a.mov><source src=b.webm></video>", Some("a.mov")),
            (
                "<video><source src=a.mov type='video/quicktime'><source src=b.webm type=video/webm></video>",
                Some("b.webm"),
            ),
            (
                "<video><source src=c.mp4 media='(min-width: 900px)'><source src=b.webm></video>",
                Some("b.webm"),
            ),
            (
                "<video><source src=c.mp4 media='(orientation: landscape)'><source src=b.webm></video>",
                Some("c.mp4"),
            ),
            ("<video><source src=absent.webm><source src=c.mp4></video>", Some("c.mp4")),
            ("<video><source src=' '><source src=c.mp4></video>", Some("c.mp4")),
            ("<video><source src=a.mov type=video/quicktime></video>", Some("a.mov")),
            ("<video><source></video>", None),
        ] {
            let document = parse(html);
            let video = document.select_single("video").nodes()[0];
            assert_eq!(source(&video, site, viewport).as_deref(), expected, "{html}");
        }
    }

    #[test]
    fn every_media_element_gets_a_name_of_its_own() {
        let document = parse(
            "<body><video id=v src=a.mp4 preload=none crossorigin></video><video id=v src=a.mp4 muted data-start=2></video>\
             <audio src=b.mp3></audio><audio src=c.mp3></audio><video id=v__hf2></video></body>",
        );
        mark(&document);
        let ids: Vec<_> = document
            .select("video, audio")
            .nodes()
            .iter()
            .map(|node| node.attr("data-hf-render-id").unwrap_or_default().to_string())
            .collect();
        let unique: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), 5, "{ids:?}");
        assert_eq!(
            (ids[0].as_str(), ids[2].as_str(), ids[3].as_str()),
            ("v", "hf-audio-0", "hf-audio-1")
        );
        let first = document.select_single("video");
        assert!(!first.has_attr("preload") && !first.has_attr("crossorigin"));
        assert_eq!(
            (&*first.attr("data-start").unwrap(), &*first.attr("data-has-audio").unwrap()),
            ("0", "true")
        );
        let html = crate::document::html::serialize(&document);
        let again = parse(&html);
        mark(&again);
        assert_eq!(crate::document::html::serialize(&again), html, "marking twice changes nothing");
    }
}
