//! `outdial db check`: sound rows break no rule, and each rule finds what it is about.

use outdial::logic::dialer::*;
use outdial::logic::outcome::Outcome;
use outdial::store::{Rule, check_health};

use crate::harness::*;

on_both! {
    every_rule_finds_what_it_is_about
    what_is_missing_is_named
    an_altered_audit_entry_is_found
    a_schema_that_is_not_ours_is_told_and_its_rows_are_not_asked
}

/// Faults of the rows, and notes.
async fn found(world: &mut World) -> Vec<Rule> {
    let health = check_health(&mut world.db, world.now).await.unwrap();
    assert_eq!((health.damage.as_slice(), health.missing.as_slice()), (&[][..], &[][..]));
    health.found.iter().map(|found| found.rule).collect()
}

/// A talk, a busy number, an open call, and a refusal.
async fn a_day(world: &mut World) {
    for n in 1..=4 {
        world.lead(n).await;
    }
    let leads = world.claim(1, 3).await;
    let intents: Vec<Intent> = leads.iter().map(|lead| world.intent(lead)).collect();
    let mut talk = world.outcome(&intents[0], Outcome::Connected);
    talk.booking = world.booking(true, false);
    talk.after.state = LeadState::Done;
    let busy = world.outcome(&intents[1], Outcome::Busy);
    let said = world.disposition(&intents[0], "SALE");
    let all = intents.iter().map(|intent| StoreCommand::Intent(Box::new(intent.clone())));
    world.run(&all.collect::<Vec<_>>()).await;
    let refusal = world.refusal(outdial::logic::ids::ContactId(4), 4);
    world
        .run(&[
            StoreCommand::Outcome(Box::new(talk)),
            StoreCommand::Outcome(Box::new(busy)),
            StoreCommand::Disposition(Box::new(said)),
            StoreCommand::Suppress(refusal),
        ])
        .await;
}

/// A rule, what breaks it, and what mends it again.
const BROKEN: &[(Rule, &str, &str)] = &[
    (
        Rule::OneInstallation,
        "insert into installation (id, secret, created_ms) values ('x', 'y', 0)",
        "delete from installation where id = 'x'",
    ),
    (
        Rule::EpochsCounted,
        "insert into node (epoch, name, boot, pid, started_ms, lease_until_ms) values (99, 'x', 1, 1, 1, 1)",
        "delete from node where epoch = 99",
    ),
    (
        Rule::EventsInOrder,
        "update counter set value = value + 1 where name = 'event'",
        "update counter set value = value - 1 where name = 'event'",
    ),
    (
        Rule::PhonesOwned,
        "update phone set contact_id = 99 where id = 1002",
        "update phone set contact_id = 2 where id = 1002",
    ),
    (
        Rule::LeadsWhole,
        "update lead set class_id = 99 where contact_id = 2",
        "update lead set class_id = 77 where contact_id = 2",
    ),
    (
        Rule::LeadStates,
        "update lead set state = 9 where contact_id = 2",
        "update lead set state = 0 where contact_id = 2",
    ),
    (
        Rule::ClaimsOwned,
        "update lead set claimed_by = null where contact_id = 3",
        "update lead set claimed_by = 1 where contact_id = 3",
    ),
    (
        Rule::AttemptsWhole,
        "update attempt set node_epoch = 77 where contact_id = 2",
        "update attempt set node_epoch = 1 where contact_id = 2",
    ),
    (
        Rule::OutcomesWhole,
        "update attempt set ended_ms = 5 where contact_id = 3",
        "update attempt set ended_ms = null where contact_id = 3",
    ),
    (
        Rule::FencesHold,
        "update lead set fence = 0 where contact_id = 2",
        "update lead set fence = 1 where contact_id = 2",
    ),
    (
        Rule::AttemptsCounted,
        "update lead set attempts = 7 where contact_id = 2",
        "update lead set attempts = 1 where contact_id = 2",
    ),
    (
        Rule::LegsWhole,
        "insert into leg (id, attempt_id, leg_no, node_epoch, call, started_ms, ended_ms) values (9, 99, 1, 1, '{}', 1, 1)",
        "delete from leg where id = 9",
    ),
    (
        Rule::WordsWhole,
        "insert into disposition (attempt_id, agent_id, code, at_ms) values (99, 1, 'X', 1)",
        "delete from disposition where attempt_id = 99",
    ),
    (
        Rule::LedgerAddsUp,
        "update abandon_window set answered = answered + 1",
        "update abandon_window set answered = answered - 1",
    ),
    (
        Rule::RefusalsKept,
        "update lead set state = 0 where contact_id = 4",
        "update lead set state = 5 where contact_id = 4",
    ),
    (
        Rule::Undisposed,
        "update lead set state = 4 where contact_id = 1",
        "update lead set state = 3 where contact_id = 1",
    ),
];

