//! A bad network.

use std::time::Duration;

use outdial::logic::sip::user_agent::SipEvent;

use crate::relay::Relay;
use crate::sipp::Sipp;
use crate::stage::{HERE, Stage, call_to, hang_up_once_answered};

#[test]
fn calls_over_ten_percent_loss_and_reordering_all_come_to_one_end() {
    let stage = Stage::of(Sipp::start(HERE, &["-sn", "uas", "-timeout", "60s"]));
    let mut dice = 20_261_122_u64;
    let relay = Relay::before(stage.sipp.address(), move |_| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let roll = dice >> 33;
        // Up to 30 ms: calls are 20 ms apart, and a 180 is sent together with its 200.
        if roll.is_multiple_of(10) { vec![] } else { vec![Duration::from_millis(roll / 10 % 30)] }
    });
    let mut call = call_to(stage.sipp.address());
    call.peer = relay.address;
    let played = stage.play_calls(vec![call; CALLS], hang_up_once_answered);
    let ends = played.events.iter().filter(|event| {
        matches!(event, SipEvent::Ended { by_peer: false, .. } | SipEvent::Failed { .. })
    });
    assert_eq!(ends.count(), CALLS);
    let answered = played.events.iter().filter(|it| matches!(it, SipEvent::Answered { .. }));
    assert_eq!(answered.count(), CALLS, "{:?}", played.events);
    assert!(played.counters.repeated > 0, "the network lost nothing");
    assert_eq!(played.account.calls, u64::try_from(CALLS).unwrap());
}

const CALLS: usize = 40;
