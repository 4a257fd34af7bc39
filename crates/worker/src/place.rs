//! Where the result of a render may go on this machine.

use std::path::{Path, PathBuf};

use render::ByProduct;
use render::config::Settings;
use render::config::output::Format;

use crate::error::{Error, Result};

/// The absolute path of the output, which must be writable: better said before the render than after it.
pub(crate) fn output_path(given: &Path, format: Format) -> Result<PathBuf> {
    let bad = |reason: String| Error::Argument {
        argument: format!("--output {}", given.display()),
        reason,
    };
    let name = given.file_name().ok_or_else(|| bad("names no file".into()))?;
    let folder =
        given.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder =
        std::fs::canonicalize(folder).map_err(|error| bad(format!("its folder: {error}")))?;
    let output = folder.join(name);
    match std::fs::symlink_metadata(&output) {
        Ok(found) if found.is_dir() => match format {
            Format::PngSequence => check_directory(&output).map_err(bad)?,
            _ => return Err(bad("is a directory".into())),
        },
        Ok(_) if format == Format::PngSequence => {
            return Err(bad("is there already and is not a directory".into()));
        }
        // The video takes the place of what is there: a device or a link would be gone.
        Ok(found) if !found.is_file() => {
            return Err(bad("is there already and is not a regular file".into()));
        }
        Ok(_file) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(bad(error.to_string())),
    }
    tempfile::Builder::new()
        .prefix(".framewright-")
        .tempfile_in(&folder)
        .and_then(tempfile::NamedTempFile::close)
        .map_err(|error| bad(format!("its folder takes no files: {error}")))?;
    Ok(output)
}

/// Checks the places of what is made besides the video, in the same way.
pub(crate) fn check_by_products(settings: &Settings, output: &Path) -> Result<()> {
    let Settings { poster, preview, .. } = settings;
    let wanted = [(poster.is_some(), ByProduct::Poster), (preview.is_some(), ByProduct::Preview)];
    for (_, by_product) in wanted.into_iter().filter(|(is_wanted, _)| *is_wanted) {
        output_path(&by_product.beside(output), Format::Mp4)?;
    }
    Ok(())
}

/// Whether a directory may be replaced: it must be empty, or hold an earlier render and nothing else.
fn check_directory(directory: &Path) -> std::result::Result<(), String> {
    let entries = std::fs::read_dir(directory).map_err(|error| error.to_string())?;
    for entry in entries {
        let name = entry.map_err(|error| error.to_string())?.file_name();
        let name = name.to_string_lossy();
        let number = name.strip_prefix("frame_").and_then(|rest| rest.strip_suffix(".png"));
        let is_frame =
            number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        if !is_frame && name != "audio.wav" {
            return Err(format!("is a directory with {name} in it, which would be lost"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_directory_of_an_earlier_render_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let frames = dir.path().join("frames");
        let check = |format| output_path(&frames, format).map_err(|error| error.to_string());
        check(Format::PngSequence).unwrap();
        std::fs::create_dir(&frames).unwrap();
        for name in ["frame_000001.png", "frame_000002.png", "audio.wav"] {
            std::fs::write(frames.join(name), "x").unwrap();
        }
        check(Format::PngSequence).unwrap();
        assert!(check(Format::Mp4).unwrap_err().contains("is a directory"));
        std::fs::write(frames.join("frame_notes.png"), "x").unwrap();
        assert!(check(Format::PngSequence).unwrap_err().contains("frame_notes.png"));
        let file = dir.path().join("file");
        std::fs::write(&file, "x").unwrap();
        assert!(output_path(&file, Format::PngSequence).is_err());
        output_path(&file, Format::Gif).unwrap();
    }
}
