//! The demo, on a part of its list: the whole program over real SIP and RTP on loopback.
#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use assert_cmd::Command;

#[test]
fn the_demo_ends_by_itself_with_one_outcome_per_attempt_and_does_so_twice() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let output = demo(folder.path(), &["--contacts", "40"]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{errors}");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let campaign = &report["campaigns"][0];
        let attempts = campaign["attempts"].as_u64().unwrap();
        assert!(attempts >= 30, "{report:#}");

        let results = folder.path().join("outdial-demo/results.csv");
        let rows = rows_of(&results);
        assert_eq!(u64::try_from(rows.len()).unwrap(), attempts);
        let keys: BTreeSet<_> = rows.iter().map(|row| row.key.clone()).collect();
        assert_eq!(keys.len(), rows.len(), "every attempt has a key of its own");
        assert!(rows.iter().all(|row| !row.outcome.is_empty()), "every attempt has an outcome");
        let called: BTreeSet<_> = rows.iter().map(|row| row.to.clone()).collect();
        assert_eq!(called.len(), rows.len(), "no retries: nobody is called twice");
        let connected = rows.iter().filter(|row| row.outcome == "connected").count();
        assert_eq!(campaign["connected"].as_u64(), u64::try_from(connected).ok());
    }
}

#[test]
fn by_ratio_the_demo_opens_lines_beyond_its_agents_and_keeps_its_cap() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(folder.path(), &["--contacts", "300", "--ratio", "3"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let text = fs::read_to_string(folder.path().join("outdial-demo/campaign/campaign.toml"));
    assert!(text.unwrap().contains("dial_ratio = 3.0"));
    let status: serde_json::Value =
        serde_json::from_str(&ask(folder.path(), &["status", "--json"])).unwrap();
    let window = &status["campaigns"][0]["windows"][0];
    let figure = |name: &str| window[name].as_u64().unwrap();
    let (answered, abandoned, fault) = (figure("answered"), figure("abandoned"), figure("faults"));
    assert!(abandoned * 1_000_000 <= 30_000 * answered + fault * 1_000_000, "{window}");
    let starts = ask(folder.path(), &["log", "--kind", "attempt_started"]);
    let alone = starts.lines().filter(|line| line.contains("\"agent\":null")).count();
    assert!(alone > 0, "{answered} answers bear calls without an agent of their own: {starts}");
}

#[test]
fn what_the_demo_predicted_is_replayed_word_for_word() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        demo(folder.path(), &["--contacts", "120", "--predictive", "--pacing-journal", "journal"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let mut journals: Vec<_> =
        fs::read_dir(folder.path().join("journal")).unwrap().map(|f| f.unwrap().path()).collect();
    assert_eq!(journals.len(), 1, "one campaign: {journals:?}");
    let journal = journals.pop().unwrap();
    let decisions = fs::read_to_string(&journal).unwrap().lines().count() - 1;
    assert!(decisions > 20, "twice a second, and whenever an agent is free: {decisions}");
    let replay = |journal: &Path| {
        Command::cargo_bin("outdial").unwrap().arg("replay").arg(journal).output().unwrap()
    };
    let same = replay(&journal);
    let told = String::from_utf8_lossy(&same.stdout);
    assert_eq!(same.status.code(), Some(0), "{told}");
    assert!(told.contains(&decisions.to_string()), "{told}");

    // Another engine would have said otherwise.
    let text = fs::read_to_string(&journal).unwrap();
    let changed = folder.path().join("changed.jsonl");
    fs::write(&changed, text.replacen("\"launch\":0", "\"launch\":7", 1)).unwrap();
    let other = replay(&changed);
    assert_eq!(other.status.code(), Some(1), "{}", String::from_utf8_lossy(&other.stdout));
}

/// What a verb prints of the demo's installation.
fn ask(folder: &Path, verb: &[&str]) -> String {
    let mut command = Command::cargo_bin("outdial").unwrap();
    command.current_dir(folder).env_remove("OUTDIAL_CONFIG");
    let output = command.args(["--config", "outdial-demo/outdial.toml"]).args(verb).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

struct Row {
    key: String,
    to: String,
    outcome: String,
}

fn rows_of(path: &Path) -> Vec<Row> {
    let mut csv = csv::Reader::from_path(path).unwrap();
    // The first header stands behind the byte order mark and may be read with its quotes.
    let place = |name: &str, headers: &csv::StringRecord| {
        headers.iter().position(|header| header.contains(name)).unwrap()
    };
    let headers = csv.headers().unwrap().clone();
    let (key, to, outcome) = (
        place("call_ref", &headers),
        headers.iter().position(|header| header == "to").unwrap(),
        headers.iter().position(|header| header == "outcome").unwrap(),
    );
    csv.records()
        .map(|record| {
            let record = record.unwrap();
            let cell = |at: usize| record.get(at).unwrap().to_owned();
            Row { key: cell(key), to: cell(to), outcome: cell(outcome) }
        })
        .collect()
}

fn demo(folder: &Path, options: &[&str]) -> Output {
    let mut command = Command::cargo_bin("outdial").unwrap();
    command.current_dir(folder).env_remove("OUTDIAL_CONFIG");
    // A hung demo is a failure, not a hung test run.
    command.timeout(Duration::from_secs(120));
    command.args(["demo", "--json"]).args(options).output().unwrap()
}
