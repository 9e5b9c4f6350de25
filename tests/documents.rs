//! README and docs/outcomes.md are compared with the code, so that a reader is not told of yesterday's program.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed setup is a failed test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use outdial::files::outcomes_csv::{ATTEMPT_COLUMNS, CONTACT_COLUMNS};
use outdial::logic::dialer::command::{AgentState, Command};
use outdial::logic::gate::Gate;
use outdial::logic::outcome::Outcome;
use outdial::store::{EventKind, Rule};

const WORDS: &str = "docs/outcomes.md";
const EVENTS: &str = "docs/events.md";

#[test]
fn every_outcome_is_documented_with_its_flags() {
    let rows = table("Outcomes", 0);
    assert_eq!(words(&rows), Outcome::ALL.map(Outcome::as_str));
    for (outcome, row) in Outcome::ALL.iter().zip(&rows) {
        let flag = |column: usize| row[column].split([' ', ',', ':']).next().unwrap() == "yes";
        assert_eq!(flag(3), outcome.uses_attempt(), "{outcome} uses an attempt");
        assert_eq!(flag(4), outcome.may_retry(), "{outcome} comes back");
    }
}

#[test]
fn every_gate_is_documented() {
    assert_eq!(words(&table("Gates", 0)), Gate::ALL.map(Gate::as_str));
}

#[test]
fn the_columns_of_results_are_documented_in_their_order() {
    assert_eq!(words(&table("Results: one row per attempt", 0)), ATTEMPT_COLUMNS);
    assert_eq!(words(&table("Results: one row per contact", 0)), CONTACT_COLUMNS);
}

#[test]
fn every_code_of_a_rejects_file_is_documented() {
    let rows = [table("Refused rows of a list", 0), table("Refused rows of a list", 1)].concat();
    let told: BTreeSet<_> = words(&rows).into_iter().collect();
    let mut coded = BTreeSet::new();
    for file in ["src/files/refusal.rs", "src/logic/phone/reason.rs"] {
        let text = read(file);
        for line in text.lines() {
            let word = line.trim().split("=> \"").nth(1).and_then(|rest| rest.split('"').next());
            let is_code = |word: &&str| {
                word.chars().all(|c| c.is_ascii_uppercase() || "_0123456789".contains(c))
            };
            coded.extend(word.filter(is_code).map(str::to_owned));
        }
    }
    assert!(coded.len() > 10, "the search still finds the codes");
    assert_eq!(told, coded.iter().map(String::as_str).collect());
}

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let help = help(&[]);
    let coded: Vec<Vec<String>> = (help.split("Exit codes:\n").nth(1).unwrap().lines())
        .map(|line| line.trim().split_once(' ').unwrap())
        .map(|(code, meaning)| vec![code.to_owned(), meaning.trim().to_owned()])
        .collect();
    assert_eq!(table("Exit codes", 0), coded);
}

#[test]
fn every_race_is_documented_with_the_tests_that_play_it() {
    let races = tests_in("tests/races");
    let whole = tests_in("tests/end_to_end");
    let mut virtual_time = tests_in("src/logic/sip/user_agent/tests");
    virtual_time.extend(tests_in("src/logic/attempt"));
    let page = read("docs/sip.md");
    let rows: Vec<Vec<&str>> = (page.lines().filter(|line| line.starts_with("| ")).skip(1))
        .map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim()).collect())
        .collect();
    let mut told = BTreeSet::new();
    for row in &rows {
        let played = row[3].trim_matches('`');
        assert!(virtual_time.contains(played), "{played} is no test in virtual time");
        told.insert(row[4].trim_matches('`').to_owned());
    }
    assert!(races.is_subset(&told), "not told: {:?}", races.difference(&told));
    assert!(told.iter().all(|test| races.contains(test) || whole.contains(test)), "{told:?}");
}

