//! What is known of one person: for `outdial why`. Reads only; a person has few numbers, leads and entries.

use crate::logic::dialer::{LeadPhone, LeadState, Promise};
use crate::logic::gate::Gate;
use crate::logic::ids::{AgentId, CampaignId, ClassId, ContactId, LeadId, PhoneId, SellerId};
use crate::logic::outcome::Outcome;
use crate::logic::time::UtcMs;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::leads::{lead_state, phone};
use crate::store::sql::{Bind, Sql, json_rows, sql_rows};
use crate::store::suppressions::person_key;

/// One person of one seller.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// The row.
    pub contact: ContactId,
    /// Whose.
    pub seller: SellerId,
    /// By name.
    pub seller_name: String,
    /// The customer's own id.
    pub external_id: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// Numbers in order; `true`: given up as invalid.
    pub phones: Vec<(LeadPhone, bool)>,
    /// The person in each campaign.
    pub leads: Vec<PersonLead>,
    /// Do-not-call entries for the person, the numbers or everybody, the newest first.
    pub suppressions: Vec<SuppressionRow>,
}

/// One person in one campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonLead {
    /// The row.
    pub lead: LeadId,
    /// The campaign.
    pub campaign: CampaignId,
    /// By name.
    pub campaign_name: String,
    /// `running`, `paused`, ...
    pub campaign_state: String,
    /// Its calling class.
    pub class: ClassId,
    /// What the class is.
    pub descriptor: String,
    /// How it stands.
    pub state: LeadState,
    /// When it is due, for a waiting one.
    pub due: UtcMs,
    /// What held it back last.
    pub gate: Option<Gate>,
    /// Raised by every claim.
    pub fence: i64,
    /// Attempts that count.
    pub attempts: u64,
    /// End of the last attempt.
    pub last_outcome: Option<Outcome>,
    /// The number to dial next, where one was chosen.
    pub next_phone: Option<PhoneId>,
    /// The dialer that holds it, by name.
    pub held_by: Option<String>,
    /// A promised call.
    pub promise: Option<Promise>,
    /// Who promised it, by name.
    pub promised_by: Option<String>,
    /// Ready leads of the campaign that rank before it.
    pub before: u64,
}

/// One do-not-call entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuppressionRow {
    /// `person`, `number`, ...
    pub scope: String,
    /// `refused`, `do_not_call`, ...
    pub reason: String,
    /// Where it is proven.
    pub proof: String,
    /// Since when.
    pub at: UtcMs,
    /// Lifted since.
    pub lifted: Option<UtcMs>,
}

/// Finds people by the public reference of an attempt, by the customer's own id, or by the keys of numbers: at most
/// [`PEOPLE`], in the order of their rows.
///
/// # Errors
/// As every statement.
pub async fn find_people(
    db: &mut Db,
    text: &str,
    keys: &[String],
) -> Result<Vec<ContactId>, StoreError> {
    #[derive(serde::Serialize)]
    struct KeyRow<'a> {
        key: &'a str,
    }
    let doing = "looking for a person";
    const BY_WORD: Sql = Sql::both(
        "select contact_id as id from attempt where public_ref = $1 \
         union select c.id from seller s join contact c on c.seller_id = s.id and c.external_id = $1 \
         order by id limit 20",
    );
    const BY_KEY: Sql = sql_rows!(
        [key text],
        "select distinct p.contact_id from r join phone p on p.key = r.key order by p.contact_id limit 20"
    );
    let keys: Vec<_> = keys.iter().map(|key| KeyRow { key }).collect();
    let mut found = vec![];
    for row in db.rows(doing, &BY_WORD, &[Bind::Text(text)]).await? {
        found.push(ContactId(row.int(0)?));
    }
    for row in db.rows(doing, &BY_KEY, &[Bind::Text(&json_rows(&keys))]).await? {
        found.push(ContactId(row.int(0)?));
    }
    found.sort_unstable();
    found.dedup();
    found.truncate(PEOPLE);
    Ok(found)
}

