//! The top machine: joins campaign, pacing, compliance, attempts and agents. `Input` in, `Action` out.
//!
//! | file | what it decides |
//! |---|---|
//! | `room` | one campaign: which leads are at hand, when more are claimed |
//! | `line` | one trunk: which INVITE leaves next |
//! | `own_rates` | a campaign's own calls per second, and those to numbers that begin alike |
//! | `pace` | which agent gets which lead now; the gates asked in memory |
//! | `cover` | which call may do without an agent of its own; the credit for it |
//! | `learned` | what outlives the process of what was learned |
//! | `answers` | who is likely to answer: learned, reckoned with, called first |
//! | `forecast` | predictive mode: what the engine is told, and what becomes of its answer |
//! | `call` | one attempt joined to its leg, agent, announcement and rows |
//! | `lease` | this process's lease: trusted until when, lost, and when others may be taken over |
//! | `cluster` | heartbeats, the work of dead processes, shares of trunks |
//! | `clock` | whether this machine's clock and the database's are apart |
//! | `desk` | one agent joined to a phone, a page and a disposition |
//! | `gates` | the gates that need no database, for the dialer and for `why` |
//! | `agentless` | what a person hears whom no agent speaks to, and what he answers by keys |
//! | `preview` | whom an agent sees before a call, and what he decides |
//! | `inbound` | free agents who are kept for people who call back |
//! | `manual` | whom an agent names to be called |
//! | `promise` | calls promised to a person: when, and who makes them |
//! | `rows` | what an end or a disposition writes |
//! | `ask` | what a person at the control socket wants |
//! | `order` | the calls and agents that are looked for after every input, in order |
//! | `ending` | draining, hanging up, finishing |
//! | `view` | the whole picture |

mod agentless;
mod answers;
mod ask;
mod call;
mod campaign_state;
mod clock;
mod cluster;
pub mod command;
mod cover;
mod desk;
mod ending;
mod forecast;
mod gates;
mod inbound;
mod learned;
mod lease;
mod line;
mod manual;
mod order;
mod own_rates;
mod pace;
mod preview;
mod promise;
mod room;
mod rows;
mod start;
mod store_command;
mod store_order;
mod store_reply;
mod view;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use campaign_state::{CampaignState, UnknownCampaignState};
pub use clock::clocks_are_apart;
pub use gates::{NextCall, gates_in_memory, next_call};
pub use learned::*;
pub use promise::{home_zone, zone_of};
pub use start::*;
pub use store_command::*;
pub use store_order::effect_order;
pub use store_reply::*;
pub use words::*;

use crate::logic::ids::{AgentId, AttemptId, CampaignId, IdMaker, LegId};
use crate::logic::pacing::fair_turns::FairTurns;
use crate::logic::time::{Deadlines, Now, Tick, UtcMs};
use desk::Desk;
use ending::Ending;
use forecast::Journals;
use lease::Lease;
use line::Line;
use manual::Named;
use order::{Calls, Desks};
use room::Room;

/// One process's dialer.
#[derive(Debug)]
pub struct Dialer {
    ids: IdMaker,
    boot: u64,
    until_idle: bool,
    max_lines: usize,
    rooms: BTreeMap<CampaignId, Room>,
    /// Whose turn it is to have an agent.
    turns: FairTurns<CampaignId>,
    desks: Desks,
    lines: Vec<Line>,
    calls: Calls,
    legs: BTreeMap<LegId, LegOwner>,
    waiting: BTreeMap<Ticket, Waiting>,
    last_ticket: u64,
    last_play: u64,
    state_seq: i64,
    /// When somebody last said something of a call, by rows that never go back.
    said_at: UtcMs,
    deadlines: Deadlines<Timer>,
    health: StoreHealth,
    /// This process's clock before the database's, as last measured.
    clock_ahead_ms: i64,
    lease: Lease,
    /// Other processes may use the same database.
    shared: bool,
    ending: Ending,
    /// Where one is kept, of pacing.
    journal: Option<Journals>,
    sounds: BTreeMap<String, Arc<[i16]>>,
}

