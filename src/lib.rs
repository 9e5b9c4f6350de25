//! outdial: an outbound campaign dialer. One pure floor decides, thin rooms around it do.

// The rooms with sockets, databases and threads read nothing from strangers by themselves: the fuzz targets are built
// without them, in half of the time.
#[cfg(not(fuzzing))]
pub mod carrier;
#[cfg(not(fuzzing))]
pub mod cli;
pub mod config;
pub mod files;
pub mod logic;
#[cfg(not(fuzzing))]
pub mod media;
#[cfg(not(fuzzing))]
pub mod runtime;
pub mod simulation;
#[cfg(not(fuzzing))]
pub mod store;
#[cfg(not(fuzzing))]
pub mod telemetry;
#[cfg(not(fuzzing))]
pub mod wire;
