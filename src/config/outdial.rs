//! `outdial.toml`, checked.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::path::PathBuf;

use crate::config::agent;
use crate::config::agent::AgentFile;
use crate::config::file::Field;
use crate::config::file::Section;
use crate::config::file::Wrong;
use crate::config::file::read_text;
use crate::config::file::with_document;
use crate::config::host;
use crate::config::host::HostPort;
use crate::config::problem::Problem;
use crate::config::problem::Problems;
use crate::config::secret;
use crate::config::secret::Environment;
use crate::config::secret::Secret;
use crate::config::trunk;
use crate::config::trunk::TrunkFile;
use crate::logic::settings::AgentSettings;
use crate::logic::settings::TrunkSettings;

/// The file of the installation, in which nothing is wrong.
#[derive(Clone, Debug)]
pub struct OutdialFile {
    /// As the person named it; problems of [`OutdialFile::resolve`] name it too.
    pub name: String,
    /// Where everything is kept.
    pub database: Database,
    /// Where a running dialer takes commands, if not beside the database.
    pub control: Option<PathBuf>,
    /// This process's name in the `node` table.
    pub node: String,
    /// Most customer legs at once, over all trunks.
    pub lines: u32,
    /// Our SIP socket.
    pub sip_bind: SocketAddr,
    /// Our address as far ends see it, where that is not the socket's (behind NAT).
    pub advertised_address: Option<IpAddr>,
    /// The address of our RTP sockets.
    pub rtp_address: IpAddr,
    /// Ports of RTP and RTCP.
    pub rtp_ports: RangeInclusive<u16>,
    /// What is logged and where.
    pub log: LogSettings,
    /// Links to carriers; a campaign that names none uses the first.
    pub trunks: Vec<TrunkFile>,
    /// Everybody who may log in.
    pub agents: Vec<AgentFile>,
}

/// Where everything is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file; its folder must exist.
    Sqlite(PathBuf),
    /// A server.
    Postgres {
        /// `postgres://user@host/name`, without password.
        url: String,
        /// From PGPASSWORD, or from where the file says.
        password: Option<Secret>,
    },
}

/// What is logged and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Standard error where absent.
    pub file: Option<PathBuf>,
    /// A filter: `info`, or `info,outdial::logic::sip=debug`.
    pub level: String,
    /// For people or for machines.
    pub format: LogFormat,
    /// Megabytes (10^6) of one file; a fuller one is closed and numbered.
    pub max_megabytes: u32,
    /// Closed files that are kept.
    pub keep: u32,
}

/// For people or for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One line of text each.
    Text,
    /// One JSON object a line.
    Json,
}

/// Trunks and agents with the addresses of their hosts.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Every trunk.
    pub trunks: Vec<TrunkSettings>,
    /// Every agent.
    pub agents: Vec<AgentSettings>,
}

/// Reads and checks the file at `path`; passwords come from `environment` or from files beside it.
///
/// # Errors
/// Everything that is wrong in it, each with line and column.
pub fn read_outdial(path: &Path, environment: &Environment) -> Result<OutdialFile, Problems> {
    let name = path.display().to_string();
    let text = read_text(path, &name)?;
    let base = path.parent().unwrap_or_else(|| Path::new(""));
    parse_outdial(&name, &text, base, environment)
}

/// Checks the text of an `outdial.toml` called `name`, with paths relative to `base`.
///
/// # Errors
/// As [`read_outdial`].
pub fn parse_outdial(
    name: &str,
    text: &str,
    base: &Path,
    environment: &Environment,
) -> Result<OutdialFile, Problems> {
    let checked = with_document(name, text, |root| check(root, name, base, environment))?;
    // `None` without a problem cannot be: every missing part has been reported.
    checked.ok_or_else(|| Problems(Vec::new()))
}

