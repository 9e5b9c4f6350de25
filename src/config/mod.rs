//! The files a person writes, read in two steps: as written (`file.rs`), then checked (one file per section).
//!
//! `campaign.toml` becomes a [`CampaignFile`], `outdial.toml` an [`OutdialFile`]; both hold the settings of the pure
//! floor. Every problem is reported, with file, line and column, and a file with a problem changes nothing.
//! [`check`] looks at both together. Host names are not looked up here: [`OutdialFile::resolve`] is handed who does.

mod abandon;
mod agent;
mod attempts;
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
mod secret;
#[cfg(test)]
mod tests;
mod trunk;

pub use agent::AgentFile;
pub use campaign::{CampaignFile, parse_campaign, read_campaign};
pub use host::HostPort;
pub use lists::{LIST_ENCODINGS, LIST_FIELDS, ListSource};
pub use outdial::{
    Database, LogFormat, LogSettings, OutdialFile, Resolved, parse_outdial, read_outdial,
};
pub use problem::{Problem, Problems};
pub use secret::{Environment, Secret, environment};
pub use trunk::TrunkFile;
