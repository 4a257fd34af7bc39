//! CSS as far as it matters here: blocks with their declarations, imports and URLs, each with its place in the text, so that
//! an edit leaves every other byte as it is.

pub(crate) mod query;
#[cfg(test)]
mod tests;

use std::ops::Range;

use cssparser::{Parser, Token};

/// The blocks of a stylesheet or of a style attribute, in order, however deep they are nested.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sheet<'i> {
    pub(crate) blocks: Vec<Block<'i>>,
    pub(crate) imports: Vec<Link>,
}

/// Declarations that stand together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block<'i> {
    /// What stands before the brace: selectors, or an at-rule. Empty in a style attribute.
    pub(crate) prelude: &'i str,
    /// Where the prelude starts in the text.
    pub(crate) at: usize,
    kind: BlockKind,
    pub(crate) declarations: Vec<Declaration<'i>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BlockKind {
    /// The sheet itself, or a conditional group in it: its rules are rules of the sheet.
    Group,
    /// A style rule of the sheet.
    Rule,
    /// `@scope`: its rules are relative to the element that its prelude names.
    Scope,
    /// A style rule of an `@scope`, and a conditional group around such rules.
    Scoped,
    ScopedGroup,
    /// A style rule that is nested in another, and a conditional group around such rules.
    Inner,
    InnerGroup,
    /// Descriptors, steps of an animation.
    Other,
}

impl BlockKind {
    /// The kind of a block in one of this kind, by the name of its at-rule.
    fn inside(self, at_rule: Option<&str>) -> Self {
        match (self, at_rule) {
            (Self::Group, None) => Self::Rule,
            (Self::Group, Some("scope")) => Self::Scope,
            (Self::Group, Some(name)) if GROUPS.contains(&name) => Self::Group,
            (Self::Scope | Self::ScopedGroup, None) => Self::Scoped,
            (Self::Scope | Self::ScopedGroup, Some(name)) if GROUPS.contains(&name) => {
                Self::ScopedGroup
            }
            (Self::Rule | Self::Scoped | Self::Inner | Self::InnerGroup, None) => Self::Inner,
            (Self::Rule | Self::Scoped | Self::Inner | Self::InnerGroup, Some(name))
                if GROUPS.contains(&name) =>
            {
                Self::InnerGroup
            }
            _ => Self::Other,
        }
    }
}

/// At-rules whose rules are rules of what they stand in.
const GROUPS: [&str; 7] =
    ["media", "supports", "layer", "container", "document", "-moz-document", "starting-style"];

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Declaration<'i> {
    /// In lower case, unless it is a custom property.
    pub(crate) name: String,
    pub(crate) value: &'i str,
    /// Where the value starts in the text.
    pub(crate) at: usize,
}

/// A URL in CSS and the bytes it takes, those of `url()` or of the quotes included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) span: Range<usize>,
    pub(crate) url: String,
}

/// What a URL in CSS is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Import,
    Font,
    Image,
}

impl Block<'_> {
    /// Whether this is an at-rule of the given name.
    pub(crate) fn is_at(&self, name: &str) -> bool {
        at_name(self.prelude).is_some_and(|word| word.eq_ignore_ascii_case(name))
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let found = self.declarations.iter().rfind(|declaration| declaration.name == name);
        found.map(|declaration| declaration.value)
    }
}

