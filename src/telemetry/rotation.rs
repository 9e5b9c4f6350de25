//! A log file that never grows beyond its limit: `outdial.log`, and before it `outdial.log.1` (the newest) to `.N`.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How much of a log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// A file is closed before it grows beyond so many bytes.
    pub bytes: u64,
    /// So many closed files stay; older ones are removed.
    pub files: u32,
}

/// The file that is written now. Every call of `write` is one line, and lines are never cut in two.
#[derive(Debug)]
pub(super) struct RotatingFile {
    path: PathBuf,
    keep: Keep,
    file: BufWriter<File>,
    size: u64,
}

impl RotatingFile {
    /// Opens the file for its end, readable by its owner only.
    pub(super) fn open(path: &Path, keep: Keep) -> Result<Self> {
        let file = append_to(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), keep, file: BufWriter::with_capacity(BUFFER, file), size })
    }

    /// Closes the file, moves each one place on and begins a new one. Where that fails (a folder that became read-only,
    /// a full disk) the old file goes on, and the next try comes after as many bytes again.
    fn rotate(&mut self) {
        self.size = 0;
        let fresh = self.file.flush().and_then(|()| {
            for number in (1..self.keep.files).rev() {
                rename_if_there(&self.numbered(number), &self.numbered(number + 1))?;
            }
            if self.keep.files > 0 {
                rename_if_there(&self.path, &self.numbered(1))?;
            } else {
                std::fs::remove_file(&self.path)?;
            }
            append_to(&self.path)
        });
        if let Ok(fresh) = fresh {
            self.file = BufWriter::with_capacity(BUFFER, fresh);
        }
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

impl Write for RotatingFile {
    fn write(&mut self, line: &[u8]) -> Result<usize> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.size > 0 && self.size.saturating_add(length) > self.keep.bytes {
            self.rotate();
        }
        self.size = self.size.saturating_add(length);
        self.file.write_all(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }
}

fn append_to(path: &Path) -> Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn rename_if_there(from: &Path, to: &Path) -> Result<()> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

const BUFFER: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path, keep: Keep, lines: usize) -> RotatingFile {
        let mut log = RotatingFile::open(&folder.join("a.log"), keep).unwrap();
        for n in 0..lines {
            log.write_all(format!("line {n:04}\n").as_bytes()).unwrap();
        }
        log.flush().unwrap();
        log
    }

    /// Name and lines of every file in the folder, by name.
    fn files(folder: &Path) -> Vec<(String, Vec<String>)> {
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let text = std::fs::read_to_string(entry.path()).unwrap();
                let lines = text.lines().map(str::to_owned).collect();
                (entry.file_name().into_string().unwrap(), lines)
            })
            .collect();
        files.sort();
        files
    }

    #[test]
    fn the_log_and_its_old_files_stay_within_their_limit_and_hold_the_newest_whole_lines() {
        let folder = tempfile::tempdir().unwrap();
        // Ten bytes a line: three lines a file.
        written(folder.path(), Keep { bytes: 39, files: 2 }, 100);
        let files = files(folder.path());
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a.log", "a.log.1", "a.log.2"]);
        let all: Vec<&str> =
            files.iter().rev().flat_map(|(_, lines)| lines).map(String::as_str).collect();
        let newest: Vec<String> = (93..100).map(|n| format!("line {n:04}")).collect();
        assert_eq!(all, newest);
    }

    #[test]
    fn a_file_of_an_earlier_start_counts_towards_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let keep = Keep { bytes: 39, files: 1 };
        written(folder.path(), keep, 2);
        written(folder.path(), keep, 2);
        let sizes: Vec<usize> = files(folder.path()).iter().map(|(_, lines)| lines.len()).collect();
        assert_eq!(sizes, [1, 3]);
    }

    #[test]
    fn without_old_files_the_one_file_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path(), Keep { bytes: 39, files: 0 }, 4);
        assert_eq!(files(folder.path()), [("a.log".to_owned(), vec!["line 0003".to_owned()])]);
    }

    #[test]
    fn a_file_that_cannot_be_moved_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        // A folder with something in it stands where the old file should go.
        std::fs::create_dir_all(folder.path().join("a.log.1/in the way")).unwrap();
        let keep = Keep { bytes: 39, files: 1 };
        let mut log = RotatingFile::open(&folder.path().join("a.log"), keep).unwrap();
        for n in 0..8 {
            log.write_all(format!("line {n:04}\n").as_bytes()).unwrap();
        }
        log.flush().unwrap();
        let text = std::fs::read_to_string(folder.path().join("a.log")).unwrap();
        assert_eq!(text.lines().count(), 8);
    }
}
