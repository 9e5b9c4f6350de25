//! The days on which pacing is compared: teams, people and carriers as they are met in practice.

use crate::simulation::dice::{Dice, Law};

/// One kind of day.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name in the tables.
    pub name: &'static str,
    /// Agents on the roster.
    pub agents: usize,
    /// Length in seconds.
    pub seconds: u32,
    /// Share of launched calls that a person would answer, given enough ringing: straight lines between these
    /// (second, share), the first and the last one level.
    pub answer: Vec<(f64, f64)>,
    /// Share that a machine would answer.
    pub machine: f64,
    /// Seconds from the first ringback until we give up.
    pub ring_limit: f64,
    /// Launch to ringback.
    pub post_dial: Law,
    /// Talks: share and law; the shares sum up to 1.
    pub talk: Vec<(f64, Law)>,
    /// From these seconds on talks are so many times as long.
    pub talk_times: Vec<(f64, f64)>,
    /// Wrap-up.
    pub wrap: Law,
    /// Median and sigma of the lognormal patience of somebody who hears nothing, in seconds.
    pub patience: (f64, f64),
    /// Answering-machine detection, if there is any.
    pub detection: Option<Detection>,
    /// Whether agents come, go and rest; else all are there all day.
    pub breaks: bool,
    /// Whether leads differ in ways that can be known before the call.
    pub leads_differ: bool,
    /// The carrier refuses everything: from, for so many seconds.
    pub outages: Vec<(f64, f64)>,
}

/// Answering-machine detection.
#[derive(Clone, Copy, Debug)]
pub struct Detection {
    /// Until a person is known.
    pub person: Law,
    /// Until a machine is known.
    pub machine: Law,
    /// Persons taken for machines.
    pub false_positive: f64,
    /// Machines taken for persons.
    pub false_negative: f64,
}

impl Scenario {
    fn new(name: &'static str, agents: usize) -> Self {
        Self {
            name,
            agents,
            seconds: 8 * HOUR_S,
            answer: vec![(0.0, 0.25)],
            machine: 0.0,
            ring_limit: 22.0,
            post_dial: gamma(2_500, 0.4),
            talk: vec![(1.0, lognormal(150_000, 1.0))],
            talk_times: Vec::new(),
            wrap: gamma(20_000, 0.7),
            patience: (6.0, 0.6),
            detection: None,
            breaks: false,
            leads_differ: false,
            outages: Vec::new(),
        }
    }

    /// Share of calls launched at this second that a person would answer.
    #[must_use]
    pub fn answer_at(&self, second: f64) -> f64 {
        let mut before: Option<(f64, f64)> = None;
        for (at, share) in &self.answer {
            if second < *at {
                return before.map_or(*share, |(from, start)| {
                    start + (share - start) * (second - from) / (at - from)
                });
            }
            before = Some((*at, *share));
        }
        before.map_or(0.0, |(_, share)| share)
    }

    /// How long one talk that begins now is, in seconds.
    #[must_use]
    pub fn talk_at(&self, second: f64, dice: &mut Dice) -> f64 {
        let mut left = dice.unit();
        let law = self.talk.iter().find(|(share, _)| {
            left -= share;
            left < 0.0
        });
        let drawn =
            law.or_else(|| self.talk.last()).map_or(0.0, |(_, law)| law.draw(dice).as_secs_f64());
        let times = self.talk_times.iter().rev().find(|(from, _)| *from <= second);
        drawn * times.map_or(1.0, |(_, times)| *times)
    }

    /// Whether the carrier refuses everything now.
    #[must_use]
    pub fn is_out(&self, second: f64) -> bool {
        self.outages.iter().any(|(from, long)| (*from..from + long).contains(&second))
    }
}

/// A plain day of a team of this size; its leads may differ in ways that can be known before the call.
#[must_use]
pub fn plain(agents: usize, seconds: u32, leads_differ: bool) -> Scenario {
    Scenario { seconds, leads_differ, ..Scenario::new("plain", agents) }
}

