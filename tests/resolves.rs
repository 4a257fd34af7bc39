//! What a browser resolves, the planner resolves as well: encodings, bases, sources, sizes, the page around nested compositions.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Bench, Frames, Layers, Run, distance, run, tool};
use crate::video::media;

const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const WHITE: [u8; 3] = [255, 255, 255];

/// A project with these files, beside copies of clips.
fn project(bench: &Bench, files: &[(&str, &[u8])], clips: &[(&str, &str)]) -> PathBuf {
    let dir = bench.path("project");
    let _absent = fs::remove_dir_all(&dir);
    for (name, bytes) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    for (clip, name) in clips {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(media(clip), path).unwrap();
    }
    dir
}

/// A page of 320x180 that lasts a second.
fn page(head: &str, body: &str) -> String {
    format!(
        "<!doctype html><html><head>{head}<style>html, body {{ margin: 0; background: #fff }}</style></head><body>\
         <div data-composition-id=a data-no-timeline data-width=320 data-height=180 data-duration=1 \
         style='position: relative; width: 320px; height: 180px'>{body}</div></body></html>"
    )
}

fn try_still(bench: &Bench, project: &Path, args: &[&str]) -> Run {
    let mut command = bench.bootstrap("still");
    command.env("FRAMEWRIGHT_OFFLINE", "1");
    command.arg(project).arg("-o").arg(bench.path("still.png")).args(args);
    run(&mut command)
}

/// A picture of `project`, and what was said on stderr.
fn still(bench: &Bench, project: &Path, args: &[&str]) -> (Picture, String) {
    let run = try_still(bench, project, args);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    (Picture::decode(&bench.path("still.png")), run.stderr)
}

struct Picture {
    width: usize,
    bytes: Vec<u8>,
}

impl Picture {
    fn decode(file: &Path) -> Self {
        let mut command = std::process::Command::new(tool("ffmpeg/ffmpeg"));
        command
            .args(["-v", "error", "-i"])
            .arg(file)
            .args(["-pix_fmt", "rgb24", "-f", "rawvideo", "-"]);
        let bytes = command.output().unwrap().stdout;
        let header = fs::read(file).unwrap();
        let width = u32::from_be_bytes(header[16..20].try_into().unwrap());
        Self { width: width as usize, bytes }
    }

    fn at(&self, x: usize, y: usize) -> [u8; 3] {
        self.bytes[(y * self.width + x) * 3..][..3].try_into().unwrap()
    }

    /// How many pixels of the rectangle are not white.
    fn ink(&self, x: std::ops::Range<usize>, y: std::ops::Range<usize>) -> usize {
        y.flat_map(|y| x.clone().map(move |x| (x, y)))
            .filter(|(x, y)| self.at(*x, *y) != WHITE)
            .count()
    }
}

fn assert_near(found: [u8; 3], expected: [u8; 3], what: &str) {
    assert!(distance(found, expected) <= 24, "{what}: {found:?}, not {expected:?}");
}

/// A box that a script turns green where the letters are what they are meant to be.
const JUDGED: &str = "<div id=t style='position: absolute; inset: 0; background: #00f'></div>";

