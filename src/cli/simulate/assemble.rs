//! What is rehearsed: the campaign's file, and for all else the scenario, the history, the installation, or a default,
//! in this order. Where each part comes from is told.

use std::time::Duration;

use anyhow::anyhow;

use crate::cli::exit::{Exit, Failure};
use crate::cli::simulate::history::History;
use crate::config::{CampaignFile, OutdialFile, PeopleFile, ScenarioFile};
use crate::logic::compliance::Verdict;
use crate::logic::compliance::calling_class::{CallingClass, ClassHours};
use crate::logic::compliance::local_time;
use crate::logic::dialer::home_zone;
use crate::logic::ids::ClassId;
use crate::logic::settings::{
    AgentSettings, AutoAnswer, CampaignSettings, Disposition, DispositionEffect, TrunkSettings,
};
use crate::logic::time::UtcMs;
use crate::simulation::rehearsal::fit::Fit;
use crate::simulation::rehearsal::list::List;
use crate::simulation::rehearsal::people::People;
use crate::simulation::rehearsal::staff::{Presence, Roster};
use crate::simulation::rehearsal::times::Times;
use crate::simulation::rehearsal::{Rehearsal, WorkDay};

/// What a rehearsal is made of.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) campaign: &'a CampaignFile,
    /// Where this machine has one.
    pub(crate) site: Option<&'a OutdialFile>,
    pub(crate) scenario: &'a ScenarioFile,
    /// Where the database knows the campaign.
    pub(crate) history: Option<&'a History>,
    pub(crate) now: UtcMs,
}

/// One part of it, what it is, and whence.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) part: Part,
    pub(crate) value: Value,
    pub(crate) from: Source,
}

/// The parts that are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    List,
    /// The list is cut: so many more leads stay out.
    ListCut,
    Agents,
    Roster,
    Rate,
    Channels,
    Answer,
    ByCall,
    Machine,
    Busy,
    Dead,
    PostDial,
    Ring,
    Patience,
    Talk,
    Wrap,
    Said,
    TestOnly,
}

/// What a part is, in figures.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Count(u64),
    /// In %; from the least to the most where these differ.
    Percent(f64, f64),
    /// The mean in seconds.
    Mean(f64),
    /// Nothing to show in a line.
    Plain,
}

/// Whence a part comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Scenario,
    /// From so many calls, shifts, ... of the campaign.
    History(u64),
    /// `outdial.toml`.
    Site,
    /// As it is now.
    Database,
    Default,
    /// The file says otherwise; a rehearsal calls nobody.
    Lifted,
}

/// Puts a rehearsal together.
pub(crate) fn assemble(parts: &Parts<'_>) -> Result<(Rehearsal, Vec<Told>), Failure> {
    let mut told = vec![];
    let mut campaign = parts.campaign.settings.clone();
    if !campaign.test_only.is_empty() {
        let numbers = count(campaign.test_only.len());
        told.push(Told {
            part: Part::TestOnly,
            value: Value::Count(numbers),
            from: Source::Lifted,
        });
        campaign.test_only.clear();
    }
    let agents = agents(parts, &campaign, &mut told);
    let trunk = trunk(parts, &campaign, agents.len(), &mut told);
    campaign.trunk = Some(trunk.name.clone());
    let lines = parts
        .scenario
        .lines
        .or_else(|| parts.site.map(|site| site.lines))
        .unwrap_or(trunk.channels);
    let mut classes = vec![(ClassId(1), CallingClass::default().to_string())];
    let list = list(parts, &campaign, &mut told);
    if let (List::Read(_), Some(history)) = (&list, parts.history) {
        classes.clone_from(&history.classes);
    }
    let days = days(parts, &campaign, &classes)?;
    let people = people(parts, &campaign, &mut told);
    let (roster, from) = match (&parts.scenario.roster, parts.history) {
        (Some(roster), _) => (roster.clone(), Source::Scenario),
        (None, Some(history)) if !history.shifts.is_empty() => {
            let shifts = count(history.shifts.iter().map(Vec::len).sum());
            (seen_roster(&history.shifts, days.first()), Source::History(shifts))
        }
        (None, _) => (Roster::Steady, Source::Default),
    };
    told.push(Told { part: Part::Roster, value: Value::Plain, from });
    let begin = days.first().copied();
    let outages = outages(parts, begin);
    let rehearsal = Rehearsal {
        first_run: parts
            .history
            .map(|history| history.first_run)
            .filter(|at| at.0 > 0)
            .unwrap_or_else(|| begin.map_or(parts.now, |day| day.starts)),
        learned: parts.history.map(|history| history.learned.clone()).unwrap_or_default(),
        booked: parts.history.map(|history| history.booked.clone()).unwrap_or_default(),
        campaign,
        classes,
        trunk,
        lines,
        agents,
        roster,
        people,
        outages,
        list,
        days,
    };
    Ok((rehearsal, told))
}

