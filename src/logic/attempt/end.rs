//! How an attempt ended, and what a final SIP status says of it.

use std::time::Duration;

use crate::logic::outcome::Outcome;
use crate::logic::time::UtcMs;

/// The end of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The one outcome.
    pub outcome: Outcome,
    /// First 18x.
    pub early_at: Option<UtcMs>,
    /// 200 OK.
    pub answered_at: Option<UtcMs>,
    /// An agent took the person.
    pub connected_at: Option<UtcMs>,
    /// Now.
    pub ended_at: UtcMs,
    /// With an agent.
    pub talk: Duration,
    /// The talk was long enough to count as answered by a person though no disposition says so.
    pub long_talk: bool,
    /// What the network said.
    pub failure: Failure,
}

/// What the network said at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// Final SIP status.
    pub status: Option<u16>,
    /// Whether an INVITE ever left.
    pub sent: bool,
    /// After our CANCEL no final response came.
    pub uncertain: bool,
    /// Q.850 cause (RFC 3326).
    pub q850: Option<u8>,
    /// The carrier asks us to wait.
    pub retry_after: Option<Duration>,
}

/// The outcome of an INVITE that nobody could be talked to. The Q.850 cause goes before the SIP status (RFC 3398 §8.2.6.1 maps
/// the one to the other; carriers put the truer one into Reason).
///
/// No response at all is `unknown`: the INVITE may have rung a phone.
#[must_use]
pub fn outcome_of_failure(failure: Failure) -> Outcome {
    let Some(status) = failure.status else {
        return if failure.sent { Outcome::Unknown } else { Outcome::NotPlaced };
    };
    match (failure.q850, status) {
        // Q.850: 17 user busy; 18, 19 no answer; 20 subscriber absent; 21 rejected; 1 unallocated; 22 changed;
        // 28 invalid format. 3 "no route" is the trunk's trouble: it must not kill the number.
        (Some(17), 480..=699) => Outcome::Busy,
        (Some(18 | 19), 480..=699) => Outcome::NoAnswer,
        (Some(20), _) => Outcome::Unreachable,
        (Some(1 | 22 | 28), 400..=699) => Outcome::Invalid,
        (Some(3), _) => Outcome::Congestion,
        (Some(34 | 38 | 41 | 42 | 47), 400..=599) => Outcome::Congestion,
        (_, 404 | 410 | 484 | 604) => Outcome::Invalid,
        (_, 486 | 600) => Outcome::Busy,
        (_, 408 | 480 | 487) => Outcome::NoAnswer,
        (_, 603) => Outcome::Rejected,
        (_, 607) => Outcome::Unwanted,
        (_, 429 | 500..=599) => Outcome::Congestion,
        // Answered in a way nobody can talk over, and hung up on at once: a person may have been there.
        (_, 200..=299) => Outcome::Abandoned,
        _ => Outcome::TrunkFault,
    }
}

/// Whether a ring that we cut after so long counts as an abandoned call.
#[must_use]
pub fn is_short_ring(rang: Duration) -> bool {
    rang < SHORTEST_RING
}

/// 16 CFR 310.4(b)(4)(ii): no ring is ended before 15 s.
const SHORTEST_RING: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(status: u16, q850: Option<u8>) -> Outcome {
        outcome_of_failure(Failure { status: Some(status), q850, sent: true, ..Failure::default() })
    }

    #[test]
    fn final_statuses_have_the_outcomes_of_the_table() {
        for (status, outcome) in [
            (404, Outcome::Invalid),
            (410, Outcome::Invalid),
            (484, Outcome::Invalid),
            (604, Outcome::Invalid),
            (486, Outcome::Busy),
            (600, Outcome::Busy),
            (480, Outcome::NoAnswer),
            (408, Outcome::NoAnswer),
            (603, Outcome::Rejected),
            (607, Outcome::Unwanted),
            (503, Outcome::Congestion),
            (429, Outcome::Congestion),
            (403, Outcome::TrunkFault),
            (407, Outcome::TrunkFault),
            (488, Outcome::TrunkFault),
            (302, Outcome::TrunkFault),
            (200, Outcome::Abandoned),
        ] {
            assert_eq!(ended(status, None), outcome, "{status}");
        }
    }

    #[test]
    fn the_q850_cause_goes_before_the_status() {
        assert_eq!(ended(480, Some(20)), Outcome::Unreachable);
        assert_eq!(ended(503, Some(17)), Outcome::Busy);
        assert_eq!(ended(404, Some(3)), Outcome::Congestion);
        assert_eq!(ended(500, Some(1)), Outcome::Invalid);
        assert_eq!(ended(486, Some(34)), Outcome::Congestion);
    }

    #[test]
    fn no_response_is_unknown_once_an_invite_left() {
        assert_eq!(
            outcome_of_failure(Failure { sent: true, ..Failure::default() }),
            Outcome::Unknown
        );
        assert_eq!(outcome_of_failure(Failure::default()), Outcome::NotPlaced);
    }
}
