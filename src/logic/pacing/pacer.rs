//! The predictive engine as a campaign holds it: asked in whole numbers, so that a journal of what it was asked can be
//! asked again, on any machine, to the same answer.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::logic::pacing::predictive::memory::Unreadable;
use crate::logic::pacing::predictive::{
    AgentNow, AgentStage, CallNow, CallStage, Decision, Happened, HeldBy, Moment, Odds, Predictor,
    Seen,
};

/// The engine, and the window whose balance it knows.
#[derive(Debug)]
pub struct Pacer {
    engine: Predictor,
    cap_ppm: u32,
    window: Option<i64>,
}

/// One moment: ids, ages and counts, no person. Times are microseconds of the process's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scene {
    /// Now.
    pub at: u64,
    /// Milliseconds to the end of the compliance window.
    pub window_left_ms: u64,
    /// What the window holds, where that is known.
    pub window: Option<WindowNow>,
    /// Calls that may be under way together.
    pub most_lines: u64,
    /// Calls without an agent of their own that the ledger still admits.
    pub spare: u64,
    /// Everybody logged in, by id.
    pub agents: BTreeMap<i64, AgentSince>,
    /// Every call that has no agent yet, by id.
    pub calls: BTreeMap<u64, CallSince>,
    /// How likely the leads that would be called next are to answer, in order; missing ones are as usual.
    pub next: Vec<OddsNow>,
    /// What happened since the moment before, and when.
    pub seen: Vec<(u64, Fact)>,
}

/// A window of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowNow {
    /// Its start.
    pub starts_ms: i64,
    /// Live answers.
    pub answered: u64,
    /// Of these, abandoned.
    pub abandoned: u64,
}

/// What an agent does, since when, and whether he goes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSince(pub AgentStage, pub u64, pub bool);

/// How far a call is, when it was started, since when it is so far, and how likely it is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallSince(pub CallStage, pub u64, pub u64, pub OddsNow);

/// How much likelier than usual a lead is to answer: its odds against the usual ones, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OddsNow(u32);

impl OddsNow {
    /// As usual.
    pub const EVEN: Self = Self(1_000);

    /// So many times the usual odds, between a thousandth and a thousand.
    #[must_use]
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped before"
    )]
    pub fn of(times: f64) -> Self {
        if times.is_nan() {
            return Self::EVEN;
        }
        Self((times * 1e3).round().clamp(1.0, 1e6) as u32)
    }

    fn times(self) -> f64 {
        f64::from(self.0) / 1e3
    }
}

/// What happened, as [`Happened`], with lengths in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// See [`Happened::Ringback`].
    Ringback(u64),
    /// See [`Happened::Answered`].
    Answered(u64),
    /// See [`Happened::Live`].
    Live(u64),
    /// See [`Happened::Refused`].
    Refused(u64),
    /// See [`Happened::NoAnswer`].
    NoAnswer(u64),
    /// See [`Happened::Cancelled`].
    Cancelled(u64),
    /// See [`Happened::Connected`].
    Connected(u64),
    /// See [`Happened::Abandoned`].
    Abandoned(u64),
    /// See [`Happened::TalkEnded`].
    TalkEnded(u64, bool),
    /// See [`Happened::WrapEnded`].
    WrapEnded(u64),
}

/// What the engine says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Said {
    /// Calls to start.
    pub launch: u64,
    /// Agents who wait.
    pub idle: u64,
    /// Calls under way before.
    pub lines: u64,
    /// What holds back more.
    pub held_by: &'static str,
    /// Too few agents for prediction to help.
    pub small_team: bool,
    /// Chance that a new call is answered by a person.
    pub answer: f64,
    /// Times as likely as usual.
    pub level: f64,
    /// The risk that a call may carry.
    pub allowed: f64,
    /// The risk of one more call after these.
    pub risk: f64,
    /// Calls that may still be lost.
    pub credit: f64,
}

impl Pacer {
    /// Without knowledge, for an abandonment cap in parts per million.
    #[must_use]
    pub fn new(cap_ppm: u32) -> Self {
        Self { engine: Predictor::new(share(cap_ppm)), cap_ppm, window: None }
    }

    /// With what an earlier one had learned, in the window (by its start) whose balance that knew.
    ///
    /// # Errors
    /// The text cannot be used.
    pub fn recall(cap_ppm: u32, learned: &str, window: Option<i64>) -> Result<Self, Unreadable> {
        Ok(Self { engine: Predictor::recall(share(cap_ppm), learned)?, cap_ppm, window })
    }

