//! What must hold. Each rule is a sentence; a world that breaks one stops with it.
//!
//! Checked while the world runs, each at the moment it could first be broken; [`Rules::at_the_end`] checks the rest.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use outdial::logic::dialer::command::{AgentNotice, AgentState};
use outdial::logic::dialer::{CampaignState, Intent, StoreCommand, StoreReply};
use outdial::logic::ids::{AttemptId, LegId};
use outdial::logic::media::{MediaCommand, Sound};
use outdial::logic::node::NodeAction;
use outdial::logic::outcome::Outcome;
use outdial::logic::settings::CallingHours;
use outdial::logic::time::{Now, Tick};
use outdial::simulation::carrier_record::{CallRecord, CarrierRecord};

use crate::eye::{AttemptRow, Window};
use crate::plan::{MIN_GAP, Plan, REMOVED_SAMPLES};
use crate::wire_text::FirstInvite;

/// Stops the world.
macro_rules! broken {
    ($rule:expr, $($what:tt)+) => {
        panic!("broken rule: {}\n  {}", $rule, format!($($what)+))
    };
}

/// What the rules remember.
#[derive(Debug)]
pub(crate) struct Rules {
    hours: BTreeMap<String, CallingHours>,
    channels: usize,
    calls_per_second: usize,
    cap_per_day: usize,
    /// How long a datagram may need in the end: 64*T1, or hardly any time where none is lost.
    patience: Duration,
    /// New INVITEs towards the carrier: when, as whose process.
    invites: VecDeque<Tick>,
    branches: BTreeSet<String>,
    /// Attempt of each Call-ID, and what both clocks said when its first INVITE left.
    calls: BTreeMap<String, (i64, Now)>,
    /// Call-IDs towards each number.
    by_number: BTreeMap<String, Vec<String>>,
    intents: BTreeMap<AttemptId, Intent>,
    refs: BTreeMap<String, AttemptId>,
    /// Answered legs that reached nobody yet, and until when they may.
    unheard: BTreeMap<LegId, (AttemptId, Tick)>,
    /// Attempts of this process that are over or never were.
    over: BTreeSet<AttemptId>,
    /// Reserved or speaking agents, and the public reference of the call before them.
    kept: BTreeMap<String, (AgentState, String)>,
    /// Persons and numbers of a seller that refused, durably.
    refused: BTreeSet<(i64, String)>,
    outcomes: BTreeMap<i64, Outcome>,
    /// Call-IDs of a dead process that were open at the restart, and until when they may be.
    orphans: BTreeMap<String, Tick>,
    /// Call-IDs of this process that hold a channel, as far as the carrier has told.
    open: BTreeSet<String>,
    /// Call-IDs of dead processes that may still be open.
    crashed_calls: BTreeSet<String>,
    /// Answered legs by attempt.
    listening: BTreeMap<LegId, AttemptId>,
    /// Attempts of which it is durable how to end the answered leg.
    answers: BTreeSet<AttemptId>,
    /// Campaigns that are not running, durably.
    paused: BTreeSet<i64>,
    /// Intents that are durable.
    saved: BTreeSet<AttemptId>,
    connect: Duration,
}

impl Rules {
    pub(crate) fn new(plan: &Plan, patience: Duration) -> Self {
        let first = &plan.campaigns[0];
        let hours = plan.campaigns.iter().map(|c| (c.name.clone(), c.hours.clone())).collect();
        Self {
            hours,
            channels: usize::try_from(plan.trunk.channels.min(plan.lines)).unwrap(),
            calls_per_second: usize::try_from(plan.trunk.calls_per_second).unwrap(),
            cap_per_day: usize::try_from(first.caps.per_day).unwrap(),
            connect: first.limits.connect,
            patience,
            invites: VecDeque::new(),
            branches: BTreeSet::new(),
            calls: BTreeMap::new(),
            by_number: BTreeMap::new(),
            intents: BTreeMap::new(),
            refs: BTreeMap::new(),
            unheard: BTreeMap::new(),
            over: BTreeSet::new(),
            kept: BTreeMap::new(),
            refused: BTreeSet::new(),
            outcomes: BTreeMap::new(),
            orphans: BTreeMap::new(),
            open: BTreeSet::new(),
            crashed_calls: BTreeSet::new(),
            answers: BTreeSet::new(),
            listening: BTreeMap::new(),
            paused: BTreeSet::new(),
            saved: BTreeSet::new(),
        }
    }

