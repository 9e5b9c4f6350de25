//! Calls promised to a person: at which time, and who makes them.

use std::time::Duration;

use crate::logic::agent::Kind;
use crate::logic::compliance::{Verdict, local_time};
use crate::logic::dialer::ask::{Refusal, refuse};
use crate::logic::dialer::inbound::KeptBack;
use crate::logic::dialer::room::Room;
use crate::logic::dialer::rows::LastCall;
use crate::logic::dialer::{CallbackRecord, ClaimedLead, Dialer, LeadPhone, PromisedClaim};
use crate::logic::ids::{AgentId, AttemptId, CallbackId, CampaignId};
use crate::logic::settings::{CallingHours, CampaignSettings, Disposition, DispositionEffect};
use crate::logic::time::{Now, UtcMs};

/// By which clock the person of this number lives.
#[must_use]
pub fn zone_of<'a>(settings: &'a CampaignSettings, phone: &'a LeadPhone) -> &'a str {
    phone.zones.first().map_or_else(|| home_zone(settings), String::as_str)
}

/// By which clock most people of a campaign live.
#[must_use]
pub fn home_zone(settings: &CampaignSettings) -> &str {
    let usual = match &settings.hours {
        CallingHours::Weekly(weekly) => weekly.default_zones.first(),
        CallingHours::Always => None,
    };
    usual.unwrap_or(&settings.abandon.zone)
}

impl Room {
    /// What a disposition promises: at the time given, else after its own time, moved into the calling hours.
    pub(super) fn promise(
        &self,
        now: Now,
        callback: CallbackId,
        agent: AgentId,
        chosen: &Disposition,
        last: &LastCall,
        given: Option<UtcMs>,
    ) -> Option<CallbackRecord> {
        let DispositionEffect::Callback { after, within, personal } = chosen.effect else {
            return None;
        };
        let due = given.unwrap_or_else(|| self.first_allowed(last, now.utc + after, now.utc));
        let owner = personal.then_some(agent);
        Some(CallbackRecord { callback, owner, due, window_end: due + within })
    }

    /// The first moment at or after `at` that hours and the gap between two calls allow. Where none is known the time
    /// stays as it is: the gates are asked again before the call.
    fn first_allowed(&self, last: &LastCall, at: UtcMs, now: UtcMs) -> UtcMs {
        let at = at.max(now + self.settings.caps.min_gap);
        match self.hours.verdict(last.class, at, self.longest_ring()) {
            Verdict::Later(opens) => opens,
            Verdict::Allow | Verdict::Never(_) => at,
        }
    }

    /// For the page: when this call was promised.
    pub(super) fn promised_text(&self, lead: &ClaimedLead) -> Option<String> {
        let (promise, phone) = (lead.promise?, lead.phones.first()?);
        Some(local_time::shown(zone_of(&self.settings, phone), promise.due))
    }

    /// Puts claimed leads at hand: promised calls before all others, the longest due first.
    pub(super) fn line_up(&mut self, now: Now, leads: Vec<ClaimedLead>) {
        for lead in leads {
            let place = match lead.promise {
                Some(promise) => {
                    let before = |other: &ClaimedLead| other.promise.is_some_and(|p| p <= promise);
                    self.leads.iter().take_while(|other| before(&other.lead)).count()
                }
                None => self.leads.len(),
            };
            let at_hand = self.at_hand(now, lead);
            self.leads.insert(place, at_hand);
        }
        self.order_leads(now);
    }

    /// Which promised calls the next claim takes: so many at once that they never hide the list behind them.
    pub(super) fn promised_claim(&self, now: Now, owners: Vec<AgentId>) -> PromisedClaim {
        let held = self.leads.iter().filter(|next| next.lead.promise.is_some()).count();
        PromisedClaim {
            // A message keeps no promise.
            most: if self.needs_agents() {
                PROMISED_AT_HAND.saturating_sub(u32::try_from(held).unwrap_or(u32::MAX))
            } else {
                0
            },
            owners,
            anybody_since: now.utc - OWNER_FIRST,
        }
    }
}

