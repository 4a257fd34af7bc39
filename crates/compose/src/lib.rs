//! The composition: an author's HTML in, the HTML that is served out, with what can be known without a browser.

pub mod assets;
pub mod clip;
mod css;
mod entry;
mod error;
pub mod fonts;
pub mod gather;
pub mod geometry;
mod gif;
pub mod hash;
pub mod html;
pub mod inject;
pub mod media;
mod nested;
pub mod net;
mod number;
mod remote;
mod stylesheet;
pub mod times;
mod timing;
pub mod tree;
mod variables;

use std::path::Path;

use dom_query::{Document, NodeRef};
use serde_json::{Map, Value};

use crate::geometry::Viewport;
use crate::inject::{inject, is_document};
use crate::variables::Force;

pub use error::{Error, Result};
pub use number::js_number;

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
    pub image_count: u32,
    pub warnings: Vec<String>,
}

/// What a render sets in a composition.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    pub variables: Option<&'a Map<String, Value>>,
    pub check: Check,
}

/// Whether what a render sets must be what the composition declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Strict,
    Loose,
}

/// Compiles the HTML of `file`, a path inside the project in the directory `project`, with every nested composition in it.
pub fn compile(html: &str, file: &str, project: &Path, given: Given<'_>) -> Result<Compiled> {
    let entry = entry::isolate(html, file, project)?;
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
    let document = html::parse(&full);
    if document.body().is_none() {
        return Err(Error::Composition {
            file: file.to_owned(),
            element: "the document".to_owned(),
            reason: "has no body".to_owned(),
        });
    }
    let untouched = html::serialize(&html::parse(&full));
    let is_in_folder = file.contains('/');
    let mut warnings = Vec::new();
    let given = if entry.is_some() { give_to_scene(&document, project, given)? } else { given };
    set_variables(&document, file, given, &mut warnings)?;
    let address_root = if is_in_folder { "/" } else { "" };
    warnings.extend(nested::inline(&document, project, file, address_root)?.warnings);
    media::mark(&document);
    let root = root(&document, file)?;
    let viewport = Viewport {
        width: side(&root, "data-width", DEFAULT_WIDTH, file)?,
        height: side(&root, "data-height", DEFAULT_HEIGHT, file)?,
        scale: 1,
    };
    times::Times::of(&document, &times::Known::default(), file).check()?;
    let seconds =
        |name| root.attr(name).and_then(|value| js_number(&value)).filter(|value| *value > 0.0);
    let duration = seconds("data-duration").or_else(|| seconds("data-composition-duration"));
    warnings.extend(timing::warnings(&document));
    let image_count = u32::try_from(document.select("img[src]").length()).unwrap_or(u32::MAX);
    let head_start = head_start(&document, file);
    // What is not changed keeps its author's bytes and line numbers.
    let changed = html::serialize(&document);
    let html = if changed == untouched { full } else { changed };
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let html = inject(&html, &head_start, "", "");
    Ok(Compiled { html, folder, viewport, duration, image_count, warnings })
}

/// A scene that is rendered alone takes what the render sets as if its host had given it.
fn give_to_scene<'a>(document: &Document, project: &Path, given: Given<'a>) -> Result<Given<'a>> {
    let hosts = document.select_single("[data-root=\"true\"][data-composition-src]");
    if let (Some(host), Some(overrides)) = (hosts.nodes().first(), given.variables) {
        let src = nested::preflight::source(host).unwrap_or_default();
        if given.check == Check::Strict {
            variables::check(&nested::scene::declared_variables(project, &src)?, overrides)?;
        }
        let text = host.attr("data-variable-values").unwrap_or_default();
        // What a host gives wrongly counts as nothing, and is warned of when the scene is mounted.
        let mut values: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
        values.extend(overrides.clone());
        host.set_attr("data-variable-values", &Value::Object(values).to_string());
    }
    Ok(Given { check: Check::Loose, ..given })
}

/// Puts the document's own variables where scripts, styles and elements ask for them.
fn set_variables(
    document: &Document,
    file: &str,
    given: Given<'_>,
    warnings: &mut Vec<String>,
) -> Result<()> {
    let mut carriers = vec![document.html_root()];
    carriers.extend(document.select_single("[data-composition-id]").nodes().first());
    let declared = variables::declared(&carriers, file, warnings);
    let nothing = Map::new();
    let overrides = given.variables.unwrap_or(&nothing);
    if given.check == Check::Strict {
        variables::check(&declared, overrides)?;
    }
    let values = variables::values(&declared, overrides);
    variables::bind(&variables::bound_elements(document, None), &values);
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

fn head_start(document: &Document, file: &str) -> String {
    // An entry in a folder refers to its neighbours, but is served as the root's index.html.
    let base = match file.rsplit_once('/') {
        Some((folder, _)) if document.select("base[href]").is_empty() => {
            format!("<base href=\"/{folder}/\">")
        }
        _ => String::new(),
    };
    base + TEXT_RULE
}

/// The element that is the composition: the first, unless one says that it is the root.
pub(crate) fn find_root(document: &Document) -> Option<NodeRef<'_>> {
    let marked = document.select_single("[data-composition-id][data-root=\"true\"]");
    let first = document.select_single("[data-composition-id]");
    marked.nodes().first().or(first.nodes().first()).copied()
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
        Ok(pixels) if pixels % 2 == 1 => "must be even, as 4:2:0 video is",
        Ok(pixels) => return Ok(pixels),
        Err(_) => "must be a whole number of pixels",
    };
    Err(Error::Composition {
        file: file.to_owned(),
        element: html::describe(root),
        reason: format!("{name}=\"{value}\" {reason}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(html: &str, file: &str) -> Result<Compiled> {
        let project = tempfile::tempdir().unwrap();
        super::compile(html, file, project.path(), Given { variables: None, check: Check::Loose })
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
        for value in ["abc", "", "15", "7682", "1081", "-2", "NaN"] {
            let error = compile_root(&format!("data-width=\"{value}\"")).unwrap_err().to_string();
            assert!(
                error.starts_with(
                    "index.html: <div id=\"r\" data-composition-id=\"c\">: data-width="
                ),
                "{error}"
            );
        }
        assert_eq!(compile_root("data-width=1920px").unwrap().viewport.width, 1920);
    }

    #[test]
    fn the_marked_root_wins_over_the_first() {
        let html = "<!doctype html><div data-composition-id=a data-duration=1></div>\
                    <div data-composition-id=b data-root=true data-duration=2></div>";
        assert_eq!(compile(html, "index.html").unwrap().duration, Some(2.0));
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
