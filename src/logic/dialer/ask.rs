//! What a person or program at the control socket wants.

use std::time::Duration;

use crate::logic::agent;
use crate::logic::agent::Kind;
use crate::logic::attempt;
use crate::logic::dialer::command::{Command, Reply};
use crate::logic::dialer::rows::Saying;
use crate::logic::dialer::{
    Action, Asker, CampaignState, Dialer, StoreCommand, StoreHealth, StoreReply, Suppress, Timer,
    Waiting,
};
use crate::logic::ids::{AgentId, AttemptId, CampaignId, ContactId, SellerId, SuppressionId};
use crate::logic::phone::{NotE164, PhoneNumber};
use crate::logic::settings::{DialMode, DialRatio};
use crate::logic::time::Now;

impl Dialer {
    /// Does what is asked; the reply comes at once, or, where something must be durable first, later.
    pub(super) fn ask(&mut self, now: Now, asker: Asker, command: Command, out: &mut Vec<Action>) {
        match self.try_ask(now, asker, command, out) {
            Ok(Some(reply)) => out.push(Action::Reply(asker, Box::new(reply))),
            Ok(None) => {}
            Err(refusal) => out.push(Action::Reply(asker, Box::new(refusal.into_reply()))),
        }
    }

    fn try_ask(
        &mut self,
        now: Now,
        asker: Asker,
        command: Command,
        out: &mut Vec<Action>,
    ) -> Result<Option<Reply>, Refusal> {
        match command {
            Command::AgentLogin { agent } => {
                let (id, kind) = self.agent_named(&agent)?;
                self.not_ending()?;
                if kind != Kind::Offline {
                    return Err(refuse("already_in", format!("{agent} is logged in already")));
                }
                if self.health == StoreHealth::Gone {
                    return Err(refuse(
                        "store_gone",
                        "the database does not answer; try again when it is back".into(),
                    ));
                }
                // Told when the database says that no other process has the agent.
                if let Some(desk) = self.desks.get_mut(&id) {
                    desk.asker = Some(asker);
                }
                self.desk_event(now, id, agent::Event::LogIn, out);
                Ok(None)
            }
            Command::AgentReady { agent } => {
                let (id, kind) = self.agent_named(&agent)?;
                if matches!(kind, Kind::Offline | Kind::LoggingIn) {
                    return Err(not_in(&agent));
                }
                self.desk_event(now, id, agent::Event::Ready, out);
                Ok(Some(Reply::Ok))
            }
            Command::AgentPause { agent, reason } => {
                let (id, kind) = self.agent_named(&agent)?;
                if matches!(kind, Kind::Offline | Kind::LoggingIn) {
                    return Err(not_in(&agent));
                }
                self.desk_event(now, id, agent::Event::Pause(reason), out);
                Ok(Some(Reply::Ok))
            }
            Command::AgentLogout { agent } => {
                let (id, _) = self.agent_named(&agent)?;
                self.desk_event(now, id, agent::Event::LogOut, out);
                Ok(Some(Reply::Ok))
            }
            Command::AgentHangUp { agent } => {
                let (id, kind) = self.agent_named(&agent)?;
                let attempt = self.desks.get(&id).and_then(|desk| desk.machine.attempt());
                let Some(attempt) = attempt.filter(|_| kind == Kind::OnCall) else {
                    return Err(refuse("no_call", format!("{agent} has no call to hang up")));
                };
                self.call_event(now, attempt, attempt::Event::Stop, out);
                Ok(Some(Reply::Ok))
            }
            Command::AgentDisposition { agent, code, attempt, memo, callback } => {
                let (id, attempt) = self.call_to_dispose(&agent, &code, attempt.as_deref())?;
                let callback = match callback {
                    Some(text) => Some(self.promised_time(now, id, attempt, &code, &text)?),
                    None => None,
                };
                let saying = Saying { code: &code, memo, callback, asker: Some(asker) };
                self.dispose(now, id, attempt, saying, out).ok_or_else(used_up)?;
                Ok(None)
            }
            Command::AgentDial { agent, whom } => {
                let (id, _) = self.agent_named(&agent)?;
                self.not_ending()?;
                if let Some(whom) = whom {
                    self.dial_named(now, asker, id, whom, out)?;
                    return Ok(None);
                }
                self.dial_offer(now, id, out)?;
                Ok(Some(Reply::Ok))
            }
            Command::AgentSkip { agent } => {
                let (id, _) = self.agent_named(&agent)?;
                self.skip_offer(now, id, out)?;
                Ok(Some(Reply::Ok))
            }
            Command::AgentPage { agent } => {
                let (id, _) = self.agent_named(&agent)?;
                Ok(self.desks.get(&id).map(|desk| Reply::Agent(desk.notice())))
            }
            Command::CampaignPause { campaign } => {
                let id = self.campaign_named(&campaign)?;
                self.set_campaign(now, id, CampaignState::Paused, asker, out);
                self.release_all(now, id, out);
                Ok(None)
            }
            Command::CampaignResume { campaign } => {
                let id = self.campaign_named(&campaign)?;
                self.not_ending()?;
                self.set_campaign(now, id, CampaignState::Running, asker, out);
                if let Some(room) = self.rooms.get_mut(&id) {
                    room.dry = false;
                }
                self.deadlines.set(Timer::Room(id), Some(now.tick));
                Ok(None)
            }
            Command::TrunkRate { trunk, calls_per_second } => {
                let Some((index, line)) =
                    (0..).zip(&mut self.lines).find(|(_, line)| line.settings.name == trunk)
                else {
                    let message =
                        format!("no trunk is called `{trunk}`; see [[trunk]] in outdial.toml");
                    return Err(refuse("unknown_trunk", message));
                };
                if !(1..=line.limit).contains(&calls_per_second) {
                    let message = format!(
                        "{trunk} takes 1 to {} calls per second; its limit is in outdial.toml",
                        line.limit
                    );
                    return Err(refuse("beyond_limit", message));
                }
                line.set_rate(now, calls_per_second);
                // Whoever waits was promised a moment by the old rate.
                self.grant(now, index, out);
                Ok(Some(Reply::Ok))
            }
            Command::Drain => {
                self.drain(now, out);
                Ok(Some(Reply::Ok))
            }
            Command::CampaignMode { campaign, mode, ratio } => {
                let id = self.campaign_named(&campaign)?;
                let mode = dial_mode(&mode, ratio)?;
                self.may_be_mode(id, mode)?;
                self.set_mode(now, id, mode, asker, out);
                Ok(None)
            }
            Command::Suppress { seller, number, reason, proof } => {
                let seller = self.seller_named(&seller)?;
                let number: PhoneNumber = number
                    .parse()
                    .map_err(|error: NotE164| refuse("bad_number", error.to_string()))?;
                let Some(suppression) = self.ids.make().map(SuppressionId) else {
                    return Err(used_up());
                };
                let phone_key = Some(number.reveal().to_owned());
                let suppress = Suppress {
                    suppression,
                    seller,
                    contact: None,
                    phone_key,
                    reason,
                    proof,
                    at: now.utc,
                };
                let key = suppress.phone_key.clone();
                self.store(StoreCommand::Suppress(suppress), Waiting::Told(asker), out);
                self.withdraw(now, seller, None, key.as_deref(), out);
                Ok(None)
            }
            Command::Status => Ok(Some(Reply::Status(self.view(now)))),
        }
    }

