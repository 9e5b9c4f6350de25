//! Every example in `campaigns/` is read as it stands, with the sounds it names.
#![expect(clippy::panic, reason = "a failed setup is a failed test")]

use std::path::Path;
use std::path::PathBuf;

use outdial::config::CampaignFile;
use outdial::config::Environment;
use outdial::config::OutdialFile;
use outdial::config::check;
use outdial::config::check::Level;
use outdial::logic::settings::CallingHours;

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
            assert!(!campaign(&name).lists.is_empty(), "{name}");
            names.push(name);
        }
    }
    names.sort();
    assert_eq!(names, ["collections-ja", "demo", "survey-en"]);
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
