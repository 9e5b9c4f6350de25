//! What a person or program asks of a running dialer, and what it is told.
//!
//! The same values cross the control socket as JSON, one a line.

use serde::{Deserialize, Serialize};

use crate::logic::dialer::{LeadCounts, Promises};
use crate::logic::time::UtcMs;

/// A wish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Calls the agent's phone and keeps it up for the shift; the agent is then paused.
    AgentLogin {
        /// Agent by name.
        agent: String,
    },
    /// The agent takes calls.
    AgentReady {
        /// Agent by name.
        agent: String,
    },
    /// The agent takes no more calls; while reserved, once that call is settled.
    AgentPause {
        /// Agent by name.
        agent: String,
        /// Why.
        reason: Option<String>,
    },
    /// Ends the shift; during a call, after it.
    AgentLogout {
        /// Agent by name.
        agent: String,
    },
    /// What the agent says of a call. Answered once it is durable.
    AgentDisposition {
        /// Agent by name.
        agent: String,
        /// One of the campaign's codes.
        code: String,
        /// Public reference of the attempt; the agent's current or last call where absent.
        attempt: Option<String>,
        /// Free text.
        memo: Option<String>,
        /// When the person is promised a call, by the clock there: `2026-11-23T10:30`. Only with a code that promises
        /// one.
        callback: Option<String>,
    },
    /// The agent hangs up the customer.
    AgentHangUp {
        /// Agent by name.
        agent: String,
    },
    /// The agent has the person called who is shown to him (preview), or one whom he names (manual).
    AgentDial {
        /// Agent by name.
        agent: String,
        /// Whom: a number in E.164, or the customer's own id of the person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        whom: Option<String>,
    },
    /// The agent passes by the person who is shown to him (preview).
    AgentSkip {
        /// Agent by name.
        agent: String,
    },
    /// What the agent sees now. Watchers then get every [`AgentNotice`].
    AgentPage {
        /// Agent by name.
        agent: String,
    },
    /// Starts no more calls in a campaign.
    CampaignPause {
        /// Campaign by name.
        campaign: String,
    },
    /// Goes on.
    CampaignResume {
        /// Campaign by name.
        campaign: String,
    },
    /// INVITEs per second of a trunk from now on: at least one, at most its own limit. Until the process ends.
    TrunkRate {
        /// Trunk by name.
        trunk: String,
        /// How many.
        calls_per_second: u32,
    },
    /// As the first Ctrl-C: no new call, and the process ends when those in progress are over.
    Drain,
    /// Changes how a campaign starts calls, for this run. Answered once it is durable.
    CampaignMode {
        /// Campaign by name.
        campaign: String,
        /// `preview`, `progressive`, `ratio` or `predictive`.
        mode: String,
        /// Lines per free agent in thousandths, for `ratio`: 1,500 is one and a half.
        ratio: Option<u32>,
    },
    /// A refusal or do-not-call for a seller, from now on. Answered once it is durable.
    Suppress {
        /// Seller by name.
        seller: String,
        /// E.164.
        number: String,
        /// Why.
        reason: String,
        /// Where it is proven.
        proof: String,
    },
    /// The whole picture.
    Status,
}

/// The answer to a [`Command`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "one per command, and it travels in a box")]
pub enum Reply {
    /// Done, or under way.
    Ok,
    /// Not done.
    Refused {
        /// Stable text.
        code: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
    /// To `Status`.
    Status(View),
    /// To `AgentPage`.
    Agent(AgentNotice),
}

/// States of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// No phone.
    Offline,
    /// The phone is being called.
    LoggingIn,
    /// Logged in, takes no calls.
    Paused,
    /// Waits for a call.
    Ready,
    /// Looks at a person before the call.
    Previewing,
    /// Kept for one attempt.
    Reserved,
    /// Speaks with a customer.
    OnCall,
    /// After a call.
    WrapUp,
}

impl AgentState {
    /// All of them, in the order of a call.
    pub const ALL: [Self; 8] = [
        Self::Offline,
        Self::LoggingIn,
        Self::Paused,
        Self::Ready,
        Self::Previewing,
        Self::Reserved,
        Self::OnCall,
        Self::WrapUp,
    ];

