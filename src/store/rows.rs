//! Statements over rows of one kind, in one text for both databases.
//!
//! The text speaks of a table `r`, whose columns are the fields of a [`Row`], and `r.row_no`, counted from 0. PostgreSQL
//! gets all rows at once, as one JSON text: what counts there is the way to the server and back. SQLite has no way to go and
//! runs the statement once for each row, with the fields as parameters: reading JSON and joining it to a table costs it
//! several times what such a statement does (measured: docs/benches.md, `outcomes`).
//!
//! So a text may say nothing of the rows as a whole (no sum over `r`, no `union` of it), and no two of them may touch the
//! same row of a table, which `batch::rounds` sees to. `from r` stands alone, before `where`, a comma or `left join`.

use std::sync::{LazyLock, OnceLock};

use serde::Serialize;

use crate::store::db::{Db, Engine};
use crate::store::error::StoreError;
use crate::store::sql::{Bind, DbRow, RowText, Sql, json_rows};

/// A struct whose fields are the columns of `r`; made by [`row!`].
pub(crate) trait Row: Serialize {
    /// Each field's name and its type in PostgreSQL.
    const FIELDS: &'static [(&'static str, &'static str)];
    /// The values of the fields, in their order.
    type Values<'r>: AsRef<[Bind<'r>]>
    where
        Self: 'r;

    /// As parameters.
    fn values(&self) -> Self::Values<'_>;
}

/// A value that a field may have.
pub(crate) trait Value {
    /// The type of its column in PostgreSQL.
    const POSTGRES: &'static str;

    fn bind(&self) -> Bind<'_>;
}

