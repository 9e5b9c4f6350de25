//! Floor 6: the command line. A file per verb; the only room that prints.
#![allow(clippy::print_stderr, reason = "this room is where the program speaks")]

mod agent;
mod args;
mod carrier;
mod carrier_view;
mod check;
mod client;
mod db;
mod demo;
mod demo_world;
mod exit;
mod export;
mod figures;
mod half;
mod import;
mod log;
mod metrics;
mod nodes;
mod output;
mod pace;
mod page;
mod picture;
mod plan;
mod replay;
mod report;
mod run;
mod screen;
mod setup;
mod simulate;
mod status;
mod suppress;
mod text;
mod view;
mod why;

pub use args::Args;
pub use exit::Exit;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::args::{CampaignVerb, Verb};
use crate::cli::client::Client;
use crate::cli::exit::Failure;
use crate::cli::output::ReaderGone;
use crate::logic::dialer::command::Command;
use crate::logic::settings::DialRatio;

/// Parses the command line, does what it says and tells how it ended.
#[must_use]
pub fn run() -> ExitCode {
    let args = Args::parse();
    match perform(&args) {
        Ok(exit) => exit.into(),
        Err(failure) if failure.error.is::<ReaderGone>() => Exit::Ok.into(),
        Err(failure) => {
            eprintln!("outdial: {:#}", failure.error);
            failure.exit.into()
        }
    }
}

fn perform(args: &Args) -> Result<Exit, Failure> {
    match &args.verb {
        Verb::Demo(demo) => demo::run(args, demo),
        Verb::Carrier(carrier) => carrier::run(args, carrier),
        Verb::Run(run) => run::run(args, run),
        Verb::Import(import) => import::run(args, import),
        Verb::Export(export) => export::run(args, export),
        Verb::Check(check) => check::run(args, check),
        Verb::Status(status) => status::run(args, status),
        Verb::Metrics => metrics::run(args),
        Verb::Nodes(wanted) => nodes::run(args, wanted),
        Verb::Log(log) => log::run(args, log),
        Verb::Plan(wanted) => plan::run(args, wanted),
        Verb::Simulate(wanted) => simulate::run(args, wanted),
        Verb::Pace => pace::run(),
        Verb::Replay(wanted) => replay::run(args.lang, wanted),
        Verb::View => view::run(args, &control(args)?),
        Verb::Why(why) => why::run(args, why),
        Verb::Agent(verb) => agent::run(&control(args)?, args.lang, verb),
        Verb::Suppress(entry) => suppress::run(args, entry),
        Verb::Db(verb) => db::run(args, verb),
        Verb::Campaign(CampaignVerb::Pause { name }) => {
            ask(args, &Command::CampaignPause { campaign: name.clone() })
        }
        Verb::Campaign(CampaignVerb::Resume { name }) => {
            ask(args, &Command::CampaignResume { campaign: name.clone() })
        }
        Verb::Campaign(CampaignVerb::Mode { name, mode, ratio }) => ask(
            args,
            &Command::CampaignMode {
                campaign: name.clone(),
                mode: mode.clone(),
                ratio: ratio.map(DialRatio::thousandths),
            },
        ),
    }
}

/// The control socket of the installation's dialer.
fn control(args: &Args) -> Result<PathBuf, Failure> {
    let file = setup::outdial_file(&args.config)?;
    Ok(setup::control_path(&file, &args.config))
}

/// One command that is answered by yes or no.
fn ask(args: &Args, command: &Command) -> Result<Exit, Failure> {
    Client::connect(&control(args)?)?.ask(command)?;
    Ok(Exit::Ok)
}
