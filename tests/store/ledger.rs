//! The abandonment ledger always is the sum of what attempts and dispositions say.

use std::time::Duration;

use outdial::logic::compliance::abandon_ledger::{Account, WindowSpan};
use outdial::logic::dialer::*;
use outdial::logic::gate::Gate;
use outdial::logic::outcome::Outcome;
use outdial::logic::time::UtcMs;
use outdial::store::{
    EventKind, LoggedEvent, WindowRow, events_after, ledger_windows, register_node, run_batch,
};
use serde_json::{Value, json};

use crate::harness::*;

on_both! {
    an_abandoned_call_enters_both_sides_at_once
    a_revision_books_the_difference
    a_revision_moves_to_the_window_of_the_answer
    the_first_word_that_a_person_was_there_raises_a_once
    a_machine_never_raises_credit
    a_persons_word_outlives_a_revision
    uncovered_calls_share_the_credit_of_both_windows
    a_place_without_an_agent_is_handed_on_and_given_back
    a_window_that_closes_in_debt_is_told_once_over_restarts_and_processes
    a_window_waits_for_calls_that_may_still_be_booked_there
    a_debt_that_is_booked_after_its_window_closed_is_told_too
    a_hundred_windows_are_looked_at_in_one_beat_and_the_rest_in_the_next
}

async fn ledger(world: &mut World) -> Vec<(u64, u64, u64)> {
    let campaign = world.campaign;
    let windows: Vec<WindowRow> = ledger_windows(&mut world.db, campaign).await.unwrap();
    windows.iter().map(|window| (window.answered, window.abandoned, window.fault)).collect()
}

async fn end(world: &mut World, intent: &Intent, outcome: Outcome, booking: Booking) {
    let mut record = world.outcome(intent, outcome);
    record.booking = booking;
    record.after.state = LeadState::Done;
    world.twice(&[StoreCommand::Outcome(Box::new(record))]).await;
}

async fn say(world: &mut World, intent: &Intent, code: &str, live: Option<bool>) {
    world.now.0 += 1000;
    let mut said = world.disposition(intent, code);
    said.live = live;
    world.twice(&[StoreCommand::Disposition(Box::new(said))]).await;
}

async fn an_abandoned_call_enters_both_sides_at_once(world: &mut World) {
    let (one, two, three) = (world.open(1).await, world.open(2).await, world.open(3).await);
    let booking = world.booking(true, true);
    end(world, &one, Outcome::Abandoned, booking).await;
    end(world, &two, Outcome::AgentLost, Booking { fault: true, ..booking }).await;
    let nothing = world.booking(false, false);
    end(world, &three, Outcome::Busy, nothing).await;
    assert_eq!(ledger(world).await, [(2, 2, 1)]);
}

async fn a_revision_books_the_difference(world: &mut World) {
    let intent = world.open(1).await;
    let lost = world.booking(true, true);
    end(world, &intent, Outcome::Unknown, lost).await;
    assert_eq!(ledger(world).await, [(1, 1, 0)]);
    let row = world.numbers("select attempts, same_outcome from lead").await;
    assert_eq!(row, [1, 1], "it counts against the caps until it is known better");
    let nothing = world.booking(false, false);
    end(world, &intent, Outcome::NotDelivered, nothing).await;
    assert_eq!(ledger(world).await, [(0, 0, 0)]);
    assert_eq!(world.numbers("select attempts, same_outcome from lead").await, [0, 1]);
    end(world, &intent, Outcome::Busy, lost).await;
    assert_eq!(ledger(world).await, [(0, 0, 0)], "one revision is all");
    let kept = world
        .numbers("select count(*) from attempt where first_outcome = 'unknown' and outcome = 'not_delivered' and counted = 0")
        .await;
    assert_eq!(kept, [1]);
}

