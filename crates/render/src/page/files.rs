//! What is answered of a file: byte ranges, content types.

use std::io::SeekFrom;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// Bytes `start` to `end` of a file, both included.
pub(super) async fn read_part(file: &Path, start: u64, end: u64) -> Option<Vec<u8>> {
    let mut opened = tokio::fs::File::open(file).await.ok()?;
    opened.seek(SeekFrom::Start(start)).await.ok()?;
    let mut body = Vec::new();
    opened.take(end - start + 1).read_to_end(&mut body).await.ok()?;
    Some(body)
}

pub(super) const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// A part of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// Both ends included.
    Bytes {
        start: u64,
        end: u64,
    },
    Unsatisfiable,
}

/// A single byte range; `None` for what is answered with the whole file (malformed, several ranges).
pub(super) fn parse_range(value: &str, length: u64) -> Option<Range> {
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first.trim(), last.trim()) {
        ("", suffix) => (length.saturating_sub(suffix.parse().ok()?), length.checked_sub(1)?),
        (start, "") => (start.parse().ok()?, length.saturating_sub(1)),
        (start, end) => {
            (start.parse().ok()?, end.parse::<u64>().ok()?.min(length.saturating_sub(1)))
        }
    };
    Some(if start >= length || start > end {
        Range::Unsatisfiable
    } else {
        Range::Bytes { start, end }
    })
}

/// The type of a file by its extension.
pub(super) fn content_type(file: &Path) -> &'static str {
    let extension = file.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    match extension.as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "js" | "mjs" => JAVASCRIPT,
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "cube" | "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "mp4" | "m4v" => "video/mp4",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        "mp3" => "audio/mpeg",
        "m4a" => "audio/mp4",
        "wav" => "audio/wav",
        "ogg" => "audio/ogg",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}

/// Whether a picture has several frames, by what its format puts near its start; a GIF says it nowhere and counts.
pub(super) fn is_animated(content_type: &str, body: &[u8]) -> bool {
    let start = &body[..body.len().min(4096)];
    let has = |mark: &[u8]| start.windows(mark.len()).any(|window| window == mark);
    match content_type {
        "image/gif" => true,
        "image/png" => has(b"acTL"),
        "image/webp" => has(b"ANIM"),
        "image/avif" => start.get(8..12) == Some(b"avis") || has(b"avis"),
        "image/svg+xml" => {
            let text = String::from_utf8_lossy(body);
            let has = |mark| text.contains(mark);
            has("<animate") || has("<set ") || (has("@keyframes") && has("animation"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_moves_is_known_by_its_first_bytes() {
        for (kind, body, expected) in [
            ("image/gif", &b"GIF89a"[..], true),
            ("image/png", b"\x89PNG....IHDR....acTL", true),
            ("image/png", b"\x89PNG....IHDR....IDAT", false),
            ("image/webp", b"RIFF....WEBPVP8X....ANIM", true),
            ("image/webp", b"RIFF....WEBPVP8 ", false),
            ("image/avif", b"....ftypavis", true),
            ("image/avif", b"....ftypavif", false),
            ("image/svg+xml", b"<svg><animate/></svg>", true),
            ("image/svg+xml", b"<svg><rect/></svg>", false),
            ("text/html", b"<animate>", false),
        ] {
            assert_eq!(is_animated(kind, body), expected, "{kind}");
        }
    }

    #[test]
    fn one_byte_range_is_honoured_and_anything_else_gets_the_whole_file() {
        for (value, expected) in [
            ("bytes=0-3", Some(Range::Bytes { start: 0, end: 3 })),
            ("bytes=4-", Some(Range::Bytes { start: 4, end: 9 })),
            ("bytes=-2", Some(Range::Bytes { start: 8, end: 9 })),
            ("bytes=-20", Some(Range::Bytes { start: 0, end: 9 })),
            ("bytes=5-99", Some(Range::Bytes { start: 5, end: 9 })),
            ("bytes=10-", Some(Range::Unsatisfiable)),
            ("bytes=5-4", Some(Range::Unsatisfiable)),
            ("bytes=0-1,3-4", None),
            ("lines=0-1", None),
        ] {
            assert_eq!(parse_range(value, 10), expected, "{value}");
        }
    }
}
