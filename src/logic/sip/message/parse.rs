//! From the bytes of one datagram to a [`Message`]: framing only, forgiving where the RFC or the field asks for it.

use std::borrow::Cow;

use super::MalformedMessage;
use super::Message;
use super::Start;
use super::method::Method;
use super::name;
use super::syntax::clean;
use super::syntax::is_token;

/// See [`Message::parse`].
pub(super) fn parse(bytes: &[u8]) -> Result<Message, MalformedMessage> {
    if bytes.len() > MAX_MESSAGE {
        return Err(MalformedMessage::TooLarge);
    }
    let text = skip_line_ends(bytes);
    if text.is_empty() {
        return Err(MalformedMessage::Empty);
    }
    let mut lines = Lines { rest: text };
    let start = start_line(&text_of(lines.next().ok_or(MalformedMessage::NoEndOfHeaders)?))?;
    let mut message = Message::with_start(start);
    let mut length = None;
    loop {
        let line = lines.next_folded()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = header_line(&text_of(&line))?;
        if name == name::CONTENT_LENGTH {
            let stated = content_length(&value)?;
            if length.is_some_and(|earlier| earlier != stated) {
                return Err(MalformedMessage::ContentLength);
            }
            length = Some(stated);
        } else if message.headers.len() == MAX_HEADERS {
            return Err(MalformedMessage::TooManyHeaders);
        } else {
            message.headers.push((name, value));
        }
    }
    // RFC 3261 §18.3: bytes beyond Content-Length are thrown away, too few make the message bad; without the header
    // the body goes to the end of the datagram.
    let body = match length {
        Some(length) => lines.rest.get(..length).ok_or(MalformedMessage::BodyTooShort)?,
        None => lines.rest,
    };
    message.body = body.to_vec();
    Ok(message)
}

/// UTF-8, or else Latin-1: old phones send names in it, and no byte may cost us a message.
pub(super) fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes)
        .map_or_else(|_| bytes.iter().map(|&byte| char::from(byte)).collect(), Cow::Borrowed)
}

/// Lines end with CRLF or a bare LF.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|&byte| byte == b'\n')?;
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(1..)?;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// A header with the lines that continue it (RFC 3261 §7.3.1), each joined by one space; empty at the end of the
    /// headers.
    fn next_folded(&mut self) -> Result<Cow<'a, [u8]>, MalformedMessage> {
        let first = self.next().ok_or(MalformedMessage::NoEndOfHeaders)?;
        let mut line = Cow::Borrowed(first);
        while !first.is_empty() && matches!(self.rest.first(), Some(b' ' | b'\t')) {
            let more = self.next().ok_or(MalformedMessage::NoEndOfHeaders)?;
            let folded = line.to_mut();
            folded.push(b' ');
            folded.extend_from_slice(more.trim_ascii());
            if folded.len() > MAX_HEADER_LINE {
                break;
            }
        }
        if line.len() > MAX_HEADER_LINE {
            return Err(MalformedMessage::HeaderTooLong);
        }
        Ok(line)
    }
}

/// RFC 3261 §7.5: empty lines before the start line are skipped.
fn skip_line_ends(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
    start.and_then(|start| bytes.get(start..)).unwrap_or_default()
}

fn start_line(line: &str) -> Result<Start, MalformedMessage> {
    if line.len() > MAX_HEADER_LINE {
        return Err(MalformedMessage::HeaderTooLong);
    }
    let line = clean(line);
    let (first, rest) = line.split_once([' ', '\t']).ok_or(MalformedMessage::StartLine)?;
    if first.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/")) {
        return status_line(first, rest.trim_start());
    }
    let method = Method::parse(first).ok_or(MalformedMessage::StartLine)?;
    let (uri, version) =
        rest.trim_start().rsplit_once([' ', '\t']).ok_or(MalformedMessage::StartLine)?;
    check_version(version)?;
    let uri = clean(uri);
    if uri.is_empty() {
        return Err(MalformedMessage::StartLine);
    }
    Ok(Start::Request { method, uri })
}

fn status_line(version: &str, rest: &str) -> Result<Start, MalformedMessage> {
    check_version(version)?;
    let (code, reason) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    let digits = code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit());
    let status = code.parse().map_err(|_| MalformedMessage::StartLine)?;
    if !digits || !(100..700).contains(&status) {
        return Err(MalformedMessage::StartLine);
    }
    Ok(Start::Response { status, reason: clean(reason) })
}

fn check_version(version: &str) -> Result<(), MalformedMessage> {
    if version.eq_ignore_ascii_case("SIP/2.0") {
        Ok(())
    } else if version.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/")) {
        Err(MalformedMessage::Version)
    } else {
        Err(MalformedMessage::StartLine)
    }
}

