//! The whole picture, for `status` and the live view.

use crate::logic::attempt::Stage;
use crate::logic::compliance::abandon_debt::owed;
use crate::logic::dialer::command::{
    AgentLine, CallStages, CampaignLine, LedgerLine, TrunkLine, View,
};
use crate::logic::dialer::desk::state_word;
use crate::logic::dialer::room::Room;
use crate::logic::dialer::{Dialer, StoreHealth};
use crate::logic::outcome::Outcome;
use crate::logic::settings::DialMode;
use crate::logic::time::Now;

impl Dialer {
    /// The whole picture at `now`.
    #[must_use]
    pub fn view(&self, now: Now) -> View {
        View {
            at: now.utc,
            draining: self.ending.starts_nothing(),
            old_legs: self.old_legs().try_into().unwrap_or(u64::MAX),
            store: match self.health {
                StoreHealth::Ok => "ok",
                StoreHealth::Slow => "slow",
                StoreHealth::Gone => "gone",
            },
            clock_ahead_ms: self.clock_ahead_ms,
            unstored: self.waiting.len().try_into().unwrap_or(u64::MAX),
            agents: self.agent_lines(now),
            campaigns: self.campaign_lines(now),
            trunks: self
                .lines
                .iter()
                .map(|line| TrunkLine {
                    name: line.settings.name.clone(),
                    in_use: line.in_use,
                    channels: line.settings.channels,
                    last_second: line.last_second(now).try_into().unwrap_or(u32::MAX),
                    calls_per_second: line.settings.calls_per_second,
                    limit: line.limit,
                })
                .collect(),
            calls: self.call_stages(),
        }
    }

    fn agent_lines(&self, now: Now) -> Vec<AgentLine> {
        let millis =
            |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.desks
            .values()
            .map(|desk| {
                let totals = desk.machine.totals(now);
                AgentLine {
                    name: desk.settings.name.clone(),
                    state: state_word(desk.machine.kind()),
                    since: desk.machine.since_utc(),
                    calls: totals.calls,
                    talk_ms: millis(totals.talk),
                    wrap_up_ms: millis(totals.wrap_up),
                    staffed_ms: millis(totals.staffed),
                }
            })
            .collect()
    }

    fn campaign_lines(&self, now: Now) -> Vec<CampaignLine> {
        self.rooms
            .values()
            .map(|room| {
                let counts = &room.counts;
                let outcomes = Outcome::ALL
                    .into_iter()
                    .filter_map(|outcome| {
                        counts.outcomes.get(&outcome).map(|n| (outcome.as_str(), *n))
                    })
                    .collect();
                CampaignLine {
                    name: room.settings.name.clone(),
                    state: room.state.as_str(),
                    mode: room.settings.mode.as_str(),
                    ratio: match room.settings.mode {
                        DialMode::Manual
                        | DialMode::Preview
                        | DialMode::Progressive
                        | DialMode::Predictive
                        | DialMode::Agentless => None,
                        DialMode::Ratio(ratio) => Some(ratio.thousandths()),
                    },
                    ledger: ledger_line(room, now),
                    pacing: room.forecast.as_ref().and_then(|forecast| forecast.line()),
                    leads: room.listed,
                    prefetched: room.leads.len().try_into().unwrap_or(u64::MAX),
                    outcomes,
                    dialed: counts.dialed,
                    answered: counts.answered,
                    live: counts.live,
                    abandoned: counts.abandoned,
                    faults: counts.faults,
                    messages: counts.messages,
                    promises: room.promises,
                    held_by: room.held_by,
                    kept_for_return_calls: self
                        .kept_for_return_calls(&room.settings.skills)
                        .len()
                        .try_into()
                        .unwrap_or(u64::MAX),
                    gates: counts.gates.iter().map(|(gate, n)| (gate.as_str(), *n)).collect(),
                }
            })
            .collect()
    }

    fn call_stages(&self) -> CallStages {
        let mut stages = CallStages::default();
        for call in self.calls.values() {
            match call.machine.stage() {
                Stage::Starting | Stage::Dialing => stages.dialing += 1,
                Stage::Ringing => stages.ringing += 1,
                Stage::Cancelling => stages.cancelling += 1,
                Stage::Waiting => stages.waiting += 1,
                Stage::Talking => stages.talking += 1,
                Stage::Message => stages.message += 1,
                Stage::Ended => {}
            }
        }
        stages
    }
}

fn ledger_line(room: &Room, now: Now) -> LedgerLine {
    let window = room.window(now.utc);
    let ledger = &room.credit.ledger;
    let account = ledger.account(window.starts).unwrap_or_default();
    LedgerLine {
        starts: window.starts,
        ends: window.ends,
        cap_ppm: window.cap_ppm,
        answered: account.answered,
        abandoned: account.abandoned,
        fault: account.fault,
        owed: owed(window.cap_ppm, account.answered, account.abandoned),
        may_owe: room.debt(window, now.utc),
        uncovered_allowed: ledger.allowed(window.starts, room.span(now).first_debt),
        uncovered: ledger.used(),
    }
}