/// Whose leg it is.
#[derive(Clone, Debug)]
enum LegOwner {
    Call(AttemptId),
    Desk(AgentId),
    /// Left by an earlier process: only its end is of interest.
    Recovered(Box<OpenAttempt>),
    /// An agent's phone, or a leg whose attempt has its outcome, of an earlier process: likewise.
    Stray,
}

/// What an answer of the database is waited for.
#[derive(Clone, Debug)]
enum Waiting {
    Intent(AttemptId),
    Claim(CampaignId),
    /// A lead that an agent has named.
    Named(Named),
    Promote(CampaignId),
    Count(CampaignId),
    AgentLeg {
        agent: AgentId,
        leg: LegId,
    },
    Disposition {
        agent: AgentId,
        attempt: AttemptId,
        code: String,
        asker: Option<Asker>,
    },
    /// What a key of a message's menu says.
    Choice {
        attempt: AttemptId,
        key: char,
    },
    /// Somebody is told once it is durable.
    Told(Asker),
    /// A window of the ledger, which will hold these losses.
    Account {
        campaign: CampaignId,
        window: UtcMs,
        held: Vec<AttemptId>,
    },
    /// Nobody waits but the end of the process.
    Fact,
    /// With the moment at which it was sent.
    Heartbeat(Now),
    Look,
    /// A share of this trunk.
    Share(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Call(AttemptId),
    Desk(AgentId),
    Line(usize),
    Room(CampaignId),
    /// Its engine is to be asked.
    Forecast(CampaignId),
    Heartbeat,
    /// A share of this trunk that was gained may be used.
    Share(usize),
    Ending,
}

impl Dialer {
    /// A dialer; its first actions settle what an earlier process left open.
    #[must_use]
    pub fn new(
        now: Now,
        start: DialerStart,
        sounds: BTreeMap<String, Arc<[i16]>>,
        out: &mut Vec<Action>,
    ) -> Self {
        let mut dialer = Self {
            ids: start.ids,
            boot: start.boot,
            until_idle: start.until_idle,
            max_lines: usize::try_from(start.lines).unwrap_or(usize::MAX),
            rooms: start
                .campaigns
                .into_iter()
                .map(|campaign| (campaign.id, Room::new(now, campaign)))
                .collect(),
            turns: FairTurns::new(),
            desks: start
                .agents
                .into_iter()
                .map(|(id, agent)| (id, Desk::new(now, id, agent)))
                .collect(),
            lines: start.trunks.into_iter().map(|trunk| Line::new(trunk, start.shared)).collect(),
            calls: Calls::default(),
            legs: BTreeMap::new(),
            waiting: BTreeMap::new(),
            last_ticket: 0,
            last_play: 0,
            state_seq: 0,
            said_at: now.utc,
            deadlines: Deadlines::default(),
            health: StoreHealth::Ok,
            clock_ahead_ms: 0,
            lease: Lease::new(now),
            shared: start.shared,
            ending: Ending::No,
            journal: None,
            sounds,
        };
        dialer.heartbeat(now, out);
        for open in start.open_attempts {
            dialer.recover(now, open, out);
        }
        for campaign in dialer.rooms.keys().copied().collect::<Vec<_>>() {
            dialer.deadlines.set(Timer::Room(campaign), Some(now.tick));
            dialer.set_forecast(now, campaign, out);
        }
        dialer
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Action>) {
        match input {
            Input::Stored(ticket, reply) => self.stored(now, ticket, reply, out),
            Input::StoreHealth(health) => self.health = health,
            Input::ClockAhead(millis) => self.clock_ahead_ms = millis,
            Input::Leg(leg, event) => self.leg_event(now, leg, event, out),
            Input::Command(asker, command) => self.ask(now, asker, command, out),
            Input::Shutdown => self.shut_down(now, out),
            Input::Timeout => {}
        }
        self.run_timers(now, out);
        self.pace(now, out);
        self.look_for_the_end(now, out);
    }

    /// When [`Input::Timeout`] is next wanted.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Tick> {
        self.deadlines.next()
    }

