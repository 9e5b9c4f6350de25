//! What the carrier refuses whoever is called: rate, channels, storms, strange offers.

use std::time::Duration;

use outdial::simulation::callee::Behaviour;
use outdial::simulation::callee::BehaviourBook;
use outdial::simulation::carrier_record::EndedBy;
use outdial::simulation::dice::Law;
use outdial::simulation::limits::Storm;

use crate::world::World;

fn talkers() -> BehaviourBook {
    BehaviourBook::all(Behaviour::tone(Law::fixed(100), None))
}

#[test]
fn invites_beyond_the_rate_are_refused_and_recorded() {
    let mut world = World::with_limits(talkers(), 1_000, Some(3));
    let legs: Vec<_> = (0..5).map(|n| world.call(&format!("031234567{n}"))).collect();
    world.run(900);
    let stories: Vec<_> = legs.iter().map(|leg| world.story(*leg).concat()).collect();
    assert_eq!(stories, ["180answered", "180answered", "180answered", "failed 503", "failed 503"]);
    world.run(1_200);
    let later = world.call("0312345679");
    world.run(1_900);
    assert_eq!(world.story(later), ["180", "answered"]);
    let totals = world.carrier.record().totals();
    assert_eq!((totals.calls, totals.answered), (6, 4));
    assert_eq!(totals.by_behaviour.get("over_rate"), Some(&2));
    assert_eq!((totals.most_calls_in_a_second, totals.most_at_once), (5, 4));
    let refused = &world.carrier.record().calls[3];
    assert_eq!((refused.status, refused.ended_by), (Some(503), Some(EndedBy::Refusal)));
}

#[test]
fn a_call_beyond_the_channels_is_refused_until_one_is_free() {
    let mut world = World::with_limits(talkers(), 2, None);
    let legs = [1, 2, 3].map(|n| world.call(&format!("031234567{n}")));
    world.run(1_000);
    assert_eq!(world.story(legs[2]), ["failed 503"]);
    assert_eq!(world.carrier.record().calls[2].behaviour.as_deref(), Some("over_channels"));
    world.hang_up(legs[0]);
    world.run(2_000);
    let next = world.call("0312345674");
    world.run(3_000);
    assert_eq!(world.story(next), ["180", "answered"]);
    let now = world.now;
    let live = world.carrier.live(now);
    assert_eq!((live.calls, live.answered, live.refused, live.open), (4, 3, 1, 2));
    assert_eq!(live.most_at_once, 2, "a call that is refused takes no channel");
    assert_eq!(live.invites_in_the_last_second, 1);
}

#[test]
fn a_storm_refuses_everybody_while_it_lasts() {
    let seconds = Duration::from_secs;
    let storm = Storm {
        first: seconds(1),
        every: seconds(10),
        lasts: seconds(2),
        share_ppm: 1_000_000,
        status: 503,
        retry_after_s: Some(7),
    };
    let mut world = World::new(BehaviourBook { storms: vec![storm], ..talkers() });
    let mut stories = Vec::new();
    for at in [500, 1_500, 2_900, 3_100, 11_500] {
        world.run(at);
        let leg = world.call("0312345678");
        world.run(at + 50);
        stories.push(world.story(leg).concat());
    }
    assert_eq!(stories, ["180", "failed 503", "failed 503", "180", "failed 503"]);
    let refusal = world.arrived.iter().find(|(_, m)| m.status() == Some(503)).unwrap();
    assert_eq!(refusal.1.first("Retry-After"), Some("7"));
    assert_eq!(world.carrier.record().totals().by_behaviour["storm"], 3);
}

#[test]
fn an_offer_without_g711_is_refused_and_not_answered_with_it() {
    let mut world = World::new(talkers());
    let leg = world.call_with(
        "0312345678",
        b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n",
    );
    world.run(1_000);
    assert_eq!(world.story(leg), ["failed 488"]);
    assert_eq!(world.only_call().behaviour.as_deref(), Some("no_common_codec"));
    assert_eq!(world.opened, world.closed);
}

#[test]
fn one_call_id_does_not_fill_the_record() {
    use outdial::simulation::carrier_record::CarrierRecord;
    use outdial::simulation::carrier_record::MOST_INVITES;
    let mut record = CarrierRecord::default();
    for at in 0..100 {
        record.at_invite("one", "1", "<sip:a@b>", at).unwrap();
    }
    assert_eq!(record.calls[0].invites_us.len(), MOST_INVITES);
}
