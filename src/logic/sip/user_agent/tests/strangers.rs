//! Who may start what, and what a request outside any dialog gets.

use std::net::SocketAddr;

use super::ANSWER;
use super::LEG;
use super::OFFER;
use super::far;
use super::near;
use super::settings;
use super::solo::Solo;
use super::solo::answer;
use super::solo::from_peer;
use super::solo::words;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::Method;
use crate::logic::sip::message::name;
use crate::logic::sip::user_agent::DropReason;
use crate::logic::sip::user_agent::SipCommand;
use crate::logic::sip::user_agent::SipEvent;

fn stranger() -> SocketAddr {
    "203.0.113.66:5060".parse().unwrap()
}

fn request(method: &str, branch: &str) -> Message {
    let parsed = Method::parse(method).unwrap();
    let mut request = Message::request(parsed, "sip:100@192.0.2.1");
    request.push(name::VIA, format!("SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bK{branch};rport"));
    request.push(name::FROM, "<sip:x@192.0.2.2>;tag=f").push(name::TO, "<sip:100@192.0.2.1>");
    request.push(name::CALL_ID, format!("c-{branch}")).push(name::CSEQ, format!("1 {method}"));
    request.push(name::CONTACT, "<sip:x@192.0.2.2:5070>");
    if method == "INVITE" {
        request.set_body("application/sdp", OFFER.to_vec());
    }
    request
}

fn open_house() -> Solo {
    let mut open = settings(near(), far());
    open.accept_incoming = true;
    Solo::with(open)
}

#[test]
fn strangers_get_no_answer_whatever_they_send() {
    let mut solo = open_house();
    solo.answered();
    let methods =
        ["INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL", "ACK", "MESSAGE", "UPDATE", "WHATEVER"];
    for method in methods {
        solo.receive_from(stranger(), &request(method, method).to_bytes());
    }
    let mut bad = request("INVITE", "bad");
    bad.remove(name::CALL_ID);
    solo.receive_from(stranger(), &bad.to_bytes());
    solo.receive_from(stranger(), b"\x00\xff nonsense");
    assert!(solo.sent().is_empty());
    let dropped = &solo.agent.counters().dropped;
    assert_eq!((dropped[&DropReason::Stranger], dropped[&DropReason::Malformed]), (10, 1));
    assert_eq!(solo.agent.legs(), 1);
}

#[test]
fn a_stranger_inside_a_live_dialog_is_the_far_end_behind_another_address() {
    let mut solo = Solo::new();
    let (_, ok) = solo.answered();
    let mut guess = from_peer(&ok, Method::BYE, 1);
    guess.set(name::CALL_ID, "guess");
    solo.receive_from(stranger(), &guess.to_bytes());
    let mut guess = from_peer(&ok, Method::BYE, 1);
    guess.set(name::FROM, "<sip:x@y>;tag=guess");
    solo.receive_from(stranger(), &guess.to_bytes());
    assert!(solo.sent().is_empty());
    solo.receive_from(stranger(), &from_peer(&ok, Method::BYE, 1).to_bytes());
    let sent = solo.sent_with_targets();
    assert_eq!((sent[0].0, sent[0].1.status()), (stranger(), Some(200)));
    assert!(matches!(solo.events().last(), Some(SipEvent::Ended { by_peer: true, .. })));
}

#[test]
fn a_stranger_who_guesses_a_branch_cancels_nothing() {
    let mut solo = open_house();
    solo.receive(&request("INVITE", "1"));
    solo.events();
    let mut guess = request("CANCEL", "1");
    guess.set(name::CALL_ID, "guess");
    solo.receive_from(stranger(), &guess.to_bytes());
    assert!(solo.sent().is_empty());
    assert_eq!(solo.agent.counters().dropped[&DropReason::Stranger], 1);
    assert_eq!(solo.agent.legs(), 1);
}

#[test]
fn a_response_with_a_second_via_was_meant_for_another() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    let mut ok = answer(&invite, 200, "far");
    ok.push(name::VIA, "SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKproxy");
    solo.receive(&ok);
    assert!(solo.sent().is_empty());
    assert_eq!(solo.agent.counters().dropped[&DropReason::NoTransaction], 1);
}

#[test]
fn a_peer_is_told_what_it_may_not_do() {
    let cases = [
        ("INVITE", 405),
        ("BYE", 481),
        ("CANCEL", 481),
        ("UPDATE", 481),
        ("INFO", 481),
        ("PRACK", 481),
        ("REGISTER", 405),
        ("SUBSCRIBE", 405),
        ("REFER", 405),
        ("WHATEVER", 501),
        ("OPTIONS", 200),
    ];
    for (method, status) in cases {
        let mut solo = Solo::new();
        let asked = request(method, method);
        solo.receive(&asked);
        let reply = solo.one();
        assert_eq!(reply.status(), Some(status), "{method}");
        assert!(reply.to().unwrap().tag().is_some());
        solo.receive(&asked);
        assert_eq!(solo.one().to_bytes(), reply.to_bytes(), "a repeat gets the same");
    }
}

