//! Cells that a spreadsheet would run as a formula are made harmless on the way out, and themselves again on the way in.
//!
//! CWE-1236; OWASP "CSV Injection". A `'` in front of `= + - @`, tab or carriage return (also full-width, also behind
//! white space or quotes) makes a cell text. E.164 numbers begin with `+` and are left alone.

use std::borrow::Cow;

/// The cell for a file that people open.
#[must_use]
pub fn guard(cell: &str) -> Cow<'_, str> {
    if needs_guard(cell) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// What [`guard`] was given.
#[must_use]
pub fn unguard(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| needs_guard(rest)).unwrap_or(cell)
}

/// A cell that already looks guarded is guarded once more, so that each comes back as it was.
fn needs_guard(cell: &str) -> bool {
    // Most cells are empty or begin with a letter or a digit.
    if cell.bytes().next().is_none_or(|first| first.is_ascii_alphanumeric()) {
        return false;
    }
    let bare = cell.trim_start_matches('\'');
    if is_e164(bare) {
        return false;
    }
    bare.starts_with(['\t', '\r', '\n', '\0'])
        || bare.trim_start_matches(|c: char| c.is_whitespace() || c == '"').starts_with(FORMULA)
}

fn is_e164(cell: &str) -> bool {
    cell.strip_prefix('+')
        .is_some_and(|d| (7..=15).contains(&d.len()) && d.bytes().all(|b| b.is_ascii_digit()))
}

const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_is_guarded() {
        for cell in [
            "=cmd|' /C calc'!A0",
            "+1+1",
            "-1",
            "@SUM(1)",
            "\tx",
            "\rx",
            "＝cmd",
            " =cmd",
            "\"=cmd",
            "　＝x",
        ] {
            assert_eq!(guard(cell), format!("'{cell}"));
        }
        for cell in ["", "山田", "03-1234-5678", "+81312345678", "it's", "'quoted'", "1=1"] {
            assert_eq!(guard(cell), cell);
        }
    }

    proptest::proptest! {
        #[test]
        fn every_cell_comes_back_as_it_was(cell in "['=+@\"\t \r0-9a＝-]{0,12}") {
            let guarded = guard(&cell);
            proptest::prop_assert_eq!(unguard(&guarded), cell.as_str());
        }
    }
}
