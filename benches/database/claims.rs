//! A claim of 100 leads, on lists of every length, beside the bare statements on the same database.

use std::path::PathBuf;
use std::time::{Instant, UNIX_EPOCH};

use sqlx::AssertSqlSafe;
use tempfile::TempDir;

use crate::anchor::Anchor;
use crate::common::{Asked, Gate, Table, median};
use crate::site::{Shelf, block_on, cluster, migrated, psql, sqlite};
use outdial::logic::dialer::{Claim, PromisedClaim, StoreCommand, StoreReply};
use outdial::logic::ids::{CampaignId, ClassId};
use outdial::logic::time::UtcMs;
use outdial::store::{Db, NewNode, NodeIdentity, register_node, run_batch};

/// Both databases, and how the time grows with the list.
pub(crate) fn run(asked: &Asked, table: &mut Table) {
    let sizes: &[u64] = match (&asked.rows[..], asked.small) {
        ([], true) => &[5_000, 20_000],
        ([], false) => &[10_000, 1_000_000, 10_000_000],
        (rows, _) => rows,
    };
    let (cluster, shelf) = (cluster(), Shelf::of(asked));
    for engine in ["SQLite", "PostgreSQL"] {
        let mut middles = vec![];
        for &leads in sizes {
            let place = match (&cluster, engine) {
                (_, "SQLite") => Place::on_sqlite(&shelf, leads),
                (Some(cluster), _) => Place::on_postgres(&shelf, leads, cluster),
                (None, _) => return,
            };
            if asked.prepare {
                continue;
            }
            // Both together take 200 leads a turn, and hardly more than a quarter of the list is ready and open.
            let turns = asked.times(40).min(usize::try_from(leads / 1_000).unwrap() - 1);
            let (ours, anchor) = block_on(Box::pin(place.claim(turns)));
            let name = format!("{engine}, {leads} leads: claim of 100, ms");
            let gate = if leads == 1_000_000 { Gate::Most(1.5) } else { Gate::None };
            table.pair((&name, &ours), ("  the bare statements", &anchor), gate);
            let worst = percentile(&ours, 95) / median(&ours);
            table.figure("  95th percentile to median", &[worst], Gate::None);
            middles.push((leads, median(&ours)));
            if let Some((cluster, name)) = &place.schema {
                shelf.put_back(cluster, name);
            }
        }
        for pair in middles.windows(2) {
            let name = format!("{engine}: growth from {} to {} leads", pair[0].0, pair[1].0);
            let gate = if pair[0].0 == 1_000_000 { Gate::Most(2.0) } else { Gate::None };
            table.figure(&name, &[pair[1].1 / pair[0].1], gate);
        }
    }
}

struct Place {
    url: String,
    path: PathBuf,
    /// On PostgreSQL: the cluster and the schema.
    schema: Option<(String, String)>,
    /// On SQLite: what holds the file.
    #[expect(dead_code, reason = "it goes when the place does")]
    folder: Option<TempDir>,
}

impl Place {
    fn on_sqlite(shelf: &Shelf, leads: u64) -> Self {
        let path = shelf.file(&format!("claims-{leads}.db"), |path| {
            migrated(&format!("sqlite:{}", path.display()));
            sqlite(path, &format!("begin; {}; commit", fill(leads, PEOPLE).join("; ")));
        });
        // A list is used up by claims: what is kept stays whole.
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("claims.db");
        std::fs::copy(path, &copy).unwrap();
        Self {
            url: format!("sqlite:{}", copy.display()),
            path: copy,
            schema: None,
            folder: Some(folder),
        }
    }

    fn on_postgres(shelf: &Shelf, leads: u64, cluster: &str) -> Self {
        let name = format!("bench_claims_{leads}");
        let url = shelf.schema(cluster, &name, |url| {
            migrated(url);
            let text = fill(leads, PEOPLE).join(";; ");
            psql(cluster, &format!("set search_path to {name};; {text};; vacuum analyze"));
        });
        Self { url, path: PathBuf::new(), schema: Some((cluster.to_owned(), name)), folder: None }
    }

    /// Milliseconds of our claims and of bare ones, in turns.
    async fn claim(&self, turns: usize) -> (Vec<f64>, Vec<f64>) {
        let mut db = Db::open_writer(&self.url).await.unwrap();
        let node = node(&mut db, "bench").await;
        let mut checkpoints = Db::open(&self.url).await.unwrap();
        let mut bare = match &self.schema {
            None => Bare::Sqlite(Anchor::start("claim", &self.path)),
            Some((cluster, name)) => Bare::postgres(cluster, name).await,
        };
        // Not those of an earlier run on a list that was kept.
        let first = UNIX_EPOCH.elapsed().unwrap().as_millis();
        let first = i64::try_from(first).unwrap();
        let (mut ours, mut anchor) = (vec![], vec![]);
        for (turn, number) in (0..turns + WARM).zip(first..) {
            let one = claim_ours(&mut db, &node, number).await;
            let other = bare.claim(number).await;
            checkpoints.checkpoint().await.unwrap();
            if turn >= WARM {
                ours.push(one);
                anchor.push(other);
            }
        }
        (ours, anchor)
    }
}

