//! Where the pinned third-party programs and data are, checked before anything uses them.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::hash::sha256_file;

/// sha256 of the page runtime this version was tested with (hyperframes 0.8.170).
const RUNTIME_SHA256: &str = "4a56ffcd5e2b0d5c22cce6c2201205b85cb77ad9d7e32796c2e789fa46231935";

/// The directory that `scripts/setup.sh` fills. To hold one is to know that its parts are there.
#[derive(Debug, Clone)]
pub struct Tools {
    dir: PathBuf,
    runtime: String,
}

impl Tools {
    /// Checks that every tool is in `dir` and that the page runtime is the pinned one.
    pub fn open(dir: &Path) -> Result<Self> {
        let tools = Self { dir: dir.to_owned(), runtime: String::new() };
        for (tool, path) in
            [("Chrome", tools.chrome()), ("ffmpeg", tools.ffmpeg()), ("ffprobe", tools.ffprobe())]
        {
            if !path.is_file() {
                return Err(Error::ToolMissing { tool, path });
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
        Ok(Self { runtime, ..tools })
    }

    pub fn chrome(&self) -> PathBuf {
        self.dir.join("chrome/chromium")
    }

    /// The directories of the libraries that come with Chrome, as a search path.
    pub fn chrome_libraries(&self) -> String {
        let chrome = self.dir.join("chrome");
        format!("{}:{}", chrome.join("lib").display(), chrome.display())
    }

    pub fn chrome_fonts(&self) -> PathBuf {
        self.dir.join("chrome/fontconfig/fonts")
    }

    pub fn ffmpeg(&self) -> PathBuf {
        self.dir.join("ffmpeg/ffmpeg")
    }

    pub fn ffprobe(&self) -> PathBuf {
        self.dir.join("ffprobe/ffprobe")
    }

    pub fn fonts(&self) -> PathBuf {
        self.dir.join("fonts")
    }

    /// The source text of the page runtime.
    pub fn runtime(&self) -> &str {
        &self.runtime
    }
}
