//! What is done to a sound beside its own volume: fades, the group that it belongs to, and effects, which are refused.

use dom_query::{Document, NodeRef};

use crate::document::html::describe;
use crate::document::root::find_root;
use crate::error::{Error, Result};
use crate::media::clip::Volume;
use crate::timing::js_number;

/// Seconds at both ends of a sound.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Fades {
    fade_in: f64,
    fade_out: f64,
}

impl Fades {
    pub(super) fn of(node: &NodeRef<'_>) -> Self {
        let seconds = |name: &str| {
            let value = node.attr(name).and_then(|text| js_number(&text));
            value.filter(|value| *value > 0.0).unwrap_or(0.0)
        };
        Self { fade_in: seconds("data-fade-in"), fade_out: seconds("data-fade-out") }
    }

    /// The factors of a sound that starts at `start` and lasts so long, if it has an end. Fades that do not both fit share
    /// what there is in their proportion.
    pub(super) fn factors(self, start: f64, lasts: Option<f64>) -> Volume {
        let Self { fade_in, fade_out } = self;
        let total = fade_in + fade_out;
        let scale = match lasts {
            Some(lasts) if total > lasts && lasts > 0.0 => lasts / total,
            _ => 1.0,
        };
        let mut points = Vec::new();
        if fade_in > 0.0 {
            points.extend([(start, 0.0), (start + fade_in * scale, 1.0)]);
        }
        if let (Some(lasts), true) = (lasts, fade_out > 0.0) {
            points.extend([(start + lasts - fade_out * scale, 1.0), (start + lasts, 0.0)]);
        }
        if points.is_empty() { Volume::Constant(1.0) } else { Volume::Curve(points) }
    }
}

/// Attributes with effects on a sound.
const EFFECTS: [&str; 2] = ["data-fx-chain", "data-automation"];

/// The group that the sound of `node` belongs to.
pub(super) fn of<'a>(document: &'a Document, node: &NodeRef<'a>) -> Option<NodeRef<'a>> {
    let name = node.attr("data-audio-group")?;
    let groups = document.select("hf-audio-group");
    let is_named = |group: &&NodeRef<'a>| {
        ["data-hf-render-id", "id"].iter().any(|id| group.attr(id).as_deref() == Some(&*name))
    };
    groups.nodes().iter().find(is_named).copied()
}

/// Refuses effects, wherever they stand: the sound would be another without them, and the pictures too where a lane of an
/// automation changes the rate.
pub(super) fn refuse_effects(
    document: &Document,
    node: &NodeRef<'_>,
    group: Option<NodeRef<'_>>,
    is_audible: bool,
    file: &str,
) -> Result<()> {
    let root = find_root(document);
    let carriers = [Some(*node), group, root].into_iter().flatten();
    for carrier in carriers.filter(|_| is_audible) {
        if let Some(name) = EFFECTS.iter().find(|name| carrier.has_attr(name)) {
            return Err(refused(&carrier, name, "the sound would be another", file));
        }
    }
    let has_rates = node.attr("data-automation").is_some_and(|lanes| {
        let lanes: serde_json::Value = serde_json::from_str(&lanes).unwrap_or_default();
        names_rate(&lanes)
    });
    if has_rates {
        return Err(refused(
            node,
            "data-automation",
            "its lane \"rate\" shows other pictures",
            file,
        ));
    }
    Ok(())
}

fn names_rate(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Object(fields) => {
            fields.get("target").is_some_and(|target| target == "rate")
                || fields.contains_key("rate")
                || fields.values().any(names_rate)
        }
        serde_json::Value::Array(all) => all.iter().any(names_rate),
        _ => false,
    }
}

fn refused(node: &NodeRef<'_>, name: &str, why: &str, file: &str) -> Error {
    Error::Composition {
        file: file.to_owned(),
        element: describe(node),
        reason: format!("{name} is not supported by this version: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::html::parse;

    #[test]
    fn fades_are_lines_at_the_ends_of_a_sound() {
        let curve = |points: &[(f64, f64)]| Volume::Curve(points.to_vec());
        for (attributes, start, lasts, expected) in [
            ("", 1.0, Some(4.0), Volume::Constant(1.0)),
            ("data-fade-in=1", 1.0, Some(4.0), curve(&[(1.0, 0.0), (2.0, 1.0)])),
            ("data-fade-out=1", 1.0, Some(4.0), curve(&[(4.0, 1.0), (5.0, 0.0)])),
            (
                "data-fade-in=3 data-fade-out=1",
                0.0,
                Some(2.0),
                curve(&[(0.0, 0.0), (1.5, 1.0), (1.5, 1.0), (2.0, 0.0)]),
            ),
            ("data-fade-in=1 data-fade-out=1", 0.0, None, curve(&[(0.0, 0.0), (1.0, 1.0)])),
            ("data-fade-in=-1 data-fade-out=soon", 0.0, Some(2.0), Volume::Constant(1.0)),
        ] {
            let document = parse(&format!("<audio {attributes}></audio>"));
            let fades = Fades::of(&document.select("audio").nodes()[0]);
            assert_eq!(fades.factors(start, lasts), expected, "{attributes}");
        }
    }

    #[test]
    fn effects_are_refused_where_they_stand() {
        let check = |html: &str, is_audible: bool| {
            let document = parse(html);
            let node = document.select("audio, video").nodes()[0];
            let group = of(&document, &node);
            refuse_effects(&document, &node, group, is_audible, "index.html")
                .err()
                .map(|error| error.to_string())
        };
        let lanes = r#"{"version":1,"lanes":[{"target":"rate","points":[]}]}"#;
        for (html, is_audible, says) in [
            ("<audio data-fx-chain='{}'></audio>".to_owned(), true, Some("<audio>: data-fx-chain")),
            ("<audio data-fx-chain='{}'></audio>".to_owned(), false, None),
            (
                "<div id=r data-composition-id=c data-fx-chain='{}'><audio></audio></div>".to_owned(),
                true,
                Some("<div id=\"r\" data-composition-id=\"c\">: data-fx-chain"),
            ),
            (
                "<hf-audio-group id=g data-automation='{}'></hf-audio-group><audio data-audio-group=g></audio>".to_owned(),
                true,
                Some("<hf-audio-group id=\"g\">: data-automation"),
            ),
            (format!("<video muted data-automation='{lanes}'></video>"), false, Some("its lane \"rate\"")),
            ("<video muted data-automation='{\"lanes\":[{\"target\":\"volume\"}]}'></video>".to_owned(), false, None),
        ] {
            match (check(&html, is_audible), says) {
                (None, None) => {}
                (Some(found), Some(says)) if found.contains(says) => {}
                (found, _) => panic!("{html}: {found:?}"),
            }
        }
    }
}
