use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

use super::*;

/// Unpacks an archive of `entries` and returns what came of it.
async fn unpacked(bytes: &[u8], limits: Limits) -> std::result::Result<tempfile::TempDir, String> {
    unpacked_with(bytes, limits, Links::Refused).await
}

async fn unpacked_with(
    bytes: &[u8],
    limits: Limits,
    links: Links,
) -> std::result::Result<tempfile::TempDir, String> {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from.tar.gz");
    fs::write(&from, bytes).unwrap();
    match unpack(&from, "project.tar.gz", &dir.path().join("into"), limits, links).await {
        Ok(()) => Ok(dir),
        Err(error) => Err(error.to_string()),
    }
}

fn gzip(write: impl FnOnce(&mut Builder<GzEncoder<Vec<u8>>>)) -> Vec<u8> {
    let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    write(&mut tar);
    tar.into_inner().unwrap().finish().unwrap()
}

fn entry(kind: EntryType, name: &str, link: Option<&str>, content: &[u8]) -> Vec<u8> {
    gzip(|tar| append(tar, kind, name, link, content))
}

/// Writes the name into the header as it is, which the builder itself would refuse for some.
fn append<W: Write>(
    tar: &mut Builder<W>,
    kind: EntryType,
    name: &str,
    link: Option<&str>,
    content: &[u8],
) {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    if let Some(link) = link {
        header.set_link_name(link).unwrap();
    }
    header.set_cksum();
    tar.append(&header, content).unwrap();
}

#[tokio::test]
async fn a_tree_comes_back_as_it_was_and_always_makes_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let mut archives = Vec::new();
    for copy in ["one", "two"] {
        let tree = dir.path().join(copy);
        fs::create_dir_all(tree.join("b/empty")).unwrap();
        // The second tree is written in another order and at another time.
        let mut files = vec![("a.txt", "first"), ("b/ä.txt", "second"), ("b/c", "")];
        if copy == "two" {
            files.reverse();
            std::thread::sleep(std::time::Duration::from_millis(1100));
        }
        for (name, content) in files {
            fs::write(tree.join(name), content).unwrap();
        }
        let long = tree.join("n".repeat(120)).join("m".repeat(120));
        fs::create_dir_all(&long).unwrap();
        fs::write(long.join("deep"), "third").unwrap();
        let packed = dir.path().join(format!("{copy}.tar.gz"));
        pack(&tree, &packed).await.unwrap();
        archives.push(fs::read(packed).unwrap());
    }
    assert_eq!(archives[0], archives[1]);
    let back = unpacked(&archives[0], Limits::default()).await.unwrap();
    let read = |name: &str| fs::read_to_string(back.path().join("into").join(name)).unwrap();
    assert_eq!(
        (read("a.txt"), read("b/ä.txt"), read("b/c")),
        ("first".into(), "second".into(), String::new())
    );
    assert_eq!(read(&format!("{}/{}/deep", "n".repeat(120), "m".repeat(120))), "third");
    assert!(back.path().join("into/b/empty").is_dir());
}

#[tokio::test]
async fn an_archive_that_another_tool_made_of_a_dot_is_unpacked() {
    let bytes = gzip(|tar| {
        append(tar, EntryType::Directory, "./", None, b"");
        append(tar, EntryType::XGlobalHeader, "pax_global_header", None, b"19 comment=made by x\n");
        append(tar, EntryType::Regular, "./sub/index.html", None, b"<html>");
    });
    let back = unpacked(&bytes, Limits::default()).await.unwrap();
    assert_eq!(fs::read(back.path().join("into/sub/index.html")).unwrap(), b"<html>");
}

