//! Predictive pacing: how many calls to start now, although some will find no agent of their own free yet.
//!
//! One more call is started while the chance that it would find nobody, if it is answered, stays within a threshold.
//! [`life_table`] knows how long dialing, ringing, talks and wrap-up last, [`answer_level`] how likely people answer
//! now, [`look_ahead`] turns both into chances by time, [`chance`] into the risk, [`threshold`] says how much of it is
//! allowed, and [`breaker`] stops the flood when the carrier fails. None of them can break the abandonment cap by being
//! wrong: the ledger admits calls, prediction only chooses among what is admitted.
//!
//! Times are in seconds from any fixed start. No clock, no dice: the same input gives the same decision on every machine
//! (`exp`, `log` and `erfc` come from `libm`, not from the platform).

pub mod answer_level;
pub mod breaker;
pub mod chance;
pub mod life_table;
pub mod look_ahead;
pub mod memory;
pub mod threshold;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::logic::pacing::predictive::answer_level::AnswerLevel;
use crate::logic::pacing::predictive::breaker::Breaker;
use crate::logic::pacing::predictive::chance::Count;
use crate::logic::pacing::predictive::life_table::{Bins, Law, LifeTable, Prior};
use crate::logic::pacing::predictive::look_ahead::{AgentOutlook, CallOutlook, Curve, HORIZON};
use crate::logic::pacing::predictive::threshold::{Threshold, WindowLeft};

/// What a campaign has learned, and the balance of its window.
#[derive(Clone, Debug)]
pub struct Predictor {
    dial: LifeTable,
    ring: LifeTable,
    talk: LifeTable,
    wrap: LifeTable,
    level: AnswerLevel,
    detector: Detector,
    breaker: Breaker,
    threshold: Threshold,
    calls: BTreeMap<u64, Track>,
    last: Option<f64>,
    outlook: Option<Outlook>,
}

/// One moment, as the dialer sees it.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Now.
    pub at: f64,
    /// Everybody logged in.
    pub agents: &'a [AgentNow],
    /// Every call that has no agent yet.
    pub calls: &'a [CallNow],
    /// What happened since the moment before, in order of time.
    pub events: &'a [Seen],
    /// Seconds to the end of the compliance window.
    pub window_left: f64,
    /// Calls that may be under way together.
    pub most_lines: usize,
    /// Of them, those beyond one for each idle agent: what the abandonment ledger admits.
    pub most_uncovered: usize,
}

/// An agent now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AgentNow {
    /// What the agent does.
    pub stage: AgentStage,
    /// For how long.
    pub age: f64,
    /// Will not take a call after this one.
    pub leaving: bool,
}

/// What an agent does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentStage {
    /// Waits for a call.
    Idle,
    /// Talks.
    Talking,
    /// Writes up.
    Wrapping,
    /// Not there.
    Paused,
}

/// A call now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CallNow {
    /// Unique among all calls.
    pub id: u64,
    /// How far it is.
    pub stage: CallStage,
    /// Since it was started.
    pub age: f64,
    /// Since it came to this stage.
    pub stage_age: f64,
}

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStage {
    /// Sent; does not ring yet.
    Dialing,
    /// Rings.
    Ringing,
    /// Answered; is it a person?
    Detecting,
    /// A person, for whom there is no agent yet.
    Waiting,
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// When.
    pub at: f64,
    /// What.
    pub what: Happened,
}

/// What happened to a call or an agent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Happened {
    /// It began to ring.
    Ringback(u64),
    /// Somebody or something picked up.
    Answered(u64),
    /// It is taken for a person, and offered to agents.
    Live(u64),
    /// It was a machine, and is over.
    Machine(u64),
    /// Refused by the network or by the callee's side: busy, dead number, carrier.
    Refused(u64),
    /// Rang out.
    NoAnswer(u64),
    /// Ended by us.
    Cancelled(u64),
    /// An agent has it.
    Connected(u64),
    /// Nobody had time for it.
    Abandoned(u64),
    /// A talk of so many seconds ended; with a machine, if the agent says so.
    TalkEnded {
        /// Length.
        after: f64,
        /// Not a person.
        machine: bool,
    },
    /// A wrap-up of so many seconds ended.
    WrapEnded {
        /// Length.
        after: f64,
    },
}

