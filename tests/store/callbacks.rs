//! Promised calls: who may claim them when, and what ends them.

use std::time::Duration;

use outdial::logic::dialer::*;
use outdial::logic::ids::*;
use outdial::logic::outcome::Outcome;
use outdial::logic::time::UtcMs;

use crate::harness::*;

on_both! {
    a_promised_call_is_claimed_at_its_time_and_before_the_list
    promised_calls_of_several_classes_are_claimed_by_their_time_and_closed_ones_wait
    a_personal_promise_is_claimed_for_its_agent_and_later_for_anybody
    a_call_that_counts_keeps_a_promise_and_one_that_nobody_heard_does_not
    a_correction_takes_a_promise_back_and_so_does_a_refusal
    a_promise_ends_with_its_lead
    a_late_promise_brings_a_lead_back_unless_it_is_being_called
}

/// A talk with the next lead that ends in a promise due in two hours.
async fn promise(world: &mut World, claim: u64, owner: Option<AgentId>) -> Intent {
    let intent = world.attempt(claim, Outcome::Connected).await;
    let said = promising(world, &intent, owner);
    world.twice(&[StoreCommand::Disposition(Box::new(said))]).await;
    intent
}

fn promising(world: &mut World, intent: &Intent, owner: Option<AgentId>) -> DispositionRecord {
    let callback = CallbackId(world.id());
    let due = world.now + HOUR * 2;
    let mut said = world.disposition(intent, "CALLBACK");
    said.callback = Some(CallbackRecord { callback, owner, due, window_end: due + HOUR });
    said.after.state = LeadState::Waiting;
    said.after.due = due;
    said.after.gate = Some(Gate::Callback);
    said
}

async fn promote(world: &mut World) -> Promises {
    let (campaign, now) = (world.campaign, world.now);
    let reply = world.one(StoreCommand::Promote { campaign, now, limit: 100 }).await;
    let StoreReply::Promoted { promises, .. } = reply else { panic!("{reply:?}") };
    promises
}

/// Contacts of a claim for `most` promised and `want` other leads.
async fn claim(world: &mut World, n: u64, want: u32, promised: PromisedClaim) -> Vec<i64> {
    let (campaign, now, open_classes) = (world.campaign, world.now, vec![CLASS]);
    let command = StoreCommand::Claim(Claim {
        campaign,
        claim: n,
        want,
        open_classes,
        promised,
        named: None,
        now,
    });
    let reply = world.twice(&[command]).await.remove(0);
    let StoreReply::Claimed(leads) = reply else { panic!("{reply:?}") };
    leads.iter().map(|lead| lead.contact.0).collect()
}

fn of(owners: &[AgentId], anybody_since: UtcMs) -> PromisedClaim {
    PromisedClaim { most: 5, owners: owners.to_vec(), anybody_since }
}

async fn a_promised_call_is_claimed_at_its_time_and_before_the_list(world: &mut World) {
    world.lead(1).await;
    promise(world, 1, None).await;
    world.lead(2).await;
    world.sql("update lead set rank = -1 where contact_id = 2").await;
    assert_eq!(promote(world).await, Promises { open: 1, due: 0, overdue: 0 });
    assert_eq!(claim(world, 2, 0, of(&[], T0)).await, Vec::<i64>::new());
    world.now = T0 + HOUR * 2;
    assert_eq!(promote(world).await, Promises { open: 1, due: 1, overdue: 0 });
    assert_eq!(
        claim(world, 3, 0, of(&[], T0)).await,
        [1],
        "it alone, though the other ranks first"
    );
    world.now = T0 + HOUR * 3;
    assert_eq!(promote(world).await, Promises { open: 1, due: 1, overdue: 1 });
}

async fn promised_calls_of_several_classes_are_claimed_by_their_time_and_closed_ones_wait(
    world: &mut World,
) {
    world
        .sql("insert into calling_class (id, descriptor) values (78, 'open'), (79, 'closed')")
        .await;
    for n in 1..=6 {
        world.lead(n).await;
        let claims = u64::try_from(n).unwrap();
        promise(world, claims, None).await;
        world.now = world.now + Duration::from_secs(60);
    }
    // The oldest of all are those of a class that is closed.
    world.sql("update lead set class_id = case when contact_id <= 2 then 79 else 77 + contact_id % 2 end").await;
    world.now = world.now + HOUR * 3;
    promote(world).await;
    let (campaign, now) = (world.campaign, world.now);
    for (n, most, taken) in [(10, 3, vec![3, 4, 5]), (11, 9, vec![6])] {
        let promised = PromisedClaim { most, owners: vec![], anybody_since: T0 };
        let open_classes = vec![CLASS, ClassId(78)];
        let claim = Claim { campaign, claim: n, want: 9, open_classes, promised, named: None, now };
        let reply = world.twice(&[StoreCommand::Claim(claim)]).await.remove(0);
        let StoreReply::Claimed(leads) = reply else { panic!("{reply:?}") };
        assert_eq!(leads.iter().map(|lead| lead.contact.0).collect::<Vec<_>>(), taken);
    }
}

