//! Figures, one a line, each with its range and its gate.

use std::process::ExitCode;

use super::{Asked, median};

/// Prints lines as they come, and remembers whether every gate was kept.
#[derive(Debug)]
pub(crate) struct Table {
    small: bool,
    broken: Vec<String>,
}

/// What a figure has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gate {
    /// At most so much.
    Most(f64),
    /// At least so much.
    Least(f64),
    /// Shown only.
    None,
}

impl Table {
    /// With a title.
    pub(crate) fn new(asked: &Asked, title: &str) -> Self {
        let size = if asked.small { ", small: ratios fail nothing" } else { "" };
        println!("{title} ({} processors{size})", std::thread::available_parallelism().unwrap());
        println!("{:<58} {:>10} {:>21}  gate", "figure", "median", "least .. most");
        Self { small: asked.small, broken: Vec::new() }
    }

    /// A figure from its runs.
    pub(crate) fn figure(&mut self, name: &str, runs: &[f64], gate: Gate) {
        let middle = median(runs);
        let least = runs.iter().copied().fold(f64::INFINITY, f64::min);
        let most = runs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (kept, words) = match gate {
            Gate::Most(limit) => (middle <= limit, format!("<= {}", short(limit))),
            Gate::Least(limit) => (middle >= limit, format!(">= {}", short(limit))),
            Gate::None => (true, String::new()),
        };
        let range = format!("{} .. {}", short(least), short(most));
        let verdict = if kept { "" } else { "  BROKEN" };
        println!("{name:<58} {:>10} {range:>21}  {words}{verdict}", short(middle));
        if !kept {
            self.broken.push(name.to_owned());
        }
    }

    /// Two things that were run in turns, and the ratio of the first to the second in each turn.
    pub(crate) fn pair(&mut self, ours: (&str, &[f64]), anchor: (&str, &[f64]), gate: Gate) {
        assert_eq!(ours.1.len(), anchor.1.len(), "both are run as often");
        self.figure(ours.0, ours.1, Gate::None);
        self.figure(anchor.0, anchor.1, Gate::None);
        let ratios: Vec<f64> =
            ours.1.iter().zip(anchor.1).map(|(ours, anchor)| ours / anchor).collect();
        self.figure("  ratio", &ratios, gate);
    }

    /// A broken gate fails a full run.
    pub(crate) fn verdict(self) -> ExitCode {
        if self.broken.is_empty() || self.small {
            return ExitCode::SUCCESS;
        }
        println!("gates broken: {}", self.broken.join(", "));
        ExitCode::FAILURE
    }
}

/// Four digits that matter, as a rule.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1_000.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}
