//! The live screen: one block refreshed in place on a terminal, one plain line every two seconds elsewhere.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};

use crate::cli::picture::{Campaign, Picture};
use crate::cli::text::{Lang, Texts, pad, texts};
use crate::logic::dialer::command::AgentState;
use crate::logic::dialer::{Promises, clocks_are_apart};

/// Where a run is shown.
#[derive(Debug)]
pub(crate) struct Live {
    title: String,
    texts: &'static Texts,
    in_place: bool,
    started: Option<i64>,
    /// Time and count of INVITEs, of the last seconds.
    recent: VecDeque<(i64, u64)>,
    lines_shown: usize,
    last_line: Option<i64>,
}

impl Live {
    /// Shown on the standard error output, so that the standard output stays for results.
    pub(crate) fn new(title: &str, lang: Lang) -> Self {
        Self {
            title: title.to_owned(),
            texts: texts(lang),
            in_place: std::io::stderr().is_terminal(),
            started: None,
            recent: VecDeque::new(),
            lines_shown: 0,
            last_line: None,
        }
    }

    /// Shows a picture, if it is time to.
    pub(crate) fn show(&mut self, picture: &Picture) -> std::io::Result<()> {
        let started = *self.started.get_or_insert(picture.at);
        let seconds = picture.at.saturating_sub(started) / 1_000;
        let rate = self.rate(picture);
        let mut out = std::io::stderr().lock();
        if self.in_place {
            let block = block(&self.title, self.texts, picture, seconds, rate);
            // Up over the last block, and away with it.
            if self.lines_shown > 0 {
                write!(out, "\x1b[{}A\x1b[J", self.lines_shown)?;
            }
            self.lines_shown = block.lines().count();
            write!(out, "{block}")?;
        } else if self.last_line.is_none_or(|at| picture.at.saturating_sub(at) >= LINE_EVERY_MS) {
            self.last_line = Some(picture.at);
            writeln!(out, "{}", line(picture, seconds, rate))?;
        }
        out.flush()
    }

    /// INVITEs per second over the last five seconds.
    fn rate(&mut self, picture: &Picture) -> f64 {
        self.recent.push_back((picture.at, picture.dialed()));
        while self.recent.len() > 2
            && self
                .recent
                .front()
                .is_some_and(|(at, _)| picture.at.saturating_sub(*at) > RATE_OVER_MS)
        {
            self.recent.pop_front();
        }
        let Some((at, dialed)) = self.recent.front() else { return 0.0 };
        per_second(picture.dialed().saturating_sub(*dialed), picture.at.saturating_sub(*at))
    }
}

/// So many in so many milliseconds.
pub(crate) fn per_second(count: u64, millis: i64) -> f64 {
    let (count, millis) = (u32::try_from(count), u32::try_from(millis));
    match (count, millis) {
        (Ok(count), Ok(millis)) if millis > 0 => f64::from(count) * 1_000.0 / f64::from(millis),
        (Ok(_) | Err(_), Ok(_) | Err(_)) => 0.0,
    }
}

/// `3.21 %` of two counts; a dash where there is nothing to divide by.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    match (u32::try_from(part), u32::try_from(whole)) {
        (Ok(part), Ok(whole)) if whole > 0 => {
            format!("{:.2} %", f64::from(part) * 100.0 / f64::from(whole))
        }
        (Ok(_) | Err(_), Ok(_) | Err(_)) => "-".to_owned(),
    }
}

/// One picture as text, for `outdial status`.
pub(crate) fn block_of(title: &str, lang: Lang, picture: &Picture) -> String {
    block(title, texts(lang), picture, 0, 0.0)
}

fn block(title: &str, t: &Texts, picture: &Picture, seconds: i64, rate: f64) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    fill_block(&mut out, title, t, picture, seconds, rate).unwrap_or_default();
    out
}

