//! Durable outcomes a second, one a commit and ten, beside what bare statements and the disk do in the same moments.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;
use std::time::Instant;

use crate::anchor::Anchor;
use crate::claims::node;
use crate::common::{Asked, Gate, Table};
use crate::site::{block_on, migrated, sqlite};
use outdial::logic::dialer::{
    Booking, LeadAfter, LeadState, LedgerWindow, OutcomeRecord, StoreCommand,
};
use outdial::logic::ids::{AttemptId, CampaignId, LeadId};
use outdial::logic::outcome::Outcome;
use outdial::logic::time::UtcMs;
use outdial::store::{Db, NodeIdentity, run_batch};

/// On SQLite, whose disk can be asked.
pub(crate) fn run(asked: &Asked, table: &mut Table) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outcomes.db");
    let url = format!("sqlite:{}", path.display());
    migrated(&url);
    let turns = asked.times(20);
    sqlite(&path, &format!("begin; {}; commit", fill(turns, 5).join("; ")));
    let mut bench = block_on(Bench::new(&url, &path));
    let (mut alone, mut grouped) = (vec![], vec![]);
    let (mut bare_alone, mut bare_grouped, mut updates) = (vec![], vec![], vec![]);
    let (mut sync, mut sync_all, mut bare_to_sync) = (vec![], vec![], vec![]);
    let (mut pages, mut bare_pages) = (vec![], vec![]);
    for _ in 0..turns {
        alone.push(bench.ours(1));
        pages.push(bench.pages);
        bare_alone.push(bench.anchor(|bench| &mut bench.bare_alone));
        bare_pages.push(bench.pages);
        sync.push(fdatasyncs(folder.path(), 1));
        sync_all.push(fdatasyncs(folder.path(), bench.pages.ceil() as usize));
        bare_to_sync.push(bare_alone[bare_alone.len() - 1]);
        grouped.push(bench.ours(GROUP));
        bare_grouped.push(bench.anchor(|bench| &mut bench.bare_grouped));
        updates.push(bench.anchor(|bench| &mut bench.updates));
    }
    let bare = ("  bare statements, the same rows, one a commit", &bare_alone[..]);
    table.pair(("outcomes a second, one a commit", &alone), bare, Gate::Least(0.8));
    let bare = ("  bare statements, the same rows, one a commit", &bare_pages[..]);
    table.pair(("pages an outcome writes, one a commit", &pages), bare, Gate::None);
    let disk = ("  fdatasync of 4 KiB a second", &sync[..]);
    table.pair(("outcomes a second, one a commit", &alone), disk, Gate::Least(0.8));
    table.pair(("bare statements, the same rows, one a commit", &bare_to_sync), disk, Gate::None);
    let least = ("  fdatasync of as many pages as an outcome writes, a second", &sync_all[..]);
    table.pair(("outcomes a second, one a commit", &alone), least, Gate::None);
    let bare = ("  bare statements, the same rows, ten a commit", &bare_grouped[..]);
    table.pair(("outcomes a second, ten a commit", &grouped), bare, Gate::Least(0.8));
    let least = ("  two bare updates an outcome, ten outcomes a commit", &updates[..]);
    table.pair(("outcomes a second, ten a commit", &grouped), least, Gate::None);
}

struct Bench {
    runtime: tokio::runtime::Runtime,
    db: Db,
    checkpoints: Db,
    node: NodeIdentity,
    bare_alone: Anchor,
    bare_grouped: Anchor,
    updates: Anchor,
    next: i64,
    /// Written to the log for each outcome of the last turn.
    pages: f64,
}

impl Bench {
    async fn new(url: &str, path: &Path) -> Self {
        let mut db = Db::open_writer(url).await.unwrap();
        let node = node(&mut db, "bench").await;
        let [bare_alone, bare_grouped, updates] =
            ["outcomes-alone", "outcomes-grouped", "updates-grouped"]
                .map(|work| Anchor::start(work, path));
        let checkpoints = Db::open(url).await.unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (next, pages) = (1, 0.0);
        Self { runtime, db, checkpoints, node, bare_alone, bare_grouped, updates, next, pages }
    }

    fn ours(&mut self, group: i64) -> f64 {
        let work = rate(&mut self.db, &self.node, self.next, group);
        let rate = self.runtime.block_on(work);
        self.next += BLOCK;
        self.move_log();
        rate
    }

