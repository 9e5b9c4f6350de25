//! What most verbs need first: the files, the names in them, the database's address, the log.

use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use crate::cli::exit::{Exit, Failure, OrExit};
use crate::config::{
    CampaignFile, Database, HostPort, LogFormat, OutdialFile, Problems, Resolved, environment,
    read_campaign, read_outdial,
};
use crate::runtime::StartSettings;
use crate::runtime::lock::beside;
use crate::store::Db;
use crate::telemetry::{self, Keep, LogGuard, LogTarget};

/// The installation's file; a missing one is explained.
pub(crate) fn outdial_file(path: &Path) -> Result<OutdialFile, Failure> {
    if !path.exists() {
        let path = path.display();
        let error = anyhow!(
            "{path} is not there: copy campaigns/outdial.example.toml to {path} and fill it in, \
             name another file with --config, or see `outdial demo` first"
        );
        return Err(Failure::new(Exit::BadInput, error));
    }
    read_outdial(path, &environment()).or_exit(Exit::BadInput)
}

/// A campaign: a folder with campaign.toml, such a file, or a name under campaigns/ beside the installation's file.
pub(crate) fn campaign_file(config: &Path, named: &str) -> Result<CampaignFile, Failure> {
    let mut candidates = vec![
        PathBuf::from(named),
        PathBuf::from(named).join(CAMPAIGN_TOML),
        config.with_file_name("campaigns").join(named).join(CAMPAIGN_TOML),
        Path::new("campaigns").join(named).join(CAMPAIGN_TOML),
    ];
    candidates.dedup();
    let Some(path) = candidates.iter().find(|path| path.is_file()) else {
        let tried: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
        let error = anyhow!("no campaign `{named}`: looked for {}", tried.join(", "));
        return Err(Failure::new(Exit::BadInput, error));
    };
    read_campaign(path).or_exit(Exit::BadInput)
}

/// What sqlx connects to. A password goes in only here, and is shown nowhere.
pub(crate) fn database_url(database: &Database) -> String {
    match database {
        Database::Sqlite(path) => {
            // The path is percent-decoded and ends at a question mark.
            let path = path.display().to_string();
            format!("sqlite:{}", path.replace('%', "%25").replace('?', "%3f"))
        }
        Database::Postgres { url, password: None } => url.clone(),
        Database::Postgres { url, password: Some(password) } => {
            let escaped: String =
                password.reveal().bytes().map(|byte| format!("%{byte:02x}")).collect();
            match url.split_once('@') {
                Some((before, after)) => format!("{before}:{escaped}@{after}"),
                // Without a user the server's peer knows who we are, and no password is asked for.
                None => url.clone(),
            }
        }
    }
}

/// The database of the installation, as it is: never made by somebody who only reads it.
pub(crate) async fn open_existing(file: &OutdialFile) -> Result<Db, Failure> {
    if let Database::Sqlite(path) = &file.database
        && !path.exists()
    {
        let path = path.display();
        let error = anyhow!("{path} is not there yet: `outdial import CAMPAIGN` makes it");
        return Err(Failure::new(Exit::Failed, error));
    }
    let mut db = Db::open(&database_url(&file.database)).await?;
    db.check_schema().await?;
    Ok(db)
}

/// Where the dialer of this installation listens for commands: as its file says, else beside the SQLite file, else (the
/// database is on another machine) beside the installation's file: `outdial.toml` has `outdial.sock`.
pub(crate) fn control_path(file: &OutdialFile, config: &Path) -> PathBuf {
    match (&file.control, &file.database) {
        (Some(path), Database::Sqlite(_) | Database::Postgres { .. }) => path.clone(),
        (None, Database::Sqlite(path)) => beside(path, ".sock"),
        (None, Database::Postgres { .. }) => config.with_extension("sock"),
    }
}

/// Every host of trunks and agents as addresses.
pub(crate) fn resolve(file: &OutdialFile) -> Result<Resolved, Problems> {
    file.resolve(|host: &HostPort| {
        let found = (host.host.as_str(), host.port).to_socket_addrs();
        found.map(|all| all.map(|address| address.ip()).collect()).map_err(|e| e.to_string())
    })
}

/// The settings of a run.
pub(crate) fn start_settings(
    config: &Path,
    file: &OutdialFile,
    resolved: Resolved,
    campaigns: &[CampaignFile],
    until_idle: bool,
) -> StartSettings {
    StartSettings {
        database_url: database_url(&file.database),
        database_file: match &file.database {
            Database::Sqlite(path) => Some(path.clone()),
            Database::Postgres { .. } => None,
        },
        control: control_path(file, config),
        node: file.node.clone(),
        lines: file.lines,
        sip_bind: file.sip_bind,
        advertised_address: file.advertised_address,
        rtp_address: file.rtp_address,
        rtp_ports: file.rtp_ports.clone(),
        trunks: resolved.trunks,
        agents: resolved.agents,
        campaigns: campaigns.iter().map(|campaign| campaign.settings.clone()).collect(),
        until_idle,
        signals: true,
        pacing_journal: None,
    }
}

/// Starts the log that the file asks for. The second value says whether it goes to a file, so that the terminal is free.
pub(crate) fn start_log(file: &OutdialFile) -> Result<(LogGuard, bool), Failure> {
    let format = match file.log.format {
        LogFormat::Text => telemetry::LogFormat::Text,
        LogFormat::Json => telemetry::LogFormat::Json,
    };
    let target = match &file.log.file {
        Some(path) => {
            let bytes = u64::from(file.log.max_megabytes).saturating_mul(1_000_000);
            LogTarget::File(path.clone(), Keep { bytes, files: file.log.keep })
        }
        None => LogTarget::StandardError,
    };
    let in_file = file.log.file.is_some();
    Ok((telemetry::start(&target, format, &file.log.level)?, in_file))
}

const CAMPAIGN_TOML: &str = "campaign.toml";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlite_path_survives_its_way_through_the_url() {
        let database = Database::Sqlite(PathBuf::from("/a/50%?/b.db"));
        assert_eq!(database_url(&database), "sqlite:/a/50%25%3f/b.db");
    }

    #[test]
    fn a_campaign_that_is_nowhere_says_where_it_was_looked_for() {
        let failure = campaign_file(Path::new("/nowhere/outdial.toml"), "spring").unwrap_err();
        assert_eq!(failure.exit, Exit::BadInput);
        let text = failure.error.to_string();
        assert!(text.contains("/nowhere/campaigns/spring/campaign.toml"), "{text}");
    }
}
