//! The abandonment ledger: A, D and faults per campaign and window, and what a window owes when it closes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::logic::compliance::abandon_debt::owed;
use crate::logic::compliance::abandon_ledger::Account;
use crate::logic::dialer::LedgerWindow;
use crate::logic::dialer::StoreReply;
use crate::logic::ids::CampaignId;
use crate::logic::time::UtcMs;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::events::{Event, EventKind};
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
               fault = abandon_window.fault + excluded.fault, \
               closed = case when abandon_window.closed = 1 then 0 else abandon_window.closed end"
        );
        Rows::new(rows.collect()).run(db, "booking in the ledger", &BOOK).await
    }
}

/// Looks at the windows that are over, some at a time, and tells of those that owe anything: each once, whoever looks.
///
/// Nothing happens in a database at the moment in which a window ends; so it is the first heartbeat after it, of any
/// process on that database, that notices. It waits for the calls that may still be booked there, a day at most: a call whose
/// campaign nobody runs any more stays open for ever. What is booked later into a window that owed nothing has it looked at
/// again. A window that was told of is not told of again, whatever repays it.
pub(crate) async fn close(db: &mut Db, now: UtcMs) -> Result<Vec<Event>, StoreError> {
    let binds = [Bind::Int((now - SETTLES).0), Bind::Int((now - WAITS).0)];
    let mut events = vec![];
    for row in db.rows("closing windows of the ledger", &CLOSE, &binds).await? {
        if row.int(0)? == TOLD {
            events.push(in_debt(&row)?);
        }
    }
    // In any order from the database.
    events.sort_by_key(|event| (event.at, event.row));
    Ok(events)
}

macro_rules! close {
    ($locked:literal) => {
        concat!(
            // `+`: by the index of the few open calls, not by that of all calls of the campaign.
            "update abandon_window set closed = case when 1000000 * abandoned > cap_ppm * answered then 2 else 1 end \
             where (campaign_id, starts_ms) in (select w.campaign_id, w.starts_ms from abandon_window w \
                 where w.closed = 0 and w.ends_ms <= $1 and (w.ends_ms <= $2 or not exists (select 1 from attempt a \
                   where a.ended_ms is null and +a.campaign_id = w.campaign_id and +a.started_ms < w.ends_ms)) \
                 order by w.ends_ms, w.campaign_id limit 100",
            $locked,
            ") returning closed, campaign_id, starts_ms, ends_ms, cap_ppm, debt, answered, abandoned, fault"
        )
    };
}
pub(super) const CLOSE: Sql =
    Sql { sqlite: close!(""), postgres: close!(" for update skip locked") };

fn in_debt(row: &DbRow) -> Result<Event, StoreError> {
    let (campaign, ends, may_owe) = (CampaignId(row.int(1)?), UtcMs(row.int(3)?), row.count(5)?);
    let (cap_ppm, booked) = (row.count(4)?, account(row, 6)?);
    let cap = u32::try_from(cap_ppm).unwrap_or(u32::MAX);
    let body = json!({
        "campaign": campaign, "starts_ms": row.int(2)?, "ends_ms": ends.0, "cap_ppm": cap_ppm,
        "bound": if may_owe > 0 { "window" } else { "instant" }, "may_owe": may_owe,
        "answered": booked.answered, "abandoned": booked.abandoned, "fault": booked.fault,
        "debt": owed(cap, booked.answered, booked.abandoned),
    });
    Ok(Event::new(ends, EventKind::WindowInDebt, campaign.0, &body))
}

impl ChangeRow {
    fn add(&mut self, booked: Booked, by: i64) {
        self.answered += if booked.answered { by } else { 0 };
        self.abandoned += if booked.abandoned { by } else { 0 };
        self.fault += if booked.fault { by } else { 0 };
    }
}

/// `closed` of a window that the event log tells of.
const TOLD: i64 = 2;
/// From the end of a window to the first look: whoever talked then is in wrap-up, and what the agent says may repay.
const SETTLES: Duration = Duration::from_mins(10);
/// At most so long after its end a window waits for calls whose end is not known.
const WAITS: Duration = Duration::from_hours(24);
