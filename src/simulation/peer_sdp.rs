//! The far end's own hand at SDP (RFC 8866, RFC 3264), audio only.
//!
//! Not the reader and writer of `logic::sip` on purpose: a peer that shared them would share their mistakes.

use std::net::IpAddr;
use std::net::SocketAddr;

use crate::logic::media::Codec;
use crate::logic::media::RemoteMedia;

/// What an offer or answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeardSdp {
    /// Where and how to send; `send` is false while the far end does not want to receive.
    pub remote: RemoteMedia,
    /// Whether the far end may send.
    pub may_receive: bool,
}

/// How we want to be spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// Hold: we only send.
    SendOnly,
    /// We only receive.
    RecvOnly,
    /// Neither.
    Inactive,
}

/// Reads the first audio stream; `None` when there is none with G.711, or no address.
#[must_use]
pub fn read(sdp: &[u8]) -> Option<HeardSdp> {
    let text = String::from_utf8_lossy(sdp);
    let mut address: Option<IpAddr> = None;
    let mut direction = Direction::SendRecv;
    let mut audio: Option<(u16, Vec<u8>)> = None;
    let mut telephone_event = None;
    for line in text.lines().take(MOST_LINES) {
        let Some((kind, value)) = line.split_once('=') else { continue };
        match kind {
            "m" if audio.is_some() => break,
            "m" => audio = read_audio(value),
            "c" => address = value.split_whitespace().nth(2).and_then(|host| host.parse().ok()),
            "a" => {
                if let Some(found) = read_direction(value) {
                    direction = found;
                }
                telephone_event = telephone_event.or_else(|| read_event(value));
            }
            _ => {}
        }
    }
    let (port, formats) = audio?;
    let address = address?;
    let codec = formats.iter().find_map(|format| match format {
        0 => Some(Codec::Pcmu),
        8 => Some(Codec::Pcma),
        _ => None,
    })?;
    let wants = matches!(direction, Direction::SendRecv | Direction::RecvOnly);
    let remote = RemoteMedia {
        rtp: SocketAddr::new(address, port),
        codec,
        telephone_event: telephone_event.filter(|event| formats.contains(event)),
        // An address of zeros is hold in the manner of RFC 2543; port 0 refuses the stream.
        send: wants && !address.is_unspecified() && port != 0,
        sources: Vec::new(),
        any_source: false,
    };
    let may_receive = matches!(direction, Direction::SendRecv | Direction::SendOnly);
    Some(HeardSdp { remote, may_receive })
}

/// Writes an offer or an answer for one G.711 stream.
#[must_use]
pub fn write(
    address: SocketAddr,
    version: u64,
    codec: Codec,
    event: Option<u8>,
    direction: Direction,
) -> Vec<u8> {
    let ip = address.ip();
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    let (format, name) = match codec {
        Codec::Pcmu => (0, "PCMU"),
        Codec::Pcma => (8, "PCMA"),
    };
    let mut formats = format!("{format}");
    let mut events = String::new();
    if let Some(event) = event {
        formats = format!("{format} {event}");
        events = format!("a=rtpmap:{event} telephone-event/8000\r\na=fmtp:{event} 0-15\r\n");
    }
    let direction = match direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    };
    format!(
        "v=0\r\no=peer {port} {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {formats}\r\na=rtpmap:{format} {name}/8000\r\n{events}a=ptime:20\r\na={direction}\r\n",
        port = address.port(),
    )
    .into_bytes()
}

impl HeardSdp {
    /// The direction of our answer (RFC 3264 §6.1).
    #[must_use]
    pub const fn answer_direction(&self) -> Direction {
        match (self.remote.send, self.may_receive) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }
}

fn read_audio(value: &str) -> Option<(u16, Vec<u8>)> {
    let mut words = value.split_whitespace();
    if words.next() != Some("audio") {
        return None;
    }
    let port = words.next()?.split('/').next()?.parse().ok()?;
    // The profile is not looked at: RTP/AVPF and RTP/SAVP offers are answered as what was asked for is not checked here.
    let formats = words.skip(1).filter_map(|format| format.parse().ok()).collect();
    Some((port, formats))
}

fn read_direction(value: &str) -> Option<Direction> {
    match value.trim() {
        "sendrecv" => Some(Direction::SendRecv),
        "sendonly" => Some(Direction::SendOnly),
        "recvonly" => Some(Direction::RecvOnly),
        "inactive" => Some(Direction::Inactive),
        _ => None,
    }
}

fn read_event(value: &str) -> Option<u8> {
    let (format, name) = value.strip_prefix("rtpmap:")?.split_once(' ')?;
    let event = name.trim().to_ascii_lowercase().starts_with("telephone-event/8000");
    if event { format.parse().ok() } else { None }
}

/// More lines than any phone sends.
const MOST_LINES: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let address: SocketAddr = "192.0.2.1:4000".parse().unwrap();
        let heard = read(&write(address, 1, Codec::Pcma, Some(96), Direction::SendRecv)).unwrap();
        assert_eq!(heard.remote.rtp, address);
        assert_eq!(heard.remote.codec, Codec::Pcma);
        assert_eq!(heard.remote.telephone_event, Some(96));
        assert_eq!((heard.remote.send, heard.may_receive), (true, true));
        let address: SocketAddr = "[2001:db8::1]:4000".parse().unwrap();
        assert_eq!(
            read(&write(address, 1, Codec::Pcmu, None, Direction::Inactive)).unwrap().remote.rtp,
            address
        );
    }

    #[test]
    fn hold_stops_our_sending_and_is_answered_by_its_mirror() {
        let address: SocketAddr = "192.0.2.1:4000".parse().unwrap();
        let held = read(&write(address, 2, Codec::Pcmu, None, Direction::SendOnly)).unwrap();
        assert!(!held.remote.send);
        assert_eq!(held.answer_direction(), Direction::RecvOnly);
        let old = b"v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/AVP 0\r\n";
        assert!(!read(old).unwrap().remote.send);
    }

    #[test]
    fn the_address_of_the_stream_counts_more_than_that_of_the_session() {
        let sdp = b"v=0\nc=IN IP4 192.0.2.1\nm=audio 4000/2 RTP/AVP 18 8 101\nc=IN IP4 192.0.2.9\n\
            a=rtpmap:101 telephone-event/8000\nm=video 5 RTP/AVP 31\nc=IN IP4 192.0.2.7\n";
        let heard = read(sdp).unwrap();
        assert_eq!(heard.remote.rtp, "192.0.2.9:4000".parse().unwrap());
        assert_eq!(heard.remote.telephone_event, Some(101));
        assert_eq!(read(b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 18\r\n"), None);
    }
}
