//! Results on their way out: pages of attempts, each page one text, and the named cursors of programs that fetch them.
//!
//! A row fetched column by column costs several times what SQLite needs to make it, so a page is joined to one text by
//! the database and cut apart here.

use std::collections::BTreeMap;

use crate::logic::ids::CampaignId;
use crate::logic::time::UtcMs;
use crate::store::db::{Db, Engine};
use crate::store::error::StoreError;
use crate::store::migrations::hex;
use crate::store::sql::{Bind, Sql};

/// Which attempts of a campaign go out, and in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportRange {
    /// All of them, by id; the cursor is an attempt's id.
    All,
    /// Those whose outcome or disposition was written after the cursor and up to here, in the order of commits, each once,
    /// at its last change. The cursor is one of the event log.
    Until(i64),
}

/// Some attempts.
#[derive(Clone, Debug)]
pub struct ExportPage {
    /// The cursor for the next page.
    pub last: i64,
    text: String,
    separators: Separators,
}

/// One attempt as text; cells are empty where nothing is known.
#[derive(Clone, Copy, Debug)]
pub struct ExportedAttempt<'t> {
    cells: [&'t str; CELLS],
}

macro_rules! cells {
    ($($(#[doc = $doc:literal])* $name:ident = $at:literal;)*) => {
        impl<'t> ExportedAttempt<'t> {
            $($(#[doc = $doc])* #[must_use] pub const fn $name(&self) -> &'t str { self.cells[$at] })*
        }
    };
}

cells! {
    /// The key by which other systems know the call.
    public_ref = 0;
    /// The customer's own id of the person.
    external_id = 1;
    /// Display name.
    name = 2;
    /// Row of the list.
    list = 3;
    /// Counts the attempts of the lead, from 1.
    attempt_no = 4;
    /// The number dialed.
    to = 5;
    /// The number shown.
    from = 6;
    /// Trunk by name.
    trunk = 7;
    /// Row of the agent: who spoke, else who was reserved.
    agent = 14;
    /// Empty: under way.
    outcome = 15;
    /// What was written before it was known better.
    first_outcome = 16;
    /// The agent's word.
    disposition = 19;
    /// Free text to it.
    memo = 20;
    /// Row of the agent who is to call back.
    callback_owner = 22;
    /// Which announcement was begun.
    message = 25;
}

impl ExportedAttempt<'_> {
    /// When it was decided.
    #[must_use]
    pub fn started(&self) -> i64 {
        self.number(8).unwrap_or(0)
    }

    /// First 18x, 200 OK, agent and callee could hear each other, the end.
    #[must_use]
    pub fn times(&self) -> [Option<i64>; 4] {
        [9, 10, 11, 12].map(|at| self.number(at))
    }

    /// Wrap-up of the agent after it, in milliseconds.
    #[must_use]
    pub fn wrap_up(&self) -> Option<i64> {
        self.number(13)
    }

    /// Final SIP status, Q.850 cause.
    #[must_use]
    pub fn codes(&self) -> [Option<i64>; 2] {
        [17, 18].map(|at| self.number(at))
    }

    /// A promised call back.
    #[must_use]
    pub fn callback_due(&self) -> Option<i64> {
        self.number(21)
    }

    /// Answered, and no agent in time.
    #[must_use]
    pub fn abandoned(&self) -> bool {
        self.number(23) == Some(1)
    }

    /// Answered by a person.
    #[must_use]
    pub fn live(&self) -> Option<bool> {
        self.number(24).map(|live| live != 0)
    }

    /// It ended in a do-not-call entry.
    #[must_use]
    pub fn refused(&self) -> bool {
        self.number(26) == Some(1)
    }

    fn number(&self, at: usize) -> Option<i64> {
        self.cells.get(at)?.parse().ok()
    }
}

impl ExportPage {
    /// Its attempts.
    pub fn attempts(&self) -> impl Iterator<Item = ExportedAttempt<'_>> {
        self.text
            .split(self.separators.row.as_str())
            .filter_map(|line| cut(line, &self.separators.cell))
    }
}

/// What stands between cells and rows.
#[derive(Clone, Debug)]
struct Separators {
    cell: String,
    row: String,
}

impl Separators {
    /// Signs that nobody can type.
    fn usual() -> Self {
        Self { cell: "\u{1f}".to_owned(), row: "\u{1e}".to_owned() }
    }

    /// For a page in which somebody typed them after all.
    fn random() -> Result<Self, StoreError> {
        let mut dice = [0; 16];
        getrandom::fill(&mut dice).map_err(|error| StoreError::Damaged {
            doing: "reading results",
            found: error.to_string(),
        })?;
        let dice = hex(&dice);
        Ok(Self { cell: format!("\u{1f}{dice}"), row: format!("\u{1e}{dice}") })
    }
}

fn cut<'t>(line: &'t str, separator: &str) -> Option<ExportedAttempt<'t>> {
    let mut cells = [""; CELLS];
    let mut pieces = line.split(separator);
    for cell in &mut cells {
        *cell = pieces.next()?;
    }
    pieces.next().is_none().then_some(ExportedAttempt { cells })
}

