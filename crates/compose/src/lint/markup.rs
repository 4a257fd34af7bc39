//! The tags of a document with their places, as a browser's tokenizer finds them, and those that swallow what follows.

use crate::lint::Severity;

/// What was found in a text.
pub(super) struct Scan<'i> {
    pub(super) tags: Vec<Tag<'i>>,
    pub(super) problems: Vec<(usize, Severity, String)>,
}

#[derive(Debug)]
pub(super) struct Tag<'i> {
    /// In lower case.
    pub(super) name: String,
    pub(super) is_end: bool,
    pub(super) is_self_closed: bool,
    pub(super) start: usize,
    /// Behind its `>`.
    pub(super) end: usize,
    pub(super) attributes: Vec<Attribute<'i>>,
    /// What stands in it, for a script or style.
    pub(super) text: Option<(usize, &'i str)>,
}

#[derive(Debug)]
pub(super) struct Attribute<'i> {
    /// In lower case.
    pub(super) name: String,
    /// As it is written, with references in it.
    pub(super) value: &'i str,
    pub(super) start: usize,
}

/// Elements whose content is text.
const RAW_TEXT: [&str; 9] =
    ["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript"];

const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];

/// Elements that end where their parent does, or where another begins.
const OPEN_ENDED: [&str; 20] = [
    "html", "head", "body", "p", "li", "dt", "dd", "option", "optgroup", "tr", "td", "th", "thead",
    "tbody", "tfoot", "colgroup", "caption", "rt", "rp", "rb",
];

/// What begins a tree in which every tag may close itself.
const FOREIGN: [&str; 2] = ["svg", "math"];

impl Tag<'_> {
    /// The value of an attribute, with the references that addresses have.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        let found = self.attributes.iter().find(|attribute| attribute.name == name)?;
        Some(found.value.replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&"))
    }

    /// As errors name the element.
    pub(super) fn described(&self) -> String {
        let marked = |name: &str| {
            self.attribute(name).map(|value| format!(" {name}=\"{value}\"")).unwrap_or_default()
        };
        let names = ["id", "data-composition-id", "data-composition-src", "src"].map(marked);
        format!("<{}{}>", self.name, names.concat())
    }
}

pub(super) fn scan(text: &str) -> Scan<'_> {
    let mut scan = Scan { tags: Vec::new(), problems: Vec::new() };
    let mut at = 0;
    while let Some(start) = text[at..].find('<').map(|i| at + i) {
        at = scan.markup(text, start);
    }
    scan.check_nesting();
    scan
}

impl<'i> Scan<'i> {
    fn warn(&mut self, at: usize, message: String) {
        self.problems.push((at, Severity::Warning, message));
    }

    /// Reads what `<` at `start` begins, and answers where it ends.
    fn markup(&mut self, text: &'i str, start: usize) -> usize {
        let rest = &text[start..];
        if rest.starts_with("<!--") {
            // `<!-->` is a whole comment.
            let Some(end) = rest[2..].find("-->") else {
                let message = "this comment is never closed, and what follows is part of it";
                self.warn(start, message.to_owned());
                return text.len();
            };
            return start + 2 + end + 3;
        }
        if rest.starts_with("<![CDATA[") {
            return rest.find("]]>").map_or(text.len(), |end| start + end + 3);
        }
        let is_end = rest.starts_with("</");
        let name_start = start + if is_end { 2 } else { 1 };
        if !text[name_start..].starts_with(|c: char| c.is_ascii_alphabetic()) {
            let is_bogus = rest.starts_with("<!") || rest.starts_with("<?") || is_end;
            let end = if is_bogus { rest.find('>').map(|end| start + end + 1) } else { None };
            return end.unwrap_or(start + 1);
        }
        let is_name_end = |c: char| c.is_ascii_whitespace() || c == '/' || c == '>';
        let name_end = text[name_start..].find(is_name_end).map_or(text.len(), |i| name_start + i);
        let name = text[name_start..name_end].to_ascii_lowercase();
        let (attributes, end, is_self_closed) = self.attributes(text, name_end, start, &name);
        let mut tag = Tag { name, is_end, is_self_closed, start, end, attributes, text: None };
        let mut next = end;
        if !is_end && RAW_TEXT.contains(&tag.name.as_str()) {
            next = self.raw_text(text, &mut tag);
        }
        self.tags.push(tag);
        next
    }

    /// Reads the text of an element that holds nothing else, up to its closing tag.
    fn raw_text(&mut self, text: &'i str, tag: &mut Tag<'i>) -> usize {
        let closing = format!("</{}", tag.name);
        let ends = text[tag.end..].match_indices("</").map(|(i, _)| tag.end + i);
        let closes = |at: &usize| {
            let found = text.get(*at..*at + closing.len());
            found.is_some_and(|found| found.eq_ignore_ascii_case(&closing))
        };
        let end = ends.into_iter().find(closes);
        if end.is_none() {
            self.warn(
                tag.start,
                format!("<{}> is never closed, and what follows is text of it", tag.name),
            );
        }
        let end = end.unwrap_or(text.len());
        tag.text = Some((tag.end, &text[tag.end..end]));
        end
    }

