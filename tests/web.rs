//! Other hosts, as far as tests need them: an HTTPS server in this process, and the names under which it is known.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use compose::net::{Authorities, Limits, Names, Net};
use render::Timeouts;
use render::config::Settings;
use render::plan::{Planned, plan};
use render::tools::{Chrome, Tools};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{root, tool};

/// Hosts that the certificate is for. All of them are this server.
const HOSTS: [&str; 3] = ["cdn.test", "fonts.test", "static.test"];

/// What a path answers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Bytes that are announced and do not come.
    pub(crate) withheld: usize,
}

impl Reply {
    pub(crate) fn ok(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, ..Self::default() }.with("content-type", content_type).body(body)
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn moved(to: &str) -> Self {
        Self::status(302).with("location", to)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }
}

/// A server on a free port of this machine. Its thread ends with the test's process.
#[derive(Debug)]
pub(crate) struct Web {
    address: SocketAddr,
    certificate: Vec<u8>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What each path answers: one after the other, the last one repeatedly.
    replies: Mutex<BTreeMap<String, Vec<Reply>>>,
    /// `GET` targets with their hosts, as they came.
    asked: Mutex<Vec<String>>,
}

impl Web {
    pub(crate) fn start() -> Self {
        let certified = rcgen::generate_simple_self_signed(HOSTS.map(str::to_owned)).unwrap();
        let certificate = certified.cert.der().to_vec();
        let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], PrivateKeyDer::from(key))
            .unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let (config, served) = (Arc::new(config), Arc::clone(&state));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, state) = (Arc::clone(&config), Arc::clone(&served));
                thread::spawn(move || {
                    // A client that goes away, or believes another certificate, is part of some tests.
                    let _gone = serve(stream, config, &state);
                });
            }
        });
        Self { address, certificate, state }
    }

    /// The address of a path, on a host that is known to be this server.
    pub(crate) fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.address.port())
    }

    /// Replaces `HOST` in a text by a host of this server.
    pub(crate) fn fill(&self, text: &str) -> String {
        text.replace("HOST", &format!("cdn.test:{}", self.address.port()))
    }

    pub(crate) fn on(&self, path: &str, replies: impl Into<Vec<Reply>>) {
        self.state.replies.lock().unwrap().insert(path.to_owned(), replies.into());
    }

    /// What was asked for so far, sorted.
    pub(crate) fn asked(&self) -> Vec<String> {
        let mut asked = self.state.asked.lock().unwrap().clone();
        asked.sort();
        asked
    }

    /// A network that consists of this server, and of names that lead to private addresses.
    pub(crate) fn net(&self) -> Net {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let private = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut table: BTreeMap<String, Vec<IpAddr>> =
            HOSTS.iter().map(|host| ((*host).to_owned(), vec![loopback])).collect();
        table.insert("metadata.test".into(), vec![private("169.254.169.254")]);
        table.insert("here.test".into(), vec![private("::1")]);
        table.insert("both.test".into(), vec![private("1.1.1.1"), private("10.0.0.1")]);
        let limits = Limits {
            bytes: 1 << 20,
            request: Duration::from_secs(10),
            whole: Duration::from_secs(30),
            tries: 3,
            pause: Duration::from_millis(5),
        };
        Net {
            names: Names::Table(table),
            authorities: Authorities::Only(vec![self.certificate.clone()]),
            exempt: vec![self.address],
            font_service: self.url("fonts.test", "/css2"),
            assets: limits,
            fonts: limits,
            ..Net::public()
        }
    }
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, state: &State) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_owned());
        }
        let target = head[0].split(' ').nth(1).unwrap_or_default().to_owned();
        let header = |name: &str| {
            let prefix = format!("{name}: ");
            head.iter().find_map(|line| line.strip_prefix(prefix.as_str())).unwrap_or_default()
        };
        assert_eq!(header("accept-encoding"), "identity");
        assert!(header("user-agent").contains("Chrome/"), "{head:?}");
        let host = header("host").split(':').next().unwrap_or_default();
        state.asked.lock().unwrap().push(format!("{host}{target}"));
        let path = target.split('?').next().unwrap_or_default();
        let reply = {
            let mut replies = state.replies.lock().unwrap();
            match replies.get_mut(&target).map(|list| (list.len(), list)) {
                Some((2.., list)) => list.remove(0),
                Some((_, list)) => list[0].clone(),
                None => match replies.get_mut(path) {
                    Some(list) if list.len() > 1 => list.remove(0),
                    Some(list) => list[0].clone(),
                    None => Reply::status(404),
                },
            }
        };
        let mut head = format!(
            "HTTP/1.1 {} x\r\ncontent-length: {}\r\n",
            reply.status,
            reply.body.len() + reply.withheld
        );
        for (name, value) in &reply.headers {
            head = head + name + ": " + value + "\r\n";
        }
        let writer = stream.get_mut();
        writer.write_all(head.as_bytes())?;
        writer.write_all(b"\r\n")?;
        writer.write_all(&reply.body)?;
        writer.flush()?;
        if reply.withheld > 0 {
            writer.conn.send_close_notify();
            writer.flush()?;
            writer.sock.shutdown(std::net::Shutdown::Write)?;
            let mut rest = Vec::new();
            writer.sock.read_to_end(&mut rest)?;
            return Ok(());
        }
    }
}

