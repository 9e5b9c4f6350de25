//! One suite for both databases. PostgreSQL: `eval` the URL of `tests/postgres start` into OUTDIAL_TEST_POSTGRES, or run
//! everything through `tests/postgres run cargo test`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed setup is a failed test"
)]

mod callbacks;
mod cluster;
mod commands;
mod copies;
mod earlier;
mod events;
mod exports;
mod harness;
mod health;
mod history;
mod imports;
mod ledger;
mod random;
mod recovery;
mod reports;
mod why;
