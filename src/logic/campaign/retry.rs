//! What becomes of a lead, and of the number, after an attempt.

use std::time::Duration;

use crate::logic::outcome::Outcome;
use crate::logic::settings::{CampaignSettings, RetryRule};

/// What is known when an attempt ends.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// Counted attempts of this lead, this one included.
    pub attempts: u32,
    /// Attempts in a row with this outcome, this one included.
    pub same_outcome: u32,
    /// The carrier asks us to wait.
    pub retry_after: Option<Duration>,
    /// Local day of the first "no such number", if any.
    pub suspect_day: Option<i32>,
    /// The local day now.
    pub today: i32,
    /// The person has another number.
    pub other_number: bool,
}

/// What becomes of the lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Due again after this time; with the next number where `other_number`.
    After {
        /// How long.
        wait: Duration,
        /// Whether to move on to the next number.
        other_number: bool,
    },
    /// Due on the next allowed day.
    NextDay {
        /// Whether to move on to the next number.
        other_number: bool,
    },
    /// Nothing more to do.
    Done,
    /// No number of this person is left.
    NoNumber,
    /// A refusal.
    Refused,
    /// A person must say what was agreed.
    Held,
}

/// What becomes of the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberAfter {
    /// Nothing new.
    Same,
    /// First "no such number".
    Suspect,
    /// Second one, on another day.
    Invalid,
    /// It is in service.
    Good,
}

/// The rules, one outcome at a time.
#[must_use]
pub fn after(settings: &CampaignSettings, ended: Ended) -> (Next, NumberAfter) {
    let number = number_after(ended);
    let next = match ended.outcome {
        Outcome::Connected => Next::Held,
        // What a key said of it, the menu has written.
        Outcome::MessagePlayed => Next::Done,
        Outcome::Unwanted => Next::Refused,
        Outcome::Invalid => after_invalid(ended, number),
        // Sent, end not known: a person may have been rung. Never blindly again.
        Outcome::Unknown => limited(settings, ended, Next::NextDay { other_number: false }),
        // Nobody heard of it: the attempt is not used up.
        Outcome::NotPlaced => Next::After { wait: NOT_PLACED, other_number: false },
        Outcome::Congestion | Outcome::TrunkFault | Outcome::NotDelivered => {
            let wait = rule(settings, ended.outcome).map_or(UNDELIVERED, |rule| rule.delay);
            Next::After {
                wait: wait.max(ended.retry_after.unwrap_or_default()),
                other_number: false,
            }
        }
        Outcome::Abandoned
        | Outcome::AgentLost
        | Outcome::MessageCut
        | Outcome::NoAnswer
        | Outcome::Busy
        | Outcome::Rejected
        | Outcome::Unreachable
        | Outcome::Cancelled => {
            let rule = rule(settings, ended.outcome).unwrap_or(settings.default_retry);
            if ended.same_outcome > rule.max {
                Next::Done
            } else {
                let wait = rule.delay.max(ended.retry_after.unwrap_or_default());
                limited(settings, ended, Next::After { wait, other_number: ended.other_number })
            }
        }
    };
    (next, number)
}

fn rule(settings: &CampaignSettings, outcome: Outcome) -> Option<RetryRule> {
    settings.retry.get(&outcome).copied()
}

/// `next`, unless the lead has had all its attempts.
const fn limited(settings: &CampaignSettings, ended: Ended, next: Next) -> Next {
    if ended.attempts >= settings.caps.total { Next::Done } else { next }
}

fn after_invalid(ended: Ended, number: NumberAfter) -> Next {
    match (number, ended.other_number) {
        (NumberAfter::Invalid, false) => Next::NoNumber,
        (_, true) => Next::After { wait: OTHER_NUMBER, other_number: true },
        // Networks answer 404 by mistake too: asked once more on another day.
        (NumberAfter::Same | NumberAfter::Suspect | NumberAfter::Good, false) => {
            Next::NextDay { other_number: false }
        }
    }
}

