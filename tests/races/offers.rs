//! Offers that cross or come early, and the way that requests take.

use std::time::Duration;

use outdial::logic::sip::user_agent::{SipCommand, SipEvent};

use crate::stage::{BRIEFLY, LEG, OFFER, Orders, Stage, hang_up_once_answered};

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
