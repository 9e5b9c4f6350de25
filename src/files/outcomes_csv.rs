//! The results of a campaign as a CSV file: one row per attempt, or one per contact.
//!
//! The columns are a promise to the programs that read them: their names and order do not change, new ones come at the
//! end. Times are ISO 8601 with offset in the zone the writer is given. The store fills the plain records here.

use std::io;
use std::io::Write;

use jiff::tz::TimeZone;

use super::export_text::ExportEncoding;
use super::export_text::ExportText;
use super::spreadsheet::guard;
use super::zoned_text::ZonedText;

/// One attempt, as written back to the customer's own system; texts are empty where nothing is known. `call_ref` is its key:
/// the same attempt exported again has the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptRecord<'t> {
    /// Public reference of the attempt.
    pub call_ref: &'t str,
    /// The customer's own id of the person.
    pub contact_id: &'t str,
    /// The person's name.
    pub name: &'t str,
    /// The list the person came with.
    pub list: &'t str,
    /// The campaign.
    pub campaign: &'t str,
    /// The company called for.
    pub seller: &'t str,
    /// From 1, per person and campaign.
    pub attempt_no: i64,
    /// Number called, E.164.
    pub to: &'t str,
    /// Caller ID shown, E.164.
    pub from: &'t str,
    /// Trunk used.
    pub trunk: &'t str,
    /// UTC milliseconds of the decision to call.
    pub started_ms: i64,
    /// UTC milliseconds of the first ringing.
    pub rang_ms: Option<i64>,
    /// UTC milliseconds of the 200 OK.
    pub answered_ms: Option<i64>,
    /// UTC milliseconds at which agent and customer could hear each other.
    pub connected_ms: Option<i64>,
    /// UTC milliseconds of the end.
    pub ended_ms: Option<i64>,
    /// Seconds of wrap-up.
    pub wrap_s: Option<i64>,
    /// Name of the agent.
    pub agent: &'t str,
    /// Stable text of the outcome; empty while the call goes on.
    pub outcome: &'t str,
    /// What it was before it was corrected (`unknown`), if it was.
    pub first_outcome: &'t str,
    /// Final SIP status.
    pub sip_status: Option<i64>,
    /// Q.850 cause.
    pub q850: Option<i64>,
    /// Code the agent gave.
    pub disposition: &'t str,
    /// Its label, in the campaign's language.
    pub disposition_label: &'t str,
    /// What the agent noted.
    pub memo: &'t str,
    /// UTC milliseconds of the promised call back.
    pub callback_ms: Option<i64>,
    /// Agent who is to call back.
    pub callback_agent: &'t str,
    /// Whether the call was booked as abandoned.
    pub abandoned: bool,
    /// Whether it was booked as answered live by a person; empty when nobody can say.
    pub live: Option<bool>,
    /// Message played instead of an agent.
    pub message: &'t str,
    /// Change to the do-not-call list: `added`, `lifted`.
    pub dnc_change: &'t str,
    /// Where the recording is.
    pub recording_url: &'t str,
}

/// One person of a campaign and how things stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactRecord {
    /// The customer's own id of the person.
    pub contact_id: Option<String>,
    /// The person's name.
    pub name: Option<String>,
    /// First number, E.164.
    pub phone: Option<String>,
    /// The list the person came with.
    pub list: String,
    /// The campaign.
    pub campaign: String,
    /// The company called for.
    pub seller: String,
    /// Stable text of the lead's state.
    pub state: String,
    /// What keeps the lead back.
    pub gate: Option<String>,
    /// Attempts that count.
    pub attempts: i64,
    /// UTC milliseconds of the first attempt.
    pub first_attempt_ms: Option<i64>,
    /// UTC milliseconds of the last attempt.
    pub last_attempt_ms: Option<i64>,
    /// Stable text of the last outcome.
    pub last_outcome: Option<String>,
    /// Last code an agent gave.
    pub last_disposition: Option<String>,
    /// Its label.
    pub last_disposition_label: Option<String>,
    /// Last note.
    pub memo: Option<String>,
    /// Agent who spoke last.
    pub last_agent: Option<String>,
    /// UTC milliseconds of the next try or call back.
    pub next_ms: Option<i64>,
}

