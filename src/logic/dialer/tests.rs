//! The dialer in virtual time, against a made-up database that keeps leads in memory and agents' phones that answer.

mod agentless;
mod answers;
mod cluster;
mod inbound;
mod manual;
mod predictive;
mod preview;
mod promises;
mod ratio;
mod run;

use std::time::Duration;

use super::*;
use crate::logic::compliance::abandon_ledger::Account;
use crate::logic::dialer::command::{Command, Reply};
use crate::logic::gate::Gate;
use crate::logic::ids::LeadId;
use crate::logic::outcome::Outcome;
use crate::logic::settings::{CampaignSettings, Sharing, test_campaign};
use crate::logic::time::UtcMs;
use run::*;

#[test]
fn one_line_is_opened_per_free_agent_and_no_more() {
    let mut run = Run::new(50, &["a", "b", "c"], |_| {}).ready();
    run.pass(Duration::from_secs(1));
    assert_eq!(run.dialed().len(), 3);
    let first = run.dialed()[0];
    run.leg(first, failed(486));
    run.pass(Duration::from_secs(1));
    assert_eq!(run.dialed().len(), 4, "the agent of the busy number gets the next lead");
    assert_eq!(run.outcomes(), [Outcome::Busy]);
}

#[test]
fn no_invite_leaves_before_its_intent_is_durable() {
    let mut run = Run::new(5, &["a"], |_| {});
    run.pass(Duration::from_millis(1));
    run.command(Command::AgentLogin { agent: "a".to_owned() });
    run.hangs = true;
    run.command(Command::AgentReady { agent: "a".to_owned() });
    run.pass(Duration::from_millis(500));
    run.input(Input::StoreHealth(StoreHealth::Slow));
    run.pass(Duration::from_millis(400));
    assert!(run.held.iter().any(|(_, command)| matches!(command, StoreCommand::Intent(_))));
    assert_eq!(run.dialed(), []);
    // The database comes back after the intent was given up: the late answer must not be dialed.
    run.pass(Duration::from_millis(200));
    run.database_is_back();
    assert_eq!(run.dialed(), []);
    assert!(run.outcomes().contains(&Outcome::NotPlaced));
    run.input(Input::StoreHealth(StoreHealth::Ok));
    run.pass(Duration::from_secs(1));
    assert_eq!(run.dialed().len(), 1, "a new attempt is made when the database is well");
}

#[test]
fn no_call_starts_while_the_clocks_are_apart() {
    let mut run = Run::new(5, &["a", "b"], |_| {});
    run.input(Input::ClockAhead(-1_001));
    let mut run = run.ready();
    run.pass(Duration::from_secs(3));
    assert_eq!(run.dialed(), []);
    assert_eq!(run.view().campaigns[0].held_by, Some("clock"));
    assert_eq!(run.view().clock_ahead_ms, -1_001);
    run.input(Input::ClockAhead(1_000));
    assert_eq!(run.dialed().len(), 1);
    // The second call waits for its turn when the clocks part again.
    run.input(Input::ClockAhead(5_000));
    run.pass(Duration::from_secs(3));
    assert_eq!(run.dialed().len(), 1);
    assert!(run.outcomes().contains(&Outcome::NotPlaced));
}

#[test]
fn ports_are_asked_for_before_the_rate_limiter_so_that_the_invite_leaves_at_its_turn() {
    let mut run = Run::new(50, &["a", "b"], |_| {}).ready();
    let prepared = run.prepared();
    assert_eq!((prepared.len(), run.dialed().len()), (2, 1), "the second call waits for its turn");
    run.pass(Duration::from_millis(200));
    assert_eq!(run.dialed(), prepared);
    assert!(!run.legs.iter().any(|(_, command)| *command == LegCommand::HangUp));
}

#[test]
fn ports_that_no_invite_will_use_are_given_back() {
    let mut run = Run::new(50, &["a", "b"], |_| {}).ready();
    let waits = run.prepared()[1];
    run.input(Input::Shutdown);
    run.pass(Duration::from_secs(5));
    assert_eq!(run.dialed().len(), 1);
    let given_back = run.legs.iter().filter(|order| **order == (waits, LegCommand::HangUp)).count();
    assert_eq!(given_back, 1);
    assert!(run.outcomes().contains(&Outcome::NotPlaced));
}

