//! Shares of trunks: what each process may use of a trunk that several use.

use crate::logic::dialer::{DrawShare, StoreReply};
use crate::logic::gate::Gate;
use crate::logic::pacing::trunk_share::{Share, ShareDrawn, draw};
use crate::store::batch::{Batch, Placed};
use crate::store::db::{Db, Engine};
use crate::store::error::StoreError;
use crate::store::nodes::own_lease;
use crate::store::sql::{Bind, DbRow, Sql};

/// Draws each share, one trunk after the other. Replies by place in the batch.
pub(crate) async fn write(
    batch: &mut Batch<'_>,
    items: &[Placed<'_, DrawShare>],
) -> Result<Vec<(usize, StoreReply)>, StoreError> {
    let mut items = items.to_vec();
    // The same order in every process: two that want two trunks do not wait for each other.
    items.sort_by(|(_, one), (_, two)| one.trunk.cmp(&two.trunk));
    let mut replies = Vec::with_capacity(items.len());
    if own_lease(batch.db, batch.node).await?.is_none() {
        // Nobody counts what an ended process holds.
        let refused = StoreReply::Refused { gate: Gate::NodeLease, until: None };
        return Ok(items.into_iter().map(|(at, _)| (at, refused.clone())).collect());
    }
    for (at, item) in items {
        replies.push((at, StoreReply::Share(draw_one(batch, item).await?)));
    }
    Ok(replies)
}

async fn draw_one(batch: &mut Batch<'_>, item: &DrawShare) -> Result<ShareDrawn, StoreError> {
    let (trunk, epoch) = (Bind::Text(&item.trunk), Bind::Int(batch.epoch()));
    if batch.db.engine() == Engine::Postgres {
        const LOCK: Sql = Sql::both(
            "select cast(pg_advisory_xact_lock(hashtextextended('trunk:' || $1, 0)) as text)",
        );
        batch.db.rows("waiting for another share", &LOCK, &[trunk]).await?;
    }
    let others = others(batch.db, trunk, epoch).await?;
    let share = draw(&item.ask, others);
    const WRITE: Sql = Sql::both(
        "insert into trunk_share (trunk, node_epoch, calls_per_second, channels, wanted, drawn_ms) \
         values ($1, $2, $3, $4, $5, $6) on conflict (trunk, node_epoch) do update set \
           calls_per_second = excluded.calls_per_second, channels = excluded.channels, wanted = excluded.wanted, \
           drawn_ms = excluded.drawn_ms",
    );
    let binds = [
        trunk,
        epoch,
        Bind::Int(i64::from(share.calls_per_second)),
        Bind::Int(i64::from(share.channels)),
        Bind::Int(i64::from(item.ask.wanted)),
        Bind::Int(item.now.0),
    ];
    batch.db.run("writing a share", &WRITE, &binds).await?;
    const WANTING: Sql = Sql::both(
        "select cast(count(*) as bigint), cast(coalesce(sum(case when s.node_epoch < $2 then 1 else 0 end), 0) as bigint) \
         from trunk_share s join node n on n.epoch = s.node_epoch \
         where s.trunk = $1 and s.wanted = 1 and n.ended_ms is null",
    );
    let rows = batch.db.rows("counting shares", &WANTING, &[trunk, epoch]).await?;
    let count = |at| rows.first().map_or(Ok(0), |row| small(row, at));
    Ok(ShareDrawn { share, wanting: count(0)?, place: count(1)? })
}

/// What is not ours: the shares of processes that have not ended, and every leg that an ended one left up.
async fn others(db: &mut Db, trunk: Bind<'_>, epoch: Bind<'_>) -> Result<Share, StoreError> {
    const OTHERS: Sql = Sql::both(
        "select cast(coalesce(sum(s.calls_per_second), 0) as bigint), cast(coalesce(sum(s.channels), 0) as bigint) \
         from trunk_share s join node n on n.epoch = s.node_epoch \
         where s.trunk = $1 and s.node_epoch <> $2 and n.ended_ms is null",
    );
    const LEFT_UP: Sql = Sql::both(
        "select cast(count(*) as bigint) from leg g join node n on n.epoch = (g.id >> 32) \
         where g.ended_ms is null and g.trunk = $1 and n.ended_ms is not null",
    );
    let doing = "adding up shares";
    let mut others = Share::default();
    for row in db.rows(doing, &OTHERS, &[trunk, epoch]).await? {
        others = Share { calls_per_second: small(&row, 0)?, channels: small(&row, 1)? };
    }
    for row in db.rows(doing, &LEFT_UP, &[trunk]).await? {
        others.channels = others.channels.saturating_add(small(&row, 0)?);
    }
    Ok(others)
}

fn small(row: &DbRow, at: usize) -> Result<u32, StoreError> {
    Ok(u32::try_from(row.count(at)?).unwrap_or(u32::MAX))
}
