//! Calls that people make to us because we called them.

use std::time::Duration;

/// Return calls that a campaign brings. They come in elsewhere (this dialer takes none) and meet the same agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnCalls {
    /// Expected in an hour.
    pub per_hour: u32,
    /// How long an agent has to do with one, on the mean.
    pub talk: Duration,
}
