//! The command line as typed.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::cli::simulate::Settings;
use crate::cli::text::Lang;
use crate::config::{parse_network, parse_ports};
use crate::logic::media::IpNet;
use crate::logic::settings::DialRatio;
use crate::store::EventKind;

/// Outbound campaign dialer: paces, places and records calls over SIP, with a hard bound on abandoned calls.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
pub struct Args {
    /// Settings of this machine: database, addresses, trunks, agents
    #[arg(
        long,
        global = true,
        env = "OUTDIAL_CONFIG",
        hide_env_values = true,
        default_value = "outdial.toml",
        value_name = "FILE"
    )]
    pub(crate) config: PathBuf,
    /// Language of texts: ja or en (from a locale such as ja_JP.UTF-8, too)
    #[arg(long, global = true, env = "LANG", default_value = "en", value_parser = Lang::parse, hide_env_values = true)]
    pub(crate) lang: Lang,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Dial 500 made-up contacts over real SIP and RTP on this machine and show it live
    Demo(DemoArgs),
    /// Be a carrier to test against: take SIP calls from any client, by a book of behaviours; nobody is called
    Carrier(CarrierArgs),
    /// Dial campaigns until stopped (Ctrl-C once: no new calls; twice: end all calls)
    Run(RunArgs),
    /// Read contact lists (CSV) into a campaign
    Import(ImportArgs),
    /// Write a campaign's results as CSV
    Export(ExportArgs),
    /// Show what a running dialer does, or what the database holds
    Status(StatusArgs),
    /// Print what a running dialer counts and measures, for Prometheus and its like (OpenMetrics text)
    Metrics,
    /// Show who dials from this database: leases, agents, calls, shares of the trunks
    Nodes(NodesArgs),
    /// The live view of a running dialer, with keys to steer it; leaving it leaves the dialer alone
    View,
    /// Print what happened, in the order of commits, as JSON Lines
    Log(LogArgs),
    /// Say why a person is (not) called, or why a campaign dials nothing now: each gate with its verdict
    Why(WhyArgs),
    /// Check files, database and trunks, and say in plain words what is missing
    Check(CheckArgs),
    /// What an agent does: log in, get ready, pause, say how a call went
    #[command(subcommand)]
    Agent(AgentVerb),
    /// Never call a number again for a seller, from this moment on
    Suppress(SuppressArgs),
    /// Rehearse a campaign before it is dialed: the same dialer, rules and list in virtual time; nobody is called
    Simulate(SimulateArgs),
    /// Show what a changed campaign file would change, field by field, and its rehearsed effect
    Plan(PlanArgs),
    /// Be the pacing engine of a simulator: JSON lines in, how many calls to start out
    Pace,
    /// Ask the pacing engine again what a journal says it was asked; exit code 1 where it decides otherwise now
    Replay(ReplayArgs),
    /// Pause and resume campaigns of a running dialer
    #[command(subcommand)]
    Campaign(CampaignVerb),
    /// Look after the database: bring it up to date, check it, back it up, move to another one
    #[command(subcommand)]
    Db(DbVerb),
}

/// See [`Verb::Demo`].
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Folder for database, results and log; files of an earlier demo in it are replaced
    #[arg(long, default_value = "outdial-demo", value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// Read only so many rows of the contact list
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) contacts: Option<u32>,
    /// Dial by ratio instead of progressively: so many lines per free agent, as far as the ledger has credit
    #[arg(long, value_name = "LINES")]
    pub(crate) ratio: Option<DialRatio>,
    /// Dial predictively: so many calls as will find an agent when they are answered, as far as the ledger has credit
    #[arg(long, conflicts_with = "ratio")]
    pub(crate) predictive: bool,
    /// Keep a journal of the predictions in this folder, for `outdial replay`
    #[arg(long, requires = "predictive", value_name = "FOLDER")]
    pub(crate) pacing_journal: Option<PathBuf>,
    /// Another seed, another set of callees
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// See [`Verb::Carrier`].
#[derive(Debug, clap::Args)]
pub(crate) struct CarrierArgs {
    /// Where calls come in (SIP over UDP); port 0: any
    #[arg(long, default_value = "127.0.0.1:5060", value_name = "ADDR:PORT")]
    pub(crate) listen: SocketAddr,
    /// How callees behave (campaigns/carrier/README.md); an ordinary day where not given
    #[arg(long, value_name = "FILE")]
    pub(crate) book: Option<PathBuf>,
    /// Another seed, another set of callees
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// INVITEs let in within any second; above: 503
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) calls_per_second: Option<u32>,
    /// Calls at once; above: 503
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4_000))]
    pub(crate) channels: u32,
    /// Who else than this machine may call: an address or network, repeatable
    #[arg(long, value_name = "NET", value_parser = allowed)]
    pub(crate) allow: Vec<IpNet>,
    /// Ports of RTP and RTCP
    #[arg(long, default_value = "40000-49999", value_name = "FIRST-LAST", value_parser = ports)]
    pub(crate) rtp_ports: RangeInclusive<u16>,
    /// Write every call and the totals to this file at the end, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Print the figures every second, and the totals, as one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// End so long after the last call; before the first call it waits
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) until_idle: Option<u32>,
}

