//! Results out: attempts, persons, and leads that wait for a person's word. In pages, by a cursor on the id.

use crate::logic::ids::{AttemptId, CampaignId, ContactId, LeadId, SellerId};
use crate::logic::outcome::Outcome;
use crate::logic::phone::PhoneNumber;
use crate::logic::time::UtcMs;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::sql::{Bind, DbRow, Sql};

/// Which attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptFilter {
    /// Only of this campaign.
    pub campaign: Option<CampaignId>,
    /// Only begun at or after.
    pub since: Option<UtcMs>,
    /// Only begun before.
    pub until: Option<UtcMs>,
}

/// All that is known of one attempt: the record that goes back to the customer's systems.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRecord {
    /// The cursor.
    pub attempt: AttemptId,
    /// The key by which other systems know the call; unique for all time.
    pub public_ref: String,
    /// The customer's own id of the person.
    pub external_id: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// Custom fields in the order of the file.
    pub fields: Vec<(String, String)>,
    /// List by name.
    pub list: Option<String>,
    /// Campaign by name.
    pub campaign: String,
    /// Seller by name.
    pub seller: String,
    /// Counts the attempts of the lead, from 1.
    pub attempt_no: u64,
    /// When it was decided.
    pub started: UtcMs,
    /// First 18x.
    pub early: Option<UtcMs>,
    /// 200 OK.
    pub answered: Option<UtcMs>,
    /// Agent and callee could hear each other.
    pub connected: Option<UtcMs>,
    /// The end.
    pub ended: Option<UtcMs>,
    /// Wrap-up of the agent after it.
    pub wrap_up_ms: Option<u64>,
    /// The number shown.
    pub from: PhoneNumber,
    /// The number dialed.
    pub to: PhoneNumber,
    /// Trunk by name.
    pub trunk: String,
    /// Agent by name: who spoke, else who was reserved.
    pub agent: Option<String>,
    /// `None`: under way.
    pub outcome: Option<Outcome>,
    /// What was written before it was known better.
    pub first_outcome: Option<Outcome>,
    /// Final SIP status.
    pub sip_status: Option<u64>,
    /// Q.850 cause.
    pub q850: Option<u64>,
    /// The agent's word.
    pub disposition: Option<String>,
    /// Free text to it.
    pub memo: Option<String>,
    /// A promised call back.
    pub callback_due: Option<UtcMs>,
    /// Only by this agent.
    pub callback_owner: Option<String>,
    /// Why this attempt ended in a do-not-call entry, if it did.
    pub suppressed: Option<String>,
    /// Answered by a person.
    pub live: Option<bool>,
    /// Answered, and no agent in time.
    pub abandoned: bool,
    /// Which announcement was begun.
    pub message: Option<String>,
}

/// The rows of [`AttemptRecord`]. Wrap-up: the agent's first wrap-up state at or after the end, to the agent's next state.
/// A refusal names the attempt's public reference as its proof.
macro_rules! attempt_rows {
    ($which:literal) => {
        concat!(
            "select a.id, a.public_ref, c.external_id, c.name, coalesce(c.custom, '[]'), l.name, m.name, s.name, a.attempt_no, \
           a.started_ms, a.early_ms, a.answered_ms, a.connected_ms, a.ended_ms, a.caller_id, a.number, a.trunk, g.name, \
           a.outcome, a.first_outcome, a.sip_status, a.q850, d.code, d.memo, b.due_ms, o.name, \
           (select min(x.reason) from suppression x where x.seller_id = a.seller_id and x.proof = a.public_ref \
              and x.key in (a.phone_key, 'c:' || cast(a.contact_id as text))), \
           a.live, a.abandoned, \
           (select min(n.at_ms) from agent_state n where n.agent_id = a.agent_id and n.at_ms > w.at_ms) - w.at_ms, a.message \
         from attempt a join campaign m on m.id = a.campaign_id join seller s on s.id = a.seller_id \
           left join contact c on c.id = a.contact_id left join list l on l.id = a.list_id \
           left join agent g on g.id = a.agent_id left join disposition d on d.attempt_id = a.id \
           left join callback b on b.id = (select max(x.id) from callback x where x.attempt_id = a.id and x.state <> 1) \
           left join agent o on o.id = b.owner_agent_id \
           left join agent_state w on w.agent_id = a.agent_id and w.state = 'wrap_up' and a.connected_ms is not null \
             and w.at_ms = (select min(f.at_ms) from agent_state f where f.agent_id = a.agent_id \
               and f.state = 'wrap_up' and f.at_ms >= a.ended_ms and f.at_ms < a.ended_ms + 2000) ",
            $which
        )
    };
}