async fn a_revision_moves_to_the_window_of_the_answer(world: &mut World) {
    let intent = world.open(1).await;
    let lost = world.booking(true, true);
    end(world, &intent, Outcome::Unknown, lost).await;
    let mut booking = world.booking(true, false);
    booking.window.starts = T0 + DAY;
    booking.window.ends = T0 + DAY * 2;
    end(world, &intent, Outcome::Connected, booking).await;
    assert_eq!(ledger(world).await, [(1, 0, 0), (0, 0, 0)]);
}

async fn the_first_word_that_a_person_was_there_raises_a_once(world: &mut World) {
    let intent = world.open(1).await;
    let nothing = world.booking(false, false);
    end(world, &intent, Outcome::Connected, nothing).await;
    say(world, &intent, "SALE", Some(true)).await;
    say(world, &intent, "FAX", Some(false)).await;
    say(world, &intent, "SALE", Some(true)).await;
    assert_eq!(ledger(world).await, [(1, 0, 0)]);
    // A long talk is in A by its outcome; the word adds nothing.
    let long = world.open(2).await;
    let answered = world.booking(true, false);
    end(world, &long, Outcome::Connected, answered).await;
    say(world, &long, "SALE", Some(true)).await;
    assert_eq!(ledger(world).await, [(2, 0, 0)]);
    assert_eq!(world.numbers("select count(*), min(live) from attempt").await, [2, 1]);
}

async fn a_machine_never_raises_credit(world: &mut World) {
    let intent = world.open(1).await;
    let nothing = world.booking(false, false);
    end(world, &intent, Outcome::Connected, nothing).await;
    say(world, &intent, "VM", Some(false)).await;
    say(world, &intent, "VM2", None).await;
    assert_eq!(ledger(world).await, []);
    assert_eq!(world.numbers("select live from attempt").await, [0]);
}

async fn a_persons_word_outlives_a_revision(world: &mut World) {
    // The word comes while the call is open; then the process dies, and the end is known later.
    let intent = world.open(1).await;
    say(world, &intent, "SALE", Some(true)).await;
    assert_eq!(ledger(world).await, [(1, 0, 0)]);
    let lost = world.booking(true, true);
    end(world, &intent, Outcome::Unknown, lost).await;
    assert_eq!(ledger(world).await, [(1, 1, 0)]);
    let nothing = world.booking(false, false);
    end(world, &intent, Outcome::Connected, nothing).await;
    assert_eq!(ledger(world).await, [(1, 0, 0)]);
    let sums = world
        .numbers("select sum(case when booked_answered = 1 or booked_live = 1 then 1 else 0 end), count(*) from attempt")
        .await;
    assert_eq!(sums, [1, 1]);
}

/// A ledger that bears two uncovered calls today and none tomorrow.
async fn book_credit(world: &mut World) -> UncoveredStart {
    let (campaign, window) = (world.campaign, world.window());
    world
        .sql(&format!(
            "insert into abandon_window (campaign_id, starts_ms, ends_ms, cap_ppm, answered, abandoned, fault) \
             values ({campaign}, {}, {}, 30000, 99, 1, 1)",
            window.starts.0, window.ends.0
        ))
        .await;
    let windows = WindowSpan::instant(window.starts, window.starts);
    UncoveredStart { cap_ppm: window.cap_ppm, windows }
}

async fn uncovered(world: &mut World, n: i64, start: UncoveredStart) -> Intent {
    world.lead(n).await;
    let leads = world.claim(u64::try_from(n).unwrap(), 1).await;
    Intent { agent: None, uncovered: Some(start), ..world.intent(&leads[0]) }
}

const NO_CREDIT: StoreReply = StoreReply::Refused { gate: Gate::Credit, until: None };