/// The next attempts of a campaign after a cursor, at most `limit`; `None`: there are no more.
///
/// # Errors
/// As every statement.
pub async fn export_page(
    db: &mut Db,
    campaign: CampaignId,
    range: ExportRange,
    after: i64,
    limit: u32,
) -> Result<Option<ExportPage>, StoreError> {
    let doing = "reading results";
    let mut separators = Separators::usual();
    for random in [false, true] {
        if random {
            separators = Separators::random()?;
        }
        let binds = [
            Bind::Int(after),
            Bind::Int(campaign.0),
            Bind::Int(i64::from(limit)),
            Bind::Text(&separators.cell),
            Bind::Text(&separators.row),
        ];
        let rows = match range {
            ExportRange::All => db.rows(doing, &ALL, &binds).await?,
            ExportRange::Until(until) => {
                let [after, campaign, limit, cell, row] = binds;
                let binds = [after, campaign, limit, cell, row, Bind::Int(until)];
                db.rows(doing, &CHANGED, &binds).await?
            }
        };
        let Some(row) = rows.first() else { return Ok(None) };
        let count = row.count(1)?;
        if count == 0 {
            return Ok(None);
        }
        let page = ExportPage { last: row.int(0)?, text: row.text(2)?, separators };
        // A separator within a cell makes more of them than there should be.
        let lines = page.text.split(page.separators.row.as_str()).count();
        if u64::try_from(lines) == Ok(count) && page.attempts().count() == lines {
            return Ok(Some(page));
        }
        separators = page.separators;
    }
    Err(StoreError::Damaged { doing, found: "a page that cannot be cut into rows".to_owned() })
}

/// Names of what pages of one campaign refer to by row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportNames {
    /// The campaign.
    pub campaign: String,
    /// The campaign's seller.
    pub seller: String,
    /// By row.
    pub lists: BTreeMap<String, String>,
    /// By row.
    pub agents: BTreeMap<String, String>,
}

/// Reads the names as they are now.
///
/// # Errors
/// As every statement.
pub async fn export_names(db: &mut Db, campaign: CampaignId) -> Result<ExportNames, StoreError> {
    const CAMPAIGN: Sql = Sql::both(
        "select m.name, s.name from campaign m join seller s on s.id = m.seller_id where m.id = $1",
    );
    const LISTS: Sql =
        Sql::both("select cast(id as text), name from list where campaign_id = $1 order by id");
    const AGENTS: Sql = Sql::both("select cast(id as text), name from agent order by id");
    let doing = "reading names of results";
    let mut names = ExportNames::default();
    for row in db.rows(doing, &CAMPAIGN, &[Bind::Int(campaign.0)]).await? {
        (names.campaign, names.seller) = (row.text(0)?, row.text(1)?);
    }
    for row in db.rows(doing, &LISTS, &[Bind::Int(campaign.0)]).await? {
        names.lists.insert(row.text(0)?, row.text(1)?);
    }
    for row in db.rows(doing, &AGENTS, &[]).await? {
        names.agents.insert(row.text(0)?, row.text(1)?);
    }
    Ok(names)
}

