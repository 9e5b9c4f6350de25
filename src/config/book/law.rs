//! Times of a behaviour book: `"2s"`, `"300ms-1s"`, or a law with mean and spread; and what is done at fixed times.

use std::time::Duration;

use crate::config::duration;
use crate::config::file::Field;
use crate::config::file::Section;
use crate::simulation::dice::LONGEST;
use crate::simulation::dice::Law;
use crate::simulation::quirks::Act;

/// A law of durations.
pub(in crate::config) fn law(field: &Field<'_>) -> Option<Law> {
    if !field.is_text() {
        return field.section().and_then(|section| by_mean(&section));
    }
    let expected = "a time such as \"2s\" or a range such as \"300ms-1s\", at most 4h";
    let advice = "write numbers with ms, s, m or h; or { law = \"lognormal\", mean = \"60s\", spread = 1.0 }";
    field.parse(expected, advice, |text| match text.split_once('-') {
        None => Some(Law::fixed(millis(text)?)),
        Some((least, most)) => {
            let (least, most) = (millis(least.trim())?, millis(most.trim())?);
            (least <= most).then_some(Law::between(least, most))
        }
    })
}

/// The law of `key`, or `otherwise`.
pub(super) fn law_of(section: &Section<'_>, key: &'static str, otherwise: Law) -> Option<Law> {
    section.get(key).map_or(Some(otherwise), |field| law(&field))
}

/// A fixed time.
pub(super) fn time(field: &Field<'_>) -> Option<Duration> {
    field.duration(Duration::ZERO..=LONGEST)
}

/// What goes into a header that counts seconds.
pub(super) fn whole_seconds(field: &Field<'_>) -> Option<u32> {
    let longest = Duration::from_secs(86_400);
    let time = field.duration(Duration::from_secs(1)..=longest)?;
    if time.subsec_nanos() > 0 {
        field.unexpected("whole seconds", "a Retry-After header knows nothing smaller");
    }
    u32::try_from(time.as_secs()).ok()
}

/// `"2s hold"`, `"4s resume"`, `"5s re-invite"`, `"6s update"`, `"7s press 12#"`.
pub(super) fn act(field: &Field<'_>) -> Option<(Duration, Act)> {
    let expected = "a time and what is done, such as \"2s hold\"";
    let advice = "choose hold, resume, re-invite, update or press with keys 0-9, *, #";
    field.parse(expected, advice, |text| {
        let (time, act) = text.trim().split_once(' ')?;
        let time = duration::parse(time).filter(|time| *time <= LONGEST)?;
        let act = match act.trim() {
            "hold" => Act::Hold,
            "resume" => Act::Resume,
            "re-invite" => Act::Reinvite,
            "update" => Act::Update,
            other => Act::Press(keys(other.strip_prefix("press ")?)?),
        };
        Some((time, act))
    })
}

fn keys(text: &str) -> Option<String> {
    let text = text.trim();
    let key = |c: char| c.is_ascii_digit() || "*#ABCD".contains(c);
    ((1..=32).contains(&text.len()) && text.chars().all(key)).then(|| text.to_owned())
}

fn by_mean(section: &Section<'_>) -> Option<Law> {
    let laws = [
        ("exponential", Shape::Exponential),
        ("lognormal", Shape::Lognormal),
        ("gamma", Shape::Gamma),
    ];
    let shape =
        section.need("law", "exponential, lognormal or gamma").and_then(|f| f.choice(&laws));
    let mean = section.need("mean", "the mean, such as \"60s\"").and_then(|field| time(&field));
    let mean = mean.and_then(|mean| u32::try_from(mean.as_millis()).ok());
    let spread = match shape {
        Some(Shape::Lognormal | Shape::Gamma) => section
            .need("spread", "deviation divided by mean, such as 0.5")
            .and_then(|f| spread(&f)),
        Some(Shape::Exponential) => Some(1.0),
        None => section.get("spread").and_then(|field| spread(&field)),
    };
    section.finish();
    let (shape, mean_ms, cv) = (shape?, mean?, spread?);
    Some(match shape {
        Shape::Exponential => Law::Exponential { mean_ms },
        Shape::Lognormal => Law::Lognormal { mean_ms, cv },
        Shape::Gamma => Law::Gamma { mean_ms, cv },
    })
}

#[derive(Clone, Copy)]
enum Shape {
    Exponential,
    Lognormal,
    Gamma,
}

fn spread(field: &Field<'_>) -> Option<f64> {
    let value = field.value();
    let float = value.as_float().map(|x| x.as_str().to_owned());
    let text = float.or_else(|| value.as_integer().map(|n| n.as_str().to_owned()));
    let number = text.and_then(|text| text.parse::<f64>().ok());
    let spread = number.filter(|spread| (0.0..=MOST_SPREAD).contains(spread));
    if spread.is_none() {
        field.unexpected(
            "a number from 0 to 5",
            "write it without quotes; 1.0 is as wide as it is long",
        );
    }
    spread
}

fn millis(text: &str) -> Option<u32> {
    let time = duration::parse(text).filter(|time| *time <= LONGEST)?;
    u32::try_from(time.as_millis()).ok()
}

/// Wider laws are all tail.
const MOST_SPREAD: f64 = 5.0;