impl Dialer {
    /// The time an agent promises. One at which the call could not be made is refused while the person still listens.
    pub(super) fn promised_time(
        &self,
        now: Now,
        agent: AgentId,
        attempt: AttemptId,
        code: &str,
        text: &str,
    ) -> Result<UtcMs, Refusal> {
        let no_call = || refuse("no_call", "that call is over and forgotten".to_owned());
        let last = self.last_of(agent, attempt).ok_or_else(no_call)?;
        let room = self.rooms.get(&last.campaign).ok_or_else(no_call)?;
        let known = &room.settings.dispositions;
        let promises = |d: &&Disposition| matches!(d.effect, DispositionEffect::Callback { .. });
        if !known.iter().filter(promises).any(|d| d.code == code) {
            let codes: Vec<&str> = known.iter().filter(promises).map(|d| d.code.as_str()).collect();
            let message = if codes.is_empty() {
                "no disposition of this campaign promises a call: give one effect = \"callback\""
                    .into()
            } else {
                format!("`{code}` promises no call; {} does", codes.join(" or "))
            };
            return Err(refuse("no_callback", message));
        }
        let zone = zone_of(&room.settings, &last.phone);
        let bad_time = |message| refuse("bad_time", message);
        let due = local_time::moment(zone, text).map_err(|error| bad_time(error.to_string()))?;
        if due <= now.utc {
            let clock = local_time::shown(zone, now.utc);
            return Err(bad_time(format!("{text} is over: there it is {clock}")));
        }
        if due > now.utc + FURTHEST {
            return Err(bad_time(format!("{text} is more than a year away")));
        }
        let allowed = room.first_allowed(last, due, now.utc);
        if let Verdict::Never(_) = room.hours.verdict(last.class, due, room.longest_ring()) {
            let message = format!("{text} is outside the calling hours, which never open");
            return Err(refuse("outside_hours", message));
        }
        if allowed > due {
            let message = format!(
                "{text} is outside what this campaign may call; the next allowed time is {}",
                local_time::shown(zone, allowed)
            );
            return Err(refuse("outside_hours", message));
        }
        Ok(due)
    }

    /// The agent for a lead: for a promised call the one who promised it, and after a while anybody who fits.
    /// Nobody who is `kept` for return calls.
    pub(super) fn agent_for(
        &self,
        now: Now,
        campaign: CampaignId,
        lead: &ClaimedLead,
        kept: &KeptBack<'_>,
    ) -> Option<AgentId> {
        let room = self.rooms.get(&campaign)?;
        if let Some(promise) = lead.promise
            && let Some(owner) = promise.owner
        {
            // A promise goes before what is only expected.
            if self.desks.get(&owner).is_some_and(|desk| desk.machine.may_take_call()) {
                return Some(owner);
            }
            if now.utc < promise.due + OWNER_FIRST {
                return None;
            }
        }
        let language = lead.language.as_deref().unwrap_or(&room.settings.language);
        self.spare_agent(campaign, language, kept)
    }

    /// Agents of this process who are free or will be: their promised calls may be claimed.
    pub(super) fn agents_at_work(&self) -> Vec<AgentId> {
        let works = |kind| match kind {
            Kind::Ready | Kind::Previewing | Kind::Reserved | Kind::OnCall | Kind::WrapUp => true,
            Kind::Offline | Kind::LoggingIn | Kind::Paused => false,
        };
        self.desks.values().filter(|desk| works(desk.machine.kind())).map(|desk| desk.id).collect()
    }
}

/// How long a promised call waits for the agent who promised it before anybody makes it.
const OWNER_FIRST: Duration = Duration::from_secs(300);
/// Most promised calls at hand per campaign.
const PROMISED_AT_HAND: u32 = 20;
/// No call is promised for later than this.
const FURTHEST: Duration = Duration::from_secs(366 * 86_400);
