//! `outdial simulate` and `outdial plan` from outside.
#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]

mod small_site;

use small_site::{CAMPAIGN, outdial, small_site};

const DAY: &str = r#"
[day]
date = "2026-11-24"
start = "10:00"
length = "30m"
[team]
agents = 5
[list]
size = 4000
[trunk]
calls_per_second = 10
channels = 50
[people]
post_dial = "200ms"
ring = "500ms"
talk = "30s"
wrap = "2s"
"#;

fn site() -> tempfile::TempDir {
    let folder = small_site();
    std::fs::write(folder.path().join("day.toml"), DAY).unwrap();
    folder
}

fn said(output: &std::process::Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn complained(output: &std::process::Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn the_same_seeds_give_the_same_output_byte_for_byte() {
    let folder = site();
    let run = |out: &str| {
        let args = ["simulate", CAMPAIGN, "--scenario", "day.toml", "--seeds", "2", "--out", out];
        let output = outdial(folder.path(), &args);
        assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
        let files = ["index.html", "figures.csv", "seeds.csv", "steps.csv"];
        let read = |name| std::fs::read_to_string(folder.path().join(out).join(name)).unwrap();
        (said(&output), files.map(read))
    };
    let (text, files) = run("one");
    assert_eq!((text.clone(), files.clone()), run("two"));
    assert!(text.contains("held at every instant"), "{text}");
    let [page, _, seeds, steps] = &files;
    assert!(!page.contains("<script") && !page.contains("http"), "nothing is loaded");
    assert_eq!(page.matches("<figure>").count(), 8);
    assert_eq!(seeds.lines().count(), 3);
    // Half an hour of each seed in steps of five minutes, and the talks that ended later.
    assert!(steps.lines().count() > 12, "{steps}");
    assert!(!folder.path().join("outdial.db").exists(), "a rehearsal makes no database");
}

#[test]
fn two_settings_are_set_against_each_other_with_the_same_people() {
    let folder = site();
    let compare = |one: &str, other: &str| {
        let args = [
            "simulate",
            CAMPAIGN,
            "--scenario",
            "day.toml",
            "--seeds",
            "3",
            "--compare",
            one,
            "--with",
            other,
        ];
        let output = outdial(folder.path(), &args);
        assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
        said(&output)
    };
    let talks =
        |text: &str| text.lines().find(|line| line.starts_with("talks  ")).unwrap().to_owned();
    assert!(talks(&compare("agents=3", "agents=3")).contains("+0 "), "the same is the same");
    let more = talks(&compare("agents=3", "agents=6"));
    assert!(more.contains('+') && !more.contains('~'), "{more}");
}

#[test]
fn for_a_program_the_same_figures_come_as_json() {
    let folder = site();
    let json = |args: &[&str]| -> serde_json::Value {
        let given = ["simulate", CAMPAIGN, "--scenario", "day.toml", "--json", "--seeds", "2"];
        let output = outdial(folder.path(), &[&given, args].concat());
        assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
        serde_json::from_str(&said(&output)).unwrap()
    };
    let alone = json(&[]);
    let talks = &alone["figures"]["talks"];
    assert!(talks["seeds"] == 2 && talks["mean"].as_f64().unwrap() > 10.0, "{talks}");
    assert_eq!(talks["interval"].as_array().unwrap().len(), 2);
    assert_eq!(alone["seeds"][1]["breaches"], serde_json::json!([]));
    let both = json(&["--compare", "agents=3", "--with", "learn_who_answers=false"]);
    assert_eq!(both["a"]["rehearsed"]["agents"], 3);
    assert_eq!(both["b"]["rehearsed"]["figures"], alone["figures"], "not in predictive mode");
    let less = both["a"]["rehearsed"]["figures"]["talks"]["mean"].as_f64().unwrap();
    let more = talks["mean"].as_f64().unwrap();
    let difference = both["difference"]["talks"]["mean"].as_f64().unwrap();
    assert!((difference - (more - less)).abs() < 1e-9 && difference > 0.0, "{both}");
}

#[test]
fn a_plan_shows_what_a_changed_file_changes() {
    let folder = site();
    let file = folder.path().join("campaigns").join(CAMPAIGN).join("campaign.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(folder.path().join("before.toml"), &text).unwrap();
    let plan = |more: &[&str]| {
        let args = [&["plan", CAMPAIGN, "--scenario", "day.toml", "--seeds", "2"], more].concat();
        outdial(folder.path(), &args)
    };
    let unknown = plan(&[]);
    assert_eq!(unknown.status.code(), Some(1), "{}", complained(&unknown));
    let same = plan(&["--against", "before.toml"]);
    assert_eq!(said(&same).trim(), "Nothing would change.", "{}", complained(&same));
    let mut changed: toml::Table = text.parse().unwrap();
    changed.insert("dial_mode".to_owned(), "predictive".into());
    changed.remove("dial_ratio");
    std::fs::write(&file, toml::to_string(&changed).unwrap()).unwrap();
    let told = plan(&["--against", "before.toml"]);
    let text = said(&told);
    assert_eq!(told.status.code(), Some(0), "{}", complained(&told));
    assert!(text.contains("dial_mode") && text.contains("->  predictive"), "{text}");
    assert!(text.contains("B - A"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&said(&plan(&[
        "--against",
        "before.toml",
        "--json",
        "--fields-only",
    ])))
    .unwrap();
    assert_eq!(json["changes"][0]["new"], "predictive");
    assert_eq!(json["rehearsed"], serde_json::Value::Null);
}

#[test]
fn what_is_wrong_with_a_scenario_or_a_setting_is_told_and_nothing_is_run() {
    let folder = site();
    std::fs::write(folder.path().join("bad.toml"), "[people]\nanswer = 200\n").unwrap();
    let wrong = |args: &[&str]| {
        let output = outdial(folder.path(), &[&["simulate", CAMPAIGN], args].concat());
        assert_eq!(output.status.code(), Some(2), "{}", complained(&output));
        complained(&output)
    };
    let scenario = wrong(&["--scenario", "bad.toml"]);
    assert!(scenario.contains("bad.toml:2:10: found the number 200"), "{scenario}");
    assert!(wrong(&["--compare", "agents"]).contains("`agents` is no setting"));
    assert!(wrong(&["--compare", "dial_mode=fast"]).contains("with dial_mode=fast"));
}
