//! A process's share of a trunk that several processes use: calls per second and channels.
//!
//! Shares are rows; their sum, with the legs that dead processes left up, is at most the trunk's limit at every moment.
//! So what is given back is no longer used *before* the row says so, and what is gained is used after.
//!
//! ```text
//!            ask: keep = what we still use, want = our fair part        ┌─ channels: at once
//!   holding ────────────────────────────────────────────▶ row ─▶ drawn ─┤
//!      ▲     (uses no more than `keep` from here on)                     └─ calls per second: after `SETTLES`
//!      └───────────────────── every heartbeat, and when somebody comes or goes ────────────────────────┘
//! ```
//! The fair part is the limit divided by those who want a part, the rest to the first of them. A newcomer starts with what
//! is free; the others hear of it in their next answer and give back.
//!
//! A carrier counts within any second. Each process's own limiter keeps it within its share of any second, even where one
//! INVITE takes 50 ms longer than another ([`CallRate::part_after_another`](super::call_rate::CallRate)); a change must
//! not add up to more: whoever gives back and whoever gains count their old and new rate within one second, so the gain is
//! used a second later, when the other's old rate is out of every window.

use std::time::Duration;

use crate::logic::time::Tick;

/// Calls per second and channels of a trunk, or a part of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// INVITEs per second.
    pub calls_per_second: u32,
    /// Calls at once.
    pub channels: u32,
}

impl Share {
    /// The larger of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            calls_per_second: self.calls_per_second.max(other.calls_per_second),
            channels: self.channels.max(other.channels),
        }
    }

    /// The smaller of each.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self {
            calls_per_second: self.calls_per_second.min(other.calls_per_second),
            channels: self.channels.min(other.channels),
        }
    }

    /// What is left of it.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self {
            calls_per_second: self.calls_per_second.saturating_sub(other.calls_per_second),
            channels: self.channels.saturating_sub(other.channels),
        }
    }

    /// The part of the one at `place` (from 0) of `many`; all parts together are the whole.
    fn part(self, place: u32, many: u32) -> Self {
        let many = many.max(1);
        let of = |whole: u32| whole / many + u32::from(place < whole % many);
        Self { calls_per_second: of(self.calls_per_second), channels: of(self.channels) }
    }
}

/// What is asked of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareAsk {
    /// What the trunk bears in all.
    pub limit: Share,
    /// What we use until the answer; never more than we hold.
    pub keep: Share,
    /// What we would like; never less than `keep`.
    pub want: Share,
    /// Whether we want a part of the trunk at all.
    pub wanted: bool,
}

/// What the database says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareDrawn {
    /// What we hold now.
    pub share: Share,
    /// How many processes want a part, and which of them we are, counted from 0; we count where we want one.
    pub wanting: u32,
    /// See `wanting`.
    pub place: u32,
}

/// The new share of one who keeps `keep` and wants `want`, where others hold `others` in all.
///
/// What one holds is never taken away by a limit that was lowered meanwhile: nothing is gained until it fits again.
#[must_use]
pub fn draw(ask: &ShareAsk, others: Share) -> Share {
    ask.keep.max(ask.want.min(ask.limit.less(others)))
}

/// The share of one trunk; see the module.
#[derive(Clone, Debug)]
pub struct TrunkShare {
    limit: Share,
    /// As in the row, or less.
    held: Share,
    /// What may be used.
    usable: Share,
    /// When the rate that was gained may be used.
    settles: Option<Tick>,
    wanting: u32,
    place: u32,
    asking: bool,
}

impl TrunkShare {
    /// Nothing yet.
    #[must_use]
    pub fn new(limit: Share) -> Self {
        Self {
            limit,
            held: Share::default(),
            usable: Share::default(),
            settles: None,
            wanting: 1,
            place: 0,
            asking: false,
        }
    }

    /// What may be used now.
    #[must_use]
    pub const fn usable(&self) -> Share {
        self.usable
    }

    /// Begins a question, unless one is under way. From now on no more is used than it keeps. `in_use`: channels.
    pub fn ask(&mut self, wanted: bool, in_use: u32) -> Option<ShareAsk> {
        if self.asking {
            return None;
        }
        self.asking = true;
        let fair = if wanted { self.fair() } else { Share::default() };
        let in_use = Share { calls_per_second: 0, channels: in_use };
        let keep = self.held.min(fair).max(in_use).min(self.held);
        self.usable = self.usable.min(keep);
        self.held = keep;
        Some(ShareAsk { limit: self.limit, keep, want: keep.max(fair), wanted })
    }