/// All of them.
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    let plain = |name, agents| Scenario::new(name, agents);
    vec![
        plain("tiny2", 2),
        plain("small5", 5),
        plain("n10", 10),
        plain("n20", 20),
        plain("n50", 50),
        plain("n100", 100),
        Scenario { seconds: 4 * HOUR_S, ..plain("n500", 500) },
        Scenario { answer: vec![(0.0, 0.08)], ..plain("lowans", 20) },
        Scenario { answer: vec![(0.0, 0.5)], ..plain("hians", 20) },
        Scenario {
            answer: hours(&[
                (0.0, 0.12),
                (1.5, 0.22),
                (3.0, 0.15),
                (5.0, 0.20),
                (7.0, 0.35),
                (8.0, 0.30),
            ]),
            ..plain("drift", 30)
        },
        Scenario {
            answer: steps(&[(0.0, 0.15), (2.0, 0.45), (4.0, 0.15), (6.0, 0.45)]),
            ..plain("shock", 50)
        },
        Scenario {
            answer: steps(&[(0.0, 0.15), (2.0, 0.45), (4.0, 0.15), (6.0, 0.45)]),
            ..plain("shock5", 5)
        },
        Scenario {
            seconds: 4 * HOUR_S,
            answer: steps(&[(0.0, 0.15), (1.0, 0.45), (2.0, 0.15), (3.0, 0.45)]),
            ..plain("shock300", 300)
        },
        Scenario { breaks: true, ..plain("breaks", 40) },
        Scenario {
            talk: vec![(0.65, lognormal(20_000, 0.6)), (0.35, lognormal(380_000, 0.5))],
            ..plain("bimodal", 20)
        },
        Scenario { post_dial: gamma(8_000, 0.35), ..plain("slowpdd", 30) },
        Scenario {
            answer: vec![(0.0, 0.15)],
            machine: 0.45,
            ring_limit: 26.0,
            detection: Some(Detection {
                person: gamma(900, 0.35),
                machine: gamma(2_200, 0.35),
                false_positive: 0.02,
                false_negative: 0.05,
            }),
            ..plain("amd", 30)
        },
        Scenario { answer: vec![(0.0, 0.2)], machine: 0.15, ..plain("noamd", 30) },
        Scenario { patience: (1.8, 0.5), ..plain("impatient", 20) },
        Scenario {
            talk: vec![(1.0, lognormal(40_000, 0.9))],
            wrap: gamma(5_000, 0.7),
            ..plain("short", 25)
        },
        Scenario {
            talk: vec![(1.0, lognormal(600_000, 0.8))],
            wrap: gamma(60_000, 0.7),
            ..plain("long", 25)
        },
        Scenario {
            breaks: true,
            talk: vec![(0.6, lognormal(25_000, 0.6)), (0.4, lognormal(300_000, 0.6))],
            post_dial: gamma(5_000, 0.4),
            answer: steps(&[(0.0, 0.2), (2.5, 0.4), (3.5, 0.15), (6.0, 0.45)]),
            outages: vec![(1.5 * HOUR, 300.0), (5.0 * HOUR, 420.0)],
            ..plain("storm", 60)
        },
        Scenario {
            talk_times: vec![(3.0 * HOUR, 0.5), (6.0 * HOUR, 1.0)],
            ..plain("talkshift", 20)
        },
    ]
}

const fn gamma(mean_ms: u32, cv: f64) -> Law {
    Law::Gamma { mean_ms, cv }
}

const fn lognormal(mean_ms: u32, cv: f64) -> Law {
    Law::Lognormal { mean_ms, cv }
}

/// Straight lines between shares at these hours.
fn hours(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    points.iter().map(|(hour, share)| (hour * HOUR, *share)).collect()
}

/// A share from each of these hours on.
fn steps(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut lines = Vec::new();
    let mut before = None;
    for (hour, share) in points {
        if let Some(level) = before {
            lines.push((hour * HOUR - 1e-3, level));
        }
        lines.push((hour * HOUR, *share));
        before = Some(*share);
    }
    lines
}

const HOUR_S: u32 = 3_600;
const HOUR: f64 = 3_600.0;
