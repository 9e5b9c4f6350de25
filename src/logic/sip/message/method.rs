//! Methods and status codes: `rsip` holds the known ones, we hold the rest.

use std::fmt;

use super::syntax::is_token;

/// A request method. Case counts: `Invite` is not `INVITE` (RFC 3261 §7.1).
///
/// Match on the constants; the rest is one arm:
///
/// ```
/// use outdial::logic::sip::message::Method;
///
/// let allowed = match Method::parse("INVITE").unwrap() {
///     Method::INVITE | Method::BYE => true,
///     Method::Known(_) | Method::Other(_) => false,
/// };
/// assert!(allowed);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum Method {
    /// One that `rsip` knows; see the constants.
    Known(rsip::Method),
    /// Any other token.
    Other(String),
}

impl Method {
    /// RFC 3261.
    pub const INVITE: Self = Self::Known(rsip::Method::Invite);
    /// RFC 3261.
    pub const ACK: Self = Self::Known(rsip::Method::Ack);
    /// RFC 3261.
    pub const BYE: Self = Self::Known(rsip::Method::Bye);
    /// RFC 3261.
    pub const CANCEL: Self = Self::Known(rsip::Method::Cancel);
    /// RFC 3261.
    pub const OPTIONS: Self = Self::Known(rsip::Method::Options);
    /// RFC 3261.
    pub const REGISTER: Self = Self::Known(rsip::Method::Register);
    /// RFC 6086.
    pub const INFO: Self = Self::Known(rsip::Method::Info);
    /// RFC 3311.
    pub const UPDATE: Self = Self::Known(rsip::Method::Update);
    /// RFC 3262.
    pub const PRACK: Self = Self::Known(rsip::Method::PRack);
    /// RFC 3428.
    pub const MESSAGE: Self = Self::Known(rsip::Method::Message);
    /// RFC 6665.
    pub const NOTIFY: Self = Self::Known(rsip::Method::Notify);
    /// RFC 6665.
    pub const SUBSCRIBE: Self = Self::Known(rsip::Method::Subscribe);
    /// RFC 3515.
    pub const REFER: Self = Self::Known(rsip::Method::Refer);
    /// RFC 3903.
    pub const PUBLISH: Self = Self::Known(rsip::Method::Publish);

    /// Any token (RFC 3261 §25.1); `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if !is_token(text) {
            return None;
        }
        let known = KNOWN.iter().find(|(name, _)| *name == text);
        Some(known.map_or_else(|| Self::Other(text.to_owned()), |(_, method)| method.clone()))
    }

    /// The name as written on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(name) => name,
            Self::Known(_) => {
                KNOWN.iter().find(|(_, method)| method == self).map_or("", |(name, _)| *name)
            }
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The usual reason phrase, such as `Busy Here` for 486; `Unknown` for a code without one. Phrases are for people only
/// (RFC 3261 §7.2).
#[must_use]
pub fn reason_phrase(status: u16) -> String {
    let code = rsip::StatusCode::from(status);
    if matches!(code, rsip::StatusCode::Other(..)) {
        return "Unknown".to_owned();
    }
    // `rsip` has the names in camel case only: `486 BusyHere`.
    let shown = code.to_string();
    let name = shown.split_once(' ').map_or("", |(_, name)| name);
    let mut phrase = String::with_capacity(name.len() + 8);
    let mut after_lower = false;
    for c in name.chars() {
        if after_lower && c.is_ascii_uppercase() {
            phrase.push(' ');
        }
        after_lower = c.is_ascii_lowercase();
        phrase.push(c);
    }
    phrase
}

const KNOWN: &[(&str, Method)] = &[
    ("INVITE", Method::INVITE),
    ("ACK", Method::ACK),
    ("BYE", Method::BYE),
    ("CANCEL", Method::CANCEL),
    ("OPTIONS", Method::OPTIONS),
    ("REGISTER", Method::REGISTER),
    ("INFO", Method::INFO),
    ("UPDATE", Method::UPDATE),
    ("PRACK", Method::PRACK),
    ("MESSAGE", Method::MESSAGE),
    ("NOTIFY", Method::NOTIFY),
    ("SUBSCRIBE", Method::SUBSCRIBE),
    ("REFER", Method::REFER),
    ("PUBLISH", Method::PUBLISH),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_rsip_knows_has_a_name_and_a_constant() {
        for method in rsip::Method::all() {
            let ours = Method::Known(method);
            assert_eq!(ours.as_str(), method.to_string());
            assert_eq!(Method::parse(ours.as_str()), Some(ours));
        }
    }

    #[test]
    fn methods_differ_by_case() {
        assert_eq!(Method::parse("Invite"), Some(Method::Other("Invite".into())));
        assert_eq!(Method::parse("IN VITE"), None);
        assert_eq!(Method::parse(""), None);
    }

    #[test]
    fn reason_phrases_are_readable() {
        assert_eq!(reason_phrase(200), "OK");
        assert_eq!(reason_phrase(486), "Busy Here");
        assert_eq!(reason_phrase(404), "Not Found");
        assert_eq!(reason_phrase(299), "Unknown");
    }
}