async fn a_personal_promise_is_claimed_for_its_agent_and_later_for_anybody(world: &mut World) {
    world.lead(1).await;
    promise(world, 1, Some(AGENT)).await;
    world.now = T0 + HOUR * 2;
    promote(world).await;
    let (now, other) = (world.now, AgentId(56));
    assert_eq!(claim(world, 2, 9, of(&[], T0)).await, Vec::<i64>::new());
    assert_eq!(claim(world, 3, 9, of(&[other], T0)).await, Vec::<i64>::new());
    assert_eq!(claim(world, 4, 9, of(&[other, AGENT], T0)).await, [1]);
    let leads = world.claim(4, 9).await;
    assert_eq!(leads[0].promise, Some(Promise { due: now, owner: Some(AGENT) }));
    let after = LeadAfter { state: LeadState::Ready, due: now, gate: None, next_phone: None };
    let (lead, fence) = (leads[0].lead, leads[0].fence);
    world.one(StoreCommand::Release(Release { lead, fence, after })).await;
    assert_eq!(claim(world, 5, 9, of(&[], now)).await, [1], "due for long enough");
}

async fn a_call_that_counts_keeps_a_promise_and_one_that_nobody_heard_does_not(world: &mut World) {
    world.lead(1).await;
    promise(world, 1, Some(AGENT)).await;
    for (n, outcome, state, owner) in
        [(2, Outcome::Congestion, 0, 55), (3, Outcome::NoAnswer, 2, -1)]
    {
        world.now = world.now + HOUR * 2;
        promote(world).await;
        assert_eq!(claim(world, n, 0, of(&[AGENT], T0)).await, [1]);
        let leads = world.claim(n, 0).await;
        let intent = world.intent(&leads[0]);
        let mut record = world.outcome(&intent, outcome);
        record.after.state = LeadState::Waiting;
        world
            .twice(&[
                StoreCommand::Intent(Box::new(intent)),
                StoreCommand::Outcome(Box::new(record)),
            ])
            .await;
        let row =
            "select c.state, l.owner_agent_id from callback c join lead l on l.id = c.lead_id";
        assert_eq!(world.numbers(row).await, [state, owner], "{outcome}");
    }
    assert_eq!(promote(world).await, Promises::default());
}

async fn a_promise_ends_with_its_lead(world: &mut World) {
    for (n, state) in [(1, LeadState::Done), (2, LeadState::Blocked), (3, LeadState::Waiting)] {
        world.lead(n).await;
        let claims = u64::try_from(n).unwrap() * 2;
        promise(world, claims, None).await;
        world.now = world.now + HOUR * 2;
        promote(world).await;
        assert_eq!(claim(world, claims + 1, 0, of(&[], T0)).await, [n]);
        let leads = world.claim(claims + 1, 0).await;
        // The last gate finds no attempt left; or a gate that may open again.
        let after = LeadAfter { state, due: world.now, gate: Some(Gate::Total), next_phone: None };
        let (lead, fence) = (leads[0].lead, leads[0].fence);
        world.twice(&[StoreCommand::Release(Release { lead, fence, after })]).await;
        assert_eq!(promote(world).await.open, u64::from(state == LeadState::Waiting), "{state:?}");
    }
}

async fn a_correction_takes_a_promise_back_and_so_does_a_refusal(world: &mut World) {
    world.lead(1).await;
    let first = promise(world, 1, Some(AGENT)).await;
    world.now = world.now + HOUR;
    let sold = world.disposition(&first, "SALE");
    world.twice(&[StoreCommand::Disposition(Box::new(sold))]).await;
    assert_eq!(promote(world).await, Promises::default());
    let second = promising(world, &first, None);
    let second = DispositionRecord { at: UtcMs(second.at.0 + 1), ..second };
    world.one(StoreCommand::Disposition(Box::new(second))).await;
    assert_eq!(promote(world).await.open, 1, "the last word counts");
    let refusal = world.refusal(first.contact, 1);
    world.twice(&[StoreCommand::Suppress(refusal)]).await;
    assert_eq!(promote(world).await, Promises::default());
    let mut third = promising(world, &first, None);
    third.at = third.at + HOUR;
    world.one(StoreCommand::Disposition(Box::new(third))).await;
    assert_eq!(promote(world).await, Promises::default(), "who refused is promised nothing");
}

async fn a_late_promise_brings_a_lead_back_unless_it_is_being_called(world: &mut World) {
    world.lead(1).await;
    let first = world.attempt(1, Outcome::Abandoned).await;
    world.now = world.now + HOUR * 2;
    let leads = world.claim(2, 1).await;
    let said = promising(world, &first, None);
    world.one(StoreCommand::Disposition(Box::new(said))).await;
    assert_eq!(world.numbers("select state from lead").await, [2], "it is being called");
    let intent = world.intent(&leads[0]);
    let mut record = world.outcome(&intent, Outcome::Busy);
    record.after.state = LeadState::Done;
    world
        .run(&[StoreCommand::Intent(Box::new(intent)), StoreCommand::Outcome(Box::new(record))])
        .await;
    assert_eq!(promote(world).await, Promises::default(), "that call was the promised one");
    let mut again = promising(world, &first, None);
    again.at = again.at + HOUR;
    world.one(StoreCommand::Disposition(Box::new(again))).await;
    assert_eq!(world.numbers("select state from lead").await, [1]);
    assert_eq!(promote(world).await.open, 1);
}
