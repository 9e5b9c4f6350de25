//! Pacing against days of call centres: the table of all scenarios and policies, what the ledger's bound `instant` costs,
//! what knowing the leads is worth, and how long a decision takes.
//!
//! `cargo bench --bench pacing`, or a part: `-- table`, `-- decision`, `-- n20`; `-- table --first 2001` begins at that seed.
//! docs/benches.md says what the figures mean.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench that cannot run ends"
)]
#![expect(clippy::print_stdout, clippy::as_conversions, reason = "figures that are printed")]

#[path = "../common/mod.rs"]
#[expect(dead_code, unused_imports, reason = "each bench uses a part")]
mod common;
mod days;
mod decision;
mod plain;
mod sample;
mod table;

use std::process::ExitCode;

use common::{Asked, Table};

fn main() -> ExitCode {
    let asked = Asked::here();
    let mut broken = table::run(&asked);
    days::instant(&asked);
    days::leads(&asked);
    let mut figures = None;
    if asked.wants("decision") {
        let table = figures.insert(Table::new(&asked, "a decision of the engine, in microseconds"));
        decision::run(&asked, table);
    }
    broken.retain(|_| !asked.small);
    if !broken.is_empty() {
        println!("gates broken: {}", broken.join(", "));
        return ExitCode::FAILURE;
    }
    figures.map_or(ExitCode::SUCCESS, Table::verdict)
}
