//! The seam between dialer and database: commands, as data. Their replies: `store_reply`.
//!
//! Every command is idempotent by its natural key and repeats its reply: a commit that failed or was not answered is
//! sent again whole. Facts of calls that took place are always accepted; only what *starts* a call is fenced.

use std::time::Duration;

use crate::logic::attempt::MessageKind;
use crate::logic::compliance::abandon_ledger::WindowSpan;
use crate::logic::dialer::{CampaignState, Learned};
use crate::logic::gate::Gate;
use crate::logic::ids::{
    AgentId, AttemptId, CallbackId, CampaignId, ClassId, ContactId, LeadId, LegId, PhoneId,
    SellerId, SuppressionId,
};
use crate::logic::outcome::Outcome;
use crate::logic::pacing::trunk_share::ShareAsk;
use crate::logic::phone::{PhoneKind, PhoneNumber};
use crate::logic::settings::DialMode;
use crate::logic::sip::user_agent::RemoteDialog;
use crate::logic::time::UtcMs;

/// Which command a reply belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// One order to the database. A batch of these runs in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreCommand {
    /// Claims up to `want` ready leads of the open classes by rank, then id, and besides these the promised calls that
    /// are due. Reply: `Claimed`.
    ///
    /// A repeated claim also returns what this node holds already for that campaign and `claim` number.
    Claim(Claim),
    /// Moves waiting leads whose time has come to ready, in a chunk. Reply: `Promoted`.
    Promote {
        /// Which campaign.
        campaign: CampaignId,
        /// Leads due up to here.
        now: UtcMs,
        /// Most rows at once.
        limit: u32,
    },
    /// Gives a claimed lead back. Fenced. Reply: `Done` (also when the lease was lost: somebody else has it).
    Release(Release),
    /// The last gate before an INVITE. Reply: `Saved` or `Refused`.
    Intent(Box<Intent>),
    /// A leg that belongs to an agent's shift is about to be dialed. Takes the agent for this process until that leg has
    /// ended, or the process. Reply: `Done`, or `Held` when another process has the agent: nothing is written then.
    AgentLeg(AgentLeg),
    /// A leg was answered: what is needed to end it after a crash. Reply: `Done`.
    LegAnswered(LegAnswered),
    /// A leg is closed: an agent's, who is free then, or one whose attempt had its outcome before. Reply: `Done`.
    LegEnded(LegEnded),
    /// An agent became free and is kept for an attempt under way that had none of its own. Reply: `Done`.
    Covered {
        /// The attempt.
        attempt: AttemptId,
    },
    /// An agent was connected to an attempt. Reply: `Done`.
    Connected {
        /// The attempt.
        attempt: AttemptId,
        /// By whom.
        agent: AgentId,
        /// When both could hear each other.
        at: UtcMs,
        /// The attempt for which he was kept until then, which goes on without an agent of its own. In one command, so
        /// that no crash finds both uncovered where the ledger had credit for one.
        given_up: Option<AttemptId>,
    },
    /// The one outcome of an attempt, with everything that follows from it. Reply: `Done`.
    Outcome(Box<OutcomeRecord>),
    /// What an agent says; the last one counts. A refusal suppresses in the same transaction. Reply: `Done`.
    Disposition(Box<DispositionRecord>),
    /// A refusal or do-not-call from elsewhere (control socket, 607). Reply: `Done`.
    Suppress(Suppress),
    /// An agent's state changed. Reply: `Done`.
    AgentState(AgentStateRecord),
    /// The campaign's state changed. Reply: `Done`.
    CampaignState {
        /// The campaign.
        campaign: CampaignId,
        /// Its new state.
        state: CampaignState,
        /// When.
        at: UtcMs,
        /// Who or what changed it.
        by: String,
    },
    /// A person changed how a campaign starts calls. Reply: `Done`.
    CampaignMode {
        /// The campaign.
        campaign: CampaignId,
        /// From now on, in this run.
        mode: DialMode,
        /// When.
        at: UtcMs,
        /// Who changed it.
        by: String,
    },
    /// What the engine of a campaign in predictive mode has learned: what it knew before is replaced. Reply: `Done`.
    Learned(Box<Learned>),
    /// This node lives. Reply: `Done`, or `Refused(Gate::NodeLease)` when the node's row is gone.
    Heartbeat {
        /// New end of the lease.
        until: UtcMs,
        /// When.
        now: UtcMs,
    },
    /// How the other processes and the campaigns stand; and the work of those that are dead becomes ours. Reply: `Seen`.
    Look(Look),
    /// A share of a trunk. Reply: `Share`, or `Refused(Gate::NodeLease)` when another process has ended this one.
    DrawShare(DrawShare),
    /// This process ends; what it leaves open is anybody's. Reply: `Done`.
    NodeEnded {
        /// When.
        at: UtcMs,
    },
    /// How a campaign's list stands. Reply: `Counted`.
    Count {
        /// The campaign.
        campaign: CampaignId,
    },
    /// What a window of the abandonment ledger has booked, after everything else of the batch. Reply: `Account`.
    Account {
        /// The campaign.
        campaign: CampaignId,
        /// Start of the window.
        window: UtcMs,
    },
}

