//! The gates that need no database: asked by the dialer before each call, and by `outdial why` without one.

use crate::logic::compliance::Verdict;
use crate::logic::compliance::calling_class::ClassHours;
use crate::logic::compliance::country;
use crate::logic::dialer::LeadState;
use crate::logic::gate::{Answer, Gate};
use crate::logic::ids::ClassId;
use crate::logic::phone::{PhoneNumber, never_dial};
use crate::logic::settings::CampaignSettings;
use crate::logic::time::UtcMs;

/// What each of them says of a call to `number` at `now`, in the order in which they are asked.
#[must_use]
pub fn gates_in_memory(
    settings: &CampaignSettings,
    hours: &ClassHours,
    number: &PhoneNumber,
    class: ClassId,
    now: UtcMs,
) -> [Answer; 4] {
    let [test_only, country] = country::gates(number, &settings.countries, &settings.test_only);
    let never = Answer::unless(Gate::NeverDial, never_dial(number).is_some());
    [test_only, country, never, hours_gate(settings, hours, class, now)]
}

fn hours_gate(
    settings: &CampaignSettings,
    hours: &ClassHours,
    class: ClassId,
    now: UtcMs,
) -> Answer {
    let open = match hours.verdict(class, now, settings.limits.ring) {
        Verdict::Allow => Ok(()),
        Verdict::Later(at) => Err(Some(at)),
        Verdict::Never(_) => Err(None),
    };
    Answer { gate: Gate::Hours, open }
}

/// When a lead can be called next, as far as it depends on the lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextCall {
    /// Now, when its turn comes.
    Now,
    /// Not before this moment.
    At(UtcMs),
    /// A dialer has it: it is being called, or is next.
    UnderWay,
    /// Somebody must say how its last talk went.
    Held,
    /// Nothing is left to do.
    Over,
    /// This gate stays closed until somebody changes something.
    Never(Gate),
}

/// Puts the answers of all gates together. `due` is when a waiting lead is due.
#[must_use]
pub fn next_call(
    state: LeadState,
    due: UtcMs,
    answers: &[Answer],
    settings: &CampaignSettings,
    hours: &ClassHours,
    class: ClassId,
    now: UtcMs,
) -> NextCall {
    match state {
        LeadState::Claimed => return NextCall::UnderWay,
        LeadState::Held => return NextCall::Held,
        LeadState::Done => return NextCall::Over,
        LeadState::Ready | LeadState::Waiting | LeadState::Blocked => {}
    }
    let closed = answers.iter().filter_map(|answer| Some((answer.gate, answer.open.err()?)));
    let mut at = if state == LeadState::Waiting { due.max(now) } else { now };
    for (gate, until) in closed {
        match until {
            // The hours are asked for the time at which everything else is open.
            Some(_) if gate == Gate::Hours => {}
            Some(until) => at = at.max(until),
            None => return NextCall::Never(gate),
        }
    }
    match hours_gate(settings, hours, class, at).open {
        Ok(()) if at <= now => NextCall::Now,
        Ok(()) => NextCall::At(at),
        Err(Some(opens)) => NextCall::At(opens),
        Err(None) => NextCall::Never(Gate::Hours),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::compliance::calling_class::CallingClass;
    use crate::logic::settings::{Calendar, CallingHours, TimeRange, Weekly, test_campaign};

    const CLASS: ClassId = ClassId(1);
    /// 2026-11-24 10:00 in Tokyo.
    const TEN: UtcMs = UtcMs(1_795_482_000_000);
    const HOUR: i64 = 3_600_000;

    fn nine_to_eight() -> (CampaignSettings, ClassHours) {
        let mut settings = test_campaign();
        settings.hours = CallingHours::Weekly(Weekly {
            default_zones: vec!["Asia/Tokyo".to_owned()],
            days: std::array::from_fn(|_| vec![TimeRange { start: 540, end: 1_200 }]),
            holidays: None,
            calendar: Calendar::default(),
        });
        let mut hours = ClassHours::new(settings.hours.clone());
        hours.learn(CLASS, &CallingClass::default().to_string());
        (settings, hours)
    }

    fn next(state: LeadState, due: UtcMs, answers: &[Answer]) -> NextCall {
        let (settings, hours) = nine_to_eight();
        next_call(state, due, answers, &settings, &hours, CLASS, TEN)
    }

    #[test]
    fn each_gate_answers_for_itself() {
        let (mut settings, hours) = nine_to_eight();
        settings.countries = vec!["44".to_owned()];
        let number = "+81120123456".parse().unwrap();
        let night = UtcMs(TEN.0 + 12 * HOUR);
        let answers = gates_in_memory(&settings, &hours, &number, CLASS, night);
        let nine = UtcMs(TEN.0 + 23 * HOUR);
        assert_eq!(
            answers.map(|answer| (answer.gate, answer.open)),
            [
                (Gate::TestOnly, Ok(())),
                (Gate::Country, Err(None)),
                (Gate::NeverDial, Err(None)),
                (Gate::Hours, Err(Some(nine))),
            ]
        );
        assert_eq!(Answer::first_closed(answers), Some((Gate::Country, None)));
    }

    #[test]
    fn the_next_call_is_when_the_last_gate_has_opened_within_the_hours() {
        let gap = |hours: i64| Answer {
            gate: Gate::MinGap,
            open: Err(Some(UtcMs(TEN.0 + hours * HOUR))),
        };
        let (ready, waiting) = (LeadState::Ready, LeadState::Waiting);
        assert_eq!(next(ready, TEN, &[]), NextCall::Now);
        assert_eq!(next(ready, TEN, &[gap(2)]), NextCall::At(UtcMs(TEN.0 + 2 * HOUR)));
        // 22:00 is night: tomorrow at nine.
        let tomorrow = NextCall::At(UtcMs(TEN.0 + 23 * HOUR));
        assert_eq!(next(ready, TEN, &[gap(12)]), tomorrow);
        assert_eq!(next(waiting, UtcMs(TEN.0 + 11 * HOUR), &[gap(2)]), tomorrow);
        let refused = Answer::unless(Gate::Suppressed, true);
        assert_eq!(next(waiting, TEN, &[gap(2), refused]), NextCall::Never(Gate::Suppressed));
    }

    #[test]
    fn a_lead_that_is_over_held_or_with_a_dialer_says_so() {
        assert_eq!(next(LeadState::Done, TEN, &[]), NextCall::Over);
        assert_eq!(next(LeadState::Held, TEN, &[]), NextCall::Held);
        assert_eq!(next(LeadState::Claimed, TEN, &[]), NextCall::UnderWay);
    }
}
