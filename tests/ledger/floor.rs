//! The loop: dialer, store, far ends and agents on one agenda; time jumps from turn to turn.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use outdial::logic::dialer::command::{AgentState, Command};
use outdial::logic::dialer::*;
use outdial::logic::ids::*;
use outdial::logic::media::MediaCommand;
use outdial::logic::settings::{CampaignSettings, DialMode, DialRatio};
use outdial::logic::time::{Now, Tick, UtcMs};
use outdial::simulation::dice::{Dice, Law};
use outdial::simulation::store_model::{ModelContact, StoreModel};

use crate::agents::Deed;
use crate::books::day_of;
use crate::far_ends::{FarEnd, Stage};
use crate::plan;
use crate::style::Style;

/// A world at work.
#[derive(Debug)]
pub(crate) struct Floor {
    pub(super) seed: u64,
    pub(super) style: Style,
    pub(super) dice: Dice,
    pub(super) now: Tick,
    /// How far the wall clock is off.
    pub(super) skew_ms: i64,
    dialer: Option<Dialer>,
    pub(super) model: StoreModel,
    pub(super) settings: CampaignSettings,
    pub(super) epoch: u32,
    agenda: BTreeMap<(Tick, u64), Todo>,
    serial: u64,
    /// Commands that no batch has taken yet.
    queue: Vec<(Ticket, StoreCommand)>,
    /// What the batch on its way holds.
    pending: Vec<(Ticket, StoreCommand)>,
    /// A batch is on its way or its replies are; until then nothing is taken.
    busy: bool,
    pub(super) legs: BTreeMap<LegId, FarEnd>,
    pub(super) shown: BTreeMap<String, AgentState>,
    /// Attempts that are under way without an agent of their own, as the rows have it.
    pub(super) uncovered: BTreeSet<AttemptId>,
    /// Attempts that ever had an agent and a person hear each other, messages apart.
    pub(super) met: BTreeSet<AttemptId>,
    /// Attempts that want no agent: a message is for whoever answers.
    pub(super) messages: BTreeSet<AttemptId>,
    /// What each window might owe when the latest call without an agent was let go that can be answered in it.
    pub(super) might_owe: BTreeMap<UtcMs, u32>,
    /// Lines of the journal of pacing, where one is kept.
    journal: Option<Vec<String>>,
    pub(super) ending: bool,
    finished: bool,
    pub(super) report: Report,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) attempts: u64,
    pub(crate) uncovered: u64,
    pub(crate) handed_on: u64,
    pub(crate) connected: u64,
    pub(crate) abandoned: u64,
    pub(crate) faults: u64,
    pub(crate) late_answers: u64,
    pub(crate) crashes: u64,
    /// Changes of the mode.
    pub(crate) switches: u64,
    /// Calls that an agent asked for, of somebody shown to him or named by him.
    pub(crate) by_hand: u64,
    /// Calls that want no agent; messages that began.
    pub(crate) messages: u64,
    pub(crate) heard: u64,
    /// Commits after which a window owed a call, and the most that one owed.
    pub(crate) in_debt: u64,
    pub(crate) most_debt: u64,
    /// With customers or after them, and logged in without a pause, when the end begins; in ms.
    pub(crate) busy_ms: u64,
    pub(crate) staffed_ms: u64,
}

impl Report {
    pub(crate) fn add(&mut self, other: &Self) {
        self.attempts += other.attempts;
        self.uncovered += other.uncovered;
        self.handed_on += other.handed_on;
        self.connected += other.connected;
        self.abandoned += other.abandoned;
        self.faults += other.faults;
        self.late_answers += other.late_answers;
        self.crashes += other.crashes;
        self.switches += other.switches;
        self.by_hand += other.by_hand;
        self.messages += other.messages;
        self.heard += other.heard;
        self.in_debt += other.in_debt;
        self.most_debt = self.most_debt.max(other.most_debt);
        self.busy_ms += other.busy_ms;
        self.staffed_ms += other.staffed_ms;
    }
}

#[derive(Debug)]
pub(super) enum Todo {
    Start,
    /// The oldest commands become durable.
    Commit,
    Replies(Vec<(Ticket, StoreReply)>),
    Slow(StoreHealth),
    /// Something reaches the dialer, if the leg is still in this stage.
    Leg(LegId, Stage, LegEvent),
    Answer(LegId),
    Agent(String, Deed),
    PhoneDies,
    Crash,
    Clock,
    Hang,
    Mode,
    ShutDown,
}

impl Todo {
    const fn goes_wrong(&self) -> bool {
        matches!(self, Self::PhoneDies | Self::Crash | Self::Clock | Self::Hang | Self::Mode)
    }

    /// The hang-up of a callee who would have talked for hours: nobody is there to hear of it any more.
    const fn is_for_the_living(&self) -> bool {
        !matches!(self, Self::Leg(_, _, LegEvent::Ended { .. }))
    }
}

