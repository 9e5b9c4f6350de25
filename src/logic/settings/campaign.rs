//! A campaign as checked: whom, when, how often, by whom.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::logic::outcome::Outcome;
use crate::logic::phone::PhoneNumber;
use crate::logic::settings::{DialMode, Recording, ReturnCalls};

/// One campaign.
#[derive(Clone, Debug)]
pub struct CampaignSettings {
    /// Unique name.
    pub name: String,
    /// The company for which we call.
    pub seller: String,
    /// How calls are started.
    pub mode: DialMode,
    /// Its turns among campaigns that share agents.
    pub sharing: Sharing,
    /// Its own calls per second, besides the trunk's.
    pub rates: Rates,
    /// In predictive mode, who answers is learned, and reckoned with.
    pub learn_who_answers: bool,
    /// How long an agent may look at a person, in preview mode.
    pub preview: PreviewSettings,
    /// The number we show.
    pub caller_id: PhoneNumber,
    /// Calling codes that may be dialed, without the plus: `81`. Asked at every INVITE.
    pub countries: Vec<String>,
    /// When not empty, only these numbers are dialed: a first real run reaches one's own mobile only.
    pub test_only: Vec<PhoneNumber>,
    /// The trunk by name; the first one where absent.
    pub trunk: Option<String>,
    /// When a callee may be called.
    pub hours: CallingHours,
    /// How often.
    pub caps: CapSettings,
    /// What happens after each outcome; outcomes not named here end the lead when they may not be retried, else use
    /// [`CampaignSettings::default_retry`].
    pub retry: BTreeMap<Outcome, RetryRule>,
    /// For outcomes without a rule of their own.
    pub default_retry: RetryRule,
    /// Time limits of one call.
    pub limits: CallLimits,
    /// Time an agent has after a call before the next.
    pub wrap_up: Duration,
    /// What an agent can say of a call, in the order shown.
    pub dispositions: Vec<Disposition>,
    /// Keys with which the agent hangs up the customer, such as `##`.
    pub hang_up_keys: String,
    /// Announcements.
    pub messages: Messages,
    /// What is played in agentless mode.
    pub recording: Option<Recording>,
    /// Who calls back.
    pub return_calls: Option<ReturnCalls>,
    /// The cap on abandoned calls.
    pub abandon: AbandonSettings,
    /// Agents must have all of these.
    pub skills: Vec<String>,
    /// Language of contacts that state none.
    pub language: String,
    /// Read out by the agent; `{name}` and custom fields in braces are filled in.
    pub script: String,
    /// Short limits and `hours = always` are allowed, and no real trunk is ever used.
    pub simulated_only: bool,
}

impl CampaignSettings {
    /// Every file that can be played to a person.
    pub fn sound_files(&self) -> impl Iterator<Item = &String> {
        let recorded = self.recording.iter().flat_map(Recording::sound_files);
        self.messages.safe_harbour.values().chain(self.messages.call_lost.values()).chain(recorded)
    }
}

/// A campaign among others that share agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// 1 is the most urgent: it has every agent it can use.
    pub priority: u8,
    /// Turns among equally urgent ones: 3 has three times as many as 1.
    pub weight: u32,
}

impl Sharing {
    /// In the middle, as many turns as any other.
    pub const DEFAULT: Self = Self { priority: 5, weight: 1 };
}

/// What an agent may do with a person who is shown before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreviewSettings {
    /// Who has neither called nor passed by after this time is not at the desk: paused, and the person goes to another.
    pub within: Duration,
    /// How long a person who was passed by is left alone.
    pub skip: Duration,
}

impl PreviewSettings {
    /// Two minutes to decide; an hour until a person who was passed by may be shown again.
    pub const DEFAULT: Self =
        Self { within: Duration::from_secs(120), skip: Duration::from_secs(3_600) };
}

/// How a number is written towards a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberFormat {
    /// `+81312345678`.
    PlusE164,
    /// `81312345678`.
    E164,
    /// `0312345678` inside the country with this calling code, `00`-less E.164 digits elsewhere.
    National {
        /// Calling code, such as `81`.
        calling_code: String,
        /// Trunk prefix, such as `0`.
        trunk_prefix: String,
    },
    /// Any of the above after a fixed prefix.
    Prefixed {
        /// Such as `9`.
        prefix: String,
        /// What follows.
        then: Box<Self>,
    },
}

/// When a callee may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one per campaign, never in bulk")]
pub enum CallingHours {
    /// At any time: only under `simulated_only`.
    Always,
    /// In weekly windows of the callee's zones, all of which must allow it.
    Weekly(Weekly),
}

/// Weekly windows with holidays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weekly {
    /// IANA zones for numbers whose own are not known (one per country for now).
    pub default_zones: Vec<String>,
    /// Monday first; each day's ranges in order, not overlapping.
    pub days: [Vec<TimeRange>; 7],
    /// Ranges on a holiday; `None`: as on the weekday.
    pub holidays: Option<Vec<TimeRange>>,
    /// Which days are holidays.
    pub calendar: Calendar,
}