    /// The answer. True: others came or went since, and the next question is wanted at once.
    pub fn drawn(&mut self, now: Tick, drawn: ShareDrawn) -> bool {
        self.asking = false;
        let before = (self.wanting, self.place);
        (self.wanting, self.place) = (drawn.wanting.max(1), drawn.place);
        let gained = drawn.share.calls_per_second > self.held.calls_per_second;
        self.held = drawn.share;
        self.usable.channels = drawn.share.channels;
        if gained {
            self.settles = Some(now + SETTLES);
        } else if drawn.share.calls_per_second <= self.usable.calls_per_second {
            self.usable.calls_per_second = drawn.share.calls_per_second;
            self.settles = None;
        }
        before != (self.wanting, self.place)
    }

    /// The question was not answered, for good.
    pub const fn not_drawn(&mut self) {
        self.asking = false;
    }

    /// When [`TrunkShare::settle`] is wanted.
    #[must_use]
    pub const fn next_timeout(&self) -> Option<Tick> {
        self.settles
    }

    /// What was gained long enough ago may be used.
    pub fn settle(&mut self, now: Tick) {
        if self.settles.is_some_and(|at| at <= now) {
            self.settles = None;
            self.usable.calls_per_second = self.held.calls_per_second;
        }
    }

    fn fair(&self) -> Share {
        self.limit.part(self.place, self.wanting)
    }
}

