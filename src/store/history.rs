//! What a campaign has been through, for a rehearsal of what is to come: calls, shifts of agents, and the list as it is.

use std::collections::BTreeMap;

use crate::logic::dialer::LeadState;
use crate::logic::gate::Gate;
use crate::logic::ids::{AgentId, CampaignId, ClassId, ContactId, SellerId};
use crate::logic::outcome::Outcome;
use crate::logic::phone::PhoneNumber;
use crate::logic::time::UtcMs;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::leads::lead_state;
use crate::store::sql::{Bind, Sql};

/// One call that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryCall {
    /// When it was decided.
    pub started: UtcMs,
    /// First 18x.
    pub early: Option<UtcMs>,
    /// 200 OK.
    pub answered: Option<UtcMs>,
    /// Agent and callee could hear each other.
    pub connected: Option<UtcMs>,
    /// The end.
    pub ended: UtcMs,
    /// How it ended.
    pub outcome: Outcome,
    /// Counts the calls of the lead, from 1.
    pub attempt_no: u64,
    /// It was booked as answered by a person.
    pub live: bool,
    /// The agent's word.
    pub said: Option<String>,
}

/// The last calls of a campaign that began at or after `since`, newest first.
///
/// # Errors
/// As every statement.
pub async fn history_calls(
    db: &mut Db,
    campaign: CampaignId,
    since: UtcMs,
    limit: u32,
) -> Result<Vec<HistoryCall>, StoreError> {
    const CALLS: Sql = Sql::both(
        "select a.started_ms, a.early_ms, a.answered_ms, a.connected_ms, a.ended_ms, a.outcome, a.attempt_no, \
           case when a.booked_answered = 1 or a.booked_live = 1 or a.booked_abandoned = 1 then cast(1 as bigint) \
             else cast(0 as bigint) end, d.code \
         from attempt a left join disposition d on d.attempt_id = a.id \
         where a.campaign_id = $1 and a.started_ms >= $2 and a.outcome is not null and a.ended_ms is not null \
         order by a.started_ms desc, a.id desc limit $3",
    );
    let binds = [Bind::Int(campaign.0), Bind::Int(since.0), Bind::Int(i64::from(limit))];
    let rows = db.rows("reading a campaign's history", &CALLS, &binds).await?;
    let time = |time: Option<i64>| time.map(UtcMs);
    rows.iter()
        .map(|row| {
            Ok(HistoryCall {
                started: UtcMs(row.int(0)?),
                early: time(row.opt_int(1)?),
                answered: time(row.opt_int(2)?),
                connected: time(row.opt_int(3)?),
                ended: UtcMs(row.int(4)?),
                outcome: row.word(5)?,
                attempt_no: row.count(6)?,
                live: row.flag(7)?,
                said: row.opt_text(8)?,
            })
        })
        .collect()
}

/// States of the agents who took calls of a campaign since then: agent, when, state; by agent, then time.
///
/// # Errors
/// As every statement.
pub async fn history_states(
    db: &mut Db,
    campaign: CampaignId,
    since: UtcMs,
    limit: u32,
) -> Result<Vec<(AgentId, UtcMs, String)>, StoreError> {
    const STATES: Sql = Sql::both(
        "select s.agent_id, s.at_ms, s.state from agent_state s where s.at_ms >= $2 and s.agent_id in \
           (select a.agent_id from attempt a where a.campaign_id = $1 and a.started_ms >= $2 and a.agent_id is not null) \
         order by s.agent_id, s.at_ms, s.seq limit $3",
    );
    let binds = [Bind::Int(campaign.0), Bind::Int(since.0), Bind::Int(i64::from(limit))];
    let rows = db.rows("reading agents' shifts", &STATES, &binds).await?;
    rows.iter().map(|row| Ok((AgentId(row.int(0)?), UtcMs(row.int(1)?), row.text(2)?))).collect()
}

