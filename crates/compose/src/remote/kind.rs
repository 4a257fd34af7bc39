//! What a file is by its first bytes, and whether that is what its element can use.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::error::{Error, Result};

/// What a file is to be used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    Script,
    Style,
    Image,
    Video,
    Audio,
    Font,
}

/// A format that can be told from the first bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) extension: &'static str,
    class: Class,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Image,
    /// A container that can hold pictures and sound.
    Movie,
    Sound,
    Font,
}

/// Enough to know every format below, and to see an `<svg` behind a comment.
const LOOKED_AT: u64 = 4096;

impl Role {
    /// How a sentence names what is expected.
    fn name(self) -> &'static str {
        match self {
            Self::Script => "a script",
            Self::Style => "a stylesheet",
            Self::Image => "an image",
            Self::Video => "a video",
            Self::Audio => "a sound",
            Self::Font => "a font",
        }
    }

    fn takes(self, class: Class) -> bool {
        match self {
            Self::Script | Self::Style => false,
            Self::Image => class == Class::Image,
            Self::Video => class == Class::Movie,
            Self::Audio => matches!(class, Class::Movie | Class::Sound),
            Self::Font => class == Class::Font,
        }
    }
}

/// Refuses a file that is a page or a JSON answer instead of media, or media of a kind that `element` does not play.
pub(crate) fn check_media_file(path: &Path, role: Role, element: &str) -> Result<Option<Format>> {
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LOOKED_AT).read_to_end(&mut start))
        .map_err(Error::io("read", path))?;
    check_start(&start, role, element)
}

/// The same, of the first bytes of a file.
pub(crate) fn check_start(start: &[u8], role: Role, element: &str) -> Result<Option<Format>> {
    let found = format(start);
    if let Some(text) = document(start)
        && found.is_none()
    {
        let is_allowed = match role {
            // A script may begin with a block or a list, a stylesheet with the comment that HTML knows.
            Role::Script => text != Text::Html,
            Role::Style => text != Text::Html || trimmed(start).starts_with(b"<!--"),
            Role::Image | Role::Video | Role::Audio | Role::Font => false,
        };
        if !is_allowed {
            let reason = format!("the file is {}, not {}", text.name(), role.name());
            return Err(Error::NotMedia { element: element.to_owned(), reason });
        }
    }
    match found {
        Some(found) if !role.takes(found.class) => {
            let reason = format!("the file is {}, not {}", found.name(), role.name());
            Err(Error::MediaKind { element: element.to_owned(), reason })
        }
        found => Ok(found),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Html,
    Json,
}

impl Text {
    fn name(self) -> &'static str {
        match self {
            Self::Html => "a web page or other markup",
            Self::Json => "JSON",
        }
    }
}

impl Format {
    fn name(self) -> String {
        let kind = match self.class {
            Class::Image => "an image",
            Class::Movie => "a video",
            Class::Sound => "a sound",
            Class::Font => "a font",
        };
        format!("{kind} ({})", self.extension)
    }
}

/// Without what may stand before the first character that counts.
fn trimmed(start: &[u8]) -> &[u8] {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let blank = start.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0).count();
    &start[blank..]
}

fn document(start: &[u8]) -> Option<Text> {
    match trimmed(start).first() {
        Some(b'<') => Some(Text::Html),
        Some(b'{' | b'[') => Some(Text::Json),
        _ => None,
    }
}