    fn run_timers(&mut self, now: Now, out: &mut Vec<Action>) {
        // Each timer that fires re-arms later than `now`; the bound only guards against one that does not.
        for _ in 0..MAX_TIMERS_AT_ONCE {
            let Some(timer) = self.deadlines.pop_due(now.tick) else { return };
            match timer {
                Timer::Call(attempt) => {
                    self.call_event(now, attempt, crate::logic::attempt::Event::Timeout, out)
                }
                Timer::Desk(agent) => {
                    self.desk_event(now, agent, crate::logic::agent::Event::Timeout, out)
                }
                Timer::Line(line) => self.grant(now, line, out),
                Timer::Room(campaign) => self.fill_room(now, campaign, out),
                Timer::Forecast(campaign) => self.forecast_due(now, campaign, out),
                Timer::Heartbeat => self.heartbeat(now, out),
                Timer::Share(line) => self.settle_share(now, line, out),
                // What follows is decided after every input.
                Timer::Ending => {}
            }
        }
    }

    fn leg_event(&mut self, now: Now, leg: LegId, event: LegEvent, out: &mut Vec<Action>) {
        match self.legs.get(&leg) {
            Some(LegOwner::Call(attempt)) => {
                let attempt = *attempt;
                self.call_leg_event(now, attempt, leg, event, out);
            }
            Some(LegOwner::Desk(agent)) => {
                let agent = *agent;
                self.desk_leg_event(now, agent, leg, event, out);
            }
            Some(LegOwner::Recovered(open)) => {
                let open = open.clone();
                self.recovered_leg_event(now, leg, *open, event, out);
            }
            Some(LegOwner::Stray) => self.leg_over(now, leg, &event, out),
            None => {}
        }
    }

    fn store(&mut self, command: StoreCommand, waiting: Waiting, out: &mut Vec<Action>) {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.waiting.insert(ticket, waiting);
        out.push(Action::Store(ticket, command));
    }

    fn stored(&mut self, now: Now, ticket: Ticket, reply: StoreReply, out: &mut Vec<Action>) {
        let Some(waiting) = self.waiting.remove(&ticket) else { return };
        match waiting {
            Waiting::Intent(attempt) => self.intent_stored(now, attempt, reply, out),
            Waiting::Claim(campaign) => self.claimed(now, campaign, reply, out),
            Waiting::Named(named) => self.named_claimed(now, named, reply, out),
            Waiting::Promote(campaign) => self.promoted(now, campaign, reply),
            Waiting::Count(campaign) => self.counted(campaign, reply),
            Waiting::AgentLeg { agent, leg } => {
                self.agent_leg_stored(now, agent, leg, reply, out);
            }
            Waiting::Disposition { agent, attempt, code, asker } => {
                if let Some(asker) = asker {
                    out.push(Action::Reply(asker, Box::new(ask::told(&reply))));
                }
                if !reply.is_rejected() {
                    self.disposition_stored(agent, attempt, &code, out);
                }
            }
            Waiting::Choice { attempt, key } => {
                self.choice_stored(now, attempt, key, &reply, out);
            }
            Waiting::Told(asker) => out.push(Action::Reply(asker, Box::new(ask::told(&reply)))),
            Waiting::Account { campaign, window, held } => {
                self.ledger_read(now, campaign, window, &held, reply, out);
            }
            Waiting::Fact => {}
            Waiting::Heartbeat(begun) => self.beat_stored(now, begun, &reply, out),
            Waiting::Look => self.seen(now, reply, out),
            Waiting::Share(line) => self.share_drawn(now, line, &reply, out),
        }
    }

    fn next_play(&mut self) -> u64 {
        self.last_play += 1;
        self.last_play
    }

    fn next_state_seq(&mut self) -> i64 {
        self.state_seq += 1;
        self.state_seq
    }
}

/// Text of an attempt that is unique over all installations that share a CRM.
fn public_ref(boot: u64, attempt: AttemptId) -> String {
    format!("{boot:016x}-{:x}", attempt.0)
}

/// Most timers taken in one go.
const MAX_TIMERS_AT_ONCE: usize = 100_000;

#[cfg(test)]
mod tests;
