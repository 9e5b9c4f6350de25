//! The loop: whose turn it is, and what each turn does. Time jumps to the next deadline; turns have one total order.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use outdial::logic::dialer::command::{AgentState, Command};
use outdial::logic::dialer::{Asker, StoreCommand, Ticket};
use outdial::logic::ids::AttemptId;
use outdial::logic::media::{Codec, IpNet, MediaEvent};
use outdial::logic::node::{Node, NodeAction, NodeInput};
use outdial::logic::time::{Now, Tick, UtcMs};
use outdial::simulation::agent_brain::{AgentBrain, BrainSettings, Order};
use outdial::simulation::callee::Voice;
use outdial::simulation::carrier::{Carrier, CarrierAction, CarrierInput, CarrierSettings};
use outdial::simulation::dice::{Dice, Law};
use outdial::simulation::network::{Link, Network};
use outdial::simulation::phone::{Phone, PhoneAction, PhoneInput, PhoneOrder, PhoneSettings};
use outdial::simulation::virtual_media::{Party, VirtualMedia};
use outdial::store::{Db, NodeIdentity, run_batch_isolating};

use crate::builder::{Builder, Report};
use crate::eye::Eye;
use crate::faults::{self, CrashPoint, Faults};
use crate::launch;
use crate::log::Log;
use crate::meddling::{self, Deed};
use crate::plan::{self, Plan};
use crate::rules::Rules;
use crate::store_line::{StoreLine, StoreNews};
use crate::wire_text;

/// A world at work.
#[derive(Debug)]
pub(crate) struct World {
    seed: u64,
    plan: Plan,
    faults: Faults,
    dice: Dice,
    runtime: tokio::runtime::Runtime,
    db: Option<Db>,
    eye: Option<Eye>,
    now: Tick,
    /// How far the wall clock is off.
    skew_ms: i64,
    node: Option<Node>,
    identity: Option<NodeIdentity>,
    network: Network,
    carrier: Carrier,
    phones: Vec<Phone>,
    brains: Vec<AgentBrain>,
    agent_states: Vec<AgentState>,
    media: VirtualMedia,
    store: StoreLine,
    intents: BTreeMap<Ticket, AttemptId>,
    agenda: BTreeMap<(Tick, u64), Todo>,
    serial: u64,
    rules: Rules,
    /// Crashes still to come that a test named; then chance decides.
    crash_at: VecDeque<CrashPoint>,
    crash_next: Option<CrashPoint>,
    counted: BTreeMap<String, u32>,
    batches: u32,
    ending: bool,
    finished: bool,
    log: Log,
    replay: String,
    crashes: u32,
    crashed_at: Option<Tick>,
    /// Starts of the process.
    lives: u32,
    /// Two signals came: the process ends soon, and is started again.
    stopping: bool,
}

/// What is planned.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Todo {
    Start,
    LogIn(usize),
    PhoneDies(usize),
    PhoneRevives(usize),
    ClockJumps,
    Crash(u32),
    Meddle,
    Later(Deed),
    /// Two signals, in this life of the process.
    Stop(u32),
    /// A signal.
    ShutDown,
}

impl Builder {
    /// Runs until the list is done.
    pub(crate) fn run_until_idle(mut self) -> Report {
        self.plan.until_idle = true;
        let mut world = World::new(self);
        world.run(Tick::START + LONGEST);
        assert!(world.finished, "not idle after {LONGEST:?}");
        world.close()
    }

    /// Runs for so long, then drains.
    pub(crate) fn run_for(mut self, time: Duration) -> Report {
        self.plan.until_idle = false;
        let mut world = World::new(self);
        world.plan_todo(Tick::START + time, Todo::ShutDown);
        world.run(Tick::START + time + LONGEST);
        assert!(world.finished, "not drained {LONGEST:?} after the signal");
        world.close()
    }
}

impl World {
    pub(crate) fn seeded(seed: u64) -> Builder {
        let dispositions = [(4, "1"), (2, "2"), (1, "3"), (3, "4"), (1, "8"), (3, "9")]
            .map(|(n, key)| (n, key.to_owned()));
        let brain = BrainSettings {
            ready_after: Some(Law::between(100, 2_000)),
            wrap: Law::between(500, 5_000),
            dispositions: dispositions.into(),
            hang_up_after: Some(Law::between(5_000, 60_000)),
            hang_up_keys: "##".to_owned(),
        };
        Builder {
            seed,
            plan: Plan::new(),
            faults: Faults::NONE,
            crash_at: VecDeque::new(),
            brain,
            replay: "the same test: its seed is fixed".to_owned(),
        }
    }

