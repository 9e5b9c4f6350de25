//! A scenario: what `outdial simulate` assumes of people, agents and the trunk. Every key: `docs/simulate.md`.
//!
//! Nothing in it is needed: what it does not say comes from the campaign's history, and where there is none from
//! defaults.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use crate::config::book::law::law;
use crate::config::file::Field;
use crate::config::file::Section;
use crate::config::file::read_text;
use crate::config::file::with_document;
use crate::config::hours::minute;
use crate::config::problem::Problems;
use crate::simulation::rehearsal::staff::Roster;
use crate::simulation::rehearsal::times::Times;

/// What a scenario says; the rest is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScenarioFile {
    /// The first day: `2026-11-24`.
    pub date: Option<String>,
    /// Begin of the shift in minutes since midnight.
    pub start: Option<u16>,
    /// Its length.
    pub length: Option<Duration>,
    /// How many days in a row.
    pub days: Option<u32>,
    /// A made-up list of this size.
    pub list: Option<u32>,
    /// How many agents.
    pub agents: Option<u32>,
    /// How they come and go.
    pub roster: Option<Roster>,
    /// INVITEs per second.
    pub calls_per_second: Option<u32>,
    /// Calls at once on the trunk.
    pub channels: Option<u32>,
    /// Calls at once of the whole installation.
    pub lines: Option<u32>,
    /// The carrier refuses everything from these minutes of the day on, for so long.
    pub outages: Vec<(u16, Duration)>,
    /// The people.
    pub people: PeopleFile,
}

/// What a scenario says of the people; see [`People`](crate::simulation::rehearsal::people::People).
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields of People, each of which may be absent")]
pub struct PeopleFile {
    pub answer: Option<Vec<(f64, f64)>>,
    pub by_call: Option<Vec<f64>>,
    pub machine: Option<f64>,
    pub busy: Option<f64>,
    pub dead: Option<f64>,
    pub post_dial: Option<Times>,
    pub ring: Option<Times>,
    pub patience: Option<Times>,
    pub talk: Option<Times>,
    pub wrap: Option<Times>,
    pub machine_talk: Option<Times>,
    pub machine_wrap: Option<Times>,
    pub message: Option<Duration>,
    pub message_cut: Option<f64>,
    pub message_key: Option<f64>,
    pub said: Option<Vec<(u32, String)>>,
    pub said_of_machine: Option<Vec<(u32, String)>>,
}

/// Reads and checks the scenario at `path`, for a campaign with these disposition codes.
///
/// # Errors
/// Everything that is wrong in it, each with line and column.
pub fn read_scenario(path: &Path, codes: &[&str]) -> Result<ScenarioFile, Problems> {
    let name = path.display().to_string();
    parse_scenario(&name, &read_text(path, &name)?, codes)
}

/// Checks the text of a scenario called `name`.
///
/// # Errors
/// As [`read_scenario`].
pub fn parse_scenario(name: &str, text: &str, codes: &[&str]) -> Result<ScenarioFile, Problems> {
    with_document(name, text, |root| check(root, codes))
}

fn check(root: &Section<'_>, codes: &[&str]) -> ScenarioFile {
    let mut scenario = ScenarioFile::default();
    if let Some(day) = root.get("day").and_then(|field| field.section()) {
        scenario.date = day.get("date").and_then(|field| date(&field));
        scenario.start = day.get("start").and_then(|field| clock(&field));
        scenario.length = day.get("length").and_then(|field| field.duration(QUARTER..=FULL_DAY));
        scenario.days = day.get("days").and_then(|field| field.whole(1..=31));
        day.finish();
    }
    if let Some(list) = root.get("list").and_then(|field| field.section()) {
        scenario.list = list.get("size").and_then(|field| field.whole(1..=2_000_000));
        list.finish();
    }
    if let Some(team) = root.get("team").and_then(|field| field.section()) {
        scenario.agents = team.get("agents").and_then(|field| field.whole(1..=2_000));
        let words = [("steady", false), ("breaks", true)];
        let breaks = team.get("roster").and_then(|field| field.choice(&words));
        scenario.roster = breaks.map(|breaks| if breaks { Roster::Breaks } else { Roster::Steady });
        team.finish();
    }
    if let Some(trunk) = root.get("trunk").and_then(|field| field.section()) {
        let count = |key, most| trunk.get(key).and_then(|field| field.whole(1..=most));
        scenario.calls_per_second = count("calls_per_second", 10_000);
        scenario.channels = count("channels", 100_000);
        scenario.lines = count("lines", 100_000);
        trunk.finish();
    }
    if let Some(field) = root.get("outage") {
        scenario.outages = field.sections().iter().filter_map(outage).collect();
    }
    if let Some(people) = root.get("people").and_then(|field| field.section()) {
        scenario.people = people_of(&people, codes);
        people.finish();
    }
    scenario
}

