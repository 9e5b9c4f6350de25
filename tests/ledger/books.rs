//! What the books must say after every commit and in the end, reckoned from what the world itself has seen.

use std::time::Duration;

use outdial::logic::compliance::abandon_ledger::WindowSpan;
use outdial::logic::dialer::*;
use outdial::logic::gate::Gate;
use outdial::logic::ids::*;
use outdial::logic::outcome::Outcome;
use outdial::logic::settings::{AbandonBound, DialMode};
use outdial::logic::time::UtcMs;

use crate::far_ends::Stage;
use crate::floor::{CAMPAIGN, Floor};

impl Floor {
    pub(super) fn run_batch(&mut self, batch: &[(Ticket, StoreCommand)]) -> Vec<StoreReply> {
        let commands: Vec<_> = batch.iter().map(|(_, command)| command.clone()).collect();
        let replies = self.model.run(self.epoch, &commands);
        for (command, reply) in commands.iter().zip(&replies) {
            self.committed(command, reply);
            // What ends or covers a call that begins in the same batch takes effect after all intents of it; a fault that came
            // after an intent, before it.
            assert!(
                *reply != NO_CREDIT || ends_what_it_begins(&commands) || holds_a_fault(&commands),
                "seed {} at {:?}: the only process spends credit that is not there: {command:?}",
                self.seed,
                self.now
            );
        }
        self.nothing_is_earned_by_messages(&commands);
        let cap = i128::from(self.style.cap_ppm);
        for (window, row) in self.model.windows() {
            let (a, d, f) =
                (i128::from(row.answered), i128::from(row.abandoned), i128::from(row.fault));
            let (campaign, starts) = *window;
            assert_eq!(campaign, CAMPAIGN);
            let debt = self.might_owe.get(&starts).copied().unwrap_or(0);
            let missing = d * 1_000_000 - cap * a - f * 1_000_000;
            if missing > 0 {
                self.report.in_debt += 1;
                let owed = u64::try_from((missing + 999_999) / 1_000_000).unwrap();
                self.report.most_debt = self.report.most_debt.max(owed);
            }
            assert!(
                missing <= i128::from(debt) * 1_000_000,
                "seed {} at {:?}: D <= r*A + {debt} + faults is broken in {window:?}: {row:?} at {cap} ppm by {:#?}",
                self.seed,
                self.now,
                outcomes(&commands)
            );
        }
        replies
    }

    fn committed(&mut self, command: &StoreCommand, reply: &StoreReply) {
        if let (StoreCommand::Intent(intent), StoreReply::Saved) = (command, reply) {
            self.report.attempts += 1;
            if intent.agent.is_none() && intent.uncovered.is_none() {
                self.report.messages += 1;
                self.messages.insert(intent.attempt);
            } else if matches!(self.settings.mode, DialMode::Manual | DialMode::Preview) {
                self.report.by_hand += u64::from(intent.uncovered.is_none());
            }
            if let Some(start) = intent.uncovered {
                self.let_go(start.windows, intent.now);
                self.report.uncovered += 1;
                self.uncovered.insert(intent.attempt);
            }
        }
        if let StoreCommand::Covered { attempt } = command {
            self.uncovered.remove(attempt);
        }
        if let StoreCommand::Connected { given_up: Some(attempt), at, .. } = command {
            // It goes on in the place of another, or on what a window may owe now.
            let longest = self.longest();
            self.let_go(WindowSpan::instant(day_of(*at), day_of(*at + longest)), *at);
            self.report.handed_on += 1;
            self.uncovered.insert(*attempt);
        }
        if let StoreCommand::Connected { attempt, .. } = command {
            self.uncovered.remove(attempt);
        }
        if let StoreCommand::Outcome(record) = command {
            self.is_booked_rightly(record);
            self.uncovered.remove(&record.attempt);
            self.report.connected += u64::from(record.outcome == Outcome::Connected);
        }
    }

    /// A message earns nothing, and loses only as a fault; where no clock jumps, a call that had credit never is one.
    fn is_booked_rightly(&self, record: &OutcomeRecord) {
        let Booking { answered, abandoned, fault, .. } = record.booking;
        let right = if self.messages.contains(&record.attempt) {
            answered == fault && abandoned == fault
        } else {
            !fault || self.style.clock.is_some() || !self.uncovered.contains(&record.attempt)
        };
        assert!(right, "seed {} at {:?}: {record:?}", self.seed, self.now);
    }

