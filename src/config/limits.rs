//! `[limits]`: the times of one call.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::duration;
use crate::config::file::Section;
use crate::config::file::Wrong;
use crate::config::presets::Rules;
use crate::logic::settings::CallLimits;
use crate::logic::settings::PreviewSettings;
use crate::logic::settings::ReturnCalls;

/// The limits of a campaign, and the wrap-up time.
pub(super) fn limits(root: &Section<'_>, rules: &Rules) -> (CallLimits, Duration) {
    let mut limits = DEFAULT;
    let mut wrap_up = WRAP_UP;
    let preset_ring = rules.preset.as_ref().map(|preset| preset.ring);
    if let Some(least) = preset_ring {
        limits.ring = limits.ring.max(least);
    }
    let Some(section) = root.get("limits").and_then(|field| field.section()) else {
        return (limits, wrap_up);
    };
    let simulated = rules.simulated_only;
    let within = |range: RangeInclusive<Duration>| {
        if simulated { SIMULATED } else { range }
    };
    if let Some(field) = section.get("ring")
        && let Some(ring) = field.duration(within(RING))
    {
        limits.ring = ring;
        if let Some(least) = preset_ring.filter(|least| ring < *least) {
            rules.loosened(&field, &format!("at least {}", duration::text(least)));
        }
    }
    for (key, range, place) in [
        ("post_dial_delay", POST_DIAL_DELAY, &mut limits.post_dial_delay),
        ("set_up", SET_UP, &mut limits.set_up),
        ("connect", CONNECT, &mut limits.connect),
        ("talk", TALK, &mut limits.talk),
        ("person_after", PERSON_AFTER, &mut limits.person_after),
        ("wrap_up", WRAP_UP_RANGE, &mut wrap_up),
    ] {
        let read = section.get(key).and_then(|field| field.duration(within(range)));
        *place = read.unwrap_or(*place);
    }
    if limits.set_up < limits.ring {
        let wrong = Wrong::new(
            format!("`set_up` ({}) below `ring`", duration::text(limits.set_up)),
            format!("at least {}", duration::text(limits.ring)),
            "raise `set_up` or lower `ring`",
        );
        section.wrong(wrong);
    }
    section.finish();
    (limits, wrap_up)
}

/// `[preview]`: what an agent may do with a person who is shown before the call.
pub(super) fn preview(root: &Section<'_>) -> PreviewSettings {
    let Some(section) = root.get("preview").and_then(|field| field.section()) else {
        return PreviewSettings::DEFAULT;
    };
    let read = |key, range, default| {
        section.get(key).and_then(|field| field.duration(range)).unwrap_or(default)
    };
    let settings = PreviewSettings {
        within: read("within", PREVIEW_WITHIN, PreviewSettings::DEFAULT.within),
        skip: read("skip", PREVIEW_SKIP, PreviewSettings::DEFAULT.skip),
    };
    section.finish();
    settings
}

/// `[return_calls]`: who calls back, and for how long.
pub(super) fn return_calls(root: &Section<'_>) -> Option<ReturnCalls> {
    let section = root.get("return_calls")?.section()?;
    let per_hour = section.need("per_hour", "return calls expected in an hour");
    let per_hour = per_hour.and_then(|field| field.whole(RETURN_CALLS));
    let talk = section.need("talk", "how long an agent has to do with one, such as \"3m\"");
    let talk = talk.and_then(|field| field.duration(RETURN_TALK));
    section.finish();
    Some(ReturnCalls { per_hour: per_hour?, talk: talk? })
}

const RETURN_CALLS: RangeInclusive<u32> = 1..=10_000;
const RETURN_TALK: RangeInclusive<Duration> = seconds(10, 3_600);
const PREVIEW_WITHIN: RangeInclusive<Duration> = seconds(5, 1800);
const PREVIEW_SKIP: RangeInclusive<Duration> = seconds(1, 30 * 86_400);

const DEFAULT: CallLimits = CallLimits {
    ring: Duration::from_secs(30),
    post_dial_delay: Duration::from_secs(15),
    set_up: Duration::from_secs(75),
    connect: Duration::from_secs(2),
    talk: Duration::from_secs(3600),
    person_after: Duration::from_secs(10),
};
const WRAP_UP: Duration = Duration::from_secs(30);

/// 16 CFR 310.4(b)(4)(ii): not under 15 s. Above 60 s nobody is at home.
pub(super) const RING: RangeInclusive<Duration> = seconds(15, 60);
const POST_DIAL_DELAY: RangeInclusive<Duration> = seconds(5, 30);
const SET_UP: RangeInclusive<Duration> = seconds(20, 120);
/// 16 CFR 310.4(b)(4)(i), 47 CFR 64.1200(a)(7): a person is connected within two seconds.
const CONNECT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(2);
const TALK: RangeInclusive<Duration> = seconds(60, 4 * 3600);
const PERSON_AFTER: RangeInclusive<Duration> = seconds(2, 120);
const WRAP_UP_RANGE: RangeInclusive<Duration> = seconds(0, 1800);
const SIMULATED: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(4 * 3600);

const fn seconds(least: u64, most: u64) -> RangeInclusive<Duration> {
    Duration::from_secs(least)..=Duration::from_secs(most)
}
