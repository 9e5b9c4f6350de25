//! A connection to one of the two databases: what is asked of it and told it.

mod opening;
mod transaction;

use std::future::poll_fn;
use std::ops::ControlFlow;

use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::Query;
use sqlx::{Connection as _, Postgres};

use opening::Purpose;

use crate::logic::time::UtcMs;
use crate::store::copy::{CopyLines, CopyRows};
use crate::store::error::{Driver, StoreError};
use crate::store::sql::{Bind, Cell, DbRow, RowText, Sql};
use crate::store::sqlite::{SqliteFile, cells};

/// One connection. Nothing here is a pool: the runtime holds one connection for each purpose.
#[derive(Debug)]
pub struct Db {
    conn: Conn,
    url: String,
    purpose: Purpose,
    /// A transaction was begun and neither committed nor rolled back: also when the future that held it was dropped.
    in_transaction: bool,
    /// A COPY was begun and has not come to its end: also when the future that held it was dropped.
    in_copy: bool,
}

#[derive(Debug)]
enum Conn {
    Sqlite(SqliteFile),
    Postgres(Box<PgConnection>),
}

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file of this machine.
    Sqlite,
    /// A server.
    Postgres,
}

/// What a checkpoint found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Pages in the log.
    pub log_pages: u64,
    /// Of these, pages that are in the database file by now.
    pub done_pages: u64,
}

