//! Worlds drawn from a seed, with everything going wrong at once.
//!
//! CI runs five seeds. `OUTDIAL_SEED` names the first seed (then only that one runs), `OUTDIAL_SEEDS` how many follow,
//! `OUTDIAL_MINUTES` how long each world lasts; `tests/long` sets them.

use std::time::Duration;

use outdial::simulation::dice::Dice;

use crate::builder::{Builder, Report};
use crate::faults::Faults;
use crate::world::World;

/// A world of this seed: its size, hours, digest and faults are drawn too.
fn world_of(seed: u64, minutes: u64) -> Builder {
    let mut dice = Dice::of(seed, "shape", 0);
    // More people than the time allows to call.
    let people = u32::try_from(minutes * 40).unwrap();
    let agents = usize::try_from(3 + dice.below(8)).unwrap();
    let mut world = World::seeded(seed)
        .contacts(people)
        .agents(agents)
        // It is a little ahead of the first one in the same list, so that the two meet all the time.
        .second_campaign((20, people + 20))
        .trunk(
            u32::try_from(2 + dice.below(6)).unwrap(),
            u32::try_from(5 + dice.below(15)).unwrap(),
        )
        .faults(if dice.below(4) == 0 { Faults::STORM } else { Faults::ALL });
    if dice.below(2) == 0 {
        world = world.digest();
    }
    if dice.below(2) == 0 {
        // Lax caps, so that a ledger that begins with nothing soon gives credit.
        let cap_ppm = [30_000, 150_000, 400_000][usize::try_from(dice.below(3)).unwrap()];
        world = world.ratio(1_200 + u32::try_from(dice.below(3_000)).unwrap(), cap_ppm);
    }
    if dice.below(3) == 0 {
        // Two minutes open, one shut, through the whole day.
        let windows: Vec<(u16, u16)> = (0..480).map(|turn| (turn * 3, turn * 3 + 2)).collect();
        world = world.open_only(&windows);
    }
    match dice.below(6) {
        0 => world.agentless(),
        1 | 2 => world.second_agentless(),
        _ => world,
    }
}

fn run(seed: u64, minutes: u64) -> Report {
    world_of(seed, minutes)
        .replayed_by(&format!(
            "OUTDIAL_SEED={seed} OUTDIAL_MINUTES={minutes} cargo nextest run --release simulation"
        ))
        .run_for(Duration::from_secs(minutes * 60))
}

/// Every fifth of the seeds that the environment asks for, from `place` on.
fn fifth(place: u64) {
    let named = number("OUTDIAL_SEED");
    let count = number("OUTDIAL_SEEDS").unwrap_or_else(|| named.map_or(5, |_| 1));
    let minutes = number("OUTDIAL_MINUTES").unwrap_or(4);
    let first = named.unwrap_or(1);
    for seed in (first..first + count).skip(usize::try_from(place).unwrap()).step_by(5) {
        let report = run(seed, minutes);
        say(seed, &report);
        assert!(report.attempts.len() > 5, "a world in which hardly anything happens: {seed}");
    }
}

#[expect(clippy::print_stderr, reason = "shown for failures, and where the long runs ask for it")]
fn say(seed: u64, report: &Report) {
    eprintln!(
        "seed {seed}: {} attempts, {:?}, {} crashes, {} refusals, {} lines in {:?}",
        report.attempts.len(),
        report.outcomes(),
        report.crashes,
        report.refusals,
        report.log_lines,
        report.virtual_time
    );
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn every_rule_holds_for_the_first_seed() {
    fifth(0);
}

#[test]
fn every_rule_holds_for_the_second_seed() {
    fifth(1);
}

#[test]
fn every_rule_holds_for_the_third_seed() {
    fifth(2);
}

#[test]
fn every_rule_holds_for_the_fourth_seed() {
    fifth(3);
}

#[test]
fn every_rule_holds_for_the_fifth_seed() {
    fifth(4);
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let (one, again, other) = (run(11, 2), run(11, 2), run(12, 2));
    assert_eq!((one.log_lines, one.log_hash), (again.log_lines, again.log_hash));
    assert_eq!(one.attempts, again.attempts);
    assert_eq!(one.carrier, again.carrier);
    assert_ne!(one.log_hash, other.log_hash);
}
