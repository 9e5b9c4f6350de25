//! `outdial pace`: the pacing engine of the live dialer behind a protocol of JSON lines, for a simulator of anyone's.
//!
//! Lockstep: one answer to each message, in the sender's time only. docs/pace.md has the protocol.

use std::io::{BufRead, Write};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::cli::exit::{Exit, Failure};
use crate::logic::pacing::predictive::{
    AgentNow, AgentStage, CallNow, CallStage, Decision, Happened, Moment, Predictor, Seen,
};

/// What a simulator says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Said {
    Hello(Hello),
    Tick(Tick),
    End {},
}

#[derive(Debug, Deserialize)]
struct Hello {
    protocol: u32,
    duration_s: f64,
    agents_max: usize,
    abandon_cap: f64,
}

#[derive(Debug, Deserialize)]
struct Tick {
    seq: u64,
    t: f64,
    #[serde(default)]
    agents: Vec<Agent>,
    #[serde(default)]
    calls: Vec<Call>,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Debug, Deserialize)]
struct Agent {
    state: AgentState,
    age: f64,
    #[serde(default)]
    leaving: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AgentState {
    Idle,
    Talk,
    Wrap,
    Paused,
}

#[derive(Debug, Deserialize)]
struct Call {
    id: u64,
    stage: Stage,
    age: f64,
    stage_age: f64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stage {
    Dialing,
    Ringing,
    Amd,
    Waiting,
}

#[derive(Debug, Deserialize)]
struct Event {
    t: f64,
    kind: String,
    #[serde(default)]
    call: u64,
    #[serde(default)]
    value: f64,
    #[serde(default)]
    machine: bool,
}

#[derive(Debug, Serialize)]
struct Ready {
    ready: bool,
    name: String,
}

#[derive(Debug, Serialize)]
struct Launch {
    seq: u64,
    launch: usize,
    /// For whoever reads the log of a run: why so many.
    #[serde(flatten)]
    why: Why,
}

#[derive(Debug, Serialize)]
struct Why {
    held_by: &'static str,
    credit: f64,
    allowed: f64,
    risk: f64,
    answer: f64,
    level: f64,
}

/// Answers until there is nothing more to read.
pub(crate) fn run() -> Result<Exit, Failure> {
    let (stdin, stdout) = (std::io::stdin().lock(), std::io::stdout().lock());
    serve(stdin, stdout)?;
    Ok(Exit::Ok)
}

fn serve(input: impl BufRead, mut output: impl Write) -> anyhow::Result<()> {
    let mut engine: Option<Engine> = None;
    for (place, line) in input.lines().enumerate() {
        let line = line.context("reading standard input")?;
        if line.trim().is_empty() {
            continue;
        }
        let said = serde_json::from_str(&line)
            .with_context(|| format!("line {} is no message of the pacing protocol", place + 1))?;
        let answer = match (said, &mut engine) {
            (Said::Hello(hello), _) => {
                let ready = Ready {
                    ready: true,
                    name: concat!("outdial ", env!("CARGO_PKG_VERSION")).to_owned(),
                };
                engine = Some(Engine::new(&hello)?);
                serde_json::to_string(&ready)?
            }
            (Said::Tick(tick), Some(engine)) => serde_json::to_string(&engine.tick(&tick))?,
            (Said::Tick(_), None) => bail!("line {} is a tick; a hello comes first", place + 1),
            (Said::End {}, _) => continue,
        };
        writeln!(output, "{answer}")
            .and_then(|()| output.flush())
            .context("writing standard output")?;
    }
    Ok(())
}

struct Engine {
    predictor: Predictor,
    end: f64,
    most_lines: usize,
}

impl Engine {
    fn new(hello: &Hello) -> anyhow::Result<Self> {
        if hello.protocol != PROTOCOL {
            bail!(
                "the simulator speaks version {} of the pacing protocol, outdial version {PROTOCOL}",
                hello.protocol
            );
        }
        if !(0.0..=1.0).contains(&hello.abandon_cap) {
            bail!("abandon_cap is {}, expected a share from 0 to 1", hello.abandon_cap);
        }
        Ok(Self {
            predictor: Predictor::new(hello.abandon_cap),
            end: hello.duration_s,
            most_lines: hello.agents_max.saturating_mul(LINES_PER_AGENT),
        })
    }

