//! Offers and answers for one G.711 audio stream with telephone-event (RFC 8866, RFC 3264, RFC 4733).
//!
//! Reading is forgiving (bare LF, unknown lines, several streams), writing is minimal: one audio stream, 20 ms packets.
//!
//! ```
//! use outdial::logic::media::Codec;
//! use outdial::logic::sip::sdp::{LocalMedia, Sdp};
//!
//! let us = LocalMedia::new("192.0.2.1:40000".parse().unwrap(), 7);
//! let offer = us.offer();
//!
//! let far = LocalMedia { codecs: vec![Codec::Pcma], ..LocalMedia::new("203.0.113.5:9000".parse().unwrap(), 9) };
//! let answer = far.answer(&Sdp::parse(&offer).unwrap()).unwrap();
//!
//! let remote = Sdp::parse(&answer.body).unwrap().remote().unwrap();
//! assert_eq!((remote.rtp, remote.codec), ("203.0.113.5:9000".parse().unwrap(), Codec::Pcma));
//! assert_eq!((remote.telephone_event, remote.may_send()), (Some(101), true));
//! ```

use std::fmt::Write as _;
use std::net::IpAddr;
use std::net::SocketAddr;

use crate::logic::media::Codec;

/// A description as the far end sent it, as far as we use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sdp {
    /// Value of `o=`. Unchanged in a new offer: a mere refresh of the session (RFC 3264 §8).
    pub origin: String,
    streams: Vec<Stream>,
}

/// Our side of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalMedia {
    /// Where we receive RTP, as the far end can reach it.
    pub rtp: SocketAddr,
    /// Same number for the life of a leg.
    pub session: u64,
    /// Goes up by one with each description that differs from the last (RFC 3264 §8).
    pub version: u64,
    /// What we take, the best first.
    pub codecs: Vec<Codec>,
    /// The direction that we want.
    pub direction: Direction,
}

/// What is known of the far end's stream after an offer or answer of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Where to send RTP. The address is unspecified (`0.0.0.0`) in an old form of hold.
    pub rtp: SocketAddr,
    /// The far end's first choice among ours.
    pub codec: Codec,
    /// Payload type of telephone-event, if the far end takes it.
    pub telephone_event: Option<u8>,
    /// The direction as the far end sees it.
    pub direction: Direction,
}

/// `a=sendrecv` and its kin, as seen by the side that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both ways; also when nothing is said.
    SendRecv,
    /// The writer only sends: it holds the other side.
    SendOnly,
    /// The writer only receives.
    RecvOnly,
    /// Neither.
    Inactive,
}

/// An answer to be sent, and what it makes of the far end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The SDP.
    pub body: Vec<u8>,
    /// From the offer.
    pub remote: Remote,
}

/// Bytes that are no usable description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSdp {
    /// The first line is not `v=0`.
    #[error("not an SDP body: it does not begin with v=0")]
    NotSdp,
    /// An `m=` line without a port or formats.
    #[error("SDP with a garbled m= line")]
    MediaLine,
    /// More streams, formats or lines than any real far end sends.
    #[error("SDP with more than {MAX_STREAMS} streams, {MAX_FORMATS} formats or {MAX_LINES} lines")]
    TooMuch,
}

/// One `m=` section.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stream {
    kind: String,
    port: u16,
    transport: String,
    formats: Vec<String>,
    /// Its own `c=` or that of the session; `None` when it is a name or multicast.
    address: Option<IpAddr>,
    direction: Direction,
    /// The payload type of telephone-event/8000 in `a=rtpmap`.
    telephone_event: Option<u8>,
}

impl Sdp {
    /// Reads a description.
    ///
    /// # Errors
    /// [`BadSdp`]. Unknown lines and attributes are skipped.
    pub fn parse(body: &[u8]) -> Result<Self, BadSdp> {
        let text = String::from_utf8_lossy(body);
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        if lines.next() != Some("v=0") {
            return Err(BadSdp::NotSdp);
        }
        let (mut origin, mut address, mut direction) = (String::new(), None, Direction::SendRecv);
        let mut streams: Vec<Stream> = Vec::new();
        for (count, line) in lines.enumerate() {
            if count == MAX_LINES {
                return Err(BadSdp::TooMuch);
            }
            let Some((kind, value)) = line.split_once('=') else { continue };
            let full = streams.len() == MAX_STREAMS;
            match (kind, streams.last_mut()) {
                ("m", _) if full => return Err(BadSdp::TooMuch),
                ("m", _) => streams.push(Stream::parse(value, address, direction)?),
                ("c", Some(stream)) => stream.address = parse_connection(value),
                ("c", None) => address = parse_connection(value),
                ("a", Some(stream)) => stream.attribute(value),
                ("a", None) => direction = Direction::parse(value).unwrap_or(direction),
                ("o", None) => value.clone_into(&mut origin),
                _ => {}
            }
        }
        Ok(Self { origin, streams })
    }

