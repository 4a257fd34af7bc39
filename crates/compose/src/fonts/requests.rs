//! Which families, weights and styles the page's CSS asks for, and where.

use std::collections::{BTreeMap, BTreeSet};

use crate::css::{Declaration, Sheet, split_at_commas};
use crate::fonts::canonical::stands_for_generic;
use crate::fonts::names::{Name, Shorthand, families, shorthand};

/// Variables that refer to variables, and so on.
const MAX_DEPTH: usize = 8;

/// Everything that is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Requests {
    pub(super) stacks: Vec<Stack>,
    /// Families that the page has faces for, in lower case.
    pub(super) own: BTreeSet<String>,
    /// Families of the page whose faces are all copies of fonts of a machine, in lower case, with the names of these.
    pub(super) local: BTreeMap<String, Vec<String>>,
    /// Weights that are named, by number or by word.
    pub(super) weights: BTreeSet<u16>,
    pub(super) wants_italic: bool,
    properties: BTreeMap<String, Vec<String>>,
    raw: Vec<(String, String)>,
}

/// A list of families in which text is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stack {
    /// Who asks: a selector, or an element.
    pub(super) selector: String,
    /// Named and generic families in order; variables are resolved.
    pub(super) names: Vec<Name>,
}

impl Requests {
    /// Notes what a stylesheet asks for. `place` is said where a block has no selector.
    pub(super) fn add_sheet(&mut self, sheet: &Sheet<'_>, place: &str) {
        for block in &sheet.blocks {
            if block.is_at("font-face") {
                let named = block.value("font-family").map(families).unwrap_or_default();
                if let Some(Name::Named(name)) = named.into_iter().next() {
                    match block.value("src").and_then(only_local) {
                        None => drop(self.own.insert(name.to_lowercase())),
                        Some(locals) => {
                            self.local.entry(name.to_lowercase()).or_default().extend(locals);
                        }
                    }
                }
                continue;
            }
            let selector = if block.prelude.is_empty() { place } else { block.prelude };
            for declaration in &block.declarations {
                self.add_declaration(declaration, selector);
            }
        }
    }

    fn add_declaration(&mut self, declaration: &Declaration<'_>, selector: &str) {
        let value = declaration.value;
        match declaration.name.as_str() {
            "font-family" => self.raw.push((selector.to_owned(), value.to_owned())),
            "font" => {
                if let Some(Shorthand { families, before, .. }) = shorthand(value) {
                    self.raw.push((selector.to_owned(), families.to_owned()));
                    for word in before {
                        self.weights.extend(weight(word));
                        self.wants_italic |= is_italic(word);
                    }
                }
            }
            "font-weight" => self.weights.extend(weight(value)),
            "font-style" => self.wants_italic |= is_italic(value),
            name if name.starts_with("--") => {
                let values = self.properties.entry(name.to_owned()).or_default();
                values.push(value.to_owned());
                if name.contains("weight") {
                    self.weights.extend(weight(value));
                }
            }
            _ => {}
        }
    }

    /// A list that is not in CSS, as in `data-font-family`.
    pub(super) fn add_list(&mut self, value: &str, selector: &str) {
        self.raw.push((selector.to_owned(), value.to_owned()));
    }

    /// Resolves variables, each to every value it has anywhere: which of them holds is known to the browser only.
    pub(super) fn resolve(&mut self) {
        for (selector, value) in std::mem::take(&mut self.raw) {
            for names in self.alternatives(&value, MAX_DEPTH) {
                let stack = Stack { selector: shortened(&selector), names };
                if !stack.names.is_empty() && !self.stacks.contains(&stack) {
                    self.stacks.push(stack);
                }
            }
        }
    }

    fn alternatives(&self, value: &str, depth: usize) -> Vec<Vec<Name>> {
        let mut all = vec![Vec::new()];
        for name in families(value) {
            let choices: Vec<Vec<Name>> = match name {
                Name::Named(_) | Name::Generic(_) => vec![vec![name]],
                Name::Variable { name, fallback } if depth > 0 => {
                    let values = self.properties.get(&name).cloned().unwrap_or_default();
                    let values =
                        if values.is_empty() { fallback.into_iter().collect() } else { values };
                    values
                        .iter()
                        .flat_map(|value| self.alternatives_of_value(value, depth - 1))
                        .collect()
                }
                Name::Variable { .. } | Name::Keyword => vec![],
            };
            if !choices.is_empty() {
                all = all
                    .iter()
                    .flat_map(|start| {
                        choices.iter().map(|end| [start.clone(), end.clone()].concat())
                    })
                    .take(64)
                    .collect();
            }
        }
        all
    }

    /// A variable may also hold a whole shorthand.
    fn alternatives_of_value(&self, value: &str, depth: usize) -> Vec<Vec<Name>> {
        let list = shorthand(value).filter(|parts| !parts.before.is_empty() || parts.at > 0);
        self.alternatives(list.map_or(value, |parts| parts.families), depth)
    }
}

