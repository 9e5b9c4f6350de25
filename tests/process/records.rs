//! What the database says after all: read with SQL of our own, so that a mistake in the store's reading cannot hide one
//! in its writing.

use std::collections::BTreeMap;
use std::path::Path;

use outdial::logic::ids::LegId;
use outdial::logic::sip::user_agent::Identity;
use sqlx::Connection;
use sqlx::Row;
use sqlx_sqlite::SqliteConnection;

/// The rows that the proofs look at.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) attempts: Vec<Attempt>,
    /// Call-ID of each customer leg, and its attempt.
    pub(crate) calls: BTreeMap<String, i64>,
    /// Leads by state.
    pub(crate) leads: BTreeMap<i64, usize>,
    /// Legs without an end.
    pub(crate) open_legs: usize,
    /// By attempt.
    pub(crate) dispositions: BTreeMap<i64, String>,
}

/// One attempt.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) id: i64,
    pub(crate) lead: i64,
    pub(crate) number: String,
    pub(crate) outcome: Option<String>,
    pub(crate) counted: bool,
    pub(crate) ended: bool,
}

/// Lead states as stored: ready to be dialed, and kept by a process.
pub(crate) const READY: i64 = 0;
pub(crate) const CLAIMED: i64 = 2;

impl Records {
    pub(crate) fn read(database: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut db =
                SqliteConnection::connect(&format!("sqlite:{}", database.display())).await.unwrap();
            let records = read(&mut db).await;
            db.close().await.unwrap();
            records
        })
    }

    /// Reads a copy of what a killed process left: the next one must find it untouched.
    pub(crate) fn read_copy(database: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy.db");
        for suffix in ["", "-wal"] {
            let with = |path: &Path| {
                let mut path = path.as_os_str().to_owned();
                path.push(suffix);
                path
            };
            if Path::new(&with(database)).exists() {
                std::fs::copy(with(database), with(&copy)).unwrap();
            }
        }
        Self::read(&copy)
    }

    /// How many attempts ended so.
    pub(crate) fn outcomes(&self) -> BTreeMap<String, usize> {
        let mut count = BTreeMap::new();
        for attempt in &self.attempts {
            *count
                .entry(attempt.outcome.clone().unwrap_or_else(|| "none".to_owned()))
                .or_default() += 1;
        }
        count
    }
}

async fn read(db: &mut SqliteConnection) -> Records {
    let attempts = sqlx::query(
        "select id, lead_id, number, outcome, counted, ended_ms is not null as ended from attempt order by id",
    );
    let attempts = attempts.fetch_all(&mut *db).await.unwrap();
    let attempts = attempts.iter().map(|row| Attempt {
        id: row.get(0),
        lead: row.get(1),
        number: row.get(2),
        outcome: row.get(3),
        counted: row.get(4),
        ended: row.get(5),
    });
    let attempts = attempts.collect();
    let installation =
        sqlx::query("select id, secret from installation").fetch_one(&mut *db).await.unwrap();
    let secret = unhex(installation.get(1));
    let legs = sqlx::query(
        "select leg.id, node.boot, leg.attempt_id, leg.ended_ms from leg join node on node.epoch = leg.id >> 32",
    );
    let mut calls = BTreeMap::new();
    let mut open_legs = 0;
    for row in legs.fetch_all(&mut *db).await.unwrap() {
        let boot: i64 = row.get(1);
        let identity = Identity {
            installation: installation.get(0),
            secret: secret.clone(),
            boot: u64::from_ne_bytes(boot.to_ne_bytes()),
        };
        let leg: i64 = row.get(0);
        if let Some(attempt) = row.get::<Option<i64>, _>(2) {
            let call_id = identity.call_id(LegId(leg));
            assert!(calls.insert(call_id, attempt).is_none(), "two legs with one Call-ID");
        }
        open_legs += usize::from(row.get::<Option<i64>, _>(3).is_none());
    }
    let leads = sqlx::query("select state, count(*) from lead group by state");
    let leads = leads.fetch_all(&mut *db).await.unwrap();
    let dispositions = sqlx::query("select attempt_id, code from disposition");
    let dispositions = dispositions.fetch_all(&mut *db).await.unwrap();
    Records {
        attempts,
        calls,
        leads: leads.iter().map(|row| (row.get(0), count(row.get(1)))).collect(),
        open_legs,
        dispositions: dispositions.iter().map(|row| (row.get(0), row.get(1))).collect(),
    }
}

fn count(n: i64) -> usize {
    usize::try_from(n).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()
}
