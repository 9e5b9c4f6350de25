//! A whole installation moves to another database and back, and is the same; or nothing happens.

use std::cell::RefCell;

use outdial::logic::dialer::*;
use outdial::logic::outcome::Outcome;
use outdial::store::{
    CopyError, Db, Engine, Side as CopySide, StoreError, TABLES, check_health, copy_installation,
    next_epoch, register_node, reopen,
};

use crate::harness::*;

on_both! {
    a_copy_on_either_database_has_every_row_and_goes_on_where_the_old_one_stopped
    a_database_that_was_copied_starts_nobody_until_it_is_reopened
    a_target_that_is_not_empty_is_refused_and_nothing_is_changed
    a_copy_that_fails_half_way_leaves_both_as_they_were
}

/// One of each engine, nobody's yet.
async fn targets() -> (tempfile::TempDir, [String; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = format!("sqlite:{}", folder.path().join("copy.db").display());
    (folder, [sqlite, postgres_schema().await])
}

/// A dialer of the source has ended, as far as its row says.
async fn nobody_runs(world: &mut World) {
    world.sql("update node set ended_ms = 1, lease_until_ms = 0").await;
}

async fn copy(world: &mut World, to: &str) -> Result<u64, CopyError> {
    let mut target = Db::open(to).await.unwrap();
    let copied = copy_installation(&mut world.db, &mut target, T0, &mut |_| {}).await;
    target.close().await.unwrap();
    copied.map(|tables| tables.iter().map(|table| table.rows).sum())
}

/// Everything but what is each database's own.
async fn rows(url: &str) -> Dump {
    let mut side = Side::open(url).await;
    let mut rows = side.dump().await;
    side.close().await;
    rows.remove("schema_version");
    rows
}

/// Copies to both engines and compares; the source is as it was in the end.
pub(crate) async fn copied_everywhere(world: &mut World) {
    nobody_runs(world).await;
    let before = rows(&world.url).await;
    let (_folder, targets) = targets().await;
    for url in targets {
        copy(world, &url).await.unwrap();
        assert_same(&before, &rows(&url).await);
        assert!(reopen(&mut world.db).await.unwrap());
    }
    assert_same(&before, &rows(&world.url).await);
}

async fn a_copy_on_either_database_has_every_row_and_goes_on_where_the_old_one_stopped(
    world: &mut World,
) {
    for n in 1..=1_203 {
        world.lead(n).await;
    }
    // Longer rows than a page holds, and signs that JSON, SQL and CSV each know.
    let odd = "'\" \\ % \u{1f600} \u{2028} \t";
    let odd = odd.replace('\'', "''");
    world
        .sql(&format!(
            "update contact set name = '{odd}', custom = '[[\"x\",\"{}\"]]' where id < 40",
            "y".repeat(60_000)
        ))
        .await;
    world.attempt(1, Outcome::Connected).await;
    // The same lead comes first again.
    world.now = world.now + HOUR * 2;
    world.attempt(2, Outcome::Busy).await;
    let before = rows(&world.url).await;
    nobody_runs(world).await;
    let ended = rows(&world.url).await;
    assert!(before != ended);
    let (_folder, targets) = targets().await;
    for url in targets {
        let told = RefCell::new(vec![]);
        let mut target = Db::open(&url).await.unwrap();
        copy_installation(&mut world.db, &mut target, T0, &mut |table| {
            told.borrow_mut().push(table.table)
        })
        .await
        .unwrap();
        assert_eq!(told.into_inner(), TABLES.iter().map(|table| table.name).collect::<Vec<_>>());
        assert_same(&ended, &rows(&url).await);
        let health = check_health(&mut target, T0).await.unwrap();
        assert!(health.found.iter().all(|found| !found.rule.is_fault()), "{:?}", health.found);
        // The next start has the identity, and ids that nobody had before.
        let node = register_node(&mut target, &new_node("there", 2)).await.unwrap();
        assert_eq!(
            (&node.installation, &node.secret),
            (&world.node.installation, &world.node.secret)
        );
        assert_eq!(node.epoch, world.node.epoch + 1);
        target.close().await.unwrap();
        assert!(reopen(&mut world.db).await.unwrap());
    }
}

async fn a_database_that_was_copied_starts_nobody_until_it_is_reopened(world: &mut World) {
    nobody_runs(world).await;
    let (_folder, targets) = targets().await;
    copy(world, &targets[0]).await.unwrap();
    let refused = register_node(&mut world.db, &new_node("here", 2)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Moved { at: T0 }), "{refused}");
    assert!(refused.to_string().contains("outdial db reopen"), "{refused}");
    assert!(matches!(next_epoch(&mut world.db).await, Err(StoreError::Moved { .. })), "an import");
    let again = copy(world, &targets[1]).await.unwrap_err();
    let is_moved = |error: &CopyError| {
        matches!(error, CopyError::Store { side: CopySide::From, source: StoreError::Moved { .. } })
    };
    assert!(is_moved(&again), "{again}");
    assert!(check_health(&mut world.db, T0).await.unwrap().moved.is_some());
    assert!(reopen(&mut world.db).await.unwrap());
    assert!(!reopen(&mut world.db).await.unwrap(), "the mark is gone");
    register_node(&mut world.db, &new_node("here", 2)).await.unwrap();
}