    /// Reads attributes from `at` to the end of the tag that starts at `start`.
    fn attributes(
        &mut self,
        text: &'i str,
        mut at: usize,
        start: usize,
        name: &str,
    ) -> (Vec<Attribute<'i>>, usize, bool) {
        let mut attributes: Vec<Attribute<'i>> = Vec::new();
        let mut is_told = false;
        let blank = |c: char| c.is_ascii_whitespace();
        loop {
            at += text[at..].len() - text[at..].trim_start_matches(blank).len();
            let rest = &text[at..];
            if rest.starts_with("/>") {
                return (attributes, at + 2, true);
            }
            if rest.starts_with('>') {
                return (attributes, at + 1, false);
            }
            if rest.is_empty() {
                let message = format!("the tag <{name} is never closed by \">\"");
                self.warn(start, message);
                return (attributes, at, false);
            }
            if rest.starts_with('/') {
                at += 1;
                continue;
            }
            let attribute = attribute(text, at);
            at = attribute.1;
            let attribute = attribute.0;
            if !is_told && attribute.name.contains('<') {
                is_told = true;
                let cut: String = attribute.name.chars().take(20).collect();
                self.warn(start, format!("the tag <{name} is not closed by \">\" before \"{cut}\", which becomes an attribute of it"));
            } else if !is_told && attribute.name.contains(['"', '\'']) {
                is_told = true;
                let message = format!(
                    "<{name}>: the attribute {} has a quote in its name: a quote before it is missing or one too many",
                    attribute.name
                );
                self.warn(attribute.start, message);
            } else if attributes.iter().any(|other| other.name == attribute.name) {
                let message =
                    format!("<{name}> has two attributes {}; the first counts", attribute.name);
                self.warn(attribute.start, message);
            }
            attributes.push(attribute);
        }
    }

    /// Finds elements that are never closed and end tags that close nothing.
    fn check_nesting(&mut self) {
        let mut open: Vec<(String, usize)> = Vec::new();
        let mut problems = Vec::new();
        for tag in &self.tags {
            let name = tag.name.as_str();
            let is_foreign = || open.iter().any(|(above, _)| FOREIGN.contains(&above.as_str()));
            if !tag.is_end {
                let is_closed = VOID.contains(&name)
                    || (tag.is_self_closed && (FOREIGN.contains(&name) || is_foreign()));
                if is_closed {
                    continue;
                }
                if tag.is_self_closed && !OPEN_ENDED.contains(&name) {
                    problems.push((
                        tag.start,
                        format!("<{name}/> does not close itself in HTML: write <{name}></{name}>"),
                    ));
                }
                // Raw text has told that it is not closed.
                open.push((name.to_owned(), tag.start));
                continue;
            }
            let Some(place) = open.iter().rposition(|(above, _)| above == name) else {
                if !VOID.contains(&name) && !OPEN_ENDED.contains(&name) {
                    problems.push((tag.start, format!("</{name}> closes nothing")));
                }
                continue;
            };
            for (inner, at) in open.drain(place..).skip(1) {
                if !OPEN_ENDED.contains(&inner.as_str()) && !RAW_TEXT.contains(&inner.as_str()) {
                    problems.push((at, format!("<{inner}> is not closed before </{name}>, and all between them is inside it")));
                }
            }
        }
        for (name, at) in open {
            if !OPEN_ENDED.contains(&name.as_str()) && !RAW_TEXT.contains(&name.as_str()) {
                problems.push((
                    at,
                    format!("<{name}> is never closed, and all that follows is inside it"),
                ));
            }
        }
        for (at, message) in problems {
            self.warn(at, message);
        }
    }
}

/// The attribute at `at`, and where it ends.
fn attribute(text: &str, at: usize) -> (Attribute<'_>, usize) {
    let is_end = |c: char| c.is_ascii_whitespace() || c == '/' || c == '>' || c == '=';
    // An equals sign at the start is part of the name.
    let first = text[at..].chars().next().map_or(0, char::len_utf8);
    let name_end = text[at + first..].find(is_end).map_or(text.len(), |i| at + first + i);
    let name = text[at..name_end].to_ascii_lowercase();
    let after = text[name_end..].trim_start_matches(|c: char| c.is_ascii_whitespace());
    if !after.starts_with('=') {
        return (Attribute { name, value: "", start: at }, name_end);
    }
    let value = after[1..].trim_start_matches(|c: char| c.is_ascii_whitespace());
    let from = text.len() - value.len();
    let quote = value.chars().next().filter(|first| ['"', '\''].contains(first));
    let (value_start, value_end, end) = if let Some(quote) = quote {
        let close = value[1..].find(quote).map(|i| from + 1 + i);
        (from + 1, close.unwrap_or(text.len()), close.map_or(text.len(), |close| close + 1))
    } else {
        let end = value.find(|c: char| c.is_ascii_whitespace() || c == '>');
        let end = end.map_or(text.len(), |i| from + i);
        (from, end, end)
    };
    (Attribute { name, value: &text[value_start..value_end], start: at }, end)
}
