//! Hosts and addresses.

use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

use crate::config::file::Field;
use crate::logic::media::IpNet;

/// A host and port as written; an address literal needs no look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// A name, or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Where it stands in the file, from 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl HostPort {
    /// The address, where the host is one.
    #[must_use]
    pub fn literal(&self) -> Option<SocketAddr> {
        let address: IpAddr = self.host.parse().ok()?;
        Some(SocketAddr::new(address, self.port))
    }
}

/// `name`, `name:port`, `192.0.2.1:5060` or `[2001:db8::1]:5060`.
pub(super) fn host_port(field: &Field<'_>) -> Option<HostPort> {
    let expected = "a host such as \"sip.example.net\" or \"192.0.2.1:5060\"";
    let advice = "write a name or an address, with :port if it is not 5060; IPv6 in brackets";
    let (host, port) = field.parse(expected, advice, split)?;
    let (line, column) = field.place();
    Some(HostPort { host, port, line, column })
}

/// Host and port of a text; 5060 where it names none (RFC 3261 §19.1.2).
pub(super) fn split(text: &str) -> Option<(String, u16)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, tail) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        let port = if tail.is_empty() { SIP_PORT } else { port(tail.strip_prefix(':')?)? };
        return Some((address.to_string(), port));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some((text.to_owned(), SIP_PORT));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, text)) => (host, port(text)?),
        None => (text, SIP_PORT),
    };
    is_host(host).then(|| (host.to_owned(), port))
}

fn port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

/// A host name (RFC 1123 §2.1) or an IPv4 address.
pub(super) fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let inner = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    let all_digits = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let address = text.parse::<IpAddr>().is_ok();
    text.len() <= 253 && text.split('.').all(label) && (address || !all_digits)
}

/// An address.
pub(super) fn address(field: &Field<'_>) -> Option<IpAddr> {
    field.parse("an IP address", "write digits, not a name", |text| text.parse().ok())
}

/// An address with its port.
pub(super) fn socket_address(field: &Field<'_>) -> Option<SocketAddr> {
    let advice = "write an address of this machine, or 0.0.0.0 for all, and the port";
    field.parse("an address and port such as \"0.0.0.0:5060\"", advice, |text| text.parse().ok())
}

/// An address, or a network such as `192.0.2.0/24`.
pub(super) fn network(field: &Field<'_>) -> Option<IpNet> {
    let expected = "an address or network such as \"192.0.2.0/24\"";
    let advice = "write the first address and how many leading bits count; bits behind are 0";
    field.parse(expected, advice, parse_network)
}

/// An address, or a network such as `192.0.2.0/24`, whose bits behind the prefix are 0.
#[must_use]
pub fn parse_network(text: &str) -> Option<IpNet> {
    let (addr, prefix) = match text.split_once('/') {
        Some((addr, prefix)) => (addr, Some(prefix)),
        None => (text, None),
    };
    let addr: IpAddr = addr.parse().ok()?;
    let most: u8 = if addr.is_ipv4() { 32 } else { 128 };
    let prefix: u8 = prefix.map_or(Some(most), |text| text.parse().ok())?;
    (prefix <= most && no_host_bits(addr, prefix)).then_some(IpNet { addr, prefix })
}

/// Ports of RTP and RTCP such as `20000-20999`: the first even and no system port, room for two calls.
#[must_use]
pub fn parse_ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-')?;
    let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let room = last.checked_sub(first)? >= 7;
    (first >= 1024 && first.is_multiple_of(2) && room).then_some(first..=last)
}

/// `192.0.2.7/24` is a slip: is it the host or the network?
fn no_host_bits(addr: IpAddr, prefix: u8) -> bool {
    let (bits, width) = match addr {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32u32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    let host_bits = width.saturating_sub(u32::from(prefix));
    host_bits == 0 || bits.trailing_zeros() >= host_bits || bits == 0
}

const SIP_PORT: u16 = 5060;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses_with_or_without_a_port() {
        for (text, host, port) in [
            ("sip.example.net", "sip.example.net", 5060),
            ("sip.example.net:5070", "sip.example.net", 5070),
            ("192.0.2.1", "192.0.2.1", 5060),
            ("[2001:db8::1]:5062", "2001:db8::1", 5062),
            ("2001:db8::1", "2001:db8::1", 5060),
        ] {
            assert_eq!(split(text), Some((host.to_owned(), port)), "{text}");
        }
        for bad in ["", ":5060", "a b", "host:0", "host:70000", "192.0.2.256", "-x", "[::1", "a..b"]
        {
            assert_eq!(split(bad), None, "{bad}");
        }
    }
}
