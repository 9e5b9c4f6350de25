//! Via: the way back (RFC 3261 §20.42, RFC 3581).

use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;

use super::syntax::Params;
use super::syntax::is_token;
use super::uri::Host;

/// One hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// `UDP`, `TCP`...; upper case.
    pub transport: String,
    /// Sent-by host.
    pub host: Host,
    /// Sent-by port; `None` means the transport's default.
    pub port: Option<u16>,
    /// `branch`, `received`, `rport`, `maddr`, `ttl` and others.
    pub params: Params,
}

impl Via {
    /// Our own hop over UDP, without its branch: `SIP/2.0/UDP host:port;rport` (RFC 3581 §3).
    #[must_use]
    pub fn udp(sent_by: SocketAddr) -> Self {
        let mut params = Params::default();
        params.set("rport", None);
        Self {
            transport: "UDP".to_owned(),
            host: Host::Ip(sent_by.ip()),
            port: Some(sent_by.port()),
            params,
        }
    }

    /// Reads one hop, spaces anywhere between its parts; `None` when it is garbled.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (protocol, rest) = text.split_once('/')?;
        let (version, rest) = rest.split_once('/')?;
        let rest = rest.trim_start();
        let (transport, rest) = rest.split_once([' ', '\t'])?;
        let sip = protocol.trim().eq_ignore_ascii_case("SIP");
        if !sip || !is_token(version.trim()) || !is_token(transport) {
            return None;
        }
        let (sent_by, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = Host::parse_with_port(sent_by)?;
        let params = Params::parse(params)?;
        Some(Self { transport: transport.to_ascii_uppercase(), host, port, params })
    }

    /// The branch; an empty one counts as none.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }

    /// Whether the branch says that the sender keeps to RFC 3261 (§8.1.1.7), so that it identifies the transaction.
    #[must_use]
    pub fn has_rfc3261_branch(&self) -> bool {
        self.branch().is_some_and(|branch| {
            // The cookie compares without case, as every token does (RFC 3261 §7.3.1).
            branch.len() > MAGIC_COOKIE.len()
                && branch
                    .get(..MAGIC_COOKIE.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(MAGIC_COOKIE))
        })
    }

    /// The `received` address; IPv6 with or without brackets (RFC 5118 §4.5).
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.get("received")?;
        text.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// The port in `rport`; `None` when there is none or it has no value yet.
    #[must_use]
    pub fn rport(&self) -> Option<u16> {
        self.params.get("rport")?.parse().ok()
    }

    /// What a server does on receipt (RFC 3261 §18.2.1, RFC 3581 §4): notes where the request came from.
    ///
    /// `rport` is filled where asked for; `received` is added when sent-by differs from the source, or with `rport`.
    pub fn note_source(&mut self, source: SocketAddr) {
        let asked = self.params.has("rport");
        if asked {
            self.params.set("rport", Some(&source.port().to_string()));
        }
        if asked || self.host != Host::Ip(source.ip()) {
            self.params.set("received", Some(&source.ip().to_string()));
        }
    }

    /// Where a response goes (RFC 3261 §18.2.2, RFC 3581 §4); `None` when only a name is known. `maddr` is not
    /// followed: a stranger could aim our responses with it.
    #[must_use]
    pub fn reply_to(&self) -> Option<SocketAddr> {
        let ip = self.received().or_else(|| self.host.ip())?;
        let port = self.rport().or(self.port).unwrap_or(DEFAULT_PORT);
        Some(SocketAddr::new(ip, port))
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)
    }
}

/// RFC 3261 §8.1.1.7: every branch of this standard starts with it.
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// RFC 3261 §18.1.1, UDP and TCP.
pub const DEFAULT_PORT: u16 = 5060;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_between_the_parts_are_forgiven() {
        let via =
            Via::parse("SIP / 2.0\t/ UDP\t192.0.2.2 : 5070 ;branch = z9hG4bK390skdjuw ; rport")
                .unwrap();
        assert_eq!(via.to_string(), "SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bK390skdjuw;rport");
        assert!(via.has_rfc3261_branch());
        assert_eq!(via.rport(), None);
    }

    #[test]
    fn the_source_is_noted_as_rfc_3581_says() {
        let source: SocketAddr = "203.0.113.9:40000".parse().unwrap();
        let mut asked = Via::parse("SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKx").unwrap();
        asked.note_source(source);
        assert_eq!(asked.reply_to(), Some(source));
        let mut plain = Via::parse("SIP/2.0/UDP host.example;branch=z9hG4bKx").unwrap();
        assert_eq!(plain.reply_to(), None);
        plain.note_source(source);
        assert_eq!(plain.reply_to(), Some("203.0.113.9:5060".parse().unwrap()));
        let mut same = Via::parse("SIP/2.0/UDP 203.0.113.9:5070").unwrap();
        same.note_source(source);
        assert_eq!(same.to_string(), "SIP/2.0/UDP 203.0.113.9:5070");
    }

    #[test]
    fn ipv6_in_received_may_lack_brackets() {
        for text in ["2001:db8::9:255", "[2001:db8::9:255]"] {
            let via = Via::parse(&format!(
                "SIP/2.0/UDP [2001:db8::9:1];received={text};branch=z9hG4bKas3"
            ))
            .unwrap();
            assert_eq!(via.received(), Some("2001:db8::9:255".parse().unwrap()));
        }
    }

    #[test]
    fn garbled_hops_are_refused() {
        for text in
            ["", "SIP/2.0/UDP", "HTTP/1.1/TCP h", "SIP/2.0/UDP ;branch=x", "SIP/2.0/UDP h:p"]
        {
            assert_eq!(Via::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_branch_that_is_only_the_cookie_identifies_nothing() {
        assert!(!Via::parse("SIP/2.0/UDP h;branch=z9hG4bK").unwrap().has_rfc3261_branch());
    }
}
