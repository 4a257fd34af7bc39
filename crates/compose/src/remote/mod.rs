//! Files of other hosts, fetched once while planning and put beside the page, so that drawing needs no network.

mod find;
mod integrity;
pub(crate) mod kind;
mod modules;
pub(crate) mod sheets;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use dom_query::{Document, NodeRef};
use url::Url;

use crate::css::{self, Link, edit, parse};
use crate::document::base::{self, DocumentBase};
use crate::document::srcset;
use crate::error::{Error, Result};
use crate::net::Net;
use crate::net::fetch::{Download, Failure, Fetcher, Request, shown};
use crate::remote::find::{Slot, UrlSlot, is_hint, places, remote};
use crate::remote::kind::{Format, Role, check_media_file};
use crate::remote::sheets::{LocalSheets, role_of};
use crate::site::Site;

/// The folder of fetched files, in the page's root.
pub(crate) const FOLDER: &str = "_remote_media";
/// Scripts and stylesheets are read into memory by everybody.
const MAX_TEXT_BYTES: u64 = 64 << 20;
/// Stylesheets that import stylesheets, and so on.
const MAX_DEPTH: usize = 8;

/// A file that has to be fetched, and for whom.
#[derive(Debug, Clone)]
pub(super) struct Need {
    url: Url,
    role: Role,
    element: String,
    integrity: Option<String>,
}

/// What has been fetched, by its URL without fragment.
#[derive(Debug)]
pub(super) struct Downloads {
    files: BTreeMap<String, File>,
}

#[derive(Debug)]
enum File {
    /// The path that the page asks for.
    Ready(String),
    /// A stylesheet whose own URLs are still those of its host.
    Sheet { text: String, url: Url },
}

/// Fetches everything that `document`, which lies in `site`, refers to on other hosts, and rewrites the references. Answers
/// whether anything was rewritten.
pub(crate) fn localise(
    document: &Document,
    site: Site<'_>,
    net: &Net,
    scratch: &Path,
) -> Result<bool> {
    let mut changed = leave_remote_base(document, site)?;
    changed |= drop_hints(document);
    let places = places(document);
    let locals = LocalSheets::read(site, &places)?;
    let mut needs = Vec::new();
    for place in &places {
        needs.extend(needs_of(place)?);
    }
    needs.extend(locals.needs()?);
    let fetcher = Fetcher::new(net, net.assets, scratch);
    changed |= modules::localise_modules(document, site, &fetcher)?;
    if needs.is_empty() {
        return Ok(changed);
    }
    let held = gather(&fetcher, needs, &site.root.join(FOLDER))?;
    let mut names = Names { held: &held, site: site.root, written: BTreeMap::new() };
    for place in &places {
        changed |= rewrite(place, &mut names)?;
    }
    locals.rewrite(&mut names)?;
    Ok(changed)
}

/// Writes the addresses of a document that is based on another host in full, and takes its `<base>` away: its files will be
/// here.
fn leave_remote_base(document: &Document, site: Site<'_>) -> Result<bool> {
    let Some(DocumentBase::Remote(base)) = base::stated(document, &format!("{}/", site.folder))
    else {
        return Ok(false);
    };
    for place in places(document) {
        let value = value_of(&place);
        let is_css = matches!(place.slot, Slot::StyleAttribute | Slot::StyleText);
        let mut edits = Vec::new();
        for (_, link) in links_of(&place, &value) {
            if link.url.trim().is_empty() || link.url.starts_with('#') {
                continue;
            }
            if let Some(url) = remote(&link.url, Some(&base), &place.element)? {
                edits.push((link.span, if is_css { css::url(url.as_str()) } else { url.into() }));
            }
        }
        if !edits.is_empty() {
            let value = edit(&value, edits);
            match &place.slot {
                Slot::Attribute { name, .. } => place.node.set_attr(name, &value),
                Slot::SourceSet => place.node.set_attr("srcset", &value),
                Slot::StyleAttribute => place.node.set_attr("style", &value),
                Slot::StyleText => place.node.set_text(value),
            }
        }
    }
    for module in document.select("script[type=module][src]").nodes() {
        let src = module.attr("src").unwrap_or_default();
        if let Some(url) = remote(&src, Some(&base), "a module")? {
            module.set_attr("src", url.as_str());
        }
    }
    document.select_single("base[href]").remove();
    Ok(true)
}

/// Removes links that prepare for requests which are not made any more.
fn drop_hints(document: &Document) -> bool {
    let mut changed = false;
    for link in document.select("link[href]").nodes() {
        let href = link.attr("href").unwrap_or_default();
        // A hint over http: is no harm: it is dropped like the others.
        if is_hint(link) && !matches!(remote(&href, None, ""), Ok(None)) {
            link.remove_from_parent();
            changed = true;
        }
    }
    changed
}

