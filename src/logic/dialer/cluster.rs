//! This process among the others on the same database: its heartbeat, the work of dead ones, its shares of the trunks.
//!
//! Alone on its database (SQLite) it beats, and that is all.

use std::collections::btree_map::Entry;

use crate::logic::agent::Kind;
use crate::logic::dialer::lease::{BEAT, Lease};
use crate::logic::dialer::{
    Action, CampaignState, Dialer, DrawShare, LegCommand, LegOwner, Look, OpenLeg, Seen,
    StoreCommand, StoreReply, Timer, Waiting,
};
use crate::logic::ids::CampaignId;
use crate::logic::time::{Now, UtcMs};

impl Dialer {
    /// Lengthens our lease, looks after the others and asks for our shares.
    pub(super) fn heartbeat(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.lease.is_fenced() {
            return;
        }
        self.deadlines.set(Timer::Heartbeat, Some(now.tick + BEAT));
        // One at a time: while the database hangs, beats do not pile up.
        if !self.is_waiting(|waiting| matches!(waiting, Waiting::Heartbeat(_))) {
            let beat = StoreCommand::Heartbeat { until: Lease::until(now), now: now.utc };
            self.store(beat, Waiting::Heartbeat(now), out);
        }
        if self.shared {
            self.look(now, out);
            self.draw_shares(now, out);
        }
    }

    pub(super) fn beat_stored(
        &mut self,
        now: Now,
        begun: Now,
        reply: &StoreReply,
        out: &mut Vec<Action>,
    ) {
        if matches!(reply, StoreReply::Refused { .. }) {
            // Our row belongs to somebody else, and what was ours too: no call may start any more.
            self.lease.beat_refused();
            self.drain(now, out);
        } else if self.lease.beat_landed(now, begun) {
            self.deadlines.set(Timer::Heartbeat, Some(now.tick));
        }
    }

    /// Whether an INVITE may leave, as far as lease and clock go.
    pub(super) fn may_invite(&self, now: Now) -> bool {
        self.lease.trusted(now) && !self.clock_is_off()
    }

    fn look(&mut self, now: Now, out: &mut Vec<Action>) {
        // Who is leaving takes nothing over.
        if self.ending.starts_nothing() || self.is_waiting(|w| matches!(w, Waiting::Look)) {
            return;
        }
        let look = Look {
            campaigns: self.rooms.keys().copied().collect(),
            take_lapsed: self.lease.may_take_over(now) && !self.clock_is_off(),
            now: now.utc,
        };
        self.store(StoreCommand::Look(look), Waiting::Look, out);
    }

    pub(super) fn seen(&mut self, now: Now, reply: StoreReply, out: &mut Vec<Action>) {
        let StoreReply::Seen(seen) = reply else { return };
        let Seen { campaigns, work, leads } = *seen;
        for (campaign, state, at) in campaigns {
            self.hear_state(now, campaign, state, at, out);
        }
        if leads > 0 {
            for (campaign, room) in &mut self.rooms {
                room.dry = false;
                self.deadlines.set(Timer::Room(*campaign), Some(now.tick));
            }
        }
        for open in work.attempts {
            let legs: Vec<OpenLeg> = open.legs.clone();
            let known = legs.iter().any(|leg| self.legs.contains_key(&leg.leg));
            if !known {
                self.recover(now, open, out);
                legs.into_iter().for_each(|leg| end_leg(leg, out));
            }
        }
        for stray in work.stray_legs {
            if let Entry::Vacant(place) = self.legs.entry(stray.leg) {
                place.insert(LegOwner::Stray);
                end_leg(stray, out);
            }
        }
    }

    /// Somebody paused or resumed a campaign at another process.
    fn hear_state(
        &mut self,
        now: Now,
        campaign: CampaignId,
        state: CampaignState,
        at: UtcMs,
        out: &mut Vec<Action>,
    ) {
        let Some(room) = self.rooms.get_mut(&campaign) else { return };
        if !room.hear(state, at) {
            return;
        }
        match state {
            CampaignState::Running => {
                room.dry = false;
                self.deadlines.set(Timer::Room(campaign), Some(now.tick));
            }
            CampaignState::Paused | CampaignState::Draining | CampaignState::Finished => {
                self.release_all(now, campaign, out);
            }
        }
    }

    /// The database says that a campaign does not run: until the next look says what it does, nothing is asked again.
    pub(super) fn stopped_elsewhere(
        &mut self,
        now: Now,
        campaign: CampaignId,
        out: &mut Vec<Action>,
    ) {
        let Some(room) = self.rooms.get_mut(&campaign).filter(|_| self.shared) else { return };
        if room.state == CampaignState::Running {
            room.state = CampaignState::Paused;
            self.release_all(now, campaign, out);
            self.look(now, out);
        }
    }

    /// Asks for our share of every trunk, or gives it back where nobody here wants one.
    pub(super) fn draw_shares(&mut self, now: Now, out: &mut Vec<Action>) {
        for line in 0..self.lines.len() {
            self.draw_share(now, line, out);
        }
    }

    fn draw_share(&mut self, now: Now, index: usize, out: &mut Vec<Action>) {
        let wanted = self.wants(index);
        let Some(line) = self.lines.get_mut(index) else { return };
        let Some(ask) = line.ask_share(now, wanted) else { return };
        let trunk = line.settings.name.clone();
        let draw = DrawShare { trunk, ask, now: now.utc };
        self.store(StoreCommand::DrawShare(draw), Waiting::Share(index), out);
    }

    pub(super) fn share_drawn(
        &mut self,
        now: Now,
        index: usize,
        reply: &StoreReply,
        out: &mut Vec<Action>,
    ) {
        let Some(line) = self.lines.get_mut(index) else { return };
        let drawn = if let StoreReply::Share(drawn) = reply { Some(*drawn) } else { None };
        let again = line.share_drawn(now, drawn);
        self.deadlines.set(Timer::Share(index), line.share_settles());
        if again {
            self.draw_share(now, index, out);
        }
    }

    pub(super) fn settle_share(&mut self, now: Now, index: usize, out: &mut Vec<Action>) {
        let Some(line) = self.lines.get_mut(index) else { return };
        line.settle_share(now);
        self.deadlines.set(Timer::Share(index), line.share_settles());
        self.grant(now, index, out);
    }

    /// Whether a campaign of this process may call over the trunk, for agents who are here or without any.
    fn wants(&self, index: usize) -> bool {
        let staffed = self.desks.values().any(|desk| desk.machine.kind() != Kind::Offline);
        !self.ending.starts_nothing()
            && self.rooms.values().any(|room| {
                room.state == CampaignState::Running
                    && self.line_of(room.id) == Some(index)
                    && (staffed || !room.needs_agents())
            })
    }

    fn is_waiting(&self, which: impl Fn(&Waiting) -> bool) -> bool {
        self.waiting.values().any(which)
    }
}

fn end_leg(leg: OpenLeg, out: &mut Vec<Action>) {
    out.push(Action::Leg(leg.leg, LegCommand::Recover(Box::new(leg))));
}
