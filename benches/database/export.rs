//! Results out.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::common::{Asked, Gate, Process, Table, Usage};
use crate::site::{Shelf, Site, cluster, migrated, psql, psql_command, sqlite as sqlite_script};

/// Ours, and the same columns by `sqlite3 -csv`.
pub(crate) fn sqlite(asked: &Asked, table: &mut Table) {
    let rows = asked.size(5_000, 1_000_000);
    let shelf = Shelf::of(asked);
    let filled = shelf.file(&format!("export-{rows}.db"), |path| {
        migrated(&format!("sqlite:{}", path.display()));
        sqlite_script(path, &fill(rows));
    });
    if asked.prepare {
        return;
    }
    let site = Site::with_copy(&filled);
    let (mut ours, mut anchor) = (vec![], vec![]);
    for _ in 0..asked.times(5) {
        ours.push(export(&site));
        if Command::new("sqlite3").arg("-version").stdout(Stdio::null()).status().is_err() {
            println!("sqlite3 is not there: its export is not measured");
            continue;
        }
        let mut command = Command::new("sqlite3");
        command.arg("-csv").arg(site.database()).arg(COLUMNS);
        command.stdout(File::create(site.path("anchor.csv")).unwrap());
        anchor.push(Process::start(&mut command).succeed());
    }
    let name = format!("export {rows} attempts from SQLite, CPU s: ours");
    if anchor.is_empty() {
        table.figure(&name, &cpu(&ours), Gate::None);
        return;
    }
    table.pair(
        (&name, &cpu(&ours)),
        ("  sqlite3 -csv, the same columns", &cpu(&anchor)),
        Gate::Most(0.8),
    );
    let peak: Vec<f64> = ours.iter().map(|usage| usage.peak_kib as f64 / 1024.0).collect();
    table.figure("  peak memory of the export, MB", &peak, Gate::None);
}

/// Ours, and the same columns by COPY.
pub(crate) fn postgres(asked: &Asked, table: &mut Table) {
    let Some(cluster) = cluster() else { return };
    let rows = asked.size(5_000, 1_000_000);
    let (shelf, name) = (Shelf::of(asked), format!("bench_export_{rows}"));
    let url = shelf.schema(&cluster, &name, |url| {
        migrated(url);
        let text = fill(rows).replace(';', ";;");
        psql(&cluster, &format!("set search_path to {name};; {text};; vacuum analyze"));
    });
    if asked.prepare {
        return;
    }
    let site = Site::new(&url);
    let (mut ours, mut anchor) = (vec![], vec![]);
    for _ in 0..asked.times(5) {
        ours.push(export(&site).wall.as_secs_f64());
        let copy =
            format!("set search_path to {name};; copy ({COLUMNS}) to stdout with (format csv)");
        let mut command = psql_command(&cluster, &copy);
        command.stdout(File::create(site.path("anchor.csv")).unwrap());
        anchor.push(Process::start(&mut command).succeed().wall.as_secs_f64());
    }
    let title = format!("export {rows} attempts from PostgreSQL, wall s: ours");
    table.pair((&title, &ours), ("  COPY TO, the same columns", &anchor), Gate::Most(1.3));
    shelf.put_back(&cluster, &name);
}

fn export(site: &Site) -> Usage {
    let mut command = site.command(&["export", "bench", "--output", "ours.csv"]);
    Process::start(command.stderr(Stdio::inherit())).succeed()
}

fn cpu(runs: &[Usage]) -> Vec<f64> {
    runs.iter().map(|usage| usage.cpu.as_secs_f64()).collect()
}

/// A campaign that was called: a fifth of the calls connected, each of those with a disposition.
fn fill(rows: u64) -> String {
    let numbers =
        format!("with recursive n(i) as (select 1 union all select i + 1 from n where i < {rows})");
    format!(
        "begin; insert into seller (id, name) values (1, 'Bench'); \
         insert into campaign (id, name, seller_id, state, state_ms) values (1, 'bench', 1, 'running', 0); \
         insert into list (id, campaign_id, name) values (1, 1, 'list.csv'); \
         insert into agent (id, name) values (1, 'ann'); \
         {numbers} insert into contact (id, seller_id, external_id, name, custom) \
           select i, 1, 'C' || i, '山田 太郎', '[]' from n; \
         {numbers} insert into attempt (id, public_ref, lead_id, fence, seller_id, contact_id, phone_id, phone_key, number, \
           campaign_id, list_id, attempt_no, node_epoch, trunk, caller_id, agent_id, uncovered, started_ms, early_ms, \
           answered_ms, connected_ms, ended_ms, outcome, sip_status, q850, counted, live) \
           select i, 'r-' || i, i, 1, 1, i, i, '+8190' || (10000000 + i), '+8190' || (10000000 + i), 1, 1, 1, 1, 'main', \
             '+81312345678', case when i % 5 = 0 then 1 end, 0, 1790000000000 + i * 50, 1790000001000 + i * 50, \
             case when i % 5 = 0 then 1790000004000 + i * 50 end, case when i % 5 = 0 then 1790000004100 + i * 50 end, \
             1790000034000 + i * 50, case when i % 5 = 0 then 'connected' else 'no_answer' end, \
             case when i % 5 = 0 then 200 else 487 end, 16, 1, case when i % 5 = 0 then 1 end from n; \
         {numbers} insert into disposition (attempt_id, agent_id, code, memo, at_ms) \
           select i, 1, 'SALE', 'memo ' || i, 1790000040000 from n where i % 5 = 0; commit"
    )
}

/// What ours has in its columns, as the database keeps it.
const COLUMNS: &str = "select a.public_ref, c.external_id, c.name, l.name, m.name, s.name, a.attempt_no, 'outbound', a.number, \
     a.caller_id, a.trunk, a.started_ms, a.early_ms, a.answered_ms, a.connected_ms, a.ended_ms, \
     a.connected_ms - a.answered_ms, (a.ended_ms - a.connected_ms) / 1000, \
     (select min(n.at_ms) from agent_state n where n.agent_id = a.agent_id and n.at_ms > w.at_ms) - w.at_ms, \
     (a.ended_ms - a.started_ms) / 1000, g.name, a.outcome, a.first_outcome, a.sip_status, a.q850, d.code, d.code, d.memo, \
     b.due_ms, o.name, a.abandoned, a.live, a.message, \
     (select min(x.reason) from suppression x where x.seller_id = a.seller_id and x.proof = a.public_ref \
        and x.key in (a.phone_key, 'c:' || cast(a.contact_id as text))), null \
   from attempt a join campaign m on m.id = a.campaign_id join seller s on s.id = a.seller_id \
     left join contact c on c.id = a.contact_id left join list l on l.id = a.list_id \
     left join agent g on g.id = a.agent_id left join disposition d on d.attempt_id = a.id \
     left join callback b on b.id = (select max(x.id) from callback x where x.attempt_id = a.id and x.state <> 1) \
     left join agent o on o.id = b.owner_agent_id \
     left join agent_state w on w.agent_id = a.agent_id and w.state = 'wrap_up' and a.connected_ms is not null \
       and w.at_ms = (select min(f.at_ms) from agent_state f where f.agent_id = a.agent_id \
         and f.state = 'wrap_up' and f.at_ms >= a.ended_ms and f.at_ms < a.ended_ms + 2000) \
   where a.campaign_id = 1 order by a.id";
