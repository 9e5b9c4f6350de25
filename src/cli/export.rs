//! `outdial export CAMPAIGN`: results out, read in pages beside a running dialer.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::anyhow;
use jiff::tz::TimeZone;

use crate::cli::args::{Args, ExportArgs, Per};
use crate::cli::exit::{Exit, Failure, OrExit};
use crate::cli::half::Half;
use crate::cli::setup;
use crate::config::CampaignFile;
use crate::config::OutdialFile;
use crate::files::export_text::{ExportEncoding, Unmappable};
use crate::files::outcomes_csv::{self, ExportFormat, OutcomesCsv, Written};
use crate::logic::dialer::LeadState;
use crate::logic::ids::{AttemptId, LeadId};
use crate::logic::time::UtcMs;
use crate::store::{self, AttemptFilter, CampaignRow, Db};

/// Writes the results to a file or to the standard output.
pub(crate) fn run(args: &Args, export: &ExportArgs) -> Result<Exit, Failure> {
    let file = setup::outdial_file(&args.config)?;
    // A campaign whose file is gone still has results: then its name alone will do.
    let campaign = setup::campaign_file(&args.config, &export.campaign).ok();
    let encoding = match export.encoding.to_ascii_lowercase().replace('-', "").as_str() {
        "utf8" => ExportEncoding::Utf8,
        "cp932" | "sjis" | "shiftjis" => ExportEncoding::Cp932(Unmappable::QuestionMark),
        other => {
            let error = anyhow!("`{other}` is not an encoding of exports: utf8 or cp932");
            return Err(Failure::new(Exit::BadInput, error));
        }
    };
    let named = campaign.as_ref().map_or(export.campaign.as_str(), |c| &c.settings.name);
    let wish = Wish { campaign: named, file: campaign.as_ref(), encoding, per: export.per };
    let written = match &export.output {
        Some(path) => to_file(&file, &wish, path)?,
        None => block(&file, &wish, std::io::stdout().lock())?,
    };
    if written.lost > 0 {
        eprintln!("{} signs do not exist in CP932 and became `?`", written.lost);
    }
    Ok(Exit::Ok)
}

/// All attempts of a campaign as UTF-8.
pub(crate) fn attempts_to_file(
    file: &OutdialFile,
    campaign: &CampaignFile,
    path: &Path,
) -> Result<Written, Failure> {
    let wish = Wish {
        campaign: &campaign.settings.name,
        file: Some(campaign),
        encoding: ExportEncoding::Utf8,
        per: Per::Attempt,
    };
    to_file(file, &wish, path)
}

struct Wish<'a> {
    campaign: &'a str,
    file: Option<&'a CampaignFile>,
    encoding: ExportEncoding,
    per: Per,
}

/// By a file beside it, so that nobody reads half of an export.
fn to_file(file: &OutdialFile, wish: &Wish<'_>, path: &Path) -> Result<Written, Failure> {
    let half = Half::create(path)?;
    let written = block(file, wish, BufWriter::new(half.file()))?;
    half.finish()?;
    Ok(written)
}

fn block(file: &OutdialFile, wish: &Wish<'_>, to: impl Write) -> Result<Written, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(Box::pin(write(file, wish, to)))
}

async fn write(file: &OutdialFile, wish: &Wish<'_>, to: impl Write) -> Result<Written, Failure> {
    let mut db = setup::open_existing(file).await?;
    let Some(row) = store::find_campaign(&mut db, wish.campaign).await? else {
        let error = anyhow!("the database knows no campaign `{}`", wish.campaign);
        return Err(error).or_exit(Exit::BadInput);
    };
    let zone = wish.file.map_or("Etc/UTC", |file| file.settings.abandon.zone.as_str());
    let format = ExportFormat {
        encoding: wish.encoding,
        zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC),
    };
    let written = match wish.per {
        Per::Attempt => {
            let csv = OutcomesCsv::of_attempts(to, format)?;
            attempts(&mut db, row, wish, csv).await?
        }
        Per::Contact => {
            let csv = OutcomesCsv::of_contacts(to, format)?;
            contacts(&mut db, row, wish, csv).await?
        }
    };
    db.close().await?;
    Ok(written)
}

