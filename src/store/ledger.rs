//! The abandonment ledger: A, D and faults per campaign and window.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::logic::compliance::abandon_ledger::Account;
use crate::logic::dialer::LedgerWindow;
use crate::logic::dialer::StoreReply;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::rows::{RowSql, Rows, row, row_sql};
use crate::store::sql::{Bind, DbRow, Sql, json_rows, sql_rows};

/// One window to be read, by place in the batch.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Asked {
    #[serde(skip)]
    pub(crate) at: usize,
    pub(crate) campaign: i64,
    pub(crate) starts: i64,
}

/// What windows have booked, by place in the batch; a window without a row has booked nothing.
pub(crate) async fn read(
    db: &mut Db,
    asked: &[Asked],
) -> Result<Vec<(usize, StoreReply)>, StoreError> {
    const READ: Sql = sql_rows!(
        [campaign int, starts int],
        "select coalesce(w.answered, 0), coalesce(w.abandoned, 0), coalesce(w.fault, 0) \
         from r left join abandon_window w on w.campaign_id = r.campaign and w.starts_ms = r.starts order by r.row_no"
    );
    let rows = db.rows("reading the ledger", &READ, &[Bind::Text(&json_rows(asked))]).await?;
    asked
        .iter()
        .zip(&rows)
        .map(|(asked, row)| Ok((asked.at, StoreReply::Account(account(row, 0)?))))
        .collect()
}

/// A, D and faults, from three columns.
pub(crate) fn account(row: &DbRow, at: usize) -> Result<Account, StoreError> {
    Ok(Account {
        answered: row.count(at)?,
        abandoned: row.count(at + 1)?,
        fault: row.count(at + 2)?,
    })
}

/// What one attempt has booked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Booked {
    pub(crate) answered: bool,
    pub(crate) abandoned: bool,
    pub(crate) fault: bool,
}

/// Changes of windows, summed up over a round.
#[derive(Debug, Default)]
pub(crate) struct Changes(BTreeMap<(i64, i64), ChangeRow>);

row! {
    #[derive(Clone, Copy, Debug)]
    struct ChangeRow {
        campaign: i64,
        starts: i64,
        ends: i64,
        cap_ppm: i64,
        debt: i64,
        answered: i64,
        abandoned: i64,
        fault: i64,
    }
}

impl Changes {
    /// Takes back what was booked in the window that starts at `starts`; its row exists.
    pub(crate) fn subtract(&mut self, campaign: i64, starts: i64, booked: Booked) {
        if booked != Booked::default() {
            self.row(campaign, starts).add(booked, -1);
        }
    }

    pub(crate) fn add(&mut self, window: LedgerWindow, booked: Booked) {
        if booked != Booked::default() {
            let row = self.row(window.campaign.0, window.starts.0);
            row.ends = window.ends.0;
            row.cap_ppm = i64::from(window.cap_ppm);
            row.debt = i64::from(window.debt);
            row.add(booked, 1);
        }
    }

    fn row(&mut self, campaign: i64, starts: i64) -> &mut ChangeRow {
        let nothing = ChangeRow {
            campaign,
            starts,
            ends: 0,
            cap_ppm: 0,
            debt: 0,
            answered: 0,
            abandoned: 0,
            fault: 0,
        };
        self.0.entry((campaign, starts)).or_insert(nothing)
    }

    /// Writes them.
    pub(crate) async fn book(self, db: &mut Db) -> Result<(), StoreError> {
        let rows = self.0.into_values();
        let rows = rows.filter(|row| (row.answered, row.abandoned, row.fault) != (0, 0, 0));
        // In the order of the map, whichever process books. A row made by a subtraction alone exists already, so its empty
        // `ends` is never inserted.
        static BOOK: RowSql = row_sql!(
            ChangeRow,
            "insert into abandon_window (campaign_id, starts_ms, ends_ms, cap_ppm, debt, answered, abandoned, fault) \
             select r.campaign, r.starts, r.ends, r.cap_ppm, r.debt, r.answered, r.abandoned, r.fault \
             from r where true on conflict (campaign_id, starts_ms) do update set \
               debt = case when abandon_window.debt > excluded.debt then abandon_window.debt else excluded.debt end, \
               answered = abandon_window.answered + excluded.answered, \
               abandoned = abandon_window.abandoned + excluded.abandoned, \
               fault = abandon_window.fault + excluded.fault"
        );
        Rows::new(rows.collect()).run(db, "booking in the ledger", &BOOK).await
    }
}

impl ChangeRow {
    fn add(&mut self, booked: Booked, by: i64) {
        self.answered += if booked.answered { by } else { 0 };
        self.abandoned += if booked.abandoned { by } else { 0 };
        self.fault += if booked.fault { by } else { 0 };
    }
}
