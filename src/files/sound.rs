//! Sound files: WAV, 8 kHz, mono, 16-bit PCM, µ-law or A-law.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::logic::media::Codec;
use crate::logic::rtp::SAMPLE_RATE;
use crate::logic::rtp::g711;

/// A sound that cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    /// The file cannot be read.
    #[error("cannot read the sound {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is something else than we play.
    #[error(
        "{path}: {fault}; expected WAV, 8 kHz, mono, 16-bit PCM, µ-law or A-law. Convert: sox {path} -r 8000 -c 1 -b 16 out.wav"
    )]
    Format {
        /// Which file.
        path: PathBuf,
        /// What was found.
        fault: SoundFault,
    },
}

/// What is wrong with the bytes of a sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SoundFault {
    /// Over ten minutes.
    #[error("longer than 10 minutes")]
    TooLong,
    /// No RIFF/WAVE header.
    #[error("not a WAV file")]
    NotWav,
    /// A chunk is cut off, or `fmt ` and `data` are missing.
    #[error("the WAV file is incomplete")]
    Incomplete,
    /// Another encoding.
    #[error("encoding {tag} with {bits} bits is not played")]
    Encoding {
        /// The format tag.
        tag: u16,
        /// Bits a sample.
        bits: u16,
    },
    /// Another rate.
    #[error("the sample rate is {0} Hz")]
    Rate(u32),
    /// Stereo or more.
    #[error("it has {0} channels")]
    Channels(u16),
    /// No samples.
    #[error("it holds no sound")]
    Empty,
}

