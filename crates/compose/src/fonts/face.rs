//! Faces: one file each, what it is for, and the CSS that says so.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::fonts::cmap::Coverage;

/// The characters of the files that are called latin, as Google Fonts and Fontsource cut them.
pub(super) const LATIN: &str = "U+0000-00FF, U+0131, U+0152-0153, U+02BB-02BC, U+02C6, U+02DA, U+02DC, U+0304, U+0308, \
    U+0329, U+2000-206F, U+20AC, U+2122, U+2191, U+2193, U+2212, U+2215, U+FEFF, U+FFFD";

/// One file of a family, in the page's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Face {
    /// The path that the page asks for.
    pub(super) url: String,
    /// `normal`, `italic`, or `oblique` with its angles.
    pub(super) style: String,
    /// A weight, or two for all between them.
    pub(super) weight: String,
    pub(super) range: Option<String>,
    pub(super) coverage: Coverage,
}

impl Face {
    /// The rule that gives this face the name `family`.
    pub(super) fn rule(&self, family: &str) -> String {
        let Self { url, style, weight, range, coverage: _ } = self;
        let mut name = String::new();
        cssparser::serialize_string(family, &mut name).expect("writing to a string cannot fail");
        let mut rule = format!(
            "@font-face{{font-family:{name};font-style:{style};font-weight:{weight};font-display:block;\
             src:url(\"{url}\") format(\"woff2\")"
        );
        if let Some(range) = range {
            write!(rule, ";unicode-range:{range}").expect("writing to a string cannot fail");
        }
        // The text goes into a `<style>`, which would end at its closing tag.
        (rule + "}").replace("</", "<\\/")
    }
}

/// The weight that CSS takes of those that exist where `wanted` is asked for.
pub(super) fn nearest(wanted: u16, existing: &BTreeSet<u16>) -> Option<u16> {
    let below = || existing.range(..wanted).next_back().copied();
    let above = || existing.range(wanted + 1..).next().copied();
    if existing.contains(&wanted) {
        return Some(wanted);
    }
    if (400..=500).contains(&wanted) {
        // Up to 500 first, then down, then up.
        let up_to_500 = existing.range(wanted..=500).next().copied();
        return up_to_500.or_else(below).or_else(above);
    }
    if wanted < 400 { below().or_else(above) } else { above().or_else(below) }
}

/// Whether a `unicode-range` holds any of `characters`.
pub(super) fn range_holds(range: &str, characters: &BTreeSet<char>) -> bool {
    range.split(',').filter_map(span).any(|(from, to)| {
        let first = characters.range(char::from_u32(from).unwrap_or('\u{e000}')..).next();
        first.is_some_and(|c| u32::from(*c) <= to)
    })
}

/// `U+41`, `U+41-5A` or `U+4??` as the first and last code point.
fn span(text: &str) -> Option<(u32, u32)> {
    let text = text.trim();
    let digits = text.strip_prefix("U+").or_else(|| text.strip_prefix("u+"))?;
    let hex = |digits: &str| u32::from_str_radix(digits, 16).ok();
    match digits.split_once('-') {
        Some((from, to)) => Some((hex(from)?, hex(to)?)),
        None => Some((hex(&digits.replace('?', "0"))?, hex(&digits.replace('?', "F"))?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_that_is_not_there_is_replaced_as_css_says() {
        let bundle = BTreeSet::from([400, 700, 900]);
        for (wanted, expected) in [
            (100, 400),
            (300, 400),
            (400, 400),
            (450, 400),
            (500, 400),
            (600, 700),
            (700, 700),
            (800, 900),
            (950, 900),
        ] {
            assert_eq!(nearest(wanted, &bundle), Some(expected), "{wanted}");
        }
        let others = BTreeSet::from([300, 500, 600]);
        for (wanted, expected) in [(400, 500), (500, 500), (350, 300), (200, 300), (700, 600)] {
            assert_eq!(nearest(wanted, &others), Some(expected), "{wanted}");
        }
        assert_eq!(nearest(400, &BTreeSet::new()), None);
    }

    #[test]
    fn a_range_is_held_against_the_text() {
        let text: BTreeSet<char> = "aЖ漢".chars().collect();
        for (range, expected) in [
            (LATIN, true),
            ("U+0301, U+0400-045F", true),
            ("U+370-3FF", false),
            ("U+4??", true),
            ("u+6f22", true),
            ("U+6f21,U+6f23", false),
            ("U+D800-DFFF", false),
            ("nonsense", false),
        ] {
            assert_eq!(range_holds(range, &text), expected, "{range}");
        }
    }

    #[test]
    fn a_rule_cannot_be_left_by_its_family_s_name() {
        let face = Face {
            url: "/__fonts/inter/latin-400-normal.woff2".into(),
            style: "normal".into(),
            weight: "400".into(),
            range: Some("U+0-FF".into()),
            coverage: Coverage::default(),
        };
        assert_eq!(
            face.rule("A \"b\" </style>"),
            "@font-face{font-family:\"A \\\"b\\\" <\\/style>\";font-style:normal;font-weight:400;font-display:block;\
             src:url(\"/__fonts/inter/latin-400-normal.woff2\") format(\"woff2\");unicode-range:U+0-FF}"
        );
    }
}
