//! Claims while outcomes are written and the log is moved into the file, all as fast as they go.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::claims;
use crate::common::{Asked, Gate, Table, median};
use crate::outcomes;
use crate::site::{Shelf, block_on, migrated, sqlite};
use outdial::store::{Db, run_batch};

/// On SQLite, where one waits for the other.
pub(crate) fn run(asked: &Asked, table: &mut Table) {
    let leads = asked.size(20_000, 1_000_000);
    let shelf = Shelf::of(asked);
    let filled = shelf.file(&format!("dialing-{leads}.db"), |path| {
        migrated(&format!("sqlite:{}", path.display()));
        let mut texts = claims::fill(leads, leads).to_vec();
        texts.extend(outcomes::attempts(leads / 4));
        sqlite(path, &format!("begin; {}; commit", texts.join("; ")));
    });
    if asked.prepare {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dialing.db");
    std::fs::copy(filled, &path).unwrap();
    let url = format!("sqlite:{}", path.display());
    let turns = asked.times(3);
    // An attempt ends once: each turn has its own.
    let share = i64::try_from(leads / 4).unwrap() / i64::try_from(turns).unwrap();
    let lasts = Duration::from_secs(if asked.small { 2 } else { 20 });
    let (mut ratios, mut middles) = (vec![], vec![]);
    for (turn, next) in (0..turns).zip((1..).step_by(usize::try_from(share).unwrap())) {
        let took = dial(&url, lasts, turn, next..next + share);
        middles.push(median(&took));
        ratios.push(claims::percentile(&took, 95) / median(&took));
    }
    table.figure(
        &format!("SQLite, {leads} leads: claim of 100 while dialing, ms"),
        &middles,
        Gate::None,
    );
    table.figure("  95th percentile to median", &ratios, Gate::Most(5.0));
}

/// Milliseconds of each claim. The log is moved by a connection on a thread of its own once a second, as in the dialer.
fn dial(url: &str, lasts: Duration, turn: usize, mut attempts: Range<i64>) -> Vec<f64> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let end = End(&over);
        scope.spawn(|| {
            let mut db = block_on(Db::open_checkpoints(url)).unwrap();
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_secs(1));
                block_on(db.checkpoint()).unwrap();
            }
        });
        let took = block_on(Box::pin(async {
            let mut db = Db::open_writer(url).await.unwrap();
            let node = claims::node(&mut db, &format!("dialing{turn}")).await;
            let (begun, mut took) = (Instant::now(), vec![]);
            for number in 1.. {
                if begun.elapsed() >= lasts || attempts.clone().count() < PER_CLAIM {
                    break;
                }
                for _ in 0..PER_CLAIM / GROUP {
                    let batch: Vec<_> =
                        attempts.by_ref().take(GROUP).map(outcomes::outcome).collect();
                    run_batch(&mut db, &node, &batch).await.unwrap();
                }
                took.push(claims::claim_ours(&mut db, &node, number).await);
            }
            took
        }));
        drop(end);
        took
    })
}

/// However the work ends, the other thread does too.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// As many calls end as are begun.
const PER_CLAIM: usize = 100;
/// Outcomes of a commit.
const GROUP: usize = 10;
