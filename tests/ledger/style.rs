//! What an adversary does, drawn from a seed.

use std::time::Duration;

use outdial::logic::settings::{AbandonBound, DebtLimit, DialMode, DialRatio};
use outdial::logic::time::UtcMs;
use outdial::simulation::dice::{Dice, Law};

use crate::plan::T0;

/// One world.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    pub(crate) name: &'static str,
    pub(crate) agents: usize,
    pub(crate) people: i64,
    pub(crate) cap_ppm: u32,
    pub(crate) mode: DialMode,
    pub(crate) bound: AbandonBound,
    /// A of the first window before the first call.
    pub(crate) answered_before: i64,
    pub(crate) begins: UtcMs,
    pub(crate) lasts: Duration,
    pub(crate) calls_per_second: u32,
    pub(crate) wrap_up: Duration,
    /// In parts per million of calls: answered.
    pub(crate) answers: u32,
    pub(crate) ring: Law,
    pub(crate) talk: Law,
    /// Whoever rings is answered at the same moments, so often.
    pub(crate) burst: Option<Duration>,
    /// Calls without an agent of their own are answered first, and all of them.
    pub(crate) against_uncovered: bool,
    /// Most messages under way at once.
    pub(crate) message_lines: Option<u32>,
    /// In parts per million of messages: a key is pressed.
    pub(crate) keys: u32,
    /// In parts per million of CANCELs: a 200 crosses.
    pub(crate) crosses: u32,
    /// In parts per million of CANCELs: nothing more is heard.
    pub(crate) silent: u32,
    /// In parts per million of answers: the agents' phones die just before.
    pub(crate) vanish: u32,
    /// Mean time between deaths of a phone, crashes, jumps of the wall clock, hangs of the database, changes of the mode.
    pub(crate) phone_dies: Option<Duration>,
    pub(crate) crash: Option<Duration>,
    pub(crate) clock: Option<Duration>,
    pub(crate) hang: Option<Duration>,
    pub(crate) mode_changes: Option<Duration>,
    /// From a command to its commit, and from there to its reply.
    pub(crate) store: Law,
}

impl Style {
    /// Everything that can be made to go wrong, in three minutes.
    pub(crate) fn adversary(seed: u64) -> Self {
        let mut dice = Dice::of(seed, "style", 0);
        let mut style = Self::everyone_answers(seed);
        style.name = "adversary";
        style.crosses = *pick(&mut dice, &[0, 300_000, 1_000_000]);
        style.silent = *pick(&mut dice, &[0, 100_000]);
        style.vanish = *pick(&mut dice, &[0, 20_000, 300_000]);
        let often = |dice: &mut Dice, secs: &[u64]| {
            let secs = *pick(dice, secs);
            (secs > 0).then(|| Duration::from_secs(secs))
        };
        style.phone_dies = often(&mut dice, &[0, 10, 40]);
        style.crash = often(&mut dice, &[0, 0, 15, 60]);
        style.clock = often(&mut dice, &[0, 0, 0, 40]);
        style.hang = often(&mut dice, &[0, 0, 30]);
        style
    }

