//! The families that every worker brings along, the names that stand for them, and their files.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::fonts::cmap::coverage;
use crate::fonts::face::{Face, LATIN};

/// A family whose files are in the bundle.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Canonical {
    /// Its folder.
    pub(super) slug: &'static str,
    pub(super) name: &'static str,
    /// Weights that the family has; those that the bundle lacks can be fetched.
    pub(super) weights: &'static [u16],
    pub(super) has_italic: bool,
}

const fn family(
    slug: &'static str,
    name: &'static str,
    weights: &'static [u16],
    has_italic: bool,
) -> Canonical {
    Canonical { slug, name, weights, has_italic }
}

const ALL: &[u16] = &[100, 200, 300, 400, 500, 600, 700, 800, 900];

#[rustfmt::skip]
const FAMILIES: [Canonical; 18] = [
    family("inter", "Inter", ALL, true),
    family("montserrat", "Montserrat", ALL, true),
    family("outfit", "Outfit", ALL, false),
    family("nunito", "Nunito", &[200, 300, 400, 500, 600, 700, 800, 900], true),
    family("oswald", "Oswald", &[200, 300, 400, 500, 600, 700], false),
    family("league-gothic", "League Gothic", &[400], false),
    family("archivo-black", "Archivo Black", &[400], false),
    family("space-mono", "Space Mono", &[400, 700], true),
    family("ibm-plex-mono", "IBM Plex Mono", &[100, 200, 300, 400, 500, 600, 700], true),
    family("jetbrains-mono", "JetBrains Mono", &[100, 200, 300, 400, 500, 600, 700, 800], true),
    family("eb-garamond", "EB Garamond", &[400, 500, 600, 700, 800], true),
    family("playfair-display", "Playfair Display", &[400, 500, 600, 700, 800, 900], true),
    family("source-code-pro", "Source Code Pro", &[200, 300, 400, 500, 600, 700, 800, 900], true),
    family("noto-sans-jp", "Noto Sans JP", ALL, false),
    family("roboto", "Roboto", ALL, true),
    family("open-sans", "Open Sans", &[300, 400, 500, 600, 700, 800], true),
    family("lato", "Lato", &[100, 300, 400, 700, 900], true),
    family("poppins", "Poppins", ALL, true),
];

/// Families of operating systems and their like, in lower case, under the folder of the family that stands for them.
#[rustfmt::skip]
const ALIASES: [(&str, &[&str]); 7] = [
    ("inter", &[
        "helvetica neue", "helvetica", "arial", "helvetica bold", "sf pro", "sf pro display", "sf pro text",
        "sf pro rounded", "sf compact", "avenir", "avenir next", "lucida grande", "geneva", "optima", "verdana", "tahoma",
        "trebuchet ms", "calibri", "candara", "corbel", "lucida sans", "lucida sans unicode", "noto sans",
        "dejavu sans", "liberation sans",
    ]),
    ("montserrat", &["futura", "din alternate", "arial black"]),
    ("league-gothic", &["bebas neue"]),
    ("noto-sans-jp", &[
        "noto sans japanese", "noto sans cjk jp", "source han sans", "yu gothic", "yu gothic ui", "meiryo", "meiryo ui",
        "hiragino sans", "hiragino kaku gothic pro", "hiragino kaku gothic pron", "ms gothic", "ms pgothic",
        "ms ui gothic", "osaka",
    ]),
    ("roboto", &["segoe ui"]),
    ("jetbrains-mono", &[
        "courier new", "courier", "sf mono", "cascadia code", "cascadia mono", "menlo", "monaco", "consolas", "lucida console",
        "lucida sans typewriter", "andale mono", "dejavu sans mono", "liberation mono",
    ]),
    ("eb-garamond", &[
        "garamond", "georgia", "palatino", "palatino linotype", "book antiqua", "cambria", "times",
        "times new roman", "dejavu serif", "liberation serif",
    ]),
];

/// The canonical family that draws text in `family`: by its name, or by that without the words for a weight or width.
pub(super) fn canonical(family: &str) -> Option<&'static Canonical> {
    let name = squeezed(family);
    named(&name).or_else(|| {
        let mut rest = name.as_str();
        while let Some(shorter) = STYLE_WORDS.iter().find_map(|word| rest.strip_suffix(word)) {
            rest = shorter;
            if let Some(found) = named(rest) {
                return Some(found);
            }
        }
        None
    })
}

/// Words at the end of a name that say which face of a family is meant, the longer ones first.
#[rustfmt::skip]
const STYLE_WORDS: [&str; 26] = [
    "extrabold", "ultrabold", "semibold", "demibold", "bold", "extralight", "ultralight", "semilight", "light",
    "regular", "medium", "black", "heavy", "thin", "book", "roman", "normal", "italic", "oblique", "condensed",
    "narrow", "variable", "vf", "psmt", "mt", "ps",
];

/// A name as files and systems write it: without case, blanks and hyphens.
fn squeezed(name: &str) -> String {
    name.to_lowercase().chars().filter(|c| !matches!(c, ' ' | '-' | '_')).collect()
}

fn named(squeezed_name: &str) -> Option<&'static Canonical> {
    let is_meant = |name: &str| squeezed(name) == squeezed_name;
    let by_alias = ALIASES.iter().find(|(_, names)| names.iter().any(|name| is_meant(name)));
    FAMILIES.iter().find(|canonical| {
        squeezed(canonical.name) == squeezed_name
            || by_alias.is_some_and(|(slug, _)| *slug == canonical.slug)
    })
}