impl Db {
    /// Which database this is.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        match self.conn {
            Conn::Sqlite(_) => Engine::Sqlite,
            Conn::Postgres(_) => Engine::Postgres,
        }
    }

    /// What the database's own clock shows; `None` on SQLite, which has none but this machine's. Only to be compared with
    /// ours: every time in a row is handed in.
    ///
    /// # Errors
    /// As every statement.
    pub async fn clock(&mut self) -> Result<Option<UtcMs>, StoreError> {
        if self.engine() == Engine::Sqlite {
            return Ok(None);
        }
        const CLOCK: Sql =
            Sql::both("select cast(floor(extract(epoch from clock_timestamp()) * 1000) as bigint)");
        let rows = self.rows("reading the database's clock", &CLOCK, &[]).await?;
        rows.first().map(|row| row.int(0).map(UtcMs)).transpose()
    }

    /// Moves the log into the database file (SQLite; elsewhere nothing). Run it on a connection of its own, about once a
    /// second: inside a commit it costs the dialer tens of milliseconds.
    ///
    /// Nobody waits for it, but pages that are written meanwhile stay in the log, which therefore grows for as long as
    /// somebody writes without a pause. So a log past 64 MB is also begun anew: writers wait for the rest of it to be
    /// moved, a few milliseconds; where a reader of old pages is in the way, at most 60 ms, and the next time again.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be written.
    pub async fn checkpoint(&mut self) -> Result<Checkpoint, StoreError> {
        const PASSIVE: Sql = Sql::both("pragma wal_checkpoint(passive)");
        const RESTART: Sql = Sql::both("pragma wal_checkpoint(restart)");
        if self.engine() == Engine::Postgres {
            return Ok(Checkpoint::default());
        }
        let found = self.move_log(&PASSIVE).await?;
        if found.log_pages <= LOG_PAGES {
            return Ok(found);
        }
        self.move_log(&RESTART).await
    }

    async fn move_log(&mut self, sql: &Sql) -> Result<Checkpoint, StoreError> {
        let rows = self.rows("moving the log", sql, &[]).await?;
        let Some(row) = rows.first() else { return Ok(Checkpoint::default()) };
        Ok(Checkpoint { log_pages: row.count(1)?, done_pages: row.count(2)? })
    }

    /// The database's own version, for people.
    ///
    /// # Errors
    /// As every statement.
    pub async fn version(&mut self) -> Result<String, StoreError> {
        const VERSION: Sql =
            Sql { sqlite: "select sqlite_version()", postgres: "show server_version" };
        let version = self.setting(&VERSION).await?;
        Ok(match self.engine() {
            Engine::Sqlite => format!("SQLite {version}"),
            Engine::Postgres => format!("PostgreSQL {version}"),
        })
    }

    /// Writes a whole, compact copy of the database into `file`, which must be empty or not there (SQLite). It is the
    /// state of one moment; whoever writes meanwhile is neither waited for nor held up.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be written; [`StoreError::Rejected`] on PostgreSQL, which has
    /// programs of its own for this.
    pub async fn copy_into(&mut self, file: &str) -> Result<(), StoreError> {
        const COPY: Sql = Sql { sqlite: "vacuum into $1", postgres: "vacuum into" };
        let binds = [Bind::Text(file)];
        let binds = if self.engine() == Engine::Sqlite { &binds[..] } else { &[] };
        self.run("writing the backup", &COPY, binds).await?;
        Ok(())
    }

    /// Closes the connection in good order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the last bytes could not be sent.
    pub async fn close(self) -> Result<(), StoreError> {
        match self.conn {
            Conn::Sqlite(conn) => conn.close().map_err(Driver::Sqlite),
            Conn::Postgres(conn) => conn.close().await.map_err(Driver::Postgres),
        }
        .map_err(StoreError::during("closing the connection"))
    }

    async fn setting(&mut self, sql: &Sql) -> Result<String, StoreError> {
        let rows = self.rows("reading a setting", sql, &[]).await?;
        rows.first().map_or_else(|| Ok(String::new()), |row| row.text(0))
    }

    /// Tells the planner of PostgreSQL what is in the tables after many rows came at once; SQLite needs no telling.
    pub(crate) async fn analyze(&mut self) -> Result<(), StoreError> {
        self.run("analysing tables", &Sql { sqlite: "select 1", postgres: "analyze" }, &[]).await?;
        Ok(())
    }

    /// Whether a COPY was left in its middle: what the server sends next is not the answer to what is asked next. Only
    /// [`Db::reconnect`] helps; until then every statement is refused.
    pub(crate) const fn is_spent(&self) -> bool {
        self.in_copy
    }

    fn refuse_spent(&self, doing: &'static str) -> Result<(), StoreError> {
        if !self.is_spent() {
            return Ok(());
        }
        let left = sqlx::Error::Protocol("a COPY was left in its middle".to_owned());
        Err(StoreError::during(doing)(Driver::Postgres(left)))
    }

    /// Runs a statement and says how many rows it changed.
    pub(crate) async fn run(
        &mut self,
        doing: &'static str,
        sql: &Sql,
        binds: &[Bind<'_>],
    ) -> Result<u64, StoreError> {
        self.refuse_spent(doing)?;
        match &mut self.conn {
            Conn::Sqlite(file) => file.run(sql.sqlite, binds).map_err(Driver::Sqlite),
            Conn::Postgres(db) => {
                let done = query(sql, binds).execute(&mut **db).await;
                done.map(|done| done.rows_affected()).map_err(Driver::Postgres)
            }
        }
        .map_err(StoreError::during(doing))
    }

    /// Runs a statement and reads all its rows: only for those that are bounded.
    pub(crate) async fn rows(
        &mut self,
        doing: &'static str,
        sql: &Sql,
        binds: &[Bind<'_>],
    ) -> Result<Vec<DbRow>, StoreError> {
        self.refuse_spent(doing)?;
        match &mut self.conn {
            Conn::Sqlite(file) => {
                let rows = file.rows(sql.sqlite, binds).map_err(Driver::Sqlite);
                rows.map(|rows| rows.into_iter().map(DbRow::Sqlite).collect())
            }
            Conn::Postgres(db) => {
                let rows = query(sql, binds).fetch_all(&mut **db).await.map_err(Driver::Postgres);
                rows.map(|rows| rows.into_iter().map(DbRow::Postgres).collect())
            }
        }
        .map_err(StoreError::during(doing))
    }

    /// Runs a statement of SQLite once for each of `rows`. `ran` hears of the place of each, and how many rows it changed.
    pub(crate) fn run_each<'b>(
        &mut self,
        doing: &'static str,
        text: RowText<'static>,
        rows: impl Iterator<Item = impl AsRef<[Bind<'b>]>>,
        ran: impl FnMut(usize, u64),
    ) -> Result<(), StoreError> {
        let Conn::Sqlite(file) = &mut self.conn else { return Err(not_on_postgres(doing)) };
        let done = file.run_each(text, rows, ran);
        done.map_err(|error| StoreError::during(doing)(Driver::Sqlite(error)))
    }

    /// Adds rows to the table and columns of SQLite that `into` names, in a transaction: where one is refused it must be
    /// rolled back.
    pub(crate) fn insert<'b, const N: usize>(
        &mut self,
        doing: &'static str,
        into: &'static str,
        rows: impl Iterator<Item = [Bind<'b>; N]>,
    ) -> Result<(), StoreError> {
        let Conn::Sqlite(file) = &mut self.conn else { return Err(not_on_postgres(doing)) };
        let done = file.insert(into, rows);
        done.map_err(|error| StoreError::during(doing)(Driver::Sqlite(error)))
    }

    /// Asks SQLite once for each of `rows`; `found` hears of every row of the answers, with the place of its question.
    pub(crate) fn ask_each<'b>(
        &mut self,
        doing: &'static str,
        text: RowText<'static>,
        rows: impl Iterator<Item = impl AsRef<[Bind<'b>]>>,
        mut found: impl FnMut(usize, DbRow) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Conn::Sqlite(file) = &mut self.conn else { return Err(not_on_postgres(doing)) };
        let mut told = Ok(());
        let asked = file.ask_each(text, rows, |place, row| {
            if told.is_ok() {
                told = found(place, DbRow::Sqlite(row));
            }
        });
        asked.map_err(|error| StoreError::during(doing)(Driver::Sqlite(error)))?;
        told
    }

    /// Which of the keys an index of SQLite has: `text` asks for the first one at or behind its last parameter.
    pub(crate) fn present<'k>(
        &mut self,
        doing: &'static str,
        text: &'static str,
        first: &[Bind<'_>],
        mut keys: Vec<&'k str>,
    ) -> Result<Vec<&'k str>, StoreError> {
        let Conn::Sqlite(file) = &mut self.conn else { return Err(not_on_postgres(doing)) };
        keys.sort_unstable();
        let present = file.present(text, first, &keys);
        present.map_err(|error| StoreError::during(doing)(Driver::Sqlite(error)))
    }

    /// Runs a statement of SQLite; `found` sees the first `N` cells of each row, until it breaks off.
    pub(crate) fn visit<const N: usize>(
        &mut self,
        doing: &'static str,
        text: &'static str,
        binds: &[Bind<'_>],
        mut found: impl FnMut([Cell<'_>; N]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let Conn::Sqlite(file) = &mut self.conn else { return Err(not_on_postgres(doing)) };
        let visited = file.visit(text, binds, |row| Ok(found(cells(row)?)));
        visited.map_err(|error| StoreError::during(doing)(Driver::Sqlite(error)))
    }

    /// Runs a `copy … to stdout` of PostgreSQL; `found` sees each line of its text, without the end of the line. Where it
    /// breaks off the rest is still under way, and of a refusal the driver leaves the last message unread: then the
    /// connection is spent.
    pub(crate) async fn copy_out(
        &mut self,
        doing: &'static str,
        statement: &str,
        mut found: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, StoreError> {
        self.refuse_spent(doing)?;
        let Conn::Postgres(db) = &mut self.conn else {
            return Err(StoreError::Damaged { doing, found: "COPY on SQLite".to_owned() });
        };
        self.in_copy = true;
        let copied = async {
            let mut rows = db.copy_out_raw(statement).await?;
            let (mut lines, mut end) = (CopyLines::default(), ControlFlow::Continue(()));
            while end.is_continue() {
                let piece = poll_fn(|context| rows.as_mut().poll_next(context)).await;
                let Some(piece) = piece else { break };
                lines.take(&piece?, |line| {
                    if end.is_continue() {
                        end = found(line);
                    }
                });
            }
            Ok(end)
        };
        let copied: Result<_, sqlx::Error> = copied.await;
        self.in_copy = !matches!(copied, Ok(ControlFlow::Continue(())));
        copied.map_err(|error| StoreError::during(doing)(Driver::Postgres(error)))
    }

    /// Sends rows of PostgreSQL's binary COPY format, and says how many there were. SQLite has none.
    pub(crate) async fn copy(
        &mut self,
        doing: &'static str,
        sql: &'static str,
        rows: CopyRows,
    ) -> Result<u64, StoreError> {
        self.refuse_spent(doing)?;
        let Conn::Postgres(db) = &mut self.conn else {
            return Err(StoreError::Damaged { doing, found: "COPY on SQLite".to_owned() });
        };
        self.in_copy = true;
        let bytes = rows.finish();
        let copied = async {
            let mut copy = db.copy_in_raw(sql).await?;
            // A send is flushed: pieces of a size that a socket takes.
            for piece in bytes.chunks(COPY_PIECE) {
                copy.send(piece).await?;
            }
            copy.finish().await
        };
        let copied: Result<_, sqlx::Error> = copied.await;
        // Here the driver reads a refusal to its end.
        self.in_copy = copied.as_ref().is_err_and(|error| error.as_database_error().is_none());
        copied.map_err(|error| StoreError::during(doing)(Driver::Postgres(error)))
    }

    /// Runs a file of statements.
    pub(crate) async fn script(
        &mut self,
        doing: &'static str,
        text: &'static str,
    ) -> Result<(), StoreError> {
        self.refuse_spent(doing)?;
        match &mut self.conn {
            Conn::Sqlite(file) => file.script(text).map_err(Driver::Sqlite),
            Conn::Postgres(db) => {
                let done = sqlx::raw_sql(text).execute(&mut **db).await;
                done.map(|_| ()).map_err(Driver::Postgres)
            }
        }
        .map_err(StoreError::during(doing))
    }
}

fn query<'q>(sql: &Sql, binds: &'q [Bind<'q>]) -> Query<'q, Postgres, PgArguments> {
    let mut query = sqlx::query::<Postgres>(sql.postgres);
    for bind in binds {
        query = match bind {
            Bind::Int(value) => query.bind(*value),
            Bind::Text(value) => query.bind(*value),
            Bind::Null => query.bind(None::<&str>),
        };
    }
    query
}

fn not_on_postgres(doing: &'static str) -> StoreError {
    StoreError::Damaged { doing, found: "PostgreSQL".to_owned() }
}

/// 64 MB of 4 KiB: past it the log is begun anew.
const LOG_PAGES: u64 = 16_384;
const COPY_PIECE: usize = 60_000;
