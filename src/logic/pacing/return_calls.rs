//! How many free agents are kept for people who call back.
//!
//! What arrives at rate λ and lasts T on the mean keeps a = λ·T agents busy on the mean: the offered load in Erlangs (Little's
//! law, Operations Research 9, 1961). So many agents, rounded up, are for return calls; those of them who are on one already
//! are not free anyway, and count.

use std::time::Duration;

use crate::logic::settings::ReturnCalls;

/// Agents whom the return calls of these campaigns, which share them, keep busy together; rounded up once.
#[must_use]
pub fn agents_for(expected: impl Iterator<Item = ReturnCalls>) -> usize {
    let load = expected.fold(0_u128, |load, calls| {
        load.saturating_add(u128::from(calls.per_hour).saturating_mul(calls.talk.as_millis()))
    });
    usize::try_from(load.div_ceil(HOUR.as_millis())).unwrap_or(usize::MAX)
}

/// Free agents to keep, when so many are on a return call. Never more than there are, never below none.
#[must_use]
pub fn to_keep(wanted: usize, on_return_calls: usize, free: usize) -> usize {
    wanted.saturating_sub(on_return_calls).min(free)
}

/// Agents who are still to be kept, once they become free: more are wanted than are.
#[must_use]
pub fn lacking(wanted: usize, on_return_calls: usize, free: usize) -> usize {
    wanted.saturating_sub(on_return_calls).saturating_sub(free)
}

const HOUR: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;

    const fn calls(per_hour: u32, seconds: u64) -> ReturnCalls {
        ReturnCalls { per_hour, talk: Duration::from_secs(seconds) }
    }

    #[test]
    fn the_load_is_rounded_up_once_over_all_campaigns() {
        assert_eq!(agents_for([].into_iter()), 0);
        assert_eq!(agents_for([calls(0, 180)].into_iter()), 0);
        assert_eq!(agents_for([calls(1, 1)].into_iter()), 1);
        // 20 an hour of three minutes: one agent, all the time.
        assert_eq!(agents_for([calls(20, 180)].into_iter()), 1);
        assert_eq!(agents_for([calls(21, 180)].into_iter()), 2);
        assert_eq!(agents_for([calls(5, 180), calls(15, 180)].into_iter()), 1);
        assert_eq!(agents_for([calls(u32::MAX, u64::MAX)].into_iter()), usize::MAX);
    }

    #[test]
    fn no_more_are_kept_than_are_free_and_those_on_a_return_call_count() {
        assert_eq!(to_keep(3, 0, 10), 3);
        assert_eq!(to_keep(3, 2, 10), 1);
        assert_eq!(to_keep(3, 5, 10), 0);
        assert_eq!(to_keep(3, 0, 2), 2);
        assert_eq!((lacking(3, 0, 2), lacking(3, 0, 0), lacking(3, 2, 0)), (1, 3, 1));
        assert_eq!((lacking(3, 0, 3), lacking(3, 5, 0)), (0, 0));
    }
}
