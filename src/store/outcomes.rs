//! The one outcome of each attempt, with all that follows from it: lead, number, ledger, refusal, log.
//!
//! A fact is never fenced away: only what it does to the lead's state is, when somebody else holds the lead by now.

use serde::Serialize;
use serde_json::json;

use crate::logic::attempt::MessageKind;
use crate::logic::dialer::{LeadState, OutcomeRecord, PhoneAfter};
use crate::logic::outcome::Outcome;
use crate::store::batch::{Batch, Key, Placed, rounds};
use crate::store::callbacks;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::events::{Event, EventKind};
use crate::store::leads::AfterColumns;
use crate::store::ledger::{Booked, Changes};
use crate::store::sql::{Bind, DbRow, Sql, json_rows, sql_rows};
use crate::store::suppressions;

pub(crate) async fn write(
    batch: &mut Batch<'_>,
    items: &[Placed<'_, OutcomeRecord>],
) -> Result<(), StoreError> {
    let keys = |(_, item): Placed<'_, OutcomeRecord>| {
        let mut keys = vec![Key::Attempt(item.attempt.0), Key::Lead(item.lead.0)];
        keys.extend(item.phone.map(|change| Key::Phone(phone_id(change))));
        keys
    };
    for round in rounds(items, keys) {
        let records: Vec<_> = round.iter().map(|(_, item)| *item).collect();
        write_round(batch, &records).await?;
    }
    Ok(())
}

async fn write_round(batch: &mut Batch<'_>, records: &[&OutcomeRecord]) -> Result<(), StoreError> {
    let hits = hits(batch, records).await?;
    if hits.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = hits.iter().map(OutcomeRow::new).collect();
    let json = json_rows(&rows);
    write_attempts(batch, &json).await?;
    write_leads(batch, &json).await?;
    callbacks::keep(batch.db, &json).await?;
    let mut changes = Changes::default();
    for hit in &hits {
        hit.book(&mut changes);
    }
    changes.book(batch.db).await?;
    let phones: Vec<_> = hits.iter().filter_map(|hit| hit.record.phone).collect();
    change_phones(batch.db, &phones).await?;
    let refusals: Vec<_> = hits.iter().filter_map(|hit| hit.record.suppress.as_ref()).collect();
    if !refusals.is_empty() {
        suppressions::write(batch, &refusals).await?;
    }
    for hit in &hits {
        batch.events.push(hit.event());
    }
    Ok(())
}

/// An outcome whose attempt has none yet, or only `unknown`.
struct Hit<'a> {
    record: &'a OutcomeRecord,
    /// What is revised.
    before: Option<Outcome>,
    counted_before: bool,
    /// What the attempt booked so far, and in which window.
    booked: Booked,
    booked_live: bool,
    window: Option<i64>,
}

async fn hits<'a>(
    batch: &mut Batch<'_>,
    records: &[&'a OutcomeRecord],
) -> Result<Vec<Hit<'a>>, StoreError> {
    #[derive(Serialize)]
    struct Asked {
        attempt: i64,
        outcome: &'static str,
    }
    let asked: Vec<_> = records
        .iter()
        .map(|record| Asked { attempt: record.attempt.0, outcome: record.outcome.as_str() })
        .collect();
    const FIND: Sql = sql_rows!(
        [attempt int, outcome text],
        sqlite: "select r.row_no, a.outcome, a.counted, a.booked_answered, a.booked_abandoned, a.booked_fault, \
           a.booked_live, a.window_ms from r join attempt a on a.id = r.attempt \
         where a.outcome is null or (a.outcome = 'unknown' and r.outcome <> 'unknown') order by r.row_no",
        postgres: "select r.row_no, a.outcome, a.counted, a.booked_answered, a.booked_abandoned, a.booked_fault, \
           a.booked_live, a.window_ms from r join attempt a on a.id = r.attempt \
         where a.outcome is null or (a.outcome = 'unknown' and r.outcome <> 'unknown') order by r.row_no \
         for update of a"
    );
    let json = json_rows(&asked);
    let rows = batch.db.rows("looking for open attempts", &FIND, &[Bind::Text(&json)]).await?;
    let mut hits = Vec::with_capacity(rows.len());
    for row in &rows {
        let at = usize::try_from(row.int(0)?).ok();
        if let Some(record) = at.and_then(|at| records.get(at)) {
            hits.push(Hit::read(record, row)?);
        }
    }
    Ok(hits)
}

impl<'a> Hit<'a> {
    fn read(record: &'a OutcomeRecord, row: &DbRow) -> Result<Self, StoreError> {
        Ok(Self {
            record,
            before: row.opt_text(1)?.map(|_| row.word(1)).transpose()?,
            counted_before: row.flag(2)?,
            booked: Booked { answered: row.flag(3)?, abandoned: row.flag(4)?, fault: row.flag(5)? },
            booked_live: row.flag(6)?,
            window: row.opt_int(7)?,
        })
    }

