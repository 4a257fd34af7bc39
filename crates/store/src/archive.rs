//! A directory tree as one `tar.gz`: the same tree always makes the same bytes, and no archive, however it was made, can write
//! anything but plain files below the directory it is unpacked into.

mod links;
mod pack;

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use tar::{Archive, EntryType};

use crate::blocking::Stop;
use crate::{Error, Result};

use links::Link;
pub use pack::{Member, pack, pack_members};

/// How much an archive may unpack to.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub entries: u64,
    pub bytes: u64,
    /// Unpacked bytes for each packed one, once there are many.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 100_000, bytes: 4 << 30, ratio: 200 }
    }
}

/// What becomes of links in an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    Refused,
    /// They are made if they lead to something in the archive. Below the names at the top that are `left_out` of a project, they
    /// are skipped: nobody reads what is there.
    Followed {
        left_out: &'static [&'static str],
    },
}

/// An archive smaller than this when unpacked may have any ratio.
const RATIO_MATTERS_FROM: u64 = 64 << 20;

/// Unpacks the archive `from`, which is called `name` in errors, into the directory `into`.
pub async fn unpack(
    from: &Path,
    name: &str,
    into: &Path,
    limits: Limits,
    links: Links,
) -> Result<()> {
    let (from, name, into) = (from.to_owned(), name.to_owned(), into.to_owned());
    crate::blocking::blocking(move |stop| {
        unpack_blocking(&from, &name, &into, (limits, links), stop)
    })
    .await
}

/// Why unpacking ended early.
enum Failure {
    /// The archive is not what it should be.
    Bad(String),
    /// The place it is unpacked to cannot be written.
    Write(PathBuf, io::Error),
}

fn unpack_blocking(
    from: &Path,
    name: &str,
    into: &Path,
    (limits, links): (Limits, Links),
    stop: &Stop,
) -> Result<()> {
    let scratch = |action, path: &Path| {
        let path = path.to_owned();
        move |source| Error::Scratch { action, path, source }
    };
    make_dirs(into.parent().unwrap_or(into), Path::new(into.file_name().unwrap_or_default()))
        .map_err(scratch("make", into))?;
    let file = File::open(from).map_err(scratch("open", from))?;
    if file.metadata().map_err(scratch("read the metadata of", from))?.len() == 0 {
        return Err(Error::Archive { archive: name.to_owned(), reason: "it is empty".into() });
    }
    let meter = Meter::new(limits);
    let counted = Packed { inner: stop.watch(file), meter: &meter };
    let gzip = MultiGzDecoder::new(BufReader::with_capacity(1 << 18, counted));
    let plain = Plain { inner: gzip, meter: &meter };
    let unpacked = unpack_entries(plain, into, &meter, links)
        .and_then(|found| links::make(&found, into, limits));
    match unpacked {
        Ok(()) => Ok(()),
        Err(Failure::Bad(reason)) => Err(Error::Archive { archive: name.to_owned(), reason }),
        Err(Failure::Write(path, source)) => {
            Err(Error::Scratch { action: "unpack into", path, source })
        }
    }
}

fn unpack_entries(
    plain: Plain<'_, impl Read>,
    into: &Path,
    meter: &Meter,
    links: Links,
) -> std::result::Result<Vec<Link>, Failure> {
    let mut found = Vec::new();
    let mut archive = Archive::new(plain);
    let mut all = archive.entries().map_err(|error| unreadable(&error))?;
    let mut entries = 0;
    loop {
        meter.allow_a_header();
        let Some(entry) = all.next() else { break };
        let mut entry = entry.map_err(|error| unreadable(&error))?;
        meter.allow_content();
        entries += 1;
        if entries > meter.limits.entries {
            let most = meter.limits.entries;
            return Err(Failure::Bad(format!("it has more than {most} entries")));
        }
        found.extend(unpack_entry(&mut entry, into, links)?);
    }
    meter.allow_content();
    // What follows the last entry is only padding, but reading it makes gzip compare its checksum.
    let mut padding = archive.into_inner().take(1 << 20);
    io::copy(&mut padding, &mut io::sink()).map_err(|error| unreadable(&error))?;
    if entries == 0 {
        return Err(Failure::Bad("it has no entries".into()));
    }
    Ok(found)
}

