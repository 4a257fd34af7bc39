//! Families that the worker does not bring along, asked of a font service by the css2 protocol.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use url::Url;

use crate::error::{Error, Result};
use crate::fonts::cmap::coverage;
use crate::fonts::face::{Face, range_holds};
use crate::fonts::names::{Name, families};
use crate::net::fetch::{Failure, Fetcher, Wanted};
use crate::remote::kind::{Role, check_media_file};
use crate::stylesheet::{parse, urls};

/// A stylesheet of fonts is small.
const MAX_SHEET_BYTES: u64 = 4 << 20;

/// Which faces of a family are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query<'a> {
    pub(super) family: &'a str,
    pub(super) weights: BTreeSet<u16>,
    pub(super) with_italic: bool,
}

/// A face as the service describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) style: String,
    pub(super) weight: String,
    pub(super) range: Option<String>,
    url: String,
}

impl Offer {
    /// Whether this face is for any of `characters`.
    pub(super) fn is_for(&self, characters: &BTreeSet<char>) -> bool {
        self.range.as_ref().is_none_or(|range| range_holds(range, characters))
    }
}

/// The faces of a family that are wanted, put into `folder` of the site.
pub(super) fn fetch(
    fetcher: &Fetcher,
    service: &str,
    query: &Query<'_>,
    wants: impl Fn(&Offer) -> bool,
    site: &Path,
    folder: &str,
) -> std::result::Result<Vec<Face>, Failure> {
    let (text, base) = match sheet(fetcher, address(service, query)) {
        // A service may refuse a whole request for one weight that the family does not have.
        Err(Failure::Refused(_)) if !query.weights.is_empty() => {
            sheet(fetcher, address(service, &Query { weights: BTreeSet::new(), ..query.clone() }))?
        }
        result => result?,
    };
    let mut offers = offers(&text, query.family);
    if offers.is_empty() {
        return Err(Failure::Refused("the font service answers without a face of it".to_owned()));
    }
    offers.retain(wants);
    let mut wanted: Vec<Wanted> = Vec::new();
    for offer in &offers {
        let url = base.join(&offer.url).map_err(|_| {
            Failure::Refused("the font service names a file by what is no URL".to_owned())
        })?;
        let one = Wanted { url, most: fetcher.limits().bytes };
        if !wanted.contains(&one) {
            wanted.push(one);
        }
    }
    let mut files = Vec::new();
    for (one, result) in wanted.iter().zip(fetcher.fetch_all(&wanted)) {
        let file = keep(&result?.file, query.family, site, folder).map_err(Failure::Local)?;
        files.push((&one.url, file));
    }
    let face = |offer: Offer| {
        let url = base.join(&offer.url).ok()?;
        let (_, (path, coverage)) = files.iter().find(|(of, _)| **of == url)?;
        let (path, coverage) = (path.clone(), coverage.clone());
        Some(Face {
            url: path,
            style: offer.style,
            weight: offer.weight,
            range: offer.range,
            coverage,
        })
    };
    Ok(offers.into_iter().filter_map(face).collect())
}

fn address(service: &str, query: &Query<'_>) -> std::result::Result<Url, Failure> {
    let no_url = |_| Failure::Refused("the font service's address is not a URL".to_owned());
    let mut url = Url::parse(service).map_err(no_url)?;
    let Query { family, weights, with_italic } = query;
    let list = |axis: &str| {
        weights.iter().map(|weight| format!("{axis}{weight}")).collect::<Vec<_>>().join(";")
    };
    let axes = match (weights.is_empty(), with_italic) {
        (true, _) => String::new(),
        (false, false) => format!(":wght@{}", list("")),
        (false, true) => format!(":ital,wght@{};{}", list("0,"), list("1,")),
    };
    url.query_pairs_mut().append_pair("family", &format!("{family}{axes}"));
    Ok(url)
}

