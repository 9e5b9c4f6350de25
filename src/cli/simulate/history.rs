//! What the database knows of a campaign, as a rehearsal takes it.

use std::sync::Arc;
use std::time::Duration;

use crate::cli::exit::Failure;
use crate::cli::setup;
use crate::config::{CampaignFile, Database, OutdialFile};
use crate::logic::compliance::local_time::LocalClock;
use crate::logic::dialer::{LeadState, LearnedBefore, home_zone};
use crate::logic::ids::ClassId;
use crate::logic::outcome::Outcome;
use crate::logic::settings::CampaignSettings;
use crate::logic::time::UtcMs;
use crate::simulation::rehearsal::fit::{AtWork, Fitted, PastCall, PastEnd, fit, shifts};
use crate::simulation::rehearsal::list::Listed;
use crate::simulation::rehearsal::staff::Presence;
use crate::simulation::store_model::ModelWindow;
use crate::store::{self, CampaignRow, Db, HistoryCall};

/// A campaign as the database knows it.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) first_run: UtcMs,
    /// What predictive pacing has learned.
    pub(crate) learned: LearnedBefore,
    pub(crate) people: Fitted,
    /// Milliseconds since midnight.
    pub(crate) shifts: Vec<Vec<Presence>>,
    pub(crate) classes: Vec<(ClassId, String)>,
    pub(crate) list: Arc<Vec<Listed>>,
    /// Leads that may still be called and are not in `list`: it is cut there.
    pub(crate) beyond: u64,
    pub(crate) booked: Vec<(UtcMs, ModelWindow)>,
}

/// Reads it; `None` without a database, or of a campaign it does not know.
pub(crate) fn read(
    site: &OutdialFile,
    campaign: &CampaignFile,
    now: UtcMs,
) -> Result<Option<History>, Failure> {
    if let Database::Sqlite(path) = &site.database
        && !path.exists()
    {
        return Ok(None);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut db = setup::open_existing(site).await?;
        let read = match store::find_campaign(&mut db, &campaign.settings.name).await? {
            Some(row) => Some(read_campaign(&mut db, row, &campaign.settings, now).await?),
            None => None,
        };
        db.close().await?;
        Ok(read)
    })
}

async fn read_campaign(
    db: &mut Db,
    row: CampaignRow,
    settings: &CampaignSettings,
    now: UtcMs,
) -> Result<History, Failure> {
    let since = now - MEMORY;
    let calls = store::history_calls(db, row.id, since, MOST_CALLS).await?;
    let states = store::history_states(db, row.id, since, MOST_STATES).await?;
    let leads = store::open_leads(db, row.id, row.seller, since, MOST_LEADS).await?;
    let counts = store::kpis(db, row.id, now, now).await?.leads;
    let open = counts.ready + counts.waiting + counts.claimed;
    let windows = store::ledger_windows(db, row.id).await?;
    let clock = LocalClock::of(home_zone(settings))?;
    let past: Vec<PastCall> =
        calls.iter().filter_map(|call| past_call(call, settings, &clock)).collect();
    let (at_work, wraps) = at_work(&states, &clock);
    let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    Ok(History {
        first_run: row.first_run,
        learned: store::learned(db, row.id).await?,
        people: fit(&past, wraps),
        shifts: shifts(&at_work),
        classes: store::calling_classes(db, row.id).await?,
        beyond: open.saturating_sub(u64::try_from(leads.len()).unwrap_or(u64::MAX)),
        list: Arc::new(leads.into_iter().map(listed).collect()),
        booked: windows
            .iter()
            .filter(|window| window.ends > now)
            .map(|window| {
                let booked = ModelWindow {
                    answered: whole(window.answered),
                    abandoned: whole(window.abandoned),
                    fault: whole(window.fault),
                };
                (window.starts, booked)
            })
            .collect(),
    })
}