/// The next attempts after `after`, at most `limit`. The last one's id is the next `after`; an empty page is the end.
///
/// # Errors
/// As every statement.
pub async fn attempts_page(
    db: &mut Db,
    filter: &AttemptFilter,
    after: AttemptId,
    limit: u32,
) -> Result<Vec<AttemptRecord>, StoreError> {
    const PAGE: Sql = Sql::both(attempt_rows!(
        "where a.id > $1 and ($2 = 0 or a.campaign_id = $2) and a.started_ms >= $3 and a.started_ms < $4 \
         order by a.id limit $5"
    ));
    let binds = [
        Bind::Int(after.0),
        Bind::Int(filter.campaign.map_or(0, |campaign| campaign.0)),
        Bind::Int(filter.since.map_or(i64::MIN, |at| at.0)),
        Bind::Int(filter.until.map_or(i64::MAX, |at| at.0)),
        Bind::Int(i64::from(limit)),
    ];
    db.rows("reading results", &PAGE, &binds).await?.iter().map(attempt).collect()
}

/// The last attempts to a person, the newest first, at most `limit`.
///
/// # Errors
/// As every statement.
pub async fn attempts_to(
    db: &mut Db,
    seller: SellerId,
    contact: ContactId,
    limit: u32,
) -> Result<Vec<AttemptRecord>, StoreError> {
    const LAST: Sql = Sql::both(attempt_rows!(
        "where a.seller_id = $1 and a.contact_id = $2 order by a.started_ms desc limit $3"
    ));
    let binds = [Bind::Int(seller.0), Bind::Int(contact.0), Bind::Int(i64::from(limit))];
    db.rows("reading calls to a person", &LAST, &binds).await?.iter().map(attempt).collect()
}

fn attempt(row: &DbRow) -> Result<AttemptRecord, StoreError> {
    let time = |at| row.opt_int(at).map(|time| time.map(UtcMs));
    let count = |at| row.opt_int(at).map(|count| count.and_then(|count| u64::try_from(count).ok()));
    Ok(AttemptRecord {
        attempt: AttemptId(row.int(0)?),
        public_ref: row.text(1)?,
        external_id: row.opt_text(2)?,
        name: row.opt_text(3)?,
        fields: row.json(4)?,
        list: row.opt_text(5)?,
        campaign: row.text(6)?,
        seller: row.text(7)?,
        attempt_no: row.count(8)?,
        started: UtcMs(row.int(9)?),
        early: time(10)?,
        answered: time(11)?,
        connected: time(12)?,
        ended: time(13)?,
        from: row.number(14)?,
        to: row.number(15)?,
        trunk: row.text(16)?,
        agent: row.opt_text(17)?,
        outcome: row.opt_word(18)?,
        first_outcome: row.opt_word(19)?,
        sip_status: count(20)?,
        q850: count(21)?,
        disposition: row.opt_text(22)?,
        memo: row.opt_text(23)?,
        callback_due: time(24)?,
        callback_owner: row.opt_text(25)?,
        suppressed: row.opt_text(26)?,
        live: row.opt_int(27)?.map(|live| live != 0),
        abandoned: row.flag(28)?,
        wrap_up_ms: count(29)?,
        message: row.opt_text(30)?,
    })
}

/// One person of a campaign with the last that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct LeadRecord {
    /// The cursor.
    pub lead: LeadId,
    /// The customer's own id of the person.
    pub external_id: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// Custom fields in the order of the file.
    pub fields: Vec<(String, String)>,
    /// List by name.
    pub list: Option<String>,
    /// First number.
    pub number: Option<PhoneNumber>,
    /// 0 ready, 1 waiting, 2 claimed, 3 done, 4 held, 5 blocked.
    pub state: i64,
    /// What holds it back.
    pub gate: Option<String>,
    /// When it is due, for a waiting one.
    pub due: UtcMs,
    /// Attempts that count.
    pub attempts: u64,
    /// End of the last one.
    pub last_outcome: Option<Outcome>,
    /// Public reference of the last one.
    pub last_ref: Option<String>,
    /// When the first one began.
    pub first_started: Option<UtcMs>,
    /// When the last one began.
    pub last_started: Option<UtcMs>,
    /// Agent of the last one.
    pub agent: Option<String>,
    /// The agent's word.
    pub disposition: Option<String>,
    /// Free text to it.
    pub memo: Option<String>,
}

