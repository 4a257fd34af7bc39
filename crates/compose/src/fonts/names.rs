//! Font families as CSS writes them: lists, the `font` shorthand, generic names and variables.

use cssparser::{Parser, Token};

use crate::stylesheet::split_at_commas;

/// One entry of a list of families.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// A family, as the author wrote it.
    Named(String),
    /// Whatever font a machine has for it, in lower case.
    Generic(String),
    /// A custom property, and what counts where it is not set.
    Variable { name: String, fallback: Option<String> },
    /// `inherit` and its like, which name nothing.
    Keyword,
}

/// Names that stand for a font of the machine. The last six are those of the `font` shorthand.
const GENERIC: [&str; 22] = [
    "serif",
    "sans-serif",
    "monospace",
    "cursive",
    "fantasy",
    "system-ui",
    "ui-serif",
    "ui-sans-serif",
    "ui-monospace",
    "ui-rounded",
    "emoji",
    "math",
    "fangsong",
    "-apple-system",
    "blinkmacsystemfont",
    "-webkit-body",
    "caption",
    "icon",
    "menu",
    "message-box",
    "small-caption",
    "status-bar",
];

const WIDE: [&str; 5] = ["inherit", "initial", "unset", "revert", "revert-layer"];

const SIZES: [&str; 10] = [
    "xx-small",
    "x-small",
    "small",
    "medium",
    "large",
    "x-large",
    "xx-large",
    "xxx-large",
    "larger",
    "smaller",
];

/// The entries of a `font-family` value.
pub(super) fn families(value: &str) -> Vec<Name> {
    let value = without_important(value);
    split_at_commas(value).into_iter().filter_map(|(_, part)| name(part)).collect()
}

fn name(part: &str) -> Option<Name> {
    let mut parser = Parser::new(part);
    let mut words = Vec::new();
    while let Ok(token) = parser.next().cloned() {
        match token {
            Token::QuotedString(text) => return Some(Name::Named(text.trim().to_owned())),
            Token::Ident(word) => words.push(word.to_string()),
            Token::Function(function) if function.eq_ignore_ascii_case("var") => {
                let inner = part.split_once('(')?.1;
                let inner = inner.rsplit_once(')').map_or(inner, |(inner, _)| inner);
                let (name, fallback) = match inner.split_once(',') {
                    Some((name, fallback)) => (name, Some(fallback.trim().to_owned())),
                    None => (inner, None),
                };
                return Some(Name::Variable { name: name.trim().to_owned(), fallback });
            }
            _ => return None,
        }
    }
    let text = words.join(" ");
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "" => None,
        _ if GENERIC.contains(&lower.as_str()) => Some(Name::Generic(lower)),
        _ if WIDE.contains(&lower.as_str()) => Some(Name::Keyword),
        _ => Some(Name::Named(text)),
    }
}

fn without_important(value: &str) -> &str {
    value
        .rsplit_once('!')
        .filter(|(_, word)| word.trim().eq_ignore_ascii_case("important"))
        .map_or(value, |(before, _)| before)
}

/// The parts of a `font` shorthand that say which face is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shorthand<'i> {
    /// Where the list of families starts in the value.
    pub(super) at: usize,
    pub(super) families: &'i str,
    /// What stands before the size.
    pub(super) before: Vec<&'i str>,
}

/// Takes a `font` shorthand apart. `None` where it names no families.
pub(super) fn shorthand(value: &str) -> Option<Shorthand<'_>> {
    let pieces = split_at_blanks(value);
    let size = pieces.iter().position(|(_, piece)| is_size(piece));
    let start = match size {
        Some(index) => {
            let mut next = index + 1;
            // `12px / 1.5`, `12px/ 1.5` and `12px /1.5`.
            if pieces.get(next).is_some_and(|(_, piece)| *piece == "/") {
                next += 2;
            } else if pieces[index].1.ends_with('/')
                || pieces.get(next).is_some_and(|(_, piece)| piece.starts_with('/'))
            {
                next += 1;
            }
            next
        }
        // Without a size that can be told, the last piece can still be a variable that holds families, or all of it.
        None => pieces.len().checked_sub(1).filter(|last| pieces[*last].1.starts_with("var("))?,
    };
    let (at, _) = pieces.get(start)?;
    let before = pieces[..size.unwrap_or(start)].iter().map(|(_, piece)| *piece).collect();
    Some(Shorthand { at: *at, families: &value[*at..], before })
}

