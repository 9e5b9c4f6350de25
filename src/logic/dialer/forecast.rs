//! Predictive mode: what the engine is told, when it is asked, and what becomes of its answer.
//!
//! The engine ([`crate::logic::pacing::predictive`]) only chooses among what the ledger admits: each call without an agent
//! of its own is asked of the ledger when it starts, and of the database in its intent, whatever was predicted.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::logic::agent::Kind;
use crate::logic::attempt::Stage;
use crate::logic::dialer::answers::Answers;
use crate::logic::dialer::call::Call;
use crate::logic::dialer::command::PacingLine;
use crate::logic::dialer::desk::Desk;
use crate::logic::dialer::inbound::has;
use crate::logic::dialer::room::Room;
use crate::logic::dialer::{
    Action, Dialer, Learned, LearnedBefore, LearnedPart, StoreCommand, StoreHealth, Timer, Waiting,
};
use crate::logic::ids::{AgentId, AttemptId, CampaignId};
use crate::logic::outcome::Outcome;
use crate::logic::pacing::journal::{Journal, Line};
use crate::logic::pacing::pacer::{
    AgentSince, CallSince, Fact, OddsNow, Pacer, Said, Scene, WindowNow,
};
use crate::logic::pacing::predictive::{AgentStage, CallStage, HeldBy};
use crate::logic::settings::{CampaignSettings, DialMode};
use crate::logic::time::{Now, Tick};

/// The engine of a campaign in predictive mode, and its last word.
#[derive(Debug)]
pub(super) struct Forecast {
    pacer: Pacer,
    /// What is learned of who answers, where the campaign wants it.
    pub(super) answers: Option<Answers>,
    /// What happened since it was last asked.
    seen: Vec<(u64, Fact)>,
    /// It is to be asked before another call starts.
    due: bool,
    /// Calls that may still start by its last word.
    left: u64,
    said: Option<Said>,
    /// When what it has learned was last written.
    saved: Tick,
    /// Something since.
    pub(super) learned: bool,
    journal: Option<Journal>,
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
    /// With what was learned earlier; what of it cannot be read begins cold, and the reason is given.
    fn new(
        now: Now,
        settings: &CampaignSettings,
        learned: &LearnedBefore,
    ) -> (Self, Vec<(LearnedPart, String)>) {
        let cap_ppm = settings.abandon.cap_ppm;
        let earlier = learned.pacing.as_deref().map(|text| Pacer::recall(cap_ppm, text, None));
        let (pacer, wrong) = match earlier {
            None => (Pacer::new(cap_ppm), None),
            Some(Ok(pacer)) => (pacer, None),
            Some(Err(wrong)) => (Pacer::new(cap_ppm), Some(wrong.to_string())),
        };
        let mut unreadable: Vec<_> =
            wrong.into_iter().map(|wrong| (LearnedPart::Pacing, wrong)).collect();
        let answers = settings.learn_who_answers.then(|| {
            let (answers, wrong) = Answers::new(learned.answers.as_deref());
            unreadable.extend(wrong.map(|wrong| (LearnedPart::Answers, wrong)));
            answers
        });
        let forecast = Self {
            pacer,
            answers,
            seen: vec![],
            due: true,
            left: 0,
            said: None,
            saved: now.tick,
            learned: false,
            journal: None,
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
        self.left == 0 && self.held_by() == HeldBy::Carrier.as_str()
    }

    fn held_by(&self) -> &'static str {
        self.said.as_ref().map_or("agents", |said| said.held_by)
    }

    fn happened(&mut self, now: Now, fact: Fact) {
        if self.seen.len() >= MOST_SEEN {
            // Nobody asks: the campaign stands still. What is left out is missed by the tables, not by the ledger.
            return;
        }
        self.seen.push((now.tick.micros_since_start(), fact));
    }

