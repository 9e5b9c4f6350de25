//! What the end of an attempt, a disposition or a recovery writes.

use std::time::Duration;

use crate::logic::agent::Kind;
use crate::logic::attempt::{End, Failure, INTENT_AGE, is_short_ring, outcome_of_failure};
use crate::logic::campaign::retry::{self, Ended, Next, NumberAfter};
use crate::logic::dialer::call::Call;
use crate::logic::dialer::command::AgentPage;
use crate::logic::dialer::room::Room;
use crate::logic::dialer::{
    Action, Asker, Booking, CallbackRecord, Dialer, DispositionRecord, LeadAfter, LeadPhone,
    LeadState, LegEvent, LegOwner, OpenAttempt, OutcomeRecord, PhoneAfter, StoreCommand, Suppress,
    Waiting,
};
use crate::logic::gate::Gate;
use crate::logic::ids::{
    AgentId, AttemptId, CallbackId, CampaignId, ClassId, ContactId, LeadId, LegId, PhoneId,
    SellerId, SuppressionId,
};
use crate::logic::outcome::Outcome;
use crate::logic::settings::{Disposition, DispositionEffect};
use crate::logic::time::{Now, UtcMs};

/// What an agent said while the call went on: it decides the lead when the outcome is recorded.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) after: LeadAfter,
    pub(super) live: Option<bool>,
}

/// What an agent says of a call.
#[derive(Debug)]
pub(super) struct Saying<'a> {
    /// One of the campaign's codes.
    pub(super) code: &'a str,
    pub(super) memo: Option<String>,
    /// When a call is promised, where the agent gave a time.
    pub(super) callback: Option<UtcMs>,
    /// Who is told when it is durable, besides the agent's ear.
    pub(super) asker: Option<Asker>,
}

/// A call an agent can still say something of.
#[derive(Clone, Debug)]
pub(super) struct LastCall {
    pub(super) attempt: AttemptId,
    pub(super) campaign: CampaignId,
    lead: LeadId,
    seller: SellerId,
    contact: ContactId,
    pub(super) class: ClassId,
    pub(super) phone: LeadPhone,
    other_phone: Option<PhoneId>,
    answered_at: Option<UtcMs>,
    pub(super) page: AgentPage,
}

impl LastCall {
    pub(super) fn of(call: &Call, room: &Room, page: AgentPage) -> Self {
        Self {
            attempt: call.attempt,
            campaign: call.campaign,
            lead: call.lead.lead,
            seller: room.seller,
            contact: call.lead.contact,
            class: call.class,
            phone: call.phone.clone(),
            other_phone: other_phone(call),
            answered_at: call.machine.answered_at(),
            page,
        }
    }
}

impl Dialer {
    /// The row of an attempt's end, and the counts of this run.
    pub(super) fn outcome_row(
        &mut self,
        now: Now,
        attempt: AttemptId,
        end: &End,
    ) -> Option<OutcomeRecord> {
        // Only where it is needed: an outcome is written though the ids are used up.
        let refused = end.outcome == Outcome::Unwanted;
        let suppression = refused.then(|| self.ids.make()).flatten().map(SuppressionId);
        let call = self.calls.get(&attempt)?;
        let room = self.rooms.get(&call.campaign)?;
        let said = call.said.clone();
        let (today, _) = room.day(now.utc);
        let next_day = room.next_day(now.utc, &call.phone);
        let same_before =
            if call.lead.last_outcome == Some(end.outcome) { call.lead.same_outcome } else { 0 };
        let counted = u32::from(end.outcome.uses_attempt());
        let ended = Ended {
            outcome: end.outcome,
            attempts: call.lead.attempts + counted,
            same_outcome: same_before + 1,
            retry_after: end.failure.retry_after,
            suspect_day: call.phone.suspect_day,
            today,
            other_number: other_phone(call).is_some(),
        };
        let (next, number) = retry::after(&room.settings, ended);
        let after = match &said {
            Some(said) if matches!(end.outcome, Outcome::Connected | Outcome::MessagePlayed) => {
                said.after.clone()
            }
            Some(_) | None => lead_after(call, next, now.utc, next_day),
        };
        let live = match end.outcome {
            // The agent's word goes before the length of the talk: a long message on a machine is no person.
            Outcome::Connected | Outcome::AgentLost => {
                said.and_then(|said| said.live).or_else(|| end.long_talk.then_some(true))
            }
            // Only a key shows that a person listened.
            Outcome::MessagePlayed => said.and_then(|said| said.live),
            Outcome::Abandoned if end.answered_at.is_some() => Some(true),
            Outcome::Abandoned
            | Outcome::MessageCut
            | Outcome::NoAnswer
            | Outcome::Busy
            | Outcome::Rejected
            | Outcome::Unwanted
            | Outcome::Invalid
            | Outcome::Unreachable
            | Outcome::Congestion
            | Outcome::TrunkFault
            | Outcome::NotDelivered
            | Outcome::NotPlaced
            | Outcome::Cancelled
            | Outcome::Unknown => None,
        };
        let uncovered = room.credit.ledger.is_uncovered(attempt);
        let abandoned =
            end.outcome == Outcome::Abandoned || (end.outcome == Outcome::Unknown && uncovered);
        let window = room.window(end.answered_at.unwrap_or(end.ended_at));
        // Who hears a message wants no agent: the call earns no credit for others.
        let answered = (live == Some(true) && !call.machine.is_agentless()) || abandoned;
        let suppress = suppression.map(|suppression| Suppress {
            suppression,
            seller: room.seller,
            contact: Some(call.lead.contact),
            phone_key: Some(call.phone.key.clone()),
            reason: "unwanted".to_owned(),
            proof: call.public_ref.clone(),
            at: now.utc,
        });
        let record = OutcomeRecord {
            attempt,
            lead: call.lead.lead,
            fence: call.lead.fence,
            outcome: end.outcome,
            early_at: end.early_at,
            answered_at: end.answered_at,
            connected_at: end.connected_at,
            ended_at: end.ended_at,
            agent: call.agent.filter(|_| end.connected_at.is_some()),
            legs_closed: !call.leg_open,
            sip_status: end.failure.status,
            q850: end.failure.q850,
            message: call.message,
            live,
            booking: Booking { window, answered, abandoned, fault: false },
            after,
            phone: phone_after(number, call.phone.phone, today),
            suppress,
        };
        let campaign = call.campaign;
        let booking = self.book(campaign, attempt, record.booking);
        let record = OutcomeRecord { booking, ..record };
        self.count(campaign, end.outcome);
        self.count_booking(campaign, booking);
        Some(record)
    }

