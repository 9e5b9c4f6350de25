//! A request other than INVITE that the far end sent: RFC 3261 §17.2.2.
//!
//! ```text
//! Trying --200..699--> Completed --Timer J--> Terminated
//! ```
//! We send no provisional response to such a request (RFC 4320 §4.1), so there is no Proceeding.

use super::SIXTY_FOUR_T1;
use super::forgotten_at;
use crate::logic::time::Tick;

/// The machine of one non-INVITE server transaction.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ServerOther {
    /// Set by the final response: Timer J.
    until: Option<Tick>,
}

impl ServerOther {
    /// When the transaction may be forgotten; `None` while no final response was sent.
    #[must_use]
    pub fn deadline(&self) -> Option<Tick> {
        self.until
    }

    /// Whether no final response was sent.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.until.is_none()
    }

    /// The user agent sends its final response.
    pub fn on_sent(&mut self, now: Tick) {
        if self.until.is_none() {
            self.until = Some(forgotten_at(now, SIXTY_FOUR_T1));
        }
    }

    /// Whether Timer J has passed.
    #[must_use]
    pub fn is_done(&self, now: Tick) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answered_request_is_remembered_for_32_seconds() {
        let mut request = ServerOther::default();
        assert!(request.is_pending() && !request.is_done(Tick::START + SIXTY_FOUR_T1));
        request.on_sent(Tick::START);
        assert!(!request.is_pending() && !request.is_done(Tick::START));
        assert!(request.is_done(Tick::START + SIXTY_FOUR_T1));
    }
}
