//! The store task: takes commands in order, runs them in batches, one transaction each, and answers in order.
//!
//! ```text
//!   driver --orders--> [collect <= 256 or 2 ms] --> one transaction --> [repeat until it lands] --news--> driver
//! ```
//! A failed or unanswered commit is repeated whole: every command is idempotent and repeats its reply. While it waits,
//! the driver is told that the store is `Slow` or `Gone`, and the dialer starts no more calls.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::logic::dialer::{StoreCommand, StoreHealth, StoreReply, Ticket, clocks_are_apart};
use crate::telemetry::Metrics;

/// What the driver hears from the task.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum StoreNews {
    /// A command is durable, or refused.
    Stored(Ticket, StoreReply),
    /// The database got better or worse.
    Health(StoreHealth),
    /// By so many milliseconds this machine's clock is ahead of the database's.
    ClockAhead(i64),
}

/// What the task needs of a database.
pub(super) trait Batches {
    /// Runs the commands in one transaction; as many replies, in order.
    fn run(
        &mut self,
        batch: &[StoreCommand],
    ) -> impl Future<Output = Result<Vec<StoreReply>, BatchFailed>> + Send;

    /// By how many milliseconds this machine's clock is ahead of the database's; `None`: they are one, or nobody knows.
    fn clock_ahead(&mut self) -> impl Future<Output = Option<i64>> + Send;

    /// Throws the connection away and makes a new one.
    fn reconnect(&mut self) -> impl Future<Output = Result<(), BatchFailed>> + Send;
}

/// A batch did not land, or nobody knows whether it did.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(super) struct BatchFailed {
    /// In words, for the log.
    pub(super) what: String,
    /// What the dialer is told while it lasts.
    pub(super) health: StoreHealth,
    /// Whether only a new connection can help.
    pub(super) reconnect: bool,
}

/// Times of the task; shorter in tests.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoreTimes {
    /// How long a first command waits for company.
    pub(super) collect: Duration,
    /// Without a commit for so long the store is `Slow`.
    pub(super) slow: Duration,
    /// Without an answer for so long the connection is given up.
    pub(super) hung: Duration,
    /// First wait after a failure; doubled up to `back_off_most`.
    pub(super) back_off: Duration,
    /// Longest wait after a failure.
    pub(super) back_off_most: Duration,
}

impl StoreTimes {
    /// The ones a dialer runs with.
    pub(super) const USUAL: Self = Self {
        collect: Duration::from_millis(2),
        slow: Duration::from_millis(500),
        hung: Duration::from_secs(15),
        back_off: Duration::from_millis(50),
        back_off_most: Duration::from_secs(1),
    };
}

/// One order.
pub(super) type Order = (Ticket, StoreCommand);

/// Runs until the driver drops its end and every order has been answered.
pub(super) async fn run(
    mut database: impl Batches + Send,
    mut orders: mpsc::Receiver<Order>,
    news: mpsc::Sender<StoreNews>,
    metrics: Arc<Metrics>,
    times: StoreTimes,
) {
    let mut task = Task { health: StoreHealth::Ok, clocks_apart: false, news, metrics, times };
    loop {
        let (tickets, batch) = collect(&mut orders, times.collect).await;
        if batch.is_empty() {
            return;
        }
        let replies = task.land(&mut database, &batch).await;
        if batch.iter().any(|command| matches!(command, StoreCommand::Heartbeat { .. })) {
            // Before the replies: what they allow is decided with the clock in mind.
            task.compare_clocks(&mut database).await;
        }
        for (ticket, reply) in tickets.into_iter().zip(replies) {
            if task.news.send(StoreNews::Stored(ticket, reply)).await.is_err() {
                // The driver is gone; what it had ordered is written all the same.
                break;
            }
        }
    }
}

/// The next batch in order: what waits already, and what comes within `wait`. Empty: no more will come.
async fn collect(
    orders: &mut mpsc::Receiver<Order>,
    wait: Duration,
) -> (Vec<Ticket>, Vec<StoreCommand>) {
    let mut taken = Vec::new();
    orders.recv_many(&mut taken, BATCH).await;
    if !taken.is_empty() && taken.len() < BATCH {
        let more = async {
            while taken.len() < BATCH {
                let Some(order) = orders.recv().await else { break };
                taken.push(order);
            }
        };
        // Running out of time is the usual end, not a failure.
        if timeout(wait, more).await.is_err() {}
    }
    taken.into_iter().unzip()
}

