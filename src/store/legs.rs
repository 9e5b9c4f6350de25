//! Legs: what a restart needs to end every SIP dialog that an earlier process left up.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use crate::logic::dialer::{AgentLeg, LegAnswered, LegEnded, StoreReply};
use crate::logic::ids::AttemptId;
use crate::logic::time::UtcMs;
use crate::store::agents;
use crate::store::batch::{AgentJoined, Batch, Key, Placed, rounds};
use crate::store::error::StoreError;
use crate::store::events::{Event, EventKind};
use crate::store::sql::{Bind, Sql, json_rows, sql_rows};

#[derive(Serialize)]
struct AgentLegRow<'a> {
    leg: i64,
    agent: i64,
    call: &'a str,
    now: i64,
}

/// Replies by place in the batch: a leg whose agent another process has is not written.
pub(crate) async fn agent_legs(
    batch: &mut Batch<'_>,
    items: &[Placed<'_, AgentLeg>],
) -> Result<Vec<(usize, StoreReply)>, StoreError> {
    let mut replies = Vec::with_capacity(items.len());
    let mut free = Vec::with_capacity(items.len());
    for (at, leg) in items {
        match agents::take(batch, leg).await? {
            Some(by) => replies.push((*at, StoreReply::Held { by })),
            None => {
                replies.push((*at, StoreReply::Done));
                free.push(*leg);
            }
        }
    }
    let rows: Vec<_> = free
        .iter()
        .map(|leg| AgentLegRow {
            leg: leg.leg.0,
            agent: leg.agent.0,
            call: &leg.call,
            now: leg.now.0,
        })
        .collect();
    const INSERT: Sql = sql_rows!(
        [leg int, agent int, call text, now int],
        "insert into leg (id, leg_no, agent_id, node_epoch, call, started_ms) \
         select leg, 1, agent, $2, call, now from r where true on conflict (id) do nothing"
    );
    let binds = [Bind::Text(&json_rows(&rows)), Bind::Int(batch.epoch())];
    batch.db.run("writing an agent's leg", &INSERT, &binds).await?;
    Ok(replies)
}

#[derive(Serialize)]
struct AnsweredRow<'a> {
    leg: i64,
    attempt: Option<i64>,
    at: i64,
    remote_tag: &'a str,
    remote_target: &'a str,
    route_set: String,
    cseq: i64,
}

