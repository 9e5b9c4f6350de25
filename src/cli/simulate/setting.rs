//! Settings as typed behind `--compare`: `mode=ratio:1.5`, `agents=25,limits.ring=20s`.

use std::str::FromStr;

use anyhow::anyhow;

use crate::cli::exit::{Exit, Failure};
use crate::config::{CampaignFile, ScenarioFile, parse_campaign};
use crate::simulation::rehearsal::staff::Roster;

/// What is changed of a campaign and of what is assumed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Settings {
    /// As typed.
    pub(crate) text: String,
    changes: Vec<(String, String)>,
}

/// The text is no list of settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no setting: write KEY=VALUE, several with commas: mode=ratio:1.5, mode=predictive, agents=25, \
     channels=60, calls_per_second=5, list=50000, roster=breaks, or any key of campaign.toml, such as limits.ring=20s"
)]
pub(crate) struct NotASetting(String);

impl FromStr for Settings {
    type Err = NotASetting;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |part: &str| NotASetting(part.to_owned());
        let mut changes = vec![];
        for part in parts(text) {
            let (key, value) = part.split_once('=').ok_or_else(|| wrong(part))?;
            let (key, value) = (key.trim(), value.trim());
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if key.is_empty() || value.is_empty() || !key.chars().all(plain) {
                return Err(wrong(part));
            }
            changes.push((key.to_owned(), value.to_owned()));
        }
        Ok(Self { text: text.trim().to_owned(), changes })
    }
}

impl Settings {
    /// The campaign and the scenario with these changes.
    pub(crate) fn apply(
        &self,
        campaign: &CampaignFile,
        scenario: &ScenarioFile,
    ) -> Result<(CampaignFile, ScenarioFile), Failure> {
        let mut scenario = scenario.clone();
        let mut file: toml::Table = campaign.text.parse()?;
        let mut changed = false;
        for (key, value) in &self.changes {
            if !change_scenario(&mut scenario, key, value)? {
                change_file(&mut file, key, value);
                changed = true;
            }
        }
        if !changed {
            return Ok((campaign.clone(), scenario));
        }
        let name = format!("campaign.toml with {}", self.text);
        let text = toml::to_string(&file)?;
        let campaign = parse_campaign(&name, &text, &campaign.base_dir).map_err(|problems| {
            // Lines of a text that nobody wrote say nothing.
            let told: Vec<String> = problems
                .0
                .iter()
                .map(|p| {
                    format!(
                        "with {}: found {}, expected {}; {}",
                        self.text, p.found, p.expected, p.advice
                    )
                })
                .collect();
            Failure::new(Exit::BadInput, anyhow!("{}", told.join("\n")))
        })?;
        Ok((campaign, scenario))
    }
}

/// Splits at commas that are not within brackets, braces or quotes.
fn parts(text: &str) -> Vec<&str> {
    let (mut depth, mut quoted, mut begin) = (0_i32, false, 0);
    let mut parts = vec![];
    for (at, letter) in text.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                parts.extend(text.get(begin..at));
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(begin..));
    parts
}

