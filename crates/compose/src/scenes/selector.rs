//! Selectors of a nested composition, rewritten so that they reach its own instance only.

use std::ops::Range;

use cssparser::{Parser, Token};

use crate::css;

/// Which instance a style sheet belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    /// The id that the instance has in the whole document.
    pub(crate) instance: String,
    /// The composition id that its author wrote.
    pub(crate) authored: String,
    /// The `id` of its root element, which is taken from it.
    pub(crate) root: Option<String>,
}

impl Scope {
    /// The selector of the instance's host.
    pub(crate) fn host(&self) -> String {
        format!("[data-composition-id={}]", css::string(&self.instance))
    }

    /// The element that stands for the whole page of the instance: its inner root, or the host where there is none.
    fn whole(&self) -> String {
        let host = self.host();
        format!("{host}:not(:has([data-hf-inner-root])), {host} > [data-hf-inner-root]")
    }

    /// A list of selectors, each for this instance.
    pub(crate) fn list(&self, selectors: &str) -> String {
        let (mut all, mut start) = (Vec::new(), 0);
        let parts = parts(selectors);
        for (at, part) in &parts {
            if *part == Part::Comma {
                all.push(self.one(&selectors[start..at.start]));
                start = at.end;
            }
        }
        all.push(self.one(&selectors[start..]));
        all.join(",")
    }

    fn one(&self, selector: &str) -> String {
        let plain = without_comments(selector);
        let trimmed = plain.trim();
        if trimmed.is_empty() || trimmed == "*" {
            return selector.to_owned();
        }
        let before = &selector[..selector.len() - selector.trim_start().len()];
        let after = &selector[selector.trim_end().len()..];
        if ["html", "body", ":root"].iter().any(|name| trimmed.eq_ignore_ascii_case(name)) {
            return format!("{before}{}{after}", self.whole());
        }
        let pieces = self.with_own_names(trimmed);
        let names_host = pieces.contains(&Piece::Host);
        let text: String = pieces.iter().map(|piece| self.write(piece)).collect();
        let scoped = match pieces.as_slice() {
            [Piece::Host] => self.whole(),
            _ if names_host => text,
            _ => format!("{} {text}", self.host()),
        };
        format!("{before}{scoped}{after}")
    }

    fn write(&self, piece: &Piece<'_>) -> String {
        match piece {
            Piece::Text(text) | Piece::Timing(text) => (*text).to_owned(),
            Piece::Host => self.host(),
            Piece::Root => {
                let id = self.root.as_deref().unwrap_or("");
                format!("[data-hf-authored-id={}]", css::string(id))
            }
        }
    }

    /// The selector with its author's names for the composition and its root element found.
    fn with_own_names<'i>(&self, selector: &'i str) -> Vec<Piece<'i>> {
        let mut pieces = Vec::new();
        for (at, part) in parts(selector) {
            let text = &selector[at];
            match part {
                Part::Attribute { name, value } if name == "data-composition-id" => {
                    let is_host = value.as_ref() == Some(&self.authored);
                    // The host's own times are written elsewhere in the whole document.
                    while is_host && matches!(pieces.last(), Some(Piece::Timing(_))) {
                        pieces.pop();
                    }
                    pieces.push(if is_host { Piece::Host } else { Piece::Text(text) });
                }
                Part::Attribute { name, value: Some(_) } if TIMING.contains(&&*name) => {
                    if pieces.last() != Some(&Piece::Host) {
                        pieces.push(Piece::Timing(text));
                    }
                }
                Part::Id(name) if self.root.as_ref() == Some(&name) => pieces.push(Piece::Root),
                _ => pieces.push(Piece::Text(text)),
            }
        }
        pieces
    }
}

/// Attributes that say when a composition is on.
const TIMING: [&str; 2] = ["data-start", "data-duration"];

/// What a part of a selector is to an instance.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'i> {
    Text(&'i str),
    Timing(&'i str),
    Host,
    Root,
}

/// A part of a selector, as the language has it.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// `[name operator "value"]`.
    Attribute {
        name: String,
        value: Option<String>,
    },
    Id(String),
    /// One between selectors.
    Comma,
    Comment,
    Other,
}

/// All parts of a list of selectors with their bytes, those in brackets too.
fn parts(selectors: &str) -> Vec<(Range<usize>, Part)> {
    let mut found = Vec::new();
    read(&mut Parser::new(selectors), Depth::Outermost, &mut found);
    found
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Outermost,
    InBrackets,
}

