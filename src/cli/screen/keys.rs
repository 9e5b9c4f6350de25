//! What the keys do. Pure: a key and the picture in, a wish out; where it hurts, a question comes first.

use crate::cli::picture::{Campaign, Picture};
use crate::cli::screen::words::Words;
use crate::logic::dialer::command::Command;

/// A key as far as the screen knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A letter or sign.
    Char(char),
    /// Enter.
    Enter,
    /// Tab.
    Tab,
    /// Escape.
    Escape,
    /// Ctrl-C: in raw mode it is a key, not a signal.
    Interrupt,
}

/// What the person before the screen wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// A command for the dialer.
    Ask(Command),
    /// As a Ctrl-C on a plain terminal: the first one drains, the second one ends every call.
    Signal,
    /// Leave this screen; the dialer is another process and goes on.
    Leave,
}

/// What the keys have begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) stage: Stage,
    /// Which campaign and trunk the keys are about.
    campaign: usize,
    trunk: usize,
}

/// What the bottom line shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// The keys in short.
    #[default]
    Watching,
    /// What each key does.
    Help,
    /// A question; `y` or Enter says yes, anything else no.
    Sure { question: String, wish: Wish },
}

impl Keys {
    /// The campaign that the keys are about, if there are several.
    pub(super) fn chosen_campaign(&self, picture: &Picture) -> usize {
        self.campaign.min(picture.campaigns.len().saturating_sub(1))
    }

    /// Likewise the trunk.
    pub(super) fn chosen_trunk(&self, picture: &Picture) -> usize {
        self.trunk.min(picture.trunks.len().saturating_sub(1))
    }

    /// The wish that a key makes, and what is said of it at once.
    pub(super) fn press(
        &mut self,
        key: Key,
        picture: &Picture,
        attached: bool,
        words: &Words,
    ) -> (Option<Wish>, Option<String>) {
        if key == Key::Interrupt {
            self.stage = Stage::Watching;
            return (Some(if attached { Wish::Leave } else { Wish::Signal }), None);
        }
        match std::mem::take(&mut self.stage) {
            Stage::Sure { wish, .. } => match key {
                Key::Enter | Key::Char('y' | 'Y') => (Some(wish), None),
                Key::Char(_) | Key::Tab | Key::Escape | Key::Interrupt => {
                    (None, Some(words.not_done.to_owned()))
                }
            },
            Stage::Help if matches!(key, Key::Escape | Key::Char('?' | 'h')) => (None, None),
            Stage::Watching | Stage::Help => self.watch(key, picture, attached, words),
        }
    }

    fn watch(
        &mut self,
        key: Key,
        picture: &Picture,
        attached: bool,
        words: &Words,
    ) -> (Option<Wish>, Option<String>) {
        match key {
            Key::Char('?' | 'h') => self.stage = Stage::Help,
            Key::Char('q') if attached => return (Some(Wish::Leave), None),
            Key::Char('d' | 'q') if picture.draining => {
                return (None, Some(words.draining_already.to_owned()));
            }
            Key::Char('d' | 'q') => {
                let (question, wish) = (words.sure_drain.to_owned(), Wish::Ask(Command::Drain));
                self.stage = Stage::Sure { question, wish };
            }
            Key::Char('p') => return (self.pause(picture), None),
            Key::Char('m') => return (self.mode(picture, "ratio", words), None),
            Key::Char('f') => return (self.mode(picture, "predictive", words), None),
            Key::Char('a') => return (self.mode(picture, "agentless", words), None),
            Key::Char('>' | '.') => return self.ratio(picture, true, words),
            Key::Char('<' | ',') => return self.ratio(picture, false, words),
            Key::Char('+' | '=') => return self.pace(picture, true, words),
            Key::Char('-') => return self.pace(picture, false, words),
            Key::Char('t') => self.trunk = next(self.chosen_trunk(picture), picture.trunks.len()),
            Key::Tab => {
                self.campaign = next(self.chosen_campaign(picture), picture.campaigns.len());
            }
            Key::Char(_) | Key::Enter | Key::Escape | Key::Interrupt => {}
        }
        (None, None)
    }

    /// Pauses or resumes the chosen campaign: no question, for the same key takes it back.
    fn pause(&self, picture: &Picture) -> Option<Wish> {
        let campaign = picture.campaigns.get(self.chosen_campaign(picture))?;
        let name = campaign.name.clone();
        Some(Wish::Ask(if campaign.state == "paused" {
            Command::CampaignResume { campaign: name }
        } else {
            Command::CampaignPause { campaign: name }
        }))
    }

    /// Back to one line per free agent at once; to more lines, by ratio or by prediction, or to a message without agents,
    /// after a question.
    fn mode(&mut self, picture: &Picture, wanted: &str, words: &Words) -> Option<Wish> {
        let campaign = picture.campaigns.get(self.chosen_campaign(picture))?;
        let (question, wish) = match (campaign.mode.as_str(), wanted) {
            ("predictive", "predictive" | "ratio")
            | ("ratio", "ratio")
            | ("agentless", "agentless" | "ratio") => {
                return Some(mode_of(campaign, "progressive", None));
            }
            (_, "predictive") => (words.sure_predictive, mode_of(campaign, wanted, None)),
            (_, "agentless") => (words.sure_agentless, mode_of(campaign, wanted, None)),
            (_, _) => (words.sure_ratio, mode_of(campaign, "ratio", Some(FIRST_RATIO))),
        };
        self.stage = Stage::Sure { question: question.to_owned(), wish };
        None
    }

    /// A tenth of a line per free agent more or less.
    fn ratio(
        &self,
        picture: &Picture,
        more: bool,
        words: &Words,
    ) -> (Option<Wish>, Option<String>) {
        let chosen = picture.campaigns.get(self.chosen_campaign(picture));
        let Some((campaign, ratio)) = chosen.and_then(|c| Some((c, c.ratio?))) else {
            return (None, Some(words.not_in_ratio.to_owned()));
        };
        let wanted = if more { ratio.saturating_add(100) } else { ratio.saturating_sub(100) };
        (Some(mode_of(campaign, "ratio", Some(wanted))), None)
    }

    /// A twentieth of the trunk's limit more or less, at least one.
    fn pace(
        &self,
        picture: &Picture,
        faster: bool,
        words: &Words,
    ) -> (Option<Wish>, Option<String>) {
        let Some(trunk) = picture.trunks.get(self.chosen_trunk(picture)) else {
            return (None, None);
        };
        let (now, step) = (trunk.calls_per_second, (trunk.limit / 20).max(1));
        let wanted = if faster { now.saturating_add(step) } else { now.saturating_sub(step) };
        let calls_per_second = wanted.clamp(1, trunk.limit.max(1));
        if calls_per_second == now {
            return (None, Some(words.at_the_limit.to_owned()));
        }
        let trunk = trunk.name.clone();
        (Some(Wish::Ask(Command::TrunkRate { trunk, calls_per_second })), None)
    }
}

fn mode_of(campaign: &Campaign, mode: &str, ratio: Option<u32>) -> Wish {
    let campaign = campaign.name.clone();
    Wish::Ask(Command::CampaignMode { campaign, mode: mode.to_owned(), ratio })
}

/// Lines per free agent, in thousandths, to begin with.
const FIRST_RATIO: u32 = 1_500;

const fn next(now: usize, of: usize) -> usize {
    if now + 1 < of { now + 1 } else { 0 }
}
