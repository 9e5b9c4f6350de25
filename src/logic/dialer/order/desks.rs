//! The agents, by whether they can have a call.

use std::collections::{BTreeMap, BTreeSet};

use crate::logic::agent::{Action, Event, Kind};
use crate::logic::dialer::desk::Desk;
use crate::logic::ids::AgentId;
use crate::logic::time::{Now, Tick};

/// All agents of this process.
#[derive(Debug, Default)]
pub(in crate::logic::dialer) struct Desks {
    all: BTreeMap<AgentId, Desk>,
    /// May take a call, the longest idle first.
    free: BTreeSet<(Tick, AgentId)>,
    /// Ready, or kept for a call.
    near: BTreeSet<AgentId>,
}

/// Where an agent stands in the orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    free: Option<Tick>,
    near: bool,
}

impl Desks {
    pub(in crate::logic::dialer) fn get(&self, agent: &AgentId) -> Option<&Desk> {
        self.all.get(agent)
    }

    pub(in crate::logic::dialer) fn get_mut(&mut self, agent: &AgentId) -> Option<&mut Desk> {
        self.all.get_mut(agent)
    }

    pub(in crate::logic::dialer) fn values(&self) -> impl Iterator<Item = &Desk> {
        self.all.values()
    }

    pub(in crate::logic::dialer) fn keys(&self) -> impl Iterator<Item = &AgentId> {
        self.all.keys()
    }

    /// Hands an event to the machine of an agent; when it next wants a timeout.
    pub(in crate::logic::dialer) fn handle(
        &mut self,
        now: Now,
        agent: AgentId,
        event: Event,
        out: &mut Vec<Action>,
    ) -> Option<Option<Tick>> {
        let desk = self.all.get_mut(&agent)?;
        let before = place(desk);
        desk.machine.0.handle(now, event, out);
        let (after, next) = (place(desk), desk.machine.next_timeout());
        if after != before {
            self.leave(agent, before);
            self.enter(agent, after);
        }
        Some(next)
    }

    /// Whether anybody may take a call now.
    pub(in crate::logic::dialer) fn has_free(&self) -> bool {
        !self.free.is_empty()
    }

    /// Those who may take a call now, the longest idle first; equals by id.
    pub(in crate::logic::dialer) fn free(&self) -> impl Iterator<Item = &Desk> {
        self.free.iter().filter_map(|(_, agent)| self.all.get(agent))
    }

    /// Ready, or kept for a call.
    pub(in crate::logic::dialer) fn near(&self) -> impl Iterator<Item = &Desk> {
        self.near.iter().filter_map(|agent| self.all.get(agent))
    }

    fn enter(&mut self, agent: AgentId, place: Place) {
        if let Some(since) = place.free {
            self.free.insert((since, agent));
        }
        if place.near {
            self.near.insert(agent);
        }
    }

    fn leave(&mut self, agent: AgentId, place: Place) {
        if let Some(since) = place.free {
            self.free.remove(&(since, agent));
        }
        if place.near {
            self.near.remove(&agent);
        }
    }
}

impl FromIterator<(AgentId, Desk)> for Desks {
    fn from_iter<T: IntoIterator<Item = (AgentId, Desk)>>(desks: T) -> Self {
        let mut some = Self::default();
        for (agent, desk) in desks {
            some.enter(agent, place(&desk));
            some.all.insert(agent, desk);
        }
        some
    }
}

/// Tests know whom they have made.
#[cfg(test)]
impl std::ops::Index<&AgentId> for Desks {
    type Output = Desk;

    fn index(&self, agent: &AgentId) -> &Desk {
        &self.all[agent]
    }
}

fn place(desk: &Desk) -> Place {
    let free = desk.machine.may_take_call().then(|| desk.machine.since().tick);
    let near = match desk.machine.kind() {
        Kind::Ready | Kind::Reserved => true,
        Kind::Offline
        | Kind::LoggingIn
        | Kind::Paused
        | Kind::Previewing
        | Kind::OnCall
        | Kind::WrapUp => false,
    };
    Place { free, near }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::logic::ids::AttemptId;
    use crate::logic::settings::{AgentSettings, AutoAnswer};
    use crate::logic::time::UtcMs;

    fn at(seconds: u64) -> Now {
        let after = Duration::from_secs(seconds);
        Now { tick: Tick::START + after, utc: UtcMs(0) + after }
    }

    #[test]
    fn whoever_is_idle_longest_is_first_and_who_has_a_call_is_not_there() {
        let settings = AgentSettings {
            name: String::new(),
            uri: String::new(),
            peer: "127.0.0.1:5080".parse().unwrap(),
            skills: vec![],
            languages: vec![],
            auto_answer: AutoAnswer::Off,
            nat: false,
        };
        let desk = |n| (AgentId(n), Desk::new(at(0), AgentId(n), settings.clone()));
        let mut desks: Desks = (1..=3).map(desk).collect();
        for (agent, ready) in [(1, 9), (2, 7), (3, 7)] {
            for event in [Event::LogIn, Event::PhoneUp, Event::Ready] {
                desks.handle(at(ready), AgentId(agent), event, &mut vec![]);
            }
        }
        let free = |desks: &Desks| desks.free().map(|desk| desk.id.0).collect::<Vec<_>>();
        assert_eq!(free(&desks), [2, 3, 1]);
        desks.handle(at(10), AgentId(2), Event::Reserve(AttemptId(5)), &mut vec![]);
        desks.handle(at(10), AgentId(3), Event::Quiet, &mut vec![]);
        assert_eq!(free(&desks), [1]);
        assert_eq!(desks.near().count(), 3);
        desks.handle(at(11), AgentId(2), Event::Release(AttemptId(5)), &mut vec![]);
        desks.handle(at(11), AgentId(1), Event::Pause(None), &mut vec![]);
        assert_eq!((free(&desks), desks.near().count()), (vec![2], 2));
        assert!(desks.has_free());
    }
}
