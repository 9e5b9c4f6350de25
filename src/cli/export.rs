//! `outdial export CAMPAIGN`: results out, read in pages beside a running dialer.

mod advance;
mod rows;

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
use crate::files::outcomes_csv::{ExportFormat, Written};
use crate::store::{self, CampaignRow, Db, ExportRange};

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
    if export.per == Per::Contact && (export.since.is_some() || export.advance.is_some()) {
        let error = anyhow!("--since and --advance are about attempts: leave --per contact out");
        return Err(Failure::new(Exit::BadInput, error));
    }
    let named = campaign.as_ref().map_or(export.campaign.as_str(), |c| &c.settings.name);
    let since = export.since;
    let wish = Wish { campaign: named, file: campaign.as_ref(), encoding, per: export.per, since };
    if let (Some(name), Some(path)) = (&export.advance, &export.output) {
        return advance::run(&file, &wish, name, path);
    }
    let done = match &export.output {
        Some(path) => to_file(&file, &wish, path)?,
        None => block(write(&file, &wish, std::io::stdout().lock()))?,
    };
    tell_lost(done.written);
    if let Some(cursor) = done.cursor {
        eprintln!("cursor {cursor}");
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
        since: None,
    };
    Ok(to_file(file, &wish, path)?.written)
}

struct Wish<'a> {
    campaign: &'a str,
    file: Option<&'a CampaignFile>,
    encoding: ExportEncoding,
    per: Per,
    /// What came or changed after this cursor of the event log.
    since: Option<i64>,
}

struct Done {
    written: Written,
    /// Where the next export goes on.
    cursor: Option<i64>,
}

/// By a file beside it, so that nobody reads half of an export.
fn to_file(file: &OutdialFile, wish: &Wish<'_>, path: &Path) -> Result<Done, Failure> {
    let half = Half::create(path)?;
    let done = block(write(file, wish, BufWriter::new(half.file())))?;
    half.finish()?;
    Ok(done)
}

fn block<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(Box::pin(work))
}

async fn write(file: &OutdialFile, wish: &Wish<'_>, to: impl Write) -> Result<Done, Failure> {
    let mut db = setup::open_existing(file).await?;
    let row = campaign(&mut db, wish).await?;
    let mut cursor = None;
    let written = match (wish.per, wish.since) {
        (Per::Contact, _) => rows::contacts(&mut db, row, wish, to).await?,
        (Per::Attempt, None) => {
            rows::attempts(&mut db, row, wish, (ExportRange::All, 0), to).await?
        }
        (Per::Attempt, Some(since)) => {
            let until = end_after(&mut db, since).await?;
            cursor = Some(until);
            let range = (ExportRange::Until(until), since);
            rows::attempts(&mut db, row, wish, range, to).await?
        }
    };
    db.close().await?;
    Ok(Done { written, cursor })
}

async fn campaign(db: &mut Db, wish: &Wish<'_>) -> Result<CampaignRow, Failure> {
    store::find_campaign(db, wish.campaign)
        .await?
        .ok_or_else(|| anyhow!("the database knows no campaign `{}`", wish.campaign))
        .or_exit(Exit::BadInput)
}

/// The end of the event log. A cursor beyond it would be silent for a long time, and then skip.
async fn end_after(db: &mut Db, since: i64) -> Result<i64, Failure> {
    let end = store::events_end(db).await?;
    if since > end {
        let error = anyhow!(
            "the log ends at {end}: cursor {since} is of another database, or of one that was restored since"
        );
        return Err(error).or_exit(Exit::BadInput);
    }
    Ok(end)
}

fn format(wish: &Wish<'_>) -> ExportFormat {
    let zone = wish.file.map_or("Etc/UTC", |file| file.settings.abandon.zone.as_str());
    ExportFormat { encoding: wish.encoding, zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC) }
}

fn tell_lost(written: Written) {
    if written.lost > 0 {
        eprintln!("{} signs do not exist in CP932 and became `?`", written.lost);
    }
}
