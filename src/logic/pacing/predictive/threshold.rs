//! How much risk a call may carry: a threshold that is steered by what was lost and earned so far.
//!
//! Each live answer earns a little less than the cap allows, each abandoned one costs one. The threshold follows the
//! balance slowly, so that a wrong model ends in fewer calls, not in more abandoned ones; in debt it falls to a trickle
//! and, deep in debt or at the end of the window, to one line per idle agent.

/// The balance of a compliance window and the threshold that follows it.
#[derive(Clone, Debug)]
pub struct Threshold {
    /// What a live answer earns.
    earn: f64,
    credit: f64,
    log_level: f64,
    /// Live answers per second, over some ten minutes.
    a_second: f64,
    /// Machines among the calls that reached agents, as the agents said.
    machines: f64,
    heard: f64,
    /// What the cap allows to be lost of what was answered in this window, less what was lost. Nothing is cut off it.
    balance: f64,
    /// Calls lost in this window of which it is not known what they were.
    lost: f64,
    cap: f64,
    /// The ledger admits fewer calls than the prediction would start.
    short: bool,
}

/// What a step brought.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answered {
    /// Taken for persons and offered to agents: those an agent got and those that were lost.
    pub offered: f64,
    /// Of them, lost.
    pub lost: f64,
    /// Hung up while it was still being found out what they are: persons for sure, and lost.
    pub hung_up: f64,
}

/// How much risk a call may carry, by how many are under way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowance {
    /// Calls without an agent of their own that may all be answered and lost without breaking the cap.
    pub uncovered: usize,
    /// The risk that one of these may carry.
    pub within: f64,
    /// The risk that one more may carry.
    pub beyond: f64,
}

/// What is left of the compliance window.
#[derive(Clone, Copy, Debug)]
pub struct WindowLeft {
    /// Seconds to its end.
    pub seconds: f64,
}

impl Threshold {
    /// For an abandonment cap, 0.03 for 3 %.
    #[must_use]
    pub fn new(cap: f64) -> Self {
        Self {
            earn: (cap - MARGIN).max(0.0),
            credit: START,
            log_level: libm::log(cap.clamp(LEAST_LEVEL, MOST)),
            a_second: 0.0,
            machines: 0.0,
            heard: 20.0,
            balance: 0.0,
            lost: 0.0,
            cap,
            short: false,
        }
    }

    /// The balance of another window, which holds so much already.
    pub fn open(&mut self, live: f64, abandoned: f64) {
        self.balance = self.cap * live - abandoned;
        self.lost = abandoned;
        self.credit = (START + self.earn * live - abandoned).min(2.0 * self.scale());
    }

    /// A step of so many seconds.
    pub fn step(&mut self, seconds: f64, answered: Answered) {
        let all = answered.offered + answered.hung_up;
        self.a_second = self.a_second * libm::exp(-seconds / RATE_MEMORY) + all / RATE_MEMORY;
        let person = 1.0 - self.machine_share();
        // How many persons were among the lost ones is not known, but binomial: so many deviations of it are held back.
        let deviation = (self.machine_share() * person).sqrt();
        let doubt = DOUBT * deviation * ((self.lost + answered.lost).sqrt() - self.lost.sqrt());
        self.lost += answered.lost;
        let persons = person * answered.offered + answered.hung_up;
        let lost = person * answered.lost + doubt + answered.hung_up;
        self.balance += self.cap * persons - lost;
        self.credit += self.earn * persons - lost;
        self.credit = self.credit.min(2.0 * self.scale());
        let gain = 0.003 * self.error() * all;
        self.log_level = (self.log_level + gain).clamp(libm::log(LEAST_LEVEL), libm::log(MOST));
    }

    /// Whether the ledger admits fewer calls than the prediction would start. Then credit is a stock that each call needs as
    /// long as it is under way, not an income to be spent: no surplus raises the risk.
    pub const fn short_of_credit(&mut self, short: bool) {
        self.short = short;
    }

    /// An agent's talk ended: with a machine, or with a person.
    pub fn talked(&mut self, machine: bool) {
        self.machines = self.machines * MACHINE_MEMORY + f64::from(u8::from(machine));
        self.heard = self.heard * MACHINE_MEMORY + 1.0;
    }

