//! Text out of the bytes of documents, scripts and style sheets, decoded as a browser does, and written back as UTF-8.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use dom_query::Document;
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use crate::document::base;
use crate::document::html::{parse, serialize};
use crate::document::link::is_stylesheet;
use crate::error::{Error, Result};
use crate::site::Site;
use crate::tree;

/// How much of a document is searched for the `<meta>` that names its encoding.
const PRESCAN_BYTES: usize = 64 << 10;

/// The longest `@charset` rule with a byte order mark before it.
const CHARSET_RULE_BYTES: u64 = 128;

/// The text of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodedText {
    pub text: String,
    /// Says that some bytes mean nothing in the document's encoding and are shown as replacement characters.
    pub warning: Option<String>,
}

/// Decodes a document: by its byte order mark, else by its `<meta>`, else as UTF-8 where it is that, and as windows-1252
/// otherwise. Its scripts and style sheets get the encoding in a `charset` attribute, as they inherit it.
pub fn decode_document(bytes: &[u8], file: &str) -> DecodedText {
    let encoding = encoding_of(bytes);
    let (text, encoding, is_broken) = encoding.decode(bytes);
    let warning = is_broken.then(|| {
        let name = encoding.name();
        format!(
            "{file}: has bytes that are no {name} text and are shown as \u{fffd}; save it as UTF-8"
        )
    });
    let text = if encoding == UTF_8 { text.into_owned() } else { inherit(&text, encoding) };
    DecodedText { text, warning }
}

fn encoding_of(bytes: &[u8]) -> &'static Encoding {
    if let Some((encoding, _length)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    if bytes.is_ascii() {
        return UTF_8;
    }
    match named(&bytes[..bytes.len().min(PRESCAN_BYTES)]) {
        Some(encoding) => encoding,
        None if std::str::from_utf8(bytes).is_ok() => UTF_8,
        None => WINDOWS_1252,
    }
}

/// The encoding that the document's `<meta>` names. A document that can be read that far is not UTF-16, whatever it says.
fn named(start: &[u8]) -> Option<&'static Encoding> {
    // Names of elements, attributes and encodings are ASCII, which every other encoding has in its place.
    let (start, _) = WINDOWS_1252.decode_without_bom_handling(start);
    let document = parse(&start);
    let metas = document.select("meta[charset], meta[http-equiv][content]");
    let label = metas.nodes().iter().find_map(|meta| {
        if let Some(label) = meta.attr("charset") {
            return Encoding::for_label(label.as_bytes());
        }
        let is_type = meta.attr("http-equiv")?.eq_ignore_ascii_case("content-type");
        let content = meta.attr("content").filter(|_| is_type)?.to_ascii_lowercase();
        let label = content.split_once("charset")?.1.trim_start().strip_prefix('=')?.trim_start();
        let end = |c: char| c.is_whitespace() || ";\"'".contains(c);
        let label = label.trim_start_matches(['"', '\'']).split(end).next()?;
        Encoding::for_label(label.as_bytes())
    });
    label.map(|encoding| match encoding.name() {
        "UTF-16LE" | "UTF-16BE" => UTF_8,
        "x-user-defined" => WINDOWS_1252,
        _ => encoding,
    })
}

/// Names the encoding where scripts and style sheets would inherit it.
fn inherit(text: &str, encoding: &'static Encoding) -> String {
    let document = parse(text);
    let files = document.select("script[src]:not([charset]), link[href]:not([charset])");
    for node in files.nodes() {
        if node.has_name("script") || is_stylesheet(node) {
            node.set_attr("charset", encoding.name());
        }
    }
    if files.is_empty() { text.to_owned() } else { serialize(&document) }
}

/// Writes every document, script and style sheet of `site` that is not UTF-8 as UTF-8, which is what they are served as.
/// `index` is the page, which is in none of the files.
pub(crate) fn write_as_utf8(site: Site<'_>, index: &Document) -> Result<()> {
    name_by_rule(site.root)?;
    write_references(index, site)?;
    for path in tree::files(site.root)? {
        let extension = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        if !["html", "htm"].contains(&extension.as_str()) {
            continue;
        }
        let file = site.root.join(&path);
        let bytes = fs::read(&file).map_err(Error::io("read", &file))?;
        if encoding_of(&bytes) != UTF_8 {
            let DecodedText { text, warning: _ } = decode_document(&bytes, &path);
            let document = parse(&text);
            let folder = base::folder(&document, &path);
            write_references(&document, Site { folder: &folder, ..site })?;
            fs::write(&file, text).map_err(Error::io("write", &file))?;
        }
    }
    Ok(())
}

/// Scripts and style sheets that say by themselves what they are written in.
fn name_by_rule(root: &Path) -> Result<()> {
    for path in tree::files(root)? {
        let extension = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        let is_sheet = extension == "css";
        if !is_sheet && extension != "js" {
            continue;
        }
        let file = root.join(&path);
        let mut start = Vec::new();
        let opened = fs::File::open(&file).map_err(Error::io("read", &file))?;
        opened
            .take(CHARSET_RULE_BYTES)
            .read_to_end(&mut start)
            .map_err(Error::io("read", &file))?;
        let by_mark = Encoding::for_bom(&start).map(|(encoding, _)| encoding);
        let by_rule = || if is_sheet { charset_rule(&start) } else { None };
        if let Some(encoding) = by_mark.or_else(by_rule) {
            rewrite(&file, encoding)?;
        }
    }
    Ok(())
}

