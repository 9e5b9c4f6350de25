//! The run: a dialer, and around it whatever is due next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::logic::compliance::Verdict;
use crate::logic::compliance::calling_class::ClassHours;
use crate::logic::dialer::command::{Command, Reply};
use crate::logic::dialer::{
    Action, Asker, CampaignStart, Dialer, DialerStart, Input, StoreCommand, Ticket,
};
use crate::logic::ids::{AgentId, CampaignId, IdMaker, LegId, SellerId};
use crate::logic::outcome::Outcome;
use crate::logic::time::{Now, Tick, UtcMs};
use crate::simulation::rehearsal::Rehearsal;
use crate::simulation::rehearsal::desk::Desk;
use crate::simulation::rehearsal::legs::{Leg, RECORDED};
use crate::simulation::rehearsal::record::{Record, Recorder};
use crate::simulation::rehearsal::watch::{Watch, latest};
use crate::simulation::store_model::{ModelWindow, StoreModel};

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// The database has committed.
    Commit,
    PhoneUp(LegId),
    Ringing(LegId),
    Refused(LegId, u16),
    Answered(LegId),
    GivesUp(LegId),
    Ended(LegId, bool),
    Played(LegId, u64),
    Pressed(LegId, u64),
    LogIn(usize),
    Rest(usize, u64),
    Back(usize),
    Read(usize),
    Wrapped(usize, u32),
    Home(usize),
    Day(u32),
    Sample,
}

/// The whole made-up world of one rehearsal.
pub(super) struct World<'a> {
    pub(super) rehearsal: &'a Rehearsal,
    pub(super) seed: u64,
    pub(super) now: Now,
    dialer: Dialer,
    store: StoreModel,
    /// Sent to the database and not committed yet.
    uncommitted: Vec<(Ticket, StoreCommand)>,
    queue: BinaryHeap<Reverse<(Tick, u64, Due)>>,
    made: u64,
    pub(super) legs: BTreeMap<LegId, Leg>,
    pub(super) desks: Vec<Desk>,
    pub(super) names: BTreeMap<String, usize>,
    /// Calls so far by number.
    pub(super) turns: BTreeMap<String, u32>,
    pub(super) said: BTreeMap<String, u64>,
    pub(super) recorder: Recorder,
    watch: Watch,
    hours: ClassHours,
    waits: Vec<u32>,
    idles: Vec<u32>,
    outcomes: BTreeMap<Outcome, u64>,
    lines: u32,
    lines_peak: u32,
    lines_since: u64,
    /// When INVITEs left in the last second.
    sent: VecDeque<Tick>,
    rate_peak: u32,
    day: u32,
    first_round: Option<UtcMs>,
    list_end: Option<UtcMs>,
    inputs: u64,
    refusals: u64,
    finished: bool,
}

/// Runs one rehearsal.
pub(super) fn run(rehearsal: &Rehearsal, seed: u64) -> Record {
    let first = rehearsal.days.first().map_or(UtcMs(0), |day| day.starts);
    let now = Now { tick: Tick::START, utc: first };
    let mut store = StoreModel::default();
    store.add_node(EPOCH, "rehearsal", now.utc + LEASE);
    store.add_campaign(CAMPAIGN, now.utc);
    rehearsal.list.fill(&mut store, CAMPAIGN, SELLER);
    for (window, booked) in &rehearsal.booked {
        store.add_booked(CAMPAIGN, *window, *booked);
    }
    let mut out = vec![];
    let dialer = Dialer::new(now, start(rehearsal), sounds(rehearsal), &mut out);
    let mut hours = ClassHours::new(rehearsal.campaign.hours.clone());
    for (class, descriptor) in &rehearsal.classes {
        hours.learn(*class, descriptor);
    }
    let watch = Watch::new(&rehearsal.campaign.abandon, rehearsal.first_run, &store);
    let desks = rehearsal.agents.iter().zip(1..);
    let mut world = World {
        rehearsal,
        seed,
        now,
        dialer,
        store,
        uncommitted: vec![],
        queue: BinaryHeap::new(),
        made: 0,
        legs: BTreeMap::new(),
        desks: desks.map(|(agent, id)| Desk::new(AgentId(id), &agent.name, now.tick)).collect(),
        names: rehearsal.agents.iter().zip(0..).map(|(agent, n)| (agent.name.clone(), n)).collect(),
        turns: rehearsal.list.earlier().map(|(key, turns)| (key.to_owned(), turns)).collect(),
        said: BTreeMap::new(),
        recorder: Recorder::new(&rehearsal.days),
        watch,
        hours,
        waits: vec![],
        idles: vec![],
        outcomes: BTreeMap::new(),
        lines: 0,
        lines_peak: 0,
        lines_since: 0,
        sent: VecDeque::new(),
        rate_peak: 0,
        day: 0,
        first_round: None,
        list_end: None,
        inputs: 0,
        refusals: 0,
        finished: false,
    };
    world.perform(out);
    world.live();
    world.finish()
}

