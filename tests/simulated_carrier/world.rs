//! A caller, a carrier and a phone on one network, in virtual time.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

use outdial::logic::ids::LegId;
use outdial::logic::media::Codec;
use outdial::logic::media::IpNet;
use outdial::logic::media::MediaCommand;
use outdial::logic::media::MediaEvent;
use outdial::logic::media::MediaStats;
use outdial::logic::sip::message::Message;
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

/// Callees of four kinds.
pub(crate) fn mixed() -> BehaviourBook {
    let soon = Law::between(100, 300);
    BehaviourBook::shares([
        (25, Behaviour::person(Law::between(300, 1000), Law::between(800, 1600))),
        (35, Behaviour::busy(soon)),
        (20, Behaviour::dead_number(soon)),
        (20, Behaviour::no_answer()),
    ])
}

fn peers() -> Vec<IpNet> {
    vec![IpNet { addr: IpAddr::from([192, 0, 2, 0]), prefix: 24 }]
}

/// A caller, a carrier and a phone on one network.
pub(crate) struct World {
    pub(crate) now: Tick,
    network: Network,
    pub(crate) caller: UserAgent,
    pub(crate) carrier: Carrier,
    pub(crate) phone: Phone,
    pub(crate) events: Vec<(Tick, SipEvent)>,
    /// What reached the caller, and what it sent.
    pub(crate) arrived: Vec<(Tick, Message)>,
    pub(crate) sent: Vec<(Tick, Message)>,
    pub(crate) media_log: Vec<String>,
    password: String,
    /// Answers offers with 488.
    pub(crate) refuses_offers: bool,
    legs: i64,
    ports: u16,
    pub(crate) opened: u32,
    pub(crate) closed: u32,
    pub(crate) plays: u32,
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
    pub(crate) fn new(book: BehaviourBook) -> Self {
        Self::build(book, None, 1, Link::PERFECT)
    }

    pub(crate) fn with_digest(password: &str) -> Self {
        let user = DigestUser {
            realm: "trunk".into(),
            username: "outdial".into(),
            password: "secret".into(),
        };
        let book = BehaviourBook::all(Behaviour::person(Law::fixed(500), Law::fixed(900)));
        Self { password: password.to_owned(), ..Self::build(book, Some(user), 1, Link::PERFECT) }
    }

    pub(crate) fn build(
        book: BehaviourBook,
        digest: Option<DigestUser>,
        seed: u64,
        link: Link,
    ) -> Self {
        let settings = CarrierSettings {
            sip: CARRIER.into(),
            rtp: IpAddr::from(CARRIER.0),
            peers: peers(),
            book,
            seed,
            digest,
            channels: 1000,
            calls_per_second: None,
        };
        Self::around(settings, link)
    }

    /// A carrier that lets in no more than this.
    pub(crate) fn with_limits(book: BehaviourBook, channels: usize, rate: Option<u32>) -> Self {
        let mut world = Self::new(book.clone());
        let settings = CarrierSettings {
            sip: CARRIER.into(),
            rtp: IpAddr::from(CARRIER.0),
            peers: peers(),
            book,
            seed: 1,
            digest: None,
            channels,
            calls_per_second: rate,
        };
        world.carrier = Carrier::new(settings);
        world
    }

