//! Offers in a call that is up: re-INVITE and UPDATE both ways, glare, session timers.

use std::time::Duration;

use super::ANSWER;
use super::LEG;
use super::OFFER;
use super::solo::Solo;
use super::solo::answer;
use super::solo::from_peer;
use super::solo::words;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::Method;
use crate::logic::sip::message::name;
use crate::logic::sip::user_agent::SipCommand;
use crate::logic::sip::user_agent::SipEvent;

const SECOND: Duration = Duration::from_secs(1);

fn offer(ok: &Message, method: Method, cseq: u32) -> Message {
    let mut request = from_peer(ok, method, cseq);
    request.set_body("application/sdp", OFFER.to_vec());
    request
}

fn answer_offer(solo: &mut Solo, sdp: Option<&[u8]>) {
    solo.order(SipCommand::AnswerOffer { leg: LEG, sdp: sdp.map(<[u8]>::to_vec) });
}

/// An answered call whose 200 has this Session-Expires; `update` says whether the far end takes UPDATE.
fn timed(value: &str, update: bool) -> (Solo, Message) {
    let mut solo = Solo::new();
    let invite = solo.invite();
    let mut ok = answer(&invite, 200, "far");
    ok.push(name::SESSION_EXPIRES, value);
    if !update {
        ok.set(name::ALLOW, "INVITE, ACK, BYE, CANCEL");
    }
    solo.receive(&ok);
    solo.sent();
    solo.events();
    (solo, ok)
}

#[test]
fn a_reinvite_is_answered_and_its_200_repeated_until_the_ack() {
    let mut solo = Solo::new();
    let (_, ok) = solo.answered();
    let reinvite = offer(&ok, Method::INVITE, 5);
    solo.receive(&reinvite);
    assert_eq!(solo.events(), [SipEvent::Offer { leg: LEG, sdp: Some(OFFER.to_vec()) }]);
    answer_offer(&mut solo, Some(ANSWER));
    let reply = solo.one();
    assert_eq!((reply.status(), &reply.body[..]), (Some(200), ANSWER));
    assert!(reply.contact().is_some());
    solo.pass(SECOND * 2);
    assert_eq!(words(&solo.sent()), ["200", "200"]);
    solo.receive(&from_peer(&ok, Method::ACK, 5));
    solo.pass(SECOND * 60);
    assert!(solo.sent().is_empty());
    assert_eq!(solo.events(), [SipEvent::Confirmed { leg: LEG, sdp: None }]);
}

#[test]
fn a_reinvite_without_sdp_gets_our_offer_and_its_ack_the_answer() {
    let mut solo = Solo::new();
    let (_, ok) = solo.answered();
    solo.receive(&from_peer(&ok, Method::INVITE, 5));
    assert_eq!(solo.events(), [SipEvent::Offer { leg: LEG, sdp: None }]);
    answer_offer(&mut solo, Some(OFFER));
    assert_eq!(solo.one().body, OFFER);
    let mut ack = from_peer(&ok, Method::ACK, 5);
    ack.set_body("application/sdp", ANSWER.to_vec());
    solo.receive(&ack);
    assert_eq!(solo.events(), [SipEvent::Confirmed { leg: LEG, sdp: Some(ANSWER.to_vec()) }]);
}

#[test]
fn an_offer_may_be_refused_or_forgotten() {
    let mut solo = Solo::new();
    let (_, ok) = solo.answered();
    solo.receive(&offer(&ok, Method::INVITE, 5));
    answer_offer(&mut solo, None);
    assert_eq!(words(&solo.sent()), ["488"]);
    let mut ack = from_peer(&ok, Method::ACK, 5);
    ack.set(name::VIA, "SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bKpeer5INVITE;rport");
    solo.receive(&ack);
    solo.receive(&offer(&ok, Method::UPDATE, 6));
    solo.pass(SECOND * 11);
    assert_eq!(words(&solo.sent()), ["488"], "nobody answered the UPDATE");
    assert_eq!(solo.agent.legs(), 1);
}

#[test]
fn overlapping_offers_of_the_far_end_wait_their_turn() {
    let mut solo = Solo::new();
    let (_, ok) = solo.answered();
    solo.receive(&offer(&ok, Method::INVITE, 5));
    solo.receive(&offer(&ok, Method::INVITE, 6));
    let refusal = solo.one();
    assert_eq!(refusal.status(), Some(500));
    assert!(refusal.retry_after().is_some());
    solo.receive(&offer(&ok, Method::UPDATE, 7));
    assert_eq!(solo.one().status(), Some(500));
    answer_offer(&mut solo, Some(ANSWER));
    assert_eq!(words(&solo.sent()), ["200"]);
}

