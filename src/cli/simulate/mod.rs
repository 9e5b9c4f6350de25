//! `outdial simulate CAMPAIGN`: a campaign rehearsed before it is dialed, by the very dialer. Nobody is called.

mod assemble;
mod chart;
mod csv;
mod history;
mod json;
mod page;
mod pairs;
mod seeds;
mod setting;
mod steps;
mod summary;
mod words;

use std::path::Path;

use anyhow::Context;

pub(crate) use json::pair as pair_json;
pub(crate) use pairs::Pair;
pub(crate) use setting::Settings;

use crate::cli::args::{Args, RehearsalArgs, SimulateArgs};
use crate::cli::exit::{Exit, Failure, OrExit};
use crate::cli::output::say;
use crate::cli::setup;
use crate::cli::simulate::assemble::{Parts, Told, assemble};
use crate::cli::simulate::history::History;
use crate::cli::text::{Lang, either};
use crate::config::{CampaignFile, OutdialFile, ScenarioFile, read_scenario};
use crate::logic::compliance::local_time;
use crate::logic::dialer::home_zone;
use crate::logic::settings::DialMode;
use crate::logic::time::UtcMs;
use crate::runtime::clock::Clock;
use crate::simulation::rehearsal::Rehearsal;
use crate::simulation::rehearsal::figures::Figure;
use crate::simulation::rehearsal::record::{Record, share};
use crate::simulation::rehearsal::sure::Sure;

/// Rehearses and prints.
pub(crate) fn run(args: &Args, wanted: &SimulateArgs) -> Result<Exit, Failure> {
    let campaign = setup::campaign_file(&args.config, &wanted.campaign)?;
    let rehearsed = &wanted.rehearsal;
    let ground = Ground::of(args, rehearsed, &campaign)?;
    let Some(compared) = &wanted.compare else {
        let (rehearsal, told) = ground.assemble(&campaign, &ground.scenario)?;
        let records = seeds::run_all(&[&rehearsal], &ground.seeds).pop().unwrap_or_default();
        let outlook = Outlook { rehearsal, told, records };
        if rehearsed.json {
            say!("{}", serde_json::to_string_pretty(&json::outlook(&outlook))?);
        } else {
            say!("{}", summary::text(&outlook, args.lang).trim_end());
        }
        if let Some(folder) = &rehearsed.out {
            write_all(folder, &outlook, args.lang)?;
        }
        return Ok(outlook.exit());
    };
    // One setting is set against the file as it is.
    let (one, other) = match &wanted.with {
        Some(with) => (Some(compared), with),
        None => (None, compared),
    };
    let as_it_is = either(args.lang, "as it is", "現在の設定");
    let named = |settings: Option<&Settings>| {
        let changed = settings.map(|settings| settings.apply(&campaign, &ground.scenario));
        let changed = changed.unwrap_or_else(|| Ok((campaign.clone(), ground.scenario.clone())))?;
        let name = settings.map_or(as_it_is, |settings| &settings.text).to_owned();
        Ok::<_, Failure>((name, changed))
    };
    let (one, other) = (named(one)?, named(Some(other))?);
    let pair = compare(&ground, [one, other])?;
    if rehearsed.json {
        say!("{}", serde_json::to_string_pretty(&json::pair(&pair))?);
    }
    tell(args, rehearsed, &pair)
}

/// Rehearses two files of one campaign on the same ground.
pub(crate) fn compare_files(
    args: &Args,
    wanted: &RehearsalArgs,
    [one, other]: [(String, &CampaignFile); 2],
) -> Result<Pair, Failure> {
    let ground = Ground::of(args, wanted, other.1)?;
    let with =
        |(name, file): (String, &CampaignFile)| (name, (file.clone(), ground.scenario.clone()));
    compare(&ground, [with(one), with(other)])
}

fn compare(
    ground: &Ground,
    [one, other]: [(String, (CampaignFile, ScenarioFile)); 2],
) -> Result<Pair, Failure> {
    let (one_made, one_told) = ground.assemble(&one.1.0, &one.1.1)?;
    let (other_made, other_told) = ground.assemble(&other.1.0, &other.1.1)?;
    let mut records = seeds::run_all(&[&one_made, &other_made], &ground.seeds);
    let (other_records, one_records) = (records.pop(), records.pop());
    Ok(Pair {
        one_name: one.0,
        one: Outlook {
            rehearsal: one_made,
            told: one_told,
            records: one_records.unwrap_or_default(),
        },
        other_name: other.0,
        other: Outlook {
            rehearsal: other_made,
            told: other_told,
            records: other_records.unwrap_or_default(),
        },
    })
}

/// Prints a comparison, unless it is for a program and printed already, and writes its files.
pub(crate) fn tell(args: &Args, wanted: &RehearsalArgs, pair: &Pair) -> Result<Exit, Failure> {
    if !wanted.json {
        say!("{}", pair.text(args.lang).trim_end());
    }
    if let Some(folder) = &wanted.out {
        write_all(&folder.join("a"), &pair.one, args.lang)?;
        write_all(&folder.join("b"), &pair.other, args.lang)?;
        let files = [("index.html", pair.html(args.lang)), ("compare.csv", csv::compared(pair)?)];
        write_files(folder, &files)?;
    }
    Ok(if pair.one.exit() == Exit::Ok { pair.other.exit() } else { Exit::Failed })
}

