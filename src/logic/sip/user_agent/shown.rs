//! How commands and events look in logs and failed tests: without numbers, names and secrets.

use std::fmt;

use super::Credentials;
use super::OutgoingCall;
use super::RemoteDialog;
use super::SipAction;
use super::SipEvent;

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

impl fmt::Debug for OutgoingCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingCall")
            .field("peer", &self.peer)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RemoteDialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteDialog")
            .field("remote_tag", &self.remote_tag)
            .field("cseq", &self.cseq)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SipAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { to, bytes } => write!(f, "Send {} bytes to {to}", bytes.len()),
            Self::Event(event) => event.fmt(f),
        }
    }
}

impl fmt::Debug for SipEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provisional { leg, status, sdp } => {
                write!(f, "Provisional {leg:?} {status}{}", Body(sdp.as_ref()))
            }
            Self::Challenged { leg } => write!(f, "Challenged {leg:?}"),
            Self::Answered { leg, sdp, dialog } => {
                write!(f, "Answered {leg:?} {dialog:?}{}", Body(sdp.as_ref()))
            }
            Self::Failed { leg, cause, q850, retry_after } => {
                write!(f, "Failed {leg:?} {cause:?} q850 {q850:?} retry after {retry_after:?}")
            }
            Self::Ended { leg, by_peer, q850 } => {
                write!(f, "Ended {leg:?} by peer {by_peer} q850 {q850:?}")
            }
            Self::Offer { leg, sdp } => write!(f, "Offer {leg:?}{}", Body(sdp.as_ref())),
            Self::OfferDone { leg, status, sdp } => {
                write!(f, "OfferDone {leg:?} {status}{}", Body(sdp.as_ref()))
            }
            // A key may be a digit of a card number.
            Self::Digit { leg, digit: _ } => write!(f, "Digit {leg:?}"),
            Self::Incoming { leg, peer, call_id, sdp, called: _, from: _, headers: _ } => {
                write!(f, "Incoming {leg:?} {peer} {call_id}{}", Body(sdp.as_ref()))
            }
            Self::Cancelled { leg } => write!(f, "Cancelled {leg:?}"),
            Self::Confirmed { leg, sdp } => write!(f, "Confirmed {leg:?}{}", Body(sdp.as_ref())),
            Self::OptionsDone { ping, status } => write!(f, "OptionsDone {ping} {status:?}"),
            Self::Dropped { reason } => write!(f, "Dropped {reason:?}"),
        }
    }
}

/// Whether there is SDP, and how much.
struct Body<'a>(Option<&'a Vec<u8>>);

impl fmt::Display for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(sdp) => write!(f, " with {} bytes of SDP", sdp.len()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::ids::LegId;
    use crate::logic::sip::user_agent::SipCommand;

    const NUMBER: &str = "0312345678";

    #[test]
    fn nobody_is_shown() {
        let uri = format!("sip:{NUMBER}@192.0.2.2");
        let (leg, peer) = (LegId(1), "192.0.2.2:5060".parse().unwrap());
        let credentials = Credentials { username: "line1".into(), password: NUMBER.into() };
        let call = OutgoingCall {
            request_uri: uri.clone(),
            peer,
            from: format!("<{uri}>"),
            to: format!("<{uri}>"),
            headers: vec![("P-Asserted-Identity".into(), uri.clone())],
            credentials: Some(credentials),
        };
        let dialog = RemoteDialog {
            remote_tag: "far".into(),
            remote_target: uri.clone(),
            route_set: vec![uri.clone()],
            cseq: 1,
        };
        let incoming = SipEvent::Incoming {
            leg,
            peer,
            called: NUMBER.into(),
            from: uri.clone(),
            call_id: "c1".into(),
            headers: vec![("To".into(), uri.clone())],
            sdp: Some(vec![0; 7]),
        };
        let shown = [
            format!("{:?}", SipCommand::Invite { leg, call: Box::new(call), offer: vec![] }),
            format!("{:?}", SipEvent::Answered { leg, sdp: None, dialog }),
            format!("{:?}", SipAction::Send { to: peer, bytes: uri.into_bytes() }),
            format!("{:?}", SipEvent::Digit { leg, digit: '3' }),
            format!("{incoming:?}"),
        ];
        for text in &shown {
            assert!(!text.contains(NUMBER) && !text.contains('3'), "{text}");
        }
        assert_eq!(shown[4], "Incoming LegId(0:1) 192.0.2.2:5060 c1 with 7 bytes of SDP");
    }
}
