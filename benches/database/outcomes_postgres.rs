//! Durable outcomes a second on PostgreSQL, one a commit and ten, beside bare prepared statements on one connection.

use std::time::Instant;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, query, raw_sql};

use crate::bare::{BODY, CLOSED, COUNTER, DONE, ENDED, EVENT};
use crate::claims::node;
use crate::common::{Asked, Gate, Table};
use crate::outcomes::{BLOCK, GROUP, fill, rate};
use crate::site::{block_on, cluster, migrated, psql, schema};
use outdial::store::Db;

/// On a server, where the way there and back counts.
pub(crate) fn run(asked: &Asked, table: &mut Table) {
    let Some(cluster) = cluster() else { return };
    let (name, turns) = ("bench_outcomes", asked.times(20));
    let url = schema(&cluster, name);
    migrated(&url);
    let texts = fill(turns, 4).join(";; ");
    psql(&cluster, &format!("set search_path to {name};; {texts};; vacuum analyze"));
    let [alone, bare_alone, grouped, bare_grouped] = block_on(Box::pin(async {
        let mut db = Db::open_writer(&url).await.unwrap();
        let node = node(&mut db, "bench").await;
        let mut bare = Bare::new(&cluster, name).await;
        let (mut next, mut rates) = (1, [vec![], vec![], vec![], vec![]]);
        for _ in 0..turns {
            for (group, at) in [(1, 0), (GROUP, 2)] {
                rates[at].push(rate(&mut db, &node, next, group).await);
                rates[at + 1].push(bare.rate(next + BLOCK, group).await);
                next += 2 * BLOCK;
            }
        }
        rates
    }));
    psql(&cluster, &format!("drop schema {name} cascade"));
    let bare = ("  bare statements, the same rows, one a commit", &bare_alone[..]);
    table.pair(("PostgreSQL: outcomes a second, one a commit", &alone), bare, Gate::Least(0.75));
    let bare = ("  bare statements, the same rows, ten a commit", &bare_grouped[..]);
    table.pair(("PostgreSQL: outcomes a second, ten a commit", &grouped), bare, Gate::Least(0.75));
}

/// The rows that an outcome changes and adds, and no question.
struct Bare {
    db: PgConnection,
    /// Change a row each, by the attempt.
    updates: [String; 3],
    event: String,
    counter: String,
}

impl Bare {
    async fn new(cluster: &str, schema: &str) -> Self {
        let mut db = PgConnection::connect(cluster).await.unwrap();
        let text = AssertSqlSafe(format!("set search_path to {schema}; set jit to off"));
        raw_sql(text).execute(&mut db).await.unwrap();
        let updates = [ENDED, CLOSED, DONE].map(numbered);
        Self { db, updates, event: numbered(EVENT), counter: numbered(COUNTER) }
    }

    async fn rate(&mut self, first: i64, group: i64) -> f64 {
        let begun = Instant::now();
        let mut next = first;
        while next < first + BLOCK {
            let last = next + group;
            raw_sql("begin").execute(&mut self.db).await.unwrap();
            let counter = query(AssertSqlSafe(self.counter.clone())).bind(group);
            counter.execute(&mut self.db).await.unwrap();
            for id in next..last {
                for text in &self.updates {
                    let update = query(AssertSqlSafe(text.clone())).bind(id);
                    update.execute(&mut self.db).await.unwrap();
                }
                let event = query(AssertSqlSafe(self.event.clone())).bind(last - 1 - id);
                let event = event.bind(id.to_string()).bind(BODY);
                event.execute(&mut self.db).await.unwrap();
            }
            raw_sql("commit").execute(&mut self.db).await.unwrap();
            next = last;
        }
        BLOCK as f64 / begun.elapsed().as_secs_f64()
    }
}

/// The text of SQLite with its parameters counted.
fn numbered(text: &str) -> String {
    let mut pieces = text.split('?');
    let first = pieces.next().unwrap().to_owned();
    (1..).zip(pieces).fold(first, |made, (number, piece)| format!("{made}${number}{piece}"))
}
