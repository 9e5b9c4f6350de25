//! Our caller, a process of its own so that its cost is counted apart: the user agent of the library on a socket of the
//! library, and around them as little as can be.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use outdial::logic::ids::LegId;
use outdial::logic::media::IpNet;
use outdial::logic::sip::user_agent::{
    Identity, OutgoingCall, SipAction, SipCommand, SipEvent, SipInput, UserAgent, UserAgentSettings,
};
use outdial::logic::time::Tick;
use outdial::runtime::clock::Clock;
use outdial::wire::udp::{SIP_BUFFER, SipSocket};
use serde::{Deserialize, Serialize};

use crate::common::{Process, Usage};

/// What a caller is to do: SIPp's `uac` scenario, so many times.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) to: SocketAddr,
    /// Calls a second.
    pub(crate) rate: u32,
    pub(crate) calls: u32,
    /// Keeps every call until all are up; otherwise each is ended when it is answered.
    pub(crate) hold: bool,
    /// INVITEs and BYEs without an answer; at the bound the next call waits for its turn.
    pub(crate) most_waiting: u32,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Answered, and ended by our BYE.
    pub(crate) completed: u32,
    pub(crate) failed: u32,
    /// Datagrams that one side or the other sent again, and those that the socket did not take.
    pub(crate) repeats: u64,
    /// From the first INVITE to the last answer to a BYE.
    pub(crate) seconds: f64,
    /// Resident memory before the first call, and while all are up.
    pub(crate) empty_kib: u64,
    pub(crate) held_kib: u64,
}

impl Plan {
    /// In a process of its own.
    pub(crate) fn carry_out(self) -> (Report, Usage) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([WORD, &serde_json::to_string(&self).unwrap()]).stdout(Stdio::piped());
        let mut process = Process::start(&mut command);
        let (mut empty_kib, mut held_kib, mut report) = (0, 0, Report::default());
        for line in BufReader::new(process.child.stdout.take().unwrap()).lines() {
            match line.unwrap().as_str() {
                EMPTY => empty_kib = process.resident_kib(),
                HELD => held_kib = process.resident_kib(),
                told => report = serde_json::from_str(told).unwrap(),
            }
        }
        (Report { empty_kib, held_kib, ..report }, process.succeed())
    }
}

/// The whole program of the child, if this process is one.
pub(crate) fn is_child() -> bool {
    let mut words = std::env::args().skip(1);
    let (Some(WORD), Some(plan)) = (words.next().as_deref(), words.next()) else { return false };
    let plan = serde_json::from_str(&plan).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(async { Caller::new(plan).run().await });
    println!("{}", serde_json::to_string(&report).unwrap());
    true
}

struct Caller {
    plan: Plan,
    clock: Clock,
    socket: SipSocket,
    agent: UserAgent,
    began: Tick,
    /// Calls begun; the next leg's number is one more.
    begun: u32,
    waiting: u32,
    answered: u32,
    /// Calls that are up until all are.
    up: VecDeque<LegId>,
    ending_since: Option<Tick>,
    hung_up: u32,
    out: Vec<SipAction>,
    report: Report,
}

impl Caller {
    fn new(plan: Plan) -> Self {
        let socket = SipSocket::bind((plan.to.ip(), 0).into(), SIP_BUFFER).unwrap();
        let identity = Identity { installation: "bench".into(), secret: vec![7; 32], boot: 1 };
        let mut settings = UserAgentSettings::new(socket.local_addr(), identity);
        settings.peers = vec![IpNet { addr: plan.to.ip(), prefix: 32 }];
        Self {
            plan,
            clock: Clock::start(),
            socket,
            agent: UserAgent::new(settings, 1),
            began: Tick::START,
            begun: 0,
            waiting: 0,
            answered: 0,
            up: VecDeque::new(),
            ending_since: None,
            hung_up: 0,
            out: Vec::new(),
            report: Report::default(),
        }
    }

    async fn run(mut self) -> Report {
        let mut buffer = vec![0; 65_536];
        self.socket.writable().await.unwrap();
        println!("{EMPTY}");
        self.began = self.clock.tick();
        while self.report.completed + self.report.failed < self.plan.calls {
            let now = self.clock.tick();
            if self.agent.next_deadline().is_some_and(|at| at <= now) {
                self.handle(SipInput::Timeout);
            }
            self.hang_up(now);
            self.begin(now);
            let wake = tokio::time::Instant::from_std(self.clock.instant(self.next_wake(now)));
            tokio::select! {
                () = tokio::time::sleep_until(wake) => {}
                readable = self.socket.readable() => {
                    readable.unwrap();
                    self.receive(&mut buffer);
                }
            }
        }
        let counters = self.agent.counters();
        let lost = self.socket.full() + self.socket.failed();
        self.report.repeats = counters.repeated + counters.repeats_received + lost;
        self.report.seconds = self.clock.tick().since(self.began).as_secs_f64();
        self.report
    }

