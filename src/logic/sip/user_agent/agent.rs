//! The machine behind the face: owns every leg and transaction, and says when it wants to be woken.

use super::{Counters, SipAction, SipInput, UserAgentSettings};
use crate::logic::time::Tick;

/// A SIP user agent without sockets: datagrams and commands in, datagrams and events out.
#[derive(Debug)]
pub struct UserAgent {
    counters: Counters,
}

impl UserAgent {
    /// A user agent with no legs. `seed` is for the waiting times that RFC 3261 §14.1 wants random.
    #[must_use]
    pub fn new(_settings: UserAgentSettings, _seed: u64) -> Self {
        Self { counters: Counters::default() }
    }

    /// Takes one input; appends what must be done, in order.
    pub fn handle(&mut self, _now: Tick, _input: SipInput<'_>, _out: &mut Vec<SipAction>) {}

    /// When [`SipInput::Timeout`] is wanted next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Tick> {
        None
    }

    /// How many legs have not been closed by Failed or Ended.
    #[must_use]
    pub fn legs(&self) -> usize {
        0
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}