fn outage(section: &Section<'_>) -> Option<(u16, Duration)> {
    let from = section.need("from", "when it begins, such as \"10:30\"").and_then(|f| clock(&f));
    let lasts = section.need("lasts", "how long it lasts, such as \"5m\"");
    let lasts = lasts.and_then(|field| field.duration(Duration::from_secs(1)..=FULL_DAY));
    section.finish();
    Some((from?, lasts?))
}

fn people_of(section: &Section<'_>, codes: &[&str]) -> PeopleFile {
    let percent = |key| section.get(key).and_then(|field| share(&field));
    let times = |key| section.get(key).and_then(|field| law(&field)).map(Times::Law);
    let said = |key| section.get(key).map(|field| weights(&field, codes));
    let level = percent("answer").map(|share| vec![(0.0, share)]);
    let by_hour = section.get("answer_by_hour").map(|field| {
        if level.is_some() {
            field.unexpected("only one of `answer` and `answer_by_hour`", "take one out");
        }
        field.list(hour_and_share)
    });
    if let (Some(hours), Some(field)) = (&by_hour, section.get("answer_by_hour"))
        && !hours.is_sorted_by(|(one, _), (next, _)| one < next)
    {
        field.unexpected("hours in order, each once", "sort the pairs by their hour");
    }
    let (machine, busy, dead) = (percent("machine"), percent("busy"), percent("dead"));
    let highest =
        by_hour.iter().chain(&level).flatten().map(|(_, share)| *share).fold(0.0, f64::max);
    let sum = highest + [machine, busy, dead].into_iter().flatten().sum::<f64>();
    if sum > 1.0 + 1e-9
        && let Some(field) = ["answer", "answer_by_hour", "machine", "busy", "dead"]
            .into_iter()
            .find_map(|key| section.get(key))
    {
        let expected = "answer, machine, busy and dead of at most 100 together";
        field.unexpected(expected, "they are shares of all calls; the rest is not answered");
    }
    let (message_cut, message_key) = (percent("message_cut"), percent("message_key"));
    if let (Some(cut), Some(key)) = (message_cut, message_key)
        && cut + key > 1.0 + 1e-9
        && let Some(field) = section.get("message_key")
    {
        let expected = "message_cut and message_key of at most 100 together";
        field.unexpected(expected, "they are shares of the persons who answer");
    }
    PeopleFile {
        answer: level.or(by_hour),
        by_call: section.get("answer_by_call").map(|field| field.list(share)),
        machine,
        busy,
        dead,
        post_dial: times("post_dial"),
        ring: times("ring"),
        patience: times("patience"),
        talk: times("talk"),
        wrap: times("wrap"),
        machine_talk: times("machine_talk"),
        machine_wrap: times("machine_wrap"),
        message: section.get("message").and_then(|field| field.duration(MESSAGE)),
        message_cut,
        message_key,
        said: said("said"),
        said_of_machine: said("said_of_machine"),
    }
}

/// As long as a sound file may be.
const MESSAGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

/// `2026-11-24`.
fn date(field: &Field<'_>) -> Option<String> {
    let advice = "write year, month and day in quotes";
    field.parse("a date such as \"2026-11-24\"", advice, |text| {
        let date =
            crate::logic::compliance::local_time::moment("Etc/UTC", &format!("{text}T12:00"));
        (text.len() == 10 && date.is_ok()).then(|| text.to_owned())
    })
}

/// `09:30` in minutes since midnight.
fn clock(field: &Field<'_>) -> Option<u16> {
    let read = |text: &str| minute(text).filter(|minute| *minute < 24 * 60);
    field.parse("a time of day such as \"09:30\"", "write hours and minutes in quotes", read)
}

