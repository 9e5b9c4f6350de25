//! The RTP header (RFC 3550 §5.1): read with CSRC list, extension and padding; written without them.

/// The fields of the fixed header that differ from packet to packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpHeader {
    /// For audio: the first packet after a silence or a switch (RFC 3551 §4.1).
    pub marker: bool,
    /// 0..=127.
    pub payload_type: u8,
    /// One more for each packet, wraps.
    pub sequence: u16,
    /// Sampling instant of the first sample, wraps.
    pub timestamp: u32,
    /// The sender.
    pub ssrc: u32,
}

/// A packet as received; borrows the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    /// The fixed header.
    pub header: RtpHeader,
    /// Without padding.
    pub payload: &'a [u8],
}

/// Why a datagram is no RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtpError {
    /// Shorter than its header says.
    #[error("RTP: the datagram ends inside its header")]
    Truncated,
    /// The first two bits are not 2.
    #[error("RTP: version is not 2")]
    Version,
    /// The padding count is zero or more than there is.
    #[error("RTP: the padding count is impossible")]
    Padding,
}

impl<'a> RtpPacket<'a> {
    /// Reads one datagram.
    ///
    /// # Errors
    /// [`RtpError`] for anything that RFC 3550 §5.1 does not allow; any bytes at all may be given.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RtpError> {
        let (fixed, rest) =
            bytes.split_first_chunk::<{ RtpHeader::LEN }>().ok_or(RtpError::Truncated)?;
        let [flags, kind, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3] = *fixed;
        if flags >> 6 != 2 {
            return Err(RtpError::Version);
        }
        let csrcs = usize::from(flags & 0x0f);
        let mut payload = rest.get(csrcs * 4..).ok_or(RtpError::Truncated)?;
        if flags & 0x10 != 0 {
            let ([_, _, l0, l1], rest) =
                payload.split_first_chunk::<4>().ok_or(RtpError::Truncated)?;
            let words = usize::from(u16::from_be_bytes([*l0, *l1]));
            payload = rest.get(words * 4..).ok_or(RtpError::Truncated)?;
        }
        if flags & 0x20 != 0 {
            let padding = usize::from(*payload.last().ok_or(RtpError::Padding)?);
            let kept = payload.len().checked_sub(padding).ok_or(RtpError::Padding)?;
            if padding == 0 {
                return Err(RtpError::Padding);
            }
            payload = payload.get(..kept).ok_or(RtpError::Padding)?;
        }
        let header = RtpHeader {
            marker: kind & 0x80 != 0,
            payload_type: kind & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
        };
        Ok(Self { header, payload })
    }
}

impl RtpHeader {
    /// Bytes of the fixed header.
    pub const LEN: usize = 12;

    /// Appends the twelve bytes; the payload follows.
    pub fn write(self, out: &mut Vec<u8>) {
        let kind = (self.payload_type & 0x7f) | if self.marker { 0x80 } else { 0 };
        out.extend_from_slice(&[0x80, kind]);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.ssrc.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn csrcs_extension_and_padding_are_cut_off() {
        let mut bytes =
            vec![0x80 | 0x20 | 0x10 | 2, 0x80 | 8, 0x12, 0x34, 0, 0, 0, 160, 1, 2, 3, 4];
        bytes.extend_from_slice(&[9; 8]); // two CSRCs
        bytes.extend_from_slice(&[0xbe, 0xde, 0, 1, 7, 7, 7, 7]); // one extension word
        bytes.extend_from_slice(b"audio");
        bytes.extend_from_slice(&[0, 0, 3]); // padding of three
        let packet = RtpPacket::parse(&bytes).unwrap();
        assert_eq!(packet.payload, b"audio");
        assert_eq!(
            packet.header,
            RtpHeader {
                marker: true,
                payload_type: 8,
                sequence: 0x1234,
                timestamp: 160,
                ssrc: 0x0102_0304
            }
        );
    }

    #[test]
    fn headers_that_promise_more_than_there_is_are_refused() {
        let fixed = |flags: u8| vec![flags, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(RtpPacket::parse(&[0x80; 11]), Err(RtpError::Truncated));
        assert_eq!(RtpPacket::parse(&fixed(0x81)), Err(RtpError::Truncated));
        assert_eq!(RtpPacket::parse(&fixed(0x90)), Err(RtpError::Truncated));
        assert_eq!(RtpPacket::parse(&fixed(0xa0)), Err(RtpError::Padding));
        assert_eq!(RtpPacket::parse(&fixed(0x40)), Err(RtpError::Version));
        let padded = |count: u8| [fixed(0xa0), vec![0, count]].concat();
        assert_eq!(RtpPacket::parse(&padded(0)), Err(RtpError::Padding));
        assert_eq!(RtpPacket::parse(&padded(3)), Err(RtpError::Padding));
        assert_eq!(RtpPacket::parse(&padded(2)).unwrap().payload, b"");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(marker: bool, payload_type in 0u8..128, sequence: u16,
                                        timestamp: u32, ssrc: u32, payload: Vec<u8>) {
            let header = RtpHeader { marker, payload_type, sequence, timestamp, ssrc };
            let mut bytes = vec![];
            header.write(&mut bytes);
            bytes.extend_from_slice(&payload);
            prop_assert_eq!(RtpPacket::parse(&bytes), Ok(RtpPacket { header, payload: &payload }));
        }

        #[test]
        fn arbitrary_bytes_never_panic_and_never_grow(bytes: Vec<u8>) {
            if let Ok(packet) = RtpPacket::parse(&bytes) {
                prop_assert!(packet.payload.len() + RtpHeader::LEN <= bytes.len());
            }
        }
    }
}
