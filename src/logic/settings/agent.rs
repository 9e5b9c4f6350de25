//! An agent and the phone on the desk.

use std::net::SocketAddr;

/// One agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentSettings {
    /// Unique name, used on the command line.
    pub name: String,
    /// The phone's SIP URI, such as `sip:1001@192.0.2.7`.
    pub uri: String,
    /// Where its INVITE goes (the URI's host, resolved at start).
    pub peer: SocketAddr,
    /// Campaigns may ask for these.
    pub skills: Vec<String>,
    /// Languages spoken (`ja`, `en`), best first. Empty: any.
    pub languages: Vec<String>,
    /// How the phone is told to answer by itself.
    pub auto_answer: AutoAnswer,
    /// RTP from any address may be locked on to (a phone behind NAT).
    pub nat: bool,
}

/// Headers that make a phone answer by itself; phones differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoAnswer {
    /// `Call-Info: <…>;answer-after=0` and `Alert-Info: info=alert-autoanswer`.
    Both,
    /// Only Call-Info.
    CallInfo,
    /// Only Alert-Info.
    AlertInfo,
    /// None: the agent picks up.
    Off,
}
