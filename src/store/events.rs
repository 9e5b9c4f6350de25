//! The append-only log: what changed, in the order of commits, for whoever follows by a cursor.

use serde::Serialize;

use crate::logic::time::UtcMs;
use crate::store::batch::Batch;
use crate::store::error::StoreError;
use crate::store::sql::{Bind, Sql, json_rows, sql_rows};

/// One line of the log.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) at: UtcMs,
    pub(crate) kind: &'static str,
    /// The row it is about.
    pub(crate) row: i64,
    /// JSON; ids in it are strings.
    pub(crate) body: serde_json::Value,
}

#[derive(Serialize)]
struct EventRow<'a> {
    seq: i64,
    at: i64,
    kind: &'a str,
    reference: String,
    body: String,
}

/// Numbers and writes the batch's events. Must be the last statement before the commit.
pub(crate) async fn append(batch: &mut Batch<'_>) -> Result<(), StoreError> {
    if batch.events.is_empty() {
        return Ok(());
    }
    const TAKE: Sql =
        Sql::both("update counter set value = value + $1 where name = 'event' returning value");
    let doing = "writing the event log";
    let count = i64::try_from(batch.events.len()).unwrap_or(i64::MAX);
    let last = batch.db.rows(doing, &TAKE, &[Bind::Int(count)]).await?;
    let last = last.first().map_or(Ok(0), |row| row.int(0))?;
    let rows: Vec<_> = (last - count + 1..)
        .zip(&batch.events)
        .map(|(seq, event)| EventRow {
            seq,
            at: event.at.0,
            kind: event.kind,
            reference: event.row.to_string(),
            body: event.body.to_string(),
        })
        .collect();
    const APPEND: Sql = sql_rows!(
        [seq int, at int, kind text, reference text, body text],
        "insert into event (seq, at_ms, kind, ref, body) select seq, at, kind, reference, body from r"
    );
    batch.db.run(doing, &APPEND, &[Bind::Text(&json_rows(&rows))]).await?;
    Ok(())
}