#[test]
fn an_answered_person_is_joined_at_once_to_the_agent_kept_for_the_call() {
    let mut run = Run::new(5, &["a"], |_| {}).ready();
    let customer = run.dialed()[0];
    run.leg(customer, LegEvent::Ringing);
    run.leg(customer, LegEvent::Answered(dialog()));
    let phone = run.dialer.desks[&AgentId(1)].leg.unwrap();
    let bridge = crate::logic::media::MediaCommand::Bridge { a: phone, b: customer };
    assert!(run.media.contains(&bridge));
    assert_eq!(run.view().calls.talking, 1);
    run.pass(Duration::from_secs(30));
    run.leg(customer, LegEvent::Ended { by_peer: true, q850: Some(16) });
    assert_eq!(run.outcomes(), [Outcome::Connected]);
    run.leg(phone, LegEvent::Digit('1'));
    let said =
        run.rows.iter().any(|row| matches!(row, StoreCommand::Disposition(d) if d.code == "SALE"));
    assert!(said, "keys in wrap-up are the disposition");
}

#[test]
fn a_phone_that_dies_while_ringing_is_replaced_before_the_answer() {
    let mut run = Run::new(1, &["a", "b"], |_| {}).ready();
    let customer = run.dialed()[0];
    let kept = run.dialer.calls.values().next().unwrap().agent.unwrap();
    let phone = run.dialer.desks[&kept].leg.unwrap();
    run.leg(phone, LegEvent::Dead);
    run.leg(customer, LegEvent::Answered(dialog()));
    assert_eq!(run.view().calls.talking, 1);
}

#[test]
fn without_an_agent_the_answer_is_abandoned_and_booked_as_a_fault() {
    let mut run = Run::new(1, &["a"], |_| {}).ready();
    let customer = run.dialed()[0];
    let phone = run.dialer.desks[&AgentId(1)].leg.unwrap();
    run.leg(phone, LegEvent::Dead);
    run.leg(customer, LegEvent::Answered(dialog()));
    run.pass(Duration::from_secs(3));
    assert_eq!(run.outcomes(), [Outcome::Abandoned]);
    let line = &run.view().campaigns[0];
    assert_eq!((line.live, line.abandoned, line.faults), (1, 1, 1));
}

#[test]
fn a_refused_intent_frees_the_agent_and_sends_nothing() {
    let mut run = Run::new(3, &["a"], |_| {});
    run.refuse = Some(Gate::Suppressed);
    let run = run.ready();
    assert_eq!(run.dialed(), []);
    assert_eq!(run.outcomes(), []);
    let blocked = run.rows.iter().filter(
        |row| matches!(row, StoreCommand::Release(release) if release.after.state == LeadState::Blocked),
    );
    assert_eq!(blocked.count(), 3);
}

#[test]
fn a_number_we_are_speaking_with_is_asked_for_again_in_minutes() {
    let mut run = Run::new(1, &["a"], |_| {});
    run.refuse = Some(Gate::NumberBusy);
    let run = run.ready();
    let after = run.rows.iter().find_map(|row| {
        if let StoreCommand::Release(release) = row { Some(&release.after) } else { None }
    });
    let after = after.unwrap();
    assert_eq!((after.state, after.gate), (LeadState::Waiting, Some(Gate::NumberBusy)));
    assert!(after.due <= run.now.utc + Duration::from_secs(300), "{after:?}");
}

#[test]
fn a_number_outside_the_countries_is_never_dialed() {
    let run = Run::new(3, &["a"], |settings| settings.countries = vec!["44".to_owned()]).ready();
    assert_eq!(run.dialed(), []);
    assert_eq!(run.view().campaigns[0].gates, [("country", 3)]);
}

