//! When the elements of a whole document are on: starts, durations and windows on the composition's own timeline.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use dom_query::{Document, NodeId, NodeRef};

use crate::error::{Error, Result};
use crate::html::describe;
use crate::js_number;
use crate::timing::{Start, parse_start};

/// Durations in seconds that no attribute says: of sources by render id, of timelines by composition id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    pub sources: BTreeMap<String, f64>,
    pub timelines: BTreeMap<String, f64>,
}

/// Attributes by whose value a reference finds an element.
const NAMES: [&str; 4] =
    ["id", "data-hf-authored-id", "data-composition-id", "data-hf-original-composition-id"];

/// A longer chain of references is taken for one without end.
const MAX_CHAIN: usize = 2000;

/// A stretch of the composition's timeline; without an end where nothing known ends it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    pub start: f64,
    pub end: f64,
}

/// Reads times off a document.
#[expect(missing_debug_implementations, reason = "a document has none")]
pub struct Times<'a> {
    document: &'a Document,
    known: &'a Known,
    file: &'a str,
    /// The element that is the whole composition.
    root: Option<NodeId>,
    /// Elements by each name that a reference may use.
    named: BTreeMap<String, Vec<NodeRef<'a>>>,
    /// Starts that were found already.
    starts: RefCell<HashMap<NodeId, f64>>,
}

/// How time in one composition lies on the whole timeline: absolute = start + (local − in-point) / rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    pub start: f64,
    pub in_point: f64,
    pub rate: f64,
}

impl Placed {
    const WHOLE: Self = Self { start: 0.0, in_point: 0.0, rate: 1.0 };

    pub fn absolute(self, local: f64) -> f64 {
        self.start + (local - self.in_point) / self.rate
    }
}

impl<'a> Times<'a> {
    /// `file` is what errors call the document.
    pub fn of(document: &'a Document, known: &'a Known, file: &'a str) -> Self {
        let mut named: BTreeMap<String, Vec<NodeRef<'a>>> = BTreeMap::new();
        for node in document.select(&NAMES.map(|name| format!("[{name}]")).join(",")).nodes() {
            let said = NAMES.iter().filter_map(|name| node.attr(name));
            for value in said.map(|value| value.to_string()).collect::<BTreeSet<String>>() {
                named.entry(value).or_default().push(*node);
            }
        }
        let root = super::find_root(document).map(|root| root.id);
        Self { document, known, file, root, named, starts: RefCell::default() }
    }

    /// The start of every timed element can be found without going in a circle.
    pub fn check(&self) -> Result<()> {
        for node in self.document.select("[data-start]").nodes() {
            self.start(node)?;
        }
        Ok(())
    }

