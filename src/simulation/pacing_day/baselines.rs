//! Other ways to pace, for comparison.

use crate::logic::pacing::predictive::{AgentStage, Happened, Moment, Predictor};
use crate::simulation::pacing_day::Pacer;

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
