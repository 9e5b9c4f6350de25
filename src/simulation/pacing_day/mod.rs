//! A day of a call centre without telephones: launches, people, agents and the clock, for measuring pacing alone.
//!
//! A pacer sees what a dialer sees and says every half second how many calls to start; it does not know what they will
//! come to. Nothing here is shared with the engine it judges. The people are the same whoever paces: the hundredth call of
//! a seed meets the same callee with the same luck, ring, talk and wrap-up under every policy, and agents come and go at
//! the same times.

pub mod baselines;
pub mod leads;
pub mod report;
pub mod roster;
pub mod scenario;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use crate::logic::pacing::predictive::{
    AgentNow, AgentStage, CallNow, CallStage, Happened, Moment, Odds, Seen,
};
use crate::simulation::dice::{Dice, Law};
use crate::simulation::pacing_day::leads::Lead;
use crate::simulation::pacing_day::report::{Ledger, Report};
use crate::simulation::pacing_day::roster::{Absence, roster};
use crate::simulation::pacing_day::scenario::Scenario;

/// Decides how many calls to start.
pub trait Pacer {
    /// How many now.
    fn launch(&mut self, moment: &Moment<'_>) -> usize;

    /// The same, told how likely the leads of this moment's calls and the next ones are to answer, as [`Self::odds`]
    /// said of them.
    fn launch_with(&mut self, moment: &Moment<'_>, _odds: &Odds<'_>) -> usize {
        self.launch(moment)
    }

    /// What it makes of a lead. Asked only where leads differ.
    fn odds(&mut self, _lead: &Lead) -> f64 {
        1.0
    }

    /// A call to a lead was answered by a person, or by nobody.
    fn learn(&mut self, _lead: &Lead, _answered: bool) {}
}

/// Runs a day.
#[must_use]
pub fn run(scenario: &Scenario, seed: u64, pacer: &mut dyn Pacer) -> Report {
    let mut day = Day::new(scenario, seed);
    let end = micros(f64::from(scenario.seconds));
    let mut tick = 0;
    while tick < end {
        day.advance(tick);
        day.tick(tick, end, pacer);
        tick += TICK;
    }
    day.advance(end);
    day.ledger.report()
}

struct Day<'a> {
    scenario: &'a Scenario,
    seed: u64,
    queue: BinaryHeap<Reverse<(u64, u64, Due)>>,
    made: u64,
    calls: BTreeMap<u64, Call>,
    agents: Vec<Agent>,
    waiting: VecDeque<u64>,
    events: Vec<Seen>,
    ledger: Ledger,
    /// Who is called next, where leads differ, with their odds.
    next: VecDeque<(Lead, f64)>,
    prepared: u64,
    /// Leads whose calls have ended, and whether they answered.
    ended: Vec<(Lead, bool)>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Ringback(u64),
    Refused(u64),
    Answer(u64),
    NoAnswer(u64),
    Detected(u64),
    GivesUp(u64),
    TalkEnd(usize),
    WrapEnd(usize),
    Away(usize, Absence),
    Back(usize),
}

struct Call {
    started: u64,
    stage: CallStage,
    since: u64,
    answered: u64,
    person: bool,
    /// What the detector says, if there is one.
    taken_for_person: bool,
    /// When the callee loses patience, counted from the answer.
    patience: u64,
    /// What is still open about this call, its talk and its wrap-up.
    dice: Dice,
    lead: Option<(Lead, f64)>,
}

struct Agent {
    state: AgentStage,
    there: bool,
    since: u64,
    leaves: Option<Absence>,
    machine: bool,
    /// Of the call that the agent has.
    dice: Dice,
}

