//! Results on their way out, page by page, and the named cursors of programs that fetch them.
//!
//! A cell is handed on where the driver has it: a row of the reader's own, column by column, costs several times what the
//! database needs to make it.

mod copied;
mod cursors;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

pub use cursors::{
    ExportCursor, PlannedExport, advance_export, export_cursor, lock_export, plan_export,
};

use crate::logic::ids::CampaignId;
use crate::store::db::{Db, Engine};
use crate::store::error::StoreError;
use crate::store::sql::{Bind, Cell, Sql};

/// Which attempts of a campaign go out, and in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportRange {
    /// All of them, by id; the cursor is an attempt's id.
    All,
    /// Those whose outcome or disposition was written after the cursor and up to here, in the order of commits, each once,
    /// at its last change. The cursor is one of the event log.
    Until(i64),
}

/// One attempt, with the names of what it refers to.
#[derive(Clone, Copy, Debug)]
pub struct ExportedAttempt<'t> {
    cells: [Cell<'t>; CELLS],
    names: &'t ExportNames,
}

macro_rules! texts {
    ($($(#[doc = $doc:literal])* $name:ident = $at:literal;)*) => {
        impl<'t> ExportedAttempt<'t> {
            $($(#[doc = $doc])* #[must_use] pub const fn $name(&self) -> &'t str { self.text::<$at>() })*
        }
    };
}

macro_rules! numbers {
    ($($(#[doc = $doc:literal])* $name:ident = $at:literal;)*) => {
        impl ExportedAttempt<'_> {
            $($(#[doc = $doc])* #[must_use] pub fn $name(&self) -> Option<i64> { self.number::<$at>() })*
        }
    };
}

texts! {
    /// The key by which other systems know the call.
    public_ref = 1;
    /// The customer's own id of the person.
    external_id = 2;
    /// Display name.
    name = 3;
    /// The number dialed.
    to = 6;
    /// The number shown.
    from = 7;
    /// Trunk by name.
    trunk = 8;
    /// Empty: under way.
    outcome = 16;
    /// What was written before it was known better.
    first_outcome = 17;
    /// The agent's word.
    disposition = 20;
    /// Free text to it.
    memo = 21;
    /// Which announcement was begun.
    message = 26;
}

numbers! {
    /// First 18x.
    rang = 10;
    /// 200 OK.
    answered = 11;
    /// Agent and callee could hear each other.
    connected = 12;
    /// The end.
    ended = 13;
    /// Wrap-up of the agent after it, in milliseconds.
    wrap_up = 14;
    /// Final SIP status.
    sip_status = 18;
    /// Q.850 cause.
    q850 = 19;
    /// A promised call back.
    callback_due = 22;
}

impl<'t> ExportedAttempt<'t> {
    /// The list by name.
    #[must_use]
    pub fn list(&self) -> &'t str {
        named(&self.names.lists, self.number::<4>())
    }

    /// Counts the attempts of the lead, from 1.
    #[must_use]
    pub fn attempt_no(&self) -> i64 {
        self.number::<5>().unwrap_or(0)
    }

    /// When it was decided.
    #[must_use]
    pub fn started(&self) -> i64 {
        self.number::<9>().unwrap_or(0)
    }

    /// The agent by name: who spoke, else who was reserved.
    #[must_use]
    pub fn agent(&self) -> &'t str {
        named(&self.names.agents, self.number::<15>())
    }

    /// The agent who is to call back.
    #[must_use]
    pub fn callback_owner(&self) -> &'t str {
        named(&self.names.agents, self.number::<23>())
    }

    /// Answered, and no agent in time.
    #[must_use]
    pub fn abandoned(&self) -> bool {
        self.number::<24>() == Some(1)
    }

    /// Answered by a person.
    #[must_use]
    pub fn live(&self) -> Option<bool> {
        self.number::<25>().map(|live| live != 0)
    }

    /// It ended in a do-not-call entry.
    #[must_use]
    pub fn refused(&self) -> bool {
        self.number::<27>() == Some(1)
    }

    /// Names of the campaign, its seller, lists and agents.
    #[must_use]
    pub const fn names(&self) -> &'t ExportNames {
        self.names
    }

    fn cursor(&self) -> i64 {
        self.number::<0>().unwrap_or(0)
    }

    const fn text<const AT: usize>(&self) -> &'t str {
        const { assert!(AT < CELLS) };
        #[expect(clippy::indexing_slicing, reason = "the place is one of them: asserted above")]
        match self.cells[AT] {
            Cell::Text(text) => text,
            Cell::Null | Cell::Int(_) => "",
        }
    }

    fn number<const AT: usize>(&self) -> Option<i64> {
        const { assert!(AT < CELLS) };
        #[expect(clippy::indexing_slicing, reason = "the place is one of them: asserted above")]
        match self.cells[AT] {
            Cell::Int(number) => Some(number),
            Cell::Text(text) => text.parse().ok(),
            Cell::Null => None,
        }
    }
}

fn named(names: &BTreeMap<i64, String>, row: Option<i64>) -> &str {
    row.and_then(|row| names.get(&row)).map_or("", String::as_str)
}

/// The attempts of a campaign after a cursor, at most `limit`; `None`: all of them in one statement. `each` hears of every
/// one until it breaks off. Returns the cursor of the last one; `None`: there are no more.
///
/// On SQLite the log cannot be begun anew while this reads: there `each` must not wait for anybody, and a limit is wanted. On
/// PostgreSQL none is: it plans every statement anew, and a page without its fellows as a sort of all that is left.
///
/// # Errors
/// As every statement.
pub async fn export_page(
    db: &mut Db,
    campaign: CampaignId,
    range: ExportRange,
    after: i64,
    limit: Option<u32>,
    mut each: impl FnMut(&ExportedAttempt<'_>) -> ControlFlow<()>,
) -> Result<Option<i64>, StoreError> {
    // One moment: the names of whatever the page refers to.
    db.begin_reading().await?;
    let mut last = None;
    let each = |attempt: &ExportedAttempt<'_>| {
        last = Some(attempt.cursor());
        each(attempt)
    };
    let read = page(db, campaign, range, (after, limit), each).await;
    if db.is_spent() {
        // The server goes on sending whatever it is told: it hears of nothing but the end of the connection.
        let anew = db.reconnect().await;
        read.and(anew)?;
    } else {
        db.finish(read.map(drop)).await?;
    }
    Ok(last)
}

async fn page(
    db: &mut Db,
    campaign: CampaignId,
    range: ExportRange,
    (after, limit): (i64, Option<u32>),
    mut each: impl FnMut(&ExportedAttempt<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, StoreError> {
    let names = export_names(db, campaign).await?;
    let found = |cells: [Cell<'_>; CELLS]| each(&ExportedAttempt { cells, names: &names });
    let (sql, until) = match range {
        ExportRange::All => (&ALL, 0),
        ExportRange::Until(until) => (&CHANGED, until),
    };
    let rows = limit.map_or(i64::MAX, i64::from);
    let ints = [after, campaign.0, rows, until];
    match db.engine() {
        Engine::Sqlite => db.visit(READING, sql.sqlite, &ints.map(Bind::Int), found),
        Engine::Postgres => {
            if limit.is_none() {
                db.take_time().await?;
            }
            copied::page(db, sql.postgres, ints, found).await
        }
    }
}

/// Names of what attempts of one campaign refer to by row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportNames {
    /// The campaign.
    pub campaign: String,
    /// The campaign's seller.
    pub seller: String,
    /// By row.
    pub lists: BTreeMap<i64, String>,
    /// By row.
    pub agents: BTreeMap<i64, String>,
}

async fn export_names(db: &mut Db, campaign: CampaignId) -> Result<ExportNames, StoreError> {
    const CAMPAIGN: Sql = Sql::both(
        "select m.name, s.name from campaign m join seller s on s.id = m.seller_id where m.id = $1",
    );
    const LISTS: Sql = Sql::both("select id, name from list where campaign_id = $1 order by id");
    const AGENTS: Sql = Sql::both("select id, name from agent order by id");
    let doing = "reading names of results";
    let mut names = ExportNames::default();
    for row in db.rows(doing, &CAMPAIGN, &[Bind::Int(campaign.0)]).await? {
        (names.campaign, names.seller) = (row.text(0)?, row.text(1)?);
    }
    for row in db.rows(doing, &LISTS, &[Bind::Int(campaign.0)]).await? {
        names.lists.insert(row.int(0)?, row.text(1)?);
    }
    for row in db.rows(doing, &AGENTS, &[]).await? {
        names.agents.insert(row.int(0)?, row.text(1)?);
    }
    Ok(names)
}

/// Cells of a row, of which the first is the cursor behind it.
const CELLS: usize = 28;

/// A page: `$1` cursor, `$2` campaign, `$3` rows. Wrap-up: the agent's first wrap-up state at or after the end, to the agent's
/// next state. A refusal names the attempt's public reference as its proof.
macro_rules! page {
    ($cursor:literal, $from:literal, $which:literal) => {
        concat!(
            "select ",
            $cursor,
            ", a.public_ref, c.external_id, c.name, a.list_id, a.attempt_no, a.number, a.caller_id, a.trunk, a.started_ms, \
             a.early_ms, a.answered_ms, a.connected_ms, a.ended_ms, case when a.connected_ms is not null then (select \
               (select min(n.at_ms) from agent_state n where n.agent_id = a.agent_id and n.at_ms > w.at_ms) - w.at_ms \
               from agent_state w where w.agent_id = a.agent_id and w.state = 'wrap_up' and w.at_ms >= a.ended_ms \
                 and w.at_ms < a.ended_ms + 2000 order by w.at_ms, w.seq limit 1) end, \
             a.agent_id, a.outcome, a.first_outcome, a.sip_status, a.q850, d.code, d.memo, b.due_ms, b.owner_agent_id, \
             a.abandoned, a.live, a.message, \
             case when exists (select 1 from suppression x where x.seller_id = a.seller_id \
               and x.proof = a.public_ref and x.key in (a.phone_key, 'c:' || cast(a.contact_id as text))) then 1 end from ",
            $from,
            " left join contact c on c.id = a.contact_id left join disposition d on d.attempt_id = a.id \
              left join callback b on d.attempt_id is not null and b.id = \
                (select max(x.id) from callback x where x.attempt_id = a.id and x.state <> 1) ",
            $which,
            " limit $3"
        )
    };
}

/// `+`: no index by campaign, or SQLite sorts the whole campaign for every page.
pub(super) const ALL: Sql = Sql {
    sqlite: page!("a.id", "attempt a", "where a.id > $1 and +a.campaign_id = $2 order by a.id"),
    postgres: page!("a.id", "attempt a", "where a.id > $1 and a.campaign_id = $2 order by a.id"),
};

/// `$4`: up to here. An attempt with a later change within the range comes with that one.
const CHANGED: Sql = Sql::both(page!(
    "e.seq",
    "event e cross join attempt a",
    "where e.seq > $1 and e.seq <= $4 and e.kind in ('attempt_ended', 'disposition') \
       and a.id = cast(e.ref as bigint) and a.campaign_id = $2 \
       and not exists (select 1 from event n where n.ref = e.ref and n.seq > e.seq and n.seq <= $4 \
         and n.kind in ('attempt_ended', 'disposition')) \
     order by e.seq"
));

const READING: &str = "reading results";