/// What is no part of the campaign's file. False: it is.
fn change_scenario(scenario: &mut ScenarioFile, key: &str, value: &str) -> Result<bool, Failure> {
    let count = |most: u32| {
        let read: Option<u32> = value.parse().ok().filter(|count| (1..=most).contains(count));
        read.ok_or_else(|| {
            let error = anyhow!("with {key}={value}: write a whole number from 1 to {most}");
            Failure::new(Exit::BadInput, error)
        })
    };
    match key {
        "agents" => scenario.agents = Some(count(2_000)?),
        "channels" => scenario.channels = Some(count(100_000)?),
        "lines" => scenario.lines = Some(count(100_000)?),
        "calls_per_second" => scenario.calls_per_second = Some(count(10_000)?),
        "list" => scenario.list = Some(count(2_000_000)?),
        "roster" => {
            scenario.roster = Some(match value {
                "steady" => Roster::Steady,
                "breaks" => Roster::Breaks,
                _ => {
                    let error = anyhow!("with {key}={value}: write steady or breaks");
                    return Err(Failure::new(Exit::BadInput, error));
                }
            });
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Writes a value into the file's tree; whether it is right is asked of the reader of campaigns.
fn change_file(file: &mut toml::Table, key: &str, value: &str) {
    if key == "mode" {
        let (word, ratio) = value.split_once(':').map_or((value, None), |(w, r)| (w, Some(r)));
        file.insert("dial_mode".to_owned(), toml::Value::String(word.to_owned()));
        file.remove("dial_ratio");
        if let Some(ratio) = ratio {
            file.insert("dial_ratio".to_owned(), typed(ratio));
        }
        return;
    }
    let mut table = file;
    let mut path = key.split('.').peekable();
    while let Some(part) = path.next() {
        if path.peek().is_none() {
            table.insert(part.to_owned(), typed(value));
            return;
        }
        let inner =
            table.entry(part.to_owned()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        if !inner.is_table() {
            *inner = toml::Value::Table(toml::Table::new());
        }
        let toml::Value::Table(next) = inner else { return };
        table = next;
    }
}

/// A value as TOML has it; what is none is text: `20s`, `predictive`.
fn typed(value: &str) -> toml::Value {
    let read: Result<toml::Table, _> = format!("value = {value}").parse();
    let read = read.ok().and_then(|mut table| table.remove("value"));
    read.unwrap_or_else(|| toml::Value::String(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::logic::settings::{DialMode, DialRatio};

    fn demo() -> CampaignFile {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns/demo");
        let text = std::fs::read_to_string(folder.join("campaign.toml")).unwrap();
        parse_campaign("campaign.toml", &text, &folder).unwrap()
    }

    fn applied(text: &str) -> (CampaignFile, ScenarioFile) {
        let settings: Settings = text.parse().unwrap();
        settings.apply(&demo(), &ScenarioFile::default()).unwrap()
    }

    #[test]
    fn keys_of_the_file_and_of_the_scenario_are_changed_and_nothing_else() {
        let (campaign, scenario) = applied("mode=ratio:1.8, agents=25,limits.talk=7m");
        let ratio = DialRatio::from_thousandths(1_800).unwrap();
        assert_eq!(campaign.settings.mode, DialMode::Ratio(ratio));
        assert_eq!(campaign.settings.limits.talk, Duration::from_secs(420));
        assert_eq!(scenario.agents, Some(25));
        let limits = |talk| crate::logic::settings::CallLimits { talk, ..campaign.settings.limits };
        assert_eq!(demo().settings.limits, limits(demo().settings.limits.talk));
        assert_eq!(applied("mode=predictive").0.settings.mode, DialMode::Predictive);
    }

    #[test]
    fn what_is_wrong_is_told_as_it_was_typed() {
        assert!("agents".parse::<Settings>().is_err());
        assert!("=3".parse::<Settings>().is_err());
        let fails = |text: &str| {
            let settings: Settings = text.parse().unwrap();
            let failure = settings.apply(&demo(), &ScenarioFile::default()).unwrap_err();
            assert_eq!(failure.exit, Exit::BadInput);
            failure.error.to_string()
        };
        assert!(
            fails("agents=0").contains("a whole number from 1 to 2000"),
            "{}",
            fails("agents=0")
        );
        let ring = fails("limits.ring=5");
        assert!(
            ring.contains("with limits.ring=5: found the number 5, expected a duration"),
            "{ring}"
        );
        assert!(
            fails("limits.rnig=5s").contains("unknown key `rnig`"),
            "{}",
            fails("limits.rnig=5s")
        );
    }

    #[test]
    fn a_list_is_one_value() {
        assert_eq!(parts("a=[1,2],b={x=1,y=2},c=\"q,r\",d=4").len(), 4);
    }
}