    /// What it has learned, as text.
    #[must_use]
    pub fn remember(&self) -> String {
        self.engine.remember()
    }

    /// The cap in parts per million.
    #[must_use]
    pub const fn cap_ppm(&self) -> u32 {
        self.cap_ppm
    }

    /// The window whose balance it knows.
    #[must_use]
    pub const fn window(&self) -> Option<i64> {
        self.window
    }

    /// Learns from a moment, and says how many calls to start.
    pub fn ask(&mut self, scene: &Scene) -> Said {
        if let Some(window) = scene.window.filter(|it| self.window != Some(it.starts_ms)) {
            self.window = Some(window.starts_ms);
            self.engine.open_window(window.answered, window.abandoned);
        }
        let age = |since: u64| seconds(scene.at.saturating_sub(since));
        let agents: Vec<AgentNow> = scene
            .agents
            .values()
            .map(|AgentSince(stage, since, leaving)| AgentNow {
                stage: *stage,
                age: age(*since),
                leaving: *leaving,
            })
            .collect();
        let calls: Vec<CallNow> = scene
            .calls
            .iter()
            .map(|(id, CallSince(stage, begun, since, _))| CallNow {
                id: *id,
                stage: *stage,
                age: age(*begun),
                stage_age: age(*since),
            })
            .collect();
        let events: Vec<Seen> = scene
            .seen
            .iter()
            .map(|(at, fact)| Seen { at: seconds(*at), what: fact.happened() })
            .collect();
        let (spare, most_lines) = (size(scene.spare), size(scene.most_lines));
        let free = agents.iter().filter(|a| a.stage == AgentStage::Idle && !a.leaving).count();
        let odds: Vec<f64> = scene.calls.values().map(|call| call.3.times()).collect();
        let next: Vec<f64> = scene.next.iter().map(|odds| odds.times()).collect();
        let moment = Moment {
            at: seconds(scene.at),
            agents: &agents,
            calls: &calls,
            events: &events,
            window_left: Duration::from_millis(scene.window_left_ms).as_secs_f64(),
            most_lines,
            most_uncovered: calls.len().saturating_sub(free).saturating_add(spare),
        };
        let decision = self.engine.decide_with(&moment, &Odds { calls: &odds, next: &next });
        let staffed = agents.iter().filter(|agent| agent.stage != AgentStage::Paused).count();
        said(decision, (1..SMALL_TEAM).contains(&staffed), spare)
    }
}

impl Fact {
    fn happened(self) -> Happened {
        match self {
            Self::Ringback(call) => Happened::Ringback(call),
            Self::Answered(call) => Happened::Answered(call),
            Self::Live(call) => Happened::Live(call),
            Self::Refused(call) => Happened::Refused(call),
            Self::NoAnswer(call) => Happened::NoAnswer(call),
            Self::Cancelled(call) => Happened::Cancelled(call),
            Self::Connected(call) => Happened::Connected(call),
            Self::Abandoned(call) => Happened::Abandoned(call),
            Self::TalkEnded(after, machine) => {
                Happened::TalkEnded { after: seconds(after), machine }
            }
            Self::WrapEnded(after) => Happened::WrapEnded { after: seconds(after) },
        }
    }
}

fn said(decision: Decision, small_team: bool, spare: usize) -> Said {
    let mut launch = decision.launch;
    let held_by = if small_team {
        // Alone, nobody else becomes free in time: one line for the agent, one more while credit bears its loss.
        let more = usize::from(decision.credit >= 1.0 && spare > 0 && decision.idle > 0);
        let most = decision.idle.saturating_add(more).saturating_sub(decision.lines);
        launch = launch.min(most);
        "small_team"
    } else {
        match decision.held_by {
            // To whoever waits it is the same credit: what may still be lost.
            HeldBy::Ledger => HeldBy::Credit.as_str(),
            HeldBy::Agents
            | HeldBy::Risk
            | HeldBy::Credit
            | HeldBy::Carrier
            | HeldBy::ColdStart
            | HeldBy::Lines
            | HeldBy::Doubt => decision.held_by.as_str(),
        }
    };
    Said {
        launch: count(launch),
        idle: count(decision.idle),
        lines: count(decision.lines),
        held_by,
        small_team,
        answer: decision.answer,
        level: decision.level,
        allowed: decision.allowed,
        risk: decision.risk,
        credit: decision.credit,
    }
}

fn share(cap_ppm: u32) -> f64 {
    f64::from(cap_ppm) / 1e6
}

fn seconds(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64()
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// From so many agents on prediction helps.
const SMALL_TEAM: usize = 2;
