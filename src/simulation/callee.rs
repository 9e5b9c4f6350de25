//! The behaviour book: what happens when a number is called.

mod fate;
mod presets;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::simulation::dice::Dice;
use crate::simulation::dice::Law;
use crate::simulation::digest_user::Auth;
use crate::simulation::digest_user::ChallengeStyle;
use crate::simulation::limits::Storm;
use crate::simulation::network::Link;
use crate::simulation::quirks::Quirks;

pub use fate::Fate;
pub use fate::FateEnd;

/// Behaviour by number, else by share; and what befalls every call.
///
/// The fate of one call depends on the seed, the number and how often that number was called before, and on nothing
/// else: not on time, nor on other calls. Only storms and limits look at the time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BehaviourBook {
    /// Shares of the numbers that `numbers` does not name; they need not sum up to anything.
    pub rows: Vec<Row>,
    /// For single numbers and ranges: the first rule that fits.
    pub numbers: Vec<NumberRule>,
    /// When calls are refused, whoever is called.
    pub storms: Vec<Storm>,
    /// Who may call, by password.
    pub auth: Option<Auth>,
    /// How SIP datagrams travel, each way; absent: as they come.
    pub network: Option<Link>,
}

/// One share of the numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Weight against the other rows.
    pub share: u32,
    /// What its numbers do.
    pub behaviour: Behaviour,
}

/// What one number, or all of a range, does.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberRule {
    /// Which numbers.
    pub pattern: NumberPattern,
    /// At the first call of a number, the second...; the last one repeats. Without any the rule fits nobody.
    pub calls: Vec<Behaviour>,
}

/// Numbers, compared by their digits alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberPattern {
    /// This one.
    Exact(String),
    /// Those that begin so.
    Prefix(String),
    /// Those that end so.
    Last(String),
}

/// What one number does when called. All times count from the arrival of the INVITE.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// The word by which reports count it, such as `person` or `busy`.
    pub name: String,
    /// Asked for a password in this way, whatever the book says of every call.
    pub challenge: Option<ChallengeStyle>,
    /// What is signalled before the end.
    pub ring: Ring,
    /// When it is signalled. Later than the end: not at all.
    pub ring_after: Law,
    /// How the ringing ends.
    pub end: End,
    /// What is odd about it.
    pub quirks: Quirks,
}

/// What is signalled before the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ring {
    /// 100 only.
    #[default]
    None,
    /// 180.
    Ringing,
    /// 183 with SDP: ringback or an announcement comes as sound.
    EarlyMedia {
        /// What is heard.
        voice: Voice,
    },
}

/// How the ringing ends.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// 200.
    Answer {
        /// When.
        after: Law,
        /// How long until the callee hangs up; absent: not before the carrier loses patience after four hours.
        talk: Option<Law>,
        /// What the callee says.
        voice: Voice,
    },
    /// A final response that is no answer.
    Refuse {
        /// When.
        after: Law,
        /// 300..=699.
        status: u16,
        /// Cause of a Reason header (RFC 3326).
        q850: Option<u8>,
        /// Seconds of a Retry-After header (RFC 3261 §20.33).
        retry_after_s: Option<u32>,
        /// The number of a Contact header at this carrier: where a 3xx leads.
        moved_to: Option<String>,
    },
    /// Nothing more, until the caller gives up.
    Nothing,
    /// 200 in the moment the CANCEL arrives: the two cross on the wire.
    AnswerOnCancel {
        /// How long until the callee hangs up; absent: as above.
        talk: Option<Law>,
        /// What the callee says.
        voice: Voice,
    },
}

/// What is heard from a callee.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Voice {
    /// Packets of silence.
    #[default]
    Silence,
    /// A sine wave, for measuring.
    Tone {
        /// Frequency in Hz.
        hz: u16,
    },
    /// Bursts of noise in the rhythm of speech.
    Speech,
    /// Speech without a pause for an answer, a beep, and then silence.
    Voicemail {
        /// How long the greeting is.
        greeting_ms: u32,
        /// The beep.
        beep_hz: u16,
    },
    /// The three rising tones of a call that cannot be completed, then the busy tone.
    Announcement,
    /// No packets at all.
    Dead,
}

impl BehaviourBook {
    /// One behaviour for everybody.
    #[must_use]
    pub fn all(behaviour: Behaviour) -> Self {
        Self::shares([(1, behaviour)])
    }

    /// Behaviours by their shares.
    #[must_use]
    pub fn shares(rows: impl IntoIterator<Item = (u32, Behaviour)>) -> Self {
        let rows = rows.into_iter().map(|(share, behaviour)| Row { share, behaviour }).collect();
        Self { rows, ..Self::default() }
    }

    /// Adds what one number does at its first call, second...
    #[must_use]
    pub fn with_number(mut self, number: &str, calls: impl Into<Vec<Behaviour>>) -> Self {
        let pattern = NumberPattern::Exact(digits(number));
        self.numbers.push(NumberRule { pattern, calls: calls.into() });
        self
    }

    /// The fate of the call that follows `earlier` calls to `number`.
    #[must_use]
    pub fn fate(&self, seed: u64, number: &str, earlier: u32) -> Fate {
        let key = digits(number);
        // Who a number is stays the same from call to call; only the times are drawn anew.
        let row = self.row(Dice::of(seed, &key, 0).next());
        let mut dice = Dice::of(seed, &key, u64::from(earlier) + 1);
        let rule =
            self.numbers.iter().find(|rule| !rule.calls.is_empty() && rule.pattern.fits(&key));
        let own = rule.and_then(|rule| {
            let turn = usize::try_from(earlier).unwrap_or(usize::MAX);
            rule.calls.get(turn).or_else(|| rule.calls.last())
        });
        match own.or(row) {
            Some(behaviour) => Fate::draw(behaviour, &mut dice),
            None => Fate::draw(&Behaviour::dead_number(Law::fixed(0)), &mut dice),
        }
    }

    /// Every behaviour that a number may show.
    pub fn behaviours(&self) -> impl Iterator<Item = &Behaviour> {
        let named = self.numbers.iter().flat_map(|rule| &rule.calls);
        self.rows.iter().map(|row| &row.behaviour).chain(named)
    }

    fn row(&self, throw: u64) -> Option<&Behaviour> {
        let total: u64 = self.rows.iter().map(|row| u64::from(row.share)).sum();
        let mut left = throw.checked_rem(total)?;
        for row in &self.rows {
            match left.checked_sub(u64::from(row.share)) {
                Some(rest) => left = rest,
                None => return Some(&row.behaviour),
            }
        }
        None
    }
}

impl NumberPattern {
    fn fits(&self, digits: &str) -> bool {
        match self {
            Self::Exact(number) => digits == number,
            Self::Prefix(first) => digits.starts_with(first.as_str()),
            Self::Last(last) => digits.ends_with(last.as_str()),
        }
    }
}

impl Behaviour {
    /// What is heard of it, before and after the answer.
    pub fn voices(&self) -> impl Iterator<Item = Voice> {
        let early = match self.ring {
            Ring::EarlyMedia { voice } => Some(voice),
            Ring::None | Ring::Ringing => None,
        };
        let answered = match self.end {
            End::Answer { voice, .. } | End::AnswerOnCancel { voice, .. } => Some(voice),
            End::Refuse { .. } | End::Nothing => None,
        };
        early.into_iter().chain(answered)
    }
}

/// What a number is compared by.
#[must_use]
pub fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}

/// A callee who only rings is given up after this time: a proxy of a real carrier would have (RFC 3261 §16.6, Timer C
/// above three minutes).
pub const LONGEST_RING: Duration = Duration::from_secs(240);
