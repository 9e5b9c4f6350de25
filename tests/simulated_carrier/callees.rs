//! What a caller sees of each kind of callee, and what the record says of it.

use std::time::Duration;

use outdial::logic::ids::LegId;
use outdial::logic::sip::user_agent::FailureCause;
use outdial::logic::sip::user_agent::SipEvent;
use outdial::simulation::callee::Behaviour;
use outdial::simulation::callee::BehaviourBook;
use outdial::simulation::carrier_record::EndedBy;
use outdial::simulation::dice::Law;
use outdial::simulation::network::Link;

use crate::world::World;
use crate::world::mixed;

#[test]
fn a_person_rings_answers_talks_and_hangs_up() {
    let mut world =
        World::new(BehaviourBook::all(Behaviour::person(Law::fixed(500), Law::fixed(900))));
    let leg = world.call("0312345678");
    world.run(10_000);
    assert_eq!(world.story(leg), ["180", "answered", "ended by peer"]);
    let call = world.only_call();
    assert_eq!(call.called, "0312345678");
    assert_eq!(call.behaviour.as_deref(), Some("person"));
    assert_eq!((call.status, call.ended_by), (Some(200), Some(EndedBy::Callee)));
    assert!(call.caller.contains("caller@"), "{}", call.caller);
    let arrived = call.invites_us[0];
    assert_eq!(call.ringing_us, Some(arrived + 20_000));
    assert_eq!(call.answered_us, Some(arrived + 500_000));
    assert!(call.confirmed_us.unwrap() <= arrived + 510_000);
    assert!((1_400_000..1_420_000).contains(&(call.ended_us.unwrap() - arrived)));
    assert!(world.opened > 0 && world.opened == world.closed, "every port is freed");
}

#[test]
fn refusals_carry_their_status_cause_and_patience() {
    let soon = Law::fixed(100);
    for (behaviour, status, cause) in [
        (Behaviour::busy(soon), 486, Some(17)),
        (Behaviour::dead_number(soon), 404, Some(1)),
        (Behaviour::nowhere(soon), 604, None),
        (Behaviour::decline(soon), 603, Some(21)),
        (Behaviour::unwanted(soon), 607, None),
        (Behaviour::unavailable(soon), 480, Some(20)),
        (Behaviour::congestion(soon, 7), 503, Some(34)),
    ] {
        let mut world = World::new(BehaviourBook::all(behaviour));
        let leg = world.call("0312345678");
        world.run(5_000);
        let failed = world.events.iter().find_map(|(_, event)| match event {
            SipEvent::Failed { leg: of, cause, q850, retry_after } if *of == leg => {
                Some((*cause, *q850, *retry_after))
            }
            _ => None,
        });
        let patience = (status == 503).then_some(Duration::from_secs(7));
        assert_eq!(failed, Some((FailureCause::Status(status), cause, patience)));
        assert_eq!(world.only_call().status, Some(status));
        assert_eq!(world.only_call().ended_by, Some(EndedBy::Refusal));
    }
}

#[test]
fn a_call_that_nobody_answers_ends_by_cancel() {
    let mut world = World::new(BehaviourBook::all(Behaviour::no_answer()));
    let leg = world.call("0312345678");
    world.run(1_500);
    world.hang_up(leg);
    world.run(3_000);
    assert_eq!(world.story(leg), ["180", "failed 487"]);
    let call = world.only_call();
    assert_eq!((call.status, call.ended_by), (Some(487), Some(EndedBy::Cancel)));
    assert!(call.cancelled_us.unwrap() >= 1_500_000);
}

#[test]
fn a_silent_carrier_sends_no_18x_at_all() {
    let mut world = World::new(BehaviourBook::all(Behaviour::silent()));
    let leg = world.call("0312345678");
    world.run(15_000);
    assert_eq!(world.story(leg), Vec::<String>::new());
    world.hang_up(leg);
    world.run(20_000);
    assert_eq!(world.story(leg), ["failed 487"]);
}

