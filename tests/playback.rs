//! What is made plays in a browser: the pinned Chrome opens it, seeks, and draws the frame that was authored.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Bench, fixture, tool};

/// Opens each of the files and tells, by its name, its size, its duration, and the pixels at the given places half a second
/// into it; or why it cannot.
const PAGE: &str = r#"<!doctype html><body><script>
const wanted = WANTED, found = {};
const places = [[40, 40], [200, 40], [440, 40], [600, 40], [560, 250], [140, 250]];
function look(source, width, height) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(source, 0, 0);
  return places.map(([x, y]) => [...context.getImageData(x, y, 1, 1).data]);
}
function tell(name, what) {
  found[name] = what;
  if (Object.keys(found).length === wanted.length) fetch("/found", { method: "POST", body: JSON.stringify(found) });
}
for (const name of wanted) {
  if (/gif$|png$/.test(name)) {
    const image = new Image();
    image.onload = () => tell(name, { width: image.naturalWidth, height: image.naturalHeight, pixels: look(image, image.naturalWidth, image.naturalHeight) });
    image.onerror = () => tell(name, { error: "not an image" });
    image.src = name;
    continue;
  }
  const video = document.createElement("video");
  video.muted = true;
  video.onerror = () => tell(name, { error: video.error.message });
  video.onseeked = () => tell(name, { width: video.videoWidth, height: video.videoHeight, duration: video.duration,
    pixels: look(video, video.videoWidth, video.videoHeight) });
  video.onloadeddata = () => { video.currentTime = 0.5; };
  video.src = name;
  document.body.append(video);
}
</script></body>"#;

