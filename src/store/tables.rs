//! Every table of the schema, for what has to touch them all: an installation that is copied, and one that is checked.
//!
//! The list is here and nowhere else; a test compares it with what the migrations make.

use serde::ser::{Serialize, SerializeMap, Serializer};
use sha2::{Digest, Sha256};

use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::sql::{Bind, DbRow, Sql, postgres_type};

/// One table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [(&'static str, Kind)],
    /// Places of the primary key's columns among them.
    key: &'static [&'static str],
    first: Sql,
    next: Sql,
    insert: Sql,
    delete: Sql,
}

/// What a column holds. There are no other kinds in the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `integer`, `bigint`.
    Int,
    /// `text`.
    Text,
}

/// `a, b, c`.
macro_rules! list {
    ($first:ident $(, $rest:ident)*) => { concat!(stringify!($first) $(, ", ", stringify!($rest))*) };
}

/// Parameters behind the first, as many as there are columns in the key.
macro_rules! after {
    ($a:ident) => {
        "$2"
    };
    ($a:ident, $b:ident) => {
        "$2, $3"
    };
    ($a:ident, $b:ident, $c:ident) => {
        "$2, $3, $4"
    };
}

macro_rules! kind {
    (int) => {
        Kind::Int
    };
    (text) => {
        Kind::Text
    };
}

macro_rules! tables {
    ($($name:ident by $($key:ident),+: $($column:ident $kind:ident),+;)+) => {
        /// Every table but `schema_version`, which is each database's own.
        pub const TABLES: &[Table] = &[$(Table {
            name: stringify!($name),
            columns: &[$((stringify!($column), kind!($kind))),+],
            key: &[$(stringify!($key)),+],
            first: Sql::both(concat!(
                "select ", list!($($column),+), " from ", stringify!($name),
                " order by ", list!($($key),+), " limit $1"
            )),
            next: Sql::both(concat!(
                "select ", list!($($column),+), " from ", stringify!($name),
                " where (", list!($($key),+), ") > (", after!($($key),+), ")",
                " order by ", list!($($key),+), " limit $1"
            )),
            insert: Sql {
                sqlite: concat!(
                    "insert into ", stringify!($name), " (", list!($($column),+), ") select ",
                    tables!(@json $($column),+), " from jsonb_each($1)"
                ),
                postgres: concat!(
                    "insert into ", stringify!($name), " (", list!($($column),+), ") select ",
                    list!($($column),+), " from jsonb_to_recordset($1::jsonb) as r (",
                    tables!(@typed $($column $kind),+), ")"
                ),
            },
            delete: Sql::both(concat!("delete from ", stringify!($name))),
        }),+];

        /// Nobody else writes until the transaction ends. The statement that begins a writing transaction does that on SQLite.
        pub(crate) const LOCK_ALL: Sql = Sql {
            sqlite: "select 1",
            postgres: concat!("lock table ", list!($($name),+), " in share mode"),
        };
    };
    (@json $first:ident $(, $rest:ident)*) => {
        concat!("value->>'", stringify!($first), "'" $(, ", value->>'", stringify!($rest), "'")*)
    };
    (@typed $first:ident $first_kind:ident $(, $rest:ident $kind:ident)*) => {
        concat!(
            stringify!($first), " ", postgres_type!($first_kind)
            $(, ", ", stringify!($rest), " ", postgres_type!($kind))*
        )
    };
}

