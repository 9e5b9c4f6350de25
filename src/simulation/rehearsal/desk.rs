//! The agents of a rehearsal: they log in, get ready, rest, say how a talk went, and go home.

use std::time::Duration;

use crate::logic::dialer::command::{AgentNotice, AgentState, Command};
use crate::logic::ids::AgentId;
use crate::logic::time::Tick;
use crate::simulation::rehearsal::record::Spent;
use crate::simulation::rehearsal::staff::Presence;
use crate::simulation::rehearsal::world::{Due, World};

/// One agent.
#[derive(Debug)]
pub(super) struct Desk {
    id: AgentId,
    name: String,
    state: AgentState,
    since: Tick,
    /// Waits for a talk since then.
    idle_since: Option<Tick>,
    /// Away, or about to be.
    away: Away,
    /// The talk to be told of.
    talk: Option<Talk>,
    /// Counts wrap-ups, so that the end of an earlier one is known for what it is.
    wraps: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Away {
    No,
    /// Rests for so long, from the moment of the pause on.
    Rest(Duration),
    Home,
}

/// What an agent will say of a talk, and when.
#[derive(Clone, Debug)]
pub(super) struct Talk {
    pub(super) wrap: Duration,
    pub(super) said: Option<String>,
}

impl Desk {
    pub(super) fn new(id: AgentId, name: &str, now: Tick) -> Self {
        Self {
            id,
            name: name.to_owned(),
            state: AgentState::Offline,
            since: now,
            idle_since: None,
            away: Away::No,
            talk: None,
            wraps: 0,
        }
    }

    pub(super) const fn is_gone(&self) -> bool {
        matches!(self.state, AgentState::Offline)
    }
}

impl World<'_> {
    pub(super) fn place_of(&self, agent: AgentId) -> Option<usize> {
        self.desks.binary_search_by_key(&agent, |desk| desk.id).ok()
    }

    /// A day begins: when each agent comes, rests and goes.
    pub(super) fn begin_day(&mut self, day: u32) {
        let Some(work) = usize::try_from(day).ok().and_then(|day| self.rehearsal.days.get(day))
        else {
            return;
        };
        let length = u64::try_from(work.length.as_millis()).unwrap_or(u64::MAX);
        let roster = self.rehearsal.roster.day(self.seed, day, self.desks.len(), length);
        for (agent, presence) in roster.into_iter().enumerate() {
            let Presence { from, rests, until } = presence;
            if from >= until {
                continue;
            }
            let millis = Duration::from_millis;
            self.later(millis(from), Due::LogIn(agent));
            for (at, long) in rests.into_iter().filter(|(at, _)| *at < until) {
                self.later(millis(at), Due::Rest(agent, long));
            }
            self.later(millis(until), Due::Home(agent));
        }
    }

    pub(super) fn log_in(&mut self, agent: usize) {
        if let Some(desk) = self.desks.get_mut(agent) {
            desk.away = Away::No;
            let login = Command::AgentLogin { agent: desk.name.clone() };
            self.command(login);
        }
    }

    pub(super) fn rest(&mut self, agent: usize, millis: u64) {
        let Some(desk) = self.desks.get_mut(agent) else { return };
        if desk.is_gone() || desk.away != Away::No {
            return;
        }
        desk.away = Away::Rest(Duration::from_millis(millis));
        let pause =
            Command::AgentPause { agent: desk.name.clone(), reason: Some("break".to_owned()) };
        self.command(pause);
    }

    pub(super) fn home(&mut self, agent: usize) {
        let Some(desk) = self.desks.get_mut(agent) else { return };
        desk.away = Away::Home;
        if !desk.is_gone() {
            let log_out = Command::AgentLogout { agent: desk.name.clone() };
            self.command(log_out);
        }
    }

    /// Ready again, after the log-in or a rest.
    pub(super) fn back(&mut self, agent: usize) {
        let Some(desk) = self.desks.get_mut(agent) else { return };
        if desk.state == AgentState::Paused && desk.away != Away::Home {
            desk.away = Away::No;
            let ready = Command::AgentReady { agent: desk.name.clone() };
            self.command(ready);
        }
    }

