//! Every earlier schema, with rows in every table, becomes today's: nothing is lost, and the program goes on where it was.

use outdial::logic::dialer::*;
use outdial::logic::ids::*;
use outdial::logic::outcome::Outcome;
use outdial::store::{Db, Engine, MIGRATIONS, Migrated, Rule, TABLES, check_health};

use crate::harness::*;

mod sqlite {
    #[test]
    fn every_earlier_schema_becomes_todays_with_all_its_rows() {
        for version in super::versions() {
            let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let url = |folder: &tempfile::TempDir| {
                format!("sqlite:{}", folder.path().join("test.db").display())
            };
            crate::harness::block_on(super::becomes_todays(version, &url(&old), &url(&new)));
        }
    }
}

mod postgres {
    use crate::harness::{block_on, postgres_schema};

    #[test]
    fn every_earlier_schema_becomes_todays_with_all_its_rows() {
        for version in super::versions() {
            block_on(async {
                let (old, new) = (postgres_schema().await, postgres_schema().await);
                super::becomes_todays(version, &old, &new).await;
            });
        }
    }
}

/// Each step that was the last one once, today's too.
fn versions() -> impl Iterator<Item = i64> {
    assert!(MIGRATIONS.len() >= 3);
    MIGRATIONS.iter().map(|step| step.version)
}

async fn becomes_todays(version: i64, old: &str, new: &str) {
    let mut side = Side::open(old).await;
    create_url(old).await;
    side.sql(&steps(version, old)).await;
    side.sql(ROWS).await;
    if version >= 6 {
        side.sql(PROMISED).await;
    }
    if version >= 10 {
        side.sql(PROMISED_AT).await;
    }

    let mut db = Db::open_writer(old).await.unwrap();
    let newest = MIGRATIONS.last().unwrap().version;
    let done = db.migrate(T0, &FRESH).await.unwrap();
    assert_eq!(done, Migrated { from: version, to: newest });
    assert_eq!(db.migrate(T0, &FRESH).await.unwrap(), Migrated { from: newest, to: newest });
    db.close().await.unwrap();

    // The same rows in a schema that was made at once.
    let mut fresh = Db::open_writer(new).await.unwrap();
    assert_eq!(fresh.migrate(T0, &FRESH).await.unwrap().from, 0);
    fresh.close().await.unwrap();
    let mut wanted = Side::open(new).await;
    wanted.sql("delete from installation; delete from counter").await;
    wanted.sql(ROWS_OF_MIGRATION).await;
    wanted.sql(ROWS).await;
    wanted.sql(PROMISED).await;
    wanted.sql(PROMISED_AT).await;
    let (mut wanted_rows, mut found) = (wanted.dump().await, side.dump().await);
    for rows in [&mut wanted_rows, &mut found] {
        rows.remove("schema_version");
    }
    assert_same(&wanted_rows, &found);
    // The columns of steps to come may be empty in old rows; no table may be.
    for table in TABLES.iter().filter(|table| !NEWER_TABLES.contains(&table.name)) {
        assert!(
            !found[table.name].is_empty(),
            "no row in {}: the test proves nothing of it",
            table.name
        );
    }
    wanted.close().await;
    side.close().await;
    goes_on(old).await;
}

/// A dialer starts on it, ends what was left open, and calls whom nobody has called.
async fn goes_on(url: &str) {
    let mut world = World::new(url).await;
    let health = check_health(&mut world.db, T0).await.unwrap();
    assert_eq!((health.damage, health.missing, health.audit), (vec![], vec![], None));
    let rules: Vec<Rule> = health.found.iter().map(|found| found.rule).collect();
    assert_eq!(rules, [Rule::LeftOpen, Rule::LeftClaimed], "as after a crash");

    assert_eq!(world.node.installation, "00112233445566778899aabbccddeeff");
    assert!(world.node.epoch > 2 && world.campaign == CampaignId(10));
    let node = world.node.clone();
    let open = world.take_over(&node, false).await.work;
    assert_eq!(open.attempts.len(), 1);
    assert_eq!(open.attempts[0].attempt, AttemptId(502));
    let left = world.claim(1, 10).await;
    assert_eq!(left.iter().map(|lead| lead.lead).collect::<Vec<_>>(), [LeadId(103)]);
    let intent = world.intent(&left[0]);
    assert_eq!(world.one(StoreCommand::Intent(Box::new(intent.clone()))).await, StoreReply::Saved);
    let mut busy = world.outcome(&intent, Outcome::Busy);
    busy.after.state = LeadState::Done;
    world.one(StoreCommand::Outcome(Box::new(busy))).await;
    let health = check_health(&mut world.db, T0).await.unwrap();
    assert!(health.found.iter().all(|found| !found.rule.is_fault()), "{:?}", health.found);
    world.close().await;
}

