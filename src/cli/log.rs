//! `outdial log`: the event log as JSON Lines, from the database itself, so that it needs no dialer and outlives each.

use std::fmt::Write as _;
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::anyhow;
use serde_json::{Value, json};
use tokio::io::Interest;
use tokio::net::unix::pipe;

use crate::cli::args::{Args, LogArgs};
use crate::cli::exit::{Exit, Failure, OrExit};
use crate::cli::output;
use crate::cli::setup;
use crate::store::{self, Db, EVENTS_PAGE, EventNames, LoggedEvent, StoreError};

/// Prints the log, and with `--follow` what is added to it.
pub(crate) fn run(args: &Args, wanted: &LogArgs) -> Result<Exit, Failure> {
    let file = setup::outdial_file(&args.config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut db = setup::open_existing(&file).await?;
        let names = store::event_names(&mut db).await?;
        let reader = Reader {
            cursor: start(&mut db, wanted).await?,
            campaigns: campaigns(&names, &wanted.campaign)?,
            db,
            names,
            wanted,
        };
        Box::pin(reader.read()).await
    })
}

/// Where to begin. A cursor beyond the end would be silent for a long time, and then skip.
async fn start(db: &mut Db, wanted: &LogArgs) -> Result<i64, Failure> {
    let end = store::events_end(db).await?;
    match wanted.since {
        None if wanted.follow => Ok(end),
        None => Ok(0),
        Some(since) if since <= end => Ok(since),
        Some(since) => Err(anyhow!(
            "the log ends at {end}: cursor {since} is of another database, or of one that was restored since; \
             read again from --since 0"
        ))
        .or_exit(Exit::BadInput),
    }
}

/// Rows of the campaigns asked for, and of their sellers.
fn campaigns(names: &EventNames, wanted: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let find = |name: &String| {
        let found = names.campaigns.iter().find(|(_, known, _)| known == name);
        found.map(|(id, _, seller)| (id.to_string(), seller.to_string())).ok_or_else(|| {
            let known: Vec<&str> =
                names.campaigns.iter().map(|(_, name, _)| name.as_str()).collect();
            anyhow!("the database knows no campaign `{name}`; it has {}", known.join(", "))
        })
    };
    wanted.iter().map(find).collect::<Result<_, _>>().or_exit(Exit::BadInput)
}

struct Reader<'a> {
    db: Db,
    cursor: i64,
    /// Empty: all.
    campaigns: Vec<(String, String)>,
    names: EventNames,
    wanted: &'a LogArgs,
}

impl Reader<'_> {
    async fn read(mut self) -> Result<Exit, Failure> {
        let reader_gone = ReaderWatch::new();
        let mut wait = POLL;
        loop {
            match self.page().await {
                Ok(true) => continue,
                Ok(false) if !self.wanted.follow => return Ok(Exit::Ok),
                Ok(false) => wait = POLL,
                Err(Trouble::Store(error)) if self.wanted.follow && error.is_retryable() => {
                    eprintln!("outdial: {error}; trying again");
                    wait = wait.saturating_mul(2).min(LONGEST_WAIT);
                    // Tried again with the next page; the old connection is kept until then.
                    if let Err(error) = self.db.reconnect().await {
                        tracing::debug!(%error, "the database is still away");
                    }
                }
                Err(Trouble::Store(error)) => return Err(error.into()),
                Err(Trouble::Output(error)) => return Err(error.into()),
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = reader_gone.wait() => return Ok(Exit::Ok),
            }
        }
    }

    /// Prints a page. True: more may wait.
    async fn page(&mut self) -> Result<bool, Trouble> {
        let page = store::events_after(&mut self.db, self.cursor).await.map_err(Trouble::Store)?;
        let Some(last) = page.last().map(|event| event.seq) else { return Ok(false) };
        if page.iter().any(|event| self.lacks_a_name(event)) {
            self.names = store::event_names(&mut self.db).await.map_err(Trouble::Store)?;
        }
        let mut text = String::new();
        for event in page.iter().filter(|event| self.is_wanted(event)) {
            // Writing into a String cannot fail.
            writeln!(text, "{}", self.line(event)).unwrap_or_default();
        }
        output::text(&text).map_err(Trouble::Output)?;
        self.cursor = last;
        Ok(page.len() >= EVENTS_PAGE)
    }

    fn is_wanted(&self, event: &LoggedEvent) -> bool {
        let kinds = &self.wanted.kind;
        let kind = kinds.is_empty() || kinds.iter().any(|kind| kind.as_str() == event.kind);
        let field = |name: &str| event.body.get(name).and_then(Value::as_str);
        let of = |(campaign, seller): &(String, String)| match field("campaign") {
            Some(of) => of == campaign,
            // A refusal stops every campaign of its seller.
            None => field("seller") == Some(seller),
        };
        kind && (self.campaigns.is_empty() || self.campaigns.iter().any(of))
    }

    fn line(&self, event: &LoggedEvent) -> Value {
        let number = event.number.as_ref().map(|number| {
            if self.wanted.show_numbers { number.reveal().to_owned() } else { number.to_string() }
        });
        let mut line = json!({
            "cursor": event.seq.to_string(), "at_ms": event.at.0, "kind": event.kind,
            "ref": event.row, "body": event.body,
        });
        let named = [
            ("campaign", self.campaign_of(event)),
            ("agent", self.agent_of(event)),
            ("number", number),
        ];
        if let Some(line) = line.as_object_mut() {
            let there = named.into_iter().filter_map(|(key, value)| Some((key, value?)));
            line.extend(there.map(|(key, value)| (key.to_owned(), value.into())));
        }
        line
    }

    fn lacks_a_name(&self, event: &LoggedEvent) -> bool {
        (id(event, "campaign").is_some() && self.campaign_of(event).is_none())
            || (id(event, "agent").is_some() && self.agent_of(event).is_none())
    }

    fn campaign_of(&self, event: &LoggedEvent) -> Option<String> {
        let id = id(event, "campaign")?;
        let known = self.names.campaigns.iter().find(|(known, ..)| *known == id);
        known.map(|(_, name, _)| name.clone())
    }

    fn agent_of(&self, event: &LoggedEvent) -> Option<String> {
        let id = id(event, "agent")?;
        let known = self.names.agents.iter().find(|(known, _)| *known == id);
        known.map(|(_, name)| name.clone())
    }
}

fn id(event: &LoggedEvent, field: &str) -> Option<i64> {
    event.body.get(field)?.as_str()?.parse().ok()
}

/// Why a page was not printed.
enum Trouble {
    Store(StoreError),
    Output(anyhow::Error),
}

/// Tells when whoever reads our output has gone, also while there is nothing to write: a pipe says so only to who asks.
struct ReaderWatch(Option<pipe::Sender>);

impl ReaderWatch {
    fn new() -> Self {
        // Unchecked: nothing is ever written by it, so that the output stays as blocking as it is for everybody else.
        // What cannot be watched (a file) has no reader that could go.
        let output = std::io::stdout().as_fd().try_clone_to_owned();
        Self(output.and_then(pipe::Sender::from_owned_fd_unchecked).ok())
    }

    async fn wait(&self) {
        if let Some(output) = &self.0
            && output.ready(Interest::ERROR).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}

/// How often the end of the log is looked at: one seek in its index.
const POLL: Duration = Duration::from_millis(250);
/// Longest wait between two tries while the database is away.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
