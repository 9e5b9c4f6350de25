//! Pairs of ports for RTP (even) and RTCP (the next), from a configured range (RFC 3550 §11).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::ops::RangeInclusive;

use crate::wire::udp::bind_datagram;

/// Hands out pairs round robin, so that a port just freed is not used at once: late packets of the old call
/// would be heard in the new one.
#[derive(Debug)]
pub struct RtpPorts {
    ip: IpAddr,
    first: u16,
    pairs: u16,
    next: u16,
    held: BTreeSet<u16>,
}

/// Two bound sockets, non-blocking.
#[derive(Debug)]
pub struct RtpPair {
    /// The even one.
    pub rtp: UdpSocket,
    /// The next.
    pub rtcp: UdpSocket,
    /// The even one; to be given back by [`RtpPorts::release`].
    pub port: u16,
}

/// No pair was free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no free pair of RTP ports on {ip} in {first}-{last}: {held} pairs are ours; widen the range or free what others hold"
)]
pub struct PortsExhausted {
    /// Where.
    pub ip: IpAddr,
    /// First port of the range.
    pub first: u16,
    /// Last port of the range.
    pub last: u16,
    /// Pairs in use by us.
    pub held: usize,
}

impl RtpPorts {
    /// Ports of `range` on `ip`. An odd first or an even last port is left out.
    #[must_use]
    pub fn new(ip: IpAddr, range: RangeInclusive<u16>) -> Self {
        // Port 0 means any port to the system, so the range starts above it.
        let start = (*range.start()).max(2);
        let first = start.saturating_add(start % 2);
        let ports = range.end().checked_sub(first).map_or(0, |span| u32::from(span) + 1);
        let pairs = u16::try_from(ports / 2).unwrap_or(u16::MAX);
        Self { ip, first, pairs, next: 0, held: BTreeSet::new() }
    }

    /// Pairs in the range.
    #[must_use]
    pub const fn capacity(&self) -> u16 {
        self.pairs
    }

    /// Binds the next free pair. Pairs that another program holds are passed over, 64 of them at most, so that
    /// a full range costs no time.
    ///
    /// # Errors
    /// [`PortsExhausted`] when none was found.
    pub fn bind(&mut self) -> Result<RtpPair, PortsExhausted> {
        let mut foreign = 0;
        for _ in 0..self.pairs {
            let port = self.first.saturating_add(self.next.saturating_mul(2));
            self.next = (self.next + 1) % self.pairs;
            if self.held.contains(&port) {
                continue;
            }
            let bound = |port| bind_datagram(SocketAddr::new(self.ip, port), BUFFER, EXPEDITED);
            if let Ok(rtp) = bound(port)
                && let Ok(rtcp) = bound(port.saturating_add(1))
            {
                self.held.insert(port);
                return Ok(RtpPair { rtp, rtcp, port });
            }
            foreign += 1;
            if foreign == MOST_FOREIGN {
                break;
            }
        }
        Err(PortsExhausted {
            ip: self.ip,
            first: self.first,
            last: self.first.saturating_add(self.pairs.saturating_mul(2)).saturating_sub(1),
            held: self.held.len(),
        })
    }

    /// Gives a pair back; its sockets must be closed.
    pub fn release(&mut self, port: u16) {
        self.held.remove(&port);
    }
}

/// A second of one stream is 10 kB on the wire and some four times that in the kernel's count.
const BUFFER: usize = 128 << 10;

/// RFC 4594 §4.1: voice.
const EXPEDITED: u32 = 46 << 2;

/// Pairs held by others that one call tries: two failed binds each, some microseconds.
const MOST_FOREIGN: u16 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// Ranges of the tests lie apart, as they run at the same time.
    #[test]
    fn pairs_are_even_and_odd_and_not_used_again_at_once() {
        let mut ports = RtpPorts::new(HERE, 21_001..=21_008);
        assert_eq!(ports.capacity(), 3, "21001 and 21008 have no partner");
        let pair = ports.bind().unwrap();
        assert_eq!(pair.port % 2, 0);
        assert_eq!(pair.rtp.local_addr().unwrap().port(), pair.port);
        assert_eq!(pair.rtcp.local_addr().unwrap().port(), pair.port + 1);
        let first = pair.port;
        drop(pair);
        ports.release(first);
        assert_ne!(ports.bind().unwrap().port, first);
    }

    #[test]
    fn what_another_program_holds_is_passed_over() {
        let other = UdpSocket::bind((HERE, 21_103)).unwrap();
        let mut ports = RtpPorts::new(HERE, 21_100..=21_105);
        let (a, b) = (ports.bind().unwrap(), ports.bind().unwrap());
        assert_eq!([a.port, b.port], [21_100, 21_104]);
        let error = ports.bind().unwrap_err();
        assert!(error.to_string().contains("21100-21105: 2 pairs are ours"), "{error}");
        drop(other);
        assert_eq!(ports.bind().unwrap().port, 21_102);
    }

    #[test]
    fn odd_ranges_hold_what_they_can() {
        for (range, pairs) in
            [(5..=5, 0), (5..=6, 0), (5..=7, 1), (6..=7, 1), (7..=7, 0), (0..=u16::MAX, 32_767)]
        {
            assert_eq!(RtpPorts::new(HERE, range.clone()).capacity(), pairs, "{range:?}");
        }
        assert_eq!(RtpPorts::new(HERE, u16::MAX..=u16::MAX).bind().unwrap_err().held, 0);
    }
}
