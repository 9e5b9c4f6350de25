//! What must hold at every instant of a rehearsal, whatever the settings.

use std::collections::BTreeMap;

use crate::logic::compliance::abandon_debt::debt;
use crate::logic::compliance::abandon_window::AbandonWindows;
use crate::logic::ids::CampaignId;
use crate::logic::settings::AbandonSettings;
use crate::logic::time::UtcMs;
use crate::simulation::rehearsal::record::Breach;
use crate::simulation::store_model::{ModelWindow, StoreModel};

/// Looks at each change and keeps what was wrong.
#[derive(Debug)]
pub(super) struct Watch {
    abandon: AbandonSettings,
    windows: Option<AbandonWindows>,
    /// Losses that are no faults, by window, as last seen.
    own: BTreeMap<(CampaignId, UtcMs), i64>,
    breaches: Vec<Breach>,
}

impl Watch {
    /// What `store` holds now was booked before.
    pub(super) fn new(abandon: &AbandonSettings, first_run: UtcMs, store: &StoreModel) -> Self {
        let windows = AbandonWindows::new(abandon, first_run).ok();
        let own = store.windows().iter().map(|(of, booked)| (*of, booked.abandoned - booked.fault));
        Self { abandon: abandon.clone(), windows, own: own.collect(), breaches: vec![] }
    }

    /// B(t): 0 under the bound `instant`.
    pub(super) fn may_owe(&self, at: UtcMs) -> u32 {
        self.windows.as_ref().map_or(0, |windows| debt(self.abandon.bound, windows.of(at), at))
    }

    /// D ≤ r·A + B(t) + faults in each window of the ledger, as the database has it, at each loss. (What a window owed before
    /// B fell stays owed until answers repay it; no loss may add to it.)
    pub(super) fn ledger(&mut self, at: UtcMs, store: &StoreModel) {
        let may_owe = self.may_owe(at);
        let mut wrong = None;
        for (window, booked) in store.windows() {
            let own = booked.abandoned - booked.fault;
            let before = self.own.insert(*window, own).unwrap_or(0);
            if own > before && !holds(self.abandon.cap_ppm, *booked, may_owe) {
                wrong = Some((window.1, *booked));
            }
        }
        if let Some((window, ModelWindow { answered, abandoned, fault })) = wrong {
            self.breach(
                at,
                format!(
                    "window {}: {abandoned} abandoned of {answered} live answers, {fault} faults, {may_owe} may be owed",
                    window.0
                ),
            );
        }
    }

    /// Never more calls than the trunk and the installation allow.
    pub(super) fn lines(&mut self, at: UtcMs, lines: u32, most: u32) {
        if lines > most {
            self.breach(at, format!("{lines} calls at once where {most} are allowed"));
        }
    }

    /// No INVITE outside the calling hours.
    pub(super) fn hours(&mut self, at: UtcMs, open: bool) {
        if !open {
            self.breach(at, "an INVITE outside the calling hours".to_owned());
        }
    }

    fn breach(&mut self, at: UtcMs, what: String) {
        if self.breaches.len() < MOST {
            self.breaches.push(Breach { at, what });
        }
    }

    pub(super) fn finish(self) -> Vec<Breach> {
        self.breaches
    }
}

/// The promise of the ledger.
fn holds(cap_ppm: u32, booked: ModelWindow, may_owe: u32) -> bool {
    let (answered, own) =
        (i128::from(booked.answered), i128::from(booked.abandoned - booked.fault));
    own * 1_000_000 <= i128::from(cap_ppm) * answered + i128::from(may_owe) * 1_000_000
}

/// The window that was booked last, with its start.
pub(super) fn latest(store: &StoreModel, campaign: CampaignId) -> (UtcMs, ModelWindow) {
    let of_campaign =
        store.windows().range((campaign, UtcMs(i64::MIN))..=(campaign, UtcMs(i64::MAX)));
    of_campaign.last().map_or_else(Default::default, |((_, starts), booked)| (*starts, *booked))
}

/// Breaches that are kept: one is enough to be wrong.
const MOST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_promise_leaves_faults_apart_and_nothing_else() {
        let booked = |answered, abandoned, fault| ModelWindow { answered, abandoned, fault };
        assert!(holds(30_000, booked(34, 1, 0), 0));
        assert!(!holds(30_000, booked(33, 1, 0), 0));
        assert!(holds(30_000, booked(33, 1, 1), 0));
        assert!(holds(30_000, booked(33, 2, 0), 2) && !holds(30_000, booked(33, 3, 0), 2));
    }

    #[test]
    fn a_loss_above_the_bound_is_seen_when_it_is_booked() {
        let abandon = crate::logic::settings::test_campaign().abandon;
        let (at, mut store) = (UtcMs(1_795_478_400_000), StoreModel::default());
        let mut watch = Watch::new(&abandon, UtcMs(0), &store);
        let booked = |abandoned| ModelWindow { answered: 40, abandoned, fault: 0 };
        for (abandoned, breaches) in [(1, 0), (2, 1)] {
            store.add_booked(CampaignId(1), at, booked(abandoned));
            watch.ledger(at, &store);
            assert_eq!(watch.breaches.len(), breaches, "{abandoned}");
        }
    }
}
