//! Selectors of a nested composition, rewritten so that they reach its own instance only.

use std::ops::Range;

use cssparser::{Parser, Token};

use crate::css;
use crate::scenes::compound::{Compound, Kind, Simple, compounds, with_page};
use crate::scenes::page::{ElementNames, Page};

/// Which instance a style sheet belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    /// The id that the instance has in the whole document.
    pub(crate) instance: String,
    /// The composition id that its author wrote.
    pub(crate) authored: String,
    /// The `id` of its root element, which is taken from it.
    pub(crate) root: Option<String>,
    /// What its style sheets may call its page by.
    pub(crate) page: Page,
}

impl Scope {
    /// The selector of the instance's host.
    pub(crate) fn host(&self) -> String {
        format!("[data-composition-id={}]", css::string(&self.instance))
    }

    /// The element that stands for the page of the instance where `conditions` hold of it: its inner root, or the host where
    /// there is none.
    fn whole(&self, conditions: &str, pseudo_element: &str) -> String {
        let host = self.host();
        format!(
            "{host}{conditions}:not(:has([data-hf-inner-root])){pseudo_element}, \
             {host}{conditions} > [data-hf-inner-root]{pseudo_element}"
        )
    }

    /// A list of selectors, each for this instance. Those that can match nothing in it are added to `lost`.
    pub(crate) fn list(&self, selectors: &str, lost: &mut Vec<String>) -> String {
        let each = split(selectors).into_iter().map(|one| self.one(one, lost));
        each.collect::<Vec<_>>().join(",")
    }

    /// A list of selectors that are relative to something around them; `None` if no page is named before that.
    pub(crate) fn inner_list(&self, selectors: &str) -> Option<String> {
        let parts = split(selectors);
        let changed: Vec<_> = parts.iter().map(|one| self.inner(one)).collect();
        if changed.iter().all(Option::is_none) {
            return None;
        }
        let all = parts.iter().zip(changed);
        let all: Vec<_> =
            all.map(|(one, changed)| changed.unwrap_or_else(|| (*one).to_owned())).collect();
        Some(all.join(","))
    }

    /// A list of selectors of an `@scope`. They count as much against other rules as they did, since those got the instance's
    /// host before them.
    pub(crate) fn scoped_list(&self, selectors: &str) -> String {
        let parts = split(selectors).into_iter();
        let each = parts.map(|one| self.inner(one).unwrap_or_else(|| with_weight(one)));
        each.collect::<Vec<_>>().join(",")
    }

    /// The prelude of an `@scope`: its roots are those of this instance, and so are its limits, which are in them.
    pub(crate) fn scope_prelude(&self, prelude: &str, lost: &mut Vec<String>) -> String {
        let mut parser = Parser::new(prelude);
        let mut roots = None;
        let _at_rule = parser.next();
        let after_name = parser.position().byte_index();
        if matches!(parser.next(), Ok(Token::ParenthesisBlock)) {
            css::within(&mut parser, |inner| {
                let start = inner.position().byte_index();
                while inner.next().is_ok() {}
                roots = Some(start..inner.position().byte_index());
            });
        }
        match roots {
            Some(at) => {
                let scoped = self.list(&prelude[at.clone()], lost);
                css::edit(prelude, vec![(at, scoped)])
            }
            None => css::edit(
                prelude,
                vec![(after_name..after_name, format!(" ({})", self.whole("", "")))],
            ),
        }
    }

