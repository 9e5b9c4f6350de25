//! What a list is written in, and reading it as UTF-8 piece by piece.
//!
//! The order is: byte order mark, strict UTF-8, CP932, ask. Guessing libraries are not asked: they call half-width
//! kana GBK. A file is looked at to its end before anything is decided, for the byte that tells may be the last one.

use std::fmt;
use std::io;
use std::io::Read;
use std::str::FromStr;

use encoding_rs::Decoder;
use encoding_rs::DecoderResult;
use encoding_rs::Encoding;
use sha2::Digest;
use sha2::Sha256;

/// What a list can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TextEncoding {
    /// With or without a byte order mark.
    Utf8,
    /// "Unicode text" of Excel.
    Utf16Le,
    /// The same, big-endian.
    Utf16Be,
    /// Shift_JIS as Windows knows it (code page 932, windows-31j): "CSV" of a Japanese Excel.
    Cp932,
    /// Old Japanese Unix systems.
    EucJp,
    /// Western Europe; also Latin-1.
    Windows1252,
    /// Simplified Chinese; also GBK.
    Gb18030,
    /// Traditional Chinese.
    Big5,
    /// Korean; also code page 949.
    EucKr,
}

impl TextEncoding {
    /// All of them, as offered by `--encoding`.
    pub const ALL: [Self; 9] = [
        Self::Utf8,
        Self::Cp932,
        Self::Utf16Le,
        Self::Utf16Be,
        Self::EucJp,
        Self::Windows1252,
        Self::Gb18030,
        Self::Big5,
        Self::EucKr,
    ];

    /// The name for `--encoding`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
            Self::Cp932 => "cp932",
            Self::EucJp => "euc-jp",
            Self::Windows1252 => "windows-1252",
            Self::Gb18030 => "gb18030",
            Self::Big5 => "big5",
            Self::EucKr => "euc-kr",
        }
    }

    fn codec(self) -> &'static Encoding {
        match self {
            Self::Utf8 => encoding_rs::UTF_8,
            Self::Utf16Le => encoding_rs::UTF_16LE,
            Self::Utf16Be => encoding_rs::UTF_16BE,
            // The WHATWG Shift_JIS is windows-31j.
            Self::Cp932 => encoding_rs::SHIFT_JIS,
            Self::EucJp => encoding_rs::EUC_JP,
            Self::Windows1252 => encoding_rs::WINDOWS_1252,
            Self::Gb18030 => encoding_rs::GB18030,
            Self::Big5 => encoding_rs::BIG5,
            Self::EucKr => encoding_rs::EUC_KR,
        }
    }
}

impl fmt::Display for TextEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no encoding we read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an encoding we read: utf-8, cp932, utf-16le, utf-16be, euc-jp, windows-1252, gb18030, big5, euc-kr"
)]
pub struct UnknownEncoding(pub String);

impl FromStr for TextEncoding {
    type Err = UnknownEncoding;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.trim().to_ascii_lowercase().replace('_', "-");
        match name.as_str() {
            "utf8" | "utf-8-sig" | "utf-8-bom" => return Ok(Self::Utf8),
            "sjis" | "shift-jis" | "shiftjis" | "windows-31j" | "ms932" | "932" => {
                return Ok(Self::Cp932);
            }
            "utf-16" | "utf16" | "unicode" => return Ok(Self::Utf16Le),
            "latin1" | "latin-1" | "iso-8859-1" | "cp1252" => return Ok(Self::Windows1252),
            "gbk" | "gb2312" | "cp936" => return Ok(Self::Gb18030),
            "eucjp" => return Ok(Self::EucJp),
            "cp949" | "euckr" => return Ok(Self::EucKr),
            _ => {}
        }
        Self::ALL
            .into_iter()
            .find(|e| e.as_str() == name)
            .ok_or_else(|| UnknownEncoding(text.to_owned()))
    }
}

/// What the first pass over a list found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// What it is written in.
    pub encoding: TextEncoding,
    /// Length of its byte order mark.
    pub mark: usize,
    /// Its length.
    pub bytes: u64,
    /// Its physical lines, for the progress bar.
    pub lines: u64,
    /// SHA-256 of all its bytes, in hexadecimal: the same file twice is known by it.
    pub sha256: String,
}

