//! Crashes on each side of a commit, restarts, and settings a power cut must not find out about.

use outdial::logic::dialer::*;
use outdial::logic::ids::*;
use outdial::logic::outcome::Outcome;
use outdial::logic::sip::user_agent::RemoteDialog;
use outdial::store::{Db, Engine, StoreError, Trouble, next_epoch, register_node, run_batch};

use crate::harness::*;

on_both! {
    a_batch_that_was_dropped_half_way_leaves_nothing
    a_batch_whose_reply_was_lost_is_repeated_by_the_next_process
    a_restart_finds_every_open_leg_and_gives_back_what_was_never_called
    an_earlier_start_of_the_same_node_can_write_no_intent
    a_leg_outlives_its_outcome_and_is_found
    a_live_node_keeps_what_it_has
    a_newer_schema_is_refused_and_left_alone
    the_identity_of_an_installation_never_changes
    commits_are_durable_and_that_is_asked
}

fn dialog() -> RemoteDialog {
    RemoteDialog {
        remote_tag: "tag".to_owned(),
        remote_target: "sip:x@192.0.2.1".to_owned(),
        route_set: vec!["<sip:a;lr>".to_owned(), "<sip:b;lr>".to_owned()],
        cseq: 3,
    }
}

async fn a_batch_that_was_dropped_half_way_leaves_nothing(world: &mut World) {
    for n in 1..=3 {
        world.lead(n).await;
    }
    let before = world.dump().await;
    let leads = world.claim(1, 3).await;
    let after_claim = world.dump().await;
    assert!(before != after_claim);
    let batch: Vec<_> =
        leads.iter().map(|lead| StoreCommand::Intent(Box::new(world.intent(lead)))).collect();
    // Dropped at every point at which it waits, until it gets through: a crash before the commit.
    let mut polls = 0;
    let replies = loop {
        polls += 1;
        let done = {
            let mut work = Box::pin(run_batch(&mut world.db, &world.node, &batch));
            let mut left = polls;
            std::future::poll_fn(|context| {
                let polled = work.as_mut().poll(context);
                left -= 1;
                match polled {
                    std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
                    std::task::Poll::Pending if left == 0 => std::task::Poll::Ready(None),
                    std::task::Poll::Pending => std::task::Poll::Pending,
                }
            })
            .await
        };
        match done {
            Some(Ok(replies)) => break replies,
            // PostgreSQL's locks on numbers are the server's, where other tests have the same numbers at the same time.
            Some(Err(error)) if !error.is_retryable() => panic!("{error}"),
            Some(Err(_)) | None if polls > 500 => panic!("never through"),
            Some(Err(_)) | None => {}
        }
    };
    match world.db.engine() {
        Engine::Sqlite => assert_eq!(polls, 1, "a batch waits for nothing in between"),
        Engine::Postgres => assert!(polls > 3, "it was dropped in between: {polls}"),
    }
    assert_eq!(replies, vec![StoreReply::Saved; 3]);
    assert_eq!(world.numbers("select count(*) from attempt").await, [3]);
    assert_eq!(world.numbers("select count(*) from leg").await, [3]);
}

async fn a_batch_whose_reply_was_lost_is_repeated_by_the_next_process(world: &mut World) {
    world.lead(1).await;
    let intent = {
        let leads = world.claim(1, 1).await;
        world.intent(&leads[0])
    };
    let mut record = world.outcome(&intent, Outcome::Abandoned);
    record.booking = world.booking(true, true);
    let batch = [StoreCommand::Intent(Box::new(intent)), StoreCommand::Outcome(Box::new(record))];
    let first = world.run(&batch).await;
    let before = world.dump().await;
    let mut other = Db::open_writer(&world.url).await.unwrap();
    assert_eq!(run_batch(&mut other, &world.node, &batch).await.unwrap(), first);
    other.close().await.unwrap();
    assert_same(&before, &world.dump().await);
}

