//! The races and faults of a book, each against a user agent that must come through.

use std::collections::BTreeSet;
use std::time::Duration;

use outdial::logic::sip::digest::Algorithm;
use outdial::logic::sip::digest::QopOffer;
use outdial::logic::sip::user_agent::SipCommand;
use outdial::simulation::callee::Behaviour;
use outdial::simulation::callee::BehaviourBook;
use outdial::simulation::callee::Ring;
use outdial::simulation::callee::Voice;
use outdial::simulation::carrier_record::EndedBy;
use outdial::simulation::dice::Law;
use outdial::simulation::digest_user::Asker;
use outdial::simulation::digest_user::Auth;
use outdial::simulation::digest_user::ChallengeStyle;
use outdial::simulation::digest_user::DigestUser;
use outdial::simulation::network::Link;
use outdial::simulation::peer_sdp;
use outdial::simulation::quirks::Act;
use outdial::simulation::quirks::Ignores;
use outdial::simulation::quirks::Quirks;
use outdial::simulation::quirks::Trying;

use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

/// Rings, answers after half a second, talks for two.
fn person(quirks: Quirks) -> Behaviour {
    Behaviour::person(Law::fixed(500), Law::fixed(2_000)).with_quirks(quirks)
}

fn world(quirks: Quirks) -> World {
    World::new(BehaviourBook::all(person(quirks)))
}

#[test]
fn forked_early_dialogs_ring_with_tags_of_their_own() {
    let mut world = world(Quirks { early_forks: 2, ..Quirks::default() });
    let leg = world.call("0312345678");
    world.run(5_000);
    assert_eq!(world.story(leg), ["180", "180", "180", "answered", "ended by peer"]);
    let responses = world.responses();
    let tags: BTreeSet<&str> = responses.iter().map(|(_, tag)| tag.as_str()).collect();
    assert_eq!(tags.len(), 3);
    let [first, .., last] = &responses[..] else { panic!("{responses:?}") };
    assert_ne!(first.1, last.1, "not the branch that rang first answers");
}

#[test]
fn a_second_branch_that_answers_is_ended_and_the_first_talks_on() {
    let mut world = world(Quirks { answer_forks: 2, ..Quirks::default() });
    let leg = world.call("0312345678");
    world.run(5_000);
    assert_eq!(world.story(leg), ["180", "answered", "ended by peer"]);
    assert_eq!(world.caller.counters().extra_answers, 2);
    let call = world.only_call();
    assert_eq!((call.branches_ended, call.ended_by), (2, Some(EndedBy::Callee)));
    let answers = world.responses().iter().filter(|(status, _)| *status == 200).count();
    assert_eq!(answers, 3, "an acknowledged answer is not repeated");
}

#[test]
fn an_answer_that_is_repeated_is_one_answer() {
    let mut world = world(Quirks { answer_repeats: 3, ..Quirks::default() });
    let leg = world.call("0312345678");
    world.run(5_000);
    assert_eq!(world.story(leg), ["180", "answered", "ended by peer"]);
    assert_eq!(world.responses().iter().filter(|(status, _)| *status == 200).count(), 4);
}

#[test]
fn a_202_without_contact_is_an_answer_too() {
    let mut world =
        world(Quirks { answer_status: Some(202), no_contact: true, ..Quirks::default() });
    let leg = world.call("0312345678");
    world.run(1_000);
    world.hang_up(leg);
    world.run(2_000);
    assert_eq!(world.story(leg), ["180", "answered", "ended by us"]);
    let answer = world.arrived.iter().find(|(_, m)| m.status() == Some(202)).unwrap();
    assert_eq!(answer.1.first("Contact"), None);
    assert_eq!(world.only_call().status, Some(202));
}

