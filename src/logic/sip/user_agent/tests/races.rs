//! Every race of a call that we make, message by message.

use std::time::Duration;

use super::ANSWER;
use super::LEG;
use super::OFFER;
use super::call;
use super::far;
use super::near;
use super::settings;
use super::solo::Solo;
use super::solo::answer;
use super::solo::from_peer;
use super::solo::target;
use super::solo::words;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::Method;
use crate::logic::sip::message::name;
use crate::logic::sip::user_agent::FailureCause;
use crate::logic::sip::user_agent::SipCommand;
use crate::logic::sip::user_agent::SipEvent;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn failed(cause: FailureCause) -> SipEvent {
    SipEvent::Failed { leg: LEG, cause, q850: None, retry_after: None }
}

fn ended(by_peer: bool) -> SipEvent {
    SipEvent::Ended { leg: LEG, by_peer, q850: None }
}

fn is_answer(event: &SipEvent) -> bool {
    matches!(event, SipEvent::Answered { .. })
}

#[test]
fn a_cancel_before_any_response_waits_for_the_first_provisional() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    solo.hang_up();
    assert!(solo.sent().is_empty());
    solo.receive(&invite.reply(100, None));
    let cancel = solo.request(Method::CANCEL);
    assert_eq!(cancel.first(name::VIA), invite.first(name::VIA), "the branch of the INVITE");
    assert_eq!(cancel.first(name::CSEQ), Some("1 CANCEL"));
    assert_eq!(target(&cancel), target(&invite));
    solo.receive(&cancel.reply(200, Some("far")));
    solo.receive(&answer(&invite, 487, "far"));
    let ack = solo.request(Method::ACK);
    assert_eq!(ack.first(name::VIA), invite.first(name::VIA));
    assert_eq!(ack.first(name::TO), Some("<sip:0312345678@192.0.2.2>;tag=far"));
    assert_eq!(solo.events().last(), Some(&failed(FailureCause::Status(487))));
}

#[test]
fn a_busy_that_overtakes_the_held_cancel_is_reported_as_busy() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    solo.hang_up();
    solo.receive(&answer(&invite, 486, "far"));
    assert_eq!(words(&solo.sent()), ["ACK"]);
    assert_eq!(solo.events(), [failed(FailureCause::Status(486))]);
}

#[test]
fn a_200_that_overtakes_the_held_cancel_is_an_answered_call() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    solo.hang_up();
    solo.receive(&answer(&invite, 200, "far"));
    assert_eq!(words(&solo.sent()), ["ACK"], "nothing is left to be cancelled");
    assert!(is_answer(&solo.events()[0]));
    solo.hang_up();
    assert_eq!(words(&solo.sent()), ["BYE"]);
}

#[test]
fn a_200_that_crosses_the_cancel_is_an_answered_call() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    solo.receive(&answer(&invite, 180, "far"));
    solo.hang_up();
    let cancel = solo.request(Method::CANCEL);
    solo.events();
    solo.receive(&answer(&invite, 200, "far"));
    assert_eq!(words(&solo.sent()), ["ACK"]);
    assert!(matches!(&solo.events()[..], [answered] if is_answer(answered)));
    solo.receive(&cancel.reply(200, Some("far")));
    solo.pass(SECOND * 40);
    assert_eq!(solo.events(), [], "the CANCEL says nothing about an answered call");
    solo.hang_up();
    let bye = solo.request(Method::BYE);
    solo.receive(&bye.reply(200, None));
    assert_eq!(solo.events(), [ended(false)]);
}

#[test]
fn a_cancel_without_a_final_response_is_given_up_after_64_t1() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    solo.receive(&answer(&invite, 180, "far"));
    solo.hang_up();
    let cancel = solo.request(Method::CANCEL);
    solo.receive(&cancel.reply(481, Some("far")));
    solo.events();
    solo.pass(SECOND * 31);
    assert_eq!(solo.events(), []);
    solo.pass(SECOND);
    assert_eq!(solo.events(), [failed(FailureCause::CancelTimeout)]);
    // Somebody picks up after all: acknowledged and ended, and nobody is told.
    solo.pass(SECOND * 10);
    solo.receive(&answer(&invite, 200, "far"));
    assert_eq!(words(&solo.sent()), ["ACK", "BYE"]);
    assert_eq!(solo.events(), []);
}

