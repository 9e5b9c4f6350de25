//! What dead processes left open: taken by exactly one of those that live, ended by its dialer, never forgotten.
//!
//! Dead is a process that has ended: it said so, a later start of the same name said so, or somebody whose patience was
//! over did ([`Look::take_lapsed`]). From then on it can write no intent. Its attempts and legs are taken by writing our
//! own epoch into them; who made them stays in their ids (`epoch << 32 | counter`), and with it what a CANCEL or BYE needs.
//! Should we die too, the next one finds them among ours.

use std::collections::BTreeMap;

use serde_json::json;

use crate::logic::dialer::{CampaignState, Look, OpenAttempt, OpenLeg, OpenWork, Seen};
use crate::logic::ids::{AttemptId, CampaignId, ContactId, LeadId, LegId};
use crate::logic::sip::user_agent::RemoteDialog;
use crate::logic::time::UtcMs;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::events::{Event, EventKind, append_to};
use crate::store::leads::phone;
use crate::store::nodes::{NodeIdentity, own_lease};
use crate::store::sql::{Bind, DbRow, Sql, json_rows};

/// Takes over as `look` says, in a transaction of its own: for a start, before there is a store task.
///
/// # Errors
/// As every statement; [`StoreError::Damaged`] for rows we never write.
pub async fn take_over(db: &mut Db, node: &NodeIdentity, look: &Look) -> Result<Seen, StoreError> {
    db.begin().await?;
    let mut events = vec![];
    let done = match look_around(db, node, look, &mut events).await {
        Ok(seen) => append_to(db, &events).await.map(|()| seen),
        Err(error) => Err(error),
    };
    db.finish(done).await
}

/// See [`Look`].
pub(crate) async fn look_around(
    db: &mut Db,
    node: &NodeIdentity,
    look: &Look,
    events: &mut Vec<Event>,
) -> Result<Seen, StoreError> {
    let campaigns = json_rows(&look.campaigns.iter().map(|id| id.0).collect::<Vec<_>>());
    let mut leads = 0;
    // Who is dead himself takes nothing.
    if own_lease(db, node).await?.is_some() {
        if look.take_lapsed {
            end_lapsed(db, node, look.now, events).await?;
        }
        leads = take_leads(db, node).await?;
        take_calls(db, node, &campaigns).await?;
    }
    Ok(Seen {
        campaigns: states(db, &campaigns).await?,
        work: open_work(db, node, &campaigns).await?,
        leads,
    })
}

/// Ends the processes whose lease is over. One whose row is locked is at work, or being ended by somebody else.
async fn end_lapsed(
    db: &mut Db,
    node: &NodeIdentity,
    now: UtcMs,
    events: &mut Vec<Event>,
) -> Result<(), StoreError> {
    const END: Sql = Sql {
        sqlite: "update node set ended_ms = $2 \
             where ended_ms is null and lease_until_ms <= $2 and epoch <> $1 returning epoch, name",
        postgres: "update node set ended_ms = $2 where epoch in (select epoch from node \
               where ended_ms is null and lease_until_ms <= $2 and epoch <> $1 order by epoch for update skip locked) \
             returning epoch, name",
    };
    let binds = [Bind::Int(i64::from(node.epoch)), Bind::Int(now.0)];
    for row in db.rows("ending dead processes", &END, &binds).await? {
        let epoch = row.int(0)?;
        let body = json!({
            "node": row.text(1)?, "epoch": epoch.to_string(), "by": node.epoch.to_string(),
        });
        events.push(Event::new(now, EventKind::NodeEnded, epoch, &body));
    }
    Ok(())
}

/// Gives back the leads that dead processes had claimed and never called. Those with an open attempt wait for its outcome.
async fn take_leads(db: &mut Db, node: &NodeIdentity) -> Result<u64, StoreError> {
    const TAKE: Sql = Sql {
        sqlite: "update lead set state = 0, claimed_by = null, claim_no = null where state = 2 and claimed_by in \
               (select epoch from node where epoch <> $1 and ended_ms is not null) \
             and not exists (select 1 from attempt a where a.lead_id = lead.id and a.ended_ms is null)",
        postgres: "update lead set state = 0, claimed_by = null, claim_no = null where id in \
               (select l.id from lead l join node n on n.epoch = l.claimed_by where l.state = 2 and l.claimed_by <> $1 \
                 and n.ended_ms is not null \
                 and not exists (select 1 from attempt a where a.lead_id = l.id and a.ended_ms is null) \
                order by l.id for update of l skip locked)",
    };
    let epoch = Bind::Int(i64::from(node.epoch));
    db.run("giving back leads of dead processes", &TAKE, &[epoch]).await
}

/// Makes the open attempts of our campaigns ours, and every open leg: whoever is left ringing is not to wait for a process
/// that knows the campaign.
async fn take_calls(db: &mut Db, node: &NodeIdentity, campaigns: &str) -> Result<(), StoreError> {
    const ATTEMPTS: Sql = Sql {
        sqlite: "update attempt set node_epoch = $1 where ended_ms is null and node_epoch in \
               (select epoch from node where epoch <> $1 and ended_ms is not null) \
             and campaign_id in (select value from json_each($2))",
        postgres: "update attempt set node_epoch = $1 where id in \
               (select a.id from attempt a join node n on n.epoch = a.node_epoch where a.ended_ms is null \
                 and n.epoch <> $1 and n.ended_ms is not null \
                 and a.campaign_id in (select cast(value as bigint) from jsonb_array_elements_text($2::jsonb)) \
                order by a.id for update of a skip locked)",
    };
    const LEGS: Sql = Sql {
        sqlite: "update leg set node_epoch = $1 where ended_ms is null and node_epoch in \
               (select epoch from node where epoch <> $1 and ended_ms is not null)",
        postgres: "update leg set node_epoch = $1 where id in \
               (select g.id from leg g join node n on n.epoch = g.node_epoch where g.ended_ms is null \
                 and n.epoch <> $1 and n.ended_ms is not null order by g.id for update of g skip locked)",
    };
    let doing = "taking over the calls of dead processes";
    let epoch = Bind::Int(i64::from(node.epoch));
    db.run(doing, &ATTEMPTS, &[epoch, Bind::Text(campaigns)]).await?;
    db.run(doing, &LEGS, &[epoch]).await?;
    Ok(())
}