/// A project and the plan that is made of it, without a process of its own, so that the network can be given.
pub(crate) struct TestProject {
    pub(crate) dir: TempDir,
    pub(crate) config: Value,
}

/// Around what is to be looked at: a composition of one second.
pub(crate) fn page(head: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html><head><meta charset=\"utf-8\">{head}</head><body>\
         <div data-composition-id=\"a\" data-width=\"320\" data-height=\"180\" data-duration=\"1\" data-no-timeline>{body}</div>\
         </body></html>\n"
    )
}

pub(crate) fn tools() -> Tools {
    let tools = Tools::open(&root().join(".tools")).unwrap();
    tools.with_chrome(Chrome::in_dir(&tool("chrome"))).unwrap()
}

impl TestProject {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("project")).unwrap();
        Self { dir, config: serde_json::json!({"fps": 30}) }
    }

    /// One with a page.
    pub(crate) fn with(html: &str) -> Self {
        let project_dir = Self::new();
        project_dir.put("index.html", html);
        project_dir
    }

    pub(crate) fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.dir.path().join("project").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn plan(&self, net: &Net) -> render::Result<Planned> {
        self.plan_project(&self.dir.path().join("project"), net)
    }

    pub(crate) fn plan_project(&self, project: &Path, net: &Net) -> render::Result<Planned> {
        let settings = Settings::parse(self.config.as_object().unwrap()).unwrap();
        let out = self.plan_dir();
        if out.exists() {
            std::fs::remove_dir_all(&out).unwrap();
        }
        let timeouts = Timeouts::default();
        let env = BTreeMap::new();
        tokio::runtime::Runtime::new().unwrap().block_on(plan(
            &tools(),
            net,
            project,
            &settings,
            &env,
            timeouts,
            &out,
        ))
    }

    pub(crate) fn plan_dir(&self) -> PathBuf {
        self.dir.path().join("plan")
    }

    /// The page as a chunk gets it.
    pub(crate) fn compiled(&self) -> String {
        std::fs::read_to_string(self.plan_dir().join("compiled/index.html")).unwrap()
    }

    /// The content of a file that the page asks for by `url`.
    pub(crate) fn file(&self, url: &str) -> Vec<u8> {
        let path = self.plan_dir().join("compiled").join(url.trim_start_matches('/'));
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

/// Every path in `text` that starts with `prefix` and ends at a quote, in order.
pub(crate) fn paths(text: &str, prefix: &str) -> Vec<String> {
    let ends = |c: char| "\"')#, ".contains(c);
    let found = text.match_indices(prefix);
    found.map(|(i, _)| text[i..].split(ends).next().unwrap_or_default().to_owned()).collect()
}
