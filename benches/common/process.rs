//! A child process and what it used.

use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

/// A child whose processor time and memory are counted apart from everybody else's; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    /// Its pipes are the caller's to use.
    pub(crate) child: Child,
    started: Instant,
    peak_kib: Arc<AtomicU64>,
    watcher: Option<JoinHandle<()>>,
}

/// What a process used from its start to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// By the clock on the wall.
    pub(crate) wall: Duration,
    /// In user and system mode, all threads; in steps of 10 ms.
    pub(crate) cpu: Duration,
    /// Most memory it ever held (VmHWM), looked at every 5 ms.
    pub(crate) peak_kib: u64,
    /// How it ended.
    pub(crate) status: ExitStatus,
}

impl Process {
    /// Starts it.
    ///
    /// # Panics
    /// If it cannot be started.
    pub(crate) fn start(command: &mut Command) -> Self {
        let started = now();
        let child =
            command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        let peak_kib = Arc::new(AtomicU64::new(0));
        let (pid, peak) = (child.id(), Arc::clone(&peak_kib));
        let watcher = std::thread::spawn(move || {
            while let Some(kib) = status_kib(pid, "VmHWM:") {
                peak.fetch_max(kib, Ordering::Relaxed);
                std::thread::sleep(LOOK_EVERY);
            }
        });
        Self { child, started, peak_kib, watcher: Some(watcher) }
    }

    /// Its memory now.
    pub(crate) fn resident_kib(&self) -> u64 {
        status_kib(self.child.id(), "VmRSS:").unwrap_or(0)
    }

    /// What it has used of the processors until now.
    pub(crate) fn cpu(&self) -> Duration {
        cpu_of(self.child.id())
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it cannot be waited for.
    pub(crate) fn end(mut self) -> Usage {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        // Ended, but not yet taken away: its account still stands in /proc.
        waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
        let (wall, cpu) = (self.started.elapsed(), self.cpu());
        let status = self.child.wait().unwrap();
        self.watcher.take().unwrap().join().unwrap();
        Usage { wall, cpu, peak_kib: self.peak_kib.load(Ordering::Relaxed), status }
    }

    /// As [`Self::end`]; a process that failed ends the bench.
    ///
    /// # Panics
    /// If it failed.
    pub(crate) fn succeed(self) -> Usage {
        let usage = self.end();
        assert!(usage.status.success(), "a measured process failed: {}", usage.status);
        usage
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already, as a rule.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A bench measures by the clock on the wall.
#[expect(clippy::disallowed_methods, reason = "what is measured is time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Processor time of a process, all its threads, the ended ones too.
///
/// # Panics
/// If there is no such process.
pub(crate) fn cpu_of(pid: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name stands in parentheses and may hold anything; after it field 3 comes first (proc_pid_stat(5)).
    let (_, fields) = text.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(14 - 3).take(2).map(|field| field.parse::<u64>().unwrap());
    Duration::from_millis(ticks.sum::<u64>() * MS_PER_TICK)
}

fn status_kib(pid: u32, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// USER_HZ is 100 on every architecture that Rust's standard library supports on Linux.
const MS_PER_TICK: u64 = 10;
const LOOK_EVERY: Duration = Duration::from_millis(5);
