//! Transactions: begun for what they are to do, ended whole, and never left open.

use super::{Db, Engine};
use crate::store::error::StoreError;
use crate::store::sql::Sql;
use crate::store::tables::LOCK_ALL;

impl Db {
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
}
