//! RTP without sockets: packets, keys, one outgoing stream a leg, who hears whom.
//!
//! [`session::Session`] is one leg: the media thread hands it datagrams and 20 ms ticks and puts on the wire
//! what it writes. [`bridge::Bridges`] says whose audio goes where. Pure: time comes in, SSRC and first
//! numbers come from a seed.

pub mod bridge;
pub mod g711;
pub mod goertzel;
pub mod latch;
pub mod liveness;
pub mod packet;
pub mod player;
pub mod reception;
pub mod reporter;
pub mod rtcp;
pub mod session;
pub mod stream;
pub mod telephone_event;

/// Samples a second of everything here (RFC 3551 §4.5.14).
pub const SAMPLE_RATE: u32 = 8_000;

/// Samples in one packet of 20 ms, and bytes of G.711.
pub const FRAME: usize = 160;
