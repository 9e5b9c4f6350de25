//! How both databases run the statements that must stay fast on long lists, asked of the databases themselves.

use crate::logic::time::UtcMs;
use crate::store::db::{Db, Engine};
use crate::store::exports;
use crate::store::imports;
use crate::store::leads;
use crate::store::ledger;
use crate::store::migrations::hex;
use crate::store::sql::{Bind, Sql};

macro_rules! on_both {
    ($($name:ident)+) => {
        mod sqlite {
            $(#[test] fn $name() { super::block_on(async { super::$name(&mut super::sqlite_list().await).await }) })+
        }
        mod postgres {
            $(#[test] fn $name() { super::block_on(async { super::$name(&mut super::postgres_list().await).await }) })+
        }
    };
}

on_both! {
    a_claim_seeks_in_the_index_of_ready_leads_once_per_class
    a_lead_that_is_named_is_found_by_the_person
    a_claim_of_promised_calls_walks_over_no_class_that_is_closed
    waiting_leads_are_found_by_their_time
    the_rows_of_an_import_are_counted_without_sorting_them
}

async fn a_claim_seeks_in_the_index_of_ready_leads_once_per_class(db: &mut Db) {
    let binds = [Bind::Int(1), Bind::Text("[1,2,3]"), Bind::Int(100), Bind::Int(9), Bind::Int(1)];
    let plan = plan(db, &leads::CLAIM_READY, &binds).await;
    match db.engine() {
        Engine::Sqlite => {
            let seek = "SEARCH lead USING COVERING INDEX lead_ready (campaign_id=? AND class_id=?)";
            assert!(plan.contains(seek), "{plan}");
            assert!(plan.contains("SEARCH lead USING INTEGER PRIMARY KEY"), "{plan}");
        }
        Engine::Postgres => {
            // Nothing is between the limit of one class and its index: no sort of the class.
            let lateral = plan.split("jsonb_array_elements_text").nth(1).unwrap();
            let seek = lateral.split("Limit").nth(1).unwrap();
            assert!(seek.contains("using lead_ready on lead"), "{plan}");
            assert!(!seek.contains("Sort"), "{plan}");
        }
    }
    assert!(!scans_leads(&plan), "{plan}");
}

async fn a_lead_that_is_named_is_found_by_the_person(db: &mut Db) {
    let (campaign, classes, named) = (Bind::Int(1), Bind::Text("[1,2,3]"), Bind::Text("X7"));
    let binds = [campaign, classes, named, Bind::Int(9), Bind::Int(1)];
    let plan = plan(db, &leads::CLAIM_NAMED, &binds).await;
    for walk in ["lead_count", "lead_ready", "lead_wait"] {
        assert!(!plan.contains(walk), "{plan}");
    }
    assert!(!scans_leads(&plan), "{plan}");
}

async fn a_claim_of_promised_calls_walks_over_no_class_that_is_closed(db: &mut Db) {
    let (open, owners) = (Bind::Text("[1,3]"), Bind::Text("[5,6]"));
    let [campaign, most, node, claim] = [1, 20, 9, 1].map(Bind::Int);
    let (now, since) = (Bind::Int(30_000), Bind::Int(100));
    let binds = [campaign, open, most, node, claim, now, since, owners];
    let plan = plan(db, &leads::CLAIM_PROMISED, &binds).await;
    match db.engine() {
        Engine::Sqlite => {
            let seek = "INDEX lead_promised (campaign_id=? AND class_id=? AND promised_ms<?)";
            assert!(plan.contains(seek), "{plan}");
            assert!(plan.contains("SEARCH b USING INDEX callback_lead (lead_id=?)"), "{plan}");
        }
        Engine::Postgres => {
            // Nothing is between the limit of one class and its index.
            let (above, seek) = plan.split_once("using lead_promised on lead").unwrap();
            assert!(!above.rsplit("Limit").next().unwrap().contains("Sort"), "{plan}");
            assert!(seek.contains("class_id = (jsonb_array_elements_text"), "{plan}");
            assert!(plan.contains("using callback_lead on callback"), "{plan}");
        }
    }
    assert!(!scans_leads(&plan), "{plan}");
    assert!(!plan.contains("SCAN b") && !plan.contains("Seq Scan on callback"), "{plan}");
}

async fn waiting_leads_are_found_by_their_time(db: &mut Db) {
    let binds = [Bind::Int(1), Bind::Int(30_000), Bind::Int(100)];
    for (sql, binds) in [(&leads::PROMOTE, &binds[..]), (&leads::FIRST_DUE, &binds[..1])] {
        let plan = plan(db, sql, binds).await;
        assert!(plan.contains("lead_wait"), "{plan}");
        assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "{plan}");
        assert!(!scans_leads(&plan), "{plan}");
    }
}

async fn the_rows_of_an_import_are_counted_without_sorting_them(db: &mut Db) {
    let plan = plan(db, &imports::COUNT, &[Bind::Int(1), Bind::Int(1)]).await;
    let grows = ["TEMP B-TREE", "Sort", "HashAggregate", "GroupAggregate"];
    assert!(grows.iter().all(|word| !plan.contains(word)), "{plan}");
}

/// As while a first list comes in. SQLite is asked otherwise.
#[test]
fn postgresql_reads_no_table_whole_for_a_chunk_of_an_import_that_it_has_no_figures_of() {
    block_on(async {
        let mut db = postgres_schema().await;
        db.migrate(UtcMs(0), &[7; 48]).await.unwrap();
        let rows = "insert into contact (id, seller_id, external_id, custom) \
             select i, 1, 'X' || i, '[]' from generate_series(1, 50000) i; \
             insert into import_row (list_id, row_key, import_id, row_no, result) \
             select 1, 'id:X' || i, 1, i, 'added' from generate_series(1, 50000) i";
        db.script("test", rows).await.unwrap();
        let [list, seller, campaign] = [Bind::Int(1); 3];
        let keys = Bind::Text("[[\"id:X1\"]]");
        let seen = plan(&mut db, &imports::SEEN, &[keys, list]).await;
        assert!(seen.contains("using import_row_pkey on import_row"), "{seen}");
        let persons = Bind::Text("[[\"X1\",null]]");
        let persons = plan(&mut db, &imports::PERSONS, &[persons, seller, campaign]).await;
        assert!(persons.contains("using contact_pkey on contact"), "{persons}");
        for plan in [seen, persons] {
            assert!(!plan.contains("Seq Scan") && !plan.contains("Join"), "{plan}");
        }
    });
}

/// PostgreSQL knows by its figures that the campaign is long; SQLite has none.
#[test]
fn a_page_of_results_sorts_nothing_on_sqlite() {
    block_on(async {
        let mut db = sqlite_list().await;
        let plan = plan(&mut db, &exports::ALL, &[1, 1, 1].map(Bind::Int)).await;
        assert!(plan.contains("SEARCH a USING INTEGER PRIMARY KEY (rowid>?)"), "{plan}");
    });
}

/// At every heartbeat. PostgreSQL knows by its figures that there are few windows and many calls; SQLite has none.
#[test]
fn windows_that_are_over_are_found_without_walking_the_others_or_calls_that_have_ended() {
    block_on(async {
        let mut db = sqlite_list().await;
        let plan = plan(&mut db, &ledger::CLOSE, &[1, 1].map(Bind::Int)).await;
        assert!(plan.contains("SEARCH w USING INDEX abandon_window_open (ends_ms<?)"), "{plan}");
        assert!(plan.contains("SCAN a USING INDEX attempt_open"), "{plan}");
        assert!(plan.contains("(campaign_id=? AND starts_ms=?)"), "{plan}");
    });
}

fn scans_leads(plan: &str) -> bool {
    plan.contains("SCAN lead") || plan.contains("Seq Scan on lead")
}

/// A line per step.
async fn plan(db: &mut Db, sql: &Sql, binds: &[Bind<'_>]) -> String {
    let (text, at) = match db.engine() {
        Engine::Sqlite => (format!("explain query plan {}", sql.sqlite), 3),
        Engine::Postgres => (format!("explain (costs off) {}", sql.postgres), 0),
    };
    let rows = db.rows("explaining", &Sql::both(kept(text)), binds).await.unwrap();
    rows.iter().map(|row| row.text(at).unwrap() + "\n").collect()
}

/// 30,000 leads in three classes, of which 5,000 wait and 3,000 are promised a call, and the rows of the import that brought them.
async fn fill(db: &mut Db) {
    db.migrate(UtcMs(0), &[7; 48]).await.unwrap();
    db.script(
        "test",
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 30000) \
         insert into lead (id, campaign_id, contact_id, class_id, rank, state, due_ms, list_id) \
         select i, 1, i, 1 + i % 3, i % 1000, case when i % 6 = 0 then 1 else 0 end, i, 1 from n; \
         update lead set promised = 1, promised_ms = id where id % 10 = 5; \
         insert into callback (id, attempt_id, lead_id, owner_agent_id, due_ms, window_end_ms, state) \
         select id, id, id, id % 7, id, id, 0 from lead where promised = 1; \
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000) \
         insert into import_row (list_id, row_key, import_id, row_no, result) \
         select 1, 'id:' || i, 1, i, 'added' from n",
    )
    .await
    .unwrap();
    if db.engine() == Engine::Postgres {
        db.script("test", "analyze").await.unwrap();
    }
}

async fn sqlite_list() -> Db {
    let mut db = Db::open("sqlite::memory:").await.unwrap();
    fill(&mut db).await;
    db
}

async fn postgres_list() -> Db {
    let mut db = postgres_schema().await;
    fill(&mut db).await;
    db
}

/// Of its own, in the cluster that the environment names.
async fn postgres_schema() -> Db {
    let Ok(cluster) = std::env::var("OUTDIAL_TEST_POSTGRES") else {
        panic!("OUTDIAL_TEST_POSTGRES is not set: run `tests/postgres run cargo test`")
    };
    let mut dice = [0; 8];
    getrandom::fill(&mut dice).unwrap();
    let name = format!("plans_{}", hex(&dice));
    let mut admin = Db::open(&cluster).await.unwrap();
    admin.script("test", kept(format!("create schema {name}"))).await.unwrap();
    admin.close().await.unwrap();
    Db::open(&format!("{cluster}?options[search_path]={name}")).await.unwrap()
}

/// Statements are static everywhere else.
fn kept(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
