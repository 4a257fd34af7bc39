//! A document's Content-Security-Policy, widened by what a render puts into the page.

use dom_query::Document;

/// What our scripts, styles and pictures need of each directive that is stated, or that `default-src` stands for.
const NEEDED: [(&str, &[&str]); 5] = [
    ("script-src", &["'self'"]),
    ("style-src", &["'self'", "'unsafe-inline'"]),
    ("img-src", &["'self'", "blob:", "data:"]),
    ("font-src", &["'self'"]),
    ("connect-src", &["'self'"]),
];

/// Directives that count in place of another for elements.
const FOR_ELEMENTS: [(&str, &str); 2] =
    [("script-src", "script-src-elem"), ("style-src", "style-src-elem")];

/// Allows what a render puts into `document`; what the policy forbids the author stays forbidden.
pub(crate) fn allow_ours(document: &Document) {
    for meta in document.select("meta[http-equiv][content]").nodes() {
        let is_policy = meta
            .attr("http-equiv")
            .is_some_and(|name| name.trim().eq_ignore_ascii_case("content-security-policy"));
        if is_policy {
            let policy = meta.attr("content").unwrap_or_default();
            meta.set_attr("content", &widened(&policy));
        }
    }
}

fn widened(policy: &str) -> String {
    let mut directives: Vec<(String, Vec<String>)> = Vec::new();
    for text in policy.split(';') {
        let mut words = text.split_whitespace().map(str::to_owned);
        let Some(name) = words.next() else { continue };
        let name = name.to_ascii_lowercase();
        // Of two with one name, the first counts.
        if !directives.iter().any(|(other, _)| *other == name) {
            directives.push((name, words.collect()));
        }
    }
    for (name, needed) in NEEDED {
        let for_elements = FOR_ELEMENTS.iter().find(|(of, _)| *of == name);
        let mut is_stated = false;
        for (stated, sources) in &mut directives {
            if stated == name || for_elements.is_some_and(|(_, elements)| stated == elements) {
                is_stated |= stated == name;
                add(sources, needed);
            }
        }
        let default = directives.iter().find(|(stated, _)| stated == "default-src");
        if let (false, Some((_, sources))) = (is_stated, default) {
            let mut sources = sources.clone();
            add(&mut sources, needed);
            directives.push((name.to_owned(), sources));
        }
    }
    let written = directives.into_iter().map(|(name, sources)| {
        if sources.is_empty() { name } else { format!("{name} {}", sources.join(" ")) }
    });
    written.collect::<Vec<_>>().join("; ")
}

fn add(sources: &mut Vec<String>, needed: &[&str]) {
    sources.retain(|source| !source.eq_ignore_ascii_case("'none'"));
    for source in needed {
        if !sources.iter().any(|stated| stated.eq_ignore_ascii_case(source)) {
            sources.push((*source).to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_allows_what_a_render_puts_into_the_page() {
        for (policy, expected) in [
            ("", ""),
            ("img-src https://a", "img-src https://a 'self' blob: data:"),
            ("IMG-SRC 'none'; img-src *", "img-src 'self' blob: data:"),
            ("upgrade-insecure-requests", "upgrade-insecure-requests"),
            (
                "default-src 'none'",
                "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; \
                 font-src 'self'; connect-src 'self'",
            ),
            (
                "script-src-elem https://a; script-src 'self'",
                "script-src-elem https://a 'self'; script-src 'self'",
            ),
        ] {
            assert_eq!(widened(policy), expected);
        }
    }
}
