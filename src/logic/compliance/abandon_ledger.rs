//! The abandonment ledger of one campaign: how many *uncovered* calls may be in flight now.
//!
//! An uncovered call has no agent of its own. The promise, at every instant and through any crash, with cap r, resolved
//! live answers A and abandoned calls D of the window in which each was answered:
//!
//! ```text
//! D ≤ r·A + faults
//! ```
//!
//! It holds because a call is let go uncovered only while
//!
//! ```text
//! uncovered calls in flight, this one included  ≤  max(0, ⌊(r·A − D) / (1 − r)⌋)
//! ```
//!
//! Were all of them answered and lost, each would add one to D and one to A, and D would still be at most r·A. No belief
//! about who will answer enters. *Faults* are losses that nothing can exclude (a covered call whose agent vanishes, a
//! crash, a wall clock that is set into another window): they are in D too, so they are repaid before the next call goes
//! uncovered. Everything is counted in whole calls and parts per million.
//!
//! With the bound `window` a window may owe B(t) calls for a while ([`crate::logic::compliance::abandon_debt`]). A call is
//! then let go uncovered only while
//!
//! ```text
//! uncovered calls in flight, this one included  ≤  max(0, ⌊(r·A − D + B(t′)) / (1 − r)⌋)
//! ```
//!
//! with t′ the last moment at which it can still be answered. Losing all of them leaves D ≤ r·A + B(t′), and B never
//! rises: while any such call is in flight, D ≤ r·A + B(now) + faults. A debt that no further answer repays stays as it
//! was, at most the B under which its calls were let go, and is reported.
//!
//! A and D are what the database holds, never what this process hopes to write: a loss occupies its place among the
//! calls in flight until the row that books it has been read back.

use std::collections::BTreeMap;

use crate::logic::ids::AttemptId;
use crate::logic::time::UtcMs;

/// What one window has booked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// A: live answers that are resolved, the abandoned ones included.
    pub answered: u64,
    /// D: abandoned calls, the faults included.
    pub abandoned: u64,
    /// Of D: calls that were covered, or that fell out of their window.
    pub fault: u64,
}

/// The windows, by their starts, in which a call may yet be answered: the same one twice, or two neighbours when it is
/// started close to the edge. It needs credit in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSpan {
    /// The window of the start.
    pub first: UtcMs,
    /// The window of the last moment at which it can be answered.
    pub last: UtcMs,
    /// Calls that the first may owe at that moment.
    pub first_debt: u32,
    /// Calls that the last may owe then.
    pub last_debt: u32,
}

impl WindowSpan {
    /// Of windows that owe nothing, ever.
    #[must_use]
    pub const fn instant(first: UtcMs, last: UtcMs) -> Self {
        Self { first, last, first_debt: 0, last_debt: 0 }
    }

    /// Both windows, each with what it may owe.
    fn both(self) -> [(UtcMs, u32); 2] {
        [(self.first, self.first_debt), (self.last, self.last_debt)]
    }

    /// Whether the window that starts at `window` is one of these, and was given credit under no more debt.
    fn bore(self, window: UtcMs, debt: u32) -> bool {
        self.holds(window)
            && self.both().into_iter().filter(|(of, _)| *of == window).all(|(_, had)| had <= debt)
    }

    /// Whether the window that starts at `window` is one of these.
    #[must_use]
    pub fn holds(self, window: UtcMs) -> bool {
        self.first <= window && window <= self.last
    }
}

/// The ledger of one campaign.
#[derive(Clone, Debug)]
pub struct AbandonLedger {
    cap_ppm: u32,
    /// By start of the window; only what was read.
    accounts: BTreeMap<UtcMs, Account>,
    /// Uncovered calls whose end is not booked yet.
    in_flight: BTreeMap<AttemptId, WindowSpan>,
    /// Faults that are not booked yet, with their window.
    faults: BTreeMap<AttemptId, UtcMs>,
}

impl AbandonLedger {
    /// An empty ledger: without a known account nothing goes uncovered.
    #[must_use]
    pub const fn new(cap_ppm: u32) -> Self {
        Self {
            cap_ppm,
            accounts: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            faults: BTreeMap::new(),
        }
    }

