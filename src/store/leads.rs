//! Leads: claimed, given back, promoted when due, counted.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::logic::dialer::{
    Claim, ClaimedLead, LeadAfter, LeadCounts, LeadPhone, LeadState, Promise, Release, StoreReply,
};
use crate::logic::gate::Gate;
use crate::logic::ids::{AgentId, CampaignId, ClassId, ContactId, LeadId, PhoneId, SellerId};
use crate::logic::phone::PhoneKind;
use crate::logic::time::UtcMs;
use crate::store::batch::{Batch, Key, Placed, Promote, rounds};
use crate::store::callbacks;
use crate::store::db::{Db, Engine};
use crate::store::error::StoreError;
use crate::store::sql::{Bind, DbRow, Sql, json_rows, sql_rows};

/// Claims leads, or returns those this claim took before its reply was lost.
pub(crate) async fn claim(batch: &mut Batch<'_>, claim: &Claim) -> Result<StoreReply, StoreError> {
    let held = claimed(batch, claim).await?;
    if !held.is_empty() || claim.open_classes.is_empty() {
        return Ok(StoreReply::Claimed(held));
    }
    if batch.db.engine() == Engine::Postgres {
        // One claim at a time per campaign: cheaper than `for update` inside the lateral, which locks a hundred rows of
        // every class.
        const LOCK: Sql = Sql::both("select id from campaign where id = $1 for no key update");
        batch.db.rows("waiting for another claim", &LOCK, &[Bind::Int(claim.campaign.0)]).await?;
    }
    let taken = match &claim.named {
        Some(named) => claim_named(batch, claim, named).await?,
        None => claim_promised(batch, claim).await? + claim_ready(batch, claim).await?,
    };
    if taken == 0 {
        return Ok(StoreReply::Claimed(vec![]));
    }
    Ok(StoreReply::Claimed(claimed(batch, claim).await?))
}

/// The ready lead of this number or this id, promised or not. A number that is named is the one to dial.
async fn claim_named(batch: &mut Batch<'_>, claim: &Claim, named: &str) -> Result<u64, StoreError> {
    let classes = class_list(claim);
    let binds = [
        Bind::Int(claim.campaign.0),
        Bind::Text(&classes),
        Bind::Text(named),
        Bind::Int(batch.epoch()),
        Bind::Int(claim_no(claim)),
    ];
    batch.db.run("claiming a lead that was named", &CLAIM_NAMED, &binds).await
}

/// Promised calls whose time has come, those that wait longest first: index seeks merged per class, as for ready leads.
async fn claim_promised(batch: &mut Batch<'_>, claim: &Claim) -> Result<u64, StoreError> {
    if claim.promised.most == 0 {
        return Ok(0);
    }
    let (classes, owners) = (class_list(claim), agent_list(&claim.promised.owners));
    let binds = [
        Bind::Int(claim.campaign.0),
        Bind::Text(&classes),
        Bind::Int(i64::from(claim.promised.most)),
        Bind::Int(batch.epoch()),
        Bind::Int(claim_no(claim)),
        Bind::Int(claim.now.0),
        Bind::Int(claim.promised.anybody_since.0),
        Bind::Text(&owners),
    ];
    batch.db.run("claiming promised calls", &CLAIM_PROMISED, &binds).await
}

/// The next ready leads of the open classes, by rank: index seeks merged per class, whatever the length of the list.
async fn claim_ready(batch: &mut Batch<'_>, claim: &Claim) -> Result<u64, StoreError> {
    if claim.want == 0 {
        return Ok(0);
    }
    let classes = class_list(claim);
    let binds = [
        Bind::Int(claim.campaign.0),
        Bind::Text(&classes),
        Bind::Int(i64::from(claim.want)),
        Bind::Int(batch.epoch()),
        Bind::Int(claim_no(claim)),
    ];
    batch.db.run("claiming leads", &CLAIM_READY, &binds).await
}

fn class_list(claim: &Claim) -> String {
    json_rows(&claim.open_classes.iter().map(|class| class.0).collect::<Vec<_>>())
}

fn agent_list(agents: &[AgentId]) -> String {
    json_rows(&agents.iter().map(|agent| agent.0).collect::<Vec<_>>())
}

