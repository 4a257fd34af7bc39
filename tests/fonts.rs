//! Text is drawn in the same font everywhere: one that is bundled, one that was fetched while planning, or not at
//! all.

use compose::net::Net;
use render::Error;
use serde_json::json;

use crate::harness::{Bench, fixture, run, tool};
use crate::web::{Reply, TestProject, Web, page, paths};

fn bundled(path: &str) -> Vec<u8> {
    std::fs::read(tool("fonts").join(path)).unwrap()
}

/// A face as a font service writes it.
fn face(family: &str, style: &str, weight: &str, url: &str, range: &str) -> String {
    format!(
        "@font-face {{ font-family: '{family}'; font-style: {style}; font-weight: {weight}; font-display: swap; \
         src: url({url}) format('woff2'); unicode-range: {range}; }}\n"
    )
}

/// A service with one family, in three alphabets.
fn service() -> Web {
    let web = Web::start();
    let file = |name: &str| web.url("static.test", name);
    let mut css = String::new();
    for (style, weight) in [("normal", "400"), ("normal", "700"), ("italic", "300")] {
        css += &face("Fetched Sans", style, weight, &file("/greek.woff2"), "U+0370-03FF");
        css +=
            &face("Fetched Sans", style, weight, &file("/cyrillic.woff2"), "U+0301, U+0400-045F");
        css +=
            &face("Fetched Sans", style, weight, &file("/latin.woff2"), "U+0000-00FF, U+2000-206F");
    }
    web.on("/css2", [Reply::ok("text/css", css)]);
    web.on("/latin.woff2", [Reply::ok("font/woff2", bundled("lato/latin-400-normal.woff2"))]);
    web.on("/cyrillic.woff2", [Reply::ok("font/woff2", bundled("lato/latin-700-normal.woff2"))]);
    web.on("/greek.woff2", [Reply::ok("font/woff2", bundled("lato/latin-900-normal.woff2"))]);
    web
}

fn styled(css: &str, body: &str) -> String {
    page(&format!("<style>{css}</style>"), body)
}

#[test]
fn a_family_that_is_not_brought_along_is_fetched_as_far_as_the_text_needs_it() {
    let web = service();
    let project_dir = TestProject::new();
    let planned = project_dir.plan_project(&fixture("fonts-fetched"), &web.net()).unwrap();
    crate::offline::assert_drawn(&project_dir, &planned);
    let compiled = project_dir.compiled();
    let (before, faces) = compiled.split_once("</style>\n<style>@font-face").unwrap();
    let source = std::fs::read_to_string(fixture("fonts-fetched").join("index.html")).unwrap();
    let (_, rule) = compiled.split_once("<head>").unwrap();
    let rule = rule.split_inclusive("</style>").next().unwrap();
    assert!(source.starts_with(&before.replace(rule, "")), "an authored byte is another: {before}");
    assert!(faces.contains("</style></head>"), "the faces are not at the end of the head: {faces}");
    assert_eq!(faces.matches("font-display:block").count(), 6, "{faces}");
    assert!(!faces.contains("swap") && !faces.contains("U+0370"), "{faces}");
    assert!(
        faces.contains("font-family:\"Fetched Sans\";font-style:italic;font-weight:300;"),
        "{faces}"
    );
    let mut files = paths(faces, "/__fonts/fetched-sans/");
    files.sort();
    files.dedup();
    let mut bytes: Vec<_> = files.iter().map(|path| project_dir.file(path)).collect();
    bytes.sort();
    let mut expected =
        [bundled("lato/latin-400-normal.woff2"), bundled("lato/latin-700-normal.woff2")];
    expected.sort();
    assert_eq!(bytes, expected);
    assert_eq!(
        web.asked(),
        [
            "fonts.test/css2?family=Fetched+Sans%3Aital%2Cwght%400%2C300%3B0%2C400%3B0%2C700%3B1%2C300%3B1%2C400%3B1%2C700",
            "static.test/cyrillic.woff2",
            "static.test/latin.woff2",
        ]
    );
    // The files that stand for the service's have no Cyrillic letters, whatever their ranges say.
    let warnings = planned.warnings.join("\n");
    assert!(
        warnings.contains("\"П\" (U+041F)") && warnings.contains("Привет, world"),
        "{warnings}"
    );
}