#[test]
fn forked_early_dialogs_ring_side_by_side_and_the_answer_is_one_of_them() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    solo.receive(&answer(&invite, 180, "one"));
    solo.receive(&answer(&invite, 183, "two"));
    solo.receive(&answer(&invite, 200, "two"));
    let ack = solo.request(Method::ACK);
    assert!(ack.first(name::TO).unwrap().ends_with(";tag=two"));
    let events = solo.events();
    assert!(matches!(events[0], SipEvent::Provisional { status: 180, sdp: None, .. }));
    assert!(
        matches!(&events[1], SipEvent::Provisional { status: 183, sdp: Some(sdp), .. } if sdp == ANSWER)
    );
    let SipEvent::Answered { dialog, .. } = &events[2] else { panic!("{events:?}") };
    assert_eq!(dialog.remote_tag, "two");
}

#[test]
fn a_200_without_sdp_means_what_its_own_branch_said_before() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    solo.receive(&answer(&invite, 183, "one"));
    let mut other = answer(&invite, 183, "two");
    other.body = OFFER.to_vec();
    solo.receive(&other);
    let mut ok = invite.reply(200, Some("one"));
    ok.push(name::CONTACT, "<sip:callee@192.0.2.2:5070>");
    solo.receive(&ok);
    let events = solo.events();
    assert!(matches!(&events[2], SipEvent::Answered { sdp: Some(sdp), .. } if sdp == ANSWER));
}

#[test]
fn a_second_200_with_another_tag_is_acknowledged_and_ended() {
    let mut solo = Solo::new();
    let (invite, first) = solo.answered();
    let second = answer(&invite, 200, "other");
    solo.receive(&second);
    let sent = solo.sent();
    assert_eq!(words(&sent), ["ACK", "BYE"]);
    for message in &sent {
        assert!(message.first(name::TO).unwrap().ends_with(";tag=other"), "{message:?}");
    }
    assert_eq!(
        (sent[0].first(name::CSEQ), sent[1].first(name::CSEQ)),
        (Some("1 ACK"), Some("2 BYE"))
    );
    solo.receive(&sent[1].reply(200, None));
    assert_eq!(solo.events(), [], "the leg's own call goes on");
    assert_eq!((solo.agent.legs(), solo.agent.counters().extra_answers), (1, 1));
    solo.pass(SECOND);
    solo.receive(&second);
    assert_eq!(solo.one().to_bytes(), sent[0].to_bytes(), "the same ACK again");
    solo.receive(&from_peer(&first, Method::BYE, 1));
    assert_eq!((words(&solo.sent()), solo.events()), (vec!["200".to_owned()], vec![ended(true)]));
}

#[test]
fn a_repeated_200_is_acknowledged_again_but_never_in_a_loop() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    let ok = answer(&invite, 200, "far");
    solo.receive(&ok);
    let ack = solo.request(Method::ACK);
    solo.pass(500 * MS);
    solo.receive(&ok);
    assert_eq!(solo.one().to_bytes(), ack.to_bytes());
    for _ in 0..1_000 {
        solo.receive(&ok);
    }
    assert_eq!(words(&solo.sent()), Vec::<String>::new(), "not within 100 ms");
    for _ in 0..1_000 {
        solo.pass(100 * MS);
        solo.receive(&ok);
    }
    assert_eq!(solo.sent().len(), 30, "32 in all");
    assert_eq!(solo.events().iter().filter(|event| is_answer(event)).count(), 1);
}

#[test]
fn a_200_that_was_overtaken_by_a_reinvite_does_not_end_the_call() {
    let mut solo = Solo::new();
    let (_, ok) = solo.answered();
    solo.order(SipCommand::Offer { leg: LEG, sdp: OFFER.to_vec() });
    let ours = solo.request(Method::INVITE);
    solo.receive(&answer(&ours, 200, "far"));
    assert_eq!(words(&solo.sent()), ["ACK"]);
    solo.events();
    solo.receive(&ok);
    assert!(solo.sent().is_empty(), "no branch to be ended");
    assert_eq!((solo.events(), solo.agent.counters().extra_answers), (vec![], 0));
}

#[test]
fn odd_2xx_are_answered_calls_all_the_same() {
    for status in [200, 202, 299] {
        let mut solo = Solo::new();
        let invite = solo.invite();
        let mut odd = invite.reply(status, Some("far"));
        odd.remove(name::CONTACT);
        solo.receive(&odd);
        let ack = solo.request(Method::ACK);
        assert_eq!(target(&ack), target(&invite), "no Contact: the request target");
        let events = solo.events();
        let [SipEvent::Answered { sdp: None, dialog, .. }] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!(dialog.remote_target, "sip:0312345678@192.0.2.2:5070");
        solo.hang_up();
        let bye = solo.request(Method::BYE);
        assert_eq!(target(&bye), target(&invite));
        solo.receive(&bye.reply(200, None));
        assert_eq!(solo.events(), [ended(false)]);
    }
}

