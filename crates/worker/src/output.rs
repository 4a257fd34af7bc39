//! Which paths of this machine the result of a render may have.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use render::SideOutput;
use render::config::Settings;
use render::config::output::Format;

use crate::error::{Error, Result};

/// The absolute path of the output, which must be writable: a refusal before the render is better than one after it.
pub(crate) fn output_path(given: &Path, format: Format) -> Result<PathBuf> {
    let bad = |reason: String| refused(given, reason);
    let name = given.file_name().ok_or_else(|| bad("names no file".into()))?;
    let folder =
        given.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder =
        std::fs::canonicalize(folder).map_err(|error| bad(format!("its folder: {error}")))?;
    let output = folder.join(name);
    match std::fs::symlink_metadata(&output) {
        Ok(found) if format.is_directory() && (found.is_dir() || found.is_symlink()) => {
            check_replaceable(&output)?;
        }
        Ok(_) if format.is_directory() => {
            return Err(bad("is there already and is not a directory".into()));
        }
        Ok(found) if found.is_dir() => return Err(bad("is a directory".into())),
        // The video replaces the file: a device or a link would be lost.
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

fn refused(output: &Path, reason: String) -> Error {
    Error::Argument { argument: format!("--output {}", output.display()), reason }
}

/// Checks that a directory may be replaced by another one: it is not there, or empty, or holds what an earlier render left and
/// nothing else.
pub(crate) fn check_replaceable(directory: &Path) -> Result<()> {
    let bad = |reason: String| refused(directory, reason);
    let found = match std::fs::symlink_metadata(directory) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(bad(error.to_string())),
    };
    if !found.is_dir() {
        return Err(bad("is there already and is not a directory".into()));
    }
    let parent = directory.parent().and_then(|parent| std::fs::metadata(parent).ok());
    if parent.is_some_and(|parent| parent.dev() != found.dev()) {
        return Err(bad("is where a file system is mounted; name a directory in it".into()));
    }
    let entries = std::fs::read_dir(directory).map_err(|error| bad(error.to_string()))?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
    let mut names =
        names.collect::<std::io::Result<Vec<_>>>().map_err(|error| bad(error.to_string()))?;
    names.sort();
    // The sound comes first in the alphabet, and is not alone.
    let frames = match names.first() {
        Some(first) if first == "audio.wav" && names.len() > 1 => &names[1..],
        _ => &names[..],
    };
    let stray = frames.iter().zip(1..).find(|(name, number)| {
        let number: &u32 = number;
        **name != *format!("frame_{number:06}.png")
    });
    match stray {
        None => Ok(()),
        Some((name, _)) => {
            let name = name.to_string_lossy();
            Err(bad(format!("is a directory with {name} in it, which would be lost")))
        }
    }
}

/// Checks the paths of the side outputs in the same way.
pub(crate) fn check_side_outputs(settings: &Settings, output: &Path) -> Result<()> {
    let Settings { poster, preview, .. } = settings;
    let wanted = [(poster.is_some(), SideOutput::Poster), (preview.is_some(), SideOutput::Preview)];
    for (_, side_output) in wanted.into_iter().filter(|(is_wanted, _)| *is_wanted) {
        output_path(&side_output.beside(output), Format::Mp4)?;
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
        for own in ["frame_notes.png", "frame_000004.png", "frame_3.png"] {
            std::fs::write(frames.join(own), "x").unwrap();
            assert!(check(Format::PngSequence).unwrap_err().contains(own), "{own}");
            std::fs::remove_file(frames.join(own)).unwrap();
        }
        let music = dir.path().join("music");
        std::fs::create_dir(&music).unwrap();
        std::fs::write(music.join("audio.wav"), "x").unwrap();
        assert!(output_path(&music, Format::PngSequence).is_err());
        assert!(check_replaceable(Path::new("/proc")).is_err(), "a mounted file system");
        let file = dir.path().join("file");
        std::fs::write(&file, "x").unwrap();
        assert!(output_path(&file, Format::PngSequence).is_err());
        output_path(&file, Format::Gif).unwrap();
    }
}
