//! Lists in.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::anchor;
use crate::common::{Asked, Gate, Process, Table, Usage};
use crate::list;
use crate::person::Person;
use crate::site::{Shelf, Site, cluster, count, migrated, psql, psql_command, schema};

/// Ours, the same rows by prepared statements, one flat table by `sqlite3 .import`, and the list in CP932.
pub(crate) fn sqlite(asked: &Asked, table: &mut Table) {
    let rows = asked.size(5_000, 1_000_000);
    let (shelf, folder) = (Shelf::of(asked), tempfile::tempdir().unwrap());
    let utf8 = shelf.file(&format!("utf8-{rows}.csv"), |path| list::write_utf8(path, rows));
    let cp932 = shelf.file(&format!("cp932-{rows}.csv"), |path| list::write_cp932(path, rows));
    let least = rows.min(10_000);
    let few = shelf.file(&format!("few-{least}.csv"), |path| list::write_utf8(path, least));
    if asked.prepare {
        return;
    }
    let mut runs = Runs::default();
    for _ in 0..asked.times(5) {
        let ours = Site::on_sqlite();
        runs.ours.push(ours.import(&utf8));
        assert_eq!(count(&ours.database(), "lead"), rows, "every row is a lead");
        runs.chunked.push(prepared(rows, "commits as ours"));
        runs.at_once.push(prepared(rows, "one commit"));
        runs.cp932.push(Site::on_sqlite().import(&cp932));
        runs.few.push(Site::on_sqlite().import(&few));
        runs.flat.extend(flat_table(folder.path(), &utf8));
    }
    let ours = cpu(&runs.ours);
    let named = |name: &str| format!("import {rows} rows to SQLite, CPU s: {name}");
    let anchor = (named("prepared statements, commits as often"), cpu(&runs.chunked));
    table.pair((&named("ours"), &ours), (&anchor.0, &anchor.1), Gate::Most(1.25));
    table.figure(&named("prepared statements, one commit"), &cpu(&runs.at_once), Gate::None);
    if !runs.flat.is_empty() {
        table.figure(&named("sqlite3 .import, one table, one index"), &cpu(&runs.flat), Gate::None);
    }
    table.pair((&named("CP932"), &cpu(&runs.cp932)), (&named("UTF-8"), &ours), Gate::Most(1.4));
    let peak = |usage: &Usage| usage.peak_kib as f64 / 1024.0;
    table.figure("peak memory of a small import, MB", &of(&runs.few, peak), Gate::None);
    let more = runs.ours.iter().zip(&runs.few).map(|(many, few)| peak(many) - peak(few));
    table.figure("more memory for the large one, MB", &more.collect::<Vec<_>>(), Gate::Most(32.0));
}

/// Ours, and a `\copy` into a stage with the same inserts from there.
pub(crate) fn postgres(asked: &Asked, table: &mut Table) {
    let Some(cluster) = cluster() else { return };
    let rows = asked.size(5_000, 1_000_000);
    let shelf = Shelf::of(asked);
    let utf8 = shelf.file(&format!("utf8-{rows}.csv"), |path| list::write_utf8(path, rows));
    let stage = shelf.file(&format!("stage-{rows}.csv"), |path| write_stage(path, rows));
    if asked.prepare {
        return;
    }
    let (mut ours, mut anchor) = (vec![], vec![]);
    for _ in 0..asked.times(5) {
        let url = schema(&cluster, "bench_import");
        ours.push(Site::new(&url).import(&utf8).wall.as_secs_f64());
        let url = schema(&cluster, "bench_anchor");
        migrated(&url);
        let text = ANCHOR.replace("STAGE", &stage.display().to_string());
        let mut copy = psql_command(&cluster, &format!("set search_path to bench_anchor;; {text}"));
        anchor.push(Process::start(&mut copy).succeed().wall.as_secs_f64());
        psql(&cluster, "drop schema bench_import cascade;; drop schema bench_anchor cascade");
    }
    let named = |name: &str| format!("import {rows} rows to PostgreSQL, wall s: {name}");
    table.pair(
        (&named("ours"), &ours),
        (&named("\\copy, insert..select"), &anchor),
        Gate::Most(1.3),
    );
}

#[derive(Default)]
struct Runs {
    ours: Vec<Usage>,
    chunked: Vec<Usage>,
    at_once: Vec<Usage>,
    flat: Vec<Usage>,
    cp932: Vec<Usage>,
    few: Vec<Usage>,
}

fn cpu(runs: &[Usage]) -> Vec<f64> {
    of(runs, |usage| usage.cpu.as_secs_f64())
}

fn of(runs: &[Usage], figure: impl Fn(&Usage) -> f64) -> Vec<f64> {
    runs.iter().map(figure).collect()
}

/// The anchor in a process of its own.
fn prepared(rows: u64, commits: &str) -> Usage {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("anchor.db").display().to_string();
    migrated(&format!("sqlite:{path}"));
    let mut command = anchor::command();
    command.args(["insert", &path, &rows.to_string(), commits]);
    Process::start(&mut command).succeed()
}

/// Where the tool is there.
fn flat_table(folder: &Path, list: &Path) -> Option<Usage> {
    let path = folder.join("flat.db");
    std::fs::remove_file(&path).ok();
    let mut command = Command::new("sqlite3");
    command.arg(&path).arg(".mode csv").arg(format!(".import {} list", list.display()));
    command.arg("create unique index by_number on list (電話番号)").stdout(Stdio::null());
    command.spawn().ok()?.wait().unwrap();
    std::fs::remove_file(&path).ok();
    Some(Process::start(&mut command).succeed())
}

fn write_stage(path: &Path, rows: u64) {
    let mut text = String::new();
    for n in 0..rows {
        let person = Person::new(n);
        let custom = person.custom().replace('"', "\"\"");
        let (id, name, key) = (person.external_id(), person.name(), person.key());
        text.push_str(&format!("{n},{id},{name},\"{custom}\",{key}\n"));
    }
    std::fs::write(path, text).unwrap();
}

const ANCHOR: &str = "create temporary table stage \
       (n bigint, external_id text, name text, custom text, key text);; \
     \\copy stage from 'STAGE' with (format csv);; \
     insert into contact (id, seller_id, external_id, name, custom) select n * 3, 1, external_id, name, custom \
       from stage on conflict do nothing;; \
     insert into phone (id, seller_id, contact_id, position, key, number, kind, zones) \
       select n * 3 + 1, 1, n * 3, 0, key, key, 'mobile', '[\"Asia/Tokyo\"]' from stage on conflict do nothing;; \
     insert into lead (id, campaign_id, contact_id, class_id, rank, state, due_ms, list_id) \
       select n * 3 + 2, 2, n * 3, 3, 2147483647, 0, 0, 4 from stage on conflict do nothing;; \
     insert into import_row (list_id, row_key, import_id, row_no, result) \
       select 4, 'id:' || external_id, 5, n + 1, 'added' from stage on conflict do nothing";
