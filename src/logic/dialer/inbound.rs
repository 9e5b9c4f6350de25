//! Free agents who are kept for return calls: people who were called call back, at another number than this dialer's.
//!
//! No new call and no preview takes them; a person who has answered does, for nobody may meet silence. An agent who pauses
//! with the reason [`RETURN_CALL`] is on such a call. Campaigns with the same skills expect theirs together.

use crate::logic::agent::Kind;
use crate::logic::dialer::desk::Desk;
use crate::logic::dialer::room::Room;
use crate::logic::dialer::{CampaignState, Dialer};
use crate::logic::ids::CampaignId;
use crate::logic::pacing::return_calls::{agents_for, to_keep};

impl Dialer {
    /// How many of the free agents with these skills are kept now.
    pub(super) fn kept_for_return_calls(&self, skills: &[String]) -> usize {
        let same = |room: &&Room| {
            room.state == CampaignState::Running && same_skills(&room.settings.skills, skills)
        };
        let wanted = agents_for(
            self.rooms.values().filter(same).filter_map(|room| room.settings.return_calls),
        );
        if wanted == 0 {
            return 0;
        }
        let on_one = |desk: &&Desk| {
            desk.machine.kind() == Kind::Paused
                && desk.machine.pause_reason() == Some(RETURN_CALL)
                && has(desk, skills)
        };
        let free = self.desks.free().filter(|desk| has(desk, skills)).count();
        to_keep(wanted, self.desks.values().filter(on_one).count(), free)
    }

    /// Skills of which every free agent is kept for return calls: nobody who has them takes a new call.
    pub(super) fn skills_kept(&self) -> Vec<&[String]> {
        let expecting = self.rooms.values().filter(|room| room.settings.return_calls.is_some());
        let skills = expecting.map(|room| room.settings.skills.as_slice());
        skills
            .filter(|skills| {
                let kept = self.kept_for_return_calls(skills);
                kept > 0 && self.desks.free().filter(|desk| has(desk, skills)).count() <= kept
            })
            .collect()
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
        let kept = self.skills_kept();
        let ours = |desk: &Desk| has(desk, &room.settings.skills) && !is_spare(desk, &kept);
        if self.desks.free().any(ours) { "return_calls" } else { held_by }
    }
}

/// Whether a free agent may take a new call, where all who have one of these sets of skills are kept.
pub(super) fn is_spare(desk: &Desk, kept: &[&[String]]) -> bool {
    !kept.iter().any(|skills| has(desk, skills))
}

fn has(desk: &Desk, skills: &[String]) -> bool {
    skills.iter().all(|skill| desk.settings.skills.contains(skill))
}

fn same_skills(one: &[String], other: &[String]) -> bool {
    one.iter().all(|skill| other.contains(skill)) && other.iter().all(|skill| one.contains(skill))
}

/// The reason with which an agent pauses who takes a return call.
pub(super) const RETURN_CALL: &str = "return call";
