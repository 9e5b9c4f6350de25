//! The rows of an export, page by page from the database into the file.

use std::io::Write;

use crate::cli::export::{Wish, format};
use crate::files::outcomes_csv::{AttemptRecord, ContactRecord, OutcomesCsv, Written};
use crate::logic::dialer::LeadState;
use crate::logic::ids::LeadId;
use crate::logic::time::UtcMs;
use crate::store::{self, CampaignRow, Db, ExportNames, ExportPage, ExportRange, ExportedAttempt};

/// One row per attempt of the range after its cursor.
pub(super) async fn attempts(
    db: &mut Db,
    campaign: CampaignRow,
    wish: &Wish<'_>,
    (range, mut after): (ExportRange, i64),
    to: impl Write,
) -> anyhow::Result<Written> {
    let mut csv = OutcomesCsv::of_attempts(to, format(wish))?;
    let mut names = store::export_names(db, campaign.id).await?;
    while let Some(page) = store::export_page(db, campaign.id, range, after, PAGE).await? {
        after = page.last;
        if lacks_names(&page, &names) {
            // A list or an agent came since.
            names = store::export_names(db, campaign.id).await?;
        }
        for attempt in page.attempts() {
            csv.attempt(&record(&attempt, &names, wish))?;
        }
    }
    Ok(csv.finish()?.1)
}

fn lacks_names(page: &ExportPage, names: &ExportNames) -> bool {
    page.attempts().any(|attempt| {
        let agents = [attempt.agent(), attempt.callback_owner()];
        !names.lists.contains_key(attempt.list())
            || agents.iter().any(|agent| !agent.is_empty() && !names.agents.contains_key(*agent))
    })
}

fn record<'t>(
    attempt: &ExportedAttempt<'t>,
    names: &'t ExportNames,
    wish: &Wish<'t>,
) -> AttemptRecord<'t> {
    let agent = |row: &str| names.agents.get(row).map(String::as_str).unwrap_or_default();
    let [rang_ms, answered_ms, connected_ms, ended_ms] = attempt.times();
    let [sip_status, q850] = attempt.codes();
    let disposition = attempt.disposition();
    AttemptRecord {
        call_ref: attempt.public_ref(),
        contact_id: attempt.external_id(),
        name: attempt.name(),
        list: names.lists.get(attempt.list()).map(String::as_str).unwrap_or_default(),
        campaign: &names.campaign,
        seller: &names.seller,
        attempt_no: attempt.attempt_no(),
        to: attempt.to(),
        from: attempt.from(),
        trunk: attempt.trunk(),
        started_ms: attempt.started(),
        rang_ms,
        answered_ms,
        connected_ms,
        ended_ms,
        wrap_s: attempt.wrap_up().map(|ms| ms.saturating_add(500) / 1_000),
        agent: agent(attempt.agent()),
        outcome: attempt.outcome(),
        first_outcome: attempt.first_outcome(),
        sip_status,
        q850,
        disposition_label: match disposition {
            "" => "",
            code => label(wish, code).unwrap_or_default(),
        },
        disposition,
        memo: attempt.memo(),
        callback_ms: attempt.callback_due(),
        callback_agent: agent(attempt.callback_owner()),
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

/// Rows read at once.
const PAGE: u32 = 1_000;
