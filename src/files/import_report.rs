//! What became of a list: counts, and the reasons that were most frequent.

use std::collections::BTreeMap;

use super::contacts_csv::Row;
use super::refusal::Refusal;
use super::refusal::RefusalReason;

/// Counts of one import.
///
/// Every row is in `accepted`, `updated` or one of the refusals, so these sum up to `total`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ImportReport {
    /// Data rows of the file.
    pub total: u64,
    /// New in the list.
    pub accepted: u64,
    /// Known persons whose data was brought up to date.
    pub updated: u64,
    /// Refused: further up in the same file.
    pub duplicate_in_file: u64,
    /// Refused: in the list already.
    pub duplicate_in_list: u64,
    /// Refused: not to be called.
    pub dnc_hit: u64,
    /// Refused: for any other reason.
    pub invalid: u64,
    /// Rows read well, with a remark.
    pub warned: u64,
    /// How often each code refused a row.
    pub refused_by: BTreeMap<&'static str, u64>,
    /// How often each remark was made.
    pub warned_by: BTreeMap<&'static str, u64>,
    #[serde(skip)]
    words: BTreeMap<&'static str, (String, String)>,
}

/// Language of texts for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextLanguage {
    /// English.
    En,
    /// Japanese.
    Ja,
}

impl ImportReport {
    /// Counts a row as it was read. A contact waits for [`Self::stored`], [`Self::kept_up`] or [`Self::refused`].
    pub fn read(&mut self, row: &Row) {
        self.total += 1;
        match row {
            Row::Contact(contact) => {
                self.warned += u64::from(!contact.warnings.is_empty());
                let mut codes: Vec<_> = contact.warnings.clone();
                codes.sort();
                codes.dedup();
                for warning in codes {
                    *self.warned_by.entry(warning.code()).or_default() += 1;
                    let texts = (warning.text_en().to_owned(), warning.text_ja().to_owned());
                    self.words.entry(warning.code()).or_insert(texts);
                }
            }
            Row::Refused(refusal) => self.refused(refusal),
        }
    }

    /// The database took a contact as new.
    pub const fn stored(&mut self) {
        self.accepted += 1;
    }

    /// The database knew the person and brought the data up to date.
    pub const fn kept_up(&mut self) {
        self.updated += 1;
    }

    /// A row was refused: by us (through [`Self::read`]) or by the database.
    pub fn refused(&mut self, refusal: &Refusal) {
        let count = match refusal.reason {
            RefusalReason::DuplicateInFile => &mut self.duplicate_in_file,
            RefusalReason::DuplicateInList => &mut self.duplicate_in_list,
            RefusalReason::DoNotCall | RefusalReason::Suppressed => &mut self.dnc_hit,
            RefusalReason::Phone(_)
            | RefusalReason::CountryBlocked(_)
            | RefusalReason::EncodingInvalid
            | RefusalReason::Ragged { .. }
            | RefusalReason::QuoteOpen { .. }
            | RefusalReason::FieldTooLong => &mut self.invalid,
        };
        *count += 1;
        let code = refusal.reason.code();
        *self.refused_by.entry(code).or_default() += 1;
        let texts = || (refusal.reason.reason_en(), refusal.reason.reason_ja());
        self.words.entry(code).or_insert_with(texts);
    }

    /// All refused rows.
    #[must_use]
    pub const fn refusals(&self) -> u64 {
        self.duplicate_in_file + self.duplicate_in_list + self.dnc_hit + self.invalid
    }

    /// The report as lines of text. A reason stands with the words of its first case.
    #[must_use]
    pub fn text(&self, language: TextLanguage) -> String {
        let ja = language == TextLanguage::Ja;
        let mut text = String::new();
        for (english, japanese, count) in [
            ("rows", "行数", self.total),
            ("accepted", "登録", self.accepted),
            ("updated", "更新", self.updated),
            ("duplicate in this file", "ファイル内の重複", self.duplicate_in_file),
            ("duplicate in the list", "リスト内の重複", self.duplicate_in_list),
            ("do not call", "架電禁止", self.dnc_hit),
            ("invalid", "不正", self.invalid),
            ("with a remark", "注意あり", self.warned),
        ] {
            line(&mut text, count, if ja { japanese } else { english });
        }
        for (title, counts) in [
            (if ja { "拒否の理由" } else { "why refused" }, &self.refused_by),
            (if ja { "注意" } else { "remarks" }, &self.warned_by),
        ] {
            let mut top: Vec<_> = counts.iter().collect();
            top.sort_by_key(|(code, count)| (std::cmp::Reverse(**count), **code));
            if !top.is_empty() {
                text.push_str(title);
                text.push_str(":\n");
            }
            for (code, count) in top.into_iter().take(TOP) {
                let words =
                    self.words.get(code).map(|(en, japanese)| if ja { japanese } else { en });
                line(
                    &mut text,
                    *count,
                    &format!("{code}  {}", words.map(String::as_str).unwrap_or_default()),
                );
            }
        }
        text
    }
}

fn line(text: &mut String, count: u64, words: &str) {
    text.push_str(&format!("{count:>9}  {words}\n"));
}

/// So many reasons are shown.
const TOP: usize = 10;
