//! Numbers that are never dialed: emergency lines, services, numbers that cost the callee or the caller extra.
//!
//! libphonenumber calls 0120, 0800, 0570 and 0990 valid and does not know 118 or 171, so the table is our own. It is
//! asked when a list comes in and again before each dial.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use super::PhoneNumber;
use super::region::Region;

/// One row of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NeverDialRule {
    /// Digits as dialed inside the country; `X` is any digit, a final `*` anything.
    pub pattern: &'static str,
    /// Why.
    pub reason: NeverDialReason,
    /// What it is, in English.
    pub en: &'static str,
    /// What it is, in Japanese.
    pub ja: &'static str,
    /// Where that is laid down.
    pub source: &'static str,
    /// The day the row was last compared with its source (`2026-11-21`); `-`: still to be compared.
    pub checked: &'static str,
}

/// The rule's own words only: a matched number is not in it.
impl fmt::Debug for NeverDialRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NeverDialRule({} {})", self.pattern, self.reason.as_str())
    }
}

/// The closed list of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NeverDialReason {
    /// Police, fire brigade, ambulance, crisis lines.
    Emergency,
    /// Directory, clock, weather, operator, star and hash codes.
    Service,
    /// The callee would pay for our call.
    TollFree,
    /// We would pay a surcharge.
    Premium,
    /// Surcharge numbers and company-wide access numbers.
    SharedCost,
    /// Pagers and machines.
    Pager,
    /// Not a number but a prefix of a carrier.
    CarrierPrefix,
    /// Numbers that follow a person, at a surcharge.
    Personal,
    /// Reserved for films and books.
    Fictional,
    /// Satellite and international networks: dear, and a favourite of fraud.
    Satellite,
}

impl NeverDialReason {
    const ALL: [Self; 10] = [
        Self::Emergency,
        Self::Service,
        Self::TollFree,
        Self::Premium,
        Self::SharedCost,
        Self::Pager,
        Self::CarrierPrefix,
        Self::Personal,
        Self::Fictional,
        Self::Satellite,
    ];

    /// The stable text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Emergency => "emergency",
            Self::Service => "service",
            Self::TollFree => "toll_free",
            Self::Premium => "premium",
            Self::SharedCost => "shared_cost",
            Self::Pager => "pager",
            Self::CarrierPrefix => "carrier_prefix",
            Self::Personal => "personal",
            Self::Fictional => "fictional",
            Self::Satellite => "satellite",
        }
    }
}

/// The rule against dialing this number, if any. Cheap: a few comparisons, no number is parsed.
#[must_use]
pub fn never_dial(number: &PhoneNumber) -> Option<&'static NeverDialRule> {
    of_international(number.digits())
}

/// The rule against what somebody typed (`110`, `184110`, `+81120…`, `#7119`), read as dialed in `region`.
///
/// `text` is cleaned: digits, `*`, `#` and a leading `+`.
pub(super) fn as_dialed(text: &str, region: Region) -> Option<&'static NeverDialRule> {
    if text.contains(['*', '#']) {
        return Some(&CODE);
    }
    if let Some(digits) = text.strip_prefix('+') {
        return of_international(digits).or_else(|| {
            // `+81 184 110`: somebody put the country in front of everything.
            let rest = strip_privacy_prefix(digits.strip_prefix("81")?)?;
            of_national("81", rest)
        });
    }
    let code = region.calling_code()?.to_string();
    if region == Region::JP {
        if let Some(rest) = strip_privacy_prefix(text) {
            return as_dialed(rest, region);
        }
        // 010 is Japan's way out of the country: what follows begins with a country code.
        if let Some(digits) = text.strip_prefix("010").filter(|d| !d.is_empty()) {
            return of_international(digits);
        }
    }
    of_national(&code, text)
}

/// What follows 184 (hide), 186 (show) or 122 (no pre-selected carrier) in Japan, if it is a number of its own.
///
/// `None` for area codes that begin alike (0184 with its zero lost): what follows the prefix starts with 0 or is a
/// three-digit number.
pub(super) fn strip_privacy_prefix(text: &str) -> Option<&str> {
    let rest = ["184", "186", "122"].iter().find_map(|prefix| text.strip_prefix(prefix))?;
    let is_number =
        (rest.starts_with('0') && rest.len() > 3) || (rest.len() == 3 && rest.starts_with('1'));
    let again = || strip_privacy_prefix(rest).is_some();
    (is_number || again()).then_some(rest)
}

fn of_international(digits: &str) -> Option<&'static NeverDialRule> {
    // Calling codes are prefix-free, so at most one length is in the table.
    for len in 1..=3 {
        let Some((code, national)) = digits.split_at_checked(len) else { continue };
        if TABLE.contains_key(code) {
            return of_national(code, national);
        }
    }
    TABLE.get("*").and_then(|rules| first_match(rules, digits))
}

