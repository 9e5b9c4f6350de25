//! Whatever stands in campaign.toml: a campaign, or faults that each name a line of the file.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use outdial::config::parse_campaign;

fuzz_target!(|text: &str| {
    match parse_campaign("campaign.toml", text, Path::new("/nonexistent")) {
        Ok(campaign) => assert!(!campaign.settings.name.is_empty()),
        Err(problems) => assert!(problems.to_string().contains("campaign.toml:")),
    }
});
