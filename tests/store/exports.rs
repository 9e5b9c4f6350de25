//! Results out: whole, in the order of commits, and into files of which each change is in exactly one.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::CommandCargoExt;
use outdial::logic::dialer::*;
use outdial::logic::ids::*;
use outdial::logic::outcome::Outcome;
use outdial::store::*;

use crate::harness::*;
use crate::reports::talk;

on_both! {
    a_page_says_what_the_records_say
    what_changed_comes_in_the_order_of_commits_and_once
    after_a_page_that_the_database_refused_the_next_answers_are_its_own
    each_change_is_in_exactly_one_file
    a_file_that_was_cut_off_is_written_again_before_anything_else
}

/// Every row of a range as its public reference.
async fn references(world: &mut World, range: ExportRange, mut after: i64) -> Vec<String> {
    let (campaign, mut seen) = (world.campaign, vec![]);
    loop {
        let page = export_page(&mut world.db, campaign, range, after, Some(2), |attempt| {
            seen.push(attempt.public_ref().to_owned());
            ControlFlow::Continue(())
        });
        match page.await.unwrap() {
            Some(last) => after = last,
            None => return seen,
        }
    }
}

/// Whoever had enough after the first row hears of no other, and the connection is good for the next question.
async fn first_only(world: &mut World) -> Vec<String> {
    let (campaign, mut seen) = (world.campaign, vec![]);
    let page = export_page(&mut world.db, campaign, ExportRange::All, 0, None, |attempt| {
        seen.push(attempt.public_ref().to_owned());
        ControlFlow::Break(())
    });
    assert!(page.await.unwrap().is_some());
    seen
}

async fn a_page_says_what_the_records_say(world: &mut World) {
    let intent = talk(world, 1).await;
    // Signs that stand between cells and rows.
    let said = world.refused_with_callback(&intent, "a\tb\nc\\Nd\r");
    world.one(StoreCommand::Disposition(Box::new(said))).await;
    world.lead(2).await;
    world.sql("update lead set promised = 0, state = 3 where contact_id = 1").await;
    world.attempt(2, Outcome::Busy).await;
    let filter = AttemptFilter::default();
    let records = attempts_page(&mut world.db, &filter, AttemptId(0), 10).await.unwrap();
    let (campaign, mut at) = (world.campaign, 0);
    let page = export_page(&mut world.db, campaign, ExportRange::All, 0, None, |attempt| {
        says(attempt, &records[at]);
        at += 1;
        ControlFlow::Continue(())
    });
    assert_eq!(page.await.unwrap(), Some(records[1].attempt.0));
    assert_eq!((at, records.len()), (2, 2));
}

fn says(attempt: &ExportedAttempt<'_>, record: &AttemptRecord) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let outcome = |outcome: Option<Outcome>| outcome.map_or("", Outcome::as_str);
    let names = attempt.names();
    assert_eq!((names.campaign.as_str(), names.seller.as_str()), ("spring", "Acme"));
    assert_eq!(attempt.public_ref(), record.public_ref);
    assert_eq!(attempt.external_id(), text(&record.external_id));
    assert_eq!(attempt.name(), text(&record.name));
    assert_eq!(attempt.attempt_no(), i64::try_from(record.attempt_no).unwrap());
    assert_eq!((attempt.to(), attempt.from()), (record.to.reveal(), record.from.reveal()));
    assert_eq!(attempt.trunk(), record.trunk);
    assert_eq!(attempt.started(), record.started.0);
    let times = [attempt.rang(), attempt.answered(), attempt.connected(), attempt.ended()];
    let expected = [record.early, record.answered, record.connected, record.ended];
    assert_eq!(times, expected.map(|at| at.map(|at| at.0)));
    assert_eq!(attempt.wrap_up(), record.wrap_up_ms.map(|ms| i64::try_from(ms).unwrap()));
    assert_eq!(attempt.agent(), text(&record.agent));
    assert_eq!(attempt.outcome(), outcome(record.outcome));
    assert_eq!(attempt.first_outcome(), outcome(record.first_outcome));
    let code = |code: Option<u64>| code.map(|code| i64::try_from(code).unwrap());
    assert_eq!(attempt.sip_status(), code(record.sip_status));
    assert_eq!(attempt.q850(), code(record.q850));
    assert_eq!(attempt.disposition(), text(&record.disposition));
    assert_eq!(attempt.memo(), text(&record.memo));
    assert_eq!(attempt.callback_due(), record.callback_due.map(|due| due.0));
    assert_eq!(attempt.callback_owner(), text(&record.callback_owner));
    assert_eq!((attempt.abandoned(), attempt.live()), (record.abandoned, record.live));
    assert_eq!(attempt.message(), text(&record.message));
    assert_eq!(attempt.refused(), record.suppressed.is_some());
}

