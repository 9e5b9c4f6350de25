//! G.711 both ways: the whole of ITU-T G.711 as tables built at compile time.

use crate::logic::media::Codec;

impl Codec {
    /// The static payload type (RFC 3551 §6).
    #[must_use]
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// The codec of a static payload type.
    #[must_use]
    pub const fn from_payload_type(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 => Some(Self::Pcmu),
            8 => Some(Self::Pcma),
            _ => None,
        }
    }

    /// The byte of a sample of silence.
    #[must_use]
    pub const fn silence(self) -> u8 {
        match self {
            Self::Pcmu => 0xff,
            Self::Pcma => 0xd5,
        }
    }
}

/// One byte to a sample.
#[must_use]
pub fn decode(codec: Codec, byte: u8) -> i16 {
    match codec {
        Codec::Pcmu => at(&ULAW_TO_LINEAR, byte),
        Codec::Pcma => at(&ALAW_TO_LINEAR, byte),
    }
}

/// One sample to a byte.
#[must_use]
pub const fn encode(codec: Codec, sample: i16) -> u8 {
    match codec {
        Codec::Pcmu => linear_to_ulaw(sample),
        Codec::Pcma => linear_to_alaw(sample),
    }
}

/// Appends `payload`, spoken in `from`, as `to` says it.
pub fn translate(payload: &[u8], from: Codec, to: Codec, out: &mut Vec<u8>) {
    match (from, to) {
        (Codec::Pcmu, Codec::Pcmu) | (Codec::Pcma, Codec::Pcma) => out.extend_from_slice(payload),
        (Codec::Pcmu, Codec::Pcma) => out.extend(payload.iter().map(|b| at(&ULAW_TO_ALAW, *b))),
        (Codec::Pcma, Codec::Pcmu) => out.extend(payload.iter().map(|b| at(&ALAW_TO_ULAW, *b))),
    }
}

#[expect(clippy::indexing_slicing, reason = "a byte cannot leave a table of 256")]
fn at<T: Copy>(table: &[T; 256], byte: u8) -> T {
    table[usize::from(byte)]
}

static ULAW_TO_LINEAR: [i16; 256] = tables::ULAW_TO_LINEAR;
static ALAW_TO_LINEAR: [i16; 256] = tables::ALAW_TO_LINEAR;
static ULAW_TO_ALAW: [u8; 256] = tables::ULAW_TO_ALAW;
static ALAW_TO_ULAW: [u8; 256] = tables::ALAW_TO_ULAW;

use tables::{linear_to_alaw, linear_to_ulaw};

