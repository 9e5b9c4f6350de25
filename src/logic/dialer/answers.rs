//! Who answers: what is known of a lead before it is called, how much likelier than usual that makes an answer, and what
//! came of it.
//!
//! In predictive mode only. The engine reckons with it, and leads at hand that are equally urgent are called in its order.
//! It moves how busy agents are and can break no bound: the ledger does not ask it. An answer is whatever picked up and
//! reached an agent, as for the engine: also a machine, where none is detected.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::logic::compliance::local_time::LocalClock;
use crate::logic::dialer::command::{AnswersLine, TenthLine};
use crate::logic::dialer::room::Room;
use crate::logic::dialer::{ClaimedLead, Dialer, LeadPhone, zone_of};
use crate::logic::ids::AttemptId;
use crate::logic::outcome::Outcome;
use crate::logic::pacing::answer_model::AnswerModel;
use crate::logic::pacing::answer_model::calibration::Bin;
use crate::logic::pacing::answer_model::features::{Features, LastTime, NumberKind, region};
use crate::logic::pacing::pacer::OddsNow;
use crate::logic::phone::PhoneKind;
use crate::logic::time::{Now, Tick, UtcMs};

/// What a campaign has learned about who answers.
#[derive(Debug)]
pub(super) struct Answers {
    model: AnswerModel,
    /// By zone; `None` where the zone is not known.
    clocks: BTreeMap<String, Option<LocalClock>>,
}

/// What is known of a lead, and what that makes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    features: Features,
    odds: OddsNow,
}

/// A lead that was claimed and not yet dialed.
#[derive(Debug)]
pub(super) struct AtHand {
    pub(super) lead: ClaimedLead,
    since: Tick,
    /// [`OddsNow::EVEN`] where nothing is learned.
    odds: OddsNow,
}

impl Answers {
    /// With what was learned earlier; where that cannot be read, without, and with the reason.
    pub(super) fn new(learned: Option<&str>) -> (Self, Option<String>) {
        let (model, unreadable) = match learned.map(AnswerModel::from_text) {
            None => (AnswerModel::new(), None),
            Some(Ok(model)) => (model, None),
            Some(Err(wrong)) => (AnswerModel::new(), Some(wrong.to_string())),
        };
        (Self { model, clocks: BTreeMap::new() }, unreadable)
    }

    pub(super) fn remember(&self) -> String {
        self.model.to_text()
    }

    /// What is known of a lead now, by the clock of its person.
    fn know(&mut self, at: UtcMs, zone: &str, lead: &ClaimedLead, phone: &LeadPhone) -> Known {
        if !self.clocks.contains_key(zone) {
            self.clocks.insert(zone.to_owned(), LocalClock::of(zone).ok());
        }
        let clock = self.clocks.get(zone).and_then(Option::as_ref);
        let (day, millis) = clock.and_then(|clock| clock.shows(at)).unwrap_or_default();
        let features = Features {
            hour: u8::try_from(millis / MILLIS_AN_HOUR).unwrap_or(0),
            // 1970-01-01 was a Thursday.
            weekday: u8::try_from((day + 3).rem_euclid(7)).unwrap_or(0),
            kind: kind_of(phone.kind),
            region: region(phone.number.digits().get(..REGION_DIGITS).unwrap_or_default()),
            attempts: lead.attempts,
            last: last_time(lead.last_outcome),
            rang: u32::try_from(lead.rang.as_secs()).unwrap_or(u32::MAX),
        };
        Known { features, odds: OddsNow::of(self.model.odds(&features)) }
    }

    /// For the view.
    pub(super) fn line(&self) -> AnswersLine {
        let calibration = self.model.calibration();
        AnswersLine {
            calls: calibration.calls(),
            brier: calibration.brier(),
            base: calibration.base(),
            slope: calibration.slope(),
            tenths: calibration
                .bins()
                .iter()
                .map(|Bin { calls, told, answers }| TenthLine {
                    calls: *calls,
                    told: *told,
                    answers: *answers,
                })
                .collect(),
        }
    }
}

impl Known {
    pub(super) const fn odds(&self) -> OddsNow {
        self.odds
    }
}

impl AtHand {
    pub(super) const fn odds(&self) -> OddsNow {
        self.odds
    }
}

impl Room {
    /// What is known of a lead before its call; `None` where nothing is learned.
    pub(super) fn know(
        &mut self,
        now: Now,
        lead: &ClaimedLead,
        phone: &LeadPhone,
    ) -> Option<Known> {
        let zone = zone_of(&self.settings, phone);
        let answers = self.forecast.as_mut()?.answers.as_mut()?;
        Some(answers.know(now.utc, zone, lead, phone))
    }