fn utf16(text: &str) -> Vec<u8> {
    [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

#[test]
fn documents_scripts_and_scenes_are_read_in_their_own_encoding() {
    let bench = Bench::new();
    let judge = |letters: &str, codes: &str| {
        format!(
            "<script>if ('{letters}'.codePointAt(0) === {codes}) t.style.background = '#0f0'</script>"
        )
    };
    let latin = |text: &str| -> Vec<u8> {
        text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
    };
    let unicode = page("", &format!("{JUDGED}{}", judge("漢", "0x6f22")));
    let cyrillic = page("<meta charset=windows-1251>", &format!("{JUDGED}{}", judge("Æ", "0x416")));
    let western = page("", &format!("{JUDGED}{}", judge("é", "0xe9")));
    let by_attribute =
        page("<meta charset=utf-8>", &format!("{JUDGED}<script charset=latin1 src=s.js></script>"));
    let inherited = page(
        "<meta charset=iso-8859-2>",
        &format!("{JUDGED}<p title='é'></p><script src=s.js></script>"),
    );
    let script =
        latin("if ('é'.length === 1 && 'é'.charCodeAt(0) === 233) t.style.background = '#0f0'");
    let host = page(
        "<meta charset=utf-8>",
        "<div data-composition-id=s data-composition-src=s.html data-start=0 data-duration=1></div>",
    );
    let scene = "<!doctype html><meta charset=windows-1252><body><div data-composition-id=s data-no-timeline data-width=320 data-height=180>\
        <div id=t style='position: absolute; inset: 0; background: #00f'></div>\
        <script>if ('é'.charCodeAt(0) === 233) document.getElementById('t').style.background = '#0f0'</script></div></body>";
    for (what, files) in [
        ("UTF-16 by its mark", vec![("index.html", utf16(&unicode))]),
        ("what its meta says", vec![("index.html", latin(&cyrillic))]),
        ("neither, and not UTF-8", vec![("index.html", latin(&western))]),
        (
            "a script by its attribute",
            vec![("index.html", by_attribute.into_bytes()), ("s.js", script.clone())],
        ),
        ("a script by its document", vec![("index.html", latin(&inherited)), ("s.js", script)]),
        ("a scene", vec![("index.html", host.into_bytes()), ("s.html", latin(scene))]),
    ] {
        let files: Vec<_> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        let (picture, _) = still(&bench, &project(&bench, &files, &[]), &[]);
        assert_near(picture.at(160, 90), GREEN, what);
    }
    let broken = page("<meta charset=utf-8>", "<p>\u{1}</p>").replace('\u{1}', "é");
    let (_, said) = still(&bench, &project(&bench, &[("index.html", &latin(&broken))], &[]), &[]);
    assert!(said.contains("index.html: has bytes that are no UTF-8 text"), "{said}");
}

#[test]
fn a_base_is_where_the_files_of_its_document_are() {
    let bench = Bench::new();
    let body = "<video src=v/clip.mp4 muted data-start=0 data-duration=1 style='position: absolute; left: 0; top: 0; width: 160px; height: 90px'></video>\
        <div class=k></div>";
    let sheet: &[u8] = b".k { position: absolute; left: 200px; top: 0; width: 40px; height: 40px; background: url(k.svg) }";
    let svg: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg' width='40' height='40'><rect width='40' height='40' fill='#0f0'/></svg>";
    for (entry, base, folder) in [
        ("index.html", "assets/", "assets"),
        ("index.html", "/my%20files/page.html", "my files"),
        ("pages/index.html", "../assets/", "assets"),
        ("pages/index.html", "deep/", "pages/deep"),
    ] {
        let html = page(&format!("<base href='{base}'><link rel=stylesheet href=x.css>"), body);
        let (css, picture) = (format!("{folder}/x.css"), format!("{folder}/k.svg"));
        let files: &[(&str, &[u8])] = &[(entry, html.as_bytes()), (&css, sheet), (&picture, svg)];
        let dir = project(&bench, files, &[("code-30.mp4", &format!("{folder}/v/clip.mp4"))]);
        let (picture, _) = still(&bench, &dir, &["--entry", entry]);
        assert_near(
            picture.at(220, 20),
            GREEN,
            &format!("the picture of the sheet, {entry} {base}"),
        );
        // The first block of the clip.
        assert!(picture.at(5, 5) != WHITE || picture.ink(0..160, 0..90) > 0, "{entry} {base}");
    }
}

#[test]
fn of_several_sources_the_one_is_shown_that_chrome_plays() {
    let bench = Bench::new();
    let clips = [("bars-709.mp4", "first.mp4"), ("code-30.mp4", "second.mp4")];
    let plain = page(
        "",
        "<video muted data-start=0 data-duration=1 src=second.mp4 style='width: 320px; height: 180px'></video>",
    );
    let dir = project(&bench, &[("index.html", plain.as_bytes())], &clips);
    let (second, _) = still(&bench, &dir, &[]);
    for sources in [
        "<source src=first.mp4 type='video/quicktime'><source src=second.mp4 type=video/mp4>",
        "<source src=first.mp4 type='video/mp4; codecs=\"hvc1.2.4.L93\"'><source src=second.mp4>",
        "<source src=first.mp4 media='(min-width: 900px)'><source src=second.mp4 media='(max-width: 900px)'>",
        "<source src=absent.mp4><source src=second.mp4>",
    ] {
        let html = page(
            "",
            &format!(
                "<video muted data-start=0 data-duration=1 style='width: 320px; height: 180px'>{sources}</video>"
            ),
        );
        fs::write(dir.join("index.html"), html).unwrap();
        let (picture, _) = still(&bench, &dir, &[]);
        assert!(picture.bytes == second.bytes, "{sources}");
    }
}

#[test]
fn an_odd_size_is_padded_where_pixels_come_in_pairs_and_kept_elsewhere() {
    let bench = Bench::new();
    let html = "<!doctype html><body style='margin: 0; background: #00f'><div data-composition-id=a data-no-timeline data-width=101 \
        data-height=57 data-duration=0.2 style='width: 101px; height: 57px; background: #0f0'></div></body>";
    let dir = project(&bench, &[("index.html", html.as_bytes())], &[]);
    for (output, args, width, height) in [
        ("out.mp4", &["--crf", "2"][..], 102, 58),
        ("out.webm", &["--crf", "2", "--no-alpha"], 102, 58),
        ("out.mov", &["--no-alpha"], 102, 58),
    ] {
        let summary = bench.render_to(output, &dir, args);
        assert_eq!(
            (&summary["width"], &summary["height"]),
            (&width.into(), &height.into()),
            "{output}"
        );
        let frames = Frames::decode(&bench.path(output), width, height);
        assert_eq!(frames.count(), 6, "{output}");
        assert_near(frames.pixel(3, 50, 28), GREEN, output);
        assert_near(frames.pixel(3, 92, 48), GREEN, output);
    }
    let summary = bench.render_to("out.gif", &dir, &[]);
    assert_eq!((&summary["width"], &summary["height"]), (&101.into(), &57.into()));
    assert_near(
        Layers::decode(&bench.path("out.gif"), 101, 57).pixel(0, 100, 56)[..3].try_into().unwrap(),
        GREEN,
        "gif",
    );
    bench.render_to("frames", &dir, &["--format", "png-sequence", "--no-alpha"]);
    let frames = Layers::decode(&bench.path("frames"), 101, 57);
    assert_eq!(frames.count(), 6);
    assert_eq!(frames.pixel(0, 100, 56), [0, 255, 0, 255]);
    let (picture, said) = still(&bench, &dir, &[]);
    assert!(said.contains("101x57"), "{said}");
    assert_eq!(picture.at(100, 56), GREEN);
}

#[test]
fn the_root_says_the_frame_rate_where_nobody_else_does() {
    let bench = Bench::new();
    let html = page("", "").replace("data-width", "data-fps=12.5 data-width");
    let dir = project(&bench, &[("index.html", html.as_bytes())], &[]);
    assert_eq!(bench.render(&dir, &[])["frames"], 13);
    assert_eq!(bench.render(&dir, &["--fps", "100/3"])["frames"], 34);
    let (_, said) = still(&bench, &dir, &["--at", "0.5s"]);
    assert!(said.contains("frame 6,"), "{said}");
    fs::write(dir.join("index.html"), html.replace("12.5", "fast")).unwrap();
    let refused = try_still(&bench, &dir, &[]);
    assert!(refused.stderr.contains("must be a rate from 1 to 240"), "{}", refused.stderr);
}

#[test]
fn the_box_of_a_scene_stands_for_its_html_and_body() {
    let bench = Bench::new();
    // Each selector makes a square green that is red otherwise.
    let selectors = [
        "body .q",
        "html body .q",
        "html > body > .root > .q",
        ":root .q",
        "body.dark .q",
        ".dark .q",
        ".js .q",
        "html.js .dark .q",
        "[data-theme=night] .q",
        ":root[data-theme='night'] .q",
        "#page .q",
        "body:not(.light) .q",
        ":where(body.dark) .q",
        "body > .root .q",
    ];
    let square = |i: usize| format!("<i class='q s{i}' style='left: {}px'></i>", i * 20);
    let squares: String = (0..selectors.len() + 3).map(square).collect();
    let next = selectors.len();
    let green = "{ background: #0f0 }";
    let mut css = vec![
        ".q { position: absolute; top: 0; width: 20px; height: 20px; background: #f00 }".to_owned(),
    ];
    css.extend(
        selectors.iter().enumerate().map(|(i, selector)| format!("{selector}.s{i} {green}")),
    );
    css.push(format!("@scope (body) {{ .s{next} {green} }}"));
    css.push(format!(".s{} {{ body.dark & {green} }}", next + 1));
    css.push(format!("@media screen {{ .light .s{} {green} }}", next + 2));
    let css = css.join(" ");
    let scene = format!(
        "<!doctype html><html class=js data-theme=night><head><style>{css}</style></head><body class=dark id=page>\
         <div class=root data-composition-id=s data-no-timeline data-width=400 data-height=40>{squares}</div></body></html>"
    );
    let html = page("", "<div data-composition-id=s data-composition-src=s.html data-start=0 data-duration=1></div>")
        .replace("data-width=320", "data-width=400")
        .replace("width: 320px", "width: 400px");
    let files: &[(&str, &[u8])] = &[("index.html", html.as_bytes()), ("s.html", scene.as_bytes())];
    let (picture, _) = still(&bench, &project(&bench, files, &[]), &[]);
    let named = selectors.iter().copied().chain(["@scope (body)", "body.dark &"]);
    for (i, selector) in named.enumerate() {
        assert_near(picture.at(i * 20 + 10, 10), GREEN, selector);
    }
    assert_near(picture.at((next + 2) * 20 + 10, 10), [255, 0, 0], "a class that the page has not");
    let lost = scene.replace("<style>", "<style>.root body .x { color: red }");
    let files: &[(&str, &[u8])] = &[("index.html", html.as_bytes()), ("s.html", lost.as_bytes())];
    let (_, said) = still(&bench, &project(&bench, files, &[]), &[]);
    assert!(said.contains("s.html: the rule of \".root body .x\" is lost"), "{said}");
}

#[test]
fn nothing_of_ours_is_seen_by_selectors_beside_a_video() {
    let bench = Bench::new();
    let head = "<style>.box { position: absolute } video { width: 60px; height: 34px } .cap { position: absolute; top: 40px; left: 0; width: 40px; height: 20px; background: #f00 } \
        video + .cap { background: #0f0 } .b .cap { background: #f00 } .b .cap:nth-child(2) { background: #0f0 } \
        .c:has(> :only-child) { outline: 8px solid #0f0 } .d video:last-child { outline: 8px solid #0f0 } .e img { display: none }</style>\
        <meta http-equiv=Content-Security-Policy content=\"default-src 'self'; style-src 'unsafe-inline'; img-src 'none'\">";
    let video = |i: usize| {
        format!("<video id=v{i} src=clip.mp4 muted data-start=0 data-duration=1></video>")
    };
    let body = format!(
        "<div class='box a' style='left: 0'>{}<p class=cap style='margin: 0'></p></div><div class='box b' style='left: 80px'>{}<p class=cap style='margin: 0'></p></div>\
         <div class='box c' style='left: 10px; top: 100px'>{}</div><div class='box d' style='left: 110px; top: 100px'>{}</div><div class='box e' style='left: 220px; top: 100px'>{}</div>",
        video(0),
        video(1),
        video(2),
        video(3),
        video(4)
    );
    let dir = project(
        &bench,
        &[("index.html", page(head, &body).as_bytes())],
        &[("bars-709.mp4", "clip.mp4")],
    );
    let (picture, _) = still(&bench, &dir, &["--at", "0.5s"]);
    for (x, y, what) in [
        (20, 50, "video + .cap"),
        (100, 50, ".cap:nth-child(2)"),
        (40, 97, ":has(> :only-child)"),
        (140, 97, "video:last-child"),
    ] {
        assert_near(picture.at(x, y), GREEN, what);
    }
    for x in [0, 80, 10, 110, 220] {
        let y = if x == 0 || x == 80 { 0 } else { 100 };
        assert!(picture.ink(x..x + 60, y..y + 34) > 1000, "the video at {x}");
    }
}

#[test]
fn media_where_they_cannot_be_played_are_refused_by_name() {
    let bench = Bench::new();
    let clip = "src=clip.mp4 muted data-start=0 data-duration=1";
    for (body, frame, says) in [
        (
            format!(
                "<x-a><template shadowrootmode=open><video id=s {clip}></video></template></x-a>"
            ),
            "",
            "<video id=\"s\" src=\"clip.mp4\">: video and sound in a shadow root",
        ),
        (
            "<iframe src=f.html></iframe>".to_owned(),
            "<video id=f src=clip.mp4></video>",
            "f.html: <video id=\"f\" src=\"clip.mp4\">: video and sound in a frame",
        ),
        (
            format!("<video id=t {clip}><track default src=t.vtt></video>"),
            "",
            "<video id=\"t\" src=\"clip.mp4\">: its <track default>",
        ),
        (
            "<canvas id=c layoutsubtree><p>x</p></canvas>".to_owned(),
            "",
            "<canvas id=\"c\">: elements that a canvas draws",
        ),
    ] {
        let html = page("", &body);
        let files: &[(&str, &[u8])] =
            &[("index.html", html.as_bytes()), ("f.html", frame.as_bytes()), ("t.vtt", b"WEBVTT")];
        let dir = project(&bench, files, &[("code-30.mp4", "clip.mp4")]);
        let run = try_still(&bench, &dir, &[]);
        assert_eq!(run.status, Some(1), "{body}");
        assert!(run.stderr.contains(says), "{body}: {}", run.stderr);
    }
    let html = page("", "<script>const a = new Audio('a.wav')</script>");
    let clips = [("tone-500.wav", "a.wav")];
    let dir = project(&bench, &[("index.html", html.as_bytes())], &clips);
    let (_, said) = still(&bench, &dir, &[]);
    assert!(
        said.contains(
            "index.html: the sound that a script makes with new Audio() is not in the output"
        ),
        "{said}"
    );
}

#[test]
fn symbols_and_emoji_are_drawn_without_a_font_of_the_page() {
    let bench = Bench::new();
    let letters = ["→", "✓", "▲", "★", "😀", "●", "♥", "⌘", "∞"];
    for css in ["", "font-family: Inter", "font-family: serif"] {
        let spans: Vec<_> = letters
            .iter()
            .enumerate()
            .map(|(i, c)| format!("<span style='position: absolute; left: {}px; font-size: 24px; line-height: 32px; {css}'>{c}</span>", i * 34))
            .collect();
        let body = spans.concat();
        let (picture, said) = still(
            &bench,
            &project(
                &bench,
                &[("index.html", page("<meta charset=utf-8>", &body).as_bytes())],
                &[],
            ),
            &[],
        );
        assert!(!said.contains("no font of the page"), "{said}");
        let mut shapes = std::collections::BTreeSet::new();
        for (i, letter) in letters.iter().enumerate() {
            let x = i * 34;
            assert!(picture.ink(x..x + 34, 0..40) > 10, "{letter} {css}");
            let shape: Vec<_> = (0..40)
                .flat_map(|y| (x..x + 33).map(move |x| (x, y)))
                .map(|(x, y)| picture.at(x, y))
                .collect();
            assert!(shapes.insert(shape), "{letter} is drawn like another: an empty box");
        }
        let is_coloured = |[r, g, b]: [u8; 3]| r.abs_diff(b) > 60 || r.abs_diff(g) > 60;
        let coloured = (136..170).any(|x| (0..40).any(|y| is_coloured(picture.at(x, y))));
        assert!(coloured, "an emoji has colours");
    }
}

#[test]
fn letters_that_no_font_has_are_told_wherever_they_stand() {
    let bench = Bench::new();
    for (head, body, says) in [
        ("", "한국어 text", "no font of the page draws \"한\""),
        (
            "<style>@font-face { font-family: X; src: local('Nowhere') } p { font-family: Inter, X }</style>",
            "<p>한 abc</p>",
            "no font of the page draws \"한\"",
        ),
        ("", "<iframe srcdoc='<p>ภาษา'></iframe>", "srcdoc: no font of the page draws"),
    ] {
        let html = page(&format!("<meta charset=utf-8>{head}"), body);
        let run = try_still(&bench, &project(&bench, &[("index.html", html.as_bytes())], &[]), &[]);
        assert!(run.stderr.contains(says), "{body}: {}", run.stderr);
    }
    let japanese = "<style>@font-face { font-family: 'Yu Gothic UI'; src: local('Yu Gothic UI') } p { font: 40px 'Yu Gothic UI' }</style>";
    let html = page(&format!("<meta charset=utf-8>{japanese}"), "<p>日本</p>");
    let (picture, said) =
        still(&bench, &project(&bench, &[("index.html", html.as_bytes())], &[]), &[]);
    assert!(!said.contains("no font"), "{said}");
    assert!(picture.ink(0..90, 0..140) > 200, "drawn in the family that stands for it");
}

#[test]
fn a_frame_gets_the_families_that_the_page_gets() {
    let bench = Bench::new();
    let text = "<body style='margin: 0; font: 40px Oswald; color: #00f'>Hamburg</body>";
    let (own, _) = {
        let html = format!("<!doctype html>{text}").replace("<body", "<body data-x").replace("</body>", "<div data-composition-id=a data-no-timeline data-width=320 data-height=180 data-duration=1></div></body>");
        still(&bench, &project(&bench, &[("index.html", html.as_bytes())], &[]), &[])
    };
    for frame in [
        "<iframe src=f.html style='border: 0; width: 320px; height: 180px'></iframe>".to_owned(),
        format!(
            "<iframe srcdoc=\"<!doctype html>{text}\" style='border: 0; width: 320px; height: 180px'></iframe>"
        ),
    ] {
        let html = page("", &frame);
        let inner = format!("<!doctype html>{text}");
        let files: &[(&str, &[u8])] =
            &[("index.html", html.as_bytes()), ("f.html", inner.as_bytes())];
        let (picture, _) = still(&bench, &project(&bench, files, &[]), &[]);
        assert!(picture.ink(0..320, 0..60) > 500);
        let differs =
            (0..60).any(|y| (0..200).any(|x| distance(picture.at(x, y), own.at(x, y)) > 60));
        assert!(!differs, "{frame}");
    }
}

#[test]
fn variables_that_are_not_what_they_should_be_are_told_and_refused_when_that_is_asked_for() {
    let bench = Bench::new();
    let page = |declared: &str, body: &str| {
        page("", body).replace(
            "data-no-timeline",
            &format!("data-no-timeline data-composition-variables='{declared}'"),
        )
    };
    let title = r#"[{"id":"title","default":"x"}]"#;
    for (html, args, says) in [
        (
            page(r#"[{"name":"title"}]"#, ""),
            &[][..],
            "entry 1: it has no \"id\", but a \"name\"; it must be a list such as",
        ),
        (page(r#"{"title":"x"}"#, ""), &[], "it is an object; it must be a list such as"),
        (
            page(title, ""),
            &["--variables", r#"{"titel":"x"}"#],
            "variable \"titel\": is not declared; declared are title",
        ),
        (
            page(title, "<p data-var-text=titel>t</p>"),
            &[],
            "data-var-text=\"titel\" names no variable",
        ),
    ] {
        let dir = project(&bench, &[("index.html", html.as_bytes())], &[]);
        let (_, said) = still(&bench, &dir, args);
        assert!(said.contains(says), "{said}");
        let strict = try_still(&bench, &dir, &[args, &["--strict-variables"]].concat());
        assert_eq!(strict.status, Some(1), "{html}");
        assert!(strict.stderr.contains(says), "{}", strict.stderr);
    }
}

#[test]
fn a_link_to_nothing_ends_no_render() {
    let bench = Bench::new();
    let dir = project(
        &bench,
        &[(
            "index.html",
            page("", "<div style='width: 9px; height: 9px; background: #00f'></div>").as_bytes(),
        )],
        &[],
    );
    std::os::unix::fs::symlink("../nowhere", dir.join("notes")).unwrap();
    let (picture, _) = still(&bench, &dir, &[]);
    assert_eq!(picture.at(4, 4), BLUE);
}
