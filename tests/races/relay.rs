//! A network between our side and SIPp that loses, repeats and reorders.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use outdial::logic::time::Tick;
use outdial::runtime::clock::Clock;

use crate::stage::HERE;

/// A running relay: what is sent to its address reaches SIPp, as far as its rule lets it.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A datagram on its way.
pub(crate) struct Passing<'a> {
    pub(crate) to_sipp: bool,
    pub(crate) text: &'a str,
}

impl Relay {
    /// `rule` says after what delays each datagram arrives: none is a loss, two are a repeat.
    pub(crate) fn before(
        sipp: SocketAddr,
        rule: impl FnMut(&Passing<'_>) -> Vec<Duration> + Send + 'static,
    ) -> Self {
        let socket = UdpSocket::bind((HERE, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || run(&socket, sipp, rule, &stopped));
        Self { address, stop, thread: Some(thread) }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        // A rule that panicked is a failed test, unless one failed already.
        assert!(std::thread::panicking() || ended.is_none_or(|ended| ended.is_ok()));
    }
}

fn run(
    socket: &UdpSocket,
    sipp: SocketAddr,
    mut rule: impl FnMut(&Passing<'_>) -> Vec<Duration>,
    stop: &AtomicBool,
) {
    let clock = Clock::start();
    let mut ours = None;
    let mut due: BTreeMap<(Tick, u64), (SocketAddr, Vec<u8>)> = BTreeMap::new();
    let mut serial = 0;
    let mut buffer = [0; 65_536];
    while !stop.load(Ordering::Relaxed) {
        while let Some(entry) = due.first_entry()
            && entry.key().0 <= clock.tick()
        {
            let (to, bytes) = entry.remove();
            // Whoever has ended refuses by ICMP.
            socket.send_to(&bytes, to).ok();
        }
        socket.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        let bytes = buffer.get(..length).unwrap();
        let to_sipp = from != sipp;
        if to_sipp {
            ours = Some(from);
        }
        let Some(to) = (if to_sipp { Some(sipp) } else { ours }) else { continue };
        let text = String::from_utf8_lossy(bytes);
        for delay in rule(&Passing { to_sipp, text: &text }) {
            serial += 1;
            due.insert((clock.tick() + delay, serial), (to, bytes.to_vec()));
        }
    }
}
