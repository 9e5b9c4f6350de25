//! Who did what, chained by hash per process: a row that is changed or taken out breaks the chain.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::logic::time::UtcMs;
use crate::store::batch::Batch;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::migrations::hex;
use crate::store::sql::{Bind, Sql, json_rows, sql_rows};

/// One act of a person or program.
#[derive(Debug)]
pub(crate) struct AuditEntry {
    pub(crate) at: UtcMs,
    pub(crate) who: String,
    pub(crate) what: &'static str,
    pub(crate) body: serde_json::Value,
}

#[derive(Serialize)]
struct AuditRow<'a> {
    seq: i64,
    at: i64,
    who: &'a str,
    what: &'a str,
    body: String,
    prev_hash: String,
    hash: String,
}

pub(crate) async fn append(batch: &mut Batch<'_>) -> Result<(), StoreError> {
    if batch.audit.is_empty() {
        return Ok(());
    }
    const LAST: Sql =
        Sql::both("select seq, hash from audit where node_epoch = $1 order by seq desc limit 1");
    let doing = "writing the audit log";
    let epoch = batch.epoch();
    let last = batch.db.rows(doing, &LAST, &[Bind::Int(epoch)]).await?;
    let (mut seq, mut hash) = match last.first() {
        Some(row) => (row.int(0)?, row.text(1)?),
        None => (0, String::new()),
    };
    let mut rows = Vec::with_capacity(batch.audit.len());
    for entry in &batch.audit {
        seq += 1;
        let body = entry.body.to_string();
        let next = chained(&hash, epoch, seq, entry.at.0, &entry.who, entry.what, &body);
        let prev_hash = std::mem::replace(&mut hash, next.clone());
        let (at, who, what) = (entry.at.0, entry.who.as_str(), entry.what);
        rows.push(AuditRow { seq, at, who, what, body, prev_hash, hash: next });
    }
    const APPEND: Sql = sql_rows!(
        [seq int, at int, who text, what text, body text, prev_hash text, hash text],
        "insert into audit (node_epoch, seq, at_ms, who, what, body, prev_hash, hash) \
         select $2, seq, at, who, what, body, prev_hash, hash from r"
    );
    let binds = [Bind::Text(&json_rows(&rows)), Bind::Int(epoch)];
    batch.db.run(doing, &APPEND, &binds).await?;
    Ok(())
}

/// Reads the whole chain; the first row that does not fit is returned as `(node epoch, seq)`.
///
/// # Errors
/// As every statement.
pub async fn check_audit(db: &mut Db) -> Result<Option<(i64, i64)>, StoreError> {
    const NEXT: Sql = Sql::both(
        "select node_epoch, seq, at_ms, who, what, body, prev_hash, hash from audit \
         where node_epoch > $1 or (node_epoch = $1 and seq > $2) order by node_epoch, seq limit 1000",
    );
    let (mut epoch, mut seq, mut hash) = (0, 0, String::new());
    loop {
        let binds = [Bind::Int(epoch), Bind::Int(seq)];
        let rows = db.rows("checking the audit log", &NEXT, &binds).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        for row in rows {
            let (row_epoch, row_seq) = (row.int(0)?, row.int(1)?);
            if row_epoch != epoch {
                (epoch, seq, hash) = (row_epoch, 0, String::new());
            }
            let (who, what, body) = (row.text(3)?, row.text(4)?, row.text(5)?);
            let expected = chained(&hash, epoch, row_seq, row.int(2)?, &who, &what, &body);
            if row_seq != seq + 1 || row.text(6)? != hash || row.text(7)? != expected {
                return Ok(Some((epoch, row_seq)));
            }
            (seq, hash) = (row_seq, expected);
        }
    }
}

fn chained(
    previous: &str,
    epoch: i64,
    seq: i64,
    at: i64,
    who: &str,
    what: &str,
    body: &str,
) -> String {
    // A JSON array cannot be read in two ways, as joined texts could.
    let text = serde_json::json!([previous, epoch, seq, at, who, what, body]).to_string();
    hex(&Sha256::digest(text.as_bytes()))
}