    fn tick(&mut self, tick: &Tick) -> Launch {
        let agents: Vec<AgentNow> = tick.agents.iter().map(Agent::now).collect();
        let calls: Vec<CallNow> = tick.calls.iter().map(Call::now).collect();
        let events: Vec<Seen> = tick.events.iter().filter_map(Event::seen).collect();
        let decision = self.predictor.decide(&Moment {
            at: tick.t,
            agents: &agents,
            calls: &calls,
            events: &events,
            window_left: (self.end - tick.t).max(0.0),
            most_lines: self.most_lines,
            most_uncovered: usize::MAX,
        });
        Launch { seq: tick.seq, launch: decision.launch, why: Why::of(&decision) }
    }
}

impl Why {
    fn of(decision: &Decision) -> Self {
        Self {
            held_by: decision.held_by.as_str(),
            credit: decision.credit,
            allowed: decision.allowed,
            risk: decision.risk,
            answer: decision.answer,
            level: decision.level,
        }
    }
}

impl Agent {
    fn now(&self) -> AgentNow {
        let stage = match self.state {
            AgentState::Idle => AgentStage::Idle,
            AgentState::Talk => AgentStage::Talking,
            AgentState::Wrap => AgentStage::Wrapping,
            AgentState::Paused => AgentStage::Paused,
        };
        AgentNow { stage, age: self.age, leaving: self.leaving }
    }
}

impl Call {
    fn now(&self) -> CallNow {
        let stage = match self.stage {
            Stage::Dialing => CallStage::Dialing,
            Stage::Ringing => CallStage::Ringing,
            Stage::Amd => CallStage::Detecting,
            Stage::Waiting => CallStage::Waiting,
        };
        CallNow { id: self.id, stage, age: self.age, stage_age: self.stage_age }
    }
}

impl Event {
    /// `None`: of no interest here (log-ins and pauses are seen in the agents themselves).
    fn seen(&self) -> Option<Seen> {
        let what = match self.kind.as_str() {
            "ringback" => Happened::Ringback(self.call),
            "answered" => Happened::Answered(self.call),
            "live" => Happened::Live(self.call),
            "connected" => Happened::Connected(self.call),
            "abandoned" => Happened::Abandoned(self.call),
            "machine" => Happened::Machine(self.call),
            "busy" | "sit" => Happened::Refused(self.call),
            "no_answer" => Happened::NoAnswer(self.call),
            "cancelled" => Happened::Cancelled(self.call),
            "talk_end" => Happened::TalkEnded { after: self.value, machine: self.machine },
            "wrap_end" => Happened::WrapEnded { after: self.value },
            _ => return None,
        };
        Some(Seen { at: self.t, what })
    }
}

const PROTOCOL: u32 = 1;
/// More lines than this for each agent help nobody, whatever the answer rate.
const LINES_PER_AGENT: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(lines: &str) -> anyhow::Result<Vec<serde_json::Value>> {
        let mut output = Vec::new();
        serve(lines.as_bytes(), &mut output)?;
        Ok(String::from_utf8(output)?
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect())
    }

    const HELLO: &str = r#"{"type":"hello","protocol":1,"scenario":"n20","seed":1,"tick_s":0.5,"duration_s":28800.0,"agents_max":20,"abandon_cap":0.03,"connect_limit_s":2.0,"ring_timeout_s":22.0,"min_ring_s":15.0,"amd":false}"#;

    #[test]
    fn a_new_team_of_three_gets_a_line_each_and_little_more() {
        let tick = r#"{"type":"tick","seq":7,"t":0.5,"agents":[{"id":0,"state":"idle","age":0.5,"leaving":false},{"id":1,"state":"idle","age":0.5,"leaving":false},{"id":2,"state":"idle","age":0.5,"leaving":false}],"calls":[],"events":[{"t":0.1,"kind":"login","agent":0}],"totals":{"launched":0,"live":0,"connected":0,"abandoned":0}}"#;
        let said =
            answers(&format!("{HELLO}\n{tick}\n{{\"type\":\"end\",\"report\":{{}}}}\n")).unwrap();
        assert_eq!(said.len(), 2, "the end is not answered: {said:?}");
        assert_eq!(said[0]["ready"], true);
        assert_eq!((&said[1]["seq"], &said[1]["launch"]), (&7.into(), &4.into()), "{said:?}");
    }

    #[test]
    fn what_it_does_not_know_is_passed_over_and_the_end_may_be_missing() {
        let hello = HELLO.replace("\"amd\"", "\"colour\":{\"of\":[1]},\"amd\"");
        let tick = r#"{"type":"tick","seq":1,"t":0,"agents":[{"id":0,"state":"idle","age":0,"mood":"good"}],"calls":[{"id":5,"stage":"amd","age":1,"stage_age":1,"x":null}],"events":[{"t":0,"kind":"yawn","agent":0},{"t":0,"kind":"live","call":5}],"totals":{},"more":1}"#;
        let said = answers(&format!("{hello}\n\n{tick}")).unwrap();
        assert_eq!((said.len(), &said[1]["seq"]), (2, &1.into()), "{said:?}");
        assert!(said[1]["launch"].is_u64());
    }

    #[test]
    fn a_new_hello_begins_a_new_run() {
        let tick =
            r#"{"type":"tick","seq":3,"t":0.5,"agents":[{"id":0,"state":"idle","age":0.5}]}"#;
        let said = answers(&format!("{HELLO}\n{tick}\n{HELLO}\n{tick}\n")).unwrap();
        assert_eq!(said[1], said[3]);
    }

    #[test]
    fn what_is_no_message_is_named_by_its_line() {
        let error = answers(&format!("{HELLO}\nnonsense\n")).unwrap_err();
        assert!(format!("{error:#}").contains("line 2"), "{error:#}");
        let error = answers("{\"type\":\"tick\",\"seq\":1,\"t\":0.0}").unwrap_err();
        assert!(error.to_string().contains("a hello comes first"), "{error:#}");
        let error = answers(&HELLO.replace("\"protocol\":1", "\"protocol\":2")).unwrap_err();
        assert!(error.to_string().contains("version 2"), "{error:#}");
    }
}
