//! Processes of the installation: their epochs, leases and ends.

use serde_json::json;

use crate::logic::dialer::StoreReply;
use crate::logic::gate::Gate;
use crate::logic::time::UtcMs;
use crate::store::batch::Batch;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::events::{Event, EventKind, append_to};
use crate::store::migrations::unhex;
use crate::store::sql::{Bind, Sql};

/// Who this process is, for all it writes.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeIdentity {
    /// The installation's own count of process starts; below 2^31.
    pub epoch: u32,
    /// Random number of this start.
    pub boot: u64,
    /// The installation's random name.
    pub installation: String,
    /// The key that Call-IDs, tags and branches are hashed with.
    pub secret: Vec<u8>,
}

impl std::fmt::Debug for NodeIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the secret.
        f.debug_struct("NodeIdentity")
            .field("epoch", &self.epoch)
            .field("boot", &self.boot)
            .field("installation", &self.installation)
            .finish_non_exhaustive()
    }
}

/// What a starting dialer says of itself.
#[derive(Clone, Debug)]
pub struct NewNode<'a> {
    /// The same at every start of the same dialer: what an earlier start left open is then recovered at once.
    pub name: &'a str,
    /// Random.
    pub boot: u64,
    /// Process id, for messages.
    pub pid: u32,
    /// The machine's name, for messages.
    pub host: &'a str,
    /// When.
    pub now: UtcMs,
    /// End of its first lease.
    pub lease_until: UtcMs,
}

/// A dialer whose lease runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveNode {
    /// The machine it runs on, where it said so.
    pub host: Option<String>,
    /// Process id on that machine.
    pub pid: u32,
    /// End of its lease.
    pub lease_until: UtcMs,
}

/// The dialer of this name whose lease runs at `now`, if there is one.
///
/// # Errors
/// As every statement.
pub async fn live_node(
    db: &mut Db,
    name: &str,
    now: UtcMs,
) -> Result<Option<LiveNode>, StoreError> {
    const LIVE: Sql = Sql::both(
        "select host, pid, lease_until_ms from node \
         where name = $1 and ended_ms is null and lease_until_ms > $2 order by epoch desc limit 1",
    );
    let rows =
        db.rows("looking for a dialer", &LIVE, &[Bind::Text(name), Bind::Int(now.0)]).await?;
    rows.first()
        .map(|row| {
            Ok(LiveNode {
                host: row.opt_text(0)?,
                pid: u32::try_from(row.int(1)?).unwrap_or(0),
                lease_until: UtcMs(row.int(2)?),
            })
        })
        .transpose()
}

/// Registers the start of a dialer. Earlier starts under the same name are ended and can write no intent any more.
///
/// # Errors
/// [`StoreError::NoIdsLeft`] after 2^31 starts; otherwise as every statement.
pub async fn register_node(db: &mut Db, new: &NewNode<'_>) -> Result<NodeIdentity, StoreError> {
    db.begin().await?;
    let done = register(db, new).await;
    db.finish(done).await
}

/// An epoch for a process that only makes rows (an import): it takes no part in dialing and has no lease.
///
/// # Errors
/// As [`register_node`].
pub async fn next_epoch(db: &mut Db) -> Result<u32, StoreError> {
    db.begin().await?;
    let done = take_epoch(db).await;
    db.finish(done).await
}

async fn register(db: &mut Db, new: &NewNode<'_>) -> Result<NodeIdentity, StoreError> {
    let epoch = take_epoch(db).await?;
    const END: Sql = Sql::both(
        "update node set ended_ms = $2, lease_until_ms = 0 where name = $1 and ended_ms is null",
    );
    db.run("ending an earlier start", &END, &[Bind::Text(new.name), Bind::Int(new.now.0)]).await?;
    forget_shares(db).await?;
    const START: Sql = Sql::both(
        "insert into node (epoch, name, boot, pid, started_ms, lease_until_ms, host) values ($1, $2, $3, $4, $5, $6, $7)",
    );
    let binds = [
        Bind::Int(i64::from(epoch)),
        Bind::Text(new.name),
        Bind::Int(new.boot.cast_signed()),
        Bind::Int(i64::from(new.pid)),
        Bind::Int(new.now.0),
        Bind::Int(new.lease_until.0),
        Bind::Text(new.host),
    ];
    db.run("registering this start", &START, &binds).await?;
    let body = json!({ "node": new.name, "epoch": epoch.to_string() });
    let row = i64::from(epoch);
    append_to(db, &[Event::new(new.now, EventKind::NodeStarted, row, &body)]).await?;
    const INSTALLATION: Sql = Sql::both("select id, secret from installation");
    let doing = "reading the installation";
    let rows = db.rows(doing, &INSTALLATION, &[]).await?;
    let Some(row) = rows.first() else {
        return Err(StoreError::Damaged { doing, found: "no installation".to_owned() });
    };
    let secret = unhex(&row.text(1)?)
        .ok_or_else(|| StoreError::Damaged { doing, found: "an odd secret".to_owned() })?;
    Ok(NodeIdentity { epoch, boot: new.boot, installation: row.text(0)?, secret })
}

