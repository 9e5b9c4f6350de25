//! What is shown: the newest picture, what those before it say of speed and progress, and what the keys have begun.

use std::collections::VecDeque;

use crate::cli::figures::per_second;
use crate::cli::picture::{Campaign, Picture};
use crate::cli::screen::keys::{Key, Keys, Wish};
use crate::cli::screen::words::{Words, words};
use crate::cli::text::{Lang, Texts, texts};

/// Everything a screen is drawn from.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) title: String,
    pub(super) words: &'static Words,
    pub(super) texts: &'static Texts,
    /// The dialer is another process.
    pub(super) attached: bool,
    pub(super) picture: Picture,
    pub(super) keys: Keys,
    started: Option<i64>,
    /// Time and count of INVITEs, of the last seconds.
    recent: VecDeque<(i64, u64)>,
    /// Time and leads that are over in each campaign, of the last minutes.
    progress: VecDeque<(i64, Vec<u64>)>,
    notice: Option<(i64, String)>,
}

impl Model {
    pub(super) fn new(title: &str, lang: Lang, attached: bool) -> Self {
        Self {
            title: title.to_owned(),
            words: words(lang),
            texts: texts(lang),
            attached,
            picture: Picture::default(),
            keys: Keys::default(),
            started: None,
            recent: VecDeque::new(),
            progress: VecDeque::new(),
            notice: None,
        }
    }

    /// The next picture.
    pub(super) fn take(&mut self, picture: Picture) {
        let now = picture.at;
        self.started.get_or_insert(now);
        keep(&mut self.recent, RATE_OVER_MS, (now, picture.dialed()));
        if self.progress.back().is_none_or(|(at, _)| now.saturating_sub(*at) >= PROGRESS_EVERY_MS) {
            let over = picture.campaigns.iter().map(|campaign| campaign.leads.over()).collect();
            keep(&mut self.progress, PROGRESS_OVER_MS, (now, over));
        }
        self.picture = picture;
    }

    /// A key was pressed.
    pub(super) fn press(&mut self, key: Key) -> Option<Wish> {
        let (wish, said) = self.keys.press(key, &self.picture, self.attached, self.words);
        if let Some(said) = said {
            self.say(said);
        }
        wish
    }

    /// What became of a wish.
    pub(super) fn told(&mut self, answer: Result<(), String>) {
        self.say(answer.err().unwrap_or_else(|| self.words.done.to_owned()));
    }

    fn say(&mut self, text: String) {
        self.notice = Some((self.picture.at, text));
    }

    /// What was said a moment ago.
    pub(super) fn notice(&self) -> Option<&str> {
        let (at, text) = self.notice.as_ref()?;
        (self.picture.at.saturating_sub(*at) < NOTICE_MS).then_some(text)
    }

    /// How long this screen has been shown.
    pub(super) fn elapsed(&self) -> i64 {
        self.started.map_or(0, |started| self.picture.at.saturating_sub(started))
    }

    /// INVITEs per second over the last five seconds; `None` from a single picture.
    pub(super) fn rate(&self) -> Option<f64> {
        let (at, dialed) = self.recent.front().filter(|_| self.recent.len() > 1)?;
        let picture = &self.picture;
        let took = picture.at.saturating_sub(*at);
        Some(per_second(picture.dialed().saturating_sub(*dialed), took))
    }

    /// How long the leads that may be dialed now will last at the speed of the last minutes, in milliseconds. Those that
    /// wait for another time are not counted: only the rules know when theirs comes.
    pub(super) fn eta(&self, index: usize, campaign: &Campaign) -> Option<i64> {
        let (since, before) = self.progress.front()?;
        let before = before.get(index).copied()?;
        let done = i64::try_from(campaign.leads.over().checked_sub(before)?).ok()?;
        let took = self.picture.at.saturating_sub(*since);
        let left =
            i64::try_from(campaign.leads.ready.saturating_add(campaign.leads.claimed)).ok()?;
        left.checked_mul(took)?.checked_div(done)
    }
}

/// Adds a sample and drops those that are too old, but for the last of them.
fn keep<T>(samples: &mut VecDeque<(i64, T)>, over: i64, sample: (i64, T)) {
    let now = sample.0;
    samples.push_back(sample);
    while samples.len() > 2 && samples.front().is_some_and(|(at, _)| now.saturating_sub(*at) > over)
    {
        samples.pop_front();
    }
}

const RATE_OVER_MS: i64 = 5_000;
const PROGRESS_EVERY_MS: i64 = 1_000;
const PROGRESS_OVER_MS: i64 = 120_000;
const NOTICE_MS: i64 = 5_000;
