//! One campaign: the leads at hand, and when more are claimed.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::logic::compliance::abandon_debt::debt;
use crate::logic::compliance::abandon_window::{AbandonWindows, WindowBounds};
use crate::logic::compliance::calling_class::ClassHours;
use crate::logic::compliance::local_time;
use crate::logic::dialer::answers::AtHand;
use crate::logic::dialer::cover::Credit;
use crate::logic::dialer::forecast::Forecast;
use crate::logic::dialer::own_rates::OwnRates;
use crate::logic::dialer::{
    Action, CampaignStart, CampaignState, Claim, ClaimedLead, Dialer, LeadAfter, LeadCounts,
    LeadPhone, LeadState, LearnedBefore, LedgerWindow, Promises, Release, StoreCommand,
    StoreHealth, StoreReply, Timer, Waiting,
};
use crate::logic::gate::Gate;
use crate::logic::ids::{CampaignId, SellerId};
use crate::logic::outcome::Outcome;
use crate::logic::settings::{AbandonSettings, AbandonWindow, CampaignSettings, DialMode};
use crate::logic::time::{Now, UtcMs};

/// One campaign of this run.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) id: CampaignId,
    pub(super) seller: SellerId,
    pub(super) settings: CampaignSettings,
    pub(super) state: CampaignState,
    /// When the state was last changed, by rows that never go back: the database takes an earlier one for a repeat.
    state_at: UtcMs,
    pub(super) hours: ClassHours,
    windows: Option<AbandonWindows>,
    pub(super) credit: Credit,
    pub(super) own_rates: OwnRates,
    /// In predictive mode.
    pub(super) forecast: Option<Box<Forecast>>,
    /// What was learned earlier.
    pub(super) learned: LearnedBefore,
    days: Option<AbandonWindows>,
    /// Claimed and not yet dialed, in order.
    pub(super) leads: VecDeque<AtHand>,
    claims: u64,
    claiming: bool,
    promoting: bool,
    /// The claim under way asks for more than promised calls.
    claiming_ready: bool,
    /// Promised calls as last counted.
    pub(super) promises: Promises,
    /// Some of them were due, and no claim has looked for them since.
    promise_due: bool,
    /// The last claim came back empty and nothing has become ready since.
    pub(super) dry: bool,
    next_due: Option<UtcMs>,
    /// The database was asked for the next due lead at least once.
    asked_due: bool,
    promoted_at: Option<UtcMs>,
    pub(super) held_by: Option<&'static str>,
    pub(super) counts: Counts,
    /// The list as last counted.
    pub(super) listed: LeadCounts,
    counting: bool,
    counted_at: Option<UtcMs>,
}

/// What happened in this run.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) outcomes: BTreeMap<Outcome, u64>,
    pub(super) gates: BTreeMap<Gate, u64>,
    pub(super) dialed: u64,
    pub(super) answered: u64,
    pub(super) live: u64,
    pub(super) abandoned: u64,
    pub(super) faults: u64,
    pub(super) messages: u64,
}

impl Room {
    pub(super) fn new(now: Now, start: CampaignStart) -> Self {
        let mut hours = ClassHours::new(start.settings.hours.clone());
        for (class, descriptor) in &start.classes {
            hours.learn(*class, descriptor);
        }
        let abandon = &start.settings.abandon;
        let by_day = AbandonSettings { window: AbandonWindow::Day, ..abandon.clone() };
        Self {
            windows: AbandonWindows::new(abandon, start.first_run).ok(),
            credit: Credit::new(abandon.cap_ppm),
            own_rates: OwnRates::new(&start.settings.rates),
            forecast: None,
            learned: start.learned,
            days: AbandonWindows::new(&by_day, start.first_run).ok(),
            id: start.id,
            seller: start.seller,
            state: if start.paused { CampaignState::Paused } else { CampaignState::Running },
            // The start itself wrote the row.
            state_at: now.utc,
            hours,
            leads: VecDeque::new(),
            claims: 0,
            claiming: false,
            promoting: false,
            claiming_ready: false,
            promises: Promises::default(),
            promise_due: false,
            dry: false,
            next_due: Some(now.utc),
            asked_due: false,
            promoted_at: None,
            held_by: None,
            counts: Counts::default(),
            listed: LeadCounts::default(),
            counting: false,
            counted_at: None,
            settings: start.settings,
        }
    }

