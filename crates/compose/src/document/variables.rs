//! Variables of a composition: what its author declares, what an instance is given, what a render overrides.

use dom_query::{Document, NodeRef};
use serde_json::{Map, Value};

use crate::css;
use crate::document::html::describe;
use crate::error::{Error, Result};

/// A variable as `data-composition-variables` declares it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Declared {
    pub(crate) id: String,
    kind: String,
    default: Value,
    options: Vec<Value>,
}

/// What is wrong with how an element speaks of variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) element: String,
    pub(crate) reason: String,
}

/// What a declaration has to look like.
const SHAPE: &str =
    r#"must be a list such as [{"id": "title", "type": "string", "default": "Hello"}]"#;

/// The variables that `carriers` declare, the first one first, and what is no declaration.
pub(crate) fn declared(carriers: &[NodeRef<'_>]) -> (Vec<Declared>, Vec<Problem>) {
    let (mut found, mut problems) = (Vec::<Declared>::new(), Vec::new());
    for carrier in carriers {
        let Some(text) = carrier.attr("data-composition-variables") else { continue };
        let mut wrong = |reason: String| {
            let reason = format!("data-composition-variables {reason}");
            problems.push(Problem { element: describe(carrier), reason });
        };
        let list = match serde_json::from_str(&text) {
            Ok(Value::Array(list)) => list,
            Ok(other) => {
                wrong(format!("declares nothing: it is {}; it {SHAPE}", kind_of(&other)));
                continue;
            }
            Err(error) => {
                wrong(format!("declares nothing: {error}; it {SHAPE}"));
                continue;
            }
        };
        for (index, entry) in list.into_iter().enumerate() {
            let place = index + 1;
            match read_one(entry) {
                Ok(one) if found.iter().any(|other| other.id == one.id) => {}
                Ok(one) => found.push(one),
                Err(reason) => {
                    wrong(format!("declares nothing by entry {place}: {reason}; it {SHAPE}"));
                }
            }
        }
    }
    (found, problems)
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Object(_) => "an object",
        Value::Array(_) => "a list",
        Value::String(_) => "a string",
        Value::Number(_) => "a number",
        Value::Bool(_) => "true or false",
        Value::Null => "null",
    }
}

fn read_one(entry: Value) -> std::result::Result<Declared, String> {
    let Value::Object(mut fields) = entry else {
        return Err(format!("it is {}", kind_of(&entry)));
    };
    let id = match fields.remove("id") {
        Some(Value::String(id)) if !id.trim().is_empty() => id,
        Some(other) => return Err(format!("its id is {other}")),
        None => {
            let other = ["name", "key", "variable"].iter().find(|name| fields.contains_key(**name));
            let has = other.map(|name| format!(", but a \"{name}\"")).unwrap_or_default();
            return Err(format!("it has no \"id\"{has}"));
        }
    };
    let kind =
        fields.remove("type").and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default();
    let options = match fields.remove("options") {
        Some(Value::Array(options)) => options,
        _ => Vec::new(),
    };
    let default = fields.remove("default").unwrap_or(Value::Null);
    Ok(Declared { id, kind, default, options })
}

/// The values that a script of the composition reads: the defaults, and over them what is given.
pub(crate) fn values(declared: &[Declared], given: &Map<String, Value>) -> Map<String, Value> {
    let defaults = declared.iter().filter(|one| !one.default.is_null());
    let mut values: Map<_, _> = defaults.map(|one| (one.id.clone(), one.default.clone())).collect();
    values.extend(given.clone());
    values
}

/// The given values that no declaration names, each as a sentence.
pub(crate) fn undeclared(declared: &[Declared], given: &Map<String, Value>) -> Vec<String> {
    let is_unknown = |name: &&String| !declared.iter().any(|one| one.id == **name);
    let unknown = given.keys().filter(is_unknown);
    unknown.map(|name| format!("variable \"{name}\": {}", not_declared(declared))).collect()
}

