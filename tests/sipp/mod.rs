//! SIPp, a SIP stack that is not ours, as the far end: started, waited for, and asked what it saw.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running SIPp. Whatever happens to the test, it is ended.
pub(crate) struct Sipp {
    pub(crate) child: Child,
    folder: tempfile::TempDir,
    address: SocketAddr,
}

/// What SIPp wrote about itself.
pub(crate) struct Account {
    /// Its exit code: 0 when every call went as its scenario says.
    pub(crate) code: Option<i32>,
    pub(crate) calls: u64,
    pub(crate) successful: u64,
    pub(crate) failed: u64,
    pub(crate) retransmissions: u64,
    /// Everything it sent and received, in order; none without `-trace_msg`.
    pub(crate) messages: Vec<Logged>,
    /// What it met and did not expect.
    pub(crate) errors: String,
}

/// A message in SIPp's log.
pub(crate) struct Logged {
    /// `2026-11-21 22:16:03.123456` (UTC). Now and then SIPp 3.6 leaves it out.
    pub(crate) stamp: String,
    /// Whether it came to SIPp.
    pub(crate) received: bool,
    pub(crate) text: String,
}

impl Sipp {
    /// Starts SIPp on a free port of `ip` and waits until it listens. `args` say what it plays, and with `-trace_msg` that
    /// it keeps its messages.
    pub(crate) fn start(ip: IpAddr, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = SocketAddr::from((ip, free_port(ip)));
        let (host, port) = (ip.to_string(), address.port().to_string());
        let child = Command::new("sipp")
            .args(["-i", &host, "-p", &port, "-nostdin"])
            .args(["-message_file", "messages.log"])
            .args(["-trace_stat", "-fd", "1s", "-stf", "statistics.csv"])
            .args(["-trace_err", "-error_file", "errors.log"])
            .args(args)
            .current_dir(folder.path())
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot run SIPp ({error}): install it with `apt-get install sip-tester`")
            });
        let mut sipp = Self { child, folder, address };
        sipp.wait_until_bound();
        sipp
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its exit code, once it has ended.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let status = self.child.try_wait().unwrap()?;
        Some(status.code().unwrap_or(-1))
    }

    /// What it wrote until now; complete once it has ended.
    pub(crate) fn account(&mut self) -> Account {
        let statistics = self.file("statistics.csv");
        let count = |name: &str| statistic(&statistics, name).unwrap_or_default();
        Account {
            code: self.ended(),
            calls: count("TotalCallCreated"),
            successful: count("SuccessfulCall(C)"),
            failed: count("FailedCall(C)"),
            retransmissions: count("Retransmissions(C)"),
            messages: read_messages(&self.file("messages.log")),
            errors: self.file("errors.log"),
        }
    }

    fn file(&self, name: &str) -> String {
        let bytes = std::fs::read(self.folder.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn wait_until_bound(&mut self) {
        for _ in 0..1_000 {
            // The port of a socket that is bound cannot be bound again.
            if UdpSocket::bind(self.address).is_err() {
                return;
            }
            assert!(self.ended().is_none(), "SIPp ended at once: {}", self.file("errors.log"));
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

pub(crate) fn free_port(ip: IpAddr) -> u16 {
    UdpSocket::bind((ip, 0)).unwrap().local_addr().unwrap().port()
}

/// Each message follows a line of dashes with date and time, and a line with direction and length.
fn read_messages(log: &str) -> Vec<Logged> {
    let parts = log.split(DASHES).skip(1);
    let message = |part: &str| {
        let (stamp, rest) = part.split_once('\n')?;
        let (direction, rest) = rest.split_once('\n')?;
        let received = direction.contains("message received");
        let (stamp, text) = (stamp.trim().to_owned(), rest.trim_start_matches('\n').to_owned());
        (received || direction.contains("message sent")).then_some(Logged { stamp, received, text })
    };
    parts.filter_map(message).collect()
}

/// A column of the last line of SIPp's statistics.
pub(crate) fn statistic(statistics: &str, name: &str) -> Option<u64> {
    let mut lines = statistics.lines();
    let place = lines.next()?.split(';').position(|title| title == name)?;
    lines.last()?.split(';').nth(place)?.parse().ok()
}

const DASHES: &str = "-----------------------------------------------";
