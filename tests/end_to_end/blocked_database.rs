//! Somebody holds the database's write lock for five seconds in the middle of talks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use outdial::carrier::{CarrierReport, CarrierSettings};
use outdial::logic::outcome::Outcome;
use outdial::simulation::callee::{Behaviour, BehaviourBook};
use outdial::simulation::dice::Law;
use sqlx::Connection;

use crate::alone;
use crate::stage::{Plan, RINGS, Stage, number};

#[test]
fn talks_lose_no_packet_while_the_database_is_blocked_and_no_new_call_begins() {
    let _alone = alone();
    // The first callees talk through it all; the others are short, so that there is always an agent who could dial.
    let short = Behaviour::tone(Law::between(50, 150), Some(Law::between(300, 600)));
    let long = Behaviour::tone(Law::fixed(50), Some(Law::fixed(12_000)));
    let book = (1..=TALKERS)
        .fold(BehaviourBook::all(short), |book, n| book.with_number(&number(n), [long.clone()]));
    let stage = Stage::set(Plan {
        contacts: CONTACTS,
        agents: 10,
        carrier: CarrierSettings {
            rtp_ports: 44_000..=45_999,
            ..CarrierSettings::on_loopback(book, 1)
        },
        trunk: None,
        calls_per_second: 10,
        ring: RINGS,
        talk: None,
        rtp_ports: 26_000..=27_999,
    });
    let mut blocked = Vec::new();
    let seen = stage.play(Duration::from_secs(100), async |scene| {
        scene.until(|view| view.calls.talking >= TALKERS).await;
        scene.until(|view| view.campaigns.iter().any(|line| line.dialed >= TALKERS + 5)).await;
        let mut other = sqlx_sqlite::SqliteConnection::connect(&scene.url).await.unwrap();
        sqlx::query("begin immediate").execute(&mut other).await.unwrap();
        blocked.push(scene.carrier.report().unwrap());
        // The span of the story itself, not a wait for something to happen.
        for span in [1_000, 4_000] {
            tokio::time::sleep(Duration::from_millis(span)).await;
            blocked.push(scene.carrier.report().unwrap());
        }
        assert_ne!(scene.view().store, "ok", "the dialer knows of its database");
        sqlx::query("rollback").execute(&mut other).await.unwrap();
        other.close().await.unwrap();
    });

    let [before, after_a_second, end] = &blocked[..] else { panic!("three reports") };
    let through: BTreeSet<String> = up(before).intersection(&up(end)).cloned().collect();
    println!(
        "{} talks went through; INVITEs before {}, after 1 s {}, at the end {}, in all {}; {:?}; {:?}",
        through.len(),
        before.totals.calls,
        after_a_second.totals.calls,
        end.totals.calls,
        seen.carrier.totals.calls,
        seen.carrier.rtp,
        seen.metrics
    );
    assert!(through.len() as u64 >= TALKERS, "talks go on while the database is blocked");
    assert_eq!(end.totals.calls, after_a_second.totals.calls, "no INVITE after a second");
    assert_eq!(seen.carrier.rtp.lost, 0, "no gap at callees and phones: {:?}", seen.carrier.rtp);
    assert_eq!(seen.carrier.rtp.legs, CONTACTS + 10, "every leg was closed, and counted");
    assert_eq!(seen.carrier.totals.calls, CONTACTS, "every contact was dialed once");
    let mut outcomes = BTreeMap::<&str, u64>::new();
    for attempt in &seen.attempts {
        *outcomes.entry(attempt.outcome.map_or("none", Outcome::as_str)).or_default() += 1;
    }
    // An intent that was not answered in time is given up, and its lead dialed later.
    outcomes.remove(Outcome::NotPlaced.as_str());
    let connected = BTreeMap::from([(Outcome::Connected.as_str(), CONTACTS)]);
    assert_eq!(outcomes, connected, "what happened meanwhile is written");
}

/// Answered and not ended.
fn up(report: &CarrierReport) -> BTreeSet<String> {
    report
        .calls
        .iter()
        .filter(|call| call.answered_us.is_some() && call.ended_us.is_none())
        .map(|call| call.call_id.clone())
        .collect()
}

const CONTACTS: u64 = 60;
const TALKERS: u64 = 4;
