//! Fonts that are the same everywhere: every family that the page's CSS names gets faces from the bundle or from the font
//! service, as files of the page.

mod canonical;
pub(crate) mod cmap;
mod collect;
mod face;
mod glyphs;
mod machine;
mod names;
mod requests;
mod service;
mod text;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use dom_query::Document;

use crate::error::{Error, Result};
use crate::fonts::canonical::{Canonical, bundled, canonical, weights};
use crate::fonts::collect::{Sources, put_system_families_first};
use crate::fonts::face::{Face, nearest};
use crate::fonts::names::Name;
use crate::fonts::requests::{RequestedFamily, Requests, wanted};
use crate::fonts::service::{Offer, Query};
use crate::net::Net;
use crate::net::fetch::{Failure, Fetcher};
use crate::site::Site;

/// The folder of fonts in the page's root.
pub(crate) const FOLDER: &str = "__fonts";

/// What becomes of a plan whose text would not be drawn in a font that is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FontPolicy {
    /// It is refused.
    Refuse,
    /// It is made, with a warning.
    Warn,
}

/// What fonts are taken from, where they go, and how strict to be.
#[derive(Debug)]
pub(crate) struct Options<'a> {
    /// The project's files, seen from the page.
    pub(crate) site: Site<'a>,
    /// The families that the worker brings along.
    pub(crate) bundle: &'a Path,
    /// The fonts that Chrome takes for what no family of the page draws.
    pub(crate) machine: &'a Path,
    pub(crate) net: &'a Net,
    /// Where files arrive.
    pub(crate) scratch: &'a Path,
    pub(crate) system_fonts: FontPolicy,
    pub(crate) missing_fonts: FontPolicy,
    /// Text that the page may show beside its own: the variables' values.
    pub(crate) variables: &'a str,
}

/// What was done to a document, and what is still to be put into it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Installed {
    /// Whether the document itself is another than before.
    pub(crate) changed: bool,
    /// A `<style>` for the end of the head, or nothing: the families in it have no other faces, so that its place does not
    /// matter, and a page that needs nothing else keeps its bytes.
    pub(crate) faces: String,
    pub(crate) warnings: Vec<String>,
}

/// A family under the name that the page uses, with its faces.
#[derive(Debug)]
struct Family {
    name: String,
    selector: String,
    canonical: Option<&'static Canonical>,
    faces: Vec<Face>,
}

/// Finds faces for every family that `document` names and has none for.
pub(crate) fn install(document: &Document, options: &Options<'_>) -> Result<Installed> {
    let changed = put_system_families_first(document, options.site)?;
    let sources = Sources::of(document, options.site)?;
    let requests = sources.requests();
    let mut work = Work { options, document, requests, fetcher: None, warnings: Vec::new() };
    work.refuse_system_fonts()?;
    let wanted = wanted(&work.requests);
    let families = work.families(&wanted, &sources)?;
    let rules: Vec<String> = families
        .iter()
        .flat_map(|family| family.faces.iter().map(|face| face.rule(&family.name)))
        .collect();
    let faces = if rules.is_empty() {
        String::new()
    } else {
        format!("<style>{}</style>", rules.join("\n"))
    };
    Ok(Installed { changed, faces, warnings: work.warnings })
}

/// What is known while the families are brought together.
struct Work<'a> {
    options: &'a Options<'a>,
    document: &'a Document,
    requests: Requests,
    /// Made when the service is first asked: its time starts then.
    fetcher: Option<Fetcher>,
    warnings: Vec<String>,
}

