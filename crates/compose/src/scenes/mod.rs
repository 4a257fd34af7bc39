//! Nested compositions: each file that a host names is put into it, with styles and scripts that reach that instance only.

mod compound;
pub(crate) mod entry;
pub(crate) mod mount;
pub(crate) mod page;
pub(crate) mod preflight;
pub(crate) mod scene;
pub(crate) mod script;
pub(crate) mod selector;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use dom_query::{Document, NodeRef};
use serde_json::{Map, Value};

use crate::css::{self, edit};
use crate::document::html::{escape_attribute, json_in_script};
use crate::document::rebase::{Base, normalized};
use crate::document::variables::{
    Force, Problem, bind, bound_elements, custom_properties, unbound, undeclared, values,
};
use crate::error::Result;
use crate::scenes::mount::mount;
use crate::scenes::scene::{Scene, Script, declared_id, load};
use crate::scenes::selector::Scope;
use crate::site::{Site, folder_of, has_scheme};

/// What the whole document gets at its ends, collected scene by scene.
#[derive(Default)]
struct DocumentParts {
    /// At the start of the head: properties that give way to any of the author's.
    defaults: Vec<String>,
    links: Vec<String>,
    styles: Vec<String>,
    scripts: Vec<String>,
    variables: Map<String, Value>,
    linked: BTreeSet<String>,
    loaded: BTreeSet<String>,
}

/// Puts every nested composition of `document` into its host, and answers warnings. `root` is what an address from the project's root begins with.
pub(crate) fn inline(
    document: &Document,
    project: &Path,
    file: &str,
    root: &str,
) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    preflight::check(document, project, file, &mut warnings)?;
    name_hosts(document, project)?;
    let mut names = Names::of(document);
    let mut collected = DocumentParts {
        linked: addresses(document, "link[href]", "href"),
        loaded: addresses(document, "script[src]", "src"),
        ..DocumentParts::default()
    };
    let mut queue: VecDeque<NodeRef<'_>> = preflight::hosts(document).into();
    let has_scenes = !queue.is_empty();
    while let Some(host) = queue.pop_front() {
        let src = preflight::source(&host).unwrap_or_default();
        let host_id = host
            .attr("data-composition-id")
            .map(|id| id.trim().to_owned())
            .filter(|id| !id.is_empty());
        let base = Base { site: Site { root: project, folder: folder_of(&src) }, root };
        let mut scene = load(base, &src, host_id.as_deref())?;
        warnings.append(&mut scene.warnings);
        let authored = host_id.unwrap_or_else(|| scene.declared_id.clone());
        let scope = Scope {
            instance: names.next(&authored, host.has_attr("data-fw-late")),
            authored,
            root: scene.content.root_id(),
            page: scene.page.clone(),
        };
        host.remove_attr("data-fw-late");
        mount(&host, &scene, &scope, &src);
        let given = given_values(&host, &mut warnings);
        let instance = values(&scene.variables, &given);
        let bound = bound_elements(document, Some(&host));
        warnings.extend(variable_warnings(&scene, &bound, &given, &src));
        bind(&bound, &instance);
        collected.add_variables(
            &host,
            &scope,
            &values(&scene.variables, &Map::new()),
            &given,
            instance,
        );
        warnings.extend(collected.add(&scene, &scope, &src));
        for nested in preflight::hosts_in(&host) {
            nested.set_attr("data-fw-late", "");
            queue.push_back(nested);
        }
    }
    if has_scenes {
        collected.write_into(document);
    }
    Ok(warnings)
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

/// A style sheet with selectors that reach one instance only. Those that reach nothing are added to `lost`.
fn scoped_sheet(text: &str, scope: &Scope, lost: &mut Vec<String>) -> String {
    let sheet = css::parse(text);
    let mut edits: Vec<_> =
        sheet.selectors().map(|at| (at.clone(), scope.list(&text[at], lost))).collect();
    edits.extend(sheet.scopes().map(|at| (at.clone(), scope.scope_prelude(&text[at], lost))));
    edits.extend(sheet.scoped_selectors().map(|at| (at.clone(), scope.scoped_list(&text[at]))));
    let inner = sheet.inner_selectors();
    edits.extend(inner.filter_map(|at| Some((at.clone(), scope.inner_list(&text[at])?))));
    edit(text, edits)
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
            let host = crate::document::html::describe(host);
            warnings.push(format!("{host}: data-variable-values gives nothing: {error}"));
            Map::new()
        }
    }
}

/// What is given to a scene, or asked for in it, that it does not declare.
fn variable_warnings(
    scene: &Scene,
    bound: &[NodeRef<'_>],
    given: &Map<String, Value>,
    src: &str,
) -> Vec<String> {
    let unbound = unbound(bound, &scene.variables, given);
    let unbound = unbound
        .into_iter()
        .map(|Problem { element, reason }| format!("{src}: {element}: {reason}"));
    let undeclared = undeclared(&scene.variables, given);
    let undeclared = undeclared.into_iter().map(|reason| format!("{src}: {reason}"));
    undeclared.chain(unbound).collect()
}

impl DocumentParts {
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
        let selector = format!("[data-hf-var-scope={}]", css::string(&scope.instance));
        self.defaults.push(custom_properties(&selector, defaults, Force::WhereAbsent));
        let everywhere = format!("{selector},{selector}>[data-hf-inner-root]");
        let forced = custom_properties(&everywhere, given, Force::Always);
        if !forced.is_empty() {
            self.styles.push(format!("<style>{forced}</style>"));
        }
        self.variables.insert(scope.instance.clone(), Value::Object(instance));
    }

    /// Answers warnings.
    fn add(&mut self, scene: &Scene, scope: &Scope, src: &str) -> Vec<String> {
        for link in &scene.links {
            if self.linked.insert(same(&link.address)) {
                self.links.push(link.html.clone());
            }
        }
        let mut lost = Vec::new();
        for style in &scene.styles {
            let scoped = scoped_sheet(&style.css, scope, &mut lost);
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
        let warning = |selector: &String| {
            format!(
                "{src}: the rule of \"{selector}\" is lost: its html or body is not where a nested composition has its page"
            )
        };
        lost.iter().map(warning).collect()
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
