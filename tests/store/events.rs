//! The event log: every kind of change is in it, in the order of commits, without gap or repeat.

use std::time::Duration;

use outdial::logic::dialer::*;
use outdial::logic::ids::*;
use outdial::logic::outcome::Outcome;
use outdial::logic::settings::DialMode;
use outdial::logic::sip::user_agent::RemoteDialog;
use outdial::store::{
    Db, EVENTS_PAGE, EventKind, LoggedEvent, begin_import, events_after, events_end, finish_import,
    register_node, run_batch, upsert_campaign, upsert_list,
};
use serde_json::json;

use crate::harness::*;

on_both! {
    every_kind_of_change_is_in_the_log_with_its_ids_as_strings
    a_repeated_batch_adds_nothing
    an_agent_who_is_lost_at_once_is_no_change_for_a_repeated_batch
    a_reader_sees_every_commit_of_parallel_writers_once_and_in_order
    pages_are_bounded_and_join_without_a_seam
    a_campaign_that_ran_already_starts_without_a_change
}

async fn all(world: &mut World) -> Vec<LoggedEvent> {
    let mut events = Vec::new();
    loop {
        let cursor = events.last().map_or(0, |event: &LoggedEvent| event.seq);
        let page = events_after(&mut world.db, cursor).await.unwrap();
        if page.is_empty() {
            return events;
        }
        events.extend(page);
    }
}

/// One call from intent to disposition and refusal, in commands of their own.
fn story(world: &mut World, lead: &ClaimedLead) -> Vec<StoreCommand> {
    let intent = world.intent(lead);
    let (attempt, at) = (intent.attempt, world.now);
    let dialog = RemoteDialog {
        remote_tag: "far".to_owned(),
        remote_target: "sip:far@192.0.2.1".to_owned(),
        route_set: vec![],
        cseq: 1,
    };
    let mut outcome = world.outcome(&intent, Outcome::Connected);
    outcome.booking = world.booking(true, false);
    outcome.agent = Some(AGENT);
    let said = world.disposition(&intent, "SALE");
    vec![
        StoreCommand::Intent(Box::new(intent.clone())),
        StoreCommand::LegAnswered(LegAnswered {
            leg: intent.leg,
            attempt: Some(attempt),
            dialog,
            at,
        }),
        StoreCommand::Connected { attempt, agent: AGENT, at, given_up: None },
        StoreCommand::AgentState(AgentStateRecord {
            agent: AGENT,
            at,
            seq: attempt.0,
            state: "on_call",
            reason: None,
        }),
        StoreCommand::Outcome(Box::new(outcome)),
        StoreCommand::Disposition(Box::new(said)),
        StoreCommand::Suppress(world.refusal(lead.contact, lead.contact.0)),
    ]
}

