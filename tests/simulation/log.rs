//! Everything the node did, as one number; and the last lines for a failure.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The log of one world.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) hash: u64,
    pub(crate) lines: u64,
    pub(crate) last: VecDeque<String>,
    pub(crate) loud: bool,
}

impl Log {
    #[expect(clippy::print_stderr, reason = "asked for by the environment")]
    pub(crate) fn add(&mut self, line: String) {
        let mut hasher = DefaultHasher::new();
        (self.hash, &line).hash(&mut hasher);
        self.hash = hasher.finish();
        self.lines += 1;
        if self.loud {
            eprintln!("{line}");
        }
        if self.last.len() >= LAST_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }
}

const LAST_LINES: usize = 60;
