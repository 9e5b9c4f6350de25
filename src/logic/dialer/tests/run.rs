//! A dialer with a made-up world around it: a database that keeps leads in memory, agents' phones that answer.

use std::time::Duration;

use super::super::*;
use crate::logic::compliance::abandon_ledger::Account;
use crate::logic::dialer::command::{Command, Reply, View};
use crate::logic::gate::Gate;
use crate::logic::ids::{ClassId, ContactId, LeadId, PhoneId, SellerId};
use crate::logic::outcome::Outcome;
use crate::logic::pacing::trunk_share::{Share, ShareDrawn};
use crate::logic::settings::test_campaign;
use crate::logic::settings::{AgentSettings, AutoAnswer, CampaignSettings, TrunkSettings};
use crate::logic::sip::user_agent::RemoteDialog;
use crate::logic::time::UtcMs;

pub(super) const CAMPAIGN: CampaignId = CampaignId(7);

/// A dialer with a made-up world around it.
pub(super) struct Run {
    pub(super) dialer: Dialer,
    pub(super) now: Now,
    pub(super) leads: Vec<ClaimedLead>,
    /// Promised calls, claimed when the list is asked for them.
    pub(super) promised: Vec<ClaimedLead>,
    pub(super) promises: Promises,
    /// Commands not answered because the database hangs.
    pub(super) held: Vec<(Ticket, StoreCommand)>,
    pub(super) hangs: bool,
    pub(super) refuse: Option<Gate>,
    /// Heartbeats alone are not answered.
    pub(super) deaf_to_beats: bool,
    /// Another dialer has every agent.
    pub(super) held_by: Option<String>,
    /// What the next look at the others finds.
    pub(super) seen: Seen,
    /// What is drawn of a trunk, and how many want a part of it.
    pub(super) share: Share,
    pub(super) wanting: u32,
    /// The one window of the ledger.
    pub(super) account: Account,
    pub(super) rows: Vec<StoreCommand>,
    pub(super) legs: Vec<(LegId, LegCommand)>,
    pub(super) media: Vec<crate::logic::media::MediaCommand>,
    pub(super) replies: Vec<Reply>,
    pub(super) finished: bool,
}

impl Run {
    pub(super) fn new(
        contacts: i64,
        agents: &[&str],
        change: impl FnOnce(&mut CampaignSettings),
    ) -> Self {
        Self::start(Account::default(), contacts, agents, change, None)
    }

    /// The window of the ledger holds something already.
    pub(super) fn with_ledger(
        account: Account,
        contacts: i64,
        agents: &[&str],
        change: impl FnOnce(&mut CampaignSettings),
    ) -> Self {
        Self::start(account, contacts, agents, change, None)
    }

    /// On a database that other processes use too.
    pub(super) fn among_others(contacts: i64, agents: &[&str]) -> Self {
        Self::build(Account::default(), contacts, agents, |_| {}, None, true)
    }

    /// Alone or among others, with a ledger that holds something already.
    pub(super) fn sharing(
        shared: bool,
        account: Account,
        contacts: i64,
        agents: &[&str],
        change: impl FnOnce(&mut CampaignSettings),
    ) -> Self {
        Self::build(account, contacts, agents, change, None, shared)
    }

    /// `left_open`: by an earlier process; such a run goes on until it is told to stop.
    pub(super) fn start(
        account: Account,
        contacts: i64,
        agents: &[&str],
        change: impl FnOnce(&mut CampaignSettings),
        left_open: Option<OpenAttempt>,
    ) -> Self {
        Self::build(account, contacts, agents, change, left_open, false)
    }

    fn build(
        account: Account,
        contacts: i64,
        agents: &[&str],
        change: impl FnOnce(&mut CampaignSettings),
        left_open: Option<OpenAttempt>,
        shared: bool,
    ) -> Self {
        let mut settings = test_campaign();
        change(&mut settings);
        Self::of(account, contacts, agents, vec![settings], left_open, shared)
    }

    /// With several campaigns, whose ids follow that of the first.
    pub(super) fn of(
        account: Account,
        contacts: i64,
        agents: &[&str],
        campaigns: Vec<CampaignSettings>,
        left_open: Option<OpenAttempt>,
        shared: bool,
    ) -> Self {
        let now = Now { tick: Tick::START, utc: UtcMs(1_790_000_000_000) };
        let start = DialerStart {
            ids: IdMaker::new(3),
            boot: 0xfeed,
            campaigns: (CAMPAIGN.0..)
                .zip(campaigns)
                .map(|(id, settings)| CampaignStart {
                    id: CampaignId(id),
                    seller: SellerId(1),
                    settings,
                    first_run: now.utc,
                    classes: vec![(ClassId(1), "zones=Asia/Tokyo".to_owned())],
                    paused: false,
                    learned: LearnedBefore::default(),
                })
                .collect(),
            agents: agents.iter().zip(1..).map(|(name, id)| (AgentId(id), agent(name))).collect(),
            trunks: vec![trunk()],
            lines: 100,
            until_idle: left_open.is_none() && !shared,
            open_attempts: left_open.into_iter().collect(),
            shared,
        };
        let mut out = vec![];
        let dialer = Dialer::new(now, start, BTreeMap::new(), &mut out);
        let mut run = Self {
            dialer,
            now,
            leads: (1..=contacts).map(lead).collect(),
            promised: vec![],
            promises: Promises::default(),
            held: vec![],
            hangs: false,
            refuse: None,
            deaf_to_beats: false,
            held_by: None,
            seen: Seen::default(),
            share: Share { calls_per_second: 10, channels: 50 },
            wanting: 1,
            account,
            rows: vec![],
            legs: vec![],
            media: vec![],
            replies: vec![],
            finished: false,
        };
        run.perform(out);
        run
    }

