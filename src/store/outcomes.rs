//! The one outcome of each attempt, with all that follows from it: lead, number, ledger, refusal, log.
//!
//! A fact is never fenced away: only what it does to the lead's state is, when somebody else holds the lead by now.

use serde::Serialize;

use crate::logic::attempt::MessageKind;
use crate::logic::dialer::{LeadState, OutcomeRecord, PhoneAfter};
use crate::logic::gate::Gate;
use crate::logic::ids::{AgentId, AttemptId, CampaignId, LeadId};
use crate::logic::outcome::Outcome;
use crate::store::batch::{Batch, Key, Placed, rounds};
use crate::store::callbacks::{self, Kept};
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::events::{Event, EventKind};
use crate::store::ledger::{Booked, Changes};
use crate::store::rows::{HitSql, RowSql, Rows, hit_sql, place, row, row_sql, split};
use crate::store::sql::DbRow;
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
    let (hits, rows) = write_attempts(batch.db, records).await?;
    write_leads(batch.db, rows).await?;
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
    /// In the round.
    place: usize,
    record: &'a OutcomeRecord,
    /// What is revised.
    before: Option<Outcome>,
    counted_before: bool,
    /// What the attempt booked so far, and in which window.
    booked: Booked,
    booked_live: bool,
    window: Option<i64>,
}

impl<'a> Hit<'a> {
    /// Of an attempt that has neither an outcome nor booked anything.
    fn fresh(place: usize, record: &'a OutcomeRecord) -> Self {
        Self {
            place,
            record,
            before: None,
            counted_before: false,
            booked: Booked::default(),
            booked_live: false,
            window: None,
        }
    }

    /// With what is known of the attempt.
    fn revised(self, row: &DbRow) -> Result<Self, StoreError> {
        Ok(Self {
            before: row.opt_word(1)?,
            counted_before: row.flag(2)?,
            booked: Booked { answered: row.flag(3)?, abandoned: row.flag(4)?, fault: row.flag(5)? },
            booked_live: row.flag(6)?,
            window: row.opt_int(7)?,
            ..self
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
        #[derive(Serialize)]
        struct Body {
            abandoned: bool,
            agent: Option<AgentId>,
            attempt: AttemptId,
            campaign: CampaignId,
            fault: bool,
            lead: LeadId,
            live: Option<bool>,
            number: Option<&'static str>,
            outcome: Outcome,
            q850: Option<u8>,
            refused: bool,
            sip_status: Option<u16>,
            was: Option<Outcome>,
        }
        let record = self.record;
        let body = Body {
            abandoned: record.booking.abandoned,
            agent: record.agent,
            attempt: record.attempt,
            campaign: record.booking.window.campaign,
            fault: record.booking.fault,
            lead: record.lead,
            live: record.live,
            number: record.phone.map(|change| match change {
                PhoneAfter::Suspect { .. } => "suspect",
                PhoneAfter::Invalid { .. } => "invalid",
                PhoneAfter::Good { .. } => "good",
            }),
            outcome: record.outcome,
            q850: record.q850,
            refused: record.suppress.is_some(),
            sip_status: record.sip_status,
            was: self.before,
        };
        Event::new(record.ended_at, EventKind::AttemptEnded, record.attempt.0, &body)
    }
}

const fn booked(record: &OutcomeRecord) -> Booked {
    let booking = record.booking;
    Booked { answered: booking.answered, abandoned: booking.abandoned, fault: booking.fault }
}

row! {
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
        sip_status: Option<i64>,
        q850: Option<i64>,
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
        state: i64,
        due: i64,
        gate: Option<&'static str>,
        next_phone: Option<i64>,
    }
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
            sip_status: record.sip_status.map(i64::from),
            q850: record.q850.map(i64::from),
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
            state: record.after.state.code(),
            due: record.after.due.0,
            gate: record.after.gate.map(Gate::as_str),
            next_phone: record.after.next_phone.map(|phone| phone.0),
        }
    }

    const fn kept(&self) -> Kept {
        Kept { attempt: self.attempt, lead: self.lead }
    }
}

