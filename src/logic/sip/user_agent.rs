//! The only face of SIP that the rest of the program sees.
//!
//! Pure: datagrams and commands come in with `now`, datagrams and events go out.

mod again;
mod agent;
mod answers;
mod credentials;
mod ending;
mod engine;
mod identity;
mod in_dialog;
mod incoming;
mod inside;
mod leg;
mod outgoing;
mod recover;
mod reinvite;
mod requests;
mod session_timer;
mod settings;
mod shown;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

pub use agent::UserAgent;
pub use settings::{Counters, Identity, UserAgentSettings};

use crate::logic::ids::LegId;

/// What goes in.
#[derive(Debug)]
pub enum SipInput<'a> {
    /// Bytes of one UDP datagram.
    Datagram {
        /// The source address as the socket saw it.
        from: SocketAddr,
        /// The payload; any bytes at all.
        bytes: &'a [u8],
    },
    /// What the dialer (or, in the simulated carrier, the callee) wants.
    Command(SipCommand),
    /// A deadline passed.
    Timeout,
}

/// Orders to the user agent. A command for a leg that is gone does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SipCommand {
    /// Sends the first INVITE of a new leg.
    Invite {
        /// The leg; Call-ID, tag and branch are keyed hashes of it.
        leg: LegId,
        /// Whom, how and as whom to call.
        call: Box<OutgoingCall>,
        /// The SDP offer.
        offer: Vec<u8>,
    },
    /// Follows [`SipEvent::Challenged`]: the next INVITE leaves now, with credentials or a longer session timer.
    Authorize {
        /// The challenged leg.
        leg: LegId,
    },
    /// What [`SipEvent::Answered`] told is durable: a held ACK leaves now.
    Acknowledge {
        /// The answered leg.
        leg: LegId,
    },
    /// CANCEL, held CANCEL, ACK and BYE, or BYE, or a final refusal for an incoming leg: whichever the state needs.
    /// Idempotent.
    HangUp {
        /// The leg to end.
        leg: LegId,
    },
    /// Our SDP answer to [`SipEvent::Offer`] (re-INVITE or UPDATE).
    AnswerOffer {
        /// The leg.
        leg: LegId,
        /// SDP, or `None` to refuse with 488.
        sdp: Option<Vec<u8>>,
    },
    /// Incoming leg: a provisional response (180, 183), with SDP if given.
    Progress {
        /// The incoming leg.
        leg: LegId,
        /// 101..=199.
        status: u16,
        /// Early media.
        sdp: Option<Vec<u8>>,
    },
    /// Incoming leg: 200 OK.
    Answer {
        /// The incoming leg.
        leg: LegId,
        /// The SDP answer.
        sdp: Vec<u8>,
    },
    /// Incoming leg: a final refusal.
    Refuse {
        /// The incoming leg.
        leg: LegId,
        /// 300..=699.
        status: u16,
        /// Q.850 cause for a Reason header (RFC 3326).
        q850: Option<u8>,
        /// Further headers as they stand: WWW-Authenticate, Retry-After.
        headers: Vec<(String, String)>,
    },
    /// Confirmed leg: re-INVITE with our offer (hold, resume); answered by [`SipEvent::OfferDone`]. While another
    /// INVITE of either side is under way it fails with 491 at once (RFC 3261 §14.1).
    Offer {
        /// The leg.
        leg: LegId,
        /// The offer.
        sdp: Vec<u8>,
    },
    /// UPDATE with our offer, or without one (RFC 3311): in a confirmed leg, or in an incoming one before its answer. Not
    /// sent while another request that changes the session is under way; its end is not reported.
    Update {
        /// The leg.
        leg: LegId,
        /// The offer.
        sdp: Option<Vec<u8>>,
    },
    /// OPTIONS outside a dialog; answered by [`SipEvent::OptionsDone`].
    Ping {
        /// The asker's own number for it.
        ping: u64,
        /// Request-URI, such as `sip:203.0.113.5:5060`.
        uri: String,
        /// Where to send it.
        peer: SocketAddr,
    },
    /// A leg of an earlier process that may still be up: ends it.
    ///
    /// With `dialog`: BYE. Without: CANCEL for each INVITE that may have been sent (each digest challenge and a 422 add
    /// one); a 2xx that still comes is ACKed and ended with BYE. Ends with [`SipEvent::Ended`] or [`SipEvent::Failed`].
    Recover {
        /// The leg as stored.
        leg: LegId,
        /// The boot of the process that made it (its Call-ID, tag and branch come from it).
        boot: u64,
        /// The call as it was made, as far as stored.
        call: Box<OutgoingCall>,
        /// What was stored at the answer.
        dialog: Option<RemoteDialog>,
        /// The address under which that process sent its requests; `None`: ours.
        sent_by: Option<SocketAddr>,
    },
}

/// What an INVITE needs besides its SDP. `Debug` hides whom it calls.
#[derive(Clone, PartialEq, Eq)]
pub struct OutgoingCall {
    /// Request-URI, such as `sip:0312345678@203.0.113.5`.
    pub request_uri: String,
    /// Next hop.
    pub peer: SocketAddr,
    /// Value of From without its tag, such as `"Demo" <sip:+81312345678@203.0.113.1>`.
    pub from: String,
    /// Value of To.
    pub to: String,
    /// Further headers as they stand: P-Asserted-Identity, Call-Info, Alert-Info...
    pub headers: Vec<(String, String)>,
    /// For a digest challenge (RFC 3261 §22, RFC 7616, RFC 8760).
    pub credentials: Option<Credentials>,
}

