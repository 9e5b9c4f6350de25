//! Predictive mode: what the engine is told, when it is asked, and what becomes of its answer.
//!
//! The engine ([`crate::logic::pacing::predictive`]) only chooses among what the ledger admits: each call without an agent
//! of its own is asked of the ledger when it starts, and of the database in its intent, whatever was predicted.

use std::time::Duration;

use crate::logic::agent::Kind;
use crate::logic::attempt::Stage;
use crate::logic::dialer::call::Call;
use crate::logic::dialer::command::PacingLine;
use crate::logic::dialer::desk::Desk;
use crate::logic::dialer::room::Room;
use crate::logic::dialer::{Action, Dialer, Learned, StoreCommand, StoreHealth, Timer, Waiting};
use crate::logic::ids::{AgentId, AttemptId, CampaignId};
use crate::logic::outcome::Outcome;
use crate::logic::pacing::predictive::{
    AgentNow, AgentStage, CallNow, CallStage, Decision, Happened, HeldBy, Moment, Predictor, Seen,
};
use crate::logic::settings::DialMode;
use crate::logic::time::{Now, Tick, UtcMs};

/// The engine of a campaign in predictive mode, and its last word.
#[derive(Debug)]
pub(super) struct Forecast {
    engine: Predictor,
    /// What happened since it was last asked.
    seen: Vec<Seen>,
    /// The window whose balance it knows.
    window: Option<UtcMs>,
    /// It is to be asked before another call starts.
    due: bool,
    /// Calls that may still start by its last word.
    left: usize,
    small_team: bool,
    decision: Option<Decision>,
    /// When what it has learned was last written.
    saved: Tick,
    /// Something since.
    learned: bool,
}

/// What an agent did last, for the engine: it learns how long talks and wrap-up last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doing {
    kind: Kind,
    since: Tick,
    /// The talk before the wrap-up.
    talked: Option<(CampaignId, AttemptId, Duration)>,
}

impl Forecast {
    /// With what an earlier engine had learned; where that cannot be read, cold, and with the reason.
    fn new(now: Now, cap_ppm: u32, learned: Option<&str>) -> (Self, Option<String>) {
        let cap = f64::from(cap_ppm) / 1e6;
        let (engine, unreadable) = match learned.map(|text| Predictor::recall(cap, text)) {
            None => (Predictor::new(cap), None),
            Some(Ok(engine)) => (engine, None),
            Some(Err(wrong)) => (Predictor::new(cap), Some(wrong.to_string())),
        };
        let forecast = Self {
            engine,
            seen: vec![],
            window: None,
            due: true,
            left: 0,
            small_team: false,
            decision: None,
            saved: now.tick,
            learned: false,
        };
        (forecast, unreadable)
    }

    /// Asks the engine as soon as all that happens now is known.
    pub(super) const fn ask_soon(&mut self) {
        self.due = true;
    }

    /// A call has started.
    pub(super) const fn spend(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    /// Whether another call without an agent of its own may start, or what holds it back.
    pub(super) fn may_start(&self) -> Result<(), &'static str> {
        if self.left > 0 { Ok(()) } else { Err(self.held_by()) }
    }

    /// While the carrier fails, free agents do not help: only probes go out.
    pub(super) fn carrier_fails(&self) -> bool {
        self.left == 0 && self.decision.is_some_and(|last| last.held_by == HeldBy::Carrier)
    }