    /// Everybody logs in and presses ready; the list is claimed.
    pub(super) fn ready(mut self) -> Self {
        let names: Vec<String> =
            self.dialer.desks.values().map(|desk| desk.settings.name.clone()).collect();
        for agent in names {
            self.command(Command::AgentLogin { agent: agent.clone() });
            self.command(Command::AgentReady { agent });
        }
        self.pass(Duration::from_millis(1));
        self
    }

    pub(super) fn command(&mut self, command: Command) {
        self.input(Input::Command(Asker(1), command));
    }

    pub(super) fn input(&mut self, input: Input) {
        let mut out = vec![];
        self.dialer.handle(self.now, input, &mut out);
        self.perform(out);
    }

    pub(super) fn leg(&mut self, leg: LegId, event: LegEvent) {
        self.input(Input::Leg(leg, event));
    }

    pub(super) fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Store(ticket, command) => {
                    if self.hangs {
                        self.held.push((ticket, command));
                    } else {
                        self.answer(ticket, command);
                    }
                }
                Action::Leg(leg, command) => {
                    self.legs.push((leg, command.clone()));
                    match command {
                        // Agents' phones answer by themselves, and every far end answers BYE.
                        LegCommand::Dial(LegCall::Agent { .. }) => {
                            self.leg(leg, LegEvent::Answered(dialog()))
                        }
                        LegCommand::HangUp if self.is_up(leg) => {
                            self.leg(leg, LegEvent::Ended { by_peer: false, q850: None });
                        }
                        LegCommand::Prepare(_)
                        | LegCommand::Dial(_)
                        | LegCommand::HangUp
                        | LegCommand::Recover(_)
                        | LegCommand::Authorize => {}
                    }
                }
                Action::Media(command) => self.media.push(command),
                Action::Reply(_, reply) => self.replies.push(*reply),
                Action::Notice(_) => {}
                Action::Finished => self.finished = true,
            }
        }
    }

    pub(super) fn is_up(&self, leg: LegId) -> bool {
        match self.dialer.legs.get(&leg) {
            Some(LegOwner::Call(attempt)) => self.dialer.calls[attempt].leg_up,
            Some(LegOwner::Desk(_)) => true,
            Some(LegOwner::Recovered(_) | LegOwner::Stray) | None => false,
        }
    }

    pub(super) fn answer(&mut self, ticket: Ticket, command: StoreCommand) {
        let reply = if let StoreCommand::Claim(claim) = &command {
            let want = usize::try_from(claim.want).unwrap().min(self.leads.len());
            let mut leads: Vec<_> = self.leads.drain(..want).collect();
            if let Some(named) = &claim.named {
                let place = self.leads.iter().position(|lead| {
                    lead.external_id.as_ref() == Some(named) || lead.phones[0].key == *named
                });
                leads.extend(place.map(|place| self.leads.remove(place)));
            }
            if claim.promised.most > 0 {
                leads.append(&mut self.promised);
            }
            StoreReply::Claimed(leads)
        } else if matches!(command, StoreCommand::Promote { .. }) {
            StoreReply::Promoted { promoted: 0, next_due: None, promises: self.promises }
        } else if matches!(command, StoreCommand::Count { .. }) {
            StoreReply::Counted(LeadCounts::default())
        } else if matches!(command, StoreCommand::Intent(_)) {
            self.refuse.map_or(StoreReply::Saved, |gate| StoreReply::Refused { gate, until: None })
        } else if matches!(command, StoreCommand::Account { .. }) {
            StoreReply::Account(self.account)
        } else if matches!(command, StoreCommand::Heartbeat { .. }) && self.deaf_to_beats {
            self.held.push((ticket, command));
            return;
        } else if matches!(command, StoreCommand::AgentLeg(_)) && self.held_by.is_some() {
            StoreReply::Held { by: self.held_by.clone().unwrap() }
        } else if matches!(command, StoreCommand::Look(_)) {
            StoreReply::Seen(Box::new(std::mem::take(&mut self.seen)))
        } else if let StoreCommand::DrawShare(draw) = &command {
            let share = draw.ask.keep.max(draw.ask.want.min(self.share));
            StoreReply::Share(ShareDrawn { share, wanting: self.wanting, place: 0 })
        } else {
            if let StoreCommand::Outcome(record) = &command {
                self.account.answered += u64::from(record.booking.answered);
                self.account.abandoned += u64::from(record.booking.abandoned);
                self.account.fault += u64::from(record.booking.fault);
            }
            StoreReply::Done
        };
        self.rows.push(command);
        self.input(Input::Stored(ticket, reply));
    }

    /// The database is back and answers what it kept waiting.
    pub(super) fn database_is_back(&mut self) {
        self.hangs = false;
        for (ticket, command) in std::mem::take(&mut self.held) {
            self.answer(ticket, command);
        }
    }

    /// Lets `time` pass, stopping at each deadline.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now.tick + time;
        while let Some(at) = self.dialer.next_deadline().filter(|at| *at <= end) {
            self.jump(at);
            self.input(Input::Timeout);
        }
        self.jump(end);
        self.input(Input::Timeout);
    }

    /// The wall clock shows `utc`, and a beat by that clock has landed.
    pub(super) fn set_clock(&mut self, utc: UtcMs) {
        self.now.utc = utc - Duration::from_secs(2);
        self.pass(Duration::from_secs(2));
    }

    pub(super) fn jump(&mut self, at: Tick) {
        self.now = Now { tick: at, utc: self.now.utc + at.since(self.now.tick) };
    }

    pub(super) fn dialed(&self) -> Vec<LegId> {
        self.legs
            .iter()
            .filter(|(_, command)| matches!(command, LegCommand::Dial(LegCall::Customer { .. })))
            .map(|(leg, _)| *leg)
            .collect()
    }

    pub(super) fn prepared(&self) -> Vec<LegId> {
        self.legs
            .iter()
            .filter(|(_, command)| matches!(command, LegCommand::Prepare(_)))
            .map(|(leg, _)| *leg)
            .collect()
    }

    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        self.rows
            .iter()
            .filter_map(|row| {
                if let StoreCommand::Outcome(record) = row { Some(record.outcome) } else { None }
            })
            .collect()
    }

    /// Leads that were given back as they were.
    pub(super) fn freed(&self) -> Vec<LeadId> {
        let mut freed = vec![];
        for row in &self.rows {
            if let StoreCommand::Release(Release { lead, after, .. }) = row
                && after.state == LeadState::Ready
            {
                freed.push(*lead);
            }
        }
        freed
    }

    pub(super) fn view(&self) -> View {
        self.dialer.view(self.now)
    }
}

