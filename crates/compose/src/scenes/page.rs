//! The `html` and `body` of a nested composition's file, for which its box stands once it is mounted.

use dom_query::{Document, NodeRef};

/// What style sheets may call the page of a scene by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) html: ElementNames,
    pub(crate) body: ElementNames,
}

/// The names of one of the two elements.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ElementNames {
    pub(crate) id: Option<String>,
    pub(crate) classes: Vec<String>,
    /// Every other attribute that a host may have as well.
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) style: Option<String>,
}

/// What the root element of a scene says about itself that is the host's to say.
pub(crate) const TAKEN_FROM_ROOT: [&str; 13] = [
    "id",
    "data-composition-id",
    "data-composition-file",
    "data-composition-src",
    "data-root",
    "data-track-index",
    "data-layer",
    "data-start",
    "data-duration",
    "data-end",
    "data-composition-duration",
    "data-playback-start",
    "data-playback-rate",
];

/// Attributes that say something about the host itself, beside those that a root element says.
const OF_THE_HOST: [&str; 7] = [
    "class",
    "style",
    "data-width",
    "data-height",
    "data-fps",
    "data-no-timeline",
    "data-composition-variables",
];

impl Page {
    /// Those of a file that is a document of its own.
    pub(crate) fn of(document: &Document) -> Self {
        let body = document.body().map(|body| ElementNames::of(&body)).unwrap_or_default();
        Self { html: ElementNames::of(&document.html_root()), body }
    }

    /// Gives `host` the classes and attributes of the page, without taking away any of its own.
    pub(crate) fn dress(&self, host: &NodeRef<'_>) {
        let Self { html, body } = self;
        for class in html.classes.iter().chain(&body.classes) {
            host.add_class(class);
        }
        for (name, value) in html.attributes.iter().chain(&body.attributes) {
            if !host.has_attr(name) && !is_inherited(host, name, value) {
                host.set_attr(name, value);
            }
        }
    }

    /// What stands in the `style` attributes, as rules.
    pub(crate) fn inline_styles(&self) -> Option<String> {
        let rule = |name: &str, names: &ElementNames| {
            names.style.as_ref().map(|style| format!("{name}{{{style}}}"))
        };
        let rules: Vec<_> =
            [rule("html", &self.html), rule("body", &self.body)].into_iter().flatten().collect();
        if rules.is_empty() { None } else { Some(rules.concat()) }
    }
}

impl ElementNames {
    fn of(node: &NodeRef<'_>) -> Self {
        let text = |name: &str| {
            let value = node.attr(name).map(|value| value.trim().to_owned());
            value.filter(|value| !value.is_empty())
        };
        let is_kept = |name: &str| {
            !OF_THE_HOST.contains(&name)
                && !TAKEN_FROM_ROOT.contains(&name)
                && !name.starts_with("on")
        };
        let all = node.attrs().into_iter();
        let all =
            all.map(|attribute| (attribute.name.local.to_string(), attribute.value.to_string()));
        Self {
            id: text("id"),
            classes: text("class")
                .map(|classes| classes.split_whitespace().map(str::to_owned).collect())
                .unwrap_or_default(),
            attributes: all.filter(|(name, _)| is_kept(name)).collect(),
            style: text("style"),
        }
    }
}

/// Whether the language or direction around `host` is this one already.
fn is_inherited(host: &NodeRef<'_>, name: &str, value: &str) -> bool {
    let around = || host.ancestors_it(None).find_map(|above| above.attr(name));
    ["lang", "dir"].contains(&name)
        && around().is_some_and(|around| around.eq_ignore_ascii_case(value))
}