/// The list: made up where the scenario says so or the database has none.
fn list(parts: &Parts<'_>, campaign: &CampaignSettings, told: &mut Vec<Told>) -> List {
    let mut tell = |part, count: u64, from| {
        told.push(Told { part, value: Value::Count(count), from });
    };
    let prefix = campaign.countries.first().cloned().unwrap_or_default();
    let made_up = |size| List::MadeUp { size, prefix, class: ClassId(1) };
    match (parts.scenario.list, parts.history) {
        (Some(size), _) => {
            tell(Part::List, u64::from(size), Source::Scenario);
            made_up(size)
        }
        (None, Some(history)) if !history.list.is_empty() => {
            tell(Part::List, count(history.list.len()), Source::Database);
            if history.beyond > 0 {
                tell(Part::ListCut, history.beyond, Source::Database);
            }
            List::Read(std::sync::Arc::clone(&history.list))
        }
        (None, _) => {
            tell(Part::List, u64::from(DEFAULT_LIST), Source::Default);
            made_up(DEFAULT_LIST)
        }
    }
}

/// Shifts by the clock as shifts since the begin of the day of work.
fn seen_roster(shifts: &[Vec<Presence>], day: Option<&WorkDay>) -> Roster {
    let begin = day.map_or(0, |day| u64::from(day.minute) * 60_000);
    let since = |presence: &Presence| Presence {
        from: presence.from.saturating_sub(begin),
        rests: presence
            .rests
            .iter()
            .filter(|(from, _)| *from >= begin)
            .map(|(from, long)| (from - begin, *long))
            .collect(),
        until: presence.until.saturating_sub(begin),
    };
    Roster::Seen {
        team: shifts.iter().map(Vec::len).max().unwrap_or(0),
        days: shifts.iter().map(|day| day.iter().map(since).collect()).collect(),
    }
}

fn agents(
    parts: &Parts<'_>,
    campaign: &CampaignSettings,
    told: &mut Vec<Told>,
) -> Vec<AgentSettings> {
    let made_up = |n: u32| AgentSettings {
        name: format!("agent-{n:04}"),
        uri: String::new(),
        peer: NOWHERE,
        skills: campaign.skills.clone(),
        languages: vec![],
        auto_answer: AutoAnswer::Off,
        nat: false,
    };
    let known: Vec<AgentSettings> = parts
        .site
        .into_iter()
        .flat_map(|site| &site.agents)
        .map(|agent| agent.with_peer(NOWHERE))
        .filter(|agent| campaign.skills.iter().all(|skill| agent.skills.contains(skill)))
        .collect();
    let team = parts.history.and_then(|history| history.shifts.iter().map(Vec::len).max());
    let team = team.and_then(|team| u32::try_from(team).ok()).filter(|team| *team > 0);
    let (agents, from) = match parts.scenario.agents {
        Some(count) => ((1..=count).map(made_up).collect(), Source::Scenario),
        None if let Some(team) = team => {
            let days = parts.history.map_or(0, |history| history.shifts.len());
            ((1..=team).map(made_up).collect(), Source::History(count(days)))
        }
        None if known.is_empty() => ((1..=DEFAULT_AGENTS).map(made_up).collect(), Source::Default),
        None => (known, Source::Site),
    };
    told.push(Told { part: Part::Agents, value: Value::Count(count(agents.len())), from });
    agents
}

