//! The torture messages of RFC 4475 and RFC 5118, each with its verdict: what is read, what is refused and where.
#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;

use outdial::logic::sip::digest::Challenge;
use outdial::logic::sip::message::BadHeader;
use outdial::logic::sip::message::Contacts;
use outdial::logic::sip::message::MalformedMessage;
use outdial::logic::sip::message::Message;
use outdial::logic::sip::message::Uri;
use outdial::logic::sip::message::name;
use outdial::logic::sip::sdp::LocalMedia;
use outdial::logic::sip::sdp::Sdp;

/// How far a datagram gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Read, with every header that a message needs.
    Fine,
    /// No message: dropped and counted.
    Dropped(MalformedMessage),
    /// The named header is bad: 400, or a dropped response.
    BadHeader(&'static str),
    /// The Request-URI is bad: 400.
    BadUri,
}

use Verdict::BadHeader as Header;
use Verdict::BadUri;
use Verdict::Dropped;
use Verdict::Fine;

/// In the order of RFC 4475 §3, then RFC 5118 §4. Where the RFC lets the receiver choose, we are lenient.
const VERDICTS: &[(&str, Verdict)] = &[
    ("rfc4475/wsinv", Fine),
    ("rfc4475/intmeth", Fine),
    ("rfc4475/esc01", Fine),
    ("rfc4475/escnull", Fine),
    ("rfc4475/esc02", Fine),
    ("rfc4475/lwsdisp", Fine),
    ("rfc4475/longreq", Fine),
    ("rfc4475/dblreq", Fine),
    ("rfc4475/semiuri", Fine),
    ("rfc4475/transports", Fine),
    ("rfc4475/mpart01", Fine),
    ("rfc4475/unreason", Fine),
    ("rfc4475/noreason", Fine),
    ("rfc4475/badinv01", Header("Via")),
    ("rfc4475/clerr", Dropped(MalformedMessage::BodyTooShort)),
    ("rfc4475/ncl", Dropped(MalformedMessage::ContentLength)),
    ("rfc4475/scalar02", Header("CSeq")),
    ("rfc4475/scalarlg", Header("CSeq")),
    ("rfc4475/quotbal", Header("To")),
    ("rfc4475/ltgtruri", BadUri),
    ("rfc4475/lwsruri", BadUri),
    ("rfc4475/lwsstart", Fine),
    ("rfc4475/trws", Fine),
    ("rfc4475/escruri", Fine),
    ("rfc4475/baddate", Fine),
    ("rfc4475/regbadct", Fine),
    ("rfc4475/badaspec", Fine),
    ("rfc4475/baddn", Fine),
    ("rfc4475/badvers", Dropped(MalformedMessage::Version)),
    ("rfc4475/mismatch01", Header("CSeq")),
    ("rfc4475/mismatch02", Header("CSeq")),
    ("rfc4475/bigcode", Dropped(MalformedMessage::StartLine)),
    ("rfc4475/badbranch", Fine),
    ("rfc4475/insuf", Header("From")),
    ("rfc4475/unkscm", Fine),
    ("rfc4475/novelsc", Fine),
    ("rfc4475/unksm2", Fine),
    ("rfc4475/bext01", Fine),
    ("rfc4475/invut", Fine),
    ("rfc4475/regaut01", Fine),
    ("rfc4475/multi01", Header("From")),
    ("rfc4475/mcl01", Dropped(MalformedMessage::ContentLength)),
    ("rfc4475/bcast", Fine),
    ("rfc4475/zeromf", Fine),
    ("rfc4475/cparam01", Fine),
    ("rfc4475/cparam02", Fine),
    ("rfc4475/regescrt", Fine),
    ("rfc4475/sdp01", Fine),
    ("rfc4475/inv2543", Fine),
    ("rfc5118/ipv6-good", Fine),
    ("rfc5118/ipv6-bad", BadUri),
    ("rfc5118/port-ambiguous", Fine),
    ("rfc5118/port-unambiguous", Fine),
    ("rfc5118/via-received-param-with-delim", Fine),
    ("rfc5118/via-received-param-no-delim", Fine),
    ("rfc5118/ipv6-in-sdp", Fine),
    ("rfc5118/mult-ip-in-header", Fine),
    ("rfc5118/mult-ip-in-sdp", Fine),
    ("rfc5118/ipv4-mapped-ipv6", Fine),
    ("rfc5118/ipv6-bug-abnf-3-colons", BadUri),
];

