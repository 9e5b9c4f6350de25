//! One campaign: why nothing is dialed right now, and what its leads wait for.

use std::fmt::Write;

use anyhow::anyhow;
use serde::Serialize;

use super::words;
use crate::cli::exit::{Exit, Failure};
use crate::cli::figures::cap;
use crate::cli::page::plain;
use crate::cli::picture::{Pacing, Picture};
use crate::cli::text::{Lang, pad, texts};
use crate::config::CampaignFile;
use crate::logic::compliance::calling_class::ClassHours;
use crate::logic::compliance::local_time;
use crate::logic::dialer::command::AgentState;
use crate::logic::dialer::{LeadState, home_zone};
use crate::logic::gate::Gate;
use crate::logic::time::UtcMs;
use crate::store::{self, Db};

/// All that can be said.
#[derive(Debug, Serialize)]
pub(super) struct CampaignAnswer {
    campaign: String,
    state: String,
    /// What a running dialer says; `None`: none runs this campaign.
    dialer: Option<DialerLine>,
    /// `None`: the campaign's file was not found.
    hours: Option<HoursLine>,
    ledger: Option<LedgerLine>,
    leads: Vec<LeadsLine>,
    /// Talks without a disposition, the first of them: their leads are held until somebody says how they went.
    held: Vec<HeldLine>,
    /// By whose clock times are shown.
    zone: String,
}

#[derive(Debug, Serialize)]
struct DialerLine {
    /// The dialer's own word; `None`: nothing holds it.
    held_by: Option<String>,
    draining: bool,
    store: String,
    clock_ahead_ms: i64,
    agents_ready: usize,
    agents_busy: usize,
    agents_paused: usize,
    trunks: Vec<String>,
    at_hand: u64,
    mode: String,
    /// Calls without an agent of their own: those under way, and so many may be.
    uncovered: u64,
    uncovered_allowed: u64,
    /// In predictive mode.
    pacing: Option<Pacing>,
}

#[derive(Debug, Serialize)]
struct HoursLine {
    classes: usize,
    open: usize,
    next_opening: Option<UtcMs>,
}

#[derive(Debug, Serialize)]
struct LedgerLine {
    answered: u64,
    abandoned: u64,
    faults: u64,
    /// Calls that it owes, and the most that it may before it closes.
    owed: u64,
    debt: u64,
    cap_ppm: u32,
    ends: UtcMs,
}

#[derive(Debug, Serialize)]
struct LeadsLine {
    state: &'static str,
    gate: Option<&'static str>,
    leads: u64,
    /// When the first of them is due, for waiting ones.
    opens: Option<UtcMs>,
    #[serde(skip)]
    of: (LeadState, Option<Gate>),
}

#[derive(Debug, Serialize)]
struct HeldLine {
    call_ref: String,
    contact_id: Option<String>,
    name: Option<String>,
    agent: Option<String>,
    ended: Option<UtcMs>,
}

/// Asks the database, the hours, and the picture of a running dialer.
pub(super) async fn answer(
    db: &mut Db,
    name: &str,
    file: Option<&CampaignFile>,
    live: Option<&Picture>,
    now: UtcMs,
) -> Result<CampaignAnswer, Failure> {
    let status = store::status(db, now).await?;
    let Some(row) = status.campaigns.iter().find(|row| row.name == name) else {
        let known: Vec<&str> = status.campaigns.iter().map(|row| row.name.as_str()).collect();
        let error = anyhow!("the database knows no campaign `{name}`; it has {}", known.join(", "));
        return Err(Failure::new(Exit::BadInput, error));
    };
    let hours = match file {
        Some(file) => {
            let mut hours = ClassHours::new(file.settings.hours.clone());
            let classes = store::calling_classes(db, row.id).await?;
            for (class, descriptor) in &classes {
                hours.learn(*class, descriptor);
            }
            let ring = file.settings.limits.ring;
            Some(HoursLine {
                classes: classes.len(),
                open: hours.open(now, ring).len(),
                next_opening: hours.next_opening(now, ring),
            })
        }
        None => None,
    };
    let leads = store::gate_counts(db, row.id).await?;
    let held = store::held_leads(db, row.id, HELD_SHOWN).await?;
    let window = row.windows.iter().find(|window| window.starts <= now && now < window.ends);
    Ok(CampaignAnswer {
        campaign: row.name.clone(),
        state: row.state.clone(),
        dialer: live.and_then(|live| dialer(live, name)),
        hours,
        ledger: window.map(|window| LedgerLine {
            answered: window.answered,
            abandoned: window.abandoned,
            faults: window.fault,
            owed: window.owed(),
            debt: window.debt,
            cap_ppm: u32::try_from(window.cap_ppm).unwrap_or(u32::MAX),
            ends: window.ends,
        }),
        leads: leads
            .into_iter()
            .map(|count| LeadsLine {
                state: count.state.as_str(),
                gate: count.gate.map(Gate::as_str),
                leads: count.leads,
                opens: (count.state == LeadState::Waiting).then_some(count.first_due),
                of: (count.state, count.gate),
            })
            .collect(),
        held: held
            .into_iter()
            .map(|lead| HeldLine {
                call_ref: lead.public_ref,
                contact_id: lead.external_id,
                name: lead.name,
                agent: lead.agent,
                ended: lead.ended,
            })
            .collect(),
        zone: file.map_or("Etc/UTC", |file| home_zone(&file.settings)).to_owned(),
    })
}

