//! Characters of the text that no font of the page can draw.

/// What a reader of the warning has to find again.
const MAX_NAMED: usize = 8;
const CONTEXT: usize = 24;

/// Whether a character has a picture of its own: not a blank, a control, a joiner, or a choice of variant.
pub(super) fn is_drawable(c: char) -> bool {
    let is_invisible = matches!(
        u32::from(c),
        0xad | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfe00..=0xfe0f | 0xfeff | 0xe0000..=0xe01ef
    );
    !c.is_whitespace() && !c.is_control() && !is_invisible
}

/// One sentence for all characters of `text` that are not drawn, with a piece of the text around the first.
pub(super) fn warning(text: &str, is_drawn: impl Fn(char) -> bool) -> Option<String> {
    let mut missing: Vec<char> = Vec::new();
    for c in text.chars().filter(|c| is_drawable(*c)) {
        if !missing.contains(&c) && !is_drawn(c) {
            missing.push(c);
        }
    }
    let first = *missing.first()?;
    let named: Vec<String> = missing
        .iter()
        .take(MAX_NAMED)
        .map(|c| format!("\"{c}\" (U+{:04X})", u32::from(*c)))
        .collect();
    let rest = missing.len().saturating_sub(MAX_NAMED);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    Some(format!(
        "no font of the page draws {}{more}, as in \"{}\": another font of the worker is taken, or an empty box drawn",
        named.join(", "),
        around(text, first)
    ))
}

fn around(text: &str, first: char) -> String {
    let at = text.find(first).unwrap_or_default();
    let start = text[..at].char_indices().rev().nth(CONTEXT - 1).map_or(0, |(i, _)| i);
    let end = text[at..].char_indices().nth(CONTEXT).map_or(text.len(), |(i, _)| at + i);
    text[start..end].split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_drawn_is_named_with_its_text() {
        let ascii = |c: char| c.is_ascii();
        assert_eq!(warning("plain\u{a0}text\u{200d}\u{fe0f}\n", ascii), None);
        assert_eq!(
            warning("From  here → there → on", ascii).unwrap(),
            "no font of the page draws \"→\" (U+2192), as in \"From here → there → on\": another font of the worker is \
             taken, or an empty box drawn"
        );
        let many = warning("一二三四五六七八九十", ascii).unwrap();
        assert!(many.contains("\"八\" (U+516B) and 2 more"), "{many}");
    }
}
