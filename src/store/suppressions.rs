//! Refusals and do-not-call entries, and the leads they block.

use serde::Serialize;
use serde_json::json;

use crate::logic::dialer::{StoreCommand, Suppress};
use crate::logic::ids::{ContactId, LeadId, SellerId};
use crate::store::audit::AuditEntry;
use crate::store::batch::{Batch, Key, rounds, run_batch};
use crate::store::callbacks;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::events::{Event, EventKind};
use crate::store::nodes::NodeIdentity;
use crate::store::sql::{Bind, Sql, json_rows, sql_rows};

/// The key of a person in the table of suppressions; no number looks like it.
pub(crate) fn person_key(contact: ContactId) -> String {
    format!("c:{contact}")
}

/// Every seller: row and name.
///
/// # Errors
/// As every statement.
pub async fn sellers(db: &mut Db) -> Result<Vec<(SellerId, String)>, StoreError> {
    const READ: Sql = Sql::both("select id, name from seller order by name");
    let rows = db.rows("reading sellers", &READ, &[]).await?;
    rows.iter().map(|row| Ok((SellerId(row.int(0)?), row.text(1)?))).collect()
}

/// A refusal that comes while no dialer runs, by a process of that epoch ([`crate::store::next_epoch`]). When this
/// returns it is durable, and no intent for that seller and number will be saved any more, by whatever dialer.
///
/// # Errors
/// As every statement.
pub async fn suppress(db: &mut Db, epoch: u32, entry: &Suppress) -> Result<(), StoreError> {
    // It places no calls: nothing is ever hashed with these.
    let node = NodeIdentity { epoch, boot: 0, installation: String::new(), secret: Vec::new() };
    let command = StoreCommand::Suppress(entry.clone());
    run_batch(db, &node, &[command]).await.map(|_| ())
}

#[derive(Serialize)]
struct SuppressionRow<'a> {
    id: i64,
    scope: &'static str,
    seller: i64,
    key: String,
    reason: &'a str,
    proof: &'a str,
    at: i64,
}

#[derive(Serialize)]
struct BlockRow<'a> {
    seller: i64,
    contact: Option<i64>,
    phone_key: Option<&'a str>,
}

/// Writes entries and blocks every lead of that person or number of that seller that is not done. A lead under way keeps
/// its lease, so that its call can still report its end; nothing new starts from it.
pub(crate) async fn write(batch: &mut Batch<'_>, items: &[&Suppress]) -> Result<(), StoreError> {
    for round in rounds(items, |item| vec![Key::Suppression(item.suppression.0)]) {
        write_round(batch, &round).await?;
    }
    Ok(())
}

async fn write_round(batch: &mut Batch<'_>, items: &[&Suppress]) -> Result<(), StoreError> {
    let rows: Vec<_> = items
        .iter()
        .flat_map(|item| {
            let row = |scope, key| SuppressionRow {
                id: item.suppression.0,
                scope,
                seller: item.seller.0,
                key,
                reason: &item.reason,
                proof: &item.proof,
                at: item.at.0,
            };
            let person = item.contact.map(|contact| row("person", person_key(contact)));
            let number = item.phone_key.clone().map(|key| row("number", key));
            [person, number]
        })
        .flatten()
        .collect();
    const INSERT: Sql = sql_rows!(
        [id int, scope text, seller int, key text, reason text, proof text, at int],
        "insert into suppression (id, scope, seller_id, key, reason, proof, at_ms) \
         select id, scope, seller, key, reason, proof, at from r where true on conflict (id, scope) do nothing \
         returning id"
    );
    let doing = "writing a refusal";
    let mut fresh = vec![];
    for row in batch.db.rows(doing, &INSERT, &[Bind::Text(&json_rows(&rows))]).await? {
        fresh.push(row.int(0)?);
    }
    let fresh: Vec<_> = items.iter().filter(|item| fresh.contains(&item.suppression.0)).collect();
    if fresh.is_empty() {
        return Ok(());
    }
    let blocks: Vec<_> = fresh
        .iter()
        .map(|item| BlockRow {
            seller: item.seller.0,
            contact: item.contact.map(|contact| contact.0),
            phone_key: item.phone_key.as_deref(),
        })
        .collect();
    // `+`: no index by seller, or SQLite reads every number of the seller.
    const BLOCK: Sql = sql_rows!(
        [seller int, contact int, phone_key text],
        "update lead set state = 5, gate = 'suppressed' where state not in (3, 5) and contact_id in \
         (select r.contact from r where r.contact is not null \
          union select p.contact_id from r join phone p on p.key = r.phone_key and +p.seller_id = r.seller) \
         returning id"
    );
    let doing = "blocking refused leads";
    let mut blocked = vec![];
    for row in batch.db.rows(doing, &BLOCK, &[Bind::Text(&json_rows(&blocks))]).await? {
        blocked.push(LeadId(row.int(0)?));
    }
    callbacks::take_back(batch.db, &blocked).await?;
    for item in fresh {
        // Never the number: it is in the row that the id names.
        let body = json!({
            "suppression": item.suppression, "seller": item.seller, "contact": item.contact,
            "number": item.phone_key.is_some(), "reason": item.reason, "proof": item.proof,
        });
        let row = item.suppression.0;
        batch.events.push(Event::new(item.at, EventKind::Suppression, row, &body));
        let who = item.proof.clone();
        batch.audit.push(AuditEntry { at: item.at, who, what: "suppress", body });
    }
    Ok(())
}
