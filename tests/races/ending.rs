//! Both sides end a call.

use crate::stage::{Stage, hang_up_once_answered};

#[test]
fn byes_that_cross_end_the_call_once() {
    let played = Stage::set("byes_cross").play(hang_up_once_answered).faultless();
    assert_eq!(played.concluded(), ["answered", "ended by us"]);
    assert_eq!(played.requests(), ["1 INVITE", "1 ACK", "2 BYE"]);
    let (_, answer) = played.message(|it| it.received && it.text.starts_with("SIP/2.0 200"));
    assert!(answer.contains("1 BYE"), "theirs is answered too");
}

#[test]
fn a_401_to_our_bye_is_answered() {
    let played = Stage::set("challenged_bye").play(hang_up_once_answered).faultless();
    assert_eq!(played.concluded(), ["answered", "ended by us"], "nobody is told");
    assert_eq!(played.requests(), ["1 INVITE", "1 ACK", "2 BYE", "3 BYE"]);
}
