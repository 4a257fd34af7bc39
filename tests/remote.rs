//! What a project refers to on other hosts is fetched while planning, beside the page afterwards, and never unguarded.

use std::time::Duration;

use compose::net::{Authorities, Limits, Net};
use render::Error;
use serde_json::json;

use crate::harness::{fixture, tool};
use crate::web::{Reply, TestProject, Web, page, paths};

const SCRIPT: &str = "globalThis.loaded = (globalThis.loaded || 0) + 1;";

fn png() -> Vec<u8> {
    // One transparent pixel.
    let hex = "89504e470d0a1a0a0000000d4948445200000001000000010806000000\
        1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082";
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

fn font() -> Vec<u8> {
    std::fs::read(tool("fonts/league-gothic/latin-400-normal.woff2")).unwrap()
}

#[test]
fn everything_a_page_refers_to_on_other_hosts_lies_beside_it_afterwards() {
    let web = Web::start();
    web.on("/lib.js", [Reply::ok("text/javascript", SCRIPT)]);
    web.on("/a.png", [Reply::ok("image/png", png())]);
    web.on("/same.png", [Reply::ok("application/octet-stream", png())]);
    web.on("/f.woff2", [Reply::ok("font/woff2", font())]);
    web.on("/icons.svg", [Reply::ok("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'/>")]);
    web.on(
        "/css/main.css",
        [Reply::ok("text/css", "@import 'deep/more.css'; .a { background: url(../a.png) } @font-face { font-family: F; font-display: swap; src: url(/f.woff2) }")],
    );
    web.on(
        "/css/deep/more.css",
        [Reply::ok(
            "text/css",
            "@import url(../main.css); .b { mask: url(\"../../icons.svg#x\") }",
        )],
    );
    let html = page(
        "<link rel='preconnect' href='https://HOST' crossorigin><link rel=preload as=script href='https://HOST/lib.js'>\
         <link rel='stylesheet' href='https://HOST/css/main.css' crossorigin>\
         <style>@import url(https://HOST/css/deep/more.css); .c { background: url( 'https://HOST/a.png?v=1' ) }</style>\
         <link rel=stylesheet href=local.css><script src='//HOST/lib.js' async crossorigin=anonymous></script>",
        "<img src='https://HOST/a.png' srcset='https://HOST/a.png 1x, local.png 2x'>\
         <svg><image xlink:href='https://HOST/same.png'></image></svg>\
         <p style=\"background: url(https://HOST/same.png)\">text &amp; more</p><img src='data:image/png;base64,AA'>\
         <noscript><img src='https://HOST/never.png'></noscript>",
    );
    let project_dir = TestProject::with(&web.fill(&html));
    project_dir.put(
        "local.css",
        web.fill(".d { background: url(https://HOST/a.png) } .e { background: url(mine.png) }"),
    );
    project_dir.plan(&web.net()).unwrap();

    let compiled = project_dir.compiled();
    // What Chrome never shows stays as it is.
    assert_eq!(compiled.matches("cdn.test").count(), 1, "{compiled}");
    assert!(compiled.contains("<noscript><img src='https://cdn.test"), "{compiled}");
    assert!(!compiled.contains("crossorigin") && !compiled.contains("preconnect"), "{compiled}");
    assert!(compiled.contains("async=\"\"") && compiled.contains("text &amp; more"), "{compiled}");
    assert!(
        compiled.contains("local.png 2x") && compiled.contains("xlink:href=\"/_remote_media/"),
        "{compiled}"
    );

    let files = paths(&compiled, "/_remote_media/");
    let of = |extension: &str| {
        let mut files: Vec<_> = files.iter().filter(|path| path.ends_with(extension)).collect();
        files.sort();
        files.dedup();
        files
    };
    // The same bytes are the same file, whatever their address and type.
    assert_eq!((of(".png").len(), of(".js").len(), of(".css").len()), (1, 1, 2), "{files:?}");
    assert_eq!(project_dir.file(of(".png")[0]), png());
    assert_eq!(project_dir.file(of(".js")[0]), SCRIPT.as_bytes());
    let sheets: Vec<String> =
        of(".css").iter().map(|path| String::from_utf8(project_dir.file(path)).unwrap()).collect();
    let main = sheets.iter().find(|text| text.contains(".a {")).unwrap();
    let more = sheets.iter().find(|text| text.contains(".b {")).unwrap();
    assert!(main.contains("font-display: block") && !main.contains("swap"), "{main}");
    assert_eq!(
        project_dir.file(
            &paths(main, "/_remote_media/")
                .into_iter()
                .find(|path| path.contains(".woff2"))
                .unwrap()
        ),
        font()
    );
    assert!(more.contains(".svg#x\")"), "{more}");
    // One of the two is written first, and does not import the other again.
    assert!(main.contains("data:text/css,") || more.contains("data:text/css,"), "{main}\n{more}");
    let local = String::from_utf8(project_dir.file("local.css")).unwrap();
    assert!(local.contains("url(\"/_remote_media/") && local.contains("url(mine.png)"), "{local}");
    let asked = web.asked();
    let mut once = asked.clone();
    once.dedup();
    assert_eq!(asked, once, "something was asked for twice");
}

/// The fixture `cdn-script`, whose script `web` has.
pub(crate) fn cdn_script(web: &Web) -> TestProject {
    let gsap = std::fs::read(tool("js/gsap/gsap.min.js")).unwrap();
    web.on("/npm/gsap@3/dist/gsap.min.js", [Reply::ok("application/javascript", gsap)]);
    let source = std::fs::read_to_string(fixture("cdn-script").join("index.html")).unwrap();
    TestProject::with(&source.replace("cdn.example", &web.fill("HOST")))
}

#[test]
fn a_script_of_another_host_runs_in_its_place() {
    let web = Web::start();
    let project_dir = cdn_script(&web);
    // The page has to be asked for its duration, so that the script must have run.
    let planned = project_dir.plan(&web.net()).unwrap();
    assert!((planned.duration - 2.0).abs() < 1e-9, "{}", planned.duration);
    assert_eq!(planned.total_frames, 60);
}

#[test]
fn a_page_that_refers_to_nobody_keeps_its_bytes_and_asks_nobody() {
    let web = Web::start();
    for name in ["title-card", "colour-bars", "waapi"] {
        let project_dir = TestProject::new();
        project_dir.plan_project(&fixture(name), &web.net()).unwrap();
        let source = std::fs::read_to_string(fixture(name).join("index.html")).unwrap();
        let rule = "<style>html,body,*{text-rendering:geometricPrecision}</style>";
        assert_eq!(project_dir.compiled().replace(rule, ""), source, "{name}");
    }
    assert!(web.asked().is_empty());
}

/// What a refusal is about.
pub(crate) fn refusal(html: &str, web: &Web) -> (&'static str, String) {
    let project_dir = TestProject::with(&web.fill(html));
    let error = match project_dir.plan(&web.net()) {
        Err(error) => error,
        Ok(planned) => panic!("{html} was planned: {planned:?}"),
    };
    let kind = match &error {
        Error::Compose(compose::Error::RemoteRefused { .. }) => "refused",
        Error::Compose(compose::Error::RemoteUnavailable { .. }) => "unavailable",
        Error::Compose(compose::Error::NotMedia { .. }) => "not media",
        Error::Compose(compose::Error::MediaKind { .. }) => "other kind",
        other => panic!("{other:?}"),
    };
    (kind, error.to_string())
}

#[test]
fn what_cannot_be_had_is_refused_with_its_element_and_the_reason() {
    let web = Web::start();
    web.on("/a.js", [Reply::ok("text/javascript", SCRIPT)]);
    web.on("/page.png", [Reply::ok("image/png", "<!doctype html><title>Log in</title>")]);
    web.on("/page.js", [Reply::ok("text/javascript", "<!doctype html><title>404</title>")]);
    web.on("/json.woff2", [Reply::ok("font/woff2", "{\"error\": 1}")]);
    web.on("/sound.png", [Reply::ok("image/png", "ID3\u{4}\0\0")]);
    web.on("/busy", [Reply::status(503)]);
    web.on("/limited", [Reply::status(429)]);
    web.on("/large", [Reply::ok("image/png", vec![0x89; (1 << 20) + 1])]);
    web.on("/zipped", [Reply::ok("image/png", png()).with("content-encoding", "gzip")]);
    web.on("/cut", [Reply { withheld: 10, ..Reply::ok("image/png", png()) }]);
    web.on("/round", [Reply::moved("/round")]);
    web.on("/plain", [Reply::moved("http://cdn.test/a.png")]);
    web.on("/private", [Reply::moved("https://metadata.test/latest/meta-data/")]);
    web.on("/literal", [Reply::moved("https://[::ffff:127.0.0.1]/")]);
    web.on("/user", [Reply::moved(&web.fill("https://a:b@HOST/a.js"))]);
    web.on("/nowhere", [Reply::status(302)]);
    for (body, kind, sentences) in [
        (
            "<img id=logo src='https://HOST/none.png'>",
            "refused",
            &["<img id=\"logo\" src=\"https://cdn.test:", "status 404"][..],
        ),
        ("<img src='https://HOST/busy'>", "unavailable", &["status 503"]),
        ("<img src='https://HOST/limited'>", "unavailable", &["status 429"]),
        ("<img src='https://HOST/large'>", "refused", &["larger than 1048576 bytes"]),
        ("<img src='https://HOST/zipped'>", "refused", &["compresses"]),
        ("<img src='https://HOST/cut'>", "unavailable", &["cut off"]),
        ("<img src='https://HOST/round'>", "refused", &["redirected more than 5 times"]),
        ("<img src='https://HOST/plain'>", "refused", &["is not HTTPS"]),
        (
            "<img src='https://HOST/private'>",
            "refused",
            &["169.254.169.254, which is not on the public network"],
        ),
        ("<img src='https://HOST/literal'>", "refused", &["::ffff:127.0.0.1, which is not"]),
        ("<img src='https://HOST/user'>", "refused", &["user name"]),
        ("<img src='https://HOST/nowhere'>", "refused", &["redirected to nowhere"]),
        ("<img src='https://metadata.test/'>", "refused", &["169.254.169.254, which is not"]),
        ("<img src='https://here.test/'>", "refused", &["::1, which is not"]),
        ("<img src='https://both.test/'>", "refused", &["10.0.0.1, which is not"]),
        ("<img src='https://127.0.0.1/'>", "refused", &["127.0.0.1, which is not"]),
        ("<img src='https://0x7f.1/'>", "refused", &["127.0.0.1, which is not"]),
        ("<img src='https://[fd00::1]/'>", "refused", &["fd00::1, which is not"]),
        ("<img src='https://unknown.test/'>", "unavailable", &["unknown.test"]),
        ("<img src='http://HOST/a.png'>", "refused", &["use https:"]),
        ("<p style='background: url(http://HOST/a.png)'>", "refused", &["<p", "use https:"]),
        (
            "<img src='https://HOST/page.png'>",
            "not media",
            &["<img src=", "a web page or other markup, not an image"],
        ),
        (
            "<script src='https://HOST/page.js'></script>",
            "not media",
            &["<script src=", "not a script"],
        ),
        (
            "<script src='https://HOST/gone.js'></script>",
            "refused",
            &["<script src=", "status 404"],
        ),
        (
            "<style>@font-face { font-family: F; src: url(https://HOST/json.woff2) }</style>",
            "not media",
            &["/json.woff2, wanted by <style>", "JSON, not a font"],
        ),
        ("<img src='https://HOST/sound.png'>", "other kind", &["a sound (mp3), not an image"]),
        (
            "<script src='https://HOST/a.js' integrity='sha384-AAAA'></script>",
            "refused",
            &["integrity=\"sha384-AAAA\""],
        ),
    ] {
        let (found, message) = refusal(&page("", body), &web);
        assert_eq!(found, kind, "{body}: {message}");
        for sentence in sentences {
            assert!(message.contains(sentence), "\"{sentence}\" is not in: {message}");
        }
    }
    let of = |path: &str| web.asked().iter().filter(|asked| asked.ends_with(path)).count();
    assert_eq!((of("/none.png"), of("/busy"), of("/limited"), of("/cut")), (1, 3, 3, 3));
}

#[test]
fn a_file_that_comes_the_next_time_is_asked_for_again() {
    let web = Web::start();
    let good = Reply::ok("image/png", png());
    web.on("/busy.png", [Reply::status(503), Reply::status(429), good.clone()]);
    web.on("/cut.png", [Reply { withheld: 10, ..good.clone() }, good.clone()]);
    let project_dir = TestProject::with(
        &web.fill(&page("", "<img src='https://HOST/busy.png'><img src='https://HOST/cut.png'>")),
    );
    project_dir.plan(&web.net()).unwrap();
    assert_eq!(web.asked().len(), 5);
}

#[test]
fn a_redirect_to_another_public_host_is_followed_and_integrity_is_kept() {
    let web = Web::start();
    web.on("/a.js", [Reply::moved(&web.url("static.test", "/b.js"))]);
    web.on("/b.js", [Reply::ok("text/javascript", SCRIPT)]);
    let digest = "sha256-".to_owned() + &sha256(SCRIPT.as_bytes());
    let html = page(
        "",
        &format!("<script src='https://HOST/a.js' integrity='{digest}' crossorigin></script>"),
    );
    let project_dir = TestProject::with(&web.fill(&html));
    project_dir.plan(&web.net()).unwrap();
    assert_eq!(web.asked(), ["cdn.test/a.js", "static.test/b.js"]);
    let compiled = project_dir.compiled();
    assert!(!compiled.contains("integrity") && !compiled.contains("crossorigin"), "{compiled}");
    assert!(compiled.contains("<script src=\"/_remote_media/"), "{compiled}");
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digest = sha2::Sha256::digest(bytes);
    let mut text = String::new();
    for group in digest.chunks(3) {
        let mut three = [0; 3];
        three[..group.len()].copy_from_slice(group);
        let number = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for i in 0..=group.len() {
            text.push(char::from(ALPHABET[usize::try_from(number >> (18 - 6 * i) & 63).unwrap()]));
        }
    }
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

#[test]
fn a_host_whose_certificate_nobody_vouches_for_is_refused_and_time_is_limited() {
    let web = Web::start();
    let project_dir = TestProject::with(&web.fill(&page("", "<img src='https://HOST/a.png'>")));
    let public_only = Net { authorities: Authorities::Public, ..web.net() };
    match project_dir.plan(&public_only) {
        Err(Error::Compose(compose::Error::RemoteRefused { reason, .. })) => {
            assert!(reason.contains("certificate"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    let hasty = Limits { whole: Duration::ZERO, ..web.net().assets };
    match project_dir.plan(&Net { assets: hasty, ..web.net() }) {
        Err(Error::Compose(compose::Error::RemoteUnavailable { reason, .. })) => {
            assert!(reason.contains("no time left"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert!(web.asked().is_empty());
}

#[test]
fn the_same_project_makes_the_same_plan_again() {
    let web = Web::start();
    web.on("/a.png", [Reply::ok("image/png", png())]);
    let project_dir =
        TestProject::with(&web.fill(&page("", "<img src='https://HOST/a.png?token=1'>")));
    let first = project_dir.plan(&web.net()).unwrap().plan_hash;
    assert_eq!(project_dir.plan(&web.net()).unwrap().plan_hash, first);
    // Another signature on the same file's address is no other plan.
    project_dir.put("index.html", web.fill(&page("", "<img src='https://HOST/a.png?token=2'>")));
    assert_eq!(project_dir.plan(&web.net()).unwrap().plan_hash, first);
}

#[test]
fn without_a_network_a_project_with_remote_files_is_refused_by_name() {
    let bench = crate::harness::Bench::new();
    let project = bench.path("project");
    std::fs::create_dir(&project).unwrap();
    let html = page("", "<script src='https://cdn.example/gsap.min.js'></script>");
    std::fs::write(project.join("index.html"), html).unwrap();
    let mut command = bench.bootstrap("render");
    command.arg(&project).arg("-o").arg(bench.path("out.mp4")).env("FRAMEWRIGHT_OFFLINE", "1");
    let run = crate::harness::run(&mut command);
    assert_eq!(run.code(), "REMOTE_ASSET_REFUSED", "{}", run.stderr);
    assert!(run.stderr.contains("https://cdn.example/gsap.min.js"), "{}", run.stderr);
    assert!(run.stderr.contains("put the file into the project"), "{}", run.stderr);
    assert_eq!(json!(run.status), json!(1));
}
