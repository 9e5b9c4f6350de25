//! Statements that run on both databases, and the rows that come back.

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::logic::phone::PhoneNumber;
use crate::store::error::{Driver, StoreError};
use crate::store::sqlite::SqliteRow;

/// One statement as each database wants it. Parameters are `$1`, `$2`, ... on both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sql {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

impl Sql {
    /// The same text on both.
    pub(crate) const fn both(text: &'static str) -> Self {
        Self { sqlite: text, postgres: text }
    }
}

/// A statement over many rows: `$1` is one JSON text, an array of objects, which the statement sees as the table `r`
/// with the columns named (`int` or `text`; none may be called `row_no`) and `row_no`, counted from 0. Measured: one bind per kind costs a third of
/// one statement per row.
macro_rules! sql_rows {
    ([$($columns:tt)+], $text:literal) => {
        sql_rows!([$($columns)+], sqlite: $text, postgres: $text)
    };
    ([$first:ident $first_kind:ident $(, $name:ident $kind:ident)* $(,)?],
     sqlite: $sqlite:literal, postgres: $postgres:literal) => {
        $crate::store::sql::Sql {
            sqlite: concat!(
                "with r as materialized (select key as row_no, value->>'", stringify!($first), "' as ",
                stringify!($first),
                $(", value->>'", stringify!($name), "' as ", stringify!($name),)*
                " from jsonb_each($1)) ", $sqlite
            ),
            postgres: concat!(
                "with r as materialized (select ", stringify!($first), $(", ", stringify!($name),)*
                ", ord - 1 as row_no from rows from (jsonb_to_recordset($1::jsonb) as (",
                stringify!($first), " ", $crate::store::sql::postgres_type!($first_kind),
                $(", ", stringify!($name), " ", $crate::store::sql::postgres_type!($kind),)*
                ")) with ordinality as t(", stringify!($first), $(", ", stringify!($name),)* ", ord)) ", $postgres
            ),
        }
    };
}

/// Likewise over rows that are arrays, with their columns by place and without `row_no`: for bulk, where names of columns
/// would be most of the text.
macro_rules! sql_cells {
    ([$first_at:literal $first:ident $first_kind:ident $(, $at:literal $name:ident $kind:ident)* $(,)?], $text:literal) => {
        $crate::store::sql::Sql {
            sqlite: concat!(
                "with r as (select value->>", $first_at, " as ", stringify!($first),
                $(", value->>", $at, " as ", stringify!($name),)*
                " from jsonb_each($1)) ", $text
            ),
            postgres: concat!(
                "with r as materialized (select cast(v->>", $first_at, " as ",
                $crate::store::sql::postgres_type!($first_kind), ") as ", stringify!($first),
                $(", cast(v->>", $at, " as ", $crate::store::sql::postgres_type!($kind), ") as ", stringify!($name),)*
                " from jsonb_array_elements($1::jsonb) v) ", $text
            ),
        }
    };
}

/// Column kinds of [`sql_rows!`] and [`sql_cells!`].
macro_rules! postgres_type {
    (int) => {
        "bigint"
    };
    (text) => {
        "text"
    };
}

pub(crate) use {postgres_type, sql_cells, sql_rows};

/// A value for a parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bind<'a> {
    Int(i64),
    Text(&'a str),
    Null,
}

impl<'a> Bind<'a> {
    /// Whether this is the very same value: of equal texts only one that stands in the same place, which is seen at once.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(one), Self::Int(other)) => one == other,
            (Self::Text(one), Self::Text(other)) => std::ptr::eq(*one, *other),
            (Self::Null, Self::Null) => true,
            (Self::Int(_) | Self::Text(_) | Self::Null, _) => false,
        }
    }

    /// A text, or null.
    pub(crate) fn opt(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}

/// A statement of SQLite that runs once for each of many rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowText<'t> {
    pub(crate) text: &'t str,
    /// Which values of a row its parameters are, in their order (one behind the last: the number of the row, counted from
    /// 0). Empty: they are all, as they stand.
    pub(crate) places: &'t [usize],
}

impl<'t> From<&'t str> for RowText<'t> {
    fn from(text: &'t str) -> Self {
        Self { text, places: &[] }
    }
}

/// What is in a column, where the driver has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell<'t> {
    Null,
    Int(i64),
    /// A text; or a number that came as one.
    Text(&'t str),
}

