//! One try to reach one contact: intent, INVITE, ringing, answer, agent, end.
//!
//! Pure: time comes in as `now`, effects go out as [`Action`]s. The dialer joins it to leg, agent, media and store.
//!
//! ```text
//! Storing ──saved──▶ Queued ──granted──▶ Dialing ──answered──▶ Waiting ──agent──▶ Talking
//!    │ refused, 1 s      │ 2 s             │ limit, stop         │ 2 s              │ agent lost,
//!    ▼                   ▼                 ▼                     ▼                  ▼ nobody else
//!  Ended ◀─────────── Ended ◀──final── Cancelling ─answered─▶ (Waiting)         Message ──▶ Ended
//! ```
//!
//! An attempt with a [`Menu`] has no agent: its answer goes to `Menu` instead of `Waiting`.

mod end;
mod menu;

use std::time::Duration;

pub use end::{End, Failure, is_short_ring, outcome_of_failure};
pub use menu::{Menu, MenuLimits, Part};

use crate::logic::outcome::Outcome;
use crate::logic::settings::CallLimits;
use crate::logic::time::{Now, Tick, UtcMs};

/// One attempt.
#[derive(Debug)]
pub struct Attempt {
    limits: CallLimits,
    simulated: bool,
    state: State,
    facts: Facts,
    /// Agentless: what the person hears.
    menu: Option<Menu>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The intent is on its way to the database.
    Storing { give_up_at: Tick, drop_at: Tick },
    /// Durable; waits for the rate limiter.
    Queued { drop_at: Tick },
    /// An INVITE may be out.
    Dialing { set_up_at: Tick, stage_at: Tick, ringing: bool },
    /// We want it to end; only the final response says how it did.
    Cancelling { why: Outcome, late_answer: LateAnswer },
    /// Answered: somebody listens, no agent yet.
    Waiting { abandon_at: Tick },
    /// With an agent.
    Talking { end_at: Tick },
    /// Hears an announcement.
    Message { kind: MessageKind, end_at: Tick },
    /// Hears the campaign's message.
    Menu,
    /// Its outcome is recorded.
    Ended,
}

/// What a 200 that crosses our CANCEL is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LateAnswer {
    /// An answered call like any other.
    Take,
    /// Hung up at once: the process is ending.
    HangUp,
}

/// Which announcement a person hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// No agent was there in time.
    SafeHarbour,
    /// The agent's phone died in mid-talk.
    CallLost,
    /// The campaign's own, in agentless mode.
    Campaign,
}

impl MessageKind {
    /// The stable text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SafeHarbour => "safe_harbour",
            Self::CallLost => "call_lost",
            Self::Campaign => "campaign",
        }
    }
}

/// What happens to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The intent is durable.
    Saved,
    /// A gate refused the intent, or the reserved agent is gone before anything left.
    Withdrawn,
    /// The rate limiter lets the INVITE go.
    Granted,
    /// 180.
    Ringing,
    /// 183 and the like.
    Progress,
    /// 200 OK.
    Answered,
    /// No answer.
    Failed(Failure),
    /// The answered leg is over.
    LegEnded {
        /// Whether the person hung up.
        by_peer: bool,
        /// Q.850 cause.
        q850: Option<u8>,
    },
    /// An agent takes the person.
    AgentJoined,
    /// The agent is gone and no other is free.
    AgentLost,
    /// What was being played came to its end.
    MessageDone,
    /// The person pressed a key.
    Key(char),
    /// What a key said is durable.
    ChoiceStored(char),
    /// The agent hangs up, or the process ends: no new person is to be kept.
    Stop,
    /// A deadline passed.
    Timeout,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Waits for the rate limiter, then `Granted`.
    Queue,
    /// Sends the INVITE.
    Dial,
    /// Ends the leg, whatever its state.
    HangUp,
    /// Finds an agent: the one kept for it first.
    WantAgent,
    /// Plays the announcement.
    Play(MessageKind),
    /// Plays a part of the campaign's message.
    Say(Part),
    /// Plays nothing any more.
    Hush,
    /// A key of the menu: what it says is to be written, then `ChoiceStored`.
    Chosen(char),
    /// The one outcome.
    Record(Box<End>),
}