/// The names of the fonts of a machine that a `src` is made of; `None` if it has a file.
pub(super) fn only_local(src: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for (_, source) in split_at_commas(src) {
        let name = source.get(..6).filter(|start| start.eq_ignore_ascii_case("local("));
        name?;
        let name = source[6..].trim_end_matches(')').trim();
        names.push(name.trim_matches(['"', '\'']).to_owned());
    }
    (!names.is_empty()).then_some(names)
}

/// The families that are named anywhere, each once, with whether one stack starts with it.
pub(super) struct RequestedFamily {
    pub(super) family: String,
    pub(super) selector: String,
    pub(super) is_first: bool,
}

pub(super) fn wanted(requests: &Requests) -> Vec<RequestedFamily> {
    let mut found: Vec<RequestedFamily> = Vec::new();
    for stack in &requests.stacks {
        for (index, name) in stack.names.iter().enumerate() {
            let Name::Named(family) = name else { continue };
            let is_first = index == 0;
            let lower = family.to_lowercase();
            match found.iter_mut().find(|one| one.family.to_lowercase() == lower) {
                Some(known) if is_first && !known.is_first => {
                    known.is_first = true;
                    known.selector.clone_from(&stack.selector);
                }
                Some(_) => {}
                None => found.push(RequestedFamily {
                    family: family.clone(),
                    selector: stack.selector.clone(),
                    is_first,
                }),
            }
        }
    }
    found
}

/// Where a deterministic family has to be put before a list whose first name is generic: offsets and what to insert.
pub(super) fn insertions(sheet: &Sheet<'_>) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for declaration in sheet
        .blocks
        .iter()
        .filter(|block| !block.is_at("font-face"))
        .flat_map(|block| &block.declarations)
    {
        let list = match declaration.name.as_str() {
            "font-family" => Some((0, declaration.value)),
            "font" => shorthand(declaration.value).map(|parts| (parts.at, parts.families)),
            // A property that holds a list of fonts and nothing else.
            name if name.starts_with("--") && is_list_of_fonts(declaration.value) => {
                Some((0, declaration.value))
            }
            _ => None,
        };
        if let Some((at, list)) = list
            && let Some((place, text)) = before(list)
        {
            found.push((declaration.at + at + place, text));
        }
    }
    found
}

/// What has to be inserted into a list, and where: before its first name, or before what counts if its variable is not set.
pub(super) fn before(list: &str) -> Option<(usize, String)> {
    match families(list).first()? {
        Name::Generic(generic) => {
            stands_for_generic(generic).map(|family| (0, format!("\"{family}\", ")))
        }
        Name::Variable { fallback: Some(fallback), .. } => {
            let (place, text) = before(fallback)?;
            Some((list.find(fallback.as_str())? + place, text))
        }
        _ => None,
    }
}

/// Whether a custom property's value is a list of families: it starts with a generic name that is nothing else in CSS, or
/// with any and goes on with a comma.
fn is_list_of_fonts(value: &str) -> bool {
    let only_fonts =
        ["system-ui", "sans-serif", "monospace", "-apple-system", "blinkmacsystemfont"];
    match families(value).first() {
        Some(Name::Generic(name)) => {
            only_fonts.contains(&name.as_str())
                || name.starts_with("ui-")
                || split_at_commas(value).len() > 1
                || name == "serif"
        }
        _ => false,
    }
}

fn weight(word: &str) -> Option<u16> {
    let word = word.split('!').next().unwrap_or_default().trim().to_ascii_lowercase();
    match word.as_str() {
        "normal" => Some(400),
        "bold" | "bolder" => Some(700),
        "lighter" => Some(300),
        number => {
            let number = number.split('.').next()?.parse::<u16>().ok()?;
            (1..=1000).contains(&number).then_some(number)
        }
    }
}

fn is_italic(word: &str) -> bool {
    let word = word.trim_start().to_ascii_lowercase();
    word.starts_with("italic") || word.starts_with("oblique")
}