/// The next persons of a campaign after `after`, at most `limit`.
///
/// # Errors
/// As every statement.
pub async fn leads_page(
    db: &mut Db,
    campaign: CampaignId,
    after: LeadId,
    limit: u32,
) -> Result<Vec<LeadRecord>, StoreError> {
    const PAGE: Sql = Sql::both(
        "select l.id, c.external_id, c.name, c.custom, i.name, \
           (select p.number from phone p where p.contact_id = c.id order by p.position, p.id limit 1), \
           l.state, l.gate, l.due_ms, l.attempts, l.last_outcome, a.public_ref, a.started_ms, g.name, d.code, d.memo, \
           (select min(f.started_ms) from attempt f where f.lead_id = l.id) \
         from lead l join contact c on c.id = l.contact_id left join list i on i.id = l.list_id \
           left join attempt a on a.lead_id = l.id \
             and a.fence = (select max(b.fence) from attempt b where b.lead_id = l.id) \
           left join agent g on g.id = a.agent_id left join disposition d on d.attempt_id = a.id \
         where l.campaign_id = $1 and l.id > $2 order by l.id limit $3",
    );
    let binds = [Bind::Int(campaign.0), Bind::Int(after.0), Bind::Int(i64::from(limit))];
    let rows = db.rows("reading results", &PAGE, &binds).await?;
    rows.iter()
        .map(|row| {
            Ok(LeadRecord {
                lead: LeadId(row.int(0)?),
                external_id: row.opt_text(1)?,
                name: row.opt_text(2)?,
                fields: row.json(3)?,
                list: row.opt_text(4)?,
                number: row.opt_number(5)?,
                state: row.int(6)?,
                gate: row.opt_text(7)?,
                due: UtcMs(row.int(8)?),
                attempts: row.count(9)?,
                last_outcome: row.opt_word(10)?,
                last_ref: row.opt_text(11)?,
                last_started: row.opt_int(12)?.map(UtcMs),
                agent: row.opt_text(13)?,
                disposition: row.opt_text(14)?,
                memo: row.opt_text(15)?,
                first_started: row.opt_int(16)?.map(UtcMs),
            })
        })
        .collect()
}

/// A lead whose talk has no disposition: a person must decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLead {
    /// The lead.
    pub lead: LeadId,
    /// The customer's own id of the person.
    pub external_id: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// Public reference of the attempt to be decided.
    pub public_ref: String,
    /// Its end.
    pub ended: Option<UtcMs>,
    /// Who spoke.
    pub agent: Option<String>,
}

/// The held leads of a campaign, at most `limit`.
///
/// # Errors
/// As every statement.
pub async fn held_leads(
    db: &mut Db,
    campaign: CampaignId,
    limit: u32,
) -> Result<Vec<HeldLead>, StoreError> {
    const HELD: Sql = Sql::both(
        "select l.id, c.external_id, c.name, a.public_ref, a.ended_ms, g.name \
         from lead l join contact c on c.id = l.contact_id \
           join attempt a on a.lead_id = l.id and a.fence = (select max(b.fence) from attempt b where b.lead_id = l.id) \
           left join agent g on g.id = a.agent_id \
         where l.campaign_id = $1 and l.state = 4 order by l.id limit $2",
    );
    let binds = [Bind::Int(campaign.0), Bind::Int(i64::from(limit))];
    let rows = db.rows("reading held leads", &HELD, &binds).await?;
    rows.iter()
        .map(|row| {
            Ok(HeldLead {
                lead: LeadId(row.int(0)?),
                external_id: row.opt_text(1)?,
                name: row.opt_text(2)?,
                public_ref: row.text(3)?,
                ended: row.opt_int(4)?.map(UtcMs),
                agent: row.opt_text(5)?,
            })
        })
        .collect()
}
