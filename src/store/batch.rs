//! Many commands in one transaction: the store side of the seam.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};

use crate::logic::dialer::{
    AgentLeg, AgentStateRecord, CampaignState, Claim, DispositionRecord, DrawShare, Intent,
    Learned, LegAnswered, LegEnded, Look, OutcomeRecord, Release, StoreCommand, StoreReply,
    Suppress, effect_order,
};
use crate::logic::ids::{AgentId, AttemptId, CampaignId};
use crate::logic::settings::DialMode;
use crate::logic::time::UtcMs;
use crate::store::audit::AuditEntry;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::events::Event;
use crate::store::nodes::NodeIdentity;
use crate::store::{
    agents, audit, campaigns, dispositions, events, intents, leads, ledger, legs, models, nodes,
    outcomes, recovery, shares, suppressions,
};

/// Runs `commands` in one transaction and returns their replies in the same order.
///
/// Effects follow [`effect_order`]. Commands of one kind share their statements, so a batch of 256 costs little more than
/// one command. A batch that was not answered is sent again whole: each command is known by its natural key.
///
/// # Errors
/// Nothing of the batch was done, or (when the commit itself was not answered) all of it: see
/// [`StoreError::is_retryable`].
pub async fn run_batch(
    db: &mut Db,
    node: &NodeIdentity,
    commands: &[StoreCommand],
) -> Result<Vec<StoreReply>, StoreError> {
    db.begin().await?;
    let mut batch = Batch { db, node, events: vec![], audit: vec![] };
    let done = caught(batch.run(commands)).await;
    db.finish(done).await
}

/// A panic is the bug of one command: it spoils no other, and never the task that all calls depend on.
async fn caught<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let mut work = std::pin::pin!(work);
    // Unwind safe: whatever it left half done is rolled back with the transaction.
    let poll = |context: &mut Context<'_>| {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))).unwrap_or_else(|payload| {
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
            let what = text.unwrap_or_else(|| "no words".to_owned());
            Poll::Ready(Err(StoreError::Panicked { doing: "running commands", what }))
        })
    };
    std::future::poll_fn(poll).await
}

/// Like [`run_batch`], but a command the database refuses spoils no other: the batch is halved until it stands alone, and
/// its own error is its reply.
///
/// # Errors
/// Only what makes the whole batch worth sending again; a part of it may have been committed.
pub async fn run_batch_isolating(
    db: &mut Db,
    node: &NodeIdentity,
    commands: &[StoreCommand],
) -> Result<Vec<Result<StoreReply, StoreError>>, StoreError> {
    let mut replies = Vec::with_capacity(commands.len());
    // Halves that are still to be run, the next one last.
    let mut parts = vec![commands];
    while let Some(part) = parts.pop() {
        match run_batch(db, node, part).await {
            Ok(done) => replies.extend(done.into_iter().map(Ok)),
            Err(error) if error.is_retryable() => return Err(error),
            Err(error) if part.len() <= 1 => replies.push(Err(error)),
            Err(_) => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.push(second);
                parts.push(first);
            }
        }
    }
    Ok(replies)
}

/// What the commands of one transaction share.
pub(crate) struct Batch<'a> {
    pub(crate) db: &'a mut Db,
    pub(crate) node: &'a NodeIdentity,
    /// Appended before the commit.
    pub(crate) events: Vec<Event>,
    /// Likewise.
    pub(crate) audit: Vec<AuditEntry>,
}

/// A command with its place in the batch.
pub(crate) type Placed<'c, T> = (usize, &'c T);

