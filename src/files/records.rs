//! Cuts text into CSV records and knows the physical line each begins on.
//!
//! The `csv` crate takes the records apart, yet two things it cannot do for a file people edit by hand: count lines
//! (its numbers are one short on CRLF files and stand still on CR), and survive a quote that is never closed (it
//! swallows the rest of the file into one field). So records are found here, by the same rules, within bounds.

use std::io;
use std::io::Read;
use std::ops::Range;

use super::encoding::TextReader;

/// One record as it stands in the file, without its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRecord {
    /// Physical line it begins on, from 1.
    pub line: u64,
    /// Its text; the first 4 KiB of it when there is a fault.
    pub text: String,
    /// Why it cannot be taken apart.
    pub fault: Option<RecordFault>,
}

/// What is wrong with a record as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// A quote opens on `line` and is not closed within [`MAX_FIELD`] bytes or the file. Reading goes on with the line
    /// below it.
    QuoteOpen {
        /// Physical line of the quote.
        line: u64,
    },
    /// A field is longer than [`MAX_FIELD`] or the record longer than [`MAX_RECORD`]. Reading goes on with the next line.
    TooLong,
}

/// Longest field, in bytes of UTF-8.
pub const MAX_FIELD: usize = 64 * 1024;
/// Longest record, in bytes of UTF-8.
pub const MAX_RECORD: usize = 1024 * 1024;

/// Where more text comes from.
pub trait TextSource {
    /// Appends some text; false at the end.
    ///
    /// # Errors
    /// Reading failed.
    fn more(&mut self, into: &mut String) -> io::Result<bool>;
}

impl<R: Read> TextSource for TextReader<R> {
    fn more(&mut self, into: &mut String) -> io::Result<bool> {
        self.read_text(into)
    }
}

/// No more than what is already there.
impl TextSource for () {
    fn more(&mut self, _into: &mut String) -> io::Result<bool> {
        Ok(false)
    }
}

/// Cuts a text into records. Holds at most one record and one chunk of text.
#[derive(Debug)]
pub struct RecordCutter<S> {
    source: S,
    text: String,
    /// Everything before it is done with.
    at: usize,
    line: u64,
    delimiter: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Unquoted,
    Quoted,
    /// A quote inside quotes: the end of the field, or one half of `""`.
    QuoteInQuoted,
}

impl<S: TextSource> RecordCutter<S> {
    /// `text` is what was read from `source` already.
    pub const fn new(source: S, text: String, delimiter: u8) -> Self {
        Self { source, text, at: 0, line: 1, delimiter }
    }

    /// The source.
    pub const fn source(&self) -> &S {
        &self.source
    }

    /// Leaves out what stands before the byte `at`, which begins physical line `line`.
    pub const fn skip_to(&mut self, at: usize, line: u64) {
        self.at = at;
        self.line = line;
    }

    /// Byte and physical line at which the next record begins.
    #[must_use]
    pub const fn position(&self) -> (usize, u64) {
        (self.at, self.line)
    }

    /// The next record that is not an empty line; `None` at the end.
    ///
    /// # Errors
    /// Reading failed.
    pub fn next_record(&mut self) -> io::Result<Option<RawRecord>> {
        loop {
            if self.at > COMPACT {
                self.text.drain(..self.at);
                self.at = 0;
            }
            let record = self.cut()?;
            match record {
                Some(record) if record.text.is_empty() && record.fault.is_none() => {}
                other => return Ok(other),
            }
        }
    }