    /// Learns, and decides how many calls may start; notes both where a journal is kept, in parts of so many bytes.
    fn ask(&mut self, mut scene: Scene, part: Option<u64>) -> Vec<Line<Said>> {
        scene.seen = std::mem::take(&mut self.seen);
        // Being asked teaches nothing: who has no calls leaves what others have written as it is.
        self.learned |= !scene.seen.is_empty();
        let mut lines = vec![];
        let full = |part| self.journal.as_ref().is_none_or(|journal| journal.bytes() >= part);
        match part {
            None => self.journal = None,
            Some(part) if full(part) => {
                // What an engine remembers can be recalled; if not, there is no journal, and dialing goes on.
                if let Ok((journal, begins, pacer)) = Journal::begin(&self.pacer) {
                    self.pacer = pacer;
                    self.journal = Some(journal);
                    lines.push(begins);
                }
            }
            Some(_) => {}
        }
        let said = self.pacer.ask(&scene);
        if let Some(journal) = &mut self.journal {
            lines.push(journal.asked(&scene, said.clone()));
        }
        self.left = said.launch;
        self.said = Some(said);
        self.due = false;
        lines
    }

    /// For the view.
    pub(super) fn line(&self) -> Option<PacingLine> {
        self.said.as_ref().map(|said| PacingLine {
            launch: said.launch,
            idle: said.idle,
            lines: said.lines,
            answer: said.answer,
            level: said.level,
            allowed: said.allowed,
            risk: said.risk,
            credit: said.credit,
            held_by: said.held_by,
            small_team: said.small_team,
            answers: self.answers.as_ref().map(Answers::line),
        })
    }
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
            let (forecast, unreadable) = Forecast::new(now, &room.settings, &room.learned);
            room.forecast = Some(Box::new(forecast));
            self.deadlines.set(Timer::Forecast(campaign), Some(now.tick + EVERY));
            if !unreadable.is_empty() {
                self.save_forecast(now, campaign, &unreadable, out);
            }
        } else if !predicts && room.forecast.is_some() {
            self.save_learned(now, campaign, out);
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
        let room = self.rooms.get_mut(&campaign);
        if let Some(forecast) = room.and_then(|room| room.forecast.as_mut())
            && !forecast.seen.is_empty()
        {
            forecast.ask_soon();
            self.forecast(now, campaign);
        }
        let forecast = self.rooms.get(&campaign).and_then(|room| room.forecast.as_ref());
        if forecast.is_some_and(|forecast| forecast.learned) {
            self.save_forecast(now, campaign, &[], out);
        }
    }

    fn save_forecast(
        &mut self,
        now: Now,
        campaign: CampaignId,
        unreadable: &[(LearnedPart, String)],
        out: &mut Vec<Action>,
    ) {
        let Some(room) = self.rooms.get_mut(&campaign) else { return };
        let Some(forecast) = &mut room.forecast else { return };
        forecast.saved = now.tick;
        forecast.learned = false;
        let pacing = forecast.pacer.remember();
        room.learned.pacing = Some(pacing.clone());
        let mut parts = vec![(LearnedPart::Pacing, pacing)];
        // What was learned earlier stays as it is where nothing is learned now.
        if let Some(answers) = forecast.answers.as_ref().map(Answers::remember) {
            room.learned.answers = Some(answers.clone());
            parts.push((LearnedPart::Answers, answers));
        }
        for (part, body) in parts {
            let wrong = unreadable.iter().find(|(of, _)| *of == part);
            let unreadable = wrong.map(|(_, wrong)| wrong.clone());
            let learned = Learned { campaign, part, body, unreadable, at: now.utc };
            self.store(StoreCommand::Learned(Box::new(learned)), Waiting::Fact, out);
        }
    }

    /// Asks the engine of a campaign, if it is to be asked now.
    pub(super) fn forecast(&mut self, now: Now, campaign: CampaignId) {
        let Some(room) = self.rooms.get(&campaign) else { return };
        if !room.forecast.as_ref().is_some_and(|forecast| forecast.due) {
            return;
        }
        let line = self.line_of(campaign).and_then(|line| self.lines.get(line));
        let channels = line.map_or(0, |line| line.settings.channels.saturating_sub(line.in_use));
        let lines = u64::try_from(self.max_lines.saturating_sub(self.calls.len()));
        let calls: BTreeMap<u64, CallSince> = self
            .calls
            .values()
            .filter(|call| call.campaign == campaign)
            .filter_map(|call| Some((engine_id(call.attempt), call.in_forecast()?)))
            .collect();
        let under_way = u64::try_from(calls.len()).unwrap_or(u64::MAX);
        let window = room.window(now.utc);
        let mut agents: BTreeMap<i64, AgentSince> = self
            .desks
            .values()
            .filter_map(|desk| Some((desk.id.0, self.agent_now(room, desk)?)))
            .collect();
        // The engine counts on those who are not kept for people who call back.
        for kept in self.kept_for_return_calls(&room.settings.skills) {
            agents.entry(kept.0).and_modify(|agent| agent.0 = AgentStage::Paused);
        }
        // Nor on those who will be: what they do is learned from, and nobody waits for its end.
        for kept in self.kept_when_free() {
            agents.entry(kept.0).and_modify(|agent| agent.2 = true);
        }
        let scene = Scene {
            at: now.tick.micros_since_start(),
            window_left_ms: u64::try_from(window.ends.0.saturating_sub(now.utc.0)).unwrap_or(0),
            window: room.credit.ledger.account(window.starts).map(|account| WindowNow {
                starts_ms: window.starts.0,
                answered: account.answered,
                abandoned: account.abandoned,
            }),
            most_lines: under_way.saturating_add(lines.unwrap_or(u64::MAX).min(channels.into())),
            spare: room.credit.spare(now, room.span(now)),
            agents,
            calls,
            next: room.next_odds(),
            seen: vec![],
        };
        let part = self.journal.as_ref().map(|journal| journal.part);
        let Some(forecast) = self.rooms.get_mut(&campaign).and_then(|r| r.forecast.as_mut()) else {
            return;
        };
        let lines = forecast.ask(scene, part);
        if let Some(journal) = &mut self.journal {
            journal.lines.extend(lines.into_iter().map(|line| (campaign, line)));
        }
    }

    /// Keeps a journal of what the engines are asked and say, in parts of about so many bytes. It begins anew now: also
    /// where it was kept before and something of it was lost.
    pub fn keep_journal(&mut self, part: u64) {
        self.journal = Some(Journals { part, lines: vec![] });
        let forecasts = self.rooms.values_mut().filter_map(|room| room.forecast.as_mut());
        forecasts.for_each(|forecast| forecast.journal = None);
    }

    /// The lines of the journal since it was last taken. Where one is kept, to be asked after every input.
    pub fn take_journal(&mut self) -> Vec<(CampaignId, Line<Said>)> {
        self.journal.as_mut().map(|journal| std::mem::take(&mut journal.lines)).unwrap_or_default()
    }

    /// What an agent does, as far as it concerns this campaign; one who is with another campaign's call is not counted on.
    fn agent_now(&self, room: &Room, desk: &Desk) -> Option<AgentSince> {
        let skilled = has(desk, &room.settings.skills);
        let machine = &desk.machine;
        // Whoever is kept for a call has its page.
        let ours = || desk.last.as_ref().is_some_and(|last| last.campaign == room.id);
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
        // Whoever waits takes the call that is kept for him, wherever he wants to go after it; how long does not matter.
        let waits = stage == AgentStage::Idle;
        let since = if waits { 0 } else { machine.since().tick.micros_since_start() };
        skilled.then_some(AgentSince(stage, since, !waits && machine.is_leaving()))
    }

    /// Tells the engine what became of a call.
    pub(super) fn tell_stage(&mut self, now: Now, attempt: AttemptId, before: Stage) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let after = call.machine.stage();
        if after == before || call.machine.is_agentless() {
            return;
        }
        call.stage_since = now.tick;
        // The answer crossed our CANCEL.
        call.foretold &= !(before == Stage::Cancelling && after == Stage::Waiting);
        let id = engine_id(attempt);
        let happened: &[Fact] = match after {
            Stage::Ringing => &[Fact::Ringback(id)],
            // Whoever lost an agent in mid-talk was told of before.
            Stage::Waiting if !call.foretold => &[Fact::Answered(id), Fact::Live(id)],
            Stage::Talking if !call.foretold => &[Fact::Connected(id)],
            Stage::Message if !call.foretold => &[Fact::Abandoned(id)],
            Stage::Cancelling if !call.foretold => &[Fact::NoAnswer(id)],
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
        let Some(call) =
            self.calls.get(&attempt).filter(|call| !call.foretold && !call.machine.is_agentless())
        else {
            return;
        };
        let id = engine_id(attempt);
        let what = match outcome {
            Outcome::Connected => Fact::Connected(id),
            Outcome::Abandoned | Outcome::AgentLost => Fact::Abandoned(id),
            // Nobody wanted an agent.
            Outcome::MessagePlayed | Outcome::MessageCut => return,
            Outcome::NoAnswer => Fact::NoAnswer(id),
            Outcome::Busy
            | Outcome::Rejected
            | Outcome::Unwanted
            | Outcome::Invalid
            | Outcome::Unreachable
            | Outcome::Congestion
            | Outcome::TrunkFault
            | Outcome::NotDelivered => Fact::Refused(id),
            Outcome::NotPlaced | Outcome::Cancelled | Outcome::Unknown => Fact::Cancelled(id),
        };
        let campaign = call.campaign;
        self.tell_forecast(now, campaign, &[what]);
    }

    /// An attempt never was.
    pub(super) fn tell_undone(&mut self, now: Now, call: &Call) {
        let undone = Fact::Cancelled(engine_id(call.attempt));
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
            let talk = Fact::TalkEnded(micros(talk), machine);
            let wrap = wrap.map(|wrap| Fact::WrapEnded(micros(wrap)));
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

    fn tell_forecast(&mut self, now: Now, campaign: CampaignId, happened: &[Fact]) {
        let room = self.rooms.get_mut(&campaign);
        if let Some(forecast) = room.and_then(|room| room.forecast.as_mut()) {
            happened.iter().for_each(|what| forecast.happened(now, *what));
        }
    }
}

