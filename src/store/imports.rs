//! Contacts in: a list, chunk by chunk, each chunk one short transaction that may be repeated.
//!
//! A person is the seller's external id, else the first number. A row of a known person brings the data up to date; it
//! never revives a lead and never takes a number away. Nobody who refused is added. The same file twice adds nothing; of
//! an import that was cut off the whole file comes again, and a row that was written then says what it said.

mod known;
mod write;

use std::sync::Arc;
use std::time::Duration;

use known::KeyedRow;

use serde_json::json;

#[cfg(test)]
pub(in crate::store) use known::{PERSONS, SEEN};

use crate::logic::ids::{CampaignId, IdMaker, ListId, SellerId};
use crate::logic::phone::PhoneNumber;
use crate::logic::time::UtcMs;
use crate::store::db::{Db, Engine};
use crate::store::error::StoreError;
use crate::store::events::{Event, EventKind, append_to};
use crate::store::nodes::refuse_moved;
use crate::store::sql::{Bind, Sql};

/// One row of a list, read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportRow {
    /// Data row in the file, from 1.
    pub row_no: u64,
    /// The seller's own id of the person. Without one, the first number says who it is.
    pub external_id: Option<String>,
    /// The name to say.
    pub name: Option<String>,
    /// `ja`, `en`, ...
    pub language: Option<String>,
    /// In the order to call them; at least one.
    pub phones: Vec<ImportPhone>,
    /// Smaller is called sooner.
    pub rank: i64,
    /// Custom fields in the order of the file, as the database keeps them: `[["name","value"],…]`, without blanks.
    pub custom: String,
    /// Descriptor of its calling class.
    pub class: Arc<str>,
}

/// One number of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportPhone {
    /// What is compared.
    pub key: String,
    /// What is dialed.
    pub number: PhoneNumber,
    /// `mobile`, `fixed`, ...
    pub kind: Option<&'static str>,
    /// Digits to ask for.
    pub extension: Option<String>,
    /// IANA zones where known.
    pub zones: Arc<[String]>,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowResult {
    /// The person is new in the campaign.
    Added,
    /// The campaign knew the person; the data was brought up to date.
    Updated,
    /// An earlier row of this file is the same person.
    DuplicateInFile,
    /// The campaign knew the person, with the same data.
    DuplicateInList,
    /// The person or one of the numbers is not to be called for this seller.
    Suppressed,
}

impl RowResult {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Added,
        Self::Updated,
        Self::DuplicateInFile,
        Self::DuplicateInList,
        Self::Suppressed,
    ];

    /// The stable text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Updated => "updated",
            Self::DuplicateInFile => "duplicate_in_file",
            Self::DuplicateInList => "duplicate_in_list",
            Self::Suppressed => "suppressed",
        }
    }
}

/// One file on its way into one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportJob {
    /// Its row; 0 in a dry run.
    pub id: i64,
    /// Where the rows go.
    pub list: ListId,
    /// The list's campaign.
    pub campaign: CampaignId,
    /// The campaign's seller.
    pub seller: SellerId,
    /// The first row that was not written yet; rows before it say the same when they come again.
    pub next_row: u64,
    /// This very file was read to its end before.
    pub finished: bool,
    /// Nothing is written.
    pub dry_run: bool,
}

/// Begins to import a file, or goes on with it. `file_hash` tells files apart by their content.
///
/// # Errors
/// [`StoreError::NoIdsLeft`]; otherwise as every statement.
pub async fn begin_import(
    db: &mut Db,
    ids: &mut IdMaker,
    (seller, campaign, list): (SellerId, CampaignId, ListId),
    file_hash: &str,
    now: UtcMs,
) -> Result<ImportJob, StoreError> {
    let id = ids.make().ok_or(StoreError::NoIdsLeft)?;
    db.begin().await?;
    let done = begin(db, id, (seller, campaign, list), file_hash, now).await;
    db.finish(done).await
}

async fn begin(
    db: &mut Db,
    id: i64,
    (seller, campaign, list): (SellerId, CampaignId, ListId),
    file_hash: &str,
    now: UtcMs,
) -> Result<ImportJob, StoreError> {
    let doing = "beginning an import";
    const BEGIN: Sql = Sql::both(
        "insert into import (id, file_hash, list_id, next_row, state, started_ms) values ($1, $2, $3, 1, 'running', $4) \
         on conflict (list_id, file_hash) do nothing",
    );
    let binds = [Bind::Int(id), Bind::Text(file_hash), Bind::Int(list.0), Bind::Int(now.0)];
    if db.run(doing, &BEGIN, &binds).await? > 0 {
        let body = json!({
            "import": id.to_string(), "campaign": campaign, "list": list, "file": file_hash,
        });
        append_to(db, &[Event::new(now, EventKind::ImportStarted, id, &body)]).await?;
    }
    const READ: Sql =
        Sql::both("select id, next_row, state from import where list_id = $1 and file_hash = $2");
    let rows = db.rows(doing, &READ, &[Bind::Int(list.0), Bind::Text(file_hash)]).await?;
    let Some(row) = rows.first() else {
        return Err(StoreError::Damaged { doing, found: "no import".to_owned() });
    };
    Ok(ImportJob {
        id: row.int(0)?,
        list,
        campaign,
        seller,
        next_row: row.count(1)?,
        finished: row.text(2)? == "finished",
        dry_run: false,
    })
}

