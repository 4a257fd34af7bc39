//! Numbers as JavaScript reads them from an attribute.

/// `Number(text)` where that is finite and `text` is not blank.
pub fn js_number(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let radix = |digits: &str, radix: u32| {
        let valid = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        valid.then(|| {
            digits
                .chars()
                .filter_map(|c| c.to_digit(radix))
                .fold(0.0, |sum, d| sum * f64::from(radix) + f64::from(d))
        })
    };
    let value = match text.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => radix(&text[2..], 16)?,
        Some("0o") => radix(&text[2..], 8)?,
        Some("0b") => radix(&text[2..], 2)?,
        // Rust also reads `inf` and `nan`, which no JavaScript number is written as.
        _ if text.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c)) => {
            text.parse().ok()?
        }
        _ => return None,
    };
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_what_javascript_takes_for_one() {
        for (text, expected) in [
            ("2", Some(2.0)),
            (" 2 ", Some(2.0)),
            ("\u{feff}2\u{a0}", Some(2.0)),
            ("1e3", Some(1000.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("-0.5", Some(-0.5)),
            ("+1", Some(1.0)),
            ("0x10", Some(16.0)),
            ("0b101", Some(5.0)),
            ("0o17", Some(15.0)),
            ("5s", None),
            ("2px", None),
            ("1,5", None),
            ("1_000", None),
            ("Infinity", None),
            ("inf", None),
            ("nan", None),
            ("1e999", None),
            ("0x", None),
            ("", None),
            ("  ", None),
            ("--1", None),
        ] {
            assert_eq!(js_number(text), expected, "{text:?}");
        }
    }
}
