//! What agents say of their calls; the last word counts.

use serde::Serialize;
use serde_json::json;

use crate::logic::dialer::{DispositionRecord, PhoneAfter};
use crate::store::audit::AuditEntry;
use crate::store::batch::{Batch, Key, Placed, rounds};
use crate::store::callbacks;
use crate::store::error::StoreError;
use crate::store::events::{Event, EventKind};
use crate::store::leads::AfterColumns;
use crate::store::ledger::{Booked, Changes};
use crate::store::outcomes::change_phones;
use crate::store::sql::{Bind, Sql, json_rows, sql_rows};
use crate::store::suppressions;

pub(crate) async fn write(
    batch: &mut Batch<'_>,
    items: &[Placed<'_, DispositionRecord>],
) -> Result<(), StoreError> {
    let keys = |(_, item): Placed<'_, DispositionRecord>| {
        let mut keys = vec![Key::Attempt(item.attempt.0), Key::Lead(item.lead.0)];
        keys.extend(item.phone.map(|change| match change {
            PhoneAfter::Suspect { phone, .. }
            | PhoneAfter::Invalid { phone }
            | PhoneAfter::Good { phone } => Key::Phone(phone.0),
        }));
        keys
    };
    for round in rounds(items, keys) {
        let records: Vec<_> = round.iter().map(|(_, item)| *item).collect();
        write_round(batch, &records).await?;
    }
    Ok(())
}

async fn write_round(
    batch: &mut Batch<'_>,
    records: &[&DispositionRecord],
) -> Result<(), StoreError> {
    let news = news(batch, records).await?;
    if news.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = news.iter().map(DispositionRow::new).collect();
    let json = json_rows(&rows);
    const DISPOSITION: Sql = sql_rows!(
        [attempt int, agent int, code text, memo text, at int],
        "insert into disposition (attempt_id, agent_id, code, memo, at_ms) \
         select attempt, agent, code, memo, at from r where true \
         on conflict (attempt_id) do update set agent_id = excluded.agent_id, code = excluded.code, \
           memo = excluded.memo, at_ms = excluded.at_ms"
    );
    const ATTEMPT: Sql = sql_rows!(
        [attempt int, live int, book_live int, window_start int],
        "update attempt set live = coalesce(r.live, attempt.live), \
           booked_live = case when r.book_live = 1 then 1 else attempt.booked_live end, \
           window_ms = case when r.book_live = 1 and attempt.booked_answered + attempt.booked_abandoned + \
             attempt.booked_fault = 0 then r.window_start else attempt.window_ms end \
         from r where attempt.id = r.attempt"
    );
    // A promise brings a lead back that was called again since, unless it is being called right now.
    const LEAD: Sql = sql_rows!(
        [attempt int, lead int, state int, due int, gate text, next_phone int, callback int, owner int],
        "update lead set state = case when lead.state = 5 then 5 else r.state end, \
           gate = case when lead.state = 5 then lead.gate else r.gate end, due_ms = r.due, \
           next_phone_id = coalesce(r.next_phone, next_phone_id), \
           owner_agent_id = case when r.callback is null then null else r.owner end, \
           claimed_by = null, claim_no = null \
         from r join attempt a on a.id = r.attempt where lead.id = r.lead \
           and (lead.fence = a.fence or (r.callback is not null and lead.state not in (2, 5)))"
    );
    let doing = "writing dispositions";
    for sql in [&DISPOSITION, &ATTEMPT, &LEAD] {
        batch.db.run(doing, sql, &[Bind::Text(&json)]).await?;
    }
    callbacks::promise(batch.db, &json).await?;
    book(batch, &news).await?;
    let phones: Vec<_> = news.iter().filter_map(|new| new.record.phone).collect();
    change_phones(batch.db, &phones).await?;
    let refusals: Vec<_> = news.iter().filter_map(|new| new.record.suppress.as_ref()).collect();
    if !refusals.is_empty() {
        suppressions::write(batch, &refusals).await?;
    }
    for new in &news {
        new.report(batch);
    }
    Ok(())
}

/// A disposition that says something its attempt's row does not.
struct News<'a> {
    record: &'a DispositionRecord,
    /// The code it corrects.
    before: Option<String>,
    /// It is the first to say that a person was there.
    book_live: bool,
    /// Its attempt's outcome has put the call into A already.
    answered: bool,
    /// The window in which its attempt's outcome booked something.
    window: Option<i64>,
}