    fn around(settings: CarrierSettings, link: Link) -> Self {
        let (seed, peers) = (settings.seed, peers());
        let identity = Identity { installation: "test".into(), secret: vec![7; 16], boot: seed };
        let mut caller = UserAgentSettings::new(CALLER.into(), identity);
        caller.peers.clone_from(&peers);
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
            carrier: Carrier::new(settings),
            phone: Phone::new(phone),
            events: Vec::new(),
            arrived: Vec::new(),
            sent: Vec::new(),
            media_log: Vec::new(),
            password: "secret".into(),
            refuses_offers: false,
            legs: 0,
            ports: 10_000,
            opened: 0,
            closed: 0,
            plays: 0,
        }
    }

    pub(crate) fn call(&mut self, number: &str) -> LegId {
        self.invite(number, CARRIER.into(), Vec::new())
    }

    pub(crate) fn call_phone(&mut self, auto_answer: bool) -> LegId {
        let header = ("Call-Info".to_owned(), "<sip:192.0.2.1>;answer-after=0".to_owned());
        self.invite("agent1", PHONE.into(), auto_answer.then_some(header).into_iter().collect())
    }

    fn invite(&mut self, user: &str, peer: SocketAddr, headers: Vec<(String, String)>) -> LegId {
        let media = SocketAddr::from((CALLER.0, 4000));
        let offer = peer_sdp::write(media, 1, Codec::Pcmu, Some(101), Direction::SendRecv);
        self.invite_with(user, peer, headers, offer)
    }

    /// The same with any offer.
    pub(crate) fn call_with(&mut self, number: &str, offer: &[u8]) -> LegId {
        self.invite_with(number, CARRIER.into(), Vec::new(), offer.to_vec())
    }

    fn invite_with(
        &mut self,
        user: &str,
        peer: SocketAddr,
        headers: Vec<(String, String)>,
        offer: Vec<u8>,
    ) -> LegId {
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
        self.command(SipCommand::Invite { leg, call: Box::new(call), offer });
        leg
    }

    pub(crate) fn hang_up(&mut self, leg: LegId) {
        self.command(SipCommand::HangUp { leg });
    }

    pub(crate) fn hang_up_if_ringing(&mut self, leg: LegId) {
        if !self.story(leg).contains(&"answered".to_owned()) {
            self.hang_up(leg);
        }
    }

    pub(crate) fn order(&mut self, order: PhoneOrder) {
        let mut out = Vec::new();
        self.phone.handle(self.now, PhoneInput::Order(order), &mut out);
        self.perform(out.into_iter().map(Todo::Phone).collect());
    }

    pub(crate) fn command(&mut self, command: SipCommand) {
        let mut out = Vec::new();
        self.caller.handle(self.now, SipInput::Command(command), &mut out);
        self.perform(out.into_iter().map(Todo::Caller).collect());
    }

    pub(crate) fn elapsed_ms(&self) -> u64 {
        self.now.micros_since_start() / 1000
    }

    /// Runs everything that happens until `ms` after the start.
    pub(crate) fn run(&mut self, ms: u64) {
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
                self.arrived.push((now, Message::parse(bytes).unwrap()));
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
                    self.sent.push((now, Message::parse(&bytes).unwrap()));
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
                let sdp = (!self.refuses_offers).then_some(sdp);
                Some(SipCommand::AnswerOffer { leg: *leg, sdp })
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

    /// Statuses of the responses to INVITE that reached the caller, with the tag of each.
    pub(crate) fn responses(&self) -> Vec<(u16, String)> {
        let to_invite = |m: &&Message| m.first("CSeq").unwrap().ends_with("INVITE");
        let messages = self.arrived.iter().map(|(_, message)| message).filter(to_invite);
        let tag = |m: &Message| m.to().unwrap().tag().unwrap_or_default().to_owned();
        messages.filter_map(|m| Some((m.status()?, tag(m)))).collect()
    }

    /// When the caller sent a request of this method, each time.
    pub(crate) fn sent_at_ms(&self, method: &str) -> Vec<u64> {
        let is = |m: &Message| m.method().is_some_and(|known| known.to_string() == method);
        let sent = self.sent.iter().filter(|(_, message)| is(message));
        sent.map(|(at, _)| at.micros_since_start() / 1000).collect()
    }

    pub(crate) fn only_call(&self) -> &CallRecord {
        let [call] = &self.carrier.record().calls[..] else {
            panic!("{:?}", self.carrier.record())
        };
        call
    }

    /// What the caller saw of a leg, in words; a 100 is left out.
    pub(crate) fn story(&self, leg: LegId) -> Vec<String> {
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
