//! A list of contacts, row by row: each is a contact or a refusal with line, column and reason.
//!
//! Constant memory: one record, one chunk of text. What the file repeats is found by the database, which knows the
//! whole list: a person is the seller's id, else the first number. What it has already
//! becomes a refusal with the row's own [`ContactsCsv::cells`].
//!
//! ```no_run
//! # use outdial::files::contacts_csv::{ContactsCsv, ReadOptions, Row};
//! # use outdial::logic::phone::Region;
//! let list = ContactsCsv::open("contacts.csv".as_ref(), ReadOptions::new(Region::JP))?;
//! for row in list {
//!     match row? {
//!         Row::Contact(contact) => { /* store in chunks */ }
//!         Row::Refused(refusal) => { /* to the rejects file */ }
//!     }
//! }
//! # Ok::<(), outdial::files::contacts_csv::ListError>(())
//! ```

mod contact;
mod custom;
mod found_header;
mod reading;

use std::fmt;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;

pub use contact::{ContactPhone, ContactRow};

use self::found_header::find_header;
use self::reading::{Blame, Reading};
use super::encoding::{EncodingError, Survey, TextEncoding, TextReader, survey};
use super::header::{ColumnMap, Header, HeaderError};
use super::records::{FieldSplitter, RawRecord, RecordCutter, RecordFault, shorten};
use super::refusal::{Refusal, RefusalReason};
use super::spreadsheet::unguard;
use crate::logic::phone::{CellReader, Region};

/// How to read a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// Country in whose way numbers are written.
    pub region: Region,
    /// Countries whose numbers are taken; empty: any.
    pub countries: Vec<Region>,
    /// What the campaign file says about columns.
    pub columns: ColumnMap,
    /// Given by `--encoding`.
    pub encoding: Option<TextEncoding>,
    /// What stands between two cells, one ASCII sign; `None`: found in the file.
    pub delimiter: Option<u8>,
}

impl ReadOptions {
    /// Everything recognised by itself.
    #[must_use]
    pub fn new(region: Region) -> Self {
        Self {
            region,
            countries: Vec::new(),
            columns: ColumnMap::default(),
            encoding: None,
            delimiter: None,
        }
    }
}

/// One row of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// To be stored.
    Contact(Box<ContactRow>),
    /// To be written to the rejects file.
    Refused(Box<Refusal>),
}

/// The list as a whole cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// No text, or no telling which.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    /// No usable header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Opening or reading failed.
    #[error("reading the list failed: {0}")]
    Io(#[from] io::Error),
    /// It is not as long as it was a moment ago.
    #[error("the file changed while it was being read: import it again")]
    Changed,
}

/// A list being read: an iterator over its rows.
pub struct ContactsCsv<R> {
    cutter: RecordCutter<TextReader<R>>,
    splitter: FieldSplitter,
    header: Header,
    survey: Survey,
    options: ReadOptions,
    numbers: CellReader,
    titles: u64,
    row: u64,
    ended: bool,
}

impl<R> fmt::Debug for ContactsCsv<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContactsCsv").field("row", &self.row).finish_non_exhaustive()
    }
}

impl ContactsCsv<File> {
    /// Surveys the file, then stands before its first row.
    ///
    /// # Errors
    /// The file cannot be opened, is no text, or has no column of phone numbers.
    pub fn open(path: &Path, options: ReadOptions) -> Result<Self, ListError> {
        let survey = survey(&mut File::open(path)?, options.encoding)?;
        Self::from_reader(File::open(path)?, survey, options)
    }
}

impl<R: Read> ContactsCsv<R> {
    /// Reads what was surveyed, from its beginning.
    ///
    /// # Errors
    /// Reading failed, or there is no column of phone numbers.
    pub fn from_reader(from: R, survey: Survey, options: ReadOptions) -> Result<Self, ListError> {
        let mut reader = TextReader::new(from, &survey);
        let mut text = String::new();
        while text.len() < HEADER_LOOK && reader.read_text(&mut text)? {}
        let found = find_header(&text, &options.columns, options.delimiter)?;
        let mut cutter = RecordCutter::new(reader, text, found.delimiter);
        cutter.skip_to(found.data_at, found.data_line);
        let splitter = FieldSplitter::new(found.delimiter);
        let titles = found.titles;
        let numbers = CellReader::new(options.region);
        Ok(Self {
            cutter,
            splitter,
            header: found.header,
            survey,
            options,
            numbers,
            titles,
            row: 0,
            ended: false,
        })
    }

