//! The agents: they log in, see people, say what a call was, and their phones die.

use outdial::logic::dialer::command::{AgentState, Command};
use outdial::logic::dialer::*;
use outdial::logic::ids::LegId;
use outdial::logic::settings::DialMode;
use outdial::simulation::dice::Law;

use crate::far_ends::Stage;
use crate::floor::{Floor, Todo};

#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    LogIn,
    Ready,
    Say,
    /// Preview: has the person called who is shown to him, or passes him by.
    Decide,
    /// Manual mode: names somebody.
    Call,
}

impl Floor {
    pub(super) fn noticed(&mut self, agent: &str, state: AgentState) {
        if self.shown.insert(agent.to_owned(), state) == Some(state) || self.ending {
            return;
        }
        let (wait, deed) = match state {
            AgentState::Offline => (Law::between(100, 3_000), Deed::LogIn),
            AgentState::Paused => (Law::between(1, 200), Deed::Ready),
            AgentState::WrapUp => (Law::between(0, 2_000), Deed::Say),
            AgentState::Previewing => (Law::between(0, 4_000), Deed::Decide),
            AgentState::LoggingIn
            | AgentState::Ready
            | AgentState::Reserved
            | AgentState::OnCall => return,
        };
        let wait = wait.draw(&mut self.dice);
        self.plan(wait, Todo::Agent(agent.to_owned(), deed));
    }

    pub(super) fn deed(&mut self, agent: &str, deed: Deed) {
        let agent = agent.to_owned();
        match deed {
            Deed::LogIn => self.command(Command::AgentLogin { agent }),
            Deed::Ready => self.command(Command::AgentReady { agent }),
            Deed::Decide => match self.dice.below(10) {
                0 => {}
                1 | 2 => self.command(Command::AgentSkip { agent }),
                _ => self.command(Command::AgentDial { agent, whom: None }),
            },
            Deed::Call => self.call(agent),
            Deed::Say => {
                let code = ["SALE", "SALE", "SALE", "MACHINE", "LATER"]
                    [usize::try_from(self.dice.below(5)).unwrap()];
                self.command(Command::AgentDisposition {
                    agent,
                    code: code.to_owned(),
                    attempt: None,
                    memo: None,
                    callback: None,
                });
            }
        }
    }

    /// The campaign dials nobody by itself any more.
    pub(super) fn all_may_call(&mut self) {
        for agent in self.shown.keys().cloned().collect::<Vec<_>>() {
            let wait = Law::between(0, 2_000).draw(&mut self.dice);
            self.plan(wait, Todo::Agent(agent, Deed::Call));
        }
    }

    /// Names anybody of the list, and somebody else soon after, as long as the mode is that.
    fn call(&mut self, agent: String) {
        if self.settings.mode != DialMode::Manual || self.ending {
            return;
        }
        if self.shown.get(&agent) == Some(&AgentState::Ready) {
            let one = 1 + self.dice.below(u64::try_from(self.style.people).unwrap());
            let whom = Some(format!("+8190{one:08}"));
            self.command(Command::AgentDial { agent: agent.clone(), whom });
        }
        let wait = Law::between(500, 4_000).draw(&mut self.dice);
        self.plan(wait, Todo::Agent(agent, Deed::Call));
    }

    pub(super) fn a_phone_dies(&mut self) {
        let phones: Vec<LegId> = self
            .legs
            .iter()
            .filter(|(_, far)| far.attempt.is_none() && far.stage == Stage::Up)
            .map(|(leg, _)| *leg)
            .collect();
        if phones.is_empty() {
            return;
        }
        let at = self.dice.below(u64::try_from(phones.len()).unwrap());
        let leg = phones[usize::try_from(at).unwrap()];
        self.legs.remove(&leg);
        self.tell(Input::Leg(leg, LegEvent::Ended { by_peer: true, q850: None }));
    }
}
