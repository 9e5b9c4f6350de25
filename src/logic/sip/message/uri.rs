//! SIP, SIPS and tel URIs (RFC 3261 §19.1, RFC 3966), and hosts.

use std::fmt;
use std::net::IpAddr;
use std::net::Ipv6Addr;

use super::syntax::Params;

/// A URI as far as we act on it. `Display` writes it back; `Debug` hides the user.
#[derive(Clone, PartialEq, Eq)]
pub enum Uri {
    /// `sip:` or `sips:`.
    Sip(SipUri),
    /// `tel:`: the number as written, and its parameters.
    Tel {
        /// With visual separators, as written.
        number: String,
        /// Such as `phone-context`.
        params: Params,
    },
    /// Any other scheme; nothing is known about the rest.
    Other {
        /// Lower case.
        scheme: String,
        /// What follows the colon.
        rest: String,
    },
}

/// `sip:user@host:port;params?headers`.
#[derive(Clone, PartialEq, Eq)]
pub struct SipUri {
    /// `sips:`.
    pub secure: bool,
    /// As written, escapes and password included.
    pub user: Option<String>,
    /// Where it is.
    pub host: Host,
    /// `None`: the default of the transport.
    pub port: Option<u16>,
    /// Such as `transport`, `lr`, `user`.
    pub params: Params,
    /// What follows the question mark, as written.
    pub headers: Option<String>,
}

/// A host name or address literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// An address; IPv6 is written in brackets.
    Ip(IpAddr),
    /// Anything else that looks like a host name.
    Name(String),
}

/// The text is no URI that we can act on. The text itself is kept out: it may hold a phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a URI: {0}; expected something like sip:name@host:5060")]
pub struct BadUri(pub(super) &'static str);

impl Uri {
    /// Reads a URI without angle brackets.
    ///
    /// # Errors
    /// [`BadUri`] for a text without a scheme, with spaces or brackets around it, or a SIP URI without a usable host.
    pub fn parse(text: &str) -> Result<Self, BadUri> {
        if text.contains(|c: char| c.is_whitespace() || c == '<' || c == '>' || c == '"') {
            return Err(BadUri("it has spaces, quotes or angle brackets"));
        }
        let (scheme, rest) = text.split_once(':').ok_or(BadUri("it has no scheme"))?;
        let letters = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        if !letters || !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(BadUri("its scheme is no word"));
        }
        match scheme.to_ascii_lowercase().as_str() {
            "sip" => SipUri::parse(false, rest).map(Self::Sip),
            "sips" => SipUri::parse(true, rest).map(Self::Sip),
            "tel" => {
                let (number, params) = rest.split_once(';').unwrap_or((rest, ""));
                if number.is_empty() {
                    return Err(BadUri("it has no number"));
                }
                let params = Params::parse(params).ok_or(BadUri("its parameters are garbled"))?;
                Ok(Self::Tel { number: number.to_owned(), params })
            }
            other => Ok(Self::Other { scheme: other.to_owned(), rest: rest.to_owned() }),
        }
    }

    /// Whom it names: the user of a SIP URI without escapes, password and user parameters, or the number of a tel URI.
    #[must_use]
    pub fn user(&self) -> Option<String> {
        match self {
            Self::Sip(sip) => {
                let user = sip.user.as_deref()?;
                let user = user.split_once(':').map_or(user, |(user, _password)| user);
                let user = user.split_once(';').map_or(user, |(user, _params)| user);
                Some(unescape(user))
            }
            Self::Tel { number, .. } => Some(number.clone()),
            Self::Other { .. } => None,
        }
    }

    /// The SIP or SIPS URI, if it is one.
    #[must_use]
    pub const fn as_sip(&self) -> Option<&SipUri> {
        match self {
            Self::Sip(sip) => Some(sip),
            Self::Tel { .. } | Self::Other { .. } => None,
        }
    }

    /// The scheme in lower case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        match self {
            Self::Sip(sip) if sip.secure => "sips",
            Self::Sip(_) => "sip",
            Self::Tel { .. } => "tel",
            Self::Other { scheme, .. } => scheme,
        }
    }
}

