//! A dialer that has nothing to do.

use std::time::{Duration, Instant};

use crate::common::{Asked, Gate, Process, Table};
use crate::site::{Shelf, Site, migrated, sqlite};

/// With a campaign of many leads, paused.
pub(crate) fn run(asked: &Asked, table: &mut Table) {
    let leads = asked.size(5_000, 1_000_000);
    let text = format!(
        "begin; insert into seller (id, name) values (1, 'Bench'); \
         insert into campaign (id, name, seller_id, state, state_ms) values (1, 'bench', 1, 'paused', 0); \
         insert into calling_class (id, descriptor) values (1, 'zones=Asia/Tokyo'); \
         insert into campaign_class (campaign_id, class_id) values (1, 1); \
         with recursive n(i) as (select 1 union all select i + 1 from n where i < {leads}) \
         insert into lead (id, campaign_id, contact_id, class_id, rank, state, due_ms, list_id) \
         select i, 1, i, 1, 1, 0, 0, 1 from n; commit"
    );
    let shelf = Shelf::of(asked);
    let filled = shelf.file(&format!("idle-{leads}.db"), |path| {
        migrated(&format!("sqlite:{}", path.display()));
        sqlite(path, &text);
    });
    if asked.prepare {
        return;
    }
    let site = Site::with_copy(&filled);
    let mut run = site.command(&["run", "campaign", "--json"]);
    let mut dialer = Process::start(&mut run);
    let until = Instant::now() + Duration::from_secs(20);
    while !site.path("outdial.db.sock").exists() {
        assert!(dialer.child.try_wait().unwrap().is_none(), "the dialer ended");
        assert!(Instant::now() < until, "the dialer does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(1));
    let mut shares = vec![];
    let look = Duration::from_secs(if asked.small { 2 } else { 20 });
    for _ in 0..asked.times(3) {
        let (before, begun) = (dialer.cpu(), Instant::now());
        std::thread::sleep(look);
        let used = dialer.cpu().saturating_sub(before);
        shares.push(100.0 * used.as_secs_f64() / begun.elapsed().as_secs_f64());
    }
    assert!(dialer.child.try_wait().unwrap().is_none(), "the dialer ended");
    let name = format!("idle, {leads} leads paused: % of a core (steps of 10 ms)");
    table.figure(&name, &shares, Gate::Most(0.5));
}