/// The file cannot be read as text.
#[derive(Debug, thiserror::Error)]
pub enum EncodingError {
    /// Reading failed.
    #[error("reading the file failed: {0}")]
    Io(#[from] io::Error),
    /// It begins like a ZIP archive.
    #[error("this is an Excel workbook, not a CSV file: save it as \"CSV UTF-8\" and import that")]
    Workbook,
    /// Every second byte is zero.
    #[error(
        "the file looks like UTF-16 without a byte order mark: say --encoding utf-16le (or utf-16be)"
    )]
    Utf16WithoutMark,
    /// The mark at its beginning says something else than we were told.
    #[error(
        "the file begins with the byte order mark of {mark}, yet --encoding says {wanted}: leave --encoding out"
    )]
    MarkContradicts {
        /// What the mark says.
        mark: TextEncoding,
        /// What we were told.
        wanted: TextEncoding,
    },
    /// Neither UTF-8 nor surely CP932.
    #[error(
        "the file is not UTF-8 (first wrong byte on line {line}) and not surely CP932: say what it is written in \
         with --encoding (utf-8, cp932, euc-jp, windows-1252, gb18030, big5, euc-kr); rows with wrong bytes are \
         then refused one by one"
    )]
    Undecided {
        /// Physical line of the first byte that is not UTF-8.
        line: u64,
    },
}

/// Looks at the whole of `from`: what it is written in, its length, lines and hash. Memory is constant.
///
/// With `wanted` the encoding is not guessed; a byte order mark must agree with it.
///
/// # Errors
/// [`EncodingError`]: the file is no text, or nobody can tell which.
pub fn survey(from: &mut impl Read, wanted: Option<TextEncoding>) -> Result<Survey, EncodingError> {
    let mut facts = Facts::default();
    let mut hash = Sha256::new();
    let mut head = Vec::with_capacity(4);
    let mut buffer = vec![0; CHUNK];
    let mut probes = [
        Probe::new(TextEncoding::Utf8),
        Probe::new(TextEncoding::Cp932),
        Probe::new(TextEncoding::EucJp),
    ];
    loop {
        let chunk = read_some(from, &mut buffer)?;
        hash.update(chunk);
        if head.len() < 4 {
            head.extend(chunk.iter().take(4 - head.len()));
            if head.starts_with(b"PK\x03\x04") {
                return Err(EncodingError::Workbook);
            }
        }
        for probe in &mut probes {
            probe.feed(chunk, facts.lines + 1);
        }
        facts.feed(chunk);
        if chunk.is_empty() {
            break;
        }
    }
    let mark = MARKS.iter().find(|(bytes, _)| head.starts_with(bytes));
    let [utf8, cp932, euc_jp] = probes.map(|probe| probe.bad_line);
    let encoding = match (mark, wanted) {
        (Some((_, mark)), Some(wanted)) if *mark != wanted => {
            return Err(EncodingError::MarkContradicts { mark: *mark, wanted });
        }
        (Some((_, mark)), _) => *mark,
        (None, Some(wanted)) => wanted,
        (None, None) if facts.zeros * 4 > facts.bytes => {
            return Err(EncodingError::Utf16WithoutMark);
        }
        (None, None) => match utf8 {
            None => TextEncoding::Utf8,
            // Valid EUC-JP reads as half-width kana in CP932, and Western accents as rare kanji.
            Some(_)
                if cp932.is_none()
                    && euc_jp.is_some()
                    && facts.rare_pairs <= facts.common_pairs =>
            {
                TextEncoding::Cp932
            }
            Some(line) => return Err(EncodingError::Undecided { line }),
        },
    };
    let wide = matches!(encoding, TextEncoding::Utf16Le | TextEncoding::Utf16Be);
    let lines = if wide { facts.wide_lines } else { facts.lines };
    let unfinished = u64::from(!facts.ends_a_line && facts.bytes > 0);
    let sha256 = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    let mark = mark.map_or(0, |(bytes, _)| bytes.len());
    Ok(Survey { encoding, mark, bytes: facts.bytes, lines: lines + unfinished, sha256 })
}

/// Counts of the first pass.
#[derive(Debug, Default)]
struct Facts {
    bytes: u64,
    zeros: u64,
    lines: u64,
    /// Bytes `\n`: the lines of UTF-16, near enough for a progress bar.
    wide_lines: u64,
    last: u8,
    ends_a_line: bool,
    in_pair: bool,
    common_pairs: u64,
    rare_pairs: u64,
}

impl Facts {
    fn feed(&mut self, chunk: &[u8]) {
        self.bytes += u64::try_from(chunk.len()).unwrap_or_default();
        for &byte in chunk {
            if matches!(byte, b' '..=0x7f) {
                // Half of most lists: nothing to count.
                (self.in_pair, self.ends_a_line, self.last) = (false, false, byte);
                continue;
            }
            match byte {
                0 => self.zeros += 1,
                b'\n' => {
                    // `\r\n` is one line end; no multi-byte encoding here uses these bytes inside a character.
                    self.lines += u64::from(self.last != b'\r');
                    self.wide_lines += 1;
                }
                b'\r' => self.lines += 1,
                _ => {}
            }
            if self.in_pair {
                self.in_pair = false;
            } else if matches!(byte, 0x81..=0x9f) {
                self.common_pairs += 1;
                self.in_pair = true;
            } else if matches!(byte, 0xe0..=0xfc) {
                self.rare_pairs += 1;
                self.in_pair = true;
            }
            self.ends_a_line = matches!(byte, b'\n' | b'\r') || (byte == 0 && self.ends_a_line);
            self.last = byte;
        }
    }
}

