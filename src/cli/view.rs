//! `outdial view`: the live view of a dialer that runs elsewhere, through its control socket. Leaving it leaves the dialer
//! alone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval};

use crate::cli::args::Args;
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure};
use crate::cli::picture::Picture;
use crate::cli::screen::{Live, Wish};
use crate::cli::text::Lang;
use crate::logic::dialer::command::Command;

/// Shows the dialer behind `socket` until the person leaves or the dialer ends.
pub(crate) fn run(args: &Args, socket: &Path) -> Result<Exit, Failure> {
    // Before the screen is taken: nobody there is told on a plain terminal.
    let mut client = Client::connect(socket)?;
    let first = client.ask(&Command::Status)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exit = runtime.block_on(watch(client, first, socket, args.lang));
    // A dialer that does not answer any more is not waited for.
    runtime.shutdown_background();
    exit
}

async fn watch(client: Client, first: Value, socket: &Path, lang: Lang) -> Result<Exit, Failure> {
    let mut live = Live::of_another("outdial view", lang);
    live.show(serde_json::from_value(first)?);
    let mut pictures = JoinSet::new();
    let mut idle = Some(client);
    let mut wishes = JoinSet::new();
    let mut next = interval(LOOK_EVERY);
    next.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while !live.is_gone() {
        tokio::select! {
            _ = next.tick() => {
                // One question at a time: a slow dialer is not asked more often.
                if let Some(client) = idle.take() {
                    pictures.spawn(look(client));
                }
            }
            Some(looked) = pictures.join_next() => {
                let (client, picture) = looked??;
                idle = Some(client);
                let picture = picture.map_err(|gone| Failure::new(Exit::NoDialer, gone.error))?;
                live.show(picture);
            }
            wish = live.wish() => match wish {
                Wish::Ask(command) => {
                    wishes.spawn(ask(socket.to_owned(), command));
                }
                Wish::Leave | Wish::Signal => return Ok(Exit::Ok),
            },
            Some(answer) = wishes.join_next() => live.told(answer??),
        }
    }
    Ok(Exit::Ok)
}

/// The client waits for its answer, so it does so on a thread of its own.
async fn look(mut client: Client) -> Result<(Client, Result<Picture, Failure>), JoinError> {
    spawn_blocking(move || {
        let picture =
            client.ask(&Command::Status).and_then(|reply| Ok(serde_json::from_value(reply)?));
        (client, picture)
    })
    .await
}

/// On a connection of its own: a pause is answered when it is durable, and pictures go on meanwhile.
async fn ask(socket: PathBuf, command: Command) -> Result<Result<(), String>, JoinError> {
    spawn_blocking(move || {
        let done = Client::connect(&socket).and_then(|mut client| client.ask(&command));
        done.map(|_| ()).map_err(|failure| format!("{:#}", failure.error))
    })
    .await
}

/// Two pictures a second are as many as a person reads.
const LOOK_EVERY: Duration = Duration::from_millis(500);
