//! SIP messages: bytes to [`Message`] and back, and typed readers of the headers we act on.
//!
//! The scanner is our own, because `rsip` refuses whole messages of forms that RFC 3261 allows (folded lines, `To :`,
//! IPv6, Latin-1, unknown methods) and spoils binary bodies. `rsip` holds what it holds well: methods and status codes.
//!
//! ```
//! use outdial::logic::sip::message::{Message, Method, name};
//!
//! let datagram = b"OPTIONS sip:us SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\nf: <sip:a@b>;tag=1\r\n\
//!                  To : sip:us\r\ni: 7@b\r\nCSeq: 3 OPTIONS\r\n\r\n";
//! let request = Message::parse(datagram).unwrap();
//! let core = request.core().unwrap();
//! assert_eq!(core.cseq.method, Method::OPTIONS);
//! assert_eq!(core.via.branch(), Some("z9hG4bK1"));
//!
//! let mut reply = request.reply(200, Some("our-tag"));
//! reply.push(name::ALLOW, "INVITE, ACK, CANCEL, BYE, OPTIONS");
//! assert!(reply.to_bytes().starts_with(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"));
//! ```
//!
//! | file | idea |
//! |---|---|
//! | `parse`, `print` | framing: start line, header lines, body |
//! | `name` | header names as constants; compact forms |
//! | `syntax` | tokens, quoted strings, lists, parameters |
//! | `uri`, `name_addr`, `via`, `auth`, `method` | values with a form of their own |
//! | `mandatory` | Via, From, To, Call-ID and CSeq, read and checked together |
//! | `readers` | every other header |

mod auth;
mod mandatory;
mod method;
pub mod name;
mod name_addr;
mod parse;
mod print;
mod readers;
mod syntax;
mod uri;
mod via;

use std::borrow::Cow;
use std::fmt;

pub use auth::AuthValue;
pub use mandatory::BadHeader;
pub use mandatory::CSeq;
pub use mandatory::Core;
pub use method::Method;
pub use method::reason_phrase;
pub use name_addr::Contacts;
pub use name_addr::NameAddr;
pub use parse::MAX_HEADER_LINE;
pub use parse::MAX_HEADERS;
pub use parse::MAX_MESSAGE;
pub use readers::RAck;
pub use readers::Reason;
pub use readers::Refresher;
pub use readers::SessionExpires;
pub use syntax::Params;
pub(crate) use syntax::is_token;
pub use uri::BadUri;
pub use uri::Host;
pub use uri::SipUri;
pub use uri::Uri;
pub use uri::unescape;
pub use via::DEFAULT_PORT;
pub use via::MAGIC_COOKIE;
pub use via::Via;

/// One request or response.
///
/// Header names are kept in their usual long form (`v` is stored as `Via`), values without line folds, control
/// characters and outer spaces. Content-Length is no stored header: it is checked when parsing and written when
/// printing. `parse(print(m)) == m` for every `m`.
///
/// `Debug` shows the start and the Call-ID only: headers and body hold phone numbers and credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Request line or status line.
    pub start: Start,
    headers: Vec<(Cow<'static, str>, String)>,
    /// Any bytes.
    pub body: Vec<u8>,
}

/// The first line.
#[derive(Clone, PartialEq, Eq)]
pub enum Start {
    /// `INVITE sip:… SIP/2.0`.
    Request {
        /// The method.
        method: Method,
        /// The Request-URI as written; read it with [`Message::request_uri`].
        uri: String,
    },
    /// `SIP/2.0 180 Ringing`.
    Response {
        /// 100..=699.
        status: u16,
        /// For people only; may be empty.
        reason: String,
    },
}

