//! Attributes of the format: misspelt ones, values that count as nothing, and a root that does not say its size.

use crate::lint::markup::{Attribute, Tag};
use crate::lint::{Part, Severity, Source};
use crate::timing::js_number;

/// Every attribute of the format, and how its value is written.
const KNOWN: [(&str, Value); 43] = [
    ("data-audio-group", Value::Text),
    ("data-automation", Value::Json),
    ("data-color-grading", Value::Text),
    ("data-composition-duration", Value::Seconds),
    ("data-composition-file", Value::Text),
    ("data-composition-id", Value::Text),
    ("data-composition-src", Value::Text),
    ("data-composition-variables", Value::Json),
    ("data-duration", Value::Seconds),
    ("data-end", Value::Seconds),
    ("data-fade-in", Value::Number),
    ("data-fade-out", Value::Number),
    ("data-font-family", Value::Text),
    ("data-fps", Value::Text),
    ("data-fx-chain", Value::Json),
    ("data-has-audio", Value::Text),
    ("data-height", Value::Pixels),
    ("data-hidden", Value::Text),
    ("data-hyperframes-ignore", Value::Text),
    ("data-hyperframes-picker-ignore", Value::Text),
    ("data-label", Value::Text),
    ("data-layer", Value::Number),
    ("data-loop", Value::Text),
    ("data-media-start", Value::Number),
    ("data-no-timeline", Value::Text),
    ("data-playback-rate", Value::Number),
    ("data-playback-start", Value::Number),
    ("data-requires-webgpu", Value::Text),
    ("data-root", Value::Text),
    ("data-start", Value::Text),
    ("data-thumbnail-url", Value::Text),
    ("data-timeline-group", Value::Text),
    ("data-timeline-label", Value::Text),
    ("data-timeline-locked", Value::Text),
    ("data-timeline-priority", Value::Text),
    ("data-timeline-role", Value::Text),
    ("data-track", Value::Text),
    ("data-track-index", Value::Number),
    ("data-var-src", Value::Text),
    ("data-var-text", Value::Text),
    ("data-variable-values", Value::Json),
    ("data-volume", Value::Number),
    ("data-width", Value::Pixels),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Text,
    Number,
    /// A number above 0.
    Seconds,
    Pixels,
    Json,
}

/// Attributes of the format that are written without `data-` by mistake; those that HTML has itself are not among them.
const WITHOUT_PREFIX: [&str; 6] = [
    "composition-id",
    "composition-src",
    "composition-variables",
    "media-start",
    "playback-rate",
    "track-index",
];

pub(super) fn check(source: &Source<'_>, found: &mut Vec<(usize, Severity, String)>) {
    for tag in source.tags.iter().filter(|tag| !tag.is_end) {
        for attribute in &tag.attributes {
            if let Some(message) = problem(attribute, source) {
                let message = format!("{}: {message}", tag.described());
                found.push((attribute.start, Severity::Warning, message));
            }
        }
    }
    if source.part == Part::Entry {
        check_root(source, found);
    }
}

fn problem(attribute: &Attribute<'_>, source: &Source<'_>) -> Option<String> {
    let name = attribute.name.as_str();
    if let Some((_, kind)) = KNOWN.iter().find(|(known, _)| *known == name) {
        let value = attribute.value.trim();
        return wrong_value(*kind, value).map(|says| format!("{name}=\"{value}\" {says}"));
    }
    if WITHOUT_PREFIX.contains(&name) {
        return Some(format!("{name} is written data-{name}"));
    }
    let meant = meant(name)?;
    // An attribute of the author's own, which scripts or styles speak of.
    let is_used =
        source.text.match_indices(name).count() > 1 || source.text.contains(&camel_case(name));
    (!is_used).then(|| format!("{name} is no attribute of the format: {meant} is probably meant"))
}

