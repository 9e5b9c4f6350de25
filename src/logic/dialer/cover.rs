//! Calls with and without an agent of their own, and the credit of those without.
//!
//! Cover goes with the agent, not with the call: whoever answers first is joined to an agent who was kept for a call that
//! still rings, and that call goes on uncovered in the place of the one that was answered. The number of uncovered calls,
//! which is all the ledger asks about, stays the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::logic::agent::Kind;
use crate::logic::attempt::{self, INTENT_AGE, Stage};
use crate::logic::compliance::abandon_ledger::{AbandonLedger, Account, WindowSpan};
use crate::logic::dialer::answers::AtHand;
use crate::logic::dialer::call::Call;
use crate::logic::dialer::desk::Desk;
use crate::logic::dialer::room::Room;
use crate::logic::dialer::{
    Action, ClaimedLead, Dialer, LedgerWindow, StoreCommand, StoreReply, UncoveredStart, Waiting,
};
use crate::logic::ids::{AgentId, AttemptId, CampaignId};
use crate::logic::outcome::Outcome;
use crate::logic::pacing::fit::{Wanted, fits};
use crate::logic::pacing::pacer::OddsNow;
use crate::logic::settings::DialMode;
use crate::logic::time::{Now, Tick, UtcMs};

/// A campaign's ledger, and what of it the database has yet to confirm.
#[derive(Debug)]
pub(super) struct Credit {
    pub(super) ledger: AbandonLedger,
    /// Losses that were given to the database, with their window.
    lost: BTreeMap<AttemptId, UtcMs>,
    /// Windows in which something was booked since they were last read.
    unread: BTreeSet<UtcMs>,
    /// Windows being read.
    reading: BTreeSet<UtcMs>,
    /// Until then nothing is asked for: the database has refused credit that this process believed in.
    refused_until: Option<Tick>,
}

impl Credit {
    pub(super) const fn new(cap_ppm: u32) -> Self {
        Self {
            ledger: AbandonLedger::new(cap_ppm),
            lost: BTreeMap::new(),
            unread: BTreeSet::new(),
            reading: BTreeSet::new(),
            refused_until: None,
        }
    }

    /// The database has no credit: another process was faster, or a call that ends in the commit in which it begins has
    /// not left its place yet. Without a wait every lead at hand would be tried at once, in vain.
    pub(super) fn refused(&mut self, now: Now) {
        self.refused_until = Some(now.tick + NO_CREDIT);
    }

    fn admits(&self, now: Now, span: WindowSpan) -> bool {
        self.spare(now, span) > 0
    }

    /// How many calls may still go uncovered.
    pub(super) fn spare(&self, now: Now, span: WindowSpan) -> u64 {
        if self.refused_until.is_some_and(|until| until > now.tick) {
            return 0;
        }
        self.ledger.spare(span)
    }

    /// An abandoned call is about to be booked: is it a fault?
    pub(super) fn lose(&mut self, attempt: AttemptId, window: UtcMs) -> bool {
        self.lost.insert(attempt, window);
        self.ledger.lost(attempt, window)
    }

    /// Something is being booked in a window: it is to be read again.
    pub(super) fn booked(&mut self, window: LedgerWindow) {
        self.unread.insert(window.starts);
    }

    /// A window that is to be read now, with the losses that its account will hold.
    fn next_read(&mut self, span: WindowSpan) -> Option<(UtcMs, Vec<AttemptId>)> {
        let unknown = [span.first, span.last]
            .into_iter()
            .filter(|window| self.ledger.account(*window).is_none());
        let window = self
            .unread
            .iter()
            .copied()
            .chain(unknown)
            .find(|window| !self.reading.contains(window))?;
        self.unread.remove(&window);
        self.reading.insert(window);
        let held = self.lost.extract_if(.., |_, of| *of == window).map(|(id, _)| id).collect();
        Some((window, held))
    }

