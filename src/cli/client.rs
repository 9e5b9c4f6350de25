//! The other end of the control socket: one command, one reply.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde_json::{Value, json};

use crate::cli::exit::{Exit, Failure, OrExit};
use crate::logic::dialer::command::AgentNotice;
use crate::logic::dialer::command::Command;
use crate::telemetry::Counted;

/// A connection to a running dialer.
#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects; ends with "no dialer" when nobody answers.
    pub(crate) fn connect(path: &Path) -> Result<Self, Failure> {
        let stream = UnixStream::connect(path)
            .with_context(|| {
                let path = path.display();
                format!("no dialer answers at {path}: start one with `outdial run CAMPAIGN`")
            })
            .or_exit(Exit::NoDialer)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// One command. A refusal is an error that says what the dialer said.
    pub(crate) fn ask(&mut self, command: &Command) -> Result<Value, Failure> {
        self.try_ask(command)?.or_exit(Exit::Refused)
    }

    /// One command, for who can do something about a refusal.
    pub(crate) fn try_ask(&mut self, command: &Command) -> Result<Result<Value, Refused>, Failure> {
        self.send(&serde_json::to_value(command)?)?;
        let reply = self.next()?.ok_or_else(|| anyhow!("the dialer ended before it answered"))?;
        Ok(accepted(reply))
    }

    /// Calls `show` with the agent's page now and at every change, until it says stop or the dialer ends.
    pub(crate) fn watch(
        mut self,
        agent: &str,
        mut show: impl FnMut(&AgentNotice) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.send(&json!({ "op": "agent_page", "agent": agent, "watch": true }))?;
        while let Some(reply) = self.next()? {
            let reply = accepted(reply).or_exit(Exit::Refused)?;
            show(&serde_json::from_value(reply)?)?;
            // The next change may be hours away.
            self.stream.get_ref().set_read_timeout(None)?;
        }
        Ok(())
    }

    /// What the dialer's process has counted.
    pub(crate) fn counters(&mut self) -> Result<Vec<Counted>, Failure> {
        self.send(&json!({ "op": "metrics" }))?;
        let reply = self.next()?.ok_or_else(|| anyhow!("the dialer ended before it answered"))?;
        let mut reply = accepted(reply).or_exit(Exit::Refused)?;
        let counters = reply.get_mut("counters").map(Value::take).unwrap_or_default();
        Ok(serde_json::from_value(counters).context("the dialer's counters")?)
    }

    fn send(&mut self, value: &Value) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line).context("the dialer does not read its socket")
    }

    fn next(&mut self) -> anyhow::Result<Option<Value>> {
        let mut line = String::new();
        let size = self.stream.read_line(&mut line).context("waiting for the dialer's answer")?;
        if size == 0 {
            return Ok(None);
        }
        serde_json::from_str(&line).map(Some).context("the dialer's answer is no JSON")
    }
}

/// The dialer said no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub(crate) struct Refused {
    pub(crate) code: String,
    message: String,
}

fn accepted(reply: Value) -> Result<Value, Refused> {
    let text = |key: &str| reply.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    if text("reply") != "refused" {
        return Ok(reply);
    }
    Err(Refused { code: text("code"), message: text("message") })
}

/// A disposition is answered when it is durable: longer than a database that is away for a moment.
const PATIENCE: Duration = Duration::from_secs(30);