impl Work<'_> {
    fn refuse_system_fonts(&mut self) -> Result<()> {
        for stack in &self.requests.stacks {
            let Some(Name::Generic(generic)) = stack.names.first() else { continue };
            let reason = format!(
                "its text is drawn in whatever font a machine has for \"{generic}\": name a family before it"
            );
            let selector = stack.selector.clone();
            match self.options.system_fonts {
                FontPolicy::Refuse => return Err(Error::SystemFont { selector, reason }),
                FontPolicy::Warn => self.warnings.push(format!("{selector}: {reason}")),
            }
        }
        Ok(())
    }

    fn families(&mut self, wanted: &[RequestedFamily], sources: &Sources) -> Result<Vec<Family>> {
        let visible = text::visible(self.document);
        let scripted = text::scripted_weights(&self.document.html());
        let named: BTreeSet<u16> = self.requests.weights.union(&scripted).copied().collect();
        let slanted = !self.document.select("em, i, cite, address, dfn, var").is_empty();
        self.requests.wants_italic |= slanted;

        let missing: Vec<&RequestedFamily> = wanted
            .iter()
            .filter(|one| {
                !self.requests.own.contains(&one.family.to_lowercase())
                    && !machine::is_of_the_machine(&one.family)
            })
            .collect();
        let mut families = Vec::new();
        let canonical = |one: &RequestedFamily| canonical_of(&self.requests, &one.family);
        let is_unknown = |one: &&&RequestedFamily| canonical(one).is_none();
        let unknown: Vec<_> = missing.iter().filter(is_unknown).copied().collect();
        for one in &missing {
            if let Some(canonical) = canonical(one) {
                let faces = self.bundled(canonical, &named)?;
                families.push(family(one, Some(canonical), faces));
            }
        }
        for one in unknown.iter().filter(|one| one.is_first) {
            let faces = self.fetched(one, &named)?;
            families.push(family(one, None, faces));
        }
        let own = sources.own_faces();
        let is_drawn = |families: &[Family], c: char| {
            let mut all = families.iter().flat_map(|family| &family.faces);
            all.any(|face| face.coverage.has(c)) || own.iter().any(|coverage| coverage.has(c))
        };
        for index in 0..families.len() {
            let foreign = visible.chars().any(|c| c.is_alphabetic() && !is_drawn(&families, c));
            let more = self.supplement(&families[index], &named, foreign)?;
            families[index].faces.extend(more);
        }
        // What only comes after another family is drawn where that one has no glyph, and asked for in that case.
        for one in unknown.iter().filter(|one| !one.is_first) {
            if visible.chars().any(|c| glyphs::is_drawable(c) && !is_drawn(&families, c)) {
                let faces = self.fetched(one, &named)?;
                families.push(family(one, None, faces));
            }
        }
        let mut others = None;
        // Letters of a word in another font than the others are told; a symbol or an emoji is not.
        let mut of_the_machine = |c: char| -> Result<bool> {
            if c.is_alphabetic() && !wanted.is_empty() {
                return Ok(false);
            }
            let others = match &mut others {
                Some(others) => others,
                none => none.insert(machine::coverages(self.options.machine)?),
            };
            Ok(others.iter().any(|coverage| coverage.has(c)))
        };
        let mut undrawn = BTreeSet::new();
        for c in visible.chars().filter(|c| glyphs::is_drawable(*c)) {
            if !is_drawn(&families, c) && !of_the_machine(c)? {
                undrawn.insert(c);
            }
        }
        self.warnings.extend(glyphs::warning(&visible, |c| !undrawn.contains(&c)));
        Ok(families)
    }

    /// The bundle's faces of a family that the page's weights lead to, copied beside the page.
    fn bundled(&self, canonical: &Canonical, named: &BTreeSet<u16>) -> Result<Vec<Face>> {
        let bundle = self.options.bundle;
        let files = bundled(bundle, canonical)?;
        let mut faces = Vec::new();
        for style in ["normal", "italic"] {
            if style == "italic" && !self.requests.wants_italic {
                continue;
            }
            let existing = weights(&files, style);
            let asked = named.iter().chain(&[400, 700]);
            let used: BTreeSet<u16> =
                asked.filter_map(|weight| nearest(*weight, &existing)).collect();
            for file in
                files.iter().filter(|file| file.style == style && used.contains(&file.weight))
            {
                let face = file.face(bundle, FOLDER, canonical)?;
                let target = self.options.site.root.join(face.url.trim_start_matches('/'));
                let dir = target.parent().expect("it has a folder above it");
                fs::create_dir_all(dir).map_err(Error::io("make", dir))?;
                let source = bundle.join(canonical.slug).join(&file.file);
                fs::copy(&source, &target).map_err(Error::io("copy", &source))?;
                faces.push(face);
            }
        }
        Ok(faces)
    }

    /// Weights, slants and alphabets of a canonical family that the bundle does not have.
    fn supplement(
        &mut self,
        family: &Family,
        named: &BTreeSet<u16>,
        foreign: bool,
    ) -> Result<Vec<Face>> {
        let Some(canonical) = family.canonical else { return Ok(Vec::new()) };
        let has = |weight: &u16, style: &str| {
            family.faces.iter().any(|face| face.style == style && face.weight == weight.to_string())
        };
        let exists = |weight: &&u16| canonical.weights.contains(*weight);
        let with_italic = self.requests.wants_italic && canonical.has_italic;
        let lacks =
            |weight: &&u16| !has(weight, "normal") || (with_italic && !has(weight, "italic"));
        let mut weights: BTreeSet<u16> =
            named.iter().filter(exists).filter(lacks).copied().collect();
        let needs_slant = with_italic && !family.faces.iter().any(|face| face.style == "italic");
        if foreign || needs_slant {
            weights.extend(named.iter().chain(&[400, 700]).filter(exists));
        }
        if weights.is_empty() {
            return Ok(Vec::new());
        }
        let query = Query { family: canonical.name, weights, with_italic };
        let latin = BTreeSet::from(['A']);
        let is_bundled = |offer: &Offer| {
            let weight = offer.weight.parse();
            offer.is_for(&latin) && weight.is_ok_and(|weight| has(&weight, &offer.style))
        };
        match self.ask(&query, |offer| !is_bundled(offer))? {
            Ok(faces) => Ok(faces),
            Err(Failure::Unavailable(reason))
                if self.options.missing_fonts == FontPolicy::Refuse =>
            {
                let selector = family.selector.clone();
                let weights = list(&query.weights);
                let reason = format!(
                    "weights {weights} or letters of it that the worker does not bring along could not be fetched: {reason}"
                );
                Err(Error::FontUnavailable { family: family.name.clone(), selector, reason })
            }
            Err(Failure::Unavailable(reason) | Failure::Refused(reason)) => {
                self.warnings.push(format!(
                    "font family \"{}\" is drawn with the weights and letters that the worker brings along, without {}: {reason}",
                    family.name,
                    if foreign { "all letters of the text".to_owned() } else { format!("weights {}", list(&query.weights)) },
                ));
                Ok(Vec::new())
            }
            Err(Failure::Local(error)) => Err(error),
        }
    }

    /// A family that only the service can have.
    fn fetched(&mut self, one: &RequestedFamily, named: &BTreeSet<u16>) -> Result<Vec<Face>> {
        let weights = named.iter().copied().chain([400, 700]).filter(|weight| weight % 100 == 0);
        let query = Query {
            family: &one.family,
            weights: weights.filter(|weight| (100..=900).contains(weight)).collect(),
            with_italic: self.requests.wants_italic,
        };
        let failure = match self.ask(&query, |_| true)? {
            Ok(faces) => return Ok(faces),
            Err(failure) => failure,
        };
        let (family, selector) = (one.family.clone(), one.selector.clone());
        let is_fatal = one.is_first && self.options.missing_fonts == FontPolicy::Refuse;
        match failure {
            Failure::Local(error) => Err(error),
            Failure::Refused(reason) if is_fatal => Err(Error::FontMissing {
                family,
                selector,
                reason: format!(
                    "the worker does not bring it along, and it cannot be fetched: {reason}; \
                     use another family, or add a file with @font-face"
                ),
            }),
            Failure::Unavailable(reason) if is_fatal => Err(Error::FontUnavailable {
                family,
                selector,
                reason: format!("the font service did not send it: {reason}"),
            }),
            Failure::Refused(reason) | Failure::Unavailable(reason) => {
                self.warnings.push(format!(
                    "font family \"{family}\", wanted by {selector}, is not used: {reason}"
                ));
                Ok(Vec::new())
            }
        }
    }

    /// Asks the service for what the text may need. The outer error is this machine's, the inner one the service's.
    fn ask(
        &mut self,
        query: &Query<'_>,
        wants: impl Fn(&Offer) -> bool,
    ) -> Result<std::result::Result<Vec<Face>, Failure>> {
        let Options { site, net, scratch, variables, .. } = self.options;
        let html = self.document.html();
        let characters = text::possible(site.root, &[&html, variables])?;
        let fetcher = self.fetcher.get_or_insert_with(|| Fetcher::new(net, net.fonts, scratch));
        let wants = |offer: &Offer| offer.is_for(&characters) && wants(offer);
        Ok(service::fetch(fetcher, &net.font_service, query, wants, site.root, FOLDER))
    }
}

/// The family of the bundle that draws `family`: by its name, or by one of those that its faces are local copies of.
fn canonical_of(requests: &Requests, family: &str) -> Option<&'static Canonical> {
    let locals = requests.local.get(&family.to_lowercase()).into_iter().flatten();
    canonical(family).or_else(|| locals.into_iter().find_map(|name| canonical(name)))
}

fn family(
    one: &RequestedFamily,
    canonical: Option<&'static Canonical>,
    faces: Vec<Face>,
) -> Family {
    Family { name: one.family.clone(), selector: one.selector.clone(), canonical, faces }
}

fn list(weights: &BTreeSet<u16>) -> String {
    weights.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
