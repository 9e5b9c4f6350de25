//! Offers that cross or come early, and the way that requests take.

use std::time::Duration;

use outdial::logic::sip::user_agent::{SipCommand, SipEvent};

use crate::relay::Relay;
use crate::stage::{BRIEFLY, LEG, OFFER, Orders, Stage, call_to, hang_up_once_answered};

#[test]
fn reinvites_that_cross_get_491_on_both_sides_and_the_call_goes_on() {
    let react = |event: &SipEvent| -> Orders {
        if matches!(event, SipEvent::Answered { .. }) {
            return vec![(BRIEFLY, SipCommand::Offer { leg: LEG, sdp: OFFER.to_vec() })];
        }
        if matches!(event, SipEvent::OfferDone { .. }) {
            return vec![(BRIEFLY, SipCommand::HangUp { leg: LEG })];
        }
        vec![]
    };
    let played = Stage::set("glare").play(react).faultless();
    assert_eq!(played.concluded(), ["answered", "offer done 491", "ended by us"]);
    assert_eq!(played.requests(), ["1 INVITE", "1 ACK", "2 INVITE", "2 ACK", "3 BYE"]);
}

#[test]
fn a_200_that_our_reinvite_overtook_does_not_end_the_call() {
    let stage = Stage::set("reinvite");
    let relay = Relay::before(stage.sipp.address(), |passing| {
        let first = !passing.to_sipp && passing.text.contains("CSeq: 1 INVITE");
        let late = first.then_some(Duration::from_millis(400));
        [Some(Duration::ZERO), late].into_iter().flatten().collect()
    });
    let mut call = call_to(stage.sipp.address());
    call.peer = relay.address;
    let played = stage.play_calls(vec![call], |event| {
        if matches!(event, SipEvent::Answered { .. }) {
            return vec![(BRIEFLY, SipCommand::Offer { leg: LEG, sdp: OFFER.to_vec() })];
        }
        if matches!(event, SipEvent::OfferDone { .. }) {
            return vec![(Duration::from_secs(1), SipCommand::HangUp { leg: LEG })];
        }
        vec![]
    });
    let played = played.faultless();
    assert_eq!(played.concluded(), ["answered", "offer done 200", "ended by us"]);
    assert_eq!(played.requests(), ["1 INVITE", "1 ACK", "2 INVITE", "2 ACK", "3 BYE"]);
    assert!(played.counters.repeats_received >= 1, "the 200 came again");
    assert_eq!(played.counters.extra_answers, 0);
}

#[test]
fn an_update_in_an_early_dialog_is_answered() {
    let react = |event: &SipEvent| -> Orders {
        if let SipEvent::Offer { leg, .. } = event {
            let sdp = Some(OFFER.to_vec());
            return vec![(Duration::ZERO, SipCommand::AnswerOffer { leg: *leg, sdp })];
        }
        hang_up_once_answered(event)
    };
    let played = Stage::set("early_update").play(react).faultless();
    assert_eq!(played.concluded(), ["183 with SDP", "offer", "answered", "ended by us"]);
    assert_eq!(played.requests(), ["1 INVITE", "1 ACK", "2 BYE"]);
}

#[test]
fn pairs_of_record_routes_come_back_as_they_are_and_in_reverse() {
    let played = Stage::set("record_route").play(hang_up_once_answered).faultless();
    assert_eq!(played.concluded(), ["answered", "ended by us"]);
    assert_eq!(played.requests(), ["1 INVITE", "1 ACK", "2 BYE"]);
}
