//! Every example in `campaigns/` is read as it stands, with the sounds it names.
#![expect(clippy::panic, reason = "a failed setup is a failed test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use outdial::config::CampaignFile;
use outdial::config::Environment;
use outdial::config::OutdialFile;
use outdial::config::check;
use outdial::config::check::Level;
use outdial::logic::settings::CallingHours;
use outdial::simulation::callee::BehaviourBook;
use outdial::simulation::callee::FateEnd;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns")
}

fn campaign(name: &str) -> CampaignFile {
    let path = folder().join(name).join("campaign.toml");
    outdial::config::read_campaign(&path).unwrap_or_else(|problems| panic!("{problems}"))
}

fn installation() -> OutdialFile {
    let password = ("OUTDIAL_TRUNK_PASSWORD".to_owned(), "secret".to_owned());
    let environment = Environment::from([password]);
    let path = folder().join("outdial.example.toml");
    outdial::config::read_outdial(&path, &environment).unwrap_or_else(|p| panic!("{p}"))
}

#[test]
fn every_folder_holds_a_campaign_that_can_be_read_and_a_readme() {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            let name = entry.file_name().into_string().unwrap();
            assert!(entry.path().join("README.md").is_file(), "{name}");
            if name == "carrier" {
                // Books of the simulated carrier, no campaign.
                continue;
            }
            assert!(!campaign(&name).lists.is_empty(), "{name}");
            names.push(name);
        }
    }
    names.sort();
    assert_eq!(names, ["collections-ja", "demo", "survey-en"]);
}

fn book(path: &str) -> BehaviourBook {
    outdial::config::read_book(&folder().join(path)).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn every_book_of_the_carrier_can_be_read_and_all_of_it_is_reached() {
    let mut books = Vec::new();
    for entry in std::fs::read_dir(folder().join("carrier")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".toml") {
            continue;
        }
        let book = book(&format!("carrier/{name}"));
        let text = std::fs::read_to_string(folder().join("carrier").join(&name)).unwrap();
        let written = text.lines().filter(|line| *line == "[[behaviour]]").count();
        let mut reached: Vec<&str> = book.behaviours().map(|b| b.name.as_str()).collect();
        reached.sort_unstable();
        reached.dedup();
        assert_eq!(reached.len(), written, "{name}: {reached:?}");
        books.push(name);
    }
    books.sort();
    assert_eq!(books, ["everyday.toml", "races.toml", "storm.toml", "voicemail.toml"]);
}

#[test]
fn every_number_that_the_races_promise_has_its_race() {
    let text = std::fs::read_to_string(folder().join("carrier/races.toml")).unwrap();
    let book = book("carrier/races.toml");
    // The comment at its top is what a person reads.
    let told: Vec<&str> = text.split("[auth]").next().unwrap().split_whitespace().collect();
    for number in 7_101..=7_122 {
        assert!(told.contains(&number.to_string().as_str()), "{number} is not told");
        let name = book.fate(1, &format!("031234{number}"), 0).name;
        assert_ne!(name, "person", "{number}");
    }
}

#[test]
fn the_callees_of_the_demo_keep_their_shares_and_times() {
    let book = book("demo/carrier.toml");
    let mut count = BTreeMap::<String, u32>::new();
    let ms = Duration::from_millis;
    for i in 0..10_000 {
        let fate = book.fate(11, &format!("+8190{i:08}"), 0);
        *count.entry(fate.name.clone()).or_default() += 1;
        match fate.end {
            FateEnd::Answer { after, talk, .. } => {
                assert!((ms(300)..=ms(1000)).contains(&after));
                assert!((ms(800)..=ms(1600)).contains(&talk.unwrap()));
                assert!(fate.ring.is_some());
            }
            FateEnd::Refuse { after, .. } => assert!((ms(100)..=ms(300)).contains(&after)),
            FateEnd::Nothing => assert!(fate.ring.is_some()),
            FateEnd::AnswerOnCancel { .. } => panic!("the demo has no races"),
        }
    }
    let count = |name: &str| count[name];
    assert!((2_350..2_650).contains(&count("person")));
    assert!((5_350..5_650).contains(&(count("busy") + count("dead_number"))));
    assert!((1_850..2_150).contains(&count("no_answer")));
}

#[test]
fn the_demo_calls_nobody_and_is_open_at_any_hour() {
    let settings = campaign("demo").settings;
    assert!(settings.simulated_only);
    assert_eq!(settings.hours, CallingHours::Always);
}

#[test]
fn the_real_examples_fit_the_example_installation() {
    let installation = installation();
    for name in ["collections-ja", "survey-en"] {
        let problems: Vec<String> = check::check_against(&installation, &campaign(name))
            .iter()
            .filter(|finding| finding.level == Level::Problem)
            .map(ToString::to_string)
            .collect();
        assert_eq!(problems, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn the_demo_is_refused_on_the_trunk_of_the_example_installation() {
    let findings = check::check_against(&installation(), &campaign("demo"));
    let texts: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(
        texts.iter().any(|text| text.starts_with("problem: campaign demo is simulated_only")),
        "{texts:?}"
    );
}

#[test]
fn every_key_of_the_example_installation_is_explained_and_every_commented_key_is_known() {
    // Taking the `# ` from a commented key must give a file that is read, or one that names a missing secret.
    let path = folder().join("outdial.example.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let environment = Environment::from([
        ("OUTDIAL_TRUNK_PASSWORD".to_owned(), "secret".to_owned()),
        ("OUTDIAL_DB_PASSWORD".to_owned(), "secret".to_owned()),
    ]);
    let commented: Vec<&str> = text.lines().filter(|l| is_commented_key(l)).collect();
    assert!(commented.len() >= 15);
    for line in commented {
        let key = line.trim_start_matches("# ").split(' ').next().unwrap();
        let other_way = ["database", "database_password_file", "password_file"];
        if other_way.contains(&key) {
            continue;
        }
        let changed = text.replace(line, line.trim_start_matches("# "));
        let read =
            outdial::config::parse_outdial("outdial.toml", &changed, &folder(), &environment);
        assert!(read.is_ok(), "{key}: {}", read.unwrap_err());
    }
}

#[test]
fn campaign_files_and_the_importer_name_columns_and_encodings_alike() {
    let fields = outdial::files::header::Field::ALL.map(|field| field.as_str());
    assert_eq!(outdial::config::LIST_FIELDS[..], fields[..]);
    for name in outdial::config::LIST_ENCODINGS {
        assert!(name.parse::<outdial::files::encoding::TextEncoding>().is_ok(), "{name}");
    }
    let known = outdial::files::encoding::TextEncoding::ALL;
    assert_eq!(outdial::config::LIST_ENCODINGS.len(), known.len());
}

#[test]
fn every_country_that_can_be_called_is_one_the_importer_knows() {
    for region in outdial::logic::compliance::country::regions() {
        assert!(region.parse::<outdial::logic::phone::Region>().is_ok(), "{region}");
    }
}

fn is_commented_key(line: &str) -> bool {
    let Some(rest) = line.strip_prefix("# ") else { return false };
    rest.split_once(" = ")
        .is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
}