/// Columns of [`AttemptRecord`].
pub const ATTEMPT_COLUMNS: [&str; 35] = [
    "call_ref",
    "contact_id",
    "name",
    "list",
    "campaign",
    "seller",
    "attempt_no",
    "direction",
    "to",
    "from",
    "trunk",
    "started_at",
    "rang_at",
    "answered_at",
    "connected_at",
    "ended_at",
    "wait_ms",
    "talk_s",
    "wrap_s",
    "total_s",
    "agent",
    "outcome",
    "first_outcome",
    "sip_status",
    "q850",
    "disposition",
    "disposition_label",
    "memo",
    "callback_at",
    "callback_agent",
    "abandoned",
    "live",
    "message",
    "dnc_change",
    "recording_url",
];

/// Columns of [`ContactRecord`].
pub const CONTACT_COLUMNS: [&str; 17] = [
    "contact_id",
    "name",
    "phone",
    "list",
    "campaign",
    "seller",
    "state",
    "gate",
    "attempts",
    "first_attempt_at",
    "last_attempt_at",
    "last_outcome",
    "last_disposition",
    "last_disposition_label",
    "memo",
    "last_agent",
    "next_at",
];

/// How an export is written.
#[derive(Clone, Debug)]
pub struct ExportFormat {
    /// UTF-8 or CP932.
    pub encoding: ExportEncoding,
    /// Zone of the times.
    pub zone: TimeZone,
}

/// Writes one of the two files. Lines end in CRLF and every cell is quoted.
pub struct OutcomesCsv<W: Write> {
    to: csv::Writer<ExportText<W>>,
    zone: ZonedText,
    written: u64,
    /// Numbers and times become text here.
    scratch: Vec<u8>,
}

impl<W: Write> std::fmt::Debug for OutcomesCsv<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutcomesCsv").field("written", &self.written).finish_non_exhaustive()
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Rows below the header.
    pub rows: u64,
    /// Signs written as their twin in CP932.
    pub twins: u64,
    /// Signs written as `?` because CP932 lacks them.
    pub lost: u64,
}

impl<W: Write> OutcomesCsv<W> {
    /// Writes the header of a file of attempts; use [`Self::attempt`] only.
    ///
    /// # Errors
    /// Writing failed.
    pub fn of_attempts(to: W, format: ExportFormat) -> io::Result<Self> {
        Self::new(to, format, &ATTEMPT_COLUMNS)
    }

    /// Writes the header of a file of contacts; use [`Self::contact`] only.
    ///
    /// # Errors
    /// Writing failed.
    pub fn of_contacts(to: W, format: ExportFormat) -> io::Result<Self> {
        Self::new(to, format, &CONTACT_COLUMNS)
    }

    fn new(to: W, format: ExportFormat, columns: &[&str]) -> io::Result<Self> {
        let mut to = csv::WriterBuilder::new()
            .quote_style(csv::QuoteStyle::Always)
            .terminator(csv::Terminator::CRLF)
            .from_writer(ExportText::new(to, format.encoding)?);
        to.write_record(columns)?;
        Ok(Self { to, zone: ZonedText::new(format.zone), written: 0, scratch: Vec::new() })
    }

    /// Writes one attempt.
    ///
    /// # Errors
    /// Writing failed, or a sign does not exist in CP932 and may not be `?`.
    pub fn attempt(&mut self, record: &AttemptRecord<'_>) -> io::Result<()> {
        let r = record;
        let since = |from: Option<i64>, to: Option<i64>| Some(to?.saturating_sub(from?));
        let seconds = |from: Option<i64>, to: Option<i64>| {
            since(from, to).map(|ms| ms.max(0).saturating_add(500) / 1000)
        };
        for text in [r.call_ref, r.contact_id, r.name, r.list, r.campaign, r.seller] {
            self.text(text)?;
        }
        self.number(Some(r.attempt_no))?;
        for text in ["outbound", r.to, r.from, r.trunk] {
            self.text(text)?;
        }
        for at in [Some(r.started_ms), r.rang_ms, r.answered_ms, r.connected_ms, r.ended_ms] {
            self.time(at)?;
        }
        self.number(since(r.answered_ms, r.connected_ms))?;
        self.number(seconds(r.connected_ms, r.ended_ms))?;
        self.number(r.wrap_s)?;
        self.number(seconds(Some(r.started_ms), r.ended_ms))?;
        for text in [r.agent, r.outcome, r.first_outcome] {
            self.text(text)?;
        }
        self.number(r.sip_status)?;
        self.number(r.q850)?;
        for text in [r.disposition, r.disposition_label, r.memo] {
            self.text(text)?;
        }
        self.time(r.callback_ms)?;
        self.text(r.callback_agent)?;
        self.number(Some(i64::from(r.abandoned)))?;
        self.number(r.live.map(i64::from))?;
        for text in [r.message, r.dnc_change, r.recording_url] {
            self.text(text)?;
        }
        self.end_row()
    }