/// See [`StoreCommand::Claim`].
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Whose leads.
    pub campaign: CampaignId,
    /// Number of this claim within the process and campaign, from 1: makes a repeat recognisable.
    pub claim: u64,
    /// At most this many.
    pub want: u32,
    /// Only these classes: their hours are open now. In order.
    pub open_classes: Vec<ClassId>,
    /// Which promised calls.
    pub promised: PromisedClaim,
    /// This one and no other: the key of one of its numbers, which is then dialed, or the customer's own id.
    pub named: Option<String>,
    /// When.
    pub now: UtcMs,
}

/// Which promised calls a claim takes, the longest due first. All others are left where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PromisedClaim {
    /// At most this many.
    pub most: u32,
    /// Those of these agents, who work in this process.
    pub owners: Vec<AgentId>,
    /// Those of other agents that were due at or before this time: they go to anybody.
    pub anybody_since: UtcMs,
}

/// A lead this process may dial.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimedLead {
    /// The lead.
    pub lead: LeadId,
    /// The lease's fence: raised by every claim, checked by the intent.
    pub fence: i64,
    /// The campaign.
    pub campaign: CampaignId,
    /// The seller.
    pub seller: SellerId,
    /// The person.
    pub contact: ContactId,
    /// The customer's own id of the person.
    pub external_id: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// `ja`, `en`, ... where known.
    pub language: Option<String>,
    /// Custom fields in the order of the file.
    pub fields: Vec<(String, String)>,
    /// Numbers of the person that are not invalid, in order; the one to dial is first.
    pub phones: Vec<LeadPhone>,
    /// Its class.
    pub class: ClassId,
    /// Its place in the list: lower ones come first.
    pub rank: i64,
    /// Attempts so far that count.
    pub attempts: u32,
    /// How long the last one rang; nothing where it did not.
    pub rang: Duration,
    /// How many attempts ended with `last_outcome` in a row, that one included.
    pub same_outcome: u32,
    /// End of the last attempt.
    pub last_outcome: Option<Outcome>,
    /// The call that was promised, until it has been made.
    pub promise: Option<Promise>,
}

/// An open promise to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Promise {
    /// From when on.
    pub due: UtcMs,
    /// By whom; `None`: by anybody.
    pub owner: Option<AgentId>,
}

/// One number of a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadPhone {
    /// The row.
    pub phone: PhoneId,
    /// What is compared.
    pub key: String,
    /// What is dialed.
    pub number: PhoneNumber,
    /// What kind of line it is, where the list's import has said so.
    pub kind: Option<PhoneKind>,
    /// IANA zones of this number where known.
    pub zones: Vec<String>,
    /// Local day (days since 1970-01-01) of the first "no such number"; a second one on another day makes it invalid.
    pub suspect_day: Option<i32>,
}

/// What becomes of a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadAfter {
    /// Its state.
    pub state: LeadState,
    /// When it is due again, for `Waiting`.
    pub due: UtcMs,
    /// What holds it back, for `Waiting` and `Blocked`.
    pub gate: Option<Gate>,
    /// The number to dial next.
    pub next_phone: Option<PhoneId>,
}

/// States of a lead, as the integers in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeadState {
    /// 0: may be claimed now.
    Ready,
    /// 1: due later.
    Waiting,
    /// 2: held by a process.
    Claimed,
    /// 3: nothing more to do.
    Done,
    /// 4: its talk has no disposition; a person must decide.
    Held,
    /// 5: refused, on a do-not-call list, or no number left.
    Blocked,
}

impl LeadState {
    /// Every state, by its integer.
    pub const ALL: [Self; 6] =
        [Self::Ready, Self::Waiting, Self::Claimed, Self::Done, Self::Held, Self::Blocked];