#[test]
fn crossing_reinvites_get_491_on_both_sides() {
    let mut solo = Solo::new();
    let (_, ok) = solo.answered();
    solo.order(SipCommand::Offer { leg: LEG, sdp: OFFER.to_vec() });
    let ours = solo.request(Method::INVITE);
    solo.receive(&offer(&ok, Method::INVITE, 5));
    assert_eq!(words(&solo.sent()), ["491"]);
    let mut ack = from_peer(&ok, Method::ACK, 5);
    ack.set(name::VIA, "SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bKpeer5INVITE;rport");
    solo.receive(&ack);
    solo.receive(&ours.reply(491, None));
    assert_eq!(words(&solo.sent()), ["ACK"]);
    assert_eq!(solo.events(), [SipEvent::OfferDone { leg: LEG, status: 491, sdp: None }]);
    solo.pass(SECOND);
    solo.receive(&ours.reply(491, None));
    assert_eq!(words(&solo.sent()), ["ACK"], "its repeat too");
    assert_eq!((solo.events(), solo.agent.legs()), (vec![], 1), "the call goes on");
}

#[test]
fn our_own_offer_is_answered_and_its_200_acknowledged_again() {
    let mut solo = Solo::new();
    solo.answered();
    solo.order(SipCommand::Offer { leg: LEG, sdp: OFFER.to_vec() });
    let ours = solo.request(Method::INVITE);
    assert_eq!((ours.first(name::CSEQ), &ours.body[..]), (Some("2 INVITE"), OFFER));
    solo.order(SipCommand::Offer { leg: LEG, sdp: OFFER.to_vec() });
    assert_eq!(solo.events(), [SipEvent::OfferDone { leg: LEG, status: 491, sdp: None }]);
    let ok = answer(&ours, 200, "far");
    solo.receive(&ok);
    let ack = solo.request(Method::ACK);
    assert_eq!(ack.first(name::CSEQ), Some("2 ACK"));
    let done = SipEvent::OfferDone { leg: LEG, status: 200, sdp: Some(ANSWER.to_vec()) };
    assert_eq!(solo.events(), [done]);
    solo.pass(SECOND);
    solo.receive(&ok);
    assert_eq!(solo.one().to_bytes(), ack.to_bytes());
}

#[test]
fn a_dialog_that_is_gone_is_ended_after_our_offer() {
    for status in [481, 408] {
        let mut solo = Solo::new();
        solo.answered();
        solo.order(SipCommand::Offer { leg: LEG, sdp: OFFER.to_vec() });
        let ours = solo.request(Method::INVITE);
        solo.receive(&ours.reply(status, None));
        let sent = solo.sent();
        assert_eq!(words(&sent), ["ACK", "BYE"]);
        solo.receive(&sent[1].reply(481, None));
        assert!(matches!(
            solo.events()[..],
            [SipEvent::OfferDone { .. }, SipEvent::Ended { by_peer: false, .. }]
        ));
    }
}

#[test]
fn an_update_in_an_early_dialog_is_answered() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    let early = answer(&invite, 183, "far");
    solo.receive(&answer(&invite, 180, "other"));
    solo.receive(&early);
    solo.events();
    solo.receive(&offer(&early, Method::UPDATE, 1));
    assert_eq!(solo.events(), [SipEvent::Offer { leg: LEG, sdp: Some(OFFER.to_vec()) }]);
    answer_offer(&mut solo, Some(ANSWER));
    let reply = solo.one();
    assert_eq!((reply.status(), &reply.body[..]), (Some(200), ANSWER));
    solo.receive(&offer(&answer(&invite, 180, "other"), Method::UPDATE, 3));
    assert_eq!(words(&solo.sent()), ["491"], "that branch has not answered our offer");
    solo.receive(&answer(&invite, 200, "far"));
    solo.sent();
    solo.receive(&from_peer(&early, Method::BYE, 2));
    assert_eq!(words(&solo.sent()), ["200"]);
}

#[test]
fn a_bye_settles_the_offer_that_waits() {
    let mut solo = Solo::new();
    let (_, ok) = solo.answered();
    solo.receive(&offer(&ok, Method::INVITE, 5));
    solo.receive(&from_peer(&ok, Method::BYE, 6));
    assert_eq!(words(&solo.sent()), ["200", "487"]);
    answer_offer(&mut solo, Some(ANSWER));
    assert!(solo.sent().is_empty());
}

#[test]
fn we_refresh_the_session_where_the_200_says_so() {
    let (mut solo, _) = timed("1800;refresher=uac", true);
    solo.pass(SECOND * 899);
    assert!(solo.sent().is_empty());
    solo.pass(SECOND);
    let update = solo.request(Method::UPDATE);
    assert_eq!(update.first(name::SESSION_EXPIRES), Some("1800;refresher=uac"));
    assert!(update.body.is_empty());
    let mut ok = update.reply(200, None);
    ok.push(name::SESSION_EXPIRES, "1800;refresher=uac");
    solo.receive(&ok);
    solo.pass(SECOND * 900);
    assert_eq!(words(&solo.sent()), ["UPDATE"], "and again at half time");
    assert_eq!(solo.agent.legs(), 1);
}

#[test]
fn a_short_session_is_refreshed_in_time_too() {
    let (mut solo, _) = timed("4;refresher=uac", true);
    solo.pass(SECOND * 2);
    solo.request(Method::UPDATE);
}