    /// Takes back what a revised outcome booked and books the new one. A person confirmed by a disposition stays in A.
    fn book(&self, changes: &mut Changes) {
        let with_live =
            |booked: Booked| Booked { answered: booked.answered || self.booked_live, ..booked };
        let window = self.record.booking.window;
        if let Some(starts) = self.window {
            changes.subtract(window.campaign.0, starts, with_live(self.booked));
        }
        changes.add(window, with_live(booked(self.record)));
    }

    fn event(&self) -> Event {
        let record = self.record;
        Event {
            at: record.ended_at,
            kind: EventKind::AttemptEnded,
            row: record.attempt.0,
            body: json!({
                "attempt": record.attempt, "campaign": record.booking.window.campaign, "lead": record.lead,
                "outcome": record.outcome, "was": self.before, "agent": record.agent,
                "sip_status": record.sip_status, "q850": record.q850, "live": record.live,
                "abandoned": record.booking.abandoned, "fault": record.booking.fault,
                "number": record.phone.map(|change| match change {
                    PhoneAfter::Suspect { .. } => "suspect",
                    PhoneAfter::Invalid { .. } => "invalid",
                    PhoneAfter::Good { .. } => "good",
                }),
                "refused": record.suppress.is_some(),
            }),
        }
    }
}

const fn booked(record: &OutcomeRecord) -> Booked {
    let booking = record.booking;
    Booked { answered: booking.answered, abandoned: booking.abandoned, fault: booking.fault }
}

#[derive(Serialize)]
struct OutcomeRow {
    attempt: i64,
    lead: i64,
    fence: i64,
    outcome: &'static str,
    early: Option<i64>,
    answered: Option<i64>,
    connected: Option<i64>,
    ended: i64,
    agent: Option<i64>,
    legs_closed: i64,
    sip_status: Option<u16>,
    q850: Option<u8>,
    message: Option<&'static str>,
    live: Option<i64>,
    counted: i64,
    undelivered: i64,
    /// Attempts to add to the lead: a revision adds the difference.
    attempts: i64,
    revision: i64,
    window_start: i64,
    booked_answered: i64,
    booked_abandoned: i64,
    booked_fault: i64,
    #[serde(flatten)]
    after: AfterColumns,
}

impl OutcomeRow {
    fn new(hit: &Hit<'_>) -> Self {
        let record = hit.record;
        let counted = i64::from(record.outcome.uses_attempt());
        let counted_before = hit.before.map_or(0, |_| i64::from(hit.counted_before));
        Self {
            attempt: record.attempt.0,
            lead: record.lead.0,
            fence: record.fence,
            outcome: record.outcome.as_str(),
            early: record.early_at.map(|at| at.0),
            answered: record.answered_at.map(|at| at.0),
            connected: record.connected_at.map(|at| at.0),
            ended: record.ended_at.0,
            agent: record.agent.map(|agent| agent.0),
            legs_closed: i64::from(record.legs_closed),
            sip_status: record.sip_status,
            q850: record.q850,
            message: record.message.map(MessageKind::as_str),
            live: record.live.map(i64::from),
            counted,
            undelivered: i64::from(record.outcome.is_undelivered()),
            attempts: counted - counted_before,
            revision: i64::from(hit.before.is_some()),
            window_start: record.booking.window.starts.0,
            booked_answered: i64::from(record.booking.answered),
            booked_abandoned: i64::from(record.booking.abandoned),
            booked_fault: i64::from(record.booking.fault),
            after: AfterColumns::from(&record.after),
        }
    }
}

async fn write_attempts(batch: &mut Batch<'_>, json: &str) -> Result<(), StoreError> {
    // What a disposition said of the person (`live`) is known better there.
    const ATTEMPT: Sql = sql_rows!(
        [attempt int, outcome text, early int, answered int, connected int, ended int, agent int, sip_status int,
         q850 int, message text, live int, counted int, undelivered int, window_start int, booked_answered int, booked_abandoned int,
         booked_fault int],
        "update attempt set first_outcome = attempt.outcome, outcome = r.outcome, \
           early_ms = coalesce(r.early, early_ms), answered_ms = coalesce(r.answered, answered_ms), \
           connected_ms = coalesce(r.connected, connected_ms), ended_ms = r.ended, \
           agent_id = coalesce(r.agent, agent_id), sip_status = r.sip_status, q850 = r.q850, \
           message = coalesce(r.message, attempt.message), live = coalesce(attempt.live, r.live), counted = r.counted, undelivered = r.undelivered, \
           abandoned = r.booked_abandoned, window_ms = r.window_start, booked_answered = r.booked_answered, \
           booked_abandoned = r.booked_abandoned, booked_fault = r.booked_fault \
         from r where attempt.id = r.attempt"
    );
    const LEG: Sql = sql_rows!(
        [attempt int, early int, answered int, ended int, legs_closed int, sip_status int, q850 int],
        "update leg set ended_ms = case when r.legs_closed = 1 then r.ended else leg.ended_ms end, early_ms = r.early, answered_ms = coalesce(leg.answered_ms, r.answered), \
           sip_status = r.sip_status, q850 = r.q850 \
         from r where leg.attempt_id = r.attempt and leg.ended_ms is null"
    );
    batch.db.run("writing outcomes", &ATTEMPT, &[Bind::Text(json)]).await?;
    batch.db.run("writing outcomes", &LEG, &[Bind::Text(json)]).await?;
    Ok(())
}

