//! The whole program on PostgreSQL, over a crash: import, run, status, agent, log and export, by the verbs a person types.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use sqlx::AssertSqlSafe;
use sqlx::Connection;
use sqlx::PgConnection;
use sqlx::Row as _;

use crate::site::Plan;
use crate::site::Site;
use crate::site::eventually;
use crate::site::rest;
use crate::staff::BRISK;
use crate::staff::Staff;
use crate::staff::brisk_carrier;

#[test]
fn a_campaign_on_postgresql_is_dialed_over_a_crash_and_told_by_every_verb() {
    let _alone = crate::alone();
    let schema = Schema::new();
    let carrier = brisk_carrier(11);
    let plan = Plan::of(&carrier, 40_000_000, LIST, BRISK);
    let site = Site::new(&Plan { database: schema.url.clone(), ..plan });
    let (staff, carrier) = Staff::hire(carrier, &site.socket());

    let dialer = site.run_for_ever();
    let mode = std::fs::metadata(site.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the control socket is its owner's alone");
    assert!(site.socket().ends_with("outdial.sock"));
    eventually("some calls are over", Duration::from_secs(30), || {
        carrier.report().unwrap().totals.calls >= 8
    });
    let live = site.outdial(&["status"]);
    assert!(
        live.success && live.text.contains("agent1") && live.text.contains("proof"),
        "{}",
        live.text
    );
    let metrics = site.outdial(&["metrics"]);
    for told in [
        "outdial_campaign_invites_total{campaign=\"proof\"}",
        "outdial_ledger_uncovered_allowed{campaign=\"proof\"}",
        "outdial_agents{state=\"on_call\"}",
        "# TYPE outdial_store_commits counter",
    ] {
        assert!(metrics.success && metrics.text.contains(told), "{told}: {}", metrics.text);
    }
    assert!(metrics.text.ends_with("# EOF\n") && !metrics.text.contains("agent1"));
    let agent = site.outdial(&["agent", "pause", "agent1", "--reason", "lunch"]);
    assert!(agent.success, "{}", agent.text);
    let pause = site.outdial(&["campaign", "pause", "proof"]);
    assert!(pause.success, "{}", pause.text);
    dialer.kill_9();
    assert_eq!(
        schema.number("select count(*) from campaign where state = 'paused'"),
        1,
        "acknowledged, so durable"
    );

    // A pause outlives a crash; whoever resumes goes on.
    let again = site.run_for_ever();
    let status: Value = serde_json::from_str(&site.outdial(&["status", "--json"]).text).unwrap();
    assert_eq!(status["campaigns"][0]["state"], "paused");
    let resume = site.outdial(&["campaign", "resume", "proof"]);
    assert!(resume.success, "{}", resume.text);
    eventually("the list is done", Duration::from_secs(60), || {
        schema.number("select count(*) from lead where state in (0, 2)") == 0
    });
    let drain = crate::site::ask(&site.socket(), &serde_json::json!({ "op": "drain" })).unwrap();
    assert_eq!(drain["reply"], "ok");
    let mut again = again;
    assert_eq!(again.wait(Duration::from_secs(70)).code(), Some(0), "{}", site.last_words());
    rest(Duration::from_millis(200));
    staff.dismiss();
    assert!(!site.socket().exists(), "the socket goes with its dialer");

    check_rows(&schema, &site, &carrier);
}

fn check_rows(schema: &Schema, site: &Site, carrier: &Arc<outdial::carrier::CarrierHandle>) {
    let attempts = schema.number("select count(*) from attempt");
    assert!(attempts >= i64::try_from(LIST).unwrap());
    let without = "select count(*) from attempt where outcome is null or ended_ms is null";
    assert_eq!(schema.number(without), 0, "one outcome each");
    assert_eq!(schema.number("select count(*) from leg where ended_ms is null"), 0);
    let report = carrier.report().unwrap();
    assert_eq!((report.totals.open, report.totals.overlaps), (0, 0));

    let rest = site.outdial(&["status"]);
    assert!(rest.success && rest.text.contains("proof"), "{}", rest.text);
    let export = site.outdial(&["export", &site.campaign()]);
    assert!(export.success, "{}", export.text);
    assert_eq!(i64::try_from(export.text.lines().count()).unwrap(), attempts + 1);
    let log = site.outdial(&["log"]);
    assert!(log.success, "{}", log.text);
    let events: Vec<Value> =
        log.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let cursors: Vec<String> =
        events.iter().map(|event| event["cursor"].as_str().unwrap().to_owned()).collect();
    let wanted: Vec<String> = (1..=events.len()).map(|n| n.to_string()).collect();
    assert_eq!(cursors, wanted);
    let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count();
    assert_eq!(i64::try_from(of("attempt_started")).unwrap(), attempts);
    assert_eq!(of("node_started"), 2, "a crash lies between");
    assert!(!log.text.contains("+819040"), "numbers are masked");
}

/// A schema of its own in the cluster that the environment names.
pub(crate) struct Schema {
    pub(crate) url: String,
}

impl Schema {
    pub(crate) fn new() -> Self {
        let cluster = std::env::var("OUTDIAL_TEST_POSTGRES").expect(
            "OUTDIAL_TEST_POSTGRES is not set: run `tests/postgres run cargo test`, or set it to what `tests/postgres start` prints",
        );
        Self::of(&cluster)
    }

    /// In this cluster.
    pub(crate) fn of(cluster: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("process_{}_{count}", std::process::id());
        block_on(async {
            let mut admin = PgConnection::connect(cluster).await.unwrap();
            let text = format!("drop schema if exists {name} cascade; create schema {name}");
            sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut admin).await.unwrap();
            admin.close().await.unwrap();
        });
        Self { url: format!("{cluster}?options[search_path]={name}") }
    }

    /// How many attempts were made by the processes of this name.
    pub(crate) fn attempts_of(&self, node: &str) -> i64 {
        block_on(async {
            let mut db = PgConnection::connect(&self.url).await.unwrap();
            let text = "select count(*) from attempt t join node n on n.epoch = t.id >> 32 where n.name = $1";
            let number = sqlx::query(text).bind(node).fetch_one(&mut db).await.unwrap().get(0);
            db.close().await.unwrap();
            number
        })
    }

    /// Runs statements.
    pub(crate) fn script(&self, text: &str) {
        block_on(async {
            let mut db = PgConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut db).await.unwrap();
            db.close().await.unwrap();
        });
    }

    /// The one number of a query.
    pub(crate) fn number(&self, text: &'static str) -> i64 {
        block_on(async {
            let mut db = PgConnection::connect(&self.url).await.unwrap();
            let number = sqlx::query(text).fetch_one(&mut db).await.unwrap().get(0);
            db.close().await.unwrap();
            number
        })
    }
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

const LIST: usize = 30;
