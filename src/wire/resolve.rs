//! From `host` or `host:port` to an address, by the system's resolver.

use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;

/// A name that gave no address.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Not `host`, `host:port`, `[v6]` or `[v6]:port`.
    #[error("`{0}` is no host or host:port")]
    Malformed(String),
    /// The resolver's answer.
    #[error("cannot resolve `{host}`: {source}; check the name and this machine's DNS")]
    Lookup {
        /// The name.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// The name exists and has no address.
    #[error("`{0}` has no address")]
    NoAddress(String),
}

/// The port of SIP over UDP and TCP (RFC 3261 §19.1.2).
pub const SIP_PORT: u16 = 5_060;

/// Resolves `text`; without a port, SIP's. IPv4 is preferred, as most trunks speak nothing else.
///
/// # Errors
/// [`ResolveError`]; a later try may do better after `Lookup`.
pub async fn resolve(text: &str) -> Result<SocketAddr, ResolveError> {
    let (host, port) = split(text).ok_or_else(|| ResolveError::Malformed(text.to_owned()))?;
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, port));
    }
    let found = tokio::net::lookup_host((host, port)).await;
    let found = found.map_err(|source| ResolveError::Lookup { host: host.to_owned(), source })?;
    let all: Vec<SocketAddr> = found.collect();
    all.iter()
        .find(|addr| addr.is_ipv4())
        .or_else(|| all.first())
        .copied()
        .ok_or_else(|| ResolveError::NoAddress(host.to_owned()))
}

fn split(text: &str) -> Option<(&str, u16)> {
    let text = text.trim();
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
    } else if text.parse::<std::net::Ipv6Addr>().is_ok() {
        (text, None)
    } else {
        text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
    };
    let port = port.map_or(Some(SIP_PORT), |port| port.parse().ok().filter(|port| *port != 0))?;
    let named = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '/');
    named.then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_told_apart() {
        assert_eq!(split("203.0.113.5"), Some(("203.0.113.5", 5_060)));
        assert_eq!(split(" sip.example.com:5080 "), Some(("sip.example.com", 5_080)));
        assert_eq!(split("[2001:db8::1]:5070"), Some(("2001:db8::1", 5_070)));
        assert_eq!(split("[2001:db8::1]"), Some(("2001:db8::1", 5_060)));
        assert_eq!(split("2001:db8::1"), Some(("2001:db8::1", 5_060)));
        for bad in
            ["", ":5060", "host:", "host:0", "host:70000", "[::1", "[::1]x", "a b", "a/b", "a:b:c"]
        {
            assert_eq!(split(bad), None, "{bad}");
        }
    }

    #[test]
    fn addresses_and_localhost_resolve_without_a_network() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let resolved = |text| runtime.block_on(resolve(text));
        assert_eq!(resolved("203.0.113.5:99").unwrap(), "203.0.113.5:99".parse().unwrap());
        let localhost = resolved("localhost").unwrap();
        assert!(localhost.ip().is_loopback());
        assert_eq!(localhost.port(), SIP_PORT);
        let error = resolved("not a host").unwrap_err().to_string();
        assert_eq!(error, "`not a host` is no host or host:port");
    }
}
