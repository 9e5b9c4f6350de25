//! Rows in PostgreSQL's binary COPY format: the server copies them into the table as they are, without parsing.
//!
//! Format: <https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format".

/// Rows of one COPY.
#[derive(Debug)]
pub(crate) struct CopyRows {
    bytes: Vec<u8>,
}

impl CopyRows {
    /// None yet.
    pub(crate) fn new() -> Self {
        // Signature, flags, length of the header's extension.
        Self { bytes: b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec() }
    }

    /// Begins a row of so many columns, each of which follows.
    pub(crate) fn row(&mut self, columns: i16) {
        self.bytes.extend(columns.to_be_bytes());
    }

    /// A `bigint`.
    pub(crate) fn int(&mut self, value: i64) {
        self.bytes.extend(8_i32.to_be_bytes());
        self.bytes.extend(value.to_be_bytes());
    }

    /// A `text`, or NULL. Longer than 2 GB it could not be anyhow.
    pub(crate) fn text(&mut self, value: Option<&str>) {
        match value.map(|text| (text, i32::try_from(text.len()))) {
            Some((text, Ok(length))) => {
                self.bytes.extend(length.to_be_bytes());
                self.bytes.extend(text.as_bytes());
            }
            Some((_, Err(_))) | None => self.bytes.extend((-1_i32).to_be_bytes()),
        }
    }

    /// Everything, with the trailer.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend((-1_i16).to_be_bytes());
        self.bytes
    }
}

/// The lines of a COPY in text format. A piece of what the server sends is a line, as servers are today; nothing says that
/// it must be.
#[derive(Debug, Default)]
pub(crate) struct CopyLines {
    begun: Vec<u8>,
}

impl CopyLines {
    /// Shows the lines that end in the next piece, without their ends.
    pub(crate) fn take(&mut self, piece: &[u8], mut found: impl FnMut(&[u8])) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            match part.split_last() {
                Some((b'\n', line)) if self.begun.is_empty() => found(line),
                Some((b'\n', line)) => {
                    self.begun.extend_from_slice(line);
                    found(&self.begun);
                    self.begun.clear();
                }
                Some(_) | None => self.begun.extend_from_slice(part),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_they_are_sent() {
        for pieces in [&["ab\n", "\n", "c\n"][..], &["a", "b\n\nc", "", "\n"], &["ab\n\nc\n"]] {
            let (mut lines, mut found) = (CopyLines::default(), vec![]);
            for piece in pieces {
                lines.take(piece.as_bytes(), |line| found.push(line.to_vec()));
            }
            assert_eq!(found, [&b"ab"[..], b"", b"c"]);
        }
    }

    #[test]
    fn a_row_is_its_columns_with_their_lengths() {
        let mut rows = CopyRows::new();
        rows.row(3);
        rows.int(258);
        rows.text(Some("ab"));
        rows.text(None);
        let expected = [
            &b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0"[..],
            &[0, 3],
            &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 1, 2],
            &[0, 0, 0, 2, b'a', b'b'],
            &[255, 255, 255, 255],
            &[255, 255],
        ];
        assert_eq!(rows.finish(), expected.concat());
    }
}