/// The leads that this claim holds.
async fn claimed(batch: &mut Batch<'_>, claim: &Claim) -> Result<Vec<ClaimedLead>, StoreError> {
    // Most leads are claimed for the first time, and few are promised a call: nothing is sought for the others.
    const LEADS: Sql = Sql::both(
        "select l.id, l.fence, c.seller_id, c.id, c.external_id, c.name, c.language, c.custom, l.class_id, l.attempts, \
           l.same_outcome, l.last_outcome, l.next_phone_id, b.due_ms, b.owner_agent_id, l.rank, \
           case when l.fence > 1 then (select coalesce(a.answered_ms, a.ended_ms) - a.early_ms from attempt a \
             where a.lead_id = l.id order by a.fence desc limit 1) end \
         from lead l join contact c on c.id = l.contact_id \
           left join callback b on b.id = case when l.promised = 1 then (select p.id from callback p \
             where p.lead_id = l.id and p.state = 0 order by p.due_ms, p.id limit 1) end \
         where l.claimed_by = $1 and l.campaign_id = $2 and l.claim_no = $3 and l.state = 2 order by l.rank, l.id",
    );
    let binds = [Bind::Int(batch.epoch()), Bind::Int(claim.campaign.0), Bind::Int(claim_no(claim))];
    let doing = "reading claimed leads";
    let rows = batch.db.rows(doing, &LEADS, &binds).await?;
    if rows.is_empty() {
        return Ok(vec![]);
    }
    const PHONES: Sql = Sql::both(
        "select l.id, p.id, p.key, p.number, p.zones, p.suspect_day, p.kind \
         from lead l join phone p on p.contact_id = l.contact_id \
         where l.claimed_by = $1 and l.campaign_id = $2 and l.claim_no = $3 and l.state = 2 and p.invalid = 0 \
         order by l.id, p.position, p.id",
    );
    let mut phones: BTreeMap<i64, Vec<LeadPhone>> = BTreeMap::new();
    for row in batch.db.rows(doing, &PHONES, &binds).await? {
        phones.entry(row.int(0)?).or_default().push(phone(&row, 1)?);
    }
    rows.iter()
        .map(|row| {
            let mut phones = phones.remove(&row.int(0)?).unwrap_or_default();
            let next = row.opt_int(12)?.map(PhoneId);
            // Stable: the number to dial first, the others in order.
            phones.sort_by_key(|phone| Some(phone.phone) != next);
            lead(row, claim.campaign, phones)
        })
        .collect()
}

/// Reads `id, key, number, zones, suspect_day, kind` from column `at` on.
pub(crate) fn phone(row: &DbRow, at: usize) -> Result<LeadPhone, StoreError> {
    Ok(LeadPhone {
        phone: PhoneId(row.int(at)?),
        key: row.text(at + 1)?,
        number: row.number(at + 2)?,
        zones: row.json(at + 3)?,
        suspect_day: row.opt_int(at + 4)?.and_then(|day| i32::try_from(day).ok()),
        kind: row.opt_text(at + 5)?.and_then(|word| PhoneKind::of(&word)),
    })
}

fn lead(
    row: &DbRow,
    campaign: CampaignId,
    phones: Vec<LeadPhone>,
) -> Result<ClaimedLead, StoreError> {
    Ok(ClaimedLead {
        lead: LeadId(row.int(0)?),
        fence: row.int(1)?,
        campaign,
        seller: SellerId(row.int(2)?),
        contact: ContactId(row.int(3)?),
        external_id: row.opt_text(4)?,
        name: row.opt_text(5)?,
        language: row.opt_text(6)?,
        fields: row.json(7)?,
        phones,
        class: ClassId(row.int(8)?),
        rank: row.int(15)?,
        attempts: small(row.int(9)?),
        rang: Duration::from_millis(row.opt_int(16)?.unwrap_or(0).try_into().unwrap_or(0)),
        same_outcome: small(row.int(10)?),
        last_outcome: row.opt_word(11)?,
        promise: row
            .opt_int(13)?
            .map(|due| Ok(Promise { due: UtcMs(due), owner: row.opt_int(14)?.map(AgentId) }))
            .transpose()?,
    })
}

fn claim_no(claim: &Claim) -> i64 {
    i64::try_from(claim.claim).unwrap_or(i64::MAX)
}

fn small(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

/// [`LeadAfter`] as columns.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct AfterColumns {
    pub(crate) state: i64,
    pub(crate) due: i64,
    pub(crate) gate: Option<&'static str>,
    pub(crate) next_phone: Option<i64>,
}

impl From<&LeadAfter> for AfterColumns {
    fn from(after: &LeadAfter) -> Self {
        Self {
            state: after.state.code(),
            due: after.due.0,
            gate: after.gate.map(Gate::as_str),
            next_phone: after.next_phone.map(|phone| phone.0),
        }
    }
}

#[derive(Serialize)]
struct ReleaseRow {
    lead: i64,
    fence: i64,
    #[serde(flatten)]
    after: AfterColumns,
}

