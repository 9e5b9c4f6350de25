//! Files: read and written in the forms people and machines exchange.

pub mod sound;
