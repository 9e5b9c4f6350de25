//! The demo while it runs: logs the agents in, tells them what the dialer announces, lets one phone die, shows it all.

use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;

use crate::carrier::CarrierHandle;
use crate::cli::live::Live;
use crate::cli::picture::Picture;
use crate::cli::run::Pictures;
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

/// One phone dies once in a demo, in mid-talk, so that its customer hears the message for a lost call.
enum LostPhone {
    /// Not yet.
    Alive,
    /// It is gone since this picture.
    Dead,
}

impl World {
    pub(crate) fn new(
        handle: Handle,
        carrier: CarrierHandle,
        agents: Vec<String>,
        title: &str,
        lang: Lang,
    ) -> Self {
        Self { handle, carrier, agents, live: Live::new(title, lang), lost: LostPhone::Alive }
    }

    /// Until the dialer ends.
    pub(crate) async fn live(mut self) -> anyhow::Result<(Pictures, CarrierHandle)> {
        let mut notices = self.handle.notices();
        let mut views = self.handle.clone();
        let mut wishes = self.carrier.take_wishes();
        let mut pictures = Pictures { first_at: 0, last: Picture::default() };
        // Orders wait for the dialer; the agents' ears must not.
        let mut orders = JoinSet::new();
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
                Some(agent) = wish => {
                    orders.spawn(order(self.handle.clone(), Command::AgentReady { agent }));
                }
                view = views.next_view() => {
                    let Ok(view) = view else { break };
                    let picture = Picture::of(&view)?;
                    if pictures.first_at == 0 && picture.dialed() > 0 {
                        pictures.first_at = picture.at;
                    }
                    self.lose_a_phone(pictures.first_at, &picture)?;
                    self.live.show(&picture)?;
                    pictures.last = picture;
                }
                Some(done) = orders.join_next() => done?,
            }
        }
        Ok((pictures, self.carrier))
    }

    fn told(&self, notice: &AgentNotice) -> anyhow::Result<()> {
        Ok(self.carrier.tell(&notice.agent, notice.state)?)
    }

    /// From 20 s of dialing on: the first agent seen in mid-talk.
    fn lose_a_phone(&mut self, first_at: i64, picture: &Picture) -> anyhow::Result<()> {
        let due = first_at > 0 && picture.at.saturating_sub(first_at) >= LOST_AFTER_MS;
        match self.lost {
            LostPhone::Alive if due => {}
            LostPhone::Alive | LostPhone::Dead => return Ok(()),
        }
        let talking = picture.agents.iter().find(|agent| agent.state == AgentState::OnCall);
        let Some(phone) = talking.and_then(|agent| self.carrier.phone(&agent.name)) else {
            return Ok(());
        };
        self.lost = LostPhone::Dead;
        phone.order(PhoneOrder::HangUp)?;
        phone.die()?;
        Ok(())
    }
}

async fn order(handle: Handle, command: Command) {
    match handle.ask(command).await {
        Ok(reply) => tracing::debug!(?reply, "a simulated agent was answered"),
        Err(gone) => tracing::debug!(%gone, "a simulated agent was not answered"),
    }
}

const LOST_AFTER_MS: i64 = 20_000;