/// The URLs of a place as they are written, with their bytes and what they are for.
fn links_of(place: &UrlSlot<'_>, value: &str) -> Vec<(Role, Link)> {
    match place.slot {
        Slot::Attribute { role, .. } => {
            vec![(role, Link { span: 0..value.len(), url: value.to_owned() })]
        }
        Slot::SourceSet => {
            srcset::parse(value).into_iter().map(|link| (Role::Image, link)).collect()
        }
        Slot::StyleAttribute | Slot::StyleText => {
            let links = css::links(&parse(value));
            links.into_iter().map(|(used, link)| (role_of(used), link)).collect()
        }
    }
}

fn value_of(place: &UrlSlot<'_>) -> String {
    match place.slot {
        Slot::Attribute { name, .. } => place.node.attr(name).unwrap_or_default().to_string(),
        Slot::SourceSet => place.node.attr("srcset").unwrap_or_default().to_string(),
        Slot::StyleAttribute => place.node.attr("style").unwrap_or_default().to_string(),
        Slot::StyleText => place.node.text().to_string(),
    }
}

fn needs_of(place: &UrlSlot<'_>) -> Result<Vec<Need>> {
    let mut needs = Vec::new();
    for (role, link) in links_of(place, &value_of(place)) {
        if let Some(url) = remote(&link.url, None, &place.element)? {
            let integrity = match place.slot {
                Slot::Attribute { .. } => place.node.attr("integrity").map(|text| text.to_string()),
                _ => None,
            };
            needs.push(Need { url, role, element: place.element.clone(), integrity });
        }
    }
    Ok(needs)
}

/// Fetches what is needed, and what that needs, each URL once.
fn gather(fetcher: &Fetcher, needs: Vec<Need>, dir: &Path) -> Result<Downloads> {
    let mut held = Downloads { files: BTreeMap::new() };
    let mut needs = needs;
    for _ in 0..MAX_DEPTH {
        let mut fresh: Vec<Need> = Vec::new();
        for need in needs {
            let key = key(&need.url);
            let known = held.files.contains_key(&key)
                || fresh
                    .iter()
                    .any(|other| self::key(&other.url) == key && other.integrity == need.integrity);
            if !known {
                fresh.push(need);
            }
        }
        if fresh.is_empty() {
            return Ok(held);
        }
        let wanted: Vec<_> = fresh.iter().map(|need| wanted(fetcher, need)).collect();
        needs = Vec::new();
        for (need, result) in fresh.iter().zip(fetcher.fetch_all(&wanted)) {
            let arrived = result.map_err(|failure| error(failure, need))?;
            let file = keep(need, &arrived, dir)?;
            if let File::Sheet { text, url } = &file {
                needs.extend(sheets::needs_of(text, Some(url), &shown(url))?);
            }
            held.files.insert(key(&need.url), file);
        }
    }
    let what = needs.first().map(what).unwrap_or_default();
    Err(Error::RemoteRefused { what, reason: format!("imports are more than {MAX_DEPTH} deep") })
}

fn wanted(fetcher: &Fetcher, need: &Need) -> Request {
    let most = match need.role {
        Role::Script | Role::Style => MAX_TEXT_BYTES,
        _ => fetcher.limits().bytes,
    };
    let mut url = need.url.clone();
    url.set_fragment(None);
    Request { url, most }
}

fn key(url: &Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    url.into()
}

/// How a sentence names a need: the element, and the address where that is not in it.
fn what(need: &Need) -> String {
    let address = shown(&need.url);
    if need.element.contains(&address) || need.element.contains("src=\"//") {
        return need.element.clone();
    }
    format!("{address}, wanted by {}", need.element)
}

fn error(failure: Failure, need: &Need) -> Error {
    let what = what(need);
    match failure {
        Failure::Refused(reason) => Error::RemoteRefused { what, reason },
        Failure::Unavailable(reason) => Error::RemoteUnavailable { what, reason },
        Failure::Local(error) => error,
    }
}

/// Judges what arrived and gives it its name, which is its content's, so that the same files make the same plan.
fn keep(need: &Need, arrived: &Download, dir: &Path) -> Result<File> {
    if let Some(integrity) = &need.integrity {
        integrity::check(&arrived.file, integrity, &what(need))?;
    }
    let format = check_media_file(&arrived.file, need.role, &what(need))?;
    if need.role == Role::Style {
        let bytes = fs::read(&arrived.file).map_err(Error::io("read", &arrived.file))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        return Ok(File::Sheet { text, url: arrived.url.clone() });
    }
    let name = format!("{}.{}", &arrived.sha256[..32], extension(need.role, format, arrived));
    fs::create_dir_all(dir).map_err(Error::io("make", dir))?;
    let path = dir.join(&name);
    fs::rename(&arrived.file, &path).map_err(Error::io("move", &arrived.file))?;
    Ok(File::Ready(format!("/{FOLDER}/{name}")))
}

