//! The behaviour book: what happens when a number is called.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::simulation::dice::Dice;
use crate::simulation::dice::Law;

/// Behaviour by number, else by share.
///
/// The fate of one call depends on the seed, the number and how often that number was called before, and on nothing
/// else: not on time, nor on other calls.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct BehaviourBook {
    /// Shares of the numbers that `numbers` does not name; they need not sum up to anything.
    #[serde(default, rename = "row")]
    pub rows: Vec<Row>,
    /// For single numbers, compared by their digits alone: what happens at the first call, the second...;
    /// the last one repeats.
    #[serde(default)]
    pub numbers: BTreeMap<String, Vec<Behaviour>>,
}

/// One share of the numbers.
#[derive(Clone, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Weight against the other rows.
    pub share: u32,
    /// What its numbers do.
    pub behaviour: Behaviour,
}

/// What one number does when called. All times count from the arrival of the INVITE.
#[derive(Clone, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Behaviour {
    /// The word by which reports count it, such as `person` or `busy`.
    pub name: String,
    /// What is signalled before the end.
    #[serde(default)]
    pub ring: Ring,
    /// When it is signalled. Later than the end: not at all.
    #[serde(default = "soon")]
    pub ring_after: Law,
    /// How the ringing ends.
    pub end: End,
}

/// What is signalled before the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
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
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum End {
    /// 200.
    Answer {
        /// When.
        after: Law,
        /// How long until the callee hangs up; absent: never.
        talk: Option<Law>,
        /// What the callee says.
        #[serde(default)]
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
    },
    /// Nothing more, until the caller gives up.
    Nothing,
    /// 200 in the moment the CANCEL arrives: the two cross on the wire.
    AnswerOnCancel {
        /// How long until the callee hangs up; absent: never.
        talk: Option<Law>,
        /// What the callee says.
        #[serde(default)]
        voice: Voice,
    },
}

/// What is heard from a callee.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
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
    /// No packets at all.
    Dead,
}

/// A behaviour with its times drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// [`Behaviour::name`].
    pub name: String,
    /// What is signalled when, if it comes before the end.
    pub ring: Option<(Duration, Ring)>,
    /// The end.
    pub end: FateEnd,
}

/// The end of the ringing, with its times drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FateEnd {
    /// See [`End::Answer`].
    Answer {
        /// Since the arrival of the INVITE.
        after: Duration,
        /// Since the answer.
        talk: Option<Duration>,
        /// What the callee says.
        voice: Voice,
    },
    /// See [`End::Refuse`].
    Refuse {
        /// Since the arrival of the INVITE.
        after: Duration,
        /// 300..=699.
        status: u16,
        /// Cause of a Reason header.
        q850: Option<u8>,
        /// Seconds.
        retry_after_s: Option<u32>,
    },
    /// See [`End::Nothing`].
    Nothing,
    /// See [`End::AnswerOnCancel`].
    AnswerOnCancel {
        /// Since the answer.
        talk: Option<Duration>,
        /// What the callee says.
        voice: Voice,
    },
}

impl BehaviourBook {
    /// One behaviour for everybody.
    #[must_use]
    pub fn all(behaviour: Behaviour) -> Self {
        Self { rows: vec![Row { share: 1, behaviour }], numbers: BTreeMap::new() }
    }

    /// The callees of `outdial demo`: a quarter are persons; times are short, so that 500 calls fit into a minute.
    #[must_use]
    pub fn demo() -> Self {
        let rows = [
            (25, Behaviour::person(Law::between(300, 1000), Law::between(800, 1600))),
            (35, Behaviour::busy(Law::between(100, 300))),
            (20, Behaviour::dead_number(Law::between(100, 300))),
            (20, Behaviour::no_answer()),
        ];
        let rows = rows.map(|(share, behaviour)| Row { share, behaviour }).into();
        Self { rows, numbers: BTreeMap::new() }
    }

    /// Adds what one number does at its first call, second...
    #[must_use]
    pub fn with_number(mut self, number: &str, calls: impl Into<Vec<Behaviour>>) -> Self {
        self.numbers.insert(number.to_owned(), calls.into());
        self
    }