/// The encoding of `@charset "…";`, which has to be written in exactly this way.
fn charset_rule(start: &[u8]) -> Option<&'static Encoding> {
    let rest = start.strip_prefix(b"@charset \"")?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    Encoding::for_label(&rest[..end])
}

/// The scripts and style sheets whose encoding their elements name.
fn write_references(document: &Document, site: Site<'_>) -> Result<()> {
    for node in document.select("script[src][charset], link[href][charset]").nodes() {
        let is_script = node.has_name("script");
        let is_module = node.attr("type").is_some_and(|kind| kind.trim() == "module");
        let address = node.attr(if is_script { "src" } else { "href" }).unwrap_or_default();
        let label = node.attr("charset").unwrap_or_default();
        let Some(encoding) = Encoding::for_label(label.trim().as_bytes()) else { continue };
        let file: Option<PathBuf> = site.file(&address).filter(|file| file.is_file());
        if let Some(file) = file.filter(|_| !is_module && (is_script || is_stylesheet(node))) {
            rewrite(&file, encoding)?;
        }
    }
    Ok(())
}

/// Writes a file in UTF-8 that is in `encoding`. One that is UTF-8 already was written before, or says something else of itself.
fn rewrite(file: &Path, encoding: &'static Encoding) -> Result<()> {
    let bytes = fs::read(file).map_err(Error::io("read", file))?;
    if encoding == UTF_8 || bytes.is_ascii() || (!has_mark(&bytes) && is_utf8_text(&bytes)) {
        return Ok(());
    }
    let (text, used, _is_broken) = encoding.decode(&bytes);
    if used == UTF_8 {
        return Ok(());
    }
    fs::write(file, text.as_bytes()).map_err(Error::io("write", file))
}

fn has_mark(bytes: &[u8]) -> bool {
    Encoding::for_bom(bytes).is_some()
}

fn is_utf8_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, mark: [u8; 2]) -> Vec<u8> {
        let is_little = mark[0] == 0xff;
        let bytes = |unit: u16| if is_little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        mark.into_iter().chain(text.encode_utf16().flat_map(bytes)).collect()
    }

    #[test]
    fn a_document_is_read_in_the_encoding_that_a_browser_takes() {
        for (bytes, expected) in [
            ("<meta charset=utf-8>é".as_bytes().to_vec(), "<meta charset=utf-8>é"),
            ("é".as_bytes().to_vec(), "é"),
            (b"\xef\xbb\xbf<p>\xc3\xa9".to_vec(), "<p>é"),
            (b"<meta charset=iso-8859-1>\xe9\x80".to_vec(), "<meta charset=iso-8859-1>é€"),
            (b"<META CharSet='Windows-1251'>\xc6".to_vec(), "<META CharSet='Windows-1251'>Ж"),
            (
                b"<meta http-equiv=Content-Type content='text/html; charset=shift_jis'>\x8a\xbf"
                    .to_vec(),
                "<meta http-equiv=Content-Type content='text/html; charset=shift_jis'>漢",
            ),
            (
                b"<!-- <meta charset=koi8-r> --><p>\xe9".to_vec(),
                "<!-- <meta charset=koi8-r> --><p>é",
            ),
            ("<meta charset=utf-16>é".as_bytes().to_vec(), "<meta charset=utf-16>é"),
            (b"\xe9t\xe9".to_vec(), "été"),
            (utf16("<meta charset=utf-8>é漢", [0xff, 0xfe]), "<meta charset=utf-8>é漢"),
            (utf16("<p>é漢", [0xfe, 0xff]), "<p>é漢"),
        ] {
            let found = decode_document(&bytes, "index.html");
            assert_eq!((found.text.as_str(), found.warning), (expected, None));
        }
        let broken = decode_document(b"<meta charset=utf-8>\xe9", "index.html");
        assert!(broken.text.ends_with('\u{fffd}'), "{broken:?}");
        assert!(broken.warning.unwrap().starts_with("index.html: has bytes that are no UTF-8"));
    }

    #[test]
    fn files_of_a_document_are_written_as_utf_8() {
        let project = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            fs::write(project.path().join(name), bytes).unwrap();
        };
        write("named.js", b"x='\xe9'");
        write("inherits.js", b"x='\xc6'");
        write("module.js", b"x='\xe9'");
        write("rule.css", b"@charset \"windows-1252\";a{content:'\xe9'}");
        write("marked.css", &utf16("a{content:'é'}", [0xff, 0xfe]));
        write("utf8.css", "a{content:'é'}".as_bytes());
        write("frame.html", b"<meta charset=windows-1251>\xc6<script src=inherits.js></script>");
        let index = parse(
            "<script charset=windows-1252 src=named.js></script><script type=module charset=latin1 src=module.js></script>\
             <link rel=stylesheet charset=latin1 href=utf8.css>",
        );
        write_as_utf8(Site { root: project.path(), folder: "" }, &index).unwrap();
        let read = |name: &str| fs::read(project.path().join(name)).unwrap();
        for (name, expected) in [
            ("named.js", "x='é'"),
            ("inherits.js", "x='Ж'"),
            ("rule.css", "@charset \"windows-1252\";a{content:'é'}"),
            ("marked.css", "a{content:'é'}"),
            ("utf8.css", "a{content:'é'}"),
        ] {
            assert_eq!(String::from_utf8(read(name)).unwrap(), expected, "{name}");
        }
        assert_eq!(read("module.js"), b"x='\xe9'");
        assert!(String::from_utf8(read("frame.html")).unwrap().contains('Ж'));
    }
}