    fn anchor(&mut self, which: fn(&mut Self) -> &mut Anchor) -> f64 {
        let next = self.next;
        let rate = BLOCK as f64 * 1_000.0 / which(self).work(next);
        self.next += BLOCK;
        self.move_log();
        rate
    }

    fn move_log(&mut self) {
        let found = self.runtime.block_on(self.checkpoints.checkpoint()).unwrap();
        self.pages = found.log_pages as f64 / BLOCK as f64;
    }
}

/// A block of outcomes from `first` on, so many of each a commit: how many of them a second.
pub(crate) async fn rate(db: &mut Db, node: &NodeIdentity, first: i64, group: i64) -> f64 {
    let commands: Vec<StoreCommand> = (first..first + BLOCK).map(outcome).collect();
    let size = usize::try_from(group).unwrap();
    let begun = Instant::now();
    for batch in commands.chunks(size) {
        run_batch(db, node, batch).await.unwrap();
    }
    BLOCK as f64 / begun.elapsed().as_secs_f64()
}

/// Nobody was reached.
pub(crate) fn outcome(id: i64) -> StoreCommand {
    let window = LedgerWindow {
        campaign: CampaignId(1),
        starts: UtcMs(0),
        ends: UtcMs(86_400_000),
        cap_ppm: 30_000,
        debt: 0,
    };
    StoreCommand::Outcome(Box::new(OutcomeRecord {
        attempt: AttemptId(id),
        lead: LeadId(id),
        fence: 1,
        outcome: Outcome::Busy,
        early_at: None,
        answered_at: None,
        connected_at: None,
        ended_at: UtcMs(2_000),
        agent: None,
        legs_closed: true,
        sip_status: Some(486),
        q850: Some(17),
        message: None,
        live: None,
        booking: Booking { window, answered: false, abandoned: false, fault: false },
        after: LeadAfter { state: LeadState::Done, due: UtcMs(0), gate: None, next_phone: None },
        phone: None,
        suppress: None,
    }))
}

/// Attempts under way, each with its leg and its lead, for so many blocks a turn.
pub(crate) fn fill(turns: usize, blocks: u64) -> [String; 3] {
    let rows = (u64::try_from(turns).unwrap() * blocks + 1) * BLOCK.unsigned_abs();
    let leads = format!(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < {rows}) \
         insert into lead (id, campaign_id, contact_id, class_id, rank, state, due_ms, list_id, fence, claimed_by) \
         select i, 1, i, 1, 1, 2, 0, 1, 1, 1 from n"
    );
    let [attempts, legs] = attempts(rows);
    [leads, attempts, legs]
}

/// The attempts and legs of the first leads.
pub(crate) fn attempts(rows: u64) -> [String; 2] {
    let numbers =
        format!("with recursive n(i) as (select 1 union all select i + 1 from n where i < {rows})");
    [
        format!(
            "{numbers} insert into attempt (id, public_ref, lead_id, fence, seller_id, contact_id, phone_id, phone_key, \
               number, campaign_id, list_id, attempt_no, node_epoch, trunk, caller_id, uncovered, started_ms, counted) \
             select i, 'r' || i, i, 1, 1, i, i, '+81' || i, '+81' || i, 1, 1, 1, 1, 't', '+81312345678', 0, 1, 1 from n"
        ),
        format!(
            "{numbers} insert into leg (id, attempt_id, leg_no, node_epoch, trunk, call, started_ms) \
             select i, i, 1, 1, 't', '{{}}', 1 from n"
        ),
    ]
}

/// Over pages that are there already, as in SQLite's log: a file that grows costs the disk more.
fn fdatasyncs(folder: &Path, pages: usize) -> f64 {
    let bytes = vec![1_u8; pages * 4096];
    let mut file = File::create(folder.join("sync")).unwrap();
    for _ in 0..BLOCK {
        file.write_all(&bytes).unwrap();
    }
    file.sync_all().unwrap();
    file.rewind().unwrap();
    let begun = Instant::now();
    for _ in 0..BLOCK {
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
    }
    BLOCK as f64 / begun.elapsed().as_secs_f64()
}

/// Outcomes of a turn; the anchor has as many, and as many a commit.
pub(crate) const BLOCK: i64 = 100;
/// Outcomes of a commit, where they share one.
pub(crate) const GROUP: i64 = 10;