/// A dialer of this name, begun anew.
pub(crate) async fn node(db: &mut Db, name: &str) -> NodeIdentity {
    let new = NewNode {
        name,
        boot: 1,
        host: "here",
        pid: 1,
        now: UtcMs(0),
        lease_until: UtcMs(4_000_000_000_000),
    };
    register_node(db, &new).await.unwrap()
}

/// Milliseconds of a claim of 100 leads.
pub(crate) async fn claim_ours(db: &mut Db, node: &NodeIdentity, number: i64) -> f64 {
    let claim = Claim {
        campaign: CampaignId(1),
        claim: u64::try_from(number).unwrap(),
        want: 100,
        open_classes: vec![ClassId(1), ClassId(3), ClassId(5)],
        promised: PromisedClaim::default(),
        named: None,
        now: UtcMs(1_000),
    };
    let begun = Instant::now();
    let replies = run_batch(db, node, &[StoreCommand::Claim(claim)]).await.unwrap();
    let took = begun.elapsed().as_secs_f64() * 1_000.0;
    let [StoreReply::Claimed(leads)] = replies.as_slice() else { panic!("{replies:?}") };
    assert!(!leads.is_empty());
    took
}

/// The statements a claim cannot do without, by hand: begin, mark, read leads and numbers, commit.
enum Bare {
    Sqlite(Anchor),
    Postgres(sqlx::PgConnection),
}

impl Bare {
    async fn postgres(cluster: &str, schema: &str) -> Self {
        use sqlx::Connection as _;
        let mut db = sqlx::PgConnection::connect(cluster).await.unwrap();
        let text = AssertSqlSafe(format!("set search_path to {schema}; set jit to off"));
        sqlx::raw_sql(text).execute(&mut db).await.unwrap();
        Self::Postgres(db)
    }

    async fn claim(&mut self, number: i64) -> f64 {
        let db = match self {
            Self::Sqlite(anchor) => return anchor.work(number),
            Self::Postgres(db) => db,
        };
        let begun = Instant::now();
        sqlx::raw_sql("begin").execute(&mut *db).await.unwrap();
        sqlx::query(CLAIM).bind(number).execute(&mut *db).await.unwrap();
        let mut read = 0;
        for text in [LEADS, PHONES] {
            read += sqlx::query(text).bind(number).fetch_all(&mut *db).await.unwrap().len();
        }
        sqlx::raw_sql("commit").execute(&mut *db).await.unwrap();
        assert!(read > 0);
        begun.elapsed().as_secs_f64() * 1_000.0
    }
}

/// Seven classes of leads, of which 60 % are ready, 20 % wait, 15 % are done and 5 % are promised a call; of so many of them
/// the person is there.
pub(crate) fn fill(leads: u64, people: u64) -> [String; 3] {
    [
        format!(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < {leads}) \
             insert into lead (id, campaign_id, contact_id, class_id, rank, state, due_ms, list_id, promised) \
             select i, 1, i, i % 7, i % 3, case when i % 20 < 13 then 0 when i % 20 < 17 then 1 else 3 end, \
               4000000000000, 1, case when i % 20 = 0 then 1 else 0 end from n"
        ),
        format!(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < {people}) \
             insert into contact (id, seller_id, external_id, name, custom) select i, 1, 'C' || i, 'Name', '[]' from n"
        ),
        format!(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < {people}) \
             insert into phone (id, seller_id, contact_id, position, key, number, zones) \
             select i, 1, i, 0, '+8190' || (10000000 + i), '+8190' || (10000000 + i), '[\"Asia/Tokyo\"]' from n"
        ),
    ]
}

pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// The cache and the plans are there.
const WARM: usize = 3;
/// More than are claimed.
const PEOPLE: u64 = 200_000;

const CLAIM: &str = "update lead set state = 2, claimed_by = -1, claim_no = $1, fence = fence + 1, gate = null \
     where id = any(array(select id from ((select id, rank from lead where state = 0 and promised = 0 \
         and campaign_id = 1 and class_id = 1 order by rank, id limit 100) union all \
       (select id, rank from lead where state = 0 and promised = 0 and campaign_id = 1 and class_id = 3 \
         order by rank, id limit 100) union all \
       (select id, rank from lead where state = 0 and promised = 0 and campaign_id = 1 and class_id = 5 \
         order by rank, id limit 100)) x order by rank, id limit 100))";
const LEADS: &str = "select l.id, l.fence, c.seller_id, c.id, c.external_id, c.name, c.language, c.custom, l.class_id, \
       l.attempts, l.same_outcome, l.last_outcome, l.next_phone_id from lead l join contact c on c.id = l.contact_id \
     where l.claimed_by = -1 and l.campaign_id = 1 and l.claim_no = $1 and l.state = 2 order by l.rank, l.id";
const PHONES: &str = "select l.id, p.id, p.key, p.number, p.zones, p.suspect_day \
     from lead l join phone p on p.contact_id = l.contact_id \
     where l.claimed_by = -1 and l.campaign_id = 1 and l.claim_no = $1 and l.state = 2 and p.invalid = 0 \
     order by l.id, p.position, p.id";
