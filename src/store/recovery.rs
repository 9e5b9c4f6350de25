//! What earlier processes left open: found at start, ended by the dialer, never forgotten.

use std::collections::BTreeMap;

use crate::logic::dialer::{OpenAttempt, OpenLeg};
use crate::logic::ids::{AttemptId, CampaignId, ContactId, LeadId, LegId};
use crate::logic::sip::user_agent::RemoteDialog;
use crate::logic::time::UtcMs;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::leads::phone;
use crate::store::nodes::NodeIdentity;
use crate::store::sql::{Bind, DbRow, Sql};

/// What is ours to end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenWork {
    /// Attempts without an outcome, oldest first, each with its legs that did not end.
    pub attempts: Vec<OpenAttempt>,
    /// Other legs that did not end: of agents' shifts, and of attempts whose outcome was written before.
    pub stray_legs: Vec<OpenLeg>,
}

/// Reads what is left of every earlier start of this node, and of other nodes whose lease ran out.
///
/// # Errors
/// As every statement; [`StoreError::Damaged`] for rows we never write.
pub async fn load_open(
    db: &mut Db,
    node: &NodeIdentity,
    now: UtcMs,
) -> Result<OpenWork, StoreError> {
    let binds = [Bind::Int(i64::from(node.epoch)), Bind::Int(now.0)];
    // An agent's leg has no trunk: it goes by the agent's name. `+`: in that order only at the end, or SQLite walks every
    // row there ever was instead of the open ones.
    const LEGS: Sql = Sql::both(
        "select g.attempt_id, g.id, n.boot, coalesce(g.trunk, a.name, ''), g.call, g.remote_tag, g.remote_target, \
           g.route_set, g.cseq \
         from leg g join node n on n.epoch = g.node_epoch left join agent a on a.id = g.agent_id \
         where g.ended_ms is null and n.epoch <> $1 and (n.ended_ms is not null or n.lease_until_ms <= $2) order by +g.id",
    );
    let doing = "reading what was left open";
    let mut legs: BTreeMap<Option<i64>, Vec<OpenLeg>> = BTreeMap::new();
    for row in db.rows(doing, &LEGS, &binds).await? {
        legs.entry(row.opt_int(0)?).or_default().push(open_leg(&row)?);
    }
    const ATTEMPTS: Sql = Sql::both(
        "select t.id, t.campaign_id, t.lead_id, t.fence, t.contact_id, t.uncovered, t.started_ms, t.answered_ms, \
           t.connected_ms, t.phone_id, t.phone_key, t.number, coalesce(p.zones, '[]'), p.suspect_day \
         from attempt t join node n on n.epoch = t.node_epoch left join phone p on p.id = t.phone_id \
         where t.ended_ms is null and n.epoch <> $1 and (n.ended_ms is not null or n.lease_until_ms <= $2) \
         order by +t.id",
    );
    let mut attempts = vec![];
    for row in db.rows(doing, &ATTEMPTS, &binds).await? {
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
    Ok(OpenWork { attempts, stray_legs: legs.into_values().flatten().collect() })
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

/// Gives back the leads that dead nodes (earlier starts of ours, and others whose lease ran out) had claimed and never
/// called. Those with an open attempt wait for its outcome. Returns how many.
///
/// # Errors
/// As every statement.
pub async fn recover_leads(
    db: &mut Db,
    node: &NodeIdentity,
    now: UtcMs,
) -> Result<u64, StoreError> {
    const RECOVER: Sql = Sql::both(
        "update lead set state = 0, claimed_by = null, claim_no = null where state = 2 and claimed_by in \
           (select epoch from node where epoch <> $1 and (ended_ms is not null or lease_until_ms <= $2)) \
         and not exists (select 1 from attempt a where a.lead_id = lead.id and a.ended_ms is null)",
    );
    let binds = [Bind::Int(i64::from(node.epoch)), Bind::Int(now.0)];
    db.run("giving back leads of dead processes", &RECOVER, &binds).await
}