/// Where some bytes stand, which bytes, and what they mean.
type Signature = (usize, &'static [u8], Format);

const fn is(extension: &'static str, class: Class) -> Format {
    Format { extension, class }
}

const SIGNATURES: [Signature; 23] = [
    (0, b"\x89PNG\r\n\x1a\n", is("png", Class::Image)),
    (0, b"\xff\xd8\xff", is("jpg", Class::Image)),
    (0, b"GIF8", is("gif", Class::Image)),
    (8, b"WEBP", is("webp", Class::Image)),
    (4, b"ftypavif", is("avif", Class::Image)),
    (4, b"ftypavis", is("avif", Class::Image)),
    (0, b"\0\0\x01\0", is("ico", Class::Image)),
    (0, b"BM", is("bmp", Class::Image)),
    (0, b"wOF2", is("woff2", Class::Font)),
    (0, b"wOFF", is("woff", Class::Font)),
    (0, b"OTTO", is("otf", Class::Font)),
    (0, b"\0\x01\0\0\0", is("ttf", Class::Font)),
    (0, b"true", is("ttf", Class::Font)),
    (0, b"ttcf", is("ttc", Class::Font)),
    (4, b"ftypM4A", is("m4a", Class::Sound)),
    (4, b"ftypqt", is("mov", Class::Movie)),
    (4, b"ftyp", is("mp4", Class::Movie)),
    (0, b"\x1a\x45\xdf\xa3", is("webm", Class::Movie)),
    (0, b"OggS", is("ogg", Class::Movie)),
    (8, b"WAVE", is("wav", Class::Sound)),
    (0, b"fLaC", is("flac", Class::Sound)),
    (0, b"ID3", is("mp3", Class::Sound)),
    (0, b"MThd", is("mid", Class::Sound)),
];

fn format(start: &[u8]) -> Option<Format> {
    let has =
        |(at, bytes, _): &&Signature| start.get(*at..).is_some_and(|rest| rest.starts_with(bytes));
    if let Some((_, _, format)) = SIGNATURES.iter().find(has) {
        return Some(*format);
    }
    // Frames of MPEG audio without a tag before them: eleven bits, then a layer that exists.
    if let [0xff, second, ..] = start
        && second & 0xe0 == 0xe0
    {
        let extension = if second & 0x06 == 0 { "aac" } else { "mp3" };
        return Some(is(extension, Class::Sound));
    }
    is_svg(start).then_some(is("svg", Class::Image))
}

/// Whether the first element is `<svg`, behind a declaration, comments and a doctype of its own.
fn is_svg(start: &[u8]) -> bool {
    let text = String::from_utf8_lossy(trimmed(start));
    let mut rest = text.trim_start();
    loop {
        let end = if rest.starts_with("<!--") {
            "-->"
        } else if rest.starts_with("<?") || rest.to_ascii_lowercase().starts_with("<!doctype svg") {
            ">"
        } else {
            return rest.strip_prefix("<svg").is_some_and(|after| {
                after.starts_with(|c: char| c.is_whitespace() || c == '>' || c == ':')
            });
        };
        match rest.split_once(end) {
            Some((_, after)) => rest = after.trim_start(),
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(start: &[u8], role: Role) -> &'static str {
        match check_start(start, role, "<img id=\"a\">") {
            Ok(Some(format)) => format.extension,
            Ok(None) => "unknown",
            Err(error @ Error::NotMedia { .. }) => {
                assert!(error.to_string().starts_with("<img id=\"a\">: the file is "), "{error}");
                "not media"
            }
            Err(Error::MediaKind { .. }) => "other kind",
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_page_or_json_under_the_name_of_media_is_refused() {
        use Role::{Audio, Font, Image, Script, Style, Video};
        for (start, role, expected) in [
            (&b"<!doctype html><title>404"[..], Image, "not media"),
            (b"\xef\xbb\xbf \n<html>", Video, "not media"),
            (b"\0\0<html>", Audio, "not media"),
            (b"{\"error\": 1}", Image, "not media"),
            (b"[1]", Font, "not media"),
            (b"<!doctype html>", Script, "not media"),
            (b"<html>", Style, "not media"),
            (b"<!-- body{} -->", Style, "unknown"),
            (b"{ let a = 1 }", Script, "unknown"),
            (b"[1].map(f)", Script, "unknown"),
            (b"!function(){}", Script, "unknown"),
            (b"", Image, "unknown"),
            (b"<svg xmlns='x'>", Image, "svg"),
            (b"<?xml version='1.0'?><!-- a > b --><!DOCTYPE svg PUBLIC ''><svg>", Image, "svg"),
            (b"<?xml version='1.0'?><Error>AccessDenied", Image, "not media"),
            (b"<svgfoo>", Image, "not media"),
            (b"<svg>", Video, "other kind"),
        ] {
            assert_eq!(verdict(start, role), expected, "{}", String::from_utf8_lossy(start));
        }
    }

    #[test]
    fn media_of_another_kind_than_its_element_plays_is_refused() {
        use Role::{Audio, Font, Image, Script, Video};
        let png = b"\x89PNG\r\n\x1a\n\0";
        let mp4 = b"\0\0\0\x20ftypisom";
        for (start, role, expected) in [
            (&png[..], Image, "png"),
            (png, Video, "other kind"),
            (png, Script, "other kind"),
            (mp4, Video, "mp4"),
            (mp4, Audio, "mp4"),
            (mp4, Image, "other kind"),
            (b"ID3\x04", Audio, "mp3"),
            (b"ID3\x04", Image, "other kind"),
            (b"ID3\x04", Video, "other kind"),
            (b"\xff\xfb\x90\0", Audio, "mp3"),
            (b"\xff\xf1\x50\x80", Audio, "aac"),
            (b"\xff\xd8\xff\xe0", Image, "jpg"),
            (b"RIFF\0\0\0\0WAVEfmt ", Audio, "wav"),
            (b"RIFF\0\0\0\0WEBPVP8 ", Image, "webp"),
            (b"\0\0\0\x1cftypavif", Image, "avif"),
            (b"\0\0\0\x14ftypqt  ", Video, "mov"),
            (b"\x1a\x45\xdf\xa3", Video, "webm"),
            (b"wOF2\0\x01\0\0", Font, "woff2"),
            (b"wOF2\0\x01\0\0", Image, "other kind"),
            (b"\0\x01\0\0\0\x12", Font, "ttf"),
        ] {
            assert_eq!(verdict(start, role), expected, "{start:?} for {role:?}");
        }
    }

    #[test]
    fn a_file_is_judged_by_its_first_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.mp4");
        std::fs::write(&path, "<html>").unwrap();
        let error = check_media_file(&path, Role::Video, "<video src=\"a.mp4\">").unwrap_err();
        assert_eq!(
            error.to_string(),
            "<video src=\"a.mp4\">: the file is a web page or other markup, not a video"
        );
    }
}
