//! The cells of a long list: what the numbering plan says of Japanese numbers is remembered by how they begin.
//!
//! Kind and length of a Japanese number follow from its first digits (電気通信番号計画, 総務省告示第6号 of 2019: at most
//! five digits of area or service code, then numbers to be given out). So a plain cell whose first six digits and length
//! have been looked up before is not looked up again: the same answer for a thirtieth of the time. Everything else, and
//! whatever was refused, goes the long way each time.

use super::PhoneNumber;
use super::parse::Found;
use super::parse::PhoneCell;
use super::parse::read_cell;
use super::reason::PhoneKind;
use super::region::Region;

/// Reads the phone cells of one list.
pub struct CellReader {
    region: Region,
    /// For a list of Japan, by length and the five digits behind the zero.
    plan: Vec<Option<PhoneKind>>,
}

impl std::fmt::Debug for CellReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CellReader").field("region", &self.region).finish_non_exhaustive()
    }
}

impl CellReader {
    /// For numbers written the way people in `region` write them.
    #[must_use]
    pub fn new(region: Region) -> Self {
        let places = if region == Region::JP { 2 * PREFIXES } else { 0 };
        Self { region, plan: vec![None; places] }
    }

    /// What [`read_cell`] says of the cell.
    #[must_use]
    pub fn read(&mut self, raw: &str) -> PhoneCell {
        let plain = if self.plan.is_empty() { None } else { Plain::of(raw) };
        let Some(plain) = plain else { return read_cell(raw, self.region) };
        let known = self.plan.get(plain.place).copied().flatten();
        if let Some(found) = known.and_then(|kind| plain.found(kind)) {
            return PhoneCell { found: vec![found], refused: Vec::new() };
        }
        let cell = read_cell(raw, self.region);
        if let ([found], []) = (cell.found.as_slice(), cell.refused.as_slice())
            && Some(found) == plain.found(found.kind).as_ref()
            && let Some(place) = self.plan.get_mut(plain.place)
        {
            *place = Some(found.kind);
        }
        cell
    }
}

/// A cell of nothing but hyphens and ten or eleven digits, of which the first is 0.
struct Plain {
    /// `+81` and the digits behind the zero.
    international: String,
    place: usize,
}

impl Plain {
    fn of(raw: &str) -> Option<Self> {
        let mut digits = raw.bytes().filter(|byte| *byte != b'-');
        // A hyphen in front is no number's.
        if !raw.starts_with('0') || digits.next() != Some(b'0') || raw.len() > LONGEST {
            return None;
        }
        let mut international = String::with_capacity(3 + 10);
        international.push_str("+81");
        let mut prefix = 0;
        for (at, digit) in digits.enumerate() {
            if !digit.is_ascii_digit() {
                return None;
            }
            if at < PREFIX {
                prefix = prefix * 10 + usize::from(digit - b'0');
            }
            international.push(char::from(digit));
        }
        let longer = match international.len() {
            12 => 0,
            13 => PREFIXES,
            _ => return None,
        };
        Some(Self { international, place: longer + prefix })
    }

    /// What it is, if it is nothing but a number of this kind.
    fn found(&self, kind: PhoneKind) -> Option<Found> {
        let number: PhoneNumber = self.international.parse().ok()?;
        let country = Some(Region::JP);
        Some(Found { number, kind, country, extension: None, warnings: Vec::new() })
    }
}

/// Digits behind the zero that decide.
const PREFIX: usize = 5;
const PREFIXES: usize = 100_000;
/// Eleven digits, and a hyphen between any two of them.
const LONGEST: usize = 21;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_stands_around_a_number_goes_the_long_way() {
        let mut reader = CellReader::new(Region::JP);
        for raw in [
            "090-1234-5678",
            "09012345678",
            "-09012345678",
            "090-1234-567O",
            "０９０－１２３４－５６７８",
            "090-1234-5678 内線 1",
            "0901234567",
            "090123456789",
            "0120-123-456",
            "0800-123-4567",
            "0570012345",
            "02012345678",
            "+819012345678",
            "184-09012345678",
            "",
        ] {
            for _ in 0..2 {
                assert_eq!(reader.read(raw), read_cell(raw, Region::JP), "{raw}");
            }
        }
        let us: Region = "US".parse().unwrap();
        let mut reader = CellReader::new(us);
        for raw in ["0312345678", "212-555-1234", "2125551234"] {
            assert_eq!(reader.read(raw), read_cell(raw, us), "{raw}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// Numbers that begin alike, of all prefixes that people have and of any other.
        #[test]
        fn a_number_is_what_the_long_way_says_after_any_other_that_begins_alike(
            known in prop_oneof![
                Just("03"), Just("06"), Just("011"), Just("045"), Just("0422"), Just("0980"), Just("04992"),
                Just("050"), Just("060"), Just("070"), Just("080"), Just("090"), Just("0120"), Just("0570"),
                Just("0800"), Just("0990"), Just("020"), Just("0204"), Just("091"), Just("0"),
            ],
            more in "[0-9]{6}",
            tails in prop::collection::vec(("[0-9]{6}", 10_usize..=11), 2..6),
        ) {
            let mut reader = CellReader::new(Region::JP);
            let prefix = format!("{known}{more}");
            for (tail, length) in tails {
                let raw = format!("{}{tail}", &prefix[..6]);
                let raw = &raw[..length];
                prop_assert_eq!(reader.read(raw), read_cell(raw, Region::JP), "{}", raw);
            }
        }
    }
}
