//! One trunk: its rate, its channels, and who waits for the next INVITE.

use std::collections::VecDeque;
use std::time::Duration;

use crate::logic::attempt::{Event, Stage};
use crate::logic::dialer::{Action, Dialer, LegCommand, LegOwner, StoreHealth, Timer};
use crate::logic::ids::{AttemptId, LegId};
use crate::logic::pacing::call_rate::CallRate;
use crate::logic::pacing::trunk_share::{Share, ShareAsk, ShareDrawn, TrunkShare};
use crate::logic::settings::TrunkSettings;
use crate::logic::time::{Now, Tick};

/// One trunk.
#[derive(Debug)]
pub(super) struct Line {
    /// `calls_per_second` and `channels` are what is allowed now.
    pub(super) settings: TrunkSettings,
    /// What the trunk allows at most, over all processes.
    pub(super) limit: u32,
    burst: u32,
    /// What a person allows here.
    chosen: u32,
    /// Our part, where other processes use the trunk too.
    share: Option<TrunkShare>,
    rate: CallRate,
    /// Attempts that hold a channel, from the intent to the end of the leg.
    pub(super) in_use: u32,
    queue: VecDeque<Sender>,
    /// When INVITEs left in the last second.
    sent: VecDeque<Tick>,
}

/// Who waits for the right to send an INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    First(AttemptId),
    /// The second INVITE, after a digest challenge.
    Authorized(LegId),
}

impl Line {
    pub(super) fn new(mut settings: TrunkSettings, shared: bool) -> Self {
        let rate = CallRate::new(settings.calls_per_second, settings.burst);
        let (limit, burst) = (settings.calls_per_second, settings.burst);
        let share = shared.then(|| {
            let whole = Share { calls_per_second: limit, channels: settings.channels };
            settings.calls_per_second = 0;
            settings.channels = 0;
            TrunkShare::new(whole)
        });
        Self {
            settings,
            limit,
            burst,
            chosen: limit,
            share,
            rate,
            in_use: 0,
            queue: VecDeque::new(),
            sent: VecDeque::new(),
        }
    }

    /// From now on at most so many INVITEs per second; the caller keeps it within the limit.
    pub(super) fn set_rate(&mut self, now: Now, calls_per_second: u32) {
        self.chosen = calls_per_second;
        self.apply(now);
    }

    /// See [`TrunkShare::ask`].
    pub(super) fn ask_share(&mut self, now: Now, wanted: bool) -> Option<ShareAsk> {
        let ask = self.share.as_mut()?.ask(wanted, self.in_use);
        self.apply(now);
        ask
    }

    /// See [`TrunkShare::drawn`]; `None`: the database refused to answer.
    pub(super) fn share_drawn(&mut self, now: Now, drawn: Option<ShareDrawn>) -> bool {
        let Some(share) = &mut self.share else { return false };
        let again = match drawn {
            Some(drawn) => share.drawn(now.tick, drawn),
            None => {
                share.not_drawn();
                false
            }
        };
        self.apply(now);
        again
    }

    pub(super) fn share_settles(&self) -> Option<Tick> {
        self.share.as_ref().and_then(TrunkShare::next_timeout)
    }

    pub(super) fn settle_share(&mut self, now: Now) {
        if let Some(share) = &mut self.share {
            share.settle(now.tick);
            self.apply(now);
        }
    }

    /// What a person chose, as far as our share goes.
    fn apply(&mut self, now: Now) {
        let mut rate = self.chosen;
        if let Some(share) = &self.share {
            let usable = share.usable();
            rate = rate.min(usable.calls_per_second);
            self.settings.channels = usable.channels;
        }
        if rate == self.settings.calls_per_second {
            return;
        }
        self.settings.calls_per_second = rate;
        // Bursts are shared as the rate is; one INVITE is no burst.
        let burst = u64::from(self.burst) * u64::from(rate) / u64::from(self.limit.max(1));
        (self.settings.burst, self.rate) = match &self.share {
            Some(_) => {
                let burst = u32::try_from(burst).unwrap_or(1).max(1);
                (burst, CallRate::part_after_another(now.tick, rate, burst))
            }
            None => (self.burst, CallRate::after_another(now.tick, rate, self.burst)),
        };
    }

    /// Whether another attempt may begin: a channel is free, and what waits already leaves within half a second, so
    /// that no intent grows old in the queue.
    pub(super) fn refusal(&self, starting: usize) -> Option<&'static str> {
        if self.share.is_some() && self.settings.calls_per_second == 0 {
            return Some("share");
        }
        if self.in_use >= self.settings.channels {
            return Some("channels");
        }
        let half_a_second =
            usize::try_from(self.settings.calls_per_second.div_ceil(2)).unwrap_or(1).max(1);
        (starting >= half_a_second).then_some("calls_per_second")
    }

    /// Whether a challenged leg waits here for its second INVITE.
    pub(super) fn holds(&self, leg: LegId) -> bool {
        self.queue.iter().any(|sender| matches!(sender, Sender::Authorized(held) if *held == leg))
    }

    /// INVITEs that left in the last second.
    pub(super) fn last_second(&self, now: Now) -> usize {
        self.sent.iter().filter(|at| now.tick.since(**at) < Duration::from_secs(1)).count()
    }

    fn note_sent(&mut self, now: Now) {
        while self.sent.front().is_some_and(|at| now.tick.since(*at) >= Duration::from_secs(1)) {
            self.sent.pop_front();
        }
        self.sent.push_back(now.tick);
    }
}

