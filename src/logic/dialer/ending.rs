//! Draining, hanging up, finishing.
//!
//! The first signal drains: no new INVITE; rings run to answer or limit with their agents kept, talks are never cut.
//! The second one ends every call and is out within two seconds. A run `until_idle` drains by itself.

use std::time::Duration;

use crate::logic::agent::{self, Kind};
use crate::logic::attempt::{self, Stage};
use crate::logic::dialer::{Action, Dialer, LegCommand, Timer};
use crate::logic::ids::{AgentId, AttemptId, CampaignId};
use crate::logic::time::Now;

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Not at all.
    No,
    /// No new attempt; calls in progress go on.
    Draining,
    /// Calls and wrap-ups are over; agents' phones are being hung up and the last rows written.
    Closing,
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
            Ending::Draining | Ending::Closing => self.hang_up_all(now, out),
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
        self.deadlines.set(Timer::Ending, Some(now.tick + LAST_WORDS));
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
            Ending::Closing => {
                let legs_closed = self.legs.is_empty();
                if legs_closed && self.waiting.is_empty() {
                    self.finish(out);
                }
            }
            Ending::Over => {}
        }
    }

    pub(super) fn ending_over(&mut self, _now: Now, out: &mut Vec<Action>) {
        if self.ending == Ending::Closing {
            self.finish(out);
        }
    }

    /// No call is in progress and no agent is after one.
    fn is_quiet(&self) -> bool {
        let busy = |kind| matches!(kind, Kind::Reserved | Kind::OnCall | Kind::WrapUp);
        self.calls.is_empty() && !self.desks.values().any(|desk| busy(desk.machine.kind()))
    }

    fn close(&mut self, now: Now, out: &mut Vec<Action>) {
        if matches!(self.ending, Ending::Closing | Ending::Over) {
            return;
        }
        self.ending = Ending::Closing;
        self.deadlines.set(Timer::Ending, Some(now.tick + PHONES_CLOSE));
        for agent in self.desks.keys().copied().collect::<Vec<AgentId>>() {
            let leg = self.desks.get(&agent).and_then(|desk| desk.leg);
            self.desk_event(now, agent, agent::Event::LogOut, out);
            // In wrap-up a log-out waits for its end; the process does not.
            if let Some(leg) = leg {
                out.push(Action::Leg(leg, LegCommand::HangUp));
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<Action>) {
        self.ending = Ending::Over;
        self.deadlines.set(Timer::Ending, None);
        out.push(Action::Finished);
    }
}

/// After the second signal: BYEs and CANCELs have left, outcomes are being written.
const LAST_WORDS: Duration = Duration::from_millis(1_500);
/// How long agents' phones may take to answer our BYE, and the database to take the last rows.
const PHONES_CLOSE: Duration = Duration::from_secs(5);
