//! Campaigns, sellers, lists and calling classes by name.

use serde_json::json;

use crate::logic::dialer::CampaignState;
use crate::logic::ids::{CampaignId, ClassId, IdMaker, ListId, SellerId};
use crate::logic::settings::DialMode;
use crate::logic::time::UtcMs;
use crate::store::audit::AuditEntry;
use crate::store::batch::{Batch, ModeChange, StateChange};
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::events::{Event, EventKind, append_to};
use crate::store::sql::{Bind, Sql};

/// A campaign as the database knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CampaignRow {
    /// Its row.
    pub id: CampaignId,
    /// Its seller's row.
    pub seller: SellerId,
    /// When it was first run: 30-day windows are counted from that local day.
    pub first_run: UtcMs,
    /// Whether a person paused it; it stays so.
    pub paused: bool,
}

/// Writes a later state; an earlier or equal one (a repeat) changes nothing.
pub(crate) async fn set_state(
    batch: &mut Batch<'_>,
    change: &StateChange<'_>,
) -> Result<(), StoreError> {
    const SET: Sql = Sql::both(
        "update campaign set state = $2, state_ms = $3 where id = $1 and state <> $2 and state_ms <= $3",
    );
    let (state, by) = (change.state.as_str(), change.by);
    let binds = [Bind::Int(change.campaign.0), Bind::Text(state), Bind::Int(change.at.0)];
    if batch.db.run("changing a campaign's state", &SET, &binds).await? > 0 {
        let body = json!({ "campaign": change.campaign, "state": state, "by": by });
        tell(batch, EventKind::CampaignState, change.campaign, change.at, by, body);
    }
    Ok(())
}

/// Writes a later dial mode, likewise.
pub(crate) async fn set_mode(
    batch: &mut Batch<'_>,
    change: &ModeChange<'_>,
) -> Result<(), StoreError> {
    const SET: Sql = Sql::both(
        "update campaign set mode = $2, mode_ms = $3 where id = $1 and coalesce(mode_ms, 0) < $3",
    );
    let mode = match change.mode {
        DialMode::Manual
        | DialMode::Preview
        | DialMode::Progressive
        | DialMode::Predictive
        | DialMode::Agentless => change.mode.as_str().to_owned(),
        DialMode::Ratio(ratio) => format!("{} {ratio}", change.mode.as_str()),
    };
    let by = change.by;
    let binds = [Bind::Int(change.campaign.0), Bind::Text(&mode), Bind::Int(change.at.0)];
    if batch.db.run("changing a campaign's dial mode", &SET, &binds).await? > 0 {
        let body = json!({ "campaign": change.campaign, "mode": mode, "by": by });
        tell(batch, EventKind::CampaignMode, change.campaign, change.at, by, body);
    }
    Ok(())
}

/// What a person changed of a campaign, for the audit and for whoever follows the log.
fn tell(
    batch: &mut Batch<'_>,
    kind: EventKind,
    campaign: CampaignId,
    at: UtcMs,
    by: &str,
    body: serde_json::Value,
) {
    batch.events.push(Event::new(at, kind, campaign.0, &body));
    batch.audit.push(AuditEntry { at, who: by.to_owned(), what: kind.as_str(), body });
}

/// The campaign and its seller by name, made where missing. `starting` sets it to running unless a person paused it.
///
/// # Errors
/// [`StoreError::NoIdsLeft`]; otherwise as every statement.
pub async fn upsert_campaign(
    db: &mut Db,
    ids: &mut IdMaker,
    name: &str,
    seller: &str,
    now: UtcMs,
    starting: bool,
) -> Result<CampaignRow, StoreError> {
    let fresh =
        [ids.make().ok_or(StoreError::NoIdsLeft)?, ids.make().ok_or(StoreError::NoIdsLeft)?];
    db.begin().await?;
    let done = upsert(db, fresh, name, seller, now, starting).await;
    db.finish(done).await
}

