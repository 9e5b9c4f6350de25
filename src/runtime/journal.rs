//! Writes the journal of pacing: a file per campaign and the one before it, on a thread of its own. The dialer never waits
//! for a disk: where it is too slow the journal has a gap, and begins anew.

use std::collections::BTreeMap;
use std::fs::{File, create_dir_all, rename};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::logic::ids::CampaignId;
use crate::logic::pacing::journal::Line;
use crate::logic::pacing::pacer::Said;

/// The way to the thread.
#[derive(Debug)]
pub(super) struct JournalWriter {
    /// `None` at the end.
    lines: Option<SyncSender<(CampaignId, Line<Said>)>>,
    thread: Option<JoinHandle<()>>,
}

impl JournalWriter {
    /// Makes the folder and the thread.
    pub(super) fn start(folder: &Path) -> std::io::Result<Self> {
        create_dir_all(folder)?;
        let (lines, from_driver) = sync_channel(LINES_WAITING);
        let folder = folder.to_owned();
        let write = move || {
            if let Err(error) = write(&folder, &from_driver) {
                tracing::error!(%error, folder = %folder.display(), "the journal of pacing ends: it cannot be written");
            }
        };
        let thread = std::thread::Builder::new().name("pacing-journal".to_owned()).spawn(write)?;
        Ok(Self { lines: Some(lines), thread: Some(thread) })
    }

    /// `false`: the line is lost.
    pub(super) fn send(&self, campaign: CampaignId, line: Line<Said>) -> bool {
        self.lines.as_ref().is_none_or(|lines| lines.try_send((campaign, line)).is_ok())
    }
}

impl Drop for JournalWriter {
    fn drop(&mut self) {
        // The thread writes what it has, and ends.
        self.lines = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the pacing journal panicked");
        }
    }
}

fn write(folder: &Path, lines: &Receiver<(CampaignId, Line<Said>)>) -> std::io::Result<()> {
    let mut files: BTreeMap<CampaignId, BufWriter<File>> = BTreeMap::new();
    while let Ok((campaign, line)) = lines.recv() {
        if matches!(line, Line::Begins { .. }) {
            files.remove(&campaign);
            let (file, before) = names(folder, campaign);
            if file.exists() {
                rename(&file, before)?;
            }
            files.insert(campaign, BufWriter::new(File::create(file)?));
        }
        if let Some(file) = files.get_mut(&campaign) {
            serde_json::to_writer(&mut *file, &line)?;
            file.write_all(b"\n")?;
        }
    }
    files.into_values().try_for_each(|mut file| file.flush())
}

fn names(folder: &Path, campaign: CampaignId) -> (PathBuf, PathBuf) {
    let name = |part: &str| folder.join(format!("pacing-{}{part}.jsonl", campaign.0));
    (name(""), name(".before"))
}

/// Of one part; with the part before it a journal takes about twice that.
pub(super) const PART_BYTES: u64 = 32_000_000;
/// Several seconds of many campaigns.
const LINES_WAITING: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::pacing::journal::VERSION;

    #[test]
    fn a_journal_that_begins_anew_keeps_the_part_before_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/journal");
        let writer = JournalWriter::start(&path).unwrap();
        let begins = |learned: &str| Line::Begins {
            version: VERSION,
            cap_ppm: 30_000,
            window: None,
            learned: learned.to_owned(),
        };
        for part in ["one", "two", "three"] {
            assert!(writer.send(CampaignId(7), begins(part)));
        }
        drop(writer);
        let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
        let (now, before) = names(&path, CampaignId(7));
        assert!(read(now).contains("three") && read(before).contains("two"));
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 2);
    }
}