fn is_size(piece: &str) -> bool {
    let size = piece.split('/').next().unwrap_or_default().to_ascii_lowercase();
    let is_number = size.starts_with(|c: char| c.is_ascii_digit() || ".+-".contains(c));
    let has_unit = size.ends_with(|c: char| c.is_ascii_alphabetic() || c == '%');
    let is_function = ["calc(", "clamp(", "min(", "max("]
        .iter()
        .any(|name| piece.to_ascii_lowercase().starts_with(name));
    (is_number && has_unit && !size.ends_with("deg"))
        || SIZES.contains(&size.as_str())
        || is_function
}

/// The parts of a value between blanks that stand in no brackets and no string.
fn split_at_blanks(value: &str) -> Vec<(usize, &str)> {
    let mut pieces = Vec::new();
    let mut start = None;
    let (mut depth, mut quote) = (0_u32, None);
    for (i, c) in value.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None => match c {
                '"' | '\'' => quote = Some(c),
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            },
        }
        if c.is_ascii_whitespace() && depth == 0 && quote.is_none() {
            if let Some(from) = start.take() {
                pieces.push((from, &value[from..i]));
            }
        } else {
            start = start.or(Some(i));
        }
    }
    pieces.extend(start.map(|from| (from, &value[from..])));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(value: &str) -> Vec<String> {
        let tell = |name| match name {
            Name::Named(name) => name,
            Name::Generic(name) => format!("<{name}>"),
            Name::Variable { name, fallback } => format!("{name}={}", fallback.unwrap_or_default()),
            Name::Keyword => "*".to_owned(),
        };
        families(value).into_iter().map(tell).collect()
    }

    #[test]
    fn a_list_of_families_is_split_and_told_apart() {
        for (value, expected) in [
            ("Inter", &["Inter"][..]),
            ("\"Open Sans\", Arial, sans-serif", &["Open Sans", "Arial", "<sans-serif>"]),
            ("Open   Sans", &["Open Sans"]),
            ("'Fira, Code', x !important", &["Fira, Code", "x"]),
            (
                "-apple-system, BlinkMacSystemFont, \"Segoe UI\"",
                &["<-apple-system>", "<blinkmacsystemfont>", "Segoe UI"],
            ),
            ("\"serif\"", &["serif"]),
            ("var(--font-body), serif", &["--font-body=", "<serif>"]),
            ("var( --a , \"B C\", d)", &["--a=\"B C\", d"]),
            ("inherit", &["*"]),
            ("a\\62 c", &["abc"]),
            ("12px", &[]),
            ("", &[]),
        ] {
            assert_eq!(told(value), expected, "{value}");
        }
    }

    #[test]
    fn the_families_of_a_shorthand_start_behind_its_size() {
        for (value, expected, before) in [
            ("12px Inter", Some("Inter"), &[][..]),
            (
                "italic 900 110px/1.2 \"Inter\", sans-serif",
                Some("\"Inter\", sans-serif"),
                &["italic", "900"],
            ),
            ("bold 2em / normal Open Sans", Some("Open Sans"), &["bold"]),
            ("bold 2em/ 1 a", Some("a"), &["bold"]),
            ("bold 2em /1 a", Some("a"), &["bold"]),
            ("small-caps 80% a", Some("a"), &["small-caps"]),
            ("x-large a, b", Some("a, b"), &[]),
            ("700 calc(1px + 2vw)/1 a", Some("a"), &["700"]),
            ("700 clamp(1px, 2vw, 3px) a", Some("a"), &["700"]),
            ("oblique 10deg 12px a", Some("a"), &["oblique", "10deg"]),
            ("var(--font)", Some("var(--font)"), &[]),
            ("700 var(--size) var(--family)", Some("var(--family)"), &["700", "var(--size)"]),
            ("inherit", None, &[]),
            ("caption", None, &[]),
        ] {
            let parts = shorthand(value);
            assert_eq!(parts.as_ref().map(|parts| parts.families), expected, "{value}");
            if let Some(parts) = parts {
                assert_eq!(parts.before, before, "{value}");
                assert!(value[parts.at..].starts_with(parts.families));
            }
        }
    }
}
