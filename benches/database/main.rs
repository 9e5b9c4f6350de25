//! The database at scale: lists in, results out, claims and durable writes, each beside its anchor in the same minute.
//!
//! `cargo bench --bench database`, or some parts of it: `cargo bench --bench database -- claims export`. What speaks to
//! PostgreSQL needs a server: `tests/postgres run cargo bench --bench database`; without one those lines are missing.
//! What is made first can be kept: `-- claims --folder DIR --prepare`, then `-- claims --folder DIR`; `--rows` and `--turns`
//! make a part fit the time there is. docs/benches.md says what the figures mean.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench that cannot run ends"
)]
#![expect(clippy::print_stdout, reason = "figures that are printed")]
#![expect(clippy::as_conversions, reason = "figures are floating point")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod anchor;
mod bare;
mod claims;
#[path = "../common/mod.rs"]
#[expect(dead_code, unused_imports, reason = "each bench uses a part")]
mod common;
mod dialing;
mod export;
mod idle;
mod import;
mod list;
mod outcomes;
mod outcomes_postgres;
mod person;
mod site;

use std::process::ExitCode;

use common::{Asked, Table};

fn main() -> ExitCode {
    if bare::is_child() {
        return ExitCode::SUCCESS;
    }
    let asked = Asked::here();
    let mut table = Table::new(&asked, "the database at scale");
    type Part = fn(&Asked, &mut Table);
    let parts: [(&str, Part); 9] = [
        ("import-sqlite", import::sqlite),
        ("import-postgres", import::postgres),
        ("export-sqlite", export::sqlite),
        ("export-postgres", export::postgres),
        ("claims", claims::run),
        ("dialing", dialing::run),
        ("outcomes", outcomes::run),
        ("outcomes-postgres", outcomes_postgres::run),
        ("idle", idle::run),
    ];
    for (name, part) in parts {
        if asked.wants(name) {
            part(&asked, &mut table);
        }
    }
    table.verdict()
}
