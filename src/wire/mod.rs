//! Sockets: bound, sized and written to without waiting. What the bytes mean is decided elsewhere.

pub mod resolve;
pub mod rtp_ports;
pub mod udp;
