//! In which order the commands of one batch take effect.
//!
//! Commands of one kind run together, so the order of arrival is not kept between kinds. Facts come first: a refusal or
//! an outcome that is committed with an intent already holds it back. A fact about an attempt whose intent is in the same
//! batch (given up before it was answered) comes after that intent.

use std::collections::BTreeSet;

use crate::logic::dialer::StoreCommand;
use crate::logic::ids::AttemptId;
use crate::logic::ids::LegId;

/// Positions of `commands` in the order in which they take effect; those of one kind are neighbours and keep their order.
/// (`Covered` and `Connected` count as one kind.)
#[must_use]
pub fn effect_order(commands: &[StoreCommand]) -> Vec<usize> {
    let intended = Intended::of(commands);
    let mut order: Vec<usize> = (0..commands.len()).collect();
    order.sort_by_key(|at| commands.get(*at).map(|command| rank(command, &intended)));
    order
}

/// What the intents of a batch begin.
struct Intended {
    attempts: BTreeSet<AttemptId>,
    legs: BTreeSet<LegId>,
}

impl Intended {
    fn of(commands: &[StoreCommand]) -> Self {
        let mut intended = Self { attempts: BTreeSet::new(), legs: BTreeSet::new() };
        for command in commands {
            if let StoreCommand::Intent(intent) = command {
                intended.attempts.insert(intent.attempt);
                intended.legs.insert(intent.leg);
            }
        }
        intended
    }
}

fn rank(command: &StoreCommand, intended: &Intended) -> u8 {
    let after = |intended: bool| if intended { AFTER_INTENTS } else { 0 };
    let late = |attempt: &AttemptId| after(intended.attempts.contains(attempt));
    match command {
        StoreCommand::Heartbeat { .. } => 0,
        StoreCommand::CampaignState { .. } | StoreCommand::CampaignMode { .. } => 1,
        StoreCommand::AgentLeg(_) => 2,
        StoreCommand::LegAnswered(leg) => 3 + leg.attempt.as_ref().map_or(0, late),
        // Together: an agent goes from call to call, and the last word on who has one must stay the last.
        StoreCommand::Covered { attempt } | StoreCommand::Connected { attempt, .. } => {
            4 + late(attempt)
        }
        StoreCommand::Outcome(outcome) => 6 + late(&outcome.attempt),
        StoreCommand::Disposition(disposition) => 7 + late(&disposition.attempt),
        StoreCommand::LegEnded(leg) => 8 + after(intended.legs.contains(&leg.leg)),
        StoreCommand::Suppress(_) => 9,
        StoreCommand::Release(_) => 10,
        StoreCommand::Promote { .. } => 11,
        StoreCommand::Claim(_) => 12,
        StoreCommand::Intent(_) => 13,
        StoreCommand::AgentState(_) => 30,
        StoreCommand::Learned(_) => 29,
        StoreCommand::Count { .. } => 31,
        StoreCommand::Account { .. } => 32,
        StoreCommand::DrawShare(_) => 33,
        StoreCommand::Look(_) => 34,
        StoreCommand::NodeEnded { .. } => 35,
    }
}

/// Lifts the facts of an attempt above its intent.
const AFTER_INTENTS: u8 = 13;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::dialer::{CampaignState, Suppress};
    use crate::logic::ids::{AgentId, CampaignId, SellerId, SuppressionId};
    use crate::logic::time::UtcMs;

    #[test]
    fn a_refusal_takes_effect_before_what_it_must_stop() {
        let count = StoreCommand::Count { campaign: CampaignId(1) };
        let promote = StoreCommand::Promote { campaign: CampaignId(1), now: UtcMs(0), limit: 1 };
        let suppress = StoreCommand::Suppress(Suppress {
            suppression: SuppressionId(1),
            seller: SellerId(1),
            contact: None,
            phone_key: None,
            reason: String::new(),
            proof: String::new(),
            at: UtcMs(0),
        });
        let connected = |attempt| StoreCommand::Connected {
            attempt: AttemptId(attempt),
            agent: AgentId(1),
            at: UtcMs(0),
            given_up: None,
        };
        let state = StoreCommand::CampaignState {
            campaign: CampaignId(1),
            state: CampaignState::Paused,
            at: UtcMs(0),
            by: String::new(),
        };
        let batch = [count, promote, suppress, connected(1), state, connected(2)];
        assert_eq!(effect_order(&batch), [4, 3, 5, 2, 1, 0]);
    }
}
