//! The people who are called: who answers at which hour and at which try, and how long everything takes.

use std::time::Duration;

use crate::simulation::dice::{Dice, Law};
use crate::simulation::rehearsal::times::Times;

/// Everybody on the list, as shares and distributions.
#[derive(Clone, Debug, PartialEq)]
pub struct People {
    /// Share of first calls that a person answers if it rings long enough, by hour of the clock: straight lines between
    /// these, level before the first and after the last one.
    pub answer: Vec<(f64, f64)>,
    /// What the share is multiplied by at the first call to a number, the second, ...; the last one holds on.
    pub by_call: Vec<f64>,
    /// Share of calls that a machine answers.
    pub machine: f64,
    /// Share of calls that meet a busy line.
    pub busy: f64,
    /// Share of numbers that do not exist.
    pub dead: f64,
    /// From the INVITE to the first ringing, or to busy and dead.
    pub post_dial: Times,
    /// From the first ringing to the answer.
    pub ring: Times,
    /// How long somebody stays who hears nobody.
    pub patience: Times,
    /// With a person.
    pub talk: Times,
    /// After it.
    pub wrap: Times,
    /// Until the agent has understood that it is a machine.
    pub machine_talk: Times,
    /// After it.
    pub machine_wrap: Times,
    /// How long a recorded message is, in agentless mode.
    pub message: Duration,
    /// Share of the persons who hang up before its end.
    pub message_cut: f64,
    /// Share who press a key of its menu, each key as likely.
    pub message_key: f64,
    /// What agents say after a talk with a person: weight and code.
    pub said: Vec<(u32, String)>,
    /// And after a machine.
    pub said_of_machine: Vec<(u32, String)>,
}

impl Default for People {
    /// The day on which pacing is compared (`outdial pace`, scenario n20), and a team's usual mix of busy and dead.
    fn default() -> Self {
        Self {
            answer: vec![(0.0, 0.25)],
            by_call: vec![1.0],
            machine: 0.0,
            busy: 0.05,
            dead: 0.08,
            post_dial: Times::Law(Law::Gamma { mean_ms: 2_500, cv: 0.4 }),
            ring: Times::Law(Law::Gamma { mean_ms: 10_000, cv: 0.5 }),
            // Lognormal with a median of 6 s and a sigma of 0.6.
            patience: Times::Law(Law::Lognormal { mean_ms: 7_183, cv: 0.658 }),
            talk: Times::Law(Law::Lognormal { mean_ms: 150_000, cv: 1.0 }),
            wrap: Times::Law(Law::Gamma { mean_ms: 20_000, cv: 0.7 }),
            machine_talk: Times::fixed(8_000),
            machine_wrap: Times::fixed(3_000),
            // Made up: no source was found that would hold for any campaign.
            message: Duration::from_secs(20),
            message_cut: 0.4,
            message_key: 0.05,
            said: vec![],
            said_of_machine: vec![],
        }
    }
}

/// What comes of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) post_dial: Duration,
    pub(super) end: FateEnd,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FateEnd {
    /// The number does not exist.
    Dead,
    Busy,
    /// It rings until we give up.
    Rings,
    Answers(Answer),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) ring: Duration,
    /// `None`: a machine has all the time.
    pub(super) patience: Option<Duration>,
    pub(super) talk: Duration,
    pub(super) wrap: Duration,
    pub(super) said: Option<String>,
    pub(super) listens: Listens,
}

/// What somebody does who hears a recorded message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listens {
    ToTheEnd,
    /// Hangs up at this thousandth of it.
    HangsUp(u32),
    /// Presses a key at this thousandth of it: which one, by any number.
    Presses(u32, u64),
}

impl People {
    /// The share of first calls that a person answers at this hour of the clock.
    #[must_use]
    pub fn answer_at(&self, hour: f64) -> f64 {
        let mut before: Option<(f64, f64)> = None;
        for (at, share) in &self.answer {
            if hour < *at {
                return before.map_or(*share, |(from, level)| {
                    level + (share - level) * (hour - from) / (at - from)
                });
            }
            before = Some((*at, *share));
        }
        before.map_or(0.0, |(_, share)| share)
    }

    /// What the share is multiplied by after so many earlier calls.
    #[must_use]
    pub fn factor(&self, earlier: u32) -> f64 {
        let turn = usize::try_from(earlier).unwrap_or(usize::MAX);
        self.by_call.get(turn).or_else(|| self.by_call.last()).copied().unwrap_or(1.0)
    }