/// How many calls to start, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// Calls to start now.
    pub launch: usize,
    /// Agents who wait.
    pub idle: usize,
    /// Calls under way before.
    pub lines: usize,
    /// Chance that a new call is answered by a person.
    pub answer: f64,
    /// Times as likely as usual.
    pub level: f64,
    /// The risk that was allowed.
    pub allowed: f64,
    /// The risk of one more call after these.
    pub risk: f64,
    /// Calls that may still be lost.
    pub credit: f64,
    /// What holds back more.
    pub held_by: HeldBy,
}

/// What holds back more calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldBy {
    /// Nobody is there to take one.
    Agents,
    /// One more would carry too much risk.
    Risk,
    /// Debt, or the end of the window: one line per idle agent.
    Credit,
    /// The carrier fails; only probes go out.
    Carrier,
    /// Too little is known yet.
    ColdStart,
    /// Lines.
    Lines,
    /// The ledger: were all calls without an agent answered and lost, the cap would be broken.
    Ledger,
    /// A gap or a jump in time, or a chance that is no number: one line per idle agent.
    Doubt,
}

impl HeldBy {
    /// Its word in logs and journals.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::Risk => "risk",
            Self::Credit => "credit",
            Self::Carrier => "carrier",
            Self::ColdStart => "cold_start",
            Self::Lines => "lines",
            Self::Ledger => "ledger",
            Self::Doubt => "doubt",
        }
    }
}

/// A call under way.
#[derive(Clone, Copy, Debug)]
struct Track {
    started: f64,
    rings: Option<f64>,
    answered: Option<f64>,
}

/// Answering-machine detection, as seen from outside.
#[derive(Clone, Copy, Debug)]
struct Detector {
    persons: f64,
    decided: f64,
    delay: f64,
}

#[derive(Clone, Debug)]
struct Outlook {
    calls: CallOutlook,
    calls_at: f64,
    level: f64,
    agents: AgentOutlook,
    agents_at: f64,
}

impl Predictor {
    /// For an abandonment cap, 0.03 for 3 %.
    #[must_use]
    pub fn new(cap: f64) -> Self {
        let lognormal = |share: f64, mean: f64, cv: f64| (share, Law::LogNormal { mean, cv });
        let dial = Prior {
            subjects: 10.0,
            event: lognormal(0.85, 3.5, 0.6),
            exit: lognormal(0.15, 4.5, 0.6),
        };
        let ring = Prior {
            subjects: 20.0,
            event: lognormal(0.35, 11.0, 0.6),
            exit: (0.65, Law::Normal { mean: 24.0, sd: 4.0 }),
        };
        let talk = Prior { subjects: 8.0, event: lognormal(1.0, 150.0, 1.2), exit: Law::NEVER };
        let wrap = Prior { subjects: 8.0, event: lognormal(1.0, 20.0, 1.0), exit: Law::NEVER };
        let talk_bins = [(3.0, 60.0), (10.0, 180.0), (30.0, 600.0), (200.0, 3_600.0)];
        let wrap_bins = [(2.0, 30.0), (5.0, 90.0), (30.0, 300.0), (150.0, 900.0)];
        Self {
            dial: LifeTable::new(Bins::new(&[(1.0, 25.0)]), &dial, CALLS_REMEMBERED),
            ring: LifeTable::new(Bins::new(&[(1.0, 45.0)]), &ring, CALLS_REMEMBERED),
            talk: LifeTable::new(Bins::new(&talk_bins), &talk, TALKS_REMEMBERED),
            wrap: LifeTable::new(Bins::new(&wrap_bins), &wrap, TALKS_REMEMBERED),
            level: AnswerLevel::new(),
            detector: Detector { persons: 3.0, decided: 4.0, delay: 0.0 },
            breaker: Breaker::new(),
            threshold: Threshold::new(cap),
            calls: BTreeMap::new(),
            last: None,
            outlook: None,
        }
    }

