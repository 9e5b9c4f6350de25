//! Other ways to pace, for comparison.

use std::time::Duration;

use crate::logic::compliance::abandon_debt::{debt, owed};
use crate::logic::compliance::abandon_ledger::allowance;
use crate::logic::compliance::abandon_window::WindowBounds;
use crate::logic::pacing::answer_model::AnswerModel;
use crate::logic::pacing::predictive::{AgentStage, Happened, Moment, Odds, Predictor};
use crate::logic::settings::AbandonBound;
use crate::logic::time::UtcMs;
use crate::simulation::pacing_day::Pacer;
use crate::simulation::pacing_day::leads::Lead;

/// So many lines per idle agent; 1 is progressive.
#[derive(Clone, Copy, Debug)]
pub struct Ratio(pub f64);

impl Pacer for Ratio {
    fn launch(&mut self, moment: &Moment<'_>) -> usize {
        let idle = free(moment);
        whole(self.0 * f64::from(u32::try_from(idle).unwrap_or(u32::MAX)))
            .saturating_sub(moment.calls.len())
    }
}

impl Pacer for Predictor {
    fn launch(&mut self, moment: &Moment<'_>) -> usize {
        self.decide(moment).launch
    }
}

/// Prediction with chances of each lead: what a model learns of them while it paces.
#[derive(Clone, Debug)]
pub struct Knowing {
    /// Decides.
    pub engine: Predictor,
    /// Learns, unless the truth is `told`.
    pub model: AnswerModel,
    /// Each lead's true odds are known: no model can do better.
    pub told: bool,
}

impl Pacer for Knowing {
    fn launch(&mut self, moment: &Moment<'_>) -> usize {
        self.engine.decide(moment).launch
    }

    fn launch_with(&mut self, moment: &Moment<'_>, odds: &Odds<'_>) -> usize {
        self.engine.decide_with(moment, odds).launch
    }

    fn odds(&mut self, lead: &Lead) -> f64 {
        if self.told { lead.odds } else { self.model.odds(&lead.known) }
    }

    fn learn(&mut self, lead: &Lead, answered: bool) {
        self.model.learn(&lead.known, answered);
    }
}

/// A pacer within the abandonment ledger: so few calls without an agent of their own that all of them might be answered
/// and lost without breaking the bound. The window is the day.
#[derive(Clone, Debug)]
pub struct Admitted<P> {
    /// Who chooses within the bound.
    pub pacer: P,
    /// The cap in millionths.
    pub cap_ppm: u32,
    /// What the window may owe.
    pub bound: AbandonBound,
    answered: u64,
    abandoned: u64,
    /// The most that was ever owed, in whole calls.
    pub most_owed: u64,
}

impl<P> Admitted<P> {
    /// Within a cap of so many millionths.
    #[must_use]
    pub const fn new(pacer: P, cap_ppm: u32, bound: AbandonBound) -> Self {
        Self { pacer, cap_ppm, bound, answered: 0, abandoned: 0, most_owed: 0 }
    }

    fn spare(&mut self, moment: &Moment<'_>) -> usize {
        let (cap, answered, abandoned) = (self.cap_ppm, self.answered, self.abandoned);
        self.most_owed = self.most_owed.max(owed(cap, answered, abandoned));
        let ends = millis(moment.at + moment.window_left);
        let debt = debt(self.bound, WindowBounds { starts: UtcMs(0), ends }, millis(moment.at));
        usize::try_from(allowance(cap, answered, abandoned, debt)).unwrap_or(usize::MAX)
    }
}

impl<P: Pacer> Pacer for Admitted<P> {
    fn launch(&mut self, moment: &Moment<'_>) -> usize {
        for seen in moment.events {
            match seen.what {
                Happened::Abandoned(_) => {
                    self.answered += 1;
                    self.abandoned += 1;
                }
                Happened::TalkEnded { machine: false, .. } => self.answered += 1,
                Happened::TalkEnded { machine: true, .. }
                | Happened::Connected(_)
                | Happened::Ringback(_)
                | Happened::Answered(_)
                | Happened::Live(_)
                | Happened::Machine(_)
                | Happened::Refused(_)
                | Happened::NoAnswer(_)
                | Happened::Cancelled(_)
                | Happened::WrapEnded { .. } => {}
            }
        }
        let most_uncovered = self.spare(moment);
        self.pacer.launch(&Moment { most_uncovered, ..*moment })
    }
}

/// The dial level that the widely used open dialer adapts, with its hard limit: every 15 s the level follows the
/// difference between waiting agents and waiting calls; once the drops of the day are over 3 % it is 1.
#[derive(Clone, Debug)]
pub struct AdaptiveLevel {
    level: f64,
    most: f64,
    difference: f64,
    samples: f64,
    adapted: f64,
    dialed: f64,
    live: f64,
    lost: f64,
    dropping: bool,
}

impl AdaptiveLevel {
    /// Levels up to `most`.
    #[must_use]
    pub const fn new(most: f64) -> Self {
        Self {
            level: 1.0,
            most,
            difference: 0.0,
            samples: 0.0,
            adapted: 0.0,
            dialed: -10.0,
            live: 0.0,
            lost: 0.0,
            dropping: false,
        }
    }
}

impl Pacer for AdaptiveLevel {
    fn launch(&mut self, moment: &Moment<'_>) -> usize {
        for seen in moment.events {
            match seen.what {
                Happened::Connected(_) => self.live += 1.0,
                Happened::Abandoned(_) => {
                    self.live += 1.0;
                    self.lost += 1.0;
                }
                Happened::Ringback(_)
                | Happened::Answered(_)
                | Happened::Live(_)
                | Happened::Machine(_)
                | Happened::Refused(_)
                | Happened::NoAnswer(_)
                | Happened::Cancelled(_)
                | Happened::TalkEnded { .. }
                | Happened::WrapEnded { .. } => {}
            }
        }
        let idle = float(free(moment));
        let talking =
            moment.agents.iter().filter(|agent| agent.stage == AgentStage::Talking).count();
        self.difference += idle;
        self.samples += 1.0;
        let working = idle + float(talking);
        if moment.at - self.adapted >= 15.0 {
            let staffed =
                moment.agents.iter().filter(|agent| agent.stage != AgentStage::Paused).count();
            let difference = self.difference / self.samples;
            self.level =
                (self.level * (1.0 + difference / float(staffed).max(1.0))).clamp(1.0, self.most);
            (self.difference, self.samples, self.adapted) = (0.0, 0.0, moment.at);
            self.dropping = self.live >= 50.0 && self.lost > 0.03 * self.live;
            if self.dropping {
                self.level = 1.0;
            }
        }
        if moment.at - self.dialed < 2.5 {
            return 0;
        }
        self.dialed = moment.at;
        whole((self.level * working).round()).saturating_sub(moment.calls.len() + talking)
    }
}

fn free(moment: &Moment<'_>) -> usize {
    moment.agents.iter().filter(|agent| agent.stage == AgentStage::Idle && !agent.leaving).count()
}

/// Seconds of the day as a moment of the ledger.
fn millis(seconds: f64) -> UtcMs {
    UtcMs(0) + Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small counts"
)]
fn whole(value: f64) -> usize {
    value.max(0.0) as usize
}
