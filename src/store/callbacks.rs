//! Promised calls: made by a disposition, kept by the next call that counts, taken back by a correction or a refusal.
//!
//! `lead.promised` says whether one is open: such leads are not in the index of those that any claim may take, so that
//! no claim walks over them again and again while their agents are away. `lead.promised_ms` is when the earliest one is
//! due: promised calls are claimed by it, class by class.

use crate::logic::dialer::Promises;
use crate::logic::ids::{CampaignId, LeadId};
use crate::logic::time::UtcMs;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::rows::{RowSql, Rows, row, row_sql};
use crate::store::sql::{Bind, Sql, json_rows, sql_rows};

/// Writes the promises of dispositions. A corrected disposition takes back the one before; who has refused is promised
/// nothing.
pub(crate) async fn promise(db: &mut Db, dispositions: &str) -> Result<(), StoreError> {
    const REPLACE: Sql = sql_rows!(
        [attempt int, callback int],
        "update callback set state = 1 from r where callback.attempt_id = r.attempt and callback.state = 0 \
           and (r.callback is null or callback.id <> r.callback)"
    );
    const INSERT: Sql = sql_rows!(
        [attempt int, lead int, callback int, owner int, callback_due int, window_end int],
        "insert into callback (id, attempt_id, lead_id, owner_agent_id, due_ms, window_end_ms) \
         select r.callback, r.attempt, r.lead, r.owner, r.callback_due, r.window_end \
         from r join lead l on l.id = r.lead where r.callback is not null and l.state <> 5 \
         on conflict (id) do nothing"
    );
    const MARK: Sql = sql_rows!(
        [lead int],
        "update lead set promised = case when f.due is null then 0 else 1 end, promised_ms = f.due \
         from (select r.lead, (select min(b.due_ms) from callback b where b.lead_id = r.lead and b.state = 0) as due from r) f \
         where lead.id = f.lead and lead.promised_ms is distinct from f.due"
    );
    for sql in [&REPLACE, &INSERT, &MARK] {
        db.run("writing promised calls", sql, &[Bind::Text(dispositions)]).await?;
    }
    Ok(())
}

row! {
    /// A call that counts was made with this lead.
    pub(crate) struct Kept {
        pub(crate) attempt: i64,
        pub(crate) lead: i64,
    }
}

/// What was promised before a call that counts is kept, whatever came of it.
pub(crate) async fn keep(db: &mut Db, calls: Vec<Kept>) -> Result<(), StoreError> {
    static KEEP: RowSql = row_sql!(
        Kept,
        "update callback set state = 2 from r where callback.lead_id = r.lead and callback.state = 0 \
           and callback.attempt_id <> r.attempt"
    );
    static FREE: RowSql = row_sql!(
        Kept,
        "update lead set \
           owner_agent_id = case when exists (select 1 from callback b where b.lead_id = r.lead and b.state = 0) \
             then lead.owner_agent_id end, \
           promised = case when exists (select 1 from callback b where b.lead_id = r.lead and b.state = 0) then 1 else 0 end, \
           promised_ms = (select min(b.due_ms) from callback b where b.lead_id = r.lead and b.state = 0) \
         from r where lead.id = r.lead and (lead.promised = 1 or lead.owner_agent_id is not null)"
    );
    let calls = Rows::new(calls);
    for sql in [&KEEP, &FREE] {
        calls.run(db, "keeping promised calls", sql).await?;
    }
    Ok(())
}

/// Takes back what was promised to people who are not called any more.
pub(crate) async fn take_back(db: &mut Db, leads: &[LeadId]) -> Result<(), StoreError> {
    if leads.is_empty() {
        return Ok(());
    }
    #[derive(serde::Serialize)]
    struct LeadRow {
        lead: i64,
    }
    let rows: Vec<_> = leads.iter().map(|lead| LeadRow { lead: lead.0 }).collect();
    const CLOSE: Sql = sql_rows!(
        [lead int],
        "update callback set state = 1 from r where callback.lead_id = r.lead and callback.state = 0"
    );
    const FREE: Sql = sql_rows!(
        [lead int],
        "update lead set promised = 0, promised_ms = null from r where lead.id = r.lead and lead.promised = 1"
    );
    let json = json_rows(&rows);
    for sql in [&CLOSE, &FREE] {
        db.run("taking promised calls back", sql, &[Bind::Text(&json)]).await?;
    }
    Ok(())
}

/// How the promises of a campaign stand.
///
/// # Errors
/// As every statement.
pub async fn promises(
    db: &mut Db,
    campaign: CampaignId,
    now: UtcMs,
) -> Result<Promises, StoreError> {
    // From the promises to their leads: SQLite would walk every lead of the campaign.
    macro_rules! count {
        ($from:literal) => {
            concat!(
                "select count(*), cast(coalesce(sum(case when b.due_ms <= $2 then 1 else 0 end), 0) as bigint), \
                   cast(coalesce(sum(case when b.window_end_ms <= $2 then 1 else 0 end), 0) as bigint) from ",
                $from,
                " on l.id = b.lead_id where b.state = 0 and l.campaign_id = $1"
            )
        };
    }
    const COUNT: Sql = Sql {
        sqlite: count!("callback b indexed by callback_due cross join lead l"),
        postgres: count!("callback b join lead l"),
    };
    let binds = [Bind::Int(campaign.0), Bind::Int(now.0)];
    let rows = db.rows("counting promised calls", &COUNT, &binds).await?;
    let Some(row) = rows.first() else { return Ok(Promises::default()) };
    Ok(Promises { open: row.count(0)?, due: row.count(1)?, overdue: row.count(2)? })
}