    /// The risk a call may carry now. Zero: only as many lines as there are idle agents.
    #[must_use]
    pub fn allowed(&self, left: WindowLeft) -> f64 {
        let scale = self.scale();
        let earned =
            self.earn * (1.0 - self.machine_share()) * self.a_second * left.seconds.max(0.0);
        let most_debt = 2.0f64.max(scale / 4.0).max(0.1 * earned).min(0.5 * earned);
        if self.balance < -most_debt {
            return 0.0;
        }
        if self.credit <= 0.0 {
            return TRICKLE;
        }
        libm::exp(self.log_level + 1.5 * self.error()).clamp(TRICKLE, MOST)
    }

    /// The same, and what late in the window no longer depends on the prediction.
    #[must_use]
    pub fn allowance(&self, left: WindowLeft) -> Allowance {
        let within = self.allowed(left);
        let late = left.seconds <= LAST_PART || left.seconds.is_nan();
        if !late || self.credit > AMPLE {
            return Allowance { uncovered: usize::MAX, within, beyond: within };
        }
        let beyond = if self.credit <= SCANT { 0.0 } else { TRICKLE.min(within) };
        let uncovered = whole(self.balance / (1.0 - self.cap).max(LEAST_LEVEL));
        Allowance { uncovered, within, beyond }
    }

    /// Calls that may still be lost; negative: a debt.
    #[must_use]
    pub const fn credit(&self) -> f64 {
        self.credit
    }

    /// What is remembered of it.
    #[must_use]
    pub const fn numbers(&self) -> [f64; 8] {
        let Self { credit, log_level, a_second, machines, heard, balance, lost, .. } = self;
        let short = if self.short { 1.0 } else { 0.0 };
        [*credit, *log_level, *a_second, *machines, *heard, *balance, *lost, short]
    }

    /// Takes back what was remembered; `false`: that is no balance.
    pub fn set(&mut self, numbers: &[f64]) -> bool {
        let &[credit, log_level, a_second, machines, heard, balance, lost, short] = numbers else {
            return false;
        };
        self.credit = credit;
        self.log_level = log_level.clamp(libm::log(LEAST_LEVEL), libm::log(MOST));
        self.a_second = a_second;
        self.machines = machines;
        self.heard = heard;
        self.balance = balance;
        self.lost = lost;
        self.short = short > 0.0;
        lost >= 0.0 && a_second >= 0.0 && machines >= 0.0 && heard >= machines && heard > 0.0
    }

    /// Live answers per second of late.
    #[must_use]
    pub const fn a_second(&self) -> f64 {
        self.a_second
    }

    /// What half an hour earns, within bounds.
    fn scale(&self) -> f64 {
        (self.earn * self.a_second * 1_800.0).clamp(3.0, 40.0)
    }

    /// How far the balance is from where it should be, in units of the scale.
    fn error(&self) -> f64 {
        let scale = self.scale();
        let most = if self.short { SHORT } else { 2.0 };
        ((self.credit - scale / 2.0) / scale).clamp(-2.0, most)
    }

    fn machine_share(&self) -> f64 {
        self.machines / self.heard
    }
}

/// Whole calls; none of what is negative or no number.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounded down, as it is meant"
)]
const fn whole(calls: f64) -> usize {
    calls as usize
}