/// A row of either database, read by position.
pub(crate) enum DbRow {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl DbRow {
    pub(crate) fn int(&self, at: usize) -> Result<i64, StoreError> {
        match self {
            Self::Sqlite(row) => row.int(at).and_then(|value| value.ok_or_else(null)).map_err(odd),
            Self::Postgres(row) => row.try_get(at).map_err(unread),
        }
    }

    pub(crate) fn opt_int(&self, at: usize) -> Result<Option<i64>, StoreError> {
        match self {
            Self::Sqlite(row) => row.int(at).map_err(odd),
            Self::Postgres(row) => row.try_get(at).map_err(unread),
        }
    }

    pub(crate) fn text(&self, at: usize) -> Result<String, StoreError> {
        match self {
            Self::Sqlite(row) => {
                let value = row.text(at).and_then(|value| value.ok_or_else(null)).map_err(odd);
                value.map(str::to_owned)
            }
            Self::Postgres(row) => row.try_get(at).map_err(unread),
        }
    }

    pub(crate) fn opt_text(&self, at: usize) -> Result<Option<String>, StoreError> {
        match self {
            Self::Sqlite(row) => row.text(at).map(|value| value.map(str::to_owned)).map_err(odd),
            Self::Postgres(row) => row.try_get(at).map_err(unread),
        }
    }

    /// A count or small number: never negative in our tables.
    pub(crate) fn count(&self, at: usize) -> Result<u64, StoreError> {
        Ok(u64::try_from(self.int(at)?).unwrap_or(0))
    }

    /// A column that holds 0 or 1.
    pub(crate) fn flag(&self, at: usize) -> Result<bool, StoreError> {
        Ok(self.int(at)? != 0)
    }

    /// A column of JSON text. What is in it is not told: it may be about a person.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, at: usize) -> Result<T, StoreError> {
        let text = self.text(at)?;
        serde_json::from_str(&text).map_err(|error| {
            let (bytes, column) = (text.len(), error.column());
            odd(format!("JSON of {bytes} bytes that is odd in column {column}"))
        })
    }

    /// A column with one of our closed lists.
    pub(crate) fn word<T: std::str::FromStr>(&self, at: usize) -> Result<T, StoreError> {
        read_word(self.text(at)?)
    }

    /// Likewise, or null.
    pub(crate) fn opt_word<T: std::str::FromStr>(
        &self,
        at: usize,
    ) -> Result<Option<T>, StoreError> {
        self.opt_text(at)?.map(read_word).transpose()
    }

    /// A column with a telephone number. One that is none is not told: it may be a person's all the same.
    pub(crate) fn number(&self, at: usize) -> Result<PhoneNumber, StoreError> {
        read_number(&self.text(at)?)
    }

    /// Likewise, or null.
    pub(crate) fn opt_number(&self, at: usize) -> Result<Option<PhoneNumber>, StoreError> {
        self.opt_text(at)?.as_deref().map(read_number).transpose()
    }
}

const READING: &str = "reading a row";

fn read_word<T: std::str::FromStr>(text: String) -> Result<T, StoreError> {
    text.parse().map_err(|_| odd(text))
}

fn read_number(text: &str) -> Result<PhoneNumber, StoreError> {
    text.parse().map_err(|_| odd("a number that is not E.164".to_owned()))
}

fn null() -> String {
    "Null".to_owned()
}

const fn odd(found: String) -> StoreError {
    StoreError::Damaged { doing: READING, found }
}

fn unread(error: sqlx::Error) -> StoreError {
    StoreError::during(READING)(Driver::Postgres(error))
}

/// One JSON text of rows that are tuples, for [`sql_cells!`].
pub(crate) fn json_cells<T: serde::Serialize>(rows: impl Iterator<Item = T>) -> String {
    let mut text = Vec::from(*b"[");
    for row in rows {
        if text.len() > 1 {
            text.push(b',');
        }
        // Our own flat tuples always serialise, into memory that takes all.
        if serde_json::to_writer(&mut text, &row).is_err() {
            return String::from("[]");
        }
    }
    text.push(b']');
    String::from_utf8(text).unwrap_or_else(|_| String::from("[]"))
}

/// One JSON text of all rows. Rows are our own flat structs, which always serialise.
pub(crate) fn json_rows<T: serde::Serialize>(rows: &[T]) -> String {
    serde_json::to_string(rows).unwrap_or_else(|_| String::from("[]"))
}