impl Dialer {
    /// An attempt whose intent is durable waits for the rate limiter.
    pub(super) fn queue_first(
        &mut self,
        now: Now,
        line: usize,
        attempt: AttemptId,
        out: &mut Vec<Action>,
    ) {
        self.queue(now, line, Sender::First(attempt), out);
    }

    /// A challenged leg waits for the rate limiter: its second INVITE counts.
    pub(super) fn queue_authorized(
        &mut self,
        now: Now,
        line: usize,
        leg: LegId,
        out: &mut Vec<Action>,
    ) {
        self.queue(now, line, Sender::Authorized(leg), out);
    }

    fn queue(&mut self, now: Now, line: usize, sender: Sender, out: &mut Vec<Action>) {
        if let Some(room) = self.lines.get_mut(line) {
            room.queue.push_back(sender);
            self.grant(now, line, out);
        }
    }

    /// Lets go what the rate allows, and wakes up for the rest.
    pub(super) fn grant(&mut self, now: Now, index: usize, out: &mut Vec<Action>) {
        loop {
            let sender = match self.first_ready(now, index) {
                Ok(Some(sender)) => sender,
                Ok(None) => return,
                Err(at) => {
                    self.deadlines.set(Timer::Line(index), Some(at));
                    return;
                }
            };
            if !self.still_wanted(now, sender, out) {
                self.drop_sender(index, sender);
                continue;
            }
            let Some(line) = self.lines.get_mut(index) else { return };
            if line.settings.calls_per_second == 0 {
                // Our share is away: what waits grows old and is given up, unless a share comes first.
                self.deadlines.set(Timer::Line(index), Some(now.tick + NO_SHARE));
                return;
            }
            if let Err(at) = line.rate.take(now.tick) {
                self.deadlines.set(Timer::Line(index), Some(at));
                return;
            }
            line.note_sent(now);
            self.drop_sender(index, sender);
            match sender {
                Sender::First(attempt) => {
                    if let Some(call) = self.calls.get(&attempt)
                        && let Some(room) = self.rooms.get_mut(&call.campaign)
                    {
                        room.own_rates.take(now.tick, call.phone.number.reveal());
                    }
                    self.call_event(now, attempt, Event::Granted, out);
                }
                Sender::Authorized(leg) => out.push(Action::Leg(leg, LegCommand::Authorize)),
            }
        }
    }

    /// Asked before a right is spent. The gates that need no database are asked here once more, also before a second
    /// INVITE: the first one, which was challenged, has rung nobody.
    fn still_wanted(&mut self, now: Now, sender: Sender, out: &mut Vec<Action>) -> bool {
        let (attempt, stage, take_back) = match sender {
            Sender::First(attempt) => (attempt, Stage::Starting, Event::Withdrawn),
            Sender::Authorized(leg) => match self.legs.get(&leg) {
                Some(LegOwner::Call(attempt)) => (*attempt, Stage::Dialing, Event::Stop),
                Some(LegOwner::Desk(_) | LegOwner::Recovered(_) | LegOwner::Stray) | None => {
                    return false;
                }
            },
        };
        let Some(call) = self.calls.get(&attempt) else { return false };
        if call.machine.stage() != stage {
            return false;
        }
        let may_go = self.health != StoreHealth::Gone
            && self.may_invite(now)
            && self.gate_in_memory(now, call.campaign, &call.phone, call.class).is_none()
            && self.may_still_go(attempt);
        if !may_go {
            self.call_event(now, attempt, take_back, out);
        }
        may_go
    }

    /// The first in the queue whose campaign lets it go; else from when on one may.
    fn first_ready(&self, now: Now, index: usize) -> Result<Option<Sender>, Tick> {
        let Some(line) = self.lines.get(index) else { return Ok(None) };
        let mut earliest: Option<Tick> = None;
        for sender in &line.queue {
            let ready = match sender {
                Sender::First(attempt) => self.calls.get(attempt).and_then(|call| {
                    let room = self.rooms.get(&call.campaign)?;
                    room.own_rates.ready(now.tick, call.phone.number.reveal()).err()
                }),
                // Its call has had its turn.
                Sender::Authorized(_) => None,
            };
            match ready {
                None => return Ok(Some(*sender)),
                Some(at) => earliest = Some(earliest.map_or(at, |earliest| earliest.min(at))),
            }
        }
        earliest.map_or(Ok(None), Err)
    }

    fn drop_sender(&mut self, index: usize, sender: Sender) {
        if let Some(line) = self.lines.get_mut(index)
            && let Some(place) = line.queue.iter().position(|other| *other == sender)
        {
            line.queue.remove(place);
        }
    }
}

/// Before a queue without a share is looked at again.
const NO_SHARE: Duration = Duration::from_millis(250);
