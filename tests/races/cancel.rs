//! Hanging up before the answer.

use std::time::Duration;

use outdial::logic::sip::user_agent::{SipCommand, SipEvent};

use crate::stage::{LEG, Orders, Stage, call_to, hang_up_once_answered};

#[test]
fn a_cancel_before_any_1xx_is_held_until_one_comes() {
    let stage = Stage::set("cancel_before_1xx");
    let call = call_to(stage.sipp.address());
    let hang_up = (Duration::from_millis(100), SipCommand::HangUp { leg: LEG });
    let played = stage.play_and(vec![call], vec![hang_up], hang_up_once_answered).faultless();
    assert_eq!(played.concluded(), ["100", "failed 487"]);
    assert_eq!(played.requests(), ["1 INVITE", "1 CANCEL", "1 ACK"]);
    let (trying, _) = played.message(|it| !it.received && it.text.contains("100 Trying"));
    let (cancel, _) = played.message(|it| it.received && it.text.starts_with("CANCEL "));
    assert!(trying < cancel, "RFC 3261 §9.1");
}

#[test]
fn a_200_that_crosses_the_cancel_is_an_answered_call() {
    let react = |event: &SipEvent| -> Orders {
        if matches!(event, SipEvent::Provisional { .. }) {
            return vec![(Duration::ZERO, SipCommand::HangUp { leg: LEG })];
        }
        hang_up_once_answered(event)
    };
    let played = Stage::set("answer_crosses_cancel").play(react).faultless();
    assert_eq!(played.concluded(), ["180", "answered", "ended by us"]);
    assert_eq!(played.requests(), ["1 INVITE", "1 CANCEL", "1 ACK", "2 BYE"]);
}
