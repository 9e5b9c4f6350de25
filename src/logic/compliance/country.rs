//! Countries by calling prefix, and the allow-list that every INVITE passes.
//!
//! The longest prefix counts: a campaign for the country of `7` does not reach that of `77`, and none for `1` reaches
//! `1876`. What is in no row (satellite, premium, international networks) is in no country and is never dialed.

use std::sync::LazyLock;

use crate::logic::gate::{Answer, Gate};
use crate::logic::phone::PhoneNumber;

/// One country.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166-1: `JP`.
    pub region: &'static str,
    /// Calling codes, with the area code where countries share one: `81`; `1658`, `1876`.
    pub prefixes: Vec<&'static str>,
    /// What stands before a number dialed inside the country: `0`; empty where there is none.
    pub trunk_prefix: &'static str,
    /// IANA zones. More than one: not to be dialed until zones are known per number.
    pub zones: Vec<&'static str>,
}

/// The country of a region code in capitals.
#[must_use]
pub fn country(region: &str) -> Option<&'static Country> {
    COUNTRIES.iter().find(|c| c.region == region)
}

/// Every region code, sorted.
pub fn regions() -> impl Iterator<Item = &'static str> {
    COUNTRIES.iter().map(|c| c.region)
}

/// The longest calling prefix of `number`.
#[must_use]
pub fn calling_prefix(number: &PhoneNumber) -> Option<&'static str> {
    PREFIXES.iter().copied().filter(|p| number.digits().starts_with(p)).max_by_key(|p| p.len())
}

/// What the two gates say of `number`: whether it is among `test_only` (when that is not empty), and in one of
/// `countries` (calling prefixes, as [`Country::prefixes`]).
#[must_use]
pub fn gates(number: &PhoneNumber, countries: &[String], test_only: &[PhoneNumber]) -> [Answer; 2] {
    let stranger = !test_only.is_empty() && !test_only.contains(number);
    let allowed = calling_prefix(number).is_some_and(|p| countries.iter().any(|c| c == p));
    [Answer::unless(Gate::TestOnly, stranger), Answer::unless(Gate::Country, !allowed)]
}

static COUNTRIES: LazyLock<Vec<Country>> = LazyLock::new(|| DATA.lines().filter_map(row).collect());

static PREFIXES: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| COUNTRIES.iter().flat_map(|c| c.prefixes.iter().copied()).collect());

fn row(line: &'static str) -> Option<Country> {
    let mut fields = line.split(',');
    let (region, prefixes, trunk_prefix, zones) =
        (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    (region.len() == 2).then(|| Country {
        region,
        prefixes: prefixes.split(' ').collect(),
        trunk_prefix,
        zones: zones.split(' ').collect(),
    })
}

const DATA: &str = include_str!("data/countries.csv");

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> PhoneNumber {
        text.parse().unwrap()
    }

    fn first(answers: [Answer; 2]) -> Option<Gate> {
        Answer::first_closed(answers).map(|(gate, _)| gate)
    }

    fn allowed(text: &str, countries: &[&str]) -> Option<Gate> {
        let countries: Vec<String> = countries.iter().map(|c| (*c).to_owned()).collect();
        first(gates(&number(text), &countries, &[]))
    }

    #[test]
    fn every_row_is_read_and_its_zones_exist() {
        let rows = DATA.lines().filter(|l| !l.starts_with('#')).count() - 1;
        assert_eq!(COUNTRIES.len(), rows);
        for country in COUNTRIES.iter() {
            for zone in &country.zones {
                assert!(crate::logic::compliance::is_zone(zone), "{zone}");
            }
            for prefix in &country.prefixes {
                assert!(prefix.bytes().all(|b| b.is_ascii_digit()) && !prefix.is_empty());
            }
        }
    }

    #[test]
    fn only_listed_countries_are_dialed() {
        assert_eq!(allowed("+819012345678", &["81"]), None);
        assert_eq!(allowed("+6591234567", &["81"]), Some(Gate::Country));
        assert_eq!(allowed("+819012345678", &[]), Some(Gate::Country));
    }

    #[test]
    fn a_shared_calling_code_does_not_open_its_neighbours() {
        assert_eq!(allowed("+18765551234", &["1"]), Some(Gate::Country));
        assert_eq!(allowed("+18765551234", &["1658", "1876"]), None);
        assert_eq!(allowed("+77012345678", &["7"]), Some(Gate::Country));
    }

    #[test]
    fn satellite_and_premium_networks_belong_to_no_country() {
        for text in
            ["+881612345678", "+882161234567", "+97912345678", "+8835100012345", "+87812345678"]
        {
            assert_eq!(calling_prefix(&number(text)), None, "{text}");
        }
    }

    #[test]
    fn a_test_run_reaches_the_test_numbers_only() {
        let own = number("+819012345678");
        let countries = ["81".to_owned()];
        let test_only = std::slice::from_ref(&own);
        assert_eq!(first(gates(&own, &countries, test_only)), None);
        let other = number("+819012345679");
        assert_eq!(first(gates(&other, &countries, test_only)), Some(Gate::TestOnly));
        // A test number abroad is still abroad.
        assert_eq!(first(gates(&own, &["65".to_owned()], test_only)), Some(Gate::Country));
    }
}
