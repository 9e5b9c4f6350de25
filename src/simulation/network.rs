//! Datagrams between named addresses in virtual time: delayed, lost, doubled, overtaken, all by seed.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use crate::logic::time::Tick;
use crate::simulation::dice::Dice;
use crate::simulation::dice::Law;

/// Everything that is under way, in one total order: by arrival, then by the order of sending.
#[derive(Clone, Debug)]
pub struct Network {
    dice: Dice,
    link: Link,
    links: BTreeMap<(SocketAddr, SocketAddr), Link>,
    cut: BTreeSet<SocketAddr>,
    under_way: BTreeMap<(Tick, u64), Datagram>,
    sent: u64,
    counts: NetworkCounts,
}

/// How datagrams travel from one address to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// A spread wider than the gap between two datagrams lets the later one overtake.
    pub delay: Law,
    /// Lost, of a million.
    pub loss_ppm: u32,
    /// Delivered twice, of a million.
    pub double_ppm: u32,
}

/// One datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Source.
    pub from: SocketAddr,
    /// Destination.
    pub to: SocketAddr,
    /// Payload.
    pub bytes: Vec<u8>,
}

/// What became of the datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkCounts {
    /// Handed to the network.
    pub sent: u64,
    /// Taken out at the far end, doubles included.
    pub delivered: u64,
    /// Thrown away by chance, by a cut or because [`MOST_UNDER_WAY`] was reached.
    pub lost: u64,
    /// Delivered twice.
    pub doubled: u64,
}

impl Link {
    /// One millisecond, nothing lost.
    pub const PERFECT: Self = Self { delay: Law::fixed(1), loss_ppm: 0, double_ppm: 0 };

    /// A tenth lost, a fiftieth doubled, and overtaking.
    pub const ROUGH: Self =
        Self { delay: Law::between(1, 120), loss_ppm: 100_000, double_ppm: 20_000 };
}

impl Link {
    /// When one datagram arrives, and when it arrives again; nothing for one that is lost. Each takes the same number of
    /// throws, so that one loss more does not change all later fates.
    pub(crate) fn arrivals(&self, dice: &mut Dice, now: Tick) -> [Option<Tick>; 2] {
        let lost = dice.chance_ppm(self.loss_ppm);
        let doubled = dice.chance_ppm(self.double_ppm);
        let due = now + self.delay.draw(dice);
        let due_again = now + self.delay.draw(dice);
        [(!lost).then_some(due), (doubled && !lost).then_some(due_again)]
    }
}

impl Network {
    /// Every pair of addresses is joined by `link` until told otherwise.
    #[must_use]
    pub const fn new(seed: u64, link: Link) -> Self {
        Self {
            dice: Dice::new(seed),
            link,
            links: BTreeMap::new(),
            cut: BTreeSet::new(),
            under_way: BTreeMap::new(),
            sent: 0,
            counts: NetworkCounts { sent: 0, delivered: 0, lost: 0, doubled: 0 },
        }
    }

    /// Another link for one direction between two addresses.
    pub fn set_link(&mut self, from: SocketAddr, to: SocketAddr, link: Link) {
        self.links.insert((from, to), link);
    }

    /// Cuts an address off, or joins it again. What is under way to it is lost at arrival.
    pub fn cut(&mut self, address: SocketAddr, cut: bool) {
        if cut {
            self.cut.insert(address);
        } else {
            self.cut.remove(&address);
        }
    }

    /// Sends one datagram.
    pub fn send(&mut self, now: Tick, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        self.counts.sent += 1;
        let link = self.links.get(&(from, to)).copied().unwrap_or(self.link);
        let [due, due_again] = link.arrivals(&mut self.dice, now);
        let full = self.cut.contains(&from) || self.under_way.len() >= MOST_UNDER_WAY;
        let Some(due) = due.filter(|_| !full) else {
            self.counts.lost += 1;
            return;
        };
        if let Some(due_again) = due_again {
            self.counts.doubled += 1;
            self.put(due_again, Datagram { from, to, bytes: bytes.clone() });
        }
        self.put(due, Datagram { from, to, bytes });
    }

    /// When the next datagram arrives.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Tick> {
        self.under_way.first_key_value().map(|((due, _), _)| *due)
    }

    /// Takes the next datagram that has arrived.
    pub fn pop_due(&mut self, now: Tick) -> Option<Datagram> {
        while self.next_deadline()? <= now {
            let (_, datagram) = self.under_way.pop_first()?;
            if self.cut.contains(&datagram.to) {
                self.counts.lost += 1;
                continue;
            }
            self.counts.delivered += 1;
            return Some(datagram);
        }
        None
    }

    /// What became of the datagrams so far.
    #[must_use]
    pub const fn counts(&self) -> NetworkCounts {
        self.counts
    }

    fn put(&mut self, due: Tick, datagram: Datagram) {
        self.sent += 1;
        self.under_way.insert((due, self.sent), datagram);
    }
}

/// Longest delay a test should ask for: beyond it SIP has given up anyway (64*T1).
pub const LONGEST_DELAY: Duration = Duration::from_secs(32);

/// Datagrams under way; more are lost, as in a full queue.
pub const MOST_UNDER_WAY: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn run(seed: u64, link: Link) -> (Vec<u8>, NetworkCounts) {
        let mut network = Network::new(seed, link);
        for i in 0..=255 {
            network.send(Tick::START + Duration::from_millis(u64::from(i)), at(1), at(2), vec![i]);
        }
        let mut seen = Vec::new();
        while let Some(due) = network.next_deadline() {
            while let Some(datagram) = network.pop_due(due) {
                seen.extend(datagram.bytes);
            }
        }
        (seen, network.counts())
    }

    #[test]
    fn a_perfect_link_keeps_everything_in_order() {
        let (seen, counts) = run(1, Link::PERFECT);
        assert_eq!(seen, (0..=255).collect::<Vec<u8>>());
        assert_eq!(counts, NetworkCounts { sent: 256, delivered: 256, lost: 0, doubled: 0 });
    }

    #[test]
    fn a_rough_link_loses_doubles_and_reorders_the_same_way_for_the_same_seed() {
        let (seen, counts) = run(4, Link::ROUGH);
        assert!(counts.lost > 5 && counts.doubled > 0, "{counts:?}");
        assert_eq!(counts.delivered, counts.sent - counts.lost + counts.doubled);
        assert!(!seen.is_sorted());
        assert_eq!(run(4, Link::ROUGH), (seen.clone(), counts));
        assert_ne!(run(5, Link::ROUGH).0, seen);
    }

    #[test]
    fn a_cut_address_neither_sends_nor_receives_until_joined() {
        let mut network = Network::new(1, Link::PERFECT);
        let later = Tick::START + Duration::from_secs(1);
        network.cut(at(2), true);
        network.send(Tick::START, at(1), at(2), vec![1]);
        network.send(Tick::START, at(2), at(1), vec![2]);
        assert_eq!(network.pop_due(later), None);
        assert_eq!(network.counts().lost, 2);
        network.cut(at(2), false);
        network.send(Tick::START, at(1), at(2), vec![3]);
        assert_eq!(network.pop_due(later).unwrap().bytes, [3]);
    }
}
