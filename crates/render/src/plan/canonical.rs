//! Canonical JSON: the one text that stands for a value in a hash.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// Writes `value` with sorted keys (by UTF-16 code units), no blanks, and numbers as JavaScript prints them.
pub(crate) fn canonical_json(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value);
    out
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number_text(number)),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            write_list(out, ['[', ']'], items.iter(), write_value);
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            write_list(out, ['{', '}'], entries.into_iter(), |out, (key, item)| {
                write_string(out, key);
                out.push(':');
                write_value(out, item);
            });
        }
    }
}

fn write_list<T>(
    out: &mut String,
    [open, close]: [char; 2],
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    out.push(open);
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(close);
}

fn write_string(out: &mut String, text: &str) {
    out.push_str(&Value::from(text).to_string());
}

fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() => js_number_text(value),
        _ => number.to_string(),
    }
}

/// A finite number as JavaScript's `String(value)` prints it.
pub(crate) fn js_number_text(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    // `{:e}` gives the shortest digits that read back as `value`, as d.ddde±x.
    let scientific = format!("{:e}", value.abs());
    let (mantissa, exponent) = scientific.split_once('e').expect("LowerExp always writes an e");
    let digits = mantissa.replace('.', "");
    let count = i32::try_from(digits.len()).expect("at most 17 digits");
    let point = exponent.parse::<i32>().expect("LowerExp writes a whole exponent") + 1;
    let mut out = String::from(if value < 0.0 { "-" } else { "" });
    let at = |place: i32| usize::try_from(place).expect("between 0 and the number of digits");
    if count <= point && point <= 21 {
        let zeros = "0".repeat(at(point - count));
        write!(out, "{digits}{zeros}")
    } else if 0 < point && point <= 21 {
        write!(out, "{}.{}", &digits[..at(point)], &digits[at(point)..])
    } else if -6 < point && point <= 0 {
        let zeros = "0".repeat(at(-point));
        write!(out, "0.{zeros}{digits}")
    } else {
        let fraction = if count > 1 { format!(".{}", &digits[1..]) } else { String::new() };
        write!(out, "{}{fraction}e{:+}", &digits[..1], point - 1)
    }
    .expect("writing to a string cannot fail");
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_printed_as_javascript_prints_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (1.5, "1.5"),
            (-2.25, "-2.25"),
            (1e21, "1e+21"),
            (1e20, "100000000000000000000"),
            (1.5e300, "1.5e+300"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.25e-7, "1.25e-7"),
            (123_456.789, "123456.789"),
            (0.1 + 0.2, "0.30000000000000004"),
        ] {
            assert_eq!(js_number_text(value), text);
        }
    }

    #[test]
    fn keys_are_sorted_by_utf16_units_at_every_depth() {
        let value = json!({"b": {"z": 1, "a": [true, null]}, "a": 4.0, "\u{ffff}": 1, "😀": 2});
        assert_eq!(
            canonical_json(&value),
            "{\"a\":4,\"b\":{\"a\":[true,null],\"z\":1},\"😀\":2,\"\u{ffff}\":1}"
        );
    }

    #[test]
    fn strings_keep_what_json_stringify_keeps() {
        assert_eq!(
            canonical_json(&json!("\u{2028}\u{7f}\"\\\n\u{1}")),
            "\"\u{2028}\u{7f}\\\"\\\\\\n\\u0001\""
        );
    }

    #[test]
    fn a_manifest_hashes_to_the_vector_of_the_content_addressed_format() {
        let manifest = json!({
            "protocol": {
                "schemaVersion": 2,
                "artifactLayout": "content-addressed-plan-v2",
                "hashSchema": "hyperframes-plan-manifest-hash-v2",
            },
            "sourcePlanV1Hash": "a".repeat(64),
            "chunkCount": 2,
            "totalFrames": 60,
            "fps": 30,
            "width": 640,
            "height": 360,
            "format": "mp4",
            "ffmpegVersion": "ffmpeg version 6.1.1",
            "producerVersion": "0.8.10",
            "limitations": { "videoDependencyMode": "exact-rendered-frames" },
            "artifacts": [
                { "path": "plan.json", "sha256": "b".repeat(64), "sizeBytes": 10, "chunks": "all", "assembler": true },
                {
                    "path": "video-frames/v1/frame_00001.jpg",
                    "sha256": "c".repeat(64),
                    "sizeBytes": 11,
                    "chunks": [0],
                    "assembler": false,
                },
            ],
        });
        let text = format!("hyperframes-plan-manifest-hash-v2\0{}", canonical_json(&manifest));
        let expected = "5a9701eb76e9e4d4299ed2c378131edbed76faf61d179fa60884d43e40910552";
        assert_eq!(compose::hash::sha256_hex(text.as_bytes()), expected);
    }
}
