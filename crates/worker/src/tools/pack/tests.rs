use super::*;

/// A pack with an archive and a file in it.
fn packed(dir: &Path, content: &[u8]) {
    fs::create_dir_all(dir.join("fontconfig")).unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    header.set_mode(0o644);
    tar.append_data(&mut header, "fonts/a.ttf", &b"font"[..]).unwrap();
    let tar = tar.into_inner().unwrap();
    fs::write(dir.join("chromium.zst"), zstd::encode_all(content, 3).unwrap()).unwrap();
    fs::write(dir.join("fontconfig/fonts.tar.zst"), zstd::encode_all(&tar[..], 3).unwrap())
        .unwrap();
    fs::write(dir.join("LICENSE"), "words").unwrap();
}

/// A directory with a pack and an empty scratch in it, which are named after it.
fn pack_and_scratch() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (from, scratch) = (dir.path().join("pack"), dir.path().join("scratch"));
    fs::create_dir(&scratch).unwrap();
    packed(&from, &content());
    (dir, from, scratch)
}

fn content() -> Vec<u8> {
    (0..300_000_u32).map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect()
}

#[test]
fn a_pack_unpacks_to_the_same_files_once() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, from, scratch) = pack_and_scratch();
    let mut known = None;
    let unpacked = unpack(&from, &scratch, &mut known).unwrap();
    assert_eq!(fs::read(unpacked.join("chromium")).unwrap(), content());
    assert_eq!(fs::read(unpacked.join("fontconfig/fonts/a.ttf")).unwrap(), b"font");
    assert_eq!(fs::read(unpacked.join("LICENSE")).unwrap(), b"words");
    let mode = fs::metadata(unpacked.join("chromium")).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
    let filled = fs::metadata(unpacked.join("chromium")).unwrap().modified().unwrap();
    assert_eq!(unpack(&from, &scratch, &mut known).unwrap(), unpacked);
    assert_eq!(fs::metadata(unpacked.join("chromium")).unwrap().modified().unwrap(), filled);
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 1);
}

#[test]
fn what_an_interrupted_or_an_older_unpack_left_is_replaced() {
    let (_dir, from, scratch) = pack_and_scratch();
    fs::create_dir(scratch.join("pack-pack-part-x")).unwrap();
    fs::create_dir(scratch.join("pack-pack-0123")).unwrap();
    let unpacked = unpack(&from, &scratch, &mut None).unwrap();
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 1);
    let chromium = unpacked.join("chromium");
    let spoils: [&dyn Fn(); 4] = [
        &|| File::options().write(true).open(&chromium).unwrap().set_len(1000).unwrap(),
        &|| fs::remove_file(unpacked.join("fontconfig/fonts/a.ttf")).unwrap(),
        &|| fs::remove_file(unpacked.join(MARKER)).unwrap(),
        &|| fs::write(unpacked.join(MARKER), "300000 chromium\n").unwrap(),
    ];
    for spoil in spoils {
        spoil();
        assert_eq!(unpack(&from, &scratch, &mut None).unwrap(), unpacked);
        assert_eq!(fs::read(&chromium).unwrap(), content());
        assert_eq!(fs::read(unpacked.join("fontconfig/fonts/a.ttf")).unwrap(), b"font");
    }
    // Another Chrome of the same size is another pack.
    let mut other = content();
    other[0] ^= 1;
    fs::remove_dir_all(&from).unwrap();
    packed(&from, &other);
    let newer = unpack(&from, &scratch, &mut None).unwrap();
    assert_eq!(fs::read(newer.join("chromium")).unwrap(), other);
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 1);
}

#[test]
fn a_damaged_pack_leaves_nothing_behind_and_says_which_file() {
    let (_dir, from, scratch) = pack_and_scratch();
    let name = "chromium.zst";
    File::options().write(true).open(from.join(name)).unwrap().set_len(5000).unwrap();
    let error = unpack(&from, &scratch, &mut None).unwrap_err();
    assert_eq!(error.code().name(), "CHROME_UNPACK_FAILED");
    assert!(error.chain().contains(name), "{error}");
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
}

#[test]
fn a_directory_without_compressed_files_is_used_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("chromium"), "x").unwrap();
    assert_eq!(unpack(dir.path(), Path::new("/nonexistent"), &mut None).unwrap(), dir.path());
}

#[test]
fn what_is_packed_unpacks_to_what_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let tool = dir.path().join("tool");
    fs::create_dir_all(tool.join("lib/deep")).unwrap();
    fs::write(tool.join("program"), content()).unwrap();
    fs::write(tool.join("lib/deep/a.so"), "library").unwrap();
    fs::write(tool.join(".installed"), "mark").unwrap();
    for (from, files) in [(tool.clone(), 2), (tool.join("lib"), 1)] {
        let (packed, scratch) = (dir.path().join("p"), dir.path().join("s"));
        fs::create_dir(&scratch).unwrap();
        pack(&from, &packed, 1).unwrap();
        let unpacked = unpack(&packed, &scratch, &mut None).unwrap();
        let mut found = Vec::new();
        list(&unpacked, Path::new(""), &mut found).unwrap();
        assert_eq!(found.len(), files);
        for file in found {
            assert_eq!(fs::read(&file.from).unwrap(), fs::read(from.join(&file.to)).unwrap());
        }
        fs::remove_dir_all(&packed).unwrap();
        fs::remove_dir_all(&scratch).unwrap();
    }
}

#[test]
fn a_directory_that_others_could_have_filled_is_not_run_from() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, from, scratch) = pack_and_scratch();
    let unpacked = unpack(&from, &scratch, &mut None).unwrap();
    fs::set_permissions(&unpacked, fs::Permissions::from_mode(0o777)).unwrap();
    let error = unpack(&from, &scratch, &mut None).unwrap_err();
    assert!(error.chain().contains("is somebody else's"), "{}", error.chain());
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(&unpacked, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &unpacked).unwrap();
    unpack(&from, &scratch, &mut None).unwrap_err();
}

#[test]
fn a_tool_that_was_tampered_with_is_not_run_by_this_process_or_the_next() {
    let (dir, _, scratch) = pack_and_scratch();
    let (tool, from) = (dir.path().join("tool"), dir.path().join("packed"));
    fs::create_dir(&tool).unwrap();
    fs::write(tool.join("program"), content()).unwrap();
    pack(&tool, &from, 1).unwrap();
    let mut known = None;
    let unpacked = unpack(&from, &scratch, &mut known).unwrap();
    let program = unpacked.join("program");
    // The next process reads what it finds, and leaves it there.
    let made = fs::metadata(&program).unwrap().ino();
    unpack(&from, &scratch, &mut None).unwrap();
    assert_eq!(fs::metadata(&program).unwrap().ino(), made);
    let mut tampered = content();
    tampered[1000] ^= 1;
    for restarts in [false, true] {
        // The clock of the file system ticks every few milliseconds.
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(&program, &tampered).unwrap();
        let mut seen = if restarts { None } else { known.take() };
        unpack(&from, &scratch, &mut seen).unwrap();
        assert_eq!(fs::read(&program).unwrap(), content(), "restarts: {restarts}");
    }
}
