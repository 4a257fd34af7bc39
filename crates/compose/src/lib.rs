//! The composition: an author's HTML in, the HTML that is served out, with what can be known without a browser.
//!
//! ```text
//!   compile  gather                        use cases: the HTML of a plan, and the files and fonts beside it
//!     ↓        ↓
//!   fonts  media  scenes  timing  remote   domain: fonts, media, nested compositions, times, files of other hosts
//!   lint                                   what is wrong with the files as they are written
//!     ↓        ↓
//!   document  net                          the HTML tree, and requests to other hosts
//!     ↓
//!   css  javascript  site  tree  hash      languages and files, one reader for each
//!     ↓
//!   geometry  error                        ground: know nothing of the above
//! ```
//!
//! Nothing here starts a process or knows a browser, FFmpeg or AWS; only `net` reaches other hosts. `scripts/check-layers.py` checks
//! that imports go down only.

mod css;
pub mod document;
mod error;
pub mod fonts;
pub mod gather;
pub mod geometry;
pub mod hash;
mod javascript;
pub mod lint;
pub mod media;
pub mod net;
mod remote;
mod scenes;
pub mod site;
pub mod timing;
pub mod tree;

use std::path::Path;

use dom_query::{Document, NodeRef};
use serde_json::{Map, Value};

use crate::document::base::{self, DocumentBase};
use crate::document::csp;
use crate::document::inject::{inject, is_document};
use crate::document::root::find_root;
use crate::document::variables::{self, Force, Problem};
use crate::geometry::Viewport;

pub use error::{Error, Result};
pub use timing::js_number;

/// Size of a root element that does not say its own.
const DEFAULT_WIDTH: u32 = 1080;
const DEFAULT_HEIGHT: u32 = 1920;

/// Text is spaced as in a full Chrome; without it the headless one rounds every advance and lines wrap elsewhere.
const TEXT_RULE: &str = "<style>html,body,*{text-rendering:geometricPrecision}</style>";

/// What surrounds a fragment: a page of its own.
const FRAGMENT_HEAD: &str = "<!doctype html><html><head><meta charset=\"utf-8\"><style>*{margin:0;padding:0;box-sizing:border-box}\
    body{overflow:hidden;background:#000;font-family:Inter,sans-serif}</style></head><body>";

/// A composition that can be served.
#[derive(Debug, Clone, PartialEq)]
pub struct Compiled {
    pub html: String,
    /// The folder of the project that relative addresses are meant from; empty at the root.
    pub folder: String,
    pub viewport: Viewport,
    /// Seconds, where the root says it; otherwise the page has to be asked.
    pub duration: Option<f64>,
    /// Frames a second, as the root says it.
    pub frame_rate: Option<String>,
    pub image_count: u32,
    pub warnings: Vec<String>,
}

/// What a render sets in a composition.
#[derive(Debug, Clone, Copy)]
pub struct Overrides<'a> {
    pub variables: Option<&'a Map<String, Value>>,
    pub check: VariableCheck,
}

/// Whether what a render sets must be what the composition declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VariableCheck {
    Strict,
    Loose,
}

/// Compiles the HTML of `file`, a path inside the project in the directory `project`, with every nested composition in it.
pub fn compile(html: &str, file: &str, project: &Path, given: Overrides<'_>) -> Result<Compiled> {
    let mut warnings = lint::warnings(project, file);
    let entry = scenes::entry::isolate(html, file, project)?;
    // A scene that is rendered alone is in a document around it.
    let (html, file) = match &entry {
        Some(around) => (around.as_str(), "index.html"),
        None => (html, file),
    };
    let full = if is_document(html) {
        html.to_owned()
    } else {
        format!("{FRAGMENT_HEAD}{html}</body></html>")
    };
    let document = document::html::parse(&full);
    if document.body().is_none() {
        return Err(Error::Composition {
            file: file.to_owned(),
            element: "the document".to_owned(),
            reason: "has no body".to_owned(),
        });
    }
    let untouched = document::html::serialize(&document::html::parse(&full));
    let given = if entry.is_some() { give_to_scene(&document, project, given)? } else { given };
    set_variables(&document, file, given, &mut warnings)?;
    csp::allow_ours(&document);
    let base = base::stated(&document, file);
    let is_at_root = base.is_none() && !file.contains('/');
    let address_root = if is_at_root { "" } else { "/" };
    warnings.extend(scenes::inline(&document, project, file, address_root)?);
    media::mark(&document);
    let root = root(&document, file)?;
    let viewport = Viewport {
        width: side(&root, "data-width", DEFAULT_WIDTH, file)?,
        height: side(&root, "data-height", DEFAULT_HEIGHT, file)?,
        scale: 1,
    };
    timing::resolve::Times::of(&document, &timing::resolve::KnownDurations::default(), file)
        .check()?;
    let seconds =
        |name| root.attr(name).and_then(|value| js_number(&value)).filter(|value| *value > 0.0);
    let duration = seconds("data-duration").or_else(|| seconds("data-composition-duration"));
    warnings.extend(timing::start::warnings(&document));
    let frame_rate = stated_rate(&root);
    let image_count = u32::try_from(document.select("img[src]").length()).unwrap_or(u32::MAX);
    let folder = base::folder(&document, file);
    let head_start = head_start(&document, base.as_ref(), file);
    // What is not changed keeps its author's bytes and line numbers.
    let changed = document::html::serialize(&document);
    let html = if changed == untouched { full } else { changed };
    let html = inject(&html, &head_start, "", "");
    Ok(Compiled { html, folder, viewport, duration, frame_rate, image_count, warnings })
}

