//! Predictive pacing against days of a call centre that it cannot see into.

#![expect(clippy::unwrap_used, reason = "a scenario that is not there is a failed test")]

use outdial::logic::pacing::predictive::{Moment, Predictor};
use outdial::simulation::pacing_day::baselines::{AdaptiveLevel, Ratio};
use outdial::simulation::pacing_day::report::Report;
use outdial::simulation::pacing_day::scenario::{Scenario, scenarios};
use outdial::simulation::pacing_day::{Pacer, run};

fn scenario(name: &str, hours: u32) -> Scenario {
    let found = scenarios().into_iter().find(|scenario| scenario.name == name).unwrap();
    Scenario { seconds: hours * 3_600, ..found }
}

fn day(name: &str, hours: u32, seed: u64, mut pacer: impl Pacer) -> Report {
    run(&scenario(name, hours), seed, &mut pacer)
}

#[test]
fn one_line_a_free_agent_leaves_a_third_of_the_time_unused() {
    // Ten seconds of ringing and four calls for an answer: 68 % is what arithmetic gives for 150 s of talk.
    let day = day("n20", 8, 11, Ratio(1.0));
    assert!((66.5..70.0).contains(&day.occupancy), "{day:?}");
    assert_eq!(day.lost, 0);
}

#[test]
fn prediction_keeps_twenty_agents_busy_within_the_cap() {
    let predicted = day("n20", 8, 12, Predictor::new(0.03));
    assert!(predicted.occupancy > 86.0, "{predicted:?}");
    assert!(predicted.abandoned <= 3.0, "{predicted:?}");
    assert!(predicted.worst_hour <= 8.0, "{predicted:?}");
}

#[test]
fn prediction_keeps_its_cap_where_an_adaptive_dial_level_breaks_it() {
    let predicted = day("shock5", 8, 13, Predictor::new(0.03));
    let adaptive = day("shock5", 8, 13, AdaptiveLevel::new(3.0));
    assert!(predicted.abandoned <= 3.0, "{predicted:?}");
    assert!(predicted.occupancy > adaptive.occupancy + 5.0, "{predicted:?} {adaptive:?}");
    assert!(adaptive.abandoned > 3.0, "{adaptive:?}");
}

#[test]
fn without_credit_of_the_ledger_nobody_is_lost_whatever_is_predicted() {
    struct Covered(Predictor);
    impl Pacer for Covered {
        fn launch(&mut self, moment: &Moment<'_>) -> usize {
            self.0.decide(&Moment { most_uncovered: 0, ..*moment }).launch
        }
    }
    let day = day("hians", 2, 14, Covered(Predictor::new(0.03)));
    assert_eq!(day.lost, 0, "{day:?}");
    assert!(day.live > 500);
}

#[test]
fn the_same_seed_is_the_same_day() {
    let of = |seed| {
        let day = day("tiny2", 2, seed, Predictor::new(0.03));
        (day.launched, day.live, day.lost, day.occupancy.to_bits())
    };
    assert_eq!(of(15), of(15));
    assert_ne!(of(15), of(16));
}
