//! Who hears whom, and after how long, measured at the simulated ends: a small dialer joins callee and agent.
#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::time::Duration;

use outdial::carrier::CarrierSettings;
use outdial::carrier::PhonePlan;
use outdial::logic::ids::LegId;
use outdial::logic::media::Codec;
use outdial::logic::media::IpNet;
use outdial::logic::media::MediaCommand;
use outdial::logic::media::MediaEvent;
use outdial::logic::sip::user_agent::Identity;
use outdial::logic::sip::user_agent::OutgoingCall;
use outdial::logic::sip::user_agent::SipAction;
use outdial::logic::sip::user_agent::SipCommand;
use outdial::logic::sip::user_agent::SipEvent;
use outdial::logic::sip::user_agent::SipInput;
use outdial::logic::sip::user_agent::UserAgent;
use outdial::logic::sip::user_agent::UserAgentSettings;
use outdial::media::MediaClock;
use outdial::media::MediaHandle;
use outdial::media::MediaSettings;
use outdial::simulation::callee::Behaviour;
use outdial::simulation::callee::BehaviourBook;
use outdial::simulation::callee::Voice;
use outdial::simulation::dice::Law;
use outdial::simulation::peer_sdp;
use outdial::simulation::peer_sdp::Direction;
use outdial::wire::udp::SipSocket;

#[test]
fn the_report_tells_who_heard_whom_and_when() {
    let book = BehaviourBook::all(Behaviour::tone(Law::fixed(100), Some(Law::fixed(500))));
    let mut settings = CarrierSettings::on_loopback(book, 1);
    settings.listen_for = vec![440, 1000];
    settings.phones =
        vec![PhonePlan { voice: Voice::Tone { hz: 440 }, ..PhonePlan::new("agent1") }];
    let world = outdial::carrier::start(settings).unwrap();
    let phone = world.phone_addrs().first().unwrap().1;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let calls = runtime.block_on(async {
        let dialer = Dialer::new();
        let dialed = dialer.dial(phone, world.sip_addr(), CALLS);
        tokio::time::timeout(Duration::from_secs(30), dialed).await.unwrap()
    });
    assert_eq!(calls, CALLS);
    let report = world.stop().unwrap();
    assert_eq!(report.sound.len(), CALLS);
    for sound in &report.sound {
        let at_phone = sound.at_phone.as_ref().unwrap();
        let (hz, heard_after) = sound.callee_heard.unwrap();
        assert_eq!((at_phone.agent.as_str(), hz), ("agent1", 440));
        // The bound of the test is generous: the machine may be busy. Both are some 20 ms when it is not.
        assert!(at_phone.after_us < 400_000 && heard_after < 400_000, "{sound:?}");
    }
    assert!(report.rtp.received > 0 && report.rtp.refused == 0, "{:?}", report.rtp);
}

const CALLS: usize = 5;
const AGENT: LegId = LegId(1);

/// Calls the agent's phone, then one customer after the other, and joins them.
struct Dialer {
    socket: SipSocket,
    agent: UserAgent,
    clock: MediaClock,
    media: MediaHandle,
    events: tokio::sync::mpsc::Receiver<MediaEvent>,
    peers: BTreeMap<LegId, (String, SocketAddr)>,
    ended: Vec<LegId>,
    answered: Vec<LegId>,
}

impl Dialer {
    fn new() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let socket = SipSocket::bind(any, 1 << 20).unwrap();
        let identity = Identity { installation: "test".into(), secret: vec![7; 16], boot: 1 };
        let mut settings = UserAgentSettings::new(socket.local_addr(), identity);
        settings.peers = vec![IpNet { addr: IpAddr::V4(Ipv4Addr::LOCALHOST), prefix: 8 }];
        let clock = MediaClock::new();
        let (tell, events) = tokio::sync::mpsc::channel(1_000);
        let media = MediaSettings::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 30_000..=39_999, 1, clock);
        let (media, threads) = outdial::media::start(media, tell).unwrap();
        // The thread ends with the process.
        std::mem::forget(threads);
        Self {
            socket,
            agent: UserAgent::new(settings, 1),
            clock,
            media,
            events,
            peers: BTreeMap::new(),
            ended: Vec::new(),
            answered: Vec::new(),
        }
    }

    async fn dial(mut self, phone: SocketAddr, carrier: SocketAddr, calls: usize) -> usize {
        self.call(AGENT, "agent1", phone);
        while !self.answered.contains(&AGENT) {
            self.turn().await;
        }
        for call in 0..calls {
            let leg = LegId(10 + i64::try_from(call).unwrap());
            self.call(leg, &format!("03{call:08}"), carrier);
            while !self.ended.contains(&leg) {
                self.turn().await;
            }
            // Longer than the pause after which a tone counts as new.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        self.ended.len()
    }

    fn call(&mut self, leg: LegId, user: &str, peer: SocketAddr) {
        self.peers.insert(leg, (user.to_owned(), peer));
        self.media.send(MediaCommand::Open { leg }).unwrap();
    }

    async fn turn(&mut self) {
        let mut buffer = [0; 4_096];
        let now = self.clock.now();
        let wait = self.agent.next_deadline().map_or(Duration::from_secs(1), |at| at.since(now));
        tokio::select! {
            datagram = self.socket.recv_from(&mut buffer) => {
                let (length, from) = datagram.unwrap();
                self.sip(SipInput::Datagram { from, bytes: buffer.get(..length).unwrap() });
            }
            event = self.events.recv() => if let Some(MediaEvent::Opened { leg, port }) = event {
                let rtp = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                let offer = peer_sdp::write(rtp, 1, Codec::Pcmu, Some(101), Direction::SendRecv);
                let (user, peer) = self.peers.get(&leg).unwrap().clone();
                let call = OutgoingCall {
                    request_uri: format!("sip:{user}@{peer}"),
                    peer,
                    from: "<sip:dialer@127.0.0.1>".into(),
                    to: format!("<sip:{user}@{peer}>"),
                    headers: vec![("Call-Info".into(), "<sip:127.0.0.1>;answer-after=0".into())],
                    credentials: None,
                };
                self.sip(SipInput::Command(SipCommand::Invite { leg, call: Box::new(call), offer }));
            },
            () = tokio::time::sleep(wait) => self.sip(SipInput::Timeout),
        }
    }

    fn sip(&mut self, input: SipInput<'_>) {
        let mut actions = Vec::new();
        self.agent.handle(self.clock.now(), input, &mut actions);
        for action in actions {
            match action {
                SipAction::Send { to, bytes } => {
                    self.socket.try_send_to(&bytes, to);
                }
                SipAction::Event(SipEvent::Answered { leg, sdp, .. }) => {
                    let remote = peer_sdp::read(&sdp.unwrap()).unwrap().remote;
                    self.media.send(MediaCommand::Remote { leg, remote }).unwrap();
                    if leg != AGENT {
                        self.media.send(MediaCommand::Bridge { a: AGENT, b: leg }).unwrap();
                    }
                    self.answered.push(leg);
                }
                SipAction::Event(SipEvent::Ended { leg, .. } | SipEvent::Failed { leg, .. }) => {
                    self.media.send(MediaCommand::Close { leg }).unwrap();
                    self.ended.push(leg);
                }
                SipAction::Event(_) => {}
            }
        }
    }
}
