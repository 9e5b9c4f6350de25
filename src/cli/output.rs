//! The standard output. A reader that goes away (`outdial status | head`) is no failure.

use std::io::{ErrorKind, Write};

/// Whoever read our output has what he wanted.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("nobody reads the output any more")]
pub(crate) struct ReaderGone;

/// For `map_err` on whatever writes to the standard output.
pub(crate) fn unread(error: std::io::Error) -> anyhow::Error {
    if error.kind() == ErrorKind::BrokenPipe { ReaderGone.into() } else { error.into() }
}

/// One line, or several.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(unread)
}

/// Whole lines as they are.
pub(crate) fn text(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(unread)
}

/// Like `println!`, but a reader that went away ends the verb in peace. For functions that return a `Result`.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::output::line(&format!($($text)*))? };
}
pub(crate) use say;
