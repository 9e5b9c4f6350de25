//! The dialer in virtual time, against a made-up database that keeps leads in memory and agents' phones that answer.

mod agentless;
mod answers;
mod cluster;
mod crash;
mod gates;
mod inbound;
mod manual;
mod predictive;
mod preview;
mod promises;
mod ratio;
mod run;
mod shares;

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