impl<'a> Day<'a> {
    fn new(scenario: &'a Scenario, seed: u64) -> Self {
        let mut day = Self {
            scenario,
            seed,
            queue: BinaryHeap::new(),
            made: 0,
            calls: BTreeMap::new(),
            agents: Vec::new(),
            waiting: VecDeque::new(),
            events: Vec::new(),
            ledger: Ledger::default(),
            next: VecDeque::new(),
            prepared: 0,
            ended: Vec::new(),
        };
        for id in 0..scenario.agents {
            let there = !scenario.breaks;
            let mut dice = Dice::of(seed, scenario.name, turn(id));
            let own = Agent {
                state: AgentStage::Idle,
                there,
                since: 0,
                leaves: None,
                machine: false,
                dice: dice.clone(),
            };
            day.agents.push(own);
            if scenario.breaks {
                let (login, absences) = roster(id, scenario.seconds, &mut dice);
                day.at(micros(login), Due::Back(id));
                for (at, absence) in absences {
                    day.at(micros(at), Due::Away(id, absence));
                }
            }
        }
        day
    }

    fn at(&mut self, at: u64, due: Due) {
        self.made += 1;
        self.queue.push(Reverse((at, self.made, due)));
    }

    /// Everything until then, in order.
    fn advance(&mut self, until: u64) {
        while let Some(Reverse((at, _, due))) = self.queue.peek().copied() {
            if at > until {
                break;
            }
            self.queue.pop();
            self.happen(at, due);
        }
    }

    fn tick(&mut self, at: u64, end: u64, pacer: &mut dyn Pacer) {
        let agents: Vec<AgentNow> = self
            .agents
            .iter()
            .filter(|agent| agent.there)
            .map(|agent| AgentNow {
                stage: agent.state,
                age: seconds(at - agent.since),
                leaving: agent.leaves.is_some(),
            })
            .collect();
        let calls: Vec<CallNow> = self
            .calls
            .iter()
            .map(|(id, call)| CallNow {
                id: *id,
                stage: call.stage,
                age: seconds(at - call.started),
                stage_age: seconds(at - call.since),
            })
            .collect();
        let events = std::mem::take(&mut self.events);
        let moment = Moment {
            at: seconds(at),
            agents: &agents,
            calls: &calls,
            events: &events,
            window_left: seconds(end - at),
            most_lines: self.scenario.agents * LINES_PER_AGENT,
            most_uncovered: usize::MAX,
        };
        let (odds, next) = if self.scenario.leads_differ {
            self.prepare(pacer);
            let odds = self.calls.values().map(|call| call.lead.map_or(1.0, |(_, odds)| odds));
            (odds.collect(), self.next.iter().map(|(_, odds)| *odds).collect())
        } else {
            (Vec::new(), Vec::new())
        };
        let launch = pacer.launch_with(&moment, &Odds { calls: &odds, next: &next });
        let most = (self.scenario.agents * LINES_PER_AGENT).saturating_sub(calls.len());
        for _ in 0..launch.min(most) {
            self.launch(at);
        }
    }

    /// Tells what came of leads, and asks about the next ones.
    fn prepare(&mut self, pacer: &mut dyn Pacer) {
        for (lead, answered) in self.ended.drain(..) {
            pacer.learn(&lead, answered);
        }
        while self.next.len() < PREPARED {
            self.prepared += 1;
            let lead = Lead::of(self.seed, self.prepared);
            self.next.push_back((lead, pacer.odds(&lead)));
        }
    }

    fn launch(&mut self, at: u64) {
        self.ledger.launched += 1;
        let id = self.ledger.launched;
        let mut dice = Dice::of(self.seed, CALLS, id);
        let (scenario, now) = (self.scenario, seconds(at));
        let post_dial = at + draw(scenario.post_dial, &mut dice);
        let rings = draw(RINGS, &mut dice);
        let fate = dice.unit();
        let lead = self.next.pop_front();
        let answer = scenario.answer_at(now);
        let answer = lead.map_or(answer, |(lead, _)| lead.chance(answer));
        let person = fate < answer;
        let machine = !person && fate < answer + scenario.machine;
        let refused = !person && !machine && fate < answer + scenario.machine + BUSY + DEAD;
        let call = Call {
            started: at,
            stage: CallStage::Dialing,
            since: at,
            answered: 0,
            person,
            taken_for_person: true,
            patience: 0,
            dice,
            lead,
        };
        self.calls.insert(id, call);
        if refused || scenario.is_out(now) {
            self.at(post_dial, Due::Refused(id));
            return;
        }
        self.at(post_dial, Due::Ringback(id));
        let limit = micros(scenario.ring_limit);
        if (person || machine) && rings < limit {
            self.at(post_dial + rings, Due::Answer(id));
        } else {
            self.at(post_dial + limit, Due::NoAnswer(id));
        }
    }