fn header_line(line: &str) -> Result<(Cow<'static, str>, String), MalformedMessage> {
    let (name, value) = line.split_once(':').ok_or(MalformedMessage::HeaderLine)?;
    let name = name.trim_end_matches([' ', '\t']);
    if !is_token(name) {
        return Err(MalformedMessage::HeaderLine);
    }
    Ok((name::canonical(name), clean(value)))
}

fn content_length(value: &str) -> Result<usize, MalformedMessage> {
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(MalformedMessage::ContentLength);
    }
    value.parse().map_err(|_| MalformedMessage::ContentLength)
}

/// The largest UDP payload there can be, and then some (RFC 768: 65,507 over IPv4).
pub const MAX_MESSAGE: usize = 65_535;
/// More than 70 Via hops (the default Max-Forwards) and every header we know.
pub const MAX_HEADERS: usize = 128;
/// One header with the lines that continue it, and the start line.
pub const MAX_HEADER_LINE: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const INVITE: &[u8] = b"INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
        f: \"A\" <sip:a@h>;tag=1\r\nt: <sip:b@h>\r\ni: 1@h\r\nCSeq: 1 INVITE\r\nl: 4\r\n\r\nv=0\n";

    fn parsed(text: &str) -> Message {
        Message::parse(text.as_bytes()).unwrap()
    }

    fn refused(text: &str) -> MalformedMessage {
        Message::parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn forms_that_other_parsers_reject_are_read() {
        let message = parsed(
            "\r\n\r\nFROB\ttel:+81312345678  SIP/2.0 \n\
             To :  folded\n\t value \r\n  again\n\
             v: one\nV : two\nX-Empty:\n\nbody",
        );
        assert_eq!(message.method().unwrap().as_str(), "FROB");
        assert_eq!(message.request_uri().unwrap().user().unwrap(), "+81312345678");
        assert_eq!(message.first("to"), Some("folded value again"));
        assert_eq!(message.all("Via").collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(message.first("X-Empty"), Some(""));
        assert_eq!(message.body, b"body");
    }

    #[test]
    fn latin_1_names_are_kept() {
        let message =
            Message::parse(b"SIP/2.0 200 J\xfcrgen\r\nFrom: \"J\xfcrgen\" <sip:j@h>\r\n\r\n");
        let message = message.unwrap();
        assert_eq!(message.from().unwrap().display.as_deref(), Some("J\u{fc}rgen"));
        assert_eq!(message.start, Start::Response { status: 200, reason: "J\u{fc}rgen".into() });
    }

    #[test]
    fn the_body_ends_where_content_length_says() {
        assert_eq!(parsed("SIP/2.0 200 OK\r\nl: 2\r\nL : 2\r\n\r\nabcd").body, b"ab");
        assert_eq!(parsed("SIP/2.0 200 OK\r\n\r\nabcd").body, b"abcd");
        assert_eq!(refused("SIP/2.0 200 OK\r\nl: 5\r\n\r\nabcd"), MalformedMessage::BodyTooShort);
        for value in ["-1", "", "x", "99999999999999999999999", "1\r\nl: 2"] {
            let text = format!("SIP/2.0 200 OK\r\nl: {value}\r\n\r\nabcd");
            assert_eq!(refused(&text), MalformedMessage::ContentLength, "{value}");
        }
    }

    #[test]
    fn binary_bodies_are_kept_byte_by_byte() {
        let mut message = Message::request(Method::MESSAGE, "sip:a@b");
        message.set_body("application/octet-stream", (0..=255).collect());
        assert_eq!(Message::parse(&message.to_bytes()).unwrap(), message);
    }

    #[test]
    fn what_is_no_sip_is_refused() {
        assert_eq!(refused(""), MalformedMessage::Empty);
        assert_eq!(refused("\r\n\r\n"), MalformedMessage::Empty);
        assert_eq!(refused("hello"), MalformedMessage::NoEndOfHeaders);
        assert_eq!(refused("hello\r\n\r\n"), MalformedMessage::StartLine);
        assert_eq!(refused("GET / HTTP/1.1\r\n\r\n"), MalformedMessage::StartLine);
        assert_eq!(refused("BYE sip:a SIP/7.0\r\n\r\n"), MalformedMessage::Version);
        assert_eq!(refused("BYE SIP/2.0\r\n\r\n"), MalformedMessage::StartLine);
        assert_eq!(refused("SIP/2.0 99 x\r\n\r\n"), MalformedMessage::StartLine);
        assert_eq!(refused("SIP/2.0 4294967301 x\r\n\r\n"), MalformedMessage::StartLine);
        assert_eq!(refused("BYE sip:a SIP/2.0\r\nnothing\r\n\r\n"), MalformedMessage::HeaderLine);
        assert_eq!(refused("BYE sip:a SIP/2.0\r\nA: b\r\n"), MalformedMessage::NoEndOfHeaders);
    }

    #[test]
    fn everything_is_bounded() {
        let mut many = "BYE sip:a SIP/2.0\r\n".to_owned();
        many.push_str(&"A: b\r\n".repeat(MAX_HEADERS));
        assert!(Message::parse(format!("{many}\r\n").as_bytes()).is_ok());
        assert_eq!(refused(&format!("{many}A: b\r\n\r\n")), MalformedMessage::TooManyHeaders);
        let folded =
            format!("BYE sip:a SIP/2.0\r\nA: {}\r\n\r\n", "\r\n b".repeat(MAX_HEADER_LINE));
        assert_eq!(refused(&folded), MalformedMessage::HeaderTooLong);
        let long = format!("BYE sip:{} SIP/2.0\r\n\r\n", "a".repeat(MAX_HEADER_LINE));
        assert_eq!(refused(&long), MalformedMessage::HeaderTooLong);
        assert_eq!(Message::parse(&vec![b'a'; MAX_MESSAGE + 1]), Err(MalformedMessage::TooLarge));
    }

    #[test]
    fn a_message_cut_off_anywhere_is_refused() {
        assert!(Message::parse(INVITE).is_ok());
        for end in 0..INVITE.len() {
            assert!(Message::parse(&INVITE[..end]).is_err(), "cut after {end}");
        }
    }

    fn any_method() -> impl Strategy<Value = Method> {
        "[A-Z]{1,9}|INVITE|ACK|[!%*_+`'~a-z.-]{1,9}".prop_map(|text| Method::parse(&text).unwrap())
    }

    fn any_start() -> impl Strategy<Value = Start> {
        let request = (any_method(), "[a-zA-Z0-9:@;=%?.+-]{1,40}")
            .prop_map(|(method, uri)| Start::Request { method, uri });
        let response = (100u16..700, "[^\u{0}-\u{1f}\u{7f} ]{0,20}")
            .prop_map(|(status, reason)| Start::Response { status, reason });
        prop_oneof![request, response]
    }

    fn any_message() -> impl Strategy<Value = Message> {
        let headers = vec(("[a-zA-Z0-9-]{1,12}|[a-z]", "\\PC{0,60}|[\\x00-\\xff]{0,20}"), 0..20);
        (any_start(), headers, vec(any::<u8>(), 0..200)).prop_map(|(start, headers, body)| {
            let mut message = Message { start, headers: Vec::new(), body };
            for (name, value) in headers {
                message.push(&name, value);
            }
            message
        })
    }

    fn read_everything(m: &Message) {
        black_box((m.request_uri().ok(), m.contacts(), m.contact(), m.sdp(), m.top_via()));
        black_box((m.record_routes(), m.expires(), m.retry_after(), m.session_expires(), m.rack()));
        black_box((m.q850_cause(), m.challenges(), m.reply(200, Some("tag")).to_bytes()));
        if let Ok(core) = m.core() {
            black_box((core.from.parsed_uri().ok(), core.via.reply_to(), core.via.received()));
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(message in any_message()) {
            prop_assert_eq!(Message::parse(&message.to_bytes()), Ok(message));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..600)) {
            if let Ok(message) = Message::parse(&bytes) {
                read_everything(&message);
            }
        }

        #[test]
        fn damaged_messages_never_panic(
            damage in vec((0..INVITE.len(), any::<u8>()), 0..12), cut in 0..=INVITE.len()
        ) {
            let mut bytes = INVITE.to_vec();
            for (at, byte) in damage {
                bytes[at] = byte;
            }
            bytes.truncate(cut);
            if let Ok(message) = Message::parse(&bytes) {
                read_everything(&message);
            }
        }

        #[test]
        fn arbitrary_header_values_never_panic(value in "[ -~]{0,40}|\\PC{0,40}|[\"<>;,=@:\\[\\]/ a1*]{0,40}") {
            let mut message = Message::response(407, "");
            for name in ["Via", "From", "To", "Contact", "CSeq", "Call-ID", "Reason", "Retry-After", "RAck",
                "Proxy-Authenticate", "Session-Expires", "Content-Type", "Record-Route"]
            {
                message.push(name, &value);
            }
            message.body = value.into_bytes();
            read_everything(&message);
        }
    }
}
