//! An agent's phone.

use outdial::simulation::phone::PhoneOrder;

use crate::world::World;
use crate::world::mixed;

#[test]
fn a_phone_answers_at_once_when_a_header_asks_for_it() {
    let mut world = World::new(mixed());
    let leg = world.call_phone(true);
    world.run(500);
    assert_eq!(world.story(leg), ["180", "answered"]);
    assert!(world.phone.is_up());
    assert!(world.phone.record().calls[0].auto_answer);
    world.order(PhoneOrder::Press("##1".to_owned()));
    assert!(world.media_log.contains(&"digits ##1".to_owned()));
    world.order(PhoneOrder::HangUp);
    world.run(2_000);
    assert_eq!(world.story(leg), ["180", "answered", "ended by peer"]);
    assert!(!world.phone.record().calls[0].by_caller);
}

#[test]
fn a_phone_that_is_not_told_to_answer_rings_first_and_has_one_line() {
    let mut world = World::new(mixed());
    let leg = world.call_phone(false);
    world.run(900);
    assert_eq!(world.story(leg), ["180"]);
    let second = world.call_phone(true);
    world.run(2_000);
    assert_eq!(world.story(leg), ["180", "answered"]);
    assert_eq!(world.story(second), ["failed 486"]);
    world.hang_up(leg);
    world.run(3_000);
    let [first, refused] = &world.phone.record().calls[..] else { panic!("two calls came") };
    assert!(first.by_caller && first.answered_us.is_some());
    assert_eq!(refused.answered_us, None, "the call that was refused was never answered");
    assert!(world.phone.record().calls.iter().all(|call| call.ended_us.is_some()));
}

#[test]
fn a_phone_holds_and_comes_back() {
    let mut world = World::new(mixed());
    let leg = world.call_phone(true);
    world.run(500);
    world.order(PhoneOrder::Hold);
    world.run(1_000);
    world.order(PhoneOrder::Resume);
    world.run(1_500);
    assert_eq!(world.story(leg), ["180", "answered", "offer sendonly", "offer sendrecv"]);
    assert!(world.phone.is_up());
}

#[test]
fn a_dead_phone_answers_nothing_until_it_is_switched_on() {
    let mut world = World::new(mixed());
    let leg = world.call_phone(true);
    world.run(500);
    world.order(PhoneOrder::Die);
    assert!(!world.phone.is_up());
    world.hang_up(leg);
    world.run(60_000);
    assert_eq!(
        world.story(leg),
        ["180", "answered", "ended by us"],
        "the BYE is given up after 32 s"
    );
    world.order(PhoneOrder::Revive);
    let again = world.call_phone(true);
    world.run(61_000);
    assert_eq!(world.story(again), ["180", "answered"]);
    assert_eq!(world.opened, world.closed + 1);
}
