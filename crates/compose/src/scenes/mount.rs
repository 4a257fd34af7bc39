//! Putting a scene's content into its host, so that the page runtime takes the host for the composition.

use dom_query::{Document, NodeRef};

use crate::css;
use crate::document::html::outer_html;
use crate::scenes::page::TAKEN_FROM_ROOT;
use crate::scenes::scene::{Content, Scene};
use crate::scenes::selector::Scope;
use crate::timing::js_number;

impl Content {
    /// The `id` of the root element, if that becomes the host's inner root.
    pub(crate) fn root_id(&self) -> Option<String> {
        match self {
            Self::Root { html, data: _ } => {
                let root = Document::fragment(html.as_str());
                let root = first_element(&root)?;
                root.attr("id").map(|id| id.trim().to_owned()).filter(|id| !id.is_empty())
            }
            Self::Whole(_) => None,
        }
    }
}

/// Fills `host` with `scene`, which comes from the file `src`.
pub(crate) fn mount(host: &NodeRef<'_>, scene: &Scene, scope: &Scope, src: &str) {
    host.set_attr("data-composition-id", &scope.instance);
    if scope.instance != scope.authored {
        host.set_attr("data-hf-original-composition-id", &scope.authored);
    }
    host.remove_attr("data-composition-src");
    host.set_attr("data-composition-file", src);
    scene.page.dress(host);
    match &scene.content {
        Content::Whole(html) => {
            let content = Document::fragment(html.as_str());
            if let Some(root) = content.select_single("[data-composition-id]").nodes().first() {
                copy_size(root, host);
            }
            host.set_html(html.as_str());
        }
        Content::Root { html, data } => {
            let content = Document::fragment(html.as_str());
            let root = first_element(&content).expect("a root element is an element");
            copy_size(&root, host);
            flatten(&root);
            host.set_html(format!("{}{data}", outer_html(&root)));
        }
    }
    let sizes = ["width", "height"].map(|side| pixels(host, side).map(|value| (side, value)));
    if let [Some(width), Some(height)] = sizes {
        for (side, value) in [width, height] {
            if !styles(host, side) {
                add_style(host, &format!("{side}:{value}px"));
            }
        }
    }
}

fn first_element(content: &Document) -> Option<NodeRef<'_>> {
    content.select_single("html").nodes().first().and_then(NodeRef::first_element_child)
}

/// A host without a size of its own is as large as its scene, and without a timeline if its scene is.
fn copy_size(root: &NodeRef<'_>, host: &NodeRef<'_>) {
    for name in ["data-width", "data-height", "data-no-timeline"] {
        if let (Some(value), false) = (root.attr(name), host.has_attr(name)) {
            host.set_attr(name, &value);
        }
    }
}

/// Makes the root element of a scene the box of the scene in its host.
fn flatten(root: &NodeRef<'_>) {
    if let Some(id) = root.attr("id") {
        root.set_attr("data-hf-authored-id", &id);
    }
    let sizes = ["width", "height"].map(|side| match pixels(root, side) {
        Some(value) => format!("{side}:{value}px"),
        None => format!("{side}:100%"),
    });
    root.remove_attrs(&TAKEN_FROM_ROOT);
    root.set_attr("data-hf-inner-root", "true");
    add_style(root, &sizes.join(";"));
}

fn pixels(node: &NodeRef<'_>, side: &str) -> Option<f64> {
    node.attr(&format!("data-{side}"))
        .and_then(|value| js_number(&value))
        .filter(|value| *value > 0.0)
}

fn styles(node: &NodeRef<'_>, property: &str) -> bool {
    let style = node.attr("style").unwrap_or_default();
    css::parse(&style).blocks[0].value(property).is_some()
}

fn add_style(node: &NodeRef<'_>, declaration: &str) {
    let style = node.attr("style").unwrap_or_default();
    let style = style.trim().trim_end_matches(';');
    let all =
        if style.is_empty() { declaration.to_owned() } else { format!("{style};{declaration}") };
    node.set_attr("style", &all);
}
