//! outdial: an outbound campaign dialer. One pure floor decides, thin rooms around it do.

pub mod carrier;
pub mod cli;
pub mod config;
pub mod files;
pub mod logic;
pub mod media;
pub mod runtime;
pub mod simulation;
pub mod store;
pub mod telemetry;
pub mod wire;
