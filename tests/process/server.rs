//! A PostgreSQL that has trouble of its own: it restarts, it crashes, a standby takes its place, it has no connection left, it
//! is slow. No outcome is lost, nobody is called twice, and what was confirmed is kept.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::cluster::Size;
use crate::cluster::check;
use crate::cluster::finish;
use crate::cluster::plan;
use crate::cluster::server_of;
use crate::cluster::through;
use crate::cluster::world;
use crate::postgres::Schema;
use crate::proxy::Proxy;
use crate::site::Plan;
use crate::site::Site;
use crate::site::agent_state;
use crate::site::ask;
use crate::site::eventually;
use crate::site::number;
use crate::site::rest;
use crate::staff::Staff;

#[test]
fn a_server_that_restarts_and_crashes_loses_no_outcome() {
    let _alone = crate::alone();
    let (cluster, url) = Cluster::start();
    let schema = Schema::of(&url);
    let carrier = world(3, TRUNK);
    let first = Site::new(&plan(&schema, &carrier, CONTACTS));
    let east = first.colleague(&plan(&schema, &carrier, CONTACTS), "east", TRUNK);
    let mut dialers = [east.run_for_ever()];
    let (staff, carrier) = Staff::hire_at(carrier, vec![east.socket()]);
    let attempts = || schema.number("select count(*) from attempt where ended_ms is not null");
    for (how, part) in [("fast", 15), ("immediate", 35)] {
        eventually("some calls are over", Duration::from_secs(60), || attempts() >= part);
        cluster.tell(&["restart", how]);
    }
    finish(&schema, std::slice::from_ref(&east), &mut dialers);
    staff.dismiss();
    assert_eq!(schema.number(UNKNOWN), 0);
    check(&schema, &carrier, &SIZE);
}

#[test]
fn an_import_outlasts_a_crash_of_the_server() {
    let _alone = crate::alone();
    let (cluster, url) = Cluster::start();
    let schema = Schema::of(&url);
    let carrier = world(1, TRUNK);
    let site = Site::new(&plan(&schema, &carrier, 1));
    let mut list = String::from("id,name,phone,language\n");
    for row in 0..LONG_LIST {
        list.push_str(&format!("L{row},Person {row},{},en\n", number(20_000_000 + row)));
    }
    std::fs::write(site.path("long.csv"), list).unwrap();
    let list = site.path("long.csv").display().to_string();
    let mut import = site.spawn(&["import", &site.campaign(), &list], Stdio::null());
    let stored = || schema.number("select count(*) from lead");
    eventually("the first rows are stored", Duration::from_secs(60), || stored() > 1);
    cluster.tell(&["restart", "immediate"]);
    let between = stored();
    assert!(import.wait(Duration::from_secs(60)).success());
    let all = i64::try_from(1 + LONG_LIST).unwrap();
    assert!(between < all, "the server was away in the middle of it");
    assert_eq!(stored(), all);
    assert_eq!(schema.number("select count(*) from import where ended_ms is null"), 0);
}

#[test]
fn a_standby_that_was_promoted_goes_on_where_the_first_server_ended() {
    let _alone = crate::alone();
    let (cluster, url) = Cluster::start();
    let schema = Schema::of(&url);
    let carrier = world(3, TRUNK);
    let direct = plan(&schema, &carrier, CONTACTS);
    let first = Site::new(&direct);
    let proxy = Proxy::to(server_of(&url));
    let behind = Plan { database: through(&schema.url, &proxy), ..direct };
    let east = first.colleague(&behind, "east", TRUNK);
    let standby = cluster.tell(&["standby"]);
    let mut dialers = [east.run_for_ever()];
    let (staff, carrier) = Staff::hire_at(carrier, vec![east.socket()]);
    let attempts = "select count(*) from attempt where ended_ms is not null";
    eventually("some calls are over", Duration::from_secs(60), || schema.number(attempts) >= 25);
    cluster.tell(&["promote"]);
    proxy.turn_to(server_of(&standby));
    let new = server_of(&standby).to_string();
    let schema = Schema { url: schema.url.replace(&server_of(&url).to_string(), &new) };
    assert!(schema.number(attempts) >= 25, "what was confirmed is there");
    finish(&schema, std::slice::from_ref(&east), &mut dialers);
    staff.dismiss();
    assert_eq!(schema.number(UNKNOWN), 0);
    check(&schema, &carrier, &SIZE);
}