/// All that is known of a person but the attempts.
///
/// # Errors
/// As every statement.
pub async fn person(db: &mut Db, contact: ContactId) -> Result<Option<Person>, StoreError> {
    const PERSON: Sql = Sql::both(
        "select c.seller_id, s.name, c.external_id, c.name from contact c join seller s on s.id = c.seller_id \
         where c.id = $1",
    );
    const PHONES: Sql = Sql::both(
        "select id, key, number, zones, suspect_day, kind, invalid from phone where contact_id = $1 order by position, id",
    );
    let (doing, who) = ("reading a person", Bind::Int(contact.0));
    let rows = db.rows(doing, &PERSON, &[who]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let mut phones = vec![];
    for row in db.rows(doing, &PHONES, &[who]).await? {
        phones.push((phone(&row, 0)?, row.flag(6)?));
    }
    let seller = SellerId(row.int(0)?);
    let keys: Vec<&str> = phones.iter().map(|(phone, _)| phone.key.as_str()).collect();
    Ok(Some(Person {
        contact,
        seller,
        seller_name: row.text(1)?,
        external_id: row.opt_text(2)?,
        name: row.opt_text(3)?,
        leads: leads(db, contact).await?,
        suppressions: suppressions(db, contact, seller, &keys).await?,
        phones,
    }))
}

async fn leads(db: &mut Db, contact: ContactId) -> Result<Vec<PersonLead>, StoreError> {
    const LEADS: Sql = Sql::both(
        "select l.id, m.id, m.name, m.state, l.class_id, k.descriptor, l.state, l.due_ms, l.gate, l.fence, l.attempts, \
           l.last_outcome, l.next_phone_id, n.name, b.due_ms, b.owner_agent_id, g.name, \
           case when l.state = 0 then (select count(*) from lead o where o.campaign_id = l.campaign_id and o.state = 0 \
             and (o.rank < l.rank or (o.rank = l.rank and o.id < l.id))) else 0 end \
         from lead l join campaign m on m.id = l.campaign_id join calling_class k on k.id = l.class_id \
           left join node n on n.epoch = l.claimed_by \
           left join callback b on b.id = (select p.id from callback p where p.lead_id = l.id and p.state = 0 \
             order by p.due_ms, p.id limit 1) \
           left join agent g on g.id = b.owner_agent_id \
         where l.contact_id = $1 order by m.name",
    );
    let doing = "reading a person's campaigns";
    let mut leads = vec![];
    for row in db.rows(doing, &LEADS, &[Bind::Int(contact.0)]).await? {
        let promise = match row.opt_int(14)? {
            Some(due) => Some(Promise { due: UtcMs(due), owner: row.opt_int(15)?.map(AgentId) }),
            None => None,
        };
        leads.push(PersonLead {
            lead: LeadId(row.int(0)?),
            campaign: CampaignId(row.int(1)?),
            campaign_name: row.text(2)?,
            campaign_state: row.text(3)?,
            class: ClassId(row.int(4)?),
            descriptor: row.text(5)?,
            state: lead_state(doing, row.int(6)?)?,
            due: UtcMs(row.int(7)?),
            gate: row.opt_word(8)?,
            fence: row.int(9)?,
            attempts: row.count(10)?,
            last_outcome: row.opt_word(11)?,
            next_phone: row.opt_int(12)?.map(PhoneId),
            held_by: row.opt_text(13)?,
            promise,
            promised_by: row.opt_text(16)?,
            before: row.count(17)?,
        });
    }
    Ok(leads)
}

async fn suppressions(
    db: &mut Db,
    contact: ContactId,
    seller: SellerId,
    keys: &[&str],
) -> Result<Vec<SuppressionRow>, StoreError> {
    #[derive(serde::Serialize)]
    struct KeyRow<'a> {
        key: &'a str,
    }
    let person = person_key(contact);
    let all = keys.iter().copied().chain([person.as_str(), ""]);
    let keys: Vec<_> = all.map(|key| KeyRow { key }).collect();
    const ENTRIES: Sql = sql_rows!(
        [key text],
        "select distinct s.scope, s.reason, s.proof, s.at_ms, s.lifted_ms from r join suppression s on s.key = r.key \
         where s.seller_id in ($2, 0) order by s.at_ms desc limit 50"
    );
    let binds = [Bind::Text(&json_rows(&keys)), Bind::Int(seller.0)];
    let rows = db.rows("reading do-not-call entries", &ENTRIES, &binds).await?;
    rows.iter()
        .map(|row| {
            Ok(SuppressionRow {
                scope: row.text(0)?,
                reason: row.text(1)?,
                proof: row.text(2)?,
                at: UtcMs(row.int(3)?),
                lifted: row.opt_int(4)?.map(UtcMs),
            })
        })
        .collect()
}

/// Leads of a campaign that stand alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateCount {
    /// Their state.
    pub state: LeadState,
    /// What holds them back.
    pub gate: Option<Gate>,
    /// How many.
    pub leads: u64,
    /// When the first of them is due.
    pub first_due: UtcMs,
}

/// The leads of a campaign by state and gate. Reads all of them.
///
/// # Errors
/// As every statement.
pub async fn gate_counts(db: &mut Db, campaign: CampaignId) -> Result<Vec<GateCount>, StoreError> {
    const COUNT: Sql = Sql::both(
        "select state, gate, count(*), min(due_ms) from lead where campaign_id = $1 group by state, gate \
         order by state, gate",
    );
    let doing = "counting leads behind each gate";
    let rows = db.rows(doing, &COUNT, &[Bind::Int(campaign.0)]).await?;
    rows.iter()
        .map(|row| {
            Ok(GateCount {
                state: lead_state(doing, row.int(0)?)?,
                gate: row.opt_word(1)?,
                leads: row.count(2)?,
                first_due: UtcMs(row.int(3)?),
            })
        })
        .collect()
}

/// Most people that one question finds; the number in its statements.
pub const PEOPLE: usize = 20;