    /// An INVITE leaves for the carrier. `live`: the attempt under way to that number, as it is durable.
    pub(crate) fn invite_leaves(
        &mut self,
        now: Now,
        invite: &FirstInvite,
        live: Option<&AttemptRow>,
        epoch: u32,
        carrier: &CarrierRecord,
    ) {
        if !self.branches.insert(invite.branch.clone()) {
            return;
        }
        self.rate_is_kept(now, invite);
        let Some(live) = live.filter(|live| live.epoch == i64::from(epoch)) else {
            broken!(
                "no INVITE leaves before its attempt is durable",
                "{invite:?} while the number's attempt is {live:?}"
            );
        };
        if let Some((known, _)) = self.calls.get(&invite.call_id) {
            assert_eq!(*known, live.id, "one Call-ID, one attempt: {invite:?}");
            return;
        }
        self.calls.insert(invite.call_id.clone(), (live.id, now));
        let open = |call_id: &String| {
            carrier
                .call(call_id)
                .filter(|call| call.ended_us.is_none())
                .map(|c| (call_id.clone(), c.clone()))
        };
        let same = self.by_number.entry(invite.called.clone()).or_default();
        if let Some((_, other)) = same.iter().find_map(open) {
            broken!(
                "no two live calls to one number",
                "{invite:?} of {live:?} at {now:?} while the carrier still has {other:?}"
            );
        }
        same.push(invite.call_id.clone());
        // A BYE of the callee frees the channel when it leaves, whenever our answer to it gets through.
        self.open.retain(|call_id| {
            carrier
                .call(call_id)
                .is_none_or(|call| call.ended_us.is_none() && call.hung_up_us.is_none())
        });
        let in_use = self.open.len() + 1;
        if in_use > self.channels {
            broken!("calls stay within the channels", "{in_use} of {}: {invite:?}", self.channels);
        }
        self.open.insert(invite.call_id.clone());
        for key in [live.phone_key.clone(), format!("c:{}", live.contact)] {
            if self.refused.contains(&(live.seller, key.clone())) {
                broken!(
                    "after a durable refusal nobody of that seller calls",
                    "{key} refused, and {invite:?} leaves for {live:?}"
                );
            }
        }
        let intent = self.intents.get(&AttemptId(live.id));
        if let Some(CallingHours::Weekly(weekly)) =
            intent.and_then(|intent| self.hours.get(&campaign_of(intent, &self.hours)))
        {
            // Tokyo is nine hours ahead, all year.
            let minute = (now.utc.0 / 60_000 + 540).rem_euclid(1_440);
            let open = weekly.days[0]
                .iter()
                .any(|range| (i64::from(range.start)..i64::from(range.end)).contains(&minute));
            if !open {
                broken!("nobody is called outside hours", "{invite:?} in minute {minute}");
            }
        }
    }

    fn rate_is_kept(&mut self, now: Now, invite: &FirstInvite) {
        self.invites.push_back(now.tick);
        while self.invites.front().is_some_and(|at| now.tick.since(*at) >= SECOND) {
            self.invites.pop_front();
        }
        if self.invites.len() > self.calls_per_second {
            broken!(
                "INVITEs per second stay within the trunk's limit",
                "{} in one second, the last one {invite:?}",
                self.invites.len()
            );
        }
    }

    /// The node did something.
    pub(crate) fn acted(&mut self, now: Now, action: &NodeAction) {
        match action {
            NodeAction::Store(_, command) => self.ordered(now, command),
            NodeAction::Media(MediaCommand::Bridge { a, b }) => {
                self.unheard.remove(a);
                self.unheard.remove(b);
            }
            NodeAction::Media(MediaCommand::Play {
                leg, sound: Sound::Samples(samples), ..
            }) => {
                self.unheard.remove(leg);
                if samples.len() == REMOVED_SAMPLES {
                    self.refusal_is_confirmed(*leg);
                }
            }
            NodeAction::Notice(notice) => self.noticed(notice),
            NodeAction::Media(_)
            | NodeAction::Send { .. }
            | NodeAction::Reply(..)
            | NodeAction::Finished => {}
        }
    }