async fn a_target_that_is_not_empty_is_refused_and_nothing_is_changed(world: &mut World) {
    nobody_runs(world).await;
    let (_folder, targets) = targets().await;
    for url in targets {
        copy(world, &url).await.unwrap();
        assert!(reopen(&mut world.db).await.unwrap());
        let (source, target) = (rows(&world.url).await, rows(&url).await);
        let refused = copy(world, &url).await.unwrap_err();
        assert!(matches!(refused, CopyError::NotEmpty { .. }), "{refused}");
        assert_same(&source, &rows(&world.url).await);
        assert_same(&target, &rows(&url).await);
        // A schema without rows is as good as none.
        let mut side = Side::open(&url).await;
        for table in
            TABLES.iter().filter(|table| !["counter", "installation"].contains(&table.name))
        {
            side.sql(&format!("delete from {}", table.name)).await;
        }
        side.close().await;
        copy(world, &url).await.unwrap();
        assert!(reopen(&mut world.db).await.unwrap());
    }
}

async fn a_copy_that_fails_half_way_leaves_both_as_they_were(world: &mut World) {
    for n in 1..=3 {
        world.lead(n).await;
    }
    nobody_runs(world).await;
    let before = rows(&world.url).await;
    let (_folder, targets) = targets().await;
    for url in targets {
        let mut target = Db::open(&url).await.unwrap();
        target.migrate(T0, &FRESH).await.unwrap();
        target.close().await.unwrap();
        // A target that cannot take one of the rows in the middle of it all.
        let mut side = Side::open(&url).await;
        side.sql("create unique index in_the_way on lead (campaign_id)").await;
        let empty = side.dump().await;
        let failed = copy(world, &url).await.unwrap_err();
        assert!(matches!(failed, CopyError::Store { side: CopySide::To, .. }), "{failed}");
        assert_same(&empty, &side.dump().await);
        side.close().await;
        assert_same(&before, &rows(&world.url).await);
        register_node(&mut world.db, &new_node("here", 2)).await.unwrap();
        world.sql("update counter set value = value - 1; delete from node where epoch > 1").await;
        world
            .sql("delete from event where seq > (select value from counter where name = 'event')")
            .await;
        nobody_runs(world).await;
    }
}

#[test]
fn a_dialer_that_holds_a_lease_on_postgresql_is_named_and_not_disturbed() {
    on_postgres(async |world| {
        let (_folder, targets) = targets().await;
        let before = rows(&world.url).await;
        let refused = copy(world, &targets[0]).await.unwrap_err();
        assert!(matches!(refused, CopyError::DialerRuns { side: CopySide::From, .. }), "{refused}");
        assert!(refused.to_string().contains("here (process 9)"), "{refused}");
        assert_same(&before, &rows(&world.url).await);
        assert_eq!(world.db.engine(), Engine::Postgres);
    });
}

#[test]
fn a_text_that_the_other_database_cannot_hold_is_no_half_copy() {
    on_sqlite(async |world| {
        world.lead(1).await;
        world.sql("update contact set name = 'a' || char(0) || 'b'").await;
        nobody_runs(world).await;
        let (_folder, targets) = targets().await;
        let failed = copy(world, &targets[1]).await.unwrap_err();
        assert!(matches!(failed, CopyError::Store { side: CopySide::To, .. }), "{failed}");
        assert!(rows(&targets[1]).await.values().all(Vec::is_empty), "nothing is there");
        // Between two files it is no matter, or refused whole.
        match copy(world, &targets[0]).await {
            Ok(_) => assert_same(&rows(&targets[0]).await, &{
                assert!(reopen(&mut world.db).await.unwrap());
                rows(&world.url).await
            }),
            Err(error) => assert!(matches!(error, CopyError::Differs { .. }), "{error}"),
        }
    });
}

#[test]
fn a_backup_is_taken_while_somebody_writes_and_holds_what_was_committed() {
    on_sqlite(async |world| {
        world.lead(1).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("backup.db");
        let mut writer = Side::open(&world.url).await;
        writer.sql("begin immediate; insert into seller (id, name) values (900, 'not yet')").await;
        let mut reader = Db::open(&world.url).await.unwrap();
        reader.copy_into(file.to_str().unwrap()).await.unwrap();
        writer.sql("commit").await;
        writer.close().await;
        reader.close().await.unwrap();
        let url = format!("sqlite:{}", file.display());
        let mut copy = Db::open(&url).await.unwrap();
        copy.check_schema().await.unwrap();
        assert_eq!(outdial::store::check_pages(&mut copy).await.unwrap(), Vec::<String>::new());
        copy.close().await.unwrap();
        let (copied, mut there) = (rows(&url).await, rows(&world.url).await);
        there.get_mut("seller").unwrap().retain(|row| !row.contains("not yet"));
        assert_same(&there, &copied);
        let StoreReply::Claimed(leads) = world.one(world.claim_command(1, 1)).await else {
            panic!()
        };
        assert_eq!(leads.len(), 1, "the dialer goes on");
    });
}