impl OutdialFile {
    /// Looks up every host that is a name, in the order of the file. `lookup` returns the addresses of a name, best
    /// first, or why there are none; all are kept for a trunk, the first for an agent.
    ///
    /// # Errors
    /// Every name for which `lookup` had no address, with its place in the file.
    pub fn resolve(
        &self,
        mut lookup: impl FnMut(&HostPort) -> Result<Vec<IpAddr>, String>,
    ) -> Result<Resolved, Problems> {
        let mut problems = Vec::new();
        let mut addresses = |host: &HostPort| -> Vec<SocketAddr> {
            if let Some(address) = host.literal() {
                return vec![address];
            }
            let found = lookup(host).and_then(|found| {
                if found.is_empty() { Err("no address".to_owned()) } else { Ok(found) }
            });
            match found {
                Ok(found) => found.into_iter().map(|ip| SocketAddr::new(ip, host.port)).collect(),
                Err(reason) => {
                    problems.push(Problem {
                        file: self.name.clone(),
                        line: host.line,
                        column: host.column,
                        found: format!("the host {} ({reason})", host.host),
                        expected: "a name that the DNS knows".to_owned(),
                        advice: "correct it, or write the address".to_owned(),
                    });
                    Vec::new()
                }
            }
        };
        let trunks: Vec<TrunkSettings> = self
            .trunks
            .iter()
            .map(|trunk| trunk.with_peers(trunk.hosts.iter().flat_map(&mut addresses).collect()))
            .collect();
        let agents: Vec<AgentSettings> = self
            .agents
            .iter()
            .filter_map(|agent| Some(agent.with_peer(*addresses(&agent.host).first()?)))
            .collect();
        if problems.is_empty() { Ok(Resolved { trunks, agents }) } else { Err(Problems(problems)) }
    }
}

fn check(
    root: &Section<'_>,
    name: &str,
    base: &Path,
    environment: &Environment,
) -> Option<OutdialFile> {
    let database = database(root, base, environment);
    let node = root.get("node").map_or_else(|| Some("outdial".to_owned()), |field| field.line(64));
    let control = root.get("control").and_then(|field| Some(base.join(field.line(400)?)));
    let lines = root.get("lines").map_or(Some(DEFAULT_LINES), |field| field.whole(1..=100_000));
    let (sip_bind, advertised_address) = sip(root);
    let rtp = rtp(root, sip_bind);
    let log = log(root, base);
    let trunks = trunks(root, base, environment);
    let agents = agents(root);
    let (rtp_address, rtp_ports) = rtp?;
    Some(OutdialFile {
        name: name.to_owned(),
        database: database?,
        control,
        node: node?,
        lines: lines?,
        sip_bind: sip_bind?,
        advertised_address,
        rtp_address,
        rtp_ports,
        log,
        trunks,
        agents,
    })
}

fn database(root: &Section<'_>, base: &Path, environment: &Environment) -> Option<Database> {
    let keys = ["database_password", "database_password_env", "database_password_file"];
    let (named, password) = secret::password(root, keys, base, environment);
    let expected = "\"sqlite://outdial.db\" or \"postgres://user@host/name\"";
    let field = root.need("database", expected)?;
    let database = match parse_database(field.text()?, base) {
        Ok(database) => database,
        Err(AddressFault::File) => {
            field.unexpected("\"sqlite://\" and the path of a file", "such as sqlite://outdial.db");
            return None;
        }
        Err(AddressFault::Scheme) => {
            field.unexpected(expected, "write the scheme in small letters");
            return None;
        }
        Err(AddressFault::Password) => {
            let wrong = Wrong::new(
                "a password in the database URL",
                "none in this file",
                "set PGPASSWORD, `database_password_env` or `database_password_file`",
            );
            field.wrong(wrong);
            return None;
        }
    };
    let from_env = || environment.get("PGPASSWORD").map(String::as_str).and_then(Secret::filled);
    let password = if named { Some(password?) } else { from_env() };
    Some(match database {
        Database::Sqlite(path) => Database::Sqlite(path),
        Database::Postgres { url, password: _ } => Database::Postgres { url, password },
    })
}

/// What is wrong with the address of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// Not the path of a file.
    #[error("behind `sqlite:` stands the path of a file, such as sqlite:outdial.db")]
    File,
    /// Neither of the two databases.
    #[error("write `sqlite:FILE` or `postgres://user@host/name`")]
    Scheme,
    /// A password, which others could read.
    #[error("no password belongs into the address: set PGPASSWORD, or keep it in ~/.pgpass")]
    Password,
}

/// Reads `sqlite:FILE` (from the folder `base`) or `postgres://user@host/name`. A password is never part of it.
///
/// # Errors
/// See [`AddressFault`].
pub fn parse_database(text: &str, base: &Path) -> Result<Database, AddressFault> {
    let file = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:"));
    if let Some(path) = file {
        if path.is_empty() || path.contains(['?', '#']) || path.starts_with(':') {
            return Err(AddressFault::File);
        }
        return Ok(Database::Sqlite(base.join(path)));
    }
    let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
    let rest = rest.filter(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace));
    let rest = rest.ok_or(AddressFault::Scheme)?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    if user.contains(':') || rest.to_ascii_lowercase().contains("password=") {
        return Err(AddressFault::Password);
    }
    Ok(Database::Postgres { url: text.to_owned(), password: None })
}

