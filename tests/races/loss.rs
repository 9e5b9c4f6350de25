//! A bad network.

use std::collections::BTreeSet;
use std::time::Duration;

use outdial::logic::sip::user_agent::SipEvent;

use crate::relay::Relay;
use crate::stage::{Stage, call_to, hang_up_once_answered};

#[test]
fn calls_over_ten_percent_loss_and_reordering_all_come_to_one_end() {
    let stage = Stage::set_for(CALLS, "patient");
    let mut dice = 20_261_122_u64;
    let mut lost = BTreeSet::new();
    let relay = Relay::before(stage.sipp.address(), move |passing| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let roll = dice >> 33;
        // None is lost twice: so all is over before SIPp forgets its calls.
        if roll.is_multiple_of(10) && lost.insert(passing.text.to_owned()) {
            return vec![];
        }
        // Calls are 20 ms apart, and a 180 leaves together with its 200.
        vec![Duration::from_millis(roll / 10 % 30)]
    });
    let mut call = call_to(stage.sipp.address());
    call.peer = relay.address;
    let played = stage.play_calls(vec![call; CALLS], |event| {
        let mut orders = hang_up_once_answered(event);
        // Longer than an ACK and its repeat may be under way: SIPp takes no BYE before it.
        orders.iter_mut().for_each(|(wait, _)| *wait += Duration::from_secs(2));
        orders
    });
    let count = |wanted: fn(&SipEvent) -> bool| played.events.iter().filter(|e| wanted(e)).count();
    assert_eq!(count(|event| matches!(event, SipEvent::Answered { .. })), CALLS);
    assert_eq!(count(|event| matches!(event, SipEvent::Ended { by_peer: false, .. })), CALLS);
    assert_eq!(count(|event| matches!(event, SipEvent::Failed { .. })), 0);
    assert!(played.counters.repeated > 0 && played.counters.repeats_received > 0);
    let calls = u64::try_from(CALLS).unwrap();
    assert_eq!((played.account.calls, played.account.successful), (calls, calls));
    assert_eq!(played.account.code, Some(0));
}

const CALLS: usize = 40;
