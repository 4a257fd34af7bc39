//! The webhook: what is posted, that its signature is right, and what happens if nobody takes it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::emulator::Setup;
use crate::harness::run;
use crate::lambda::{Cloud, sample};

/// A server that answers each request with the next of `statuses` and hands on its head and body.
fn receiver(statuses: &'static [u16]) -> (String, mpsc::Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook/0123456789abcdef0123", listener.local_addr().unwrap());
    let (sender, posted) = mpsc::channel();
    std::thread::spawn(move || {
        for status in statuses {
            let (mut stream, _) = listener.accept().unwrap();
            let mut text = Vec::new();
            let mut buffer = [0; 4096];
            let (head, body) = loop {
                let length = stream.read(&mut buffer).unwrap();
                text.extend_from_slice(&buffer[..length]);
                let seen = String::from_utf8(text.clone()).unwrap();
                let Some((head, body)) = seen.split_once("\r\n\r\n") else { continue };
                let length = head.to_ascii_lowercase();
                let length = length.split("content-length: ").nth(1).unwrap();
                let length: usize = length.lines().next().unwrap().parse().unwrap();
                if body.len() >= length {
                    break (head.to_owned(), body.to_owned());
                }
            };
            write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .unwrap();
            sender.send((head, body)).unwrap();
        }
    });
    (url, posted)
}

/// Whether a signature is right, as the example in docs/operating.md checks it.
fn is_right(secret: &str, signature: &str, body: &str) -> bool {
    let check = "import hmac, hashlib, sys\nsecret, signature, body = (one.encode() for one in sys.argv[1:])\nseconds, given = (part.split(b'=')[1] for part in signature.split(b','))\nprint(hmac.compare_digest(hmac.new(secret, seconds + b'.' + body, hashlib.sha256).hexdigest().encode(), given))";
    let mut python = Command::new("python3");
    run(python.args(["-c", check, secret, signature, body])).stdout.trim() == "True"
}

#[test]
fn a_render_that_has_ended_is_posted_with_a_signature_that_only_its_secret_makes() {
    let secret = "a secret of some length";
    let (url, posted) = receiver(&[204, 500, 302]);
    let env = vec![
        ("FRAMEWRIGHT_WEBHOOK_URL", url.clone()),
        ("FRAMEWRIGHT_WEBHOOK_SECRET", secret.to_owned()),
    ];
    let cloud = Cloud::new(Setup { env, ..Setup::default() });
    let mut event = sample("notify");
    let answer = cloud.sandbox.invoke(&event);
    assert_eq!(answer, json!({"Action": "notify", "HttpStatus": 204}));
    let (head, body) = posted.recv_timeout(Duration::from_secs(10)).unwrap();
    let signature = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("framewright-signature").then_some(value)
    });
    let signature = signature.unwrap();
    assert!(is_right(secret, signature, &body), "{signature} {body}");
    assert!(!is_right("another secret", signature, &body));
    assert!(!is_right(secret, signature, &body.replace("demo", "dem0")));
    let later = signature.replacen("t=1", "t=2", 1);
    assert!(!is_right(secret, &later, &body));
    let told: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&told["renderId"], &told["frames"]), (&json!("demo"), &json!(480)));

    // Whoever does not take it gets it again: that is Lambda's part, which needs an error for it.
    event["detail"]["status"] = "FAILED".into();
    event["detail"]["error"] = "PAGE_SCRIPT_ERROR".into();
    event["detail"]["cause"] = json!({"errorMessage": "no script"}).to_string().into();
    for reason in ["status 500", "status 302"] {
        let message = cloud.fails(&event, "WEBHOOK_FAILED");
        assert!(message.contains(reason), "{message}");
        let (_, body) = posted.recv_timeout(Duration::from_secs(10)).unwrap();
        let told: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(told["error"], json!({"code": "PAGE_SCRIPT_ERROR", "message": "no script"}));
    }
    // Nobody listens.
    cloud.fails(&event, "WEBHOOK_FAILED");
    let log = cloud.sandbox.log();
    assert!(!log.contains(secret) && !log.contains("0123456789abcdef0123"), "{log}");
}