/// Declares a struct and makes it a [`Row`].
macro_rules! row {
    ($(#[$about:meta])* $see:vis struct $name:ident $(<$life:lifetime>)? {
        $($(#[$field_about:meta])* $field_see:vis $field:ident: $kind:ty,)+
    }) => {
        $(#[$about])*
        #[derive(serde::Serialize)]
        $see struct $name $(<$life>)? {
            $($(#[$field_about])* $field_see $field: $kind,)+
        }

        impl $(<$life>)? $crate::store::rows::Row for $name $(<$life>)? {
            const FIELDS: &'static [(&'static str, &'static str)] =
                &[$((stringify!($field), <$kind as $crate::store::rows::Value>::POSTGRES)),+];
            type Values<'r> = [$crate::store::sql::Bind<'r>; [$(stringify!($field)),+].len()]
            where
                Self: 'r;

            fn values(&self) -> Self::Values<'_> {
                [$($crate::store::rows::Value::bind(&self.$field)),+]
            }
        }
    };
}

/// A statement over rows of this kind, for a `static`.
macro_rules! row_sql {
    ($row:ty, $text:expr) => {
        $crate::store::rows::RowSql::new(
            || $crate::store::rows::one_by_one::<$row>($text),
            || $crate::store::rows::all_at_once::<$row>($text),
        )
    };
}

/// Likewise one that changes something and is asked which rows it hit: the text ends before its `returning`.
macro_rules! hit_sql {
    ($row:ty, $text:expr) => {
        $crate::store::rows::HitSql::new(
            || $crate::store::rows::one_by_one::<$row>($text),
            || $crate::store::rows::all_at_once::<$row>(concat!($text, " returning r.row_no")),
        )
    };
}

pub(crate) use {hit_sql, row, row_sql};

/// The two texts of a statement, made when it runs for the first time.
pub(crate) struct RowSql {
    sqlite: LazyLock<OneByOne>,
    postgres: LazyLock<String>,
}

impl RowSql {
    pub(crate) const fn new(sqlite: fn() -> OneByOne, postgres: fn() -> String) -> Self {
        Self { sqlite: LazyLock::new(sqlite), postgres: LazyLock::new(postgres) }
    }

    fn on_sqlite(&'static self) -> RowText<'static> {
        RowText { text: &self.sqlite.text, places: &self.sqlite.places }
    }

    fn on_postgres(&'static self) -> Sql {
        Sql::both(&self.postgres)
    }
}

/// A statement that says which rows it hit: PostgreSQL returns their numbers, on SQLite what it changed is counted.
pub(crate) struct HitSql(RowSql);

impl HitSql {
    pub(crate) const fn new(sqlite: fn() -> OneByOne, postgres: fn() -> String) -> Self {
        Self(RowSql::new(sqlite, postgres))
    }
}

/// A text for SQLite with the parameters `?1`, `?2`, ..., and the fields that they are.
pub(crate) struct OneByOne {
    text: String,
    /// One behind the last field: the number of the row.
    places: Vec<usize>,
}

/// Rows for statements. Without any, no statement runs.
pub(crate) struct Rows<R> {
    rows: Vec<R>,
    json: OnceLock<String>,
}

impl<R: Row> Rows<R> {
    pub(crate) const fn new(rows: Vec<R>) -> Self {
        Self { rows, json: OnceLock::new() }
    }

    pub(crate) fn into_vec(self) -> Vec<R> {
        self.rows
    }

    /// Runs a statement that changes something.
    pub(crate) async fn run(
        &self,
        db: &mut Db,
        doing: &'static str,
        sql: &'static RowSql,
    ) -> Result<(), StoreError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        match db.engine() {
            Engine::Sqlite => self.run_each(db, doing, sql, |_, _| {}),
            Engine::Postgres => {
                db.run(doing, &sql.on_postgres(), &[self.json()]).await?;
                Ok(())
            }
        }
    }

    /// Likewise, and says for which rows it found something to change.
    pub(crate) async fn hits(
        &self,
        db: &mut Db,
        doing: &'static str,
        HitSql(sql): &'static HitSql,
    ) -> Result<Vec<bool>, StoreError> {
        let mut hits = vec![false; self.rows.len()];
        let mut hit = |place: usize| {
            if let Some(hit) = hits.get_mut(place) {
                *hit = true;
            }
        };
        match db.engine() {
            Engine::Sqlite => self.run_each(db, doing, sql, |place, changed| {
                if changed > 0 {
                    hit(place);
                }
            })?,
            Engine::Postgres if self.rows.is_empty() => {}
            Engine::Postgres => {
                for row in db.rows(doing, &sql.on_postgres(), &[self.json()]).await? {
                    hit(place(&row, 0)?);
                }
            }
        }
        Ok(hits)
    }

    /// Asks a question; the order of the answers is not known.
    pub(crate) async fn ask(
        &self,
        db: &mut Db,
        doing: &'static str,
        sql: &'static RowSql,
    ) -> Result<Vec<DbRow>, StoreError> {
        if self.rows.is_empty() {
            return Ok(vec![]);
        }
        match db.engine() {
            Engine::Sqlite => {
                let mut answers = Vec::with_capacity(self.rows.len());
                db.ask_each(doing, sql.on_sqlite(), self.parameters(), |_, row| {
                    answers.push(row);
                    Ok(())
                })?;
                Ok(answers)
            }
            Engine::Postgres => db.rows(doing, &sql.on_postgres(), &[self.json()]).await,
        }
    }

    fn run_each(
        &self,
        db: &mut Db,
        doing: &'static str,
        sql: &'static RowSql,
        ran: impl FnMut(usize, u64),
    ) -> Result<(), StoreError> {
        db.run_each(doing, sql.on_sqlite(), self.parameters(), ran)
    }

    fn parameters(&self) -> impl Iterator<Item = R::Values<'_>> {
        self.rows.iter().map(Row::values)
    }

    fn json(&self) -> Bind<'_> {
        Bind::Text(self.json.get_or_init(|| json_rows(&self.rows)))
    }
}

/// The number of the row that an answer is to, from a column with `r.row_no`.
pub(crate) fn place(row: &DbRow, at: usize) -> Result<usize, StoreError> {
    Ok(usize::try_from(row.count(at)?).unwrap_or(usize::MAX))
}

/// Those that were hit, and the others.
pub(crate) fn split<T>(items: Vec<T>, hits: &[bool]) -> (Vec<T>, Vec<T>) {
    if hits.iter().all(|hit| *hit) {
        return (items, vec![]);
    }
    let (hit, missed): (Vec<_>, Vec<_>) = items.into_iter().zip(hits).partition(|(_, hit)| **hit);
    let plain = |items: Vec<(T, &bool)>| items.into_iter().map(|(item, _)| item).collect();
    (plain(hit), plain(missed))
}

/// The text for SQLite: without the table `r`, its columns that the text speaks of are parameters.
pub(crate) fn one_by_one<R: Row>(text: &str) -> OneByOne {
    // Locks: it has one writer.
    let text = text.split(" for update").next().unwrap_or(text);
    let text = text.replace("from r left join ", "from (select 1) left join ");
    let text = text.replace("from r, ", "from ");
    let text = as_values(&text).replace(" from r ", " ");
    let (mut made, mut places) = (String::with_capacity(text.len()), vec![]);
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("r.") {
        made.push_str(before);
        let (name, behind) =
            after.split_at(after.find(|sign| !is_of_word(sign)).unwrap_or(after.len()));
        let parameter = parameter::<R>(name).filter(|_| !before.ends_with(is_of_word));
        match parameter {
            Some(field) => {
                let known = places.iter().position(|place| *place == field);
                let at = known.unwrap_or_else(|| {
                    places.push(field);
                    places.len() - 1
                });
                made.push_str(&format!("?{}", at + 1));
            }
            None => {
                made.push_str("r.");
                made.push_str(name);
            }
        }
        rest = behind;
    }
    OneByOne { text: made + rest, places }
}

/// `insert … select … from r` adds one row, which SQLite knows only from `values`: else it notes what it would have to undo.
fn as_values(text: &str) -> String {
    let plain = text.strip_prefix("insert into ").and_then(|text| text.split_once(") select "));
    let Some((into, select)) = plain else { return text.to_owned() };
    let whole = select.strip_suffix(" from r").map(|values| (values, ""));
    let Some((values, behind)) = whole.or_else(|| select.split_once(" from r where true")) else {
        return text.to_owned();
    };
    format!("insert into {into}) values ({values}){behind}")
}

/// The text for PostgreSQL: `r` is the array of objects in `$1`, of which the columns are read that the text speaks of.
pub(crate) fn all_at_once<R: Row>(text: &str) -> String {
    let used = |name: &str| {
        let column = format!("r.{name}");
        text.match_indices(&column).any(|(at, _)| {
            text.get(..at).is_some_and(|before| !before.ends_with(is_of_word))
                && text.get(at + column.len()..).is_some_and(|after| !after.starts_with(is_of_word))
        })
    };
    let columns: Vec<_> = R::FIELDS.iter().filter(|(name, _)| used(name)).collect();
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    let kinds: Vec<_> = columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
    let (names, kinds) = (names.join(", "), kinds.join(", "));
    format!(
        "with r as materialized (select {names}, ord - 1 as row_no from rows from (jsonb_to_recordset($1::jsonb) as \
         ({kinds})) with ordinality as t({names}, ord)) {text}"
    )
}

/// `row_no` stands behind the fields.
fn parameter<R: Row>(name: &str) -> Option<usize> {
    let field = R::FIELDS.iter().position(|(field, _)| *field == name);
    field.or_else(|| (name == "row_no").then_some(R::FIELDS.len()))
}

fn is_of_word(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || sign == '_'
}

impl Value for i64 {
    const POSTGRES: &'static str = "bigint";

    fn bind(&self) -> Bind<'_> {
        Bind::Int(*self)
    }
}

