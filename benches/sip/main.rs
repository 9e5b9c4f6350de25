//! SIP alone: what a call costs our user agent beside SIPp's own caller, how many it makes, what it remembers of each,
//! and what happens beyond the limit. No media, no database; the far end is SIPp's `uas`.
//!
//! Each caller is a process of its own on loopback, and does what SIPp's `uac` scenario does: INVITE, ACK, BYE.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench that cannot run ends"
)]
#![expect(clippy::as_conversions, clippy::print_stdout, reason = "figures that are printed")]

mod caller;
#[expect(dead_code, unused_imports, reason = "each bench uses a part")]
#[path = "../common/mod.rs"]
mod common;
mod far_end;
#[expect(dead_code, reason = "tests look at more of what SIPp wrote")]
#[path = "../../tests/sipp/mod.rs"]
mod sipp;

use std::process::ExitCode;

use caller::{Plan, Report};
use common::{Asked, Gate, Table, Usage};
use far_end::Callee;

fn main() -> ExitCode {
    if caller::is_child() {
        return ExitCode::SUCCESS;
    }
    let asked = Asked::here();
    let mut table = Table::new(&asked, "SIP alone");
    if asked.wants("cost") {
        cost(&asked, &mut table);
    }
    if asked.wants("memory") {
        memory(&asked, &mut table);
    }
    if asked.wants("limit") {
        limit(&asked, &mut table);
    }
    table.verdict()
}

/// Processor time of the same calls at the same rate, in turns.
fn cost(asked: &Asked, table: &mut Table) {
    let calls = if asked.small { 3_000 } else { 10_000 };
    let (mut ours, mut theirs) = (vec![], vec![]);
    for turn in 0..asked.times(5) {
        // Who goes first changes with the turn.
        for side in [Side::Ours, Side::Sipp].into_iter().cycle().skip(turn).take(2) {
            let (report, usage, _) = side.make(calls, 1_000, false);
            none_lost(&report, side);
            let seconds = usage.cpu.as_secs_f64() * 10_000.0 / f64::from(calls);
            match side {
                Side::Ours => ours.push(seconds),
                Side::Sipp => theirs.push(seconds),
            }
        }
    }
    table.pair(
        ("1,000/s: processor seconds of 10,000 calls", &ours),
        ("  the same by SIPp's uac", &theirs),
        Gate::Most(2.0),
    );
}

/// What every call costs that is up.
fn memory(asked: &Asked, table: &mut Table) {
    let calls = if asked.small { 1_000 } else { 5_000 };
    let (mut ours, mut theirs) = (vec![], vec![]);
    for _ in 0..asked.times(3) {
        let (report, _, _) = Side::Ours.make(calls, 1_000, true);
        none_lost(&report, Side::Ours);
        ours.push((report.held_kib - report.empty_kib) as f64 / f64::from(calls));
        let (report, usage, _) = Side::Sipp.make(calls, 1_000, true);
        none_lost(&report, Side::Sipp);
        let (_, alone, _) = Side::Sipp.make(1, 1_000, false);
        theirs.push(usage.peak_kib.saturating_sub(alone.peak_kib) as f64 / f64::from(calls));
    }
    let figure = format!("{calls} calls at once: KiB of each");
    table.figure(&figure, &ours, Gate::Most(16.0));
    table.figure("  the same by SIPp's uac", &theirs, Gate::None);
}

/// How many calls a second go through as in a textbook, and how many still do when more are asked for.
fn limit(asked: &Asked, table: &mut Table) {
    if asked.small {
        // More than any machine makes: they wait for one another, and none is lost.
        let (report, _, _) = Side::Ours.make(3_000, 100_000, false);
        none_lost(&report, Side::Ours);
        table.figure("100,000/s asked for: calls a second", &[per_second(&report)], Gate::None);
        return;
    }
    let (mut ours, mut theirs, mut beyond) = (vec![], vec![], vec![]);
    for _ in 0..asked.times(3) {
        theirs.push(f64::from(highest_rate(Side::Sipp)));
        let highest = highest_rate(Side::Ours);
        ours.push(f64::from(highest));
        let rate = highest * 3 / 2;
        let (report, _, _) = Side::Ours.make(rate * STEP_SECONDS, rate, false);
        none_lost(&report, Side::Ours);
        beyond.push(per_second(&report) / f64::from(highest));
    }
    table.figure("calls a second without failure or repeat", &ours, Gate::Least(1_000.0));
    table.figure("  the same by SIPp's uac", &theirs, Gate::None);
    table.figure(
        "asked for 1.5 times as many: completed, of that limit",
        &beyond,
        Gate::Least(0.9),
    );
}

/// Steps up until a call fails, a datagram is repeated or the caller falls behind, twice: once may be somebody else's
/// doing.
fn highest_rate(side: Side) -> u32 {
    let clean = |rate: u32| {
        let calls = rate * STEP_SECONDS;
        (0..2).any(|_| {
            let (report, _, repeats) = side.make(calls, rate, false);
            let seconds = f64::from(STEP_SECONDS) * 1.05 + SLACK_SECONDS;
            report.failed == 0 && report.repeats + repeats == 0 && report.seconds <= seconds
        })
    };
    STEPS.into_iter().take_while(|rate| clean(*rate)).last().unwrap_or(0)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Ours,
    Sipp,
}

impl Side {
    /// Makes calls to a fresh far end; the last figure is what that sent again.
    fn make(self, calls: u32, rate: u32, hold: bool) -> (Report, Usage, u64) {
        let callee = Callee::start();
        let (to, most_waiting) = (callee.address(), MOST_WAITING);
        let plan = Plan { to, rate, calls, hold, most_waiting };
        let (report, usage) = match self {
            Self::Ours => plan.carry_out(),
            Self::Sipp => far_end::carry_out(&plan),
        };
        (report, usage, callee.end())
    }
}

fn none_lost(report: &Report, side: Side) {
    assert_eq!(report.failed, 0, "calls were lost by {side:?}: {report:?}");
}

fn per_second(report: &Report) -> f64 {
    f64::from(report.completed) / report.seconds
}

/// Requests of ours without an answer. The far end's socket has room for as many.
const MOST_WAITING: u32 = 200;
/// Calls a second.
const STEPS: [u32; 12] =
    [1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000, 9_000, 10_000, 12_000, 14_000];
const STEP_SECONDS: u32 = 3;
/// Start and end of the process.
const SLACK_SECONDS: f64 = 0.3;