fn past_call(
    call: &HistoryCall,
    settings: &CampaignSettings,
    clock: &LocalClock,
) -> Option<PastCall> {
    let said_machine = call.said.as_ref().is_some_and(|said| {
        settings.dispositions.iter().any(|one| one.code == *said && one.live == Some(false))
    });
    let end = match call.outcome {
        // Of a message nobody knows who listened; somebody picked up.
        Outcome::Abandoned | Outcome::AgentLost | Outcome::MessagePlayed | Outcome::MessageCut => {
            PastEnd::Person
        }
        Outcome::Connected if call.live && !said_machine => PastEnd::Person,
        Outcome::Connected => PastEnd::Machine,
        Outcome::Busy => PastEnd::Busy,
        Outcome::Invalid => PastEnd::Dead,
        Outcome::NoAnswer | Outcome::Rejected | Outcome::Unwanted | Outcome::Unreachable => {
            PastEnd::Rang
        }
        // The network, or ourselves.
        Outcome::Congestion
        | Outcome::TrunkFault
        | Outcome::NotDelivered
        | Outcome::NotPlaced
        | Outcome::Cancelled
        | Outcome::Unknown => return None,
    };
    let (_, millis) = clock.shows(call.started)?;
    let between = |from: Option<UtcMs>, until: Option<UtcMs>| {
        u32::try_from(until?.since(from?).as_millis()).ok()
    };
    let at_once = matches!(end, PastEnd::Busy | PastEnd::Dead);
    let rang = call.early.or_else(|| at_once.then_some(call.ended));
    let known = |said: &String| settings.dispositions.iter().any(|one| one.code == *said);
    Some(PastCall {
        hour: f64::from(millis) / 3_600_000.0,
        earlier: u32::try_from(call.attempt_no.saturating_sub(1)).unwrap_or(u32::MAX),
        end,
        post_dial: between(Some(call.started), rang),
        ring: between(call.early, call.answered),
        talk: between(call.connected, Some(call.ended)),
        said: call.said.clone().filter(known),
    })
}

/// Times at work, and the lengths of the wrap-ups.
fn at_work(
    states: &[(crate::logic::ids::AgentId, UtcMs, String)],
    clock: &LocalClock,
) -> (Vec<AtWork>, Vec<u32>) {
    let (mut spans, mut wraps) = (vec![], vec![]);
    for pair in states.windows(2) {
        let [(agent, from, state), (next, until, _)] = pair else { continue };
        if agent != next || !matches!(state.as_str(), "ready" | "reserved" | "on_call" | "wrap_up")
        {
            continue;
        }
        let long = until.since(*from);
        if state == "wrap_up" {
            wraps.extend(u32::try_from(long.as_millis()).ok());
        }
        let Some((day, millis)) = clock.shows(*from) else { continue };
        let length = u64::try_from(long.as_millis()).unwrap_or(0);
        // A state that is older than any shift was left by a crash.
        if long < LONGEST_STATE {
            let from = u64::from(millis);
            spans.push(AtWork { agent: agent.0, day, from, until: from + length });
        }
    }
    (spans, wraps)
}

fn listed(lead: store::OpenLead) -> Listed {
    // What a dialer holds now is ready for the rehearsal.
    let state = if lead.state == LeadState::Claimed { LeadState::Ready } else { lead.state };
    Listed {
        phones: lead.phones,
        language: lead.language,
        class: lead.class,
        rank: lead.rank,
        state,
        due: lead.due,
        gate: lead.gate,
        attempts: lead.attempts,
        last_outcome: lead.last_outcome,
        same_outcome: lead.same_outcome,
        called: lead.called,
    }
}

/// How far back is looked: as far as the caps do.
const MEMORY: Duration = Duration::from_secs(30 * 86_400);
const MOST_CALLS: u32 = 200_000;
const MOST_STATES: u32 = 1_000_000;
const MOST_LEADS: u32 = 300_000;
const LONGEST_STATE: Duration = Duration::from_secs(12 * 3_600);
