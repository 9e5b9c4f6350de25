//! Header names: the long form in its usual spelling, whatever came (RFC 3261 §7.3.1, §7.3.3).

use std::borrow::Cow;

/// The usual spelling of a header name: compact forms are expanded, the case of known names is put right, any other
/// name stays as it is.
#[must_use]
pub fn canonical(name: &str) -> Cow<'static, str> {
    if let [letter] = name.as_bytes()
        && let Some((_, long)) =
            COMPACT.iter().find(|(short, _)| *short == letter.to_ascii_lowercase())
    {
        return Cow::Borrowed(long);
    }
    let known = in_usual_spelling(name)
        .or_else(|| KNOWN.iter().find(|known| known.eq_ignore_ascii_case(name)).copied());
    known.map_or_else(|| Cow::Owned(name.to_owned()), Cow::Borrowed)
}

macro_rules! names {
    ($($(#[$doc:meta])* $constant:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $constant: &str = $text;)*
        const KNOWN: &[&str] = &[$($text),*];

        /// As good as every header comes so.
        fn in_usual_spelling(name: &str) -> Option<&'static str> {
            match name {
                $($text => Some($text),)*
                _ => None,
            }
        }
    };
}

names! {
    /// RFC 3261 §20.42.
    VIA = "Via";
    /// RFC 3261 §20.20.
    FROM = "From";
    /// RFC 3261 §20.39.
    TO = "To";
    /// RFC 3261 §20.8.
    CALL_ID = "Call-ID";
    /// RFC 3261 §20.16.
    CSEQ = "CSeq";
    /// RFC 3261 §20.10.
    CONTACT = "Contact";
    /// RFC 3261 §20.22.
    MAX_FORWARDS = "Max-Forwards";
    /// RFC 3261 §20.30.
    RECORD_ROUTE = "Record-Route";
    /// RFC 3261 §20.34.
    ROUTE = "Route";
    /// RFC 3261 §20.14; written by the printer, never stored.
    CONTENT_LENGTH = "Content-Length";
    /// RFC 3261 §20.15.
    CONTENT_TYPE = "Content-Type";
    /// RFC 3261 §20.11.
    CONTENT_DISPOSITION = "Content-Disposition";
    /// RFC 3261 §20.12.
    CONTENT_ENCODING = "Content-Encoding";
    /// RFC 3261 §20.1.
    ACCEPT = "Accept";
    /// RFC 3261 §20.5.
    ALLOW = "Allow";
    /// RFC 3261 §20.37.
    SUPPORTED = "Supported";
    /// RFC 3261 §20.32.
    REQUIRE = "Require";
    /// RFC 3261 §20.29.
    PROXY_REQUIRE = "Proxy-Require";
    /// RFC 3261 §20.40.
    UNSUPPORTED = "Unsupported";
    /// RFC 3261 §20.19.
    EXPIRES = "Expires";
    /// RFC 3261 §20.23.
    MIN_EXPIRES = "Min-Expires";
    /// RFC 4028 §4.
    SESSION_EXPIRES = "Session-Expires";
    /// RFC 4028 §5.
    MIN_SE = "Min-SE";
    /// RFC 3262 §7.1.
    RSEQ = "RSeq";
    /// RFC 3262 §7.2.
    RACK = "RAck";
    /// RFC 3326.
    REASON = "Reason";
    /// RFC 3261 §20.33.
    RETRY_AFTER = "Retry-After";
    /// RFC 3261 §20.44.
    WWW_AUTHENTICATE = "WWW-Authenticate";
    /// RFC 3261 §20.27.
    PROXY_AUTHENTICATE = "Proxy-Authenticate";
    /// RFC 3261 §20.7.
    AUTHORIZATION = "Authorization";
    /// RFC 3261 §20.28.
    PROXY_AUTHORIZATION = "Proxy-Authorization";
    /// RFC 3261 §20.6.
    AUTHENTICATION_INFO = "Authentication-Info";
    /// RFC 3325 §9.1.
    P_ASSERTED_IDENTITY = "P-Asserted-Identity";
    /// RFC 3325 §9.2.
    P_PREFERRED_IDENTITY = "P-Preferred-Identity";
    /// RFC 3323 §4.2.
    PRIVACY = "Privacy";
    /// RFC 3261 §20.9.
    CALL_INFO = "Call-Info";
    /// RFC 3261 §20.4.
    ALERT_INFO = "Alert-Info";
    /// RFC 3261 §20.38.
    TIMESTAMP = "Timestamp";
    /// RFC 3261 §20.41.
    USER_AGENT = "User-Agent";
    /// RFC 3261 §20.35.
    SERVER = "Server";
    /// RFC 3261 §20.43.
    WARNING = "Warning";
    /// RFC 3261 §20.36.
    SUBJECT = "Subject";
    /// RFC 3261 §20.17.
    DATE = "Date";
    /// RFC 6665 §8.2.1.
    EVENT = "Event";
    /// RFC 6665 §8.2.2.
    ALLOW_EVENTS = "Allow-Events";
    /// RFC 3515 §2.1.
    REFER_TO = "Refer-To";
    /// RFC 3892.
    REFERRED_BY = "Referred-By";
    /// RFC 8224.
    IDENTITY = "Identity";
    /// RFC 3841.
    ACCEPT_CONTACT = "Accept-Contact";
    /// RFC 3841.
    REJECT_CONTACT = "Reject-Contact";
    /// RFC 3841.
    REQUEST_DISPOSITION = "Request-Disposition";
    /// RFC 3261 §20.31.
    REPLY_TO = "Reply-To";
    /// RFC 3261 §20.24.
    MIME_VERSION = "MIME-Version";
}

/// RFC 3261 §7.3.3 and the registry of the RFCs named above.
const COMPACT: &[(u8, &str)] = &[
    (b'v', VIA),
    (b'f', FROM),
    (b't', TO),
    (b'i', CALL_ID),
    (b'm', CONTACT),
    (b'l', CONTENT_LENGTH),
    (b'c', CONTENT_TYPE),
    (b'e', CONTENT_ENCODING),
    (b'k', SUPPORTED),
    (b's', SUBJECT),
    (b'x', SESSION_EXPIRES),
    (b'o', EVENT),
    (b'u', ALLOW_EVENTS),
    (b'r', REFER_TO),
    (b'b', REFERRED_BY),
    (b'y', IDENTITY),
    (b'a', ACCEPT_CONTACT),
    (b'j', REJECT_CONTACT),
    (b'd', REQUEST_DISPOSITION),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling() {
        assert_eq!(canonical("v"), VIA);
        assert_eq!(canonical("I"), CALL_ID);
        assert_eq!(canonical("CALL-id"), "Call-ID");
        assert_eq!(canonical("X-Odd"), "X-Odd");
        assert_eq!(canonical("z"), "z");
    }
}