    /// Writes one contact.
    ///
    /// # Errors
    /// Writing failed, or a sign does not exist in CP932 and may not be `?`.
    pub fn contact(&mut self, record: &ContactRecord) -> io::Result<()> {
        let r = record;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        for cell in [&text(&r.contact_id), &text(&r.name), &text(&r.phone), &r.list, &r.campaign] {
            self.text(cell)?;
        }
        for cell in [&r.seller, &r.state, &text(&r.gate)] {
            self.text(cell)?;
        }
        self.number(Some(r.attempts))?;
        self.time(r.first_attempt_ms)?;
        self.time(r.last_attempt_ms)?;
        for cell in [&r.last_outcome, &r.last_disposition, &r.last_disposition_label, &r.memo] {
            self.text(cell.as_deref().unwrap_or_default())?;
        }
        self.text(r.last_agent.as_deref().unwrap_or_default())?;
        self.time(r.next_ms)?;
        self.end_row()
    }

    /// Hands on what is still in memory.
    ///
    /// # Errors
    /// Writing failed.
    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    /// Writes what is still in memory and gives the target back. Without it the end of the file may be missing.
    ///
    /// # Errors
    /// Writing failed.
    pub fn finish(self) -> io::Result<(W, Written)> {
        let rows = self.written;
        let mut text = self.to.into_inner().map_err(|error| error.into_error())?;
        text.flush()?;
        let written = Written { rows, twins: text.twins(), lost: text.lost() };
        Ok((text.into_inner(), written))
    }

    fn text(&mut self, cell: &str) -> io::Result<()> {
        Ok(self.to.write_field(&*guard(cell))?)
    }

    fn number(&mut self, number: Option<i64>) -> io::Result<()> {
        self.scratch.clear();
        if let Some(number) = number {
            if number < 0 {
                // A spreadsheet takes what begins with a sign for a formula.
                self.scratch.push(b'\'');
            }
            write!(self.scratch, "{number}")?;
        }
        Ok(self.to.write_field(&self.scratch)?)
    }

    /// `2026-11-21T21:19:36.120+09:00`.
    fn time(&mut self, ms: Option<i64>) -> io::Result<()> {
        self.scratch.clear();
        if let Some(ms) = ms {
            self.zone.push(&mut self.scratch, ms);
        }
        Ok(self.to.write_field(&self.scratch)?)
    }

    fn end_row(&mut self) -> io::Result<()> {
        self.to.write_record(None::<&[u8]>)?;
        self.written += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::export_text::Unmappable;
    use super::*;

    fn format(encoding: ExportEncoding) -> ExportFormat {
        ExportFormat { encoding, zone: TimeZone::get("Asia/Tokyo").unwrap() }
    }

    fn record() -> AttemptRecord<'static> {
        AttemptRecord {
            call_ref: "8f2a-1",
            contact_id: "A001",
            name: "山田 太郎",
            list: "contacts.csv",
            campaign: "demo",
            seller: "Demo",
            attempt_no: 1,
            to: "+819012345678",
            from: "+81312345678",
            trunk: "carrier",
            started_ms: 1_795_302_000_000,
            rang_ms: Some(1_795_302_001_500),
            answered_ms: Some(1_795_302_004_000),
            connected_ms: Some(1_795_302_004_120),
            ended_ms: Some(1_795_302_064_900),
            outcome: "connected",
            sip_status: Some(200),
            q850: Some(16),
            disposition: "SALE",
            memo: "=cmd|' /C calc'!A0",
            live: Some(true),
            ..AttemptRecord::default()
        }
    }

