//! The last gate before an INVITE: one attempt with its first leg, or a reason why not.
//!
//! A round is two questions (how things stand, what was called lately) and two inserts, for any number of intents that
//! share neither lead, person nor number. On PostgreSQL the persons, numbers and, for uncovered calls, the campaign's ledger
//! are locked first, so that two processes cannot both find a cap open or spend the same credit; the unique index `attempt_live` has the last word on a number.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::logic::compliance::abandon_ledger::Account;
use crate::logic::compliance::abandon_ledger::allowance;
use crate::logic::dialer::{CampaignState, Intent, LeadState, StoreReply};
use crate::logic::gate::{Answer, Gate};
use crate::logic::ids::{AgentId, AttemptId, CampaignId, ContactId, LeadId, SellerId};
use crate::logic::time::UtcMs;
use crate::store::batch::{Batch, Key, Placed, rounds};
use crate::store::db::{Db, Engine};
use crate::store::error::StoreError;
use crate::store::events::{Event, EventKind};
use crate::store::ledger;
use crate::store::nodes::own_lease;
use crate::store::sql::{Bind, DbRow, Sql, json_rows, sql_rows};
use crate::store::suppressions::person_key;

#[derive(Serialize)]
struct IntentRow<'a> {
    attempt: i64,
    public_ref: &'a str,
    leg: i64,
    lead: i64,
    fence: i64,
    campaign: i64,
    seller: i64,
    contact: i64,
    person: String,
    phone: i64,
    phone_key: &'a str,
    number: &'a str,
    trunk: &'a str,
    caller_id: &'a str,
    call: &'a str,
    agent: Option<i64>,
    uncovered: i64,
    /// Windows of the ledger in which an uncovered call can be answered.
    first_window: i64,
    last_window: i64,
    now: i64,
    since: i64,
}

impl<'a> IntentRow<'a> {
    fn new(intent: &'a Intent) -> Self {
        Self {
            attempt: intent.attempt.0,
            public_ref: &intent.public_ref,
            leg: intent.leg.0,
            lead: intent.lead.0,
            fence: intent.fence,
            campaign: intent.campaign.0,
            seller: intent.seller.0,
            contact: intent.contact.0,
            person: person_key(intent.contact),
            phone: intent.phone.phone.0,
            phone_key: &intent.phone.key,
            number: intent.phone.number.reveal(),
            trunk: &intent.trunk,
            caller_id: intent.caller_id.reveal(),
            call: &intent.call,
            agent: intent.agent.map(|agent| agent.0),
            uncovered: i64::from(intent.uncovered.is_some()),
            first_window: intent.uncovered.map_or(0, |start| start.windows.first.0),
            last_window: intent.uncovered.map_or(0, |start| start.windows.last.0),
            now: intent.now.0,
            since: (intent.now - MONTH.max(intent.min_gap)).0,
        }
    }

    fn event(&self) -> Event {
        #[derive(Serialize)]
        struct Body<'a> {
            agent: Option<AgentId>,
            attempt: AttemptId,
            call_ref: &'a str,
            campaign: CampaignId,
            contact: ContactId,
            lead: LeadId,
            seller: SellerId,
            trunk: &'a str,
        }
        let body = Body {
            agent: self.agent.map(AgentId),
            attempt: AttemptId(self.attempt),
            call_ref: self.public_ref,
            campaign: CampaignId(self.campaign),
            contact: ContactId(self.contact),
            lead: LeadId(self.lead),
            seller: SellerId(self.seller),
            trunk: self.trunk,
        };
        Event::new(UtcMs(self.now), EventKind::AttemptStarted, self.attempt, &body)
    }
}

/// Replies by place in the batch.
pub(crate) async fn write(
    batch: &mut Batch<'_>,
    items: &[Placed<'_, Intent>],
) -> Result<Vec<(usize, StoreReply)>, StoreError> {
    let lease_until = own_lease(batch.db, batch.node).await?;
    let mut replies = Vec::with_capacity(items.len());
    for round in rounds(items, keys) {
        write_round(batch, &round, lease_until, &mut replies).await?;
    }
    Ok(replies)
}

fn keys<'i>((_, intent): Placed<'i, Intent>) -> Vec<Key<'i>> {
    vec![
        Key::Lead(intent.lead.0),
        Key::Contact(intent.contact.0),
        Key::Number(&intent.phone.key),
        Key::Attempt(intent.attempt.0),
    ]
}

