//! A list of contacts, row by row: each is a contact or a refusal with line, column and reason.
//!
//! Constant memory: one record, one chunk of text. What the file repeats is found by the database, which knows the
//! whole list: a person is [`ContactRow::person_key`], the seller's id, else the first number. What it has already
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

use std::fmt;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

use super::encoding::EncodingError;
use super::encoding::Survey;
use super::encoding::TextEncoding;
use super::encoding::TextReader;
use super::encoding::survey;
use super::header::ColumnMap;
use super::header::Field;
use super::header::Header;
use super::header::HeaderError;
use super::records::FieldSplitter;
use super::records::RawRecord;
use super::records::RecordCutter;
use super::records::RecordFault;
use super::records::shorten;
use super::refusal::Refusal;
use super::refusal::RefusalReason;
use super::refusal::RowWarning;
use super::spreadsheet::unguard;
use crate::logic::phone::CellReader;
use crate::logic::phone::Found;
use crate::logic::phone::PhoneKind;
use crate::logic::phone::PhoneNumber;
use crate::logic::phone::PhoneRefusal;
use crate::logic::phone::Region;

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

/// A person to call.
#[derive(Clone, PartialEq, Eq)]
pub struct ContactRow {
    /// Data row, from 1.
    pub row: u64,
    /// Physical line it begins on.
    pub line: u64,
    /// The seller's id of the person.
    pub external_id: Option<String>,
    /// The name to say.
    pub name: Option<String>,
    /// How it is read.
    pub kana: Option<String>,
    /// The person's company.
    pub company: Option<String>,
    /// Language tag, such as `ja`.
    pub language: Option<String>,
    /// At least one, in the order to call them, each once.
    pub phones: Vec<ContactPhone>,
    /// Smaller is called sooner.
    pub priority: Option<i32>,
    /// What the agent sees, by the list's own headers and in its order: every column with something in it but
    /// numbers, language, priority and do-not-call.
    pub fields: Vec<(Arc<str>, String)>,
    /// What was noticed.
    pub warnings: Vec<RowWarning>,
    /// The row as it stands in the list: [`ContactsCsv::cells`] cuts it, for the rejects file if the database refuses it.
    pub text: String,
}

/// One number of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactPhone {
    /// E.164.
    pub number: PhoneNumber,
    /// What kind of line.
    pub kind: PhoneKind,
    /// Its country; `None` for international networks.
    pub country: Option<Region>,
    /// Digits to ask for.
    pub extension: Option<String>,
    /// What two entries are compared by: E.164 and extension.
    pub key: String,
}

impl ContactRow {
    /// Who this is within the list: the seller's id, else the first number. The key of `import_row`.
    #[must_use]
    pub fn person_key(&self) -> String {
        match (&self.external_id, self.phones.first()) {
            (Some(id), _) => ["id:", id].concat(),
            (None, Some(phone)) => ["tel:", &phone.key].concat(),
            (None, None) => format!("row:{}", self.row),
        }
    }
}

/// Hides the person: logs may print this.
impl fmt::Debug for ContactRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContactRow")
            .field("row", &self.row)
            .field("line", &self.line)
            .field("phones", &self.phones)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
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

struct FoundHeader {
    header: Header,
    delimiter: u8,
    /// Rows above it.
    titles: u64,
    /// Where the data begins.
    data_at: usize,
    data_line: u64,
}

/// The first of the first ten records in which a column of phone numbers is recognised, cut by the delimiter that
/// recognises most.
fn find_header(
    text: &str,
    columns: &ColumnMap,
    told: Option<u8>,
) -> Result<FoundHeader, HeaderError> {
    let (skip, skip_lines, forced) = excel_sep_line(text);
    let mut best: Option<FoundHeader> = None;
    let mut error = HeaderError::Empty;
    for delimiter in told.or(forced).map_or_else(|| b",\t;".to_vec(), |d| vec![d]) {
        let mut cutter = RecordCutter::new((), text.to_owned(), delimiter);
        cutter.skip_to(skip, skip_lines + 1);
        let mut splitter = FieldSplitter::new(delimiter);
        for titles in 0..HEADER_ROWS {
            let Ok(Some(record)) = cutter.next_record() else { break };
            let Ok(fields) = splitter.split(&record.text) else { break };
            match Header::new(fields.iter(), columns) {
                Ok(header) => {
                    let better = best.as_ref().is_none_or(|best| {
                        (header.recognised(), header.width)
                            > (best.header.recognised(), best.header.width)
                    });
                    if better && record.fault.is_none() {
                        let (data_at, data_line) = cutter.position();
                        best = Some(FoundHeader { header, delimiter, titles, data_at, data_line });
                    }
                    break;
                }
                // The complaint about the first row says most.
                Err(refusal) if error == HeaderError::Empty => error = refusal,
                Err(_) => {}
            }
        }
    }
    best.ok_or(error)
}

