//! SIPp at the other end of the trunk, and its own account of what it received.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::stage::HERE;

/// SIPp with its built-in `uas` scenario: 180, 200 at once, echoes RTP, waits for the BYE.
pub(crate) struct Sipp {
    child: Child,
    folder: tempfile::TempDir,
    address: SocketAddr,
}

/// What SIPp saw, read from its message log and its statistics.
#[derive(Debug, Default)]
pub(crate) struct SippSaw {
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

impl Sipp {
    pub(crate) fn uas() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = SocketAddr::from((HERE, free_port()));
        let [sip, rtp] = [address.port(), free_port()].map(|port| port.to_string());
        let child = Command::new("sipp")
            .args(["-sn", "uas", "-i", "127.0.0.1", "-p", &sip, "-mi", "127.0.0.1", "-mp", &rtp])
            .args(["-rtp_echo", "-nostdin", "-timeout", "300s"])
            .args(["-trace_msg", "-message_file", "messages.log"])
            .args(["-trace_stat", "-fd", "1s", "-stf", "statistics.csv"])
            .args(["-trace_err", "-error_file", "errors.log"])
            .current_dir(folder.path())
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot run SIPp ({error}): install it with `apt-get install sip-tester`")
            });
        let sipp = Self { child, folder, address };
        sipp.wait_until_bound();
        sipp
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends SIPp as soon as its calls have ended, and reads what it wrote.
    pub(crate) fn end(mut self) -> SippSaw {
        let id = self.child.id().to_string();
        // SIGUSR1: no new calls, and out when those in progress have ended.
        assert!(Command::new("kill").args(["-USR1", &id]).status().unwrap().success());
        let (done, ended) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let child = &mut self.child;
            scope.spawn(move || {
                if ended.recv_timeout(PATIENCE).is_err() {
                    // The scope waits for SIPp: end it from outside.
                    Command::new("kill").args(["-KILL", &id]).status().unwrap();
                }
            });
            child.wait().unwrap();
            done.send(()).ok();
        });
        let file =
            |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        let statistics = self.folder.path().join("statistics.csv");
        let count = |name: &str| column(&statistics, name).unwrap_or_else(|| panic!("no {name}"));
        let mut saw = SippSaw {
            calls: count("TotalCallCreated"),
            successful: count("SuccessfulCall(C)"),
            failed: count("FailedCall(C)"),
            retransmissions: count("Retransmissions(C)"),
            ..SippSaw::default()
        };
        read_messages(&file("messages.log"), &mut saw);
        assert_eq!(file("errors.log"), "", "SIPp met what it did not expect");
        saw
    }

    fn wait_until_bound(&self) {
        for _ in 0..500 {
            // The port of a socket that is bound cannot be bound again.
            if UdpSocket::bind(self.address).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("SIPp does not come up");
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl SippSaw {
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

/// Each message follows a line of dashes with date and time, and a line with direction and length.
fn read_messages(log: &str, saw: &mut SippSaw) {
    let mut lines = log.lines();
    while let Some(line) = lines.next() {
        let Some(stamp) = line.strip_prefix("-----------------------------------------------")
        else {
            continue;
        };
        if !lines.next().is_some_and(|line| line.contains("message received")) {
            continue;
        }
        let message: Vec<&str> =
            lines.by_ref().skip_while(|l| l.is_empty()).take_while(|l| !l.is_empty()).collect();
        let Some(start) = message.first() else { continue };
        if start.starts_with("BYE ") {
            saw.byes += 1;
        }
        if let Some(uri) = start.strip_prefix("INVITE sip:") {
            let call_id = message.iter().find_map(|l| l.strip_prefix("Call-ID: ")).unwrap();
            let called = uri.split('@').next().unwrap();
            saw.invites.push((micros_of_day(stamp), call_id.to_owned(), called.to_owned()));
        }
    }
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

/// A column of the last line of SIPp's statistics.
fn column(statistics: &Path, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(statistics).ok()?;
    let mut lines = text.lines();
    let place = lines.next()?.split(';').position(|title| title == name)?;
    lines.last()?.split(';').nth(place)?.parse().ok()
}

fn free_port() -> u16 {
    UdpSocket::bind((HERE, 0)).unwrap().local_addr().unwrap().port()
}

/// SIPp waits 4 s after each BYE.
const PATIENCE: Duration = Duration::from_secs(20);
