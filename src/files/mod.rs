//! Floor 2, files: lists come in, results go out, sounds are read. Nothing here decides about a call.
//!
//! A list is read twice: [`encoding::survey`] looks at all of it (what it is written in, its hash, its lines), then
//! [`contacts_csv::ContactsCsv`] gives its rows one by one. Memory never grows with the file.

pub mod contacts_csv;
pub mod encoding;
pub mod export_text;
pub mod header;
pub mod import_report;
pub mod outcomes_csv;
pub mod records;
pub mod refusal;
pub mod rejects_csv;
pub mod sound;
pub mod spreadsheet;
mod zoned_text;
