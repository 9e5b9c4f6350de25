//! A person as a row of a list tells of them.

use std::fmt;

use crate::files::refusal::RowWarning;
use crate::logic::phone::{PhoneKind, PhoneNumber, Region};

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
    /// numbers, language, priority and do-not-call. JSON without blanks: `[["header","cell"],…]`.
    pub custom: String,
    /// What was noticed.
    pub warnings: Vec<RowWarning>,
    /// The row as it stands in the list: [`super::ContactsCsv::cells`] cuts it, for the rejects file if the database refuses it.
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
