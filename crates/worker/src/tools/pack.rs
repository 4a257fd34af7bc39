//! Tools as they travel in a bundle that has a size limit: some of their files compressed, inflated once into a directory that is
//! named by what they are. The directory appears complete, and one that has lost anything since is made anew.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::tools::intact::{self, DIGESTS, Stamps};
use crate::workdir::claim;

/// What the name of every unpacked directory has after the name of its pack.
const INFIX: &str = "-pack-";

/// In an unpacked directory: the size and path of each of its files.
const MARKER: &str = ".complete";

/// How far back a packed file may refer to itself, in bits.
const ZSTD_WINDOW_LOG: u32 = 27;

const BUFFER: usize = 1 << 18;

/// How much of a packed file's beginning and end goes into the name of what it is unpacked to.
const SAMPLE: u64 = 4096;

/// What the name of a compressed file ends with.
const SUFFIX: &str = ".zst";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Plain,
    Zstd,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Packed {
    from: PathBuf,
    /// Where it goes, below the unpacked directory; for an archive, the directory it is unpacked in.
    to: PathBuf,
    coding: Coding,
    is_archive: bool,
}

/// The directory of the files that are in `pack`: that directory itself if nothing in it is compressed, or one below
/// `scratch` that is filled unless it already is. `known` is its state when this process last saw that it is right.
pub(crate) fn unpack(pack: &Path, scratch: &Path, known: &mut Option<Stamps>) -> Result<PathBuf> {
    let failed = |source: io::Error| Error::Pack { pack: pack.display().to_string(), source };
    let prefix = pack.file_name().unwrap_or_default().to_string_lossy() + INFIX;
    let mut files = Vec::new();
    list(pack, Path::new(""), &mut files).map_err(failed)?;
    if files.iter().all(|file| file.coding == Coding::Plain) {
        return Ok(pack.to_owned());
    }
    let target = scratch.join(format!("{prefix}{}", digest(&files).map_err(failed)?));
    if !is_ours_alone(&target) {
        let whose = format!("{} is somebody else's; name another scratch", target.display());
        return Err(failed(io::Error::new(io::ErrorKind::PermissionDenied, whose)));
    }
    if is_complete(&target) && is_intact(pack, &target, known) {
        return Ok(target);
    }
    remove_leftovers(scratch, &prefix);
    *known = None;
    fill(&files, scratch, &prefix, &target).map_err(failed)?;
    *known = Stamps::of(&target).ok();
    Ok(target)
}

/// What tells the files of `pack`, as they are unpacked, from those of every other: their digests, which travel with a pack that was
/// compressed.
pub(crate) fn content(pack: &Path) -> Result<String> {
    let failed = |source: io::Error| Error::Pack { pack: pack.display().to_string(), source };
    if let Ok(digests) = fs::read_to_string(pack.join(DIGESTS)) {
        return Ok(digests);
    }
    let mut files = Vec::new();
    list(pack, Path::new(""), &mut files).map_err(failed)?;
    let found: Vec<_> = files.into_iter().map(|file| file.from).collect();
    let inside = found.iter().filter_map(|file| file.strip_prefix(pack).ok());
    intact::digests(pack, &inside.map(Path::to_owned).collect::<Vec<_>>()).map_err(failed)
}

/// Whether nobody has changed what was unpacked. It is read in full only where this process has not seen it before.
fn is_intact(pack: &Path, target: &Path, known: &mut Option<Stamps>) -> bool {
    let Ok(stamps) = Stamps::of(target) else { return false };
    if known.as_ref() == Some(&stamps) {
        return true;
    }
    let mut files = Vec::new();
    let is_right = list(target, Path::new(""), &mut files).is_ok()
        && intact::matches(pack, target, &paths(&files));
    *known = is_right.then_some(stamps);
    is_right
}

/// Where files go, in the order of their paths.
fn paths(files: &[Packed]) -> Vec<PathBuf> {
    let mut paths: Vec<_> = files.iter().map(|file| file.to.clone()).collect();
    paths.sort();
    paths
}

/// Packs the directory `from`, as [`unpack`] makes it, into the new directory `to`: its largest file alone, so that the rest is
/// inflated at the same time, and the rest together.
pub(crate) fn pack(from: &Path, to: &Path, level: i32) -> Result<()> {
    pack_files(from, to, level)
        .map_err(|source| Error::Pack { pack: to.display().to_string(), source })
}

