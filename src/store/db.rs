//! A connection to one of the two databases, made durable and told so.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection};
use sqlx::query::Query;
use sqlx::{ConnectOptions as _, Connection as _, Postgres};

use crate::logic::time::UtcMs;
use crate::store::copy::{CopyLines, CopyRows};
use crate::store::error::{Driver, StoreError};
use crate::store::sql::{Bind, Cell, DbRow, RowText, Sql};
use crate::store::sqlite::{OpenError, SqliteFile, cells};
use crate::store::tables::LOCK_ALL;

/// One connection. Nothing here is a pool: the runtime holds one connection for each purpose.
#[derive(Debug)]
pub struct Db {
    conn: Conn,
    url: String,
    purpose: Purpose,
    /// A transaction was begun and neither committed nor rolled back: also when the future that held it was dropped.
    in_transaction: bool,
}

#[derive(Debug)]
enum Conn {
    Sqlite(SqliteFile),
    Postgres(Box<PgConnection>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Any,
    Writer,
    Bulk,
    Checkpoints,
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
    /// Opens a database: `sqlite:FILE` (made where missing), `sqlite::memory:`, or `postgres://…`.
    ///
    /// # Errors
    /// [`StoreError::Address`] for any other text, [`StoreError::NotDurable`] when a commit could be lost, and
    /// [`StoreError::Unavailable`] when nobody answers.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::connect(url, Purpose::Any).await
    }

    /// Like [`Db::open`], for the connection that runs the dialer's commands: on SQLite it never moves the log into the
    /// file inside a commit, so somebody must call [`Db::checkpoint`] on a connection made by [`Db::open_checkpoints`].
    ///
    /// # Errors
    /// As [`Db::open`].
    pub async fn open_writer(url: &str) -> Result<Self, StoreError> {
        Self::connect(url, Purpose::Writer).await
    }