async fn news<'a>(
    batch: &mut Batch<'_>,
    records: &[&'a DispositionRecord],
) -> Result<Vec<News<'a>>, StoreError> {
    #[derive(Serialize)]
    struct Asked {
        attempt: i64,
    }
    let asked: Vec<_> = records.iter().map(|record| Asked { attempt: record.attempt.0 }).collect();
    const FIND: Sql = sql_rows!(
        [attempt int],
        sqlite: "select r.row_no, d.at_ms, d.code, d.memo, d.agent_id, a.booked_live, a.booked_answered, \
           case when a.booked_answered + a.booked_abandoned + a.booked_fault > 0 then a.window_ms end \
         from r join attempt a on a.id = r.attempt left join disposition d on d.attempt_id = a.id order by r.row_no",
        postgres: "select r.row_no, d.at_ms, d.code, d.memo, d.agent_id, a.booked_live, a.booked_answered, \
           case when a.booked_answered + a.booked_abandoned + a.booked_fault > 0 then a.window_ms end \
         from r join attempt a on a.id = r.attempt left join disposition d on d.attempt_id = a.id order by r.row_no \
         for update of a"
    );
    let json = json_rows(&asked);
    let rows = batch.db.rows("reading dispositions", &FIND, &[Bind::Text(&json)]).await?;
    let mut news = Vec::with_capacity(rows.len());
    for row in &rows {
        let at = usize::try_from(row.int(0)?).ok();
        let Some(record) = at.and_then(|at| records.get(at)) else { continue };
        let before = row.opt_text(2)?;
        if let Some(said) = row.opt_int(1)? {
            let same = before.as_deref() == Some(record.code.as_str())
                && row.opt_text(3)? == record.memo
                && row.opt_int(4)? == record.agent.map(|agent| agent.0);
            // An older word that comes again (a repeated batch) does not undo a newer one.
            if record.at.0 < said || (record.at.0 == said && same) {
                continue;
            }
        }
        let book_live = record.live == Some(true) && !row.flag(5)?;
        let (answered, window) = (row.flag(6)?, row.opt_int(7)?);
        news.push(News { record, before, book_live, answered, window });
    }
    Ok(news)
}

impl News<'_> {
    fn report(&self, batch: &mut Batch<'_>) {
        let record = self.record;
        let body = json!({
            "attempt": record.attempt, "campaign": record.window.campaign, "lead": record.lead,
            "agent": record.agent, "code": record.code, "was": self.before, "live": record.live,
            "callback_due_ms": record.callback.as_ref().map(|callback| callback.due.0),
            "refused": record.suppress.is_some(),
        });
        let row = record.attempt.0;
        batch.events.push(Event::new(record.at, EventKind::Disposition, row, &body));
        if self.before.is_some() {
            batch.audit.push(AuditEntry {
                at: record.at,
                who: record.agent.map_or_else(
                    || "a key of the message".to_owned(),
                    |agent| format!("agent {agent}"),
                ),
                what: "disposition_corrected",
                body,
            });
        }
    }
}

#[derive(Serialize)]
struct DispositionRow<'a> {
    attempt: i64,
    lead: i64,
    agent: Option<i64>,
    code: &'a str,
    memo: Option<&'a str>,
    at: i64,
    live: Option<i64>,
    book_live: i64,
    window_start: i64,
    callback: Option<i64>,
    owner: Option<i64>,
    callback_due: Option<i64>,
    window_end: Option<i64>,
    #[serde(flatten)]
    after: AfterColumns,
}

impl<'a> DispositionRow<'a> {
    fn new(new: &News<'a>) -> Self {
        let record = new.record;
        let callback = record.callback.as_ref();
        Self {
            attempt: record.attempt.0,
            lead: record.lead.0,
            agent: record.agent.map(|agent| agent.0),
            code: &record.code,
            memo: record.memo.as_deref(),
            at: record.at.0,
            live: record.live.map(i64::from),
            book_live: i64::from(new.book_live),
            window_start: record.window.starts.0,
            callback: callback.map(|callback| callback.callback.0),
            owner: callback.and_then(|callback| callback.owner).map(|owner| owner.0),
            callback_due: callback.map(|callback| callback.due.0),
            window_end: callback.map(|callback| callback.window_end.0),
            after: AfterColumns::from(&record.after),
        }
    }
}

/// The first word that a person was there puts the call into A, unless its outcome did.
async fn book(batch: &mut Batch<'_>, news: &[News<'_>]) -> Result<(), StoreError> {
    let mut changes = Changes::default();
    for new in news.iter().filter(|new| new.book_live && !new.answered) {
        // The outcome's window where it booked already: that row exists, so its end is not needed.
        let mut window = new.record.window;
        if let Some(starts) = new.window {
            window.starts.0 = starts;
        }
        changes.add(window, Booked { answered: true, ..Booked::default() });
    }
    changes.book(batch.db).await
}
