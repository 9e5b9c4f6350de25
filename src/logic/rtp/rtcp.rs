//! RTCP (RFC 3550 §6): sender and receiver reports with a CNAME and a BYE, read and written.

/// What one report says about one source (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source reported on.
    pub ssrc: u32,
    /// Lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Lost in all, 24 bits.
    pub lost: u32,
    /// With the count of wraps above it.
    pub highest_sequence: u32,
    /// In samples.
    pub jitter: u32,
    /// The middle 32 bits of the last sender report's time; 0 for none.
    pub last_sr: u32,
    /// Since that report, in 65,536ths of a second.
    pub delay_since_sr: u32,
}

/// The sender's half of a sender report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderInfo {
    /// Seconds and their fraction, 32 bits each.
    pub ntp: u64,
    /// The same moment on the stream's clock.
    pub timestamp: u32,
    /// Sent since the start.
    pub packets: u32,
    /// Payload only.
    pub octets: u32,
}

/// One compound packet of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// Our SSRC.
    pub ssrc: u32,
    /// An SR with it, an RR without.
    pub sender: Option<SenderInfo>,
    /// About the far end.
    pub block: Option<ReportBlock>,
    /// Names us over SSRC changes; every compound packet must have it (§6.1). At most 255 bytes count.
    pub cname: &'a str,
    /// We leave.
    pub bye: bool,
}

/// What we use of a compound packet of the far end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// SSRC and NTP time of its sender report.
    pub sender_report: Option<(u32, u64)>,
    /// What it says about our stream.
    pub about_us: Option<ReportBlock>,
    /// It leaves.
    pub bye: bool,
}

/// Why a datagram is no RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtcpError {
    /// A length points past the end, or nothing is there.
    #[error("RTCP: the datagram ends inside a packet")]
    Truncated,
    /// The first two bits of a packet are not 2.
    #[error("RTCP: version is not 2")]
    Version,
    /// A compound packet starts with SR or RR (§6.1).
    #[error("RTCP: the first packet is no report")]
    NoReport,
}

impl Report<'_> {
    /// Appends the compound packet.
    pub fn write(&self, out: &mut Vec<u8>) {
        let count = u8::from(self.block.is_some());
        let blocks = if self.block.is_some() { 6 } else { 0 };
        match self.sender {
            Some(_) => put_header(out, count, SENDER_REPORT, 6 + blocks),
            None => put_header(out, count, RECEIVER_REPORT, 1 + blocks),
        }
        put(out, &[self.ssrc]);
        if let Some(sender) = self.sender {
            out.extend_from_slice(&sender.ntp.to_be_bytes());
            put(out, &[sender.timestamp, sender.packets, sender.octets]);
        }
        if let Some(block) = self.block {
            let lost = (u32::from(block.fraction_lost) << 24) | (block.lost & 0x00ff_ffff);
            put(out, &[block.ssrc, lost]);
            put(out, &[block.highest_sequence, block.jitter, block.last_sr, block.delay_since_sr]);
        }
        // SDES: one chunk with one item, ended by at least one zero and filled to a word.
        let length = u8::try_from(self.cname.len()).unwrap_or(u8::MAX);
        let cname = self.cname.as_bytes().get(..usize::from(length)).unwrap_or_default();
        let words = (u16::from(length) + 2) / 4 + 1;
        put_header(out, 1, SOURCE_DESCRIPTION, 1 + words);
        put(out, &[self.ssrc]);
        out.extend_from_slice(&[CNAME, length]);
        out.extend_from_slice(cname);
        out.extend(std::iter::repeat_n(0, usize::from(words) * 4 - cname.len() - 2));
        if self.bye {
            put_header(out, 1, BYE, 1);
            put(out, &[self.ssrc]);
        }
    }
}

impl Heard {
    /// Reads a compound packet; blocks about others than `ours` are passed over.
    ///
    /// # Errors
    /// [`RtcpError`] for what RFC 3550 A.2 calls invalid; any bytes at all may be given.
    pub fn parse(bytes: &[u8], ours: u32) -> Result<Self, RtcpError> {
        let mut heard = Self::default();
        let (mut rest, mut first) = (bytes, true);
        while first || !rest.is_empty() {
            let ([flags, kind, l0, l1], after) =
                rest.split_first_chunk::<4>().ok_or(RtcpError::Truncated)?;
            let length = usize::from(u16::from_be_bytes([*l0, *l1])) * 4;
            let body = after.get(..length).ok_or(RtcpError::Truncated)?;
            rest = after.get(length..).ok_or(RtcpError::Truncated)?;
            if flags >> 6 != 2 {
                return Err(RtcpError::Version);
            }
            if first && *kind != SENDER_REPORT && *kind != RECEIVER_REPORT {
                return Err(RtcpError::NoReport);
            }
            first = false;
            match *kind {
                SENDER_REPORT => {
                    let (ssrc, body) = take(body)?;
                    let (info, blocks) =
                        body.split_first_chunk::<20>().ok_or(RtcpError::Truncated)?;
                    let ntp = info.first_chunk::<8>().copied().unwrap_or_default();
                    heard.sender_report = Some((ssrc, u64::from_be_bytes(ntp)));
                    heard.read_blocks(blocks, flags & 0x1f, ours)?;
                }
                RECEIVER_REPORT => {
                    let (_, blocks) = take(body)?;
                    heard.read_blocks(blocks, flags & 0x1f, ours)?;
                }
                BYE => heard.bye = true,
                _ => {}
            }
        }
        Ok(heard)
    }