    /// The first audio stream that we can talk with; `None` when there is none (488).
    #[must_use]
    pub fn remote(&self) -> Option<Remote> {
        self.choose(&[Codec::Pcmu, Codec::Pcma]).map(|(_, remote)| remote)
    }

    fn choose(&self, codecs: &[Codec]) -> Option<(usize, Remote)> {
        self.streams.iter().enumerate().find_map(|(at, stream)| Some((at, stream.usable(codecs)?)))
    }
}

impl Remote {
    /// Whether we may send to the far end: it does not hold us. RTCP goes on in any case.
    #[must_use]
    pub fn may_send(&self) -> bool {
        self.direction.receives() && !self.rtp.ip().is_unspecified()
    }

    /// Whether the far end may send to us.
    #[must_use]
    pub const fn sends(&self) -> bool {
        self.direction.sends()
    }
}

impl LocalMedia {
    /// Both kinds of G.711, µ-law first, both ways, version 1.
    #[must_use]
    pub fn new(rtp: SocketAddr, session: u64) -> Self {
        Self {
            rtp,
            session,
            version: 1,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            direction: Direction::SendRecv,
        }
    }

    /// The offer: our codecs and telephone-event as payload type 101.
    #[must_use]
    pub fn offer(&self) -> Vec<u8> {
        let mut text = self.head();
        self.write_audio(&mut text, &self.codecs, Some(OUR_TELEPHONE_EVENT), self.direction);
        text.into_bytes()
    }

    /// The answer to an offer: the first audio stream with a codec of ours is taken, the others are refused with port 0
    /// (RFC 3264 §6). Codecs keep the order and telephone-event the payload type of the offer. `None` when nothing
    /// fits: refuse with 488.
    #[must_use]
    pub fn answer(&self, offer: &Sdp) -> Option<Answer> {
        let (chosen, remote) = offer.choose(&self.codecs)?;
        let mut text = self.head();
        for (at, stream) in offer.streams.iter().enumerate() {
            if at == chosen {
                let common: Vec<_> =
                    stream.codecs().filter(|codec| self.codecs.contains(codec)).collect();
                let direction = remote.direction_of_answer(self.direction);
                self.write_audio(&mut text, &common, remote.telephone_event, direction);
            } else {
                let Stream { kind, transport, formats, .. } = stream;
                line(&mut text, format_args!("m={kind} 0 {transport} {}", formats.join(" ")));
            }
        }
        Some(Answer { body: text.into_bytes(), remote })
    }

    fn head(&self) -> String {
        let (session, version, ip) = (self.session, self.version, self.rtp.ip());
        let kind = if ip.is_ipv6() { "IP6" } else { "IP4" };
        let mut text = String::with_capacity(320);
        line(&mut text, format_args!("v=0"));
        line(&mut text, format_args!("o=- {session} {version} IN {kind} {ip}"));
        line(&mut text, format_args!("s=-"));
        line(&mut text, format_args!("c=IN {kind} {ip}"));
        line(&mut text, format_args!("t=0 0"));
        text
    }

    fn write_audio(
        &self,
        text: &mut String,
        codecs: &[Codec],
        telephone_event: Option<u8>,
        direction: Direction,
    ) {
        let mut formats: Vec<_> =
            codecs.iter().map(|codec| payload_type(*codec).to_string()).collect();
        formats.extend(telephone_event.map(|event| event.to_string()));
        let port = self.rtp.port();
        line(text, format_args!("m=audio {port} RTP/AVP {}", formats.join(" ")));
        for codec in codecs {
            line(text, format_args!("a=rtpmap:{} {}/8000", payload_type(*codec), name(*codec)));
        }
        if let Some(event) = telephone_event {
            line(text, format_args!("a=rtpmap:{event} {TELEPHONE_EVENT}"));
            // RFC 4733 §2.4.1: the sixteen keys.
            line(text, format_args!("a=fmtp:{event} 0-15"));
        }
        line(text, format_args!("a=ptime:20"));
        line(text, format_args!("a={}", direction.as_str()));
    }
}

