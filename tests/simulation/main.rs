//! The virtual world: a real node, real SIP text and real SQL against a made-up carrier, agents and clock.
//!
//! | file | what it is |
//! |---|---|
//! | `world` | the loop: whose turn it is, and what each turn does |
//! | `world/process`, `world/far_sides` | the process: its orders, rows, crashes, end; everybody else |
//! | `builder` | a world being described, and what its run came to |
//! | `log` | what happened, for replay and failure |
//! | `plan` | what a world is made of: campaigns, people, agents, callees |
//! | `faults` | what goes wrong, and where a crash hits |
//! | `store_line` | the store task in virtual time: batches, lost replies, hangs |
//! | `meddling` | what people do at odd moments |
//! | `launch` | a process start from the database, as after a crash |
//! | `eye` | reads the database beside the node, to check it |
//! | `wire_text` | what a check must know of a SIP message |
//! | `rules` | what must hold at every step and at the end |
//! | `stories`, `seeds` | the tests |
//!
//! A failing world prints its seed and the command that replays it.
#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]
#![expect(clippy::panic, reason = "a broken rule ends the test")]
#![expect(clippy::indexing_slicing, reason = "places are made by the tests themselves")]

mod builder;
mod eye;
mod faults;
mod launch;
mod log;
mod meddling;
mod plan;
mod rules;
mod seeds;
mod store_line;
mod stories;
mod wire_text;
mod world;
