//! What one leg hears: which datagrams are the far end's, and what is in them.

use std::net::SocketAddr;

use crate::logic::media::Codec;
use crate::logic::rtp::packet::RtpHeader;
use crate::logic::rtp::packet::RtpPacket;
use crate::logic::rtp::rtcp::Heard;
use crate::logic::rtp::session::Session;
use crate::logic::rtp::session::Told;
use crate::logic::time::Tick;

/// Audio of one packet; borrows the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audio<'a> {
    /// As received.
    pub header: RtpHeader,
    /// From the payload type.
    pub codec: Codec,
    /// 1 to 960 bytes, one a sample.
    pub payload: &'a [u8],
}

impl Session {
    /// A datagram came to the RTP port: its audio, if it is the far end's and has any.
    pub fn receive<'a>(
        &mut self,
        now: Tick,
        from: SocketAddr,
        bytes: &'a [u8],
    ) -> Option<Audio<'a>> {
        let heard = self.recognise(now, from, bytes);
        if heard.is_none() {
            self.refused += 1;
        }
        let (packet, kind) = heard?;
        self.liveness.rtp(now);
        if self.told == Told::NotHeard {
            self.told = Told::First(from);
        }
        match kind {
            Kind::Audio(codec) => {
                self.reception.record(now, packet.header);
                Some(Audio { header: packet.header, codec, payload: packet.payload })
            }
            Kind::Key => {
                self.reception.record_untimed(now, packet.header);
                if let Some(key) = self.keys_in.receive(&packet)
                    && self.keys_heard.len() < MOST_KEYS
                {
                    self.keys_heard.push_back(key);
                }
                None
            }
            Kind::ComfortNoise => {
                self.reception.record_untimed(now, packet.header);
                None
            }
        }
    }

    /// A datagram came to the RTCP port.
    pub fn receive_rtcp(&mut self, now: Tick, from: SocketAddr, bytes: &[u8]) {
        let known =
            self.remote.as_ref().is_some_and(|remote| self.latch.accepts_rtcp(remote, from));
        match Heard::parse(bytes, self.stream.ssrc()) {
            Ok(heard) if known => {
                self.liveness.rtcp(now);
                if let Some((ssrc, ntp)) = heard.sender_report {
                    self.reception.sender_report(now, ssrc, ntp);
                }
            }
            Ok(_) | Err(_) => self.refused += 1,
        }
    }

    fn recognise<'a>(
        &mut self,
        now: Tick,
        from: SocketAddr,
        bytes: &'a [u8],
    ) -> Option<(RtpPacket<'a>, Kind)> {
        let packet = RtpPacket::parse(bytes).ok()?;
        let remote = self.remote.as_ref()?;
        let kind = match packet.header.payload_type {
            known if Some(known) == remote.telephone_event => Kind::Key,
            COMFORT_NOISE => Kind::ComfortNoise,
            other => Kind::Audio(Codec::from_payload_type(other)?),
        };
        let sized = match kind {
            Kind::Audio(_) => (1..=LONGEST_PAYLOAD).contains(&packet.payload.len()),
            Kind::Key => packet.payload.len() >= 4,
            Kind::ComfortNoise => true,
        };
        (sized && self.latch.accept(now, remote, from)).then_some((packet, kind))
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Audio(Codec),
    Key,
    ComfortNoise,
}

/// RFC 3389.
const COMFORT_NOISE: u8 = 13;
/// 120 ms; nobody sends more in one packet.
const LONGEST_PAYLOAD: usize = 960;
/// Keys that wait to be told: over two seconds of dialing by machine.
const MOST_KEYS: usize = 32;
