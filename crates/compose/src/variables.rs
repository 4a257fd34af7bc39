//! Variables of a composition: what its author declares, what an instance is given, what a render overrides.

use dom_query::{Document, NodeRef};
use serde_json::{Map, Value};

use crate::assets::quoted_address;
use crate::error::{Error, Result};
use crate::html::describe;

/// A variable as `data-composition-variables` declares it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Declared {
    pub(crate) id: String,
    kind: String,
    default: Value,
    options: Vec<Value>,
}

/// The variables that `carriers` declare, the first one first; what is no list of variables is a warning.
pub(crate) fn declared(
    carriers: &[NodeRef<'_>],
    file: &str,
    warnings: &mut Vec<String>,
) -> Vec<Declared> {
    let mut found: Vec<Declared> = Vec::new();
    for carrier in carriers {
        let Some(text) = carrier.attr("data-composition-variables") else { continue };
        match serde_json::from_str::<Vec<Map<String, Value>>>(&text) {
            Ok(list) => {
                for one in list.into_iter().filter_map(read_one) {
                    if !found.iter().any(|other| other.id == one.id) {
                        found.push(one);
                    }
                }
            }
            Err(error) => warnings.push(format!(
                "{file}: {}: data-composition-variables declares nothing: {error}",
                describe(carrier)
            )),
        }
    }
    found
}

fn read_one(mut fields: Map<String, Value>) -> Option<Declared> {
    let id = fields.remove("id")?.as_str()?.to_owned();
    let kind =
        fields.remove("type").and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default();
    let options = match fields.remove("options") {
        Some(Value::Array(options)) => options,
        _ => Vec::new(),
    };
    let default = fields.remove("default").unwrap_or(Value::Null);
    Some(Declared { id, kind, default, options })
}

/// The values that a script of the composition reads: the defaults, and over them what is given.
pub(crate) fn values(declared: &[Declared], given: &Map<String, Value>) -> Map<String, Value> {
    let defaults = declared.iter().filter(|one| !one.default.is_null());
    let mut values: Map<_, _> = defaults.map(|one| (one.id.clone(), one.default.clone())).collect();
    values.extend(given.clone());
    values
}

/// Refuses values for variables that nobody declares, and values of another type than declared.
pub(crate) fn check(declared: &[Declared], given: &Map<String, Value>) -> Result<()> {
    for (name, value) in given {
        let refuse = |reason: String| Err(Error::Variable { name: name.clone(), reason });
        let Some(one) = declared.iter().find(|one| one.id == *name) else {
            let known: Vec<_> = declared.iter().map(|one| one.id.as_str()).collect();
            return refuse(match known.as_slice() {
                [] => "the composition declares no variables".to_owned(),
                known => format!("is not declared; declared are {}", known.join(", ")),
            });
        };
        let fits = match one.kind.as_str() {
            "string" | "text" | "color" | "image" | "video" | "audio" | "media" | "font"
            | "url" => value.is_string(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            _ => true,
        };
        if !fits {
            return refuse(format!("must be a {}, not {value}", one.kind));
        }
        let choices: Vec<_> = one.options.iter().map(|o| o.get("value").unwrap_or(o)).collect();
        if !choices.is_empty() && !choices.contains(&value) {
            let named: Vec<_> = choices.iter().map(ToString::to_string).collect();
            return refuse(format!("must be one of {}, not {value}", named.join(", ")));
        }
    }
    Ok(())
}

/// Custom properties for `selectors`: each value under its id and under its id as CSS names are usually written.
pub(crate) fn custom_properties(
    selectors: &str,
    values: &Map<String, Value>,
    force: Force,
) -> String {
    let important = match force {
        Force::WhereAbsent => "",
        Force::Always => "!important",
    };
    let mut rules = Vec::new();
    for (id, value) in values {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => continue,
        };
        let text: String = text.chars().filter(|c| !";{}<>\r\n".contains(*c)).collect();
        let text = if is_whole(&text) { text } else { quoted_address(&text) };
        for name in names(id) {
            rules.push(format!("--{name}:{text}{important};"));
        }
    }
    match (rules.concat().as_str(), force) {
        ("", _) => String::new(),
        (rules, Force::WhereAbsent) => format!(":where({selectors}){{{rules}}}"),
        (rules, Force::Always) => format!("{selectors}{{{rules}}}"),
    }
}

/// Whether a value is complete as CSS: what it opens it also closes, so that what follows it is not taken for a part of it.
fn is_whole(text: &str) -> bool {
    let mut open = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, open.last()) {
            ('\\', _) if chars.next().is_none() => return false,
            ('"' | '\'', Some(quote)) if *quote == c => {
                open.pop();
            }
            ('\\', _) | (_, Some('"' | '\'')) => {}
            ('"' | '\'', _) => open.push(c),
            ('/', _) if chars.peek() == Some(&'*') => return false,
            ('(', _) => open.push(')'),
            ('[', _) => open.push(']'),
            (')' | ']', Some(expected)) if *expected == c => {
                open.pop();
            }
            (')' | ']', _) => return false,
            _ => {}
        }
    }
    open.is_empty()
}

/// Whether a custom property gives way to one of the author's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Force {
    WhereAbsent,
    Always,
}

fn names(id: &str) -> Vec<String> {
    let mut slug = String::new();
    for c in id.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let is_name = !id.is_empty() && id.chars().all(|c| c.is_alphanumeric() || "-_".contains(c));
    let mut names = vec![slug];
    if is_name && names[0] != id {
        names.push(id.to_owned());
    }
    names
}

