//! The program from outside: help, error texts, exit codes.
#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]

mod small_site;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Output;

use small_site::{CAMPAIGN, outdial, outdial_with, small_site};
use tempfile::TempDir;

#[test]
fn help_is_a_promise_to_outsiders() {
    insta::assert_snapshot!(stdout(&["--help"]));
    insta::assert_snapshot!(stdout(&["run", "--help"]));
    insta::assert_snapshot!(stdout(&["import", "--help"]));
    insta::assert_snapshot!(stdout(&["export", "--help"]));
    insta::assert_snapshot!(stdout(&["agent", "--help"]));
    insta::assert_snapshot!(stdout(&["demo", "--help"]));
    insta::assert_snapshot!(stdout(&["log", "--help"]));
    insta::assert_snapshot!(stdout(&["carrier", "--help"]));
    insta::assert_snapshot!(stdout(&["db", "--help"]));
}

#[test]
fn a_missing_installation_file_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let output = outdial(folder.path(), &["status"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(text(&output.stderr));
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(outdial(folder.path(), &["dial"]).status.code(), Some(2));
    assert_eq!(outdial(folder.path(), &["run"]).status.code(), Some(2));
}

#[test]
fn a_wrong_installation_file_is_told_with_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("outdial.toml"), "databse = \"sqlite://a.db\"\n").unwrap();
    let output = outdial(folder.path(), &["status"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(text(&output.stderr));
}

#[test]
fn a_variable_of_the_environment_that_is_no_utf_8_changes_nothing() {
    let folder = small_site();
    let odd = OsStr::from_bytes(b"\xff");
    let plain = outdial(folder.path(), &["status"]);
    let beside = outdial_with(folder.path(), &["status"], |command| {
        command.env("ODD", odd).env(odd, "odd");
    });
    assert_eq!(text(&beside.stderr), text(&plain.stderr));
    assert_eq!(beside.status.code(), plain.status.code());
}

#[test]
fn a_campaign_that_is_nowhere_says_where_it_was_looked_for() {
    let folder = small_site();
    let output = outdial(folder.path(), &["run", "spring"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(text(&output.stderr));
}

#[test]
fn a_campaign_that_is_named_twice_is_refused_and_told_what_to_do() {
    let folder = simulated_site();
    let output = outdial(folder.path(), &["run", CAMPAIGN, CAMPAIGN]);
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output.stderr);
    assert!(told.contains("two campaigns are named demo: name each once"), "{told}");
}

#[test]
fn agents_of_a_dialer_that_does_not_run_hear_so() {
    let folder = small_site();
    let output = outdial(folder.path(), &["agent", "ready", "hanako"]);
    assert_eq!(output.status.code(), Some(4));
    insta::assert_snapshot!(text(&output.stderr).replace(&shown(folder.path()), "FOLDER"));
}

#[test]
fn a_simulated_campaign_is_never_dialed_on_a_real_trunk() {
    let folder = small_site();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns/demo");
    let output = outdial(folder.path(), &["run", demo.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(text(&output.stderr));
}

#[test]
fn a_second_dialer_on_one_file_is_told_who_holds_it() {
    let folder = simulated_site();
    let lock = std::fs::File::create(folder.path().join("outdial.db.lock")).unwrap();
    std::io::Write::write_all(&mut &lock, b"process 7 on desk (node main)\n").unwrap();
    lock.lock().unwrap();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns/demo");
    let output = outdial(folder.path(), &["run", demo.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("held by process 7 on desk (node main)"));
}

#[test]
fn a_list_comes_in_once_and_its_rejects_can_be_repaired() {
    let folder = small_site();
    std::fs::write(
        folder.path().join("list.csv"),
        "customer id,name,phone\n1,Ann,090-1111-2222\n2,Bob,no number\n1,Ann,090-1111-2222\n",
    )
    .unwrap();
    let dry = outdial(folder.path(), &["import", CAMPAIGN, "list.csv", "--dry-run", "--json"]);
    assert_eq!(dry.status.code(), Some(0), "{}", text(&dry.stderr));
    let first = outdial(folder.path(), &["import", CAMPAIGN, "list.csv", "--json"]);
    let counts = |output: &Output| {
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let counts = &json[0]["counts"];
        (counts["accepted"].clone(), counts["invalid"].clone(), counts["duplicate_in_file"].clone())
    };
    assert_eq!(counts(&first), (1.into(), 1.into(), 1.into()));
    assert_eq!(counts(&dry), counts(&first), "a dry run judges as the import does");
    let again = outdial(folder.path(), &["import", CAMPAIGN, "list.csv", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(json[0]["imported_before"], true);

    let rejects = folder.path().join("list.rejects.csv");
    let repaired =
        std::fs::read_to_string(&rejects).unwrap().replace("\"no number\"", "\"090-3333-4444\"");
    std::fs::write(folder.path().join("repaired.csv"), repaired).unwrap();
    let third = outdial(folder.path(), &["import", CAMPAIGN, "repaired.csv", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&third.stdout).unwrap();
    assert_eq!(json[0]["counts"]["accepted"], 1, "{}", text(&third.stdout));

    let status = outdial(folder.path(), &["status", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(json["campaigns"][0]["leads"]["ready"], 2);
    let export = outdial(folder.path(), &["export", CAMPAIGN, "--per", "contact"]);
    assert_eq!(text(&export.stdout).lines().count(), 3, "{}", text(&export.stderr));
}

#[test]
fn a_refusal_is_taken_though_no_dialer_runs_and_blocks_the_lead() {
    let folder = small_site();
    let seller = seller_of_the_demo();
    let none = outdial(folder.path(), &["suppress", &seller, "+819011112222"]);
    assert_eq!(none.status.code(), Some(1), "there is no database to write it into");
    assert!(!folder.path().join("outdial.db").exists());
    let list = "name,phone\nAnn,090-1111-2222\nBob,090-3333-4444\n";
    std::fs::write(folder.path().join("list.csv"), list).unwrap();
    outdial(folder.path(), &["import", CAMPAIGN, "list.csv"]);
    let proof = "letter of 2026-11-02";
    let taken = outdial(folder.path(), &["suppress", &seller, "+819011112222", "--proof", proof]);
    assert_eq!(taken.status.code(), Some(0), "{}", text(&taken.stderr));
    let status = outdial(folder.path(), &["status", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(json["campaigns"][0]["leads"]["blocked"], 1);
    assert_eq!(json["campaigns"][0]["leads"]["ready"], 1);
    let log = text(&outdial(folder.path(), &["log", "--kind", "suppression"]).stdout);
    assert!(log.contains(proof) && log.contains("+8190****2222"), "{log}");
    assert!(!log.contains("+819011112222"), "masked");
    let shown = outdial(folder.path(), &["log", "--kind", "suppression", "--show-numbers"]);
    assert!(text(&shown.stdout).contains("+819011112222"));

    let wrong = outdial(folder.path(), &["suppress", "Nobody Inc.", "+819011112222"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains(&seller), "{}", text(&wrong.stderr));
    let no_number = outdial(folder.path(), &["suppress", &seller, "090-1111-2222"]);
    assert_eq!(no_number.status.code(), Some(2));
}

/// As its campaign.toml says.
fn seller_of_the_demo() -> String {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns/demo/campaign.toml");
    let text = std::fs::read_to_string(demo).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("seller = ")).unwrap();
    line.trim_matches('"').to_owned()
}

/// A small site whose trunk leads to no real people.
fn simulated_site() -> TempDir {
    let folder = small_site();
    let file = folder.path().join("outdial.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("[[agent]]", "simulated = true\n\n[[agent]]")).unwrap();
    folder
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn stdout(args: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    text(&outdial(folder.path(), args).stdout)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