fn sip(root: &Section<'_>) -> (Option<SocketAddr>, Option<IpAddr>) {
    let Some(section) =
        root.need_section("sip", "[sip]", "our SIP socket").and_then(|field| field.section())
    else {
        return (None, None);
    };
    let bind = section.need("bind", "an address and port").and_then(|f| host::socket_address(&f));
    let advertised = section.get("advertised_address");
    if advertised.is_none() && bind.is_some_and(|bind| bind.ip().is_unspecified()) {
        section.missing("advertised_address", "the address far ends see, for `bind` names none");
    }
    let advertised = advertised.and_then(|field| {
        let address = host::address(&field)?;
        if address.is_unspecified() {
            field.unexpected("an address far ends can send to", "write the public one");
            return None;
        }
        Some(address)
    });
    section.finish();
    (bind, advertised)
}

fn rtp(root: &Section<'_>, sip: Option<SocketAddr>) -> Option<(IpAddr, RangeInclusive<u16>)> {
    let section = root.need_section("rtp", "[rtp]", "the ports of our media")?.section()?;
    let ports = section.need("ports", "a range such as \"20000-20999\"").and_then(|field| {
        let advice =
            "write first and last port, the first even and at least 1024, room for 2 calls";
        field.parse("a range such as \"20000-20999\"", advice, host::parse_ports)
    });
    let fallback = sip.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |sip| sip.ip());
    let address = section.get("address").map_or(Some(fallback), |field| host::address(&field));
    section.finish();
    let (address, ports) = (address?, ports?);
    if sip.is_some_and(|sip| ports.contains(&sip.port()) && sip.ip() == address)
        && let Some(field) = section.get("ports")
    {
        let advice = "change them, or the port in `bind` of [sip]";
        field.unexpected("ports without that of our SIP socket", advice);
    }
    Some((address, ports))
}

fn log(root: &Section<'_>, base: &Path) -> LogSettings {
    let mut settings = LogSettings {
        file: None,
        level: "info".to_owned(),
        format: LogFormat::Text,
        max_megabytes: 50,
        keep: 5,
    };
    let Some(section) = root.get("log").and_then(|field| field.section()) else { return settings };
    settings.file = section.get("file").and_then(|field| Some(base.join(field.line(400)?)));
    if let Some(level) = section.get("level").and_then(|field| level(&field)) {
        settings.level = level;
    }
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    if let Some(format) = section.get("format").and_then(|field| field.choice(&formats)) {
        settings.format = format;
    }
    if let Some(megabytes) = section.get("max_megabytes").and_then(|f| f.whole(1..=100_000)) {
        settings.max_megabytes = megabytes;
    }
    if let Some(keep) = section.get("keep").and_then(|field| field.whole(0..=1_000)) {
        settings.keep = keep;
    }
    section.finish();
    settings
}

/// A level, or a list of `target=level`.
fn level(field: &Field<'_>) -> Option<String> {
    let is_level = |text: &str| ["off", "error", "warn", "info", "debug", "trace"].contains(&text);
    let is_target = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_:".contains(c))
    };
    let advice = "choose error, warn, info, debug or trace";
    field.parse("a level such as \"info\" or \"info,outdial::store=debug\"", advice, |text| {
        let part = |part: &str| match part.split_once('=') {
            Some((target, level)) => is_target(target) && is_level(level),
            None => is_level(part),
        };
        text.split(',').all(part).then(|| text.to_owned())
    })
}

fn trunks(root: &Section<'_>, base: &Path, environment: &Environment) -> Vec<TrunkFile> {
    let Some(field) = root.need_section("trunk", "[[trunk]]", "at least one link to a carrier")
    else {
        return Vec::new();
    };
    let mut names = Vec::new();
    let mut read = Vec::new();
    for section in field.sections() {
        if let Some(trunk) = trunk::trunk(&section, &names, base, environment) {
            names.push(trunk.name().to_owned());
            read.push(trunk);
        }
    }
    read
}

fn agents(root: &Section<'_>) -> Vec<AgentFile> {
    let Some(field) = root.need_section("agent", "[[agent]]", "at least one agent") else {
        return Vec::new();
    };
    let mut names = Vec::new();
    let mut read = Vec::new();
    for section in field.sections() {
        if let Some(agent) = agent::agent(&section, &names) {
            names.push(agent.name.clone());
            read.push(agent);
        }
    }
    read
}

const DEFAULT_LINES: u32 = 100;