#[test]
fn a_200_without_a_to_tag_still_makes_a_call_that_can_be_ended() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    let mut odd = invite.reply(200, None);
    odd.set_body("application/sdp", ANSWER.to_vec());
    solo.receive(&odd);
    assert_eq!(words(&solo.sent()), ["ACK"]);
    solo.pass(SECOND);
    solo.receive(&odd);
    assert_eq!(words(&solo.sent()), ["ACK"]);
    solo.events();
    solo.hang_up();
    assert_eq!(words(&solo.sent()), ["BYE"]);
}

#[test]
fn byes_that_cross_end_the_call_once() {
    let mut solo = Solo::new();
    let (_, ok) = solo.answered();
    solo.hang_up();
    let ours = solo.request(Method::BYE);
    solo.receive(&from_peer(&ok, Method::BYE, 1));
    assert_eq!(words(&solo.sent()), ["200"]);
    assert_eq!(solo.events(), [ended(false)]);
    solo.receive(&ours.reply(481, None));
    solo.pass(SECOND * 60);
    assert_eq!((solo.events(), solo.agent.legs(), solo.agent.next_deadline()), (vec![], 0, None));
}

#[test]
fn a_bye_that_overtakes_its_200_is_an_answered_call_that_ended() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    let ok = answer(&invite, 200, "far");
    solo.receive(&from_peer(&ok, Method::BYE, 1));
    assert_eq!((words(&solo.sent()), solo.events()), (vec!["200".to_owned()], vec![]));
    solo.receive(&ok);
    assert_eq!(words(&solo.sent()), ["ACK"]);
    let events = solo.events();
    assert!(is_answer(&events[0]) && events[1..] == [ended(true)], "{events:?}");
}

#[test]
fn an_unanswered_bye_ends_the_call_after_64_t1() {
    let mut solo = Solo::new();
    solo.answered();
    solo.hang_up();
    solo.pass(SECOND * 31);
    assert_eq!(solo.events(), []);
    solo.pass(SECOND * 2);
    assert_eq!((solo.sent().len(), solo.events()), (11, vec![ended(false)]));
}

#[test]
fn record_routes_are_followed_in_ack_and_bye() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    let mut ok = answer(&invite, 200, "far");
    ok.push(name::RECORD_ROUTE, "<sip:192.0.2.2:5070;lr>, <sip:198.51.100.7;lr>");
    solo.receive(&ok);
    let ack = solo.request(Method::ACK);
    assert_eq!(ack.routes(), ["<sip:198.51.100.7;lr>", "<sip:192.0.2.2:5070;lr>"]);
    assert_eq!(target(&ack), "sip:callee@192.0.2.2:5070");
    solo.hang_up();
    assert_eq!(solo.request(Method::BYE).routes(), ack.routes());
}

#[test]
fn without_symmetry_requests_go_where_contact_and_routes_say() {
    let mut asymmetric = settings(near(), far());
    asymmetric.symmetric = false;
    let mut solo = Solo::with(asymmetric);
    let invite = solo.invite();
    let mut ok = answer(&invite, 200, "far");
    ok.set(name::CONTACT, "<sip:callee@198.51.100.9:5099>");
    solo.receive(&ok);
    assert_eq!(solo.sent_with_targets()[0].0, "198.51.100.9:5099".parse().unwrap());
    solo.hang_up();
    assert_eq!(solo.sent_with_targets()[0].0, "198.51.100.9:5099".parse().unwrap());
}

#[test]
fn a_redirection_is_not_followed() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    let mut moved = invite.reply(302, Some("far"));
    moved.push(name::CONTACT, "<sip:premium@198.51.100.66>");
    solo.receive(&moved);
    assert_eq!(words(&solo.sent()), ["ACK"]);
    assert_eq!(solo.events(), [failed(FailureCause::Status(302))]);
    solo.pass(SECOND * 60);
    assert_eq!((solo.sent().len(), solo.agent.next_deadline()), (0, None));
}

#[test]
fn a_refusal_that_comes_again_is_acknowledged_again() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    for _ in 0..3 {
        solo.receive(&answer(&invite, 503, "far"));
        assert_eq!(words(&solo.sent()), ["ACK"]);
    }
    assert_eq!(solo.events(), [failed(FailureCause::Status(503))]);
}

#[test]
fn a_200_of_another_branch_after_a_refusal_is_acknowledged_and_ended() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    solo.receive(&answer(&invite, 486, "one"));
    solo.sent();
    solo.receive(&answer(&invite, 200, "two"));
    assert_eq!(words(&solo.sent()), ["ACK", "BYE"]);
    assert_eq!(solo.events(), [failed(FailureCause::Status(486))]);
}

