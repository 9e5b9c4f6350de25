//! What one whole dialed call costs: claim, durable intent, INVITE, answer, bridged sound, hang-up, durable outcome.
//!
//! The dialer on SQLite, the simulated carrier and agents' phones share one process on real sockets; only the threads
//! of the dialer are counted. A quarter of the callees answer and talk for most of a second, the others are busy, so
//! that an agent stands behind every call at two thirds of an agent per call and second. Their phones send and get
//! sound all the time: that is part of the price.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench that cannot run ends"
)]
#![expect(clippy::as_conversions, clippy::print_stdout, reason = "figures that are printed")]

#[allow(dead_code, unused_imports, reason = "each bench uses a part")]
mod common;
#[path = "../tests/end_to_end/cpu.rs"]
mod cpu;
#[expect(dead_code, reason = "the bench has no story")]
#[path = "../tests/end_to_end/stage.rs"]
mod stage;

use std::process::ExitCode;
use std::time::Duration;

use common::{Asked, Gate, Table};
use outdial::carrier::CarrierSettings;
use outdial::logic::outcome::Outcome;
use outdial::simulation::callee::{Behaviour, BehaviourBook};
use outdial::simulation::dice::Law;
use stage::{Plan, RINGS, Stage};

fn main() -> ExitCode {
    let asked = Asked::here();
    let mut table = Table::new(&asked, "whole dialed calls");
    let (rates, seconds): (&[u32], u64) =
        if asked.small { (&[50], 4) } else { (&[100, 200, 300], 20) };
    for &rate in rates {
        if !asked.wants(&rate.to_string()) {
            continue;
        }
        let turns: Vec<Figures> = (0..asked.times(3)).map(|_| dial(rate, seconds)).collect();
        let all = |figure: fn(&Figures) -> f64| turns.iter().map(figure).collect::<Vec<f64>>();
        table.figure(
            &format!("limit {rate}/s: calls started in a second"),
            &all(|turn| turn.a_second),
            Gate::None,
        );
        table.figure(
            &format!("limit {rate}/s: processor time of a call, ms"),
            &all(|turn| turn.cpu_ms),
            Gate::None,
        );
        table.figure(
            &format!("limit {rate}/s: answered and given to an agent, %"),
            &all(|turn| turn.connected),
            Gate::None,
        );
    }
    table.verdict()
}

struct Figures {
    a_second: f64,
    cpu_ms: f64,
    connected: f64,
}

fn dial(rate: u32, seconds: u64) -> Figures {
    let contacts = u64::from(rate) * seconds;
    let people = Behaviour::person(Law::between(200, 400), Law::between(600, 1_000));
    let book = BehaviourBook::shares([(25, people), (75, Behaviour::busy(Law::between(100, 200)))]);
    let stage = Stage::set(Plan {
        contacts,
        agents: rate * 2 / 3,
        carrier: CarrierSettings {
            rtp_ports: 40_000..=43_999,
            ..CarrierSettings::on_loopback(book, 1)
        },
        trunk: None,
        calls_per_second: rate,
        ring: RINGS,
        talk: None,
        rtp_ports: 20_000..=23_999,
    });
    let seen = stage.play(Duration::from_secs(seconds * 5 + 30), async |_| {});
    assert_eq!(seen.attempts.len() as u64, contacts, "one attempt to each number");
    let connected =
        seen.attempts.iter().filter(|attempt| attempt.outcome == Some(Outcome::Connected));
    let busy = seen.attempts.iter().filter(|attempt| attempt.outcome == Some(Outcome::Busy));
    let (connected, busy) = (connected.count(), busy.count());
    assert_eq!((connected + busy) as u64, contacts, "everybody was reached, and nobody lost");
    let first = seen.attempts.iter().map(|attempt| attempt.started.0).min().unwrap();
    let last = seen.attempts.iter().map(|attempt| attempt.started.0).max().unwrap();
    Figures {
        a_second: contacts as f64 * 1e3 / (last - first) as f64,
        cpu_ms: seen.cpu.as_secs_f64() * 1e3 / contacts as f64,
        connected: connected as f64 * 100.0 / contacts as f64,
    }
}