fn fill_block(
    out: &mut String,
    title: &str,
    t: &Texts,
    picture: &Picture,
    seconds: i64,
    rate: f64,
) -> std::fmt::Result {
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let draining = if picture.draining { t.draining } else { "" };
    writeln!(
        out,
        "{title}  {minutes:02}:{seconds:02}  {rate:.1} {}  {draining}",
        t.calls_per_second
    )?;
    let states = SHOWN_STATES.map(|state| (t.agent_state(state), picture.agents_in(state)));
    row(out, t.agents, states.iter().map(|(name, count)| format!("{name} {count}")))?;
    let calls = picture.calls;
    let stages = [
        (t.dialing, calls.dialing),
        (t.ringing, calls.ringing),
        (t.waiting, calls.waiting),
        (t.talking, calls.talking),
        (t.message, calls.message),
        (t.cancelling, calls.cancelling),
    ];
    row(out, t.calls, stages.iter().map(|(name, count)| format!("{name} {count}")))?;
    for campaign in &picture.campaigns {
        fill_campaign(out, t, campaign)?;
    }
    for trunk in &picture.trunks {
        let use_of = format!("{} {}/{} {}", trunk.name, trunk.in_use, trunk.channels, t.channels);
        let rate =
            format!("{}/{} {}", trunk.last_second, trunk.calls_per_second, t.calls_per_second);
        row(out, t.trunk, [use_of, rate].into_iter())?;
    }
    let unstored =
        if picture.unstored > 0 { format!("+{}", picture.unstored) } else { String::new() };
    let clock = match clocks_are_apart(picture.clock_ahead_ms) {
        true => format!("{} {:+} ms", t.clock, picture.clock_ahead_ms),
        false => String::new(),
    };
    row(out, t.store, [picture.store.clone(), unstored, clock].into_iter())
}

fn fill_campaign(out: &mut String, t: &Texts, campaign: &Campaign) -> std::fmt::Result {
    let leads = campaign.leads;
    let all = leads.all();
    let over = leads.done + leads.held + leads.blocked;
    let filled = usize::try_from(over * 20 / all.max(1)).unwrap_or(0).min(20);
    let bar = format!("[{}{}]", "#".repeat(filled), ".".repeat(20 - filled));
    let list =
        [campaign.name.clone(), bar, format!("{over}/{all} {}", t.done), campaign.state.clone()];
    row(out, t.list, list.into_iter())?;
    if let Some(promised) = promised(t, campaign.promises) {
        row(out, t.promised, [promised].into_iter())?;
    }
    let outcomes = campaign.outcomes.iter().filter(|(_, count)| *count > 0);
    row(out, t.outcomes, outcomes.map(|(text, count)| format!("{} {count}", t.outcome(text))))?;
    let ledger = [
        format!("A {}", campaign.live),
        format!("D {} ({} {})", campaign.abandoned, t.faults, campaign.faults),
        percent(campaign.abandoned, campaign.live),
        format!("{} {}", t.messages, campaign.messages),
    ];
    row(out, t.ledger, ledger.into_iter())?;
    row(out, t.held_by, campaign.held_by.clone().into_iter())
}

/// How promised calls stand; nothing where none is open.
pub(crate) fn promised(t: &Texts, promises: Promises) -> Option<String> {
    let Promises { open, due, overdue } = promises;
    (open > 0).then(|| format!("{open}  {} {due}  {} {overdue}", t.due, t.overdue))
}

/// A label and its values, cut before a terminal of 80 columns would wrap them.
fn row(out: &mut String, label: &str, values: impl Iterator<Item = String>) -> std::fmt::Result {
    let mut line = pad(label, 12);
    for value in values.filter(|value| !value.is_empty()) {
        if crate::cli::text::width(&line) + crate::cli::text::width(&value) + 2 > COLUMNS {
            writeln!(out, "{line}")?;
            line = " ".repeat(12);
        }
        line.push_str(&value);
        line.push_str("  ");
    }
    writeln!(out, "{}", line.trim_end())
}

/// For logs and pipes: stable words in English, one line.
fn line(picture: &Picture, seconds: i64, rate: f64) -> String {
    let mut out = format!("{seconds}s calls/s={rate:.1}");
    for state in SHOWN_STATES {
        out.push_str(&format!(" {}={}", state.as_str(), picture.agents_in(state)));
    }
    let calls = picture.calls;
    out.push_str(&format!(
        " dialing={} ringing={} talking={} message={}",
        calls.dialing, calls.ringing, calls.talking, calls.message
    ));
    for campaign in &picture.campaigns {
        let leads = campaign.leads;
        out.push_str(&format!(
            " {}: dialed={} done={}/{} A={} D={} faults={}",
            campaign.name,
            campaign.dialed,
            leads.done + leads.held + leads.blocked,
            leads.all(),
            campaign.live,
            campaign.abandoned,
            campaign.faults
        ));
    }
    out
}

const SHOWN_STATES: [AgentState; 6] = [
    AgentState::Ready,
    AgentState::Reserved,
    AgentState::OnCall,
    AgentState::WrapUp,
    AgentState::Paused,
    AgentState::Offline,
];
const LINE_EVERY_MS: i64 = 2_000;
const RATE_OVER_MS: i64 = 5_000;
const COLUMNS: usize = 79;