/// A scene that is rendered alone takes what the render sets as if its host had given it.
fn give_to_scene<'a>(
    document: &Document,
    project: &Path,
    given: Overrides<'a>,
) -> Result<Overrides<'a>> {
    let hosts = document.select_single("[data-root=\"true\"][data-composition-src]");
    if let (Some(host), Some(overrides)) = (hosts.nodes().first(), given.variables) {
        let src = scenes::preflight::source(host).unwrap_or_default();
        if given.check == VariableCheck::Strict {
            variables::check(&scenes::scene::declared_variables(project, &src)?, overrides)?;
        }
        let text = host.attr("data-variable-values").unwrap_or_default();
        // What a host gives wrongly counts as nothing, and is warned of when the scene is mounted.
        let mut values: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
        values.extend(overrides.clone());
        host.set_attr("data-variable-values", &Value::Object(values).to_string());
    }
    Ok(Overrides { check: VariableCheck::Loose, ..given })
}

/// Puts the document's own variables where scripts, styles and elements ask for them.
fn set_variables(
    document: &Document,
    file: &str,
    given: Overrides<'_>,
    warnings: &mut Vec<String>,
) -> Result<()> {
    let mut carriers = vec![document.html_root()];
    carriers.extend(document.select_single("[data-composition-id]").nodes().first());
    let (declared, mut problems) = variables::declared(&carriers);
    let nothing = Map::new();
    let overrides = given.variables.unwrap_or(&nothing);
    let bound = variables::bound_elements(document, None);
    problems.extend(variables::unbound(&bound, &declared, overrides));
    if given.check == VariableCheck::Strict {
        variables::check(&declared, overrides)?;
        if let Some(Problem { element, reason }) = problems.into_iter().next() {
            return Err(Error::Composition { file: file.to_owned(), element, reason });
        }
    } else {
        warnings.extend(variables::undeclared(&declared, overrides));
        let told = |Problem { element, reason }: Problem| format!("{file}: {element}: {reason}");
        warnings.extend(problems.into_iter().map(told));
    }
    let values = variables::values(&declared, overrides);
    variables::bind(&bound, &values);
    let defaults = variables::values(&declared, &nothing);
    let absent = variables::custom_properties("html", &defaults, Force::WhereAbsent);
    let forced = variables::custom_properties(
        "html,body,body>[data-composition-id]",
        overrides,
        Force::Always,
    );
    let head = document.head().expect("a parsed document has a head");
    if !absent.is_empty() {
        head.prepend_html(format!("<style>{absent}</style>"));
    }
    if !forced.is_empty() {
        head.append_html(format!("<style>{forced}</style>"));
    }
    Ok(())
}

fn head_start(document: &Document, base: Option<&DocumentBase>, file: &str) -> String {
    // An entry in a folder refers to its neighbours, but is served as the root's index.html.
    let own = match (file.rsplit_once('/'), base) {
        (Some((folder, _)), None) => format!("<base href=\"/{folder}/\">"),
        (Some(_), Some(DocumentBase::Folder(folder))) => {
            let node = document.select_single("base[href]");
            node.set_attr("href", &format!("/{}/", base::encoded(folder)).replace("//", "/"));
            String::new()
        }
        _ => String::new(),
    };
    own + TEXT_RULE
}

/// Frames a second, as the root of the composition in `html` says it.
pub fn frame_rate(html: &str) -> Option<String> {
    let document = scenes::scene::content(html);
    find_root(&document).and_then(|root| stated_rate(&root))
}

fn stated_rate(root: &NodeRef<'_>) -> Option<String> {
    let rate = root.attr("data-fps").map(|rate| rate.trim().to_owned());
    rate.filter(|rate| !rate.is_empty())
}

fn root<'a>(document: &'a Document, file: &str) -> Result<NodeRef<'a>> {
    find_root(document).ok_or_else(|| Error::Composition {
        file: file.to_owned(),
        element: "the document".to_owned(),
        reason: "has no element with data-composition-id, so there is nothing to render".to_owned(),
    })
}