#[test]
fn without_update_the_refresh_is_a_reinvite_with_the_same_sdp() {
    let (mut solo, _) = timed("90", false);
    solo.pass(SECOND * 45);
    let reinvite = solo.request(Method::INVITE);
    assert_eq!(reinvite.body, OFFER);
    let mut ok = answer(&reinvite, 200, "far");
    ok.set(name::ALLOW, "INVITE, ACK, BYE, CANCEL");
    ok.push(name::SESSION_EXPIRES, "90;refresher=uac");
    solo.receive(&ok);
    assert_eq!(words(&solo.sent()), ["ACK"]);
    assert_eq!(solo.events(), []);
    solo.pass(SECOND * 45);
    solo.request(Method::INVITE);
}

#[test]
fn a_session_found_too_short_is_refreshed_with_what_the_far_end_wants() {
    let (mut solo, _) = timed("90;refresher=uac", true);
    solo.pass(SECOND * 45);
    let first = solo.request(Method::UPDATE);
    let mut refusal = first.reply(422, None);
    refusal.push(name::MIN_SE, "600");
    solo.receive(&refusal);
    // An eighth of the session later.
    solo.pass(Duration::from_millis(11_300));
    let next = solo.request(Method::UPDATE);
    assert_eq!(next.first(name::SESSION_EXPIRES), Some("600;refresher=uac"));
    assert_eq!(next.first(name::MIN_SE), Some("600"));
    assert_eq!(solo.agent.legs(), 1);
}

#[test]
fn a_long_shift_of_reinvites_keeps_the_last_few_only() {
    let mut solo = Solo::new();
    solo.answered();
    let mut first = None;
    for round in 0..50 {
        solo.order(SipCommand::Offer { leg: LEG, sdp: OFFER.to_vec() });
        let ours = solo.request(Method::INVITE);
        solo.receive(&answer(&ours, 200, "far"));
        assert_eq!(words(&solo.sent()), ["ACK"], "round {round}");
        first.get_or_insert(ours);
    }
    assert_eq!(solo.agent.engine.invites.len(), 5, "the call's own INVITE and four more");
    solo.events();
    solo.receive(&answer(&first.unwrap(), 200, "far"));
    assert!(matches!(solo.events()[..], [SipEvent::Dropped { .. }]));
    solo.hang_up();
    let bye = solo.request(Method::BYE);
    solo.receive(&bye.reply(200, None));
    solo.pass(SECOND * 40);
    assert_eq!((solo.agent.engine.invites.len(), solo.agent.legs()), (0, 0));
}

#[test]
fn a_refresh_that_meets_glare_is_tried_again_after_a_random_wait() {
    let (mut solo, _) = timed("1800;refresher=uac", false);
    solo.pass(SECOND * 900);
    let first = solo.request(Method::INVITE);
    solo.receive(&first.reply(491, None));
    assert_eq!(words(&solo.sent()), ["ACK"]);
    solo.pass(Duration::from_millis(2_099));
    assert!(solo.sent().is_empty());
    solo.pass(Duration::from_millis(1_901));
    assert!(!solo.sent().is_empty());
}

#[test]
fn a_timer_that_a_proxy_asked_for_is_kept_by_us_where_the_far_end_knows_none() {
    let (mut solo, ok) = timed("1800;refresher=uas", false);
    let mut update = from_peer(&ok, Method::UPDATE, 1);
    update.push(name::SESSION_EXPIRES, "90");
    solo.receive(&update);
    let reply = solo.one();
    assert_eq!(reply.first(name::SESSION_EXPIRES), Some("90;refresher=uas"));
    assert_eq!(reply.first(name::REQUIRE), None);
    solo.pass(SECOND * 45);
    solo.request(Method::UPDATE);
}

#[test]
fn a_session_the_far_end_does_not_refresh_is_ended() {
    let (mut solo, ok) = timed("90;refresher=uas", true);
    solo.pass(SECOND * 50);
    let mut update = from_peer(&ok, Method::UPDATE, 1);
    update.push(name::SESSION_EXPIRES, "90;refresher=uac").push(name::SUPPORTED, "timer");
    solo.receive(&update);
    let reply = solo.one();
    assert_eq!(reply.first(name::SESSION_EXPIRES), Some("90;refresher=uac"));
    assert_eq!(reply.first(name::REQUIRE), Some("timer"));
    solo.pass(SECOND * 59);
    assert!(solo.sent().is_empty());
    solo.pass(SECOND);
    let bye = solo.request(Method::BYE);
    solo.receive(&bye.reply(200, None));
    assert!(matches!(solo.events()[..], [SipEvent::Ended { by_peer: false, .. }]));
}

#[test]
fn a_refresh_without_any_answer_ends_the_call() {
    let (mut solo, _) = timed("1800;refresher=uac", true);
    solo.pass(SECOND * (900 + 33));
    assert_eq!(words(&solo.sent()).last().map(String::as_str), Some("BYE"));
}
