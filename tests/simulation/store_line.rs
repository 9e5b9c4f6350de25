//! The store task in virtual time: collects commands into batches, repeats a batch until it lands, and answers in order.
//!
//! It says when a batch is to be run; the world runs it, for only the world has the database. The times are those the
//! store task of the runtime uses.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use outdial::logic::dialer::{StoreCommand, StoreHealth, StoreReply, Ticket};
use outdial::logic::time::Tick;
use outdial::simulation::dice::{Dice, Law};

use crate::faults::Faults;

/// Orders on their way, and the batch that is being run.
#[derive(Debug, Default)]
pub(crate) struct StoreLine {
    queue: VecDeque<(Ticket, StoreCommand)>,
    batch: Vec<(Ticket, StoreCommand)>,
    replies: Vec<StoreReply>,
    steps: BTreeMap<(Tick, u64), Step>,
    serial: u64,
    back_off: Duration,
    health: StoreHealthOrOk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StoreHealthOrOk(StoreHealth);

impl Default for StoreHealthOrOk {
    fn default() -> Self {
        Self(StoreHealth::Ok)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Enough was collected.
    Begin,
    /// The database commits.
    Commit,
    /// The commit is answered.
    Answer,
    /// No commit for half a second.
    Slow,
    /// The connection is lost, or given up.
    Fail,
    /// The same batch once more.
    Again,
}

/// What the world has to do.
#[derive(Debug)]
pub(crate) enum StoreNews {
    /// Run this batch now, then call [`StoreLine::committed`].
    Run(Vec<StoreCommand>),
    Health(StoreHealth),
    Stored(Vec<(Ticket, StoreReply)>),
}

impl StoreLine {
    pub(crate) fn push(&mut self, now: Tick, ticket: Ticket, command: StoreCommand) {
        self.queue.push_back((ticket, command));
        self.begin_soon(now);
    }

    pub(crate) fn next_deadline(&self) -> Option<Tick> {
        self.steps.first_key_value().map(|((at, _), _)| *at)
    }

    /// Nothing waits and nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.batch.is_empty()
    }

    /// The process is gone: with it everything that was not committed.
    pub(crate) fn crash(&mut self) {
        *self = Self { serial: self.serial, ..Self::default() };
    }

    /// The batch was run; should it be run again, these replies are what must come again.
    pub(crate) fn committed(&mut self, replies: Vec<StoreReply>) {
        self.replies = replies;
    }

    /// What is due now.
    pub(crate) fn pop_due(
        &mut self,
        now: Tick,
        dice: &mut Dice,
        faults: &Faults,
    ) -> Option<StoreNews> {
        while let Some(entry) = self.steps.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Step::Begin => {
                    let take = self.queue.len().min(BATCH);
                    self.batch = self.queue.drain(..take).collect();
                    self.back_off = BACK_OFF;
                    self.plan_try(now, dice, faults);
                }
                Step::Again => self.plan_try(now, dice, faults),
                Step::Commit => {
                    return Some(StoreNews::Run(
                        self.batch.iter().map(|(_, command)| command.clone()).collect(),
                    ));
                }
                Step::Slow => {
                    if self.health.0 == StoreHealth::Ok {
                        self.health.0 = StoreHealth::Slow;
                        return Some(StoreNews::Health(StoreHealth::Slow));
                    }
                }
                Step::Fail => {
                    self.at(now + self.back_off, Step::Again);
                    self.back_off = (self.back_off * 2).min(BACK_OFF_MOST);
                    if self.health.0 != StoreHealth::Gone {
                        self.health.0 = StoreHealth::Gone;
                        return Some(StoreNews::Health(StoreHealth::Gone));
                    }
                }
                Step::Answer => {
                    if self.health.0 != StoreHealth::Ok {
                        self.health.0 = StoreHealth::Ok;
                        self.at(now, Step::Answer);
                        return Some(StoreNews::Health(StoreHealth::Ok));
                    }
                    let batch = std::mem::take(&mut self.batch);
                    let replies = std::mem::take(&mut self.replies);
                    assert_eq!(batch.len(), replies.len(), "a reply to each command");
                    if !self.queue.is_empty() {
                        self.begin_soon(now);
                    }
                    let tickets = batch.into_iter().map(|(ticket, _)| ticket);
                    return Some(StoreNews::Stored(tickets.zip(replies).collect()));
                }
            }
        }
        None
    }

    fn begin_soon(&mut self, now: Tick) {
        if self.batch.is_empty() && !self.steps.values().any(|step| *step == Step::Begin) {
            let wait = if self.queue.len() >= BATCH { Duration::ZERO } else { COLLECT };
            self.at(now + wait, Step::Begin);
        }
    }

    /// Draws how this try goes. Each try takes the same number of throws.
    fn plan_try(&mut self, now: Tick, dice: &mut Dice, faults: &Faults) {
        let [not_run, reply_lost, slow, hung] =
            [faults.batch_not_run_ppm, faults.reply_lost_ppm, faults.slow_ppm, faults.hung_ppm]
                .map(|ppm| dice.chance_ppm(ppm));
        let usual = Law::between(1, 6).draw(dice);
        let long = Law::between(500, 4_000).draw(dice);
        let answer = Law::between(0, 2).draw(dice);
        if not_run {
            self.at(now + usual, Step::Fail);
        } else if reply_lost {
            self.at(now + usual, Step::Commit);
            self.at(now + usual + answer, Step::Fail);
        } else if hung {
            self.at(now + SLOW, Step::Slow);
            // Half of them land after all, unheard.
            if answer < Duration::from_millis(1) {
                self.at(now + long, Step::Commit);
            }
            self.at(now + HUNG, Step::Fail);
        } else {
            let takes = if slow { long } else { usual };
            if takes >= SLOW {
                self.at(now + SLOW, Step::Slow);
            }
            self.at(now + takes, Step::Commit);
            self.at(now + takes + answer, Step::Answer);
        }
    }

    fn at(&mut self, at: Tick, step: Step) {
        self.serial += 1;
        self.steps.insert((at, self.serial), step);
    }
}

const BATCH: usize = 256;
const COLLECT: Duration = Duration::from_millis(2);
const SLOW: Duration = Duration::from_millis(500);
const HUNG: Duration = Duration::from_secs(15);
const BACK_OFF: Duration = Duration::from_millis(50);
const BACK_OFF_MOST: Duration = Duration::from_secs(1);