    /// The call an agent wants to say something of: the last one with a person, or the one named. Never the next one,
    /// for which the agent is kept already.
    fn call_to_dispose(
        &self,
        agent: &str,
        code: &str,
        named: Option<&str>,
    ) -> Result<(AgentId, AttemptId), Refusal> {
        let (id, _) = self.agent_named(agent)?;
        let spoken = self.desks.get(&id).and_then(|desk| desk.spoken.as_ref());
        let Some(last) = spoken.filter(|last| named.is_none_or(|named| named == last.page.attempt))
        else {
            return Err(refuse("no_call", format!("{agent} has had no such call in this run")));
        };
        if !last.page.dispositions.iter().any(|key| key.code == code) {
            let known: Vec<&str> =
                last.page.dispositions.iter().map(|key| key.code.as_str()).collect();
            let message =
                format!("`{code}` is no disposition of this campaign; it has {}", known.join(", "));
            return Err(refuse("unknown_disposition", message));
        }
        Ok((id, last.attempt))
    }

    /// Takes back every attempt to a person or number that has rung nobody and will not by itself: its intent may be
    /// durable already, or its first INVITE was challenged and the second one waits for its turn.
    pub(super) fn withdraw(
        &mut self,
        now: Now,
        seller: SellerId,
        contact: Option<ContactId>,
        key: Option<&str>,
        out: &mut Vec<Action>,
    ) {
        let mut meant = vec![];
        for call in self.calls.values() {
            let ours = self.rooms.get(&call.campaign).is_some_and(|room| room.seller == seller);
            let named = Some(call.lead.contact) == contact || Some(&*call.phone.key) == key;
            if !ours || !named {
                continue;
            }
            if call.machine.stage() == attempt::Stage::Starting {
                meant.push((call.attempt, attempt::Event::Withdrawn));
            } else if self.lines.get(call.line).is_some_and(|line| line.holds(call.leg)) {
                meant.push((call.attempt, attempt::Event::Stop));
            }
        }
        for (attempt, event) in meant {
            self.call_event(now, attempt, event, out);
        }
        self.withdraw_refused(now, seller, contact, key, out);
    }

    fn seller_named(&self, name: &str) -> Result<SellerId, Refusal> {
        self.rooms
            .values()
            .find(|room| room.settings.seller == name)
            .map(|room| room.seller)
            .ok_or_else(|| {
                refuse("unknown_seller", format!("no running campaign calls for `{name}`"))
            })
    }