    fn read_blocks(&mut self, mut body: &[u8], count: u8, ours: u32) -> Result<(), RtcpError> {
        for _ in 0..count {
            let (ssrc, rest) = take(body)?;
            let (lost, rest) = take(rest)?;
            let (highest_sequence, rest) = take(rest)?;
            let (jitter, rest) = take(rest)?;
            let (last_sr, rest) = take(rest)?;
            let (delay_since_sr, rest) = take(rest)?;
            body = rest;
            if ssrc == ours {
                let [fraction_lost, ..] = lost.to_be_bytes();
                let lost = lost & 0x00ff_ffff;
                let block = ReportBlock {
                    ssrc,
                    fraction_lost,
                    lost,
                    highest_sequence,
                    jitter,
                    last_sr,
                    delay_since_sr,
                };
                self.about_us = Some(block);
            }
        }
        Ok(())
    }
}

fn take(bytes: &[u8]) -> Result<(u32, &[u8]), RtcpError> {
    let (word, rest) = bytes.split_first_chunk::<4>().ok_or(RtcpError::Truncated)?;
    Ok((u32::from_be_bytes(*word), rest))
}

fn put(out: &mut Vec<u8>, words: &[u32]) {
    out.extend(words.iter().flat_map(|word| word.to_be_bytes()));
}

/// `words` is the length after these four bytes, which is what the field wants: words minus one.
fn put_header(out: &mut Vec<u8>, count: u8, kind: u8, words: u16) {
    out.extend_from_slice(&[0x80 | count, kind]);
    out.extend_from_slice(&words.to_be_bytes());
}

// RFC 3550 §12.1 and §12.2.
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const CNAME: u8 = 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BLOCK: ReportBlock = ReportBlock {
        ssrc: 0x1111_2222,
        fraction_lost: 12,
        lost: 0x00ab_cdef,
        highest_sequence: 0x0001_ffff,
        jitter: 77,
        last_sr: 5,
        delay_since_sr: 6,
    };
    const SENDER: SenderInfo = SenderInfo { ntp: 1 << 40, timestamp: 2, packets: 3, octets: 4 };

    #[test]
    fn a_sender_report_with_bye_is_read_back() {
        let report =
            Report { ssrc: 9, sender: Some(SENDER), block: Some(BLOCK), cname: "abc", bye: true };
        let mut bytes = vec![];
        report.write(&mut bytes);
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(
            Heard::parse(&bytes, BLOCK.ssrc),
            Ok(Heard { sender_report: Some((9, SENDER.ntp)), about_us: Some(BLOCK), bye: true })
        );
        assert_eq!(Heard::parse(&bytes, 1).unwrap().about_us, None);
    }

    #[test]
    fn an_empty_receiver_report_is_the_bytes_of_the_rfc() {
        let report =
            Report { ssrc: 0x0102_0304, sender: None, block: None, cname: "ab", bye: false };
        let mut bytes = vec![];
        report.write(&mut bytes);
        let expected = [
            [0x80, 201, 0, 1].as_slice(),
            &[1, 2, 3, 4],
            &[0x81, 202, 0, 3],
            &[1, 2, 3, 4],
            &[1, 2, b'a', b'b', 0, 0, 0, 0],
        ];
        assert_eq!(bytes, expected.concat());
    }

    #[test]
    fn what_is_no_compound_packet_is_refused() {
        assert_eq!(Heard::parse(&[], 0), Err(RtcpError::Truncated));
        assert_eq!(Heard::parse(&[0x80, 203, 0, 0], 0), Err(RtcpError::NoReport));
        assert_eq!(Heard::parse(&[0x80, 201, 0, 2, 0, 0, 0, 0], 0), Err(RtcpError::Truncated));
        assert_eq!(Heard::parse(&[0x00, 201, 0, 1, 0, 0, 0, 0], 0), Err(RtcpError::Version));
        let promised = [0x81, 201, 0, 1, 0, 0, 0, 0];
        assert_eq!(Heard::parse(&promised, 0), Err(RtcpError::Truncated), "one block, none there");
    }

    proptest! {
        #[test]
        fn names_of_any_length_fill_whole_words(cname in "[a-z]{0,300}", sender: bool, block: bool, bye: bool) {
            let report = Report {
                ssrc: 1,
                sender: sender.then_some(SENDER),
                block: block.then_some(BLOCK),
                cname: &cname,
                bye,
            };
            let mut bytes = vec![];
            report.write(&mut bytes);
            let heard = Heard::parse(&bytes, BLOCK.ssrc).unwrap();
            prop_assert_eq!(heard.about_us, block.then_some(BLOCK));
            prop_assert_eq!(heard.bye, bye);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, ours: u32) {
            let mut bytes = bytes;
            prop_assert!(Heard::parse(&bytes, ours).is_err() || bytes.len() >= 8);
            if let [flags, kind, ..] = bytes.as_mut_slice() {
                (*flags, *kind) = (0x80 | (*flags & 0x1f), 200 + *kind % 4);
            }
            prop_assert!(Heard::parse(&bytes, ours).is_err() || bytes.len() >= 8);
        }
    }
}
