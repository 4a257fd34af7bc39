//! Packing: in the order of names, without owners and times.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use crate::blocking::{Stop, blocking};
use crate::{Error, Result};

type Packer = Builder<GzEncoder<BufWriter<File>>>;

/// A file of an archive: what it is called there, with `/` between its parts, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub path: PathBuf,
}

/// Packs everything below `dir` into the new file `to`.
pub async fn pack(dir: &Path, to: &Path) -> Result<()> {
    let (dir, to) = (dir.to_owned(), to.to_owned());
    blocking(move |stop| {
        let packed = create(&to).and_then(|mut tar| {
            add(&mut tar, &dir, Path::new(""), stop)?;
            finish(tar)
        });
        packed.map_err(scratch("pack a directory into", &to))
    })
    .await
}

/// Packs `members`, in the order in which they are given, into the new file `to`.
pub async fn pack_members(members: Vec<Member>, to: &Path) -> Result<()> {
    let to = to.to_owned();
    blocking(move |stop| {
        let mut tar = create(&to).map_err(scratch("make", &to))?;
        for Member { name, path } in &members {
            add_file(&mut tar, path, Path::new(name), stop).map_err(scratch("pack", path))?;
        }
        finish(tar).map_err(scratch("write", &to))
    })
    .await
}

fn scratch(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Scratch { action, path, source }
}

fn create(to: &Path) -> io::Result<Packer> {
    let out = BufWriter::with_capacity(1 << 20, File::create_new(to)?);
    // What takes the most room in a plan is compressed already.
    Ok(Builder::new(GzEncoder::new(out, Compression::fast())))
}

fn finish(tar: Packer) -> io::Result<()> {
    tar.into_inner()?.finish()?.flush()
}

fn add(tar: &mut Packer, dir: &Path, inside: &Path, stop: &Stop) -> io::Result<()> {
    let mut entries = fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), inside.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let mut header = Header::new_gnu();
            header.set_mtime(0);
            header.set_entry_type(EntryType::Directory);
            header.set_mode(0o755);
            header.set_size(0);
            tar.append_data(&mut header, &name, io::empty())?;
            add(tar, &path, &name, stop)?;
        } else if kind.is_file() {
            add_file(tar, &path, &name, stop)?;
        } else {
            let what = format!("{} is neither a file nor a directory", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
    }
    Ok(())
}

fn add_file(tar: &mut Packer, path: &Path, name: &Path, stop: &Stop) -> io::Result<()> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut header = Header::new_gnu();
    header.set_mtime(0);
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(size);
    // The header has said how much there is; a file that somebody writes at the moment must not spoil what comes after it.
    let mut content = stop.watch(file).take(size);
    tar.append_data(&mut header, name, &mut content)?;
    if content.limit() > 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter meanwhile"));
    }
    Ok(())
}
