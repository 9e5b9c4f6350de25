//! SIPp's own answering side at the other end of the trunk, and its account of who called.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use crate::sipp::{Logged, Sipp, free_port};
use crate::stage::HERE;

/// SIPp with its built-in `uas` scenario: 180, 200 at once, echoes RTP, waits for the BYE.
pub(crate) struct Uas(Sipp);

/// What SIPp saw, read from its message log and its statistics.
#[derive(Debug, Default)]
pub(crate) struct UasSaw {
    /// Each INVITE, repeats included: when it was read, in microseconds of the day (UTC); Call-ID; called number.
    pub(crate) invites: Vec<(Option<u64>, String, String)>,
    /// BYEs.
    pub(crate) byes: u64,
    /// Calls by SIPp's own count.
    pub(crate) calls: u64,
    pub(crate) successful: u64,
    pub(crate) failed: u64,
    pub(crate) retransmissions: u64,
}

impl Uas {
    pub(crate) fn start() -> Self {
        let rtp = free_port(HERE.into()).to_string();
        let plays = ["-sn", "uas", "-mi", "127.0.0.1", "-mp", &rtp, "-rtp_echo"];
        let args = [&plays[..], &["-trace_msg", "-timeout", "300s"]].concat();
        Self(Sipp::start(HERE.into(), &args))
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Ends SIPp as soon as its calls have ended, and reads what it wrote.
    pub(crate) fn end(mut self) -> UasSaw {
        // SIGUSR1: no new calls, and out when those in progress have ended.
        let pid = self.0.child.id().to_string();
        assert!(Command::new("kill").args(["-USR1", &pid]).status().unwrap().success());
        for _ in 0..PATIENCE {
            if self.0.ended().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(self.0.ended().is_some(), "SIPp waits for the end of calls that do not end");
        let account = self.0.account();
        assert_eq!(account.errors, "", "SIPp met what it did not expect");
        assert_eq!(account.code, Some(0), "SIPp is content");
        let mut saw = UasSaw {
            calls: account.calls,
            successful: account.successful,
            failed: account.failed,
            retransmissions: account.retransmissions,
            ..UasSaw::default()
        };
        for message in account.messages.iter().filter(|message| message.received) {
            saw.note(message);
        }
        saw
    }
}

impl UasSaw {
    fn note(&mut self, message: &Logged) {
        let text = &message.text;
        if text.starts_with("BYE ") {
            self.byes += 1;
        }
        if let Some(uri) = text.strip_prefix("INVITE sip:") {
            let call_id = text.lines().find_map(|line| line.strip_prefix("Call-ID: ")).unwrap();
            let called = uri.split('@').next().unwrap();
            let at = micros_of_day(&message.stamp);
            self.invites.push((at, call_id.trim().to_owned(), called.to_owned()));
        }
    }

    /// When SIPp read the first INVITE of each call, where it says so.
    pub(crate) fn calls_at(&self) -> BTreeMap<String, u64> {
        let mut first = BTreeMap::new();
        for (at, call_id, _) in &self.invites {
            if let Some(at) = at {
                first.entry(call_id.clone()).or_insert(*at);
            }
        }
        first
    }
}

/// Most of these moments, in microseconds, in any half-open window of one second.
pub(crate) fn most_in_a_second(moments: impl IntoIterator<Item = u64>) -> usize {
    let mut times: Vec<u64> = moments.into_iter().collect();
    times.sort_unstable();
    let in_the_second_from = |(place, start): (usize, &u64)| {
        times.iter().skip(place).take_while(|at| **at < start + 1_000_000).count()
    };
    times.iter().enumerate().map(in_the_second_from).max().unwrap_or(0)
}

/// `2026-11-21 22:16:03.123456`. Now and then SIPp 3.6 writes a line without.
fn micros_of_day(stamp: &str) -> Option<u64> {
    let time = stamp.split_whitespace().find(|word| word.contains(':'))?;
    let parts: Vec<&str> = time.split([':', '.']).collect();
    let [hours, minutes, seconds, fraction] = parts[..] else { panic!("{stamp}") };
    let whole = |text: &str| text.parse::<u64>().unwrap();
    let seconds = (whole(hours) * 60 + whole(minutes)) * 60 + whole(seconds);
    Some(seconds * 1_000_000 + whole(&format!("{fraction:0<6}")))
}

/// Tenths of a second. SIPp waits 4 s after each BYE.
const PATIENCE: u32 = 200;