#[test]
fn a_caller_who_gives_up_before_any_1xx_has_to_wait_with_its_cancel() {
    let late = Quirks { trying: Trying::After(3 * SECOND), ..Quirks::default() };
    let mut world = World::new(BehaviourBook::all(Behaviour::silent().with_quirks(late)));
    let leg = world.call("0312345678");
    world.run(1_000);
    world.hang_up(leg);
    world.run(10_000);
    assert_eq!(world.story(leg), ["failed 487"]);
    assert!(world.sent_at_ms("CANCEL")[0] >= 3_000, "{:?}", world.sent_at_ms("CANCEL"));
    assert_eq!(world.responses()[0].0, 100);
    assert_eq!(world.only_call().ended_by, Some(EndedBy::Cancel));
}

#[test]
fn a_carrier_that_never_says_100_leaves_the_caller_to_its_timer() {
    let never = Quirks { trying: Trying::Never, ..Quirks::default() };
    let mut world = World::new(BehaviourBook::all(Behaviour::silent().with_quirks(never)));
    let leg = world.call("0312345678");
    world.run(40_000);
    assert_eq!(world.story(leg), ["failed Timeout"]);
    assert_eq!(world.responses(), []);
    world.run(300_000);
    assert_eq!(world.carrier.open_calls(), 0, "a carrier does not ring for ever");
    assert_eq!(world.only_call().status, Some(480));
}

#[test]
fn a_bye_that_nobody_answers_ends_the_call_in_the_record_at_once() {
    let ignores = Ignores { bye: true, ..Ignores::default() };
    let mut world = world(Quirks { ignores, ..Quirks::default() });
    let leg = world.call("0312345678");
    world.run(1_000);
    world.hang_up(leg);
    world.run(80_000);
    assert_eq!(world.story(leg), ["180", "answered", "ended by us"]);
    assert!(world.sent_at_ms("BYE").len() > 5, "repeated until Timer F");
    let call = world.only_call();
    assert_eq!(call.ended_by, Some(EndedBy::Caller));
    assert!(call.ended_us.unwrap() < 1_100_000);
    assert_eq!((world.carrier.open_calls(), world.opened), (0, world.closed));
}

#[test]
fn an_answer_whose_ack_is_lost_is_repeated_and_then_taken_back() {
    let ignores = Ignores { ack: true, ..Ignores::default() };
    let mut world = World::new(BehaviourBook::all(
        Behaviour::tone(Law::fixed(300), None).with_quirks(Quirks { ignores, ..Quirks::default() }),
    ));
    let leg = world.call("0312345678");
    world.run(60_000);
    assert_eq!(world.story(leg), ["180", "answered", "ended by peer"]);
    assert!(world.responses().iter().filter(|(status, _)| *status == 200).count() > 5);
    let call = world.only_call();
    assert_eq!((call.confirmed_us, call.ended_by), (None, Some(EndedBy::Lost)));
}

#[test]
fn a_cancel_that_is_lost_leaves_it_ringing() {
    let ignores = Ignores { cancel: true, ..Ignores::default() };
    let quirks = Quirks { ignores, ..Quirks::default() };
    let mut world = World::new(BehaviourBook::all(Behaviour::no_answer().with_quirks(quirks)));
    let leg = world.call("0312345678");
    world.run(1_000);
    world.hang_up(leg);
    world.run(60_000);
    assert_eq!(world.story(leg), ["180", "failed CancelTimeout"]);
    assert_eq!(world.carrier.open_calls(), 1);
    world.run(300_000);
    assert_eq!(world.carrier.open_calls(), 0);
}

#[test]
fn two_byes_cross() {
    let mut world = world(Quirks { bye_crosses: true, ..Quirks::default() });
    let leg = world.call("0312345678");
    world.run(1_000);
    world.hang_up(leg);
    world.run(3_000);
    assert_eq!(world.story(leg), ["180", "answered", "ended by us"]);
    let byes = world.arrived.iter().filter(|(_, m)| m.method().is_some()).count();
    assert_eq!(byes, 1, "the callee's own");
    assert_eq!(world.only_call().ended_by, Some(EndedBy::Callee));
    assert_eq!(world.carrier.open_calls(), 0);
}

