//! `campaign.toml`, checked.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;
use std::path::PathBuf;

use crate::config::abandon;
use crate::config::attempts;
use crate::config::dispositions;
use crate::config::file::Field;
use crate::config::file::Section;
use crate::config::file::nearest;
use crate::config::file::read_text;
use crate::config::file::with_document;
use crate::config::hours;
use crate::config::limits;
use crate::config::lists;
use crate::config::lists::ListSource;
use crate::config::messages;
use crate::config::presets;
use crate::config::presets::Rules;
use crate::config::problem::Problems;
use crate::config::recording;
use crate::logic::compliance::country;
use crate::logic::compliance::country::Country;
use crate::logic::phone::PhoneNumber;
use crate::logic::settings::CallingHours;
use crate::logic::settings::CampaignSettings;
use crate::logic::settings::DialMode;
use crate::logic::settings::DialRatio;
use crate::logic::settings::Rates;
use crate::logic::settings::Sharing;

/// A campaign file in which nothing is wrong.
#[derive(Clone, Debug)]
pub struct CampaignFile {
    /// What the machines are told.
    pub settings: CampaignSettings,
    /// The files with the people to call.
    pub lists: Vec<ListSource>,
    /// ISO region for which numbers in the lists are read when they carry no country code.
    pub region: String,
    /// Every region that may be called, that one first: numbers of others in the lists are refused.
    pub regions: Vec<String>,
    /// Languages of the people called; the first is that of people who state none.
    pub languages: Vec<String>,
    /// The folder to which the paths in the file are relative.
    pub base_dir: PathBuf,
    /// Which rules hold and where they come from, for `outdial check` and the log.
    pub notes: Vec<String>,
    /// The whole text, kept beside each attempt as the rules it was made under.
    pub text: String,
}

/// Reads and checks the campaign at `path`.
///
/// # Errors
/// Everything that is wrong in it, each with line and column.
pub fn read_campaign(path: &Path) -> Result<CampaignFile, Problems> {
    let name = path.display().to_string();
    let text = read_text(path, &name)?;
    parse_campaign(&name, &text, path.parent().unwrap_or_else(|| Path::new("")))
}

/// Checks the text of a campaign file called `name`, with paths relative to `base`.
///
/// # Errors
/// As [`read_campaign`].
pub fn parse_campaign(name: &str, text: &str, base: &Path) -> Result<CampaignFile, Problems> {
    let checked = with_document(name, text, |root| check(root, text, base))?;
    // `None` without a problem cannot be: every missing part has been reported.
    checked.ok_or_else(|| Problems(Vec::new()))
}