fn allowed(text: &str) -> Result<IpNet, String> {
    let advice =
        "write an address, or a network such as 192.168.1.0/24 whose bits behind the prefix are 0";
    parse_network(text).ok_or_else(|| advice.to_owned())
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let advice = "write first and last port such as 40000-49999, the first even and at least 1024";
    parse_ports(text).ok_or_else(|| advice.to_owned())
}

/// See [`Verb::Run`].
#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// Campaigns: a folder with campaign.toml, such a file, or a name under campaigns/
    #[arg(required = true, value_name = "CAMPAIGN")]
    pub(crate) campaigns: Vec<String>,
    /// End when nothing is left to do, instead of waiting for the next calling window
    #[arg(long)]
    pub(crate) until_idle: bool,
    /// Keep a journal of predictive pacing in this folder, for `outdial replay`: ids, ages and counts, of no person
    #[arg(long, value_name = "FOLDER")]
    pub(crate) pacing_journal: Option<PathBuf>,
    /// Print the report at the end as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// See [`Verb::Replay`].
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArgs {
    /// A file that `outdial run --pacing-journal` wrote
    pub(crate) journal: PathBuf,
}

/// See [`Verb::Import`].
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// Campaign: a folder with campaign.toml, such a file, or a name under campaigns/
    pub(crate) campaign: String,
    /// CSV files; the campaign's own lists where none is given
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Read and judge every row, write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Encoding of the files: utf8 or cp932; guessed where not given
    #[arg(long, value_name = "NAME")]
    pub(crate) encoding: Option<String>,
    /// Where refused rows go, to be repaired and imported again; beside each file where not given
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,
    /// Print the counts as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// See [`Verb::Export`].
#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    /// Campaign by name (or its folder or file)
    pub(crate) campaign: String,
    /// One row per attempt, or per contact with its last attempt
    #[arg(long, value_enum, default_value_t = Per::Attempt)]
    pub(crate) per: Per,
    /// utf8 (with a mark that Excel needs) or cp932
    #[arg(long, default_value = "utf8", value_name = "NAME")]
    pub(crate) encoding: String,
    /// File to write; the standard output where not given
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Only attempts that ended or changed after this cursor, in the order of commits; the next cursor is the last line of
    /// the error output
    #[arg(long, value_name = "CURSOR", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) since: Option<i64>,
    /// What came since the last time with this NAME, each change in exactly one file; `{cursor}` in FILE gives each a name
    #[arg(long, value_name = "NAME", requires = "output", conflicts_with = "since")]
    pub(crate) advance: Option<String>,
}

/// What a row of an export is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Per {
    /// Every attempt.
    Attempt,
    /// Every contact.
    Contact,
}

/// See [`Verb::Status`].
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// See [`Verb::Nodes`].
#[derive(Debug, clap::Args)]
pub(crate) struct NodesArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// See [`Verb::Log`].
#[derive(Debug, clap::Args)]
pub(crate) struct LogArgs {
    /// Wait for what is added, until the reader goes away
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Begin after this cursor; the log's begin where not given, its end with --follow
    #[arg(long, value_name = "CURSOR", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) since: Option<i64>,
    /// Only these kinds: attempt_started, attempt_ended, ...
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = event_kind)]
    pub(crate) kind: Vec<EventKind>,
    /// Only these campaigns, and refusals for their sellers
    #[arg(long, value_name = "NAME")]
    pub(crate) campaign: Vec<String>,
    /// Show whole phone numbers
    #[arg(long)]
    pub(crate) show_numbers: bool,
}

fn event_kind(text: &str) -> Result<EventKind, String> {
    let known = || EventKind::ALL.iter().map(|kind| kind.as_str());
    EventKind::ALL
        .iter()
        .copied()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| format!("one of {}", known().collect::<Vec<_>>().join(", ")))
}