    /// The moment of the nth of something that goes on at the plan's rate.
    fn nth(&self, from: Tick, n: u32) -> Tick {
        from + Duration::from_secs(1) * n / self.plan.rate
    }

    fn begin(&mut self, now: Tick) {
        while self.begun < self.plan.calls
            && self.waiting < self.plan.most_waiting
            && self.nth(self.began, self.begun) <= now
        {
            self.begun += 1;
            self.waiting += 1;
            let to = self.plan.to;
            let call = OutgoingCall {
                request_uri: format!("sip:service@{to}"),
                peer: to,
                from: format!("\"outdial\" <sip:outdial@{}>", self.socket.local_addr()),
                to: format!("<sip:service@{to}>"),
                headers: Vec::new(),
                credentials: None,
            };
            let leg = LegId(self.begun.into());
            let (call, offer) = (Box::new(call), OFFER.to_vec());
            self.handle(SipInput::Command(SipCommand::Invite { leg, call, offer }));
        }
    }

    /// Ends the calls that were kept, one after the other.
    fn hang_up(&mut self, now: Tick) {
        if self.plan.hold && self.ending_since.is_none() {
            if self.answered + self.report.failed < self.plan.calls {
                return;
            }
            println!("{HELD}");
        }
        let since = *self.ending_since.get_or_insert(now);
        while self.waiting < self.plan.most_waiting
            && (!self.plan.hold || self.nth(since, self.hung_up) <= now)
            && let Some(leg) = self.up.pop_front()
        {
            self.waiting += 1;
            self.hung_up += 1;
            self.handle(SipInput::Command(SipCommand::HangUp { leg }));
        }
    }

    fn next_wake(&self, now: Tick) -> Tick {
        let room = self.waiting < self.plan.most_waiting;
        let begin =
            (room && self.begun < self.plan.calls).then(|| self.nth(self.began, self.begun));
        let end = self.ending_since.filter(|_| room && !self.up.is_empty());
        let end = end.map(|since| self.nth(since, self.hung_up));
        let all = [begin, end, self.agent.next_deadline()];
        all.into_iter().flatten().min().unwrap_or(now + Duration::from_secs(1))
    }

    fn receive(&mut self, buffer: &mut [u8]) {
        for _ in 0..MOST_AT_ONCE {
            match self.socket.try_recv_from(buffer) {
                Ok((size, from)) => {
                    self.handle(SipInput::Datagram { from, bytes: &buffer[..size] })
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                // Refused by ICMP: as good as lost.
                Err(_) => {}
            }
        }
    }

    fn handle(&mut self, input: SipInput<'_>) {
        let mut out = std::mem::take(&mut self.out);
        self.agent.handle(self.clock.tick(), input, &mut out);
        for action in out.drain(..) {
            match action {
                SipAction::Send { to, bytes } => {
                    self.socket.try_send_to(&bytes, to);
                }
                SipAction::Event(event) => self.event(&event),
            }
        }
        self.out = out;
    }

    fn event(&mut self, event: &SipEvent) {
        match event {
            SipEvent::Answered { leg, .. } => {
                self.waiting -= 1;
                self.answered += 1;
                self.up.push_back(*leg);
            }
            SipEvent::Failed { .. } => {
                self.waiting -= 1;
                self.report.failed += 1;
            }
            SipEvent::Ended { by_peer: false, .. } => {
                self.waiting -= 1;
                self.report.completed += 1;
            }
            // SIPp gives a call up that does not go as its scenario says.
            SipEvent::Ended { leg, by_peer: true, .. } => {
                self.up.retain(|up| up != leg);
                self.report.failed += 1;
            }
            SipEvent::Provisional { .. }
            | SipEvent::Challenged { .. }
            | SipEvent::Offer { .. }
            | SipEvent::OfferDone { .. }
            | SipEvent::Digit { .. }
            | SipEvent::Incoming { .. }
            | SipEvent::Cancelled { .. }
            | SipEvent::Confirmed { .. }
            | SipEvent::OptionsDone { .. }
            | SipEvent::Dropped { .. } => {}
        }
    }
}

/// The first word of a child's command line.
const WORD: &str = "caller";
/// Lines by which it says that now is the time to look at its memory: no call yet, all calls up.
const EMPTY: &str = "empty";
const HELD: &str = "held";
/// As the dialer's own loop does: then it looks at the clock.
const MOST_AT_ONCE: usize = 64;
/// As long as the offer of SIPp's scenario.
const OFFER: &[u8] =
    b"v=0\r\no=user1 53655765 2353687637 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n\
    t=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