    fn read(&mut self, window: UtcMs, account: Account, held: &[AttemptId]) {
        self.reading.remove(&window);
        self.ledger.learn(window, account);
        for attempt in held {
            self.ledger.settle(*attempt);
        }
    }

    /// The window could not be read: what it will hold stays in flight until the next look.
    fn not_read(&mut self, window: UtcMs, held: &[AttemptId]) {
        self.reading.remove(&window);
        self.unread.insert(window);
        self.lost.extend(held.iter().map(|attempt| (*attempt, window)));
    }
}

impl Room {
    /// How likely those are to answer who could be called next without an agent of their own; none where all are usual.
    pub(super) fn next_odds(&self) -> Vec<OddsNow> {
        let next = self.leads.iter().filter(|next| !needs_own_agent(&next.lead));
        let odds: Vec<OddsNow> = next.take(NEXT).map(AtHand::odds).collect();
        if odds.iter().all(|odds| *odds == OddsNow::EVEN) { vec![] } else { odds }
    }

    /// The windows in which a call started now can be answered.
    pub(super) fn span(&self, now: Now) -> WindowSpan {
        self.span_from(now.utc)
    }

    /// The windows in which a call started at `at` could be answered.
    pub(super) fn span_from(&self, at: UtcMs) -> WindowSpan {
        let until = self.answerable_until(at);
        self.spanning(self.window(at), self.window(until), until)
    }

    /// The last moment at which a call started at `at` could be answered.
    fn answerable_until(&self, at: UtcMs) -> UtcMs {
        at + (INTENT_AGE + self.settings.limits.set_up + AFTER_CANCEL)
    }

    /// These windows, with what each may owe at `until`.
    fn spanning(&self, first: LedgerWindow, last: LedgerWindow, until: UtcMs) -> WindowSpan {
        WindowSpan {
            first: first.starts,
            last: last.starts,
            first_debt: self.debt(first, until),
            last_debt: self.debt(last, until),
        }
    }

    /// The windows in which a call that was started at `started` and goes on now can be booked: while nobody answers,
    /// an end that a crash hides belongs to the window of its start.
    fn span_since(&self, started: UtcMs, now: Now) -> WindowSpan {
        let until = self.answerable_until(now.utc);
        let (then, now, last) = (self.window(started), self.window(now.utc), self.window(until));
        let first = if then.starts < now.starts { then } else { now };
        let last = if then.starts > last.starts { then } else { last };
        self.spanning(first, last, until)
    }

    const fn dials_uncovered(&self) -> bool {
        match self.settings.mode {
            DialMode::Manual | DialMode::Preview | DialMode::Progressive | DialMode::Agentless => {
                false
            }
            DialMode::Ratio(_) | DialMode::Predictive => true,
        }
    }
}

