//! What `outdial why` reads: the gates answer as they do at the last moment before a call.

use outdial::logic::dialer::*;
use outdial::logic::gate::Answer;
use outdial::logic::ids::*;
use outdial::logic::outcome::Outcome;
use outdial::logic::time::UtcMs;
use outdial::store::*;

use crate::harness::*;

on_both! {
    every_gate_answers_and_the_first_closed_one_is_the_refusal_of_the_intent
    a_person_is_found_by_number_own_id_and_attempt
    all_that_holds_a_person_back_is_told
    leads_are_counted_behind_each_gate
}

/// Answers, and what the database says to that very intent, must agree.
async fn asked(world: &mut World, intent: &Intent) -> Vec<Gate> {
    let answers = ask_gates(&mut world.db, std::slice::from_ref(intent)).await.unwrap();
    let refused = match Answer::first_closed(answers[0]) {
        Some((gate, until)) => StoreReply::Refused { gate, until },
        None => StoreReply::Saved,
    };
    assert_eq!(world.one(StoreCommand::Intent(Box::new(intent.clone()))).await, refused);
    answers[0].iter().filter(|answer| answer.open.is_err()).map(|answer| answer.gate).collect()
}

async fn every_gate_answers_and_the_first_closed_one_is_the_refusal_of_the_intent(
    world: &mut World,
) {
    world.lead(1).await;
    for claim in 1..=2 {
        world.attempt(claim, Outcome::Busy).await;
        world.now = world.now + HOUR * 2;
    }
    world.now = UtcMs(world.now.0 - 1);
    let leads = world.claim(3, 1).await;
    let mut intent = world.intent(&leads[0]);
    intent.min_gap = HOUR * 3;
    intent.per_30_days = 2;
    intent.total = 2;
    assert_eq!(
        asked(world, &intent).await,
        [Gate::Total, Gate::PerDay, Gate::Per30Days, Gate::MinGap]
    );
    world.sql("update campaign set state = 'paused'").await;
    intent.total = 9;
    assert_eq!(
        asked(world, &intent).await,
        [Gate::CampaignState, Gate::PerDay, Gate::Per30Days, Gate::MinGap]
    );
    world.sql("update campaign set state = 'running'").await;
    let refusal = world.refusal(ContactId(77), 1);
    world.one(StoreCommand::Suppress(Suppress { contact: None, ..refusal })).await;
    world.sql("update lead set state = 2").await;
    (intent.per_day, intent.per_30_days, intent.min_gap) = (9, 9, HOUR);
    assert_eq!(asked(world, &intent).await, [Gate::Suppressed]);
    world.sql("update suppression set lifted_ms = 1").await;
    assert_eq!(asked(world, &intent).await, []);
    let answers = ask_gates(&mut world.db, &[intent]).await.unwrap();
    let busy = Answer::first_closed(answers[0]).map(|(gate, _)| gate);
    assert_eq!(busy, Some(Gate::NumberBusy), "that call is under way now");
}

async fn a_person_is_found_by_number_own_id_and_attempt(world: &mut World) {
    world.lead(1).await;
    let intent = world.attempt(1, Outcome::Busy).await;
    world.lead(2).await;
    world.sql(&format!("update phone set key = '{}' where contact_id = 2", number(1))).await;
    let (one, two) = (ContactId(1), ContactId(2));
    for (text, keys, found) in [
        ("nobody", vec![], vec![]),
        ("X2", vec![], vec![two]),
        (intent.public_ref.as_str(), vec![], vec![one]),
        ("?", vec![number(1), number(9)], vec![one, two]),
        ("X1", vec![number(1)], vec![one, two]),
    ] {
        assert_eq!(find_people(&mut world.db, text, &keys).await.unwrap(), found, "{text}");
    }
}

async fn all_that_holds_a_person_back_is_told(world: &mut World) {
    world.lead(1).await;
    world.lead(2).await;
    world.sql("insert into agent (id, name) values (55, 'ann')").await;
    let intent = world.attempt(1, Outcome::Connected).await;
    let mut said = world.disposition(&intent, "CALLBACK");
    let callback = CallbackId(world.id());
    let due = world.now + HOUR;
    said.callback = Some(CallbackRecord { callback, owner: Some(AGENT), due, window_end: due });
    said.after.state = LeadState::Waiting;
    said.after.due = due;
    said.after.gate = Some(Gate::Callback);
    world.one(StoreCommand::Disposition(Box::new(said))).await;
    let someone = person(&mut world.db, intent.contact).await.unwrap().unwrap();
    assert_eq!(someone.seller_name, "Acme");
    assert_eq!(someone.external_id.as_deref(), Some("X1"));
    assert_eq!(someone.phones[0].0.key, number(1));
    let lead = &someone.leads[0];
    assert_eq!((lead.state, lead.gate), (LeadState::Waiting, Some(Gate::Callback)));
    assert_eq!((lead.due, lead.attempts, lead.fence), (due, 1, 1));
    assert_eq!(lead.promise, Some(Promise { due, owner: Some(AGENT) }));
    assert_eq!(lead.promised_by.as_deref(), Some("ann"));
    assert_eq!((lead.campaign_name.as_str(), lead.descriptor.as_str()), ("spring", "JP"));
    assert_eq!(lead.held_by, None);
    let calls = attempts_to(&mut world.db, someone.seller, intent.contact, 9).await.unwrap();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].public_ref, intent.public_ref);
    let refusal = world.refusal(intent.contact, 1);
    world.one(StoreCommand::Suppress(refusal)).await;
    let someone = person(&mut world.db, intent.contact).await.unwrap().unwrap();
    let scopes: Vec<_> = someone.suppressions.iter().map(|row| row.scope.as_str()).collect();
    assert!(scopes.contains(&"person") && scopes.contains(&"number"), "{scopes:?}");
    assert_eq!(someone.leads[0].state, LeadState::Blocked);
    let claimed = world.claim(2, 1).await;
    let next = person(&mut world.db, claimed[0].contact).await.unwrap().unwrap();
    assert_eq!(next.leads[0].held_by.as_deref(), Some("here"));
    assert_eq!(person(&mut world.db, ContactId(99)).await.unwrap(), None);
}

async fn leads_are_counted_behind_each_gate(world: &mut World) {
    for n in 1..=6 {
        world.lead(n).await;
    }
    world
        .sql(
            "update lead set state = 1, gate = 'hours', due_ms = 50 + contact_id where contact_id in (2, 3); \
             update lead set state = 5, gate = 'suppressed' where contact_id = 4",
        )
        .await;
    let campaign = world.campaign;
    let counts: Vec<_> = gate_counts(&mut world.db, campaign)
        .await
        .unwrap()
        .iter()
        .map(|count| (count.state, count.gate, count.leads, count.first_due.0))
        .collect();
    assert_eq!(
        counts,
        [
            (LeadState::Ready, None, 3, 0),
            (LeadState::Waiting, Some(Gate::Hours), 2, 52),
            (LeadState::Blocked, Some(Gate::Suppressed), 1, 0),
        ]
    );
    let last = person(&mut world.db, ContactId(6)).await.unwrap().unwrap();
    assert_eq!(last.leads[0].before, 2, "two ready ones rank before it");
}
