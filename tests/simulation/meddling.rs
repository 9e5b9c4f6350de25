//! What people do at odd moments: at the control socket, and with their phones.

use std::time::Duration;

use outdial::logic::dialer::command::Command;
use outdial::simulation::dice::Dice;
use outdial::simulation::phone::PhoneOrder;

use crate::plan::{self, Plan};

/// One thing somebody does, and what the same person does later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Ask(Command),
    /// The agent by place.
    Phone(usize, PhoneOrder),
}

/// Something at random; the second deed follows after a while.
pub(crate) fn deed(dice: &mut Dice, plan: &Plan) -> (Deed, Option<(Duration, Deed)>) {
    let at = usize::try_from(dice.below(u64::try_from(plan.agents.len()).unwrap())).unwrap();
    let agent = plan::agent_name(at);
    let later = Duration::from_millis(500 + dice.below(10_000));
    let choice = dice.below(12);
    let pick = usize::try_from(dice.below(1_000)).unwrap();
    let ask = |command| (Deed::Ask(command), None);
    match choice {
        0 => ask(Command::AgentPause { agent, reason: Some("tea".to_owned()) }),
        1 => ask(Command::AgentReady { agent }),
        2 => ask(Command::AgentLogout { agent }),
        3 => ask(Command::AgentHangUp { agent }),
        4 | 5 => {
            let codes = &plan.campaigns[0].dispositions;
            let code = codes[pick % codes.len()].code.clone();
            let (attempt, memo, callback) = (None, None, None);
            ask(Command::AgentDisposition { agent, code, attempt, memo, callback })
        }
        6 => {
            let campaign = plan.campaigns[pick % plan.campaigns.len()].name.clone();
            let resume = Deed::Ask(Command::CampaignResume { campaign: campaign.clone() });
            (Deed::Ask(Command::CampaignPause { campaign }), Some((later, resume)))
        }
        7 => {
            let person = plan::person(u32::try_from(pick % 200).unwrap());
            ask(Command::Suppress {
                seller: plan.campaigns[0].seller.clone(),
                number: person.phones[0].key.clone(),
                reason: "do_not_call".to_owned(),
                proof: "a letter".to_owned(),
            })
        }
        8 => {
            let resume = Deed::Phone(at, PhoneOrder::Resume);
            (Deed::Phone(at, PhoneOrder::Hold), Some((later, resume)))
        }
        9 => (Deed::Phone(at, PhoneOrder::HangUp), None),
        10 => {
            let keys = ["##", "1", "9", "2#", "*", "#"][pick % 6].to_owned();
            (Deed::Phone(at, PhoneOrder::Press(keys)), None)
        }
        _ => ask(Command::Status),
    }
}
