//! Phone numbers: E.164, masked wherever they are printed; and how a cell of a list becomes one.
//!
//! A cell goes through [`clean()`] (what people write around a number), the never-dial table ([`never_dial()`]) and the
//! numbering plan of its country ([`read_number`]). Refused is the rule, a number the exception: a wrong digit rings
//! at a stranger's.

mod clean;
mod never_dial;
mod parse;
mod reader;
mod reason;
mod region;

use std::fmt;
use std::str::FromStr;

pub use clean::CleanNumber;
pub use clean::CleanedCell;
pub use clean::clean;
pub use never_dial::NeverDialReason;
pub use never_dial::NeverDialRule;
pub use never_dial::never_dial;
pub use parse::Found;
pub use parse::PhoneCell;
pub use parse::country_of;
pub use parse::national_digits;
pub use parse::read_cell;
pub use parse::read_number;
pub use reader::CellReader;
pub use reason::PhoneKind;
pub use reason::PhoneRefusal;
pub use reason::PhoneWarning;
pub use region::Region;
pub use region::UnknownRegion;

/// A number in E.164 (`+81312345678`): a plus and 7 to 15 digits.
///
/// `Debug` and `Display` mask it; only [`PhoneNumber::reveal`] shows it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// The whole number, for dialing and for files a person asked for. Never for logs.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The digits without the plus.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.0.get(1..).unwrap_or_default()
    }
}

/// The text is not a plus and 7 to 15 digits (ITU-T E.164 §6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a number in E.164 is `+` and 7 to 15 digits, such as +81312345678")]
pub struct NotE164;

impl FromStr for PhoneNumber {
    type Err = NotE164;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('+').ok_or(NotE164)?;
        let fits = (7..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        if fits { Ok(Self(text.to_owned())) } else { Err(NotE164) }
    }
}

/// `+8190****5678`: country and network stay readable, the person does not.
impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.0.len();
        let tail = 4.min(len.saturating_sub(4));
        let head = 5.min(len.saturating_sub(tail + 3));
        let (head_text, tail_text) = (self.0.get(..head), self.0.get(len - tail..));
        write!(f, "{}****{}", head_text.unwrap_or_default(), tail_text.unwrap_or_default())
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The whole number: for the database and for journals a person asked for.
impl serde::Serialize for PhoneNumber {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for PhoneNumber {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_masked_wherever_it_is_printed() {
        let number: PhoneNumber = "+819012345678".parse().unwrap();
        assert_eq!(number.to_string(), "+8190****5678");
        assert_eq!(format!("{number:?}"), "+8190****5678");
        assert_eq!(number.reveal(), "+819012345678");
        let short: PhoneNumber = "+1234567".parse().unwrap();
        assert_eq!(short.to_string(), "+****4567");
    }

    #[test]
    fn only_e164_is_a_number() {
        for bad in
            ["", "+", "819012345678", "+0312345678", "+81-3-1234", "+12345678901234567", "+12345"]
        {
            assert_eq!(bad.parse::<PhoneNumber>(), Err(NotE164), "{bad}");
        }
    }
}
