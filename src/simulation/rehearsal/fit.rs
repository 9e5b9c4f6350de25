//! People and shifts from what a campaign has been through. A part for which there is too little stays absent, so that
//! a default can stand in and be named.

use std::collections::BTreeMap;

use crate::simulation::rehearsal::record::float;
use crate::simulation::rehearsal::staff::Presence;
use crate::simulation::rehearsal::times::Times;

/// One call that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct PastCall {
    /// The hour of the clock at which it began.
    pub hour: f64,
    /// Earlier calls of the lead.
    pub earlier: u32,
    /// How it ended.
    pub end: PastEnd,
    /// Until it rang, in milliseconds.
    pub post_dial: Option<u32>,
    /// From there to the answer.
    pub ring: Option<u32>,
    /// With the agent.
    pub talk: Option<u32>,
    /// The agent's word.
    pub said: Option<String>,
}

/// How a call ended, as far as the other side goes. Calls that the network lost are none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PastEnd {
    /// A person answered.
    Person,
    /// A machine answered.
    Machine,
    /// Busy.
    Busy,
    /// No such number.
    Dead,
    /// Nobody answered, or somebody declined.
    Rang,
}

/// A fitted part, and from how many observations.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit<T> {
    /// The part.
    pub value: T,
    /// Observations.
    pub from: u64,
}

/// What could be fitted; see [`People`](crate::simulation::rehearsal::people::People).
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields of People, each of which may be absent")]
pub struct Fitted {
    pub answer: Option<Fit<Vec<(f64, f64)>>>,
    pub by_call: Option<Fit<Vec<f64>>>,
    pub machine: Option<Fit<f64>>,
    pub busy: Option<Fit<f64>>,
    pub dead: Option<Fit<f64>>,
    pub post_dial: Option<Fit<Times>>,
    pub ring: Option<Fit<Times>>,
    pub talk: Option<Fit<Times>>,
    pub wrap: Option<Fit<Times>>,
    pub machine_talk: Option<Fit<Times>>,
    pub said: Option<Fit<Vec<(u32, String)>>>,
    pub said_of_machine: Option<Fit<Vec<(u32, String)>>>,
}

/// Fits the people to calls, and wrap-ups in milliseconds.
#[must_use]
pub fn fit(calls: &[PastCall], wraps: Vec<u32>) -> Fitted {
    let all = count(calls.iter());
    if all < LEAST {
        return Fitted::default();
    }
    let living = || calls.iter().filter(|call| call.end != PastEnd::Dead);
    let of = |end: PastEnd| count(calls.iter().filter(|call| call.end == end));
    let first = || calls.iter().filter(|call| call.earlier == 0);
    let firsts = count(first());
    // Numbers are dead or not: seen at the first call. Later ones go to those that are left.
    let dead = match firsts {
        0 => float(of(PastEnd::Dead)) / float(all),
        _ => float(count(first().filter(|call| call.end == PastEnd::Dead))) / float(firsts),
    };
    let alive = count(living());
    let share = |end: PastEnd| (1.0 - dead) * float(of(end)) / float(alive.max(1));
    let (hours, by_call) = answers(living());
    let some = |value: f64| Some(Fit { value, from: all });
    let times = |of: fn(&PastCall) -> Option<u32>| seen(calls.iter().filter_map(of).collect());
    let talks = |end: PastEnd| {
        seen(calls.iter().filter(|call| call.end == end).filter_map(|call| call.talk).collect())
    };
    Fitted {
        answer: Some(Fit {
            value: hours.into_iter().map(|(hour, share)| (hour, share * (1.0 - dead))).collect(),
            from: alive,
        }),
        by_call: Some(Fit { value: by_call, from: alive }),
        machine: some(share(PastEnd::Machine)),
        busy: some(share(PastEnd::Busy)),
        dead: Some(Fit { value: dead, from: firsts.max(1) }),
        post_dial: times(|call| call.post_dial),
        ring: times(|call| call.ring),
        talk: talks(PastEnd::Person),
        machine_talk: talks(PastEnd::Machine),
        wrap: seen(wraps),
        said: words(calls, PastEnd::Person),
        said_of_machine: words(calls, PastEnd::Machine),
    }
}