/// One lead that may still be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenLead {
    /// The person.
    pub contact: ContactId,
    /// Its class.
    pub class: ClassId,
    /// Its place in the order.
    pub rank: i64,
    /// Ready, waiting, or with a dialer.
    pub state: LeadState,
    /// When it is due.
    pub due: UtcMs,
    /// What holds it back.
    pub gate: Option<Gate>,
    /// Attempts that count.
    pub attempts: u32,
    /// End of the last one.
    pub last_outcome: Option<Outcome>,
    /// How often in a row.
    pub same_outcome: u32,
    /// Language of the person.
    pub language: Option<String>,
    /// Numbers that are not invalid, the one to dial first in front: key, number, zones.
    pub phones: Vec<(String, PhoneNumber, Vec<String>)>,
    /// When calls to the person began that count against the caps of 30 days.
    pub called: Vec<UtcMs>,
}

/// The leads of a campaign that may still be called, ready ones first, by rank; at most `limit`.
///
/// # Errors
/// As every statement.
pub async fn open_leads(
    db: &mut Db,
    campaign: CampaignId,
    seller: SellerId,
    calls_since: UtcMs,
    limit: u32,
) -> Result<Vec<OpenLead>, StoreError> {
    const LEADS: Sql = Sql::both(
        "select l.contact_id, l.class_id, l.rank, l.state, l.due_ms, l.gate, l.attempts, l.last_outcome, l.same_outcome, \
           c.language, p.key, p.number, p.zones \
         from (select * from lead where campaign_id = $1 and state in (0, 1, 2) \
               order by case state when 1 then 1 else 0 end, rank, id limit $2) l \
           join contact c on c.id = l.contact_id \
           join phone p on p.contact_id = l.contact_id and p.invalid = 0 \
         order by case l.state when 1 then 1 else 0 end, l.rank, l.id, \
           case when p.id = l.next_phone_id then 0 else 1 end, p.position, p.id",
    );
    let doing = "reading the list";
    let binds = [Bind::Int(campaign.0), Bind::Int(i64::from(limit))];
    let mut leads: Vec<OpenLead> = vec![];
    for row in db.rows(doing, &LEADS, &binds).await? {
        let contact = ContactId(row.int(0)?);
        let phone = (row.text(10)?, row.number(11)?, row.json(12)?);
        if let Some(last) = leads.last_mut().filter(|last| last.contact == contact) {
            last.phones.push(phone);
            continue;
        }
        leads.push(OpenLead {
            contact,
            class: ClassId(row.int(1)?),
            rank: row.int(2)?,
            state: lead_state(doing, row.int(3)?)?,
            due: UtcMs(row.int(4)?),
            gate: row.opt_text(5)?.and_then(|text| text.parse().ok()),
            attempts: u32::try_from(row.count(6)?).unwrap_or(u32::MAX),
            last_outcome: row.opt_word(7)?,
            same_outcome: u32::try_from(row.count(8)?).unwrap_or(0),
            language: row.opt_text(9)?,
            phones: vec![phone],
            called: vec![],
        });
    }
    // Of these people alone: a seller may have called millions of others.
    const CALLED: Sql = Sql::both(
        "select contact_id, started_ms from attempt where seller_id = $1 and counted = 1 and started_ms >= $2 \
           and contact_id in (select contact_id from lead where campaign_id = $3 and state in (0, 1, 2)) \
         order by contact_id, started_ms",
    );
    let places: BTreeMap<ContactId, usize> =
        leads.iter().zip(0..).map(|(lead, place)| (lead.contact, place)).collect();
    let binds = [Bind::Int(seller.0), Bind::Int(calls_since.0), Bind::Int(campaign.0)];
    for row in db.rows(doing, &CALLED, &binds).await? {
        let place = places.get(&ContactId(row.int(0)?));
        if let Some(lead) = place.and_then(|place| leads.get_mut(*place)) {
            lead.called.push(UtcMs(row.int(1)?));
        }
    }
    Ok(leads)
}
