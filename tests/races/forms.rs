//! Forms of messages that are allowed and rare.

use std::net::{IpAddr, Ipv6Addr};

use outdial::logic::sip::user_agent::OutgoingCall;

use crate::stage::{Stage, call_to, hang_up_once_answered};

#[test]
fn folded_headers_and_compact_names_are_read() {
    let played = Stage::set("folded").play(hang_up_once_answered).faultless();
    assert_eq!(played.concluded(), ["answered", "ended by us"]);
    assert_eq!(played.requests(), ["1 INVITE", "1 ACK", "2 BYE"]);
}

#[test]
fn a_call_over_ipv6_has_its_literals_in_brackets() {
    let stage = Stage::set_on(IpAddr::V6(Ipv6Addr::LOCALHOST), "answer");
    let played = stage.play(hang_up_once_answered).faultless();
    assert_eq!(played.concluded(), ["180", "answered", "ended by us"]);
    let ours = played.account.messages.iter().filter(|message| message.received);
    for message in ours.filter(|message| !message.text.starts_with("SIP/2.0")) {
        assert!(message.text.contains("Via: SIP/2.0/UDP [::1]:"), "{}", message.text);
    }
}

#[test]
fn a_tel_uri_is_called_and_the_answer_is_followed_to_its_sip_contact() {
    let stage = Stage::set("tel");
    let number = "tel:+81-3-1234-5678";
    let call = OutgoingCall {
        request_uri: number.into(),
        to: format!("<{number}>"),
        from: "<tel:+81398765432>".into(),
        ..call_to(stage.sipp.address())
    };
    let played = stage.play_calls(vec![call], hang_up_once_answered).faultless();
    assert_eq!(played.concluded(), ["answered", "ended by us"]);
    assert_eq!(played.requests(), ["1 INVITE", "1 ACK", "2 BYE"]);
}

#[test]
fn bytes_of_latin_1_cost_no_message() {
    let played = Stage::set("latin_1").play(hang_up_once_answered).faultless();
    assert_eq!(played.concluded(), ["answered", "ended by us"]);
    assert_eq!(played.requests(), ["1 INVITE", "1 ACK", "2 BYE"]);
    assert!(played.counters.dropped.is_empty(), "{:?}", played.counters);
}