/// Writes an entry below `into`, or returns the link that it is.
fn unpack_entry<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    into: &Path,
    links: Links,
) -> std::result::Result<Option<Link>, Failure> {
    let shown = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    let kind = entry.header().entry_type();
    if kind == EntryType::XGlobalHeader {
        return Ok(None);
    }
    let path = entry.path().map_err(|error| unreadable(&error))?;
    let name = safe_path(&path, &shown)?;
    let path = into.join(&name);
    let write = |error| cannot_be_made(&shown, &path, error);
    match kind {
        EntryType::Directory => {
            return make_dirs(into, &name).map_err(write).map(|()| None);
        }
        EntryType::Regular | EntryType::Continuous => {}
        EntryType::Symlink | EntryType::Link => {
            let target = entry.link_name().map_err(|error| unreadable(&error))?;
            return links.take(name, shown, kind, target.as_deref());
        }
        _ => {
            let reason = format!("{shown} is neither a file nor a directory; only those are taken");
            return Err(Failure::Bad(reason));
        }
    }
    make_dirs(into, name.parent().unwrap_or(Path::new(""))).map_err(write)?;
    let mut file = File::create_new(&path).map_err(write)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = entry.read(&mut buffer).map_err(|error| unreadable(&error))?;
        if length == 0 {
            return Ok(None);
        }
        file.write_all(&buffer[..length]).map_err(write)?;
    }
}

/// Makes each directory of `below` in `into`, which must be there: once the caller is gone and has removed the
/// directory, it is not made again.
fn make_dirs(into: &Path, below: &Path) -> io::Result<()> {
    let mut dir = into.to_owned();
    for part in below.components() {
        dir.push(part);
        match fs::create_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
            made => made?,
        }
    }
    Ok(())
}

/// Whether it is the archive's fault or the disk's that an entry cannot be made.
fn cannot_be_made(shown: &str, path: &Path, error: io::Error) -> Failure {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::AlreadyExists => Failure::Bad(format!("{shown} is in it twice")),
        Kind::NotADirectory | Kind::IsADirectory | Kind::InvalidFilename | Kind::InvalidInput => {
            Failure::Bad(format!("{shown} cannot be the name of a file"))
        }
        _ => Failure::Write(path.to_owned(), error),
    }
}

fn unreadable(error: &io::Error) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(found) = cause {
        let inner = found.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(TooMuch(reason)) = inner.and_then(|inner| inner.downcast_ref()) {
            return Failure::Bad(reason.clone());
        }
        cause = inner.map_or_else(|| found.source(), |inner| inner.source());
    }
    Failure::Bad(format!("it is damaged or cut off: {error}"))
}

/// What was read is more than may be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct TooMuch(String);

/// Counts what comes out of an archive, wherever it goes: names and attributes of any length are read into memory.
#[derive(Debug)]
struct Meter {
    limits: Limits,
    packed: Cell<u64>,
    plain: Cell<u64>,
    /// Where reading must stop for now.
    until: Cell<u64>,
}

/// The most that may stand between the contents of two files.
const MAX_HEADER_BYTES: u64 = 1 << 20;

impl Meter {
    fn new(limits: Limits) -> Self {
        Self { limits, packed: Cell::new(0), plain: Cell::new(0), until: Cell::new(0) }
    }

    fn allow_a_header(&self) {
        self.until.set(self.plain.get() + MAX_HEADER_BYTES);
    }

    fn allow_content(&self) {
        self.until.set(u64::MAX);
    }

    fn check(&self) -> io::Result<()> {
        let Limits { entries: _, bytes, ratio } = self.limits;
        let plain = self.plain.get();
        let reason = if plain > bytes.saturating_add(MAX_HEADER_BYTES) {
            format!("it unpacks to more than {bytes} bytes")
        } else if plain > RATIO_MATTERS_FROM && plain / ratio > self.packed.get() {
            format!("it unpacks to more than {ratio} times its size")
        } else if plain > self.until.get() {
            "a name or attribute in it is too long".to_owned()
        } else {
            return Ok(());
        };
        Err(io::Error::other(TooMuch(reason)))
    }
}

/// The path of an entry, which must lead nowhere but down.
fn safe_path(path: &Path, shown: &str) -> std::result::Result<PathBuf, Failure> {
    let mut safe = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => safe.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(Failure::Bad(format!("{shown} leads out of the archive")));
            }
        }
    }
    Ok(safe)
}

/// Counts what is read from the file.
struct Packed<'a, R> {
    inner: R,
    meter: &'a Meter,
}

impl<R: Read> Read for Packed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.meter.packed.set(self.meter.packed.get() + length as u64);
        Ok(length)
    }
}

/// Counts and bounds what comes out of it.
struct Plain<'a, R> {
    inner: R,
    meter: &'a Meter,
}

impl<R: Read> Read for Plain<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.meter.plain.set(self.meter.plain.get() + length as u64);
        self.meter.check()?;
        Ok(length)
    }
}

#[cfg(test)]
mod tests;