struct Task {
    health: StoreHealth,
    clocks_apart: bool,
    news: mpsc::Sender<StoreNews>,
    metrics: Arc<Metrics>,
    times: StoreTimes,
}

impl Task {
    /// Repeats the batch until it has landed.
    async fn land(
        &mut self,
        database: &mut (impl Batches + Send),
        batch: &[StoreCommand],
    ) -> Vec<StoreReply> {
        let mut wait = self.times.back_off;
        loop {
            let failed = match self.once(database, batch).await {
                Ok(replies) if replies.len() == batch.len() => {
                    self.metrics.store_commits.one();
                    self.set_health(StoreHealth::Ok).await;
                    return replies;
                }
                Ok(replies) => BatchFailed {
                    what: format!("{} replies to {} commands", replies.len(), batch.len()),
                    health: StoreHealth::Gone,
                    reconnect: true,
                },
                Err(failed) => failed,
            };
            tracing::warn!(%failed, "a batch did not land; it is repeated");
            self.metrics.store_repeats.one();
            self.set_health(failed.health).await;
            sleep(wait).await;
            wait = wait.saturating_mul(2).min(self.times.back_off_most);
            if failed.reconnect {
                match timeout(self.times.hung, database.reconnect()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::warn!(%error, "the database cannot be reached"),
                    Err(_) => tracing::warn!("the database does not answer"),
                }
            }
        }
    }

    /// One try, telling the driver when it lasts.
    async fn once(
        &mut self,
        database: &mut (impl Batches + Send),
        batch: &[StoreCommand],
    ) -> Result<Vec<StoreReply>, BatchFailed> {
        let mut attempt = std::pin::pin!(database.run(batch));
        if let Ok(result) = timeout(self.times.slow, &mut attempt).await {
            return result;
        }
        if self.health == StoreHealth::Ok {
            self.set_health(StoreHealth::Slow).await;
        }
        let rest = self.times.hung.saturating_sub(self.times.slow);
        timeout(rest, attempt).await.unwrap_or_else(|_| {
            Err(BatchFailed {
                what: format!("no commit within {:?}", self.times.hung),
                health: StoreHealth::Gone,
                reconnect: true,
            })
        })
    }

    /// A clock that cannot be read is as it was: a database that is away is told by its health.
    async fn compare_clocks(&mut self, database: &mut (impl Batches + Send)) {
        let Ok(Some(ahead)) = timeout(self.times.slow, database.clock_ahead()).await else {
            return;
        };
        let apart = clocks_are_apart(ahead);
        if apart != self.clocks_apart {
            self.clocks_apart = apart;
            if apart {
                tracing::error!(
                    ahead_ms = ahead,
                    "this machine's clock and the database's are more than 1 s apart: no call starts until they agree; \
                     let both keep time by NTP"
                );
            } else {
                tracing::warn!(ahead_ms = ahead, "the clocks agree again");
            }
        }
        if self.news.send(StoreNews::ClockAhead(ahead)).await.is_err() {
            tracing::debug!("nobody hears of the clock: the driver has ended");
        }
    }

    async fn set_health(&mut self, health: StoreHealth) {
        if self.health == health {
            return;
        }
        tracing::warn!(from = ?self.health, to = ?health, "the store's health changed");
        self.health = health;
        if self.news.send(StoreNews::Health(health)).await.is_err() {
            tracing::debug!("nobody hears of the store's health: the driver has ended");
        }
    }
}

