//! What we write: UTF-8 with a byte order mark, or CP932 for programs that know nothing else.
//!
//! CP932 lacks many signs. `encoding_rs` would write `&#12316;` for them, as web forms do; a file for people must not.
//! Signs with a twin in CP932 become it, others refuse the export or become `?`, as asked, and are counted.

use std::io;
use std::io::Write;

use encoding_rs::Encoder;
use encoding_rs::EncoderResult;

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportEncoding {
    /// With a byte order mark, by which spreadsheets know it.
    Utf8,
    /// Windows-31J.
    Cp932(Unmappable),
}

/// What becomes of a sign that CP932 does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmappable {
    /// The export fails and names it.
    Refuse,
    /// It becomes `?`.
    QuestionMark,
}

/// Takes UTF-8 and writes the export's encoding.
pub struct ExportText<W> {
    to: W,
    /// `None`: UTF-8 passes as it is.
    encoder: Option<(Encoder, Unmappable)>,
    /// The beginning of a character whose end is still to come.
    cut: Vec<u8>,
    twins: u64,
    lost: u64,
}

impl<W> std::fmt::Debug for ExportText<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExportText")
            .field("twins", &self.twins)
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

impl<W: Write> ExportText<W> {
    /// Writes the byte order mark, if there is one.
    ///
    /// # Errors
    /// Writing failed.
    pub fn new(mut to: W, encoding: ExportEncoding) -> io::Result<Self> {
        let encoder = match encoding {
            ExportEncoding::Utf8 => {
                to.write_all("\u{feff}".as_bytes())?;
                None
            }
            ExportEncoding::Cp932(unmappable) => {
                Some((encoding_rs::SHIFT_JIS.new_encoder(), unmappable))
            }
        };
        Ok(Self { to, encoder, cut: Vec::new(), twins: 0, lost: 0 })
    }

    /// Signs that were written as their twin (`〜` as `～`).
    #[must_use]
    pub const fn twins(&self) -> u64 {
        self.twins
    }

    /// Signs that were written as `?`.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// Gives the target back.
    pub fn into_inner(self) -> W {
        self.to
    }

    fn write_text(&mut self, mut text: &str) -> io::Result<()> {
        let Some((encoder, unmappable)) = &mut self.encoder else {
            return self.to.write_all(text.as_bytes());
        };
        let mut bytes = [0; 4096];
        while !text.is_empty() {
            let (result, read, written) =
                encoder.encode_from_utf8_without_replacement(text, &mut bytes, false);
            self.to.write_all(bytes.get(..written).unwrap_or_default())?;
            text = text.get(read..).unwrap_or_default();
            let EncoderResult::Unmappable(sign) = result else { continue };
            let (twin, count) = match twin(sign) {
                Some(twin) => (twin, &mut self.twins),
                None if *unmappable == Unmappable::QuestionMark => ("?", &mut self.lost),
                None => return Err(refused(sign)),
            };
            *count += 1;
            let (_, _, written) =
                encoder.encode_from_utf8_without_replacement(twin, &mut bytes, false);
            self.to.write_all(bytes.get(..written).unwrap_or_default())?;
        }
        Ok(())
    }
}

impl<W: Write> Write for ExportText<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let joined;
        let all = if self.cut.is_empty() {
            bytes
        } else {
            joined = [self.cut.as_slice(), bytes].concat();
            joined.as_slice()
        };
        let (text, rest) = match std::str::from_utf8(all) {
            Ok(text) => (text, &[][..]),
            // No end yet: the character goes on in the next call.
            Err(error) if error.error_len().is_none() => {
                let (good, rest) = all.split_at_checked(error.valid_up_to()).unwrap_or((&[], all));
                (std::str::from_utf8(good).unwrap_or_default(), rest)
            }
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        };
        let rest = rest.to_vec();
        self.write_text(text)?;
        self.cut = rest;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn refused(sign: char) -> io::Error {
    let code = u32::from(sign);
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "`{sign}` (U+{code:04X}) does not exist in CP932: export as UTF-8, or allow `?` in its place"
        ),
    )
}

/// The sign of CP932 that looks and means the same.
const fn twin(sign: char) -> Option<&'static str> {
    Some(match sign {
        '\u{301c}' => "～",
        '\u{2014}' => "―",
        '\u{2013}' | '\u{2011}' => "‐",
        '\u{2016}' => "∥",
        '\u{a2}' => "￠",
        '\u{a3}' => "￡",
        '\u{ac}' => "￢",
        '\u{a0}' => " ",
        '\u{2022}' => "・",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(text: &str, encoding: ExportEncoding) -> io::Result<(Vec<u8>, u64, u64)> {
        let mut to = ExportText::new(Vec::new(), encoding)?;
        // One byte at a time: every character is cut.
        for byte in text.as_bytes() {
            to.write_all(&[*byte])?;
        }
        let (twins, lost) = (to.twins(), to.lost());
        Ok((to.into_inner(), twins, lost))
    }

    fn cp932(text: &str, unmappable: Unmappable) -> io::Result<(String, u64, u64)> {
        let (bytes, twins, lost) = export(text, ExportEncoding::Cp932(unmappable))?;
        let text =
            encoding_rs::SHIFT_JIS.decode_without_bom_handling_and_without_replacement(&bytes);
        Ok((text.unwrap().into_owned(), twins, lost))
    }

    #[test]
    fn a_sign_without_place_in_cp932_never_becomes_an_entity() {
        let text = "午前〜午後 — 髙橋①㈱ –";
        let (got, twins, lost) = cp932(text, Unmappable::Refuse).unwrap();
        assert_eq!(got, "午前～午後 ― 髙橋①㈱ ‐");
        assert_eq!((twins, lost), (3, 0));
        let (got, _, lost) = cp932("𠮷野 é 😀", Unmappable::QuestionMark).unwrap();
        assert_eq!((got.as_str(), lost), ("?野 ? ?", 3));
        let error = cp932("𠮷野", Unmappable::Refuse).unwrap_err().to_string();
        assert!(error.contains("U+20BB7"), "{error}");
        assert!(!got.contains("&#"));
    }

    #[test]
    fn utf8_begins_with_its_mark_and_passes_as_it_is() {
        let (bytes, ..) = export("〜𠮷", ExportEncoding::Utf8).unwrap();
        assert_eq!(bytes, "\u{feff}〜𠮷".as_bytes());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_written_without_entities(text in "\\PC{0,40}") {
            let (bytes, ..) = export(&text, ExportEncoding::Cp932(Unmappable::QuestionMark)).unwrap();
            let entities = |bytes: &[u8]| bytes.windows(2).filter(|pair| *pair == b"&#").count();
            proptest::prop_assert_eq!(entities(&bytes), entities(text.as_bytes()));
        }
    }
}
