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

/// Start line and Call-ID of a datagram, by a look at the bytes: the user agent reads the message itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    pub(crate) start: &'a str,
    pub(crate) call_id: &'a str,
}

/// See [`Head`]. Bytes that are no text may stand in other headers and in the body.
pub(crate) fn head(bytes: &[u8]) -> Option<Head<'_>> {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let start = std::str::from_utf8(lines.next()?).ok()?;
    lines.take_while(|line| !line.is_empty()).find_map(|line| {
        let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
        let name = name.trim();
        (name.eq_ignore_ascii_case("call-id") || name.eq_ignore_ascii_case("i"))
            .then(|| Head { start, call_id: value.trim() })
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
    fn start_line_and_call_id_are_found_among_anything() {
        let seen = |bytes: &'static [u8]| head(bytes).map(|head| (head.start, head.call_id));
        let cancel = b"CANCEL sip:1@h SIP/2.0\r\nVia: x\r\nCall-ID: abc@h\r\n\r\n";
        assert_eq!(seen(cancel), Some(("CANCEL sip:1@h SIP/2.0", "abc@h")));
        assert_eq!(seen(b"BYE sip:1@h SIP/2.0\r\ni : abc\r\n\r\n").unwrap().1, "abc");
        let latin = b"SIP/2.0 200 OK\r\nSubject: caf\xe9\r\nCALL-ID: a\r\n\r\n\xff";
        assert_eq!(seen(latin), Some(("SIP/2.0 200 OK", "a")));
        assert_eq!(seen(b"CANCEL sip:1@h SIP/2.0\r\n\r\nCall-ID: abc\r\n"), None);
        assert_eq!(seen(&[0xff, 0xfe]), None);
    }
}