impl Call {
    /// As the engine sees it, while it has no agent yet.
    fn in_forecast(&self) -> Option<CallSince> {
        if self.machine.is_agentless() {
            return None;
        }
        let begun = self.begun.micros_since_start();
        let since = self.stage_since.micros_since_start();
        let odds = self.known.map_or(OddsNow::EVEN, |known| known.odds());
        match self.machine.stage() {
            // From the decision to the first ring, whatever part of it is spent before the INVITE.
            Stage::Starting | Stage::Dialing => {
                Some(CallSince(CallStage::Dialing, begun, begun, odds))
            }
            Stage::Ringing => Some(CallSince(CallStage::Ringing, begun, since, odds)),
            Stage::Waiting => Some(CallSince(CallStage::Waiting, begun, since, odds)),
            Stage::Cancelling | Stage::Talking | Stage::Message | Stage::Ended => None,
        }
    }
}

/// What is kept of the journals until somebody takes it.
#[derive(Debug)]
pub(super) struct Journals {
    part: u64,
    lines: Vec<(CampaignId, Line<Said>)>,
}

fn engine_id(attempt: AttemptId) -> u64 {
    attempt.0.unsigned_abs()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// How often the engine is asked though nothing happened.
const EVERY: Duration = Duration::from_millis(500);
/// How often what is learned is written.
const SAVED_EVERY: Duration = Duration::from_secs(60);
/// Most facts that wait for the engine: more than half a second can bring.
const MOST_SEEN: usize = 100_000;