    /// Nobody but a person who met an agent earns credit: A - D over all windows, from what the world has seen.
    fn nothing_is_earned_by_messages(&self, commands: &[StoreCommand]) {
        let earned: i64 =
            self.model.windows().values().map(|row| row.answered - row.abandoned).sum();
        let met = i64::try_from(self.met.len()).unwrap();
        assert!(
            earned - self.style.answered_before <= met,
            "seed {} at {:?}: A - D = {earned}, and {met} met an agent, after {:#?}",
            self.seed,
            self.now,
            outcomes(commands)
        );
    }

    /// From the decision to the INVITE, set-up, and what may come of it after our CANCEL.
    fn longest(&self) -> Duration {
        Duration::from_secs(44) + self.settings.limits.set_up
    }

    /// Notes what the windows might owe under which a call was let go, reckoned anew.
    fn let_go(&mut self, windows: WindowSpan, at: UtcMs) {
        let AbandonBound::Window(limit) = self.style.bound else { return };
        let longest = i64::try_from(self.longest().as_millis()).unwrap();
        for starts in [windows.first, windows.last] {
            let repaid =
                starts.0 + DAY_MS - i64::try_from(limit.repaid_before.as_millis()).unwrap();
            let left = (repaid - at.0 - longest).clamp(0, DAY_MS / 4);
            let debt = i64::from(limit.calls) * left / (DAY_MS / 4);
            self.might_owe.insert(starts, u32::try_from(debt).unwrap());
        }
    }

    /// Whoever answered and met nobody is booked as abandoned, whatever happened to the process.
    pub(super) fn look_back(&mut self) {
        for (leg, far) in &self.legs {
            let (Some(attempt), Stage::WasUp | Stage::Up) = (far.attempt, far.stage) else {
                continue;
            };
            let booked = self.model.booking(attempt);
            let lost = booked.is_some_and(|booked| booked.abandoned && booked.answered);
            assert!(
                far.met || far.heard || lost,
                "seed {}: {leg:?} of {attempt:?} was answered, met nobody, and is booked as {booked:?}",
                self.seed
            );
            // A process that dies knows no more what was heard.
            assert!(
                !far.heard || far.crashed || !lost,
                "seed {}: {leg:?} of {attempt:?} heard the message, and is booked as {booked:?}",
                self.seed
            );
        }
        assert_eq!(self.model.open_attempts().count(), 0, "seed {}", self.seed);
        for row in self.model.windows().values() {
            self.report.abandoned += u64::try_from(row.abandoned).unwrap();
            self.report.faults += u64::try_from(row.fault).unwrap();
        }
    }
}

/// The day in Tokyo in which a moment lies, by its start.
pub(super) fn day_of(at: UtcMs) -> UtcMs {
    UtcMs((at.0 + TOKYO).div_euclid(DAY_MS) * DAY_MS - TOKYO)
}

fn ends_what_it_begins(batch: &[StoreCommand]) -> bool {
    let begins = |attempt: AttemptId| {
        batch.iter().any(
            |command| matches!(command, StoreCommand::Intent(intent) if intent.attempt == attempt),
        )
    };
    batch.iter().any(|command| {
        if let StoreCommand::Outcome(record) = command {
            begins(record.attempt)
        } else if let StoreCommand::Covered { attempt } = command {
            begins(*attempt)
        } else {
            false
        }
    })
}

fn holds_a_fault(batch: &[StoreCommand]) -> bool {
    let fault = |command: &StoreCommand| matches!(command, StoreCommand::Outcome(record) if record.booking.fault);
    batch.iter().any(fault)
}

/// What of a batch books anything.
fn outcomes(batch: &[StoreCommand]) -> Vec<&StoreCommand> {
    let books = |command: &&StoreCommand| {
        matches!(command, StoreCommand::Outcome(_) | StoreCommand::Disposition(_))
    };
    batch.iter().filter(books).collect()
}

const NO_CREDIT: StoreReply = StoreReply::Refused { gate: Gate::Credit, until: None };
const DAY_MS: i64 = 86_400_000;
const TOKYO: i64 = 9 * 3_600_000;