#[test]
fn an_announcement_comes_as_early_media_before_the_refusal() {
    let mut world = World::new(BehaviourBook::all(Behaviour::dead_announcement(Law::fixed(3_000))));
    let leg = world.call("0312345678");
    world.run(2_000);
    assert_eq!(world.story(leg), ["183 with sdp"]);
    assert!(world.plays > 0);
    world.run(5_000);
    assert_eq!(world.story(leg), ["183 with sdp", "failed 404"]);
    assert_eq!(world.opened, world.closed);
}

#[test]
fn an_answer_crosses_the_cancel() {
    let mut world = World::new(BehaviourBook::all(Behaviour::late_answer(Some(Law::fixed(800)))));
    let leg = world.call("0312345678");
    world.run(1_500);
    world.hang_up(leg);
    world.run(10_000);
    let story = world.story(leg);
    assert_eq!(story[..2], ["180", "answered"], "{story:?}");
    let call = world.only_call();
    assert!(call.cancelled_us.is_some() && call.answered_us.is_some());
    assert_eq!(call.status, Some(200));
    assert!(call.ended_us.is_some());
}

#[test]
fn a_callee_hangs_up_at_once() {
    let mut world = World::new(BehaviourBook::all(Behaviour::hang_up_at_once(Law::fixed(300))));
    let leg = world.call("0312345678");
    world.run(5_000);
    assert_eq!(world.story(leg), ["180", "answered", "ended by peer"]);
    let call = world.only_call();
    assert!(call.ended_us.unwrap() - call.answered_us.unwrap() < 50_000);
}

#[test]
fn the_caller_hangs_up_and_the_record_says_so() {
    let mut world = World::new(BehaviourBook::all(Behaviour::tone(Law::fixed(300), None)));
    let leg = world.call("0312345678");
    world.run(5_000);
    world.hang_up(leg);
    world.run(6_000);
    assert_eq!(world.only_call().ended_by, Some(EndedBy::Caller));
    assert_eq!(world.only_call().plays_hz, Some(1000));
}

#[test]
fn a_digest_challenge_makes_a_second_invite_of_the_same_call() {
    let mut world = World::with_digest("secret");
    let leg = world.call("0312345678");
    world.run(5_000);
    assert_eq!(world.story(leg)[..3], ["challenged", "180", "answered"]);
    let call = world.only_call();
    assert_eq!((call.invites_us.len(), call.challenged), (2, 1));
    let totals = world.carrier.record().totals();
    assert_eq!((totals.calls, totals.invites, totals.answered), (1, 2, 1));
}

#[test]
fn a_wrong_password_is_not_admitted() {
    let mut world = World::with_digest("wrong");
    let leg = world.call("0312345678");
    world.run(5_000);
    assert!(!world.story(leg).contains(&"answered".to_owned()));
    assert_eq!(world.only_call().ended_by, Some(EndedBy::Challenge));
    assert!(world.only_call().challenged >= 2);
}

#[test]
fn one_seed_gives_one_record_to_the_byte() {
    let run = |seed, link| {
        let mut world = World::build(mixed(), None, seed, link);
        for i in 0..150 {
            let leg = world.call(&format!("0312{i:06}"));
            world.run(world.elapsed_ms() + 40);
            if i % 5 == 0 {
                world.hang_up(leg);
            }
        }
        let legs: Vec<LegId> = (1..=150).map(LegId).collect();
        legs.iter().for_each(|leg| world.hang_up_if_ringing(*leg));
        world.run(world.elapsed_ms() + 120_000);
        let totals = world.carrier.record().totals();
        assert_eq!((totals.open, totals.overlaps), (0, 0), "{totals:?}");
        assert_eq!(world.carrier.open_calls(), 0);
        assert_eq!(world.opened, world.closed);
        (serde_json::to_string(world.carrier.record()).unwrap(), totals.calls)
    };
    let (first, calls) = run(1, Link::ROUGH);
    assert_eq!(run(1, Link::ROUGH).0, first);
    assert_ne!(run(2, Link::ROUGH).0, first);
    assert!((140..=150).contains(&calls), "nearly every INVITE gets through in 32 s: {calls}");
    assert_eq!(run(1, Link::PERFECT).1, 150);
}