    /// What the first pass found.
    #[must_use]
    pub const fn survey(&self) -> &Survey {
        &self.survey
    }

    /// The header as understood.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Rows above the header that were taken for titles.
    #[must_use]
    pub const fn titles(&self) -> u64 {
        self.titles
    }

    /// Bytes read so far, of `survey().bytes`.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.cutter.source().bytes()
    }

    fn next_row(&mut self) -> Result<Option<Row>, ListError> {
        loop {
            let Some(record) = self.cutter.next_record()? else {
                let whole = self.bytes() == self.survey.bytes;
                return if whole { Ok(None) } else { Err(ListError::Changed) };
            };
            if record.fault.is_none() && is_blank(&record.text, &self.header) {
                continue;
            }
            self.row += 1;
            return Ok(Some(self.read_row(record)));
        }
    }

    fn read_row(&mut self, record: RawRecord) -> Row {
        let (row, line) = (self.row, record.line);
        let broken = |reason| {
            let raw = shorten(&record.text).to_owned();
            Row::Refused(Box::new(Refusal {
                row,
                line,
                column: None,
                reason,
                cells: Vec::new(),
                raw,
            }))
        };
        match record.fault {
            Some(RecordFault::QuoteOpen { line }) => {
                return broken(RefusalReason::QuoteOpen { line });
            }
            Some(RecordFault::TooLong) => return broken(RefusalReason::FieldTooLong),
            None => {}
        }
        let Self { splitter, header, options, numbers, .. } = self;
        let Ok(cells) = splitter.split(&record.text) else {
            return broken(RefusalReason::EncodingInvalid);
        };
        let found = count(cells, header);
        let reading = Reading { header, options, row, line, cells };
        let verdict = if found == header.width {
            reading.contact(&record.text, numbers)
        } else {
            let reason = RefusalReason::Ragged { found, expected: header.width };
            Err(Blame { column: None, reason, raw: shorten(&record.text).to_owned() })
        };
        match verdict {
            Ok(contact) => Row::Contact(Box::new(ContactRow { text: record.text, ..contact })),
            Err(Blame { column, reason, raw }) => {
                let cells = own_cells(cells, header);
                Row::Refused(Box::new(Refusal { row, line, column, reason, cells, raw }))
            }
        }
    }

    /// The list's own cells of a row that was read: of [`ContactRow::text`].
    pub fn cells(&mut self, text: &str) -> Vec<String> {
        let cells = self.splitter.split(text);
        cells.map_or_else(|_| Vec::new(), |cells| own_cells(cells, &self.header))
    }
}

/// How many cells a row has. Spreadsheets leave empty ones behind the last column.
fn count(cells: &csv::StringRecord, header: &Header) -> usize {
    let mut found = cells.len();
    while found > header.width
        && cells.get(found - 1).is_some_and(|cell| unguard(cell).trim().is_empty())
    {
        found -= 1;
    }
    found
}

/// Without what a rejects file added.
fn own_cells(cells: &csv::StringRecord, header: &Header) -> Vec<String> {
    let own = |at: &usize| *at >= header.width || header.is_original(*at);
    let found = cells.iter().take(count(cells, header)).enumerate();
    found.filter(|(at, _)| own(at)).map(|(_, cell)| unguard(cell).to_owned()).collect()
}

impl<R: Read> Iterator for ContactsCsv<R> {
    type Item = Result<Row, ListError>;

    /// Ends after the last row, or after the first error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let row = self.next_row().transpose();
        self.ended = !matches!(row, Some(Ok(_)));
        row
    }
}

/// Nothing but delimiters, quotes and white space: `,,,`.
fn is_blank(text: &str, header: &Header) -> bool {
    header.width > 1 && text.chars().all(|c| c.is_whitespace() || ",;\t|\"".contains(c))
}

/// The header is within the first this many bytes.
const HEADER_LOOK: usize = 256 * 1024;

#[cfg(test)]
mod tests;
