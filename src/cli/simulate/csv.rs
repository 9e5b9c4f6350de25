//! The figures as CSV, for a spreadsheet: numbers with a point, words in English whatever the language.

use std::fmt::Write;

use crate::cli::simulate::Outlook;
use crate::cli::simulate::steps::{self, clock};
use crate::simulation::rehearsal::figures::Figure;

/// Each figure over all seeds.
pub(crate) fn figures(outlook: &Outlook) -> String {
    let mut out = "figure,seeds,mean,interval_low,interval_high,least,most\n".to_owned();
    for figure in Figure::ALL {
        let Some(sure) = outlook.sure(figure) else { continue };
        let (low, high) = match sure.half {
            Some(half) => (number(sure.mean - half), number(sure.mean + half)),
            None => (String::new(), String::new()),
        };
        let row = [
            figure.as_str().to_owned(),
            sure.count.to_string(),
            number(sure.mean),
            low,
            high,
            number(sure.least),
            number(sure.most),
        ];
        line(&mut out, &row);
    }
    out
}

/// Each figure of each seed.
pub(crate) fn seeds(outlook: &Outlook) -> String {
    let mut out = "seed".to_owned();
    for figure in Figure::ALL {
        out.push(',');
        out.push_str(figure.as_str());
    }
    out.push('\n');
    for record in &outlook.records {
        let figures = Figure::ALL.map(|figure| figure.of(record).map(number).unwrap_or_default());
        let row: Vec<String> = [record.seed.to_string()].into_iter().chain(figures).collect();
        line(&mut out, &row);
    }
    out
}

/// Each five minutes of each seed.
pub(crate) fn steps(outlook: &Outlook) -> String {
    let cap_ppm = outlook.rehearsal.campaign.abandon.cap_ppm;
    let mut out = format!("{}\n", STEP_COLUMNS.join(","));
    let seconds = |micros: u64| number(crate::simulation::rehearsal::record::float(micros) / 1e6);
    let maybe = |value: Option<f64>| value.map(number).unwrap_or_default();
    for record in &outlook.records {
        for step in &record.steps {
            let held =
                step.held.iter().max_by_key(|(_, samples)| **samples).map_or("", |(word, _)| word);
            let row = [
                record.seed.to_string(),
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
            ];
            line(&mut out, &row);
        }
    }
    out
}

fn line(out: &mut String, row: &[String]) {
    // Neither numbers nor our words hold a comma.
    writeln!(out, "{}", row.join(",")).unwrap_or_default();
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
