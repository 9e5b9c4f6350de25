//! How many calls may start now.
//!
//! [`call_rate`] says when the next INVITE may leave a trunk; [`fit`] says which agents may take a call, [`fair_turns`]
//! which campaign is next, where several share agents. In progressive mode one line is opened per free agent, who is kept for it: the
//! dialer joins the two. [`predictive`] says how many lines to open beyond that; [`pacer`] asks it in whole numbers, and
//! [`journal`] keeps what it was asked. [`return_calls`]: free agents who are kept for
//! people who call back. [`answer_model`]: which leads are likely to answer. [`trunk_share`]: how much of a
//! trunk is ours, where several processes use it.

pub mod answer_model;
pub mod call_rate;
pub mod fair_turns;
pub mod fit;
pub mod journal;
pub mod pacer;
pub mod predictive;
pub mod return_calls;
pub mod trunk_share;
