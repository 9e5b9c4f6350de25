//! What may be odd about a call: the races and faults that carriers show a dialer now and then, here on purpose.

use std::time::Duration;

use crate::simulation::network::Link;

/// Oddities of one behaviour; by default there are none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quirks {
    /// When 100 Trying leaves.
    pub trying: Trying,
    /// Before each 18x of ours the same comes from so many other branches: forked early dialogs (RFC 3261 §13.2.2.1).
    pub early_forks: u8,
    /// UPDATE with an offer before the answer, so long after the INVITE (RFC 3311).
    pub early_update: Option<Duration>,
    /// The status of the answer, where it is not 200.
    pub answer_status: Option<u16>,
    /// So many other branches answer too, each with a tag of its own (RFC 3261 §13.2.2.4).
    pub answer_forks: u8,
    /// The answer is sent so many times more, whatever is acknowledged.
    pub answer_repeats: u8,
    /// The answer has no Contact.
    pub no_contact: bool,
    /// Requests that are lost on the caller.
    pub ignores: Ignores,
    /// The callee hangs up in the moment the caller's BYE arrives: the two cross on the wire.
    pub bye_crosses: bool,
    /// What the callee does during the call, each so long after the answer.
    pub acts: Vec<(Duration, Act)>,
    /// How the datagrams of this call travel, instead of the way the book says.
    pub network: Option<Link>,
}

/// When 100 Trying leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trying {
    /// After 200 ms without anything else (RFC 3261 §17.2.1).
    #[default]
    AsUsual,
    /// So long after the INVITE, while no final response has left; not before the usual time.
    After(Duration),
    /// Not at all: a caller who gives up early has nothing to cancel yet.
    Never,
}

/// Requests that get no answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ignores {
    /// The answer is repeated for 32 s, then the callee gives up.
    pub ack: bool,
    /// The caller's BYE is repeated until Timer F. The record counts the call as ended by the first.
    pub bye: bool,
    /// It rings on.
    pub cancel: bool,
}

/// What a callee does during a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// re-INVITE, `sendonly`.
    Hold,
    /// re-INVITE, `sendrecv`.
    Resume,
    /// re-INVITE that changes nothing.
    Reinvite,
    /// UPDATE with an offer that changes nothing.
    Update,
    /// Keys (RFC 4733).
    Press(String),
}

/// Acts of one behaviour.
pub const MOST_ACTS: usize = 32;

/// Other branches of one call: a dialer keeps so many dialogs and no more.
pub const MOST_FORKS: u8 = 16;
