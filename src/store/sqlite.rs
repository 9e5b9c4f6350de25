//! A connection to a SQLite file: prepared statements on the thread that asks.
//!
//! Nothing here waits for a runtime: a statement runs to its end in the call. Whoever has something else to do meanwhile
//! gives the connection to a thread of its own (`runtime::store_link`); in return nothing is handed over between threads
//! for each statement, which cost more than most statements do.

use std::ops::ControlFlow;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{CachedStatement, Connection, Error, OpenFlags, ToSql};

use crate::store::sql::{Bind, Cell, RowText};

/// One connection.
#[derive(Debug)]
pub(super) struct SqliteFile {
    conn: Connection,
}

/// One row, its values copied.
#[derive(Debug)]
pub(crate) struct SqliteRow(Box<[Value]>);

impl SqliteFile {
    /// Opens what the rest of an address behind `sqlite:` names, made where missing; `pragmas` are set in their order.
    ///
    /// # Errors
    /// In words, where it is no such address; else as SQLite says.
    pub(super) fn open(
        address: &str,
        patience: Duration,
        pragmas: &[(&str, &str)],
    ) -> Result<Self, OpenError> {
        let (name, flags) = place(address)?;
        let conn = Connection::open_with_flags(name, flags)?;
        conn.busy_timeout(patience)?;
        for (name, value) in pragmas {
            // Some answer with a row.
            conn.pragma_update(None, name, value)?;
        }
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(Self { conn })
    }

