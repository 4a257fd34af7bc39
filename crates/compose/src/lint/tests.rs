use super::*;

/// The findings of an index.html in a project with these files.
fn findings(html: &str, files: &[&str]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    fs::write(dir.path().join("index.html"), html).unwrap();
    let found = project(dir.path(), "index.html").into_iter();
    found.map(|finding| format!("{:?} {finding}", finding.severity)).collect()
}

const ROOT: &str = "<div data-composition-id=a data-width=16 data-height=16 data-duration=1>";

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (body, expected) in [
        ("<p>fine</p><br><img src=a.png><svg><path/></svg>", ""),
        ("\n<div class=x <p>t</p></div>", "2:1: the tag <div is not closed by \">\" before \"<p\""),
        ("<section><div>t</section>", "<div> is not closed before </section>"),
        ("<div>t", "<div> is never closed"),
        ("t</section>", "</section> closes nothing"),
        ("<div/>t</div>", "<div/> does not close itself"),
        ("<style>a{}", "<style> is never closed"),
        ("<!-- x", "this comment is never closed"),
        ("<p class=\"x data-start=\"0\">t", "has a quote in its name"),
        ("<p data-start=0 data-start=1>t", "two attributes data-start"),
        ("<p data-durration=1>t", "data-durration is no attribute of the format: data-duration"),
        ("<p data-composition-scr=a.html>t</p>", "data-composition-src is probably meant"),
        ("<p composition-id=x>t", "composition-id is written data-composition-id"),
        ("<p data-star=1>t</p><style>[data-star]{}</style>", ""),
        ("<p data-star=1>t</p><script>x.dataset.star</script>", ""),
        ("<p data-star=1>t</p>", "data-start is probably meant"),
        ("<p data-duration=5s>t", "data-duration=\"5s\" is no number of seconds"),
        ("<p data-duration=0>t", "is not above 0"),
        ("<p data-volume=loud>t", "data-volume=\"loud\" is no number"),
        ("<img src=absent.png>", "<img src=\"absent.png\">: absent.png is not in the project"),
        ("<img srcset='a.png 1x, absent.png 2x'>", "absent.png is not in the project"),
        ("<p style='background:url(absent.png)'>t", "absent.png is not in the project"),
        ("<video poster=absent.png src=a.png></video>", "absent.png is not in the project"),
        ("<div data-composition-src=absent.html></div>", "absent.html is not in the project"),
        ("<script src=node_modules/x/x.js></script>", "node_modules/x/x.js does not travel"),
        ("<img src=http://a.example/x.png>", "is not fetched: use https:"),
        ("<img src=file:///tmp/x.png>", "is a file of one machine"),
        ("<script>\nconst = 1;\n</script>", "Error index.html:2:7: <script>: "),
        ("<script type=application/json>{</script>", ""),
        ("<img src=https://a.example/x.png>", "Note"),
        ("<img src=data:image/png;base64,xx><a href=x.html>t</a><use href=#g></use>", ""),
        ("<!-- <img src=absent.png> --><noscript><img src=absent.png></noscript>", ""),
        ("<template><img src=absent.png></template>", ""),
    ] {
        let html = format!("<!doctype html>{ROOT}{body}</div>");
        let html = if body.starts_with("<div>t") { html.replace("t</div>", "t") } else { html };
        let found = findings(&html, &["a.png"]);
        let is_meant = match expected {
            "" => found.is_empty(),
            expected => found.iter().any(|finding| finding.contains(expected)),
        };
        assert!(is_meant, "{body}: {found:?}");
    }
}

#[test]
fn a_root_that_does_not_say_its_size_is_named() {
    let found =
        findings("<!doctype html>\n<div id=r data-composition-id=a data-width=16></div>", &[]);
    assert_eq!(
        found,
        [
            "Warning index.html:2:1: <div id=\"r\" data-composition-id=\"a\"> has no data-height: 1920 is taken"
        ]
    );
}

#[test]
fn scenes_and_frames_are_looked_at_where_they_lie() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let hosts = "<div data-composition-src=scenes/s.html></div><iframe src=frames/f.html></iframe>";
    write("index.html", &format!("{ROOT}{hosts}</div>"));
    write(
        "scenes/s.html",
        "<template><div data-composition-id=s><img src=near.png><img src=far.png>\n<img src=no.png></div></template>",
    );
    write("scenes/near.png", "x");
    write("far.png", "x");
    write("frames/f.html", "<base href='../scenes/'><img src=near.png><img src=far.png>");
    let found: Vec<_> = project(dir.path(), "index.html").iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "frames/f.html:1:48: <img src=\"far.png\">: scenes/far.png is not in the project",
            "scenes/s.html:2:6: <img src=\"no.png\">: no.png is not in the project",
        ]
    );
}

#[test]
fn an_element_of_an_error_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.html"), "<p>é</p>\n é <video id=v src='a&amp;b.mp4'>")
        .unwrap();
    let found = place(dir.path(), "index.html", "<video id=\"v\" src=\"a&b.mp4\">");
    assert_eq!(found, Some((2, 4)));
    assert_eq!(place(dir.path(), "index.html", "<video>"), None);
}