async fn every_rule_finds_what_it_is_about(world: &mut World) {
    a_day(world).await;
    assert_eq!(found(world).await, []);
    for (rule, breaks, mends) in BROKEN {
        world.sql(breaks).await;
        assert_eq!(found(world).await, [*rule], "{breaks}");
        world.sql(mends).await;
    }
    assert_eq!(found(world).await, []);
    // Both sides alike, so that only the cap is broken.
    world.sql("update abandon_window set abandoned = 1").await;
    world.sql("update attempt set booked_abandoned = 1 where contact_id = 1").await;
    assert_eq!(found(world).await, [Rule::CapKept]);
    world.sql("update abandon_window set debt = 1, ends_ms = 1").await;
    assert_eq!(found(world).await, [Rule::ClosedInDebt], "it may owe one, and closed owing it");
    world.sql("update abandon_window set debt = 0").await;
    world.sql("update abandon_window set fault = 1").await;
    world.sql("update attempt set booked_fault = 1 where contact_id = 1").await;
    assert_eq!(found(world).await, [], "a fault is repaid, it is no broken promise");
    // Its dialer is gone: an open call and its lead wait for the next start.
    world.sql("update node set ended_ms = 1").await;
    assert_eq!(found(world).await, [Rule::LeftOpen, Rule::LeftClaimed]);
    let asked: Vec<Rule> = BROKEN.iter().map(|(rule, ..)| *rule).collect();
    let elsewhere = [Rule::CapKept, Rule::ClosedInDebt, Rule::LeftOpen, Rule::LeftClaimed];
    let all = Rule::ALL.iter().filter(|rule| !elsewhere.contains(rule));
    assert!(all.clone().all(|rule| asked.contains(rule)), "every rule is tried");
}

async fn what_is_missing_is_named(world: &mut World) {
    world.sql("drop index lead_owner; alter table attempt drop column message; drop table model_state").await;
    let health = check_health(&mut world.db, T0).await.unwrap();
    let model = ["model_state.campaign_id", "model_state.name", "model_state.body"];
    let mut wanted = vec!["attempt.message", "lead_owner"];
    wanted.extend(model);
    wanted.sort_unstable();
    let mut missing = health.missing.clone();
    missing.sort();
    assert_eq!(missing, wanted);
    assert_eq!(health.found, []);
}

async fn an_altered_audit_entry_is_found(world: &mut World) {
    a_day(world).await;
    assert_eq!(check_health(&mut world.db, T0).await.unwrap().audit, None);
    world.sql("update audit set who = 'nobody' where seq = 1").await;
    assert_eq!(check_health(&mut world.db, T0).await.unwrap().audit, Some((1, 1)));
}

async fn a_schema_that_is_not_ours_is_told_and_its_rows_are_not_asked(world: &mut World) {
    world.sql("insert into schema_version (version, name, at_ms) values (99, 'x', 0)").await;
    world.sql("delete from installation").await;
    let health = check_health(&mut world.db, T0).await.unwrap();
    assert_eq!((health.schema, health.found), (99, vec![]));
    assert!(health.known < 99);
}
