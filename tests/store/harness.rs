//! A database of its own for every check, with a campaign, contacts and a node.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use outdial::logic::dialer::*;
use outdial::logic::ids::*;
use outdial::logic::outcome::Outcome;
use outdial::logic::time::UtcMs;
use outdial::store::{Db, NewNode, NodeIdentity, register_node, run_batch, upsert_campaign};
use sqlx::{AssertSqlSafe, Connection, Row};

/// Makes a module with one test per database.
macro_rules! on_both {
    ($($name:ident)+) => {
        mod sqlite { $(#[test] fn $name() { crate::harness::on_sqlite(async |world| super::$name(world).await) })+ }
        mod postgres { $(#[test] fn $name() { crate::harness::on_postgres(async |world| super::$name(world).await) })+ }
    };
}
pub(crate) use on_both;

pub(crate) fn on_sqlite(check: impl AsyncFnOnce(&mut World)) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    run(&url, check);
}

pub(crate) fn on_postgres(check: impl AsyncFnOnce(&mut World)) {
    run(&block_on(postgres_schema()), check);
}

/// A schema of its own in the cluster that the environment names.
pub(crate) async fn postgres_schema() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let Ok(cluster) = std::env::var("OUTDIAL_TEST_POSTGRES") else {
        panic!(
            "OUTDIAL_TEST_POSTGRES is not set: run `tests/postgres run cargo test`, or set it to what `tests/postgres start` prints"
        );
    };
    let name = format!("t_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let mut admin = sqlx::PgConnection::connect(&cluster).await.unwrap();
    // An earlier process with our id may have left its schemas.
    let text = format!("drop schema if exists {name} cascade; create schema {name}");
    sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut admin).await.unwrap();
    format!("{cluster}?options[search_path]={name}")
}

fn run(url: &str, check: impl AsyncFnOnce(&mut World)) {
    block_on(async {
        let mut world = World::new(url).await;
        check(&mut world).await;
        world.close().await;
    });
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) db: Db,
    side: Side,
    pub(crate) node: NodeIdentity,
    pub(crate) ids: IdMaker,
    pub(crate) campaign: CampaignId,
    pub(crate) seller: SellerId,
    pub(crate) now: UtcMs,
}

/// A second connection, to look and to tamper.
pub(crate) enum Side {
    Sqlite(sqlx_sqlite::SqliteConnection),
    Postgres(sqlx::PgConnection),
}

impl Side {
    pub(crate) async fn open(url: &str) -> Self {
        if url.starts_with("sqlite") {
            let options = url.parse::<sqlx_sqlite::SqliteConnectOptions>().unwrap();
            let options = options.create_if_missing(true);
            Self::Sqlite(sqlx_sqlite::SqliteConnection::connect_with(&options).await.unwrap())
        } else {
            Self::Postgres(sqlx::PgConnection::connect(url).await.unwrap())
        }
    }

    pub(crate) async fn close(self) {
        match self {
            Self::Sqlite(side) => side.close().await.unwrap(),
            Self::Postgres(side) => side.close().await.unwrap(),
        }
    }

    pub(crate) async fn sql(&mut self, text: &str) {
        let text = AssertSqlSafe(text.to_owned());
        match self {
            Self::Sqlite(side) => sqlx::raw_sql(text).execute(side).await.map(|_| ()),
            Self::Postgres(side) => sqlx::raw_sql(text).execute(side).await.map(|_| ()),
        }
        .unwrap();
    }

    /// Every row of every table.
    pub(crate) async fn dump(&mut self) -> Dump {
        macro_rules! read {
            ($side:ident, $columns:literal, $array:literal) => {{
                let mut dump = Dump::new();
                for table in sqlx::query($columns).fetch_all(&mut *$side).await.unwrap() {
                    let (name, columns) = (table.get::<String, _>(0), table.get::<String, _>(1));
                    let text = AssertSqlSafe(format!(
                        "select cast({}({columns}) as text) from {name}",
                        $array
                    ));
                    let rows = sqlx::query(text).fetch_all(&mut *$side).await.unwrap();
                    dump.insert(name, parsed(rows.iter().map(|row| row.get(0))));
                }
                dump
            }};
        }
        match self {
            Self::Sqlite(side) => read!(
                side,
                "select m.name, group_concat(c.name, ',' order by c.cid) from sqlite_master m \
                   join pragma_table_info(m.name) c where m.type = 'table' group by m.name order by 1",
                "json_array"
            ),
            Self::Postgres(side) => read!(
                side,
                "select cast(table_name as text), string_agg(cast(column_name as text), ',' order by ordinal_position) \
                 from information_schema.columns where table_schema = current_schema() group by 1 order by 1",
                "json_build_array"
            ),
        }
    }
}

pub(crate) const T0: UtcMs = UtcMs(1_790_000_000_000);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);
pub(crate) const CLASS: ClassId = ClassId(77);
pub(crate) const AGENT: AgentId = AgentId(55);
pub(crate) const FRESH: [u8; 48] = [7; 48];

