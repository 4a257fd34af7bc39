//! An untrusted page: what it tries to reach, that nothing arrives, and that each attempt is reported.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::emulator::Setup;
use crate::harness::{Frames, distance, root};
use crate::lambda::{Cloud, PAGE, chunk_of};

/// Everything that the page could reach: it keeps what arrives.
struct Listener {
    tcp: u16,
    udp: u16,
    ip: String,
    heard: Arc<std::sync::Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
}

impl Listener {
    fn open() -> Self {
        let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let tcp = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let udp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let ports = (tcp.local_addr().unwrap().port(), udp.local_addr().unwrap().port());
        tcp.set_nonblocking(true).unwrap();
        udp.set_nonblocking(true).unwrap();
        let (notes, end) = (Arc::clone(&heard), Arc::clone(&over));
        std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                if let Ok((mut stream, _)) = tcp.accept() {
                    let mut text = [0; 100];
                    stream.set_nonblocking(false).unwrap();
                    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
                    let length = stream.read(&mut text).unwrap_or(0);
                    notes
                        .lock()
                        .unwrap()
                        .push(format!("tcp {}", String::from_utf8_lossy(&text[..length])));
                }
                if let Ok((length, _)) = udp.recv_from(&mut [0; 2000]) {
                    notes.lock().unwrap().push(format!("udp {length} bytes"));
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        // The address of the default route, if there is one; connecting a UDP socket sends nothing.
        let local_address = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
            .and_then(|socket| socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()));
        let ip = local_address.map_or("127.0.0.1".to_owned(), |address| address.ip().to_string());
        Self { tcp: ports.0, udp: ports.1, ip, heard, over }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_hostile_page_learns_nothing_and_reaches_nothing() {
    let listener = Listener::open();
    // The listener works: otherwise an empty list would prove nothing.
    std::net::TcpStream::connect(("127.0.0.1", listener.tcp)).unwrap();
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"x", ("127.0.0.1", listener.udp)).unwrap();
    while listener.heard().len() < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    listener.heard.lock().unwrap().clear();

    let cloud = Cloud::new(Setup {
        env: vec![("SECRET_OF_THE_TEST", "hunter2".to_owned())],
        ..Setup::default()
    });
    let html = std::fs::read_to_string(root().join("tests/hostile.html")).unwrap();
    let s3_port = cloud.s3.endpoint.rsplit(':').next().unwrap();
    let html = html
        .replace(":TCP", &format!(":{}", listener.tcp))
        .replace(" TCP ", &format!(" {} ", listener.tcp))
        .replace(":UDP", &format!(":{}", listener.udp))
        .replace(" UDP ", &format!(" {} ", listener.udp))
        .replace("127.0.0.1:S3", &format!("127.0.0.1:{s3_port}"))
        .replace("IP:", &format!("{}:", listener.ip));
    cloud.page(&html);
    let config = json!({"fps": 30, "chunkSize": 60, "strictness": "best-effort", "failClosedFontFetch": false});
    let plan = cloud.plan(&config);
    let before = cloud.s3.requests().len();
    let event = chunk_of(&plan, 0);
    let chunk = std::thread::scope(|scope| {
        let running = scope.spawn(|| cloud.sandbox.invoke(&event));
        let encoder = cloud.sandbox.wait_for("ffmpeg");
        let browser = cloud.sandbox.wait_for("chromium");
        for id in browser.into_iter().chain(encoder) {
            let environ = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            let environ = String::from_utf8_lossy(&environ);
            for secret in ["AWS_", "hunter2", "AKIDTEST", "secret-of-the-test"] {
                assert!(!environ.contains(secret), "{secret} in {environ}");
            }
        }
        running.join().unwrap()
    });
    assert_eq!(chunk["FramesEncoded"], 60, "{chunk}");
    assert_eq!(listener.heard(), Vec::<String>::new());
    let asked = cloud.s3.requests();
    assert!(
        asked[before..]
            .iter()
            .all(|line| !line.starts_with("GET") || line.contains("x-id=GetObject")),
        "{asked:?}"
    );

    // What the page itself thinks of its attempts, in the last frame.
    let file = cloud.s3.object("work/demo/chunks/0000.mp4");
    let frames = Frames::decode(&file, 640, 360);
    let squares = (0..80).map(|at| frames.pixel(59, at % 20 * 32 + 16, at / 20 * 32 + 16));
    let (mut refused, mut pending) = (0, 0);
    for (at, colour) in squares.enumerate() {
        let is = |expected| distance(colour, expected) < 40;
        assert!(!is([255, 0, 0]), "attempt {at} succeeded");
        refused += u32::from(is([0, 255, 0]));
        pending += u32::from(is([255, 255, 0]));
    }
    assert_eq!(refused + pending, 45, "the attempts of the page");
    assert!(refused >= 35, "{refused} refused, {pending} pending");

    // The attempts are in the log and in the answer.
    let told = cloud.sandbox.events("success").pop().unwrap();
    assert!(told["blocked_requests"].as_u64().unwrap() >= 20, "{told}");
    let log = cloud.sandbox.log();
    for name in ["http://169.254.169.254/latest/meta-data", "127.0.0.1:9001", "leak.example"] {
        assert!(
            log.contains(&format!("the page was kept from {name}"))
                || log.contains(&format!("kept from http://{name}")),
            "{name} is not in the log"
        );
    }
    let warnings = chunk["Warnings"].as_array().unwrap();
    assert!(
        warnings.len() <= 4
            && warnings.iter().any(|warning| warning.as_str().unwrap().contains("kept from")),
        "{chunk}"
    );
}

#[test]
fn a_page_that_leaves_ends_the_render() {
    let cloud = Cloud::new(Setup::default());
    for (away, codes) in [
        ("http://169.254.169.254/", &["PAGE_ASSET_MISSING", "PAGE_SCRIPT_ERROR"][..]),
        ("/index.html?again", &["PAGE_SCRIPT_ERROR", "PAGE_ASSET_MISSING", "CAPTURE_STALLED"]),
        ("about:blank", &["PAGE_SCRIPT_ERROR", "CAPTURE_STALLED"]),
        // Chrome does not even try: the page stays and is drawn.
        ("file:///proc/self/environ", &["none"]),
    ] {
        let html = PAGE.replace(
            "b.textContent = t.toFixed(3);",
            &format!("if (t > 1) location.href = '{away}';"),
        );
        assert_ne!(html, PAGE);
        cloud.page(&html);
        let config = json!({"fps": 30, "chunkSize": 60});
        let plan = cloud.plan(&config);
        let answer = cloud.sandbox.invoke(&chunk_of(&plan, 0));
        let code = answer["errorType"].as_str().unwrap_or("none");
        assert!(codes.contains(&code), "{away}: {answer}");
        cloud.sandbox.assert_idle();
    }
}
