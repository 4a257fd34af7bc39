//! What a JavaScript module imports, found without reading the language: `import` and `export … from` with the string after it.

/// The specifiers of static imports and of dynamic ones whose argument is a string, in order.
pub(super) fn specifiers(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for keyword in ["import", "export"] {
        for (at, _) in source.match_indices(keyword) {
            let (before, after) = (&source[..at], &source[at + keyword.len()..]);
            if !begins(before, after) {
                continue;
            }
            let dynamic = after.trim_start().strip_prefix('(').map(str::trim_start);
            let text = match (keyword, dynamic) {
                ("import", Some(argument)) => argument,
                _ => match clause(after) {
                    Some(rest) if keyword == "import" || is_from(after, rest) => rest,
                    _ => continue,
                },
            };
            if let Some(specifier) = string(text) {
                found.push((at, specifier));
            }
        }
    }
    found.sort();
    found.into_iter().map(|(_, specifier)| specifier).collect()
}

/// Whether the keyword is a word of its own, and no name of a property.
fn begins(before: &str, after: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    !before.ends_with(|c: char| is_name(c) || c == '.' || c == '"' || c == '\'')
        && !after.starts_with(|c: char| is_name(c) || c == '.' || c == ':')
        && !is_in_line_comment(before)
}

fn is_in_line_comment(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or(before).trim_start();
    line.starts_with("//") || line.starts_with('*')
}

/// What comes after the names that a statement imports or exports: the string, if nothing else is between.
fn clause(after: &str) -> Option<&str> {
    let is_clause = |c: char| c.is_alphanumeric() || "_$\\ \t\r\n{},*".contains(c);
    let quote = after.find(|c: char| !is_clause(c))?;
    let names = after[..quote].trim_end();
    let rest = &after[quote..];
    (names.is_empty() || names.ends_with("from")).then_some(rest)
}

fn is_from(after: &str, rest: &str) -> bool {
    after[..after.len() - rest.len()].trim_end().ends_with("from")
}

/// The content of the string that `text` begins with; one with an escape is no address that anybody writes.
fn string(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|c| *c == '"' || *c == '\'')?;
    let content = &text[1..];
    let end = content.find(quote)?;
    let specifier = &content[..end];
    (!specifier.is_empty() && !specifier.contains(['\\', '\n'])).then(|| specifier.to_owned())
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
            ("export default 'text'; export const a = 'b';", &[]),
            ("// import './no.js'\n * import './no.js'", &[]),
            ("meta = import.meta.url; o.import('x'); important = 'y'", &[]),
            ("{ import: 'x' }", &[]),
        ] {
            assert_eq!(specifiers(source), expected, "{source}");
        }
    }
}
