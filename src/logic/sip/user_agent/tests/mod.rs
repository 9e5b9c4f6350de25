//! The user agent in virtual time: against another one over a made-up network, and against messages written by hand.

mod pair;
mod solo;

mod again;
mod arbitrary;
mod calls;
mod digest;
mod forms;
mod held_ack;
mod loss;
mod offers;
mod races;
mod recover;
mod strangers;

use std::net::SocketAddr;

use super::Credentials;
use super::Identity;
use super::OutgoingCall;
use super::UserAgentSettings;
use crate::logic::ids::LegId;
use crate::logic::media::IpNet;

/// Our side.
pub(super) fn near() -> SocketAddr {
    "192.0.2.1:5060".parse().unwrap()
}

/// The far side.
pub(super) fn far() -> SocketAddr {
    "192.0.2.2:5070".parse().unwrap()
}

pub(super) fn settings(sent_by: SocketAddr, peer: SocketAddr) -> UserAgentSettings {
    let identity = Identity {
        installation: format!("test {sent_by}"),
        secret: b"0123456789abcdef0123456789abcdef".to_vec(),
        boot: 77,
    };
    let mut settings = UserAgentSettings::new(sent_by, identity);
    settings.peers = vec![IpNet { addr: peer.ip(), prefix: 32 }];
    settings
}

pub(super) fn call() -> Box<OutgoingCall> {
    Box::new(OutgoingCall {
        request_uri: "sip:0312345678@192.0.2.2:5070".into(),
        peer: far(),
        from: "\"Demo\" <sip:+81312345678@192.0.2.1>".into(),
        to: "<sip:0312345678@192.0.2.2>".into(),
        headers: vec![("P-Asserted-Identity".into(), "<sip:+81312345678@192.0.2.1>".into())],
        credentials: None,
    })
}

pub(super) fn call_with_password() -> Box<OutgoingCall> {
    let mut call = call();
    call.credentials = Some(Credentials { username: "line1".into(), password: "secret".into() });
    call
}

pub(super) const OFFER: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 20000 RTP/AVP 0\r\n";
pub(super) const ANSWER: &[u8] =
    b"v=0\r\no=- 2 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n\
    m=audio 30000 RTP/AVP 0\r\n";
pub(super) const LEG: LegId = LegId(7 << 32 | 1);
