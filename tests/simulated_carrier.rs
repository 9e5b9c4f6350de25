//! The simulated carrier and phone against a plain user agent, on virtual time.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a failed setup is a failed test"
)]

use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

use outdial::logic::ids::LegId;
use outdial::logic::media::Codec;
use outdial::logic::media::IpNet;
use outdial::logic::media::MediaCommand;
use outdial::logic::media::MediaEvent;
use outdial::logic::media::MediaStats;
use outdial::logic::sip::user_agent::Credentials;
use outdial::logic::sip::user_agent::FailureCause;
use outdial::logic::sip::user_agent::Identity;
use outdial::logic::sip::user_agent::OutgoingCall;
use outdial::logic::sip::user_agent::SipAction;
use outdial::logic::sip::user_agent::SipCommand;
use outdial::logic::sip::user_agent::SipEvent;
use outdial::logic::sip::user_agent::SipInput;
use outdial::logic::sip::user_agent::UserAgent;
use outdial::logic::sip::user_agent::UserAgentSettings;
use outdial::logic::time::Tick;
use outdial::simulation::callee::Behaviour;
use outdial::simulation::callee::BehaviourBook;
use outdial::simulation::callee::Voice;
use outdial::simulation::carrier::Carrier;
use outdial::simulation::carrier::CarrierAction;
use outdial::simulation::carrier::CarrierInput;
use outdial::simulation::carrier::CarrierSettings;
use outdial::simulation::carrier_record::CallRecord;
use outdial::simulation::carrier_record::EndedBy;
use outdial::simulation::dice::Law;
use outdial::simulation::digest_user::DigestUser;
use outdial::simulation::network::Link;
use outdial::simulation::network::Network;
use outdial::simulation::peer_sdp;
use outdial::simulation::peer_sdp::Direction;
use outdial::simulation::phone::Phone;
use outdial::simulation::phone::PhoneAction;
use outdial::simulation::phone::PhoneInput;
use outdial::simulation::phone::PhoneOrder;
use outdial::simulation::phone::PhoneSettings;

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
        let mut world = World::build(BehaviourBook::demo(), None, seed, link);
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

