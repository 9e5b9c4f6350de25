//! What goes wrong in a world, and where a crash hits. All of it comes from the seed.

use std::time::Duration;

use outdial::logic::dialer::StoreCommand;
use outdial::logic::media::MediaCommand;
use outdial::logic::node::NodeAction;
use outdial::simulation::dice::Dice;
use outdial::simulation::network::Link;

use crate::wire_text;

/// How often what goes wrong.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    pub(crate) link: Link,
    /// Mean time from a start of the process to its crash.
    pub(crate) crash_every: Option<Duration>,
    /// Of a million batches.
    pub(crate) batch_not_run_ppm: u32,
    /// Of a million batches: committed, and the reply lost.
    pub(crate) reply_lost_ppm: u32,
    /// Of a million batches: takes 0.5 to 4 s.
    pub(crate) slow_ppm: u32,
    /// Of a million batches: given up after 15 s, committed or not.
    pub(crate) hung_ppm: u32,
    /// Mean time from one death of a phone to the next.
    pub(crate) phone_dies_every: Option<Duration>,
    /// Mean time between steps of the wall clock.
    pub(crate) clock_jumps_every: Option<Duration>,
    /// Mean time between things that people do at odd moments.
    pub(crate) people_meddle_every: Option<Duration>,
    /// Mean time from a start of the process to two signals, after which it is started again.
    pub(crate) stopped_every: Option<Duration>,
}

impl Faults {
    pub(crate) const NONE: Self = Self {
        link: Link::PERFECT,
        crash_every: None,
        batch_not_run_ppm: 0,
        reply_lost_ppm: 0,
        slow_ppm: 0,
        hung_ppm: 0,
        phone_dies_every: None,
        clock_jumps_every: None,
        people_meddle_every: None,
        stopped_every: None,
    };

    /// The database fails, hangs and loses replies.
    pub(crate) const BAD_DATABASE: Self = Self {
        batch_not_run_ppm: 50_000,
        reply_lost_ppm: 50_000,
        slow_ppm: 20_000,
        hung_ppm: 5_000,
        ..Self::NONE
    };

    /// Everything at once.
    pub(crate) const ALL: Self = Self {
        link: Link::ROUGH,
        crash_every: Some(Duration::from_secs(100)),
        batch_not_run_ppm: 5_000,
        reply_lost_ppm: 5_000,
        slow_ppm: 2_000,
        hung_ppm: 200,
        phone_dies_every: Some(Duration::from_secs(60)),
        clock_jumps_every: Some(Duration::from_secs(200)),
        people_meddle_every: Some(Duration::from_secs(10)),
        stopped_every: Some(Duration::from_secs(400)),
    };

    /// Hardly a minute in which nothing breaks.
    pub(crate) const STORM: Self = Self {
        crash_every: Some(Duration::from_secs(15)),
        batch_not_run_ppm: 40_000,
        reply_lost_ppm: 40_000,
        slow_ppm: 20_000,
        hung_ppm: 2_000,
        phone_dies_every: Some(Duration::from_secs(8)),
        clock_jumps_every: Some(Duration::from_secs(30)),
        people_meddle_every: Some(Duration::from_secs(1)),
        stopped_every: Some(Duration::from_secs(90)),
        ..Self::ALL
    };
}

/// Where the next crash hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CrashPoint {
    /// Right after the `nth` action of this kind is done; those after it never are.
    After { kind: String, nth: u32 },
    /// The `nth` batch is never run.
    BeforeCommit { nth: u32 },
    /// The `nth` batch is committed and nobody hears of it.
    AfterCommit { nth: u32 },
}

impl CrashPoint {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let nth = u32::try_from(dice.below(40)).unwrap() + 1;
        let kinds = u64::try_from(KINDS.len()).unwrap();
        let at = dice.below(kinds + 4);
        match usize::try_from(at).unwrap().checked_sub(KINDS.len()) {
            None => Self::After { kind: KINDS[usize::try_from(at).unwrap()].to_owned(), nth },
            Some(0 | 1) => Self::BeforeCommit { nth: nth * 5 },
            Some(_) => Self::AfterCommit { nth: nth * 5 },
        }
    }
}

/// The kinds of actions after which a node may crash, as [`kind`] names them.
pub(crate) const KINDS: [&str; 22] = [
    "send INVITE",
    "send ACK",
    "send BYE",
    "send CANCEL",
    "send OPTIONS",
    "send 200 BYE",
    "store intent",
    "store outcome",
    "store disposition",
    "store connected",
    "store leg answered",
    "store leg ended",
    "store agent leg",
    "store release",
    "store claim",
    "store promote",
    "media open",
    "media remote",
    "media bridge",
    "media play",
    "media close",
    "notice",
];

/// Names an action.
pub(crate) fn kind(action: &NodeAction) -> String {
    match action {
        NodeAction::Send { bytes, .. } => format!("send {}", wire_text::word(bytes)),
        NodeAction::Media(command) => format!("media {}", media_word(command)),
        NodeAction::Store(_, command) => format!("store {}", store_word(command)),
        NodeAction::Reply(..) => "reply".to_owned(),
        NodeAction::Notice(_) => "notice".to_owned(),
        NodeAction::Finished => "finished".to_owned(),
    }
}

const fn media_word(command: &MediaCommand) -> &'static str {
    match command {
        MediaCommand::Open { .. } => "open",
        MediaCommand::Remote { .. } => "remote",
        MediaCommand::Bridge { .. } => "bridge",
        MediaCommand::Unbridge { .. } => "unbridge",
        MediaCommand::Play { .. } => "play",
        MediaCommand::StopPlay { .. } => "stop play",
        MediaCommand::SendDigits { .. } => "send digits",
        MediaCommand::Tap { .. } => "tap",
        MediaCommand::Close { .. } => "close",
    }
}

const fn store_word(command: &StoreCommand) -> &'static str {
    match command {
        StoreCommand::Claim(_) => "claim",
        StoreCommand::Promote { .. } => "promote",
        StoreCommand::Release(_) => "release",
        StoreCommand::Intent(_) => "intent",
        StoreCommand::AgentLeg(_) => "agent leg",
        StoreCommand::LegAnswered(_) => "leg answered",
        StoreCommand::LegEnded(_) => "leg ended",
        StoreCommand::Covered { .. } => "covered",
        StoreCommand::Connected { .. } => "connected",
        StoreCommand::Outcome(_) => "outcome",
        StoreCommand::Disposition(_) => "disposition",
        StoreCommand::Suppress(_) => "suppress",
        StoreCommand::AgentState(_) => "agent state",
        StoreCommand::CampaignState { .. } => "campaign state",
        StoreCommand::Heartbeat { .. } => "heartbeat",
        StoreCommand::CampaignMode { .. } => "campaign mode",
        StoreCommand::Learned(_) => "learned",
        StoreCommand::Count { .. } => "count",
        StoreCommand::Account { .. } => "account",
        StoreCommand::Look(_) => "look",
        StoreCommand::DrawShare(_) => "draw share",
        StoreCommand::NodeEnded { .. } => "node ended",
    }
}

/// A time around `mean`, without memory.
pub(crate) fn around(dice: &mut Dice, mean: Duration) -> Duration {
    mean.mul_f64(-(1.0 - dice.unit()).ln())
}
