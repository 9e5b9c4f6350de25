//! From whom a leg accepts RTP, and where its own goes (symmetric RTP, RFC 4961).
//!
//! The far end is first where its SDP says. NAT and media proxies send from elsewhere, so the first valid
//! packet from an allowed source is locked on to, address and port, and anything else is refused: an unlocked
//! port can be taken over by whoever guesses it. The lock is opened again at each SDP.

use std::net::SocketAddr;
use std::time::Duration;

use crate::logic::media::RemoteMedia;
use crate::logic::time::Tick;

/// The source of one leg.
#[derive(Clone, Debug, Default)]
pub struct Latch {
    locked: Option<Locked>,
    open_until: Option<Tick>,
}

#[derive(Clone, Copy, Debug)]
struct Locked {
    source: SocketAddr,
    heard: Tick,
}

impl Latch {
    /// A new SDP came: the source is looked for anew.
    pub fn reopen(&mut self, now: Tick) {
        self.locked = None;
        self.open_until = Some(now + OPEN_FOR);
    }

    /// Whether a valid packet from `from` is the far end's.
    ///
    /// Last packets of the old place often arrive after the SDP that moves the media, and must not lock the new
    /// one out. So within 5 s of the SDP the lock may still be taken over: by exactly the SDP's address, and
    /// by another trusted one once the locked source has been silent for 200 ms.
    pub fn accept(&mut self, now: Tick, remote: &RemoteMedia, from: SocketAddr) -> bool {
        let open = self.open_until.is_some_and(|until| now <= until);
        let trusted = from.ip() == remote.rtp.ip()
            || remote.sources.iter().any(|net| net.contains(from.ip()));
        let accepted = match self.locked {
            None => trusted || (remote.any_source && open),
            Some(locked) if locked.source == from => true,
            Some(locked) => {
                let silent = now.since(locked.heard) >= SILENT;
                open && (from == remote.rtp
                    || (silent && (trusted || from.ip() == locked.source.ip())))
            }
        };
        if accepted {
            self.locked = Some(Locked { source: from, heard: now });
        }
        accepted
    }

    /// Whether RTCP from `from` counts as a sign of life. Its port is its own, so only the address is asked.
    #[must_use]
    pub fn accepts_rtcp(&self, remote: &RemoteMedia, from: SocketAddr) -> bool {
        from.ip() == remote.rtp.ip()
            || self.locked.is_some_and(|locked| locked.source.ip() == from.ip())
    }

    /// Where our RTP goes.
    #[must_use]
    pub fn target(&self, remote: &RemoteMedia) -> SocketAddr {
        self.locked.map_or(remote.rtp, |locked| locked.source)
    }
}

/// Ten packets of 20 ms: the locked source has moved on.
const SILENT: Duration = Duration::from_millis(200);
/// How long any source may be locked on to, and the SDP's own address may take the lock over.
const OPEN_FOR: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::media::Codec;
    use crate::logic::media::IpNet;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn remote(rtp: &str) -> RemoteMedia {
        RemoteMedia {
            rtp: addr(rtp),
            codec: Codec::Pcmu,
            telephone_event: Some(101),
            send: true,
            sources: vec![],
            any_source: false,
        }
    }

    fn after(seconds: u64) -> Tick {
        Tick::START + Duration::from_secs(seconds)
    }

    fn opened() -> Latch {
        let mut latch = Latch::default();
        latch.reopen(Tick::START);
        latch
    }

    #[test]
    fn the_first_source_at_the_sdp_s_address_is_locked_with_its_port() {
        let (mut latch, remote) = (opened(), remote("192.0.2.1:4000"));
        assert_eq!(latch.target(&remote), addr("192.0.2.1:4000"));
        assert!(!latch.accept(after(0), &remote, addr("198.51.100.9:4000")), "a stranger");
        assert!(latch.accept(after(0), &remote, addr("192.0.2.1:4777")));
        assert_eq!(latch.target(&remote), addr("192.0.2.1:4777"));
        assert!(!latch.accept(after(6), &remote, addr("192.0.2.1:4778")));
        assert!(latch.accept(after(60), &remote, addr("192.0.2.1:4777")));
    }

    #[test]
    fn a_trunk_s_networks_may_be_locked_whenever_they_first_speak() {
        let mut remote = remote("192.0.2.1:4000");
        remote.sources = vec![IpNet { addr: "203.0.113.0".parse().unwrap(), prefix: 24 }];
        let mut latch = opened();
        assert!(latch.accept(after(30), &remote, addr("203.0.113.200:9000")));
        assert_eq!(latch.target(&remote), addr("203.0.113.200:9000"));
    }

    #[test]
    fn any_source_is_for_five_seconds_only() {
        let mut remote = remote("10.0.0.5:4000");
        remote.any_source = true;
        assert!(opened().accept(after(5), &remote, addr("198.51.100.9:61000")));
        assert!(!opened().accept(after(6), &remote, addr("198.51.100.9:61000")));
    }

    #[test]
    fn last_packets_of_the_old_place_do_not_lock_out_the_new_one() {
        let mut remote = remote("203.0.113.20:6000");
        remote.sources = vec![IpNet { addr: "203.0.113.0".parse().unwrap(), prefix: 24 }];
        let mut latch = opened();
        assert!(latch.accept(after(0), &remote, addr("203.0.113.10:5000")), "the old place");
        assert!(latch.accept(after(1), &remote, addr("203.0.113.20:6000")), "the new one");
        assert!(!latch.accept(after(1), &remote, addr("203.0.113.10:5000")));
    }

    #[test]
    fn a_phone_whose_nat_gives_it_a_new_port_is_found_again_but_nobody_else_is() {
        let mut remote = remote("10.0.0.5:4000");
        remote.any_source = true;
        let (old, new) = (addr("198.51.100.9:61000"), addr("198.51.100.9:61001"));
        let mut latch = opened();
        assert!(latch.accept(after(0), &remote, old), "a last packet of the old port");
        assert!(!latch.accept(after(0), &remote, new), "the old one may still speak");
        assert!(!latch.accept(after(1), &remote, addr("203.0.113.66:61001")), "a stranger");
        assert!(latch.accept(after(1), &remote, new));
        assert!(!latch.accept(after(1), &remote, old));
        assert!(!latch.accept(after(9), &remote, old), "the lock is final after 5 s");
    }
}
