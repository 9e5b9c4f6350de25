//! The one loop: waits for the next deadline, datagram, fact, reply, command or signal, hands it to the node, and does
//! what the node asks. No decision is taken here, and performing an action never waits.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

use crate::logic::dialer::command::Reply;
use crate::logic::dialer::{Asker, StoreHealth};
use crate::logic::ids::LegId;
use crate::logic::media::MediaCommand;
use crate::logic::media::MediaEvent;
use crate::logic::node::{Node, NodeAction, NodeInput, NodeStart};
use crate::logic::time::Tick;
use crate::runtime::clock::Clock;
use crate::runtime::describe;
use crate::runtime::handle::{Ask, HandleEnds};
use crate::runtime::journal::{JournalWriter, PART_BYTES};
use crate::runtime::shutdown::Signals;
use crate::runtime::store_queue::StoreQueue;
use crate::runtime::store_task::Order;
use crate::runtime::store_task::StoreNews;
use crate::telemetry::Metrics;
use crate::wire::udp::{SendOutcome, SipSocket};

/// The way to the media threads. Never waits: gives the command back when the queue is full.
pub(super) trait MediaPort {
    /// Hands a command over.
    fn send(&mut self, command: MediaCommand) -> Result<(), MediaCommand>;
}

/// Everything of the world that the loop holds.
pub(super) struct Ports<M> {
    /// Both clocks.
    pub(super) clock: Clock,
    /// The SIP socket.
    pub(super) socket: SipSocket,
    /// To the media threads.
    pub(super) media: M,
    /// From the media threads.
    pub(super) media_events: mpsc::Receiver<MediaEvent>,
    /// To the store task.
    pub(super) orders: mpsc::Sender<Order>,
    /// From the store task.
    pub(super) news: mpsc::Receiver<StoreNews>,
    /// From handles, and to them.
    pub(super) ends: HandleEnds,
    /// Ctrl-C and SIGTERM; `None` where the caller takes care of them (tests).
    pub(super) signals: Option<Signals>,
    /// What is counted.
    pub(super) metrics: Arc<Metrics>,
    /// Where one is kept, of pacing.
    pub(super) journal: Option<JournalWriter>,
}

/// How the loop ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Commands that never became durable; their attempts will be `unknown` at the next start.
    pub unstored: u64,
    /// A second signal ended calls that were in progress.
    pub forced: bool,
    /// The store task ended by itself, which is a bug: every call was ended.
    pub store_lost: bool,
}

/// Runs the node until it is finished or was told twice to stop.
pub(super) async fn run<M: MediaPort>(start: NodeStart, ports: Ports<M>) -> Ended {
    if let Err(error) = ports.socket.writable().await {
        tracing::error!(%error, "the SIP socket is broken");
    }
    let mut out = Vec::new();
    let mut node = Node::new(start, ports.clock.now(), &mut out);
    if ports.journal.is_some() {
        node.keep_journal(PART_BYTES);
    }
    let next_view = ports.clock.tick();
    let mut driver = Driver {
        node,
        ports,
        out,
        again: VecDeque::new(),
        store: StoreQueue::new(),
        askers: BTreeMap::new(),
        last_asker: 0,
        late_closes: VecDeque::new(),
        next_view,
        signals_seen: 0,
        leave_at: None,
        finished: false,
        store_lost: false,
    };
    driver.perform_all();
    driver.run().await
}

struct Driver<M> {
    node: Node,
    ports: Ports<M>,
    out: Vec<NodeAction>,
    /// Facts that performing an action made: a media queue that was full.
    again: VecDeque<MediaEvent>,
    store: StoreQueue,
    askers: BTreeMap<Asker, oneshot::Sender<Reply>>,
    last_asker: u64,
    /// Media that could not be told to close: told again until it is.
    late_closes: VecDeque<LegId>,
    next_view: Tick,
    signals_seen: u32,
    leave_at: Option<Tick>,
    finished: bool,
    store_lost: bool,
}

/// Why the loop woke.
enum Wake {
    Time,
    Datagrams,
    News(StoreNews),
    StoreLost,
    Media(MediaEvent),
    Ask(Ask),
    Signal,
}

impl<M: MediaPort> Driver<M> {
    async fn run(mut self) -> Ended {
        let mut buffer = vec![0_u8; LARGEST_DATAGRAM];
        loop {
            let wake = self.wait().await;
            match wake {
                Wake::Time | Wake::Datagrams => {}
                Wake::News(news) => self.take_news(news),
                Wake::StoreLost => self.lose_store(),
                Wake::Media(event) => self.take_media(event),
                Wake::Ask(ask) => self.take_ask(ask),
                Wake::Signal => self.take_signal(),
            }
            let busy = self.pump(&mut buffer);
            if let Some(ended) = self.end() {
                self.publish_view();
                return ended;
            }
            if busy {
                // More waits, but store task and control socket share this thread.
                tokio::task::yield_now().await;
            }
        }
    }

