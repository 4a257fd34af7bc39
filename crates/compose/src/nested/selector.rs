//! Selectors of a nested composition, rewritten so that they reach its own instance only.

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
        format!("[data-composition-id={}]", quoted(&self.instance))
    }

    /// The element that stands for the whole page of the instance: its inner root, or the host where there is none.
    fn whole(&self) -> String {
        let host = self.host();
        format!("{host}:not(:has([data-hf-inner-root])), {host} > [data-hf-inner-root]")
    }

    /// A list of selectors, each for this instance.
    pub(crate) fn list(&self, selectors: &str) -> String {
        let parts = split_commas(selectors);
        parts.iter().map(|selector| self.one(selector)).collect::<Vec<_>>().join(",")
    }

    fn one(&self, selector: &str) -> String {
        let plain = strip_comments(selector);
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

    fn write(&self, piece: &Piece) -> String {
        match piece {
            Piece::Text(text) => text.clone(),
            Piece::Host => self.host(),
            Piece::Root => {
                format!("[data-hf-authored-id={}]", quoted(self.root.as_deref().unwrap_or("")))
            }
        }
    }

    /// The selector with its author's names for the composition and its root element found.
    fn with_own_names(&self, selector: &str) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut rest = selector;
        while !rest.is_empty() {
            let (token, after) = rest.split_at(token_length(rest));
            rest = after;
            let attribute = Attribute::parse(token);
            let is_host = attribute.as_ref().is_some_and(|a| {
                a.name == "data-composition-id" && a.value.as_deref() == Some(&*self.authored)
            });
            if is_host {
                drop_timing_tests(&mut pieces);
                pieces.push(Piece::Host);
            } else if attribute.is_some_and(|a| a.is_timing())
                && pieces.last() == Some(&Piece::Host)
            {
                // The host's own times are written elsewhere in the whole document.
            } else if self
                .root
                .as_deref()
                .is_some_and(|id| token.strip_prefix('#').is_some_and(|name| unescape(name) == id))
            {
                pieces.push(Piece::Root);
            } else if let Some(Piece::Text(text)) =
                pieces.last_mut().filter(|_| !token.starts_with('['))
            {
                text.push_str(token);
            } else {
                pieces.push(Piece::Text(token.to_owned()));
            }
        }
        pieces
    }
}

/// A part of a selector.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Host,
    Root,
}

/// `[name operator "value"]`.
struct Attribute {
    name: String,
    value: Option<String>,
}

impl Attribute {
    fn parse(token: &str) -> Option<Self> {
        let inner = token.strip_prefix('[')?.strip_suffix(']')?;
        let Some((name, value)) = inner.split_once('=') else {
            return Some(Self { name: inner.trim().to_owned(), value: None });
        };
        let name = name.trim_end_matches(['^', '$', '*']).trim().to_owned();
        let value = value.trim();
        let unquoted = ['"', '\'']
            .iter()
            .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
            .unwrap_or(value);
        Some(Self { name, value: Some(unescape(unquoted)) })
    }

    fn is_timing(&self) -> bool {
        self.value.is_some() && ["data-start", "data-duration"].contains(&self.name.as_str())
    }
}

fn drop_timing_tests(pieces: &mut Vec<Piece>) {
    let is_timing = |piece: &Piece| match piece {
        Piece::Text(text) => Attribute::parse(text).is_some_and(|a| a.is_timing()),
        Piece::Host | Piece::Root => false,
    };
    while pieces.last().is_some_and(is_timing) {
        pieces.pop();
    }
}

/// `text` as a CSS string.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The length of the first token: an attribute test, a `#name`, a string, a comment, or one character.
fn token_length(text: &str) -> usize {
    let first = text.chars().next().map_or(0, char::len_utf8);
    if text.starts_with('[') {
        return bracket_length(text);
    }
    if text.starts_with(['"', '\'']) {
        return string_length(text);
    }
    if let Some(comment) = text.strip_prefix("/*") {
        return comment.find("*/").map_or(text.len(), |end| end + 4);
    }
    if text.starts_with('\\') {
        return escape_length(text);
    }
    if let Some(name) = text.strip_prefix('#') {
        return 1 + name_length(name);
    }
    first
}

fn name_length(text: &str) -> usize {
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c == '\\' {
            at += escape_length(&text[at..]);
        } else if c.is_alphanumeric() || c == '-' || c == '_' || !c.is_ascii() {
            at += c.len_utf8();
        } else {
            break;
        }
    }
    at
}

fn escape_length(text: &str) -> usize {
    let escaped = text[1..].chars();
    let digits = escaped.clone().take(6).take_while(char::is_ascii_hexdigit).count();
    if digits == 0 {
        return 1 + text[1..].chars().next().map_or(0, char::len_utf8);
    }
    let blank = text[1 + digits..].starts_with([' ', '\t', '\n']);
    1 + digits + usize::from(blank)
}

fn string_length(text: &str) -> usize {
    let quote = text.chars().next();
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if Some(c) == quote => return i + 1,
            _ => {}
        }
    }
    text.len()
}

fn bracket_length(text: &str) -> usize {
    let mut at = 1;
    while at < text.len() {
        let rest = &text[at..];
        match rest.chars().next() {
            Some(']') => return at + 1,
            Some('"' | '\'') => at += string_length(rest),
            Some('\\') => at += escape_length(rest),
            Some(c) => at += c.len_utf8(),
            None => break,
        }
    }
    text.len()
}

/// The name that a CSS name with escapes stands for.
fn unescape(name: &str) -> String {
    let mut out = String::new();
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        if c != '\\' {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let (escape, after) = rest.split_at(escape_length(rest));
        let hex = escape[1..].trim_end();
        match u32::from_str_radix(hex, 16) {
            Ok(code) if !hex.is_empty() => out.push(char::from_u32(code).unwrap_or('\u{fffd}')),
            _ => out.push_str(&escape[1..]),
        }
        rest = after;
    }
    out
}

/// Splits at the commas that separate selectors: none in brackets, parentheses, strings or comments.
fn split_commas(selectors: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut at, mut depth) = (0, 0, 0_usize);
    while at < selectors.len() {
        let length = token_length(&selectors[at..]);
        match &selectors[at..at + length] {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "," if depth == 0 => {
                parts.push(&selectors[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += length;
    }
    parts.push(&selectors[start..]);
    parts
}

fn strip_comments(selector: &str) -> String {
    let mut out = String::new();
    let mut rest = selector;
    while !rest.is_empty() {
        let (token, after) = rest.split_at(token_length(rest));
        if !token.starts_with("/*") {
            out.push_str(token);
        }
        rest = after;
    }
    out
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
