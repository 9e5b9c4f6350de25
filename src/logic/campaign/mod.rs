//! What a campaign does with the end of an attempt: [`retry`].

pub mod retry;