fn read(parser: &mut Parser<'_>, depth: Depth, found: &mut Vec<(Range<usize>, Part)>) {
    loop {
        let start = parser.position().byte_index();
        let Ok(token) = parser.next_including_whitespace_and_comments().cloned() else { return };
        let part = match token {
            Token::Comma if depth == Depth::Outermost => Part::Comma,
            Token::Comment(_) => Part::Comment,
            Token::IDHash(name) | Token::Hash(name) => Part::Id(name.to_string()),
            Token::SquareBracketBlock => {
                let mut part = Part::Other;
                css::within(parser, |inner| part = attribute(inner).unwrap_or(Part::Other));
                part
            }
            Token::Function(_) | Token::ParenthesisBlock => {
                found.push((start..parser.position().byte_index(), Part::Other));
                let mut end = start;
                css::within(parser, |inner| {
                    read(inner, Depth::InBrackets, found);
                    end = inner.position().byte_index();
                });
                found.push((end..parser.position().byte_index(), Part::Other));
                continue;
            }
            _ => Part::Other,
        };
        found.push((start..parser.position().byte_index(), part));
    }
}

/// Reads what stands between the brackets of an attribute test, to the end.
fn attribute(parser: &mut Parser<'_>) -> Option<Part> {
    let name = parser.expect_ident_cloned().map(|name| name.to_string());
    let operator = parser.next().cloned();
    let value = match parser.next().cloned() {
        Ok(Token::Ident(value) | Token::QuotedString(value)) => Some(value.to_string()),
        // A number is no value in CSS; the whole rule does not count.
        Ok(_) => Some(String::new()),
        Err(_) => None,
    };
    while parser.next().is_ok() {}
    let compares = matches!(
        operator,
        Ok(Token::Delim('=') | Token::PrefixMatch | Token::SuffixMatch | Token::SubstringMatch)
    );
    Some(Part::Attribute { name: name.ok()?, value: value.filter(|_| compares) })
}

fn without_comments(selector: &str) -> String {
    let parts = parts(selector).into_iter().filter(|(_, part)| *part != Part::Comment);
    parts.map(|(at, _)| &selector[at]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_reaches_its_own_instance_only() {
        let scope = Scope {
            instance: "card__hf1".into(),
            authored: "card".into(),
            root: Some("root".into()),
        };
        let s = "[data-composition-id=\"card__hf1\"]";
        let whole = format!("{s}:not(:has([data-hf-inner-root])), {s} > [data-hf-inner-root]");
        let root = "[data-hf-authored-id=\"root\"]";
        for (selector, expected) in [
            (".title", format!("{s} .title")),
            ("*", "*".into()),
            ("* > b", format!("{s} * > b")),
            (" a , b\n", format!(" {s} a , {s} b\n")),
            ("body", whole.clone()),
            ("HTML", whole.clone()),
            (":root", whole.clone()),
            ("[data-composition-id=\"card\"]", whole.clone()),
            ("[data-composition-id='card']", whole.clone()),
            ("[ data-composition-id = card ]", whole.clone()),
            ("[data-composition-id=card][data-start=\"0\"]", whole.clone()),
            ("[data-start='0'][data-duration='4'][data-composition-id=card]", whole.clone()),
            ("body.dark .x", format!("{s} body.dark .x")),
            ("[data-composition-id=\"card\"] .title", format!("{s} .title")),
            ("[data-composition-id=\"card\"][data-start='0'] > p", format!("{s} > p")),
            (".a [data-composition-id=\"card\"] .b", format!(".a {s} .b")),
            ("[data-composition-id=\"other\"] b", format!("{s} [data-composition-id=\"other\"] b")),
            ("#root", format!("{s} {root}")),
            ("#root > .x", format!("{s} {root} > .x")),
            ("#root.wide", format!("{s} {root}.wide")),
            ("#\\72oot b", format!("{s} {root} b")),
            ("#rooted", format!("{s} #rooted")),
            ("#root-2", format!("{s} #root-2")),
            ("[href='#root']", format!("{s} [href='#root']")),
            (":is(a, b) c", format!("{s} :is(a, b) c")),
            ("a[title=',']", format!("{s} a[title=',']")),
            (".md\\:flex", format!("{s} .md\\:flex")),
            ("/* its page */ body", whole.clone()),
            (":is(#root, [data-composition-id=card] b) c", format!(":is({root}, {s} b) c")),
            ("a:not([title=')'] , b)", format!("{s} a:not([title=')'] , b)")),
            ("a[data-start='1'] b", format!("{s} a[data-start='1'] b")),
            ("#root/* , */ b", format!("{s} {root} b")),
        ] {
            assert_eq!(scope.list(selector), expected, "{selector}");
        }
    }

    #[test]
    fn a_quote_in_an_id_stays_in_its_string() {
        let scope = Scope { instance: "a\"b".into(), authored: "x".into(), root: None };
        assert_eq!(scope.list("p"), "[data-composition-id=\"a\\\"b\"] p");
    }
}