/// From `start` to before `end`, in minutes since local midnight; `end` is at most 1440.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeRange {
    /// First allowed minute.
    pub start: u16,
    /// First minute no longer allowed.
    pub end: u16,
}

/// Dated holidays: `2026-11-23`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// ISO dates, sorted.
    pub dates: Arc<[String]>,
    /// ISO date from which on holidays are not known yet: there a call must fit the weekday's ranges and the
    /// holiday's. `None`: the list has no end.
    pub known_until: Option<String>,
}

/// How often a person or number may be called. All campaigns of a seller count together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapSettings {
    /// Attempts per person in any 24 hours.
    pub per_day: u32,
    /// Attempts per person in any 30 days.
    pub per_30_days: u32,
    /// Attempts per lead in all.
    pub total: u32,
    /// Least time between two attempts to a person or number.
    pub min_gap: Duration,
    /// INVITEs per lead and hour that nobody heard (5xx and the like).
    pub undelivered_per_hour: u32,
}

/// What to do after an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryRule {
    /// Time until the lead is due again.
    pub delay: Duration,
    /// Most attempts that may end like this; 0: the lead is done.
    pub max: u32,
}

/// Time limits of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// From the first 180 (or 183 where none comes) to our CANCEL. 15 to 60 s outside simulation.
    pub ring: Duration,
    /// From INVITE to the first 18x.
    pub post_dial_delay: Duration,
    /// From INVITE to answer, whatever rings.
    pub set_up: Duration,
    /// From the 200 OK to an agent, else the safe-harbour message.
    pub connect: Duration,
    /// Longest talk.
    pub talk: Duration,
    /// Talk from which on a connected call counts as answered by a person though no disposition says so.
    pub person_after: Duration,
}

/// What an agent can say of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disposition {
    /// Stable text: `SALE`.
    pub code: String,
    /// Shown to English agents.
    pub label_en: String,
    /// Shown to Japanese agents.
    pub label_ja: String,
    /// Key or keys that choose it: `1`, `42`. No code may begin another.
    pub digits: String,
    /// What it does.
    pub effect: DispositionEffect,
    /// Whether a person was spoken to; `Some(false)`: an answering machine or fax.
    pub live: Option<bool>,
}

/// What a disposition does to the lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DispositionEffect {
    /// The lead is done.
    Final,
    /// The lead is done and counts as a success.
    Success,
    /// The person refused: never again for this seller, in any campaign, from the commit on.
    Refusal,
    /// The lead comes back after this time.
    Retry {
        /// Time until due.
        after: Duration,
    },
    /// A call is promised: at the time the agent gives, else after this one, within the calling hours.
    Callback {
        /// Time until due where the agent gives none.
        after: Duration,
        /// How long after its time the call still keeps the promise.
        within: Duration,
        /// The agent who promised it makes it, if he works then.
        personal: bool,
    },
    /// The number belongs to somebody else: it is not dialed again for this contact.
    WrongNumber,
}

/// Announcements, as paths of WAV files; loaded by the runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    /// Language to file: played when no agent is there in time.
    pub safe_harbour: BTreeMap<String, String>,
    /// Language to file: played when the agent's phone died in mid-talk.
    pub call_lost: BTreeMap<String, String>,
}

/// The cap on abandoned calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbandonSettings {
    /// Parts per million of live answers: 30,000 is 3 %.
    pub cap_ppm: u32,
    /// Over which time.
    pub window: AbandonWindow,
    /// IANA zone whose midnight the window keeps.
    pub zone: String,
    /// How strictly.
    pub bound: AbandonBound,
}

/// A campaign's own calls per second, in each process that runs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of all its calls.
    pub campaign: Option<u32>,
    /// Of calls to numbers that begin so: `+8190`. The longest one that fits counts.
    pub prefixes: Vec<(String, u32)>,
}

/// When the cap holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbandonBound {
    /// At every instant.
    Instant,
    /// Before the window closes; in its middle it may owe some calls.
    Window(DebtLimit),
}

impl AbandonBound {
    /// The most calls that a window may ever owe.
    #[must_use]
    pub const fn most_debt(self) -> u32 {
        match self {
            Self::Instant => 0,
            Self::Window(limit) => limit.calls,
        }
    }
}

/// What a window may owe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebtLimit {
    /// The most calls.
    pub calls: u32,
    /// From so long before its end on it may owe nothing.
    pub repaid_before: Duration,
}

/// A fixed window, never a rolling one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbandonWindow {
    /// A local day.
    Day,
    /// Successive blocks of 30 local days from the campaign's first day (16 CFR 310.4(b)(4)(i)).
    Days30,
    /// A calendar month.
    Month,
}
