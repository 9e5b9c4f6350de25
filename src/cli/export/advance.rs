//! `outdial export --advance NAME`: every change in exactly one finished file, over crashes.
//!
//! ```text
//!   note what the file will hold  ->  write it aside, fsync  ->  rename, fsync the folder  ->  move the cursor
//! ```
//! Whoever finds a note writes that very file again, over whatever is there, before anything else: a crash leaves no gap,
//! and no row in two files.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use crate::cli::exit::{Exit, Failure, OrExit};
use crate::cli::export::{Wish, block, campaign, end_after, rows, tell_lost};
use crate::cli::half::Half;
use crate::cli::output::say;
use crate::cli::setup;
use crate::config::OutdialFile;
use crate::files::outcomes_csv::Written;
use crate::runtime::clock::Clock;
use crate::store::{self, CampaignRow, Db, ExportRange, PlannedExport};

/// Writes what came since the cursor called `name` moved last, and moves it.
pub(super) fn run(
    file: &OutdialFile,
    wish: &Wish<'_>,
    name: &str,
    path: &Path,
) -> Result<Exit, Failure> {
    block(async {
        let mut db = setup::open_existing(file).await?;
        let row = campaign(&mut db, wish).await?;
        let mut fetch = Fetch { db: &mut db, campaign: row, wish, name };
        fetch.run(path).await?;
        db.close().await?;
        Ok(Exit::Ok)
    })
}

struct Fetch<'a> {
    db: &'a mut Db,
    campaign: CampaignRow,
    wish: &'a Wish<'a>,
    name: &'a str,
}

impl Fetch<'_> {
    async fn run(&mut self, path: &Path) -> Result<(), Failure> {
        if !store::lock_export(self.db, self.campaign.id, self.name).await? {
            return Err(self.held()).or_exit(Exit::Refused);
        }
        let cursor = store::export_cursor(self.db, self.campaign.id, self.name).await?;
        let mut from = cursor.seq;
        let mut finished = None;
        if let Some(plan) = cursor.planned {
            self.file(from, &plan).await?;
            from = plan.until;
            finished = Some(PathBuf::from(plan.file));
        }
        let until = end_after(self.db, from).await?;
        let place = place(path, until)?;
        if finished.as_ref() == Some(&place) {
            // What came since is for the next file of that name.
            return Ok(());
        }
        if until == from {
            say!("nothing new since cursor {from}");
            return Ok(());
        }
        if place.exists() {
            let error = anyhow!(
                "{} is there already, and whoever fetches it may not have done so: take it away first, or let each file \
                 have a name of its own by `{CURSOR}` in it",
                place.display()
            );
            return Err(error).or_exit(Exit::BadInput);
        }
        let file = place
            .into_os_string()
            .into_string()
            .map_err(|path| anyhow!("{} is no UTF-8", path.display()))
            .or_exit(Exit::BadInput)?;
        self.file(from, &PlannedExport { until, file }).await
    }

    /// Writes one file and moves the cursor behind it.
    async fn file(&mut self, from: i64, plan: &PlannedExport) -> Result<(), Failure> {
        let path = Path::new(&plan.file);
        let Some(half) = Half::create_alone(path)? else {
            return Err(self.held()).or_exit(Exit::Refused);
        };
        // Whoever held the file before us may have moved the cursor meanwhile.
        let cursor = store::export_cursor(self.db, self.campaign.id, self.name).await?;
        let ours = match &cursor.planned {
            Some(planned) => cursor.seq == from && planned == plan,
            None => {
                let now = Clock::utc();
                store::plan_export(self.db, self.campaign.id, self.name, from, plan, now).await?
            }
        };
        if !ours {
            half.forget()?;
            return Err(self.held()).or_exit(Exit::Refused);
        }
        let range = (ExportRange::Until(plan.until), from);
        let mut to = BufWriter::new(half.file());
        let written = rows::attempts(self.db, self.campaign, self.wish, range, &mut to).await?;
        to.flush().with_context(|| format!("cannot write {}", path.display()))?;
        drop(to);
        if written.rows > 0 {
            half.finish()?;
        } else {
            // A change that was no result: no file says so.
            half.forget()?;
        }
        let now = Clock::utc();
        store::advance_export(self.db, self.campaign.id, self.name, plan.until, now).await?;
        tell(path, from, plan.until, written)?;
        Ok(())
    }

    fn held(&self) -> anyhow::Error {
        anyhow!("another export of `{}` is at work: try again when it has ended", self.name)
    }
}

fn tell(path: &Path, from: i64, until: i64, written: Written) -> anyhow::Result<()> {
    if written.rows == 0 {
        say!("nothing new since cursor {from}");
    } else {
        say!("{}: {} rows, cursor {from} to {until}", path.display(), written.rows);
    }
    tell_lost(written);
    Ok(())
}

/// The whole path, so that a later run finds it from wherever it is started.
fn place(path: &Path, until: i64) -> Result<PathBuf, Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.replace(CURSOR, &until.to_string());
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    };
    let folder = folder.canonicalize().with_context(|| format!("no folder {}", folder.display()));
    Ok(folder.or_exit(Exit::BadInput)?.join(name))
}

/// Becomes the cursor behind the file.
const CURSOR: &str = "{cursor}";