fn side(root: &NodeRef<'_>, name: &str, default: u32, file: &str) -> Result<u32> {
    let Some(value) = root.attr(name) else { return Ok(default) };
    let digits: String = value.trim().chars().take_while(char::is_ascii_digit).collect();
    let reason = match digits.parse::<u32>() {
        Ok(pixels) if !(16..=7680).contains(&pixels) => "must be from 16 to 7680 pixels",
        Ok(pixels) => return Ok(pixels),
        Err(_) => "must be a whole number of pixels",
    };
    Err(Error::Composition {
        file: file.to_owned(),
        element: document::html::describe(root),
        reason: format!("{name}=\"{value}\" {reason}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(html: &str, file: &str) -> Result<Compiled> {
        let project = tempfile::tempdir().unwrap();
        super::compile(
            html,
            file,
            project.path(),
            Overrides { variables: None, check: VariableCheck::Loose },
        )
    }

    fn compile_root(attributes: &str) -> Result<Compiled> {
        compile(
            &format!(
                "<!doctype html><body><div id=\"r\" data-composition-id=\"c\" {attributes}></div>"
            ),
            "index.html",
        )
    }

    #[test]
    fn a_root_without_sizes_is_a_portrait_page_and_its_duration_has_to_be_asked_for() {
        let compiled = compile_root("").unwrap();
        assert_eq!(compiled.viewport, Viewport { width: 1080, height: 1920, scale: 1 });
        assert_eq!(compiled.duration, None);
    }

    #[test]
    fn a_duration_counts_when_it_is_a_positive_number() {
        for (attributes, expected) in [
            ("data-duration=2.5", Some(2.5)),
            ("data-duration=' 1e1 '", Some(10.0)),
            ("data-duration=0x10", Some(16.0)),
            ("data-duration=5s", None),
            ("data-duration=0", None),
            ("data-duration=-1", None),
            ("data-duration=Infinity", None),
            ("data-composition-duration=3", Some(3.0)),
            ("data-duration=0 data-composition-duration=3", Some(3.0)),
        ] {
            assert_eq!(compile_root(attributes).unwrap().duration, expected, "{attributes}");
        }
    }

    #[test]
    fn a_size_that_is_none_is_refused_with_its_element() {
        for value in ["abc", "", "15", "7682", "-2", "NaN"] {
            let error = compile_root(&format!("data-width=\"{value}\"")).unwrap_err().to_string();
            assert!(
                error.starts_with(
                    "index.html: <div id=\"r\" data-composition-id=\"c\">: data-width="
                ),
                "{error}"
            );
        }
        assert_eq!(compile_root("data-width=1920px").unwrap().viewport.width, 1920);
        assert_eq!(compile_root("data-width=1081").unwrap().viewport.width, 1081);
    }

    #[test]
    fn the_marked_root_wins_over_the_first() {
        let html = "<!doctype html><div data-composition-id=a data-duration=1></div>\
                    <div data-composition-id=b data-root=true data-duration=2></div>";
        assert_eq!(compile(html, "index.html").unwrap().duration, Some(2.0));
    }

    #[test]
    fn the_root_may_say_a_frame_rate() {
        for (attributes, expected) in
            [("data-fps=' 25 '", Some("25")), ("data-fps=''", None), ("", None)]
        {
            let found = compile_root(attributes).unwrap().frame_rate;
            assert_eq!(found.as_deref(), expected, "{attributes}");
        }
        let scene = "<template><div data-composition-id=s data-fps=12></div></template>";
        assert_eq!(frame_rate(scene).as_deref(), Some("12"));
    }

    #[test]
    fn an_html_without_composition_is_refused() {
        let error = compile("<!doctype html><p>hello", "index.html").unwrap_err().to_string();
        assert!(error.contains("no element with data-composition-id"), "{error}");
    }

    #[test]
    fn a_document_keeps_its_bytes_and_a_fragment_becomes_one() {
        let html = "<html><head></head><body><div data-composition-id=a data-duration=1>&nbsp;é</div></body></html>";
        let compiled = compile(html, "index.html").unwrap().html;
        assert_eq!(compiled.replace(TEXT_RULE, ""), html);
        let fragment = compile("<div data-composition-id=a data-duration=1></div>", "index.html")
            .unwrap()
            .html;
        assert!(
            fragment.starts_with("<!doctype html>") && fragment.contains("box-sizing"),
            "{fragment}"
        );
    }

    #[test]
    fn an_entry_in_a_folder_keeps_its_neighbours() {
        let html = "<!doctype html><html><head></head><body><div data-composition-id=a data-duration=1></div></body></html>";
        assert!(
            compile(html, "scenes/one.html").unwrap().html.contains("<base href=\"/scenes/\">")
        );
    }

    #[test]
    fn a_scene_that_is_not_there_is_refused_by_name() {
        let html = "<!doctype html><div data-composition-id=a data-duration=1><div data-composition-src=b.html></div></div>";
        let error = compile(html, "index.html").unwrap_err().to_string();
        assert!(error.contains("b.html does not exist"), "{error}");
    }
}
