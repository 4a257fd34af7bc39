//! What a JavaScript module imports and declares.

use oxc_allocator::Allocator;
use oxc_ast::AstKind;
use oxc_ast::ast::Expression;
use oxc_parser::{ParseOptions, Parser};
use oxc_semantic::SemanticBuilder;
use oxc_span::SourceType;

/// The two things that matter here about a module. One that cannot be parsed has neither: Chrome reports its error.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Module {
    /// The specifiers of static imports, re-exports, and dynamic imports whose argument is a constant, in source order.
    pub(crate) specifiers: Vec<String>,
    /// The names of its own scope.
    pub(crate) names: Vec<String>,
}

impl Module {
    pub(crate) fn parse(source: &str) -> Self {
        let allocator = Allocator::default();
        let parsed = Parser::new(&allocator, source, SourceType::mjs()).parse();
        if parsed.panicked {
            return Self::default();
        }
        let semantic =
            SemanticBuilder::new().with_build_nodes(true).build(&parsed.program).semantic;
        let specifiers = semantic.nodes().iter().filter_map(|node| specifier(node.kind()));
        let scoping = semantic.scoping();
        let names = scoping.get_bindings(scoping.root_scope_id()).keys();
        Self { specifiers: specifiers.collect(), names: names.map(ToString::to_string).collect() }
    }
}

/// How a script is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScriptKind {
    Classic,
    Module,
}

/// What keeps a script from being read, and where. A nested composition's script is the body of a function, which may return.
pub(crate) fn syntax_error(source: &str, kind: ScriptKind) -> Option<(usize, String)> {
    let allocator = Allocator::default();
    let source_type = match kind {
        ScriptKind::Classic => SourceType::script(),
        ScriptKind::Module => SourceType::mjs(),
    };
    let options = ParseOptions { allow_return_outside_function: true, ..ParseOptions::default() };
    let parsed = Parser::new(&allocator, source, source_type).with_options(options).parse();
    // What the parser only complains about, Chrome may take.
    let error = parsed.diagnostics.first().filter(|_| parsed.panicked)?;
    let label = error.labels.first();
    let at = label.map_or(0, |label| label.offset() as usize);
    Some((at, error.message.to_string()))
}

/// How a script makes a sound that is no element of the page, if it does.
pub(crate) fn makes_sound(source: &str) -> Option<&'static str> {
    if !source.contains("Audio") && !source.contains("createElement") {
        return None;
    }
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, SourceType::unambiguous()).parse();
    if parsed.panicked {
        return None;
    }
    let semantic = SemanticBuilder::new().with_build_nodes(true).build(&parsed.program).semantic;
    let is_of_the_page = semantic.scoping().root_unresolved_references().contains_key("Audio");
    semantic.nodes().iter().find_map(|node| match node.kind() {
        AstKind::NewExpression(new) => match &new.callee {
            Expression::Identifier(name) if name.name == "Audio" && is_of_the_page => {
                Some("new Audio()")
            }
            Expression::StaticMemberExpression(member) if member.property.name == "Audio" => {
                let is_window = matches!(&member.object, Expression::Identifier(name)
                    if ["window", "globalThis", "self"].contains(&name.name.as_str()));
                is_window.then_some("new Audio()")
            }
            _ => None,
        },
        AstKind::CallExpression(call) => {
            let Expression::StaticMemberExpression(member) = &call.callee else { return None };
            let argument = call.arguments.first()?.as_expression()?;
            let is_audio = matches!(argument, Expression::StringLiteral(text)
                if text.value.eq_ignore_ascii_case("audio"));
            (member.property.name == "createElement" && is_audio)
                .then_some("createElement(\"audio\")")
        }
        _ => None,
    })
}

fn specifier(node: AstKind<'_>) -> Option<String> {
    let source = match node {
        AstKind::ImportDeclaration(import) => &import.source,
        AstKind::ExportAllDeclaration(export) => &export.source,
        AstKind::ExportFromDeclaration(export) => &export.source,
        AstKind::ImportExpression(import) => {
            return match &import.source {
                Expression::StringLiteral(text) => Some(text.value.to_string()),
                Expression::TemplateLiteral(text) => {
                    text.single_quasi().map(|text| text.to_string())
                }
                _ => None,
            };
        }
        _ => return None,
    };
    Some(source.value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_imports_of_a_module_are_found() {
        for (source, expected) in [
            ("import * as THREE from 'three';", &["three"][..]),
            ("import{a as b,c}from\"./x.js\";export*from'./y.js'", &["./x.js", "./y.js"]),
            ("import d, { e } from \"https://h/z.js\"", &["https://h/z.js"]),
            ("import './side.js'\nimport\"./min.js\";", &["./side.js", "./min.js"]),
            ("const m = await import( './late.js' ); import(name)", &["./late.js"]),
            ("export { x } from\n  './multi.js'", &["./multi.js"]),
            ("import(`./plain.js`); import(`./${x}.js`)", &["./plain.js"]),
            ("import '\\x2e/escaped.js'", &["./escaped.js"]),
            ("import data from './data.json' with { type: 'json' }", &["./data.json"]),
            ("export default 'text'; export const a = 'b';", &[]),
            ("meta = import.meta.url; o.import('x'); important = 'y'", &[]),
            ("x = { import: 'x' }", &[]),
        ] {
            assert_eq!(Module::parse(source).specifiers, expected, "{source}");
        }
    }

    #[test]
    fn an_import_in_a_comment_or_a_string_is_none() {
        for source in [
            "/* import \"https://h/a.js\" */",
            "x = 1; // import 'https://h/a.js'",
            "x = `import 'https://h/a.js'`;",
            "x = \"import('https://h/a.js')\";",
            "x = /import 'a'/;",
        ] {
            assert_eq!(Module::parse(source).specifiers, [""; 0], "{source}");
        }
    }

    #[test]
    fn a_script_that_cannot_be_read_says_where() {
        for (source, expected) in [
            ("const a = 1;\nreturn a;", None),
            ("with (a) { b = 010 }", None),
            ("const = 1;", Some(6)),
            ("f(;", Some(2)),
        ] {
            let found = syntax_error(source, ScriptKind::Classic).map(|(at, _)| at);
            assert_eq!(found, expected, "{source}");
        }
    }

    #[test]
    fn a_sound_that_a_script_makes_is_found() {
        for (source, expected) in [
            ("const a = new Audio('a.mp3'); a.play();", Some("new Audio()")),
            ("new window.Audio('a.mp3')", Some("new Audio()")),
            ("import x from 'x'; new Audio(x)", Some("new Audio()")),
            ("document.createElement('audio')", Some("createElement(\"audio\")")),
            ("class Audio {} new Audio(1)", None),
            ("import { Audio } from 'three'; new Audio(listener)", None),
            ("// new Audio('a.mp3')", None),
            ("new AudioContext(); document.createElement('div')", None),
            ("const a = ;", None),
        ] {
            assert_eq!(makes_sound(source), expected, "{source}");
        }
    }

    #[test]
    fn the_names_of_a_module_are_those_of_its_outermost_scope() {
        for (source, expected) in [
            ("import { x as y } from 'a'; import * as z from 'b';", &["y", "z"][..]),
            ("const { a, b: [c] } = d, e = f;", &["a", "c", "e"]),
            ("function g() { var h; } class K {}", &["K", "g"]),
            ("if (x) { var hoisted = 1; let inner; }", &["hoisted"]),
            ("gsap.to('a', { gsap });", &[]),
            ("const a = ;", &[]),
        ] {
            let mut names = Module::parse(source).names;
            names.sort();
            assert_eq!(names, expected, "{source}");
        }
    }
}