    /// A lead that was claimed now.
    pub(super) fn at_hand(&mut self, now: Now, lead: ClaimedLead) -> AtHand {
        let known = lead.phones.first().and_then(|phone| self.know(now, &lead, phone));
        let odds = known.map_or(OddsNow::EVEN, |known| known.odds);
        AtHand { lead, since: now.tick, odds }
    }

    /// Puts leads at hand in order: of those that are equally urgent the likeliest to answer first. Promised calls stay
    /// before all others, and whoever was passed over for too long is next whatever the chance.
    pub(super) fn order_leads(&mut self, now: Now) {
        if self.forecast.as_ref().is_none_or(|forecast| forecast.answers.is_none()) {
            return;
        }
        let place = |at_hand: &AtHand| {
            let promised = at_hand.lead.promise.is_some();
            let passed_over = now.tick.since(at_hand.since) >= PASSED_OVER;
            let odds = (!promised && !passed_over).then_some(Reverse(at_hand.odds));
            (!promised, if promised { 0 } else { at_hand.lead.rank }, odds)
        };
        // Stable: equals stay as they came.
        self.leads.make_contiguous().sort_by_key(place);
    }
}

impl Dialer {
    /// A call has ended. What says nothing of the person (the carrier refused it, or we gave it up) is not learned from.
    pub(super) fn learn_answer(&mut self, attempt: AttemptId, outcome: Outcome) {
        let Some(call) = self.calls.get(&attempt) else { return };
        let answered = call.machine.answered_at().is_some();
        let Some(known) = call.known.filter(|_| answered || tells(outcome)) else { return };
        let room = self.rooms.get_mut(&call.campaign);
        let forecast = room.and_then(|room| room.forecast.as_mut());
        let Some(forecast) = forecast else { return };
        if let Some(answers) = &mut forecast.answers {
            answers.model.learn(&known.features, answered);
            forecast.learned = true;
        }
    }
}

/// Whether a call that nobody answered says that nobody does.
const fn tells(outcome: Outcome) -> bool {
    match outcome {
        Outcome::NoAnswer
        | Outcome::Busy
        | Outcome::Rejected
        | Outcome::Unwanted
        | Outcome::Invalid
        | Outcome::Unreachable => true,
        Outcome::Connected
        | Outcome::Abandoned
        | Outcome::AgentLost
        | Outcome::MessagePlayed
        | Outcome::MessageCut
        | Outcome::Congestion
        | Outcome::TrunkFault
        | Outcome::NotDelivered
        | Outcome::NotPlaced
        | Outcome::Cancelled
        | Outcome::Unknown => false,
    }
}

const fn last_time(outcome: Option<Outcome>) -> LastTime {
    let Some(outcome) = outcome else { return LastTime::Never };
    match outcome {
        Outcome::Connected
        | Outcome::Abandoned
        | Outcome::AgentLost
        | Outcome::MessagePlayed
        | Outcome::MessageCut => LastTime::Person,
        Outcome::NoAnswer => LastTime::NoAnswer,
        Outcome::Busy | Outcome::Rejected | Outcome::Unwanted => LastTime::Busy,
        Outcome::Invalid
        | Outcome::Unreachable
        | Outcome::Congestion
        | Outcome::TrunkFault
        | Outcome::NotDelivered
        | Outcome::NotPlaced
        | Outcome::Cancelled
        | Outcome::Unknown => LastTime::Other,
    }
}

const fn kind_of(kind: Option<PhoneKind>) -> NumberKind {
    match kind {
        Some(PhoneKind::Mobile) => NumberKind::Mobile,
        Some(PhoneKind::Fixed) => NumberKind::Fixed,
        Some(
            PhoneKind::FixedOrMobile
            | PhoneKind::Voip
            | PhoneKind::TollFree
            | PhoneKind::Premium
            | PhoneKind::SharedCost
            | PhoneKind::Personal
            | PhoneKind::Pager
            | PhoneKind::CompanyAccess
            | PhoneKind::Voicemail
            | PhoneKind::Fax
            | PhoneKind::Unknown,
        )
        | None => NumberKind::Other,
    }
}

const MILLIS_AN_HOUR: u32 = 3_600_000;
/// Country and area, of most numbers.
const REGION_DIGITS: usize = 4;
/// A lead waits so long for likelier ones, and no longer.
const PASSED_OVER: std::time::Duration = std::time::Duration::from_secs(60);
