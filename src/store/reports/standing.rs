//! How everything stands, when no dialer is there to ask.

use crate::logic::compliance::abandon_debt::owed;
use crate::logic::dialer::{LeadCounts, Promises};
use crate::logic::ids::{CampaignId, SellerId};
use crate::logic::outcome::Outcome;
use crate::logic::time::UtcMs;
use crate::store::callbacks;
use crate::store::campaigns::CampaignRow;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::leads::lead_counts;
use crate::store::reports::processes::{NodeRow, nodes};
use crate::store::sql::{Bind, Sql};

/// The whole picture.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Status {
    /// Every campaign, by name.
    pub campaigns: Vec<CampaignStatus>,
    /// Every agent's last state, by name.
    pub agents: Vec<AgentRow>,
    /// Dialers that did not end in order or still run.
    pub nodes: Vec<NodeRow>,
}

/// One campaign.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct CampaignStatus {
    /// Its row.
    pub id: CampaignId,
    /// Its name.
    pub name: String,
    /// Its seller.
    pub seller: String,
    /// `running`, `paused`, ...
    pub state: String,
    /// Its leads by state.
    pub leads: LeadCounts,
    /// Promised calls not made yet.
    pub promises: Promises,
    /// Attempts by outcome, in the order of the closed list.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Attempts under way.
    pub open: u64,
    /// Its ledger, newest window first.
    pub windows: Vec<WindowRow>,
}

/// One window of the abandonment ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct WindowRow {
    /// Its start.
    pub starts: UtcMs,
    /// Its end, exclusive.
    pub ends: UtcMs,
    /// The cap in parts per million.
    pub cap_ppm: u64,
    /// A: resolved live answers.
    pub answered: u64,
    /// D: of these, abandoned.
    pub abandoned: u64,
    /// Of these, losses of calls that had an agent of their own.
    pub fault: u64,
    /// The most calls that it may owe before it closes.
    pub debt: u64,
}

impl WindowRow {
    /// The calls that it owes.
    #[must_use]
    pub fn owed(&self) -> u64 {
        owed(u32::try_from(self.cap_ppm).unwrap_or(u32::MAX), self.answered, self.abandoned)
    }
}

/// One agent's last state.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AgentRow {
    /// Name.
    pub name: String,
    /// `offline` where none was ever written.
    pub state: String,
    /// Since when.
    pub since: Option<UtcMs>,
    /// Pause reason.
    pub reason: Option<String>,
}

/// Reads the whole picture at `now`.
///
/// # Errors
/// As every statement.
pub async fn status(db: &mut Db, now: UtcMs) -> Result<Status, StoreError> {
    const CAMPAIGNS: Sql = Sql::both(
        "select c.id, c.name, s.name, c.state from campaign c join seller s on s.id = c.seller_id order by c.name",
    );
    let mut campaigns = vec![];
    for row in db.rows("reading campaigns", &CAMPAIGNS, &[]).await? {
        let id = CampaignId(row.int(0)?);
        let (outcomes, open) = outcomes(db, id, UtcMs(0), UtcMs(i64::MAX)).await?;
        campaigns.push(CampaignStatus {
            id,
            name: row.text(1)?,
            seller: row.text(2)?,
            state: row.text(3)?,
            leads: lead_counts(db, id).await?,
            promises: callbacks::promises(db, id, now).await?,
            outcomes,
            open,
            windows: ledger_windows(db, id).await?,
        });
    }
    Ok(Status { campaigns, agents: agents(db).await?, nodes: nodes(db, now, now).await? })
}

/// A campaign by name, if there is one. `first_run` is 0 where it never ran.
///
/// # Errors
/// As every statement.
pub async fn find_campaign(db: &mut Db, name: &str) -> Result<Option<CampaignRow>, StoreError> {
    const FIND: Sql = Sql::both(
        "select id, seller_id, coalesce(first_run_ms, 0), case when state = 'paused' then cast(1 as bigint) \
           else cast(0 as bigint) end from campaign where name = $1",
    );
    let rows = db.rows("looking for a campaign", &FIND, &[Bind::Text(name)]).await?;
    rows.first()
        .map(|row| {
            Ok(CampaignRow {
                id: CampaignId(row.int(0)?),
                seller: SellerId(row.int(1)?),
                first_run: UtcMs(row.int(2)?),
                paused: row.flag(3)?,
            })
        })
        .transpose()
}

/// The windows of a campaign's abandonment ledger, newest first; at most the last 100.
///
/// # Errors
/// As every statement.
pub async fn ledger_windows(
    db: &mut Db,
    campaign: CampaignId,
) -> Result<Vec<WindowRow>, StoreError> {
    const READ: Sql = Sql::both(
        "select starts_ms, ends_ms, cap_ppm, answered, abandoned, fault, debt from abandon_window where campaign_id = $1 \
         order by starts_ms desc limit 100",
    );
    let rows = db.rows("reading the ledger", &READ, &[Bind::Int(campaign.0)]).await?;
    rows.iter()
        .map(|row| {
            Ok(WindowRow {
                starts: UtcMs(row.int(0)?),
                ends: UtcMs(row.int(1)?),
                cap_ppm: row.count(2)?,
                answered: row.count(3)?,
                abandoned: row.count(4)?,
                fault: row.count(5)?,
                debt: row.count(6)?,
            })
        })
        .collect()
}

/// Attempts begun between `since` and `until` by outcome, and those under way.
pub(super) async fn outcomes(
    db: &mut Db,
    campaign: CampaignId,
    since: UtcMs,
    until: UtcMs,
) -> Result<(Vec<(Outcome, u64)>, u64), StoreError> {
    const COUNT: Sql = Sql::both(
        "select outcome, count(*) from attempt where campaign_id = $1 and started_ms >= $2 and started_ms < $3 \
         group by outcome",
    );
    let binds = [Bind::Int(campaign.0), Bind::Int(since.0), Bind::Int(until.0)];
    let (mut outcomes, mut open) = (vec![], 0);
    for row in db.rows("counting outcomes", &COUNT, &binds).await? {
        match row.opt_text(0)? {
            Some(_) => outcomes.push((row.word(0)?, row.count(1)?)),
            None => open = row.count(1)?,
        }
    }
    outcomes.sort();
    Ok((outcomes, open))
}

async fn agents(db: &mut Db) -> Result<Vec<AgentRow>, StoreError> {
    const AGENTS: Sql = Sql::both(
        "select a.name, coalesce(s.state, 'offline'), s.at_ms, s.reason from agent a \
         left join agent_state s on s.agent_id = a.id \
           and s.at_ms = (select max(l.at_ms) from agent_state l where l.agent_id = a.id) \
           and s.seq = (select max(l.seq) from agent_state l where l.agent_id = a.id and l.at_ms = s.at_ms) \
         order by a.name",
    );
    let rows = db.rows("reading agents", &AGENTS, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(AgentRow {
                name: row.text(0)?,
                state: row.text(1)?,
                since: row.opt_int(2)?.map(UtcMs),
                reason: row.opt_text(3)?,
            })
        })
        .collect()
}
