//! `outdial import CAMPAIGN [FILE…]`: contact lists into a campaign. The dialer may be running meanwhile.

use std::fs::File;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::args::{Args, ImportArgs};
use crate::cli::exit::{Exit, Failure, OrExit};
use crate::cli::output::say;
use crate::cli::setup;
use crate::cli::text::texts;
use crate::config::{CampaignFile, ListSource, OutdialFile};
use crate::files::contacts_csv::{ContactPhone, ContactRow, ContactsCsv, ReadOptions, Row};
use crate::files::header::{ColumnMap, Header};
use crate::files::import_report::ImportReport;
use crate::files::refusal::{Refusal, RefusalReason};
use crate::files::rejects_csv::RejectsCsv;
use crate::logic::compliance::calling_class::CallingClass;
use crate::logic::compliance::country;
use crate::logic::ids::{CampaignId, IdMaker, ListId, SellerId};
use crate::logic::phone::Region;
use crate::runtime::clock::Clock;
use crate::runtime::dice::Dice;
use crate::store::{
    self, Db, ImportJob, ImportPace, ImportPhone, ImportRow, RowResult, StoreError,
};

/// Imports files and prints what became of their rows.
pub(crate) fn run(args: &Args, import: &ImportArgs) -> Result<Exit, Failure> {
    let file = setup::outdial_file(&args.config)?;
    let campaign = setup::campaign_file(&args.config, &import.campaign)?;
    let lists = lists_of(&campaign, import)?;
    let rejects = import.rejects.as_deref();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut reports = Vec::new();
    for list in lists {
        let done = Box::pin(import_list(&file, &campaign, &list, rejects, import.dry_run));
        let done = runtime.block_on(done)?;
        if !import.json {
            say!("{}", list.path.display());
            if done.known {
                say!("{}", texts(args.lang).known_file);
            } else {
                say!("{}", done.report.text(args.lang.for_files()));
            }
            if let Some(rejects) = &done.rejects {
                say!("{}: {}", texts(args.lang).rejects, rejects.display());
            }
        }
        reports.push(serde_json::json!({
            "file": list.path,
            "dry_run": import.dry_run,
            "imported_before": done.known,
            "rejects": done.rejects,
            "counts": done.report,
        }));
    }
    if import.json {
        say!("{}", serde_json::to_string_pretty(&reports)?);
    }
    Ok(Exit::Ok)
}

/// Imports a campaign's own lists without a word; all counts together.
pub(crate) fn quietly(
    file: &OutdialFile,
    campaign: &CampaignFile,
    rejects: &Path,
) -> Result<ImportReport, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let [list] = campaign.lists.as_slice() else {
        return Err(anyhow!("the demo has one list, not {}", campaign.lists.len()).into());
    };
    Ok(runtime.block_on(Box::pin(import_list(file, campaign, list, Some(rejects), false)))?.report)
}

/// What became of one file.
struct Done {
    report: ImportReport,
    /// This very file was imported before: nothing was read.
    known: bool,
    rejects: Option<PathBuf>,
}

fn lists_of(campaign: &CampaignFile, import: &ImportArgs) -> Result<Vec<ListSource>, Failure> {
    let mut lists: Vec<ListSource> = if import.files.is_empty() {
        campaign.lists.clone()
    } else {
        import.files.iter().map(|path| named(campaign, path)).collect()
    };
    if lists.is_empty() {
        let name = &campaign.settings.name;
        let error = anyhow!("campaign {name} names no list: name a file, or add `lists` to it");
        return Err(Failure::new(Exit::BadInput, error));
    }
    if import.rejects.is_some() && lists.len() > 1 {
        let error = anyhow!("--rejects names one file, but there are {} lists", lists.len());
        return Err(Failure::new(Exit::BadInput, error));
    }
    if let Some(encoding) = &import.encoding {
        for list in &mut lists {
            list.encoding = Some(encoding.clone());
        }
    }
    Ok(lists)
}

/// A file named on the command line: as the campaign describes it, if it does.
fn named(campaign: &CampaignFile, path: &Path) -> ListSource {
    let same = |list: &&ListSource| match (list.path.canonicalize(), path.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        (Ok(_) | Err(_), Ok(_) | Err(_)) => false,
    };
    if let Some(list) = campaign.lists.iter().find(same) {
        return list.clone();
    }
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    // Another file of the same campaign has the columns of the first list, most times.
    let columns = campaign.lists.first().map(|list| list.columns.clone()).unwrap_or_default();
    ListSource { name, path: path.to_owned(), columns, encoding: None }
}