async fn a_restart_finds_every_open_leg_and_gives_back_what_was_never_called(world: &mut World) {
    for n in 1..=3 {
        world.lead(n).await;
    }
    let leads = world.claim(1, 3).await;
    let (one, two) = (world.intent(&leads[0]), world.intent(&leads[1]));
    let shift = LegId(world.id());
    let (at, call) = (world.now, "{}".to_owned());
    world
        .run(&[
            StoreCommand::Intent(Box::new(one.clone())),
            StoreCommand::Intent(Box::new(Intent { agent: None, ..two.clone() })),
            StoreCommand::AgentLeg(AgentLeg { leg: shift, agent: AGENT, call, now: at }),
            StoreCommand::LegAnswered(LegAnswered {
                leg: one.leg,
                attempt: Some(one.attempt),
                dialog: dialog(),
                at,
            }),
            StoreCommand::Connected {
                attempt: one.attempt,
                agent: AGENT,
                at,
                given_up: Some(two.attempt),
            },
        ])
        .await;
    world.sql("insert into agent (id, name) values (55, 'ann')").await;
    let again = register_node(&mut world.db, &new_node("here", u64::MAX)).await.unwrap();
    assert!(again.epoch > world.node.epoch);
    let seen = world.take_over(&again, false).await;
    assert_eq!(seen.leads, 1);
    let open = seen.work;
    assert_eq!(open.attempts.len(), 2);
    let first = &open.attempts[0];
    assert_eq!((first.attempt, first.lead, first.fence), (one.attempt, one.lead, 1));
    assert_eq!((first.covered, first.answered_at, first.connected_at), (true, Some(at), Some(at)));
    assert_eq!(first.phone, one.phone);
    assert_eq!(first.legs[0].dialog, Some(dialog()));
    assert_eq!((first.legs[0].boot, first.legs[0].peer_name.as_str()), (1, "main"));
    assert_eq!((open.attempts[1].covered, &open.attempts[1].legs[0].dialog), (false, &None));
    assert_eq!((open.stray_legs[0].leg, open.stray_legs[0].peer_name.as_str()), (shift, "ann"));
    // The new process ends them; then nothing is open.
    world.node = again.clone();
    let ends: Vec<_> = [&one, &two]
        .map(|intent| StoreCommand::Outcome(Box::new(world.outcome(intent, Outcome::Unknown))))
        .into_iter()
        .chain([StoreCommand::LegEnded(LegEnded { leg: shift, sip_status: None, q850: None, at })])
        .collect();
    world.twice(&ends).await;
    assert_eq!(world.take_over(&again, false).await.work, OpenWork::default());
    assert_eq!(world.claim(1, 9).await.len(), 3, "claim numbers begin anew with the process");
}

async fn an_earlier_start_of_the_same_node_can_write_no_intent(world: &mut World) {
    world.lead(1).await;
    let leads = world.claim(1, 1).await;
    let intent = world.intent(&leads[0]);
    register_node(&mut world.db, &new_node("here", 2)).await.unwrap();
    let reply = world.one(StoreCommand::Intent(Box::new(intent))).await;
    assert_eq!(reply, StoreReply::Refused { gate: Gate::NodeLease, until: None });
}

async fn a_leg_outlives_its_outcome_and_is_found(world: &mut World) {
    world.lead(1).await;
    let leads = world.claim(1, 1).await;
    let intent = world.intent(&leads[0]);
    let mut record = world.outcome(&intent, Outcome::Abandoned);
    record.legs_closed = false;
    // All in one batch: given up before the intent was answered.
    let end = LegEnded { leg: intent.leg, sip_status: None, q850: None, at: world.now };
    let mut batch = vec![
        StoreCommand::Outcome(Box::new(record)),
        StoreCommand::Intent(Box::new(intent.clone())),
    ];
    world.twice(&batch).await;
    let again = register_node(&mut world.db, &new_node("here", 2)).await.unwrap();
    let open = world.take_over(&again, false).await.work;
    assert_eq!((open.attempts.len(), open.stray_legs.len()), (0, 1));
    batch.insert(0, StoreCommand::LegEnded(end));
    world.twice(&batch).await;
    assert_eq!(world.take_over(&again, false).await.work, OpenWork::default());
}

async fn a_live_node_keeps_what_it_has(world: &mut World) {
    world.lead(1).await;
    let leads = world.claim(1, 1).await;
    let intent = world.intent(&leads[0]);
    world.one(StoreCommand::Intent(Box::new(intent))).await;
    let other = register_node(&mut world.db, &new_node("there", 2)).await.unwrap();
    assert_eq!(world.take_over(&other, true).await, world.nothing_seen(T0));
    world.now = world.now + DAY * 401;
    let seen = world.take_over(&other, false).await;
    assert_eq!(seen.work, OpenWork::default(), "late, and not yet ended");
    assert_eq!(world.take_over(&other, true).await.work.attempts.len(), 1);
}

async fn a_newer_schema_is_refused_and_left_alone(world: &mut World) {
    world.db.check_schema().await.unwrap();
    world.sql("insert into schema_version (version, name, at_ms) values (99, '0099_future.sql by outdial 9.8.7', 0)").await;
    let before = world.dump().await;
    let refused = world.db.migrate(T0, &[9; 48]).await;
    assert!(matches!(refused, Err(StoreError::NewerSchema { found: 99, .. })), "{refused:?}");
    let told = world.db.check_schema().await.unwrap_err().to_string();
    assert!(told.contains("needs outdial 9.8.7 or later"), "{told}");
    assert_same(&before, &world.dump().await);
}

