//! Style sheets as text in which single places are changed and every other byte stays.

use std::ops::Range;

use cssparser::{ParseError, Parser, Token};

/// A place in a style sheet that somebody may want to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CssSpan {
    /// The selectors of a rule that stands on its own or in a conditional group.
    Selectors(Range<usize>),
    /// A `url(…)` or the string of an `@import`, all of it, and the address it holds.
    Url { at: Range<usize>, address: String },
}

/// Groups whose rules are rules of the sheet.
const GROUPS: [&str; 8] = [
    "media",
    "supports",
    "layer",
    "container",
    "document",
    "-moz-document",
    "scope",
    "starting-style",
];

/// The places of `css` in their order.
pub(crate) fn places(css: &str) -> Vec<CssSpan> {
    let mut parser = Parser::new(css);
    let mut found = Vec::new();
    rules(&mut parser, Inside::Sheet, &mut found);
    found
}

/// The places of what stands in a `style` attribute: addresses only.
pub(crate) fn places_in_declarations(css: &str) -> Vec<CssSpan> {
    let mut parser = Parser::new(css);
    let mut found = Vec::new();
    addresses(&mut parser, &mut found);
    found
}

/// `css` with some places put otherwise: `change` gives the new text of one, or `None` to leave it.
pub(crate) fn rewrite(
    css: &str,
    places: &[CssSpan],
    mut change: impl FnMut(&CssSpan) -> Option<String>,
) -> String {
    let mut out = String::with_capacity(css.len());
    let mut copied = 0;
    for place in places {
        let (CssSpan::Selectors(at) | CssSpan::Url { at, .. }) = place;
        if let Some(text) = change(place) {
            out.push_str(&css[copied..at.start]);
            out.push_str(&text);
            copied = at.end;
        }
    }
    out.push_str(&css[copied..]);
    out
}

/// `url("…")` with an address in it.
pub(crate) fn url(address: &str) -> String {
    let mut text = String::from("url(");
    cssparser::serialize_string(address, &mut text).expect("writing to memory does not fail");
    text.push(')');
    text
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Sheet,
    /// Declarations, or rules that are none of the sheet: steps of an animation, nested rules.
    Other,
}

fn rules(parser: &mut Parser<'_>, inside: Inside, found: &mut Vec<CssSpan>) {
    let mut start = None;
    let mut at_rule: Option<String> = None;
    loop {
        let before = parser.position().byte_index();
        let Ok(token) = parser.next_including_whitespace_and_comments().cloned() else { break };
        let after = parser.position().byte_index();
        match token {
            Token::WhiteSpace(_) | Token::Comment(_) | Token::CDO | Token::CDC
                if start.is_none() =>
            {
                continue;
            }
            Token::CurlyBracketBlock => {
                let prelude = start.unwrap_or(before)..before;
                let is_group = at_rule
                    .as_deref()
                    .is_some_and(|name| GROUPS.contains(&name) && inside == Inside::Sheet);
                if at_rule.is_none() && inside == Inside::Sheet {
                    found.push(CssSpan::Selectors(prelude));
                }
                let inner = if is_group { Inside::Sheet } else { Inside::Other };
                nested(parser, |parser| rules(parser, inner, found));
                (start, at_rule) = (None, None);
                continue;
            }
            Token::Semicolon => {
                (start, at_rule) = (None, None);
                continue;
            }
            Token::AtKeyword(name) if start.is_none() => {
                at_rule = Some(name.to_ascii_lowercase());
            }
            Token::QuotedString(address) if at_rule.as_deref() == Some("import") => {
                found.push(CssSpan::Url { at: before..after, address: address.to_string() });
            }
            other => address(parser, &other, before, found),
        }
        start = start.or(Some(before));
    }
}

/// Addresses in `parser`, at any depth.
fn addresses(parser: &mut Parser<'_>, found: &mut Vec<CssSpan>) {
    loop {
        let before = parser.position().byte_index();
        let Ok(token) = parser.next_including_whitespace_and_comments().cloned() else { break };
        address(parser, &token, before, found);
    }
}

