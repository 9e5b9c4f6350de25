//! A claim of 100 leads, on lists of every length, beside the bare statements on the same database.

use std::path::Path;
use std::time::Instant;

use crate::anchor::Anchor;
use crate::common::{Asked, Gate, Table, median};
use crate::site::{block_on, cluster, migrated, psql, schema, sqlite};
use outdial::logic::dialer::{Claim, PromisedClaim, StoreCommand, StoreReply};
use outdial::logic::ids::{CampaignId, ClassId};
use outdial::logic::time::UtcMs;
use outdial::store::{Db, NewNode, NodeIdentity, register_node, run_batch};

/// Both databases, and how the time grows with the list.
pub(crate) fn run(asked: &Asked, table: &mut Table) {
    let sizes: &[u64] =
        if asked.small { &[5_000, 20_000] } else { &[10_000, 1_000_000, 10_000_000] };
    let cluster = cluster();
    for engine in ["SQLite", "PostgreSQL"] {
        let mut middles = vec![];
        for &leads in sizes {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("claims.db");
            let place = match (&cluster, engine) {
                (_, "SQLite") => Place { url: format!("sqlite:{}", path.display()), cluster: None },
                (Some(cluster), _) => {
                    Place { url: schema(cluster, "bench_claims"), cluster: Some(cluster.clone()) }
                }
                (None, _) => return,
            };
            place.fill(&path, leads);
            // Both together take 200 leads a turn, and hardly more than a quarter of the list is ready and open.
            let turns = asked.times(40).min(usize::try_from(leads / 1_000).unwrap() - 1);
            let (ours, anchor) = block_on(Box::pin(place.claim(&path, turns)));
            let name = format!("{engine}, {leads} leads: claim of 100, ms");
            let gate = if leads == 1_000_000 { Gate::Most(1.5) } else { Gate::None };
            table.pair((&name, &ours), ("  the bare statements", &anchor), gate);
            let worst = percentile(&ours, 95) / median(&ours);
            table.figure("  95th percentile to median", &[worst], Gate::None);
            middles.push((leads, median(&ours)));
            if let Some(cluster) = &place.cluster {
                psql(cluster, "drop schema bench_claims cascade");
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
    cluster: Option<String>,
}

impl Place {
    /// Seven classes of leads, of which 60 % are ready, 20 % wait, 15 % are done and 5 % are promised a call.
    fn fill(&self, path: &Path, leads: u64) {
        migrated(&self.url);
        let leads = format!(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < {leads}) \
             insert into lead (id, campaign_id, contact_id, class_id, rank, state, due_ms, list_id, promised) \
             select i, 1, i, i % 7, i % 3, case when i % 20 < 13 then 0 when i % 20 < 17 then 1 else 3 end, \
               4000000000000, 1, case when i % 20 = 0 then 1 else 0 end from n"
        );
        // Only those who are claimed are looked at.
        let people = format!(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < {PEOPLE}) \
             insert into contact (id, seller_id, external_id, name, custom) select i, 1, 'C' || i, 'Name', '[]' from n"
        );
        let phones = format!(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < {PEOPLE}) \
             insert into phone (id, seller_id, contact_id, position, key, number, zones) \
             select i, 1, i, 0, '+8190' || (10000000 + i), '+8190' || (10000000 + i), '[\"Asia/Tokyo\"]' from n"
        );
        match &self.cluster {
            None => {
                sqlite(path, &format!("begin; {leads}; {people}; {phones}; commit"));
            }
            Some(cluster) => {
                let text = format!(
                    "set search_path to bench_claims;; {leads};; {people};; {phones};; vacuum analyze"
                );
                psql(cluster, &text);
            }
        }
    }

    /// Milliseconds of our claims and of bare ones, in turns.
    async fn claim(&self, path: &Path, turns: usize) -> (Vec<f64>, Vec<f64>) {
        let mut db = Db::open_writer(&self.url).await.unwrap();
        let new = NewNode {
            name: "bench",
            boot: 1,
            host: "here",
            pid: 1,
            now: UtcMs(0),
            lease_until: UtcMs(4_000_000_000_000),
        };
        let node = register_node(&mut db, &new).await.unwrap();
        let mut checkpoints = Db::open(&self.url).await.unwrap();
        let mut bare = match &self.cluster {
            None => Bare::Sqlite(Anchor::start("claim", path)),
            Some(cluster) => Bare::postgres(cluster).await,
        };
        let (mut ours, mut anchor) = (vec![], vec![]);
        for turn in 0..turns + WARM {
            let one = claim_ours(&mut db, &node, turn).await;
            let other = bare.claim(turn).await;
            checkpoints.checkpoint().await.unwrap();
            if turn >= WARM {
                ours.push(one);
                anchor.push(other);
            }
        }
        (ours, anchor)
    }
}

async fn claim_ours(db: &mut Db, node: &NodeIdentity, turn: usize) -> f64 {
    let claim = Claim {
        campaign: CampaignId(1),
        claim: u64::try_from(turn).unwrap() + 1,
        want: 100,
        open_classes: vec![ClassId(1), ClassId(3), ClassId(5)],
        promised: PromisedClaim::default(),
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
    async fn postgres(cluster: &str) -> Self {
        use sqlx::Connection as _;
        let mut db = sqlx::PgConnection::connect(cluster).await.unwrap();
        sqlx::raw_sql("set search_path to bench_claims; set jit to off")
            .execute(&mut db)
            .await
            .unwrap();
        Self::Postgres(db)
    }

    async fn claim(&mut self, turn: usize) -> f64 {
        let turn = i64::try_from(turn).unwrap();
        let db = match self {
            Self::Sqlite(anchor) => return anchor.work(turn),
            Self::Postgres(db) => db,
        };
        let begun = Instant::now();
        sqlx::raw_sql("begin").execute(&mut *db).await.unwrap();
        sqlx::query(CLAIM).bind(turn).execute(&mut *db).await.unwrap();
        let mut read = 0;
        for text in [LEADS, PHONES] {
            read += sqlx::query(text).bind(turn).fetch_all(&mut *db).await.unwrap().len();
        }
        sqlx::raw_sql("commit").execute(&mut *db).await.unwrap();
        assert!(read > 0);
        begun.elapsed().as_secs_f64() * 1_000.0
    }
}

fn percentile(values: &[f64], percent: usize) -> f64 {
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
