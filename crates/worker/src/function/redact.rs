//! What may leave the function in an error's message: no path of this machine, no query of a URL, and not much of it.

/// Step Functions keeps causes to the end, and people read them.
const MAX_BYTES: usize = 1000;

/// Directories of systems. A path that starts with one of them says nothing to whoever sent the event.
const SYSTEM: &[&str] = &[
    "/tmp/", "/var/", "/proc/", "/home/", "/root/", "/opt/", "/usr/", "/etc/", "/dev/", "/sys/",
    "/mnt/", "/run/", "/work/",
];

/// `message` with the last part of every path and without the queries of URLs, cut to a length that fits into a cause.
pub(crate) fn redact(message: &str) -> String {
    let is_edge = |c: char| c.is_whitespace() || "\"'()[]{}<>,;".contains(c);
    // A query may hold any of those but a blank or a quote.
    let is_edge_of_url = |c: char| c.is_whitespace() || "\"'<>".contains(c);
    let mut redacted = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(start) = rest.find(|c| !is_edge(c)) {
        let (edge, from) = rest.split_at(start);
        let mut end = from.find(is_edge).unwrap_or(from.len());
        if from[..end].contains("://") || from[..end].contains('?') {
            end = from.find(is_edge_of_url).unwrap_or(from.len());
        }
        redacted.push_str(edge);
        redacted.push_str(&word(&from[..end]));
        rest = &from[end..];
    }
    redacted.push_str(rest);
    cut(redacted)
}

/// One run of characters without blanks, quotes or brackets.
fn word(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else {
        let named = if word.contains('/') { without_query(word) } else { word };
        return match named.find('/') {
            Some(start) => format!("{}{}", &named[..start], path(&named[start..])),
            None => named.to_owned(),
        };
    };
    let rest = without_query(rest);
    if scheme.ends_with("file") {
        return format!("{scheme}://{}", path(rest));
    }
    // What stands before the last "@" of the host is a name and a password.
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_secret, host)| host);
    if scheme.ends_with("s3") {
        return format!("{scheme}://{host}{path}");
    }
    let parts: Vec<_> =
        path.split('/').map(|part| if is_secret(part) { "…" } else { part }).collect();
    format!("{scheme}://{host}{}", parts.join("/"))
}

/// Whether a part of a URL's path may be a token: a long run of letters and digits, or a UUID, whatever stands around it.
fn is_secret(part: &str) -> bool {
    const RUN: usize = 16;
    let is_mixed = |run: &str| {
        run.len() >= RUN
            && run.contains(|c: char| c.is_ascii_digit())
            && run.contains(|c: char| c.is_ascii_alphabetic())
    };
    let hexes: Vec<_> = part.split('-').map(str::len).collect();
    hexes == [8, 4, 4, 4, 12] || part.split(|c: char| !c.is_ascii_alphanumeric()).any(is_mixed)
}

fn without_query(text: &str) -> &str {
    text.split(['?', '#']).next().unwrap_or_default()
}

fn path(path: &str) -> String {
    if !SYSTEM.iter().any(|root| path.starts_with(root)) {
        return path.to_owned();
    }
    let trailing = path.trim_end_matches([':', '.', '/']);
    let last = trailing.rsplit('/').next().unwrap_or_default();
    format!("…/{last}{}", &path[trailing.len()..])
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_BYTES {
        text.truncate(text.floor_char_boundary(MAX_BYTES - 3));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_this_machine_and_secrets_of_urls_do_not_leave_it() {
        for (message, expected) in [
            (
                "cannot read /tmp/framewright-x1/plan/meta/chunks.json: no such file",
                "cannot read …/chunks.json: no such file",
            ),
            (
                "ffmpeg -i /var/task/tools/a.mp4 failed (/proc/self/environ)",
                "ffmpeg -i …/a.mp4 failed (…/environ)",
            ),
            ("cannot read \"file:///tmp/a/b\"", "cannot read \"file://…/b\""),
            (
                "https://user:pass@bucket.example/k.png?X-Amz-Signature=abc&x=1 is refused",
                "https://bucket.example/k.png is refused",
            ),
            (
                "https://cdn.example/t/eyJhbGciOiJIUzI1NiJ9.eyJ4IjoxfQ/logo.png is refused",
                "https://cdn.example/t/…/logo.png is refused",
            ),
            (
                "https://hooks.example/services/T00/B00/abcdefghijklmnop1234",
                "https://hooks.example/services/T00/B00/…",
            ),
            (
                "https://a.example/3f2504e0-4f89-11d3-9a0c-0305e82c3301/x.js",
                "https://a.example/…/x.js",
            ),
            (
                "https://cdn.example/npm/gsap@3.12.5/dist/noto-sans-jp-v52-latin-regular.woff2",
                "https://cdn.example/npm/gsap@3.12.5/dist/noto-sans-jp-v52-latin-regular.woff2",
            ),
            (
                "s3://bucket/work/0123456789abcdef0123456789abcdef/plan.tar.gz is gone",
                "s3://bucket/work/0123456789abcdef0123456789abcdef/plan.tar.gz is gone",
            ),
            (
                "s3://bucket/renders/a/plan.tar.gz does not exist",
                "s3://bucket/renders/a/plan.tar.gz does not exist",
            ),
            (
                "the image /img/a.png is not in the project",
                "the image /img/a.png is not in the project",
            ),
            ("x (/js/app.js:3:14)", "x (/js/app.js:3:14)"),
            ("30000/1001 expected, 30/1 found", "30000/1001 expected, 30/1 found"),
            ("--user-data-dir=/tmp/x/profile", "--user-data-dir=…/profile"),
            ("", ""),
        ] {
            assert_eq!(redact(message), expected);
        }
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let cut = redact(&"é".repeat(2000));
        assert!(cut.len() <= MAX_BYTES && cut.ends_with('…'), "{}", cut.len());
    }
}
