//! The files a person writes, read in two steps: as written (`file.rs`), then checked (one file per section).
//!
//! `campaign.toml` becomes a [`CampaignFile`], `outdial.toml` an [`OutdialFile`], a behaviour book the
//! [`BehaviourBook`](crate::simulation::callee::BehaviourBook) of the simulated carrier, a scenario what a rehearsal
//! assumes; all hold what the pure floor takes. Every problem is reported, with file, line and column, and a file with a problem changes nothing.
//! [`check`] looks at both together. Host names are not looked up here: [`OutdialFile::resolve`] is handed who does.

mod abandon;
mod agent;
mod attempts;
mod book;
mod campaign;
pub mod check;
mod dispositions;
mod duration;
mod file;
mod host;
mod hours;
mod limits;
mod lists;
mod messages;
mod outdial;
mod presets;
mod problem;
mod recording;
mod scenario;
mod secret;
#[cfg(test)]
mod tests;
mod trunk;

pub use agent::AgentFile;
pub use book::{parse_book, read_book};
pub use campaign::{CampaignFile, parse_campaign, read_campaign};
pub use host::{HostPort, parse_network, parse_ports};
pub use lists::{LIST_ENCODINGS, LIST_FIELDS, ListSource};
pub use outdial::{
    AddressFault, Database, LogFormat, LogSettings, OutdialFile, Resolved, parse_database,
    parse_outdial, read_outdial,
};
pub use problem::{Problem, Problems};
pub use scenario::{PeopleFile, ScenarioFile, parse_scenario, read_scenario};
pub use secret::{Environment, Secret, environment};
pub use trunk::TrunkFile;