    /// The person hears that nobody will call again.
    fn refusal_is_confirmed(&self, leg: LegId) {
        let intent = self.listening.get(&leg).and_then(|attempt| self.intents.get(attempt));
        let key = |intent: &Intent| (intent.seller.0, format!("c:{}", intent.contact));
        if !intent.is_some_and(|intent| self.refused.contains(&key(intent))) {
            broken!("a refusal is durable before it is confirmed", "{leg:?} of {intent:?}");
        }
    }

    fn ordered(&mut self, now: Now, command: &StoreCommand) {
        if let StoreCommand::Intent(intent) = command {
            self.refs.insert(intent.public_ref.clone(), intent.attempt);
            self.intents.insert(intent.attempt, (**intent).clone());
        } else if let StoreCommand::LegAnswered(answered) = command {
            self.listening.extend(answered.attempt.map(|attempt| (answered.leg, attempt)));
            if let Some(attempt) = answered.attempt.filter(|attempt| !self.over.contains(attempt)) {
                let until = now.tick + self.connect + SLACK;
                self.unheard.insert(answered.leg, (attempt, until));
            }
        } else if let StoreCommand::Outcome(outcome) = command {
            self.over.insert(outcome.attempt);
            let booked = outcome.booking.abandoned;
            self.unheard.retain(|leg, (attempt, _)| {
                if *attempt == outcome.attempt && !booked && outcome.outcome != Outcome::AgentLost {
                    broken!(
                        "every answered call reaches an agent, a message, or is booked as abandoned",
                        "{leg:?} reached nobody: {outcome:?}"
                    );
                }
                *attempt != outcome.attempt
            });
        }
    }

    fn noticed(&mut self, notice: &AgentNotice) {
        let busy = matches!(notice.state, AgentState::Reserved | AgentState::OnCall);
        match notice.page.as_ref().filter(|_| busy) {
            Some(page) => {
                let kept = (notice.state, page.attempt.clone());
                self.kept.insert(notice.agent.clone(), kept);
            }
            None => {
                self.kept.remove(&notice.agent);
            }
        }
    }

    /// The node took an input and did all that it asked for.
    pub(crate) fn turn_is_over(&self, now: Now) {
        for (agent, (state, page)) in &self.kept {
            // The page is turned before the intent is ordered, in one turn.
            let attempt = self.refs.get(page);
            if attempt.is_none_or(|attempt| self.over.contains(attempt)) {
                broken!(
                    "no agent is kept for a call that is over",
                    "{agent} is {state:?} for {attempt:?} at {now:?}"
                );
            }
        }
        if let Some((leg, (attempt, until))) =
            self.unheard.iter().find(|(_, (_, until))| *until < now.tick)
        {
            broken!(
                "every answered call reaches an agent or a message in time",
                "{leg:?} of {attempt:?} should have by {until:?}, and it is {now:?}"
            );
        }
    }

    /// The node hears a reply of the database.
    pub(crate) fn heard(&mut self, intent: Option<AttemptId>, reply: &StoreReply) {
        if let (Some(attempt), StoreReply::Refused { .. }) = (intent, reply) {
            self.over.insert(attempt);
        }
    }