    /// The stable text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Waiting => "waiting",
            Self::Claimed => "claimed",
            Self::Done => "done",
            Self::Held => "held",
            Self::Blocked => "blocked",
        }
    }

    /// The integer in the table.
    #[must_use]
    pub const fn code(self) -> i64 {
        match self {
            Self::Ready => 0,
            Self::Waiting => 1,
            Self::Claimed => 2,
            Self::Done => 3,
            Self::Held => 4,
            Self::Blocked => 5,
        }
    }
}

/// See [`StoreCommand::Release`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The lead.
    pub lead: LeadId,
    /// Our lease.
    pub fence: i64,
    /// What becomes of it.
    pub after: LeadAfter,
}

/// See [`StoreCommand::Intent`]. One conditional insert of attempt and leg.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// The attempt, made by us.
    pub attempt: AttemptId,
    /// Its public reference: text of boot and id.
    pub public_ref: String,
    /// Its first leg.
    pub leg: LegId,
    /// The lead.
    pub lead: LeadId,
    /// Our lease on it.
    pub fence: i64,
    /// The campaign: must be running.
    pub campaign: CampaignId,
    /// The seller.
    pub seller: SellerId,
    /// The person.
    pub contact: ContactId,
    /// The number dialed.
    pub phone: LeadPhone,
    /// The trunk by name.
    pub trunk: String,
    /// The number shown.
    pub caller_id: PhoneNumber,
    /// The call as the wire will see it, so that a restart can rebuild its CANCEL (JSON, without credentials).
    pub call: String,
    /// The agent reserved for it.
    pub agent: Option<AgentId>,
    /// It has no agent of its own: only as far as the ledger has credit.
    pub uncovered: Option<UncoveredStart>,
    /// When.
    pub now: UtcMs,
    /// Attempts per contact allowed since `now` - 24 h, this one included.
    pub per_day: u32,
    /// Likewise since `now` - 30 days.
    pub per_30_days: u32,
    /// Likewise for this lead, ever.
    pub total: u32,
    /// Least time since the last counted attempt to this person or number ended.
    pub min_gap: Duration,
    /// Undelivered INVITEs of this lead allowed per hour.
    pub undelivered_per_hour: u32,
}

/// The credit that an uncovered start needs: in the windows where it can be answered, one more than all uncovered calls
/// of the campaign that are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UncoveredStart {
    /// The cap in parts per million.
    pub cap_ppm: u32,
    /// Starts of these windows.
    pub windows: WindowSpan,
}

/// See [`StoreCommand::AgentLeg`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentLeg {
    /// The leg.
    pub leg: LegId,
    /// Whose phone.
    pub agent: AgentId,
    /// As in [`Intent::call`].
    pub call: String,
    /// When.
    pub now: UtcMs,
}

/// See [`StoreCommand::Look`].
///
/// A process is dead when it has ended, or its lease is over. Ended ones that left something open are always looked for;
/// `take_lapsed` says whether those whose lease is over are ended now. Nobody else can take the same: a repeat answers with
/// what is ours of it and still open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Campaigns of this run: only their attempts can be booked.
    pub campaigns: Vec<CampaignId>,
    /// Ends those whose lease is over.
    pub take_lapsed: bool,
    /// When.
    pub now: UtcMs,
}

/// See [`StoreCommand::DrawShare`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawShare {
    /// The trunk by name.
    pub trunk: String,
    /// What is kept and wanted.
    pub ask: ShareAsk,
    /// When.
    pub now: UtcMs,
}

/// See [`StoreCommand::LegAnswered`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegAnswered {
    /// The leg.
    pub leg: LegId,
    /// Its attempt; `None` for an agent's shift.
    pub attempt: Option<AttemptId>,
    /// The far side.
    pub dialog: RemoteDialog,
    /// When the 200 OK came.
    pub at: UtcMs,
}

/// See [`StoreCommand::LegEnded`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegEnded {
    /// The leg.
    pub leg: LegId,
    /// Final SIP status of its INVITE.
    pub sip_status: Option<u16>,
    /// Q.850 cause.
    pub q850: Option<u8>,
    /// When.
    pub at: UtcMs,
}