/// Tries one encoding until its first wrong byte.
struct Probe {
    decoder: Decoder,
    bad_line: Option<u64>,
}

impl Probe {
    fn new(encoding: TextEncoding) -> Self {
        Self { decoder: encoding.codec().new_decoder_without_bom_handling(), bad_line: None }
    }

    /// An empty chunk ends the text.
    fn feed(&mut self, chunk: &[u8], line: u64) {
        let mut scratch = [0_u8; 4096];
        let mut rest = chunk;
        while self.bad_line.is_none() {
            let (result, read, _) = self.decoder.decode_to_utf8_without_replacement(
                rest,
                &mut scratch,
                chunk.is_empty(),
            );
            let (done, after) = rest.split_at_checked(read).unwrap_or((rest, &[]));
            match result {
                DecoderResult::InputEmpty => return,
                DecoderResult::OutputFull => rest = after,
                DecoderResult::Malformed(..) => {
                    let before = chunk.len() - rest.len() + done.len();
                    let seen = chunk.get(..before).unwrap_or_default();
                    let ends = seen.iter().filter(|b| **b == b'\n').count();
                    self.bad_line = Some(line + u64::try_from(ends).unwrap_or_default());
                }
            }
        }
    }
}

/// Reads text as UTF-8. Bytes that are wrong in the encoding become U+FFFD, which refuses the row they are in.
pub struct TextReader<R> {
    from: R,
    decoder: Decoder,
    mark_left: usize,
    buffer: Vec<u8>,
    bytes: u64,
    ended: bool,
}

impl<R> fmt::Debug for TextReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextReader").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl<R: Read> TextReader<R> {
    /// `from` stands at the beginning of the file that was surveyed.
    pub fn new(from: R, survey: &Survey) -> Self {
        Self {
            from,
            decoder: survey.encoding.codec().new_decoder_without_bom_handling(),
            mark_left: survey.mark,
            buffer: vec![0; CHUNK],
            bytes: 0,
            ended: false,
        }
    }

    /// Bytes read so far, for the progress bar.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends at most some 200 KiB of text to `into`; false when the file is at its end.
    ///
    /// # Errors
    /// Reading failed.
    pub fn read_text(&mut self, into: &mut String) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let chunk = read_some(&mut self.from, &mut self.buffer)?;
        self.ended = chunk.is_empty();
        self.bytes += u64::try_from(chunk.len()).unwrap_or_default();
        let skipped = self.mark_left.min(chunk.len());
        self.mark_left -= skipped;
        let mut rest = chunk.get(skipped..).unwrap_or_default();
        loop {
            into.reserve(rest.len() + 16);
            let (result, read) =
                self.decoder.decode_to_string_without_replacement(rest, into, self.ended);
            rest = rest.get(read..).unwrap_or_default();
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => into.reserve(rest.len() * 3 + 16),
                DecoderResult::Malformed(..) => into.push(char::REPLACEMENT_CHARACTER),
            }
        }
        Ok(true)
    }
}