impl Remote {
    /// RFC 3264 §6.1: what we may say to the far end's direction when we want `ours`.
    fn direction_of_answer(&self, ours: Direction) -> Direction {
        let receives = self.direction.sends() && ours.receives();
        let sends = self.may_send() && ours.sends();
        Direction::of(sends, receives)
    }
}

impl Direction {
    fn parse(attribute: &str) -> Option<Self> {
        match attribute.trim() {
            "sendrecv" => Some(Self::SendRecv),
            "sendonly" => Some(Self::SendOnly),
            "recvonly" => Some(Self::RecvOnly),
            "inactive" => Some(Self::Inactive),
            _ => None,
        }
    }

    const fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether the writer sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        match self {
            Self::SendRecv | Self::SendOnly => true,
            Self::RecvOnly | Self::Inactive => false,
        }
    }

    /// Whether the writer receives.
    #[must_use]
    pub const fn receives(self) -> bool {
        match self {
            Self::SendRecv | Self::RecvOnly => true,
            Self::SendOnly | Self::Inactive => false,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

impl Stream {
    fn parse(value: &str, address: Option<IpAddr>, direction: Direction) -> Result<Self, BadSdp> {
        let mut words = value.split_ascii_whitespace();
        let mut word = || words.next().ok_or(BadSdp::MediaLine);
        let (kind, port, transport) = (word()?, word()?, word()?);
        // `49170/2` asks for two pairs of ports; the first will do.
        let port = port.split_once('/').map_or(port, |(first, _)| first);
        let port = port.parse().map_err(|_| BadSdp::MediaLine)?;
        let formats: Vec<_> = words.take(MAX_FORMATS + 1).map(str::to_owned).collect();
        match formats.len() {
            0 => return Err(BadSdp::MediaLine),
            1..=MAX_FORMATS => {}
            _ => return Err(BadSdp::TooMuch),
        }
        let (kind, transport) = (kind.to_ascii_lowercase(), transport.to_owned());
        Ok(Self { kind, port, transport, formats, address, direction, telephone_event: None })
    }

    fn attribute(&mut self, attribute: &str) {
        if let Some(direction) = Direction::parse(attribute) {
            self.direction = direction;
        } else if let Some((format, encoding)) =
            attribute.strip_prefix("rtpmap:").and_then(|map| map.trim().split_once([' ', '\t']))
        {
            let encoding = encoding.trim();
            // RFC 4733 §7.1.1 allows `/1` for the one channel.
            let encoding = encoding.strip_suffix("/1").unwrap_or(encoding);
            let event = encoding.eq_ignore_ascii_case(TELEPHONE_EVENT)
                && self.formats.iter().any(|known| known == format);
            let number = format.parse::<u8>().ok().filter(|number| *number < 128);
            if event && self.telephone_event.is_none() {
                self.telephone_event = number;
            }
        }
    }

    /// G.711 among the formats, in their order. Only the static payload types count: media sends no others.
    fn codecs(&self) -> impl Iterator<Item = Codec> {
        self.formats.iter().filter_map(|format| match format.as_str() {
            "0" => Some(Codec::Pcmu),
            "8" => Some(Codec::Pcma),
            _ => None,
        })
    }

    fn usable(&self, codecs: &[Codec]) -> Option<Remote> {
        let plain = ["RTP/AVP", "RTP/AVPF"].iter().any(|t| self.transport.eq_ignore_ascii_case(t));
        if self.kind != "audio" || self.port == 0 || !plain {
            return None;
        }
        Some(Remote {
            rtp: SocketAddr::new(self.address?, self.port),
            codec: self.codecs().find(|codec| codecs.contains(codec))?,
            telephone_event: self.telephone_event,
            direction: self.direction,
        })
    }
}

/// `IN IP4 192.0.2.1`; `None` for names and multicast, which we do not send to.
fn parse_connection(value: &str) -> Option<IpAddr> {
    let mut words = value.split_ascii_whitespace();
    let (_network, _kind, address) = (words.next()?, words.next()?, words.next()?);
    address.parse().ok().filter(|ip: &IpAddr| !ip.is_multicast())
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    if text.write_fmt(content).is_ok() {
        text.push_str("\r\n");
    }
}

const fn payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
    }
}

const fn name(codec: Codec) -> &'static str {
    match codec {
        Codec::Pcmu => "PCMU",
        Codec::Pcma => "PCMA",
    }
}

