//! `[[agent]]`: people and the phones on their desks.

use std::net::SocketAddr;

use crate::config::file::Field;
use crate::config::file::Section;
use crate::config::host;
use crate::config::host::HostPort;
use crate::config::messages;
use crate::config::trunk::unique;
use crate::logic::settings::AgentSettings;
use crate::logic::settings::AutoAnswer;

/// An agent whose phone may still be a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentFile {
    /// Unique name.
    pub name: String,
    /// The phone's SIP URI.
    pub uri: String,
    /// Where its INVITE goes: `peer`, or the host of the URI.
    pub host: HostPort,
    /// Campaigns may ask for these.
    pub skills: Vec<String>,
    /// Languages spoken, best first.
    pub languages: Vec<String>,
    /// How the phone is told to answer by itself.
    pub auto_answer: AutoAnswer,
    /// RTP from any address may be locked on to.
    pub nat: bool,
}

impl AgentFile {
    /// The agent with the address of the phone.
    #[must_use]
    pub fn with_peer(&self, peer: SocketAddr) -> AgentSettings {
        AgentSettings {
            name: self.name.clone(),
            uri: self.uri.clone(),
            peer,
            skills: self.skills.clone(),
            languages: self.languages.clone(),
            auto_answer: self.auto_answer,
            nat: self.nat,
        }
    }
}

/// One agent, whose name is none of `taken`.
pub(super) fn agent(section: &Section<'_>, taken: &[String]) -> Option<AgentFile> {
    let name = section.need("name", "the agent's name").and_then(|field| unique(&field, taken));
    let uri = section.need("uri", "the SIP URI of the phone").and_then(|field| uri(&field));
    let peer = section.get("peer").map(|field| host::host_port(&field));
    let word = |field: &Field<'_>| field.line(64);
    let skills = section.get("skills").map(|field| field.list(word)).unwrap_or_default();
    let languages = section
        .get("languages")
        .map(|field| field.list(|item| messages::language(item, item.text()?)))
        .unwrap_or_default();
    let auto_answer = section.get("auto_answer").and_then(|field| field.choice(&AUTO_ANSWER));
    let nat = section.get("nat").and_then(|field| field.flag()).unwrap_or(false);
    section.finish();
    let (uri, of_uri) = uri?;
    Some(AgentFile {
        name: name?,
        uri,
        host: peer.unwrap_or(Some(of_uri))?,
        skills,
        languages,
        auto_answer: auto_answer.unwrap_or(AutoAnswer::Both),
        nat,
    })
}

/// `sip:1001@192.0.2.7:5060`, without headers; parameters stay in the URI.
fn uri(field: &Field<'_>) -> Option<(String, HostPort)> {
    let expected = "a SIP URI such as \"sip:1001@192.0.2.7\"";
    let advice = "write sip:, the user, @, and the host; sips and tls are not built yet";
    let ((host, port), text) = field.parse(expected, advice, |text| {
        let rest = text.strip_prefix("sip:")?;
        let (user, rest) = rest.split_once('@')?;
        let user_fits = !user.is_empty() && user.bytes().all(is_user_byte);
        let host = rest.split(';').next()?;
        let plain = rest.bytes().all(|b| b.is_ascii_graphic() && !b"?<>\"@,".contains(&b));
        let read = host::split(host)?;
        (user_fits && plain && text.len() <= 200).then(|| (read, text.to_owned()))
    })?;
    let (line, column) = field.place();
    Some((text, HostPort { host, port, line, column }))
}

/// `user` of RFC 3261 §25.1, without escapes.
fn is_user_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&b)
}

const AUTO_ANSWER: [(&str, AutoAnswer); 4] = [
    ("both", AutoAnswer::Both),
    ("call-info", AutoAnswer::CallInfo),
    ("alert-info", AutoAnswer::AlertInfo),
    ("off", AutoAnswer::Off),
];
