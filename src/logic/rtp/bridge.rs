//! Which leg feeds which: a table of pairs. Bridging two people is a swap in it.

use std::collections::BTreeMap;

use crate::logic::ids::LegId;

/// Legs joined in pairs, both ways.
#[derive(Clone, Debug, Default)]
pub struct Bridges {
    partner: BTreeMap<LegId, LegId>,
}

impl Bridges {
    /// Who hears `leg`, and whom it hears.
    #[must_use]
    pub fn partner(&self, leg: LegId) -> Option<LegId> {
        self.partner.get(&leg).copied()
    }

    /// Joins `a` and `b`; returns the partners they leave behind. A leg is never joined to itself.
    pub fn join(&mut self, a: LegId, b: LegId) -> [Option<LegId>; 2] {
        if a == b || self.partner(a) == Some(b) {
            return [None, None];
        }
        let left = [self.part(a), self.part(b)];
        self.partner.insert(a, b);
        self.partner.insert(b, a);
        left
    }

    /// Parts `leg` from its partner, which is returned.
    pub fn part(&mut self, leg: LegId) -> Option<LegId> {
        let partner = self.partner.remove(&leg)?;
        self.partner.remove(&partner);
        Some(partner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_swap_leaves_the_old_partners_alone() {
        let mut bridges = Bridges::default();
        assert_eq!(bridges.join(LegId(1), LegId(2)), [None, None]);
        assert_eq!(bridges.join(LegId(3), LegId(4)), [None, None]);
        assert_eq!(bridges.join(LegId(1), LegId(3)), [Some(LegId(2)), Some(LegId(4))]);
        assert_eq!(bridges.partner(LegId(1)), Some(LegId(3)));
        assert_eq!(bridges.partner(LegId(2)), None);
        assert_eq!(bridges.join(LegId(3), LegId(1)), [None, None], "joined already");
        assert_eq!(bridges.part(LegId(3)), Some(LegId(1)));
        assert_eq!(bridges.partner(LegId(1)), None);
    }

    proptest! {
        #[test]
        fn a_partner_s_partner_is_oneself(steps in prop::collection::vec((0i64..6, 0i64..6, any::<bool>()), 0..60)) {
            let mut bridges = Bridges::default();
            for (a, b, join) in steps {
                if join {
                    bridges.join(LegId(a), LegId(b));
                } else {
                    bridges.part(LegId(a));
                }
                for leg in (0..6).map(LegId) {
                    let partner = bridges.partner(leg);
                    prop_assert_ne!(partner, Some(leg));
                    prop_assert!(partner.is_none_or(|other| bridges.partner(other) == Some(leg)));
                }
            }
        }
    }
}
