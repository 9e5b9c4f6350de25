//! Claim, intent, outcome, disposition, refusal: what each does, and that a repeat does it once.

use outdial::logic::dialer::*;
use outdial::logic::ids::*;
use outdial::logic::outcome::Outcome;
use outdial::logic::sip::user_agent::RemoteDialog;
use outdial::logic::time::UtcMs;
use outdial::store::{Engine, check_audit, run_batch_isolating, upsert_campaign};

use crate::harness::*;

on_both! {
    a_lead_is_claimed_dialed_and_ended_once
    every_command_may_be_repeated
    claims_follow_rank_and_leave_closed_classes
    waiting_leads_become_ready_when_due
    a_lost_lease_starts_nothing
    a_paused_campaign_and_a_dead_node_start_nothing
    caps_count_calls_of_all_campaigns_of_the_seller
    the_gap_and_the_total_hold
    undelivered_calls_are_limited_by_the_hour
    who_may_have_met_silence_is_remembered_until_a_call_counts
    one_live_call_to_a_number_in_the_whole_installation
    intents_of_one_batch_see_each_other
    a_refusal_stops_a_lead_that_another_campaign_prefetched
    a_refusal_in_the_same_batch_stops_the_intent
    a_blocked_lead_stays_blocked_when_its_call_ends
    a_number_is_suspect_first_and_then_invalid
    a_command_the_database_refuses_spoils_no_other
    the_audit_log_is_a_chain
}

fn refused(until: Option<UtcMs>, gate: Gate) -> StoreReply {
    StoreReply::Refused { gate, until }
}

fn intend(intent: &Intent) -> StoreCommand {
    StoreCommand::Intent(Box::new(intent.clone()))
}

fn end(record: OutcomeRecord) -> StoreCommand {
    StoreCommand::Outcome(Box::new(record))
}

async fn a_lead_is_claimed_dialed_and_ended_once(world: &mut World) {
    let (contact, lead) = world.lead(1).await;
    let claimed = world.claim(1, 10).await;
    assert_eq!(claimed.len(), 1);
    let first = &claimed[0];
    assert_eq!((first.lead, first.contact, first.fence), (lead, contact, 1));
    assert_eq!(first.fields, [("plan".to_owned(), "A".to_owned())]);
    assert_eq!(first.phones[0].zones, ["Asia/Tokyo"]);
    assert!(world.claim(2, 10).await.is_empty());
    let intent = world.intent(first);
    assert_eq!(world.one(intend(&intent)).await, StoreReply::Saved);
    let mut record = world.outcome(&intent, Outcome::Busy);
    record.after.state = LeadState::Waiting;
    record.after.due = world.now + HOUR;
    record.sip_status = Some(486);
    assert_eq!(world.one(end(record)).await, StoreReply::Done);
    let counts = LeadCounts { waiting: 1, next_due: Some(T0 + HOUR), ..LeadCounts::default() };
    let campaign = world.campaign;
    assert_eq!(world.one(StoreCommand::Count { campaign }).await, StoreReply::Counted(counts));
    let row = world
        .numbers("select a.sip_status, a.ended_ms, a.attempt_no, l.attempts, l.same_outcome, g.ended_ms from attempt a \
                  join lead l on l.id = a.lead_id join leg g on g.attempt_id = a.id")
        .await;
    assert_eq!(row, [486, T0.0, 1, 1, 1, T0.0]);
}