impl Floor {
    pub(crate) fn new(seed: u64, style: Style) -> Self {
        let mut settings = plan::campaign("autumn");
        settings.mode = style.mode;
        settings.abandon.cap_ppm = style.cap_ppm;
        settings.abandon.bound = style.bound;
        settings.wrap_up = style.wrap_up;
        settings.limits.talk = Duration::from_secs(3_600);
        if let Some(recording) = &mut settings.recording {
            recording.lines = style.message_lines;
        }
        let mut model = StoreModel::default();
        model.add_campaign(CAMPAIGN, style.begins);
        for n in 1..=style.people {
            let number = format!("+8190{n:08}");
            let phone = LeadPhone {
                phone: PhoneId(n),
                number: number.parse().unwrap(),
                key: number,
                zones: vec!["Asia/Tokyo".to_owned()],
                suspect_day: None,
                kind: None,
            };
            model.add_contact(ModelContact {
                contact: ContactId(n),
                seller: SellerId(1),
                external_id: None,
                name: None,
                language: None,
                fields: vec![],
                phones: vec![phone],
            });
            model.add_lead(LeadId(n), CAMPAIGN, ContactId(n), ClassId(1), n);
        }
        // The local day of the beginning; Tokyo is nine hours ahead.
        let window = day_of(style.begins);
        model.add_answers(CAMPAIGN, window, style.answered_before);
        let mut floor = Self {
            seed,
            dice: Dice::of(seed, "floor", 0),
            now: Tick::START,
            skew_ms: 0,
            dialer: None,
            model,
            settings,
            epoch: 0,
            agenda: BTreeMap::new(),
            serial: 0,
            queue: vec![],
            pending: vec![],
            busy: false,
            legs: BTreeMap::new(),
            shown: BTreeMap::new(),
            uncovered: BTreeSet::new(),
            met: BTreeSet::new(),
            messages: BTreeSet::new(),
            might_owe: BTreeMap::new(),
            journal: None,
            ending: false,
            finished: false,
            report: Report::default(),
            style,
        };
        floor.plan(Duration::ZERO, Todo::Start);
        let end = floor.style.lasts;
        floor.plan(end, Todo::ShutDown);
        for (mean, todo) in [
            (floor.style.phone_dies, Todo::PhoneDies),
            (floor.style.crash, Todo::Crash),
            (floor.style.clock, Todo::Clock),
            (floor.style.hang, Todo::Hang),
            (floor.style.mode_changes, Todo::Mode),
        ] {
            floor.again(mean, todo);
        }
        floor
    }

    pub(crate) fn run(self) -> Report {
        self.run_to_the_end().report
    }

    /// With the journal of pacing, in small parts.
    pub(crate) fn run_with_journal(mut self) -> (Report, Vec<String>) {
        self.journal = Some(vec![]);
        let done = self.run_to_the_end();
        (done.report, done.journal.unwrap_or_default())
    }

    fn run_to_the_end(mut self) -> Self {
        let last = Tick::START + self.style.lasts + Duration::from_secs(4_000);
        while !self.finished || self.agenda.values().any(Todo::is_for_the_living) {
            let planned = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let due =
                self.dialer.as_ref().filter(|_| !self.finished).and_then(Dialer::next_deadline);
            let Some(next) = planned.into_iter().chain(due).min() else { break };
            self.now = self.now.max(next);
            assert!(self.now < last, "seed {}: it does not end: {:?}", self.seed, self.report);
            if due.is_some_and(|due| due <= self.now) && planned.is_none_or(|at| at > self.now) {
                self.tell(Input::Timeout);
            } else if let Some((_, todo)) = self.agenda.pop_first() {
                self.turn(todo);
            }
        }
        self.look_back();
        self
    }