    /// A batch is durable. Returns the attempts whose outcome it may have changed.
    pub(crate) fn committed(
        &mut self,
        batch: &[StoreCommand],
        replies: &[StoreReply],
    ) -> Vec<AttemptId> {
        let mut changed = vec![];
        // States come first in the order of effects.
        for command in batch {
            if let StoreCommand::CampaignState { campaign, state, .. } = command {
                if *state == CampaignState::Running {
                    self.paused.remove(&campaign.0);
                } else {
                    self.paused.insert(campaign.0);
                }
            }
        }
        for (command, reply) in batch.iter().zip(replies) {
            if let (StoreCommand::Intent(intent), StoreReply::Saved) = (command, reply)
                && self.saved.insert(intent.attempt)
                && self.paused.contains(&intent.campaign.0)
            {
                broken!("a paused campaign starts nothing", "{intent:?}");
            }
            let suppress = match command {
                StoreCommand::Outcome(outcome) => {
                    changed.push(outcome.attempt);
                    outcome.suppress.as_ref()
                }
                StoreCommand::Disposition(said) => said.suppress.as_ref(),
                StoreCommand::Suppress(suppress) => Some(suppress),
                StoreCommand::LegAnswered(answered) => {
                    self.answers.extend(answered.attempt);
                    None
                }
                StoreCommand::Claim(_)
                | StoreCommand::Promote { .. }
                | StoreCommand::Release(_)
                | StoreCommand::Intent(_)
                | StoreCommand::AgentLeg(_)
                | StoreCommand::LegEnded(_)
                | StoreCommand::Covered { .. }
                | StoreCommand::Connected { .. }
                | StoreCommand::AgentState(_)
                | StoreCommand::CampaignState { .. }
                | StoreCommand::CampaignMode { .. }
                | StoreCommand::Account { .. }
                | StoreCommand::Look(_)
                | StoreCommand::DrawShare(_)
                | StoreCommand::NodeEnded { .. }
                | StoreCommand::Heartbeat { .. }
                | StoreCommand::Learned(_)
                | StoreCommand::Count { .. } => None,
            };
            if let Some(suppress) = suppress {
                let contact = suppress.contact.map(|contact| format!("c:{contact}"));
                for key in contact.into_iter().chain(suppress.phone_key.clone()) {
                    self.refused.insert((suppress.seller.0, key));
                }
            }
        }
        changed
    }

    /// How many persons and numbers refused.
    pub(crate) fn refusals(&self) -> usize {
        self.refused.len()
    }

    /// How many attempts have ended.
    pub(crate) fn ends(&self) -> u32 {
        u32::try_from(self.outcomes.len()).unwrap()
    }

    /// An attempt as it stands after a commit.
    pub(crate) fn outcome_is(&mut self, row: &AttemptRow) {
        let Some(outcome) = row.outcome.as_deref().map(|text| text.parse::<Outcome>().unwrap())
        else {
            return;
        };
        if let Some(before) = self.outcomes.insert(row.id, outcome)
            && before != outcome
            && before != Outcome::Unknown
        {
            broken!("an outcome is final, unless it was unknown", "{before} before {row:?}");
        }
    }

    pub(crate) fn ledger_is(&self, windows: &[Window]) {
        for window in windows {
            if window.booked != window.summed {
                broken!("a window holds the sum of its attempts' flags", "{window:?}");
            }
            let [answered, abandoned, faults] = window.booked;
            let allowed = answered * window.cap_ppm / 1_000_000 + faults;
            if abandoned > allowed {
                broken!("D <= r*A + faults", "{abandoned} > {allowed}: {window:?}");
            }
        }
    }

    /// The process died.
    pub(crate) fn crashed(&mut self) {
        self.unheard.clear();
        self.over.clear();
        self.kept.clear();
        // An INVITE may still be on its way: what the carrier knows of it is asked at the deadline.
        self.crashed_calls.append(&mut self.open);
        self.orphans.clear();
    }

    /// A new process runs: what the dead one left open must end soon.
    pub(crate) fn restarted(&mut self, now: Tick) {
        let until = now + self.patience;
        self.orphans = self.crashed_calls.iter().map(|id| (id.clone(), until)).collect();
    }

    /// Asked now and then.
    pub(crate) fn orphans_end(&mut self, now: Tick, carrier: &CarrierRecord) {
        // A dialog can be ended only by its tags. Those of an answer that was acknowledged in the milliseconds before the
        // crash and never stored are lost: such a call ends when the callee hangs up.
        let is_open = |id: &String| {
            let stored = || {
                self.calls
                    .get(id)
                    .is_some_and(|(attempt, _)| self.answers.contains(&AttemptId(*attempt)))
            };
            carrier.call(id).is_some_and(|call| {
                call.ended_us.is_none() && (call.confirmed_us.is_none() || stored())
            })
        };
        if let Some((id, _)) = self.orphans.iter().find(|(id, until)| **until < now && is_open(id))
        {
            broken!(
                "after a restart every leg of the dead process is ended",
                "{:?} at {now:?}",
                carrier.call(id)
            );
        }
        let crashed = &mut self.crashed_calls;
        self.orphans.retain(|id, until| {
            let keep = *until >= now;
            if !keep {
                crashed.remove(id);
            }
            keep
        });
    }

