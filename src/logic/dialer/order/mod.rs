//! Calls and agents with those in order that are looked for after every input: with 500 agents, looking at all of them
//! each time would cost more than everything else that the dialer does.
//!
//! What an order depends on is [`Watched`]: it can be read everywhere and changed only here, where the orders follow.

mod calls;
mod desks;

use std::ops::Deref;

pub(super) use calls::Calls;
pub(super) use desks::Desks;

/// Changed only together with the orders that depend on it.
#[derive(Debug)]
pub(super) struct Watched<T>(T);

impl<T> Watched<T> {
    pub(super) const fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for Watched<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
