//! Keys on the agent's phone: hanging up during the call, dispositions after it.

use std::sync::Arc;
use std::time::Duration;

use crate::logic::time::Tick;

/// Keys of each disposition, in the campaign's order. No entry begins another.
#[derive(Clone, Debug, Default)]
pub struct DigitMap(pub Arc<[String]>);

/// What a key during a call means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CallKey {
    /// The hang-up keys are complete.
    HangUp,
    /// For the customer.
    Pass(String),
    /// May become the hang-up keys: held back.
    Wait,
}

/// Tells hang-up keys from keys meant for the customer.
#[derive(Debug)]
pub(super) struct CallKeys {
    hang_up: String,
    held: String,
    pass_at: Option<Tick>,
}

impl CallKeys {
    pub(super) const fn new(hang_up: String) -> Self {
        Self { hang_up, held: String::new(), pass_at: None }
    }

    pub(super) fn press(&mut self, now: Tick, digit: char) -> CallKey {
        self.held.push(digit);
        if !self.hang_up.is_empty() && self.held == self.hang_up {
            self.held.clear();
            self.pass_at = None;
            return CallKey::HangUp;
        }
        if !self.hang_up.is_empty() && self.hang_up.starts_with(&self.held) {
            self.pass_at = Some(now + HOLD_BACK);
            return CallKey::Wait;
        }
        self.pass_at = None;
        CallKey::Pass(std::mem::take(&mut self.held))
    }

    pub(super) const fn next_timeout(&self) -> Option<Tick> {
        self.pass_at
    }

    /// Keys held back for too long were meant for the customer.
    pub(super) fn timeout(&mut self, now: Tick) -> Option<String> {
        if self.pass_at.is_none_or(|at| now < at) {
            return None;
        }
        self.pass_at = None;
        Some(std::mem::take(&mut self.held))
    }
}

/// Reads a disposition from keys; the last one keyed counts.
#[derive(Debug)]
pub(super) struct WrapUpKeys {
    map: DigitMap,
    typed: String,
}

impl WrapUpKeys {
    pub(super) const fn new(map: DigitMap) -> Self {
        Self { map, typed: String::new() }
    }

    /// The place in the map that is now complete.
    pub(super) fn press(&mut self, digit: char) -> Option<usize> {
        self.typed.push(digit);
        if let Some(place) = self.map.0.iter().position(|keys| *keys == self.typed) {
            self.typed.clear();
            return Some(place);
        }
        if !self.map.0.iter().any(|keys| keys.starts_with(&self.typed)) {
            // A slip: what was typed leads nowhere. The last key may begin anew.
            self.typed.clear();
            if self.map.0.iter().any(|keys| keys.starts_with(digit)) {
                return self.press(digit);
            }
        }
        None
    }
}

/// How long `#` may wait for a second `#` before the customer hears it.
const HOLD_BACK: Duration = Duration::from_millis(1_500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hashes_hang_up_and_other_keys_pass() {
        let mut keys = CallKeys::new("##".to_owned());
        assert_eq!(keys.press(Tick::START, '5'), CallKey::Pass("5".to_owned()));
        assert_eq!(keys.press(Tick::START, '#'), CallKey::Wait);
        assert_eq!(keys.press(Tick::START, '#'), CallKey::HangUp);
        assert_eq!(keys.next_timeout(), None);
    }

    #[test]
    fn one_hash_passes_after_a_while_or_with_the_next_key() {
        let mut keys = CallKeys::new("##".to_owned());
        keys.press(Tick::START, '#');
        let at = keys.next_timeout().unwrap();
        assert_eq!(keys.timeout(at), Some("#".to_owned()));
        keys.press(Tick::START, '#');
        assert_eq!(keys.press(Tick::START, '1'), CallKey::Pass("#1".to_owned()));
    }

    #[test]
    fn dispositions_may_have_several_digits_and_be_corrected() {
        let map = DigitMap(["1".to_owned(), "42".to_owned(), "9".to_owned()].into());
        let mut keys = WrapUpKeys::new(map);
        assert_eq!(keys.press('4'), None);
        assert_eq!(keys.press('2'), Some(1));
        assert_eq!(keys.press('9'), Some(2));
        assert_eq!(keys.press('4'), None);
        assert_eq!(keys.press('1'), Some(0), "a slip is forgotten, its last key begins anew");
        assert_eq!(keys.press('7'), None);
        assert_eq!(keys.press('1'), Some(0));
    }
}
