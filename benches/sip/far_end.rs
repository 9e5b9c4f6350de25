//! SIPp on both ends of the comparison: as the callee of everybody, and as the caller beside ours.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::caller::{Plan, Report};
use crate::common::{Process, Usage};
use crate::sipp::{Sipp, free_port, statistic};

/// SIPp's `uas` scenario: 180, 200, and an answer to the BYE.
pub(crate) struct Callee(Sipp);

impl Callee {
    pub(crate) fn start() -> Self {
        Self(Sipp::start(HERE, &[&["-sn", "uas"], &BUFFERS[..]].concat()))
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// What it sent again.
    pub(crate) fn end(mut self) -> u64 {
        // Its statistics are written once a second.
        std::thread::sleep(Duration::from_millis(1_100));
        self.0.account().retransmissions
    }
}

/// The plan, carried out by SIPp's `uac` scenario: 180 may come, 200, ACK, BYE, 200. It knows no bound of waiting calls.
pub(crate) fn carry_out(plan: &Plan) -> (Report, Usage) {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port(HERE).to_string();
    let (rate, calls) = (plan.rate.to_string(), plan.calls.to_string());
    // Until the last is up, and a second longer.
    let hold = if plan.hold { plan.calls * 1_000 / plan.rate + 1_000 } else { 0 };
    let mut command = Command::new("sipp");
    command
        .args(["-sn", "uac", "-i", "127.0.0.1", "-p", &port, "-nostdin"])
        .args(["-r", &rate, "-m", &calls, "-l", &calls, "-d", &hold.to_string()])
        .args(["-trace_stat", "-fd", "1s", "-stf", "statistics.csv"])
        .args(BUFFERS)
        .arg(plan.to.to_string())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let process = Process::start(&mut command);
    let pid = Pid::from_raw(process.child.id().try_into().unwrap());
    // Past its limit it may go on for ever.
    let planned = Duration::from_millis((plan.calls * 1_000 / plan.rate + hold).into());
    let (ended, wait) = mpsc::channel::<()>();
    let guard = std::thread::spawn(move || {
        if wait.recv_timeout(planned + PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            kill(pid, Signal::SIGKILL).unwrap();
        }
    });
    let usage = process.end();
    drop(ended);
    guard.join().unwrap();
    let statistics =
        std::fs::read_to_string(folder.path().join("statistics.csv")).unwrap_or_default();
    let count = |name| statistic(&statistics, name).unwrap_or(0);
    let completed = count("SuccessfulCall(C)").try_into().unwrap();
    let report = Report {
        completed,
        failed: plan.calls - completed,
        repeats: count("Retransmissions(C)"),
        seconds: usage.wall.as_secs_f64(),
        ..Report::default()
    };
    (report, usage)
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// As much as our own socket asks for.
const BUFFERS: [&str; 2] = ["-buff_size", "4194304"];
const PATIENCE: Duration = Duration::from_secs(15);