    fn happen(&mut self, at: u64, due: Due) {
        match due {
            Due::Ringback(id) => {
                self.move_on(at, id, CallStage::Ringing);
                self.see(at, Happened::Ringback(id));
            }
            Due::Refused(id) => {
                self.calls.remove(&id);
                self.see(at, Happened::Refused(id));
            }
            Due::NoAnswer(id) => {
                let call = self.calls.remove(&id);
                if let Some((lead, _)) = call.and_then(|call| call.lead) {
                    self.ended.push((lead, false));
                }
                self.see(at, Happened::NoAnswer(id));
            }
            Due::Answer(id) => self.answer(at, id),
            Due::Detected(id) => self.detected(at, id),
            Due::GivesUp(id) => self.gives_up(at, id),
            Due::TalkEnd(agent) => self.talk_end(at, agent),
            Due::WrapEnd(agent) => self.wrap_end(at, agent),
            Due::Away(agent, absence) => self.wants_away(at, agent, absence),
            Due::Back(agent) => self.back(at, agent),
        }
    }

    fn answer(&mut self, at: u64, id: u64) {
        let (median, sigma) = self.scenario.patience;
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.answered = at;
        call.patience = micros(median * (sigma * call.dice.normal()).exp());
        let (person, wrong) = (call.person, call.dice.unit());
        if let Some((lead, _)) = call.lead {
            self.ended.push((lead, person));
        }
        self.see(at, Happened::Answered(id));
        let Some(detection) = self.scenario.detection else {
            self.offer(at, id);
            return;
        };
        let taken_for_person = if person {
            wrong >= detection.false_positive
        } else {
            wrong < detection.false_negative
        };
        self.move_on(at, id, CallStage::Detecting);
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.taken_for_person = taken_for_person;
        let delay = if person { detection.person } else { detection.machine };
        let delay = draw(delay, &mut call.dice);
        let patience = call.patience.min(CONNECT_LIMIT);
        if person {
            self.at(at + patience, Due::GivesUp(id));
        }
        self.at(at + delay, Due::Detected(id));
    }

    fn detected(&mut self, at: u64, id: u64) {
        let Some(call) = self.calls.get(&id) else { return };
        if call.taken_for_person {
            self.offer(at, id);
        } else {
            self.calls.remove(&id);
            self.see(at, Happened::Machine(id));
        }
    }

    fn offer(&mut self, at: u64, id: u64) {
        self.see(at, Happened::Live(id));
        self.move_on(at, id, CallStage::Waiting);
        self.waiting.push_back(id);
        self.join(at);
        let Some(call) = self.calls.get(&id) else { return };
        // Two seconds after the answer it is over for everybody; a machine has patience until then. A person who was
        // listened to first gives up whether known as one or not: that is arranged already.
        if call.person && self.scenario.detection.is_some() {
            return;
        }
        let patience = if call.person { call.patience } else { u64::MAX };
        let gives_up = (call.answered + patience.min(CONNECT_LIMIT)).max(at);
        self.at(gives_up, Due::GivesUp(id));
    }

    fn gives_up(&mut self, at: u64, id: u64) {
        let Some(call) = self.calls.remove(&id) else { return };
        self.waiting.retain(|waits| *waits != id);
        self.ledger.live(at, false, call.person);
        self.see(at, Happened::Abandoned(id));
    }

    /// Waiting people to free agents, the longest waiting to the longest idle.
    fn join(&mut self, at: u64) {
        while let Some(id) = self.waiting.front().copied() {
            let free = self.agents.iter_mut().enumerate().filter(|(_, agent)| agent.takes_calls());
            let Some((place, agent)) = free.min_by_key(|(place, agent)| (agent.since, *place))
            else {
                return;
            };
            self.waiting.pop_front();
            let Some(mut call) = self.calls.remove(&id) else { continue };
            self.ledger.idle(at - agent.since);
            self.ledger.wait(at - call.answered);
            agent.state = AgentStage::Talking;
            agent.since = at;
            agent.machine = !call.person;
            self.ledger.live(at, true, call.person);
            let talk = if call.person {
                micros(self.scenario.talk_at(seconds(at), &mut call.dice))
            } else {
                MACHINE_TALK
            };
            agent.dice = call.dice;
            self.at(at + talk, Due::TalkEnd(place));
            self.see(at, Happened::Connected(id));
        }
    }