#[test]
fn every_command_of_the_socket_has_an_example_that_is_understood() {
    let rows = table("Control socket", 0);
    let mut told = Vec::new();
    for row in &rows {
        let example = row[1].trim_matches('`');
        let mut value: serde_json::Value = serde_json::from_str(example).unwrap();
        // The socket's own word; the rest is the dialer's.
        value.as_object_mut().unwrap().remove("watch");
        let op = value["op"].as_str().unwrap().to_owned();
        assert_eq!(words(std::slice::from_ref(row)), [op.as_str()]);
        serde_json::from_value::<Command>(value).unwrap();
        told.push(op);
    }
    // serde names every variant when it knows none of that name.
    let error = serde_json::from_str::<Command>(r#"{"op":"?"}"#).unwrap_err().to_string();
    let known: BTreeSet<_> = error.split('`').skip(3).step_by(2).collect();
    assert_eq!(told.iter().map(String::as_str).collect::<BTreeSet<_>>(), known);
}

#[test]
fn every_refusal_of_the_socket_is_documented() {
    let told: BTreeSet<String> = (table("Control socket", 2).iter())
        .flat_map(|row| row[0].split(", ").map(|code| code.trim_matches('`').to_owned()))
        .collect();
    let mut coded = BTreeSet::new();
    for folder in ["src/logic/dialer", "src/runtime"] {
        rust_files(Path::new(folder), &mut |path, text| {
            if path.ends_with("tests.rs") {
                return;
            }
            let text = text.split("#[cfg(test)]").next().unwrap();
            for call in ["refuse(", "refused(", "code:"] {
                for after in text.split(call).skip(1) {
                    let code = after.trim_start().strip_prefix('"');
                    coded.extend(code.map(|code| code.split('"').next().unwrap().to_owned()));
                }
            }
        });
    }
    assert_eq!(told, coded);
}

#[test]
fn every_state_of_an_agent_is_documented() {
    let text = section("Control socket");
    for state in [
        AgentState::Offline,
        AgentState::LoggingIn,
        AgentState::Paused,
        AgentState::Ready,
        AgentState::Previewing,
        AgentState::Reserved,
        AgentState::OnCall,
        AgentState::WrapUp,
    ] {
        assert!(text.contains(&format!("`{}`", state.as_str())), "{}", state.as_str());
    }
}

#[test]
fn every_kind_of_event_is_documented_with_the_fields_that_the_code_writes() {
    let rows = table_of(EVENTS, "Kinds", 0);
    assert_eq!(words(&rows), EventKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>());
    let mut written = BTreeMap::new();
    rust_files(Path::new("src/store"), &mut |_, text| {
        // A body stands before the kind of its event: as JSON, or as a struct where many are written.
        for (at, _) in text.match_indices("EventKind::") {
            let kind = text[at..].split("::").nth(1).unwrap();
            let kind = kind.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned();
            let before = &text[..at];
            let json = before.rfind("json!({").map(|from| (from, keys_of_json(&before[from..])));
            let fields = before.rfind("struct Body").map(|from| (from, fields_of(&before[from..])));
            written.extend(json.max(fields).map(|(_, keys)| (kind, keys)));
        }
    });
    assert_eq!(written.len(), EventKind::ALL.len(), "the search still finds them: {written:?}");
    assert!(written.values().all(|fields| fields.len() >= 2), "{written:?}");
    for (kind, fields) in written {
        let kind = EventKind::ALL.iter().find(|known| format!("{known:?}") == kind).unwrap();
        let row = rows.iter().find(|row| row[0].contains(kind.as_str())).unwrap();
        for field in fields {
            assert!(row[3].contains(&format!("`{field}`")), "{}: {field}", kind.as_str());
        }
    }
}

/// The keys of `json!({ "key": value, ... })`.
fn keys_of_json(text: &str) -> Vec<String> {
    let json: Vec<&str> = text.split("})").next().unwrap().split('"').collect();
    let is_key = |pair: &&[&str]| pair[1].starts_with(':');
    json.windows(2).filter(is_key).map(|pair| pair[0].to_owned()).collect()
}

/// The fields of `struct Body { field: Type, ... }`.
fn fields_of(text: &str) -> Vec<String> {
    let (_, fields) = text.split_once('{').unwrap();
    let fields = fields.split('}').next().unwrap().lines();
    fields.filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}

#[test]
fn every_rule_of_the_check_is_documented() {
    let rows = table_of("docs/database.md", "Check", 1);
    assert_eq!(words(&rows), Rule::ALL.iter().map(|rule| rule.as_str()).collect::<Vec<_>>());
    for row in rows {
        let rule = Rule::ALL.iter().find(|rule| row[0].contains(rule.as_str())).unwrap();
        assert_eq!(row[1].starts_with("a note: "), !rule.is_fault(), "{row:?}");
    }
}

#[test]
fn every_link_in_the_documents_leads_to_a_file() {
    let mut documents = vec!["README.md".to_owned(), "CHANGELOG.md".to_owned()];
    for folder in ["docs", "campaigns"] {
        files_below(Path::new(folder), "md", &mut |path, _| {
            documents.push(path.to_str().unwrap().to_owned());
        });
    }
    assert!(documents.len() >= 10, "{documents:?}");
    for document in &documents {
        let folder = Path::new(document).parent().unwrap();
        for target in read(document).split("](").skip(1) {
            let target = target.split([')', '#']).next().unwrap();
            if !target.is_empty() && !target.contains("://") {
                assert!(folder.join(target).exists(), "{document} links to {target}");
            }
        }
    }
}

#[test]
fn the_first_call_in_the_readme_uses_verbs_and_options_that_exist() {
    let readme = read("README.md");
    let mut checked = 0;
    let indented = readme.lines().filter(|line| line.starts_with("    "));
    for line in indented.filter_map(|line| line.trim().strip_prefix("outdial ")) {
        let typed: Vec<&str> = line.split(" #").next().unwrap().split_whitespace().collect();
        let verbs: &[&str] = match typed.as_slice() {
            ["agent" | "campaign" | "db", ..] => typed.get(..2).unwrap(),
            _ => typed.get(..1).unwrap(),
        };
        let help = help(verbs);
        for option in typed.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "`outdial {line}`: no {option}");
        }
        checked += 1;
    }
    assert!(checked >= 10, "the search still finds the commands");
}