fn dialer(live: &Picture, name: &str) -> Option<DialerLine> {
    let campaign = live.campaigns.iter().find(|campaign| campaign.name == name)?;
    let busy =
        [AgentState::Previewing, AgentState::Reserved, AgentState::OnCall, AgentState::WrapUp];
    let trunk = |trunk: &crate::cli::picture::Trunk| {
        let (name, used, all) = (&trunk.name, trunk.in_use, trunk.channels);
        format!("{name} {used}/{all}, {}/{}", trunk.last_second, trunk.calls_per_second)
    };
    Some(DialerLine {
        held_by: campaign.held_by.clone(),
        draining: live.draining,
        store: live.store.clone(),
        clock_ahead_ms: live.clock_ahead_ms,
        agents_ready: live.agents_in(AgentState::Ready),
        agents_busy: busy.into_iter().map(|state| live.agents_in(state)).sum(),
        agents_paused: live.agents_in(AgentState::Paused),
        trunks: live.trunks.iter().map(trunk).collect(),
        at_hand: campaign.prefetched,
        mode: campaign.mode.clone(),
        uncovered: campaign.ledger.uncovered,
        uncovered_allowed: campaign.ledger.uncovered_allowed,
        pacing: campaign.pacing.clone(),
    })
}

/// For people.
pub(super) fn text(answer: &CampaignAnswer, lang: Lang) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    answer.fill(&mut out, lang).unwrap_or_default();
    out
}

impl CampaignAnswer {
    fn fill(&self, out: &mut String, lang: Lang) -> std::fmt::Result {
        let t = texts(lang);
        let time = |at: UtcMs| local_time::shown(&self.zone, at);
        let mut row = |label: &str, value: String| writeln!(out, "{}{value}", pad(label, 22));
        row(t.campaign, format!("{}  {}", plain(&self.campaign), self.state))?;
        match &self.dialer {
            None => row(
                words::either(lang, "dialer", "発信プログラム"),
                words::either(lang, "none runs this campaign", "この業務を実行していません")
                    .to_owned(),
            )?,
            Some(live) => {
                row(t.held_by, live.held_by.clone().unwrap_or_else(|| "-".to_owned()))?;
                if live.draining {
                    row("", t.draining.to_owned())?;
                }
                row(t.store, format!("{}  {} {:+} ms", live.store, t.clock, live.clock_ahead_ms))?;
                let agent = |state| t.agent_state(state);
                row(
                    t.agents,
                    format!(
                        "{} {}  {} {}  {} {}",
                        agent(AgentState::Ready),
                        live.agents_ready,
                        words::either(lang, "busy", "対応中"),
                        live.agents_busy,
                        agent(AgentState::Paused),
                        live.agents_paused
                    ),
                )?;
                for trunk in &live.trunks {
                    row(t.trunk, format!("{trunk} {}", t.calls_per_second))?;
                }
                let credit = words::either(lang, "calls without an agent", "担当者なしの呼");
                let (used, allowed) = (live.uncovered, live.uncovered_allowed);
                row("", format!("{}  {credit} {used}/{allowed}", live.mode))?;
                if let Some(pacing) = &live.pacing {
                    row("", pacing.texts(lang).join("  "))?;
                }
                let at_hand = words::either(lang, "at hand", "手元");
                row(t.list, format!("{at_hand} {}", live.at_hand))?;
            }
        }
        let label = words::either(lang, "calling hours", "架電可能時間");
        match &self.hours {
            None => row(label, words::either(lang, "campaign.toml not found", "不明").to_owned())?,
            Some(hours) => {
                let open = format!("{}/{}", hours.open, hours.classes);
                let next = match (hours.next_opening, lang) {
                    (None, _) => String::new(),
                    (Some(at), Lang::En) => format!("  next opens {}", time(at)),
                    (Some(at), Lang::Ja) => format!("  次は {} から", time(at)),
                };
                row(label, format!("{} {open}{next}", words::either(lang, "open", "可")))?;
            }
        }
        if let Some(ledger) = &self.ledger {
            let (a, d) = (ledger.answered, ledger.abandoned);
            let faults = format!("{} {}", t.faults, ledger.faults);
            let most = cap(ledger.cap_ppm);
            let mut text = format!("A {a}  D {d} ({faults})  {} {most}", t.cap);
            if ledger.owed > 0 || ledger.debt > 0 {
                let (owed, debt) = (ledger.owed, ledger.debt);
                text.push_str(&match lang {
                    Lang::En => format!("  owes {owed}, at most {debt}"),
                    Lang::Ja => format!("  超過 {owed} 件(許容 最大 {debt} 件)"),
                });
            }
            row(t.ledger, text)?;
        }
        writeln!(out, "{}", words::either(lang, "leads", "リストの状況"))?;
        for line in &self.leads {
            let (state, gate) = line.of;
            let (code, meaning) = match gate {
                Some(gate) => (gate.as_str(), words::meaning(lang, gate)),
                None => ("-", ""),
            };
            let opens = line.opens.map(time).unwrap_or_default();
            let state = pad(t.lead_state(state), 14);
            let text = format!("  {state}{}{:>8}  {opens}  {meaning}", pad(code, 16), line.leads);
            writeln!(out, "{}", text.trim_end())?;
        }
        if self.held.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "{}",
            words::either(
                lang,
                "talks without a disposition: `outdial agent disposition AGENT CODE` before the agent's next call",
                "対応結果が未入力の通話(次の通話までに `outdial agent disposition 担当者 コード`)",
            )
        )?;
        for held in &self.held {
            let dash = |text: &Option<String>| plain(text.as_deref().unwrap_or("-"));
            let (id, name, agent) = (dash(&held.contact_id), dash(&held.name), dash(&held.agent));
            let ended = held.ended.map(time).unwrap_or_default();
            writeln!(out, "  {}  {ended}  {agent}  {name} [{id}]", held.call_ref)?;
        }
        Ok(())
    }
}

/// Held leads that are shown; the count above tells of all.
const HELD_SHOWN: u32 = 20;