#[test]
fn options_says_what_we_can_do() {
    let mut solo = Solo::new();
    solo.receive(&request("OPTIONS", "o"));
    let reply = solo.one();
    for (header, part) in
        [(name::ALLOW, "UPDATE"), (name::ACCEPT, "application/sdp"), (name::SUPPORTED, "timer")]
    {
        assert!(reply.first(header).unwrap().contains(part), "{header}");
    }
}

#[test]
fn an_unknown_demand_is_refused_with_its_name() {
    let mut solo = open_house();
    let mut invite = request("INVITE", "r");
    invite.push(name::REQUIRE, "timer, 100rel, magic");
    solo.receive(&invite);
    let reply = solo.one();
    assert_eq!(
        (reply.status(), reply.first(name::UNSUPPORTED)),
        (Some(420), Some("100rel, magic"))
    );
    assert_eq!(solo.events(), []);
}

#[test]
fn a_merged_request_is_refused_with_482() {
    let mut solo = open_house();
    solo.receive(&request("INVITE", "one"));
    let mut merged = request("INVITE", "two");
    merged.set(name::CALL_ID, "c-one");
    solo.receive(&merged);
    assert_eq!(words(&solo.sent()), ["482"]);
    assert_eq!(solo.events().len(), 1);
}

#[test]
fn a_request_without_what_it_needs_gets_400() {
    for missing in [name::CALL_ID, name::CSEQ, name::FROM, name::TO] {
        let mut solo = open_house();
        let mut bad = request("INVITE", "bad");
        bad.remove(missing);
        solo.receive(&bad);
        assert_eq!(words(&solo.sent()), ["400"], "{missing}");
        assert_eq!(solo.agent.legs(), 0);
    }
    let mut solo = open_house();
    let mut bad = request("INVITE", "bad");
    bad.remove(name::CONTACT);
    solo.receive(&bad);
    assert_eq!(words(&solo.sent()), ["400"]);
}

#[test]
fn responses_go_back_the_way_the_request_came() {
    let mut solo = open_house();
    let behind_nat: SocketAddr = "192.0.2.2:40000".parse().unwrap();
    let mut asked = request("OPTIONS", "nat");
    asked.set(name::VIA, "SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKn;rport");
    solo.receive_from(behind_nat, &asked.to_bytes());
    let (to, reply) = solo.sent_with_targets().remove(0);
    assert_eq!(to, behind_nat);
    let via = reply.top_via().unwrap();
    assert_eq!((via.received(), via.rport()), (Some(behind_nat.ip()), Some(40_000)));
    // Without rport: the source address, the port of sent-by (RFC 3261 §18.2.2).
    asked.set(name::VIA, "SIP/2.0/UDP 10.0.0.5:5080;branch=z9hG4bKm");
    solo.receive_from(behind_nat, &asked.to_bytes());
    let (to, _) = solo.sent_with_targets().remove(0);
    assert_eq!(to, "192.0.2.2:5080".parse().unwrap());
}

#[test]
fn an_invite_of_rfc_2543_without_a_magic_branch_is_a_call_too() {
    let mut solo = open_house();
    let mut invite = request("INVITE", "old");
    invite.set(name::VIA, "SIP/2.0/UDP 192.0.2.2:5070");
    solo.receive(&invite);
    solo.receive(&invite);
    let events = solo.events();
    let [SipEvent::Incoming { leg, .. }] = events[..] else { panic!("{events:?}") };
    solo.order(SipCommand::Refuse { leg, status: 486, q850: None, headers: vec![] });
    let busy = solo.one();
    let mut ack = request("ACK", "old");
    ack.set(name::VIA, "SIP/2.0/UDP 192.0.2.2:5070").set(name::TO, busy.first(name::TO).unwrap());
    solo.receive(&ack);
    solo.pass(std::time::Duration::from_secs(40));
    assert!(solo.sent().is_empty(), "the ACK stopped the repeats");
}

#[test]
fn trying_comes_by_itself_when_the_callee_is_slow() {
    let mut solo = open_house();
    solo.receive(&request("INVITE", "slow"));
    solo.pass(std::time::Duration::from_millis(199));
    assert!(solo.sent().is_empty());
    solo.pass(std::time::Duration::from_millis(1));
    assert_eq!(words(&solo.sent()), ["100"]);
}

