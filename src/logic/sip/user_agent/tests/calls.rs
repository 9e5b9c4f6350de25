//! Whole calls between two user agents.

use std::time::Duration;

use super::ANSWER;
use super::LEG;
use super::OFFER;
use super::call;
use super::pair::Pair;
use super::pair::Who;
use crate::logic::sip::user_agent::FailureCause;
use crate::logic::sip::user_agent::SipCommand;
use crate::logic::sip::user_agent::SipEvent;

const SECOND: Duration = Duration::from_secs(1);

fn invite() -> SipCommand {
    SipCommand::Invite { leg: LEG, call: call(), offer: OFFER.to_vec() }
}

/// Rings at once and answers after `wait`.
fn answers_after(wait: Duration) -> impl FnMut(Who, &SipEvent) -> Vec<(Duration, Who, SipCommand)> {
    move |_, event| {
        let SipEvent::Incoming { leg, .. } = event else { return vec![] };
        let ring = SipCommand::Progress { leg: *leg, status: 180, sdp: None };
        let answer = SipCommand::Answer { leg: *leg, sdp: ANSWER.to_vec() };
        vec![(Duration::ZERO, Who::Far, ring), (wait, Who::Far, answer)]
    }
}

fn nothing(_: Who, _: &SipEvent) -> Vec<(Duration, Who, SipCommand)> {
    vec![]
}

#[test]
fn a_call_is_made_answered_and_ended_by_the_caller() {
    let mut pair = Pair::new(1);
    pair.order(Who::Near, invite());
    pair.after(SECOND * 5, Who::Near, SipCommand::HangUp { leg: LEG });
    pair.run(SECOND * 60, answers_after(SECOND));
    let expected = [">INVITE", "<180", "<200", ">ACK", ">BYE", "<200"];
    assert_eq!(pair.ladder(), expected);
    let near = pair.events_of(Who::Near);
    assert!(matches!(near[0], SipEvent::Provisional { status: 180, .. }), "{near:?}");
    let SipEvent::Answered { sdp, dialog, .. } = near[1] else { panic!("{near:?}") };
    assert_eq!((sdp.as_deref(), dialog.cseq), (Some(ANSWER), 1));
    assert_eq!(*near[2], SipEvent::Ended { leg: LEG, by_peer: false, q850: None });
    let far = pair.events_of(Who::Far);
    assert!(matches!(far[0], SipEvent::Incoming { called, sdp: Some(sdp), .. }
        if called == "0312345678" && sdp == OFFER));
    assert!(matches!(far[1], SipEvent::Confirmed { .. }));
    assert!(matches!(far[2], SipEvent::Ended { by_peer: true, .. }));
    assert_eq!((pair.near.legs(), pair.far.legs()), (0, 0));
    assert_eq!((pair.near.next_deadline(), pair.far.next_deadline()), (None, None));
}

#[test]
fn the_callee_may_hang_up_too() {
    let mut pair = Pair::new(1);
    pair.order(Who::Near, invite());
    let mut answers = answers_after(SECOND);
    pair.run(SECOND * 60, |who, event| {
        let SipEvent::Confirmed { leg, .. } = event else { return answers(who, event) };
        vec![(SECOND, Who::Far, SipCommand::HangUp { leg: *leg })]
    });
    assert_eq!(pair.ladder(), [">INVITE", "<180", "<200", ">ACK", "<BYE", ">200"]);
    let near = pair.events_of(Who::Near);
    assert_eq!(*near[2], SipEvent::Ended { leg: LEG, by_peer: true, q850: None });
    assert_eq!((pair.near.legs(), pair.far.legs()), (0, 0));
}

#[test]
fn a_busy_callee_ends_the_call_with_its_status_and_cause() {
    let mut pair = Pair::new(1);
    pair.order(Who::Near, invite());
    pair.run(SECOND * 60, |_, event| {
        let SipEvent::Incoming { leg, .. } = event else { return vec![] };
        let headers = vec![("Retry-After".into(), "120".into())];
        let busy = SipCommand::Refuse { leg: *leg, status: 486, q850: Some(17), headers };
        vec![(Duration::ZERO, Who::Far, busy)]
    });
    assert_eq!(pair.ladder(), [">INVITE", "<486", ">ACK"]);
    let (cause, retry_after) = (FailureCause::Status(486), Some(SECOND * 120));
    let failed = SipEvent::Failed { leg: LEG, cause, q850: Some(17), retry_after };
    assert_eq!(pair.events_of(Who::Near), [&failed]);
    assert!(matches!(
        pair.events_of(Who::Far)[1],
        SipEvent::Failed { cause: FailureCause::Status(486), .. }
    ));
}

#[test]
fn a_ringing_call_is_cancelled_and_fails_with_487() {
    let mut pair = Pair::new(1);
    pair.order(Who::Near, invite());
    pair.after(SECOND, Who::Near, SipCommand::HangUp { leg: LEG });
    pair.after(SECOND, Who::Near, SipCommand::HangUp { leg: LEG });
    pair.run(SECOND * 60, answers_after(SECOND * 50));
    let expected = [">INVITE", "<180", ">CANCEL", "<200", "<487", ">ACK"];
    assert_eq!(pair.ladder(), expected);
    let near = pair.events_of(Who::Near);
    assert!(
        matches!(near[1], SipEvent::Failed { cause: FailureCause::Status(487), .. })
            && near.len() == 2
    );
    let far = pair.events_of(Who::Far);
    assert!(matches!(far[1..], [SipEvent::Cancelled { .. }, SipEvent::Failed { .. }]), "{far:?}");
}

#[test]
fn without_any_answer_the_call_times_out_after_64_t1() {
    let mut pair = Pair::new(1);
    pair.loss = 1000;
    pair.order(Who::Near, invite());
    pair.after(SECOND, Who::Near, SipCommand::HangUp { leg: LEG });
    pair.run(SECOND * 70, nothing);
    assert_eq!(pair.lines(Who::Near).len(), 7);
    assert!(!pair.ladder().contains(&">CANCEL".to_owned()), "nothing to cancel yet");
    let [(at, _, SipEvent::Failed { cause, .. })] = &pair.events[..] else { panic!() };
    assert_eq!(
        (at.since(crate::logic::time::Tick::START), *cause),
        (SECOND * 32, FailureCause::Timeout)
    );
    assert_eq!(pair.near.next_deadline(), None);
}