    fn held_by(&self) -> &'static str {
        if self.small_team {
            return "small_team";
        }
        self.decision.map_or("agents", |last| match last.held_by {
            // To whoever waits it is the same credit: what may still be lost.
            HeldBy::Ledger => HeldBy::Credit.as_str(),
            HeldBy::Agents
            | HeldBy::Risk
            | HeldBy::Credit
            | HeldBy::Carrier
            | HeldBy::ColdStart
            | HeldBy::Lines
            | HeldBy::Doubt => last.held_by.as_str(),
        })
    }

    fn happened(&mut self, now: Now, what: Happened) {
        if self.seen.len() >= MOST_SEEN {
            // Nobody asks: the campaign stands still. What is left out is missed by the tables, not by the ledger.
            return;
        }
        self.seen.push(Seen { at: seconds(now.tick), what });
    }

    /// Learns, and decides how many calls may start.
    fn decide(&mut self, now: Now, agents: &[AgentNow], calls: &[CallNow], limits: Limits) {
        let seen = std::mem::take(&mut self.seen);
        let mut decision = self.engine.decide(&Moment {
            at: seconds(now.tick),
            agents,
            calls,
            events: &seen,
            window_left: limits.window_left.as_secs_f64(),
            most_lines: calls.len().saturating_add(limits.free_lines),
            most_uncovered: calls.len().saturating_sub(free(agents)).saturating_add(limits.spare),
        });
        let staffed = agents.iter().filter(|agent| agent.stage != AgentStage::Paused).count();
        self.small_team = (1..SMALL_TEAM).contains(&staffed);
        if self.small_team {
            // Alone, nobody else becomes free in time: one line for the agent, one more while credit bears its loss.
            let more = usize::from(decision.credit >= 1.0 && limits.spare > 0 && decision.idle > 0);
            let most = decision.idle.saturating_add(more).saturating_sub(calls.len());
            decision.launch = decision.launch.min(most);
        }
        self.left = decision.launch;
        self.decision = Some(decision);
        self.due = false;
        self.learned = true;
    }

    /// Begins the balance of a window with what it holds.
    fn open_window(&mut self, starts: UtcMs, answered: u64, abandoned: u64) {
        if self.window != Some(starts) {
            self.window = Some(starts);
            self.engine.open_window(answered, abandoned);
        }
    }

    /// For the view.
    pub(super) fn line(&self) -> Option<PacingLine> {
        self.decision.map(|last| PacingLine {
            launch: count(last.launch),
            idle: count(last.idle),
            lines: count(last.lines),
            answer: last.answer,
            level: last.level,
            allowed: last.allowed,
            risk: last.risk,
            credit: last.credit,
            held_by: self.held_by(),
            small_team: self.small_team,
        })
    }
}

/// What holds whatever is predicted.
#[derive(Clone, Copy)]
struct Limits {
    window_left: Duration,
    /// Lines and channels that are free.
    free_lines: usize,
    /// Calls without an agent of their own that the ledger still admits.
    spare: usize,
}

impl Doing {
    pub(super) const fn new(now: Now) -> Self {
        Self { kind: Kind::Offline, since: now.tick, talked: None }
    }
}

impl Dialer {
    /// Makes or ends the engine of a campaign whose mode was set.
    pub(super) fn set_forecast(&mut self, now: Now, campaign: CampaignId, out: &mut Vec<Action>) {
        let Some(room) = self.rooms.get_mut(&campaign) else { return };
        let predicts = matches!(room.settings.mode, DialMode::Predictive);
        if predicts && room.forecast.is_none() {
            let (cap_ppm, learned) = (room.settings.abandon.cap_ppm, room.learned.as_deref());
            let (forecast, unreadable) = Forecast::new(now, cap_ppm, learned);
            room.forecast = Some(Box::new(forecast));
            self.deadlines.set(Timer::Forecast(campaign), Some(now.tick + EVERY));
            if unreadable.is_some() {
                self.save_forecast(now, campaign, unreadable, out);
            }
        } else if !predicts && room.forecast.is_some() {
            self.save_forecast(now, campaign, None, out);
            let Some(room) = self.rooms.get_mut(&campaign) else { return };
            room.forecast = None;
            self.deadlines.set(Timer::Forecast(campaign), None);
        }
    }

    /// Half a second has passed.
    pub(super) fn forecast_due(&mut self, now: Now, campaign: CampaignId, out: &mut Vec<Action>) {
        let Some(room) = self.rooms.get_mut(&campaign) else { return };
        let Some(forecast) = &mut room.forecast else { return };
        forecast.ask_soon();
        let stale = now.tick.since(forecast.saved) >= SAVED_EVERY;
        self.deadlines.set(Timer::Forecast(campaign), Some(now.tick + EVERY));
        if stale && self.health == StoreHealth::Ok {
            self.save_learned(now, campaign, out);
        }
    }

    /// Has what the engine has learned written, if that is anything new.
    pub(super) fn save_learned(&mut self, now: Now, campaign: CampaignId, out: &mut Vec<Action>) {
        let forecast = self.rooms.get(&campaign).and_then(|room| room.forecast.as_ref());
        if forecast.is_some_and(|forecast| forecast.learned) {
            self.save_forecast(now, campaign, None, out);
        }
    }

    fn save_forecast(
        &mut self,
        now: Now,
        campaign: CampaignId,
        unreadable: Option<String>,
        out: &mut Vec<Action>,
    ) {
        let Some(room) = self.rooms.get_mut(&campaign) else { return };
        let Some(forecast) = &mut room.forecast else { return };
        forecast.saved = now.tick;
        forecast.learned = false;
        let body = forecast.engine.remember();
        room.learned = Some(body.clone());
        let learned = Learned { campaign, body, unreadable, at: now.utc };
        self.store(StoreCommand::Learned(Box::new(learned)), Waiting::Fact, out);
    }

