//! Single stories, each with one thing that happens.

use std::time::Duration;

use outdial::simulation::agent_brain::BrainSettings;
use outdial::simulation::callee::{Behaviour, BehaviourBook};
use outdial::simulation::dice::Law;
use outdial::simulation::network::Link;

use crate::faults::{CrashPoint, Faults, KINDS};
use crate::world::World;

#[test]
fn a_hundred_people_are_called_to_the_end() {
    let report = World::seeded(7).contacts(100).agents(8).run_until_idle();
    assert!(report.attempts.len() >= 100, "{:?}", report.outcomes());
    assert!(report.count("connected") >= 20, "{:?}", report.outcomes());
    assert!(report.count("no_answer") >= 5, "{:?}", report.outcomes());
    assert_eq!(report.count("unknown"), 0, "{:?}", report.outcomes());
    // Nobody is left who could be called within this run.
    assert_eq!(report.leads[0], 0, "{:?}", report.leads);
}

#[test]
fn in_preview_everybody_is_called_by_an_agent_who_saw_him_and_nobody_is_abandoned() {
    // Some agents look for longer than they may: they are paused, and somebody else calls.
    let faults = Faults { phone_dies_every: Some(Duration::from_secs(60)), ..Faults::NONE };
    let report = World::seeded(27).contacts(60).agents(5).preview().faults(faults).run_until_idle();
    assert!(report.attempts.len() >= 60, "{:?}", report.outcomes());
    assert!(report.count("connected") >= 12, "{:?}", report.outcomes());
    assert_eq!(report.leads[0], 0, "{:?}", report.leads);
}

#[test]
fn a_message_is_played_without_agents_and_nine_stops_every_campaign_of_the_seller() {
    let report = World::seeded(28)
        .contacts(200)
        .agents(0)
        .second_campaign((0, 200))
        .agentless()
        .run_until_idle();
    assert!(report.count("message_played") >= 80, "{:?}", report.outcomes());
    assert!(report.count("message_cut") >= 20, "{:?}", report.outcomes());
    assert_eq!(report.count("connected") + report.count("abandoned"), 0, "{:?}", report.outcomes());
    // The rules have checked that each of these was durable before it was confirmed, and called by nobody after it.
    assert!(report.refusals >= 60, "{}", report.refusals);
    assert!(report.leads[5] >= 60, "blocked in both campaigns: {:?}", report.leads);
}

#[test]
fn a_message_survives_crashes_and_a_database_that_fails() {
    let report = World::seeded(29)
        .contacts(200)
        .agents(0)
        .agentless()
        .faults(Faults::BAD_DATABASE)
        .crash_node_at(CrashPoint::AfterCommit { nth: 30 })
        .crash_node_at(CrashPoint::BeforeCommit { nth: 60 })
        .run_until_idle();
    assert!(report.count("message_played") >= 20, "{:?}", report.outcomes());
}

#[test]
fn a_challenge_is_answered_and_the_nonce_used_again() {
    let report = World::seeded(8).contacts(40).agents(6).trunk(3, 10).digest().run_until_idle();
    assert!(report.count("connected") >= 5, "{:?}", report.outcomes());
    // The first answer's nonce is used again (RFC 7616 §3.4): only the first call is challenged.
    let challenged: u32 = report.carrier.calls.iter().map(|call| call.challenged).sum();
    assert_eq!(challenged, 1, "of {} calls", report.carrier.calls.len());
    assert!(report.carrier.totals().most_invites_in_a_second <= 3);
}

#[test]
fn nobody_is_called_outside_hours_and_the_rest_is_called_later() {
    let report = World::seeded(9)
        .contacts(200)
        .agents(6)
        .open_only(&[(540, 543), (550, 553)])
        .run_for(Duration::from_secs(15 * 60));
    let minutes: Vec<u64> =
        report.carrier.calls.iter().map(|call| call.invites_us[0] / 60_000_000).collect();
    assert!(minutes.iter().any(|minute| *minute < 3), "{minutes:?}");
    assert!(minutes.iter().any(|minute| *minute >= 10), "{minutes:?}");
    assert!(minutes.iter().all(|minute| *minute < 3 || (10..13).contains(minute)), "{minutes:?}");
}

