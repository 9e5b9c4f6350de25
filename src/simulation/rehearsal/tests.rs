//! Days whose figures arithmetic knows.

use std::time::Duration;

use super::figures::Figure;
use super::list::List;
use super::people::People;
use super::record::Record;
use super::staff::Roster;
use super::times::Times;
use super::{Rehearsal, WorkDay};
use crate::logic::dialer::LearnedBefore;
use crate::logic::ids::ClassId;
use crate::logic::outcome::Outcome;
use crate::logic::settings::{
    AgentSettings, AutoAnswer, Calendar, CallingHours, CampaignSettings, DialMode, DialRatio,
    Recording, RetryRule, TimeRange, TrunkSettings, Weekly, test_campaign,
};
use crate::logic::time::UtcMs;

/// 2026-11-24, 09:00 in Tokyo.
const NINE: UtcMs = UtcMs(1_795_478_400_000);

/// Everybody answers 6 s after the INVITE and talks for a minute; nothing is to be done after a talk.
fn willing() -> People {
    People {
        answer: vec![(0.0, 1.0)],
        busy: 0.0,
        dead: 0.0,
        post_dial: Times::fixed(1_000),
        ring: Times::fixed(5_000),
        talk: Times::fixed(60_000),
        wrap: Times::fixed(0),
        said: vec![(1, "SALE".to_owned())],
        ..People::default()
    }
}

fn rehearsal(agents: usize, hours: u64, leads: u32, people: People) -> Rehearsal {
    let agent = |n: usize| AgentSettings {
        name: format!("agent-{n:03}"),
        uri: String::new(),
        peer: "127.0.0.1:5060".parse().unwrap(),
        skills: vec![],
        languages: vec![],
        auto_answer: AutoAnswer::Off,
        nat: false,
    };
    Rehearsal {
        campaign: CampaignSettings { wrap_up: Duration::from_secs(300), ..test_campaign() },
        first_run: NINE,
        learned: LearnedBefore::default(),
        classes: vec![(ClassId(1), "zones=Asia/Tokyo".to_owned())],
        trunk: TrunkSettings {
            calls_per_second: 100,
            channels: 1_000,
            ..TrunkSettings::simulated("carrier", vec![])
        },
        lines: 1_000,
        agents: (1..=agents).map(agent).collect(),
        roster: Roster::Steady,
        people,
        outages: vec![],
        list: List::MadeUp { size: leads, prefix: "81".to_owned(), class: ClassId(1) },
        booked: vec![],
        days: vec![WorkDay {
            starts: NINE,
            minute: 540,
            length: Duration::from_secs(hours * 3_600),
        }],
    }
}

fn of(figure: Figure, record: &Record) -> f64 {
    figure.of(record).unwrap()
}

#[test]
fn a_day_on_which_everybody_answers_has_the_occupancy_of_arithmetic() {
    let record = rehearsal(3, 6, 2_000, willing()).run(1);
    // 60 s of talk after 6 s of ringing and some milliseconds of database and turn.
    let occupancy = of(Figure::Occupancy, &record);
    assert!((occupancy - 100.0 * 60.0 / 66.0).abs() < 0.3, "{occupancy}");
    assert_eq!(record.ledger.abandoned, 0);
    assert_eq!(record.refusals, 0);
    assert_eq!(record.breaches, []);
    assert!((of(Figure::IdleMean, &record) - 6.0).abs() < 0.1);
    assert!((of(Figure::Talks, &record) - 3.0 * 21_600.0 / 66.0).abs() < 4.0);
    assert_eq!(record.said.values().sum::<u64>(), record.outcomes[&Outcome::Connected]);
    assert_eq!(record.lines_peak, 3);
}

#[test]
fn a_list_ends_when_everybody_has_been_called() {
    let mut short = rehearsal(2, 2, 100, willing());
    short.campaign.default_retry = RetryRule { delay: Duration::ZERO, max: 0 };
    let record = short.run(1);
    // Fifty talks in a row for each of the two.
    let end = of(Figure::ListEnd, &record) * 3_600.0;
    assert!((end - 50.0 * 66.0).abs() < 20.0, "{end}");
    assert_eq!(record.left.done, 100);
    assert_eq!(of(Figure::Dials, &record), 100.0);
}

