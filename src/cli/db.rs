//! `outdial db …`: the database itself is brought up to date, checked, backed up, and moved to another one.

mod words;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde_json::json;

use crate::cli::args::{Args, DbVerb};
use crate::cli::check::{fine, problem, show};
use crate::cli::exit::{Exit, Failure, OrExit};
use crate::cli::output::say;
use crate::cli::setup;
use crate::cli::text::{Lang, pad};
use crate::config::check::{Finding, Level};
use crate::config::{Database, parse_database};
use crate::logic::time::UtcMs;
use crate::runtime::clock::Clock;
use crate::runtime::dice::Dice;
use crate::runtime::lock::{DialerLock, beside};
use crate::store::{self, Copied, CopyError, Db, Health};

/// Does one verb.
pub(crate) fn run(args: &Args, verb: &DbVerb) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(Box::pin(perform(args, verb)))
}

async fn perform(args: &Args, verb: &DbVerb) -> Result<Exit, Failure> {
    let database = || setup::outdial_file(&args.config).map(|file| file.database);
    match verb {
        DbVerb::Migrate { json } => migrate(args.lang, &database()?, *json).await,
        DbVerb::Check { json } => check(args.lang, &database()?, *json).await,
        DbVerb::Backup { file } => backup(args.lang, &database()?, file).await,
        DbVerb::Copy { from, to, json } => copy(args.lang, from, to, *json).await,
        DbVerb::Reopen => reopen(args.lang, &database()?).await,
    }
}

async fn migrate(lang: Lang, database: &Database, json: bool) -> Result<Exit, Failure> {
    let _alone = alone(database)?;
    let mut db = Db::open(&setup::database_url(database)).await?;
    let done = db.migrate(Clock::utc(), &Dice::throw()?.installation).await?;
    db.close().await?;
    if json {
        say!("{}", json!({ "from": done.from, "to": done.to }));
    } else {
        say!("{}", words::migrated(lang, done));
    }
    Ok(Exit::Ok)
}

async fn check(lang: Lang, database: &Database, json: bool) -> Result<Exit, Failure> {
    let mut db = open(database).await?;
    let health = store::check_health(&mut db, Clock::utc()).await?;
    db.close().await?;
    show(&findings(lang, &health), json, lang)
}

async fn reopen(lang: Lang, database: &Database) -> Result<Exit, Failure> {
    let _alone = alone(database)?;
    let mut db = open(database).await?;
    db.check_schema().await?;
    let marked = store::reopen(&mut db).await?;
    db.close().await?;
    say!("{}", words::reopened(lang, marked));
    Ok(Exit::Ok)
}

/// A file that is whole, checked and on the disk before it has its name.
async fn backup(lang: Lang, database: &Database, to: &Path) -> Result<Exit, Failure> {
    let Database::Sqlite(path) = database else {
        return Err(Failure::new(
            Exit::BadInput,
            anyhow!("{}", words::use_pg_dump(lang, database, to)),
        ));
    };
    if same_file(path, to) {
        return Err(Failure::new(
            Exit::BadInput,
            anyhow!("{} is the database itself", to.display()),
        ));
    }
    let half = beside(to, ".part");
    let cannot = || format!("cannot write {}", half.display());
    // Numbers and names are in it: for its owner only. SQLite writes into a file that is there only if it is empty.
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    drop(options.open(&half).with_context(cannot)?);
    let mut db = open(database).await?;
    db.check_schema().await?;
    let name = half.to_str().ok_or_else(|| anyhow!("{} is no UTF-8", half.display()))?;
    db.copy_into(name).await?;
    db.close().await?;

    let mut copy = Db::open(&setup::database_url(&Database::Sqlite(half.clone()))).await?;
    copy.check_schema().await?;
    let damage = store::check_pages(&mut copy).await?;
    copy.close().await?;
    if let Some(line) = damage.first() {
        let error =
            anyhow!("the backup is not kept, for it is not sound: {}", words::damaged(lang, line));
        return Err(error.into());
    }
    let written = File::open(&half).with_context(cannot)?;
    written.sync_all().with_context(cannot)?;
    let bytes = written.metadata()?.len();
    std::fs::rename(&half, to).with_context(|| format!("cannot write {}", to.display()))?;
    folder_of(to).and_then(|folder| File::open(folder)?.sync_all()).with_context(cannot)?;
    say!("{}", words::backed_up(lang, to, bytes));
    Ok(Exit::Ok)
}

