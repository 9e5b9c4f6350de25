//! The process in the world: its starts, what it wants done, its rows, its crashes and its end.

use std::net::SocketAddr;
use std::time::Duration;

use outdial::logic::dialer::command::{AgentState, Command};
use outdial::logic::dialer::{Asker, StoreCommand};
use outdial::logic::node::{Node, NodeAction, NodeInput};
use outdial::logic::time::Tick;
use outdial::simulation::dice::Law;
use outdial::simulation::network::Link;
use outdial::store::run_batch_isolating;

use crate::builder::Report;
use crate::faults::{self, CrashPoint};
use crate::launch;
use crate::plan;
use crate::store_line::StoreNews;
use crate::wire_text;
use crate::world::{COOL_DOWN, DIALER, PATIENT, Todo, World};

impl World {
    pub(super) fn start(&mut self) {
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

    pub(super) fn plan_crash(&mut self) {
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

    pub(super) fn crash(&mut self, why: &str) {
        self.note(|| format!("crash: {why}"));
        self.crashes += 1;
        self.die();
    }

    /// The process is gone, whyever; it is started again.
    pub(super) fn die(&mut self) {
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

    pub(super) fn command(&mut self, command: Command) {
        self.serial += 1;
        let asker = Asker(self.serial);
        self.tell_node(NodeInput::Command(asker, command));
    }

    pub(super) fn tell_node(&mut self, input: NodeInput<'_>) {
        let now = self.clock();
        let Some(node) = &mut self.node else { return };
        let mut out = vec![];
        node.handle(now, input, &mut out);
        self.perform(out);
    }

    pub(super) fn perform(&mut self, actions: Vec<NodeAction>) {
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

    pub(super) fn send(&mut self, to: SocketAddr, bytes: Vec<u8>) {
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

    pub(super) fn store_news(&mut self, news: StoreNews) {
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

    pub(super) fn run_batch(&mut self, batch: &[StoreCommand]) {
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

    /// The process has ended in good order: what is still on the wire comes to rest, and everything is looked at.
    pub(super) fn close(mut self) -> Report {
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
        let (attempts, blind, windows, leads, legs, in_debt) = self.runtime.block_on(async {
            (
                eye.attempts().await,
                eye.blind_repeats().await,
                eye.ledger().await,
                eye.leads().await,
                eye.open_customer_legs().await,
                eye.in_debt().await,
            )
        });
        self.eye = Some(eye);
        let record = self.carrier.record().clone();
        self.rules.at_the_end(&attempts, &record);
        self.rules.ledger_is(&windows);
        assert_eq!(blind, [], "an unknown end is not dialed again on the same day");
        let [marked, told] = in_debt;
        assert_eq!(marked, told, "a window that closed in debt is told of once");
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
            in_debt: told.len(),
            crashes: self.crashes,
            log_hash: self.log.hash,
            log_lines: self.log.lines,
            virtual_time: ended.since(Tick::START),
        }
    }
}