#[derive(Clone, Copy, Debug, Default)]
struct Facts {
    sent_at: Option<UtcMs>,
    early_at: Option<UtcMs>,
    rang_at: Option<Tick>,
    answered_at: Option<UtcMs>,
    connected_at: Option<UtcMs>,
    connected_tick: Option<Tick>,
    /// The agent's phone died in mid-talk, and nobody has taken over since.
    lost_agent_at: Option<Tick>,
}

impl Attempt {
    /// A new attempt whose intent is being stored. `simulated`: short rings are no offence. With a menu it needs no agent.
    #[must_use]
    pub fn new(now: Now, limits: CallLimits, simulated: bool, menu: Option<Menu>) -> Self {
        let state =
            State::Storing { give_up_at: now.tick + INTENT_LIMIT, drop_at: now.tick + INTENT_AGE };
        Self { limits, simulated, state, facts: Facts::default(), menu }
    }

    /// Takes one event.
    pub fn handle(&mut self, now: Now, event: Event, out: &mut Vec<Action>) {
        // A timer armed for an earlier state may still fire: not ours any more.
        if event == Event::Timeout && self.next_timeout().is_none_or(|at| now.tick < at) {
            return;
        }
        match self.state {
            State::Storing { drop_at, .. } => match event {
                Event::Saved => {
                    self.state = State::Queued { drop_at };
                    out.push(Action::Queue);
                }
                Event::Timeout | Event::Stop | Event::Withdrawn => {
                    self.end(now, Outcome::NotPlaced, None, out)
                }
                Event::Granted
                | Event::Ringing
                | Event::Progress
                | Event::Answered
                | Event::Failed(_)
                | Event::LegEnded { .. }
                | Event::AgentJoined
                | Event::AgentLost
                | Event::MessageDone
                | Event::Key(_)
                | Event::ChoiceStored(_) => {}
            },
            State::Queued { .. } => match event {
                Event::Granted => {
                    self.facts.sent_at = Some(now.utc);
                    self.state = State::Dialing {
                        set_up_at: now.tick + self.limits.set_up,
                        stage_at: now.tick + self.limits.post_dial_delay,
                        ringing: false,
                    };
                    out.push(Action::Dial);
                }
                Event::Timeout | Event::Stop | Event::Withdrawn => {
                    self.end(now, Outcome::NotPlaced, None, out)
                }
                Event::Saved
                | Event::Ringing
                | Event::Progress
                | Event::Answered
                | Event::Failed(_)
                | Event::LegEnded { .. }
                | Event::AgentJoined
                | Event::AgentLost
                | Event::MessageDone
                | Event::Key(_)
                | Event::ChoiceStored(_) => {}
            },
            State::Dialing { set_up_at, stage_at, ringing } => match event {
                Event::Ringing | Event::Progress => {
                    self.early(now, event == Event::Ringing, set_up_at, ringing)
                }
                Event::Answered => self.answered(now, out),
                Event::Failed(failure) => {
                    self.end(now, outcome_of_failure(failure), Some(failure), out)
                }
                Event::LegEnded { .. } => self.end(now, Outcome::Unknown, None, out),
                Event::Timeout => {
                    let why = self.cut(now, ringing, stage_at, Outcome::NoAnswer);
                    self.cancel(why, LateAnswer::Take, out);
                }
                Event::Stop => {
                    let why = self.cut(now, ringing, stage_at, Outcome::Cancelled);
                    self.cancel(why, LateAnswer::HangUp, out);
                }
                Event::Saved
                | Event::Withdrawn
                | Event::Granted
                | Event::AgentJoined
                | Event::AgentLost
                | Event::MessageDone
                | Event::Key(_)
                | Event::ChoiceStored(_) => {}
            },
            State::Cancelling { why, late_answer } => match event {
                // The answer crossed our CANCEL (RFC 3261 §9.1): a person is listening.
                Event::Answered => match late_answer {
                    LateAnswer::Take => self.answered(now, out),
                    LateAnswer::HangUp => {
                        self.facts.answered_at = Some(now.utc);
                        out.push(Action::HangUp);
                        self.end(now, Outcome::Abandoned, None, out);
                    }
                },
                Event::Failed(failure) => {
                    // 487 answers our CANCEL; any other status is the network's own word.
                    let outcome = match failure.status {
                        Some(487) => why,
                        None if failure.uncertain => Outcome::Unknown,
                        Some(_) | None => outcome_of_failure(failure),
                    };
                    self.end(now, outcome, Some(failure), out);
                }
                Event::LegEnded { .. } => self.end(now, Outcome::Unknown, None, out),
                Event::Stop => {
                    self.state = State::Cancelling { why, late_answer: LateAnswer::HangUp }
                }
                Event::Saved
                | Event::Withdrawn
                | Event::Granted
                | Event::Ringing
                | Event::Progress
                | Event::AgentJoined
                | Event::AgentLost
                | Event::MessageDone
                | Event::Key(_)
                | Event::ChoiceStored(_)
                | Event::Timeout => {}
            },
            State::Waiting { .. } => match event {
                Event::AgentJoined => {
                    self.facts.connected_at.get_or_insert(now.utc);
                    self.facts.connected_tick.get_or_insert(now.tick);
                    self.facts.lost_agent_at = None;
                    self.state = State::Talking { end_at: now.tick + self.limits.talk };
                }
                Event::Timeout => {
                    let kind = if self.facts.lost_agent_at.is_some() {
                        MessageKind::CallLost
                    } else {
                        MessageKind::SafeHarbour
                    };
                    self.play(now, kind, out);
                }
                Event::LegEnded { q850, .. } => self.end_answered(now, q850, out),
                Event::Stop => {
                    out.push(Action::HangUp);
                    self.end_answered(now, None, out);
                }
                Event::Saved
                | Event::Withdrawn
                | Event::Granted
                | Event::Ringing
                | Event::Progress
                | Event::Answered
                | Event::Failed(_)
                | Event::AgentLost
                | Event::MessageDone
                | Event::Key(_)
                | Event::ChoiceStored(_) => {}
            },
            State::Talking { .. } => match event {
                // Another agent within the same limit as after the answer, else the message.
                Event::AgentLost => {
                    self.facts.lost_agent_at = Some(now.tick);
                    self.state = State::Waiting { abandon_at: now.tick + self.limits.connect };
                    out.push(Action::WantAgent);
                }
                Event::LegEnded { q850, .. } => self.end_answered(now, q850, out),
                Event::Stop | Event::Timeout => {
                    out.push(Action::HangUp);
                    self.end_answered(now, None, out);
                }
                Event::Saved
                | Event::Withdrawn
                | Event::Granted
                | Event::Ringing
                | Event::Progress
                | Event::Answered
                | Event::Failed(_)
                | Event::AgentJoined
                | Event::MessageDone
                | Event::Key(_)
                | Event::ChoiceStored(_) => {}
            },
            State::Message { .. } => match event {
                Event::MessageDone | Event::Timeout | Event::Stop => {
                    out.push(Action::HangUp);
                    self.end_answered(now, None, out);
                }
                Event::LegEnded { q850, .. } => self.end_answered(now, q850, out),
                Event::Saved
                | Event::Withdrawn
                | Event::Granted
                | Event::Ringing
                | Event::Progress
                | Event::Answered
                | Event::Failed(_)
                | Event::AgentJoined
                | Event::AgentLost
                | Event::Key(_)
                | Event::ChoiceStored(_) => {}
            },
            State::Menu => match event {
                Event::Key(key) => self.turn_menu(now, out, |menu, out| menu.key(now, key, out)),
                Event::MessageDone => self.turn_menu(now, out, |menu, _| menu.played(now)),
                Event::ChoiceStored(key) => {
                    self.turn_menu(now, out, |menu, out| menu.stored(now, key, out))
                }
                Event::Timeout => self.turn_menu(now, out, |menu, out| menu.timeout(now, out)),
                Event::LegEnded { q850, .. } => self.end_answered(now, q850, out),
                Event::Stop => {
                    out.push(Action::HangUp);
                    self.end_answered(now, None, out);
                }
                Event::Saved
                | Event::Withdrawn
                | Event::Granted
                | Event::Ringing
                | Event::Progress
                | Event::Answered
                | Event::Failed(_)
                | Event::AgentJoined
                | Event::AgentLost => {}
            },
            State::Ended => match event {
                // Recorded, yet the far end answers after all: nobody may hear silence.
                Event::Answered => out.push(Action::HangUp),
                Event::Saved
                | Event::Withdrawn
                | Event::Granted
                | Event::Ringing
                | Event::Progress
                | Event::Failed(_)
                | Event::LegEnded { .. }
                | Event::AgentJoined
                | Event::AgentLost
                | Event::MessageDone
                | Event::Key(_)
                | Event::ChoiceStored(_)
                | Event::Stop
                | Event::Timeout => {}
            },
        }
    }

