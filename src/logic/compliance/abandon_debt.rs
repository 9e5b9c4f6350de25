//! How many abandoned calls a window may owe for a while: the bound `window`.
//!
//! With the bound `instant` a window owes nothing, ever: D ≤ r·A + faults. With the bound `window` it may owe up to a
//! stated number of calls B in its middle, to be repaid by further answers before it closes:
//!
//! ```text
//! B ──────────────────────────┐                      B(t): whole calls, never rising, 0 from a stated time
//!                             └────┐                 before the end
//!                                  └────┐
//! 0                                     └─────────
//! start                    a quarter of    repaid_before    end
//!                          the window      the end
//! ```

use crate::logic::compliance::abandon_window::WindowBounds;
use crate::logic::settings::AbandonBound;
use crate::logic::time::UtcMs;

/// Calls that a window may owe at `at`: B(t). Zero from the stated time before its end on.
#[must_use]
pub fn debt(bound: AbandonBound, window: WindowBounds, at: UtcMs) -> u32 {
    let limit = match bound {
        AbandonBound::Instant => return 0,
        AbandonBound::Window(limit) => limit,
    };
    let millis = |ms: i64| u64::try_from(ms).unwrap_or(0);
    let repaid_at = window.ends - limit.repaid_before;
    let left = millis(repaid_at.0.saturating_sub(at.0));
    let fades = (millis(window.ends.0.saturating_sub(window.starts.0)) / 4).max(1);
    let share = u128::from(limit.calls) * u128::from(left.min(fades)) / u128::from(fades);
    u32::try_from(share).unwrap_or(limit.calls)
}

/// The calls that a window owes, in whole calls: D − r·A, rounded up.
#[must_use]
pub fn owed(cap_ppm: u32, answered: u64, abandoned: u64) -> u64 {
    let million = 1_000_000;
    let borne = u128::from(cap_ppm) * u128::from(answered);
    let missing = (million * u128::from(abandoned)).saturating_sub(borne);
    u64::try_from(missing.div_ceil(million)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::logic::settings::DebtLimit;

    const HOUR: Duration = Duration::from_secs(3_600);
    const DAY: WindowBounds = WindowBounds { starts: UtcMs(0), ends: UtcMs(86_400_000) };

    fn of(calls: u32, repaid_before: Duration) -> AbandonBound {
        AbandonBound::Window(DebtLimit { calls, repaid_before })
    }

    #[test]
    fn a_day_owes_all_until_it_begins_to_fade_and_nothing_in_its_last_hours() {
        let at = |hours: u32| debt(of(6, HOUR * 4), DAY, UtcMs(0) + HOUR * hours);
        assert_eq!([0, 14, 15, 17, 19, 20, 23].map(at), [6, 6, 5, 3, 1, 0, 0]);
        assert_eq!(debt(AbandonBound::Instant, DAY, UtcMs(0)), 0);
    }

    #[test]
    fn what_is_owed_is_counted_in_whole_calls() {
        assert_eq!(owed(30_000, 0, 0), 0);
        assert_eq!(owed(30_000, 100, 3), 0);
        assert_eq!(owed(30_000, 99, 3), 1);
        assert_eq!(owed(30_000, 100, 7), 4);
    }

    proptest! {
        #[test]
        fn it_never_rises_never_exceeds_what_is_stated_and_ends_at_nothing(
            calls in 0u32..2_000,
            before in 0u64..100_000,
            mut times in proptest::collection::vec(-10_000_000i64..100_000_000, 2..50),
        ) {
            let bound = of(calls, Duration::from_secs(before));
            times.sort_unstable();
            let debts: Vec<u32> = times.iter().map(|at| debt(bound, DAY, UtcMs(*at))).collect();
            prop_assert!(debts.is_sorted_by(|earlier, later| earlier >= later));
            prop_assert!(debts.iter().all(|debt| *debt <= calls));
            let repaid = DAY.ends - Duration::from_secs(before);
            prop_assert_eq!(debt(bound, DAY, repaid), 0);
            prop_assert_eq!(debt(bound, DAY, DAY.ends), 0);
        }
    }
}