    /// What the database says of a window.
    pub fn learn(&mut self, window: UtcMs, account: Account) {
        self.accounts.insert(window, account);
        while self.accounts.len() > KNOWN_WINDOWS {
            // The oldest; where the wall clock was set back that may be the one just read, which is asked for now.
            let oldest = self.accounts.first_key_value().map(|(oldest, _)| *oldest);
            if oldest == Some(window) {
                self.accounts.pop_last()
            } else {
                self.accounts.pop_first()
            };
        }
    }

    /// What is known of a window.
    #[must_use]
    pub fn account(&self, window: UtcMs) -> Option<Account> {
        self.accounts.get(&window).copied()
    }

    /// How many uncovered calls a window bears that may owe so many. A fault counts from the moment it happens.
    #[must_use]
    pub fn allowed(&self, window: UtcMs, debt: u32) -> u64 {
        let Some(account) = self.accounts.get(&window) else { return 0 };
        let unbooked = self.faults.values().filter(|of| **of == window).count();
        let unbooked = u64::try_from(unbooked).unwrap_or(u64::MAX);
        let abandoned = account.abandoned.saturating_add(unbooked);
        allowance(self.cap_ppm, account.answered, abandoned, debt)
    }

    /// Uncovered calls in flight.
    #[must_use]
    pub fn used(&self) -> u64 {
        u64::try_from(self.in_flight.len()).unwrap_or(u64::MAX)
    }

    /// May one more call go uncovered?
    #[must_use]
    pub fn admits(&self, span: WindowSpan) -> bool {
        self.spare(span) > 0
    }

    /// How many more calls may go uncovered.
    #[must_use]
    pub fn spare(&self, span: WindowSpan) -> u64 {
        let [first, last] = span.both().map(|(window, debt)| self.allowed(window, debt));
        first.min(last).saturating_sub(self.used())
    }

    /// A call goes uncovered. Asked before: [`Self::admits`].
    pub fn start(&mut self, attempt: AttemptId, span: WindowSpan) {
        self.in_flight.insert(attempt, span);
    }

    /// May `from`, uncovered and just answered, hand its place to a call that gives up its agent for it? The number of
    /// uncovered calls stays; what may change is in which windows they can be answered (near an edge, or when the wall
    /// clock was set) and how long a debt may last, and a window that did not bear that must bear them all. Whether it does
    /// is known only to whoever is `alone`: the calls of other processes are not in this ledger.
    #[must_use]
    pub fn may_pass_on(&self, from: AttemptId, span: WindowSpan, alone: bool) -> bool {
        self.in_flight.get(&from).is_some_and(|had| {
            span.both().into_iter().all(|(window, debt)| {
                had.bore(window, debt) || (alone && self.allowed(window, debt) >= self.used())
            })
        })
    }

    /// The call is connected, covered from now on, or over without being answered: it needs no credit any more.
    pub fn release(&mut self, attempt: AttemptId) {
        self.in_flight.remove(&attempt);
    }

    /// Whether a call needs credit.
    #[must_use]
    pub fn is_uncovered(&self, attempt: AttemptId) -> bool {
        self.in_flight.contains_key(&attempt)
    }

    /// The call was abandoned, and is booked in `window`. Is that a fault: was it covered, or had it no credit there?
    pub fn lost(&mut self, attempt: AttemptId, window: UtcMs) -> bool {
        let fault = self.in_flight.get(&attempt).is_none_or(|span| !span.holds(window));
        if fault {
            self.in_flight.remove(&attempt);
            self.faults.insert(attempt, window);
        }
        fault
    }

    /// The loss is in the account that was learnt last.
    pub fn settle(&mut self, attempt: AttemptId) {
        self.in_flight.remove(&attempt);
        self.faults.remove(&attempt);
    }
}

