//! What a check must know of a SIP message on its way: read by a look at the text, not by the parser under test.

/// An INVITE that starts a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FirstInvite {
    pub(crate) call_id: String,
    /// User part of the Request-URI.
    pub(crate) called: String,
    /// Tells a new INVITE from a repeat of an earlier one.
    pub(crate) branch: String,
}

/// The INVITE in a datagram, unless it is one within a dialog or something else.
pub(crate) fn first_invite(bytes: &[u8]) -> Option<FirstInvite> {
    let text = std::str::from_utf8(bytes).ok()?;
    let target = text.strip_prefix("INVITE sip:")?;
    let called = target.split(['@', ' ']).next()?.to_owned();
    let to = header(text, &["to", "t"])?;
    if to.contains(";tag=") {
        return None;
    }
    let call_id = header(text, &["call-id", "i"])?.to_owned();
    let via = header(text, &["via", "v"])?;
    let branch = via.split("branch=").nth(1)?.split([';', ',', ' ']).next()?.to_owned();
    Some(FirstInvite { call_id, called, branch })
}

/// `INVITE`, `BYE`... of a request, `200 INVITE` of a response.
pub(crate) fn word(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let first = text.lines().next().unwrap_or_default();
    match first.strip_prefix("SIP/2.0 ") {
        Some(status) => {
            let method = header(&text, &["cseq"]).and_then(|cseq| cseq.split(' ').nth(1));
            format!("{} {}", status.split(' ').next().unwrap_or_default(), method.unwrap_or("?"))
        }
        None => first.split(' ').next().unwrap_or_default().to_owned(),
    }
}

fn header<'t>(text: &'t str, names: &[&str]) -> Option<&'t str> {
    text.lines().skip(1).take_while(|line| !line.is_empty()).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let known = names.iter().any(|other| name.trim().eq_ignore_ascii_case(other));
        known.then(|| value.trim())
    })
}

#[test]
fn an_invite_is_read_and_a_hold_is_none() {
    let text = "INVITE sip:+819012345678@h SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx;rport\r\n\
                To: <sip:b@h>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n\r\n";
    let invite = first_invite(text.as_bytes()).unwrap();
    assert_eq!((&*invite.called, &*invite.call_id), ("+819012345678", "c1"));
    assert_eq!(invite.branch, "z9hG4bKx");
    assert_eq!(first_invite(text.replace("b@h>", "b@h>;tag=1").as_bytes()), None);
    assert_eq!(word(text.as_bytes()), "INVITE");
    assert_eq!(word(b"SIP/2.0 487 Gone\r\nCSeq: 1 INVITE\r\n\r\n"), "487 INVITE");
}
