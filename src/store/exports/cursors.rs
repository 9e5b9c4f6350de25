//! Named cursors of programs that fetch results: how far each has come, and which file comes next.

use crate::logic::ids::CampaignId;
use crate::logic::time::UtcMs;
use crate::store::db::{Db, Engine};
use crate::store::error::StoreError;
use crate::store::sql::{Bind, Sql};

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
