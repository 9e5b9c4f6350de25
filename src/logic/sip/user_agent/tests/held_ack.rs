//! The ACK that waits until the answer is stored, and what it is good for.

use std::time::Duration;

use super::ANSWER;
use super::LEG;
use super::OFFER;
use super::call;
use super::far;
use super::near;
use super::pair::Pair;
use super::pair::Who;
use super::settings;
use super::solo::Solo;
use super::solo::answer;
use crate::logic::sip::user_agent::SipCommand;
use crate::logic::sip::user_agent::SipEvent;
use crate::logic::sip::user_agent::UserAgent;

const HOLD: Duration = Duration::from_millis(200);
const SECOND: Duration = Duration::from_secs(1);

/// Near holds its ACKs; far answers at once.
fn answered() -> Pair {
    let mut pair = Pair::new(1);
    pair.near = holding();
    pair.order(Who::Near, SipCommand::Invite { leg: LEG, call: call(), offer: OFFER.to_vec() });
    pair.run(Duration::from_millis(50), |_, event| {
        let SipEvent::Incoming { leg, .. } = event else { return vec![] };
        let answer = SipCommand::Answer { leg: *leg, sdp: ANSWER.to_vec() };
        vec![(Duration::ZERO, Who::Far, answer)]
    });
    let told = pair.events_of(Who::Near);
    assert!(matches!(told.as_slice(), [SipEvent::Answered { .. }]), "told without delay: {told:?}");
    pair
}

fn holding() -> UserAgent {
    let mut near = settings(near(), far());
    near.hold_ack = Some(HOLD);
    UserAgent::new(near, 1)
}

fn nothing(_: Who, _: &SipEvent) -> Vec<(Duration, Who, SipCommand)> {
    vec![]
}

#[test]
fn the_ack_leaves_when_the_answer_is_stored() {
    let mut pair = answered();
    assert_eq!(pair.ladder(), [">INVITE", "<200"]);
    pair.order(Who::Near, SipCommand::Acknowledge { leg: LEG });
    pair.order(Who::Near, SipCommand::Acknowledge { leg: LEG });
    assert_eq!(pair.ladder(), [">INVITE", "<200", ">ACK"]);
    pair.run(SECOND * 60, nothing);
    assert_eq!(pair.ladder().len(), 3, "one ACK, and no repeats of the 200");
}

#[test]
fn a_store_that_does_not_answer_holds_the_ack_for_a_moment_only() {
    let mut pair = answered();
    let answered_at = pair.events[pair.events.len() - 1].0;
    pair.run(SECOND * 60, nothing);
    assert_eq!(pair.ladder(), [">INVITE", "<200", ">ACK"]);
    let (acked_at, _, _) = pair.sent[2];
    assert_eq!(acked_at, answered_at + HOLD);
}

#[test]
fn a_200_that_comes_twice_does_not_free_the_held_ack() {
    let mut ours = settings(near(), far());
    ours.hold_ack = Some(HOLD);
    let mut solo = Solo::with(ours);
    let ok = answer(&solo.invite(), 200, "far");
    solo.receive(&ok);
    solo.pass(Duration::from_millis(150));
    solo.receive(&ok);
    assert!(solo.sent().is_empty(), "the answer is not stored yet");
    solo.order(SipCommand::Acknowledge { leg: LEG });
    let ack = solo.one();
    solo.pass(SECOND);
    solo.receive(&ok);
    assert_eq!(solo.one().to_bytes(), ack.to_bytes());
}

#[test]
fn a_hang_up_acknowledges_first() {
    let mut pair = answered();
    pair.order(Who::Near, SipCommand::HangUp { leg: LEG });
    pair.run(SECOND * 60, nothing);
    assert_eq!(pair.ladder(), [">INVITE", "<200", ">ACK", ">BYE", "<200"]);
    assert_eq!((pair.near.legs(), pair.far.legs()), (0, 0));
}

#[test]
fn an_answer_that_died_unstored_is_told_again_to_the_next_process_and_ended() {
    let mut pair = answered();
    // The process is gone; the next one knows the leg and nothing of its answer.
    pair.near = holding();
    let recover =
        SipCommand::Recover { leg: LEG, boot: 77, call: call(), dialog: None, sent_by: None };
    pair.order(Who::Near, recover);
    let restarted = pair.now;
    pair.run(SECOND * 5, nothing);
    let far_end = pair.events.iter().find(|(_, who, event)| {
        *who == Who::Far && matches!(event, SipEvent::Ended { by_peer: true, .. })
    });
    let (at, _, _) = far_end.expect("the call goes on for ever");
    assert!(at.since(restarted) < SECOND, "ended only after {:?}", at.since(restarted));
}