    /// Nothing breaks; the people called do what hurts most.
    pub(crate) fn everyone_answers(seed: u64) -> Self {
        let mut dice = Dice::of(seed, "people", 0);
        let ratio = 1_000 + u32::try_from(dice.below(5_000)).unwrap();
        let ratio = DialMode::Ratio(DialRatio::from_thousandths(ratio).unwrap());
        let mode = if dice.below(2) == 0 { DialMode::Predictive } else { ratio };
        let mut modes = Dice::of(seed, "modes", 0);
        let mode = if modes.below(6) == 0 { DialMode::Agentless } else { mode };
        let mode_changes = (modes.below(2) == 0).then(|| Duration::from_secs(4 + modes.below(25)));
        // A third of the worlds run over midnight.
        let before_midnight = Duration::from_secs(15 * 3_600 - dice.below(150));
        let begins = if dice.below(3) == 0 { T0 + before_midnight } else { T0 };
        Self {
            name: "everyone answers",
            agents: 1 + usize::try_from(dice.below(8)).unwrap(),
            people: 400,
            cap_ppm: *pick(&mut dice, &[0, 10_000, 30_000, 30_000, 100_000, 300_000]),
            mode,
            bound: AbandonBound::Instant,
            answered_before: *pick(&mut dice, &[0, 33, 34, 100, 400]),
            begins,
            lasts: Duration::from_secs(120),
            calls_per_second: u32::try_from(2 + dice.below(20)).unwrap(),
            wrap_up: Duration::from_secs(dice.below(5)),
            answers: *pick(&mut dice, &[200_000, 500_000, 1_000_000]),
            ring: Law::between(100, *pick(&mut dice, &[800, 9_000])),
            talk: Law::between(200, *pick(&mut dice, &[3_000, 20_000])),
            burst: (dice.below(2) == 0).then(|| Duration::from_millis(500 + dice.below(6_000))),
            against_uncovered: dice.below(3) == 0,
            message_lines: *pick(&mut modes, &[None, Some(3), Some(12)]),
            keys: *pick(&mut modes, &[0, 300_000]),
            crosses: 0,
            silent: 0,
            vanish: 0,
            phone_dies: None,
            crash: None,
            clock: None,
            hang: None,
            mode_changes,
            store: Law::between(0, *pick(&mut dice, &[1, 5, 60])),
        }
    }

    /// A day of fifty agents at 3 %, as a call centre has it, with what goes wrong in a bad one.
    pub(crate) fn day(seed: u64, lasts: Duration) -> Self {
        let ratio = DialMode::Ratio(DialRatio::from_thousandths(2_000).unwrap());
        let mode = if seed.is_multiple_of(2) { ratio } else { DialMode::Predictive };
        Self {
            name: "day",
            agents: 50,
            people: 40_000,
            cap_ppm: 30_000,
            mode,
            bound: AbandonBound::Instant,
            answered_before: 0,
            begins: T0,
            lasts,
            calls_per_second: 20,
            wrap_up: Duration::from_secs(20),
            answers: 250_000,
            ring: Law::Gamma { mean_ms: 10_000, cv: 0.5 },
            talk: Law::Lognormal { mean_ms: 150_000, cv: 1.0 },
            burst: None,
            against_uncovered: false,
            message_lines: None,
            keys: 0,
            crosses: 5_000,
            silent: 1_000,
            vanish: 0,
            phone_dies: Some(Duration::from_secs(600)),
            crash: (seed.is_multiple_of(2)).then(|| Duration::from_secs(5_400)),
            clock: None,
            hang: Some(Duration::from_secs(3_600)),
            mode_changes: None,
            store: Law::between(1, 5),
        }
    }
}

impl Style {
    /// The same world, in which a window may owe some calls. In half of the worlds that fades while they last.
    pub(crate) fn with_debt(self, seed: u64) -> Self {
        let mut dice = Dice::of(seed, "debt", 0);
        let limit = if dice.below(2) == 0 {
            let repaid_before = Duration::from_secs(3_600);
            DebtLimit { calls: 1 + u32::try_from(dice.below(6)).unwrap(), repaid_before }
        } else {
            // What is left of them in the last minutes falls call by call.
            let left = Duration::from_secs(15 * 3_600).saturating_sub(self.begins.since(T0));
            let fades = Duration::from_secs(60 + dice.below(400));
            DebtLimit { calls: 1_000, repaid_before: left.saturating_sub(fades) }
        };
        Self { bound: AbandonBound::Window(limit), ..self }
    }

    /// A day of fifty agents on which nothing breaks.
    pub(crate) fn quiet_day(seed: u64, lasts: Duration, mode: DialMode) -> Self {
        let (phone_dies, crash, hang) = (None, None, None);
        let (crosses, silent) = (0, 0);
        Self { mode, phone_dies, crash, hang, crosses, silent, ..Self::day(seed, lasts) }
    }
}

fn pick<'a, T>(dice: &mut Dice, from: &'a [T]) -> &'a T {
    &from[usize::try_from(dice.below(u64::try_from(from.len()).unwrap())).unwrap()]
}
