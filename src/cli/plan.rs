//! `outdial plan CAMPAIGN`: what a changed campaign file would change, field by field, and its rehearsed effect.

use std::path::Path;

use anyhow::{Context, anyhow};

use crate::cli::args::{Args, PlanArgs};
use crate::cli::exit::{Exit, Failure, OrExit};
use crate::cli::output::say;
use crate::cli::setup;
use crate::cli::simulate::{self, Pair};
use crate::cli::text::{Lang, either, pad, width};
use crate::config::{CampaignFile, parse_campaign, read_campaign};
use crate::logic::settings::{
    AbandonBound, AbandonWindow, CallingHours, CampaignSettings, DispositionEffect, Recording,
    RetryRule, TimeRange,
};
use crate::store;

/// Compares and rehearses both.
pub(crate) fn run(args: &Args, wanted: &PlanArgs) -> Result<Exit, Failure> {
    let new = setup::campaign_file(&args.config, &wanted.campaign)?;
    let old = match &wanted.against {
        Some(path) => read_campaign(path).or_exit(Exit::BadInput)?,
        None => kept(args, &new)?,
    };
    let changes = changes(&old.settings, &new.settings);
    let rehearsal = &wanted.rehearsal;
    let nothing_to_rehearse = changes.is_empty() || wanted.fields_only;
    if rehearsal.json && nothing_to_rehearse {
        say!("{}", serde_json::to_string_pretty(&json(&changes, None))?);
    }
    if !rehearsal.json {
        say!("{}", text(&changes, args.lang).trim_end());
    }
    if nothing_to_rehearse {
        return Ok(Exit::Ok);
    }
    if !rehearsal.json {
        say!("");
    }
    let e = |en, ja| either(args.lang, en, ja).to_owned();
    let pair = [(e("as it is", "現在"), &old), (e("as changed", "変更後"), &new)];
    let pair = simulate::compare_files(args, rehearsal, pair)?;
    if rehearsal.json {
        say!("{}", serde_json::to_string_pretty(&json(&changes, Some(&pair)))?);
    }
    simulate::tell(args, rehearsal, &pair)
}

/// For a program.
fn json(changes: &[Change], rehearsed: Option<&Pair>) -> serde_json::Value {
    let changes = changes
        .iter()
        .map(|Change { key, old, new }| serde_json::json!({ "key": key, "old": old, "new": new }));
    let changes: Vec<_> = changes.collect();
    serde_json::json!({ "changes": changes, "rehearsed": rehearsed.map(simulate::pair_json) })
}