async fn every_command_may_be_repeated(world: &mut World) {
    let (contact, _) = world.lead(1).await;
    world.lead(2).await;
    world.lead(3).await;
    let claim = world.claim_command(1, 2);
    let replies = world.twice(&[claim]).await;
    let StoreReply::Claimed(leads) = &replies[0] else { panic!("{replies:?}") };
    let (one, two) = (world.intent(&leads[0]), world.intent(&leads[1]));
    assert_eq!(
        world.twice(&[intend(&one), intend(&two)]).await,
        [StoreReply::Saved, StoreReply::Saved]
    );
    let dialog = RemoteDialog {
        remote_tag: "t".to_owned(),
        remote_target: "sip:x@192.0.2.1".to_owned(),
        route_set: vec!["<sip:192.0.2.9;lr>".to_owned()],
        cseq: 2,
    };
    let at = world.now;
    let shift = LegId(world.id());
    let call = "{}".to_owned();
    let (campaign, attempt) = (world.campaign, Some(one.attempt));
    let by = "test".to_owned();
    world
        .twice(&[
            StoreCommand::AgentLeg(AgentLeg { leg: shift, agent: AGENT, call, now: at }),
            StoreCommand::LegAnswered(LegAnswered {
                leg: shift,
                attempt: None,
                dialog: dialog.clone(),
                at,
            }),
            StoreCommand::LegAnswered(LegAnswered { leg: one.leg, attempt, dialog, at }),
            StoreCommand::Connected { attempt: one.attempt, agent: AGENT, at, given_up: None },
            StoreCommand::LegEnded(LegEnded {
                leg: shift,
                sip_status: Some(200),
                q850: Some(16),
                at,
            }),
            StoreCommand::AgentState(AgentStateRecord {
                agent: AGENT,
                at,
                seq: 1,
                state: "ready",
                reason: None,
            }),
            StoreCommand::CampaignState {
                campaign,
                state: CampaignState::Paused,
                at,
                by: by.clone(),
            },
            StoreCommand::CampaignState {
                campaign,
                state: CampaignState::Running,
                at: UtcMs(at.0 + 1),
                by,
            },
            StoreCommand::Heartbeat { until: at + DAY * 500, now: at },
        ])
        .await;
    let mut spoke = world.outcome(&one, Outcome::Connected);
    spoke.after.state = LeadState::Held;
    let lost = world.outcome(&two, Outcome::Unknown);
    let mut known = world.outcome(&two, Outcome::NoAnswer);
    known.phone = Some(PhoneAfter::Good { phone: two.phone.phone });
    world.twice(&[end(spoke), end(lost), end(known)]).await;
    let mut said = world.disposition(&one, "CALLBACK");
    let callback = CallbackId(world.id());
    let (due, window_end) = (at + HOUR, at + HOUR * 2);
    said.callback = Some(CallbackRecord { callback, owner: Some(AGENT), due, window_end });
    let mut corrected = world.disposition(&one, "REFUSED");
    corrected.at = UtcMs(at.0 + 5);
    corrected.suppress = Some(world.refusal(contact, 1));
    world
        .twice(&[
            StoreCommand::Disposition(Box::new(said)),
            StoreCommand::Disposition(Box::new(corrected)),
        ])
        .await;
    assert_eq!(world.numbers("select state from callback").await, [1]);
    let other = world.refusal(ContactId(3), 3);
    world.twice(&[StoreCommand::Suppress(other)]).await;
    let third = world.claim(2, 5).await;
    assert_eq!(third.len(), 1, "the second lead is ready again, the third one is blocked");
    let after =
        LeadAfter { state: LeadState::Waiting, due: at, gate: Some(Gate::Hours), next_phone: None };
    let release = Release { lead: third[0].lead, fence: third[0].fence, after };
    world.twice(&[StoreCommand::Release(release), StoreCommand::Count { campaign }]).await;
}

async fn claims_follow_rank_and_leave_closed_classes(world: &mut World) {
    for n in 1..=6 {
        world.lead(n).await;
    }
    world.sql("update lead set rank = 100 - contact_id; update lead set class_id = 78 where contact_id = 5").await;
    let first: Vec<_> = world.claim(1, 3).await.iter().map(|lead| lead.contact.0).collect();
    assert_eq!(first, [6, 4, 3], "by rank; the fifth one's hours are closed");
    let (campaign, now) = (world.campaign, world.now);
    let open_classes = vec![CLASS, ClassId(78)];
    let promised = PromisedClaim::default();
    let both = Claim { campaign, claim: 2, want: 2, open_classes, promised, named: None, now };
    let StoreReply::Claimed(leads) = world.one(StoreCommand::Claim(both)).await else { panic!() };
    assert_eq!(leads.iter().map(|lead| lead.contact.0).collect::<Vec<_>>(), [5, 2]);
}

async fn waiting_leads_become_ready_when_due(world: &mut World) {
    for n in 1..=3 {
        world.lead(n).await;
    }
    world.sql(&format!("update lead set state = 1, due_ms = {} + contact_id", T0.0)).await;
    let campaign = world.campaign;
    let promote = |by, limit| StoreCommand::Promote { campaign, now: UtcMs(T0.0 + by), limit };
    let promoted = |promoted, next: Option<i64>| StoreReply::Promoted {
        promoted,
        next_due: next.map(|by| UtcMs(T0.0 + by)),
        promises: Promises::default(),
    };
    assert_eq!(world.one(promote(0, 9)).await, promoted(0, Some(1)));
    assert_eq!(world.one(promote(3, 2)).await, promoted(2, Some(3)));
    assert_eq!(world.one(promote(3, 2)).await, promoted(1, None));
    assert_eq!(world.claim(1, 9).await.len(), 3);
}

