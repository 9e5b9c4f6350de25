//! The abandonment ledger against adversaries: the real dialer and a pure store in virtual time, with made-up calls and
//! agents that do the worst thing at the worst moment.
//!
//! | file | what it is |
//! |---|---|
//! | `floor` | the loop: dialer, store, far ends and agents on one agenda |
//! | `far_ends` | the other sides of legs |
//! | `agents` | who log in, see people, name them, and whose phones die |
//! | `books` | what the rows must say, from what the world itself has seen |
//! | `style` | what an adversary does, drawn from a seed |
//! | `plan` | the campaign (that of the virtual world) |
//!
//! `OUTDIAL_SEED` names the first seed (then only that one runs), `OUTDIAL_LEDGER_RUNS` how many follow, `OUTDIAL_LEDGER_DAYS` how many
//! days of fifty agents; `tests/long` sets them. A failing seed is printed and replays.
#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]
#![expect(clippy::panic, reason = "a broken rule ends the test")]
#![expect(clippy::indexing_slicing, reason = "places are made by the tests themselves")]

mod agents;
mod books;
mod far_ends;
mod floor;
#[path = "../simulation/plan.rs"]
#[expect(dead_code, reason = "the virtual world needs more of it")]
mod plan;
mod style;

use std::time::Duration;

use outdial::logic::pacing::journal::{Line, Replay};
use outdial::logic::settings::DialMode;
use serde_json::Value;

use crate::floor::{Floor, Report};
use crate::style::Style;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[expect(clippy::print_stderr, reason = "shown for failures, and where the long runs ask for it")]
fn run(seed: u64, style: Style) -> Report {
    let name = style.name;
    let report = Floor::new(seed, style).run();
    eprintln!("{name} seed {seed}: {report:?}");
    report
}

/// Every quarter of the seeds asked for, from `place` on, in worlds that `of` makes.
fn quarter(place: u64, of: impl Fn(u64) -> Style) -> Report {
    let named = number("OUTDIAL_SEED");
    let count = number("OUTDIAL_LEDGER_RUNS").unwrap_or_else(|| named.map_or(160, |_| 1));
    let first = named.unwrap_or(1);
    let mut sum = Report::default();
    for seed in (first..first + count).skip(usize::try_from(place).unwrap()).step_by(4) {
        sum.add(&run(seed, of(seed)));
    }
    // Rules that nothing ever tests would hold as well.
    if count >= 160 {
        assert!(sum.uncovered > 400, "calls without an agent of their own: {sum:?}");
        assert!(sum.abandoned > sum.faults && sum.faults > 20, "losses of both kinds: {sum:?}");
        assert!(sum.handed_on > 40, "places handed on: {sum:?}");
        assert!(sum.crashes > 20 && sum.late_answers > 20, "{sum:?}");
        assert!(sum.switches > 40 && sum.by_hand > 20, "modes: {sum:?}");
        assert!(sum.messages > 400 && sum.heard > 100, "calls that want no agent: {sum:?}");
    }
    sum
}

/// Rules that nothing ever tests would hold as well.
fn in_debt(sum: Report) {
    if number("OUTDIAL_SEED").is_none() {
        assert!(sum.in_debt > 400 && sum.most_debt > 3, "{sum:?}");
    }
}

#[test]
fn no_adversary_breaks_the_cap_first_quarter() {
    quarter(0, Style::adversary);
}

#[test]
fn no_adversary_breaks_the_cap_second_quarter() {
    quarter(1, Style::adversary);
}

#[test]
fn no_adversary_breaks_the_cap_third_quarter() {
    quarter(2, Style::adversary);
}

#[test]
fn no_adversary_breaks_the_cap_fourth_quarter() {
    quarter(3, Style::adversary);
}

#[test]
fn where_nothing_breaks_there_are_no_faults_whoever_answers_when() {
    let mut sum = Report::default();
    for seed in 1..=100 {
        let report = run(seed, Style::everyone_answers(seed));
        assert_eq!(report.faults, 0, "seed {seed}");
        sum.add(&report);
    }
    assert!(sum.abandoned > 20, "an adversary who finds nobody without an agent: {sum:?}");
}

#[test]
fn days_of_fifty_agents_with_faults_keep_every_rule() {
    // Without a wish for whole days, the first hour of one.
    let (days, hours) = number("OUTDIAL_LEDGER_DAYS").map_or((1, 1), |days| (days, 8));
    let first = number("OUTDIAL_SEED").unwrap_or(1);
    for seed in first..first + days {
        let report = run(seed, Style::day(seed, Duration::from_secs(hours * 3_600)));
        assert!(report.connected > 200 * hours, "{report:?}");
        assert!(report.uncovered > 20 * hours, "{report:?}");
    }
}

#[test]
fn on_a_quiet_day_prediction_keeps_agents_busier_than_one_line_each() {
    let lasts = Duration::from_secs(1_200);
    let floor = |mode| Floor::new(1, Style::quiet_day(1, lasts, mode));
    let busy = |report: &Report| {
        assert_eq!(report.faults, 0);
        report.busy_ms * 1_000 / report.staffed_ms
    };
    let progressive = busy(&floor(DialMode::Progressive).run());
    let (report, journal) = floor(DialMode::Predictive).run_with_journal();
    replays(&journal);
    let predictive = busy(&report);
    assert!(predictive > progressive + 20, "{progressive} and {predictive} in a thousand");
}

#[test]
fn no_adversary_makes_a_window_owe_more_than_it_may_first_quarter() {
    in_debt(quarter(0, |seed| Style::adversary(seed).with_debt(seed)));
}

#[test]
fn no_adversary_makes_a_window_owe_more_than_it_may_second_quarter() {
    in_debt(quarter(1, |seed| Style::adversary(seed).with_debt(seed)));
}

#[test]
fn no_adversary_makes_a_window_owe_more_than_it_may_third_quarter() {
    in_debt(quarter(2, |seed| Style::adversary(seed).with_debt(seed)));
}

#[test]
fn no_adversary_makes_a_window_owe_more_than_it_may_fourth_quarter() {
    in_debt(quarter(3, |seed| Style::adversary(seed).with_debt(seed)));
}

/// The same engine, asked the same, says the same: of every part of the journal.
fn replays(journal: &[String]) {
    let (mut replay, mut asked, mut begun) = (Replay::default(), 0, 0);
    for line in journal {
        let line: Line<Value> = serde_json::from_str(line).unwrap();
        begun += u32::from(matches!(line, Line::Begins { .. }));
        if let Some((said, recorded)) = replay.play(line).unwrap() {
            let now: Value = serde_json::from_str(&serde_json::to_string(&said).unwrap()).unwrap();
            assert_eq!(now, recorded, "decision {asked}");
            asked += 1;
        }
    }
    assert!(asked > 2_000 && begun > 1, "{asked} decisions in {begun} parts");
    let bytes: usize = journal.iter().map(|line| line.len() + 1).sum();
    assert!(bytes < 1_000_000 * usize::try_from(begun).unwrap(), "{bytes} bytes, {begun} parts");
}
