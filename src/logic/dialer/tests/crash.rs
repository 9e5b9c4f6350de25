//! What an earlier process left open, and how long its legs are waited for.

use super::*;

/// A run that has to end what an earlier process left open.
fn after_a_crash(agents: &[&str]) -> Run {
    Run::start(Account::default(), 0, agents, |_| {}, Some(left_open(UtcMs(1_790_000_000_000))))
}

#[test]
fn an_attempt_left_open_by_a_crash_is_unknown_until_the_network_proves_otherwise() {
    let mut run = after_a_crash(&[]);
    run.leg(LegId(6), failed(487));
    assert_eq!(run.outcomes(), [Outcome::Unknown, Outcome::Cancelled]);
}

#[test]
fn a_ring_that_a_crash_and_its_cancel_cut_short_stays_abandoned() {
    for (after, outcome, abandoned) in
        [(20, Outcome::Abandoned, true), (33, Outcome::Cancelled, false)]
    {
        let open = left_open(UtcMs(1_790_000_000_000 - after * 1_000));
        let real = |settings: &mut CampaignSettings| settings.simulated_only = false;
        let mut run = Run::start(Account::default(), 0, &[], real, Some(open));
        run.leg(LegId(6), failed(487));
        assert_eq!(run.outcomes(), [Outcome::Unknown, outcome], "{after} s after its start");
        let booked = run.rows.iter().rev().find_map(|row| {
            if let StoreCommand::Outcome(record) = row { Some(record.booking) } else { None }
        });
        let booked = booked.unwrap();
        assert_eq!(
            (booked.answered, booked.abandoned, booked.fault),
            (abandoned, abandoned, abandoned)
        );
    }
}

#[test]
fn an_unknown_end_is_called_again_on_the_next_day_of_the_callee_not_only_on_ours() {
    // 23:13 in Tokyo, where the ledger's days are counted, and 07:13 in Los Angeles.
    let mut open = left_open(UtcMs(1_790_000_000_000));
    open.phone.zones = vec!["America/Los_Angeles".to_owned()];
    let run = Run::start(Account::default(), 0, &[], |_| {}, Some(open));
    let after = run.rows.iter().find_map(|row| {
        if let StoreCommand::Outcome(record) = row { Some(record.after.due) } else { None }
    });
    assert_eq!(after, Some(UtcMs(1_790_060_400_000)), "midnight in Los Angeles");
}

#[test]
fn a_talk_that_a_crash_hides_raises_no_credit() {
    let at = UtcMs(1_790_000_000_000);
    let open = OpenAttempt { answered_at: Some(at), connected_at: Some(at), ..left_open(at) };
    let run = Run::start(Account::default(), 0, &[], |_| {}, Some(open));
    assert_eq!(run.outcomes(), [Outcome::Unknown]);
    assert_eq!(run.account, Account::default(), "it may have been a machine");
}

#[test]
fn a_drain_waits_for_a_leg_of_an_earlier_process_until_its_cancel_is_given_up() {
    let mut run = after_a_crash(&["a"]).ready();
    run.input(Input::Shutdown);
    run.pass(Duration::from_secs(31));
    assert!(!run.finished, "somebody may still be ringing");
    assert_eq!(run.view().old_legs, 1);
    assert_eq!(run.dialer.desks[&AgentId(1)].leg, None, "the agent may go home at once");
    let no_answer =
        LegFailure { status: None, sent: true, uncertain: true, q850: None, retry_after: None };
    run.leg(LegId(6), LegEvent::Failed(no_answer));
    assert!(run.finished);
    let closed =
        |row: &StoreCommand| matches!(row, StoreCommand::LegEnded(end) if end.leg == LegId(6));
    assert!(run.rows.iter().any(closed), "the row of the leg is closed");
    assert_eq!(run.outcomes(), [Outcome::Unknown], "what nobody can prove stays unknown");
}

#[test]
fn a_leg_of_an_earlier_process_that_never_ends_holds_no_process_for_ever() {
    let mut run = after_a_crash(&[]);
    run.input(Input::Shutdown);
    run.pass(Duration::from_secs(70));
    assert!(run.finished);
}

#[test]
fn a_second_signal_leaves_legs_of_an_earlier_process_to_the_next_start() {
    let mut run = after_a_crash(&[]);
    run.input(Input::Shutdown);
    run.input(Input::Shutdown);
    run.pass(Duration::from_secs(2));
    assert!(run.finished);
}