#[test]
fn every_message_gets_its_verdict() {
    let mut expected: BTreeMap<String, Verdict> =
        VERDICTS.iter().map(|(name, verdict)| ((*name).to_owned(), *verdict)).collect();
    assert_eq!(expected.len(), VERDICTS.len(), "a name is given twice");
    for (name, bytes) in files() {
        let verdict = expected.remove(&name);
        assert_eq!(Some(judge(&bytes)), verdict, "{name}");
    }
    assert!(expected.is_empty(), "no file for {expected:?}");
}

#[test]
fn what_is_read_is_printed_and_read_again_the_same() {
    for (name, bytes) in files() {
        if let Ok(message) = Message::parse(&bytes) {
            assert_eq!(Message::parse(&message.to_bytes()).as_ref(), Ok(&message), "{name}");
        }
    }
}

#[test]
fn no_message_panics_when_it_is_cut_or_a_byte_is_changed() {
    let strange = [0u8, 0xff, b'"', b'<', b'\n', b';', b':'];
    for (_, bytes) in files() {
        for end in (0..bytes.len()).step_by(5) {
            use_everything(&bytes[..end]);
        }
        for (at, strange) in (0..bytes.len()).step_by(5).zip(strange.iter().cycle()) {
            let mut damaged = bytes.clone();
            damaged[at] = *strange;
            use_everything(&damaged);
        }
    }
}

#[test]
fn the_tortuous_invite_is_read_to_its_last_parameter() {
    let message = read("rfc4475/wsinv");
    let core = message.core().unwrap();
    assert_eq!((core.to.tag(), core.from.tag()), (Some("1918181833n"), Some("98asjd8")));
    assert_eq!(core.from.display.as_deref(), Some("J Rosenberg \\\""));
    assert_eq!((core.cseq.number, core.lower_vias), (9, 2));
    assert_eq!(core.via.to_string(), "SIP/2.0/UDP 192.0.2.2;branch=390skdjuw");
    assert!(!core.via.has_rfc3261_branch());
    let branches: Vec<_> =
        message.items(name::VIA).map(|via| via.ends_with("z9hG4bK30239")).collect();
    assert_eq!(branches, [false, false, true]);
    assert_eq!(message.max_forwards(), Ok(Some(68)));
    assert_eq!(
        message.first("newfangledheader"),
        Some("newfangled value continued newfangled value")
    );
    assert_eq!(message.first("UnknownHeaderWithUnusualValue"), Some(";;,,;;,;"));
    assert_eq!(
        message.routes(),
        ["<sip:services.example.com;lr;unknownwith=value;unknown-no-value>"]
    );
    let contact = message.contact().unwrap();
    assert_eq!(contact.display.as_deref(), Some("Quoted string \"\""));
    assert_eq!(contact.params.get("q"), Some("0.33"));
    assert_eq!(message.first(name::SUBJECT), Some(""));
    let sdp = Sdp::parse(message.sdp().unwrap()).unwrap();
    assert_eq!(sdp.remote().unwrap().rtp, "192.0.2.4:49217".parse().unwrap());
}