/// What is ours of other processes' work and not over.
async fn open_work(
    db: &mut Db,
    node: &NodeIdentity,
    campaigns: &str,
) -> Result<OpenWork, StoreError> {
    let epoch = Bind::Int(i64::from(node.epoch));
    // An agent's leg has no trunk: it goes by the agent's name. `+`: in that order only at the end, or SQLite walks every
    // row there ever was instead of the open ones.
    const LEGS: Sql = Sql::both(
        "select g.attempt_id, g.id, n.boot, coalesce(g.trunk, a.name, ''), g.call, g.remote_tag, g.remote_target, \
           g.route_set, g.cseq \
         from leg g join node n on n.epoch = (g.id >> 32) left join agent a on a.id = g.agent_id \
         where g.ended_ms is null and g.node_epoch = $1 and (g.id >> 32) <> $1 order by +g.id",
    );
    let doing = "reading what was left open";
    let mut legs: BTreeMap<Option<i64>, Vec<OpenLeg>> = BTreeMap::new();
    for row in db.rows(doing, &LEGS, &[epoch]).await? {
        legs.entry(row.opt_int(0)?).or_default().push(open_leg(&row)?);
    }
    const ATTEMPTS: Sql = Sql {
        sqlite: "select t.id, t.campaign_id, t.lead_id, t.fence, t.contact_id, t.uncovered, t.started_ms, \
               t.answered_ms, t.connected_ms, t.phone_id, t.phone_key, t.number, coalesce(p.zones, '[]'), p.suspect_day, p.kind \
             from attempt t left join phone p on p.id = t.phone_id \
             where t.ended_ms is null and t.node_epoch = $1 and (t.id >> 32) <> $1 \
               and t.campaign_id in (select value from json_each($2)) order by +t.id",
        postgres: "select t.id, t.campaign_id, t.lead_id, t.fence, t.contact_id, t.uncovered, t.started_ms, \
               t.answered_ms, t.connected_ms, t.phone_id, t.phone_key, t.number, coalesce(p.zones, '[]'), p.suspect_day, p.kind \
             from attempt t left join phone p on p.id = t.phone_id \
             where t.ended_ms is null and t.node_epoch = $1 and (t.id >> 32) <> $1 and t.campaign_id in \
               (select cast(value as bigint) from jsonb_array_elements_text($2::jsonb)) order by t.id",
    };
    let mut attempts = vec![];
    for row in db.rows(doing, &ATTEMPTS, &[epoch, Bind::Text(campaigns)]).await? {
        let id = row.int(0)?;
        attempts.push(OpenAttempt {
            attempt: AttemptId(id),
            campaign: CampaignId(row.int(1)?),
            lead: LeadId(row.int(2)?),
            fence: row.int(3)?,
            contact: ContactId(row.int(4)?),
            phone: phone(&row, 9)?,
            legs: legs.remove(&Some(id)).unwrap_or_default(),
            covered: !row.flag(5)?,
            started_at: UtcMs(row.int(6)?),
            answered_at: row.opt_int(7)?.map(UtcMs),
            connected_at: row.opt_int(8)?.map(UtcMs),
        });
    }
    let mut stray_legs: Vec<OpenLeg> = legs.into_values().flatten().collect();
    stray_legs.sort_unstable_by_key(|open| open.leg);
    Ok(OpenWork { attempts, stray_legs })
}

fn open_leg(row: &DbRow) -> Result<OpenLeg, StoreError> {
    let dialog = match row.opt_text(5)? {
        Some(remote_tag) => Some(RemoteDialog {
            remote_tag,
            remote_target: row.text(6)?,
            route_set: row.json(7)?,
            cseq: u32::try_from(row.int(8)?).unwrap_or(0),
        }),
        None => None,
    };
    Ok(OpenLeg {
        leg: LegId(row.int(1)?),
        boot: row.int(2)?.cast_unsigned(),
        peer_name: row.text(3)?,
        call: row.text(4)?,
        dialog,
    })
}

async fn states(
    db: &mut Db,
    campaigns: &str,
) -> Result<Vec<(CampaignId, CampaignState, UtcMs)>, StoreError> {
    const STATES: Sql = Sql {
        sqlite: "select id, state, state_ms from campaign where id in (select value from json_each($1)) order by id",
        postgres: "select id, state, state_ms from campaign where id in \
             (select cast(value as bigint) from jsonb_array_elements_text($1::jsonb)) order by id",
    };
    let rows = db.rows("reading campaigns", &STATES, &[Bind::Text(campaigns)]).await?;
    rows.iter().map(|row| Ok((CampaignId(row.int(0)?), row.word(1)?, UtcMs(row.int(2)?)))).collect()
}