    /// Asks the engine of a campaign, if it is to be asked now.
    pub(super) fn forecast(&mut self, now: Now, campaign: CampaignId) {
        let Some(room) = self.rooms.get(&campaign) else { return };
        if !room.forecast.as_ref().is_some_and(|forecast| forecast.due) {
            return;
        }
        let agents: Vec<AgentNow> =
            self.desks.values().filter_map(|desk| self.agent_now(now, room, desk)).collect();
        let calls: Vec<CallNow> = self
            .calls
            .values()
            .filter(|call| call.campaign == campaign)
            .filter_map(|call| call.in_forecast(now))
            .collect();
        let line = self.line_of(campaign).and_then(|line| self.lines.get(line));
        let channels = line.map_or(0, |line| line.settings.channels.saturating_sub(line.in_use));
        let channels = usize::try_from(channels).unwrap_or(usize::MAX);
        let window = room.window(now.utc);
        let limits = Limits {
            window_left: window.ends.since(now.utc),
            free_lines: channels.min(self.max_lines.saturating_sub(self.calls.len())),
            spare: usize::try_from(room.credit.spare(now, room.span(now))).unwrap_or(usize::MAX),
        };
        let account = room.credit.ledger.account(window.starts);
        let Some(forecast) = self.rooms.get_mut(&campaign).and_then(|r| r.forecast.as_mut()) else {
            return;
        };
        if let Some(account) = account {
            forecast.open_window(window.starts, account.answered, account.abandoned);
        }
        forecast.decide(now, &agents, &calls, limits);
    }

    /// What an agent does, as far as it concerns this campaign; one who is with another campaign's call is not counted on.
    fn agent_now(&self, now: Now, room: &Room, desk: &Desk) -> Option<AgentNow> {
        let skilled = room.settings.skills.iter().all(|skill| desk.settings.skills.contains(skill));
        let machine = &desk.machine;
        let ours = || {
            let kept = machine.attempt().and_then(|attempt| self.calls.get(&attempt));
            kept.map(|call| call.campaign)
                .or_else(|| desk.last.as_ref().map(|last| last.campaign))
                .is_some_and(|campaign| campaign == room.id)
        };
        let stage = match machine.kind() {
            Kind::Ready if machine.may_take_call() => AgentStage::Idle,
            Kind::Reserved if ours() => AgentStage::Idle,
            Kind::OnCall if ours() => AgentStage::Talking,
            Kind::WrapUp if ours() => AgentStage::Wrapping,
            Kind::Paused => AgentStage::Paused,
            Kind::Ready
            | Kind::Previewing
            | Kind::Reserved
            | Kind::OnCall
            | Kind::WrapUp
            | Kind::Offline
            | Kind::LoggingIn => return None,
        };
        let age = now.tick.since(machine.since().tick).as_secs_f64();
        // Whoever waits takes the call that is kept for him, wherever he wants to go after it.
        let leaving = stage != AgentStage::Idle && machine.is_leaving();
        skilled.then_some(AgentNow { stage, age, leaving })
    }

