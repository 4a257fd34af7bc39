//! Chrome's command line: every flag with the reason it is there.

use std::net::SocketAddr;
use std::path::Path;

use compose::geometry::Viewport;

use crate::process::Cmd;
use crate::tools::Chrome;

/// Flags that are the same for every launch.
const FLAGS: &[&str] = &[
    // Root inside a Lambda or a container has no user namespace to build the sandbox in.
    "--no-sandbox",
    "--disable-setuid-sandbox",
    // No helper to fork renderers from: one process less, and it needs the sandbox.
    "--no-zygote",
    // Frames are drawn when we ask and not otherwise.
    "--enable-begin-frame-control",
    "--run-all-compositor-stages-before-draw",
    "--deterministic-mode",
    // A frame is complete before it is drawn: nothing on a compositor thread of its own, no placeholder for undecoded images.
    "--disable-threaded-animation",
    "--disable-threaded-scrolling",
    "--disable-checker-imaging",
    "--disable-new-content-rendering-timeout",
    "--disable-image-animation-resync",
    "--enable-surface-synchronization",
    // Every frame is composited whole, and every tile drawn whole: one that is clipped to what changed may differ at
    // antialiased edges.
    "--ui-disable-partial-swap",
    "--disable-partial-raster",
    // WebGL in software and the same everywhere; compositing without it, which is faster and leaves no stale layers.
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-gpu-compositing",
    // Text and colours do not depend on the host's screen settings.
    "--font-render-hinting=none",
    "--disable-lcd-text",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--lang=en-US",
    // A page that is not on any screen is not slowed down.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-background-media-suspend",
    // An AudioContext waiting for a click would wait for ever.
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
    // Seeks and ticks come faster than a person navigates.
    "--disable-ipc-flooding-protection",
    "--disable-hang-monitor",
    // Nothing that calls home, updates itself, or reports crashes.
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--no-pings",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-popup-blocking",
    "--disable-print-preview",
    // One renderer process for all frames of a page, no audio process, no promotion of idle timers to once a minute.
    "--disable-features=AudioServiceOutOfProcess,IsolateOrigins,site-per-process,Translate,BackForwardCache,\
     IntensiveWakeUpThrottling,PaintHolding",
    // What does not speak HTTP goes nowhere either.
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    // DevTools on two descriptors that nobody else has, instead of a port that is open to every process.
    "--remote-debugging-pipe",
];

/// The whole command for one browser whose files all lie below `home`.
pub(crate) fn command(chrome: &Chrome, home: &Path, proxy: SocketAddr, viewport: Viewport) -> Cmd {
    let Viewport { width, height, scale } = viewport;
    let cmd = FLAGS.iter().fold(Cmd::new(&chrome.executable), |cmd, flag| cmd.arg(*flag));
    let libraries: Vec<_> = chrome.libraries.iter().map(|dir| dir.display().to_string()).collect();
    let cmd = if shared_memory_is_roomy() { cmd } else { cmd.arg("--disable-dev-shm-usage") };
    let cmd =
        if scale == 1 { cmd } else { cmd.arg(format!("--force-device-scale-factor={scale}")) };
    cmd.arg(format!("--window-size={width},{height}"))
        .arg(format!("--user-data-dir={}", home.join("profile").display()))
        // The only way out is our own server, which refuses everything that is not the composition, loopback included.
        .arg(format!("--proxy-server=http://{proxy}"))
        .arg("--proxy-bypass-list=<-loopback>")
        .arg("about:blank")
        .env("HOME", home)
        .env("TMPDIR", home)
        .env("XDG_CACHE_HOME", home.join("cache"))
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("LD_LIBRARY_PATH", libraries.join(":"))
        .env("FONTCONFIG_FILE", home.join("fonts.conf"))
        .env("LANG", "en_US.UTF-8")
        .env("TZ", "UTC")
}

/// Whether the pixels that Chrome's processes hand to each other can stay in memory. Where they cannot, as on Lambda, Chrome
/// is told to put them into files, which takes a tenth longer.
fn shared_memory_is_roomy() -> bool {
    const ENOUGH: u64 = 512 << 20;
    rustix::fs::statvfs("/dev/shm")
        .is_ok_and(|shm| shm.f_bavail.saturating_mul(shm.f_frsize) >= ENOUGH)
}

/// The fonts that text falls back to: the ones pinned with Chrome, never the host's.
pub(crate) fn fonts_conf(fonts: &Path, home: &Path) -> String {
    let escape =
        |path: &Path| path.display().to_string().replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE fontconfig SYSTEM \"fonts.dtd\">\n<fontconfig><dir>{}</dir><cachedir>{}</cachedir></fontconfig>\n",
        escape(fonts),
        escape(&home.join("font-cache")),
    )
}