/// Why bytes are no message. Such a datagram is dropped and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum MalformedMessage {
    /// More than [`MAX_MESSAGE`] bytes.
    #[error("a datagram of more than {MAX_MESSAGE} bytes")]
    TooLarge,
    /// Nothing but line ends: a keep-alive (RFC 5626 §4.4.1), harmless.
    #[error("an empty datagram (a keep-alive)")]
    Empty,
    /// Neither a request line nor a status line.
    #[error("the first line is neither a request nor a status of SIP")]
    StartLine,
    /// A SIP version other than 2.0.
    #[error("a SIP version other than 2.0")]
    Version,
    /// A line without a colon or with a name that is no token.
    #[error("a header line without a proper name")]
    HeaderLine,
    /// More than [`MAX_HEADERS`].
    #[error("more than {MAX_HEADERS} headers")]
    TooManyHeaders,
    /// A header or start line of more than [`MAX_HEADER_LINE`] bytes.
    #[error("a header of more than {MAX_HEADER_LINE} bytes")]
    HeaderTooLong,
    /// The empty line after the headers is missing: cut off on the way.
    #[error("the headers have no end: the datagram was cut off")]
    NoEndOfHeaders,
    /// Content-Length is no number, or two of them differ.
    #[error("Content-Length is no number, or given twice with different values")]
    ContentLength,
    /// Fewer body bytes than Content-Length says (RFC 3261 §18.3).
    #[error("the body is shorter than Content-Length: the datagram was cut off")]
    BodyTooShort,
}

impl Message {
    /// Reads one datagram (RFC 3261 §7, §18.3).
    ///
    /// Forgiven: empty lines before the start line, bare LF, folded headers, spaces before the colon, compact names,
    /// unknown methods and headers, bytes that are not UTF-8 (the header is read as Latin-1 then), bytes beyond
    /// Content-Length (cut), no Content-Length (the body goes to the end).
    ///
    /// # Errors
    /// [`MalformedMessage`]. Only framing is judged here; [`Message::core`] judges the headers every message needs.
    pub fn parse(datagram: &[u8]) -> Result<Self, MalformedMessage> {
        parse::parse(datagram)
    }

    /// The bytes to send; Content-Length is added.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        print::print(self)
    }

    /// A request without headers.
    #[must_use]
    pub fn request(method: Method, uri: impl Into<String>) -> Self {
        Self::with_start(Start::Request { method, uri: uri.into() })
    }

    /// A response without headers; an empty `reason` stands for the usual phrase. See [`Message::reply`] for one that
    /// answers a request.
    #[must_use]
    pub fn response(status: u16, reason: &str) -> Self {
        let reason = if reason.is_empty() { reason_phrase(status) } else { syntax::clean(reason) };
        Self::with_start(Start::Response { status, reason })
    }

    /// A response to this request, with what RFC 3261 §8.2.6 copies: every Via, From, To, Call-ID, CSeq, and for 100
    /// the Timestamp. `to_tag` is added to To unless the request has one there already.
    #[must_use]
    pub fn reply(&self, status: u16, to_tag: Option<&str>) -> Self {
        let mut reply = Self::response(status, "");
        for (name, value) in &self.headers {
            let copied = [name::VIA, name::FROM, name::CALL_ID, name::CSEQ]
                .contains(&name.as_ref())
                || (status == 100 && name == name::TIMESTAMP);
            if copied {
                reply.headers.push((name.clone(), value.clone()));
            } else if name == name::TO {
                let tagged = NameAddr::parse(value).is_some_and(|to| to.tag().is_some());
                let value = match to_tag {
                    Some(tag) if !tagged => format!("{value};tag={tag}"),
                    Some(_) | None => value.clone(),
                };
                reply.headers.push((name.clone(), value));
            }
        }
        reply
    }

    /// Adds a header behind the others. A name that is no token adds nothing, and Content-Length is the printer's.
    pub fn push(&mut self, name: &str, value: impl AsRef<str>) -> &mut Self {
        if let Some(header) = header(name, value.as_ref()) {
            self.headers.push(header);
        }
        self
    }

    /// Adds a header before the others: where Via goes.
    pub fn push_front(&mut self, name: &str, value: impl AsRef<str>) -> &mut Self {
        if let Some(header) = header(name, value.as_ref()) {
            self.headers.insert(0, header);
        }
        self
    }

    /// Replaces all headers of this name by one, at the place of the first.
    pub fn set(&mut self, name: &str, value: impl AsRef<str>) -> &mut Self {
        let place = self.headers.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
        self.remove(name);
        if let Some(header) = header(name, value.as_ref()) {
            self.headers.insert(place.unwrap_or(self.headers.len()), header);
        }
        self
    }

    /// Takes all headers of this name away.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// Sets the body and its Content-Type.
    pub fn set_body(&mut self, content_type: &str, body: Vec<u8>) -> &mut Self {
        self.set(name::CONTENT_TYPE, content_type);
        self.body = body;
        self
    }

    /// The value of the first header of this (long) name.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of all headers of this (long) name, one per header line, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The items of all headers of this name, split at commas outside quotes and brackets.
    pub fn items(&self, name: &str) -> impl Iterator<Item = &str> {
        self.all(name).flat_map(|value| syntax::split_list(value, ','))
    }

    /// Every header in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_ref(), value.as_str()))
    }

    /// The method of a request; `None` for a response.
    #[must_use]
    pub const fn method(&self) -> Option<&Method> {
        match &self.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// The status of a response; `None` for a request.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self.start {
            Start::Request { .. } => None,
            Start::Response { status, .. } => Some(status),
        }
    }

    /// The Request-URI, read.
    ///
    /// # Errors
    /// [`BadUri`] when it cannot be read, or the message is a response. Answer such a request with 400, or 416 when
    /// only its scheme is strange.
    pub fn request_uri(&self) -> Result<Uri, BadUri> {
        match &self.start {
            Start::Request { uri, .. } => Uri::parse(uri),
            Start::Response { .. } => Err(BadUri("a response has none")),
        }
    }

    fn with_start(start: Start) -> Self {
        Self { start, headers: Vec::with_capacity(USUAL_HEADERS), body: Vec::new() }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} Call-ID {:?}", self.start, self.first(name::CALL_ID))?;
        write!(f, " ({} headers, {} body bytes)", self.headers.len(), self.body.len())
    }
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { method, .. } => write!(f, "{method}"),
            Self::Response { status, reason } => write!(f, "{status} {reason}"),
        }
    }
}