/// Answers one request with a file of `dir`, or hands on what the page has found.
fn answer(mut stream: TcpStream, dir: &Path, page: &str, found: &Sender<String>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    let (head, length) = loop {
        let read = stream.read(&mut buffer).unwrap_or(0);
        if read == 0 {
            return;
        }
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                break (head.to_owned(), length);
            }
        }
    };
    let path = head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
    let body = match path.as_str() {
        "" => page.as_bytes().to_vec(),
        "found" => {
            let body = String::from_utf8_lossy(&request[request.len() - length..]).into_owned();
            drop(found.send(body));
            Vec::new()
        }
        name => fs::read(dir.join(name)).unwrap_or_default(),
    };
    let kind = match path.rsplit('.').next() {
        Some("mp4") => "video/mp4",
        Some("webm") => "video/webm",
        Some("mov") => "video/quicktime",
        Some("gif") => "image/gif",
        Some("png") => "image/png",
        _ => "text/html",
    };
    // A player seeks by asking for parts.
    let range = head.lines().find_map(|line| {
        let line = line.to_ascii_lowercase();
        let (first, last) = line.strip_prefix("range: bytes=")?.split_once('-')?;
        let last = last.parse().unwrap_or(usize::MAX).min(body.len().saturating_sub(1));
        Some((first.parse::<usize>().ok()?, last))
    });
    let (status, body) = match range {
        Some((first, last)) if first <= last => (
            format!("206 Partial Content\r\nContent-Range: bytes {first}-{last}/{}", body.len()),
            &body[first..=last],
        ),
        _ => ("200 OK".to_owned(), &body[..]),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nAccept-Ranges: bytes\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _gone = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

/// What Chrome sees of the files of `dir`.
fn seen(dir: &Path, names: &[&str]) -> Value {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let page = PAGE.replace("WANTED", &serde_json::to_string(names).unwrap());
    let (sender, found) = channel();
    let served = dir.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (dir, page, sender) = (served.clone(), page.clone(), sender.clone());
            std::thread::spawn(move || answer(stream, &dir, &page, &sender));
        }
    });
    let chrome = tool("chrome/chromium");
    let home = chrome.parent().unwrap();
    let mut browser = Command::new(&chrome)
        .args([
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--autoplay-policy=no-user-gesture-required",
        ])
        .arg(format!("--user-data-dir={}", dir.join("profile").display()))
        .arg(format!("http://127.0.0.1:{port}/"))
        .env("LD_LIBRARY_PATH", format!("{}/lib:{}", home.display(), home.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let told = found.recv_timeout(Duration::from_mins(1));
    browser.kill().unwrap();
    browser.wait().unwrap();
    serde_json::from_str(&told.expect("Chrome tells what it sees within a minute")).unwrap()
}

/// Levels of red, green and blue by which Chrome's own conversion of video is off: it reckons with a blue that is too weak.
const PLAYED: [u64; 3] = [6, 6, 16];

#[test]
fn what_is_made_plays_in_a_browser_as_it_was_authored() {
    let bench = Bench::new();
    let project = fixture("alpha-shapes");
    let chunks = ["--chunk-size", "30"];
    bench.render_to(
        "plain.mp4",
        &project,
        &[&chunks[..], &["--preview", "180p", "--poster", "0.5s"]].concat(),
    );
    bench.render_to("whole.mp4", &project, &["--cfr"]);
    bench.render_to("opaque.webm", &project, &[&chunks[..], &["--no-alpha"]].concat());
    bench.render_to("clear.webm", &project, &chunks);
    bench.render_to("play.gif", &project, &["--frames", "15..17"]);
    bench.render_to("high.mp4", &project, &["--codec", "h265"]);
    let names = [
        "plain.mp4",
        "whole.mp4",
        "opaque.webm",
        "clear.webm",
        "play.gif",
        "plain.preview.mp4",
        "plain.poster.png",
        "high.mp4",
    ];
    let seen = seen(&bench.path(""), &names);
    // The last one is where the bar is half a second into the video, and nothing is at its beginning.
    // On the page's own background; its gradient is yellow above and cyan below.
    let opaque = [
        [234, 191, 21],
        [57, 64, 198],
        [200, 120, 40],
        [227, 255, 28],
        [255, 136, 0],
        [169, 136, 113],
    ];
    for name in ["plain.mp4", "whole.mp4", "opaque.webm", "play.gif", "plain.poster.png"] {
        let found = &seen[name];
        assert_eq!(
            (found["width"].as_u64(), found["height"].as_u64()),
            (Some(640), Some(360)),
            "{name}: {found}"
        );
        if name.ends_with("mp4") || name.ends_with("webm") {
            assert!((found["duration"].as_f64().unwrap() - 2.0).abs() < 0.002, "{name}: {found}");
        }
        let tolerance = if name.ends_with("png") { [1; 3] } else { PLAYED };
        for (i, expected) in opaque.iter().enumerate() {
            assert_near(name, &found["pixels"][i], expected, tolerance);
        }
    }
    let small = &seen["plain.preview.mp4"];
    assert_eq!(
        (small["width"].as_u64(), small["height"].as_u64()),
        (Some(320), Some(180)),
        "{small}"
    );
    // Alpha as it was authored. What a canvas gives back of a colour was premultiplied by it.
    let clear = &seen["clear.webm"];
    let authored = [
        [255, 0, 0, 64],
        [0, 0, 255, 191],
        [200, 120, 40, 255],
        [0, 0, 0, 0],
        [255, 136, 0, 255],
        [230, 57, 70, 153],
    ];
    for (i, expected) in authored.iter().enumerate() {
        let alpha = clear["pixels"][i][3].as_u64().unwrap();
        assert!(alpha.abs_diff(expected[3]) <= 3, "clear.webm {i}: {clear}");
        if expected[3] > 0 {
            assert_near(
                "clear.webm",
                &clear["pixels"][i],
                &[expected[0], expected[1], expected[2]],
                PLAYED,
            );
        }
    }
    // The pinned Chrome comes without H.265, and says that of its stream, not of the file.
    let high = seen["high.mp4"]["error"].as_str().unwrap();
    assert!(high.contains("NO_SUPPORTED_STREAMS"), "{high}");
}

fn assert_near(name: &str, found: &Value, expected: &[u64; 3], tolerance: [u64; 3]) {
    for (channel, (expected, tolerance)) in expected.iter().zip(tolerance).enumerate() {
        let value = found[channel].as_u64().unwrap();
        assert!(value.abs_diff(*expected) <= tolerance, "{name}: {found}, not {expected:?}");
    }
}