    /// The fate of the call that follows `earlier` calls to `number`.
    #[must_use]
    pub fn fate(&self, seed: u64, number: &str, earlier: u32) -> Fate {
        let key = digits(number);
        // Who a number is stays the same from call to call; only the times are drawn anew.
        let row = self.row(Dice::of(seed, &key, 0).next());
        let mut dice = Dice::of(seed, &key, u64::from(earlier) + 1);
        let own =
            self.numbers.iter().find(|(number, calls)| !calls.is_empty() && digits(number) == key);
        let own = own.and_then(|(_, calls)| {
            calls.get(usize::try_from(earlier).unwrap_or(usize::MAX)).or_else(|| calls.last())
        });
        match own.or(row) {
            Some(behaviour) => behaviour.draw(&mut dice),
            None => Behaviour::dead_number(Law::fixed(0)).draw(&mut dice),
        }
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

impl Behaviour {
    /// Rings, answers, talks, hangs up.
    #[must_use]
    pub fn person(after: Law, talk: Law) -> Self {
        Self::new(
            "person",
            Ring::Ringing,
            End::Answer { after, talk: Some(talk), voice: Voice::Speech },
        )
    }

    /// Answers with a sine wave of 1 kHz, and never hangs up: for measuring sound.
    #[must_use]
    pub fn tone(after: Law, talk: Option<Law>) -> Self {
        Self::new(
            "tone",
            Ring::Ringing,
            End::Answer { after, talk, voice: Voice::Tone { hz: 1000 } },
        )
    }

    /// 486, cause 17 (user busy).
    #[must_use]
    pub fn busy(after: Law) -> Self {
        Self::refusal("busy", after, 486, Some(17))
    }

    /// 180, and nobody picks up.
    #[must_use]
    pub fn no_answer() -> Self {
        Self::new("no_answer", Ring::Ringing, End::Nothing)
    }

    /// 404, cause 1 (unallocated number).
    #[must_use]
    pub fn dead_number(after: Law) -> Self {
        Self::refusal("dead_number", after, 404, Some(1))
    }

    /// 604: does not exist anywhere.
    #[must_use]
    pub fn nowhere(after: Law) -> Self {
        Self::refusal("nowhere", after, 604, None)
    }

    /// 603, cause 21 (call rejected).
    #[must_use]
    pub fn decline(after: Law) -> Self {
        Self { ring: Ring::Ringing, ..Self::refusal("decline", after, 603, Some(21)) }
    }

    /// 607: does not want our calls (RFC 8197).
    #[must_use]
    pub fn unwanted(after: Law) -> Self {
        Self { ring: Ring::Ringing, ..Self::refusal("unwanted", after, 607, None) }
    }

    /// 480, cause 20 (subscriber absent): switched off.
    #[must_use]
    pub fn unavailable(after: Law) -> Self {
        Self::refusal("unavailable", after, 480, Some(20))
    }

    /// 503 with Retry-After, cause 34 (no circuit).
    #[must_use]
    pub fn congestion(after: Law, retry_after_s: u32) -> Self {
        let end =
            End::Refuse { after, status: 503, q850: Some(34), retry_after_s: Some(retry_after_s) };
        Self::new("congestion", Ring::None, end)
    }

    /// The announcement of a dead number as early media, then 404.
    #[must_use]
    pub fn dead_announcement(after: Law) -> Self {
        let ring = Ring::EarlyMedia { voice: Voice::Speech };
        Self { ring, ..Self::refusal("dead_announcement", after, 404, Some(1)) }
    }

    /// Ringback as early media (400 Hz, as in Japan), then an answer.
    #[must_use]
    pub fn early_media_person(after: Law, talk: Law) -> Self {
        let ring = Ring::EarlyMedia { voice: Voice::Tone { hz: 400 } };
        Self { ring, ..Self::person(after, talk) }
    }

    /// 100, and then nothing: the limit on the post-dial delay must end it.
    #[must_use]
    pub fn silent() -> Self {
        Self::new("silent", Ring::None, End::Nothing)
    }

    /// Answers and hangs up before a word.
    #[must_use]
    pub fn hang_up_at_once(after: Law) -> Self {
        let end = End::Answer { after, talk: Some(Law::fixed(0)), voice: Voice::Silence };
        Self::new("hang_up_at_once", Ring::Ringing, end)
    }

    /// Answers in the moment the caller gives up.
    #[must_use]
    pub fn late_answer(talk: Option<Law>) -> Self {
        Self::new("late_answer", Ring::Ringing, End::AnswerOnCancel { talk, voice: Voice::Speech })
    }

    /// A person whose sound does not come through.
    #[must_use]
    pub fn one_way(after: Law, talk: Law) -> Self {
        Self::new(
            "one_way",
            Ring::Ringing,
            End::Answer { after, talk: Some(talk), voice: Voice::Dead },
        )
    }

    fn refusal(name: &str, after: Law, status: u16, q850: Option<u8>) -> Self {
        Self::new(name, Ring::None, End::Refuse { after, status, q850, retry_after_s: None })
    }

    fn new(name: &str, ring: Ring, end: End) -> Self {
        Self { name: name.to_owned(), ring, ring_after: soon(), end }
    }

    fn draw(&self, dice: &mut Dice) -> Fate {
        let ring_after = self.ring_after.draw(dice);
        let (ends, end) = match self.end {
            End::Answer { after, talk, voice } => {
                let after = after.draw(dice);
                let talk = talk.map(|talk| talk.draw(dice));
                (Some(after), FateEnd::Answer { after, talk, voice })
            }
            End::Refuse { after, status, q850, retry_after_s } => {
                let after = after.draw(dice);
                (Some(after), FateEnd::Refuse { after, status, q850, retry_after_s })
            }
            End::Nothing => (None, FateEnd::Nothing),
            End::AnswerOnCancel { talk, voice } => {
                (None, FateEnd::AnswerOnCancel { talk: talk.map(|talk| talk.draw(dice)), voice })
            }
        };
        let rings = self.ring != Ring::None && ends.is_none_or(|ends| ring_after < ends);
        Fate { name: self.name.clone(), ring: rings.then_some((ring_after, self.ring)), end }
    }
}

/// What a number is compared by.
#[must_use]
pub fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}

/// A simulated network finds the callee fast.
const fn soon() -> Law {
    Law::fixed(20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(i: u32) -> String {
        format!("+8190{i:08}")
    }

    #[test]
    fn a_fate_depends_on_seed_number_and_turn_only() {
        let book = BehaviourBook::demo();
        let forward: Vec<_> = (0..200).map(|i| book.fate(1, &number(i), i % 3)).collect();
        let mut backward: Vec<_> =
            (0..200).rev().map(|i| book.fate(1, &number(i), i % 3)).collect();
        backward.reverse();
        assert_eq!(forward, backward);
        assert_ne!(forward, (0..200).map(|i| book.fate(2, &number(i), i % 3)).collect::<Vec<_>>());
    }

    #[test]
    fn who_a_number_is_stays_the_same_from_call_to_call() {
        let book = BehaviourBook::demo();
        for i in 0..100 {
            assert_eq!(book.fate(5, &number(i), 0).name, book.fate(5, &number(i), 1).name);
        }
    }

    #[test]
    fn the_demo_keeps_its_shares_and_times() {
        let book = BehaviourBook::demo();
        let mut count = BTreeMap::<String, u32>::new();
        for i in 0..10_000 {
            let fate = book.fate(11, &number(i), 0);
            *count.entry(fate.name.clone()).or_default() += 1;
            let ms = Duration::from_millis;
            match fate.end {
                FateEnd::Answer { after, talk, .. } => {
                    assert!((ms(300)..=ms(1000)).contains(&after));
                    assert!((ms(800)..=ms(1600)).contains(&talk.unwrap()));
                    assert!(fate.ring.is_some());
                }
                FateEnd::Refuse { after, .. } => assert!((ms(100)..=ms(300)).contains(&after)),
                FateEnd::Nothing => assert!(fate.ring.is_some()),
                FateEnd::AnswerOnCancel { .. } => panic!("the demo has no races"),
            }
        }
        let persons = count["person"];
        let dead = count["busy"] + count["dead_number"];
        assert!((2_350..2_650).contains(&persons), "{count:?}");
        assert!((5_350..5_650).contains(&dead), "{count:?}");
        assert!((1_850..2_150).contains(&count["no_answer"]), "{count:?}");
    }

    #[test]
    fn a_named_number_goes_through_its_list_and_stays_at_the_last() {
        let calls = [Behaviour::busy(Law::fixed(1)), Behaviour::no_answer()];
        let book = BehaviourBook::demo().with_number("+81 90-0000-0001", calls);
        let names: Vec<_> = (0..4).map(|turn| book.fate(1, "819000000001", turn).name).collect();
        assert_eq!(names, ["busy", "no_answer", "no_answer", "no_answer"]);
    }

    #[test]
    fn an_empty_book_knows_no_number() {
        let fate = BehaviourBook::default().fate(1, "+81312345678", 0);
        assert!(matches!(fate.end, FateEnd::Refuse { status: 404, .. }));
    }

    #[test]
    fn a_ring_that_would_come_after_the_end_is_left_out() {
        let book = BehaviourBook::all(Behaviour::decline(Law::fixed(5)));
        assert_eq!(book.fate(1, "+81312345678", 0).ring, None);
    }

    #[test]
    fn a_book_is_read_from_toml() {
        let book: BehaviourBook = toml::from_str(
            r#"
            [[row]]
            share = 3
            behaviour.name = "person"
            behaviour.ring = { kind = "ringing" }
            behaviour.ring_after = { law = "gamma", mean_ms = 2500, cv = 0.4 }
            behaviour.end = { kind = "answer", after = { law = "gamma", mean_ms = 10000, cv = 0.5 }, talk = { law = "lognormal", mean_ms = 150000, cv = 1.0 }, voice = { kind = "tone", hz = 1000 } }

            [[row]]
            share = 1
            behaviour = { name = "busy", end = { kind = "refuse", after = { law = "fixed", ms = 100 }, status = 486 } }

            [numbers]
            "+819000000001" = [{ name = "silent", end = { kind = "nothing" } }]
            "#,
        )
        .unwrap();
        assert_eq!(book.rows[1].behaviour.ring, Ring::None);
        assert_eq!(book.fate(1, "+819000000001", 0).end, FateEnd::Nothing);
        let text = toml::to_string(&book).unwrap();
        assert_eq!(toml::from_str::<BehaviourBook>(&text).unwrap(), book);
    }
}