#[test]
fn a_full_transaction_table_drops_and_a_full_house_says_503() {
    let mut small = settings(near(), far());
    (small.accept_incoming, small.max_legs, small.max_transactions) = (true, 1, 2);
    let mut solo = Solo::with(small);
    for branch in ["a", "b", "c"] {
        solo.receive(&request("INVITE", branch));
    }
    assert_eq!(words(&solo.sent()), ["503"]);
    assert_eq!(solo.agent.counters().dropped[&DropReason::Overload], 2);
}

#[test]
fn keep_alives_are_nothing_to_speak_of() {
    let mut solo = Solo::new();
    for bytes in [&b"\r\n\r\n"[..], b"\r\n", b""] {
        solo.receive_from(far(), bytes);
    }
    assert_eq!((solo.events(), solo.sent().len()), (vec![], 0));
}

#[test]
fn a_ping_reports_any_final_status_or_silence() {
    let mut solo = Solo::new();
    let ping = |ping| SipCommand::Ping { ping, uri: "sip:192.0.2.2:5070".into(), peer: far() };
    solo.order(ping(1));
    let options = solo.request(Method::OPTIONS);
    solo.receive(&options.reply(404, Some("x")));
    assert_eq!(solo.events(), [SipEvent::OptionsDone { ping: 1, status: Some(404) }]);
    solo.order(ping(2));
    let second = solo.sent().remove(0);
    assert_ne!(second.first(name::CALL_ID), options.first(name::CALL_ID));
    solo.pass(std::time::Duration::from_secs(33));
    assert_eq!(solo.events(), [SipEvent::OptionsDone { ping: 2, status: None }]);
    assert_eq!(solo.agent.next_deadline(), None);
}

#[test]
fn an_old_cseq_gets_500_and_changes_nothing() {
    let mut solo = Solo::new();
    let (_, ok) = solo.answered();
    solo.receive(&from_peer(&ok, Method::OPTIONS, 9));
    solo.receive(&from_peer(&ok, Method::BYE, 8));
    assert_eq!(words(&solo.sent()), ["200", "500"]);
    assert_eq!((solo.events(), solo.agent.legs()), (vec![], 1));
}

#[test]
fn a_cancelled_incoming_call_is_over_and_its_late_answer_does_nothing() {
    let mut solo = open_house();
    let invite = request("INVITE", "x");
    solo.receive(&invite);
    let SipEvent::Incoming { leg, .. } = solo.events()[0] else { panic!() };
    let mut cancel = request("CANCEL", "x");
    cancel.remove(name::CONTACT);
    solo.receive(&cancel);
    assert_eq!(words(&solo.sent()), ["200", "487"]);
    assert!(matches!(solo.events()[..], [SipEvent::Cancelled { .. }, SipEvent::Failed { .. }]));
    solo.order(SipCommand::Answer { leg, sdp: ANSWER.to_vec() });
    solo.order(SipCommand::HangUp { leg });
    assert!(solo.sent().is_empty());
    assert_eq!(solo.agent.legs(), 0);
}

#[test]
fn digits_by_info_are_heard_once_each() {
    let mut solo = Solo::new();
    let (_, ok) = solo.answered();
    let mut relay = from_peer(&ok, Method::INFO, 1);
    relay.set_body("application/dtmf-relay", b"Signal=#\r\nDuration=160\r\n".to_vec());
    solo.receive(&relay);
    solo.receive(&relay);
    let mut plain = from_peer(&ok, Method::INFO, 2);
    plain.set_body("application/dtmf", b"5".to_vec());
    solo.receive(&plain);
    let mut other = from_peer(&ok, Method::INFO, 3);
    other.set_body("application/x-unknown", b"5".to_vec());
    solo.receive(&other);
    solo.receive(&from_peer(&ok, Method::INFO, 4));
    assert_eq!(words(&solo.sent()), ["200", "200", "200", "415", "200"]);
    let digits =
        [SipEvent::Digit { leg: LEG, digit: '#' }, SipEvent::Digit { leg: LEG, digit: '5' }];
    assert_eq!(solo.events(), digits);
}

#[test]
fn a_bye_tells_its_q850_cause() {
    let mut solo = Solo::new();
    let (invite, ok) = solo.answered();
    let mut bye = from_peer(&ok, Method::BYE, 1);
    bye.push(name::REASON, "SIP;cause=200, Q.850;cause=16;text=\"normal\"");
    solo.receive(&bye);
    assert_eq!(solo.events(), [SipEvent::Ended { leg: LEG, by_peer: true, q850: Some(16) }]);
    solo.sent();
    solo.receive(&from_peer(&ok, Method::OPTIONS, 2));
    // The leg lingers for its INVITE's sake; what it is asked is answered as in a dialog that was.
    assert_eq!(solo.sent().len(), 1);
    solo.receive(&answer(&invite, 200, "far"));
    assert_eq!(solo.events(), []);
}
