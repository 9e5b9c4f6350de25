//! Status, figures and results say what happened.

use outdial::logic::dialer::*;
use outdial::logic::ids::*;
use outdial::logic::outcome::Outcome;
use outdial::logic::time::UtcMs;
use outdial::store::*;

use crate::harness::*;

on_both! {
    the_results_hold_all_that_is_known_of_an_attempt
    pages_go_on_where_the_last_one_ended
    the_figures_of_a_run_add_up
    a_talk_without_a_word_is_listed
    a_campaign_that_a_person_paused_stays_paused
    the_clock_of_the_database_is_compared_with_ours
}

/// Connects one call for 30 s, with a wrap-up of 5 s and a disposition.
pub(crate) async fn talk(world: &mut World, n: i64) -> Intent {
    world.lead(n).await;
    world.sql("insert into agent (id, name) values (55, 'ann') on conflict do nothing").await;
    let claim = u64::try_from(n).unwrap();
    let leads = world.claim(claim, 1).await;
    let intent = world.intent(&leads[0]);
    let start = world.now;
    let state = |at: i64, seq, state| {
        let at = UtcMs(start.0 + at);
        StoreCommand::AgentState(AgentStateRecord { agent: AGENT, at, seq, state, reason: None })
    };
    let mut record = world.outcome(&intent, Outcome::Connected);
    record.early_at = Some(UtcMs(start.0 + 1_000));
    record.answered_at = Some(UtcMs(start.0 + 4_000));
    record.connected_at = Some(UtcMs(start.0 + 4_200));
    record.ended_at = UtcMs(start.0 + 34_200);
    record.agent = Some(AGENT);
    record.sip_status = Some(200);
    record.q850 = Some(16);
    record.booking = world.booking(true, false);
    record.after.state = LeadState::Held;
    world
        .run(&[
            StoreCommand::Intent(Box::new(intent.clone())),
            state(0, 1, "reserved"),
            state(4_200, 2, "on_call"),
            state(34_200, 3, "wrap_up"),
            state(39_200, 4, "ready"),
            StoreCommand::Outcome(Box::new(record)),
        ])
        .await;
    world.now = UtcMs(start.0 + 60_000);
    intent
}

async fn the_results_hold_all_that_is_known_of_an_attempt(world: &mut World) {
    let intent = talk(world, 1).await;
    let said = world.refused_with_callback(&intent, "人");
    world.one(StoreCommand::Disposition(Box::new(said))).await;
    let filter = AttemptFilter::default();
    let page = attempts_page(&mut world.db, &filter, AttemptId(0), 10).await.unwrap();
    let expected = AttemptRecord {
        attempt: intent.attempt,
        public_ref: intent.public_ref.clone(),
        external_id: Some("X1".to_owned()),
        name: Some("Name 1".to_owned()),
        fields: vec![("plan".to_owned(), "A".to_owned())],
        list: None,
        campaign: "spring".to_owned(),
        seller: "Acme".to_owned(),
        attempt_no: 1,
        started: T0,
        early: Some(UtcMs(T0.0 + 1_000)),
        answered: Some(UtcMs(T0.0 + 4_000)),
        connected: Some(UtcMs(T0.0 + 4_200)),
        ended: Some(UtcMs(T0.0 + 34_200)),
        wrap_up_ms: Some(5_000),
        from: "+81311112222".parse().unwrap(),
        to: number(1).parse().unwrap(),
        trunk: "main".to_owned(),
        agent: Some("ann".to_owned()),
        outcome: Some(Outcome::Connected),
        first_outcome: None,
        sip_status: Some(200),
        q850: Some(16),
        disposition: Some("REFUSED".to_owned()),
        memo: Some("人".to_owned()),
        callback_due: Some(T0 + DAY),
        callback_owner: Some("ann".to_owned()),
        suppressed: Some("refused".to_owned()),
        live: Some(true),
        abandoned: false,
        message: None,
    };
    assert_eq!(page, [expected]);
    let campaign = world.campaign;
    let persons = leads_page(&mut world.db, campaign, LeadId(0), 10).await.unwrap();
    assert_eq!(persons.len(), 1);
    let person = &persons[0];
    assert_eq!((person.state, &person.gate), (3, &None), "a lead that is done stays done");
    assert_eq!(person.last_ref, Some(intent.public_ref));
    assert_eq!(person.first_started, Some(T0));
    assert_eq!(person.disposition.as_deref(), Some("REFUSED"));
    assert_eq!((person.attempts, person.last_outcome), (1, Some(Outcome::Connected)));
}