async fn every_kind_of_change_is_in_the_log_with_its_ids_as_strings(world: &mut World) {
    world.sql("insert into agent (id, name) values (55, 'hanako')").await;
    let (campaign, seller) = (world.campaign, world.seller);
    let list = upsert_list(&mut world.db, &mut world.ids, campaign, "a list").await.unwrap();
    for _ in 0..2 {
        let of = (seller, campaign, list);
        let job = begin_import(&mut world.db, &mut world.ids, of, "abc", T0).await.unwrap();
        finish_import(&mut world.db, &job, T0).await.unwrap();
    }
    world.lead(1).await;
    let lead = world.claim(1, 1).await.remove(0);
    for command in story(world, &lead) {
        world.one(command).await;
    }
    let (state, by) = (CampaignState::Paused, "control".to_owned());
    let at = world.now + Duration::from_millis(1);
    world.one(StoreCommand::CampaignState { campaign, state, at, by: by.clone() }).await;
    world
        .twice(&[StoreCommand::CampaignMode { campaign, mode: DialMode::Progressive, at, by }])
        .await;
    let mut learned = Learned {
        campaign,
        part: LearnedPart::Pacing,
        body: "one".to_owned(),
        unreadable: Some("torn".to_owned()),
        at,
    };
    world.twice(&[StoreCommand::Learned(Box::new(learned.clone()))]).await;
    learned = Learned { body: "two".to_owned(), unreadable: None, ..learned };
    world.twice(&[StoreCommand::Learned(Box::new(learned.clone()))]).await;
    learned = Learned { part: LearnedPart::Answers, body: "three".to_owned(), ..learned };
    world.twice(&[StoreCommand::Learned(Box::new(learned))]).await;
    let known = outdial::store::learned(&mut world.db, campaign).await.unwrap();
    let [pacing, answers] = ["two", "three"].map(|text| Some(text.to_owned()));
    assert_eq!(known, LearnedBefore { pacing, answers });
    world.sql("update abandon_window set abandoned = 1").await;
    let (until, now) = (at + DAY * 3, at + DAY * 2);
    world.twice(&[StoreCommand::Heartbeat { until, now }]).await;
    world.twice(&[StoreCommand::NodeEnded { at }]).await;

    let events = all(world).await;
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let told = [
        EventKind::NodeStarted,
        EventKind::CampaignState,
        EventKind::ImportStarted,
        EventKind::ImportFinished,
        EventKind::AttemptStarted,
        EventKind::AttemptAnswered,
        EventKind::AttemptConnected,
        EventKind::AgentState,
        EventKind::AttemptEnded,
        EventKind::Disposition,
        EventKind::Suppression,
        EventKind::CampaignState,
        EventKind::CampaignMode,
        EventKind::ModelUnreadable,
        EventKind::WindowInDebt,
        EventKind::NodeEnded,
    ];
    assert_eq!(kinds, told.map(EventKind::as_str));
    for kind in EventKind::ALL {
        assert!(told.contains(kind), "{kind:?} has no change here");
    }
    let seqs: Vec<i64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=16).collect::<Vec<_>>());

    let started = &events[4];
    assert_eq!(started.body["campaign"], campaign.to_string());
    assert_eq!(started.body["lead"], lead.lead.to_string());
    assert_eq!(started.row, started.body["attempt"].as_str().unwrap());
    assert_eq!(events[8].body["outcome"], "connected");
    assert_eq!(events[11].body["state"], "paused");
    assert_eq!(events[12].body["mode"], "progressive");
    for event in &events {
        let numbers = event.body.as_object().unwrap().iter().filter(|(_, value)| value.is_number());
        let ids: Vec<_> = numbers.map(|(key, _)| key.as_str()).collect();
        let counts = ["cap_ppm", "may_owe", "answered", "abandoned", "fault", "debt"];
        let no_id = |key: &&str| ["sip_status", "q850"].contains(key) || key.ends_with("_ms");
        assert!(ids.iter().all(|key| no_id(key) || counts.contains(key)), "{event:?}");
    }
    let shown: Vec<bool> = events.iter().map(|event| event.number.is_some()).collect();
    let of_a_number =
        |kind: &str| kind.starts_with("attempt") || ["disposition", "suppression"].contains(&kind);
    assert_eq!(shown, kinds.iter().map(|kind| of_a_number(kind)).collect::<Vec<_>>());
    assert_eq!(started.number.as_ref().unwrap().reveal(), number(1));
    let text = events.iter().map(|event| event.body.to_string()).collect::<String>();
    assert!(!text.contains(&number(1)), "the log itself holds no number");
}

async fn a_repeated_batch_adds_nothing(world: &mut World) {
    world.lead(1).await;
    let lead = world.claim(1, 1).await.remove(0);
    let story = story(world, &lead);
    // A refusal in one batch with the intent holds it back.
    world.twice(&story[..story.len() - 1]).await;
    for command in &story {
        world.twice(std::slice::from_ref(command)).await;
    }
    assert_eq!(all(world).await.len(), 2 + story.len());
}

async fn an_agent_who_is_lost_at_once_is_no_change_for_a_repeated_batch(world: &mut World) {
    world.lead(1).await;
    let lead = world.claim(1, 1).await.remove(0);
    let intent = world.intent(&lead);
    let (attempt, at) = (intent.attempt, world.now);
    world.one(StoreCommand::Intent(Box::new(intent))).await;
    let joined =
        |agent| StoreCommand::Connected { attempt, agent: AgentId(agent), at, given_up: None };
    world.twice(&[joined(1), joined(2)]).await;
    world.twice(&[joined(3)]).await;
    let events = all(world).await;
    let agents: Vec<_> = events.iter().skip(3).map(|event| event.body["agent"].clone()).collect();
    assert_eq!(agents, [json!("2"), json!("3")]);
}

