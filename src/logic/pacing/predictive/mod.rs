//! Predictive pacing: how many calls to start now, although some will find no agent of their own free yet.
//!
//! One more call is started while the chance that it would find nobody, if it is answered, stays within a threshold.
//! [`life_table`] knows how long dialing, ringing, talks and wrap-up last, [`answer_level`] how likely people answer
//! now, [`look_ahead`] turns both into chances by time, [`outlook`] reads them off at the moments that matter, [`chance`]
//! makes them a risk, [`threshold`] says how much of it is allowed, and [`breaker`] stops the flood when the carrier
//! fails. None of them can break the abandonment cap by being wrong: the ledger admits calls, prediction only chooses
//! among what is admitted.
//!
//! Times are in seconds from any fixed start. No clock, no dice: the same input gives the same decision on every machine
//! (`exp`, `log` and `erfc` come from `libm`, not from the platform).

pub mod answer_level;
pub mod breaker;
pub mod chance;
mod decision;
pub mod life_table;
pub mod look_ahead;
pub mod memory;
mod moment;
pub mod outlook;
pub mod threshold;
mod tracks;

pub use decision::{Decision, HeldBy};
pub use moment::{AgentNow, AgentStage, CallNow, CallStage, Happened, Moment, Odds, Seen};

use crate::logic::pacing::predictive::answer_level::AnswerLevel;
use crate::logic::pacing::predictive::breaker::Breaker;
use crate::logic::pacing::predictive::chance::{Count, HORIZONS, Lanes};
use crate::logic::pacing::predictive::life_table::{Bins, Law, LifeTable, Prior};
use crate::logic::pacing::predictive::outlook::{Outlook, Tables};
use crate::logic::pacing::predictive::threshold::{Answered, Threshold, WindowLeft};
use crate::logic::pacing::predictive::tracks::{Track, Tracks};

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
    calls: Tracks,
    last: Option<f64>,
    outlook: Option<Box<Outlook>>,
}

