//! The lists of `campaigns/` are read as their README files say.
#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use outdial::files::contacts_csv::ContactsCsv;
use outdial::files::contacts_csv::ReadOptions;
use outdial::files::contacts_csv::Row;
use outdial::logic::phone::Region;

/// Persons accepted, by language, and refusals and remarks by code, as an empty database would have it.
fn import(list: &str, region: Region) -> (BTreeMap<String, u32>, BTreeMap<&'static str, u32>) {
    let (mut languages, mut codes) = (BTreeMap::new(), BTreeMap::new());
    let (mut persons, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    let options = ReadOptions { countries: vec![region], ..ReadOptions::new(region) };
    for row in ContactsCsv::open(&Path::new("campaigns").join(list), options).unwrap() {
        match row.unwrap() {
            Row::Refused(refusal) => *codes.entry(refusal.reason.code()).or_default() += 1,
            Row::Contact(contact) => {
                let number = contact.phones.first().unwrap().key.clone();
                let without_id = contact.external_id.is_none();
                let person = contact.external_id.clone().unwrap_or_else(|| number.clone());
                if persons.contains(&person) || (without_id && numbers.contains(&number)) {
                    *codes.entry("DUP_FILE").or_default() += 1;
                    continue;
                }
                persons.insert(person);
                numbers.insert(number);
                for warning in &contact.warnings {
                    *codes.entry(warning.code()).or_default() += 1;
                }
                assert!(contact.name.is_some());
                *languages.entry(contact.language.unwrap_or_default()).or_default() += 1;
            }
        }
    }
    (languages, codes)
}

#[test]
fn the_demo_has_500_persons_and_14_rows_that_are_refused() {
    let (languages, codes) = import("demo/contacts.csv", Region::JP);
    assert_eq!(languages.values().sum::<u32>(), 500);
    assert_eq!(languages.keys().collect::<Vec<_>>(), ["en", "ja"]);
    assert!(languages.values().all(|count| *count >= 100), "{languages:?}");
    let expected = [
        ("DNC", 1),
        ("DUP_FILE", 3),
        ("EXT_FOUND", 1),
        ("PHONE_EMPTY", 1),
        ("PHONE_FORBIDDEN_TYPE", 1),
        ("PHONE_INVALID", 1),
        ("PHONE_MULTI", 1),
        ("PHONE_NOT_NUMBER", 2),
        ("PHONE_PREFIX_DROPPED", 1),
        ("PHONE_SCI", 1),
        ("PHONE_SPECIAL", 3),
        ("PHONE_ZERO_RESTORED", 1),
        ("ROW_RAGGED", 1),
    ];
    assert_eq!(codes, BTreeMap::from(expected));
}

#[test]
fn the_examples_to_copy_are_read_whole() {
    for (list, region) in [("collections-ja/contacts.csv", "JP"), ("survey-en/contacts.csv", "SG")]
    {
        let (languages, codes) = import(list, region.parse().unwrap());
        assert_eq!(languages.values().sum::<u32>(), 20, "{list}");
        assert!(codes.is_empty(), "{list}: {codes:?}");
    }
}