fn header(name: &str, value: &str) -> Option<(Cow<'static, str>, String)> {
    let name = name::canonical(name);
    (is_token(&name) && name != name::CONTENT_LENGTH).then(|| (name, syntax::clean(value)))
}

/// Room for the headers of an INVITE of ours; with more the list grows.
const USUAL_HEADERS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_smuggle_in_a_header() {
        let mut message = Message::request(Method::OPTIONS, "sip:a@b");
        message.push("X-Note", "one\r\nVia: evil").push("Bad Name", "x").push("l", "99");
        let shown = String::from_utf8(message.to_bytes()).unwrap();
        assert_eq!(
            shown,
            "OPTIONS sip:a@b SIP/2.0\r\nX-Note: one  Via: evil\r\nContent-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn set_keeps_the_place_and_leaves_one() {
        let mut message = Message::response(200, "");
        message.push("X-A", "1").push("b", "x").push("c", "type").push("x-a", "3");
        message.set("X-a", "9");
        let all: Vec<_> = message.headers().collect();
        assert_eq!(all, [("X-a", "9"), ("Referred-By", "x"), ("Content-Type", "type")]);
    }

    #[test]
    fn a_reply_copies_what_the_rfc_says_and_adds_one_tag() {
        let mut request = Message::request(Method::INVITE, "sip:a@b");
        request.push("Via", "SIP/2.0/UDP one").push("Via", "SIP/2.0/UDP two");
        request.push("From", "<sip:x@y>;tag=f").push("To", "sip:a@b").push("Call-ID", "c");
        request.push("CSeq", "1 INVITE").push("Subject", "no").push("Timestamp", "5");
        let reply = request.reply(180, Some("t"));
        let names: Vec<_> = reply.headers().map(|(name, _)| name).collect();
        assert_eq!(names, ["Via", "Via", "From", "To", "Call-ID", "CSeq"]);
        assert_eq!(reply.first("To"), Some("sip:a@b;tag=t"));
        assert_eq!(request.reply(100, None).first("Timestamp"), Some("5"));
        request.set("To", "<sip:a@b>;tag=old");
        assert_eq!(request.reply(200, Some("t")).first("To"), Some("<sip:a@b>;tag=old"));
    }

    #[test]
    fn debug_shows_nobody() {
        let mut request = Message::request(Method::INVITE, "sip:+8190@b");
        request.push("To", "<sip:+8190@b>").push("Call-ID", "c1");
        assert_eq!(
            format!("{request:?}"),
            r#"INVITE Call-ID Some("c1") (2 headers, 0 body bytes)"#
        );
    }
}