    /// Like [`Db::open`], for the connection that moves SQLite's log into its file: it never holds up a writer for longer than
    /// 60 ms.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub async fn open_checkpoints(url: &str) -> Result<Self, StoreError> {
        Self::connect(url, Purpose::Checkpoints).await
    }

    /// Like [`Db::open`], for a connection that writes many rows: on SQLite its log may grow to 64 MB before it is moved into
    /// the file, so that pages which are written again and again are moved once. Moving holds up no other writer.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub async fn open_bulk(url: &str) -> Result<Self, StoreError> {
        Self::connect(url, Purpose::Bulk).await
    }

    /// Opens the connection anew after it was lost.
    ///
    /// # Errors
    /// As [`Db::open`]; the old connection is kept then.
    pub async fn reconnect(&mut self) -> Result<(), StoreError> {
        *self = Self::connect(&self.url, self.purpose).await?;
        Ok(())
    }

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

    async fn connect(url: &str, purpose: Purpose) -> Result<Self, StoreError> {
        let conn = if let Some(address) = url.strip_prefix("sqlite:") {
            Conn::Sqlite(open_sqlite(address, purpose)?)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Conn::Postgres(Box::new(open_postgres(url, purpose).await?))
        } else {
            return Err(StoreError::Address { problem: "unknown scheme".to_owned() });
        };
        let mut db = Self { conn, url: url.to_owned(), purpose, in_transaction: false };
        db.assert_durable().await?;
        Ok(db)
    }

    /// Asks the database itself: a setting that was not taken must not be found out by a power cut.
    async fn assert_durable(&mut self) -> Result<(), StoreError> {
        match self.engine() {
            Engine::Sqlite => {
                let mode = self.setting(&Sql::both("pragma journal_mode")).await?;
                // A database in memory has no log.
                if mode != "wal" && mode != "memory" {
                    return Err(not_durable("journal_mode", mode, "wal"));
                }
                let level = self
                    .setting(&Sql::both("select cast(synchronous as text) from pragma_synchronous"))
                    .await?;
                if level != "2" {
                    return Err(not_durable("synchronous", level, "2"));
                }
            }
            Engine::Postgres => {
                let level = self.setting(&Sql::both("show synchronous_commit")).await?;
                if level != "on" && level != "remote_apply" {
                    return Err(not_durable("synchronous_commit", level, "on"));
                }
                let fsync = self.setting(&Sql::both("show fsync")).await?;
                if fsync != "on" {
                    return Err(not_durable("fsync", fsync, "on"));
                }
            }
        }
        Ok(())
    }

    async fn setting(&mut self, sql: &Sql) -> Result<String, StoreError> {
        let rows = self.rows("reading a setting", sql, &[]).await?;
        rows.first().map_or_else(|| Ok(String::new()), |row| row.text(0))
    }

    /// Begins a transaction that will write. One that was left open by a dropped future is rolled back first.
    pub(crate) async fn begin(&mut self) -> Result<(), StoreError> {
        // `immediate`: the write lock is taken now, where waiting for it is allowed, and not in mid-transaction.
        const BEGIN: Sql = Sql { sqlite: "begin immediate", postgres: "begin" };
        self.begin_by(&BEGIN).await
    }

    /// Begins a transaction that only reads: all its statements see the rows of one moment, and hold up nobody.
    pub(crate) async fn begin_reading(&mut self) -> Result<(), StoreError> {
        const BEGIN: Sql =
            Sql { sqlite: "begin", postgres: "begin isolation level repeatable read read only" };
        self.begin_by(&BEGIN).await
    }

    /// Likewise, and while it lasts nobody else writes. Waits some seconds for those who do.
    pub(crate) async fn begin_reading_alone(&mut self) -> Result<(), StoreError> {
        const BEGIN: Sql =
            Sql { sqlite: "begin immediate", postgres: "begin isolation level repeatable read" };
        const PATIENCE: Sql =
            Sql { sqlite: "select 1", postgres: "set local lock_timeout = '10s'" };
        self.begin_by(&BEGIN).await?;
        self.take_time().await?;
        for sql in [&PATIENCE, &LOCK_ALL] {
            self.run("keeping others from writing", sql, &[]).await?;
        }
        Ok(())
    }

    /// This transaction may stand still and its statements may last: another database is worked on meanwhile.
    pub(crate) async fn take_time(&mut self) -> Result<(), StoreError> {
        const STAND: Sql = Sql {
            sqlite: "select 1",
            postgres: "set local idle_in_transaction_session_timeout = 0",
        };
        const LAST: Sql = Sql { sqlite: "select 1", postgres: "set local statement_timeout = 0" };
        for sql in [&STAND, &LAST] {
            self.run("beginning a long transaction", sql, &[]).await?;
        }
        Ok(())
    }

    async fn begin_by(&mut self, begin: &Sql) -> Result<(), StoreError> {
        self.rollback_open().await?;
        self.in_transaction = true;
        if let Err(error) = self.run("beginning a transaction", begin, &[]).await {
            self.in_transaction = false;
            return Err(error);
        }
        Ok(())
    }

    /// Ends the transaction: commits what succeeded, undoes what failed.
    pub(crate) async fn finish<T>(&mut self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        match done {
            Ok(value) => {
                self.commit().await?;
                Ok(value)
            }
            Err(error) => {
                // The first error is the one to tell; what is still open is undone before the next transaction.
                drop(self.rollback().await);
                Err(error)
            }
        }
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        self.run("committing", &Sql::both("commit"), &[]).await?;
        self.in_transaction = false;
        Ok(())
    }

    pub(crate) async fn rollback(&mut self) -> Result<(), StoreError> {
        let done = self.run("rolling back", &Sql::both("rollback"), &[]).await;
        // SQLite ends a transaction by itself on some errors (full disk) and then refuses the rollback.
        if self.engine() == Engine::Postgres || done.as_ref().is_err_and(StoreError::is_retryable) {
            done?;
        }
        self.in_transaction = false;
        Ok(())
    }

    /// Undoes what a failed or dropped piece of work left open.
    pub(crate) async fn rollback_open(&mut self) -> Result<(), StoreError> {
        if self.in_transaction { self.rollback().await } else { Ok(()) }
    }

    /// Tells the planner of PostgreSQL what is in the tables after many rows came at once; SQLite needs no telling.
    pub(crate) async fn analyze(&mut self) -> Result<(), StoreError> {
        self.run("analysing tables", &Sql { sqlite: "select 1", postgres: "analyze" }, &[]).await?;
        Ok(())
    }

    /// Runs a statement and says how many rows it changed.
    pub(crate) async fn run(
        &mut self,
        doing: &'static str,
        sql: &Sql,
        binds: &[Bind<'_>],
    ) -> Result<u64, StoreError> {
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
    /// breaks off, the rest is still under way: the connection must be opened anew before anything else.
    pub(crate) async fn copy_out(
        &mut self,
        doing: &'static str,
        statement: &str,
        mut found: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let Conn::Postgres(db) = &mut self.conn else {
            return Err(StoreError::Damaged { doing, found: "COPY on SQLite".to_owned() });
        };
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
        copied
            .await
            .map_err(|error: sqlx::Error| StoreError::during(doing)(Driver::Postgres(error)))
    }

    /// Sends rows of PostgreSQL's binary COPY format, and says how many there were. SQLite has none.
    pub(crate) async fn copy(
        &mut self,
        doing: &'static str,
        sql: &'static str,
        rows: CopyRows,
    ) -> Result<u64, StoreError> {
        let Conn::Postgres(db) = &mut self.conn else {
            return Err(StoreError::Damaged { doing, found: "COPY on SQLite".to_owned() });
        };
        let during = StoreError::during(doing);
        let bytes = rows.finish();
        let copied = async {
            let mut copy = db.copy_in_raw(sql).await?;
            // A send is flushed: pieces of a size that a socket takes.
            for piece in bytes.chunks(COPY_PIECE) {
                copy.send(piece).await?;
            }
            copy.finish().await
        };
        copied.await.map_err(|error| during(Driver::Postgres(error)))
    }

    /// Runs a file of statements.
    pub(crate) async fn script(
        &mut self,
        doing: &'static str,
        text: &'static str,
    ) -> Result<(), StoreError> {
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

fn open_sqlite(address: &str, purpose: Purpose) -> Result<SqliteFile, StoreError> {
    let patience = match purpose {
        // Another writer holds the lock for one batch or one chunk of an import (half a second at most).
        Purpose::Any | Purpose::Writer | Purpose::Bulk => Duration::from_secs(2),
        // While it begins the log anew, writers wait as long as it does.
        Purpose::Checkpoints => Duration::from_millis(60),
    };
    let log_pages = LOG_PAGES.to_string();
    let own = match purpose {
        Purpose::Any | Purpose::Checkpoints => None,
        Purpose::Writer => Some(("wal_autocheckpoint", "0")),
        Purpose::Bulk => Some(("wal_autocheckpoint", log_pages.as_str())),
    };
    let cache = match purpose {
        Purpose::Any | Purpose::Checkpoints | Purpose::Writer => "-32768",
        // A smaller cache: what a long list needs more than a short one is this and little else.
        Purpose::Bulk => "-24576",
    };
    let mut pragmas = vec![
        ("journal_mode", "wal"),
        ("synchronous", "full"),
        // Rows are written by us alone, by fixed statements; the tests check the references.
        ("foreign_keys", "off"),
        // KiB, negative by SQLite's convention.
        ("cache_size", cache),
    ];
    pragmas.extend(own);
    SqliteFile::open(address, patience, &pragmas).map_err(|error| match error {
        OpenError::Address(problem) => StoreError::Address { problem },
        OpenError::Sqlite(error) => {
            StoreError::during("opening the database file")(Driver::Sqlite(error))
        }
    })
}

async fn open_postgres(url: &str, purpose: Purpose) -> Result<PgConnection, StoreError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| StoreError::Address { problem: error.to_string() })?
        .application_name("outdial")
        .statement_cache_capacity(STATEMENTS)
        // jit: compiling a plan of our size takes longer than running it.
        .options([("synchronous_commit", "on"), ("jit", "off")]);
    let options = match purpose {
        Purpose::Any | Purpose::Checkpoints => options,
        // An import holds its seller's row.
        Purpose::Bulk => options.options(LET_GO_OF_LOCKS),
        Purpose::Writer => options.options(LET_GO_OF_LOCKS).options(BY_INDEX),
    };
    options
        .disable_statement_logging()
        .connect()
        .await
        .map_err(|error| StoreError::during("connecting to PostgreSQL")(Driver::Postgres(error)))
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

const fn not_durable(setting: &'static str, found: String, wanted: &'static str) -> StoreError {
    StoreError::NotDurable { setting, found, wanted }
}

/// 64 MB of 4 KiB: past it the log is begun anew.
const LOG_PAGES: u64 = 16_384;
const COPY_PIECE: usize = 60_000;
/// A process that stands still or loses its network in mid-transaction holds rows that others wait for (the campaign's,
/// above all): the server ends its session, well before its lease is over.
const LET_GO_OF_LOCKS: [(&str, &str); 4] = [
    ("idle_in_transaction_session_timeout", "5s"),
    ("tcp_keepalives_idle", "3"),
    ("tcp_keepalives_interval", "1"),
    ("tcp_keepalives_count", "3"),
];

/// The dialer's commands are about a few rows each, which an index finds. PostgreSQL takes any JSON text for a hundred rows, and
/// would rather read a table of some ten thousand whole, every time, than look a hundred up in it (measured:
/// docs/benches.md, `outcomes-postgres`).
const BY_INDEX: [(&str, &str); 2] = [("enable_hashjoin", "off"), ("enable_mergejoin", "off")];

/// Prepared statements kept per connection: more than we have.
const STATEMENTS: usize = 256;
