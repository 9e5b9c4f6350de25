//! The headers every message needs (RFC 3261 §8.1.1), read and checked together.

use super::Message;
use super::method::Method;
use super::name;
use super::name_addr::NameAddr;
use super::via::Via;

/// Via, From, To, Call-ID and CSeq of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// The topmost Via.
    pub via: Via,
    /// How many Vias stand below it. A response that reaches us has none (RFC 3261 §8.1.3.3).
    pub lower_vias: usize,
    /// From; the tag may be missing (RFC 2543).
    pub from: NameAddr,
    /// To.
    pub to: NameAddr,
    /// Call-ID; compares byte by byte.
    pub call_id: String,
    /// CSeq.
    pub cseq: CSeq,
}

/// Number and method of CSeq.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// Below 2^31 if the sender keeps to RFC 3261 §8.1.1.5.
    pub number: u32,
    /// Equal to the request's own method.
    pub method: Method,
}

/// A header that the message cannot do without is missing or unreadable: 400 for a request, drop for a response.
///
/// The value is not shown: it may hold a phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("header {name} {problem}")]
pub struct BadHeader {
    /// The header.
    pub name: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl CSeq {
    /// Reads `314159 INVITE`; `None` for anything else, or a number that does not fit 32 bits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (number, method) = text.split_once([' ', '\t'])?;
        if !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some(Self { number: number.parse().ok()?, method: Method::parse(method.trim())? })
    }
}

impl std::fmt::Display for CSeq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

impl Message {
    /// Reads and checks Via, From, To, Call-ID and CSeq, and Max-Forwards if it is there.
    ///
    /// # Errors
    /// [`BadHeader`] names the first one that is missing, given twice or garbled, or a CSeq of another method than the
    /// request line. Answer such a request with 400 if its top Via can be read; drop such a response.
    pub fn core(&self) -> Result<Core, BadHeader> {
        let mut vias =
            self.items(name::VIA).map(|hop| Via::parse(hop).ok_or(bad(name::VIA, GARBLED)));
        let via = vias.next().ok_or(bad(name::VIA, MISSING))??;
        let lower_vias = vias.try_fold(0, |count, hop| hop.map(|_| count + 1))?;
        let from = NameAddr::parse(self.only(name::FROM)?).ok_or(bad(name::FROM, GARBLED))?;
        let to = NameAddr::parse(self.only(name::TO)?).ok_or(bad(name::TO, GARBLED))?;
        let call_id = self.only(name::CALL_ID)?;
        if call_id.is_empty() || call_id.contains([' ', '\t']) {
            return Err(bad(name::CALL_ID, GARBLED));
        }
        let cseq = CSeq::parse(self.only(name::CSEQ)?).ok_or(bad(name::CSEQ, GARBLED))?;
        if self.method().is_some_and(|method| *method != cseq.method) {
            return Err(bad(name::CSEQ, "is of another method than the request"));
        }
        self.max_forwards()?;
        Ok(Core { via, lower_vias, from, to, call_id: call_id.to_owned(), cseq })
    }

    /// Max-Forwards; `None` when there is none.
    ///
    /// # Errors
    /// [`BadHeader`] when it is not 0 to 255 (RFC 3261 §20.22).
    pub fn max_forwards(&self) -> Result<Option<u8>, BadHeader> {
        let Some(value) = self.first(name::MAX_FORWARDS) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| bad(name::MAX_FORWARDS, "is not 0 to 255"))
    }

    /// The value of a header that must be there exactly once.
    fn only(&self, name: &'static str) -> Result<&str, BadHeader> {
        let mut all = self.all(name);
        match (all.next(), all.next()) {
            (Some(value), None) => Ok(value),
            (None, _) => Err(bad(name, MISSING)),
            (Some(_), Some(_)) => Err(bad(name, "is given twice")),
        }
    }
}

const fn bad(name: &'static str, problem: &'static str) -> BadHeader {
    BadHeader { name, problem }
}

const MISSING: &str = "is missing";
const GARBLED: &str = "cannot be read";

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Message {
        let mut request = Message::request(Method::BYE, "sip:a@b");
        request
            .push("Via", "SIP/2.0/UDP h;branch=z9hG4bK1, SIP/2.0/TCP i")
            .push("Via", "SIP/2.0/UDP j");
        request.push("From", "<sip:x@y>;tag=f").push("To", "<sip:a@b>;tag=t");
        request.push("Call-ID", "c").push("CSeq", "0009  BYE");
        request
    }

    #[test]
    fn all_hops_are_read_from_one_line_or_many() {
        let core = request().core().unwrap();
        assert_eq!((core.via.host.to_string().as_str(), core.lower_vias), ("h", 2));
        assert_eq!(core.cseq, CSeq { number: 9, method: Method::BYE });
        assert_eq!((core.from.tag(), core.to.tag()), (Some("f"), Some("t")));
    }

    #[test]
    fn each_needed_header_is_missed() {
        for name in [name::VIA, name::FROM, name::TO, name::CALL_ID, name::CSEQ] {
            let mut request = request();
            request.remove(name);
            assert_eq!(request.core(), Err(bad(name, MISSING)));
            if name != name::VIA {
                let mut twice = self::request();
                let value = twice.first(name).unwrap().to_owned();
                twice.push(name, value);
                assert_eq!(twice.core(), Err(bad(name, "is given twice")));
            }
        }
    }

    #[test]
    fn a_foreign_cseq_method_is_refused_in_requests_only() {
        let mut request = request();
        request.set("CSeq", "9 INVITE");
        assert!(request.core().is_err());
        assert!(request.reply(200, None).core().is_ok());
    }

    #[test]
    fn overlarge_numbers_are_refused() {
        let mut request = request();
        request.set("CSeq", "36893488147419103232 BYE");
        assert_eq!(request.core(), Err(bad(name::CSEQ, GARBLED)));
        let mut request = self::request();
        request.push("Max-Forwards", "300");
        assert!(request.core().is_err());
    }
}
