//! Whatever a datagram at the SIP port holds: it is refused, or every reader of it copes, and what we write of it reads back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use outdial::logic::sip::message::Message;

fuzz_target!(|datagram: &[u8]| {
    let Ok(message) = Message::parse(datagram) else { return };
    let _ = message.request_uri().map(|uri| uri.to_string());
    let (_, _, _) = (message.top_via(), message.from(), message.to());
    let (_, _, _) = (message.contacts(), message.record_routes(), message.routes());
    let (_, _, _) = (message.expires(), message.session_expires(), message.min_se());
    let (_, _, _) = (message.rseq(), message.rack(), message.retry_after());
    let (_, _, _) = (message.reasons(), message.q850_cause(), message.content_type());
    let (_, _) = (message.challenges(), message.auth_values("Authorization"));
    let _ = message.unsupported_extensions(&["timer", "100rel"]);
    let written = message.to_bytes();
    let Ok(again) = Message::parse(&written) else {
        panic!("what we wrote is no message: {:?}", String::from_utf8_lossy(&written));
    };
    assert_eq!(
        again.to_bytes(),
        written,
        "a message that was read and written once stays as it is"
    );
});
