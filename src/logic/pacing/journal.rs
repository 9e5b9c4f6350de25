//! The journal of pacing: what the engine of a campaign was asked and what it said, to be asked again.
//!
//! A line holds only what changed since the line before. A journal begins with all that the engine knew; where it grows
//! beyond its part it begins anew, and the engine with it, from its own text: so each part can be replayed alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::logic::pacing::pacer::{
    AgentSince, CallSince, Fact, OddsNow, Pacer, Said, Scene, WindowNow,
};
use crate::logic::pacing::predictive::memory::Unreadable;

/// One line. `S`: what was said, as it is written or as it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line<S> {
    /// What the engine knows from here on.
    Begins {
        /// Of this journal's form.
        version: u32,
        /// The cap in parts per million.
        cap_ppm: u32,
        /// The window whose balance it knows.
        window: Option<i64>,
        /// As the engine remembers it.
        learned: String,
    },
    /// What it was asked, as changes against the line before, and what it said.
    Asked {
        /// See [`Scene::at`].
        at: u64,
        /// See [`Scene::window_left_ms`].
        left_ms: u64,
        /// See [`Scene::window`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window: Option<WindowNow>,
        /// See [`Scene::most_lines`].
        most_lines: u64,
        /// See [`Scene::spare`].
        spare: u64,
        /// Agents who do something else now.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        agents: Vec<(i64, AgentSince)>,
        /// Agents who are not there any more.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        gone: Vec<i64>,
        /// Calls that are new or further.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<(u64, CallSince)>,
        /// Calls that are over, or with an agent.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        over: Vec<u64>,
        /// See [`Scene::next`].
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        next: Vec<OddsNow>,
        /// See [`Scene::seen`].
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        seen: Vec<(u64, Fact)>,
        /// The answer.
        said: S,
    },
}

/// Writes lines.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    agents: BTreeMap<i64, AgentSince>,
    calls: BTreeMap<u64, CallSince>,
    /// About so many bytes in this part.
    bytes: u64,
}

impl Journal {
    /// A part of a journal begins with this line, and with this engine: what `pacer` has learned, and nothing else of it.
    ///
    /// # Errors
    /// Never: what an engine remembers can be recalled.
    pub fn begin(pacer: &Pacer) -> Result<(Self, Line<Said>, Pacer), Unreadable> {
        let (cap_ppm, window, learned) = (pacer.cap_ppm(), pacer.window(), pacer.remember());
        let fresh = Pacer::recall(cap_ppm, &learned, window)?;
        let bytes = u64::try_from(learned.len()).unwrap_or(u64::MAX);
        let line = Line::Begins { version: VERSION, cap_ppm, window, learned };
        Ok((Self { bytes, ..Self::default() }, line, fresh))
    }

    /// About so many bytes were written in this part.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The line of a moment.
    pub fn asked(&mut self, scene: &Scene, said: Said) -> Line<Said> {
        let agents = changed(&self.agents, &scene.agents);
        let calls = changed(&self.calls, &scene.calls);
        let gone = missing(&self.agents, &scene.agents);
        let over = missing(&self.calls, &scene.calls);
        self.agents.clone_from(&scene.agents);
        self.calls.clone_from(&scene.calls);
        let (seen, next) = (scene.seen.clone(), scene.next.clone());
        let odds = u64::try_from(next.len()).unwrap_or(u64::MAX).saturating_mul(ODDS);
        let entries = agents.len() + calls.len() + gone.len() + over.len() + seen.len();
        let entries = u64::try_from(entries).unwrap_or(u64::MAX);
        self.bytes =
            self.bytes.saturating_add(LINE + odds).saturating_add(entries.saturating_mul(ENTRY));
        let (at, left_ms, window) = (scene.at, scene.window_left_ms, scene.window);
        let (most_lines, spare) = (scene.most_lines, scene.spare);
        Line::Asked {
            at,
            left_ms,
            window,
            most_lines,
            spare,
            agents,
            gone,
            calls,
            over,
            next,
            seen,
            said,
        }
    }
}

/// Asks again what a journal has.
#[derive(Debug, Default)]
pub struct Replay {
    pacer: Option<Pacer>,
    scene: Scene,
}

/// A line cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReplayed {
    /// Another form of journal.
    #[error("this journal has version {0}, and this outdial reads version {VERSION}")]
    Version(u32),
    /// What the engine knew.
    #[error("what the engine had learned cannot be read: {0}")]
    Learned(#[from] Unreadable),
    /// Nothing has begun yet.
    #[error("it comes before the line with which a journal begins")]
    NotBegun,
}

impl Replay {
    /// What the engine says to a line, and what was written of it; `None`: it was not asked.
    ///
    /// # Errors
    /// The line cannot be replayed.
    pub fn play<S>(&mut self, line: Line<S>) -> Result<Option<(Said, S)>, NotReplayed> {
        match line {
            Line::Begins { version, .. } if version != VERSION => {
                Err(NotReplayed::Version(version))
            }
            Line::Begins { version: _, cap_ppm, window, learned } => {
                self.pacer = Some(Pacer::recall(cap_ppm, &learned, window)?);
                self.scene = Scene::default();
                Ok(None)
            }
            Line::Asked {
                at,
                left_ms,
                window,
                most_lines,
                spare,
                agents,
                gone,
                calls,
                over,
                next,
                seen,
                said,
            } => {
                let pacer = self.pacer.as_mut().ok_or(NotReplayed::NotBegun)?;
                let scene = &mut self.scene;
                scene.at = at;
                scene.window_left_ms = left_ms;
                scene.window = window;
                scene.most_lines = most_lines;
                scene.spare = spare;
                scene.agents.extend(agents);
                scene.calls.extend(calls);
                scene.agents.retain(|agent, _| !gone.contains(agent));
                scene.calls.retain(|call, _| !over.contains(call));
                scene.next = next;
                scene.seen = seen;
                Ok(Some((pacer.ask(scene), said)))
            }
        }
    }
}

fn changed<K: Ord + Copy, V: PartialEq + Copy>(
    before: &BTreeMap<K, V>,
    now: &BTreeMap<K, V>,
) -> Vec<(K, V)> {
    let news = now.iter().filter(|(key, value)| before.get(key) != Some(value));
    news.map(|(key, value)| (*key, *value)).collect()
}

fn missing<K: Ord + Copy, V>(before: &BTreeMap<K, V>, now: &BTreeMap<K, V>) -> Vec<K> {
    before.keys().filter(|key| !now.contains_key(key)).copied().collect()
}

/// Of the lines above.
pub const VERSION: u32 = 2;
/// About so many bytes has a line, and each of its entries.
const LINE: u64 = 320;
const ENTRY: u64 = 40;
const ODDS: u64 = 5;