/// Most commands of one transaction.
const BATCH: usize = 256;

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::logic::ids::CampaignId;
    use crate::logic::time::UtcMs;

    /// What the made-up database does with the next batch.
    enum Next {
        Lands,
        Fails,
        Hangs,
    }

    struct Scripted {
        next: VecDeque<Next>,
        seen: mpsc::UnboundedSender<Vec<StoreCommand>>,
    }

    impl Batches for Scripted {
        async fn run(&mut self, batch: &[StoreCommand]) -> Result<Vec<StoreReply>, BatchFailed> {
            self.seen.send(batch.to_vec()).unwrap();
            match self.next.pop_front().unwrap_or(Next::Lands) {
                Next::Lands => Ok(vec![StoreReply::Done; batch.len()]),
                Next::Fails => Err(BatchFailed {
                    what: "disk full".to_owned(),
                    health: StoreHealth::Gone,
                    reconnect: false,
                }),
                Next::Hangs => std::future::pending().await,
            }
        }

        async fn clock_ahead(&mut self) -> Option<i64> {
            Some(1_234)
        }

        async fn reconnect(&mut self) -> Result<(), BatchFailed> {
            Ok(())
        }
    }

    const QUICK: StoreTimes = StoreTimes {
        collect: Duration::from_millis(1),
        slow: Duration::from_millis(5),
        hung: Duration::from_millis(20),
        back_off: Duration::from_millis(1),
        back_off_most: Duration::from_millis(2),
    };

    fn count(n: i64) -> Order {
        (Ticket(u64::try_from(n).unwrap()), StoreCommand::Count { campaign: CampaignId(n) })
    }

    /// Runs counts to the end; what the driver heard, and each batch the database saw.
    fn heard(next: Vec<Next>, counts: i64) -> (Vec<StoreNews>, Vec<Vec<StoreCommand>>) {
        told(next, (1..=counts).map(count).collect())
    }

    fn told(next: Vec<Next>, orders: Vec<Order>) -> (Vec<StoreNews>, Vec<Vec<StoreCommand>>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (to_task, from_driver) = mpsc::channel(1_024);
            let (to_driver, mut from_task) = mpsc::channel(4_096);
            let (seen, mut batches) = mpsc::unbounded_channel();
            for order in orders {
                to_task.send(order).await.unwrap();
            }
            drop(to_task);
            let database = Scripted { next: next.into(), seen };
            run(database, from_driver, to_driver, Arc::default(), QUICK).await;
            let mut news = Vec::new();
            from_task.recv_many(&mut news, 4_096).await;
            let mut all = Vec::new();
            while let Some(batch) = batches.recv().await {
                all.push(batch);
            }
            (news, all)
        })
    }

    #[test]
    fn replies_come_in_the_order_of_the_orders_in_batches_of_256() {
        let (news, batches) = heard(vec![], 600);
        let tickets: Vec<_> = news
            .iter()
            .map(|news| match news {
                StoreNews::Stored(Ticket(n), _) => *n,
                StoreNews::Health(_) | StoreNews::ClockAhead(_) => panic!("{news:?}"),
            })
            .collect();
        assert_eq!(tickets, (1..=600).collect::<Vec<_>>());
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [256, 256, 88]);
    }

    #[test]
    fn a_failed_batch_is_repeated_whole_and_the_driver_told() {
        let (news, batches) = heard(vec![Next::Fails, Next::Fails, Next::Lands], 2);
        assert_eq!(batches.len(), 3);
        assert!(batches.iter().all(|batch| *batch == batches[0]));
        assert_eq!(
            news,
            [
                StoreNews::Health(StoreHealth::Gone),
                StoreNews::Health(StoreHealth::Ok),
                StoreNews::Stored(Ticket(1), StoreReply::Done),
                StoreNews::Stored(Ticket(2), StoreReply::Done),
            ]
        );
    }

    #[test]
    fn the_clocks_are_compared_with_each_heartbeat_and_told_before_its_reply() {
        let beat = StoreCommand::Heartbeat { until: UtcMs(10), now: UtcMs(0) };
        let (news, _) = told(vec![], vec![(Ticket(1), beat), count(2)]);
        assert_eq!(
            news,
            [
                StoreNews::ClockAhead(1_234),
                StoreNews::Stored(Ticket(1), StoreReply::Done),
                StoreNews::Stored(Ticket(2), StoreReply::Done),
            ]
        );
    }

    #[test]
    fn a_hung_batch_is_slow_then_gone_then_repeated() {
        let (news, batches) = heard(vec![Next::Hangs], 1);
        assert_eq!(batches.len(), 2);
        assert_eq!(
            news,
            [
                StoreNews::Health(StoreHealth::Slow),
                StoreNews::Health(StoreHealth::Gone),
                StoreNews::Health(StoreHealth::Ok),
                StoreNews::Stored(Ticket(1), StoreReply::Done),
            ]
        );
    }
}
