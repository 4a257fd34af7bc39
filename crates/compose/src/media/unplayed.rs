//! Media where a render cannot play them, and what only a player would draw: refused or told by name.

use std::fs;

use dom_query::{Document, NodeRef};

use crate::document::html::{describe, inner_html};
use crate::error::{Error, Result};
use crate::javascript::makes_sound;
use crate::site::Site;

/// A script that is larger is a library.
const MAX_SCRIPT_BYTES: u64 = 1 << 20;

/// Kinds of `<track>` that a player draws; one that says no kind is one of subtitles.
const DRAWN_TRACKS: [&str; 3] = ["", "subtitles", "captions"];

/// Refuses what `document`, which errors call `file`, would show or play otherwise than a render.
pub(crate) fn refuse_unplayed(document: &Document, file: &str) -> Result<()> {
    for video in document.select("video").nodes() {
        let children = video.children();
        let captions = children.iter().find(|child| {
            let kind = child.attr("kind").unwrap_or_default().trim().to_ascii_lowercase();
            child.has_name("track") && child.has_attr("default") && DRAWN_TRACKS.contains(&&*kind)
        });
        if captions.is_some() {
            return Err(Error::Composition {
                file: file.to_owned(),
                element: describe(video),
                reason: "its <track default> is drawn by a player, and there is none: show the captions as elements of the page, or leave out the word default".to_owned(),
            });
        }
    }
    for template in document.select("template[shadowrootmode]").nodes() {
        refuse_in_shadow(&Document::fragment(inner_html(template)), file)?;
    }
    if let Some(canvas) = document.select_single("canvas[layoutsubtree]").nodes().first() {
        return Err(Error::Composition {
            file: file.to_owned(),
            element: describe(canvas),
            reason: "elements that a canvas draws (layoutsubtree, drawElementImage) need a feature that this Chrome has not: put them over the canvas".to_owned(),
        });
    }
    Ok(())
}

fn refuse_in_shadow(content: &Document, file: &str) -> Result<()> {
    if let Some(node) = content.select("video, audio").nodes().iter().find(|node| has_source(node))
    {
        return Err(Error::MediaUnusable {
            element: format!("{file}: {}", describe(node)),
            reason: "video and sound in a shadow root are not played: put the element into the page itself".to_owned(),
        });
    }
    for template in content.select("template[shadowrootmode]").nodes() {
        refuse_in_shadow(&Document::fragment(inner_html(template)), file)?;
    }
    Ok(())
}

pub(crate) fn has_source(node: &NodeRef<'_>) -> bool {
    let own = node.attr("src").is_some_and(|src| !src.trim().is_empty());
    own || node.children_it(false).any(|child| child.has_name("source"))
}

/// Sounds that scripts make without an element, which are not in the output.
pub(crate) fn script_sounds(
    document: &Document,
    site: Site<'_>,
    file: &str,
) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    for script in document.select("script").nodes() {
        let (place, source) = match script.attr("src") {
            None => (file.to_owned(), script.text().to_string()),
            Some(src) => {
                let Some(path) = site.resolve(&src) else { continue };
                let on_disk = site.root.join(&path);
                let length = fs::metadata(&on_disk).map_or(u64::MAX, |metadata| metadata.len());
                if length > MAX_SCRIPT_BYTES {
                    continue;
                }
                let bytes = fs::read(&on_disk).map_err(Error::io("read", &on_disk))?;
                (path, String::from_utf8_lossy(&bytes).into_owned())
            }
        };
        if let Some(how) = makes_sound(&source) {
            warnings.push(format!(
                "{place}: the sound that a script makes with {how} is not in the output: put it into the page as <audio>"
            ));
        }
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::html::parse;

    #[test]
    fn what_only_a_player_draws_is_refused_by_name() {
        for (html, says) in [
            (
                "<video id=v><track default src=a.vtt></video>",
                Some("<video id=\"v\">: its <track default>"),
            ),
            ("<video><track default kind=captions src=a.vtt></video>", Some("its <track default>")),
            ("<video><track src=a.vtt></video>", None),
            ("<video><track default kind=metadata src=a.vtt></video>", None),
            (
                "<x-a><template shadowrootmode=open><p><video id=s src=a.mp4></video></template></x-a>",
                Some("<video id=\"s\" src=\"a.mp4\">: video and sound in a shadow root"),
            ),
            (
                "<x-a><template shadowrootmode=closed><x-b><template shadowrootmode=open><audio src=a.mp3></audio></template></x-b></template></x-a>",
                Some("in a shadow root"),
            ),
            (
                "<canvas id=c layoutsubtree><p>x</p></canvas>",
                Some("<canvas id=\"c\">: elements that a canvas draws"),
            ),
            ("<template><video src=a.mp4></video></template>", None),
            ("<x-a><template shadowrootmode=open><video></video></template></x-a>", None),
        ] {
            let found =
                refuse_unplayed(&parse(html), "index.html").err().map(|error| error.to_string());
            match (found, says) {
                (None, None) => {}
                (Some(found), Some(says)) if found.contains(says) => {}
                (found, _) => panic!("{html}: {found:?}"),
            }
        }
    }
}