    /// The stable text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::LoggingIn => "logging_in",
            Self::Paused => "paused",
            Self::Ready => "ready",
            Self::Previewing => "previewing",
            Self::Reserved => "reserved",
            Self::OnCall => "on_call",
            Self::WrapUp => "wrap_up",
        }
    }
}

/// An agent changed, or the page before him did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentNotice {
    /// Agent by name.
    pub agent: String,
    /// The state.
    pub state: AgentState,
    /// Since when.
    pub since: UtcMs,
    /// Pause reason.
    pub reason: Option<String>,
    /// The customer, from preview or reservation to the end of wrap-up.
    pub page: Option<AgentPage>,
}

/// What an agent sees of a call, before the tone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentPage {
    /// Campaign by name.
    pub campaign: String,
    /// For whom we call.
    pub seller: String,
    /// Public reference of the attempt; empty in preview, before there is one.
    pub attempt: String,
    /// The person.
    pub name: Option<String>,
    /// The customer's own id.
    pub external_id: Option<String>,
    /// The whole number: the agent must see whom he speaks with.
    pub number: String,
    /// Language of the person.
    pub language: String,
    /// Custom fields.
    pub fields: Vec<(String, String)>,
    /// Script with the fields filled in.
    pub script: String,
    /// When this call was promised, by the person's clock.
    pub promised: Option<String>,
    /// Keys, code and labels of each disposition.
    pub dispositions: Vec<DispositionKey>,
    /// Keys that hang up the customer.
    pub hang_up_keys: String,
    /// The disposition chosen.
    pub chosen: Option<String>,
    /// Whether it is durable.
    pub saved: bool,
}

/// One line of the digit map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DispositionKey {
    /// Keys.
    pub digits: String,
    /// Stable text.
    pub code: String,
    /// English.
    pub label_en: String,
    /// Japanese.
    pub label_ja: String,
}

/// The whole picture of a running dialer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct View {
    /// When.
    pub at: UtcMs,
    /// Draining after a shutdown signal.
    pub draining: bool,
    /// Legs of an earlier process of which it is not known yet that they are over: a drain waits for them.
    pub old_legs: u64,
    /// `ok`, `slow`, `gone`.
    pub store: &'static str,
    /// This machine's clock before the database's; more than 1,000 either way, and no call starts.
    pub clock_ahead_ms: i64,
    /// Facts that wait in memory to be written.
    pub unstored: u64,
    /// Every agent.
    pub agents: Vec<AgentLine>,
    /// Every campaign.
    pub campaigns: Vec<CampaignLine>,
    /// Every trunk.
    pub trunks: Vec<TrunkLine>,
    /// Customer legs by stage.
    pub calls: CallStages,
}

/// One agent in the [`View`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AgentLine {
    /// Name.
    pub name: String,
    /// State.
    pub state: AgentState,
    /// Since when.
    pub since: UtcMs,
    /// Calls taken in this run.
    pub calls: u64,
    /// Talk in this run, in ms.
    pub talk_ms: u64,
    /// Wrap-up in this run, in ms.
    pub wrap_up_ms: u64,
    /// Logged in and not paused in this run, in ms.
    pub staffed_ms: u64,
}