async fn upsert(
    db: &mut Db,
    [seller_id, campaign_id]: [i64; 2],
    name: &str,
    seller: &str,
    now: UtcMs,
    starting: bool,
) -> Result<CampaignRow, StoreError> {
    let doing = "writing a campaign";
    const SELLER: Sql =
        Sql::both("insert into seller (id, name) values ($1, $2) on conflict (name) do nothing");
    db.run(doing, &SELLER, &[Bind::Int(seller_id), Bind::Text(seller)]).await?;
    const SELLER_ID: Sql = Sql::both("select id from seller where name = $1");
    let seller_id = first_id(db, &SELLER_ID, &[Bind::Text(seller)]).await?;
    const CAMPAIGN: Sql = Sql::both(
        "insert into campaign (id, name, seller_id, state, state_ms) values ($1, $2, $3, 'finished', $4) \
         on conflict (name) do update set seller_id = excluded.seller_id",
    );
    let binds = [Bind::Int(campaign_id), Bind::Text(name), Bind::Int(seller_id), Bind::Int(now.0)];
    db.run(doing, &CAMPAIGN, &binds).await?;
    let mut started = false;
    if starting {
        const CHANGES: Sql = Sql::both(
            "select cast(count(*) as bigint) from campaign where name = $1 and state not in ('paused', 'running')",
        );
        let changes = db.rows(doing, &CHANGES, &[Bind::Text(name)]).await?;
        started = changes.first().map_or(Ok(false), |row| row.flag(0))?;
        const START: Sql = Sql::both(
            "update campaign set state = case when state = 'paused' then state else 'running' end, \
             state_ms = $2, first_run_ms = coalesce(first_run_ms, $2) where name = $1",
        );
        db.run(doing, &START, &[Bind::Text(name), Bind::Int(now.0)]).await?;
    }
    const READ: Sql = Sql::both(
        "select id, seller_id, coalesce(first_run_ms, $2), state from campaign where name = $1",
    );
    let rows = db.rows(doing, &READ, &[Bind::Text(name), Bind::Int(now.0)]).await?;
    let Some(row) = rows.first() else {
        return Err(StoreError::Damaged { doing, found: "no campaign".to_owned() });
    };
    let campaign = CampaignRow {
        id: CampaignId(row.int(0)?),
        seller: SellerId(row.int(1)?),
        first_run: UtcMs(row.int(2)?),
        paused: row.text(3)? == CampaignState::Paused.as_str(),
    };
    if started {
        let (row, state) = (campaign.id.0, CampaignState::Running.as_str());
        let body = json!({ "campaign": campaign.id, "state": state, "by": "start" });
        append_to(db, &[Event::new(now, EventKind::CampaignState, row, &body)]).await?;
    }
    Ok(campaign)
}

/// The calling classes that a campaign's leads have: row and descriptor, by row.
///
/// # Errors
/// As every statement.
pub async fn calling_classes(
    db: &mut Db,
    campaign: CampaignId,
) -> Result<Vec<(ClassId, String)>, StoreError> {
    const READ: Sql = Sql::both(
        "select k.id, k.descriptor from campaign_class c join calling_class k on k.id = c.class_id \
         where c.campaign_id = $1 order by k.id",
    );
    let rows = db.rows("reading calling classes", &READ, &[Bind::Int(campaign.0)]).await?;
    rows.iter().map(|row| Ok((ClassId(row.int(0)?), row.text(1)?))).collect()
}

/// A list of a campaign by name, made where missing.
///
/// # Errors
/// [`StoreError::NoIdsLeft`]; otherwise as every statement.
pub async fn upsert_list(
    db: &mut Db,
    ids: &mut IdMaker,
    campaign: CampaignId,
    name: &str,
) -> Result<ListId, StoreError> {
    let id = ids.make().ok_or(StoreError::NoIdsLeft)?;
    const LIST: Sql = Sql::both(
        "insert into list (id, campaign_id, name) values ($1, $2, $3) on conflict (campaign_id, name) do nothing",
    );
    let binds = [Bind::Int(id), Bind::Int(campaign.0), Bind::Text(name)];
    db.run("writing a list", &LIST, &binds).await?;
    const READ: Sql = Sql::both("select id from list where campaign_id = $1 and name = $2");
    first_id(db, &READ, &[Bind::Int(campaign.0), Bind::Text(name)]).await.map(ListId)
}

async fn first_id(db: &mut Db, sql: &Sql, binds: &[Bind<'_>]) -> Result<i64, StoreError> {
    let doing = "reading a row by its name";
    match db.rows(doing, sql, binds).await?.first() {
        Some(row) => row.int(0),
        None => Err(StoreError::Damaged { doing, found: "nothing".to_owned() }),
    }
}