/// One read that is not interrupted; empty at the end.
fn read_some<'a>(from: &mut impl Read, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    loop {
        match from.read(buffer) {
            Ok(length) => return Ok(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

const CHUNK: usize = 64 * 1024;

const MARKS: [(&[u8], TextEncoding); 3] = [
    (b"\xef\xbb\xbf", TextEncoding::Utf8),
    (b"\xff\xfe", TextEncoding::Utf16Le),
    (b"\xfe\xff", TextEncoding::Utf16Be),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn look(bytes: &[u8]) -> Result<Survey, EncodingError> {
        survey(&mut &*bytes, None)
    }

    fn read(bytes: &[u8], wanted: Option<TextEncoding>) -> String {
        let found = survey(&mut &*bytes, wanted).unwrap();
        let mut reader = TextReader::new(bytes, &found);
        let mut text = String::new();
        while reader.read_text(&mut text).unwrap() {}
        text
    }

    fn cp932(text: &str) -> Vec<u8> {
        encoding_rs::SHIFT_JIS.encode(text).0.into_owned()
    }

    fn utf16le(text: &str) -> Vec<u8> {
        let mut bytes = vec![0xff, 0xfe];
        bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        bytes
    }

    const TEXT: &str = "氏名,電話番号\r\n髙橋 ①㈱～,０３－１２３４－５６７８\r\nﾔﾏﾀﾞ,03\r\n";

    #[test]
    fn the_same_text_is_read_from_every_encoding_of_the_wild() {
        let big_endian: Vec<u8> = [0xfe, 0xff]
            .into_iter()
            .chain(TEXT.encode_utf16().flat_map(u16::to_be_bytes))
            .collect();
        for (bytes, encoding) in [
            (TEXT.as_bytes().to_vec(), TextEncoding::Utf8),
            (format!("\u{feff}{TEXT}").into_bytes(), TextEncoding::Utf8),
            (cp932(TEXT), TextEncoding::Cp932),
            (utf16le(TEXT), TextEncoding::Utf16Le),
            (big_endian, TextEncoding::Utf16Be),
        ] {
            let found = look(&bytes).unwrap();
            assert_eq!((found.encoding, found.lines), (encoding, 3), "{encoding}");
            assert_eq!(read(&bytes, None), TEXT, "{encoding}");
        }
    }

    #[test]
    fn a_late_byte_decides() {
        let mut bytes = vec![b'a'; 300_000];
        bytes.extend(b"\n");
        assert_eq!(look(&bytes).unwrap().encoding, TextEncoding::Utf8);
        bytes.extend(cp932("山田"));
        assert_eq!(look(&bytes).unwrap().encoding, TextEncoding::Cp932);
        bytes.extend([0xff, 0xff]);
        assert!(matches!(look(&bytes), Err(EncodingError::Undecided { line: 2 })));
    }

    #[test]
    fn a_character_cut_by_a_chunk_is_read_whole() {
        for pad in 0..4 {
            let text = format!("{}{}", "x".repeat(CHUNK - pad), "山田太郎");
            assert_eq!(read(text.as_bytes(), None), text);
            assert_eq!(read(&cp932(&text), None), text);
            assert_eq!(read(&utf16le(&text), None), text);
        }
    }

    #[test]
    fn what_is_not_sure_is_asked_for() {
        let euc_jp = encoding_rs::EUC_JP.encode("電話番号,氏名\n山田太郎").0.into_owned();
        assert!(matches!(look(&euc_jp), Err(EncodingError::Undecided { line: 1 })));
        assert_eq!(read(&euc_jp, Some(TextEncoding::EucJp)), "電話番号,氏名\n山田太郎");
        for western in ["name\nJosé Pérez", "name\nMüller", "name\nÉmile Zola, Genève"] {
            let bytes = encoding_rs::WINDOWS_1252.encode(western).0.into_owned();
            assert!(look(&bytes).is_err(), "{western}");
            assert_eq!(read(&bytes, Some(TextEncoding::Windows1252)), western);
        }
        assert!(matches!(look(b"PK\x03\x04rest"), Err(EncodingError::Workbook)));
        let no_mark: Vec<u8> = "phone,name\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(matches!(look(&no_mark), Err(EncodingError::Utf16WithoutMark)));
        let marked = "\u{feff}phone".as_bytes();
        assert!(matches!(
            survey(&mut &*marked, Some(TextEncoding::Cp932)),
            Err(EncodingError::MarkContradicts { .. })
        ));
    }

    #[test]
    fn a_wrong_byte_is_marked_and_never_dropped() {
        assert_eq!(read(b"a\xffb\xe5\xb1", Some(TextEncoding::Utf8)), "a\u{fffd}b\u{fffd}");
        assert_eq!(read(b"\xff\xfea\0\x00\xd8b\0c", None), "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn a_file_is_known_by_its_hash_and_lines_are_counted_in_every_style() {
        for (bytes, lines) in [
            (&b""[..], 0),
            (b"a", 1),
            (b"a\n", 1),
            (b"a\nb", 2),
            (b"a\r\nb\r\n", 2),
            (b"a\rb\r", 2),
            (b"\n\n", 2),
        ] {
            assert_eq!(look(bytes).unwrap().lines, lines, "{bytes:?}");
        }
        // FIPS 180-4 example: "abc".
        let abc = look(b"abc").unwrap();
        assert_eq!(abc.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(abc.bytes, 3);
    }

    #[test]
    fn an_encoding_is_known_by_the_names_people_use() {
        for encoding in TextEncoding::ALL {
            assert_eq!(encoding.as_str().parse(), Ok(encoding));
        }
        assert_eq!("Shift_JIS".parse(), Ok(TextEncoding::Cp932));
        assert!("ebcdic".parse::<TextEncoding>().is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(0u8.., 0..400)) {
            for wanted in TextEncoding::ALL {
                if let Ok(found) = survey(&mut &*bytes, Some(wanted)) {
                    let mut reader = TextReader::new(&*bytes, &found);
                    let mut text = String::new();
                    while reader.read_text(&mut text).unwrap() {}
                }
            }
        }
    }
}