/// How far a program has fetched a campaign's results.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportCursor {
    /// Everything up to here is in its files.
    pub seq: i64,
    /// What comes next: begun, and perhaps in its place already.
    pub planned: Option<PlannedExport>,
}

/// One file of results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedExport {
    /// It holds what came after the cursor, up to here.
    pub until: i64,
    /// Its path.
    pub file: String,
}

/// Reads a named cursor; a new name begins at 0.
///
/// # Errors
/// As every statement.
pub async fn export_cursor(
    db: &mut Db,
    campaign: CampaignId,
    name: &str,
) -> Result<ExportCursor, StoreError> {
    const READ: Sql = Sql::both(
        "select seq, until_seq, file from export_cursor where campaign_id = $1 and name = $2",
    );
    let binds = [Bind::Int(campaign.0), Bind::Text(name)];
    let rows = db.rows("reading an export cursor", &READ, &binds).await?;
    let Some(row) = rows.first() else { return Ok(ExportCursor::default()) };
    let planned = match (row.opt_int(1)?, row.opt_text(2)?) {
        (Some(until), Some(file)) => Some(PlannedExport { until, file }),
        (None | Some(_), _) => None,
    };
    Ok(ExportCursor { seq: row.int(0)?, planned })
}

/// Notes what the next file will hold, before it is written: whoever finds the note writes that very file again. `false`:
/// the cursor is not at `from` any more.
///
/// # Errors
/// As every statement.
pub async fn plan_export(
    db: &mut Db,
    campaign: CampaignId,
    name: &str,
    from: i64,
    plan: &PlannedExport,
    now: UtcMs,
) -> Result<bool, StoreError> {
    const PLAN: Sql = Sql::both(
        "insert into export_cursor (campaign_id, name, seq, until_seq, file, at_ms) \
         values ($1, $2, $3, $4, $5, $6) on conflict (campaign_id, name) do update \
         set until_seq = excluded.until_seq, file = excluded.file, at_ms = excluded.at_ms \
         where export_cursor.seq = excluded.seq and export_cursor.until_seq is null",
    );
    let binds = [
        Bind::Int(campaign.0),
        Bind::Text(name),
        Bind::Int(from),
        Bind::Int(plan.until),
        Bind::Text(&plan.file),
        Bind::Int(now.0),
    ];
    Ok(db.run("planning an export", &PLAN, &binds).await? > 0)
}

/// The planned file is in its place and on the disk. `false`: somebody else has noted so already.
///
/// # Errors
/// As every statement.
pub async fn advance_export(
    db: &mut Db,
    campaign: CampaignId,
    name: &str,
    until: i64,
    now: UtcMs,
) -> Result<bool, StoreError> {
    const ADVANCE: Sql = Sql::both(
        "update export_cursor set seq = until_seq, until_seq = null, file = null, at_ms = $4 \
         where campaign_id = $1 and name = $2 and until_seq = $3",
    );
    let binds = [Bind::Int(campaign.0), Bind::Text(name), Bind::Int(until), Bind::Int(now.0)];
    Ok(db.run("moving an export cursor", &ADVANCE, &binds).await? > 0)
}

