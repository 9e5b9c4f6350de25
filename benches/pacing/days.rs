//! Pairs of policies on the same days: what one costs or brings against the other.

use std::time::Duration;

use outdial::logic::pacing::answer_model::AnswerModel;
use outdial::logic::pacing::predictive::Predictor;
use outdial::logic::settings::{AbandonBound, DebtLimit};
use outdial::simulation::pacing_day::baselines::{Admitted, Knowing};
use outdial::simulation::pacing_day::report::Report;
use outdial::simulation::pacing_day::run as day;
use outdial::simulation::pacing_day::scenario::plain;

use super::common::Asked;
use super::sample::Sample;

/// What the ledger costs, by size of the team: the bound `window` with several debts, and `instant`, against the same engine
/// without a bound.
pub(crate) fn instant(asked: &Asked) {
    if !asked.wants("instant") {
        return;
    }
    let (first, seeds, seconds) = seeds(asked);
    println!(
        "the engine without a bound and within the ledger, seeds {first} to {}, plain days of {} h, the window closes with the day",
        first + seeds - 1,
        seconds / 3_600
    );
    let debts = DEBTS.map(|calls| format!(" debt {calls}: points / abandoned % / most owed |"));
    println!(
        "\n| agents | without: occupancy % / abandoned % |{} `instant`: points / abandoned % / most owed | occupancy % |",
        debts.concat()
    );
    println!("|{}", "---|".repeat(DEBTS.len() + 4));
    for agents in sizes(asked) {
        let scenario = plain(agents, seconds, false);
        let days = (first..first + seeds)
            .map(|seed| day(&scenario, seed, &mut Predictor::new(0.03)))
            .collect::<Vec<_>>();
        let free = occupancy(&days);
        let within = |bound: AbandonBound| {
            let (mut within, mut owed) = (Vec::new(), 0);
            for seed in first..first + seeds {
                let mut admitted = Admitted::new(Predictor::new(0.03), 30_000, bound);
                within.push(day(&scenario, seed, &mut admitted));
                owed = owed.max(admitted.most_owed);
            }
            (occupancy(&within), abandoned(&within).mean(), owed)
        };
        print!("| {agents} | {} / {:.2} |", free.show(), abandoned(&days).mean());
        let windows = DEBTS.map(|calls| {
            let repaid_before = Duration::from_secs(3_600);
            AbandonBound::Window(DebtLimit { calls, repaid_before })
        });
        for bound in windows.into_iter().chain([AbandonBound::Instant]) {
            let (busy, lost, owed) = within(bound);
            print!(" {} / {lost:.2} / {owed} |", busy.minus(&free).show());
            if bound == AbandonBound::Instant {
                print!(" {} |", busy.show());
            }
        }
        println!();
    }
    println!();
}

/// What it brings to know the leads: by a model that learns them, and by the truth.
pub(crate) fn leads(asked: &Asked) {
    if !asked.wants("leads") {
        return;
    }
    let (first, seeds, seconds) = seeds(asked);
    println!(
        "leads that differ, seeds {first} to {}, plain days of {} h",
        first + seeds - 1,
        seconds / 3_600
    );
    println!(
        "\n| agents | unknown: occupancy % / abandoned % | model: occupancy % / abandoned % | brings points | truth: brings points | Brier score, base rate |"
    );
    println!("|---|---|---|---|---|---|");
    for agents in sizes(asked).filter(|agents| *agents <= 100) {
        let scenario = plain(agents, seconds, true);
        let knowing =
            |told| Knowing { engine: Predictor::new(0.03), model: AnswerModel::new(), told };
        let (mut unknown, mut learned, mut told) = (Vec::new(), Vec::new(), Vec::new());
        let (mut brier, mut base) = (Sample::default(), Sample::default());
        for seed in first..first + seeds {
            unknown.push(day(&scenario, seed, &mut Predictor::new(0.03)));
            let mut model = knowing(false);
            learned.push(day(&scenario, seed, &mut model));
            told.push(day(&scenario, seed, &mut knowing(true)));
            brier.0.push(model.model.calibration().brier());
            base.0.push(model.model.calibration().base());
        }
        let plain = occupancy(&unknown);
        println!(
            "| {agents} | {} / {:.2} | {} / {:.2} | {} | {} | {:.3}, {:.3} |",
            plain.show(),
            abandoned(&unknown).mean(),
            occupancy(&learned).show(),
            abandoned(&learned).mean(),
            occupancy(&learned).minus(&plain).show(),
            occupancy(&told).minus(&plain).show(),
            brier.mean(),
            base.mean(),
        );
    }
    println!();
}

fn seeds(asked: &Asked) -> (u64, u64, u32) {
    let seconds = if asked.small { 3_600 } else { 8 * 3_600 };
    (asked.first.unwrap_or(FIRST), asked.times(12) as u64, seconds)
}

fn sizes(asked: &Asked) -> impl Iterator<Item = usize> + use<> {
    let small = asked.small;
    [2, 5, 10, 20, 50, 100, 300].into_iter().filter(move |agents| !small || *agents <= 20)
}

fn occupancy(days: &[Report]) -> Sample {
    Sample(days.iter().map(|day| day.occupancy).collect())
}

fn abandoned(days: &[Report]) -> Sample {
    Sample(days.iter().map(|day| day.abandoned).collect())
}

/// Calls that a window may owe.
const DEBTS: [u32; 3] = [3, 10, 50];
/// Nobody tuned on these.
const FIRST: u64 = 2_001;