fn start(rehearsal: &Rehearsal) -> DialerStart {
    DialerStart {
        ids: IdMaker::new(EPOCH),
        boot: 0,
        campaigns: vec![CampaignStart {
            id: CAMPAIGN,
            seller: SELLER,
            settings: rehearsal.campaign.clone(),
            first_run: rehearsal.first_run,
            classes: rehearsal.classes.clone(),
            paused: false,
            learned: rehearsal.learned.clone(),
        }],
        agents: rehearsal.agents.iter().zip(1..).map(|(a, id)| (AgentId(id), a.clone())).collect(),
        trunks: vec![rehearsal.trunk.clone()],
        lines: rehearsal.lines,
        until_idle: false,
        open_attempts: vec![],
        shared: false,
    }
}

/// Sounds that nobody hears.
fn sounds(rehearsal: &Rehearsal) -> BTreeMap<String, Arc<[i16]>> {
    let silence = |samples: usize| -> Arc<[i16]> { vec![0_i16; samples].into() };
    let campaign = &rehearsal.campaign;
    let recorded = campaign.recording.iter().flat_map(|recording| recording.files.values());
    let all = campaign.sound_files().map(|path| (path.clone(), silence(1)));
    all.chain(recorded.map(|path| (path.clone(), silence(RECORDED)))).collect()
}

