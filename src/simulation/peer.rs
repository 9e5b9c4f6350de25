//! What the simulated far ends, carrier and phones, have in common.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;

use crate::logic::media::Codec;
use crate::logic::media::RemoteMedia;
use crate::logic::sip::user_agent::Identity;
use crate::simulation::dice::Dice;

/// Call-IDs and tags of a simulated far end: its own, and the same in every run with this seed.
pub(crate) fn identity(name: &str, seed: u64) -> Identity {
    let mut dice = Dice::of(seed, name, 0);
    let boot = dice.next();
    let secret = [dice.next(), dice.next()].iter().flat_map(|word| word.to_be_bytes()).collect();
    Identity { installation: name.to_owned(), secret, boot }
}

/// A far end of which nothing is known.
pub(crate) const fn nowhere() -> RemoteMedia {
    RemoteMedia {
        rtp: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        codec: Codec::Pcmu,
        telephone_event: None,
        send: false,
        sources: Vec::new(),
        any_source: false,
    }
}

/// The Call-ID of a CANCEL, by a look at the bytes: the user agent reads the message itself a moment later.
pub(crate) fn cancelled_call_id(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (first, headers) = text.split_once('\n')?;
    if !first.starts_with("CANCEL ") {
        return None;
    }
    headers.lines().take_while(|line| !line.is_empty()).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let name = name.trim();
        (name.eq_ignore_ascii_case("call-id") || name.eq_ignore_ascii_case("i"))
            .then(|| value.trim())
    })
}

/// The first value of a header.
pub(crate) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_is_seen_and_nothing_else() {
        let cancel = b"CANCEL sip:1@h SIP/2.0\r\nVia: x\r\nCall-ID: abc@h\r\n\r\n";
        assert_eq!(cancelled_call_id(cancel), Some("abc@h"));
        assert_eq!(cancelled_call_id(b"CANCEL sip:1@h SIP/2.0\r\ni:abc\r\n\r\n"), Some("abc"));
        assert_eq!(cancelled_call_id(b"INVITE sip:1@h SIP/2.0\r\nCall-ID: abc\r\n\r\n"), None);
        assert_eq!(cancelled_call_id(b"CANCEL sip:1@h SIP/2.0\r\n\r\nCall-ID: abc\r\n"), None);
        assert_eq!(cancelled_call_id(&[0xff, 0xfe]), None);
    }
}