    /// The composition that `node` is in, if that is not the whole document's, whose time is the timeline's.
    pub fn composition(&self, node: &NodeRef<'a>) -> Option<NodeRef<'a>> {
        let above = node.ancestors_it(None).find(|above| above.has_attr("data-composition-id"))?;
        (Some(above.id) != self.root).then_some(above)
    }

    /// Whether `node` is a composition that is not the whole document's.
    pub fn is_nested(&self, node: &NodeRef<'a>) -> bool {
        node.has_attr("data-composition-id") && Some(node.id) != self.root
    }

    /// How the time that `node`'s own start is written in lies on the whole timeline.
    pub fn placed(&self, node: &NodeRef<'a>) -> Result<Placed> {
        let Some(host) = self.composition(node) else { return Ok(Placed::WHOLE) };
        self.placed_in(&host)
    }

    /// The same of what is in the composition `host`.
    pub fn placed_in(&self, host: &NodeRef<'a>) -> Result<Placed> {
        let outer = self.placed(host)?;
        let start = outer.absolute(self.start(host)?);
        Ok(Placed { start, in_point: in_point(host), rate: outer.rate * rate(host) })
    }

    /// The start of `node` in the time of its composition.
    pub fn start(&self, node: &NodeRef<'a>) -> Result<f64> {
        self.start_asked(node, &mut Vec::new())
    }

    fn start_asked(&self, node: &NodeRef<'a>, asked: &mut Vec<NodeId>) -> Result<f64> {
        let found = self.starts.borrow().get(&node.id).copied();
        if let Some(found) = found {
            return Ok(found);
        }
        let start = self.find_start(node, asked)?;
        self.starts.borrow_mut().insert(node.id, start);
        Ok(start)
    }

    fn find_start(&self, node: &NodeRef<'a>, asked: &mut Vec<NodeId>) -> Result<f64> {
        let Some(text) = node.attr("data-start") else { return Ok(0.0) };
        match parse_start(&text) {
            Start::At(seconds) => Ok(seconds),
            Start::Invalid => Ok(0.0),
            Start::After { target, offset } => {
                if asked.contains(&node.id) || asked.len() > MAX_CHAIN {
                    return Err(Error::Composition {
                        file: self.file.to_owned(),
                        element: describe(node),
                        reason: format!(
                            "data-start=\"{text}\" goes in a circle: it comes back to this element"
                        ),
                    });
                }
                let Some(found) = self.target(node, &target) else { return Ok(0.0) };
                asked.push(node.id);
                let start = self.start_asked(&found, asked)?;
                let end = start + self.duration(&found, start).unwrap_or(0.0);
                asked.pop();
                Ok((end + offset).max(0.0))
            }
        }
    }

    /// The start of `node` where attributes and known sources say it all; `None` where it depends on what only the page knows.
    pub fn settled_start(&self, node: &NodeRef<'a>, depth: usize) -> Option<f64> {
        match parse_start(&node.attr("data-start")?) {
            Start::At(seconds) => Some(seconds),
            Start::Invalid => None,
            Start::After { .. } if depth > MAX_CHAIN => None,
            Start::After { target, offset } => {
                let found = self.target(node, &target)?;
                let has_start = found.has_attr("data-start");
                let start = if has_start { self.settled_start(&found, depth + 1)? } else { 0.0 };
                Some((start + self.duration(&found, start)? + offset).max(0.0))
            }
        }
    }

    /// What a reference names: in the same composition if it is there, else anywhere.
    fn target(&self, node: &NodeRef<'a>, name: &str) -> Option<NodeRef<'a>> {
        let found = self.named.get(name)?;
        let own = self.composition(node).map(|own| own.id);
        let is_near = |other: &&NodeRef<'a>| self.composition(other).map(|its| its.id) == own;
        found.iter().find(is_near).or_else(|| found.first()).copied()
    }

    /// How long `node` lasts from `start`, in the time of its composition.
    pub fn duration(&self, node: &NodeRef<'a>, start: f64) -> Option<f64> {
        let number = |name: &str| node.attr(name).and_then(|text| js_number(&text));
        let positive = |value: &f64| *value > 0.0;
        let authored = number("data-duration")
            .or_else(|| number("data-hf-authored-duration"))
            .filter(positive);
        let by_end = || number("data-end").map(|end| end - start).filter(positive);
        let by_source = || {
            let id = node.attr("data-hf-render-id")?;
            let source = self.known.sources.get(&*id)?;
            let is_endless = node.has_attr("loop");
            (!is_endless && !node.has_name("img"))
                .then(|| ((source - in_point(node)) / rate(node)).max(0.0))
        };
        let by_timeline = || {
            let id = node.attr("data-composition-id")?;
            let timeline = self.known.timelines.get(&*id)?;
            Some(((timeline - in_point(node)) / rate(node)).max(0.0)).filter(positive)
        };
        authored.or_else(by_end).or_else(by_source).or_else(by_timeline)
    }

    /// The part of the whole timeline that `node` is on in: its own, within that of every composition around it.
    pub fn window(&self, node: &NodeRef<'a>, total: f64) -> Result<Window> {
        let mut window = self.own_window(node)?;
        let mut inner = *node;
        while let Some(host) = self.composition(&inner) {
            let its = self.own_window(&host)?;
            window = Window { start: window.start.max(its.start), end: window.end.min(its.end) };
            inner = host;
        }
        Ok(Window { start: window.start.max(0.0), end: window.end.min(total) })
    }

    fn own_window(&self, node: &NodeRef<'a>) -> Result<Window> {
        let placed = self.placed(node)?;
        let local = self.start(node)?;
        let start = placed.absolute(local);
        let lasts = self.duration(node, local);
        Ok(Window { start, end: lasts.map_or(f64::INFINITY, |lasts| start + lasts / placed.rate) })
    }
}

/// The moment of a source or child timeline that its start shows.
pub fn in_point(node: &NodeRef<'_>) -> f64 {
    let number = |name: &str| node.attr(name).and_then(|text| js_number(&text));
    number("data-playback-start").or_else(|| number("data-media-start")).unwrap_or(0.0).max(0.0)
}

/// Seconds of a source or child timeline a second.
pub fn rate(node: &NodeRef<'_>) -> f64 {
    let rate = node.attr("data-playback-rate").and_then(|text| js_number(&text));
    rate.filter(|rate| *rate > 0.0).map_or(1.0, |rate| rate.clamp(0.1, 10.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::parse;

    fn window(html: &str, known: &Known) -> Result<Window> {
        let document = parse(html);
        let times = Times::of(&document, known, "index.html");
        let node = document.select_single("#x");
        times.window(&node.nodes()[0], 100.0)
    }

    #[test]
    fn a_window_is_on_the_whole_timeline_and_within_every_scene_around_it() {
        let known = Known {
            sources: [("m".to_owned(), 8.0)].into(),
            timelines: [("t".to_owned(), 4.0)].into(),
        };
        let root =
            |inner: &str| format!("<div data-composition-id=root data-duration=100>{inner}</div>");
        for (inner, start, end) in [
            ("<p id=x data-start=2 data-duration=3></p>", 2.0, 5.0),
            ("<p id=x data-start=2 data-end=3.5></p>", 2.0, 3.5),
            ("<p id=x data-start=2></p>", 2.0, 100.0),
            ("<p id=x data-start=-1 data-duration=3></p>", 0.0, 3.0),
            (
                "<p id=a data-start=1 data-duration=2></p><p id=x data-start='a + 0.5' data-duration=1></p>",
                3.5,
                4.5,
            ),
            ("<p id=x data-start='nobody' data-duration=1></p>", 0.0, 1.0),
            (
                "<video id=x data-hf-render-id=m data-start=1 data-media-start=2 data-playback-rate=2></video>",
                1.0,
                4.0,
            ),
            ("<video id=x data-hf-render-id=m data-start=1 loop></video>", 1.0, 100.0),
            (
                "<div data-composition-id=s data-start=10 data-duration=5><p id=x data-start=2 data-duration=9></p></div>",
                12.0,
                15.0,
            ),
            (
                "<div data-composition-id=s data-start=10 data-playback-start=1 data-playback-rate=2><p id=x data-start=2 data-duration=4></p></div>",
                10.5,
                12.5,
            ),
            (
                "<div data-composition-id=t data-start=10><p id=x data-start=1></p></div>",
                11.0,
                14.0,
            ),
            (
                "<div data-composition-id=s data-start=10><div data-composition-id=u data-start=1 data-duration=3><p id=x data-start=1></p></div></div>",
                12.0,
                14.0,
            ),
            (
                "<div data-composition-id=t data-start=1></div><p id=x data-start=t data-duration=1></p>",
                5.0,
                6.0,
            ),
        ] {
            let found = window(&root(inner), &known).unwrap();
            assert_eq!(found, Window { start, end }, "{inner}");
        }
        let beside = "<div data-composition-id=root data-duration=9></div>\
            <div data-composition-id=b data-start=1 data-duration=2><p id=x data-start=0.5></p></div>";
        assert_eq!(window(beside, &known).unwrap(), Window { start: 1.5, end: 3.0 });
    }

    #[test]
    fn a_start_is_settled_where_all_it_depends_on_is_written() {
        let html = "<div data-composition-id=r><p id=a data-start=1 data-duration=2></p><p id=b data-start='a + 1' data-duration=1></p>\
            <p id=x data-start=b></p><p id=open data-start=0></p><p id=y data-start=open></p><p id=z data-start=nobody></p></div>";
        let document = parse(html);
        let known = Known::default();
        let times = Times::of(&document, &known, "index.html");
        for (id, expected) in
            [("a", Some(1.0)), ("b", Some(4.0)), ("x", Some(5.0)), ("y", None), ("z", None)]
        {
            let node = document.select_single(&format!("#{id}")).nodes()[0];
            assert_eq!(times.settled_start(&node, 0), expected, "{id}");
        }
    }

    #[test]
    fn a_long_chain_of_starts_is_found_once() {
        let mut html =
            String::from("<div data-composition-id=r><p id=c0 data-start=0 data-duration=1></p>");
        for i in 1..1500 {
            html.push_str(
                &[
                    "<p id=c",
                    &i.to_string(),
                    " data-duration=1 data-start=c",
                    &(i - 1).to_string(),
                    "></p>",
                ]
                .concat(),
            );
        }
        let document = parse(&html);
        let known = Known::default();
        let times = Times::of(&document, &known, "index.html");
        times.check().unwrap();
        let last = document.select_single("#c1499");
        assert!((times.start(&last.nodes()[0]).unwrap() - 1499.0).abs() < 1e-9);
    }

    #[test]
    fn a_start_that_comes_back_to_itself_is_refused_by_name() {
        let html = "<div data-composition-id=r><p id=a data-start=x></p><p id=x data-start='a + 1'></p></div>";
        let document = parse(html);
        let known = Known::default();
        let error = Times::of(&document, &known, "index.html").check().unwrap_err().to_string();
        assert!(error.contains("<p id=\"a\">") && error.contains("circle"), "{error}");
    }
}
