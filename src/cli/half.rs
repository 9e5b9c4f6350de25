//! A file that is there when it is whole: written beside its place and put there at the end.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::runtime::lock::beside;

/// A file on its way.
#[derive(Debug)]
pub(crate) struct Half {
    file: File,
    half: PathBuf,
    path: PathBuf,
}

impl Half {
    /// Begins the file that will be at `path`; what is there stays until the end.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let half = beside(path, ".part");
        let file = File::create(&half).with_context(|| cannot(path))?;
        Ok(Self { file, half, path: path.to_owned() })
    }

    /// Likewise, unless another process is writing that file: then `None`.
    pub(crate) fn create_alone(path: &Path) -> anyhow::Result<Option<Self>> {
        let half = beside(path, ".part");
        let mut open = OpenOptions::new();
        let file = open.write(true).create(true).truncate(false).open(&half);
        let file = file.with_context(|| cannot(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| cannot(path)),
        }
        file.set_len(0).with_context(|| cannot(path))?;
        Ok(Some(Self { file, half, path: path.to_owned() }))
    }

    /// Where its bytes go.
    pub(crate) const fn file(&self) -> &File {
        &self.file
    }

    /// Puts it in its place. When this returns it is there even after a power cut.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        self.put().with_context(|| cannot(&self.path))
    }

    /// Leaves what is in its place as it is.
    pub(crate) fn forget(self) -> anyhow::Result<()> {
        std::fs::remove_file(&self.half).with_context(|| cannot(&self.path))
    }

    fn put(&self) -> std::io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.half, &self.path)?;
        match self.path.parent() {
            Some(folder) if folder != Path::new("") => File::open(folder)?.sync_all(),
            Some(_) | None => File::open(".")?.sync_all(),
        }
    }
}

fn cannot(path: &Path) -> String {
    format!("cannot write {}", path.display())
}