    fn new(builder: Builder) -> Self {
        let Builder { seed, plan, faults, crash_at, brain, replay } = builder;
        static WORLDS: AtomicU32 = AtomicU32::new(0);
        // In memory, and shared by name, so that the eye sees it too.
        let url =
            format!("sqlite:file:world{}?mode=memory", WORLDS.fetch_add(1, Ordering::Relaxed));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (db, eye) = runtime.block_on(async {
            let mut db = Db::open_writer(&url).await.unwrap();
            launch::import(&mut db, &plan).await;
            (db, Eye::open(&url).await)
        });
        let peers = vec![IpNet { addr: plan::NODE.0.into(), prefix: 24 }];
        let carrier = Carrier::new(CarrierSettings {
            sip: plan::CARRIER.into(),
            rtp: plan::CARRIER.0.into(),
            peers: peers.clone(),
            book: plan.book.clone(),
            seed,
            digest: plan.digest_user(),
            channels: 1_000,
            calls_per_second: None,
        });
        let phone = |at: usize| {
            Phone::new(PhoneSettings {
                name: plan::agent_name(at),
                sip: plan::phone_address(at),
                rtp: plan::phone_address(at).ip(),
                peers: peers.clone(),
                pick_up_after: None,
                codec: Codec::Pcmu,
                voice: Voice::Speech,
                seed,
            })
        };
        let agents = plan.agents.len();
        let patience = if faults.link == Link::PERFECT { PROMPT } else { PATIENT };
        let mut world = Self {
            seed,
            dice: Dice::of(seed, "world", 0),
            runtime,
            db: Some(db),
            eye: Some(eye),
            now: Tick::START,
            skew_ms: 0,
            node: None,
            identity: None,
            network: Network::new(seed, faults.link),
            carrier,
            phones: (0..agents).map(phone).collect(),
            brains: (0..agents)
                .map(|at| AgentBrain::new(seed, &plan::agent_name(at), brain.clone()))
                .collect(),
            agent_states: vec![AgentState::Offline; agents],
            media: VirtualMedia::default(),
            store: StoreLine::default(),
            intents: BTreeMap::new(),
            agenda: BTreeMap::new(),
            serial: 0,
            rules: Rules::new(&plan, patience),
            crash_at,
            crash_next: None,
            counted: BTreeMap::new(),
            batches: 0,
            ending: false,
            finished: false,
            log: Log { loud: std::env::var_os("OUTDIAL_TRACE").is_some(), ..Log::default() },
            crashes: 0,
            crashed_at: None,
            lives: 0,
            stopping: false,
            replay,
            plan,
            faults,
        };
        world.plan_todo(Tick::START, Todo::Start);
        if let Some(mean) = world.faults.phone_dies_every {
            world.plan_phone_death(mean);
        }
        if let Some(mean) = world.faults.clock_jumps_every {
            let wait = faults::around(&mut world.dice, mean);
            world.plan_todo(world.now + wait, Todo::ClockJumps);
        }
        if world.faults.people_meddle_every.is_some() {
            world.plan_todo(Tick::START, Todo::Meddle);
        }
        world
    }

    fn clock(&self) -> Now {
        let ms = i64::try_from(self.now.micros_since_start() / 1_000).unwrap();
        Now { tick: self.now, utc: UtcMs(plan::T0.0 + ms + self.skew_ms) }
    }

    fn plan_todo(&mut self, at: Tick, todo: Todo) {
        self.serial += 1;
        self.agenda.insert((at, self.serial), todo);
    }

    fn plan_phone_death(&mut self, mean: Duration) {
        let wait = faults::around(&mut self.dice, mean);
        let who = self.dice.below(u64::try_from(self.phones.len()).unwrap());
        self.plan_todo(self.now + wait, Todo::PhoneDies(usize::try_from(who).unwrap()));
    }

    fn run(&mut self, end: Tick) {
        let (mut last, mut turns) = (self.now, 0_u32);
        while !(self.finished && self.store.is_idle() && !self.stopping) {
            let Some(next) = self.next_deadline().filter(|next| *next <= end) else { return };
            self.now = self.now.max(next);
            if self.stopping && self.finished && self.store.is_idle() {
                self.note(|| "it has ended".to_owned());
                self.die();
                continue;
            }
            turns = if self.now == last { turns + 1 } else { 0 };
            last = self.now;
            assert!(turns < MOST_TURNS, "the world stands still at {:?}", self.now);
            self.turn();
        }
    }

