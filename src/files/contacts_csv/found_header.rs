//! Where the header of a list is, and what stands between its cells.

use crate::files::header::{ColumnMap, Header, HeaderError};
use crate::files::records::{FieldSplitter, RecordCutter};

/// The header, and the place behind it.
pub(super) struct FoundHeader {
    pub(super) header: Header,
    pub(super) delimiter: u8,
    /// Rows above it.
    pub(super) titles: u64,
    /// Where the data begins.
    pub(super) data_at: usize,
    pub(super) data_line: u64,
}

/// The first of the first ten records in which a column of phone numbers is recognised, cut by the delimiter that
/// recognises most.
pub(super) fn find_header(
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

const HEADER_ROWS: u64 = 10;
