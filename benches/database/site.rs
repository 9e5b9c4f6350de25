//! A folder as a user has it, and the program at work in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use tempfile::TempDir;

use crate::common::{Process, Usage};

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
    format!("{cluster}?options[search_path]={name}")
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
