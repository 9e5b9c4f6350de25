//! Agents and what they did when.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::json;

use crate::logic::dialer::{AgentLeg, AgentStateRecord};
use crate::logic::ids::{AgentId, IdMaker};
use crate::logic::time::UtcMs;
use crate::store::batch::{Batch, Placed};
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::events::{Event, EventKind};
use crate::store::sql::{Bind, Sql, json_rows, sql_rows};

#[derive(Serialize)]
struct StateRow<'a> {
    agent: i64,
    at: i64,
    seq: i64,
    state: &'a str,
    reason: Option<&'a str>,
}

pub(crate) async fn write_states(
    batch: &mut Batch<'_>,
    items: &[Placed<'_, AgentStateRecord>],
) -> Result<(), StoreError> {
    let rows: Vec<_> = items
        .iter()
        .map(|(_, item)| StateRow {
            agent: item.agent.0,
            at: item.at.0,
            seq: item.seq,
            state: item.state,
            reason: item.reason.as_deref(),
        })
        .collect();
    const INSERT: Sql = sql_rows!(
        [agent int, at int, seq int, state text, reason text],
        "insert into agent_state (agent_id, at_ms, seq, node_epoch, state, reason) \
         select agent, at, seq, $2, state, reason from r where true \
         on conflict (agent_id, at_ms, seq) do nothing returning agent_id, at_ms, seq"
    );
    let binds = [Bind::Text(&json_rows(&rows)), Bind::Int(batch.epoch())];
    let mut fresh = BTreeSet::new();
    for row in batch.db.rows("writing an agent's state", &INSERT, &binds).await? {
        fresh.insert((row.int(0)?, row.int(1)?, row.int(2)?));
    }
    for row in rows.iter().filter(|row| fresh.contains(&(row.agent, row.at, row.seq))) {
        let body = json!({
            "agent": row.agent.to_string(), "state": row.state, "reason": row.reason,
        });
        batch.events.push(Event::new(UtcMs(row.at), EventKind::AgentState, row.agent, &body));
    }
    Ok(())
}

/// Takes an agent for this process and a leg of the shift, unless a process that has not ended has the agent: then its
/// name. An agent without a row is nobody's.
pub(crate) async fn take(
    batch: &mut Batch<'_>,
    leg: &AgentLeg,
) -> Result<Option<String>, StoreError> {
    const TAKE: Sql = Sql::both(
        "update agent set node_epoch = $2, leg_id = $3, held_ms = $4 where id = $1 and (node_epoch is null \
           or node_epoch = $2 \
           or not exists (select 1 from node n where n.epoch = agent.node_epoch and n.ended_ms is null))",
    );
    let (agent, epoch) = (Bind::Int(leg.agent.0), Bind::Int(batch.epoch()));
    let binds = [agent, epoch, Bind::Int(leg.leg.0), Bind::Int(leg.now.0)];
    let doing = "taking an agent";
    if batch.db.run(doing, &TAKE, &binds).await? > 0 {
        return Ok(None);
    }
    const HOLDER: Sql = Sql::both(
        "select n.name from agent a join node n on n.epoch = a.node_epoch where a.id = $1 and a.node_epoch <> $2",
    );
    let rows = batch.db.rows(doing, &HOLDER, &[agent, epoch]).await?;
    rows.first().map(|row| row.text(0)).transpose()
}

/// Frees the agents whose shift was on one of these legs (a JSON array of objects with `leg`).
pub(crate) async fn free(db: &mut Db, legs: &str) -> Result<(), StoreError> {
    const FREE: Sql = sql_rows!(
        [leg int],
        "update agent set node_epoch = null, leg_id = null, held_ms = null from r where agent.leg_id = r.leg"
    );
    db.run("freeing agents", &FREE, &[Bind::Text(legs)]).await?;
    Ok(())
}

#[derive(Serialize)]
struct NameRow<'a> {
    id: i64,
    name: &'a str,
}

/// The rows of agents by name, made where missing; in the order of `names`.
///
/// # Errors
/// [`StoreError::NoIdsLeft`]; otherwise as every statement.
pub async fn upsert_agents(
    db: &mut Db,
    ids: &mut IdMaker,
    names: &[&str],
) -> Result<Vec<AgentId>, StoreError> {
    let mut rows = Vec::with_capacity(names.len());
    for name in names {
        rows.push(NameRow { id: ids.make().ok_or(StoreError::NoIdsLeft)?, name });
    }
    db.begin().await?;
    let done = insert_agents(db, &json_rows(&rows)).await;
    db.finish(done).await
}

async fn insert_agents(db: &mut Db, json: &str) -> Result<Vec<AgentId>, StoreError> {
    const INSERT: Sql = sql_rows!(
        [id int, name text],
        "insert into agent (id, name) select id, name from r where true on conflict (name) do nothing"
    );
    db.run("writing agents", &INSERT, &[Bind::Text(json)]).await?;
    const READ: Sql = sql_rows!(
        [name text],
        "select agent.id from r join agent on agent.name = r.name order by r.row_no"
    );
    let rows = db.rows("reading agents", &READ, &[Bind::Text(json)]).await?;
    rows.iter().map(|row| row.int(0).map(AgentId)).collect()
}