impl World {
    pub(crate) async fn new(url: &str) -> Self {
        let mut db = Db::open_writer(url).await.unwrap();
        db.migrate(T0, &FRESH).await.unwrap();
        let node = register_node(&mut db, &new_node("here", 1)).await.unwrap();
        let mut ids = IdMaker::new(node.epoch);
        let row = upsert_campaign(&mut db, &mut ids, "spring", "Acme", T0, true).await.unwrap();
        let side = Side::open(url).await;
        let mut world = Self {
            url: url.to_owned(),
            db,
            side,
            node,
            ids,
            campaign: row.id,
            seller: row.seller,
            now: T0,
        };
        let class =
            "insert into calling_class (id, descriptor) values (77, 'JP') on conflict do nothing";
        world.sql(class).await;
        world
    }

    pub(crate) async fn close(self) {
        self.db.close().await.unwrap();
        self.side.close().await;
    }

    /// What `node` takes over from dead processes, at the world's time.
    pub(crate) async fn take_over(&mut self, node: &NodeIdentity, take_lapsed: bool) -> Seen {
        let look = Look { campaigns: vec![self.campaign], take_lapsed, now: self.now };
        outdial::store::take_over(&mut self.db, node, &look).await.unwrap()
    }

    /// Nobody is dead, and the campaign runs since `at`.
    pub(crate) fn nothing_seen(&self, at: UtcMs) -> Seen {
        let campaigns = vec![(self.campaign, CampaignState::Running, at)];
        Seen { campaigns, work: OpenWork::default(), leads: 0 }
    }

    pub(crate) fn id(&mut self) -> i64 {
        self.ids.make().unwrap()
    }

    pub(crate) async fn sql(&mut self, text: &str) {
        self.side.sql(text).await;
    }

    /// The integers of the one row of a query; -1 for NULL.
    pub(crate) async fn numbers(&mut self, text: &str) -> Vec<i64> {
        let text = AssertSqlSafe(text.to_owned());
        macro_rules! read {
            ($side:ident) => {{
                let row = sqlx::query(text).fetch_one($side).await.unwrap();
                let number = |at| row.try_get::<Option<i64>, _>(at).unwrap().unwrap_or(-1);
                (0..row.len()).map(number).collect()
            }};
        }
        match &mut self.side {
            Side::Sqlite(side) => read!(side),
            Side::Postgres(side) => read!(side),
        }
    }

    /// A contact with one number and a ready lead; returns contact and lead.
    pub(crate) async fn lead(&mut self, n: i64) -> (ContactId, LeadId) {
        let (seller, campaign) = (self.seller, self.campaign);
        self.contact(n, seller).await;
        self.lead_of(n, campaign).await
    }