#[test]
fn a_reliable_183_gets_its_prack_and_its_sdp_counts_as_the_answer() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    let mut early = answer(&invite, 183, "far");
    early.push(name::REQUIRE, "100rel").push(name::RSEQ, "42");
    solo.receive(&early);
    let prack = solo.request(Method::PRACK);
    assert_eq!(
        (prack.first(name::RACK), prack.first(name::CSEQ)),
        (Some("42 1 INVITE"), Some("2 PRACK"))
    );
    solo.receive(&early);
    assert!(solo.sent().is_empty(), "a repeat; our PRACK repeats itself");
    solo.receive(&prack.reply(200, None));
    let mut next = early.clone();
    next.set(name::RSEQ, "44");
    solo.receive(&next);
    assert!(solo.sent().is_empty(), "43 is missing");
    let mut ok = invite.reply(200, Some("far"));
    ok.push(name::CONTACT, "<sip:callee@192.0.2.2:5070>");
    solo.receive(&ok);
    assert_eq!(solo.request(Method::ACK).first(name::CSEQ), Some("1 ACK"));
    let events = solo.events();
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(matches!(&events[1], SipEvent::Answered { sdp: Some(sdp), .. } if sdp == ANSWER));
    solo.hang_up();
    assert_eq!(solo.request(Method::BYE).first(name::CSEQ), Some("3 BYE"), "above the PRACK");
}

#[test]
fn a_lost_ack_makes_the_callee_repeat_and_in_the_end_hang_up() {
    let mut callee = settings(near(), far());
    callee.accept_incoming = true;
    let mut solo = Solo::with(callee);
    let mut invite = Message::request(Method::INVITE, "sip:100@192.0.2.1");
    invite.push(name::VIA, "SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bKa;rport");
    invite.push(name::FROM, "<sip:x@192.0.2.2>;tag=f").push(name::TO, "<sip:100@192.0.2.1>");
    invite.push(name::CALL_ID, "c1").push(name::CSEQ, "1 INVITE");
    invite.push(name::CONTACT, "<sip:x@192.0.2.2:5070>");
    invite.set_body("application/sdp", OFFER.to_vec());
    solo.receive(&invite);
    let SipEvent::Incoming { leg, .. } = solo.events()[0] else { panic!() };
    solo.order(SipCommand::Answer { leg, sdp: ANSWER.to_vec() });
    solo.order(SipCommand::HangUp { leg });
    assert_eq!(words(&solo.sent()), ["200"], "no BYE before the ACK (RFC 3261 §15)");
    solo.receive(&invite);
    assert!(solo.sent().is_empty(), "the repeated INVITE is absorbed (RFC 6026)");
    solo.pass(SECOND * 33);
    let sent = words(&solo.sent());
    assert_eq!(sent.iter().filter(|word| *word == "200").count(), 10, "{sent:?}");
    assert_eq!(sent[10], "BYE");
    solo.pass(SECOND * 33);
    assert!(matches!(solo.events()[..], [SipEvent::Ended { by_peer: false, .. }]));
    assert_eq!(solo.agent.next_deadline(), None);
}

#[test]
fn a_response_for_another_call_changes_nothing() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    for (header, value) in [
        (name::CALL_ID, "other".to_owned()),
        (name::VIA, "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKguess".to_owned()),
        (name::CSEQ, "2 INVITE".to_owned()),
        (name::FROM, "<sip:x@y>;tag=guess".to_owned()),
    ] {
        let mut wrong = answer(&invite, 200, "far");
        wrong.set(header, value);
        solo.receive(&wrong);
    }
    assert!(solo.sent().is_empty());
    assert_eq!(solo.events().len(), 4, "four times Dropped");
}

#[test]
fn an_endless_ringing_is_cancelled_in_the_end() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    solo.receive(&answer(&invite, 180, "far"));
    solo.pass(SECOND * 899);
    assert!(solo.sent().is_empty());
    solo.pass(SECOND * 60);
    assert_eq!(solo.events().last(), Some(&failed(FailureCause::CancelTimeout)));
    assert_eq!(solo.agent.legs(), 0);
}

#[test]
fn a_house_that_is_full_refuses_the_new_call_only() {
    let mut small = settings(near(), far());
    small.max_legs = 1;
    let mut solo = Solo::with(small);
    solo.invite();
    let other = crate::logic::ids::LegId(9);
    solo.order(SipCommand::Invite { leg: other, call: call(), offer: OFFER.to_vec() });
    assert!(solo.sent().is_empty());
    assert!(matches!(solo.events()[..],
        [SipEvent::Failed { leg, cause: FailureCause::Status(503), .. }] if leg == other));
    assert_eq!(solo.agent.legs(), 1);
}