/// How often living numbers answer, by hour of the clock, times a factor by call (1 for the first): shares as a product of
/// the two, each fitted in turn until both stand still, and drawn towards the mean where little was seen.
fn answers<'a>(calls: impl Iterator<Item = &'a PastCall>) -> (Vec<(f64, f64)>, Vec<f64>) {
    // By hour and call: how many, and how many were answered.
    let mut cells: BTreeMap<(u32, usize), (f64, f64)> = BTreeMap::new();
    for call in calls {
        let hour = (0..24).rev().find(|hour| f64::from(*hour) <= call.hour).unwrap_or(0);
        let turn = usize::try_from(call.earlier).unwrap_or(usize::MAX).min(MOST_TURNS - 1);
        let cell = cells.entry((hour, turn)).or_default();
        cell.0 += 1.0;
        cell.1 += f64::from(u8::from(call.end == PastEnd::Person));
    }
    let (calls, persons) =
        cells.values().fold((0.0, 0.0), |sum, cell| (sum.0 + cell.0, sum.1 + cell.1));
    let mean = persons / f64::max(calls, 1.0);
    let mut hours: BTreeMap<u32, f64> = cells.keys().map(|(hour, _)| (*hour, mean)).collect();
    let turns = cells.keys().map(|(_, turn)| *turn).max().unwrap_or(0);
    let mut factors = vec![1.0; turns + 1];
    for _ in 0..ROUNDS {
        for (hour, level) in &mut hours {
            let of_hour = cells.iter().filter(|((of, _), _)| of == hour);
            let (seen, expected) =
                of_hour.fold((0.0, 0.0), |(seen, expected), ((_, turn), cell)| {
                    (seen + cell.1, expected + cell.0 * factors.get(*turn).copied().unwrap_or(1.0))
                });
            *level = (seen + HOUR_PRIOR * mean) / (expected + HOUR_PRIOR);
        }
        for (turn, factor) in factors.iter_mut().enumerate() {
            let of_turn = cells.iter().filter(|((_, of), _)| *of == turn);
            let (seen, expected) =
                of_turn.fold((0.0, 0.0), |(seen, expected), ((hour, _), cell)| {
                    (seen + cell.1, expected + cell.0 * hours.get(hour).copied().unwrap_or(mean))
                });
            *factor = (seen + TURN_PRIOR) / (expected + TURN_PRIOR);
        }
        let first = factors.first().copied().unwrap_or(1.0);
        factors.iter_mut().for_each(|factor| *factor /= first);
        hours.values_mut().for_each(|level| *level *= first);
    }
    (hours.into_iter().map(|(hour, level)| (f64::from(hour) + 0.5, level)).collect(), factors)
}

fn seen(sample: Vec<u32>) -> Option<Fit<Times>> {
    let from = u64::try_from(sample.len()).ok().filter(|from| *from >= LEAST)?;
    Some(Fit { value: Times::seen(sample)?, from })
}

fn words(calls: &[PastCall], end: PastEnd) -> Option<Fit<Vec<(u32, String)>>> {
    let mut weights: BTreeMap<&str, u32> = BTreeMap::new();
    for word in calls.iter().filter(|call| call.end == end).filter_map(|call| call.said.as_deref())
    {
        *weights.entry(word).or_default() += 1;
    }
    let from: u64 = weights.values().map(|weight| u64::from(*weight)).sum();
    let value = weights.into_iter().map(|(word, weight)| (weight, word.to_owned())).collect();
    (from >= LEAST).then_some(Fit { value, from })
}

/// What an agent was seen to do: from this millisecond of the day until that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtWork {
    /// The agent.
    pub agent: i64,
    /// The day, counted from any.
    pub day: i64,
    /// Milliseconds since midnight.
    pub from: u64,
    /// Likewise.
    pub until: u64,
}

/// The shifts of the last days on which anybody worked, in milliseconds since midnight, newest day first. Times at work that
/// follow each other within a second are one.
#[must_use]
pub fn shifts(spans: &[AtWork]) -> Vec<Vec<Presence>> {
    let mut days: BTreeMap<i64, BTreeMap<i64, Vec<(u64, u64)>>> = BTreeMap::new();
    for span in spans.iter().filter(|span| span.from < span.until) {
        let of_agent = days.entry(span.day).or_default().entry(span.agent).or_default();
        match of_agent.last_mut().filter(|(_, until)| span.from <= *until + 1_000) {
            Some((_, until)) => *until = (*until).max(span.until),
            None => of_agent.push((span.from, span.until)),
        }
    }
    let presence = |spans: Vec<(u64, u64)>| {
        let (from, until) = (spans.first()?.0, spans.last()?.1);
        let rests = spans.windows(2).filter_map(|pair| match pair {
            [(_, ends), (begins, _)] => Some((*ends, begins.saturating_sub(*ends))),
            _ => None,
        });
        // Who was there for a moment has tried the telephone.
        (until - from >= SHORTEST_SHIFT).then(|| Presence { from, rests: rests.collect(), until })
    };
    let shifts = days
        .into_values()
        .rev()
        .map(|agents| agents.into_values().filter_map(presence).collect::<Vec<_>>());
    shifts.filter(|shift| !shift.is_empty()).take(MOST_DAYS).collect()
}

fn count<'a>(calls: impl Iterator<Item = &'a PastCall>) -> u64 {
    u64::try_from(calls.count()).unwrap_or(u64::MAX)
}