#[test]
fn a_refusal_in_one_campaign_ends_the_calls_of_the_other() {
    // One agent, so that the second campaign holds its leads until the first one has reached everybody: only the gate
    // of the intent can stop it then.
    let talks = Behaviour::person(Law::fixed(500), Law::fixed(15_000));
    let refuses = BrainSettings {
        ready_after: Some(Law::fixed(100)),
        preview: Law::fixed(500),
        wrap: Law::fixed(500),
        dispositions: vec![(1, "9".to_owned())],
        hang_up_after: None,
        hang_up_keys: "##".to_owned(),
    };
    let report = World::seeded(10)
        .contacts(12)
        .agents(1)
        .second_campaign((0, 12))
        .callees(BehaviourBook::all(talks))
        .brain(refuses)
        .run_until_idle();
    assert_eq!(report.attempts.len(), 12, "each person once, in whichever campaign came first");
    // The person and the number.
    assert_eq!(report.refusals, 24);
    assert_eq!(report.leads[5], 24, "the leads of both campaigns are blocked: {:?}", report.leads);
}

#[test]
fn a_phone_that_dies_leaves_nobody_waiting() {
    let faults = Faults { phone_dies_every: Some(Duration::from_secs(5)), ..Faults::NONE };
    let report =
        World::seeded(13).contacts(300).agents(5).faults(faults).run_for(Duration::from_secs(400));
    assert!(report.count("connected") >= 10, "{:?}", report.outcomes());
    assert!(report.count("agent_lost") >= 1, "{:?}", report.outcomes());
}

#[test]
fn a_window_that_closes_in_debt_is_told_of_once_over_crashes_and_lost_replies() {
    // Phones die while customers ring, so that some who answer meet nobody: faults that a short list cannot repay.
    let talks = Behaviour::person(Law::between(2_000, 6_000), Law::fixed(20_000));
    let faults = Faults {
        phone_dies_every: Some(Duration::from_secs(5)),
        batch_not_run_ppm: 20_000,
        reply_lost_ppm: 50_000,
        ..Faults::NONE
    };
    let report = World::seeded(30)
        .contacts(60)
        .agents(3)
        .callees(BehaviourBook::all(talks))
        .window_ends_in_an_hour()
        .faults(faults)
        .crash_node_at(CrashPoint::AfterCommit { nth: 40 })
        .crash_node_at(CrashPoint::AfterCommit { nth: 2_000 })
        .run_for(Duration::from_secs(75 * 60));
    assert!(report.count("abandoned") >= 1, "{:?}", report.outcomes());
    assert_eq!((report.in_debt, report.crashes), (1, 2));
}

#[test]
fn datagrams_are_lost_doubled_and_overtaken_without_harm() {
    let faults = Faults { link: Link::ROUGH, ..Faults::NONE };
    let report = World::seeded(14).contacts(100).agents(6).faults(faults).run_until_idle();
    assert!(report.count("connected") >= 20, "{:?}", report.outcomes());
}

#[test]
fn a_database_that_fails_hangs_and_loses_replies_costs_no_fact() {
    let report =
        World::seeded(15).contacts(100).agents(6).faults(Faults::BAD_DATABASE).run_until_idle();
    assert!(report.count("connected") >= 20, "{:?}", report.outcomes());
    assert_eq!(report.count("unknown"), 0, "{:?}", report.outcomes());
}

#[test]
fn a_wall_clock_that_jumps_breaks_no_call() {
    let faults = Faults { clock_jumps_every: Some(Duration::from_secs(20)), ..Faults::NONE };
    let report =
        World::seeded(16).contacts(300).agents(6).faults(faults).run_for(Duration::from_secs(300));
    assert!(report.count("connected") >= 20, "{:?}", report.outcomes());
}

#[test]
fn a_crash_after_any_kind_of_action_is_survived() {
    let mut seen = 0;
    for (seed, kind) in (100..).zip(KINDS) {
        let mut world = World::seeded(seed).contacts(60).agents(4);
        for nth in [1, 3, 9] {
            world = world.crash_node_at(CrashPoint::After { kind: kind.to_owned(), nth });
        }
        let report = world.run_for(Duration::from_secs(90));
        seen += u32::from(report.crashes == 3);
    }
    // OPTIONS and a few others are too rare for nine of a kind.
    assert!(seen >= 15, "only {seen} kinds of action came often enough");
}

#[test]
fn a_crash_on_either_side_of_a_commit_is_survived() {
    for nth in 1..25 {
        let report = World::seeded(200 + u64::from(nth))
            .contacts(60)
            .agents(4)
            .crash_node_at(CrashPoint::BeforeCommit { nth })
            .crash_node_at(CrashPoint::AfterCommit { nth })
            .crash_node_at(CrashPoint::AfterCommit { nth: nth * 3 })
            .run_for(Duration::from_secs(60));
        assert_eq!(report.crashes, 3, "the batches came");
    }
}