    fn next_deadline(&self) -> Option<Tick> {
        let others = [
            self.agenda.first_key_value().map(|((at, _), _)| *at),
            self.network.next_deadline(),
            self.media.next_deadline(),
            self.store.next_deadline(),
            self.node.as_ref().and_then(Node::next_deadline),
            self.carrier.next_deadline(),
        ];
        let phones = self.phones.iter().filter_map(Phone::next_deadline);
        let brains = self.brains.iter().filter_map(AgentBrain::next_deadline);
        others.into_iter().flatten().chain(phones).chain(brains).min()
    }

    /// One turn of whoever is first in line.
    fn turn(&mut self) {
        let now = self.now;
        let due = |at: Option<Tick>| at.is_some_and(|at| at <= now);
        if let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= now) {
            let todo = entry.remove();
            return self.do_todo(todo);
        }
        if let Some(datagram) = self.network.pop_due(now) {
            return self.deliver(datagram.from, datagram.to, &datagram.bytes);
        }
        if due(self.media.next_deadline()) {
            if let Some((party, event)) = self.media.pop_due(now) {
                self.media_event(party, event);
            }
            return;
        }
        if due(self.store.next_deadline()) {
            if let Some(news) = self.store.pop_due(now, &mut self.dice, &self.faults) {
                self.store_news(news);
            }
            return;
        }
        if due(self.node.as_ref().and_then(Node::next_deadline)) {
            return self.tell_node(NodeInput::Timeout);
        }
        if due(self.carrier.next_deadline()) {
            return self.tell_carrier(CarrierInput::Timeout);
        }
        if let Some(at) = self.phones.iter().position(|phone| due(phone.next_deadline())) {
            return self.tell_phone(at, PhoneInput::Timeout);
        }
        if let Some(at) = self.brains.iter().position(|brain| due(brain.next_deadline()))
            && let Some(order) = self.brains[at].act(now)
        {
            match order {
                Order::Ready => {
                    self.command(Command::AgentReady { agent: plan::agent_name(at) });
                }
                Order::Press(keys) => {
                    self.tell_phone(at, PhoneInput::Order(PhoneOrder::Press(keys)));
                }
            }
        }
    }

    fn do_todo(&mut self, todo: Todo) {
        match todo {
            Todo::Start => self.start(),
            Todo::LogIn(at) => {
                if self.agent_states[at] == AgentState::Offline && !self.ending {
                    self.command(Command::AgentLogin { agent: plan::agent_name(at) });
                    // Asked again until it is in: the phone may be dead.
                    let wait = Law::between(5_000, 10_000).draw(&mut self.dice);
                    self.plan_todo(self.now + wait, Todo::LogIn(at));
                }
            }
            Todo::PhoneDies(at) => {
                self.tell_phone(at, PhoneInput::Order(PhoneOrder::Die));
                self.media.cut(self.now, phone_party(at), true);
                let wait = Law::between(3_000, 40_000).draw(&mut self.dice);
                self.plan_todo(self.now + wait, Todo::PhoneRevives(at));
                if let Some(mean) = self.faults.phone_dies_every.filter(|_| !self.ending) {
                    self.plan_phone_death(mean);
                }
            }
            Todo::PhoneRevives(at) => {
                self.media.cut(self.now, phone_party(at), false);
                self.tell_phone(at, PhoneInput::Order(PhoneOrder::Revive));
            }
            Todo::ClockJumps => {
                let by = i64::try_from(self.dice.below(240_000)).unwrap() - 120_000;
                self.skew_ms += by;
                self.note(|| format!("the wall clock jumps by {by} ms"));
                if let Some(mean) = self.faults.clock_jumps_every.filter(|_| !self.ending) {
                    let wait = faults::around(&mut self.dice, mean);
                    self.plan_todo(self.now + wait, Todo::ClockJumps);
                }
            }
            Todo::Meddle => {
                if let Some(mean) = self.faults.people_meddle_every.filter(|_| !self.ending) {
                    let (deed, later) = meddling::deed(&mut self.dice, &self.plan);
                    self.do_deed(deed);
                    if let Some((after, deed)) = later {
                        self.plan_todo(self.now + after, Todo::Later(deed));
                    }
                    let wait = faults::around(&mut self.dice, mean);
                    self.plan_todo(self.now + wait, Todo::Meddle);
                }
            }
            Todo::Later(deed) => self.do_deed(deed),
            Todo::Stop(life) => {
                if self.node.is_some() && self.lives == life && !self.ending {
                    self.note(|| "two signals".to_owned());
                    self.stopping = true;
                    self.tell_node(NodeInput::Shutdown);
                    self.tell_node(NodeInput::Shutdown);
                }
            }
            Todo::Crash(life) => {
                if self.node.is_some() && self.lives == life {
                    self.crash("its time");
                }
            }
            Todo::ShutDown => {
                self.ending = true;
                self.tell_node(NodeInput::Shutdown);
            }
        }
    }

    fn start(&mut self) {
        let boot = self.dice.next();
        let now = self.clock();
        let mut db = self.db.take().unwrap();
        let (start, identity) =
            self.runtime.block_on(launch::start(&mut db, &self.plan, boot, now.utc));
        self.db = Some(db);
        self.note(|| format!("start of epoch {}", identity.epoch));
        self.identity = Some(identity);
        self.rules.restarted(now.tick);
        self.plan_crash();
        let mut out = vec![];
        self.node = Some(Node::new(start, now, &mut out));
        self.perform(out);
        for at in 0..self.phones.len() {
            let wait = Law::between(50, 3_000).draw(&mut self.dice);
            self.plan_todo(self.now + wait, Todo::LogIn(at));
        }
        if self.ending {
            self.plan_todo(self.now + Duration::from_secs(5), Todo::ShutDown);
        }
    }

    fn do_deed(&mut self, deed: Deed) {
        self.note(|| format!("somebody: {deed:?}"));
        match deed {
            Deed::Ask(command) => self.command(command),
            Deed::Phone(at, order) => self.tell_phone(at, PhoneInput::Order(order)),
        }
    }

    fn plan_crash(&mut self) {
        self.lives += 1;
        if let Some(mean) = self.faults.stopped_every {
            let wait = faults::around(&mut self.dice, mean);
            self.plan_todo(self.now + wait, Todo::Stop(self.lives));
        }
        self.counted.clear();
        self.batches = 0;
        self.crash_next = self.crash_at.pop_front();
        if let (None, Some(mean)) = (&self.crash_next, self.faults.crash_every) {
            self.crash_next = Some(CrashPoint::draw(&mut self.dice));
            let wait = faults::around(&mut self.dice, mean * 2);
            self.plan_todo(self.now + wait, Todo::Crash(self.lives));
        }
    }

    fn crash(&mut self, why: &str) {
        self.note(|| format!("crash: {why}"));
        self.crashes += 1;
        self.die();
    }

    /// The process is gone, whyever; it is started again.
    fn die(&mut self) {
        self.crashed_at = Some(self.now);
        self.stopping = false;
        self.node = None;
        self.finished = false;
        self.crash_next = None;
        self.store.crash();
        self.intents.clear();
        self.media.kill(self.now, DIALER);
        self.rules.crashed();
        for at in 0..self.brains.len() {
            self.agent_states[at] = AgentState::Offline;
            self.brains[at].told(self.now, AgentState::Offline);
        }
        let down = Law::between(20, 4_000).draw(&mut self.dice);
        self.plan_todo(self.now + down, Todo::Start);
    }

    fn command(&mut self, command: Command) {
        self.serial += 1;
        let asker = Asker(self.serial);
        self.tell_node(NodeInput::Command(asker, command));
    }

    fn tell_node(&mut self, input: NodeInput<'_>) {
        let now = self.clock();
        let Some(node) = &mut self.node else { return };
        let mut out = vec![];
        node.handle(now, input, &mut out);
        self.perform(out);
    }

    fn perform(&mut self, actions: Vec<NodeAction>) {
        for action in actions {
            let kind = faults::kind(&action);
            self.note(|| {
                if let NodeAction::Send { to, bytes } = &action {
                    format!("node -> {to}: {kind} {}", String::from_utf8_lossy(bytes))
                } else {
                    format!("{action:?}")
                }
            });
            let now = self.clock();
            self.rules.acted(now, &action);
            match action {
                NodeAction::Send { to, bytes } => self.send(to, bytes),
                NodeAction::Media(command) => self.media.command(self.now, DIALER, command),
                NodeAction::Store(ticket, command) => {
                    if let StoreCommand::Intent(intent) = &command {
                        self.intents.insert(ticket, intent.attempt);
                    }
                    self.store.push(self.now, ticket, command);
                }
                NodeAction::Notice(notice) => {
                    let at = self.plan.agents.iter().position(|agent| agent.name == notice.agent);
                    let at = at.unwrap();
                    let was = std::mem::replace(&mut self.agent_states[at], notice.state);
                    self.brains[at].told(self.now, notice.state);
                    if notice.state == AgentState::Offline && was != AgentState::Offline {
                        let wait = Law::between(1_000, 5_000).draw(&mut self.dice);
                        self.plan_todo(self.now + wait, Todo::LogIn(at));
                    }
                }
                NodeAction::Reply(..) => {}
                NodeAction::Finished => self.finished = true,
            }
            let count = self.counted.entry(kind.clone()).or_default();
            *count += 1;
            if matches!(&self.crash_next, Some(CrashPoint::After { kind: of, nth })
                if *of == kind && *nth == *count)
            {
                return self.crash(&kind);
            }
        }
        self.rules.turn_is_over(self.clock());
    }

    fn send(&mut self, to: SocketAddr, bytes: Vec<u8>) {
        if to == plan::CARRIER.into()
            && let Some(invite) = wire_text::first_invite(&bytes)
        {
            let eye = self.eye.as_mut().unwrap();
            let live = self.runtime.block_on(eye.live(&invite.called));
            let epoch = self.identity.as_ref().unwrap().epoch;
            let record = self.carrier.record();
            let now = self.clock();
            self.rules.invite_leaves(now, &invite, live.as_ref(), epoch, record);
        }
        self.network.send(self.now, plan::NODE.into(), to, bytes);
    }

    fn store_news(&mut self, news: StoreNews) {
        match news {
            StoreNews::Run(batch) => self.run_batch(&batch),
            StoreNews::Health(health) => self.tell_node(NodeInput::StoreHealth(health)),
            StoreNews::Stored(replies) => {
                for (ticket, reply) in replies {
                    self.note(|| format!("{ticket:?} {reply:?}"));
                    self.rules.heard(self.intents.remove(&ticket), &reply);
                    self.tell_node(NodeInput::Stored(ticket, reply));
                    if self.node.is_none() {
                        return;
                    }
                }
            }
        }
    }

    fn run_batch(&mut self, batch: &[StoreCommand]) {
        self.batches += 1;
        let nth = self.batches;
        if self.crash_next == Some(CrashPoint::BeforeCommit { nth }) {
            return self.crash("before a commit");
        }
        let mut db = self.db.take().unwrap();
        let identity = self.identity.as_ref().unwrap();
        let replies = self.runtime.block_on(run_batch_isolating(&mut db, identity, batch)).unwrap();
        self.db = Some(db);
        let replies: Vec<_> = replies.into_iter().map(|reply| reply.unwrap()).collect();
        let changed = self.rules.committed(batch, &replies);
        let eye = self.eye.as_mut().unwrap();
        for attempt in &changed {
            if let Some(row) = self.runtime.block_on(eye.attempt(attempt.0)) {
                self.rules.outcome_is(&row);
            }
        }
        // The sum is over all attempts: the more there are, the less often.
        let seldom = 8 + self.rules.ends() / 50;
        if !changed.is_empty() && nth.is_multiple_of(seldom) {
            let windows = self.runtime.block_on(eye.ledger());
            self.rules.ledger_is(&windows);
        }
        self.rules.orphans_end(self.now, self.carrier.record());
        self.store.committed(replies);
        if self.crash_next == Some(CrashPoint::AfterCommit { nth }) {
            self.crash("after a commit");
        }
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        if to == plan::NODE.into() {
            self.note(|| format!("{from} -> node: {}", wire_text::word(bytes)));
            return self.tell_node(NodeInput::Datagram { from, bytes });
        }
        if to == plan::CARRIER.into() {
            return self.tell_carrier(CarrierInput::Datagram { from, bytes });
        }
        if let Some(at) = (0..self.phones.len()).find(|at| plan::phone_address(*at) == to) {
            self.tell_phone(at, PhoneInput::Datagram { from, bytes });
        }
    }

    fn media_event(&mut self, party: Party, event: MediaEvent) {
        match party {
            DIALER => {
                self.note(|| format!("{event:?}"));
                self.tell_node(NodeInput::Media(event));
            }
            CARRIER => self.tell_carrier(CarrierInput::Media(event)),
            phone => self.tell_phone(usize::from(phone - FIRST_PHONE), PhoneInput::Media(event)),
        }
    }

    fn tell_carrier(&mut self, input: CarrierInput<'_>) {
        let mut out = vec![];
        self.carrier.handle(self.now, input, &mut out);
        for action in out {
            match action {
                CarrierAction::Send { to, bytes } => {
                    self.network.send(self.now, plan::CARRIER.into(), to, bytes);
                }
                CarrierAction::Media(command) => self.media.command(self.now, CARRIER, command),
                CarrierAction::Record(_) => {}
            }
        }
    }

    fn tell_phone(&mut self, at: usize, input: PhoneInput<'_>) {
        let mut out = vec![];
        self.phones[at].handle(self.now, input, &mut out);
        for action in out {
            match action {
                PhoneAction::Send { to, bytes } => {
                    self.network.send(self.now, plan::phone_address(at), to, bytes);
                }
                PhoneAction::Media(command) => {
                    self.media.command(self.now, phone_party(at), command);
                }
            }
        }
    }

    /// The process has ended in good order: what is still on the wire comes to rest, and everything is looked at.
    fn close(mut self) -> Report {
        self.node = None;
        // A phone that does not answer our BYE is waited for a few seconds only.
        if self.faults.link == Link::PERFECT && self.faults.phone_dies_every.is_none() {
            assert_eq!(self.media.open_legs(DIALER), 0, "a finished node has closed its media");
        }
        self.agenda.clear();
        self.ending = true;
        let ended = self.now;
        self.finished = false;
        self.run(self.now + COOL_DOWN);
        let mut eye = self.eye.take().unwrap();
        let (attempts, windows, leads, legs) = self.runtime.block_on(async {
            (
                eye.attempts().await,
                eye.ledger().await,
                eye.leads().await,
                eye.open_customer_legs().await,
            )
        });
        self.eye = Some(eye);
        let record = self.carrier.record().clone();
        self.rules.at_the_end(&attempts, &record);
        self.rules.ledger_is(&windows);
        assert_eq!(leads[2], 0, "no lead stays claimed by a process that ended: {leads:?}");
        // A CANCEL that nobody answers is waited for longer than a process that drains lives: the next start asks again.
        if self.crashed_at.is_none_or(|at| ended.since(at) > PATIENT) {
            assert_eq!(legs, 0, "every customer's leg has its end in the rows");
        }
        Report {
            attempts,
            carrier: record,
            leads,
            refusals: self.rules.refusals(),
            crashes: self.crashes,
            log_hash: self.log.hash,
            log_lines: self.log.lines,
            virtual_time: ended.since(Tick::START),
        }
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        let line = format!("{:?} {}", self.now, line());
        self.log.add(line);
    }
}

