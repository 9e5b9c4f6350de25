//! The made-up world, pure: callees, a carrier, agents' phones and the network between them, on virtual time.
//!
//! The tests run it without sockets; the room `carrier` puts the same machines on real ones.
//! Every choice comes from a seed, so that a run can be repeated.

pub mod agent_brain;
pub mod callee;
pub mod carrier;
pub mod carrier_record;
pub mod dice;
pub mod digest_user;
pub mod ear;
pub mod limits;
pub mod network;
pub mod pacing_day;
mod peer;
pub mod peer_sdp;
pub mod phone;
mod pulse;
pub mod quirks;
pub mod rehearsal;
pub mod store_model;
pub mod virtual_media;
pub mod voice;
