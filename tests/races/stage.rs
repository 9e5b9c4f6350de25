//! One call of ours to SIPp: our user agent, its clock, its socket, and what came of it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use outdial::logic::ids::LegId;
use outdial::logic::sip::user_agent::{
    Counters, Credentials, FailureCause, Identity, OutgoingCall, SipAction, SipCommand, SipEvent,
    SipInput, UserAgent, UserAgentSettings,
};
use outdial::logic::time::Tick;
use outdial::runtime::clock::Clock;

use crate::sipp::{Account, Logged, Sipp};

/// Orders, each after a wait.
pub(crate) type Orders = Vec<(Duration, SipCommand)>;

/// SIPp, ready for its part, and our side.
pub(crate) struct Stage {
    pub(crate) sipp: Sipp,
    line: Line,
}

/// Our user agent on a socket.
struct Line {
    clock: Clock,
    socket: UdpSocket,
    agent: UserAgent,
    /// In the order of their moments.
    due: Vec<(Tick, SipCommand)>,
    events: Vec<SipEvent>,
}

/// What is left when both sides have ended.
pub(crate) struct Played {
    pub(crate) account: Account,
    pub(crate) events: Vec<SipEvent>,
    pub(crate) counters: Counters,
}

impl Stage {
    /// SIPp plays `scenarios/{name}.xml` once.
    pub(crate) fn set(name: &str) -> Self {
        Self::start(HERE, 1, name)
    }

    /// The same on another address of this machine.
    pub(crate) fn set_on(ip: IpAddr, name: &str) -> Self {
        Self::start(ip, 1, name)
    }

    /// The same so many times.
    pub(crate) fn set_for(calls: usize, name: &str) -> Self {
        Self::start(HERE, calls, name)
    }

    fn start(ip: IpAddr, calls: usize, name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/races/scenarios");
        let scenario = folder.join(format!("{name}.xml"));
        let args = ["-sf", scenario.to_str().unwrap(), "-m", &calls.to_string()];
        let sipp = Sipp::start(ip, &[&args[..], &["-trace_msg", "-timeout", "40s"]].concat());
        Self { sipp, line: Line::on(ip) }
    }

    /// One call to SIPp; `react` answers each event of ours.
    pub(crate) fn play(self, react: impl FnMut(&SipEvent) -> Orders) -> Played {
        let call = call_to(self.sipp.address());
        self.play_calls(vec![call], react)
    }

    /// Calls with the legs [`LEG`], the next, and so on, 20 ms apart.
    pub(crate) fn play_calls(
        self,
        calls: Vec<OutgoingCall>,
        react: impl FnMut(&SipEvent) -> Orders,
    ) -> Played {
        self.play_and(calls, vec![], react)
    }

    /// The same, and orders that do not wait for an event.
    pub(crate) fn play_and(
        mut self,
        calls: Vec<OutgoingCall>,
        orders: Orders,
        mut react: impl FnMut(&SipEvent) -> Orders,
    ) -> Played {
        for (wait, command) in orders {
            self.line.after(wait, command);
        }
        let mut wait = Duration::ZERO;
        let mut leg = LEG;
        for call in calls {
            let (call, offer) = (Box::new(call), OFFER.to_vec());
            self.line.after(wait, SipCommand::Invite { leg, call, offer });
            leg = LegId(leg.0 + 1);
            wait += Duration::from_millis(20);
        }
        let give_up = self.line.clock.tick() + PATIENCE;
        let mut seen = 0;
        loop {
            while let Some(event) = self.line.events.get(seen) {
                seen += 1;
                for (wait, command) in react(event) {
                    self.line.after(wait, command);
                }
            }
            let ours_over = self.line.due.is_empty() && self.line.agent.legs() == 0;
            match self.sipp.ended() {
                Some(_) if ours_over => break,
                Some(code) => assert_eq!(code, 0, "{}", self.story()),
                None => {}
            }
            assert!(self.line.clock.tick() < give_up, "{}", self.story());
            self.line.turn();
        }
        let played = Played {
            account: self.sipp.account(),
            events: std::mem::take(&mut self.line.events),
            counters: self.line.agent.counters().clone(),
        };
        assert_eq!(played.account.errors, "", "{}", self.story());
        played
    }

    /// Everything there is to know of a call that does not end.
    fn story(&mut self) -> String {
        let account = self.sipp.account();
        let messages = account.messages.iter().map(|message| {
            let way = if message.received { "to SIPp" } else { "from SIPp" };
            format!("{} {way}\n{}\n", message.stamp, message.text)
        });
        let messages: String = messages.collect();
        format!("{messages}\nSIPp met {}\nour side {:?}", account.errors, self.line.events)
    }
}

impl Line {
    fn on(ip: IpAddr) -> Self {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        let identity =
            Identity { installation: "races".into(), secret: b"races".to_vec(), boot: 1 };
        let settings = UserAgentSettings::new(socket.local_addr().unwrap(), identity);
        let agent = UserAgent::new(settings, 1);
        Self { clock: Clock::start(), socket, agent, due: vec![], events: vec![] }
    }

    fn after(&mut self, wait: Duration, command: SipCommand) {
        self.due.push((self.clock.tick() + wait, command));
        self.due.sort_by_key(|(at, _)| *at);
    }