/// The file with which the campaign was last imported or run.
fn kept(args: &Args, new: &CampaignFile) -> Result<CampaignFile, Failure> {
    let file = setup::outdial_file(&args.config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let name = new.settings.name.clone();
    let kept = runtime.block_on(async {
        let mut db = setup::open_existing(&file).await?;
        let kept = match store::find_campaign(&mut db, &name).await? {
            Some(row) => store::campaign_text(&mut db, row.id).await?,
            None => None,
        };
        db.close().await?;
        Ok::<_, Failure>(kept)
    })?;
    let Some(text) = kept else {
        let error = anyhow!(
            "the database holds no earlier file of campaign {name}: `outdial import` and `outdial run` keep it; name \
             one with --against FILE"
        );
        return Err(Failure::new(Exit::BadInput, error));
    };
    let base = new.base_dir.as_path();
    parse_campaign(
        &format!("{name}, as stored"),
        &text,
        if base.as_os_str().is_empty() { Path::new(".") } else { base },
    )
    .context("the stored file of this campaign is not understood any more")
    .or_exit(Exit::BadInput)
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// As in the file.
    pub(crate) key: String,
    /// `None`: not there.
    pub(crate) old: Option<String>,
    pub(crate) new: Option<String>,
}

/// Every field that differs, in the order of the file.
pub(crate) fn changes(old: &CampaignSettings, new: &CampaignSettings) -> Vec<Change> {
    let (old, new) = (fields(old), fields(new));
    let value = |fields: &[(String, String)], key: &str| {
        fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
    };
    let mut keys: Vec<&String> = old.iter().map(|(key, _)| key).collect();
    keys.extend(new.iter().map(|(key, _)| key).filter(|key| value(&old, key).is_none()));
    let both = keys.into_iter().map(|key| (key, value(&old, key), value(&new, key)));
    both.filter(|(_, old, new)| old != new)
        .map(|(key, old, new)| Change { key: key.clone(), old, new })
        .collect()
}

/// Every field with what holds, defaults and presets included.
fn fields(settings: &CampaignSettings) -> Vec<(String, String)> {
    let CampaignSettings {
        name,
        seller,
        mode,
        caller_id,
        countries,
        test_only,
        trunk,
        hours,
        caps,
        retry,
        default_retry,
        limits,
        wrap_up,
        preview,
        sharing,
        rates,
        learn_who_answers,
        dispositions,
        hang_up_keys,
        messages,
        recording,
        return_calls,
        abandon,
        skills,
        language,
        script,
        simulated_only,
    } = settings;
    let mut out: Vec<(String, String)> = vec![];
    let mut put = |key: &str, value: String| out.push((key.to_owned(), value));
    put("name", name.clone());
    put("seller", seller.clone());
    put("dial_mode", simulate::mode_text(*mode));
    put("caller_id", caller_id.to_string());
    put("countries", countries.join(", "));
    put("test_only", test_only.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    put("trunk", trunk.clone().unwrap_or_default());
    match hours {
        CallingHours::Always => put("hours", "always".to_owned()),
        CallingHours::Weekly(weekly) => {
            put("hours.zone", weekly.default_zones.join(", "));
            for (day, ranges) in DAYS.iter().zip(&weekly.days) {
                put(&format!("hours.{day}"), ranges_text(ranges));
            }
            let holiday = weekly.holidays.as_deref();
            put(
                "hours.holiday",
                holiday.map_or_else(|| "as on the weekday".to_owned(), ranges_text),
            );
            put("hours.holidays", weekly.calendar.dates.join(", "));
            put(
                "hours.holidays_known_until",
                weekly.calendar.known_until.clone().unwrap_or_default(),
            );
        }
    }
    put("attempts.per_day", caps.per_day.to_string());
    put("attempts.per_30_days", caps.per_30_days.to_string());
    put("attempts.total", caps.total.to_string());
    put("attempts.min_gap", time(caps.min_gap));
    put("attempts.undelivered_per_hour", caps.undelivered_per_hour.to_string());
    for (outcome, rule) in retry {
        put(&format!("retry.{outcome}"), rule_text(*rule));
    }
    put("retry.default", rule_text(*default_retry));
    put("limits.ring", time(limits.ring));
    put("limits.post_dial_delay", time(limits.post_dial_delay));
    put("limits.set_up", time(limits.set_up));
    put("limits.connect", time(limits.connect));
    put("limits.talk", time(limits.talk));
    put("limits.person_after", time(limits.person_after));
    put("limits.wrap_up", time(*wrap_up));
    put("priority", sharing.priority.to_string());
    put("weight", sharing.weight.to_string());
    put("calls_per_second", rates.campaign.map(|rate| rate.to_string()).unwrap_or_default());
    for (prefix, rate) in &rates.prefixes {
        put(&format!("prefix_rate.{prefix}"), rate.to_string());
    }
    put("learn_who_answers", learn_who_answers.to_string());
    put("preview.within", time(preview.within));
    put("preview.skip", time(preview.skip));
    put("abandon.max_percent", crate::cli::figures::cap(abandon.cap_ppm));
    put("abandon.window", window_text(abandon.window).to_owned());
    put("abandon.zone", abandon.zone.clone());
    match abandon.bound {
        AbandonBound::Instant => put("abandon.bound", "instant".to_owned()),
        AbandonBound::Window(limit) => {
            put("abandon.bound", "window".to_owned());
            put("abandon.debt", limit.calls.to_string());
            put("abandon.repaid_before", time(limit.repaid_before));
        }
    }
    for disposition in dispositions {
        let live = match disposition.live {
            Some(true) => "a person",
            Some(false) => "no person",
            None => "person or not",
        };
        let keys = &disposition.digits;
        let effect = effect_text(disposition.effect);
        put(&format!("disposition.{}", disposition.code), format!("{effect}, {live}, keys {keys}"));
    }
    put("hang_up_keys", hang_up_keys.clone());
    put("messages.safe_harbour", paths(&messages.safe_harbour));
    put("messages.call_lost", paths(&messages.call_lost));
    if let Some(calls) = return_calls {
        put("return_calls.per_hour", calls.per_hour.to_string());
        put("return_calls.talk", time(calls.talk));
    }
    if let Some(recording) = recording {
        put_recording(recording, &mut put);
    }
    put("skills", skills.join(", "));
    put("language", language.clone());
    put("script", script.clone());
    put("simulated_only", simulated_only.to_string());
    out
}

fn put_recording(recording: &Recording, put: &mut impl FnMut(&str, String)) {
    let Recording { basis, files, removed, thanks, keys, repeat, wait, wrong_keys, lines } =
        recording;
    put("message.basis", basis.clone());
    put("message.file", paths(files));
    put("message.removed", paths(removed));
    put("message.thanks", paths(thanks));
    for (key, code) in keys {
        put(&format!("message.keys.{key}"), code.clone());
    }
    put("message.repeat", repeat.to_string());
    put("message.wait", time(*wait));
    put("message.wrong_keys", wrong_keys.to_string());
    put("message.lines", lines.map(|lines| lines.to_string()).unwrap_or_default());
}

fn ranges_text(ranges: &[TimeRange]) -> String {
    if ranges.is_empty() {
        return "closed".to_owned();
    }
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let text = |range: &TimeRange| format!("{}-{}", clock(range.start), clock(range.end));
    ranges.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn rule_text(rule: RetryRule) -> String {
    if rule.max == 0 {
        return "none".to_owned();
    }
    format!("after {}, at most {}", time(rule.delay), rule.max)
}

const fn window_text(window: AbandonWindow) -> &'static str {
    match window {
        AbandonWindow::Day => "day",
        AbandonWindow::Days30 => "30 days",
        AbandonWindow::Month => "month",
    }
}

fn effect_text(effect: DispositionEffect) -> String {
    match effect {
        DispositionEffect::Final => "final".to_owned(),
        DispositionEffect::Success => "success".to_owned(),
        DispositionEffect::Refusal => "refusal".to_owned(),
        DispositionEffect::Retry { after } => format!("retry after {}", time(after)),
        DispositionEffect::Callback { after, within, personal } => {
            let whose = if personal { "by the same agent" } else { "by anybody" };
            format!("callback after {} within {} {whose}", time(after), time(within))
        }
        DispositionEffect::WrongNumber => "wrong number".to_owned(),
    }
}

fn paths(paths: &std::collections::BTreeMap<String, String>) -> String {
    paths
        .iter()
        .map(|(language, path)| format!("{language}: {path}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// `1h30m`, `45s`.
fn time(time: std::time::Duration) -> String {
    let millis = time.as_millis();
    let parts = [(3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
    let mut left = millis;
    let mut out = String::new();
    for (unit, name) in parts {
        if left >= unit {
            out.push_str(&format!("{}{name}", left / unit));
            left %= unit;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

/// So much of a long value that it is told from the other one: from a little before where they part.
fn shortened(value: &str, other: &str) -> String {
    let letters: Vec<char> = value.replace('\n', " ").chars().collect();
    if letters.len() <= SHOWN {
        return letters.into_iter().collect();
    }
    let same = value.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    let from = same.saturating_sub(SHOWN / 4);
    let part: String = letters.iter().skip(from).take(SHOWN).collect();
    let before = if from > 0 { "…" } else { "" };
    let after = if from + SHOWN < letters.len() { "…" } else { "" };
    format!("{before}{part}{after}")
}

fn text(changes: &[Change], lang: Lang) -> String {
    if changes.is_empty() {
        return either(lang, "Nothing would change.", "変更はありません。").to_owned();
    }
    let absent = either(lang, "(not there)", "(なし)");
    let shown = |value: &Option<String>, other: &Option<String>| match value.as_deref() {
        Some("") | None => absent.to_owned(),
        Some(value) => shortened(value, other.as_deref().unwrap_or_default()),
    };
    let widest = changes.iter().map(|change| width(&change.key)).max().unwrap_or(0);
    let mut out = either(lang, "would change:\n", "変更点:\n").to_owned();
    for change in changes {
        let (old, new) = (shown(&change.old, &change.new), shown(&change.new, &change.old));
        out.push_str(&format!("  {}  {old}  ->  {new}\n", pad(&change.key, widest)));
    }
    out
}

/// Letters of a value that are shown in a line.
const SHOWN: usize = 48;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::settings::{Calendar, DialMode, Weekly, test_campaign};

    #[test]
    fn each_field_that_differs_is_told_with_both_values() {
        let old = test_campaign();
        let mut new = old.clone();
        assert_eq!(changes(&old, &new), []);
        new.mode = DialMode::Predictive;
        new.limits.ring = std::time::Duration::from_secs(90);
        new.dispositions.remove(0);
        let told: Vec<_> = changes(&old, &new)
            .into_iter()
            .map(|change| (change.key, change.old.unwrap_or_default(), change.new))
            .collect();
        let text = |text: &str| text.to_owned();
        assert_eq!(
            told,
            [
                (text("dial_mode"), text("progressive"), Some(text("predictive"))),
                (text("limits.ring"), text("25s"), Some(text("1m30s"))),
                (text("disposition.SALE"), text("success, a person, keys 1"), None),
            ]
        );
    }

    #[test]
    fn long_values_that_differ_late_are_seen_to_differ() {
        let mut old = test_campaign();
        old.script = format!("{}, this is Sakura Trading.", "Good morning ".repeat(10));
        let mut new = old.clone();
        new.script = new.script.replace("Sakura", "Momiji");
        let changes = changes(&old, &new);
        let [only] = changes.as_slice() else { panic!("{changes:?}") };
        assert_eq!((only.old.as_ref(), only.new.as_ref()), (Some(&old.script), Some(&new.script)));
        let told = text(&changes, Lang::En);
        assert!(
            told.contains("Sakura Trading.  ->  ") && told.contains("Momiji Trading."),
            "{told}"
        );
    }

    #[test]
    fn another_holiday_is_a_change_though_there_are_as_many() {
        let on = |date: &str| {
            let calendar = Calendar { dates: [date.to_owned()].into(), known_until: None };
            let hours = Weekly {
                default_zones: vec!["Asia/Tokyo".to_owned()],
                days: Default::default(),
                holidays: None,
                calendar,
            };
            CampaignSettings { hours: CallingHours::Weekly(hours), ..test_campaign() }
        };
        let told = changes(&on("2026-11-23"), &on("2026-12-29"));
        assert_eq!(
            told.iter().map(|change| change.key.as_str()).collect::<Vec<_>>(),
            ["hours.holidays"]
        );
    }
}
