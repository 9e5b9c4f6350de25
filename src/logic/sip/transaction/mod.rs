//! The four transaction machines of RFC 3261 §17, with RFC 6026: when to repeat, when to give up, what is a repeat.
//!
//! They know time and status codes, not messages: the user agent keeps the bytes and matches branches. UDP only, so
//! every timer has its value for an unreliable transport.

pub mod client_invite;
pub mod client_other;
pub mod server_invite;
pub mod server_other;

use std::time::Duration;

use crate::logic::time::Tick;

/// RFC 3261 §17.1.1.1: estimate of the round trip.
pub const T1: Duration = Duration::from_millis(500);

/// RFC 3261 §17.1.2.2: longest pause between repeats of a request other than INVITE, and of a response to INVITE.
pub const T2: Duration = Duration::from_secs(4);

/// RFC 3261 §17.1.2.2: how long the network may hold a message.
pub const T4: Duration = Duration::from_secs(5);

/// 64*T1: Timers B, D (at least 32 s), F, H, J of RFC 3261 §17 and L, M of RFC 6026 §8.
pub const SIXTY_FOUR_T1: Duration = Duration::from_secs(32);

/// The next pause after `interval`: twice as long, at most T2.
#[must_use]
pub fn doubled(interval: Duration) -> Duration {
    (interval * 2).min(T2)
}

/// When what is only remembered any more is forgotten: up to 100 ms late, at a moment that many share. Two timers end in
/// that way for each call, and each would wake the dialer alone.
#[must_use]
pub fn forgotten_at(now: Tick, wait: Duration) -> Tick {
    (now + wait).rounded_up(Duration::from_millis(100))
}
