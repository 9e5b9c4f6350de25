//! `outdial carrier` as a program of its own: what it writes is compared with what its callers saw, SIPp's `uac` and
//! `outdial run`.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use outdial::carrier::CarrierSettings;
use outdial::carrier::PhonePlan;
use outdial::simulation::agent_brain::BrainSettings;
use outdial::simulation::callee::BehaviourBook;
use serde_json::Value;
use tempfile::TempDir;

use crate::sipp;
use crate::sipp::Account;
use crate::sipp::Sipp;
use crate::site::Plan;
use crate::site::SQLITE;
use crate::site::Site;
use crate::site::eventually;
use crate::staff::Staff;

#[test]
fn the_record_counts_the_answered_calls_that_sipp_counts() {
    let _alone = crate::alone();
    let mut carrier = Carrier::start(
        "[[behaviour]]\nname = \"person\"\nshare = 1\nkind = \"answer\"\nafter = \"50ms-300ms\"\ntalk = \"never\"\n",
        &["--seed", "7"],
    );
    let seen = uac(&carrier, "0312345678", &["-m", "20", "-r", "20", "-d", "400"]);
    let record = carrier.end();
    assert_eq!((seen.successful, seen.failed, seen.code), (20, 0, Some(0)), "{}", seen.errors);
    let totals = &record["totals"];
    assert_eq!((&totals["calls"], &totals["invites"]), (&20.into(), &20.into()), "{totals}");
    assert_eq!((&totals["answered"], &totals["open"]), (&20.into(), &0.into()));
    assert_eq!(totals["by_end"]["caller"], 20);
    assert_eq!(record["carrier"]["seed"], 7);
    assert!(record["carrier"]["started_ms"].as_i64().unwrap() > 1_600_000_000_000);
    // SIPp's own Call-IDs, each once.
    let mut theirs: Vec<String> = seen.messages.iter().filter_map(|m| invite(&m.text)).collect();
    theirs.sort();
    theirs.dedup();
    let mut ours: Vec<&str> = rows(&record).map(|row| row["call_id"].as_str().unwrap()).collect();
    ours.sort_unstable();
    assert_eq!(ours, theirs);
    assert!(rows(&record).all(|row| row["confirmed_us"].as_u64() > row["answered_us"].as_u64()));
}

#[test]
fn refused_and_moved_calls_are_failures_for_sipp_and_told_apart_by_the_record() {
    let _alone = crate::alone();
    let book = "[[behaviour]]\nname = \"busy\"\nshare = 1\nkind = \"busy\"\nafter = \"10ms-50ms\"\n\
                [[behaviour]]\nname = \"moved\"\nkind = \"moved\"\nafter = \"10ms\"\nto = \"0399999999\"\n\
                [[number]]\nlast = \"99\"\ncalls = [\"moved\"]\n";
    let mut carrier = Carrier::start(book, &[]);
    let busy = uac(&carrier, "0312345678", &["-m", "6", "-r", "20"]);
    let moved = uac(&carrier, "0312345699", &["-m", "4", "-r", "20"]);
    let record = carrier.end();
    assert_eq!((busy.successful, busy.failed), (0, 6));
    assert_eq!((moved.successful, moved.failed), (0, 4));
    assert_eq!(record["totals"]["by_status"]["486"], 6);
    assert_eq!(record["totals"]["by_status"]["302"], 4);
    let redirect = moved.messages.iter().find(|m| m.text.starts_with("SIP/2.0 302")).unwrap();
    assert!(redirect.text.contains("Contact: <sip:0399999999@"), "{}", redirect.text);
}

#[test]
fn sipp_answers_a_challenge_with_the_right_password_only() {
    let _alone = crate::alone();
    let mut carrier = Carrier::start(
        "[auth]\nrealm = \"test\"\nusername = \"tester\"\npassword = \"secret\"\n\
         [[behaviour]]\nname = \"person\"\nshare = 1\nkind = \"answer\"\nafter = \"50ms\"\ntalk = \"never\"\n",
        &[],
    );
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/process/scenarios/uac_auth.xml");
    let play = |password: &str| {
        let more = ["-m", "5", "-r", "10", "-au", "tester", "-ap", password];
        Caller::playing(&["-sf", scenario]).call(&carrier.address, "0312345678", &more)
    };
    let right = play("secret");
    let wrong = play("wrong");
    let record = carrier.end();
    assert_eq!((right.successful, right.failed), (5, 0), "{}", right.errors);
    assert_eq!((wrong.successful, wrong.failed), (0, 5));
    assert_eq!(
        (&record["totals"]["answered"], &record["totals"]["calls"]),
        (&5.into(), &10.into())
    );
    assert_eq!(record["totals"]["by_end"]["challenge"], 5);
    assert_eq!(record["totals"]["invites"], 20, "each call was asked once and answered once");
}

