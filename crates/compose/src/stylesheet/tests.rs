//! What is found in CSS, and that edits touch nothing else.

use super::*;

fn read(text: &str) -> Vec<(String, String, String)> {
    let sheet = parse(text);
    let mut all = Vec::new();
    for block in &sheet.blocks {
        for declaration in &block.declarations {
            assert!(text[declaration.at..].starts_with(declaration.value), "{declaration:?}");
            all.push((
                block.prelude.to_owned(),
                declaration.name.clone(),
                declaration.value.to_owned(),
            ));
        }
    }
    all
}

#[test]
fn blocks_are_read_however_deep_they_nest() {
    for (text, expected) in [
        ("color: red; FONT : 1px a", &[("", "color", "red"), ("", "font", "1px a")][..]),
        (".a, b:hover > c { x: 1 }", &[(".a, b:hover > c", "x", "1")]),
        (
            "@media (min-width: 1px) { .a { x: y(;}) } } .b{z:1}",
            &[(".a", "x", "y(;})"), (".b", "z", "1")],
        ),
        (
            ".a { x: 1; &:hover { y: 2 } z: 3 }",
            &[(".a", "x", "1"), (".a", "z", "3"), ("&:hover", "y", "2")],
        ),
        (
            ":root { --A: { b: c }; --d:; e: f }",
            &[(":root", "--A", "{ b: c }"), (":root", "--d", ""), (":root", "e", "f")],
        ),
        ("/* .a { x: 1 } */ .b { /* ; */ x: ';}' }", &[(".b", "x", "';}'")]),
        ("@import 'a.css'; @font-face { src: url(a;b) }", &[("@font-face", "src", "url(a;b)")]),
        ("<!-- .a { x: 1 } -->", &[(".a", "x", "1")]),
        (".a { x: 1", &[(".a", "x", "1")]),
        ("}} .a { x y: 1; w: 2 }", &[("}} .a", "w", "2")]),
    ] {
        let expected: Vec<_> = expected
            .iter()
            .map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned()))
            .collect();
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn every_url_is_found_with_its_use_and_its_bytes() {
    use Use::{Font, Image, Import};
    for (text, expected) in [
        ("background: url(a.png)", &[(Image, "a.png", "url(a.png)")][..]),
        ("background: URL( \"a b.png\" ) no-repeat", &[(Image, "a b.png", "URL( \"a b.png\" )")]),
        ("mask: linear-gradient(red, blue), url('a')", &[(Image, "a", "url('a')")]),
        (
            "x: image-set(\"a\" 1x, url(b) 2x, 'c' type('image/png'))",
            &[(Image, "a", "\"a\""), (Image, "b", "url(b)"), (Image, "c", "'c'")],
        ),
        ("content: 'url(no)' \"https://no\"", &[]),
        ("--x: url(a)", &[(Image, "a", "url(a)")]),
        (
            "@import url(a.css) screen; @import 'b.css' layer(x);",
            &[(Import, "a.css", "url(a.css)"), (Import, "b.css", "'b.css'")],
        ),
        ("@import url(\"a.css\");", &[(Import, "a.css", "url(\"a.css\")")]),
        ("@namespace svg url(http://www.w3.org/2000/svg);", &[]),
        ("/* url(no) */ .a { b: c }", &[]),
        (
            "@font-face { src: url(a.eot); src: url(a.eot?#x) format('embedded-opentype'), url(a.woff2), url(a.woff) }",
            &[(Font, "a.woff2", "url(a.woff2)")],
        ),
        (
            "@font-face { src: local(x), url(a.ttf?v=1), url(a.svg#x) }",
            &[(Font, "a.ttf?v=1", "url(a.ttf?v=1)")],
        ),
        ("@media print { .a { background: url(a) } }", &[(Image, "a", "url(a)")]),
    ] {
        let found: Vec<_> = links(&parse(text))
            .into_iter()
            .map(|(used, link)| (used, link.url, &text[link.span]))
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(used, url, bytes)| (*used, (*url).to_owned(), *bytes)).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn an_edit_leaves_every_other_byte() {
    let text = ".a{b:url(x)}/*é*/.c{d:url(y)}";
    let spans: Vec<_> = links(&parse(text))
        .into_iter()
        .map(|(_, link)| (link.span, format!("<{}>", link.url)))
        .rev()
        .collect();
    assert_eq!(edit(text, spans), ".a{b:<x>}/*é*/.c{d:<y>}");
}

#[test]
fn lists_are_split_at_top_level_commas_only() {
    for (text, expected) in [
        ("a, b", &["a", "b"][..]),
        ("var(--x, \"a, b\"), c", &["var(--x, \"a, b\")", "c"]),
        ("\"a,b\" , 'c'", &["\"a,b\"", "'c'"]),
        ("a\\,b,c", &["a\\,b", "c"]),
        ("", &[""]),
    ] {
        let parts = split_at_commas(text);
        assert!(parts.iter().all(|(at, part)| text[*at..].starts_with(part)), "{parts:?}");
        assert_eq!(parts.into_iter().map(|(_, part)| part).collect::<Vec<_>>(), expected);
    }
}
