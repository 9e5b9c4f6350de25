//! Calls over a network that loses and reorders: each comes to one end, by rule.

use std::time::Duration;

use super::ANSWER;
use super::OFFER;
use super::call;
use super::pair::Pair;
use super::pair::Who;
use crate::logic::ids::LegId;
use crate::logic::sip::user_agent::SipCommand;
use crate::logic::sip::user_agent::SipEvent;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn two_hundred_calls_over_ten_percent_loss_and_reordering_all_come_to_one_end() {
    let (mut answered, mut completed, mut repeated) = (0, 0, 0);
    for seed in 0..200 {
        let mut pair = Pair::new(seed * 7919 + 1);
        pair.loss = 100;
        pair.delay = (Duration::from_millis(5), Duration::from_millis(400));
        let leg = LegId(1_000 + i64::try_from(seed).unwrap());
        pair.order(Who::Near, SipCommand::Invite { leg, call: call(), offer: OFFER.to_vec() });
        let caller_hangs_up = seed % 2 == 0;
        pair.run(SECOND * 200, |who, event| match (who, event) {
            (Who::Far, SipEvent::Incoming { leg, .. }) => {
                let ring = SipCommand::Progress { leg: *leg, status: 180, sdp: None };
                let answer = SipCommand::Answer { leg: *leg, sdp: ANSWER.to_vec() };
                vec![(Duration::ZERO, who, ring), (SECOND, who, answer)]
            }
            (Who::Near, SipEvent::Answered { leg, .. }) if caller_hangs_up => {
                vec![(SECOND * 3, who, SipCommand::HangUp { leg: *leg })]
            }
            (Who::Far, SipEvent::Confirmed { leg, .. }) if !caller_hangs_up => {
                vec![(SECOND * 3, who, SipCommand::HangUp { leg: *leg })]
            }
            (Who::Near | Who::Far, _) => vec![],
        });
        for who in [Who::Near, Who::Far] {
            let closing = pair
                .events_of(who)
                .into_iter()
                .filter(|event| matches!(event, SipEvent::Failed { .. } | SipEvent::Ended { .. }));
            let legs = pair.events_of(Who::Far).into_iter();
            let invited = legs.filter(|e| matches!(e, SipEvent::Incoming { .. })).count();
            let expected = if who == Who::Near { 1 } else { invited };
            assert_eq!(closing.count(), expected, "seed {seed} {who:?} {:?}", pair.events);
        }
        let near = pair.events_of(Who::Near);
        answered += usize::from(near.iter().any(|e| matches!(e, SipEvent::Answered { .. })));
        completed += usize::from(matches!(near.last(), Some(SipEvent::Ended { .. })));
        repeated += pair.near.counters().repeated + pair.far.counters().repeated;
        assert_eq!((pair.near.legs(), pair.far.legs()), (0, 0), "seed {seed}");
        assert_eq!((pair.near.next_deadline(), pair.far.next_deadline()), (None, None));
    }
    // Seven INVITEs at 10 % loss both ways: one call in two million does not get through.
    assert_eq!((answered, completed), (200, 200));
    assert!(repeated > 100, "the network lost nothing: {repeated}");
}

#[test]
fn cancelled_calls_over_loss_end_once_on_both_sides() {
    for seed in 0..100 {
        let mut pair = Pair::new(seed * 104_729 + 3);
        pair.loss = 200;
        pair.delay = (Duration::from_millis(5), Duration::from_millis(600));
        let leg = LegId(1);
        pair.order(Who::Near, SipCommand::Invite { leg, call: call(), offer: OFFER.to_vec() });
        let wait = Duration::from_millis(seed * 20);
        pair.after(wait, Who::Near, SipCommand::HangUp { leg });
        pair.run(SECOND * 300, |who, event| match (who, event) {
            (Who::Far, SipEvent::Incoming { leg, .. }) => {
                let ring = SipCommand::Progress { leg: *leg, status: 180, sdp: None };
                let answer = SipCommand::Answer { leg: *leg, sdp: ANSWER.to_vec() };
                vec![(Duration::ZERO, who, ring), (SECOND, who, answer)]
            }
            (Who::Near, SipEvent::Answered { leg, .. }) => {
                vec![(Duration::ZERO, who, SipCommand::HangUp { leg: *leg })]
            }
            (Who::Near | Who::Far, _) => vec![],
        });
        for who in [Who::Near, Who::Far] {
            let ends = pair
                .events_of(who)
                .into_iter()
                .filter(|event| matches!(event, SipEvent::Failed { .. } | SipEvent::Ended { .. }));
            assert_eq!(ends.count(), 1, "seed {seed} {who:?} {:?}", pair.events);
        }
        assert_eq!((pair.near.legs(), pair.far.legs()), (0, 0), "seed {seed}");
    }
}