async fn uncovered_calls_share_the_credit_of_both_windows(world: &mut World) {
    let today = book_credit(world).await;
    let (campaign, window) = (world.campaign, today.windows.first);
    let account = StoreReply::Account(Account { answered: 99, abandoned: 1, fault: 1 });
    assert_eq!(world.one(StoreCommand::Account { campaign, window }).await, account);
    let last = window + DAY;
    let nothing = StoreReply::Account(Account::default());
    assert_eq!(world.one(StoreCommand::Account { campaign, window: last }).await, nothing);

    let at_the_edge = UncoveredStart { windows: WindowSpan::instant(window, last), ..today };
    let late = uncovered(world, 1, at_the_edge).await;
    assert_eq!(world.one(StoreCommand::Intent(Box::new(late))).await, NO_CREDIT);
    let mut batch = vec![];
    for n in 2..=4 {
        let intent = uncovered(world, n, today).await;
        batch.push(StoreCommand::Intent(Box::new(intent)));
    }
    let replies = world.run(&batch).await;
    assert_eq!(replies, [StoreReply::Saved, StoreReply::Saved, NO_CREDIT]);
    let covered = uncovered(world, 5, today).await;
    let covered = Intent { agent: Some(AGENT), uncovered: None, ..covered };
    assert_eq!(world.one(StoreCommand::Intent(Box::new(covered))).await, StoreReply::Saved);
}

async fn a_place_without_an_agent_is_handed_on_and_given_back(world: &mut World) {
    let today = book_credit(world).await;
    let (one, two) = (uncovered(world, 1, today).await, uncovered(world, 2, today).await);
    let kept = world.open(3).await;
    for intent in [&one, &two] {
        let saved = world.one(StoreCommand::Intent(Box::new(intent.clone()))).await;
        assert_eq!(saved, StoreReply::Saved);
    }
    // The first is answered and gets the agent who was kept for another call, which goes on without.
    let at = world.now;
    world
        .twice(&[StoreCommand::Connected {
            attempt: one.attempt,
            agent: AGENT,
            at,
            given_up: Some(kept.attempt),
        }])
        .await;
    let next = uncovered(world, 4, today).await;
    assert_eq!(world.one(StoreCommand::Intent(Box::new(next.clone()))).await, NO_CREDIT);
    // An agent became free for the second; the third is not answered.
    world.twice(&[StoreCommand::Covered { attempt: two.attempt }]).await;
    let nothing = world.booking(false, false);
    end(world, &kept, Outcome::NoAnswer, nothing).await;
    for n in 5..=6 {
        let next = uncovered(world, n, today).await;
        assert_eq!(world.one(StoreCommand::Intent(Box::new(next))).await, StoreReply::Saved);
    }
    let last = uncovered(world, 7, today).await;
    assert_eq!(world.one(StoreCommand::Intent(Box::new(last))).await, NO_CREDIT);
}

/// The windows that the event log says have closed in debt.
async fn told(world: &mut World) -> Vec<LoggedEvent> {
    let mut events = events_after(&mut world.db, 0).await.unwrap();
    events.retain(|event| event.kind == EventKind::WindowInDebt.as_str());
    events
}

async fn beat(world: &mut World, now: UtcMs) {
    world.twice(&[StoreCommand::Heartbeat { until: now + HOUR, now }]).await;
}

const MINUTES: Duration = Duration::from_secs(60);

