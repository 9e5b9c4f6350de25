//! The calls under way: when each started, rang and was answered.

use crate::logic::pacing::predictive::moment::{CallNow, CallStage};

/// By id. Never more than the dialer has under way and what happened since it was last asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Tracks {
    /// Ascending.
    calls: Vec<(u64, Track)>,
    spare: Vec<(u64, Track)>,
}

/// A call under way. Times in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Track {
    /// When it was started.
    pub(super) started: f64,
    /// Since when it rings.
    pub(super) rings: Option<f64>,
    /// When somebody or something picked up.
    pub(super) answered: Option<f64>,
    /// Taken for a person.
    pub(super) live: bool,
}

impl Tracks {
    /// One of them; of one that is heard of for the first time it is taken that it `started` then.
    pub(super) fn of(&mut self, call: u64, started: f64) -> Option<&mut Track> {
        let place = match self.calls.binary_search_by_key(&call, |(id, _)| *id) {
            Ok(place) => place,
            Err(place) => {
                self.calls.insert(
                    place,
                    (call, Track { started, rings: None, answered: None, live: false }),
                );
                place
            }
        };
        self.calls.get_mut(place).map(|(_, track)| track)
    }

    /// It is over.
    pub(super) fn end(&mut self, call: u64) {
        if let Ok(place) = self.calls.binary_search_by_key(&call, |(id, _)| *id) {
            self.calls.remove(place);
        }
    }

    /// These calls are under way and no others.
    pub(super) fn keep(&mut self, now: f64, calls: &[CallNow]) {
        let mut kept = std::mem::take(&mut self.spare);
        kept.clear();
        let ascending = calls.is_sorted_by(|one, next| one.id < next.id);
        let mut from = 0;
        for call in calls {
            // Both ascend, as a rule: each search begins where the one before ended, and ends at once.
            let rest = self.calls.get(from..).unwrap_or_default();
            let known = if ascending {
                let passed = rest.iter().take_while(|(id, _)| *id < call.id).count();
                from += passed;
                rest.get(passed).filter(|(id, _)| *id == call.id)
            } else {
                let place = rest.binary_search_by_key(&call.id, |(id, _)| *id);
                place.ok().and_then(|place| rest.get(place))
            };
            kept.push(known.copied().unwrap_or_else(|| (call.id, Track::seen(now, call))));
        }
        if !ascending {
            kept.sort_by_key(|(id, _)| *id);
            kept.dedup_by_key(|(id, _)| *id);
        }
        self.spare = std::mem::replace(&mut self.calls, kept);
    }
}

impl Track {
    fn seen(now: f64, call: &CallNow) -> Self {
        Self {
            started: now - call.age,
            rings: (call.stage == CallStage::Ringing).then_some(now - call.stage_age),
            answered: None,
            live: call.stage == CallStage::Waiting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(ids: &[u64]) -> Vec<CallNow> {
        let call =
            |id: &u64| CallNow { id: *id, stage: CallStage::Dialing, age: 1.0, stage_age: 1.0 };
        ids.iter().map(call).collect()
    }

    #[test]
    fn only_what_is_under_way_is_remembered_in_whatever_order_it_comes() {
        let mut tracks = Tracks::default();
        tracks.keep(10.0, &calls(&[1, 4, 9]));
        for call in [1, 4, 9] {
            tracks.of(call, 0.0).unwrap().rings = Some(10.0);
        }
        tracks.keep(11.0, &calls(&[9, 2, 4, 2]));
        let ids: Vec<u64> = tracks.calls.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [2, 4, 9]);
        assert_eq!(tracks.of(9, 0.0).unwrap().rings, Some(10.0));
        assert_eq!(tracks.of(2, 0.0).unwrap().rings, None);
        tracks.keep(12.0, &calls(&[2, 9, 10]));
        assert_eq!(tracks.of(9, 0.0).unwrap().rings, Some(10.0));
        assert_eq!(tracks.of(10, 0.0).unwrap().started, 11.0);
        tracks.end(9);
        assert_eq!(tracks.calls.len(), 2);
    }
}
