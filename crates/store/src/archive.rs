//! A directory tree as one `tar.gz`: the same tree always makes the same bytes, and no archive, however it was made, can write
//! anything but plain files below the directory it is unpacked into.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Component, Path, PathBuf};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use tar::{Archive, Builder, EntryType, Header};

use crate::blocking::Stop;
use crate::{Error, Result};

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

/// An archive smaller than this when unpacked may have any ratio.
const RATIO_MATTERS_FROM: u64 = 64 << 20;

/// Packs everything below `dir` into the new file `to`: in the order of names, owned by nobody, made at no time.
pub async fn pack(dir: &Path, to: &Path) -> Result<()> {
    let (dir, to) = (dir.to_owned(), to.to_owned());
    crate::blocking::blocking(move |stop| {
        pack_blocking(&dir, &to, stop).map_err(|source| Error::Scratch {
            action: "pack a directory into",
            path: to,
            source,
        })
    })
    .await
}

fn pack_blocking(dir: &Path, to: &Path, stop: &Stop) -> io::Result<()> {
    let out = BufWriter::with_capacity(1 << 20, File::create_new(to)?);
    // What takes the most room in a plan is compressed already.
    let mut tar = Builder::new(GzEncoder::new(out, Compression::fast()));
    add(&mut tar, dir, Path::new(""), stop)?;
    tar.into_inner()?.finish()?.flush()
}

fn add<W: Write>(tar: &mut Builder<W>, dir: &Path, inside: &Path, stop: &Stop) -> io::Result<()> {
    let mut entries = fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), inside.join(entry.file_name()));
        let kind = entry.file_type()?;
        let mut header = Header::new_gnu();
        header.set_mtime(0);
        if kind.is_dir() {
            header.set_entry_type(EntryType::Directory);
            header.set_mode(0o755);
            header.set_size(0);
            tar.append_data(&mut header, &name, io::empty())?;
            add(tar, &path, &name, stop)?;
        } else if kind.is_file() {
            let file = File::open(&path)?;
            header.set_entry_type(EntryType::Regular);
            header.set_mode(0o644);
            header.set_size(file.metadata()?.len());
            tar.append_data(&mut header, &name, stop.watch(file))?;
        } else {
            let what = format!("{} is neither a file nor a directory", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
    }
    Ok(())
}

/// Unpacks the archive `from`, which is called `name` in errors, into the directory `into`.
pub async fn unpack(from: &Path, name: &str, into: &Path, limits: Limits) -> Result<()> {
    let (from, name, into) = (from.to_owned(), name.to_owned(), into.to_owned());
    crate::blocking::blocking(move |stop| unpack_blocking(&from, &name, &into, limits, stop)).await
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
    limits: Limits,
    stop: &Stop,
) -> Result<()> {
    let scratch = |action, path: &Path| {
        let path = path.to_owned();
        move |source| Error::Scratch { action, path, source }
    };
    fs::create_dir_all(into).map_err(scratch("make", into))?;
    let file = File::open(from).map_err(scratch("open", from))?;
    if file.metadata().map_err(scratch("look at", from))?.len() == 0 {
        return Err(Error::Archive { archive: name.to_owned(), reason: "it is empty".into() });
    }
    let consumed = Cell::new(0);
    let counted = Counted { inner: stop.watch(file), count: &consumed };
    let gzip = MultiGzDecoder::new(BufReader::with_capacity(1 << 18, counted));
    match unpack_entries(gzip, into, limits, &consumed) {
        Ok(()) => Ok(()),
        Err(Failure::Bad(reason)) => Err(Error::Archive { archive: name.to_owned(), reason }),
        Err(Failure::Write(path, source)) => {
            Err(Error::Scratch { action: "unpack into", path, source })
        }
    }
}

fn unpack_entries(
    gzip: impl Read,
    into: &Path,
    limits: Limits,
    consumed: &Cell<u64>,
) -> std::result::Result<(), Failure> {
    let unreadable = |error: io::Error| Failure::Bad(format!("it is damaged or cut off: {error}"));
    let mut archive = Archive::new(gzip);
    let (mut entries, mut bytes) = (0, 0);
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let shown = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        entries += 1;
        if entries > limits.entries {
            return Err(Failure::Bad(format!("it has more than {} entries", limits.entries)));
        }
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            continue;
        }
        let path = into.join(safe_path(&entry.path().map_err(unreadable)?, &shown)?);
        match kind {
            EntryType::Directory => {
                fs::create_dir_all(&path).map_err(|error| Failure::Write(path, error))?;
                continue;
            }
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Symlink | EntryType::Link => {
                return Err(Failure::Bad(format!(
                    "{shown} is a link; only files and directories are taken"
                )));
            }
            _ => {
                return Err(Failure::Bad(format!(
                    "{shown} is neither a file nor a directory; only those are taken"
                )));
            }
        }
        bytes += entry.size();
        if bytes > limits.bytes {
            return Err(Failure::Bad(format!("it unpacks to more than {} bytes", limits.bytes)));
        }
        let write = |error| Failure::Write(path.clone(), error);
        fs::create_dir_all(path.parent().unwrap_or(into)).map_err(write)?;
        let file = File::create_new(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::Bad(format!("{shown} is in it twice")),
            _ => write(error),
        })?;
        let before = bytes - entry.size();
        copy(&mut entry, file, |done| {
            let unpacked = before + done;
            if unpacked > RATIO_MATTERS_FROM && unpacked / limits.ratio > consumed.get() {
                return Err(Failure::Bad(format!(
                    "it unpacks to more than {} times its size",
                    limits.ratio
                )));
            }
            Ok(())
        })
        .map_err(|failure| match failure {
            Copying::Read(error) => unreadable(error),
            Copying::Write(error) => Failure::Write(path.clone(), error),
            Copying::Refused(failure) => failure,
        })?;
    }
    // What follows the last entry is only padding, but reading it makes gzip compare its checksum.
    let mut padding = archive.into_inner().take(1 << 20);
    io::copy(&mut padding, &mut io::sink()).map_err(unreadable)?;
    if entries == 0 {
        return Err(Failure::Bad("it has no entries".into()));
    }
    Ok(())
}

enum Copying {
    Read(io::Error),
    Write(io::Error),
    Refused(Failure),
}

/// Copies everything, asking before each piece whether it may go on.
fn copy(
    from: &mut impl Read,
    mut to: File,
    may: impl Fn(u64) -> std::result::Result<(), Failure>,
) -> std::result::Result<(), Copying> {
    let mut buffer = vec![0; 1 << 16];
    let mut done = 0;
    loop {
        let length = from.read(&mut buffer).map_err(Copying::Read)?;
        if length == 0 {
            return Ok(());
        }
        done += length as u64;
        may(done).map_err(Copying::Refused)?;
        to.write_all(&buffer[..length]).map_err(Copying::Write)?;
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

/// Counts what is read.
struct Counted<'a, R> {
    inner: R,
    count: &'a Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.count.set(self.count.get() + length as u64);
        Ok(length)
    }
}

#[cfg(test)]
mod tests;
