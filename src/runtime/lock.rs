//! One dialer per SQLite file: a lock file beside the database says who holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Held for the life of the process; the system frees it however the process ends.
#[derive(Debug)]
pub struct DialerLock {
    file: File,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process dials from this database.
    #[error(
        "{} is held by {holder}: only one dialer may use a SQLite file. Stop that one, or use PostgreSQL for several",
        database.display()
    )]
    Held {
        /// The database.
        database: PathBuf,
        /// Who, as far as the lock file says.
        holder: String,
    },
    /// The lock file cannot be made.
    #[error("cannot lock {}: {source}; is the folder writable?", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl DialerLock {
    /// Takes the lock of a database file for the node called `name`, without waiting.
    ///
    /// # Errors
    /// [`LockError::Held`] names the process that has it.
    pub fn take(database: &Path, name: &str) -> Result<Self, LockError> {
        let path = beside(database, ".lock");
        let io = |source| LockError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                if (&file).take(LONGEST).read_to_string(&mut holder).is_err() || holder.is_empty() {
                    "another process".clone_into(&mut holder);
                }
                let database = database.to_owned();
                return Err(LockError::Held { database, holder: holder.trim().to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let text = format!("process {} on {} (node {name})\n", std::process::id(), host());
        file.set_len(0).map_err(io)?;
        file.write_all(text.as_bytes()).map_err(io)?;
        Ok(Self { file })
    }
}

impl Drop for DialerLock {
    fn drop(&mut self) {
        // The file stays (removing it would race with the next process); only its text goes, so that nobody is
        // named who no longer runs. Both may fail on a full disk: the lock itself ends with the file handle.
        let emptied = self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.set_len(0));
        if let Err(error) = emptied.and_then(|()| self.file.unlock()) {
            tracing::warn!(%error, "the lock file keeps its text");
        }
    }
}

/// `<database><suffix>`, in the same folder.
#[must_use]
pub fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    database.with_file_name(name)
}

/// The machine's name, for people to read.
pub(super) fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "this machine".to_owned(), |name| name.trim().to_owned())
}

/// Most bytes of a lock file that are read.
const LONGEST: u64 = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_dialer_is_told_who_holds_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("calls.db");
        let first = DialerLock::take(&database, "demo").unwrap();
        let error = DialerLock::take(&database, "other").unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
        assert!(text.contains("node demo"), "{text}");
        drop(first);
        DialerLock::take(&database, "other").unwrap();
    }

    #[test]
    fn the_lock_lies_beside_its_database() {
        assert_eq!(beside(Path::new("/a/b.db"), ".lock"), Path::new("/a/b.db.lock"));
        assert_eq!(beside(Path::new("b.db"), ".sock"), Path::new("b.db.sock"));
    }
}