/// The family that is put before a stack whose first name is generic.
pub(super) fn stands_for_generic(generic: &str) -> Option<&'static str> {
    match generic {
        "sans-serif" | "system-ui" | "ui-sans-serif" | "ui-rounded" | "-apple-system"
        | "blinkmacsystemfont" => Some("Inter"),
        "serif" | "ui-serif" => Some("EB Garamond"),
        "monospace" | "ui-monospace" => Some("JetBrains Mono"),
        _ => None,
    }
}

/// A file of the bundle: `latin-400-normal.woff2`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bundled {
    pub(super) subset: String,
    pub(super) weight: u16,
    pub(super) style: String,
    pub(super) file: String,
}

/// The files of a family, those with more characters first, so that the smaller ones count where both have one.
pub(super) fn bundled(bundle: &Path, family: &Canonical) -> Result<Vec<Bundled>> {
    let dir = bundle.join(family.slug);
    let mut found = Vec::new();
    for entry in fs::read_dir(&dir).map_err(Error::io("list", &dir))? {
        let name = entry.map_err(Error::io("list", &dir))?.file_name();
        found.extend(name.to_str().and_then(read_name));
    }
    found.sort();
    Ok(found)
}

fn read_name(file: &str) -> Option<Bundled> {
    let mut parts = file.strip_suffix(".woff2")?.rsplitn(3, '-');
    let (style, weight, subset) = (parts.next()?, parts.next()?, parts.next()?);
    let weight = weight.parse().ok()?;
    Some(Bundled {
        subset: subset.to_owned(),
        weight,
        style: style.to_owned(),
        file: file.to_owned(),
    })
}

impl Bundled {
    /// The face as it is served from `/{folder}/{family}/`.
    pub(super) fn face(&self, bundle: &Path, folder: &str, family: &Canonical) -> Result<Face> {
        let path = bundle.join(family.slug).join(&self.file);
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        Ok(Face {
            url: format!("/{folder}/{}/{}", family.slug, self.file),
            style: self.style.clone(),
            weight: self.weight.to_string(),
            range: (self.subset == "latin").then(|| LATIN.to_owned()),
            coverage: coverage(&bytes),
        })
    }
}

/// The weights of a style that are among `files`.
pub(super) fn weights(files: &[Bundled], style: &str) -> BTreeSet<u16> {
    files.iter().filter(|file| file.style == style).map(|file| file.weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/fonts")
    }

    #[test]
    fn names_of_operating_systems_are_drawn_by_a_family_of_the_bundle() {
        for (family, expected) in [
            ("Inter", Some("Inter")),
            ("INTER", Some("Inter")),
            ("Helvetica Neue", Some("Inter")),
            ("Segoe UI", Some("Roboto")),
            ("menlo", Some("JetBrains Mono")),
            ("Times New Roman", Some("EB Garamond")),
            ("Arial Black", Some("Montserrat")),
            ("Bebas Neue", Some("League Gothic")),
            ("Noto Sans JP", Some("Noto Sans JP")),
            ("SFMono-Regular", Some("JetBrains Mono")),
            ("Segoe UI Semibold", Some("Roboto")),
            ("HelveticaNeue-Light", Some("Inter")),
            ("Arial-BoldMT", Some("Inter")),
            ("ArialMT", Some("Inter")),
            ("SFProDisplay-Bold", Some("Inter")),
            ("Roboto Medium", Some("Roboto")),
            ("TimesNewRomanPSMT", Some("EB Garamond")),
            ("Archivo Black", Some("Archivo Black")),
            ("Yu Gothic UI", Some("Noto Sans JP")),
            ("HiraginoSans-W3", None),
            ("Comic Sans MS", None),
            ("Bold", None),
            ("", None),
        ] {
            assert_eq!(canonical(family).map(|found| found.name), expected, "{family}");
        }
    }

    #[test]
    fn every_alias_names_a_family_once() {
        let mut seen = BTreeSet::new();
        for (slug, names) in ALIASES {
            assert!(FAMILIES.iter().any(|family| family.slug == slug), "{slug}");
            for name in names {
                assert!(seen.insert(name), "{name} is there twice");
                assert_eq!(*name, name.to_lowercase());
            }
        }
        assert_eq!(seen.len(), 67);
    }

    #[test]
    fn every_family_of_the_table_is_in_the_bundle_and_the_other_way_round() {
        let mut folders: Vec<_> = fs::read_dir(bundle())
            .unwrap_or_else(|error| panic!("no fonts: {error}: run scripts/setup.sh"))
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        folders.sort();
        let mut slugs: Vec<_> = FAMILIES.iter().map(|family| family.slug).collect();
        slugs.sort_unstable();
        assert_eq!(slugs, folders);
        for family in &FAMILIES {
            let files = bundled(&bundle(), family).unwrap();
            let all: BTreeSet<u16> = family.weights.iter().copied().collect();
            // The Japanese one is so large that two weights of it are enough.
            let expected =
                if family.slug == "noto-sans-jp" { BTreeSet::from([400, 700]) } else { all };
            assert_eq!(weights(&files, "normal"), expected, "{}", family.name);
            let slanted = if family.has_italic { expected } else { BTreeSet::new() };
            assert_eq!(weights(&files, "italic"), slanted, "{}", family.name);
        }
    }
}
