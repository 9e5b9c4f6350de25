//! A file that is there when it is whole: written beside its place and put there at the end.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt;
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
        if !is_at(&file, &half).with_context(|| cannot(path))? {
            return Ok(None);
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

/// Whether a file is still where it was opened: whoever held it may have put it in its place before they let it go, and
/// then it is theirs and whole.
fn is_at(file: &File, path: &Path) -> std::io::Result<bool> {
    match std::fs::metadata(path) {
        Ok(there) => {
            let ours = file.metadata()?;
            Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn cannot(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_finished_since_it_was_opened_is_not_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new.csv");
        let half = Half::create_alone(&path).unwrap().unwrap();
        assert!(Half::create_alone(&path).unwrap().is_none(), "it is held");
        let opened = File::open(&half.half).unwrap();
        let part = half.half.clone();
        assert!(is_at(&opened, &part).unwrap());
        half.finish().unwrap();
        assert!(!is_at(&opened, &part).unwrap(), "it is in its place");
        let next = Half::create_alone(&path).unwrap().unwrap();
        assert!(!is_at(&opened, &part).unwrap(), "the next one is another");
        next.forget().unwrap();
        assert!(path.exists());
    }
}