    pub(crate) fn at_the_end(&self, attempts: &[AttemptRow], carrier: &CarrierRecord) {
        for row in attempts {
            let Some(outcome) = &row.outcome else {
                broken!("every attempt has one outcome at the end", "{row:?}");
            };
            let revised = row.first_outcome.as_ref().filter(|first| *first != outcome);
            if revised.is_some_and(|first| first != "unknown") {
                broken!("only an unknown outcome is revised", "{row:?}");
            }
        }
        let rows: BTreeMap<i64, &AttemptRow> = attempts.iter().map(|row| (row.id, row)).collect();
        let mut by_contact: BTreeMap<i64, Vec<(&CallRecord, &AttemptRow, Now)>> = BTreeMap::new();
        for call in &carrier.calls {
            let Some((row, at)) =
                self.calls.get(&call.call_id).and_then(|(id, at)| Some((*rows.get(id)?, *at)))
            else {
                broken!("every call at the carrier has an attempt", "{call:?}");
            };
            by_contact.entry(row.contact).or_default().push((call, row, at));
            self.end_is_true(call, row);
            if call.ended_us.is_none() {
                broken!("nothing is left open at the carrier", "{call:?} of {row:?}");
            }
        }
        for calls in by_contact.values_mut() {
            calls.sort_by_key(|(call, _, _)| call.invites_us.first().copied());
            self.caps_are_kept(calls);
        }
    }

    /// What the carrier saw and what the row says.
    fn end_is_true(&self, call: &CallRecord, row: &AttemptRow) {
        let outcome: Outcome = row.outcome.as_deref().unwrap_or_default().parse().unwrap();
        let answered = call.confirmed_us.is_some();
        let reached = row.connected_ms.is_some();
        let fits = match outcome {
            Outcome::Connected | Outcome::AgentLost => call.answered_us.is_some() && reached,
            Outcome::MessagePlayed | Outcome::MessageCut => {
                call.answered_us.is_some() && !row.abandoned && !reached
            }
            Outcome::Abandoned => call.answered_us.is_some() && row.abandoned,
            Outcome::Unknown => reached || row.abandoned,
            Outcome::NotPlaced => false,
            Outcome::NoAnswer
            | Outcome::Busy
            | Outcome::Rejected
            | Outcome::Unwanted
            | Outcome::Invalid
            | Outcome::Unreachable
            | Outcome::Congestion
            | Outcome::TrunkFault
            | Outcome::NotDelivered
            | Outcome::Cancelled => !answered,
        };
        if !fits {
            broken!(
                "the outcome is what the carrier saw, and an answered call is connected or booked",
                "{call:?}\n  {row:?}"
            );
        }
    }

    fn caps_are_kept(&self, calls: &[(&CallRecord, &AttemptRow, Now)]) {
        for (place, (call, row, at)) in calls.iter().enumerate() {
            let earlier = &calls[..place];
            let same_seller = |other: &&(&CallRecord, &AttemptRow, Now)| {
                other.1.seller == row.seller && other.1.counted
            };
            let within_day = earlier
                .iter()
                .filter(same_seller)
                .filter(|(_, _, other)| (0..86_400_000).contains(&(at.utc.0 - other.utc.0)))
                .count();
            if within_day >= self.cap_per_day {
                broken!(
                    "a person is called no more often than the caps allow",
                    "{within_day} calls in the day before {call:?} of {row:?}"
                );
            }
            for (_, other, _) in earlier.iter().filter(same_seller) {
                let ended = other.ended_ms.unwrap_or(i64::MAX);
                let gap = i64::try_from(MIN_GAP.as_millis()).unwrap();
                if row.started_ms < ended.saturating_add(gap) {
                    broken!(
                        "two attempts to a person keep their least distance",
                        "{row:?} after {other:?}"
                    );
                }
            }
        }
    }
}

/// The worlds name a campaign's hours by its place: all campaigns of a world keep the same ones.
fn campaign_of(_: &Intent, hours: &BTreeMap<String, CallingHours>) -> String {
    hours.keys().next().cloned().unwrap_or_default()
}

const SECOND: Duration = Duration::from_secs(1);
/// The node's timers fire within a turn of the world; a datagram takes no time inside the node.
const SLACK: Duration = Duration::from_millis(1);
