//! A whole installation from one database to another: every row, the counters, the installation's id and secret.
//!
//! ```text
//!   from: set the mark "moved" --> keep others from writing --> read page by page ---+
//!   to:   [ begin --> schema --> must be empty --> write --> read again, compare --> commit ]
//! ```
//! The target gets everything in one transaction or nothing. The mark keeps every other program from dialing or importing on
//! the old database from then on: whoever is called from both is called twice. It is taken back when the copy fails.

use crate::logic::time::UtcMs;
use crate::store::db::{Db, Engine};
use crate::store::error::{StoreError, time};
use crate::store::nodes::refuse_moved;
use crate::store::sql::{Bind, Sql};
use crate::store::tables::{Sum, TABLES, Table, Value, Values, Walk};

/// Why there is no copy. But for [`CopyError::Unanswered`] both databases are as they were.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the databases.
    #[error("the database that is {side}: {source}")]
    Store {
        /// Which.
        side: Side,
        /// What is wrong with it.
        source: StoreError,
    },
    /// The target holds something already.
    #[error(
        "the database to copy to is not empty ({table} has rows): name one that is, nothing is ever written over; \
         if it is a copy that was not used, remove it first"
    )]
    NotEmpty {
        /// A table with rows.
        table: &'static str,
    },
    /// A dialer is at work.
    #[error(
        "dialer {name} (process {pid}) is at work on the database that is {side}, or was until a moment ago: stop it; if it \
         runs no more, try again after {}",
        time(*until)
    )]
    DialerRuns {
        /// On which.
        side: Side,
        /// Its name.
        name: String,
        /// Its process.
        pid: i64,
        /// End of its lease.
        until: UtcMs,
    },
    /// What was written is not what was read.
    #[error(
        "{table} came out different ({from} rows were read, {to} are there, or their contents differ): nothing was copied; \
         a text that the target cannot hold (a NUL character)? `outdial db check` looks at the one copied from"
    )]
    Differs {
        /// Where.
        table: &'static str,
        /// Rows read.
        from: u64,
        /// Rows found.
        to: u64,
    },
    /// The commit's answer was lost: the copy is whole, or not there.
    #[error(
        "the last answer of the database copied to was lost ({source}): look at it with `outdial db check`. If it has the \
         campaigns, it is whole: use it from now on. If it is empty, `outdial db reopen` takes the old one up again"
    )]
    Unanswered {
        /// What the driver says.
        source: StoreError,
    },
}

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Read.
    From,
    /// Written.
    To,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::From => "copied from",
            Self::To => "copied to",
        })
    }
}

/// A table that came out the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Which.
    pub table: &'static str,
    /// How many rows, compared on both sides by a sum of their hashes.
    pub rows: u64,
}

/// Copies everything from one database into an empty one; `now` is when. `told` hears of each table when it is written.
///
/// On SQLite the caller holds the dialer's lock of the file, so that no dialer runs there; on PostgreSQL leases are asked.
/// Memory: one page of rows, however large the tables are.
///
/// # Errors
/// See [`CopyError`].
pub async fn copy_installation(
    from: &mut Db,
    to: &mut Db,
    now: UtcMs,
    told: &mut dyn FnMut(Copied),
) -> Result<Vec<Copied>, CopyError> {
    from.check_schema().await.map_err(at(Side::From))?;
    mark(from, now).await?;
    match copy_marked(from, to, now, told).await {
        Ok(copied) => Ok(copied),
        // Only here the old one may not be used again unseen.
        Err(error @ CopyError::Unanswered { .. }) => Err(error),
        Err(error) => {
            // The first error is the one to tell; a mark that stays tells itself, with what to do.
            drop(reopen(from).await);
            Err(error)
        }
    }
}

/// Takes a database up again that was copied: the copy must not be in use.
///
/// # Errors
/// As every statement.
pub async fn reopen(db: &mut Db) -> Result<bool, StoreError> {
    const UNMARK: Sql = Sql::both("delete from counter where name = 'moved'");
    db.rollback_open().await?;
    Ok(db.run("taking the mark back", &UNMARK, &[]).await? > 0)
}

/// From here on no other program starts to dial or to import; whoever dials already is a reason not to copy.
async fn mark(from: &mut Db, now: UtcMs) -> Result<(), CopyError> {
    from.begin().await.map_err(at(Side::From))?;
    let done = mark_begun(from, now).await;
    match done {
        Ok(None) => from.finish(Ok(())).await.map_err(at(Side::From)),
        Ok(Some(runs)) => {
            from.rollback().await.map_err(at(Side::From))?;
            Err(runs)
        }
        Err(error) => from.finish(Err(error)).await.map_err(at(Side::From)),
    }
}

