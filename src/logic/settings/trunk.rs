//! A link to a carrier.

use std::net::SocketAddr;

use crate::logic::media::IpNet;
use crate::logic::settings::NumberFormat;
use crate::logic::sip::user_agent::Credentials;

/// One trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkSettings {
    /// Unique name.
    pub name: String,
    /// Where INVITEs go; the first one that is up.
    pub peers: Vec<SocketAddr>,
    /// Addresses from which its SIP packets may come, besides `peers`.
    pub sip_from: Vec<IpNet>,
    /// Addresses from which its RTP may come, besides the SDP address.
    pub rtp_from: Vec<IpNet>,
    /// Host part of Request-URI, To and From; the peer's or our own address where absent.
    pub domain: Option<String>,
    /// Digest user.
    pub credentials: Option<Credentials>,
    /// How the called number is written.
    pub dial_format: NumberFormat,
    /// How and where our number is shown.
    pub from_format: FromFormat,
    /// Numbers the carrier lets us show; empty: any.
    pub caller_ids: Vec<crate::logic::phone::PhoneNumber>,
    /// INVITEs per second, digest retries included.
    pub calls_per_second: u32,
    /// INVITEs that may leave at once after a silence; 1 unless the carrier states a burst.
    pub burst: u32,
    /// Most calls at once.
    pub channels: u32,
    /// True for the simulated carrier; a campaign that is `simulated_only` dials nowhere else.
    pub simulated: bool,
}

impl TrunkSettings {
    /// The simulated carrier at `peers`: numbers as E.164, nobody asked for a password, ten INVITEs per second.
    #[must_use]
    pub fn simulated(name: &str, peers: Vec<SocketAddr>) -> Self {
        Self {
            name: name.to_owned(),
            peers,
            sip_from: vec![],
            rtp_from: vec![],
            domain: None,
            credentials: None,
            dial_format: NumberFormat::PlusE164,
            from_format: FromFormat {
                number: NumberFormat::PlusE164,
                display: None,
                asserted_identity: false,
                preferred_identity: false,
                user_phone: false,
            },
            caller_ids: vec![],
            calls_per_second: 10,
            burst: 1,
            channels: 50,
            simulated: true,
        }
    }
}

/// How our own number is presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromFormat {
    /// How the number is written.
    pub number: NumberFormat,
    /// Display name in From.
    pub display: Option<String>,
    /// Also send P-Asserted-Identity (RFC 3325).
    pub asserted_identity: bool,
    /// Also send P-Preferred-Identity (RFC 3325).
    pub preferred_identity: bool,
    /// `;user=phone` in URIs that carry a number.
    pub user_phone: bool,
}
