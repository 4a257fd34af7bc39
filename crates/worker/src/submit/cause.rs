//! Why something failed, as a person can read it: Step Functions hands on what Lambda wrapped around the worker's sentence.

use serde_json::Value;

/// More than the function writes.
const MAX_BYTES: usize = 2000;

/// What stands before the payload where Lambda could not name the kind of failure.
const PAYLOAD: &str = "Returned payload: ";

/// The sentence in `cause`, on one line and without what a terminal would act on.
pub(super) fn readable(cause: &str) -> String {
    let payload = cause.split_once(PAYLOAD).map(|(_, payload)| payload.trim_end_matches('.'));
    let wrapped = [Some(cause), payload].into_iter().flatten().find_map(message);
    let text = wrapped.as_deref().unwrap_or(cause);
    let words: Vec<_> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let mut text = words.join(" ");
    if text.len() > MAX_BYTES {
        text.truncate(text.floor_char_boundary(MAX_BYTES));
        text.push('…');
    }
    text
}

fn message(json: &str) -> Option<String> {
    let value: Value = serde_json::from_str(json).ok()?;
    value["errorMessage"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_is_found_in_what_is_wrapped_around_it() {
        for (cause, expected) in [
            (
                r#"{"errorType":"PAGE_SCRIPT_ERROR","errorMessage":"no\nscript  (a.js:1)"}"#,
                "no script (a.js:1)",
            ),
            (
                r#"{"errorMessage":"2026-11-21T17:50:14Z 1-2 Task timed out after 900.00 seconds"}"#,
                "2026-11-21T17:50:14Z 1-2 Task timed out after 900.00 seconds",
            ),
            (
                "The cause could not be determined because Lambda did not return an error type. Returned payload: {\"errorMessage\":\"it died\"}",
                "it died",
            ),
            ("Rate exceeded", "Rate exceeded"),
            ("\u{1b}[2Jcleared\r\n", "[2Jcleared"),
            (r#"{"other": 1}"#, r#"{"other": 1}"#),
            ("", ""),
        ] {
            assert_eq!(readable(cause), expected);
        }
        assert!(readable(&"é".repeat(3000)).ends_with('…'));
    }
}
