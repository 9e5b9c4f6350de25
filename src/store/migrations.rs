//! The schema, brought up to date step by step. A step that is out is never changed again.

use std::collections::BTreeSet;

use crate::logic::time::UtcMs;
use crate::store::db::{Db, Engine};
use crate::store::error::StoreError;
use crate::store::sql::{Bind, Sql};

/// One step of the schema, for both databases.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Counts from 1.
    pub version: i64,
    /// File name without folder.
    pub name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! migration {
    ($version:literal, $name:literal) => {
        Migration {
            version: $version,
            name: $name,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $name)),
            postgres: include_str!(concat!("../../migrations/postgres/", $name)),
        }
    };
}

/// Every step, in order.
pub const MIGRATIONS: &[Migration] = &[
    migration!(1, "0001_first.sql"),
    migration!(2, "0002_promises.sql"),
    migration!(3, "0003_ledger.sql"),
    migration!(4, "0004_cluster.sql"),
    migration!(6, "0006_bulk.sql"),
    migration!(7, "0007_debt.sql"),
    migration!(8, "0008_agentless.sql"),
    migration!(9, "0009_closed.sql"),
    migration!(10, "0010_promised.sql"),
];

/// What [`Db::migrate`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The schema it found; 0: none.
    pub from: i64,
    /// The schema there is now.
    pub to: i64,
}

impl Db {
    /// Brings the schema up to date, and on the first time writes the installation's identity.
    ///
    /// `fresh` is the identity a new installation gets: 16 random bytes for its name, 32 for its secret. It is not used
    /// when the database has one already.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] when a newer version wrote this database; nothing is changed then.
    pub async fn migrate(&mut self, now: UtcMs, fresh: &[u8; 48]) -> Result<Migrated, StoreError> {
        self.begin().await?;
        let done = self.migrate_steps(now, fresh).await;
        self.finish(done).await
    }

    /// Refuses a database whose schema is not exactly ours: for commands that only read.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] or [`StoreError::OlderSchema`].
    pub async fn check_schema(&mut self) -> Result<(), StoreError> {
        let known = newest();
        match self.schema_version().await? {
            found if found == known => Ok(()),
            found if found > known => Err(self.newer(found).await?),
            found => Err(StoreError::OlderSchema { found, known }),
        }
    }

    /// Inside a transaction that is begun already.
    pub(crate) async fn migrate_steps(
        &mut self,
        now: UtcMs,
        fresh: &[u8; 48],
    ) -> Result<Migrated, StoreError> {
        const LOCK: Sql = Sql {
            sqlite: "select 1",
            // One process at a time; any number does, it only has to be the same in every version.
            postgres: "select cast(pg_advisory_xact_lock(7031402) as text)",
        };
        self.rows("waiting for another migration", &LOCK, &[]).await?;
        let found = self.schema_version().await?;
        if found > newest() {
            return Err(self.newer(found).await?);
        }
        if found == 0 {
            self.script(
                "making the schema",
                "create table if not exists schema_version \
                 (version bigint primary key, name text not null, at_ms bigint not null)",
            )
            .await?;
        }
        for step in MIGRATIONS.iter().filter(|step| step.version > found) {
            let text = match self.engine() {
                Engine::Sqlite => step.sqlite,
                Engine::Postgres => step.postgres,
            };
            self.script("changing the schema", text).await?;
            const DONE: Sql =
                Sql::both("insert into schema_version (version, name, at_ms) values ($1, $2, $3)");
            let name = format!("{}{BY}{}", step.name, env!("CARGO_PKG_VERSION"));
            let binds = [Bind::Int(step.version), Bind::Text(&name), Bind::Int(now.0)];
            self.run("noting the schema", &DONE, &binds).await?;
        }
        const IDENTITY: Sql = Sql::both(
            "insert into installation (id, secret, created_ms) select $1, $2, $3 \
             where not exists (select 1 from installation)",
        );
        let (id, secret) = fresh.split_at(16);
        let binds = [Bind::Text(&hex(id)), Bind::Text(&hex(secret)), Bind::Int(now.0)];
        self.run("writing the installation's identity", &IDENTITY, &binds).await?;
        Ok(Migrated { from: found, to: newest() })
    }

    /// Which program wrote a schema that we do not know: its last step names it.
    async fn newer(&mut self, found: i64) -> Result<StoreError, StoreError> {
        const LAST: Sql =
            Sql::both("select name from schema_version order by version desc limit 1");
        let rows = self.rows("reading the schema's version", &LAST, &[]).await?;
        let name = rows.first().map_or_else(|| Ok(String::new()), |row| row.text(0))?;
        let program = name.split_once(BY).map(|(_, version)| version.to_owned());
        Ok(StoreError::NewerSchema { found, known: newest(), program })
    }

    /// 0: no schema yet.
    pub(crate) async fn schema_version(&mut self) -> Result<i64, StoreError> {
        const EXISTS: Sql = Sql {
            sqlite: "select count(*) from sqlite_master where type = 'table' and name = 'schema_version'",
            postgres: "select count(*) from pg_tables where schemaname = current_schema() and tablename = 'schema_version'",
        };
        let doing = "reading the schema's version";
        let rows = self.rows(doing, &EXISTS, &[]).await?;
        if rows.first().map_or(Ok(0), |row| row.int(0))? == 0 {
            return Ok(0);
        }
        const NEWEST: Sql = Sql::both("select coalesce(max(version), 0) from schema_version");
        self.rows(doing, &NEWEST, &[]).await?.first().map_or(Ok(0), |row| row.int(0))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// The schema of this version.
pub(crate) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |step| step.version)
}

/// The indexes that the steps make, by name.
pub(crate) fn indexes() -> BTreeSet<&'static str> {
    let mut indexes = BTreeSet::new();
    for line in MIGRATIONS.iter().flat_map(|step| step.sqlite.lines()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["create", "index", name, ..] | ["create", "unique", "index", name, ..] => {
                indexes.insert(*name);
            }
            ["drop", "index", name, ..] => {
                indexes.remove(name.trim_end_matches(';'));
            }
            _ => {}
        }
    }
    indexes
}

/// Between a step's file and the version of the program that ran it.
const BY: &str = " by outdial ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_the_folder_and_both_folders_are_alike() {
        for folder in ["sqlite", "postgres"] {
            let mut files: Vec<_> = std::fs::read_dir(format!("migrations/{folder}"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            files.sort();
            let listed: Vec<_> = MIGRATIONS.iter().map(|step| step.name).collect();
            assert_eq!(files, listed, "migrations/{folder}");
        }
        assert!(MIGRATIONS.is_sorted_by_key(|step| step.version));
        for step in MIGRATIONS {
            let at = step.version;
            assert!(step.name.starts_with(&format!("{at:04}_")), "{}", step.name);
        }
    }

    #[test]
    fn both_texts_of_a_step_make_the_same_tables() {
        for step in MIGRATIONS {
            let body = |text: &str| {
                text.lines()
                    .filter(|line| !line.starts_with("--"))
                    .map(|line| line.replace("bigint", "integer").replace(") strict;", ");"))
                    .collect::<Vec<_>>()
            };
            assert_eq!(body(step.sqlite), body(step.postgres), "{}", step.name);
        }
    }

    #[test]
    fn hexadecimal_reads_back() {
        assert_eq!(hex(&[0, 0xab, 0xff]), "00abff");
        assert_eq!(unhex("00abff"), Some(vec![0, 0xab, 0xff]));
        assert_eq!(unhex("0g"), None);
    }
}
