//! `outdial carrier`: the simulated carrier as a program of its own, for anybody's SIP client.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};

use crate::carrier::{self, CarrierHandle, CarrierReport, CarrierSettings};
use crate::cli::args::{Args, CarrierArgs};
use crate::cli::carrier_view::View;
use crate::cli::exit::{Exit, Failure, OrExit};
use crate::cli::half::Half;
use crate::cli::output::say;
use crate::config::{parse_book, read_book};
use crate::logic::media::IpNet;
use crate::runtime::clock::Clock;
use crate::runtime::shutdown::Signals;
use crate::simulation::callee::BehaviourBook;
use crate::simulation::carrier_record::{CallRecord, CarrierTotals};
use crate::telemetry::{self, LogFormat, LogTarget};

/// Takes calls until told to end.
pub(crate) fn run(args: &Args, carrier: &CarrierArgs) -> Result<Exit, Failure> {
    let (book, book_name) = book(carrier.book.as_deref())?;
    let settings = settings(carrier, book)?;
    // Before a day of calls, not after it.
    let record = carrier.record.as_deref().map(Half::create).transpose()?;
    let _log = telemetry::start(&LogTarget::StandardError, LogFormat::Text, "warn")?;
    let handle = carrier::start(settings)?;
    let began_ms = Clock::utc().0.saturating_sub_unsigned(handle.live()?.at_us / 1_000);
    let mut view = View::new(args.lang, carrier.json);
    view.announce(handle.sip_addr(), &book_name, carrier.seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(follow(&handle, carrier.until_idle, &mut view))?;
    let listen = handle.sip_addr();
    let report = handle.stop()?;
    if let Some(record) = record {
        let about = About { listen, book: &book_name, seed: carrier.seed, started_ms: began_ms };
        let mut json = serde_json::to_vec_pretty(&Record::of(about, &report))?;
        json.push(b'\n');
        record.file().write_all(&json).context("cannot write the record")?;
        record.finish()?;
    }
    if carrier.json {
        let totals = serde_json::json!({ "totals": report.totals });
        say!("{totals}");
    } else {
        say!("{}", view.totals(&report).trim_end());
    }
    Ok(Exit::Ok)
}

/// Shows the calls until a signal comes, or until none was there for so long.
async fn follow(
    handle: &CarrierHandle,
    until_idle: Option<u32>,
    view: &mut View,
) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("cannot take over SIGINT and SIGTERM")?;
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let idle_us = until_idle.map(|seconds| u64::from(seconds) * 1_000_000);
    loop {
        tokio::select! {
            () = signals.next() => return Ok(view.end()?),
            _ = looks.tick() => {
                let live = handle.live()?;
                view.show(&live)?;
                // Whoever starts the carrier may be slow to start the caller.
                let quiet_us = live.at_us.saturating_sub(live.last_activity_us);
                if live.calls > 0 && live.open == 0 && idle_us.is_some_and(|idle| quiet_us >= idle) {
                    return Ok(view.end()?);
                }
            }
        }
    }
}

/// The book and what to call it.
fn book(path: Option<&Path>) -> Result<(BehaviourBook, String), Failure> {
    match path {
        Some(path) => {
            let book = read_book(path).or_exit(Exit::BadInput)?;
            Ok((book, path.display().to_string()))
        }
        None => {
            let name = "campaigns/carrier/everyday.toml";
            Ok((parse_book(name, EVERYDAY)?, name.to_owned()))
        }
    }
}

fn settings(args: &CarrierArgs, book: BehaviourBook) -> Result<CarrierSettings, Failure> {
    let ip = args.listen.ip();
    let wrong = |error| Err(Failure::new(Exit::BadInput, error));
    if ip.is_unspecified() {
        return wrong(anyhow!(
            "--listen {} names no address that callers could be told: write the one they reach, such as {}",
            args.listen,
            SocketAddr::from(([192, 168, 1, 10], args.listen.port()))
        ));
    }
    if args.allow.is_empty() && !ip.is_loopback() {
        return wrong(anyhow!(
            "--listen {} is reached by others: say with --allow who may call, such as --allow {}",
            args.listen,
            net_around(ip)
        ));
    }
    let mut peers = args.allow.clone();
    peers.extend(LOOPBACK);
    Ok(CarrierSettings {
        ip,
        sip_port: args.listen.port(),
        rtp_ports: args.rtp_ports.clone(),
        peers,
        channels: usize::try_from(args.channels)?,
        calls_per_second: args.calls_per_second,
        ..CarrierSettings::on_loopback(book, args.seed)
    })
}

/// A guess that a person may copy.
fn net_around(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(v6) => format!("{v6}/128"),
    }
}

/// What `--record` writes.
#[derive(serde::Serialize)]
struct Record<'a> {
    carrier: About<'a>,
    totals: &'a CarrierTotals,
    calls: &'a [CallRecord],
    unrecorded: u64,
    sip_lost: u64,
    media_full: u64,
}

#[derive(serde::Serialize)]
struct About<'a> {
    listen: SocketAddr,
    book: &'a str,
    seed: u64,
    /// UTC; the zero of every other time in the record.
    started_ms: i64,
}

impl<'a> Record<'a> {
    fn of(carrier: About<'a>, report: &'a CarrierReport) -> Self {
        Self {
            carrier,
            totals: &report.totals,
            calls: &report.calls,
            unrecorded: report.unrecorded,
            sip_lost: report.sip_lost,
            media_full: report.media_full,
        }
    }
}

const EVERYDAY: &str = include_str!("../../campaigns/carrier/everyday.toml");
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// This machine may always call.
const LOOPBACK: [IpNet; 2] = [
    IpNet { addr: IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 0)), prefix: 8 },
    IpNet { addr: IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), prefix: 128 },
];