/// Puts values where the elements below `scope` ask for them: `data-var-src` as their source, `data-var-text` as their text.
pub(crate) fn bind(scope: &[NodeRef<'_>], values: &Map<String, Value>) {
    for node in scope {
        let address = node.attr("data-var-src").and_then(|id| values.get(&*id)?.as_str());
        if let Some(address) = address.filter(|address| may_be_source(address)) {
            node.set_attr("src", address);
        }
        let text = node.attr("data-var-text").and_then(|id| values.get(&*id).cloned());
        let text = match text {
            Some(Value::String(text)) => text,
            Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
            _ => continue,
        };
        set_own_text(node, &text);
    }
}

/// Replaces an element's own text and leaves the elements in it.
fn set_own_text(node: &NodeRef<'_>, text: &str) {
    let mut own = node.children().into_iter().filter(NodeRef::is_text);
    if let Some(first) = own.next() {
        first.set_text(text);
        own.for_each(|other| other.remove_from_parent());
    } else {
        node.prepend_child(&node.tree.new_text(text));
    }
}

fn may_be_source(address: &str) -> bool {
    let lower = address.trim().to_ascii_lowercase();
    match lower.split_once(':') {
        Some((scheme, _)) if crate::assets::has_scheme(&lower) => {
            ["http", "https", "blob"].contains(&scheme) || lower.starts_with("data:image/")
        }
        _ => !lower.is_empty(),
    }
}

/// Elements that ask for a variable and belong to `root` itself, not to a nested composition in it.
pub(crate) fn bound_elements<'a>(
    document: &'a Document,
    host: Option<&NodeRef<'a>>,
) -> Vec<NodeRef<'a>> {
    let all = document.select("[data-var-src], [data-var-text]");
    let own = |node: &NodeRef<'a>| {
        let nearest = node.ancestors_it(None).find(|above| above.has_attr("data-composition-file"));
        nearest.map(|above| above.id) == host.map(|host| host.id)
    };
    all.nodes().iter().copied().filter(own).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::html::parse;

    const DECLARED: &str = r##"[{"id":"title","type":"string","default":"Hi"},{"id":"accentColor","type":"color","default":"#f00"},
        {"id":"size","type":"number"},{"id":"mood","type":"enum","options":[{"value":"calm","label":"Calm"},"wild"]}]"##;

    fn read(text: &str) -> (Vec<Declared>, Vec<String>) {
        let document = parse("<html><body></body></html>");
        let root = document.html_root();
        root.set_attr("data-composition-variables", text);
        let mut warnings = Vec::new();
        (declared(&[root], "index.html", &mut warnings), warnings)
    }

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("{value} is no object") };
        map
    }

    #[test]
    fn a_given_value_wins_over_the_default() {
        let (declared, warnings) = read(DECLARED);
        assert!(warnings.is_empty());
        assert_eq!(
            values(&declared, &map(json!({"title": "Ho", "other": 1}))),
            map(json!({"title": "Ho", "accentColor": "#f00", "other": 1}))
        );
        let (none, warnings) = read("{oops");
        assert!(none.is_empty() && warnings[0].contains("declares nothing"), "{warnings:?}");
    }

    #[test]
    fn an_unknown_variable_or_a_value_of_another_type_is_refused_by_name() {
        let (declared, _) = read(DECLARED);
        for (given, named) in [
            (json!({"titel": "x"}), "\"titel\": is not declared; declared are title, accentColor"),
            (json!({"title": 1}), "\"title\": must be a string, not 1"),
            (json!({"size": "1"}), "\"size\": must be a number"),
            (json!({"mood": "loud"}), "\"mood\": must be one of \"calm\", \"wild\""),
        ] {
            let error = check(&declared, &map(given)).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        check(&declared, &map(json!({"title": "x", "size": 2, "mood": "calm"}))).unwrap();
    }

    #[test]
    fn a_value_cannot_leave_its_custom_property() {
        let values = map(json!({"accentColor": "red;}</style>", "my title": "x", "list": [1]}));
        assert_eq!(
            custom_properties("html", &values, Force::Always),
            "html{--accentcolor:red/style!important;--accentColor:red/style!important;--my-title:x!important;}"
        );
        assert!(custom_properties("a", &values, Force::WhereAbsent).starts_with(":where(a){"));
        for (value, expected) in [
            ("It's", "\"It's\""),
            ("(a", "\"(a\""),
            ("a)", "\"a)\""),
            ("a /* b", "\"a /* b\""),
            ("a\\", "\"a\\\\\""),
            ("rgb(1, 2, 3)", "rgb(1, 2, 3)"),
            ("url('a(b')", "url('a(b')"),
        ] {
            let values = map(json!({"v": value}));
            assert_eq!(
                custom_properties("a", &values, Force::Always),
                format!("a{{--v:{expected}!important;}}")
            );
        }
    }

    #[test]
    fn a_bound_element_gets_its_text_and_source() {
        let document = parse(
            "<body><h1 data-var-text=t>old<b>kept</b> more</h1><p data-var-text=t></p><img data-var-src=s src=a.png><img data-var-src=j>",
        );
        let values = map(json!({"t": "new", "s": "b.png", "j": "javascript:x"}));
        bind(&bound_elements(&document, None), &values);
        let html = document.select("body").inner_html();
        assert_eq!(
            &*html,
            "<h1 data-var-text=\"t\">new<b>kept</b></h1><p data-var-text=\"t\">new</p><img data-var-src=\"s\" src=\"b.png\"><img data-var-src=\"j\">"
        );
    }
}
