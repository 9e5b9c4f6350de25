//! A relay before the trunk that notes when each INVITE arrived, by the kernel's clock.
//!
//! On a busy machine the program at the far end reads late, and several datagrams at once: then its own log says more
//! about the machine than about the sender.

use std::collections::BTreeMap;
use std::io::IoSliceMut;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::cmsg_space;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt::ReceiveTimestampns,
};
use nix::sys::time::TimeSpec;

use crate::stage::HERE;

/// A running relay.
pub(crate) struct Turnstile {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeMap<String, u64>>,
}

impl Turnstile {
    pub(crate) fn before(trunk: SocketAddr) -> Self {
        let socket = UdpSocket::bind((HERE, 0)).unwrap();
        setsockopt(&socket, ReceiveTimestampns, &true).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let address = socket.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || relay(&socket, trunk, &stopped));
        Self { address, stop, thread }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// When the first INVITE of each Call-ID arrived, in microseconds of the day (UTC).
    pub(crate) fn end(self) -> BTreeMap<String, u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn relay(socket: &UdpSocket, trunk: SocketAddr, stop: &AtomicBool) -> BTreeMap<String, u64> {
    let mut invites = BTreeMap::new();
    let mut dialer = None;
    let mut buffer = [0; 65_536];
    while !stop.load(Ordering::Relaxed) {
        let Some((length, from, at)) = receive(socket, &mut buffer) else { continue };
        let bytes = buffer.get(..length).unwrap();
        let to = if from == trunk {
            dialer
        } else {
            dialer = Some(from);
            Some(trunk)
        };
        if from != trunk && bytes.starts_with(b"INVITE ") {
            let text = String::from_utf8_lossy(bytes);
            let call_id = text.lines().find_map(|line| line.strip_prefix("Call-ID: ")).unwrap();
            invites.entry(call_id.to_owned()).or_insert(at);
        }
        if let Some(to) = to {
            socket.send_to(bytes, to).unwrap();
        }
    }
    invites
}

/// One datagram: its length, its source, its arrival. `None` when nothing came for a while.
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr, u64)> {
    let mut control = cmsg_space!(TimeSpec);
    let mut parts = [IoSliceMut::new(buffer)];
    let fd = socket.as_raw_fd();
    let message =
        recvmsg::<SockaddrIn>(fd, &mut parts, Some(&mut control), MsgFlags::empty()).ok()?;
    let at = message.cmsgs().unwrap().find_map(|message| {
        let ControlMessageOwned::ScmTimestampns(at) = message else { return None };
        Some(Duration::from(at))
    })?;
    let from = SocketAddrV4::from(message.address?);
    let at = u64::try_from(at.as_micros()).unwrap() % MICROS_OF_A_DAY;
    Some((message.bytes, from.into(), at))
}

const MICROS_OF_A_DAY: u64 = 86_400_000_000;
