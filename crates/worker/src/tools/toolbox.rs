//! The tools of this process, unpacked when they are first asked for: FFmpeg for joining, and Chrome, too, for drawing.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use compose::hash::sha256_hex;
use render::tools::{Chrome, Encoder, Tools};

use crate::error::{Error, Result};
use crate::time::millis_since;
use crate::tools::intact::Stamps;
use crate::tools::pack;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChromeSource {
    /// A directory with Chrome's files, some of which may be compressed.
    Pack(PathBuf),
    /// A Chrome that is installed elsewhere.
    Installed(Chrome),
}

impl ChromeSource {
    /// What the function's settings ask for; an unknown source means the bundle's own Chrome.
    pub(crate) fn from_settings(
        source: Option<&str>,
        path: Option<&str>,
        dir: &Path,
    ) -> Result<Self> {
        let source = source.unwrap_or_default().trim().to_ascii_lowercase();
        let pack = dir.join("chrome");
        if source != "chrome-headless-shell" && source != "shell" {
            return Ok(Self::Pack(pack));
        }
        let environment = "HYPERFRAMES_LAMBDA_CHROME_PATH";
        let Some(path) = path.filter(|path| !path.is_empty()).map(PathBuf::from) else {
            let reason = format!("must name the executable, since the Chrome source is {source}");
            return Err(Error::Setting { environment, reason });
        };
        let home = path.parent().unwrap_or(Path::new("/")).to_owned();
        let own = home.join("fontconfig/fonts");
        let fonts = if own.is_dir() { own } else { pack.join("fontconfig/fonts") };
        Ok(Self::Installed(Chrome {
            libraries: vec![home.join("lib"), home],
            executable: path,
            fonts,
        }))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Toolbox(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    chrome: ChromeSource,
    scratch: PathBuf,
    unpacking: Unpacking,
    was_ready: AtomicBool,
    /// Held while it is found out, so that this is done once.
    identity: Mutex<Option<String>>,
}

/// What each tool was unpacked to. Held while it is being unpacked, also when its caller is gone: the next one must not interfere.
#[derive(Debug, Default)]
struct Unpacking {
    ffmpeg: Mutex<Option<Stamps>>,
    ffprobe: Mutex<Option<Stamps>>,
    chrome: Mutex<Option<Stamps>>,
}

impl Toolbox {
    /// Checks that the parts of `dir` are there. They are unpacked below `scratch`.
    pub(crate) fn open(dir: &Path, chrome: ChromeSource, scratch: &Path) -> Result<Self> {
        let mut parts = vec![("ffmpeg", dir.join("ffmpeg")), ("ffprobe", dir.join("ffprobe"))];
        if let ChromeSource::Pack(pack) = &chrome {
            parts.push(("Chrome", pack.clone()));
        }
        for (tool, path) in parts {
            if !path.is_dir() {
                return Err(render::Error::ToolMissing { tool, path }.into());
            }
        }
        let was_ready = AtomicBool::new(false);
        let (dir, scratch) = (dir.to_owned(), scratch.to_owned());
        Ok(Self(Arc::new(Shared {
            dir,
            chrome,
            scratch,
            unpacking: Unpacking::default(),
            was_ready,
            identity: Mutex::default(),
        })))
    }

    /// Enough to join chunks. What fails is tried again by the next who asks; what was unpacked is checked each time.
    pub(crate) async fn joining(&self) -> Result<Tools> {
        let shared = Arc::clone(&self.0);
        let preparing = tokio::task::spawn_blocking(move || shared.joining());
        preparing.await.expect("unpacking does not panic")
    }

    /// The same with Chrome.
    pub(crate) async fn drawing(&self) -> Result<Tools> {
        let shared = Arc::clone(&self.0);
        let preparing = tokio::task::spawn_blocking(move || shared.drawing());
        preparing.await.expect("unpacking does not panic")
    }
}

impl Toolbox {
    /// Begins to find out [`Self::identity`], which takes a moment where the tools have no digests with them.
    pub(crate) fn identify_ahead(&self) {
        let shared = Arc::clone(&self.0);
        // Whoever asks for it learns why it fails.
        let _identified = tokio::task::spawn_blocking(move || shared.identity());
    }

    /// A digest of all that draws and encodes.
    pub(crate) async fn identity(&self) -> Result<String> {
        let shared = Arc::clone(&self.0);
        let hashing = tokio::task::spawn_blocking(move || shared.identity());
        hashing.await.expect("hashing does not panic")
    }
}

impl Shared {
    fn identity(&self) -> Result<String> {
        let mut known = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_ref() {
            return Ok(known.clone());
        }
        let mut parts = vec![self.dir.join("ffmpeg"), self.dir.join("ffprobe")];
        match &self.chrome {
            ChromeSource::Pack(pack) => parts.push(pack.clone()),
            ChromeSource::Installed(Chrome { executable, libraries, fonts }) => {
                parts.extend(executable.parent().map(Path::to_owned));
                parts.extend(libraries.iter().filter(|dir| dir.is_dir()).cloned());
                parts.push(fonts.clone());
            }
        }
        let contents = parts.iter().map(|part| pack::content(part)).collect::<Result<Vec<_>>>()?;
        let identity = sha256_hex(contents.join("\0").as_bytes());
        Ok(known.insert(identity).clone())
    }

    fn joining(&self) -> Result<Tools> {
        let unpacking = &self.unpacking;
        let (ffmpeg, ffprobe) = thread::scope(|scope| {
            let ffprobe =
                scope.spawn(|| self.unpacked(&unpacking.ffprobe, &self.dir.join("ffprobe")));
            let ffmpeg = self.unpacked(&unpacking.ffmpeg, &self.dir.join("ffmpeg"));
            (ffmpeg, ffprobe.join().expect("unpacking does not panic"))
        });
        let encoder = Encoder { ffmpeg: ffmpeg?.join("ffmpeg"), ffprobe: ffprobe?.join("ffprobe") };
        Ok(Tools::with_encoder(&self.dir, encoder)?)
    }

    fn drawing(&self) -> Result<Tools> {
        let start = Instant::now();
        let (joining, chrome) = thread::scope(|scope| {
            let joining = scope.spawn(|| self.joining());
            let chrome = match &self.chrome {
                ChromeSource::Installed(chrome) => Ok(chrome.clone()),
                ChromeSource::Pack(pack) => {
                    self.unpacked(&self.unpacking.chrome, pack).map(|dir| Chrome::in_dir(&dir))
                }
            };
            (joining.join().expect("unpacking does not panic"), chrome)
        });
        let tools = joining?.with_chrome(chrome?)?;
        if !self.was_ready.swap(true, Ordering::Relaxed) {
            tracing::info!(ms = millis_since(start), "Chrome is ready to start");
        }
        Ok(tools)
    }

    fn unpacked(&self, unpacking: &Mutex<Option<Stamps>>, pack: &Path) -> Result<PathBuf> {
        let mut known = unpacking.lock().unwrap_or_else(PoisonError::into_inner);
        pack::unpack(pack, &self.scratch, &mut known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_choose_between_the_bundle_s_chrome_and_another() {
        let dir = Path::new("/task/tools");
        let bundled = ChromeSource::Pack("/task/tools/chrome".into());
        for source in [None, Some("sparticuz"), Some("nonsense"), Some("")] {
            assert_eq!(ChromeSource::from_settings(source, Some("/x/y"), dir).unwrap(), bundled);
        }
        for source in ["chrome-headless-shell", "SHELL"] {
            let chosen = ChromeSource::from_settings(Some(source), Some("/opt/chs/shell"), dir);
            let ChromeSource::Installed(chrome) = chosen.unwrap() else { panic!("{source}") };
            assert_eq!(chrome.executable, Path::new("/opt/chs/shell"));
            assert_eq!(chrome.libraries, [Path::new("/opt/chs/lib"), Path::new("/opt/chs")]);
            assert_eq!(chrome.fonts, Path::new("/task/tools/chrome/fontconfig/fonts"));
        }
        let error = ChromeSource::from_settings(Some("shell"), None, dir).unwrap_err();
        assert_eq!(error.code().name(), "CONFIG_INVALID");
        assert!(error.to_string().starts_with("HYPERFRAMES_LAMBDA_CHROME_PATH"), "{error}");
    }
}
