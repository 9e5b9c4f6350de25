//! Digest access authentication, both sides (RFC 3261 §22, RFC 7616, RFC 8760), and the keyed hash behind Call-IDs,
//! tags and branches.
//!
//! No randomness: the client's nonce is handed in, best made with [`KeyedHash::token`].
//!
//! ```
//! use outdial::logic::sip::digest::{Challenge, DigestRequest, DigestSession};
//! use outdial::logic::sip::message::{Message, name};
//!
//! let mut refusal = Message::response(407, "");
//! refusal.push(name::PROXY_AUTHENTICATE, r#"Digest realm="trunk", nonce="n1", qop="auth,auth-int""#);
//! refusal.push(name::PROXY_AUTHENTICATE, r#"Digest realm="trunk", nonce="n2", algorithm=SHA-256, qop="auth""#);
//! let mut sessions: Vec<_> = Challenge::choose(&refusal.challenges())
//!     .into_iter()
//!     .map(|challenge| DigestSession::new(challenge, "client-nonce"))
//!     .collect();
//! let request = DigestRequest {
//!     username: "line1", password: "secret", method: "INVITE", uri: "sip:1@trunk", body: b"",
//! };
//! let answer = sessions[0].authorize(&request).to_string();
//! assert!(answer.starts_with(r#"Digest username="line1", realm="trunk", nonce="n2", uri="sip:1@trunk", "#));
//! ```

use std::fmt;

use hmac::Hmac;
use hmac::KeyInit as _;
use hmac::Mac as _;
use md5::Md5;
use sha2::Digest;
use sha2::Sha256;
use sha2::Sha512_256;

use crate::logic::sip::message::AuthValue;

/// What a server asks for: one Digest challenge that we can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Names the password that is wanted.
    pub realm: String,
    /// The server's nonce.
    pub nonce: String,
    /// To be sent back as it is.
    pub opaque: Option<String>,
    /// The last nonce was too old, the password may be right (RFC 7616 §3.3): try again without giving up.
    pub stale: bool,
    /// The hash.
    pub algorithm: Algorithm,
    /// What is protected.
    pub qop: QopOffer,
}

/// The hash, from weak to strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// `MD5`, also when none is named.
    Md5,
    /// `MD5-sess`.
    Md5Sess,
    /// `SHA-256` (RFC 7616, RFC 8760).
    Sha256,
    /// `SHA-256-sess`.
    Sha256Sess,
    /// `SHA-512-256`.
    Sha512Half,
    /// `SHA-512-256-sess`.
    Sha512HalfSess,
}

/// The list of `qop` in a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QopOffer {
    /// No list: RFC 2069.
    None,
    /// `auth`.
    Auth,
    /// `auth-int`: the body is hashed too.
    AuthInt,
    /// Either; we answer with `auth`, since proxies on the way may touch bodies.
    Both,
}

/// What is to be authorised.
#[derive(Clone, Copy)]
pub struct DigestRequest<'a> {
    /// Digest username.
    pub username: &'a str,
    /// Digest password.
    pub password: &'a str,
    /// Method as on the request line.
    pub method: &'a str,
    /// Request-URI as on the request line.
    pub uri: &'a str,
    /// Body bytes; hashed for `auth-int` only.
    pub body: &'a [u8],
}

impl fmt::Debug for DigestRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DigestRequest").field("method", &self.method).finish_non_exhaustive()
    }
}

/// One nonce of a server and how often it was used. Keep it as long as the server accepts the nonce: each answer
/// raises the count, as RFC 7616 §3.4 demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestSession {
    challenge: Challenge,
    cnonce: String,
    count: u32,
}