/// Earned below the cap, so that the last call of a window does not decide.
const MARGIN: f64 = 0.0004;
/// The error where credit is short, in units of the scale: half the usual risk, and falling.
const SHORT: f64 = -0.5;
/// One time in ten there were more persons among the lost than so many deviations beyond the mean.
const DOUBT: f64 = 1.3;
/// Credit of a new window, in calls.
const START: f64 = 0.5;
const LEAST_LEVEL: f64 = 0.01;
const MOST: f64 = 0.3;
/// In debt: so little risk that nearly every call finds an agent.
const TRICKLE: f64 = 0.003;
/// Seconds.
const RATE_MEMORY: f64 = 600.0;
const MACHINE_MEMORY: f64 = 0.998;
/// Credit with which a burst of losses at the end of a window is borne.
const AMPLE: f64 = 3.0 + START;
/// Credit that a single burst might use up.
const SCANT: f64 = 1.0 + START;
/// Seconds before the end of a window from which on it is made sure that it closes without debt.
const LAST_PART: f64 = 1_800.0;

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: WindowLeft = WindowLeft { seconds: 20_000.0 };

    fn answered(offered: f64, lost: f64) -> Answered {
        Answered { offered, lost, hung_up: 0.0 }
    }

    fn busy() -> Threshold {
        let mut threshold = Threshold::new(0.03);
        (0..2_000).for_each(|_| threshold.step(1.0, answered(0.5, 0.0)));
        threshold
    }

    #[test]
    fn credit_never_exceeds_what_answers_earned_less_what_was_lost() {
        let mut threshold = Threshold::new(0.03);
        let (mut live, mut lost) = (0.0, 0.0);
        for step in 0..20_000u32 {
            let abandoned = f64::from(u8::from(step % 37 == 0));
            threshold.step(1.0, answered(1.0, abandoned));
            (live, lost) = (live + 1.0, lost + abandoned);
            assert!(lost <= 0.0296 * live + START - threshold.credit() + 1e-6);
        }
    }

    #[test]
    fn losses_lower_the_threshold_and_debt_stops_it() {
        let mut threshold = busy();
        let high = threshold.allowed(FAR);
        threshold.step(1.0, answered(10.0, 10.0));
        let lower = threshold.allowed(FAR);
        assert!(lower < high, "{lower} {high}");
        while threshold.credit() > 0.0 {
            threshold.step(1.0, answered(1.0, 1.0));
        }
        assert!((threshold.allowed(FAR) - TRICKLE).abs() < 1e-12);
        threshold.step(1.0, answered(400.0, 400.0));
        assert!(threshold.allowed(FAR) == 0.0);
    }

    #[test]
    fn near_the_end_of_the_window_arithmetic_decides_unless_there_is_plenty() {
        let late = WindowLeft { seconds: 1_700.0 };
        let mut threshold = Threshold::new(0.03);
        threshold.step(1.0, answered(20.0, 0.0));
        assert_eq!(threshold.allowance(FAR).uncovered, usize::MAX);
        assert_eq!(
            (threshold.allowance(late).uncovered, threshold.allowance(late).beyond),
            (0, 0.0)
        );
        threshold.step(1.0, answered(30.0, 0.0));
        let allowance = threshold.allowance(late);
        assert_eq!(allowance.uncovered, 1, "one of fifty-one is less than 3 %");
        assert!((allowance.beyond - TRICKLE).abs() < 1e-12 && allowance.within > TRICKLE);
        assert_eq!(busy().allowance(late).uncovered, usize::MAX);
    }

    #[test]
    fn no_more_is_owed_than_half_of_what_the_window_can_still_earn() {
        let mut threshold = busy();
        while threshold.balance > -1.0 {
            threshold.step(1.0, answered(1.0, 1.0));
        }
        // About half an answer a second: 1.5 calls an hour and a half at most, of which one is owed.
        assert!(threshold.allowed(WindowLeft { seconds: 600.0 }) > 0.0);
        assert!(threshold.allowed(WindowLeft { seconds: 60.0 }) == 0.0);
    }

    #[test]
    fn who_hangs_up_while_being_listened_to_is_a_person_for_sure() {
        let (mut silent, mut offered) = (busy(), busy());
        for threshold in [&mut silent, &mut offered] {
            (0..5_000).for_each(|_| threshold.talked(true));
        }
        silent.step(1.0, Answered { hung_up: 1.0, ..Answered::default() });
        offered.step(1.0, answered(1.0, 1.0));
        assert!(silent.credit() < offered.credit() - 0.8);
    }

    #[test]
    fn where_the_ledger_is_what_holds_a_surplus_does_not_raise_the_risk() {
        let mut threshold = busy();
        let free = threshold.allowed(FAR);
        threshold.short_of_credit(true);
        assert!(threshold.allowed(FAR) < free / 2.0);
        threshold.short_of_credit(false);
        assert!((threshold.allowed(FAR) - free).abs() < 1e-12);
    }

    #[test]
    fn machines_earn_nothing() {
        let mut threshold = busy();
        for _ in 0..5_000 {
            threshold.talked(true);
        }
        let before = threshold.credit();
        threshold.step(1.0, answered(100.0, 0.0));
        assert!(threshold.credit() - before < 0.1);
    }
}