async fn write_leads(batch: &mut Batch<'_>, json: &str) -> Result<(), StoreError> {
    // Facts: always. A revision of the lead's last outcome starts a new row of equal ones; of an older one, changes none.
    // Whoever may have met silence (`unknown`) is remembered until a call counts: only then the person was reached again.
    const FACTS: Sql = sql_rows!(
        [lead int, outcome text, attempts int, counted int, revision int],
        "update lead set attempts = lead.attempts + r.attempts, \
           same_outcome = case when r.revision = 0 and lead.last_outcome = r.outcome then lead.same_outcome + 1 \
             when r.revision = 0 and r.counted = 0 and lead.last_outcome = 'unknown' then lead.same_outcome \
             when r.revision = 0 or lead.last_outcome = 'unknown' then 1 else lead.same_outcome end, \
           last_outcome = case when r.revision = 0 and r.counted = 0 and lead.last_outcome = 'unknown' then 'unknown' \
             when r.revision = 0 or lead.last_outcome = 'unknown' then r.outcome else lead.last_outcome end \
         from r where lead.id = r.lead"
    );
    // State: only under the lease of this attempt. A refusal's block stays; so does what a disposition decided already.
    const STATE: Sql = sql_rows!(
        [attempt int, lead int, fence int, state int, due int, gate text, next_phone int],
        "update lead set state = case when lead.state = 5 then 5 else r.state end, \
           gate = case when lead.state = 5 then lead.gate else r.gate end, due_ms = r.due, \
           next_phone_id = coalesce(r.next_phone, next_phone_id), claimed_by = null, claim_no = null \
         from r where lead.id = r.lead and lead.fence = r.fence \
           and not exists (select 1 from disposition d where d.attempt_id = r.attempt)"
    );
    batch.db.run("writing outcomes", &FACTS, &[Bind::Text(json)]).await?;
    batch.db.run("writing outcomes", &STATE, &[Bind::Text(json)]).await?;
    Ok(())
}

const fn phone_id(change: PhoneAfter) -> i64 {
    match change {
        PhoneAfter::Suspect { phone, .. }
        | PhoneAfter::Invalid { phone }
        | PhoneAfter::Good { phone } => phone.0,
    }
}

/// Changes numbers, each at most once.
pub(crate) async fn change_phones(db: &mut Db, changes: &[PhoneAfter]) -> Result<(), StoreError> {
    #[derive(Serialize)]
    struct PhoneRow {
        phone: i64,
        suspect_day: Option<i32>,
        good: i64,
        invalid: i64,
    }
    if changes.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = changes
        .iter()
        .map(|change| {
            let phone = phone_id(*change);
            match change {
                PhoneAfter::Suspect { phone: _, day } => {
                    PhoneRow { phone, suspect_day: Some(*day), good: 0, invalid: 0 }
                }
                PhoneAfter::Invalid { phone: _ } => {
                    PhoneRow { phone, suspect_day: None, good: 0, invalid: 1 }
                }
                PhoneAfter::Good { phone: _ } => {
                    PhoneRow { phone, suspect_day: None, good: 1, invalid: 0 }
                }
            }
        })
        .collect();
    const CHANGE: Sql = sql_rows!(
        [phone int, suspect_day int, good int, invalid int],
        "update phone set suspect_day = case when r.good = 1 then null \
             else coalesce(phone.suspect_day, r.suspect_day) end, \
           invalid = case when r.invalid = 1 then 1 else phone.invalid end \
         from r where phone.id = r.phone"
    );
    db.run("changing numbers", &CHANGE, &[Bind::Text(&json_rows(&rows))]).await?;
    Ok(())
}

/// The integer of a blocked lead is written out in the statements here and in `leads`, `suppressions`.
const _: () = assert!(LeadState::Blocked.code() == 5 && LeadState::Done.code() == 3);
