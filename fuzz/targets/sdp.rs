//! Whatever an answer offers to talk over: it is refused, or we can say where to send and what to answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use outdial::logic::sip::sdp::{LocalMedia, Sdp};

fuzz_target!(|body: &[u8]| {
    let Ok(offer) = Sdp::parse(body) else { return };
    let _ = offer.remote();
    let port = std::net::SocketAddr::from(([192, 0, 2, 1], 4_000));
    let ours = LocalMedia::new(port, 7);
    if let Some(answer) = ours.answer(&offer) {
        assert!(Sdp::parse(&answer.body).is_ok(), "our own answer is SDP");
    }
});