    fn talk_end(&mut self, at: u64, place: usize) {
        let Some(agent) = self.agents.get_mut(place) else { return };
        let (after, machine) = (at - agent.since, agent.machine);
        agent.state = AgentStage::Wrapping;
        agent.since = at;
        let wrap = if machine { MACHINE_WRAP } else { draw(self.scenario.wrap, &mut agent.dice) };
        self.ledger.busy += after;
        self.see(at, Happened::TalkEnded { after: seconds(after), machine });
        self.at(at + wrap, Due::WrapEnd(place));
    }

    fn wrap_end(&mut self, at: u64, place: usize) {
        let Some(agent) = self.agents.get_mut(place) else { return };
        let after = at - agent.since;
        agent.state = AgentStage::Idle;
        agent.since = at;
        let leaves = agent.leaves.take();
        self.ledger.busy += after;
        self.see(at, Happened::WrapEnded { after: seconds(after) });
        match leaves {
            Some(absence) => self.leave(at, place, absence),
            None => self.join(at),
        }
    }

    fn wants_away(&mut self, at: u64, place: usize, absence: Absence) {
        let Some(agent) = self.agents.get_mut(place) else { return };
        if agent.takes_calls() {
            self.leave(at, place, absence);
        } else if agent.there && agent.state != AgentStage::Paused {
            agent.leaves = Some(agent.leaves.map_or(absence, |other| other.max(absence)));
        } else if absence == Absence::Home {
            agent.there = false;
        }
    }

    fn leave(&mut self, at: u64, place: usize, absence: Absence) {
        let Some(agent) = self.agents.get_mut(place) else { return };
        self.ledger.idle(at - agent.since);
        agent.since = at;
        match absence {
            Absence::Rest(micros) => {
                agent.state = AgentStage::Paused;
                self.at(at + micros, Due::Back(place));
            }
            Absence::Home => agent.there = false,
        }
    }

    fn back(&mut self, at: u64, place: usize) {
        let Some(agent) = self.agents.get_mut(place) else { return };
        if agent.state == AgentStage::Paused && !agent.there {
            return;
        }
        agent.there = true;
        agent.state = AgentStage::Idle;
        agent.since = at;
        self.join(at);
    }

    fn move_on(&mut self, at: u64, id: u64, stage: CallStage) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.stage = stage;
            call.since = at;
        }
    }

    fn see(&mut self, at: u64, what: Happened) {
        self.events.push(Seen { at: seconds(at), what });
    }
}

fn draw(law: Law, dice: &mut Dice) -> u64 {
    micros(law.draw(dice).as_secs_f64())
}

fn turn(agent: usize) -> u64 {
    u64::try_from(agent).unwrap_or(u64::MAX)
}

impl Agent {
    fn takes_calls(&self) -> bool {
        self.there && self.state == AgentStage::Idle && self.leaves.is_none()
    }
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "days in microseconds"
)]
fn micros(seconds: f64) -> u64 {
    (seconds * 1e6) as u64
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "days in microseconds")]
pub(crate) fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// Microseconds.
const TICK: u64 = 500_000;
const CONNECT_LIMIT: u64 = 2_000_000;
const MACHINE_TALK: u64 = 8_000_000;
const MACHINE_WRAP: u64 = 3_000_000;
const LINES_PER_AGENT: usize = 15;
const BUSY: f64 = 0.05;
const DEAD: f64 = 0.08;
/// Leads that are ready to be called.
const PREPARED: usize = 64;
/// What the dice of calls are called.
const CALLS: &str = "call";
/// Ringback to answer.
const RINGS: Law = Law::Gamma { mean_ms: 10_000, cv: 0.5 };