/// Rows of the `n`th table below a heading, each a list of trimmed cells.
fn table(heading: &str, n: usize) -> Vec<Vec<String>> {
    table_of(WORDS, heading, n)
}

fn table_of(document: &str, heading: &str, n: usize) -> Vec<Vec<String>> {
    let text = section_of(document, heading);
    let tables: Vec<Vec<&str>> = text
        .split("\n\n")
        .map(|block| block.trim().lines().collect::<Vec<_>>())
        .filter(|lines| lines.first().is_some_and(|line| line.starts_with('|')))
        .collect();
    let lines = tables.get(n).unwrap_or_else(|| panic!("no table {n} below {heading}"));
    let cells = |line: &&str| {
        let inner = line.trim().trim_matches('|');
        inner.split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    lines.iter().skip(2).map(cells).collect()
}

/// The text between one heading and the next.
fn section(heading: &str) -> String {
    section_of(WORDS, heading)
}

fn section_of(document: &str, heading: &str) -> String {
    let text = read(document);
    let after = text.split(&format!("\n## {heading}\n")).nth(1);
    let after = after.unwrap_or_else(|| panic!("{document} has no heading {heading}"));
    after.split("\n## ").next().unwrap().to_owned()
}

/// Names of the tests below a folder.
fn tests_in(folder: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    rust_files(Path::new(folder), &mut |_, text| {
        let tests = text.split("#[test]").skip(1);
        names.extend(tests.filter_map(|test| {
            let name = test.split("fn ").nth(1)?.split('(').next()?;
            Some(name.to_owned())
        }));
    });
    assert!(!names.is_empty(), "no tests in {folder}");
    names
}

/// The word in backquotes that begins each row.
fn words(rows: &[Vec<String>]) -> Vec<&str> {
    rows.iter().map(|row| row[0].split('`').nth(1).unwrap_or_default()).collect()
}

fn help(verbs: &[&str]) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_outdial"));
    let out = command.args(verbs).arg("--help").output().unwrap();
    assert!(out.status.success(), "outdial {} --help", verbs.join(" "));
    String::from_utf8(out.stdout).unwrap()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn rust_files(folder: &Path, check: &mut dyn FnMut(&Path, &str)) {
    files_below(folder, "rs", check);
}

fn files_below(folder: &Path, extension: &str, check: &mut dyn FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, extension, check);
        } else if path.extension().is_some_and(|e| e == extension) {
            check(&path, &read(path.to_str().unwrap()));
        }
    }
}
