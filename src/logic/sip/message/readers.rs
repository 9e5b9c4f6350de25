//! Typed readers of the headers that a message may have. A value that cannot be read counts as absent, so that one odd
//! header never costs a call; the headers that must be right are in `mandatory`.

use std::time::Duration;

use super::Message;
use super::auth::AuthValue;
use super::method::Method;
use super::name;
use super::name_addr::Contacts;
use super::name_addr::NameAddr;
use super::syntax::Params;
use super::syntax::split_list;
use super::via::Via;

/// Session-Expires (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// The session interval.
    pub seconds: u32,
    /// Who refreshes; `None`: the other side may choose.
    pub refresher: Option<Refresher>,
}

/// Who refreshes a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// The side that sent the INVITE or UPDATE.
    Uac,
    /// The side that answered it.
    Uas,
}

/// RAck (RFC 3262 §7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RAck {
    /// RSeq of the provisional response.
    pub rseq: u32,
    /// CSeq number of the provisional response.
    pub cseq: u32,
    /// CSeq method of the provisional response.
    pub method: Method,
}

/// One value of Reason (RFC 3326).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Such as `SIP` or `Q.850`.
    pub protocol: String,
    /// The cause parameter.
    pub cause: Option<u16>,
    /// For people.
    pub text: Option<String>,
}

impl Message {
    /// The topmost Via.
    #[must_use]
    pub fn top_via(&self) -> Option<Via> {
        Via::parse(self.items(name::VIA).next()?)
    }

    /// Replaces the topmost Via and keeps the others, each on a line of its own.
    pub fn replace_top_via(&mut self, via: &Via) -> &mut Self {
        let others: Vec<_> = self.items(name::VIA).skip(1).map(str::to_owned).collect();
        self.remove(name::VIA);
        for other in others.iter().rev() {
            self.push_front(name::VIA, other);
        }
        self.push_front(name::VIA, via.to_string())
    }

    /// From.
    #[must_use]
    pub fn from(&self) -> Option<NameAddr> {
        NameAddr::parse(self.first(name::FROM)?)
    }

    /// To.
    #[must_use]
    pub fn to(&self) -> Option<NameAddr> {
        NameAddr::parse(self.first(name::TO)?)
    }

    /// All contacts; an unreadable list counts as empty.
    #[must_use]
    pub fn contacts(&self) -> Contacts {
        Contacts::parse(self.all(name::CONTACT)).unwrap_or(Contacts::These(Vec::new()))
    }

    /// The first contact whose URI is a SIP URI: the remote target (RFC 3261 §12.1).
    #[must_use]
    pub fn contact(&self) -> Option<NameAddr> {
        let mut contacts = self.items(name::CONTACT).filter_map(NameAddr::parse);
        contacts.find(|contact| contact.parsed_uri().is_ok_and(|uri| uri.as_sip().is_some()))
    }

    /// Record-Route values from the top down, each as it stands. A UAC sends them reversed as Route, a UAS as they are
    /// (RFC 3261 §12.1).
    #[must_use]
    pub fn record_routes(&self) -> Vec<String> {
        self.items(name::RECORD_ROUTE).map(str::to_owned).collect()
    }

    /// Route values from the top down, each as it stands.
    #[must_use]
    pub fn routes(&self) -> Vec<String> {
        self.items(name::ROUTE).map(str::to_owned).collect()
    }

    /// Whether a comma list of tokens has this one, without case: Supported, Require, Unsupported, Allow.
    #[must_use]
    pub fn lists(&self, name: &str, token: &str) -> bool {
        self.items(name).any(|item| item.eq_ignore_ascii_case(token))
    }

    /// What the request demands and `supported` lacks (RFC 3261 §8.2.2.3): the value of Unsupported in a 420.
    #[must_use]
    pub fn unsupported_extensions(&self, supported: &[&str]) -> Vec<String> {
        self.items(name::REQUIRE)
            .filter(|item| !supported.iter().any(|ours| ours.eq_ignore_ascii_case(item)))
            .map(str::to_owned)
            .collect()
    }

    /// The media type in lower case, without parameters: `application/sdp`.
    #[must_use]
    pub fn content_type(&self) -> Option<String> {
        let (media, _) = media_type(self.first(name::CONTENT_TYPE)?);
        Some(media)
    }

    /// The SDP: the body itself, or the first such part of a multipart body (RFC 5621 §3.1; carriers put ISUP beside
    /// it). `None` for an empty body or another type.
    #[must_use]
    pub fn sdp(&self) -> Option<&[u8]> {
        let (media, params) = media_type(self.first(name::CONTENT_TYPE)?);
        if self.body.is_empty() {
            None
        } else if media == SDP {
            Some(&self.body)
        } else if media.starts_with("multipart/") {
            sdp_part(&self.body, params.get("boundary").filter(|boundary| !boundary.is_empty())?)
        } else {
            None
        }
    }