impl Dialer {
    /// The first lead that may be started without an agent of its own, or what holds that back.
    pub(super) fn match_uncovered(
        &self,
        now: Now,
        campaign: CampaignId,
    ) -> Result<(usize, UncoveredStart), &'static str> {
        let room = self.rooms.get(&campaign).ok_or("state")?;
        if room.leads.is_empty() {
            return Err("list");
        }
        match room.settings.mode {
            DialMode::Manual | DialMode::Preview | DialMode::Progressive | DialMode::Agentless => {
                return Err("agents");
            }
            DialMode::Ratio(ratio) => {
                let ringing = self.calls.ringing(campaign);
                if ringing.lines >= ratio.lines(ringing.kept) {
                    return Err("agents");
                }
            }
            DialMode::Predictive => {
                room.forecast.as_ref().ok_or("agents")?.may_start()?;
            }
        }
        if !room.credit.admits(now, room.span(now)) {
            return Err("credit");
        }
        let full = self.full_prefixes(room);
        let place = room
            .leads
            .iter()
            .take(super::pace::LOOK_PAST)
            .position(|AtHand { lead, .. }| {
                let language = lead.language.as_deref().unwrap_or(&room.settings.language);
                !needs_own_agent(lead)
                    && !room.is_under(lead, &full)
                    && self.has_agent_for(campaign, language)
            })
            .ok_or("agents")?;
        let cap_ppm = room.settings.abandon.cap_ppm;
        Ok((place, UncoveredStart { cap_ppm, windows: room.span(now) }))
    }

    /// Before an INVITE leaves: is the agent who was kept still there, or, for an uncovered call, anybody at all? A message
    /// needs nobody.
    pub(super) fn may_still_go(&self, attempt: AttemptId) -> bool {
        let Some(call) = self.calls.get(&attempt) else { return false };
        let kept = call.agent.and_then(|agent| self.desks.get(&agent));
        call.machine.is_agentless()
            || kept.is_some_and(|desk| desk.machine.is_kept_for(attempt))
            || (self.is_uncovered(call)
                && self.has_agent_for(call.campaign, &self.language_of(call)))
    }

    pub(super) fn is_uncovered(&self, call: &Call) -> bool {
        self.rooms
            .get(&call.campaign)
            .is_some_and(|room| room.credit.ledger.is_uncovered(call.attempt))
    }

    /// Agents who became free are kept for calls that are under way without one, the oldest first: uncovered ones, and
    /// those whose own agent is gone.
    pub(super) fn cover(&mut self, now: Now, out: &mut Vec<Action>) {
        if !self.desks.has_free() {
            return;
        }
        let mut alone = self.calls.alone().into_iter();
        while let Some((attempt, agent)) = self.next_covered(&mut alone) {
            self.reserve(now, attempt, agent, out);
            let Some(call) = self.calls.get(&attempt).filter(|call| self.is_uncovered(call)) else {
                continue;
            };
            self.release_credit(call.campaign, attempt);
            self.store(StoreCommand::Covered { attempt }, Waiting::Fact, out);
        }
    }

    /// The next of these calls for which somebody is free who is not kept for return calls.
    fn next_covered(
        &self,
        mut alone: impl Iterator<Item = AttemptId>,
    ) -> Option<(AttemptId, AgentId)> {
        let kept = self.kept_back();
        alone.find_map(|attempt| {
            let call = self.calls.get(&attempt)?;
            let agent = self.spare_agent(call.campaign, &self.language_of(call), &kept)?;
            Some((attempt, agent))
        })
    }

    /// Somebody answered and nobody is free: the agent kept for a call that still rings, if that call may do without.
    /// One that has not left yet is not started at all; of the others the latest goes on uncovered: it is named, too.
    pub(super) fn take_kept_agent(
        &mut self,
        now: Now,
        attempt: AttemptId,
        out: &mut Vec<Action>,
    ) -> Option<(AgentId, Option<AttemptId>)> {
        let call = self.calls.get(&attempt)?;
        let language = self.language_of(call);
        let given_up = self
            .calls
            .kept()
            .filter(|other| other.attempt != attempt)
            .filter(|other| {
                self.keeps_fit(other, call.campaign, &language)
                    && (other.machine.stage() == Stage::Starting
                        || self.may_give_up_agent(now, other, call))
            })
            .max_by_key(|other| (other.machine.stage() == Stage::Starting, other.attempt))?;
        let given_up = given_up.attempt;
        // The desk learns by the join: a pause that was asked for waits for the end of the talk.
        let agent = self.calls.give(given_up, None)?;
        let other = self.calls.get(&given_up)?;
        if other.machine.stage() == Stage::Starting {
            self.call_event(now, given_up, attempt::Event::Withdrawn, out);
            return Some((agent, None));
        }
        let (campaign, started) = (other.campaign, other.started);
        self.release_credit(campaign, attempt);
        let room = self.rooms.get_mut(&campaign)?;
        let span = room.span_since(started, now);
        room.credit.ledger.start(given_up, span);
        Some((agent, Some(given_up)))
    }

    /// May `other` go on uncovered so that `answered` gets its agent? In the place of an uncovered call, where its windows
    /// bore that one; on fresh credit only where nobody else spends it: no transaction asks the ledger again about a call
    /// that has left.
    fn may_give_up_agent(&self, now: Now, other: &Call, answered: &Call) -> bool {
        let Some(room) = self.rooms.get(&other.campaign) else { return false };
        if needs_own_agent(&other.lead) {
            return false;
        }
        let span = room.span_since(other.started, now);
        let passed_on = other.campaign == answered.campaign
            && room.credit.ledger.may_pass_on(answered.attempt, span, !self.shared);
        let fresh = !self.shared && room.credit.ledger.admits(span);
        room.dials_uncovered() && (passed_on || fresh)
    }

    /// Whether the agent kept for `other` could take a call of this campaign and language.
    fn keeps_fit(&self, other: &Call, campaign: CampaignId, language: &str) -> bool {
        let Some(room) = self.rooms.get(&campaign) else { return false };
        let wanted = Wanted { skills: &room.settings.skills, language };
        let desk = other.agent.and_then(|agent| self.desks.get(&agent));
        desk.is_some_and(|desk| {
            desk.machine.is_kept_for(other.attempt) && fits(desk.offered(), wanted)
        })
    }

    /// Whether anybody fits who is free or kept for a call, or, in predictive mode, may be free by the answer.
    fn has_agent_for(&self, campaign: CampaignId, language: &str) -> bool {
        let Some(room) = self.rooms.get(&campaign) else { return false };
        let wanted = Wanted { skills: &room.settings.skills, language };
        let predicts = matches!(room.settings.mode, DialMode::Predictive);
        let suits = |desk: &Desk| fits(desk.offered(), wanted);
        let may_be_free = |desk: &&Desk| match desk.machine.kind() {
            Kind::OnCall | Kind::WrapUp => !desk.machine.is_leaving(),
            Kind::Ready
            | Kind::Reserved
            | Kind::Offline
            | Kind::LoggingIn
            | Kind::Paused
            | Kind::Previewing => false,
        };
        self.desks.near().any(suits)
            || (predicts && self.desks.values().filter(may_be_free).any(suits))
    }

    pub(super) fn release_credit(&mut self, campaign: CampaignId, attempt: AttemptId) {
        if let Some(room) = self.rooms.get_mut(&campaign) {
            room.credit.ledger.release(attempt);
        }
    }

    /// Asks the database what the windows of now hold, where that is not known or has changed.
    pub(super) fn read_ledger(&mut self, now: Now, campaign: CampaignId, out: &mut Vec<Action>) {
        while let Some(room) = self.rooms.get_mut(&campaign)
            && let Some((window, held)) = room.credit.next_read(room.span(now))
        {
            let read = StoreCommand::Account { campaign, window };
            self.store(read, Waiting::Account { campaign, window, held }, out);
        }
    }

    pub(super) fn ledger_read(
        &mut self,
        now: Now,
        campaign: CampaignId,
        window: UtcMs,
        held: &[AttemptId],
        reply: StoreReply,
        out: &mut Vec<Action>,
    ) {
        let Some(room) = self.rooms.get_mut(&campaign) else { return };
        if let StoreReply::Account(account) = reply {
            room.credit.read(window, account, held);
            self.read_ledger(now, campaign, out);
        } else {
            room.credit.not_read(window, held);
        }
    }
}

/// A person who was promised this call, or who may have met silence in a crash: not a second time.
fn needs_own_agent(lead: &ClaimedLead) -> bool {
    lead.promise.is_some() || lead.last_outcome == Some(Outcome::Unknown)
}

/// Leads of which the engine is told how likely they answer; those after them are as usual.
const NEXT: usize = 32;
/// Before the database is asked for credit again, and before the lead for which it had none is tried again.
pub(super) const NO_CREDIT: Duration = Duration::from_secs(1);
/// From our CANCEL until nothing can come of the call any more: 64·T1 (RFC 3261 §9.1), and a margin for clocks.
const AFTER_CANCEL: Duration = Duration::from_secs(32 + 10);