fn sheet(
    fetcher: &Fetcher,
    url: std::result::Result<Url, Failure>,
) -> std::result::Result<(String, Url), Failure> {
    let arrived = fetcher.fetch(&Wanted { url: url?, most: MAX_SHEET_BYTES })?;
    let read = fs::read(&arrived.file).map_err(Error::io("read", &arrived.file));
    let bytes = read.map_err(Failure::Local)?;
    Ok((String::from_utf8_lossy(&bytes).into_owned(), arrived.url))
}

/// The faces of `family` in a stylesheet.
fn offers(text: &str, family: &str) -> Vec<Offer> {
    let sheet = parse(text);
    let mut found: Vec<Offer> = Vec::new();
    for block in sheet.blocks.iter().filter(|block| block.is_at("font-face")) {
        let named = block.value("font-family").map(families).unwrap_or_default();
        let is_family =
            matches!(named.first(), Some(Name::Named(name)) if name.eq_ignore_ascii_case(family));
        let source = block.value("src").map(urls).unwrap_or_default().into_iter().next();
        if let (true, Some(source)) = (is_family, source) {
            let value = |name, default: &str| block.value(name).unwrap_or(default).to_owned();
            let offer = Offer {
                style: value("font-style", "normal"),
                weight: value("font-weight", "400"),
                range: block.value("unicode-range").map(str::to_owned),
                url: source.url,
            };
            if !found.contains(&offer) {
                found.push(offer);
            }
        }
    }
    found
}

/// Puts a file into its place, named by its content.
fn keep(
    file: &Path,
    family: &str,
    site: &Path,
    folder: &str,
) -> Result<(String, crate::fonts::cmap::Coverage)> {
    check_media_file(file, Role::Font, &format!("font family \"{family}\""))?;
    let bytes = fs::read(file).map_err(Error::io("read", file))?;
    let name = format!("{}.woff2", &crate::hash::sha256_hex(&bytes)[..32]);
    let path = format!("{folder}/{}/{name}", slug(family));
    let target = site.join(&path);
    let dir = target.parent().expect("it has a folder above it");
    fs::create_dir_all(dir).map_err(Error::io("make", dir))?;
    fs::rename(file, &target).map_err(Error::io("move", file))?;
    Ok((format!("/{path}"), coverage(&bytes)))
}

/// A family's name as a folder.
pub(super) fn slug(family: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let slug: String = family.chars().take(60).map(plain).collect();
    slug.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_asked_for_with_its_weights() {
        for (family, weights, with_italic, expected) in [
            ("Fira Sans", &[400, 700][..], false, "family=Fira+Sans%3Awght%40400%3B700"),
            ("A&B", &[400], true, "family=A%26B%3Aital%2Cwght%400%2C400%3B1%2C400"),
            ("X", &[], true, "family=X"),
        ] {
            let query = Query { family, weights: weights.iter().copied().collect(), with_italic };
            let url = address("https://fonts.example/css2", &query).unwrap();
            assert_eq!(url.query(), Some(expected));
        }
    }

    #[test]
    fn the_faces_of_an_answer_are_read_with_their_ranges() {
        let css = "/* cyrillic */ @font-face { font-family: 'Fira Sans'; font-style: italic; font-weight: 400; \
            src: url(https://f.example/a.woff2) format('woff2'); unicode-range: U+0301, U+0400-045F; } \
            @font-face { font-family: Fira Sans; font-weight: 300 800; src: url('b.woff2'); } \
            @font-face { font-family: Other; src: url(c.woff2); } @font-face { font-family: 'Fira Sans'; src: local(x); }";
        let offer = |style: &str, weight: &str, range: Option<&str>, url: &str| Offer {
            style: style.into(),
            weight: weight.into(),
            range: range.map(str::to_owned),
            url: url.into(),
        };
        assert_eq!(
            offers(css, "Fira Sans"),
            [
                offer("italic", "400", Some("U+0301, U+0400-045F"), "https://f.example/a.woff2"),
                offer("normal", "300 800", None, "b.woff2"),
            ]
        );
    }

    #[test]
    fn a_family_s_folder_is_plain() {
        for (family, expected) in [("Fira Sans", "fira-sans"), ("../A  b!", "a-b"), ("漢字", "")]
        {
            assert_eq!(slug(family), expected);
        }
    }
}