    /// The ledger's side of an outcome: whether a loss is a fault, and what credit is free again.
    fn book(&mut self, campaign: CampaignId, attempt: AttemptId, booking: Booking) -> Booking {
        let Some(room) = self.rooms.get_mut(&campaign) else { return booking };
        let fault = if booking.abandoned {
            room.credit.lose(attempt, booking.window.starts)
        } else {
            room.credit.ledger.release(attempt);
            false
        };
        if booking.answered {
            room.credit.booked(booking.window);
        }
        Booking { fault, ..booking }
    }

    fn count_booking(&mut self, campaign: CampaignId, booking: Booking) {
        if let Some(room) = self.rooms.get_mut(&campaign) {
            room.counts.live += u64::from(booking.answered);
            room.counts.abandoned += u64::from(booking.abandoned);
            room.counts.faults += u64::from(booking.fault);
        }
    }

    /// What an agent says of a call. The agent is told once it is durable.
    pub(super) fn dispose(
        &mut self,
        now: Now,
        agent: AgentId,
        attempt: AttemptId,
        saying: Saying<'_>,
        out: &mut Vec<Action>,
    ) -> Option<()> {
        let last = self.last_of(agent, attempt).cloned()?;
        let room = self.rooms.get(&last.campaign)?;
        let chosen = room.settings.dispositions.iter().find(|d| d.code == saying.code).cloned()?;
        let asker = saying.asker;
        let record = self.disposition(now, &last, Some(agent), &chosen, saying)?;
        if let Some(call) = self.calls.get_mut(&attempt).filter(|call| !call.recorded) {
            call.said = Some(Said { after: record.after.clone(), live: chosen.live });
        }
        if let Some(desk) = self.desks.get_mut(&agent)
            && let Some(last) = desk.last.as_mut().filter(|last| last.attempt == attempt)
        {
            last.page.chosen = Some(chosen.code.clone());
            last.page.saved = false;
            if matches!(desk.machine.kind(), Kind::OnCall | Kind::WrapUp) {
                let notice = desk.notice();
                out.push(Action::Notice(Box::new(notice)));
            }
        }
        let waiting = Waiting::Disposition { agent, attempt, code: chosen.code, asker };
        self.store_disposition(now, record, waiting, out);
        Some(())
    }