    /// The window of the ledger to which an answer at `at` belongs. Without a known zone (which the check of the
    /// campaign file excludes) everything falls into one window.
    pub(super) fn window(&self, at: UtcMs) -> LedgerWindow {
        let (starts, ends) = self.windows.as_ref().map_or((UtcMs(0), UtcMs(i64::MAX)), |windows| {
            (windows.of(at).starts, windows.of(at).ends)
        });
        let AbandonSettings { cap_ppm, bound, .. } = self.settings.abandon;
        LedgerWindow { campaign: self.id, starts, ends, cap_ppm, debt: bound.most_debt() }
    }

    /// Calls that a window may owe at `at`.
    pub(super) fn debt(&self, window: LedgerWindow, at: UtcMs) -> u32 {
        let bounds = WindowBounds { starts: window.starts, ends: window.ends };
        debt(self.settings.abandon.bound, bounds, at)
    }

    /// Number of the local day, and the start of the next one.
    pub(super) fn day(&self, at: UtcMs) -> (i32, UtcMs) {
        const DAY_MS: i64 = 86_400_000;
        let midnight = at.0 - at.0.rem_euclid(DAY_MS);
        let (starts, ends) = match &self.days {
            Some(days) => (days.of(at).starts.0, days.of(at).ends.0),
            None => (midnight, midnight + DAY_MS),
        };
        // Local midnight lies within half a day of the UTC day of the same date.
        let day = i32::try_from((starts + DAY_MS / 2).div_euclid(DAY_MS)).unwrap_or(0);
        (day, UtcMs(ends))
    }

    /// When a new day has begun both here and, wherever the number may be, at the callee's.
    pub(super) fn next_day(&self, at: UtcMs, phone: &LeadPhone) -> UtcMs {
        let theirs = phone.zones.iter().filter_map(|zone| local_time::next_day(zone, at));
        theirs.fold(self.day(at).1, UtcMs::max)
    }

    /// Changes the state and says since when it is that. The time to write is later than that of the last change, even
    /// when the wall clock was set back in between.
    pub(super) fn change(&mut self, now: Now, state: CampaignState) -> UtcMs {
        if self.state != state {
            self.state = state;
            self.state_at = now.utc.max(self.state_at + Duration::from_millis(1));
        }
        self.state_at
    }

    /// Takes over what the database says of the campaign, where that is news. Whoever asks for a change here is believed
    /// until the database knows.
    pub(super) fn hear(&mut self, state: CampaignState, at: UtcMs) -> bool {
        if state == self.state || at < self.state_at {
            return false;
        }
        self.state = state;
        self.state_at = at;
        true
    }

    /// The longest a phone may ring: a call is not started so late that it could still ring after hours.
    pub(super) const fn longest_ring(&self) -> Duration {
        self.settings.limits.ring
    }

    /// Whether its calls are for agents.
    pub(super) const fn needs_agents(&self) -> bool {
        match self.settings.mode {
            DialMode::Manual
            | DialMode::Preview
            | DialMode::Progressive
            | DialMode::Ratio(_)
            | DialMode::Predictive => true,
            DialMode::Agentless => false,
        }
    }

    /// Whether its leads are dialed, or shown, by themselves.
    pub(super) fn dials_itself(&self) -> bool {
        self.settings.mode != DialMode::Manual
    }

    /// The number of the next claim.
    pub(super) const fn next_claim(&mut self) -> u64 {
        self.claims += 1;
        self.claims
    }