tables! {
    installation by id: id text, secret text, created_ms int;
    counter by name: name text, value int;
    node by epoch: epoch int, name text, boot int, pid int, started_ms int, lease_until_ms int, ended_ms int,
        host text;
    seller by id: id int, name text;
    campaign by id: id int, name text, seller_id int, state text, state_ms int, first_run_ms int, mode text, mode_ms int;
    list by id: id int, campaign_id int, name text;
    contact by id: id int, seller_id int, external_id text, name text, language text, custom text;
    phone by id: id int, seller_id int, contact_id int, position int, key text, number text, kind text, extension text,
        zones text, suspect_day int, invalid int;
    calling_class by id: id int, descriptor text;
    campaign_class by campaign_id, class_id: campaign_id int, class_id int;
    lead by id: id int, campaign_id int, contact_id int, next_phone_id int, class_id int, rank int, state int, due_ms int,
        gate text, owner_agent_id int, claimed_by int, claim_no int, fence int, attempts int, last_outcome text,
        same_outcome int, list_id int, promised int, promised_ms int;
    attempt by id: id int, public_ref text, lead_id int, fence int, seller_id int, contact_id int, phone_id int,
        phone_key text, number text, campaign_id int, list_id int, attempt_no int, node_epoch int, rules_id int,
        trunk text, caller_id text, agent_id int, uncovered int, started_ms int, early_ms int, answered_ms int,
        connected_ms int, ended_ms int, outcome text, first_outcome text, sip_status int, q850 int, counted int,
        undelivered int, live int, abandoned int, window_ms int, booked_answered int, booked_abandoned int,
        booked_fault int, booked_live int, message text;
    leg by id: id int, attempt_id int, leg_no int, agent_id int, node_epoch int, trunk text, call text, started_ms int,
        remote_tag text, remote_target text, route_set text, cseq int, sip_status int, q850 int, early_ms int,
        answered_ms int, ended_ms int;
    disposition by attempt_id: attempt_id int, agent_id int, code text, memo text, at_ms int;
    callback by id: id int, attempt_id int, lead_id int, owner_agent_id int, due_ms int, window_end_ms int, state int;
    suppression by id, scope: id int, scope text, seller_id int, key text, reason text, proof text, at_ms int,
        lifted_ms int;
    interaction by id: id int, seller_id int, contact_id int, at_ms int, channel text, ref text, body text;
    agent by id: id int, name text, node_epoch int, leg_id int, held_ms int;
    trunk_share by trunk, node_epoch: trunk text, node_epoch int, calls_per_second int, channels int, wanted int,
        drawn_ms int;
    export_cursor by campaign_id, name: campaign_id int, name text, seq int, until_seq int, file text, at_ms int;
    agent_state by agent_id, at_ms, seq: agent_id int, at_ms int, seq int, node_epoch int, state text, reason text;
    abandon_window by campaign_id, starts_ms: campaign_id int, starts_ms int, ends_ms int, cap_ppm int, answered int,
        abandoned int, fault int, debt int, closed int;
    abandon_share by campaign_id, starts_ms, node_epoch: campaign_id int, starts_ms int, node_epoch int, share int;
    import by id: id int, file_hash text, list_id int, next_row int, state text, started_ms int, ended_ms int;
    import_row by list_id, row_key: list_id int, row_key text, import_id int, row_no int, result text;
    rules by id: id int, sha256 text, text text;
    event by seq: seq int, at_ms int, kind text, ref text, body text;
    audit by node_epoch, seq: node_epoch int, seq int, at_ms int, who text, what text, body text, prev_hash text,
        hash text;
    model_state by campaign_id, name: campaign_id int, name text, body text;
}

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
}

/// A row, in the order of its table's columns.
pub(crate) type Values = Vec<Value>;

impl Table {
    /// Writes rows; one that is there already is an error.
    pub(crate) async fn insert(&self, db: &mut Db, rows: &[Values]) -> Result<(), StoreError> {
        let rows: Vec<_> = rows.iter().map(|values| Object { table: self, values }).collect();
        let json = crate::store::sql::json_rows(&rows);
        db.run("writing copied rows", &self.insert, &[Bind::Text(&json)]).await?;
        Ok(())
    }

    /// Takes every row away.
    pub(crate) async fn clear(&self, db: &mut Db) -> Result<(), StoreError> {
        db.run("emptying a table", &self.delete, &[]).await?;
        Ok(())
    }

    fn values(&self, row: &DbRow) -> Result<Values, StoreError> {
        let cell = |(at, (_, kind)): (usize, &(&str, Kind))| {
            Ok(match kind {
                Kind::Int => row.opt_int(at)?.map_or(Value::Null, Value::Int),
                Kind::Text => row.opt_text(at)?.map_or(Value::Null, Value::Text),
            })
        };
        self.columns.iter().enumerate().map(cell).collect()
    }

    fn key_of<'v>(&self, values: &'v [Value]) -> Vec<Bind<'v>> {
        let of_key = |((name, _), value): (&(&'static str, Kind), &'v Value)| {
            self.key.contains(name).then(|| (*name, bind(value)))
        };
        let found: Vec<_> = self.columns.iter().zip(values).filter_map(of_key).collect();
        // In the order of the key, which the statement has.
        let place = |name: &&str| found.iter().find(|(of, _)| of == name).map(|(_, bind)| *bind);
        self.key.iter().filter_map(place).collect()
    }
}

/// A part of a primary key is never null.
const fn bind(value: &Value) -> Bind<'_> {
    match value {
        Value::Null => Bind::Int(0),
        Value::Int(value) => Bind::Int(*value),
        Value::Text(text) => Bind::Text(text.as_str()),
    }
}

/// All rows of a table, page by page in the order of its key: never more in memory than a page.
#[derive(Debug)]
pub(crate) struct Walk {
    table: &'static Table,
    last: Option<Values>,
    rows: i64,
}

impl Walk {
    pub(crate) const fn new(table: &'static Table) -> Self {
        Self { table, last: None, rows: PAGE_ROWS }
    }

    /// The next page; empty at the end.
    pub(crate) async fn next(&mut self, db: &mut Db) -> Result<Vec<Values>, StoreError> {
        let mut binds = vec![Bind::Int(self.rows)];
        let sql = match &self.last {
            None => &self.table.first,
            Some(last) => {
                binds.extend(self.table.key_of(last));
                &self.table.next
            }
        };
        let rows = db.rows("reading a table", sql, &binds).await?;
        let page: Vec<Values> =
            rows.iter().map(|row| self.table.values(row)).collect::<Result<_, _>>()?;
        let bytes: usize = page.iter().flatten().map(Value::size).sum();
        // Long rows (a contact may bring a megabyte of its list's own columns) come fewer at once.
        self.rows = if bytes > PAGE_BYTES { (self.rows / 4).max(1) } else { PAGE_ROWS };
        if let Some(last) = page.last() {
            self.last = Some(last.clone());
        }
        Ok(page)
    }
}

