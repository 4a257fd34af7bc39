//! The tools of this process: what joining needs at once, and Chrome when something is to be drawn.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use render::tools::{Chrome, Tools};
use tokio::sync::Mutex;

use crate::error::{Error, Result};
use crate::pack;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChromeSource {
    /// A directory with Chrome's files, some of which may be compressed.
    Pack(PathBuf),
    /// A Chrome that is installed elsewhere.
    Installed(Chrome),
}

impl ChromeSource {
    /// What the function's settings ask for; a source that nobody knows means the bundle's own Chrome.
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

#[derive(Debug)]
pub(crate) struct Toolbox {
    joining: Tools,
    chrome: ChromeSource,
    scratch: PathBuf,
    drawing: Arc<Mutex<Option<Tools>>>,
}

impl Toolbox {
    /// Checks what is in `dir`. Chrome is unpacked below `scratch` when it is first asked for.
    pub(crate) fn open(dir: &Path, chrome: ChromeSource, scratch: &Path) -> Result<Self> {
        let joining = Tools::open(dir)?;
        Ok(Self { joining, chrome, scratch: scratch.to_owned(), drawing: Arc::default() })
    }

    /// Enough to join chunks.
    pub(crate) fn joining(&self) -> &Tools {
        &self.joining
    }

    /// With Chrome. What fails is tried again by the next who asks; what was unpacked is looked at by everyone.
    pub(crate) async fn drawing(&self) -> Result<Tools> {
        // Whoever unpacks holds the lock to the end, also when nobody waits any more: the next one must not come between.
        let mut drawing = Arc::clone(&self.drawing).lock_owned().await;
        let (joining, chrome, scratch) =
            (self.joining.clone(), self.chrome.clone(), self.scratch.clone());
        let preparing = tokio::task::spawn_blocking(move || {
            let start = Instant::now();
            let chrome = match chrome {
                ChromeSource::Installed(chrome) => chrome,
                ChromeSource::Pack(pack) => Chrome::in_dir(&pack::unpack(&pack, &scratch)?),
            };
            let tools = joining.with_chrome(chrome)?;
            if drawing.replace(tools.clone()).is_none() {
                let ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
                tracing::info!(ms, "Chrome is ready to start");
            }
            Ok(tools)
        });
        preparing.await.expect("unpacking does not panic")
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