impl SipUri {
    fn parse(secure: bool, rest: &str) -> Result<Self, BadUri> {
        // An at sign is escaped everywhere but here, so the first one ends the user (RFC 3261 §25.1); the user itself
        // may hold `;` and `?`.
        let (user, rest) = match rest.split_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        if user.is_some_and(str::is_empty) {
            return Err(BadUri("it has an empty user"));
        }
        let (rest, headers) = match rest.split_once('?') {
            Some((rest, headers)) => (rest, Some(headers.to_owned())),
            None => (rest, None),
        };
        let (host_port, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = Host::parse_with_port(host_port).ok_or(BadUri("its host is unclear"))?;
        let params = Params::parse(params).ok_or(BadUri("its parameters are garbled"))?;
        Ok(Self { secure, user: user.map(str::to_owned), host, port, params, headers })
    }

    /// Whether a proxy at this URI routes loosely (RFC 3261 §16.12).
    #[must_use]
    pub fn is_loose_router(&self) -> bool {
        self.params.has("lr")
    }

    /// Without the headers and the parameters that a Request-URI may not have (RFC 3261 §19.1.1, table 1: `method`).
    #[must_use]
    pub fn as_request_uri(&self) -> Self {
        let mut uri = self.clone();
        uri.headers = None;
        uri.params.remove("method");
        uri
    }
}

impl Host {
    /// Reads a name, an IPv4 address or a bracketed IPv6 address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match Self::parse_with_port(text)? {
            (host, None) => Some(host),
            (_, Some(_)) => None,
        }
    }

    /// Reads `host` or `host:port`; spaces around the colon are forgiven. An IPv6 address needs its brackets
    /// (RFC 5118 §4.4).
    #[must_use]
    pub fn parse_with_port(text: &str) -> Option<(Self, Option<u16>)> {
        let text = text.trim();
        let (host, after) = if let Some(inner) = text.strip_prefix('[') {
            let (address, after) = inner.split_once(']')?;
            (Self::Ip(IpAddr::V6(address.trim().parse::<Ipv6Addr>().ok()?)), after.trim())
        } else {
            let end = text.find(':').unwrap_or(text.len());
            let (name, after) = text.split_at_checked(end)?;
            (Self::parse_name(name.trim())?, after)
        };
        match after.strip_prefix(':') {
            Some(port) => Some((host, Some(port.trim().parse().ok()?))),
            None if after.is_empty() => Some((host, None)),
            None => None,
        }
    }

    /// The address, if it is a literal.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Name(_) => None,
        }
    }

    fn parse_name(name: &str) -> Option<Self> {
        // Underscores are no part of a host name, yet are seen in the field.
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        if name.is_empty() || name.len() > MAX_HOST || !name.bytes().all(fits) {
            return None;
        }
        Some(
            name.parse()
                .map_or_else(|_| Self::Name(name.to_owned()), |v4| Self::Ip(IpAddr::V4(v4))),
        )
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
            Self::Ip(IpAddr::V4(v4)) => write!(f, "{v4}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(sip) => sip.fmt(f),
            Self::Tel { number, params } => write!(f, "tel:{number}{params}"),
            Self::Other { scheme, rest } => write!(f, "{scheme}:{rest}"),
        }
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "sips:" } else { "sip:" })?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        write!(f, "{}", self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)?;
        if let Some(headers) = &self.headers {
            write!(f, "?{headers}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(sip) => sip.fmt_masked(f),
            Self::Tel { .. } => f.write_str("tel:****"),
            Self::Other { scheme, .. } => write!(f, "{scheme}:****"),
        }
    }
}

impl fmt::Debug for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_masked(f)
    }
}

impl SipUri {
    fn fmt_masked(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "sips" } else { "sip" };
        let user = if self.user.is_some() { "****@" } else { "" };
        write!(f, "{scheme}:{user}{}", self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Undoes `%41`. What is not UTF-8 afterwards is read as Latin-1; a broken escape stays as it is.
#[must_use]
pub fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = match after {
            [high, low, ..] if first == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            bytes.push(high << 4 | low);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    super::parse::text_of(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// RFC 1035 §2.3.4.
const MAX_HOST: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    fn sip(text: &str) -> SipUri {
        Uri::parse(text).unwrap().as_sip().unwrap().clone()
    }

    #[test]
    fn uris_are_written_as_they_came() {
        for text in [
            "sip:alice@atlanta.com",
            "sips:alice:secret@atlanta.com:5061;transport=tls?subject=x&to=y%40z",
            "sip:user;par=u%40example.net@example.com",
            "sip:[2001:db8::10]:5070;lr",
            "sip:192.0.2.1;transport=UDP",
            "tel:+81-3-1234-5678;phone-context=+81",
            "urn:service:sos",
        ] {
            assert_eq!(Uri::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn the_user_is_unescaped_and_without_its_password() {
        assert_eq!(Uri::parse("sip:%2B8190:x@h").unwrap().user().unwrap(), "+8190");
        assert_eq!(Uri::parse("sip:a;isub=1@h").unwrap().user().unwrap(), "a");
        assert_eq!(Uri::parse("sip:100%@h").unwrap().user().unwrap(), "100%");
        assert_eq!(Uri::parse("tel:+8190").unwrap().user().unwrap(), "+8190");
        assert_eq!(Uri::parse("sip:h").unwrap().user(), None);
    }

    #[test]
    fn an_ipv6_address_needs_its_brackets() {
        let uri = sip("sip:[2001:db8::10:5070]");
        assert_eq!((uri.host.ip(), uri.port), (Some("2001:db8::10:5070".parse().unwrap()), None));
        assert_eq!(sip("sip:[2001:db8::10]:5070").port, Some(5070));
        assert!(Uri::parse("sip:2001:db8::10").is_err());
        assert!(Uri::parse("sip:[fe80::1%25eth0]").is_err());
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for text in [
            "",
            "alice",
            "<sip:a@b>",
            "sip:",
            "sip:@h",
            "sip:a@h:x",
            "sip:a@h:70000",
            "sip: a@h",
            ":x",
            "tel:",
        ] {
            assert!(Uri::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_plain_uri_is_read_as_rsip_reads_it() {
        // Plain only: rsip takes `a.b@10.0.0.1` whole for a host.
        for text in ["sip:bob@example.com", "sips:bob@10.0.0.1:5061", "sip:example.com:5070;lr"] {
            let theirs = rsip::Uri::try_from(text).unwrap();
            let ours = sip(text);
            assert_eq!(theirs.host().to_string(), ours.host.to_string());
            assert_eq!(theirs.port().map(|port| *port.value()), ours.port);
            assert_eq!(theirs.user(), ours.user.as_deref());
        }
    }

    #[test]
    fn debug_shows_no_number() {
        let shown = format!("{:?}", Uri::parse("sip:+819012345678@192.0.2.1:5070").unwrap());
        assert_eq!(shown, "sip:****@192.0.2.1:5070");
    }
}
