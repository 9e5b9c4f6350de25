//! Presets: sourced rule sets that a campaign inherits and may only tighten.

use std::cell::RefCell;
use std::time::Duration;

use crate::config::abandon;
use crate::config::attempts;
use crate::config::file::Field;
use crate::config::file::Section;
use crate::config::file::Wrong;
use crate::config::file::with_document;
use crate::config::hours;
use crate::config::hours::DayTable;
use crate::config::limits;
use crate::config::problem::Problems;
use crate::logic::settings::AbandonWindow;
use crate::logic::settings::CapSettings;

/// A rule set that ships with the program.
#[derive(Clone, Debug)]
pub(super) struct Preset {
    pub(super) name: String,
    /// Where it may be used.
    pub(super) regions: Vec<String>,
    /// Region whose holidays count.
    pub(super) calendar: Option<String>,
    pub(super) checked_on: String,
    pub(super) hours: DayTable,
    pub(super) cap_ppm: u32,
    pub(super) window: AbandonWindow,
    pub(super) caps: CapSettings,
    /// Shortest ring limit.
    pub(super) ring: Duration,
    /// Shortest time until a person is called again after an abandoned call.
    pub(super) after_abandoned: Duration,
    /// What each part rests on: key and text.
    pub(super) sources: Vec<(String, String)>,
}

/// What the sections of a campaign need to know of each other.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) preset: Option<Preset>,
    pub(super) simulated_only: bool,
    pub(super) override_reason: Option<String>,
    /// Said by `outdial check`: what holds, and where it comes from.
    pub(super) notes: RefCell<Vec<String>>,
}

impl Rules {
    pub(super) fn note(&self, text: String) {
        self.notes.borrow_mut().push(text);
    }

    /// Books `field` as looser than the preset: a problem unless a reason is given.
    pub(super) fn loosened(&self, field: &Field<'_>, limit: &str) {
        let Some(preset) = &self.preset else { return };
        let name = &preset.name;
        match &self.override_reason {
            Some(reason) => {
                let key = field.key();
                self.note(format!("`{key}` is looser than preset {name} ({limit}): {reason}"));
            }
            None => field.unexpected(
                format!("{limit}, as preset \"{name}\" says, or stricter"),
                "tighten it, or say why not in `override_reason`",
            ),
        }
    }
}

/// The presets by name.
pub(super) fn all() -> Result<Vec<Preset>, Problems> {
    with_document("presets.toml", DATA, |root| {
        root.entries().filter_map(|field| preset(field.key(), &field.section()?)).collect()
    })
}

/// The preset that a campaign names.
pub(super) fn named(root: &Section<'_>) -> Option<Preset> {
    let field = root.get("preset")?;
    let all = match all() {
        Ok(all) => all,
        Err(problems) => {
            let wrong = Wrong::new("damaged presets", "a whole program", problems.to_string());
            field.wrong(wrong);
            return None;
        }
    };
    let names: Vec<&str> = all.iter().map(|p| p.name.as_str()).collect();
    let expected = format!("one of {}", names.join(", "));
    let advice = "choose one, or take the key out and write [hours], [abandon] and [attempts]";
    field.parse(&expected, advice, |text| all.iter().find(|p| p.name == text).cloned())
}

fn preset(name: &str, section: &Section<'_>) -> Option<Preset> {
    let empty = DayTable::default();
    let hours = section.need("hours", "hours")?.section()?;
    let days = hours::days(&hours, &empty);
    hours.finish();
    let abandon = section.need("abandon", "the cap")?.section()?;
    let cap_ppm = abandon.need("max_percent", "the cap")?.percent(5)?;
    let window = abandon.need("window", "its window")?.choice(&abandon::WINDOWS)?;
    abandon.finish();
    let caps = section.need("attempts", "the caps")?.section()?;
    let at_least = |key| caps.need(key, "a cap").and_then(|field| field.whole(attempts::COUNT));
    let caps_read = CapSettings {
        per_day: at_least("per_day")?,
        per_30_days: at_least("per_30_days")?,
        total: at_least("total")?,
        min_gap: caps.need("min_gap", "a duration")?.duration(attempts::GAP)?,
        undelivered_per_hour: attempts::UNDELIVERED_PER_HOUR,
    };
    caps.finish();
    let line = |field: &Field<'_>| field.line(400);
    let sources = section.need("sources", "what it rests on")?.section()?;
    let sources = sources.entries().filter_map(|f| Some((f.key().to_owned(), f.line(400)?)));
    let preset = Preset {
        name: name.to_owned(),
        regions: section.need("regions", "regions")?.list(line),
        calendar: section.get("calendar").and_then(|field| field.line(2)),
        checked_on: section.need("checked_on", "a date")?.line(10)?,
        hours: days,
        cap_ppm,
        window,
        caps: caps_read,
        ring: section.need("ring", "a duration")?.duration(limits::RING)?,
        after_abandoned: section.need("after_abandoned", "a duration")?.duration(attempts::GAP)?,
        sources: sources.collect(),
    };
    section.finish();
    Some(preset)
}

const DATA: &str = include_str!("../logic/compliance/data/presets.toml");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::compliance::country;

    #[test]
    fn every_preset_is_whole_and_says_what_it_rests_on() {
        let presets = all().unwrap();
        assert_eq!(presets.len(), DATA.lines().filter(|l| l.ends_with(".sources]")).count());
        for preset in presets {
            let date: jiff::civil::Date = preset.checked_on.parse().unwrap();
            assert!(date.year() >= 2026);
            let keys: Vec<&str> = preset.sources.iter().map(|(key, _)| key.as_str()).collect();
            assert_eq!(
                keys,
                ["abandon", "after_abandoned", "attempts", "hours", "ring"],
                "{}",
                preset.name
            );
            for (key, text) in &preset.sources {
                assert!(
                    ["law", "guideline", "default"].iter().any(|basis| text.starts_with(basis)),
                    "{}.{key}",
                    preset.name
                );
            }
            for region in &preset.regions {
                assert_eq!(country::country(region).unwrap().zones.len(), 1, "{region}");
            }
            assert!(preset.hours.holiday.is_some());
        }
    }
}