/// The outcomes that say something new, in their order, and as rows in any.
async fn write_attempts<'a>(
    db: &mut Db,
    records: &[&'a OutcomeRecord],
) -> Result<(Vec<Hit<'a>>, Vec<OutcomeRow>), StoreError> {
    // What a disposition said of the person (`live`) is known better there.
    macro_rules! end {
        ($which:literal) => {
            concat!(
                "update attempt set first_outcome = attempt.outcome, outcome = r.outcome, \
                   early_ms = coalesce(r.early, early_ms), answered_ms = coalesce(r.answered, answered_ms), \
                   connected_ms = coalesce(r.connected, connected_ms), ended_ms = r.ended, \
                   agent_id = coalesce(r.agent, agent_id), sip_status = r.sip_status, q850 = r.q850, \
                   message = coalesce(r.message, attempt.message), live = coalesce(attempt.live, r.live), \
                   counted = r.counted, undelivered = r.undelivered, abandoned = r.booked_abandoned, \
                   window_ms = r.window_start, booked_answered = r.booked_answered, \
                   booked_abandoned = r.booked_abandoned, booked_fault = r.booked_fault \
                 from r where attempt.id = r.attempt",
                $which
            )
        };
    }
    // Nearly all: then there is nothing to ask.
    static FRESH: HitSql =
        hit_sql!(OutcomeRow, end!(" and attempt.outcome is null and attempt.booked_live = 0"));
    static AGAIN: RowSql = row_sql!(OutcomeRow, end!(""));
    static LEG: RowSql = row_sql!(
        OutcomeRow,
        "update leg set ended_ms = case when r.legs_closed = 1 then r.ended else leg.ended_ms end, \
           early_ms = r.early, answered_ms = coalesce(leg.answered_ms, r.answered), \
           sip_status = r.sip_status, q850 = r.q850 \
         from r where leg.attempt_id = r.attempt and leg.ended_ms is null"
    );
    let hits: Vec<_> = (0..).zip(records).map(|(at, record)| Hit::fresh(at, record)).collect();
    let rows = Rows::new(hits.iter().map(OutcomeRow::new).collect());
    let fresh = rows.hits(db, WRITING, &FRESH).await?;
    let (mut hits, others) = split(hits, &fresh);
    let (mut rows, _) = split(rows.into_vec(), &fresh);
    let revised = revised(db, others).await?;
    let again = Rows::new(revised.iter().map(OutcomeRow::new).collect());
    again.run(db, WRITING, &AGAIN).await?;
    rows.extend(again.into_vec());
    hits.extend(revised);
    hits.sort_by_key(|hit| hit.place);
    let rows = Rows::new(rows);
    rows.run(db, WRITING, &LEG).await?;
    Ok((hits, rows.into_vec()))
}

/// Those whose attempt has no outcome or only `unknown`, with what is known of it.
async fn revised<'a>(db: &mut Db, hits: Vec<Hit<'a>>) -> Result<Vec<Hit<'a>>, StoreError> {
    row! {
        struct Asked {
            attempt: i64,
            outcome: &'static str,
        }
    }
    static FIND: RowSql = row_sql!(
        Asked,
        "select r.row_no, a.outcome, a.counted, a.booked_answered, a.booked_abandoned, a.booked_fault, \
           a.booked_live, a.window_ms from r, attempt a where a.id = r.attempt \
           and (a.outcome is null or (a.outcome = 'unknown' and r.outcome <> 'unknown')) for update of a"
    );
    let asked = hits
        .iter()
        .map(|hit| Asked { attempt: hit.record.attempt.0, outcome: hit.record.outcome.as_str() });
    let rows = Rows::new(asked.collect()).ask(db, "looking for open attempts", &FIND).await?;
    let mut hits: Vec<_> = hits.into_iter().map(Some).collect();
    let mut revised = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(hit) = hits.get_mut(place(row, 0)?).and_then(Option::take) {
            revised.push(hit.revised(row)?);
        }
    }
    Ok(revised)
}