/// What tells two tables apart whatever the order of their rows: how many there are, and the sum of their hashes. Texts sort
/// differently on the two databases, so an order would tell apart what is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) rows: u64,
    hashes: [u64; 4],
}

impl Sum {
    pub(crate) fn add(&mut self, row: &[Value]) {
        let mut hash = Sha256::new();
        for value in row {
            match value {
                Value::Null => hash.update([0]),
                Value::Int(value) => {
                    hash.update([1]);
                    hash.update(value.to_be_bytes());
                }
                Value::Text(text) => {
                    hash.update([2]);
                    hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
                    hash.update(text.as_bytes());
                }
            }
        }
        let hash = hash.finalize();
        for (sum, lane) in self.hashes.iter_mut().zip(hash.chunks(8)) {
            let lane = lane.iter().fold(0_u64, |lane, byte| lane << 8 | u64::from(*byte));
            *sum = sum.wrapping_add(lane);
        }
        self.rows += 1;
    }

    /// Of a whole table.
    pub(crate) async fn of(db: &mut Db, table: &'static Table) -> Result<Self, StoreError> {
        let mut sum = Self::default();
        let mut walk = Walk::new(table);
        loop {
            let page = walk.next(db).await?;
            if page.is_empty() {
                return Ok(sum);
            }
            for row in &page {
                sum.add(row);
            }
        }
    }
}

impl Value {
    const fn size(&self) -> usize {
        match self {
            Self::Null | Self::Int(_) => 8,
            Self::Text(text) => text.len(),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// A row as the insert wants it: an object with a field for each column.
struct Object<'a> {
    table: &'a Table,
    values: &'a [Value],
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.values.len()))?;
        for ((name, _), value) in self.table.columns.iter().zip(self.values) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Rows of a page.
const PAGE_ROWS: i64 = 500;
/// A page that was longer is followed by a shorter one.
const PAGE_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::time::UtcMs;

    #[test]
    fn the_list_holds_every_table_with_every_column_and_its_primary_key() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (columns, keys) = runtime.block_on(async {
            let mut db = Db::open("sqlite::memory:").await.unwrap();
            db.migrate(UtcMs(0), &[1; 48]).await.unwrap();
            const COLUMNS: Sql = Sql::both(
                "select m.name, c.name, c.type, c.pk from sqlite_master m join pragma_table_info(m.name) c \
                 where m.type = 'table' and m.name <> 'schema_version' order by m.name, c.cid",
            );
            let rows = db.rows("t", &COLUMNS, &[]).await.unwrap();
            let mut keys = vec![];
            let columns: Vec<_> = rows
                .iter()
                .map(|row| {
                    let (table, column) = (row.text(0).unwrap(), row.text(1).unwrap());
                    let kind = match row.text(2).unwrap().to_lowercase().as_str() {
                        "integer" => Kind::Int,
                        "text" => Kind::Text,
                        other => panic!("{table}.{column} is {other}: neither int nor text"),
                    };
                    let place = row.int(3).unwrap();
                    if place > 0 {
                        keys.push((table.clone(), place, column.clone()));
                    }
                    (table, column, kind)
                })
                .collect();
            (columns, keys)
        });
        let mut listed: Vec<_> = TABLES
            .iter()
            .flat_map(|table| {
                let of = |(name, kind): &(&str, Kind)| {
                    (table.name.to_owned(), (*name).to_owned(), *kind)
                };
                table.columns.iter().map(of)
            })
            .collect();
        let sorted = |mut columns: Vec<(String, String, Kind)>| {
            columns.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
            columns
        };
        listed = sorted(listed);
        assert_eq!(listed, sorted(columns), "src/store/tables.rs and migrations/ differ");
        for table in TABLES {
            let key: Vec<_> = (1..)
                .zip(table.key)
                .map(|(place, name)| (table.name.to_owned(), place, (*name).to_owned()))
                .collect();
            let of_it: Vec<_> = keys.iter().filter(|(of, ..)| of == table.name).cloned().collect();
            let in_order = |mut keys: Vec<(String, i64, String)>| {
                keys.sort();
                keys
            };
            assert_eq!(in_order(key), in_order(of_it), "the key of {}", table.name);
        }
    }

    #[test]
    fn a_sum_does_not_depend_on_the_order_and_sees_every_change() {
        let text = |text: &str| Value::Text(text.to_owned());
        let sum = |rows: &[Values]| {
            let mut sum = Sum::default();
            for row in rows {
                sum.add(row);
            }
            sum
        };
        let (one, other) = (vec![Value::Int(1), text("a")], vec![Value::Int(2), Value::Null]);
        let both = sum(&[one.clone(), other.clone()]);
        assert_eq!(both, sum(&[other, one.clone()]));
        assert_ne!(both, sum(&[one.clone(), vec![Value::Int(2), text("")]]));
        assert_ne!(both, sum(std::slice::from_ref(&one)));
        assert_ne!(sum(&[vec![text("ab"), text("c")]]), sum(&[vec![text("a"), text("bc")]]));
    }
}
