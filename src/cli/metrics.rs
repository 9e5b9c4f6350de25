//! `outdial metrics`: what a running dialer counts and measures, in the text form of OpenMetrics, for Prometheus and its
//! like (by the textfile collector of an exporter, or any scraper that runs a command).

use std::fmt;

use anyhow::anyhow;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::cli::args::Args;
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::picture::{Campaign, Picture};
use crate::cli::setup;
use crate::logic::dialer::command::{AgentState, Command};
use crate::telemetry::Counted;

/// Prints them.
pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let file = setup::outdial_file(&args.config)?;
    let mut client = Client::connect(&setup::control_path(&file, &args.config))?;
    let picture: Picture = serde_json::from_value(client.ask(&Command::Status)?)?;
    output::text(&exposition(picture, client.counters()?)?)?;
    Ok(Exit::Ok)
}

fn exposition(picture: Picture, counted: Vec<Counted>) -> anyhow::Result<String> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Seen { picture, counted }));
    let mut page = String::new();
    text::encode(&mut page, &registry).map_err(|_| anyhow!("the metrics have no text"))?;
    Ok(page)
}

/// One moment of a dialer.
#[derive(Debug)]
struct Seen {
    picture: Picture,
    counted: Vec<Counted>,
}

impl Collector for Seen {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let of_campaigns = of_campaigns(&self.picture.campaigns);
        for family in of_machine(&self.picture).iter().chain(&of_campaigns) {
            family.encode(&mut encoder)?;
        }
        for Counted { name, help, count } in &self.counted {
            let name = name.strip_suffix("_total").unwrap_or(name);
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            family.encode_counter::<NoLabelSet, _, u64>(count, None)?;
        }
        Ok(())
    }
}

/// One metric with its samples.
struct Family {
    /// `_total` is added to the name of a counter.
    name: &'static str,
    /// One sentence, with the unit; the encoder adds its full stop.
    help: &'static str,
    kind: MetricType,
    samples: Vec<(Labels, Value)>,
}

type Labels = Vec<(&'static str, String)>;

#[derive(Clone, Copy)]
enum Value {
    Count(u64),
    Signed(i64),
    Level(f64),
}

impl Family {
    fn new(name: &'static str, help: &'static str, kind: MetricType) -> Self {
        Self { name, help, kind, samples: Vec::new() }
    }

    fn gauge(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, MetricType::Gauge)
    }

    fn counter(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, MetricType::Counter)
    }

    fn with(mut self, samples: impl IntoIterator<Item = (Labels, Value)>) -> Self {
        self.samples.extend(samples);
        self
    }

    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        if self.samples.is_empty() {
            return Ok(());
        }
        let mut family = encoder.encode_descriptor(self.name, self.help, None, self.kind)?;
        for (labels, value) in &self.samples {
            let mut sample = family.encode_family(labels)?;
            match (self.kind, *value) {
                (MetricType::Counter, Value::Count(count)) => {
                    sample.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
                }
                (_, Value::Count(count)) => sample.encode_gauge(&count)?,
                (_, Value::Signed(level)) => sample.encode_gauge(&level)?,
                (_, Value::Level(level)) => sample.encode_gauge(&level)?,
            }
        }
        Ok(())
    }
}

/// Agents, calls, trunks, database, clock.
fn of_machine(picture: &Picture) -> Vec<Family> {
    let of = |key, value: &str| vec![(key, value.to_owned())];
    let calls = picture.calls;
    let stages = [
        ("dialing", calls.dialing),
        ("ringing", calls.ringing),
        ("waiting", calls.waiting),
        ("talking", calls.talking),
        ("message", calls.message),
        ("cancelling", calls.cancelling),
    ];
    let count = |n: usize| Value::Count(u64::try_from(n).unwrap_or(u64::MAX));
    let trunks = &picture.trunks;
    vec![
        Family::gauge("outdial_agents", "Agents by state").with(
            AgentState::ALL
                .map(|state| (of("state", state.as_str()), count(picture.agents_in(state)))),
        ),
        Family::gauge("outdial_calls", "Customer legs by stage")
            .with(stages.map(|(stage, legs)| (of("stage", stage), Value::Count(legs)))),
        Family::gauge("outdial_trunk_channels_in_use", "Channels in use")
            .with(trunks.iter().map(|t| (of("trunk", &t.name), Value::Count(u64::from(t.in_use))))),
        Family::gauge("outdial_trunk_channels", "Channels of the trunk").with(
            trunks.iter().map(|t| (of("trunk", &t.name), Value::Count(u64::from(t.channels)))),
        ),
        Family::gauge("outdial_trunk_invites_last_second", "INVITEs of the last second").with(
            trunks.iter().map(|t| (of("trunk", &t.name), Value::Count(u64::from(t.last_second)))),
        ),
        Family::gauge(
            "outdial_trunk_calls_per_second",
            "Calls per second that the trunk may start now",
        )
        .with(trunks.iter().map(|t| {
            (of("trunk", &t.name), Value::Count(u64::from(t.calls_per_second.min(t.limit))))
        })),
        Family::gauge("outdial_store", "The database: 1 for the state it is in")
            .with(["ok", "slow", "gone"].map(|state| {
                (of("state", state), Value::Count(u64::from(picture.store == state)))
            })),
        Family::gauge("outdial_unstored", "Facts that wait in memory to be written")
            .with([(Vec::new(), Value::Count(picture.unstored))]),
        Family::gauge(
            "outdial_clock_ahead_milliseconds",
            "This clock before the database's; beyond 1000 either way no call starts",
        )
        .with([(Vec::new(), Value::Signed(picture.clock_ahead_ms))]),
        Family::gauge("outdial_draining", "1 while calls are ended and none begun")
            .with([(Vec::new(), Value::Count(u64::from(picture.draining)))]),
    ]
}

