//! Legs of an earlier process, in every stage they may have been left in.

use std::time::Duration;

use super::ANSWER;
use super::LEG;
use super::OFFER;
use super::call;
use super::call_with_password;
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
use crate::logic::sip::user_agent::RemoteDialog;
use crate::logic::sip::user_agent::SipCommand;
use crate::logic::sip::user_agent::SipEvent;

const SECOND: Duration = Duration::from_secs(1);

/// A process with another boot, which recovers [`LEG`] of boot 77.
fn restarted(dialog: Option<RemoteDialog>) -> Solo {
    let mut later = settings(near(), far());
    later.identity.boot = 78;
    let mut solo = Solo::with(later);
    solo.order(SipCommand::Recover { leg: LEG, boot: 77, call: call(), dialog, sent_by: None });
    solo
}

fn failed(cause: FailureCause) -> SipEvent {
    SipEvent::Failed { leg: LEG, cause, q850: None, retry_after: None }
}

#[test]
fn a_ringing_leg_is_cancelled_with_the_very_branch_of_its_invite() {
    let mut before = Solo::new();
    let invite = before.invite();
    let mut after = restarted(None);
    let cancels = after.sent();
    assert_eq!(words(&cancels), ["CANCEL", "CANCEL"]);
    for header in [name::VIA, name::CALL_ID, name::FROM, name::TO] {
        assert_eq!(cancels[0].first(header), invite.first(header), "{header}");
    }
    assert_eq!(target(&cancels[0]), target(&invite));
    let numbers: Vec<_> = cancels.iter().map(|cancel| cancel.first(name::CSEQ).unwrap()).collect();
    assert_eq!(numbers, ["1 CANCEL", "2 CANCEL"]);
    after.receive(&cancels[0].reply(200, Some("far")));
    after.receive(&cancels[1].reply(481, Some("far")));
    assert_eq!(after.events(), [], "the INVITE is still open");
    after.receive(&answer(&invite, 487, "far"));
    let ack = after.request(Method::ACK);
    assert_eq!(ack.first(name::VIA), invite.first(name::VIA));
    assert_eq!(after.events(), [failed(FailureCause::Status(487))]);
    after.receive(&answer(&invite, 487, "far"));
    assert_eq!(words(&after.sent()), ["ACK"]);
    after.pass(SECOND * 70);
    assert_eq!((after.agent.legs(), after.agent.next_deadline()), (0, None));
}

#[test]
fn a_leg_of_a_process_elsewhere_is_cancelled_under_its_address_and_ended_by_the_tag_of_the_answer()
{
    let elsewhere = "198.51.100.77:5099".parse().unwrap();
    let mut later = settings(near(), far());
    later.identity.boot = 78;
    let mut after = Solo::with(later);
    let (call, dialog, sent_by) = (call(), None, Some(elsewhere));
    after.order(SipCommand::Recover { leg: LEG, boot: 77, call, dialog, sent_by });
    let cancels = after.sent();
    assert!(cancels[0].first(name::VIA).unwrap().contains("198.51.100.77:5099"));
    after.receive(&cancels[0].reply(200, Some("their-tag")));
    after.receive(&cancels[1].reply(481, Some("far")));
    // Before the BYE is repeated for the first time.
    after.pass(SECOND * 5 / 4);
    let bye = after.request(Method::BYE);
    assert!(bye.first(name::TO).unwrap().ends_with("tag=their-tag"), "{:?}", bye.first(name::TO));
    assert!(!bye.first(name::VIA).unwrap().contains("198.51.100.77"));
    after.receive(&bye.reply(200, None));
    assert!(matches!(after.events()[..], [SipEvent::Ended { leg: LEG, by_peer: false, .. }]));
}

