//! The composition: an author's HTML in, the HTML that is served out, with what can be known without a browser.

pub(crate) mod fonts;
pub(crate) mod gather;
mod number;
pub(crate) mod remote;
mod stylesheet;
mod timing;

use dom_query::{Document, NodeRef, Selection};

use crate::browser::Viewport;
use crate::error::{Error, Result};
use crate::page::inject::{inject, is_document};

pub(crate) use number::js_number;

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
pub(crate) struct Compiled {
    pub(crate) html: String,
    pub(crate) viewport: Viewport,
    /// Seconds, where the root says it; otherwise the page has to be asked.
    pub(crate) duration: Option<f64>,
    pub(crate) image_count: u32,
    pub(crate) warnings: Vec<String>,
}

/// Compiles the HTML of `file`, a path inside the project.
pub(crate) fn compile(html: &str, file: &str) -> Result<Compiled> {
    let full = if is_document(html) {
        html.to_owned()
    } else {
        format!("{FRAGMENT_HEAD}{html}</body></html>")
    };
    let document = Document::from(full.as_str());
    refuse_what_is_not_supported(&document, file)?;
    let root = root(&document, file)?;
    let viewport = Viewport {
        width: side(&root, "data-width", DEFAULT_WIDTH, file)?,
        height: side(&root, "data-height", DEFAULT_HEIGHT, file)?,
    };
    let seconds =
        |name| root.attr(name).and_then(|value| js_number(&value)).filter(|value| *value > 0.0);
    Ok(Compiled {
        html: inject(&full, &head_start(&document, file), "", ""),
        viewport,
        duration: seconds("data-duration").or_else(|| seconds("data-composition-duration")),
        image_count: u32::try_from(document.select("img[src]").length()).unwrap_or(u32::MAX),
        warnings: timing::warnings(&document),
    })
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
fn root<'a>(document: &'a Document, file: &str) -> Result<Selection<'a>> {
    let marked = document.select_single("[data-composition-id][data-root=\"true\"]");
    let root =
        if marked.exists() { marked } else { document.select_single("[data-composition-id]") };
    if root.exists() {
        return Ok(root);
    }
    Err(Error::Composition {
        file: file.to_owned(),
        element: "the document".to_owned(),
        reason: "has no element with data-composition-id, so there is nothing to render".to_owned(),
    })
}

fn side(root: &Selection<'_>, name: &str, default: u32, file: &str) -> Result<u32> {
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
        element: describe(root),
        reason: format!("{name}=\"{value}\" {reason}"),
    })
}

/// How an error names an element: its tag, with its id or composition id.
fn describe(element: &Selection<'_>) -> String {
    element.nodes().first().map(describe_node).unwrap_or_default()
}

fn describe_node(node: &NodeRef<'_>) -> String {
    let tag = node.node_name().unwrap_or_default();
    let marked = |name: &str| {
        node.attr(name).map(|value| format!(" {name}=\"{value}\"")).unwrap_or_default()
    };
    format!("<{tag}{}{}{}>", marked("id"), marked("data-composition-id"), marked("src"))
}

/// What would come out wrong is refused by name before anything is rendered.
fn refuse_what_is_not_supported(document: &Document, file: &str) -> Result<()> {
    for (selector, reason) in [
        ("[data-composition-src]", "nested compositions are not supported by this version"),
        ("video", "video is not supported by this version"),
        ("audio", "audio is not supported by this version"),
    ] {
        let found = document.select_single(selector);
        if found.exists() {
            let element = describe(&found);
            return Err(Error::Composition {
                file: file.to_owned(),
                element,
                reason: reason.to_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(compiled.viewport, Viewport { width: 1080, height: 1920 });
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
    fn what_this_version_cannot_render_is_refused_by_name() {
        for (inner, named) in [
            ("<video src=a.mp4></video>", "<video src=\"a.mp4\">"),
            ("<audio id=music></audio>", "<audio id=\"music\">"),
            ("<div data-composition-src=b.html></div>", "nested compositions"),
        ] {
            let html =
                format!("<!doctype html><div data-composition-id=a data-duration=1>{inner}</div>");
            let error = compile(&html, "index.html").unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