fn check(root: &Section<'_>, text: &str, base: &Path) -> Option<CampaignFile> {
    let simulated_only = root.get("simulated_only").and_then(|f| f.flag()).unwrap_or(false);
    let name = root.need("name", "a name for this campaign").and_then(|f| f.line(64));
    let seller = root.need("seller", "the company for which you call").and_then(|f| f.line(64));
    let mode = root.need("dial_mode", MODES_TEXT).and_then(|field| dial_mode(root, &field));
    let override_reason = root.get("override_reason").and_then(|f| f.line(400));
    let preset = presets::named(root);
    let rules = Rules { preset, simulated_only, override_reason, notes: RefCell::default() };

    let countries = countries(root, &rules);
    let region = countries.first().map(|c| c.region.to_owned()).unwrap_or_default();
    let zones: BTreeSet<String> =
        countries.iter().flat_map(|c| c.zones.iter()).map(|z| (*z).to_owned()).collect();
    let zones: Vec<String> = zones.into_iter().collect();
    let home_zone = countries.first().and_then(|c| c.zones.first()).copied().unwrap_or("Etc/UTC");

    let caller_id = root.need("caller_id", "the number you show").and_then(|f| number(&f));
    let languages = languages(root);
    let hours = hours::hours(root, &rules, &region, &zones);
    let caps = attempts::caps(root, &rules);
    let (retry, default_retry) = attempts::retry(root, &rules);
    let (limits, wrap_up) = limits::limits(root, &rules);
    let dispositions = dispositions::dispositions(root, &rules);
    let messages = messages::messages(root, base, &languages);
    let recording = recording::recording(root, base, &languages, &dispositions, mode, &rules);
    let abandon = abandon::abandon(root, &rules, home_zone);
    let test_only = root.get("test_only").map(|f| f.list(number)).unwrap_or_default();
    let lists = lists::lists(root, base);
    let word = |field: &Field<'_>| field.line(64);
    let settings = CampaignSettings {
        learn_who_answers: root.get("learn_who_answers").and_then(|f| f.flag()).unwrap_or(true),
        skills: root.get("skills").map(|field| field.list(word)).unwrap_or_default(),
        trunk: root.get("trunk").and_then(|field| field.line(64)),
        hang_up_keys: dispositions::hang_up_keys(root),
        script: messages::script(root, base),
        language: languages.first().cloned().unwrap_or_default(),
        countries: countries.iter().flat_map(|c| &c.prefixes).map(|p| (*p).to_owned()).collect(),
        test_only,
        caps,
        retry,
        default_retry,
        limits,
        wrap_up,
        dispositions,
        messages,
        recording,
        abandon,
        simulated_only,
        name: name?,
        seller: seller?,
        preview: limits::preview(root),
        return_calls: limits::return_calls(root),
        sharing: sharing(root),
        rates: rates(root),
        mode: mode?,
        caller_id: caller_id?,
        hours: hours?,
    };
    note_rules(&rules, &settings);
    Some(CampaignFile {
        settings,
        lists,
        region,
        regions: countries.iter().map(|c| c.region.to_owned()).collect(),
        languages,
        base_dir: base.to_owned(),
        notes: rules.notes.into_inner(),
        text: text.to_owned(),
    })
}

fn dial_mode(root: &Section<'_>, field: &Field<'_>) -> Option<DialMode> {
    let ratio = root.get("dial_ratio").map(|field| (dial_ratio(&field), field));
    let modes = [
        ("manual", DialMode::Manual),
        ("preview", DialMode::Preview),
        ("progressive", DialMode::Progressive),
        ("ratio", DialMode::Ratio(DEFAULT_RATIO)),
        ("predictive", DialMode::Predictive),
        ("agentless", DialMode::Agentless),
    ];
    let mode = field.choice(&modes)?;
    if matches!(mode, DialMode::Ratio(_)) {
        return ratio.map_or(Some(mode), |(ratio, _)| ratio.map(DialMode::Ratio));
    }
    if let Some((_, field)) = ratio {
        field.unexpected("no `dial_ratio`", "it belongs to dial_mode = \"ratio\"");
    }
    Some(mode)
}

/// The campaign's own calls per second, and those to numbers that begin alike.
fn rates(root: &Section<'_>) -> Rates {
    let whole = |field: Field<'_>| field.whole(1..=1_000);
    let mut taken = BTreeSet::new();
    let prefix = |section: &Section<'_>| {
        let prefix = section.need("prefix", "what the numbers begin with").and_then(|field| {
            let advice = "write a plus, the country code and the first digits after it";
            let prefix = field.parse("digits such as \"+8190\"", advice, |text| {
                let digits = text.strip_prefix('+')?;
                let fits = (1..=15).contains(&digits.len());
                (fits && digits.bytes().all(|b| b.is_ascii_digit())).then(|| text.to_owned())
            })?;
            if !taken.insert(prefix.clone()) {
                field.unexpected("a prefix of its own", "take one of the two out");
            }
            Some(prefix)
        });
        let rate = section.need("calls_per_second", "calls per second to them").and_then(whole);
        section.finish();
        Some((prefix?, rate?))
    };
    let sections = root.get("prefix_rate").map(|field| field.sections()).unwrap_or_default();
    Rates {
        campaign: root.get("calls_per_second").and_then(whole),
        prefixes: sections.iter().filter_map(prefix).collect(),
    }
}

/// `priority` and `weight` among campaigns that share agents.
fn sharing(root: &Section<'_>) -> Sharing {
    let read = |key: &'static str, range| root.get(key).and_then(|field| field.whole(range));
    let priority = read("priority", PRIORITY).and_then(|n| u8::try_from(n).ok());
    Sharing {
        priority: priority.unwrap_or(Sharing::DEFAULT.priority),
        weight: read("weight", WEIGHT).unwrap_or(Sharing::DEFAULT.weight),
    }
}