#[test]
fn a_refusal_is_confirmed_only_when_it_is_durable() {
    let mut run = Run::new(1, &["a"], |_| {}).ready();
    let customer = run.dialed()[0];
    run.leg(customer, LegEvent::Answered(dialog()));
    run.leg(customer, LegEvent::Ended { by_peer: true, q850: None });
    run.hangs = true;
    run.media.clear();
    let phone = run.dialer.desks[&AgentId(1)].leg.unwrap();
    run.leg(phone, LegEvent::Digit('9'));
    assert_eq!(run.media, [], "no tone before the commit");
    run.database_is_back();
    assert!(matches!(run.media[..], [crate::logic::media::MediaCommand::Play { .. }]));
    let suppressed = run
        .rows
        .iter()
        .any(|row| matches!(row, StoreCommand::Disposition(d) if d.suppress.is_some()));
    assert!(suppressed);
}

#[test]
fn a_late_word_is_about_the_person_spoken_with_and_not_about_the_next_one() {
    let mut run = Run::new(2, &["a"], |_| {}).ready();
    let say = |run: &mut Run| {
        let (agent, code) = ("a".to_owned(), "REFUSED".to_owned());
        let (attempt, memo, callback) = (None, None, None);
        run.command(Command::AgentDisposition { agent, code, attempt, memo, callback });
    };
    say(&mut run);
    assert!(
        matches!(run.replies.last(), Some(Reply::Refused { code: "no_call", .. })),
        "{:?}",
        run.replies
    );
    let first = run.dialed()[0];
    run.leg(first, LegEvent::Answered(dialog()));
    run.leg(first, LegEvent::Ended { by_peer: true, q850: None });
    run.pass(Duration::from_secs(11));
    assert_eq!(run.dialed().len(), 2, "wrap-up is over, and the next person is being called");
    say(&mut run);
    let said: Vec<_> =
        run.rows
            .iter()
            .filter_map(|row| {
                if let StoreCommand::Disposition(said) = row { Some(said.lead) } else { None }
            })
            .collect();
    assert_eq!(said, [lead(1).lead]);
}

#[test]
fn a_number_that_is_suppressed_while_its_intent_waits_is_not_called() {
    let mut run = Run::new(2, &["a", "b"], |_| {});
    run.pass(Duration::from_millis(1));
    let mut run = run.ready();
    let before = run.dialed().len();
    assert_eq!(before, 1, "the second one waits for the rate");
    run.command(Command::Suppress {
        seller: "ACME".to_owned(),
        number: lead(2).phones[0].key.clone(),
        reason: "do_not_call".to_owned(),
        proof: "letter".to_owned(),
    });
    run.pass(Duration::from_secs(3));
    assert_eq!(run.dialed().len(), 1, "{:?}", run.legs);
}

#[test]
fn a_number_that_is_suppressed_while_its_second_invite_waits_is_not_called() {
    let mut run = Run::new(2, &["a", "b"], |_| {}).ready();
    run.command(Command::TrunkRate { trunk: trunk().name, calls_per_second: 1 });
    let (first, before) = (run.dialed()[0], run.legs.len());
    run.leg(first, LegEvent::Challenged);
    run.command(Command::Suppress {
        seller: "ACME".to_owned(),
        number: lead(1).phones[0].key.clone(),
        reason: "do_not_call".to_owned(),
        proof: "letter".to_owned(),
    });
    assert!(run.legs[before..].contains(&(first, LegCommand::HangUp)), "{:?}", run.legs);
    run.pass(Duration::from_secs(5));
    assert!(!run.legs.contains(&(first, LegCommand::Authorize)), "{:?}", run.legs);
    // Whose number was not named is called, after a challenge as without one.
    let second = run.dialed()[1];
    run.leg(second, LegEvent::Challenged);
    run.pass(Duration::from_secs(2));
    assert!(run.legs.contains(&(second, LegCommand::Authorize)), "{:?}", run.legs);
}