async fn a_lost_lease_starts_nothing(world: &mut World) {
    world.lead(1).await;
    let leads = world.claim(1, 1).await;
    let intent = world.intent(&leads[0]);
    world.sql("update lead set fence = 2").await;
    assert_eq!(world.one(intend(&intent)).await, refused(None, Gate::LeaseLost));
    let after = LeadAfter { state: LeadState::Ready, due: T0, gate: None, next_phone: None };
    let release = Release { lead: intent.lead, fence: 1, after };
    assert_eq!(world.one(StoreCommand::Release(release)).await, StoreReply::Done);
    assert_eq!(world.numbers("select state, fence from lead").await, [2, 2]);
    assert_eq!(world.numbers("select count(*) from attempt").await, [0]);
}

async fn a_paused_campaign_and_a_dead_node_start_nothing(world: &mut World) {
    world.lead(1).await;
    let leads = world.claim(1, 1).await;
    let intent = world.intent(&leads[0]);
    world.sql("update campaign set state = 'paused'").await;
    assert_eq!(world.one(intend(&intent)).await, refused(None, Gate::CampaignState));
    world.sql(&format!("update node set lease_until_ms = {}", T0.0)).await;
    assert_eq!(
        world.one(intend(&intent)).await,
        refused(None, Gate::NodeLease),
        "asked before the campaign"
    );
    let beat = StoreCommand::Heartbeat { until: T0 + HOUR, now: T0 };
    assert_eq!(world.one(beat.clone()).await, StoreReply::Done);
    world.sql("update campaign set state = 'running'; update node set ended_ms = 1").await;
    assert_eq!(world.one(beat).await, refused(None, Gate::NodeLease));
    assert_eq!(world.one(intend(&intent)).await, refused(None, Gate::NodeLease));
    world.sql("update node set ended_ms = null").await;
    assert_eq!(world.one(intend(&intent)).await, StoreReply::Saved);
}

async fn caps_count_calls_of_all_campaigns_of_the_seller(world: &mut World) {
    world.lead(1).await;
    let start = world.now;
    world.attempt(1, Outcome::Busy).await;
    // The same person in another campaign of the seller; a call of no use to the caps in between.
    let autumn =
        upsert_campaign(&mut world.db, &mut world.ids, "autumn", "Acme", T0, true).await.unwrap();
    assert_eq!(autumn.seller, world.seller);
    world.campaign = autumn.id;
    world.lead_of(1, autumn.id).await;
    world.now = start + HOUR * 2;
    world.attempt(2, Outcome::Congestion).await;
    world.now = start + HOUR * 4;
    world.attempt(3, Outcome::NoAnswer).await;
    world.now = start + HOUR * 6;
    let leads = world.claim(4, 1).await;
    let intent = world.intent(&leads[0]);
    assert_eq!(world.one(intend(&intent)).await, refused(Some(start + DAY), Gate::PerDay));
    // The first call leaves the window: one more.
    let mut later = intent.clone();
    later.now = start + DAY;
    later.per_30_days = 2;
    assert_eq!(world.one(intend(&later)).await, refused(Some(start + DAY * 30), Gate::Per30Days));
    later.per_30_days = 3;
    later.per_day = 0;
    assert_eq!(world.one(intend(&later)).await, refused(None, Gate::PerDay), "closed for good");
    later.per_day = 2;
    assert_eq!(world.one(intend(&later)).await, StoreReply::Saved);
}

async fn the_gap_and_the_total_hold(world: &mut World) {
    world.lead(1).await;
    world.attempt(1, Outcome::Busy).await;
    let leads = world.claim(2, 1).await;
    let mut intent = world.intent(&leads[0]);
    assert_eq!(world.one(intend(&intent)).await, refused(Some(T0 + HOUR), Gate::MinGap));
    intent.total = 1;
    assert_eq!(world.one(intend(&intent)).await, refused(None, Gate::Total));
    intent.total = 2;
    intent.now = T0 + HOUR;
    assert_eq!(world.one(intend(&intent)).await, StoreReply::Saved);
}