    /// What comes of a call to `number` at `hour` of the clock, after so many `earlier` ones. Everything is drawn in one
    /// order and from dice of this very call, so that other settings meet the same person.
    pub(super) fn fate(&self, seed: u64, number: &str, earlier: u32, hour: f64) -> Fate {
        let dead = Dice::of(seed, number, 0).unit() < self.dead;
        let mut dice = Dice::of(seed, number, u64::from(earlier) + 1);
        let throw = dice.unit();
        let mut own = |turn| Dice::new(dice.next() ^ turn);
        let post_dial = self.post_dial.draw(&mut own(1));
        if dead {
            return Fate { post_dial, end: FateEnd::Dead };
        }
        // The shares are of all numbers; this one is not dead.
        let living = (1.0 - self.dead).max(1e-9);
        let person = self.answer_at(hour) * self.factor(earlier) / living;
        let machine = person + self.machine / living;
        let busy = machine + self.busy / living;
        if throw >= machine {
            let end = if throw < busy { FateEnd::Busy } else { FateEnd::Rings };
            return Fate { post_dial, end };
        }
        let ring = self.ring.draw(&mut own(2));
        let answer = if throw < person {
            Answer {
                ring,
                patience: Some(self.patience.draw(&mut own(3))),
                talk: self.talk.draw(&mut own(4)),
                wrap: self.wrap.draw(&mut own(5)),
                said: chosen(&self.said, &mut own(6)),
                listens: self.listens(&mut own(7)),
            }
        } else {
            Answer {
                ring,
                patience: None,
                talk: self.machine_talk.draw(&mut own(4)),
                wrap: self.machine_wrap.draw(&mut own(5)),
                said: chosen(&self.said_of_machine, &mut own(6)),
                listens: Listens::ToTheEnd,
            }
        };
        Fate { post_dial, end: FateEnd::Answers(answer) }
    }

    fn listens(&self, dice: &mut Dice) -> Listens {
        let throw = dice.unit();
        let at = u32::try_from(dice.below(1_000)).unwrap_or(0);
        if throw < self.message_cut {
            Listens::HangsUp(at)
        } else if throw < self.message_cut + self.message_key {
            Listens::Presses(at, dice.next())
        } else {
            Listens::ToTheEnd
        }
    }
}

fn chosen(weights: &[(u32, String)], dice: &mut Dice) -> Option<String> {
    let total: u64 = weights.iter().map(|(weight, _)| u64::from(*weight)).sum();
    let mut left = dice.below(total);
    for (weight, code) in weights {
        match left.checked_sub(u64::from(*weight)) {
            Some(rest) => left = rest,
            None => return Some(code.clone()),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_all_calls() {
        let people =
            People { answer: vec![(9.0, 0.2), (17.0, 0.4)], machine: 0.1, ..People::default() };
        let mut counts = [0_u32; 5];
        for n in 0..40_000 {
            let fate = people.fate(5, &format!("+8190{n:08}"), 0, 13.0);
            let place = match fate.end {
                FateEnd::Dead => 0,
                FateEnd::Busy => 1,
                FateEnd::Rings => 2,
                FateEnd::Answers(Answer { patience: None, .. }) => 3,
                FateEnd::Answers(_) => 4,
            };
            counts[place] += 1;
        }
        let shares = counts.map(|count| f64::from(count) / 40_000.0);
        for (share, expected) in shares.iter().zip([0.08, 0.05, 0.47, 0.1, 0.3]) {
            assert!((share - expected).abs() < 0.01, "{shares:?}");
        }
    }

    #[test]
    fn a_dead_number_stays_dead_and_others_answer_less_at_later_calls() {
        let people = People { by_call: vec![1.0, 0.5], ..People::default() };
        let answers = |earlier| {
            let numbers = (0..20_000).map(|n| format!("+8190{n:08}"));
            let answered = numbers.filter(|number| {
                matches!(people.fate(5, number, earlier, 10.0).end, FateEnd::Answers(_))
            });
            u32::try_from(answered.count()).unwrap()
        };
        let ratio = f64::from(answers(3)) / f64::from(answers(0));
        assert!((ratio - 0.5).abs() < 0.03, "{ratio}");
        let dead = |earlier| people.fate(1, "+819000000007", earlier, 10.0).end == FateEnd::Dead;
        assert_eq!(dead(0), dead(9));
    }
}
