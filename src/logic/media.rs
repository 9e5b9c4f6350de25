//! The words between the pure floor and the media threads.
//!
//! Commands and events go through bounded queues; when a leg's command does not fit, the leg is hung up.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::logic::ids::LegId;

/// G.711 (RFC 3551 §4.5.14). Payload types 0 and 8 are static.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// µ-law, payload type 0.
    Pcmu,
    /// A-law, payload type 8.
    Pcma,
}

/// Orders to the media threads. A command for a leg that is closed does nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaCommand {
    /// Binds an even port for RTP and the next for RTCP; answered by `Opened` or `OpenFailed`.
    Open {
        /// The leg.
        leg: LegId,
    },
    /// Where and how to send from now on, after an SDP answer or offer. From the first one on, 50 packets/s leave
    /// (silence when nothing else is to be said), and the source of received packets is looked for anew.
    Remote {
        /// The leg.
        leg: LegId,
        /// The far end.
        remote: RemoteMedia,
    },
    /// Joins two legs both ways: a swap in a table. Each was silent, playing or joined elsewhere before.
    Bridge {
        /// One leg.
        a: LegId,
        /// The other.
        b: LegId,
    },
    /// Back to silence towards this leg and its partner, if any.
    Unbridge {
        /// Either leg of the bridge.
        leg: LegId,
    },
    /// Plays to one leg instead of silence or partner, then goes back to them; `PlayDone` follows.
    Play {
        /// The leg that hears it.
        leg: LegId,
        /// The asker's own number, returned by `PlayDone`.
        play: u64,
        /// What to play.
        sound: Sound,
    },
    /// Ends what is being played to this leg, without `PlayDone`.
    StopPlay {
        /// The leg.
        leg: LegId,
    },
    /// Sends keys to the far end of this leg (RFC 4733), 100 ms each, 60 ms apart.
    SendDigits {
        /// The leg.
        leg: LegId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digits: String,
    },
    /// Starts or stops copies of received audio to the tap.
    Tap {
        /// The leg.
        leg: LegId,
        /// Whether to copy.
        on: bool,
    },
    /// Frees the ports; `Closed` follows.
    Close {
        /// The leg.
        leg: LegId,
    },
}

/// The far end of a leg's media, from its SDP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteMedia {
    /// RTP goes here until a packet shows another source that `sources` allows.
    pub rtp: SocketAddr,
    /// What we send. Received packets of either G.711 kind are accepted.
    pub codec: Codec,
    /// Payload type of telephone-event (RFC 4733), both ways; `None`: keys come by INFO.
    pub telephone_event: Option<u8>,
    /// False while the far end holds us (`sendonly` or `inactive` in its SDP): nothing is sent but RTCP.
    pub send: bool,
    /// Further addresses whose packets may be locked on to (`rtp_from` of the trunk).
    pub sources: Vec<IpNet>,
    /// Any source address may be locked on to (an agent behind NAT).
    pub any_source: bool,
}

/// An address and how many leading bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpNet {
    /// The network address.
    pub addr: IpAddr,
    /// 0..=32 or 0..=128.
    pub prefix: u8,
}

impl IpNet {
    /// Whether `address` lies in it. IPv4-mapped IPv6 addresses count as IPv4; a prefix longer than the address holds
    /// the network address alone.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let prefix = u32::from(self.prefix);
        match (self.addr.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                let rest = 32_u32.saturating_sub(prefix);
                (net.to_bits() ^ address.to_bits()).checked_shr(rest).unwrap_or(0) == 0
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => {
                let rest = 128_u32.saturating_sub(prefix);
                (net.to_bits() ^ address.to_bits()).checked_shr(rest).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// What can be played. Sounds are mono, 8 kHz, 16 bit.
#[derive(Clone, Debug, PartialEq)]
pub enum Sound {
    /// A sine wave. `millis` of 0 plays until stopped.
    Tone {
        /// Frequency in Hz.
        hz: u16,
        /// Length in ms.
        millis: u32,
        /// Peak, 0 to 1 of full scale.
        level: f32,
    },
    /// Samples, once.
    Samples(Arc<[i16]>),
    /// Samples, again and again until stopped.
    Loop(Arc<[i16]>),
}

/// Facts from the media threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaEvent {
    /// Ports are bound.
    Opened {
        /// The leg.
        leg: LegId,
        /// The RTP port; RTCP is the next.
        port: u16,
    },
    /// No free pair of ports, the bound on legs is reached, or a command did not fit into the queue: the leg is to be
    /// given up, whatever its state.
    OpenFailed {
        /// The leg.
        leg: LegId,
    },
    /// The first packet of this leg since `Open`.
    FirstPacket {
        /// The leg.
        leg: LegId,
        /// Its source.
        from: SocketAddr,
    },
    /// A key, repeats removed (RFC 4733 §2.5.1.4).
    Digit {
        /// The leg.
        leg: LegId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
    },
    /// A `Play` came to its end.
    PlayDone {
        /// The leg.
        leg: LegId,
        /// The asker's number.
        play: u64,
    },
    /// No RTP for 2 s while the far end may send.
    Quiet {
        /// The leg.
        leg: LegId,
    },
    /// No RTP and no RTCP for 10 s.
    Dead {
        /// The leg.
        leg: LegId,
    },
    /// RTP again after `Quiet` or `Dead`.
    Heard {
        /// The leg.
        leg: LegId,
    },
    /// The leg's media is gone; its counts.
    Closed {
        /// The leg.
        leg: LegId,
        /// Counts of its life.
        stats: MediaStats,
    },
}

/// Counts of one leg's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaStats {
    /// RTP packets received and used.
    pub received: u64,
    /// RTP packets sent.
    pub sent: u64,
    /// Gaps in the received sequence numbers.
    pub lost: u64,
    /// Packets thrown away: from strangers, malformed, of an unknown payload type.
    pub refused: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_net_holds_its_addresses_and_no_others() {
        let net = |text: &str, prefix| IpNet { addr: text.parse().unwrap(), prefix };
        let holds = |net: IpNet, text: &str| net.contains(text.parse().unwrap());
        assert!(holds(net("192.0.2.0", 24), "192.0.2.255"));
        assert!(!holds(net("192.0.2.0", 24), "192.0.3.0"));
        assert!(holds(net("203.0.113.7", 32), "203.0.113.7"));
        assert!(!holds(net("203.0.113.7", 32), "203.0.113.6"));
        assert!(holds(net("192.0.2.7", 32), "::ffff:192.0.2.7"));
        assert!(holds(net("0.0.0.0", 0), "198.51.100.1"));
        assert!(!holds(net("0.0.0.0", 0), "2001:db8::1"));
        assert!(!holds(net("0.0.0.0", 33), "203.0.113.6"), "no such prefix");
        assert!(holds(net("2001:db8::", 32), "2001:db8:ffff::1"));
        assert!(!holds(net("2001:db8::", 32), "2001:db9::1"));
        assert!(!holds(net("2001:db8::", 128), "2001:db8::1"));
        assert!(holds(net("::", 0), "2001:db8::1"));
    }
}