#[tokio::test]
async fn what_leads_out_or_is_no_file_is_refused_by_its_name() {
    for (bytes, reason) in [
        (entry(EntryType::Regular, "../evil", None, b"x"), "../evil leads out of the archive"),
        (entry(EntryType::Regular, "a/../../evil", None, b"x"), "leads out of the archive"),
        (entry(EntryType::Regular, "/etc/evil", None, b"x"), "/etc/evil leads out of the archive"),
        (entry(EntryType::Symlink, "env", Some("/proc/self/environ"), b""), "env is a link"),
        (entry(EntryType::Link, "hard", Some("/etc/passwd"), b""), "hard is a link"),
        (entry(EntryType::Fifo, "pipe", None, b""), "pipe is neither"),
        (entry(EntryType::Char, "zero", None, b""), "zero is neither"),
        (
            gzip(|tar| {
                append(tar, EntryType::Regular, "a", None, b"1");
                append(tar, EntryType::Regular, "./a", None, b"2");
            }),
            "./a is in it twice",
        ),
    ] {
        let error = unpacked(&bytes, Limits::default()).await.unwrap_err();
        assert!(
            error.starts_with("project.tar.gz cannot be unpacked") && error.contains(reason),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_empty_a_truncated_and_a_damaged_archive_are_refused() {
    let noise: Vec<u8> =
        (0..200_000_u32).map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
    let whole = entry(EntryType::Regular, "a", None, &noise);
    let mut damaged = whole.clone();
    let last = damaged.len() - 6;
    damaged[last] ^= 1;
    for (bytes, reason) in [
        (Vec::new(), "it is empty"),
        (gzip(|_| {}), "it has no entries"),
        (b"<html>not an archive</html>".to_vec(), "damaged or cut off"),
        (whole[..whole.len() / 2].to_vec(), "damaged or cut off"),
        (whole[..whole.len() - 4].to_vec(), "damaged or cut off"),
        (damaged, "damaged or cut off"),
    ] {
        let error = unpacked(&bytes, Limits::default()).await.unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    unpacked(&whole, Limits::default()).await.unwrap();
}

#[tokio::test]
async fn a_bomb_is_refused_before_it_fills_the_disk() {
    let zeros = vec![0; 96 << 20];
    let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    append(&mut tar, EntryType::Regular, "zeros", None, &zeros);
    let bomb = tar.into_inner().unwrap().finish().unwrap();
    let error = unpacked(&bomb, Limits::default()).await.unwrap_err();
    assert!(error.contains("200 times its size"), "{error}");
    let small = Limits { bytes: 1000, ..Limits::default() };
    let large = vec![7; 1000 + (1 << 20) + 1];
    let error = unpacked(&entry(EntryType::Regular, "a", None, &large), small).await.unwrap_err();
    assert!(error.contains("more than 1000 bytes"), "{error}");
    let few = Limits { entries: 2, ..Limits::default() };
    let many = gzip(|tar| {
        for name in ["a", "b", "c"] {
            append(tar, EntryType::Regular, name, None, b"");
        }
    });
    let error = unpacked(&many, few).await.unwrap_err();
    assert!(error.contains("more than 2 entries"), "{error}");
}

#[tokio::test]
async fn a_name_or_attribute_without_end_is_not_read_into_memory() {
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader] {
        let archive = gzip(|tar| {
            append(tar, kind, "././@LongLink", None, &vec![b'n'; 48 << 20]);
            append(tar, EntryType::Regular, "a", None, b"x");
        });
        let error = unpacked(&archive, Limits::default()).await.unwrap_err();
        assert!(error.contains("a name or attribute in it is too long"), "{error}");
    }
}

#[tokio::test]
async fn names_that_contradict_each_other_or_the_file_system_are_the_archive_s_fault() {
    let (file, dir) = (EntryType::Regular, EntryType::Directory);
    let two = |first: (EntryType, &str), second: (EntryType, &str)| {
        gzip(|tar| {
            append(tar, first.0, first.1, None, b"");
            append(tar, second.0, second.1, None, b"");
        })
    };
    let long = gzip(|tar| {
        let mut header = Header::new_gnu();
        header.set_size(0);
        tar.append_data(&mut header, "n".repeat(300), io::empty()).unwrap();
    });
    for archive in [
        two((file, "a"), (file, "a/b")),
        two((file, "a"), (dir, "a")),
        two((dir, "a"), (file, "a")),
        long,
    ] {
        let error = unpacked(&archive, Limits::default()).await.unwrap_err();
        assert!(error.starts_with("project.tar.gz cannot be unpacked"), "{error}");
    }
}

#[tokio::test]
async fn named_files_are_packed_as_the_tree_they_are_of() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("tree/a")).unwrap();
    let member = |name: &str, place: &str| {
        let path = dir.path().join(place);
        fs::write(&path, place).unwrap();
        Member { name: name.to_owned(), path }
    };
    let members = vec![member("a/ü.txt", "elsewhere"), member("b.txt", "tree/b.txt")];
    let packed = dir.path().join("members.tar.gz");
    pack_members(members, &packed).await.unwrap();
    let back = unpacked(&fs::read(&packed).unwrap(), Limits::default()).await.unwrap();
    let read = |name: &str| fs::read_to_string(back.path().join("into").join(name)).unwrap();
    assert_eq!((read("a/ü.txt"), read("b.txt")), ("elsewhere".into(), "tree/b.txt".into()));

    let path = dir.path().join("absent");
    let absent = vec![Member { name: "absent".to_owned(), path: path.clone() }];
    let error = pack_members(absent, &dir.path().join("no.tar.gz")).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot pack {}", path.display()));
}

#[tokio::test]
async fn nothing_that_is_packed_here_unpacks_to_too_many_times_its_size() {
    let dir = tempfile::tempdir().unwrap();
    let zeros = dir.path().join("zeros");
    fs::write(&zeros, vec![0; 96 << 20]).unwrap();
    let packed = dir.path().join("packed.tar.gz");
    pack_members(vec![Member { name: "zeros".to_owned(), path: zeros }], &packed).await.unwrap();
    unpacked(&fs::read(&packed).unwrap(), Limits::default()).await.unwrap();
}

#[tokio::test]
async fn a_place_that_was_taken_away_does_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from.tar.gz");
    fs::write(&from, entry(EntryType::Regular, "a/b/c.txt", None, b"x")).unwrap();
    let gone = dir.path().join("gone");
    let (tree, limits) = (gone.join("tree"), Limits::default());
    let error = unpack(&from, "plan", &tree, limits, Links::Refused).await.unwrap_err();
    assert!(matches!(error, Error::Scratch { .. }), "{error}");
    assert!(make_dirs(&gone, Path::new("a/b")).is_err());
    assert!(!gone.exists());
}