    fn cut(&mut self) -> io::Result<Option<RawRecord>> {
        let (start, first_line) = (self.at, self.line);
        let (mut at, mut line) = (start, first_line);
        let (mut field, mut state) = (start, State::FieldStart);
        let mut quote_line = first_line;
        // Where to go on if the open quote is never closed: the first line below it.
        let mut below_quote = None;
        loop {
            // Bytes that change nothing, as far as they are here and no bound is passed.
            let bound = (field + MAX_FIELD).min(start + MAX_RECORD);
            at += self.dull(at..bound, state);
            let Some(byte) = self.byte(at)? else {
                if at == start {
                    return Ok(None);
                }
                let fault =
                    (state == State::Quoted).then_some(RecordFault::QuoteOpen { line: quote_line });
                (self.at, self.line) =
                    below_quote.filter(|_| fault.is_some()).unwrap_or((at, line));
                return Ok(Some(self.record(start, self.at, first_line, fault)));
            };
            if at - field > MAX_FIELD || at - start > MAX_RECORD {
                let at = self.text.floor_char_boundary(at);
                return self
                    .too_long(start, at, first_line, state, quote_line, below_quote)
                    .map(Some);
            }
            let line_end = match byte {
                b'\r' if self.byte(at + 1)? == Some(b'\n') => 2,
                b'\r' | b'\n' => 1,
                _ => 0,
            };
            if line_end > 0 {
                line += 1;
                at += line_end;
                if state == State::Quoted {
                    below_quote = below_quote.or(Some((at, line)));
                    continue;
                }
                (self.at, self.line) = (at, line);
                return Ok(Some(self.record(start, at - line_end, first_line, None)));
            }
            state = match state {
                State::Quoted if byte == b'"' => State::QuoteInQuoted,
                State::Quoted => State::Quoted,
                State::QuoteInQuoted if byte == b'"' => State::Quoted,
                State::FieldStart if byte == b'"' => {
                    (quote_line, below_quote) = (line, None);
                    State::Quoted
                }
                State::FieldStart | State::Unquoted | State::QuoteInQuoted
                    if byte == self.delimiter =>
                {
                    field = at + 1;
                    State::FieldStart
                }
                State::FieldStart | State::Unquoted | State::QuoteInQuoted => State::Unquoted,
            };
            at += 1;
        }
    }

    /// How many bytes at the beginning of a range are neither a line end nor of any meaning in this state.
    fn dull(&self, range: Range<usize>, state: State) -> usize {
        let end = range.end.min(self.text.len());
        let bytes = self.text.as_bytes().get(range.start..end).unwrap_or_default();
        let meant = match state {
            State::Quoted => b'"',
            State::Unquoted => self.delimiter,
            State::FieldStart | State::QuoteInQuoted => return 0,
        };
        let first = bytes.iter().position(|byte| *byte == meant || matches!(byte, b'\r' | b'\n'));
        first.unwrap_or(bytes.len())
    }

    fn too_long(
        &mut self,
        start: usize,
        at: usize,
        first_line: u64,
        state: State,
        quote_line: u64,
        below_quote: Option<(usize, u64)>,
    ) -> io::Result<RawRecord> {
        if state == State::Quoted
            && let Some((below, line)) = below_quote
        {
            (self.at, self.line) = (below, line);
            let fault = RecordFault::QuoteOpen { line: quote_line };
            return Ok(self.record(start, below, first_line, Some(fault)));
        }
        let record = self.record(start, at, first_line, Some(RecordFault::TooLong));
        self.skip_line(at)?;
        Ok(record)
    }

    /// Goes behind the physical line that `at` is in, forgetting it on the way.
    fn skip_line(&mut self, mut at: usize) -> io::Result<()> {
        // The lines the record already went over are done with.
        let passed = self.text.get(self.at..at).unwrap_or_default();
        self.line += line_ends(passed);
        loop {
            if at > COMPACT {
                let edge = self.text.floor_char_boundary(at);
                self.text.drain(..edge);
                at -= edge;
            }
            match self.byte(at)? {
                None => break,
                Some(b'\r') if self.byte(at + 1)? == Some(b'\n') => at += 2,
                Some(b'\r' | b'\n') => at += 1,
                Some(_) => {
                    at += 1;
                    continue;
                }
            }
            self.line += 1;
            break;
        }
        self.at = at;
        Ok(())
    }