fn not_declared(declared: &[Declared]) -> String {
    let known: Vec<_> = declared.iter().map(|one| one.id.as_str()).collect();
    match known.as_slice() {
        [] => "the composition declares no variables".to_owned(),
        known => format!("is not declared; declared are {}", known.join(", ")),
    }
}

/// The elements of `scope` that ask for a variable which is neither declared nor given.
pub(crate) fn unbound(
    scope: &[NodeRef<'_>],
    declared: &[Declared],
    given: &Map<String, Value>,
) -> Vec<Problem> {
    let mut found = Vec::new();
    for node in scope {
        for name in ["data-var-src", "data-var-text"] {
            let Some(id) = node.attr(name) else { continue };
            let is_known = declared.iter().any(|one| one.id == *id) || given.contains_key(&*id);
            if !is_known {
                let reason =
                    format!("{name}=\"{id}\" names no variable: {}", not_declared(declared));
                found.push(Problem { element: describe(node), reason });
            }
        }
    }
    found
}

/// Refuses values for variables that nobody declares, and values of another type than declared.
pub(crate) fn check(declared: &[Declared], given: &Map<String, Value>) -> Result<()> {
    for (name, value) in given {
        let refuse = |reason: String| Err(Error::Variable { name: name.clone(), reason });
        let Some(one) = declared.iter().find(|one| one.id == *name) else {
            return refuse(not_declared(declared));
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
        let text = if css::is_complete(&text) { text } else { css::string(&text) };
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
        Some((scheme, _)) if crate::site::has_scheme(&lower) => {
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
    use crate::document::html::parse;

    const DECLARED: &str = r##"[{"id":"title","type":"string","default":"Hi"},{"id":"accentColor","type":"color","default":"#f00"},
        {"id":"size","type":"number"},{"id":"mood","type":"enum","options":[{"value":"calm","label":"Calm"},"wild"]}]"##;

    fn read(text: &str) -> (Vec<Declared>, Vec<String>) {
        let document = parse("<html><body></body></html>");
        let root = document.html_root();
        root.set_attr("data-composition-variables", text);
        let (declared, problems) = declared(&[root]);
        (declared, problems.into_iter().map(|problem| problem.reason).collect())
    }

    #[test]
    fn what_is_no_declaration_is_told_with_the_shape_of_one() {
        for (text, count, says) in [
            (r#"[{"name":"title","default":"x"}]"#, 0, "entry 1: it has no \"id\", but a \"name\""),
            (r#"{"title":"x"}"#, 0, "it is an object; it must be a list such as [{"),
            (r#"["title",{"id":"a"}]"#, 1, "entry 1: it is a string"),
            (r#"[{"id":7},{"id":"a"}]"#, 1, "entry 1: its id is 7"),
            (r#""title""#, 0, "it is a string"),
            ("{oops", 0, "declares nothing: "),
        ] {
            let (declared, problems) = read(text);
            assert_eq!(declared.len(), count, "{text}");
            assert!(problems.len() == 1 && problems[0].contains(says), "{problems:?}");
        }
    }

    #[test]
    fn what_names_no_variable_is_found() {
        let (declared, _) = read(DECLARED);
        let given = map(json!({"titel": 1, "title": "x"}));
        let unknown = undeclared(&declared, &given);
        assert_eq!(unknown.len(), 1);
        assert!(unknown[0].starts_with("variable \"titel\": is not declared; declared are title"));
        assert!(undeclared(&[], &given)[0].contains("declares no variables"));
        let document = parse(
            "<p id=a data-var-text=titel></p><p data-var-text=mood></p><img id=b data-var-src=logo>",
        );
        let found =
            unbound(&bound_elements(&document, None), &declared, &map(json!({"logo": "a.png"})));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].element, "<p id=\"a\">");
        assert!(
            found[0]
                .reason
                .starts_with("data-var-text=\"titel\" names no variable: is not declared")
        );
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
            ("a(b]", "\"a(b]\""),
            ("url(a b", "\"url(a b\""),
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
