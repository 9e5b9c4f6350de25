//! The rows that were not taken, to be repaired and imported again.
//!
//! The list's own columns stand first and untouched; `_row _line _column _code _reason_ja _reason_en _raw` follow, and
//! are overlooked when the file comes in again.

use std::io;
use std::io::Write;

use super::header::Header;
use super::header::OURS;
use super::refusal::Refusal;
use super::spreadsheet::guard;

/// Writes a rejects file: UTF-8 with a byte order mark and CRLF, as spreadsheets want it.
pub struct RejectsCsv<W: Write> {
    to: csv::Writer<W>,
    columns: usize,
    written: u64,
}

impl<W: Write> std::fmt::Debug for RejectsCsv<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RejectsCsv").field("written", &self.written).finish_non_exhaustive()
    }
}

impl<W: Write> RejectsCsv<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// Writing failed.
    pub fn new(mut to: W, header: &Header) -> io::Result<Self> {
        to.write_all("\u{feff}".as_bytes())?;
        let mut to = csv::WriterBuilder::new()
            .quote_style(csv::QuoteStyle::Always)
            .terminator(csv::Terminator::CRLF)
            .from_writer(to);
        to.write_record(header.names.iter().map(String::as_str).chain(OURS))?;
        Ok(Self { to, columns: header.names.len(), written: 0 })
    }

    /// Writes one row. Cells beyond the header are in `_raw` only.
    ///
    /// # Errors
    /// Writing failed.
    pub fn write(&mut self, refusal: &Refusal) -> io::Result<()> {
        for at in 0..self.columns {
            let cell = refusal.cells.get(at).map(String::as_str).unwrap_or_default();
            self.to.write_field(guard(cell).as_ref())?;
        }
        let reason = &refusal.reason;
        let (row, line) = (refusal.row.to_string(), refusal.line.to_string());
        let column = refusal.column.as_deref().unwrap_or_default();
        let (ja, en) = (reason.reason_ja(), reason.reason_en());
        for cell in [&row, &line, column, reason.code(), &ja, &en, &refusal.raw] {
            self.to.write_field(guard(cell).as_ref())?;
        }
        self.to.write_record(None::<&[u8]>)?;
        self.written += 1;
        Ok(())
    }

    /// Rows written.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Writes what is still in memory and gives the target back.
    ///
    /// # Errors
    /// Writing failed.
    pub fn finish(self) -> io::Result<W> {
        self.to.into_inner().map_err(|error| error.into_error())
    }
}