#[test]
fn what_happens_while_a_call_waits_for_its_turn_is_asked_once_more() {
    let changes: [fn(&mut Run); 3] = [
        |run| {
            let kept = run.dialer.calls.values().last().unwrap().agent.unwrap();
            let phone = run.dialer.desks[&kept].leg.unwrap();
            run.leg(phone, LegEvent::Dead);
        },
        // 23:59:50 in Tokyo: too late for a whole ring.
        |run| run.now.utc = UtcMs(1_790_002_790_000),
        |run| run.input(Input::StoreHealth(StoreHealth::Gone)),
    ];
    for change in changes {
        let mut run = Run::new(2, &["a", "b"], promises::evenings).ready();
        assert_eq!((run.prepared().len(), run.dialed().len()), (2, 1));
        change(&mut run);
        run.pass(Duration::from_secs(1));
        assert_eq!(run.dialed().len(), 1);
        assert_eq!(run.outcomes(), [Outcome::NotPlaced]);
    }
}

#[test]
fn a_wall_clock_that_is_set_back_undoes_no_word_and_no_pause() {
    let mut run = Run::new(1, &["a"], |_| {}).ready();
    let customer = run.dialed()[0];
    run.leg(customer, LegEvent::Answered(dialog()));
    run.leg(customer, LegEvent::Ended { by_peer: true, q850: None });
    let phone = run.dialer.desks[&AgentId(1)].leg.unwrap();
    run.leg(phone, LegEvent::Digit('1'));
    run.command(Command::CampaignPause { campaign: "test".to_owned() });
    run.now.utc = run.now.utc - Duration::from_secs(60);
    run.leg(phone, LegEvent::Digit('9'));
    run.command(Command::CampaignResume { campaign: "test".to_owned() });
    let times = |of: fn(&StoreCommand) -> Option<UtcMs>| -> Vec<_> {
        run.rows.iter().filter_map(of).collect()
    };
    let said =
        times(|row| if let StoreCommand::Disposition(said) = row { Some(said.at) } else { None });
    let changed =
        times(
            |row| {
                if let StoreCommand::CampaignState { at, .. } = row { Some(*at) } else { None }
            },
        );
    assert!(said.len() == 2 && said[0] < said[1], "{said:?}");
    assert!(changed.len() == 2 && changed[0] < changed[1], "{changed:?}");
}

