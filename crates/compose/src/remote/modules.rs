//! JavaScript modules of other hosts: fetched with all that they import, put beside the page in the folders they had on their
//! hosts, and found there through an import map. Their own text stays what it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use dom_query::{Document, NodeRef};
use serde_json::{Map, Value, json};
use url::Url;

use crate::assets::{has_scheme, normalized};
use crate::error::{Error, Result};
use crate::html::{describe, json_in_script};
use crate::net::fetch::{Fetcher, Wanted};
use crate::remote::find::remote;
use crate::remote::kind::{Role, check_media_file};
use crate::remote::specifiers::specifiers;
use crate::remote::{FOLDER, MAX_TEXT_BYTES, Need, error};

/// Modules of one page; a library that is not bundled has hundreds.
const MAX_MODULES: usize = 2000;

/// What has been fetched and what stands for what.
#[derive(Default)]
struct Graph {
    /// The page's own import map: names and prefixes, and the addresses they stand for.
    names: BTreeMap<String, String>,
    /// Paths beside the page, by address.
    local: BTreeMap<String, String>,
    /// Entries of the import map that leads to them.
    map: BTreeMap<String, String>,
    waiting: Vec<Need>,
}

/// Fetches the modules of other hosts that `document` and the modules of its own import. Answers whether there were any.
pub(super) fn localise_modules(
    document: &Document,
    site: &Path,
    folder: &str,
    fetcher: &Fetcher,
) -> Result<bool> {
    let scripts = document.select("script");
    let of = |kind: &'static str| {
        scripts.nodes().iter().copied().filter(move |node| {
            node.attr("type").is_some_and(|found| found.trim().eq_ignore_ascii_case(kind))
        })
    };
    let maps: Vec<NodeRef<'_>> = of("importmap").collect();
    let modules: Vec<NodeRef<'_>> = of("module").collect();
    let mut graph = Graph::default();
    for map in &maps {
        graph.read_map(map);
    }
    for module in &modules {
        let element = describe(module);
        match module.attr("src") {
            Some(src) => match remote(&src, None, &element)? {
                Some(url) => graph.want(url, &element, module.attr("integrity").as_deref()),
                None => graph.follow_own(site, &normalized(folder, &src), &mut BTreeSet::new())?,
            },
            None => graph.follow(&module.text(), None, &element)?,
        }
    }
    if graph.waiting.is_empty() {
        return Ok(false);
    }
    graph.fetch(fetcher, site)?;
    for module in &modules {
        let src = module.attr("src").unwrap_or_default();
        let Some(url) = remote(&src, None, "a script")?.filter(|_| !src.is_empty()) else {
            continue;
        };
        if let Some(path) = graph.local.get(&key(&url)) {
            module.set_attr("src", path);
            module.remove_attrs(&["integrity", "crossorigin"]);
        }
    }
    graph.write_map(document, &maps);
    Ok(true)
}

fn key(url: &Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    url.into()
}

impl Graph {
    fn read_map(&mut self, map: &NodeRef<'_>) {
        // One that is no JSON is the page's own error, and Chrome says so.
        let Ok(Value::Object(map)) = serde_json::from_str::<Value>(&map.text()) else { return };
        let imports = map.get("imports").and_then(Value::as_object);
        for (name, address) in imports.into_iter().flatten() {
            if let Some(address) = address.as_str() {
                self.names.insert(name.clone(), address.to_owned());
            }
        }
    }

    /// Where a specifier leads that is no address: by its name in the import map, or the longest prefix in it.
    fn named(&self, specifier: &str) -> Option<String> {
        if let Some(address) = self.names.get(specifier) {
            return Some(address.clone());
        }
        let prefixes = self
            .names
            .iter()
            .filter(|(name, _)| name.ends_with('/') && specifier.starts_with(name.as_str()));
        let (prefix, address) = prefixes.max_by_key(|(name, _)| name.len())?;
        Some(format!("{address}{}", &specifier[prefix.len()..]))
    }

    /// Wants what `source` imports. `base` is its address, if it comes from another host.
    fn follow(&mut self, source: &str, base: Option<&Url>, name: &str) -> Result<()> {
        for specifier in specifiers(source) {
            let is_relative = specifier.starts_with(['.', '/']) && !specifier.starts_with("//");
            let address = if is_relative || has_scheme(&specifier) || specifier.starts_with("//") {
                specifier.clone()
            } else if let Some(address) = self.named(&specifier) {
                address
            } else {
                // A name without a meaning is an error that Chrome reports.
                continue;
            };
            let base = base.filter(|_| is_relative);
            if let Some(url) = remote(&address, base, name)? {
                let is_written =
                    !specifier.starts_with('.') && !self.names.contains_key(&specifier);
                if is_written {
                    self.map.insert(specifier, key(&url));
                }
                self.want(url, name, None);
            }
        }
        Ok(())
    }

