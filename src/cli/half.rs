//! A file that is there when it is whole: written beside its place and put there at the end.

use std::fs::File;
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

    /// Where its bytes go.
    pub(crate) const fn file(&self) -> &File {
        &self.file
    }

    /// Puts it in its place.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        std::fs::rename(&self.half, &self.path).with_context(|| cannot(&self.path))
    }
}

fn cannot(path: &Path) -> String {
    format!("cannot write {}", path.display())
}
