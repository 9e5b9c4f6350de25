//! A page of results from PostgreSQL, by COPY: the server writes rows as text, and nothing is decoded column by column.
//!
//! Format: <https://www.postgresql.org/docs/current/sql-copy.html>, "Text Format". Within a row no tab and no newline
//! stands for itself, so a row is cut before it is looked at.

use std::ops::ControlFlow;

use super::{CELLS, READING};
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::sql::Cell;

/// Runs the statement of a page with these numbers as `$1`, `$2`, ... Where `found` breaks off, the connection is spent.
pub(super) async fn page(
    db: &mut Db,
    text: &str,
    ints: [i64; 4],
    mut found: impl FnMut([Cell<'_>; CELLS]) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, StoreError> {
    let mut select = text.to_owned();
    for (number, int) in (1..).zip(ints) {
        select = select.replace(&format!("${number}"), &int.to_string());
    }
    let statement = format!("copy ({select}) to stdout");
    let (mut odd, mut room) = (None, Unescaped::default());
    let read = db.copy_out(READING, &statement, |line| match room.cells(line) {
        Some(cells) => found(cells),
        None => {
            odd = Some(line.len());
            ControlFlow::Continue(())
        }
    });
    let end = read.await?;
    let Some(length) = odd else { return Ok(end) };
    let found = format!("a row of {length} bytes that cannot be cut into its columns");
    Err(StoreError::Damaged { doing: READING, found })
}

/// Room for the cells that are written otherwise than they are.
#[derive(Default)]
struct Unescaped {
    text: String,
    ends: [Option<usize>; CELLS],
}

impl Unescaped {
    /// The cells of a line; `None`: these are not as many as a page has columns.
    fn cells<'t>(&'t mut self, line: &'t [u8]) -> Option<[Cell<'t>; CELLS]> {
        let line = std::str::from_utf8(line).ok()?;
        self.text.clear();
        let mut pieces = line.split('\t');
        for end in &mut self.ends {
            let piece = pieces.next()?;
            *end = (piece != NULL && unescape(piece, &mut self.text)).then_some(self.text.len());
        }
        if pieces.next().is_some() {
            return None;
        }
        let (mut cells, mut begin) = ([Cell::Null; CELLS], 0);
        for ((cell, piece), end) in cells.iter_mut().zip(line.split('\t')).zip(self.ends) {
            *cell = match end {
                Some(end) => Cell::Text(self.text.get(std::mem::replace(&mut begin, end)..end)?),
                None if piece == NULL => Cell::Null,
                None => Cell::Text(piece),
            };
        }
        Some(cells)
    }
}

/// Appends the piece as it is; `false`: there is nothing to change in it, and nothing was appended.
fn unescape(piece: &str, to: &mut String) -> bool {
    let Some((plain, mut rest)) = piece.split_once('\\') else { return false };
    to.push_str(plain);
    loop {
        let mut signs = rest.chars();
        let Some(sign) = signs.next() else { return true };
        to.push(match sign {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            other => other,
        });
        match signs.as_str().split_once('\\') {
            Some((plain, after)) => {
                to.push_str(plain);
                rest = after;
            }
            None => {
                to.push_str(signs.as_str());
                return true;
            }
        }
    }
}

const NULL: &str = "\\N";

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cells: &[(usize, &str)]) -> String {
        let mut pieces = vec![NULL; CELLS];
        for (at, text) in cells {
            pieces[*at] = text;
        }
        pieces.join("\t")
    }

    #[test]
    fn a_line_is_its_cells_whatever_stands_in_them() {
        let line = line(&[(0, "17"), (3, r"a\tb\\c\nd\\"), (4, ""), (5, r"\\N"), (21, r"\r山")]);
        let mut room = Unescaped::default();
        for _ in 0..2 {
            let cells = room.cells(line.as_bytes()).unwrap();
            let expected = [
                (0, Cell::Text("17")),
                (1, Cell::Null),
                (3, Cell::Text("a\tb\\c\nd\\")),
                (4, Cell::Text("")),
                (5, Cell::Text("\\N")),
                (21, Cell::Text("\r山")),
            ];
            for (at, cell) in expected {
                assert_eq!(cells[at], cell);
            }
        }
    }

    #[test]
    fn a_line_of_other_columns_is_not_cut() {
        let whole = line(&[]);
        let mut room = Unescaped::default();
        assert!(room.cells(whole.as_bytes()).is_some());
        assert!(room.cells(format!("{whole}\tx").as_bytes()).is_none());
        assert!(room.cells(whole.rsplit_once('\t').unwrap().0.as_bytes()).is_none());
        assert!(room.cells(b"\xff").is_none());
    }
}
