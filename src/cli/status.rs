//! `outdial status`: what a running dialer does, or what the database holds when none runs.

use crate::cli::args::{Args, StatusArgs};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure};
use crate::cli::live::block_of;
use crate::cli::picture::Picture;
use crate::cli::setup;
use crate::logic::dialer::command::Command;

/// Prints the status.
pub(crate) fn run(args: &Args, status: &StatusArgs) -> Result<Exit, Failure> {
    let file = setup::outdial_file(&args.config)?;
    let control = setup::control_path(&file, &args.config);
    let reply = Client::connect(&control)?.ask(&Command::Status)?;
    if status.json {
        println!("{}", serde_json::to_string_pretty(&reply)?);
        return Ok(Exit::Ok);
    }
    let picture: Picture = serde_json::from_value(reply)?;
    print!("{}", block_of("outdial", args.lang, &picture));
    for agent in &picture.agents {
        println!("  {:<20} {}", agent.name, agent.state.as_str());
    }
    Ok(Exit::Ok)
}