#[test]
fn a_phone_answers_at_once_when_a_header_asks_for_it() {
    let mut world = World::new(BehaviourBook::demo());
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
    let mut world = World::new(BehaviourBook::demo());
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
    let mut world = World::new(BehaviourBook::demo());
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
    let mut world = World::new(BehaviourBook::demo());
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

/// A caller, a carrier and a phone on one network.
struct World {
    now: Tick,
    network: Network,
    caller: UserAgent,
    carrier: Carrier,
    phone: Phone,
    events: Vec<(Tick, SipEvent)>,
    media_log: Vec<String>,
    password: String,
    legs: i64,
    ports: u16,
    opened: u32,
    closed: u32,
    plays: u32,
}

const CALLER: ([u8; 4], u16) = ([192, 0, 2, 1], 5060);
const CARRIER: ([u8; 4], u16) = ([192, 0, 2, 2], 5060);
const PHONE: ([u8; 4], u16) = ([192, 0, 2, 3], 5060);

enum Todo {
    Caller(SipAction),
    Carrier(CarrierAction),
    Phone(PhoneAction),
}

impl World {
    fn new(book: BehaviourBook) -> Self {
        Self::build(book, None, 1, Link::PERFECT)
    }

    fn with_digest(password: &str) -> Self {
        let user = DigestUser {
            realm: "trunk".into(),
            username: "outdial".into(),
            password: "secret".into(),
        };
        let book = BehaviourBook::all(Behaviour::person(Law::fixed(500), Law::fixed(900)));
        Self { password: password.to_owned(), ..Self::build(book, Some(user), 1, Link::PERFECT) }
    }

    fn build(book: BehaviourBook, digest: Option<DigestUser>, seed: u64, link: Link) -> Self {
        let peers = vec![IpNet { addr: IpAddr::from([192, 0, 2, 0]), prefix: 24 }];
        let identity = Identity { installation: "test".into(), secret: vec![7; 16], boot: seed };
        let mut caller = UserAgentSettings::new(CALLER.into(), identity);
        caller.peers.clone_from(&peers);
        let carrier = CarrierSettings {
            sip: CARRIER.into(),
            rtp: IpAddr::from(CARRIER.0),
            peers: peers.clone(),
            book,
            seed,
            digest,
            channels: 1000,
        };
        let phone = PhoneSettings {
            name: "agent1".into(),
            sip: PHONE.into(),
            rtp: IpAddr::from(PHONE.0),
            peers,
            pick_up_after: Some(Duration::from_secs(1)),
            codec: Codec::Pcmu,
            voice: Voice::Tone { hz: 440 },
            seed,
        };
        Self {
            now: Tick::START,
            network: Network::new(seed, link),
            caller: UserAgent::new(caller, seed),
            carrier: Carrier::new(carrier),
            phone: Phone::new(phone),
            events: Vec::new(),
            media_log: Vec::new(),
            password: "secret".into(),
            legs: 0,
            ports: 10_000,
            opened: 0,
            closed: 0,
            plays: 0,
        }
    }

    fn call(&mut self, number: &str) -> LegId {
        self.invite(number, CARRIER.into(), Vec::new())
    }

    fn call_phone(&mut self, auto_answer: bool) -> LegId {
        let header = ("Call-Info".to_owned(), "<sip:192.0.2.1>;answer-after=0".to_owned());
        self.invite("agent1", PHONE.into(), auto_answer.then_some(header).into_iter().collect())
    }

    fn invite(&mut self, user: &str, peer: SocketAddr, headers: Vec<(String, String)>) -> LegId {
        self.legs += 1;
        let leg = LegId(self.legs);
        let credentials =
            Credentials { username: "outdial".into(), password: self.password.clone() };
        let call = OutgoingCall {
            request_uri: format!("sip:{user}@{peer}"),
            peer,
            from: "\"Test\" <sip:caller@192.0.2.1>".into(),
            to: format!("<sip:{user}@{peer}>"),
            headers,
            credentials: Some(credentials),
        };
        let media = SocketAddr::from((CALLER.0, 4000));
        let offer = peer_sdp::write(media, 1, Codec::Pcmu, Some(101), Direction::SendRecv);
        self.command(SipCommand::Invite { leg, call: Box::new(call), offer });
        leg
    }

    fn hang_up(&mut self, leg: LegId) {
        self.command(SipCommand::HangUp { leg });
    }

    fn hang_up_if_ringing(&mut self, leg: LegId) {
        if !self.story(leg).contains(&"answered".to_owned()) {
            self.hang_up(leg);
        }
    }

    fn order(&mut self, order: PhoneOrder) {
        let mut out = Vec::new();
        self.phone.handle(self.now, PhoneInput::Order(order), &mut out);
        self.perform(out.into_iter().map(Todo::Phone).collect());
    }

    fn command(&mut self, command: SipCommand) {
        let mut out = Vec::new();
        self.caller.handle(self.now, SipInput::Command(command), &mut out);
        self.perform(out.into_iter().map(Todo::Caller).collect());
    }

    fn elapsed_ms(&self) -> u64 {
        self.now.micros_since_start() / 1000
    }

    /// Runs everything that happens until `ms` after the start.
    fn run(&mut self, ms: u64) {
        let end = Tick::START + Duration::from_millis(ms);
        for _ in 0..5_000_000 {
            let deadlines = [
                self.network.next_deadline(),
                self.caller.next_deadline(),
                self.carrier.next_deadline(),
                self.phone.next_deadline(),
            ];
            let next = deadlines.into_iter().flatten().min().filter(|at| *at <= end);
            let Some(next) = next else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            self.step();
        }
        panic!("the world stands still at {:?}", self.now);
    }

    fn step(&mut self) {
        let now = self.now;
        let due = |at: Option<Tick>| at.is_some_and(|at| at <= now);
        if let Some(datagram) = self.network.pop_due(now) {
            let (from, bytes) = (datagram.from, &datagram.bytes[..]);
            let todo = if datagram.to == CALLER.into() {
                let mut out = Vec::new();
                self.caller.handle(now, SipInput::Datagram { from, bytes }, &mut out);
                out.into_iter().map(Todo::Caller).collect()
            } else if datagram.to == CARRIER.into() {
                let mut out = Vec::new();
                self.carrier.handle(now, CarrierInput::Datagram { from, bytes }, &mut out);
                out.into_iter().map(Todo::Carrier).collect()
            } else {
                let mut out = Vec::new();
                self.phone.handle(now, PhoneInput::Datagram { from, bytes }, &mut out);
                out.into_iter().map(Todo::Phone).collect()
            };
            return self.perform(todo);
        }
        if due(self.caller.next_deadline()) {
            let mut out = Vec::new();
            self.caller.handle(now, SipInput::Timeout, &mut out);
            self.perform(out.into_iter().map(Todo::Caller).collect());
        }
        if due(self.carrier.next_deadline()) {
            let mut out = Vec::new();
            self.carrier.handle(now, CarrierInput::Timeout, &mut out);
            self.perform(out.into_iter().map(Todo::Carrier).collect());
        }
        if due(self.phone.next_deadline()) {
            let mut out = Vec::new();
            self.phone.handle(now, PhoneInput::Timeout, &mut out);
            self.perform(out.into_iter().map(Todo::Phone).collect());
        }
    }

    fn perform(&mut self, todo: Vec<Todo>) {
        let now = self.now;
        for action in todo {
            match action {
                Todo::Caller(SipAction::Send { to, bytes }) => {
                    self.network.send(now, CALLER.into(), to, bytes)
                }
                Todo::Caller(SipAction::Event(event)) => self.react(event),
                Todo::Carrier(CarrierAction::Send { to, bytes }) => {
                    self.network.send(now, CARRIER.into(), to, bytes);
                }
                Todo::Carrier(CarrierAction::Media(command)) => {
                    if let Some(event) = self.media(command) {
                        let mut out = Vec::new();
                        self.carrier.handle(now, CarrierInput::Media(event), &mut out);
                        self.perform(out.into_iter().map(Todo::Carrier).collect());
                    }
                }
                Todo::Carrier(CarrierAction::Record(_)) => {}
                Todo::Phone(PhoneAction::Send { to, bytes }) => {
                    self.network.send(now, PHONE.into(), to, bytes)
                }
                Todo::Phone(PhoneAction::Media(command)) => {
                    if let Some(event) = self.media(command) {
                        let mut out = Vec::new();
                        self.phone.handle(now, PhoneInput::Media(event), &mut out);
                        self.perform(out.into_iter().map(Todo::Phone).collect());
                    }
                }
            }
        }
    }

    /// The caller answers challenges and re-INVITEs; the rest is up to the test.
    fn react(&mut self, event: SipEvent) {
        let answer = match &event {
            SipEvent::Challenged { leg } => Some(SipCommand::Authorize { leg: *leg }),
            SipEvent::Offer { leg, .. } => {
                let media = SocketAddr::from((CALLER.0, 4000));
                let sdp = peer_sdp::write(media, 2, Codec::Pcmu, Some(101), Direction::SendRecv);
                Some(SipCommand::AnswerOffer { leg: *leg, sdp: Some(sdp) })
            }
            _ => None,
        };
        self.events.push((self.now, event));
        if let Some(command) = answer {
            self.command(command);
        }
    }

    fn media(&mut self, command: MediaCommand) -> Option<MediaEvent> {
        match command {
            MediaCommand::Open { leg } => {
                self.opened += 1;
                self.ports += 2;
                Some(MediaEvent::Opened { leg, port: self.ports })
            }
            MediaCommand::Close { leg } => {
                self.closed += 1;
                Some(MediaEvent::Closed { leg, stats: MediaStats::default() })
            }
            MediaCommand::Play { .. } => {
                self.plays += 1;
                None
            }
            MediaCommand::SendDigits { digits, .. } => {
                self.media_log.push(format!("digits {digits}"));
                None
            }
            _ => None,
        }
    }

    fn only_call(&self) -> &CallRecord {
        let [call] = &self.carrier.record().calls[..] else {
            panic!("{:?}", self.carrier.record())
        };
        call
    }

    /// What the caller saw of a leg, in words; a 100 is left out.
    fn story(&self, leg: LegId) -> Vec<String> {
        let words = self.events.iter().filter_map(|(_, event)| match event {
            SipEvent::Provisional { leg: of, status, sdp } if *of == leg && *status != 100 => {
                Some(format!("{status}{}", if sdp.is_some() { " with sdp" } else { "" }))
            }
            SipEvent::Challenged { leg: of } if *of == leg => Some("challenged".into()),
            SipEvent::Answered { leg: of, sdp, .. } if *of == leg => {
                assert!(peer_sdp::read(sdp.as_deref().unwrap()).is_some());
                Some("answered".into())
            }
            SipEvent::Failed { leg: of, cause: FailureCause::Status(status), .. } if *of == leg => {
                Some(format!("failed {status}"))
            }
            SipEvent::Failed { leg: of, cause, .. } if *of == leg => {
                Some(format!("failed {cause:?}"))
            }
            SipEvent::Ended { leg: of, by_peer, .. } if *of == leg => {
                Some(if *by_peer { "ended by peer" } else { "ended by us" }.into())
            }
            SipEvent::Offer { leg: of, sdp } if *of == leg => {
                let sdp = String::from_utf8(sdp.clone().unwrap()).unwrap();
                let direction =
                    ["sendonly", "sendrecv"].into_iter().find(|word| sdp.contains(word));
                Some(format!("offer {}", direction.unwrap()))
            }
            _ => None,
        });
        words.collect()
    }
}