async fn import_list(
    file: &OutdialFile,
    campaign: &CampaignFile,
    list: &ListSource,
    rejects: Option<&Path>,
    dry_run: bool,
) -> Result<Done, Failure> {
    let options = read_options(campaign, list).or_exit(Exit::BadInput)?;
    let shown = list.path.display().to_string();
    let csv = ContactsCsv::open(&list.path, options)
        .with_context(|| shown.clone())
        .or_exit(Exit::BadInput)?;
    let beside = || list.path.with_extension("rejects.csv");
    let rejects = rejects.map_or_else(beside, Path::to_owned);
    let mut rejects = RejectsFile::new(rejects, csv.header().clone());

    let mut db = Db::open_bulk(&setup::database_url(&file.database)).await?;
    db.migrate(Clock::utc(), &Dice::throw()?.installation).await?;
    let mut ids = IdMaker::new(store::next_epoch(&mut db).await?);
    let hash = &csv.survey().sha256;
    let job = begin(&mut db, &mut ids, campaign, list, hash, dry_run).await?;
    let mut report = ImportReport::default();
    if job.finished {
        return Ok(Done { report, known: true, rejects: None });
    }
    let progress = progress_bar(csv.survey().bytes);
    let clock = Clock::start();
    let mut classes = Classes::default();
    let mut pace = ImportPace::new(db.engine());
    let (mut rows, mut kept, mut bytes) = (Vec::new(), Vec::new(), 0);
    let mut csv = csv;
    loop {
        let row = csv.next().transpose().with_context(|| shown.clone())?;
        let ended = row.is_none();
        // Also what an earlier run has written that was cut off: its rejects went with it.
        if let Some(row) = row {
            report.read(&row);
            match row {
                Row::Contact(contact) => {
                    bytes += contact.text.len();
                    let (row, rest) = classes.part(*contact);
                    rows.push(row);
                    kept.push(rest);
                }
                Row::Refused(refusal) => rejects.write(&refusal)?,
            }
        }
        let full = rows.len() >= pace.rows() || bytes >= CHUNK_BYTES;
        if full || (ended && !rows.is_empty()) {
            let begun = clock.now().tick;
            let results = repeated(&mut db, &mut ids, &job, &rows).await?;
            let took = clock.now().tick.since(begun);
            for ((row, kept), result) in rows.iter().zip(kept.drain(..)).zip(results) {
                if let Some(reason) = settled(result, &mut report) {
                    let refusal = refused(row, kept, reason, &mut csv);
                    report.refused(&refusal);
                    rejects.write(&refusal)?;
                }
            }
            pace.took(rows.len(), took, store::nobody_waits(&mut db, Clock::utc()).await?);
            rows.clear();
            bytes = 0;
            progress.set_position(csv.bytes());
        }
        if ended {
            break;
        }
    }
    // The rejects first: a file that was read to its end is never read again.
    let rejects = rejects.finish()?;
    if !dry_run {
        store::finish_import(&mut db, &job, Clock::utc()).await?;
    }
    progress.finish_and_clear();
    db.close().await?;
    Ok(Done { report, known: false, rejects })
}

async fn begin(
    db: &mut Db,
    ids: &mut IdMaker,
    campaign: &CampaignFile,
    list: &ListSource,
    file_hash: &str,
    dry_run: bool,
) -> Result<ImportJob, Failure> {
    let settings = &campaign.settings;
    if dry_run {
        // Rows that do not exist yet are given as 0: a dry run makes none.
        let known = store::find_campaign(db, &settings.name).await?;
        let (seller, row) = known.map_or((SellerId(0), CampaignId(0)), |row| (row.seller, row.id));
        return Ok(store::begin_dry_run(db, (seller, row, ListId(0))).await?);
    }
    let row =
        store::upsert_campaign(db, ids, &settings.name, &settings.seller, Clock::utc(), false)
            .await?;
    store::keep_campaign_text(db, row.id, &campaign.text).await?;
    let list_row = store::upsert_list(db, ids, row.id, &list.name).await?;
    let place = (row.seller, row.id, list_row);
    Ok(store::begin_import(db, ids, place, file_hash, Clock::utc()).await?)
}