    async fn wait(&mut self) -> Wake {
        let wake_at = [self.node.next_deadline(), self.leave_at, Some(self.next_view)];
        let wake_at = wake_at.into_iter().flatten().min().unwrap_or(self.next_view);
        let at = tokio::time::Instant::from_std(self.ports.clock.instant(wake_at));
        let ports = &mut self.ports;
        let signal = async {
            match &mut ports.signals {
                Some(signals) => signals.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep_until(at) => Wake::Time,
            () = signal => Wake::Signal,
            news = ports.news.recv(), if !self.store_lost => {
                news.map_or(Wake::StoreLost, Wake::News)
            }
            Some(event) = ports.media_events.recv() => Wake::Media(event),
            readable = ports.socket.readable() => {
                if let Err(error) = readable {
                    tracing::error!(%error, "the SIP socket cannot be waited for");
                }
                Wake::Datagrams
            }
            Some(ask) = ports.ends.asks.recv() => Wake::Ask(ask),
        }
    }

    /// Takes a bounded share of everything that is there, so that no source starves another. True: more waits.
    fn pump(&mut self, buffer: &mut [u8]) -> bool {
        let mut busy = self.serve_deadlines();
        busy |= self.pump_news();
        busy |= self.pump_media();
        busy |= self.pump_datagrams(buffer);
        for _ in 0..ASKS_PER_TURN {
            let Ok(ask) = self.ports.ends.asks.try_recv() else { break };
            self.take_ask(ask);
        }
        busy |= self.serve_deadlines();
        self.close_late_ones();
        self.write_journal();
        self.store.flush(&self.ports.orders);
        if self.ports.clock.tick() >= self.next_view {
            self.publish_view();
        }
        busy
    }

    /// A line that the journal cannot take makes a gap: it begins anew.
    fn write_journal(&mut self) {
        let Some(journal) = &self.ports.journal else { return };
        let lines = self.node.take_journal();
        if !lines.into_iter().all(|(campaign, line)| journal.send(campaign, line)) {
            self.node.keep_journal(PART_BYTES);
        }
    }

    fn serve_deadlines(&mut self) -> bool {
        for _ in 0..TIMEOUTS_PER_TURN {
            let now = self.ports.clock.tick();
            let Some(due) = self.node.next_deadline().filter(|due| *due <= now) else {
                return false;
            };
            if now.since(due) > LATE {
                self.ports.metrics.late_wakes.one();
            }
            self.feed(NodeInput::Timeout);
        }
        true
    }

    fn pump_news(&mut self) -> bool {
        for _ in 0..NEWS_PER_TURN {
            let Ok(news) = self.ports.news.try_recv() else { return false };
            self.take_news(news);
        }
        true
    }

    fn pump_media(&mut self) -> bool {
        for _ in 0..MEDIA_PER_TURN {
            let Ok(event) = self.ports.media_events.try_recv() else { return false };
            self.take_media(event);
        }
        true
    }

    fn pump_datagrams(&mut self, buffer: &mut [u8]) -> bool {
        for _ in 0..DATAGRAMS_PER_TURN {
            match self.ports.socket.try_recv_from(buffer) {
                Ok((size, from)) => {
                    self.ports.metrics.sip_received.one();
                    let bytes = buffer.get(..size).unwrap_or_default();
                    self.feed(NodeInput::Datagram { from: canonical(from), bytes });
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
                // An ICMP error of an earlier datagram, reported here by the system.
                Err(error) => tracing::debug!(%error, "receiving a datagram"),
            }
        }
        true
    }

    fn take_news(&mut self, news: StoreNews) {
        match news {
            StoreNews::Stored(ticket, reply) => {
                self.store.answered();
                self.feed(NodeInput::Stored(ticket, reply));
            }
            StoreNews::ClockAhead(millis) => self.feed(NodeInput::ClockAhead(millis)),
            StoreNews::Health(health) => {
                self.store.hear(health);
                self.settle();
            }
        }
    }

    /// The store task is there as long as we are, so this is a bug. What it had not answered is lost to this process, and
    /// no call may go on whose end cannot be kept: all are ended, and the next start makes the open attempts `unknown`.
    fn lose_store(&mut self) {
        tracing::error!(
            unstored = self.store.open(),
            "the store task ended by itself: every call is ended, and the dialer leaves"
        );
        self.store_lost = true;
        self.store.hear(StoreHealth::Gone);
        self.settle();
        for _ in 0..2 {
            self.feed(NodeInput::Shutdown);
        }
        let last = self.ports.clock.tick() + LEAVE_WITHIN;
        self.leave_at.get_or_insert(last);
    }

    fn take_media(&mut self, event: MediaEvent) {
        self.ports.metrics.media_events.one();
        self.feed(NodeInput::Media(event));
    }

    fn take_ask(&mut self, ask: Ask) {
        let (command, answer) = match ask {
            Ask::Command(command, answer) => (command, answer),
            Ask::Shutdown => return self.take_signal(),
        };
        self.ports.metrics.commands.one();
        if self.askers.len() >= OPEN_COMMANDS {
            self.askers.retain(|_, answer| !answer.is_closed());
        }
        if self.askers.len() >= OPEN_COMMANDS {
            let message = "too many commands wait for their answers: try again later".to_owned();
            tell(answer, Reply::Refused { code: "busy", message });
            return;
        }
        self.last_asker = self.last_asker.wrapping_add(1);
        let asker = Asker(self.last_asker);
        self.askers.insert(asker, answer);
        self.feed(NodeInput::Command(asker, command));
    }

    fn take_signal(&mut self) {
        self.signals_seen = self.signals_seen.saturating_add(1);
        tracing::warn!(count = self.signals_seen, "told to stop");
        match self.signals_seen {
            1 => {}
            2 => self.leave_at = Some(self.ports.clock.tick() + LEAVE_WITHIN),
            _ => self.leave_at = Some(self.ports.clock.tick()),
        }
        if self.signals_seen <= 2 {
            self.feed(NodeInput::Shutdown);
        }
    }

    /// One input into the node, and what follows from it.
    fn feed(&mut self, input: NodeInput<'_>) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            tracing::debug!(input = describe::input(&input), "in");
        }
        self.node.handle(self.ports.clock.now(), input, &mut self.out);
        self.perform_all();
        self.settle();
    }

    /// Tells the node what doing its actions brought to light.
    fn settle(&mut self) {
        // Each refused media command makes at most one more input, and a leg that is hung up sends no more but `Close`.
        while let Some(event) = self.again.pop_front() {
            self.node.handle(self.ports.clock.now(), NodeInput::Media(event), &mut self.out);
            self.perform_all();
        }
        if let Some(health) = self.store.health_to_tell() {
            self.node.handle(self.ports.clock.now(), NodeInput::StoreHealth(health), &mut self.out);
            self.perform_all();
        }
    }

    fn perform_all(&mut self) {
        let mut actions = std::mem::take(&mut self.out);
        for action in actions.drain(..) {
            if tracing::enabled!(tracing::Level::DEBUG) {
                tracing::debug!(action = describe::action(&action), "out");
            }
            self.perform(action);
        }
        // Keeps the memory for the next input.
        self.out = actions;
    }

    fn perform(&mut self, action: NodeAction) {
        match action {
            NodeAction::Send { to, bytes } => match self.ports.socket.try_send_to(&bytes, to) {
                SendOutcome::Sent => self.ports.metrics.sip_sent.one(),
                // As good as lost on the way: SIP repeats what matters.
                SendOutcome::Full | SendOutcome::Failed => self.ports.metrics.sip_unsent.one(),
            },
            NodeAction::Media(command) => self.send_media(command),
            NodeAction::Store(ticket, command) => {
                describe::milestone(&command);
                self.ports.metrics.store_commands.one();
                self.store.push(&self.ports.orders, (ticket, command));
            }
            NodeAction::Reply(asker, reply) => {
                if let Some(answer) = self.askers.remove(&asker) {
                    tell(answer, *reply);
                }
            }
            NodeAction::Notice(notice) => {
                // Nobody watching is no failure.
                if self.ports.ends.notices.send(Arc::from(notice)).is_err() {}
            }
            NodeAction::Finished => self.finished = true,
        }
    }

    fn send_media(&mut self, command: MediaCommand) {
        let Err(refused) = self.ports.media.send(command) else { return };
        self.ports.metrics.media_refused.one();
        match refused {
            MediaCommand::Close { leg } => self.late_closes.push_back(leg),
            MediaCommand::Open { leg }
            | MediaCommand::Remote { leg, .. }
            | MediaCommand::Bridge { a: leg, .. }
            | MediaCommand::Unbridge { leg }
            | MediaCommand::Play { leg, .. }
            | MediaCommand::StopPlay { leg }
            | MediaCommand::SendDigits { leg, .. } => {
                self.again.push_back(MediaEvent::OpenFailed { leg });
            }
            MediaCommand::Tap { .. } => {}
        }
    }

    fn close_late_ones(&mut self) {
        while let Some(leg) = self.late_closes.pop_front() {
            if self.ports.media.send(MediaCommand::Close { leg }).is_err() {
                self.late_closes.push_front(leg);
                return;
            }
        }
    }

    fn publish_view(&mut self) {
        let counters = self.node.sip_counters();
        self.ports.metrics.sip_dropped.raise_to(counters.dropped.values().sum());
        self.ports.metrics.sip_repeated.raise_to(counters.repeated);
        let now = self.ports.clock.now();
        self.next_view = now.tick + VIEW_EVERY;
        if self.ports.ends.view.receiver_count() > 0 {
            self.ports.ends.view.send_replace(Arc::new(self.node.view(now)));
        }
    }

    /// Whether the loop is over. A finished node still waits for its last facts to be durable.
    fn end(&mut self) -> Option<Ended> {
        let unstored = self.store.open();
        let now = self.ports.clock.tick();
        if self.finished && unstored > 0 && self.leave_at.is_none() {
            self.leave_at = Some(now + LAST_FACTS);
        }
        let settled = self.finished && (unstored == 0 || self.store_lost);
        let over = settled || self.leave_at.is_some_and(|at| now >= at);
        if over && unstored > 0 {
            tracing::error!(unstored, "leaving though not everything is stored");
        }
        let (forced, store_lost) = (self.signals_seen > 1, self.store_lost);
        over.then_some(Ended { unstored, forced, store_lost })
    }
}

fn tell(answer: oneshot::Sender<Reply>, reply: Reply) {
    if answer.send(reply).is_err() {
        tracing::debug!("who asked did not wait for the answer");
    }
}

/// `::ffff:192.0.2.1` of a socket for both families is 192.0.2.1.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// UDP's own limit; larger SIP messages are refused by the parser.
const LARGEST_DATAGRAM: usize = 65_535;
/// Commands whose answers may be open at once.
const OPEN_COMMANDS: usize = 1_024;
const ASKS_PER_TURN: usize = 16;
const NEWS_PER_TURN: usize = 512;
const MEDIA_PER_TURN: usize = 256;
const DATAGRAMS_PER_TURN: usize = 64;
const TIMEOUTS_PER_TURN: usize = 64;
/// Screens get a picture about five times a second.
const VIEW_EVERY: Duration = Duration::from_millis(200);
/// A deadline served later than this is counted.
const LATE: Duration = Duration::from_millis(50);
/// After the second signal everything is ended, written and left within this time.
const LEAVE_WITHIN: Duration = Duration::from_millis(1_700);
/// A finished node waits so long for a database that is away.
const LAST_FACTS: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::dialer::DialerStart;
    use crate::logic::ids::IdMaker;
    use crate::runtime::handle::Handle;
    use crate::wire::udp::SIP_BUFFER;