const TELEPHONE_EVENT: &str = "telephone-event/8000";

/// What nearly everybody uses; any of 96 to 127 would do (RFC 3551 §3).
const OUR_TELEPHONE_EVENT: u8 = 101;

const MAX_STREAMS: usize = 16;
const MAX_FORMATS: usize = 64;
const MAX_LINES: usize = 1_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn us() -> LocalMedia {
        LocalMedia::new("192.0.2.1:40000".parse().unwrap(), 7)
    }

    fn sdp(text: &str) -> Sdp {
        Sdp::parse(text.as_bytes()).unwrap()
    }

    fn audio(rest: &str) -> Sdp {
        sdp(&format!("v=0\no=x 1 1 IN IP4 h\nc=IN IP4 203.0.113.5\nm=audio 9000 RTP/AVP {rest}\n"))
    }

    fn answered(offer: &Sdp) -> String {
        String::from_utf8(us().answer(offer).unwrap().body).unwrap()
    }

    #[test]
    fn our_offer_is_short_and_complete() {
        insta::assert_snapshot!(String::from_utf8(us().offer()).unwrap().replace("\r\n", "\n"), @r"
        v=0
        o=- 7 1 IN IP4 192.0.2.1
        s=-
        c=IN IP4 192.0.2.1
        t=0 0
        m=audio 40000 RTP/AVP 0 8 101
        a=rtpmap:0 PCMU/8000
        a=rtpmap:8 PCMA/8000
        a=rtpmap:101 telephone-event/8000
        a=fmtp:101 0-15
        a=ptime:20
        a=sendrecv
        ");
    }

    #[test]
    fn the_answer_takes_one_stream_and_refuses_the_others() {
        let offer = sdp("v=0\r\no=x 1 1 IN IP4 h\r\ns= \r\nt=0 0\r\nz=odd\r\n\
            m=video 5000 RTP/AVP 31 32\r\nc=IN IP4 203.0.113.9\r\n\
            m=audio 6000 RTP/SAVP 0\r\nc=IN IP4 203.0.113.9\r\n\
            m=audio 7000 RTP/AVP 18 97 8 0\r\nc=IN IP4 203.0.113.9\r\n\
            a=rtpmap:97 telephone-event/8000\r\n\
            m=audio 8000 RTP/AVP 0\r\nc=IN IP4 203.0.113.9\r\n");
        let answer = us().answer(&offer).unwrap();
        assert_eq!(answer.remote.rtp, "203.0.113.9:7000".parse().unwrap());
        assert_eq!(answer.remote.codec, Codec::Pcma);
        let text = answered(&offer);
        let media: Vec<_> = text.lines().filter(|line| line.starts_with("m=")).collect();
        assert_eq!(
            media,
            [
                "m=video 0 RTP/AVP 31 32",
                "m=audio 0 RTP/SAVP 0",
                "m=audio 40000 RTP/AVP 8 0 97",
                "m=audio 0 RTP/AVP 0"
            ]
        );
        assert!(text.contains("a=rtpmap:97 telephone-event/8000\r\na=fmtp:97 0-15\r\n"));
    }

    #[test]
    fn directions_are_answered_by_their_mirror() {
        for (offered, answer, may_send) in [
            ("sendrecv", "a=sendrecv", true),
            ("sendonly", "a=recvonly", false),
            ("recvonly", "a=sendonly", true),
            ("inactive", "a=inactive", false),
        ] {
            let offer = audio(&format!("0\na={offered}"));
            assert!(answered(&offer).contains(answer), "{offered}");
            assert_eq!(offer.remote().unwrap().may_send(), may_send);
        }
    }

    #[test]
    fn an_address_of_zeros_is_a_hold() {
        for zeros in ["IP4 0.0.0.0", "IP6 ::"] {
            let offer = sdp(&format!("v=0\nc=IN {zeros}\nm=audio 9000 RTP/AVP 0\n"));
            assert!(!offer.remote().unwrap().may_send());
            assert!(answered(&offer).contains("a=recvonly"));
        }
    }

    #[test]
    fn session_lines_hold_for_streams_without_their_own() {
        let offer = sdp("v=0\na=sendonly\nc=IN IP6 2001:db8::1\nm=audio 9000/2 RTP/AVP 0\n\
            m=audio 9002 RTP/AVP 8\na=sendrecv\n");
        let remote = offer.remote().unwrap();
        assert_eq!(remote.rtp, "[2001:db8::1]:9000".parse().unwrap());
        assert_eq!(remote.direction, Direction::SendOnly);
        let only_pcma = LocalMedia { codecs: vec![Codec::Pcma], ..us() };
        let second = only_pcma.answer(&offer).unwrap().remote;
        assert_eq!((second.rtp.port(), second.direction), (9002, Direction::SendRecv));
    }

    #[test]
    fn ipv6_is_offered_as_ip6() {
        let local = LocalMedia::new("[2001:db8::7]:40000".parse().unwrap(), 7);
        let text = String::from_utf8(local.offer()).unwrap();
        assert!(text.contains("c=IN IP6 2001:db8::7\r\n"));
        assert_eq!(Sdp::parse(text.as_bytes()).unwrap().remote().unwrap().rtp, local.rtp);
    }

    #[test]
    fn what_we_cannot_talk_with_is_refused() {
        assert_eq!(audio("18 96").remote(), None);
        assert_eq!(sdp("v=0\nm=audio 9000 RTP/AVP 0\n").remote(), None);
        assert_eq!(sdp("v=0\nc=IN IP4 host.example\nm=audio 9000 RTP/AVP 0\n").remote(), None);
        assert_eq!(sdp("v=0\nc=IN IP4 224.2.1.1/127\nm=audio 9000 RTP/AVP 0\n").remote(), None);
        assert_eq!(sdp("v=0\nc=IN IP4 203.0.113.5\nm=audio 0 RTP/AVP 0\n").remote(), None);
        assert_eq!(us().answer(&sdp("v=0\n")), None);
    }

    #[test]
    fn telephone_event_needs_its_clock_and_a_place_among_the_formats() {
        let event = |rest: &str| audio(rest).remote().unwrap().telephone_event;
        assert_eq!(event("0 100\na=rtpmap:100 Telephone-Event/8000/1"), Some(100));
        assert_eq!(event("0 100\na=rtpmap:100 telephone-event/16000"), None);
        assert_eq!(event("0\na=rtpmap:100 telephone-event/8000"), None);
        assert_eq!(event("0 101"), None);
    }

    #[test]
    fn garbled_and_endless_descriptions_are_refused() {
        let parse = |text: &str| Sdp::parse(text.as_bytes()).unwrap_err();
        assert_eq!(parse(""), BadSdp::NotSdp);
        assert_eq!(parse("{}"), BadSdp::NotSdp);
        assert_eq!(parse("v=0\nm=audio x RTP/AVP 0"), BadSdp::MediaLine);
        assert_eq!(parse("v=0\nm=audio 1 RTP/AVP"), BadSdp::MediaLine);
        let many = "m=audio 1 RTP/AVP 0\n".repeat(MAX_STREAMS + 1);
        assert_eq!(parse(&format!("v=0\n{many}")), BadSdp::TooMuch);
        let wide = "0 ".repeat(MAX_FORMATS + 1);
        assert_eq!(parse(&format!("v=0\nm=audio 1 RTP/AVP {wide}")), BadSdp::TooMuch);
        assert_eq!(parse(&format!("v=0\n{}", "b=x\n".repeat(MAX_LINES + 1))), BadSdp::TooMuch);
    }

    fn any_direction() -> impl Strategy<Value = Direction> {
        (any::<bool>(), any::<bool>()).prop_map(|(sends, receives)| Direction::of(sends, receives))
    }

    proptest! {
        #[test]
        fn what_is_offered_is_read_again(
            ip: IpAddr, port in 1u16.., session: u64, version: u64, direction in any_direction(), a_first: bool
        ) {
            prop_assume!(!ip.is_multicast());
            let mut codecs = vec![Codec::Pcmu, Codec::Pcma];
            if a_first {
                codecs.reverse();
            }
            let local =
                LocalMedia { rtp: SocketAddr::new(ip, port), session, version, codecs, direction };
            let remote = Sdp::parse(&local.offer()).unwrap().remote().unwrap();
            prop_assert_eq!(remote.rtp, local.rtp);
            prop_assert_eq!(remote.codec, local.codecs[0]);
            prop_assert_eq!(remote.telephone_event, Some(101));
            prop_assert_eq!(remote.direction, direction);
        }

        #[test]
        fn arbitrary_bytes_never_panic(text in "v=0\n([macoz]=[ -~]{0,30}\n){0,10}|\\PC{0,60}") {
            if let Ok(offer) = Sdp::parse(text.as_bytes()) {
                std::hint::black_box(us().answer(&offer));
            }
        }
    }
}