async fn undelivered_calls_are_limited_by_the_hour(world: &mut World) {
    world.lead(1).await;
    for claim in 1..=3 {
        world.attempt(claim, Outcome::Congestion).await;
        world.now = UtcMs(world.now.0 + 1000);
    }
    let leads = world.claim(4, 1).await;
    assert_eq!((leads[0].attempts, leads[0].same_outcome), (0, 3));
    let mut intent = world.intent(&leads[0]);
    assert_eq!(world.one(intend(&intent)).await, refused(Some(T0 + HOUR), Gate::Undelivered));
    intent.now = T0 + HOUR;
    assert_eq!(world.one(intend(&intent)).await, StoreReply::Saved);
}

async fn who_may_have_met_silence_is_remembered_until_a_call_counts(world: &mut World) {
    world.lead(1).await;
    let said = [
        (Outcome::Unknown, Outcome::Unknown),
        // Nobody heard of these: the next call is still the first one since.
        (Outcome::Congestion, Outcome::Unknown),
        (Outcome::NotPlaced, Outcome::Unknown),
        (Outcome::Busy, Outcome::Busy),
        (Outcome::Congestion, Outcome::Congestion),
    ];
    for (claim, (outcome, last)) in (1..).zip(said) {
        let intent = world.attempt(claim * 2, outcome).await;
        world.now = world.now + DAY;
        let leads = world.claim(claim * 2 + 1, 1).await;
        assert_eq!((leads[0].last_outcome, leads[0].same_outcome), (Some(last), 1), "{outcome}");
        let after = world.outcome(&intent, outcome).after;
        let (lead, fence) = (leads[0].lead, leads[0].fence);
        world.one(StoreCommand::Release(Release { lead, fence, after })).await;
    }
}

async fn one_live_call_to_a_number_in_the_whole_installation(world: &mut World) {
    world.lead(1).await;
    let first = world.claim(1, 1).await;
    let first = world.intent(&first[0]);
    assert_eq!(world.one(intend(&first)).await, StoreReply::Saved);
    // Another seller's contact has the same number.
    let other =
        upsert_campaign(&mut world.db, &mut world.ids, "other", "Bolt", T0, true).await.unwrap();
    world.contact(2, other.seller).await;
    world.sql(&format!("update phone set key = '{0}', number = '{0}'", number(1))).await;
    world.campaign = other.id;
    world.lead_of(2, other.id).await;
    let second = world.claim(2, 1).await;
    let second = world.intent(&second[0]);
    assert_eq!(world.one(intend(&second)).await, refused(None, Gate::NumberBusy));
    let ended = world.outcome(&first, Outcome::Busy);
    let replies = world.run(&[intend(&second), end(ended)]).await;
    assert_eq!(replies, [StoreReply::Saved, StoreReply::Done], "an outcome takes effect first");
}

async fn intents_of_one_batch_see_each_other(world: &mut World) {
    for n in 1..=3 {
        world.lead(n).await;
    }
    world
        .sql(&format!(
            "update phone set key = '{0}', number = '{0}' where contact_id < 3",
            number(1)
        ))
        .await;
    let leads = world.claim(1, 3).await;
    let intents: Vec<_> = leads.iter().map(|lead| world.intent(lead)).collect();
    let mut again = intents[2].clone();
    again.attempt = AttemptId(world.id());
    let batch: Vec<_> = intents.iter().chain([&again]).map(intend).collect();
    let replies = world.run(&batch).await;
    let expected = [
        StoreReply::Saved,
        refused(None, Gate::NumberBusy),
        StoreReply::Saved,
        refused(None, Gate::LeaseLost),
    ];
    assert_eq!(replies, expected);
}

async fn a_refusal_stops_a_lead_that_another_campaign_prefetched(world: &mut World) {
    let (contact, _) = world.lead(1).await;
    let autumn =
        upsert_campaign(&mut world.db, &mut world.ids, "autumn", "Acme", T0, true).await.unwrap();
    world.lead_of(1, autumn.id).await;
    world.campaign = autumn.id;
    let prefetched = world.claim(1, 1).await;
    let refusal = world.refusal(contact, 1);
    world.one(StoreCommand::Suppress(refusal)).await;
    let intent = world.intent(&prefetched[0]);
    assert_eq!(world.one(intend(&intent)).await, refused(None, Gate::Suppressed));
    let after = LeadAfter { state: LeadState::Waiting, due: T0, gate: None, next_phone: None };
    let (lead, fence) = (intent.lead, intent.fence);
    world.one(StoreCommand::Release(Release { lead, fence, after })).await;
    assert_eq!(world.numbers("select count(*), min(state), max(state) from lead").await, [2, 5, 5]);
}