    /// Runs a statement to its end and says how many rows it changed.
    pub(super) fn run(&self, text: &str, binds: &[Bind<'_>]) -> Result<u64, Error> {
        let mut statement = self.conn.prepare_cached(text)?;
        bind(&mut statement, binds)?;
        finish(&mut statement)?;
        Ok(self.conn.changes())
    }

    /// Runs a statement once for each of `rows`. `ran` hears of the place of each, and how many rows of tables it changed.
    pub(super) fn run_each<'b>(
        &self,
        text: RowText<'_>,
        rows: impl Iterator<Item = impl AsRef<[Bind<'b>]>>,
        mut ran: impl FnMut(usize, u64),
    ) -> Result<(), Error> {
        let (mut statement, mut last) = (self.conn.prepare_cached(text.text)?, None);
        for (place, row) in rows.enumerate() {
            bind_row(&mut statement, text.places, (place, row.as_ref()), bound(&last))?;
            finish(&mut statement)?;
            ran(place, self.conn.changes());
            last = Some(row);
        }
        Ok(())
    }

    /// Adds rows to the table and columns that `into` names, many with one statement: within one, SQLite keeps its place in
    /// the table and in each index from row to row, between two it does not (a list of 300,000 took 0.6 of the processor time).
    ///
    /// # Errors
    /// Rows before the one that was refused stay, since a statement that can be taken back alone has every page that it
    /// changes copied first: the transaction must be rolled back.
    pub(super) fn insert<'b, const N: usize>(
        &self,
        into: &str,
        mut rows: impl Iterator<Item = [Bind<'b>; N]>,
    ) -> Result<(), Error> {
        let row = format!("({})", ["?"; N].join(", "));
        let text =
            |rows| format!("insert or fail into {into} values {}", vec![&*row; rows].join(", "));
        let mut many = self.conn.prepare_cached(&text(ROWS_A_STATEMENT))?;
        let mut last: Vec<[Bind<'b>; N]> = vec![];
        loop {
            let group: Vec<_> = rows.by_ref().take(ROWS_A_STATEMENT).collect();
            if group.len() < ROWS_A_STATEMENT {
                return self.run_each((&*text(1)).into(), group.into_iter(), |_, _| {});
            }
            bind_row(&mut many, &[], (0, group.as_flattened()), last.as_flattened())?;
            finish(&mut many)?;
            last = group;
        }
    }

    /// Asks a question once for each of `rows`: `found` hears of each row of each answer, with the place of its question.
    pub(super) fn ask_each<'b>(
        &self,
        text: RowText<'_>,
        rows: impl Iterator<Item = impl AsRef<[Bind<'b>]>>,
        mut found: impl FnMut(usize, SqliteRow),
    ) -> Result<(), Error> {
        let (mut statement, mut last) = (self.conn.prepare_cached(text.text)?, None);
        for (place, row) in rows.enumerate() {
            bind_row(&mut statement, text.places, (place, row.as_ref()), bound(&last))?;
            let columns = statement.column_count();
            let mut answer = statement.raw_query();
            while let Some(row) = answer.next()? {
                found(place, SqliteRow::of(row, columns)?);
            }
            drop(answer);
            last = Some(row);
        }
        Ok(())
    }

    /// Which of the keys, in ascending order, an index has. The statement asks for the first key at or behind its last
    /// parameter: nobody asks for those that lie before the answer. So many keys of which the index has none cost one
    /// question where they are neighbours, and never more than one each.
    pub(super) fn present<'k>(
        &self,
        text: &str,
        first: &[Bind<'_>],
        keys: &[&'k str],
    ) -> Result<Vec<&'k str>, Error> {
        let mut statement = self.conn.prepare_cached(text)?;
        for (at, bind) in (1..).zip(first) {
            statement.raw_bind_parameter(at, bind)?;
        }
        let (mut rest, mut present) = (keys, vec![]);
        while let Some((key, after)) = rest.split_first() {
            statement.raw_bind_parameter(first.len() + 1, key)?;
            let mut answer = statement.raw_query();
            let Some(row) = answer.next()? else { break };
            let found = row.get_ref(0)?.as_str()?;
            if found == *key {
                present.push(*key);
                rest = after;
            } else {
                rest = after.get(after.partition_point(|key| *key < found)..).unwrap_or_default();
            }
        }
        Ok(present)
    }

    /// Runs a statement and reads all its rows.
    pub(super) fn rows(&self, text: &str, binds: &[Bind<'_>]) -> Result<Vec<SqliteRow>, Error> {
        let mut statement = self.conn.prepare_cached(text)?;
        bind(&mut statement, binds)?;
        let columns = statement.column_count();
        let (mut rows, mut answer) = (vec![], statement.raw_query());
        while let Some(row) = answer.next()? {
            rows.push(SqliteRow::of(row, columns)?);
        }
        Ok(rows)
    }

    /// Runs a statement and shows each of its rows where SQLite has it, until `found` breaks off.
    pub(super) fn visit(
        &self,
        text: &str,
        binds: &[Bind<'_>],
        mut found: impl FnMut(&rusqlite::Row<'_>) -> Result<ControlFlow<()>, Error>,
    ) -> Result<ControlFlow<()>, Error> {
        let mut statement = self.conn.prepare_cached(text)?;
        bind(&mut statement, binds)?;
        let mut answer = statement.raw_query();
        while let Some(row) = answer.next()? {
            if found(row)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Runs a file of statements.
    pub(super) fn script(&self, text: &str) -> Result<(), Error> {
        self.conn.execute_batch(text)
    }

    /// Closes it: the last one to do so moves the log into the file.
    pub(super) fn close(self) -> Result<(), Error> {
        self.conn.close().map_err(|(_, error)| error)
    }
}

impl SqliteRow {
    fn of(row: &rusqlite::Row<'_>, columns: usize) -> Result<Self, Error> {
        (0..columns).map(|at| Ok(row.get_ref(at)?.try_into()?)).collect::<Result<_, _>>().map(Self)
    }

    /// The integer in a column; `None`: null. An `Err` says what is there instead.
    pub(super) fn int(&self, at: usize) -> Result<Option<i64>, String> {
        match self.0.get(at) {
            Some(Value::Integer(value)) => Ok(Some(*value)),
            Some(Value::Null) => Ok(None),
            other => Err(kind(other)),
        }
    }

    /// Likewise a text.
    pub(super) fn text(&self, at: usize) -> Result<Option<&str>, String> {
        match self.0.get(at) {
            Some(Value::Text(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            other => Err(kind(other)),
        }
    }
}

/// The first cells of a row, where SQLite has them.
pub(super) fn cells<'r, const N: usize>(
    row: &'r rusqlite::Row<'_>,
) -> Result<[Cell<'r>; N], Error> {
    let mut cells = [Cell::Null; N];
    for (at, cell) in cells.iter_mut().enumerate() {
        *cell = match row.get_ref(at)? {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(value) => Cell::Int(value),
            ValueRef::Text(text) => Cell::Text(std::str::from_utf8(text)?),
            other @ (ValueRef::Real(_) | ValueRef::Blob(_)) => {
                let found = other.data_type();
                return Err(Error::InvalidColumnType(at, String::new(), found));
            }
        };
    }
    Ok(cells)
}

/// Never the value itself: it may be a person's.
fn kind(value: Option<&Value>) -> String {
    value.map_or_else(|| "no column".to_owned(), |value| value.data_type().to_string())
}

/// Why a file was not opened.
#[derive(Debug)]
pub(super) enum OpenError {
    /// The address is none of ours.
    Address(String),
    /// SQLite refuses.
    Sqlite(Error),
}

impl From<Error> for OpenError {
    fn from(error: Error) -> Self {
        Self::Sqlite(error)
    }
}

/// File name and flags: `FILE` (percent-encoded), `:memory:`, or `NAME?mode=memory`, which all connections of the process
/// that say the same name share.
fn place(address: &str) -> Result<(String, OpenFlags), OpenError> {
    let address = address.strip_prefix("//").unwrap_or(address);
    let (path, options) = address.split_once('?').map_or((address, None), |(a, b)| (a, Some(b)));
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let shared = OpenFlags::SQLITE_OPEN_MEMORY | OpenFlags::SQLITE_OPEN_SHARED_CACHE;
    let flags = match options {
        None | Some("mode=rwc") => flags,
        Some("mode=memory") => flags | shared | OpenFlags::SQLITE_OPEN_URI,
        Some(other) => {
            return Err(OpenError::Address(format!("unknown option `{other}` behind the file")));
        }
    };
    let name = percent_decode_str(path).decode_utf8();
    let name = name.map_err(|_| OpenError::Address("the file's name is not UTF-8".to_owned()))?;
    Ok((name.into_owned(), flags))
}

/// Parameters are `$1`, `$2`, …: to SQLite these are names, counted by their first appearance.
fn bind(statement: &mut CachedStatement<'_>, binds: &[Bind<'_>]) -> Result<(), Error> {
    for at in 1..=statement.parameter_count() {
        let number = statement.parameter_name(at).and_then(|name| name.get(1..)?.parse().ok());
        let value = number.and_then(|number: usize| binds.get(number.checked_sub(1)?));
        let Some(value) = value else {
            return Err(Error::InvalidParameterCount(at, binds.len()));
        };
        statement.raw_bind_parameter(at, value)?;
    }
    Ok(())
}

/// The values of the row that the statement ran for last; none yet: no value of the first row is there already.
fn bound<'l, 'b>(last: &'l Option<impl AsRef<[Bind<'b>]>>) -> &'l [Bind<'b>] {
    last.as_ref().map_or(&[], |row| row.as_ref())
}

/// See [`RowText`]. A value stays bound from row to row: of those that are the same only the first is handed over.
fn bind_row(
    statement: &mut CachedStatement<'_>,
    places: &[usize],
    (row_no, row): (usize, &[Bind<'_>]),
    last: &[Bind<'_>],
) -> Result<(), Error> {
    let changed = |place: usize| {
        let value = row.get(place);
        value.filter(|value| !last.get(place).is_some_and(|last| last.is(value)))
    };
    if places.is_empty() {
        for (at, bind) in (1..).zip((0..row.len()).map(changed)) {
            if let Some(bind) = bind {
                statement.raw_bind_parameter(at, bind)?;
            }
        }
    }
    for (at, place) in (1..).zip(places) {
        if let Some(bind) = changed(*place) {
            statement.raw_bind_parameter(at, bind)?;
        } else if *place == row.len() {
            statement.raw_bind_parameter(at, i64::try_from(row_no).unwrap_or(i64::MAX))?;
        }
    }
    Ok(())
}

/// To the last row: a statement that returns some has done everything only then.
fn finish(statement: &mut CachedStatement<'_>) -> Result<(), Error> {
    let mut rows = statement.raw_query();
    while rows.next()?.is_some() {}
    Ok(())
}

impl ToSql for Bind<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, Error> {
        Ok(ToSqlOutput::Borrowed(match self {
            Bind::Int(value) => ValueRef::Integer(*value),
            Bind::Text(text) => ValueRef::Text(text.as_bytes()),
            Bind::Null => ValueRef::Null,
        }))
    }
}

/// As many as gain something, measured with 1, 10, 50 and 200.
const ROWS_A_STATEMENT: usize = 50;

/// Prepared statements kept per connection: more than we have.
const STATEMENTS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_file_or_a_place_in_memory() {
        let name = |address| place(address).map(|(name, _)| name).ok();
        assert_eq!(name("//outdial.db").as_deref(), Some("outdial.db"));
        assert_eq!(name("a%3fb%25.db").as_deref(), Some("a?b%.db"));
        assert_eq!(name("file:w?mode=memory").as_deref(), Some("file:w"));
        assert!(matches!(place("x.db?mode=ro"), Err(OpenError::Address(_))));
    }

    #[test]
    fn parameters_go_by_their_numbers_wherever_they_stand() {
        let file = SqliteFile::open(":memory:", Duration::ZERO, &[]).unwrap();
        let binds = [Bind::Int(1), Bind::Text("two"), Bind::Null];
        let rows = file.rows("select $2, $1, $3, $2", &binds).unwrap();
        assert_eq!((rows[0].text(0), rows[0].int(1)), (Ok(Some("two")), Ok(Some(1))));
        assert_eq!((rows[0].int(2), rows[0].text(3)), (Ok(None), Ok(Some("two"))));
        assert_eq!(rows[0].int(0), Err("Text".to_owned()), "what is there, not its value");
        assert!(file.rows("select $4", &binds).is_err(), "nothing is bound to it");
    }

    #[test]
    fn a_statement_runs_for_each_row_and_changed_rows_are_counted() {
        let file = SqliteFile::open(":memory:", Duration::ZERO, &[]).unwrap();
        file.script("create table t (a integer primary key, b text); create index i on t (b)")
            .unwrap();
        let rows = [1, 2, 3].map(|n| [Bind::Int(n), Bind::Text("b")]);
        let add = "insert into t (a, b) values (?, ?)".into();
        file.run_each(add, rows.into_iter(), |_, _| {}).unwrap();
        let same = file.rows("select count(*) from t where b = 'b'", &[]).unwrap();
        assert_eq!(same[0].int(0), Ok(Some(3)), "a value that was bound once");
        assert_eq!(file.run("update t set b = 'c' where a >= $1", &[Bind::Int(2)]).unwrap(), 2);
        let asked = [1, 9, 3].map(|n| [Bind::Int(n)]);
        let mut found = vec![];
        let ask = RowText { text: "select b from t where a = ?1 and ?2 < 3", places: &[0, 1] };
        file.ask_each(ask, asked.into_iter(), |place, row| {
            found.push((place, row.text(0).unwrap().unwrap().to_owned()));
        })
        .unwrap();
        assert_eq!(found, [(0, "b".to_owned()), (2, "c".to_owned())]);
    }

    #[test]
    fn rows_are_added_in_groups_and_one_by_one_with_the_values_of_each() {
        let file = SqliteFile::open(":memory:", Duration::ZERO, &[]).unwrap();
        file.script("create table t (a integer primary key, b text, c integer) strict").unwrap();
        let group = i64::try_from(ROWS_A_STATEMENT).unwrap();
        let mut wanted = vec![];
        for rows in [0, 1, group - 1, group, group + 1, 3 * group + 2] {
            let first = i64::try_from(wanted.len()).unwrap();
            // Equal and different neighbours, and the same place of the group before.
            let row = |n: i64| (n, ["same", "other"][usize::from(n % 7 == 0)], n % group % 3);
            let added: Vec<_> = (first..first + rows).map(row).collect();
            let binds = added.iter().map(|(a, b, c)| [Bind::Int(*a), Bind::Text(b), Bind::Int(*c)]);
            file.insert("t (a, b, c)", binds).unwrap();
            wanted.extend(added);
        }
        let found = file.rows("select a, b, c from t order by a", &[]).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|row| {
                (
                    row.int(0).unwrap().unwrap(),
                    row.text(1).unwrap().unwrap(),
                    row.int(2).unwrap().unwrap(),
                )
            })
            .collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_row_that_is_refused_in_mid_group_takes_the_transaction_with_it() {
        let file = SqliteFile::open(":memory:", Duration::ZERO, &[]).unwrap();
        file.script("create table t (a integer primary key); insert into t values (30); begin")
            .unwrap();
        let rows = (1..=60).map(|n| [Bind::Int(n)]);
        let refused = file.insert("t (a)", rows).unwrap_err();
        let code = refused.sqlite_error().unwrap().extended_code;
        assert_eq!(code, rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY);
        file.script("rollback").unwrap();
        assert_eq!(file.rows("select count(*) from t", &[]).unwrap()[0].int(0), Ok(Some(1)));
    }

    #[test]
    fn sorted_keys_are_found_where_they_are_and_only_there() {
        let file = SqliteFile::open(":memory:", Duration::ZERO, &[]).unwrap();
        file.script("create table t (a integer, k text); create index i on t (a, k)").unwrap();
        for key in ["b", "d", "d", "f"] {
            file.run("insert into t values (7, $1), (8, 'a')", &[Bind::Text(key)]).unwrap();
        }
        let text = "select k from t where a = ? and k >= ? order by k limit 1";
        let present = |keys: &[&'static str]| file.present(text, &[Bind::Int(7)], keys).unwrap();
        assert_eq!(present(&["a", "b", "c", "ca", "d", "e", "f", "g", "h"]), ["b", "d", "f"]);
        assert_eq!(present(&["a", "aa"]), [""; 0]);
        assert_eq!(present(&["d", "d"]), ["d", "d"]);
        assert_eq!(present(&[]), [""; 0]);
    }
}