pub(crate) async fn answered(
    batch: &mut Batch<'_>,
    items: &[Placed<'_, LegAnswered>],
) -> Result<(), StoreError> {
    for round in rounds(items, |(_, leg)| vec![Key::Leg(leg.leg.0)]) {
        let rows: Vec<_> = round
            .iter()
            .map(|(_, leg)| AnsweredRow {
                leg: leg.leg.0,
                attempt: leg.attempt.map(|attempt| attempt.0),
                at: leg.at.0,
                remote_tag: &leg.dialog.remote_tag,
                remote_target: &leg.dialog.remote_target,
                route_set: json_rows(&leg.dialog.route_set),
                cseq: i64::from(leg.dialog.cseq),
            })
            .collect();
        const LEG: Sql = sql_rows!(
            [leg int, attempt int, at int, remote_tag text, remote_target text, route_set text, cseq int],
            "update leg set answered_ms = coalesce(answered_ms, r.at), remote_tag = r.remote_tag, \
               remote_target = r.remote_target, route_set = r.route_set, cseq = r.cseq \
             from r where leg.id = r.leg"
        );
        const ATTEMPT: Sql = sql_rows!(
            [attempt int, at int],
            "update attempt set answered_ms = r.at from r \
             where attempt.id = r.attempt and attempt.answered_ms is null \
             returning id, campaign_id, lead_id, answered_ms"
        );
        let json = json_rows(&rows);
        batch.db.run("writing an answer", &LEG, &[Bind::Text(&json)]).await?;
        for row in batch.db.rows("writing an answer", &ATTEMPT, &[Bind::Text(&json)]).await? {
            let attempt = row.int(0)?;
            let body = json!({
                "attempt": attempt.to_string(), "campaign": row.int(1)?.to_string(),
                "lead": row.int(2)?.to_string(),
            });
            let at = UtcMs(row.int(3)?);
            batch.events.push(Event::new(at, EventKind::AttemptAnswered, attempt, &body));
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct EndedRow {
    leg: i64,
    sip_status: Option<u16>,
    q850: Option<u8>,
    at: i64,
}

pub(crate) async fn ended(
    batch: &mut Batch<'_>,
    items: &[Placed<'_, LegEnded>],
) -> Result<(), StoreError> {
    for round in rounds(items, |(_, leg)| vec![Key::Leg(leg.leg.0)]) {
        let rows: Vec<_> = round
            .iter()
            .map(|(_, leg)| EndedRow {
                leg: leg.leg.0,
                sip_status: leg.sip_status,
                q850: leg.q850,
                at: leg.at.0,
            })
            .collect();
        const END: Sql = sql_rows!(
            [leg int, sip_status int, q850 int, at int],
            "update leg set ended_ms = r.at, sip_status = coalesce(r.sip_status, leg.sip_status), \
               q850 = coalesce(r.q850, leg.q850) \
             from r where leg.id = r.leg and leg.ended_ms is null"
        );
        let json = json_rows(&rows);
        batch.db.run("ending a leg", &END, &[Bind::Text(&json)]).await?;
        agents::free(batch.db, &json).await?;
    }
    Ok(())
}

#[derive(Serialize)]
struct ConnectedRow {
    attempt: i64,
    agent: i64,
    at: i64,
}

pub(crate) async fn connected(
    batch: &mut Batch<'_>,
    items: &[AgentJoined],
) -> Result<(), StoreError> {
    // The first connection counts, and the last agent: an agent who is lost a moment later is no row of its own, so that a
    // repeated batch finds everything as it left it.
    let mut last: BTreeMap<i64, ConnectedRow> = BTreeMap::new();
    for joined in items {
        let (attempt, agent, at) = (joined.attempt.0, joined.agent.0, joined.at.0);
        last.entry(attempt).and_modify(|row| row.agent = agent).or_insert(ConnectedRow {
            attempt,
            agent,
            at,
        });
    }
    let rows: Vec<_> = last.into_values().collect();
    // After the outcome the outcome knows best.
    const CONNECT: Sql = sql_rows!(
        [attempt int, agent int, at int],
        "update attempt set connected_ms = coalesce(connected_ms, r.at), agent_id = r.agent \
         from r where attempt.id = r.attempt and attempt.ended_ms is null \
           and (attempt.connected_ms is null or attempt.agent_id is distinct from r.agent) \
         returning id, campaign_id, lead_id, agent_id"
    );
    let doing = "connecting an agent";
    for row in batch.db.rows(doing, &CONNECT, &[Bind::Text(&json_rows(&rows))]).await? {
        let attempt = row.int(0)?;
        let at = rows.iter().find(|joined| joined.attempt == attempt).map_or(0, |joined| joined.at);
        let body = json!({
            "attempt": attempt.to_string(), "campaign": row.int(1)?.to_string(),
            "lead": row.int(2)?.to_string(), "agent": row.int(3)?.to_string(),
        });
        batch.events.push(Event::new(UtcMs(at), EventKind::AttemptConnected, attempt, &body));
    }
    let given_up: Vec<_> = items.iter().filter_map(|joined| joined.given_up).collect();
    has_agent(batch, &given_up, false).await
}

/// Notes that attempts under way have agents of their own.
pub(crate) async fn covered(
    batch: &mut Batch<'_>,
    attempts: &[AttemptId],
) -> Result<(), StoreError> {
    has_agent(batch, attempts, true).await
}

async fn has_agent(
    batch: &mut Batch<'_>,
    attempts: &[AttemptId],
    covered: bool,
) -> Result<(), StoreError> {
    if attempts.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = attempts.iter().map(|attempt| AttemptRow { attempt: attempt.0 }).collect();
    const COVER: Sql = sql_rows!(
        [attempt int],
        "update attempt set uncovered = $2 from r \
         where attempt.id = r.attempt and attempt.ended_ms is null"
    );
    let binds = [Bind::Text(&json_rows(&ids)), Bind::Int(i64::from(!covered))];
    batch.db.run("noting who has an agent", &COVER, &binds).await?;
    Ok(())
}

#[derive(Serialize)]
struct AttemptRow {
    attempt: i64,
}