async fn a_refusal_in_the_same_batch_stops_the_intent(world: &mut World) {
    world.lead(1).await;
    world.lead(2).await;
    let leads = world.claim(1, 2).await;
    let intent = world.intent(&leads[0]);
    // By the number alone, before any lead is looked at.
    let mut refusal = world.refusal(intent.contact, 1);
    refusal.contact = None;
    let replies = world.run(&[intend(&intent), StoreCommand::Suppress(refusal)]).await;
    assert_eq!(replies, [refused(None, Gate::Suppressed), StoreReply::Done]);
    let free = world.intent(&leads[1]);
    world
        .sql("insert into suppression (id, scope, seller_id, key, reason, proof, at_ms) values (1, 'seller', 0, '', 'law', '', 0)")
        .await;
    assert_eq!(
        world.one(intend(&free)).await,
        refused(None, Gate::Suppressed),
        "everybody is suppressed"
    );
    world.sql("update suppression set lifted_ms = 1").await;
    assert_eq!(world.one(intend(&free)).await, StoreReply::Saved);
}

async fn a_blocked_lead_stays_blocked_when_its_call_ends(world: &mut World) {
    let (contact, _) = world.lead(1).await;
    let leads = world.claim(1, 1).await;
    let intent = world.intent(&leads[0]);
    world.one(intend(&intent)).await;
    let refusal = world.refusal(contact, 1);
    world.one(StoreCommand::Suppress(refusal)).await;
    let mut record = world.outcome(&intent, Outcome::NoAnswer);
    record.after.state = LeadState::Waiting;
    world.one(end(record)).await;
    let row = world.numbers("select state, attempts, claimed_by from lead").await;
    assert_eq!(row, [5, 1, -1], "the fact is kept, the lead does not come back");
}

async fn a_number_is_suspect_first_and_then_invalid(world: &mut World) {
    world.lead(1).await;
    let leads = world.claim(1, 1).await;
    let intent = world.intent(&leads[0]);
    world.one(intend(&intent)).await;
    let mut record = world.outcome(&intent, Outcome::Invalid);
    let phone = intent.phone.phone;
    record.phone = Some(PhoneAfter::Suspect { phone, day: 20_000 });
    world.one(end(record)).await;
    let leads = world.claim(2, 1).await;
    assert_eq!(leads[0].phones[0].suspect_day, Some(20_000));
    world.now = T0 + DAY;
    let intent = world.intent(&leads[0]);
    world.one(intend(&intent)).await;
    let mut record = world.outcome(&intent, Outcome::Invalid);
    record.phone = Some(PhoneAfter::Invalid { phone });
    world.one(end(record)).await;
    assert!(world.claim(3, 1).await[0].phones.is_empty());
}

async fn a_command_the_database_refuses_spoils_no_other(world: &mut World) {
    for n in 1..=5 {
        world.lead(n).await;
    }
    let leads = world.claim(1, 5).await;
    let mut intents: Vec<_> = leads.iter().map(|lead| world.intent(lead)).collect();
    // PostgreSQL refuses U+0000 in a text, SQLite does not: each is shown a row it cannot take.
    let bad = if world.db.engine() == Engine::Postgres {
        intents[3].call = "\0".to_owned();
        intend(&intents[3])
    } else {
        world.sql("create trigger no_fourth before insert on leg when new.call = 'bad' begin select raise(abort, 'no'); end").await;
        intents[3].call = "bad".to_owned();
        intend(&intents[3])
    };
    let mut batch: Vec<_> = intents.iter().map(intend).collect();
    batch[3] = bad;
    let replies = run_batch_isolating(&mut world.db, &world.node, &batch).await.unwrap();
    for (at, reply) in replies.iter().enumerate() {
        match reply {
            Ok(reply) => assert_eq!((at == 3, reply), (false, &StoreReply::Saved)),
            Err(error) => assert!(at == 3 && !error.is_retryable(), "{error}"),
        }
    }
    assert_eq!(world.numbers("select count(*) from attempt").await, [4]);
}

async fn the_audit_log_is_a_chain(world: &mut World) {
    for n in 1..=3 {
        let (contact, _) = world.lead(n).await;
        let refusal = world.refusal(contact, n);
        world.one(StoreCommand::Suppress(refusal)).await;
    }
    assert_eq!(check_audit(&mut world.db).await.unwrap(), None);
    world.sql("update audit set body = '{}' where seq = 2").await;
    let epoch = i64::from(world.node.epoch);
    assert_eq!(check_audit(&mut world.db).await.unwrap(), Some((epoch, 2)));
}
