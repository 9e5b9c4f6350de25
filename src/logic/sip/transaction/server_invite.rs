//! An INVITE that the far end sent: RFC 3261 §17.2.1 with the Accepted state of RFC 6026 §7.1.
//!
//! ```text
//! Proceeding --300..699--> Completed --ACK--> Confirmed --Timer I--> Terminated
//!     |                        \--Timer H--> Terminated
//!     \--2xx--> Accepted --Timer L--> Terminated      (the 2xx is repeated by the user agent, RFC 3261 §13.3.1.4)
//! ```

use std::time::Duration;

use super::SIXTY_FOUR_T1;
use super::T1;
use super::T4;
use super::doubled;
use super::forgotten_at;
use crate::logic::time::Tick;

/// The machine of one INVITE server transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInvite {
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// `trying_at`: when 100 Trying is due; gone once anything was sent.
    Proceeding {
        trying_at: Option<Tick>,
    },
    Completed {
        repeat_at: Tick,
        interval: Duration,
        give_up_at: Tick,
    },
    Confirmed {
        until: Tick,
    },
    Accepted {
        until: Tick,
    },
    Terminated,
}

/// What a passed deadline means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTimeout {
    /// Nothing was due.
    Nothing,
    /// 200 ms without any response: send 100 Trying (RFC 3261 §17.2.1).
    Trying,
    /// Timer G: send the refusal again.
    Repeat,
    /// Timer H, I or L: the transaction may be forgotten.
    Done,
}

impl ServerInvite {
    /// The INVITE came at `now`.
    #[must_use]
    pub fn new(now: Tick) -> Self {
        Self { state: State::Proceeding { trying_at: Some(now + TRYING_AFTER) } }
    }

    /// When [`Self::on_timeout`] is wanted.
    #[must_use]
    pub fn deadline(&self) -> Option<Tick> {
        match self.state {
            State::Proceeding { trying_at } => trying_at,
            State::Completed { repeat_at, give_up_at, .. } => Some(repeat_at.min(give_up_at)),
            State::Confirmed { until } | State::Accepted { until } => Some(until),
            State::Terminated => None,
        }
    }

    /// Whether no final response was sent.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    /// The user agent sends a response with `status`.
    pub fn on_sent(&mut self, now: Tick, status: u16) {
        let State::Proceeding { .. } = self.state else { return };
        self.state = match status {
            ..200 => State::Proceeding { trying_at: None },
            200..300 => State::Accepted { until: forgotten_at(now, SIXTY_FOUR_T1) },
            300.. => State::Completed {
                repeat_at: now + T1,
                interval: T1,
                give_up_at: now + SIXTY_FOUR_T1,
            },
        };
    }

    /// The INVITE came again. Whether the last response is to be sent again: not in Accepted (RFC 6026 §7.1), where
    /// the user agent repeats the 2xx by its own clock.
    #[must_use]
    pub fn answers_repeat(&self) -> bool {
        matches!(self.state, State::Proceeding { .. } | State::Completed { .. })
    }

    /// An ACK with the branch of the INVITE came. False when it is not for a refusal: then the dialog may want it.
    pub fn on_ack(&mut self, now: Tick) -> bool {
        match self.state {
            State::Completed { .. } => {
                self.state = State::Confirmed { until: forgotten_at(now, T4) };
                true
            }
            State::Confirmed { .. } => true,
            State::Proceeding { .. } | State::Accepted { .. } | State::Terminated => false,
        }
    }

    /// A deadline passed.
    pub fn on_timeout(&mut self, now: Tick) -> OnTimeout {
        match self.state {
            State::Proceeding { trying_at: Some(at) } if at <= now => {
                self.state = State::Proceeding { trying_at: None };
                OnTimeout::Trying
            }
            State::Completed { give_up_at: until, .. }
            | State::Confirmed { until }
            | State::Accepted { until }
                if until <= now =>
            {
                self.state = State::Terminated;
                OnTimeout::Done
            }
            State::Completed { repeat_at, interval, give_up_at } if repeat_at <= now => {
                let interval = doubled(interval);
                let repeat_at = (repeat_at + interval).max(now + T1);
                self.state = State::Completed { repeat_at, interval, give_up_at };
                OnTimeout::Repeat
            }
            State::Proceeding { .. }
            | State::Completed { .. }
            | State::Confirmed { .. }
            | State::Accepted { .. }
            | State::Terminated => OnTimeout::Nothing,
        }
    }
}

/// RFC 3261 §17.2.1: 100 Trying unless the user agent answers within this time.
const TRYING_AFTER: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    const START: Tick = Tick::START;

    #[test]
    fn trying_is_sent_only_when_nothing_else_was_in_time() {
        let mut slow = ServerInvite::new(START);
        assert_eq!(slow.on_timeout(START + TRYING_AFTER), OnTimeout::Trying);
        assert_eq!(slow.deadline(), None);
        let mut quick = ServerInvite::new(START);
        quick.on_sent(START, 180);
        assert_eq!(quick.deadline(), None);
    }

    #[test]
    fn a_refusal_is_repeated_until_its_ack() {
        let mut invite = ServerInvite::new(START);
        invite.on_sent(START, 486);
        assert_eq!(invite.on_timeout(START + T1), OnTimeout::Repeat);
        assert_eq!(invite.deadline(), Some(START + T1 * 3));
        assert!(invite.on_ack(START + T1) && invite.on_ack(START + T1));
        assert!(!invite.answers_repeat());
        assert_eq!(invite.deadline(), Some(START + T1 + T4));
        assert_eq!(invite.on_timeout(START + T1 + T4), OnTimeout::Done);
    }

    #[test]
    fn a_refusal_without_ack_is_forgotten_after_32_seconds() {
        let mut invite = ServerInvite::new(START);
        invite.on_sent(START, 486);
        let mut last = (START, OnTimeout::Nothing);
        while let Some(at) = invite.deadline() {
            last = (at, invite.on_timeout(at));
        }
        assert_eq!(last, (START + SIXTY_FOUR_T1, OnTimeout::Done));
    }

    #[test]
    fn an_accepted_invite_absorbs_its_repeats() {
        let mut invite = ServerInvite::new(START);
        assert!(invite.answers_repeat());
        invite.on_sent(START, 200);
        assert!(!invite.answers_repeat() && !invite.is_pending());
        assert_eq!(invite.deadline(), Some(START + SIXTY_FOUR_T1));
    }
}