    fn one(&self, selector: &str, lost: &mut Vec<String>) -> String {
        let plain = without_comments(selector);
        let trimmed = plain.trim();
        // There is one tree of view transitions, that of the whole document.
        if trimmed.is_empty() || trimmed == "*" || trimmed.contains("::view-transition") {
            return selector.to_owned();
        }
        let before = &selector[..selector.len() - selector.trim_start().len()];
        let after = &selector[selector.trim_end().len()..];
        let compounds = compounds(trimmed);
        let mut scoped = Vec::new();
        if !compounds.iter().any(names_page) {
            scoped.push(self.inside(trimmed));
        }
        let boxed =
            (1..=compounds.len().min(2)).filter(|count| self.may_be_box(&compounds, *count));
        scoped.extend(boxed.map(|count| self.boxed(trimmed, &compounds, count)));
        if scoped.is_empty() {
            lost.push(trimmed.to_owned());
            scoped.push(self.inside(trimmed));
        }
        format!("{before}{}{after}", scoped.join(", "))
    }

    /// A selector of elements in the box.
    fn inside(&self, selector: &str) -> String {
        let pieces = self.with_own_names(selector);
        let text: String = pieces.iter().map(|piece| self.write(piece)).collect();
        match pieces.as_slice() {
            [Piece::Host] => self.whole("", ""),
            _ if pieces.contains(&Piece::Host) => text,
            _ => format!("{} {text}", self.host()),
        }
    }