/// The files as they lie in the repository, and the rows that programs of their time wrote of them.
fn steps(version: i64, url: &str) -> String {
    let folder = if url.starts_with("sqlite") { Engine::Sqlite } else { Engine::Postgres };
    let folder = match folder {
        Engine::Sqlite => "migrations/sqlite",
        Engine::Postgres => "migrations/postgres",
    };
    let mut text = String::from(
        "create table schema_version (version bigint primary key, name text not null, at_ms bigint not null);\n",
    );
    for step in MIGRATIONS.iter().filter(|step| step.version <= version) {
        text += &std::fs::read_to_string(format!("{folder}/{}", step.name)).unwrap();
        let (number, name) = (step.version, step.name);
        text += &format!(
            ";\ninsert into schema_version (version, name, at_ms) values ({number}, '{name}', 1);\n"
        );
    }
    text
}

/// On SQLite the program's own log mode, as an earlier program would have left it.
async fn create_url(url: &str) {
    if url.starts_with("sqlite") {
        Db::open(url).await.unwrap().close().await.unwrap();
    }
}

/// Tables that no step of the first schema makes.
const NEWER_TABLES: [&str; 2] = ["trunk_share", "export_cursor"];

/// What the sixth step makes of the promises that are there.
const PROMISED: &str =
    "update lead set promised = 1 where id in (select lead_id from callback where state = 0)";

/// And the tenth.
const PROMISED_AT: &str = "update lead set promised_ms = (select min(due_ms) from callback \
     where lead_id = lead.id and state = 0) where promised = 1";

/// What the first step writes by itself.
const ROWS_OF_MIGRATION: &str =
    "insert into counter (name, value) values ('node_epoch', 0), ('event', 0)";

/// A day of the first version, ended by a crash: one talk, one call in progress, one person not called yet, one waiting, one
/// who refused. Only columns that the first schema had.
const ROWS: &str = r#"
insert into installation (id, secret, created_ms) values ('00112233445566778899aabbccddeeff',
  '0101010101010101010101010101010101010101010101010101010101010101', 1);
update counter set value = 2 where name = 'node_epoch';
update counter set value = 2 where name = 'event';
insert into node (epoch, name, boot, pid, started_ms, lease_until_ms, ended_ms) values
  (1, 'here', -7, 100, 1, 0, 5), (2, 'here', 9000000000000000001, 101, 6, 9, null);
insert into seller (id, name) values (1, 'Acme');
insert into campaign (id, name, seller_id, state, state_ms, first_run_ms) values (10, 'spring', 1, 'running', 6, 6);
insert into list (id, campaign_id, name) values (20, 10, 'list.csv');
insert into contact (id, seller_id, external_id, name, language, custom) values
  (1, 1, 'X1', '佐藤 "一" \ ', 'ja', '[["plan","A"]]'), (2, 1, 'X2', 'Bob', null, '[]'), (3, 1, 'X3', null, 'en', '[]'),
  (4, 1, null, 'Dee', 'ja', '[]'), (5, 1, 'X5', 'Eve', 'ja', '[]');
insert into phone (id, seller_id, contact_id, position, key, number, kind, extension, zones, suspect_day, invalid) values
  (1001, 1, 1, 0, '+819000000001', '+819000000001', 'mobile', null, '["Asia/Tokyo"]', null, 0),
  (1002, 1, 2, 0, '+819000000002', '+819000000002', null, '12', '["Asia/Tokyo"]', 20000, 0),
  (1003, 1, 3, 0, '+819000000003', '+819000000003', null, null, '["Asia/Tokyo"]', null, 0),
  (1004, 1, 4, 0, '+819000000004', '+819000000004', null, null, '["Asia/Tokyo"]', null, 0),
  (1005, 1, 5, 0, '+819000000005', '+819000000005', null, null, '["Asia/Tokyo"]', null, 1);
insert into calling_class (id, descriptor) values (77, 'JP');
insert into campaign_class (campaign_id, class_id) values (10, 77);
insert into lead (id, campaign_id, contact_id, next_phone_id, class_id, rank, state, due_ms, gate, owner_agent_id, claimed_by,
  claim_no, fence, attempts, last_outcome, same_outcome, list_id) values
  (101, 10, 1, null, 77, 1, 3, 0, null, null, null, null, 1, 1, 'connected', 1, 20),
  (102, 10, 2, 1002, 77, 2, 2, 0, null, null, 2, 1, 1, 0, null, 0, 20),
  (103, 10, 3, null, 77, 3, 0, 0, null, null, null, null, 0, 0, null, 0, 20),
  (104, 10, 4, null, 77, 4, 1, 4000000000000, 'retry', 55, null, null, 1, 1, 'no_answer', 1, 20),
  (105, 10, 5, null, 77, 5, 5, 0, 'suppressed', null, null, null, 0, 0, null, 0, 20);