impl World<'_> {
    fn live(&mut self) {
        let begun = self.now.tick;
        let starts: Vec<Duration> =
            self.rehearsal.days.iter().map(|day| day.starts.since(self.now.utc)).collect();
        for (day, after) in (0..).zip(starts) {
            self.at(begun + after, Due::Day(day));
        }
        self.at(begun, Due::Sample);
        let last = self.rehearsal.days.last();
        let ends = last.map_or(Duration::ZERO, |day| day.starts.since(self.now.utc) + day.length);
        let (ends, longest) = (begun + ends, begun + ends + RUN_OUT);
        while !self.finished {
            let due = self.queue.peek().map(|Reverse((at, _, _))| *at);
            let Some(next) = due.into_iter().chain(self.dialer.next_deadline()).min() else {
                return;
            };
            if next > longest || (next > ends && self.is_quiet()) {
                return;
            }
            self.jump(next);
            if due.is_some_and(|due| due <= next) {
                if let Some(Reverse((_, _, due))) = self.queue.pop() {
                    self.happen(due);
                }
            } else {
                self.input(Input::Timeout);
            }
        }
    }

    /// Everybody has gone home and no call is up.
    fn is_quiet(&self) -> bool {
        self.lines == 0 && self.desks.iter().all(Desk::is_gone)
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Commit => self.commit(),
            Due::PhoneUp(leg) => self.phone_up(leg),
            Due::Ringing(leg) => self.ringing(leg),
            Due::Refused(leg, status) => self.refused(leg, status),
            Due::Answered(leg) => self.answered(leg),
            Due::GivesUp(leg) => self.gives_up(leg),
            Due::Ended(leg, by_peer) => self.ended(leg, by_peer),
            Due::Played(leg, play) => self.played(leg, play),
            Due::Pressed(leg, which) => self.pressed(leg, which),
            Due::LogIn(agent) => self.log_in(agent),
            Due::Rest(agent, millis) => self.rest(agent, millis),
            Due::Back(agent) => self.back(agent),
            Due::Read(agent) => self.read(agent),
            Due::Wrapped(agent, wrap) => self.wrapped(agent, wrap),
            Due::Home(agent) => self.home(agent),
            Due::Day(day) => {
                self.day = day;
                self.begin_day(day);
            }
            Due::Sample => self.sample(),
        }
    }

    pub(super) fn input(&mut self, input: Input) {
        self.inputs += 1;
        let mut out = vec![];
        self.dialer.handle(self.now, input, &mut out);
        self.perform(out);
    }

    pub(super) fn command(&mut self, command: Command) {
        self.input(Input::Command(Asker(0), command));
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Store(ticket, command) => {
                    if self.uncommitted.is_empty() {
                        self.later(COMMIT, Due::Commit);
                    }
                    self.uncommitted.push((ticket, command));
                }
                Action::Leg(leg, command) => self.leg_command(leg, command),
                Action::Media(command) => self.media(command),
                Action::Notice(notice) => self.told(&notice),
                Action::Reply(_, reply) => match *reply {
                    Reply::Refused { .. } => self.refusals += 1,
                    Reply::Ok | Reply::Status(_) | Reply::Agent(_) => {}
                },
                Action::Finished => self.finished = true,
            }
        }
    }

    /// One transaction with everything that was sent since the last one.
    fn commit(&mut self) {
        let (tickets, commands): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.uncommitted).into_iter().unzip();
        for command in &commands {
            if let StoreCommand::Outcome(record) = command {
                *self.outcomes.entry(record.outcome).or_default() += 1;
            }
        }
        let replies = self.store.run(EPOCH, &commands);
        self.watch.ledger(self.now.utc, &self.store);
        self.look_at_the_list();
        for (ticket, reply) in tickets.into_iter().zip(replies) {
            self.input(Input::Stored(ticket, reply));
        }
    }

    fn look_at_the_list(&mut self) {
        if self.list_end.is_some() {
            return;
        }
        let counts = self.store.counts(CAMPAIGN);
        if counts.ready + counts.claimed == 0 {
            self.first_round.get_or_insert(self.now.utc);
            if counts.waiting == 0 {
                self.list_end = Some(self.now.utc);
            }
        }
    }

    fn sample(&mut self) {
        let (at, day) =
            (self.micros(), self.rehearsal.days.get(usize::try_from(self.day).unwrap_or(0)));
        let at_work = day.is_some_and(|day| self.now.utc < day.starts + day.length);
        if at_work {
            let view = self.dialer.view(self.now);
            let (window, ledger) = latest(&self.store, CAMPAIGN);
            let list = self.store.counts(CAMPAIGN);
            let held = view.campaigns.first().and_then(|campaign| campaign.held_by);
            let step = self.recorder.step(at);
            (step.window, step.ledger, step.list) = (window, ledger, list);
            step.may_owe = self.watch.may_owe(self.now.utc);
            if let Some(held) = held {
                *step.held.entry(held).or_default() += 1;
            }
        }
        self.later(SAMPLE, Due::Sample);
    }

    fn finish(mut self) -> Record {
        self.count_lines();
        let view = self.dialer.view(self.now);
        let gates = view.campaigns.first().map(|campaign| campaign.gates.clone());
        self.waits.sort_unstable();
        self.idles.sort_unstable();
        let mut ledger = ModelWindow::default();
        for booked in self.store.windows().values() {
            ledger.answered += booked.answered;
            ledger.abandoned += booked.abandoned;
            ledger.fault += booked.fault;
        }
        for (_, before) in &self.rehearsal.booked {
            ledger.answered -= before.answered;
            ledger.abandoned -= before.abandoned;
            ledger.fault -= before.fault;
        }
        Record {
            seed: self.seed,
            steps: self.recorder.finish(),
            waits: self.waits,
            idles: self.idles,
            outcomes: self.outcomes,
            gates: gates.unwrap_or_default().into_iter().collect(),
            said: self.said,
            ledger,
            lines_peak: self.lines_peak,
            rate_peak: self.rate_peak,
            first_round: self.first_round,
            list_end: self.list_end,
            left: self.store.counts(CAMPAIGN),
            breaches: self.watch.finish(),
            inputs: self.inputs,
            refusals: self.refusals,
        }
    }
}