/// One campaign in the [`View`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CampaignLine {
    /// Name.
    pub name: String,
    /// State text.
    pub state: &'static str,
    /// Dial mode text.
    pub mode: &'static str,
    /// Lines per free agent in thousandths, in ratio mode.
    pub ratio: Option<u32>,
    /// The window of the abandonment ledger that lasts now.
    pub ledger: LedgerLine,
    /// What was last predicted, in predictive mode.
    pub pacing: Option<PacingLine>,
    /// Leads by state, as last counted.
    pub leads: LeadCounts,
    /// Leads held in memory, ready to be dialed.
    pub prefetched: u64,
    /// Outcomes of this run: text and count, in the order of the closed list.
    pub outcomes: Vec<(&'static str, u64)>,
    /// INVITEs of this run.
    pub dialed: u64,
    /// Answered calls of this run.
    pub answered: u64,
    /// A: resolved live answers of this run.
    pub live: u64,
    /// D: abandoned calls of this run.
    pub abandoned: u64,
    /// Of these, faults.
    pub faults: u64,
    /// Announcements (safe-harbour and call-lost messages) of which playing began in this run.
    pub messages: u64,
    /// Promised calls not made yet, as last counted.
    pub promises: Promises,
    /// What holds dialing back now: `agents`, `list`, `calls_per_second`, `channels`, `lines`, `store`, `state`,
    /// `hours`, `clock`, `trunk`, `campaign_rate`, `prefix_rate`, `return_calls` (the free agents are kept for people who call back), `credit` (the abandonment ledger bears no further call without an agent of its own); in
    /// predictive mode also what [`PacingLine::held_by`] has.
    pub held_by: Option<&'static str>,
    /// Free agents of this campaign who are kept for people who call back, of whatever campaign.
    pub kept_for_return_calls: u64,
    /// Gates that refused leads in this run: text and count.
    pub gates: Vec<(&'static str, u64)>,
}

/// The last word of a campaign's predictive engine in the [`View`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PacingLine {
    /// Calls to start.
    pub launch: u64,
    /// Agents who waited.
    pub idle: u64,
    /// Calls under way before.
    pub lines: u64,
    /// Chance that a new call is answered by a person.
    pub answer: f64,
    /// Times as likely as usual.
    pub level: f64,
    /// The risk that a call may carry (theta).
    pub allowed: f64,
    /// The risk that one more call would have found nobody.
    pub risk: f64,
    /// Calls that may still be lost, as the engine reckons.
    pub credit: f64,
    /// What held back more: `agents`, `risk`, `credit`, `carrier`, `cold_start`, `lines`, `doubt`, `small_team`.
    pub held_by: &'static str,
    /// Too few agents for prediction to help: progressive, and one line more while credit bears its loss.
    pub small_team: bool,
    /// What was told about who answers, beside what came; none where it is not learned.
    pub answers: Option<AnswersLine>,
}

/// How well it was told who answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AnswersLine {
    /// Calls learned from.
    pub calls: f64,
    /// Mean squared error of the chances told (Brier).
    pub brier: f64,
    /// The same for telling, each time, the share that was answered until then.
    pub base: f64,
    /// By how much more often people answered where so much more was told: 1 as told.
    pub slope: f64,
    /// The calls by tenths of the chance told, the least likely first.
    pub tenths: Vec<TenthLine>,
}

/// Calls for which about the same chance was told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TenthLine {
    /// How many.
    pub calls: f64,
    /// How many answers were told of them.
    pub told: f64,
    /// How many were answered.
    pub answers: f64,
}

/// A window of the abandonment ledger in the [`View`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LedgerLine {
    /// Its start.
    pub starts: UtcMs,
    /// Its end, exclusive.
    pub ends: UtcMs,
    /// The cap in parts per million of live answers.
    pub cap_ppm: u32,
    /// A: resolved live answers.
    pub answered: u64,
    /// D: abandoned calls.
    pub abandoned: u64,
    /// Of these, faults.
    pub fault: u64,
    /// Calls that it owes: D − r·A, rounded up.
    pub owed: u64,
    /// Calls that it may owe now (bound `window`; nothing with the bound `instant`).
    pub may_owe: u32,
    /// So many calls may be under way without an agent of their own.
    pub uncovered_allowed: u64,
    /// So many are.
    pub uncovered: u64,
}

/// One trunk in the [`View`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrunkLine {
    /// Name.
    pub name: String,
    /// Calls on it.
    pub in_use: u32,
    /// Its channels.
    pub channels: u32,
    /// INVITEs in the last second.
    pub last_second: u32,
    /// INVITEs per second allowed now.
    pub calls_per_second: u32,
    /// Most that may be asked for: the trunk's own limit.
    pub limit: u32,
}

/// Customer legs by stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CallStages {
    /// Intent or INVITE on its way.
    pub dialing: u64,
    /// 18x seen.
    pub ringing: u64,
    /// Answered, no agent yet.
    pub waiting: u64,
    /// Agent and customer.
    pub talking: u64,
    /// Hears a message.
    pub message: u64,
    /// CANCEL sent.
    pub cancelling: u64,
}
