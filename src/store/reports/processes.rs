//! Who dials from this database: every process that has not ended, and those that ended lately.

use crate::logic::time::UtcMs;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::sql::{Bind, Sql};

/// One dialer, as the database knows it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct NodeRow {
    /// Counts the starts of the installation.
    pub epoch: u64,
    /// Its name.
    pub name: String,
    /// The machine it runs on, where it said so.
    pub host: Option<String>,
    /// Process id on that machine.
    pub pid: u64,
    /// Whether it is there.
    pub state: NodeState,
    /// Start.
    pub started: UtcMs,
    /// End of its lease: a heartbeat lengthens it.
    pub lease_until: UtcMs,
    /// When it ended, or was found dead.
    pub ended: Option<UtcMs>,
    /// Agents logged in there.
    pub agents: u64,
    /// Attempts under way that are its own to end.
    pub calls: u64,
    /// Its shares, by trunk.
    pub shares: Vec<NodeShare>,
}

/// What a process may use of a trunk.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct NodeShare {
    /// The trunk by name.
    pub trunk: String,
    /// INVITEs per second.
    pub calls_per_second: u64,
    /// Calls at once.
    pub channels: u64,
}

/// Whether a process is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Its lease runs.
    Alive,
    /// Its lease is over, and nobody has taken over yet: it starts no call.
    Late,
    /// It ended, or another process took over what it left.
    Ended,
}

impl NodeState {
    /// The stable text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Late => "late",
            Self::Ended => "ended",
        }
    }

    fn of(now: UtcMs, lease_until: UtcMs, ended: Option<UtcMs>) -> Self {
        match ended {
            Some(_) => Self::Ended,
            None if lease_until <= now => Self::Late,
            None => Self::Alive,
        }
    }
}

/// The processes at `now`, oldest first: those that have not ended, and at most `LATELY` of those that did since
/// `ended_since`, the last ones.
///
/// # Errors
/// As every statement.
pub async fn nodes(
    db: &mut Db,
    now: UtcMs,
    ended_since: UtcMs,
) -> Result<Vec<NodeRow>, StoreError> {
    const NODES: Sql = Sql::both(
        "select n.epoch, n.name, n.host, n.pid, n.started_ms, n.lease_until_ms, n.ended_ms, \
           (select count(*) from agent a where a.node_epoch = n.epoch and n.ended_ms is null), \
           (select count(*) from attempt t where t.node_epoch = n.epoch and t.ended_ms is null) \
         from node n where n.ended_ms is null or n.epoch in \
           (select e.epoch from node e where e.ended_ms >= $1 order by e.ended_ms desc, e.epoch desc limit $2) \
         order by n.epoch",
    );
    let doing = "reading dialers";
    let mut nodes = vec![];
    for row in db.rows(doing, &NODES, &[Bind::Int(ended_since.0), Bind::Int(LATELY)]).await? {
        let (lease_until, ended) = (UtcMs(row.int(5)?), row.opt_int(6)?.map(UtcMs));
        nodes.push(NodeRow {
            epoch: row.count(0)?,
            name: row.text(1)?,
            host: row.opt_text(2)?,
            pid: row.count(3)?,
            state: NodeState::of(now, lease_until, ended),
            started: UtcMs(row.int(4)?),
            lease_until,
            ended,
            agents: row.count(7)?,
            calls: row.count(8)?,
            shares: vec![],
        });
    }
    const SHARES: Sql = Sql::both(
        "select s.node_epoch, s.trunk, s.calls_per_second, s.channels from trunk_share s \
           join node n on n.epoch = s.node_epoch where n.ended_ms is null order by s.node_epoch, s.trunk",
    );
    for row in db.rows(doing, &SHARES, &[]).await? {
        let epoch = row.count(0)?;
        if let Some(node) = nodes.iter_mut().find(|node| node.epoch == epoch) {
            node.shares.push(NodeShare {
                trunk: row.text(1)?,
                calls_per_second: row.count(2)?,
                channels: row.count(3)?,
            });
        }
    }
    Ok(nodes)
}

/// Most ended processes that are shown.
const LATELY: i64 = 20;