impl Sheet<'_> {
    /// Where the selectors of a rule stand that is one of the sheet's own, or in a conditional group.
    pub(crate) fn selectors(&self) -> impl Iterator<Item = Range<usize>> {
        self.preludes(BlockKind::Rule)
    }

    /// The same of a rule that is nested in another.
    pub(crate) fn inner_selectors(&self) -> impl Iterator<Item = Range<usize>> {
        self.preludes(BlockKind::Inner)
    }

    /// The same of a rule of an `@scope`.
    pub(crate) fn scoped_selectors(&self) -> impl Iterator<Item = Range<usize>> {
        self.preludes(BlockKind::Scoped)
    }

    /// Where the preludes of `@scope` stand, the name of the rule included.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = Range<usize>> {
        self.preludes(BlockKind::Scope)
    }

    fn preludes(&self, kind: BlockKind) -> impl Iterator<Item = Range<usize>> {
        let blocks = self.blocks.iter().filter(move |block| block.kind == kind);
        blocks.map(|block| block.at..block.at + block.prelude.len())
    }

    /// Every URL, whether a browser asks for it or not.
    pub(crate) fn urls(&self) -> Vec<Link> {
        let declarations = self.blocks.iter().flat_map(|block| &block.declarations);
        self.imports.iter().cloned().chain(declarations.flat_map(urls_of)).collect()
    }
}

pub(crate) fn parse(text: &str) -> Sheet<'_> {
    let mut sheet = Sheet::default();
    read_block(text, &mut Parser::new(text), (0..0, BlockKind::Group), &mut sheet);
    sheet
}

/// The name of an at-rule, from its prelude.
fn at_name(prelude: &str) -> Option<String> {
    match Parser::new(prelude).next() {
        Ok(Token::AtKeyword(name)) => Some(name.to_ascii_lowercase()),
        _ => None,
    }
}

/// An address as a CSS string.
pub(crate) fn string(address: &str) -> String {
    let mut text = String::new();
    cssparser::serialize_string(address, &mut text).expect("writing to memory does not fail");
    text
}

/// An address as `url("…")`.
pub(crate) fn url(address: &str) -> String {
    format!("url({})", string(address))
}