    struct Deaf;

    impl MediaPort for Deaf {
        fn send(&mut self, _: MediaCommand) -> Result<(), MediaCommand> {
            Ok(())
        }
    }

    #[test]
    fn a_store_task_that_ends_by_itself_ends_the_dialer_and_is_told() {
        let dialer = DialerStart {
            ids: IdMaker::new(1),
            boot: 1,
            campaigns: vec![],
            agents: vec![],
            trunks: vec![],
            lines: 1,
            until_idle: false,
            shared: false,
            open_attempts: vec![],
        };
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let start = NodeStart {
            dialer,
            installation: "test".to_owned(),
            secret: vec![1; 32],
            sip_address: loopback,
            rtp_address: loopback.ip(),
            sounds: BTreeMap::new(),
            stray_legs: vec![],
            seed: 1,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ended = runtime.block_on(async {
            let (_handle, ends) = Handle::new();
            let (_media, media_events) = mpsc::channel(1);
            let (to_driver, news) = mpsc::channel(1);
            let (orders, mut task) = mpsc::channel(8);
            let ports = Ports {
                clock: Clock::start(),
                socket: SipSocket::bind(loopback, SIP_BUFFER).unwrap(),
                media: Deaf,
                media_events,
                orders,
                news,
                ends,
                signals: None,
                metrics: Arc::default(),
                journal: None,
            };
            let dying = async move {
                // It takes the first order, and is gone.
                assert!(task.recv().await.is_some());
                drop((task, to_driver));
            };
            tokio::join!(Box::pin(run(start, ports)), dying).0
        });
        assert!(ended.store_lost && ended.unstored > 0, "{ended:?}");
    }
}