impl Drop for World {
    #[expect(clippy::print_stderr, reason = "a failing seed must be seen")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            for line in &self.log.last {
                eprintln!("{}", line.replace("\r\n", " | ").chars().take(500).collect::<String>());
            }
            eprintln!(
                "seed {} failed at {:?}; replay it with:\n  {}",
                self.seed, self.now, self.replay
            );
        } else if let Some(eye) = self.eye.take() {
            self.runtime.block_on(eye.close());
        }
        // A connection must be let go inside its runtime.
        let _inside = self.runtime.enter();
        drop(self.db.take());
        drop(self.eye.take());
    }
}

fn phone_party(at: usize) -> Party {
    FIRST_PHONE + Party::try_from(at).unwrap()
}

const DIALER: Party = 0;
const CARRIER: Party = 1;
const FIRST_PHONE: Party = 2;

/// Where nothing is lost, a restart has ended every old leg after so long.
const PROMPT: Duration = Duration::from_secs(5);
/// Where datagrams are lost: 64*T1 for a CANCEL, and again for the BYE of an answer that crossed it.
const PATIENT: Duration = Duration::from_secs(70);
/// Timers of the far ends run out.
const COOL_DOWN: Duration = Duration::from_secs(100);
const LONGEST: Duration = Duration::from_secs(3_600);
const MOST_TURNS: u32 = 200_000;