fn pack_files(from: &Path, to: &Path, level: i32) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let mut files = Vec::new();
    list(from, Path::new(""), &mut files)?;
    fs::write(to.join(DIGESTS), intact::digests(from, &paths(&files))?)?;
    files.sort_by_key(|file| fs::metadata(&file.from).map_or(0, |metadata| metadata.len()));
    let Some(largest) = files.pop() else { return Ok(()) };
    files.sort_by(|a, b| a.to.cmp(&b.to));
    let alone = || {
        let target = to.join(format!("{}{SUFFIX}", largest.to.display()));
        fs::create_dir_all(target.parent().unwrap_or(to))?;
        deflate(&target, level, |out| io::copy(&mut File::open(&largest.from)?, out).map(drop))
    };
    let rest = || {
        if files.is_empty() {
            return Ok(());
        }
        deflate(&to.join("rest.tar.zst"), level, |out| {
            let mut tar = tar::Builder::new(out);
            for file in &files {
                let mut header = tar::Header::new_gnu();
                let source = File::open(&file.from)?;
                header.set_size(source.metadata()?.len());
                header.set_mode(0o755);
                tar.append_data(&mut header, &file.to, source)?;
            }
            tar.finish()
        })
    };
    thread::scope(|scope| {
        let rest = scope.spawn(rest);
        alone().and_then(|()| rest.join().expect("packing does not panic"))
    })
}

fn deflate(
    to: &Path,
    level: i32,
    write: impl FnOnce(&mut zstd::stream::write::Encoder<'_, File>) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = zstd::stream::write::Encoder::new(File::create_new(to)?, level)?;
    out.long_distance_matching(true)?;
    out.window_log(ZSTD_WINDOW_LOG)?;
    out.include_checksum(true)?;
    write(&mut out)?;
    out.finish().map(drop)
}

fn list(pack: &Path, inside: &Path, files: &mut Vec<Packed>) -> io::Result<()> {
    let mut entries = fs::read_dir(pack.join(inside))?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if entry.file_type()?.is_dir() {
            list(pack, &inside.join(name), files)?;
        } else if !name.starts_with('.') {
            files.push(packed(pack, inside, name));
        }
    }
    Ok(())
}

fn packed(pack: &Path, inside: &Path, name: &str) -> Packed {
    let (plain, coding) =
        name.strip_suffix(SUFFIX).map_or((name, Coding::Plain), |plain| (plain, Coding::Zstd));
    let is_archive = coding != Coding::Plain
        && Path::new(plain).extension().is_some_and(|extension| extension == "tar");
    let to = if is_archive { inside.to_owned() } else { inside.join(plain) };
    Packed { from: pack.join(inside).join(name), to, coding, is_archive }
}

/// Names what a pack unpacks to. Reading it all would take as long as a tenth of inflating it, and a bundle never changes in
/// place.
fn digest(files: &[Packed]) -> io::Result<String> {
    let mut hash = Sha256::new();
    for Packed { from, to, coding: _, is_archive: _ } in files {
        let mut file = File::open(from)?;
        let length = file.metadata()?.len();
        hash.update(format!("{}\0{}\0{length}\0", from.display(), to.display()));
        let mut sample = Vec::new();
        (&mut file).take(SAMPLE).read_to_end(&mut sample)?;
        io::Seek::seek(&mut file, io::SeekFrom::Start(length.saturating_sub(SAMPLE)))?;
        file.take(SAMPLE).read_to_end(&mut sample)?;
        hash.update(&sample);
    }
    let digest =
        hash.finalize().iter().take(6).fold(0, |number, byte| number << 8 | u64::from(*byte));
    Ok(format!("{digest:012x}"))
}

/// Whether no other user can have written to a directory, whose files will be run. One that does not exist is ours to make.
fn is_ours_alone(dir: &Path) -> bool {
    let Ok(metadata) = fs::symlink_metadata(dir) else { return true };
    let me = rustix::process::geteuid().as_raw();
    metadata.is_dir() && metadata.uid() == me && metadata.mode() & 0o022 == 0
}