    pub(crate) async fn contact(&mut self, n: i64, seller: SellerId) {
        self.sql(&format!(
            "insert into contact (id, seller_id, external_id, name, language, custom) \
               values ({n}, {seller}, 'X{n}', 'Name {n}', 'ja', '[[\"plan\",\"A\"]]'); \
             insert into phone (id, seller_id, contact_id, position, key, number, zones) \
               values ({p}, {seller}, {n}, 0, '{number}', '{number}', '[\"Asia/Tokyo\"]')",
            p = n + 1000,
            number = number(n),
        ))
        .await;
    }

    pub(crate) async fn lead_of(&mut self, n: i64, campaign: CampaignId) -> (ContactId, LeadId) {
        let lead = LeadId(n + campaign.0 * 1000);
        self.sql(&format!(
            "insert into lead (id, campaign_id, contact_id, class_id, rank, state, due_ms, list_id) \
             values ({lead}, {campaign}, {n}, 77, {n}, 0, 0, 1)"
        ))
        .await;
        (ContactId(n), lead)
    }

    pub(crate) async fn run(&mut self, commands: &[StoreCommand]) -> Vec<StoreReply> {
        run_batch(&mut self.db, &self.node, commands).await.unwrap()
    }

    pub(crate) async fn one(&mut self, command: StoreCommand) -> StoreReply {
        self.run(&[command]).await.remove(0)
    }

    pub(crate) async fn claim(&mut self, claim: u64, want: u32) -> Vec<ClaimedLead> {
        let reply = self.one(self.claim_command(claim, want)).await;
        let StoreReply::Claimed(leads) = reply else { panic!("{reply:?}") };
        leads
    }

    pub(crate) fn claim_command(&self, claim: u64, want: u32) -> StoreCommand {
        let (campaign, now) = (self.campaign, self.now);
        let promised = PromisedClaim::default();
        let open_classes = vec![CLASS];
        StoreCommand::Claim(Claim {
            campaign,
            claim,
            want,
            open_classes,
            promised,
            named: None,
            now,
        })
    }

    /// An intent that every gate lets through, for `lead` as claimed.
    pub(crate) fn intent(&mut self, lead: &ClaimedLead) -> Intent {
        let attempt = self.id();
        Intent {
            attempt: AttemptId(attempt),
            public_ref: format!("ref-{attempt}"),
            leg: LegId(self.id()),
            lead: lead.lead,
            fence: lead.fence,
            campaign: lead.campaign,
            seller: lead.seller,
            contact: lead.contact,
            phone: lead.phones[0].clone(),
            trunk: "main".to_owned(),
            caller_id: "+81311112222".parse().unwrap(),
            call: "{\"to\":\"x\"}".to_owned(),
            agent: Some(AGENT),
            uncovered: None,
            now: self.now,
            per_day: 2,
            per_30_days: 10,
            total: 20,
            min_gap: HOUR,
            undelivered_per_hour: 3,
        }
    }

    pub(crate) fn outcome(&self, intent: &Intent, outcome: Outcome) -> OutcomeRecord {
        OutcomeRecord {
            attempt: intent.attempt,
            lead: intent.lead,
            fence: intent.fence,
            outcome,
            early_at: None,
            answered_at: None,
            connected_at: None,
            ended_at: self.now,
            agent: None,
            legs_closed: true,
            sip_status: None,
            q850: None,
            message: None,
            live: None,
            booking: self.booking(false, false),
            after: LeadAfter {
                state: LeadState::Ready,
                due: self.now,
                gate: None,
                next_phone: None,
            },
            phone: None,
            suppress: None,
        }
    }

    pub(crate) fn booking(&self, answered: bool, abandoned: bool) -> Booking {
        Booking { window: self.window(), answered, abandoned, fault: false }
    }

    pub(crate) fn window(&self) -> LedgerWindow {
        LedgerWindow {
            campaign: self.campaign,
            starts: T0,
            ends: T0 + DAY,
            cap_ppm: 30_000,
            debt: 0,
        }
    }

