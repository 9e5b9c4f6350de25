//! How long a decision takes, and how many calls a second can be simulated.

use std::hint::black_box;
use std::time::Duration;

use outdial::logic::pacing::predictive::chance::{Count, exact};
use outdial::logic::pacing::predictive::{Moment, Predictor};
use outdial::simulation::dice::Dice;
use outdial::simulation::pacing_day::scenario::plain;
use outdial::simulation::pacing_day::{Pacer, run as day};

use super::common::{Asked, Gate, Table, now};
use super::plain;

/// The engine with a stopwatch.
struct Timed {
    engine: Predictor,
    took: Vec<Duration>,
}

impl Pacer for Timed {
    fn launch(&mut self, moment: &Moment<'_>) -> usize {
        let begin = now();
        let launch = self.engine.decide(moment).launch;
        self.took.push(begin.elapsed());
        launch
    }
}

pub(crate) fn run(asked: &Asked, table: &mut Table) {
    let seconds = if asked.small { 600 } else { 3_600 };
    for agents in [20, 100, 500, 2_000] {
        let (mut mean, mut late, mut calls) = (Vec::new(), Vec::new(), Vec::new());
        for seed in 0..asked.times(3) as u64 {
            let mut timed = Timed { engine: Predictor::new(0.03), took: Vec::new() };
            let begin = now();
            let report = day(&plain(agents, seconds, false), seed, &mut timed);
            calls.push(report.launched as f64 / begin.elapsed().as_secs_f64());
            timed.took.sort();
            let micros = |took: &Duration| took.as_secs_f64() * 1e6;
            mean.push(timed.took.iter().map(micros).sum::<f64>() / timed.took.len() as f64);
            late.push(micros(&timed.took[timed.took.len() * 99 / 100]));
        }
        let gate = if agents == 500 { Gate::Most(100.0) } else { Gate::None };
        table.figure(&format!("decision at {agents} agents, mean, us"), &mean, gate);
        table.figure(&format!("decision at {agents} agents, 99 % within, us"), &late, Gate::None);
        table.figure(&format!("simulated calls a second at {agents} agents"), &calls, Gate::None);
    }
    let (mut ours, mut anchor) = (Vec::new(), Vec::new());
    let mut dice = Dice::new(1);
    let events = |dice: &mut Dice, count: usize| -> Vec<[f64; 8]> {
        (0..count).map(|_| std::array::from_fn(|_| 0.3 * dice.unit())).collect()
    };
    let (answers, free) = (events(&mut dice, 40), events(&mut dice, 20));
    for _ in 0..asked.times(5) {
        let mut risk = 0.0;
        ours.push(micros_each(|| {
            let (mut come, mut freed) = (Count::none(), Count::none());
            answers.iter().for_each(|chances| come.add(black_box(chances), true));
            free.iter().for_each(|chances| freed.add(black_box(chances), true));
            risk = exact(3, &come, &freed).iter().sum::<f64>() / 8.0;
        }));
        let mut as_written = 0.0;
        anchor.push(micros_each(|| {
            as_written = plain::risk(3, black_box(&answers), black_box(&free))
        }));
        assert!((risk - as_written).abs() < 1e-9, "both say the same: {risk} {as_written}");
    }
    let names = ("risk of 40 calls and 20 agents, us", "  as the formulas are written, us");
    table.pair((names.0, &ours), (names.1, &anchor), Gate::Most(0.5));
}

fn micros_each(mut what: impl FnMut()) -> f64 {
    let begin = now();
    (0..TIMES).for_each(|_| what());
    begin.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES)
}

const TIMES: u32 = 2_000;