    fn turn(&mut self, todo: Todo) {
        match todo {
            Todo::Start => self.start(),
            Todo::Commit => self.commit(),
            Todo::Replies(replies) => {
                self.busy = false;
                self.tell(Input::StoreHealth(StoreHealth::Ok));
                for (ticket, reply) in replies {
                    self.tell(Input::Stored(ticket, reply));
                }
                self.take();
            }
            Todo::Slow(health) if self.busy => self.tell(Input::StoreHealth(health)),
            Todo::Slow(_) => {}
            Todo::Leg(leg, stage, event) => self.far_event(leg, stage, event),
            Todo::Answer(leg) => self.answer(leg),
            Todo::Agent(agent, deed) => self.deed(&agent, deed),
            Todo::PhoneDies => {
                self.a_phone_dies();
                self.again(self.style.phone_dies, Todo::PhoneDies);
            }
            Todo::Crash => {
                if self.dialer.is_some() && !self.finished {
                    self.crash();
                }
                self.again(self.style.crash, Todo::Crash);
            }
            Todo::Clock => {
                let jump = i64::try_from(self.dice.below(400_000)).unwrap() - 200_000;
                self.skew_ms += jump;
                self.again(self.style.clock, Todo::Clock);
            }
            // The next commit is the one that hangs.
            Todo::Hang => {
                self.style.store = Law::between(2_000, 9_000);
                self.again(self.style.hang, Todo::Hang);
            }
            Todo::Mode => {
                self.switch();
                self.again(self.style.mode_changes, Todo::Mode);
            }
            Todo::ShutDown => {
                // Whoever still talks after a while is hung up.
                if !self.ending {
                    self.sum_up();
                    self.plan(Duration::from_secs(60), Todo::ShutDown);
                }
                self.ending = true;
                // Nothing more goes wrong after the first minute of the end.
                let soon = self.now + Duration::from_secs(60);
                self.agenda.retain(|(at, _), todo| *at <= soon || !todo.goes_wrong());
                self.tell(Input::Shutdown);
            }
        }
    }

    /// The campaign goes over to another mode, now and then twice in one moment.
    fn switch(&mut self) {
        self.report.switches += 1;
        let ratio = 1_000 + u32::try_from(self.dice.below(4_000)).unwrap();
        let mode = match self.dice.below(9) {
            0 => DialMode::Progressive,
            1 => DialMode::Predictive,
            2 => DialMode::Preview,
            3 => DialMode::Manual,
            4 | 5 => DialMode::Agentless,
            _ => DialMode::Ratio(DialRatio::from_thousandths(ratio).unwrap()),
        };
        self.settings.mode = mode;
        let (campaign, word) = (self.settings.name.clone(), mode.as_str().to_owned());
        let ratio = matches!(mode, DialMode::Ratio(_)).then_some(ratio);
        self.command(Command::CampaignMode { campaign, mode: word, ratio });
        if mode == DialMode::Manual {
            self.all_may_call();
        }
        if self.dice.below(6) == 0 {
            self.switch();
        }
    }

    // --- the dialer ------------------------------------------------------------------------------------------------

    fn clock(&self) -> Now {
        let passed = self.now.since(Tick::START);
        let utc = self.style.begins + passed;
        Now { tick: self.now, utc: UtcMs(utc.0 + self.skew_ms) }
    }

    fn start(&mut self) {
        self.epoch += 1;
        let now = self.clock();
        let mut open_attempts =
            self.model.restart(self.epoch, now.utc + Duration::from_secs(86_400 * 400));
        for open in &mut open_attempts {
            let legs = self.legs.iter().filter(|(_, leg)| leg.attempt == Some(open.attempt));
            open.legs = legs.map(|(leg, _)| open_leg(*leg)).collect();
        }
        let ended: Vec<LegId> =
            open_attempts.iter().flat_map(|open| &open.legs).map(|leg| leg.leg).collect();
        let start = DialerStart {
            ids: IdMaker::new(self.epoch),
            boot: u64::from(self.epoch),
            campaigns: vec![CampaignStart {
                id: CAMPAIGN,
                seller: SellerId(1),
                settings: self.settings.clone(),
                first_run: self.style.begins,
                classes: vec![(ClassId(1), "zones=Asia/Tokyo".to_owned())],
                paused: false,
                learned: LearnedBefore::default(),
            }],
            agents: (1..).map(AgentId).zip(plan::agents(self.style.agents)).collect(),
            trunks: vec![outdial::logic::settings::TrunkSettings {
                calls_per_second: self.style.calls_per_second,
                channels: 500,
                ..plan::Plan::new().trunk
            }],
            lines: 500,
            until_idle: false,
            open_attempts,
            shared: false,
        };
        let mut out = vec![];
        let mut dialer = Dialer::new(now, start, plan::sounds(), &mut out);
        if self.journal.is_some() {
            dialer.keep_journal(500_000);
        }
        self.dialer = Some(dialer);
        self.perform(out);
        // The node ends every leg of the dead process.
        for leg in ended {
            self.hang_up(leg);
        }
        for agent in plan::agents(self.style.agents) {
            let wait = Law::between(5, 500).draw(&mut self.dice);
            self.plan(wait, Todo::Agent(agent.name, Deed::LogIn));
        }
        if self.settings.mode == DialMode::Manual {
            self.all_may_call();
        }
        if self.ending {
            self.tell(Input::Shutdown);
        }
    }