/// Answering-machine detection, as seen from outside.
#[derive(Clone, Copy, Debug)]
struct Detector {
    persons: f64,
    decided: f64,
    delay: f64,
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
            calls: Tracks::default(),
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
        self.decide_with(now, &Odds::EVEN)
    }

    /// The same where it is known of some leads how likely they are to answer.
    pub fn decide_with(&mut self, now: &Moment<'_>, odds: &Odds<'_>) -> Decision {
        let step = self.last.map_or(0.0, |last| now.at - last);
        self.learn(now, odds, step);
        self.last = now.at.is_finite().then_some(now.at);
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
            self.predict(now, odds, staffed, &mut decision);
        }
        for (lines, why) in self.limits(now, staffed, idle) {
            let launch = lines.saturating_sub(decision.lines);
            if launch < decision.launch {
                decision.launch = launch;
                decision.held_by = why;
            }
        }
        self.threshold.short_of_credit(decision.held_by == HeldBy::Ledger);
        decision
    }

    fn predict(
        &mut self,
        now: &Moment<'_>,
        odds: &Odds<'_>,
        staffed: usize,
        decision: &mut Decision,
    ) {
        let tables =
            Tables { dial: &self.dial, ring: &self.ring, talk: &self.talk, wrap: &self.wrap };
        let grace = (1.5 - self.detector.delay).max(0.0).round();
        let level = self.level.cautious();
        self.outlook = Outlook::at(now.at, self.outlook.take(), tables, level, grace);
        let Some(outlook) = self.outlook.as_deref() else { return };
        decision.answer = outlook.new_call().ever();
        let room = chance::EXACT.checked_sub(now.calls.len() + staffed);
        let exactly = room.is_some();
        let doubt = self.level.doubt();
        let (mut answers, mut free) = (Count::none(), Count::none());
        for (call, odds) in now.calls.iter().zip(odds.of_calls()) {
            answers.add(&self.chance_of(outlook, call, odds), exactly);
        }
        for agent in now.agents {
            if let Some(lanes) = self.chance_free(outlook, agent) {
                free.add(lanes, exactly);
            }
        }
        let risk_now = |answers: &Count, launch: usize| {
            // A burst is judged with the doubt about the answer level, which moves all its calls together.
            let risks = if room.is_some_and(|room| launch <= room) {
                chance::exact(decision.idle, answers, &free)
            } else {
                chance::normal(decision.idle, answers, &free, doubt)
            };
            risks.iter().sum::<f64>() * outlook::EACH
        };
        let allowance = self.threshold.allowance(WindowLeft { seconds: now.window_left });
        let sure = decision.idle.saturating_add(allowance.uncovered);
        let mut allowed = allowance.within;
        let own = decision.idle.saturating_sub(now.calls.len());
        // Beyond the limits one more is looked at: then it is known what holds.
        let limit = self.limits(now, staffed, decision.idle).iter().map(|(lines, _)| *lines).min();
        let beyond = limit.unwrap_or(usize::MAX).saturating_sub(now.calls.len()).saturating_add(1);
        let most = now.most_lines.min(most_lines(staffed)).min(beyond);
        let (mut launch, mut judged) = (0, None);
        for odds in odds.of_next().take(most) {
            let lines = now.calls.len() + launch;
            allowed = if lines < sure { allowance.within } else { allowance.beyond };
            if launch >= own {
                let risk = risk_now(&answers, launch);
                if !(allowed > 0.0 && risk <= allowed) {
                    judged = Some(risk);
                    break;
                }
            }
            answers.add(&outlook.new_call().with_odds(odds), exactly);
            launch += 1;
        }
        let risk = judged.unwrap_or_else(|| risk_now(&answers, launch));
        if !risk.is_finite() {
            return;
        }
        decision.launch = launch;
        decision.risk = risk;
        decision.allowed = allowed;
        decision.held_by = if allowed > 0.0 { HeldBy::Risk } else { HeldBy::Credit };
    }

    fn chance_of(&self, outlook: &Outlook, call: &CallNow, odds: f64) -> Lanes {
        let chances = match call.stage {
            CallStage::Dialing => outlook.dialing(self.dial.bins().of(call.stage_age)),
            CallStage::Ringing => outlook.ringing(self.ring.bins().of(call.stage_age)),
            CallStage::Detecting => {
                return [self.detector.persons / self.detector.decided; HORIZONS];
            }
            CallStage::Waiting => return [1.0; HORIZONS],
        };
        chances.map_or([0.0; HORIZONS], |chances| chances.with_odds(odds))
    }

    fn chance_free<'a>(&self, outlook: &'a Outlook, agent: &AgentNow) -> Option<&'a Lanes> {
        match agent.stage {
            _ if agent.leaving => None,
            AgentStage::Talking => outlook.talking(self.talk.bins().of(agent.age)),
            AgentStage::Wrapping => outlook.wrapping(self.wrap.bins().of(agent.age)),
            AgentStage::Idle | AgentStage::Paused => None,
        }
    }

    /// Most calls under way, whatever the prediction says, and why.
    fn limits(&self, now: &Moment<'_>, staffed: usize, idle: usize) -> [(usize, HeldBy); 4] {
        let only_if = |holds: bool, lines: usize| if holds { lines } else { usize::MAX };
        let cold = only_if(self.level.answers() < KNOWN, idle + idle.div_ceil(2));
        let fails = only_if(self.breaker.is_open(), (idle / 10).max(2).min(idle));
        [
            (cold, HeldBy::ColdStart),
            (fails, HeldBy::Carrier),
            (now.most_lines.min(most_lines(staffed)), HeldBy::Lines),
            (idle.saturating_add(now.most_uncovered), HeldBy::Ledger),
        ]
    }

    fn learn(&mut self, now: &Moment<'_>, odds: &Odds<'_>, step: f64) {
        let mut answers = 0.0;
        let mut persons = Answered::default();
        for seen in now.events {
            match seen.what {
                Happened::Ringback(call) => self.rings(call, seen.at),
                Happened::Answered(call) => {
                    if let Some(track) = self.track(call) {
                        track.answered = Some(seen.at);
                    }
                }
                Happened::Live(call) => {
                    answers += 1.0;
                    self.answered(call, seen.at, true);
                }
                Happened::Machine(call) => {
                    self.answered(call, seen.at, false);
                    self.calls.end(call);
                }
                Happened::Refused(call) | Happened::NoAnswer(call) => self.failed(call, seen.at),
                Happened::Cancelled(call) => {
                    self.calls.end(call);
                }
                Happened::Connected(call) => {
                    persons.offered += 1.0;
                    self.calls.end(call);
                }
                Happened::Abandoned(call) => {
                    if self.track(call).is_some_and(|track| track.answered.is_some() && !track.live)
                    {
                        persons.hung_up += 1.0;
                    } else {
                        persons.offered += 1.0;
                        persons.lost += 1.0;
                    }
                    self.calls.end(call);
                }
                Happened::TalkEnded { after, machine } => {
                    self.talk.event(after);
                    self.threshold.talked(machine);
                }
                Happened::WrapEnded { after } => self.wrap.event(after),
            }
        }
        let learned = if step.is_finite() { step.clamp(0.0, LONGEST_STEP) } else { 0.0 };
        let expected = self.spend(now, odds, learned);
        self.threshold.step(learned, persons);
        self.level.step(expected, answers, self.threshold.a_second());
        self.calls.keep(now.at, now.calls);
    }

    /// Books the time that everybody present has spent; gives the answers that were to be expected of it.
    fn spend(&mut self, now: &Moment<'_>, odds: &Odds<'_>, seconds: f64) -> f64 {
        let mut expected = 0.0;
        let dials = !self.breaker.is_open();
        let outlook = self.outlook.as_deref();
        for (call, odds) in now.calls.iter().zip(odds.of_calls()) {
            match call.stage {
                CallStage::Dialing if dials => self.dial.there(call.stage_age, seconds),
                CallStage::Ringing => {
                    let bin = self.ring.bins().of(call.stage_age);
                    let chances = outlook.and_then(|outlook| outlook.ringing(bin));
                    let times = chances.map_or(1.0, |chances| chances.times(odds));
                    expected += self.ring.hazard(call.stage_age).event * seconds * times;
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

    fn rings(&mut self, call: u64, at: f64) {
        let Some(track) = self.track(call) else { return };
        let age = at - track.started;
        track.rings = Some(at);
        if !self.breaker.is_open() {
            self.dial.event(age);
        }
        self.breaker.attempt(false);
    }

    /// A detector, or the answer itself where there is none, says what picked up.
    fn answered(&mut self, call: u64, at: f64, person: bool) {
        let Some(track) = self.track(call) else { return };
        track.live = person;
        let track = *track;
        let answered = track.answered.unwrap_or(at);
        let ring_age = answered - track.rings.unwrap_or(answered);
        if person {
            self.ring.event(ring_age);
            let delay = at - answered;
            if (0.0..=LONGEST_DETECTION).contains(&delay) {
                self.detector.delay += (delay - self.detector.delay) * 0.02;
            }
        } else {
            self.ring.exit(ring_age);
        }
        self.detector.persons = self.detector.persons * 0.99 + f64::from(u8::from(person));
        self.detector.decided = self.detector.decided * 0.99 + 1.0;
    }

    fn failed(&mut self, call: u64, at: f64) {
        let Some(track) = self.track(call).copied() else { return };
        self.calls.end(call);
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
    fn track(&mut self, call: u64) -> Option<&mut Track> {
        let started = self.last.unwrap_or(0.0);
        self.calls.of(call, started)
    }
}

/// More lines than this for each agent help nobody, whatever the answer rate.
const fn most_lines(staffed: usize) -> usize {
    staffed.saturating_mul(LINES_PER_AGENT)
}

const LINES_PER_AGENT: usize = 15;
const CALLS_REMEMBERED: f64 = 3_000.0;
const TALKS_REMEMBERED: f64 = 400.0;
/// Live answers before more than half a line beyond each idle agent's own is opened.
const KNOWN: f64 = 20.0;
/// A longer gap between two moments, in seconds, is not predicted over.
const LONGEST_STEP: f64 = 5.0;
/// No detector takes longer, in seconds; a clock that jumped may seem to.
const LONGEST_DETECTION: f64 = 30.0;

#[cfg(test)]
mod tests;