impl Challenge {
    /// Chooses what to answer: per realm the strongest challenge that we support, the topmost of equals (RFC 8760
    /// §2.4). Several realms stand for several proxies, each wants an answer of its own (RFC 3261 §22.3). Empty when
    /// nothing can be answered.
    #[must_use]
    pub fn choose(challenges: &[AuthValue]) -> Vec<Self> {
        let mut chosen: Vec<Self> = Vec::new();
        for challenge in challenges.iter().filter_map(Self::from_value) {
            let full = chosen.len() == MAX_REALMS;
            match chosen.iter_mut().find(|known| known.realm == challenge.realm) {
                Some(known) if known.algorithm < challenge.algorithm => *known = challenge,
                None if !full => chosen.push(challenge),
                Some(_) | None => {}
            }
        }
        chosen
    }

    /// Reads one challenge; `None` when it is no Digest, lacks realm or nonce, or wants an algorithm or protection that
    /// we do not know. A `-sess` algorithm without qop has no defined client nonce and is refused too.
    #[must_use]
    pub fn from_value(value: &AuthValue) -> Option<Self> {
        if !value.is_digest() {
            return None;
        }
        let algorithm = value.get("algorithm").map_or(Some(Algorithm::Md5), Algorithm::parse)?;
        let qop = value.get("qop").map_or(Some(QopOffer::None), QopOffer::parse)?;
        if algorithm.is_session() && qop == QopOffer::None {
            return None;
        }
        Some(Self {
            realm: value.get("realm")?.to_owned(),
            nonce: value.get("nonce")?.to_owned(),
            opaque: value.get("opaque").map(str::to_owned),
            stale: value.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            algorithm,
            qop,
        })
    }

    /// The value of WWW-Authenticate or Proxy-Authenticate, for the server side.
    #[must_use]
    pub fn to_value(&self) -> AuthValue {
        let mut value = AuthValue::new("Digest")
            .quoted("realm", &self.realm)
            .quoted("nonce", &self.nonce)
            .token("algorithm", self.algorithm.as_str());
        if let Some(qop) = self.qop.as_str() {
            value = value.quoted("qop", qop);
        }
        if let Some(opaque) = &self.opaque {
            value = value.quoted("opaque", opaque);
        }
        if self.stale { value.token("stale", "true") } else { value }
    }

    /// Server side: whether `answer` proves the password.
    ///
    /// Returns the nonce count, which must be higher than the last one of this nonce (0 without qop). The caller
    /// compares `uri` with the Request-URI if it cares.
    ///
    /// # Errors
    /// [`AuthRefusal`]; on `OtherNonce` challenge again with `stale`.
    pub fn verify(
        &self,
        answer: &AuthValue,
        password: &str,
        method: &str,
        body: &[u8],
    ) -> Result<u32, AuthRefusal> {
        let get = |name| answer.get(name).ok_or(AuthRefusal::Incomplete(name));
        let algorithm = answer.get("algorithm").map_or(Some(Algorithm::Md5), Algorithm::parse);
        if !answer.is_digest() || get("realm")? != self.realm || algorithm != Some(self.algorithm) {
            return Err(AuthRefusal::OtherChallenge);
        }
        if get("nonce")? != self.nonce {
            return Err(AuthRefusal::OtherNonce);
        }
        let qop = answer.get("qop").map(|qop| qop.to_ascii_lowercase());
        let protection = match (qop.as_deref(), self.qop) {
            (None, QopOffer::None) => None,
            (Some("auth"), QopOffer::Auth | QopOffer::Both) => Some(Protection::Auth),
            (Some("auth-int"), QopOffer::AuthInt | QopOffer::Both) => Some(Protection::AuthInt),
            (None | Some(_), _) => return Err(AuthRefusal::OtherChallenge),
        };
        let (cnonce, nc) =
            if protection.is_some() { (get("cnonce")?, get("nc")?) } else { ("", "") };
        let request =
            DigestRequest { username: get("username")?, password, method, uri: get("uri")?, body };
        let expected = self.response(&request, protection, cnonce, nc);
        if !same(expected.as_bytes(), get("response")?.to_ascii_lowercase().as_bytes()) {
            return Err(AuthRefusal::WrongResponse);
        }
        if protection.is_none() {
            return Ok(0);
        }
        u32::from_str_radix(nc, 16).map_err(|_| AuthRefusal::Incomplete("nc"))
    }

