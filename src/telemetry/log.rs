//! The log file: written by a thread of its own, so that a slow disk never delays a call.

use std::io::BufWriter;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::telemetry::rotation::Keep;
use crate::telemetry::rotation::RotatingFile;

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// Where the log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// To the end of a file, readable by its owner only; it and its predecessors are bounded.
    File(PathBuf, Keep),
    /// Where a service manager or a person sees it.
    StandardError,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be written.
    #[error("cannot write the log {}: {source}; choose another path in [log]", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The filter is not one.
    #[error("`{filter}` is not a log filter ({why}); examples: info, outdial=debug")]
    Filter {
        /// As given.
        filter: String,
        /// What is wrong with it.
        why: String,
    },
    /// This process logs already.
    #[error("this process has a log already")]
    Twice,
}

/// Keeps the log's thread; dropping it writes what is left.
#[derive(Debug)]
pub struct LogGuard {
    lines: Option<SyncSender<Vec<u8>>>,
    writer: Option<JoinHandle<()>>,
    closed: Arc<AtomicU64>,
}

/// Sends everything that is traced from now on to `target`.
///
/// When the disk is so slow that [`QUEUE`] lines wait, further lines are lost, and the log says how many.
///
/// # Errors
/// See [`LogError`].
pub fn start(target: &LogTarget, format: LogFormat, filter: &str) -> Result<LogGuard, LogError> {
    let parsed = EnvFilter::try_new(filter)
        .map_err(|why| LogError::Filter { filter: filter.to_owned(), why: why.to_string() })?;
    let (path, file): (&Path, Box<dyn Write + Send>) = match target {
        LogTarget::StandardError => {
            ("standard error".as_ref(), Box::new(BufWriter::new(std::io::stderr())))
        }
        LogTarget::File(path, keep) => {
            let open = |source| LogError::Open { path: path.clone(), source };
            (path, Box::new(RotatingFile::open(path, *keep).map_err(open)?))
        }
    };
    let open = |source| LogError::Open { path: path.to_owned(), source };
    let (lines, queue) = sync_channel(QUEUE);
    let lost = Arc::new(AtomicU64::new(0));
    let closed = Arc::new(AtomicU64::new(0));
    let writer = {
        let (lost, closed) = (Arc::clone(&lost), Arc::clone(&closed));
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write(file, &queue, &lost, &closed))
            .map_err(open)?
    };
    let lines_to = Lines { lines: lines.clone(), lost };
    let builder = tracing_subscriber::fmt().with_env_filter(parsed).with_ansi(false);
    let set: Result<(), _> = match format {
        LogFormat::Text => {
            tracing::subscriber::set_global_default(builder.with_writer(lines_to).finish())
        }
        LogFormat::Json => tracing::subscriber::set_global_default(
            builder.json().flatten_event(true).with_writer(lines_to).finish(),
        ),
    };
    set.map_err(|_| LogError::Twice)?;
    Ok(LogGuard { lines: Some(lines), writer: Some(writer), closed })
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        // The global subscriber keeps a sender for ever, so the end cannot be told by a closed channel.
        self.closed.store(1, Ordering::Release);
        drop(self.lines.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            // Nothing to do and nowhere to say it: the log itself is broken.
        }
    }
}

fn write(
    mut file: Box<dyn Write + Send>,
    queue: &Receiver<Vec<u8>>,
    lost: &AtomicU64,
    closed: &AtomicU64,
) {
    // A full disk loses lines, never a call: errors are counted and told when writing works again.
    let put = |line: &[u8], file: &mut Box<dyn Write + Send>| {
        if file.write_all(line).is_err() {
            lost.fetch_add(1, Ordering::Relaxed);
        }
    };
    loop {
        match queue.recv_timeout(FLUSH) {
            Ok(line) => put(&line, &mut file),
            Err(RecvTimeoutError::Timeout) => {
                let missing = lost.swap(0, Ordering::Relaxed);
                if missing > 0 {
                    put(format!("{{\"log_lines_lost\":{missing}}}\n").as_bytes(), &mut file);
                }
                if file.flush().is_err() {
                    lost.fetch_add(1, Ordering::Relaxed);
                }
                if closed.load(Ordering::Acquire) == 1 {
                    return;
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Gives every event a buffer that goes to the queue as one piece.
#[derive(Clone, Debug)]
struct Lines {
    lines: SyncSender<Vec<u8>>,
    lost: Arc<AtomicU64>,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { to: self, text: Vec::with_capacity(256) }
    }
}

struct Line<'a> {
    to: &'a Lines,
    text: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = LONGEST_LINE.saturating_sub(self.text.len());
        self.text.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let text = std::mem::take(&mut self.text);
        match self.to.lines.try_send(text) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.to.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Lines that may wait for the disk.
pub const QUEUE: usize = 16_384;
/// Longest line; the rest of it is cut.
const LONGEST_LINE: usize = 16 * 1024;
/// A quiet log is on disk after this time.
const FLUSH: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_queue_are_counted_as_lost_and_never_wait() {
        let (lines, queue) = sync_channel(1);
        let lost = Arc::new(AtomicU64::new(0));
        let to = Lines { lines, lost: Arc::clone(&lost) };
        for text in ["one\n", "two\n", "three\n"] {
            to.make_writer().write_all(text.as_bytes()).unwrap();
        }
        assert_eq!(queue.recv().unwrap(), b"one\n");
        assert_eq!(lost.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_wrong_filter_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let keep = Keep { bytes: 1_000, files: 1 };
        let target = LogTarget::File(folder.path().join("log"), keep);
        let error = start(&target, LogFormat::Text, "=loud=").unwrap_err();
        assert!(matches!(error, LogError::Filter { .. }), "{error}");
    }
}
