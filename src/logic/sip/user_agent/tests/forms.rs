//! Forms of messages that are allowed and rare, each in a call that is made, answered and ended.

use super::ANSWER;
use super::LEG;
use super::OFFER;
use super::call;
use super::far;
use super::settings;
use super::solo::Solo;
use super::solo::answer;
use super::solo::target;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::Method;
use crate::logic::sip::message::name;
use crate::logic::sip::user_agent::OutgoingCall;
use crate::logic::sip::user_agent::SipCommand;
use crate::logic::sip::user_agent::SipEvent;

/// Takes `answer` to the INVITE of [`LEG`], hangs up, and gives the ACK and the BYE.
fn talk(solo: &mut Solo, answer: &[u8]) -> (Message, Message) {
    solo.receive_from(far(), answer);
    let ack = solo.request(Method::ACK);
    let events = solo.events();
    assert!(matches!(&events[..], [SipEvent::Answered { sdp: Some(_), .. }]), "{events:?}");
    solo.hang_up();
    let bye = solo.request(Method::BYE);
    solo.receive(&bye.reply(200, None));
    assert!(matches!(solo.events()[..], [SipEvent::Ended { by_peer: false, .. }]));
    (ack, bye)
}

fn body() -> String {
    String::from_utf8(ANSWER.to_vec()).unwrap()
}

#[test]
fn folded_headers_and_compact_names_make_a_call() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    let value = |header: &str| invite.first(header).unwrap().to_owned();
    let (via, from) = (value(name::VIA), value(name::FROM));
    let (id, to) = (value(name::CALL_ID), value(name::TO));
    let text = format!(
        "SIP/2.0 200 OK\r\nv: {via}\r\nf :\r\n {from}\r\nt: {to}\r\n\t;tag=far\r\ni:\r\n  {id}\r\n\
         CSeq:\r\n 1\r\n\tINVITE\r\nm: <sip:callee@192.0.2.2:5070>\r\n ;expires=60\r\n\
         c: application/sdp\r\n\r\n{}",
        body()
    );
    let (ack, bye) = talk(&mut solo, text.as_bytes());
    assert_eq!(ack.first(name::TO), Some("<sip:0312345678@192.0.2.2> ;tag=far"));
    assert_eq!((target(&ack), target(&bye)), ("sip:callee@192.0.2.2:5070", target(&ack)));
}

#[test]
fn ipv6_literals_are_written_in_brackets_and_read_back() {
    let (ours, theirs) = ("[2001:db8::1]:5060", "[2001:db8::2]:5070");
    let mut solo = Solo::with(settings(ours.parse().unwrap(), theirs.parse().unwrap()));
    let call = OutgoingCall {
        request_uri: format!("sip:0312345678@{theirs}"),
        peer: theirs.parse().unwrap(),
        to: format!("<sip:0312345678@{theirs}>"),
        ..*call()
    };
    solo.order(SipCommand::Invite { leg: LEG, call: Box::new(call), offer: OFFER.to_vec() });
    let invite = solo.request(Method::INVITE);
    assert!(invite.first(name::VIA).unwrap().starts_with("SIP/2.0/UDP [2001:db8::1]:5060;"));
    assert_eq!(invite.contact().unwrap().uri, format!("sip:outdial@{ours}"));
    let mut ok = answer(&invite, 200, "far");
    ok.set(name::CONTACT, "<sip:callee@[2001:db8::3]>");
    let mut via = invite.top_via().unwrap();
    via.note_source("[2001:db8::1]:40000".parse().unwrap());
    ok.replace_top_via(&via);
    let (ack, _) = talk(&mut solo, &ok.to_bytes());
    assert_eq!(target(&ack), "sip:callee@[2001:db8::3]");
}

#[test]
fn a_tel_uri_is_called_and_its_sip_contact_followed() {
    let mut solo = Solo::new();
    let number = "tel:+81-3-1234-5678";
    let call = OutgoingCall { request_uri: number.into(), to: format!("<{number}>"), ..*call() };
    solo.order(SipCommand::Invite { leg: LEG, call: Box::new(call), offer: OFFER.to_vec() });
    let invite = solo.request(Method::INVITE);
    assert_eq!(target(&invite), number);
    let mut ok = answer(&invite, 200, "far");
    ok.set(name::CONTACT, "<tel:+81312345678>, <sip:callee@192.0.2.2:5070>");
    let (ack, _) = talk(&mut solo, &ok.to_bytes());
    assert_eq!(target(&ack), "sip:callee@192.0.2.2:5070");
}

#[test]
fn a_contact_that_is_only_a_telephone_leaves_the_called_uri() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    let mut ok = answer(&invite, 200, "far");
    ok.set(name::CONTACT, "<tel:+81312345678>");
    let (ack, bye) = talk(&mut solo, &ok.to_bytes());
    assert_eq!((target(&ack), target(&bye)), (target(&invite), target(&invite)));
}

#[test]
fn bytes_of_latin_1_cost_no_message() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    let mut ok = answer(&invite, 200, "far").to_bytes();
    let place = ok.windows(4).position(|four| four == b"To: ").unwrap() + 4;
    ok.splice(place..place, *b"\"J\xfcrgen\" ");
    let (ack, _) = talk(&mut solo, &ok);
    let shown = "\"J\u{fc}rgen\" <sip:0312345678@192.0.2.2>;tag=far";
    assert_eq!(ack.first(name::TO), Some(shown), "in UTF-8, as RFC 3261 §7 wants it");
    assert!(solo.agent.counters().dropped.is_empty());
}

#[test]
fn pairs_of_record_routes_come_back_as_they_are_and_in_reverse() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    let mut ok = answer(&invite, 200, "far");
    let pair = "<sip:192.0.2.9;lr;r2=on>, <sip:198.51.100.1;transport=tcp;lr;r2=on>";
    ok.push(name::RECORD_ROUTE, pair).push(name::RECORD_ROUTE, "<sip:203.0.113.7;lr>");
    let (ack, bye) = talk(&mut solo, &ok.to_bytes());
    let expected = [
        "<sip:203.0.113.7;lr>",
        "<sip:198.51.100.1;transport=tcp;lr;r2=on>",
        "<sip:192.0.2.9;lr;r2=on>",
    ];
    assert_eq!((ack.routes(), bye.routes()), (expected.map(str::to_owned).into(), ack.routes()));
}