async fn the_identity_of_an_installation_never_changes(world: &mut World) {
    world.db.migrate(T0 + DAY, &[9; 48]).await.unwrap();
    let again = register_node(&mut world.db, &new_node("here", 3)).await.unwrap();
    assert_eq!(again.installation, world.node.installation);
    assert_eq!(again.secret, [7; 32]);
    assert!(next_epoch(&mut world.db).await.unwrap() > again.epoch);
    assert!(!format!("{again:?}").contains("secret"));
}

async fn commits_are_durable_and_that_is_asked(world: &mut World) {
    match world.db.engine() {
        Engine::Sqlite => {
            let done = world.db.checkpoint().await.unwrap();
            assert!(done.log_pages > 0 && done.done_pages == done.log_pages, "{done:?}");
            // The writer leaves its log alone.
            assert!(world.db.checkpoint().await.is_ok());
        }
        Engine::Postgres => {
            let url = format!("{}&options[synchronous_commit]=off", world.url);
            // Ours comes last and wins; a server that will not is refused.
            Db::open(&url).await.unwrap().close().await.unwrap();
        }
    }
}

#[test]
fn a_long_log_is_begun_anew_as_soon_as_no_reader_is_in_the_way() {
    use sqlx::Connection as _;
    on_sqlite(async |world| {
        world.lead(1).await;
        let mut reader = sqlx_sqlite::SqliteConnection::connect(&world.url).await.unwrap();
        sqlx::raw_sql("begin; select count(*) from lead").execute(&mut reader).await.unwrap();
        world.sql("create table ballast as select hex(zeroblob(35000000)) as text").await;
        let mut mover = Db::open_checkpoints(&world.url).await.unwrap();
        let held = mover.checkpoint().await.unwrap();
        assert!(held.log_pages > 16_384 && held.done_pages < held.log_pages, "{held:?}");
        // The dialer goes on, at the end of the log.
        assert_eq!(world.claim(1, 5).await.len(), 1);
        sqlx::raw_sql("commit").execute(&mut reader).await.unwrap();
        let moved = mover.checkpoint().await.unwrap();
        assert!(moved.done_pages == moved.log_pages, "{moved:?}");
        world.lead(2).await;
        assert_eq!(world.claim(2, 5).await.len(), 1);
        let anew = mover.checkpoint().await.unwrap();
        assert!(anew.log_pages < 100, "{anew:?}");
        mover.close().await.unwrap();
        reader.close().await.unwrap();
    });
}

#[test]
fn another_writer_in_the_way_is_told_apart_from_a_bug() {
    on_sqlite(async |world| {
        world.lead(1).await;
        let mut other =
            <sqlx_sqlite::SqliteConnection as sqlx::Connection>::connect(&world.url).await.unwrap();
        sqlx::query("begin immediate").execute(&mut other).await.unwrap();
        let claim = [world.claim_command(1, 1)];
        let reply = run_batch(&mut world.db, &world.node, &claim).await;
        let Err(StoreError::Unavailable { trouble: Trouble::Busy, .. }) = reply else {
            panic!("{reply:?}")
        };
        sqlx::query("rollback").execute(&mut other).await.unwrap();
        assert_eq!(world.claim(1, 1).await.len(), 1);
    });
}

#[test]
fn a_server_that_ends_our_connection_in_mid_batch_is_asked_again() {
    on_postgres(async |world| {
        world.lead(1).await;
        // Somebody holds the campaign's row, so that the claim waits; then the server ends the one that waits.
        let mut blocker =
            <sqlx::PgConnection as sqlx::Connection>::connect(&world.url).await.unwrap();
        sqlx::query("begin").execute(&mut blocker).await.unwrap();
        let lock = "select cast(pg_backend_pid() as bigint) from campaign for update";
        let holder: i64 = sqlx::query_scalar(lock).fetch_one(&mut blocker).await.unwrap();
        let claim = [world.claim_command(1, 1)];
        let url = world.url.clone();
        let ending = async {
            let mut admin = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.unwrap();
            let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                 where cast($1 as integer) = any(pg_blocking_pids(pid))";
            for _ in 0..100_000 {
                let ended: i64 =
                    sqlx::query_scalar(end).bind(holder).fetch_one(&mut admin).await.unwrap();
                if ended > 0 {
                    return;
                }
            }
            panic!("the claim never waited");
        };
        let (reply, ()) = tokio::join!(run_batch(&mut world.db, &world.node, &claim), ending);
        let error = reply.unwrap_err();
        assert!(error.is_retryable() && error.needs_reconnect(), "{error:?}");
        sqlx::query("rollback").execute(&mut blocker).await.unwrap();
        world.db.reconnect().await.unwrap();
        assert_eq!(world.claim(1, 1).await.len(), 1);
    });
}

#[test]
fn an_address_that_is_not_ours_is_refused_without_being_shown() {
    let refused = block_on(Db::open("mysql://root:secret@host/db"));
    let Err(error) = refused else { panic!() };
    assert!(matches!(error, StoreError::Address { .. }));
    assert!(!error.to_string().contains("secret"), "{error}");
}
