//! A campaign's own calls per second, and those to numbers that begin alike: besides the trunk's.

use crate::logic::dialer::room::Room;
use crate::logic::dialer::{ClaimedLead, Dialer};
use crate::logic::ids::CampaignId;
use crate::logic::pacing::call_rate::CallRate;
use crate::logic::settings::Rates;
use crate::logic::time::Tick;

/// The limits of one campaign.
#[derive(Debug)]
pub(super) struct OwnRates {
    whole: Option<Turnstile>,
    /// By what numbers begin with, the longest first.
    prefixes: Vec<(String, Turnstile)>,
}

/// One call at a time.
#[derive(Debug)]
struct Turnstile {
    per_second: u32,
    rate: CallRate,
    /// When the next one may pass.
    free_at: Option<Tick>,
}

impl OwnRates {
    pub(super) fn new(rates: &Rates) -> Self {
        let mut prefixes: Vec<(String, Turnstile)> = rates
            .prefixes
            .iter()
            .map(|(prefix, per_second)| (prefix.clone(), Turnstile::new(*per_second)))
            .collect();
        prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Self { whole: rates.campaign.map(Turnstile::new), prefixes }
    }

    /// Whether a call to this number may leave now, or from when on.
    pub(super) fn ready(&self, now: Tick, number: &str) -> Result<(), Tick> {
        let of_prefix = self.of(number).and_then(|at| self.prefixes.get(at));
        let both = self.whole.iter().chain(of_prefix.map(|(_, turnstile)| turnstile));
        let free_at = both.filter_map(|turnstile| turnstile.free_at).max();
        free_at.filter(|at| *at > now).map_or(Ok(()), Err)
    }

    /// One leaves.
    pub(super) fn take(&mut self, now: Tick, number: &str) {
        let of_prefix = self.of(number).and_then(|at| self.prefixes.get_mut(at));
        let of_prefix = of_prefix.map(|(_, turnstile)| turnstile);
        self.whole.iter_mut().chain(of_prefix).for_each(|turnstile| turnstile.take(now));
    }

    /// Which limit of prefixes a number falls under.
    fn of(&self, number: &str) -> Option<usize> {
        self.prefixes.iter().position(|(prefix, _)| number.starts_with(prefix))
    }
}

impl Turnstile {
    fn new(per_second: u32) -> Self {
        Self { per_second, rate: CallRate::new(per_second, 1), free_at: None }
    }

    fn take(&mut self, now: Tick) {
        // Without bursts, whoever has just passed learns from a refusal when the next one may.
        self.free_at = match self.rate.take(now) {
            Ok(()) => self.rate.take(now).err(),
            Err(at) => Some(at),
        };
    }

    /// So many may wait for their turn: what leaves within half a second, so that no intent grows old.
    fn may_wait(&self) -> usize {
        usize::try_from(self.per_second.div_ceil(2)).unwrap_or(1).max(1)
    }
}

impl Dialer {
    /// Whether another call of the campaign may begin by its own calls per second.
    pub(super) fn own_rate(&self, campaign: CampaignId) -> Result<(), &'static str> {
        let room = self.rooms.get(&campaign).ok_or("state")?;
        let Some(whole) = &room.own_rates.whole else { return Ok(()) };
        let waiting = self.waiting_to_leave(campaign).count();
        if waiting < whole.may_wait() { Ok(()) } else { Err("campaign_rate") }
    }

    /// Whether another call to such a number as this lead's next one may begin.
    pub(super) fn prefix_rate(
        &self,
        campaign: CampaignId,
        lead: &ClaimedLead,
    ) -> Result<(), &'static str> {
        let room = self.rooms.get(&campaign).ok_or("state")?;
        if room.is_under(lead, &self.full_prefixes(room)) { Err("prefix_rate") } else { Ok(()) }
    }

    /// Places of the prefixes for which enough calls wait already.
    pub(super) fn full_prefixes(&self, room: &Room) -> Vec<usize> {
        let prefixes = room.own_rates.prefixes.iter().enumerate();
        let waiting = |at: usize| {
            let of = |number: &&str| room.own_rates.of(number) == Some(at);
            self.waiting_to_leave(room.id).filter(of).count()
        };
        prefixes
            .filter(|(at, (_, turnstile))| waiting(*at) >= turnstile.may_wait())
            .map(|(at, _)| at)
            .collect()
    }

    /// Numbers of the campaign's calls that no INVITE has left for.
    fn waiting_to_leave(&self, campaign: CampaignId) -> impl Iterator<Item = &str> {
        self.calls.starting_of(campaign).map(|call| call.phone.number.reveal())
    }
}

impl Room {
    /// Whether the next number of a lead falls under one of these prefixes.
    pub(super) fn is_under(&self, lead: &ClaimedLead, prefixes: &[usize]) -> bool {
        !prefixes.is_empty()
            && lead
                .phones
                .first()
                .and_then(|phone| self.own_rates.of(phone.number.reveal()))
                .is_some_and(|at| prefixes.contains(&at))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_longest_prefix_counts_and_every_limit_must_be_free() {
        let prefixes = vec![("+81".to_owned(), 10), ("+8190".to_owned(), 1)];
        let mut rates = OwnRates::new(&Rates { campaign: Some(5), prefixes });
        let now = Tick::START + Duration::from_secs(1);
        rates.take(now, "+819012345678");
        let wait = |rates: &OwnRates, number| rates.ready(now, number).unwrap_err().since(now);
        // A hundredth is added, so that no network pushes one more into a second.
        assert_eq!(wait(&rates, "+819000000000"), Duration::from_millis(1_010));
        assert_eq!(wait(&rates, "+813"), Duration::from_millis(202), "the campaign's own");
        let later = now + Duration::from_millis(202);
        assert_eq!(rates.ready(later, "+813"), Ok(()));
        assert!(rates.ready(later, "+8190").is_err());
        rates.take(later, "+44");
        assert_eq!(rates.ready(later + Duration::from_millis(202), "+81"), Ok(()));
    }
}