    /// Expires in seconds; too large a number counts as the largest (RFC 3261 §20.19).
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        seconds(self.first(name::EXPIRES)?)
    }

    /// Session-Expires.
    #[must_use]
    pub fn session_expires(&self) -> Option<SessionExpires> {
        let (value, params) = with_params(self.first(name::SESSION_EXPIRES)?);
        let refresher = match params.get("refresher") {
            Some(side) if side.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(side) if side.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) | None => None,
        };
        Some(SessionExpires { seconds: seconds(value)?, refresher })
    }

    /// Min-SE in seconds.
    #[must_use]
    pub fn min_se(&self) -> Option<u32> {
        seconds(with_params(self.first(name::MIN_SE)?).0)
    }

    /// RSeq of a reliable provisional response.
    #[must_use]
    pub fn rseq(&self) -> Option<u32> {
        self.first(name::RSEQ)?.parse().ok()
    }

    /// RAck of a PRACK.
    #[must_use]
    pub fn rack(&self) -> Option<RAck> {
        let mut words = self.first(name::RACK)?.split_ascii_whitespace();
        let (rseq, cseq, method) = (words.next()?, words.next()?, words.next()?);
        let rack = RAck {
            rseq: rseq.parse().ok()?,
            cseq: cseq.parse().ok()?,
            method: Method::parse(method)?,
        };
        words.next().is_none().then_some(rack)
    }

    /// How long the sender asks us to wait (RFC 3261 §20.33); comment and parameters are ignored, more than 24 hours
    /// count as 24 hours: one broken carrier must not park a campaign for years.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.first(name::RETRY_AFTER)?;
        let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
        let (number, rest) = value.split_at_checked(end)?;
        if !(rest.is_empty() || rest.starts_with([' ', '\t', ';', '('])) {
            return None;
        }
        let seconds = u64::from(seconds(number)?);
        Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
    }

    /// All values of Reason.
    #[must_use]
    pub fn reasons(&self) -> Vec<Reason> {
        self.items(name::REASON)
            .map(|item| {
                let (protocol, params) = with_params(item);
                let cause = params.get("cause").and_then(|cause| cause.parse().ok());
                let text = params.get("text").map(str::to_owned);
                Reason { protocol: protocol.to_owned(), cause, text }
            })
            .collect()
    }

    /// The Q.850 cause of a Reason header, 0 to 127 (RFC 3326 §2).
    #[must_use]
    pub fn q850_cause(&self) -> Option<u8> {
        let q850 = |reason: &Reason| reason.protocol.eq_ignore_ascii_case("Q.850");
        let cause = self.reasons().into_iter().filter(q850).find_map(|reason| reason.cause)?;
        u8::try_from(cause).ok().filter(|cause| *cause <= 127)
    }

    /// All challenges of a 401 (WWW-Authenticate) or 407 (Proxy-Authenticate), in order.
    #[must_use]
    pub fn challenges(&self) -> Vec<AuthValue> {
        let name = match self.status() {
            Some(407) => name::PROXY_AUTHENTICATE,
            Some(_) | None => name::WWW_AUTHENTICATE,
        };
        self.auth_values(name)
    }

    /// All values of Authorization, Proxy-Authorization, WWW-Authenticate or Proxy-Authenticate.
    #[must_use]
    pub fn auth_values(&self, name: &str) -> Vec<AuthValue> {
        self.all(name).flat_map(AuthValue::parse_all).collect()
    }
}

fn media_type(value: &str) -> (String, Params) {
    let (media, params) = with_params(value);
    (media.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase(), params)
}

/// What stands before the first semicolon, and the parameters; garbled parameters count as none.
fn with_params(value: &str) -> (&str, Params) {
    let mut items = split_list(value, ';');
    let first = items.next().unwrap_or("");
    let params = value.split_once(';').and_then(|(_, params)| Params::parse(params));
    (first, params.unwrap_or_default())
}

/// A number of seconds; `None` when it is none, the largest when it does not fit.
fn seconds(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

/// The content of the first `application/sdp` part (RFC 2046 §5.1).
fn sdp_part<'a>(body: &'a [u8], boundary: &str) -> Option<&'a [u8]> {
    let delimiter = format!("--{boundary}");
    let mut rest = body.get(find(body, delimiter.as_bytes())?..)?;
    for _ in 0..MAX_PARTS {
        rest = rest.get(delimiter.len()..)?;
        let end = find(rest, delimiter.as_bytes())?;
        let (part, after) = rest.split_at_checked(end)?;
        if let Some(content) = part_content(part) {
            return Some(content);
        }
        rest = after;
    }
    None
}

