//! What a simulated agent does: presses ready, talks, and tells the end of each call by a key.
//!
//! It sees only what a real agent sees, the state the dialer announces, and acts only by the keys of the phone and by `ready`.

use std::time::Duration;

use crate::logic::dialer::command::AgentState;
use crate::logic::time::Tick;
use crate::simulation::dice::Dice;
use crate::simulation::dice::Law;

/// One simulated agent.
#[derive(Clone, Debug)]
pub struct AgentBrain {
    settings: BrainSettings,
    dice: Dice,
    state: AgentState,
    next: Option<(Tick, Order)>,
}

/// How the agent works.
#[derive(Clone, Debug, PartialEq)]
pub struct BrainSettings {
    /// From login, or the end of an unasked pause, to ready; absent: never by itself.
    pub ready_after: Option<Law>,
    /// In preview mode, from the person's page to the call.
    pub preview: Law,
    /// From the end of the talk to the disposition key.
    pub wrap: Law,
    /// Keys of the dispositions with their weights; empty: the agent says nothing.
    pub dispositions: Vec<(u32, String)>,
    /// The agent ends the talk after this time, by `hang_up_keys`; absent: the customer does.
    pub hang_up_after: Option<Law>,
    /// `##` unless configured otherwise.
    pub hang_up_keys: String,
}

/// What the agent does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// `outdial agent ready`.
    Ready,
    /// `outdial agent dial`.
    Dial,
    /// Keys on the phone.
    Press(String),
}

impl BrainSettings {
    /// The agents of `outdial demo`: ready at once; the key is pressed early in the 0.3 s of wrap-up, since a key lasts
    /// 0.1 s (RFC 4733); mostly the first disposition.
    #[must_use]
    pub fn demo() -> Self {
        Self {
            ready_after: Some(Law::fixed(0)),
            preview: Law::fixed(500),
            wrap: Law::fixed(60),
            dispositions: vec![(6, "1".to_owned()), (3, "2".to_owned()), (1, "3".to_owned())],
            hang_up_after: None,
            hang_up_keys: "##".to_owned(),
        }
    }
}

impl AgentBrain {
    /// An agent who is not logged in. Agents of one seed and different names act differently.
    #[must_use]
    pub fn new(seed: u64, name: &str, settings: BrainSettings) -> Self {
        Self { settings, dice: Dice::of(seed, name, 0), state: AgentState::Offline, next: None }
    }

    /// The dialer announces a state; told twice, it counts once.
    pub fn told(&mut self, now: Tick, state: AgentState) {
        if state == self.state {
            return;
        }
        self.state = state;
        self.next = match state {
            AgentState::Offline
            | AgentState::LoggingIn
            | AgentState::Ready
            | AgentState::Reserved => None,
            AgentState::Paused => self.later(now, self.settings.ready_after, Order::Ready),
            AgentState::Previewing => self.later(now, Some(self.settings.preview), Order::Dial),
            AgentState::OnCall => {
                let keys = Order::Press(self.settings.hang_up_keys.clone());
                self.later(now, self.settings.hang_up_after, keys)
            }
            AgentState::WrapUp => {
                let key = self.disposition();
                key.and_then(|key| self.later(now, Some(self.settings.wrap), Order::Press(key)))
            }
        };
    }

    /// When the agent acts next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Tick> {
        self.next.as_ref().map(|(at, _)| *at)
    }

    /// What the agent does now, if it is time.
    pub fn act(&mut self, now: Tick) -> Option<Order> {
        let (_, order) = self.next.take_if(|(at, _)| *at <= now)?;
        Some(order)
    }

    fn later(&mut self, now: Tick, law: Option<Law>, order: Order) -> Option<(Tick, Order)> {
        let wait: Duration = law?.draw(&mut self.dice);
        Some((now + wait, order))
    }

    fn disposition(&mut self) -> Option<String> {
        let total: u64 =
            self.settings.dispositions.iter().map(|(share, _)| u64::from(*share)).sum();
        let mut left = self.dice.below(total);
        for (share, key) in &self.settings.dispositions {
            match left.checked_sub(u64::from(*share)) {
                Some(rest) => left = rest,
                None => return Some(key.clone()),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(ms: u64) -> Tick {
        Tick::START + Duration::from_millis(ms)
    }

    #[test]
    fn an_agent_gets_ready_and_tells_the_end_of_each_call() {
        let mut brain = AgentBrain::new(1, "alice", BrainSettings::demo());
        brain.told(after(0), AgentState::Paused);
        assert_eq!(brain.act(after(0)), Some(Order::Ready));
        for state in [AgentState::Ready, AgentState::Reserved, AgentState::OnCall] {
            brain.told(after(10), state);
            assert_eq!(brain.next_deadline(), None, "{state:?}");
        }
        brain.told(after(1000), AgentState::WrapUp);
        brain.told(after(1050), AgentState::WrapUp);
        assert_eq!(brain.act(after(1059)), None);
        let Some(Order::Press(key)) = brain.act(after(1060)) else { panic!("no key") };
        assert!(["1", "2", "3"].contains(&key.as_str()));
        assert_eq!(brain.act(after(9000)), None, "told once");
    }

    #[test]
    fn an_agent_who_ends_talks_presses_the_hang_up_keys() {
        let settings =
            BrainSettings { hang_up_after: Some(Law::fixed(700)), ..BrainSettings::demo() };
        let mut brain = AgentBrain::new(1, "bob", settings);
        brain.told(after(0), AgentState::OnCall);
        assert_eq!(brain.act(after(700)), Some(Order::Press("##".to_owned())));
    }

    #[test]
    fn a_line_that_changes_first_makes_the_agent_forget() {
        let settings =
            BrainSettings { hang_up_after: Some(Law::fixed(700)), ..BrainSettings::demo() };
        let mut brain = AgentBrain::new(1, "bob", settings);
        brain.told(after(0), AgentState::OnCall);
        brain.told(after(500), AgentState::Offline);
        assert_eq!(brain.act(after(5000)), None);
    }
}