/// Lists, results, ledger and pacing, by campaign.
fn of_campaigns(campaigns: &[Campaign]) -> Vec<Family> {
    let each = |family: Family, read: &dyn Fn(&Campaign) -> Vec<(Labels, Value)>| {
        family.with(campaigns.iter().flat_map(|campaign| {
            read(campaign).into_iter().map(|(mut labels, value)| {
                labels.insert(0, ("campaign", campaign.name.clone()));
                (labels, value)
            })
        }))
    };
    let count = |family, read: &dyn Fn(&Campaign) -> u64| {
        each(family, &|campaign| vec![(Vec::new(), Value::Count(read(campaign)))])
    };
    let by_text = |family, key, read: &dyn Fn(&Campaign) -> Vec<(String, u64)>| {
        each(family, &|campaign| {
            let texts = read(campaign).into_iter();
            texts.map(|(text, n)| (vec![(key, text)], Value::Count(n))).collect()
        })
    };
    let pacing = |name, help, read: &dyn Fn(&crate::cli::picture::Pacing) -> Value| {
        each(Family::gauge(name, help), &|campaign| {
            campaign.pacing.iter().map(|pacing| (Vec::new(), read(pacing))).collect()
        })
    };
    let gauge = Family::gauge;
    let counter = Family::counter;
    vec![
        each(gauge("outdial_campaign_state", "1 for the campaign's state and mode"), &|campaign| {
            let labels = vec![("state", campaign.state.clone()), ("mode", campaign.mode.clone())];
            vec![(labels, Value::Count(1))]
        }),
        each(gauge("outdial_campaign_held_by", "1 for what holds dialing back now"), &|campaign| {
            let reason = campaign.held_by.iter();
            reason.map(|by| (vec![("reason", by.clone())], Value::Count(1))).collect()
        }),
        by_text(
            gauge("outdial_campaign_leads", "Leads by state, as last counted"),
            "state",
            &|c| {
                let leads = c.leads;
                [
                    ("ready", leads.ready),
                    ("waiting", leads.waiting),
                    ("claimed", leads.claimed),
                    ("done", leads.done),
                    ("held", leads.held),
                    ("blocked", leads.blocked),
                ]
                .map(|(state, n)| (state.to_owned(), n))
                .into()
            },
        ),
        count(gauge("outdial_campaign_prefetched", "Leads in memory, ready to be dialed"), &|c| {
            c.prefetched
        }),
        count(counter("outdial_campaign_invites", "INVITEs since this process began"), &|c| {
            c.dialed
        }),
        count(
            counter("outdial_campaign_answered", "Answered calls since this process began"),
            &|c| c.answered,
        ),
        count(
            counter("outdial_campaign_live", "Resolved live answers since this process began"),
            &|c| c.live,
        ),
        count(
            counter("outdial_campaign_abandoned", "Abandoned calls since this process began"),
            &|c| c.abandoned,
        ),
        count(
            counter(
                "outdial_campaign_faults",
                "Of the abandoned, losses that nothing could exclude",
            ),
            &|c| c.faults,
        ),
        count(
            counter("outdial_campaign_messages", "Messages begun since this process began"),
            &|c| c.messages,
        ),
        by_text(
            counter("outdial_campaign_outcomes", "Outcomes since this process began"),
            "outcome",
            &|c| c.outcomes.clone(),
        ),
        count(
            gauge("outdial_campaign_kept_for_return_calls", "Free agents kept for return calls"),
            &|c| c.kept_for_return_calls,
        ),
        by_text(
            counter("outdial_campaign_gated", "Leads not dialed, by the gate that refused"),
            "gate",
            &|c| c.gates.clone(),
        ),
        count(
            gauge(
                "outdial_ledger_answered",
                "A: resolved live answers of the window that lasts now",
            ),
            &|c| c.ledger.answered,
        ),
        count(
            gauge("outdial_ledger_abandoned", "D: abandoned calls of the window that lasts now"),
            &|c| c.ledger.abandoned,
        ),
        count(gauge("outdial_ledger_faults", "Of D, losses that nothing could exclude"), &|c| {
            c.ledger.fault
        }),
        each(gauge("outdial_ledger_cap_ratio", "The cap, as a share of A"), &|c| {
            vec![(Vec::new(), Value::Level(f64::from(c.ledger.cap_ppm) / 1_000_000.0))]
        }),
        count(gauge("outdial_ledger_owed", "Calls that the window owes"), &|c| c.ledger.owed),
        count(gauge("outdial_ledger_may_owe", "Calls that the window may owe now"), &|c| {
            u64::from(c.ledger.may_owe)
        }),
        count(
            gauge("outdial_ledger_uncovered", "Calls under way without an agent of their own"),
            &|c| c.ledger.uncovered,
        ),
        count(
            gauge("outdial_ledger_uncovered_allowed", "So many may be under way: the credit"),
            &|c| c.ledger.uncovered_allowed,
        ),
        pacing("outdial_pacing_idle_agents", "Agents who waited at the last decision", &|p| {
            Value::Count(p.idle)
        }),
        pacing("outdial_pacing_lines", "Calls under way at the last decision", &|p| {
            Value::Count(p.lines)
        }),
        pacing("outdial_pacing_launch", "Calls that the last decision asked for", &|p| {
            Value::Count(p.launch)
        }),
        pacing(
            "outdial_pacing_answer_ratio",
            "Chance that a new call is answered by a person",
            &|p| Value::Level(p.answer),
        ),
        pacing("outdial_pacing_answer_level", "That chance to the usual one", &|p| {
            Value::Level(p.level)
        }),
        pacing("outdial_pacing_theta_ratio", "The risk that a call may carry", &|p| {
            Value::Level(p.allowed)
        }),
        pacing(
            "outdial_pacing_risk_ratio",
            "The risk that one more call would find no agent",
            &|p| Value::Level(p.risk),
        ),
        pacing(
            "outdial_pacing_credit_calls",
            "Calls that may still be lost, as the engine reckons",
            &|p| Value::Level(p.credit),
        ),
        pacing("outdial_pacing_small_team", "1 while there are too few agents to predict", &|p| {
            Value::Count(u64::from(p.small_team))
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    fn picture() -> Picture {
        serde_json::from_value(serde_json::json!({
            "at": 0, "draining": false, "old_legs": 0, "store": "ok", "unstored": 2, "clock_ahead_ms": -3,
            "agents": [
                { "name": "hanako", "state": "on_call", "since": 0, "calls": 1, "talk_ms": 1, "wrap_up_ms": 0,
                  "staffed_ms": 5 }
            ],
            "campaigns": [{
                "name": "spring \"a\"", "state": "running", "mode": "predictive", "ratio": null,
                "ledger": { "cap_ppm": 30_000, "answered": 100, "abandoned": 1, "fault": 0, "owed": 0, "may_owe": 0,
                            "uncovered_allowed": 2, "uncovered": 1 },
                "pacing": { "launch": 3, "idle": 1, "lines": 9, "answer": 0.25, "level": 1.5, "allowed": 0.03,
                            "risk": 0.01, "credit": 2.0, "small_team": false },
                "leads": { "ready": 7, "waiting": 0, "claimed": 0, "done": 0, "held": 0, "blocked": 0 },
                "outcomes": [["busy", 4]], "dialed": 30, "answered": 12, "live": 10, "abandoned": 1, "faults": 0,
                "messages": 0, "held_by": "credit", "gates": [["hours", 5]]
            }],
            "trunks": [{ "name": "main", "in_use": 9, "channels": 24, "last_second": 4, "calls_per_second": 20,
                         "limit": 20 }],
            "calls": { "dialing": 1, "ringing": 8, "waiting": 0, "talking": 1, "message": 0, "cancelling": 0 }
        }))
        .unwrap()
    }

    #[test]
    fn names_and_labels_are_a_promise_to_outsiders() {
        let page = exposition(picture(), Metrics::default().read()).unwrap();
        insta::assert_snapshot!(page);
    }

    #[test]
    fn a_campaign_that_predicts_nothing_has_no_pacing_metrics() {
        let mut picture = picture();
        picture.campaigns[0].pacing = None;
        let page = exposition(picture, Vec::new()).unwrap();
        assert!(
            page.contains("outdial_ledger_uncovered_allowed") && !page.contains("outdial_pacing")
        );
        assert!(page.ends_with("# EOF\n"));
    }
}
