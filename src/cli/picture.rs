//! The dialer's view as this room reads it: from the same process or from the control socket, both by JSON.

use serde::{Deserialize, Serialize};

use crate::cli::text::{Lang, either};
use crate::logic::dialer::command::AgentState;
use crate::logic::dialer::command::View;
use crate::logic::dialer::{LeadCounts, Promises};

/// What is shown of a [`View`].
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Picture {
    pub(crate) at: i64,
    pub(crate) draining: bool,
    pub(crate) old_legs: u64,
    pub(crate) store: String,
    pub(crate) unstored: u64,
    #[serde(default)]
    pub(crate) clock_ahead_ms: i64,
    pub(crate) agents: Vec<Agent>,
    pub(crate) campaigns: Vec<Campaign>,
    pub(crate) trunks: Vec<Trunk>,
    pub(crate) calls: Stages,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Agent {
    pub(crate) name: String,
    pub(crate) state: AgentState,
    pub(crate) since: i64,
    pub(crate) calls: u64,
    pub(crate) talk_ms: u64,
    pub(crate) wrap_up_ms: u64,
    pub(crate) staffed_ms: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Campaign {
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) mode: String,
    pub(crate) ratio: Option<u32>,
    pub(crate) ledger: Ledger,
    /// In predictive mode.
    #[serde(default)]
    pub(crate) pacing: Option<Pacing>,
    pub(crate) leads: Leads,
    #[serde(default)]
    pub(crate) prefetched: u64,
    pub(crate) outcomes: Vec<(String, u64)>,
    pub(crate) dialed: u64,
    pub(crate) answered: u64,
    pub(crate) live: u64,
    pub(crate) abandoned: u64,
    pub(crate) faults: u64,
    pub(crate) messages: u64,
    #[serde(default)]
    pub(crate) promises: Promises,
    pub(crate) held_by: Option<String>,
    #[serde(default)]
    pub(crate) kept_for_return_calls: u64,
    pub(crate) gates: Vec<(String, u64)>,
    /// What agents said of the calls of this run: only the database knows, at the end.
    #[serde(default)]
    pub(crate) dispositions: Vec<(String, u64)>,
}

/// What was last predicted.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Pacing {
    #[serde(default)]
    pub(crate) launch: u64,
    pub(crate) idle: u64,
    pub(crate) lines: u64,
    pub(crate) answer: f64,
    pub(crate) level: f64,
    pub(crate) allowed: f64,
    pub(crate) risk: f64,
    pub(crate) credit: f64,
    pub(crate) small_team: bool,
    #[serde(default)]
    pub(crate) answers: Option<Answers>,
}

/// What was told about who answers, beside what came.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Answers {
    pub(crate) calls: f64,
    pub(crate) brier: f64,
    pub(crate) base: f64,
    pub(crate) slope: f64,
    pub(crate) tenths: Vec<Tenth>,
}

/// Calls for which about the same chance was told.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Tenth {
    pub(crate) calls: f64,
    pub(crate) told: f64,
    pub(crate) answers: f64,
}

impl Answers {
    /// Its error beside that of whoever knows only the mean, the slope, and of how many calls; none before the first.
    pub(crate) fn text(&self, lang: Lang) -> Option<String> {
        let Self { calls, brier, base, slope, .. } = self;
        (*calls > 0.0).then(|| match lang {
            Lang::En => format!(
                "error {brier:.3} (mean alone {base:.3}), slope {slope:.2}, {calls:.0} calls"
            ),
            Lang::Ja => {
                format!("誤差 {brier:.3}(平均のみ {base:.3})、傾き {slope:.2}、{calls:.0}件")
            }
        })
    }
}

impl Pacing {
    /// Credit, risk against theta, chance of an answer and its level, for people.
    pub(crate) fn texts(&self, lang: Lang) -> Vec<String> {
        let word = |en, ja| either(lang, en, ja);
        let of_a_hundred = |share: f64| format!("{:.1} %", share * 100.0);
        let mut texts = vec![
            format!("{} {:.1}", word("credit", "余裕"), self.credit),
            format!(
                "{} {} (theta {})",
                word("risk", "危険率"),
                of_a_hundred(self.risk),
                of_a_hundred(self.allowed)
            ),
            format!(
                "{} {} (x{:.2})",
                word("answers", "応答率"),
                of_a_hundred(self.answer),
                self.level
            ),
            format!("{} {}", word("lines", "発信中"), self.lines),
            format!("{} {}", word("free agents", "待機中の担当者"), self.idle),
        ];
        let told = self.answers.as_ref().and_then(|answers| answers.text(lang));
        texts.extend(told.map(|told| format!("{}: {told}", word("who answers", "応答予測"))));
        if self.small_team {
            texts.push(
                word(
                    "too few agents to predict: progressive with credit",
                    "担当者が少なく予測しません: 余裕つきプログレッシブ",
                )
                .to_owned(),
            );
        }
        texts
    }
}

/// The window of the abandonment ledger that lasts now.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Ledger {
    pub(crate) cap_ppm: u32,
    pub(crate) answered: u64,
    pub(crate) abandoned: u64,
    pub(crate) fault: u64,
    #[serde(default)]
    pub(crate) owed: u64,
    #[serde(default)]
    pub(crate) may_owe: u32,
    pub(crate) uncovered_allowed: u64,
    pub(crate) uncovered: u64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Leads {
    pub(crate) ready: u64,
    pub(crate) waiting: u64,
    pub(crate) claimed: u64,
    pub(crate) done: u64,
    pub(crate) held: u64,
    pub(crate) blocked: u64,
}

impl From<LeadCounts> for Leads {
    fn from(counts: LeadCounts) -> Self {
        let LeadCounts { ready, waiting, claimed, done, held, blocked, next_due: _ } = counts;
        Self { ready, waiting, claimed, done, held, blocked }
    }
}

impl Leads {
    /// Nothing is dialed for these any more, unless a person decides so.
    pub(crate) fn over(self) -> u64 {
        [self.done, self.held, self.blocked].iter().sum()
    }

    pub(crate) fn all(self) -> u64 {
        [self.ready, self.waiting, self.claimed, self.done, self.held, self.blocked].iter().sum()
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Trunk {
    pub(crate) name: String,
    pub(crate) in_use: u32,
    pub(crate) channels: u32,
    pub(crate) last_second: u32,
    pub(crate) calls_per_second: u32,
    pub(crate) limit: u32,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Stages {
    pub(crate) dialing: u64,
    pub(crate) ringing: u64,
    pub(crate) waiting: u64,
    pub(crate) talking: u64,
    pub(crate) message: u64,
    pub(crate) cancelling: u64,
}

impl Picture {
    /// Of a view in this process.
    pub(crate) fn of(view: &View) -> anyhow::Result<Self> {
        Ok(serde_json::from_value(serde_json::to_value(view)?)?)
    }

    /// INVITEs of all campaigns together.
    pub(crate) fn dialed(&self) -> u64 {
        self.campaigns.iter().map(|campaign| campaign.dialed).sum()
    }

    /// Agents in a state.
    pub(crate) fn agents_in(&self, state: AgentState) -> usize {
        self.agents.iter().filter(|agent| agent.state == state).count()
    }
}
