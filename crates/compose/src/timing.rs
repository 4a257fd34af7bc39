//! When an element starts: `data-start` as a number, or as the end of another element with an offset.

use dom_query::Document;

use crate::html::describe;
use crate::js_number;

/// What a `data-start` says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Start {
    At(f64),
    /// At the end of the element with this id, and so many seconds later.
    After {
        target: String,
        offset: f64,
    },
    Invalid,
}

/// Reads a number, `ref`, `ref + n` or `ref - n`. Blanks around the sign matter: `intro-2` is an id.
pub(crate) fn parse_start(text: &str) -> Start {
    if let Some(seconds) = js_number(text) {
        return Start::At(seconds.max(0.0));
    }
    let text = text.trim();
    let id_length = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || "_.:-".contains(c)))
        .unwrap_or(text.len());
    let (target, rest) = text.split_at(id_length);
    let rest = rest.trim_start();
    let offset = match rest.chars().next() {
        None => Some(0.0),
        Some('+') => js_number(&rest[1..]),
        Some('-') => js_number(&rest[1..]).map(|n| -n),
        Some(_) => None,
    };
    match offset {
        Some(offset) if !target.is_empty() => Start::After { target: target.to_owned(), offset },
        _ => Start::Invalid,
    }
}

/// Starts that the runtime takes for 0 because they name nothing: most likely not what the author meant.
pub(crate) fn warnings(document: &Document) -> Vec<String> {
    let mut found = Vec::new();
    for node in document.select("[data-start]").nodes() {
        let start = node.attr("data-start").unwrap_or_default();
        let names_nothing = match parse_start(&start) {
            Start::At(_) => false,
            Start::Invalid => true,
            Start::After { target, .. } => {
                let quoted = target.replace('"', "");
                !document
                    .select(&format!(
                        "[id=\"{quoted}\"], [data-hf-authored-id=\"{quoted}\"], [data-composition-id=\"{quoted}\"], \
                         [data-hf-original-composition-id=\"{quoted}\"]"
                    ))
                    .exists()
            }
        };
        if names_nothing {
            found.push(format!(
                "{}: data-start=\"{start}\" names no element; it starts at 0",
                describe(node)
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_a_number_or_a_reference_with_an_offset() {
        let after = |target: &str, offset| Start::After { target: target.to_owned(), offset };
        for (text, expected) in [
            ("1.5", Start::At(1.5)),
            ("-3", Start::At(0.0)),
            ("intro", after("intro", 0.0)),
            ("intro + 2", after("intro", 2.0)),
            ("intro - 0.5", after("intro", -0.5)),
            ("intro +2", after("intro", 2.0)),
            ("intro-2", after("intro-2", 0.0)),
            ("a.b:c_d", after("a.b:c_d", 0.0)),
            ("5s", after("5s", 0.0)),
            ("intro * 2", Start::Invalid),
            ("intro + two", Start::Invalid),
            ("+ 2", Start::Invalid),
            ("", Start::Invalid),
        ] {
            assert_eq!(parse_start(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_start_that_names_nothing_is_a_warning_with_its_element() {
        let html = "<div id=intro data-start=0></div><p id=a data-start=\"intro + 1\"></p><p id=b data-start=intor></p>";
        let found = warnings(&Document::from(html));
        assert_eq!(found, ["<p id=\"b\">: data-start=\"intor\" names no element; it starts at 0"]);
    }
}