#[test]
fn a_dialer_that_gets_no_connection_starts_no_call_and_goes_on_when_it_has_one() {
    let _alone = crate::alone();
    let schema = Schema::new();
    let carrier = world(3, TRUNK);
    let direct = plan(&schema, &carrier, CONTACTS);
    let first = Site::new(&direct);
    // A user of its own, whose connections are counted: the administrator's are not.
    let user = format!("crowded_{}", std::process::id());
    let (_, name) = schema.url.split_once("search_path]=").unwrap();
    schema.script(&format!(
        "create role {user} login connection limit 2; grant usage on schema {name} to {user}; \
         grant all on all tables in schema {name} to {user}"
    ));
    let theirs = schema.url.replace("outdial@", &format!("{user}@"));
    let east = first.colleague(&Plan { database: theirs.clone(), ..direct }, "east", TRUNK);
    let mut dialers = [east.run_for_ever()];
    let (staff, carrier) = Staff::hire_at(carrier, vec![east.socket()]);
    let attempts = || schema.number("select count(*) from attempt where ended_ms is not null");
    eventually("some calls are over", Duration::from_secs(60), || attempts() >= 15);
    let crowd = Connected::to(&theirs);
    schema.script(&format!(
        "alter role {user} connection limit 1; \
         select pg_terminate_backend(pid) from pg_stat_activity where usename = '{user}' and application_name = 'outdial'"
    ));
    let refused = east.outdial(&["status", "--json"]);
    let open = || carrier.report().unwrap().totals.open;
    eventually("the last calls are over", Duration::from_secs(60), || open() == 0);
    let calls = carrier.report().unwrap().totals.calls;
    rest(Duration::from_secs(3));
    assert_eq!(carrier.report().unwrap().totals.calls, calls, "no call starts: {}", refused.text);
    let left = schema.number("select count(*) from lead where state in (0, 2)");
    assert!(left > 0, "there is work, and it waits");
    drop(crowd);
    finish(&schema, std::slice::from_ref(&east), &mut dialers);
    staff.dismiss();
    assert_eq!(schema.number(UNKNOWN), 0);
    check(&schema, &carrier, &SIZE);
    schema.script(&format!("drop owned by {user}; drop role {user}"));
}

#[test]
fn a_slow_server_starts_no_call_and_has_every_outcome_in_the_end() {
    let _alone = crate::alone();
    let schema = Schema::new();
    let carrier = world(3, TRUNK);
    let direct = plan(&schema, &carrier, CONTACTS);
    let first = Site::new(&direct);
    let proxy = Proxy::to(server_of(&schema.url));
    let behind = Plan { database: through(&schema.url, &proxy), ..direct };
    let east = first.colleague(&behind, "east", TRUNK);
    let mut dialers = [east.run_for_ever()];
    let (staff, carrier) = Staff::hire_at(carrier, vec![east.socket()]);
    let attempts = || schema.number("select count(*) from attempt where ended_ms is not null");
    let talking = || {
        let agents = ["agent1", "agent2", "agent3"];
        agents.iter().any(|agent| agent_state(&east.socket(), agent) == "on_call")
    };
    eventually("somebody talks", Duration::from_secs(60), || attempts() >= 15 && talking());
    // Ten statements are a second and a half: a row of an attempt that is longer under way than one is given up.
    proxy.slow_down(Duration::from_millis(80));
    let status = || ask(&east.socket(), &json!({ "op": "status" })).unwrap();
    eventually("it says so", Duration::from_secs(30), || status()["store"] == "slow");
    let given_up = || schema.number("select count(*) from attempt where outcome = 'not_placed'");
    eventually("an attempt was given up", Duration::from_secs(60), || given_up() > 0);
    let totals = || carrier.report().unwrap().totals;
    eventually("talks and calls came to their ends", Duration::from_secs(60), || {
        totals().open == 0
    });
    let (calls, before) = (totals().calls, given_up());
    let called = "select count(*) from attempt where outcome <> 'not_placed'";
    let all = i64::try_from(calls).unwrap();
    eventually("their outcomes are written", Duration::from_secs(60), || {
        schema.number(called) == all
    });
    eventually("others are given up", Duration::from_secs(60), || given_up() > before);
    assert_eq!(totals().calls, calls, "no call starts on a row that came late");
    let dead = "select count(*) from node where ended_ms is not null";
    assert_eq!(schema.number(dead), 0, "slow is not dead");
    let placed = "select count(distinct lead_id) from attempt where outcome <> 'not_placed'";
    let everybody = i64::try_from(CONTACTS).unwrap();
    assert!(schema.number(placed) < everybody, "there is work, and it waits");
    proxy.slow_down(Duration::ZERO);
    eventually("everybody is called after all", Duration::from_secs(120), || {
        schema.number(placed) == everybody
    });
    finish(&schema, std::slice::from_ref(&east), &mut dialers);
    staff.dismiss();
    assert_eq!(schema.number(UNKNOWN), 0);
    assert_eq!(schema.number("select count(*) from attempt where abandoned = 1"), 0);
    check(&schema, &carrier, &SIZE);
}

/// A cluster of this test's own.
struct Cluster(TempDir);

impl Cluster {
    fn start() -> (Self, String) {
        let cluster = Self(tempfile::tempdir().unwrap());
        // The server's own user has to reach what is below.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(cluster.0.path(), open).unwrap();
        let url = cluster.tell(&["start"]);
        (cluster, url)
    }

    /// What `tests/postgres` says to it.
    fn tell(&self, words: &[&str]) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres");
        let mut command = Command::new(script);
        command.args(words).env("OUTDIAL_TEST_POSTGRES_HOME", self.0.path().join("postgres"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.tell(&["stop"]);
    }
}

/// A connection that is held.
struct Connected {
    runtime: tokio::runtime::Runtime,
    connection: Option<sqlx::PgConnection>,
}

impl Connected {
    fn to(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connection = <sqlx::PgConnection as sqlx::Connection>::connect(url);
        let connection = Some(runtime.block_on(connection).unwrap());
        Self { runtime, connection }
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.runtime.block_on(sqlx::Connection::close(connection)).ok();
        }
    }
}

const CONTACTS: usize = 60;
/// Several chunks.
const LONG_LIST: usize = 60_000;
const TRUNK: (u32, u32) = (9, 6);
const SIZE: Size = Size { contacts: CONTACTS, agents: 3, trunk: TRUNK, within: Duration::ZERO };
const UNKNOWN: &str = "select count(*) from attempt where outcome = 'unknown'";