    /// A compliance window begins, or is known from here on: with so many live answers, of which so many were abandoned.
    pub fn open_window(&mut self, live: u64, abandoned: u64) {
        let number = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        self.threshold.open(number(live), number(abandoned));
    }

    /// Learns from a moment and decides. To be asked every half second or so.
    pub fn decide(&mut self, now: &Moment<'_>) -> Decision {
        let step = self.last.map_or(0.0, |last| now.at - last);
        self.learn(now, step);
        self.last = Some(now.at);
        let idle = now.agents.iter().filter(|agent| agent.is_free()).count();
        let staffed = now.agents.iter().filter(|agent| agent.stage != AgentStage::Paused).count();
        let mut decision = Decision {
            launch: idle.saturating_sub(now.calls.len()),
            idle,
            lines: now.calls.len(),
            answer: 0.0,
            level: self.level.level(),
            allowed: self.threshold.allowed(WindowLeft { seconds: now.window_left }),
            risk: 1.0,
            credit: self.threshold.credit(),
            held_by: HeldBy::Doubt,
        };
        if staffed == 0 {
            decision.launch = 0;
            decision.held_by = HeldBy::Agents;
        } else if (0.0..=LONGEST_STEP).contains(&step) {
            self.predict(now, staffed, &mut decision);
        }
        self.limit(now, &mut decision);
        decision
    }

    fn predict(&mut self, now: &Moment<'_>, staffed: usize, decision: &mut Decision) {
        let Some(outlook) = self.looked_ahead(now.at) else { return };
        let Some(new_call) = outlook.calls.new_call().cloned() else { return };
        decision.answer = new_call.ever();
        if !(decision.answer > 0.0 && decision.answer.is_finite()) {
            return;
        }
        let doubt = self.level.doubt();
        let exactly = now.calls.len() + staffed <= chance::EXACT;
        let mut horizons = self.horizons(now, &new_call, exactly);
        let mut launch = 0;
        let allowed = decision.allowed;
        let risk_of = |horizons: &[Horizon]| {
            let risks = horizons.iter().map(|horizon| {
                if exactly {
                    chance::exact(decision.idle, &horizon.answers, &horizon.free)
                } else {
                    chance::normal(decision.idle, &horizon.answers, &horizon.free, doubt)
                }
            });
            risks.sum::<f64>() / f64::from(HORIZONS)
        };
        let mut risk = risk_of(&horizons);
        let own = decision.idle.saturating_sub(now.calls.len());
        while launch < now.most_lines && (launch < own || (allowed > 0.0 && risk <= allowed)) {
            for horizon in &mut horizons {
                horizon.answers.add(horizon.new_call, exactly);
            }
            launch += 1;
            risk = risk_of(&horizons);
        }
        if !risk.is_finite() {
            return;
        }
        decision.launch = launch;
        decision.risk = risk;
        decision.held_by = if allowed > 0.0 { HeldBy::Risk } else { HeldBy::Credit };
    }

    /// The moments at which a new call may be answered, with what may have happened by then.
    fn horizons(&self, now: &Moment<'_>, new_call: &Curve, exactly: bool) -> Vec<Horizon> {
        let grace = (1.5 - self.detector.delay).max(0.0).round();
        let calls: Vec<Chance<'_>> = now.calls.iter().map(|call| self.chance_of(call)).collect();
        let agents: Vec<Chance<'_>> =
            now.agents.iter().map(|agent| self.chance_free(agent)).collect();
        (0..HORIZONS)
            .map(|k| {
                let within = new_call.quantile((f64::from(k) + 0.5) / f64::from(HORIZONS));
                let mut answers = Count::none();
                for call in &calls {
                    answers.add(call.within(within), exactly);
                }
                let mut free = Count::none();
                for agent in &agents {
                    free.add(agent.within(within + grace), exactly);
                }
                Horizon { answers, free, new_call: new_call.within(within) }
            })
            .collect()
    }

