//! What joins the store task to the real database, and the task that moves SQLite's log into its file.

use std::time::Duration;

use tokio::runtime::Handle as Runtime;

use crate::logic::dialer::{LeadCounts, Promises, StoreCommand, StoreHealth, StoreReply};
use crate::logic::gate::Gate;
use crate::runtime::clock::Clock;
use crate::runtime::store_task::{BatchFailed, Batches};
use crate::store::{Db, Engine, NodeIdentity, StoreError, Trouble, run_batch_isolating};

/// The store task's own connection. SQLite works on the thread that asks, which must not be the driver's: while a batch
/// is under way, the connection is with a thread for work that waits.
#[derive(Debug)]
pub(super) struct StoreLink {
    /// Away with a thread that has not come back: then only a new connection helps.
    db: Option<Db>,
    url: String,
    node: NodeIdentity,
}

impl StoreLink {
    /// With the connection that the dialer began with.
    pub(super) fn new(db: Db, url: String, node: NodeIdentity) -> Self {
        Self { db: Some(db), url, node }
    }

    async fn run_batch(
        &mut self,
        batch: &[StoreCommand],
    ) -> Result<Vec<Result<StoreReply, StoreError>>, BatchFailed> {
        // Dropped in the middle it is not to be used again: then it is not put back.
        let mut db = self.db.take().ok_or_else(lost)?;
        let (db, replies) = match db.engine() {
            Engine::Postgres => {
                let replies = run_batch_isolating(&mut db, &self.node, batch).await;
                (db, replies)
            }
            Engine::Sqlite => {
                let (node, batch) = (self.node.clone(), batch.to_vec());
                apart(db, move |db, here| here.block_on(run_batch_isolating(db, &node, &batch)))
                    .await
                    .ok_or_else(lost)?
            }
        };
        self.db = Some(db);
        replies.map_err(failed)
    }
}

impl Batches for StoreLink {
    async fn run(&mut self, batch: &[StoreCommand]) -> Result<Vec<StoreReply>, BatchFailed> {
        let replies = self.run_batch(batch).await?;
        Ok(replies.into_iter().zip(batch).map(|(reply, command)| settled(reply, command)).collect())
    }

    async fn clock_ahead(&mut self) -> Option<i64> {
        let db = self.db.as_mut().filter(|db| db.engine() == Engine::Postgres)?;
        clock_ahead(db).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the database's clock cannot be read");
            None
        })
    }

    async fn reconnect(&mut self) -> Result<(), BatchFailed> {
        self.db = Some(Db::open_writer(&self.url).await.map_err(failed)?);
        Ok(())
    }
}

/// Does on a thread for work that waits what would keep this one from everything else; `None`: it panicked.
async fn apart<T: Send + 'static>(
    mut db: Db,
    work: impl FnOnce(&mut Db, &Runtime) -> T + Send + 'static,
) -> Option<(Db, T)> {
    let here = Runtime::current();
    let done = tokio::task::spawn_blocking(move || {
        let done = work(&mut db, &here);
        (db, done)
    });
    done.await.ok()
}

fn lost() -> BatchFailed {
    BatchFailed {
        what: "the connection is with a thread that has not come back".to_owned(),
        health: StoreHealth::Gone,
        reconnect: true,
    }
}

/// By how many milliseconds this machine's clock is ahead of the database's; `None`: they are one.
///
/// # Errors
/// As every statement.
pub async fn clock_ahead(db: &mut Db) -> Result<Option<i64>, StoreError> {
    let before = Clock::utc();
    let Some(theirs) = db.clock().await? else { return Ok(None) };
    // The question was answered about half-way.
    let ours = before + Clock::utc().since(before) / 2;
    Ok(Some(ours.0.saturating_sub(theirs.0)))
}

/// Repeats are pointless for a command that the database refuses by itself: text it cannot hold, a bug, a damaged schema.
/// The dialer gets the answer that starts nothing and confirms nothing, the log the reason.
fn settled(reply: Result<StoreReply, StoreError>, command: &StoreCommand) -> StoreReply {
    let error = match reply {
        Ok(reply) => return reply,
        Err(error) => error,
    };
    tracing::error!(%error, "the database refuses a command for good");
    match command {
        StoreCommand::Claim(_) => StoreReply::Claimed(Vec::new()),
        StoreCommand::Promote { .. } => {
            StoreReply::Promoted { promoted: 0, next_due: None, promises: Promises::default() }
        }
        StoreCommand::Intent(_) => StoreReply::Refused { gate: Gate::LeaseLost, until: None },
        StoreCommand::Heartbeat { .. } => {
            StoreReply::Refused { gate: Gate::NodeLease, until: None }
        }
        StoreCommand::Count { .. } => StoreReply::Counted(LeadCounts::default()),
        StoreCommand::Release(_)
        | StoreCommand::AgentLeg(_)
        | StoreCommand::LegAnswered(_)
        | StoreCommand::LegEnded(_)
        | StoreCommand::Covered { .. }
        | StoreCommand::Connected { .. }
        | StoreCommand::Outcome(_)
        | StoreCommand::Disposition(_)
        | StoreCommand::Suppress(_)
        | StoreCommand::AgentState(_)
        | StoreCommand::Learned(_)
        | StoreCommand::Account { .. }
        | StoreCommand::Look(_)
        | StoreCommand::DrawShare(_)
        | StoreCommand::NodeEnded { .. }
        | StoreCommand::CampaignMode { .. }
        | StoreCommand::CampaignState { .. } => StoreReply::Rejected,
    }
}

fn failed(error: StoreError) -> BatchFailed {
    // Busy means that somebody else is writing: the connection is good, and the wait will end.
    let busy = matches!(error, StoreError::Unavailable { trouble: Trouble::Busy, .. });
    BatchFailed {
        health: if busy { StoreHealth::Slow } else { StoreHealth::Gone },
        reconnect: !busy,
        what: error.to_string(),
    }
}

/// Moves SQLite's log into its file about once a second, for as long as it is polled.
pub(super) async fn checkpoints(mut db: Db) {
    if db.engine() == Engine::Postgres {
        return;
    }
    loop {
        tokio::time::sleep(CHECKPOINT_EVERY).await;
        let Some((back, found)) = apart(db, |db, here| here.block_on(db.checkpoint())).await else {
            tracing::error!(
                "moving the database's log ended by itself: the log grows until the next start"
            );
            return;
        };
        db = back;
        match found {
            Ok(found) if found.done_pages < found.log_pages && found.log_pages > LONG_LOG => {
                let log_pages = found.log_pages;
                tracing::warn!(
                    log_pages,
                    "the database's log grows: somebody has been reading for a long time"
                );
                tokio::time::sleep(CHECKPOINT_AFTER_FAILURE).await;
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "the database's log grows: it could not be moved into the file");
                tokio::time::sleep(CHECKPOINT_AFTER_FAILURE).await;
            }
        }
    }
}

const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// 256 MB of 4 KiB: four times what is begun anew where nobody is in the way.
const LONG_LOG: u64 = 65_536;
const CHECKPOINT_AFTER_FAILURE: Duration = Duration::from_secs(10);