async fn copy(lang: Lang, from: &str, to: &str, json: bool) -> Result<Exit, Failure> {
    let address = |text: &str| parse_database(text, Path::new("")).or_exit(Exit::BadInput);
    let (from, to) = (address(from)?, address(to)?);
    if is_same(&from, &to) {
        return Err(Failure::new(Exit::BadInput, anyhow!("both addresses are the same database")));
    }
    let _locks = (alone(&from)?, alone(&to)?);
    let mut source = open(&from).await?;
    let mut target = Db::open(&setup::database_url(&to)).await?;
    let mut told = |copied: Copied| {
        if !json {
            eprintln!("{}{:>12}", pad(copied.table, 18), copied.rows);
        }
    };
    let copied = store::copy_installation(&mut source, &mut target, Clock::utc(), &mut told).await;
    let copied = copied.map_err(|error| Failure::new(exit_of(&error), error))?;
    source.close().await?;
    target.close().await?;
    if json {
        let tables: serde_json::Map<_, _> =
            copied.iter().map(|table| (table.table.to_owned(), table.rows.into())).collect();
        say!("{}", serde_json::to_string_pretty(&json!({ "tables": tables }))?);
    } else {
        let rows = copied.iter().map(|table| table.rows).sum();
        say!("{}", words::copied(lang, copied.len(), rows, &to));
    }
    Ok(Exit::Ok)
}

const fn exit_of(error: &CopyError) -> Exit {
    match error {
        CopyError::NotEmpty { .. } => Exit::BadInput,
        CopyError::DialerRuns { .. } => Exit::Refused,
        CopyError::Store { .. } | CopyError::Differs { .. } | CopyError::Unanswered { .. } => {
            Exit::Failed
        }
    }
}

/// No dialer runs on a SQLite file, and none starts while this is held. With PostgreSQL leases tell.
fn alone(database: &Database) -> Result<Option<DialerLock>, Failure> {
    match database {
        Database::Sqlite(path) => {
            DialerLock::take(path, "outdial db").map(Some).or_exit(Exit::Refused)
        }
        Database::Postgres { .. } => Ok(None),
    }
}

/// As it is, whatever its schema; a file that is not there is not made.
async fn open(database: &Database) -> Result<Db, Failure> {
    if let Database::Sqlite(path) = database
        && !path.exists()
    {
        return Err(Failure::new(Exit::Failed, anyhow!("{} is not there", path.display())));
    }
    Ok(Db::open(&setup::database_url(database)).await?)
}

fn is_same(one: &Database, other: &Database) -> bool {
    match (one, other) {
        (Database::Sqlite(one), Database::Sqlite(other)) => one == other || same_file(one, other),
        (Database::Postgres { url: one, .. }, Database::Postgres { url: other, .. }) => {
            one == other
        }
        (Database::Sqlite(_), Database::Postgres { .. })
        | (Database::Postgres { .. }, Database::Sqlite(_)) => false,
    }
}

fn same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        (Ok(_) | Err(_), Ok(_) | Err(_)) => false,
    }
}

fn folder_of(file: &Path) -> std::io::Result<PathBuf> {
    let file = std::path::absolute(file)?;
    Ok(file.parent().map_or_else(|| file.clone(), Path::to_owned))
}

/// What a look at the database says, with what to do.
fn findings(lang: Lang, health: &Health) -> Vec<Finding> {
    let mut findings = vec![fine(words::versions(lang, health))];
    if health.schema != health.known {
        findings.push(problem(words::other_schema(lang, health)));
    }
    findings.extend(health.damage.iter().map(|line| problem(words::damaged(lang, line))));
    if !health.missing.is_empty() {
        findings.push(problem(words::missing(lang, &health.missing)));
    }
    if let Some(entry) = health.audit {
        findings.push(problem(words::audit_broken(lang, entry)));
    }
    if let Some(UtcMs(at)) = health.moved {
        findings.push(problem(words::moved(lang, at)));
    }
    for found in &health.found {
        let level = if found.rule.is_fault() { Level::Problem } else { Level::Warning };
        findings.push(Finding { level, text: words::found(lang, found) });
    }
    if health.schema == health.known && findings.iter().all(|one| one.level != Level::Problem) {
        findings.push(fine(words::sound(lang, store::Rule::ALL.len())));
    }
    findings
}
