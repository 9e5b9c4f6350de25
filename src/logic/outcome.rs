//! The closed list of ends an attempt can have, and what each means for the next call.

use std::fmt;
use std::str::FromStr;

/// What network and detector saw: exactly one per attempt.
///
/// The text of each variant is the same in database, API, CSV and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// A person spoke with an agent.
    Connected,
    /// Answered, and no agent in time (with or without a message), or the hang-up came in the silence before one.
    Abandoned,
    /// The agent's phone died in mid-talk and no other agent took over.
    AgentLost,
    /// Answered in agentless mode: the recorded message was heard to its end, or a key of its menu was pressed.
    MessagePlayed,
    /// Answered in agentless mode, and over before the end of the message without a key.
    MessageCut,
    /// Rang to the ring limit, or 480/408 from the network.
    NoAnswer,
    /// 486 or 600.
    Busy,
    /// 603: the callee, or someone on the way, declined.
    Rejected,
    /// 607: the callee does not want calls from us (RFC 8197). A refusal.
    Unwanted,
    /// 404, 410, 484, 604: not a number in service.
    Invalid,
    /// 480 with Q.850 cause 20: switched off or out of reach.
    Unreachable,
    /// 5xx, 429 and the like: the carrier did not try to deliver.
    Congestion,
    /// 401/407 after an answer to the challenge, 403, 433, 488, 606, 608...: our account, caller ID or media was refused.
    TrunkFault,
    /// The INVITE was sent, yet a trunk's outage means nobody was rung.
    NotDelivered,
    /// Decided, and given up before any INVITE left.
    NotPlaced,
    /// We ended the ringing before its time (shutdown).
    Cancelled,
    /// Sent, end not known. Never redialled blindly.
    Unknown,
}

impl Outcome {
    /// Every outcome, in the order of reports.
    pub const ALL: [Self; 17] = [
        Self::Connected,
        Self::Abandoned,
        Self::AgentLost,
        Self::MessagePlayed,
        Self::MessageCut,
        Self::NoAnswer,
        Self::Busy,
        Self::Rejected,
        Self::Unwanted,
        Self::Invalid,
        Self::Unreachable,
        Self::Congestion,
        Self::TrunkFault,
        Self::NotDelivered,
        Self::NotPlaced,
        Self::Cancelled,
        Self::Unknown,
    ];

    /// The stable text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Abandoned => "abandoned",
            Self::AgentLost => "agent_lost",
            Self::MessagePlayed => "message_played",
            Self::MessageCut => "message_cut",
            Self::NoAnswer => "no_answer",
            Self::Busy => "busy",
            Self::Rejected => "rejected",
            Self::Unwanted => "unwanted",
            Self::Invalid => "invalid",
            Self::Unreachable => "unreachable",
            Self::Congestion => "congestion",
            Self::TrunkFault => "trunk_fault",
            Self::NotDelivered => "not_delivered",
            Self::NotPlaced => "not_placed",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it counts against attempt caps. What never reached the callee's network does not.
    #[must_use]
    pub const fn uses_attempt(self) -> bool {
        match self {
            Self::Connected
            | Self::Abandoned
            | Self::AgentLost
            | Self::MessagePlayed
            | Self::MessageCut
            | Self::NoAnswer
            | Self::Busy
            | Self::Rejected
            | Self::Unwanted
            | Self::Invalid
            | Self::Unreachable
            | Self::Cancelled
            | Self::Unknown => true,
            Self::Congestion | Self::TrunkFault | Self::NotDelivered | Self::NotPlaced => false,
        }
    }

    /// An INVITE left, yet nobody was rung: at most three of these per lead and hour.
    #[must_use]
    pub const fn is_undelivered(self) -> bool {
        matches!(self, Self::Congestion | Self::TrunkFault | Self::NotDelivered)
    }

    /// Whether a retry rule may bring the lead back by itself.
    #[must_use]
    pub const fn may_retry(self) -> bool {
        match self {
            Self::Abandoned
            | Self::AgentLost
            | Self::MessageCut
            | Self::NoAnswer
            | Self::Busy
            | Self::Rejected
            | Self::Invalid
            | Self::Unreachable
            | Self::Congestion
            | Self::TrunkFault
            | Self::NotDelivered
            | Self::NotPlaced
            | Self::Cancelled
            | Self::Unknown => true,
            Self::Connected | Self::MessagePlayed | Self::Unwanted => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is none of [`Outcome::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an outcome")]
pub struct UnknownOutcome(pub String);

impl FromStr for Outcome {
    type Err = UnknownOutcome;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|o| o.as_str() == text)
            .ok_or_else(|| UnknownOutcome(text.to_owned()))
    }
}

impl serde::Serialize for Outcome {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Outcome {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_reads_back_from_its_own_text() {
        for outcome in Outcome::ALL {
            assert_eq!(outcome.as_str().parse(), Ok(outcome));
        }
        assert!("answered".parse::<Outcome>().is_err());
    }
}