/// A digest user. `Debug` hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Digest username; not always the number.
    pub username: String,
    /// Digest password.
    pub password: String,
}

/// The far side of a confirmed dialog: stored at the answer, so that a restart can end it. `Debug` hides whom it is with.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RemoteDialog {
    /// To tag of the 2xx.
    pub remote_tag: String,
    /// URI of the Contact of the 2xx.
    pub remote_target: String,
    /// Route header values in the order they are sent.
    pub route_set: Vec<String>,
    /// CSeq number of the INVITE that was answered.
    pub cseq: u32,
}

/// What comes out. `Debug` hides what a message holds.
#[derive(Clone, PartialEq, Eq)]
pub enum SipAction {
    /// Puts a datagram on the wire.
    Send {
        /// Destination.
        to: SocketAddr,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Tells the dialer what happened.
    Event(SipEvent),
}

/// Facts of the network. Exactly one of `Failed` and `Ended` closes each leg, incoming ones included: a leg that we
/// refuse or that its caller cancels ends with `Failed` and the status that was sent.
///
/// `Debug` hides who calls whom.
#[derive(Clone, PartialEq, Eq)]
pub enum SipEvent {
    /// A 1xx. 100 has no early dialog.
    Provisional {
        /// The leg.
        leg: LegId,
        /// 100..=199.
        status: u16,
        /// SDP of early media.
        sdp: Option<Vec<u8>>,
    },
    /// 401, 407 or 422 that another INVITE may satisfy: send [`SipCommand::Authorize`] when the rate limit allows it.
    /// At most three times per leg.
    Challenged {
        /// The leg.
        leg: LegId,
    },
    /// A 2xx. The ACK has left, or is held for [`SipCommand::Acknowledge`]. Further 2xx of other branches are ended by the user agent itself.
    Answered {
        /// The leg.
        leg: LegId,
        /// SDP answer; where the 2xx has none, that of the last 1xx of its branch.
        sdp: Option<Vec<u8>>,
        /// To be stored.
        dialog: RemoteDialog,
    },
    /// The INVITE ended without an answer.
    Failed {
        /// The leg.
        leg: LegId,
        /// Why.
        cause: FailureCause,
        /// Q.850 cause of a Reason header (RFC 3326).
        q850: Option<u8>,
        /// Retry-After (RFC 3261 §20.33).
        retry_after: Option<Duration>,
    },
    /// An answered leg is over: BYE from either side, or its dialog is lost (481, time-out).
    Ended {
        /// The leg.
        leg: LegId,
        /// Whether the far end hung up.
        by_peer: bool,
        /// Q.850 cause of a Reason header.
        q850: Option<u8>,
    },
    /// The far end offers SDP in a re-INVITE or UPDATE (`None`: a re-INVITE without SDP asks for our offer).
    /// Answer with [`SipCommand::AnswerOffer`].
    Offer {
        /// The leg.
        leg: LegId,
        /// The offer.
        sdp: Option<Vec<u8>>,
    },
    /// The end of a [`SipCommand::Offer`]. A status of 481 or 408 is followed by `Ended` (RFC 3261 §14.1).
    OfferDone {
        /// The leg.
        leg: LegId,
        /// The final status; 408 when none came.
        status: u16,
        /// The SDP answer.
        sdp: Option<Vec<u8>>,
    },
    /// A key pressed, by SIP INFO (`application/dtmf-relay` or `application/dtmf`).
    Digit {
        /// The leg.
        leg: LegId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
    },
    /// An INVITE from the far end made this leg (the id is the user agent's own: bit 62 is set).
    Incoming {
        /// The new leg.
        leg: LegId,
        /// Where it came from.
        peer: SocketAddr,
        /// User part of the Request-URI, unescaped.
        called: String,
        /// Value of From.
        from: String,
        /// Call-ID, for the carrier's own count.
        call_id: String,
        /// Values of every header, for behaviour that depends on one (auto-answer).
        headers: Vec<(String, String)>,
        /// The SDP offer.
        sdp: Option<Vec<u8>>,
    },
    /// The caller cancelled an incoming leg before it was answered; 487 has left. `Failed` with 487 follows.
    Cancelled {
        /// The incoming leg.
        leg: LegId,
    },
    /// Our 2xx to an INVITE of the far end (a new call, or a re-INVITE) was acknowledged.
    Confirmed {
        /// The leg.
        leg: LegId,
        /// SDP of the ACK: the answer to our offer, where the INVITE had none.
        sdp: Option<Vec<u8>>,
    },
    /// The end of a [`SipCommand::Ping`].
    OptionsDone {
        /// The asker's number.
        ping: u64,
        /// Any final status, or `None` when nothing came within 32 s (64*T1).
        status: Option<u16>,
    },
    /// A datagram was thrown away; counted, never answered (unless the RFC demands it and the peer is known).
    Dropped {
        /// Why.
        reason: DropReason,
    },
}

/// Why an INVITE had no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureCause {
    /// A final response 300..=699.
    Status(u16),
    /// No response at all within 64*T1 (RFC 3261 §17.1.1.2, Timer B).
    Timeout,
    /// A provisional came, our CANCEL was accepted or not, and no final response came within 64*T1 of it.
    CancelTimeout,
}

/// Why a datagram was thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// Not a SIP message.
    Malformed,
    /// Larger than we accept.
    TooLarge,
    /// From an address that is no trunk and no agent, and matching nothing of ours.
    Stranger,
    /// A response that matches no transaction or dialog.
    NoTransaction,
    /// A bound was reached (incoming legs, transactions).
    Overload,
}
