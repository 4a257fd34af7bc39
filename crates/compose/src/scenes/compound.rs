//! A selector taken apart into compounds and their simple selectors, with those that name the page itself.

use std::ops::Range;

use cssparser::{Parser, Token};

use crate::css;

/// Simple selectors that stand together, with what joins them to those before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Compound<'i> {
    /// Where it starts in the selector, its combinator included.
    pub(crate) at: usize,
    /// Blanks and a sign; empty for the first.
    pub(crate) combinator: &'i str,
    pub(crate) simples: Vec<Simple<'i>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Simple<'i> {
    pub(crate) text: &'i str,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In lower case.
    Type(String),
    /// `:root`
    Root,
    Id(String),
    Class(String),
    Attribute(String),
    /// `:is()` and its like with the page among what they choose from.
    PageAmong,
    PseudoElement,
    /// `&` or `:scope`
    Anchor,
    Other,
}

/// Pseudo-elements that may be written with one colon.
const OLD_PSEUDO_ELEMENTS: [&str; 4] = ["before", "after", "first-line", "first-letter"];

/// The compounds of one selector, without comments in it.
pub(crate) fn compounds(selector: &str) -> Vec<Compound<'_>> {
    let mut parser = Parser::new(selector);
    let mut found: Vec<Compound<'_>> = Vec::new();
    let mut joined = 0..0;
    let mut is_open = false;
    loop {
        let start = parser.position().byte_index();
        let Ok(token) = parser.next_including_whitespace().cloned() else { return found };
        if let Token::WhiteSpace(_) | Token::Delim('>' | '+' | '~') = token {
            let from = if is_open { start } else { joined.start };
            joined = from..parser.position().byte_index();
            is_open = false;
            continue;
        }
        let kind = simple(&mut parser, &token);
        let text = &selector[start..parser.position().byte_index()];
        if !is_open {
            let combinator = &selector[joined.clone()];
            found.push(Compound { at: joined.start, combinator, simples: Vec::new() });
            is_open = true;
        }
        joined = parser.position().byte_index()..parser.position().byte_index();
        let compound = found.last_mut().expect("one was pushed");
        compound.simples.push(Simple { text, kind });
    }
}

/// Reads the rest of the simple selector that `token` begins.
fn simple(parser: &mut Parser<'_>, token: &Token<'_>) -> Kind {
    match token {
        Token::Ident(name) => Kind::Type(name.to_ascii_lowercase()),
        Token::IDHash(name) | Token::Hash(name) => Kind::Id(name.to_string()),
        Token::Delim('&') => Kind::Anchor,
        Token::Delim('.') => match parser.next_including_whitespace().cloned() {
            Ok(Token::Ident(name)) => Kind::Class(name.to_string()),
            _ => Kind::Other,
        },
        Token::SquareBracketBlock => {
            let mut name = None;
            css::within(parser, |inner| {
                name = inner.expect_ident_cloned().ok().map(|name| name.to_string());
                while inner.next().is_ok() {}
            });
            name.map_or(Kind::Other, |name| Kind::Attribute(name.to_ascii_lowercase()))
        }
        Token::Colon => pseudo(parser),
        Token::Function(_) | Token::ParenthesisBlock => {
            css::within(parser, |inner| while inner.next().is_ok() {});
            Kind::Other
        }
        _ => Kind::Other,
    }
}

fn pseudo(parser: &mut Parser<'_>) -> Kind {
    let next = parser.next_including_whitespace().cloned();
    let (is_element, next) = match next {
        Ok(Token::Colon) => (true, parser.next_including_whitespace().cloned()),
        next => (false, next),
    };
    match next {
        Ok(Token::Function(name)) => {
            let lower = name.to_ascii_lowercase();
            let mut found = Vec::new();
            css::within(parser, |inner| page_names(inner, &mut found));
            let chooses = ["is", "where", "matches", "-webkit-any"].contains(&&*lower);
            match (is_element, chooses && !found.is_empty()) {
                (true, _) => Kind::PseudoElement,
                (false, true) => Kind::PageAmong,
                (false, false) => Kind::Other,
            }
        }
        Ok(Token::Ident(name)) => {
            let lower = name.to_ascii_lowercase();
            match lower.as_str() {
                _ if is_element || OLD_PSEUDO_ELEMENTS.contains(&&*lower) => Kind::PseudoElement,
                "root" => Kind::Root,
                "scope" => Kind::Anchor,
                _ => Kind::Other,
            }
        }
        _ => Kind::Other,
    }
}

/// Where `html`, `body` and `:root` stand in what is left of a parser, those in brackets too.
fn page_names(parser: &mut Parser<'_>, found: &mut Vec<Range<usize>>) {
    let mut before = None;
    loop {
        let start = parser.position().byte_index();
        let Ok(token) = parser.next_including_whitespace().cloned() else { return };
        let end = parser.position().byte_index();
        match (&before, &token) {
            (Some((at, Token::Colon)), Token::Ident(name)) if name.eq_ignore_ascii_case("root") => {
                found.push(*at..end);
            }
            (Some((_, Token::Colon | Token::Delim('.'))), _) => {}
            (_, Token::Ident(name))
                if ["html", "body"].iter().any(|page| name.eq_ignore_ascii_case(page)) =>
            {
                found.push(start..end);
            }
            _ => {}
        }
        if let Token::Function(_) | Token::ParenthesisBlock = token {
            css::within(parser, |inner| page_names(inner, found));
        } else if token == Token::SquareBracketBlock {
            css::within(parser, |inner| while inner.next().is_ok() {});
        }
        before = Some((start, token));
    }
}

/// A simple selector in which every name of the page is replaced by `page`.
pub(crate) fn with_page(text: &str, page: &str) -> String {
    let mut found = Vec::new();
    page_names(&mut Parser::new(text), &mut found);
    css::edit(text, found.into_iter().map(|at| (at, page.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_taken_apart_at_its_combinators() {
        let told = |selector| -> Vec<String> {
            let all = compounds(selector);
            let one = |compound: &Compound<'_>| {
                let simples: Vec<_> = compound.simples.iter().map(|simple| simple.text).collect();
                format!("{}|{}", compound.combinator, simples.join("|"))
            };
            all.iter().map(one).collect()
        };
        for (selector, expected) in [
            ("body.dark > .x:not(.y, z) a", &["|body|.dark", " > |.x|:not(.y, z)", " |a"][..]),
            (":root[data-a='b > c']+p::before", &["|:root|[data-a='b > c']", "+|p|::before"]),
            ("#a\\.b~*", &["|#a\\.b", "~|*"]),
            ("&.x &", &["|&|.x", " |&"]),
        ] {
            assert_eq!(told(selector), expected, "{selector}");
        }
        let kinds = |selector| -> Vec<Kind> {
            compounds(selector).remove(0).simples.into_iter().map(|simple| simple.kind).collect()
        };
        assert_eq!(kinds("HTML:root"), [Kind::Type("html".into()), Kind::Root]);
        assert_eq!(kinds(":is(.a, body)::after"), [Kind::PageAmong, Kind::PseudoElement]);
        assert_eq!(kinds(":not(body):is(.body, #html)"), [Kind::Other, Kind::Other]);
        assert_eq!(with_page(":where(:root, html.x, .body)", "[h]"), ":where([h], [h].x, .body)");
    }
}