/// Sends a chunk again while the database is busy (another process is writing) or away (its server restarts).
async fn repeated(
    db: &mut Db,
    ids: &mut IdMaker,
    job: &ImportJob,
    rows: &[ImportRow],
) -> Result<Vec<RowResult>, StoreError> {
    let mut left = TRIES;
    loop {
        match store::import_rows(db, ids, job, rows).await {
            Err(error) if error.is_retryable() && left > 0 => {
                left -= 1;
                if error.needs_reconnect() {
                    match db.reconnect().await {
                        // Still away: the next try finds out.
                        Err(error) if error.is_retryable() => {}
                        connected => connected?,
                    }
                }
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
            Ok(results) => return Ok(results),
            Err(error) => return Err(error),
        }
    }
}

/// Counts what the database made of a contact; `Some`: why it was refused.
const fn settled(result: RowResult, report: &mut ImportReport) -> Option<RefusalReason> {
    match result {
        RowResult::Added => report.stored(),
        RowResult::Updated => report.kept_up(),
        RowResult::DuplicateInFile => return Some(RefusalReason::DuplicateInFile),
        RowResult::DuplicateInList => return Some(RefusalReason::DuplicateInList),
        RowResult::Suppressed => return Some(RefusalReason::Suppressed),
    }
    None
}

fn refused(
    row: &ImportRow,
    kept: Kept,
    reason: RefusalReason,
    csv: &mut ContactsCsv<File>,
) -> Refusal {
    let raw = row.phones.first().map(|phone| phone.number.reveal().to_owned()).unwrap_or_default();
    let Kept { row, line, text } = kept;
    Refusal { row, line, column: None, reason, cells: csv.cells(&text), raw }
}

fn read_options(campaign: &CampaignFile, list: &ListSource) -> anyhow::Result<ReadOptions> {
    let mut options = ReadOptions::new(campaign.region.parse::<Region>()?);
    let columns = list.columns.iter().map(|(field, name)| (field.as_str(), name.as_str()));
    options.columns = ColumnMap::from_texts(columns)?;
    options.encoding = list.encoding.as_deref().map(str::parse).transpose()?;
    // The same list of countries is asked again at every INVITE.
    let allowed = &campaign.settings.countries;
    options.countries = country::regions()
        .filter(|region| {
            country::country(region).is_some_and(|country| {
                country.prefixes.iter().any(|prefix| allowed.iter().any(|other| other == prefix))
            })
        })
        .filter_map(|region| region.parse().ok())
        .collect();
    Ok(options)
}

/// What a rejects file needs of a row that the database refuses.
struct Kept {
    row: u64,
    line: u64,
    text: String,
}

/// Zones of the row before, and the calling class they make: most rows of a list have the same.
#[derive(Default)]
struct Classes {
    countries: Vec<Option<Region>>,
    zones: Vec<Arc<[String]>>,
    descriptor: Arc<str>,
}

impl Classes {
    fn part(&mut self, contact: ContactRow) -> (ImportRow, Kept) {
        let countries = contact.phones.iter().map(|phone| phone.country);
        let same =
            !self.descriptor.is_empty() && countries.clone().eq(self.countries.iter().copied());
        if !same {
            self.countries = countries.collect();
            let zones = self.countries.iter().flat_map(|country| zones(*country));
            self.descriptor = CallingClass::of_zones(zones).to_string().into();
            let zones = self.countries.iter().map(|country| zones_of(*country));
            self.zones = zones.collect();
        }
        let phones = contact.phones.into_iter().zip(&self.zones);
        let row = ImportRow {
            row_no: contact.row,
            external_id: contact.external_id,
            name: contact.name,
            language: contact.language,
            phones: phones.map(|(phone, zones)| import_phone(phone, zones)).collect(),
            // Who has no priority comes after all who have one.
            rank: contact.priority.map_or(LAST_RANK, i64::from),
            custom: contact.custom,
            class: Arc::clone(&self.descriptor),
        };
        (row, Kept { row: contact.row, line: contact.line, text: contact.text })
    }
}

fn import_phone(phone: ContactPhone, zones: &Arc<[String]>) -> ImportPhone {
    ImportPhone {
        zones: Arc::clone(zones),
        key: phone.key,
        number: phone.number,
        kind: Some(phone.kind.as_str()),
        extension: phone.extension,
    }
}

fn zones_of(region: Option<Region>) -> Arc<[String]> {
    zones(region).map(str::to_owned).collect()
}

fn zones(region: Option<Region>) -> impl Iterator<Item = &'static str> {
    let country = region.and_then(|region| country::country(region.as_str()));
    country.into_iter().flat_map(|country| country.zones.iter().copied())
}

/// Made when the first row is refused.
struct RejectsFile {
    path: PathBuf,
    header: Header,
    writer: Option<RejectsCsv<File>>,
}

impl RejectsFile {
    const fn new(path: PathBuf, header: Header) -> Self {
        Self { path, header, writer: None }
    }

    fn write(&mut self, refusal: &Refusal) -> anyhow::Result<()> {
        let path = self.path.display();
        if self.writer.is_none() {
            let file = File::create(&self.path).with_context(|| format!("cannot write {path}"))?;
            self.writer = Some(RejectsCsv::new(file, &self.header)?);
        }
        match &mut self.writer {
            Some(writer) => writer.write(refusal).with_context(|| format!("cannot write {path}")),
            None => Ok(()),
        }
    }

    fn finish(self) -> anyhow::Result<Option<PathBuf>> {
        let Some(writer) = self.writer else { return Ok(None) };
        writer.finish().with_context(|| format!("cannot write {}", self.path.display()))?;
        Ok(Some(self.path))
    }
}

/// Only on a terminal: a log has no use for it.
fn progress_bar(bytes: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(bytes), target);
    let style = "{bar:40} {bytes}/{total_bytes} {eta}";
    bar.with_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}

/// The rank of who has no priority.
const LAST_RANK: i64 = 2_147_483_647;
/// Of a chunk, as text: so that memory stays what it is for rows of a megabyte, too.
const CHUNK_BYTES: usize = 8 << 20;
/// A chunk is sent so many times while the database is busy or away: long enough for a server that restarts.
const TRIES: u32 = 40;
const BETWEEN_TRIES: std::time::Duration = std::time::Duration::from_millis(500);