fn trunk(
    parts: &Parts<'_>,
    campaign: &CampaignSettings,
    agents: usize,
    told: &mut Vec<Told>,
) -> TrunkSettings {
    let known = parts.site.and_then(|site| {
        let trunks = site.trunks.iter().map(|trunk| trunk.without_peers());
        let mut fitting = trunks.filter(|trunk| match &campaign.trunk {
            Some(name) => trunk.name == *name,
            None => trunk.simulated == campaign.simulated_only,
        });
        fitting.next().cloned()
    });
    let team = u32::try_from(agents).unwrap_or(u32::MAX);
    let site = if known.is_some() { Source::Site } else { Source::Default };
    let mut trunk = known.unwrap_or_else(|| TrunkSettings {
        calls_per_second: team.max(10),
        channels: team.saturating_mul(LINES_PER_AGENT).max(50),
        ..TrunkSettings::simulated("trunk", vec![])
    });
    // It is not real: it may be called by a campaign that calls nobody.
    trunk.simulated = true;
    let mut tell = |part, own: Option<u32>, value: &mut u32| {
        *value = own.unwrap_or(*value);
        let from = if own.is_some() { Source::Scenario } else { site };
        told.push(Told { part, value: Value::Count(u64::from(*value)), from });
    };
    tell(Part::Rate, parts.scenario.calls_per_second, &mut trunk.calls_per_second);
    tell(Part::Channels, parts.scenario.channels, &mut trunk.channels);
    trunk
}

/// The days of work: as the scenario says, else the next day on which somebody may be called.
fn days(
    parts: &Parts<'_>,
    campaign: &CampaignSettings,
    classes: &[(ClassId, String)],
) -> Result<Vec<WorkDay>, Failure> {
    let zone = home_zone(campaign);
    let mut hours = ClassHours::new(campaign.hours.clone());
    for (class, descriptor) in classes {
        hours.learn(*class, descriptor);
    }
    let ring = campaign.limits.ring;
    let is_open = |at: UtcMs| {
        classes.iter().any(|(class, _)| hours.verdict(*class, at, ring) == Verdict::Allow)
    };
    let length = parts.scenario.length.unwrap_or(WORKING_DAY);
    let mut date = match &parts.scenario.date {
        Some(date) => date.clone(),
        None => {
            local_time::next_day(zone, parts.now).map_or_else(String::new, |at| day_of(zone, at))
        }
    };
    let mut days = vec![];
    for _ in 0..LOOK_AHEAD_DAYS {
        let moment = |minute: u16| {
            let text = format!("{date}T{:02}:{:02}", minute / 60, minute % 60);
            local_time::moment(zone, &text)
        };
        let Ok(noon) = moment(720) else { break };
        let named = parts.scenario.start;
        let opening =
            (0..288).map(|five| five * 5).find(|minute| moment(*minute).is_ok_and(is_open));
        // A day that is named is rehearsed even if nobody may be called on it.
        let asked = days.is_empty() && parts.scenario.date.is_some();
        let minute = match (named, opening) {
            (Some(start), opening) if opening.is_some() || asked => Some(start),
            (Some(_) | None, None) => asked.then_some(540),
            (None | Some(_), Some(opening)) => Some(opening),
        };
        if let Some(minute) = minute
            && let Ok(starts) = moment(minute)
        {
            days.push(WorkDay { starts, minute: u32::from(minute), length });
        }
        if days.len() >= usize::try_from(parts.scenario.days.unwrap_or(1)).unwrap_or(1) {
            return Ok(days);
        }
        let Some(next) = local_time::next_day(zone, noon) else { break };
        date = day_of(zone, next);
    }
    if days.is_empty() {
        let error = anyhow!(
            "campaign {} may call nobody within the next {LOOK_AHEAD_DAYS} days: look at its [hours], or name a `date` in the \
             scenario's [day]",
            campaign.name
        );
        return Err(Failure::new(Exit::BadInput, error));
    }
    Ok(days)
}

fn day_of(zone: &str, at: UtcMs) -> String {
    local_time::shown(zone, at).chars().take(10).collect()
}

/// The carrier's outages, since the begin of the shift.
fn outages(parts: &Parts<'_>, begin: Option<WorkDay>) -> Vec<(u64, u64)> {
    let begin = begin.map_or(0, |day| u64::from(day.minute) * 60_000);
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let outages = parts.scenario.outages.iter().map(|(from, lasts)| {
        let from = u64::from(*from) * 60_000;
        (from.saturating_sub(begin), (from + millis(*lasts)).saturating_sub(begin))
    });
    outages.filter(|(from, until)| from < until).collect()
}