const FOLLOWED: Links = Links::Followed { left_out: &["node_modules", "dist"] };

/// An archive with files and links in this order; a link is a name, its kind and its target.
fn with_links(files: &[&str], links: &[(&str, EntryType, &str)]) -> Vec<u8> {
    gzip(|tar| {
        for (name, kind, target) in links {
            append(tar, *kind, name, Some(target), b"");
        }
        for name in files {
            append(tar, EntryType::Regular, name, None, name.as_bytes());
        }
    })
}

#[tokio::test]
async fn links_that_stay_inside_are_followed_and_those_that_nobody_reads_are_skipped() {
    use EntryType::{Link, Symlink};
    let bytes = with_links(
        &["./img/logo.svg", "./node_modules/gsap/gsap.js", "./scenes/a.html"],
        &[
            ("./node_modules/.bin/gsap", Symlink, "../gsap/bin/absent.js"),
            ("./node_modules/evil", Symlink, "/etc/passwd"),
            ("./dist/out", Symlink, "../../.."),
            ("./logo.svg", Symlink, "img/logo.svg"),
            ("./scenes/img", Symlink, "../img"),
            ("./scenes/lib", Symlink, "../vendor/gsap"),
            ("./vendor", Symlink, "node_modules"),
            ("./scenes/same.html", Link, "./scenes/a.html"),
        ],
    );
    let dir = unpacked_with(&bytes, Limits::default(), FOLLOWED).await.unwrap();
    let into = dir.path().join("into");
    for (name, content) in [
        ("logo.svg", "./img/logo.svg"),
        ("scenes/img/logo.svg", "./img/logo.svg"),
        ("scenes/lib/gsap.js", "./node_modules/gsap/gsap.js"),
        ("scenes/same.html", "./scenes/a.html"),
    ] {
        assert_eq!(fs::read_to_string(into.join(name)).unwrap(), content, "{name}");
    }
    for name in ["node_modules/.bin/gsap", "node_modules/evil", "dist/out"] {
        assert!(fs::symlink_metadata(into.join(name)).is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_link_that_leads_out_or_nowhere_is_refused_by_its_name() {
    use EntryType::{Link, Symlink};
    let files = ["a/b/c/file", "top/file"];
    for (links, reason) in [
        (&[("env", Symlink, "/proc/self/environ")][..], "env is a link that leads out"),
        (&[("up", Symlink, "..")], "up is a link that leads out"),
        (&[("a/up", Symlink, "../../x")], "a/up is a link to something that is not in the archive"),
        (&[("hard", Link, "../file")], "hard is a link that leads out"),
        (&[("hard", Link, "absent")], "hard is a link to something that is not in"),
        (&[("hard", Link, "top")], "hard is a link to something that is not in"),
        (&[("gone", Symlink, "absent")], "gone is a link to something that is not in"),
        (&[("one", Symlink, "two"), ("two", Symlink, "one")], "one is a link that leads nowhere"),
        (&[("a/file", Symlink, "b"), ("a/file", Symlink, "b")], "a/file is in it twice"),
        (&[("top/file", Symlink, "../a")], "top/file is in it twice"),
        (&[("a/b/up", Symlink, "../..")], "its links go in a circle"),
        // By its letters it stays inside; through the first link, it does not.
        (
            &[("a/b/c/short", Symlink, "../../../top"), ("a/x", Symlink, "b/c/short/../../..")],
            "a/x is a link that leads out",
        ),
        // Nothing is made where a link leads.
        (&[("out", Symlink, ".."), ("out/evil", Symlink, "x")], "out/evil is below a link"),
        (&[("out", Symlink, ".."), ("out/d/evil", Link, "top/file")], "out/d/evil is below a link"),
    ] {
        let bytes = with_links(&files, links);
        let error = unpacked_with(&bytes, Limits::default(), FOLLOWED).await.unwrap_err();
        assert!(error.contains(reason), "{links:?}: {error}");
    }
}

#[tokio::test]
async fn a_few_links_cannot_stand_for_more_than_an_archive_may_hold() {
    let names: Vec<_> =
        (0..8).flat_map(|level| (0..8).map(move |i| format!("d{level}/l{i}"))).collect();
    let links: Vec<_> = names
        .iter()
        .map(|name| {
            let level: u32 = name[1..2].parse().unwrap();
            (name.as_str(), EntryType::Symlink, format!("../d{}", level + 1))
        })
        .collect();
    let links: Vec<_> =
        links.iter().map(|(name, kind, target)| (*name, *kind, target.as_str())).collect();
    let bytes = with_links(&["d8/file"], &links);
    let error = unpacked_with(&bytes, Limits::default(), FOLLOWED).await.unwrap_err();
    assert!(error.contains("with its links it has more than 100000 entries"), "{error}");
    let small = Limits { bytes: 5, ..Limits::default() };
    let bytes = with_links(&["a/1234"], &[("b", EntryType::Symlink, "a/1234")]);
    let error = unpacked_with(&bytes, small, FOLLOWED).await.unwrap_err();
    assert!(error.contains("with its links it unpacks to more than 5 bytes"), "{error}");
}