    pub(crate) fn disposition(&self, intent: &Intent, code: &str) -> DispositionRecord {
        DispositionRecord {
            attempt: intent.attempt,
            lead: intent.lead,
            agent: Some(AGENT),
            code: code.to_owned(),
            memo: None,
            at: self.now,
            live: Some(true),
            window: self.window(),
            after: LeadAfter {
                state: LeadState::Done,
                due: UtcMs(0),
                gate: None,
                next_phone: None,
            },
            phone: None,
            suppress: None,
            callback: None,
        }
    }

    pub(crate) fn refusal(&mut self, contact: ContactId, n: i64) -> Suppress {
        Suppress {
            suppression: SuppressionId(self.id()),
            seller: self.seller,
            contact: Some(contact),
            phone_key: Some(number(n)),
            reason: "refused".to_owned(),
            proof: "letter 1".to_owned(),
            at: self.now,
        }
    }

    /// The person refuses and asks for one more call: a memo, a suppression and a promise.
    pub(crate) fn refused_with_callback(
        &mut self,
        intent: &Intent,
        memo: &str,
    ) -> DispositionRecord {
        let mut said = self.disposition(intent, "REFUSED");
        said.memo = Some(memo.to_owned());
        let mut refusal = self.refusal(intent.contact, 1);
        refusal.proof = intent.public_ref.clone();
        said.suppress = Some(refusal);
        let callback = CallbackId(self.id());
        let due = T0 + DAY;
        said.callback = Some(CallbackRecord { callback, owner: Some(AGENT), due, window_end: due });
        said
    }

    /// A contact with a lead, and an attempt of it that is under way.
    pub(crate) async fn open(&mut self, n: i64) -> Intent {
        self.lead(n).await;
        self.begin(u64::try_from(n).unwrap()).await
    }

    /// Claims and intends one attempt of the next lead.
    async fn begin(&mut self, claim: u64) -> Intent {
        let leads = self.claim(claim, 1).await;
        let intent = self.intent(&leads[0]);
        assert_eq!(
            self.one(StoreCommand::Intent(Box::new(intent.clone()))).await,
            StoreReply::Saved
        );
        intent
    }

    /// Likewise, and ends it.
    pub(crate) async fn attempt(&mut self, claim: u64, outcome: Outcome) -> Intent {
        let intent = self.begin(claim).await;
        let record = self.outcome(&intent, outcome);
        self.one(StoreCommand::Outcome(Box::new(record))).await;
        intent
    }

    /// Every row of every table.
    pub(crate) async fn dump(&mut self) -> Dump {
        self.side.dump().await
    }

    /// Runs a batch twice: the second time must answer the same and change nothing.
    pub(crate) async fn twice(&mut self, commands: &[StoreCommand]) -> Vec<StoreReply> {
        let replies = self.run(commands).await;
        let before = self.dump().await;
        assert_eq!(self.run(commands).await, replies, "{commands:?}");
        assert_same(&before, &self.dump().await);
        replies
    }
}

pub(crate) type Dump = BTreeMap<String, Vec<String>>;

fn parsed(rows: impl Iterator<Item = String>) -> Vec<String> {
    let mut rows: Vec<_> = rows
        .map(|row| serde_json::from_str::<serde_json::Value>(&row).unwrap().to_string())
        .collect();
    rows.sort();
    rows
}

#[track_caller]
pub(crate) fn assert_same(left: &Dump, right: &Dump) {
    assert!(left.keys().eq(right.keys()));
    for (table, rows) in left {
        assert_eq!(rows, &right[table], "{table}");
    }
}

pub(crate) fn new_node(name: &str, boot: u64) -> NewNode<'_> {
    NewNode { name, boot, pid: 9, host: "here", now: T0, lease_until: T0 + DAY * 400 }
}

pub(crate) fn number(n: i64) -> String {
    format!("+8190{n:08}")
}