/// A percentage as a share.
fn share(field: &Field<'_>) -> Option<f64> {
    field.percent(100).map(|ppm| f64::from(ppm) / 1e6)
}

/// `[9, 20]`: an hour of the clock, and a percentage from there on, in a straight line to the next.
fn hour_and_share(field: &Field<'_>) -> Option<(f64, f64)> {
    let items = field.items()?;
    let [hour, percent] = items.as_slice() else {
        field.unexpected("an hour and a percentage, such as [9, 20]", "write two numbers");
        return None;
    };
    let expected = "an hour of the clock from 0 to 24, such as 9 or 9.5";
    let advice = "write it without quotes";
    let hour = hour.thousandths(expected, advice, |hour| (hour <= 24_000).then_some(hour))?;
    Some((f64::from(hour) / 1_000.0, share(percent)?))
}

/// `{ SALE = 10, REFUSED = 30 }`.
fn weights(field: &Field<'_>, codes: &[&str]) -> Vec<(u32, String)> {
    let Some(section) = field.section() else { return vec![] };
    let read = |field: Field<'_>| {
        if !codes.contains(&field.key()) {
            let expected = format!("one of {}", codes.join(", "));
            field.wrong_key(crate::config::file::Wrong::new(
                format!("`{}`", field.key()),
                expected,
                "use the codes of the campaign's dispositions",
            ));
            return None;
        }
        Some((field.whole(0..=1_000_000)?, field.key().to_owned()))
    };
    section.entries().filter_map(read).collect()
}

const QUARTER: Duration = Duration::from_secs(900);
const FULL_DAY: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::dice::Law;

    const WHOLE: &str = r#"
[day]
date = "2026-11-24"
start = "09:30"
length = "8h"
days = 2
[list]
size = 20000
[team]
agents = 20
roster = "breaks"
[trunk]
calls_per_second = 20
channels = 200
lines = 250
[[outage]]
from = "10:30"
lasts = "5m"
[people]
answer_by_hour = [[9, 20], [12.5, 15], [18, 35]]
answer_by_call = [100, 80]
machine = 10
busy = 5
dead = 8
talk = { law = "lognormal", mean = "150s", spread = 1.0 }
wrap = "10s-30s"
said = { SALE = 10, REFUSED = 30 }
"#;

    #[test]
    fn every_key_is_read() {
        let read = parse_scenario("day.toml", WHOLE, &["SALE", "REFUSED"]).unwrap();
        assert_eq!((read.start, read.days, read.agents), (Some(570), Some(2), Some(20)));
        assert_eq!(read.outages, [(630, Duration::from_secs(300))]);
        assert_eq!(read.people.answer, Some(vec![(9.0, 0.2), (12.5, 0.15), (18.0, 0.35)]));
        assert_eq!(read.people.wrap, Some(Times::Law(Law::between(10_000, 30_000))));
        assert_eq!(
            read.people.said,
            Some(vec![(30, "REFUSED".to_owned()), (10, "SALE".to_owned())])
        );
        assert_eq!(read.people.ring, None);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, fault) in [
            ("[people]\nanswr = 3\n", "s:2:1: found the unknown key `answr`, expected `answer`"),
            (
                "[people]\nanswer = 80\nbusy = 30\n",
                "s:2:10: found the number 80, expected answer, machine",
            ),
            ("[people]\nsaid = { SOLD = 1 }\n", "s:2:10: found `SOLD`, expected one of SALE"),
            ("[day]\ndate = \"24.11.2026\"\n", "s:2:8: found \"24.11.2026\", expected a date"),
            ("[day]\nlength = \"1m\"\n", "s:2:10: found \"1m\", expected a duration from"),
            (
                "[people]\nanswer_by_hour = [[12, 5], [9, 5]]\n",
                "s:2:18: found a list, expected hours in order",
            ),
            ("[people]\ntalk = 150\n", "s:2:8: found the number 150, expected a section"),
        ] {
            let problems = parse_scenario("s", text, &["SALE"]).unwrap_err().to_string();
            assert!(problems.starts_with(fault), "{problems}");
        }
    }
}