    /// Takes the next datagram, or what has become due.
    fn turn(&mut self) {
        while let Some((at, _)) = self.due.first()
            && *at <= self.clock.tick()
        {
            let (_, command) = self.due.remove(0);
            self.handle(SipInput::Command(command));
        }
        if self.agent.next_deadline().is_some_and(|at| at <= self.clock.tick()) {
            self.handle(SipInput::Timeout);
        }
        let next = [self.agent.next_deadline(), self.due.first().map(|(at, _)| *at)];
        let wait = next.into_iter().flatten().min().map(|at| at.since(self.clock.tick()));
        let wait = wait.unwrap_or(LONGEST_WAIT).clamp(Duration::from_millis(1), LONGEST_WAIT);
        self.socket.set_read_timeout(Some(wait)).unwrap();
        let mut buffer = [0; 65_536];
        if let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
            let bytes = buffer.get(..length).unwrap();
            self.handle(SipInput::Datagram { from, bytes });
        }
    }

    fn handle(&mut self, input: SipInput<'_>) {
        let mut out = vec![];
        self.agent.handle(self.clock.tick(), input, &mut out);
        for action in out {
            match action {
                SipAction::Event(event) => self.events.push(event),
                SipAction::Send { to, bytes } => {
                    // A far end that has ended refuses by ICMP: as good as lost.
                    self.socket.send_to(&bytes, to).ok();
                }
            }
        }
    }
}

impl Played {
    /// SIPp played its part to the end, once.
    pub(crate) fn faultless(self) -> Self {
        let Account { code, successful, failed, .. } = &self.account;
        assert_eq!((*code, *successful, *failed), (Some(0), 1, 0), "{:?}", self.events);
        self
    }

    /// What our side concluded, in words; what was thrown away left out.
    pub(crate) fn concluded(&self) -> Vec<String> {
        self.events.iter().filter_map(word).collect()
    }

    /// Where the first such message stands in SIPp's log, and what it says.
    pub(crate) fn message(&self, wanted: impl Fn(&Logged) -> bool) -> (usize, &str) {
        let mut messages = self.account.messages.iter().enumerate();
        let (place, message) = messages.find(|(_, message)| wanted(message)).unwrap();
        (place, &message.text)
    }

    /// The requests that SIPp received, each once, by CSeq: how often we repeated one depends on the machine.
    pub(crate) fn requests(&self) -> Vec<String> {
        let mut known = BTreeSet::new();
        let received = self.account.messages.iter().filter(|message| message.received);
        received
            .filter(|message| !message.text.starts_with("SIP/2.0") && known.insert(&message.text))
            .map(|message| {
                let cseq = message.text.lines().find_map(|line| line.strip_prefix("CSeq: "));
                cseq.unwrap().trim().to_owned()
            })
            .collect()
    }
}

/// A call of ours to `far`, with the password that SIPp's scenarios know.
pub(crate) fn call_to(far: SocketAddr) -> OutgoingCall {
    OutgoingCall {
        request_uri: format!("sip:0312345678@{far}"),
        peer: far,
        from: "\"outdial\" <sip:+81398765432@example.com>".into(),
        to: format!("<sip:0312345678@{far}>"),
        headers: vec![],
        credentials: Some(Credentials { username: "line1".into(), password: "secret".into() }),
    }
}

/// Sends every INVITE that the far end asks for, and hangs up after the answer.
pub(crate) fn hang_up_once_answered(event: &SipEvent) -> Orders {
    match event {
        SipEvent::Answered { leg, .. } => vec![(BRIEFLY, SipCommand::HangUp { leg: *leg })],
        SipEvent::Challenged { leg } => {
            vec![(Duration::ZERO, SipCommand::Authorize { leg: *leg })]
        }
        SipEvent::Provisional { .. }
        | SipEvent::Failed { .. }
        | SipEvent::Ended { .. }
        | SipEvent::Offer { .. }
        | SipEvent::OfferDone { .. }
        | SipEvent::Digit { .. }
        | SipEvent::Incoming { .. }
        | SipEvent::Cancelled { .. }
        | SipEvent::Confirmed { .. }
        | SipEvent::OptionsDone { .. }
        | SipEvent::Dropped { .. } => vec![],
    }
}

fn word(event: &SipEvent) -> Option<String> {
    Some(match event {
        SipEvent::Provisional { status, sdp, .. } => {
            format!("{status}{}", if sdp.is_some() { " with SDP" } else { "" })
        }
        SipEvent::Challenged { .. } => "challenged".into(),
        SipEvent::Answered { .. } => "answered".into(),
        SipEvent::Failed { cause: FailureCause::Status(status), .. } => format!("failed {status}"),
        SipEvent::Failed { cause, .. } => format!("failed {cause:?}"),
        SipEvent::Ended { by_peer, .. } => {
            format!("ended by {}", if *by_peer { "them" } else { "us" })
        }
        SipEvent::Offer { .. } => "offer".into(),
        SipEvent::OfferDone { status, .. } => format!("offer done {status}"),
        SipEvent::Digit { .. } => "digit".into(),
        SipEvent::Incoming { .. } => "incoming".into(),
        SipEvent::Cancelled { .. } => "cancelled".into(),
        SipEvent::Confirmed { .. } => "confirmed".into(),
        SipEvent::OptionsDone { .. } => "options done".into(),
        SipEvent::Dropped { .. } => return None,
    })
}

pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const LEG: LegId = LegId(1);
/// A talk.
pub(crate) const BRIEFLY: Duration = Duration::from_millis(50);
pub(crate) const OFFER: &[u8] = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n\
    t=0 0\r\nm=audio 20000 RTP/AVP 0\r\n";
/// SIPp gives up after 40 s; ours goes on for 64*T1 at most.
const PATIENCE: Duration = Duration::from_secs(45);
/// How late the end of SIPp may be noticed.
const LONGEST_WAIT: Duration = Duration::from_millis(10);
