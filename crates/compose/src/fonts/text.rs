//! The characters that a page may draw: those it shows, and those that its scripts and data could make it show.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use dom_query::Document;

use crate::error::{Error, Result};
use crate::tree;

/// Files that may hold text for the screen. A larger one is a library or data, not words.
const TEXTS: [&str; 9] = ["html", "htm", "js", "mjs", "json", "css", "txt", "srt", "vtt"];
const MAX_BYTES: u64 = 2 << 20;

/// The text that the document itself shows.
pub(super) fn visible(document: &Document) -> String {
    let mut text = String::new();
    for node in document.root().descendants_it() {
        let hidden = ["script", "style", "template", "noscript", "title", "head"];
        if node.is_text()
            && let Some(parent) = node.parent()
            && !parent.node_name().is_some_and(|name| hidden.contains(&&*name))
        {
            text.push_str(&node.text());
            text.push(' ');
        }
    }
    text
}

/// Every character of the project's own texts and of `given`, escapes included.
pub(super) fn possible(site: &Path, given: &[&str]) -> Result<BTreeSet<char>> {
    let mut found: BTreeSet<char> = (' '..='~').collect();
    for text in given {
        add(text, &mut found);
    }
    for name in tree::files(site)? {
        let file = site.join(&name);
        let extension = file.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let length = fs::metadata(&file).map_err(Error::io("look at", &file))?.len();
        if TEXTS.contains(&extension.as_str()) && length <= MAX_BYTES {
            let bytes = fs::read(&file).map_err(Error::io("read", &file))?;
            add(&String::from_utf8_lossy(&bytes), &mut found);
        }
    }
    Ok(found)
}

fn add(text: &str, found: &mut BTreeSet<char>) {
    found.extend(text.chars());
    for (i, _) in text.match_indices(['\\', '&']) {
        found.extend(escaped(&text[i..]));
    }
}

/// The character of an escape of JavaScript, JSON, CSS or HTML at the start of `text`.
fn escaped(text: &str) -> Option<char> {
    let (digits, radix) = match text.as_bytes() {
        [b'\\', b'u' | b'x', b'{', ..] | [b'&', b'#', b'x' | b'X', ..] => (&text[3..], 16),
        [b'\\', b'u' | b'x', ..] => (&text[2..], 16),
        [b'\\', ..] => (&text[1..], 16),
        [b'&', b'#', ..] => (&text[2..], 10),
        _ => return None,
    };
    let most = if text.starts_with("\\u") && !text.starts_with("\\u{") { 4 } else { 6 };
    let end =
        digits.bytes().take(most).take_while(|byte| char::from(*byte).is_digit(radix)).count();
    char::from_u32(u32::from_str_radix(&digits[..end], radix).ok()?)
}

/// Weights that scripts and attributes name: `fontWeight: 800`, `"font-weight", "bold"`.
pub(super) fn scripted_weights(text: &str) -> BTreeSet<u16> {
    let mut found = BTreeSet::new();
    for name in ["fontWeight", "font-weight"] {
        for (i, _) in text.match_indices(name) {
            let rest = text[i + name.len()..]
                .trim_start_matches(|c: char| c.is_whitespace() || "\"'`:=,([".contains(c));
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            match digits.parse::<u16>() {
                Ok(weight) if (100..=1000).contains(&weight) => {
                    found.insert(weight);
                }
                _ if rest.starts_with("bold") => {
                    found.insert(700);
                }
                _ => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_shown_counts_as_visible() {
        let document = Document::from(
            "<title>t</title><style>s</style><body><script>j</script><p>Grüße <b>漢</b></p><template>x</template>",
        );
        let text = visible(&document);
        let words: Vec<_> = text.split_whitespace().collect();
        assert_eq!(words, ["Grüße", "漢"]);
    }

    #[test]
    fn escaped_characters_are_possible_too() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.js"), "x = '\\u0416' + \"\\u{6f22}\" + '\\xe9'").unwrap();
        fs::write(dir.path().join("a.css"), ".a::before { content: '\\2192' }").unwrap();
        fs::write(dir.path().join("a.png"), "Ω").unwrap();
        let found = possible(dir.path(), &["{\"title\": \"ş\"} &#1488; &#x5d1;"]).unwrap();
        for (character, expected) in [
            ('Ж', true),
            ('漢', true),
            ('é', true),
            ('→', true),
            ('ş', true),
            ('א', true),
            ('ב', true),
            ('a', true),
            ('Ω', false),
        ] {
            assert_eq!(found.contains(&character), expected, "{character}");
        }
    }

    #[test]
    fn weights_that_scripts_set_are_found() {
        let text = "el.style.fontWeight = '800'; gsap.to(x, { fontWeight: 300 }); s.setProperty('font-weight', \"bold\"); fontWeight: w";
        assert_eq!(scripted_weights(text).into_iter().collect::<Vec<_>>(), [300, 700, 800]);
    }
}
