//! An INVITE that we sent: RFC 3261 §17.1.1 with the Accepted state of RFC 6026 §7.2.
//!
//! ```text
//! Calling --1xx--> Proceeding --2xx--> Accepted --Timer M--> Terminated
//!    |  \---------2xx------------------/
//!    |  \--300..699--> Completed --Timer D--> Terminated     (from Proceeding too)
//!    \--Timer B--> Terminated
//! ```

use std::time::Duration;

use super::SIXTY_FOUR_T1;
use super::T1;
use crate::logic::time::Tick;

/// The machine of one INVITE client transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInvite {
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Calling { repeat_at: Tick, interval: Duration, give_up_at: Tick },
    Proceeding,
    Completed { until: Tick },
    Accepted { until: Tick },
    Terminated,
}

/// What a response means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnResponse {
    /// A 1xx: pass it up.
    Provisional,
    /// A 2xx, the first or a repeat or of another branch: pass it up, its ACK is not ours (RFC 6026 §7.2).
    Accepted,
    /// The first final refusal: send the ACK and pass it up.
    Refused,
    /// A refusal again: send the ACK again, say nothing.
    RefusedAgain,
    /// Too late to matter.
    Ignored,
}

/// What a passed deadline means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTimeout {
    /// Nothing was due.
    Nothing,
    /// Timer A: send the INVITE again.
    Repeat,
    /// Timer B: nobody answered.
    TimedOut,
    /// Timer D or M: the transaction may be forgotten.
    Done,
}

impl ClientInvite {
    /// The INVITE leaves at `now`.
    #[must_use]
    pub fn new(now: Tick) -> Self {
        Self {
            state: State::Calling {
                repeat_at: now + T1,
                interval: T1,
                give_up_at: now + SIXTY_FOUR_T1,
            },
        }
    }

    /// An INVITE of an earlier process: it may have been sent, and is not sent again.
    #[must_use]
    pub const fn resumed() -> Self {
        Self { state: State::Proceeding }
    }

    /// When [`Self::on_timeout`] is wanted.
    #[must_use]
    pub fn deadline(&self) -> Option<Tick> {
        match self.state {
            State::Calling { repeat_at, give_up_at, .. } => Some(repeat_at.min(give_up_at)),
            State::Completed { until } | State::Accepted { until } => Some(until),
            State::Proceeding | State::Terminated => None,
        }
    }

    /// Whether no response has come yet.
    #[must_use]
    pub fn is_calling(&self) -> bool {
        matches!(self.state, State::Calling { .. })
    }

    /// Whether a final response may still change the outcome.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Calling { .. } | State::Proceeding)
    }

    /// A response with `status` (100..=699) came.
    pub fn on_response(&mut self, now: Tick, status: u16) -> OnResponse {
        match (self.state, status) {
            (State::Calling { .. } | State::Proceeding, ..200) => {
                self.state = State::Proceeding;
                OnResponse::Provisional
            }
            (State::Calling { .. } | State::Proceeding, 200..300) => {
                self.state = State::Accepted { until: now + SIXTY_FOUR_T1 };
                OnResponse::Accepted
            }
            (State::Calling { .. } | State::Proceeding, 300..) => {
                self.state = State::Completed { until: now + SIXTY_FOUR_T1 };
                OnResponse::Refused
            }
            // A branch that answers after another one refused, or after we gave up: somebody is on the line, so the
            // user agent must see it and end it. RFC 3261 leaves this 2xx unanswered, which keeps the far end up.
            (State::Accepted { .. } | State::Completed { .. } | State::Terminated, 200..300) => {
                OnResponse::Accepted
            }
            (State::Completed { .. }, 300..) => OnResponse::RefusedAgain,
            (State::Completed { .. } | State::Accepted { .. } | State::Terminated, ..) => {
                OnResponse::Ignored
            }
        }
    }

    /// A deadline passed.
    pub fn on_timeout(&mut self, now: Tick) -> OnTimeout {
        match self.state {
            State::Calling { give_up_at, .. } if give_up_at <= now => {
                self.state = State::Terminated;
                OnTimeout::TimedOut
            }
            State::Calling { repeat_at, interval, give_up_at } if repeat_at <= now => {
                // Timer A doubles without a ceiling (RFC 3261 §17.1.1.2); counted from the planned moment unless we
                // were asleep, so that a late wake-up does not bunch the repeats.
                let interval = interval * 2;
                self.state = State::Calling {
                    repeat_at: (repeat_at + interval).max(now + T1),
                    interval,
                    give_up_at,
                };
                OnTimeout::Repeat
            }
            State::Completed { until } | State::Accepted { until } if until <= now => {
                self.state = State::Terminated;
                OnTimeout::Done
            }
            State::Calling { .. }
            | State::Proceeding
            | State::Completed { .. }
            | State::Accepted { .. }
            | State::Terminated => OnTimeout::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Tick = Tick::START;

    fn run_to_silence(invite: &mut ClientInvite) -> Vec<(u128, OnTimeout)> {
        let mut seen = vec![];
        while let Some(at) = invite.deadline() {
            seen.push((at.since(START).as_millis(), invite.on_timeout(at)));
        }
        seen
    }

    #[test]
    fn an_unanswered_invite_is_repeated_six_times_and_given_up_after_32_seconds() {
        let mut invite = ClientInvite::new(START);
        let seen = run_to_silence(&mut invite);
        let repeats = [500, 1_500, 3_500, 7_500, 15_500, 31_500].map(|ms| (ms, OnTimeout::Repeat));
        assert_eq!(seen[..6], repeats);
        assert_eq!(seen[6..], [(32_000, OnTimeout::TimedOut)]);
    }

    #[test]
    fn a_provisional_response_stops_every_timer() {
        let mut invite = ClientInvite::new(START);
        assert_eq!(invite.on_response(START, 100), OnResponse::Provisional);
        assert_eq!(invite.deadline(), None);
        assert!(invite.is_pending() && !invite.is_calling());
    }

    #[test]
    fn a_refusal_is_acknowledged_each_time_and_passed_up_once() {
        let mut invite = ClientInvite::new(START);
        assert_eq!(invite.on_response(START, 486), OnResponse::Refused);
        assert_eq!(invite.on_response(START, 486), OnResponse::RefusedAgain);
        assert_eq!(invite.on_response(START, 180), OnResponse::Ignored);
        assert_eq!(run_to_silence(&mut invite), [(32_000, OnTimeout::Done)]);
        assert_eq!(invite.on_response(START, 486), OnResponse::Ignored);
    }

    #[test]
    fn every_2xx_is_passed_up_even_after_a_refusal_or_a_time_out() {
        let mut invite = ClientInvite::new(START);
        assert_eq!(invite.on_response(START, 200), OnResponse::Accepted);
        assert_eq!(invite.on_response(START, 200), OnResponse::Accepted);
        assert_eq!(invite.on_response(START, 486), OnResponse::Ignored);
        let mut refused = ClientInvite::new(START);
        refused.on_response(START, 487);
        assert_eq!(refused.on_response(START, 200), OnResponse::Accepted);
        let mut silent = ClientInvite::new(START);
        run_to_silence(&mut silent);
        assert_eq!(silent.on_response(START, 202), OnResponse::Accepted);
    }
}
