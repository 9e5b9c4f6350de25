//! What a rehearsal and a plan ask of the database.

use outdial::logic::dialer::*;
use outdial::logic::outcome::Outcome;
use outdial::logic::time::UtcMs;
use outdial::store::{
    HistoryCall, campaign_text, history_calls, history_states, keep_campaign_text, open_leads,
};

use crate::harness::*;
use crate::reports::talk;

on_both! {
    calls_that_are_over_come_back_with_the_word_that_was_said
    the_list_is_what_may_still_be_called_with_its_earlier_calls
    what_was_spoiled_by_hand_is_not_told_where_it_is_a_persons
    the_file_kept_last_is_the_one_that_counts
}

async fn calls_that_are_over_come_back_with_the_word_that_was_said(world: &mut World) {
    let spoken = talk(world, 1).await;
    let said = world.disposition(&spoken, "SALE");
    world.one(StoreCommand::Disposition(Box::new(said))).await;
    let (busy, open) = (world.open(2).await, world.open(3).await);
    let record = world.outcome(&busy, Outcome::Busy);
    world.one(StoreCommand::Outcome(Box::new(record))).await;
    let (campaign, now) = (world.campaign, world.now);
    let after = |ms| UtcMs(T0.0 + ms);
    let first = HistoryCall {
        started: T0,
        early: Some(after(1_000)),
        answered: Some(after(4_000)),
        connected: Some(after(4_200)),
        ended: after(34_200),
        outcome: Outcome::Connected,
        attempt_no: 1,
        live: true,
        said: Some("SALE".to_owned()),
    };
    let second = HistoryCall {
        started: now,
        early: None,
        answered: None,
        connected: None,
        ended: now,
        outcome: Outcome::Busy,
        attempt_no: 1,
        live: false,
        said: None,
    };
    let calls = history_calls(&mut world.db, campaign, T0, 10).await.unwrap();
    assert_eq!(calls, [second.clone(), first], "{open:?} is under way");
    assert_eq!(history_calls(&mut world.db, campaign, now, 10).await.unwrap(), [second]);

    let states = history_states(&mut world.db, campaign, T0, 10).await.unwrap();
    let expected = [(0, "reserved"), (4_200, "on_call"), (34_200, "wrap_up"), (39_200, "ready")];
    assert_eq!(states, expected.map(|(at, state)| (AGENT, after(at), state.to_owned())));
    assert_eq!(history_states(&mut world.db, campaign, now, 10).await.unwrap(), []);
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

async fn what_was_spoiled_by_hand_is_not_told_where_it_is_a_persons(world: &mut World) {
    world.lead(1).await;
    let (campaign, seller) = (world.campaign, world.seller);
    for (spoiled, told) in
        [("zones = '[\"1234\"'", "JSON of 7 bytes"), ("number = '090-1234-5678'", "E.164")]
    {
        world.sql(&format!("update phone set {spoiled}")).await;
        let read = open_leads(&mut world.db, campaign, seller, T0, 10).await;
        let error = read.unwrap_err().to_string();
        assert!(error.contains(told) && !error.contains("1234"), "{error}");
    }
}

async fn the_file_kept_last_is_the_one_that_counts(world: &mut World) {
    let campaign = world.campaign;
    assert_eq!(campaign_text(&mut world.db, campaign).await.unwrap(), None);
    for text in ["name = \"one\"", "name = \"two\"\n# 変更"] {
        keep_campaign_text(&mut world.db, campaign, text).await.unwrap();
        assert_eq!(campaign_text(&mut world.db, campaign).await.unwrap().as_deref(), Some(text));
    }
}
