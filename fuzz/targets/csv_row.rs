//! Whatever a contact list holds, in whatever encoding: an error that says where, or rows each of which is kept or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use outdial::files::contacts_csv::{ContactsCsv, ReadOptions};
use outdial::files::encoding::survey;

fuzz_target!(|file: &[u8]| {
    let Ok(region) = "JP".parse() else { return };
    let options = ReadOptions::new(region);
    let Ok(survey) = survey(&mut &*file, None) else { return };
    let Ok(list) = ContactsCsv::from_reader(file, survey, options) else { return };
    // A row is at least one byte.
    assert!(list.take(file.len() + 2).count() <= file.len() + 1);
});