/// One export of a name at a time, held as long as the connection. On SQLite the lock on the file is enough: both are on
/// this machine.
///
/// # Errors
/// As every statement.
pub async fn lock_export(
    db: &mut Db,
    campaign: CampaignId,
    name: &str,
) -> Result<bool, StoreError> {
    if db.engine() == Engine::Sqlite {
        return Ok(true);
    }
    const LOCK: Sql = Sql::both(
        "select cast(cast(pg_try_advisory_lock(hashtext('outdial export ' || $1 || ' ' || $2)) as int) as bigint)",
    );
    let binds = [Bind::Text(&campaign.to_string()), Bind::Text(name)];
    let rows = db.rows("locking an export", &LOCK, &binds).await?;
    rows.first().map_or(Ok(false), |row| row.flag(0))
}

/// Cells of a row.
const CELLS: usize = 27;

/// A page: `$1` cursor, `$2` campaign, `$3` rows, `$4` and `$5` what stands between cells and rows. Wrap-up: the agent's
/// first wrap-up state at or after the end, to the agent's next state. A refusal names the attempt's public reference as
/// its proof.
macro_rules! page {
    ($cursor:literal, $from:literal, $which:literal) => {
        concat!(
            "select coalesce(max(x.at), 0), count(*), string_agg(x.line, $5) from (select ",
            $cursor,
            " as at, concat_ws($4, a.public_ref, coalesce(c.external_id, ''), coalesce(c.name, ''), a.list_id, \
               a.attempt_no, a.number, a.caller_id, a.trunk, a.started_ms, coalesce(cast(a.early_ms as text), ''), \
               coalesce(cast(a.answered_ms as text), ''), coalesce(cast(a.connected_ms as text), ''), \
               coalesce(cast(a.ended_ms as text), ''), \
               case when a.connected_ms is null then '' else coalesce(cast((select \
                 (select min(n.at_ms) from agent_state n where n.agent_id = a.agent_id and n.at_ms > w.at_ms) - w.at_ms \
                 from agent_state w where w.agent_id = a.agent_id and w.state = 'wrap_up' and w.at_ms >= a.ended_ms \
                   and w.at_ms < a.ended_ms + 2000 order by w.at_ms, w.seq limit 1) as text), '') end, \
               coalesce(cast(a.agent_id as text), ''), coalesce(a.outcome, ''), coalesce(a.first_outcome, ''), \
               coalesce(cast(a.sip_status as text), ''), coalesce(cast(a.q850 as text), ''), coalesce(d.code, ''), \
               coalesce(d.memo, ''), coalesce(cast(b.due_ms as text), ''), \
               coalesce(cast(b.owner_agent_id as text), ''), a.abandoned, coalesce(cast(a.live as text), ''), \
               coalesce(a.message, ''), \
               case when exists (select 1 from suppression x where x.seller_id = a.seller_id \
                 and x.proof = a.public_ref and x.key in (a.phone_key, 'c:' || cast(a.contact_id as text))) \
                 then 1 else 0 end) as line from ",
            $from,
            " left join contact c on c.id = a.contact_id left join disposition d on d.attempt_id = a.id \
              left join callback b on d.attempt_id is not null and b.id = \
                (select max(x.id) from callback x where x.attempt_id = a.id and x.state <> 1) ",
            $which,
            " limit $3) x"
        )
    };
}

/// `+`: no index by campaign, or SQLite sorts the whole campaign for every page.
pub(super) const ALL: Sql =
    Sql::both(page!("a.id", "attempt a", "where a.id > $1 and +a.campaign_id = $2 order by a.id"));

/// `$6`: up to here. An attempt with a later change within the range comes with that one.
const CHANGED: Sql = Sql::both(page!(
    "e.seq",
    "event e cross join attempt a",
    "where e.seq > $1 and e.seq <= $6 and e.kind in ('attempt_ended', 'disposition') \
       and a.id = cast(e.ref as bigint) and a.campaign_id = $2 \
       and not exists (select 1 from event n where n.ref = e.ref and n.seq > e.seq and n.seq <= $6 \
         and n.kind in ('attempt_ended', 'disposition')) \
     order by e.seq"
));