    /// When [`Event::Timeout`] is wanted.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Tick> {
        match self.state {
            State::Storing { give_up_at, .. } => Some(give_up_at),
            State::Queued { drop_at } => Some(drop_at),
            State::Dialing { set_up_at, stage_at, .. } => Some(set_up_at.min(stage_at)),
            State::Cancelling { .. } | State::Ended => None,
            State::Menu => self.menu.as_ref().and_then(Menu::next_timeout),
            State::Waiting { abandon_at } => Some(abandon_at),
            State::Talking { end_at } | State::Message { end_at, .. } => Some(end_at),
        }
    }

    /// Where it stands, for the view.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match self.state {
            State::Storing { .. } | State::Queued { .. } => Stage::Starting,
            State::Dialing { ringing: false, .. } => Stage::Dialing,
            State::Dialing { ringing: true, .. } => Stage::Ringing,
            State::Cancelling { .. } => Stage::Cancelling,
            State::Waiting { .. } => Stage::Waiting,
            State::Talking { .. } => Stage::Talking,
            State::Message { .. } | State::Menu => Stage::Message,
            State::Ended => Stage::Ended,
        }
    }

    /// The 200 OK, if it came.
    #[must_use]
    pub const fn answered_at(&self) -> Option<UtcMs> {
        self.facts.answered_at
    }

    /// Whether a message is for the person, and no agent.
    #[must_use]
    pub const fn is_agentless(&self) -> bool {
        self.menu.is_some()
    }

    fn early(&mut self, now: Now, is_180: bool, set_up_at: Tick, ringing: bool) {
        self.facts.early_at.get_or_insert(now.utc);
        // The ring limit counts from the first 180, or from the first 183 where no 180 came before it.
        if !ringing || (is_180 && self.facts.rang_at.is_none()) {
            self.state =
                State::Dialing { set_up_at, stage_at: now.tick + self.limits.ring, ringing: true };
        }
        if is_180 {
            self.facts.rang_at.get_or_insert(now.tick);
        }
    }

    fn answered(&mut self, now: Now, out: &mut Vec<Action>) {
        self.facts.answered_at = Some(now.utc);
        if let Some(menu) = &mut self.menu {
            self.state = State::Menu;
            menu.begin(now, out);
        } else {
            self.state = State::Waiting { abandon_at: now.tick + self.limits.connect };
            out.push(Action::WantAgent);
        }
    }

    fn turn_menu(
        &mut self,
        now: Now,
        out: &mut Vec<Action>,
        turn: impl FnOnce(&mut Menu, &mut Vec<Action>),
    ) {
        let Some(menu) = &mut self.menu else { return };
        turn(menu, out);
        if menu.is_over() {
            out.push(Action::HangUp);
            self.end_answered(now, None, out);
        }
    }

    fn cancel(&mut self, why: Outcome, late_answer: LateAnswer, out: &mut Vec<Action>) {
        self.state = State::Cancelling { why, late_answer };
        out.push(Action::HangUp);
    }

    fn play(&mut self, now: Now, kind: MessageKind, out: &mut Vec<Action>) {
        self.state = State::Message { kind, end_at: now.tick + MESSAGE_LIMIT };
        out.push(Action::Play(kind));
    }

    /// Abandoned where we cut a ring too early (simulated calls may), else `otherwise`. `stage_at`: the end of the ring
    /// limit, which says how long it has rung.
    fn cut(&self, now: Now, ringing: bool, stage_at: Tick, otherwise: Outcome) -> Outcome {
        let rang = now.tick.since(stage_at - self.limits.ring);
        if ringing && !self.simulated && is_short_ring(rang) {
            Outcome::Abandoned
        } else {
            otherwise
        }
    }

    fn end_answered(&mut self, now: Now, q850: Option<u8>, out: &mut Vec<Action>) {
        let outcome = match self.state {
            State::Talking { .. } => Outcome::Connected,
            State::Menu if self.menu.as_ref().is_some_and(Menu::heard) => Outcome::MessagePlayed,
            State::Menu => Outcome::MessageCut,
            State::Storing { .. }
            | State::Queued { .. }
            | State::Dialing { .. }
            | State::Cancelling { .. }
            | State::Waiting { .. }
            | State::Message { .. }
            | State::Ended => {
                if self.facts.lost_agent_at.is_some() {
                    Outcome::AgentLost
                } else {
                    Outcome::Abandoned
                }
            }
        };
        let failure = Failure { status: Some(200), q850, ..Failure::default() };
        self.end(now, outcome, Some(failure), out);
    }

    fn end(&mut self, now: Now, outcome: Outcome, failure: Option<Failure>, out: &mut Vec<Action>) {
        self.state = State::Ended;
        // An answer that nobody can talk over is an answer all the same.
        if failure.and_then(|failure| failure.status).is_some_and(|it| (200..300).contains(&it)) {
            self.facts.answered_at.get_or_insert(now.utc);
        }
        let facts = self.facts;
        let talked_until = facts.lost_agent_at.unwrap_or(now.tick);
        let talk = facts.connected_tick.map(|at| talked_until.since(at)).unwrap_or_default();
        out.push(Action::Record(Box::new(End {
            outcome,
            early_at: facts.early_at,
            answered_at: facts.answered_at,
            connected_at: facts.connected_at,
            ended_at: now.utc,
            talk,
            long_talk: facts.connected_at.is_some() && talk >= self.limits.person_after,
            failure: failure.unwrap_or_default(),
        })));
    }
}

/// Where an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No INVITE yet.
    Starting,
    /// INVITE sent.
    Dialing,
    /// 18x seen.
    Ringing,
    /// Being cancelled.
    Cancelling,
    /// Answered, no agent.
    Waiting,
    /// With an agent.
    Talking,
    /// Hears a message.
    Message,
    /// Over.
    Ended,
}

/// An intent unanswered for so long is given up: no INVITE, even if it turns out durable later.
const INTENT_LIMIT: Duration = Duration::from_secs(1);
/// From the decision to the INVITE: an older intent is not sent, for its gates are stale.
pub const INTENT_AGE: Duration = Duration::from_secs(2);
/// Guard for an announcement whose end is never reported.
const MESSAGE_LIMIT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