insert into attempt (id, public_ref, lead_id, fence, seller_id, contact_id, phone_id, phone_key, number, campaign_id, list_id,
  attempt_no, node_epoch, rules_id, trunk, caller_id, agent_id, uncovered, started_ms, early_ms, answered_ms, connected_ms,
  ended_ms, outcome, first_outcome, sip_status, q850, counted, undelivered, live, abandoned, window_ms, booked_answered,
  booked_abandoned, booked_fault, booked_live) values
  (501, 'r1', 101, 1, 1, 1, 1001, '+819000000001', '+819000000001', 10, 20, 1, 1, 1, 'main', '+81311112222', 55, 0,
   10, 11, 12, 13, 14, 'connected', 'unknown', 200, 16, 1, 0, 1, 0, 0, 1, 0, 0, 1),
  (502, 'r2', 102, 1, 1, 2, 1002, '+819000000002', '+819000000002', 10, 20, 1, 2, null, 'main', '+81311112222', null, 0,
   20, null, null, null, null, null, null, null, null, 1, 0, null, 0, null, 0, 0, 0, 0),
  (503, 'r3', 104, 1, 1, 4, 1004, '+819000000004', '+819000000004', 10, 20, 1, 1, null, 'main', '+81311112222', null, 0,
   15, 16, null, null, 17, 'no_answer', null, 480, null, 1, 0, null, 0, null, 0, 0, 0, 0);
insert into leg (id, attempt_id, leg_no, agent_id, node_epoch, trunk, call, started_ms, remote_tag, remote_target, route_set,
  cseq, sip_status, q850, early_ms, answered_ms, ended_ms) values
  (601, 501, 1, null, 1, 'main', '{"to":"x"}', 10, 't', 'sip:x@192.0.2.1', '["<sip:a;lr>"]', 3, 200, 16, 11, 12, 14),
  (602, 502, 1, null, 2, 'main', '{"to":"y"}', 20, null, null, null, null, null, null, null, null, null),
  (603, null, 1, 55, 1, null, '{}', 9, null, null, null, null, 200, null, null, 9, 14);
insert into disposition (attempt_id, agent_id, code, memo, at_ms) values (501, 55, 'SALE', '良い', 14);
insert into callback (id, attempt_id, lead_id, owner_agent_id, due_ms, window_end_ms, state) values
  (701, 503, 104, 55, 4000000000000, 4000000000001, 0);
insert into suppression (id, scope, seller_id, key, reason, proof, at_ms, lifted_ms) values
  (801, 'person', 1, 'c:5', 'refused', 'letter', 3, null), (801, 'number', 1, '+819000000005', 'refused', 'letter', 3, null);
insert into interaction (id, seller_id, contact_id, at_ms, channel, ref, body) values (901, 1, 1, 14, 'call', 'r1', 'talk');
insert into agent (id, name) values (55, 'ann');
insert into agent_state (agent_id, at_ms, seq, node_epoch, state, reason) values (55, 9, 1, 1, 'paused', 'lunch');
insert into abandon_window (campaign_id, starts_ms, ends_ms, cap_ppm, answered, abandoned, fault) values
  (10, 0, 86400000, 30000, 1, 0, 0);
insert into abandon_share (campaign_id, starts_ms, node_epoch, share) values (10, 0, 1, 0);
insert into import (id, file_hash, list_id, next_row, state, started_ms, ended_ms) values (21, 'abc', 20, 6, 'done', 2, 3);
insert into import_row (list_id, row_key, import_id, row_no, result) values (20, 'X1', 21, 1, 'added');
insert into rules (id, sha256, text) values (1, 'def', 'hours');
insert into event (seq, at_ms, kind, ref, body) values (1, 1, 'node_started', '1', '{}'), (2, 6, 'node_started', '2', '{}');
insert into audit (node_epoch, seq, at_ms, who, what, body, prev_hash, hash) values
  (1, 1, 5, 'ann', 'campaign_state', '{"state":"running"}', '',
   'eeeeb45009b5cc1214e40655508611ebc399ba0c1317500ba7c9fcfef4c776f9');
insert into model_state (campaign_id, name, body) values (10, 'pace', '{}');
"#;