#[test]
fn a_leg_after_its_challenge_is_cancelled_too() {
    let mut before = Solo::new();
    let credentials = call_with_password();
    before.order(SipCommand::Invite { leg: LEG, call: credentials, offer: OFFER.to_vec() });
    let first = before.request(Method::INVITE);
    let mut refusal = first.reply(401, Some("far"));
    refusal.push(name::WWW_AUTHENTICATE, r#"Digest realm="t", nonce="n""#);
    before.receive(&refusal);
    before.order(SipCommand::Authorize { leg: LEG });
    let second = before.sent().remove(1);
    let mut after = restarted(None);
    let cancels = after.sent();
    assert_eq!(cancels[1].first(name::VIA), second.first(name::VIA));
    after.receive(&cancels[0].reply(481, Some("far")));
    after.receive(&refusal);
    assert_eq!((words(&after.sent()), after.events()), (vec!["ACK".to_owned()], vec![]));
    after.receive(&cancels[1].reply(200, Some("far")));
    after.receive(&answer(&second, 487, "far"));
    assert_eq!(after.events(), [failed(FailureCause::Status(487))]);
}

#[test]
fn a_session_too_short_says_nothing_of_the_invite_after_it() {
    let mut before = Solo::new();
    let first = before.invite();
    let mut refusal = answer(&first, 422, "far");
    refusal.push(name::MIN_SE, "1800");
    before.receive(&refusal);
    before.order(SipCommand::Authorize { leg: LEG });
    let second = before.sent().remove(1);
    let mut after = restarted(None);
    let cancels = after.sent();
    after.receive(&refusal);
    assert_eq!((words(&after.sent()), after.events()), (vec!["ACK".to_owned()], vec![]));
    after.receive(&cancels[1].reply(200, Some("far")));
    after.receive(&answer(&second, 487, "far"));
    assert_eq!(after.events(), [failed(FailureCause::Status(487))]);
}

#[test]
fn a_200_that_still_comes_is_acknowledged_and_ended() {
    let invite = Solo::new().invite();
    let mut after = restarted(None);
    let cancels = after.sent();
    after.receive(&cancels[0].reply(200, Some("far")));
    after.receive(&answer(&invite, 200, "far"));
    let sent = after.sent();
    assert_eq!(words(&sent), ["ACK", "BYE"]);
    assert_eq!(after.events(), [], "an answer nobody is there for");
    after.receive(&answer(&invite, 200, "far"));
    after.receive(&sent[1].reply(200, None));
    assert_eq!(after.events(), [SipEvent::Ended { leg: LEG, by_peer: false, q850: None }]);
}

#[test]
fn a_leg_that_never_reached_the_far_end_is_settled_by_its_481s() {
    let mut after = restarted(None);
    let cancels = after.sent();
    after.receive(&cancels[0].reply(481, Some("far")));
    assert_eq!(after.events(), []);
    after.receive(&cancels[1].reply(481, Some("far")));
    assert_eq!(after.events(), [failed(FailureCause::Status(481))]);
    // The INVITE of the dead process was slow, and somebody picked up.
    let invite = Solo::new().invite();
    after.receive(&answer(&invite, 200, "far"));
    assert_eq!(words(&after.sent()), ["ACK", "BYE"]);
    assert_eq!(after.events(), []);
}

#[test]
fn a_far_end_that_is_silent_ends_the_recovery_after_64_t1() {
    let mut after = restarted(None);
    after.pass(SECOND * 31);
    assert_eq!(after.events(), []);
    after.pass(SECOND * 2);
    assert_eq!(after.events(), [failed(FailureCause::Timeout)]);
    let mut after = restarted(None);
    let cancels = after.sent();
    after.receive(&cancels[0].reply(200, Some("far")));
    after.pass(SECOND * 33);
    assert_eq!(after.events(), [failed(FailureCause::CancelTimeout)]);
}

#[test]
fn an_answered_leg_is_ended_by_bye_in_its_stored_dialog() {
    let mut before = Solo::new();
    let invite = before.invite();
    let mut ok = answer(&invite, 200, "far");
    ok.push(name::RECORD_ROUTE, "<sip:192.0.2.2:5070;lr>, <sip:198.51.100.7;lr>");
    before.receive(&ok);
    let ack: Message = before.request(Method::ACK);
    let Some(SipEvent::Answered { dialog, sdp, .. }) = before.events().pop() else { panic!() };
    assert_eq!(sdp.as_deref(), Some(ANSWER));
    let mut after = restarted(Some(dialog));
    let bye = after.request(Method::BYE);
    for header in [name::CALL_ID, name::FROM, name::TO] {
        assert_eq!(bye.first(header), ack.first(header), "{header}");
    }
    assert_eq!((bye.routes(), target(&bye)), (ack.routes(), target(&ack)));
    assert_eq!(bye.first(name::CSEQ), Some("1002 BYE"));
    after.receive(&bye.reply(481, None));
    assert_eq!(after.events(), [SipEvent::Ended { leg: LEG, by_peer: false, q850: None }]);
    assert_eq!(after.agent.legs(), 0);
}

#[test]
fn a_bye_ends_the_recovery_of_an_answer_that_was_never_stored() {
    let invite = Solo::new().invite();
    let mut after = restarted(None);
    let cancels = after.sent();
    // Too late to cancel, and nothing but its tag can end it: the far end hangs up by itself.
    after.receive(&cancels[0].reply(200, Some("far")));
    after.receive(&cancels[1].reply(481, Some("far")));
    after.receive(&from_peer(&answer(&invite, 200, "far"), Method::BYE, 1));
    assert_eq!(words(&after.sent()), ["200"]);
    assert_eq!(after.events(), [SipEvent::Ended { leg: LEG, by_peer: true, q850: None }]);
    assert_eq!(after.agent.legs(), 0);
}