async fn a_window_that_closes_in_debt_is_told_once_over_restarts_and_processes(world: &mut World) {
    let (one, two) = (world.open(1).await, world.open(2).await);
    let mut booking = world.booking(true, true);
    booking.window.debt = 4;
    end(world, &one, Outcome::Abandoned, booking).await;
    end(world, &two, Outcome::Abandoned, booking).await;
    let talked = world.open(3).await;
    end(world, &talked, Outcome::AgentLost, Booking { fault: true, ..booking }).await;
    let (starts, ends) = (booking.window.starts, booking.window.ends);
    for early in [ends - HOUR, ends, ends + MINUTES * 9] {
        beat(world, early).await;
        assert_eq!(told(world).await, [], "whoever talked at its end is in wrap-up");
    }
    let now = ends + MINUTES * 10;
    beat(world, now).await;
    let events = told(world).await;
    assert_eq!(events.len(), 1);
    let campaign = world.campaign.to_string();
    let body: Value = json!({
        "campaign": campaign, "starts_ms": starts.0, "ends_ms": ends.0, "cap_ppm": 30_000, "bound": "window",
        "may_owe": 4, "answered": 3, "abandoned": 3, "fault": 1, "debt": 3,
    });
    assert_eq!((events[0].at, &events[0].row, &events[0].body), (ends, &campaign, &body));
    // Another process, a restart, and a word that comes late.
    for (name, boot) in [("there", 2), ("here", 3)] {
        let node = register_node(&mut world.db, &new_node(name, boot)).await.unwrap();
        let beat = StoreCommand::Heartbeat { until: now + HOUR, now };
        assert_eq!(run_batch(&mut world.db, &node, &[beat]).await.unwrap(), [StoreReply::Done]);
        world.node = node;
    }
    say(world, &talked, "SALE", Some(true)).await;
    let late = world.open(4).await;
    end(world, &late, Outcome::Abandoned, booking).await;
    beat(world, now + DAY * 3).await;
    assert_eq!(told(world).await, events);
}

async fn a_window_waits_for_calls_that_may_still_be_booked_there(world: &mut World) {
    let (lost, talks) = (world.open(1).await, world.open(2).await);
    let booking = world.booking(true, true);
    end(world, &lost, Outcome::AgentLost, Booking { fault: true, ..booking }).await;
    let now = booking.window.ends + HOUR;
    beat(world, now).await;
    assert_eq!(told(world).await, [], "somebody talks still");
    let talked = world.booking(true, false);
    end(world, &talks, Outcome::Connected, talked).await;
    beat(world, now).await;
    let events = told(world).await;
    let figures = ["bound", "answered", "abandoned", "fault", "debt"].map(|of| &events[0].body[of]);
    assert_eq!(figures, [&json!("instant"), &json!(2), &json!(1), &json!(1), &json!(1)]);
}

async fn a_debt_that_is_booked_after_its_window_closed_is_told_too(world: &mut World) {
    let (one, left) = (world.open(1).await, world.open(2).await);
    let booking = world.booking(true, false);
    end(world, &one, Outcome::Connected, booking).await;
    // Nobody runs the campaign: the window waits for the call that is open a day, not for ever.
    let now = booking.window.ends + DAY;
    beat(world, now - HOUR).await;
    assert_eq!(world.numbers("select closed from abandon_window").await, [0]);
    beat(world, now).await;
    assert_eq!(world.numbers("select closed from abandon_window").await, [1]);
    assert_eq!(told(world).await, []);
    let lost = world.booking(true, true);
    end(world, &left, Outcome::Unknown, lost).await;
    beat(world, now + HOUR).await;
    let events = told(world).await;
    assert_eq!((events.len(), &events[0].body["debt"]), (1, &json!(1)));
    assert_eq!(world.numbers("select closed from abandon_window").await, [2]);
}

async fn a_hundred_windows_are_looked_at_in_one_beat_and_the_rest_in_the_next(world: &mut World) {
    let campaign = world.campaign;
    let rows = (0..130).map(|day: i64| format!("({campaign}, {day}, {}, 30000, 1, 1, 0)", day + 1));
    let rows: Vec<String> = rows.collect();
    world
        .sql(&format!(
            "insert into abandon_window (campaign_id, starts_ms, ends_ms, cap_ppm, answered, abandoned, fault) values {}",
            rows.join(", ")
        ))
        .await;
    for (day, all) in [(1, 100), (2, 130), (3, 130)] {
        let now = T0 + DAY * day;
        world.one(StoreCommand::Heartbeat { until: now + HOUR, now }).await;
        let events = told(world).await;
        assert_eq!(events.len(), all);
        assert!(events.is_sorted_by_key(|event| event.at), "the oldest first");
    }
}