    /// How long a count is good for: a longer list is counted less often.
    fn count_again(&self) -> Duration {
        let leads = u32::try_from(self.listed.total()).unwrap_or(u32::MAX);
        COUNT_AGAIN.max(COUNT_AGAIN_A_LEAD.saturating_mul(leads))
    }

    /// How many leads to hold: two seconds of starts.
    fn wanted(&self, calls_per_second: u32) -> usize {
        usize::try_from(calls_per_second.saturating_mul(2)).unwrap_or(usize::MAX).clamp(20, 1000)
    }

    /// A lead will be due at `due`.
    pub(super) fn expect(&mut self, after: &LeadAfter) {
        match after.state {
            LeadState::Ready => self.dry = false,
            LeadState::Waiting => {
                self.next_due = Some(self.next_due.map_or(after.due, |due| due.min(after.due)))
            }
            LeadState::Claimed | LeadState::Done | LeadState::Held | LeadState::Blocked => {}
        }
    }

    /// Nothing is at hand, nothing is ready, and nothing will be within `SOON`. A paused campaign is not idle: whoever
    /// paused it may want to go on.
    pub(super) fn is_idle(&self, now: Now) -> bool {
        let soon = self.next_due.is_some_and(|due| due <= now.utc + SOON);
        let stopped = matches!(self.state, CampaignState::Draining | CampaignState::Finished);
        self.leads.is_empty()
            && !self.claiming
            && !self.promoting
            && (stopped || (self.dry && self.asked_due && !soon))
    }
}

impl Dialer {
    /// Claims and promotes as needed; runs every second and whenever leads run low.
    pub(super) fn fill_room(&mut self, now: Now, campaign: CampaignId, out: &mut Vec<Action>) {
        self.deadlines.set(Timer::Room(campaign), Some(now.tick + Duration::from_secs(1)));
        let stopped = self.ending.starts_nothing();
        let rate = self
            .line_of(campaign)
            .and_then(|line| self.lines.get(line))
            .map(|l| l.settings.calls_per_second);
        let owners = self.agents_at_work();
        let needs_agents = self.rooms.get(&campaign).is_some_and(Room::needs_agents);
        let hoards = self.shared && !self.until_idle && owners.is_empty() && needs_agents;
        let Some(room) = self.rooms.get_mut(&campaign) else { return };
        if room.state != CampaignState::Running || stopped || self.health != StoreHealth::Ok {
            return;
        }
        let due = !room.asked_due || room.next_due.is_some_and(|due| due <= now.utc);
        let stale = room.promoted_at.is_none_or(|at| now.utc.since(at) >= LOOK_AGAIN);
        let mut commands = vec![];
        if !room.promoting && (due || stale) {
            room.promoting = true;
            room.promoted_at = Some(now.utc);
            let promote = StoreCommand::Promote { campaign, now: now.utc, limit: PROMOTE_CHUNK };
            commands.push((promote, Waiting::Promote(campaign)));
        }
        if !room.counting
            && room.counted_at.is_none_or(|at| now.utc.since(at) >= room.count_again())
        {
            room.counting = true;
            room.counted_at = Some(now.utc);
            commands.push((StoreCommand::Count { campaign }, Waiting::Count(campaign)));
        }
        if hoards {
            // Others have agents for them.
            self.release_all(now, campaign, out);
            for (command, waiting) in commands {
                self.store(command, waiting, out);
            }
            return;
        }
        let wanted = room.wanted(rate.unwrap_or(1));
        let runs_low = !room.dry && room.leads.len() * 2 < wanted;
        if !room.claiming && room.dials_itself() && (runs_low || room.promise_due) {
            let open_classes = room.hours.open(now.utc, room.longest_ring());
            if open_classes.is_empty() {
                // Outside all hours: what is ready stays where it is.
                room.dry = true;
                room.held_by = Some("hours");
            } else {
                room.claiming = true;
                room.claiming_ready = runs_low;
                room.promise_due = false;
                let claim = room.next_claim();
                let lacking = if runs_low { wanted - room.leads.len() } else { 0 };
                let want = u32::try_from(lacking).unwrap_or(u32::MAX);
                let promised = room.promised_claim(now, owners);
                let now = now.utc;
                let named = None;
                let claim = Claim { campaign, claim, want, open_classes, promised, named, now };
                commands.push((StoreCommand::Claim(claim), Waiting::Claim(campaign)));
            }
        }
        for (command, waiting) in commands {
            self.store(command, waiting, out);
        }
        self.read_ledger(now, campaign, out);
    }