/// 1 is the most urgent.
const PRIORITY: RangeInclusive<u32> = 1..=9;
const WEIGHT: RangeInclusive<u32> = 1..=100;

/// Lines per free agent: `1.5`.
fn dial_ratio(field: &Field<'_>) -> Option<DialRatio> {
    let advice = "such as 1.5: as many lines as there are free agents, and half as many again";
    field.thousandths("lines per free agent from 1.0 to 10.0", advice, DialRatio::from_thousandths)
}

const MODES_TEXT: &str =
    "\"manual\", \"preview\", \"progressive\", \"ratio\", \"predictive\" or \"agentless\"";

/// One and a half lines per free agent.
const DEFAULT_RATIO: DialRatio = match DialRatio::from_thousandths(1_500) {
    Some(ratio) => ratio,
    None => DialRatio::ONE,
};

/// The country of the campaign first, then the others of `countries`.
fn countries(root: &Section<'_>, rules: &Rules) -> Vec<&'static Country> {
    let home = root.need("country", "the country called, such as \"JP\"");
    let mut read: Vec<&'static Country> =
        home.and_then(|field| one_country(&field, rules)).into_iter().collect();
    let others = root.get("countries").map(|field| field.list(|f| one_country(f, rules)));
    for other in others.unwrap_or_default() {
        if !read.contains(&other) {
            read.push(other);
        }
    }
    read
}

fn one_country(field: &Field<'_>, rules: &Rules) -> Option<&'static Country> {
    let text = field.text()?;
    let Some(country) = country::country(text) else {
        let regions: Vec<&str> = country::regions().collect();
        let advice = match nearest(text, &regions).filter(|near| near.eq_ignore_ascii_case(text)) {
            Some(near) => format!("write \"{near}\""),
            None => "use the two capitals of ISO 3166, such as \"JP\" or \"GB\"".to_owned(),
        };
        field.unexpected("a country code", advice);
        return None;
    };
    if country.zones.len() > 1 {
        field.unexpected(
            "a country with one time zone",
            format!(
                "{text} has {}; it cannot be called until zones are known per number",
                country.zones.len()
            ),
        );
        return None;
    }
    if let Some(preset) = &rules.preset
        && !preset.regions.iter().any(|region| region == text)
    {
        let expected =
            format!("{}, as preset \"{}\" says", preset.regions.join(" or "), preset.name);
        field.unexpected(expected, "choose the preset of that country, or none");
    }
    Some(country)
}

/// Numbers in the file are E.164, so that nobody has to guess the country.
pub(super) fn number(field: &Field<'_>) -> Option<PhoneNumber> {
    let advice = "write the country code and no spaces";
    field.parse("a number such as \"+81312345678\"", advice, |text| text.parse().ok())
}

fn languages(root: &Section<'_>) -> Vec<String> {
    let Some(field) = root.need("languages", "the languages of the people called") else {
        return Vec::new();
    };
    let read = field.list(|item| messages::language(item, item.text()?));
    if read.is_empty() && field.value().as_array().is_some_and(|list| list.is_empty()) {
        field.unexpected("at least one language", "write [\"ja\"]");
    }
    read
}

fn note_rules(rules: &Rules, settings: &CampaignSettings) {
    match &rules.preset {
        Some(preset) => {
            let (name, checked) = (&preset.name, &preset.checked_on);
            for (key, source) in &preset.sources {
                rules.note(format!("preset {name}, {key}: {source} (checked on {checked})"));
            }
        }
        None => {
            rules.note("no preset: hours, caps and abandonment cap are the file's own".to_owned())
        }
    }
    if let CallingHours::Weekly(weekly) = &settings.hours {
        rules.note(format!("calling hours are read in {}", weekly.default_zones.join(" and ")));
        if let (Some(until), Some(_)) = (&weekly.calendar.known_until, &weekly.holidays) {
            rules.note(format!(
                "holidays are known before {until}; from then on every day may be one"
            ));
        }
    }
    if settings.simulated_only {
        rules.note("simulated_only: nobody is called, whatever the limits".to_owned());
    }
}
