//! `outdial agent …`: what an agent does, by the control socket.

use std::io::{IsTerminal, Write};
use std::path::Path;

use crate::cli::args::AgentVerb;
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::unread;
use crate::cli::page;
use crate::cli::text::Lang;
use crate::logic::dialer::command::Command;

/// Does one verb at the dialer behind `socket`.
pub(crate) fn run(socket: &Path, lang: Lang, verb: &AgentVerb) -> Result<Exit, Failure> {
    let mut client = Client::connect(socket)?;
    let command = match verb {
        AgentVerb::Login(agent) => Command::AgentLogin { agent: agent.name.clone() },
        AgentVerb::Ready(agent) => Command::AgentReady { agent: agent.name.clone() },
        AgentVerb::Pause { name, reason } => {
            Command::AgentPause { agent: name.clone(), reason: reason.clone() }
        }
        AgentVerb::Logout(agent) => Command::AgentLogout { agent: agent.name.clone() },
        AgentVerb::Dial { name, whom } => {
            Command::AgentDial { agent: name.clone(), whom: whom.clone() }
        }
        AgentVerb::Skip(agent) => Command::AgentSkip { agent: agent.name.clone() },
        AgentVerb::Hangup(agent) => Command::AgentHangUp { agent: agent.name.clone() },
        AgentVerb::Disposition { name, code, attempt, memo, callback } => {
            Command::AgentDisposition {
                agent: name.clone(),
                code: code.clone(),
                attempt: attempt.clone(),
                memo: memo.clone(),
                callback: callback.clone(),
            }
        }
        AgentVerb::Watch { name, json } => {
            watch(client, name, *json, lang)?;
            return Ok(Exit::Ok);
        }
    };
    client.ask(&command)?;
    Ok(Exit::Ok)
}

fn watch(client: Client, agent: &str, json: bool, lang: Lang) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    let in_place = out.is_terminal() && !json;
    client.watch(agent, |notice| {
        let text = if json { serde_json::to_string(notice)? } else { page::render(notice, lang) };
        if in_place {
            // Home, the page, and nothing of a longer page before it.
            write!(out, "\x1b[H\x1b[2J{text}").map_err(unread)?;
        } else {
            writeln!(out, "{text}").map_err(unread)?;
        }
        out.flush().map_err(unread)?;
        Ok(())
    })
}