    /// Follows a module of the project.
    fn follow_own(&mut self, site: &Path, path: &str, seen: &mut BTreeSet<String>) -> Result<()> {
        if !seen.insert(path.to_owned()) || seen.len() > MAX_MODULES {
            return Ok(());
        }
        // One that is not there is missed when the page asks for it.
        let Ok(source) = fs::read_to_string(site.join(path)) else { return Ok(()) };
        self.follow(&source, None, &format!("the module {path}"))?;
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for specifier in specifiers(&source) {
            if specifier.starts_with('.') {
                self.follow_own(site, &normalized(folder, &specifier), seen)?;
            }
        }
        Ok(())
    }

    fn want(&mut self, url: Url, element: &str, integrity: Option<&str>) {
        let is_known = self.local.contains_key(&key(&url))
            || self.waiting.iter().any(|need| key(&need.url) == key(&url));
        if !is_known {
            let (element, integrity) = (element.to_owned(), integrity.map(str::to_owned));
            self.waiting.push(Need { url, role: Role::Script, element, integrity });
        }
    }

    fn fetch(&mut self, fetcher: &Fetcher, site: &Path) -> Result<()> {
        while !self.waiting.is_empty() {
            let needs = std::mem::take(&mut self.waiting);
            if self.local.len() + needs.len() > MAX_MODULES {
                let what = needs[0].element.clone();
                let reason = format!("it imports more than {MAX_MODULES} modules; bundle them");
                return Err(Error::RemoteRefused { what, reason });
            }
            let wanted: Vec<_> = needs
                .iter()
                .map(|need| Wanted { url: need.url.clone(), most: MAX_TEXT_BYTES })
                .collect();
            for (need, result) in needs.iter().zip(fetcher.fetch_all(&wanted)) {
                let arrived = result.map_err(|failure| error(failure, need))?;
                if let Some(integrity) = &need.integrity {
                    super::integrity::check(&arrived.file, integrity, &super::what(need))?;
                }
                check_media_file(&arrived.file, Role::Script, &super::what(need))?;
                let path = place(&arrived.url);
                let file = site.join(&path);
                let dir = file.parent().unwrap_or(site);
                fs::create_dir_all(dir).map_err(Error::io("make", dir))?;
                fs::rename(&arrived.file, &file).map_err(Error::io("move", &arrived.file))?;
                self.local.insert(key(&need.url), format!("/{path}"));
                let bytes = fs::read(&file).map_err(Error::io("read", &file))?;
                let source = String::from_utf8_lossy(&bytes).into_owned();
                let name = super::shown(&arrived.url);
                self.follow(&source, Some(&arrived.url), &format!("the module {name}"))?;
            }
        }
        Ok(())
    }

    /// The import map that leads to what was fetched, in place of the page's own ones.
    fn write_map(&self, document: &Document, maps: &[NodeRef<'_>]) {
        let mut imports = Map::new();
        for (name, address) in &self.names {
            let local = self.local.get(address).cloned().or_else(|| {
                let prefix = Url::parse(address).ok().filter(|_| name.ends_with('/'))?;
                Some(asked(&prefix))
            });
            imports.insert(name.clone(), local.unwrap_or_else(|| address.clone()).into());
        }
        // What modules name by address, and what a redirect or a path from their host's root would lead astray.
        let by_address = self.local.iter().map(|(address, path)| (address, address, path));
        let by_word = self.map.iter().filter_map(|(word, address)| {
            self.local.get(address).map(|path| (word, address, path))
        });
        for (word, _, path) in by_address.chain(by_word) {
            imports.insert(word.clone(), path.clone().into());
        }
        // Where importers beside it expect a module that came from elsewhere in the end, or has another name here.
        for (address, path) in &self.local {
            let expected = Url::parse(address).map(|url| asked(&url)).unwrap_or_default();
            if !expected.is_empty() && expected != *path {
                imports.insert(expected, path.clone().into());
            }
        }
        let text = json_in_script(&json!({ "imports": imports }));
        if let Some(first) = maps.first() {
            first.set_text(text);
            maps[1..].iter().for_each(NodeRef::remove_from_parent);
        } else {
            let head = document.head().expect("a parsed document has a head");
            head.prepend_html(format!("<script type=\"importmap\">{text}</script>"));
        }
    }
}

/// The folder for the modules of a URL's host.
fn host_folder(url: &Url) -> String {
    let port = url.port().map(|port| format!("_{port}")).unwrap_or_default();
    format!("{FOLDER}/modules/{}{port}", plain(url.host_str().unwrap_or_default()))
}

fn plain(part: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-@+/".contains(c);
    part.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}

/// What a module beside it asks for when it imports the module of `url`.
fn asked(url: &Url) -> String {
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("/{}{}{query}", host_folder(url), url.path())
}

/// Where a module lies beside the page: in the folders of its address, so that what is relative to it stays so. It is served
/// as a script only if its name says so.
fn place(url: &Url) -> String {
    let path = normalized("", &plain(url.path()));
    let query = url.query().map(|query| format!("_{}", plain(query).replace('/', "_")));
    let name = format!("{path}{}", query.unwrap_or_default());
    let end = match name.rsplit_once('.') {
        Some((_, "js" | "mjs")) => "",
        _ => ".js",
    };
    format!("{}/{name}{end}", host_folder(url))
}
