//! Opening a connection: made durable, told so, and fit for what it is for.

use std::str::FromStr;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use super::{Conn, Db, Engine, LOG_PAGES};
use crate::store::error::{Driver, StoreError};
use crate::store::sql::Sql;
use crate::store::sqlite::{OpenError, SqliteFile};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Any,
    Writer,
    Bulk,
    Checkpoints,
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

    async fn connect(url: &str, purpose: Purpose) -> Result<Self, StoreError> {
        let conn = if let Some(address) = url.strip_prefix("sqlite:") {
            Conn::Sqlite(open_sqlite(address, purpose)?)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Conn::Postgres(Box::new(open_postgres(url, purpose).await?))
        } else {
            return Err(StoreError::Address { problem: "unknown scheme".to_owned() });
        };
        let url = url.to_owned();
        let mut db = Self { conn, url, purpose, in_transaction: false, in_copy: false };
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

const fn not_durable(setting: &'static str, found: String, wanted: &'static str) -> StoreError {
    StoreError::NotDurable { setting, found, wanted }
}

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