fn part_content(part: &[u8]) -> Option<&[u8]> {
    let (head, content) = match (find(part, b"\r\n\r\n"), find(part, b"\n\n")) {
        (Some(end), _) => (part.get(..end)?, part.get(end + 4..)?),
        (None, Some(end)) => (part.get(..end)?, part.get(end + 2..)?),
        (None, None) => return None,
    };
    let head = super::parse::text_of(head);
    let is_sdp = head.lines().any(|line| {
        line.split_once(':').is_some_and(|(name, value)| {
            name::canonical(name.trim()) == name::CONTENT_TYPE && media_type(value).0 == SDP
        })
    });
    // The line end before the delimiter belongs to the delimiter.
    let content = content.strip_suffix(b"\n").unwrap_or(content);
    is_sdp.then(|| content.strip_suffix(b"\r").unwrap_or(content))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

const SDP: &str = "application/sdp";

/// More parts than any carrier sends.
const MAX_PARTS: usize = 8;

/// The RFC sets no ceiling; ours is a day.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Message {
        let mut message = Message::response(200, "");
        message.push(name, value);
        message
    }

    #[test]
    fn retry_after_is_bounded_to_a_day() {
        let read = |value| with("Retry-After", value).retry_after().map(|wait| wait.as_secs());
        assert_eq!(read("120"), Some(120));
        assert_eq!(read("18000;duration=3600 (in a meeting)"), Some(18_000));
        assert_eq!(read("120 (busy)"), Some(120));
        assert_eq!(read("949302838503028349304023988"), Some(86_400));
        assert_eq!(read("soon"), None);
        assert_eq!(read("1.5"), None);
    }

    #[test]
    fn q850_causes_are_found_among_reasons() {
        let reason = r#"SIP ;cause=487;text="a, b", Q.850 ; cause = 17 ;text="User busy""#;
        assert_eq!(with("Reason", reason).q850_cause(), Some(17));
        assert_eq!(with("Reason", reason).reasons()[0].text.as_deref(), Some("a, b"));
        assert_eq!(with("Reason", "Q.850;cause=500").q850_cause(), None);
        assert_eq!(with("Reason", "Q.850").q850_cause(), None);
    }

    #[test]
    fn session_timers_are_read() {
        let timer = with("x", "1800 ;refresher=UAS").session_expires().unwrap();
        assert_eq!(timer, SessionExpires { seconds: 1800, refresher: Some(Refresher::Uas) });
        assert_eq!(with("Min-SE", "90;x=y").min_se(), Some(90));
        assert_eq!(with("Session-Expires", "x").session_expires(), None);
    }

    #[test]
    fn reliable_provisionals_are_read() {
        assert_eq!(with("RSeq", "988789").rseq(), Some(988_789));
        let rack = with("RAck", "776656  1 INVITE").rack().unwrap();
        assert_eq!(rack, RAck { rseq: 776_656, cseq: 1, method: Method::INVITE });
        assert_eq!(with("RAck", "1 2 INVITE x").rack(), None);
    }

    #[test]
    fn required_extensions_that_we_lack_are_listed() {
        let mut message = with("Require", "100rel, nothingSupportsThis");
        message.push("Require", "timer");
        assert_eq!(message.unsupported_extensions(&["Timer", "100rel"]), ["nothingSupportsThis"]);
        assert!(message.lists("Require", "TIMER"));
    }

    #[test]
    fn sdp_is_found_in_the_body_and_in_a_multipart_body() {
        let mut plain = with("c", " Application / SDP ;charset=x");
        assert_eq!(plain.sdp(), None);
        plain.body = b"v=0".to_vec();
        assert_eq!(plain.sdp(), Some(&b"v=0"[..]));

        let mut parts = with("Content-Type", r#"multipart/mixed;boundary="b 1""#);
        parts.body = b"pre\r\n--b 1\r\nContent-Type: application/isup\r\n\r\n\x00\xff\r\n--b 1\r\n\
            c: application/sdp\r\n\r\nv=0\r\no=x\r\n\r\n--b 1--\r\n"
            .to_vec();
        assert_eq!(parts.sdp(), Some(&b"v=0\r\no=x\r\n"[..]));
    }

    #[test]
    fn the_first_sip_contact_is_the_target() {
        let message = with("m", "<mailto:a@b>, \"x, y\" <sip:c@d;transport=UDP>;q=1");
        assert_eq!(message.contact().unwrap().uri, "sip:c@d;transport=UDP");
        assert_eq!(with("Contact", "*").contacts(), Contacts::All);
    }

    #[test]
    fn challenges_come_from_the_header_of_the_status() {
        let mut message = Message::response(407, "");
        message.push("WWW-Authenticate", "Digest realm=\"no\"");
        message.push("Proxy-Authenticate", "Digest realm=\"a\", Digest realm=\"b\"");
        message.push("Proxy-Authenticate", "Digest realm=\"c\"");
        let realms: Vec<_> =
            message.challenges().iter().map(|one| one.get("realm").unwrap().to_owned()).collect();
        assert_eq!(realms, ["a", "b", "c"]);
    }

    #[test]
    fn the_top_via_is_replaced_and_the_order_kept() {
        let mut message = with("Via", "SIP/2.0/UDP a, SIP/2.0/UDP b");
        message.push("Via", "SIP/2.0/UDP c");
        let mut top = message.top_via().unwrap();
        top.note_source("192.0.2.1:5060".parse().unwrap());
        message.replace_top_via(&top);
        let vias: Vec<_> = message.all("Via").collect();
        assert_eq!(vias, ["SIP/2.0/UDP a;received=192.0.2.1", "SIP/2.0/UDP b", "SIP/2.0/UDP c"]);
    }
}