#[test]
fn no_second_lets_in_more_calls_than_the_limit() {
    let _alone = crate::alone();
    let book = "[[behaviour]]\nname = \"person\"\nshare = 1\nkind = \"answer\"\nafter = \"10ms\"\ntalk = \"never\"\n";
    let mut carrier = Carrier::start(book, &["--calls-per-second", "5", "--channels", "50"]);
    let seen = uac(&carrier, "0312345678", &["-m", "40", "-r", "20", "-d", "100"]);
    let record = carrier.end();
    let refused = record["totals"]["by_behaviour"]["over_rate"].as_u64().unwrap();
    assert_eq!((seen.failed, seen.successful), (refused, 40 - refused));
    assert_eq!(record["totals"]["answered"].as_u64(), Some(seen.successful));
    let mut let_in: Vec<u64> = rows(&record)
        .filter(|row| row["behaviour"] == "person")
        .map(|row| row["invites_us"][0].as_u64().unwrap())
        .collect();
    let_in.sort_unstable();
    let in_the_second_of =
        |start: u64| let_in.iter().filter(|at| (start..start + 1_000_000).contains(*at)).count();
    let most = let_in.iter().map(|at| in_the_second_of(*at)).max();
    assert_eq!(most, Some(5), "{let_in:?}");
}

#[test]
fn a_carrier_ends_by_itself_when_nobody_calls_any_more() {
    let _alone = crate::alone();
    let book = "[[behaviour]]\nname = \"busy\"\nshare = 1\nkind = \"busy\"\nafter = \"10ms\"\n";
    let mut carrier = Carrier::start(book, &["--until-idle", "1", "--json"]);
    uac(&carrier, "0312345678", &["-m", "2", "-r", "20"]);
    carrier.wait();
    assert_eq!(carrier.record()["totals"]["calls"], 2);
    let out = carrier.file("out.txt");
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [live @ .., last] = &lines[..] else { panic!("nothing was printed") };
    assert_eq!(last["totals"]["by_status"]["486"], 2, "{last}");
    assert!(live.iter().all(|line| line["calls"].is_u64() && line["at_us"].is_u64()), "{out}");
}

#[test]
fn outdial_run_and_outdial_carrier_agree_on_every_call() {
    let _alone = crate::alone();
    let mut carrier = Carrier::start(LISTED, &["--calls-per-second", "20", "--channels", "20"]);
    // The agents' phones live here; their carrier is not called.
    let mut phones = CarrierSettings::on_loopback(BehaviourBook::default(), 1);
    phones.phones = (0..4)
        .map(|n| PhonePlan {
            brain: Some(BrainSettings::demo()),
            ..PhonePlan::new(&format!("agent{n}"))
        })
        .collect();
    let phones = outdial::carrier::start(phones).unwrap();
    let addresses = phones.phone_addrs().iter();
    let site = Site::new(&Plan {
        database: SQLITE.to_owned(),
        carrier: carrier.address.clone(),
        agents: addresses.map(|(name, at)| (name.clone(), format!("sip:{name}@{at}"))).collect(),
        numbers: (0..LIST).map(|n| format!("+8190{}", 20_000_000 + n)).collect(),
        limits: "ring = \"2s\"\nset_up = \"10s\"\nperson_after = \"300ms\"\nwrap_up = \"500ms\"",
    });
    let mut dialer = site.run();
    let (staff, _phones) = Staff::hire(phones, &site.socket());
    let status = dialer.wait(Duration::from_secs(90));
    staff.dismiss();
    assert_eq!(status.code(), Some(0), "{}", site.last_words());
    let record = carrier.end();
    let csv = site.path("results.csv");
    let export = site.outdial(&["export", &site.campaign(), "--output", csv.to_str().unwrap()]);
    assert!(export.success, "{}", export.text);

    let results = results(&csv);
    let mut expected = BTreeMap::new();
    for row in rows(&record) {
        let outcome = match row["behaviour"].as_str().unwrap() {
            "person" => "connected",
            "busy" => "busy",
            "no_answer" => "no_answer",
            "declines" => "rejected",
            "dead_number" => "invalid",
            other => panic!("the book has no {other}"),
        };
        let told = (outcome.to_owned(), row["status"].as_u64().unwrap());
        let before = expected.insert(digits(row["called"].as_str().unwrap()), told);
        assert_eq!(before, None, "nobody is called twice");
    }
    assert_eq!(results, expected);
    assert_eq!(results.len(), LIST);
    let totals = &record["totals"];
    assert_eq!((&totals["open"], &totals["overlaps"]), (&0.into(), &0.into()), "{totals}");
    assert_eq!(totals["by_behaviour"].as_object().unwrap().len(), 5, "all kinds were met");
}

