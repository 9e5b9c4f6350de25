//! The rows of an export, page by page from the database into the file.

use std::io::{BufWriter, Write};
use std::ops::ControlFlow;

use crate::cli::export::{Wish, format};
use crate::files::outcomes_csv::{AttemptRecord, ContactRecord, OutcomesCsv, Written};
use crate::logic::dialer::LeadState;
use crate::logic::ids::LeadId;
use crate::logic::time::UtcMs;
use crate::store::{self, CampaignRow, Db, Engine, ExportRange, ExportedAttempt};

/// One row per attempt of the range after its cursor.
pub(super) async fn attempts(
    db: &mut Db,
    campaign: CampaignRow,
    wish: &Wish<'_>,
    (range, mut after): (ExportRange, i64),
    to: impl Write,
) -> anyhow::Result<Written> {
    // A page is read to its end before whoever takes the file may keep us waiting.
    let to = BufWriter::with_capacity(PAGE_BYTES, to);
    let mut csv = OutcomesCsv::of_attempts(to, format(wish))?;
    let mut done = Ok(());
    let rows = match db.engine() {
        Engine::Sqlite => Some(PAGE),
        // Whoever takes the file may keep it waiting.
        Engine::Postgres => None,
    };
    loop {
        let page = store::export_page(db, campaign.id, range, after, rows, |attempt| {
            done = csv.attempt(&record(attempt, wish));
            if done.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let last = page.await?;
        done?;
        done = csv.flush();
        match last {
            Some(last) if rows.is_some() => after = last,
            Some(_) | None => break,
        }
    }
    done?;
    Ok(csv.finish()?.1)
}

fn record<'t>(attempt: &ExportedAttempt<'t>, wish: &Wish<'t>) -> AttemptRecord<'t> {
    let disposition = attempt.disposition();
    let names = attempt.names();
    AttemptRecord {
        call_ref: attempt.public_ref(),
        contact_id: attempt.external_id(),
        name: attempt.name(),
        list: attempt.list(),
        campaign: &names.campaign,
        seller: &names.seller,
        attempt_no: attempt.attempt_no(),
        to: attempt.to(),
        from: attempt.from(),
        trunk: attempt.trunk(),
        started_ms: attempt.started(),
        rang_ms: attempt.rang(),
        answered_ms: attempt.answered(),
        connected_ms: attempt.connected(),
        ended_ms: attempt.ended(),
        wrap_s: attempt.wrap_up().map(|ms| ms.saturating_add(500) / 1_000),
        agent: attempt.agent(),
        outcome: attempt.outcome(),
        first_outcome: attempt.first_outcome(),
        sip_status: attempt.sip_status(),
        q850: attempt.q850(),
        disposition_label: match disposition {
            "" => "",
            code => label(wish, code).unwrap_or_default(),
        },
        disposition,
        memo: attempt.memo(),
        callback_ms: attempt.callback_due(),
        callback_agent: attempt.callback_owner(),
        abandoned: attempt.abandoned(),
        live: attempt.live(),
        message: attempt.message(),
        dnc_change: if attempt.refused() { "added" } else { "" },
        recording_url: "",
    }
}

/// One row per person, with what happened last.
pub(super) async fn contacts(
    db: &mut Db,
    campaign: CampaignRow,
    wish: &Wish<'_>,
    to: impl Write,
) -> anyhow::Result<Written> {
    let mut csv = OutcomesCsv::of_contacts(to, format(wish))?;
    let seller = wish.file.map(|file| file.settings.seller.clone()).unwrap_or_default();
    let mut after = LeadId(0);
    loop {
        let page = store::leads_page(db, campaign.id, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.lead;
        for row in page {
            csv.contact(&ContactRecord {
                contact_id: row.external_id,
                name: row.name,
                phone: row.number.map(|number| number.reveal().to_owned()),
                list: row.list.unwrap_or_default(),
                campaign: wish.campaign.to_owned(),
                seller: seller.clone(),
                state: state(row.state).to_owned(),
                gate: row.gate,
                attempts: i64::try_from(row.attempts).unwrap_or(i64::MAX),
                first_attempt_ms: ms(row.first_started),
                last_attempt_ms: ms(row.last_started),
                last_outcome: row.last_outcome.map(|outcome| outcome.as_str().to_owned()),
                last_disposition_label: row
                    .disposition
                    .as_deref()
                    .and_then(|code| label(wish, code))
                    .map(str::to_owned),
                last_disposition: row.disposition,
                memo: row.memo,
                last_agent: row.agent,
                next_ms: (row.state == LeadState::Waiting.code()).then_some(row.due.0),
            })?;
        }
    }
    Ok(csv.finish()?.1)
}

/// What a disposition's code means, in the campaign's language.
fn label<'w>(wish: &Wish<'w>, code: &str) -> Option<&'w str> {
    let settings = &wish.file?.settings;
    let found = settings.dispositions.iter().find(|known| known.code == code)?;
    Some(if settings.language == "ja" { &found.label_ja } else { &found.label_en })
}

/// The stable text of a lead's state; empty for an integer that this version never writes.
fn state(code: i64) -> &'static str {
    LeadState::ALL.into_iter().find(|state| state.code() == code).map_or("", LeadState::as_str)
}

fn ms(at: Option<UtcMs>) -> Option<i64> {
    at.map(|at| at.0)
}

/// Rows read at once: some ten milliseconds.
const PAGE: u32 = 2_000;
/// Most of what a page is as text; beyond it the file takes some of it earlier.
const PAGE_BYTES: usize = 4 << 20;
