//! Errors of the database, grouped by what the caller does next.

use crate::logic::time::UtcMs;

/// What the driver of either database says.
#[derive(Debug, thiserror::Error)]
pub enum Driver {
    /// SQLite.
    #[error(transparent)]
    Sqlite(rusqlite::Error),
    /// PostgreSQL.
    #[error(transparent)]
    Postgres(sqlx::Error),
}

/// What went wrong with the database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Busy, away or full. The write may or may not have landed: send it again whole, writes are idempotent.
    #[error("database {trouble} while {doing}; it is tried again")]
    Unavailable {
        /// What was tried.
        doing: &'static str,
        /// In which way.
        trouble: Trouble,
        /// What the driver says.
        source: Driver,
    },
    /// A bug or a damaged schema; retrying will not help.
    #[error("database refused while {doing}: {source}")]
    Rejected {
        /// What was tried.
        doing: &'static str,
        /// What the driver says.
        source: Driver,
    },
    /// A bug of ours; nothing was written.
    #[error("outdial failed while {doing} ({what}): this is a bug, please report it")]
    Panicked {
        /// What was tried.
        doing: &'static str,
        /// What the panic said.
        what: String,
    },
    /// A row holds what this version never writes.
    #[error(
        "while {doing}: the database holds {found:?}, which this version cannot read; was it changed by hand?"
    )]
    Damaged {
        /// What was tried.
        doing: &'static str,
        /// What was read.
        found: String,
    },
    /// The address is not one of ours.
    #[error(
        "database address: {problem}; write `sqlite:path/to/file.db` or `postgres://user@host/name`"
    )]
    Address {
        /// What is wrong with it (never the address itself: it may hold a password).
        problem: String,
    },
    /// The database was written by a newer version.
    #[error(
        "the database has schema {found}, and this is outdial {} which knows up to {known}: it needs outdial {} or later; \
         nothing was changed",
        env!("CARGO_PKG_VERSION"),
        program.as_deref().unwrap_or("of a newer version")
    )]
    NewerSchema {
        /// What the database has.
        found: i64,
        /// What we know.
        known: i64,
        /// The version of the program that made it so, if it said so.
        program: Option<String>,
    },
    /// The database has no schema yet, or an older one.
    #[error(
        "the database has schema {found}, this version needs {known}: `outdial db migrate` brings it up to date, and so does the next \
         `outdial run`"
    )]
    OlderSchema {
        /// What the database has.
        found: i64,
        /// What we need.
        known: i64,
    },
    /// A commit would not survive a power cut.
    #[error(
        "{setting} is {found:?} and must be {wanted:?}, or an outcome could be lost after it was confirmed"
    )]
    NotDurable {
        /// The setting.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// The whole installation was copied to another database: dialing from both would call people twice.
    #[error(
        "this installation was copied to another database at {}: dial from that one (`database` in outdial.toml), or, where the \
         copy is not used, take this one up again with `outdial db reopen`",
        crate::store::error::time(*at)
    )]
    Moved {
        /// When.
        at: UtcMs,
    },
    /// This process made 2^32 rows, or the installation 2^31 processes.
    #[error("this process has no ids left: restart it")]
    NoIdsLeft,
}

/// In which way a database is unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Somebody else holds a lock, or two transactions met: at once again.
    Busy,
    /// The connection is lost: open a new one first.
    Gone,
    /// The disk is full or read-only: nothing can be written until a person helps.
    Full,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Busy => "is busy",
            Self::Gone => "is away",
            Self::Full => "cannot write (full or read-only disk)",
        })
    }
}

impl StoreError {
    /// For `map_err`: sorts a driver's error by what the caller should do about it.
    pub(crate) fn during(doing: &'static str) -> impl FnOnce(Driver) -> Self {
        move |source| match trouble(&source) {
            Some(trouble) => Self::Unavailable { doing, trouble, source },
            None => Self::Rejected { doing, source },
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether the connection must be opened anew before that.
    #[must_use]
    pub const fn needs_reconnect(&self) -> bool {
        matches!(self, Self::Unavailable { trouble: Trouble::Gone, .. })
    }
}

/// A moment as people and programs read it.
pub(crate) fn time(at: UtcMs) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map_or_else(|_| at.0.to_string(), |at| format!("{at:.0}"))
}

fn trouble(error: &Driver) -> Option<Trouble> {
    match error {
        // Extended result codes: the low byte is the primary one.
        Driver::Sqlite(error) => sqlite_trouble(error.sqlite_error()?.extended_code & 0xff),
        Driver::Postgres(
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::PoolClosed,
        ) => Some(Trouble::Gone),
        Driver::Postgres(error) => postgres_trouble(&error.as_database_error()?.code()?),
    }
}

/// <https://www.sqlite.org/rescode.html>.
const fn sqlite_trouble(primary: i32) -> Option<Trouble> {
    match primary {
        // SQLITE_BUSY, SQLITE_LOCKED, SQLITE_INTERRUPT.
        5 | 6 | 9 => Some(Trouble::Busy),
        // SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN.
        8 | 10 | 13 | 14 => Some(Trouble::Full),
        _ => None,
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn postgres_trouble(state: &str) -> Option<Trouble> {
    match state {
        // serialization_failure, deadlock_detected, lock_not_available, query_canceled (a time limit).
        "40001" | "40P01" | "55P03" | "57014" => Some(Trouble::Busy),
        // read_only_sql_transaction: the server became a standby; a new connection finds the new primary.
        "25006" => Some(Trouble::Gone),
        // idle_in_transaction_session_timeout: we stood still in mid-transaction, and the server let go of our locks.
        "25P03" => Some(Trouble::Gone),
        // admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout.
        _ if state.starts_with("57P") || state.starts_with("08") => Some(Trouble::Gone),
        // insufficient_resources: disk_full, out_of_memory, too_many_connections. system_error: io_error, as SQLITE_IOERR.
        _ if state.starts_with("53") || state.starts_with("58") => Some(Trouble::Full),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_and_lost_connections_are_tried_again_and_bugs_are_not() {
        assert_eq!(sqlite_trouble(5), Some(Trouble::Busy));
        assert_eq!(sqlite_trouble(13), Some(Trouble::Full));
        assert_eq!(sqlite_trouble(19), None);
        assert_eq!(postgres_trouble("40P01"), Some(Trouble::Busy));
        assert_eq!(postgres_trouble("57P01"), Some(Trouble::Gone));
        assert_eq!(postgres_trouble("25P03"), Some(Trouble::Gone));
        assert_eq!(postgres_trouble("53100"), Some(Trouble::Full));
        assert_eq!(postgres_trouble("58030"), Some(Trouble::Full));
        assert_eq!(postgres_trouble("23505"), None);
        let during = |error| StoreError::during("testing")(Driver::Postgres(error));
        let lost = during(sqlx::Error::WorkerCrashed);
        assert!(lost.is_retryable() && lost.needs_reconnect());
        assert!(!during(sqlx::Error::RowNotFound).is_retryable());
    }
}