/// Whether a value is complete as CSS: what it opens it also closes, so that what follows it is not taken for a part of it.
pub(crate) fn is_complete(value: &str) -> bool {
    // What is left open takes the semicolon in.
    let ended = format!("{value};");
    let mut parser = Parser::new(&ended);
    loop {
        let here = parser.position().byte_index();
        match parser.next_including_whitespace_and_comments().cloned() {
            Ok(Token::Semicolon) if here == value.len() => return true,
            Ok(token) if !is_sound(&mut parser, &token) => return false,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

/// Whether nothing in `token` and the block that it enters is broken or closes what is not open.
fn is_sound(parser: &mut Parser<'_>, token: &Token<'_>) -> bool {
    let mut is_all_sound = !token.is_parse_error();
    if enters(token) {
        within(parser, |inner| {
            while let Ok(token) = inner.next_including_whitespace_and_comments().cloned() {
                is_all_sound &= is_sound(inner, &token);
            }
        });
    }
    is_all_sound
}

/// Every URL that a browser may ask for because of this CSS.
pub(crate) fn links(sheet: &Sheet<'_>) -> Vec<(Use, Link)> {
    let mut found: Vec<_> = sheet.imports.iter().cloned().map(|link| (Use::Import, link)).collect();
    for block in &sheet.blocks {
        if block.is_at("font-face") {
            let sources = block.declarations.iter().rfind(|declaration| declaration.name == "src");
            found.extend(sources.into_iter().flat_map(font_sources).map(|link| (Use::Font, link)));
        } else if !block.is_at("namespace") {
            let urls = block.declarations.iter().flat_map(urls_of);
            found.extend(urls.map(|link| (Use::Image, link)));
        }
    }
    found
}

/// The sources of a face that Chrome would ask for: WOFF2 where it is offered, and not what only older browsers read.
fn font_sources(declaration: &Declaration<'_>) -> Vec<Link> {
    let all = urls_of(declaration);
    let is = |link: &&Link, extension: &str| {
        let path = link.url.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
        path.ends_with(extension)
    };
    let modern: Vec<_> = all.iter().filter(|link| is(link, ".woff2")).cloned().collect();
    if !modern.is_empty() {
        return modern;
    }
    all.iter().filter(|link| !is(link, ".eot") && !is(link, ".svg")).cloned().collect()
}

fn urls_of(declaration: &Declaration<'_>) -> Vec<Link> {
    let shift = |link: Link| Link {
        span: link.span.start + declaration.at..link.span.end + declaration.at,
        ..link
    };
    urls(declaration.value).into_iter().map(shift).collect()
}

/// The URLs in a value.
pub(crate) fn urls(value: &str) -> Vec<Link> {
    let mut found = Vec::new();
    read_urls(&mut Parser::new(value), Strings::AreText, &mut found);
    found
}

/// Puts each replacement in the place of its bytes.
pub(crate) fn edit(text: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    edits.sort_by_key(|(span, _)| span.start);
    let mut edited = String::with_capacity(text.len());
    let mut at = 0;
    for (span, replacement) in edits {
        edited.push_str(&text[at..span.start]);
        edited.push_str(&replacement);
        at = span.end;
    }
    edited + &text[at..]
}

/// The parts of a value between commas that stand in no brackets and no string, trimmed, with the place of each.
pub(crate) fn split_at_commas(value: &str) -> Vec<(usize, &str)> {
    let parts = split(value, |token| matches!(token, Token::Comma)).into_iter();
    parts.map(|(at, part)| (at + part.len() - part.trim_start().len(), part.trim())).collect()
}

/// The parts of a value between blanks that stand in no brackets and no string, with the place of each.
pub(crate) fn split_at_blanks(value: &str) -> Vec<(usize, &str)> {
    let mut parts = split(value, |token| matches!(token, Token::WhiteSpace(_)));
    parts.retain(|(_, part)| !part.is_empty());
    parts
}

fn split(value: &str, ends: impl Fn(&Token<'_>) -> bool) -> Vec<(usize, &str)> {
    let mut parser = Parser::new(value);
    let (mut parts, mut start) = (Vec::new(), 0);
    loop {
        let before = parser.position().byte_index();
        match parser.next_including_whitespace_and_comments().cloned() {
            Ok(token) if ends(&token) => {
                parts.push((start, &value[start..before]));
                start = parser.position().byte_index();
            }
            Ok(token) => skip(&mut parser, &token),
            Err(_) => break,
        }
    }
    parts.push((start, &value[start..]));
    parts
}

/// What stands between two ends of a block, seen so far.
#[derive(Default)]
struct Item {
    start: Option<usize>,
    /// The first word, if it is an identifier.
    name: Option<String>,
    /// Behind the colon that follows the name.
    value: Option<usize>,
    is_import: bool,
    import: Option<Link>,
}

fn read_block<'i>(
    text: &'i str,
    parser: &mut Parser<'i>,
    (prelude, kind): (Range<usize>, BlockKind),
    sheet: &mut Sheet<'i>,
) {
    let place = sheet.blocks.len();
    let at = prelude.start;
    sheet.blocks.push(Block { prelude: &text[prelude], at, kind, declarations: Vec::new() });
    let mut item = Item::default();
    loop {
        let here = parser.position().byte_index();
        let token = parser.next_including_whitespace_and_comments().cloned();
        match &token {
            Err(_) | Ok(Token::Semicolon) => {
                let Item { name, value, import, .. } = std::mem::take(&mut item);
                if let (Some(name), Some(value)) = (name, value) {
                    let declaration = declaration(text, name, value..here);
                    sheet.blocks[place].declarations.push(declaration);
                }
                sheet.imports.extend(import);
                if token.is_err() {
                    return;
                }
            }
            Ok(Token::WhiteSpace(_) | Token::Comment(_) | Token::CDO | Token::CDC) => {}
            Ok(Token::CurlyBracketBlock) if !item.is_custom() => {
                let start = std::mem::take(&mut item).start.unwrap_or(here);
                let prelude = start..start + text[start..here].trim_end().len();
                let kind = kind.inside(at_name(&text[prelude.clone()]).as_deref());
                within(parser, |inner| read_block(text, inner, (prelude, kind), sheet));
            }
            Ok(token) => item.read(token, parser, here),
        }
    }
}

impl Item {
    fn is_custom(&self) -> bool {
        self.value.is_some() && self.name.as_deref().is_some_and(|name| name.starts_with("--"))
    }

    fn read(&mut self, token: &Token<'_>, parser: &mut Parser<'_>, here: usize) {
        if self.start.is_none() {
            self.start = Some(here);
            match token {
                Token::Ident(name) if name.starts_with("--") => self.name = Some(name.to_string()),
                Token::Ident(name) => self.name = Some(name.to_ascii_lowercase()),
                Token::AtKeyword(name) => self.is_import = name.eq_ignore_ascii_case("import"),
                _ => {}
            }
        } else if matches!(token, Token::Colon) && self.value.is_none() {
            self.value = Some(parser.position().byte_index());
        } else if self.value.is_none() {
            // A second word before any colon: no declaration.
            self.name = None;
        }
        let url = match token {
            Token::QuotedString(url) | Token::UnquotedUrl(url) => Some(url.to_string()),
            Token::Function(name) if name.eq_ignore_ascii_case("url") => quoted(parser),
            token => {
                skip(parser, token);
                None
            }
        };
        if let (Some(url), true, None) = (url, self.is_import, &self.import) {
            self.import = Some(Link { span: here..parser.position().byte_index(), url });
        }
    }
}

fn declaration(text: &str, name: String, span: Range<usize>) -> Declaration<'_> {
    let value = &text[span.clone()];
    let trimmed = value.trim_start();
    Declaration { name, value: trimmed.trim_end(), at: span.end - trimmed.len() }
}

/// Reads the block that was just entered, to its end. What nests too deep is left alone, as it is by browsers.
pub(crate) fn within<'i>(parser: &mut Parser<'i>, read: impl FnOnce(&mut Parser<'i>)) {
    let _too_deep: Result<(), cssparser::ParseError<()>> = parser.parse_nested_block(|inner| {
        read(inner);
        Ok(())
    });
}

/// Goes to the end of the block that `token` enters, if it does.
fn skip(parser: &mut Parser<'_>, token: &Token<'_>) {
    if enters(token) {
        within(parser, |inner| while inner.next().is_ok() {});
    }
}

fn enters(token: &Token<'_>) -> bool {
    matches!(
        token,
        Token::Function(_)
            | Token::ParenthesisBlock
            | Token::SquareBracketBlock
            | Token::CurlyBracketBlock
    )
}

/// The string in the brackets of `url("…")`, which are read to their end.
fn quoted(parser: &mut Parser<'_>) -> Option<String> {
    let mut found = None;
    within(parser, |inner| {
        found = inner.expect_string().ok().map(ToString::to_string);
        while inner.next().is_ok() {}
    });
    found
}

/// What a string is by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strings {
    AreText,
    /// In `image-set()`.
    AreUrls,
}

fn read_urls(parser: &mut Parser<'_>, strings: Strings, found: &mut Vec<Link>) {
    loop {
        let start = parser.position().byte_index();
        let Ok(token) = parser.next_including_whitespace_and_comments().cloned() else { return };
        let url = match &token {
            Token::UnquotedUrl(url) => Some(url.to_string()),
            Token::QuotedString(url) if strings == Strings::AreUrls => Some(url.to_string()),
            Token::Function(name) if name.eq_ignore_ascii_case("url") => quoted(parser),
            token if enters(token) => {
                let is_set = matches!(token, Token::Function(name) if name.to_ascii_lowercase().ends_with("image-set"));
                let inner = if is_set { Strings::AreUrls } else { Strings::AreText };
                within(parser, |parser| read_urls(parser, inner, found));
                None
            }
            _ => None,
        };
        if let Some(url) = url {
            found.push(Link { span: start..parser.position().byte_index(), url });
        }
    }
}