pub(super) fn agent(name: &str) -> AgentSettings {
    AgentSettings {
        name: name.to_owned(),
        uri: format!("sip:{name}@127.0.0.1"),
        peer: "127.0.0.1:5080".parse().unwrap(),
        skills: vec![],
        languages: vec![],
        auto_answer: AutoAnswer::Both,
        nat: false,
    }
}

pub(super) fn trunk() -> TrunkSettings {
    TrunkSettings::simulated("carrier", vec!["127.0.0.1:5070".parse().unwrap()])
}

pub(super) fn lead(n: i64) -> ClaimedLead {
    let number = format!("+81901234{n:04}");
    ClaimedLead {
        lead: LeadId(n),
        fence: 1,
        campaign: CAMPAIGN,
        seller: SellerId(1),
        contact: ContactId(n),
        external_id: Some(format!("C{n}")),
        name: Some("山田 太郎".to_owned()),
        language: Some("ja".to_owned()),
        fields: vec![],
        phones: vec![LeadPhone {
            phone: PhoneId(n),
            key: number.clone(),
            number: number.parse().unwrap(),
            zones: vec![],
            suspect_day: None,
            kind: None,
        }],
        class: ClassId(1),
        rank: 0,
        rang: Duration::ZERO,
        attempts: 0,
        same_outcome: 0,
        last_outcome: None,
        promise: None,
    }
}

pub(super) fn dialog() -> RemoteDialog {
    RemoteDialog {
        remote_tag: "t".into(),
        remote_target: "sip:x@127.0.0.1".into(),
        route_set: vec![],
        cseq: 1,
    }
}

pub(super) fn failed(status: u16) -> LegEvent {
    LegEvent::Failed(LegFailure {
        status: Some(status),
        sent: true,
        uncertain: false,
        q850: None,
        retry_after: None,
    })
}

/// An attempt with one leg that an earlier process left open.
pub(super) fn left_open(now: UtcMs) -> OpenAttempt {
    let lead = lead(1);
    OpenAttempt {
        attempt: AttemptId(5),
        campaign: CAMPAIGN,
        lead: lead.lead,
        fence: 1,
        contact: lead.contact,
        phone: lead.phones[0].clone(),
        legs: vec![OpenLeg {
            leg: LegId(6),
            boot: 1,
            peer_name: "carrier".to_owned(),
            call: String::new(),
            dialog: None,
        }],
        covered: true,
        started_at: now,
        answered_at: None,
        connected_at: None,
    }
}
