//! The demo while it runs: logs the agents in, tells them what the dialer announces, lets one phone die, shows it all.

use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;

use crate::carrier::CarrierHandle;
use crate::cli::picture::Picture;
use crate::cli::run::{Pictures, grant};
use crate::cli::screen::Live;
use crate::cli::text::Lang;
use crate::logic::dialer::command::{AgentNotice, AgentState, Command};
use crate::runtime::handle::Handle;
use crate::simulation::phone::PhoneOrder;

/// Everybody besides the dialer.
pub(crate) struct World {
    handle: Handle,
    carrier: CarrierHandle,
    agents: Vec<String>,
    live: Live,
    lost: LostPhone,
}

/// A phone that dies in mid-talk. Another agent takes the customer over, if one is free in time; if not, the customer
/// hears the message for a lost call. That is what a demo should show once, so another phone dies if need be.
enum LostPhone {
    /// All phones are up.
    None { tries: u32 },
    /// This agent's phone is dead.
    Dead { agent: String, since: i64, tries: u32 },
}

impl World {
    pub(crate) fn new(
        handle: Handle,
        carrier: CarrierHandle,
        agents: Vec<String>,
        title: &str,
        lang: Lang,
    ) -> Self {
        Self {
            handle,
            carrier,
            agents,
            live: Live::of_ours(title, lang),
            lost: LostPhone::None { tries: 0 },
        }
    }

    /// Until the dialer ends.
    pub(crate) async fn live(mut self) -> anyhow::Result<(Pictures, CarrierHandle)> {
        let mut notices = self.handle.notices();
        let mut views = self.handle.clone();
        let mut wishes = self.carrier.take_wishes();
        let mut pictures = Pictures { first_at: 0, last: Picture::default() };
        // Orders wait for the dialer; the agents' ears must not.
        let mut orders = JoinSet::new();
        let mut wishes_of_keys = JoinSet::new();
        for agent in &self.agents {
            let login = Command::AgentLogin { agent: agent.clone() };
            orders.spawn(order(self.handle.clone(), login));
        }
        loop {
            let wish = async {
                match &mut wishes {
                    Some(wishes) => wishes.recv().await,
                    None => None,
                }
            };
            tokio::select! {
                notice = notices.recv() => match notice {
                    Ok(notice) => self.told(&notice)?,
                    // Behind by a thousand changes: each agent's next change brings it up to date.
                    Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "the demo's agents missed changes"),
                    Err(RecvError::Closed) => break,
                },
                Some(wish) = wish => {
                    orders.spawn(order(self.handle.clone(), wish));
                }
                view = views.next_view() => {
                    let Ok(view) = view else { break };
                    let picture = Picture::of(&view)?;
                    if pictures.first_at == 0 && picture.dialed() > 0 {
                        pictures.first_at = picture.at;
                    }
                    if let Some(back) = self.lose_a_phone(pictures.first_at, &picture)? {
                        let login = Command::AgentLogin { agent: back };
                        orders.spawn(order(self.handle.clone(), login));
                    }
                    self.live.show(picture.clone());
                    pictures.last = picture;
                }
                wish = self.live.wish() => {
                    wishes_of_keys.spawn(grant(self.handle.clone(), wish));
                }
                Some(answer) = wishes_of_keys.join_next() => self.live.told(answer?),
                Some(done) = orders.join_next() => done?,
            }
        }
        Ok((pictures, self.carrier))
    }

    fn told(&self, notice: &AgentNotice) -> anyhow::Result<()> {
        Ok(self.carrier.tell(&notice.agent, notice.state)?)
    }

    /// From 20 s of dialing on the phone of whoever was connected last dies; its agent is back some seconds later.
    /// Returns the agent who logs in again.
    fn lose_a_phone(&mut self, first_at: i64, picture: &Picture) -> anyhow::Result<Option<String>> {
        let heard = picture.campaigns.iter().any(|campaign| campaign.messages > 0);
        match &self.lost {
            LostPhone::None { tries } => {
                let dialing = picture.at.saturating_sub(first_at);
                if first_at == 0
                    || dialing < LOST_AFTER_MS
                    || *tries >= TRIES
                    || (*tries > 0 && heard)
                {
                    return Ok(None);
                }
                let talking =
                    picture.agents.iter().filter(|agent| agent.state == AgentState::OnCall);
                let Some(agent) = talking.max_by_key(|agent| agent.since) else { return Ok(None) };
                if let Some(phone) = self.carrier.phone(&agent.name) {
                    phone.order(PhoneOrder::HangUp)?;
                    phone.die()?;
                }
                let (agent, tries) = (agent.name.clone(), tries + 1);
                self.lost = LostPhone::Dead { agent, since: picture.at, tries };
                Ok(None)
            }
            LostPhone::Dead { agent, since, tries } => {
                if picture.at.saturating_sub(*since) < BACK_AFTER_MS {
                    return Ok(None);
                }
                if let Some(phone) = self.carrier.phone(agent) {
                    phone.order(PhoneOrder::Revive)?;
                }
                let back = agent.clone();
                self.lost = LostPhone::None { tries: *tries };
                Ok(Some(back))
            }
        }
    }
}

async fn order(handle: Handle, command: Command) {
    match handle.ask(command).await {
        Ok(reply) => tracing::debug!(?reply, "a simulated agent was answered"),
        Err(gone) => tracing::debug!(%gone, "a simulated agent was not answered"),
    }
}

const LOST_AFTER_MS: i64 = 20_000;
const BACK_AFTER_MS: i64 = 3_000;
/// Phones that die at most.
const TRIES: u32 = 5;
