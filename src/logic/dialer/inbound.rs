//! Free agents who are kept for return calls: people who were called call back, at another number than this dialer's.
//!
//! No new call and no preview takes them; a person who has answered does, for nobody may meet silence. An agent who pauses
//! with the reason [`RETURN_CALL`] is on such a call. An agent is kept for a set of skills by having them all, so whoever
//! has more may be kept for several; what a set's agents must bear together are the return calls of every campaign that
//! asks for it, with or without more. Choosing an agent, telling the engine on whom it may count and showing how many are
//! kept all ask [`KeptBack`].

use crate::logic::agent::Kind;
use crate::logic::dialer::desk::Desk;
use crate::logic::dialer::{CampaignState, Dialer};
use crate::logic::ids::{AgentId, CampaignId};
use crate::logic::pacing::return_calls::{agents_for, lacking, to_keep};

/// Sets of skills for which agents are kept.
#[derive(Default)]
pub(super) struct KeptBack<'a>(Vec<Kept<'a>>);

struct Kept<'a> {
    skills: &'a [String],
    /// How many of the free agents who have these are not needed for them.
    beyond: usize,
    /// How many more are wanted than are free.
    lacking: usize,
}

impl KeptBack<'_> {
    /// Whether a free agent may take a new call: of every set that he has, enough others are free.
    pub(super) fn spares(&self, desk: &Desk) -> bool {
        self.of(desk).all(|kept| kept.beyond > 0)
    }

    /// Whoever may take a new call takes one.
    fn take(&mut self, desk: &Desk) -> bool {
        let spared = self.spares(desk);
        if spared {
            let of_his = self.0.iter_mut().filter(|kept| has(desk, kept.skills));
            of_his.for_each(|kept| kept.beyond = kept.beyond.saturating_sub(1));
        }
        spared
    }

    /// Whether an agent who is busy will be kept when he is free; who will, is.
    fn claim(&mut self, desk: &Desk) -> bool {
        let lacks = self.of(desk).any(|kept| kept.lacking > 0);
        if lacks {
            let of_his = self.0.iter_mut().filter(|kept| has(desk, kept.skills));
            of_his.for_each(|kept| kept.lacking = kept.lacking.saturating_sub(1));
        }
        lacks
    }

    fn of(&self, desk: &Desk) -> impl Iterator<Item = &Kept<'_>> {
        self.0.iter().filter(|kept| has(desk, kept.skills))
    }
}

impl Dialer {
    /// For which skills how many agents are kept now.
    pub(super) fn kept_back(&self) -> KeptBack<'_> {
        let running = || self.rooms.values().filter(|room| room.state == CampaignState::Running);
        let expecting = running().filter(|room| room.settings.return_calls.is_some());
        let kept = expecting.filter_map(|room| {
            let skills = room.settings.skills.as_slice();
            let asking = running().filter(|other| includes(&other.settings.skills, skills));
            let wanted = agents_for(asking.filter_map(|other| other.settings.return_calls));
            let on_one = self.desks.values().filter(|desk| is_on_one(desk) && has(desk, skills));
            let on_one = on_one.count();
            let free = self.desks.free().filter(|desk| has(desk, skills)).count();
            let keep = to_keep(wanted, on_one, free);
            let lacking = lacking(wanted, on_one, free);
            (keep > 0 || lacking > 0).then_some(Kept { skills, beyond: free - keep, lacking })
        });
        KeptBack(kept.collect())
    }

    /// Free agents with these skills whom no new call takes: who is left when every other has taken one, the longest idle
    /// first.
    pub(super) fn kept_for_return_calls(&self, skills: &[String]) -> Vec<AgentId> {
        let mut kept = self.kept_back();
        let left = self.desks.free().filter(|desk| has(desk, skills) && !kept.take(desk));
        left.map(|desk| desk.id).collect()
    }

    /// Busy agents who will be kept when they are free, because more are wanted than are: whoever is likely to be free
    /// first, who writes before who talks.
    pub(super) fn kept_when_free(&self) -> Vec<AgentId> {
        let mut kept = self.kept_back();
        if kept.0.is_empty() {
            return vec![];
        }
        let busy = |desk: &&Desk| {
            matches!(desk.machine.kind(), Kind::OnCall | Kind::WrapUp) && !desk.machine.is_leaving()
        };
        let mut busy: Vec<&Desk> = self.desks.values().filter(busy).collect();
        busy.sort_by_key(|desk| (desk.machine.kind() == Kind::OnCall, desk.machine.since().tick));
        busy.into_iter().filter(|desk| kept.claim(desk)).map(|desk| desk.id).collect()
    }

    /// What holds a campaign back that waits for agents though some are free.
    pub(super) fn name_return_calls(
        &self,
        campaign: CampaignId,
        held_by: &'static str,
    ) -> &'static str {
        let Some(room) = self.rooms.get(&campaign).filter(|_| held_by == "agents") else {
            return held_by;
        };
        let kept = self.kept_back();
        let ours = |desk: &Desk| has(desk, &room.settings.skills) && !kept.spares(desk);
        if self.desks.free().any(ours) { "return_calls" } else { held_by }
    }
}

fn is_on_one(desk: &Desk) -> bool {
    desk.machine.kind() == Kind::Paused && desk.machine.pause_reason() == Some(RETURN_CALL)
}

/// Whether an agent has all of these skills.
pub(super) fn has(desk: &Desk, skills: &[String]) -> bool {
    includes(&desk.settings.skills, skills)
}

fn includes(skills: &[String], asked: &[String]) -> bool {
    asked.iter().all(|skill| skills.contains(skill))
}

/// The reason with which an agent pauses who takes a return call.
pub(super) const RETURN_CALL: &str = "return call";
