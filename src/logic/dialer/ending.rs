//! Draining, hanging up, finishing.
//!
//! The first signal drains: no new INVITE; rings run to answer or limit with their agents kept, talks are never cut.
//! The second one ends every call and is out within two seconds. A run `until_idle` drains by itself.
//!
//! Legs of an earlier process are waited for too, though nothing of ours is up any more: their CANCEL or BYE is repeated
//! until it is answered or 64*T1 are over. Only then is it known that nobody is left ringing.

use std::time::Duration;

use crate::logic::agent::{self, Kind};
use crate::logic::attempt::{self, Stage};
use crate::logic::dialer::{Action, Dialer, LegCommand, LegOwner, StoreCommand, Timer, Waiting};
use crate::logic::ids::{AgentId, AttemptId, CampaignId};
use crate::logic::time::{Now, Tick};

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Not at all.
    No,
    /// No new attempt; calls in progress go on.
    Draining,
    /// Calls and wrap-ups are over; agents' phones are being hung up and the last rows written.
    Closing {
        /// Agents' phones that have not answered by then are given up.
        phones: Tick,
        /// Everything is, also the legs of an earlier process.
        all: Tick,
    },
    /// `Finished` was said.
    Over,
}

impl Ending {
    pub(super) const fn starts_nothing(self) -> bool {
        !matches!(self, Self::No)
    }
}

impl Dialer {
    pub(super) fn shut_down(&mut self, now: Now, out: &mut Vec<Action>) {
        match self.ending {
            Ending::No => self.drain(now, out),
            Ending::Draining | Ending::Closing { .. } => self.hang_up_all(now, out),
            Ending::Over => {}
        }
    }

    /// Starts nothing new from here on. What has not left yet will not.
    pub(super) fn drain(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.ending != Ending::No {
            return;
        }
        self.ending = Ending::Draining;
        let unsent: Vec<AttemptId> = self
            .calls
            .values()
            .filter(|call| call.machine.stage() == Stage::Starting)
            .map(|call| call.attempt)
            .collect();
        for attempt in unsent {
            self.call_event(now, attempt, attempt::Event::Stop, out);
        }
        for campaign in self.rooms.keys().copied().collect::<Vec<CampaignId>>() {
            self.release_all(now, campaign, out);
        }
    }

    fn hang_up_all(&mut self, now: Now, out: &mut Vec<Action>) {
        for attempt in self.calls.keys().copied().collect::<Vec<_>>() {
            self.call_event(now, attempt, attempt::Event::Stop, out);
        }
        self.close(now, out);
        let over = now.tick + LAST_WORDS;
        self.ending = Ending::Closing { phones: over, all: over };
        self.deadlines.set(Timer::Ending, Some(over));
    }

    /// After every input: is there anything left to wait for?
    pub(super) fn look_for_the_end(&mut self, now: Now, out: &mut Vec<Action>) {
        match self.ending {
            Ending::No => {
                let idle = self.until_idle && self.rooms.values().all(|room| room.is_idle(now));
                if idle && self.is_quiet() {
                    self.drain(now, out);
                    self.close(now, out);
                }
            }
            Ending::Draining => {
                if self.is_quiet() {
                    self.close(now, out);
                }
            }
            Ending::Closing { phones, all } => {
                let done = self.legs.is_empty() && self.waiting.is_empty();
                let given_up = now.tick >= phones && self.old_legs() == 0;
                if done || given_up || now.tick >= all {
                    self.finish(now, out);
                } else if now.tick >= phones {
                    self.deadlines.set(Timer::Ending, Some(all));
                }
            }
            Ending::Over => {}
        }
    }

    /// Legs of an earlier process of which it is not known yet that they are over.
    pub(super) fn old_legs(&self) -> usize {
        let old = |owner: &&LegOwner| matches!(owner, LegOwner::Recovered(_) | LegOwner::Stray);
        self.legs.values().filter(old).count()
    }

    /// No call is in progress and no agent is after one.
    fn is_quiet(&self) -> bool {
        let busy =
            |kind| matches!(kind, Kind::Previewing | Kind::Reserved | Kind::OnCall | Kind::WrapUp);
        self.calls.is_empty() && !self.desks.values().any(|desk| busy(desk.machine.kind()))
    }

    fn close(&mut self, now: Now, out: &mut Vec<Action>) {
        if matches!(self.ending, Ending::Closing { .. } | Ending::Over) {
            return;
        }
        let phones = now.tick + PHONES_CLOSE;
        self.ending = Ending::Closing { phones, all: now.tick + OLD_LEGS_CLOSE };
        self.deadlines.set(Timer::Ending, Some(phones));
        for campaign in self.rooms.keys().copied().collect::<Vec<CampaignId>>() {
            self.save_learned(now, campaign, out);
        }
        for agent in self.desks.keys().copied().collect::<Vec<AgentId>>() {
            let leg = self.desks.get(&agent).and_then(|desk| desk.leg);
            self.desk_event(now, agent, agent::Event::LogOut, out);
            // In wrap-up a log-out waits for its end; the process does not.
            if let Some(leg) = leg {
                out.push(Action::Leg(leg, LegCommand::HangUp));
            }
        }
    }

    fn finish(&mut self, now: Now, out: &mut Vec<Action>) {
        self.ending = Ending::Over;
        self.deadlines.set(Timer::Ending, None);
        self.deadlines.set(Timer::Heartbeat, None);
        // The last row: from here on others may take what is left.
        self.store(StoreCommand::NodeEnded { at: now.utc }, Waiting::Fact, out);
        out.push(Action::Finished);
    }
}

/// After the second signal: BYEs and CANCELs have left, outcomes are being written.
const LAST_WORDS: Duration = Duration::from_millis(1_500);
/// How long agents' phones may take to answer our BYE, and the database to take the last rows.
const PHONES_CLOSE: Duration = Duration::from_secs(5);
/// How long legs of an earlier process may take. RFC 3261 §9.1: a CANCEL is given up after 64*T1 (32 s); a 200 that comes
/// in its last moment is answered by a BYE, which has 64*T1 of its own (§17.1.2.2, Timer F).
const OLD_LEGS_CLOSE: Duration = Duration::from_secs(66);
