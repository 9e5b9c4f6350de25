//! What all benches share: how they are asked, how a process is measured, how figures become a table.
//!
//! A figure means something beside another one only: whatever has a peer is run with it in turns, and the ratio of
//! each pair is shown with its median and its range.

use std::path::PathBuf;

mod process;
mod table;

pub(crate) use process::{Process, Usage, cpu_of, now};
pub(crate) use table::{Gate, Table};

/// What the command line asks for: `cargo bench --bench NAME -- [--small] [WORD…]`, and options of a bench that says so.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// Seconds instead of minutes, for CI: that it works is checked, ratios are shown but fail nothing.
    pub(crate) small: bool,
    /// `--rows N[,N…]`: these sizes instead of the full one.
    pub(crate) rows: Vec<u64>,
    /// `--folder DIR`: what is made once and only read is kept there for the next run.
    pub(crate) folder: Option<PathBuf>,
    /// `--prepare`: only fill that folder.
    pub(crate) prepare: bool,
    turns: Option<usize>,
    /// `--first N`: the first seed.
    pub(crate) first: Option<u64>,
    words: Vec<String>,
}

impl Asked {
    /// Of this process.
    ///
    /// # Panics
    /// If an option is unknown.
    pub(crate) fn here() -> Self {
        let mut asked = Self::default();
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} wants a value"));
            match word.as_str() {
                "--small" => asked.small = true,
                "--prepare" => asked.prepare = true,
                "--rows" => {
                    asked.rows = value().split(',').map(|rows| rows.parse().unwrap()).collect();
                }
                "--turns" => asked.turns = Some(value().parse().unwrap()),
                "--first" => asked.first = Some(value().parse().unwrap()),
                "--folder" => asked.folder = Some(value().into()),
                // Cargo says so to every bench.
                "--bench" => {}
                other => {
                    assert!(
                        !other.starts_with('-'),
                        "unknown option {other}; there are --small, --rows N, --turns N, --first N, --folder DIR, --prepare"
                    );
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

    /// How often something is run: as often as `--turns` says, else the full count or once.
    pub(crate) fn times(&self, full: usize) -> usize {
        self.turns.unwrap_or(if self.small { 1 } else { full })
    }

    /// How much of it: what `--rows` says, else the small or the full size.
    pub(crate) fn size(&self, small: u64, full: u64) -> u64 {
        self.rows.first().copied().unwrap_or(if self.small { small } else { full })
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
