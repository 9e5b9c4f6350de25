//! Whoever watches, from near or from afar, may come and go: no call and no dialer depends on it.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::site::Plan;
use crate::site::SQLITE;
use crate::site::Site;
use crate::site::ask;
use crate::site::eventually;

/// A dialer that has nobody to call with: its agent never logs in.
fn site() -> Site {
    Site::new(&Plan {
        database: SQLITE.to_owned(),
        carrier: "127.0.0.1:9".to_owned(),
        agents: vec![("hanako".to_owned(), "sip:hanako@127.0.0.1:9".to_owned())],
        numbers: vec!["+819050000000".to_owned()],
        limits: "ring = \"5s\"\nset_up = \"8s\"\nperson_after = \"500ms\"\nwrap_up = \"300ms\"",
    })
}

#[test]
fn the_log_is_followed_over_a_crash_and_a_restart_without_gap_or_repeat() {
    let _alone = crate::alone();
    let site = site();
    let out = site.path("log.jsonl");
    let mut follower =
        site.spawn(&["log", "--follow", "--since", "0"], File::create(&out).unwrap());
    let dialer = site.run_for_ever();
    assert!(site.outdial(&["campaign", "pause", "proof"]).success);
    dialer.kill_9();
    let mut dialer = site.run_for_ever();
    assert!(site.outdial(&["campaign", "resume", "proof"]).success);
    let told = |kind: &str, state: &str| {
        lines(&out).iter().any(|line| line["kind"] == kind && line["body"]["state"] == state)
    };
    eventually("the resumption is in the log", Duration::from_secs(10), || {
        lines(&out)
            .iter()
            .rev()
            .any(|line| line["body"]["by"] == "control" && line["body"]["state"] == "running")
    });
    assert!(told("campaign_state", "paused"));
    let kinds: Vec<_> = lines(&out).iter().map(|line| line["kind"].clone()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "node_started").count(), 2, "{kinds:?}");
    let cursors: Vec<String> =
        lines(&out).iter().map(|line| line["cursor"].as_str().unwrap().to_owned()).collect();
    assert_eq!(cursors, (1..=cursors.len()).map(|n| n.to_string()).collect::<Vec<_>>());
    assert!(follower.exited().is_none(), "it goes on");
    dialer.terminate();
    dialer.wait(Duration::from_secs(20));
    assert!(follower.exited().is_none(), "also when no dialer runs");
}

#[test]
fn a_follower_of_the_log_ends_with_its_reader_though_nothing_happens() {
    let _alone = crate::alone();
    let site = site();
    let mut follower = site.spawn(&["log", "--follow"], Stdio::piped());
    follower.drop_output();
    let status = follower.wait(Duration::from_secs(10));
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_cursor_of_another_database_is_refused() {
    let _alone = crate::alone();
    let site = site();
    let refused = site.outdial(&["log", "--since", "999999"]);
    assert_eq!(refused.code, Some(2), "{}", refused.text);
    assert!(refused.text.contains("--since 0"), "{}", refused.text);
}

#[test]
fn a_view_from_afar_shows_the_dialer_and_ends_with_it() {
    let _alone = crate::alone();
    let site = site();
    assert_eq!(site.outdial(&["view"]).code, Some(4), "no dialer yet");
    let mut dialer = site.run_for_ever();
    let out = site.path("view.txt");
    let mut view = site.spawn(&["view"], File::create(&out).unwrap());
    eventually("two lines are shown", Duration::from_secs(20), || {
        let text = std::fs::read_to_string(&out).unwrap();
        text.lines().filter(|line| line.contains("proof: progressive")).count() >= 2
    });
    dialer.terminate();
    assert_eq!(dialer.wait(Duration::from_secs(20)).code(), Some(0));
    assert_eq!(view.wait(Duration::from_secs(10)).code(), Some(4));
}

#[test]
fn a_run_goes_on_when_nobody_reads_what_it_shows() {
    let _alone = crate::alone();
    let site = site();
    let mut dialer = site.spawn_unread(&["run", &site.campaign()]);
    dialer.drop_output();
    let status = || ask(&site.socket(), &serde_json::json!({ "op": "status" }));
    eventually("the dialer takes commands", Duration::from_secs(20), || status().is_some());
    let started = status().unwrap()["at"].as_i64().unwrap();
    // It shows a line every two seconds.
    eventually("it has shown some lines to nobody", Duration::from_secs(20), || {
        assert!(dialer.exited().is_none(), "{}", site.last_words());
        status().is_some_and(|view| view["at"].as_i64().unwrap() - started > 5_000)
    });
    dialer.terminate();
    assert_eq!(dialer.wait(Duration::from_secs(20)).code(), Some(0), "{}", site.last_words());
}

/// What was printed so far; a line that is being written is not one yet.
fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).unwrap()).collect()
}
