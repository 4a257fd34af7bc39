//! Where text can be inserted into an author's HTML without touching any other byte of it.

/// Elements whose content is text: a tag in there is not a tag.
const RAW_TEXT: [&str; 5] = ["script", "style", "title", "textarea", "noscript"];

/// Byte offsets in an HTML text.
#[derive(Debug, PartialEq, Eq)]
struct Places {
    /// Behind `<head …>`, or where a head would begin.
    head_start: usize,
    /// Before `</head>`, or where a head would end.
    head_end: usize,
    /// Before the last `</body>`, or the end.
    body_end: usize,
}

/// Inserts texts at the start of the head, at its end, and at the end of the body.
pub fn inject(html: &str, head_start: &str, head_end: &str, body_end: &str) -> String {
    let places = find_places(html);
    let (a, rest) = html.split_at(places.head_start);
    let (b, rest) = rest.split_at(places.head_end - places.head_start);
    let (c, d) = rest.split_at(places.body_end - places.head_end);
    [a, head_start, b, head_end, c, body_end, d].concat()
}

/// Inserts `text` before each script of the body that has anything but scripts between itself and the one before. What is in
/// a template or a picture is left alone.
pub fn insert_before_body_scripts(html: &str, text: &str) -> String {
    let body_start = find_places(html).head_end;
    let mut result = String::new();
    let mut copied = 0;
    let mut depth = 0_u32;
    let mut is_after_content = false;
    for tag in (Tags { html, at: 0 }).filter(|tag| tag.start >= body_start) {
        match (tag.name.as_str(), tag.closing) {
            ("template" | "svg", false) => depth += 1,
            ("template" | "svg", true) => depth = depth.saturating_sub(1),
            ("script", false) if depth == 0 && is_after_content => {
                result.push_str(&html[copied..tag.start]);
                result.push_str(text);
                copied = tag.start;
                is_after_content = false;
            }
            ("script", _) => {}
            _ => is_after_content = true,
        }
    }
    result + &html[copied..]
}

/// Whether `html` is a whole document and not a fragment, which begins with content.
pub(crate) fn is_document(html: &str) -> bool {
    let first = Tags { html, at: 0 }.next();
    first.is_some_and(|tag| ["!doctype", "html", "head", "body"].contains(&tag.name.as_str()))
}

fn find_places(html: &str) -> Places {
    let mut head_start = None;
    let mut head_end = None;
    let mut body_start = None;
    let mut body_end = None;
    let mut document_start = 0;
    for tag in (Tags { html, at: 0 }) {
        match (tag.name.as_str(), tag.closing) {
            ("!doctype" | "html", false) if head_start.is_none() => document_start = tag.end,
            ("head", false) => head_start = head_start.or(Some(tag.end)),
            ("head", true) => head_end = head_end.or(Some(tag.start)),
            ("body", false) => body_start = body_start.or(Some(tag.start)),
            ("body", true) => body_end = Some(tag.start),
            _ => {}
        }
    }
    let head_start = head_start.unwrap_or(document_start);
    let head_end = head_end.or(body_start).filter(|end| *end >= head_start).unwrap_or(head_start);
    Places {
        head_start,
        head_end,
        body_end: body_end.filter(|end| *end >= head_end).unwrap_or(html.len()),
    }
}

struct Tag {
    name: String,
    closing: bool,
    start: usize,
    end: usize,
}

/// The tags of an HTML text in order, without those in comments and raw text.
struct Tags<'a> {
    html: &'a str,
    at: usize,
}

impl Iterator for Tags<'_> {
    type Item = Tag;

    fn next(&mut self) -> Option<Tag> {
        loop {
            let start = self.at + self.html.get(self.at..)?.find('<')?;
            let rest = &self.html[start..];
            if rest.starts_with("<!--") {
                self.at = start + rest.find("-->").map_or(rest.len(), |end| end + 3);
                continue;
            }
            let closing = rest.starts_with("</");
            let name_start = if closing { 2 } else { 1 };
            let name: String = rest[name_start..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || "!-".contains(*c))
                .collect();
            if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '!') {
                self.at = start + 1;
                continue;
            }
            let end = start + tag_length(rest);
            self.at = end;
            let name = name.to_ascii_lowercase();
            if !closing && RAW_TEXT.contains(&name.as_str()) {
                self.at = end + raw_text_length(&self.html[end..], &name);
            }
            return Some(Tag { name, closing, start, end });
        }
    }
}

