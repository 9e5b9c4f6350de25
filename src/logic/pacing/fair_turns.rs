//! Whose turn it is among campaigns that share agents: the more urgent first, equally urgent ones by weight.
//!
//! Start-time fair queueing (Goyal, Vin, Cheng: Start-time Fair Queueing, SIGCOMM 1996): each turn of a campaign costs
//! 1/weight; whoever has paid least is next. Who had nothing to call for a while has saved up nothing: its next turn
//! counts from where the others are.

use std::collections::BTreeMap;

use crate::logic::settings::Sharing;

/// What each has paid so far. Keys are taken in their order where nothing else decides.
#[derive(Debug)]
pub struct FairTurns<K> {
    /// What the last turn began at, by priority.
    clock: BTreeMap<u8, u64>,
    paid: BTreeMap<K, u64>,
}

impl<K: Ord + Copy> FairTurns<K> {
    /// Nobody has had a turn.
    #[must_use]
    pub const fn new() -> Self {
        Self { clock: BTreeMap::new(), paid: BTreeMap::new() }
    }

    /// Who is next of those who want a turn.
    pub fn next(&self, wanting: impl IntoIterator<Item = (K, Sharing)>) -> Option<K> {
        wanting
            .into_iter()
            .min_by_key(|(key, sharing)| (sharing.priority, self.begins(*key, *sharing), *key))
            .map(|(key, _)| key)
    }

    /// A turn is taken.
    pub fn take(&mut self, key: K, sharing: Sharing) {
        let begins = self.begins(key, sharing);
        self.clock.insert(sharing.priority, begins);
        self.paid.insert(key, begins.saturating_add(TURN / u64::from(sharing.weight.max(1))));
    }

    fn begins(&self, key: K, sharing: Sharing) -> u64 {
        let clock = self.clock.get(&sharing.priority).copied().unwrap_or(0);
        self.paid.get(&key).copied().unwrap_or(0).max(clock)
    }
}

impl<K: Ord + Copy> Default for FairTurns<K> {
    fn default() -> Self {
        Self::new()
    }
}

/// One turn of weight 1: every weight from 1 to 100 divides it nearly enough, and 2^64 of them are never used up.
const TURN: u64 = 720_720;

#[cfg(test)]
mod tests {
    use super::*;

    fn by(priority: u8, weight: u32) -> Sharing {
        Sharing { priority, weight }
    }

    /// How many turns each had of so many.
    fn turns(turns: &mut FairTurns<char>, wanting: &[(char, Sharing)], count: usize) -> Vec<usize> {
        let mut had = vec![0; wanting.len()];
        for _ in 0..count {
            let next = turns.next(wanting.iter().copied()).unwrap();
            let at = wanting.iter().position(|(key, _)| *key == next).unwrap();
            turns.take(next, wanting[at].1);
            had[at] += 1;
        }
        had
    }

    #[test]
    fn equally_urgent_campaigns_have_turns_by_weight() {
        let wanting = [('a', by(5, 1)), ('b', by(5, 3)), ('c', by(5, 6))];
        assert_eq!(turns(&mut FairTurns::new(), &wanting, 1_000), [100, 300, 600]);
        let equal = [('a', by(5, 1)), ('b', by(5, 1))];
        assert_eq!(turns(&mut FairTurns::new(), &equal, 7), [4, 3]);
    }

    #[test]
    fn the_more_urgent_one_has_every_turn_it_wants() {
        let wanting = [('a', by(5, 100)), ('b', by(1, 1))];
        assert_eq!(turns(&mut FairTurns::new(), &wanting, 50), [0, 50]);
    }

    #[test]
    fn who_had_nothing_to_call_has_saved_up_nothing() {
        let mut all = FairTurns::new();
        let (a, b) = (('a', by(5, 1)), ('b', by(5, 1)));
        turns(&mut all, &[a, b], 10);
        turns(&mut all, &[a], 500);
        assert_eq!(turns(&mut all, &[a, b], 10), [5, 5]);
        assert_eq!(FairTurns::<char>::new().next([]), None);
    }
}
