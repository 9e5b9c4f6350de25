//! What an answered person hears without an agent, and the keys he presses.
//!
//! ```text
//! Playing ──end──▶ Listening ──wait──▶ Playing again, or Over
//!    └─────key────────┴──▶ Storing ──durable──▶ Closing ──end──▶ Over
//! ```
//!
//! A key counts at any moment of the message (47 CFR 64.1200(b)(3), 16 CFR 310.4(b)(1)(v)(B)), and a refusal also after
//! another choice. Nothing is confirmed before it is durable.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Action;
use crate::logic::time::{Now, Tick};

/// The recorded message of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Menu {
    limits: MenuLimits,
    state: State,
    /// Heard to its end, or answered by a key.
    heard: bool,
    rounds: u32,
    wrong: u32,
}

/// What a campaign says of its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuLimits {
    /// Keys with a meaning; `true`: a refusal.
    pub keys: BTreeMap<char, bool>,
    /// How often the message is played again.
    pub repeat: u32,
    /// How long a key is waited for after it.
    pub wait: Duration,
    /// So many keys without a meaning end the call.
    pub wrong_keys: u32,
}

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The message.
    Message,
    /// That the person is not called again.
    Removed,
    /// That a choice was taken.
    Thanks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Playing {
        until: Tick,
    },
    Listening {
        until: Tick,
    },
    /// What the key said is on its way to the database.
    Storing {
        key: char,
        refusal: bool,
        until: Tick,
    },
    /// Its confirmation is being played.
    Closing {
        refusal: bool,
        until: Tick,
    },
    Over,
}

impl Menu {
    /// A menu that nobody hears yet.
    #[must_use]
    pub const fn new(limits: MenuLimits) -> Self {
        Self { limits, state: State::Over, heard: false, rounds: 0, wrong: 0 }
    }

    /// Somebody answered: the message begins at once, well within the two seconds of 47 CFR 64.1200(a)(7)(iii).
    pub(super) fn begin(&mut self, now: Now, out: &mut Vec<Action>) {
        self.play(now, out);
    }

    /// A key.
    pub(super) fn key(&mut self, now: Now, key: char, out: &mut Vec<Action>) {
        let meaning = self.limits.keys.get(&key).copied();
        match (self.state, meaning) {
            (State::Playing { .. } | State::Listening { .. }, Some(refusal)) => {
                self.choose(now, key, refusal, out);
            }
            (State::Playing { .. } | State::Listening { .. }, None) => {
                self.wrong = self.wrong.saturating_add(1);
                if self.wrong >= self.limits.wrong_keys {
                    self.state = State::Over;
                }
            }
            // A refusal is heard whatever was chosen before it.
            (
                State::Storing { refusal: false, .. } | State::Closing { refusal: false, .. },
                Some(true),
            ) => self.choose(now, key, true, out),
            (State::Storing { .. } | State::Closing { .. } | State::Over, Some(_) | None) => {}
        }
    }

    /// What is being played came to its end.
    pub(super) fn played(&mut self, now: Now) {
        match self.state {
            State::Playing { .. } => {
                self.heard = true;
                self.state = State::Listening { until: now.tick + self.limits.wait };
            }
            State::Closing { .. } => self.state = State::Over,
            State::Listening { .. } | State::Storing { .. } | State::Over => {}
        }
    }

    /// What a key said is durable.
    pub(super) fn stored(&mut self, now: Now, stored: char, out: &mut Vec<Action>) {
        if let State::Storing { key, refusal, .. } = self.state
            && key == stored
        {
            self.state = State::Closing { refusal, until: now.tick + LONGEST_SOUND };
            out.push(Action::Say(if refusal { Part::Removed } else { Part::Thanks }));
        }
    }

    /// A deadline passed.
    pub(super) fn timeout(&mut self, now: Now, out: &mut Vec<Action>) {
        match self.state {
            State::Listening { .. } if self.rounds <= self.limits.repeat => self.play(now, out),
            // An end that is never reported, a database that does not answer (the choice is written all the same), or
            // nothing more to say.
            State::Playing { .. }
            | State::Listening { .. }
            | State::Storing { .. }
            | State::Closing { .. }
            | State::Over => self.state = State::Over,
        }
    }

    pub(super) const fn next_timeout(&self) -> Option<Tick> {
        match self.state {
            State::Playing { until }
            | State::Listening { until }
            | State::Storing { until, .. }
            | State::Closing { until, .. } => Some(until),
            State::Over => None,
        }
    }

    /// Nothing more is said.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// The message was heard to its end, or answered by a key.
    pub(super) const fn heard(&self) -> bool {
        self.heard
    }

