//! From a cell to numbers: cleaner, never-dial table, numbering plan.

use rlibphonenumber::PHONE_NUMBER_UTIL;
use rlibphonenumber::PhoneNumberFormat;
use rlibphonenumber::PhoneNumberType;

use super::PhoneNumber;
use super::clean::CleanNumber;
use super::clean::clean;
use super::never_dial;
use super::reason::PhoneKind;
use super::reason::PhoneRefusal;
use super::reason::PhoneWarning;
use super::region::Region;

/// A number that exists and may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// E.164.
    pub number: PhoneNumber,
    /// One of the kinds that [`PhoneKind::may_be_called`].
    pub kind: PhoneKind,
    /// Its country; `None` for international networks.
    pub country: Option<Region>,
    /// Shown to the agent, never dialed by us.
    pub extension: Option<String>,
    /// What was done to find it.
    pub warnings: Vec<PhoneWarning>,
}

impl Found {
    /// What two entries are compared by: E.164, and `;ext=` where there is an extension (as in RFC 3966).
    #[must_use]
    pub fn key(&self) -> String {
        match &self.extension {
            Some(extension) => format!("{};ext={extension}", self.number.reveal()),
            None => self.number.reveal().to_owned(),
        }
    }
}

/// What a cell gave: it may hold several numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhoneCell {
    /// The good ones, in their order.
    pub found: Vec<Found>,
    /// The bad ones. Never empty when `found` is.
    pub refused: Vec<PhoneRefusal>,
}

/// Reads one number written the way people in `region` write it.
///
/// # Errors
/// The first refusal when the cell's first number cannot be called; further numbers of the cell do not replace it.
///
/// ```
/// use outdial::logic::phone::{PhoneRefusal, Region, read_number};
/// let found = read_number("０３－１２３４－５６７８（内線１２）", Region::JP).unwrap();
/// assert_eq!(found.key(), "+81312345678;ext=12");
/// assert_eq!(read_number("03-1234-567O", Region::JP), Err(PhoneRefusal::NotNumber));
/// ```
pub fn read_number(raw: &str, region: Region) -> Result<Found, PhoneRefusal> {
    let mut numbers = clean(raw).numbers.into_iter();
    let first = numbers.next().unwrap_or(Err(PhoneRefusal::Empty))?;
    let mut found = look_up(&first, region)?;
    if numbers.next().is_some() {
        found.warnings.push(PhoneWarning::Multi);
    }
    Ok(found)
}

/// Reads all numbers of a cell.
#[must_use]
pub fn read_cell(raw: &str, region: Region) -> PhoneCell {
    let numbers = clean(raw).numbers;
    let several = numbers.len() > 1;
    let mut cell = PhoneCell::default();
    for number in numbers {
        match number.and_then(|clean| look_up(&clean, region)) {
            Ok(found) => cell.found.push(found),
            Err(refusal) => cell.refused.push(refusal),
        }
    }
    if let Some(first) = cell.found.first_mut() {
        if several {
            first.warnings.push(PhoneWarning::Multi);
        }
        if !cell.refused.is_empty() {
            first.warnings.push(PhoneWarning::PartRefused);
        }
    }
    cell
}

/// The country of a number; `None` for international networks and numbers outside every plan.
#[must_use]
pub fn country_of(number: &PhoneNumber) -> Option<Region> {
    let parsed = PHONE_NUMBER_UTIL.parse(number.reveal(), None).ok()?;
    Region::from_library(PHONE_NUMBER_UTIL.get_region_for_number(&parsed)?)
}

/// Digits as dialed inside the number's own country (`0312345678`), for trunks that want them so.
#[must_use]
pub fn national_digits(number: &PhoneNumber) -> Option<String> {
    let parsed = PHONE_NUMBER_UTIL.parse(number.reveal(), None).ok()?;
    let text = PHONE_NUMBER_UTIL.format(&parsed, PhoneNumberFormat::National);
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    (!digits.is_empty()).then_some(digits)
}

