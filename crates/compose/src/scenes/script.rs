//! Scripts of a nested composition, each made the body of a function that is given the instance's own view of the page.

use serde_json::json;

use crate::document::html::json_in_script;
use crate::javascript::Module;
use crate::scenes::selector::Scope;

/// Defines `__fwScene`, which makes that view.
pub(crate) const PRELUDE: &str = include_str!("scenes.js");

/// Names that a script of the instance sees in place of the page's.
const NAMES: [&str; 4] = ["document", "gsap", "window", "__hyperframes"];

/// A classic script for one instance.
pub(crate) fn wrap(source: &str, scope: &Scope, declared_id: &str, file: &str) -> String {
    format!(
        "__fwScene({}, function (document, gsap, window, __hyperframes) {{ return (function () {{\n{}\n}}).call(this); }});",
        describe(scope, declared_id, file),
        escape_end(source)
    )
}

/// A module for one instance: what it imports is its own, and of the names above it sees its view, unless it declares them itself.
pub(crate) fn wrap_module(source: &str, scope: &Scope, declared_id: &str, file: &str) -> String {
    let own = Module::parse(source).names;
    let free: Vec<_> = NAMES.into_iter().filter(|name| !own.iter().any(|o| o == name)).collect();
    format!(
        "const {{ {} }} = __fwScene({});\n{}",
        free.join(", "),
        describe(scope, declared_id, file),
        escape_end(source)
    )
}

fn describe(scope: &Scope, declared_id: &str, file: &str) -> String {
    json_in_script(&json!({
        "id": scope.instance,
        "authored": declared_id,
        "rootId": scope.root,
        "file": file,
    }))
}

/// A script element ends at the first `</script`, whatever the script means by it; in a string or pattern, the backslash
/// changes nothing.
fn escape_end(source: &str) -> String {
    // A comment that opens a script element within the script would keep the script's own end from being seen.
    let lower = source.to_ascii_lowercase();
    let hides_end = lower.contains("<!--") && lower.contains("<script");
    let source = if hides_end { &source.replace("<!--", "<\\!--") } else { source };
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("</") {
        let (before, end) = rest.split_at(at);
        out.push_str(before);
        let is_end = end.get(2..8).is_some_and(|name| name.eq_ignore_ascii_case("script"));
        out.push_str(if is_end { "<\\/" } else { "</" });
        rest = &end[2..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenes::page::Page;

    fn scope() -> Scope {
        Scope {
            instance: "a__hf1".into(),
            authored: "a".into(),
            root: Some("r".into()),
            page: Page::default(),
        }
    }

    #[test]
    fn a_script_becomes_the_body_of_a_function_of_its_own() {
        let wrapped = wrap("const x = 1; // $& end", &scope(), "a", "scenes/a.html");
        assert!(wrapped.starts_with(
            "__fwScene({\"authored\":\"a\",\"file\":\"scenes/a.html\",\"id\":\"a__hf1\",\"rootId\":\"r\"}, function ("
        ), "{wrapped}");
        assert!(wrapped.contains("\nconst x = 1; // $& end\n}"), "{wrapped}");
    }

    #[test]
    fn no_script_ends_its_element_early() {
        let wrapped = wrap("x = '</script>' + '</SCRIPT>' + '</p>';", &scope(), "a", "a.html");
        assert!(wrapped.contains("x = '<\\/script>' + '<\\/SCRIPT>' + '</p>';"), "{wrapped}");
    }

    #[test]
    fn a_module_keeps_the_names_that_it_imports() {
        for (source, names) in [
            ("import { x } from './x.js';", "{ document, gsap, window, __hyperframes }"),
            ("import gsap from 'gsap';", "{ document, window, __hyperframes }"),
            ("import { gsap, x } from 'gsap';", "{ document, window, __hyperframes }"),
            ("import * as gsap from 'gsap';", "{ document, window, __hyperframes }"),
            ("const { gsap } = globalThis;", "{ document, window, __hyperframes }"),
            ("const a = 1, gsap = 2;", "{ document, window, __hyperframes }"),
            ("const tl = gsap.timeline();", "{ document, gsap, window, __hyperframes }"),
            ("f(() => { const gsap = 1; });", "{ document, gsap, window, __hyperframes }"),
            ("/* import gsap from 'gsap'; */", "{ document, gsap, window, __hyperframes }"),
            ("const mygsap = 1;", "{ document, gsap, window, __hyperframes }"),
            ("const a = 1;\ngsap.to('b', {});", "{ document, gsap, window, __hyperframes }"),
        ] {
            let wrapped = wrap_module(source, &scope(), "a", "a.html");
            assert!(wrapped.starts_with(&format!("const {names} = __fwScene(")), "{wrapped}");
        }
    }
}