#[test]
fn odd_but_legal_characters_are_kept() {
    let message = read("rfc4475/intmeth");
    let core = message.core().unwrap();
    assert_eq!(core.cseq.method.as_str(), "!interesting-Method0123456789_*+`.%indeed'~");
    assert_eq!(core.call_id, r#"intmeth.word%ZK-!.*_+'@word`~)(><:\/"][?}{"#);
    assert_eq!(core.from.params.get("fromParam''~+*_!.-%"), Some("работающий"));
    assert_eq!(core.from.tag(), Some("_token~1'+`*%!-."));
    // Control characters in a display name are the one thing replaced, by spaces.
    assert_eq!(core.to.display.as_deref(), Some("BEL:  NUL:  DEL: "));
    let uri = message.request_uri().unwrap();
    let sip = uri.as_sip().unwrap();
    assert_eq!(sip.host.to_string(), "example.com");
    assert_eq!(
        sip.user.as_deref(),
        Some(
            "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
        )
    );
    assert_eq!(message.first("extensionHeader-!.%*+_`'~"), Some("\u{feff}大停電"));
}

#[test]
fn escapes_are_undone_in_users_and_nowhere_else() {
    assert_eq!(user_of("rfc4475/esc01"), "sips:user@example.com");
    let message = read("rfc4475/esc01");
    let spaces = message.from().unwrap().parsed_uri().unwrap().user();
    assert_eq!(spaces.as_deref(), Some("I have spaces"));
    let nulls = read("rfc4475/escnull");
    let Contacts::These(contacts) = nulls.contacts() else { panic!("not a list") };
    let users: Vec<_> =
        contacts.iter().map(|one| one.parsed_uri().unwrap().user().unwrap()).collect();
    assert_eq!(users, ["\0", "\0\0"]);

    let message = read("rfc4475/esc02");
    assert_eq!(message.method().unwrap().as_str(), "RE%47IST%45R");
    assert_eq!(message.from().unwrap().display.as_deref(), Some("%Z%45"));
    assert_eq!(message.all(name::CONTACT).count(), 2);
    assert_eq!(message.all("C%6Fntact").count(), 1);
    assert_eq!(user_of("rfc4475/semiuri"), "user");
}

#[test]
fn long_and_many_values_are_kept() {
    let message = read("rfc4475/longreq");
    assert_eq!(message.core().unwrap().lower_vias, 33);
    assert!(message.from().unwrap().tag().unwrap().starts_with("12982982"));
    assert!(message.items(name::VIA).last().unwrap().ends_with("longbranchvalue"));
    let transports = read("rfc4475/transports");
    let kinds: Vec<_> =
        transports.items(name::VIA).map(|via| via.split(['/', ' ']).nth(2)).collect();
    assert_eq!(kinds, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"].map(Some));
}

#[test]
fn bytes_behind_the_message_are_cut() {
    let message = read("rfc4475/dblreq");
    assert_eq!(message.method().unwrap().as_str(), "REGISTER");
    assert!(message.body.is_empty());
}

#[test]
fn a_binary_body_keeps_every_byte() {
    let message = read("rfc4475/mpart01");
    let all: Vec<u8> = (0..=255).collect();
    assert!(message.body.windows(256).any(|window| window == all));
    assert_eq!(message.sdp(), None);
}

#[test]
fn reason_phrases_may_be_anything_or_nothing() {
    let shown = format!("{:?}", read("rfc4475/unreason").start);
    assert_eq!(shown, "200 = 2**3 * 5**2 но сто девяносто девять - простое");
    assert_eq!(format!("{:?}", read("rfc4475/noreason").start), "100 ");
}

#[test]
fn overlarge_numbers_are_capped_or_refused() {
    assert_eq!(read("rfc4475/scalar02").expires(), Some(u32::MAX));
    assert!(read("rfc4475/scalar02").max_forwards().is_err());
    assert_eq!(read("rfc4475/scalarlg").retry_after().unwrap().as_secs(), 86_400);
    assert_eq!(read("rfc4475/zeromf").max_forwards(), Ok(Some(0)));
}

#[test]
fn lenient_readings_find_what_was_meant() {
    assert_eq!(user_of("rfc4475/lwsstart"), "user");
    assert_eq!(user_of("rfc4475/trws"), "remote-target");
    assert_eq!(read("rfc4475/lwsdisp").from().unwrap().display.as_deref(), Some("caller"));
    assert_eq!(read("rfc4475/badaspec").to().unwrap().uri, "sip:t.watson@example.org");
    let from = read("rfc4475/baddn").from().unwrap();
    assert_eq!((from.display.as_deref(), from.tag()), (Some("Bell, Alexander"), Some("43")));
}

#[test]
fn escaped_headers_in_a_uri_are_set_apart() {
    let uri = read("rfc4475/escruri").request_uri().unwrap();
    let sip = uri.as_sip().unwrap();
    assert_eq!(sip.headers.as_deref(), Some("Route=%3Csip:example.com%3E"));
    assert_eq!(sip.as_request_uri().to_string(), "sip:user@example.com");
    // Without angle brackets nobody can say whose the question mark is (RFC 3261 §20.10).
    assert_eq!(read("rfc4475/regbadct").contact(), None);
    let contact = read("rfc4475/regescrt").contact().unwrap();
    assert!(contact.parsed_uri().unwrap().as_sip().unwrap().headers.is_some());
}

#[test]
fn brackets_decide_whose_a_parameter_is() {
    let bare = read("rfc4475/cparam01").contact().unwrap();
    assert_eq!(
        (bare.uri.as_str(), bare.params.has("unknownparam")),
        ("sip:+19725552222@gw1.example.net", true)
    );
    let bracketed = read("rfc4475/cparam02").contact().unwrap();
    assert!(bracketed.uri.ends_with(";unknownparam"));
    assert!(!bracketed.params.has("unknownparam"));
}

#[test]
fn unknown_schemes_types_and_extensions_are_seen_for_what_they_are() {
    let scheme = |name| read(name).request_uri().unwrap().scheme().to_owned();
    assert_eq!(scheme("rfc4475/unkscm"), "nobodyknowsthisscheme");
    assert_eq!(scheme("rfc4475/novelsc"), "soap.beep");
    let strange = read("rfc4475/unksm2");
    assert_eq!(strange.to().unwrap().parsed_uri().unwrap().scheme(), "isbn");
    assert_eq!(strange.contact(), None);
    assert_eq!(
        read("rfc4475/bext01").unsupported_extensions(&["timer"]),
        ["nothingSupportsThis", "nothingSupportsThisEither"]
    );
    assert_eq!(read("rfc4475/invut").sdp(), None);
    assert_eq!(read("rfc4475/invut").content_type().as_deref(), Some("application/unknownformat"));
    let credentials = read("rfc4475/regaut01").auth_values(name::AUTHORIZATION);
    assert_eq!(credentials[0].scheme, "NoOneKnowsThisScheme");
    assert!(!read("rfc4475/sdp01").lists(name::ACCEPT, "application/sdp"));
}

#[test]
fn branches_that_identify_nothing_are_told_apart() {
    assert!(!read("rfc4475/badbranch").core().unwrap().via.has_rfc3261_branch());
    let old = read("rfc4475/inv2543").core().unwrap();
    assert_eq!((old.via.branch(), old.from.tag()), (None, None));
    assert_eq!(read("rfc4475/bcast").core().unwrap().lower_vias, 1);
}

#[test]
fn ipv6_addresses_and_ports_are_told_apart() {
    let host_and_port = |name| {
        let uri: Uri = read(name).request_uri().unwrap();
        let sip = uri.as_sip().unwrap();
        (sip.host.to_string(), sip.port)
    };
    assert_eq!(host_and_port("rfc5118/ipv6-good"), ("[2001:db8::10]".into(), None));
    assert_eq!(host_and_port("rfc5118/port-ambiguous"), ("[2001:db8::10:5070]".into(), None));
    assert_eq!(host_and_port("rfc5118/port-unambiguous"), ("[2001:db8::10]".into(), Some(5070)));
    for name in ["rfc5118/via-received-param-with-delim", "rfc5118/via-received-param-no-delim"] {
        let received = read(name).core().unwrap().via.received();
        assert_eq!(received, Some("2001:db8::9:255".parse().unwrap()), "{name}");
    }
    let mapped = read("rfc5118/ipv4-mapped-ipv6").core().unwrap().via;
    assert_eq!(mapped.reply_to(), Some("[::ffff:192.0.2.10]:19823".parse().unwrap()));
    let both = Sdp::parse(read("rfc5118/mult-ip-in-sdp").sdp().unwrap()).unwrap();
    assert_eq!(both.remote().unwrap().rtp, "192.0.2.1:22334".parse().unwrap());
    let foreign_codec = Sdp::parse(read("rfc5118/ipv6-in-sdp").sdp().unwrap()).unwrap();
    assert_eq!(foreign_codec.remote(), None);
}

fn judge(bytes: &[u8]) -> Verdict {
    let message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(reason) => return Dropped(reason),
    };
    match message.core() {
        Err(BadHeader { name, .. }) => Header(name),
        Ok(_) if message.method().is_some() && message.request_uri().is_err() => BadUri,
        Ok(_) => Fine,
    }
}

/// Calls every reader; only a panic matters.
fn use_everything(bytes: &[u8]) {
    let Ok(m) = Message::parse(bytes) else { return };
    black_box((m.core().is_ok(), m.request_uri().is_ok(), m.top_via(), m.contacts(), m.contact()));
    black_box((m.record_routes(), m.routes(), m.expires(), m.session_expires(), m.min_se()));
    black_box((
        m.rseq(),
        m.rack(),
        m.retry_after(),
        m.q850_cause(),
        Challenge::choose(&m.challenges()),
    ));
    black_box((m.reply(400, Some("tag")).to_bytes(), m.unsupported_extensions(&[])));
    if let Some(Ok(sdp)) = m.sdp().map(Sdp::parse) {
        black_box(LocalMedia::new("192.0.2.1:4000".parse().unwrap(), 1).answer(&sdp));
    }
}

fn user_of(name: &str) -> String {
    read(name).request_uri().unwrap().user().unwrap()
}

fn read(name: &str) -> Message {
    let bytes = std::fs::read(Path::new("tests/vectors").join(format!("{name}.dat"))).unwrap();
    Message::parse(&bytes).unwrap()
}

fn files() -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for folder in ["rfc4475", "rfc5118"] {
        for entry in std::fs::read_dir(Path::new("tests/vectors").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            found.push((format!("{folder}/{stem}"), std::fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}
