//! Digest: the second INVITE waits for the rate limit, nonces are used again, and nothing is tried for ever.

use super::LEG;
use super::OFFER;
use super::call_with_password;
use super::solo::Solo;
use super::solo::answer;
use super::solo::words;
use crate::logic::ids::LegId;
use crate::logic::sip::digest::Challenge;
use crate::logic::sip::message::AuthValue;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::Method;
use crate::logic::sip::message::name;
use crate::logic::sip::user_agent::FailureCause;
use crate::logic::sip::user_agent::SipCommand;
use crate::logic::sip::user_agent::SipEvent;

fn invite(solo: &mut Solo, leg: LegId) -> Message {
    solo.order(SipCommand::Invite { leg, call: call_with_password(), offer: OFFER.to_vec() });
    solo.request(Method::INVITE)
}

fn challenge(request: &Message, status: u16, values: &[&str]) -> Message {
    let mut response = request.reply(status, Some("proxy"));
    let header = if status == 401 { name::WWW_AUTHENTICATE } else { name::PROXY_AUTHENTICATE };
    for value in values {
        response.push(header, value);
    }
    response
}

/// The credentials of a request, checked against the password; gives the nonce count.
fn count(request: &Message, header: &str, asked: &str) -> u32 {
    let mut refusal = Message::response(401, "");
    refusal.push(name::WWW_AUTHENTICATE, asked);
    let challenge = Challenge::from_value(&refusal.challenges()[0]).unwrap();
    let given: Vec<AuthValue> = request.auth_values(header);
    let method = request.method().unwrap().as_str();
    challenge.verify(&given[0], "secret", method, &request.body).unwrap()
}

const MD5: &str = r#"Digest realm="trunk", nonce="n1", algorithm=MD5, qop="auth""#;
const SHA: &str = r#"Digest realm="trunk", nonce="n2", algorithm=SHA-256, qop="auth,auth-int""#;
const STALE: &str = r#"Digest realm="trunk", nonce="n3", algorithm=MD5, qop="auth", stale=true"#;