/// Facts: always. State: only under the lease of this attempt. A refusal's block stays; so does what a disposition decided
/// already. A revision of the lead's last outcome starts a new row of equal ones; of an older one, changes none. Whoever may
/// have met silence (`unknown`) is remembered until a call counts: only then the person was reached again.
async fn write_leads(db: &mut Db, rows: Vec<OutcomeRow>) -> Result<(), StoreError> {
    macro_rules! with_facts {
        ($others:expr) => {
            concat!(
                "update lead set attempts = lead.attempts + r.attempts, \
                   same_outcome = case when r.revision = 0 and lead.last_outcome = r.outcome then lead.same_outcome + 1 \
                     when r.revision = 0 and r.counted = 0 and lead.last_outcome = 'unknown' then lead.same_outcome \
                     when r.revision = 0 or lead.last_outcome = 'unknown' then 1 else lead.same_outcome end, \
                   last_outcome = case when r.revision = 0 and r.counted = 0 and lead.last_outcome = 'unknown' then 'unknown' \
                     when r.revision = 0 or lead.last_outcome = 'unknown' then r.outcome else lead.last_outcome end",
                $others
            )
        };
    }
    macro_rules! with_state {
        ($which:literal) => {
            with_facts!(concat!(
                ", state = case when lead.state = 5 then 5 else r.state end, \
                   gate = case when lead.state = 5 then lead.gate else r.gate end, due_ms = r.due, \
                   next_phone_id = coalesce(r.next_phone, next_phone_id), claimed_by = null, claim_no = null \
                 from r where lead.id = r.lead and lead.fence = r.fence ",
                $which,
                "and not exists (select 1 from disposition d where d.attempt_id = r.attempt)"
            ))
        };
    }
    // Nearly all: nobody was promised a call.
    static PLAIN: HitSql =
        hit_sql!(OutcomeRow, with_state!("and lead.promised = 0 and lead.owner_agent_id is null "));
    static STATE: HitSql = hit_sql!(OutcomeRow, with_state!(""));
    static FACTS: RowSql = row_sql!(OutcomeRow, with_facts!(" from r where lead.id = r.lead"));
    let rows = Rows::new(rows);
    let plain = rows.hits(db, WRITING, &PLAIN).await?;
    let rows = Rows::new(split(rows.into_vec(), &plain).1);
    let ours = rows.hits(db, WRITING, &STATE).await?;
    let rows = rows.into_vec();
    let counts = rows.iter().filter(|row| row.counted == 1).map(OutcomeRow::kept).collect();
    let others = Rows::new(split(rows, &ours).1);
    others.run(db, WRITING, &FACTS).await?;
    callbacks::keep(db, counts).await
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
    row! {
        struct PhoneRow {
            phone: i64,
            suspect_day: Option<i64>,
            good: i64,
            invalid: i64,
        }
    }
    let rows = changes.iter().map(|change| {
        let phone = phone_id(*change);
        match change {
            PhoneAfter::Suspect { phone: _, day } => {
                PhoneRow { phone, suspect_day: Some(i64::from(*day)), good: 0, invalid: 0 }
            }
            PhoneAfter::Invalid { phone: _ } => {
                PhoneRow { phone, suspect_day: None, good: 0, invalid: 1 }
            }
            PhoneAfter::Good { phone: _ } => {
                PhoneRow { phone, suspect_day: None, good: 1, invalid: 0 }
            }
        }
    });
    static CHANGE: RowSql = row_sql!(
        PhoneRow,
        "update phone set suspect_day = case when r.good = 1 then null \
             else coalesce(phone.suspect_day, r.suspect_day) end, \
           invalid = case when r.invalid = 1 then 1 else phone.invalid end \
         from r where phone.id = r.phone"
    );
    Rows::new(rows.collect()).run(db, "changing numbers", &CHANGE).await
}

const WRITING: &str = "writing outcomes";

/// The integer of a blocked lead is written out in the statements here and in `leads`, `suppressions`.
const _: () = assert!(LeadState::Blocked.code() == 5 && LeadState::Done.code() == 3);
