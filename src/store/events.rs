//! The append-only log: what changed, in the order of commits, for whoever follows by a cursor.
//!
//! Every change writes its events in its own transaction, as the last statement before the commit: the counter's row is
//! locked from there on, so that numbers follow the order of commits on both databases. A reader who has seen `n` has
//! seen everything up to `n`, and nothing below `n` will ever appear. A repeated batch changes nothing and so writes none.

use serde::Serialize;
use serde_json::Value;

use crate::logic::phone::PhoneNumber;
use crate::logic::time::UtcMs;
use crate::store::batch::Batch;
use crate::store::db::{Db, Engine};
use crate::store::error::StoreError;
use crate::store::rows::{RowSql, Rows, row, row_sql};
use crate::store::sql::{Bind, Sql};

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $kind:ident = $text:literal;)*) => {
        /// What changed. A closed list with stable texts; `docs/events.md` has the fields of each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum EventKind {
            $($(#[doc = $doc])* $kind,)*
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The stable text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $text,)*
                }
            }
        }
    };
}

kinds! {
    /// A dialer registered its start.
    NodeStarted = "node_started";
    /// A dialer ended, or another one found it dead.
    NodeEnded = "node_ended";
    /// A campaign was started, paused or resumed.
    CampaignState = "campaign_state";
    /// A person changed a campaign's dial mode.
    CampaignMode = "campaign_mode";
    /// What a campaign's pacing engine had learned could not be read: it began cold.
    ModelUnreadable = "model_unreadable";
    /// A list began to come in.
    ImportStarted = "import_started";
    /// A list was read to its end.
    ImportFinished = "import_finished";
    /// An intent is durable: the INVITE may leave.
    AttemptStarted = "attempt_started";
    /// 200 OK to the INVITE.
    AttemptAnswered = "attempt_answered";
    /// An agent and the callee can hear each other.
    AttemptConnected = "attempt_connected";
    /// The outcome, or its revision.
    AttemptEnded = "attempt_ended";
    /// What the agent says, or the correction of it.
    Disposition = "disposition";
    /// A window of the abandonment ledger closed with more abandoned calls than its cap allows.
    WindowInDebt = "window_closed_in_debt";
    /// A refusal or do-not-call.
    Suppression = "suppression";
    /// An agent's state changed.
    AgentState = "agent_state";
}

/// One line to be written.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) at: UtcMs,
    kind: EventKind,
    /// The row it is about.
    pub(crate) row: i64,
    /// JSON; ids in it are strings. Never a number or a name: they are in the row.
    body: String,
}

impl Event {
    /// With such fields: a [`Value`], or a struct where many are written.
    pub(crate) fn new(at: UtcMs, kind: EventKind, row: i64, body: &impl Serialize) -> Self {
        // Our own flat values always serialise.
        let body = serde_json::to_string(body).unwrap_or_default();
        Self { at, kind, row, body }
    }
}

/// One line as read.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedEvent {
    /// Its place in the order of commits; the cursor of whoever has read so far.
    pub seq: i64,
    /// When.
    pub at: UtcMs,
    /// The text of its kind: a newer program may have written one that this one does not know.
    pub kind: String,
    /// The row it is about.
    pub row: String,
    /// The fields of that kind.
    pub body: Value,
    /// The number of the attempt or suppression it is about, from that row.
    pub number: Option<PhoneNumber>,
}

/// Numbers and writes the batch's events. Must be the last statement before the commit.
pub(crate) async fn append(batch: &mut Batch<'_>) -> Result<(), StoreError> {
    let events = std::mem::take(&mut batch.events);
    append_to(batch.db, &events).await
}

