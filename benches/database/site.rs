//! A folder as a user has it, and the program at work in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::{AssertSqlSafe, Connection as _};
use sqlx_sqlite::SqliteConnection;
use tempfile::TempDir;

use crate::common::{Asked, Process, Usage};

/// The folder and what is in it.
pub(crate) struct Site {
    folder: TempDir,
}

impl Site {
    /// With a database at this address.
    pub(crate) fn new(database: &str) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        let installation = format!(
            "database = \"{database}\"\n[sip]\nbind = \"127.0.0.1:0\"\n[rtp]\nports = \"38000-38999\"\n\
             [log]\nfile = \"outdial.log\"\n\
             [[trunk]]\nname = \"simulator\"\npeers = [\"127.0.0.1:9\"]\ncalls_per_second = 50\nchannels = 40\n\
             caller_ids = []\nsimulated = true\n[[agent]]\nname = \"ann\"\nuri = \"sip:ann@127.0.0.1:9\"\n"
        );
        let sounds = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns/demo/sounds");
        let sounds = sounds.display();
        let campaign = format!(
            "name = \"bench\"\nseller = \"Bench\"\ncountry = \"JP\"\nlanguages = [\"en\"]\nlists = [\"list.csv\"]\n\
             dial_mode = \"progressive\"\ncaller_id = \"+81312345678\"\nsimulated_only = true\nhours = \"always\"\n\
             retry = \"none\"\n[messages.safe_harbour]\nen = \"{sounds}/safe_harbour_en.wav\"\n\
             [messages.call_lost]\nen = \"{sounds}/call_lost_en.wav\"\n"
        );
        std::fs::write(site.path("outdial.toml"), installation).unwrap();
        std::fs::create_dir(site.path("campaign")).unwrap();
        std::fs::write(site.path("campaign/campaign.toml"), campaign).unwrap();
        site
    }

    /// On SQLite.
    pub(crate) fn on_sqlite() -> Self {
        Self::new("sqlite://outdial.db")
    }

    /// On SQLite, with a copy of this database.
    pub(crate) fn with_copy(database: &Path) -> Self {
        let site = Self::on_sqlite();
        std::fs::copy(database, site.database()).unwrap();
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The SQLite file.
    pub(crate) fn database(&self) -> PathBuf {
        self.path("outdial.db")
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_outdial"));
        command.args(args).current_dir(self.folder.path()).env("LANG", "C");
        command.env("OUTDIAL_CONFIG", self.path("outdial.toml"));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// `import`, to its end.
    pub(crate) fn import(&self, list: &Path) -> Usage {
        let list = list.display().to_string();
        Process::start(&mut self.command(&["import", "campaign", &list])).succeed()
    }
}

/// What is made once and then only read: in the folder that `--folder` names, for the next run, or in one of its own.
pub(crate) struct Shelf {
    kept: Option<PathBuf>,
    own: TempDir,
}

impl Shelf {
    pub(crate) fn of(asked: &Asked) -> Self {
        if let Some(folder) = &asked.folder {
            std::fs::create_dir_all(folder).unwrap();
        }
        Self { kept: asked.folder.clone(), own: tempfile::tempdir().unwrap() }
    }

    /// The file of this name; made where it is not there.
    pub(crate) fn file(&self, name: &str, make: impl FnOnce(&Path)) -> PathBuf {
        let path = self.kept.as_deref().unwrap_or_else(|| self.own.path()).join(name);
        if !path.exists() {
            let part = self.own.path().join(format!("{name}.part"));
            make(&part);
            // Not `rename`: the two folders may be on different disks.
            std::fs::copy(&part, &path).unwrap();
            std::fs::remove_file(&part).unwrap();
        }
        path
    }

    /// Likewise a schema of the cluster; given back by [`Shelf::put_back`].
    pub(crate) fn schema(&self, cluster: &str, name: &str, make: impl FnOnce(&str)) -> String {
        let made = |_: &Path| {
            let url = schema(cluster, name);
            make(&url);
        };
        let mark = format!("{name}.postgres");
        if self.kept.is_some() {
            // The cluster may be another one than the last time.
            let told = |path: &Path| {
                made(path);
                std::fs::write(path, cluster).unwrap();
            };
            let path = self.kept.as_deref().unwrap_or_else(|| self.own.path()).join(&mark);
            if std::fs::read_to_string(&path).is_ok_and(|known| known != cluster) {
                std::fs::remove_file(&path).unwrap();
            }
            self.file(&mark, told);
        } else {
            made(self.own.path());
        }
        address(cluster, name)
    }

    /// A schema that is not kept is dropped.
    pub(crate) fn put_back(&self, cluster: &str, name: &str) {
        if self.kept.is_none() {
            psql(cluster, &format!("drop schema {name} cascade"));
        }
    }
}

/// The cluster that the environment names; without one PostgreSQL is not measured.
pub(crate) fn cluster() -> Option<String> {
    let url = std::env::var("OUTDIAL_TEST_POSTGRES").ok();
    if url.is_none() {
        println!("PostgreSQL is not measured: tests/postgres run cargo bench --bench database");
    }
    url
}

/// An empty schema of this name, as the address of a database.
pub(crate) fn schema(cluster: &str, name: &str) -> String {
    psql(cluster, &format!("drop schema if exists {name} cascade; create schema {name}"));
    address(cluster, name)
}

fn address(cluster: &str, schema: &str) -> String {
    format!("{cluster}?options[search_path]={schema}")
}

/// A `psql` that does as it is told.
pub(crate) fn psql_command(cluster: &str, text: &str) -> Command {
    let mut command = Command::new("psql");
    command.args(["-q", "-X", "-v", "ON_ERROR_STOP=1", "-d", cluster]).stdout(Stdio::null());
    command.env("PGOPTIONS", "-c client_min_messages=warning");
    for line in text.split(";;") {
        command.args(["-c", line.trim()]);
    }
    command
}

/// Runs statements, parted by `;;`.
pub(crate) fn psql(cluster: &str, text: &str) -> Usage {
    Process::start(&mut psql_command(cluster, text)).succeed()
}

/// Work that needs a runtime.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A database brought up to date and left alone.
pub(crate) fn migrated(url: &str) {
    block_on(async {
        let mut db = outdial::store::Db::open(url).await.unwrap();
        db.migrate(outdial::logic::time::UtcMs(0), &[7; 48]).await.unwrap();
        db.close().await.unwrap();
    });
}

/// Runs statements on a SQLite file.
pub(crate) fn sqlite(path: &Path, text: &str) {
    block_on(async {
        let mut db = open(path).await;
        sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
    });
}

/// Rows of a table of a SQLite file.
pub(crate) fn count(path: &Path, table: &str) -> u64 {
    let text = AssertSqlSafe(format!("select count(*) from {table}"));
    let rows: i64 = block_on(async {
        let mut db = open(path).await;
        sqlx::query_scalar(text).fetch_one(&mut db).await.unwrap()
    });
    u64::try_from(rows).unwrap()
}

async fn open(path: &Path) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap()
}
