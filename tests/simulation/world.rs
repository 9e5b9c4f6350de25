//! The loop: whose turn it is, and what each turn does. Time jumps to the next deadline; turns have one total order.

mod far_sides;
mod process;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use outdial::logic::dialer::Ticket;
use outdial::logic::dialer::command::{AgentState, Command};
use outdial::logic::ids::AttemptId;
use outdial::logic::media::{Codec, IpNet};
use outdial::logic::node::{Node, NodeInput};
use outdial::logic::time::{Now, Tick, UtcMs};
use outdial::simulation::agent_brain::{AgentBrain, BrainSettings, Order};
use outdial::simulation::callee::Voice;
use outdial::simulation::carrier::{Carrier, CarrierInput, CarrierSettings};
use outdial::simulation::dice::{Dice, Law};
use outdial::simulation::network::{Link, Network};
use outdial::simulation::phone::{Phone, PhoneInput, PhoneOrder, PhoneSettings};
use outdial::simulation::virtual_media::{Party, VirtualMedia};
use outdial::store::{Db, NodeIdentity};

use crate::builder::{Builder, Report};
use crate::eye::Eye;
use crate::faults::{self, CrashPoint, Faults};
use crate::launch;
use crate::log::Log;
use crate::meddling::{self, Deed};
use crate::plan::{self, Plan};
use crate::rules::Rules;
use crate::store_line::StoreLine;

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
            preview: Law::between(500, 40_000),
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
                Order::Dial => {
                    self.command(Command::AgentDial { agent: plan::agent_name(at), whom: None });
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

    fn do_deed(&mut self, deed: Deed) {
        self.note(|| format!("somebody: {deed:?}"));
        match deed {
            Deed::Ask(command) => self.command(command),
            Deed::Phone(at, order) => self.tell_phone(at, PhoneInput::Order(order)),
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