fn is_complete(target: &Path) -> bool {
    let Ok(marker) = fs::read_to_string(target.join(MARKER)) else { return false };
    let mut lines = marker.lines();
    let whole = lines.by_ref().all(|line| {
        let Some((size, path)) = line.split_once(' ') else { return line == "end" };
        fs::metadata(target.join(path)).is_ok_and(|file| file.len().to_string() == size)
    });
    whole && marker.ends_with("end\n")
}

/// Removes what other packs left, and what earlier tries did.
fn remove_leftovers(scratch: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(scratch) else { return };
    for entry in entries.flatten() {
        // One that another process is filling is claimed by it.
        let is_ours = entry.file_name().to_string_lossy().starts_with(prefix);
        if is_ours && claim(&entry.path()).is_some() {
            tracing::warn!(path = %entry.path().display(), "removing an incomplete or outdated tool");
            if let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::warn!(%error, "it is left there");
            }
        }
    }
}

/// Inflates all files at the same time, each on a thread of its own, beside the target, and moves the directory there.
fn fill(files: &[Packed], scratch: &Path, prefix: &str, target: &Path) -> io::Result<()> {
    let beside = tempfile::Builder::new().prefix(&format!("{prefix}part-")).tempdir_in(scratch)?;
    let _claim = claim(beside.path());
    thread::scope(|scope| {
        let threads: Vec<_> =
            files.iter().map(|file| scope.spawn(|| inflate(file, beside.path()))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("inflating does not panic"))
    })?;
    let mut marker = String::new();
    mark(beside.path(), Path::new(""), &mut marker)?;
    fs::write(beside.path().join(MARKER), marker + "end\n")?;
    let beside = beside.keep();
    match fs::rename(&beside, target) {
        // Another process was faster, and what it made is as good.
        Err(_) if is_complete(target) => fs::remove_dir_all(&beside),
        Err(error) => {
            let _reported_below = fs::remove_dir_all(&beside);
            Err(error)
        }
        Ok(()) => Ok(()),
    }
}

fn inflate(file: &Packed, root: &Path) -> io::Result<()> {
    let Packed { from, to, coding, is_archive } = file;
    let target = root.join(to);
    fs::create_dir_all(if *is_archive { &target } else { target.parent().unwrap_or(root) })?;
    let named = |error: io::Error| {
        let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
        io::Error::new(error.kind(), format!("{name}: {error}"))
    };
    let source = BufReader::with_capacity(BUFFER, File::open(from)?);
    match coding {
        Coding::Plain => std::os::unix::fs::symlink(std::path::absolute(from)?, &target),
        Coding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            write_plain(decoder, &target, *is_archive)
        }
    }
    .map_err(named)
}

fn write_plain(mut plain: impl Read, target: &Path, is_archive: bool) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    if is_archive {
        let mut archive = tar::Archive::new(&mut plain);
        archive.set_preserve_ownerships(false);
        archive.unpack(target)?;
        // Padding follows the last entry; a stream that is cut off there is still cut off.
        return io::copy(&mut plain, &mut io::sink()).map(drop);
    }
    let mut out = File::options().write(true).create_new(true).mode(0o755).open(target)?;
    // A large buffer of our own: what is inflated is written in pieces as large as they come.
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = plain.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        io::Write::write_all(&mut out, &buffer[..length])?;
    }
}

/// Bytes of everything that was unpacked below `scratch`.
pub(crate) fn unpacked_bytes(scratch: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(scratch)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains(INFIX) {
            bytes += size_of(&entry.path())?;
        }
    }
    Ok(bytes)
}

/// Bytes of the files in a directory.
pub(crate) fn size_of(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let found = entry.metadata()?;
        bytes += if found.is_dir() { size_of(&entry.path())? } else { found.len() };
    }
    Ok(bytes)
}

fn mark(root: &Path, inside: &Path, marker: &mut String) -> io::Result<()> {
    for entry in fs::read_dir(root.join(inside))? {
        let entry = entry?;
        let path = inside.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            mark(root, &path, marker)?;
        } else {
            let size = fs::metadata(entry.path())?.len();
            writeln!(marker, "{size} {}", path.display())
                .expect("writing to a string does not fail");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
