//! `[abandon]`: the cap on abandoned calls and its window.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::file::Section;
use crate::config::presets::Rules;
use crate::logic::settings::AbandonBound;
use crate::logic::settings::AbandonSettings;
use crate::logic::settings::AbandonWindow;
use crate::logic::settings::DebtLimit;

/// The cap of a campaign whose callees live in `zone`.
pub(super) fn abandon(root: &Section<'_>, rules: &Rules, zone: &str) -> AbandonSettings {
    let preset = rules.preset.as_ref().map(|preset| (preset.cap_ppm, preset.window));
    let (cap_ppm, window) = preset.unwrap_or((DEFAULT_CAP_PPM, AbandonWindow::Day));
    let bound = AbandonBound::Instant;
    let mut settings = AbandonSettings { cap_ppm, window, zone: zone.to_owned(), bound };
    let Some(section) = root.get("abandon").and_then(|field| field.section()) else {
        return settings;
    };
    if let Some(field) = section.get("max_percent")
        && let Some(cap) = field.percent(if rules.simulated_only { 100 } else { MOST_PERCENT })
    {
        settings.cap_ppm = cap;
        if let Some((most, _)) = preset.filter(|(most, _)| cap > *most) {
            rules.loosened(&field, &format!("at most {}", percent_text(most)));
        }
    }
    if let Some(field) = section.get("window")
        && let Some(window) = field.choice(&WINDOWS)
    {
        settings.window = window;
        // A short window with few calls is strict, a long one forgives a bad day: neither is simply tighter.
        if let Some((_, of_preset)) = preset.filter(|(_, of_preset)| window != *of_preset) {
            let name = WINDOWS.iter().find(|(_, w)| *w == of_preset).map_or("", |(name, _)| name);
            rules.loosened(&field, &format!("\"{name}\""));
        }
    }
    if let Some(field) = section.get("zone")
        && let Some(zone) = field.parse(
            "an IANA zone such as \"Asia/Tokyo\"",
            "correct it, or take it out: the country decides",
            |text| crate::logic::compliance::is_zone(text).then(|| text.to_owned()),
        )
    {
        settings.zone = zone;
    }
    settings.bound = bound_of(&section, rules);
    section.finish();
    settings
}

/// Whether the cap holds at every instant, or a window may owe some calls in its middle.
fn bound_of(section: &Section<'_>, rules: &Rules) -> AbandonBound {
    let bound = section.get("bound").and_then(|field| field.choice(&BOUNDS));
    if bound != Some(true) {
        for key in ["debt", "repaid_before"] {
            if let Some(field) = section.get(key) {
                field.unexpected(format!("no `{key}`"), "it belongs to bound = \"window\"");
            }
        }
        return AbandonBound::Instant;
    }
    let debt = section.need("debt", "the most calls that a window may owe before it closes");
    let calls = debt.and_then(|field| field.whole(1..=MOST_DEBT)).unwrap_or(0);
    let before = section.get("repaid_before").and_then(|field| field.duration(REPAID_BEFORE));
    let repaid_before = before.unwrap_or(*REPAID_BEFORE.start());
    rules.note(format!(
        "bound = \"window\": in its middle a window may owe up to {calls} abandoned calls"
    ));
    AbandonBound::Window(DebtLimit { calls, repaid_before })
}

/// 25,000 parts per million as `2.5`.
fn percent_text(ppm: u32) -> String {
    let text = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(super) const WINDOWS: [(&str, AbandonWindow); 3] = [
    ("day", AbandonWindow::Day),
    ("30-days", AbandonWindow::Days30),
    ("month", AbandonWindow::Month),
];

const BOUNDS: [(&str, bool); 2] = [("instant", false), ("window", true)];
/// More than the widest team owes under a shock.
const MOST_DEBT: u32 = 1_000;
/// The last hour of a window repays; a campaign whose hours end earlier says so.
const REPAID_BEFORE: RangeInclusive<Duration> =
    Duration::from_secs(3_600)..=Duration::from_secs(20 * 3_600);

/// 3 %: 16 CFR 310.4(b)(4)(i).
const DEFAULT_CAP_PPM: u32 = 30_000;
/// The highest cap of any rule we know (Canada, 5 % a month).
const MOST_PERCENT: u32 = 5;