#[test]
fn calls_leave_no_faster_than_the_trunk_allows() {
    let names: Vec<String> = (0..40).map(|n| format!("agent{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut run = Run::new(100, &names, |_| {});
    run.pass(Duration::from_millis(1));
    let mut run = run.ready();
    run.pass(Duration::from_millis(990));
    assert!(run.dialed().len() <= 10, "{}", run.dialed().len());
    run.pass(Duration::from_secs(3));
    assert!((36..=40).contains(&run.dialed().len()), "{}", run.dialed().len());
}

#[test]
fn a_person_slows_a_trunk_down_and_never_speeds_it_up_beyond_its_limit() {
    let names: Vec<String> = (0..40).map(|n| format!("agent{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut run = Run::new(100, &names, |_| {}).ready();
    let rate = |calls_per_second| Command::TrunkRate { trunk: trunk().name, calls_per_second };
    run.command(rate(2));
    let before = run.dialed().len();
    run.pass(Duration::from_secs(10));
    let slow = run.dialed().len() - before;
    assert!((18..=20).contains(&slow), "{slow} in ten seconds");
    assert_eq!((run.view().trunks[0].calls_per_second, run.view().trunks[0].limit), (2, 10));
    for wrong in [0, 11] {
        run.command(rate(wrong));
        let last = run.replies.last().unwrap();
        assert!(matches!(last, Reply::Refused { code: "beyond_limit", .. }), "{last:?}");
    }
    run.command(Command::TrunkRate { trunk: "elsewhere".to_owned(), calls_per_second: 1 });
    let last = run.replies.last().unwrap();
    assert!(matches!(last, Reply::Refused { code: "unknown_trunk", .. }), "{last:?}");
}

#[test]
fn the_first_signal_lets_talks_go_on_and_the_second_ends_them() {
    let mut run = Run::new(20, &["a", "b"], |_| {}).ready();
    run.pass(Duration::from_secs(1));
    let (talking, ringing) = (run.dialed()[0], run.dialed()[1]);
    run.leg(talking, LegEvent::Answered(dialog()));
    run.leg(ringing, LegEvent::Ringing);
    run.input(Input::Shutdown);
    run.pass(Duration::from_secs(5));
    assert_eq!(run.dialed().len(), 2);
    assert!(!run.finished);
    assert_eq!(run.view().calls.talking, 1);
    run.leg(ringing, failed(480));
    run.input(Input::Shutdown);
    run.pass(Duration::from_secs(2));
    assert!(run.finished);
    assert_eq!(run.outcomes(), [Outcome::NoAnswer, Outcome::Connected]);
}

#[test]
fn a_run_until_idle_ends_when_the_list_is_done() {
    let mut run = Run::new(2, &["a"], |_| {}).ready();
    for _ in 0..2 {
        let leg = *run.dialed().last().unwrap();
        run.leg(leg, failed(404));
        run.pass(Duration::from_secs(1));
    }
    run.pass(Duration::from_secs(20));
    assert!(run.finished);
    assert_eq!(run.outcomes(), [Outcome::Invalid, Outcome::Invalid]);
}

/// An attempt with one leg that an earlier process left open.
pub(super) fn left_open(now: UtcMs) -> OpenAttempt {
    let lead = lead(1);
    OpenAttempt {
        attempt: AttemptId(5),
        campaign: CAMPAIGN,
        lead: lead.lead,
        fence: 1,
        contact: lead.contact,
        phone: lead.phones[0].clone(),
        legs: vec![OpenLeg {
            leg: LegId(6),
            boot: 1,
            peer_name: "carrier".to_owned(),
            call: String::new(),
            dialog: None,
        }],
        covered: true,
        started_at: now,
        answered_at: None,
        connected_at: None,
    }
}

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
fn a_call_whose_agent_is_gone_gets_the_next_who_is_free_before_a_new_one_starts() {
    let mut run = Run::new(20, &["a", "b"], |_| {}).ready();
    run.pass(Duration::from_secs(1));
    let (alone, busy) = (run.dialed()[0], run.dialed()[1]);
    let kept = run.dialer.calls.values().find(|call| call.leg == alone).unwrap().agent.unwrap();
    let phone = run.dialer.desks[&kept].leg.unwrap();
    run.leg(phone, LegEvent::Dead);
    run.leg(busy, failed(486));
    run.pass(Duration::from_secs(1));
    assert_eq!(
        run.dialed().len(),
        2,
        "the agent of the busy number is kept for the call under way"
    );
    run.leg(alone, LegEvent::Answered(dialog()));
    assert_eq!(run.view().calls.talking, 1);
}

#[test]
fn of_two_who_wait_the_first_to_answer_is_served_first() {
    let mut run = Run::new(2, &["a", "b"], |_| {}).ready();
    run.pass(Duration::from_secs(1));
    let (first, second) = (run.dialed()[0], run.dialed()[1]);
    for agent in [1, 2] {
        let phone = run.dialer.desks[&AgentId(agent)].leg.unwrap();
        run.leg(phone, LegEvent::Dead);
    }
    run.leg(second, LegEvent::Answered(dialog()));
    run.pass(Duration::from_secs(1));
    run.leg(first, LegEvent::Answered(dialog()));
    for command in [
        Command::AgentLogin { agent: "a".to_owned() },
        Command::AgentReady { agent: "a".to_owned() },
    ] {
        run.command(command);
    }
    let talking = run.dialer.calls.values().find(|call| call.agent.is_some()).unwrap();
    assert_eq!(talking.leg, second);
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

#[test]
fn a_pause_is_answered_when_it_would_outlive_a_crash_and_holds_from_the_first_moment() {
    let mut run = Run::new(20, &["a"], |_| {});
    run.hangs = true;
    for _ in 0..2 {
        run.command(Command::CampaignPause { campaign: "test".to_owned() });
    }
    assert_eq!(run.replies, [], "nothing is durable yet");
    assert_eq!(run.view().campaigns[0].state, "paused");
    run.database_is_back();
    assert_eq!(run.replies, [Reply::Ok, Reply::Ok]);
    run.command(Command::CampaignResume { campaign: "test".to_owned() });
    assert_eq!(run.replies.len(), 3);
}

#[test]
fn what_the_database_refuses_for_good_is_never_confirmed() {
    let mut run = Run::new(1, &["a"], |_| {}).ready();
    run.hangs = true;
    run.command(Command::Suppress {
        seller: "ACME".to_owned(),
        number: "+819012345678".to_owned(),
        reason: "do_not_call".to_owned(),
        proof: "a\0b".to_owned(),
    });
    let before = run.replies.len();
    for (ticket, _) in std::mem::take(&mut run.held) {
        run.input(Input::Stored(ticket, StoreReply::Rejected));
    }
    let last = &run.replies[before..];
    assert!(matches!(last, [Reply::Refused { code: "not_stored", .. }]), "{last:?}");
}

#[test]
fn a_machine_that_an_agent_names_raises_no_credit_however_long_it_talked() {
    let mut run = Run::new(1, &["a"], |settings| {
        settings.dispositions[0].live = Some(false);
    })
    .ready();
    let customer = run.dialed()[0];
    run.leg(customer, LegEvent::Answered(dialog()));
    run.pass(Duration::from_secs(30));
    run.command(Command::AgentDisposition {
        agent: "a".to_owned(),
        code: "SALE".to_owned(),
        attempt: None,
        memo: None,
        callback: None,
    });
    run.leg(customer, LegEvent::Ended { by_peer: true, q850: None });
    let booked: Vec<_> = run
        .rows
        .iter()
        .filter_map(|row| {
            if let StoreCommand::Outcome(record) = row {
                Some((record.live, record.booking.answered))
            } else {
                None
            }
        })
        .collect();
    assert_eq!(booked, [(Some(false), false)]);
}

#[test]
fn campaigns_share_agents_by_priority_and_weight() {
    let calls = |first: Sharing, second: Sharing| {
        let campaign = |name: &str, sharing| CampaignSettings {
            name: name.to_owned(),
            sharing,
            ..test_campaign()
        };
        let campaigns = vec![campaign("one", first), campaign("two", second)];
        let agents = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let mut run = Run::of(Account::default(), 100, &agents, campaigns, None, false).ready();
        run.pass(Duration::from_secs(2));
        let of = |id| run.dialer.calls.values().filter(|call| call.campaign == id).count();
        (of(CAMPAIGN), of(CampaignId(CAMPAIGN.0 + 1)))
    };
    let by = |priority, weight| Sharing { priority, weight };
    assert_eq!(calls(by(5, 1), by(5, 1)), (4, 4));
    assert_eq!(calls(by(5, 1), by(5, 3)), (2, 6));
    assert_eq!(calls(by(5, 100), by(4, 1)), (0, 8));
}

#[test]
fn a_campaigns_own_calls_per_second_hold_below_the_trunks_and_are_named() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let change = |settings: &mut CampaignSettings| settings.rates.campaign = Some(2);
    let mut run = Run::new(50, &names, change).ready();
    run.pass(Duration::from_millis(950));
    assert_eq!(run.dialed().len(), 2, "the trunk would have let ten go");
    assert_eq!(run.view().campaigns[0].held_by, Some("campaign_rate"));
    run.pass(Duration::from_secs(4));
    assert_eq!(run.dialed().len(), 8, "all agents have a call");
}

#[test]
fn numbers_that_begin_alike_have_calls_per_second_of_their_own_and_others_go_first() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut run = Run::new(6, &names, |settings| {
        settings.rates.prefixes = vec![("+8190".to_owned(), 1)];
    });
    let at_hand = &mut run.dialer.rooms.get_mut(&CAMPAIGN).unwrap().leads;
    for other in at_hand.iter_mut().skip(3) {
        let phone = &mut other.lead.phones[0];
        phone.number = phone.number.reveal().replace("+8190", "+8180").parse().unwrap();
    }
    let mut run = run.ready();
    run.pass(Duration::from_millis(600));
    assert_eq!(run.dialed().len(), 4, "three others, and one of those that begin alike");
    assert_eq!(run.view().campaigns[0].held_by, Some("prefix_rate"));
    run.pass(Duration::from_secs(1));
    assert_eq!(run.dialed().len(), 5);
    run.pass(Duration::from_secs(1));
    assert_eq!(run.dialed().len(), 6);
}