/// The length of the tag that `rest` starts with; a `>` in a quoted attribute value does not end it.
fn tag_length(rest: &str) -> usize {
    let mut quote = None;
    let mut after_equals = false;
    for (i, c) in rest.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '>' => return i + 1,
            None if (c == '"' || c == '\'') && after_equals => quote = Some(c),
            _ => {}
        }
        if !c.is_whitespace() {
            after_equals = c == '=';
        }
    }
    rest.len()
}

/// The length of the text up to the closing tag of `name`, which is left to be found.
fn raw_text_length(text: &str, name: &str) -> usize {
    let closing = format!("</{name}");
    text.match_indices("</")
        .map(|(i, _)| i)
        .find(|i| starts_with_ignoring_case(&text[*i..], &closing))
        .unwrap_or(text.len())
}

fn starts_with_ignoring_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_known_by_its_first_tag() {
        for (html, expected) in [
            ("<!-- licence --><!DOCTYPE html><html></html>", true),
            ("\u{feff} <html>", true),
            ("<head></head>", true),
            ("<body>", true),
            ("<div><body></div>", false),
            ("<header></header>", false),
            ("text", false),
        ] {
            assert_eq!(is_document(html), expected, "{html}");
        }
    }

    #[test]
    fn scripts_of_the_body_are_preceded_by_a_text_once_for_what_is_before_them() {
        for (html, expected) in [
            (
                "<head><script></script></head><body><p>a</p><script>1</script><script>2</script></body>",
                "<head><script></script></head><body><p>a</p>|<script>1</script><script>2</script></body>",
            ),
            (
                "<body><script>1</script><p>a</p><script>2</script><style></style><script>3</script>",
                "<body>|<script>1</script><p>a</p>|<script>2</script><style></style>|<script>3</script>",
            ),
            (
                "<p>a<template><script></script></template><svg><script></script></svg><script></script>",
                "<p>a<template><script></script></template><svg><script></script></svg>|<script></script>",
            ),
            ("<p>no script</p>", "<p>no script</p>"),
            ("<p>a<!-- <script> -->b", "<p>a<!-- <script> -->b"),
        ] {
            assert_eq!(insert_before_body_scripts(html, "|"), expected);
        }
    }

    #[test]
    fn text_is_inserted_where_the_parser_would_put_it() {
        for (html, expected) in [
            (
                "<!doctype html><html><head><title>t</title></head><body>x</body></html>",
                "<!doctype html><html><head>1<title>t</title>2</head><body>x3</body></html>",
            ),
            ("<body>x</body>", "12<body>x3</body>"),
            ("<!doctype html>x", "<!doctype html>12x3"),
            ("x", "12x3"),
            ("<!-- <head> --><head></head>", "<!-- <head> --><head>12</head>3"),
            (
                "<head><script>'</head><body>'</script></head>",
                "<head>1<script>'</head><body>'</script>2</head>3",
            ),
            ("<HEAD data-x='>'></HEAD><BODY></BODY>", "<HEAD data-x='>'>12</HEAD><BODY>3</BODY>"),
            (
                "<head></head><body><script>'</body>'</script></body>",
                "<head>12</head><body><script>'</body>'</script>3</body>",
            ),
            ("<html><body>a</body></html>", "<html>12<body>a3</body></html>"),
            ("<header>h</header>", "12<header>h</header>3"),
            ("a < b <head></head>", "a < b <head>12</head>3"),
        ] {
            assert_eq!(inject(html, "1", "2", "3"), expected);
        }
    }
}