async fn take_epoch(db: &mut Db) -> Result<u32, StoreError> {
    const NEXT: Sql =
        Sql::both("update counter set value = value + 1 where name = 'node_epoch' returning value");
    let rows = db.rows("counting this start", &NEXT, &[]).await?;
    let value = rows.first().map_or(Ok(0), |row| row.int(0))?;
    // Behind the counter's row, which a copy holds while it sets its mark.
    refuse_moved(db).await?;
    // Ids are `epoch << 32 | counter` and must stay positive.
    u32::try_from(value).ok().filter(|e| (1..1 << 31).contains(e)).ok_or(StoreError::NoIdsLeft)
}

/// Whoever is about to make rows asks this first: what is written beside a copy of the installation is in neither.
pub(crate) async fn refuse_moved(db: &mut Db) -> Result<(), StoreError> {
    const MOVED: Sql = Sql::both("select value from counter where name = 'moved'");
    match db.rows("asking whether this database is in use", &MOVED, &[]).await?.first() {
        Some(row) => Err(StoreError::Moved { at: UtcMs(row.int(0)?) }),
        None => Ok(()),
    }
}

/// Lengthens the lease, never shortens it.
pub(crate) async fn heartbeat(
    db: &mut Db,
    node: &NodeIdentity,
    until: UtcMs,
) -> Result<StoreReply, StoreError> {
    const BEAT: Sql = Sql::both(
        "update node set lease_until_ms = case when lease_until_ms > $2 then lease_until_ms else $2 end \
         where epoch = $1 and ended_ms is null",
    );
    let binds = [Bind::Int(i64::from(node.epoch)), Bind::Int(until.0)];
    Ok(match db.run("lengthening the lease", &BEAT, &binds).await? {
        0 => StoreReply::Refused { gate: Gate::NodeLease, until: None },
        _ => StoreReply::Done,
    })
}

/// End of this node's lease; `None`: its row is gone or was ended by somebody who took over. Whoever takes over waits for our
/// commit, or we for theirs: nothing slips in behind the back of one who has counted it.
pub(crate) async fn own_lease(
    db: &mut Db,
    node: &NodeIdentity,
) -> Result<Option<UtcMs>, StoreError> {
    const LEASE: Sql = Sql {
        sqlite: "select lease_until_ms from node where epoch = $1 and ended_ms is null",
        postgres: "select lease_until_ms from node where epoch = $1 and ended_ms is null for share",
    };
    let epoch = Bind::Int(i64::from(node.epoch));
    let rows = db.rows("reading the lease", &LEASE, &[epoch]).await?;
    rows.first().map(|row| row.int(0).map(UtcMs)).transpose()
}

/// The process ends by itself. What it leaves open is anybody's from here on.
pub(crate) async fn end(batch: &mut Batch<'_>, at: UtcMs) -> Result<(), StoreError> {
    const END: Sql = Sql::both(
        "update node set ended_ms = $2 where epoch = $1 and ended_ms is null returning name",
    );
    let epoch = batch.epoch();
    let doing = "ending this process";
    for row in batch.db.rows(doing, &END, &[Bind::Int(epoch), Bind::Int(at.0)]).await? {
        let (node, epoch_text) = (row.text(0)?, epoch.to_string());
        let body = json!({ "node": node, "epoch": epoch_text, "by": epoch_text });
        batch.events.push(Event::new(at, EventKind::NodeEnded, epoch, &body));
    }
    forget_shares(batch.db).await
}

/// Shares of ended processes count no more; their rows go too.
async fn forget_shares(db: &mut Db) -> Result<(), StoreError> {
    const FORGET: Sql = Sql::both(
        "delete from trunk_share where node_epoch in (select epoch from node where ended_ms is not null)",
    );
    db.run("forgetting shares of ended processes", &FORGET, &[]).await?;
    Ok(())
}
