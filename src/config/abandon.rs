//! `[abandon]`: the cap on abandoned calls and its window.

use crate::config::file::Section;
use crate::config::presets::Rules;
use crate::logic::settings::AbandonSettings;
use crate::logic::settings::AbandonWindow;

/// The cap of a campaign whose callees live in `zone`.
pub(super) fn abandon(root: &Section<'_>, rules: &Rules, zone: &str) -> AbandonSettings {
    let preset = rules.preset.as_ref().map(|preset| (preset.cap_ppm, preset.window));
    let (cap_ppm, window) = preset.unwrap_or((DEFAULT_CAP_PPM, AbandonWindow::Day));
    let mut settings = AbandonSettings { cap_ppm, window, zone: zone.to_owned() };
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
    section.finish();
    settings
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

/// 3 %: 16 CFR 310.4(b)(4)(i).
const DEFAULT_CAP_PPM: u32 = 30_000;
/// The highest cap of any rule we know (Canada, 5 % a month).
const MOST_PERCENT: u32 = 5;