#[test]
fn a_callee_holds_comes_back_and_changes_the_session() {
    let at = |seconds: u32, act| (SECOND * seconds / 10, act);
    let acts = vec![
        at(2, Act::Hold),
        at(4, Act::Resume),
        at(6, Act::Reinvite),
        at(8, Act::Update),
        at(10, Act::Press("12#".into())),
    ];
    let mut world = world(Quirks { acts, ..Quirks::default() });
    let leg = world.call("0312345678");
    world.run(5_000);
    let offers = ["offer sendonly", "offer sendrecv", "offer sendrecv", "offer sendrecv"];
    let story = world.story(leg);
    assert_eq!(story[..2], ["180", "answered"]);
    assert_eq!(story[2..6], offers);
    assert_eq!(story[6..], ["ended by peer"]);
    let methods = world.arrived.iter().filter_map(|(_, m)| Some(m.method()?.to_string()));
    let methods: Vec<String> = methods.filter(|method| method != "ACK").collect();
    assert_eq!(methods, ["INVITE", "INVITE", "INVITE", "UPDATE", "BYE"]);
    assert_eq!(world.media_log, ["digits 12#"]);
}

#[test]
fn an_update_comes_in_an_early_dialog() {
    let quirks = Quirks { early_update: Some(SECOND / 4), ..Quirks::default() };
    let ring = Ring::EarlyMedia { voice: Voice::Announcement };
    let mut world = World::new(BehaviourBook::all(Behaviour { ring, ..person(quirks) }));
    let leg = world.call("0312345678");
    world.run(5_000);
    let story = ["183 with sdp", "offer sendrecv", "answered", "ended by peer"];
    assert_eq!(world.story(leg), story);
    assert_eq!(world.only_call().ended_by, Some(EndedBy::Callee));
}

#[test]
fn an_update_after_the_answer_keeps_the_call_though_it_is_refused() {
    let acts = vec![(SECOND / 2, Act::Update)];
    let mut world = world(Quirks { acts, ..Quirks::default() });
    let leg = world.call("0312345678");
    // No codec in common is left: the caller's user agent is told to refuse.
    world.refuses_offers = true;
    world.run(5_000);
    assert_eq!(world.story(leg), ["180", "answered", "offer sendrecv", "ended by peer"]);
    let refusal = world.sent.iter().find(|(_, m)| m.status() == Some(488));
    assert!(refusal.is_some());
}

#[test]
fn offers_that_collide_are_made_again() {
    let acts = vec![(SECOND / 2, Act::Hold)];
    let mut world = world(Quirks { acts, ..Quirks::default() });
    let leg = world.call("0312345678");
    // The callee's offer has just left, and has not arrived.
    world.run(1_001);
    let sdp = peer_sdp::write(
        "192.0.2.1:4000".parse().unwrap(),
        2,
        outdial::logic::media::Codec::Pcmu,
        Some(101),
        peer_sdp::Direction::SendRecv,
    );
    world.command(SipCommand::Offer { leg, sdp });
    world.run(4_500);
    let refusals = world.sent.iter().filter(|(_, m)| m.status() == Some(491)).count();
    assert_eq!(refusals, 1, "glare");
    assert!(world.story(leg).contains(&"offer sendonly".to_owned()), "{:?}", world.story(leg));
}

#[test]
fn a_moved_number_names_the_new_one() {
    let mut world = World::new(BehaviourBook::all(Behaviour::moved(Law::fixed(100), "0399999999")));
    let leg = world.call("0312345678");
    world.run(1_000);
    assert_eq!(world.story(leg), ["failed 302"]);
    let refusal = world.arrived.iter().find(|(_, m)| m.status() == Some(302)).unwrap();
    assert_eq!(refusal.1.first("Contact"), Some("<sip:0399999999@192.0.2.2:5060>"));
}