/// `national` with or without the trunk prefix: lists lose it, and E.164 has none.
fn of_national(code: &str, national: &str) -> Option<&'static NeverDialRule> {
    let own = TABLE.get(code).map(Vec::as_slice).unwrap_or_default();
    let everywhere = TABLE.get("*").map(Vec::as_slice).unwrap_or_default();
    // A year in the phone column must not read as a pager that lost its zero.
    let lost_zero = !national.starts_with('0') && national.len() >= 8;
    let other = match national.strip_prefix(if code == "1" { '1' } else { '0' }) {
        // `1 900…` in North America; `+81 (0)110` elsewhere.
        Some(rest) if code == "1" || rest.len() <= 4 => Some(rest.to_owned()),
        _ if lost_zero => Some(format!("0{national}")),
        _ => None,
    };
    first_match(own, national)
        .or_else(|| first_match(own, &other?))
        .or_else(|| first_match(everywhere, national))
}

fn first_match(rules: &'static [NeverDialRule], digits: &str) -> Option<&'static NeverDialRule> {
    rules.iter().find(|rule| matches(rule.pattern, digits))
}

fn matches(pattern: &str, digits: &str) -> bool {
    let (fixed, open) = pattern.strip_suffix('*').map_or((pattern, false), |fixed| (fixed, true));
    let fits = if open { digits.len() >= fixed.len() } else { digits.len() == fixed.len() };
    fits && fixed.bytes().zip(digits.bytes()).all(|(p, d)| p == b'X' || p == d)
}

/// `#7119`, `#8000`, `*31#`: service codes of a network.
static CODE: NeverDialRule = NeverDialRule {
    pattern: "# or *",
    reason: NeverDialReason::Service,
    en: "service code with # or *",
    ja: "# や * で始まる番号",
    source: "3GPP TS 22.030 section 6.5.2; 電気通信番号計画",
    checked: "-",
};

static TABLE: LazyLock<BTreeMap<&'static str, Vec<NeverDialRule>>> = LazyLock::new(|| {
    let mut table: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (code, rule) in DATA.lines().filter_map(row) {
        table.entry(code).or_default().push(rule);
    }
    table
});

fn row(line: &'static str) -> Option<(&'static str, NeverDialRule)> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = line.split('|');
    let mut next = || fields.next();
    let (code, _country, pattern, reason) = (next()?, next()?, next()?, next()?);
    let reason = NeverDialReason::ALL.into_iter().find(|r| r.as_str() == reason)?;
    let rule = NeverDialRule {
        pattern,
        reason,
        en: next()?,
        ja: next()?,
        source: next()?,
        checked: next()?,
    };
    Some((code, rule))
}

const DATA: &str = include_str!("data/never_dial.txt");

#[cfg(test)]
mod tests {
    use super::super::clean;
    use super::super::parse::read_number;
    use super::super::reason::PhoneRefusal;
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read_and_names_its_source() {
        for line in DATA.lines().filter(|l| !l.starts_with('#')) {
            let (code, rule) = row(line).unwrap_or_else(|| panic!("unread: {line}"));
            assert_eq!(line.split('|').count(), 8, "{line}");
            assert!(code == "*" || code.bytes().all(|b| b.is_ascii_digit()), "{line}");
            let fixed = rule.pattern.strip_suffix('*').unwrap_or(rule.pattern);
            assert!(fixed.bytes().all(|b| b.is_ascii_digit() || b == b'X'), "{line}");
            assert!(
                !rule.en.is_empty() && !rule.ja.is_empty() && !rule.source.is_empty(),
                "{line}"
            );
            let day = rule.checked.parse::<jiff::civil::Date>().is_ok();
            assert!(day || rule.checked == "-", "{line}");
        }
    }

    /// The Japanese list with the service numbers people know, each as dialed.
    const JAPAN: &[&str] = &[
        "110",
        "118",
        "119",
        "100",
        "104",
        "113",
        "114",
        "115",
        "116",
        "117",
        "136",
        "141",
        "148",
        "151",
        "157",
        "159",
        "161",
        "171",
        "177",
        "188",
        "189",
        "199",
        "0120123456",
        "0120-444-444",
        "0120-12-3456",
        "08001234567",
        "0570012345",
        "0990123456",
        "0180991234",
        "0170123456",
        "0910123456",
        "0911234567",
        "02012345678",
        "0204123456",
        "0200123456789",
        "0033-03-1234-5678",
        "001-010-1",
        "0061",
        "0077-22-1234",
        "0088-22-1234",
        "009191",
    ];