async fn a_reader_sees_every_commit_of_parallel_writers_once_and_in_order(world: &mut World) {
    const WRITERS: u64 = 4;
    const BATCHES: i64 = 25;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let url = world.url.clone();
            std::thread::spawn(move || block_on(write_states(&url, writer, BATCHES)))
        })
        .collect();
    // The reader goes along with them, as `outdial log --follow` does.
    let mut seen: Vec<LoggedEvent> = Vec::new();
    loop {
        let over = writers.iter().all(std::thread::JoinHandle::is_finished);
        let cursor = seen.last().map_or(0, |event| event.seq);
        let page = events_after(&mut world.db, cursor).await.unwrap();
        if page.is_empty() && over {
            break;
        }
        seen.extend(page);
    }
    for writer in writers {
        writer.join().unwrap();
    }
    let end = events_end(&mut world.db).await.unwrap();
    let seqs: Vec<i64> = seen.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=end).collect::<Vec<_>>(), "no gap, no repeat");
    for writer in 0..WRITERS {
        let agent = (100 + writer).to_string();
        let mine = seen.iter().filter(|event| event.row == agent);
        let steps: Vec<i64> =
            mine.map(|event| event.body["reason"].as_str().unwrap().parse().unwrap()).collect();
        assert_eq!(steps, (0..BATCHES * 2).collect::<Vec<_>>(), "in the order of its commits");
    }
}

/// One process more: its agent changes its state twice in each transaction.
async fn write_states(url: &str, writer: u64, batches: i64) {
    let mut db = Db::open_writer(url).await.unwrap();
    let name = format!("writer {writer}");
    let node = loop {
        // SQLite may be busy for longer than it waits.
        match register_node(&mut db, &new_node(&name, writer)).await {
            Ok(node) => break node,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    };
    let agent = AgentId(100 + i64::try_from(writer).unwrap());
    for batch in 0..batches {
        let states: Vec<_> = (batch * 2..batch * 2 + 2)
            .map(|step| {
                StoreCommand::AgentState(AgentStateRecord {
                    agent,
                    at: T0,
                    seq: step,
                    state: "ready",
                    reason: Some(step.to_string()),
                })
            })
            .collect();
        while let Err(error) = run_batch(&mut db, &node, &states).await {
            assert!(error.is_retryable(), "{error}");
        }
    }
    db.close().await.unwrap();
}

async fn pages_are_bounded_and_join_without_a_seam(world: &mut World) {
    let before = events_end(&mut world.db).await.unwrap();
    let count = i64::try_from(EVENTS_PAGE).unwrap() + 7;
    let states: Vec<_> = (0..count)
        .map(|seq| {
            let (agent, state) = (AGENT, "ready");
            StoreCommand::AgentState(AgentStateRecord { agent, at: T0, seq, state, reason: None })
        })
        .collect();
    world.run(&states).await;
    let first = events_after(&mut world.db, before).await.unwrap();
    assert_eq!(first.len(), EVENTS_PAGE);
    let second = events_after(&mut world.db, first.last().unwrap().seq).await.unwrap();
    assert_eq!(second.len(), 7);
    let seqs: Vec<i64> = first.iter().chain(&second).map(|event| event.seq).collect();
    assert_eq!(seqs, (before + 1..=before + count).collect::<Vec<_>>());
    assert_eq!(events_after(&mut world.db, before + count).await.unwrap(), []);
}

async fn a_campaign_that_ran_already_starts_without_a_change(world: &mut World) {
    let before = events_end(&mut world.db).await.unwrap();
    for (name, adds) in [("spring", 0), ("autumn", 1), ("autumn", 0)] {
        let since = events_end(&mut world.db).await.unwrap();
        upsert_campaign(&mut world.db, &mut world.ids, name, "Acme", T0, true).await.unwrap();
        assert_eq!(events_end(&mut world.db).await.unwrap() - since, adds, "{name}");
    }
    let started = events_after(&mut world.db, before).await.unwrap();
    assert_eq!(started[0].body["by"], "start");
}
