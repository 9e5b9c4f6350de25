//! Whether a number may be dialed at a moment. Pure; asked by the dialer before a claim and again at every INVITE.
//!
//! - [`calling_hours`]: weekly windows in the callee's zones, with holidays and changes of the clock.
//! - [`calling_class`]: leads that share zones share a class; its hours are asked once for all of them.
//! - [`country`]: the allow-list of countries and `test_only`.
//! - [`abandon_debt`]: how many abandoned calls a window may owe for a while.
//! - [`abandon_window`]: the fixed window in whose ledger a call is booked.
//! - [`abandon_ledger`]: how many calls may be under way without an agent of their own.
//! - [`holidays`]: calendars that ship with the program.
//! - [`local_time`]: moments as people write them.
//!
//! Numbers of law live in `data/`, each with its source and the day it was checked.

pub mod abandon_debt;
pub mod abandon_ledger;
pub mod abandon_window;
pub mod calling_class;
pub mod calling_hours;
pub mod country;
pub mod holidays;
pub mod local_time;
mod zone;

use crate::logic::gate::Gate;
use crate::logic::time::UtcMs;

pub use zone::{UnknownZone, is_zone};

/// May it be dialed?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, now.
    Allow,
    /// Not now; at this moment and not a millisecond earlier.
    Later(UtcMs),
    /// Not until a person changes something.
    Never(Gate),
}
