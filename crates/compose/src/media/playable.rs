//! Which types of a `<source>` Chrome plays, as `canPlayType` answers.

/// Whether Chrome tries a source of this type; one that does not say its type is tried.
pub(super) fn is_playable(mime: &str) -> bool {
    let lower = mime.trim().to_ascii_lowercase();
    let (container, parameters) = lower.split_once(';').unwrap_or((lower.as_str(), ""));
    let held: &[&str] = match container.trim() {
        "" => return true,
        "video/mp4" | "audio/mp4" | "video/x-m4v" | "audio/x-m4a" => {
            &["avc1", "avc3", "mp4a", "av01", "vp09", "flac", "opus", "mp3"]
        }
        "video/webm" | "audio/webm" => &["vp8", "vp9", "vp08", "vp09", "av01", "vorbis", "opus"],
        "video/ogg" | "audio/ogg" | "application/ogg" => &["vorbis", "opus", "flac", "theora"],
        "audio/mpeg" | "audio/mp3" | "audio/x-mp3" => &["mp3"],
        "audio/wav" | "audio/x-wav" | "audio/wave" => &["1"],
        "audio/aac" | "audio/flac" | "audio/x-flac" => &["mp4a", "flac"],
        _ => return false,
    };
    let Some((_, codecs)) = parameters.split_once("codecs") else { return true };
    let codecs = codecs.trim_start().trim_start_matches('=').trim().trim_matches(['"', '\'']);
    codecs.split(',').all(|codec| {
        let family = codec.trim().split('.').next().unwrap_or_default();
        held.contains(&family)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_playable_if_chrome_says_so() {
        for (mime, expected) in [
            ("", true),
            ("video/mp4", true),
            ("video/mp4; codecs=\"avc1.42E01E, mp4a.40.2\"", true),
            ("video/mp4; codecs=hvc1.2.4.L93", false),
            ("video/quicktime; codecs=\"hvc1.2.4.L93\"", false),
            ("VIDEO/WEBM;codecs='vp9,opus'", true),
            ("video/webm; codecs=\"avc1\"", false),
            ("video/quicktime", false),
            ("application/x-mpegURL", false),
            ("audio/mpeg", true),
            ("audio/ogg; codecs=opus", true),
        ] {
            assert_eq!(is_playable(mime), expected, "{mime}");
        }
    }
}
