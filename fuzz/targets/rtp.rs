//! Whatever a datagram at the RTP or RTCP port holds: it is refused, or reads back as written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use outdial::logic::rtp::packet::RtpPacket;
use outdial::logic::rtp::rtcp::Heard;
use outdial::logic::rtp::telephone_event::KeyReceiver;

fuzz_target!(|datagrams: &[u8]| {
    let mut keys = KeyReceiver::default();
    // Several datagrams: a length, then so many bytes.
    let mut rest = datagrams;
    while let Some((length, after)) = rest.split_first() {
        let (datagram, later) = after.split_at(after.len().min(usize::from(*length)));
        rest = later;
        let _ = Heard::parse(datagram, 0x1234_5678);
        if let Ok(packet) = RtpPacket::parse(datagram) {
            let _ = keys.receive(&packet);
            assert!(packet.payload.len() <= datagram.len());
        }
    }
});
