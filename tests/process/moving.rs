//! Half of a list is dialed on SQLite, the installation moves to PostgreSQL, and the rest is dialed there: nobody twice. Meanwhile
//! somebody backs up and checks the database of a dialer at work.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::postgres::Schema;
use crate::records::Records;
use crate::site::Plan;
use crate::site::Site;
use crate::site::eventually;
use crate::site::rest;
use crate::staff::BRISK;
use crate::staff::Staff;
use crate::staff::brisk_carrier;

#[test]
fn a_list_begun_on_sqlite_is_finished_on_postgresql_and_nobody_is_called_twice() {
    let _alone = crate::alone();
    let schema = Schema::new();
    let carrier = brisk_carrier(17);
    let mut site = Site::new(&Plan::of(&carrier, 60_000_000, LIST, BRISK));
    site.control_at("dialer.sock");
    let (staff, carrier) = Staff::hire(carrier, &site.socket());
    let calls = || carrier.report().unwrap().totals.calls;

    let mut dialer = site.run_for_ever();
    eventually("calls are made", Duration::from_secs(30), || calls() >= 4);
    let backup = site.path("backup.db");
    let backed_up = site.outdial(&["db", "backup", backup.to_str().unwrap()]);
    assert!(backed_up.success, "{}", backed_up.text);
    let checked = site.outdial(&["db", "check"]);
    assert!(checked.success, "{}", checked.text);
    let sqlite = format!("sqlite:{}", site.database().display());
    let copy = ["db", "copy", &sqlite, &schema.url];
    let held = site.outdial(&copy);
    assert_eq!(held.code, Some(3), "{}", held.text);
    assert!(dialer.exited().is_none(), "the dialer goes on");
    eventually("half of the list is dialed", Duration::from_secs(30), || {
        calls() >= u64::try_from(LIST / 2).unwrap()
    });
    dialer.terminate();
    assert_eq!(dialer.wait(Duration::from_secs(30)).code(), Some(0), "{}", site.last_words());

    let first: BTreeSet<String> = called(&carrier);
    assert!(first.len() < LIST, "something is left to do");
    let of_backup = Records::read(&backup);
    assert!(of_backup.attempts.len() >= 4 && of_backup.attempts.len() <= first.len());
    let moved = site.outdial(&copy);
    assert!(moved.success, "{}", moved.text);
    let attempts = schema.number("select count(*) from attempt");
    assert_eq!(usize::try_from(attempts).unwrap(), first.len());
    let refused = site.outdial(&["run", &site.campaign(), "--until-idle"]);
    assert_ne!(refused.code, Some(0), "the old database starts nobody");
    assert!(refused.text.contains("outdial db reopen"), "{}", refused.text);

    site.use_database(&schema.url);
    let mut dialer = site.run();
    assert_eq!(dialer.wait(Duration::from_secs(90)).code(), Some(0), "{}", site.last_words());
    rest(Duration::from_millis(200));
    staff.dismiss();
    let report = carrier.report().unwrap();
    assert_eq!(called(&carrier).len(), LIST, "everybody was called");
    assert_eq!(report.calls.len(), LIST, "nobody twice: {:?}", report.totals);
    let ids: BTreeSet<&str> = report.calls.iter().map(|call| call.call_id.as_str()).collect();
    assert_eq!(ids.len(), LIST);
    let without = "select count(*) from attempt where outcome is null or ended_ms is null";
    assert_eq!(schema.number(without), 0, "one outcome each");
    assert_eq!(
        schema.number("select count(*) from node"),
        2,
        "the second start knows of the first"
    );
    let checked = site.outdial(&["db", "check"]);
    assert!(checked.success, "{}", checked.text);
    let backup = site.outdial(&["db", "backup", "b.dump"]);
    assert!(backup.code == Some(2) && backup.text.contains("pg_dump"), "{}", backup.text);
}

fn called(carrier: &outdial::carrier::CarrierHandle) -> BTreeSet<String> {
    carrier.report().unwrap().calls.into_iter().map(|call| call.called).collect()
}

const LIST: usize = 24;
