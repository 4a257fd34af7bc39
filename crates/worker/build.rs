//! Names this build by the digest of its sources, so that what one build has drawn is not taken for what another one would draw. The
//! program cannot read itself on Lambda.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// What the program is made of, from the directory of this crate.
const SOURCES: [&str; 11] = [
    "../compose/Cargo.toml",
    "../compose/src",
    "../render/Cargo.toml",
    "../render/src",
    "../store/Cargo.toml",
    "../store/src",
    "Cargo.toml",
    "src",
    "../../Cargo.lock",
    "../../Cargo.toml",
    "../../rust-toolchain.toml",
];

fn main() -> io::Result<()> {
    let mut files = Vec::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        list(Path::new(source), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let content = fs::read(&file)?;
        hash.update(format!("{}\0{}\0", file.display(), content.len()));
        hash.update(content);
    }
    let digest = hash.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    });
    println!("cargo::rustc-env=BUILD_DIGEST={digest}");
    Ok(())
}

fn list(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        list(&entry?.path(), files)?;
    }
    Ok(())
}
