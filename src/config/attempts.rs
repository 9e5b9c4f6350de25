//! `[attempts]` and `[retry]`: how often, and when again.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::duration;
use crate::config::file::Field;
use crate::config::file::Section;
use crate::config::file::Wrong;
use crate::config::file::nearest;
use crate::config::presets::Rules;
use crate::logic::outcome::Outcome;
use crate::logic::settings::CapSettings;
use crate::logic::settings::RetryRule;

/// The caps of a campaign.
pub(super) fn caps(root: &Section<'_>, rules: &Rules) -> CapSettings {
    let preset = rules.preset.as_ref().map(|preset| preset.caps);
    let base = preset.unwrap_or(DEFAULT_CAPS);
    let Some(section) = root.get("attempts").and_then(|field| field.section()) else { return base };
    let count = |key, of_preset: u32| {
        let Some(field) = section.get(key) else { return of_preset };
        let Some(count) = field.whole(COUNT) else { return of_preset };
        if preset.is_some() && count > of_preset {
            rules.loosened(&field, &format!("at most {of_preset}"));
        }
        count
    };
    let gap_range = if rules.simulated_only { Duration::ZERO..=*GAP.end() } else { GAP };
    let gap_field = section.get("min_gap");
    let min_gap = gap_field.as_ref().and_then(|field| field.duration(gap_range));
    if let (Some(field), Some(gap), Some(preset)) = (&gap_field, min_gap, preset)
        && gap < preset.min_gap
    {
        rules.loosened(field, &format!("at least {}", duration::text(preset.min_gap)));
    }
    let caps = CapSettings {
        per_day: count("per_day", base.per_day),
        per_30_days: count("per_30_days", base.per_30_days),
        total: count("total", base.total),
        min_gap: min_gap.unwrap_or(base.min_gap),
        undelivered_per_hour: section
            .get("undelivered_per_hour")
            .and_then(|field| field.whole(0..=UNDELIVERED_PER_HOUR))
            .unwrap_or(base.undelivered_per_hour),
    };
    section.finish();
    caps
}

/// What follows each outcome, and what follows those that are not named.
pub(super) fn retry(
    root: &Section<'_>,
    rules: &Rules,
) -> (BTreeMap<Outcome, RetryRule>, RetryRule) {
    let mut table = BTreeMap::from(DEFAULT_RETRY);
    let abandoned = rules.preset.as_ref().map(|preset| preset.after_abandoned);
    if let (Some(rule), Some(delay)) = (table.get_mut(&Outcome::Abandoned), abandoned) {
        rule.delay = rule.delay.max(delay);
    }
    let mut other = OTHER_RETRY;
    let Some(field) = root.get("retry") else { return (table, other) };
    if field.is_text() {
        // What never left this program does not count as a call: that lead still gets its one.
        if field.choice(&[("none", ())]).is_some() {
            table.retain(|outcome, _| *outcome == Outcome::NotPlaced);
            other = NO_RETRY;
        }
        return (table, other);
    }
    let Some(section) = field.section() else { return (table, other) };
    for field in section.entries() {
        if field.key() == "default" {
            other = rule(&field, rules).unwrap_or(other);
            continue;
        }
        let Some(outcome) = outcome(&field) else { continue };
        let Some(rule) = rule(&field, rules) else { continue };
        if outcome == Outcome::Abandoned && abandoned.is_some_and(|least| rule.delay < least) {
            let least = abandoned.unwrap_or_default();
            rules.loosened(&field, &format!("after at least {}", duration::text(least)));
        }
        table.insert(outcome, rule);
    }
    (table, other)
}

fn outcome(field: &Field<'_>) -> Option<Outcome> {
    let may: Vec<&str> =
        Outcome::ALL.iter().filter(|o| o.may_retry()).map(|o| o.as_str()).collect();
    let known: Option<Outcome> = field.key().parse().ok();
    if let Some(outcome) = known.filter(|o| o.may_retry()) {
        return Some(outcome);
    }
    let found = match known {
        Some(outcome) => format!("`{outcome}`, which ends a lead for good"),
        None => format!("the unknown outcome `{}`", field.key()),
    };
    let expected = match nearest(field.key(), &may) {
        Some(near) if known.is_none() => format!("`{near}`"),
        Some(_) | None => format!("`default` or one of {}", may.join(", ")),
    };
    field.wrong_key(Wrong::new(found, expected, "correct it or take it out"));
    None
}

/// `{ after = "4h", max = 3 }` or `"none"`.
fn rule(field: &Field<'_>, rules: &Rules) -> Option<RetryRule> {
    if field.is_text() {
        return field.choice(&[("none", NO_RETRY)]);
    }
    let section = field.section()?;
    let least = if rules.simulated_only { Duration::ZERO } else { Duration::from_secs(60) };
    let delay = section.need("after", "a duration").and_then(|f| f.duration(least..=*GAP.end()));
    let max = section.need("max", "the most retries").and_then(|f| f.whole(0..=100));
    section.finish();
    Some(RetryRule { delay: delay?, max: max? })
}

const NO_RETRY: RetryRule = RetryRule { delay: Duration::ZERO, max: 0 };
const OTHER_RETRY: RetryRule = hours(4, 3);

/// Without a rule of the campaign's own. Times after busy and no answer are common practice, not law.
const DEFAULT_RETRY: [(Outcome, RetryRule); 12] = [
    (Outcome::NoAnswer, hours(3, 5)),
    (Outcome::Busy, minutes(15, 3)),
    (Outcome::Unreachable, hours(4, 3)),
    (Outcome::Rejected, hours(24, 1)),
    // A number is dead when the network says so on two different days.
    (Outcome::Invalid, hours(24, 1)),
    (Outcome::Abandoned, hours(72, 1)),
    (Outcome::Unknown, hours(24, 1)),
    // Whoever hangs up on a machine has answered it.
    (Outcome::MessageCut, NO_RETRY),
    // Nobody was rung: bounded by `undelivered_per_hour`.
    (Outcome::Congestion, minutes(10, 20)),
    (Outcome::TrunkFault, minutes(30, 20)),
    (Outcome::NotDelivered, minutes(10, 20)),
    (Outcome::NotPlaced, RetryRule { delay: Duration::from_secs(5), max: 20 }),
];

const fn hours(hours: u64, max: u32) -> RetryRule {
    RetryRule { delay: Duration::from_secs(hours * 3600), max }
}

const fn minutes(minutes: u64, max: u32) -> RetryRule {
    RetryRule { delay: Duration::from_secs(minutes * 60), max }
}

const DEFAULT_CAPS: CapSettings = CapSettings {
    per_day: 3,
    per_30_days: 10,
    total: 10,
    min_gap: Duration::from_secs(2 * 3600),
    undelivered_per_hour: UNDELIVERED_PER_HOUR,
};

pub(super) const UNDELIVERED_PER_HOUR: u32 = 3;
pub(super) const COUNT: RangeInclusive<u32> = 1..=1000;
pub(super) const GAP: RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(365 * 86_400);
