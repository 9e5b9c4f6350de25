//! 422: the far end wants longer sessions (RFC 4028 §7.4).

use std::time::Duration;

use super::LEG;
use super::call_with_password;
use super::far;
use super::near;
use super::settings;
use super::solo::Solo;
use super::solo::answer;
use super::solo::words;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::name;
use crate::logic::sip::user_agent::FailureCause;
use crate::logic::sip::user_agent::SipCommand;
use crate::logic::sip::user_agent::SipEvent;

fn too_short(invite: &Message, min_se: &str) -> Message {
    let mut refusal = invite.reply(422, Some("far"));
    refusal.push(name::MIN_SE, min_se);
    refusal
}

fn asking_for(seconds: u64) -> Solo {
    let mut ours = settings(near(), far());
    ours.session_expires = Some(Duration::from_secs(seconds));
    Solo::with(ours)
}

fn failed_with_422(solo: &mut Solo) -> bool {
    matches!(solo.events()[..], [SipEvent::Failed { cause: FailureCause::Status(422), .. }])
}

#[test]
fn a_session_too_short_is_asked_for_again_with_what_the_far_end_wants() {
    for mut solo in [Solo::new(), asking_for(90)] {
        let first = solo.invite();
        solo.receive(&too_short(&first, "600"));
        assert_eq!(words(&solo.sent()), ["ACK"]);
        assert_eq!(solo.events(), [SipEvent::Challenged { leg: LEG }]);
        assert!(solo.sent().is_empty(), "the rate limit is asked first");
        solo.order(SipCommand::Authorize { leg: LEG });
        let second = solo.one();
        assert_eq!(second.first(name::SESSION_EXPIRES), Some("600"));
        assert_eq!(second.first(name::MIN_SE), Some("600"));
        assert_eq!(second.first(name::CSEQ), Some("2 INVITE"));
        for same in [name::CALL_ID, name::FROM, name::TO] {
            assert_eq!(second.first(same), first.first(same), "{same}");
        }
        solo.receive(&too_short(&second, "900"));
        assert!(failed_with_422(&mut solo), "once");
    }
}

#[test]
fn a_422_that_asks_for_nothing_new_is_a_failure() {
    for min_se in ["1800", "90", "4294967295", "soon"] {
        let mut solo = asking_for(1_800);
        let invite = solo.invite();
        solo.receive(&too_short(&invite, min_se));
        assert!(failed_with_422(&mut solo), "{min_se}");
        solo.order(SipCommand::Authorize { leg: LEG });
        assert_eq!(words(&solo.sent()), ["ACK"]);
    }
}

#[test]
fn a_422_after_a_hang_up_is_the_end() {
    let mut solo = Solo::new();
    let invite = solo.invite();
    solo.hang_up();
    solo.receive(&too_short(&invite, "600"));
    assert!(failed_with_422(&mut solo));
}

#[test]
fn a_restart_cancels_every_invite_that_may_be_out() {
    let mut solo = Solo::new();
    let call = call_with_password();
    solo.order(SipCommand::Recover { leg: LEG, boot: 77, call, dialog: None, sent_by: None });
    let sent = solo.sent();
    assert_eq!(words(&sent), ["CANCEL", "CANCEL", "CANCEL", "CANCEL"]);
    for cancel in &sent {
        solo.receive(&cancel.reply(481, Some("far")));
    }
    assert_eq!(solo.events().len(), 1, "settled when the last one is unknown");
    let late = answer(&Solo::new().invite(), 200, "far");
    solo.receive(&late);
    assert_eq!(words(&solo.sent()), ["ACK", "BYE"]);
}
