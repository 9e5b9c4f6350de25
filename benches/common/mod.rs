//! What all benches share: how they are asked, how a process is measured, how figures become a table.
//!
//! A figure means something beside another one only: whatever has a peer is run with it in turns, and the ratio of
//! each pair is shown with its median and its range.

mod process;
mod table;

pub(crate) use process::{Process, Usage, cpu_of, now};
pub(crate) use table::{Gate, Table};

/// What the command line asks for: `cargo bench --bench NAME -- [--small] [WORD…]`.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Seconds instead of minutes, for CI: that it works is checked, ratios are shown but fail nothing.
    pub(crate) small: bool,
    words: Vec<String>,
}

impl Asked {
    /// Of this process.
    ///
    /// # Panics
    /// If an option is unknown.
    pub(crate) fn here() -> Self {
        let mut asked = Self { small: false, words: Vec::new() };
        for word in std::env::args().skip(1) {
            match word.as_str() {
                "--small" => asked.small = true,
                // Cargo says so to every bench.
                "--bench" => {}
                other => {
                    assert!(!other.starts_with('-'), "unknown option {other}; there is --small");
                    asked.words.push(word);
                }
            }
        }
        asked
    }

    /// Whether a part of the bench is to be run: all are, unless some are named.
    pub(crate) fn wants(&self, part: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| part.contains(word.as_str()))
    }

    /// How often something is run: the full count, or once.
    pub(crate) const fn times(&self, full: usize) -> usize {
        if self.small { 1 } else { full }
    }
}

/// The middle one; of an even number the mean of the middle two.
///
/// # Panics
/// Without any.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}
