//! Where the pinned third-party programs and data are, checked before anything uses them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use compose::hash::sha256_file;

use crate::error::{Error, Result};

/// sha256 of the page runtime this version was tested with (hyperframes 0.8.170).
const RUNTIME_SHA256: &str = "4a56ffcd5e2b0d5c22cce6c2201205b85cb77ad9d7e32796c2e789fa46231935";

/// The tools that `scripts/setup.sh` fetches. To hold them is to know that they are there.
#[derive(Debug, Clone)]
pub struct Tools {
    dir: PathBuf,
    encoder: Encoder,
    runtime: Arc<str>,
    chrome: Option<Chrome>,
}

/// FFmpeg's two programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoder {
    pub ffmpeg: PathBuf,
    pub ffprobe: PathBuf,
}

/// A headless Chrome and what it needs around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chrome {
    pub executable: PathBuf,
    /// The directories of its libraries.
    pub libraries: Vec<PathBuf>,
    /// The directory of the fonts that text falls back to.
    pub fonts: PathBuf,
}

impl Chrome {
    /// Chrome as it is unpacked into one directory.
    pub fn in_dir(dir: &Path) -> Self {
        Self {
            executable: dir.join("chromium"),
            libraries: vec![dir.join("lib"), dir.to_owned()],
            fonts: dir.join("fontconfig/fonts"),
        }
    }
}

impl Encoder {
    /// Each program in the directory of its own name.
    pub fn in_dir(dir: &Path) -> Self {
        Self { ffmpeg: dir.join("ffmpeg/ffmpeg"), ffprobe: dir.join("ffprobe/ffprobe") }
    }
}

impl Tools {
    /// Checks that every tool but Chrome is in `dir` and that the page runtime is the pinned one: enough for joining.
    pub fn open(dir: &Path) -> Result<Self> {
        Self::with_encoder(dir, Encoder::in_dir(dir))
    }

    /// The same with FFmpeg elsewhere.
    pub fn with_encoder(dir: &Path, encoder: Encoder) -> Result<Self> {
        for (tool, path) in [("ffmpeg", &encoder.ffmpeg), ("ffprobe", &encoder.ffprobe)] {
            if !path.is_file() {
                return Err(Error::ToolMissing { tool, path: path.clone() });
            }
        }
        let path = dir.join("runtime/hyperframe.runtime.iife.js");
        if !path.is_file() {
            return Err(Error::ToolMissing { tool: "the page runtime", path });
        }
        let actual = sha256_file(&path)?;
        if actual != RUNTIME_SHA256 {
            return Err(Error::ToolDigest {
                tool: "the page runtime",
                expected: RUNTIME_SHA256,
                actual,
            });
        }
        let runtime = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        Ok(Self { dir: dir.to_owned(), encoder, runtime: runtime.into(), chrome: None })
    }

    /// The paths of tools, which nobody has looked for: for tests of command lines.
    #[cfg(test)]
    pub(crate) fn untested(dir: &Path) -> Self {
        let encoder = Encoder::in_dir(dir);
        Self { dir: dir.to_owned(), encoder, runtime: "".into(), chrome: None }
    }

    /// With a Chrome to draw with, which must be there.
    pub fn with_chrome(self, chrome: Chrome) -> Result<Self> {
        if !chrome.executable.is_file() {
            return Err(Error::ToolMissing { tool: "Chrome", path: chrome.executable });
        }
        Ok(Self { chrome: Some(chrome), ..self })
    }

    pub(crate) fn chrome(&self) -> Result<&Chrome> {
        let missing = || Error::ToolMissing { tool: "Chrome", path: self.dir.join("chrome") };
        self.chrome.as_ref().ok_or_else(missing)
    }

    pub fn ffmpeg(&self) -> &Path {
        &self.encoder.ffmpeg
    }

    pub fn ffprobe(&self) -> &Path {
        &self.encoder.ffprobe
    }

    pub fn fonts(&self) -> PathBuf {
        self.dir.join("fonts")
    }

    /// The source text of the page runtime.
    pub fn runtime(&self) -> &str {
        &self.runtime
    }
}