async fn what_changed_comes_in_the_order_of_commits_and_once(world: &mut World) {
    let mut intents = vec![];
    for n in 1..=3 {
        intents.push(talk(world, n).await);
    }
    let middle = events_end(&mut world.db).await.unwrap();
    let said = world.disposition(&intents[0], "SALE");
    world.one(StoreCommand::Disposition(Box::new(said))).await;
    // Under way: no result yet.
    let open = world.open(4).await;
    let end = events_end(&mut world.db).await.unwrap();
    let [one, two, three] = [0, 1, 2].map(|at| intents[at].public_ref.clone());
    let all = [two.clone(), three.clone(), one.clone()];
    assert_eq!(references(world, ExportRange::Until(end), 0).await, all);
    assert_eq!(
        references(world, ExportRange::Until(middle), 0).await,
        [one.as_str(), &two, &three]
    );
    assert_eq!(references(world, ExportRange::Until(end), middle).await, [one.as_str()]);
    assert_eq!(first_only(world).await, [one.as_str()]);
    let ids = references(world, ExportRange::All, 0).await;
    assert_eq!(ids, [one, two, three, open.public_ref], "whole: those under way too");
    world.campaign = CampaignId(1);
    assert_eq!(references(world, ExportRange::Until(end), 0).await, Vec::<String>::new());
}

async fn after_a_page_that_the_database_refused_the_next_answers_are_its_own(world: &mut World) {
    let one = talk(world, 1).await.public_ref;
    let campaign = world.campaign;
    world.sql("alter table suppression rename to elsewhere").await;
    let refused = export_page(&mut world.db, campaign, ExportRange::All, 0, None, |_| {
        ControlFlow::Continue(())
    });
    assert!(matches!(refused.await, Err(StoreError::Rejected { .. })));
    world.sql("alter table elsewhere rename to suppression").await;
    assert_eq!(events_end(&mut world.db).await.unwrap(), count_of_events(world).await);
    assert_eq!(references(world, ExportRange::All, 0).await, [one]);
}

async fn count_of_events(world: &mut World) -> i64 {
    world.numbers("select value from counter where name = 'event'").await[0]
}

/// The program itself, as a user of the folder calls it: exit code, and output with errors.
fn export(world: &World, folder: &Path, more: &[&str]) -> (i32, String) {
    let text = format!(
        "database = \"{}\"\n[sip]\nbind = \"127.0.0.1:25060\"\n[rtp]\nports = \"25100-25199\"\n\
         [[trunk]]\nname = \"main\"\npeers = [\"127.0.0.1:25061\"]\ncalls_per_second = 1\nchannels = 2\n\
         caller_ids = []\n[[agent]]\nname = \"ann\"\nuri = \"sip:ann@127.0.0.1:25062\"\n",
        world.url.replace("sqlite:", "sqlite://")
    );
    std::fs::write(folder.join("outdial.toml"), text).unwrap();
    let mut command = Command::cargo_bin("outdial").unwrap();
    command.current_dir(folder).env_remove("OUTDIAL_CONFIG").env("LANG", "C.UTF-8");
    let output = command.args(["export", "spring"]).args(more).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// The call references in a file.
fn written(path: &Path) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap();
    let mut csv = csv::Reader::from_reader(&*bytes);
    csv.records().map(|row| row.unwrap()[0].to_owned()).collect()
}

