//! Which characters a font file can draw: its character map, read out of WOFF2 or of a plain font.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

/// The characters of a face.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// It cannot be told, so that nothing is said against it.
    #[default]
    Unknown,
    Known(BTreeSet<u32>),
}

/// No font is larger than this when it is unpacked.
const MAX_BYTES: u64 = 256 << 20;

impl Coverage {
    pub(crate) fn has(&self, character: char) -> bool {
        match self {
            Self::Unknown => true,
            Self::Known(characters) => characters.contains(&u32::from(character)),
        }
    }
}

pub(crate) fn coverage(font: &[u8]) -> Coverage {
    let table = match font.get(..4) {
        Some(b"wOF2") => woff2_cmap(font),
        Some(b"OTTO" | b"true" | b"\0\x01\0\0") => sfnt_cmap(font).map(<[u8]>::to_vec),
        _ => None,
    };
    table.and_then(|table| characters(&table)).map_or(Coverage::Unknown, Coverage::Known)
}

/// The same of a plain font in a file, of which no more is read than that.
pub(crate) fn coverage_of_file(path: &Path) -> io::Result<Coverage> {
    const RECORD: usize = 16;
    let mut file = File::open(path)?;
    let mut header = [0; 12];
    file.read_exact(&mut header)?;
    let mut records = vec![0; usize::from(u16_at(&header, 4).unwrap_or_default()) * RECORD];
    file.read_exact(&mut records)?;
    let table = records.chunks_exact(RECORD).find(|record| record.starts_with(b"cmap"));
    let Some((start, length)) = table.and_then(|table| u32_at(table, 8).zip(u32_at(table, 12)))
    else {
        return Ok(Coverage::Unknown);
    };
    file.seek(io::SeekFrom::Start(start as u64))?;
    let mut table = Vec::new();
    file.take(length as u64).read_to_end(&mut table)?;
    Ok(characters(&table).map_or(Coverage::Unknown, Coverage::Known))
}

fn characters(table: &[u8]) -> Option<BTreeSet<u32>> {
    let table = ttf_parser::cmap::Table::parse(table)?;
    let mut found = BTreeSet::new();
    for subtable in table.subtables {
        if subtable.is_unicode() {
            subtable.codepoints(|point| {
                if subtable.glyph_index(point).is_some_and(|glyph| glyph.0 != 0) {
                    found.insert(point);
                }
            });
        }
    }
    Some(found)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?)).ok()
}

fn sfnt_cmap(font: &[u8]) -> Option<&[u8]> {
    for index in 0..usize::from(u16_at(font, 4)?) {
        let record = 12 + 16 * index;
        if font.get(record..record + 4)? == b"cmap" {
            let start = u32_at(font, record + 8)?;
            return font.get(start..start.checked_add(u32_at(font, record + 12)?)?);
        }
    }
    None
}

/// The tables of a WOFF2 file lie behind each other in one Brotli stream; the character map is kept as it is.
fn woff2_cmap(font: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 48;
    /// Numbers of the tables that the format names by a number.
    const CMAP: u8 = 0;
    const GLYF: u8 = 10;
    const LOCA: u8 = 11;
    const NAMED: u8 = 63;
    if font.get(4..8)? == b"ttcf" {
        return None;
    }
    let mut at = HEADER;
    let (mut offset, mut cmap) = (0_usize, None);
    for _ in 0..u16_at(font, 12)? {
        let flags = *font.get(at)?;
        at += 1;
        let (tag, transform) = (flags & 0x3f, flags >> 6);
        if tag == NAMED {
            at += 4;
        }
        let mut length = base128(font, &mut at)?;
        // Outlines and their places are transformed in version 0, every other table in any other.
        let is_transformed =
            if tag == GLYF || tag == LOCA { transform == 0 } else { transform != 0 };
        if is_transformed {
            length = base128(font, &mut at)?;
        }
        if tag == CMAP {
            cmap = Some((offset, length));
        }
        offset = offset.checked_add(length)?;
    }
    let (start, length) = cmap?;
    let packed = font.get(at..at.checked_add(u32_at(font, 20)?)?)?;
    let mut plain = Vec::new();
    let end = u64::try_from(start.checked_add(length)?).ok().filter(|end| *end <= MAX_BYTES)?;
    let mut unpacked = brotli_decompressor::Decompressor::new(packed, 1 << 16).take(end);
    unpacked.read_to_end(&mut plain).ok()?;
    plain.get(start..).filter(|table| table.len() == length).map(<[u8]>::to_vec)
}

/// A number of up to five bytes with seven bits each.
fn base128(bytes: &[u8], at: &mut usize) -> Option<usize> {
    let mut value = 0_usize;
    for _ in 0..5 {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value = (value << 7) | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(path: &str) -> Vec<u8> {
        let path = format!("{}/../../.tools/{path}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}: run scripts/setup.sh"))
    }

    #[test]
    fn a_font_says_which_characters_it_draws() {
        for (font, has, has_not) in [
            ("fonts/inter/latin-400-normal.woff2", "aZé€", "Ж漢א"),
            ("fonts/noto-sans-jp/japanese-400-normal.woff2", "漢あ", "א"),
            ("fonts/league-gothic/latin-400-normal.woff2", "A9", "Ж"),
        ] {
            let coverage = coverage(&tool(font));
            assert!(matches!(coverage, Coverage::Known(_)), "{font}");
            assert!(has.chars().all(|c| coverage.has(c)), "{font}");
            assert!(!has_not.chars().any(|c| coverage.has(c)), "{font}");
        }
    }

    #[test]
    fn a_font_of_the_machine_is_read_as_far_as_its_characters() {
        let path = format!(
            "{}/../../.tools/chrome/fontconfig/fonts/Open_Sans/OpenSans-Regular.ttf",
            env!("CARGO_MANIFEST_DIR")
        );
        let found = coverage_of_file(Path::new(&path)).unwrap();
        let whole = coverage(&tool("chrome/fontconfig/fonts/Open_Sans/OpenSans-Regular.ttf"));
        assert_eq!(found, whole);
        assert!(found.has('Ж') && !found.has('漢'));
    }

    #[test]
    fn a_file_that_is_no_font_is_held_against_nothing() {
        let font = tool("fonts/inter/latin-400-normal.woff2");
        for bytes in [&b""[..], b"wOF2", b"wOF2\0\x01\0\0", &font[..60], &font[..font.len() / 2]] {
            assert!(coverage(bytes).has('Ж'), "{} bytes", bytes.len());
        }
    }
}
