//! What goes into the dialer and what comes out of it.
//!
//! The dialer speaks of legs and sounds, never of SIP or RTP; [`crate::logic::node`] translates.

use std::time::Duration;

use crate::logic::dialer::command::{AgentNotice, Command, Reply};
use crate::logic::dialer::{OpenLeg, StoreCommand, StoreHealth, StoreReply, Ticket};
use crate::logic::ids::{AgentId, AttemptId, LegId};
use crate::logic::media::MediaCommand;
use crate::logic::phone::PhoneNumber;
use crate::logic::sip::user_agent::RemoteDialog;

/// One fact or wish, handed to the dialer with `now`.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A store command is durable (or refused).
    Stored(Ticket, StoreReply),
    /// The database got better or worse.
    StoreHealth(StoreHealth),
    /// By so many milliseconds this process's clock is ahead of the database's. Measured with each heartbeat; where both
    /// run on one clock (SQLite) never told.
    ClockAhead(i64),
    /// Something happened on a leg.
    Leg(LegId, LegEvent),
    /// Somebody at the control socket (or the program itself) wants something.
    Command(Asker, Command),
    /// Ctrl-C or SIGTERM. The first one drains, the second one ends every call.
    Shutdown,
    /// A deadline passed.
    Timeout,
}

/// Who asked, so that the answer finds its way. Made by the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asker(pub u64);

/// What the dialer wants done. Performing one never waits.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// To the store task.
    Store(Ticket, StoreCommand),
    /// To SIP.
    Leg(LegId, LegCommand),
    /// To the media threads: bridging and playing (legs are opened and closed by the node).
    Media(MediaCommand),
    /// To whoever asked.
    Reply(Asker, Box<Reply>),
    /// To everybody who watches an agent.
    Notice(Box<AgentNotice>),
    /// Nothing is left to do: the process may end.
    Finished,
}

/// Orders to one leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegCommand {
    /// Opens media, so that a later `Dial` sends the INVITE at once. Nothing is told of it; `HangUp` takes it back.
    Prepare(LegCall),
    /// Opens media unless that is done, and sends the INVITE.
    Dial(LegCall),
    /// Follows `Challenged`: another INVITE leaves.
    Authorize,
    /// Ends it, whatever its state. Idempotent. `Failed` or `Ended` follows, unless it was only prepared.
    HangUp,
    /// Ends what another process left up, by what was stored of it. `Failed` or `Ended` follows.
    Recover(Box<OpenLeg>),
}

/// Whom a leg calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegCall {
    /// A customer.
    Customer {
        /// Its attempt.
        attempt: AttemptId,
        /// Trunk by name.
        trunk: String,
        /// The number.
        number: PhoneNumber,
        /// The number we show.
        caller_id: PhoneNumber,
    },
    /// An agent's phone, for a shift.
    Agent {
        /// Whose.
        agent: AgentId,
    },
}

/// Facts of one leg. Exactly one of `Failed` and `Ended` is the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegEvent {
    /// The INVITE is on its way: from here on somebody may be rung.
    Sent,
    /// 180.
    Ringing,
    /// 183 (or another 18x): in progress, perhaps with early media.
    Progress,
    /// A digest challenge or a 422 waits for [`LegCommand::Authorize`]: another INVITE.
    Challenged,
    /// 200 OK: media flows, somebody listens.
    Answered(RemoteDialog),
    /// It ended without an answer.
    Failed(LegFailure),
    /// It was answered and is over.
    Ended {
        /// Whether the far end hung up.
        by_peer: bool,
        /// Q.850 cause.
        q850: Option<u8>,
    },
    /// A key.
    Digit(char),
    /// The far end put us on hold (`true`) or came back.
    Held(bool),
    /// No RTP for 2 s.
    Quiet,
    /// No RTP, RTCP or OPTIONS reply for 10 s.
    Dead,
    /// RTP again.
    Heard,
    /// A `Play` came to its end.
    PlayDone(u64),
}

impl LegEvent {
    /// Final SIP status and Q.850 cause, where this is the last event of a leg.
    #[must_use]
    pub const fn end(&self) -> Option<(Option<u16>, Option<u8>)> {
        match self {
            Self::Failed(failure) => Some((failure.status, failure.q850)),
            Self::Ended { q850, .. } => Some((Some(200), *q850)),
            Self::Sent
            | Self::Ringing
            | Self::Progress
            | Self::Challenged
            | Self::Answered(_)
            | Self::Digit(_)
            | Self::Held(_)
            | Self::Quiet
            | Self::Dead
            | Self::Heard
            | Self::PlayDone(_) => None,
        }
    }
}

/// Why a leg cannot be talked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegFailure {
    /// Final SIP status; `None`: no response, or no media port. 2xx: answered, with no SDP that we can talk over.
    pub status: Option<u16>,
    /// Whether an INVITE ever left.
    pub sent: bool,
    /// After our CANCEL no final response came: it may or may not have been answered.
    pub uncertain: bool,
    /// Q.850 cause (RFC 3326).
    pub q850: Option<u8>,
    /// How long the carrier asks us to wait.
    pub retry_after: Option<Duration>,
}
