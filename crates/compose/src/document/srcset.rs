//! The candidates of a `srcset`, read as the HTML standard says.

use crate::css::Link;

/// The URL of each candidate, with its bytes.
pub(crate) fn parse(value: &str) -> Vec<Link> {
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        let between = |c: char| c.is_ascii_whitespace() || c == ',';
        let Some(start) = value[at..].find(|c| !between(c)).map(|i| at + i) else { return found };
        let rest = &value[start..];
        let end = start + rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len());
        let url = value[start..end].trim_end_matches(',');
        found.push(Link { span: start..start + url.len(), url: url.to_owned() });
        // A comma at the end of the URL ends the candidate; otherwise its descriptors follow, up to a comma.
        at = if url.len() < end - start { end } else { end + descriptors_length(&value[end..]) };
    }
}

/// A comma in parentheses ends no descriptor.
fn descriptors_length(text: &str) -> usize {
    let mut in_parentheses = false;
    let end = text.find(|c| {
        match c {
            '(' => in_parentheses = true,
            ')' => in_parentheses = false,
            _ => {}
        }
        c == ',' && !in_parentheses
    });
    end.unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_candidates_of_a_source_set_are_found() {
        for (value, expected) in [
            ("a.png", &["a.png"][..]),
            ("a.png 1x, b.png 2x", &["a.png", "b.png"]),
            ("a.png, b.png 2x", &["a.png", "b.png"]),
            ("a.png 1x,b.png\n2x", &["a.png", "b.png"]),
            (
                "https://x/a,b.png 100w,\n https://x/c.png 200w",
                &["https://x/a,b.png", "https://x/c.png"],
            ),
            ("data:image/png;base64,xx 1x, b.png 2x", &["data:image/png;base64,xx", "b.png"]),
            ("a.png x(1, 2) 1x, b.png", &["a.png", "b.png"]),
            (" , a 1x ,", &["a"]),
            ("", &[]),
        ] {
            let found: Vec<_> = parse(value).into_iter().map(|link| link.url).collect();
            assert_eq!(found, expected, "{value}");
        }
    }
}