    #[test]
    fn japanese_special_numbers_are_refused_in_every_width_and_behind_every_prefix() {
        for number in JAPAN {
            let wide: String =
                number.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect();
            let mut forms = vec![(*number).to_owned(), wide.clone()];
            for prefix in ["184", "186", "122", "１８４－", "184-186-"] {
                forms.push(format!("{prefix}{number}"));
                forms.push(format!("{prefix}{wide}"));
            }
            forms.push(format!("+81{number}"));
            forms.push(format!("+81-{}", number.trim_start_matches('0')));
            forms.push(format!("010-81-{}", number.trim_start_matches('0')));
            forms.push(format!("＋８１（０）{}", wide.trim_start_matches('０')));
            for form in forms
                .iter()
                .filter(|f| !number.starts_with("00") || !f.contains("81") && !f.contains('＋'))
            {
                let got = read_number(form, Region::JP);
                assert!(matches!(got, Err(PhoneRefusal::Special(_))), "{form}: {got:?}");
            }
        }
        for code in ["#7119", "＃８０００", "#9110", "184#7119", "*31#0312345678", "♯7119"] {
            let got = read_number(code, Region::JP);
            assert!(matches!(got, Err(PhoneRefusal::Special(_))), "{code}: {got:?}");
        }
    }

    #[test]
    fn special_numbers_of_other_countries_are_refused() {
        for (region, numbers) in [
            (
                "US",
                &[
                    "911",
                    "988",
                    "411",
                    "811",
                    "900-555-1234",
                    "1-900-555-1234",
                    "212-976-1234",
                    "800-234-5678",
                    "1 888 234 5678",
                    "833-234-5678",
                    "212-555-0123",
                    "+1 212 555 0199",
                ][..],
            ),
            ("CA", &["911", "416-555-0123"]),
            (
                "GB",
                &[
                    "999",
                    "112",
                    "101",
                    "105",
                    "111",
                    "116123",
                    "118118",
                    "0906 123 4567",
                    "07012345678",
                    "0844 123 4567",
                    "0870 123 4567",
                    "0800 123 4567",
                    "+44 (0)906 123 4567",
                ],
            ),
            ("DE", &["112", "110", "116117", "0900 1234567", "0180 5 123456", "0137 1234567"]),
            ("FR", &["15", "17", "18", "112", "0891 23 45 67", "3617"]),
            (
                "AU",
                &["000", "106", "112", "13 12 34", "1300 123 456", "1900 123 456", "1800 123 456"],
            ),
            ("IN", &["112", "100", "101", "102", "103", "108", "1800 123 456"]),
            ("KR", &["112", "119", "060-123-4567", "1588-1234"]),
            ("CN", &["110", "119", "120", "95588", "400-123-4567"]),
            ("SG", &["995", "999", "1900 123 4567"]),
            (
                "JP",
                &[
                    "+1 911",
                    "+44 999",
                    "112",
                    "911",
                    "+8816 123 45678",
                    "+882 123 456 789",
                    "+979 123 456 789",
                ],
            ),
        ] {
            for number in numbers {
                let got = read_number(number, region.parse().unwrap());
                assert!(matches!(got, Err(PhoneRefusal::Special(_))), "{region} {number}: {got:?}");
            }
        }
    }

    #[test]
    fn ordinary_numbers_pass_the_table() {
        for (region, numbers) in [
            (
                "JP",
                &[
                    "03-1234-5678",
                    "0184-23-1234",
                    "184231234",
                    "018-862-1234",
                    "0186-42-1234",
                    "0123-23-1234",
                    "090-1234-5678",
                    "080-1234-5678",
                    "070-1234-5678",
                    "050-1234-5678",
                    "0172-33-1234",
                    "06-6123-4567",
                    "011-212-3456",
                ][..],
            ),
            ("US", &["212-555-1234", "911-1234567890123", "(415) 976-0"]),
            ("GB", &["020 7946 0018", "07400 123456", "0118 496 0123"]),
            ("AU", &["02 9374 4000", "0412 345 678"]),
            ("CN", &["010 6552 1234", "130 1234 5678"]),
        ] {
            for number in numbers {
                let text = clean(number).numbers[0].clone().unwrap().text;
                assert_eq!(as_dialed(&text, region.parse().unwrap()), None, "{region} {number}");
            }
        }
    }

    #[test]
    fn a_stored_number_is_asked_again_before_it_is_dialed() {
        let toll_free: PhoneNumber = "+81120123456".parse().unwrap();
        assert_eq!(never_dial(&toll_free).unwrap().reason, NeverDialReason::TollFree);
        assert_eq!(never_dial(&"+81312345678".parse().unwrap()), None);
        assert_eq!(never_dial(&"+85221234567".parse().unwrap()), None);
        assert_eq!(
            never_dial(&"+979123456789".parse().unwrap()).unwrap().reason,
            NeverDialReason::Premium
        );
    }
}
