//! What a render leaves beside its video, and what it is called there.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::output::Format;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SideOutput {
    /// One frame as Chrome drew it.
    Poster,
    /// The same frames, small.
    Preview,
}

impl SideOutput {
    pub const ALL: [Self; 2] = [Self::Poster, Self::Preview];

    fn suffix(self) -> &'static str {
        match self {
            Self::Poster => ".poster.png",
            Self::Preview => ".preview.mp4",
        }
    }

    /// Its name beside a file or directory called `name`: `video.poster.png` beside `video.mp4`.
    pub fn name_beside(self, name: &str) -> String {
        let endings = Format::ALL.iter().filter_map(|format| format.extension()).chain(["tar.gz"]);
        let stem_before = |ending: &str| {
            let (stem, dotted) =
                name.split_at_checked(name.len().checked_sub(ending.len() + 1)?)?;
            let is_ending = dotted.strip_prefix('.')?.eq_ignore_ascii_case(ending);
            (is_ending && !stem.is_empty()).then_some(stem)
        };
        let stem = endings.into_iter().find_map(stem_before).unwrap_or(name);
        format!("{stem}{}", self.suffix())
    }

    /// The same beside a path.
    pub fn beside(self, path: &Path) -> PathBuf {
        let mut name = path.file_name().map(OsString::from).unwrap_or_default();
        if let Some(name) = name.to_str() {
            return path.with_file_name(self.name_beside(name));
        }
        name.push(self.suffix());
        path.with_file_name(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_output_is_called_like_what_it_belongs_to() {
        for (name, expected) in [
            ("video.mp4", "video.poster.png"),
            ("my.video.webm", "my.video.poster.png"),
            ("VIDEO.MP4", "VIDEO.poster.png"),
            ("größe", "größe.poster.png"),
            ("output.tar.gz", "output.poster.png"),
            ("frames", "frames.poster.png"),
            ("v1.2", "v1.2.poster.png"),
            (".mp4", ".mp4.poster.png"),
        ] {
            assert_eq!(SideOutput::Poster.name_beside(name), expected);
        }
        let preview = SideOutput::Preview.beside(Path::new("/a/0001.mov"));
        assert_eq!(preview, Path::new("/a/0001.preview.mp4"));
    }
}