fn look_up(clean: &CleanNumber, region: Region) -> Result<Found, PhoneRefusal> {
    if let Some(rule) = never_dial::as_dialed(&clean.text, region) {
        return Err(PhoneRefusal::Special(rule));
    }
    let mut warnings = Vec::new();
    let mut text = clean.text.as_str();
    while region == Region::JP
        && let Some(rest) = never_dial::strip_privacy_prefix(text)
    {
        text = rest;
        warnings = vec![PhoneWarning::PrefixDropped];
    }
    let library_region = region.in_library();
    let parsed =
        PHONE_NUMBER_UTIL.parse(text, library_region).map_err(|_shape| PhoneRefusal::Invalid)?;
    // Never `is_possible`: it accepts 0081-90-… and 184-03-… A number of no type is not valid, and the other way round.
    let kind = PHONE_NUMBER_UTIL.get_number_type(&parsed);
    if kind == PhoneNumberType::Unknown {
        return Err(PhoneRefusal::Invalid);
    }
    let number: PhoneNumber = PHONE_NUMBER_UTIL
        .format(&parsed, PhoneNumberFormat::E164)
        .parse()
        .map_err(|_shape| PhoneRefusal::Invalid)?;
    if let Some(rule) = never_dial(&number) {
        return Err(PhoneRefusal::Special(rule));
    }
    let kind = kind_of(kind);
    if !kind.may_be_called() {
        return Err(PhoneRefusal::ForbiddenType(kind));
    }
    let national = number.digits().strip_prefix(&parsed.country_code.to_string());
    if national == Some(text) && same_with_zero(text, region, &number) {
        warnings.push(PhoneWarning::ZeroRestored);
    }
    if clean.extension.is_some() {
        warnings.push(PhoneWarning::ExtFound);
    }
    let country = PHONE_NUMBER_UTIL.get_region_for_number(&parsed).and_then(Region::from_library);
    Ok(Found { number, kind, country, extension: clean.extension.clone(), warnings })
}

/// Whether the number is the same with a 0 in front, as in countries that write one.
fn same_with_zero(text: &str, region: Region, number: &PhoneNumber) -> bool {
    PHONE_NUMBER_UTIL.parse(format!("0{text}"), region.in_library()).is_ok_and(|parsed| {
        PHONE_NUMBER_UTIL.format(&parsed, PhoneNumberFormat::E164) == number.reveal()
    })
}

