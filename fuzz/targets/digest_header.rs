//! Whatever stands in WWW-Authenticate: no challenge, or one that we answer and that the answer fits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use outdial::logic::sip::digest::{Challenge, DigestRequest, DigestSession};
use outdial::logic::sip::message::AuthValue;

fuzz_target!(|value: &str| {
    for challenge in Challenge::choose(&AuthValue::parse_all(value)) {
        let request = DigestRequest {
            username: "outdial",
            password: "secret",
            method: "INVITE",
            uri: "sip:+81312345678@192.0.2.2",
            body: b"v=0",
        };
        let mut session = DigestSession::new(challenge.clone(), "0a4f113b");
        for count in 1..=2 {
            let answer = session.authorize(&request).to_string();
            let read = AuthValue::parse_all(&answer);
            assert_eq!(read.len(), 1, "{answer}");
            assert!(read[0].is_digest(), "{answer}");
            assert!(count == 1 || read[0].get("nc").is_none_or(|nc| nc == "00000002"), "{answer}");
        }
    }
});