fn people(parts: &Parts<'_>, campaign: &CampaignSettings, told: &mut Vec<Told>) -> People {
    let PeopleFile {
        answer,
        by_call,
        machine,
        busy,
        dead,
        post_dial,
        ring,
        patience,
        talk,
        wrap,
        machine_talk,
        machine_wrap,
        message,
        message_cut,
        message_key,
        said,
        said_of_machine,
    } = parts.scenario.people.clone();
    let usual = People {
        said: usual_words(&campaign.dispositions, false),
        said_of_machine: usual_words(&campaign.dispositions, true),
        ..People::default()
    };
    let fitted = parts.history.map(|history| history.people.clone()).unwrap_or_default();
    let mut layers = Layers { told };
    let span = |shares: &Vec<(f64, f64)>| {
        let shares = shares.iter().map(|(_, share)| 100.0 * share);
        let least = shares.clone().fold(f64::INFINITY, f64::min);
        Value::Percent(least, shares.fold(0.0, f64::max))
    };
    let one = |share: &f64| Value::Percent(100.0 * share, 100.0 * share);
    let mean = |times: &Times| Value::Mean(times.mean());
    let plain = |_: &Vec<f64>| Value::Plain;
    People {
        answer: layers.pick(Part::Answer, answer, fitted.answer, usual.answer, span),
        by_call: layers.pick(Part::ByCall, by_call, fitted.by_call, usual.by_call, plain),
        machine: layers.pick(Part::Machine, machine, fitted.machine, usual.machine, one),
        busy: layers.pick(Part::Busy, busy, fitted.busy, usual.busy, one),
        dead: layers.pick(Part::Dead, dead, fitted.dead, usual.dead, one),
        post_dial: layers.pick(Part::PostDial, post_dial, fitted.post_dial, usual.post_dial, mean),
        ring: layers.pick(Part::Ring, ring, fitted.ring, usual.ring, mean),
        patience: layers.pick(Part::Patience, patience, None, usual.patience, mean),
        talk: layers.pick(Part::Talk, talk, fitted.talk, usual.talk, mean),
        wrap: layers.pick(Part::Wrap, wrap, fitted.wrap, usual.wrap, mean),
        said: layers.pick(Part::Said, said, fitted.said, usual.said, |_| Value::Plain),
        machine_talk: machine_talk
            .or_else(|| fitted.machine_talk.map(|fit| fit.value))
            .unwrap_or(usual.machine_talk),
        machine_wrap: machine_wrap.unwrap_or(usual.machine_wrap),
        message: message.unwrap_or(usual.message),
        message_cut: message_cut.unwrap_or(usual.message_cut),
        message_key: message_key.unwrap_or(usual.message_key),
        said_of_machine: said_of_machine
            .or_else(|| fitted.said_of_machine.map(|fit| fit.value))
            .unwrap_or(usual.said_of_machine),
    }
}

struct Layers<'a> {
    told: &'a mut Vec<Told>,
}

impl Layers<'_> {
    /// The scenario's part, else the one from history, else the default.
    fn pick<T>(
        &mut self,
        part: Part,
        own: Option<T>,
        fitted: Option<Fit<T>>,
        usual: T,
        show: impl Fn(&T) -> Value,
    ) -> T {
        let (picked, from) = match (own, fitted) {
            (Some(own), _) => (own, Source::Scenario),
            (None, Some(fit)) => (fit.value, Source::History(fit.from)),
            (None, None) => (usual, Source::Default),
        };
        self.told.push(Told { part, value: show(&picked), from });
        picked
    }
}

/// What agents usually say, by what it does: made up, until there is a history.
fn usual_words(dispositions: &[Disposition], of_machine: bool) -> Vec<(u32, String)> {
    let fitting = |disposition: &&Disposition| (disposition.live == Some(false)) == of_machine;
    let weight = |effect: DispositionEffect| match effect {
        DispositionEffect::Success => 10,
        DispositionEffect::Final => 40,
        DispositionEffect::Refusal => 10,
        DispositionEffect::Retry { .. } => 20,
        DispositionEffect::Callback { .. } => 8,
        DispositionEffect::WrongNumber => 2,
    };
    let words = dispositions.iter().filter(fitting);
    words.map(|disposition| (weight(disposition.effect), disposition.code.clone())).collect()
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Nobody is called there.
const NOWHERE: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);
const DEFAULT_AGENTS: u32 = 20;
const DEFAULT_LIST: u32 = 20_000;
/// Where the trunk is made up, it is no limit.
const LINES_PER_AGENT: u32 = 20;
const WORKING_DAY: Duration = Duration::from_secs(8 * 3_600);
const LOOK_AHEAD_DAYS: u32 = 60;