    fn crash(&mut self) {
        self.report.crashes += 1;
        self.dialer = None;
        self.queue.clear();
        self.busy = false;
        self.shown.clear();
        // What was on its way to the dead process reaches nobody; a commit under way may or may not have landed.
        let lands = self.dice.below(2) == 0;
        let (now, seed) = (self.now, self.seed);
        self.agenda.retain(|_, todo| match todo {
            Todo::Commit | Todo::Replies(_) | Todo::Slow(_) => false,
            Todo::Start => panic!("seed {seed} at {now:?}: two starts"),
            Todo::Leg(..)
            | Todo::Answer(_)
            | Todo::Agent(..)
            | Todo::PhoneDies
            | Todo::Crash
            | Todo::Clock
            | Todo::Hang
            | Todo::Mode
            | Todo::ShutDown => true,
        });
        if lands {
            let batch = std::mem::take(&mut self.pending);
            self.run_batch(&batch);
        }
        self.pending.clear();
        for far in self.legs.values_mut() {
            far.crashed = true;
        }
        // Agents' phones of the dead process are hung up by the next one.
        self.legs.retain(|_, leg| leg.attempt.is_some());
        let down = Law::between(10, 3_000).draw(&mut self.dice);
        self.plan(down, Todo::Start);
    }

    pub(super) fn command(&mut self, command: Command) {
        self.tell(Input::Command(Asker(1), command));
    }

    pub(super) fn tell(&mut self, input: Input) {
        let now = self.clock();
        let Some(dialer) = self.dialer.as_mut().filter(|_| !self.finished) else { return };
        let mut out = vec![];
        dialer.handle(now, input, &mut out);
        if let Some(journal) = &mut self.journal {
            let lines = dialer.take_journal();
            journal.extend(lines.iter().map(|(_, line)| serde_json::to_string(line).unwrap()));
        }
        self.perform(out);
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Store(ticket, command) => {
                    self.queue.push((ticket, command));
                    self.take();
                }
                Action::Leg(leg, command) => self.leg_command(leg, command),
                Action::Media(MediaCommand::Bridge { a: _, b }) => {
                    if let Some(leg) = self.legs.get_mut(&b) {
                        leg.met = true;
                        self.met.extend(leg.attempt);
                    }
                }
                Action::Media(MediaCommand::Play { leg, play, .. }) => self.plays(leg, play),
                Action::Media(_) | Action::Reply(..) => {}
                Action::Notice(notice) => self.noticed(&notice.agent, notice.state),
                Action::Finished => self.finished = true,
            }
        }
    }

    // --- the store -------------------------------------------------------------------------------------------------

    fn take(&mut self) {
        if self.busy || self.queue.is_empty() {
            return;
        }
        self.busy = true;
        let wait = self.style.store.draw(&mut self.dice);
        if wait > Duration::from_millis(500) {
            self.plan(Duration::from_millis(500), Todo::Slow(StoreHealth::Slow));
            self.plan(Duration::from_secs(1), Todo::Slow(StoreHealth::Gone));
            self.style.store = Law::between(0, 5);
        }
        // Now and then a batch ends between two commands of one moment, as when it is full.
        let all = self.queue.len();
        let most = if self.dice.below(4) == 0 {
            1 + self.dice.below(u64::try_from(all).unwrap())
        } else {
            u64::MAX
        };
        let rest = self.queue.split_off(all.min(usize::try_from(most).unwrap()));
        self.pending = std::mem::replace(&mut self.queue, rest);
        self.plan(wait, Todo::Commit);
    }

    fn commit(&mut self) {
        let batch = std::mem::take(&mut self.pending);
        let replies = self.run_batch(&batch);
        let tickets = batch.iter().map(|(ticket, _)| *ticket);
        let wait = Law::between(0, 3).draw(&mut self.dice);
        self.plan(wait, Todo::Replies(tickets.zip(replies).collect()));
    }

    // --- the end ---------------------------------------------------------------------------------------------------

    fn sum_up(&mut self) {
        let now = self.clock();
        let agents = self.dialer.as_ref().map(|dialer| dialer.view(now).agents).unwrap_or_default();
        self.report.busy_ms = agents.iter().map(|agent| agent.talk_ms + agent.wrap_up_ms).sum();
        self.report.staffed_ms = agents.iter().map(|agent| agent.staffed_ms).sum();
    }

    pub(super) fn plan(&mut self, after: Duration, todo: Todo) {
        self.serial += 1;
        self.agenda.insert((self.now + after, self.serial), todo);
    }

    /// Once more after a while, until the world ends.
    fn again(&mut self, mean: Option<Duration>, todo: Todo) {
        let Some(mean) = mean.filter(|_| !self.ending) else { return };
        let millis = u32::try_from(mean.as_millis()).unwrap();
        let wait = Law::Exponential { mean_ms: millis }.draw(&mut self.dice);
        self.plan(wait, todo);
    }
}

fn open_leg(leg: LegId) -> OpenLeg {
    OpenLeg { leg, boot: 1, peer_name: "main".to_owned(), call: String::new(), dialog: None }
}

pub(super) const CAMPAIGN: CampaignId = CampaignId(7);
