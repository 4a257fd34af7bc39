//! SHA-256 as lower-case hexadecimal, of a file and of its parts.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::blocking::blocking;
use crate::{Error, Result};

pub(crate) struct Digests {
    pub(crate) whole: String,
    pub(crate) parts: Vec<String>,
}

/// The digest of the file at `path`.
pub async fn sha256_file(path: &Path) -> Result<String> {
    Ok(digests(path.to_owned(), None).await?.whole)
}

/// The digest of what is left to read.
pub(crate) fn digest_of(from: &mut impl Read) -> std::io::Result<String> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 18]);
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            length => hash.update(&buffer[..length]),
        }
    }
}

/// The digest of a file and, where they have a length, of each of its parts.
pub(crate) async fn digests(path: PathBuf, part: Option<u64>) -> Result<Digests> {
    let hashed = path.clone();
    let done = blocking(move |stop| -> std::io::Result<Digests> {
        let mut file = File::open(&hashed)?;
        let mut buffer = vec![0; 1 << 18];
        let (mut whole, mut parts) = (Sha256::new(), Vec::new());
        loop {
            let mut one = Sha256::new();
            let mut piece = stop.watch((&mut file).take(part.unwrap_or(u64::MAX)));
            let mut taken = 0;
            loop {
                let length = piece.read(&mut buffer)?;
                if length == 0 {
                    break;
                }
                taken += length;
                whole.update(&buffer[..length]);
                if part.is_some() {
                    one.update(&buffer[..length]);
                }
            }
            if taken == 0 || part.is_none() {
                return Ok(Digests { whole: hex(&whole.finalize()), parts });
            }
            parts.push(hex(&one.finalize()));
        }
    });
    done.await.map_err(reading(&path))
}

pub(crate) fn reading(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Scratch { action: "read", path, source }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_and_its_parts_are_hashed_in_one_go() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abcdefgh").unwrap();
        let digests = digests(file.path().to_owned(), Some(3)).await.unwrap();
        let sha = |text: &str| hex(&Sha256::digest(text));
        assert_eq!(digests.whole, sha("abcdefgh"));
        assert_eq!(digests.parts, [sha("abc"), sha("def"), sha("gh")]);
    }
}