/// A selector as it fits into a sentence.
fn shortened(selector: &str) -> String {
    let one_line = selector.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = one_line.floor_char_boundary(80);
    if end < one_line.len() { format!("{}…", &one_line[..end]) } else { one_line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::css::{edit, parse};

    fn requests(css: &str) -> Requests {
        let mut requests = Requests::default();
        requests.add_sheet(&parse(css), "style=\"\"");
        requests.resolve();
        requests
    }

    fn told(css: &str) -> Vec<String> {
        let requests = requests(css);
        let tell = |name: &Name| match name {
            Name::Named(name) => name.clone(),
            Name::Generic(name) => format!("<{name}>"),
            other => format!("{other:?}"),
        };
        let line = |stack: &Stack| {
            let names: Vec<_> = stack.names.iter().map(tell).collect();
            format!("{}: {}", stack.selector, names.join(", "))
        };
        requests.stacks.iter().map(line).collect()
    }

    #[test]
    fn stacks_are_found_wherever_css_names_them() {
        for (css, expected) in [
            ("h1, h2 { font-family: A, serif }", &["h1, h2: A, <serif>"][..]),
            (".x { font: italic 1px/2 'B C' }", &[".x: B C"]),
            ("font-family: A", &["style=\"\": A"]),
            ("@media print { .a { FONT-FAMILY: A } }", &[".a: A"]),
            ("@font-face { font-family: A } b { font-family: inherit }", &[]),
            (":root { --f: A, B } .a { font-family: var(--f), C }", &[".a: A, B, C"]),
            (":root { --f: A } .d { --f: B } .a { font-family: var(--f) }", &[".a: A", ".a: B"]),
            (".a { font-family: var(--none, D), E }", &[".a: D, E"]),
            (".a { font-family: var(--none), E }", &[".a: E"]),
            (":root { --a: var(--b); --b: var(--a) } .a { font-family: var(--a), E }", &[".a: E"]),
            (":root { --f: 700 12px A } .a { font: var(--f) }", &[".a: A"]),
            (
                ".a { font-family: A } .b .a { font-family: A } .a { font-family: A }",
                &[".a: A", ".b .a: A"],
            ),
        ] {
            assert_eq!(told(css), expected, "{css}");
        }
    }

    #[test]
    fn weights_and_slants_are_noted() {
        for (css, weights, italic) in [
            (".a { font-weight: 600 }", &[600][..], false),
            (".a { font-weight: bold !important; font-style: italic }", &[700], true),
            (".a { font: oblique 300 1px A }", &[300], true),
            (":root { --weight-heavy: 800; --size: 12 }", &[800], false),
            ("@font-face { font-weight: 500; font-style: italic }", &[], false),
            (".a { font-weight: 450.5 } .b { font-weight: 2000 }", &[450], false),
        ] {
            let found = requests(css);
            assert_eq!(found.weights.iter().copied().collect::<Vec<_>>(), weights, "{css}");
            assert_eq!(found.wants_italic, italic, "{css}");
        }
    }

    #[test]
    fn a_face_that_is_only_local_is_no_file_of_the_page() {
        for (css, own, local) in [
            ("@font-face{font-family:A;src:url(a.woff2)}", &["a"][..], &[][..]),
            ("@font-face{font-family:A;src:local('B C'),local(D)}", &[], &["B C", "D"]),
            ("@font-face{font-family:A;src:local(B),url(a.woff2)}", &["a"], &[]),
            ("@font-face{font-family:A;SRC:LOCAL(\"B\")}", &[], &["B"]),
            ("@font-face{font-family:A}", &["a"], &[]),
        ] {
            let found = requests(css);
            assert_eq!(found.own.iter().collect::<Vec<_>>(), own, "{css}");
            assert_eq!(found.local.get("a").map(Vec::as_slice).unwrap_or_default(), local, "{css}");
        }
    }

    #[test]
    fn a_family_that_some_stack_starts_with_is_wanted_first_of_all() {
        let requests = requests(".a { font-family: X, Y } .b { font-family: y, x }");
        let told: Vec<_> = wanted(&requests)
            .into_iter()
            .map(|one| (one.family, one.selector, one.is_first))
            .collect();
        assert_eq!(
            told,
            [("X".to_owned(), ".a".to_owned(), true), ("Y".to_owned(), ".b".to_owned(), true)]
        );
    }

    #[test]
    fn a_stack_that_starts_with_a_font_of_the_machine_gets_one_that_is_brought_along() {
        for (css, expected) in [
            ("a{font-family:system-ui,B}", "a{font-family:\"Inter\", system-ui,B}"),
            ("a{font:12px/1 -apple-system}", "a{font:12px/1 \"Inter\", -apple-system}"),
            ("a{font-family:monospace}", "a{font-family:\"JetBrains Mono\", monospace}"),
            ("a{font:700 1em serif}", "a{font:700 1em \"EB Garamond\", serif}"),
            ("a{--f: ui-sans-serif, system-ui}", "a{--f: \"Inter\", ui-sans-serif, system-ui}"),
            (
                "a{--f:menu;--g:icon;font-family:cursive}",
                "a{--f:menu;--g:icon;font-family:cursive}",
            ),
            ("a{font-family:B,sans-serif}", "a{font-family:B,sans-serif}"),
            ("a{font-family:var(--x),serif}", "a{font-family:var(--x),serif}"),
            ("a{font:1px var(--x, serif)}", "a{font:1px var(--x, \"EB Garamond\", serif)}"),
            ("@font-face{font-family:serif}", "@font-face{font-family:serif}"),
        ] {
            let sheet = parse(css);
            let edits = insertions(&sheet).into_iter().map(|(at, text)| (at..at, text)).collect();
            assert_eq!(edit(css, edits), expected, "{css}");
        }
    }
}
