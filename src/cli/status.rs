//! `outdial status`: what a running dialer does, or what the database holds when none runs.

use crate::cli::args::{Args, StatusArgs};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure};
use crate::cli::figures::percent;
use crate::cli::output::say;
use crate::cli::picture::Picture;
use crate::cli::screen;
use crate::cli::setup;
use crate::cli::text::{Lang, texts};
use crate::config::OutdialFile;
use crate::logic::dialer::command::Command;
use crate::logic::dialer::{LeadState, clocks_are_apart};
use crate::runtime::clock::Clock;
use crate::store::{self, Status};

/// Prints the status.
pub(crate) fn run(args: &Args, wanted: &StatusArgs) -> Result<Exit, Failure> {
    let file = setup::outdial_file(&args.config)?;
    let control = setup::control_path(&file, &args.config);
    let reply = match Client::connect(&control) {
        Ok(mut client) => client.ask(&Command::Status)?,
        Err(failure) if failure.exit == Exit::NoDialer => return at_rest(&file, args.lang, wanted),
        Err(failure) => return Err(failure),
    };
    if wanted.json {
        say!("{}", serde_json::to_string_pretty(&reply)?);
        return Ok(Exit::Ok);
    }
    let picture: Picture = serde_json::from_value(reply)?;
    let ahead_ms = picture.clock_ahead_ms;
    say!("{}", screen::text_of("outdial", args.lang, picture).trim_end());
    if clocks_are_apart(ahead_ms) {
        say!("{}", texts(args.lang).clocks_apart(ahead_ms));
    }
    Ok(Exit::Ok)
}

/// No dialer runs: what its tables say.
fn at_rest(file: &OutdialFile, lang: Lang, wanted: &StatusArgs) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let status = runtime.block_on(async {
        let mut db = setup::open_existing(file).await?;
        let status = store::status(&mut db, Clock::utc()).await?;
        db.close().await?;
        Ok::<_, Failure>(status)
    })?;
    if wanted.json {
        say!("{}", serde_json::to_string_pretty(&json(&status))?);
        return Ok(Exit::Ok);
    }
    let t = texts(lang);
    say!("{}", t.no_dialer);
    for campaign in &status.campaigns {
        let leads: Vec<String> = LeadState::ALL
            .map(|state| format!("{} {}", t.lead_state(state), campaign.leads.of(state)))
            .into();
        say!("{} ({}): {}", campaign.name, campaign.state, leads.join("  "));
        if let Some(promised) = t.promises(campaign.promises) {
            say!("  {} {promised}", t.promised);
        }
        for (outcome, count) in &campaign.outcomes {
            say!("  {} {count}", t.outcome(outcome.as_str()));
        }
        if let Some(window) = campaign.windows.first() {
            say!(
                "  {} A {} D {} ({} {}) {}",
                t.ledger,
                window.answered,
                window.abandoned,
                t.faults,
                window.fault,
                percent(window.abandoned, window.answered)
            );
            if window.owed() > 0 {
                let (owed, debt) = (window.owed(), window.debt);
                say!("  {}", t.window_owes(owed, debt));
            }
        }
    }
    Ok(Exit::Ok)
}

fn json(status: &Status) -> serde_json::Value {
    let campaigns: Vec<_> = status
        .campaigns
        .iter()
        .map(|campaign| {
            let outcomes: Vec<_> =
                campaign.outcomes.iter().map(|(outcome, n)| (outcome.as_str(), n)).collect();
            let windows: Vec<_> = campaign
                .windows
                .iter()
                .map(|window| {
                    serde_json::json!({
                        "starts": window.starts, "ends": window.ends, "cap_ppm": window.cap_ppm,
                        "answered": window.answered, "abandoned": window.abandoned,
                        "faults": window.fault, "debt": window.debt, "owed": window.owed(),
                    })
                })
                .collect();
            serde_json::json!({
                "name": campaign.name, "seller": campaign.seller, "state": campaign.state,
                "leads": campaign.leads, "promises": campaign.promises, "open": campaign.open, "outcomes": outcomes,
                "windows": windows,
            })
        })
        .collect();
    serde_json::json!({ "dialer": null, "campaigns": campaigns })
}