#[test]
fn each_kind_of_challenge_is_answered_once_the_rate_limit_allows() {
    let cases: [(u16, &[&str], &str, &str); 5] = [
        (407, &[MD5], name::PROXY_AUTHORIZATION, MD5),
        (401, &[SHA], name::AUTHORIZATION, SHA),
        (401, &[SHA, MD5], name::AUTHORIZATION, SHA),
        (401, &[MD5, SHA], name::AUTHORIZATION, SHA),
        (
            401,
            &[r#"Digest realm="trunk", nonce="n4""#],
            name::AUTHORIZATION,
            r#"Digest realm="trunk", nonce="n4""#,
        ),
    ];
    for (status, asked, header, chosen) in cases {
        let mut solo = Solo::new();
        let first = invite(&mut solo, LEG);
        assert!(first.first(header).is_none());
        solo.receive(&challenge(&first, status, asked));
        assert_eq!(words(&solo.sent()), ["ACK"]);
        assert_eq!(solo.events(), [SipEvent::Challenged { leg: LEG }]);
        solo.order(SipCommand::Authorize { leg: LEG });
        let second = solo.request(Method::INVITE);
        count(&second, header, chosen);
        assert_eq!(second.first(name::CSEQ), Some("2 INVITE"));
        assert_eq!(second.first(name::CALL_ID), first.first(name::CALL_ID));
        assert_eq!(second.first(name::FROM), first.first(name::FROM));
        assert_ne!(second.first(name::VIA), first.first(name::VIA));
        solo.order(SipCommand::Authorize { leg: LEG });
        assert!(solo.sent().is_empty(), "only once");
        solo.receive(&answer(&second, 200, "far"));
        let ack = solo.request(Method::ACK);
        assert_eq!(ack.first(header), second.first(header), "the ACK repeats the credentials");
        let [SipEvent::Answered { dialog, .. }] = &solo.events()[..] else { panic!() };
        assert_eq!(dialog.cseq, 2);
    }
}

#[test]
fn nonces_are_used_again_with_rising_counts() {
    let mut solo = Solo::new();
    let first = invite(&mut solo, LEG);
    solo.receive(&challenge(&first, 407, &[MD5]));
    solo.order(SipCommand::Authorize { leg: LEG });
    let sent = solo.sent();
    assert_eq!(count(&sent[1], name::PROXY_AUTHORIZATION, MD5), 1);
    solo.receive(&answer(&sent[1], 200, "far"));
    solo.hang_up();
    let bye = solo.sent().remove(1);
    assert_eq!(count(&bye, name::PROXY_AUTHORIZATION, MD5), 2);
    let next = invite(&mut solo, LegId(99));
    assert_eq!(count(&next, name::PROXY_AUTHORIZATION, MD5), 3, "the next call needs one INVITE");
}

#[test]
fn stale_nonces_are_replaced_but_not_for_ever() {
    let mut solo = Solo::new();
    let mut last = invite(&mut solo, LEG);
    solo.receive(&challenge(&last, 407, &[MD5]));
    for nonce in ["n3", "n5"] {
        solo.order(SipCommand::Authorize { leg: LEG });
        last = solo.sent().remove(1);
        solo.events();
        let stale = STALE.replace("n3", nonce);
        solo.receive(&challenge(&last, 407, &[&stale]));
        assert_eq!(solo.events(), [SipEvent::Challenged { leg: LEG }], "{nonce}");
    }
    solo.order(SipCommand::Authorize { leg: LEG });
    last = solo.sent().remove(1);
    assert_eq!(last.first(name::CSEQ), Some("4 INVITE"));
    assert_eq!(count(&last, name::PROXY_AUTHORIZATION, &STALE.replace("n3", "n5")), 1);
    solo.receive(&challenge(&last, 407, &[&STALE.replace("n3", "n7")]));
    assert!(matches!(
        solo.events()[..],
        [SipEvent::Failed { cause: FailureCause::Status(407), .. }]
    ));
}

#[test]
fn two_proxies_on_the_way_are_both_answered() {
    let mut solo = Solo::new();
    let first = invite(&mut solo, LEG);
    solo.receive(&challenge(&first, 407, &[MD5]));
    solo.order(SipCommand::Authorize { leg: LEG });
    let second = solo.sent().remove(1);
    solo.events();
    let other = MD5.replace("trunk", "carrier").replace("n1", "n8");
    solo.receive(&challenge(&second, 407, &[&other]));
    assert_eq!(solo.events(), [SipEvent::Challenged { leg: LEG }]);
    solo.order(SipCommand::Authorize { leg: LEG });
    let third = solo.sent().remove(1);
    let realms: Vec<_> = third
        .auth_values(name::PROXY_AUTHORIZATION)
        .iter()
        .map(|value| value.get("realm").unwrap().to_owned())
        .collect();
    assert_eq!(realms, ["carrier", "trunk"]);
    solo.receive(&challenge(&third, 407, &[MD5]));
    assert!(matches!(solo.events()[..], [SipEvent::Failed { .. }]), "the password is wrong");
}

#[test]
fn a_second_challenge_that_is_not_stale_means_a_wrong_password() {
    let mut solo = Solo::new();
    let first = invite(&mut solo, LEG);
    solo.receive(&challenge(&first, 401, &[MD5]));
    solo.order(SipCommand::Authorize { leg: LEG });
    let second = solo.sent().remove(1);
    solo.events();
    solo.receive(&challenge(&second, 401, &[&MD5.replace("n1", "n9")]));
    assert!(matches!(
        solo.events()[..],
        [SipEvent::Failed { cause: FailureCause::Status(401), .. }]
    ));
    let next = invite(&mut Solo::new(), LegId(99));
    assert!(next.first(name::AUTHORIZATION).is_none());
    solo.sent();
    let next = invite(&mut solo, LegId(98));
    assert!(next.first(name::AUTHORIZATION).is_none(), "what did not convince is not sent again");
}

#[test]
fn a_challenge_that_nobody_can_answer_is_a_failure() {
    let values =
        ["Basic realm=\"x\"", r#"Digest realm="t", nonce="n", algorithm=SHA-999"#, "garbage", ""];
    for value in values {
        let mut solo = Solo::new();
        let first = invite(&mut solo, LEG);
        solo.receive(&challenge(&first, 401, &[value]));
        assert_eq!(words(&solo.sent()), ["ACK"]);
        assert!(matches!(
            solo.events()[..],
            [SipEvent::Failed { cause: FailureCause::Status(401), .. }]
        ));
    }
}

#[test]
fn a_hang_up_while_the_challenge_waits_sends_no_second_invite() {
    let mut solo = Solo::new();
    let first = invite(&mut solo, LEG);
    solo.receive(&challenge(&first, 401, &[MD5]));
    solo.hang_up();
    solo.order(SipCommand::Authorize { leg: LEG });
    assert_eq!(words(&solo.sent()), ["ACK"]);
    assert!(matches!(
        solo.events()[1..],
        [SipEvent::Failed { cause: FailureCause::Status(401), .. }]
    ));
}

#[test]
fn a_challenge_that_is_never_allowed_on_is_given_up() {
    let mut solo = Solo::new();
    let first = invite(&mut solo, LEG);
    solo.receive(&challenge(&first, 401, &[MD5]));
    solo.events();
    solo.pass(std::time::Duration::from_secs(33));
    assert!(matches!(solo.events()[..], [SipEvent::Failed { .. }]));
}

#[test]
fn a_challenged_bye_is_sent_again_without_a_word() {
    let mut solo = Solo::new();
    let first = invite(&mut solo, LEG);
    solo.receive(&answer(&first, 200, "far"));
    solo.hang_up();
    let bye = solo.sent().remove(1);
    solo.events();
    solo.receive(&challenge(&bye, 401, &[MD5]));
    let again = solo.request(Method::BYE);
    assert_eq!(again.first(name::CSEQ), Some("3 BYE"));
    count(&again, name::AUTHORIZATION, MD5);
    assert_eq!(solo.events(), []);
    solo.receive(&again.reply(200, None));
    assert_eq!(solo.events(), [SipEvent::Ended { leg: LEG, by_peer: false, q850: None }]);
}

#[test]
fn a_bye_that_is_challenged_for_ever_ends_the_call_all_the_same() {
    let mut solo = Solo::new();
    let first = invite(&mut solo, LEG);
    solo.receive(&answer(&first, 200, "far"));
    solo.hang_up();
    let mut bye = solo.sent().remove(1);
    for round in 0..2 {
        solo.receive(&challenge(&bye, 401, &[&MD5.replace("n1", &format!("r{round}"))]));
        bye = solo.request(Method::BYE);
    }
    solo.events();
    solo.receive(&challenge(&bye, 401, &[MD5]));
    assert!(solo.sent().is_empty());
    assert!(matches!(solo.events()[..], [SipEvent::Ended { .. }]));
}
