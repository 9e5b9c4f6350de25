//! The figures at the end of a run. Each says what it counts; what is divided by what is the reader's choice.

use super::standing::outcomes;
use crate::logic::dialer::LeadCounts;
use crate::logic::ids::CampaignId;
use crate::logic::outcome::Outcome;
use crate::logic::time::UtcMs;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::leads::lead_counts;
use crate::store::sql::{Bind, Sql};

/// Figures of one campaign over a time.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Kpis {
    /// Attempts for which an INVITE was sent (all but `not_placed`).
    pub attempts: u64,
    /// Of these, answered by whomever.
    pub answered: u64,
    /// Of these, an agent and the callee could hear each other.
    pub connected: u64,
    /// A: resolved live answers, as booked.
    pub live: u64,
    /// D: of these, abandoned.
    pub abandoned: u64,
    /// Of these, losses of calls that had an agent of their own.
    pub faults: u64,
    /// From connection to end, over all connected calls.
    pub talk_ms: u64,
    /// From the INVITE to the answer, over all answered calls.
    pub ring_ms: u64,
    /// From the answer to the agent, over all connected calls.
    pub wait_ms: u64,
    /// Persons called at least once.
    pub contacts: u64,
    /// Attempts by outcome.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Attempts by the agents' last word.
    pub dispositions: Vec<(String, u64)>,
    /// Refusals taken from these attempts and elsewhere.
    pub refusals: u64,
    /// Leads by state, now.
    pub leads: LeadCounts,
    /// What agents did in that time, in all campaigns, by name.
    pub agents: Vec<AgentTimes>,
}

/// What one agent did.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AgentTimes {
    /// Name.
    pub name: String,
    /// Calls of this campaign connected to the agent.
    pub calls: u64,
    /// Time in each state: `ready`, `reserved`, `on_call`, `wrap_up`, `paused`, ...
    pub states: Vec<(String, u64)>,
}

/// Counts what began between `since` and `until`.
///
/// # Errors
/// As every statement.
pub async fn kpis(
    db: &mut Db,
    campaign: CampaignId,
    since: UtcMs,
    until: UtcMs,
) -> Result<Kpis, StoreError> {
    const ATTEMPTS: Sql = Sql::both(
        "select cast(count(*) as bigint), cast(count(answered_ms) as bigint), cast(count(connected_ms) as bigint), \
           cast(coalesce(sum(case when booked_answered = 1 or booked_live = 1 then 1 else 0 end), 0) as bigint), \
           cast(coalesce(sum(booked_abandoned), 0) as bigint), cast(coalesce(sum(booked_fault), 0) as bigint), \
           cast(coalesce(sum(case when connected_ms is not null then ended_ms - connected_ms end), 0) as bigint), \
           cast(coalesce(sum(answered_ms - started_ms), 0) as bigint), \
           cast(coalesce(sum(connected_ms - answered_ms), 0) as bigint), \
           cast(count(distinct contact_id) as bigint) \
         from attempt where campaign_id = $1 and started_ms >= $2 and started_ms < $3 \
           and (outcome is null or outcome <> 'not_placed')",
    );
    let doing = "counting a run";
    let binds = [Bind::Int(campaign.0), Bind::Int(since.0), Bind::Int(until.0)];
    let mut kpis = Kpis::default();
    if let Some(row) = db.rows(doing, &ATTEMPTS, &binds).await?.first() {
        kpis = Kpis {
            attempts: row.count(0)?,
            answered: row.count(1)?,
            connected: row.count(2)?,
            live: row.count(3)?,
            abandoned: row.count(4)?,
            faults: row.count(5)?,
            talk_ms: row.count(6)?,
            ring_ms: row.count(7)?,
            wait_ms: row.count(8)?,
            contacts: row.count(9)?,
            ..kpis
        };
    }
    kpis.outcomes = outcomes(db, campaign, since, until).await?.0;
    const SAID: Sql = Sql::both(
        "select d.code, count(*) from attempt a join disposition d on d.attempt_id = a.id \
         where a.campaign_id = $1 and a.started_ms >= $2 and a.started_ms < $3 group by d.code order by d.code",
    );
    for row in db.rows(doing, &SAID, &binds).await? {
        kpis.dispositions.push((row.text(0)?, row.count(1)?));
    }
    const REFUSALS: Sql = Sql::both(
        "select count(distinct s.id) from suppression s join campaign c on c.seller_id = s.seller_id \
         where c.id = $1 and s.at_ms >= $2 and s.at_ms < $3",
    );
    kpis.refusals =
        db.rows(doing, &REFUSALS, &binds).await?.first().map_or(Ok(0), |row| row.count(0))?;
    kpis.leads = lead_counts(db, campaign).await?;
    kpis.agents = agent_times(db, campaign, since, until).await?;
    Ok(kpis)
}

async fn agent_times(
    db: &mut Db,
    campaign: CampaignId,
    since: UtcMs,
    until: UtcMs,
) -> Result<Vec<AgentTimes>, StoreError> {
    // A state lasts to the next one of that agent, or to the end of the time asked for.
    const STATES: Sql = Sql::both(
        "select a.name, s.state, cast(sum(s.next_ms - s.at_ms) as bigint) from \
           (select agent_id, state, at_ms, \
              coalesce(lead(at_ms) over (partition by agent_id order by at_ms, seq), $2) as next_ms \
            from agent_state where at_ms >= $1 and at_ms < $2) s \
         join agent a on a.id = s.agent_id group by a.name, s.state order by a.name, s.state",
    );
    let doing = "counting agents' times";
    let mut agents: Vec<AgentTimes> = vec![];
    let binds = [Bind::Int(since.0), Bind::Int(until.0)];
    for row in db.rows(doing, &STATES, &binds).await? {
        let name = row.text(0)?;
        if agents.last().is_none_or(|agent| agent.name != name) {
            agents.push(AgentTimes { name, calls: 0, states: vec![] });
        }
        if let Some(agent) = agents.last_mut() {
            agent.states.push((row.text(1)?, row.count(2)?));
        }
    }
    const CALLS: Sql = Sql::both(
        "select g.name, count(*) from attempt a join agent g on g.id = a.agent_id \
         where a.campaign_id = $1 and a.started_ms >= $2 and a.started_ms < $3 and a.connected_ms is not null \
         group by g.name",
    );
    let binds = [Bind::Int(campaign.0), Bind::Int(since.0), Bind::Int(until.0)];
    for row in db.rows(doing, &CALLS, &binds).await? {
        let (name, calls) = (row.text(0)?, row.count(1)?);
        match agents.iter_mut().find(|agent| agent.name == name) {
            Some(agent) => agent.calls = calls,
            None => agents.push(AgentTimes { name, calls, states: vec![] }),
        }
    }
    Ok(agents)
}
