//! Whether a database is sound: its pages, its tables and indexes, and what must be true of its rows.

use std::collections::BTreeSet;

use crate::logic::time::UtcMs;
use crate::store::audit::check_audit;
use crate::store::db::{Db, Engine};
use crate::store::error::StoreError;
use crate::store::migrations::{indexes, newest};
use crate::store::sql::{Bind, Sql};
use crate::store::tables::TABLES;

/// What a look at the whole database brought to light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Name and version of the database.
    pub engine: String,
    /// The schema it has; 0: none.
    pub schema: i64,
    /// The schema that this version has.
    pub known: i64,
    /// What SQLite finds wrong with its own pages, at most ten; PostgreSQL has programs of its own for that.
    pub damage: Vec<String>,
    /// Tables, columns (`table.column`) and indexes that are not there.
    pub missing: Vec<String>,
    /// The first entry of the audit chain that does not fit, as (start of a process, number).
    pub audit: Option<(i64, i64)>,
    /// Rules that rows break, and what waits for somebody.
    pub found: Vec<Found>,
    /// When the installation was copied to another database.
    pub moved: Option<UtcMs>,
}

/// Rows that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which rule.
    pub rule: Rule,
    /// How many.
    pub rows: u64,
    /// The id of one of them.
    pub example: Option<i64>,
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $rule:ident = $text:literal: $sql:literal;)+) => {
        /// What is asked of the rows: each counts those that are not as they should be.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule {
            $($(#[doc = $doc])+ $rule,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$rule),+];

            /// The stable text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$rule => $text,)+
                }
            }

            /// How many, and the least id of them. `$1` is now, where it is asked for.
            const fn sql(self) -> Sql {
                match self {
                    $(Self::$rule => Sql::both($sql),)+
                }
            }
        }
    };
}

rules! {
    /// There is one row that says which installation this is.
    OneInstallation = "one_installation":
        "select abs(count(*) - 1), cast(null as bigint) from installation";
    /// No process start is newer than the count of starts: ids would repeat.
    EpochsCounted = "epochs_counted":
        "select count(*), min(epoch) from node where epoch > (select max(value) from counter where name = 'node_epoch')";
    /// The event log has no gap, and its counter is its last number: a cursor would skip.
    EventsInOrder = "events_in_order":
        "select abs(c.value - e.events) + abs(c.value - e.newest), e.newest \
         from (select count(*) as events, coalesce(max(seq), 0) as newest from event) e \
           cross join (select coalesce(max(value), 0) as value from counter where name = 'event') c";
    /// Every number belongs to a person.
    PhonesOwned = "phones_owned":
        "select count(*), min(p.id) from phone p where not exists (select 1 from contact c where c.id = p.contact_id)";
    /// Every lead has its person, campaign and calling class.
    LeadsWhole = "leads_whole":
        "select count(*), min(l.id) from lead l where not exists (select 1 from contact c where c.id = l.contact_id) \
           or not exists (select 1 from campaign g where g.id = l.campaign_id) \
           or not exists (select 1 from calling_class k where k.id = l.class_id)";
    /// A lead's state is one that the program knows.
    LeadStates = "lead_states":
        "select count(*), min(id) from lead where state not in (0, 1, 2, 3, 4, 5)";
    /// A lead that is held by a process names one that was registered.
    ClaimsOwned = "claims_owned":
        "select count(*), min(l.id) from lead l where l.state = 2 \
           and (l.claimed_by is null or not exists (select 1 from node n where n.epoch = l.claimed_by))";
    /// Every attempt has its lead and the process that made it.
    AttemptsWhole = "attempts_whole":
        "select count(*), min(a.id) from attempt a where not exists (select 1 from lead l where l.id = a.lead_id) \
           or not exists (select 1 from node n where n.epoch = a.node_epoch)";
    /// An attempt has its outcome exactly when it has ended.
    OutcomesWhole = "outcomes_whole":
        "select count(*), min(id) from attempt where (outcome is null and ended_ms is not null) \
           or (outcome is not null and ended_ms is null)";
    /// No attempt is younger than its lead's fence.
    FencesHold = "fences_hold":
        "select count(*), min(a.id) from attempt a join lead l on l.id = a.lead_id where a.fence > l.fence";
    /// A lead's count of attempts is that of its attempts: the caps are asked of it.
    AttemptsCounted = "attempts_counted":
        "select count(*), min(l.id) from lead l left join \
           (select lead_id, count(*) as made from attempt where counted = 1 and outcome is not null group by lead_id) a \
           on a.lead_id = l.id where l.attempts <> coalesce(a.made, 0)";
    /// Every leg has its process, and that of a call its attempt.
    LegsWhole = "legs_whole":
        "select count(*), min(g.id) from leg g where not exists (select 1 from node n where n.epoch = g.node_epoch) \
           or (g.attempt_id is not null and not exists (select 1 from attempt a where a.id = g.attempt_id))";
    /// Every disposition and every promise is of an attempt.
    WordsWhole = "words_whole":
        "select count(*), min(w.id) from (select attempt_id as id from disposition union all select attempt_id from callback) w \
         where not exists (select 1 from attempt a where a.id = w.id)";
    /// Each window of the abandonment ledger is the sum of what its attempts booked.
    LedgerAddsUp = "ledger_adds_up":
        "select count(*), min(campaign_id) from (select campaign_id from ( \
           select campaign_id, starts_ms, answered as a, abandoned as d, fault as f from abandon_window union all \
           select campaign_id, window_ms, case when booked_answered + booked_live > 0 then -1 else 0 end, \
             -booked_abandoned, -booked_fault from attempt \
             where booked_answered + booked_abandoned + booked_fault + booked_live > 0) b \
         group by campaign_id, starts_ms having sum(a) <> 0 or sum(d) <> 0 or sum(f) <> 0) w";
    /// In no window are there more abandoned calls than the cap allows and the window may owe, faults apart.
    CapKept = "cap_kept":
        "select count(*), min(campaign_id) from abandon_window \
         where 1000000 * (abandoned - fault - debt) > cap_ppm * answered";
    /// Windows that closed in debt (bound `window`).
    ClosedInDebt = "closed_in_debt":
        "select count(*), min(campaign_id) from abandon_window \
         where debt > 0 and ends_ms <= $1 and 1000000 * (abandoned - fault) > cap_ppm * answered";
    /// No lead of a person who refused is ready or waits.
    RefusalsKept = "refusals_kept":
        "select count(*), min(l.id) from lead l join contact c on c.id = l.contact_id \
           join suppression s on s.key = 'c:' || l.contact_id and s.seller_id in (0, c.seller_id) and s.lifted_ms is null \
         where l.state in (0, 1)";
    /// Calls that a dialer left open when it ended: the next start ends them.
    LeftOpen = "left_open":
        "select count(*), min(a.id) from attempt a join node n on n.epoch = a.node_epoch \
         where a.ended_ms is null and (n.ended_ms is not null or n.lease_until_ms <= $1)";
    /// Leads that a dialer kept for itself when it ended: the next start gives them back.
    LeftClaimed = "left_claimed":
        "select count(*), min(l.id) from lead l join node n on n.epoch = l.claimed_by \
         where l.state = 2 and (n.ended_ms is not null or n.lease_until_ms <= $1)";
    /// Talks without a disposition.
    Undisposed = "undisposed":
        "select count(*), min(id) from lead where state = 4";
}

