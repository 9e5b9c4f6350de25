//! The figures as CSV, for a spreadsheet: numbers with a point, words in English whatever the language.

use crate::cli::simulate::steps::{self, clock};
use crate::cli::simulate::{Outlook, Pair};
use crate::simulation::rehearsal::figures::Figure;
use crate::simulation::rehearsal::record::{Record, Step, float};
use crate::simulation::rehearsal::sure::Sure;

/// Each figure over all seeds.
pub(crate) fn figures(outlook: &Outlook) -> anyhow::Result<String> {
    let columns = ["figure", "seeds", "mean", "interval_low", "interval_high", "least", "most"];
    let row = |figure: Figure| {
        let sure = outlook.sure(figure)?;
        let [low, high] = interval(sure);
        Some(vec![
            figure.as_str().to_owned(),
            sure.count.to_string(),
            number(sure.mean),
            low,
            high,
            number(sure.least),
            number(sure.most),
        ])
    };
    sheet(columns, Figure::ALL.into_iter().filter_map(row))
}

/// Each figure of both settings and their difference.
pub(crate) fn compared(pair: &Pair) -> anyhow::Result<String> {
    let columns =
        ["figure", "seeds", "a_mean", "b_mean", "difference", "interval_low", "interval_high"];
    let row = |figure: Figure| {
        let (one, other) = (pair.one.sure(figure)?, pair.other.sure(figure)?);
        let difference = pair.difference(figure)?;
        let [low, high] = interval(difference);
        Some(vec![
            figure.as_str().to_owned(),
            difference.count.to_string(),
            number(one.mean),
            number(other.mean),
            number(difference.mean),
            low,
            high,
        ])
    };
    sheet(columns, Figure::ALL.into_iter().filter_map(row))
}

/// Each figure of each seed.
pub(crate) fn seeds(outlook: &Outlook) -> anyhow::Result<String> {
    let columns = ["seed"].into_iter().chain(Figure::ALL.map(Figure::as_str));
    let row = |record: &Record| {
        let figures = Figure::ALL.map(|figure| figure.of(record).map(number).unwrap_or_default());
        [record.seed.to_string()].into_iter().chain(figures).collect()
    };
    sheet(columns, outlook.records.iter().map(row))
}

/// Each five minutes of each seed.
pub(crate) fn steps(outlook: &Outlook) -> anyhow::Result<String> {
    let cap_ppm = outlook.rehearsal.campaign.abandon.cap_ppm;
    let of_seed = |record: &Record| {
        let seed = record.seed;
        record.steps.iter().map(move |step| step_row(seed, step, cap_ppm)).collect::<Vec<_>>()
    };
    sheet(STEP_COLUMNS, outlook.records.iter().flat_map(of_seed))
}

fn step_row(seed: u64, step: &Step, cap_ppm: u32) -> Vec<String> {
    let seconds = |micros: u64| number(float(micros) / 1e6);
    let maybe = |value: Option<f64>| value.map(number).unwrap_or_default();
    let held = step.held.iter().max_by_key(|(_, samples)| **samples).map_or("", |(word, _)| word);
    vec![
        seed.to_string(),
        (step.day + 1).to_string(),
        clock(step.minute),
        step.starts.0.to_string(),
        maybe(steps::occupancy(step)),
        seconds(step.idle),
        seconds(step.talk),
        seconds(step.wrap),
        seconds(step.paused),
        step.dials.to_string(),
        step.answered.to_string(),
        step.talks.to_string(),
        step.lost.to_string(),
        step.ledger.answered.to_string(),
        step.ledger.abandoned.to_string(),
        step.ledger.fault.to_string(),
        maybe(steps::bound(step, cap_ppm)),
        maybe(steps::wait(step)),
        maybe(steps::idle(step)),
        number(steps::lines(step)),
        step.lines_peak.to_string(),
        step.rate_peak.to_string(),
        step.list.ready.to_string(),
        step.list.waiting.to_string(),
        (step.list.done + step.list.blocked).to_string(),
        held.to_owned(),
    ]
}

fn sheet<'a>(
    columns: impl IntoIterator<Item = &'a str>,
    rows: impl Iterator<Item = Vec<String>>,
) -> anyhow::Result<String> {
    let mut sheet = csv::Writer::from_writer(vec![]);
    sheet.write_record(columns)?;
    for row in rows {
        sheet.write_record(row)?;
    }
    Ok(String::from_utf8(sheet.into_inner()?)?)
}

fn interval(sure: Sure) -> [String; 2] {
    let end = |sign: f64| sure.half.map(|half| number(sure.mean + sign * half)).unwrap_or_default();
    [-1.0, 1.0].map(end)
}

/// At most four decimals, and none that say nothing.
fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The ledger's columns hold the window at the end of the step.
pub(crate) const STEP_COLUMNS: [&str; 26] = [
    "seed",
    "day",
    "time",
    "starts_ms",
    "occupancy_percent",
    "idle_s",
    "talk_s",
    "wrap_s",
    "paused_s",
    "dials",
    "answered",
    "talks",
    "lost",
    "ledger_live",
    "ledger_abandoned",
    "ledger_faults",
    "ledger_bound",
    "wait_mean_s",
    "idle_mean_s",
    "lines_mean",
    "lines_peak",
    "calls_per_second_peak",
    "list_ready",
    "list_waiting",
    "list_done",
    "held_by",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_idle_digits() {
        assert_eq!(
            [1.0, 0.25, 68.123_456, 0.0, 120.0].map(number),
            ["1", "0.25", "68.1235", "0", "120"]
        );
    }
}