/// A try: every row is judged as it would be, nothing is written. Rows that do not exist yet (a new campaign, seller or
/// list) are given as id 0. Only one dry run at a time on a connection.
///
/// # Errors
/// As every statement.
pub async fn begin_dry_run(
    db: &mut Db,
    (seller, campaign, list): (SellerId, CampaignId, ListId),
) -> Result<ImportJob, StoreError> {
    // On disk, not in memory: a file may have millions of rows. It goes with the connection.
    const MAKE: Sql = Sql::both(
        "create temporary table if not exists import_seen (row_key text primary key, row_no bigint not null)",
    );
    db.run("beginning a dry run", &MAKE, &[]).await?;
    db.run("beginning a dry run", &Sql::both("delete from import_seen"), &[]).await?;
    Ok(ImportJob { id: 0, list, campaign, seller, next_row: 1, finished: false, dry_run: true })
}

/// Imports some rows, in the order of the file, and says of each what became of it. As many at once as
/// [`ImportPace`] says: on SQLite nobody else can write meanwhile. May be repeated.
///
/// # Errors
/// Nothing of the chunk was written, or (when the commit was not answered) all of it.
pub async fn import_rows(
    db: &mut Db,
    ids: &mut IdMaker,
    job: &ImportJob,
    rows: &[ImportRow],
) -> Result<Vec<RowResult>, StoreError> {
    let keyed: Vec<_> = rows.iter().map(KeyedRow::new).collect();
    if job.dry_run {
        let (results, _) = known::judge(db, ids, job, &keyed).await?;
        return Ok(results);
    }
    db.begin().await?;
    let done = import(db, ids, job, &keyed).await;
    db.finish(done).await
}

async fn import(
    db: &mut Db,
    ids: &mut IdMaker,
    job: &ImportJob,
    rows: &[KeyedRow<'_>],
) -> Result<Vec<RowResult>, StoreError> {
    write::lock(db, job).await?;
    refuse_moved(db).await?;
    let (results, plan) = known::judge(db, ids, job, rows).await?;
    let classes = known::classes(db, ids, job, &plan).await?;
    plan.write(db, job, &classes).await?;
    if let Some(last) = rows.last() {
        const NEXT: Sql =
            Sql::both("update import set next_row = $2 where id = $1 and next_row < $2");
        let next = i64::try_from(last.row.row_no).unwrap_or(i64::MAX).saturating_add(1);
        db.run("noting how far an import is", &NEXT, &[Bind::Int(job.id), Bind::Int(next)]).await?;
    }
    Ok(results)
}

/// The file was read to its end.
///
/// # Errors
/// As every statement.
pub async fn finish_import(db: &mut Db, job: &ImportJob, now: UtcMs) -> Result<(), StoreError> {
    let doing = "finishing an import";
    // Counted before the transaction: with a million rows it takes longer than other writers should wait.
    let counted = db.rows(doing, &COUNT, &[Bind::Int(job.list.0), Bind::Int(job.id)]).await?;
    let mut rows = serde_json::Map::new();
    for (at, result) in RowResult::ALL.iter().enumerate() {
        let count = counted.first().map_or(Ok(0), |row| row.count(at))?;
        if count > 0 {
            rows.insert(result.as_str().to_owned(), count.into());
        }
    }
    db.begin().await?;
    let done = finish(db, job, rows, now).await;
    db.finish(done).await?;
    if db.engine() == Engine::Postgres {
        // A table that grew from nothing to a million rows is planned for as empty until somebody counts it.
        db.run(doing, &Sql::both("analyze contact, phone, lead"), &[]).await?;
    }
    Ok(())
}

async fn finish(
    db: &mut Db,
    job: &ImportJob,
    rows: serde_json::Map<String, serde_json::Value>,
    now: UtcMs,
) -> Result<(), StoreError> {
    const FINISH: Sql = Sql::both(
        "update import set state = 'finished', ended_ms = $2 where id = $1 and state <> 'finished'",
    );
    let binds = [Bind::Int(job.id), Bind::Int(now.0)];
    if db.run("finishing an import", &FINISH, &binds).await? > 0 {
        let body = json!({
            "import": job.id.to_string(), "campaign": job.campaign, "list": job.list, "rows": rows,
        });
        let event = Event::new(now, EventKind::ImportFinished, job.id, &body);
        append_to(db, &[event]).await?;
    }
    Ok(())
}

/// What became of the rows of one import, a column for each of [`RowResult::ALL`]. In one pass: `group by` would sort a
/// million rows, in memory.
pub(super) const COUNT: Sql = Sql::both(
    "select count(case when result = 'added' then 1 end), count(case when result = 'updated' then 1 end), \
       count(case when result = 'duplicate_in_file' then 1 end), \
       count(case when result = 'duplicate_in_list' then 1 end), count(case when result = 'suppressed' then 1 end) \
     from import_row where list_id = $1 and import_id = $2",
);

/// How many rows a chunk has. On SQLite nobody else can write meanwhile: as many as take about 35 ms while a dialer runs,
/// and about half a second while none does, since neighbours in a larger chunk share the pages that they change. On
/// PostgreSQL, where nobody waits, as many as make a round trip worth it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportPace {
    engine: Engine,
    rows: usize,
}