#[test]
fn only_those_numbers_are_challenged_that_the_book_names() {
    let user =
        DigestUser { realm: "trunk".into(), username: "outdial".into(), password: "secret".into() };
    let style = ChallengeStyle {
        asker: Asker::Server,
        algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
        qop: QopOffer::Both,
        stale_first: true,
        nonce_uses: None,
    };
    let asking = Behaviour { challenge: Some(style), ..person(Quirks::default()) };
    let auth = Some(Auth { user, every_call: None });
    let book = BehaviourBook { auth, ..BehaviourBook::all(person(Quirks::default())) };
    let mut world = World::new(book.with_number("0312345678", [asking]));
    let (free, asked) = (world.call("0312345679"), world.call("0312345678"));
    world.run(1_000);
    assert_eq!(world.story(free), ["180", "answered"]);
    assert_eq!(world.story(asked), ["challenged", "challenged", "180", "answered"]);
    let challenges: Vec<_> =
        world.arrived.iter().filter(|(_, m)| m.status() == Some(401)).collect();
    let stale =
        |n: usize| challenges[n].1.first("WWW-Authenticate").unwrap().contains("stale=true");
    assert_eq!((challenges.len(), stale(0), stale(1)), (2, false, true));
    let row = &world.carrier.record().calls[1];
    assert_eq!((row.challenged, row.invites_us.len()), (2, 3));
}

#[test]
fn calls_come_through_a_network_that_loses_and_overtakes() {
    let rough = Quirks { network: Some(Link::ROUGH), ..Quirks::default() };
    for book in [
        BehaviourBook::all(person(rough.clone())),
        BehaviourBook {
            network: Some(Link::ROUGH),
            ..BehaviourBook::all(person(Quirks::default()))
        },
        BehaviourBook::all(person(Quirks { early_forks: 1, ..rough })),
    ] {
        let mut world = World::new(book);
        let legs: Vec<_> = (0..40).map(|n| world.call(&format!("03123456{n:02}"))).collect();
        world.run(200_000);
        for leg in legs {
            let story = world.story(leg);
            assert!(story.contains(&"answered".to_owned()), "{story:?}");
            assert!(story.last().unwrap().starts_with("ended"), "{story:?}");
        }
        assert!(world.caller.counters().repeated > 0, "something was lost");
        assert_eq!((world.carrier.open_calls(), world.opened), (0, world.closed));
    }
}

#[test]
fn what_is_odd_about_one_call_leaves_others_alone() {
    let odd = person(Quirks { early_forks: 3, answer_forks: 3, ..Quirks::default() });
    let book = BehaviourBook::all(person(Quirks::default())).with_number("0312345678", [odd]);
    let mut world = World::new(book);
    let legs = [world.call("0312345678"), world.call("0312345679")];
    world.run(5_000);
    assert_eq!(world.story(legs[1]), ["180", "answered", "ended by peer"]);
    assert_eq!(world.story(legs[0])[..4], ["180", "180", "180", "180"]);
}

#[test]
fn every_race_of_the_example_book_comes_to_one_end() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/campaigns/carrier/races.toml");
    let mut book = outdial::config::read_book(path.as_ref()).unwrap();
    // The caller of these tests knows this password.
    let auth = book.auth.as_mut().unwrap();
    "outdial".clone_into(&mut auth.user.username);
    let mut met = BTreeSet::new();
    for number in 7_101..=7_122 {
        let mut world = World::new(book.clone());
        let leg = world.call(&format!("031234{number}"));
        world.run(20_000);
        world.hang_up(leg);
        world.run(400_000);
        let story = world.story(leg);
        let ends =
            story.iter().filter(|told| told.starts_with("ended") || told.starts_with("failed"));
        assert_eq!(ends.count(), 1, "{number}: {story:?}");
        let call = world.only_call();
        assert!(call.ended_us.is_some() && call.ended_by.is_some(), "{number}: {call:?}");
        assert_eq!((world.carrier.open_calls(), world.opened), (0, world.closed), "{number}");
        met.insert(call.behaviour.clone().unwrap());
    }
    assert_eq!(met.len(), 22, "each number has a race of its own");
}