/// A second of the carrier's, and what the network may add to it.
const SETTLES: Duration = Duration::from_millis(1_100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::pacing::call_rate::CallRate;
    use proptest::prelude::*;

    const LIMIT: Share = Share { calls_per_second: 10, channels: 31 };

    /// Processes on one table of shares.
    struct Table {
        now: Tick,
        rows: Vec<Option<(Share, bool)>>,
        shares: Vec<TrunkShare>,
        in_use: Vec<u32>,
        open: Vec<Option<ShareAsk>>,
    }

    impl Table {
        fn new(many: usize) -> Self {
            Self {
                now: Tick::START,
                rows: vec![None; many],
                shares: vec![TrunkShare::new(LIMIT); many],
                in_use: vec![0; many],
                open: vec![None; many],
            }
        }

        fn ask(&mut self, at: usize, wanted: bool) {
            if let Some(ask) = self.shares[at].ask(wanted, self.in_use[at]) {
                self.open[at] = Some(ask);
            }
        }

        /// The transaction and its answer.
        fn answer(&mut self, at: usize) -> bool {
            let Some(ask) = self.open[at].take() else { return false };
            let others = self.rows.iter().enumerate().filter(|(row, _)| *row != at);
            let sum =
                others.filter_map(|(_, row)| *row).fold(Share::default(), |sum, (row, _)| Share {
                    calls_per_second: sum.calls_per_second + row.calls_per_second,
                    channels: sum.channels + row.channels,
                });
            let share = draw(&ask, sum);
            self.rows[at] = Some((share, ask.wanted));
            let wants = |row: &Option<(Share, bool)>| row.is_some_and(|(_, wanted)| wanted);
            let count = |rows: &[Option<(Share, bool)>]| {
                u32::try_from(rows.iter().filter(|row| wants(row)).count()).unwrap()
            };
            let (wanting, place) = (count(&self.rows), count(&self.rows[..at]));
            self.shares[at].drawn(self.now, ShareDrawn { share, wanting, place })
        }

        fn beat(&mut self, wanted: &[bool]) {
            self.now = self.now + Duration::from_secs(2);
            for (at, wanted) in wanted.iter().enumerate() {
                self.shares[at].settle(self.now);
                self.ask(at, *wanted);
                if self.answer(at) {
                    self.ask(at, *wanted);
                    self.answer(at);
                }
            }
        }

        fn usable(&self) -> Vec<u32> {
            self.shares.iter().map(|share| share.usable().calls_per_second).collect()
        }

        fn check(&self) {
            let sum = |of: fn(Share) -> u32| -> u32 {
                self.shares.iter().map(|share| of(share.usable())).sum()
            };
            assert!(sum(|share| share.calls_per_second) <= LIMIT.calls_per_second, "{self:?}");
            assert!(sum(|share| share.channels) <= LIMIT.channels, "{self:?}");
            for (share, in_use) in self.shares.iter().zip(&self.in_use) {
                assert!(share.usable().channels >= *in_use, "{self:?}");
            }
        }
    }

    impl std::fmt::Debug for Table {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "rows {:?}\nshares {:?}\nin use {:?}", self.rows, self.shares, self.in_use)
        }
    }

    #[test]
    fn one_alone_has_the_whole_trunk_a_second_after_its_first_answer() {
        let mut table = Table::new(1);
        table.ask(0, true);
        table.answer(0);
        assert_eq!(table.shares[0].usable(), Share { calls_per_second: 0, ..LIMIT });
        table.shares[0].settle(table.now + Duration::from_millis(1_099));
        assert_eq!(table.usable(), [0]);
        table.shares[0].settle(table.now + Duration::from_millis(1_100));
        assert_eq!(table.shares[0].usable(), LIMIT);
    }

    #[test]
    fn a_newcomer_has_its_part_after_a_few_beats_and_leaves_it_when_it_is_idle() {
        let mut table = Table::new(3);
        for _ in 0..3 {
            table.beat(&[true, false, false]);
        }
        assert_eq!(table.usable(), [10, 0, 0]);
        for _ in 0..4 {
            table.beat(&[true, true, true]);
            table.check();
        }
        assert_eq!(table.usable(), [4, 3, 3]);
        for _ in 0..4 {
            table.beat(&[false, true, true]);
        }
        assert_eq!(table.usable(), [0, 5, 5]);
    }

    #[test]
    fn channels_with_a_call_on_them_are_given_back_only_when_it_is_over() {
        let mut table = Table::new(2);
        for _ in 0..3 {
            table.beat(&[true, false]);
        }
        table.in_use[0] = 30;
        for _ in 0..4 {
            table.beat(&[true, true]);
            table.check();
        }
        assert_eq!(table.shares[1].usable().channels, 1);
        table.in_use[0] = 3;
        for _ in 0..3 {
            table.beat(&[true, true]);
        }
        assert_eq!(table.shares[1].usable().channels, 15);
    }

    #[test]
    fn a_lowered_limit_takes_nothing_away_and_gives_nothing() {
        let ask = ShareAsk { limit: LIMIT, keep: LIMIT, want: LIMIT, wanted: true };
        assert_eq!(draw(&ask, LIMIT), LIMIT);
    }

    /// Every process sends as eagerly as its own limiter lets it; the moments at which INVITEs left, over all of them.
    fn eager(table: &mut Table, steps: &[(usize, bool, bool)]) -> Vec<Tick> {
        let mut rates: Vec<Option<(u32, CallRate)>> = table.shares.iter().map(|_| None).collect();
        let mut sent = vec![];
        for (at, wanted, answered) in steps {
            table.ask(*at, *wanted);
            if *answered {
                table.answer(*at);
            }
            for _ in 0..10 {
                table.now = table.now + Duration::from_millis(10);
                for (share, rate) in table.shares.iter_mut().zip(&mut rates) {
                    share.settle(table.now);
                    let usable = share.usable().calls_per_second;
                    // As the dialer does: a changed rate begins anew.
                    if rate.as_ref().map_or(0, |(now, _)| *now) != usable {
                        let fresh = (usable > 0)
                            .then(|| (usable, CallRate::part_after_another(table.now, usable, 1)));
                        *rate = fresh;
                    }
                    while rate.as_ref().is_some_and(|(_, rate)| rate.take(table.now).is_ok()) {
                        sent.push(table.now);
                    }
                }
            }
        }
        sent
    }

    proptest! {
        #[test]
        fn no_second_holds_more_invites_than_the_trunk_bears_while_shares_change(
            steps in proptest::collection::vec((0usize..3, proptest::bool::weighted(0.7), proptest::bool::weighted(0.8)), 50..200),
            delays in proptest::collection::vec(0u64..50_000, 97),
        ) {
            // As the carrier sees them: no two processes, machines or ways through the network are equally quick.
            let sent = eager(&mut Table::new(3), &steps);
            let mut arrived: Vec<Tick> = (sent.iter().zip(delays.iter().cycle()))
                .map(|(at, delay)| *at + Duration::from_micros(*delay))
                .collect();
            arrived.sort();
            for (from, first) in arrived.iter().enumerate() {
                let within = arrived[from..].iter().take_while(|at| at.since(*first) < Duration::from_secs(1));
                let count = u32::try_from(within.count()).unwrap();
                prop_assert!(count <= LIMIT.calls_per_second, "{count} from {first:?}");
            }
        }

        #[test]
        fn together_they_never_use_more_than_the_trunk_bears(
            steps in proptest::collection::vec((0usize..4, 0u8..6, 0u32..40), 1..200)
        ) {
            let mut table = Table::new(4);
            for (at, step, number) in steps {
                match step {
                    0 => table.ask(at, number % 4 > 0),
                    1 => drop(table.answer(at)),
                    2 => {
                        table.now = table.now + Duration::from_millis(u64::from(number) * 50);
                        let now = table.now;
                        table.shares.iter_mut().for_each(|share| share.settle(now));
                    }
                    // Calls begin as far as the share goes, and end.
                    3 => table.in_use[at] = table.in_use[at].max(number.min(table.shares[at].usable().channels)),
                    4 => table.in_use[at] = table.in_use[at].min(number),
                    _ => {}
                }
                table.check();
            }
        }
    }
}