mod tables {
    #![expect(
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "`From` cannot be called at compile time; every value below fits by its mask"
    )]

    /// µ-law is shifted by 33 steps of 14 bits, here 132 of 16, so that each segment starts at a power of two.
    const ULAW_BIAS: i32 = 132;
    /// The largest magnitude that still has a segment after the bias.
    const ULAW_CLIP: i32 = 32_635;

    pub(super) const ULAW_TO_LINEAR: [i16; 256] = {
        let (mut table, mut byte) = ([0; 256], 0);
        while byte < 256 {
            table[byte] = ulaw_to_linear(byte as u8);
            byte += 1;
        }
        table
    };
    pub(super) const ALAW_TO_LINEAR: [i16; 256] = {
        let (mut table, mut byte) = ([0; 256], 0);
        while byte < 256 {
            table[byte] = alaw_to_linear(byte as u8);
            byte += 1;
        }
        table
    };
    pub(super) const ULAW_TO_ALAW: [u8; 256] = {
        let (mut table, mut byte) = ([0; 256], 0);
        while byte < 256 {
            table[byte] = linear_to_alaw(ULAW_TO_LINEAR[byte]);
            byte += 1;
        }
        table
    };
    pub(super) const ALAW_TO_ULAW: [u8; 256] = {
        let (mut table, mut byte) = ([0; 256], 0);
        while byte < 256 {
            table[byte] = linear_to_ulaw(ALAW_TO_LINEAR[byte]);
            byte += 1;
        }
        table
    };

    /// Sign, three bits of segment, four of mantissa, all inverted (ITU-T G.711 table 2).
    pub(super) const fn linear_to_ulaw(sample: i16) -> u8 {
        let sample = sample as i32;
        let sign = if sample < 0 { 0x80 } else { 0 };
        let magnitude = sample.abs();
        let magnitude = if magnitude > ULAW_CLIP { ULAW_CLIP } else { magnitude } + ULAW_BIAS;
        let segment = 24 - magnitude.leading_zeros() as i32;
        let mantissa = (magnitude >> (segment + 3)) & 0x0f;
        !(sign | (segment << 4) | mantissa) as u8
    }

    const fn ulaw_to_linear(byte: u8) -> i16 {
        let bits = !byte as i32;
        let magnitude = ((((bits & 0x0f) << 3) + ULAW_BIAS) << ((bits & 0x70) >> 4)) - ULAW_BIAS;
        (if bits & 0x80 == 0 { magnitude } else { -magnitude }) as i16
    }

    /// Sign, segment, mantissa of 13 bits, even bits inverted (ITU-T G.711 table 1). Negative numbers are taken
    /// as one's complement, so that 0 and -1 are the two smallest steps.
    pub(super) const fn linear_to_alaw(sample: i16) -> u8 {
        let sample = sample as i32;
        let sign = if sample < 0 { 0 } else { 0x80 };
        let magnitude = if sample < 0 { !sample } else { sample } >> 4;
        let code = if magnitude < 32 {
            magnitude
        } else {
            let segment = 28 - magnitude.leading_zeros() as i32;
            (segment << 4) | ((magnitude >> (segment - 1)) & 0x0f)
        };
        ((sign | code) ^ 0x55) as u8
    }

    const fn alaw_to_linear(byte: u8) -> i16 {
        let bits = (byte ^ 0x55) as i32;
        let (segment, mantissa) = ((bits & 0x70) >> 4, bits & 0x0f);
        let magnitude = if segment == 0 {
            (mantissa << 4) + 8
        } else {
            ((mantissa << 4) + 0x108) << (segment - 1)
        };
        (if bits & 0x80 == 0 { -magnitude } else { magnitude }) as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];

    #[test]
    fn the_ends_of_the_scale_are_those_of_the_recommendation() {
        for (sample, ulaw, alaw) in [
            (0, 0xff, 0xd5),
            (32_767, 0x80, 0xaa),
            (-32_768, 0x00, 0x2a),
            (8, 0xfe, 0xd5),
            (-8, 0x7e, 0x55),
            (1_000, 0xce, 0xfa),
            (-1_000, 0x4e, 0x7a),
        ] {
            assert_eq!(encode(Codec::Pcmu, sample), ulaw, "{sample}");
            assert_eq!(encode(Codec::Pcma, sample), alaw, "{sample}");
        }
        assert_eq!(decode(Codec::Pcmu, 0x80), 32_124);
        assert_eq!(decode(Codec::Pcma, 0xaa), 32_256);
    }

    #[test]
    fn every_byte_survives_decoding_and_encoding() {
        for byte in 0..=u8::MAX {
            let again = encode(Codec::Pcma, decode(Codec::Pcma, byte));
            assert_eq!(again, byte);
            // µ-law has two zeroes; the negative one is said as the positive.
            let again = encode(Codec::Pcmu, decode(Codec::Pcmu, byte));
            assert_eq!(again, if byte == 0x7f { 0xff } else { byte });
        }
    }

    #[test]
    fn every_sample_comes_back_within_half_a_step_of_its_segment() {
        for codec in BOTH {
            for sample in i16::MIN..=i16::MAX {
                let back = i32::from(decode(codec, encode(codec, sample)));
                let error = (back - i32::from(sample)).abs();
                let allowed = i32::from(sample).abs() / 32 + 16;
                assert!(error <= allowed.max(644), "{codec:?} {sample} -> {back}");
                assert!(error <= allowed || sample.unsigned_abs() > 32_000, "{codec:?} {sample}");
            }
        }
    }

    #[test]
    fn translation_is_decoding_and_encoding() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        for (from, to) in [(Codec::Pcmu, Codec::Pcma), (Codec::Pcma, Codec::Pcmu)] {
            let mut out = vec![];
            translate(&all, from, to, &mut out);
            let expected: Vec<u8> = all.iter().map(|b| encode(to, decode(from, *b))).collect();
            assert_eq!(out, expected);
        }
        let mut out = vec![];
        translate(&all, Codec::Pcma, Codec::Pcma, &mut out);
        assert_eq!(out, all);
    }

    #[test]
    fn silence_is_the_code_of_zero() {
        for codec in BOTH {
            assert_eq!(codec.silence(), encode(codec, 0));
            assert_eq!(Codec::from_payload_type(codec.payload_type()), Some(codec));
        }
    }
}