impl Batch<'_> {
    pub(crate) fn epoch(&self) -> i64 {
        i64::from(self.node.epoch)
    }

    async fn run(&mut self, commands: &[StoreCommand]) -> Result<Vec<StoreReply>, StoreError> {
        let mut replies = vec![StoreReply::Done; commands.len()];
        let mut place = |at: usize, reply: StoreReply| {
            if let Some(slot) = replies.get_mut(at) {
                *slot = reply;
            }
        };
        let mut lives = None;
        for group in groups(commands) {
            match group {
                Group::Heartbeat(items) => {
                    for (at, beat) in items {
                        let reply = nodes::heartbeat(self.db, self.node, beat.until).await?;
                        lives = lives.max((reply == StoreReply::Done).then_some(beat.now));
                        place(at, reply);
                    }
                }
                Group::CampaignState(items) => {
                    for (_, change) in items {
                        campaigns::set_state(self, &change).await?;
                    }
                }
                Group::CampaignMode(items) => {
                    for (_, change) in items {
                        campaigns::set_mode(self, &change).await?;
                    }
                }
                Group::AgentLeg(items) => {
                    for (at, reply) in legs::agent_legs(self, &items).await? {
                        place(at, reply);
                    }
                }
                Group::LegAnswered(items) => legs::answered(self, &items).await?,
                Group::LegEnded(items) => legs::ended(self, &items).await?,
                Group::Covered(items) => legs::covered(self, &items).await?,
                Group::Connected(items) => legs::connected(self, &items).await?,
                Group::Outcome(items) => outcomes::write(self, &items).await?,
                Group::Disposition(items) => dispositions::write(self, &items).await?,
                Group::Suppress(items) => {
                    let items: Vec<_> = items.iter().map(|(_, item)| *item).collect();
                    suppressions::write(self, &items).await?;
                }
                Group::Release(items) => leads::release(self, &items).await?,
                Group::Promote(items) => {
                    for (at, promote) in items {
                        place(at, leads::promote(self, promote).await?);
                    }
                }
                Group::Claim(items) => {
                    for (at, claim) in items {
                        place(at, leads::claim(self, claim).await?);
                    }
                }
                Group::Intent(items) => {
                    for (at, reply) in intents::write(self, &items).await? {
                        place(at, reply);
                    }
                }
                Group::AgentState(items) => agents::write_states(self, &items).await?,
                Group::Learned(items) => {
                    for (_, learned) in items {
                        models::write(self, learned).await?;
                    }
                }
                Group::Count(items) => {
                    for (at, campaign) in items {
                        place(at, leads::count(self.db, campaign).await?);
                    }
                }
                Group::Account(items) => {
                    for (at, reply) in ledger::read(self.db, &items).await? {
                        place(at, reply);
                    }
                }
                Group::DrawShare(items) => {
                    for (at, reply) in shares::write(self, &items).await? {
                        place(at, reply);
                    }
                }
                Group::Look(items) => {
                    for (at, look) in items {
                        let (db, node, events) = (&mut *self.db, self.node, &mut self.events);
                        let seen = recovery::look_around(db, node, look, events).await?;
                        place(at, StoreReply::Seen(Box::new(seen)));
                    }
                }
                Group::NodeEnded(items) => {
                    for (_, at) in items {
                        nodes::end(self, at).await?;
                    }
                }
            }
        }
        if let Some(now) = lives {
            // After all that the batch books.
            let closed = ledger::close(self.db, now).await?;
            self.events.extend(closed);
        }
        audit::append(self).await?;
        // Last of all: the counter's row is locked from here to the commit, so numbers follow the order of commits.
        events::append(self).await?;
        Ok(replies)
    }
}
/// Commands of one kind, neighbours in the order of effects.
enum Group<'c> {
    Heartbeat(Vec<(usize, Beat)>),
    CampaignState(Vec<(usize, StateChange<'c>)>),
    CampaignMode(Vec<(usize, ModeChange<'c>)>),
    AgentLeg(Vec<Placed<'c, AgentLeg>>),
    LegAnswered(Vec<Placed<'c, LegAnswered>>),
    LegEnded(Vec<Placed<'c, LegEnded>>),
    Covered(Vec<AttemptId>),
    Connected(Vec<AgentJoined>),
    Outcome(Vec<Placed<'c, OutcomeRecord>>),
    Disposition(Vec<Placed<'c, DispositionRecord>>),
    Suppress(Vec<Placed<'c, Suppress>>),
    Release(Vec<Placed<'c, Release>>),
    Promote(Vec<(usize, Promote)>),
    Claim(Vec<Placed<'c, Claim>>),
    Intent(Vec<Placed<'c, Intent>>),
    AgentState(Vec<Placed<'c, AgentStateRecord>>),
    Learned(Vec<Placed<'c, Learned>>),
    Count(Vec<(usize, CampaignId)>),
    Account(Vec<ledger::Asked>),
    DrawShare(Vec<Placed<'c, DrawShare>>),
    Look(Vec<Placed<'c, Look>>),
    NodeEnded(Vec<(usize, UtcMs)>),
}

/// See [`StoreCommand::Heartbeat`].
#[derive(Clone, Copy)]
struct Beat {
    until: UtcMs,
    now: UtcMs,
}

/// See [`StoreCommand::CampaignState`].
#[derive(Clone, Copy)]
pub(crate) struct StateChange<'c> {
    pub(crate) campaign: CampaignId,
    pub(crate) state: CampaignState,
    pub(crate) at: UtcMs,
    pub(crate) by: &'c str,
}

/// See [`StoreCommand::CampaignMode`].
#[derive(Clone, Copy)]
pub(crate) struct ModeChange<'c> {
    pub(crate) campaign: CampaignId,
    pub(crate) mode: DialMode,
    pub(crate) at: UtcMs,
    pub(crate) by: &'c str,
}

/// See [`StoreCommand::Connected`].
#[derive(Clone, Copy)]
pub(crate) struct AgentJoined {
    pub(crate) attempt: AttemptId,
    pub(crate) agent: AgentId,
    pub(crate) at: UtcMs,
    pub(crate) given_up: Option<AttemptId>,
}

/// See [`StoreCommand::Promote`].
#[derive(Clone, Copy)]
pub(crate) struct Promote {
    pub(crate) campaign: CampaignId,
    pub(crate) now: UtcMs,
    pub(crate) limit: u32,
}

fn groups(commands: &[StoreCommand]) -> Vec<Group<'_>> {
    macro_rules! add {
        ($groups:ident, $kind:ident, $item:expr) => {
            if let Some(Group::$kind(items)) = $groups.last_mut() {
                items.push($item);
            } else {
                $groups.push(Group::$kind(vec![$item]));
            }
        };
    }
    let mut groups = vec![];
    for at in effect_order(commands) {
        let Some(command) = commands.get(at) else { continue };
        match command {
            StoreCommand::Heartbeat { until, now } => {
                add!(groups, Heartbeat, (at, Beat { until: *until, now: *now }));
            }
            StoreCommand::CampaignState { campaign, state, at: when, by } => {
                let change = StateChange { campaign: *campaign, state: *state, at: *when, by };
                add!(groups, CampaignState, (at, change));
            }
            StoreCommand::CampaignMode { campaign, mode, at: when, by } => {
                let change = ModeChange { campaign: *campaign, mode: *mode, at: *when, by };
                add!(groups, CampaignMode, (at, change));
            }
            StoreCommand::AgentLeg(item) => add!(groups, AgentLeg, (at, item)),
            StoreCommand::LegAnswered(item) => add!(groups, LegAnswered, (at, item)),
            StoreCommand::LegEnded(item) => add!(groups, LegEnded, (at, item)),
            StoreCommand::Covered { attempt } => add!(groups, Covered, *attempt),
            StoreCommand::Connected { attempt, agent, at: when, given_up } => {
                let joined = AgentJoined {
                    attempt: *attempt,
                    agent: *agent,
                    at: *when,
                    given_up: *given_up,
                };
                add!(groups, Connected, joined);
            }
            StoreCommand::Outcome(item) => add!(groups, Outcome, (at, &**item)),
            StoreCommand::Disposition(item) => add!(groups, Disposition, (at, &**item)),
            StoreCommand::Suppress(item) => add!(groups, Suppress, (at, item)),
            StoreCommand::Release(item) => add!(groups, Release, (at, item)),
            StoreCommand::Promote { campaign, now, limit } => {
                let promote = Promote { campaign: *campaign, now: *now, limit: *limit };
                add!(groups, Promote, (at, promote));
            }
            StoreCommand::Claim(item) => add!(groups, Claim, (at, item)),
            StoreCommand::Intent(item) => add!(groups, Intent, (at, &**item)),
            StoreCommand::AgentState(item) => add!(groups, AgentState, (at, item)),
            StoreCommand::Learned(item) => add!(groups, Learned, (at, &**item)),
            StoreCommand::Count { campaign } => add!(groups, Count, (at, *campaign)),
            StoreCommand::Account { campaign, window } => {
                let asked = ledger::Asked { at, campaign: campaign.0, starts: window.0 };
                add!(groups, Account, asked);
            }
            StoreCommand::DrawShare(item) => add!(groups, DrawShare, (at, item)),
            StoreCommand::Look(item) => add!(groups, Look, (at, item)),
            StoreCommand::NodeEnded { at: when } => add!(groups, NodeEnded, (at, *when)),
        }
    }
    groups
}

/// A row that a command touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key<'a> {
    Attempt(i64),
    Lead(i64),
    Contact(i64),
    Phone(i64),
    Number(&'a str),
    Leg(i64),
    Suppression(i64),
}

/// Splits `items` so that within a round no two touch the same row: each round is one set-based statement, and what
/// shares a row keeps its order. Nearly always there is one round.
pub(crate) fn rounds<'i, T: Copy>(items: &[T], keys: impl Fn(T) -> Vec<Key<'i>>) -> Vec<Vec<T>> {
    let mut next_free: BTreeMap<Key<'i>, usize> = BTreeMap::new();
    let mut rounds: Vec<Vec<T>> = vec![];
    for item in items {
        let keys = keys(*item);
        let round = keys.iter().filter_map(|key| next_free.get(key)).max().copied().unwrap_or(0);
        for key in keys {
            next_free.insert(key, round + 1);
        }
        match rounds.get_mut(round) {
            Some(items) => items.push(*item),
            None => rounds.push(vec![*item]),
        }
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::ids::LegId;
    use crate::store::NewNode;
    use crate::store::error::Trouble;
    use crate::store::sql::Sql;

    #[test]
    fn what_shares_a_row_runs_one_after_another_in_order() {
        let items = [("a", 1), ("b", 2), ("a", 3), ("c", 2), ("a", 2)];
        let split = rounds(&items, |(name, lead)| vec![Key::Number(name), Key::Lead(lead)]);
        assert_eq!(split, [vec![("a", 1), ("b", 2)], vec![("a", 3), ("c", 2)], vec![("a", 2)]]);
    }

    #[test]
    fn a_panic_is_an_error_like_any_other_and_its_transaction_is_undone() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut db = Db::open_writer("sqlite::memory:").await.unwrap();
            db.migrate(UtcMs(0), &[1; 48]).await.unwrap();
            for (n, word) in ["a literal", "a formatted text"].into_iter().enumerate() {
                db.begin().await.unwrap();
                let done: Result<(), StoreError> = caught(async {
                    const ADD: Sql = Sql::both("insert into seller (id, name) values (1, 'x')");
                    db.run("t", &ADD, &[]).await?;
                    if n == 0 { panic!("a literal") } else { panic!("a formatted {}", "text") }
                })
                .await;
                let error = db.finish(done).await.unwrap_err();
                assert!(error.to_string().contains(word), "{error}");
                assert!(!error.is_retryable(), "the batch is halved, not repeated");
            }
            let sellers = Sql::both("select count(*) from seller");
            let rows = db.rows("t", &sellers, &[]).await.unwrap();
            assert_eq!(rows.first().unwrap().int(0).unwrap(), 0);
        });
    }

    #[test]
    fn a_full_disk_is_told_and_the_batch_lands_when_there_is_room() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut db = Db::open_writer("sqlite::memory:").await.unwrap();
            db.migrate(UtcMs(0), &[1; 48]).await.unwrap();
            let new = NewNode {
                name: "n",
                boot: 1,
                pid: 1,
                host: "here",
                now: UtcMs(0),
                lease_until: UtcMs(9),
            };
            let node = nodes::register_node(&mut db, &new).await.unwrap();
            let pages = db.rows("t", &Sql::both("pragma page_count"), &[]).await.unwrap();
            let limit =
                format!("pragma max_page_count = {}", pages.first().unwrap().int(0).unwrap());
            let limit: &'static str = Box::leak(limit.into_boxed_str());
            db.script("t", limit).await.unwrap();
            let batch: Vec<_> = (0..100)
                .map(|leg| {
                    let (leg, agent, call) = (LegId(leg), AgentId(1), "x".repeat(2_000));
                    StoreCommand::AgentLeg(AgentLeg { leg, agent, call, now: UtcMs(0) })
                })
                .collect();
            for run in [
                run_batch(&mut db, &node, &batch).await.map(|_| ()),
                run_batch_isolating(&mut db, &node, &batch).await.map(|_| ()),
            ] {
                let full =
                    matches!(run, Err(StoreError::Unavailable { trouble: Trouble::Full, .. }));
                assert!(full, "{run:?}");
            }
            let legs = Sql::both("select count(*) from leg");
            assert_eq!(db.rows("t", &legs, &[]).await.unwrap().first().unwrap().int(0).unwrap(), 0);
            db.script("t", "pragma max_page_count = 100000").await.unwrap();
            assert_eq!(
                run_batch(&mut db, &node, &batch).await.unwrap(),
                vec![StoreReply::Done; 100]
            );
            assert_eq!(
                db.rows("t", &legs, &[]).await.unwrap().first().unwrap().int(0).unwrap(),
                100
            );
        });
    }
}