impl Value for &str {
    const POSTGRES: &'static str = "text";

    fn bind(&self) -> Bind<'_> {
        Bind::Text(self)
    }
}

impl Value for String {
    const POSTGRES: &'static str = "text";

    fn bind(&self) -> Bind<'_> {
        Bind::Text(self)
    }
}

impl<V: Value> Value for Option<V> {
    const POSTGRES: &'static str = V::POSTGRES;

    fn bind(&self) -> Bind<'_> {
        self.as_ref().map_or(Bind::Null, Value::bind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    row! {
        struct Person<'a> {
            id: i64,
            name: &'a str,
            age: Option<i64>,
        }
    }

    #[test]
    fn on_sqlite_the_columns_are_parameters_and_the_table_is_not_there() {
        let made = one_by_one::<Person<'_>>;
        let update = made(
            "update t set name = r.name, age = t.age from r where t.id = r.id and r.name > ''",
        );
        let expected = "update t set name = ?1, age = t.age where t.id = ?2 and ?1 > ''";
        assert_eq!((update.text.as_str(), update.places.as_slice()), (expected, &[1, 0][..]));
        let asked =
            made("select r.row_no, a.x from r, attempt a where a.id = r.id for update of a");
        assert_eq!(asked.text, "select ?1, a.x from attempt a where a.id = ?2");
        assert_eq!(asked.places, [3, 0], "one behind the fields: the number of the row");
        let text = |text| made(text).text;
        assert_eq!(
            text("select r.row_no, l.x from r left join lead l on l.id = r.id"),
            "select ?1, l.x from (select 1) left join lead l on l.id = ?2"
        );
        assert_eq!(
            text(
                "insert into t (id, age) select r.id, r.age from r where true on conflict (id) do nothing"
            ),
            "insert into t (id, age) values (?1, ?2) on conflict (id) do nothing"
        );
        assert_eq!(text("insert into t (id) select r.id from r"), "insert into t (id) values (?1)");
        assert_eq!(
            text("insert into t (id) select l.id from r, lead l where l.id = r.id"),
            "insert into t (id) select l.id from lead l where l.id = ?1"
        );
        assert_eq!(text("select r.unknown, over.id"), "select r.unknown, over.id");
    }

