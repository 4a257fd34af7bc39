//! Nested compositions: each file that a host names is put into it, with styles and scripts that reach that instance only.

pub(crate) mod mount;
pub(crate) mod preflight;
pub(crate) mod scene;
pub(crate) mod script;
pub(crate) mod selector;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use dom_query::{Document, NodeRef};
use serde_json::{Map, Value};

use crate::assets::{Base, has_scheme, normalized};
use crate::css::{CssSpan, places, rewrite};
use crate::error::Result;
use crate::html::{escape_attribute, json_in_script};
use crate::nested::mount::mount;
use crate::nested::scene::{Scene, Script, declared_id, load};
use crate::nested::selector::{Scope, quoted};
use crate::variables::{Force, bind, bound_elements, custom_properties, values};

/// What putting the scenes in told.
#[derive(Debug, Default)]
pub(crate) struct Inlined {
    pub(crate) scenes: usize,
    pub(crate) warnings: Vec<String>,
}

/// What the whole document gets at its ends, collected scene by scene.
#[derive(Default)]
struct Collected {
    /// At the start of the head: properties that give way to any of the author's.
    defaults: Vec<String>,
    links: Vec<String>,
    styles: Vec<String>,
    scripts: Vec<String>,
    variables: Map<String, Value>,
    linked: BTreeSet<String>,
    loaded: BTreeSet<String>,
}

/// Puts every nested composition of `document` into its host. `root` is what an address from the project's root begins with.
pub(crate) fn inline(
    document: &Document,
    project: &Path,
    file: &str,
    root: &str,
) -> Result<Inlined> {
    let mut inlined = Inlined::default();
    preflight::check(document, project, file, &mut inlined.warnings)?;
    name_hosts(document, project)?;
    let mut names = Names::of(document);
    let mut collected = Collected {
        linked: addresses(document, "link[href]", "href"),
        loaded: addresses(document, "script[src]", "src"),
        ..Collected::default()
    };
    let mut queue: VecDeque<NodeRef<'_>> = preflight::hosts(document).into();
    while let Some(host) = queue.pop_front() {
        let src = preflight::source(&host).unwrap_or_default();
        let host_id = host
            .attr("data-composition-id")
            .map(|id| id.trim().to_owned())
            .filter(|id| !id.is_empty());
        let folder = src.rsplit_once('/').map_or("", |(folder, _)| folder);
        let base = Base { project, folder, root };
        let mut scene = load(base, &src, host_id.as_deref())?;
        inlined.warnings.append(&mut scene.warnings);
        let authored = host_id.unwrap_or_else(|| scene.declared_id.clone());
        let scope = Scope {
            instance: names.next(&authored, host.has_attr("data-fw-late")),
            authored,
            root: scene.content.root_id(),
        };
        host.remove_attr("data-fw-late");
        mount(&host, &scene, &scope, &src);
        let given = given_values(&host, &mut inlined.warnings);
        let instance = values(&scene.variables, &given);
        bind(&bound_elements(document, Some(&host)), &instance);
        collected.add_variables(
            &host,
            &scope,
            &values(&scene.variables, &Map::new()),
            &given,
            instance,
        );
        collected.add(&scene, &scope, &src);
        for nested in preflight::hosts_in(&host) {
            nested.set_attr("data-fw-late", "");
            queue.push_back(nested);
        }
        inlined.scenes += 1;
    }
    if inlined.scenes > 0 {
        collected.write_into(document);
    }
    Ok(inlined)
}

/// Gives a host without a composition id that of its file.
fn name_hosts(document: &Document, project: &Path) -> Result<()> {
    for host in preflight::hosts(document) {
        if host.attr("data-composition-id").is_none_or(|id| id.trim().is_empty()) {
            let src = preflight::source(&host).unwrap_or_default();
            let id = declared_id(project, &src)?;
            host.set_attr("data-composition-id", &id);
        }
    }
    Ok(())
}

/// Ids of instances: an id that is mounted once keeps it, any other gets a number. None is given that something else has.
struct Names {
    once: BTreeSet<String>,
    taken: BTreeSet<String>,
    next: BTreeMap<String, u32>,
}