    fn play(&mut self, now: Now, out: &mut Vec<Action>) {
        self.rounds = self.rounds.saturating_add(1);
        self.state = State::Playing { until: now.tick + LONGEST_SOUND };
        out.push(Action::Say(Part::Message));
    }

    fn choose(&mut self, now: Now, key: char, refusal: bool, out: &mut Vec<Action>) {
        self.heard = true;
        self.state = State::Storing { key, refusal, until: now.tick + STORED_WITHIN };
        out.push(Action::Hush);
        out.push(Action::Chosen(key));
    }
}

/// Guard for a sound whose end is never reported: no file is longer than ten minutes.
const LONGEST_SOUND: Duration = Duration::from_secs(610);
/// Who has pressed a key waits in silence for so long; then the call ends without a confirmation.
const STORED_WITHIN: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::time::UtcMs;

    fn at(millis: u64) -> Now {
        let time = Duration::from_millis(millis);
        Now { tick: Tick::START + time, utc: UtcMs(0) + time }
    }

    fn begun() -> Menu {
        let limits = MenuLimits {
            keys: BTreeMap::from([('1', false), ('9', true)]),
            repeat: 1,
            wait: Duration::from_secs(5),
            wrong_keys: 3,
        };
        let mut menu = Menu::new(limits);
        let mut out = vec![];
        menu.begin(at(0), &mut out);
        assert_eq!(out, [Action::Say(Part::Message)]);
        menu
    }

    fn key(menu: &mut Menu, millis: u64, key: char) -> Vec<Action> {
        let mut out = vec![];
        menu.key(at(millis), key, &mut out);
        out
    }

    fn stored(menu: &mut Menu, millis: u64, key: char) -> Vec<Action> {
        let mut out = vec![];
        menu.stored(at(millis), key, &mut out);
        out
    }

    fn timeout(menu: &mut Menu, millis: u64) -> Vec<Action> {
        assert_eq!(menu.next_timeout(), Some(at(millis).tick));
        let mut out = vec![];
        menu.timeout(at(millis), &mut out);
        out
    }

    #[test]
    fn a_refusal_in_mid_message_silences_it_and_is_confirmed_only_once_it_is_durable() {
        let mut menu = begun();
        assert_eq!(key(&mut menu, 700, '9'), [Action::Hush, Action::Chosen('9')]);
        assert_eq!(stored(&mut menu, 710, '1'), [], "that was another key");
        assert_eq!(stored(&mut menu, 720, '9'), [Action::Say(Part::Removed)]);
        menu.played(at(2_000));
        assert!(menu.is_over() && menu.heard());
    }

    #[test]
    fn a_refusal_that_is_not_durable_in_time_is_never_confirmed() {
        let mut menu = begun();
        key(&mut menu, 1_000, '9');
        assert_eq!(timeout(&mut menu, 6_000), []);
        assert!(menu.is_over());
        assert_eq!(stored(&mut menu, 6_100, '9'), []);
    }

    #[test]
    fn a_refusal_is_heard_after_another_choice_and_nothing_after_a_refusal() {
        let mut menu = begun();
        key(&mut menu, 1_000, '1');
        stored(&mut menu, 1_010, '1');
        assert_eq!(key(&mut menu, 1_500, '9'), [Action::Hush, Action::Chosen('9')]);
        assert_eq!(key(&mut menu, 1_600, '1'), []);
        assert_eq!(stored(&mut menu, 1_700, '9'), [Action::Say(Part::Removed)]);
        assert_eq!(key(&mut menu, 1_800, '9'), []);
    }

    #[test]
    fn whoever_presses_nothing_hears_it_as_often_as_the_campaign_says() {
        let mut menu = begun();
        menu.played(at(10_000));
        assert_eq!(timeout(&mut menu, 15_000), [Action::Say(Part::Message)]);
        menu.played(at(25_000));
        assert_eq!(timeout(&mut menu, 30_000), []);
        assert!(menu.is_over() && menu.heard());
    }

    #[test]
    fn keys_without_a_meaning_end_the_call_at_their_limit() {
        let mut menu = begun();
        assert_eq!(key(&mut menu, 1, '5'), []);
        assert_eq!(key(&mut menu, 2, '#'), []);
        assert!(!menu.is_over());
        key(&mut menu, 3, '5');
        assert!(menu.is_over() && !menu.heard());
    }

    #[test]
    fn a_sound_whose_end_is_never_told_ends_the_call_and_was_not_heard() {
        let mut menu = begun();
        timeout(&mut menu, 610_000);
        assert!(menu.is_over() && !menu.heard());
    }
}