/// See [`StoreCommand::Outcome`].
///
/// Written with `where outcome is null or outcome = 'unknown'`; the ledger row, the lead and the phone change only when
/// that hit a row. A revision (`unknown` to known) books the difference.
#[derive(Clone, Debug, PartialEq)]
pub struct OutcomeRecord {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its lead.
    pub lead: LeadId,
    /// Our lease on the lead.
    pub fence: i64,
    /// The end.
    pub outcome: Outcome,
    /// First 18x.
    pub early_at: Option<UtcMs>,
    /// 200 OK.
    pub answered_at: Option<UtcMs>,
    /// Agent and customer could hear each other.
    pub connected_at: Option<UtcMs>,
    /// The end.
    pub ended_at: UtcMs,
    /// The agent who spoke with the person.
    pub agent: Option<AgentId>,
    /// Its legs are closed. Else they are being ended, and `LegEnded` follows: a crash in between must find them.
    pub legs_closed: bool,
    /// Its leg's final SIP status.
    pub sip_status: Option<u16>,
    /// Q.850 cause.
    pub q850: Option<u8>,
    /// Which announcement was played.
    pub message: Option<MessageKind>,
    /// Answered by a person: `None` until a disposition says so.
    pub live: Option<bool>,
    /// What it adds to the ledger.
    pub booking: Booking,
    /// What becomes of the lead.
    pub after: LeadAfter,
    /// A change of the phone.
    pub phone: Option<PhoneAfter>,
    /// 607: a refusal by the network, suppressed in the same transaction.
    pub suppress: Option<Suppress>,
}

/// What an attempt adds to its window of the abandonment ledger (A, D and faults).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booking {
    /// The window the answer fell into.
    pub window: LedgerWindow,
    /// Adds one to A: a live answer that is resolved.
    pub answered: bool,
    /// Adds one to D (and, with `answered`, to A).
    pub abandoned: bool,
    /// The abandoned call was covered: shown apart, repaid.
    pub fault: bool,
}

/// One row of `abandon_window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerWindow {
    /// The campaign.
    pub campaign: CampaignId,
    /// Its start.
    pub starts: UtcMs,
    /// Its end, exclusive.
    pub ends: UtcMs,
    /// The cap in parts per million.
    pub cap_ppm: u32,
    /// The most calls that it may owe before it closes.
    pub debt: u32,
}

/// What an outcome says of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhoneAfter {
    /// First "no such number", on this local day (days since 1970-01-01).
    Suspect {
        /// The number.
        phone: PhoneId,
        /// The day.
        day: i32,
    },
    /// Second one, on another day; or the agent says it belongs to somebody else.
    Invalid {
        /// The number.
        phone: PhoneId,
    },
    /// It rang or was answered: the suspicion was wrong.
    Good {
        /// The number.
        phone: PhoneId,
    },
}

/// See [`StoreCommand::Disposition`].
#[derive(Clone, Debug, PartialEq)]
pub struct DispositionRecord {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its lead.
    pub lead: LeadId,
    /// By whom; `None`: the person, by a key of a message's menu.
    pub agent: Option<AgentId>,
    /// The code.
    pub code: String,
    /// Free text.
    pub memo: Option<String>,
    /// When.
    pub at: UtcMs,
    /// Whether a person was spoken to. `Some(true)` adds the call to A once; `Some(false)` never raises credit.
    pub live: Option<bool>,
    /// The window for that.
    pub window: LedgerWindow,
    /// What becomes of the lead, unless it has been claimed again since.
    pub after: LeadAfter,
    /// A change of the phone.
    pub phone: Option<PhoneAfter>,
    /// A refusal.
    pub suppress: Option<Suppress>,
    /// A promised call back.
    pub callback: Option<CallbackRecord>,
}

/// A promised call. It stands in the table of promises until a call that counts was made to the person, the disposition
/// is corrected, or the person refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackRecord {
    /// The row.
    pub callback: CallbackId,
    /// By this agent, and after a while by anybody; `None`: by anybody at once.
    pub owner: Option<AgentId>,
    /// From when.
    pub due: UtcMs,
    /// Until when; later it is overdue, and made all the same.
    pub window_end: UtcMs,
}

/// A do-not-call entry for one seller. Also blocks every lead of that person or number of that seller that is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppress {
    /// The row.
    pub suppression: SuppressionId,
    /// Whose calls stop.
    pub seller: SellerId,
    /// The person, where known: all the numbers of this person are blocked.
    pub contact: Option<ContactId>,
    /// The number, where known.
    pub phone_key: Option<String>,
    /// `refused`, `do_not_call`, `unwanted`.
    pub reason: String,
    /// Where it is proven: the attempt's public reference, a letter, a file's line.
    pub proof: String,
    /// When.
    pub at: UtcMs,
}

/// See [`StoreCommand::AgentState`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentStateRecord {
    /// Whose.
    pub agent: AgentId,
    /// When.
    pub at: UtcMs,
    /// Order within the process.
    pub seq: i64,
    /// `offline`, `paused`, `ready`, `reserved`, `on_call`, `wrap_up`.
    pub state: &'static str,
    /// Pause reason and the like.
    pub reason: Option<String>,
}