async fn mark_begun(from: &mut Db, now: UtcMs) -> Result<Option<CopyError>, StoreError> {
    // A dialer that is about to start waits here for us, or we for it.
    const HOLD: Sql = Sql::both("update counter set value = value where name = 'node_epoch'");
    let doing = "marking the database as copied";
    from.run(doing, &HOLD, &[]).await?;
    refuse_moved(from).await?;
    if let Some(runs) = at_work(from, Side::From, now).await? {
        return Ok(Some(runs));
    }
    const MARK: Sql = Sql::both("insert into counter (name, value) values ('moved', $1)");
    from.run(doing, &MARK, &[Bind::Int(now.0)]).await?;
    Ok(None)
}

/// A dialer whose lease lasts, on a database that several may use.
async fn at_work(db: &mut Db, side: Side, now: UtcMs) -> Result<Option<CopyError>, StoreError> {
    if db.engine() == Engine::Sqlite {
        return Ok(None);
    }
    const LIVE: Sql = Sql::both(
        "select name, pid, lease_until_ms from node where ended_ms is null and lease_until_ms > $1 order by epoch limit 1",
    );
    let rows = db.rows("looking for running dialers", &LIVE, &[Bind::Int(now.0)]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (name, pid, until) = (row.text(0)?, row.int(1)?, UtcMs(row.int(2)?));
    Ok(Some(CopyError::DialerRuns { side, name, pid, until }))
}

async fn copy_marked(
    from: &mut Db,
    to: &mut Db,
    now: UtcMs,
    told: &mut dyn FnMut(Copied),
) -> Result<Vec<Copied>, CopyError> {
    from.begin_reading_alone().await.map_err(at(Side::From))?;
    to.begin().await.map_err(at(Side::To))?;
    match Box::pin(copy_begun(from, to, now, told)).await {
        Ok(copied) => {
            to.finish(Ok(())).await.map_err(|source| CopyError::Unanswered { source })?;
            // It is done: what fails now spoils nothing. Without statistics the first minutes are slow, and the server's own
            // autovacuum gathers them; a reading transaction ends with its connection.
            // The locks go first: analysing looks at every table of the server's database, others' copies among them.
            drop((from.rollback().await, to.analyze().await));
            Ok(copied)
        }
        Err(error) => {
            // The first error is the one to tell; a transaction that was left open ends with its connection.
            drop(to.rollback().await);
            drop(from.rollback().await);
            Err(error)
        }
    }
}

async fn copy_begun(
    from: &mut Db,
    to: &mut Db,
    now: UtcMs,
    told: &mut dyn FnMut(Copied),
) -> Result<Vec<Copied>, CopyError> {
    to.take_time().await.map_err(at(Side::To))?;
    // The identity is overwritten below.
    to.migrate_steps(now, &[0; 48]).await.map_err(at(Side::To))?;
    if let Some(runs) = at_work(to, Side::To, now).await.map_err(at(Side::To))? {
        return Err(runs);
    }
    for table in TABLES.iter().filter(|table| !MADE_BY_MIGRATION.contains(&table.name)) {
        if !Walk::new(table).next(to).await.map_err(at(Side::To))?.is_empty() {
            return Err(CopyError::NotEmpty { table: table.name });
        }
    }
    let mut copied = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        if MADE_BY_MIGRATION.contains(&table.name) {
            table.clear(to).await.map_err(at(Side::To))?;
        }
        let sum = write(from, to, table).await?;
        told(Copied { table: table.name, rows: sum.rows });
        copied.push((table, sum));
    }
    for (table, sum) in &copied {
        let found = Sum::of(to, table).await.map_err(at(Side::To))?;
        if found != *sum {
            let (from, to) = (sum.rows, found.rows);
            return Err(CopyError::Differs { table: table.name, from, to });
        }
    }
    Ok(copied
        .into_iter()
        .map(|(table, sum)| Copied { table: table.name, rows: sum.rows })
        .collect())
}

/// One table; what was read of it.
async fn write(from: &mut Db, to: &mut Db, table: &'static Table) -> Result<Sum, CopyError> {
    let mut sum = Sum::default();
    let mut walk = Walk::new(table);
    loop {
        let mut page = walk.next(from).await.map_err(at(Side::From))?;
        if page.is_empty() {
            return Ok(sum);
        }
        page.retain(|row| !is_mark(table, row));
        for row in &page {
            sum.add(row);
        }
        table.insert(to, &page).await.map_err(at(Side::To))?;
    }
}

/// The mark says that *this* database is not to be used.
fn is_mark(table: &Table, row: &Values) -> bool {
    table.name == "counter" && row.first() == Some(&Value::Text("moved".to_owned()))
}

fn at(side: Side) -> impl Fn(StoreError) -> CopyError {
    move |source| CopyError::Store { side, source }
}

/// Tables that hold rows in an empty installation.
const MADE_BY_MIGRATION: [&str; 2] = ["installation", "counter"];