    fn chance_of(&self, call: &CallNow) -> Chance<'_> {
        let Some(outlook) = &self.outlook else { return Chance::Always(0.0) };
        let curve = match call.stage {
            CallStage::Dialing => outlook.calls.dialing(self.dial.bins().of(call.stage_age)),
            CallStage::Ringing => outlook.calls.ringing(self.ring.bins().of(call.stage_age)),
            CallStage::Detecting => {
                return Chance::Always(self.detector.persons / self.detector.decided);
            }
            CallStage::Waiting => return Chance::Always(1.0),
        };
        curve.map_or(Chance::Always(0.0), Chance::ByTime)
    }

    fn chance_free(&self, agent: &AgentNow) -> Chance<'_> {
        let Some(outlook) = &self.outlook else { return Chance::Always(0.0) };
        let curve = match agent.stage {
            _ if agent.leaving => None,
            AgentStage::Talking => outlook.agents.talking(self.talk.bins().of(agent.age)),
            AgentStage::Wrapping => outlook.agents.wrapping(self.wrap.bins().of(agent.age)),
            AgentStage::Idle | AgentStage::Paused => None,
        };
        curve.map_or(Chance::Always(0.0), Chance::ByTime)
    }

    /// Brings the outlook up to date: it is worth some hundred thousand multiplications.
    fn looked_ahead(&mut self, at: f64) -> Option<&Outlook> {
        let level = self.level.cautious();
        let old = self.outlook.take();
        let agents = old.as_ref().filter(|old| at - old.agents_at < AGENTS_EVERY);
        let (agents, agents_at) = match agents {
            Some(old) => (old.agents.clone(), old.agents_at),
            None => (AgentOutlook::new(&self.talk, &self.wrap), at),
        };
        let calls = old.filter(|old| {
            at - old.calls_at < CALLS_EVERY && (level / old.level - 1.0).abs() < MOVED
        });
        self.outlook = Some(match calls {
            Some(old) => Outlook { agents, agents_at, ..old },
            None => {
                let calls = CallOutlook::new(&self.dial, &self.ring, level);
                Outlook { calls, calls_at: at, level, agents, agents_at }
            }
        });
        self.outlook.as_ref()
    }

    /// What holds whatever the prediction says.
    fn limit(&self, now: &Moment<'_>, decision: &mut Decision) {
        let idle = decision.idle;
        let mut at_most = |lines: usize, why: HeldBy| {
            let launch = lines.saturating_sub(decision.lines);
            if launch < decision.launch {
                decision.launch = launch;
                decision.held_by = why;
            }
        };
        if self.level.answers() < KNOWN {
            at_most(idle + idle.div_ceil(2), HeldBy::ColdStart);
        }
        if self.breaker.is_open() {
            at_most((idle / 10).max(2).min(idle), HeldBy::Carrier);
        }
        at_most(now.most_lines, HeldBy::Lines);
        at_most(idle.saturating_add(now.most_uncovered), HeldBy::Ledger);
    }

    fn learn(&mut self, now: &Moment<'_>, step: f64) {
        let mut answers = 0.0;
        let (mut live, mut abandoned) = (0.0, 0.0);
        for seen in now.events {
            match seen.what {
                Happened::Ringback(call) => {
                    let track = self.track(call);
                    let age = seen.at - track.started;
                    track.rings = Some(seen.at);
                    if !self.breaker.is_open() {
                        self.dial.event(age);
                    }
                    self.breaker.attempt(false);
                }
                Happened::Answered(call) => {
                    let track = self.track(call);
                    track.answered = Some(seen.at);
                }
                Happened::Live(call) => {
                    answers += 1.0;
                    self.answered(call, seen.at, true);
                }
                Happened::Machine(call) => {
                    self.answered(call, seen.at, false);
                    self.calls.remove(&call);
                }
                Happened::Refused(call) | Happened::NoAnswer(call) => self.failed(call, seen.at),
                Happened::Cancelled(call) => {
                    self.calls.remove(&call);
                }
                Happened::Connected(call) => {
                    live += 1.0;
                    self.calls.remove(&call);
                }
                Happened::Abandoned(call) => {
                    live += 1.0;
                    abandoned += 1.0;
                    self.calls.remove(&call);
                }
                Happened::TalkEnded { after, machine } => {
                    self.talk.event(after);
                    self.threshold.talked(machine);
                }
                Happened::WrapEnded { after } => self.wrap.event(after),
            }
        }
        let learned = step.clamp(0.0, LONGEST_STEP);
        let expected = self.spend(now, learned);
        self.threshold.step(learned, live, abandoned);
        self.level.step(expected, answers, self.threshold.a_second());
    }

    /// Books the time that everybody present has spent; gives the answers that were to be expected of it.
    fn spend(&mut self, now: &Moment<'_>, seconds: f64) -> f64 {
        let mut expected = 0.0;
        for call in now.calls {
            self.calls.entry(call.id).or_insert_with(|| Track {
                started: now.at - call.age,
                rings: (call.stage == CallStage::Ringing).then_some(now.at - call.stage_age),
                answered: None,
            });
            match call.stage {
                CallStage::Dialing if !self.breaker.is_open() => {
                    self.dial.there(call.stage_age, seconds)
                }
                CallStage::Ringing => {
                    expected += self.ring.hazard(call.stage_age).event * seconds;
                    self.ring.there(call.stage_age, seconds);
                }
                CallStage::Dialing | CallStage::Detecting | CallStage::Waiting => {}
            }
        }
        for agent in now.agents {
            match agent.stage {
                AgentStage::Talking => self.talk.there(agent.age, seconds),
                AgentStage::Wrapping => self.wrap.there(agent.age, seconds),
                AgentStage::Idle | AgentStage::Paused => {}
            }
        }
        expected
    }

    /// A detector, or the answer itself where there is none, says what picked up.
    fn answered(&mut self, call: u64, at: f64, person: bool) {
        let track = *self.track(call);
        let answered = track.answered.unwrap_or(at);
        let ring_age = answered - track.rings.unwrap_or(answered);
        if person {
            self.ring.event(ring_age);
            self.detector.delay += (at - answered - self.detector.delay) * 0.02;
        } else {
            self.ring.exit(ring_age);
        }
        self.detector.persons = self.detector.persons * 0.99 + f64::from(u8::from(person));
        self.detector.decided = self.detector.decided * 0.99 + 1.0;
    }

    fn failed(&mut self, call: u64, at: f64) {
        let track = *self.track(call);
        self.calls.remove(&call);
        match track.rings {
            Some(rings) => self.ring.exit(at - rings),
            None => {
                self.breaker.attempt(true);
                if !self.breaker.is_open() {
                    self.dial.exit(at - track.started);
                }
            }
        }
    }

    /// A call that is heard of for the first time was started at the moment before.
    fn track(&mut self, call: u64) -> &mut Track {
        let started = self.last.unwrap_or(0.0);
        self.calls.entry(call).or_insert(Track { started, rings: None, answered: None })
    }
}