    fn record(&self, start: usize, end: usize, line: u64, fault: Option<RecordFault>) -> RawRecord {
        let text = self.text.get(start..end).unwrap_or_default();
        let text =
            if fault.is_some() { shorten(text).trim_end_matches(['\r', '\n']) } else { text };
        RawRecord { line, text: text.to_owned(), fault }
    }

    /// The byte at `at`, reading on when the text ends before it.
    fn byte(&mut self, at: usize) -> io::Result<Option<u8>> {
        loop {
            if let Some(byte) = self.text.as_bytes().get(at) {
                return Ok(Some(*byte));
            }
            if !self.source.more(&mut self.text)? {
                return Ok(None);
            }
        }
    }
}

/// Ends of physical lines: CRLF, CR or LF.
fn line_ends(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut ends = 0;
    for (i, byte) in bytes.iter().enumerate() {
        let after_cr = i.checked_sub(1).and_then(|i| bytes.get(i)) == Some(&b'\r');
        ends += u64::from(*byte == b'\r' || (*byte == b'\n' && !after_cr));
    }
    ends
}

/// The first 4 KiB, cut between characters.
#[must_use]
pub fn shorten(text: &str) -> &str {
    text.get(..text.floor_char_boundary(4096)).unwrap_or_default()
}

/// Takes records apart into fields with the `csv` crate, one record at a time.
pub struct FieldSplitter {
    reader: csv::Reader<Feed>,
    record: csv::StringRecord,
}

impl std::fmt::Debug for FieldSplitter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FieldSplitter")
    }
}

impl FieldSplitter {
    /// For records cut with the same delimiter.
    #[must_use]
    pub fn new(delimiter: u8) -> Self {
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .buffer_capacity(64 * 1024)
            .from_reader(Feed::default());
        Self { reader, record: csv::StringRecord::new() }
    }

    /// The fields of one whole record.
    ///
    /// # Errors
    /// The `csv` crate refused it; it does not for records of a [`RecordCutter`].
    pub fn split(&mut self, record: &str) -> csv::Result<&csv::StringRecord> {
        self.reader.get_mut().put(record);
        self.reader.read_record(&mut self.record)?;
        Ok(&self.record)
    }
}

/// Hands one record at a time to the `csv` reader, each closed by a line end so that it never has to wait for more.
#[derive(Debug, Default)]
struct Feed {
    bytes: Vec<u8>,
    at: usize,
}

impl Feed {
    fn put(&mut self, record: &str) {
        self.bytes.clear();
        self.bytes.extend_from_slice(record.as_bytes());
        self.bytes.push(b'\n');
        self.at = 0;
    }
}

impl Read for Feed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut rest = self.bytes.get(self.at..).unwrap_or_default();
        let read = rest.read(into)?;
        self.at += read;
        Ok(read)
    }
}