    #[test]
    fn on_postgres_the_columns_it_speaks_of_are_read_from_one_text() {
        assert_eq!(
            all_at_once::<Person<'_>>("select r.row_no, r.age from r where r.id > 0"),
            "with r as materialized (select id, age, ord - 1 as row_no from rows from (jsonb_to_recordset($1::jsonb) as \
             (id bigint, age bigint)) with ordinality as t(id, age, ord)) select r.row_no, r.age from r where r.id > 0"
        );
    }

    #[test]
    fn each_row_runs_and_says_whether_it_found_something() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut db = Db::open("sqlite::memory:").await.unwrap();
            db.script("t", "create table t (id integer primary key, name text, age int)")
                .await
                .unwrap();
            static ADD: RowSql = row_sql!(
                Person<'_>,
                "insert into t (id, name, age) select r.id, r.name, r.age from r"
            );
            static OLDER: HitSql = hit_sql!(
                Person<'_>,
                "update t set age = r.age from r where t.id = r.id and t.age < r.age"
            );
            let numbered = OLDER.0.postgres.ends_with("t.age < r.age returning r.row_no");
            assert!(numbered && !OLDER.0.sqlite.text.contains("returning"));
            static FIND: RowSql =
                row_sql!(Person<'_>, "select r.row_no, t.name from r, t where t.age = r.age");
            let person = |id, name, age| Person { id, name, age };
            let people = Rows::new(vec![person(1, "ann", Some(20)), person(2, "bo", None)]);
            people.run(&mut db, "t", &ADD).await.unwrap();
            let older = Rows::new(vec![person(2, "", Some(50)), person(1, "", Some(30))]);
            assert_eq!(older.hits(&mut db, "t", &OLDER).await.unwrap(), [false, true]);
            let found = older.ask(&mut db, "t", &FIND).await.unwrap();
            let found: Vec<_> =
                found.iter().map(|row| (place(row, 0).unwrap(), row.text(1).unwrap())).collect();
            assert_eq!(found, [(1, "ann".to_owned())]);
            let nobody = Rows::<Person<'_>>::new(vec![]);
            assert_eq!(nobody.hits(&mut db, "t", &OLDER).await.unwrap(), [false; 0]);
        });
    }
}