fn address(parser: &mut Parser<'_>, token: &Token<'_>, before: usize, found: &mut Vec<CssSpan>) {
    match token {
        Token::UnquotedUrl(address) => found.push(CssSpan::Url {
            at: before..parser.position().byte_index(),
            address: address.to_string(),
        }),
        Token::Function(name)
            if name.eq_ignore_ascii_case("url") || name.eq_ignore_ascii_case("src") =>
        {
            let mut address = None;
            nested(parser, |parser| {
                address = parser.expect_string().ok().map(ToString::to_string);
                while parser.next().is_ok() {}
            });
            if let Some(address) = address {
                found.push(CssSpan::Url { at: before..parser.position().byte_index(), address });
            }
        }
        Token::Function(_)
        | Token::ParenthesisBlock
        | Token::SquareBracketBlock
        | Token::CurlyBracketBlock => nested(parser, |parser| addresses(parser, found)),
        _ => {}
    }
}

/// Walks through the block that was just opened, to its end.
fn nested(parser: &mut Parser<'_>, walk: impl FnOnce(&mut Parser<'_>)) {
    let walked: Result<(), ParseError<()>> = parser.parse_nested_block(|parser| {
        walk(parser);
        Ok(())
    });
    debug_assert!(walked.is_ok(), "a walk to the end of a block leaves nothing");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selectors(css: &str) -> Vec<&str> {
        let found = places(css);
        found
            .iter()
            .filter_map(|place| match place {
                CssSpan::Selectors(at) => Some(&css[at.clone()]),
                CssSpan::Url { .. } => None,
            })
            .collect()
    }

    #[test]
    fn the_selectors_of_a_sheet_are_those_of_its_own_rules() {
        for (css, expected) in [
            ("a{} b , c {x:y}", &["a", "b , c "][..]),
            ("/* { */ a/* } */{}", &["a/* } */"]),
            ("@media (min-width: 1px) { a {} @supports (x: y) { b {} } } c{}", &["a ", "b ", "c"]),
            ("@keyframes k { from {} 50% {} } a{}", &["a"]),
            ("@font-face { src: url(x) } a{}", &["a"]),
            ("@import 'x'; @layer base; @layer base { a{} }", &["a"]),
            (
                "a { color: red; &:hover { x: y } b & { x: y } @media print { c: d } } e{}",
                &["a ", "e"],
            ),
            ("a[title='{']:is(b, c) {} \"x\" {}", &["a[title='{']:is(b, c) ", "\"x\" "]),
            ("a { x: y", &["a "]),
            ("} a{}", &["} a"]),
        ] {
            assert_eq!(selectors(css), expected, "{css}");
        }
    }

    #[test]
    fn an_address_is_found_wherever_it_stands_and_replaced_alone() {
        for (css, expected) in [
            ("a{background:url(x.png)}", "a{background:url(\"/x.png\")}"),
            (
                "a{background:URL( 'x y.png' ) no-repeat}",
                "a{background:url(\"/x y.png\") no-repeat}",
            ),
            ("@import \"x.css\" screen;", "@import \"/x.css\" screen;"),
            ("@import url(x.css);", "@import url(\"/x.css\");"),
            (
                "@media print{a{b:image-set(url(x) 1x)}}",
                "@media print{a{b:image-set(url(\"/x\") 1x)}}",
            ),
            ("/* url(x) */a{content:'url(x)'}", "/* url(x) */a{content:'url(x)'}"),
            (
                "@font-face{src:url(a.woff),url(a.woff2)}",
                "@font-face{src:url(\"/a.woff\"),url(\"/a.woff2\")}",
            ),
            ("a{--x:url(x);b{c:url(y)}}", "a{--x:url(\"/x\");b{c:url(\"/y\")}}"),
        ] {
            let changed = rewrite(css, &places(css), |place| match place {
                CssSpan::Url { at, address } if css[at.clone()].starts_with('"') => {
                    Some(format!("\"/{address}\""))
                }
                CssSpan::Url { address, .. } => Some(url(&format!("/{address}"))),
                CssSpan::Selectors(_) => None,
            });
            assert_eq!(changed, expected);
        }
        let style = "background: url(x); mask: image(url('y'))";
        assert_eq!(places_in_declarations(style).len(), 2);
    }
}
