//! A whole list through a trunk that is somebody else's program: outcomes, rate, repeats.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use outdial::carrier::CarrierSettings;
use outdial::logic::outcome::Outcome;
use outdial::simulation::callee::BehaviourBook;

use crate::stage::{Plan, RINGS, Stage, number};
use crate::turnstile::Turnstile;
use crate::uas::{Uas, most_in_a_second};
use crate::{alone, full_proof};

#[test]
fn sipp_sees_each_call_that_has_an_outcome_and_never_more_a_second_than_allowed() {
    let _alone = alone();
    let contacts = if full_proof() { 2_000 } else { 300 };
    let sipp = Uas::start();
    let turnstile = Turnstile::before(sipp.address());
    let stage = Stage::set(Plan {
        contacts,
        agents: 30,
        carrier: CarrierSettings {
            rtp_ports: 40_000..=41_999,
            ..CarrierSettings::on_loopback(BehaviourBook::default(), 1)
        },
        trunk: Some(turnstile.address()),
        calls_per_second: LIMIT,
        ring: RINGS,
        talk: Some(Duration::from_millis(200)),
        rtp_ports: 20_000..=23_999,
    });
    let seen = stage.play(Duration::from_secs(100), async |_| {});
    let saw = sipp.end();

    let passed = turnstile.end();
    let most = most_in_a_second(passed.values().copied());
    let read = saw.calls_at();
    let most_read = most_in_a_second(read.values().copied());
    let late = read.iter().map(|(id, at)| at.saturating_sub(passed[id]));
    let latest = Duration::from_micros(late.max().unwrap());
    let took = passed.values().max().unwrap() - passed.values().min().unwrap();
    let mut outcomes = BTreeMap::<&str, u64>::new();
    for attempt in &seen.attempts {
        *outcomes.entry(attempt.outcome.map_or("none", Outcome::as_str)).or_default() += 1;
    }
    println!(
        "{contacts} contacts in {:.1} s: SIPp saw {} calls ({} successful, {} failed), {} INVITEs, {} BYEs; \
         outcomes {outcomes:?}; most INVITEs in a second {most} of {LIMIT} as they arrived, {most_read} as SIPp read \
         them, up to {latest:?} later; repeated by SIPp {}; \
         processor time per call {:.2} ms; {:?}",
        took as f64 / 1e6,
        saw.calls,
        saw.successful,
        saw.failed,
        saw.invites.len(),
        saw.byes,
        saw.retransmissions,
        seen.cpu.as_secs_f64() * 1e3 / contacts as f64,
        seen.metrics,
    );

    let dialed: BTreeSet<String> = (1..=contacts).map(number).collect();
    let called: BTreeSet<String> =
        saw.invites.iter().map(|(_, _, called)| called.clone()).collect();
    assert_eq!(called, dialed, "SIPp was called for each number of the list, and for no other");
    let call_ids: BTreeSet<&String> = saw.invites.iter().map(|(_, id, _)| id).collect();
    assert_eq!(call_ids.len(), called.len(), "one call to each number");
    let attempts: BTreeSet<String> =
        seen.attempts.iter().map(|attempt| attempt.to.reveal().to_owned()).collect();
    assert_eq!(attempts, dialed);
    assert_eq!(seen.attempts.len(), dialed.len(), "one attempt to each number");
    assert_eq!(outcomes, BTreeMap::from([("connected", contacts)]));
    assert!(seen.attempts.iter().all(|attempt| attempt.ended.is_some() && !attempt.abandoned));
    assert_eq!((saw.calls, saw.successful, saw.failed), (contacts, contacts, 0));
    assert_eq!(passed.len(), call_ids.len());
    assert!(read.len() * 100 >= passed.len() * 95, "SIPp timed {} calls only", read.len());
    assert!(most <= LIMIT.try_into().unwrap(), "{most} INVITEs in one second");
    // What is read late is read at once with what comes after it: so much more may fall into one second of SIPp's.
    let slack = if latest <= Duration::from_millis(5) { 0.0 } else { latest.as_secs_f64() };
    let most_late = (f64::from(LIMIT) * (1.0 + slack)).ceil();
    assert!(most_read as f64 <= most_late, "SIPp read {most_read} INVITEs in one second");
    let repeats = saw.invites.len() - call_ids.len();
    assert!(repeats * 20 <= call_ids.len(), "{repeats} INVITEs were repeated");
    assert!(saw.retransmissions * 20 <= contacts, "SIPp repeated {}", saw.retransmissions);
}

const LIMIT: u32 = 50;