impl ImportPace {
    /// For the first chunk.
    #[must_use]
    pub const fn new(engine: Engine) -> Self {
        let rows = match engine {
            Engine::Sqlite => 500,
            Engine::Postgres => MOST_ROWS_ALONE,
        };
        Self { engine, rows }
    }

    /// Rows of the next chunk.
    #[must_use]
    pub const fn rows(self) -> usize {
        self.rows
    }

    /// A chunk of so many rows took so long: the next one is made to fit, at most four times the last. `alone`: see
    /// [`nobody_waits`].
    pub fn took(&mut self, rows: usize, took: Duration, alone: bool) {
        if self.engine == Engine::Postgres {
            return;
        }
        let (time, most) =
            if alone { (CHUNK_TIME_ALONE, MOST_ROWS_ALONE) } else { (CHUNK_TIME, MOST_ROWS) };
        let fitting = (time.as_micros() * u128::try_from(rows).unwrap_or(u128::MAX))
            / took.as_micros().max(1);
        let fitting = usize::try_from(fitting).unwrap_or(usize::MAX);
        self.rows = fitting.min(rows.saturating_mul(4)).clamp(LEAST_ROWS, most);
    }
}

/// Whether nobody minds a chunk of half a second: no dialer runs on this file. On PostgreSQL nobody ever does.
///
/// # Errors
/// As every statement.
pub async fn nobody_waits(db: &mut Db, now: UtcMs) -> Result<bool, StoreError> {
    if db.engine() == Engine::Postgres {
        return Ok(true);
    }
    const LIVE: Sql =
        Sql::both("select epoch from node where ended_ms is null and lease_until_ms > $1 limit 1");
    Ok(db.rows("looking for dialers", &LIVE, &[Bind::Int(now.0)]).await?.is_empty())
}

const CHUNK_TIME: Duration = Duration::from_millis(35);
/// Whoever writes by hand meanwhile, or starts a dialer, has 2 s of patience.
const CHUNK_TIME_ALONE: Duration = Duration::from_millis(500);
/// A disk so slow that these take longer is slow for everybody.
const LEAST_ROWS: usize = 100;
const MOST_ROWS: usize = 4_000;
/// So that memory stays what it is with the shortest list that fills a chunk.
const MOST_ROWS_ALONE: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_has_its_place_in_the_count() {
        let mut rest = COUNT.sqlite;
        for result in RowResult::ALL {
            rest = rest.split_once(&format!("'{}'", result.as_str())).unwrap().1;
        }
    }

    #[test]
    fn chunks_grow_and_shrink_to_about_35_ms_and_to_half_a_second_where_nobody_dials() {
        let mut pace = ImportPace::new(Engine::Sqlite);
        pace.took(500, Duration::from_millis(4), false);
        assert_eq!(pace.rows(), 2_000, "not more than four times as many at once");
        pace.took(2_000, Duration::from_millis(5), false);
        assert_eq!(pace.rows(), 4_000);
        pace.took(4_000, Duration::from_millis(70), false);
        assert_eq!(pace.rows(), 2_000);
        pace.took(2_000, Duration::from_secs(10), false);
        assert_eq!(pace.rows(), 100);
        for rows in [400, 1_600, 6_400, 10_000] {
            pace.took(pace.rows(), Duration::from_millis(2), true);
            assert_eq!(pace.rows(), rows);
        }
        pace.took(10_000, Duration::from_secs(1), true);
        assert_eq!(pace.rows(), 5_000);
        pace.took(5_000, Duration::from_millis(500), false);
        assert_eq!(pace.rows(), 350, "a dialer has started");
        let mut postgres = ImportPace::new(Engine::Postgres);
        postgres.took(10_000, Duration::from_millis(300), false);
        assert_eq!(postgres.rows(), 10_000, "nobody waits for it");
    }
}