impl Names {
    fn of(document: &Document) -> Self {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        let hosts = preflight::hosts(document);
        let id_of = |node: &NodeRef<'_>| {
            node.attr("data-composition-id").unwrap_or_default().trim().to_owned()
        };
        for host in &hosts {
            *counts.entry(id_of(host)).or_default() += 1;
        }
        let is_host = |node: &NodeRef<'_>| hosts.iter().any(|host| host.id == node.id);
        let all = document.select("[data-composition-id]");
        let taken: BTreeSet<_> =
            all.nodes().iter().filter(|node| !is_host(node)).map(id_of).collect();
        let once = counts.into_iter().filter(|(id, count)| *count == 1 && !taken.contains(id));
        Self { once: once.map(|(id, _)| id).collect(), taken, next: BTreeMap::new() }
    }

    fn next(&mut self, authored: &str, is_late: bool) -> String {
        if !is_late && self.once.contains(authored) {
            return authored.to_owned();
        }
        let next = self.next.entry(authored.to_owned()).or_default();
        loop {
            *next += 1;
            let name = format!("{authored}__hf{next}");
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

fn addresses(document: &Document, selector: &str, name: &str) -> BTreeSet<String> {
    let nodes = document.select(selector);
    nodes.nodes().iter().filter_map(|node| node.attr(name)).map(|address| same(&address)).collect()
}

/// One way to write an address.
fn same(address: &str) -> String {
    let address = address.trim();
    if has_scheme(address) || address.starts_with("//") {
        return address.to_owned();
    }
    normalized("", address)
}

/// The values that a host gives its instance.
fn given_values(host: &NodeRef<'_>, warnings: &mut Vec<String>) -> Map<String, Value> {
    let Some(text) = host.attr("data-variable-values") else { return Map::new() };
    match serde_json::from_str(&text) {
        Ok(values) => values,
        Err(error) => {
            let host = crate::html::describe(host);
            warnings.push(format!("{host}: data-variable-values gives nothing: {error}"));
            Map::new()
        }
    }
}

impl Collected {
    fn add_variables(
        &mut self,
        host: &NodeRef<'_>,
        scope: &Scope,
        defaults: &Map<String, Value>,
        given: &Map<String, Value>,
        instance: Map<String, Value>,
    ) {
        if instance.is_empty() {
            return;
        }
        host.set_attr("data-hf-var-scope", &scope.instance);
        let selector = format!("[data-hf-var-scope={}]", quoted(&scope.instance));
        self.defaults.push(custom_properties(&selector, defaults, Force::WhereAbsent));
        let everywhere = format!("{selector},{selector}>[data-hf-inner-root]");
        let forced = custom_properties(&everywhere, given, Force::Always);
        if !forced.is_empty() {
            self.styles.push(format!("<style>{forced}</style>"));
        }
        self.variables.insert(scope.instance.clone(), Value::Object(instance));
    }

    fn add(&mut self, scene: &Scene, scope: &Scope, src: &str) {
        for link in &scene.links {
            if self.linked.insert(same(&link.address)) {
                self.links.push(link.html.clone());
            }
        }
        for style in &scene.styles {
            let scoped = rewrite(&style.css, &places(&style.css), |place| match place {
                CssSpan::Selectors(at) => Some(scope.list(&style.css[at.clone()])),
                CssSpan::Url { .. } => None,
            });
            let media = style
                .media
                .as_deref()
                .map(|media| format!(" media=\"{}\"", escape_attribute(media)));
            self.styles.push(format!("<style{}>{scoped}</style>", media.unwrap_or_default()));
        }
        for script in &scene.scripts {
            let (kind, text) = match script {
                Script::External { address, html } => {
                    if self.loaded.insert(same(address)) {
                        self.scripts.push(html.clone());
                    }
                    continue;
                }
                Script::ImportMap(text) => (" type=\"importmap\"", text.clone()),
                Script::Module(text) => {
                    (" type=\"module\"", script::wrap_module(text, scope, &scene.declared_id, src))
                }
                Script::Classic(text) => ("", script::wrap(text, scope, &scene.declared_id, src)),
            };
            self.scripts.push(format!("<script{kind}>{text}</script>"));
        }
    }

    /// Scenes come after the document's own styles and scripts, so that they win over and know of them.
    fn write_into(self, document: &Document) {
        let Self { defaults, links, styles, scripts, variables, linked: _, loaded: _ } = self;
        let head = document.head().expect("a parsed document has a head");
        let body = document.body().expect("a parsed document has a body");
        let mut first = Vec::new();
        if !variables.is_empty() {
            let table = json_in_script(&Value::Object(variables));
            first.push(format!(
                "<script>window.__hfVariablesByComp=Object.assign(window.__hfVariablesByComp||{{}},{table});</script>"
            ));
        }
        let defaults = defaults.concat();
        if !defaults.is_empty() {
            first.push(format!("<style>{defaults}</style>"));
        }
        if !scripts.is_empty() {
            first.push(format!("<script>{}</script>", script::PRELUDE));
        }
        if !first.is_empty() {
            head.prepend_html(first.concat());
        }
        head.append_html([links, styles].concat().concat());
        if !scripts.is_empty() {
            body.append_html(scripts.concat());
        }
    }
}