fn wrong_value(kind: Value, value: &str) -> Option<String> {
    // What a template engine fills in.
    if value.contains("{{") || value.contains("${") || value.contains("<%") {
        return None;
    }
    let number = js_number(value);
    match kind {
        Value::Text | Value::Json => None,
        Value::Number => number.is_none().then(|| "is no number and counts as nothing".to_owned()),
        Value::Seconds => match number {
            None => {
                Some("is no number of seconds and counts as nothing: write 5, not 5s".to_owned())
            }
            Some(number) if number <= 0.0 => {
                Some("is not above 0 and counts as nothing".to_owned())
            }
            Some(_) => None,
        },
        // `1920px` is read as far as its digits.
        Value::Pixels => {
            let is_number = value.starts_with(|c: char| c.is_ascii_digit());
            (!is_number).then(|| "is no number of pixels".to_owned())
        }
    }
}

fn check_root(source: &Source<'_>, found: &mut Vec<(usize, Severity, String)>) {
    let roots: Vec<&Tag<'_>> = source
        .tags
        .iter()
        .filter(|tag| !tag.is_end && tag.attribute("data-composition-id").is_some())
        .collect();
    let marked = roots.iter().find(|tag| tag.attribute("data-root").as_deref() == Some("true"));
    let Some(root) = marked.or(roots.first()) else { return };
    for (name, default) in [("data-width", 1080), ("data-height", 1920)] {
        if root.attribute(name).is_none() {
            let message = format!("{} has no {name}: {default} is taken", root.described());
            found.push((root.start, Severity::Warning, message));
        }
    }
}

/// `data-my-name` as scripts say it: `dataset.myName`.
fn camel_case(name: &str) -> String {
    let mut words = name.trim_start_matches("data-").split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(format!("dataset.{first}"), |all, word| {
        let mut letters = word.chars();
        let initial = letters.next().map(|c| c.to_ascii_uppercase()).into_iter();
        all + &initial.chain(letters).collect::<String>()
    })
}

/// The attribute of the format that a name is a misspelling of.
fn meant(name: &str) -> Option<&'static str> {
    if !name.starts_with("data") {
        return None;
    }
    let near = |known: &'static str| {
        let least = if known.len() <= "data-width".len() { 1 } else { 2 };
        let distance = distance(name, known);
        (distance <= least).then_some((distance, known))
    };
    KNOWN.iter().filter_map(|(known, _)| near(known)).min().map(|(_, known)| known)
}

/// How many letters have to be put in, taken out, changed or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![vec![0; to.len() + 1]; from.len() + 1];
    for i in 0..=from.len() {
        for j in 0..=to.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let change = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
                let mut best = change.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editors_are_told_of_every_attribute_and_no_other() {
        let text = include_str!("../../../../docs/hyperframes.html-data.json");
        let data: serde_json::Value = serde_json::from_str(text).unwrap();
        let told = data["globalAttributes"].as_array().unwrap().iter();
        let told: Vec<_> = told.map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(told, KNOWN.map(|(name, _)| name));
    }

    #[test]
    fn a_misspelt_attribute_is_one_of_the_format_that_is_near() {
        for (name, expected) in [
            ("data-durration", Some("data-duration")),
            ("data-composition-scr", Some("data-composition-src")),
            ("data-compositionid", Some("data-composition-id")),
            ("data_start", Some("data-start")),
            ("data-strat", Some("data-start")),
            ("data-witdh", Some("data-width")),
            ("data-heigth", Some("data-height")),
            ("data-card", None),
            ("data-state", None),
            ("data-index", None),
            ("data-theme", None),
            ("title", None),
        ] {
            assert_eq!(meant(name), expected, "{name}");
        }
        assert_eq!(camel_case("data-my-name"), "dataset.myName");
    }

    #[test]
    fn the_attributes_are_in_order_and_each_is_there_once() {
        assert!(KNOWN.is_sorted_by(|a, b| a.0 < b.0));
    }
}
