//! How a call looks on the wire: numbers and URIs as each trunk and phone wants them.

use std::net::{IpAddr, SocketAddr};

use crate::logic::phone::PhoneNumber;
use crate::logic::settings::{AgentSettings, AutoAnswer, NumberFormat, TrunkSettings};
use crate::logic::sip::user_agent::{Credentials, OutgoingCall};

/// A customer's call over `trunk`; `None` when the trunk has no peer.
pub(super) fn customer_call(
    trunk: &TrunkSettings,
    number: &PhoneNumber,
    caller_id: &PhoneNumber,
    ours: SocketAddr,
) -> Option<OutgoingCall> {
    let peer = *trunk.peers.first()?;
    let theirs = trunk.domain.clone().unwrap_or_else(|| host_port(peer));
    let domain = trunk.domain.clone().unwrap_or_else(|| host(ours.ip()));
    let user_phone = if trunk.from_format.user_phone { ";user=phone" } else { "" };
    let called = format!("sip:{}@{theirs}{user_phone}", write_number(number, &trunk.dial_format));
    let shown = write_number(caller_id, &trunk.from_format.number);
    let identity = format!("<sip:{shown}@{domain}{user_phone}>");
    let from = match &trunk.from_format.display {
        Some(display) => format!("\"{}\" {identity}", display.replace(['"', '\\', '\r', '\n'], "")),
        None => identity.clone(),
    };
    let mut headers = vec![];
    if trunk.from_format.asserted_identity {
        headers.push(("P-Asserted-Identity".to_owned(), identity.clone()));
    }
    if trunk.from_format.preferred_identity {
        headers.push(("P-Preferred-Identity".to_owned(), identity));
    }
    let credentials = trunk.credentials.clone();
    Some(OutgoingCall {
        to: format!("<{called}>"),
        request_uri: called,
        peer,
        from,
        headers,
        credentials,
    })
}

/// The call that keeps an agent's phone up for a shift.
pub(super) fn agent_call(agent: &AgentSettings, ours: SocketAddr) -> OutgoingCall {
    let us = host_port(ours);
    let call_info = ("Call-Info".to_owned(), format!("<sip:{us}>;answer-after=0"));
    let alert_info = ("Alert-Info".to_owned(), format!("<sip:{us}>;info=alert-autoanswer;delay=0"));
    let headers = match agent.auto_answer {
        AutoAnswer::Both => vec![call_info, alert_info],
        AutoAnswer::CallInfo => vec![call_info],
        AutoAnswer::AlertInfo => vec![alert_info],
        AutoAnswer::Off => vec![],
    };
    OutgoingCall {
        request_uri: agent.uri.clone(),
        peer: agent.peer,
        from: format!("\"outdial\" <sip:outdial@{us}>"),
        to: format!("<{}>", agent.uri),
        headers,
        credentials: None,
    }
}

/// The call of another process, as stored with its intent, and the address under which that process sent it.
///
/// `None` when nothing was stored, or something that this version cannot read: such a leg cannot be ended.
pub(super) fn stored_call(
    text: &str,
    credentials: Option<Credentials>,
) -> Option<(OutgoingCall, Option<SocketAddr>)> {
    let stored: StoredCall = serde_json::from_str(text).ok()?;
    let call = OutgoingCall {
        request_uri: stored.request_uri,
        peer: stored.peer,
        from: stored.from,
        to: stored.to,
        headers: vec![],
        credentials,
    };
    Some((call, stored.sent_by))
}

/// What a restart needs to end the leg: no secrets.
pub(super) fn to_store(call: &OutgoingCall, ours: SocketAddr) -> String {
    let stored = StoredCall {
        request_uri: call.request_uri.clone(),
        peer: call.peer,
        from: call.from.clone(),
        to: call.to.clone(),
        sent_by: Some(ours),
    };
    serde_json::to_string(&stored).unwrap_or_default()
}

#[derive(serde::Serialize, serde::Deserialize)]
struct StoredCall {
    request_uri: String,
    peer: SocketAddr,
    from: String,
    to: String,
    /// Absent in rows of before there were several processes.
    #[serde(default)]
    sent_by: Option<SocketAddr>,
}

fn write_number(number: &PhoneNumber, format: &NumberFormat) -> String {
    match format {
        NumberFormat::PlusE164 => number.reveal().to_owned(),
        NumberFormat::E164 => number.digits().to_owned(),
        NumberFormat::National { calling_code, trunk_prefix } => {
            match number.digits().strip_prefix(calling_code) {
                Some(national) => format!("{trunk_prefix}{national}"),
                None => number.digits().to_owned(),
            }
        }
        NumberFormat::Prefixed { prefix, then } => {
            format!("{prefix}{}", write_number(number, then))
        }
    }
}

fn host(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// Without the port where it is SIP's own (RFC 3261 §19.1.2).
fn host_port(address: SocketAddr) -> String {
    if address.port() == 5060 { host(address.ip()) } else { address.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::settings::FromFormat;

    fn trunk() -> TrunkSettings {
        let usual = TrunkSettings::simulated("jp", vec!["192.0.2.9:5060".parse().unwrap()]);
        TrunkSettings {
            dial_format: NumberFormat::National {
                calling_code: "81".to_owned(),
                trunk_prefix: "0".to_owned(),
            },
            from_format: FromFormat {
                display: Some("ACME \"KK\"".to_owned()),
                asserted_identity: true,
                user_phone: true,
                ..usual.from_format
            },
            ..usual
        }
    }

    #[test]
    fn a_number_is_written_as_the_trunk_wants_it() {
        let (number, shown) = ("+81312345678".parse().unwrap(), "+81398765432".parse().unwrap());
        let ours = "198.51.100.1:5060".parse().unwrap();
        let call = customer_call(&trunk(), &number, &shown, ours).unwrap();
        assert_eq!(call.request_uri, "sip:0312345678@192.0.2.9;user=phone");
        assert_eq!(call.from, "\"ACME KK\" <sip:+81398765432@198.51.100.1;user=phone>");
        assert_eq!(
            call.headers,
            [(
                "P-Asserted-Identity".to_owned(),
                "<sip:+81398765432@198.51.100.1;user=phone>".to_owned()
            )]
        );
        let abroad = "+6561234567".parse().unwrap();
        let call = customer_call(&trunk(), &abroad, &shown, ours).unwrap();
        assert_eq!(call.to, "<sip:6561234567@192.0.2.9;user=phone>");
    }

    #[test]
    fn a_stored_call_carries_no_secret_and_reads_back() {
        let mut trunk = trunk();
        trunk.credentials =
            Some(Credentials { username: "u".to_owned(), password: "hunter2".to_owned() });
        let (number, shown) = ("+81312345678".parse().unwrap(), "+81398765432".parse().unwrap());
        let call =
            customer_call(&trunk, &number, &shown, "198.51.100.1:5060".parse().unwrap()).unwrap();
        let ours = "198.51.100.1:5060".parse().unwrap();
        let text = to_store(&call, ours);
        assert!(!text.contains("hunter2"));
        let (back, sent_by) = stored_call(&text, trunk.credentials).unwrap();
        assert_eq!(sent_by, Some(ours));
        assert_eq!((back.request_uri, back.from, back.to), (call.request_uri, call.from, call.to));
    }
}