/// What a file is called by: its first bytes, else its server, else its address.
fn extension(role: Role, format: Option<Format>, arrived: &Download) -> String {
    const TYPES: [(&str, &str); 12] = [
        ("image/svg+xml", "svg"),
        ("image/png", "png"),
        ("image/jpeg", "jpg"),
        ("image/webp", "webp"),
        ("image/avif", "avif"),
        ("video/mp4", "mp4"),
        ("video/webm", "webm"),
        ("audio/mpeg", "mp3"),
        ("audio/mp4", "m4a"),
        ("audio/wav", "wav"),
        ("audio/ogg", "ogg"),
        ("font/woff2", "woff2"),
    ];
    if role == Role::Script {
        return "js".to_owned();
    }
    if let Some(format) = format {
        return format.extension.to_owned();
    }
    if let Some((_, extension)) = TYPES.iter().find(|(name, _)| *name == arrived.content_type) {
        return (*extension).to_owned();
    }
    let path = Path::new(arrived.url.path());
    let named = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let is_plain =
        (1..=5).contains(&named.len()) && named.bytes().all(|byte| byte.is_ascii_alphanumeric());
    // A page or script is served as what it is called; none of these is one.
    if is_plain && !["html", "htm", "js", "mjs", "css"].contains(&named.as_str()) {
        return named;
    }
    "bin".to_owned()
}

/// The local names of what is held. Stylesheets are written when they are first asked for.
pub(super) struct Names<'a> {
    held: &'a Downloads,
    site: &'a Path,
    /// `None` while a stylesheet is being written: to ask for it then is a circle.
    written: BTreeMap<String, Option<String>>,
}

impl Names<'_> {
    /// What stands for `url` in the page.
    pub(super) fn local(&mut self, url: &Url) -> Result<String> {
        let fragment = url.fragment().map(|fragment| format!("#{fragment}")).unwrap_or_default();
        let key = key(url);
        let (text, base) = match &self.held.files[&key] {
            File::Ready(path) => return Ok(format!("{path}{fragment}")),
            File::Sheet { text, url } => (text, url),
        };
        match self.written.get(&key) {
            Some(Some(path)) => return Ok(path.clone()),
            // What imports itself adds nothing the second time.
            Some(None) => return Ok("data:text/css,".to_owned()),
            None => {}
        }
        self.written.insert(key.clone(), None);
        let text = sheets::rewritten(text, Some(base), self)?.unwrap_or_else(|| text.clone());
        let name = format!("{}.css", &crate::hash::sha256_hex(text.as_bytes())[..32]);
        let dir = self.site.join(FOLDER);
        fs::create_dir_all(&dir).map_err(Error::io("make", &dir))?;
        let path = dir.join(&name);
        fs::write(&path, text).map_err(Error::io("write", &path))?;
        let path = format!("/{FOLDER}/{name}");
        self.written.insert(key, Some(path.clone()));
        Ok(path)
    }
}

fn rewrite(place: &UrlSlot<'_>, names: &mut Names<'_>) -> Result<bool> {
    let value = value_of(place);
    let is_css = matches!(place.slot, Slot::StyleAttribute | Slot::StyleText);
    let mut edits = Vec::new();
    for (_, link) in links_of(place, &value) {
        if let Some(url) = remote(&link.url, None, &place.element)? {
            let local = names.local(&url)?;
            edits.push((link.span, if is_css { format!("url(\"{local}\")") } else { local }));
        }
    }
    if edits.is_empty() {
        return Ok(false);
    }
    put(&place.node, &place.slot, &edit(&value, edits));
    Ok(true)
}

fn put(node: &NodeRef<'_>, slot: &Slot, value: &str) {
    match slot {
        Slot::Attribute { name, .. } => {
            node.set_attr(name, value);
            // They speak of the other host: this one sends no CORS headers, and the file may have other bytes.
            node.remove_attrs(&["integrity", "crossorigin"]);
        }
        Slot::SourceSet => {
            node.set_attr("srcset", value);
            node.remove_attr("crossorigin");
        }
        Slot::StyleAttribute => node.set_attr("style", value),
        Slot::StyleText => node.set_text(value),
    }
}
