//! The process that does with bare prepared statements what ours is compared with.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::bare;

/// Of this program, at the anchor's work.
pub(crate) fn command() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(bare::WORD);
    command
}

/// An anchor that works when it is told to.
pub(crate) struct Anchor {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Anchor {
    /// On a SQLite file.
    pub(crate) fn start(role: &str, database: &Path) -> Self {
        let mut command = command();
        command.arg(role).arg(database).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let orders = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, orders, answers }
    }

    /// Milliseconds of one piece of work.
    pub(crate) fn work(&mut self, number: i64) -> f64 {
        writeln!(self.orders, "{number}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }
}

impl Drop for Anchor {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
