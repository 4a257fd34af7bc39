use super::*;

/// A pack with an archive and a file in it, in the coding asked for.
fn pack(dir: &Path, zstd: bool, content: &[u8]) {
    fs::create_dir_all(dir.join("fontconfig")).unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    header.set_mode(0o644);
    tar.append_data(&mut header, "fonts/a.ttf", &b"font"[..]).unwrap();
    let tar = tar.into_inner().unwrap();
    if zstd {
        fs::write(dir.join("chromium.zst"), zstd::encode_all(content, 3).unwrap()).unwrap();
        fs::write(dir.join("fontconfig/fonts.tar.zst"), zstd::encode_all(&tar[..], 3).unwrap())
            .unwrap();
    } else {
        // A brotli stream of uncompressed blocks, which needs no encoder.
        fs::write(dir.join("chromium.br"), stored(content)).unwrap();
        fs::write(dir.join("fontconfig/fonts.tar.br"), stored(&tar)).unwrap();
    }
    fs::write(dir.join("LICENSE"), "words").unwrap();
}

/// Brotli's form of what is not compressed: a window of 16 bits, blocks of at most 65536 bytes, and an empty last block.
fn stored(content: &[u8]) -> Vec<u8> {
    let mut bits: Vec<bool> = vec![false];
    let mut out = Vec::new();
    let flush = |bits: &mut Vec<bool>, out: &mut Vec<u8>| {
        while !bits.len().is_multiple_of(8) {
            bits.push(false);
        }
        for byte in bits.chunks(8) {
            out.push(byte.iter().enumerate().map(|(i, bit)| u8::from(*bit) << i).sum());
        }
        bits.clear();
    };
    for block in content.chunks(1 << 16) {
        bits.extend([false, false, false]);
        let length = block.len() - 1;
        bits.extend((0..16).map(|i| length >> i & 1 == 1));
        bits.push(true);
        flush(&mut bits, &mut out);
        out.extend_from_slice(block);
    }
    bits.extend([true, true]);
    flush(&mut bits, &mut out);
    out
}

fn content() -> Vec<u8> {
    (0..300_000_u32).map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect()
}

#[test]
fn brotli_and_zstd_packs_unpack_to_the_same_files_once() {
    use std::os::unix::fs::PermissionsExt;
    for zstd in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (from, scratch) = (dir.path().join("pack"), dir.path().join("scratch"));
        fs::create_dir(&scratch).unwrap();
        pack(&from, zstd, &content());
        let unpacked = unpack(&from, &scratch).unwrap();
        assert_eq!(fs::read(unpacked.join("chromium")).unwrap(), content());
        assert_eq!(fs::read(unpacked.join("fontconfig/fonts/a.ttf")).unwrap(), b"font");
        assert_eq!(fs::read(unpacked.join("LICENSE")).unwrap(), b"words");
        let mode = fs::metadata(unpacked.join("chromium")).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111);
        let filled = fs::metadata(unpacked.join("chromium")).unwrap().modified().unwrap();
        assert_eq!(unpack(&from, &scratch).unwrap(), unpacked);
        assert_eq!(fs::metadata(unpacked.join("chromium")).unwrap().modified().unwrap(), filled);
        assert_eq!(fs::read_dir(&scratch).unwrap().count(), 1);
    }
}

#[test]
fn what_an_interrupted_or_an_older_unpack_left_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (from, scratch) = (dir.path().join("pack"), dir.path().join("scratch"));
    fs::create_dir_all(scratch.join("chrome-pack-part-x")).unwrap();
    fs::create_dir_all(scratch.join("chrome-pack-0123")).unwrap();
    pack(&from, true, &content());
    let unpacked = unpack(&from, &scratch).unwrap();
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
        assert_eq!(unpack(&from, &scratch).unwrap(), unpacked);
        assert_eq!(fs::read(&chromium).unwrap(), content());
        assert_eq!(fs::read(unpacked.join("fontconfig/fonts/a.ttf")).unwrap(), b"font");
    }
    // Another Chrome of the same size is another pack.
    let mut other = content();
    other[0] ^= 1;
    fs::remove_dir_all(&from).unwrap();
    pack(&from, true, &other);
    let newer = unpack(&from, &scratch).unwrap();
    assert_eq!(fs::read(newer.join("chromium")).unwrap(), other);
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 1);
}

#[test]
fn a_damaged_pack_leaves_nothing_behind_and_says_which_file() {
    for zstd in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (from, scratch) = (dir.path().join("pack"), dir.path().join("scratch"));
        fs::create_dir(&scratch).unwrap();
        pack(&from, zstd, &content());
        let name = if zstd { "chromium.zst" } else { "chromium.br" };
        File::options().write(true).open(from.join(name)).unwrap().set_len(5000).unwrap();
        let error = unpack(&from, &scratch).unwrap_err();
        assert_eq!(error.code().name(), "CHROME_UNPACK_FAILED");
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
    }
}

#[test]
fn a_directory_without_compressed_files_is_used_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("chromium"), "x").unwrap();
    assert_eq!(unpack(dir.path(), Path::new("/nonexistent")).unwrap(), dir.path());
}
