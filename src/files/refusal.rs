//! Why a row of a list was not taken, and what was noticed about one that was: stable codes, English and Japanese.

use crate::logic::phone::PhoneRefusal;
use crate::logic::phone::PhoneWarning;
use crate::logic::phone::Region;

/// A row that was not taken. Goes to the rejects file.
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Data row, from 1.
    pub row: u64,
    /// Physical line it begins on, from 1; the header counts.
    pub line: u64,
    /// Header of the column to blame.
    pub column: Option<String>,
    /// Why.
    pub reason: RefusalReason,
    /// The row's own cells, for the rejects file; empty when it could not be taken apart.
    pub cells: Vec<String>,
    /// The cell to blame, or the row's text where it could not be taken apart (at most 4 KiB).
    pub raw: String,
}

/// Hides the person: logs may print this.
impl std::fmt::Debug for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refusal")
            .field("row", &self.row)
            .field("line", &self.line)
            .field("column", &self.column)
            .field("code", &self.reason.code())
            .finish_non_exhaustive()
    }
}

/// The closed list of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// None of the row's numbers can be called; this is what is wrong with the first that is there.
    Phone(PhoneRefusal),
    /// Every number belongs to a country that is not on the list of countries allowed.
    CountryBlocked(Option<Region>),
    /// A byte that is wrong in the file's encoding, or a NUL.
    EncodingInvalid,
    /// More or fewer cells than the header has.
    Ragged {
        /// Cells of the row.
        found: usize,
        /// Columns of the header.
        expected: usize,
    },
    /// A quote opens and is never closed.
    QuoteOpen {
        /// Physical line of the quote.
        line: u64,
    },
    /// A field over 64 KiB or a row over 1 MiB.
    FieldTooLong,
    /// The list itself says that this person must not be called.
    DoNotCall,
    /// On the do-not-call list of the database.
    Suppressed,
    /// The same person or number stands further up in this file.
    DuplicateInFile,
    /// The same person or number is in the list already.
    DuplicateInList,
}

impl RefusalReason {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Phone(refusal) => refusal.code(),
            Self::CountryBlocked(_) => "COUNTRY_BLOCKED",
            Self::EncodingInvalid => "ENC_INVALID",
            Self::Ragged { .. } => "ROW_RAGGED",
            Self::QuoteOpen { .. } => "QUOTE_OPEN",
            Self::FieldTooLong => "FIELD_TOO_LONG",
            Self::DoNotCall | Self::Suppressed => "DNC",
            Self::DuplicateInFile => "DUP_FILE",
            Self::DuplicateInList => "DUP_LIST",
        }
    }

    /// What is wrong and what to do, in English.
    #[must_use]
    pub fn reason_en(&self) -> String {
        match self {
            Self::Phone(refusal) => refusal.reason_en(),
            Self::CountryBlocked(Some(region)) => {
                format!("a number of {region}, which is not among the campaign's countries")
            }
            Self::CountryBlocked(None) => "a number of no country: never allowed".to_owned(),
            Self::EncodingInvalid => {
                "bytes that are wrong in the file's encoding: correct the cell, or import with the right --encoding"
                    .to_owned()
            }
            Self::Ragged { found, expected } => format!(
                "{found} cells where the header has {expected}: a comma inside a cell needs \"…\" around it"
            ),
            Self::QuoteOpen { line } => {
                format!("the quote (\") opened on line {line} is never closed: close or remove it")
            }
            Self::FieldTooLong => "a cell over 64 KiB or a row over 1 MiB: shorten it".to_owned(),
            Self::DoNotCall => "the list says not to call this person".to_owned(),
            Self::Suppressed => "on the do-not-call list".to_owned(),
            Self::DuplicateInFile => "the same person or number stands further up in this file".to_owned(),
            Self::DuplicateInList => "the same person or number is in the list already".to_owned(),
        }
    }

    /// What is wrong and what to do, in Japanese.
    #[must_use]
    pub fn reason_ja(&self) -> String {
        match self {
            Self::Phone(refusal) => refusal.reason_ja(),
            Self::CountryBlocked(Some(region)) => format!("{region} の番号です。キャンペーンの対象国ではありません"),
            Self::CountryBlocked(None) => "どの国の番号でもありません。架電できません".to_owned(),
            Self::EncodingInvalid => {
                "文字コードとして正しくないバイトがあります。セルを直すか、正しい --encoding で取り込んでください".to_owned()
            }
            Self::Ragged { found, expected } => format!(
                "列の数が {found} で、見出しの {expected} と合いません。セル内のカンマは \"…\" で囲んでください"
            ),
            Self::QuoteOpen { line } => {
                format!("{line} 行目で始まる引用符（\"）が閉じていません。閉じるか削除してください")
            }
            Self::FieldTooLong => "セルが 64 KiB、または行が 1 MiB を超えています。短くしてください".to_owned(),
            Self::DoNotCall => "リストで架電禁止とされています".to_owned(),
            Self::Suppressed => "架電禁止リストに登録されています".to_owned(),
            Self::DuplicateInFile => "同じ人または番号がこのファイルの上の行にあります".to_owned(),
            Self::DuplicateInList => "同じ人または番号がすでにリストにあります".to_owned(),
        }
    }
}

/// Something noticed about a row that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowWarning {
    /// About a number.
    Phone(PhoneWarning),
    /// One of several phone columns holds no number that can be called.
    PhoneColumnRefused,
    /// The language is none we know; the person has none.
    LanguageUnknown,
    /// The priority is no whole number; the person has none.
    PriorityInvalid,
}

impl RowWarning {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Phone(warning) => warning.code(),
            Self::PhoneColumnRefused => PhoneWarning::PartRefused.code(),
            Self::LanguageUnknown => "LANGUAGE_UNKNOWN",
            Self::PriorityInvalid => "PRIORITY_INVALID",
        }
    }

    /// In English.
    #[must_use]
    pub const fn text_en(self) -> &'static str {
        match self {
            Self::Phone(warning) => warning.text_en(),
            Self::PhoneColumnRefused => PhoneWarning::PartRefused.text_en(),
            Self::LanguageUnknown => "the language is not known and was left out",
            Self::PriorityInvalid => "the priority is not a whole number and was left out",
        }
    }

    /// In Japanese.
    #[must_use]
    pub const fn text_ja(self) -> &'static str {
        match self {
            Self::Phone(warning) => warning.text_ja(),
            Self::PhoneColumnRefused => PhoneWarning::PartRefused.text_ja(),
            Self::LanguageUnknown => "言語が分からないため空にしました",
            Self::PriorityInvalid => "優先度が整数でないため空にしました",
        }
    }
}