/// Likewise, for a transaction that is no batch.
pub(crate) async fn append_to(db: &mut Db, events: &[Event]) -> Result<(), StoreError> {
    row! {
        struct EventRow<'a> {
            seq: i64,
            at: i64,
            kind: &'static str,
            reference: String,
            body: &'a str,
        }
    }
    if events.is_empty() {
        return Ok(());
    }
    let doing = "writing the event log";
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    let last = take_numbers(db, doing, count).await?;
    let rows = (last - count + 1..).zip(events).map(|(seq, event)| EventRow {
        seq,
        at: event.at.0,
        kind: event.kind.as_str(),
        reference: event.row.to_string(),
        body: &event.body,
    });
    static APPEND: RowSql = row_sql!(
        EventRow<'_>,
        "insert into event (seq, at_ms, kind, ref, body) select r.seq, r.at, r.kind, r.reference, r.body from r"
    );
    Rows::new(rows.collect()).run(db, doing, &APPEND).await
}

/// The last of so many new numbers.
async fn take_numbers(db: &mut Db, doing: &'static str, count: i64) -> Result<i64, StoreError> {
    const TAKE: Sql = Sql {
        sqlite: "update counter set value = value + $1 where name = 'event'",
        postgres: "update counter set value = value + $1 where name = 'event' returning value",
    };
    if db.engine() == Engine::Sqlite {
        // Its `returning` costs more than a question.
        db.run(doing, &TAKE, &[Bind::Int(count)]).await?;
        return events_end(db).await;
    }
    let last = db.rows(doing, &TAKE, &[Bind::Int(count)]).await?;
    last.first().map_or(Ok(0), |row| row.int(0))
}

/// The next events after a cursor, at most [`EVENTS_PAGE`]. Fewer: there are no more for now.
///
/// # Errors
/// As every statement.
pub async fn events_after(db: &mut Db, cursor: i64) -> Result<Vec<LoggedEvent>, StoreError> {
    // The page first, then its rows: neither database may turn it round.
    const PAGE: Sql = Sql::both(
        "with page as materialized \
           (select seq, at_ms, kind, ref, body, cast(ref as bigint) as row_id from event where seq > $1 \
            order by seq limit 500) \
         select e.seq, e.at_ms, e.kind, e.ref, e.body, coalesce(a.number, s.key) from page e \
         left join attempt a on a.id = e.row_id and e.kind in \
           ('attempt_started', 'attempt_answered', 'attempt_connected', 'attempt_ended', 'disposition') \
         left join suppression s on s.id = e.row_id and s.scope = 'number' and e.kind = 'suppression' \
         order by e.seq",
    );
    let rows = db.rows("reading the event log", &PAGE, &[Bind::Int(cursor)]).await?;
    rows.iter()
        .map(|row| {
            Ok(LoggedEvent {
                seq: row.int(0)?,
                at: UtcMs(row.int(1)?),
                kind: row.text(2)?,
                row: row.text(3)?,
                body: row.json(4)?,
                number: row.opt_text(5)?.and_then(|number| number.parse().ok()),
            })
        })
        .collect()
}

/// The number of the last event.
///
/// # Errors
/// As every statement.
pub async fn events_end(db: &mut Db) -> Result<i64, StoreError> {
    const END: Sql = Sql::both("select value from counter where name = 'event'");
    db.rows("reading the end of the event log", &END, &[])
        .await?
        .first()
        .map_or(Ok(0), |row| row.int(0))
}

/// Names of campaigns (with their sellers) and agents, for readers of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventNames {
    /// Row of the campaign, its name, row of its seller.
    pub campaigns: Vec<(i64, String, i64)>,
    /// Row of the agent, and the name.
    pub agents: Vec<(i64, String)>,
}

/// Reads the names as they are now.
///
/// # Errors
/// As every statement.
pub async fn event_names(db: &mut Db) -> Result<EventNames, StoreError> {
    const CAMPAIGNS: Sql = Sql::both("select id, name, seller_id from campaign order by id");
    const AGENTS: Sql = Sql::both("select id, name from agent order by id");
    let doing = "reading names for the event log";
    let mut names = EventNames::default();
    for row in db.rows(doing, &CAMPAIGNS, &[]).await? {
        names.campaigns.push((row.int(0)?, row.text(1)?, row.int(2)?));
    }
    for row in db.rows(doing, &AGENTS, &[]).await? {
        names.agents.push((row.int(0)?, row.text(1)?));
    }
    Ok(names)
}

/// Most events of one page; the number in its statement.
pub const EVENTS_PAGE: usize = 500;