/// `sep=;` on the first line tells Excel the delimiter. Returns bytes and lines to skip, and the delimiter.
fn excel_sep_line(text: &str) -> (usize, u64, Option<u8>) {
    let end = text.find(['\r', '\n']).unwrap_or(text.len());
    let line = text.get(..end).unwrap_or_default().trim_matches('"');
    let told =
        line.get(..4).filter(|head| head.eq_ignore_ascii_case("sep=")).and_then(|_| line.get(4..));
    match told.map(str::as_bytes) {
        Some([delimiter]) if b",;\t|".contains(delimiter) => {
            let width = if text.get(end..).is_some_and(|t| t.starts_with("\r\n")) { 2 } else { 1 };
            ((end + width).min(text.len()), 1, Some(*delimiter))
        }
        _ => (0, 0, None),
    }
}

/// Nothing but delimiters, quotes and white space: `,,,`.
fn is_blank(text: &str, header: &Header) -> bool {
    header.width > 1 && text.chars().all(|c| c.is_whitespace() || ",;\t|\"".contains(c))
}

/// What is wrong, and where.
struct Blame {
    column: Option<String>,
    reason: RefusalReason,
    raw: String,
}

/// One row of the right width.
struct Reading<'a> {
    header: &'a Header,
    options: &'a ReadOptions,
    row: u64,
    line: u64,
    cells: &'a csv::StringRecord,
}

impl Reading<'_> {
    /// `text`: the whole row.
    fn contact(&self, text: &str, numbers: &mut CellReader) -> Result<ContactRow, Blame> {
        let wrong = |text: &str| text.contains('\u{fffd}') || text.contains('\0');
        if wrong(text)
            && let Some(at) = self.cells.iter().position(wrong)
        {
            return Err(self.blame(at, RefusalReason::EncodingInvalid));
        }
        if let Some(at) = self.header.column(Field::DoNotCall)
            && means_yes(self.cell(at))
        {
            return Err(self.blame(at, RefusalReason::DoNotCall));
        }
        let mut warnings = Vec::new();
        let phones = self.phones(numbers, &mut warnings)?;
        let language = self.text(Field::Language).and_then(|text| {
            let tag = language_tag(&text);
            warnings.extend(tag.is_none().then_some(RowWarning::LanguageUnknown));
            tag
        });
        let priority = self.text(Field::Priority).and_then(|text| {
            let number = text.nfkc().collect::<String>().parse().ok();
            warnings.extend(number.is_none().then_some(RowWarning::PriorityInvalid));
            number
        });
        let kept = self.header.kept.iter().map(|(at, key)| (key, self.cell(*at)));
        let kept = kept.filter(|(_, cell)| !cell.is_empty());
        Ok(ContactRow {
            row: self.row,
            line: self.line,
            external_id: self.text(Field::ExternalId),
            name: self.joined(Field::Name, Field::FamilyName, Field::GivenName),
            kana: self.joined(Field::Kana, Field::FamilyKana, Field::GivenKana),
            company: self.text(Field::Company),
            language,
            phones,
            priority,
            fields: kept.map(|(key, cell)| (Arc::clone(key), cell.to_owned())).collect(),
            warnings,
            text: String::new(),
        })
    }

    /// The numbers of all phone columns, each once; or what is wrong with the first column that holds anything.
    fn phones(
        &self,
        numbers: &mut CellReader,
        warnings: &mut Vec<RowWarning>,
    ) -> Result<Vec<ContactPhone>, Blame> {
        let mut phones: Vec<ContactPhone> = Vec::new();
        let mut blames: Vec<(usize, RefusalReason)> = Vec::new();
        for &at in &self.header.phones {
            let cell = numbers.read(self.cell(at));
            let empty = PhoneRefusal::Empty;
            blames.extend(
                cell.refused
                    .iter()
                    .filter(|r| **r != empty)
                    .map(|r| (at, RefusalReason::Phone(*r))),
            );
            if cell.found.is_empty() && cell.refused.iter().any(|r| *r != empty) {
                warnings.push(RowWarning::PhoneColumnRefused);
            }
            for found in cell.found {
                if let Err(blocked) = self.country_allowed(found.country) {
                    warnings.push(RowWarning::PhoneColumnRefused);
                    blames.push((at, blocked));
                    continue;
                }
                let key = found.key();
                warnings.extend(found.warnings.iter().copied().map(RowWarning::Phone));
                if phones.iter().all(|phone| phone.key != key) && phones.len() < MAX_PHONES {
                    let Found { number, kind, country, extension, warnings: _ } = found;
                    phones.push(ContactPhone { number, kind, country, extension, key });
                }
            }
        }
        if !phones.is_empty() {
            return Ok(phones);
        }
        let first = self.header.phones.first().copied().unwrap_or_default();
        let nothing = (first, RefusalReason::Phone(PhoneRefusal::Empty));
        let (at, reason) = blames.into_iter().next().unwrap_or(nothing);
        Err(self.blame(at, reason))
    }

    fn country_allowed(&self, country: Option<Region>) -> Result<(), RefusalReason> {
        if self.options.countries.is_empty() {
            return Ok(());
        }
        let allowed = country.is_some_and(|region| self.options.countries.contains(&region));
        if allowed { Ok(()) } else { Err(RefusalReason::CountryBlocked(country)) }
    }

    fn blame(&self, at: usize, reason: RefusalReason) -> Blame {
        let names = (0..self.cells.len()).filter(|at| self.header.is_original(*at));
        let column = names
            .zip(&self.header.names)
            .find(|(column, _)| *column == at)
            .map(|(_, name)| name.clone());
        Blame { column, reason, raw: shorten(self.cell(at)).to_owned() }
    }

    fn cell(&self, at: usize) -> &str {
        self.cells.get(at).map(|cell| unguard(cell).trim()).unwrap_or_default()
    }

    fn text(&self, field: Field) -> Option<String> {
        let text = self.cell(self.header.column(field)?);
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The whole, or its two parts: 姓 名 in Japanese, first name first in Latin letters.
    fn joined(&self, whole: Field, family: Field, given: Field) -> Option<String> {
        self.text(whole).or_else(|| match (self.text(family), self.text(given)) {
            (Some(family), Some(given)) if family.is_ascii() && given.is_ascii() => {
                Some(format!("{given} {family}"))
            }
            (Some(family), Some(given)) => Some(format!("{family} {given}")),
            (one, other) => one.or(other),
        })
    }
}

