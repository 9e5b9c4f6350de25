//! Both sides end a call.

use std::time::Duration;

use crate::relay::Relay;
use crate::stage::{Stage, call_to, hang_up_once_answered};

#[test]
fn byes_that_cross_end_the_call_once() {
    let played = Stage::set("byes_cross").play(hang_up_once_answered).faultless();
    assert_eq!(played.concluded(), ["answered", "ended by us"]);
    assert_eq!(played.requests(), ["1 INVITE", "1 ACK", "2 BYE"]);
    let (_, answer) = played.message(|it| it.received && it.text.starts_with("SIP/2.0 200"));
    assert!(answer.contains("1 BYE"), "theirs is answered too");
}

#[test]
fn a_bye_that_overtakes_its_200_is_an_answered_call_that_ended() {
    let stage = Stage::set("bye_overtakes_200");
    let relay = Relay::before(stage.sipp.address(), |passing| {
        let answer = !passing.to_sipp && passing.text.contains("CSeq: 1 INVITE");
        vec![Duration::from_millis(if answer { 200 } else { 0 })]
    });
    let mut call = call_to(stage.sipp.address());
    call.peer = relay.address;
    let played = stage.play_calls(vec![call], |_| vec![]).faultless();
    assert_eq!(played.concluded(), ["answered", "ended by them"]);
    assert_eq!(played.requests(), ["1 INVITE", "1 ACK"]);
}

#[test]
fn a_401_to_our_bye_is_answered() {
    let played = Stage::set("challenged_bye").play(hang_up_once_answered).faultless();
    assert_eq!(played.concluded(), ["answered", "ended by us"], "nobody is told");
    assert_eq!(played.requests(), ["1 INVITE", "1 ACK", "2 BYE", "3 BYE"]);
}
