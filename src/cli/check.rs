//! `outdial check`: files, database and trunks, in plain words.

use std::net::SocketAddr;
use std::time::Duration;

use crate::cli::args::{Args, CheckArgs};
use crate::cli::exit::{Exit, Failure, OrExit};
use crate::cli::output::say;
use crate::cli::setup;
use crate::cli::text::{Lang, either, texts};
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
    let lang = args.lang;
    let file = setup::outdial_file(&args.config)?;
    let in_order = |of: &str| match lang {
        Lang::En => fine(format!("{of} is in order")),
        Lang::Ja => fine(format!("{of} に誤りはありません")),
    };
    let mut findings = vec![in_order(&args.config.display().to_string())];
    for name in &wanted.campaigns {
        let campaign = setup::campaign_file(&args.config, name)?;
        let of = either(lang, "campaign ", "キャンペーン ");
        findings.push(in_order(&format!("{of}{}", campaign.settings.name)));
        findings.extend(check(&file, &campaign));
        for path in campaign.settings.sound_files() {
            findings.push(match (read_sound(path.as_ref()), lang) {
                (Ok(_), Lang::En) => fine(format!("message {path} can be played")),
                (Ok(_), Lang::Ja) => fine(format!("音声 {path} は再生できます")),
                (Err(error), Lang::En | Lang::Ja) => problem(error.to_string()),
            });
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    findings.extend(runtime.block_on(Box::pin(database(&file, lang))));
    findings.extend(runtime.block_on(Box::pin(trunks(&file, lang)))?);
    show(&findings, wanted.json, lang)
}

/// Prints findings and how many are bad; one that is a problem is a failure.
pub(crate) fn show(findings: &[Finding], json: bool, lang: Lang) -> Result<Exit, Failure> {
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (problems, warnings) = (count(Level::Problem), count(Level::Warning));
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
            match lang {
                Lang::En => say!("{finding}"),
                Lang::Ja => say!("{}: {}", japanese(finding.level), finding.text),
            }
        }
        say!("{}", sum(lang, problems, warnings));
    }
    Ok(if problems > 0 { Exit::Failed } else { Exit::Ok })
}

const fn japanese(level: Level) -> &'static str {
    match level {
        Level::Fine => "正常",
        Level::Warning => "注意",
        Level::Problem => "問題",
    }
}

/// How many findings ask for something, and what to do.
fn sum(lang: Lang, problems: usize, warnings: usize) -> String {
    let many =
        |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    match (lang, problems, warnings) {
        (Lang::En, 0, 0) => "nothing is wrong".to_owned(),
        (Lang::Ja, 0, 0) => "異常はありません".to_owned(),
        (Lang::En, 0, _) => format!("{}, no problem", many(warnings, "warning")),
        (Lang::Ja, 0, _) => format!("注意 {warnings} 件。問題はありません"),
        (Lang::En, _, _) => format!(
            "{}, {}: do what each problem says, then check again",
            many(problems, "problem"),
            many(warnings, "warning")
        ),
        (Lang::Ja, _, _) => format!(
            "問題 {problems} 件、注意 {warnings} 件。問題の行の指示に従って直し、もう一度確認してください"
        ),
    }
}

/// Whether the database answers and has our schema. A file that is not there yet is made by the first import or run.
async fn database(file: &OutdialFile, lang: Lang) -> Vec<Finding> {
    let shown = match &file.database {
        Database::Sqlite(path) if !path.exists() => {
            let made = either(
                lang,
                " will be made by the first import or run",
                " は最初の import か run で作成されます",
            );
            return vec![fine(format!("{}{made}", path.display()))];
        }
        Database::Sqlite(path) => path.display().to_string(),
        Database::Postgres { url, .. } => url.clone(),
    };
    let mut db = match Db::open(&setup::database_url(&file.database)).await {
        Ok(db) => db,
        Err(error) => return vec![problem(format!("{shown}: {error}"))],
    };
    let schema = match db.check_schema().await {
        Ok(()) => fine(match lang {
            Lang::En => format!("{shown} answers, keeps what it commits, and has our schema"),
            Lang::Ja => format!("{shown} は応答し、書き込みを保持し、スキーマも一致しています"),
        }),
        Err(error) => problem(format!("{shown}: {error}")),
    };
    let clock = match clock_ahead(&mut db).await {
        Ok(None) => None,
        Ok(Some(ahead)) if clocks_are_apart(ahead) => {
            Some(problem(texts(lang).clocks_apart(ahead)))
        }
        Ok(Some(ahead)) => Some(fine(match lang {
            Lang::En => format!("this machine's clock is {ahead} ms ahead of the database's"),
            Lang::Ja => format!("この端末の時計とデータベースの時計の差は {ahead} ミリ秒です"),
        })),
        Err(error) => Some(problem(format!("{shown}: {error}"))),
    };
    [Some(schema), clock].into_iter().flatten().collect()
}

/// OPTIONS to every peer of every trunk (RFC 3261 §11).
async fn trunks(file: &OutdialFile, lang: Lang) -> Result<Vec<Finding>, Failure> {
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
                Some(status) => fine(match lang {
                    Lang::En => format!("trunk {name}: {peer} answers OPTIONS with {status}"),
                    Lang::Ja => {
                        format!("トランク {name}: {peer} は OPTIONS に {status} で応答しました")
                    }
                }),
                None => problem(no_answer(lang, name, *peer, prober.seen_as)),
            });
        }
    }
    Ok(findings)
}

fn no_answer(lang: Lang, trunk: &str, peer: SocketAddr, seen_as: SocketAddr) -> String {
    let patience = PATIENCE.as_secs();
    match lang {
        Lang::En => format!(
            "trunk {trunk}: {peer} does not answer OPTIONS within {patience} s; \
             check the address, the firewall and whether the carrier knows {seen_as}"
        ),
        Lang::Ja => format!(
            "トランク {trunk}: {peer} が {patience} 秒以内に OPTIONS に応答しません。\
             アドレス、ファイアウォール、通信事業者に {seen_as} が登録されているかを確認してください"
        ),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_what_is_bad_and_says_what_to_do() {
        for (problems, warnings, en, ja) in [
            (0, 0, "nothing is wrong", "異常はありません"),
            (0, 1, "1 warning, no problem", "注意 1 件。問題はありません"),
            (2, 1, "2 problems, 1 warning: do what", "問題 2 件、注意 1 件。問題の行の指示"),
        ] {
            for (lang, told) in [(Lang::En, en), (Lang::Ja, ja)] {
                let line = sum(lang, problems, warnings);
                assert!(line.starts_with(told), "{line}");
            }
        }
    }
}
