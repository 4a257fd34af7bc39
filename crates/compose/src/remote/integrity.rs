//! Subresource integrity: whether a file is the one whose digest the page names.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::error::{Error, Result};

/// Whether `bytes` have one of the digests of an `integrity` attribute. Only those of its strongest algorithm count, and an
/// attribute without any that is known says nothing.
pub(super) fn is_intact(bytes: &[u8], integrity: &str) -> bool {
    for (prefix, digest) in [
        ("sha512-", Sha512::digest(bytes).to_vec()),
        ("sha384-", Sha384::digest(bytes).to_vec()),
        ("sha256-", Sha256::digest(bytes).to_vec()),
    ] {
        let wanted: Vec<&str> =
            integrity.split_ascii_whitespace().filter_map(|one| one.strip_prefix(prefix)).collect();
        if !wanted.is_empty() {
            let is_it = |one: &str| {
                let encoded = one.split('?').next().unwrap_or_default();
                STANDARD
                    .decode(encoded.replace('-', "+").replace('_', "/"))
                    .is_ok_and(|it| it == digest)
            };
            return wanted.iter().any(|one| is_it(one));
        }
    }
    true
}

pub(super) fn check(file: &Path, integrity: &str, what: &str) -> Result<()> {
    let bytes = std::fs::read(file).map_err(Error::io("read", file))?;
    if is_intact(&bytes, integrity) {
        return Ok(());
    }
    let reason = format!("what arrived is not what its integrity=\"{integrity}\" names");
    Err(Error::RemoteRefused { what: what.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_digest_decides() {
        // Of the three bytes "abc".
        let sha256 = "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
        let sha384 = "sha384-ywB1P0WjXou1oD1pmsZQBycsMqsO3tFjGotgWkP/W+2AhgcroefMI1i67KE0yCWn";
        let sha512 = "sha512-3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==";
        let wrong = "sha384-AAAA";
        for (bytes, integrity, expected) in [
            (&b"abc"[..], sha256.to_owned(), true),
            (b"abd", sha256.to_owned(), false),
            (b"abc", sha384.to_owned(), true),
            (b"abc", sha512.to_owned(), true),
            (b"abc", format!("{sha256} {wrong}"), false),
            (b"abc", format!("{wrong} {sha384}"), true),
            (b"abc", format!("{wrong} {sha512}"), true),
            (b"abc", format!("{sha256}?ct=application/javascript"), true),
            (b"abc", "md5-AAAA".to_owned(), true),
            (b"abc", String::new(), true),
        ] {
            assert_eq!(is_intact(bytes, &integrity), expected, "{integrity}");
        }
    }
}
