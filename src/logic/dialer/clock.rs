//! This process's clock against the database's, by which all processes of an installation agree on hours and leases.

use std::time::Duration;

use crate::logic::dialer::Dialer;

/// Whether two clocks are so far apart that no call may start: caps, gaps and leases of several processes would be
/// counted on different times, and the hours of at least one are wrong.
#[must_use]
pub const fn clocks_are_apart(ahead_ms: i64) -> bool {
    Duration::from_millis(ahead_ms.unsigned_abs()).as_millis() > MOST_APART.as_millis()
}

impl Dialer {
    pub(super) const fn clock_is_off(&self) -> bool {
        clocks_are_apart(self.clock_ahead_ms)
    }
}

const MOST_APART: Duration = Duration::from_secs(1);