    fn response(
        &self,
        request: &DigestRequest<'_>,
        protection: Option<Protection>,
        cnonce: &str,
        nc: &str,
    ) -> String {
        let hash = |text: &str| self.algorithm.hash(text.as_bytes());
        let DigestRequest { username, password, method, uri, body } = request;
        let nonce = &self.nonce;
        let mut ha1 = hash(&format!("{username}:{}:{password}", self.realm));
        if self.algorithm.is_session() {
            ha1 = hash(&format!("{ha1}:{nonce}:{cnonce}"));
        }
        let ha2 = match protection {
            Some(Protection::AuthInt) => {
                hash(&format!("{method}:{uri}:{}", self.algorithm.hash(body)))
            }
            Some(Protection::Auth) | None => hash(&format!("{method}:{uri}")),
        };
        match protection {
            Some(protection) => {
                hash(&format!("{ha1}:{nonce}:{nc}:{cnonce}:{}:{ha2}", protection.as_str()))
            }
            None => hash(&format!("{ha1}:{nonce}:{ha2}")),
        }
    }
}

impl DigestSession {
    /// Starts with a nonce count of zero. `cnonce` is any text that the server cannot foresee and that differs per
    /// nonce; it stays the same for the life of the nonce, as the `-sess` algorithms need it.
    #[must_use]
    pub fn new(challenge: Challenge, cnonce: &str) -> Self {
        Self { challenge, cnonce: cnonce.to_owned(), count: 0 }
    }

    /// The challenge being answered.
    #[must_use]
    pub const fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// The next value of Authorization (after 401) or Proxy-Authorization (after 407); uses up one nonce count.
    pub fn authorize(&mut self, request: &DigestRequest<'_>) -> AuthValue {
        let Challenge { realm, nonce, opaque, algorithm, qop, .. } = &self.challenge;
        self.count = self.count.saturating_add(1);
        let protection = match qop {
            QopOffer::None => None,
            QopOffer::Auth | QopOffer::Both => Some(Protection::Auth),
            QopOffer::AuthInt => Some(Protection::AuthInt),
        };
        let nc = format!("{:08x}", self.count);
        let response = self.challenge.response(request, protection, &self.cnonce, &nc);
        let mut value = AuthValue::new("Digest")
            .quoted("username", request.username)
            .quoted("realm", realm)
            .quoted("nonce", nonce)
            .quoted("uri", request.uri)
            .quoted("response", &response)
            .token("algorithm", algorithm.as_str());
        if let Some(opaque) = opaque {
            value = value.quoted("opaque", opaque);
        }
        if let Some(protection) = protection {
            value = value.token("qop", protection.as_str());
            value = value.quoted("cnonce", &self.cnonce).token("nc", &nc);
        }
        value
    }
}

/// Why the server side refuses an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthRefusal {
    /// Another realm, algorithm or protection than was asked for.
    #[error("the answer is to another challenge")]
    OtherChallenge,
    /// Another nonce: challenge again with `stale=true`.
    #[error("the answer is to another nonce")]
    OtherNonce,
    /// The named parameter is missing or unreadable.
    #[error("the answer lacks a proper {0}")]
    Incomplete(&'static str),
    /// Wrong password, or a request changed on the way.
    #[error("the response does not fit the password and the request")]
    WrongResponse,
}

impl Algorithm {
    fn parse(text: &str) -> Option<Self> {
        ALGORITHMS.iter().find(|known| known.as_str().eq_ignore_ascii_case(text)).copied()
    }