/// Gives leads back, each only if the lease is still ours. A lead that was blocked meanwhile stays blocked.
pub(crate) async fn release(
    batch: &mut Batch<'_>,
    items: &[Placed<'_, Release>],
) -> Result<(), StoreError> {
    for round in rounds(items, |(_, item)| vec![Key::Lead(item.lead.0)]) {
        let rows: Vec<_> = round
            .iter()
            .map(|(_, item)| ReleaseRow {
                lead: item.lead.0,
                fence: item.fence,
                after: AfterColumns::from(&item.after),
            })
            .collect();
        const RELEASE: Sql = sql_rows!(
            [lead int, fence int, state int, due int, gate text, next_phone int],
            "update lead set state = case when lead.state = 5 then 5 else r.state end, \
               gate = case when lead.state = 5 then lead.gate else r.gate end, due_ms = r.due, \
               next_phone_id = coalesce(r.next_phone, next_phone_id), claimed_by = null, claim_no = null \
             from r where lead.id = r.lead and lead.fence = r.fence and lead.claimed_by = $2 \
             returning lead.id, lead.state"
        );
        let binds = [Bind::Text(&json_rows(&rows)), Bind::Int(batch.epoch())];
        let mut over = vec![];
        for row in batch.db.rows("giving leads back", &RELEASE, &binds).await? {
            match lead_state("giving leads back", row.int(1)?)? {
                LeadState::Done | LeadState::Blocked => over.push(LeadId(row.int(0)?)),
                LeadState::Ready | LeadState::Waiting | LeadState::Claimed | LeadState::Held => {}
            }
        }
        // A gate that ends a lead (its `total`) ends what was promised to the person, too.
        callbacks::take_back(batch.db, &over).await?;
    }
    Ok(())
}

/// Moves due leads to ready, the longest due first. A repeat finds fewer and says so.
pub(crate) async fn promote(
    batch: &mut Batch<'_>,
    promote: Promote,
) -> Result<StoreReply, StoreError> {
    let doing = "promoting due leads";
    let (campaign, limit) = (Bind::Int(promote.campaign.0), i64::from(promote.limit));
    let binds = [campaign, Bind::Int(promote.now.0), Bind::Int(limit)];
    let promoted = batch.db.run(doing, &PROMOTE, &binds).await?;
    let next_due = first_due(batch.db, promote.campaign).await?;
    let promises = callbacks::promises(batch.db, promote.campaign, promote.now).await?;
    let promoted = u32::try_from(promoted).unwrap_or(u32::MAX);
    Ok(StoreReply::Promoted { promoted, next_due, promises })
}

/// Counts a campaign's leads: reads its whole index of states, about 30 ms for a million.
pub(crate) async fn count(db: &mut Db, campaign: CampaignId) -> Result<StoreReply, StoreError> {
    Ok(StoreReply::Counted(lead_counts(db, campaign).await?))
}

pub(crate) async fn lead_counts(
    db: &mut Db,
    campaign: CampaignId,
) -> Result<LeadCounts, StoreError> {
    const COUNT: Sql =
        Sql::both("select state, count(*) from lead where campaign_id = $1 group by state");
    let doing = "counting leads";
    let mut counts = LeadCounts::default();
    for row in db.rows(doing, &COUNT, &[Bind::Int(campaign.0)]).await? {
        let leads = row.count(1)?;
        match lead_state(doing, row.int(0)?)? {
            LeadState::Ready => counts.ready = leads,
            LeadState::Waiting => counts.waiting = leads,
            LeadState::Claimed => counts.claimed = leads,
            LeadState::Done => counts.done = leads,
            LeadState::Held => counts.held = leads,
            LeadState::Blocked => counts.blocked = leads,
        }
    }
    counts.next_due = first_due(db, campaign).await?;
    Ok(counts)
}

/// When the next waiting lead is due.
async fn first_due(db: &mut Db, campaign: CampaignId) -> Result<Option<UtcMs>, StoreError> {
    let rows =
        db.rows("looking for the next due lead", &FIRST_DUE, &[Bind::Int(campaign.0)]).await?;
    Ok(rows.first().map_or(Ok(None), |row| row.opt_int(0))?.map(UtcMs))
}

/// SQLite walks the index once per class and leaves each class early by itself; PostgreSQL would sort every ready row of
/// the campaign, so it gets one index seek per class, and an array of ids, or it might join the whole list to a thousand of
/// them. `state = 0` again at the end: a refusal may have blocked the lead while we waited; a row that another process has
/// locked is left to it, for whoever waits there may be waited for by us. SQLite keeps no figures of its tables and would take the wrong index by itself.
pub(super) const CLAIM_READY: Sql = Sql {
    sqlite: "update lead set state = 2, claimed_by = $4, claim_no = $5, fence = fence + 1, gate = null \
         where id in (select id from lead indexed by lead_ready where state = 0 and promised = 0 \
           and campaign_id = $1 and class_id in (select value from json_each($2)) order by rank, id limit $3)",
    postgres: "update lead set state = 2, claimed_by = $4, claim_no = $5, fence = fence + 1, gate = null \
         where id = any(array(select id from lead where state = 0 and id = any(array(select l.id from \
             (select cast(value as bigint) as class_id from jsonb_array_elements_text($2::jsonb)) c \
             cross join lateral (select id, rank from lead where campaign_id = $1 and class_id = c.class_id \
               and state = 0 and promised = 0 order by rank, id limit $3) l \
             order by l.rank, l.id limit $3)) for update skip locked))",
};

/// From the person to the lead (`cross join`): SQLite would walk every ready lead of the campaign.
macro_rules! claim_named {
    ($where:literal, $classes:literal, $lock:literal) => {
        concat!(
            "update lead set state = 2, claimed_by = $4, claim_no = $5, fence = fence + 1, gate = null, \
               next_phone_id = coalesce((select p.id from phone p where p.contact_id = lead.contact_id and p.key = $3 \
                 and p.invalid = 0 order by p.position, p.id limit 1), next_phone_id) where ",
            $where,
            "id = (select l.id from (select contact_id from phone where key = $3 and invalid = 0 \
                 union select e.id from campaign g join contact e on e.seller_id = g.seller_id \
                   where g.id = $1 and e.external_id = $3) c cross join lead l \
               where l.campaign_id = $1 and l.contact_id = c.contact_id and l.state = 0 and l.class_id in ",
            $classes,
            " order by l.rank, l.id limit 1",
            $lock,
            ")"
        )
    };
}

pub(super) const CLAIM_NAMED: Sql = Sql {
    sqlite: claim_named!("", "(select value from json_each($2))", ""),
    postgres: claim_named!(
        "state = 0 and ",
        "(select cast(value as bigint) from jsonb_array_elements_text($2::jsonb))",
        " for update of l skip locked"
    ),
};

/// As [`CLAIM_READY`], by the time of the earliest promise. Whether one is due for us is asked lead by lead, as a scalar: as a
/// join PostgreSQL might hash every promise there is.
pub(super) const CLAIM_PROMISED: Sql = Sql {
    sqlite: "update lead set state = 2, claimed_by = $4, claim_no = $5, fence = fence + 1, gate = null \
         where id in (select l.id from lead l indexed by lead_promised where l.state = 0 and l.promised = 1 \
           and l.campaign_id = $1 and l.class_id in (select value from json_each($2)) and l.promised_ms <= $6 \
           and (select b.lead_id from callback b where b.lead_id = l.id and b.state = 0 and b.due_ms <= $6 \
             and (b.owner_agent_id is null or b.due_ms <= $7 \
               or b.owner_agent_id in (select value from json_each($8))) limit 1) = l.id \
           order by l.promised_ms, l.id limit $3)",
    postgres: "update lead set state = 2, claimed_by = $4, claim_no = $5, fence = fence + 1, gate = null \
         where id = any(array(select id from lead where state = 0 and id = any(array(select l.id from \
             (select cast(value as bigint) as class_id from jsonb_array_elements_text($2::jsonb)) c \
             cross join lateral (select p.id, p.promised_ms from lead p where p.campaign_id = $1 and p.class_id = c.class_id \
               and p.state = 0 and p.promised = 1 and p.promised_ms <= $6 \
               and (select b.lead_id from callback b where b.lead_id = p.id and b.state = 0 and b.due_ms <= $6 \
                 and (b.owner_agent_id is null or b.due_ms <= $7 or b.owner_agent_id = any(array(\
                   select cast(value as bigint) from jsonb_array_elements_text($8::jsonb)))) limit 1) = p.id \
               order by p.promised_ms, p.id limit $3) l \
             order by l.promised_ms, l.id limit $3)) for update skip locked))",
};

/// PostgreSQL: rows locked by a claim or outcome of another process are left for the next time.
pub(super) const PROMOTE: Sql = Sql {
    sqlite: "update lead set state = 0, gate = null where id in \
         (select id from lead indexed by lead_wait where state = 1 and campaign_id = $1 and due_ms <= $2 \
          order by due_ms, id limit $3)",
    postgres: "update lead set state = 0, gate = null where id = any(array(\
         select id from lead where state = 1 and campaign_id = $1 and due_ms <= $2 order by due_ms, id limit $3 \
         for update skip locked))",
};

pub(super) const FIRST_DUE: Sql = Sql {
    sqlite: "select min(due_ms) from lead indexed by lead_wait where state = 1 and campaign_id = $1",
    postgres: "select min(due_ms) from lead where state = 1 and campaign_id = $1",
};

/// The state of its integer in the table.
pub(crate) fn lead_state(doing: &'static str, code: i64) -> Result<LeadState, StoreError> {
    let state = LeadState::ALL.into_iter().find(|known| known.code() == code);
    state.ok_or_else(|| StoreError::Damaged { doing, found: code.to_string() })
}
