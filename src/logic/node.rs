//! One process, still pure: joins the dialer, SIP and media.
//!
//! The runtime feeds it every datagram, store reply, media event and command, and performs what it asks.

use std::net::SocketAddr;

use crate::logic::dialer::command::{AgentNotice, Command, Reply};
use crate::logic::dialer::{Asker, StoreCommand, StoreHealth, StoreReply, Ticket};
use crate::logic::media::{MediaCommand, MediaEvent};

/// What goes in.
#[derive(Debug)]
pub enum NodeInput<'a> {
    /// A datagram at the SIP socket.
    Datagram {
        /// Source.
        from: SocketAddr,
        /// Payload.
        bytes: &'a [u8],
    },
    /// From the media threads.
    Media(MediaEvent),
    /// From the store task.
    Stored(Ticket, StoreReply),
    /// From the store task.
    StoreHealth(StoreHealth),
    /// From the control socket.
    Command(Asker, Command),
    /// A signal.
    Shutdown,
    /// A deadline passed.
    Timeout,
}

/// What comes out.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeAction {
    /// A datagram from the SIP socket.
    Send {
        /// Destination.
        to: SocketAddr,
        /// Payload.
        bytes: Vec<u8>,
    },
    /// To the media threads.
    Media(MediaCommand),
    /// To the store task.
    Store(Ticket, StoreCommand),
    /// To whoever asked.
    Reply(Asker, Box<Reply>),
    /// To watchers.
    Notice(Box<AgentNotice>),
    /// The process may end.
    Finished,
}
