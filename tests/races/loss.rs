//! A bad network.

use std::collections::BTreeSet;
use std::time::Duration;

use outdial::logic::sip::user_agent::SipEvent;
use outdial::simulation::dice::Dice;

use crate::relay::Relay;
use crate::stage::{Stage, call_to, hang_up_once_answered};

#[test]
fn calls_over_ten_percent_loss_and_reordering_all_come_to_one_end() {
    let stage = Stage::set_for(CALLS, "patient");
    let mut dice = Dice::new(20_261_122);
    let mut lost = BTreeSet::new();
    let relay = Relay::before(stage.sipp.address(), move |passing| {
        // None is lost twice: so all is over before SIPp forgets its calls.
        if dice.chance_ppm(100_000) && lost.insert(passing.text.to_owned()) {
            return vec![];
        }
        // Calls are 20 ms apart, and a 180 leaves together with its 200.
        vec![Duration::from_millis(dice.below(30))]
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