/// What every rehearsal of one command stands on.
#[derive(Debug)]
struct Ground {
    site: Option<OutdialFile>,
    scenario: ScenarioFile,
    history: Option<History>,
    now: UtcMs,
    seeds: Vec<u64>,
}

impl Ground {
    fn of(args: &Args, wanted: &RehearsalArgs, campaign: &CampaignFile) -> Result<Self, Failure> {
        let site = args.config.exists().then(|| setup::outdial_file(&args.config)).transpose()?;
        let now = Clock::utc();
        let history = match &site {
            Some(site) => history::read(site, campaign, now)?,
            None => None,
        };
        Ok(Self {
            site,
            scenario: scenario(wanted.scenario.as_deref(), campaign)?,
            history,
            now,
            seeds: (wanted.seed..).take(wanted.seeds.into()).collect(),
        })
    }

    fn assemble(
        &self,
        campaign: &CampaignFile,
        scenario: &ScenarioFile,
    ) -> Result<(Rehearsal, Vec<Told>), Failure> {
        assemble(&Parts {
            campaign,
            site: self.site.as_ref(),
            scenario,
            history: self.history.as_ref(),
            now: self.now,
        })
    }
}

/// The page, and the figures for a spreadsheet.
fn write_all(folder: &Path, outlook: &Outlook, lang: Lang) -> Result<(), Failure> {
    let files = [
        ("index.html", page::html(outlook, lang)),
        ("figures.csv", csv::figures(outlook)?),
        ("seeds.csv", csv::seeds(outlook)?),
        ("steps.csv", csv::steps(outlook)?),
    ];
    write_files(folder, &files)
}

fn write_files(folder: &Path, files: &[(&str, String)]) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn scenario(path: Option<&Path>, campaign: &CampaignFile) -> Result<ScenarioFile, Failure> {
    let Some(path) = path else { return Ok(ScenarioFile::default()) };
    let codes: Vec<&str> =
        campaign.settings.dispositions.iter().map(|one| one.code.as_str()).collect();
    read_scenario(path, &codes).or_exit(Exit::BadInput)
}

/// What came of a rehearsal in all seeds.
#[derive(Debug)]
pub(crate) struct Outlook {
    pub(crate) rehearsal: Rehearsal,
    pub(crate) told: Vec<Told>,
    /// By seed, in order.
    pub(crate) records: Vec<Record>,
}

impl Outlook {
    /// A figure over all seeds in which it has a value.
    pub(crate) fn sure(&self, figure: Figure) -> Option<Sure> {
        let values: Vec<f64> = self.records.iter().filter_map(|record| figure.of(record)).collect();
        Sure::of(&values)
    }

    /// Shares of the time by what held dialing back, the largest first.
    pub(crate) fn held(&self) -> Vec<(&'static str, f64)> {
        let mut counts = std::collections::BTreeMap::<&'static str, u64>::new();
        for (word, samples) in
            self.records.iter().flat_map(|record| &record.steps).flat_map(|step| &step.held)
        {
            *counts.entry(word).or_default() += u64::from(*samples);
        }
        let all = counts.values().sum();
        let mut shares: Vec<_> =
            counts.into_iter().filter_map(|(word, n)| Some((word, share(n, all)?))).collect();
        shares.sort_by(|one, other| other.1.total_cmp(&one.1));
        shares
    }

    /// `2026-11-24 09:30-17:30 (Asia/Tokyo)`.
    pub(crate) fn when(&self) -> String {
        let zone = home_zone(&self.rehearsal.campaign);
        let (Some(first), Some(last)) = (self.rehearsal.days.first(), self.rehearsal.days.last())
        else {
            return String::new();
        };
        let text = |at| local_time::shown(zone, at);
        let (from, until) = (text(first.starts), text(first.starts + first.length));
        let part = |text: &str, from: usize, count: usize| {
            text.chars().skip(from).take(count).collect::<String>()
        };
        let days = match self.rehearsal.days.len() {
            1 => part(&from, 0, 10),
            _ => format!("{} - {}", part(&from, 0, 10), part(&text(last.starts), 0, 10)),
        };
        format!("{days} {}-{} ({zone})", part(&from, 11, 5), part(&until, 11, 5))
    }

    /// A broken promise is a failure.
    pub(crate) fn exit(&self) -> Exit {
        let kept = self.records.iter().all(|record| record.breaches.is_empty());
        if kept { Exit::Ok } else { Exit::Failed }
    }
}

/// `progressive`, `ratio 1.5`.
pub(crate) fn mode_text(mode: DialMode) -> String {
    match mode {
        DialMode::Manual
        | DialMode::Preview
        | DialMode::Progressive
        | DialMode::Predictive
        | DialMode::Agentless => mode.as_str().to_owned(),
        DialMode::Ratio(ratio) => format!("{} {ratio}", mode.as_str()),
    }
}