impl AgentNow {
    fn is_free(&self) -> bool {
        self.stage == AgentStage::Idle && !self.leaving
    }
}

/// A moment at which a new call may be answered.
struct Horizon {
    answers: Count,
    free: Count,
    new_call: f64,
}

enum Chance<'a> {
    Always(f64),
    ByTime(&'a Curve),
}

impl Chance<'_> {
    fn within(&self, seconds: f64) -> f64 {
        match self {
            Self::Always(chance) => *chance,
            Self::ByTime(curve) => curve.within(seconds),
        }
    }
}

const CALLS_REMEMBERED: f64 = 3_000.0;
const TALKS_REMEMBERED: f64 = 400.0;
/// Equally likely times of a new call's answer at which the risk is taken.
const HORIZONS: u8 = 8;
/// Live answers before more than half a line beyond each idle agent's own is opened.
const KNOWN: f64 = 20.0;
/// A longer gap between two moments, in seconds, is not predicted over.
const LONGEST_STEP: f64 = 5.0;
/// Seconds after which what is looked ahead is made anew.
const CALLS_EVERY: f64 = 2.0;
const AGENTS_EVERY: f64 = 5.0;
/// Or as soon as the answer level has moved by so much.
const MOVED: f64 = 0.03;
const _: () = assert!(HORIZON > 0);
