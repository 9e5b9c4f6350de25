//! A request other than INVITE that we sent: RFC 3261 §17.1.2.
//!
//! ```text
//! Trying --1xx--> Proceeding --200..699--> Completed --Timer K--> Terminated
//!   | \-----------200..699----------------/
//!   \--Timer F--> Terminated                                  (from Proceeding too)
//! ```

use std::time::Duration;

use super::SIXTY_FOUR_T1;
use super::T1;
use super::T2;
use super::T4;
use super::doubled;
use super::forgotten_at;
use crate::logic::time::Tick;

/// The machine of one non-INVITE client transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOther {
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Trying { repeat_at: Tick, interval: Duration, give_up_at: Tick },
    Proceeding { repeat_at: Tick, give_up_at: Tick },
    Completed { until: Tick },
    Terminated,
}

/// What a response means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnResponse {
    /// A 1xx: nothing to tell anybody.
    Provisional,
    /// The first final response: pass it up.
    Final,
    /// A repeat.
    Ignored,
}

/// What a passed deadline means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTimeout {
    /// Nothing was due.
    Nothing,
    /// Timer E: send the request again.
    Repeat,
    /// Timer F: nobody answered.
    TimedOut,
    /// Timer K: the transaction may be forgotten.
    Done,
}

impl ClientOther {
    /// The request leaves at `now`.
    #[must_use]
    pub fn new(now: Tick) -> Self {
        Self {
            state: State::Trying {
                repeat_at: now + T1,
                interval: T1,
                give_up_at: now + SIXTY_FOUR_T1,
            },
        }
    }

    /// When [`Self::on_timeout`] is wanted.
    #[must_use]
    pub fn deadline(&self) -> Option<Tick> {
        match self.state {
            State::Trying { repeat_at, give_up_at, .. }
            | State::Proceeding { repeat_at, give_up_at } => Some(repeat_at.min(give_up_at)),
            State::Completed { until } => Some(until),
            State::Terminated => None,
        }
    }

    /// Whether the final response is still awaited.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Trying { .. } | State::Proceeding { .. })
    }

    /// A response with `status` (100..=699) came.
    pub fn on_response(&mut self, now: Tick, status: u16) -> OnResponse {
        match (self.state, status) {
            (
                State::Trying { repeat_at, give_up_at, .. }
                | State::Proceeding { repeat_at, give_up_at },
                ..200,
            ) => {
                self.state = State::Proceeding { repeat_at, give_up_at };
                OnResponse::Provisional
            }
            (State::Trying { .. } | State::Proceeding { .. }, 200..) => {
                self.state = State::Completed { until: forgotten_at(now, T4) };
                OnResponse::Final
            }
            (State::Completed { .. } | State::Terminated, ..) => OnResponse::Ignored,
        }
    }

    /// A deadline passed.
    pub fn on_timeout(&mut self, now: Tick) -> OnTimeout {
        match self.state {
            State::Trying { give_up_at, .. } | State::Proceeding { give_up_at, .. }
                if give_up_at <= now =>
            {
                self.state = State::Terminated;
                OnTimeout::TimedOut
            }
            State::Trying { repeat_at, interval, give_up_at } if repeat_at <= now => {
                let interval = doubled(interval);
                let repeat_at = (repeat_at + interval).max(now + T1);
                self.state = State::Trying { repeat_at, interval, give_up_at };
                OnTimeout::Repeat
            }
            State::Proceeding { repeat_at, give_up_at } if repeat_at <= now => {
                self.state =
                    State::Proceeding { repeat_at: (repeat_at + T2).max(now + T1), give_up_at };
                OnTimeout::Repeat
            }
            State::Completed { until } if until <= now => {
                self.state = State::Terminated;
                OnTimeout::Done
            }
            State::Trying { .. }
            | State::Proceeding { .. }
            | State::Completed { .. }
            | State::Terminated => OnTimeout::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Tick = Tick::START;

    #[test]
    fn an_unanswered_request_is_repeated_ten_times_and_given_up_after_32_seconds() {
        let mut bye = ClientOther::new(START);
        let mut seen = vec![];
        while let Some(at) = bye.deadline() {
            seen.push((at.since(START).as_millis(), bye.on_timeout(at)));
        }
        let repeats: Vec<_> =
            seen.iter().filter(|(_, on)| *on == OnTimeout::Repeat).map(|(at, _)| *at).collect();
        let expected =
            [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500].to_vec();
        assert_eq!(repeats, expected);
        assert_eq!(seen.last(), Some(&(32_000, OnTimeout::TimedOut)));
    }

    #[test]
    fn a_provisional_response_slows_the_repeats_but_does_not_stop_them() {
        let mut bye = ClientOther::new(START);
        assert_eq!(bye.on_response(START, 100), OnResponse::Provisional);
        assert_eq!(bye.on_timeout(START + T1), OnTimeout::Repeat);
        assert_eq!(bye.deadline(), Some(START + T1 + T2));
    }

    #[test]
    fn only_the_first_final_response_is_passed_up() {
        let mut bye = ClientOther::new(START);
        assert_eq!(bye.on_response(START, 200), OnResponse::Final);
        assert_eq!(bye.on_response(START, 200), OnResponse::Ignored);
        assert_eq!(bye.deadline(), Some(START + T4));
        assert_eq!(bye.on_timeout(START + T4), OnTimeout::Done);
    }
}
