//! The source files of videos: why one cannot be used, and which of them a chunk need not have.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use compose::clip::Clip;
use compose::tree;
use dom_query::Document;
use percent_encoding::percent_decode_str;

use crate::error::{Error, Result};
use crate::ffmpeg::source::is_text;
use crate::video::{Request, unusable};

/// Files in which an author can name another one.
const NAMING: [&str; 9] = ["html", "htm", "css", "js", "mjs", "json", "svg", "vtt", "txt"];

/// What is wrong with a file that FFmpeg or ffprobe gave up on.
pub(super) fn why_unreadable(clip: &Clip, error: Error) -> Error {
    // One that was killed or ran out of room says nothing about the file.
    if error.is_disk_full() {
        return error;
    }
    match error {
        Error::Command { exit_code: Some(_), stderr, .. } => match is_text(&clip.file) {
            Ok(true) => {
                let reason = format!("{}: is a web page or JSON, and no video", clip.src);
                compose::Error::NotMedia { element: clip.element.clone(), reason }.into()
            }
            Ok(false) => {
                let said = stderr.replace(&clip.file.display().to_string(), &clip.src);
                unusable(clip, &format!("cannot be read: {said}"))
            }
            Err(error) => error,
        },
        other => other,
    }
}

/// The path of a clip's source inside the project, with `/` between its parts.
pub(super) fn path_in_project(request: &Request<'_>, clip: &Clip) -> String {
    match clip.file.strip_prefix(request.page_dir) {
        Ok(path) => path.to_string_lossy().replace('\\', "/"),
        Err(_elsewhere) => clip.src.clone(),
    }
}

/// Removes from the page's files the sources of `shown` that nothing but videos and sounds refers to. What is in doubt stays.
pub(super) fn leave_out(request: &Request<'_>, shown: &[&Clip]) -> Result<()> {
    let candidates: BTreeSet<String> =
        shown.iter().map(|clip| path_in_project(request, clip)).collect();
    if candidates.is_empty() {
        return Ok(());
    }
    let ids: BTreeSet<&str> = shown.iter().map(|clip| clip.id.as_str()).collect();
    let mut texts = Vec::new();
    for path in tree::files(request.page_dir)? {
        let extension = Path::new(&path).extension().unwrap_or_default().to_string_lossy();
        if NAMING.contains(&extension.to_ascii_lowercase().as_str()) {
            let file = request.page_dir.join(&path);
            let bytes = fs::read(&file).map_err(Error::io("read", &file))?;
            texts.push((path, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    let index = texts.iter().find(|(path, _)| path == "index.html");
    let has_frames = index.is_some_and(|(_, html)| html.contains("<iframe"));
    let left: Vec<String> = texts
        .into_iter()
        .map(|(path, text)| {
            match Path::new(&path).extension().is_some_and(|e| e == "html" || e == "htm") {
                true if path == "index.html" => without_media(&text, |id| ids.contains(id)),
                // What the index has taken in; but a page in a frame plays its videos itself.
                true if !has_frames => without_media(&text, |_| true),
                _ => text,
            }
        })
        .collect();
    for path in candidates {
        let file = request.page_dir.join(&path);
        let name = path.rsplit('/').next().unwrap_or_default();
        if file.is_file() && !left.iter().any(|text| names(text, name)) {
            fs::remove_file(&file).map_err(Error::io("remove", &file))?;
        }
    }
    Ok(())
}

/// The document without what sounds, and the videos that `is_fed` knows by their id, refer to.
fn without_media(html: &str, is_fed: impl Fn(&str) -> bool) -> String {
    let document = Document::from(html);
    for element in &document.select("video, audio") {
        let id = element.attr("data-hf-render-id").or_else(|| element.attr("id"));
        if element.is("audio") || id.is_some_and(|id| is_fed(&id)) {
            element.remove_attr("src");
            element.select("source").remove();
        }
    }
    document.html().to_string()
}

/// Whether a text may refer to a file of this name, however it writes it.
fn names(text: &str, name: &str) -> bool {
    text.contains(name)
        || percent_decode_str(text).decode_utf8_lossy().contains(name)
        || text.replace("&amp;", "&").contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_video_s_own_reference_is_the_only_one_that_does_not_count() {
        let html = "<!doctype html><video id=a data-hf-render-id=a src='m/a%20b.mp4'></video>\
            <video id=b><source src=b.mp4></video><video id=c src=c.mp4></video><audio src=d.mp4></audio>\
            <img src=e.mp4><template><video id=a src=f.mp4></video></template>";
        let left = without_media(html, |id| ["a", "b"].contains(&id));
        for (name, expected) in [
            ("a b.mp4", false),
            ("b.mp4", false),
            ("c.mp4", true),
            ("d.mp4", false),
            ("e.mp4", true),
        ] {
            assert_eq!(names(&left, name), expected, "{name} in {left}");
        }
        assert!(names("url(m/a%20b.mp4)", "a b.mp4"));
        assert!(names("a&amp;b.mp4", "a&b.mp4"));
    }
}