async fn each_change_is_in_exactly_one_file(world: &mut World) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let first = talk(world, 1).await;
    let end = events_end(&mut world.db).await.unwrap();
    let fetch = ["--advance", "crm", "--output", "new-{cursor}.csv"];
    assert_eq!(export(world, folder, &fetch).0, 0);
    let file = folder.join(format!("new-{end}.csv"));
    assert_eq!(written(&file), [first.public_ref.as_str()]);
    let (code, said) = export(world, folder, &fetch);
    assert!(code == 0 && said.contains("nothing new"), "{said}");
    let second = talk(world, 2).await;
    let said = world.disposition(&first, "SALE");
    world.one(StoreCommand::Disposition(Box::new(said))).await;
    let (code, said) = export(world, folder, &["--advance", "crm", "--output", "next.csv"]);
    assert_eq!(code, 0, "{said}");
    let expected = [second.public_ref.as_str(), &first.public_ref];
    assert_eq!(written(&folder.join("next.csv")), expected, "what changed comes again");
    talk(world, 3).await;
    let (code, said) = export(world, folder, &["--advance", "crm", "--output", "next.csv"]);
    assert!(code == 2 && said.contains("is there already"), "{said}");
    assert_eq!(written(&folder.join("next.csv")), expected, "nobody may have fetched it yet");
    // Another program has a cursor of its own, and one without a name keeps it itself.
    let (code, said) = export(world, folder, &["--advance", "bi", "--output", "bi.csv"]);
    assert_eq!((code, written(&folder.join("bi.csv")).len()), (0, 3), "{said}");
    let since = end.to_string();
    let (code, said) = export(world, folder, &["--since", &since, "--output", "since.csv"]);
    assert_eq!((code, written(&folder.join("since.csv")).len()), (0, 3), "{said}");
    assert!(said.ends_with(&format!("cursor {}\n", events_end(&mut world.db).await.unwrap())));
    assert_eq!(export(world, folder, &["--since", "999999"]).0, 2, "no such cursor yet");
}

async fn a_file_that_was_cut_off_is_written_again_before_anything_else(world: &mut World) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let first = talk(world, 1).await;
    let until = events_end(&mut world.db).await.unwrap();
    // A run that ended between the rename and the move of its cursor.
    let file = folder.join("one.csv");
    let plan = PlannedExport { until, file: file.to_str().unwrap().to_owned() };
    let campaign = world.campaign;
    assert!(plan_export(&mut world.db, campaign, "crm", 0, &plan, T0).await.unwrap());
    assert!(!plan_export(&mut world.db, campaign, "crm", 0, &plan, T0).await.unwrap());
    std::fs::write(&file, "half of it").unwrap();
    let second = talk(world, 2).await;
    let (code, said) = export(world, &folder, &["--advance", "crm", "--output", "two.csv"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(written(&file), [first.public_ref.as_str()], "the same rows in the same file");
    assert_eq!(written(&folder.join("two.csv")), [second.public_ref.as_str()]);
    let cursor = export_cursor(&mut world.db, campaign, "crm").await.unwrap();
    let end = events_end(&mut world.db).await.unwrap();
    assert_eq!(cursor, ExportCursor { seq: end, planned: None });
    assert!(!advance_export(&mut world.db, campaign, "crm", until, T0).await.unwrap());
    // The same once more under one name: it is finished, and what came since waits for the next run.
    let third = talk(world, 3).await;
    let until = events_end(&mut world.db).await.unwrap();
    let file = folder.join("three.csv");
    let plan = PlannedExport { until, file: file.to_str().unwrap().to_owned() };
    assert!(plan_export(&mut world.db, campaign, "crm", end, &plan, T0).await.unwrap());
    talk(world, 4).await;
    assert_eq!(export(world, &folder, &["--advance", "crm", "--output", "three.csv"]).0, 0);
    assert_eq!(written(&file), [third.public_ref.as_str()]);
    let cursor = export_cursor(&mut world.db, campaign, "crm").await.unwrap();
    assert_eq!(cursor, ExportCursor { seq: until, planned: None });
}
