//! Orders on their way to the store task.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use crate::logic::dialer::{StoreCommand, StoreHealth, Ticket};
use crate::runtime::store_task::Order;

/// Orders on their way to the store task, first in, first out.
///
/// The channel is bounded; what does not fit waits here. That is bounded by what makes it grow: from [`BACKLOG`] on the
/// node is told that the store is gone and starts no more calls, so only the calls in progress (lines and agents) add
/// a few facts each.
#[derive(Debug)]
pub(super) struct StoreQueue {
    waiting: VecDeque<(Ticket, StoreCommand)>,
    /// Given to the store task or waiting here, and not answered.
    open: u64,
    /// As the task reports it.
    task: StoreHealth,
    /// As the node believes it.
    told: StoreHealth,
    /// The bound was met and the backlog is not empty yet.
    full: bool,
}

impl StoreQueue {
    /// Nothing waits, and all is well.
    pub(super) const fn new() -> Self {
        let ok = StoreHealth::Ok;
        Self { waiting: VecDeque::new(), open: 0, task: ok, told: ok, full: false }
    }

    /// One more order.
    pub(super) fn push(&mut self, orders: &mpsc::Sender<Order>, order: Order) {
        self.open = self.open.saturating_add(1);
        self.waiting.push_back(order);
        self.flush(orders);
        self.full |= self.waiting.len() >= BACKLOG;
    }

    /// Hands on what the channel has room for.
    pub(super) fn flush(&mut self, orders: &mpsc::Sender<Order>) {
        while !self.waiting.is_empty() {
            let Ok(place) = orders.try_reserve() else { return };
            if let Some(order) = self.waiting.pop_front() {
                place.send(order);
            }
        }
        self.full = false;
    }

    /// One order is durable, or refused for good.
    pub(super) fn answered(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// Orders without an answer.
    pub(super) const fn open(&self) -> u64 {
        self.open
    }

    /// What the store task says of itself.
    pub(super) const fn hear(&mut self, health: StoreHealth) {
        self.task = health;
    }

    /// What the node must hear, if it believes something else.
    pub(super) fn health_to_tell(&mut self) -> Option<StoreHealth> {
        let health = if self.full { StoreHealth::Gone } else { self.task };
        let news = health != self.told;
        self.told = health;
        news.then_some(health)
    }
}

/// Orders that may wait beyond the channel before the store is called gone.
const BACKLOG: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::ids::CampaignId;

    fn order(n: u64) -> Order {
        (Ticket(n), StoreCommand::Count { campaign: CampaignId(1) })
    }

    #[test]
    fn orders_beyond_the_channel_wait_and_keep_their_order() {
        let (orders, mut task) = mpsc::channel(2);
        let mut queue = StoreQueue::new();
        for n in 1..=5 {
            queue.push(&orders, order(n));
        }
        let mut seen = Vec::new();
        for _ in 0..5 {
            let (Ticket(n), _) = task.try_recv().unwrap();
            seen.push(n);
            queue.flush(&orders);
        }
        assert_eq!(seen, [1, 2, 3, 4, 5]);
        assert_eq!(queue.open, 5);
        queue.answered();
        assert_eq!(queue.open, 4);
    }

    #[test]
    fn a_full_backlog_is_gone_until_it_is_empty() {
        let (orders, mut task) = mpsc::channel(1);
        let mut queue = StoreQueue::new();
        let mut told = Vec::new();
        for n in 0..=u64::try_from(BACKLOG).unwrap() + 10 {
            queue.push(&orders, order(n));
            told.extend(queue.health_to_tell());
        }
        assert_eq!(told, [StoreHealth::Gone]);
        while task.try_recv().is_ok() {
            queue.flush(&orders);
            told.extend(queue.health_to_tell());
        }
        assert_eq!(told, [StoreHealth::Gone, StoreHealth::Ok]);
    }
}