async fn pages_go_on_where_the_last_one_ended(world: &mut World) {
    for n in 1..=5 {
        world.lead(n).await;
        world.attempt(u64::try_from(n).unwrap(), Outcome::Busy).await;
        world.sql(&format!("update lead set state = 3 where contact_id = {n}")).await;
        world.now = world.now + HOUR;
    }
    let (mut after, mut seen) = (AttemptId(0), vec![]);
    loop {
        let filter = AttemptFilter {
            campaign: Some(world.campaign),
            since: Some(T0 + HOUR),
            until: Some(T0 + HOUR * 4),
        };
        let page = attempts_page(&mut world.db, &filter, after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.attempt;
        seen.extend(page.iter().filter_map(|record| record.external_id.clone()));
    }
    assert_eq!(seen, ["X2", "X3", "X4"]);
    let none = AttemptFilter { campaign: Some(CampaignId(1)), ..AttemptFilter::default() };
    assert_eq!(attempts_page(&mut world.db, &none, AttemptId(0), 9).await.unwrap(), []);
}

async fn the_figures_of_a_run_add_up(world: &mut World) {
    let intent = talk(world, 1).await;
    let said = world.disposition(&intent, "SALE");
    world.one(StoreCommand::Disposition(Box::new(said))).await;
    for (n, outcome) in [(2, Outcome::Busy), (3, Outcome::NotPlaced)] {
        world.lead(n).await;
        world.attempt(u64::try_from(n).unwrap(), outcome).await;
        world.sql(&format!("update lead set state = 3 where contact_id = {n}")).await;
    }
    let campaign = world.campaign;
    let until = world.now + HOUR;
    let first = kpis(&mut world.db, campaign, T0, UtcMs(T0.0 + 60_000)).await.unwrap();
    assert_eq!(first.outcomes, [(Outcome::Connected, 1)], "the others began later");
    let kpis = kpis(&mut world.db, campaign, T0, until).await.unwrap();
    assert_eq!((kpis.attempts, kpis.answered, kpis.connected, kpis.contacts), (2, 1, 1, 2));
    assert_eq!((kpis.live, kpis.abandoned, kpis.faults), (1, 0, 0));
    assert_eq!((kpis.talk_ms, kpis.ring_ms, kpis.wait_ms), (30_000, 4_000, 200));
    let outcomes = [(Outcome::Connected, 1), (Outcome::Busy, 1), (Outcome::NotPlaced, 1)];
    assert_eq!(kpis.outcomes, outcomes);
    assert_eq!(kpis.dispositions, [("SALE".to_owned(), 1)]);
    assert_eq!(kpis.leads.done, 3);
    let states: Vec<_> =
        kpis.agents[0].states.iter().map(|(state, ms)| (state.as_str(), *ms)).collect();
    let ready = u64::try_from(until.0 - T0.0 - 39_200).unwrap();
    assert_eq!(
        states,
        [("on_call", 30_000), ("ready", ready), ("reserved", 4_200), ("wrap_up", 5_000)]
    );
    assert_eq!((kpis.agents[0].name.as_str(), kpis.agents[0].calls), ("ann", 1));
    let status = status(&mut world.db, T0).await.unwrap();
    assert_eq!(status.campaigns[0].outcomes, outcomes);
    assert_eq!(status.campaigns[0].windows[0].answered, 1);
    assert_eq!((status.agents[0].state.as_str(), status.nodes.len()), ("ready", 1));
}

async fn a_talk_without_a_word_is_listed(world: &mut World) {
    let intent = talk(world, 1).await;
    let campaign = world.campaign;
    let held = held_leads(&mut world.db, campaign, 10).await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!((held[0].lead, &held[0].public_ref), (intent.lead, &intent.public_ref));
    let said = world.disposition(&intent, "SALE");
    world.one(StoreCommand::Disposition(Box::new(said))).await;
    assert_eq!(held_leads(&mut world.db, campaign, 10).await.unwrap(), []);
}

async fn a_campaign_that_a_person_paused_stays_paused(world: &mut World) {
    let (campaign, at) = (world.campaign, world.now);
    let set = |state, at| StoreCommand::CampaignState { campaign, state, at, by: "ann".to_owned() };
    world.one(set(CampaignState::Paused, at)).await;
    let again = upsert_campaign(&mut world.db, &mut world.ids, "spring", "Acme", at + DAY, true)
        .await
        .unwrap();
    assert_eq!((again.id, again.paused, again.first_run), (campaign, true, T0));
    world.one(set(CampaignState::Finished, at + DAY)).await;
    let again = upsert_campaign(&mut world.db, &mut world.ids, "spring", "Acme", at + DAY, true)
        .await
        .unwrap();
    assert!(!again.paused);
    let status = status(&mut world.db, T0).await.unwrap();
    assert_eq!(
        (status.campaigns[0].state.as_str(), status.campaigns[0].seller.as_str()),
        ("running", "Acme")
    );
}

async fn the_clock_of_the_database_is_compared_with_ours(world: &mut World) {
    let ahead = outdial::runtime::clock_ahead(&mut world.db).await.unwrap();
    // The server of this suite runs on this machine, and SQLite has no clock of its own.
    assert_eq!(ahead.is_some(), world.db.engine() == Engine::Postgres);
    assert!(ahead.is_none_or(|ahead| ahead.abs() < 1_000), "{ahead:?}");
}