async fn write_round(
    batch: &mut Batch<'_>,
    round: &[Placed<'_, Intent>],
    lease_until: Option<UtcMs>,
    replies: &mut Vec<(usize, StoreReply)>,
) -> Result<(), StoreError> {
    lock(batch, round).await?;
    let rows: Vec<_> = round.iter().map(|(_, intent)| IntentRow::new(intent)).collect();
    let json = json_rows(&rows);
    let standings = standings(batch.db, &json).await?;
    let mut history = history(batch.db, &json).await?;
    let mut credits = credits(batch, round, &json).await?;
    let mut passed = vec![];
    for (((at, intent), row), (no, standing)) in
        round.iter().zip(rows).zip((0_i64..).zip(&standings))
    {
        let calls: Vec<_> = history.extract_if(.., |call| call.row_no == no).collect();
        match verdict(batch.epoch(), lease_until, intent, standing, &calls) {
            Verdict::Known => replies.push((*at, StoreReply::Saved)),
            Verdict::Pass if !take_credit(&mut credits, no, intent) => {
                replies.push((*at, StoreReply::Refused { gate: Gate::Credit, until: None }));
            }
            Verdict::Pass => passed.push((*at, row)),
            Verdict::Refuse(gate, until) => {
                replies.push((*at, StoreReply::Refused { gate, until }));
            }
        }
    }
    insert(batch, passed, replies).await
}

/// Inserts what passed every gate; a number that is called meanwhile from elsewhere is refused by the index.
async fn insert(
    batch: &mut Batch<'_>,
    passed: Vec<(usize, IntentRow<'_>)>,
    replies: &mut Vec<(usize, StoreReply)>,
) -> Result<(), StoreError> {
    if passed.is_empty() {
        return Ok(());
    }
    const ATTEMPT: Sql = sql_rows!(
        [attempt int, public_ref text, lead int, fence int, seller int, contact int, phone int, phone_key text,
         number text, campaign int, trunk text, caller_id text, agent int, uncovered int, now int],
        "insert into attempt (id, public_ref, lead_id, fence, seller_id, contact_id, phone_id, phone_key, number, \
           campaign_id, list_id, attempt_no, node_epoch, trunk, caller_id, agent_id, uncovered, started_ms, counted) \
         select r.attempt, r.public_ref, r.lead, r.fence, r.seller, r.contact, r.phone, r.phone_key, r.number, \
           r.campaign, l.list_id, 1 + (select count(*) from attempt before where before.lead_id = r.lead), $2, r.trunk, \
           r.caller_id, r.agent, r.uncovered, r.now, 1 \
         from r join lead l on l.id = r.lead where true on conflict do nothing returning id"
    );
    const LEG: Sql = sql_rows!(
        [attempt int, leg int, trunk text, call text, now int],
        "insert into leg (id, attempt_id, leg_no, node_epoch, trunk, call, started_ms) \
         select r.leg, r.attempt, 1, $2, r.trunk, r.call, r.now from r join attempt a on a.id = r.attempt \
         where true on conflict (id) do nothing"
    );
    let (places, rows): (Vec<_>, Vec<_>) = passed.into_iter().unzip();
    let json = json_rows(&rows);
    let binds = [Bind::Text(&json), Bind::Int(batch.epoch())];
    let doing = "writing intents";
    let mut saved = vec![];
    for row in batch.db.rows(doing, &ATTEMPT, &binds).await? {
        saved.push(row.int(0)?);
    }
    saved.sort_unstable();
    batch.db.run(doing, &LEG, &binds).await?;
    for (at, row) in places.into_iter().zip(rows) {
        let reply = match saved.binary_search(&row.attempt) {
            Ok(_) => {
                batch.events.push(row.event());
                StoreReply::Saved
            }
            Err(_) => StoreReply::Refused { gate: Gate::NumberBusy, until: None },
        };
        replies.push((at, reply));
    }
    Ok(())
}

async fn lock(batch: &mut Batch<'_>, round: &[Placed<'_, Intent>]) -> Result<(), StoreError> {
    // SQLite has one writer.
    if batch.db.engine() == Engine::Sqlite {
        return Ok(());
    }
    const LOCK: Sql = Sql::both(
        "select cast(count(pg_advisory_xact_lock(key)) as bigint) from \
         (select distinct hashtextextended(value, 0) as key from jsonb_array_elements_text($1::jsonb) order by 1) keys",
    );
    let keys: Vec<String> = round
        .iter()
        .flat_map(|(_, intent)| {
            let number = format!("{}:{}", intent.seller, intent.phone.key);
            let ledger = intent.uncovered.map(|_| format!("ledger:{}", intent.campaign));
            [Some(person_key(intent.contact)), Some(number), ledger].into_iter().flatten()
        })
        .collect();
    batch.db.rows("locking persons and numbers", &LOCK, &[Bind::Text(&json_rows(&keys))]).await?;
    Ok(())
}

/// How things stand for one intent.
struct Standing {
    /// It is there: our own, repeated.
    known: bool,
    /// The lease was used for another attempt.
    lease_used: bool,
    lead_state: Option<i64>,
    claimed_by: Option<i64>,
    fence: Option<i64>,
    campaign_state: Option<String>,
    suppressed: bool,
    /// A call to the number or the person is under way.
    live: bool,
    /// Attempts of the lead that count.
    total: u64,
}

async fn standings(db: &mut Db, json: &str) -> Result<Vec<Standing>, StoreError> {
    const STANDING: Sql = sql_rows!(
        [attempt int, lead int, fence int, campaign int, seller int, contact int, person text, phone_key text],
        "select (select count(*) from attempt a where a.id = r.attempt), \
           (select count(*) from attempt a where a.lead_id = r.lead and a.fence = r.fence), \
           l.state, l.claimed_by, l.fence, c.state, \
           (select count(*) from suppression s where s.key in (r.phone_key, r.person, '') \
              and s.seller_id in (r.seller, 0) and s.lifted_ms is null), \
           (select count(*) from attempt a where a.phone_key = r.phone_key and a.ended_ms is null) + \
           (select count(*) from attempt a where a.seller_id = r.seller and a.contact_id = r.contact \
              and a.ended_ms is null), \
           (select count(*) from attempt a where a.lead_id = r.lead and a.counted = 1) \
         from r left join lead l on l.id = r.lead left join campaign c on c.id = r.campaign order by r.row_no"
    );
    let rows = db.rows("asking the last gate", &STANDING, &[Bind::Text(json)]).await?;
    rows.iter()
        .map(|row| {
            Ok(Standing {
                known: row.flag(0)?,
                lease_used: row.flag(1)?,
                lead_state: row.opt_int(2)?,
                claimed_by: row.opt_int(3)?,
                fence: row.opt_int(4)?,
                campaign_state: row.opt_text(5)?,
                suppressed: row.flag(6)?,
                live: row.flag(7)?,
                total: row.count(8)?,
            })
        })
        .collect()
}

/// A call of the last month to the person or the number, for the same seller.
#[derive(Clone, Copy)]
struct PastCall {
    row_no: i64,
    by_number: bool,
    lead: i64,
    started: UtcMs,
    ended: Option<UtcMs>,
    counted: bool,
    undelivered: bool,
}

impl PastCall {
    fn read(row: &DbRow) -> Result<Self, StoreError> {
        Ok(Self {
            row_no: row.int(0)?,
            by_number: row.flag(1)?,
            lead: row.int(2)?,
            started: UtcMs(row.int(3)?),
            ended: row.opt_int(4)?.map(UtcMs),
            counted: row.flag(5)?,
            undelivered: row.flag(6)?,
        })
    }
}

/// Newest first. Bounded by the caps themselves.
async fn history(db: &mut Db, json: &str) -> Result<Vec<PastCall>, StoreError> {
    // `cross join` keeps SQLite from walking all attempts and looking each up in the batch.
    const HISTORY: Sql = sql_rows!(
        [seller int, contact int, phone_key text, since int],
        "select r.row_no, cast(0 as bigint), a.lead_id, a.started_ms as started, a.ended_ms, a.counted, a.undelivered \
         from r cross join attempt a \
         where a.seller_id = r.seller and a.contact_id = r.contact and a.started_ms > r.since \
         union all \
         select r.row_no, cast(1 as bigint), a.lead_id, a.started_ms, a.ended_ms, a.counted, a.undelivered \
         from r cross join attempt a \
         where a.seller_id = r.seller and a.phone_key = r.phone_key and a.started_ms > r.since \
         order by 4 desc"
    );
    let rows = db.rows("reading earlier calls", &HISTORY, &[Bind::Text(json)]).await?;
    rows.iter().map(PastCall::read).collect()
}

/// What the ledger of an uncovered intent's campaign bears.
struct CreditOf {
    campaign: i64,
    /// Uncovered calls that are under way, those of this round included as they pass.
    uncovered: u64,
    /// What the windows in which the call can be answered have booked.
    first: Account,
    last: Account,
}

/// By place in the round; nothing where no intent of the round is uncovered.
async fn credits(
    batch: &mut Batch<'_>,
    round: &[Placed<'_, Intent>],
    json: &str,
) -> Result<BTreeMap<i64, CreditOf>, StoreError> {
    if round.iter().all(|(_, intent)| intent.uncovered.is_none()) {
        return Ok(BTreeMap::new());
    }
    const CREDIT: Sql = sql_rows!(
        [campaign int, uncovered int, first_window int, last_window int],
        "select r.row_no, r.campaign, (select count(*) from attempt a where a.campaign_id = r.campaign \
             and a.uncovered = 1 and a.connected_ms is null and a.ended_ms is null), \
           coalesce(f.answered, 0), coalesce(f.abandoned, 0), coalesce(f.fault, 0), \
           coalesce(l.answered, 0), coalesce(l.abandoned, 0), coalesce(l.fault, 0) \
         from r left join abandon_window f on f.campaign_id = r.campaign and f.starts_ms = r.first_window \
           left join abandon_window l on l.campaign_id = r.campaign and l.starts_ms = r.last_window \
         where r.uncovered = 1 order by r.row_no"
    );
    let rows = batch.db.rows("asking the ledger", &CREDIT, &[Bind::Text(json)]).await?;
    rows.iter()
        .map(|row| {
            let credit = CreditOf {
                campaign: row.int(1)?,
                uncovered: row.count(2)?,
                first: ledger::account(row, 3)?,
                last: ledger::account(row, 6)?,
            };
            Ok((row.int(0)?, credit))
        })
        .collect()
}

/// Whether the call may be under way without an agent of its own: then it is counted for those after it.
fn take_credit(credits: &mut BTreeMap<i64, CreditOf>, no: i64, intent: &Intent) -> bool {
    let Some(start) = intent.uncovered else { return true };
    let Some(credit) = credits.get(&no) else { return false };
    let bears = |account: Account, debt: u32| {
        allowance(start.cap_ppm, account.answered, account.abandoned, debt) > credit.uncovered
    };
    let windows = start.windows;
    if !bears(credit.first, windows.first_debt) || !bears(credit.last, windows.last_debt) {
        return false;
    }
    for other in credits.values_mut().filter(|other| other.campaign == intent.campaign.0) {
        other.uncovered += 1;
    }
    true
}

enum Verdict {
    Known,
    Pass,
    Refuse(Gate, Option<UtcMs>),
}

/// In the order in which the gates are asked: the first that is closed is the answer.
fn verdict(
    epoch: i64,
    lease_until: Option<UtcMs>,
    intent: &Intent,
    standing: &Standing,
    calls: &[PastCall],
) -> Verdict {
    if standing.known {
        return Verdict::Known;
    }
    let blocked = standing.lead_state == Some(LeadState::Blocked.code());
    let held = blocked || standing.lead_state == Some(LeadState::Claimed.code());
    let ours = standing.claimed_by == Some(epoch) && standing.fence == Some(intent.fence);
    if !held || !ours || standing.lease_used {
        return Verdict::Refuse(Gate::LeaseLost, None);
    }
    if lease_until.is_none_or(|until| until <= intent.now) {
        return Verdict::Refuse(Gate::NodeLease, None);
    }
    Answer::first_closed(answers(intent, standing, calls, blocked))
        .map_or(Verdict::Pass, |(gate, until)| Verdict::Refuse(gate, until))
}

/// What each gate of the database says, in the order in which they are asked. `blocked`: a refusal has stopped the lead.
fn answers(intent: &Intent, standing: &Standing, calls: &[PastCall], blocked: bool) -> [Answer; 8] {
    let running = standing.campaign_state.as_deref() == Some(CampaignState::Running.as_str());
    [
        Answer::unless(Gate::CampaignState, !running),
        Answer::unless(Gate::Suppressed, blocked || standing.suppressed),
        Answer::unless(Gate::NumberBusy, standing.live),
        undelivered(intent, calls),
        Answer::unless(Gate::Total, standing.total >= u64::from(intent.total)),
        per(Gate::PerDay, intent.per_day, DAY, intent.now, calls),
        per(Gate::Per30Days, intent.per_30_days, MONTH, intent.now, calls),
        min_gap(intent, calls),
    ]
}

fn undelivered(intent: &Intent, calls: &[PastCall]) -> Answer {
    let unheard = calls
        .iter()
        .filter(|call| !call.by_number && call.undelivered && call.lead == intent.lead.0);
    let starts = unheard.map(|call| call.started);
    let closed = used_up(starts, intent.undelivered_per_hour, intent.now, HOUR);
    Answer { gate: Gate::Undelivered, open: closed.map_or(Ok(()), Err) }
}

/// The person and the number each have the whole allowance; both must be open.
fn per(gate: Gate, limit: u32, window: Duration, now: UtcMs, calls: &[PastCall]) -> Answer {
    let closed = [false, true].map(|by_number| {
        let counted = calls.iter().filter(|call| call.by_number == by_number && call.counted);
        used_up(counted.map(|call| call.started), limit, now, window)
    });
    Answer { gate, open: closed.into_iter().flatten().max().map_or(Ok(()), Err) }
}

fn min_gap(intent: &Intent, calls: &[PastCall]) -> Answer {
    let last = calls.iter().filter(|call| call.counted).filter_map(|call| call.ended).max();
    let until = last.map(|ended| ended + intent.min_gap).filter(|until| *until > intent.now);
    Answer { gate: Gate::MinGap, open: until.map_or(Ok(()), |until| Err(Some(until))) }
}

/// What the gates of the database say of calls that nobody has decided on: for `outdial why`. Whose lease it is is not
/// asked, nor whether the lead was blocked before.
///
/// # Errors
/// As every statement.
pub async fn ask_gates(db: &mut Db, intents: &[Intent]) -> Result<Vec<[Answer; 8]>, StoreError> {
    let rows: Vec<_> = intents.iter().map(IntentRow::new).collect();
    let json = json_rows(&rows);
    let standings = standings(db, &json).await?;
    let history = history(db, &json).await?;
    let of = |no| history.iter().filter(|call| call.row_no == no).copied().collect::<Vec<_>>();
    Ok((0_i64..)
        .zip(intents.iter().zip(&standings))
        .map(|(no, (intent, standing))| answers(intent, standing, &of(no), false))
        .collect())
}

/// Whether `limit` calls began after `now - window`, and if so when the first of these leaves it. `starts`: newest first.
///
/// `Some(None)`: closed for good (a limit of zero).
fn used_up(
    mut starts: impl Iterator<Item = UtcMs>,
    limit: u32,
    now: UtcMs,
    window: Duration,
) -> Option<Option<UtcMs>> {
    let Some(last) = usize::try_from(limit).ok().and_then(|limit| limit.checked_sub(1)) else {
        return Some(None);
    };
    starts.nth(last).filter(|start| *start > now - window).map(|start| Some(start + window))
}

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const MONTH: Duration = Duration::from_secs(30 * 86_400);