    /// The row of a disposition: an agent's word, or, without one, what a key of a message's menu says. `None`: the ids
    /// are used up.
    pub(super) fn disposition(
        &mut self,
        now: Now,
        last: &LastCall,
        agent: Option<AgentId>,
        chosen: &Disposition,
        saying: Saying<'_>,
    ) -> Option<DispositionRecord> {
        let suppression = self.ids.make().map(SuppressionId)?;
        let callback = self.ids.make().map(CallbackId)?;
        let room = self.rooms.get(&last.campaign)?;
        let (today, _) = room.day(now.utc);
        let answered_at = self
            .calls
            .get(&last.attempt)
            .and_then(|call| call.machine.answered_at())
            .or(last.answered_at);
        let callback =
            agent.and_then(|by| room.promise(now, callback, by, chosen, last, saying.callback));
        let (after, phone) = after_disposition(chosen, last, now.utc, callback.as_ref());
        let suppress = (chosen.effect == DispositionEffect::Refusal).then(|| Suppress {
            suppression,
            seller: last.seller,
            contact: Some(last.contact),
            phone_key: Some(last.phone.key.clone()),
            reason: "refused".to_owned(),
            proof: last.page.attempt.clone(),
            at: now.utc,
        });
        // The database takes an earlier word for a repeat: a wall clock that was set back must not undo a correction.
        self.said_at = now.utc.max(self.said_at + Duration::from_millis(1));
        Some(DispositionRecord {
            attempt: last.attempt,
            lead: last.lead,
            agent,
            code: chosen.code.clone(),
            memo: saying.memo,
            at: self.said_at,
            // A key is a person's, and yet earns no credit.
            live: chosen.live.filter(|_| agent.is_some()),
            window: room.window(answered_at.unwrap_or(now.utc)),
            after,
            phone: phone_after(phone, last.phone.phone, today),
            suppress,
            callback,
        })
    }

    /// Has a disposition written. A refusal takes back at once what would ring the person in any campaign of the seller.
    pub(super) fn store_disposition(
        &mut self,
        now: Now,
        record: DispositionRecord,
        waiting: Waiting,
        out: &mut Vec<Action>,
    ) {
        let campaign = record.window.campaign;
        let refused = record.suppress.clone();
        if let Some(room) = self.rooms.get_mut(&campaign) {
            room.expect(&record.after);
            if record.live == Some(true) {
                room.credit.booked(record.window);
            }
        }
        self.store(StoreCommand::Disposition(Box::new(record)), waiting, out);
        self.read_ledger(now, campaign, out);
        if let Some(refused) = refused {
            self.withdraw(now, refused.seller, refused.contact, refused.phone_key.as_deref(), out);
        }
    }

    /// An attempt that an earlier process left open: sent, end not known. It counts, as abandoned, until proven
    /// otherwise, and is next dialed no sooner than the next day.
    pub(super) fn recover(&mut self, now: Now, open: OpenAttempt, out: &mut Vec<Action>) {
        self.record_recovered(now, &open, Outcome::Unknown, None, out);
        for leg in &open.legs {
            self.legs.insert(leg.leg, LegOwner::Recovered(Box::new(open.clone())));
        }
    }

    /// The leg of a recovered attempt is closed. A final response to its INVITE proves that nobody answered; yet a ring
    /// that we cut early is an abandoned call all the same.
    pub(super) fn recovered_leg_event(
        &mut self,
        now: Now,
        leg: LegId,
        open: OpenAttempt,
        event: LegEvent,
        out: &mut Vec<Action>,
    ) {
        self.leg_over(now, leg, &event, out);
        let LegEvent::Failed(failure) = event else { return };
        let Some(status) = failure.status else { return };
        // 481 says only that the far end does not know the call: it may have rung and been answered before.
        if status == 481 || open.answered_at.is_some() {
            return;
        }
        let failure =
            Failure { status: Some(status), sent: true, q850: failure.q850, ..Failure::default() };
        let Some(room) = self.rooms.get(&open.campaign) else { return };
        // When it began to ring is not known: at the latest after the longest post-dial delay.
        let began = open.started_at + INTENT_AGE + room.settings.limits.post_dial_delay;
        let short = !room.settings.simulated_only && is_short_ring(now.utc.since(began));
        let outcome = match status {
            487 if short => Outcome::Abandoned,
            487 => Outcome::Cancelled,
            _ => outcome_of_failure(failure),
        };
        self.record_recovered(now, &open, outcome, Some(failure), out);
    }