/// Reads a whole sound, at most ten minutes.
///
/// # Errors
/// [`SoundError`], which says how to convert the file.
pub fn read_sound(path: &Path) -> Result<Arc<[i16]>, SoundError> {
    let format = |fault| SoundError::Format { path: path.to_owned(), fault };
    let read = |source| SoundError::Read { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(read)?.len() > LONGEST {
        return Err(format(SoundFault::TooLong));
    }
    let bytes = std::fs::read(path).map_err(read)?;
    parse_wav(&bytes).map_err(format)
}

/// Samples of a WAV file's bytes.
///
/// # Errors
/// [`SoundFault`]; any bytes at all may be given.
pub fn parse_wav(bytes: &[u8]) -> Result<Arc<[i16]>, SoundFault> {
    let ([r, i, f, f2, _, _, _, _, w, a, v, e], mut rest) =
        bytes.split_first_chunk::<12>().ok_or(SoundFault::NotWav)?;
    if [*r, *i, *f, *f2] != *b"RIFF" || [*w, *a, *v, *e] != *b"WAVE" {
        return Err(SoundFault::NotWav);
    }
    let mut encoding = None;
    while let Some(([n0, n1, n2, n3, l0, l1, l2, l3], after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([*l0, *l1, *l2, *l3]);
        let length = usize::try_from(length).map_err(|_| SoundFault::Incomplete)?;
        let body = after.get(..length);
        match &[*n0, *n1, *n2, *n3] {
            b"fmt " => encoding = Some(read_format(body.ok_or(SoundFault::Incomplete)?)?),
            b"data" => {
                // Some writers leave the length open (0 or all ones) when they write to a pipe.
                let body = body.filter(|_| length > 0).unwrap_or(after);
                return samples(encoding.ok_or(SoundFault::Incomplete)?, body);
            }
            _ => {}
        }
        // Chunks are filled to an even length.
        rest = after.get(length.saturating_add(length % 2)..).unwrap_or_default();
    }
    Err(SoundFault::Incomplete)
}

#[derive(Clone, Copy)]
enum Encoding {
    Linear,
    Companded(Codec),
}

fn read_format(body: &[u8]) -> Result<Encoding, SoundFault> {
    let ([t0, t1, c0, c1, r0, r1, r2, r3, _, _, _, _, _, _, b0, b1], extension) =
        body.split_first_chunk::<16>().ok_or(SoundFault::Incomplete)?;
    let mut tag = u16::from_le_bytes([*t0, *t1]);
    if tag == EXTENSIBLE {
        // The real tag starts the sub-format, after a size, valid bits and a channel mask.
        let sub = extension.get(8..10).ok_or(SoundFault::Incomplete)?;
        tag = sub.first_chunk::<2>().map_or(tag, |sub| u16::from_le_bytes(*sub));
    }
    let channels = u16::from_le_bytes([*c0, *c1]);
    let rate = u32::from_le_bytes([*r0, *r1, *r2, *r3]);
    let bits = u16::from_le_bytes([*b0, *b1]);
    let encoding = match (tag, bits) {
        (1, 16) => Encoding::Linear,
        (6, 8) => Encoding::Companded(Codec::Pcma),
        (7, 8) => Encoding::Companded(Codec::Pcmu),
        _ => return Err(SoundFault::Encoding { tag, bits }),
    };
    if rate != SAMPLE_RATE {
        return Err(SoundFault::Rate(rate));
    }
    if channels != 1 {
        return Err(SoundFault::Channels(channels));
    }
    Ok(encoding)
}

fn samples(encoding: Encoding, body: &[u8]) -> Result<Arc<[i16]>, SoundFault> {
    let samples: Arc<[i16]> = match encoding {
        Encoding::Linear => {
            body.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
        }
        Encoding::Companded(codec) => body.iter().map(|byte| g711::decode(codec, *byte)).collect(),
    };
    if samples.is_empty() { Err(SoundFault::Empty) } else { Ok(samples) }
}

/// Ten minutes of 16-bit samples, and a header.
const LONGEST: u64 = 600 * 16_000 + 4_096;
/// `WAVE_FORMAT_EXTENSIBLE`: sox writes it for anything unusual.
const EXTENSIBLE: u16 = 0xfffe;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wav(tag: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
        let mut format = vec![];
        format.extend(tag.to_le_bytes());
        format.extend(channels.to_le_bytes());
        format.extend(rate.to_le_bytes());
        format.extend([0; 6]);
        format.extend(bits.to_le_bytes());
        let mut bytes = b"RIFF\0\0\0\0WAVE".to_vec();
        for (name, body) in [(b"fmt ", format.as_slice()), (b"LIST", b"odd"), (b"data", data)] {
            bytes.extend(name);
            bytes.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
            bytes.extend(body);
            bytes.extend(vec![0; body.len() % 2]);
        }
        bytes
    }

    #[test]
    fn the_three_encodings_are_read() {
        let linear = wav(1, 1, 8_000, 16, &[1, 0, 0xff, 0xff]);
        assert_eq!(parse_wav(&linear).unwrap().as_ref(), [1, -1]);
        assert_eq!(parse_wav(&wav(7, 1, 8_000, 8, &[0xff])).unwrap().as_ref(), [0]);
        assert_eq!(parse_wav(&wav(6, 1, 8_000, 8, &[0xd5])).unwrap().as_ref(), [8]);
    }

    #[test]
    fn what_is_not_played_is_named() {
        let fault = |bytes: &[u8]| parse_wav(bytes).unwrap_err();
        assert_eq!(fault(b"ID3"), SoundFault::NotWav);
        assert_eq!(fault(&wav(1, 2, 8_000, 16, &[0; 4])), SoundFault::Channels(2));
        assert_eq!(fault(&wav(1, 1, 44_100, 16, &[0; 4])), SoundFault::Rate(44_100));
        assert_eq!(
            fault(&wav(3, 1, 8_000, 32, &[0; 4])),
            SoundFault::Encoding { tag: 3, bits: 32 }
        );
        assert_eq!(fault(&wav(1, 1, 8_000, 16, &[])), SoundFault::Empty);
        assert_eq!(fault(b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0"), SoundFault::Incomplete);
    }

    #[test]
    fn the_error_tells_how_to_convert() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hold.wav");
        std::fs::write(&path, wav(1, 2, 8_000, 16, &[0; 4])).unwrap();
        let error = read_sound(&path).unwrap_err().to_string();
        assert!(error.contains("it has 2 channels; expected WAV, 8 kHz, mono"), "{error}");
        assert!(error.contains("hold.wav -r 8000 -c 1 -b 16 out.wav"), "{error}");
        let missing = read_sound(&folder.path().join("none.wav")).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read the sound "), "{missing}");
    }

    #[test]
    fn the_sounds_of_the_demo_are_readable_and_short() {
        for name in ["safe_harbour_ja", "safe_harbour_en", "call_lost_ja", "call_lost_en"] {
            let path = format!("{}/campaigns/demo/sounds/{name}.wav", env!("CARGO_MANIFEST_DIR"));
            let seconds = read_sound(Path::new(&path)).unwrap().len() / 8_000;
            assert!((4..=9).contains(&seconds), "{name}: {seconds} s");
        }
    }

    proptest! {
        #[test]
        fn damaged_files_never_panic(cut in 0usize..60, at in 0usize..60, byte: u8) {
            let mut bytes = wav(1, 1, 8_000, 16, &[1, 0, 2, 0]);
            bytes[at.min(59)] = byte;
            bytes.truncate(bytes.len() - cut.min(bytes.len()));
            if let Ok(samples) = parse_wav(&bytes) {
                prop_assert!(samples.len() * 2 <= bytes.len());
            }
        }
    }
}