/// ⌊(r·A − D + B) / (1 − r)⌋, at least 0: so many calls can be answered and lost, and D ≤ r·A + B still holds.
#[must_use]
pub fn allowance(cap_ppm: u32, answered: u64, abandoned: u64, debt: u32) -> u64 {
    let (cap, million) = (u128::from(cap_ppm), u128::from(MILLION));
    let borne = cap * u128::from(answered) + million * u128::from(debt);
    let credit = borne.saturating_sub(million * u128::from(abandoned));
    match million.checked_sub(cap) {
        Some(cost) if cost > 0 => u64::try_from(credit / cost).unwrap_or(u64::MAX),
        // A cap of 100 % (simulation only) bounds nothing.
        Some(_) | None => u64::MAX,
    }
}

/// Parts in a whole.
const MILLION: u32 = 1_000_000;
/// The window before, the present one and the next.
const KNOWN_WINDOWS: usize = 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: UtcMs = UtcMs(1_000);
    const NEXT: UtcMs = UtcMs(2_000);
    const TODAY: WindowSpan = WindowSpan::instant(DAY, DAY);
    const EDGE: WindowSpan = WindowSpan::instant(DAY, NEXT);

    fn ledger(answered: u64, abandoned: u64) -> AbandonLedger {
        let mut ledger = AbandonLedger::new(30_000);
        ledger.learn(DAY, Account { answered, abandoned, fault: 0 });
        ledger
    }

    #[test]
    fn three_percent_bear_the_first_loss_after_thirty_three_answers() {
        // 33 answers: the lost call would be the 34th, and 1 of 34 is 2.94 %.
        assert_eq!(allowance(30_000, 32, 0, 0), 0);
        assert_eq!(allowance(30_000, 33, 0, 0), 1);
        assert_eq!(allowance(30_000, 33, 1, 0), 0);
        assert_eq!(allowance(30_000, 100_000, 0, 0), 3_092);
        assert_eq!(allowance(0, u64::MAX, 0, 0), 0);
    }

    #[test]
    fn nothing_goes_uncovered_before_the_account_was_read() {
        let ledger = AbandonLedger::new(30_000);
        assert!(!ledger.admits(TODAY));
    }

    #[test]
    fn a_call_near_the_edge_needs_credit_on_both_sides() {
        let mut ledger = ledger(100, 0);
        assert!(ledger.admits(TODAY));
        assert!(!ledger.admits(EDGE));
        ledger.learn(NEXT, Account::default());
        assert!(!ledger.admits(EDGE), "a new window has no credit");
    }

    #[test]
    fn the_window_read_last_is_known_also_after_the_wall_clock_was_far_ahead() {
        let mut ledger = AbandonLedger::new(30_000);
        for days in [5, 6, 7, 1] {
            let account = Account { answered: days, ..Account::default() };
            ledger.learn(UtcMs(i64::try_from(days).unwrap()), account);
        }
        assert_eq!(ledger.account(UtcMs(1)).map(|account| account.answered), Some(1));
    }

    #[test]
    fn a_loss_keeps_its_place_until_it_is_booked() {
        let mut ledger = ledger(70, 0);
        ledger.start(AttemptId(1), TODAY);
        ledger.start(AttemptId(2), TODAY);
        assert!(!ledger.admits(TODAY));
        assert!(!ledger.lost(AttemptId(1), DAY), "it had credit");
        assert!(!ledger.admits(TODAY));
        ledger.learn(DAY, Account { answered: 71, abandoned: 1, fault: 0 });
        ledger.settle(AttemptId(1));
        assert_eq!((ledger.allowed(DAY, 0), ledger.used()), (1, 1));
    }

    #[test]
    fn a_fault_stops_uncovered_calls_at_once_until_it_is_repaid() {
        let mut ledger = ledger(60, 0);
        assert!(ledger.lost(AttemptId(9), DAY), "nobody gave it credit");
        assert!(!ledger.admits(TODAY));
        ledger.learn(DAY, Account { answered: 61, abandoned: 1, fault: 1 });
        ledger.settle(AttemptId(9));
        assert!(!ledger.admits(TODAY));
        ledger.learn(DAY, Account { answered: 66, abandoned: 1, fault: 1 });
        assert!(ledger.admits(TODAY), "repaid by further answers");
    }

    #[test]
    fn a_loss_in_a_window_that_gave_no_credit_is_a_fault() {
        let mut ledger = ledger(100, 0);
        ledger.start(AttemptId(1), TODAY);
        assert!(ledger.lost(AttemptId(1), NEXT));
    }

    #[test]
    fn a_place_is_handed_on_without_new_credit_but_not_over_the_edge() {
        let mut ledger = ledger(34, 0);
        ledger.start(AttemptId(1), TODAY);
        assert!(ledger.may_pass_on(AttemptId(1), TODAY, false));
        assert!(!ledger.may_pass_on(AttemptId(1), EDGE, true));
        let tomorrow = WindowSpan::instant(NEXT, NEXT);
        assert!(!ledger.may_pass_on(AttemptId(1), tomorrow, true), "the wall clock was set");
        assert!(!ledger.may_pass_on(AttemptId(2), TODAY, true), "it has no place to hand on");
        ledger.learn(NEXT, Account { answered: 34, ..Account::default() });
        assert!(ledger.may_pass_on(AttemptId(1), EDGE, true), "tomorrow bears one, too");
        assert!(!ledger.may_pass_on(AttemptId(1), EDGE, false), "which others may have taken");
    }

    /// What an adversary does next.
    #[derive(Clone, Copy, Debug)]
    enum Move {
        /// Starts as many uncovered calls as are let go.
        Rush,
        /// The n-th call in flight is answered and lost.
        Lose(usize),
        /// The n-th is connected to an agent, a person.
        Connect(usize),
        /// The n-th is not answered.
        Miss(usize),
        /// A covered call is lost.
        Fault,
        /// A covered call is connected.
        Covered,
        /// What was booked is read back.
        Read,
        /// The process dies: every call in flight is booked as answered and lost, what was not read yet is known after.
        Crash,
    }

    fn moves() -> impl Strategy<Value = Move> {
        let place = 0usize..8;
        prop_oneof![
            3 => Just(Move::Rush),
            3 => place.clone().prop_map(Move::Lose),
            1 => place.clone().prop_map(Move::Connect),
            1 => place.prop_map(Move::Miss),
            1 => Just(Move::Fault),
            6 => Just(Move::Covered),
            3 => Just(Move::Read),
            1 => Just(Move::Crash),
        ]
    }

    /// What an adversary does next to a window that may owe.
    #[derive(Clone, Copy, Debug)]
    enum Deed {
        Rush,
        Lose(usize),
        Connect(usize),
        Fault,
        Covered,
        /// Time passes: the window may owe less, and calls that were let go long ago are over.
        Wait,
        Crash,
    }

    fn deeds() -> impl Strategy<Value = Deed> {
        prop_oneof![
            4 => Just(Deed::Rush),
            4 => (0usize..8).prop_map(Deed::Lose),
            1 => (0usize..8).prop_map(Deed::Connect),
            1 => Just(Deed::Fault),
            4 => Just(Deed::Covered),
            3 => Just(Deed::Wait),
            1 => Just(Deed::Crash),
        ]
    }

    proptest! {
        #[test]
        fn a_window_never_owes_more_than_it_may_while_calls_without_an_agent_are_under_way(
            cap_ppm in 0u32..200_000,
            mut debts in proptest::collection::vec(0u32..12, 60),
            deeds in proptest::collection::vec(deeds(), 1..300),
        ) {
            const LONGEST: usize = 3;
            debts.sort_unstable_by(|one, two| two.cmp(one));
            let debt = |at: usize| debts.get(at).copied().unwrap_or(0);
            let mut ledger = AbandonLedger::new(cap_ppm);
            let mut booked = Account::default();
            ledger.learn(DAY, booked);
            let (mut now, mut next, mut owed_under) = (0, 0, 0);
            let mut open: Vec<(AttemptId, usize)> = vec![];
            for what in deeds {
                match what {
                    Deed::Rush => {
                        let first_debt = debt(now + LONGEST);
                        let span = WindowSpan { first_debt, last_debt: first_debt, ..TODAY };
                        while ledger.admits(span) && open.len() < 50 {
                            next += 1;
                            ledger.start(AttemptId(next), span);
                            open.push((AttemptId(next), now));
                            owed_under = first_debt;
                        }
                    }
                    Deed::Lose(n) if n < open.len() => {
                        let (call, _) = open.remove(n);
                        prop_assert!(!ledger.lost(call, DAY));
                        booked.answered += 1;
                        booked.abandoned += 1;
                        ledger.learn(DAY, booked);
                        ledger.settle(call);
                    }
                    Deed::Connect(n) if n < open.len() => {
                        ledger.release(open.remove(n).0);
                        booked.answered += 1;
                        ledger.learn(DAY, booked);
                    }
                    Deed::Lose(_) | Deed::Connect(_) => {}
                    Deed::Fault => {
                        booked = Account { answered: booked.answered + 1, abandoned: booked.abandoned + 1, fault: booked.fault + 1 };
                        ledger.learn(DAY, booked);
                    }
                    Deed::Covered => {
                        booked.answered += 1;
                        ledger.learn(DAY, booked);
                    }
                    Deed::Wait => {
                        now += 1;
                        let over = open.extract_if(.., |(_, begun)| *begun + LONGEST < now);
                        over.for_each(|(call, _)| ledger.release(call));
                    }
                    Deed::Crash => {
                        let lost = u64::try_from(open.len()).unwrap();
                        booked.answered += lost;
                        booked.abandoned += lost;
                        open.clear();
                        ledger = AbandonLedger::new(cap_ppm);
                        ledger.learn(DAY, booked);
                    }
                }
                let (cap, million) = (u64::from(cap_ppm), u64::from(MILLION));
                let owes = |may: u32| {
                    booked.abandoned * million
                        > cap * booked.answered + (booked.fault + u64::from(may)) * million
                };
                prop_assert!(!owes(owed_under), "{booked:?} at {cap_ppm} ppm after {what:?}");
                prop_assert!(open.is_empty() || !owes(debt(now)), "{booked:?} at {now} after {what:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_order_of_events_abandons_more_than_the_cap_and_the_faults(
            cap_ppm in 0u32..200_000,
            before in 0u64..400,
            moves in proptest::collection::vec(moves(), 1..400),
        ) {
            let mut ledger = AbandonLedger::new(cap_ppm);
            let mut booked = Account { answered: before, abandoned: 0, fault: 0 };
            ledger.learn(DAY, booked);
            let (mut next, mut open, mut unread): (i64, Vec<AttemptId>, Vec<AttemptId>) = (0, vec![], vec![]);
            for what in moves {
                match what {
                    Move::Rush => while ledger.admits(TODAY) && open.len() < 50 {
                        next += 1;
                        ledger.start(AttemptId(next), TODAY);
                        open.push(AttemptId(next));
                    },
                    Move::Lose(n) if n < open.len() => {
                        let call = open.remove(n);
                        prop_assert!(!ledger.lost(call, DAY));
                        unread.push(call);
                        booked.answered += 1;
                        booked.abandoned += 1;
                    }
                    Move::Connect(n) if n < open.len() => {
                        ledger.release(open.remove(n));
                        booked.answered += 1;
                    }
                    Move::Miss(n) if n < open.len() => ledger.release(open.remove(n)),
                    Move::Lose(_) | Move::Connect(_) | Move::Miss(_) => {}
                    Move::Fault => {
                        next += 1;
                        prop_assert!(ledger.lost(AttemptId(next), DAY));
                        unread.push(AttemptId(next));
                        booked = Account { answered: booked.answered + 1, abandoned: booked.abandoned + 1, fault: booked.fault + 1 };
                    }
                    Move::Covered => booked.answered += 1,
                    Move::Read => {
                        ledger.learn(DAY, booked);
                        for call in unread.drain(..) {
                            ledger.settle(call);
                        }
                    }
                    Move::Crash => {
                        let lost = u64::try_from(open.len()).unwrap();
                        booked.answered += lost;
                        booked.abandoned += lost;
                        (open, unread) = (vec![], vec![]);
                        ledger = AbandonLedger::new(cap_ppm);
                        ledger.learn(DAY, booked);
                    }
                }
                let (cap, million) = (u64::from(cap_ppm), u64::from(MILLION));
                prop_assert!(
                    booked.abandoned * million <= cap * booked.answered + booked.fault * million,
                    "{booked:?} at {cap_ppm} ppm after {what:?}",
                );
            }
        }
    }
}