#[test]
fn a_family_that_nobody_offers_is_refused_with_its_name_and_who_wants_it() {
    let web = Web::start();
    for (net, sentence) in [(web.net(), "status 404"), (Net::offline(), "no network")] {
        let project_dir = TestProject::new();
        match project_dir.plan_project(&fixture("fonts-missing"), &net) {
            Err(error @ Error::Compose(compose::Error::FontMissing { .. })) => {
                let message = error.to_string();
                assert!(
                    message.starts_with("font family \"Nobody's Grotesk\", wanted by .title: "),
                    "{message}"
                );
                assert!(message.contains(sentence) && message.contains("@font-face"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
    let mut project_dir = TestProject::new();
    project_dir.config = json!({"fps": 30, "failClosedFontFetch": false});
    let planned = project_dir.plan_project(&fixture("fonts-missing"), &Net::offline()).unwrap();
    assert!(planned.warnings[0].contains("Nobody's Grotesk"), "{:?}", planned.warnings);
}

#[test]
fn a_service_that_is_out_of_order_is_another_error_than_a_family_it_does_not_have() {
    let web = service();
    let sheet = Reply::ok(
        "text/css",
        face("Fetched Sans", "normal", "400", &web.url("static.test", "/late.woff2"), "U+0-FF"),
    );
    for (path, reply) in [("/css2", Reply::status(503)), ("/late.woff2", Reply::status(429))] {
        web.on("/css2", [sheet.clone()]);
        web.on("/late.woff2", [Reply::ok("font/woff2", bundled("lato/latin-400-normal.woff2"))]);
        web.on(path, [reply]);
        let project_dir = TestProject::new();
        match project_dir.plan_project(&fixture("fonts-fetched"), &web.net()) {
            Err(Error::Compose(compose::Error::FontUnavailable { family, .. })) => {
                assert_eq!(family, "Fetched Sans");
            }
            other => panic!("{path}: {other:?}"),
        }
    }
    // A page of text in the place of a font.
    web.on("/late.woff2", [Reply::ok("font/woff2", "<html>")]);
    let project_dir = TestProject::new();
    let error = project_dir.plan_project(&fixture("fonts-fetched"), &web.net()).unwrap_err();
    assert!(matches!(error, Error::Compose(compose::Error::NotMedia { .. })), "{error:?}");
}

#[test]
fn a_service_that_refuses_a_list_of_weights_is_asked_without_one() {
    let web = service();
    let sheet =
        face("Fetched Sans", "normal", "400", &web.url("static.test", "/latin.woff2"), "U+0-FF");
    web.on("/css2", [Reply::status(400), Reply::ok("text/css", sheet)]);
    let project_dir = TestProject::with(&styled("p { font-family: Fetched Sans }", "<p>text</p>"));
    project_dir.plan(&web.net()).unwrap();
    assert_eq!(web.asked()[0], "fonts.test/css2?family=Fetched+Sans");
}

#[test]
fn a_stack_that_starts_with_a_font_of_the_machine_is_refused_unless_one_stands_for_it() {
    let project_dir =
        TestProject::with(&styled(".c { font-family: cursive, Inter }", "<p class=c>text</p>"));
    match project_dir.plan(&Net::offline()) {
        Err(Error::Compose(compose::Error::SystemFont { selector, reason })) => {
            assert_eq!(selector, ".c");
            assert!(reason.contains("\"cursive\""), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    let mut project_dir = project_dir;
    project_dir.config = json!({"fps": 30, "rejectOnSystemFonts": false});
    let planned = project_dir.plan(&Net::offline()).unwrap();
    assert!(planned.warnings[0].starts_with(".c: "), "{:?}", planned.warnings);

    let project_dir = TestProject::with(&styled(
        "body { font-family: system-ui, sans-serif } code { font: 12px monospace }",
        "<p style=\"font-family: -apple-system\" data-font-family=\"serif\">text</p>",
    ));
    assert_eq!(project_dir.plan(&Net::offline()).unwrap().warnings, [""; 0]);
    let compiled = project_dir.compiled();
    for expected in [
        "font-family: \"Inter\", system-ui, sans-serif",
        "font: 12px \"JetBrains Mono\", monospace",
        "style=\"font-family: &quot;Inter&quot;, -apple-system\"",
        "data-font-family=\"&quot;EB Garamond&quot;, serif\"",
        "url(\"/__fonts/eb-garamond/latin-400-normal.woff2\")",
    ] {
        assert!(compiled.contains(expected), "{expected} is not in {compiled}");
    }
}

#[test]
fn only_the_faces_that_the_page_leads_to_are_copied() {
    let project_dir = TestProject::with(&styled(
        "body { font-family: Verdana, sans-serif; font-weight: 600 }",
        "<p>text</p><script>const later = { fontWeight: 950 }</script>",
    ));
    assert_eq!(project_dir.plan(&Net::offline()).unwrap().warnings, [""; 0]);
    let compiled = project_dir.compiled();
    let mut files: Vec<_> =
        std::fs::read_dir(project_dir.plan_dir().join("compiled/__fonts/inter"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
    files.sort();
    assert_eq!(
        files,
        ["400", "600", "700", "900"].map(|weight| format!("latin-{weight}-normal.woff2"))
    );
    assert_eq!(compiled.matches("font-family:\"Verdana\"").count(), 4, "{compiled}");
    assert!(compiled.contains("unicode-range:U+0000-00FF, U+0131,"), "{compiled}");
    assert!(!project_dir.plan_dir().join("compiled/__fonts/roboto").exists());
    project_dir
        .put("index.html", styled("body { font-family: Inter }", "<p>slanted <em>text</em></p>"));
    assert_eq!(project_dir.plan(&Net::offline()).unwrap().warnings, [""; 0]);
    assert!(project_dir.plan_dir().join("compiled/__fonts/inter/latin-400-italic.woff2").exists());
}

#[test]
fn letters_that_the_bundle_does_not_have_are_asked_for() {
    let web = Web::start();
    let css = face("Inter", "normal", "400", "/cyrillic.woff2", "U+0400-045F")
        + &face("Inter", "normal", "400", "/latin.woff2", "U+0000-00FF");
    web.on("/css2", [Reply::ok("text/css", css)]);
    web.on("/cyrillic.woff2", [Reply::ok("font/woff2", bundled("lato/latin-400-normal.woff2"))]);
    let project_dir = TestProject::with(&styled("p { font-family: Helvetica }", "<p>Привет</p>"));
    project_dir.plan(&web.net()).unwrap();
    let compiled = project_dir.compiled();
    // The bundle's Latin stays, the service's is not taken.
    assert!(compiled.contains("/__fonts/inter/latin-400-normal.woff2"), "{compiled}");
    assert!(compiled.contains("unicode-range:U+0400-045F"), "{compiled}");
    assert_eq!(
        web.asked(),
        ["fonts.test/css2?family=Inter%3Awght%40400%3B700", "fonts.test/cyrillic.woff2"]
    );

    let planned = project_dir.plan(&Net::offline()).unwrap();
    let warnings = planned.warnings.join("\n");
    assert!(
        warnings.contains("without all letters of the text") && warnings.contains("\"П\""),
        "{warnings}"
    );
    web.on("/css2", [Reply::status(503)]);
    assert!(matches!(
        project_dir.plan(&web.net()),
        Err(Error::Compose(compose::Error::FontUnavailable { .. }))
    ));
}

#[test]
fn a_family_that_comes_second_is_asked_for_only_where_the_first_one_lacks_a_letter() {
    let web = service();
    let css = "p { font-family: Inter, 'Fetched Sans', sans-serif }";
    let project_dir = TestProject::with(&styled(css, "<p>plain</p>"));
    assert_eq!(project_dir.plan(&web.net()).unwrap().warnings, [""; 0]);
    assert_eq!(web.asked(), [""; 0]);
    let project_dir = TestProject::with(&styled(css, "<p>snow снег</p>"));
    let planned = project_dir.plan(&Net::offline()).unwrap();
    let warnings = planned.warnings.join("\n");
    assert!(warnings.contains("\"Fetched Sans\", wanted by p, is not used"), "{warnings}");
    assert!(
        warnings.contains("no font of the page draws \"с\" (U+0441)")
            && warnings.contains("as in \"snow снег\""),
        "{warnings}"
    );
}

#[test]
fn faces_of_the_page_s_own_are_left_alone() {
    let web = service();
    let sheet = web.url("fonts.test", "/css2?family=Fetched+Sans");
    let head = format!(
        "<link rel=stylesheet href='{sheet}'><style>@font-face {{ font-family: Mine; src: url(mine.woff2) }} \
         p {{ font-family: Mine, 'Fetched Sans' }}</style>"
    );
    let project_dir = TestProject::with(&page(&head, "<p>text</p>"));
    project_dir.put("mine.woff2", bundled("oswald/latin-400-normal.woff2"));
    project_dir.plan(&web.net()).unwrap();
    let compiled = project_dir.compiled();
    assert!(
        !compiled.contains("__fonts") && !compiled.contains("font-display:block"),
        "{compiled}"
    );
    assert!(compiled.contains("href=\"/_remote_media/"), "{compiled}");
    assert_eq!(web.asked().iter().filter(|asked| asked.contains("/css2")).count(), 1);
}

#[test]
fn font_failures_have_their_codes_on_the_command_line() {
    for (css, code) in [
        ("p { font-family: Nobody }", "FONT_FETCH_FAILED"),
        ("p { font-family: fantasy }", "SYSTEM_FONT_USED"),
    ] {
        let bench = Bench::new();
        let project = bench.path("project");
        std::fs::create_dir(&project).unwrap();
        std::fs::write(project.join("index.html"), styled(css, "<p>text</p>")).unwrap();
        let mut command = bench.bootstrap("render");
        command.arg(&project).arg("-o").arg(bench.path("out.mp4")).env("FRAMEWRIGHT_OFFLINE", "1");
        let ran = run(&mut command);
        assert_eq!(ran.code(), code, "{}", ran.stderr);
    }
}