#[test]
fn nobody_is_called_after_hours_and_the_next_morning_goes_on() {
    let mut late = rehearsal(5, 4, 5_000, willing());
    late.campaign.hours = CallingHours::Weekly(Weekly {
        default_zones: vec!["Asia/Tokyo".to_owned()],
        days: std::array::from_fn(|_| vec![TimeRange { start: 570, end: 660 }]),
        holidays: None,
        calendar: Calendar::default(),
    });
    late.days.push(WorkDay { starts: NINE + Duration::from_secs(86_400), ..late.days[0] });
    let record = late.run(1);
    assert_eq!(record.breaches, []);
    let dials = |day, from, until| {
        let steps = record.steps.iter().filter(|step| step.day == day);
        steps.filter(|s| (from..until).contains(&s.minute)).map(|s| s.dials).sum::<u32>()
    };
    for day in [0, 1] {
        assert_eq!(dials(day, 0, 570), 0, "before 9:30");
        assert!(dials(day, 570, 660) > 300, "{}", dials(day, 570, 660));
        assert_eq!(dials(day, 660, 1_440), 0, "after 11:00");
    }
}

#[test]
fn the_same_seed_is_the_same_day_and_another_seed_is_another() {
    let mut day = rehearsal(10, 2, 5_000, People::default());
    day.roster = Roster::Breaks;
    day.campaign.mode = DialMode::Ratio(DialRatio::from_thousandths(2_000).unwrap());
    assert_eq!(day.run(7), day.run(7));
    assert_ne!(day.run(7).steps, day.run(8).steps);
}

#[test]
fn more_lines_than_agents_lose_people_and_never_more_than_the_cap_allows() {
    let people = People { said: vec![(1, "SALE".to_owned())], ..People::default() };
    let mut day = rehearsal(20, 3, 10_000, people);
    day.campaign.mode = DialMode::Ratio(DialRatio::from_thousandths(4_000).unwrap());
    day.campaign.abandon.cap_ppm = 30_000;
    let record = day.run(3);
    assert_eq!(record.breaches, []);
    assert!(record.ledger.abandoned > 3, "{:?}", record.ledger);
    let rate = of(Figure::AbandonRate, &record);
    assert!(rate > 0.5 && rate <= 3.0, "{rate}");
    let lost: u32 = record.steps.iter().map(|step| step.lost).sum();
    assert_eq!(i64::from(lost), record.ledger.abandoned, "the world and the ledger count the same");
    // One line per agent keeps 68 % of the time (docs of `outdial pace`); what credit adds is on top.
    day.campaign.mode = DialMode::Progressive;
    let alone = day.run(3);
    assert_eq!(alone.ledger.abandoned, 0);
    assert!(
        (of(Figure::Occupancy, &alone) - 68.0).abs() < 2.0,
        "{}",
        of(Figure::Occupancy, &alone)
    );
    assert!(of(Figure::Occupancy, &record) > of(Figure::Occupancy, &alone) + 3.0);
}

#[test]
fn a_message_reaches_the_list_without_agents_and_costs_no_credit() {
    let mut day = rehearsal(1, 2, 2_000, willing());
    day.campaign.mode = DialMode::Agentless;
    let file = |path: &str| [("ja".to_owned(), path.to_owned())].into();
    day.campaign.recording = Some(Recording {
        basis: String::new(),
        files: file("message"),
        removed: file("removed"),
        thanks: [].into(),
        keys: [('1', "SALE".to_owned()), ('9', "REFUSED".to_owned())].into(),
        repeat: 0,
        wait: Duration::from_secs(5),
        wrong_keys: 3,
        lines: None,
    });
    let record = day.run(1);
    assert_eq!(record.breaches, []);
    assert!(record.outcomes[&Outcome::MessagePlayed] > 300, "{:?}", record.outcomes);
    assert!(record.outcomes[&Outcome::MessageCut] > 100, "{:?}", record.outcomes);
    assert!(!record.outcomes.contains_key(&Outcome::Connected));
    assert_eq!((record.ledger.answered, record.ledger.abandoned), (0, 0));
    assert!(record.left.blocked >= 10, "{:?}", record.left);
}

#[test]
fn a_carrier_that_refuses_everything_is_felt() {
    let mut day = rehearsal(5, 1, 2_000, willing());
    day.outages = vec![(600_000, 1_200_000)];
    let record = day.run(1);
    assert!(record.outcomes[&Outcome::Congestion] > 10);
    let talks: Vec<u32> = record.steps.iter().map(|step| step.talks).collect();
    assert_eq!(talks[3], 0, "{talks:?}");
    assert!(talks[5] > 10, "{talks:?}");
}
