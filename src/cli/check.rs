//! `outdial check`: files, database and trunks, in plain words.

use std::net::SocketAddr;
use std::time::Duration;

use crate::cli::args::{Args, CheckArgs};
use crate::cli::exit::{Exit, Failure, OrExit};
use crate::cli::output::say;
use crate::cli::setup;
use crate::cli::text::{Lang, texts};
use crate::config::check::{Finding, Level, check};
use crate::config::{Database, OutdialFile};
use crate::files::sound::read_sound;
use crate::logic::dialer::clocks_are_apart;
use crate::logic::sip::user_agent::{
    Identity, SipAction, SipCommand, SipEvent, SipInput, UserAgent, UserAgentSettings,
};
use crate::runtime::clock::Clock;
use crate::runtime::clock_ahead;
use crate::runtime::dice::Dice;
use crate::store::Db;
use crate::wire::udp::{SIP_BUFFER, SendOutcome, SipSocket};

/// Prints every finding; fails when one of them keeps the dialer from dialing.
pub(crate) fn run(args: &Args, wanted: &CheckArgs) -> Result<Exit, Failure> {
    let file = setup::outdial_file(&args.config)?;
    let mut findings = vec![fine(format!("{} is in order", args.config.display()))];
    for name in &wanted.campaigns {
        let campaign = setup::campaign_file(&args.config, name)?;
        findings.push(fine(format!("campaign {} is in order", campaign.settings.name)));
        findings.extend(check(&file, &campaign));
        for path in campaign.settings.sound_files() {
            findings.push(match read_sound(path.as_ref()) {
                Ok(_) => fine(format!("message {path} can be played")),
                Err(error) => problem(error.to_string()),
            });
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    findings.extend(runtime.block_on(Box::pin(database(&file, args.lang))));
    findings.extend(runtime.block_on(Box::pin(trunks(&file)))?);
    show(&findings, wanted.json)
}

/// Prints findings; one that is a problem is a failure.
pub(crate) fn show(findings: &[Finding], json: bool) -> Result<Exit, Failure> {
    if json {
        let shown: Vec<_> = findings
            .iter()
            .map(|finding| {
                let level = match finding.level {
                    Level::Fine => "ok",
                    Level::Warning => "warning",
                    Level::Problem => "problem",
                };
                serde_json::json!({ "level": level, "text": finding.text })
            })
            .collect();
        say!("{}", serde_json::to_string_pretty(&shown)?);
    } else {
        for finding in findings {
            say!("{finding}");
        }
    }
    let bad = findings.iter().any(|finding| finding.level == Level::Problem);
    Ok(if bad { Exit::Failed } else { Exit::Ok })
}

/// Whether the database answers and has our schema. A file that is not there yet is made by the first import or run.
async fn database(file: &OutdialFile, lang: Lang) -> Vec<Finding> {
    let shown = match &file.database {
        Database::Sqlite(path) if !path.exists() => {
            let made = "will be made by the first import or run";
            return vec![fine(format!("{} {made}", path.display()))];
        }
        Database::Sqlite(path) => path.display().to_string(),
        Database::Postgres { url, .. } => url.clone(),
    };
    let mut db = match Db::open(&setup::database_url(&file.database)).await {
        Ok(db) => db,
        Err(error) => return vec![problem(format!("{shown}: {error}"))],
    };
    let schema = match db.check_schema().await {
        Ok(()) => fine(format!("{shown} answers, keeps what it commits, and has our schema")),
        Err(error) => problem(format!("{shown}: {error}")),
    };
    let clock = match clock_ahead(&mut db).await {
        Ok(None) => None,
        Ok(Some(ahead)) if clocks_are_apart(ahead) => {
            Some(problem(texts(lang).clocks_apart(ahead)))
        }
        Ok(Some(ahead)) => {
            Some(fine(format!("this machine's clock is {ahead} ms ahead of the database's")))
        }
        Err(error) => Some(problem(format!("{shown}: {error}"))),
    };
    [Some(schema), clock].into_iter().flatten().collect()
}

/// OPTIONS to every peer of every trunk (RFC 3261 §11).
async fn trunks(file: &OutdialFile) -> Result<Vec<Finding>, Failure> {
    let resolved = setup::resolve(file).or_exit(Exit::BadInput)?;
    let mut findings = Vec::new();
    // Another port than the dialer's: it may be running.
    let bind = SocketAddr::new(file.sip_bind.ip(), 0);
    let mut prober = match Prober::new(bind, file) {
        Ok(prober) => prober,
        Err(error) => return Ok(vec![problem(error.to_string())]),
    };
    for trunk in &resolved.trunks {
        for peer in &trunk.peers {
            let name = &trunk.name;
            findings.push(match prober.ping(*peer).await {
                // Whatever it says, somebody who speaks SIP is there.
                Some(status) => fine(format!("trunk {name}: {peer} answers OPTIONS with {status}")),
                None => problem(format!(
                    "trunk {name}: {peer} does not answer OPTIONS within {} s; \
                     check the address, the firewall and whether the carrier knows {}",
                    PATIENCE.as_secs(),
                    prober.seen_as,
                )),
            });
        }
    }
    Ok(findings)
}

/// A user agent that only asks.
struct Prober {
    clock: Clock,
    socket: SipSocket,
    agent: UserAgent,
    pings: u64,
    seen_as: SocketAddr,
}

impl Prober {
    fn new(bind: SocketAddr, file: &OutdialFile) -> anyhow::Result<Self> {
        let dice = Dice::throw()?;
        let socket = SipSocket::bind(bind, SIP_BUFFER)?;
        let local = socket.local_addr();
        let ip = file.advertised_address.unwrap_or_else(|| local.ip());
        let seen_as = SocketAddr::new(ip, local.port());
        let identity = Identity {
            installation: "check".to_owned(),
            secret: dice.installation.to_vec(),
            boot: dice.boot,
        };
        let agent = UserAgent::new(UserAgentSettings::new(seen_as, identity), dice.seed);
        Ok(Self { clock: Clock::start(), socket, agent, pings: 0, seen_as })
    }

    /// The status of the answer, if one comes in time.
    async fn ping(&mut self, peer: SocketAddr) -> Option<u16> {
        tokio::time::timeout(PATIENCE, self.answer(peer)).await.ok().flatten()
    }

    async fn answer(&mut self, peer: SocketAddr) -> Option<u16> {
        self.pings += 1;
        let ping = self.pings;
        let mut out = Vec::new();
        self.socket.writable().await.ok()?;
        let command = SipCommand::Ping { ping, uri: format!("sip:{peer}"), peer };
        self.agent.handle(self.clock.tick(), SipInput::Command(command), &mut out);
        let mut buffer = vec![0_u8; 65_535];
        loop {
            for action in out.drain(..) {
                match action {
                    SipAction::Send { to, bytes } => {
                        if self.socket.try_send_to(&bytes, to) != SendOutcome::Sent {
                            tracing::debug!(%to, "OPTIONS was not sent");
                        }
                    }
                    SipAction::Event(SipEvent::OptionsDone { ping: done, status }) => {
                        if done == ping {
                            return status;
                        }
                    }
                    SipAction::Event(_) => {}
                }
            }
            let deadline = self.agent.next_deadline()?;
            let at = tokio::time::Instant::from_std(self.clock.instant(deadline));
            tokio::select! {
                () = tokio::time::sleep_until(at) => {
                    self.agent.handle(self.clock.tick(), SipInput::Timeout, &mut out);
                }
                received = self.socket.recv_from(&mut buffer) => {
                    if let Ok((size, from)) = received {
                        let bytes = buffer.get(..size).unwrap_or_default();
                        let input = SipInput::Datagram { from, bytes };
                        self.agent.handle(self.clock.tick(), input, &mut out);
                    }
                }
            }
        }
    }
}

pub(crate) const fn fine(text: String) -> Finding {
    Finding { level: Level::Fine, text }
}

pub(crate) const fn problem(text: String) -> Finding {
    Finding { level: Level::Problem, text }
}

/// A trunk that takes longer than this to answer OPTIONS would lose calls as well.
const PATIENCE: Duration = Duration::from_secs(4);