    pub(super) fn claimed(
        &mut self,
        now: Now,
        campaign: CampaignId,
        reply: StoreReply,
        out: &mut Vec<Action>,
    ) {
        let starts_nothing = self.ending.starts_nothing();
        let Some(room) = self.rooms.get_mut(&campaign) else { return };
        room.claiming = false;
        if let StoreReply::Claimed(leads) = reply {
            if room.claiming_ready {
                room.dry = leads.is_empty();
            }
            room.line_up(now, leads);
        }
        // It may have been asked for in another mode.
        self.free_promised(now, campaign, out);
        let Some(room) = self.rooms.get(&campaign) else { return };
        if room.state != CampaignState::Running || starts_nothing || !room.dials_itself() {
            self.release_all(now, campaign, out);
        }
    }

    pub(super) fn promoted(&mut self, now: Now, campaign: CampaignId, reply: StoreReply) {
        let Some(room) = self.rooms.get_mut(&campaign) else { return };
        room.promoting = false;
        if let StoreReply::Promoted { promoted, next_due, promises } = reply {
            room.promises = promises;
            room.promise_due = promises.due > 0 && room.needs_agents();
            room.asked_due = true;
            room.next_due = next_due;
            // Some became ready; or an import may have added leads since the last look.
            room.dry = false;
            if promoted > 0 || room.promise_due {
                self.deadlines.set(Timer::Room(campaign), Some(now.tick));
            }
        }
    }

    pub(super) fn counted(&mut self, campaign: CampaignId, reply: StoreReply) {
        let Some(room) = self.rooms.get_mut(&campaign) else { return };
        room.counting = false;
        if let StoreReply::Counted(counts) = reply {
            room.listed = counts;
        }
    }

    /// Gives back every lead at hand, and those before agents.
    pub(super) fn release_all(&mut self, now: Now, campaign: CampaignId, out: &mut Vec<Action>) {
        let Some(room) = self.rooms.get_mut(&campaign) else { return };
        for AtHand { lead, .. } in std::mem::take(&mut room.leads) {
            self.free_lead(now, campaign, &lead, out);
        }
        self.withdraw_offers(now, campaign, out);
    }

    /// Gives one lead back.
    pub(super) fn release(
        &mut self,
        campaign: CampaignId,
        lead: &ClaimedLead,
        after: LeadAfter,
        out: &mut Vec<Action>,
    ) {
        if let Some(room) = self.rooms.get_mut(&campaign) {
            room.expect(&after);
        }
        let release = Release { lead: lead.lead, fence: lead.fence, after };
        self.store(StoreCommand::Release(release), Waiting::Fact, out);
    }
}

/// A lead due within this time keeps a run alive.
const SOON: Duration = Duration::from_secs(10);
/// Most leads made ready at once.
const PROMOTE_CHUNK: u32 = 1000;
/// How often the list is looked at though nothing is known to be due: an import may have added to it.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How often the list is counted for the view, and for each lead of it: that costs the database a scan of the campaign's
/// index, some 30 ms for a million leads. So a million is counted every 30 s, which is a thousandth of the time.
const COUNT_AGAIN: Duration = Duration::from_secs(5);
const COUNT_AGAIN_A_LEAD: Duration = Duration::from_micros(30);
