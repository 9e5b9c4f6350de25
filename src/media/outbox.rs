//! Events on their way to the dialer: none is lost, none is waited for.

use std::collections::VecDeque;

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use crate::logic::media::MediaEvent;

/// The bounded queue to the dialer, and what did not fit into it.
///
/// Each event kept here answers a command (`Opened`, `OpenFailed`, `PlayDone`, `Closed`), and while it is full
/// no command is taken, so the command queue fills up and its senders are told. All other events stay
/// in their sessions, which are bounded, until [`Outbox::has_room`].
#[derive(Debug)]
pub(super) struct Outbox {
    to: Sender<MediaEvent>,
    waiting: VecDeque<MediaEvent>,
    bound: usize,
}

impl Outbox {
    pub(super) const fn new(to: Sender<MediaEvent>, bound: usize) -> Self {
        Self { to, waiting: VecDeque::new(), bound }
    }

    /// Sends it now, or after what waits.
    pub(super) fn push(&mut self, event: MediaEvent) {
        self.waiting.push_back(event);
        self.flush();
    }

    /// Sends what waits, as far as it fits.
    pub(super) fn flush(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            match self.to.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.waiting.push_front(event);
                    return;
                }
                // Nobody listens any more: the process is ending.
                Err(TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
    }

    /// Whether an event may be taken from a session.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether commands must wait.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= self.bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::ids::LegId;

    #[test]
    fn what_does_not_fit_waits_in_order() {
        let event = |leg| MediaEvent::OpenFailed { leg: LegId(leg) };
        let (to, mut from) = tokio::sync::mpsc::channel(1);
        let mut outbox = Outbox::new(to, 2);
        (1..=3).for_each(|leg| outbox.push(event(leg)));
        assert!(outbox.is_full() && !outbox.has_room());
        for leg in 1..=3 {
            assert_eq!(from.try_recv().unwrap(), event(leg));
            outbox.flush();
        }
        assert!(outbox.has_room());
        drop(from);
        outbox.push(event(4));
        assert!(outbox.has_room(), "nobody listens");
    }
}
