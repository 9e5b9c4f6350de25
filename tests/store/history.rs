//! What a rehearsal and a plan ask of the database.

use outdial::logic::dialer::*;
use outdial::logic::outcome::Outcome;
use outdial::logic::time::UtcMs;
use outdial::store::{
    campaign_text, history_calls, history_states, keep_campaign_text, open_leads,
};

use crate::harness::*;

on_both! {
    calls_that_are_over_come_back_with_the_word_that_was_said
    the_list_is_what_may_still_be_called_with_its_earlier_calls
    the_file_kept_last_is_the_one_that_counts
}

async fn calls_that_are_over_come_back_with_the_word_that_was_said(world: &mut World) {
    let (talk, busy, open) = (world.open(1).await, world.open(2).await, world.open(3).await);
    let record = world.outcome(&talk, Outcome::Connected);
    world.one(StoreCommand::Outcome(Box::new(record))).await;
    let said = world.disposition(&talk, "SALE");
    world.one(StoreCommand::Disposition(Box::new(said))).await;
    let record = world.outcome(&busy, Outcome::Busy);
    world.one(StoreCommand::Outcome(Box::new(record))).await;
    let campaign = world.campaign;
    let calls = history_calls(&mut world.db, campaign, UtcMs(0), 10).await.unwrap();
    let mut seen: Vec<_> = calls.iter().map(|call| (call.outcome, call.said.as_deref())).collect();
    seen.sort_unstable();
    assert_eq!(
        seen,
        [(Outcome::Connected, Some("SALE")), (Outcome::Busy, None)],
        "{open:?} is open"
    );
    assert!(calls.iter().all(|call| call.attempt_no == 1));
    let later = UtcMs(i64::MAX);
    assert_eq!(history_calls(&mut world.db, campaign, later, 10).await.unwrap(), []);
    // Nobody told a state, but the question is understood.
    assert_eq!(history_states(&mut world.db, campaign, UtcMs(0), 10).await.unwrap(), []);
}

async fn the_list_is_what_may_still_be_called_with_its_earlier_calls(world: &mut World) {
    let (again, done) = (world.open(1).await, world.open(2).await);
    world.lead(3).await;
    let mut record = world.outcome(&again, Outcome::NoAnswer);
    record.after.state = LeadState::Waiting;
    record.after.due = UtcMs(world.now.0 + 60_000);
    world.one(StoreCommand::Outcome(Box::new(record))).await;
    let mut record = world.outcome(&done, Outcome::Connected);
    record.after.state = LeadState::Done;
    world.one(StoreCommand::Outcome(Box::new(record))).await;
    let (campaign, seller) = (world.campaign, again.seller);
    let leads = open_leads(&mut world.db, campaign, seller, UtcMs(0), 10).await.unwrap();
    let seen: Vec<_> =
        leads.iter().map(|lead| (lead.state, lead.attempts, lead.called.len())).collect();
    assert_eq!(seen, [(LeadState::Ready, 0, 0), (LeadState::Waiting, 1, 1)]);
    assert_eq!(leads[1].last_outcome, Some(Outcome::NoAnswer));
    assert_eq!(leads[1].phones[0].0, again.phone.key);
    assert_eq!(open_leads(&mut world.db, campaign, seller, UtcMs(0), 1).await.unwrap().len(), 1);
}

async fn the_file_kept_last_is_the_one_that_counts(world: &mut World) {
    let campaign = world.campaign;
    assert_eq!(campaign_text(&mut world.db, campaign).await.unwrap(), None);
    for text in ["name = \"one\"", "name = \"two\"\n# 変更"] {
        keep_campaign_text(&mut world.db, campaign, text).await.unwrap();
        assert_eq!(campaign_text(&mut world.db, campaign).await.unwrap().as_deref(), Some(text));
    }
}