async fn attempts(
    db: &mut Db,
    campaign: CampaignRow,
    wish: &Wish<'_>,
    mut csv: OutcomesCsv<impl Write>,
) -> anyhow::Result<Written> {
    let filter = AttemptFilter { campaign: Some(campaign.id), since: None, until: None };
    let mut after = AttemptId(0);
    loop {
        let page = store::attempts_page(db, &filter, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.attempt;
        for row in page {
            csv.attempt(&outcomes_csv::AttemptRecord {
                call_ref: row.public_ref,
                contact_id: row.external_id,
                name: row.name,
                list: row.list.unwrap_or_default(),
                campaign: row.campaign,
                seller: row.seller,
                attempt_no: i64::try_from(row.attempt_no).unwrap_or(i64::MAX),
                to: row.to.reveal().to_owned(),
                from: row.from.reveal().to_owned(),
                trunk: row.trunk,
                started_ms: row.started.0,
                rang_ms: ms(row.early),
                answered_ms: ms(row.answered),
                connected_ms: ms(row.connected),
                ended_ms: ms(row.ended),
                wrap_s: row.wrap_up_ms.and_then(|ms| i64::try_from((ms + 500) / 1_000).ok()),
                agent: row.agent,
                outcome: row.outcome.map(|outcome| outcome.as_str().to_owned()),
                first_outcome: row.first_outcome.map(|outcome| outcome.as_str().to_owned()),
                sip_status: row.sip_status.and_then(|status| i64::try_from(status).ok()),
                q850: row.q850.and_then(|cause| i64::try_from(cause).ok()),
                disposition_label: label(wish, row.disposition.as_deref()),
                disposition: row.disposition,
                memo: row.memo,
                callback_ms: ms(row.callback_due),
                callback_agent: row.callback_owner,
                abandoned: row.abandoned,
                live: row.live,
                message: row.message,
                dnc_change: row.suppressed.map(|_| "added".to_owned()),
                recording_url: None,
            })?;
        }
    }
    Ok(csv.finish()?.1)
}

async fn contacts(
    db: &mut Db,
    campaign: CampaignRow,
    wish: &Wish<'_>,
    mut csv: OutcomesCsv<impl Write>,
) -> anyhow::Result<Written> {
    let seller = wish.file.map(|file| file.settings.seller.clone()).unwrap_or_default();
    let mut after = LeadId(0);
    loop {
        let page = store::leads_page(db, campaign.id, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.lead;
        for row in page {
            csv.contact(&outcomes_csv::ContactRecord {
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
                last_disposition_label: label(wish, row.disposition.as_deref()),
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
fn label(wish: &Wish<'_>, code: Option<&str>) -> Option<String> {
    let settings = &wish.file?.settings;
    let found = settings.dispositions.iter().find(|d| Some(d.code.as_str()) == code)?;
    Some(if settings.language == "ja" { &found.label_ja } else { &found.label_en }.clone())
}

fn state(code: i64) -> &'static str {
    const NAMED: [(LeadState, &str); 6] = [
        (LeadState::Ready, "ready"),
        (LeadState::Waiting, "waiting"),
        (LeadState::Claimed, "claimed"),
        (LeadState::Done, "done"),
        (LeadState::Held, "held"),
        (LeadState::Blocked, "blocked"),
    ];
    NAMED.iter().find(|(state, _)| state.code() == code).map_or("", |(_, name)| name)
}

fn ms(at: Option<UtcMs>) -> Option<i64> {
    at.map(|at| at.0)
}

/// Rows read at once.
const PAGE: u32 = 1_000;