/// A carrier of its own process, ended when dropped.
struct Carrier {
    child: Child,
    folder: TempDir,
    address: String,
}

impl Carrier {
    fn start(book: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("book.toml"), book).unwrap();
        let [out, err] = ["out.txt", "err.txt"].map(|name| File::create(path(name)).unwrap());
        let child = Command::new(env!("CARGO_BIN_EXE_outdial"))
            .args(["carrier", "--listen", "127.0.0.1:0", "--book"])
            .arg(path("book.toml"))
            .arg("--record")
            .arg(path("record.json"))
            .args(more)
            .env("LANG", "C")
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap();
        let mut carrier = Self { child, folder, address: String::new() };
        eventually("the carrier takes calls", Duration::from_secs(20), || {
            let said = carrier.file("err.txt");
            assert!(carrier.child.try_wait().unwrap().is_none(), "the carrier ended: {said}");
            let address =
                said.split("takes calls at ").nth(1).and_then(|rest| rest.split(' ').next());
            carrier.address = address.unwrap_or_default().to_owned();
            !carrier.address.is_empty()
        });
        carrier
    }

    /// SIGTERM, and the record.
    fn end(&mut self) -> Value {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.wait();
        self.record()
    }

    fn wait(&mut self) {
        let mut status = None;
        eventually("the carrier has ended", Duration::from_secs(20), || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        assert_eq!(status.unwrap().code(), Some(0), "{}", self.file("err.txt"));
    }

    fn record(&self) -> Value {
        serde_json::from_str(&self.file("record.json")).unwrap()
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        // Ended already, as a rule.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// SIPp's built-in caller.
fn uac(carrier: &Carrier, user: &str, more: &[&str]) -> Account {
    Caller::playing(&["-sn", "uac"]).call(&carrier.address, user, more)
}

struct Caller<'a>(&'a [&'a str]);

impl<'a> Caller<'a> {
    const fn playing(scenario: &'a [&'a str]) -> Self {
        Self(scenario)
    }

    fn call(&self, to: &str, user: &str, more: &[&str]) -> Account {
        let rtp = sipp::free_port(HERE).to_string();
        let args = [self.0, &["-trace_msg", "-mp", &rtp, "-s", user], more, &[to]].concat();
        let mut sipp = Sipp::start(HERE, &args);
        eventually("SIPp has made its calls", Duration::from_secs(60), || sipp.ended().is_some());
        sipp.account()
    }
}

/// Call-ID of an INVITE.
fn invite(message: &str) -> Option<String> {
    let lines = message.starts_with("INVITE ").then(|| message.lines());
    lines?.find_map(|line| line.strip_prefix("Call-ID: ")).map(|id| id.trim().to_owned())
}

fn rows(record: &Value) -> impl Iterator<Item = &Value> {
    record["calls"].as_array().unwrap().iter()
}

/// Outcome and SIP status by number, of a results CSV.
fn results(file: &Path) -> BTreeMap<String, (String, u64)> {
    let mut results = csv::Reader::from_path(file).unwrap();
    let header = results.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|title| title == name).unwrap();
    let (number, outcome, status) = (column("to"), column("outcome"), column("sip_status"));
    let rows = results.records().map(Result::unwrap);
    let row = |row: csv::StringRecord| {
        (digits(&row[number]), (row[outcome].to_owned(), row[status].parse().unwrap_or_default()))
    };
    rows.map(row).collect()
}

fn digits(number: &str) -> String {
    outdial::simulation::callee::digits(number)
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LIST: usize = 24;
/// As short as a test wants it, in all the kinds that need no second day.
const LISTED: &str = r#"
[[behaviour]]
name = "person"
share = 40
kind = "answer"
after = "200ms-600ms"
talk = "800ms-1500ms"

[[behaviour]]
name = "busy"
share = 20
kind = "busy"
after = "50ms-200ms"

[[behaviour]]
name = "no_answer"
share = 15
kind = "no_answer"

[[behaviour]]
name = "declines"
share = 15
kind = "decline"
after = "100ms-400ms"

[[behaviour]]
name = "dead_number"
share = 10
kind = "dead_number"
after = "50ms"
"#;