/// What is noted on the way.
impl World<'_> {
    pub(super) fn micros(&self) -> u64 {
        self.now.tick.micros_since_start()
    }

    pub(super) fn later(&mut self, after: Duration, due: Due) {
        self.at(self.now.tick + after, due);
    }

    fn at(&mut self, at: Tick, due: Due) {
        self.made += 1;
        self.queue.push(Reverse((at, self.made, due)));
    }

    fn jump(&mut self, to: Tick) {
        let first = self.rehearsal.days.first().map_or(UtcMs(0), |day| day.starts);
        self.now = Now { tick: to, utc: first + Duration::from_micros(to.micros_since_start()) };
    }

    /// The hour of the clock, with its fraction.
    pub(super) fn hour(&self) -> f64 {
        let (since, minute) = self.since_begin();
        f64::from(minute) / 60.0 + since.as_secs_f64() / 3_600.0
    }

    /// Whether the carrier refuses everything now.
    pub(super) fn is_out(&self) -> bool {
        let millis = u64::try_from(self.since_begin().0.as_millis()).unwrap_or(u64::MAX);
        self.rehearsal.outages.iter().any(|(from, until)| (*from..*until).contains(&millis))
    }

    /// Time since the begin of the day's shift, and what the clock showed then.
    fn since_begin(&self) -> (Duration, u32) {
        let day = usize::try_from(self.day).ok().and_then(|day| self.rehearsal.days.get(day));
        day.map_or((Duration::ZERO, 0), |day| (self.now.utc.since(day.starts), day.minute))
    }

    pub(super) fn note_invite(&mut self) {
        let (at, now) = (self.micros(), self.now.tick);
        while self.sent.front().is_some_and(|sent| now.since(*sent) >= Duration::from_secs(1)) {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
        let rate = u32::try_from(self.sent.len()).unwrap_or(u32::MAX);
        self.rate_peak = self.rate_peak.max(rate);
        let step = self.recorder.step(at);
        step.dials += 1;
        step.rate_peak = step.rate_peak.max(rate);
        // One class that is open is asked for: the dialer asks for the lead's own.
        let ring = self.rehearsal.campaign.limits.ring;
        let open = self
            .rehearsal
            .classes
            .iter()
            .any(|(class, _)| self.hours.verdict(*class, self.now.utc, ring) == Verdict::Allow);
        self.watch.hours(self.now.utc, open);
    }

    pub(super) fn line_opened(&mut self) {
        self.count_lines();
        self.lines += 1;
        self.lines_peak = self.lines_peak.max(self.lines);
        let (at, lines) = (self.micros(), self.lines);
        let step = self.recorder.step(at);
        step.lines_peak = step.lines_peak.max(lines);
        let most = self.rehearsal.lines.min(self.rehearsal.trunk.channels);
        self.watch.lines(self.now.utc, lines, most);
    }

    pub(super) fn line_closed(&mut self) {
        self.count_lines();
        self.lines = self.lines.saturating_sub(1);
    }

    fn count_lines(&mut self) {
        let at = self.micros();
        self.recorder.occupy(self.lines_since, at, self.lines);
        self.lines_since = at;
    }

    pub(super) fn note_answer(&mut self) {
        let at = self.micros();
        self.recorder.step(at).answered += 1;
    }

    pub(super) fn note_loss(&mut self) {
        let at = self.micros();
        self.recorder.step(at).lost += 1;
    }

    pub(super) fn note_talk(&mut self, waited: Duration, person: bool) {
        let (at, millis) = (self.micros(), millis(waited));
        let step = self.recorder.step(at);
        step.talks += 1;
        step.waited += u64::from(millis);
        if person {
            self.waits.push(millis);
        }
    }

    pub(super) fn note_idle(&mut self, idle: Option<Duration>) {
        let (Some(idle), at) = (idle, self.micros()) else { return };
        let step = self.recorder.step(at);
        step.idle_ends += 1;
        step.idled += u64::from(millis(idle));
        self.idles.push(millis(idle));
    }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

const CAMPAIGN: CampaignId = CampaignId(1);
const SELLER: SellerId = SellerId(1);
/// Ids of this process lie above those of the list's earlier calls.
const EPOCH: u32 = 1 << 20;
/// The dialer renews it long before.
const LEASE: Duration = Duration::from_secs(30);
/// From a command to its commit: a batch every 2 ms and a write to a disk.
const COMMIT: Duration = Duration::from_millis(4);
/// How often what holds dialing back, and the list, are looked at.
const SAMPLE: Duration = Duration::from_secs(10);
/// The last talks of the day may take so long.
const RUN_OUT: Duration = Duration::from_secs(2 * 3_600);