const fn kind_of(kind: PhoneNumberType) -> PhoneKind {
    match kind {
        PhoneNumberType::FixedLine => PhoneKind::Fixed,
        PhoneNumberType::Mobile => PhoneKind::Mobile,
        PhoneNumberType::FixedLineOrMobile => PhoneKind::FixedOrMobile,
        PhoneNumberType::VoIP => PhoneKind::Voip,
        PhoneNumberType::TollFree => PhoneKind::TollFree,
        PhoneNumberType::PremiumRate => PhoneKind::Premium,
        PhoneNumberType::SharedCost => PhoneKind::SharedCost,
        PhoneNumberType::PersonalNumber => PhoneKind::Personal,
        PhoneNumberType::Pager => PhoneKind::Pager,
        PhoneNumberType::UAN => PhoneKind::CompanyAccess,
        PhoneNumberType::VoiceMail => PhoneKind::Voicemail,
        PhoneNumberType::Unknown => PhoneKind::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jp(raw: &str) -> Result<String, &'static str> {
        read_number(raw, Region::JP).map(|f| f.key()).map_err(|r| r.code())
    }

    #[test]
    fn numbers_are_found_however_they_are_written() {
        for (raw, number) in [
            ("03-1234-5678", "+81312345678"),
            ("０９０－１２３４－５６７８", "+819012345678"),
            ("090.1234.5678", "+819012345678"),
            ("+81(0)90-1234-5678", "+819012345678"),
            ("010-81-90-1234-5678", "+819012345678"),
            ("+81 3 1234 5678", "+81312345678"),
            ("050-1234-5678", "+815012345678"),
            ("060-1234-5678", "+816012345678"),
            ("080-1234-5678", "+818012345678"),
            ("184-03-1234-5678", "+81312345678"),
            ("186-090-1234-5678", "+819012345678"),
            ("+1 212-555-1234", "+12125551234"),
            ("+44 20 7946 0018", "+442079460018"),
            ("03-1234-5678 内線12", "+81312345678;ext=12"),
        ] {
            assert_eq!(jp(raw), Ok(number.to_owned()), "{raw}");
            let found = read_number(raw, Region::JP).unwrap();
            assert_eq!(found.country, country_of(&found.number), "{raw}");
        }
    }

    #[test]
    fn what_is_no_number_has_the_code_that_says_why() {
        for (raw, code) in [
            ("", "PHONE_EMPTY"),
            ("03-1234-567O", "PHONE_NOT_NUMBER"),
            ("O3-1234-5678", "PHONE_NOT_NUMBER"),
            ("9.01235E+09", "PHONE_SCI"),
            ("03-1234-567", "PHONE_INVALID"),
            ("03-1234-56789", "PHONE_INVALID"),
            ("1234-5678", "PHONE_INVALID"),
            ("090-0123-4567", "PHONE_INVALID"),
            ("0000000000", "PHONE_SPECIAL"),
            ("0081-90-1234-5678", "PHONE_SPECIAL"),
            ("110", "PHONE_SPECIAL"),
            ("0120-444-444", "PHONE_SPECIAL"),
            ("03-1234-5678 090-1234-5678", "PHONE_INVALID"),
            ("03-1234-5678~5680", "PHONE_INVALID"),
            ("FAX 03-1234-5678", "PHONE_FORBIDDEN_TYPE"),
            ("2026/3/12", "PHONE_INVALID"),
        ] {
            assert_eq!(jp(raw), Err(code), "{raw}");
        }
    }

    #[test]
    fn a_lost_zero_is_put_back_and_flagged() {
        for raw in ["9012345678", "312345678"] {
            let found = read_number(raw, Region::JP).unwrap();
            assert_eq!(found.warnings, [PhoneWarning::ZeroRestored], "{raw}");
        }
        assert_eq!(read_number("0312345678", Region::JP).unwrap().warnings, []);
        assert_eq!(read_number("+81312345678", Region::JP).unwrap().warnings, []);
        assert_eq!(read_number("212-555-1234", "US".parse().unwrap()).unwrap().warnings, []);
    }

    #[test]
    fn a_cell_of_several_keeps_the_good_ones_in_order() {
        let cell = read_cell("0120-444-444 / 090-1234-5678、03-1234-5678", Region::JP);
        let keys: Vec<_> = cell.found.iter().map(Found::key).collect();
        assert_eq!(keys, ["+819012345678", "+81312345678"]);
        assert_eq!(cell.refused.len(), 1);
        assert_eq!(cell.found[0].warnings, [PhoneWarning::Multi, PhoneWarning::PartRefused]);
        assert!(read_cell("なし", Region::JP).found.is_empty());
        assert_eq!(read_cell("なし", Region::JP).refused, [PhoneRefusal::Empty]);
    }

    #[test]
    fn a_number_knows_its_country_and_how_it_is_dialed_there() {
        let japan: PhoneNumber = "+81312345678".parse().unwrap();
        assert_eq!(country_of(&japan), Some(Region::JP));
        assert_eq!(national_digits(&japan).as_deref(), Some("0312345678"));
        assert_eq!(country_of(&"+16132345678".parse().unwrap()), "CA".parse().ok());
        assert_eq!(country_of(&"+88216123456".parse().unwrap()), None);
    }

    #[test]
    fn every_refusal_has_both_languages() {
        for raw in ["", "x1", "9E9", "03", "110", "FAX 03-1234-5678"] {
            let refusal = read_number(raw, Region::JP).unwrap_err();
            assert!(!refusal.reason_en().is_empty() && !refusal.reason_ja().is_ascii(), "{raw}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_what_is_found_may_be_dialed(raw in "\\PC{0,40}") {
            for found in read_cell(&raw, Region::JP).found {
                proptest::prop_assert!(never_dial(&found.number).is_none());
                proptest::prop_assert!(found.kind.may_be_called());
            }
        }

        #[test]
        fn what_is_found_is_found_again_from_its_own_e164(rest in "0[1-9][0-9]{7,9}") {
            if let Ok(found) = read_number(&rest, Region::JP) {
                let again = read_number(found.number.reveal(), "US".parse().unwrap()).unwrap();
                proptest::prop_assert_eq!(again.number, found.number);
            }
        }
    }

    #[test]
    fn a_number_has_a_type_if_it_is_valid_and_only_then() {
        let mut valid = 0;
        for (code, digits) in
            [(81, 9), (81, 10), (1, 10), (44, 10), (39, 9), (49, 10), (86, 11), (870, 9), (7, 10)]
        {
            for n in 0..3_000_u64 {
                // Spread over the whole plan.
                let rest = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 10_u64.pow(digits);
                let Ok(parsed) = PHONE_NUMBER_UTIL.parse(format!("+{code}{rest}"), None) else {
                    continue;
                };
                let is_valid = PHONE_NUMBER_UTIL.is_valid_number(&parsed);
                let kind = PHONE_NUMBER_UTIL.get_number_type(&parsed);
                assert_eq!(is_valid, kind != PhoneNumberType::Unknown, "+{code} {rest}");
                valid += u32::from(is_valid);
            }
        }
        assert!(valid > 1_000, "{valid}");
    }
}