    /// Who is shown has been read of, and is called.
    pub(super) fn read(&mut self, agent: usize) {
        if let Some(desk) =
            self.desks.get(agent).filter(|desk| desk.state == AgentState::Previewing)
        {
            let dial = Command::AgentDial { agent: desk.name.clone(), whom: None };
            self.command(dial);
        }
    }

    pub(super) fn begin_talk(&mut self, agent: usize, talk: Talk) {
        if let Some(desk) = self.desks.get_mut(agent) {
            desk.talk = Some(talk);
        }
    }

    /// The wrap-up is over for the agent: the word is said, and the next call may come.
    pub(super) fn wrapped(&mut self, agent: usize, wrap: u32) {
        let Some(desk) = self.desks.get_mut(agent).filter(|desk| desk.wraps == wrap) else {
            return;
        };
        let (name, talk, away) = (desk.name.clone(), desk.talk.take(), desk.away);
        let wrapping = desk.state == AgentState::WrapUp;
        if let Some(code) = talk.and_then(|talk| talk.said) {
            *self.said.entry(code.clone()).or_default() += 1;
            self.command(Command::AgentDisposition {
                agent: name.clone(),
                code,
                attempt: None,
                memo: None,
                callback: None,
            });
        }
        // "Ready" would take back a wish for a rest: who wants one waits for the end of the wrap-up time.
        if wrapping && away == Away::No {
            self.command(Command::AgentReady { agent: name });
        }
    }

    /// The dialer tells an agent's state.
    pub(super) fn told(&mut self, notice: &AgentNotice) {
        let (tick, at) = (self.now.tick, self.micros());
        let Some(agent) = self.names.get(&notice.agent).copied() else { return };
        let Some(desk) = self.desks.get_mut(agent) else { return };
        if desk.state == notice.state {
            return;
        }
        let before = std::mem::replace(&mut desk.state, notice.state);
        let since = std::mem::replace(&mut desk.since, tick);
        match notice.state {
            AgentState::Ready | AgentState::Reserved => {
                desk.idle_since.get_or_insert(tick);
            }
            AgentState::Previewing => {
                desk.idle_since.get_or_insert(tick);
                let most = self.rehearsal.campaign.preview.within.saturating_sub(LAST_MOMENT);
                self.later(READS.min(most), Due::Read(agent));
            }
            AgentState::OnCall => {
                let idle = desk.idle_since.take().map(|since| tick.since(since));
                self.note_idle(idle);
            }
            AgentState::WrapUp => {
                desk.wraps += 1;
                // Who is not done when the campaign's wrap-up time ends says the word in the last moment.
                let most = self.rehearsal.campaign.wrap_up.saturating_sub(LAST_MOMENT);
                let wrap = desk.talk.as_ref().map_or(Duration::ZERO, |talk| talk.wrap.min(most));
                let wraps = desk.wraps;
                self.later(wrap, Due::Wrapped(agent, wraps));
            }
            AgentState::Paused => {
                desk.idle_since = None;
                let back = match desk.away {
                    Away::No => Some(Duration::ZERO),
                    Away::Rest(long) => Some(long),
                    Away::Home => None,
                };
                if let Some(back) = back {
                    self.later(back, Due::Back(agent));
                }
            }
            AgentState::Offline | AgentState::LoggingIn => desk.idle_since = None,
        }
        let from = since.micros_since_start();
        match before {
            AgentState::Ready | AgentState::Previewing | AgentState::Reserved => {
                self.recorder.spend(from, at, Spent::Idle)
            }
            AgentState::OnCall => self.recorder.spend(from, at, Spent::Talk),
            AgentState::WrapUp => self.recorder.spend(from, at, Spent::Wrap),
            AgentState::Paused => self.recorder.spend(from, at, Spent::Paused),
            AgentState::Offline | AgentState::LoggingIn => {}
        }
    }
}

/// How long an agent reads of a person before the call, in preview mode.
const READS: Duration = Duration::from_secs(10);
const LAST_MOMENT: Duration = Duration::from_millis(100);