/// A mark in a do-not-call column. What is not clearly "no" means: do not call.
fn means_yes(cell: &str) -> bool {
    let folded: String = cell.nfkc().flat_map(char::to_lowercase).collect();
    !"|0|no|n|false|off|ok|-|いいえ|なし|無し|無|可|可能".split('|').any(|no| no == folded)
}

/// A language tag (`ja`, `en`, `zh`) from what people write. Unknown words have none.
fn language_tag(text: &str) -> Option<String> {
    let folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
    for (tag, words) in LANGUAGES {
        if words.split('|').any(|word| word == folded) {
            return Some((*tag).to_owned());
        }
    }
    // `en-US`, `pt_br`: the language is enough to find an agent.
    let (language, rest) =
        folded.split_once(['-', '_']).map_or((folded.as_str(), ""), |(l, r)| (l, r));
    let letters = language.len() == 2 && language.bytes().all(|b| b.is_ascii_lowercase());
    (letters && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'))
        .then(|| language.to_owned())
}

const LANGUAGES: &[(&str, &str)] = &[
    ("ja", "jp|jpn|日本語|日|japanese|にほんご"),
    ("en", "eng|英語|英|english"),
    ("zh", "cn|中国語|中文|chinese|mandarin"),
    ("ko", "kr|kor|韓国語|한국어|korean"),
    ("pt", "por|ポルトガル語|portuguese|português"),
    ("es", "spa|スペイン語|spanish|español"),
    ("vi", "vie|ベトナム語|vietnamese"),
    ("tl", "fil|タガログ語|フィリピン語|tagalog|filipino"),
];

const MAX_PHONES: usize = 8;
const HEADER_ROWS: u64 = 10;
/// The header is within the first this many bytes.
const HEADER_LOOK: usize = 256 * 1024;

#[cfg(test)]
#[path = "contacts_csv_tests.rs"]
mod tests;
