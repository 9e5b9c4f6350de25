//! SIP without sockets: messages, transactions, dialogs, digest, SDP.
//!
//! The rest of the program sees [`user_agent`] only.

pub mod dialog;
pub mod digest;
pub mod message;
pub mod sdp;
pub mod transaction;
pub mod user_agent;