    /// A selector whose first `count` compounds are the page, for which the box stands.
    fn boxed(&self, selector: &str, compounds: &[Compound<'_>], count: usize) -> String {
        let (page, rest) = compounds.split_at(count);
        let conditions = self.conditions(page);
        let Some(first) = rest.first() else {
            let last = page.iter().flat_map(|compound| &compound.simples);
            let pseudo_element: String = last
                .skip_while(|simple| simple.kind != Kind::PseudoElement)
                .map(|s| s.text)
                .collect();
            return self.whole(&conditions, &pseudo_element);
        };
        let pieces = self.with_own_names(&selector[first.at + first.combinator.len()..]);
        let write = |pieces: &[Piece<'_>]| -> String {
            pieces.iter().map(|piece| self.write(piece)).collect()
        };
        match pieces.as_slice() {
            // The box itself is named as well.
            [Piece::Host] => self.whole(&conditions, ""),
            [Piece::Host, rest @ ..] => format!("{}{conditions}{}", self.host(), write(rest)),
            pieces => format!("{}{conditions}{}{}", self.host(), first.combinator, write(pieces)),
        }
    }

    /// What must hold of the box beside its being the page.
    fn conditions(&self, page: &[Compound<'_>]) -> String {
        let host = self.host();
        let simples = page.iter().flat_map(|compound| &compound.simples);
        let kept = simples.take_while(|simple| simple.kind != Kind::PseudoElement);
        let kept = kept.filter_map(|simple| match &simple.kind {
            Kind::Type(_) | Kind::Root | Kind::Id(_) => None,
            Kind::PageAmong => Some(with_page(simple.text, &host)),
            _ => Some(simple.text.to_owned()),
        });
        kept.collect()
    }

    /// Whether the first `count` compounds can be the page, and the others something in it.
    fn may_be_box(&self, compounds: &[Compound<'_>], count: usize) -> bool {
        let (page, rest) = compounds.split_at(count);
        let is_child = rest.first().is_none_or(|first| !first.combinator.contains(['+', '~']));
        if !is_child || rest.iter().any(names_page) {
            return false;
        }
        let Page { html, body } = &self.page;
        match page {
            [html_or_body] => {
                let has_parent = rest.first().is_some_and(|first| first.combinator.contains('>'));
                (can_be(html_or_body, "html", html) && !has_parent)
                    || can_be(html_or_body, "body", body)
            }
            [first, second] => {
                can_be(first, "html", html)
                    && can_be(second, "body", body)
                    && !second.combinator.contains(['+', '~'])
            }
            _ => false,
        }
    }

    /// A selector with the page named before what it is relative to.
    fn inner(&self, selector: &str) -> Option<String> {
        let plain = without_comments(selector);
        let trimmed = plain.trim();
        let compounds = compounds(trimmed);
        let is_anchored = |compound: &Compound<'_>| {
            compound.simples.iter().any(|simple| simple.kind == Kind::Anchor)
        };
        let possible = (1..compounds.len().min(3)).filter(|count| {
            let (page, rest) = compounds.split_at(*count);
            !page.iter().any(is_anchored)
                && rest.iter().any(is_anchored)
                && self.may_be_box(&compounds, *count)
        });
        let boxed: Vec<_> = possible.map(|count| self.boxed(trimmed, &compounds, count)).collect();
        if boxed.is_empty() {
            return None;
        }
        let unchanged = (!compounds.iter().any(names_page)).then(|| selector.to_owned());
        Some(unchanged.into_iter().chain(boxed).collect::<Vec<_>>().join(", "))
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

/// Whether a compound says that its element is the page.
fn names_page(compound: &Compound<'_>) -> bool {
    let is_page = |name: &str| name == "html" || name == "body";
    compound.simples.iter().any(|simple| match &simple.kind {
        Kind::Type(name) => is_page(name),
        Kind::Root => true,
        _ => false,
    })
}

/// Whether a compound can be the element `tag` of the page with these names: it says so, or has nothing but names of it.
fn can_be(compound: &Compound<'_>, tag: &str, names: &ElementNames) -> bool {
    let mut is_named = false;
    for simple in &compound.simples {
        match &simple.kind {
            Kind::Type(name) if name == tag => is_named = true,
            Kind::Root if tag == "html" => is_named = true,
            Kind::PageAmong => is_named = true,
            Kind::Type(name) if name != "*" => return false,
            Kind::Root | Kind::Anchor => return false,
            Kind::Id(id) if names.id.as_ref() != Some(id) => return false,
            Kind::Type(_)
            | Kind::Id(_)
            | Kind::Class(_)
            | Kind::Attribute(_)
            | Kind::PseudoElement
            | Kind::Other => {}
        }
    }
    let has = |simple: &Simple<'_>| match &simple.kind {
        Kind::Id(_) => Some(true),
        Kind::Class(class) => Some(names.classes.contains(class)),
        Kind::Attribute(name) => Some(names.attributes.iter().any(|(own, _)| own == name)),
        _ => None,
    };
    let mut held = compound.simples.iter().filter_map(has).peekable();
    is_named || (held.peek().is_some() && held.all(|is_held| is_held))
}

/// A selector that matches the same and counts one attribute more.
fn with_weight(selector: &str) -> String {
    const HOLDS_ALWAYS: &str = ":not([data-hf-no-such])";
    let trimmed = selector.trim_end();
    let last = compounds(trimmed).pop();
    let simples = last.iter().flat_map(|last| &last.simples);
    let pseudo_element: usize = simples
        .skip_while(|simple| simple.kind != Kind::PseudoElement)
        .map(|simple| simple.text.len())
        .sum();
    let (before, after) = selector.split_at(trimmed.len() - pseudo_element);
    format!("{before}{HOLDS_ALWAYS}{after}")
}

/// The selectors of a list.
fn split(selectors: &str) -> Vec<&str> {
    let (mut all, mut start) = (Vec::new(), 0);
    for (at, part) in parts(selectors) {
        if part == Part::Comma {
            all.push(&selectors[start..at.start]);
            start = at.end;
        }
    }
    all.push(&selectors[start..]);
    all
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
            page: Page::default(),
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
            assert_eq!(scope.list(selector, &mut Vec::new()), expected, "{selector}");
        }
    }

    #[test]
    fn a_quote_in_an_id_stays_in_its_string() {
        let scope = Scope {
            instance: "a\"b".into(),
            authored: "x".into(),
            root: None,
            page: Page::default(),
        };
        assert_eq!(scope.list("p", &mut Vec::new()), "[data-composition-id=\"a\\\"b\"] p");
    }

    #[test]
    fn the_box_of_a_scene_stands_for_its_page() {
        let document = crate::document::html::parse(
            "<html id=top class='js wide' data-theme=dark><body class=dark id=page></body></html>",
        );
        let page = Page::of(&document);
        let scope =
            Scope { instance: "c".into(), authored: "c".into(), root: Some("root".into()), page };
        let h = "[data-composition-id=\"c\"]";
        let root = "[data-hf-authored-id=\"root\"]";
        let whole = |conditions: &str, pseudo: &str| {
            format!(
                "{h}{conditions}:not(:has([data-hf-inner-root])){pseudo}, {h}{conditions} > [data-hf-inner-root]{pseudo}"
            )
        };
        for (selector, expected) in [
            ("body .x", format!("{h} .x")),
            ("html body .x", format!("{h} .x")),
            ("html > body > .x", format!("{h} > .x")),
            (":root .x", format!("{h} .x")),
            ("body > #root .x", format!("{h} > {root} .x")),
            ("body.dark .x", format!("{h}.dark .x")),
            ("body:not(.light) .x", format!("{h}:not(.light) .x")),
            ("html.js body.dark .x", format!("{h}.js.dark .x")),
            (".dark .x", format!("{h} .dark .x, {h}.dark .x")),
            (".wide .x,b", format!("{h} .wide .x, {h}.wide .x,{h} b")),
            (".wide .dark .x", format!("{h} .wide .dark .x, {h}.wide .dark .x, {h}.wide.dark .x")),
            ("[data-theme=dark] .x", format!("{h} [data-theme=dark] .x, {h}[data-theme=dark] .x")),
            ("#page .x", format!("{h} #page .x, {h} .x")),
            (":root[data-theme='dark']", whole("[data-theme='dark']", "")),
            (".dark", format!("{h} .dark, {}", whole(".dark", ""))),
            ("body.dark::before", whole(".dark", "::before")),
            (":is(body, .y) .x", format!("{h} :is(body, .y) .x, {h}:is({h}, .y) .x")),
            (":where(:root)", format!("{h} :where(:root), {}", whole(&format!(":where({h})"), ""))),
            ("body.dark [data-composition-id=c] .x", format!("{h}.dark .x")),
            (".other .x", format!("{h} .other .x")),
            ("::view-transition-old(root)", "::view-transition-old(root)".to_owned()),
        ] {
            let mut lost = Vec::new();
            assert_eq!(scope.list(selector, &mut lost), expected, "{selector}");
            assert_eq!(lost, [""; 0], "{selector}");
        }
        for selector in [".x body .y", "body + .x", "html > .x", "body html"] {
            let mut lost = Vec::new();
            scope.list(selector, &mut lost);
            assert_eq!(lost, [selector]);
        }
        for (selector, expected) in [
            ("body.dark &", Some(format!("{h}.dark &"))),
            (".dark & .y", Some(format!(".dark & .y, {h}.dark & .y"))),
            (".dark .y", None),
            ("&:hover", None),
        ] {
            assert_eq!(scope.inner_list(selector), expected, "{selector}");
        }
        for (selector, expected) in [
            (".x", ".x:not([data-hf-no-such])".to_owned()),
            (
                " :scope > a::before , b ",
                " :scope > a:not([data-hf-no-such])::before , b:not([data-hf-no-such]) ".to_owned(),
            ),
            ("body.dark :scope", format!("{h}.dark :scope")),
        ] {
            assert_eq!(scope.scoped_list(selector), expected, "{selector}");
        }
        for (prelude, expected) in [
            ("@scope (.card) to (.end)", format!("@scope ({h} .card) to (.end)")),
            ("@scope (body)", format!("@scope ({})", whole("", ""))),
            ("@scope", format!("@scope ({})", whole("", ""))),
            ("@scope to (.end)", format!("@scope ({}) to (.end)", whole("", ""))),
        ] {
            assert_eq!(scope.scope_prelude(prelude, &mut Vec::new()), expected, "{prelude}");
        }
    }
}