/// Fewer observations say less than a default.
const LEAST: u64 = 30;
/// Calls that pull an hour towards the mean, and answers that pull a factor towards 1.
const HOUR_PRIOR: f64 = 50.0;
const TURN_PRIOR: f64 = 5.0;
/// Later calls count as this one.
const MOST_TURNS: usize = 8;
const ROUNDS: u32 = 20;
/// Milliseconds.
const SHORTEST_SHIFT: u64 = 600_000;
const MOST_DAYS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::dice::Dice;
    use crate::simulation::rehearsal::people::{FateEnd, People};

    /// Calls as these people take them: four to each number, at hours from 9 to 18.
    fn made_up(people: &People, numbers: u32) -> Vec<PastCall> {
        let mut dice = Dice::new(9);
        let millis = |time: std::time::Duration| u32::try_from(time.as_millis()).unwrap();
        let mut calls = vec![];
        for n in 0..numbers {
            for earlier in 0..4 {
                let hour = 9.0 + 9.0 * dice.unit();
                let fate = people.fate(11, &format!("+8190{n:08}"), earlier, hour);
                let (end, answer) = match fate.end {
                    FateEnd::Dead => (PastEnd::Dead, None),
                    FateEnd::Busy => (PastEnd::Busy, None),
                    FateEnd::Rings => (PastEnd::Rang, None),
                    FateEnd::Answers(answer) if answer.patience.is_some() => {
                        (PastEnd::Person, Some(answer))
                    }
                    FateEnd::Answers(answer) => (PastEnd::Machine, Some(answer)),
                };
                let dead = end == PastEnd::Dead;
                calls.push(PastCall {
                    hour,
                    earlier,
                    end,
                    post_dial: Some(millis(fate.post_dial)),
                    ring: answer.as_ref().map(|answer| millis(answer.ring)),
                    talk: answer.as_ref().map(|answer| millis(answer.talk)),
                    said: answer.and_then(|answer| answer.said),
                });
                if dead {
                    break;
                }
            }
        }
        calls
    }

    #[test]
    fn the_people_of_a_made_up_history_are_found_again() {
        let people = People {
            answer: vec![(9.0, 0.15), (18.0, 0.35)],
            by_call: vec![1.0, 0.8, 0.6],
            machine: 0.12,
            said: vec![(3, "NO".to_owned()), (1, "SALE".to_owned())],
            ..People::default()
        };
        let calls = made_up(&people, 20_000);
        let wraps = vec![20_000; 40];
        let fitted = fit(&calls, wraps);
        let close = |value: f64, expected: f64, by: f64, what: &str| {
            assert!((value - expected).abs() < by, "{what}: {value}, not {expected}");
        };
        for (hour, share) in fitted.answer.unwrap().value {
            close(share, people.answer_at(hour), 0.02, &format!("at {hour}"));
        }
        for (factor, expected) in fitted.by_call.unwrap().value.iter().zip([1.0, 0.8, 0.6, 0.6]) {
            close(*factor, expected, 0.04, "factor");
        }
        close(fitted.dead.unwrap().value, 0.08, 0.01, "dead");
        close(fitted.machine.unwrap().value, 0.12, 0.01, "machine");
        close(fitted.busy.unwrap().value, 0.05, 0.01, "busy");
        close(fitted.talk.unwrap().value.mean(), 150.0, 7.0, "talk");
        close(fitted.ring.unwrap().value.mean(), 10.0, 0.3, "ring");
        close(fitted.post_dial.unwrap().value.mean(), 2.5, 0.1, "post-dial delay");
        close(fitted.wrap.unwrap().value.mean(), 20.0, 0.001, "wrap-up");
        let said = fitted.said.unwrap().value;
        close(f64::from(said[0].0) / f64::from(said[1].0), 3.0, 0.2, "words");
    }

    #[test]
    fn a_handful_of_calls_is_no_history() {
        let calls = made_up(&People::default(), 3);
        assert_eq!(fit(&calls, vec![1_000; 20]), Fitted::default());
    }

    #[test]
    fn a_shift_is_what_lies_between_log_in_and_log_out() {
        let span = |agent, from, until| AtWork { agent, day: 5, from, until };
        let minute = 60_000;
        let spans = [
            span(1, 540 * minute, 600 * minute),
            span(1, 600 * minute, 610 * minute),
            span(1, 640 * minute, 700 * minute),
            span(2, 541 * minute, 542 * minute),
            AtWork { day: 6, ..span(2, 545 * minute, 600 * minute) },
        ];
        let days = shifts(&spans);
        assert_eq!(
            days,
            [
                vec![Presence { from: 545 * minute, rests: vec![], until: 600 * minute }],
                vec![Presence {
                    from: 540 * minute,
                    rests: vec![(610 * minute, 30 * minute)],
                    until: 700 * minute
                }],
            ]
        );
    }
}