    fn attempts(
        records: &[AttemptRecord<'_>],
        encoding: ExportEncoding,
    ) -> io::Result<(Vec<u8>, Written)> {
        let mut csv = OutcomesCsv::of_attempts(Vec::new(), format(encoding))?;
        for record in records {
            csv.attempt(record)?;
        }
        csv.finish()
    }

    #[test]
    fn an_attempt_is_one_row_under_stable_columns() {
        let (bytes, written) = attempts(&[record()], ExportEncoding::Utf8).unwrap();
        assert_eq!(written, Written { rows: 1, twins: 0, lost: 0 });
        insta::assert_snapshot!(String::from_utf8(bytes).unwrap().trim_start_matches('\u{feff}').replace("\r\n", "\n"), @r#"
        "call_ref","contact_id","name","list","campaign","seller","attempt_no","direction","to","from","trunk","started_at","rang_at","answered_at","connected_at","ended_at","wait_ms","talk_s","wrap_s","total_s","agent","outcome","first_outcome","sip_status","q850","disposition","disposition_label","memo","callback_at","callback_agent","abandoned","live","message","dnc_change","recording_url"
        "8f2a-1","A001","山田 太郎","contacts.csv","demo","Demo","1","outbound","+819012345678","+81312345678","carrier","2026-11-22T08:00:00.000+09:00","2026-11-22T08:00:01.500+09:00","2026-11-22T08:00:04.000+09:00","2026-11-22T08:00:04.120+09:00","2026-11-22T08:01:04.900+09:00","120","61","","65","","connected","","200","16","SALE","","'=cmd|' /C calc'!A0","","","0","1","","",""
        "#);
    }

    #[test]
    fn a_contact_is_one_row_under_stable_columns() {
        let mut csv = OutcomesCsv::of_contacts(Vec::new(), format(ExportEncoding::Utf8)).unwrap();
        let record = ContactRecord {
            contact_id: Some("A001".to_owned()),
            state: "done".to_owned(),
            attempts: 2,
            last_attempt_ms: Some(1_795_302_000_000),
            ..ContactRecord::default()
        };
        csv.contact(&record).unwrap();
        let (bytes, _) = csv.finish().unwrap();
        insta::assert_snapshot!(String::from_utf8(bytes).unwrap().trim_start_matches('\u{feff}').replace("\r\n", "\n"), @r#"
        "contact_id","name","phone","list","campaign","seller","state","gate","attempts","first_attempt_at","last_attempt_at","last_outcome","last_disposition","last_disposition_label","memo","last_agent","next_at"
        "A001","","","","","","done","","2","","2026-11-22T08:00:00.000+09:00","","","","","",""
        "#);
    }

    #[test]
    fn a_formula_in_a_memo_is_text_in_the_file_and_itself_again_when_read() {
        let (bytes, _) = attempts(&[record()], ExportEncoding::Utf8).unwrap();
        let mut reader = csv::Reader::from_reader(&*bytes);
        let memo = reader.headers().unwrap().iter().position(|name| name == "memo").unwrap();
        let row = reader.records().next().unwrap().unwrap();
        assert_eq!(&row[memo], "'=cmd|' /C calc'!A0");
        assert_eq!(super::super::spreadsheet::unguard(&row[memo]), "=cmd|' /C calc'!A0");
        assert!(row.iter().any(|cell| cell == "+819012345678"));
    }

    #[test]
    fn cp932_has_no_entities_and_counts_what_it_changed() {
        let memo = AttemptRecord { memo: "午前〜午後 𠮷", ..record() };
        let question = ExportEncoding::Cp932(Unmappable::QuestionMark);
        let (bytes, written) = attempts(std::slice::from_ref(&memo), question).unwrap();
        assert_eq!(written, Written { rows: 1, twins: 1, lost: 1 });
        assert!(!bytes.windows(2).any(|pair| pair == b"&#"));
        let text = encoding_rs::SHIFT_JIS.decode(&bytes).0;
        assert!(text.contains("午前～午後 ?") && !text.starts_with('\u{feff}'));
        assert!(attempts(&[memo], ExportEncoding::Cp932(Unmappable::Refuse)).is_err());
    }

    #[test]
    fn the_results_file_can_be_imported_as_a_list() {
        use crate::files::contacts_csv::ContactsCsv;
        use crate::files::contacts_csv::ReadOptions;
        use crate::files::contacts_csv::Row;
        use crate::files::encoding::survey;
        use crate::files::header::ColumnMap;
        use crate::logic::phone::Region;
        let (bytes, _) = attempts(&[record()], ExportEncoding::Utf8).unwrap();
        let columns =
            ColumnMap::from_texts([("phone", "to"), ("external_id", "contact_id")]).unwrap();
        let options = ReadOptions { columns, ..ReadOptions::new(Region::JP) };
        let survey = survey(&mut &*bytes, None).unwrap();
        let row =
            ContactsCsv::from_reader(&*bytes, survey, options).unwrap().next().unwrap().unwrap();
        let Row::Contact(contact) = row else { panic!("{row:?}") };
        assert_eq!(contact.phones[0].key, "+819012345678");
        let fields: Vec<(String, String)> = serde_json::from_str(&contact.custom).unwrap();
        let memo = fields.iter().find(|(key, _)| key == "memo").unwrap();
        assert_eq!(memo.1, "=cmd|' /C calc'!A0");
    }
}