    /// The token of RFC 7616 §6.1.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
            Self::Sha512Half => "SHA-512-256",
            Self::Sha512HalfSess => "SHA-512-256-sess",
        }
    }

    const fn is_session(self) -> bool {
        match self {
            Self::Md5Sess | Self::Sha256Sess | Self::Sha512HalfSess => true,
            Self::Md5 | Self::Sha256 | Self::Sha512Half => false,
        }
    }

    fn hash(self, bytes: &[u8]) -> String {
        match self {
            Self::Md5 | Self::Md5Sess => hex(&Md5::digest(bytes)),
            Self::Sha256 | Self::Sha256Sess => hex(&Sha256::digest(bytes)),
            Self::Sha512Half | Self::Sha512HalfSess => hex(&Sha512_256::digest(bytes)),
        }
    }
}

impl QopOffer {
    /// `None` for a list that holds nothing we know.
    fn parse(list: &str) -> Option<Self> {
        let has = |word: &str| list.split(',').any(|item| item.trim().eq_ignore_ascii_case(word));
        match (has("auth"), has("auth-int")) {
            (true, true) => Some(Self::Both),
            (true, false) => Some(Self::Auth),
            (false, true) => Some(Self::AuthInt),
            // An empty list is seen in the field and means none.
            (false, false) if list.trim().is_empty() => Some(Self::None),
            (false, false) => None,
        }
    }

    const fn as_str(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Auth => Some("auth"),
            Self::AuthInt => Some("auth-int"),
            Self::Both => Some("auth,auth-int"),
        }
    }
}

/// The qop of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protection {
    Auth,
    AuthInt,
}

impl Protection {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }
}

/// HMAC-SHA-256 with the installation's secret: the same leg always has the same Call-ID, tags and branches, so that a
/// restart can end it, and nobody outside can foresee them.
#[derive(Clone)]
pub struct KeyedHash(Hmac<Sha256>);

impl KeyedHash {
    /// `secret` of any length; 32 random bytes are best.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        // HMAC takes keys of any length; the other arm cannot be reached.
        Hmac::new_from_slice(secret).map_or_else(|_| Self(Hmac::new(&Default::default())), Self)
    }

    /// A token of lower-case letters and digits 2-7, which stays unique where case does not count.
    ///
    /// `label` says what it is for (`call-id`, `branch-2`); `number` is the leg or whatever else has a number; `length`
    /// is at most 51 characters of 5 bits each (20 are 100 bits).
    #[must_use]
    pub fn token(&self, boot: u64, number: i64, label: &str, length: usize) -> String {
        let mut mac = self.0.clone();
        // Fixed widths first, so that no two inputs run together into the same bytes.
        mac.update(&boot.to_be_bytes());
        mac.update(&number.to_be_bytes());
        mac.update(label.as_bytes());
        base32(&mac.finalize().into_bytes(), length.min(MAX_TOKEN))
    }
}

impl fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedHash(****)")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for digit in [byte >> 4, byte & 0x0f] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
        text
    })
}

/// RFC 4648 §6 in lower case, without padding, the first `length` characters.
fn base32(bytes: &[u8], length: usize) -> String {
    let mut text = String::with_capacity(length);
    let (mut pool, mut bits) = (0u32, 0u32);
    for &byte in bytes {
        pool = (pool << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 && text.len() < length {
            bits -= 5;
            let five = u8::try_from((pool >> bits) & 31).unwrap_or(0);
            text.push(char::from(if five < 26 { b'a' + five } else { b'2' + five - 26 }));
        }
        pool &= (1 << bits) - 1;
        if text.len() == length {
            break;
        }
    }
    text
}

/// Equal, in a time that does not tell where the first difference is.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |diff, (a, b)| diff | (a ^ b)) == 0
}

const ALGORITHMS: &[Algorithm] = &[
    Algorithm::Md5,
    Algorithm::Md5Sess,
    Algorithm::Sha256,
    Algorithm::Sha256Sess,
    Algorithm::Sha512Half,
    Algorithm::Sha512HalfSess,
];

/// More proxies on one way than any trunk has.
const MAX_REALMS: usize = 4;

/// 256 bits make 51 whole characters.
const MAX_TOKEN: usize = 51;

#[cfg(test)]
mod tests;
