//! Reads the database beside the node, on a connection of its own, to check what is durable.

use sqlx::{Connection, Row};
use sqlx_sqlite::SqliteConnection;

/// A reader of the database in memory.
#[derive(Debug)]
pub(crate) struct Eye(SqliteConnection);

/// An attempt as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttemptRow {
    pub(crate) id: i64,
    pub(crate) contact: i64,
    pub(crate) seller: i64,
    pub(crate) campaign: i64,
    pub(crate) phone_key: String,
    pub(crate) epoch: i64,
    pub(crate) counted: bool,
    pub(crate) started_ms: i64,
    pub(crate) connected_ms: Option<i64>,
    pub(crate) ended_ms: Option<i64>,
    pub(crate) outcome: Option<String>,
    pub(crate) first_outcome: Option<String>,
    pub(crate) abandoned: bool,
}

/// One window of the ledger beside the sums of its attempts' flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) campaign: i64,
    pub(crate) starts_ms: i64,
    pub(crate) cap_ppm: i64,
    /// A, D and faults.
    pub(crate) booked: [i64; 3],
    pub(crate) summed: [i64; 3],
}

impl Eye {
    pub(crate) async fn open(url: &str) -> Self {
        let mut db = SqliteConnection::connect(url).await.unwrap();
        // Reads what is there without a lock: the writer is never held up, and is never in mid-transaction when asked.
        sqlx::query("pragma read_uncommitted = 1").execute(&mut db).await.unwrap();
        Self(db)
    }

    /// The attempt under way to a number.
    pub(crate) async fn live(&mut self, key: &str) -> Option<AttemptRow> {
        let text = concat!(attempt!(), " where phone_key = $1 and ended_ms is null");
        let row = sqlx::query(text).bind(key).fetch_optional(&mut self.0).await.unwrap();
        row.map(|row| read(&row))
    }

    pub(crate) async fn attempt(&mut self, id: i64) -> Option<AttemptRow> {
        let text = concat!(attempt!(), " where id = $1");
        let row = sqlx::query(text).bind(id).fetch_optional(&mut self.0).await.unwrap();
        row.map(|row| read(&row))
    }

    pub(crate) async fn attempts(&mut self) -> Vec<AttemptRow> {
        let text = concat!(attempt!(), " order by id");
        sqlx::query(text).fetch_all(&mut self.0).await.unwrap().iter().map(read).collect()
    }

    pub(crate) async fn ledger(&mut self) -> Vec<Window> {
        let text = "select campaign_id, starts_ms, max(cap_ppm), sum(wa), sum(wd), sum(wf), sum(a), sum(d), sum(f) from ( \
              select campaign_id, starts_ms, cap_ppm, answered wa, abandoned wd, fault wf, 0 a, 0 d, 0 f \
              from abandon_window union all \
              select campaign_id, coalesce(window_ms, 0), 0, 0, 0, 0, max(booked_answered, booked_live), \
                booked_abandoned, booked_fault from attempt where booked_answered + booked_live + booked_abandoned > 0 \
            ) group by campaign_id, starts_ms order by campaign_id, starts_ms";
        let rows = sqlx::query(text).fetch_all(&mut self.0).await.unwrap();
        rows.iter()
            .map(|row| Window {
                campaign: row.get(0),
                starts_ms: row.get(1),
                cap_ppm: row.get(2),
                booked: [row.get(3), row.get(4), row.get(5)],
                summed: [row.get(6), row.get(7), row.get(8)],
            })
            .collect()
    }

    /// Attempts whose end was not known, each with a later one to the same lead on the same day in Tokyo, though no agent
    /// had said anything of the person.
    pub(crate) async fn blind_repeats(&mut self) -> Vec<(i64, i64)> {
        let text = "select a.id, b.id from attempt a join attempt b on b.lead_id = a.lead_id and b.id > a.id \
            where 'unknown' in (a.outcome, a.first_outcome) \
              and (a.ended_ms + 32400000) / 86400000 = (b.started_ms + 32400000) / 86400000 \
              and not exists (select 1 from disposition d join attempt s on s.id = d.attempt_id \
                where s.lead_id = a.lead_id) order by a.id, b.id";
        let rows = sqlx::query(text).fetch_all(&mut self.0).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Leads by state: ready, waiting, claimed, done, held, blocked.
    pub(crate) async fn leads(&mut self) -> [i64; 6] {
        let text = "select state, count(*) from lead group by state";
        let mut leads = [0; 6];
        for row in sqlx::query(text).fetch_all(&mut self.0).await.unwrap() {
            leads[usize::try_from(row.get::<i64, _>(0)).unwrap()] = row.get(1);
        }
        leads
    }

    /// Customers' legs that are not ended in the rows.
    pub(crate) async fn open_customer_legs(&mut self) -> i64 {
        let text = "select count(*) from leg where ended_ms is null and attempt_id is not null";
        sqlx::query(text).fetch_one(&mut self.0).await.unwrap().get(0)
    }

    /// Windows of the ledger that are marked as closed in debt, and those that the event log tells of: campaign and start.
    pub(crate) async fn in_debt(&mut self) -> [Vec<(i64, i64)>; 2] {
        let marked =
            "select campaign_id, starts_ms from abandon_window where closed = 2 order by 1, 2";
        let told = "select cast(ref as integer), json_extract(body, '$.starts_ms') from event \
            where kind = 'window_closed_in_debt' order by 1, 2";
        let mut both = [vec![], vec![]];
        for (windows, text) in both.iter_mut().zip([marked, told]) {
            let rows = sqlx::query(text).fetch_all(&mut self.0).await.unwrap();
            windows.extend(rows.iter().map(|row| (row.get(0), row.get(1))));
        }
        both
    }

    pub(crate) async fn close(self) {
        self.0.close().await.unwrap();
    }
}

macro_rules! attempt {
    () => {
        "select id, contact_id, seller_id, campaign_id, phone_key, node_epoch, counted, started_ms, connected_ms, \
           ended_ms, outcome, first_outcome, booked_abandoned from attempt"
    };
}
use attempt;

fn read(row: &sqlx_sqlite::SqliteRow) -> AttemptRow {
    AttemptRow {
        id: row.get(0),
        contact: row.get(1),
        seller: row.get(2),
        campaign: row.get(3),
        phone_key: row.get(4),
        // Who made it: who takes it over writes an epoch of its own.
        epoch: row.get::<i64, _>(0) >> 32,
        counted: row.get::<i64, _>(6) != 0,
        started_ms: row.get(7),
        connected_ms: row.get(8),
        ended_ms: row.get(9),
        outcome: row.get(10),
        first_outcome: row.get(11),
        abandoned: row.get::<i64, _>(12) != 0,
    }
}