    fn record_recovered(
        &mut self,
        now: Now,
        open: &OpenAttempt,
        outcome: Outcome,
        failure: Option<Failure>,
        out: &mut Vec<Action>,
    ) {
        let Some(room) = self.rooms.get(&open.campaign) else { return };
        let next_day = room.next_day(now.utc, &open.phone);
        // Connected before the crash: no abandoned call. Whether a person was there only a disposition says.
        let lost =
            matches!(outcome, Outcome::Unknown | Outcome::Abandoned) && open.connected_at.is_none();
        let window = room.window(open.answered_at.unwrap_or(open.started_at));
        let had_credit = !open.covered && room.span_from(open.started_at).holds(window.starts);
        let booking =
            Booking { window, answered: lost, abandoned: lost, fault: lost && !had_credit };
        let record = OutcomeRecord {
            attempt: open.attempt,
            lead: open.lead,
            fence: open.fence,
            outcome,
            early_at: None,
            answered_at: open.answered_at,
            connected_at: open.connected_at,
            ended_at: now.utc,
            agent: None,
            legs_closed: false,
            sip_status: failure.and_then(|failure| failure.status),
            q850: failure.and_then(|failure| failure.q850),
            message: None,
            live: None,
            booking,
            after: LeadAfter {
                state: LeadState::Waiting,
                due: next_day,
                gate: Some(Gate::Retry),
                next_phone: Some(open.phone.phone),
            },
            phone: None,
            suppress: None,
        };
        // A revision is not counted in this run.
        if outcome == Outcome::Unknown {
            self.count(open.campaign, outcome);
            self.count_booking(open.campaign, booking);
        }
        if let Some(room) = self.rooms.get_mut(&open.campaign) {
            room.expect(&record.after);
            room.credit.booked(booking.window);
        }
        self.store(StoreCommand::Outcome(Box::new(record)), Waiting::Fact, out);
        self.read_ledger(now, open.campaign, out);
    }
}

/// The person's number after the one just dialed.
fn other_phone(call: &Call) -> Option<PhoneId> {
    call.lead.phones.iter().map(|phone| phone.phone).find(|phone| *phone != call.phone.phone)
}

fn lead_after(call: &Call, next: Next, now: UtcMs, next_day: UtcMs) -> LeadAfter {
    let number =
        |other: bool| if other { other_phone(call) } else { None }.or(Some(call.phone.phone));
    match next {
        Next::After { wait, other_number } => LeadAfter {
            state: LeadState::Waiting,
            due: now + wait,
            gate: Some(Gate::Retry),
            next_phone: number(other_number),
        },
        Next::NextDay { other_number } => LeadAfter {
            state: LeadState::Waiting,
            due: next_day,
            gate: Some(Gate::Retry),
            next_phone: number(other_number),
        },
        Next::Done => LeadAfter { state: LeadState::Done, due: now, gate: None, next_phone: None },
        Next::NoNumber => LeadAfter {
            state: LeadState::Blocked,
            due: now,
            gate: Some(Gate::NoNumber),
            next_phone: None,
        },
        Next::Refused => LeadAfter {
            state: LeadState::Blocked,
            due: now,
            gate: Some(Gate::Suppressed),
            next_phone: None,
        },
        Next::Held => LeadAfter {
            state: LeadState::Held,
            due: now,
            gate: None,
            next_phone: Some(call.phone.phone),
        },
    }
}

fn after_disposition(
    chosen: &Disposition,
    last: &LastCall,
    now: UtcMs,
    promised: Option<&CallbackRecord>,
) -> (LeadAfter, NumberAfter) {
    let done = LeadAfter { state: LeadState::Done, due: now, gate: None, next_phone: None };
    let wait = |due, gate| LeadAfter {
        state: LeadState::Waiting,
        due,
        gate: Some(gate),
        next_phone: Some(last.phone.phone),
    };
    match chosen.effect {
        DispositionEffect::Final | DispositionEffect::Success => (done, NumberAfter::Same),
        DispositionEffect::Refusal => (
            LeadAfter { state: LeadState::Blocked, gate: Some(Gate::Suppressed), ..done },
            NumberAfter::Same,
        ),
        DispositionEffect::Retry { after } => (wait(now + after, Gate::Retry), NumberAfter::Same),
        DispositionEffect::Callback { after, .. } => {
            let due = promised.map_or(now + after, |promised| promised.due);
            (wait(due, Gate::Callback), NumberAfter::Same)
        }
        DispositionEffect::WrongNumber => {
            let after = match last.other_phone {
                Some(other) => LeadAfter {
                    state: LeadState::Waiting,
                    due: now,
                    gate: Some(Gate::Retry),
                    next_phone: Some(other),
                },
                None => LeadAfter { state: LeadState::Blocked, gate: Some(Gate::NoNumber), ..done },
            };
            (after, NumberAfter::Invalid)
        }
    }
}

const fn phone_after(number: NumberAfter, phone: PhoneId, today: i32) -> Option<PhoneAfter> {
    match number {
        NumberAfter::Same => None,
        NumberAfter::Suspect => Some(PhoneAfter::Suspect { phone, day: today }),
        NumberAfter::Invalid => Some(PhoneAfter::Invalid { phone }),
        NumberAfter::Good => Some(PhoneAfter::Good { phone }),
    }
}