    /// Takes effect at once, and is told once it would outlive a crash. What is that already is written again: it changes
    /// nothing, and its reply comes after that of a change still under way.
    fn set_campaign(
        &mut self,
        now: Now,
        campaign: CampaignId,
        state: CampaignState,
        asker: Asker,
        out: &mut Vec<Action>,
    ) {
        let Some(room) = self.rooms.get_mut(&campaign) else { return };
        let at = room.change(now, state);
        self.save_learned(now, campaign, out);
        let command = StoreCommand::CampaignState { campaign, state, at, by: "control".to_owned() };
        self.store(command, Waiting::Told(asker), out);
    }

    fn may_be_mode(&self, campaign: CampaignId, mode: DialMode) -> Result<(), Refusal> {
        let recording = self.rooms.get(&campaign).and_then(|room| room.settings.recording.as_ref());
        if mode == DialMode::Agentless && recording.is_none() {
            let message = "the campaign has no [message] to play; write one and start again";
            return Err(refuse("bad_mode", message.to_owned()));
        }
        Ok(())
    }

    /// Takes effect at once; a call that is under way stays what it is.
    fn set_mode(
        &mut self,
        now: Now,
        campaign: CampaignId,
        mode: DialMode,
        asker: Asker,
        out: &mut Vec<Action>,
    ) {
        if let Some(room) = self.rooms.get_mut(&campaign) {
            room.settings.mode = mode;
            room.dry = false;
            self.deadlines.set(Timer::Room(campaign), Some(now.tick));
        }
        self.free_promised(now, campaign, out);
        if mode == DialMode::Manual {
            self.release_all(now, campaign, out);
        }
        self.set_forecast(now, campaign, out);
        // The database takes an earlier change for a repeat.
        self.said_at = now.utc.max(self.said_at + Duration::from_millis(1));
        let by = "control".to_owned();
        let command = StoreCommand::CampaignMode { campaign, mode, at: self.said_at, by };
        self.store(command, Waiting::Told(asker), out);
    }

    fn agent_named(&self, name: &str) -> Result<(AgentId, Kind), Refusal> {
        self.desks
            .values()
            .find(|desk| desk.settings.name == name)
            .map(|desk| (desk.id, desk.machine.kind()))
            .ok_or_else(|| {
                refuse(
                    "unknown_agent",
                    format!("no agent is called `{name}`; see [[agent]] in outdial.toml"),
                )
            })
    }

    fn campaign_named(&self, name: &str) -> Result<CampaignId, Refusal> {
        self.rooms.values().find(|room| room.settings.name == name).map(|room| room.id).ok_or_else(
            || refuse("unknown_campaign", format!("`{name}` is not being run by this process")),
        )
    }

    fn not_ending(&self) -> Result<(), Refusal> {
        if self.ending.starts_nothing() {
            return Err(refuse("ending", "this dialer is ending; start it again first".into()));
        }
        Ok(())
    }
}

/// What somebody hears who waited for a commit.
pub(super) fn told(reply: &StoreReply) -> Reply {
    if !reply.is_rejected() {
        return Reply::Ok;
    }
    Reply::Refused {
        code: "not_stored",
        message: "the database cannot hold this text; write it without control characters \
            (the log has the reason)"
            .to_owned(),
    }
}

fn dial_mode(word: &str, ratio: Option<u32>) -> Result<DialMode, Refusal> {
    match (word, ratio) {
        ("manual", None) => Ok(DialMode::Manual),
        ("preview", None) => Ok(DialMode::Preview),
        ("progressive", None) => Ok(DialMode::Progressive),
        ("predictive", None) => Ok(DialMode::Predictive),
        ("agentless", None) => Ok(DialMode::Agentless),
        ("ratio", Some(thousandths)) => DialRatio::from_thousandths(thousandths)
            .map(DialMode::Ratio)
            .ok_or_else(|| refuse("bad_ratio", "lines per free agent are 1.0 to 10.0".to_owned())),
        ("ratio", None) => {
            Err(refuse("bad_ratio", "say how many lines per free agent: ratio 1.5".to_owned()))
        }
        ("manual" | "preview" | "progressive" | "agentless", Some(_)) => {
            Err(refuse("bad_mode", "only ratio has a number of lines per free agent".to_owned()))
        }
        ("predictive", Some(_)) => {
            Err(refuse("bad_mode", "predictive finds the number of lines itself".to_owned()))
        }
        (other, _) => {
            let message = format!(
                "`{other}` is no dial mode; there are manual, preview, progressive, ratio, predictive and agentless"
            );
            Err(refuse("bad_mode", message))
        }
    }
}

fn not_in(agent: &str) -> Refusal {
    refuse("not_in", format!("{agent} is not logged in; first: outdial agent login {agent}"))
}

/// Why something is not done.
pub(super) struct Refusal {
    code: &'static str,
    message: String,
}

impl Refusal {
    pub(super) fn into_reply(self) -> Reply {
        let Self { code, message } = self;
        Reply::Refused { code, message }
    }
}

fn used_up() -> Refusal {
    refuse("restart", "this process has used up its ids; restart it".into())
}

pub(super) const fn refuse(code: &'static str, message: String) -> Refusal {
    Refusal { code, message }
}