impl Rule {
    /// Whether something is wrong. The others only tell what waits for somebody.
    #[must_use]
    pub const fn is_fault(self) -> bool {
        !matches!(self, Self::ClosedInDebt | Self::LeftOpen | Self::LeftClaimed | Self::Undisposed)
    }

    const fn asks_for_now(self) -> bool {
        matches!(self, Self::ClosedInDebt | Self::LeftOpen | Self::LeftClaimed)
    }
}

/// Looks at everything, in one moment's state; a dialer goes on meanwhile. It reads whole tables: minutes, for millions of rows.
///
/// # Errors
/// As every statement. A schema that is not ours is no error: only the rows are not asked then.
pub async fn check_health(db: &mut Db, now: UtcMs) -> Result<Health, StoreError> {
    db.begin_reading().await?;
    let health = Box::pin(look(db, now)).await;
    db.finish(health).await
}

async fn look(db: &mut Db, now: UtcMs) -> Result<Health, StoreError> {
    let mut health = Health {
        engine: db.version().await?,
        schema: db.schema_version().await?,
        known: newest(),
        damage: check_pages(db).await?,
        missing: vec![],
        audit: None,
        found: vec![],
        moved: None,
    };
    if health.schema != health.known {
        return Ok(health);
    }
    health.missing = missing(db).await?;
    if !health.missing.is_empty() {
        // A rule about a column that is not there could not be asked.
        return Ok(health);
    }
    health.audit = check_audit(db).await?;
    health.moved = moved(db).await?;
    for rule in Rule::ALL {
        let now = [Bind::Int(now.0)];
        let binds = if rule.asks_for_now() { &now[..] } else { &[] };
        let rows = db.rows("asking a rule", &rule.sql(), binds).await?;
        let Some(row) = rows.first() else { continue };
        let (rows, example) = (row.count(0)?, row.opt_int(1)?);
        if rows > 0 {
            health.found.push(Found { rule: *rule, rows, example });
        }
    }
    Ok(health)
}

/// What SQLite finds wrong with its own pages, at most ten.
///
/// # Errors
/// As every statement.
pub async fn check_pages(db: &mut Db) -> Result<Vec<String>, StoreError> {
    if db.engine() == Engine::Postgres {
        return Ok(vec![]);
    }
    let rows =
        db.rows("checking every page", &Sql::both("pragma integrity_check(10)"), &[]).await?;
    let said: Vec<String> = rows.iter().map(|row| row.text(0)).collect::<Result<_, _>>()?;
    Ok(said.into_iter().filter(|line| line != "ok").collect())
}

async fn missing(db: &mut Db) -> Result<Vec<String>, StoreError> {
    const COLUMNS: Sql = Sql {
        sqlite: "select m.name || '.' || c.name from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table'",
        postgres: "select cast(table_name || '.' || column_name as text) from information_schema.columns \
         where table_schema = current_schema()",
    };
    const INDEXES: Sql = Sql {
        sqlite: "select name from sqlite_master where type = 'index'",
        postgres: "select cast(indexname as text) from pg_indexes where schemaname = current_schema()",
    };
    let mut there = BTreeSet::new();
    for sql in [&COLUMNS, &INDEXES] {
        for row in db.rows("reading the schema", sql, &[]).await? {
            there.insert(row.text(0)?);
        }
    }
    let columns = TABLES.iter().flat_map(|table| {
        table.columns.iter().map(|(column, _)| format!("{}.{column}", table.name))
    });
    let wanted = columns.chain(indexes().into_iter().map(str::to_owned));
    Ok(wanted.filter(|name| !there.contains(name)).collect())
}

async fn moved(db: &mut Db) -> Result<Option<UtcMs>, StoreError> {
    const MOVED: Sql = Sql::both("select value from counter where name = 'moved'");
    let rows = db.rows("asking whether this database is in use", &MOVED, &[]).await?;
    rows.first().map(|row| row.int(0).map(UtcMs)).transpose()
}