const COMPACT: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its text in pieces of a few bytes, as far as characters allow.
    struct Dribble(Vec<char>, usize);

    impl TextSource for Dribble {
        fn more(&mut self, into: &mut String) -> io::Result<bool> {
            let piece: String = self.0.iter().skip(self.1).take(3).collect();
            self.1 += 3;
            into.push_str(&piece);
            Ok(!piece.is_empty())
        }
    }

    fn cut(text: &str) -> Vec<RawRecord> {
        let mut cutter = RecordCutter::new(Dribble(text.chars().collect(), 0), String::new(), b',');
        let mut records = vec![];
        while let Some(record) = cutter.next_record().unwrap() {
            records.push(record);
        }
        records
    }

    fn lines(text: &str) -> Vec<(u64, String)> {
        cut(text).into_iter().map(|r| (r.line, r.text)).collect()
    }

    #[test]
    fn lines_are_counted_alike_for_lf_crlf_and_cr() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "", "c,\"x", "y\"", "d,e", ""].join(end);
            let got = lines(&text);
            let quoted = format!("c,\"x{end}y\"");
            assert_eq!(got, [(1, "a,b".to_owned()), (3, quoted), (5, "d,e".to_owned())], "{end:?}");
        }
        assert_eq!(lines("a\nb").len(), 2);
        assert_eq!(lines(""), []);
        assert_eq!(lines("\r\n\r\n"), []);
    }

    #[test]
    fn an_open_quote_is_reported_on_its_line_and_costs_one_record() {
        let records = cut("a,b\n\"c,d\ne,f\ng,h");
        assert_eq!(records[1].fault, Some(RecordFault::QuoteOpen { line: 2 }));
        assert_eq!((records[1].line, records[1].text.as_str()), (2, "\"c,d"));
        assert_eq!((records[2].line, records[2].text.as_str()), (3, "e,f"));
        assert_eq!((records[3].line, records[3].text.as_str()), (4, "g,h"));
        let records = cut("a,\"b");
        assert_eq!(records[0].fault, Some(RecordFault::QuoteOpen { line: 1 }));
        assert_eq!(records.len(), 1);
        let far = format!("a,\"b\r\n{}", "c,d\r\n".repeat(40_000));
        let records = cut(&far);
        assert_eq!(records[0].fault, Some(RecordFault::QuoteOpen { line: 1 }));
        assert_eq!(records.len(), 40_001);
        assert_eq!(records[40_000].line, 40_001);
    }

    #[test]
    fn a_field_or_record_without_end_is_refused_and_the_next_line_is_read() {
        for long in [
            "x".repeat(MAX_FIELD + 10),
            "é".repeat(MAX_FIELD),
            format!("\"{}\"", "x".repeat(MAX_FIELD * 3)),
            "xy,".repeat(MAX_RECORD / 2),
        ] {
            let records = cut(&format!("a\r\n{long}\r\nb,c\r\n"));
            assert_eq!(records[1].fault, Some(RecordFault::TooLong));
            assert!((4000..=4096).contains(&records[1].text.len()));
            assert_eq!((records[2].line, records[2].text.as_str()), (3, "b,c"));
            assert_eq!(records.len(), 3);
        }
    }

    #[test]
    fn memory_does_not_grow_with_the_file() {
        struct Endless(u32);
        impl TextSource for Endless {
            fn more(&mut self, into: &mut String) -> io::Result<bool> {
                self.0 += 1;
                if self.0 <= 200 {
                    into.push_str(&"03-1234-5678,\"山田\n太郎\"\n".repeat(1000));
                }
                Ok(self.0 <= 200)
            }
        }
        let mut cutter = RecordCutter::new(Endless(0), String::new(), b',');
        let (mut count, mut most) = (0, 0);
        while let Some(record) = cutter.next_record().unwrap() {
            count += 1;
            assert_eq!(record.line, count * 2 - 1);
            most = most.max(cutter.text.capacity());
        }
        assert_eq!(count, 200_000);
        assert!(most < 1024 * 1024, "{most}");
    }

    fn by_csv_crate(text: &str) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    proptest::proptest! {
        /// The `csv` crate is right about what a record is wherever every quote is closed.
        #[test]
        fn records_and_fields_are_those_of_the_csv_crate(text in "[ab,\"\r\n;山]{0,60}") {
            let records = cut(&text);
            if records.iter().all(|r| r.fault.is_none()) {
                let mut splitter = FieldSplitter::new(b',');
                let ours: Vec<Vec<String>> = records
                    .iter()
                    .map(|r| splitter.split(&r.text).unwrap().iter().map(str::to_owned).collect())
                    .collect();
                proptest::prop_assert_eq!(ours, by_csv_crate(&text));
            }
        }

        #[test]
        fn every_line_is_in_a_record_or_empty(text in "[ab,\r\n]{0,60}") {
            let records = cut(&text);
            let full = text.split(['\r', '\n']).filter(|l| !l.is_empty()).count();
            proptest::prop_assert_eq!(records.len(), full);
        }
    }
}