    /// Tells the engine what became of a call.
    pub(super) fn tell_stage(&mut self, now: Now, attempt: AttemptId, before: Stage) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let after = call.machine.stage();
        if after == before {
            return;
        }
        call.stage_since = now.tick;
        // The answer crossed our CANCEL.
        call.foretold &= !(before == Stage::Cancelling && after == Stage::Waiting);
        let id = engine_id(attempt);
        let happened: &[Happened] = match after {
            Stage::Ringing => &[Happened::Ringback(id)],
            // Whoever lost an agent in mid-talk was told of before.
            Stage::Waiting if !call.foretold => &[Happened::Answered(id), Happened::Live(id)],
            Stage::Talking if !call.foretold => &[Happened::Connected(id)],
            Stage::Message if !call.foretold => &[Happened::Abandoned(id)],
            Stage::Cancelling if !call.foretold => &[Happened::NoAnswer(id)],
            Stage::Starting
            | Stage::Dialing
            | Stage::Waiting
            | Stage::Talking
            | Stage::Message
            | Stage::Cancelling
            | Stage::Ended => &[],
        };
        call.foretold |= matches!(after, Stage::Talking | Stage::Message | Stage::Cancelling);
        let campaign = call.campaign;
        self.tell_forecast(now, campaign, happened);
    }

    /// Tells the engine how a call ended, unless that was clear before.
    pub(super) fn tell_end(&mut self, now: Now, attempt: AttemptId, outcome: Outcome) {
        let Some(call) = self.calls.get(&attempt).filter(|call| !call.foretold) else { return };
        let id = engine_id(attempt);
        let what = match outcome {
            Outcome::Connected => Happened::Connected(id),
            Outcome::Abandoned | Outcome::AgentLost => Happened::Abandoned(id),
            Outcome::NoAnswer => Happened::NoAnswer(id),
            Outcome::Busy
            | Outcome::Rejected
            | Outcome::Unwanted
            | Outcome::Invalid
            | Outcome::Unreachable
            | Outcome::Congestion
            | Outcome::TrunkFault
            | Outcome::NotDelivered => Happened::Refused(id),
            Outcome::NotPlaced | Outcome::Cancelled | Outcome::Unknown => Happened::Cancelled(id),
        };
        let campaign = call.campaign;
        self.tell_forecast(now, campaign, &[what]);
    }

    /// An attempt never was.
    pub(super) fn tell_undone(&mut self, now: Now, call: &Call) {
        let undone = Happened::Cancelled(engine_id(call.attempt));
        self.tell_forecast(now, call.campaign, &[undone]);
    }

    /// An agent's state changed: what ended, and whether somebody is free.
    pub(super) fn tell_desk(&mut self, now: Now, agent: AgentId) {
        let Some(desk) = self.desks.get_mut(&agent) else { return };
        let (was, kind, free) = (desk.doing, desk.machine.kind(), desk.machine.may_take_call());
        if was.kind == kind {
            return;
        }
        let passed = now.tick.since(was.since);
        let mut ended = None;
        desk.doing = Doing { kind, since: now.tick, talked: None };
        if was.kind == Kind::OnCall
            && let Some(last) = desk.last.as_ref().or(desk.spoken.as_ref())
        {
            let talk = (last.campaign, last.attempt, passed);
            if kind == Kind::WrapUp {
                desk.doing.talked = Some(talk);
            } else {
                ended = Some((talk, None));
            }
        } else if let Some(talk) = was.talked {
            // Only now it is known what the agent said of the call.
            ended = Some((talk, Some(passed)));
        }
        if let Some(((campaign, attempt, talk), wrap)) = ended {
            let machine = self.was_machine(agent, campaign, attempt);
            let talk = Happened::TalkEnded { after: talk.as_secs_f64(), machine };
            let wrap = wrap.map(|wrap| Happened::WrapEnded { after: wrap.as_secs_f64() });
            self.tell_forecast(now, campaign, &[talk]);
            self.tell_forecast(now, campaign, wrap.as_slice());
        }
        if free {
            let forecasts = self.rooms.values_mut().filter_map(|room| room.forecast.as_mut());
            forecasts.for_each(|forecast| forecast.ask_soon());
        }
    }

    /// Whether the agent said that no person was there.
    fn was_machine(&self, agent: AgentId, campaign: CampaignId, attempt: AttemptId) -> bool {
        let chosen = self.last_of(agent, attempt).and_then(|last| last.page.chosen.as_deref());
        let settings = self.rooms.get(&campaign).map(|room| &room.settings);
        settings.zip(chosen).is_some_and(|(settings, code)| {
            settings.dispositions.iter().any(|d| d.code == code && d.live == Some(false))
        })
    }

    fn tell_forecast(&mut self, now: Now, campaign: CampaignId, happened: &[Happened]) {
        let room = self.rooms.get_mut(&campaign);
        if let Some(forecast) = room.and_then(|room| room.forecast.as_mut()) {
            happened.iter().for_each(|what| forecast.happened(now, *what));
        }
    }
}

impl Call {
    /// As the engine sees it, while it has no agent yet.
    fn in_forecast(&self, now: Now) -> Option<CallNow> {
        let age = now.tick.since(self.begun).as_secs_f64();
        let stage_age = now.tick.since(self.stage_since).as_secs_f64();
        let (stage, stage_age) = match self.machine.stage() {
            // From the decision to the first ring, whatever part of it is spent before the INVITE.
            Stage::Starting | Stage::Dialing => (CallStage::Dialing, age),
            Stage::Ringing => (CallStage::Ringing, stage_age),
            Stage::Waiting => (CallStage::Waiting, stage_age),
            Stage::Cancelling | Stage::Talking | Stage::Message | Stage::Ended => return None,
        };
        Some(CallNow { id: engine_id(self.attempt), stage, age, stage_age })
    }
}

fn free(agents: &[AgentNow]) -> usize {
    agents.iter().filter(|agent| agent.stage == AgentStage::Idle && !agent.leaving).count()
}

fn engine_id(attempt: AttemptId) -> u64 {
    attempt.0.unsigned_abs()
}

fn seconds(tick: Tick) -> f64 {
    Duration::from_micros(tick.micros_since_start()).as_secs_f64()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// How often the engine is asked though nothing happened.
const EVERY: Duration = Duration::from_millis(500);
/// How often what is learned is written.
const SAVED_EVERY: Duration = Duration::from_secs(60);
/// From so many agents on prediction helps.
const SMALL_TEAM: usize = 2;
/// Most facts that wait for the engine: more than half a second can bring.
const MOST_SEEN: usize = 100_000;
