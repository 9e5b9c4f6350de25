//! What the dialer sees when it asks how many calls to start.

use serde::{Deserialize, Serialize};

/// One moment, as the dialer sees it.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Now.
    pub at: f64,
    /// Everybody logged in.
    pub agents: &'a [AgentNow],
    /// Every call that has no agent yet.
    pub calls: &'a [CallNow],
    /// What happened since the moment before, in order of time.
    pub events: &'a [Seen],
    /// Seconds to the end of the compliance window.
    pub window_left: f64,
    /// Calls that may be under way together.
    pub most_lines: usize,
    /// Of them, those beyond one for each idle agent: what the abandonment ledger admits.
    pub most_uncovered: usize,
}

/// How much likelier than usual leads are to be answered by a person: odds (`p / (1 - p)`) against those of the
/// campaign's mean. It moves occupancy, never the bound.
#[derive(Clone, Copy, Debug)]
pub struct Odds<'a> {
    /// Of each call of the moment, in the same order; missing ones are as usual.
    pub calls: &'a [f64],
    /// Of the leads that would be called next, in order; missing ones are as usual.
    pub next: &'a [f64],
}

/// An agent now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AgentNow {
    /// What the agent does.
    pub stage: AgentStage,
    /// For how long.
    pub age: f64,
    /// Will not take a call after this one.
    pub leaving: bool,
}

/// What an agent does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentStage {
    /// Waits for a call.
    Idle,
    /// Talks.
    Talking,
    /// Writes up.
    Wrapping,
    /// Not there.
    Paused,
}

/// A call now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CallNow {
    /// Unique among all calls.
    pub id: u64,
    /// How far it is.
    pub stage: CallStage,
    /// Since it was started.
    pub age: f64,
    /// Since it came to this stage.
    pub stage_age: f64,
}

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStage {
    /// Sent; does not ring yet.
    Dialing,
    /// Rings.
    Ringing,
    /// Answered; is it a person?
    Detecting,
    /// A person, for whom there is no agent yet.
    Waiting,
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// When.
    pub at: f64,
    /// What.
    pub what: Happened,
}

/// What happened to a call or an agent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Happened {
    /// It began to ring.
    Ringback(u64),
    /// Somebody or something picked up.
    Answered(u64),
    /// It is taken for a person, and offered to agents.
    Live(u64),
    /// It was a machine, and is over.
    Machine(u64),
    /// Refused by the network or by the callee's side: busy, dead number, carrier.
    Refused(u64),
    /// Rang out.
    NoAnswer(u64),
    /// Ended by us.
    Cancelled(u64),
    /// An agent has it.
    Connected(u64),
    /// Nobody had time for it.
    Abandoned(u64),
    /// A talk of so many seconds ended; with a machine, if the agent says so.
    TalkEnded {
        /// Length.
        after: f64,
        /// Not a person.
        machine: bool,
    },
    /// A wrap-up of so many seconds ended.
    WrapEnded {
        /// Length.
        after: f64,
    },
}

impl<'a> Odds<'a> {
    /// Nothing is known of anybody.
    pub const EVEN: Self = Self { calls: &[], next: &[] };

    /// Of calls, for ever.
    pub fn of_calls(&self) -> impl Iterator<Item = f64> + 'a {
        sound(self.calls)
    }

    /// Of leads to come, for ever.
    pub fn of_next(&self) -> impl Iterator<Item = f64> + 'a {
        sound(self.next)
    }
}

/// Neither nonsense nor too much of a good thing.
fn sound(odds: &[f64]) -> impl Iterator<Item = f64> + '_ {
    let known = odds
        .iter()
        .map(|odds| if odds.is_finite() { odds.clamp(1.0 / MOST_ODDS, MOST_ODDS) } else { 1.0 });
    known.chain(std::iter::repeat(1.0))
}

impl AgentNow {
    /// Takes the next call.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.stage == AgentStage::Idle && !self.leaving
    }
}

const MOST_ODDS: f64 = 20.0;