/// See [`Verb::Why`].
#[derive(Debug, clap::Args)]
pub(crate) struct WhyArgs {
    /// A number as you write it, a customer's own id, or the call_ref of an attempt
    #[arg(value_name = "NUMBER|CONTACT|ATTEMPT", required_unless_present = "campaign")]
    pub(crate) what: Option<String>,
    /// Only this campaign; alone: why it dials nothing now
    #[arg(long, value_name = "CAMPAIGN")]
    pub(crate) campaign: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// See [`Verb::Simulate`].
#[derive(Debug, clap::Args)]
pub(crate) struct SimulateArgs {
    /// Campaign: a folder with campaign.toml, such a file, or a name under campaigns/
    pub(crate) campaign: String,
    /// Set two settings against each other, with the same people: mode=ratio:1.5, agents=25, limits.ring=20s ...
    #[arg(long, value_name = "KEY=VALUE,...")]
    pub(crate) compare: Option<Settings>,
    /// The other setting of --compare; the files as they are where not given
    #[arg(long, value_name = "KEY=VALUE,...", requires = "compare")]
    pub(crate) with: Option<Settings>,
    #[command(flatten)]
    pub(crate) rehearsal: RehearsalArgs,
}

/// See [`Verb::Plan`].
#[derive(Debug, clap::Args)]
pub(crate) struct PlanArgs {
    /// The changed campaign: a folder with campaign.toml, such a file, or a name under campaigns/
    pub(crate) campaign: String,
    /// The file it is set against; the one with which the campaign was last imported or run where not given
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,
    /// Show the fields only, rehearse nothing
    #[arg(long)]
    pub(crate) fields_only: bool,
    #[command(flatten)]
    pub(crate) rehearsal: RehearsalArgs,
}

/// What is wanted of a rehearsal, whoever asks for it.
#[derive(Debug, clap::Args)]
pub(crate) struct RehearsalArgs {
    /// What to assume of people, agents and the trunk (docs/simulate.md); history and defaults where not given
    #[arg(long, value_name = "FILE")]
    pub(crate) scenario: Option<PathBuf>,
    /// How many seeds: each is another set of the same kind of people
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) seeds: u16,
    /// The first seed; the others follow it
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(..1 << 53))]
    pub(crate) seed: u64,
    /// Write pages with charts (index.html) and the figures as CSV into this folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// See [`Verb::Check`].
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// Campaigns to check besides outdial.toml
    #[arg(value_name = "CAMPAIGN")]
    pub(crate) campaigns: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What an agent does.
#[derive(Debug, Subcommand)]
pub(crate) enum AgentVerb {
    /// Call the agent's phone and keep it up for the shift
    Login(AgentName),
    /// Take calls
    Ready(AgentName),
    /// Take no more calls; during a call, after it
    Pause {
        /// Agent by name
        name: String,
        /// Why, for the reports
        #[arg(long)]
        reason: Option<String>,
    },
    /// End the shift; during a call, after it
    Logout(AgentName),
    /// Say how a call went
    Disposition {
        /// Agent by name
        name: String,
        /// One of the campaign's codes
        code: String,
        /// Public reference of the attempt; the current or last call where not given
        #[arg(long)]
        attempt: Option<String>,
        /// Free text
        #[arg(long)]
        memo: Option<String>,
        /// Promise a call at this time by the person's clock, such as 2026-11-23T10:30
        #[arg(long, value_name = "TIME")]
        callback: Option<String>,
    },
    /// Have the person called who is shown before the call (preview), or one that you name (manual)
    Dial {
        /// Agent by name
        name: String,
        /// Whom: a number such as +819012345678, or your own id of the person
        whom: Option<String>,
    },
    /// Pass by the person who is shown before the call (preview)
    Skip(AgentName),
    /// Hang up the customer
    Hangup(AgentName),
    /// The agent's page, refreshed in place: person, number, fields, script, keys
    Watch {
        /// Agent by name
        name: String,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
}

/// One agent.
#[derive(Debug, clap::Args)]
pub(crate) struct AgentName {
    /// Agent by name
    pub(crate) name: String,
}

/// See [`Verb::Suppress`].
#[derive(Debug, clap::Args)]
pub(crate) struct SuppressArgs {
    /// Seller by name
    pub(crate) seller: String,
    /// Number in E.164, such as +81312345678
    pub(crate) number: String,
    /// Why: refused, do_not_call, unwanted
    #[arg(long, default_value = "do_not_call")]
    pub(crate) reason: String,
    /// Where it is proven: a letter, a call, a file's line
    #[arg(long, default_value = "command line")]
    pub(crate) proof: String,
}

/// Campaigns of a running dialer.
#[derive(Debug, Subcommand)]
pub(crate) enum CampaignVerb {
    /// Start no more calls
    Pause {
        /// Campaign by name
        name: String,
    },
    /// Go on
    Resume {
        /// Campaign by name
        name: String,
    },
    /// Change how calls are started, until the dialer ends: `manual`, `preview`, `progressive`,
    /// `ratio 1.5`, `predictive` or `agentless`
    Mode {
        /// Campaign by name
        name: String,
        /// manual, preview, progressive, ratio, predictive or agentless
        mode: String,
        /// Lines per free agent, for ratio: 1.0 to 10.0
        ratio: Option<DialRatio>,
    },
}

/// What is done with the database itself.
#[derive(Debug, Subcommand)]
pub(crate) enum DbVerb {
    /// Bring the schema up to date; `run` does so by itself
    Migrate {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Look at versions, pages, tables and the rules that rows must keep; a dialer may run meanwhile
    Check {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a whole copy into a file while a dialer runs (SQLite); for PostgreSQL, say what to use
    Backup {
        /// Where to; a file that is there is replaced once the new one is whole
        file: PathBuf,
    },
    /// Copy the whole installation into an empty database, and from then on dial from that one
    Copy {
        /// sqlite:FILE or postgres://user@host/name; its password in PGPASSWORD or ~/.pgpass
        from: String,
        /// Likewise: an empty one
        to: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Dial again from a database that was copied: only where the copy is not used
    Reopen,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed: database, network or disk
  2    the command line or a file is wrong
  3    refused: another process holds the database, or the dialer said no
  4    no dialer runs for this outdial.toml
  130  a second Ctrl-C ended calls that were in progress";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}
