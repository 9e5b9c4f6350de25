//! Answers that come again, come odd, or are none.

use std::time::Duration;

use crate::relay::Relay;
use crate::stage::{Stage, call_to, hang_up_once_answered};

#[test]
fn a_200_whose_ack_was_lost_is_acknowledged_again() {
    let stage = Stage::set("answer");
    let mut lost = false;
    let relay = Relay::before(stage.sipp.address(), move |passing| {
        let first_ack = passing.to_sipp && passing.text.starts_with("ACK ") && !lost;
        lost |= first_ack;
        if first_ack { vec![] } else { vec![Duration::ZERO] }
    });
    let mut call = call_to(stage.sipp.address());
    call.peer = relay.address;
    let talk = |event: &_| {
        let mut orders = hang_up_once_answered(event);
        // Longer than SIPp waits for the ACK.
        orders.iter_mut().for_each(|(wait, _)| *wait += Duration::from_millis(1_500));
        orders
    };
    let played = stage.play_calls(vec![call], talk).faultless();
    assert_eq!(played.concluded(), ["180", "answered", "ended by us"]);
    assert_eq!(played.requests(), ["1 INVITE", "1 ACK", "2 BYE"]);
    assert!(played.account.retransmissions >= 1, "SIPp repeated its 200");
    assert!(played.counters.repeats_received >= 1);
}

#[test]
fn a_repeated_200_is_one_answer_and_no_loop_of_acks() {
    let stage = Stage::set("answer");
    let relay = Relay::before(stage.sipp.address(), |passing| {
        let answer = !passing.to_sipp && passing.text.contains("CSeq: 1 INVITE");
        let often = if answer && passing.text.starts_with("SIP/2.0 200") { 40 } else { 1 };
        (0..often).map(|nth| Duration::from_millis(nth * 2)).collect()
    });
    let mut call = call_to(stage.sipp.address());
    call.peer = relay.address;
    let talk = |event: &_| {
        let mut orders = hang_up_once_answered(event);
        orders.iter_mut().for_each(|(wait, _)| *wait += Duration::from_millis(400));
        orders
    };
    let played = stage.play_calls(vec![call], talk).faultless();
    assert_eq!(played.concluded(), ["180", "answered", "ended by us"]);
    let acks = played.account.messages.iter().filter(|it| it.text.starts_with("ACK ")).count();
    assert!((1..=33).contains(&acks), "SIPp takes each further ACK for a repeat: {acks}");
    assert!(played.counters.acks_withheld >= 30, "{:?}", played.counters);
}

#[test]
fn a_202_is_an_answer_that_is_acknowledged_and_can_be_ended() {
    let played = Stage::set("accepted_202").play(hang_up_once_answered).faultless();
    assert_eq!(played.concluded(), ["answered", "ended by us"]);
    assert_eq!(played.requests(), ["1 INVITE", "1 ACK", "2 BYE"]);
}

#[test]
fn a_200_without_contact_is_acknowledged_and_ended_at_the_called_uri() {
    let played = Stage::set("no_contact").play(hang_up_once_answered).faultless();
    assert_eq!(played.concluded(), ["answered", "ended by us"]);
    assert_eq!(played.requests(), ["1 INVITE", "1 ACK", "2 BYE"]);
}

#[test]
fn a_302_is_acknowledged_and_not_followed() {
    let played = Stage::set("redirect").play(hang_up_once_answered).faultless();
    assert_eq!(played.concluded(), ["failed 302"]);
    assert_eq!(played.requests(), ["1 INVITE", "1 ACK"]);
}

#[test]
fn a_422_is_followed_once_with_the_session_that_is_wanted() {
    let played = Stage::set("session_too_short").play(hang_up_once_answered).faultless();
    assert_eq!(played.concluded(), ["challenged", "answered", "ended by us"]);
    assert_eq!(played.requests(), ["1 INVITE", "1 ACK", "2 INVITE", "2 ACK", "3 BYE"]);
}
