//! A trunk that plays the races of `tests/races` with the whole dialer: which outcome is written.

use std::path::Path;
use std::time::Duration;

use outdial::carrier::CarrierSettings;
use outdial::logic::outcome::Outcome;
use outdial::simulation::callee::BehaviourBook;
use outdial::store::AttemptRecord;

use crate::alone;
use crate::sipp::{Account, Sipp};
use crate::stage::{HERE, Plan, RINGS, Stage};

#[test]
fn a_200_that_crosses_the_cancel_is_a_call_for_an_agent() {
    let (attempt, account) = dial("answer_crosses_cancel", Duration::from_millis(500));
    assert_eq!((attempt.outcome, attempt.abandoned), (Some(Outcome::Connected), false));
    assert!(attempt.answered.is_some() && attempt.connected.is_some());
    assert_eq!(requests(&account), ["INVITE", "CANCEL", "ACK", "BYE"]);
}

#[test]
fn a_200_that_nobody_can_talk_over_is_an_abandoned_call() {
    let (attempt, account) = dial("no_sdp", RINGS);
    assert_eq!((attempt.outcome, attempt.abandoned), (Some(Outcome::Abandoned), true));
    assert!(attempt.answered.is_some() && attempt.connected.is_none());
    assert_eq!(requests(&account), ["INVITE", "ACK", "BYE"]);
}

#[test]
fn a_session_too_short_costs_a_second_invite_and_connects() {
    let (attempt, account) = dial("session_too_short", RINGS);
    assert_eq!(attempt.outcome, Some(Outcome::Connected));
    assert_eq!(requests(&account), ["INVITE", "ACK", "INVITE", "ACK", "BYE"]);
}

/// One contact, one agent, and SIPp with a scenario as the trunk.
fn dial(scenario: &str, ring: Duration) -> (AttemptRecord, Account) {
    let _alone = alone();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/races/scenarios");
    let file = folder.join(format!("{scenario}.xml"));
    let args = ["-sf", file.to_str().unwrap(), "-m", "1", "-trace_msg", "-timeout", "60s"];
    let mut sipp = Sipp::start(HERE.into(), &args);
    let stage = Stage::set(Plan {
        contacts: 1,
        agents: 1,
        carrier: CarrierSettings {
            rtp_ports: 42_000..=42_099,
            ..CarrierSettings::on_loopback(BehaviourBook::default(), 1)
        },
        trunk: Some(sipp.address()),
        calls_per_second: 10,
        ring,
        talk: Some(Duration::from_millis(200)),
        rtp_ports: 24_000..=24_099,
    });
    let mut seen = stage.play(Duration::from_secs(60), async |_| {});
    // The dialer has the last response; SIPp may be about to end.
    for _ in 0..500 {
        if sipp.ended().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let account = sipp.account();
    assert_eq!((account.code, account.errors.as_str()), (Some(0), ""));
    assert_eq!((account.successful, account.failed), (1, 0));
    assert_eq!(seen.attempts.len(), 1, "one attempt, and one outcome");
    (seen.attempts.remove(0), account)
}

/// What SIPp received, repeats left out.
fn requests(account: &Account) -> Vec<&str> {
    let received = account.messages.iter().filter(|message| message.received);
    let mut words: Vec<&str> = received.filter_map(|it| it.text.split(' ').next()).collect();
    words.dedup();
    words
}