const fn number_after(ended: Ended) -> NumberAfter {
    match ended.outcome {
        Outcome::Invalid => match ended.suspect_day {
            None => NumberAfter::Suspect,
            Some(day) if day == ended.today => NumberAfter::Same,
            Some(_) => NumberAfter::Invalid,
        },
        Outcome::Connected
        | Outcome::Abandoned
        | Outcome::AgentLost
        | Outcome::MessagePlayed
        | Outcome::MessageCut
        | Outcome::NoAnswer
        | Outcome::Busy
        | Outcome::Rejected
        | Outcome::Unwanted => {
            if ended.suspect_day.is_some() {
                NumberAfter::Good
            } else {
                NumberAfter::Same
            }
        }
        Outcome::Unreachable
        | Outcome::Congestion
        | Outcome::TrunkFault
        | Outcome::NotDelivered
        | Outcome::NotPlaced
        | Outcome::Cancelled
        | Outcome::Unknown => NumberAfter::Same,
    }
}

/// After an attempt that was given up before anything left.
const NOT_PLACED: Duration = Duration::from_secs(10);
/// After a 5xx without a rule: at most three undelivered INVITEs per lead and hour.
const UNDELIVERED: Duration = Duration::from_secs(300);
/// Before the person's next number is tried when the first is not in service.
const OTHER_NUMBER: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::settings::test_campaign;

    fn ended(outcome: Outcome) -> Ended {
        Ended {
            outcome,
            attempts: 1,
            same_outcome: 1,
            retry_after: None,
            suspect_day: None,
            today: 100,
            other_number: false,
        }
    }

    #[test]
    fn one_404_makes_a_number_suspect_and_two_on_different_days_make_it_invalid() {
        let settings = test_campaign();
        let first = ended(Outcome::Invalid);
        assert_eq!(
            after(&settings, first),
            (Next::NextDay { other_number: false }, NumberAfter::Suspect)
        );
        let same_day = Ended { suspect_day: Some(100), ..first };
        assert_eq!(after(&settings, same_day).1, NumberAfter::Same);
        let next_day = Ended { suspect_day: Some(99), ..first };
        assert_eq!(after(&settings, next_day), (Next::NoNumber, NumberAfter::Invalid));
        let other = Ended { other_number: true, ..next_day };
        assert!(matches!(after(&settings, other).0, Next::After { other_number: true, .. }));
    }

    #[test]
    fn an_unknown_end_waits_for_the_next_day() {
        let (next, _) = after(&test_campaign(), ended(Outcome::Unknown));
        assert_eq!(next, Next::NextDay { other_number: false });
    }

    #[test]
    fn a_talk_without_disposition_is_held_for_a_person_to_decide() {
        assert_eq!(after(&test_campaign(), ended(Outcome::Connected)).0, Next::Held);
    }

    #[test]
    fn retries_end_with_the_rule_and_with_the_cap() {
        let mut settings = test_campaign();
        let rule = RetryRule { delay: Duration::from_secs(600), max: 2 };
        settings.retry.insert(Outcome::Busy, rule);
        let busy = ended(Outcome::Busy);
        let again = Next::After { wait: rule.delay, other_number: false };
        assert_eq!(after(&settings, busy).0, again);
        assert_eq!(after(&settings, Ended { same_outcome: 3, ..busy }).0, Next::Done);
        let used_up = Ended { attempts: settings.caps.total, ..busy };
        assert_eq!(after(&settings, used_up).0, Next::Done);
    }

    #[test]
    fn a_carrier_that_asks_to_wait_is_heard() {
        let wait = Duration::from_secs(3600);
        let congested = Ended { retry_after: Some(wait), ..ended(Outcome::Congestion) };
        assert_eq!(after(&test_campaign(), congested).0, Next::After { wait, other_number: false });
    }
}
